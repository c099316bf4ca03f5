-- Each time a consent was given or withdrawn: the newest row of a kind counts. The text's digest is the evidence of
-- what the person saw.
CREATE TABLE consents (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL,
    kind        text NOT NULL,
    given       boolean NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    language    text NOT NULL,
    text_digest bytea NOT NULL,
    said_by     uuid NOT NULL,
    said_as     text NOT NULL,
    how         text NOT NULL CHECK (how IN ('page', 'visit')),
    said_at     timestamptz NOT NULL
);
CREATE INDEX consents_person ON consents (person_id, kind, id DESC);
CREATE TRIGGER consents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A copy of everything about a person, made in the background and encrypted under their key.
CREATE TABLE exports (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL,
    state         text NOT NULL CHECK (state IN ('waiting', 'ready', 'downloaded', 'expired', 'failed')),
    requested_at  timestamptz NOT NULL,
    ready_at      timestamptz,
    expires_at    timestamptz,
    stored_id     uuid,
    size          bigint,
    attempts      integer NOT NULL DEFAULT 0,
    CHECK ((state = 'ready') = (stored_id IS NOT NULL))
);
CREATE UNIQUE INDEX exports_one_at_a_time ON exports (person_id) WHERE state IN ('waiting', 'ready');
CREATE INDEX exports_waiting ON exports (requested_at) WHERE state = 'waiting';

-- A request to be forgotten. ``kept`` says what the law keeps, how long and why; ``proof`` is signed once it is done.
CREATE TABLE erasures (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL,
    state         text NOT NULL CHECK (state IN ('requested', 'confirmed', 'withdrawn', 'kept', 'done')),
    requested_at  timestamptz NOT NULL,
    due_at        timestamptz,        -- when it is carried out, once it is confirmed
    carried_out_at timestamptz,       -- account closed, what is in clear replaced
    destroy_at    timestamptz,        -- when the law lets the key go
    destroyed_at  timestamptz,
    removed       jsonb NOT NULL DEFAULT '{}',
    kept          jsonb NOT NULL DEFAULT '[]',
    signature     bytea,
    CHECK ((state = 'done') = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX erasures_one ON erasures (person_id) WHERE state <> 'withdrawn';
CREATE INDEX erasures_due ON erasures (due_at) WHERE state = 'confirmed';
CREATE INDEX erasures_destroy ON erasures (destroy_at) WHERE state = 'kept';

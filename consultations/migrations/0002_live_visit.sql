-- What has arrived at a person's device, beside what was read there; what was read has arrived.
ALTER TABLE chat_reads ALTER COLUMN last_seq SET DEFAULT 0;
ALTER TABLE chat_reads ADD COLUMN delivered_seq bigint NOT NULL DEFAULT 0;
UPDATE chat_reads SET delivered_seq = last_seq;

-- What the patient confirmed before the visit, encrypted under their key: name, birth date, place, call-back number.
CREATE TABLE check_ins (
    consultation_id uuid PRIMARY KEY REFERENCES consultations,
    sealed          bytea NOT NULL,
    country         text NOT NULL,            -- ISO 3166-1 alpha-2
    licensed_here   boolean NOT NULL,         -- the practitioner, in that country, at that moment
    confirmed_by    uuid NOT NULL,
    confirmed_at    timestamptz NOT NULL
);

-- Where somebody is licensed, if not (only) where the practice is.
CREATE TABLE licence_places (
    practitioner_id uuid NOT NULL,
    country         text NOT NULL,
    PRIMARY KEY (practitioner_id, country)
);

-- People who may be asked to interpret. An account of ours, whatever else it is.
CREATE TABLE interpreters (
    person_id       uuid PRIMARY KEY,
    languages       text[] NOT NULL,          -- primary BCP 47 subtags
    on_duty         boolean NOT NULL DEFAULT false,
    last_offered_at timestamptz               -- who was asked longest ago is asked first
);

CREATE TABLE interpreter_requests (
    id              uuid PRIMARY KEY,
    consultation_id uuid NOT NULL REFERENCES consultations,
    language        text NOT NULL,
    requested_by    uuid NOT NULL,
    asked_at        timestamptz NOT NULL,
    state           text NOT NULL CHECK (state IN ('searching', 'accepted', 'none', 'cancelled')),
    invitation_id   uuid REFERENCES invitations
);
-- One search at a time in a visit.
CREATE UNIQUE INDEX interpreter_requests_searching ON interpreter_requests (consultation_id) WHERE state = 'searching';
CREATE INDEX interpreter_requests_visit ON interpreter_requests (consultation_id, asked_at);

CREATE TABLE interpreter_offers (
    id              uuid PRIMARY KEY,
    request_id      uuid NOT NULL REFERENCES interpreter_requests,
    person_id       uuid NOT NULL,
    offered_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    outcome         text NOT NULL DEFAULT 'open' CHECK (outcome IN ('open', 'accepted', 'declined', 'missed', 'withdrawn')),
    UNIQUE (request_id, person_id)
);
CREATE INDEX interpreter_offers_open ON interpreter_offers (person_id) WHERE outcome = 'open';

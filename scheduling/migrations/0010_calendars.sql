-- Private calendar feeds, one a person. The token itself is kept nowhere: this is its SHA-256.
CREATE TABLE calendar_feeds (
    person_id  uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    language   text NOT NULL CHECK (language IN ('en', 'fr')),
    created_at timestamptz NOT NULL,
    read_at    timestamptz
);

-- Calendars elsewhere that tell when a practitioner is busy. The address is encrypted under the practitioner's key:
-- such addresses are secrets. problem: why the last reading failed, null when it did not.
CREATE TABLE outside_calendars (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    name            text NOT NULL,
    address         bytea NOT NULL,
    created_at      timestamptz NOT NULL,
    next_read_at    timestamptz NOT NULL,
    read_at         timestamptz,  -- last successful reading
    unfolded_at     timestamptz,  -- last reading of the whole content
    etag            text,
    modified        text,
    problem         text,
    failures        integer NOT NULL DEFAULT 0
);
CREATE INDEX outside_calendars_of ON outside_calendars (practitioner_id, created_at);
CREATE INDEX outside_calendars_due ON outside_calendars (next_read_at);

-- Busy times of outside calendars stand among the other stretches of time that are spoken for.
ALTER TABLE occupied ADD COLUMN calendar_id uuid REFERENCES outside_calendars ON DELETE CASCADE;
ALTER TABLE occupied ADD CHECK ((kind = 'outside') = (calendar_id IS NOT NULL));
CREATE INDEX occupied_calendar ON occupied (calendar_id) WHERE calendar_id IS NOT NULL;

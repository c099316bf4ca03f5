-- What a person reads in the product. Title and body are encrypted under the person's key.
CREATE TABLE notices (
    id             uuid PRIMARY KEY,
    person_id      uuid NOT NULL,
    kind           text NOT NULL,
    sealed         bytea NOT NULL,
    link           text,
    appointment_id uuid,
    created_at     timestamptz NOT NULL,
    read_at        timestamptz
);
CREATE INDEX notices_of_person ON notices (person_id, id DESC);

-- A notice's way out of the house. status: waiting, sending, sent, failed, skipped.
CREATE TABLE deliveries (
    id              uuid PRIMARY KEY,
    notice_id       uuid NOT NULL REFERENCES notices,
    person_id       uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('email')),
    kind            text NOT NULL,
    status          text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sending', 'sent', 'failed', 'skipped')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    last_error      text,
    UNIQUE (notice_id, channel)
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status IN ('waiting', 'sending');

-- Planned at booking, one for each distance and person. state: planned, sent, void.
CREATE TABLE reminders (
    appointment_id uuid NOT NULL,
    person_id      uuid NOT NULL,
    minutes_before integer NOT NULL,
    start          timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    state          text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'void')),
    PRIMARY KEY (appointment_id, person_id, minutes_before, start)
);
CREATE INDEX reminders_due ON reminders (due_at) WHERE state = 'planned';

-- One row for each visit, filled from facts in whatever order they come.
CREATE TABLE visits (
    appointment_id  uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    specialty       text,
    start           timestamptz,
    status          text NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'completed', 'cancelled', 'no_show')),
    waited_s        integer
);
CREATE INDEX visits_start ON visits (start);
CREATE INDEX visits_practitioner ON visits (practitioner_id, start);

-- Payments, and refunds with a negative amount.
CREATE TABLE revenue (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    at              timestamptz NOT NULL,
    amount_minor    bigint NOT NULL,
    currency        text NOT NULL
);
CREATE INDEX revenue_at ON revenue (at);

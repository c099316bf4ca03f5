-- Emergency access to one patient's record: who opened it, why (encrypted under the patient's key), and how long.
CREATE TABLE break_glass (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL,
    patient_id uuid NOT NULL,
    reason     bytea NOT NULL,
    opened_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > opened_at),
    ended_at   timestamptz,
    ended_by   uuid,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX break_glass_pair ON break_glass (person_id, patient_id, ends_at);
CREATE INDEX break_glass_patient ON break_glass (patient_id, id DESC);

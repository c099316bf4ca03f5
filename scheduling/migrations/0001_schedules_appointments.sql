-- A practitioner's opening hours; the newest version. rules: [{weekday, start, end}], minutes after midnight;
-- exceptions: [{day, closed, start, end}].
CREATE TABLE schedules (
    practitioner_id uuid PRIMARY KEY,
    time_zone       text NOT NULL,
    slot_minutes    integer NOT NULL CHECK (slot_minutes BETWEEN 5 AND 480),
    buffer_minutes  integer NOT NULL CHECK (buffer_minutes BETWEEN 0 AND 240),
    notice_minutes  integer NOT NULL CHECK (notice_minutes >= 0),
    horizon_days    integer NOT NULL CHECK (horizon_days BETWEEN 1 AND 730),
    rules           jsonb NOT NULL,
    exceptions      jsonb NOT NULL DEFAULT '[]',
    version         integer NOT NULL DEFAULT 1,
    updated_at      timestamptz NOT NULL,
    updated_by      uuid
);

-- What it was before: kept, so that a past offer can be explained.
CREATE TABLE schedule_versions (
    practitioner_id uuid NOT NULL,
    version         integer NOT NULL,
    content         jsonb NOT NULL,
    updated_at      timestamptz NOT NULL,
    updated_by      uuid,
    PRIMARY KEY (practitioner_id, version)
);

CREATE TABLE appointments (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    patient_id      uuid NOT NULL,
    status          text NOT NULL DEFAULT 'booked'
        CHECK (status IN ('booked', 'arrived', 'checked-in', 'fulfilled', 'cancelled', 'noshow', 'entered-in-error')),
    kind            text NOT NULL DEFAULT 'video' CHECK (kind IN ('video')),
    specialty       text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    blocked_until   timestamptz NOT NULL,  -- the end and the buffer after it
    time_zone       text NOT NULL,         -- the practitioner's, when booked
    local_date      date NOT NULL,         -- of the start, in that zone
    reason          bytea,                 -- encrypted under the patient's key
    fee_minor       bigint NOT NULL CHECK (fee_minor >= 0),
    currency        text NOT NULL,
    booked_by       uuid,
    booked_role     text NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    CHECK (starts_at < ends_at AND ends_at <= blocked_until),
    CHECK (practitioner_id <> patient_id),
    -- Nobody's time is given twice, whatever runs at once. A visit that is over (fulfilled) gives its time back.
    CONSTRAINT practitioner_time_given_once EXCLUDE USING gist (
        practitioner_id WITH =, tstzrange(starts_at, blocked_until) WITH &&
    ) WHERE (status IN ('booked', 'arrived', 'checked-in'))
);
CREATE INDEX appointments_practitioner_day ON appointments (practitioner_id, local_date, starts_at);
CREATE INDEX appointments_practitioner ON appointments (practitioner_id, starts_at, id);
CREATE INDEX appointments_patient ON appointments (patient_id, starts_at, id);
CREATE INDEX appointments_time ON appointments (starts_at, id);
-- For the clean-up, which looks only at what is still open.
CREATE INDEX appointments_unarrived ON appointments (ends_at) WHERE status = 'booked';

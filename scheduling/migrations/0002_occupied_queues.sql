-- Every stretch of a practitioner's time that is spoken for, buffers included: appointments, holds, offers to the
-- waitlist, and times that an outside calendar says are busy. One constraint covers them all.
CREATE TABLE occupied (
    id              uuid PRIMARY KEY,      -- the appointment's, hold's or offer's own id
    practitioner_id uuid NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('appointment', 'hold', 'offer', 'outside')),
    exclusive       boolean NOT NULL DEFAULT true,
    patient_id      uuid,                  -- whose hold or offer
    slot_starts_at  timestamptz,           -- of a hold or offer, without buffers
    slot_ends_at    timestamptz,
    expires_at      timestamptz,           -- from then on it blocks nobody, whether or not the row is still here
    CHECK (starts_at < ends_at),
    CHECK ((kind IN ('hold', 'offer')) = (expires_at IS NOT NULL)),
    CHECK ((kind IN ('hold', 'offer')) = (patient_id IS NOT NULL AND slot_starts_at IS NOT NULL
                                          AND slot_ends_at IS NOT NULL)),
    CHECK (kind <> 'outside' OR NOT exclusive),
    -- Nobody's time is given twice, whatever runs at once. Deliberate overlaps and outside times are not exclusive.
    CONSTRAINT practitioner_time_is_given_once EXCLUDE USING gist (
        practitioner_id WITH =, tstzrange(starts_at, ends_at) WITH &&
    ) WHERE (exclusive)
);
CREATE INDEX occupied_practitioner ON occupied (practitioner_id, ends_at);
CREATE INDEX occupied_patient ON occupied (patient_id) WHERE patient_id IS NOT NULL;
CREATE INDEX occupied_expiry ON occupied (expires_at) WHERE expires_at IS NOT NULL;

INSERT INTO occupied (id, practitioner_id, starts_at, ends_at, kind)
SELECT id, practitioner_id, starts_at, blocked_until, 'appointment' FROM appointments
WHERE status IN ('booked', 'arrived', 'checked-in');

ALTER TABLE appointments DROP CONSTRAINT practitioner_time_given_once;
ALTER TABLE appointments ADD COLUMN blocked_from timestamptz;
UPDATE appointments SET blocked_from = starts_at;
ALTER TABLE appointments
    ALTER COLUMN blocked_from SET NOT NULL,
    ADD CHECK (blocked_from <= starts_at),
    ADD COLUMN location text NOT NULL DEFAULT '',
    ADD COLUMN overlap boolean NOT NULL DEFAULT false,
    ADD COLUMN series_id uuid,
    DROP CONSTRAINT appointments_kind_check,
    ADD CONSTRAINT appointments_kind_check CHECK (kind IN ('video', 'drop_in'));
-- The clean-up looks at everything that is still open.
DROP INDEX appointments_unarrived;
CREATE INDEX appointments_open ON appointments (ends_at) WHERE status IN ('booked', 'arrived', 'checked-in');

ALTER TABLE schedules
    ADD COLUMN buffer_before_minutes integer NOT NULL DEFAULT 0 CHECK (buffer_before_minutes BETWEEN 0 AND 240);

-- Takes a stretch of time for p_id, letting one at a time through for a practitioner. What has expired, p_id's own
-- stretch, and the same patient's holds and offers in the way give way. False: somebody else has it.
CREATE FUNCTION take_time(
    p_id uuid, p_practitioner uuid, p_from timestamptz, p_until timestamptz, p_kind text, p_exclusive boolean,
    p_patient uuid, p_slot_start timestamptz, p_slot_end timestamptz, p_expires timestamptz, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- Without this queue, simultaneous inserts of one stretch wait for each other in the exclusion check until
    -- deadlock detection steps in a second later. The constraint alone still decides who wins.
    PERFORM pg_advisory_xact_lock(hashtextextended('time of ' || p_practitioner::text, 0));
    IF p_exclusive AND EXISTS (
        SELECT FROM occupied WHERE practitioner_id = p_practitioner
        AND ends_at > p_from AND starts_at < p_until AND id <> p_id
        AND (expires_at IS NULL OR expires_at > p_now) AND (expires_at IS NULL OR patient_id <> p_patient)
    ) THEN
        RETURN false;
    END IF;
    DELETE FROM occupied WHERE id = p_id
        OR (expires_at IS NOT NULL AND practitioner_id = p_practitioner AND ends_at > p_from AND starts_at < p_until
            AND (expires_at <= p_now OR patient_id = p_patient));
    INSERT INTO occupied (id, practitioner_id, starts_at, ends_at, kind, exclusive, patient_id, slot_starts_at,
                          slot_ends_at, expires_at)
    VALUES (p_id, p_practitioner, p_from, p_until, p_kind, p_exclusive,
            CASE WHEN p_expires IS NOT NULL THEN p_patient END, p_slot_start, p_slot_end, p_expires);
    RETURN true;
END $$;

-- People who want a time that is not free: with one practitioner, or with anybody of a specialty.
CREATE TABLE waitlist (
    id              uuid PRIMARY KEY,
    patient_id      uuid NOT NULL,
    practitioner_id uuid,
    specialty       text,
    first_day       date NOT NULL,         -- in the practitioner's zone
    last_day        date NOT NULL,
    status          text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'offered', 'booked', 'left', 'over')),
    offer_id        uuid,                  -- the row in occupied that keeps the time
    created_by      uuid,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK ((practitioner_id IS NULL) <> (specialty IS NULL)),
    CHECK (first_day <= last_day),
    CHECK ((status = 'offered') = (offer_id IS NOT NULL))
);
CREATE INDEX waitlist_line ON waitlist (created_at, id) WHERE status = 'waiting';
CREATE INDEX waitlist_patient ON waitlist (patient_id, created_at);
CREATE INDEX waitlist_offered ON waitlist (offer_id) WHERE status = 'offered';

-- Offers there have been: nobody is offered the same time twice.
CREATE TABLE waitlist_offers (
    entry_id        uuid NOT NULL REFERENCES waitlist,
    practitioner_id uuid NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    offered_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (entry_id, practitioner_id, starts_at)
);

-- People who want to see the next free clinician now.
CREATE TABLE drop_ins (
    id             uuid PRIMARY KEY,
    patient_id     uuid NOT NULL,
    specialty      text NOT NULL,
    reason         bytea,                  -- encrypted under the patient's key
    status         text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'taken', 'left', 'over')),
    appointment_id uuid,
    created_by     uuid,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CHECK ((status = 'taken') = (appointment_id IS NOT NULL))
);
CREATE INDEX drop_ins_line ON drop_ins (specialty, created_at, id) WHERE status = 'waiting';
CREATE UNIQUE INDEX drop_ins_one_each ON drop_ins (patient_id) WHERE status = 'waiting';

-- Which expiries of licences have been told, so that each is told once.
CREATE TABLE licence_notices (
    practitioner_id uuid NOT NULL,
    expires_on      date NOT NULL,
    days_before     integer NOT NULL,
    told_at         timestamptz NOT NULL,
    PRIMARY KEY (practitioner_id, expires_on, days_before)
);

-- A booking in one round trip: the time, the appointment, its fact and its audit row. p_version is the schedule's
-- version that the slot was computed from; NULL asks for none. Answers booked, taken (somebody else has the time)
-- or changed (the schedule has another version now: compute again).
CREATE FUNCTION place_appointment(
    p_version integer, p_now timestamptz, p_fact_id uuid, p_fact text, p_payload jsonb, p_audit_id uuid,
    p_audit_action text, p_audit_reason text,
    a_id uuid, a_practitioner uuid, a_patient uuid, a_kind text, a_specialty text, a_starts timestamptz,
    a_ends timestamptz, a_from timestamptz, a_until timestamptz, a_zone text, a_day date, a_reason bytea,
    a_fee bigint, a_currency text, a_by uuid, a_role text, a_location text, a_overlap boolean, a_series uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF p_version IS NOT NULL AND NOT EXISTS (
        SELECT FROM schedules WHERE practitioner_id = a_practitioner AND version = p_version
    ) THEN
        RETURN 'changed';
    END IF;
    IF NOT take_time(a_id, a_practitioner, a_from, a_until, 'appointment', NOT a_overlap, a_patient,
                     NULL, NULL, NULL, p_now) THEN
        RETURN 'taken';
    END IF;
    INSERT INTO appointments (id, practitioner_id, patient_id, kind, specialty, starts_at, ends_at, blocked_from,
                              blocked_until, time_zone, local_date, reason, fee_minor, currency, booked_by,
                              booked_role, location, overlap, series_id, created_at, updated_at)
    VALUES (a_id, a_practitioner, a_patient, a_kind, a_specialty, a_starts, a_ends, a_from, a_until, a_zone, a_day,
            a_reason, a_fee, a_currency, a_by, a_role, a_location, a_overlap, a_series, p_now, p_now);
    PERFORM core.publish(p_fact_id, p_fact, a_id, p_payload);
    PERFORM core.audit(p_audit_id, p_audit_action, a_by, a_role, 'appointment', a_id::text, a_patient, p_audit_reason,
                       '{}'::jsonb);
    RETURN 'booked';
END $$;

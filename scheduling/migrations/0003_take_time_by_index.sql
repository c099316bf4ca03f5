-- As before, with each deletion served by an index of its own: a condition joined by OR was planned as a scan of the
-- whole table while it was small, and kept so.
CREATE OR REPLACE FUNCTION take_time(
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
        AND (expires_at IS NULL OR (expires_at > p_now AND patient_id <> p_patient))
    ) THEN
        RETURN false;
    END IF;
    DELETE FROM occupied WHERE id = p_id;
    DELETE FROM occupied WHERE practitioner_id = p_practitioner AND ends_at > p_from AND starts_at < p_until
        AND expires_at IS NOT NULL AND (expires_at <= p_now OR patient_id = p_patient);
    INSERT INTO occupied (id, practitioner_id, starts_at, ends_at, kind, exclusive, patient_id, slot_starts_at,
                          slot_ends_at, expires_at)
    VALUES (p_id, p_practitioner, p_from, p_until, p_kind, p_exclusive,
            CASE WHEN p_expires IS NOT NULL THEN p_patient END, p_slot_start, p_slot_end, p_expires);
    RETURN true;
END $$;

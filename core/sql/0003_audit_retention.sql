-- Rows of the audit trail may leave it once they are old, archived and sealed, by one function. Younger ones never:
-- the trigger looks at each row, whoever deletes.
CREATE FUNCTION refuse_early_removal() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.at > now() - interval '1 year' THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_early_removal();

-- All of these rows or none. Only the sealer's role may call it, and only for rows from before p_before.
CREATE FUNCTION cut_audit(p_seqs bigint[], p_before timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM core.audit_log WHERE seq = ANY(p_seqs) AND at < p_before;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed <> cardinality(p_seqs) THEN
        RAISE EXCEPTION 'some of these rows are not there, or not old enough';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION cut_audit(bigint[], timestamptz) FROM PUBLIC;

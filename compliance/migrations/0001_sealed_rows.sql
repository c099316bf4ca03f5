-- The chain over core.audit_log: each digest covers the one before it and one row. Position is the order of sealing,
-- which may differ from seq: a transaction may commit after a later one has been sealed.
CREATE TABLE sealed_rows (
    position  bigint PRIMARY KEY,
    audit_seq bigint NOT NULL UNIQUE,
    digest    bytea NOT NULL,
    sealed_at timestamptz NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER sealed_rows_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sealed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

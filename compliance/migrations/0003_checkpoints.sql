-- The chain's head at each sealing, signed: whoever has the public key can check it without the chain's own key.
CREATE TABLE checkpoints (
    position  bigint PRIMARY KEY,
    digest    bytea NOT NULL,
    made_at   timestamptz NOT NULL,
    signature bytea NOT NULL
);
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The program's own role owns these tables, and needs to add to them only.
REVOKE UPDATE, DELETE, TRUNCATE ON sealed_rows, checkpoints FROM CURRENT_USER;

-- Where old rows left the trail for an archive. Links and checkpoints stay: the chain goes on from each cut's digest,
-- which is signed together with what was archived.
CREATE TABLE audit_cuts (
    position       bigint PRIMARY KEY,              -- the last link whose row left
    first_position bigint NOT NULL UNIQUE,
    digest         bytea NOT NULL,                  -- of the link at position
    before         timestamptz NOT NULL,            -- every row that left is older
    archive        text NOT NULL,                   -- the file's name
    archive_digest bytea NOT NULL,                  -- SHA-256 of the file
    made_at        timestamptz NOT NULL,
    signature      bytea NOT NULL,
    CHECK (first_position <= position)
);
CREATE TRIGGER audit_cuts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_cuts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_cuts FROM CURRENT_USER;

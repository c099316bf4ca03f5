-- An account that was closed by an administrator holds no role: whoever asks for a person's roles finds none.
ALTER TABLE people
    ADD COLUMN deactivated_at    timestamptz,
    ADD COLUMN access_changed_at timestamptz;  -- when roles were last taken or the account closed
CREATE INDEX people_access_changed ON people (access_changed_at) WHERE access_changed_at IS NOT NULL;

CREATE OR REPLACE VIEW profiles AS
    SELECT id, email, email_key, name, CASE WHEN deactivated_at IS NULL THEN roles ELSE '{}'::text[] END AS roles,
           language, time_zone, verified_at, created_at
    FROM people;

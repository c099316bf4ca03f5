-- A change of address: confirmed by a link to the new one, and undone by a link to the old one while it can be. Both
-- secrets are derived from ids. The addresses go when the change is over; until then nobody else gets the old one.
CREATE TABLE email_changes (
    id            uuid PRIMARY KEY,
    undo_id       uuid NOT NULL UNIQUE,
    person_id     uuid NOT NULL REFERENCES people,
    session_id    uuid,                            -- where it was asked for: this sign-in alone goes on
    new_email     text,
    old_email     text,                            -- from the confirmation on
    old_email_key text,
    requested_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    confirmed_at  timestamptz,
    undo_until    timestamptz,
    over_at       timestamptz                      -- undone, replaced by another, or past its time
);
CREATE INDEX email_changes_person ON email_changes (person_id) WHERE over_at IS NULL;
CREATE INDEX email_changes_reserved ON email_changes (old_email_key) WHERE over_at IS NULL;

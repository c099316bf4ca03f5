-- Invitations of staff and practitioners. The link's secret is derived from the id: nothing stored here lets anyone in.
CREATE TABLE staff_invitations (
    id          uuid PRIMARY KEY,
    email       text NOT NULL,
    email_key   text NOT NULL,
    name        text NOT NULL,
    language    text NOT NULL,
    role        text NOT NULL CHECK (role IN ('practitioner', 'desk', 'admin', 'auditor')),
    work        jsonb,                              -- a practitioner's title, specialties, licence, fee and place
    invited_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    accepted_at timestamptz,
    person_id   uuid REFERENCES people,             -- who accepted it
    CHECK ((role = 'practitioner') = (work IS NOT NULL)),
    CHECK ((accepted_at IS NULL) = (person_id IS NULL))
);
CREATE INDEX staff_invitations_person ON staff_invitations (person_id);
-- One that stands for an address and role; a new one replaces it.
CREATE UNIQUE INDEX staff_invitations_open ON staff_invitations (email_key, role)
    WHERE revoked_at IS NULL AND accepted_at IS NULL;

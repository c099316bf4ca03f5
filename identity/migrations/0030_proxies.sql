-- People who have no account of their own: a child whom a parent added. Nobody signs in as them.
ALTER TABLE people ADD COLUMN account boolean NOT NULL DEFAULT true;

CREATE OR REPLACE VIEW profiles AS
    SELECT id, email, email_key, name, CASE WHEN deactivated_at IS NULL THEN roles ELSE '{}'::text[] END AS roles,
           language, time_zone, verified_at, created_at, account
    FROM people;

-- Who may act for whom, by what right and for how long. A row is never deleted while both people are known.
CREATE TABLE proxies (
    id           uuid PRIMARY KEY,
    patient_id   uuid NOT NULL REFERENCES people,  -- for whom
    proxy_id     uuid NOT NULL REFERENCES people,  -- who acts
    kind         text NOT NULL CHECK (kind IN ('parent', 'carer', 'legal')),
    scopes       text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ ARRAY['book', 'attend', 'read']),
    country      text NOT NULL,                    -- whose law says when a child is of age (ISO 3166-1)
    of_age_year  smallint,                         -- of a parent's: the year in which it ends; the day is kept encrypted
    since        timestamptz NOT NULL,
    until        timestamptz CHECK (until > since),
    granted_by   uuid NOT NULL,
    granted_as   text NOT NULL,                    -- patient, desk, admin: the role acted in
    how          text NOT NULL CHECK (how IN ('added', 'invited', 'recorded')),
    created_at   timestamptz NOT NULL,
    verified_by  uuid,
    verified_at  timestamptz,
    ended_at     timestamptz,
    ended_by     uuid,                             -- none: it ended by itself
    end_reason   text CHECK (end_reason IN ('patient', 'proxy', 'granter', 'staff', 'until', 'of_age', 'erased')),
    end_note     bytea,                            -- encrypted under the patient's key
    CHECK (patient_id <> proxy_id),
    CHECK ((verified_by IS NULL) = (verified_at IS NULL)),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX proxies_pair ON proxies (proxy_id, patient_id) WHERE ended_at IS NULL;
CREATE INDEX proxies_patient ON proxies (patient_id);
CREATE INDEX proxies_proxy ON proxies (proxy_id);
CREATE INDEX proxies_until ON proxies (until) WHERE ended_at IS NULL AND until IS NOT NULL;
CREATE INDEX proxies_of_age ON proxies (of_age_year) WHERE ended_at IS NULL AND of_age_year IS NOT NULL;
CREATE INDEX proxies_ended ON proxies (ended_at) WHERE ended_at IS NOT NULL;

-- Somebody is asked to act for a patient. Whoever has the address, verified, may answer; nobody else sees it.
CREATE TABLE proxy_invitations (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES people,   -- who asks: the patient, or the parent of one without account
    patient_id  uuid NOT NULL REFERENCES people,
    email       text NOT NULL,
    email_key   text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('parent', 'carer', 'legal')),
    scopes      text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ ARRAY['book', 'attend', 'read']),
    until       timestamptz,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX proxy_invitations_pair ON proxy_invitations (patient_id, email_key);
CREATE INDEX proxy_invitations_address ON proxy_invitations (email_key);
CREATE INDEX proxy_invitations_person ON proxy_invitations (person_id);
CREATE INDEX proxy_invitations_over ON proxy_invitations (expires_at);

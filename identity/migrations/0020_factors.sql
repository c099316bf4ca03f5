-- One-time links to set a new password. The secret is derived from the id. Asked for with an address that nobody has,
-- a row is written all the same, without a person: the same work, and nothing follows.
CREATE TABLE password_resets (
    id         uuid PRIMARY KEY,
    person_id  uuid REFERENCES people,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX password_resets_person ON password_resets (person_id);
CREATE INDEX password_resets_over ON password_resets (expires_at);

-- The secret is encrypted under the person's key. Codes of last_step and before are used up.
CREATE TABLE totp_factors (
    person_id    uuid PRIMARY KEY REFERENCES people,
    secret       bytea NOT NULL,
    last_step    bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz                       -- none: shown, not proved yet, and asked of nobody
);

-- HMAC under a server key; each of 80 random bits.
CREATE TABLE recovery_codes (
    person_id uuid NOT NULL REFERENCES people,
    digest    bytea NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (person_id, digest)
);

CREATE TABLE passkeys (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL REFERENCES people,
    credential_id bytea NOT NULL UNIQUE,
    public_key    bytea NOT NULL,                  -- COSE (RFC 9052)
    sign_count    bigint NOT NULL,
    name          text NOT NULL,
    synced        boolean NOT NULL,                -- kept by a password manager on several devices
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz
);
CREATE INDEX passkeys_person ON passkeys (person_id);

-- Who a person is at a sign-in provider (OpenID Connect Core 1.0, section 2: issuer and subject together).
CREATE TABLE outside_identities (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    person_id uuid NOT NULL REFERENCES people,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX outside_identities_person ON outside_identities (person_id);

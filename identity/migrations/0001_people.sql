-- A person's id is their patient id and their practitioner id.
CREATE TABLE people (
    id             uuid PRIMARY KEY,
    email          text NOT NULL,
    email_key      text NOT NULL UNIQUE,          -- normalised: what makes two spellings one mailbox
    name           text NOT NULL,
    roles          text[] NOT NULL CHECK (roles <> '{}'),  -- the first is the one acted in unless another is asked for
    language       text NOT NULL,
    time_zone      text NOT NULL,
    phone          bytea,                          -- encrypted under the person's key, like the birth date
    birth_date     bytea,
    password_hash  text NOT NULL,
    verified_at    timestamptz,
    created_at     timestamptz NOT NULL
);
CREATE INDEX people_name ON people USING gin (name gin_trgm_ops);
CREATE INDEX people_roles ON people USING gin (roles);

-- One-time links. The secret is derived from the id, so that nothing stored here lets anyone in.
CREATE TABLE email_verifications (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES people,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX email_verifications_person ON email_verifications (person_id);

CREATE TABLE practitioners (
    person_id           uuid PRIMARY KEY REFERENCES people,
    title               text NOT NULL,
    specialties         text[] NOT NULL,
    languages           text[] NOT NULL,
    licence_number      text NOT NULL,
    licence_expires_on  date,
    licence_verified_at timestamptz,
    fee_minor           bigint NOT NULL CHECK (fee_minor >= 0),
    currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    location            text NOT NULL,
    about               text NOT NULL,
    published           boolean NOT NULL
);
CREATE INDEX practitioners_specialties ON practitioners USING gin (specialties) WHERE published;

-- Who cares for whom, told by facts: each appointment that stands is one relation.
CREATE TABLE care_relations (
    appointment_id  uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    patient_id      uuid NOT NULL,
    since           timestamptz NOT NULL
);
CREATE INDEX care_relations_pair ON care_relations (practitioner_id, patient_id);

-- What is read of people: without the password's hash and what is encrypted.
CREATE VIEW profiles AS
    SELECT id, email, email_key, name, roles, language, time_zone, verified_at, created_at FROM people;

CREATE VIEW practitioner_profiles AS
    SELECT p.*, d.title, d.specialties, d.languages, d.licence_number, d.licence_expires_on, d.licence_verified_at,
           d.fee_minor, d.currency, d.location, d.about, d.published
    FROM practitioners d JOIN profiles p ON p.id = d.person_id;

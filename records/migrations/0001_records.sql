-- One row a patient: the version that a change must name, and where the summary is.
CREATE TABLE records (
    patient_id   uuid PRIMARY KEY,
    version      bigint NOT NULL,
    summary_blob uuid,
    updated_at   timestamptz NOT NULL
);

-- Every version: who made it and when, and the summary it had.
CREATE TABLE record_versions (
    patient_id   uuid NOT NULL REFERENCES records,
    version      bigint NOT NULL,
    author_id    uuid,
    author_role  text NOT NULL,
    made_at      timestamptz NOT NULL,
    summary_blob uuid,
    PRIMARY KEY (patient_id, version)
);
CREATE INDEX record_versions_summary ON record_versions (summary_blob) WHERE summary_blob IS NOT NULL;

-- Entries are never changed. Their content is an encrypted blob in the document store.
CREATE TABLE entries (
    id             uuid PRIMARY KEY,
    patient_id     uuid NOT NULL REFERENCES records,
    kind           text NOT NULL CHECK (kind IN ('visit', 'note', 'diagnosis', 'allergy', 'vital', 'history')),
    recorded_at    timestamptz NOT NULL,
    author_id      uuid NOT NULL,
    appointment_id uuid,
    version        integer NOT NULL,
    blob_id        uuid NOT NULL UNIQUE
);
CREATE INDEX entries_patient ON entries (patient_id, id DESC);
CREATE UNIQUE INDEX entries_one_visit ON entries (appointment_id) WHERE kind = 'visit';

-- The document store where MongoDB is not used. Rows are written once.
CREATE TABLE blobs (
    id         uuid PRIMARY KEY,
    patient_id uuid NOT NULL,
    content    bytea NOT NULL
);
CREATE INDEX blobs_patient ON blobs (patient_id);

CREATE TABLE pharmacies (
    id      uuid PRIMARY KEY,
    name    text NOT NULL,
    address text NOT NULL,
    lat     double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon     double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    phone   text NOT NULL,
    hours   text NOT NULL
);

CREATE TABLE prescriptions (
    id              uuid PRIMARY KEY,
    appointment_id  uuid NOT NULL,
    patient_id      uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    status          text NOT NULL CHECK (status IN ('active', 'stopped', 'completed')),
    content         bytea NOT NULL,            -- encrypted: medication, dosage, refills, code
    code_digest     bytea NOT NULL UNIQUE,     -- SHA-256 of the code, to find a prescription by it
    pharmacy_id     uuid REFERENCES pharmacies,
    issued_at       timestamptz NOT NULL
);
CREATE INDEX prescriptions_patient ON prescriptions (patient_id, id DESC);
CREATE INDEX prescriptions_practitioner ON prescriptions (practitioner_id, id DESC);
CREATE INDEX prescriptions_appointment ON prescriptions (appointment_id);

-- A small list to begin with; all of them are invented.
INSERT INTO pharmacies (id, name, address, lat, lon, phone, hours) VALUES
    ('019a0000-0000-7000-8000-000000000001', 'Pharmacie du Plateau', '12 avenue Chardy, Plateau, Abidjan', 5.3237, -4.0195, '+2252700000001', 'Mo-Sa 08:00-20:00'),
    ('019a0000-0000-7000-8000-000000000002', 'Pharmacie des Deux Rives', '4 rue des Jardins, Cocody, Abidjan', 5.3600, -3.9900, '+2252700000002', 'Mo-Fr 08:00-19:30; Sa 08:00-13:00'),
    ('019a0000-0000-7000-8000-000000000003', 'Pharmacie de la Lagune', '31 boulevard de Marseille, Marcory, Abidjan', 5.2990, -3.9850, '+2252700000003', '24/7'),
    ('019a0000-0000-7000-8000-000000000004', 'Pharmacie du Marché', '7 avenue 8, Treichville, Abidjan', 5.3010, -4.0080, '+2252700000004', 'Mo-Sa 07:30-19:00'),
    ('019a0000-0000-7000-8000-000000000005', 'Pharmacie Yop Soleil', '2 rue Princesse, Yopougon, Abidjan', 5.3410, -4.0700, '+2252700000005', 'Mo-Su 08:00-22:00'),
    ('019a0000-0000-7000-8000-000000000006', 'Pharmacie des Palmiers', '18 rue du Commerce, Bouaké', 7.6906, -5.0303, '+2252700000006', 'Mo-Sa 08:00-19:00'),
    ('019a0000-0000-7000-8000-000000000007', 'Pharmacie de la Corniche', '9 route de la Corniche, Dakar', 14.6850, -17.4640, '+221330000007', '24/7'),
    ('019a0000-0000-7000-8000-000000000008', 'Pharmacie Sandaga', '22 avenue Lamine Guèye, Dakar', 14.6700, -17.4380, '+221330000008', 'Mo-Sa 08:00-20:00'),
    ('019a0000-0000-7000-8000-000000000009', 'Pharmacie du Canal', '40 quai de Valmy, Paris', 48.8722, 2.3640, '+33100000009', 'Mo-Sa 09:00-20:00'),
    ('019a0000-0000-7000-8000-00000000000a', 'Pharmacie de la Butte', '3 rue Lepic, Paris', 48.8846, 2.3335, '+33100000010', 'Mo-Sa 09:00-19:30'),
    ('019a0000-0000-7000-8000-00000000000b', 'Pharmacie des Arts', '15 rue de la République, Lyon', 45.7650, 4.8357, '+33400000011', 'Mo-Sa 09:00-19:00'),
    ('019a0000-0000-7000-8000-00000000000c', 'Harbour Pharmacy', '5 Quay Street, Bristol', 51.4536, -2.5970, '+44117000012', 'Mo-Sa 09:00-18:00');

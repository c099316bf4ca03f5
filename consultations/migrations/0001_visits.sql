-- A consultation has its appointment's id; its row is made when somebody first comes near the visit.
CREATE TABLE consultations (
    id                  uuid PRIMARY KEY,
    patient_id          uuid NOT NULL,
    practitioner_id     uuid NOT NULL,
    status              text NOT NULL DEFAULT 'planned'
                        CHECK (status IN ('planned', 'in-progress', 'completed', 'cancelled')),
    waiting_since       timestamptz,          -- the patient's first arrival in the waiting room
    started_at          timestamptz,          -- both are in the call for the first time
    ended_at            timestamptz,          -- the media ended last; reopening clears it
    completed_at        timestamptz,
    waited_s            integer,
    summary             bytea,                -- encrypted under the patient's key, as every bytea here but hashes
    outcome             bytea,
    attendance_outcome  text,
    attendance_evidence jsonb NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL))
);
CREATE INDEX consultations_patient ON consultations (patient_id);
CREATE INDEX consultations_practitioner ON consultations (practitioner_id, started_at);

-- Each stay of a person in the call. A live session that reports twice is one stay.
CREATE TABLE stays (
    id              uuid PRIMARY KEY,
    consultation_id uuid NOT NULL REFERENCES consultations,
    participant_id  uuid NOT NULL,
    role            text NOT NULL CHECK (role IN ('patient', 'practitioner', 'interpreter', 'guest')),
    joined_at       timestamptz NOT NULL,
    left_at         timestamptz,
    evidence        jsonb NOT NULL DEFAULT '{}',  -- counters from the media server
    UNIQUE (consultation_id, participant_id, joined_at)
);

CREATE TABLE notes (
    consultation_id uuid NOT NULL REFERENCES consultations,
    version         integer NOT NULL CHECK (version > 0),
    author_id       uuid NOT NULL,
    text            bytea NOT NULL,
    saved_at        timestamptz NOT NULL,
    PRIMARY KEY (consultation_id, version)
);

CREATE TABLE chat_files (
    id              uuid PRIMARY KEY,
    consultation_id uuid NOT NULL REFERENCES consultations,
    participant_id  uuid NOT NULL,
    stored_id       uuid NOT NULL,            -- in the encrypted file store
    name            bytea NOT NULL,
    size            integer NOT NULL,
    content_type    text NOT NULL,
    uploaded_at     timestamptz NOT NULL
);
CREATE INDEX chat_files_consultation ON chat_files (consultation_id);

CREATE TABLE chat_messages (
    id              uuid PRIMARY KEY,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    consultation_id uuid NOT NULL REFERENCES consultations,
    participant_id  uuid NOT NULL,
    role            text NOT NULL,
    client_id       text NOT NULL,
    audience        text NOT NULL CHECK (audience IN ('all', 'clinicians')),
    name            bytea NOT NULL,           -- the sender's, as it was shown
    body            bytea,
    file_id         uuid REFERENCES chat_files,
    sent_at         timestamptz NOT NULL,
    edited_at       timestamptz,
    CHECK (body IS NOT NULL OR file_id IS NOT NULL),
    UNIQUE (consultation_id, participant_id, client_id)
);
CREATE INDEX chat_messages_visit ON chat_messages (consultation_id, seq);

CREATE TABLE chat_reads (
    consultation_id uuid NOT NULL REFERENCES consultations,
    participant_id  uuid NOT NULL,
    last_seq        bigint NOT NULL,
    read_at         timestamptz NOT NULL,
    PRIMARY KEY (consultation_id, participant_id)
);

-- A one-time link. The participant's id in the visit is the invitation's.
CREATE TABLE invitations (
    id              uuid PRIMARY KEY,
    consultation_id uuid NOT NULL REFERENCES consultations,
    role            text NOT NULL CHECK (role IN ('interpreter', 'guest')),
    name            bytea NOT NULL,
    secret_hash     bytea NOT NULL UNIQUE,
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    redeemed_at     timestamptz,
    revoked_at      timestamptz
);
CREATE INDEX invitations_consultation ON invitations (consultation_id);

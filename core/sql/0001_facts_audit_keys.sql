-- Facts on their way to the bus. seq is drawn under the order key's lock, so that within one key it follows commits.
CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fact_id      uuid NOT NULL UNIQUE,
    name         text NOT NULL,
    order_key    uuid NOT NULL,
    payload      jsonb NOT NULL,
    occurred_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Facts a group's handler failed on, and their successors of the same order key, waiting to be replayed in order.
CREATE TABLE parked_facts (
    group_name      text NOT NULL,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    fact_id         uuid NOT NULL,
    name            text NOT NULL,
    order_key       uuid NOT NULL,
    payload         jsonb NOT NULL,
    occurred_at     timestamptz NOT NULL,
    parked_at       timestamptz NOT NULL DEFAULT now(),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    PRIMARY KEY (group_name, fact_id)
);
CREATE INDEX parked_facts_order ON parked_facts (group_name, order_key, position);
CREATE INDEX parked_facts_due ON parked_facts (next_attempt_at);

-- Facts given up after many attempts; kept until someone retries or drops them.
CREATE TABLE dead_facts (
    group_name  text NOT NULL,
    fact_id     uuid NOT NULL,
    name        text NOT NULL,
    order_key   uuid NOT NULL,
    payload     jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    died_at     timestamptz NOT NULL DEFAULT now(),
    attempts    integer NOT NULL,
    last_error  text,
    PRIMARY KEY (group_name, fact_id)
);

CREATE FUNCTION publish(p_fact_id uuid, p_name text, p_order_key uuid, p_payload jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Held to the end of the transaction: the next fact of this key gets its number after this one commits.
    PERFORM pg_advisory_xact_lock(hashtextextended('fact ' || p_order_key::text, 0));
    INSERT INTO core.outbox (fact_id, name, order_key, payload) VALUES (p_fact_id, p_name, p_order_key, p_payload);
    NOTIFY bedside_outbox;
END $$;

-- The audit trail: appended to in the acting transaction, never changed.
CREATE TABLE audit_log (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    module      text NOT NULL DEFAULT session_user,
    action      text NOT NULL,
    actor_id    uuid,
    actor_role  text NOT NULL,
    resource    text NOT NULL,
    resource_id text,
    patient_id  uuid,
    reason      text,
    details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_patient ON audit_log (patient_id, seq DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX audit_log_actor ON audit_log (actor_id, seq DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_at ON audit_log (at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION audit(
    p_id uuid, p_action text, p_actor_id uuid, p_actor_role text, p_resource text, p_resource_id text,
    p_patient_id uuid, p_reason text, p_details jsonb
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.audit_log (id, action, actor_id, actor_role, resource, resource_id, patient_id, reason, details)
    VALUES (p_id, p_action, p_actor_id, p_actor_role, p_resource, p_resource_id, p_patient_id, p_reason, p_details)
$$;

REVOKE EXECUTE ON FUNCTION publish(uuid, text, uuid, jsonb) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION audit(uuid, text, uuid, text, text, text, uuid, text, jsonb) FROM PUBLIC;

-- Answers to unsafe calls, given again to a repeated key. status: running, done. The answer is encrypted.
CREATE TABLE idempotency_keys (
    person_id  uuid NOT NULL,
    route      text NOT NULL,
    key        text NOT NULL,
    body_hash  bytea NOT NULL,
    status     text NOT NULL,
    answer     bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- One data key per person, wrapped by the master key. Destroying it makes everything under it unreadable.
CREATE TABLE person_keys (
    person_id    uuid PRIMARY KEY,
    wrapped      bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE TABLE signing_keys (
    kid             text PRIMARY KEY,
    public_jwk      jsonb NOT NULL,
    wrapped_private bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    retires_at      timestamptz
);

-- bedside_core is what the running program signs in as; it owns nothing here, so the audit trail stays as it is.
GRANT SELECT, INSERT, UPDATE, DELETE
    ON outbox, parked_facts, dead_facts, idempotency_keys, person_keys, signing_keys TO bedside_core;
GRANT SELECT ON audit_log TO bedside_core;

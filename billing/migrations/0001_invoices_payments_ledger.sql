-- The last number given in a series. Drawn in the transaction that makes the invoice due, so there are no gaps.
CREATE TABLE invoice_numbers (
    series text PRIMARY KEY,
    last   bigint NOT NULL
);

CREATE TABLE invoices (
    id              uuid PRIMARY KEY,
    number          text UNIQUE,
    status          text NOT NULL CHECK (status IN ('pending', 'due', 'paid', 'partly_refunded', 'refunded', 'void')),
    appointment_id  uuid NOT NULL UNIQUE,
    patient_id      uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    lines           bytea NOT NULL,  -- [{description, amount_minor}], encrypted under the patient's key
    currency        text NOT NULL,
    total_minor     bigint NOT NULL CHECK (total_minor >= 0),
    covered_minor   bigint NOT NULL DEFAULT 0 CHECK (covered_minor >= 0),
    paid_minor      bigint NOT NULL DEFAULT 0 CHECK (paid_minor >= 0),
    refunded_minor  bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0 AND refunded_minor <= paid_minor),
    issued_at       timestamptz NOT NULL,
    due_at          timestamptz,
    version         integer NOT NULL DEFAULT 1,
    CHECK (covered_minor + paid_minor <= total_minor),
    CHECK (status IN ('pending', 'void') OR number IS NOT NULL)
);
CREATE INDEX invoices_patient ON invoices (patient_id, id DESC);
CREATE INDEX invoices_practitioner ON invoices (practitioner_id, id DESC);
CREATE INDEX invoices_status ON invoices (status, id DESC);

-- What an invoice was before each adjustment, and why; both encrypted under the patient's key.
CREATE TABLE invoice_adjustments (
    invoice_id   uuid NOT NULL REFERENCES invoices,
    version      integer NOT NULL,  -- the version adjusted
    lines_before bytea NOT NULL,
    total_before bigint NOT NULL,
    reason       bytea NOT NULL,
    adjusted_by  uuid NOT NULL,
    adjusted_at  timestamptz NOT NULL,
    PRIMARY KEY (invoice_id, version)
);

CREATE TABLE payments (
    id              uuid PRIMARY KEY,
    invoice_id      uuid NOT NULL REFERENCES invoices,
    status          text NOT NULL
        CHECK (status IN ('created', 'pending', 'authorised', 'succeeded', 'failed', 'expired', 'cancelled')),
    gateway         text NOT NULL,
    method          jsonb NOT NULL DEFAULT '{}',
    amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
    currency        text NOT NULL,
    reference       text,
    redirect_url    text,
    idempotency_key text NOT NULL,
    made_by         uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
-- Never taken twice: one payment of an invoice at most is under way or taken.
CREATE UNIQUE INDEX payments_one_live ON payments (invoice_id)
    WHERE status IN ('created', 'pending', 'authorised', 'succeeded');
CREATE UNIQUE INDEX payments_key ON payments (made_by, idempotency_key);
CREATE INDEX payments_unfinished ON payments (updated_at) WHERE status IN ('created', 'pending', 'authorised');

CREATE TABLE refunds (
    id              uuid PRIMARY KEY,
    payment_id      uuid NOT NULL REFERENCES payments,
    amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
    currency        text NOT NULL,
    status          text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    reason          bytea NOT NULL,  -- encrypted under the patient's key
    idempotency_key text NOT NULL,
    made_by         uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX refunds_payment ON refunds (payment_id);
CREATE UNIQUE INDEX refunds_key ON refunds (made_by, idempotency_key);
CREATE INDEX refunds_unfinished ON refunds (updated_at) WHERE status = 'pending';

CREATE TABLE coverages (
    id            uuid PRIMARY KEY,
    patient_id    uuid NOT NULL,
    insurer       text NOT NULL,
    member_number bytea NOT NULL,  -- encrypted under the patient's key
    last4         text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX coverages_patient ON coverages (patient_id, id);

CREATE TABLE claims (
    id             uuid PRIMARY KEY,
    invoice_id     uuid NOT NULL REFERENCES invoices,
    coverage_id    uuid NOT NULL REFERENCES coverages,
    status         text NOT NULL CHECK (status IN ('submitted', 'approved', 'rejected', 'partial')),
    amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
    approved_minor bigint CHECK (approved_minor BETWEEN 0 AND amount_minor),
    currency       text NOT NULL,
    created_at     timestamptz NOT NULL,
    decided_at     timestamptz,
    CHECK ((status = 'submitted') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX claims_one_open ON claims (invoice_id) WHERE status IN ('submitted', 'approved', 'partial');
CREATE INDEX claims_invoice ON claims (invoice_id);
CREATE INDEX claims_undecided ON claims (created_at) WHERE status = 'submitted';

CREATE TABLE ledger_entries (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL,
    source_id  uuid NOT NULL,
    version    integer NOT NULL,
    invoice_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    UNIQUE (kind, source_id, version)
);
CREATE INDEX ledger_entries_invoice ON ledger_entries (invoice_id);

CREATE TABLE ledger_postings (
    entry_id     uuid NOT NULL REFERENCES ledger_entries,
    account      text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),  -- debits are positive
    currency     text NOT NULL,
    PRIMARY KEY (entry_id, account, currency)
);
CREATE INDEX ledger_postings_account ON ledger_postings (account, currency);

-- An entry balances when its transaction commits, or there is no commit.
CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger_postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount_minor) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balances AFTER INSERT ON ledger_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance();

-- What is entered stays entered; a mistake is mended by another entry.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Notifying is no longer part of the transaction: transactions that notify commit one after the other, each waiting for
-- the disk by itself. Processes notify after their commits instead, many at once (core/waking.py).
CREATE OR REPLACE FUNCTION publish(p_fact_id uuid, p_name text, p_order_key uuid, p_payload jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Held to the end of the transaction: the next fact of this key gets its number after this one commits.
    PERFORM pg_advisory_xact_lock(hashtextextended('fact ' || p_order_key::text, 0));
    INSERT INTO core.outbox (fact_id, name, order_key, payload) VALUES (p_fact_id, p_name, p_order_key, p_payload);
END $$;

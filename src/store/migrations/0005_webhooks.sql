CREATE TABLE payloads (                     -- what goes out that nobody wrote: events for webhooks
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,                     -- mention.received | delivery.failed | …
    body TEXT NOT NULL,                     -- as it is sent, byte for byte
    created_at BIGINT NOT NULL
);
CREATE INDEX payloads_created ON payloads (created_at);
ALTER TABLE deliveries ADD COLUMN payload_id TEXT REFERENCES payloads (id);
CREATE INDEX deliveries_payload ON deliveries (payload_id) WHERE payload_id IS NOT NULL;
CREATE INDEX deliveries_told ON deliveries (state) WHERE payload_id IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (account_id, created_at)
    WHERE payload_id IS NOT NULL AND state IN ('failed', 'expired', 'held');
CREATE INDEX accounts_webhooks ON accounts (brand_id) WHERE network = 'webhook';
ALTER TABLE accounts ADD COLUMN unkept BIGINT NOT NULL DEFAULT 0;    -- events a full endpoint was not sent

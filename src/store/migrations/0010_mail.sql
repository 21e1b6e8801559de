CREATE TABLE alert_tellings (               -- which deliveries tell of an alert
    alert_id TEXT NOT NULL REFERENCES alerts (id),
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (alert_id, delivery_id)
);
CREATE INDEX alert_tellings_delivery ON alert_tellings (delivery_id);

-- How telling goes is in the deliveries that tell; told_at is when they were made.
UPDATE alerts SET told_at = COALESCE(told_at, mailed_at, posted_at);
ALTER TABLE alerts DROP COLUMN mailed_at;
ALTER TABLE alerts DROP COLUMN posted_at;
ALTER TABLE alerts DROP COLUMN attempts;
ALTER TABLE alerts DROP COLUMN next_at;
ALTER TABLE alerts DROP COLUMN failure_reason;

-- What is counted and listed as deliveries are replies, posts and mails; events are many, and shown with their endpoint.
DROP INDEX deliveries_told;
CREATE INDEX deliveries_events ON deliveries (state) WHERE action = 'webhook';

-- What no rule can prevent is told: a second message that the network showed for one delivery.
ALTER TABLE deliveries ADD COLUMN doubled_ref TEXT;
CREATE INDEX deliveries_doubled ON deliveries (changed_at) WHERE doubled_ref IS NOT NULL;

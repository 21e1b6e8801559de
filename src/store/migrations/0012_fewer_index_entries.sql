-- The outbox asks for what changed except for what a worker has or has sent, which is nearly all of a busy queue: those
-- need no entry, and are not read to be left out.
DROP INDEX deliveries_changed;
CREATE INDEX deliveries_changed ON deliveries (changed_at, id) WHERE state NOT IN ('preparing', 'sending', 'sent');

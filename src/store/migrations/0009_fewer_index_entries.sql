-- Every move of a delivery writes an entry into each of its indexes: most deliveries follow nothing, and answer nothing
-- or belong to no post; most messages of ours that are posts have no conversation and no thread.
DROP INDEX deliveries_after;
DROP INDEX deliveries_reply;
DROP INDEX deliveries_post;
CREATE INDEX deliveries_after ON deliveries (after_id) WHERE after_id IS NOT NULL;
CREATE INDEX deliveries_reply ON deliveries (reply_id) WHERE reply_id IS NOT NULL;
CREATE INDEX deliveries_post ON deliveries (post_id) WHERE post_id IS NOT NULL;
DROP INDEX outgoing_conversation;
DROP INDEX outgoing_thread;
DROP INDEX outgoing_local;
CREATE INDEX outgoing_conversation ON outgoing (conversation_id, published_at) WHERE conversation_id IS NOT NULL;
CREATE INDEX outgoing_thread ON outgoing (network, thread) WHERE thread IS NOT NULL;
CREATE INDEX outgoing_local ON outgoing (account_id, local_id) WHERE local_id IS NOT NULL;

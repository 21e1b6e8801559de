//! What becomes of the queue when Redis fails.

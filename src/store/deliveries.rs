//! The outbox: deliveries, their states and attempts.

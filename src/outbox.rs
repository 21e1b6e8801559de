//! Hands due deliveries to the queue; the reaper and recovery.

//! Sends one delivery: prepare, compare-and-set to sending, deadline, call, outcome.

//! Alerts raised and told.

//! Mentions from JSON lines and CSV.

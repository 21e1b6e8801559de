//! Which contact an author is, and on what evidence.

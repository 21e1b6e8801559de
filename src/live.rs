//! What just happened, for live pages and for loops that wait for work.

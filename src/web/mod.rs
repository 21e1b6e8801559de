//! The console and the JSON API.

//! The console and the JSON API.

pub mod error;
pub mod locale;
pub mod security;
pub mod texts;

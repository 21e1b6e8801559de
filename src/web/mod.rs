//! The console and the JSON API.

pub mod locale;
pub mod texts;

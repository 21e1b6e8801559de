//! The console and the JSON API.

pub mod api;
pub mod auth;
pub mod credentials;
pub mod error;
pub mod health;
pub mod locale;
pub mod security;
pub mod texts;

//! The one store, on SQLite or PostgreSQL.

pub mod accounts;
pub mod alerts;
pub mod contacts;
pub mod conversations;
pub mod deliveries;
pub mod inbox;
pub mod lanes;
pub mod mentions;
pub mod streams;
pub mod users;

//! The protocol of sending as a state machine.

pub mod catalogue;
mod network;
mod outbox;
mod people;
pub mod properties;
pub mod protocol;
pub mod scenario;
pub mod state;
mod time;
pub mod walk;
pub mod words;
mod worker;

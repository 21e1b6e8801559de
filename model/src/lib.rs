#![doc = include_str!("../README.md")]
//!
//! [`scenario`] says what a run looks at, [`state`] what it remembers, [`protocol`] which steps there are; each step is
//! carried out by whom it belongs to: `worker`, `network`, `outbox`, `people`, `time`. [`catalogue`] lists the runs.

pub mod catalogue;
pub mod check;
mod network;
mod outbox;
mod people;
pub mod properties;
pub mod protocol;
pub mod report;
pub mod scenario;
pub mod state;
mod time;
pub mod walk;
pub mod words;
mod worker;

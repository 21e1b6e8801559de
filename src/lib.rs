//! Muhatap, a social CRM worker: listens, understands, links, answers and publishes.
//!
//! ```text
//! main -> web, listen, outbox, deliver -> store, queue, analyze, contacts -> model
//!                      listen, deliver -> muhatap-connectors (knows none of the above)
//! ```
//! A mention: [`listen`] -> connector `poll` -> [`analyze`] and [`contacts`] -> [`store::mentions`].
//! A reply or post: [`compose`] -> [`store::deliveries`] -> [`outbox`] -> [`deliver`] -> connector `publish`.

pub mod accounts;
pub mod alerts;
pub mod analyze;
pub mod app;
pub mod campaigns;
pub mod cli;
pub mod compose;
pub mod config;
pub mod contacts;
pub mod deliver;
pub mod deltas;
pub mod digest;
pub mod heartbeat;
pub mod import;
pub mod learn;
pub mod linked;
pub mod listen;
pub mod live;
pub mod model;
pub mod outbox;
pub mod policy;
pub mod pulse;
pub mod queue;
pub mod quiet;
pub mod recurring;
pub mod schedule;
pub mod secrets;
pub mod snooze;
pub mod standing;
pub mod store;
pub mod telemetry;
pub mod telling;
pub mod web;
pub mod webhooks;
pub mod worker;

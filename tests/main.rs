//! The one test binary: promises of the product, over real databases, servers and a real browser.

mod support;

mod alerts;
mod analyze;
mod api;
mod backup;
mod browser;
mod cli;
mod config;
mod console;
mod corpus;
mod deliver;
mod digest;
mod faults;
mod import;
mod inbox;
mod learn;
mod listen;
mod live;
mod login;
mod queue;
mod store;
mod turkish;
mod webhooks;

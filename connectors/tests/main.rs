//! The one test binary of the connectors.

mod bluesky;
mod contract;
mod feed;
mod file;
mod http;
mod linked;
mod mastodon;
mod matrix;
mod support;
mod telegram;
mod webhook;

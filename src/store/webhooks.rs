//! Webhooks: which endpoint wants which events, and an event for each of them as a delivery, in the transaction of what
//! happened.
//!
//! An endpoint is an account of the network `webhook`: its address is `base_url`, the events it asked for are
//! `listen_for`, and it hears of its own brand. An event holds ids and labels and nothing that somebody wrote, so that
//! deleting a text need not look for it here.

mod endpoints;
mod raise;

use jiff::SignedDuration;

pub use endpoints::{Endpoint, EventView, Replay};
pub(in crate::store) use raise::{
    News, Place, conversation_moved, deliver, delivery_moved, raise, raise_to, subscribers,
};

/// The one lane of an endpoint, without its account's id: its events keep their order.
pub const EVENTS: &str = "events";
/// Events that may wait for one endpoint. What happens while so many wait is not sent to it, and is counted.
const MOST_WAITING: i64 = 10_000;
/// An event that could not be handed over for so long is a dead letter.
pub const KEPT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Events that were taken are forgotten after this, dead letters after as long again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

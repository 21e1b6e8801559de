//! Who may send which delivery now.
//!
//! A dispatcher orders *hints*: ids of deliveries with their lane, class and due time. It is disposable: the truth is in
//! SQL, a lost hint is added again by the sweep, and one that is handed out twice dies at the delivery's
//! compare-and-set. Nothing here carries a text.

pub mod local;
pub mod shard;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{AccountId, Class, DeliveryId};

pub use local::MemoryDispatcher;

/// A delivery as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    pub id: DeliveryId,
    pub account: AccountId,
    pub lane: String,
    pub class: Class,
    /// Not handed out before.
    pub due: Timestamp,
    /// Order among those of one lane, class and due time.
    pub seq: i64,
    /// How fast the account may send.
    pub pace: Pace,
}

/// A limit in the generic cell rate algorithm: one call each `interval`, `burst` of them at once after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub interval: Duration,
    pub burst: u32,
}

impl Pace {
    /// No limit at all.
    pub const FREE: Pace = Pace { interval: Duration::ZERO, burst: 1 };
}

/// One lane handed to one worker. Nobody else gets the lane before `done` or before `until` has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub lane: String,
    pub account: AccountId,
    pub id: DeliveryId,
    /// Tells this lease from an earlier one of the same lane.
    pub nonce: u64,
    pub until: Timestamp,
}

/// How a claim ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub lane: String,
    pub nonce: u64,
    /// Deliveries that need nobody's attention any more.
    pub finished: Vec<DeliveryId>,
    /// The lane rests until then.
    pub rest: Option<Timestamp>,
}

/// What a worker asks for in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub worker: String,
    /// At most this many lanes.
    pub claims: usize,
    /// How long each may be held.
    pub lease: Duration,
    pub done: Vec<Done>,
}

/// The answer to [`Want`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub claims: Vec<Claim>,
    /// When the dispatcher knows something to do next, if it knows.
    pub next: Option<Timestamp>,
    /// Changes when the dispatcher has forgotten everything: load it again from SQL.
    pub generation: u64,
}

/// What may not send for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    Lane { account: AccountId, lane: String },
    Account(AccountId),
}

#[derive(Debug, thiserror::Error)]
#[error("the queue does not answer: {0}")]
pub struct QueueError(pub String);

/// Orders deliveries over lanes, classes, accounts and workers.
#[async_trait]
pub trait Dispatcher: Send + Sync {
    /// Adds hints, at most 500 at once. One already there takes the new class and due time.
    async fn add(&self, hints: &[Hint]) -> Result<(), QueueError>;

    /// Takes back what is done, wakes what is due, reaps leases that ran out, and hands out lanes: lower class first,
    /// inside a class the account that waited longest.
    async fn step(&self, want: Want) -> Result<Step, QueueError>;

    /// Prolongs leases; the answer lists the lanes that are no longer this worker's.
    async fn extend(&self, leases: &[(String, u64)], lease: Duration) -> Result<Vec<String>, QueueError>;

    /// Moves a hint to another time, or takes it out.
    async fn move_(&self, id: DeliveryId, to: Option<Timestamp>) -> Result<(), QueueError>;

    /// Closes a lane or an account until then; `None` opens it.
    async fn gate(&self, gate: &Gate, until: Option<Timestamp>) -> Result<(), QueueError>;

    /// Takes up to `take` calls from an app-wide budget that `Budget` describes, and says how many it got. A campaign
    /// may not take the last fifth.
    async fn budget(&self, budget: &Budget, class: Class, take: u32) -> Result<u32, QueueError>;

    /// Waits for a change that may give a new claim, at most until then.
    async fn wait(&self, until: Option<Timestamp>);

    /// What is in it now, for metrics.
    async fn counts(&self) -> Result<BTreeMap<&'static str, usize>, QueueError>;
}

/// How many calls all accounts of one registered app may make in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub app: String,
    pub calls: u32,
    pub window: Duration,
}

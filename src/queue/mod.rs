//! Who may send which delivery now.
//!
//! A dispatcher orders *hints*: ids of deliveries with their lane, class and due time. It is disposable: the truth is in
//! SQL, a lost hint is added again by the sweep, and one that is handed out twice dies at the delivery's
//! compare-and-set. Nothing here carries a text.
//!
//! There are two: [`MemoryDispatcher`] in one process, and [`RedisDispatcher`] for any number of them. Both give the same
//! answers to the same questions. [`open`] chooses by `queue.url`.

mod failover;
pub mod local;
pub mod redis;
pub mod shard;
mod tick;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{AccountId, Class, DeliveryId};

pub use failover::FailoverDispatcher;
pub use local::MemoryDispatcher;
pub use redis::RedisDispatcher;

/// A delivery as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    pub id: DeliveryId,
    pub account: AccountId,
    pub lane: String,
    /// From takedown to campaign; what lies outside counts as the nearest of them.
    pub class: Class,
    /// Not handed out before. Moments count in whole microseconds, from 2020 to 2091.
    pub due: Timestamp,
    /// How fast the account may send.
    pub pace: Pace,
}

/// Where a hint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub account: AccountId,
    pub lane: String,
    pub id: DeliveryId,
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
    /// What is due in the lane, all of one class, in the order in which it goes out; at least one. The account's pace is
    /// taken for each.
    pub hints: Vec<Due>,
    /// Tells this lease from an earlier one of the same lane; a later lease has a larger one.
    pub nonce: u64,
    pub until: Timestamp,
}

/// A hint whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: DeliveryId,
    /// A moment ahead where the dispatcher's clock is ahead of the database's.
    pub at: Timestamp,
}

/// How a claim ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub account: AccountId,
    pub lane: String,
    pub nonce: u64,
    /// Deliveries of the lane that need nobody's attention any more, unless something new was said of them since the claim
    /// was made: [`Dispatcher::add`].
    pub finished: Vec<DeliveryId>,
    /// How many of the claim's hints nobody came to: the account's pace gets them back.
    pub untouched: u32,
    /// The lane rests until then, or until its gate opens if that is later; not if one of its hints moved or went since the
    /// claim was made: then it is looked at once more.
    pub rest: Option<Timestamp>,
}

/// What a worker asks for in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// At most this many lanes.
    pub claims: usize,
    /// At most this many hints of each.
    pub hints: usize,
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

/// Why the queue cannot be used now, and what to do about it. Names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QueueError(pub String);

/// Orders deliveries over lanes, classes, accounts and workers.
#[async_trait]
pub trait Dispatcher: Send + Sync {
    /// Adds hints. One already there takes the new class and due time.
    ///
    /// A lane's rest is a hint too: most often that its first delivery is tried again or asked about later. When one of its
    /// hints gets another time than the lane rests until, or goes, the rest ends: whoever looks too early is told by the
    /// database how long to rest.
    ///
    /// What changes in a lane that somebody holds is news that the holder may not know of: such a hint stays when the
    /// holder is done with the delivery, and comes no earlier than just after the claim.
    async fn add(&self, hints: &[Hint]) -> Result<(), QueueError>;

    /// Takes back what is done, wakes what is due, reaps leases that ran out, and hands out lanes: the more urgent class
    /// first, inside a class the account that waited longest, inside an account the lane that waited longest; of a lane
    /// its first due hints by class, due time and id, as many of one class as the account's pace allows.
    ///
    /// Whoever becomes ready, becomes so in another class, or was just handed something waits from then on. When much
    /// is due at once, one step wakes only a part of it, and `next` is not in the future.
    async fn step(&self, want: Want) -> Result<Step, QueueError>;

    /// Prolongs leases; the answer lists the lanes that are no longer this worker's.
    async fn extend(&self, claims: &[Claim], lease: Duration) -> Result<Vec<String>, QueueError>;

    /// Moves hints to another time, or takes them out, with what that means for the lane's rest and its holder, as in
    /// [`Dispatcher::add`]. Those that are not there are passed over.
    async fn move_(&self, places: &[Place], to: Option<Timestamp>) -> Result<(), QueueError>;

    /// Closes a lane or an account until then; `None` opens it. Who is at work in it is not disturbed. A closed lane rests,
    /// and ends that as any rest; opening a lane that somebody holds counts as a change in it.
    async fn gate(&self, gate: &Gate, until: Option<Timestamp>) -> Result<(), QueueError>;

    /// Takes up to `take` calls from an app-wide budget that `Budget` describes, and says how many it got. A campaign
    /// may not take the last fifth.
    async fn budget(&self, budget: &Budget, class: Class, take: u32) -> Result<u32, QueueError>;

    /// Waits for a change that may give a new claim, at most until then.
    async fn wait(&self, until: Option<Timestamp>);

    /// What is in it now, for metrics: `hints`, lanes `leased` to workers, accounts `waiting` in line.
    async fn counts(&self) -> Result<BTreeMap<&'static str, usize>, QueueError>;

    /// Whether other processes see the same hints: then what one of them adds is there for all.
    fn is_shared(&self) -> bool {
        false
    }

    /// What keeps it from working as configured, in words that anybody may read.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// How many calls all accounts of one registered app may make in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub app: String,
    pub calls: u32,
    pub window: Duration,
}

impl Budget {
    /// How many calls of a window this class may use: what people wait for must not find it used up by campaigns.
    pub fn open_to(&self, class: Class) -> u32 {
        if class >= Class::CAMPAIGN { self.calls - self.calls / 5 } else { self.calls }
    }
}

/// The dispatcher that `queue.url` names. Starts nothing and asks nobody. `clock` is the database's
/// ([`crate::store::Store::clock`]).
pub fn open(
    url: &str,
    clock: impl Fn() -> Timestamp + Clone + Send + Sync + 'static,
) -> Result<Arc<dyn Dispatcher>, QueueError> {
    if url.starts_with("local:") {
        return Ok(Arc::new(MemoryDispatcher::new(clock)));
    }
    let redis = RedisDispatcher::new(redis::Server::parse(url)?, clock.clone());
    Ok(Arc::new(FailoverDispatcher::new(redis, clock)))
}

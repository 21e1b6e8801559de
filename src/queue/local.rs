//! The dispatcher of one process: the pure [`Shard`] behind a lock, and somebody to wake.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::shard::Shard;
use super::{Budget, Claim, Dispatcher, Gate, Hint, Place, QueueError, Step, Want};
use crate::model::Class;

/// Without a known next moment the waiter looks again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

pub struct MemoryDispatcher {
    shard: Mutex<Shard>,
    changed: Notify,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl MemoryDispatcher {
    /// `clock` is the database's ([`crate::store::Store::clock`]).
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { shard: Mutex::new(Shard::new(rand::random())), changed: Notify::new(), clock: Box::new(clock) }
    }

    /// Lets whoever waits look again.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    fn shard(&self) -> MutexGuard<'_, Shard> {
        // Every operation leaves the shard whole, and what it holds are hints: a panic elsewhere is no reason to stop.
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

#[async_trait]
impl Dispatcher for MemoryDispatcher {
    async fn add(&self, hints: &[Hint]) -> Result<(), QueueError> {
        self.shard().add(self.now(), hints);
        self.changed.notify_one();
        Ok(())
    }

    async fn step(&self, want: Want) -> Result<Step, QueueError> {
        Ok(self.shard().step(self.now(), &want))
    }

    async fn extend(&self, claims: &[Claim], lease: Duration) -> Result<Vec<String>, QueueError> {
        Ok(self.shard().extend(self.now(), claims, lease))
    }

    async fn move_(&self, places: &[Place], to: Option<Timestamp>) -> Result<(), QueueError> {
        self.shard().move_(self.now(), places, to);
        self.changed.notify_one();
        Ok(())
    }

    async fn gate(&self, gate: &Gate, until: Option<Timestamp>) -> Result<(), QueueError> {
        self.shard().gate(self.now(), gate, until);
        self.changed.notify_one();
        Ok(())
    }

    async fn budget(&self, budget: &Budget, class: Class, take: u32) -> Result<u32, QueueError> {
        Ok(self.shard().budget(self.now(), budget, class, take))
    }

    async fn wait(&self, until: Option<Timestamp>) {
        let at_most = until.map_or(LOOK_AGAIN, |until| {
            until.duration_since(self.now()).try_into().unwrap_or(Duration::ZERO).min(LOOK_AGAIN)
        });
        let _ = tokio::time::timeout(at_most, self.changed.notified()).await;
    }

    async fn counts(&self) -> Result<BTreeMap<&'static str, usize>, QueueError> {
        Ok(self.shard().counts())
    }
}

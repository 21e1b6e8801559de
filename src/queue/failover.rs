//! Redis while it answers; the rules of one process while it does not. The truth is in SQL, so changing over loses
//! nothing: whoever sends loads the other dispatcher as soon as it sees another generation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use metrics::{counter, gauge};
use tracing::{error, info};

use super::{Budget, Claim, Dispatcher, Gate, Hint, MemoryDispatcher, Place, QueueError, RedisDispatcher, Step, Want};
use crate::model::Class;
use crate::telemetry;

/// So long after something failed Redis must take writes, or the process goes on by itself: a restart should not cost two
/// loads.
const GRACE: Duration = Duration::from_secs(2);
const FIRST_TRIAL: Duration = Duration::from_millis(250);
const LONGEST_TRIAL: Duration = Duration::from_secs(5);

/// The dispatcher that `redis://` names.
pub struct FailoverDispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    redis: Arc<RedisDispatcher>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    mode: Mutex<Mode>,
}

enum Mode {
    /// `in_doubt`: something failed, and whether Redis takes writes is about to be tried. What it answers meanwhile says
    /// little: one whose memory is full still answers questions.
    Redis {
        in_doubt: bool,
    },
    Local(Arc<MemoryDispatcher>),
}

impl FailoverDispatcher {
    /// `clock` is the database's.
    pub fn new(redis: RedisDispatcher, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let mode = Mutex::new(Mode::Redis { in_doubt: false });
        Self { shared: Arc::new(Shared { redis: Arc::new(redis), clock: Arc::new(clock), mode }) }
    }

    /// The dispatcher of the moment.
    fn present(&self) -> Arc<dyn Dispatcher> {
        match &*self.shared.mode() {
            Mode::Redis { .. } => self.shared.redis.clone(),
            Mode::Local(local) => local.clone(),
        }
    }

    /// Takes note of how it went.
    fn noted<T>(&self, answer: Result<T, QueueError>) -> Result<T, QueueError> {
        if let Err(error) = &answer {
            self.shared.failed(error);
        }
        answer
    }
}

impl Shared {
    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(self: &Arc<Self>, why: &QueueError) {
        counter!(telemetry::QUEUE_FAILURES).increment(1);
        if let Mode::Redis { in_doubt } = &mut *self.mode()
            && !std::mem::replace(in_doubt, true)
        {
            tokio::spawn(try_soon(Arc::downgrade(self), why.clone()));
        }
    }

    fn go_alone(&self, why: &QueueError) {
        error!(error = %why, "the queue is away: this process goes on by itself, limits hold in each process alone");
        gauge!(telemetry::QUEUE_AWAY).set(1.0);
        let clock = self.clock.clone();
        *self.mode() = Mode::Local(Arc::new(MemoryDispatcher::new(move || clock())));
    }
}

/// Goes on without Redis if it takes no writes a while after something failed.
async fn try_soon(shared: Weak<Shared>, why: QueueError) {
    tokio::time::sleep(GRACE).await;
    {
        // Not held any longer: whoever drops the dispatcher ends this.
        let Some(shared) = shared.upgrade() else { return };
        if shared.redis.try_to_write().await.is_ok() {
            *shared.mode() = Mode::Redis { in_doubt: false };
            return;
        }
        shared.go_alone(&why);
    }
    come_back(shared).await;
}

/// Tries Redis until it takes writes again, then goes back to it.
async fn come_back(shared: Weak<Shared>) {
    let mut pause = FIRST_TRIAL;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_TRIAL);
        let Some(shared) = shared.upgrade() else { return };
        if shared.redis.try_to_write().await.is_err() {
            continue;
        }
        let before = std::mem::replace(&mut *shared.mode(), Mode::Redis { in_doubt: false });
        gauge!(telemetry::QUEUE_AWAY).set(0.0);
        info!(queue = %shared.redis.server(), "the queue is back");
        if let Mode::Local(local) = before {
            local.wake();
        }
        return;
    }
}

#[async_trait]
impl Dispatcher for FailoverDispatcher {
    async fn add(&self, hints: &[Hint]) -> Result<(), QueueError> {
        self.noted(self.present().add(hints).await)
    }

    async fn step(&self, want: Want) -> Result<Step, QueueError> {
        self.noted(self.present().step(want).await)
    }

    async fn extend(&self, claims: &[Claim], lease: Duration) -> Result<Vec<String>, QueueError> {
        self.noted(self.present().extend(claims, lease).await)
    }

    async fn move_(&self, places: &[Place], to: Option<Timestamp>) -> Result<(), QueueError> {
        self.noted(self.present().move_(places, to).await)
    }

    async fn gate(&self, gate: &Gate, until: Option<Timestamp>) -> Result<(), QueueError> {
        self.noted(self.present().gate(gate, until).await)
    }

    async fn budget(&self, budget: &Budget, class: Class, take: u32) -> Result<u32, QueueError> {
        self.noted(self.present().budget(budget, class, take).await)
    }

    async fn wait(&self, until: Option<Timestamp>) {
        self.present().wait(until).await
    }

    async fn counts(&self) -> Result<BTreeMap<&'static str, usize>, QueueError> {
        self.noted(self.present().counts().await)
    }

    fn is_shared(&self) -> bool {
        self.present().is_shared()
    }

    fn trouble(&self) -> Option<String> {
        // The words of the error name hosts, and are in the log.
        matches!(*self.shared.mode(), Mode::Local(_)).then(|| {
            "redis does not answer as it should: each process orders its own deliveries; the reason is in the log"
                .to_owned()
        })
    }
}

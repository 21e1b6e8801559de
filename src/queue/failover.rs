//! Redis while it answers; the rules of one process while it does not. The truth is in SQL, so changing over loses
//! nothing: whoever sends loads the other dispatcher as soon as it sees another generation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use metrics::{counter, gauge};
use tracing::{error, info};

use super::{Budget, Claim, Dispatcher, Gate, Hint, MemoryDispatcher, Place, QueueError, RedisDispatcher, Step, Want};
use crate::model::Class;
use crate::telemetry;

/// Redis may be away for so long before the process goes on by itself: a restart should not cost two loads.
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
    Redis { failing_since: Option<Instant> },
    Local(Arc<MemoryDispatcher>),
}

impl FailoverDispatcher {
    /// `clock` is the database's.
    pub fn new(redis: RedisDispatcher, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let mode = Mutex::new(Mode::Redis { failing_since: None });
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
        match &answer {
            Ok(_) => self.shared.answered(),
            Err(error) => Shared::failed(&self.shared, error),
        }
        answer
    }
}

impl Shared {
    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) {
        if let Mode::Redis { failing_since } = &mut *self.mode() {
            *failing_since = None;
        }
    }

    fn failed(self: &Arc<Self>, why: &QueueError) {
        counter!(telemetry::QUEUE_FAILURES).increment(1);
        let mut mode = self.mode();
        let Mode::Redis { failing_since } = &mut *mode else { return };
        if failing_since.get_or_insert_with(Instant::now).elapsed() < GRACE {
            return;
        }
        error!(error = %why, "the queue is away: this process goes on by itself, limits hold in each process alone");
        gauge!(telemetry::QUEUE_AWAY).set(1.0);
        let clock = self.clock.clone();
        *mode = Mode::Local(Arc::new(MemoryDispatcher::new(move || clock())));
        tokio::spawn(come_back(Arc::downgrade(self)));
    }
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
        let before = std::mem::replace(&mut *shared.mode(), Mode::Redis { failing_since: None });
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

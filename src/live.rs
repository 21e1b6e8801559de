//! What just happened, for live pages and for loops that wait for work.
//!
//! The truth is the `events` table, written in the transaction of what it tells; this module only wakes whoever waits,
//! in this process at once and, with Redis, in the others too. Without Redis the others notice by their own half-second
//! look at the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::queue::QueueError;
use crate::queue::redis::Server;
use crate::store::Store;
pub use crate::store::events::Event;

/// Events kept for a slow page before it is told to reload.
const EVENTS_KEPT: usize = 1024;
/// Wake-ups not yet told to other processes; more are dropped, since one wakes for all.
const WAKES_KEPT: usize = 64;
const CHANNEL: &str = "muhatap:wake";
/// Before Redis is tried again, ever later.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How soon events of other processes are noticed without Redis.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A transaction's events become visible when it ends, later than their time: so far back is read again.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
const EVENTS_A_LOOK: i64 = 2_000;
/// Nobody reads on from an event older than this.
const EVENTS_FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24 * 7);
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Something changed in the database: who looks next?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Rows in `events`: live pages.
    Events,
    /// A delivery was added, moved or cancelled: the outbox.
    Outbox,
    /// A stream or an account changed: the listener.
    Streams,
}

impl Wake {
    const ALL: [Wake; 3] = [Self::Events, Self::Outbox, Self::Streams];

    fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Outbox => "outbox",
            Self::Streams => "streams",
        }
    }
}

#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    events: broadcast::Sender<Event>,
    wakes: [Notify; 3],
    others: mpsc::Sender<Wake>,
    to_others: std::sync::Mutex<Option<mpsc::Receiver<Wake>>>,
}

impl Default for Live {
    fn default() -> Self {
        let (others, to_others) = mpsc::channel(WAKES_KEPT);
        Self(Arc::new(Inner {
            events: broadcast::Sender::new(EVENTS_KEPT),
            wakes: Default::default(),
            others,
            to_others: std::sync::Mutex::new(Some(to_others)),
        }))
    }
}

impl Live {
    /// Wakes whoever waits for this, here and in other processes. Called after the commit.
    pub fn wake(&self, wake: Wake) {
        self.wake_here(wake);
        // Full or nobody there: the others look by themselves within half a second.
        let _ = self.0.others.try_send(wake);
    }

    fn wake_here(&self, wake: Wake) {
        self.0.wakes[wake as usize].notify_one();
    }

    /// Waits until woken or `at_most` has passed; a wake-up that came before the call counts.
    pub async fn wait(&self, wake: Wake, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.0.wakes[wake as usize].notified()).await;
    }

    /// Events as they are read from the database by [`follow`].
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Whether any page is open.
    pub fn is_watched(&self) -> bool {
        self.0.events.receiver_count() > 0
    }

    /// Reads the events that anyone wrote and tells them to whoever watches, until `shutdown`.
    pub async fn follow(&self, store: &Store, shutdown: CancellationToken) {
        let mut mark = store.clock();
        let mut seen: HashMap<String, Timestamp> = HashMap::new();
        let mut forgotten = Instant::now();
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wait(Wake::Events, LOOK_EVERY) => {}
            }
            if forgotten.elapsed() >= FORGET_EVERY {
                forgotten = Instant::now();
                if let Err(error) = store.forget_events(store.clock() - EVENTS_FORGOTTEN_AFTER).await {
                    warn!(error = %error, "old events could not be deleted; tried again in an hour");
                }
                if let Err(error) = store.forget_webhooks(store.clock()).await {
                    warn!(error = %error, "old events of webhooks could not be deleted; tried again in an hour");
                }
            }
            if !self.is_watched() {
                // Pages read the present state when they open.
                mark = store.clock();
                continue;
            }
            match store.events_since(mark - OVERLAP, EVENTS_A_LOOK).await {
                Ok(events) => {
                    for (at, event) in events {
                        mark = mark.max(at);
                        if seen.insert(event.id.clone(), at).is_none() {
                            let _ = self.0.events.send(event);
                        }
                    }
                    seen.retain(|_, at| *at >= mark - OVERLAP);
                }
                Err(error) => warn!(error = %error, "events could not be read; live pages wait"),
            }
        }
    }

    /// Tells other processes of wake-ups through Redis, and hears of theirs, until `shutdown`. Redis away only means
    /// that the others notice later.
    pub async fn share(&self, server: &Server, shutdown: CancellationToken) {
        let taken = self.0.to_others.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let Some(mut to_others) = taken else { return };
        let mut pause = FIRST_PAUSE;
        // A cluster hands messages on to all its nodes, so any of them will do.
        for node in 0.. {
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.share_once(server, node, &mut pause, &mut to_others) => outcome,
            };
            if let Err(error) = outcome {
                warn!(error = %error, "redis is away: other processes notice changes within half a second only");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    async fn share_once(
        &self,
        server: &Server,
        node: usize,
        pause: &mut Duration,
        to_others: &mut mpsc::Receiver<Wake>,
    ) -> Result<(), QueueError> {
        let explain = |error| server.explain(&error);
        let client = server.any_node(node)?;
        let mut sender = client.get_multiplexed_async_connection().await.map_err(explain)?;
        let mut subscription = client.get_async_pubsub().await.map_err(explain)?;
        subscription.subscribe(CHANNEL).await.map_err(explain)?;
        debug!("sharing wake-ups through redis");
        *pause = FIRST_PAUSE;
        let mut heard = subscription.on_message();
        loop {
            tokio::select! {
                wake = to_others.recv() => {
                    let Some(wake) = wake else { return Ok(()) };
                    redis::cmd("PUBLISH").arg(CHANNEL).arg(wake.as_str()).query_async::<i64>(&mut sender).await.map_err(explain)?;
                }
                message = heard.next() => {
                    let Some(message) = message else {
                        return Err(QueueError(format!("{server}: the subscription ended")));
                    };
                    let word = message.get_payload::<String>().unwrap_or_default();
                    if let Some(wake) = Wake::ALL.into_iter().find(|wake| wake.as_str() == word) {
                        self.wake_here(wake);
                    }
                }
            }
        }
    }
}

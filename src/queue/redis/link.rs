//! One connection to Redis for all tasks of a dispatcher, made again for ever, ever less often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::{RedisError, cmd};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::server::{Connection, Server};
use crate::queue::QueueError;

/// An answer that takes longer is an error: a script takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Milliseconds before the second attempt, and at most before any other.
const FIRST_PAUSE: u64 = 50;
const LONGEST_PAUSE: u64 = 2_000;
/// Shards of each master of a cluster, so that a few large accounts spread well.
const SHARDS_A_MASTER: usize = 4;
/// Where a cluster keeps how many shards its workers agreed on.
const SHARDS: &str = "{m}:shards";

pub(super) struct Link {
    pub(super) server: Server,
    state: Mutex<State>,
    /// Before the next attempt, in milliseconds.
    pause: AtomicU64,
    /// Made so far; tells a new connection from the one that failed.
    made: AtomicU64,
}

struct State {
    live: Option<Live>,
    /// No attempt before this, and why the last one failed.
    refused: Option<(Instant, QueueError)>,
}

/// A connection that worked when it was last used.
#[derive(Clone)]
pub(super) struct Live {
    pub connection: Connection,
    pub shards: usize,
    number: u64,
}

impl Link {
    pub(super) fn new(server: Server) -> Link {
        let state = State { live: None, refused: None };
        Link { server, state: Mutex::new(state), pause: AtomicU64::new(FIRST_PAUSE), made: AtomicU64::new(0) }
    }

    /// The connection, made now if there is none.
    pub(super) async fn live(&self) -> Result<Live, QueueError> {
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        if let Some((until, why)) = &state.refused
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        match self.connect().await {
            Ok(live) => {
                info!(queue = %self.server, shards = live.shards, "connected to the queue");
                state.live = Some(live.clone());
                state.refused = None;
                Ok(live)
            }
            Err(error) => {
                state.refused = Some((self.next_attempt(), error.clone()));
                Err(error)
            }
        }
    }

    /// The connection answered as it should.
    pub(super) fn worked(&self) {
        self.pause.store(FIRST_PAUSE, Ordering::Relaxed);
    }

    /// When to try again; each time twice as late.
    fn next_attempt(&self) -> Instant {
        let pause = self.pause.load(Ordering::Relaxed);
        self.pause.store((pause * 2).min(LONGEST_PAUSE), Ordering::Relaxed);
        Instant::now() + Duration::from_millis(pause)
    }

    /// Asks the cluster again how it is laid out.
    pub(super) async fn look_again(&self) {
        self.state.lock().await.live = None;
    }

    /// The connection failed: the next use makes another one.
    pub(super) async fn failed(&self, live: &Live, error: &RedisError) -> QueueError {
        let explained = self.server.explain(error);
        let mut state = self.state.lock().await;
        if state.live.as_ref().is_some_and(|present| present.number == live.number) {
            state.live = None;
            state.refused = Some((self.next_attempt(), explained.clone()));
        }
        explained
    }

    async fn connect(&self) -> Result<Live, QueueError> {
        let mut connection = self.server.connect(PATIENCE).await?;
        let about = self.server.about(&mut connection).await?;
        if let Some(advice) = about.advice {
            warn!(queue = %self.server, advice, "the queue works, with a risk");
        }
        let shards = match self.server.is_cluster() {
            false => 1,
            true => {
                let agreed = agree_on_shards(&mut connection, about.masters * SHARDS_A_MASTER).await;
                agreed.map_err(|error| self.server.explain(&error))?
            }
        };
        Ok(Live { connection, shards, number: self.made.fetch_add(1, Ordering::Relaxed) })
    }
}

/// The first worker's count is everybody's, also after masters joined or left: until Redis is emptied.
async fn agree_on_shards(connection: &mut Connection, own: usize) -> Result<usize, RedisError> {
    let _: Option<String> = cmd("SET").arg(SHARDS).arg(own).arg("NX").query_async(connection).await?;
    let agreed: Option<usize> = cmd("GET").arg(SHARDS).query_async(connection).await?;
    Ok(agreed.unwrap_or(own).max(1))
}

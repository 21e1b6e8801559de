//! Waiting at the list that tells of news, on a connection of its own: a blocking command keeps every other one back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::redis::{RedisError, Script, cmd};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::scripts;
use super::server::{Connection, Server};

/// One list for all shards of a queue: who waits looks at every shard.
pub(super) const WAKE: &str = "{m}:wake";
/// The server's own limit of one wait; the connection's is longer.
const BLOCK_SECONDS: u64 = 1;
const PATIENCE: Duration = Duration::from_secs(5);
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// Hears of news while somebody waits.
pub(super) struct Waiter {
    shared: Arc<Shared>,
    task: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct Shared {
    waiting: AtomicUsize,
    asked: Notify,
    heard: Notify,
}

/// Counts one who waits as long as it lives: a wait may be given up at any moment.
struct Waits<'a>(&'a Shared);

impl<'a> Waits<'a> {
    fn begin(shared: &'a Shared) -> Waits<'a> {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        shared.asked.notify_one();
        Waits(shared)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Waiter {
    pub(super) fn new() -> Waiter {
        Waiter { shared: Arc::default(), task: OnceLock::new() }
    }

    /// Waits for news, at most so long.
    pub(super) async fn wait(&self, server: &Server, at_most: Duration) {
        self.task.get_or_init(|| {
            let task = listen(self.shared.clone(), server.clone());
            tokio::spawn(task).abort_handle()
        });
        let _waits = Waits::begin(&self.shared);
        let _ = tokio::time::timeout(at_most, self.shared.heard.notified()).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Listens while somebody waits, for ever.
async fn listen(shared: Arc<Shared>, server: Server) {
    let wake = scripts::wake();
    loop {
        // Without a connection whoever waits looks by itself when its time is over, and says there what is wrong.
        if let Ok(connection) = server.connect(PATIENCE).await {
            let _ = listen_on(&shared, connection, &wake).await;
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

async fn listen_on(shared: &Shared, mut connection: Connection, wake: &Script) -> Result<(), RedisError> {
    loop {
        if shared.waiting.load(Ordering::SeqCst) == 0 {
            shared.asked.notified().await;
            continue;
        }
        let heard: Option<(String, String)> =
            cmd("BLPOP").arg(WAKE).arg(BLOCK_SECONDS).query_async(&mut connection).await?;
        if heard.is_none() {
            continue;
        }
        if shared.waiting.load(Ordering::SeqCst) > 0 {
            shared.heard.notify_one();
        } else {
            // Nobody here has the time any more: it is for another process.
            let _: i64 = wake.key(WAKE).invoke_async(&mut connection).await?;
        }
    }
}

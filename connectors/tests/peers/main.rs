//! The connectors against real servers. `make peers` starts the servers and runs this; a server that is missing is a
//! failure.

#![allow(clippy::disallowed_methods, reason = "strangers on a real network have clocks of their own")]

mod bluesky;
mod matrix;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muhatap_connectors::http::{Client, Pace};
use muhatap_connectors::{
    Batch, Change, Connector, Cursor, Incoming, Outgoing, ReplyTo, Stream, StreamKind, Visibility,
};
use url::Url;

/// Where `tests/peers/start.sh` puts its servers; `PEERS_PORT` moves them.
fn address(offset: u16) -> Url {
    let base = std::env::var("PEERS_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(55460u16);
    Url::parse(&format!("http://localhost:{}", base + offset)).expect("an address")
}

/// A client for those who are not us: strangers on the network.
fn stranger(base: Url) -> Client {
    let pace = Pace { burst: 100, every: Duration::from_millis(1) };
    Client::new(base, Duration::from_secs(20), pace).expect("a client")
}

/// Something that no other test and no earlier run says.
fn unique(what: &str) -> String {
    format!("{what}{:x}", Timestamp::now().as_nanosecond())
}

/// A message of ours, as a delivery makes it.
fn outgoing(text: &str, reply_to: Option<&Incoming>) -> Outgoing {
    let now = Timestamp::now();
    Outgoing {
        key: format!("{:032x}", now.as_nanosecond()),
        created_at: now,
        due_at: now,
        called_at: now,
        text: text.to_owned(),
        reply_to: reply_to.map(|message| ReplyTo {
            remote_id: message.remote_id.clone(),
            handle: message.author.handle.clone(),
            data: message.reply_data.clone(),
        }),
        continues: None,
        visibility: Visibility::Public,
        language: Some("tr".to_owned()),
    }
}

/// Asks again until there is an answer: what one server takes, another shows a moment later.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Follows one stream as the worker does: each poll goes on where the last one stopped.
struct Follower<'a> {
    connector: &'a dyn Connector,
    stream: Stream,
    cursor: Option<Cursor>,
    changes: Vec<Change>,
}

impl<'a> Follower<'a> {
    fn new(connector: &'a dyn Connector, kind: StreamKind, query: &str) -> Self {
        Self { connector, stream: Stream { kind, query: query.to_owned() }, cursor: None, changes: Vec::new() }
    }

    async fn poll(&mut self) -> Batch {
        let batch =
            self.connector.poll(&self.stream, self.cursor.as_ref(), Timestamp::MAX).await.expect("a poll succeeds");
        assert!(batch.next.0.len() <= 8 * 1024, "a cursor is at most 8 KiB");
        self.cursor = Some(batch.next.clone());
        self.changes.extend(batch.changes.iter().cloned());
        batch
    }

    async fn until(&mut self, what: &str, is_it: impl Fn(&Change) -> bool) -> Change {
        let started = Instant::now();
        loop {
            self.poll().await;
            if let Some(change) = self.changes.iter().find(|change| is_it(change)) {
                return change.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{what}: not within 30 s");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn until_seen(&mut self, text: &str) -> Incoming {
        let is_it = |change: &Change| matches!(change, Change::Seen(message) if message.text.contains(text));
        match self.until(text, is_it).await {
            Change::Seen(message) => message,
            _ => unreachable!("only what was seen is looked for"),
        }
    }
}

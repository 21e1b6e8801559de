//! Accounts, streams and messages as tests want them.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use muhatap::analyze::{Analyzer, DictionaryPaths};
use muhatap::listen::understand;
use muhatap::model::{AccountId, Network, Visibility};
use muhatap::store::Store;
use muhatap::store::accounts::NewAccount;
use muhatap::store::mentions::Polled;
use muhatap::store::streams::StreamLease;
use muhatap_connectors::{Author, Change, Cursor, Incoming, Kind, Stream, StreamKind};

/// An account that polls every thirty seconds.
pub async fn account(store: &Store, name: &str, network: Network) -> AccountId {
    account_of(store, "Marka", name, network).await
}

/// As [`account`], of another brand.
pub async fn account_of(store: &Store, brand: &str, name: &str, network: Network) -> AccountId {
    store.put_account(&new_account(brand, name, network), Duration::ZERO).await.expect("an account can be added")
}

/// The account as it is put; again with a change, it is changed.
pub fn new_account(brand: &str, name: &str, network: Network) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        brand: brand.to_owned(),
        network,
        base_url: Some("https://network.example".to_owned()),
        login: None,
        listen_for: Vec::new(),
        poll_seconds: 30,
        timezone: "Europe/Istanbul".to_owned(),
        origin: "console",
        secret: None,
        secret_mark: None,
    }
}

pub fn mentions_stream() -> Stream {
    Stream { kind: StreamKind::Mentions, query: String::new() }
}

/// The right to record on the account's mentions, taken anew.
pub async fn lease(store: &Store, account: AccountId) -> StreamLease {
    store.sync_streams(account, &[mentions_stream()]).await.expect("streams can be set");
    store.poll_account_now(account).await.expect("streams can be made due");
    loop {
        let lease = store.take_due_stream("test", Duration::from_secs(60)).await.expect("a stream can be taken");
        let lease = lease.expect("the account's stream is due");
        if lease.account_id == account {
            return lease;
        }
    }
}

/// When [`message`]s are published, unless they say otherwise.
pub fn noon() -> Timestamp {
    "2026-11-20T09:00:00Z".parse().expect("it is a time")
}

/// A stranger's public message.
pub fn message(remote_id: &str, text: &str) -> Incoming {
    Incoming {
        remote_id: remote_id.to_owned(),
        local_id: None,
        kind: Kind::Mention,
        author: author("https://network.example/users/ayse", "ayse"),
        text: text.to_owned(),
        url: Some(format!("https://network.example/{remote_id}")),
        published_at: noon(),
        edited_at: None,
        in_reply_to: None,
        thread: None,
        visibility: Visibility::Public,
        language: None,
        rating: None,
        media: Vec::new(),
        reply_data: serde_json::json!({"id": remote_id}),
    }
}

pub fn author(remote_id: &str, handle: &str) -> Author {
    Author {
        remote_id: remote_id.to_owned(),
        handle: handle.to_owned(),
        display_name: handle.to_uppercase(),
        url: None,
        is_us: false,
        followers: Some(42),
    }
}

pub fn minutes_later(time: Timestamp, minutes: i64) -> Timestamp {
    time.checked_add(minutes.minutes()).expect("it is a time")
}

/// A batch of changes, understood, with nothing beside.
pub fn batch(changes: impl IntoIterator<Item = Change>) -> Polled {
    let analyzer = Analyzer::new(&DictionaryPaths::default());
    Polled {
        changes: changes.into_iter().map(|change| understand(&analyzer, None, change)).collect(),
        unparsed: Vec::new(),
        next: Cursor("next".to_owned()),
        complete_up_to: None,
        filling: None,
        lost: Vec::new(),
        more: false,
    }
}

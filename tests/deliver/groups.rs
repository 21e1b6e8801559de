//! Deliveries of many lanes in one commit.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use muhatap::model::{AccountId, Class, DeliveryId, DeliveryState, Network};
use muhatap::store::Store;
use muhatap::store::attempts::{Outcome, Turn, Work};
use muhatap::store::enqueue::{Enqueued, NewDelivery, NewPost, Origin};
use muhatap_connectors::{Prepared, Receipt, Visibility};
use rstest::rstest;

use crate::support::{Backend, fresh_store, messages};

const LEASE: Duration = Duration::from_secs(30);

async fn post(store: &Store, account_id: AccountId, key: &str) -> DeliveryId {
    let now = store.clock();
    let new = NewDelivery {
        account_id,
        lane: lane(account_id),
        class: Class::CAMPAIGN,
        key: key.to_owned(),
        body_hash: key.to_owned(),
        text: key.to_owned(),
        visibility: Visibility::Public,
        author: "test".to_owned(),
        due_at: now,
        late_limit: Duration::from_secs(3600),
        expires_at: None,
        after_id: None,
    };
    let new = NewPost { delivery: new, fingerprint: key.to_owned(), day: None, spacing: Duration::ZERO };
    match store.enqueue_post(&new, &Origin::default(), now).await.expect("it can be added") {
        Enqueued::New(id) => id,
        other => panic!("{other:?}"),
    }
}

fn lane(account: AccountId) -> String {
    format!("{account}/posts")
}

/// Takes the lane's delivery and marks it as called for.
async fn called(store: &Store, account: AccountId) -> Work {
    let now = store.clock();
    let mut work = match store.take(&lane(account), "worker", LEASE, None, now).await.expect("the database answers") {
        Turn::Send(work) => *work,
        other => panic!("{other:?}"),
    };
    let marked = store.begin_sending(&mut work, &Prepared::default(), "worker", LEASE, now).await;
    assert!(marked.expect("the database answers"));
    work
}

fn sent(remote_id: &str) -> Outcome {
    let receipt = Receipt { remote_id: remote_id.to_owned(), local_id: None, url: None };
    Outcome::Sent { receipt, found: false }
}

async fn accounts(store: &Store, count: usize) -> Vec<AccountId> {
    let mut accounts = Vec::new();
    for number in 0..count {
        accounts.push(messages::account(store, &format!("hesap{number}"), Network::Mastodon).await);
    }
    accounts
}

#[rstest]
#[tokio::test]
async fn all_that_end_in_one_commit_are_sent_each_with_its_attempt(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let accounts = accounts(&store, 30).await;
    let ids = join_all(accounts.iter().map(|account| post(&store, *account, "bir"))).await;
    let works = join_all(accounts.iter().map(|account| called(&store, *account))).await;
    let now = store.clock();
    let outcomes: Vec<Outcome> = (0..works.len()).map(|number| sent(&number.to_string())).collect();
    let finishes = works.iter().zip(&outcomes).map(|(work, outcome)| store.finish(work, outcome, Duration::ZERO, now));
    for finished in join_all(finishes).await {
        assert!(finished.expect("the database answers"));
    }
    for id in ids {
        assert_eq!(store.delivery(id).await.expect("it is there").state, DeliveryState::Sent);
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM attempts WHERE outcome = 'sent'").await, 30);
    assert_eq!(database.number("SELECT COUNT(*) FROM outgoing").await, 30);
    assert_eq!(database.number("SELECT COUNT(*) FROM lanes WHERE delivery_id IS NOT NULL").await, 0);
    store.close().await;
}

#[rstest]
#[tokio::test]
async fn what_one_of_a_commit_violates_keeps_back_none_of_the_others(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let accounts = accounts(&store, 3).await;
    post(&store, accounts[0], "bir").await;
    let work = called(&store, accounts[0]).await;
    assert!(store.finish(&work, &sent("ileti"), Duration::ZERO, store.clock()).await.expect("the database answers"));

    for account in &accounts {
        post(&store, *account, "iki").await;
    }
    let works = join_all(accounts.iter().map(|account| called(&store, *account))).await;
    let now = store.clock();
    // The first names a message that is another delivery's already; all three are asked for before any is written.
    let outcomes = [sent("ileti"), sent("öteki"), sent("beriki")];
    let finishes = works.iter().zip(&outcomes).map(|(work, outcome)| store.finish(work, outcome, Duration::ZERO, now));
    for finished in join_all(finishes).await {
        assert!(finished.expect("the database answers"));
    }
    let mut states = Vec::new();
    for work in &works {
        states.push(store.delivery(work.id).await.expect("it is there").state);
    }
    assert_eq!(states, [DeliveryState::Unknown, DeliveryState::Sent, DeliveryState::Sent]);
    store.close().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_gave_up_waiting_takes_nothing_and_what_it_had_to_say_is_written(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let account = accounts(&store, 1).await[0];
    let id = post(&store, account, "bir").await;
    let now = store.clock();
    // Asked once, then dropped while it waits for the writer.
    assert!(store.take(&lane(account), "gone", LEASE, None, now).now_or_never().is_none());
    let work = called(&store, account).await;
    assert_eq!(work.id, id);
    assert!(store.finish(&work, &sent("ileti"), Duration::ZERO, now).now_or_never().is_none());
    // Whatever comes next on the lane is written after it.
    let turn = store.take(&lane(account), "worker", LEASE, None, now).await.expect("the database answers");
    assert!(matches!(turn, Turn::Nothing), "{turn:?}");
    assert_eq!(store.delivery(id).await.expect("it is there").state, DeliveryState::Sent);
    store.close().await;
}

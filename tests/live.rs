//! Processes wake each other; a live page hears what anyone wrote.

use std::time::{Duration, Instant};

use muhatap::live::{Live, Wake};
use muhatap::model::Health;
use muhatap::queue::redis::Server;
use muhatap::store::accounts::NewAccount;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use crate::support::{Backend, eventually, fresh_store, redis::Redis, set_up};

const LONG: Duration = Duration::from_secs(60);

fn server(redis: &Redis) -> Server {
    Server::parse(&redis.url()).expect("the address is right")
}

/// Whether a wake-up of one is heard by the other well before it would look by itself.
async fn hears(from: &Live, to: &Live) -> bool {
    let started = Instant::now();
    from.wake(Wake::Outbox);
    to.wait(Wake::Outbox, Duration::from_millis(300)).await;
    started.elapsed() < Duration::from_millis(300)
}

#[tokio::test]
async fn processes_wake_each_other_through_redis_also_after_it_was_killed() {
    set_up();
    let redis = Redis::start().await;
    let (one, other, end) = (Live::default(), Live::default(), CancellationToken::new());
    for live in [&one, &other] {
        let (live, server, end) = (live.clone(), server(&redis), end.clone());
        tokio::spawn(async move { live.share(&server, end).await });
    }
    eventually("a wake-up is heard by the other process", || hears(&one, &other)).await;
    redis.restart().await;
    eventually("a wake-up is heard again after redis came back", || hears(&other, &one)).await;
    end.cancel();
}

#[tokio::test]
async fn without_redis_a_wake_up_is_heard_in_its_own_process_and_nothing_fails() {
    set_up();
    let redis = Redis::start().await;
    redis.kill();
    let (live, end) = (Live::default(), CancellationToken::new());
    let sharing = tokio::spawn({
        let (live, server, end) = (live.clone(), server(&redis), end.clone());
        async move { live.share(&server, end).await }
    });
    let started = Instant::now();
    live.wake(Wake::Streams);
    live.wait(Wake::Streams, LONG).await;
    assert!(started.elapsed() < LONG);
    end.cancel();
    sharing.await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_live_page_hears_what_another_process_wrote(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let account = store.put_account(&account("destek"), LONG).await.unwrap();
    let (live, end) = (Live::default(), CancellationToken::new());
    let mut page = live.subscribe();
    let following = tokio::spawn({
        let (live, store, end) = (live.clone(), store.clone(), end.clone());
        async move { live.follow(&store, end).await }
    });
    // Written without a wake-up here, as another process does.
    store.set_health(account, Health::Failing, Some("no answer"), LONG).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let event = page.recv().await.unwrap();
            if event.kind == "account" && event.subject_id == account.to_string() {
                return;
            }
        }
    });
    heard.await.expect("the event is told");
    end.cancel();
    following.await.unwrap();
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        brand: "default".to_owned(),
        network: muhatap::model::Network::Mastodon,
        base_url: Some("https://mastodon.example".to_owned()),
        login: None,
        listen_for: vec!["#marka".to_owned()],
        poll_seconds: 30,
        timezone: "Europe/Istanbul".to_owned(),
        origin: "file",
        secret: Some("v1:one".to_owned()),
        secret_mark: Some("mark of one".to_owned()),
    }
}

#[rstest]
#[tokio::test]
async fn an_account_in_the_file_is_brought_up_to_date_paused_when_gone_and_goes_on_when_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let id = store.put_account(&account("destek"), LONG).await.unwrap();
    store.save_session(id, Some("v1:one"), "v1:session").await.unwrap();

    let mut changed = account("destek");
    changed.listen_for = vec!["#yeni".to_owned()];
    assert_eq!(store.put_account(&changed, LONG).await.unwrap(), id);
    assert_eq!(store.account(id).await.unwrap().listen_for, ["#yeni"]);
    assert_eq!(store.stored_secrets(id).await.unwrap().session.as_deref(), Some("v1:session"));

    changed.secret = Some("v1:two".to_owned());
    changed.secret_mark = Some("mark of two".to_owned());
    store.put_account(&changed, LONG).await.unwrap();
    assert_eq!(store.stored_secrets(id).await.unwrap().session, None, "a session ends with its secret");
    store.save_session(id, Some("v1:one"), "v1:late").await.unwrap();
    assert_eq!(store.stored_secrets(id).await.unwrap().session, None, "a late session of the former secret is dropped");

    assert_eq!(store.pause_accounts_not_in_file(&[]).await.unwrap(), ["destek"]);
    assert!(store.account(id).await.unwrap().paused_at.is_some());
    store.put_account(&changed, LONG).await.unwrap();
    assert!(store.account(id).await.unwrap().paused_at.is_none());

    store.pause_account(id, "a person paused it", "local").await.unwrap();
    store.put_account(&changed, LONG).await.unwrap();
    assert!(store.account(id).await.unwrap().paused_at.is_some(), "only a person ends a person's pause");
}

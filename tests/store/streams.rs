//! Who polls what, and what is known to be complete.

use std::time::Duration;

use jiff::Timestamp;
use muhatap::model::Network;
use muhatap::store::StoreError;
use muhatap::store::streams::PollFailure;
use muhatap_connectors::{Change, Cursor, Gap, Stream, StreamKind};
use rstest::rstest;

use crate::support::messages::{account, batch, lease, mentions_stream, message, minutes_later, noon};
use crate::support::{Backend, fresh_store};

const LEASE: Duration = Duration::from_secs(60);

fn search(query: &str) -> Stream {
    Stream { kind: StreamKind::Search, query: query.to_owned() }
}

fn gap(from: i64, until: i64, reason: &str) -> Gap {
    Gap {
        from: Some(minutes_later(noon(), from)),
        until: Some(minutes_later(noon(), until)),
        reason: reason.to_owned(),
    }
}

#[rstest]
#[tokio::test]
async fn two_workers_never_hold_the_same_stream(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (database, store) = fresh_store(backend).await;
    let other = database.store().await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let streams: Vec<Stream> = (0..20).map(|number| search(&format!("#marka{number}"))).collect();
    store.sync_streams(destek, &streams).await.expect("streams can be set");
    let take = async |store: &muhatap::store::Store, worker: &str| {
        let mut taken = Vec::new();
        while let Some(lease) = store.take_due_stream(worker, LEASE).await.expect("streams can be taken") {
            taken.push(lease.stream.query);
        }
        taken
    };
    let (mut first, second) = tokio::join!(take(&store, "a"), take(&other, "b"));
    first.extend(second);
    // On PostgreSQL two may look at the same eight streams at once and both leave; the next look finds the rest.
    first.extend(take(&store, "a").await);
    first.sort();
    let mut expected: Vec<String> = streams.into_iter().map(|stream| stream.query).collect();
    expected.sort();
    assert_eq!(first, expected);
}

#[rstest]
#[tokio::test]
async fn a_worker_that_dies_between_poll_and_record_leaves_the_stream_to_the_next(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    store.sync_streams(destek, &[mentions_stream()]).await.expect("streams can be set");
    let dead = store.take_due_stream("dead", Duration::ZERO).await.expect("it can be taken").expect("it is due");
    let next = store.take_due_stream("next", LEASE).await.expect("it can be taken").expect("the lease ended");
    assert_eq!((next.id, &next.cursor), (dead.id, &dead.cursor), "it polls again from the same place");
    let polled = batch([Change::Seen(message("https://n/1", "merhaba"))]);
    store.record(&next, &polled).await.expect("the new holder records");
    let late = store.record(&dead, &polled).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))));
}

#[rstest]
#[tokio::test]
async fn a_new_keyword_starts_with_a_cursor_of_its_own_and_a_removed_one_rests(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let held = lease(&store, destek).await;
    store.record(&held, &batch([])).await.expect("it is held");

    assert!(store.sync_streams(destek, &[mentions_stream(), search("#marka")]).await.expect("streams can be set"));
    assert!(!store.sync_streams(destek, &[search("#marka"), mentions_stream()]).await.expect("the same again"));
    let new = store.take_due_stream("w", LEASE).await.expect("it can be taken").expect("the keyword is due at once");
    assert_eq!((new.stream.query.as_str(), new.cursor.is_none()), ("#marka", true));
    store.record(&new, &batch([])).await.expect("it is held");

    store.sync_streams(destek, &[mentions_stream()]).await.expect("streams can be set");
    store.poll_account_now(destek).await.expect("streams can be made due");
    let left = store.take_due_stream("w", LEASE).await.expect("it can be taken").expect("mentions are due");
    assert_eq!((left.stream, left.cursor.is_some()), (mentions_stream(), true));
    assert_eq!(store.take_due_stream("w", LEASE).await.expect("it can be asked"), None);

    store.sync_streams(destek, &[mentions_stream(), search("#marka")]).await.expect("streams can be set");
    let back = store.take_due_stream("w", LEASE).await.expect("it can be taken").expect("it is listened for again");
    assert_eq!(back.cursor, Some(Cursor("next".to_owned())), "and goes on where it stopped");
}

#[rstest]
#[tokio::test]
async fn a_limit_on_search_does_not_stop_mentions(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    store.sync_streams(destek, &[search("#marka"), mentions_stream()]).await.expect("streams can be set");
    let mut leases = Vec::new();
    while let Some(lease) = store.take_due_stream("w", LEASE).await.expect("it can be taken") {
        leases.push(lease);
    }
    let limit = PollFailure::Wait { reason: "rate limited for 600 s".to_owned(), wait: Duration::from_secs(600) };
    for lease in &leases {
        match lease.stream.kind {
            StreamKind::Search => store.fail_poll(lease, &limit).await.expect("it is held"),
            _ => {
                let more = muhatap::store::mentions::Polled { more: true, ..batch([]) };
                store.record(lease, &more).await.expect("it is held");
            }
        }
    }
    let next = store.take_due_stream("w", LEASE).await.expect("it can be taken").expect("more waits");
    assert_eq!(next.stream, mentions_stream());
    assert_eq!(store.take_due_stream("w", LEASE).await.expect("it can be asked"), None, "the search waits as told");
    let views = store.account_views().await.expect("accounts can be read");
    let search = views[0].streams.iter().find(|stream| stream.name == "search:#marka").expect("it is shown");
    assert_eq!(search.failure_reason.as_deref(), Some("rate limited for 600 s"));
    assert_eq!(search.failures, 0, "waiting as told is no failure");
}

#[rstest]
#[tokio::test]
async fn failures_in_a_row_wait_longer_and_a_success_forgets_them(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        let held = lease(&store, destek).await;
        store.fail_poll(&held, &PollFailure::Failed { reason: "away".to_owned() }).await.expect("it is held");
        let next = store.next_poll_at().await.expect("it can be asked").expect("there is a stream");
        waits.push(next.duration_since(store.clock()).as_secs());
    }
    assert!(waits[0] > 50 && waits[1] > 110 && waits[2] > 230, "{waits:?}");
    assert_eq!(store.failing_streams(destek).await.expect("it can be asked"), 1);
    let held = lease(&store, destek).await;
    assert_eq!(held.failures, 3);
    store.record(&held, &batch([])).await.expect("it is held");
    assert_eq!(store.failing_streams(destek).await.expect("it can be asked"), 0);
    assert_eq!(lease(&store, destek).await.failures, 0);
}

#[rstest]
#[tokio::test]
async fn gaps_are_named_until_filled_and_what_is_lost_is_told_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let complete = minutes_later(noon(), 30);
    let states = async |polled: muhatap::store::mentions::Polled| {
        let held = lease(&store, destek).await;
        store.record(&held, &polled).await.expect("it is held");
        let view = store.account_view(destek).await.expect("the account is there");
        let stream = &view.streams[0];
        let mut gaps: Vec<(String, Option<Timestamp>)> =
            stream.gaps.iter().map(|gap| (gap.state.clone(), gap.until_at)).collect();
        gaps.sort();
        (gaps, stream.complete_up_to)
    };
    let with = |filling: Option<Gap>, lost: Vec<Gap>, complete_up_to| muhatap::store::mentions::Polled {
        filling,
        lost,
        complete_up_to,
        ..batch([])
    };
    let (gaps, complete_up_to) = states(with(Some(gap(0, 60, "backfill")), vec![], None)).await;
    assert_eq!(gaps, [("filling".to_owned(), Some(minutes_later(noon(), 60)))]);
    assert_eq!(complete_up_to, None);
    let (gaps, _) = states(with(Some(gap(0, 20, "backfill")), vec![], None)).await;
    assert_eq!(gaps, [("filling".to_owned(), Some(minutes_later(noon(), 20)))], "each batch states it anew");
    let lost = vec![gap(-60, -30, "the network keeps an hour")];
    for _ in 0..2 {
        let (gaps, complete_up_to) = states(with(None, lost.clone(), Some(complete))).await;
        assert_eq!(gaps.iter().filter(|(state, _)| state == "lost").count(), 1);
        assert_eq!(gaps.iter().filter(|(state, _)| state == "filling").count(), 0);
        assert_eq!(complete_up_to, Some(complete));
    }
    let (_, complete_up_to) = states(with(None, vec![], Some(noon()))).await;
    assert_eq!(complete_up_to, Some(complete), "never takes back what was complete");
}

#[rstest]
#[tokio::test]
async fn a_paused_account_is_not_polled(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    store.sync_streams(destek, &[mentions_stream()]).await.expect("streams can be set");
    store.pause_account(destek, "holiday", "test").await.expect("it can be paused");
    assert_eq!(store.take_due_stream("w", LEASE).await.expect("it can be asked"), None);
    store.resume_account(destek, Duration::ZERO, "test").await.expect("it goes on");
    assert!(store.take_due_stream("w", LEASE).await.expect("it can be asked").is_some());
}

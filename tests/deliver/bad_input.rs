//! What cannot go out as asked: each with its reason, nothing lost.

use std::time::Duration;

use jiff::Timestamp;
use muhatap::compose::PostRequest;
use muhatap::model::DeliveryState;
use muhatap::store::deliveries::{Decision, DeliveryFilter};
use muhatap_connectors::Certainty;
use rstest::rstest;

use crate::support::Backend;
use crate::support::sending::Bench;

fn due(bench: &Bench, at: Timestamp) -> PostRequest {
    let mut request = PostRequest::new(bench.account, format!("due at {at}"), "test");
    request.due_at = Some(at);
    request
}

#[rstest]
#[tokio::test]
async fn a_time_in_the_past_goes_at_once_or_asks_and_one_in_the_year_9999_waits(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let just_now = bench.try_post(due(&bench, bench.now() - Duration::from_secs(60))).await.expect("it is kept");
    let yesterday = bench.try_post(due(&bench, bench.now() - Duration::from_secs(86_401))).await.expect("it is kept");
    let far: Timestamp = "9999-12-30T21:59:59.999Z".parse().expect("a time");
    let far = bench.try_post(due(&bench, far)).await.expect("it is kept");
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.state(just_now.id).await, DeliveryState::Sent);
    let asked = bench.view(yesterday.id).await;
    assert_eq!((asked.state, asked.hold.as_deref()), (DeliveryState::Held, Some("late")));
    assert!(
        asked.reason.as_deref().is_some_and(|reason| reason.contains("24 h ago: send it now, move it")),
        "{asked:?}"
    );
    assert_eq!(bench.state(far.id).await, DeliveryState::Queued);
    assert_eq!(bench.view(far.id).await.due_at.to_string(), "9999-12-30T21:59:59.999Z");
    bench.app.store.cancel(far.id, "ayşe").await.expect("it can be cancelled");
    assert_eq!(bench.network.calls(), 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_text_over_the_limit_found_only_at_send_fails_with_the_reason_and_can_be_sent_later(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("on iki harfli").await;
    // The network allows less than when it was written.
    bench.network.set_limit(5);
    bench.turn().await;
    let failed = bench.view(id).await;
    assert_eq!(failed.state, DeliveryState::Failed);
    assert!(failed.reason.as_deref().is_some_and(|reason| reason.contains("13 of at most 5")), "{:?}", failed.reason);
    assert_eq!(bench.network.calls(), 0, "nothing was called");
    bench.network.set_limit(50);
    bench
        .app
        .store
        .decide(id, Decision::Queue, Duration::ZERO, "ayşe", bench.now())
        .await
        .expect("it can be sent again");
    bench.turn().await;
    assert_eq!(bench.network.texts(), ["on iki harfli"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_queued_when_its_account_was_removed_is_cancelled_and_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.app.store.remove_account(bench.account, "ayşe").await.expect("removed");
    bench.drain().await;
    let view = bench.view(id).await;
    assert_eq!((view.state, view.reason.as_deref()), (DeliveryState::Cancelled, Some("its account was removed")));
    assert_eq!(bench.network.calls(), 0);
    let all = bench.app.store.deliveries(&DeliveryFilter::default()).await.expect("answered");
    assert_eq!(all.len(), 1, "it stays to be seen");
    bench.stop().await;
}

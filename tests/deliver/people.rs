//! What people do with deliveries: cancel, move, take back, stop, release.

use std::time::Duration;

use muhatap::compose::PostRequest;
use muhatap::model::{Action, DeliveryState, Hold};
use muhatap::standing::{Next, Scope, Why};
use muhatap::store::StoreError;
use muhatap::store::deliveries::{Decision, DeliveryFilter};
use muhatap_connectors::Certainty;
use rstest::rstest;

use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::sending::Bench;
use crate::support::{Backend, eventually};

const SETTLE: Duration = Duration::from_secs(31);
const MINUTE: Duration = Duration::from_secs(60);

#[rstest]
#[tokio::test]
async fn a_cancelled_post_never_goes_out(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    let view = bench.app.store.cancel(id, "ayşe").await.expect("it can be cancelled");
    assert_eq!((view.state, view.decided_by.as_deref()), (DeliveryState::Cancelled, Some("ayşe")));
    bench.app.store.cancel(id, "ayşe").await.expect("twice is once");
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_may_be_out_is_decided_and_never_said_to_be_cancelled(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (unclear, restored) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    assert_eq!(bench.state(unclear).await, DeliveryState::Unknown);
    bench.execute("UPDATE deliveries SET state = 'held', hold = 'restored' WHERE state = 'queued'").await;
    for id in [unclear, restored] {
        let refused = bench.app.store.cancel(id, "ayşe").await.expect_err("it may be out").to_string();
        assert!(refused.contains("look at the network, then decide"), "{refused}");
        bench.later(bench.app.config.delivery.settle);
        let given_up = bench.app.store.decide(id, Decision::Cancel, Duration::ZERO, "ayşe", bench.now()).await;
        given_up.expect("somebody looked");
        assert_eq!(bench.state(id).await, DeliveryState::Cancelled);
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_post_can_be_stopped_while_it_is_prepared(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("cancel", "move", "stop", "pause")] how: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script_prepare([End::Wait]);
    let working = bench.spawn_turn();
    eventually("it is being prepared", async || bench.network.prepared() == 1).await;
    let store = &bench.app.store;
    match how {
        "cancel" => _ = store.cancel(id, "ayşe").await.expect("it can be cancelled"),
        "move" => _ = store.reschedule(id, bench.now() + MINUTE * 60, "ayşe").await.expect("it can be moved"),
        "pause" => store.pause_account(bench.account, "tatil", "ayşe").await.expect("it can be paused"),
        _ => store.stop(&Scope::All, "deprem", "ayşe").await.expect("it can be stopped"),
    }
    bench.network.go_on();
    working.await.expect("it ends").expect("the database answers");
    assert_eq!(bench.network.calls(), 0);
    let expected = if how == "cancel" { DeliveryState::Cancelled } else { DeliveryState::Queued };
    assert_eq!(bench.state(id).await, expected);
    if how == "move" {
        bench.later(MINUTE * 61);
        bench.drain().await;
        assert_eq!(bench.state(id).await, DeliveryState::Sent);
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_cancelled_during_its_call_is_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("answered", "found", "absent")] how: &str,
) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(Certainty::ReadBack, Keys::Ignored), |_| {}).await;
    let id = bench.post("bir").await;
    let mut rest = PostRequest::new(bench.account, "devamı", "test");
    rest.after = Some(id);
    let rest = bench.try_post(rest).await.expect("it can be posted").id;
    if how == "answered" {
        bench.network.script([End::Wait]);
        let working = bench.spawn_turn();
        bench.network.until_called().await;
        let view = bench.app.store.cancel(id, "ayşe").await.expect("it is noted");
        assert_eq!(view.state, DeliveryState::Sending);
        assert!(view.cancel_wanted_at.is_some());
        assert_eq!((view.standing.why, view.standing.next), (Why::TakingBack, Next::Delete));
        bench.network.go_on();
        working.await.expect("it ends").expect("the database answers");
    } else {
        bench.network.script([if how == "found" { End::AcceptThenError } else { End::Unclear }]);
        bench.turn().await;
        bench.app.store.cancel(id, "ayşe").await.expect("it is noted");
        bench.later(SETTLE);
        bench.turn().await;
        bench.later(SETTLE);
        bench.turn().await;
    }
    if how == "absent" {
        assert_eq!(bench.state(id).await, DeliveryState::Cancelled);
        assert_eq!(bench.network.calls(), 1);
    } else {
        assert_eq!(bench.state(id).await, DeliveryState::Sent);
        bench.takedown().await;
        assert_eq!(bench.network.shown(), []);
        assert!(bench.view(id).await.deleted_at.is_some());
    }
    // The rest of a thread does not go out alone.
    assert_eq!(bench.view(rest).await.hold.as_deref(), Some("predecessor"));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_taken_back_since_its_account_was_removed_is_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let working = bench.spawn_turn();
    bench.network.until_called().await;
    bench.app.store.cancel(id, "ayşe").await.expect("it is noted");
    bench.app.store.remove_account(bench.account, "ayşe").await.expect("it can be removed");
    bench.network.go_on();
    working.await.expect("it ends").expect("the database answers");
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    let all = bench.app.store.deliveries(&DeliveryFilter::default()).await.expect("answered");
    let takedown = all.iter().find(|view| view.action == Action::Delete).expect("it was asked for");
    assert_eq!(takedown.state, DeliveryState::Failed);
    assert!(
        takedown.reason.as_deref().is_some_and(|reason| reason.contains("delete it on the network")),
        "{takedown:?}"
    );
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn cancelling_and_sending_at_once_ends_in_one_of_the_two(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    for number in 0..12 {
        let id = bench.post(&format!("{number} kez{}", " kez".repeat(number))).await;
        let cancel = async {
            for _ in 0..number {
                tokio::task::yield_now().await;
            }
            bench.app.store.cancel(id, "ayşe").await
        };
        let (_, cancelled) = tokio::join!(bench.turn(), cancel);
        // The database's clock is read again now and then, and may step a little.
        bench.later(MINUTE);
        bench.drain().await;
        bench.takedown().await;
        let view = bench.view(id).await;
        let visible = bench.network.texts().iter().any(|text| text.starts_with(&format!("{number} ")));
        match view.state {
            DeliveryState::Cancelled => assert!(!visible && cancelled.is_ok(), "{view:?}"),
            // Cancelled during the call, and taken back; or the cancel came too late and said so.
            DeliveryState::Sent => assert_eq!(visible, cancelled.is_err(), "{view:?}"),
            state => panic!("{state}"),
        }
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_post_moves_until_its_call(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    let later = bench.now() + MINUTE * 30;
    let view = bench.app.store.reschedule(id, later, "ayşe").await.expect("it can be moved");
    assert_eq!(view.due_at.as_millisecond(), later.as_millisecond());
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    let past = bench.app.store.reschedule(id, bench.now() - MINUTE * 60, "ayşe").await;
    assert!(matches!(past, Err(StoreError::Conflict(_))));
    bench.later(MINUTE * 31);
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert!(bench.app.store.reschedule(id, later, "ayşe").await.is_err());
    assert!(bench.app.store.cancel(id, "ayşe").await.expect_err("it is out").to_string().contains("delete"));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_sent_is_deleted_by_a_delivery_of_its_own(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    assert!(bench.app.store.delete_again(id, "ayşe").await.is_err(), "it is not out yet");
    bench.turn().await;
    let mut rest = PostRequest::new(bench.account, "devamı", "test");
    (rest.after, rest.due_at) = (Some(id), Some(bench.now() + MINUTE));
    let rest = bench.try_post(rest).await.expect("it can be posted").id;
    let takedown = bench.app.store.delete_again(id, "ayşe").await.expect("it can be deleted");
    assert_eq!((takedown.action, takedown.class, takedown.target_id), (Action::Delete, 0, Some(id)));
    let again = bench.app.store.delete_again(id, "ayşe").await.expect("twice is once");
    assert_eq!(again.id, takedown.id);
    assert_eq!(bench.view(rest).await.hold.as_deref(), Some("predecessor"), "the rest of a thread stays");
    // An unclear deletion is simply made again.
    bench.network.script([End::Unclear]);
    bench.takedown().await;
    assert_eq!(bench.state(takedown.id).await, DeliveryState::Retry);
    bench.later(MINUTE);
    bench.takedown().await;
    assert_eq!(bench.state(takedown.id).await, DeliveryState::Sent);
    assert_eq!(bench.network.shown(), []);
    let view = bench.view(id).await;
    assert!(view.deleted_at.is_some() && !view.can_delete());
    let gone = bench.app.store.delete_again(id, "ayşe").await.expect_err("it is gone").to_string();
    assert!(gone.contains("was deleted from its network already"), "{gone}");
    let history = bench.app.store.audit_of(&id.to_string(), 10).await.expect("answered");
    let deletions = history.iter().filter(|line| line.action == "delivery.delete");
    assert_eq!(deletions.count(), 1, "what was not done is not written down");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn stopping_everything_stops_everything(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let late = bench.post("bir").await;
    store.stop(&Scope::All, "deprem", "ayşe").await.expect("it can be stopped");
    assert_eq!(store.stops().await.expect("answered")[0].reason, "deprem");
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    assert!(bench.view(late).await.next_step.contains("all sending is stopped"));
    bench.later(MINUTE * 20);
    store.resume(&Scope::All, MINUTE, "ayşe").await.expect("it can go on");
    bench.drain().await;
    // It did not fire late by itself.
    assert_eq!((bench.state(late).await, bench.network.calls()), (DeliveryState::Held, 0));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_held_is_released_without_a_burst(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("each", "all")] how: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut ids = Vec::new();
    for text in ["bir", "iki tane", "üç küçük kedi"] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(bench.now() - MINUTE * 60);
        let view = bench.try_post(request).await.expect("it is kept");
        assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")));
        ids.push(view.id);
    }
    let store = &bench.app.store;
    let spacing = MINUTE;
    match how {
        "each" => {
            for id in &ids {
                store.decide(*id, Decision::Queue, spacing, "ayşe", store.clock()).await.expect("it can be released");
            }
        }
        _ => {
            let count = store.release_held(Hold::Late, Some(bench.account), spacing, "ayşe").await.expect("released");
            assert_eq!(count, 3);
        }
    }
    for expected in 1..=3 {
        bench.drain().await;
        assert_eq!(bench.network.calls(), expected);
        bench.later(MINUTE);
    }
    assert_eq!(bench.network.texts(), ["bir", "iki tane", "üç küçük kedi"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn lists_are_filtered_and_paged(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(bench.post(&format!("{number} {}", "söz ".repeat(number))).await);
    }
    bench.app.store.cancel(ids[3], "ayşe").await.expect("it can be cancelled");
    let mut seen = Vec::new();
    let mut filter = DeliveryFilter { limit: 3, ..DeliveryFilter::default() };
    loop {
        let page = bench.app.store.deliveries(&filter).await.expect("answered");
        let Some(last) = page.last() else { break };
        filter.after = Some((last.due_at, last.id));
        seen.extend(page.iter().map(|delivery| delivery.id));
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids, "each once");
    let cancelled = DeliveryFilter {
        account_id: Some(bench.account),
        states: vec![DeliveryState::Cancelled],
        ..DeliveryFilter::default()
    };
    assert_eq!(bench.app.store.deliveries(&cancelled).await.expect("answered").len(), 1);
    let counts = bench.app.store.delivery_counts().await.expect("answered");
    assert_eq!(counts, [(DeliveryState::Cancelled, 1), (DeliveryState::Queued, 6)]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_deletion_that_fails_holds_up_no_other(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.drain().await;
    for id in [first, second] {
        bench.app.store.delete_again(id, "ayşe").await.expect("it can be deleted");
    }
    bench.network.script([End::Unavailable]);
    let failed = bench.takedown().await;
    assert_eq!(failed.rest, None);
    bench.takedown().await;
    assert_eq!(bench.network.texts(), ["bir"]);
    bench.later(MINUTE);
    bench.takedown().await;
    assert_eq!(bench.network.shown(), []);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_of_no_use_any_more_is_not_released(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut past = PostRequest::new(bench.account, "bir", "test");
    (past.due_at, past.expires_at) = (Some(bench.now() - MINUTE * 3), Some(bench.now() - MINUTE));
    let refused = bench.try_post(past.clone()).await.expect_err("it is over").to_string();
    assert!(refused.contains("which has passed; choose a later time to expire"), "{refused}");
    past.expires_at = Some(bench.now() + MINUTE);
    let id = bench.try_post(past).await.expect("it is late, and still of use").id;
    bench.execute("UPDATE deliveries SET state = 'held', hold = 'late'").await;
    bench.later(MINUTE * 2);
    let store = &bench.app.store;
    for refused in [
        store.decide(id, Decision::Queue, Duration::ZERO, "ayşe", bench.now()).await,
        store.retry(id, Duration::ZERO, "ayşe", bench.now()).await,
    ] {
        let refused = refused.expect_err("it would expire at once").to_string();
        assert!(refused.ends_with("at the latest; write a new one, or cancel it"), "{refused}");
    }
    store.decide(id, Decision::Cancel, Duration::ZERO, "ayşe", bench.now()).await.expect("it can be cancelled");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_deleted_is_no_duplicate(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("Bugün bütün mağazalarda indirim").await;
    bench.turn().await;
    let again = || PostRequest::new(bench.account, "Bugün bütün mağazalarda indirim", "test");
    assert!(bench.try_post(again()).await.is_err(), "it is out");
    bench.app.store.delete_again(id, "ayşe").await.expect("it can be deleted");
    bench.takedown().await;
    bench.try_post(again()).await.expect("it is not there any more");
    bench.stop().await;
}

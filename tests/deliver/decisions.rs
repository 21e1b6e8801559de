//! What people decide about a delivery that may be out, that failed, or that should go on sooner.

use std::time::Duration;

use muhatap::compose::PostRequest;
use muhatap::model::{DeliveryId, DeliveryState, Hold};
use muhatap::standing::{Next, Why};
use muhatap::store::StoreError;
use muhatap::store::attempts::{Marking, Turn};
use muhatap::store::deliveries::Decision;
use muhatap::store::many::Act;
use muhatap_connectors::{Certainty, Prepared};
use rstest::rstest;

use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::sending::Bench;
use crate::support::{Backend, fresh_store};

const SETTLE: Duration = Duration::from_secs(31);
const MINUTE: Duration = Duration::from_secs(60);

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.expect_err("it is refused") {
        StoreError::Conflict(reason) => reason,
        error => panic!("{error}"),
    }
}

#[rstest]
#[tokio::test]
async fn what_may_be_out_is_not_cancelled_moved_or_sent_again_without_a_look(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    let mut backup = Vec::new();
    let queued = bench.post("iki tane").await;
    bench.app.store.backup(&mut backup, |_, _| {}).await.expect("it can be written");
    let (_database, restored) = fresh_store(backend).await;
    restored.restore(backup.as_slice(), |_, _| {}).await.expect("it can be read");

    for (store, id) in [(&bench.app.store, id), (&restored, queued)] {
        let view = store.delivery(id).await.expect("it is there");
        assert!(view.may_be_out() && view.needs_decision() && !view.can_cancel() && !view.can_move(), "{view:?}");
        let later = bench.now() + MINUTE * 30;
        for refused in [
            refusal(store.cancel(id, "ayşe").await),
            refusal(store.reschedule(id, later, "ayşe").await),
            refusal(store.retry(id, MINUTE, "ayşe", bench.now()).await),
        ] {
            assert!(refused.contains("may be out already") && refused.contains("decide"), "{refused}");
        }
        assert_eq!(store.delivery(id).await.expect("it is there").state, view.state, "nothing was done");
        let now = bench.now() + SETTLE;
        let given_up = store.decide(id, Decision::Cancel, MINUTE, "ayşe", now).await.expect("it can be given up");
        assert_eq!(given_up.state, DeliveryState::Cancelled);
        assert!(given_up.reason.is_some_and(|reason| reason.contains("nobody knows")));
    }
    restored.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn as_long_as_a_call_may_take_effect_only_sent_can_be_decided(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let network = FakeNetwork::with_keys(Certainty::None, Keys::Ignored);
    let bench = Bench::on(backend, network, |_| {}).await;
    let store = &bench.app.store;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::ApplyLate, End::ApplyLate]);
    bench.drain().await;
    let decide = |id, decision| store.decide(id, decision, Duration::ZERO, "ayşe", bench.now());
    for decision in [Decision::Queue, Decision::Cancel] {
        assert!(refusal(decide(first, decision).await).contains("may still appear"));
    }
    let view = bench.view(first).await;
    assert_eq!((view.standing.why, view.standing.next), (Why::Unclear, Next::Decide));
    assert!(view.next_at.is_some_and(|from| from > bench.now()), "it says from when on");

    // It appears, as it may until then: whoever looks again sees it.
    bench.network.apply_late();
    assert!(refusal(store.delete_again(first, "ayşe").await).contains("decide"), "whether it is out comes first");
    let seen = decide(first, Decision::Sent { receipt: None }).await.expect("seen");
    assert_eq!((seen.state, seen.can_delete()), (DeliveryState::Sent, false));
    assert!(refusal(store.delete_again(first, "ayşe").await).contains("delete it there yourself"));
    bench.later(SETTLE);
    decide(second, Decision::Cancel).await.expect("it can be decided now");
    assert_eq!(bench.network.calls(), 2, "no second call for either");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_failed_is_sent_again_as_if_it_had_never_been_called(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::Key { life: Duration::from_secs(3600) }).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Refuse("the text is not allowed")]);
    bench.turn().await;
    let failed = bench.view(id).await;
    assert_eq!(failed.state, DeliveryState::Failed);
    assert!(failed.first_called_at.is_some() && failed.can_retry());
    let again = bench.app.store.retry(id, Duration::ZERO, "ayşe", bench.now()).await.expect("it can be sent again");
    assert_eq!((again.state, again.first_called_at), (DeliveryState::Queued, None), "a refusal sent nothing");
    bench.drain().await;
    assert_eq!((bench.state(id).await, bench.network.calls()), (DeliveryState::Sent, 2));
    let history: Vec<_> = bench.app.store.audit_of(&id.to_string(), 10).await.expect("answered");
    assert_eq!(
        history.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(),
        ["delivery.enqueue", "delivery.decide"]
    );
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_call_that_was_not_made_is_not_remembered_as_one(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("written down", "from the journal")] how: &str,
) {
    let bench = Bench::on(backend, FakeNetwork::new(Certainty::None), |config| {
        if how == "written down" {
            // No call is ever in time.
            config.delivery.lease_margin = Duration::ZERO;
        }
    })
    .await;
    let id = bench.post("bir").await;
    let store = &bench.app.store;
    if how == "written down" {
        bench.turn().await;
    } else {
        // The database is away after the mark, so that only the journal knows that nothing was called.
        let lease = Duration::from_secs(40);
        let turn = store.take(&bench.lane(), "w1", lease, None, bench.now()).await.expect("the database answers");
        let Turn::Send(mut work) = turn else { panic!("it is due: {turn:?}") };
        let prepared = Prepared::default();
        assert!(store.begin_sending(&mut work, &prepared, "w1", lease, bench.now()).await.expect("answered"));
        let marking = Marking::of(&work);
        let another = Marking { at: marking.at - Duration::from_secs(1), ..marking };
        let replayed = store.replay_not_called(&another, "too late", bench.now()).await;
        assert!(!replayed.expect("answered"), "a call of that epoch whose commit was taken back is not this one");
        assert!(store.replay_not_called(&marking, "too late", bench.now()).await.expect("answered"));
    }
    let view = bench.view(id).await;
    assert_eq!((view.state, view.attempts, view.first_called_at), (DeliveryState::Queued, 0, None));
    assert!(view.reason.is_some());
    let attempts = store.attempts(id).await.expect("answered");
    assert_eq!(attempts[0].outcome.as_deref(), Some("put_back"), "its history tells it all the same");
    assert_eq!(bench.network.calls(), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_keeps_its_place_in_the_lane(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Unavailable]);
    bench.drain().await;
    let waiting = bench.view(first).await;
    assert!(matches!(waiting.standing.why, Why::Retrying { calls: 1, error: Some(_) }), "{:?}", waiting.standing);
    assert_eq!(waiting.standing.next_at, waiting.next_at);
    let behind = bench.view(second).await.standing;
    assert!(matches!(behind.why, Why::LaneGated { .. }), "{behind:?}");
    let view = bench.app.store.retry(first, MINUTE, "ayşe", bench.now()).await.expect("it can go now");
    assert_eq!((view.state, view.due_at), (DeliveryState::Queued, waiting.due_at));
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    assert!(refusal(bench.app.store.retry(first, MINUTE, "ayşe", bench.now()).await).contains("out already"));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_asks_the_network_sooner_and_never_calls_before_that(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let id = bench.post("bir").await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    let early = bench.app.store.retry(id, MINUTE, "ayşe", bench.now()).await;
    assert!(refusal(early).contains("the network is asked"), "its call may still take effect");
    bench.later(SETTLE);
    bench.network.script_find([End::Unavailable]);
    bench.turn().await;
    let view = bench.view(id).await;
    assert!(view.is_unreadable() && view.can_retry() && view.needs_decision(), "{:?}", view.standing);
    bench.app.store.retry(id, MINUTE, "ayşe", bench.now()).await.expect("it is asked now");
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.network.calls()), (DeliveryState::Sent, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_lost_its_predecessor_goes_out_alone_when_a_person_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let first = bench.post("bir").await;
    let mut request = PostRequest::new(bench.account, "iki tane", "test");
    request.after = Some(first);
    let second = bench.try_post(request).await.expect("it can be posted").id;
    let follows = Why::Follows { delivery_id: first, state: DeliveryState::Queued };
    assert_eq!(bench.view(second).await.standing.why, follows);
    bench.app.store.cancel(first, "ayşe").await.expect("it can be cancelled");
    assert_eq!(bench.view(second).await.hold.as_deref(), Some("predecessor"));
    bench.app.store.retry(second, Duration::ZERO, "ayşe", bench.now()).await.expect("it can go alone");
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["iki tane"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn many_are_done_one_by_one_and_what_is_refused_says_why(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut held = Vec::new();
    for text in ["bir", "iki tane", "üç küçük kedi"] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(bench.now() - MINUTE * 60);
        held.push(bench.try_post(request).await.expect("it is kept").id);
    }
    let unclear = bench.post("belirsiz kalan söz").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    let nowhere = DeliveryId::new(bench.now());
    let ids = [held[0], unclear, nowhere, held[1], held[2]];
    let acted = bench.app.store.act_on(&ids, Act::Retry, MINUTE, "ayşe", bench.now()).await.expect("answered");
    assert_eq!(acted.done, [held[0], held[1], held[2]]);
    let refused: Vec<_> = acted.refused.iter().map(|refused| refused.id).collect();
    assert_eq!(refused, [unclear, nowhere]);
    assert!(acted.refused[0].reason.contains("may be out already"), "{:?}", acted.refused);
    let mut times = Vec::new();
    for id in &held {
        times.push(bench.view(*id).await.due_at);
    }
    assert_eq!(times[1].duration_since(times[0]), jiff::SignedDuration::from_mins(1));
    assert_eq!(times[2].duration_since(times[1]), jiff::SignedDuration::from_mins(1));
    let acted = bench.app.store.act_on(&held, Act::Cancel, MINUTE, "ayşe", bench.now()).await.expect("answered");
    assert_eq!(acted.done, held);
    bench.drain().await;
    assert_eq!(bench.network.texts(), Vec::<String>::new());
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn many_posts_sent_now_go_out_spaced_in_the_order_they_were_due_and_each_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let mut planned = Vec::new();
    for (hours, text) in [(2, "bir"), (3, "iki tane"), (4, "üç küçük kedi")] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(bench.now() + MINUTE * 60 * hours);
        planned.push(bench.try_post(request).await.expect("planned").id);
    }
    // A person's own time for one of them is no reason for the others to wait for it.
    store.reschedule(planned[2], bench.now() + MINUTE * 300, "ayşe").await.expect("moved");
    let chosen = [planned[2], planned[0], planned[1], planned[0]];
    let plan = store.retry_plan(&chosen, MINUTE, bench.now()).await.expect("answered");
    assert_eq!((plan.spaced, plan.accounts, plan.at_once, plan.spacing_seconds), (3, 1, 0, 60));
    assert_eq!(bench.state(planned[0]).await, DeliveryState::Queued, "only asked");
    let now = bench.now();
    let acted = store.act_on(&chosen, Act::Retry, MINUTE, "ayşe", now).await.expect("answered");
    assert_eq!((acted.done, acted.refused), (planned.clone(), Vec::new()), "each once");
    for (index, id) in planned.iter().enumerate() {
        let due_at = bench.view(*id).await.due_at;
        assert_eq!(due_at.as_millisecond(), (now + MINUTE * index as u32).as_millisecond());
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
async fn what_is_released_before_its_time_keeps_it(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let at = |text: &str, due_at| PostRequest { due_at: Some(due_at), ..PostRequest::new(bench.account, text, "test") };
    let (past, soon) = (bench.now() - MINUTE, bench.now() + MINUTE * 600);
    let late = bench.try_post(at("bir", past)).await.expect("planned").id;
    let ahead = bench.try_post(at("iki tane", soon)).await.expect("planned");
    let alone = bench.try_post(at("üç küçük kedi", soon)).await.expect("planned");
    bench.execute("UPDATE deliveries SET state = 'held', hold = 'restored' WHERE state = 'queued'").await;
    let plan = store.release_plan(Hold::Restored, None, MINUTE).await.expect("answered");
    assert_eq!((plan.spaced, plan.later, plan.accounts), (1, 2, 1));
    let queue = store.decide(alone.id, Decision::Queue, MINUTE, "ayşe", bench.now()).await.expect("decided");
    assert_eq!((queue.state, queue.due_at), (DeliveryState::Queued, alone.due_at), "a decision keeps it too");
    assert_eq!(store.release_held(Hold::Restored, None, MINUTE, "ayşe").await.expect("released"), 2);
    assert_eq!(bench.view(ahead.id).await.due_at, ahead.due_at);
    bench.drain().await;
    assert_eq!((bench.state(late).await, bench.network.calls()), (DeliveryState::Sent, 1), "nothing goes out early");
    let now = store.retry(ahead.id, MINUTE, "ayşe", bench.now()).await.expect("sent now");
    assert!(now.due_at < ahead.due_at, "who says now means now");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_follows_another_is_not_late_before_that_one_is_out(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut first = PostRequest::new(bench.account, "bir", "test");
    first.due_at = Some(bench.now() + MINUTE * 600);
    let first = bench.try_post(first).await.expect("planned").id;
    let second = PostRequest { after: Some(first), ..PostRequest::new(bench.account, "iki tane", "test") };
    let second = bench.try_post(second).await.expect("planned").id;
    bench.later(MINUTE * 300);
    bench.reap().await;
    assert_eq!(bench.state(second).await, DeliveryState::Queued);
    bench.later(MINUTE * 301);
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    bench.stop().await;
}

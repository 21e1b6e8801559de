//! After an unclear end: verified, never guessed.

use std::time::Duration;

use muhatap::compose::PostRequest;
use muhatap::linked::{self, LinkError};
use muhatap::model::DeliveryState;
use muhatap::store::attempts::Outcome;
use muhatap::store::deliveries::Decision;
use muhatap_connectors::{Certainty, Receipt};
use rstest::rstest;

use crate::support::Backend;
use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::sending::Bench;

const SETTLE: Duration = Duration::from_secs(31);
const HOUR: Duration = Duration::from_secs(3600);
const KEY: Certainty = Certainty::Key { life: HOUR };

#[rstest]
#[tokio::test]
async fn what_was_accepted_is_found_after_the_settle_time_and_not_sent_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(KEY, Certainty::ReadBack, Certainty::Steps)] certainty: Certainty,
    #[values(End::AcceptThenError, End::AcceptThenHang)] end: End,
) {
    let network = FakeNetwork::with_keys(certainty, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| config.delivery.call_timeout = Duration::from_millis(200)).await;
    let id = bench.post("bir").await;
    bench.network.script([end]);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Verifying);
    // Too early: the call may still be on its way.
    bench.later(Duration::from_secs(20));
    assert_eq!(bench.turn().await.outcome, None);
    assert_eq!(bench.network.finds(), 0);
    bench.later(SETTLE);
    let ended = bench.turn().await;
    assert!(matches!(ended.outcome, Some(Outcome::Sent { found: true, .. })), "{ended:?}");
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.shown().len()), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn with_a_key_what_is_absent_is_sent_again_under_the_same_key(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, KEY).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (2, 1));
    let attempts = bench.app.store.attempts(id).await.expect("they can be read");
    assert_eq!(attempts.len(), 2);
    assert!(attempts[0].epoch < attempts[1].epoch);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_always_ends_unclearly_is_called_less_and_less_and_then_makes_room(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(KEY, Certainty::ReadBack)] certainty: Certainty,
) {
    let network = FakeNetwork::with_keys(certainty, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| config.delivery.post_late = HOUR * 5).await;
    let (id, next) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script(vec![End::Unclear; 8]);
    let mut gone_by = Duration::ZERO;
    while bench.state(id).await != DeliveryState::Failed {
        assert_eq!(bench.state(next).await, DeliveryState::Queued, "its turn is kept");
        assert!(gone_by < HOUR, "it ends: {} calls", bench.network.calls());
        bench.turn().await;
        bench.later(Duration::from_secs(5));
        gone_by += Duration::from_secs(5);
    }
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (8, 0));
    assert!(gone_by > Duration::from_secs(8 * 60), "{gone_by:?}");
    let reason = bench.view(id).await.reason.unwrap_or_default();
    assert!(reason.starts_with("8 calls ended unclearly"), "{reason}");
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["iki tane"]);
    bench.stop().await;
}

#[tokio::test]
async fn with_a_key_a_first_call_that_takes_effect_late_is_not_doubled() {
    let bench = Bench::new(Backend::Sqlite, KEY).await;
    let id = bench.post("bir").await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    // The network's list is behind: the message is there, but not shown yet.
    bench.network.set_hidden(true);
    bench.later(SETTLE);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (2, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_key_past_half_its_life_is_not_trusted(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let network = FakeNetwork::with_keys(KEY, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| config.delivery.post_late = HOUR * 5).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    bench.later(HOUR / 2);
    let ended = bench.turn().await;
    assert!(matches!(ended.outcome, Some(Outcome::Absent { .. })), "{ended:?}");
    assert_eq!(bench.network.calls(), 1, "read back only");
    bench.later(SETTLE);
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (2, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn absence_takes_two_looks_with_time_between(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(Certainty::ReadBack, Keys::Ignored), |_| {}).await;
    let id = bench.post("bir").await;
    let next = bench.post("iki tane").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.network.finds()), (DeliveryState::Verifying, 1));
    // Its lane waits for it, and a look too soon proves nothing.
    assert_eq!(bench.turn().await.outcome, None);
    assert_eq!(bench.state(next).await, DeliveryState::Queued);
    bench.later(SETTLE);
    let ended = bench.turn().await;
    assert_eq!(ended.outcome, Some(Outcome::Requeued));
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    bench.stop().await;
}

#[tokio::test]
async fn a_call_that_takes_effect_between_two_looks_is_found_by_the_second() {
    let bench = Bench::on(Backend::Sqlite, FakeNetwork::with_keys(Certainty::ReadBack, Keys::Ignored), |_| {}).await;
    let id = bench.post("bir").await;
    bench.network.script([End::ApplyLate]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.turn().await;
    bench.network.apply_late();
    bench.later(SETTLE);
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_read_back_that_fails_proves_nothing_and_goes_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let id = bench.post("bir").await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.network.script_find([End::Unavailable, End::Malformed, End::RateLimit(SETTLE), End::Unauthorized]);
    for _ in 0..4 {
        bench.turn().await;
        let view = bench.view(id).await;
        assert_eq!(view.state, DeliveryState::Verifying);
        assert!(view.reason.is_some() && view.next_step.contains("asked again"), "{view:?}");
        bench.later(Duration::from_secs(600));
    }
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_network_that_says_it_cannot_tell_leaves_it_to_a_person() {
    let bench = Bench::new(Backend::Sqlite, Certainty::ReadBack).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.network.script_find([End::Refuse("history is off")]);
    bench.turn().await;
    let view = bench.view(id).await;
    assert_eq!(view.state, DeliveryState::Unknown);
    assert!(view.needs_decision());
    bench.stop().await;
}

#[tokio::test]
async fn another_deliverys_message_with_the_same_text_is_not_taken_for_this_one() {
    let bench = Bench::on(Backend::Sqlite, FakeNetwork::with_keys(Certainty::ReadBack, Keys::Ignored), |_| {}).await;
    let first = bench.post("aynı söz").await;
    bench.turn().await;
    let mut request = PostRequest::new(bench.account, "aynı söz", "test");
    request.confirm.duplicate = true;
    let second = bench.try_post(request).await.expect("it can be posted").id;
    bench.later(Duration::from_secs(1));
    bench.network.script([End::Unclear]);
    bench.turn().await;
    for _ in 0..3 {
        bench.later(SETTLE);
        bench.drain().await;
    }
    assert_eq!(bench.state(first).await, DeliveryState::Sent);
    let view = bench.view(second).await;
    assert_eq!((view.state, bench.network.ever_shown().len()), (DeliveryState::Sent, 2));
    assert_ne!(view.network_ref, bench.view(first).await.network_ref);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn without_a_way_to_tell_it_is_unknown_at_once_and_a_person_decides(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(End::AcceptThenError, End::Malformed, End::Panic, End::Hang)] end: End,
) {
    let network = FakeNetwork::new(Certainty::None);
    let bench = Bench::on(backend, network, |config| config.delivery.call_timeout = Duration::from_millis(200)).await;
    let ids = [bench.post("bir").await, bench.post("iki tane").await, bench.post("başka üçüncü söz").await];
    let after = bench.post("hiçbirini beklemeyen").await;
    bench.network.script([end.clone(), end.clone(), end]);
    bench.drain().await;
    for id in ids {
        assert_eq!(bench.state(id).await, DeliveryState::Unknown);
    }
    // An unknown end does not stop what comes after it.
    assert_eq!(bench.state(after).await, DeliveryState::Sent);

    bench.later(SETTLE);
    let store = &bench.app.store;
    bench.execute("UPDATE accounts SET profile_url = 'https://network.example/@biz'").await;
    let elsewhere = linked::receipt(&bench.app, ids[0], "https://evil.example/post/9").await.expect_err("another site");
    assert!(
        matches!(&elsewhere, LinkError::Unfit(reason) if reason.contains("account biz is on network.example")),
        "{elsewhere}"
    );
    let link = linked::receipt(&bench.app, ids[0], "https://network.example/post/9").await.expect("a link");
    let sent = store
        .decide(ids[0], Decision::Sent { receipt: Some(link) }, Duration::ZERO, "ali", bench.now())
        .await
        .expect("decided");
    assert_eq!((sent.state, sent.url.as_deref()), (DeliveryState::Sent, Some("https://network.example/post/9")));
    assert_eq!(sent.decided_by.as_deref(), Some("ali"));
    store.decide(ids[1], Decision::Queue, Duration::ZERO, "ali", bench.now()).await.expect("decided");
    store.decide(ids[2], Decision::Cancel, Duration::ZERO, "ali", bench.now()).await.expect("decided");
    assert!(store.decide(ids[2], Decision::Queue, Duration::ZERO, "ali", bench.now()).await.is_err(), "it is decided");
    bench.drain().await;
    assert_eq!(bench.state(ids[1]).await, DeliveryState::Sent);
    assert_eq!(bench.state(ids[2]).await, DeliveryState::Cancelled);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_outage_makes_nothing_unknown_that_was_never_called(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Certainty::None, Certainty::ReadBack, KEY)] certainty: Certainty,
) {
    let bench = Bench::new(backend, certainty).await;
    let mut ids = Vec::new();
    for text in ["bir", "iki tane", "üç küçük kedi", "dört yanım deniz"] {
        ids.push(bench.post(text).await);
    }
    bench.network.set_dark(true);
    for _ in 0..8 {
        bench.drain().await;
        muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
        bench.later(Duration::from_secs(50));
    }
    assert_eq!(bench.network.calls(), 1, "one call met the outage");
    for id in &ids[1..] {
        let view = bench.view(*id).await;
        assert_eq!((view.state, view.attempts), (DeliveryState::Queued, 0));
    }
    bench.network.set_dark(false);
    bench.later(Duration::from_secs(61));
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    // Not when the pause after the last failed look is over, which may be minutes.
    for _ in 0..3 {
        bench.drain().await;
        bench.later(SETTLE);
    }
    for id in &ids[1..] {
        assert_eq!(bench.state(*id).await, DeliveryState::Sent);
    }
    let expected = if certainty == Certainty::None { DeliveryState::Unknown } else { DeliveryState::Sent };
    assert_eq!(bench.state(ids[0]).await, expected);
    bench.stop().await;
}

/// The first call got through, its answer was lost, and the list of posts is behind, so that the look does not show it.
async fn out_but_not_listed(backend: Backend, repeated: End) -> (Bench, muhatap::model::DeliveryId) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(KEY, Keys::Ignored), |config| {
        config.delivery.post_late = HOUR * 5;
    })
    .await;
    let id = bench.post("bir").await;
    bench.network.script([End::AcceptThenError, repeated]);
    bench.turn().await;
    bench.network.set_hidden(true);
    bench.later(SETTLE);
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.network.calls()), (DeliveryState::Verifying, 2));
    (bench, id)
}

#[rstest]
#[tokio::test]
async fn that_a_repeated_call_was_refused_says_nothing_about_the_first(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(End::RateLimit(HOUR), End::Unavailable, End::Refuse("the answered message is gone"), End::Unauthorized)]
    repeated: End,
) {
    let (bench, id) = out_but_not_listed(backend, repeated).await;
    bench.network.set_hidden(false);
    bench.later(HOUR * 2);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (2, 1));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_cancelled_after_a_refused_repetition_is_taken_back_if_it_is_out() {
    let (bench, id) = out_but_not_listed(Backend::Sqlite, End::Unavailable).await;
    let view = bench.app.store.cancel(id, "ayşe").await.expect("it is noted");
    assert_eq!(view.state, DeliveryState::Verifying, "nobody may be told that it is cancelled");
    bench.network.set_hidden(false);
    bench.later(HOUR);
    bench.turn().await;
    bench.takedown().await;
    assert_eq!(bench.network.shown(), []);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_absent_and_refused_again_ends_as_refused(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, KEY).await;
    let id = bench.post("bir").await;
    let refusal = End::Refuse("the answered message is gone");
    bench.network.script([End::Unclear, refusal.clone(), refusal]);
    bench.turn().await;
    for _ in 0..3 {
        bench.later(SETTLE);
        bench.drain().await;
    }
    assert_eq!((bench.state(id).await, bench.network.calls()), (DeliveryState::Failed, 3));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_late_and_proved_absent_still_goes_before_what_is_behind_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Unclear]);
    bench.turn().await;
    // After a minute campaign posts are lifted: both, or the second would go first before the reaper's next round.
    for _ in 0..2 {
        bench.later(SETTLE);
        bench.reap().await;
        bench.turn().await;
    }
    bench.drain().await;
    assert_eq!((bench.state(first).await, bench.state(second).await), (DeliveryState::Sent, DeliveryState::Sent));
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_expires_while_it_is_looked_for_is_not_looked_for_forever(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::Key { life: HOUR * 24 * 365 }).await;
    let mut request = PostRequest::new(bench.account, "bir", "test");
    request.expires_at = Some(bench.now() + Duration::from_secs(20));
    let id = bench.try_post(request).await.expect("it can be posted").id;
    let next = bench.post("iki tane").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    for _ in 0..3 {
        bench.later(SETTLE);
        bench.drain().await;
    }
    assert_eq!(bench.state(id).await, DeliveryState::Expired);
    // Its lane is free again.
    assert_eq!(bench.state(next).await, DeliveryState::Sent);
    assert_eq!(bench.network.texts(), ["iki tane"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_dies_in_an_outage_takes_one_delivery_with_it_not_the_queue(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Hang]);
    let dying = bench.spawn_turn();
    bench.network.until_called().await;
    bench.network.set_dark(true);
    dying.abort();
    let _ = dying.await;
    bench.later(Duration::from_secs(120));
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.state(first).await, DeliveryState::Unknown);
    assert_eq!((bench.state(second).await, bench.network.calls()), (DeliveryState::Queued, 1));
    bench.network.set_dark(false);
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.drain().await;
    assert_eq!(bench.state(second).await, DeliveryState::Sent);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn who_sends_an_unknown_one_after_all_takes_back_the_wish_to_cancel(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let working = bench.spawn_turn();
    bench.network.until_called().await;
    bench.app.store.cancel(id, "ayşe").await.expect("it is noted");
    working.abort();
    let _ = working.await;
    bench.later(Duration::from_secs(120));
    bench.reap().await;
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Unknown);
    bench.app.store.decide(id, Decision::Queue, Duration::ZERO, "ali", bench.now()).await.expect("decided");
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_late_proof_that_names_another_deliverys_message_is_for_people_to_decide(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Unclear]);
    bench.drain().await;
    let remote_id = bench.view(second).await.network_ref.expect("it is sent");
    let receipt = Receipt { remote_id, local_id: None, url: None };
    // The journal's entry is done with: what cannot be put in would stop everything that comes after it.
    assert!(bench.app.store.replay_sent(first, 1, &receipt, bench.now()).await.expect("it is no error"));
    let view = bench.view(first).await;
    assert_eq!(view.state, DeliveryState::Unknown);
    assert!(view.reason.is_some_and(|reason| reason.contains("another delivery")));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_became_late_is_not_repeated_under_its_key_before_a_person_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::Key { life: HOUR * 24 * 3650 }).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    // An outage of six hours, and a post that may be a quarter of an hour late.
    bench.later(HOUR * 6);
    for _ in 0..3 {
        bench.turn().await;
        bench.later(SETTLE);
    }
    let view = bench.view(id).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")));
    assert_eq!((bench.network.calls(), bench.network.finds()), (1, 2));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_proof_that_comes_after_a_person_cancelled_takes_the_message_down(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let frozen = bench.spawn_turn();
    bench.network.until_called().await;
    bench.later(Duration::from_secs(120));
    bench.reap().await;
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Unknown);
    bench.later(SETTLE);
    bench.app.store.decide(id, Decision::Cancel, Duration::ZERO, "ali", bench.now()).await.expect("decided");
    // It is out all the same.
    bench.network.go_on();
    frozen.await.expect("it ends").expect("the database answers");
    assert_eq!(bench.state(id).await, DeliveryState::Sent, "the network's proof is the truth");
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.takedown().await;
    assert_eq!(bench.network.shown(), []);
    assert!(bench.view(id).await.deleted_at.is_some());
    bench.stop().await;
}

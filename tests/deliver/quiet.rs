//! Quiet hours: posts move to their end, one after the other; replies and what a person says go on.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use muhatap::compose::{self, PostRequest, ReplyRequest};
use muhatap::model::DeliveryState;
use muhatap::quiet::{self, QuietHours};
use muhatap::standing::Why;
use muhatap_connectors::{Certainty, Change};
use rstest::rstest;

use crate::support::Backend;
use crate::support::messages::{batch, lease, message};
use crate::support::sending::Bench;

const HOUR: Duration = Duration::from_secs(3600);

/// From an hour ago for six hours, in the account's zone, and when they end.
fn now_quiet(bench: &Bench) -> (QuietHours, Timestamp) {
    let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
    let local = |at: Timestamp| {
        let time = at.to_zoned(zone.clone()).time();
        Time::constant(time.hour(), time.minute(), 0, 0)
    };
    let now = bench.app.store.clock();
    let hours = QuietHours::new(local(now - HOUR), local(now + HOUR * 5)).expect("six hours");
    let end = hours.end_after(now, &zone).expect("it is quiet now");
    (hours, end)
}

#[rstest]
#[tokio::test]
async fn a_post_within_quiet_hours_moves_to_their_end_and_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (hours, end) = now_quiet(&bench);
    quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    let first = bench.view(bench.post("Birinci haber").await).await;
    let second = bench.view(bench.post("İkinci duyuru").await).await;
    assert_eq!((first.due_at, second.due_at), (end, end + Duration::from_secs(60)), "spaced");
    assert!(first.wanted_at.is_some_and(|wanted_at| wanted_at < end));
    assert!(first.reason.as_deref().is_some_and(|reason| reason.contains("quiet hours")), "{:?}", first.reason);
    let mut after = PostRequest::new(bench.account, "Üçüncü not", "test");
    after.due_at = Some(end + HOUR);
    assert_eq!(bench.try_post(after).await.expect("planned").wanted_at, None);
    let mut brief = PostRequest::new(bench.account, "Kısa süreli duyuru", "test");
    brief.expires_at = Some(end - HOUR);
    let refused = bench.try_post(brief).await.expect_err("it would be over by then");
    assert!(refused.to_string().contains("is quiet until"), "{refused}");
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);

    // An answer does not wait.
    let mut incoming = message("m1", "kargom gelmedi");
    incoming.published_at = bench.now() - HOUR;
    let lease = lease(&bench.app.store, bench.account).await;
    let mention = bench.app.store.record(&lease, &batch([Change::Seen(incoming)])).await.expect("recorded").new[0];
    let reply = compose::reply(&bench.app, ReplyRequest::new(mention, "Bakıyoruz.", "ayşe")).await.expect("written");
    assert!(reply.due_at < end && reply.wanted_at.is_none());

    // What a person moves goes when they said.
    bench.app.store.reschedule(second.id, bench.now(), "ayşe").await.expect("moved");
    quiet::round(&bench.app, bench.now()).await.expect("looked");
    bench.later(Duration::from_secs(15));
    bench.drain().await;
    assert_eq!(bench.network.texts().len(), 2, "the answer and what was moved");
    assert_eq!(bench.state(first.id).await, DeliveryState::Queued);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_planned_before_moves_too_and_what_became_late_waits_for_the_morning(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (hours, end) = now_quiet(&bench);
    let late = bench.post("Birinci haber").await;
    let mut tomorrow = PostRequest::new(bench.account, "Yarının haberi", "test");
    tomorrow.due_at = Some(bench.app.store.clock() + HOUR * 25);
    let tomorrow = bench.try_post(tomorrow).await.expect("planned");
    let mut outside = PostRequest::new(bench.account, "Akşamın haberi", "test");
    outside.due_at = Some(end + HOUR * 2);
    let outside = bench.try_post(outside).await.expect("planned");
    let moved = quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    assert_eq!(moved, 2);
    assert_eq!(bench.view(late).await.due_at, end);
    assert_eq!(bench.view(tomorrow.id).await.due_at, end + SignedDuration::from_hours(24));
    assert_eq!(bench.view(outside.id).await.due_at, outside.due_at);
    quiet::round(&bench.app, bench.now()).await.expect("looked");
    assert_eq!(bench.view(late).await.due_at, end, "once is enough");

    assert_eq!(bench.app.store.quiet_hours(bench.account).await.expect("answered"), Some(hours));
    quiet::set(&bench.app, bench.account, None, "ayşe").await.expect("ended");
    assert_eq!(bench.app.store.quiet_hours(bench.account).await.expect("answered"), None);
    let log = bench.app.store.audit_log(None, 50).await.expect("the log can be read");
    assert_eq!(log.iter().filter(|line| line.action == "account_quiet_hours").count(), 2);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_lateness_brought_into_quiet_hours_is_not_sent_in_them(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (hours, end) = now_quiet(&bench);
    let (late, by_hand) = (bench.post("Birinci haber").await, bench.post("İkinci duyuru").await);
    // Set past the round that moves what is planned: what a worker finds when it comes late.
    bench.app.store.set_quiet_hours(bench.account, Some(hours), "ayşe").await.expect("set");
    bench.app.store.reschedule(by_hand, bench.now(), "ayşe").await.expect("moved");
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["İkinci duyuru"], "what a person moves goes when they said");
    let view = bench.view(late).await;
    assert_eq!((view.state, view.due_at, view.attempts), (DeliveryState::Queued, end, 0));
    assert_eq!((view.standing.why, view.standing.next_at), (Why::QuietHours, Some(end)));
    assert!(view.next_step.contains("quiet hours"), "{}", view.next_step);
    bench.later(Duration::try_from(end.duration_since(bench.now())).expect("it is to come") + Duration::from_secs(1));
    bench.drain().await;
    assert_eq!(bench.state(late).await, DeliveryState::Sent);
    bench.stop().await;
}

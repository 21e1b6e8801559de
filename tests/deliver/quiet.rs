//! Quiet hours: posts move to their end, one after the other; replies and what a person says go on.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use muhatap::compose::{self, PostRequest, ReplyRequest};
use muhatap::model::{DeliveryState, Health};
use muhatap::quiet::{self, Moved, QuietHours};
use muhatap::standing::{Scope, Why};
use muhatap_connectors::{Certainty, Change};
use rstest::rstest;

use crate::support::Backend;
use crate::support::messages::{batch, lease, message};
use crate::support::network::End;
use crate::support::sending::Bench;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

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
    assert_eq!(moved, Moved { later: 2, back: 0 });
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
    quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    let (late, by_hand) = (bench.post("Birinci haber").await, bench.post("İkinci duyuru").await);
    bench.app.store.reschedule(by_hand, bench.now(), "ayşe").await.expect("moved");
    // What a worker finds that comes late to a post from before the quiet hours.
    bench
        .execute(
            "UPDATE deliveries SET due_at = wanted_at, next_at = wanted_at, wanted_at = NULL WHERE decided_by IS NULL",
        )
        .await;
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

#[rstest]
#[tokio::test]
async fn an_account_that_is_reconnected_in_quiet_hours_keeps_them(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (hours, end) = now_quiet(&bench);
    let texts = ["Birinci haber", "İkinci duyuru", "Üçüncü not"];
    for text in texts {
        bench.post(text).await;
    }
    bench.network.script([End::Unauthorized]);
    bench.drain().await;
    // As if the hours had begun just now: no round has moved what waits.
    let minute = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
    let (from, until) = (minute(hours.from), minute(hours.until));
    let begin = format!("INSERT INTO quiet_hours SELECT id, {from}, {until} FROM accounts");
    bench.execute(begin.leak()).await;
    bench.app.store.set_health(bench.account, Health::Ok, None, MINUTE).await.expect("reconnected");
    for _ in 0..3 {
        bench.drain().await;
        bench.later(MINUTE);
    }
    assert_eq!(bench.network.texts().len(), 0);
    bench.later(Duration::try_from(end.duration_since(bench.now())).expect("it is to come") + Duration::from_secs(1));
    for out in 1..=3 {
        bench.drain().await;
        assert_eq!(bench.network.texts(), texts[..out]);
        bench.later(MINUTE);
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_quiet_hours_took_they_give_back_and_what_a_person_moved_stays(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
    let noon =
        (bench.now() + HOUR * 48).to_zoned(zone).with().hour(12).minute(0).second(0).subsec_nanosecond(0).build();
    let noon = noon.expect("a noon").timestamp();
    let plan = async |text: &str, due_at: Timestamp| {
        let request = PostRequest { due_at: Some(due_at), ..PostRequest::new(bench.account, text, "test") };
        bench.try_post(request).await.expect("planned").id
    };
    let first = plan("Birinci haber", noon).await;
    let second = plan("İkinci duyuru", noon + HOUR / 2).await;
    let by_hand = plan("Üçüncü not", noon + HOUR).await;
    let due = async |id| bench.view(id).await.due_at;
    let set = async |hours: Option<&str>| {
        let hours = hours.map(|hours| hours.parse().expect("hours"));
        quiet::set(&bench.app, bench.account, hours, "ayşe").await.expect("set")
    };

    assert_eq!(set(Some("10:00-18:00")).await, Moved { later: 3, back: 0 });
    assert_eq!((due(first).await, due(second).await), (noon + HOUR * 6, noon + HOUR * 6 + MINUTE));
    assert_eq!(set(Some("10:00-18:00")).await, Moved::default(), "once is enough");
    // One more that was wanted before the others goes before them.
    let earlier = plan("Dördüncü bilgi", noon - HOUR).await;
    assert_eq!(
        (due(earlier).await, due(first).await, due(second).await),
        (noon + HOUR * 6, noon + HOUR * 6 + MINUTE, noon + HOUR * 6 + MINUTE * 2)
    );
    assert_eq!(set(Some("10:00-18:00")).await, Moved::default(), "the order does not depend on who came first");
    let moved = bench.app.store.reschedule(by_hand, noon + HOUR * 3, "ayşe").await.expect("moved");
    assert_eq!(moved.wanted_at, None, "a person wants it then");

    assert_eq!(set(Some("10:00-12:15")).await, Moved { later: 0, back: 3 });
    assert_eq!((due(earlier).await, due(first).await), (noon + MINUTE * 15, noon + MINUTE * 16));
    let free = bench.view(second).await;
    assert_eq!((free.due_at, free.wanted_at, free.reason), (noon + HOUR / 2, None, None));
    assert_eq!(set(None).await, Moved { later: 0, back: 2 });
    assert_eq!((due(earlier).await, due(first).await), (noon - HOUR, noon));
    assert_eq!(due(by_hand).await, noon + HOUR * 3);
    assert_eq!(set(None).await, Moved::default());

    // Ended after the time it was wanted at: it goes at once, and not as something late.
    let (hours, _) = now_quiet(&bench);
    quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    let waits = bench.post("Beşinci çağrı").await;
    set(None).await;
    let freed = bench.view(waits).await;
    assert!(freed.reason.as_deref().is_some_and(|reason| reason.contains("as soon as it may")), "{:?}", freed.reason);
    bench.drain().await;
    assert_eq!(bench.state(waits).await, DeliveryState::Sent);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_stop_held_up_goes_out_spaced_and_outside_of_quiet_hours(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    store.stop(&Scope::Posts, "deprem", "ayşe").await.expect("it can be stopped");
    let mut ids = Vec::new();
    for text in ["Birinci haber", "İkinci duyuru", "Üçüncü not"] {
        ids.push(bench.post(text).await);
    }
    // Quiet from the next minute but one on, for an hour.
    let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
    let soon = (store.clock() + MINUTE * 2).to_zoned(zone.clone()).time();
    let from = Time::constant(soon.hour(), soon.minute(), 0, 0);
    let until = from.wrapping_add(1.hour());
    let hours = QuietHours::new(from, until).expect("an hour");
    quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    let planned = store.clock();
    store.resume(&Scope::Posts, MINUTE * 2, "ayşe").await.expect("it goes on");
    let end = hours.end_after(planned + MINUTE * 3, &zone).expect("it is quiet then");
    let due = [bench.view(ids[1]).await.due_at, bench.view(ids[2]).await.due_at];
    assert_eq!(due, [end, end + MINUTE * 2]);
    assert!(bench.view(ids[0]).await.due_at <= store.clock(), "one goes at once");
    bench.stop().await;
}

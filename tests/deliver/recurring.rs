//! Recurring posts: each date once, whoever makes it; what was missed never goes out together.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use muhatap::app::App;
use muhatap::compose::{ComposeError, Confirmed, PostRequest};
use muhatap::model::{DeliveryState, Frequency, Hold, Missed, RecurrenceId, RecurrenceState};
use muhatap::quiet::{self, QuietHours};
use muhatap::recurring::{self, Rule};
use muhatap::store::StoreError;
use muhatap::store::deliveries::{DeliveryFilter, DeliveryOrder, DeliveryView};
use muhatap::store::recurrences::{NewRecurrence, RecurrenceView};
use muhatap_connectors::Certainty;
use rstest::rstest;

use crate::support::sending::{Bench, config, connect};
use crate::support::{Backend, Database};

const HOUR: Duration = Duration::from_secs(3600);
/// Daily from two hours on, within 35 days.
const MADE: usize = 35;

/// Every day, the first time in two hours.
fn daily(bench: &Bench, missed: Missed, text: &str) -> NewRecurrence {
    let first =
        (bench.app.store.clock() + HOUR * 2).to_zoned(TimeZone::get("Europe/Istanbul").expect("a bundled zone"));
    let rule = Rule {
        frequency: Frequency::Daily,
        weekdays: Vec::new(),
        day: None,
        time: first.time(),
        timezone: "Europe/Istanbul".into(),
        from: first.date(),
        until: None,
        times: None,
    };
    NewRecurrence { rule, missed, texts: vec![(bench.account, text.to_owned())] }
}

async fn start(bench: &Bench, new: NewRecurrence) -> RecurrenceView {
    recurring::start(&bench.app, new, None, Confirmed::default(), "ayşe").await.expect("it can be started")
}

async fn occurrences(bench: &Bench, id: RecurrenceId, state: DeliveryState) -> Vec<DeliveryView> {
    let filter = DeliveryFilter {
        recurrence_id: Some(id),
        states: vec![state],
        order: DeliveryOrder::EarliestFirst,
        limit: 500,
        ..DeliveryFilter::default()
    };
    bench.app.store.deliveries(&filter).await.expect("answered")
}

/// As if it had been made ten days ago and no worker had run since.
async fn ten_days_ago(bench: &Bench) {
    bench
        .database
        .execute("UPDATE recurrences SET effective_at = effective_at - 864000000000, changed_at = 0, next_at = 0")
        .await;
    bench.database.execute("UPDATE recurrences SET rule = REPLACE(rule, '\"from\":\"20', '\"from\":\"19')").await;
    bench.database.execute("UPDATE recurrence_accounts SET made_through = NULL").await;
}

#[rstest]
#[tokio::test]
async fn each_date_is_made_once_however_many_processes_make_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (other, _) = bench.another_process().await;
    let recurrence = start(&bench, daily(&bench, Missed::Skip, "Günaydın!")).await;
    let made = occurrences(&bench, recurrence.id, DeliveryState::Queued).await;
    assert_eq!(made.len(), MADE);
    assert_eq!(made[0].due_at, recurrence.next[0]);
    assert!(made.iter().all(|view| view.author == "ayşe" && view.text == "Günaydın!"));
    for _ in 0..3 {
        bench.database.execute("UPDATE recurrence_accounts SET made_through = NULL").await;
        let now = bench.now();
        let (here, there) =
            tokio::join!(recurring::make(&bench.app, recurrence.id, now), recurring::make(&other, recurrence.id, now));
        here.expect("made");
        there.expect("made");
        assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE);
    }
    // A day later there is one more.
    let later = bench.now() + HOUR * 24;
    recurring::round(&bench.app, later).await.expect("made");
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE + 1);
    other.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_nobody_could_make_in_time_is_passed_over_or_asked_about(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Missed::Skip, Missed::Ask)] missed: Missed,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let recurrence = start(&bench, daily(&bench, missed, "Günaydın!")).await;
    ten_days_ago(&bench).await;
    recurring::round(&bench.app, bench.app.store.clock()).await.expect("made");
    let seen = bench.app.store.recurrence(recurrence.id).await.expect("it is there");
    let held = occurrences(&bench, recurrence.id, DeliveryState::Held).await;
    match missed {
        Missed::Skip => assert_eq!((seen.accounts[0].skipped, held.len()), (10, 0)),
        Missed::Ask => {
            assert_eq!((seen.accounts[0].skipped, held.len()), (0, 10));
            assert!(held.iter().all(|view| view.hold.as_deref() == Some("late") && view.reason.is_some()));
        }
    }
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0, "nothing of the past goes out by itself");
    // Released by a person, they go out one after the other.
    let spacing = Duration::from_secs(60);
    let released = bench.app.store.release_held(Hold::Late, None, spacing, "ayşe").await.expect("released");
    assert_eq!(released, held.len());
    bench.drain().await;
    assert!(bench.network.calls() <= 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_occurrence_that_became_late_is_dropped_or_held_as_the_rule_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Missed::Skip, Missed::Ask)] missed: Missed,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let recurrence = start(&bench, daily(&bench, missed, "Günaydın!")).await;
    // The worker comes back after the time of the first one and its limit.
    bench.later(HOUR * 2 + Duration::from_secs(16 * 60));
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    let ended = match missed {
        Missed::Skip => DeliveryState::Expired,
        Missed::Ask => DeliveryState::Held,
    };
    assert_eq!(occurrences(&bench, recurrence.id, ended).await.len(), 1);
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE - 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_change_counts_from_the_next_occurrence_and_doubles_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let new = daily(&bench, Missed::Skip, "Günaydın!");
    let recurrence = start(&bench, new.clone()).await;
    bench.later(HOUR * 2 + Duration::from_secs(1));
    bench.turn().await;
    assert_eq!(bench.network.texts(), ["Günaydın!"]);

    // The same day later on, with other words: that day is out already.
    let mut changed = NewRecurrence { texts: vec![(bench.account, "İyi günler!".into())], ..new.clone() };
    changed.rule.time = new.rule.time.saturating_add(SignedDuration::from_secs(1));
    let changed =
        recurring::change(&bench.app, recurrence.id, changed, Confirmed::default(), "ali").await.expect("changed");
    assert_eq!((changed.recurrence.state, changed.recurrence.revision), (RecurrenceState::Active, 2));
    assert_eq!((changed.replaced, changed.kept), (MADE - 1, 0));
    let queued = occurrences(&bench, recurrence.id, DeliveryState::Queued).await;
    assert_eq!(queued.len(), MADE - 1, "its first day is not made again");
    assert!(queued.iter().all(|view| view.text == "İyi günler!"));
    let replaced = occurrences(&bench, recurrence.id, DeliveryState::Cancelled).await;
    assert_eq!(replaced.len(), MADE - 1);
    assert!(replaced.iter().all(|view| view.reason.as_deref() == Some("replaced by a change of its recurring post")));
    let shown = DeliveryFilter {
        recurrence_id: Some(recurrence.id),
        without_withdrawn: true,
        limit: 500,
        ..DeliveryFilter::default()
    };
    assert_eq!(bench.app.store.deliveries(&shown).await.expect("answered").len(), MADE);
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Sent).await.len(), 1);

    // One that a person cancelled stays cancelled, whatever becomes of the rule.
    bench.app.store.cancel(queued[3].id, "ayşe").await.expect("it can be cancelled");
    recurring::change(&bench.app, recurrence.id, new, Confirmed::default(), "ali").await.expect("changed");
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE - 2);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_person_moved_keeps_its_time_through_a_change_and_may_be_as_late_as_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let new = daily(&bench, Missed::Skip, "Günaydın!");
    let recurrence = start(&bench, new.clone()).await;
    let made = occurrences(&bench, recurrence.id, DeliveryState::Queued).await;
    let (second, third) = (made[1].clone(), made[2].clone());
    let evening = second.due_at + HOUR * 6;
    let moved = bench.app.store.reschedule(second.id, evening, "ayşe").await.expect("later than it would expire");
    assert_eq!(moved.expires_at, second.expires_at.map(|at| at + HOUR * 6));
    bench.app.store.cancel(third.id, "ayşe").await.expect("cancelled");
    let next = bench.app.store.recurrence(recurrence.id).await.expect("it is there").next;
    assert_eq!(
        next[..3],
        [made[0].due_at, evening, made[3].due_at],
        "where it goes out, and without what was cancelled"
    );

    let mut changed = NewRecurrence { texts: vec![(bench.account, "İyi günler!".into())], ..new.clone() };
    changed.rule.time = new.rule.time.saturating_add(SignedDuration::from_secs(60));
    let changed =
        recurring::change(&bench.app, recurrence.id, changed, Confirmed::default(), "ali").await.expect("changed");
    assert_eq!((changed.replaced, changed.kept), (MADE - 2, 1));
    let kept = bench.view(second.id).await;
    assert_eq!((kept.state, kept.due_at, kept.text.as_str()), (DeliveryState::Queued, evening, "İyi günler!"));
    assert_eq!(kept.expires_at, moved.expires_at);
    assert_eq!(bench.state(third.id).await, DeliveryState::Cancelled);
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE - 1, "none of it twice");
    assert_eq!(changed.recurrence.next[1], evening);

    // A person is asked from now on: it does not expire any more.
    let asked = NewRecurrence { missed: Missed::Ask, ..new.clone() };
    recurring::change(&bench.app, recurrence.id, asked, Confirmed::default(), "ali").await.expect("changed");
    assert_eq!(bench.view(second.id).await.expires_at, None);
    // Its date is no longer the rule's: it goes with the rest.
    let mut later = new;
    later.rule.from = later.rule.from.saturating_add(10.days());
    let later =
        recurring::change(&bench.app, recurrence.id, later, Confirmed::default(), "ali").await.expect("changed");
    assert_eq!(later.kept, 0);
    assert_eq!(bench.state(second.id).await, DeliveryState::Cancelled);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_pause_takes_back_what_is_to_come_and_an_end_is_for_good(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let recurrence = start(&bench, daily(&bench, Missed::Ask, "Günaydın!")).await;
    let paused = recurring::pause(&bench.app, recurrence.id, "ayşe").await.expect("paused");
    assert_eq!((paused.state, paused.next.len()), (RecurrenceState::Paused, 0));
    assert!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.is_empty());
    recurring::round(&bench.app, bench.now() + HOUR * 48).await.expect("made");
    assert!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.is_empty(), "it rests");

    let resumed = recurring::resume(&bench.app, recurrence.id, "ayşe").await.expect("resumed");
    assert_eq!(resumed.state, RecurrenceState::Active);
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE);

    // One is held for a person when it ends: it goes with the rest.
    bench.later(HOUR * 3);
    bench.reap().await;
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Held).await.len(), 1);
    let ended = recurring::end(&bench.app, recurrence.id, "ayşe").await.expect("ended");
    assert_eq!((ended.state, ended.next.len()), (RecurrenceState::Ended, 0));
    for state in [DeliveryState::Queued, DeliveryState::Held] {
        assert!(occurrences(&bench, recurrence.id, state).await.is_empty());
    }
    let again = recurring::resume(&bench.app, recurrence.id, "ayşe").await.expect_err("it is over");
    assert!(matches!(&again, StoreError::Conflict(why) if why.contains("make a new one")), "{again}");
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    let log = bench.app.store.audit_log(None, 500).await.expect("the log can be read");
    for action in ["recurrence.add", "recurrence.pause", "recurrence.resume", "recurrence.end"] {
        assert_eq!(log.iter().filter(|line| line.action == action).count(), 1, "{action}");
    }
    bench.stop().await;
}

/// A daily post whose occurrence of half an hour ago waits for the end of quiet hours; that one, and when they end.
async fn waiting_for_the_morning(bench: &Bench, missed: Missed) -> (RecurrenceView, NewRecurrence, DeliveryView) {
    let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
    let now = bench.app.store.clock();
    let minute = |at: Timestamp| {
        let time = at.to_zoned(zone.clone()).time();
        Time::constant(time.hour(), time.minute(), 0, 0)
    };
    let hours = QuietHours::new(minute(now - HOUR), minute(now + HOUR * 5)).expect("six hours");
    quiet::set(&bench.app, bench.account, Some(hours), "ayşe").await.expect("set");
    let wanted = (now - HOUR / 2).to_zoned(zone);
    let mut new = daily(bench, missed, "Günaydın!");
    (new.rule.time, new.rule.from) = (wanted.time(), wanted.date());
    let recurrence = start(bench, new.clone()).await;
    // As if it had been started an hour ago.
    bench.execute("UPDATE recurrences SET effective_at = effective_at - 3600000000, changed_at = 0").await;
    bench.execute("UPDATE recurrence_accounts SET made_through = NULL").await;
    recurring::make(&bench.app, recurrence.id, now - HOUR).await.expect("made");
    let tonight = occurrences(bench, recurrence.id, DeliveryState::Queued).await.remove(0);
    assert_eq!(tonight.wanted_at, Some(wanted.timestamp()));
    assert!(tonight.due_at > now && tonight.due_at < now + HOUR * 6, "{tonight:?}");
    (recurrence, new, tonight)
}

/// The queued occurrences that are due when `tonight` was.
async fn as_tonight(bench: &Bench, recurrence: RecurrenceId, tonight: &DeliveryView) -> Vec<DeliveryView> {
    let mut queued = occurrences(bench, recurrence, DeliveryState::Queued).await;
    queued.retain(|view| view.due_at < tonight.due_at + HOUR);
    queued
}

/// The end of the quiet hours comes, and what waited for it goes out.
async fn in_the_morning(bench: &Bench, tonight: &DeliveryView) {
    let until = tonight.due_at.duration_since(bench.now()) + SignedDuration::from_secs(1);
    bench.later(Duration::try_from(until).expect("it is to come"));
    bench.reap().await;
    bench.drain().await;
}

/// As [`in_the_morning`]: one post goes out, with that text, however often its rule is looked at before.
async fn once_in_the_morning(bench: Bench, recurrence: RecurrenceId, tonight: &DeliveryView, text: &str) {
    recurring::make(&bench.app, recurrence, bench.now()).await.expect("made");
    in_the_morning(&bench, tonight).await;
    assert_eq!(bench.network.texts(), [text]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_waits_for_the_end_of_quiet_hours_takes_a_changes_text_and_keeps_its_time(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(0, -3600, 60 * 40)] moved: i64,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (recurrence, new, tonight) = waiting_for_the_morning(&bench, Missed::Skip).await;
    let mut changed = NewRecurrence { texts: vec![(bench.account, "İyi günler!".into())], ..new };
    // Its time within the same night, where that is the same date.
    let time = changed.rule.time.checked_add(SignedDuration::from_secs(moved));
    changed.rule.time = time.unwrap_or(changed.rule.time);
    let changed =
        recurring::change(&bench.app, recurrence.id, changed, Confirmed::default(), "ali").await.expect("changed");
    let kept = as_tonight(&bench, recurrence.id, &tonight).await;
    assert_eq!(kept.len(), 1, "once, not lost and not twice");
    assert_eq!((kept[0].id, kept[0].due_at, kept[0].wanted_at), (tonight.id, tonight.due_at, tonight.wanted_at));
    assert_eq!((kept[0].text.as_str(), kept[0].expires_at), ("İyi günler!", tonight.expires_at));
    assert_eq!(changed.kept, 1);
    assert_eq!(changed.recurrence.next[0], tonight.due_at);
    once_in_the_morning(bench, recurrence.id, &tonight, "İyi günler!").await;
}

#[rstest]
#[tokio::test]
async fn a_pause_in_the_night_that_ends_before_the_morning_loses_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Missed::Skip, Missed::Ask)] missed: Missed,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (recurrence, new, tonight) = waiting_for_the_morning(&bench, missed).await;
    for _ in 0..2 {
        recurring::pause(&bench.app, recurrence.id, "ayşe").await.expect("paused");
        assert!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.is_empty());
        recurring::resume(&bench.app, recurrence.id, "ayşe").await.expect("resumed");
        let again = as_tonight(&bench, recurrence.id, &tonight).await;
        assert_eq!(again.len(), 1, "once, not lost and not twice");
        assert_eq!((again[0].due_at, again[0].wanted_at), (tonight.due_at, tonight.wanted_at));
        assert_eq!((again[0].key.as_str(), again[0].expires_at), (tonight.key.as_str(), tonight.expires_at));
    }
    // With what was changed meanwhile.
    recurring::pause(&bench.app, recurrence.id, "ayşe").await.expect("paused");
    let changed = NewRecurrence { texts: vec![(bench.account, "İyi günler!".into())], ..new };
    recurring::change(&bench.app, recurrence.id, changed, Confirmed::default(), "ali").await.expect("changed");
    let resumed = recurring::resume(&bench.app, recurrence.id, "ayşe").await.expect("resumed");
    assert_eq!((resumed.next[0], resumed.accounts[0].skipped), (tonight.due_at, 0));
    once_in_the_morning(bench, recurrence.id, &tonight, "İyi günler!").await;
}

#[rstest]
#[tokio::test]
async fn what_was_due_in_a_pause_or_cancelled_before_it_does_not_come_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("cancelled", "hours passed", "hours ended")] how: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (recurrence, _, tonight) = waiting_for_the_morning(&bench, Missed::Ask).await;
    if how == "cancelled" {
        bench.app.store.cancel(tonight.id, "ayşe").await.expect("cancelled");
    }
    recurring::pause(&bench.app, recurrence.id, "ayşe").await.expect("paused");
    if how != "cancelled" {
        quiet::set(&bench.app, bench.account, None, "ayşe").await.expect("ended");
    }
    if how == "hours passed" {
        // As if it had been the morning, and the hours others.
        bench.execute("UPDATE deliveries SET due_at = due_at - 21600000000 WHERE state = 'cancelled'").await;
    }
    let resumed = recurring::resume(&bench.app, recurrence.id, "ayşe").await.expect("resumed");
    assert_eq!(resumed.accounts[0].skipped, 0, "it is not missed either");
    assert!(as_tonight(&bench, recurrence.id, &tonight).await.is_empty());
    assert!(occurrences(&bench, recurrence.id, DeliveryState::Held).await.is_empty());
    in_the_morning(&bench, &tonight).await;
    assert_eq!(bench.network.calls(), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_occurrence_and_a_post_of_the_same_words_name_each_other(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let text = "Bugün bütün mağazalarda yüzde yirmi";
    let mut request = PostRequest::new(bench.account, text, "ayşe");
    request.due_at = Some(bench.now() + HOUR * 50);
    let planned = bench.try_post(request).await.expect("it can be planned");
    let new = daily(&bench, Missed::Skip, text);
    let refused = recurring::start(&bench.app, new.clone(), Some("k"), Confirmed::default(), "ayşe").await;
    assert!(matches!(refused, Err(ComposeError::NearDuplicate { earlier, .. }) if earlier == planned.id));
    let confirm = Confirmed { duplicate: true, ..Confirmed::default() };
    let started = recurring::start(&bench.app, new.clone(), Some("k"), confirm, "ayşe").await.expect("confirmed");
    let twice = recurring::start(&bench.app, new.clone(), Some("k"), confirm, "ayşe").await.expect("the same");
    assert_eq!(started.id, twice.id);
    assert_eq!(occurrences(&bench, started.id, DeliveryState::Queued).await.len(), MADE);
    let other = NewRecurrence { missed: Missed::Ask, ..new };
    let reused = recurring::start(&bench.app, other, Some("k"), confirm, "ayşe").await;
    assert!(matches!(reused, Err(ComposeError::Store(StoreError::Conflict(_)))));

    let day = occurrences(&bench, started.id, DeliveryState::Queued).await.remove(9);
    let mut single = PostRequest::new(bench.account, text, "ayşe");
    single.due_at = Some(day.due_at);
    let warned = bench.try_post(single).await;
    assert!(matches!(warned, Err(ComposeError::NearDuplicate { earlier, .. }) if earlier == day.id));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_occurrence_that_cannot_be_made_says_why_and_is_made_once_it_can(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let recurrence = start(&bench, daily(&bench, Missed::Skip, "Günaydın!")).await;
    bench.network.set_limit(3);
    let later = bench.now() + HOUR * 24;
    recurring::round(&bench.app, later).await.expect("the round goes on");
    let problem = bench.app.store.recurrence(recurrence.id).await.expect("it is there").accounts[0].problem.clone();
    assert!(problem.as_deref().is_some_and(|problem| problem.contains("9 of at most 3")), "{problem:?}");
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE);
    let raised = bench.app.store.raise_alerts(later).await.expect("alerts can be raised");
    assert!(raised.iter().any(|kind| kind == "recurrence"), "somebody is told: {raised:?}");
    bench.network.set_limit(200);
    recurring::round(&bench.app, later + HOUR).await.expect("made");
    bench.app.store.raise_alerts(later + HOUR).await.expect("alerts can be closed");
    let alerts = bench.app.store.alerts(100).await.expect("answered");
    assert!(alerts.iter().all(|alert| alert.kind != "recurrence" || alert.closed_at.is_some()), "{alerts:?}");
    let seen = bench.app.store.recurrence(recurrence.id).await.expect("it is there");
    assert_eq!(seen.accounts[0].problem, None);
    assert_eq!(occurrences(&bench, recurrence.id, DeliveryState::Queued).await.len(), MADE + 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn after_a_restored_backup_nothing_due_before_is_made_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let recurrence = start(&bench, daily(&bench, Missed::Ask, "Günaydın!")).await;
    // The backup is ten days old: what went out since is not in it.
    ten_days_ago(&bench).await;
    let mut backup = Vec::new();
    bench.app.store.backup(&mut backup, |_, _| {}).await.expect("a backup can be made");

    let database = Database::fresh(backend).await;
    let app = App::open(config(&database.url, database.dir())).await.expect("the app opens");
    app.store.restore(backup.as_slice(), |_, _| {}).await.expect("it can be restored");
    connect(&app, bench.account, &bench.network).await;
    recurring::round(&app, app.store.clock()).await.expect("made");
    let filter = DeliveryFilter { recurrence_id: Some(recurrence.id), limit: 500, ..DeliveryFilter::default() };
    let known = app.store.deliveries(&filter).await.expect("answered");
    assert_eq!(known.len(), MADE, "only what was in the backup");
    assert!(known.iter().all(|view| view.hold.as_deref() == Some("restored")), "a person looks first");
    app.store.close().await;
    bench.stop().await;
}

//! Several workers, workers that die, and a database that goes away.

use std::sync::Arc;
use std::time::Duration;

use muhatap::compose::PostRequest;
use muhatap::deliver::{Journal, Sender};
use muhatap::model::DeliveryState;
use muhatap::store::attempts::{Outcome, Turn};
use muhatap::store::deliveries::Decision;
use muhatap_connectors::{Certainty, Prepared, Receipt};
use rstest::rstest;

use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::sending::Bench;
use crate::support::{Backend, fresh_store};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const KEY: Certainty = Certainty::Key { life: HOUR };

#[rstest]
#[tokio::test]
async fn a_delivery_is_sent_once_when_two_workers_take_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(Certainty::None, Keys::Ignored), |_| {}).await;
    let (other_app, other) = bench.another_process().await;
    for number in 0..20 {
        bench.post(&format!("{number} {}", "söz ".repeat(number))).await;
    }
    let lane = bench.lane();
    let work = |sender: Arc<Sender>| {
        let (lane, bench) = (lane.clone(), &bench);
        async move {
            for _ in 0..200 {
                sender.turn(&lane, bench.now()).await.expect("the database answers");
                if bench.network.shown().len() == 20 {
                    return;
                }
            }
        }
    };
    tokio::join!(work(bench.sender.clone()), work(other.clone()), work(bench.sender.clone()), work(other));
    let texts = bench.network.texts();
    assert_eq!(texts.len(), 20);
    assert_eq!(bench.network.calls(), 20);
    let numbers: Vec<usize> = texts.iter().filter_map(|text| text.split(' ').next()?.parse().ok()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "in order");
    other_app.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn the_work_of_a_worker_that_died_goes_on_and_is_not_doubled(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(KEY, Certainty::ReadBack, Certainty::None)] certainty: Certainty,
    #[values("preparing", "calling", "called")] step: &str,
) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(certainty, Keys::Honoured), |config| {
        config.delivery.post_late = HOUR;
    })
    .await;
    let id = bench.post("bir").await;
    match step {
        "preparing" => bench.network.script_prepare([End::Hang]),
        "calling" => bench.network.script([End::Hang]),
        _ => bench.network.script([End::AcceptThenHang]),
    }
    let dying = bench.spawn_turn();
    match step {
        "preparing" => {
            crate::support::eventually("it is being prepared", async || {
                bench.state(id).await == DeliveryState::Preparing && bench.network.prepared() == 1
            })
            .await
        }
        _ => bench.network.until_called().await,
    }
    dying.abort();
    let _ = dying.await;

    let (other_app, other) = bench.another_process().await;
    // Before its lease is over nobody touches it.
    other.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    let state = bench.state(id).await;
    assert!(matches!(state, DeliveryState::Preparing | DeliveryState::Sending), "{state}");
    for _ in 0..6 {
        bench.later(Duration::from_secs(46));
        bench.reap().await;
        for _ in 0..3 {
            other.turn(&bench.lane(), bench.now()).await.expect("the database answers");
        }
    }
    let expected = match (step, certainty) {
        ("calling" | "called", Certainty::None) => DeliveryState::Unknown,
        _ => DeliveryState::Sent,
    };
    assert_eq!(bench.state(id).await, expected);
    let visible = if step == "calling" && certainty == Certainty::None { 0 } else { 1 };
    assert_eq!(bench.network.ever_shown().len(), visible);
    other_app.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_comes_back_after_its_lease_brings_its_proof(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Certainty::ReadBack, Certainty::None)] certainty: Certainty,
) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(certainty, Keys::Ignored), |config| {
        config.delivery.post_late = HOUR;
    })
    .await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let slow = bench.spawn_turn();
    bench.network.until_called().await;
    bench.later(Duration::from_secs(120));
    bench.reap().await;
    assert_eq!(bench.state(id).await, DeliveryState::Verifying);
    bench.turn().await;
    let looked = if certainty == Certainty::None { DeliveryState::Unknown } else { DeliveryState::Verifying };
    assert_eq!(bench.state(id).await, looked);
    // Its call succeeds now. The row is no longer its own, but what the network answered is true all the same.
    bench.network.go_on();
    slow.await.expect("it ends").expect("the database answers");
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_comes_back_after_its_lease_without_a_call_takes_it_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Certainty::ReadBack, Certainty::None)] certainty: Certainty,
    #[values(false, true)] database_was_away: bool,
) {
    let bench = Bench::new(backend, certainty).await;
    let id = bench.post("bir").await;
    let (store, lease) = (&bench.app.store, Duration::from_secs(40));
    let turn = store.take(&bench.lane(), "w1", lease, None, bench.now()).await.expect("the database answers");
    let Turn::Send(before) = turn else { panic!("it is due: {turn:?}") };
    let mut work = (*before).clone();
    let prepared = bench.prepared(id);
    assert!(store.begin_sending(&mut work, &prepared, "w1", lease, bench.now()).await.expect("the database answers"));
    // Frozen here; others find it.
    bench.later(Duration::from_secs(120));
    bench.reap().await;
    bench.turn().await;
    let looked = if certainty == Certainty::None { DeliveryState::Unknown } else { DeliveryState::Verifying };
    assert_eq!(bench.state(id).await, looked);

    if database_was_away {
        let journal = Journal::open(&bench.app.config.data_dir()).expect("the folder can be made");
        journal.write(&work, &Outcome::PutBack { reason: Some("too late".into()) }).expect("it can be written");
        assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    } else {
        let taken_back = store.not_called(&work, &before, "too late", bench.now()).await;
        assert!(taken_back.expect("the database answers"));
    }
    let view = bench.view(id).await;
    assert_eq!((view.state, view.first_called_at), (DeliveryState::Queued, None));
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    // Too late for good: another call was made.
    assert!(!store.not_called(&work, &before, "too late", bench.now()).await.expect("the database answers"));
    assert_eq!((bench.network.calls(), bench.network.ever_shown().len()), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_second_proof_of_one_delivery_is_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Certainty::ReadBack, Certainty::None)] certainty: Certainty,
) {
    let network = FakeNetwork::with_keys(certainty, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| {
        config.delivery.post_late = HOUR;
        config.delivery.call_timeout = Duration::from_secs(60);
    })
    .await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let frozen = bench.spawn_turn();
    bench.network.until_called().await;
    for _ in 0..4 {
        bench.later(Duration::from_secs(120));
        bench.reap().await;
        muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
        bench.drain().await;
        if bench.state(id).await == DeliveryState::Unknown {
            bench.later(Duration::from_secs(120));
            let again = bench.app.store.decide(id, Decision::Queue, Duration::ZERO, "ali", bench.now()).await;
            again.expect("nothing is there, as far as a person can see");
        }
    }
    let view = bench.view(id).await;
    assert_eq!((view.state, view.reason), (DeliveryState::Sent, None));
    // What no rule can prevent: the request leaves long after its deadline was asked.
    bench.network.go_on();
    frozen.await.expect("it ends").expect("the database answers");
    let view = bench.view(id).await;
    assert_eq!(view.state, DeliveryState::Sent);
    assert!(view.reason.is_some_and(|reason| reason.contains("on the network twice, also as post/2")));
    assert_eq!(view.doubled_ref.as_deref(), Some("post/2"));
    let store = &bench.app.store;
    let now = store.clock();
    for (at, raised) in [(now, vec!["delivery_doubled".to_owned()]), (now, vec![]), (now + HOUR * 25, vec![])] {
        assert_eq!(store.raise_alerts(at).await.expect("raised"), raised, "told once");
    }
    let alert = store.alerts(10).await.expect("read").remove(0);
    assert!(alert.message.contains("also as post/2") && alert.closed_at.is_some(), "{alert:?}");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn two_workers_of_one_name_send_everything_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(Certainty::None, Keys::Ignored), |_| {}).await;
    let twin = bench.process_named(&bench.app.worker).await;
    let ids = [bench.post("bir").await, bench.post("iki tane").await, bench.post("başka üçüncü söz").await];
    let store = &bench.app.store;
    let lease = Duration::from_secs(40);
    let turn =
        store.take(&bench.lane(), &bench.app.worker, lease, None, bench.now()).await.expect("the database answers");
    assert!(matches!(turn, Turn::Send(_)), "{turn:?}");
    // The name alone gives no right to it.
    twin.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    assert_eq!(bench.network.calls(), 0);
    bench.later(Duration::from_secs(60));
    let (reaped, again) =
        (store.reap(Duration::ZERO, bench.now()).await, store.reap(Duration::ZERO, bench.now()).await);
    assert_eq!((reaped.expect("answered").dropped, again.expect("answered").dropped), (1, 0));
    for _ in 0..6 {
        let lane = bench.lane();
        let (ours, theirs) = tokio::join!(bench.sender.turn(&lane, bench.now()), twin.turn(&lane, bench.now()));
        ours.and(theirs).expect("the database answers");
    }
    for id in ids {
        assert_eq!(bench.state(id).await, DeliveryState::Sent);
    }
    assert_eq!(bench.network.texts(), ["bir", "iki tane", "başka üçüncü söz"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_became_late_while_it_was_prepared_is_held(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    let store = &bench.app.store;
    let lease = Duration::from_secs(40);
    let turn = store.take(&bench.lane(), "w1", lease, None, bench.now()).await.expect("the database answers");
    let Turn::Send(mut work) = turn else { panic!("it is due: {turn:?}") };
    bench.later(Duration::from_secs(16 * 60));
    let prepared = Prepared::default();
    let may = store.begin_sending(&mut work, &prepared, "w1", lease, bench.now()).await.expect("the database answers");
    assert!(!may, "it is sixteen minutes late, and nobody was asked");
    bench.reap().await;
    bench.drain().await;
    let view = bench.view(id).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")));
    assert_eq!(bench.network.calls(), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_success_while_the_database_is_away_is_kept_and_put_in_later(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] reaped_meanwhile: bool,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::Wait]);
    let (dying_app, dying) = bench.another_process().await;
    let call = tokio::spawn({
        let (lane, now) = (bench.lane(), bench.now());
        async move { dying.turn(&lane, now).await }
    });
    bench.network.until_called().await;
    // From here on this process has no database.
    dying_app.store.close().await;
    bench.network.go_on();
    call.await.expect("it ends").expect("the journal took it");
    assert_eq!(bench.state(id).await, DeliveryState::Sending);

    if reaped_meanwhile {
        bench.later(Duration::from_secs(120));
        bench.reap().await;
        bench.turn().await;
        assert_eq!(bench.state(id).await, DeliveryState::Unknown);
    }
    assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    let view = bench.view(id).await;
    assert_eq!((view.state, view.network_ref.as_deref()), (DeliveryState::Sent, Some("post/1")));
    // The lane is free again.
    let next = bench.post("iki tane").await;
    bench.later(Duration::from_secs(30));
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.drain().await;
    assert_eq!(bench.state(next).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn only_one_process_reaps() {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let store = &bench.app.store;
    let now = bench.now();
    let lease = Duration::from_secs(5);
    assert!(store.lease("reaper", "a", lease, now).await.expect("answered"));
    assert!(!store.lease("reaper", "b", lease, now).await.expect("answered"));
    assert!(store.lease("reaper", "a", lease, now).await.expect("answered"), "its holder keeps it");
    assert!(store.lease("reaper", "b", lease, now + Duration::from_secs(6)).await.expect("answered"));
    store.give_back("reaper", "b").await.expect("answered");
    assert!(store.lease("reaper", "a", lease, now).await.expect("answered"));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_restored_backup_may_have_sent_is_held(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let (sent, unclear) = (bench.post("bir").await, bench.post("iki tane").await);
    let queued = bench.post("üç küçük kedi").await;
    let mut late = PostRequest::new(bench.account, "dört mevsim", "test");
    late.due_at = Some(bench.now() - Duration::from_secs(3600));
    let late = bench.try_post(late).await.expect("it is kept for a person").id;
    bench.turn().await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    let mut backup = Vec::new();
    bench.app.store.backup(&mut backup, |_, _| {}).await.expect("it can be written");
    let (_database, restored) = fresh_store(backend).await;
    restored.restore(backup.as_slice(), |_, _| {}).await.expect("it can be read");
    assert_eq!(restored.delivery(sent).await.expect("it is there").state, DeliveryState::Sent);
    for id in [unclear, queued] {
        let view = restored.delivery(id).await.expect("it is there");
        assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("restored")));
    }
    let view = restored.delivery(late).await.expect("it is there");
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")), "nobody has decided about it");
    // Nothing goes out by itself.
    let now = bench.now() + Duration::from_secs(120);
    restored.reap(Duration::from_secs(30), now).await.expect("answered");
    let turn = restored.take(&bench.lane(), "worker", Duration::from_secs(30), None, now).await.expect("answered");
    assert!(matches!(turn, Turn::Nothing), "{turn:?}");
    restored.close().await;
    bench.stop().await;
}

/// Makes the rows of everything sent what they were before.
async fn put_back_an_older_copy(bench: &Bench) {
    bench.execute("DELETE FROM outgoing").await;
    bench.execute("DELETE FROM attempts").await;
    bench.execute("UPDATE installation SET value = '0' WHERE name = 'high_water'").await;
    bench
        .execute(
            "UPDATE deliveries SET state = 'queued', epoch = 0, attempts = 0, first_called_at = NULL,
                last_called_at = NULL, sent_at = NULL, network_ref = NULL, receipt = NULL",
        )
        .await;
}

#[rstest]
#[tokio::test]
async fn an_older_copy_of_the_database_holds_what_may_be_out_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("the one that sent", "a later one", "one that watched")] who: &str,
    #[values(true, false)] prepared: bool,
) {
    let bench = Bench::on(backend, FakeNetwork::with_keys(Certainty::None, Keys::Ignored), |_| {}).await;
    if prepared {
        bench.network.script_prepare([]);
    }
    let (folder, other_folder) = (bench.app.config.data_dir(), tempfile::tempdir().expect("a temporary folder"));
    bench.app.store.keep_high_water(&folder).await.expect("it can be written");
    let (watches, watching) = bench.another_process().await;
    watches.store.keep_high_water(other_folder.path()).await.expect("it can be written");
    let (out, waits) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.turn().await;
    bench.app.store.note_high_water(bench.now()).await.expect("the database answers");
    watches.store.note_high_water(bench.now()).await.expect("the database answers");
    put_back_an_older_copy(&bench).await;

    let (later, starts) = bench.another_process().await;
    later.store.keep_high_water(&folder).await.expect("it can be written");
    let sender = match who {
        "the one that sent" => &bench.sender,
        "a later one" => &starts,
        _ => &watching,
    };
    sender.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    for id in [out, waits] {
        let view = bench.view(id).await;
        assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("restored")));
    }
    // A person decides about each, and is not asked twice by whoever looks later.
    for (id, decision) in [(out, Decision::Cancel), (waits, Decision::Queue)] {
        later.store.decide(id, decision, Duration::ZERO, "ayşe", bench.now()).await.expect("it can be decided");
    }
    // Also by one that meanwhile saw it go beyond where it was.
    bench.execute("UPDATE installation SET value = '5' WHERE name = 'high_water'").await;
    for app in [&bench.app, &later, &watches] {
        app.store.note_high_water(bench.now()).await.expect("the database answers");
    }
    for sender in [&bench.sender, &starts, &watching] {
        sender.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    }
    assert_eq!(bench.state(waits).await, DeliveryState::Sent);
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);

    // And once more.
    bench.later(MINUTE);
    for app in [&bench.app, &later, &watches] {
        app.store.note_high_water(bench.now()).await.expect("the database answers");
    }
    put_back_an_older_copy(&bench).await;
    sender.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    assert_eq!(bench.state(waits).await, DeliveryState::Held);
    later.store.close().await;
    watches.store.close().await;
    bench.stop().await;
}

#[tokio::test]
async fn an_older_copy_is_noticed_where_nothing_is_due() {
    let bench = Bench::on(Backend::Sqlite, FakeNetwork::with_keys(Certainty::None, Keys::Ignored), |_| {}).await;
    bench.app.store.keep_high_water(&bench.app.config.data_dir()).await.expect("it can be written");
    let id = bench.post("bir").await;
    bench.turn().await;
    bench.app.store.note_high_water(bench.now()).await.expect("the database answers");
    put_back_an_older_copy(&bench).await;
    bench.app.store.note_high_water(bench.now()).await.expect("the database answers");
    assert_eq!(bench.state(id).await, DeliveryState::Held);
    bench.stop().await;
}

#[tokio::test]
async fn another_database_with_the_same_folder_is_no_older_copy() {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let folder = bench.app.config.data_dir();
    bench.app.store.keep_high_water(&folder).await.expect("it can be written");
    bench.post("bir").await;
    bench.turn().await;
    let other = Bench::new(Backend::Sqlite, Certainty::None).await;
    other.app.store.keep_high_water(&folder).await.expect("it can be written");
    let id = other.post("iki tane").await;
    other.turn().await;
    assert_eq!(other.state(id).await, DeliveryState::Sent);
    other.stop().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_epoch_that_came_again_lets_one_worker_call(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    bench.post("bir").await;
    let (store, lease, prepared) = (&bench.app.store, Duration::from_secs(40), Prepared::default());
    let turn = store.take(&bench.lane(), "w1", lease, None, bench.now()).await.expect("the database answers");
    let Turn::Send(mut work) = turn else { panic!("it is due: {turn:?}") };
    // As one whose taking was lost with its commit, so that the other one's has the same epoch.
    let mut lost = work.clone();
    assert!(store.begin_sending(&mut work, &prepared, "w1", lease, bench.now()).await.expect("the database answers"));
    let later = bench.now() + Duration::from_millis(1);
    assert!(!store.begin_sending(&mut lost, &prepared, "w2", lease, later).await.expect("the database answers"));
    assert_eq!(lost.state, DeliveryState::Preparing);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_the_database_refuses_of_the_journal_keeps_nothing_else_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let ids = [bench.post("bir").await, bench.post("iki tane").await];
    let journal = Journal::open(&bench.app.config.data_dir()).expect("the folder can be made");
    let (store, lease) = (&bench.app.store, Duration::from_secs(40));
    let mut works = Vec::new();
    for id in ids {
        let turn = store.take(&bench.lane(), "w1", lease, None, bench.now()).await.expect("the database answers");
        let Turn::Send(mut work) = turn else { panic!("it is due: {turn:?}") };
        let prepared = bench.prepared(id);
        assert!(store.begin_sending(&mut work, &prepared, "w1", lease, bench.now()).await.expect("answered"));
        works.push(work);
        bench.later(Duration::from_secs(120));
        bench.reap().await;
        bench.turn().await;
        muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    }
    for (work, name) in works.iter().zip(["post/\0", "post/2"]) {
        let receipt = Receipt { remote_id: name.into(), local_id: None, url: None };
        journal.write(work, &Outcome::Sent { receipt, found: false }).expect("it can be written");
    }
    assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    assert_eq!(bench.state(ids[1]).await, DeliveryState::Sent);
    assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_lane_rests_between_two_messages_whatever_changes_in_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    let (store, lease, now) = (&bench.app.store, Duration::from_secs(40), bench.now());
    let turn = store.take(&bench.lane(), "w1", lease, None, now).await.expect("the database answers");
    let Turn::Send(mut work) = turn else { panic!("it is due: {turn:?}") };
    let prepared = bench.prepared(first);
    assert!(store.begin_sending(&mut work, &prepared, "w1", lease, now).await.expect("the database answers"));
    let sent =
        Outcome::Sent { receipt: Receipt { remote_id: "post/1".into(), local_id: None, url: None }, found: false };
    let pause = Duration::from_secs(1);
    assert!(store.finish(&work, &sent, pause, now).await.expect("the database answers"));
    store.retry(second, Duration::ZERO, "ayşe", now).await.expect("it can be asked for");
    let turn = store.take(&bench.lane(), "w1", lease, None, now).await.expect("the database answers");
    assert!(matches!(turn, Turn::Rest(until) if until.as_microsecond() == (now + pause).as_microsecond()), "{turn:?}");
    let turn = store.take(&bench.lane(), "w1", lease, None, now + pause).await.expect("the database answers");
    assert!(matches!(turn, Turn::Send(_)), "{turn:?}");
    bench.stop().await;
}

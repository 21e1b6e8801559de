//! Stopping a part of all sending, letting it go on without a burst, the limit that an app's accounts share, and who works.

use std::time::Duration;

use jiff::SignedDuration;
use muhatap::compose::{self, PostRequest, ReplyRequest};
use muhatap::model::{DeliveryState, Hold};
use muhatap::standing::{Next, Scope, Why};
use muhatap::store::workers::{Beat, WorkerState};
use muhatap::worker::Role;
use muhatap_connectors::{Certainty, Change};
use rstest::rstest;

use crate::support::Backend;
use crate::support::messages::{batch, lease, message};
use crate::support::network::{End, FakeNetwork};
use crate::support::sending::Bench;

const MINUTE: Duration = Duration::from_secs(60);

/// An answer that is due at once.
async fn reply(bench: &Bench) -> muhatap::model::DeliveryId {
    let mut incoming = message("m1", "kargom gelmedi");
    incoming.published_at = bench.now() - MINUTE;
    let lease = lease(&bench.app.store, bench.account).await;
    let recorded = bench.app.store.record(&lease, &batch([Change::Seen(incoming)])).await.expect("recorded");
    let request = ReplyRequest::new(recorded.new[0], "Hemen bakıyoruz.", "ayşe");
    compose::reply(&bench.app, request).await.expect("it can be sent").id
}

#[rstest]
#[tokio::test]
async fn posts_are_stopped_while_replies_and_deletions_go_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let out = bench.post("çıkmış olan").await;
    bench.turn().await;
    let waiting = bench.post("bekleyecek olan").await;
    store.stop(&Scope::Posts, "deprem", "ayşe").await.expect("it can be stopped");
    let answer = reply(&bench).await;
    store.delete_again(out, "ayşe").await.expect("it can be deleted");
    bench.later(Duration::from_secs(11));
    bench.drain().await;
    bench.takedown().await;
    assert_eq!(bench.state(answer).await, DeliveryState::Sent);
    assert!(bench.view(out).await.deleted_at.is_some());
    let view = bench.view(waiting).await;
    let Why::Stopped(stop) = &view.standing.why else { panic!("{:?}", view.standing) };
    assert_eq!((&stop.scope, stop.stopped_by.as_str(), stop.reason.as_str()), (&Scope::Posts, "ayşe", "deprem"));
    assert_eq!((view.state, view.standing.next), (DeliveryState::Queued, Next::Resume));
    store.resume(&Scope::Posts, MINUTE, "ayşe").await.expect("it goes on");
    bench.drain().await;
    assert_eq!(bench.state(waiting).await, DeliveryState::Sent);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_account_or_its_app_is_drained_and_goes_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("account", "app")] how: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let account = store.account(bench.account).await.expect("it is there");
    let scope = if how == "account" { Scope::Account { account_id: bench.account } } else { account.app() };
    let (calling, waiting) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Wait]);
    let working = bench.spawn_turn();
    bench.network.until_called().await;
    store.stop(&scope, "", "ayşe").await.expect("it can be stopped");
    store.stop(&scope, "twice is once", "can").await.expect("it can be stopped");
    assert_eq!(store.stops().await.expect("answered").len(), 1);
    assert_eq!(store.under_way(&scope).await.expect("answered"), 1, "what is being called ends");
    bench.network.go_on();
    working.await.expect("it ends").expect("the database answers");
    assert_eq!(bench.state(calling).await, DeliveryState::Sent);
    assert_eq!(store.under_way(&scope).await.expect("answered"), 0, "drained");
    bench.drain().await;
    assert_eq!((bench.state(waiting).await, bench.network.calls()), (DeliveryState::Queued, 1));
    // Another account's is not stopped.
    let other = Scope::App { network: account.network, base_url: Some("https://elsewhere.example/".into()) };
    assert_eq!(store.resume(&other, MINUTE, "ayşe").await.expect("nothing to do").spaced, 0);
    store.resume(&scope, MINUTE, "ayşe").await.expect("it goes on");
    bench.drain().await;
    assert_eq!(bench.state(waiting).await, DeliveryState::Sent);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_stop_held_up_goes_out_spaced_as_it_was_said_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    store.stop(&Scope::All, "", "ayşe").await.expect("it can be stopped");
    for text in ["bir", "iki tane", "üç küçük kedi"] {
        bench.post(text).await;
    }
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    let plan = store.resume_plan(&Scope::All, MINUTE).await.expect("answered");
    assert_eq!((plan.spaced, plan.accounts, plan.at_once, plan.held), (3, 1, 0, 0));
    let over = plan.last_at.expect("there is a last one").duration_since(store.clock());
    assert!((SignedDuration::from_secs(110)..=SignedDuration::from_mins(2)).contains(&over), "{over:?}");
    let released = store.resume(&Scope::All, MINUTE, "ayşe").await.expect("it goes on");
    assert_eq!((released.spaced, released.accounts), (plan.spaced, plan.accounts));
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
async fn what_is_planned_keeps_its_place_behind_what_a_stop_held_up(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Scope::All, Scope::Posts)] scope: Scope,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    store.stop(&scope, "", "ayşe").await.expect("it can be stopped");
    let planned = async |text: &str, seconds: u64| {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(bench.now() + Duration::from_secs(seconds));
        bench.try_post(request).await.expect("it can be planned").id
    };
    // While the three that wait go out, and a little after the last of them; and long after that.
    planned("dört yanım deniz", 90).await;
    planned("beş kardeşin hikâyesi", 150).await;
    let late = planned("altı üstü bir gün", 3600).await;
    for text in ["bir", "iki tane", "üç küçük kedi"] {
        bench.post(text).await;
    }
    let plan = store.resume_plan(&scope, MINUTE).await.expect("answered");
    let released = store.resume(&scope, MINUTE, "ayşe").await.expect("it goes on");
    assert_eq!((plan.spaced, released.spaced), (5, 5));
    for expected in 1..=5 {
        bench.drain().await;
        assert_eq!(bench.network.calls(), expected, "one a minute");
        bench.later(MINUTE);
    }
    bench.later(MINUTE * 54);
    bench.drain().await;
    assert_eq!(bench.state(late).await, DeliveryState::Queued, "what is in nobody's way keeps its time");
    assert_eq!(
        bench.network.texts(),
        ["bir", "iki tane", "üç küçük kedi", "dört yanım deniz", "beş kardeşin hikâyesi"]
    );
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_pause_held_up_goes_out_spaced_too(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let answer = reply(&bench).await;
    store.pause_account(bench.account, "", "ayşe").await.expect("it can be paused");
    for text in ["bir", "iki tane", "üç küçük kedi"] {
        bench.post(text).await;
    }
    bench.later(Duration::from_secs(11));
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    // What is stopped beside stays so, and keeps its times.
    store.stop(&Scope::Posts, "", "ayşe").await.expect("it can be stopped");
    store.resume_account(bench.account, MINUTE, "ayşe").await.expect("it goes on");
    bench.drain().await;
    assert_eq!((bench.network.calls(), bench.state(answer).await), (1, DeliveryState::Sent));
    store.pause_account(bench.account, "", "ayşe").await.expect("it can be paused");
    store.resume(&Scope::Posts, MINUTE, "ayşe").await.expect("it goes on");
    store.resume_account(bench.account, MINUTE, "ayşe").await.expect("it goes on");
    for expected in 2..=4 {
        bench.drain().await;
        assert_eq!(bench.network.calls(), expected);
        bench.later(MINUTE);
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_release_says_beforehand_how_many_over_how_long(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    for text in ["bir", "iki tane", "üç küçük kedi", "dört yanım deniz"] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(bench.now() - MINUTE * 60);
        bench.try_post(request).await.expect("it is kept");
    }
    let store = &bench.app.store;
    let plan = store.release_plan(Hold::Late, Some(bench.account), MINUTE * 2).await.expect("answered");
    assert_eq!((plan.spaced, plan.accounts, plan.spacing_seconds), (4, 1, 120));
    store.release_held(Hold::Late, None, MINUTE * 2, "ayşe").await.expect("released");
    let filter = muhatap::store::deliveries::DeliveryFilter::default();
    let last = store.deliveries(&filter).await.expect("answered")[0].due_at;
    let apart = last.duration_since(plan.last_at.expect("there is a last one")).abs();
    assert!(apart < SignedDuration::from_secs(10), "as it was said: {apart:?}");
    let none = store.release_plan(Hold::Late, None, MINUTE).await.expect("answered");
    assert_eq!((none.spaced, none.last_at), (0, None));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn campaigns_leave_the_last_fifth_of_an_apps_limit_to_answers(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::on(backend, FakeNetwork::new(Certainty::None), |config| {
        let path = config.delivery.policy_dir.as_ref().expect("tests have their own").join("mastodon.toml");
        let policy = std::fs::read_to_string(&path).expect("it is there");
        let app =
            "[app]\ncalls = 5\nwindow_seconds = 600\nsource = \"our own choice: a test\"\nchecked = \"2026-11-22\"\n";
        std::fs::write(&path, format!("{policy}\n{app}")).expect("it can be written");
    })
    .await;
    let mut posts = Vec::new();
    for number in 0..6 {
        posts.push(bench.post(&format!("{number} {}", "söz ".repeat(number))).await);
    }
    bench.drain().await;
    assert_eq!(bench.network.calls(), 4, "a fifth is kept");
    let view = bench.view(posts[4]).await;
    assert_eq!((view.state, view.attempts), (DeliveryState::Queued, 0));
    let Why::PutBack { reason } = &view.standing.why else { panic!("{:?}", view.standing) };
    assert!(reason.contains("limit of 5 calls"), "{reason}");
    assert!(view.next_at.is_some_and(|at| at > bench.now()));
    let answer = reply(&bench).await;
    bench.later(Duration::from_secs(11));
    bench.drain().await;
    assert_eq!(bench.state(answer).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 5);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn who_works_and_who_went_away_is_known(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    let id = bench.post("bir").await;
    let standing = bench.view(id).await.standing;
    assert_eq!((standing.why, standing.next), (Why::NoWorker { last_seen: None }, Next::StartWorker));
    let now = store.clock();
    let beat = |name, delivers, at| {
        let beat = Beat { name, host: "evde", pid: 7, roles: &[Role::Deliver], delivers, started_at: at };
        async move { store.beat(&beat, at).await.expect("it is written") }
    };
    beat("gone", true, now - MINUTE).await;
    let standing = bench.view(id).await.standing;
    assert_eq!(standing.why, Why::NoWorker { last_seen: Some(now - MINUTE) });
    beat("w1", true, now).await;
    assert_eq!(bench.view(id).await.standing.why, Why::Turn);
    beat("leaving", false, now).await;

    let turn = store.take(&bench.lane(), "w1", MINUTE, None, bench.now()).await.expect("answered");
    assert!(matches!(turn, muhatap::store::attempts::Turn::Send(_)));
    assert!(store.lease("reaper", "w1", MINUTE, now).await.expect("answered"));
    let mut workers = store.workers().await.expect("answered");
    workers.sort_by(|left, right| left.name.cmp(&right.name));
    let states: Vec<_> = workers.iter().map(|worker| (worker.name.as_str(), worker.state)).collect();
    let expected = [("gone", WorkerState::Away), ("leaving", WorkerState::Draining), ("w1", WorkerState::Alive)];
    assert_eq!(states, expected);
    assert_eq!((workers[2].deliveries[0].delivery_id, &workers[2].leases), (id, &vec!["reaper".to_owned()]));
    for name in ["gone", "leaving", "w1"] {
        store.goodbye(name).await.expect("it is written");
    }
    assert_eq!(store.workers().await.expect("answered"), []);
    let other = bench.post("iki").await;
    let why = bench.view(other).await.standing.why;
    assert!(matches!(why, Why::NoWorker { last_seen: Some(at) } if at >= now), "one that ended is remembered: {why:?}");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_unclear_post_does_not_hold_up_replies_while_posts_are_stopped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Certainty::Key { life: MINUTE * 60 * 24 * 3650 }, Certainty::ReadBack)] certainty: Certainty,
) {
    let bench = Bench::new(backend, certainty).await;
    let post = bench.post("kampanya").await;
    bench.network.script([End::Unclear]);
    bench.turn().await;
    let answer = reply(&bench).await;
    bench.app.store.stop(&Scope::Posts, "deprem", "ayşe").await.expect("it can be stopped");
    for _ in 0..3 {
        bench.later(MINUTE);
        bench.turn().await;
    }
    assert_eq!((bench.network.finds(), bench.network.calls()), (2, 2), "looked for twice, and not again");
    assert_eq!((bench.state(answer).await, bench.state(post).await), (DeliveryState::Sent, DeliveryState::Queued));
    bench.app.store.resume(&Scope::Posts, MINUTE, "ayşe").await.expect("it goes on");
    bench.later(MINUTE);
    bench.drain().await;
    assert_eq!(bench.state(post).await, DeliveryState::Sent);
    assert_eq!(bench.network.ever_shown().len(), 2);
    bench.stop().await;
}

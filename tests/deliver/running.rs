//! The loops of a worker, as they run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muhatap::app::App;
use muhatap::compose::{self, PostRequest};
use muhatap::config::Config;
use muhatap::model::{DeliveryState, Network};
use muhatap::{deliver, outbox};
use muhatap_connectors::Certainty;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::sending::Bench;
use crate::support::{Backend, eventually, messages};

pub(super) fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(deliver::run(app.clone()));
    loops.spawn(outbox::run(app.clone()));
    loops
}

pub(super) async fn end(app: &App, mut loops: JoinSet<()>) {
    app.shutdown.cancel();
    let ended = async { while loops.join_next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the loops end within ten seconds");
}

#[rstest]
#[tokio::test]
async fn a_worker_sends_at_the_time_and_not_before(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let loops = start(&bench.app);
    let mut request = PostRequest::new(bench.account, "tam zamanında", "test");
    let due_at = bench.app.store.clock() + Duration::from_millis(700);
    request.due_at = Some(due_at);
    let id = bench.try_post(request).await.expect("planned").id;
    eventually("it is sent", async || bench.state(id).await == DeliveryState::Sent).await;
    let attempts = bench.app.store.attempts(id).await.expect("answered");
    assert!(attempts[0].started_at >= due_at, "not a moment too early");
    end(&bench.app, loops).await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_another_process_adds_moves_or_cancels_is_noticed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (worker, _) = bench.another_process().await;
    let loops = start(&worker);
    let far = bench.app.store.clock() + Duration::from_secs(600);
    let mut request = PostRequest::new(bench.account, "başka süreçten gelen", "test");
    request.due_at = Some(far);
    let moved = bench.try_post(request.clone()).await.expect("planned").id;
    request.text = "vazgeçilecek olan bir söz".into();
    request.due_at = Some(bench.app.store.clock() + Duration::from_secs(3));
    let cancelled = bench.try_post(request).await.expect("planned").id;
    let at_once = bench.post("hemen şimdi çıkacak olan").await;
    eventually("it is sent", async || bench.state(at_once).await == DeliveryState::Sent).await;
    bench.app.store.cancel(cancelled, "ayşe").await.expect("cancelled");
    bench.app.store.reschedule(moved, bench.app.store.clock(), "ayşe").await.expect("moved");
    eventually("it is sent", async || bench.state(moved).await == DeliveryState::Sent).await;
    assert_eq!(bench.network.calls(), 2);
    end(&worker, loops).await;
    assert_eq!(bench.state(cancelled).await, DeliveryState::Cancelled);
    worker.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_send_a_thousand_once_and_in_order(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const ACCOUNTS: usize = 20;
    const EACH: usize = 50;
    let network = FakeNetwork::with_keys(Certainty::None, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| config.delivery.post_late = Duration::from_secs(3600)).await;
    let (other, _) = bench.another_process().await;
    let mut accounts = vec![bench.account];
    for number in 1..ACCOUNTS {
        let id = messages::account(&bench.app.store, &format!("hesap {number}"), Network::Mastodon).await;
        let account = bench.app.store.account(id).await.expect("it is there");
        bench.app.connectors.put(&account, bench.network.clone());
        other.connectors.put(&account, bench.network.clone());
        accounts.push(id);
    }
    let due_at = bench.app.store.clock();
    for number in 0..EACH {
        for (index, account) in accounts.iter().enumerate() {
            let mut request = PostRequest::new(*account, format!("{index}:{number}"), "test");
            request.due_at = Some(due_at);
            request.confirm.duplicate = true;
            compose::post(&bench.app, request).await.expect("planned");
        }
    }
    let (loops, others) = (start(&bench.app), start(&other));
    let counted = async || bench.network.calls() >= ACCOUNTS * EACH;
    for _ in 0..4 {
        // Each wait is bounded; a loaded machine may need several.
        let wait = tokio::time::timeout(Duration::from_secs(25), eventually("all are called", counted)).await;
        if wait.is_ok() {
            break;
        }
    }
    end(&bench.app, loops).await;
    end(&other, others).await;
    let mut shown: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for text in bench.network.texts() {
        let (account, number) = text.split_once(':').expect("as it was written");
        shown.entry(account.to_owned()).or_default().push(number.parse().expect("a number"));
    }
    assert_eq!(shown.len(), ACCOUNTS);
    for (account, numbers) in shown {
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "account {account}");
    }
    let counts = bench.app.store.delivery_counts().await.expect("answered");
    assert_eq!(counts, [(DeliveryState::Sent, (ACCOUNTS * EACH) as i64)]);
    other.store.close().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_finishes_its_call_and_leaves_the_rest() {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let loops = start(&bench.app);
    bench.network.script([End::Wait]);
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.until_called().await;
    bench.app.shutdown.cancel();
    bench.network.go_on();
    end(&bench.app, loops).await;
    assert_eq!(bench.state(first).await, DeliveryState::Sent);
    assert_eq!(bench.state(second).await, DeliveryState::Queued);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_still_out_when_the_process_ends_is_left_to_be_verified() {
    let network = FakeNetwork::with_keys(Certainty::ReadBack, Keys::Ignored);
    let long = |config: &mut Config| config.delivery.call_timeout = Duration::from_secs(60);
    let bench = Bench::on(Backend::Sqlite, network, long).await;
    let id = bench.post("yanıtı gelmeyen").await;
    bench.network.script([End::AcceptThenHang]);
    let loops = start(&bench.app);
    bench.network.until_called().await;
    end(&bench.app, loops).await;
    let view = bench.view(id).await;
    assert_eq!(view.state, DeliveryState::Verifying);
    assert_eq!(view.reason.as_deref(), Some("its worker was stopped during the call"));
    // Another process need not wait for the lease: the settle time is enough.
    let (other, sender) = bench.another_process().await;
    bench.later(bench.app.config.delivery.settle + Duration::from_secs(10));
    sender.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    assert_eq!((bench.state(id).await, bench.network.calls()), (DeliveryState::Sent, 1));
    other.store.close().await;
    bench.stop().await;
}

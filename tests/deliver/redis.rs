//! Two workers over Redis while it is emptied, killed and started again: nothing is lost or doubled, and little is late.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use muhatap::app::App;
use muhatap::compose::PostRequest;
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap_connectors::Certainty;
use rstest::rstest;

use super::running::{end, start};
use crate::support::network::{FakeNetwork, Keys};
use crate::support::redis::Redis;
use crate::support::sending::Bench;
use crate::support::{Backend, eventually};

const POSTS: u32 = 40;
const EVERY: SignedDuration = SignedDuration::from_millis(200);
/// The network is asked by the database within this when Redis is away; usually it takes about a second.
const LATE_AT_MOST: SignedDuration = SignedDuration::from_secs(6);

async fn until_sent(bench: &Bench, ids: &[DeliveryId], count: usize) {
    eventually("so many are sent", async || {
        let mut sent = 0;
        for id in ids {
            sent += usize::from(bench.state(*id).await == DeliveryState::Sent);
        }
        sent >= count
    })
    .await;
}

async fn lateness(app: &App, id: DeliveryId, due_at: jiff::Timestamp) -> SignedDuration {
    let attempts = app.store.attempts(id).await.expect("the database answers");
    assert_eq!(attempts.len(), 1, "called once");
    attempts[0].started_at.duration_since(due_at)
}

#[rstest]
#[tokio::test]
async fn nothing_is_lost_doubled_or_very_late_when_redis_is_emptied_and_killed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let redis = Redis::start().await;
    let network = FakeNetwork::with_keys(Certainty::None, Keys::Ignored);
    let bench = Bench::on(backend, network, |config| config.queue.url = redis.url()).await;
    let (other, _) = bench.another_process().await;
    let loops = [start(&bench.app), start(&other)];
    let first = bench.app.store.clock() + SignedDuration::from_secs(2);
    let mut posts = BTreeMap::new();
    for number in 0..POSTS {
        // Words enough that no two look alike.
        let text = format!("{number} {}", "söz ".repeat(number as usize));
        let due_at = first + EVERY * number as i32;
        let request = PostRequest { due_at: Some(due_at), ..PostRequest::new(bench.account, text, "test") };
        posts.insert(bench.try_post(request).await.expect("it is planned").id, due_at);
    }
    let ids: Vec<DeliveryId> = posts.keys().copied().collect();

    until_sent(&bench, &ids, 5).await;
    redis.command::<()>("FLUSHALL").await;
    until_sent(&bench, &ids, 12).await;
    redis.restart().await;
    until_sent(&bench, &ids, 18).await;
    redis.kill();
    eventually("the workers go on by themselves", async || {
        bench.app.dispatcher.trouble().is_some() && other.dispatcher.trouble().is_some()
    })
    .await;
    until_sent(&bench, &ids, 30).await;
    redis.restart().await;
    eventually("the workers use redis again", async || {
        bench.app.dispatcher.trouble().is_none() && other.dispatcher.trouble().is_none()
    })
    .await;
    until_sent(&bench, &ids, ids.len()).await;

    let mut shown: Vec<u32> =
        bench.network.ever_shown().iter().filter_map(|shown| shown.text.split(' ').next()?.parse().ok()).collect();
    shown.sort_unstable();
    assert_eq!(shown, (0..POSTS).collect::<Vec<_>>(), "each once");
    let mut worst = SignedDuration::ZERO;
    for (id, due_at) in &posts {
        worst = worst.max(lateness(&bench.app, *id, *due_at).await);
    }
    println!("{backend:?}: {POSTS} posts, the latest {} ms late", worst.as_millis());
    assert!(worst < LATE_AT_MOST, "{worst:?} late");
    let [ours, others] = loops;
    end(&bench.app, ours).await;
    end(&other, others).await;
    other.store.close().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_worker_that_ends_leaves_no_lane_behind() {
    let redis = Redis::start().await;
    let network = FakeNetwork::with_keys(Certainty::None, Keys::Ignored);
    let bench = Bench::on(Backend::Sqlite, network, |config| config.queue.url = redis.url()).await;
    let loops = start(&bench.app);
    let id = bench.post("son söz").await;
    eventually("it is sent", async || bench.state(id).await == DeliveryState::Sent).await;
    end(&bench.app, loops).await;
    let counts = bench.app.dispatcher.counts().await.expect("redis answers");
    assert_eq!((counts["leased"], counts["hints"]), (0, 0));
    bench.stop().await;
}

#[tokio::test]
async fn a_worker_starts_and_sends_without_redis_and_says_so() {
    let redis = Redis::start().await;
    redis.kill();
    let network = FakeNetwork::with_keys(Certainty::None, Keys::Ignored);
    let bench = Bench::on(Backend::Sqlite, network, |config| config.queue.url = redis.url()).await;
    let loops = start(&bench.app);
    let id = bench.post("kuyruksuz söz").await;
    let within = eventually("it is sent", async || bench.state(id).await == DeliveryState::Sent);
    tokio::time::timeout(Duration::from_secs(15), within).await.expect("within seconds");
    assert!(bench.app.dispatcher.trouble().is_some());
    end(&bench.app, loops).await;
    bench.stop().await;
}

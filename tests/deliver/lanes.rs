//! A lane that rests for a delivery rests no longer once a person has ended what it rested for; and what changes while a
//! lane is held is not forgotten. Through the loops of a worker, or its parts one after the other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap::app::App;
use muhatap::compose::PostRequest;
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap::outbox;
use muhatap::queue::{Claim, Done, Want};
use muhatap::store::attempts::Outcome;
use muhatap::store::deliveries::Decision;
use muhatap_connectors::Certainty;
use rstest::rstest;

use super::running::{end, start};
use crate::support::network::{End, FakeNetwork, Keys};
use crate::support::redis::Redis;
use crate::support::sending::Bench;
use crate::support::{Backend, eventually};

const HOUR: Duration = Duration::from_secs(3600);

/// What a person does to what a lane rests for.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Cancel,
    /// Within what the dispatcher knows, or beyond.
    Move(SignedDuration),
    SendNow,
    Decide(Word),
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Sent,
    Cancel,
}

impl Deed {
    async fn be_done(self, app: &App, id: DeliveryId) {
        let now = app.store.clock();
        let done = match self {
            Self::Cancel => app.store.cancel(id, "ayşe").await,
            Self::Move(by) => app.store.reschedule(id, now + by, "ayşe").await,
            Self::SendNow => app.store.retry(id, Duration::ZERO, "ayşe", now).await,
            Self::Decide(word) => {
                let decision = match word {
                    Word::Sent => Decision::Sent { receipt: None },
                    Word::Cancel => Decision::Cancel,
                };
                app.store.decide(id, decision, Duration::ZERO, "ayşe", now).await
            }
        };
        done.unwrap_or_else(|error| panic!("{self:?}: {error}"));
    }
}

/// A bench whose queue is in the process or in Redis.
async fn bench(redis: Option<&Redis>, certainty: Certainty) -> Bench {
    let network = FakeNetwork::with_keys(certainty, Keys::Ignored);
    Bench::on(Backend::Sqlite, network, |config| {
        config.delivery.post_late = HOUR * 24;
        config.delivery.settle = Duration::from_secs(1);
        if let Some(redis) = redis {
            config.queue.url = redis.url();
        }
    })
    .await
}

/// Two posts of a lane that were due long ago: what fails of them is tried again in minutes.
async fn two_posts(bench: &Bench) -> [DeliveryId; 2] {
    let due_at = bench.app.store.clock() - HOUR * 2;
    let mut ids = Vec::new();
    for text in ["önce gidecek olan", "ardında bekleyen söz"] {
        let request = PostRequest { due_at: Some(due_at), ..PostRequest::new(bench.account, text, "test") };
        ids.push(bench.try_post(request).await.expect("planned").id);
    }
    [ids[0], ids[1]]
}

/// Another process does it: this one hears of it from the database alone.
async fn a_person_elsewhere(bench: &Bench, deed: Deed, id: DeliveryId) {
    let (other, _) = bench.another_process().await;
    deed.be_done(&other, id).await;
    other.store.close().await;
}

#[rstest]
#[tokio::test]
async fn what_stands_behind_a_failed_try_goes_once_a_person_ended_it(
    #[values(false, true)] in_redis: bool,
    #[values(
        Deed::Cancel,
        Deed::Move(SignedDuration::from_mins(10)),
        Deed::Move(SignedDuration::from_hours(5)),
        Deed::SendNow
    )]
    deed: Deed,
) {
    let redis = if in_redis { Some(Redis::start().await) } else { None };
    let bench = bench(redis.as_ref(), Certainty::None).await;
    let [failed, behind] = two_posts(&bench).await;
    bench.network.script([End::Unavailable]);
    let loops = start(&bench.app);
    eventually("it failed", async || bench.state(failed).await == DeliveryState::Retry).await;
    // So that the sweep has told of it.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(bench.state(behind).await, DeliveryState::Queued, "its lane rests");
    a_person_elsewhere(&bench, deed, failed).await;
    eventually("what is behind it is sent", async || bench.state(behind).await == DeliveryState::Sent).await;
    end(&bench.app, loops).await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_stands_behind_an_unclear_end_goes_once_a_person_decided(
    #[values(false, true)] in_redis: bool,
    #[values(false, true)] restarted: bool,
    #[values(Deed::SendNow, Deed::Decide(Word::Sent), Deed::Decide(Word::Cancel))] deed: Deed,
) {
    let redis = if in_redis { Some(Redis::start().await) } else { None };
    let mut bench = bench(redis.as_ref(), Certainty::ReadBack).await;
    let [unclear, behind] = two_posts(&bench).await;
    bench.network.script([End::AcceptThenError]);
    bench.network.script_find([End::RateLimit(HOUR)]);
    let mut loops = start(&bench.app);
    eventually("it was not read back", async || {
        let view = bench.view(unclear).await;
        view.state == DeliveryState::Verifying && view.next_at > Some(bench.app.store.clock() + HOUR / 2)
    })
    .await;
    if restarted {
        end(&bench.app, loops).await;
        if let Some(redis) = &redis {
            redis.command::<()>("FLUSHALL").await;
        }
        (bench.app, bench.sender) = bench.another_process().await;
        loops = start(&bench.app);
    }
    tokio::time::sleep(Duration::from_millis(1700)).await;
    assert_eq!(bench.state(behind).await, DeliveryState::Queued, "its lane rests");
    a_person_elsewhere(&bench, deed, unclear).await;
    eventually("what is behind it is sent", async || bench.state(behind).await == DeliveryState::Sent).await;
    end(&bench.app, loops).await;
    bench.stop().await;
}

/// One round of a worker: what it has done, and what it is given next.
async fn step(bench: &Bench, done: Vec<Done>) -> Vec<Claim> {
    let want = Want { claims: 5, hints: 5, lease: Duration::from_secs(60), done };
    bench.app.dispatcher.step(want).await.expect("the queue answers").claims
}

async fn sweep(bench: &Bench, since: Timestamp) {
    outbox::sweep(&bench.app, since, bench.app.store.clock()).await.expect("both answer");
}

fn done(claim: &Claim, finished: Vec<DeliveryId>, rest: Option<Timestamp>) -> Done {
    let (account, lane) = (claim.account, claim.lane.clone());
    Done { account, lane, nonce: claim.nonce, finished, untouched: 0, rest }
}

#[rstest]
#[tokio::test]
async fn a_next_try_is_waited_for_without_a_look_in_between(
    #[values(false, true)] in_redis: bool,
    #[values(false, true)] far: bool,
) {
    let redis = if in_redis { Some(Redis::start().await) } else { None };
    let bench = bench(redis.as_ref(), Certainty::ReadBack).await;
    let [first, _] = two_posts(&bench).await;
    let begin = bench.app.store.clock() - HOUR;
    sweep(&bench, begin).await;
    let claim = step(&bench, Vec::new()).await.remove(0);
    bench.network.script([if far { End::AcceptThenError } else { End::Unavailable }]);
    let mut ended = bench.turn().await;
    if far {
        bench.execute("UPDATE accounts SET probe_at = NULL, probes = 0").await;
        bench.network.script_find([End::RateLimit(HOUR)]);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        ended = bench.turn().await;
        assert!(matches!(ended.outcome, Some(Outcome::Unread { .. })), "{ended:?}");
    }
    assert!(ended.rest.is_some() && bench.state(first).await != DeliveryState::Sent);
    assert_eq!(step(&bench, vec![done(&claim, ended.finished, ended.rest)]).await, []);
    for _ in 0..3 {
        // Each a process that tells what changed, or a round that failed and tells it again.
        sweep(&bench, begin).await;
        outbox::load(&bench.app, bench.app.store.clock()).await.expect("both answer");
        assert_eq!(step(&bench, Vec::new()).await, []);
    }
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_wanted_again_while_its_lane_is_held_is_not_forgotten(
    #[values(false, true)] in_redis: bool,
    #[values(false, true)] follows: bool,
) {
    let redis = if in_redis { Some(Redis::start().await) } else { None };
    let bench = bench(redis.as_ref(), Certainty::None).await;
    let [first, second] = two_posts(&bench).await;
    let mut ids = vec![first, second];
    if follows {
        let due_at = bench.app.store.clock() - HOUR;
        let text = "yalnız öbürünün ardından";
        let request =
            PostRequest { due_at: Some(due_at), after: Some(first), ..PostRequest::new(bench.account, text, "test") };
        ids.push(bench.try_post(request).await.expect("planned").id);
    }
    let begin = bench.app.store.clock() - HOUR;
    sweep(&bench, begin).await;
    let claim = step(&bench, Vec::new()).await.remove(0);
    assert_eq!(claim.hints.len(), ids.len());
    // The holder looked before these came, and says after them that it needs nobody's attention.
    let wanted = match follows {
        true => {
            // As where its predecessor goes out by another lane.
            bench.turn().await;
            assert_eq!(bench.state(first).await, DeliveryState::Sent);
            ids[2]
        }
        false => {
            let soon = bench.app.store.clock() + Duration::from_millis(50);
            bench.app.store.reschedule(second, soon, "ayşe").await.expect("moved");
            second
        }
    };
    sweep(&bench, begin).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let claims = step(&bench, vec![done(&claim, ids, None)]).await;
    let handed_out: Vec<DeliveryId> = claims.iter().flat_map(|claim| &claim.hints).map(|due| due.id).collect();
    assert_eq!(handed_out, [wanted]);
    bench.stop().await;
}

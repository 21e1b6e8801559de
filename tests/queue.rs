//! What every dispatcher promises, asked of the one in the process, of Redis and of a Redis Cluster; that they answer
//! alike; and what becomes of it when Redis fails.

mod clocks;
mod contract;
mod differential;
mod failures;
mod property;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muhatap::model::{AccountId, Class, DeliveryId};
use muhatap::queue::redis::Server;
use muhatap::queue::{Claim, Dispatcher, Done, Hint, MemoryDispatcher, Pace, RedisDispatcher, Want};
use ulid::Ulid;

use crate::support::redis::Redis;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);
/// Where the tests' clocks begin, in milliseconds.
const START: i64 = 1_800_000_000_000;

/// A dispatcher whose clock the test moves.
struct Fixture {
    dispatcher: Arc<dyn Dispatcher>,
    millis: Arc<AtomicI64>,
    /// Ends with the fixture.
    _redis: Option<Redis>,
}

impl Fixture {
    fn in_memory() -> Fixture {
        let (millis, clock) = test_clock();
        Fixture { dispatcher: Arc::new(MemoryDispatcher::new(clock)), millis, _redis: None }
    }

    async fn in_redis() -> Fixture {
        let redis = Redis::start().await;
        Fixture { _redis: Some(redis.clone()), ..Self::at(&redis.url()) }
    }

    /// On a Redis that is somebody else's to start and end.
    fn at(url: &str) -> Fixture {
        let (millis, clock) = test_clock();
        let server = Server::parse(url).expect("the address is right");
        Fixture { dispatcher: Arc::new(RedisDispatcher::timed(server, clock)), millis, _redis: None }
    }

    fn now(&self) -> Timestamp {
        at(self.millis.load(Ordering::Relaxed))
    }

    fn later(&self, by: Duration) {
        self.millis.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }

    async fn add(&self, hints: &[Hint]) {
        self.dispatcher.add(hints).await.expect("the queue answers");
    }

    async fn claim(&self, claims: usize) -> Vec<Claim> {
        self.step(claims, Vec::new()).await
    }

    async fn step(&self, claims: usize, done: Vec<Done>) -> Vec<Claim> {
        self.ask(Want { claims, hints: 1, lease: LEASE, done }).await
    }

    async fn ask(&self, want: Want) -> Vec<Claim> {
        self.dispatcher.step(want).await.expect("the queue answers").claims
    }

    /// A hint that is due now, with a number that is also its order.
    fn hint(&self, account: u128, lane: &str, class: Class, number: u128) -> Hint {
        hint(self.now(), account, lane, class, number)
    }
}

/// A clock that stands still until it is moved.
fn test_clock() -> (Arc<AtomicI64>, impl Fn() -> Timestamp + Send + Sync + 'static) {
    let millis = Arc::new(AtomicI64::new(START));
    let clock = millis.clone();
    (millis, move || at(clock.load(Ordering::Relaxed)))
}

/// The time as it is, where Redis's own clock counts: as the file system has it, and then by the monotonic clock.
fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (at, taken) = START.get_or_init(|| {
        let file = tempfile::tempfile().expect("a temporary file can be made");
        let made = file.metadata().and_then(|about| about.modified()).expect("it says when it was made");
        (Timestamp::try_from(made).expect("in range"), Instant::now())
    });
    *at + taken.elapsed()
}

fn hint(due: Timestamp, account: u128, lane: &str, class: Class, number: u128) -> Hint {
    let account = AccountId(Ulid(account));
    Hint { id: id(number), account, lane: format!("{account}/{lane}"), class, due, pace: Pace::FREE }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("in range")
}

fn id(number: u128) -> DeliveryId {
    DeliveryId(Ulid(number))
}

fn ids(claims: &[Claim]) -> Vec<DeliveryId> {
    claims.iter().flat_map(|claim| &claim.hints).map(|due| due.id).collect()
}

fn sent(claim: &Claim) -> Done {
    let (account, lane) = (claim.account, claim.lane.clone());
    let finished = ids(std::slice::from_ref(claim));
    Done { account, lane, nonce: claim.nonce, finished, untouched: 0, rest: None }
}

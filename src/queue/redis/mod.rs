//! The dispatcher for any number of processes: the rules of [`super::shard`] as scripts in Redis.
//!
//! Everything of an account lies in one shard, and everything of a shard in one slot; one Redis has one shard, a cluster
//! four for each of its masters. Redis holds ids and times only, may be emptied at any moment, and its own clock decides:
//! times are moved by how far it is from the database's.

mod link;
mod scripts;
mod server;
mod step;
mod waiter;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::redis::{FromRedisValue, RedisError, Script, ScriptInvocation, cmd};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tracing::{debug, warn};

use super::tick::{Tick, micros};
use super::{Budget, Claim, Dispatcher, Gate, Hint, Place, QueueError, Step, Want};
use crate::model::{AccountId, Class};
use link::{Link, Live};
use scripts::Scripts;
pub use server::{About, Server};
use step::Steps;
use waiter::{WAKE, Waiter};

/// Without news somebody who waits looks again after this: so soon it is noticed that Redis was emptied.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Hints in one script: some milliseconds of the server's time.
const HINTS_AT_ONCE: usize = 500;
/// Microseconds that Redis's clock may be from the database's before times are moved: more than servers under NTP differ.
const CLOCKS_DIFFER: i64 = 50_000;
/// Written to see whether writing works.
const TRIAL: &str = "{m}:trial";

/// Orders deliveries in Redis.
pub struct RedisDispatcher {
    link: Link,
    scripts: Scripts,
    /// Names this dispatcher among those of all processes.
    process: String,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether `clock` also is the scripts' time.
    timed: bool,
    steps: tokio::sync::Mutex<Steps>,
    /// Of each shard: the masters of a cluster have clocks of their own.
    clocks: Mutex<Vec<Ahead>>,
    waiter: Waiter,
}

/// Microseconds by which the clock of a shard's server is ahead of the database's.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    /// By so much times are moved for it.
    used: i64,
    /// As it was last measured.
    measured: i64,
}

impl RedisDispatcher {
    /// Opens no connection. `clock` is the database's.
    pub fn new(server: Server, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            link: Link::new(server),
            scripts: Scripts::new(),
            process: format!("{:016x}", rand::random::<u64>()),
            clock: Box::new(clock),
            timed: false,
            steps: tokio::sync::Mutex::default(),
            clocks: Mutex::default(),
            waiter: Waiter::new(),
        }
    }

    /// For tests: `clock` is also the scripts' time, in place of Redis's own.
    pub fn timed(server: Server, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { timed: true, ..Self::new(server, clock) }
    }

    /// Which Redis it is.
    pub fn server(&self) -> &Server {
        &self.link.server
    }

    /// Whether Redis takes writes now.
    pub(super) async fn try_to_write(&self) -> Result<(), QueueError> {
        let live = self.link.live().await?;
        let mut connection = live.connection.clone();
        let written: Result<(), RedisError> =
            cmd("SET").arg(TRIAL).arg(1).arg("PX").arg(1000).query_async(&mut connection).await;
        match written {
            Ok(()) => {
                self.link.worked();
                Ok(())
            }
            Err(error) => Err(self.link.failed(&live, &error).await),
        }
    }

    fn clocks(&self) -> MutexGuard<'_, Vec<Ahead>> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self, shard: usize) -> Ahead {
        self.clocks().get(shard).copied().unwrap_or_default()
    }

    /// A time of the database as it is for the shard's server.
    fn redis_time(&self, shard: usize, at: Timestamp) -> Tick {
        at.checked_add(SignedDuration::from_micros(self.ahead(shard).used)).unwrap_or(at).into()
    }

    fn database_time(&self, shard: usize, tick: Tick) -> Timestamp {
        let at = Timestamp::from(tick);
        at.checked_sub(SignedDuration::from_micros(self.ahead(shard).used)).unwrap_or(at)
    }

    /// A script of one shard with its prefix and, in tests, the time.
    fn prepare<'a>(&self, script: &'a Script, shard: usize, shards: usize) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation.key(format!("{{m:{shards}:{shard}}}:"));
        self.add_time(&mut invocation);
        invocation
    }

    fn add_time(&self, invocation: &mut ScriptInvocation<'_>) {
        match self.timed {
            true => invocation.arg(Tick::from((self.clock)()).0),
            false => invocation.arg(""),
        };
    }

    async fn run<T: FromRedisValue>(&self, live: &Live, invocation: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        let mut connection = live.connection.clone();
        match invocation.invoke_async(&mut connection).await {
            Ok(answer) => {
                self.link.worked();
                Ok(answer)
            }
            Err(error) => Err(self.link.failed(live, &error).await),
        }
    }

    /// Runs one script a shard over what belongs to it, and wakes somebody if that is news.
    async fn tell<T>(
        &self,
        script: &Script,
        things: &[T],
        account: impl Fn(&T) -> AccountId,
        write: impl Fn(&mut ScriptInvocation<'_>, usize, &[&T]),
    ) -> Result<(), QueueError> {
        let live = self.link.live().await?;
        let mut by_shard: BTreeMap<usize, Vec<&T>> = BTreeMap::new();
        for thing in things {
            by_shard.entry(shard_of(account(thing), live.shards)).or_default().push(thing);
        }
        let mut news = false;
        for (shard, things) in by_shard {
            for chunk in things.chunks(HINTS_AT_ONCE) {
                let mut invocation = self.prepare(script, shard, live.shards);
                write(&mut invocation, shard, chunk);
                news |= self.run::<i64>(&live, &invocation).await? == 1;
            }
        }
        if news {
            self.wake(&live).await;
        }
        Ok(())
    }

    /// Wakes one of those who wait; without it they look by themselves within a second.
    async fn wake(&self, live: &Live) {
        if let Err(error) = self.run::<i64>(live, self.scripts.wake.prepare_invoke().key(WAKE)).await {
            debug!(%error, "nobody could be told of news in the queue");
        }
    }

    /// Takes note of how far the clock of a shard's server is from the database's.
    fn compare_clocks(&self, shard: usize, (asked_at, asked): (Timestamp, Instant), now: Tick) {
        if self.timed {
            return;
        }
        let half = asked.elapsed() / 2;
        let measured = Timestamp::from(now).as_microsecond() - (asked_at + half).as_microsecond();
        // A slow answer says less.
        let differ = CLOCKS_DIFFER + micros(half) as i64;
        let mut clocks = self.clocks();
        if clocks.len() <= shard {
            clocks.resize(shard + 1, Ahead::default());
        }
        clocks[shard].measured = measured;
        if (measured - clocks[shard].used).abs() > differ {
            clocks[shard].used = measured;
            warn!(
                queue = %self.link.server, shard, ahead_ms = measured / 1000,
                "redis's clock differs from the database's: times in the queue are moved by that"
            );
        }
    }
}

#[async_trait]
impl Dispatcher for RedisDispatcher {
    async fn add(&self, hints: &[Hint]) -> Result<(), QueueError> {
        self.tell(
            &self.scripts.add,
            hints,
            |hint| hint.account,
            |invocation, shard, hints| {
                for hint in hints {
                    invocation.arg(lane_key(hint.account, &hint.lane)).arg(&hint.id.0.to_bytes());
                    invocation
                        .arg(hint.class.clamp(Class::TAKEDOWN, Class::CAMPAIGN).0)
                        .arg(self.redis_time(shard, hint.due).0);
                    invocation.arg(micros(hint.pace.interval)).arg(hint.pace.burst);
                }
            },
        )
        .await
    }

    async fn step(&self, want: Want) -> Result<Step, QueueError> {
        self.step_all(want).await
    }

    async fn extend(&self, claims: &[Claim], lease: Duration) -> Result<Vec<String>, QueueError> {
        let live = self.link.live().await?;
        let mut by_shard: BTreeMap<usize, Vec<&Claim>> = BTreeMap::new();
        for claim in claims {
            by_shard.entry(shard_of(claim.account, live.shards)).or_default().push(claim);
        }
        let mut lost = Vec::new();
        for (shard, claims) in by_shard {
            let mut invocation = self.prepare(&self.scripts.extend, shard, live.shards);
            invocation.arg(micros(lease));
            for claim in claims {
                invocation.arg(lane_key(claim.account, &claim.lane)).arg(claim.nonce);
            }
            let keys: Vec<String> = self.run(&live, &invocation).await?;
            lost.extend(keys.iter().filter_map(|key| read_lane(key)).map(|(_, lane)| lane.to_owned()));
        }
        Ok(lost)
    }

    async fn move_(&self, places: &[Place], to: Option<Timestamp>) -> Result<(), QueueError> {
        self.tell(
            &self.scripts.move_,
            places,
            |place| place.account,
            |invocation, shard, places| {
                invocation.arg(to.map_or(String::new(), |to| self.redis_time(shard, to).0.to_string()));
                for place in places {
                    invocation.arg(lane_key(place.account, &place.lane)).arg(&place.id.0.to_bytes());
                }
            },
        )
        .await
    }

    async fn gate(&self, gate: &Gate, until: Option<Timestamp>) -> Result<(), QueueError> {
        let (account, lane) = match gate {
            Gate::Lane { account, lane } => (*account, lane_key(*account, lane)),
            Gate::Account(account) => (*account, String::new()),
        };
        self.tell(
            &self.scripts.gate,
            &[account],
            |account| *account,
            |invocation, shard, _| {
                let until = until.map_or(String::new(), |until| self.redis_time(shard, until).0.to_string());
                invocation.arg(account.to_string()).arg(&lane).arg(until);
            },
        )
        .await
    }

    async fn budget(&self, budget: &Budget, class: Class, take: u32) -> Result<u32, QueueError> {
        let live = self.link.live().await?;
        let mut invocation = self.scripts.budget.prepare_invoke();
        invocation.key(format!("{{m:b:{}}}", budget.app));
        self.add_time(&mut invocation);
        invocation.arg(budget.open_to(class)).arg(micros(budget.window)).arg(take);
        self.run(&live, &invocation).await
    }

    async fn wait(&self, until: Option<Timestamp>) {
        // By the slowest clock of Redis, or the step after it finds nothing due yet.
        let slower = self.clocks().iter().map(|ahead| ahead.used - ahead.measured).max().unwrap_or(0);
        let now = (self.clock)() - SignedDuration::from_micros(slower);
        let at_most = until
            .map_or(LOOK_AGAIN, |until| until.duration_since(now).try_into().unwrap_or(Duration::ZERO).min(LOOK_AGAIN));
        self.waiter.wait(&self.link.server, at_most).await;
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn counts(&self) -> Result<BTreeMap<&'static str, usize>, QueueError> {
        let live = self.link.live().await?;
        let mut counts = BTreeMap::from([("hints", 0), ("leased", 0), ("waiting", 0)]);
        for shard in 0..live.shards {
            let (hints, leased, waiting): (usize, usize, usize) =
                self.run(&live, &self.prepare(&self.scripts.counts, shard, live.shards)).await?;
            for (name, count) in [("hints", hints), ("leased", leased), ("waiting", waiting)] {
                *counts.entry(name).or_default() += count;
            }
        }
        Ok(counts)
    }
}

/// An account's id is random in its lower bits.
fn shard_of(account: AccountId, shards: usize) -> usize {
    (account.0.0 % shards as u128) as usize
}

/// A lane as the scripts name it: its account's id comes first and always has the same length.
fn lane_key(account: AccountId, lane: &str) -> String {
    format!("{account}:{lane}")
}

fn read_lane(key: &str) -> Option<(AccountId, &str)> {
    let (account, lane) = key.split_once(':')?;
    Some((account.parse().ok()?, lane))
}

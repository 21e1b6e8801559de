//! One step over all shards: what is done is told, what is handed out is gathered.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ::redis::{FromRedisValue, RedisError, Value};
use futures_util::future::join_all;
use jiff::Timestamp;
use tracing::warn;

use super::link::Live;
use super::{Ahead, RedisDispatcher, lane_key, read_lane, shard_of};
use crate::model::DeliveryId;
use crate::queue::tick::{Tick, micros};
use crate::queue::{Claim, Done, Due, QueueError, Step, Want};

/// Lanes in one script.
const CLAIMS_AT_ONCE: usize = 500;
/// How often one step asks the shards of a cluster, until it has what is wanted.
const ROUNDS: usize = 4;

/// What one step must know of those before it.
#[derive(Default)]
pub(super) struct Steps {
    number: u64,
    shards: Vec<ShardState>,
}

#[derive(Debug, Clone, Default)]
struct ShardState {
    generation: u64,
    /// The first of the steps since the last answer; 0 when the last step was answered.
    unanswered: u64,
    /// Done, and Redis does not know it yet.
    untold: Vec<Done>,
}

/// What one shard is asked for.
struct Asked {
    /// The number of the step.
    number: u64,
    claims: usize,
    /// Of each lane.
    hints: usize,
    lease: Duration,
}

/// What one shard answered.
struct Stepped {
    generation: u64,
    next: Option<Timestamp>,
    /// Accounts are still in line.
    more: bool,
    claims: Vec<Claim>,
}

/// What the shards answered so far.
#[derive(Default)]
struct Gathered {
    claims: Vec<Claim>,
    next: Option<Timestamp>,
    /// Shards where accounts are still in line.
    more: Vec<usize>,
    answered: BTreeSet<usize>,
    /// A shard has another generation than before.
    emptied: bool,
    failed: Option<QueueError>,
}

impl Gathered {
    fn add(&mut self, shard: usize, state: &mut ShardState, number: u64, answer: Result<Stepped, QueueError>) {
        match answer {
            Ok(stepped) => {
                self.answered.insert(shard);
                self.emptied |= state.generation != 0 && state.generation != stepped.generation;
                *state = ShardState { generation: stepped.generation, ..ShardState::default() };
                self.claims.extend(stepped.claims);
                self.next = self.next.into_iter().chain(stepped.next).min();
                self.more.extend(stepped.more.then_some(shard));
            }
            Err(error) => {
                if state.unanswered == 0 {
                    state.unanswered = number;
                }
                self.failed = Some(error);
            }
        }
    }
}

impl Steps {
    /// One number for the generations of all shards and what their times are moved by.
    fn generation(&self, clocks: &[Ahead]) -> u64 {
        let moved = clocks.iter().map(|ahead| ahead.used as u64);
        let generations = self.shards.iter().map(|state| state.generation);
        moved.chain(generations).fold(0, |all, one| all.wrapping_mul(31).wrapping_add(one))
    }
}

impl RedisDispatcher {
    pub(super) async fn step_all(&self, want: Want) -> Result<Step, QueueError> {
        let mut steps = self.steps.lock().await;
        let live = self.link.live().await?;
        let shards = live.shards;
        if steps.shards.len() != shards {
            steps.shards = vec![ShardState::default(); shards];
        }
        for done in want.done {
            steps.shards[shard_of(done.account, shards)].untold.push(done);
        }
        let wanted = want.claims.min(CLAIMS_AT_ONCE * shards);
        let mut gathered = Gathered::default();
        // First all shards, another one first each time; then those that have more than their share.
        let first = steps.number as usize % shards;
        let mut ask: Vec<usize> = (first..shards).chain(0..first).collect();
        for _ in 0..ROUNDS {
            let left = wanted - gathered.claims.len();
            let (share, rest) = (left / ask.len(), left % ask.len());
            steps.number += 1;
            let number = steps.number;
            let asked = ask.iter().enumerate().map(|(place, shard)| {
                let share = share + usize::from(place < rest);
                let asked = Asked { number, claims: share, hints: want.hints, lease: want.lease };
                self.step_shard(&live, *shard, &steps.shards[*shard], asked)
            });
            let answers = join_all(asked).await;
            gathered.more.clear();
            for (shard, answer) in ask.into_iter().zip(answers) {
                gathered.add(shard, &mut steps.shards[shard], number, answer);
            }
            ask = gathered.more.clone();
            if ask.is_empty() || gathered.claims.len() >= wanted {
                break;
            }
        }
        if let Some(error) = gathered.failed {
            if gathered.answered.is_empty() {
                // The caller will say again what is done.
                steps.shards.iter_mut().for_each(|state| state.untold.clear());
                return Err(error);
            }
            warn!(%error, answered = gathered.answered.len(), shards, "a part of the queue does not answer");
        }
        // When the clocks are found to differ by something else, what is in Redis is loaded again, moved by that.
        let generation = steps.generation(&self.clocks());
        drop(steps);
        if gathered.emptied && self.link.server.is_cluster() {
            self.link.look_again().await;
        }
        let more = !gathered.more.is_empty();
        if more {
            self.wake(&live).await;
        }
        let next = match more && gathered.claims.len() < wanted {
            true => Some((self.clock)()),
            false => gathered.next,
        };
        Ok(Step { claims: gathered.claims, next, generation })
    }

    /// One step of one shard.
    async fn step_shard(
        &self,
        live: &Live,
        shard: usize,
        state: &ShardState,
        Asked { number, claims, hints, lease }: Asked,
    ) -> Result<Stepped, QueueError> {
        let mut invocation = self.prepare(&self.scripts.step, shard, live.shards);
        let generation: u64 = rand::random::<u64>() >> 11;
        invocation.arg(generation).arg(&self.process).arg(number).arg(state.unanswered);
        invocation.arg(claims).arg(micros(lease)).arg(hints.max(1));
        for done in &state.untold {
            invocation.arg(lane_key(done.account, &done.lane)).arg(done.nonce);
            invocation.arg(done.rest.map_or(String::new(), |rest| self.redis_time(shard, rest).0.to_string()));
            invocation.arg(done.untouched).arg(done.finished.len());
            for id in &done.finished {
                invocation.arg(&id.0.to_bytes());
            }
        }
        let asked = ((self.clock)(), Instant::now());
        type Answer = (u64, u64, i64, u64, Vec<Value>);
        let (generation, now, next, more, claims): Answer = self.run(live, &invocation).await?;
        self.compare_clocks(shard, asked, Tick(now));
        let until = self.database_time(shard, Tick(now).after(lease));
        let claims = claims.iter().map(|claim| self.read_claim(shard, claim, until)).collect::<Result<_, _>>();
        Ok(Stepped {
            generation,
            next: u64::try_from(next).ok().map(|next| self.database_time(shard, Tick(next))),
            more: more == 1,
            claims: claims.map_err(|error: RedisError| self.link.server.explain(&error))?,
        })
    }

    fn read_claim(&self, shard: usize, claim: &Value, until: Timestamp) -> Result<Claim, RedisError> {
        let unreadable = || RedisError::from((::redis::ErrorKind::Parse, "a claim cannot be read"));
        let (key, nonce, hints): (String, u64, Vec<Value>) = FromRedisValue::from_redis_value_ref(claim)?;
        let (account, lane) = read_lane(&key).ok_or_else(unreadable)?;
        let due = |hint: &[Value]| {
            let bytes = Vec::<u8>::from_redis_value_ref(&hint[0])?;
            let id = DeliveryId(ulid::Ulid::from_bytes(bytes.try_into().map_err(|_| unreadable())?));
            Ok(Due { id, at: self.database_time(shard, Tick(u64::from_redis_value_ref(&hint[1])?)) })
        };
        let hints = hints.chunks_exact(2).map(due).collect::<Result<_, RedisError>>()?;
        Ok(Claim { lane: lane.to_owned(), account, hints, nonce, until })
    }
}

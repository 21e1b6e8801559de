//! Both dispatchers, asked the same at the same moments, answer the same.

use muhatap::queue::{Budget, Gate, Place};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use super::*;

const CASES: u32 = 200;

/// One random use. Lanes, accounts and deliveries are few, so that they meet often.
#[derive(Debug, Clone)]
enum Use {
    Add(Vec<New>),
    Step { claims: usize, hints: usize, done: Vec<Ended> },
    Extend { which: Vec<usize>, millis: u64 },
    Move { numbers: Vec<u128>, due_in: Option<i64> },
    Gate { lane: u128, whole_account: bool, ends_in: Option<i64> },
    Budget { class: i64, take: u32 },
    Later { micros: i64 },
}

#[derive(Debug, Clone)]
struct New {
    number: u128,
    class: i64,
    due_in: i64,
    pace: Option<(u64, u32)>,
}

#[derive(Debug, Clone)]
struct Ended {
    which: usize,
    /// Of the claim's hints, the first.
    finished: usize,
    rest: Option<i64>,
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    use proptest::collection::vec;
    use proptest::option::{of, weighted};
    let new = (0..80u128, 0..4i64, -300..2_000i64, weighted(0.2, (1..900u64, 1..4u32)))
        .prop_map(|(number, class, due_in, pace)| New { number, class, due_in, pace });
    let ended = (0..12usize, 0..5usize, weighted(0.3, -100..900i64)).prop_map(|(which, finished, rest)| Ended {
        which,
        finished,
        rest,
    });
    let one = prop_oneof![
        4 => vec(new, 1..12).prop_map(Use::Add),
        6 => (0..6usize, 0..5usize, vec(ended, 0..6))
            .prop_map(|(claims, hints, done)| Use::Step { claims, hints, done }),
        1 => (vec(0..12usize, 0..4), 1..3_000u64).prop_map(|(which, millis)| Use::Extend { which, millis }),
        1 => (vec(0..80u128, 1..6), of(-200..2_000i64)).prop_map(|(numbers, due_in)| Use::Move { numbers, due_in }),
        1 => (0..10u128, any::<bool>(), weighted(0.7, -100..1_500i64))
            .prop_map(|(lane, whole_account, ends_in)| Use::Gate { lane, whole_account, ends_in }),
        1 => (0..4i64, 0..9u32).prop_map(|(class, take)| Use::Budget { class, take }),
        4 => (0..1_500_000i64).prop_map(|micros| Use::Later { micros }),
    ];
    vec(one, 1..80)
}

/// The lane of a number: ten lanes of four accounts, whose ids differ in their first and last letters.
fn lane_of(lane: u128) -> (AccountId, String) {
    let account = AccountId(Ulid((lane % 4) << 120 | 7 << (lane % 4)));
    (account, format!("{account}/{lane}"))
}

fn place_of(number: u128) -> Place {
    let (account, lane) = lane_of(number % 10);
    Place { account, lane, id: id(number << 64 | number) }
}

struct Pair {
    micros: Arc<AtomicI64>,
    memory: MemoryDispatcher,
    redis: RedisDispatcher,
    /// Handed out, in this order, also those whose leases ran out: an old holder may come back.
    claims: Vec<Claim>,
}

impl Pair {
    fn new(url: &str) -> Pair {
        let micros = Arc::new(AtomicI64::new(START * 1000));
        let clock = |micros: &Arc<AtomicI64>| {
            let micros = micros.clone();
            move || Timestamp::from_microsecond(micros.load(Ordering::Relaxed)).expect("in range")
        };
        Pair {
            memory: MemoryDispatcher::new(clock(&micros)),
            redis: RedisDispatcher::timed(Server::parse(url).expect("the address is right"), clock(&micros)),
            micros,
            claims: Vec::new(),
        }
    }

    /// Often a round moment, so that a lane may rest until the very time of a hint.
    fn after(&self, millis: i64) -> Timestamp {
        let micros = self.micros.load(Ordering::Relaxed) + millis * 1000;
        let round = if millis % 2 == 0 { 400_000 } else { 1 };
        Timestamp::from_microsecond(micros - micros % round).expect("in range")
    }

    /// Does it in both; answers what each said.
    async fn ask(&mut self, what: &Use) -> (String, String) {
        let mut said = Vec::new();
        let mut claimed = Vec::new();
        for queue in [&self.memory as &dyn Dispatcher, &self.redis] {
            let answer = match what {
                Use::Add(new) => {
                    let hints: Vec<Hint> = new.iter().map(|new| self.hint(new)).collect();
                    format!("{:?}", queue.add(&hints).await)
                }
                Use::Step { claims, hints, done } => {
                    let done = done.iter().filter_map(|ended| self.done(ended)).collect();
                    let want = Want { claims: *claims, hints: *hints, lease: SECOND * 2, done };
                    let step = queue.step(want).await.expect("the queue answers");
                    let answer = format!("{:?} next {:?}", step.claims, step.next);
                    claimed = step.claims;
                    answer
                }
                Use::Extend { which, millis } => {
                    let held: Vec<Claim> = which.iter().filter_map(|which| self.claim(*which)).collect();
                    format!("{:?}", queue.extend(&held, Duration::from_millis(*millis)).await)
                }
                Use::Move { numbers, due_in } => {
                    let places: Vec<Place> = numbers.iter().map(|number| place_of(*number)).collect();
                    format!("{:?}", queue.move_(&places, due_in.map(|millis| self.after(millis))).await)
                }
                Use::Gate { lane, whole_account, ends_in } => {
                    let (account, lane) = lane_of(*lane);
                    let gate = if *whole_account { Gate::Account(account) } else { Gate::Lane { account, lane } };
                    format!("{:?}", queue.gate(&gate, ends_in.map(|millis| self.after(millis))).await)
                }
                Use::Budget { class, take } => {
                    let budget = Budget { app: "app".into(), calls: 10, window: SECOND * 3 };
                    format!("{:?}", queue.budget(&budget, Class(*class), *take).await)
                }
                Use::Later { .. } => String::new(),
            };
            said.push(format!("{answer} {:?}", queue.counts().await));
        }
        self.claims.extend(claimed);
        if let Use::Later { micros } = what {
            self.micros.fetch_add(*micros, Ordering::Relaxed);
        }
        (said.remove(0), said.remove(0))
    }

    fn hint(&self, new: &New) -> Hint {
        let Place { account, lane, id } = place_of(new.number);
        let pace =
            new.pace.map_or(Pace::FREE, |(millis, burst)| Pace { interval: Duration::from_millis(millis), burst });
        Hint { id, account, lane, class: Class(new.class), due: self.after(new.due_in), pace }
    }

    /// One of the last claims.
    fn claim(&self, which: usize) -> Option<Claim> {
        self.claims.iter().rev().nth(which).cloned()
    }

    fn done(&self, ended: &Ended) -> Option<Done> {
        let done = sent(&self.claim(ended.which)?);
        let mut finished = done.finished;
        let untouched = finished.len().saturating_sub(ended.finished) as u32;
        finished.truncate(ended.finished);
        Some(Done { finished, untouched, rest: ended.rest.map(|millis| self.after(millis)), ..done })
    }
}

#[test]
fn redis_answers_as_the_process_does() {
    let runtime = Runtime::new().expect("a runtime can be made");
    let redis = runtime.block_on(Redis::start());
    let mut runner = TestRunner::new(ProptestConfig { cases: CASES, ..ProptestConfig::default() });
    let compared = runner.run(&uses(), |uses| {
        runtime.block_on(async {
            redis.command::<()>("FLUSHALL").await;
            let mut pair = Pair::new(&redis.url());
            for what in &uses {
                let (memory, redis) = pair.ask(what).await;
                prop_assert_eq!(memory, redis, "after {:?}", what);
            }
            Ok(())
        })
    });
    compared.unwrap_or_else(|difference| panic!("{difference}"));
}

//! What every dispatcher promises, and what a long random use of the in-process one never breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use muhatap::model::{AccountId, Class, DeliveryId};
use muhatap::queue::shard::Shard;
use muhatap::queue::{Budget, Claim, Dispatcher, Done, Gate, Hint, MemoryDispatcher, Pace, Want};
use proptest::prelude::*;
use rstest::rstest;
use ulid::Ulid;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);

/// The implementations the contract is asked of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
}

/// A dispatcher whose clock the test moves.
struct Fixture {
    dispatcher: Arc<dyn Dispatcher>,
    millis: Arc<AtomicI64>,
}

impl Fixture {
    fn new(kind: Kind) -> Fixture {
        let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = millis.clone();
        let dispatcher: Arc<dyn Dispatcher> = match kind {
            Kind::Memory => Arc::new(MemoryDispatcher::new(move || at(clock.load(Ordering::Relaxed)))),
        };
        Fixture { dispatcher, millis }
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
        let want = Want { worker: "worker".into(), claims, lease: LEASE, done };
        self.dispatcher.step(want).await.expect("the queue answers").claims
    }

    /// A hint that is due now, with a number that is also its order.
    fn hint(&self, account: u128, lane: &str, class: Class, number: u128) -> Hint {
        Hint {
            id: id(number),
            account: AccountId(Ulid(account)),
            lane: format!("{account}/{lane}"),
            class,
            due: self.now(),
            seq: number as i64,
            pace: Pace::FREE,
        }
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("in range")
}

fn id(number: u128) -> DeliveryId {
    DeliveryId(Ulid(number))
}

fn ids(claims: &[Claim]) -> Vec<DeliveryId> {
    claims.iter().map(|claim| claim.id).collect()
}

fn sent(claim: &Claim) -> Done {
    Done { lane: claim.lane.clone(), nonce: claim.nonce, finished: vec![claim.id], rest: None }
}

#[rstest]
#[tokio::test]
async fn nothing_is_handed_out_before_its_time(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let mut hint = queue.hint(1, "posts", Class::REPLY, 1);
    hint.due = queue.now() + Duration::from_millis(250);
    queue.add(std::slice::from_ref(&hint)).await;
    queue.later(Duration::from_millis(249));
    let want = Want { worker: "worker".into(), claims: 5, lease: LEASE, done: Vec::new() };
    let step = queue.dispatcher.step(want).await.expect("the queue answers");
    assert_eq!((step.claims.len(), step.next), (0, Some(hint.due)), "it tells when, to the millisecond");
    queue.later(Duration::from_millis(1));
    assert_eq!(ids(&queue.claim(5).await), [hint.id]);
}

#[rstest]
#[tokio::test]
async fn a_lane_has_one_holder_and_keeps_its_order(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let hints: Vec<Hint> = (1..=3).map(|number| queue.hint(1, "posts", Class::REPLY, number)).collect();
    // However they arrive.
    queue.add(&[hints[2].clone(), hints[0].clone(), hints[1].clone()]).await;
    for hint in &hints {
        let claims = queue.claim(5).await;
        assert_eq!(ids(&claims), [hint.id]);
        assert_eq!(queue.claim(5).await, []);
        queue.step(0, vec![sent(&claims[0])]).await;
    }
    assert_eq!(queue.claim(5).await, []);
}

#[rstest]
#[tokio::test]
async fn the_more_urgent_class_goes_first_and_accounts_take_turns(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let mut hints = Vec::new();
    for number in 0..6 {
        hints.push(queue.hint(1, &format!("to {number}"), Class::REPLY, 10 + number));
    }
    hints.push(queue.hint(2, "posts", Class::REPLY, 20));
    hints.push(queue.hint(3, "posts", Class::CAMPAIGN, 30));
    hints.push(queue.hint(4, "takedown", Class::TAKEDOWN, 40));
    queue.add(&hints).await;
    let claimed = ids(&queue.claim(20).await);
    assert_eq!(claimed.len(), 9);
    assert_eq!(claimed[0], id(40));
    assert_eq!(claimed[8], id(30));
    assert!(claimed[1..=2].contains(&id(20)), "a busy account does not keep the others waiting: {claimed:?}");
}

#[rstest]
#[tokio::test]
async fn an_account_sends_no_faster_than_its_pace(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let pace = Pace { interval: SECOND, burst: 3 };
    let hints: Vec<Hint> =
        (0..10).map(|number| Hint { pace, ..queue.hint(1, &format!("to {number}"), Class::REPLY, number) }).collect();
    queue.add(&hints).await;
    assert_eq!(queue.claim(10).await.len(), 3, "the burst");
    assert_eq!(queue.claim(10).await.len(), 0);
    for _ in 0..4 {
        queue.later(SECOND);
        assert_eq!(queue.claim(10).await.len(), 1);
    }
    // A rest brings the burst back, and no more.
    queue.later(SECOND * 100);
    assert_eq!(queue.claim(10).await.len(), 3);
}

#[rstest]
#[tokio::test]
async fn a_gate_closes_until_its_time_or_until_it_is_opened(
    #[values(Kind::Memory)] kind: Kind,
    #[values(true, false)] whole_account: bool,
) {
    let queue = Fixture::new(kind);
    let hints = [queue.hint(1, "posts", Class::REPLY, 1), queue.hint(2, "posts", Class::REPLY, 2)];
    queue.add(&hints).await;
    let account = hints[0].account;
    let gate = match whole_account {
        true => Gate::Account(account),
        false => Gate::Lane { account, lane: hints[0].lane.clone() },
    };
    queue.dispatcher.gate(&gate, Some(queue.now() + SECOND * 10)).await.expect("the queue answers");
    let claims = queue.claim(5).await;
    assert_eq!(ids(&claims), [id(2)], "the other account is not concerned");
    queue.later(SECOND * 9);
    assert_eq!(queue.claim(5).await, []);
    queue.later(SECOND);
    let claims = queue.claim(5).await;
    assert_eq!(ids(&claims), [id(1)]);

    queue.step(0, vec![Done { finished: Vec::new(), ..sent(&claims[0]) }]).await;
    queue.dispatcher.gate(&gate, Some(queue.now() + SECOND * 1000)).await.expect("the queue answers");
    assert_eq!(queue.claim(5).await, []);
    queue.dispatcher.gate(&gate, None).await.expect("the queue answers");
    assert_eq!(ids(&queue.claim(5).await), [id(1)]);
}

#[rstest]
#[tokio::test]
async fn a_lease_that_ran_out_gives_the_lane_to_another(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1)]).await;
    let first = queue.claim(1).await.remove(0);
    queue.later(SECOND * 20);
    let held = [(first.lane.clone(), first.nonce)];
    assert!(queue.dispatcher.extend(&held, LEASE).await.expect("the queue answers").is_empty());
    queue.later(SECOND * 20);
    assert_eq!(queue.claim(1).await, [], "it was prolonged");
    queue.later(SECOND * 11);
    let second = queue.claim(1).await.remove(0);
    assert_eq!(second.id, first.id);
    assert_ne!(second.nonce, first.nonce);
    // The first holder comes back: it has nothing to say any more.
    queue.step(0, vec![sent(&first)]).await;
    assert_eq!(
        queue.dispatcher.extend(&held, LEASE).await.expect("the queue answers"),
        std::slice::from_ref(&first.lane)
    );
    assert_eq!(queue.claim(1).await, []);
    queue.step(0, vec![sent(&second)]).await;
    queue.later(SECOND * 100);
    assert_eq!(queue.claim(1).await, []);
}

#[rstest]
#[tokio::test]
async fn a_lane_that_rests_keeps_what_it_has(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1), queue.hint(1, "posts", Class::REPLY, 2)]).await;
    let claim = queue.claim(1).await.remove(0);
    let rest = Some(queue.now() + SECOND * 5);
    queue.step(0, vec![Done { finished: Vec::new(), rest, ..sent(&claim) }]).await;
    assert_eq!(queue.claim(2).await, []);
    queue.later(SECOND * 5);
    assert_eq!(ids(&queue.claim(2).await), [id(1)], "the first one is still the first");
}

#[rstest]
#[tokio::test]
async fn hints_move_go_and_are_never_there_twice(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let mut hint = queue.hint(1, "posts", Class::CAMPAIGN, 1);
    for _ in 0..3 {
        queue.add(std::slice::from_ref(&hint)).await;
    }
    assert_eq!(queue.dispatcher.counts().await.expect("the queue answers")["hints"], 1);
    let later = queue.now() + SECOND * 60;
    queue.dispatcher.move_(hint.id, Some(later)).await.expect("the queue answers");
    assert_eq!(queue.claim(1).await, []);
    queue.later(SECOND * 60);
    // Lifted: its class changed in the database.
    hint.due = later;
    hint.class = Class::REPLY;
    queue.add(&[hint.clone(), queue.hint(2, "posts", Class::CAMPAIGN, 2)]).await;
    assert_eq!(ids(&queue.claim(1).await), [id(1)]);
    queue.dispatcher.move_(id(2), None).await.expect("the queue answers");
    assert_eq!(queue.claim(5).await, []);
    queue.dispatcher.move_(id(99), None).await.expect("an unknown one does no harm");
}

#[rstest]
#[tokio::test]
async fn campaigns_leave_the_last_fifth_of_a_budget(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let budget = Budget { app: "app".into(), calls: 10, window: SECOND * 60 };
    let take = async |class, count| queue.dispatcher.budget(&budget, class, count).await.expect("the queue answers");
    assert_eq!(take(Class::CAMPAIGN, 100).await, 8);
    assert_eq!(take(Class::CAMPAIGN, 1).await, 0);
    assert_eq!(take(Class::REPLY, 1).await, 1);
    assert_eq!(take(Class::TAKEDOWN, 5).await, 1);
    queue.later(SECOND * 60);
    assert_eq!(take(Class::CAMPAIGN, 1).await, 1);
}

#[rstest]
#[tokio::test]
async fn whoever_waits_is_woken_by_what_comes(#[values(Kind::Memory)] kind: Kind) {
    let queue = Fixture::new(kind);
    let waiting = tokio::spawn({
        let dispatcher = queue.dispatcher.clone();
        async move { dispatcher.wait(None).await }
    });
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1)]).await;
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is woken").expect("it ends");
}

/// One random use.
#[derive(Debug, Clone)]
enum Use {
    Add { number: u128, lane: u8, class: i64, due_in: i64 },
    Step { claims: usize },
    Done { which: usize, finished: bool, rest: Option<i64> },
    Later { millis: i64 },
    Move { number: u128, due_in: Option<i64> },
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one = prop_oneof![
        4 => (0..60u128, 0..8u8, 0..4i64, -500..4000i64)
            .prop_map(|(number, lane, class, due_in)| Use::Add { number, lane, class, due_in }),
        4 => (0..4usize).prop_map(|claims| Use::Step { claims }),
        3 => (0..8usize, any::<bool>(), proptest::option::of(1..2000i64))
            .prop_map(|(which, finished, rest)| Use::Done { which, finished, rest }),
        3 => (1..3000i64).prop_map(|millis| Use::Later { millis }),
        1 => (0..60u128, proptest::option::of(0..3000i64)).prop_map(|(number, due_in)| Use::Move { number, due_in }),
    ];
    proptest::collection::vec(one, 1..200)
}

/// What the dispatcher should know, in the plainest form.
#[derive(Default)]
struct Plain {
    hints: BTreeMap<DeliveryId, Hint>,
    held: BTreeMap<String, Claim>,
    resting: BTreeMap<String, Timestamp>,
}

impl Plain {
    fn pass(&mut self, now: Timestamp) {
        self.held.retain(|_, claim| claim.until > now);
        self.resting.retain(|_, until| *until > now);
    }

    /// The first due hint of every lane that may be handed out.
    fn heads(&self, now: Timestamp) -> BTreeMap<String, (Class, Timestamp, i64, DeliveryId)> {
        let mut heads = BTreeMap::new();
        for hint in self.hints.values().filter(|hint| hint.due <= now) {
            if self.held.contains_key(&hint.lane) || self.resting.contains_key(&hint.lane) {
                continue;
            }
            let key = (hint.class, hint.due, hint.seq, hint.id);
            let head = heads.entry(hint.lane.clone()).or_insert(key);
            *head = (*head).min(key);
        }
        heads
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn one_holder_a_lane_in_order_by_class_and_nothing_lost(uses in uses()) {
        let mut shard = Shard::new(7);
        let mut plain = Plain::default();
        let mut now = at(1_800_000_000_000);
        for what in uses {
            match what {
                Use::Add { number, lane, class, due_in } => {
                    let account = AccountId(Ulid(u128::from(lane) / 3));
                    // A delivery never changes its lane.
                    let lane = plain.hints.get(&id(number)).map_or(format!("{account}/{lane}"), |hint| hint.lane.clone());
                    let account = plain.hints.get(&id(number)).map_or(account, |hint| hint.account);
                    let due = at(now.as_millisecond() + due_in);
                    let hint = Hint { id: id(number), account, lane, class: Class(class), due, seq: number as i64, pace: Pace::FREE };
                    shard.add(now, std::slice::from_ref(&hint));
                    plain.hints.insert(hint.id, hint);
                }
                Use::Step { claims } => {
                    let want = Want { worker: "worker".into(), claims, lease: SECOND * 5, done: Vec::new() };
                    let step = shard.step(now, &want);
                    plain.pass(now);
                    prop_assert!(step.next.is_none_or(|next| next > now));
                    for claim in &step.claims {
                        let heads = plain.heads(now);
                        let head = heads.get(&claim.lane);
                        prop_assert!(head.is_some(), "a lane that is held, rests or has nothing due was handed out");
                        prop_assert_eq!(head.map(|head| head.3), Some(claim.id), "the lane's first one");
                        let urgent = heads.values().map(|head| head.0).min();
                        prop_assert_eq!(head.map(|head| head.0), urgent, "the most urgent class");
                        plain.held.insert(claim.lane.clone(), claim.clone());
                    }
                    prop_assert!(step.claims.len() == claims || plain.heads(now).is_empty(), "nothing is kept back");
                }
                Use::Done { which, finished, rest } => {
                    plain.pass(now);
                    let Some(claim) = plain.held.values().nth(which).cloned() else { continue };
                    let rest = rest.map(|millis| at(now.as_millisecond() + millis));
                    let done = Done {
                        lane: claim.lane.clone(),
                        nonce: claim.nonce,
                        finished: if finished { vec![claim.id] } else { Vec::new() },
                        rest,
                    };
                    shard.step(now, &Want { worker: "worker".into(), claims: 0, lease: SECOND * 5, done: vec![done] });
                    plain.held.remove(&claim.lane);
                    if finished {
                        plain.hints.remove(&claim.id);
                    }
                    if let Some(rest) = rest {
                        plain.resting.insert(claim.lane, rest);
                    }
                }
                Use::Later { millis } => now = at(now.as_millisecond() + millis),
                Use::Move { number, due_in } => {
                    let due = due_in.map(|millis| at(now.as_millisecond() + millis));
                    shard.move_(now, id(number), due);
                    match (due, plain.hints.get_mut(&id(number))) {
                        (Some(due), Some(hint)) => hint.due = due,
                        (None, _) => _ = plain.hints.remove(&id(number)),
                        _ => {}
                    }
                }
            }
        }
        // In the end everything that was added and not finished is handed out.
        let mut left: BTreeSet<DeliveryId> = plain.hints.keys().copied().collect();
        now = at(now.as_millisecond() + 3_600_000);
        let mut done = Vec::new();
        loop {
            let step = shard.step(now, &Want { worker: "worker".into(), claims: 3, lease: SECOND * 5, done });
            if step.claims.is_empty() {
                break;
            }
            for claim in &step.claims {
                prop_assert!(left.remove(&claim.id), "handed out twice");
            }
            done = step.claims.iter().map(sent).collect();
        }
        prop_assert!(left.is_empty(), "lost: {left:?}");
        prop_assert_eq!(shard.counts()["lanes"], 0, "nothing is kept for nothing");
    }
}

//! What a long random use of a shard never breaks, by the plainest account of it.

use std::collections::{BTreeMap, BTreeSet};

use muhatap::queue::Place;
use muhatap::queue::shard::Shard;
use proptest::prelude::*;

use super::*;

/// One random use.
#[derive(Debug, Clone)]
enum Use {
    Add { number: u128, class: i64, due_in: i64 },
    Step { claims: usize, hints: usize },
    Done { which: usize, finished: bool, rest: Option<i64> },
    Later { millis: i64 },
    Move { number: u128, due_in: Option<i64> },
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one = prop_oneof![
        4 => (0..60u128, 0..4i64, -500..4000i64)
            .prop_map(|(number, class, due_in)| Use::Add { number, class, due_in }),
        4 => (0..4usize, 1..4usize).prop_map(|(claims, hints)| Use::Step { claims, hints }),
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
    /// Held lanes of which a hint was added or changed since, and those of which one moved or went.
    told: BTreeSet<String>,
    stirred: BTreeSet<String>,
}

impl Plain {
    fn pass(&mut self, now: Timestamp) {
        self.held.retain(|_, claim| claim.until > now);
        self.resting.retain(|_, until| *until > now);
        for lanes in [&mut self.told, &mut self.stirred] {
            lanes.retain(|lane| self.held.contains_key(lane));
        }
    }

    /// The first moment after its lane's claim, where somebody holds it.
    fn after_claim(&self, lane: &str) -> Option<Timestamp> {
        self.held.get(lane).map(|claim| at(1_577_836_800_000) + Duration::from_micros(claim.nonce + 1))
    }

    fn put(&mut self, mut hint: Hint) {
        let before = self.hints.get(&hint.id);
        if before.is_some_and(|before| (before.class, before.due) == (hint.class, hint.due)) {
            return;
        }
        let is_known = before.is_some();
        if before.is_some_and(|before| before.due != hint.due) {
            self.stir(&hint.lane, Some(hint.due));
        }
        if let Some(after) = self.after_claim(&hint.lane) {
            self.told.insert(hint.lane.clone());
            if is_known {
                hint.due = hint.due.max(after);
            }
        }
        self.hints.insert(hint.id, hint);
    }

    fn stir(&mut self, lane: &str, to: Option<Timestamp>) {
        if self.held.contains_key(lane) {
            self.stirred.insert(lane.to_owned());
        } else if to.is_none() || self.resting.get(lane).copied() != to {
            self.resting.remove(lane);
        }
    }

    /// What is due in every lane that may be handed out, in its order.
    fn due(&self, now: Timestamp) -> BTreeMap<String, BTreeSet<(Class, Timestamp, DeliveryId)>> {
        let mut lanes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for hint in self.hints.values().filter(|hint| hint.due <= now) {
            if !self.held.contains_key(&hint.lane) && !self.resting.contains_key(&hint.lane) {
                lanes.entry(hint.lane.clone()).or_default().insert((hint.class, hint.due, hint.id));
            }
        }
        lanes
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
                Use::Add { number, class, due_in } => {
                    // A delivery never changes its lane.
                    let lane = number % 8;
                    let account = AccountId(Ulid(lane / 3));
                    let lane = format!("{account}/{lane}");
                    let due = at(now.as_millisecond() + due_in);
                    let hint = Hint { id: id(number), account, lane, class: Class(class), due, pace: Pace::FREE };
                    shard.add(now, std::slice::from_ref(&hint));
                    plain.put(hint);
                }
                Use::Step { claims, hints } => {
                    let want = Want { claims, hints, lease: SECOND * 5, done: Vec::new() };
                    let step = shard.step(now, &want);
                    plain.pass(now);
                    prop_assert!(step.next.is_none_or(|next| next > now));
                    for claim in &step.claims {
                        let lanes = plain.due(now);
                        let due = lanes.get(&claim.lane).cloned().unwrap_or_default();
                        let class = due.first().map(|first| first.0);
                        prop_assert!(class.is_some(), "a lane that is held, rests or has nothing due was handed out");
                        let first: Vec<DeliveryId> =
                            due.iter().filter(|one| Some(one.0) == class).map(|one| one.2).take(hints).collect();
                        prop_assert_eq!(&ids(std::slice::from_ref(claim)), &first, "the lane's first ones, of one class");
                        let urgent = lanes.values().filter_map(|due| due.first()).map(|first| first.0).min();
                        prop_assert_eq!(class, urgent, "the most urgent class");
                        plain.held.insert(claim.lane.clone(), claim.clone());
                    }
                    prop_assert!(step.claims.len() == claims || plain.due(now).is_empty(), "nothing is kept back");
                }
                Use::Done { which, finished, rest } => {
                    plain.pass(now);
                    let Some(claim) = plain.held.values().nth(which).cloned() else { continue };
                    let rest = rest.map(|millis| at(now.as_millisecond() + millis));
                    let first = claim.hints.first().map(|due| due.id).filter(|_| finished);
                    let untouched = claim.hints.len() as u32 - u32::from(finished);
                    let done = Done { finished: Vec::from_iter(first), untouched, rest, ..sent(&claim) };
                    shard.step(now, &Want { claims: 0, hints: 1, lease: SECOND * 5, done: vec![done] });
                    let after = plain.after_claim(&claim.lane).filter(|_| plain.told.remove(&claim.lane));
                    plain.held.remove(&claim.lane);
                    if let Some(first) = first
                        && plain.hints.get(&first).is_none_or(|hint| after.is_none_or(|after| hint.due < after))
                    {
                        plain.hints.remove(&first);
                    }
                    let stirred = plain.stirred.remove(&claim.lane);
                    if let Some(rest) = rest.filter(|_| !stirred) {
                        plain.resting.insert(claim.lane, rest);
                    }
                }
                Use::Later { millis } => now = at(now.as_millisecond() + millis),
                Use::Move { number, due_in } => {
                    let due = due_in.map(|millis| at(now.as_millisecond() + millis));
                    let Some(hint) = plain.hints.get(&id(number)).cloned() else { continue };
                    let place = Place { account: hint.account, lane: hint.lane.clone(), id: hint.id };
                    shard.move_(now, &[place], due);
                    match due {
                        Some(due) => plain.put(Hint { due, ..hint }),
                        None => {
                            plain.hints.remove(&hint.id);
                            plain.stir(&hint.lane, None);
                        }
                    }
                }
            }
        }
        // In the end everything that was added and not finished is handed out.
        let mut left: BTreeSet<DeliveryId> = plain.hints.keys().copied().collect();
        now = at(now.as_millisecond() + 3_600_000);
        let mut done = Vec::new();
        loop {
            let step = shard.step(now, &Want { claims: 3, hints: 2, lease: SECOND * 5, done });
            if step.claims.is_empty() {
                break;
            }
            for id in ids(&step.claims) {
                prop_assert!(left.remove(&id), "handed out twice");
            }
            done = step.claims.iter().map(sent).collect();
        }
        prop_assert!(left.is_empty(), "lost: {left:?}");
        prop_assert!(shard.is_empty(), "nothing is kept for nothing");
    }
}

//! The promises, one function each, and the dispatchers they are asked of.

use muhatap::queue::{Budget, Gate, Place};

use super::*;
use crate::support::redis::Cluster;

/// Asks each promise of the dispatcher in the process and of Redis, and those of one account or many alike of a cluster.
macro_rules! contract {
    (of_every_queue: $($every:ident),* $(,)?; of_one_shard: $($one:ident),* $(,)?;) => {
        mod in_memory {
            $(#[tokio::test] async fn $every() { super::$every(&super::Fixture::in_memory()).await })*
            $(#[tokio::test] async fn $one() { super::$one(&super::Fixture::in_memory()).await })*
        }

        mod in_redis {
            $(#[tokio::test] async fn $every() { super::$every(&super::Fixture::in_redis().await).await })*
            $(#[tokio::test] async fn $one() { super::$one(&super::Fixture::in_redis().await).await })*
        }

        /// Three masters, twelve shards; one cluster for all, since it takes seconds to start.
        #[tokio::test]
        async fn in_a_cluster() {
            let cluster = Cluster::start().await;
            $(
                cluster.flush().await;
                $every(&Fixture::at(&cluster.url())).await;
            )*
        }
    };
}

contract! {
    of_every_queue:
    nothing_is_handed_out_before_its_time,
    a_lane_has_one_holder_and_keeps_its_order,
    what_is_due_in_a_lane_is_handed_out_together_as_the_pace_allows,
    an_account_sends_no_faster_than_its_pace,
    a_gate_closes_an_account_until_its_time_or_until_it_is_opened,
    a_gate_closes_a_lane_until_its_time_or_until_it_is_opened,
    a_lease_that_ran_out_gives_the_lane_to_another,
    a_lane_that_rests_keeps_what_it_has,
    a_lane_that_rests_opens_when_one_of_its_hints_moves_or_goes,
    the_word_of_the_next_try_opens_no_lane,
    a_lane_whose_hints_moved_while_it_was_held_does_not_rest,
    what_is_said_of_a_held_lane_outlives_its_holder,
    hints_move_go_and_are_never_there_twice,
    campaigns_leave_the_last_fifth_of_a_budget,
    whoever_waits_is_woken_by_what_comes;
    // Classes and turns are kept within a shard.
    of_one_shard: the_more_urgent_class_goes_first_and_accounts_take_turns;
}

fn place(hint: &Hint) -> Place {
    Place { account: hint.account, lane: hint.lane.clone(), id: hint.id }
}

async fn nothing_is_handed_out_before_its_time(queue: &Fixture) {
    let mut hint = queue.hint(1, "posts", Class::REPLY, 1);
    hint.due = queue.now() + Duration::from_millis(250);
    queue.add(std::slice::from_ref(&hint)).await;
    queue.later(Duration::from_millis(249));
    let want = Want { claims: 5, hints: 1, lease: LEASE, done: Vec::new() };
    let step = queue.dispatcher.step(want).await.expect("the queue answers");
    assert_eq!((step.claims.len(), step.next), (0, Some(hint.due)), "it tells when, to the millisecond");
    queue.later(Duration::from_millis(1));
    assert_eq!(ids(&queue.claim(5).await), [hint.id]);
}

async fn a_lane_has_one_holder_and_keeps_its_order(queue: &Fixture) {
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

async fn what_is_due_in_a_lane_is_handed_out_together_as_the_pace_allows(queue: &Fixture) {
    let pace = Pace { interval: SECOND, burst: 4 };
    let hint = |number, class| Hint { pace, ..queue.hint(1, "posts", class, number) };
    let mut hints: Vec<Hint> = (1..=6).map(|number| hint(number, Class::REPLY)).collect();
    hints[1].due = queue.now() + SECOND;
    hints.push(hint(7, Class::CAMPAIGN));
    queue.add(&hints).await;
    let want = |hints, done| Want { claims: 5, hints, lease: LEASE, done };
    let claims = queue.ask(want(9, Vec::new())).await;
    assert_eq!(ids(&claims), [id(1), id(3), id(4), id(5)], "no faster than its pace, and nothing before its time");
    // Only the first two went out: the pace counts no more than those, and the other two are there again.
    let done = Done { finished: vec![id(1), id(3)], untouched: 2, ..sent(&claims[0]) };
    let claims = queue.ask(want(9, vec![done])).await;
    assert_eq!(ids(&claims), [id(4), id(5)]);
    queue.later(SECOND * 4);
    let claims = queue.ask(want(2, vec![sent(&claims[0])])).await;
    assert_eq!(ids(&claims), [id(6), id(2)], "no more than was asked for, in the order of their times");
    let claims = queue.ask(want(9, vec![sent(&claims[0])])).await;
    assert_eq!(ids(&claims), [id(7)], "another class has a turn of its own");
}

async fn the_more_urgent_class_goes_first_and_accounts_take_turns(queue: &Fixture) {
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

async fn an_account_sends_no_faster_than_its_pace(queue: &Fixture) {
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

async fn a_gate_closes_an_account_until_its_time_or_until_it_is_opened(queue: &Fixture) {
    let account = queue.hint(1, "posts", Class::REPLY, 1).account;
    a_gate_closes(queue, Gate::Account(account)).await;
}

async fn a_gate_closes_a_lane_until_its_time_or_until_it_is_opened(queue: &Fixture) {
    let Hint { account, lane, .. } = queue.hint(1, "posts", Class::REPLY, 1);
    a_gate_closes(queue, Gate::Lane { account, lane }).await;
}

async fn a_gate_closes(queue: &Fixture, gate: Gate) {
    let hints = [queue.hint(1, "posts", Class::REPLY, 1), queue.hint(2, "posts", Class::REPLY, 2)];
    queue.add(&hints).await;
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

async fn a_lease_that_ran_out_gives_the_lane_to_another(queue: &Fixture) {
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1)]).await;
    let first = queue.claim(12).await.remove(0);
    queue.later(SECOND * 20);
    let held = [first.clone()];
    assert!(queue.dispatcher.extend(&held, LEASE).await.expect("the queue answers").is_empty());
    queue.later(SECOND * 20);
    assert_eq!(queue.claim(1).await, [], "it was prolonged");
    queue.later(SECOND * 11);
    let second = queue.claim(12).await.remove(0);
    assert_eq!(second.hints, first.hints);
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

async fn a_lane_that_rests_keeps_what_it_has(queue: &Fixture) {
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1), queue.hint(1, "posts", Class::REPLY, 2)]).await;
    let claim = queue.claim(12).await.remove(0);
    let rest = Some(queue.now() + SECOND * 5);
    queue.step(0, vec![Done { finished: Vec::new(), rest, ..sent(&claim) }]).await;
    assert_eq!(queue.claim(2).await, []);
    queue.later(SECOND * 5);
    assert_eq!(ids(&queue.claim(2).await), [id(1)], "the first one is still the first");
}

/// What may end what a lane rests for.
const CHANGES: [fn(&Fixture, &Hint) -> Change; 6] = [
    |_, _| Change::Open,
    |_, _| Change::Go,
    |queue, _| Change::Move(queue.now()),
    |queue, _| Change::Move(queue.now() + SECOND * 90),
    |queue, hint| Change::Add(Hint { due: queue.now(), ..hint.clone() }),
    |queue, hint| Change::Add(Hint { due: queue.now() + SECOND * 90, ..hint.clone() }),
];

enum Change {
    /// Its lane.
    Open,
    Go,
    Move(Timestamp),
    Add(Hint),
}

impl Fixture {
    async fn change(&self, hint: &Hint, change: Change) {
        let changed = match change {
            Change::Open => {
                let Hint { account, lane, .. } = hint.clone();
                self.dispatcher.gate(&Gate::Lane { account, lane }, None).await
            }
            Change::Go => self.dispatcher.move_(&[place(hint)], None).await,
            Change::Move(to) => self.dispatcher.move_(&[place(hint)], Some(to)).await,
            Change::Add(hint) => self.dispatcher.add(&[hint]).await,
        };
        changed.expect("the queue answers");
    }

    /// Two hints of a lane, the first of which fails and is tried again in a minute; the claim that failed, and how it
    /// ended.
    async fn failed(&self, account: u128) -> ([Hint; 2], Done) {
        let number = account * 10;
        let [mut failed, behind] = [1, 2].map(|one| self.hint(account, "posts", Class::REPLY, number + one));
        self.add(&[failed.clone(), behind.clone()]).await;
        let claim = self.claim(12).await.remove(0);
        assert_eq!(claim.account, failed.account);
        self.later(SECOND);
        failed.due = self.now() + SECOND * 60;
        let done = Done { finished: Vec::new(), rest: Some(failed.due), ..sent(&claim) };
        ([failed, behind], done)
    }
}

async fn a_lane_that_rests_opens_when_one_of_its_hints_moves_or_goes(queue: &Fixture) {
    for (number, change) in CHANGES.iter().enumerate() {
        // Whether or not the queue was told of the next try by then.
        for told in [false, true] {
            let account = 2 * number as u128 + u128::from(told) + 1;
            let ([failed, behind], done) = queue.failed(account).await;
            queue.step(0, vec![done]).await;
            if told {
                queue.add(std::slice::from_ref(&failed)).await;
            }
            assert_eq!(queue.claim(12).await, [], "change {number}");
            queue.change(&failed, change(queue, &failed)).await;
            let claims = queue.claim(12).await;
            assert_eq!(claims.len(), 1, "change {number}, told: {told}");
            // As the database says, should it have been too early.
            let rest = Some(queue.now() + SECOND * 30);
            queue.step(0, vec![Done { finished: Vec::new(), rest, ..sent(&claims[0]) }]).await;
            assert_eq!(queue.claim(12).await, [], "change {number}, told: {told}");
            for hint in [failed, behind] {
                queue.change(&hint, Change::Go).await;
            }
        }
    }
}

async fn the_word_of_the_next_try_opens_no_lane(queue: &Fixture) {
    let ([mut failed, behind], mut done) = queue.failed(1).await;
    for number in 0..5 {
        queue.step(0, vec![done]).await;
        // From every process, and again every minute.
        for _ in 0..3 {
            queue.add(&[failed.clone(), behind.clone()]).await;
            queue.change(&failed, Change::Move(failed.due)).await;
            assert_eq!(queue.claim(1).await, []);
        }
        queue.add(&[queue.hint(1, "posts", Class::REPLY, 30 + number)]).await;
        assert_eq!(queue.claim(1).await, [], "nor does what is new in it");
        queue.change(&queue.hint(1, "posts", Class::REPLY, 99), Change::Go).await;
        assert_eq!(queue.claim(1).await, [], "nor what is not there");
        queue.later(SECOND * 60);
        let claim = queue.claim(12).await.remove(0);
        failed.due = queue.now() + SECOND * 60;
        done = Done { finished: Vec::new(), rest: Some(failed.due), ..sent(&claim) };
    }
    // Where the word comes before the worker's, the lane may be looked at once more, and then it rests.
    queue.add(std::slice::from_ref(&failed)).await;
    queue.step(0, vec![done]).await;
    for claim in queue.claim(12).await {
        queue.step(0, vec![Done { finished: Vec::new(), rest: Some(failed.due), ..sent(&claim) }]).await;
        queue.add(std::slice::from_ref(&failed)).await;
    }
    assert_eq!(queue.claim(1).await, []);
}

async fn a_lane_whose_hints_moved_while_it_was_held_does_not_rest(queue: &Fixture) {
    for (number, change) in CHANGES.iter().enumerate() {
        let ([failed, behind], done) = queue.failed(number as u128 + 1).await;
        queue.change(&failed, change(queue, &failed)).await;
        assert_eq!(queue.claim(12).await, [], "it is held");
        queue.step(0, vec![done]).await;
        assert_eq!(queue.claim(12).await.len(), 1, "change {number}");
        for hint in [failed, behind] {
            queue.change(&hint, Change::Go).await;
        }
    }
}

async fn what_is_said_of_a_held_lane_outlives_its_holder(queue: &Fixture) {
    let [mut moved, mut freed, sent_one] = [1, 2, 3].map(|number| queue.hint(1, "posts", Class::REPLY, number));
    freed.due -= SECOND * 9;
    queue.add(&[moved.clone(), freed.clone(), sent_one.clone()]).await;
    let claim = queue.ask(Want { claims: 12, hints: 9, lease: LEASE, done: Vec::new() }).await.remove(0);
    assert_eq!(claim.hints.len(), 3);
    assert_eq!(queue.dispatcher.extend(std::slice::from_ref(&claim), LEASE).await, Ok(Vec::new()));
    moved.due = queue.now() + SECOND * 5;
    // Wanted since, at a time before the claim.
    freed.due += SECOND * 2;
    let added = queue.hint(1, "posts", Class::REPLY, 4);
    queue.add(&[moved.clone(), freed.clone(), sent_one.clone(), added.clone()]).await;
    assert_eq!(queue.dispatcher.extend(std::slice::from_ref(&claim), LEASE).await, Ok(Vec::new()));
    queue.step(0, vec![sent(&claim)]).await;
    assert_eq!(
        queue.dispatcher.counts().await.expect("the queue answers")["hints"],
        3,
        "only what nothing was said of"
    );
    queue.later(Duration::from_millis(1));
    let want = Want { claims: 12, hints: 9, lease: LEASE, done: Vec::new() };
    let claims = queue.ask(want.clone()).await;
    assert_eq!(ids(&claims), [id(4), id(2)]);
    queue.later(SECOND * 5);
    let claims = queue.ask(Want { done: vec![sent(&claims[0])], ..want }).await;
    assert_eq!(ids(&claims), [id(1)]);
    queue.step(0, vec![sent(&claims[0])]).await;
    assert_eq!(queue.dispatcher.counts().await.expect("the queue answers")["hints"], 0);
}

async fn hints_move_go_and_are_never_there_twice(queue: &Fixture) {
    let mut hint = queue.hint(1, "posts", Class::CAMPAIGN, 1);
    for _ in 0..3 {
        queue.add(std::slice::from_ref(&hint)).await;
    }
    assert_eq!(queue.dispatcher.counts().await.expect("the queue answers")["hints"], 1);
    let later = queue.now() + SECOND * 60;
    queue.dispatcher.move_(&[place(&hint)], Some(later)).await.expect("the queue answers");
    assert_eq!(queue.claim(1).await, []);
    queue.later(SECOND * 60);
    // Lifted: its class changed in the database.
    hint.due = later;
    hint.class = Class::REPLY;
    let other = queue.hint(2, "posts", Class::CAMPAIGN, 2);
    queue.add(&[hint.clone(), other.clone()]).await;
    let claims = queue.claim(2).await;
    assert_eq!(ids(&claims), [id(1), id(2)]);
    queue.dispatcher.move_(&[place(&other)], None).await.expect("the queue answers");
    queue.later(SECOND * 60);
    assert_eq!(ids(&queue.claim(5).await), [id(1)], "only the other lane's lease ran out with something in it");
    let unknown = Place { id: id(99), ..place(&hint) };
    queue.dispatcher.move_(&[unknown], None).await.expect("an unknown one does no harm");
    assert_eq!(queue.dispatcher.counts().await.expect("the queue answers")["hints"], 1);
}

async fn campaigns_leave_the_last_fifth_of_a_budget(queue: &Fixture) {
    let budget = Budget { app: "app".into(), calls: 10, window: SECOND * 60 };
    let take = async |class, count| queue.dispatcher.budget(&budget, class, count).await.expect("the queue answers");
    assert_eq!(take(Class::CAMPAIGN, 100).await, 8);
    assert_eq!(take(Class::CAMPAIGN, 1).await, 0);
    assert_eq!(take(Class::REPLY, 1).await, 1);
    assert_eq!(take(Class::TAKEDOWN, 5).await, 1);
    queue.later(SECOND * 60);
    assert_eq!(take(Class::CAMPAIGN, 1).await, 1);
}

async fn whoever_waits_is_woken_by_what_comes(queue: &Fixture) {
    let waiting = tokio::spawn({
        let dispatcher = queue.dispatcher.clone();
        async move { dispatcher.wait(None).await }
    });
    queue.add(&[queue.hint(1, "posts", Class::REPLY, 1)]).await;
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is woken").expect("it ends");
}

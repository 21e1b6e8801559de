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
    a_lane_that_rests_for_a_delivery_opens_when_that_is_wanted_earlier,
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

async fn a_lane_that_rests_for_a_delivery_opens_when_that_is_wanted_earlier(queue: &Fixture) {
    let mut failed = queue.hint(1, "posts", Class::REPLY, 1);
    let mut behind = queue.hint(1, "posts", Class::REPLY, 2);
    queue.add(&[failed.clone(), behind.clone()]).await;
    let claim = queue.claim(1).await.remove(0);
    failed.due = queue.now() + SECOND * 60;
    queue.step(0, vec![Done { finished: Vec::new(), rest: Some(failed.due), ..sent(&claim) }]).await;
    queue.add(std::slice::from_ref(&failed)).await;
    // Another one of the lane is no reason.
    behind.due -= SECOND;
    queue.add(std::slice::from_ref(&behind)).await;
    assert_eq!(queue.claim(1).await, []);
    failed.due = queue.now();
    queue.add(std::slice::from_ref(&failed)).await;
    assert_eq!(queue.claim(1).await.len(), 1);
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

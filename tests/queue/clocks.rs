//! Redis's own clock decides, and need not be the database's.

use jiff::SignedDuration;

use super::*;

#[rstest::rstest]
#[tokio::test]
async fn a_clock_that_is_off_makes_nothing_early_or_late(#[values(-600, 0, 600)] database_is_ahead: i64) {
    let redis = Redis::start().await;
    let clock = move || now() + SignedDuration::from_secs(database_is_ahead);
    let queue = RedisDispatcher::new(Server::parse(&redis.url()).expect("the address is right"), clock);
    let step = async || {
        let want = Want { claims: 5, hints: 1, lease: LEASE, done: Vec::new() };
        queue.step(want).await.expect("the queue answers")
    };
    // As a worker does: what the first step says is loaded after it, and again whenever the generation changes.
    let mut generation = step().await.generation;
    let due = clock() + Duration::from_millis(1500);
    let hints = [hint(due, 1, "posts", Class::REPLY, 1), hint(due + SECOND * 300, 2, "posts", Class::REPLY, 2)];
    queue.add(&hints).await.expect("the queue answers");
    let claims = loop {
        let step = step().await;
        if step.generation != generation {
            generation = step.generation;
            queue.add(&hints).await.expect("the queue answers");
        }
        if !step.claims.is_empty() {
            break step.claims;
        }
        queue.wait(step.next).await;
    };
    let late = clock().duration_since(due);
    assert_eq!(ids(&claims), [id(1)]);
    // On a busy machine the clocks are compared only roughly; the database has the last word.
    assert!(late >= -SignedDuration::from_secs(1), "{late:?} early");
    assert!(late < SignedDuration::from_secs(20), "{late:?} late");
    let lease = claims[0].until.duration_since(clock());
    assert!(lease.abs() <= SignedDuration::from_secs(31), "the lease ends by the database's clock: {lease:?}");
}

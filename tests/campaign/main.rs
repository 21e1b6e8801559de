//! The fault campaign: real workers, databases and Redis against the simulated networks, everything of it killed, frozen,
//! cut off and put back at random moments. In the end each post that was asked for is on its network exactly once, in
//! order, and where nobody can tell a person is asked. A network with two steps joins once a connector has them.
//!
//! `cargo test --test campaign` takes a slice. `FAULTS_MINUTES=10` goes on for so long, `FAULTS_SEED=7` draws other rounds,
//! and `FAULTS_ROUND=12` runs one round again, as a failure says.

mod facts;
mod judge;
mod plan;
mod power;
#[path = "../support/programs.rs"]
mod programs;
mod report;
mod rig;
mod round;
mod servers;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use plan::Plan;
use report::Summary;
use round::Round;

/// The slice of every test run: each kind of network once, about a minute.
const SLICE: u64 = 5;
/// Rounds beside each other: most of a round is waiting.
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_fails() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider was installed");
    sqlx::any::install_default_drivers();
    let seed = number("FAULTS_SEED").unwrap_or(1);
    let minutes = number("FAULTS_MINUTES");
    let (first, end) = match number("FAULTS_ROUND") {
        Some(round) => (round, round + 1),
        None if minutes.is_some() => (0, u64::MAX),
        None => (0, SLICE),
    };
    let started = Instant::now();
    let time = Duration::from_secs(60 * minutes.unwrap_or(u64::from(u16::MAX)));
    println!("seed {seed}");
    let mut summary = Summary::default();
    let mut problems = Vec::new();
    let mut running = JoinSet::new();
    let mut plans: BTreeMap<Id, Plan> = BTreeMap::new();
    let mut rounds = first..end;
    loop {
        while running.len() < AT_ONCE
            && started.elapsed() < time
            && let Some(round) = rounds.next()
        {
            let plan = Plan::draw(seed, round);
            plans.insert(running.spawn(Round::run(plan.clone())).id(), plan);
        }
        let Some(ended) = running.join_next_with_id().await else { break };
        match ended {
            Ok((id, verdict)) => {
                plans.remove(&id);
                println!("{}", report::line(&verdict));
                summary.add(&verdict);
                for problem in &verdict.problems {
                    let problem = format!(
                        "{}: {problem}\n  again: {}",
                        report::title(&verdict.plan),
                        report::replay(&verdict.plan)
                    );
                    println!("{problem}");
                    problems.push(problem);
                }
            }
            Err(error) => {
                let again = plans.remove(&error.id()).map_or(String::new(), |plan| report::replay(&plan));
                problems.push(format!("a round broke off: {error}\n  again: {again}"));
            }
        }
    }
    println!("{}", summary.table());
    println!("seed {seed}: {} deliveries in {:.0} s", summary.deliveries(), started.elapsed().as_secs_f64());
    assert!(problems.is_empty(), "{} problems, seed {seed}:\n{}", problems.len(), problems.join("\n"));
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

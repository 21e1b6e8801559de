//! Real worker processes against the simulated networks, killed at every step: nothing lost, nothing doubled.
//!
//! `FAULTS_KILLS=100 cargo test --test main faults::` runs the long form; without it each test takes a slice of it.
//! `FAULTS_SEED=7` draws another run; a failure names the seed that shows it again.

mod listening;
mod rig;
mod sending;

/// How many kills the long tests make.
fn kills(usual: usize) -> usize {
    number("FAULTS_KILLS").map_or(usual, |kills| kills as usize)
}

fn seed() -> u64 {
    number("FAULTS_SEED").unwrap_or(1)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

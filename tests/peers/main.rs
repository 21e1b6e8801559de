//! The whole worker against real networks. `make peers` starts them and runs this; one that is missing is a failure.

#![allow(clippy::disallowed_methods, reason = "strangers on a real network have clocks of their own")]

mod journey;
mod people;
mod proxy;

use std::time::{Duration, Instant};

/// What a message is looked for, and a worker waited for, at most.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until there is an answer.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

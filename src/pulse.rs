//! Whether the loops of this process are alive.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

/// A loop that has not come round for so long hangs.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);

/// The loops that run here, and when each last came round.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<BTreeMap<&'static str, State>>);

#[derive(Debug, Clone)]
enum State {
    /// Runs; `beats` is whether it also says that it comes round.
    Runs {
        last: Instant,
        beats: bool,
    },
    /// Runs, and cannot do its work.
    Fails {
        why: String,
    },
    Ended,
}

/// How a loop is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopState {
    pub name: &'static str,
    /// Why it is not well; nothing where it is.
    pub trouble: Option<String>,
}

impl Pulse {
    /// The loop was started.
    pub fn started(&self, name: &'static str) {
        self.set(name, State::Runs { last: Instant::now(), beats: false });
    }

    /// The loop came round; once it has said so, it must go on saying so.
    pub fn beat(&self, name: &'static str) {
        self.set(name, State::Runs { last: Instant::now(), beats: true });
    }

    /// The loop came round and could not do its work. Everybody may read why.
    pub fn fails(&self, name: &'static str, why: String) {
        self.set(name, State::Fails { why });
    }

    /// The loop ended, and should not have. Why goes to the log: what is told here is open to everybody.
    pub fn ended(&self, name: &'static str, why: impl std::fmt::Display) {
        warn!(role = name, reason = %why, "a loop is not running");
        self.set(name, State::Ended);
    }

    pub fn loops(&self) -> Vec<LoopState> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states
            .iter()
            .map(|(name, state)| {
                let trouble = match state {
                    State::Fails { why } => Some(why.clone()),
                    State::Ended => Some("the loop failed; the reason is in the log".to_owned()),
                    State::Runs { last, beats: true } if last.elapsed() > LONGEST_SILENCE => {
                        Some(format!("the loop has not come round for {} s", last.elapsed().as_secs()))
                    }
                    State::Runs { .. } => None,
                };
                LoopState { name, trouble }
            })
            .collect()
    }

    fn set(&self, name: &'static str, state: State) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, state);
    }
}

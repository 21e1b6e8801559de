//! The simulated networks' own clock: the machine's, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Where the simulator takes the time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    Machine,
    /// Stands still until [`Clock::advance`]: two runs with the same calls are equal to the byte.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.as_microsecond())))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            #[allow(clippy::disallowed_methods, reason = "the simulated network has a clock of its own")]
            Self::Machine => Timestamp::now(),
            Self::Manual(at) => Timestamp::from_microsecond(at.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX),
        }
    }

    /// Moves a manual clock forward; the machine's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(at) = self {
            at.fetch_add(by.as_micros().min(i64::MAX as u128) as i64, Ordering::SeqCst);
        }
    }
}

/// `time` moved by a number of microseconds, kept within what a timestamp can hold.
pub(crate) fn shifted(time: Timestamp, microseconds: i64) -> Timestamp {
    let at = time.as_microsecond().saturating_add(microseconds);
    Timestamp::from_microsecond(at).unwrap_or(if microseconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

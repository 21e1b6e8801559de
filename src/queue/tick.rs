//! Time as the dispatchers count it, the same in Rust and in Lua.

use std::time::Duration;

use jiff::Timestamp;

/// 2020-01-01T00:00:00Z in seconds since 1970. Counting from here leaves room for a class above 51 bits of microseconds
/// in the 53 bits that a Redis score and a Lua number hold exactly.
pub(super) const EPOCH_SECONDS: i64 = 1_577_836_800;
const EPOCH_MICROS: i64 = EPOCH_SECONDS * 1_000_000;
const BITS: u32 = 51;

/// A moment in whole microseconds since the start of 2020; what lies outside 2020 to 2091 counts as its nearest end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tick(pub u64);

impl Tick {
    pub const FIRST: Tick = Tick(0);
    pub const LAST: Tick = Tick((1 << BITS) - 1);

    /// Later by `span`; a part of a microsecond does not count.
    pub fn after(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(micros(span)).min(Self::LAST.0))
    }

    pub fn before(self, micros: u64) -> Tick {
        Tick(self.0.saturating_sub(micros))
    }
}

impl From<Timestamp> for Tick {
    fn from(at: Timestamp) -> Tick {
        let since = at.as_microsecond().saturating_sub(EPOCH_MICROS);
        Tick(u64::try_from(since).unwrap_or(0).min(Self::LAST.0))
    }
}

impl From<Tick> for Timestamp {
    fn from(tick: Tick) -> Timestamp {
        // 51 bits after 2020 are within what a timestamp holds.
        Timestamp::from_microsecond(tick.0 as i64 + EPOCH_MICROS).unwrap_or(Timestamp::MAX)
    }
}

/// Whole microseconds, at most as many as a [`Tick`] counts.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).min(Tick::LAST.0)
}

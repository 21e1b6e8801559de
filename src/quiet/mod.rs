//! Quiet hours: when an account publishes no posts. What is wanted inside moves to their end, one after the other, and
//! back when they change; replies and takedowns go on, and what a person moved or released by hand goes when they said.

mod arrange;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

pub use arrange::{Change, Keeping, Planned};

use crate::app::App;
use crate::live::Wake;
use crate::model::AccountId;
use crate::store::StoreError;

/// How far ahead every round looks for what would fall into quiet hours: what was retried or became late on its way.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_mins(30);

/// From when to when, in the account's zone; over midnight where the end is before the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    #[schema(value_type = String, example = "22:00:00")]
    pub from: Time,
    /// The first minute that is no longer quiet.
    #[schema(value_type = String, example = "08:00:00")]
    pub until: Time,
}

impl QuietHours {
    /// Refuses what would be a whole day, and what is finer than a minute.
    pub fn new(from: Time, until: Time) -> Result<QuietHours, String> {
        if let Some(time) = [from, until].into_iter().find(|time| (time.second(), time.subsec_nanosecond()) != (0, 0)) {
            return Err(format!("quiet hours begin and end on a full minute, not at {time}; leave the seconds out"));
        }
        match from == until {
            true => {
                Err("quiet hours from a time to the same time would be the whole day; pause the account instead".into())
            }
            false => Ok(QuietHours { from, until }),
        }
    }

    /// When the quiet hours that `at` lies in end; nothing outside of them.
    pub fn end_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = at.to_zoned(zone.clone());
        let (time, today) = (local.time(), local.date());
        let day = match (self.from < self.until, time < self.until, time >= self.from) {
            (true, true, true) | (false, true, false) => today,
            (false, false, true) => today.checked_add(1.day()).ok()?,
            _ => return None,
        };
        let end = zone.to_ambiguous_zoned(day.to_datetime(self.until)).compatible().ok()?.timestamp();
        // Where the clock is put back, the end may come twice: the second one counts then.
        (end > at).then_some(end)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", from.hour(), from.minute(), until.hour(), until.minute())
    }
}

impl FromStr for QuietHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (from, until) = text.split_once(['-', '–'])?;
            Some((from.trim().parse().ok()?, until.trim().parse().ok()?))
        };
        let (from, until) = read().ok_or_else(|| format!("{text:?} is not a time to a time; write 22:00-08:00"))?;
        QuietHours::new(from, until)
    }
}

/// How many planned posts a change of quiet hours moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub later: usize,
    /// To the time they were wanted at, or to an earlier one than before.
    pub back: usize,
}

/// Sets or ends an account's quiet hours and puts every planned post where it belongs under them: later, or back. What a
/// person moved by hand stays.
pub async fn set(app: &App, account: AccountId, hours: Option<QuietHours>, who: &str) -> Result<Moved, StoreError> {
    let moved = app.store.set_quiet_hours(account, hours, app.config.delivery.release_spacing, who).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(moved)
}

/// Moves what would fall into the quiet hours of any account soon.
pub async fn round(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let until = now.saturating_add(LOOK_AHEAD).unwrap_or(now);
    for (account, hours) in app.store.all_quiet_hours().await? {
        let zone = TimeZone::get(&app.store.account(account).await?.timezone).unwrap_or(TimeZone::UTC);
        let soon = app.store.planned_before(account, until).await?;
        if !soon.into_iter().any(|at| hours.end_after(at.max(now), &zone).is_some()) {
            continue;
        }
        let moved = app.store.keep_quiet(account, app.config.delivery.release_spacing, now).await?;
        info!(account.id = %account, posts = moved.later, "posts moved to the end of quiet hours");
        app.live.wake(Wake::Outbox);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(hours: &str, at: &str, zone: &str) -> Option<String> {
        let zone = TimeZone::get(zone).expect("a bundled zone");
        let hours: QuietHours = hours.parse().expect("hours");
        hours.end_after(at.parse().expect("a time"), &zone).map(|end| end.to_string())
    }

    #[test]
    fn quiet_hours_end_in_the_accounts_own_morning() {
        let night = |at| end("22:00-08:00", at, "Europe/Istanbul");
        assert_eq!(night("2026-11-22T19:00:00Z").as_deref(), Some("2026-11-23T05:00:00Z"), "22:00 is inside");
        assert_eq!(night("2026-11-23T04:59:59Z").as_deref(), Some("2026-11-23T05:00:00Z"));
        assert_eq!(night("2026-11-23T05:00:00Z"), None, "08:00 is not");
        assert_eq!(night("2026-11-22T18:59:59Z"), None);
        let noon = |at| end("12:00-13:30", at, "Europe/Istanbul");
        assert_eq!(noon("2026-11-22T09:15:00Z").as_deref(), Some("2026-11-22T10:30:00Z"));
        assert_eq!(noon("2026-11-22T10:30:00Z"), None);
    }

    #[test]
    fn a_night_of_another_length_still_ends_on_the_clock() {
        let night = |at| end("22:00-08:00", at, "Europe/Berlin");
        assert_eq!(night("2026-03-28T21:30:00Z").as_deref(), Some("2026-03-29T06:00:00Z"));
        assert_eq!(night("2026-10-24T20:30:00Z").as_deref(), Some("2026-10-25T07:00:00Z"));
        // The end itself is skipped: it moves with the clock.
        assert_eq!(
            end("22:00-02:30", "2026-03-29T00:30:00Z", "Europe/Berlin").as_deref(),
            Some("2026-03-29T01:30:00Z")
        );
    }

    #[test]
    fn hours_are_read_and_written_alike() {
        let hours: QuietHours = "22:00 - 08:30".parse().expect("hours");
        assert_eq!(hours.to_string(), "22:00-08:30");
        for wrong in ["", "22:00", "22-8", "25:00-08:00", "08:00-08:00", "21:00:30-08:00", "22:00-08:00:00.5"] {
            assert!(wrong.parse::<QuietHours>().is_err(), "{wrong}");
        }
    }
}

//! Quiet hours: when an account publishes no posts. What is due inside moves to their end, one after the other; replies
//! and takedowns go on, and what a person moved or released by hand goes when they said.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

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
    /// Refuses what would be a whole day; seconds are cut off.
    pub fn new(from: Time, until: Time) -> Result<QuietHours, String> {
        let minute = |time: Time| Time::constant(time.hour(), time.minute(), 0, 0);
        match minute(from) == minute(until) {
            true => {
                Err("quiet hours from a time to the same time would be the whole day; pause the account instead".into())
            }
            false => Ok(QuietHours { from: minute(from), until: minute(until) }),
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

/// Sets or ends an account's quiet hours and moves what is planned inside of them; answers how many were moved. What was
/// moved before stays where it is.
pub async fn set(app: &App, account: AccountId, hours: Option<QuietHours>, who: &str) -> Result<usize, StoreError> {
    app.store.set_quiet_hours(account, hours, who).await?;
    let moved = match hours {
        Some(hours) => keep(app, account, hours, Timestamp::MAX, app.store.clock()).await?,
        None => 0,
    };
    app.live.wake(Wake::Events);
    Ok(moved)
}

/// Moves what would fall into the quiet hours of any account soon.
pub async fn round(app: &App, now: Timestamp) -> Result<(), StoreError> {
    for (account, hours) in app.store.all_quiet_hours().await? {
        let until = now.saturating_add(LOOK_AHEAD).unwrap_or(now);
        let moved = keep(app, account, hours, until, now).await?;
        if moved > 0 {
            info!(account.id = %account, posts = moved, "posts moved to the end of quiet hours");
        }
    }
    Ok(())
}

/// Moves the account's posts that are due before `until` and fall into its quiet hours.
async fn keep(
    app: &App,
    account: AccountId,
    hours: QuietHours,
    until: Timestamp,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let zone = TimeZone::get(&app.store.account(account).await?.timezone).unwrap_or(TimeZone::UTC);
    let spacing = app.config.delivery.release_spacing;
    let mut moved = 0;
    for planned in app.store.planned_posts(account, until).await? {
        let Some(end) = hours.end_after(planned.next_at.max(now), &zone) else { continue };
        moved += usize::from(app.store.move_past_quiet(&planned, end, spacing, now).await?);
    }
    if moved > 0 {
        app.live.wake(Wake::Outbox);
    }
    Ok(moved)
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
        for wrong in ["", "22:00", "22-8", "25:00-08:00", "08:00-08:00"] {
            assert!(wrong.parse::<QuietHours>().is_err(), "{wrong}");
        }
    }
}

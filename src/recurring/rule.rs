//! When a recurring post comes: local dates and a local time in a named zone. No I/O.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Frequency, Weekday};

/// The most occurrences that can be asked for by number.
const MOST_TIMES: u32 = 1_000;

/// How often, at which local time, in which zone, from when to when.
///
/// A local time that the clock skips (spring) is moved forward by the gap: 02:30 becomes 03:30. One that comes twice
/// (autumn) is the first of the two. A month without its day has the occurrence on its last day: the 31st is 30 April and
/// 28 or 29 February.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub frequency: Frequency,
    /// With `weekly`: on which days; at least one.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// With `monthly`: on which day, 1 to 31; the last day of a month that is shorter.
    #[schema(minimum = 1, maximum = 31)]
    pub day: Option<i8>,
    /// The local time.
    #[schema(value_type = String, example = "09:30:00")]
    pub time: Time,
    /// An IANA name.
    #[schema(example = "Europe/Istanbul")]
    pub timezone: String,
    /// The first date that counts.
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    /// The last date that counts.
    #[schema(value_type = Option<String>, format = Date)]
    pub until: Option<Date>,
    /// How many dates, from the first one on, sent or not.
    #[schema(minimum = 1, maximum = 1000)]
    pub times: Option<u32>,
}

impl Rule {
    /// Refuses a rule that has no dates or contradicts itself; names the part and the next step.
    pub fn check(&self) -> Result<(), String> {
        if TimeZone::get(&self.timezone).is_err() {
            return Err(format!("{:?} is not a time zone; write an IANA name such as Europe/Istanbul", self.timezone));
        }
        match (self.frequency, self.weekdays.is_empty(), self.day) {
            (Frequency::Weekly, true, _) => return Err("weekly needs weekdays; name at least one".into()),
            (Frequency::Monthly, _, None) => {
                return Err("monthly needs a day of the month; name one from 1 to 31".into());
            }
            (Frequency::Monthly, _, Some(day)) if !(1..=31).contains(&day) => {
                return Err(format!("{day} is not a day of a month; name one from 1 to 31"));
            }
            (frequency, false, _) if frequency != Frequency::Weekly => {
                return Err(format!("weekdays go with weekly, not with {frequency}; leave them out"));
            }
            (frequency, _, Some(_)) if frequency != Frequency::Monthly => {
                return Err(format!("a day of the month goes with monthly, not with {frequency}; leave it out"));
            }
            _ => {}
        }
        match (self.until, self.times) {
            (Some(_), Some(_)) => return Err("an end by date and one by number contradict; give one of them".into()),
            (_, Some(times)) if !(1..=MOST_TIMES).contains(&times) => {
                return Err(format!("the number of times must be from 1 to {MOST_TIMES}"));
            }
            _ => {}
        }
        match self.dates(self.from).next() {
            None => Err("no date falls between its beginning and its end; choose a later end".into()),
            Some(_) => Ok(()),
        }
    }

    /// Its dates on or after `start`, in order.
    pub fn dates(&self, start: Date) -> impl Iterator<Item = Date> + '_ {
        let last = self.last_date();
        days(start.max(self.from))
            .take_while(move |date| last.is_none_or(|last| *date <= last))
            .filter(|date| self.falls_on(*date))
    }

    /// Its moments after `after`, in order, with their dates.
    pub fn moments(&self, after: Timestamp) -> impl Iterator<Item = (Date, Timestamp)> + '_ {
        // A gap may move a time past midnight, and zones lie up to a day apart from any other.
        let start = after.to_zoned(self.zone()).date().yesterday().unwrap_or(Date::MIN);
        self.dates(start).filter_map(|date| Some((date, self.moment(date)?))).filter(move |(_, at)| *at > after)
    }

    /// When the occurrence of a date is due; nothing at the very end of the calendar.
    pub fn moment(&self, date: Date) -> Option<Timestamp> {
        let zoned = self.zone().to_ambiguous_zoned(date.to_datetime(self.time)).compatible().ok()?;
        Some(zoned.timestamp())
    }

    /// UTC for a zone that the zone data no longer have; [`Rule::check`] refuses one that they never had.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    fn last_date(&self) -> Option<Date> {
        let Some(times) = self.times else { return self.until };
        let nth = usize::try_from(times).unwrap_or(usize::MAX).saturating_sub(1);
        days(self.from).filter(|date| self.falls_on(*date)).nth(nth)
    }

    fn falls_on(&self, date: Date) -> bool {
        match self.frequency {
            Frequency::Daily => true,
            Frequency::Weekly => self.weekdays.contains(&weekday(date)),
            Frequency::Monthly => self.day.is_some_and(|day| date.day() == day.min(date.days_in_month())),
        }
    }
}

/// Every day from `start` to the end of the calendar.
fn days(start: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(start), |date| date.tomorrow().ok())
}

/// The weekday of a date.
pub fn weekday(date: Date) -> Weekday {
    let index = date.weekday().to_monday_zero_offset();
    Weekday::ALL[usize::try_from(index).unwrap_or_default() % Weekday::ALL.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: serde_json::Value) -> Rule {
        serde_json::from_value(json).expect("a rule")
    }

    fn first(rule: &Rule, count: usize) -> Vec<String> {
        rule.dates(rule.from).take(count).map(|date| date.to_string()).collect()
    }

    #[test]
    fn a_time_that_the_clock_skips_moves_forward_and_one_that_comes_twice_is_the_first() {
        let berlin = rule(serde_json::json!({
            "frequency": "daily", "time": "02:30", "timezone": "Europe/Berlin", "from": "2026-03-28", "day": null,
            "until": null, "times": null,
        }));
        let at = |date: &str| berlin.moment(date.parse().expect("a date")).expect("a moment").to_string();
        assert_eq!(at("2026-03-28"), "2026-03-28T01:30:00Z");
        // 02:30 does not exist: 03:30 summer time.
        assert_eq!(at("2026-03-29"), "2026-03-29T01:30:00Z");
        assert_eq!(at("2026-03-30"), "2026-03-30T00:30:00Z");
        // 02:30 comes twice: the first, still summer time.
        assert_eq!(at("2026-10-25"), "2026-10-25T00:30:00Z");
        assert_eq!(at("2026-10-26"), "2026-10-26T01:30:00Z");
        // Istanbul keeps its clock: the same local time is the same distance from UTC all year.
        let istanbul = Rule { timezone: "Europe/Istanbul".into(), ..berlin };
        let istanbul_at = |date: &str| istanbul.moment(date.parse().expect("a date")).expect("a moment").to_string();
        assert_eq!(istanbul_at("2026-03-29"), "2026-03-28T23:30:00Z");
        assert_eq!(istanbul_at("2026-10-25"), "2026-10-24T23:30:00Z");
    }

    #[test]
    fn the_31st_is_the_last_day_of_a_shorter_month() {
        let monthly = rule(serde_json::json!({
            "frequency": "monthly", "day": 31, "time": "09:00", "timezone": "Europe/Istanbul", "from": "2028-01-31",
        }));
        assert_eq!(first(&monthly, 5), ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]);
        let thirtieth = Rule { day: Some(30), from: "2027-02-01".parse().expect("a date"), ..monthly };
        assert_eq!(first(&thirtieth, 2), ["2027-02-28", "2027-03-30"]);
    }

    #[test]
    fn a_week_has_the_days_it_names_and_ends_after_so_many_or_on_a_date() {
        let weekly = rule(serde_json::json!({
            "frequency": "weekly", "weekdays": ["thursday", "monday"], "time": "09:00", "timezone": "Europe/Istanbul",
            "from": "2026-12-01", "times": 3,
        }));
        assert_eq!(first(&weekly, 9), ["2026-12-03", "2026-12-07", "2026-12-10"]);
        let until = Rule { times: None, until: Some("2026-12-07".parse().expect("a date")), ..weekly };
        assert_eq!(first(&until, 9), ["2026-12-03", "2026-12-07"]);
        let after: Timestamp = "2026-12-03T06:00:00Z".parse().expect("a time");
        let moments: Vec<_> = until.moments(after).map(|(_, at)| at.to_string()).collect();
        assert_eq!(moments, ["2026-12-07T06:00:00Z"], "what is due at this very moment is no longer to come");
    }

    #[test]
    fn the_end_of_the_calendar_is_an_end_like_any_other() {
        let last = rule(serde_json::json!({
            "frequency": "daily", "time": "23:59", "timezone": "America/Los_Angeles", "from": "9999-12-30",
        }));
        assert_eq!(first(&last, 9), ["9999-12-30", "9999-12-31"]);
        assert!(last.moments(Timestamp::MIN).count() <= 2);
        assert_eq!(last.moments(Timestamp::MAX).count(), 0);
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_reason() {
        let daily = serde_json::json!({
            "frequency": "daily", "time": "09:00", "timezone": "Europe/Istanbul", "from": "2026-12-01",
        });
        rule(daily.clone()).check().expect("it has dates");
        for (part, value, said) in [
            ("timezone", serde_json::json!("Mars/Olympus"), "not a time zone"),
            ("frequency", serde_json::json!("weekly"), "name at least one"),
            ("frequency", serde_json::json!("monthly"), "1 to 31"),
            ("weekdays", serde_json::json!(["monday"]), "leave them out"),
            ("day", serde_json::json!(3), "leave it out"),
            ("times", serde_json::json!(0), "from 1 to"),
            ("until", serde_json::json!("2026-11-30"), "choose a later end"),
        ] {
            let mut changed = daily.clone();
            changed[part] = value;
            let refused = rule(changed).check().expect_err(part);
            assert!(refused.contains(said), "{part}: {refused}");
        }
    }
}

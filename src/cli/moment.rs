//! A time as people write it on the command line: RFC 3339, or local in a zone.

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::UsageError;

/// Reads `2026-11-21T14:30:00+03:00`, `2026-11-21T14:30[Europe/Istanbul]`, `2026-11-21 14:30` or `2026-11-21` (its
/// beginning), the last two in `zone`.
pub fn parse(text: &str, zone: &str) -> Result<Timestamp, UsageError> {
    let text = text.trim();
    let pieces = Pieces::parse(text).ok();
    let known = match pieces.as_ref().map_or(Ok(None), Pieces::to_time_zone) {
        Ok(Some(named)) => named,
        Ok(None) => TimeZone::get(zone).map_err(|_| UsageError(format!("{zone:?} is not a time zone")))?,
        Err(_) => return Err(UsageError(format!("{text} names no time zone that is known; write [Europe/Istanbul]"))),
    };
    let says_both =
        pieces.as_ref().is_some_and(|pieces| pieces.offset().is_some() && pieces.time_zone_annotation().is_some());
    if says_both && let Ok(at) = text.parse::<Timestamp>() {
        return match text.parse::<Zoned>() {
            Ok(there) => Ok(there.timestamp()),
            Err(_) => Err(UsageError(format!(
                "{text} contradicts itself: its offset is not that of its zone at this time ({}); write one of the two",
                at.strftime("%Y-%m-%d %H:%M UTC")
            ))),
        };
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let zone = known.iana_name().unwrap_or(zone).to_owned();
    let out_of_range = || {
        UsageError(format!(
            "{text} is out of range: times lie between {} and {} in {zone}",
            written(Timestamp::MIN, &known),
            written(Timestamp::MAX, &known)
        ))
    };
    if pieces.is_some_and(|pieces| pieces.offset().is_some()) {
        return Err(out_of_range());
    }
    let local: Option<DateTime> =
        text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)));
    let Some(local) = local else {
        if let Some(day) = no_such_day(text) {
            return Err(UsageError(format!("there is no {day}: look at the calendar, and write a day that exists")));
        }
        return Err(UsageError(format!(
            "{text:?} is not a time; write 2026-11-21T14:30:00+03:00, or 2026-11-21 14:30 for the time in {zone}"
        )));
    };
    let there = known.to_ambiguous_zoned(local);
    let what = match there.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some("does not exist"),
        AmbiguousOffset::Fold { .. } => Some("comes twice"),
    };
    if let Some(what) = what {
        return Err(UsageError(format!(
            "{local} {what} in {zone} (the clock changes); write it with its offset, as in 2026-11-21T14:30:00+03:00"
        )));
    }
    there.unambiguous().map(|moment| moment.timestamp()).map_err(|_| out_of_range())
}

/// As [`parse`], for when something goes out: a day without its hour is refused, since nobody means its midnight.
pub fn parse_hour(text: &str, zone: &str) -> Result<Timestamp, UsageError> {
    let day = text.trim();
    if day.parse::<Timestamp>().is_err() && Pieces::parse(day).is_ok_and(|pieces| pieces.time().is_none()) {
        return Err(UsageError(format!("{day} says no hour; write {day} 09:00, or {day} 00:00 for its beginning")));
    }
    parse(text, zone)
}

/// A day as the calendar has it.
pub fn date(text: &str) -> Result<Date, UsageError> {
    let text = text.trim();
    text.parse().map_err(|_| match no_such_day(text) {
        Some(day) => UsageError(format!("there is no {day}: look at the calendar, and write a day that exists")),
        None => UsageError(format!("{text:?} is not a date; write it as 2026-12-31")),
    })
}

/// The date that `text` begins with, where it is written like one and no calendar has it.
fn no_such_day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let is_written = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_written && day.parse::<Date>().is_err()).then_some(day)
}

/// What the program says, with its times in the zone of the person who reads it.
pub fn in_zone(said: &str, zone: &str) -> String {
    let Ok(zone) = TimeZone::get(zone) else { return said.to_owned() };
    let words = said.split(' ').map(|word| {
        let time = word.trim_end_matches([',', ';', ':', '.', ')']);
        match time.parse::<Timestamp>() {
            Ok(at) => format!("{}{}", written(at, &zone), &word[time.len()..]),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `2026-11-21 14:30 +03:00`.
fn written(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::{date, in_zone, parse, parse_hour};

    #[test]
    fn a_time_out_of_range_says_the_range_in_the_zone() {
        for text in ["9999-12-31 23:59", "9999-12-31T23:59:59-12:00", "-009999-01-01T00:00:00Z"] {
            let refused = parse(text, "Europe/Istanbul").expect_err(text).to_string();
            assert!(refused.contains("out of range: times lie between -"), "{refused}");
            assert!(refused.ends_with("and 9999-12-31 01:00 +03:00 in Europe/Istanbul"), "{refused}");
        }
    }

    #[test]
    fn what_is_said_gives_its_times_in_the_zone() {
        assert_eq!(
            in_zone("delivery 01ARZ is due 2019-12-31T21:00:00Z; choose a later time", "Europe/Istanbul"),
            "delivery 01ARZ is due 2020-01-01 00:00 +03:00; choose a later time"
        );
        assert_eq!(
            in_zone("nothing is said of 14:30 or 2020-01-01", "Europe/Istanbul"),
            "nothing is said of 14:30 or 2020-01-01"
        );
    }

    #[test]
    fn a_time_is_read_with_its_offset_or_in_the_accounts_zone() {
        for (text, zone, expected) in [
            ("2026-11-21T14:30:00+03:00", "Europe/Berlin", "2026-11-21T11:30:00Z"),
            ("2026-11-21T11:30:00.250Z", "Europe/Istanbul", "2026-11-21T11:30:00.25Z"),
            ("2026-11-21 14:30", "Europe/Istanbul", "2026-11-21T11:30:00Z"),
            ("2026-11-21T14:30:05", "Europe/Istanbul", "2026-11-21T11:30:05Z"),
            ("2026-11-21T14:30[Asia/Tokyo]", "Europe/Istanbul", "2026-11-21T05:30:00Z"),
            ("2026-11-21", "Europe/Istanbul", "2026-11-20T21:00:00Z"),
            ("9999-12-01T00:00:00Z", "Europe/Istanbul", "9999-12-01T00:00:00Z"),
        ] {
            assert_eq!(parse(text, zone).expect(text).to_string(), expected);
        }
    }

    #[test]
    fn a_time_that_the_clock_skips_or_repeats_is_refused() {
        for (text, what) in [("2026-03-29 02:30", "does not exist in"), ("2026-10-25 02:30", "comes twice in")] {
            let refused = parse(text, "Europe/Berlin").expect_err(text).to_string();
            assert!(refused.contains(what) && refused.contains("clock changes"), "{refused}");
        }
        let named = parse("2026-03-29T02:30[Europe/Berlin]", "Europe/Istanbul").expect_err("it is skipped");
        assert!(named.to_string().contains("in Europe/Berlin"), "{named}");
        assert!(parse("yarın", "Europe/Istanbul").is_err());
        let day = parse_hour(" 2026-11-21", "Europe/Istanbul").expect_err("no hour").to_string();
        assert!(day.contains("write 2026-11-21 09:00"), "{day}");
        let [hour, day] = [parse_hour("2026-11-21 00:00", "UTC"), parse("2026-11-21", "UTC")];
        assert_eq!(hour.expect("it says an hour"), day.expect("its beginning"));
        let none = parse("2027-02-29 02:30", "Europe/Istanbul").expect_err("no such day").to_string();
        assert!(none.contains("there is no 2027-02-29"), "{none}");
        assert!(parse("2026-11-21T14:30[Mars/Olympus]", "Europe/Istanbul").is_err(), "a zone that nobody knows");
        let both = parse("2026-12-01T10:00+02:00[Europe/Istanbul]", "UTC").expect_err("it is +03:00 there").to_string();
        assert!(both.contains("contradicts itself") && both.contains("2026-12-01 08:00 UTC"), "{both}");
        assert!(parse("2026-12-01T10:00+03:00[Europe/Istanbul]", "UTC").is_ok());
        let nowhere = parse("2026-12-01T10:00+03:00[Mars/Olympus]", "UTC").expect_err("no such zone").to_string();
        assert!(nowhere.contains("names no time zone"), "{nowhere}");
        let written = date("30.11.2027").expect_err("not so").to_string();
        assert!(written.contains("write it as 2026-12-31"), "{written}");
        assert!(date("2027-02-29").expect_err("no such day").to_string().contains("there is no 2027-02-29"));
    }
}

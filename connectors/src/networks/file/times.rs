//! The ways in which files write a time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::incoming::{clean, plausible};

/// Reads RFC 3339, `2026-11-20 10:05`, `20.11.2026 10:05`, `20/11/2026`, and seconds or milliseconds since 1970. A time
/// without an offset is one of `zone`. Day and month stand in the Turkish order.
pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let time = offset_time(text).or_else(|| since_1970(text)).or_else(|| local_time(text, zone));
    match time {
        Some(time) => plausible(time),
        None => Err(format!(
            "{:?} is not a time; write it like 2026-11-20T10:05:00+03:00, 2026-11-20 10:05 or 20.11.2026 10:05",
            clean(text, 40)
        )),
    }
}

fn offset_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn since_1970(text: &str) -> Option<Timestamp> {
    let number: i64 = text.parse().ok()?;
    match text.len() {
        9..=10 => Timestamp::from_second(number).ok(),
        12..=13 => Timestamp::from_millisecond(number).ok(),
        15..=16 => Timestamp::from_microsecond(number).ok(),
        _ => None,
    }
}

fn local_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, time.trim()),
        None => (text, ""),
    };
    let date = read_date(day.trim_end_matches(','))?;
    let time = match time {
        "" => jiff::civil::Time::midnight(),
        time => time.parse().ok()?,
    };
    Some(DateTime::from_parts(date, time).to_zoned(zone.clone()).ok()?.timestamp())
}

fn read_date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split(['-', '.', '/']).collect();
    let [first, second, third] = parts[..] else { return None };
    let (year, month, day) = match first.len() {
        4 => (first, second, third),
        _ => (third, second, first),
    };
    if year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_the_same_moment() {
        let zone = TimeZone::get("Europe/Istanbul").unwrap();
        let moment: Timestamp = "2026-11-20T07:05:00Z".parse().unwrap();
        let spellings = [
            "2026-11-20T10:05:00+03:00",
            "2026-11-20T07:05:00Z",
            "2026-11-20 10:05",
            "2026-11-20 10:05:00",
            "20.11.2026 10:05",
            "20/11/2026 10:05:00",
            "20-11-2026 10:05",
            "1795158300",
            "1795158300000",
            " 20.11.2026 10:05 ",
        ];
        for spelling in spellings {
            assert_eq!(read(spelling, &zone), Ok(moment), "{spelling}");
        }
        assert_eq!(read("20.11.2026", &zone), Ok("2026-11-19T21:00:00Z".parse().unwrap()));
    }

    #[test]
    fn impossible_times_are_refused_with_the_reason() {
        for text in
            ["", "dün", "11/20/2026", "0001-01-01T00:00:00Z", "30000-01-01", "2026-13-45", "20.11.26", "99", "٣"]
        {
            assert!(read(text, &TimeZone::UTC).is_err(), "{text}");
        }
        assert!(read("0001-01-01T00:00:00Z", &TimeZone::UTC).unwrap_err().contains("1990"));
    }
}

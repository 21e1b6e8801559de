//! A time as people write it on the command line: RFC 3339, or local in a zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::UsageError;

/// Reads `2026-11-21T14:30:00+03:00`, `2026-11-21 14:30` or `2026-11-21` (its beginning), the last two in `zone`.
pub fn parse(text: &str, zone: &str) -> Result<Timestamp, UsageError> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let local: Option<DateTime> =
        text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)));
    let Some(local) = local else {
        return Err(UsageError(format!(
            "{text:?} is not a time; write 2026-11-21T14:30:00+03:00, or 2026-11-21 14:30 for the time in {zone}"
        )));
    };
    let known = TimeZone::get(zone).map_err(|_| UsageError(format!("{zone:?} is not a time zone")))?;
    let moment = known.to_ambiguous_zoned(local).unambiguous().map_err(|_| {
        UsageError(format!(
            "{local} does not exist, or comes twice, in {zone} (the clock changes); write it with its offset, \
             as in 2026-11-21T14:30:00+03:00"
        ))
    })?;
    Ok(moment.timestamp())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_time_is_read_with_its_offset_or_in_the_accounts_zone() {
        for (text, zone, expected) in [
            ("2026-11-21T14:30:00+03:00", "Europe/Berlin", "2026-11-21T11:30:00Z"),
            ("2026-11-21T11:30:00.250Z", "Europe/Istanbul", "2026-11-21T11:30:00.25Z"),
            ("2026-11-21 14:30", "Europe/Istanbul", "2026-11-21T11:30:00Z"),
            ("2026-11-21T14:30:05", "Europe/Istanbul", "2026-11-21T11:30:05Z"),
            ("2026-11-21", "Europe/Istanbul", "2026-11-20T21:00:00Z"),
            ("9999-12-01T00:00:00Z", "Europe/Istanbul", "9999-12-01T00:00:00Z"),
        ] {
            assert_eq!(parse(text, zone).expect(text).to_string(), expected);
        }
    }

    #[test]
    fn a_time_that_the_clock_skips_or_repeats_is_refused() {
        for text in ["2026-03-29 02:30", "2026-10-25 02:30"] {
            assert!(parse(text, "Europe/Berlin").expect_err(text).to_string().contains("clock changes"));
        }
        assert!(parse("yarın", "Europe/Istanbul").is_err());
    }
}

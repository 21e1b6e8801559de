//! How a page speaks to one person: the language, numbers, dates and times in that person's zone.

use std::fmt::Write;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use maud::{Markup, html};

use super::texts::Text;
use super::turkish;
use crate::{model, recurring};

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Turkish,
    English,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::Turkish, Language::English];

    /// The BCP 47 code, as the `lang` attribute and the user's setting carry it.
    pub fn code(self) -> &'static str {
        match self {
            Language::Turkish => "tr",
            Language::English => "en",
        }
    }

    /// The first language of an `Accept-Language` header that the console speaks.
    pub fn from_accept(header: &str) -> Option<Language> {
        let mut wanted: Vec<(f32, Language)> = header
            .split(',')
            .filter_map(|part| {
                let mut fields = part.split(';');
                let code = fields.next()?.trim();
                let language = code.split('-').next()?.to_ascii_lowercase().parse().ok()?;
                let quality = fields
                    .find_map(|field| field.trim().strip_prefix("q=")?.parse::<f32>().ok())
                    .filter(|quality| quality.is_finite())
                    .unwrap_or(1.0);
                Some((quality, language))
            })
            .filter(|(quality, _)| *quality > 0.0)
            .collect();
        wanted.sort_by(|left, right| right.0.total_cmp(&left.0));
        wanted.first().map(|(_, language)| *language)
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        match code {
            "tr" => Ok(Language::Turkish),
            "en" => Ok(Language::English),
            _ => Err(format!("{code:?} is not a language of the console (tr, en)")),
        }
    }
}

/// The language, the time zone and the time a page is made for.
#[derive(Debug, Clone)]
pub struct Locale {
    pub language: Language,
    pub timezone: TimeZone,
    pub now: Timestamp,
}

impl Locale {
    pub fn t(&self, text: Text) -> &'static str {
        text.in_language(self.language)
    }

    /// A text with `{0}`, `{1}`, … replaced.
    pub fn fill(&self, text: Text, values: &[&str]) -> String {
        fill(self.t(text), values)
    }

    /// [`Locale::fill`] with values that carry marks of their own.
    pub fn fill_in(&self, text: Text, values: &[Markup]) -> Markup {
        inlaid(self.t(text), values)
    }

    /// What the program says in English everywhere else, in this language; as it is where there is no translation.
    pub fn said(&self, text: &str) -> String {
        self.translated(text).unwrap_or_else(|| text.to_owned())
    }

    /// [`Locale::said`]; `None` where it stays English on a page that is not.
    pub fn translated(&self, text: &str) -> Option<String> {
        match self.language {
            Language::English => Some(text.to_owned()),
            Language::Turkish => turkish::translate(text, self),
        }
    }

    /// A text that counts something: `one|other`, `{0}` being the number.
    pub fn count(&self, text: Text, count: i64) -> String {
        self.count_and(text, count, &[])
    }

    /// [`Locale::count`] with further values from `{1}` on.
    pub fn count_and(&self, text: Text, count: i64, more: &[&str]) -> String {
        let number = self.integer(count);
        let mut values = vec![number.as_str()];
        values.extend_from_slice(more);
        fill(self.form(text, count), &values)
    }

    /// [`Locale::count_and`] with values that carry marks of their own.
    pub fn count_in(&self, text: Text, count: i64, more: &[Markup]) -> Markup {
        let mut values = vec![html! { (self.integer(count)) }];
        values.extend_from_slice(more);
        inlaid(self.form(text, count), &values)
    }

    fn form(&self, text: Text, count: i64) -> &'static str {
        let (one, other) = self.t(text).split_once('|').unwrap_or((self.t(text), self.t(text)));
        if count == 1 { one } else { other }
    }

    /// `12.345` in Turkish, `12,345` in English.
    pub fn integer(&self, number: i64) -> String {
        let separator = match self.language {
            Language::Turkish => '.',
            Language::English => ',',
        };
        let digits = number.unsigned_abs().to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 3);
        if number < 0 {
            text.push('\u{2212}');
        }
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }

    /// A signed number with two decimals: `+0,42`, `−0.87`.
    pub fn score(&self, score: f64) -> String {
        let rounded = (score * 100.0).round() / 100.0;
        let sign = match rounded {
            value if value > 0.0 => "+",
            value if value < 0.0 => "\u{2212}",
            _ => "",
        };
        let text = format!("{sign}{:.2}", rounded.abs());
        match self.language {
            Language::Turkish => text.replace('.', ","),
            Language::English => text,
        }
    }

    /// A share of one: `%42` in Turkish, `42%` in English.
    pub fn percent(&self, share: f64) -> String {
        let number = (share * 100.0).round() as i64;
        match self.language {
            Language::Turkish => format!("%{}", self.integer(number)),
            Language::English => format!("{}%", self.integer(number)),
        }
    }

    pub fn zoned(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.timezone.clone())
    }

    /// `14:05`
    pub fn clock(&self, at: Timestamp) -> String {
        let time = self.zoned(at);
        format!("{:02}:{:02}", time.hour(), time.minute())
    }

    /// `21 Kasım 2026 Cumartesi`, `Saturday, 21 November 2026`; bare of the year when it is this year.
    pub fn day(&self, date: Date) -> String {
        let weekday = self.t(weekday(recurring::weekday(date)));
        let month = self.t(month(date.month()));
        let year = match date.year() == self.zoned(self.now).year() {
            true => String::new(),
            false => format!(" {}", date.year()),
        };
        match self.language {
            Language::Turkish => format!("{} {month}{year} {weekday}", date.day()),
            Language::English => format!("{weekday}, {} {month}{year}", date.day()),
        }
    }

    /// `Bugün`, `Dün`, `Yarın`, or the day.
    pub fn near_day(&self, date: Date) -> String {
        let today = self.zoned(self.now).date();
        match (date - today).get_days() {
            0 => self.t(Text::Today).to_owned(),
            -1 => self.t(Text::Yesterday).to_owned(),
            1 => self.t(Text::Tomorrow).to_owned(),
            _ => self.day(date),
        }
    }

    /// `Kasım 2026`
    pub fn month_and_year(&self, date: Date) -> String {
        format!("{} {}", self.t(month(date.month())), date.year())
    }

    pub fn weekday_name(&self, date: Date) -> &'static str {
        self.t(weekday(recurring::weekday(date)))
    }

    /// `Pzt`, `Mon`
    pub fn weekday_short(&self, date: Date) -> &'static str {
        self.t(match date.weekday() {
            Weekday::Monday => Text::Mon,
            Weekday::Tuesday => Text::Tue,
            Weekday::Wednesday => Text::Wed,
            Weekday::Thursday => Text::Thu,
            Weekday::Friday => Text::Fri,
            Weekday::Saturday => Text::Sat,
            Weekday::Sunday => Text::Sun,
        })
    }

    /// `21 Kas 2026`
    pub fn short_date(&self, date: Date) -> String {
        let month: String = self.t(month(date.month())).chars().take(3).collect();
        match date.year() == self.zoned(self.now).year() {
            true => format!("{} {month}", date.day()),
            false => format!("{} {month} {}", date.day(), date.year()),
        }
    }

    /// `21 Kasım 2026 14:05:09 (+03)`: the whole truth, for a tooltip.
    pub fn exact(&self, at: Timestamp) -> String {
        let time = self.zoned(at);
        let month = self.t(month(time.month()));
        let mut text = format!("{} {month} {}", time.day(), time.year());
        let _ = write!(
            text,
            " {:02}:{:02}:{:02} ({})",
            time.hour(),
            time.minute(),
            time.second(),
            zone_abbreviation(&time)
        );
        text
    }

    /// `21 Kas 14:05`, with the year when it is another one.
    pub fn short(&self, at: Timestamp) -> String {
        format!("{} {}", self.short_date(self.zoned(at).date()), self.clock(at))
    }

    /// `az önce`, `5 dk önce`, `2 sa sonra`; a date when it is more than a week away.
    pub fn relative(&self, at: Timestamp) -> String {
        let seconds = at.as_second().saturating_sub(self.now.as_second());
        let future = seconds > 0;
        let distance = seconds.abs();
        let (past_text, future_text, number) = match distance {
            0..=44 if !future => return self.t(Text::JustNow).to_owned(),
            0..=59 => (Text::SecondsAgo, Text::InSeconds, distance),
            60..=3_599 => (Text::MinutesAgo, Text::InMinutes, distance / 60),
            3_600..=86_399 => (Text::HoursAgo, Text::InHours, distance / 3_600),
            86_400..=604_799 => (Text::DaysAgo, Text::InDays, distance / 86_400),
            _ => return self.short(at),
        };
        self.count(if future { future_text } else { past_text }, number)
    }

    /// The value of a `datetime-local` field.
    pub fn local_field(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    /// Midnight that begins this person's today.
    pub fn today(&self) -> Date {
        self.zoned(self.now).date()
    }

    /// When `date` begins for this person; out-of-range dates give `now`.
    pub fn start_of(&self, date: Date) -> Timestamp {
        date.to_zoned(self.timezone.clone()).map_or(self.now, |zoned| zoned.timestamp())
    }

    /// The next `hour` o'clock that is still to come.
    pub fn next_hour(&self, hour: i8) -> Timestamp {
        let today = self.today();
        let at =
            |date: Date| date.at(hour, 0, 0, 0).to_zoned(self.timezone.clone()).map(|zoned| zoned.timestamp()).ok();
        at(today).filter(|at| *at > self.now).or_else(|| at(today.saturating_add(1.day()))).unwrap_or(self.now)
    }

    /// `hour` o'clock tomorrow.
    pub fn tomorrow_at(&self, hour: i8) -> Timestamp {
        let tomorrow = self.today().saturating_add(1.day());
        tomorrow.at(hour, 0, 0, 0).to_zoned(self.timezone.clone()).map_or(self.now, |zoned| zoned.timestamp())
    }

    /// `hour` o'clock of the next day that is a `wanted` weekday.
    pub fn next_weekday(&self, wanted: Weekday, hour: i8) -> Timestamp {
        self.today()
            .nth_weekday(1, wanted)
            .and_then(|date| date.at(hour, 0, 0, 0).to_zoned(self.timezone.clone()))
            .map_or(self.now, |zoned| zoned.timestamp())
    }

    /// The zone as people know it: `Europe/Istanbul (+03)`.
    pub fn zone_name(zone: &TimeZone, at: Timestamp) -> String {
        let zoned = at.to_zoned(zone.clone());
        match zone.iana_name() {
            Some(name) => format!("{name} ({})", zone_abbreviation(&zoned)),
            None => zone_abbreviation(&zoned),
        }
    }
}

/// A `datetime-local` field's value, in `zone`. A time that a clock change skips is moved forward by the gap.
pub fn from_local_field(value: &str, zone: &TimeZone) -> Option<Timestamp> {
    civil(value)?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// Whether a `datetime-local` field's value is a time, but one past the last that can be told.
pub fn is_too_far(value: &str, zone: &TimeZone) -> bool {
    civil(value).is_some() && from_local_field(value, zone).is_none()
}

/// Whether a `datetime-local` field's value names no single moment in `zone`: the clock skips it, or it comes twice.
pub fn meets_clock_change(value: &str, zone: &TimeZone) -> bool {
    civil(value).is_some_and(|local| zone.to_ambiguous_zoned(local).is_ambiguous())
}

fn civil(value: &str) -> Option<DateTime> {
    let value = value.trim();
    DateTime::strptime("%Y-%m-%dT%H:%M:%S", value)
        .or_else(|_| DateTime::strptime("%Y-%m-%dT%H:%M", value))
        .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", value))
        .ok()
}

fn zone_abbreviation(time: &Zoned) -> String {
    let seconds = time.offset().seconds();
    let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
    let sign = if seconds < 0 { '\u{2212}' } else { '+' };
    match minutes {
        0 => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

fn fill(text: &str, values: &[&str]) -> String {
    divided(text).map(|(words, place)| place.and_then(|index| values.get(index)).copied().unwrap_or(words)).collect()
}

/// [`fill`] for marked values: the text's own words are escaped.
fn inlaid(text: &str, values: &[Markup]) -> Markup {
    html! {
        @for (words, place) in divided(text) {
            @match place.and_then(|index| values.get(index)) { Some(value) => (value), None => (words) }
        }
    }
}

/// The pieces of a text, with the number of those that are places. One pass, so that a value which itself holds "{1}"
/// stays what it is.
fn divided(text: &str) -> impl Iterator<Item = (&str, Option<usize>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let place = |text: &str| text.strip_prefix('{')?.split_once('}')?.0.parse::<usize>().ok();
        let number = place(rest);
        let length = match number {
            Some(_) => rest.find('}')? + 1,
            None => {
                rest.match_indices('{').map(|(at, _)| at).find(|at| place(&rest[*at..]).is_some()).unwrap_or(rest.len())
            }
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        (!piece.is_empty()).then_some((piece, number))
    })
}

fn month(month: i8) -> Text {
    [
        Text::January,
        Text::February,
        Text::March,
        Text::April,
        Text::May,
        Text::June,
        Text::July,
        Text::August,
        Text::September,
        Text::October,
        Text::November,
        Text::December,
    ][usize::try_from(month - 1).unwrap_or(0).min(11)]
}

/// A weekday's name.
pub(super) fn weekday(day: model::Weekday) -> Text {
    match day {
        model::Weekday::Monday => Text::Monday,
        model::Weekday::Tuesday => Text::Tuesday,
        model::Weekday::Wednesday => Text::Wednesday,
        model::Weekday::Thursday => Text::Thursday,
        model::Weekday::Friday => Text::Friday,
        model::Weekday::Saturday => Text::Saturday,
        model::Weekday::Sunday => Text::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(language: Language) -> Locale {
        Locale {
            language,
            timezone: TimeZone::get("Europe/Istanbul").expect("a bundled zone"),
            now: "2026-11-21T12:00:00Z".parse().expect("a time"),
        }
    }

    #[test]
    fn numbers_are_written_as_the_language_writes_them() {
        let (turkish, english) = (locale(Language::Turkish), locale(Language::English));
        assert_eq!(turkish.integer(1_234_567), "1.234.567");
        assert_eq!(english.integer(-1_234), "\u{2212}1,234");
        assert_eq!(english.integer(0), "0");
        assert_eq!(turkish.integer(i64::MIN), "\u{2212}9.223.372.036.854.775.808");
        assert_eq!(turkish.score(-0.871), "\u{2212}0,87");
        assert_eq!(english.score(0.5), "+0.50");
        assert_eq!(english.score(-0.001), "0.00");
        assert_eq!(turkish.percent(0.425), "%43");
        assert_eq!(english.percent(0.42), "42%");
    }

    #[test]
    fn days_and_distances_are_in_the_persons_zone_and_language() {
        let (turkish, english) = (locale(Language::Turkish), locale(Language::English));
        let late: Timestamp = "2026-11-21T21:30:00Z".parse().expect("a time");
        assert_eq!(turkish.clock(late), "00:30");
        assert_eq!(turkish.near_day(turkish.zoned(late).date()), "Yarın");
        assert_eq!(turkish.day(jiff::civil::date(2025, 5, 1)), "1 Mayıs 2025 Perşembe");
        assert_eq!(english.day(jiff::civil::date(2026, 5, 1)), "Friday, 1 May");
        assert_eq!(turkish.exact(late), "22 Kasım 2026 00:30:00 (UTC+3)");
        let ago = |seconds: i64| Timestamp::from_second(turkish.now.as_second() - seconds).expect("a time");
        assert_eq!(turkish.relative(ago(10)), "az önce");
        assert_eq!(turkish.relative(ago(120)), "2 dk önce");
        assert_eq!(english.relative(ago(3_600)), "1 hour ago");
        assert_eq!(english.relative(ago(-7_200)), "in 2 hours");
        assert_eq!(turkish.relative(ago(-86_400)), "1 gün sonra");
        assert_eq!(english.relative(Timestamp::MIN), english.short(Timestamp::MIN));
        assert_eq!(english.relative(Timestamp::MAX), english.short(Timestamp::MAX));
    }

    #[test]
    fn a_local_time_is_read_in_its_zone() {
        let istanbul = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
        let berlin = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        let at = |text, zone| from_local_field(text, zone).map(|at| at.to_string());
        assert_eq!(at("2026-11-21T09:30", &istanbul).as_deref(), Some("2026-11-21T06:30:00Z"));
        assert_eq!(at("2026-03-29T02:30", &berlin).as_deref(), Some("2026-03-29T01:30:00Z"));
        for (text, zone, meets) in [
            ("2026-03-29T02:30", &berlin, true),
            ("2026-10-25T02:30", &berlin, true),
            ("2026-03-29T03:30", &berlin, false),
            ("2026-03-29T02:30", &istanbul, false),
            ("yarın", &berlin, false),
        ] {
            assert_eq!(meets_clock_change(text, zone), meets, "{text}");
        }
        assert_eq!(at("yarın", &istanbul), None);
        assert_eq!(at("9999-99-99T00:00", &istanbul), None);
        for (text, is_so) in [("9999-12-31T23:59", true), ("9999-12-29T23:59", false), ("yarın", false)] {
            assert_eq!(is_too_far(text, &istanbul), is_so, "{text}");
        }
    }

    #[test]
    fn the_browsers_language_is_understood() {
        assert_eq!(Language::from_accept("tr-TR,tr;q=0.9,en;q=0.8"), Some(Language::Turkish));
        assert_eq!(Language::from_accept("de, en-GB;q=0.7, tr;q=0.3"), Some(Language::English));
        assert_eq!(Language::from_accept("de;q=nan, tr;q=0"), None);
    }

    #[test]
    fn a_value_with_braces_stays_as_it_is() {
        assert_eq!(fill("{0} and {1}", &["{1}", "b"]), "{1} and b");
        assert_eq!(fill("{0} {9} {", &["a"]), "a {9} {");
    }
}

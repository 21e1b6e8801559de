//! How often a post comes again: the fields that say so, and the rule in words.

use jiff::Zoned;
use jiff::civil::Date;
use maud::{Markup, html};

use super::error::Problem;
use super::inbox::{maybe, read};
use super::layout::Console;
use super::locale::{self, Locale};
use super::parts::options;
use super::texts::Text;
use crate::model::{Frequency, Missed, Weekday};
use crate::recurring::{Rule, weekday};

/// The fields as they stand.
#[derive(Debug, Clone)]
pub struct RepeatDraft {
    frequency: Option<Frequency>,
    weekdays: Vec<Weekday>,
    day: String,
    until: String,
    times: String,
    pub missed: Missed,
}

impl Default for RepeatDraft {
    fn default() -> Self {
        Self {
            frequency: None,
            weekdays: Vec::new(),
            day: String::new(),
            until: String::new(),
            times: String::new(),
            missed: Missed::Skip,
        }
    }
}

impl RepeatDraft {
    /// As a rule that is already there fills them.
    pub fn of(rule: &Rule, missed: Missed) -> Self {
        Self {
            frequency: Some(rule.frequency),
            weekdays: rule.weekdays.clone(),
            day: rule.day.map(|day| day.to_string()).unwrap_or_default(),
            until: rule.until.map(|date| date.to_string()).unwrap_or_default(),
            times: rule.times.map(|times| times.to_string()).unwrap_or_default(),
            missed,
        }
    }

    /// Takes one field of the form; what is not of these fields is left alone.
    pub fn read(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "repeat" => self.frequency = maybe("repeat", value)?,
            "on" => self.weekdays.push(read("on", value)?),
            "day" => self.day = value.trim().to_owned(),
            "until" => self.until = value.trim().to_owned(),
            "times" => self.times = value.trim().to_owned(),
            "missed" => self.missed = read("missed", value)?,
            _ => {}
        }
        Ok(())
    }

    pub fn is_on(&self) -> bool {
        self.frequency.is_some()
    }

    /// The rule that begins at `first`, or what is wrong in the reader's language. Without a weekday or a day of the month
    /// it is that of `first`.
    pub fn rule(&self, console: &Console, first: &Zoned) -> Result<Rule, String> {
        let bad_end = || console.t(Text::RepeatBadEnd).to_owned();
        let until: Option<Date> = match self.until.as_str() {
            "" => None,
            date => Some(date.parse().map_err(|_| bad_end())?),
        };
        let times: Option<u32> = match self.times.as_str() {
            "" => None,
            times => Some(times.parse().map_err(|_| bad_end())?),
        };
        if until.is_some() && times.is_some() {
            return Err(console.t(Text::RepeatTwoEnds).to_owned());
        }
        let frequency = self.frequency.unwrap_or(Frequency::Daily);
        let rule = Rule {
            frequency,
            weekdays: match (frequency, self.weekdays.as_slice()) {
                (Frequency::Weekly, []) => vec![weekday(first.date())],
                (Frequency::Weekly, days) => days.to_vec(),
                _ => Vec::new(),
            },
            day: match (frequency, self.day.as_str()) {
                (Frequency::Monthly, "") => Some(first.day()),
                (Frequency::Monthly, day) => Some(day.parse().map_err(|_| bad_end())?),
                _ => None,
            },
            time: first.time(),
            timezone: first.time_zone().iana_name().unwrap_or("UTC").to_owned(),
            from: first.date(),
            until,
            times,
        };
        rule.check().map_err(|_| bad_end())?;
        Ok(rule)
    }
}

/// The fields of a form. One that `stays` recurring is not offered not to repeat.
pub fn repeat_fields(console: &Console, draft: &RepeatDraft, stays: bool) -> Markup {
    let never = (!stays).then(|| (String::new(), console.t(Text::RepeatNever).to_owned()));
    let frequencies: Vec<_> = never
        .into_iter()
        .chain(Frequency::ALL.iter().map(|word| (word.to_string(), console.t(frequency_word(*word)).to_owned())))
        .collect();
    let chosen = draft.frequency.map(|frequency| frequency.to_string()).unwrap_or_default();
    html! {
        label.field {
            span { (console.t(Text::Repeat)) }
            select name="repeat" data-repeat { (options(&chosen, &frequencies)) }
        }
        div.stack data-repeat-more {
            fieldset data-repeat-weekly {
                legend.label { (console.t(Text::RepeatOn)) }
                div.choices {
                    @for day in Weekday::ALL {
                        label.check {
                            input type="checkbox" name="on" value=(day) checked[draft.weekdays.contains(day)];
                            (console.t(locale::weekday(*day)))
                        }
                    }
                }
            }
            label.field data-repeat-monthly {
                span { (console.t(Text::RepeatDay)) }
                input type="number" name="day" min="1" max="31" value=(draft.day);
            }
            p.hint { (console.t(Text::RepeatHint)) }
            label.field {
                span { (console.t(Text::RepeatUntil)) }
                input type="date" name="until" value=(draft.until);
            }
            label.field {
                span { (console.t(Text::RepeatTimes)) }
                input type="number" name="times" min="1" max="1000" value=(draft.times);
            }
            label.field {
                span { (console.t(Text::RepeatMissed)) }
                select name="missed" {
                    option value=(Missed::Skip) selected[draft.missed == Missed::Skip] { (console.t(Text::MissedSkip)) }
                    option value=(Missed::Ask) selected[draft.missed == Missed::Ask] { (console.t(Text::MissedAsk)) }
                }
            }
        }
    }
}

/// `Every week on Monday, Thursday at 09:30, until 31 December 2026`; with the zone of its time where that is not the
/// reader's own.
pub fn in_words(locale: &Locale, rule: &Rule) -> String {
    let mut time = format!("{:02}:{:02}", rule.time.hour(), rule.time.minute());
    if locale.timezone.iana_name() != Some(rule.timezone.as_str()) {
        time = format!("{time} {}", Locale::zone_name(&rule.zone(), locale.now));
    }
    let mut words = match rule.frequency {
        Frequency::Daily => locale.fill(Text::RuleDaily, &[&time]),
        Frequency::Weekly => {
            let in_order = Weekday::ALL.iter().filter(|day| rule.weekdays.contains(day));
            let days: Vec<&str> = in_order.map(|day| locale.t(locale::weekday(*day))).collect();
            locale.fill(Text::RuleWeekly, &[&days.join(", "), &time])
        }
        Frequency::Monthly => {
            let day = rule.day.unwrap_or(1);
            // Every month has a 28th.
            let text = if day > 28 { Text::RuleMonthlyShort } else { Text::RuleMonthly };
            locale.fill(text, &[&day.to_string(), &time])
        }
    };
    if let Some(until) = rule.until {
        words.push_str(", ");
        words.push_str(&locale.fill(Text::RuleUntil, &[&locale.short_date(until)]));
    }
    if let Some(times) = rule.times {
        words.push_str(", ");
        words.push_str(&locale.count(Text::RuleTimes, times.into()));
    }
    words
}

fn frequency_word(frequency: Frequency) -> Text {
    match frequency {
        Frequency::Daily => Text::Daily,
        Frequency::Weekly => Text::Weekly,
        Frequency::Monthly => Text::Monthly,
    }
}

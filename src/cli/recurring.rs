//! `muhatap recurring`: posts that come again, what comes next of them, and pausing, changing and ending them.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::deliveries::usage;
use super::post::{days_of, explain, print_json};
use super::{UsageError, moment};
use crate::app::App;
use crate::compose::Confirmed;
use crate::config::Config;
use crate::model::{Frequency, Missed, RecurrenceId};
use crate::recurring::{self, Rule};
use crate::store::recurrences::{NewRecurrence, RecurrenceView};

const WHO: &str = "cli";
/// Letters of a text in the table.
const TEXT_SHOWN: usize = 48;

/// Lists recurring posts with what comes next, or does something with one. `muhatap post --repeat` makes one.
///
/// A local time that the clock skips is moved forward by the gap, one that comes twice is the first; the 31st is the last
/// day of a shorter month. Occurrences are planned 35 days ahead, each a delivery of its own.
///
/// Example: muhatap recurring
/// Example: muhatap recurring pause 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one, as JSON
    ///
    /// Example: muhatap recurring show 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Show { recurring: RecurrenceId },
    /// Change one from the next occurrence that was not called yet on; what is not named stays
    ///
    /// An occurrence that a person moved, or that already waits for the end of quiet hours, keeps its time and takes the new
    /// text; one that a person cancelled stays cancelled.
    ///
    /// Example: muhatap recurring change 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 --at 10:00
    /// Example: muhatap recurring change 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 --at "2026-12-01 10:00" --repeat weekly --on fri
    #[command(verbatim_doc_comment)]
    Change {
        recurring: RecurrenceId,
        /// Another text, on every account of it
        #[arg(long)]
        text: Option<String>,
        #[command(flatten)]
        rule: RuleChange,
        /// Go on after a warning: nearly the same text is planned for one of its days
        #[arg(long)]
        confirm_duplicate: bool,
        /// Go on after a warning: the text holds a phone number, an IBAN, a card or an ID number
        #[arg(long)]
        confirm_personal_data: bool,
    },
    /// Take back what is to come and make nothing more, until `resume`
    ///
    /// Example: muhatap recurring pause 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Pause { recurring: RecurrenceId },
    /// Go on after `pause`; what would have gone out meanwhile is not made
    ///
    /// Example: muhatap recurring resume 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Resume { recurring: RecurrenceId },
    /// End one for good and cancel what of it is not out yet
    ///
    /// Example: muhatap recurring end 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    End { recurring: RecurrenceId },
}

/// What of a rule is to be another.
#[derive(Debug, clap::Args)]
struct RuleChange {
    /// The time of day (10:00); or the first date and the time: RFC 3339, or local in its zone
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// daily, weekly or monthly
    #[arg(long, value_name = "HOW OFTEN")]
    repeat: Option<Frequency>,
    /// With weekly: the days (mon,thu); with monthly: the day [default, with another --repeat: of its first date]
    #[arg(long, value_name = "DAYS")]
    on: Option<String>,
    /// The last date
    #[arg(long, value_name = "DATE", conflicts_with = "times", value_parser = super::moment::date)]
    until: Option<Date>,
    /// How many times, counted from its first date
    #[arg(long, value_name = "NUMBER")]
    times: Option<u32>,
    /// What becomes of one that could not be sent in time: skip it, or ask a person
    #[arg(long, value_name = "skip|ask")]
    missed: Option<Missed>,
}

impl RuleChange {
    /// The rule with what is named changed.
    fn on(&self, mut rule: Rule) -> Result<Rule, UsageError> {
        if let Some(at) = &self.at {
            match time_of_day(at) {
                Some(time) => rule.time = time,
                None => {
                    let local = moment::parse_hour(at, &rule.timezone)?.to_zoned(rule.zone());
                    (rule.from, rule.time) = (local.date(), local.time());
                }
            }
        }
        let frequency = self.repeat.unwrap_or(rule.frequency);
        if self.on.is_some() || frequency != rule.frequency {
            rule.frequency = frequency;
            (rule.weekdays, rule.day) = days_of(frequency, self.on.as_deref(), rule.from)?;
        }
        if self.until.is_some() || self.times.is_some() {
            (rule.until, rule.times) = (self.until, self.times);
        }
        Ok(rule)
    }
}

/// `10:00` alone, without a date.
fn time_of_day(text: &str) -> Option<Time> {
    match text.contains(['-', '/', 'T']) {
        true => None,
        false => text.trim().parse().ok(),
    }
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let done = match args.action {
        None => return list(&app, args.json).await,
        Some(Action::Show { recurring }) => app.store.recurrence(recurring).await,
        Some(Action::Pause { recurring }) => recurring::pause(&app, recurring, WHO).await,
        Some(Action::Resume { recurring }) => recurring::resume(&app, recurring, WHO).await,
        Some(Action::End { recurring }) => recurring::end(&app, recurring, WHO).await,
        Some(Action::Change { recurring, text, rule, confirm_duplicate, confirm_personal_data }) => {
            let known = app.store.recurrence(recurring).await.map_err(usage)?;
            let missed = rule.missed.unwrap_or(known.missed);
            let rule = rule.on(known.rule)?;
            let texts = known
                .accounts
                .into_iter()
                .map(|account| (account.account_id, text.clone().unwrap_or(account.text)))
                .collect();
            let confirm = Confirmed { duplicate: confirm_duplicate, personal_data: confirm_personal_data };
            let changed = recurring::change(&app, recurring, NewRecurrence { rule, missed, texts }, confirm, WHO);
            let zone = &app.config.console.timezone;
            let changed = changed.await.map_err(|error| explain(error, "--confirm-duplicate", zone))?;
            return print_json(&changed);
        }
    };
    print_json(&done.map_err(usage)?)
}

async fn list(app: &App, json: bool) -> Result<ExitCode, anyhow::Error> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !json {
        writeln!(out, "{:26}  {:8}  {:8}  {:25}  {:20}  TEXT", "ID", "STATE", "OFTEN", "NEXT", "ACCOUNTS")?;
    }
    for recurrence in app.store.recurrences().await? {
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&recurrence)?)?,
            false => row(&mut out, &recurrence)?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(out: &mut impl Write, recurrence: &RecurrenceView) -> std::io::Result<()> {
    let rule = &recurrence.rule;
    let zone = TimeZone::get(&rule.timezone).unwrap_or(TimeZone::UTC);
    let next = recurrence
        .next
        .first()
        .map_or_else(|| "-".to_owned(), |at| at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %z").to_string());
    let accounts: Vec<&str> = recurrence.accounts.iter().map(|account| account.account.as_str()).collect();
    let text = recurrence.accounts.first().map(|account| account.text.as_str()).unwrap_or_default();
    // One line each, and nothing that would move a terminal's cursor.
    let text: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(TEXT_SHOWN).collect();
    let (state, often) = (recurrence.state.as_str(), rule.frequency.as_str());
    writeln!(out, "{}  {state:8}  {often:8}  {next:25}  {:20}  {text}", recurrence.id, accounts.join(","))?;
    for account in &recurrence.accounts {
        if let Some(problem) = &account.problem {
            writeln!(out, "{:26}  {}: {problem}", "", account.account)?;
        }
    }
    Ok(())
}

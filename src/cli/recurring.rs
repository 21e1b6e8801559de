//! `muhatap recurring`: posts that come again, what comes next of them, and pausing, changing and ending them.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use jiff::tz::TimeZone;

use super::deliveries::usage;
use super::post::{Repeat, explain, print_json};
use super::{UsageError, moment};
use crate::app::App;
use crate::compose::Confirmed;
use crate::config::Config;
use crate::model::RecurrenceId;
use crate::recurring;
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
    /// Example: muhatap recurring change 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 --at "2026-12-01 10:00" --repeat weekly --on fri
    #[command(verbatim_doc_comment)]
    Change {
        recurring: RecurrenceId,
        /// Another text, on every account of it
        #[arg(long)]
        text: Option<String>,
        /// The first date and the time of day: RFC 3339, or local in its zone
        #[arg(long, value_name = "TIME", requires = "repeat")]
        at: Option<String>,
        #[command(flatten)]
        repeat: Repeat,
        /// Go on after a warning: nearly the same text is planned for one of its days
        #[arg(long)]
        confirm_duplicate: bool,
    },
    /// Take back what is to come and make nothing more, until `resume`
    ///
    /// Example: muhatap recurring pause 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Pause { recurring: RecurrenceId },
    /// Go on after `pause`; what would have been due meanwhile is not made
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

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let done = match args.action {
        None => return list(&app, args.json).await,
        Some(Action::Show { recurring }) => app.store.recurrence(recurring).await,
        Some(Action::Pause { recurring }) => recurring::pause(&app, recurring, WHO).await,
        Some(Action::Resume { recurring }) => recurring::resume(&app, recurring, WHO).await,
        Some(Action::End { recurring }) => recurring::end(&app, recurring, WHO).await,
        Some(Action::Change { recurring, text, at, repeat, confirm_duplicate }) => {
            let known = app.store.recurrence(recurring).await.map_err(usage)?;
            let (rule, missed) = match &at {
                Some(at) => {
                    let zone = known.rule.timezone.clone();
                    repeat.rule(moment::parse(at, &zone)?, &zone)?.unwrap_or((known.rule, known.missed))
                }
                None if repeat.rule(app.store.clock(), "UTC")?.is_some() => {
                    return Err(UsageError("--repeat needs --at: the first date and the time of day".into()).into());
                }
                None => (known.rule, known.missed),
            };
            let texts = known
                .accounts
                .into_iter()
                .map(|account| (account.account_id, text.clone().unwrap_or(account.text)))
                .collect();
            let confirm = Confirmed { duplicate: confirm_duplicate, ..Confirmed::default() };
            let changed = recurring::change(&app, recurring, NewRecurrence { rule, missed, texts }, confirm, WHO);
            return print_json(&changed.await.map_err(|error| explain(error, "--confirm-duplicate"))?);
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

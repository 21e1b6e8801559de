//! `muhatap post`: publishes something on an account or several, now, at a time, or again and again.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{UsageError, moment};
use crate::app::App;
use crate::campaigns::{self, BatchError, BatchPost, BatchRequest};
use crate::compose::{self, ComposeError, Confirmed, PostRequest};
use crate::config::Config;
use crate::model::{DeliveryId, DeliveryState, Frequency, Missed, Weekday};
use crate::recurring::{self, Rule, weekday};
use crate::store::StoreError;
use crate::store::accounts::Account;
use crate::store::deliveries::DeliveryView;
use crate::store::recurrences::NewRecurrence;

/// Publishes a text on an account, now or at a time; prints the delivery as JSON. A running worker sends it.
///
/// With several accounts each gets a delivery of its own, and a list is printed. With --repeat it comes again and again,
/// and the recurring post is printed; see `muhatap recurring`.
///
/// Example: muhatap post --account destek --at "2026-11-22 09:30" --text "Günaydın!" --key kampanya-7
/// Example: muhatap post --account destek --account magaza --campaign "Kış indirimi" --at "2026-12-01 10:00" --text "…"
/// Example: muhatap post --account destek --at "2026-12-01 09:30" --repeat weekly --on mon,thu --text "Günaydın!"
/// Example: muhatap post --account destek --at "2026-12-31 09:30" --repeat monthly --on 31 --times 12 --text "…"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The account's name; may be given several times
    #[arg(long, value_name = "NAME", required = true)]
    account: Vec<String>,
    /// When: RFC 3339, or local in the account's zone [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What to publish
    #[arg(long)]
    text: String,
    /// The same key twice gives the same delivery; with other content it is an error
    #[arg(long)]
    key: Option<String>,
    /// The campaign it belongs to; made where there is none
    #[arg(long, value_name = "NAME", conflicts_with = "repeat")]
    campaign: Option<String>,
    /// Only once this delivery is sent, as an answer to it: the next part of a thread
    #[arg(long, value_name = "DELIVERY", conflicts_with = "repeat")]
    after: Option<DeliveryId>,
    /// Not worth sending any more after this time
    #[arg(long, value_name = "TIME", conflicts_with = "repeat")]
    expires: Option<String>,
    #[command(flatten)]
    repeat: Repeat,
    /// Go on after a warning: nearly the same text is planned for that day
    #[arg(long)]
    confirm_duplicate: bool,
    /// Go on after a warning: the text holds a phone number, an IBAN, a card or an ID number
    #[arg(long)]
    confirm_personal_data: bool,
}

impl Args {
    fn confirmed(&self) -> Confirmed {
        Confirmed { duplicate: self.confirm_duplicate, personal_data: self.confirm_personal_data }
    }
}

/// How often, and until when; the first date and the time of day are those of `--at`.
#[derive(Debug, clap::Args)]
pub(super) struct Repeat {
    /// Publish it again and again: daily, weekly or monthly, from the day and at the time of --at
    #[arg(long, value_name = "HOW OFTEN")]
    repeat: Option<Frequency>,
    /// With weekly: the days (mon,thu); with monthly: the day (31 is the last one of a shorter month) [default: of --at]
    #[arg(long, value_name = "DAYS", requires = "repeat")]
    on: Option<String>,
    /// The last date
    #[arg(long, value_name = "DATE", requires = "repeat", conflicts_with = "times", value_parser = moment::date)]
    until: Option<Date>,
    /// How many times
    #[arg(long, value_name = "NUMBER", requires = "repeat")]
    times: Option<u32>,
    /// What becomes of one that could not be sent in time: skip it, or ask a person [default: skip]
    #[arg(long, value_name = "skip|ask", requires = "repeat")]
    missed: Option<Missed>,
}

impl Repeat {
    /// The rule, where there is one to be.
    pub(super) fn rule(&self, at: Timestamp, timezone: &str) -> Result<Option<(Rule, Missed)>, UsageError> {
        let Some(frequency) = self.repeat else { return Ok(None) };
        let local = at.to_zoned(TimeZone::get(timezone).unwrap_or(TimeZone::UTC));
        let (weekdays, day) = days_of(frequency, self.on.as_deref(), local.date())?;
        let rule = Rule {
            frequency,
            weekdays,
            day,
            time: local.time(),
            timezone: timezone.to_owned(),
            from: local.date(),
            until: self.until,
            times: self.times,
        };
        Ok(Some((rule, self.missed.unwrap_or(Missed::Skip))))
    }
}

/// The weekdays and the day of the month of `--on`; without it those of `first`.
pub(super) fn days_of(
    frequency: Frequency,
    on: Option<&str>,
    first: Date,
) -> Result<(Vec<Weekday>, Option<i8>), UsageError> {
    match (frequency, on) {
        (Frequency::Weekly, Some(days)) => Ok((days.split(',').map(day_named).collect::<Result<_, _>>()?, None)),
        (Frequency::Weekly, None) => Ok((vec![weekday(first)], None)),
        (Frequency::Monthly, Some(day)) => match day.trim().parse() {
            Ok(day) => Ok((Vec::new(), Some(day))),
            Err(_) => Err(UsageError(format!("--on {day}: a day of the month is a number from 1 to 31"))),
        },
        (Frequency::Monthly, None) => Ok((Vec::new(), Some(first.day()))),
        (Frequency::Daily, Some(_)) => Err(UsageError("--on goes with weekly or monthly: daily is every day".into())),
        (Frequency::Daily, None) => Ok((Vec::new(), None)),
    }
}

/// `mon`, `Monday` or any beginning of a weekday's English name that names one alone.
fn day_named(name: &str) -> Result<Weekday, UsageError> {
    let name = name.trim().to_lowercase();
    let mut named = Weekday::ALL.iter().filter(|day| !name.is_empty() && day.as_str().starts_with(&name));
    match (named.next(), named.next()) {
        (Some(day), None) => Ok(*day),
        _ => Err(UsageError(format!("{name:?} is not a weekday; write mon, tue, wed, thu, fri, sat, sun"))),
    }
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let mut accounts = Vec::with_capacity(args.account.len());
    for name in &args.account {
        accounts.push(account(&app, name).await?);
    }
    if args.repeat.repeat.is_some() {
        return repeat(&app, &args, &accounts).await;
    }
    match accounts.as_slice() {
        [account] => one(&app, args, account).await,
        _ => several(&app, args, &accounts).await,
    }
}

async fn one(app: &App, args: Args, account: &Account) -> Result<ExitCode, anyhow::Error> {
    let mut request = PostRequest::new(account.id, args.text.as_str(), "cli");
    request.confirm = args.confirmed();
    request.due_at = args.at.map(|at| moment::parse_hour(&at, &account.timezone)).transpose()?;
    request.expires_at = args.expires.map(|at| moment::parse_hour(&at, &account.timezone)).transpose()?;
    request.after = args.after;
    request.key = args.key;
    if let Some(name) = &args.campaign {
        request.origin.campaign =
            Some(campaigns::clean(name).map_err(|error| explain_batch(error, &account.timezone))?);
    }
    let posted = compose::post(app, request).await;
    let delivery = posted.map_err(|error| explain(error, "--confirm-duplicate", &account.timezone))?;
    if delivery.state == DeliveryState::Held {
        eprintln!("{}", moment::in_zone(&delivery.next_step, &account.timezone));
    }
    print(&delivery)
}

async fn several(app: &App, args: Args, accounts: &[Account]) -> Result<ExitCode, anyhow::Error> {
    if args.after.is_some() {
        return Err(UsageError("--after names a delivery of one account: it does not go with several".into()).into());
    }
    let mut posts = Vec::with_capacity(accounts.len());
    for account in accounts {
        let there = |at: &String| moment::parse_hour(at, &account.timezone);
        let (due_at, expires_at) =
            (args.at.as_ref().map(there).transpose()?, args.expires.as_ref().map(there).transpose()?);
        posts.push(BatchPost { account_id: account.id, text: args.text.clone(), due_at, expires_at });
    }
    let zone = accounts.first().map_or("UTC", |account| account.timezone.as_str());
    let confirm = args.confirmed();
    let request = BatchRequest { campaign: args.campaign, posts, author: "cli".into(), key: args.key, confirm };
    let (_, deliveries) = campaigns::post(app, request).await.map_err(|error| explain_batch(error, zone))?;
    print_json(&deliveries)
}

async fn repeat(app: &App, args: &Args, accounts: &[Account]) -> Result<ExitCode, anyhow::Error> {
    let Some(first) = accounts.first() else { return Ok(ExitCode::SUCCESS) };
    if let Some(other) = accounts.iter().find(|account| account.timezone != first.timezone) {
        return Err(UsageError(format!(
            "accounts {} and {} keep different clocks ({}, {}): make a recurring post for each",
            first.name, other.name, first.timezone, other.timezone
        ))
        .into());
    }
    let at = match &args.at {
        Some(at) => moment::parse_hour(at, &first.timezone)?,
        None => return Err(UsageError("--repeat needs --at: the first date and the time of day".into()).into()),
    };
    let Some((rule, missed)) = args.repeat.rule(at, &first.timezone)? else { return Ok(ExitCode::SUCCESS) };
    let texts = accounts.iter().map(|account| (account.id, args.text.clone())).collect();
    let confirm = args.confirmed();
    let recurrence = recurring::start(app, NewRecurrence { rule, missed, texts }, args.key.as_deref(), confirm, "cli");
    print_json(&recurrence.await.map_err(|error| explain(error, "--confirm-duplicate", &first.timezone))?)
}

/// The account by name; one that so far stands only in the configuration file is put into the database first.
pub(super) async fn account(app: &Arc<App>, name: &str) -> Result<Account, anyhow::Error> {
    match app.store.account_by_name(name).await {
        Err(StoreError::NotFound(_)) if app.config.accounts.iter().any(|account| account.name == name) => {
            app.put_accounts().await?;
        }
        Err(StoreError::NotFound(_)) => {
            let known: Vec<_> = app.store.accounts().await?.into_iter().map(|account| account.name).collect();
            let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
            return Err(UsageError(format!("there is no account {name:?}; known accounts: {known}")).into());
        }
        found => return Ok(found?),
    }
    Ok(app.store.account_by_name(name).await?)
}

/// A refusal with its times in `zone`, and with the flag that goes on all the same, where there is one.
pub(super) fn explain(error: ComposeError, flag: &str, zone: &str) -> anyhow::Error {
    let said = moment::in_zone(&error.to_string(), zone);
    match &error {
        ComposeError::PersonalData(_) => anyhow::anyhow!("{said}: --confirm-personal-data"),
        ComposeError::NearDuplicate { .. } | ComposeError::AnotherReply(_) => anyhow::anyhow!("{said}: {flag}"),
        ComposeError::NotFound(_) | ComposeError::Invalid(_) => UsageError(said).into(),
        ComposeError::Store(StoreError::Conflict(_)) => anyhow::anyhow!(said),
        _ => error.into(),
    }
}

fn explain_batch(error: BatchError, zone: &str) -> anyhow::Error {
    match error {
        BatchError::Post { account, error } => {
            explain(error, "--confirm-duplicate", zone).context(format!("account {account}"))
        }
        BatchError::Alike { .. } => anyhow::anyhow!("{error}: --confirm-duplicate"),
        BatchError::Invalid { reason, .. } => UsageError(reason).into(),
        BatchError::Store(error) => error.into(),
    }
}

pub(super) fn print(delivery: &DeliveryView) -> Result<ExitCode, anyhow::Error> {
    print_json(delivery)
}

pub(super) fn print_json(value: &impl serde::Serialize) -> Result<ExitCode, anyhow::Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(value)?)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekday_is_named_by_its_beginning() {
        for (name, day) in [("mon", Weekday::Monday), ("Thursday", Weekday::Thursday), (" sun ", Weekday::Sunday)] {
            assert_eq!(day_named(name).expect(name), day);
        }
        for wrong in ["", "t", "s", "pazartesi"] {
            assert!(day_named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_date_and_the_time_are_those_of_its_beginning() {
        let repeat = Repeat { repeat: Some(Frequency::Weekly), on: None, until: None, times: None, missed: None };
        let at = "2026-12-01T06:30:00Z".parse().expect("a time");
        let (rule, missed) = repeat.rule(at, "Europe/Istanbul").expect("a rule").expect("it repeats");
        assert_eq!((rule.weekdays.as_slice(), missed), (&[Weekday::Tuesday][..], Missed::Skip));
        assert_eq!((rule.from.to_string(), rule.time.to_string()), ("2026-12-01".into(), "09:30:00".into()));
    }
}

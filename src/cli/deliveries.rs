//! `muhatap deliveries`: what is to go out, what became of it, and what people decide about it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::post::{account, print};
use super::{UsageError, moment};
use crate::app::App;
use crate::config::Config;
use crate::model::{DeliveryId, DeliveryState, Hold};
use crate::store::StoreError;
use crate::store::deliveries::{Decision, DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};

/// Who stands in the audit log for what is done here.
const WHO: &str = "cli";
/// Letters of a text in the table.
const TEXT_SHOWN: usize = 48;

/// Lists deliveries, latest due time first, or does something with one.
///
/// Example: muhatap deliveries --state held --state unknown
/// Example: muhatap deliveries cancel 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only in this state: waiting, queued, preparing, sending, verifying, retry, held, unknown, sent, failed, expired,
    /// cancelled; may be given several times
    #[arg(long, value_name = "STATE")]
    state: Vec<DeliveryState>,
    /// Only replies, or only posts
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Due at or after: RFC 3339, or local in the account's zone
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Due before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Earliest due time first: the schedule
    #[arg(long)]
    earliest_first: bool,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Reply,
    Post,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one with its calls, as JSON
    ///
    /// Example: muhatap deliveries show 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Show { delivery: DeliveryId },
    /// Stop one before it is sent; during the call it is taken back as soon as it is out
    ///
    /// Example: muhatap deliveries cancel 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Cancel { delivery: DeliveryId },
    /// Move one to another time: RFC 3339, or local in the account's zone
    ///
    /// Example: muhatap deliveries move 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 "2026-11-22 09:30"
    #[command(verbatim_doc_comment)]
    Move { delivery: DeliveryId, time: String },
    /// Say what becomes of one that is held, unknown or failed
    ///
    /// Example: muhatap deliveries decide 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 sent --link https://mastodon.example/@destek/1
    #[command(verbatim_doc_comment)]
    Decide {
        delivery: DeliveryId,
        #[arg(value_enum)]
        decision: Word,
        /// With `sent`: the address or id of the message on its network
        #[arg(long)]
        link: Option<String>,
    },
    /// Release everything that is held for one reason, in the order it was due, spaced
    ///
    /// Example: muhatap deliveries release --account destek --spacing 120
    #[command(verbatim_doc_comment)]
    Release {
        /// Only of this account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// Held for: late, restored (may be on its network already: look there first), account, predecessor
        #[arg(long, value_name = "REASON", default_value = "late")]
        hold: Hold,
        /// Seconds between two of an account [default: delivery.release_spacing_seconds]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86400))]
        spacing: Option<u32>,
    },
    /// Delete what was sent from its network
    ///
    /// Example: muhatap deliveries delete 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Delete { delivery: DeliveryId },
    /// Stop all sending, on every account, until `resume`
    ///
    /// Example: muhatap deliveries stop --reason "deprem"
    #[command(verbatim_doc_comment)]
    Stop {
        #[arg(long, default_value = "stopped on the command line")]
        reason: String,
    },
    /// Send again after `stop`; what became late meanwhile is held
    ///
    /// Example: muhatap deliveries resume
    #[command(verbatim_doc_comment)]
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// It is on the network
    Sent,
    /// Send it (again)
    Queue,
    Cancel,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    match args.action {
        Some(action) => act(&app, action).await,
        None => list(&app, args).await,
    }
}

async fn act(app: &Arc<App>, action: Action) -> Result<ExitCode, anyhow::Error> {
    let store = &app.store;
    let done = match action {
        Action::Show { delivery } => {
            let view = store.delivery(delivery).await.map_err(usage)?;
            let mut shown = serde_json::to_value(&view)?;
            shown["calls"] = serde_json::to_value(store.attempts(delivery).await?)?;
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&shown)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Cancel { delivery } => store.cancel(delivery, WHO).await,
        Action::Move { delivery, time } => {
            let view = store.delivery(delivery).await.map_err(usage)?;
            let zone = store.account(view.account_id).await?.timezone;
            store.reschedule(delivery, moment::parse(&time, &zone)?, WHO).await
        }
        Action::Decide { delivery, decision, link } => {
            if link.is_some() && decision != Word::Sent {
                return Err(UsageError("--link says where it is: it goes with `sent` only".into()).into());
            }
            let decision = match decision {
                Word::Sent => Decision::Sent { url_or_id: link },
                Word::Queue => Decision::Queue,
                Word::Cancel => Decision::Cancel,
            };
            store.decide(delivery, decision, app.config.delivery.release_spacing, WHO).await
        }
        Action::Release { account: name, hold, spacing } => {
            let only = match &name {
                Some(name) => Some(account(app, name).await?.id),
                None => None,
            };
            let spacing =
                spacing.map_or(app.config.delivery.release_spacing, |seconds| Duration::from_secs(seconds.into()));
            let released = store.release_held(hold, only, spacing, WHO).await?;
            let shown = serde_json::json!({ "released": released, "spacing_seconds": spacing.as_secs() });
            writeln!(std::io::stdout().lock(), "{shown}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Delete { delivery } => store.delete_again(delivery, WHO).await,
        Action::Stop { reason } => {
            store.stop_all_sending(WHO, &reason).await?;
            eprintln!("all sending is stopped; `muhatap deliveries resume` opens it again");
            return Ok(ExitCode::SUCCESS);
        }
        Action::Resume => {
            store.resume_sending(WHO).await?;
            eprintln!("sending goes on; what became late meanwhile is held");
            return Ok(ExitCode::SUCCESS);
        }
    };
    print(&done.map_err(usage)?)
}

async fn list(app: &Arc<App>, args: Args) -> Result<ExitCode, anyhow::Error> {
    let account = match &args.account {
        Some(name) => Some(account(app, name).await?),
        None => None,
    };
    let zone = account.as_ref().map_or(app.config.console.timezone.as_str(), |account| account.timezone.as_str());
    let mut filter = DeliveryFilter {
        account_id: account.as_ref().map(|account| account.id),
        states: args.state,
        kind: args.kind.map(|kind| match kind {
            Kind::Reply => DeliveryKind::Reply,
            Kind::Post => DeliveryKind::Post,
        }),
        since: args.since.as_deref().map(|time| moment::parse(time, zone)).transpose()?,
        until: args.until.as_deref().map(|time| moment::parse(time, zone)).transpose()?,
        order: if args.earliest_first { DeliveryOrder::EarliestFirst } else { DeliveryOrder::LatestFirst },
        ..DeliveryFilter::default()
    };
    let mut left = args.limit as usize;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(out, "{:26}  {:10}  {:16}  {:19}  {:6}  TEXT", "ID", "STATE", "ACCOUNT", "DUE", "KIND")?;
    }
    let known = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    while left > 0 {
        filter.limit = left.min(500);
        let page = app.store.deliveries(&filter).await?;
        for delivery in &page {
            match args.json {
                true => writeln!(out, "{}", serde_json::to_string(delivery)?)?,
                false => row(&mut out, delivery, &known)?,
            }
        }
        if page.len() < filter.limit {
            break;
        }
        left -= page.len();
        filter.after = page.last().map(|delivery| (delivery.due_at, delivery.id));
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(out: &mut impl Write, delivery: &DeliveryView, zone: &jiff::tz::TimeZone) -> std::io::Result<()> {
    let kind = match (delivery.action, delivery.kind) {
        (crate::model::Action::Delete, _) => "delete",
        (_, DeliveryKind::Reply) => "reply",
        (_, DeliveryKind::Post) => "post",
        (_, DeliveryKind::Webhook) => "webhook",
    };
    // One line a delivery, and nothing that would move a terminal's cursor.
    let text: String =
        delivery.text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(TEXT_SHOWN).collect();
    let due = delivery.due_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    writeln!(out, "{}  {:10}  {:16}  {due}  {kind:6}  {text}", delivery.id, delivery.state.as_str(), delivery.account)?;
    match &delivery.reason {
        Some(reason) if !delivery.state.is_end() => writeln!(out, "{:26}  {reason}", ""),
        _ => Ok(()),
    }
}

/// An id that names nothing is wrong usage.
pub(super) fn usage(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::NotFound(what) => UsageError(what).into(),
        error => error.into(),
    }
}

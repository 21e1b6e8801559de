//! `muhatap deliveries`: what is to go out, what became of it, and what people decide about it.

mod chosen;
mod list;
mod sending;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};

use super::post::{explain, print};
use super::{UsageError, moment};
use crate::app::App;
use crate::compose::{self, Confirmed};
use crate::config::Config;
use crate::linked::{self, LinkError};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::StoreError;
use crate::store::deliveries::Decision;
use crate::store::many::Act;

/// Who stands in the audit log for what is done here.
const WHO: &str = "cli";
/// Lines of the audit log that are shown with a delivery.
const HISTORY: i64 = 200;

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
    /// Only replies, only posts, or only mails
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
    /// Alerts and digests
    Mail,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one as JSON: why it is not out yet and what happens next, its calls, and who did what to it
    ///
    /// Example: muhatap deliveries show 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Show { delivery: DeliveryId },
    /// Stop some before they are sent; during the call one is taken back as soon as it is out
    ///
    /// Example: muhatap deliveries cancel 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    /// Example: muhatap deliveries cancel --account destek --state held --dry-run
    #[command(verbatim_doc_comment)]
    Cancel(chosen::Args),
    /// Send some now: those that wait for their time or their next try, and those that are held or failed, spaced
    ///
    /// What a person or the network has stopped stays stopped; the answer says what it waits for.
    ///
    /// Example: muhatap deliveries retry 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    /// Example: muhatap deliveries retry --account destek --state failed
    #[command(verbatim_doc_comment)]
    Retry(chosen::Args),
    /// Move one to another time: RFC 3339, or local in the account's zone
    ///
    /// Example: muhatap deliveries move 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 "2026-11-22 09:30"
    #[command(verbatim_doc_comment)]
    Move {
        delivery: DeliveryId,
        time: String,
        /// Go on after a warning: nearly the same text is planned for that day
        #[arg(long)]
        confirm_duplicate: bool,
    },
    /// Say what becomes of one that is held, unknown or failed
    ///
    /// Example: muhatap deliveries decide 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 sent --link https://mastodon.example/@destek/1
    #[command(verbatim_doc_comment)]
    Decide {
        delivery: DeliveryId,
        #[arg(value_enum)]
        decision: Word,
        /// With `sent`: the address of the message on its network
        #[arg(long)]
        link: Option<String>,
    },
    /// Release everything that is held for one reason, in the order it was due, spaced
    ///
    /// Example: muhatap deliveries release --account destek --spacing 120
    #[command(verbatim_doc_comment)]
    Release(sending::ReleaseArgs),
    /// Delete what was sent from its network
    ///
    /// Example: muhatap deliveries delete 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2
    #[command(verbatim_doc_comment)]
    Delete { delivery: DeliveryId },
    /// Stop sending until `resume`: everything, or only posts, an account, or the accounts of an app; calls under way end
    ///
    /// Example: muhatap deliveries stop --reason "deprem"
    /// Example: muhatap deliveries stop --posts
    #[command(verbatim_doc_comment)]
    Stop(sending::StopArgs),
    /// Send again after `stop`: posts that became due go out spaced, answers at once; what became late is held
    ///
    /// Example: muhatap deliveries resume
    /// Example: muhatap deliveries resume --posts --dry-run
    #[command(verbatim_doc_comment)]
    Resume(sending::ResumeArgs),
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
        None => list::list(&app, args).await,
    }
}

async fn act(app: &Arc<App>, action: Action) -> Result<ExitCode, anyhow::Error> {
    let store = &app.store;
    let done = match action {
        Action::Show { delivery } => {
            let view = store.delivery(delivery).await.map_err(usage)?;
            let mut shown = serde_json::to_value(&view)?;
            shown["calls"] = serde_json::to_value(store.attempts(delivery).await?)?;
            shown["history"] = serde_json::to_value(store.audit_of(&delivery.to_string(), HISTORY).await?)?;
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&shown)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Cancel(args) => return chosen::act(app, args, Act::Cancel).await,
        Action::Retry(args) => return chosen::act(app, args, Act::Retry).await,
        Action::Move { delivery, time, confirm_duplicate } => {
            let view = store.delivery(delivery).await.map_err(usage)?;
            let zone = store.account(view.account_id).await?.timezone;
            let confirm = Confirmed { duplicate: confirm_duplicate, ..Confirmed::default() };
            let moved = compose::reschedule(app, delivery, moment::parse_hour(&time, &zone)?, confirm, WHO).await;
            return print(&moved.map_err(|error| explain(error, "--confirm-duplicate", &zone))?);
        }
        Action::Decide { delivery, decision, link } => {
            if link.is_some() && decision != Word::Sent {
                return Err(UsageError("--link says where it is: it goes with `sent` only".into()).into());
            }
            let decision = match decision {
                Word::Sent => Decision::Sent {
                    receipt: match link {
                        Some(link) => Some(linked::receipt(app, delivery, &link).await.map_err(unfit)?),
                        None => None,
                    },
                },
                Word::Queue => Decision::Queue,
                Word::Cancel => Decision::Cancel,
            };
            store.decide(delivery, decision, app.config.delivery.release_spacing, WHO, store.clock()).await
        }
        Action::Release(args) => return sending::release(app, args).await,
        Action::Delete { delivery } => store.delete_again(delivery, WHO).await,
        Action::Stop(args) => return sending::stop(app, args).await,
        Action::Resume(args) => return sending::resume(app, args).await,
    };
    print(&done.map_err(|error| refused(app, error))?)
}

/// Why nothing was done, with its times in the console's zone.
fn refused(app: &App, error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Conflict(why) => anyhow::anyhow!(moment::in_zone(&why, &app.config.console.timezone)),
        error => usage(error),
    }
}

fn unfit(error: LinkError) -> anyhow::Error {
    match error {
        LinkError::Unfit(reason) => UsageError(format!("--link: {reason}")).into(),
        LinkError::Store(error) => usage(error),
    }
}

/// An id that names nothing is wrong usage.
pub(super) fn usage(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::NotFound(what) => UsageError(what).into(),
        error => error.into(),
    }
}

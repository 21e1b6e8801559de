//! `muhatap webhooks`: where events go, and sending again what came to nothing.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{UsageError, moment};
use crate::accounts::AccountError;
use crate::app::App;
use crate::config::Config;
use crate::model::{DeliveryId, EventKind};
use crate::store::webhooks::Replay;
use crate::webhooks::{self, Change, Wanted};

const WHO: &str = "cli";
/// The newest events that are listed.
const LISTED: i64 = 50;

/// Send signed events to other programs, and again what came to nothing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  muhatap webhooks add crm https://crm.example/hooks --event mention.complaint --event delivery.failed\n  muhatap webhooks test crm\n  muhatap webhooks replay crm --since 2026-11-21"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every webhook with what waits for it and what came to nothing
    List {
        #[arg(long)]
        json: bool,
    },
    /// Add a webhook; its secret is printed this once
    Add {
        name: String,
        url: String,
        /// What it is told of; may be repeated
        #[arg(long = "event", required = true, value_name = "EVENT")]
        events: Vec<EventKind>,
        /// The brand whose accounts it hears of
        #[arg(long, default_value = "default")]
        brand: String,
    },
    /// Change where events go, or which
    Change {
        name: String,
        #[arg(long)]
        url: Option<String>,
        /// All it is to be told of; may be repeated
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<EventKind>,
        #[arg(long)]
        brand: Option<String>,
    },
    /// Take a webhook out of use
    Remove { name: String },
    /// Make a new secret, printed this once; the former one signs beside it for a day
    Secret { name: String },
    /// Send the event webhook.test
    Test { name: String },
    /// The newest events of a webhook, each with its state and reason
    Events {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters again, in their order and under their old ids
    Replay {
        name: String,
        /// Only this one
        #[arg(long, value_name = "ID", conflicts_with = "since")]
        delivery: Option<DeliveryId>,
        /// Only what happened since; RFC 3339, or local in console.timezone
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Send nothing until resumed; events wait
    Pause {
        name: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Send again, what waited first
    Resume { name: String },
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let store = &app.store;
    match args.action {
        Action::List { json } => list(&app, json).await?,
        Action::Add { name, url, events, brand } => {
            let wanted = Wanted { name, brand, url, events: words(&events) };
            let (id, secret) = webhooks::add(&app, &wanted, WHO).await.map_err(usage)?;
            println!("{}", secret.expose_secret());
            eprintln!("webhook {} ({id}): its secret is shown this once, give it to the receiver", wanted.name);
        }
        Action::Change { name, url, events, brand } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            let events = (!events.is_empty()).then(|| words(&events));
            webhooks::change(&app, endpoint.id, &Change { brand, url, events }, WHO).await.map_err(usage)?;
            eprintln!("webhook {name} is changed");
        }
        Action::Remove { name } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            webhooks::remove(&app, endpoint.id, WHO).await.map_err(usage)?;
            eprintln!("webhook {name} is removed");
        }
        Action::Secret { name } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            let secret = webhooks::rotate(&app, endpoint.id, WHO).await.map_err(usage)?;
            println!("{}", secret.expose_secret());
            eprintln!("webhook {name}: shown this once; the former secret signs beside it for a day");
        }
        Action::Test { name } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            let id = store.test_endpoint(endpoint.id, WHO).await?;
            println!("{id}");
            eprintln!("a worker sends it; see: muhatap webhooks events {name}");
        }
        Action::Events { name, json } => events(&app, &name, json).await?,
        Action::Replay { name, delivery, since } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            let zone = app.config.console.timezone.as_str();
            let which = match (delivery, since) {
                (Some(id), _) => Replay::One(id),
                (None, Some(time)) => Replay::Since(moment::parse(&time, zone)?),
                (None, None) => Replay::Since(Timestamp::UNIX_EPOCH),
            };
            println!("{}", store.replay_events(endpoint.id, which, WHO).await?);
        }
        Action::Pause { name, reason } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            store.pause_account(endpoint.id, reason.trim(), WHO).await?;
        }
        Action::Resume { name } => {
            let endpoint = store.endpoint_by_name(&name).await?;
            store.resume_account(endpoint.id, app.config.delivery.release_spacing, WHO).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn words(events: &[EventKind]) -> Vec<String> {
    events.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// What was typed wrongly is wrong usage.
fn usage(error: AccountError) -> anyhow::Error {
    match error {
        AccountError::Invalid { message, .. } => UsageError(message).into(),
        error => error.into(),
    }
}

async fn list(app: &App, json: bool) -> Result<(), anyhow::Error> {
    let endpoints = app.store.endpoints().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&endpoints)?);
        return Ok(());
    }
    if endpoints.is_empty() {
        eprintln!("there is no webhook; add one with: muhatap webhooks add NAME URL --event mention.received");
    }
    for endpoint in endpoints {
        let state = if endpoint.paused_at.is_some() { "paused" } else { endpoint.health.as_str() };
        println!(
            "{:<16}  {state:<8}  {:>6} waiting  {:>6} dead  {}  {}",
            endpoint.name,
            endpoint.waiting,
            endpoint.dead,
            endpoint.url,
            endpoint.events.join(",")
        );
    }
    Ok(())
}

async fn events(app: &App, name: &str, json: bool) -> Result<(), anyhow::Error> {
    let endpoint = app.store.endpoint_by_name(name).await?;
    let events = app.store.endpoint_events(endpoint.id, LISTED).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&events)?);
        return Ok(());
    }
    for event in events {
        // One line an event, and nothing that would move a terminal's cursor.
        let reason = event.reason.unwrap_or_default().replace(char::is_control, " ");
        println!("{}  {:.0}  {:<21}  {:<9}  {}", event.id, event.created_at, event.kind, event.state.as_str(), reason);
    }
    Ok(())
}

//! `muhatap post`: publishes something on an account, now or at a time.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::{UsageError, moment};
use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, PostRequest};
use crate::config::Config;
use crate::model::DeliveryId;
use crate::store::StoreError;
use crate::store::accounts::Account;
use crate::store::deliveries::DeliveryView;

/// Publishes a text on an account, now or at a time; prints the delivery as JSON. A running worker sends it.
///
/// Example: muhatap post --account destek --at "2026-11-22 09:30" --text "Günaydın!" --key kampanya-7
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The account's name
    #[arg(long, value_name = "NAME")]
    account: String,
    /// When: RFC 3339, or local in the account's zone [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What to publish
    #[arg(long)]
    text: String,
    /// The same key twice gives the same delivery; with other content it is an error
    #[arg(long)]
    key: Option<String>,
    /// Only once this delivery is sent: the next part of a thread
    #[arg(long, value_name = "DELIVERY")]
    after: Option<DeliveryId>,
    /// Not worth sending any more after this time
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Go on after a warning: nearly the same text is planned for that day
    #[arg(long)]
    confirm_duplicate: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let account = account(&app, &args.account).await?;
    let mut request = PostRequest::new(account.id, args.text, "cli");
    request.due_at = args.at.map(|at| moment::parse(&at, &account.timezone)).transpose()?;
    request.expires_at = args.expires.map(|at| moment::parse(&at, &account.timezone)).transpose()?;
    request.after = args.after;
    request.key = args.key;
    request.confirm = Confirmed { duplicate: args.confirm_duplicate, ..Confirmed::default() };
    let delivery = compose::post(&app, request).await.map_err(|error| explain(error, "--confirm-duplicate"))?;
    print(&delivery)
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

/// A refusal with the flag that goes on all the same, where there is one.
pub(super) fn explain(error: ComposeError, flag: &str) -> anyhow::Error {
    match &error {
        ComposeError::NearDuplicate { .. } | ComposeError::PersonalData(_) | ComposeError::AnotherReply(_) => {
            anyhow::anyhow!("{error}: {flag}")
        }
        ComposeError::NotFound(_) | ComposeError::Invalid(_) => UsageError(error.to_string()).into(),
        _ => error.into(),
    }
}

pub(super) fn print(delivery: &DeliveryView) -> Result<ExitCode, anyhow::Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(delivery)?)?;
    Ok(ExitCode::SUCCESS)
}

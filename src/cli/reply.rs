//! `muhatap reply`: answers a mention.

use std::process::ExitCode;

use super::post::{explain, print};
use super::{UsageError, moment};
use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, ReplyRequest};
use crate::config::Config;
use crate::model::MentionId;
use crate::store::StoreError;

/// Answers a mention from the account that saw it; prints the delivery as JSON. It waits ten seconds for
/// `muhatap deliveries cancel`, then a running worker sends it.
///
/// Example: muhatap reply 01JD3ZQ8M4W5Y6X7V8T9S0R1Q2 --text "Merhaba, hemen bakıyoruz."
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The mention's id, as `muhatap mentions` shows it
    mention: MentionId,
    /// The answer
    #[arg(long)]
    text: String,
    /// When: RFC 3339, or local in the account's zone [default: once the time for undo is over]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The same key twice gives the same delivery; with other content it is an error
    #[arg(long)]
    key: Option<String>,
    /// Go on although this other answer is there or on its way
    #[arg(long, value_name = "ID")]
    confirm_over: Option<String>,
    /// Go on after a warning: a public answer carries an id number, IBAN, card or telephone number
    #[arg(long)]
    confirm_personal_data: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let mut request = ReplyRequest::new(args.mention, args.text, "cli");
    if let Some(at) = args.at {
        let target = app.store.reply_target(args.mention).await.map_err(|error| match error {
            StoreError::NotFound(what) => UsageError(what).into(),
            error => anyhow::Error::from(error),
        })?;
        let account = app.store.account(target.account_id).await?;
        request.due_at = Some(moment::parse(&at, &account.timezone)?);
    }
    request.key = args.key;
    request.confirm_over = args.confirm_over;
    request.confirm = Confirmed { personal_data: args.confirm_personal_data, ..Confirmed::default() };
    let delivery = compose::reply(&app, request).await.map_err(|error| {
        let flag = match &error {
            ComposeError::AnotherReply(other) => format!("--confirm-over {}", other.id),
            _ => String::new(),
        };
        explain(error, &flag, &app.config.console.timezone)
    })?;
    print(&delivery)
}

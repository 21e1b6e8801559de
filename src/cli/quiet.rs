//! `muhatap quiet`: when an account publishes no posts.

use std::io::Write;
use std::process::ExitCode;

use super::post::{account, print_json};
use crate::app::App;
use crate::config::Config;
use crate::quiet::{self, QuietHours};

/// Lists the accounts' quiet hours, or sets those of one.
///
/// Posts wanted inside move to their end, one after the other; what earlier quiet hours moved and these do not goes back to
/// its time, or goes as soon as it may where that has passed. Replies and takedowns go on, and what a person moved by hand
/// goes when they said.
///
/// Example: muhatap quiet destek 22:00-08:00
/// Example: muhatap quiet destek none
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The account's name
    #[arg(requires = "hours")]
    account: Option<String>,
    /// From a time to a time in the account's zone, or `none`
    hours: Option<String>,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    if let (Some(name), Some(hours)) = (args.account, args.hours) {
        let account = account(&app, &name).await?;
        let hours: Option<QuietHours> = match hours.as_str() {
            "none" => None,
            hours => Some(hours.parse().map_err(super::UsageError)?),
        };
        let moved = quiet::set(&app, account.id, hours, "cli").await?;
        let hours = hours.map(|hours| hours.to_string());
        return print_json(&serde_json::json!({
            "account": name, "quiet_hours": hours, "moved_later": moved.later, "moved_back": moved.back,
        }));
    }
    let mut out = std::io::stdout().lock();
    for (id, hours) in app.store.all_quiet_hours().await? {
        let account = app.store.account(id).await?;
        writeln!(out, "{}  {hours}  {}", account.name, account.timezone)?;
    }
    Ok(ExitCode::SUCCESS)
}

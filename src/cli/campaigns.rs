//! `muhatap campaigns`: posts under one name, how far each is, cancelling the rest and deleting what is out.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use super::deliveries::usage;
use super::post::print_json;
use crate::app::App;
use crate::campaigns;
use crate::config::Config;

const WHO: &str = "cli";

/// Lists campaigns and how far their posts are, or does something with one. `muhatap post --campaign` makes one.
///
/// Example: muhatap campaigns
/// Example: muhatap campaigns show "Kış indirimi"
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
    /// Show one with all its posts, as JSON
    ///
    /// Example: muhatap campaigns show "Kış indirimi"
    #[command(verbatim_doc_comment)]
    Show { campaign: String },
    /// Cancel what of it is not out yet
    ///
    /// Example: muhatap campaigns cancel "Kış indirimi"
    #[command(verbatim_doc_comment)]
    Cancel { campaign: String },
    /// Delete again what of it is out
    ///
    /// Example: muhatap campaigns delete "Kış indirimi"
    #[command(verbatim_doc_comment)]
    Delete { campaign: String },
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let Some(action) = args.action else { return list(&app, args.json).await };
    let (Action::Show { campaign } | Action::Cancel { campaign } | Action::Delete { campaign }) = &action;
    let id = app.store.campaign_by_name(campaign).await.map_err(usage)?.id;
    let touched = match action {
        Action::Show { .. } => return print_json(&campaigns::page(&app, id).await?),
        Action::Cancel { .. } => campaigns::cancel_rest(&app, id, WHO).await?,
        Action::Delete { .. } => campaigns::delete_all(&app, id, WHO).await?,
    };
    print_json(&serde_json::json!({ "deliveries": touched }))
}

async fn list(app: &App, json: bool) -> Result<ExitCode, anyhow::Error> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !json {
        writeln!(out, "{:26}  {:40}  HOW FAR", "ID", "NAME")?;
    }
    for campaign in app.store.campaigns().await? {
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&campaign)?)?,
            false => writeln!(out, "{}  {:40}  {}", campaign.id, campaign.name, campaign.summary())?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

//! `muhatap deliveries stop`, `resume` and `release`: sending as a whole, and how it goes on without a burst.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::WHO;
use crate::app::App;
use crate::cli::post::account;
use crate::model::Hold;
use crate::standing::Scope;

/// How much is meant; everything unless said.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct ScopeArgs {
    /// Only posts, on every account; replies and deletions go on
    #[arg(long)]
    posts: bool,
    /// Only this account; it is still listened on
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Every account that shares the network and address, and so the limits, of this one
    #[arg(long, value_name = "NAME")]
    app_of: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct StopArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[arg(long, default_value = "stopped on the command line")]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    spaced: Spaced,
}

#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Held for: late, restored (may be on its network already: look there first), account, predecessor
    #[arg(long, value_name = "REASON", default_value = "late")]
    hold: Hold,
    #[command(flatten)]
    spaced: Spaced,
}

#[derive(Debug, clap::Args)]
struct Spaced {
    /// Seconds between two of an account [default: delivery.release_spacing_seconds]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86400))]
    spacing: Option<u32>,
    /// Only say what would go out, and over how long
    #[arg(long)]
    dry_run: bool,
}

impl Spaced {
    fn spacing(&self, app: &App) -> Duration {
        self.spacing.map_or(app.config.delivery.release_spacing, |seconds| Duration::from_secs(seconds.into()))
    }
}

impl ScopeArgs {
    async fn scope(&self, app: &Arc<App>) -> Result<Scope, anyhow::Error> {
        Ok(match (&self.account, &self.app_of) {
            (Some(name), _) => Scope::Account { account_id: account(app, name).await?.id },
            (None, Some(name)) => account(app, name).await?.app(),
            (None, None) if self.posts => Scope::Posts,
            (None, None) => Scope::All,
        })
    }
}

pub(super) async fn stop(app: &Arc<App>, args: StopArgs) -> Result<ExitCode, anyhow::Error> {
    let scope = args.scope.scope(app).await?;
    app.store.stop(&scope, &args.reason, WHO).await?;
    let under_way = app.store.under_way(&scope).await?;
    let stops = app.store.stops().await?;
    writeln!(std::io::stdout().lock(), "{}", json!({ "stops": stops, "under_way": under_way }))?;
    eprintln!("stopped; `muhatap deliveries resume` with the same options opens it again");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resume(app: &Arc<App>, args: ResumeArgs) -> Result<ExitCode, anyhow::Error> {
    let scope = args.scope.scope(app).await?;
    let spacing = args.spaced.spacing(app);
    let release = match args.spaced.dry_run {
        true => app.store.resume_plan(&scope, spacing).await?,
        false => app.store.resume(&scope, spacing, WHO).await?,
    };
    let stops = app.store.stops().await?;
    writeln!(std::io::stdout().lock(), "{}", json!({ "release": release, "stops": stops }))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn release(app: &Arc<App>, args: ReleaseArgs) -> Result<ExitCode, anyhow::Error> {
    let only = match &args.account {
        Some(name) => Some(account(app, name).await?.id),
        None => None,
    };
    let spacing = args.spaced.spacing(app);
    let plan = app.store.release_plan(args.hold, only, spacing).await?;
    let released = match args.spaced.dry_run {
        true => 0,
        false => app.store.release_held(args.hold, only, spacing, WHO).await?,
    };
    let shown = json!({ "released": released, "spacing_seconds": spacing.as_secs(), "plan": plan });
    writeln!(std::io::stdout().lock(), "{shown}")?;
    Ok(ExitCode::SUCCESS)
}

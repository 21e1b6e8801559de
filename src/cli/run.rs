//! `muhatap run`: the worker.

use std::process::ExitCode;
use std::time::Duration;

use tracing::warn;

use crate::app::{App, AppError};
use crate::config::Config;
use crate::store::StoreError;
use crate::worker::{self, Role};

const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Listens, delivers and serves the console until SIGTERM or Ctrl-C. Waits for a database that does not answer yet.
///
/// More processes on the same database share the work; each may take some of the roles.
///
/// Example: muhatap run --config /etc/muhatap/muhatap.toml --only listen,deliver
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Only these roles of listen, deliver and console
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    only: Vec<Role>,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let roles = if args.only.is_empty() { Role::ALL.to_vec() } else { args.only };
    let app = loop {
        match App::open(config.clone()).await {
            // A server that starts after us, or is being restarted.
            Err(AppError::Store(StoreError::Busy(reason))) => {
                warn!(reason, "the database does not answer yet, it is asked again");
                tokio::time::sleep(ASK_AGAIN).await;
            }
            opened => break opened?,
        }
    };
    let console = match roles.contains(&Role::Console) {
        true => Some(worker::bind(&app).await?),
        false => None,
    };
    worker::run(app, &roles, console).await?;
    Ok(ExitCode::SUCCESS)
}

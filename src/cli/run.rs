//! `muhatap run`: the worker.

use std::process::ExitCode;

use crate::app::App;
use crate::config::Config;
use crate::worker::{self, Role};

/// Listens, delivers and serves the console until SIGTERM or Ctrl-C.
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
    let app = App::open(config).await?;
    let console = match roles.contains(&Role::Console) {
        true => Some(worker::bind(&app).await?),
        false => None,
    };
    worker::run(app, &roles, console).await?;
    Ok(ExitCode::SUCCESS)
}

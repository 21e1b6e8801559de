//! `muhatap workers`: which processes work on the database, and what each has in hand.

use std::io::Write;
use std::process::ExitCode;

use super::moment;
use crate::app::App;
use crate::config::Config;
use crate::store::workers::WorkerState;

/// Lists the processes that run, drain or went away without a word, the newest first.
///
/// A process is drained by ending it with SIGTERM: it takes nothing new and hands over within ten seconds.
///
/// Example: muhatap workers
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(
            out,
            "{:20}  {:8}  {:24}  {:16}  {:>10}  {:>7}  SEEN",
            "NAME", "STATE", "ROLES", "HOST", "DELIVERIES", "SOURCES"
        )?;
    }
    for worker in app.store.workers().await? {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&worker)?)?;
            continue;
        }
        let state = match worker.state {
            WorkerState::Alive => "alive",
            WorkerState::Draining => "draining",
            WorkerState::Away => "away",
        };
        let (roles, host) = (worker.roles.join(","), format!("{}:{}", worker.host, worker.pid));
        let (deliveries, streams) = (worker.deliveries.len(), worker.streams);
        writeln!(
            out,
            "{:20}  {state:8}  {roles:24}  {host:16}  {deliveries:>10}  {streams:>7}  {}",
            worker.name,
            moment::in_zone(&worker.seen_at.to_string(), &app.config.console.timezone)
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

//! `muhatap migrate`: brings the database's schema up to date.

use std::process::ExitCode;

use crate::config::Config;
use crate::store::Store;

/// Brings the database's schema up to date, or makes it. `run` does so too; this is for doing it beforehand.
///
/// Example: muhatap migrate --config /etc/muhatap/muhatap.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {}

pub async fn run(_args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    Store::open(&config.database.url).await?.close().await;
    eprintln!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

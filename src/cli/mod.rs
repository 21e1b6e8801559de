//! The command line: one file per command, no logic.
//!
//! Results go to stdout, everything else to stderr. Exit status: 0 done, 1 some items failed, 2 wrong usage or
//! configuration.

pub mod completions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

#[derive(Debug, Parser)]
#[command(
    name = "muhatap",
    version,
    about = "Listens, understands, answers and publishes; nothing lost, nothing sent twice."
)]
#[command(propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file [default: $MUHATAP_CONFIG, ./muhatap.toml, /etc/muhatap/muhatap.toml, else built-in]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Completions(completions::Args),
}

/// Wrong usage that clap cannot see: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Reads the configuration and runs the command.
pub async fn run(cli: Cli) -> Result<ExitCode, anyhow::Error> {
    match cli.command {
        Command::Completions(args) => completions::run(args),
        #[allow(unreachable_patterns, reason = "the first commands join with their parts")]
        command => with_config(command, Config::load(cli.config.as_deref())?).await,
    }
}

async fn with_config(command: Command, config: Config) -> Result<ExitCode, anyhow::Error> {
    crate::telemetry::log(&config.log).map_err(UsageError)?;
    match command {
        Command::Completions(args) => completions::run(args),
    }
}

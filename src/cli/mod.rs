//! The command line: one file per command, no logic.
//!
//! Results go to stdout, everything else to stderr. Exit status: 0 done, 1 some items failed, 2 wrong usage or
//! configuration.

pub mod analyze;
pub mod backup;
pub mod campaigns;
pub mod check_config;
pub mod completions;
pub mod contacts;
pub mod corpus;
pub mod deliveries;
pub mod demo;
pub mod dictionaries;
pub mod digest;
pub mod export;
pub mod import;
pub mod mentions;
pub mod migrate;
pub mod moment;
mod new_key;
pub mod post;
pub mod progress;
pub mod quiet;
pub mod recurring;
pub mod reply;
pub mod run;
pub mod simulate;
pub mod stems;
pub mod token;
pub mod train;
pub mod user;
pub mod webhooks;
pub mod workers;

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
    Analyze(analyze::Args),
    Import(import::Args),
    Export(export::Args),
    Mentions(mentions::Args),
    Contacts(contacts::Args),
    Deliveries(deliveries::Args),
    Post(post::Args),
    Recurring(recurring::Args),
    Campaigns(campaigns::Args),
    Quiet(quiet::Args),
    Reply(reply::Args),
    Digest(digest::Args),
    Run(run::Args),
    CheckConfig(check_config::Args),
    Demo(demo::Args),
    Simulate(simulate::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Migrate(migrate::Args),
    NewKey(new_key::Args),
    Dictionaries(dictionaries::Args),
    User(user::Args),
    Token(token::Args),
    Webhooks(webhooks::Args),
    Workers(workers::Args),
    Train(train::Args),
    Corpus(corpus::Args),
    Stems(stems::Args),
    Completions(completions::Args),
}

/// Wrong usage that clap cannot see: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Reads the configuration and runs the command.
pub async fn run(cli: Cli) -> Result<ExitCode, anyhow::Error> {
    if let Command::Completions(args) = cli.command {
        return completions::run(args);
    }
    let config = Config::load(cli.config.as_deref())?;
    crate::telemetry::log(&config.log).map_err(UsageError)?;
    match cli.command {
        Command::Analyze(args) => analyze::run(args, config).await,
        Command::Import(args) => import::run(args, config).await,
        Command::Export(args) => export::run(args, config).await,
        Command::Mentions(args) => mentions::run(args, config).await,
        Command::Contacts(args) => contacts::run(args, config).await,
        Command::Deliveries(args) => deliveries::run(args, config).await,
        Command::Post(args) => post::run(args, config).await,
        Command::Recurring(args) => recurring::run(args, config).await,
        Command::Campaigns(args) => campaigns::run(args, config).await,
        Command::Quiet(args) => quiet::run(args, config).await,
        Command::Reply(args) => reply::run(args, config).await,
        Command::Digest(args) => digest::run(args, config).await,
        Command::Run(args) => run::run(args, config).await,
        Command::CheckConfig(args) => check_config::run(args, config).await,
        Command::Demo(args) => demo::run(args, config).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Backup(args) => backup::backup(args, config).await,
        Command::Restore(args) => backup::restore(args, config).await,
        Command::Dictionaries(args) => dictionaries::run(args, config).await,
        Command::Migrate(args) => migrate::run(args, config).await,
        Command::NewKey(args) => new_key::run(args, config).await,
        Command::User(args) => user::run(args, config).await,
        Command::Token(args) => token::run(args, config).await,
        Command::Webhooks(args) => webhooks::run(args, config).await,
        Command::Workers(args) => workers::run(args, config).await,
        Command::Train(args) => train::run(args, config).await,
        Command::Corpus(args) => corpus::run(args).await,
        Command::Stems(args) => stems::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn ended_by_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

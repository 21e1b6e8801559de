//! `muhatap digest`: when the next digest is sent, and what it would say.

use std::io::Write;
use std::process::ExitCode;

use super::UsageError;
use crate::app::App;
use crate::config::Config;
use crate::digest;

/// Says when the next digest is sent and to whom, or prints what it would say now.
///
/// Example: muhatap digest --print
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Prints subject and text as of now; nothing is sent
    #[arg(long)]
    print: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let app = App::open(config).await?;
    let now = app.store.clock();
    let none = || UsageError("no digest is set up: write the section [digest], as config/muhatap.toml shows".into());
    let mut out = std::io::stdout().lock();
    if args.print {
        let edition = digest::preview(&app, now).await?.ok_or_else(none)?;
        writeln!(out, "{}\n\n{}", edition.subject, edition.text.trim_end())?;
    } else {
        let config = app.config.digest.as_ref().ok_or_else(none)?;
        let zone = &app.config.console.timezone;
        let next = digest::next(config, zone, now).map(|at| at.to_zoned(config.rule(zone).zone()).to_string());
        writeln!(out, "{}  {}", next.unwrap_or_else(|| "never".into()), config.to.join(", "))?;
    }
    app.store.close().await;
    Ok(ExitCode::SUCCESS)
}

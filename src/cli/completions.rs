//! `muhatap completions`: completion scripts for shells.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

/// Prints a completion script.
///
/// Example: muhatap completions bash > /etc/bash_completion.d/muhatap
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

pub fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    let shell: Shell = args.shell.parse().map_err(super::UsageError)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "muhatap", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}

//! `muhatap simulate`: the simulated networks alone, to connect a worker of your own to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use muhatap_simulator::{BOT, CHANNEL, Options, SHOP, Script, Simulator, TOWN};

use super::UsageError;
use crate::config::ConfigError;

/// Runs the simulated networks until Ctrl-C: a Mastodon server and Telegram's bot API, with a crowd that writes in
/// Turkish and English, and with faults by script. The same seed and script give the same run.
///
/// Example: muhatap simulate --seed 7 --faults simulator/faults/storm.toml --listen 127.0.0.1:4000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// What everything random is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong, when and how: see simulator/FAULTS.md
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
}

pub async fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    let script = match &args.faults {
        Some(path) => read_script(path)?,
        None => Script::default(),
    };
    let options = Options { listen: args.listen, seed: args.seed, script, ..Options::lively() };
    let accounts = options.accounts.clone();
    let simulator = Simulator::start(options).await?;
    let url = simulator.url();
    println!("timeline  {url}/");
    println!("log       {url}/simulator/log");
    println!();
    println!("# Accounts for muhatap.toml; the tokens go into files or the environment, here as variables:");
    for account in &accounts {
        let variable = format!("SIMULATED_{}", account.handle.to_uppercase());
        println!("#   export {variable}={}", account.token);
    }
    for handle in [SHOP, TOWN] {
        println!("[[accounts]]\nname = \"{handle}\"\nnetwork = \"mastodon\"\nbase_url = \"{url}\"");
        println!("token = {{ env = \"SIMULATED_{}\" }}", handle.to_uppercase());
        println!("listen_for = [\"@{handle}\", \"#{handle}\"]\n");
    }
    println!("[[accounts]]\nname = \"{BOT}\"\nnetwork = \"telegram\"\nbase_url = \"{url}\"");
    println!("user = \"@{CHANNEL}\"\ntoken = {{ env = \"SIMULATED_{}\" }}", BOT.to_uppercase());
    eprintln!("the simulated networks run until Ctrl-C");
    super::ended_by_signal().await?;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn read_script(path: &PathBuf) -> Result<Script, anyhow::Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
    Script::parse(&text).map_err(|error| UsageError(format!("{}: {error}", path.display())).into())
}

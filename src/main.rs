//! The `muhatap` program.

use std::process::ExitCode;

use clap::Parser;
use muhatap::cli::{self, Cli, UsageError};
use muhatap::config::ConfigError;

#[tokio::main]
async fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    rustls::crypto::ring::default_provider().install_default().expect("no other TLS provider is installed before main");
    match cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) if error.chain().any(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muhatap: {error:#}");
            match error.is::<ConfigError>() || error.is::<UsageError>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// `muhatap deliveries | head` has read enough: that is no failure of ours, and no panic.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // What `println!` says; there is no other way to be told.
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

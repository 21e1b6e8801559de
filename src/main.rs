//! The `muhatap` program.

use std::process::ExitCode;

use clap::Parser;
use muhatap::cli::{self, Cli, UsageError};
use muhatap::config::ConfigError;

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("no other TLS provider is installed before main");
    match cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("muhatap: {error:#}");
            match error.is::<ConfigError>() || error.is::<UsageError>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

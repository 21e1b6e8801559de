//! The `muhatap` program.

use std::process::ExitCode;

use clap::Parser;
use muhatap::app::AppError;
use muhatap::cli::{self, Cli, UsageError};
use muhatap::config::ConfigError;
use muhatap::secrets::SecretsError;
use muhatap::store::StoreError;

/// Every call to a network makes and drops many middle-sized buffers, which the C library's allocator is slow with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    rustls::crypto::ring::default_provider().install_default().expect("no other TLS provider is installed before main");
    match cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) if error.chain().any(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muhatap: {}", in_words(&error));
            match is_wrong_use(&error) {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// The error and its causes, but for those that the words before name already.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |words, cause| match cause.to_string() {
        cause if words.is_empty() => cause,
        cause if words.contains(&cause) => words,
        cause => format!("{words}: {cause}"),
    })
}

/// A wrong call, such as one that names what is not there, or a wrong configuration, its key included: exit status 2.
fn is_wrong_use(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>()
        || error.is::<UsageError>()
        || error.is::<SecretsError>()
        || matches!(error.downcast_ref(), Some(StoreError::NotFound(_)))
        || matches!(error.downcast_ref(), Some(AppError::Config(_) | AppError::Secrets(_)))
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

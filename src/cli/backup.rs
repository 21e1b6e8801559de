//! `muhatap backup` and `muhatap restore`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tokio::io::{AsyncRead, BufReader, BufWriter};

use super::progress::Progress;
use crate::config::Config;
use crate::store::Store;

/// Writes everything in the database to a file, while the worker runs.
///
/// The file holds personal data and encrypted tokens, not the key (MUHATAP_KEY or muhatap.key): keep both, apart.
///
/// Example: muhatap backup muhatap-2026-11-21.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct BackupArgs {
    /// The file to write, or - for standard output
    file: PathBuf,
}

/// Reads a backup into an empty database, SQLite or PostgreSQL.
///
/// What had not been sent is held for a person, since the networks may have seen it since: look at
/// `muhatap deliveries --state held`.
///
/// Example: MUHATAP_DATABASE__URL=postgres://muhatap@db/muhatap muhatap restore muhatap-2026-11-21.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct RestoreArgs {
    /// The backup, or - for standard input
    file: PathBuf,
}

pub async fn backup(args: BackupArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    let progress = Progress::start("rows");
    let rows = if args.file == Path::new("-") {
        store.backup(BufWriter::new(tokio::io::stdout()), |done, all| progress.at(done, all)).await?
    } else {
        // Written beside and renamed, so that a backup that stopped half-way is never taken for one.
        let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = args.file.file_name().context("the backup needs a file name")?.to_string_lossy();
        let draft = folder.join(format!(".{name}.{:016x}", rand::random::<u64>()));
        let file = crate::secrets::create_private(&draft)
            .with_context(|| format!("cannot write the backup {}", args.file.display()))?;
        let kept = file.try_clone()?;
        let written = store
            .backup(BufWriter::new(tokio::fs::File::from_std(file)), |done, all| progress.at(done, all))
            .await
            .map_err(anyhow::Error::from)
            .and_then(|rows| {
                kept.sync_all()?;
                std::fs::rename(&draft, &args.file)?;
                Ok(rows)
            });
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        written.with_context(|| format!("cannot write the backup {}", args.file.display()))?
    };
    progress.done();
    writeln!(std::io::stderr(), "{rows} rows written; the key is not among them: keep it apart")?;
    Ok(ExitCode::SUCCESS)
}

pub async fn restore(args: RestoreArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let from: Box<dyn AsyncRead + Unpin + Send> = if args.file == Path::new("-") {
        Box::new(tokio::io::stdin())
    } else {
        let opened = tokio::fs::File::open(&args.file).await;
        Box::new(opened.with_context(|| format!("cannot read the backup {}", args.file.display()))?)
    };
    let store = Store::open(&config.database.url).await?;
    let progress = Progress::start("rows");
    let rows = store.restore(BufReader::with_capacity(1 << 16, from), |done, all| progress.at(done, all)).await?;
    progress.done();
    writeln!(
        std::io::stderr(),
        "{rows} rows restored; deliveries that had not ended are held: muhatap deliveries --state held"
    )?;
    Ok(ExitCode::SUCCESS)
}

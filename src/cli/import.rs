//! `muhatap import`: files through the same pipeline as what is polled.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use muhatap_connectors::networks::file::{Columns, FileError, Format, Reading};
use serde_json::json;

use super::UsageError;
use super::progress::Progress;
use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::Config;
use crate::deltas::Deltas;
use crate::import::{
    ContactsReading, ContactsTo, ImportError, Imported, MentionsTo, Told, account_of_files, import_contacts,
    import_mentions,
};
use crate::model::Network;
use crate::store::{Store, StoreError};

/// Who stands in the audit log for what is done here.
const WHO: &str = "cli";
/// Bad lines told one by one; the rest is counted.
const BAD_LINES_SHOWN: u64 = 100;

/// Imports mentions or contacts from a file of JSON lines or CSV. Importing the same file again changes nothing.
///
/// Example: muhatap import mentions reviews.csv --columns "text=Müşteri yorumu,rating=Yıldız"
/// Example: muhatap import contacts crm.csv --dry-run
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Messages: analysed, linked and stored like what is polled
    ///
    /// A JSON line has at least a text: {"id":"1","text":"…","author":"ayse","published_at":"2026-11-20T09:00:00Z"};
    /// further keys are author_id, author_name, url, network, language, rating, in_reply_to, thread, followers.
    /// CSV headers are recognised in Turkish and English.
    ///
    /// Example: muhatap import mentions mentions.jsonl
    #[command(verbatim_doc_comment)]
    Mentions(MentionsArgs),
    /// People and companies of the CRM: the same external id is the same contact, or the same e-mail address where a line
    /// has no external id or the contact none yet
    ///
    /// Keys and headers: name (or first and last name), email, phone, external_id, company, and a column for each network's
    /// handle (mastodon, bluesky, telegram, matrix); all else is kept beside.
    ///
    /// Example: muhatap import contacts crm.csv
    #[command(verbatim_doc_comment)]
    Contacts(FileArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The file, or - for standard input
    file: PathBuf,
    /// Read everything and say what would become of it and what is wrong with it; write nothing
    #[arg(long)]
    dry_run: bool,
    /// How the file is written [default: csv for .csv, .tsv and .txt, else jsonl]
    #[arg(long, value_enum)]
    format: Option<Written>,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct MentionsArgs {
    #[command(flatten)]
    file: FileArgs,
    /// As if this account had seen them, on its network [default: an account named import]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Which header holds what, where they are not recognised: text=Message,author=From
    #[arg(long, value_name = "FIELD=HEADER,…")]
    columns: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Written {
    Jsonl,
    Csv,
}

impl FileArgs {
    fn format(&self) -> Format {
        match self.format {
            Some(Written::Jsonl) => Format::JsonLines,
            Some(Written::Csv) => Format::Csv,
            None => Format::of(&self.file.to_string_lossy()),
        }
    }

    fn open(&self) -> Result<(Box<dyn Read + Send>, Option<u64>), UsageError> {
        if self.file == Path::new("-") {
            return Ok((Box::new(std::io::stdin()), None));
        }
        let shown = self.file.display();
        let file = File::open(&self.file)
            .map_err(|error| UsageError(format!("cannot read {shown}: {error}; check the path")))?;
        let about =
            file.metadata().map_err(|error| UsageError(format!("cannot read {shown}: {error}; check the path")))?;
        if about.is_dir() {
            return Err(UsageError(format!("{shown} is a folder; name a file")));
        }
        Ok((Box::new(file), about.is_file().then_some(about.len())))
    }
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    match args.what {
        What::Mentions(args) => mentions(args, config).await,
        What::Contacts(args) => contacts(args, config).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no database yet whose clock could be asked")]
fn without_a_database() -> Timestamp {
    Timestamp::now()
}

async fn mentions(args: MentionsArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let columns = Columns::parse(args.columns.as_deref().unwrap_or_default()).map_err(UsageError)?;
    let (input, size) = args.file.open()?;
    let store = store_for(&args.file, &config).await?;
    let account = match (&args.account, &store) {
        (Some(name), Some(store)) => Some(store.account_by_name(name).await?),
        (Some(name), None) => {
            return Err(UsageError(format!("there is no account {name:?}: there is no database yet")).into());
        }
        (None, Some(store)) if !args.file.dry_run => Some(account_of_files(store, &config.console.timezone).await?),
        (None, _) => None,
    };
    let zone = account.as_ref().map_or(config.console.timezone.as_str(), |account| account.timezone.as_str());
    let reading = Reading {
        format: args.file.format(),
        columns,
        zone: TimeZone::get(zone).map_err(|error| UsageError(error.to_string()))?,
        now: store.as_ref().map_or_else(without_a_database, Store::clock),
    };
    let to = match (&store, &account) {
        (Some(store), Some(account)) if !args.file.dry_run => {
            store.audit(store.clock(), WHO, "mentions.import", &account.id.to_string(), json!({})).await?;
            MentionsTo::Account { store, id: account.id, network: account.network }
        }
        (store, account) => MentionsTo::DryRun {
            store: store.as_ref(),
            network: account.as_ref().map_or(Network::File, |account| account.network),
        },
    };
    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::under(&config.dictionaries_dir())));
    let learnt = match (&store, &account) {
        (Some(store), Some(account)) => Deltas::new(store.clone()).of(account).await,
        _ => None,
    };
    let mut report = Report::start();
    let imported = import_mentions(input, size, reading, (analyzer, learnt), to, |told| report.take(told)).await;
    finish("mentions", &args.file, report, imported, store).await
}

async fn contacts(args: FileArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let (input, size) = args.open()?;
    let store = store_for(&args, &config).await?;
    let to = match &store {
        Some(store) if !args.dry_run => {
            store.audit(store.clock(), WHO, "contacts.import", "all", json!({})).await?;
            ContactsTo::Store(store)
        }
        store => ContactsTo::DryRun(store.as_ref()),
    };
    let mut report = Report::start();
    let reading = ContactsReading { format: args.format() };
    let imported = import_contacts(input, size, reading, to, |told| report.take(told)).await;
    finish("contacts", &args, report, imported, store).await
}

/// The database; a dry run makes none where there is none.
async fn store_for(args: &FileArgs, config: &Config) -> Result<Option<Store>, StoreError> {
    match args.dry_run {
        true => Store::open_existing(&config.database.url).await,
        false => Store::open(&config.database.url).await.map(Some),
    }
}

/// Tells bad lines and progress on stderr.
struct Report {
    progress: Progress,
    bad: u64,
}

impl Report {
    fn start() -> Self {
        Self { progress: Progress::start("lines"), bad: 0 }
    }

    fn take(&mut self, told: Told<'_>) {
        match told {
            Told::Bad { line, reason } => {
                self.bad += 1;
                if self.bad <= BAD_LINES_SHOWN {
                    self.progress.say(&match line {
                        0 => reason.to_owned(),
                        _ => format!("line {line}: {reason}"),
                    });
                }
            }
            Told::Done { lines, all } => self.progress.at(lines, all),
        }
    }
}

async fn finish(
    what: &str,
    args: &FileArgs,
    report: Report,
    imported: Result<Imported, ImportError>,
    store: Option<Store>,
) -> Result<ExitCode, anyhow::Error> {
    if report.bad > BAD_LINES_SHOWN {
        report.progress.say(&format!("and {} more bad lines", report.bad - BAD_LINES_SHOWN));
    }
    report.progress.done();
    if let Some(store) = store {
        store.close().await;
    }
    let imported = match imported {
        Ok(imported) => imported,
        Err(ImportError::Unfit(reason)) => return Err(UsageError(reason).into()),
        Err(ImportError::File(error @ FileError::Unfit(_))) => return Err(UsageError(error.to_string()).into()),
        Err(error) => return Err(error.into()),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&imported)?)?;
    } else if args.dry_run {
        let Imported { read, new, known, updated, bad, .. } = imported;
        writeln!(
            out,
            "lines read: {read}; {new} {what} would be new, {updated} updated, {known} known, {bad} bad; nothing was written"
        )?;
    } else {
        let Imported { read, new, known, updated, linked, bad } = imported;
        writeln!(
            out,
            "lines read: {read}; {new} new {what}, {updated} updated, {known} known, {bad} bad; {linked} authors linked"
        )?;
    }
    Ok(if imported.bad > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

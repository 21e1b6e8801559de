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

use super::UsageError;
use super::progress::Progress;
use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::Config;
use crate::import::{ContactsReading, Destination, ImportError, Imported, Told, import_contacts, import_mentions};
use crate::model::Network;
use crate::store::Store;
use crate::store::accounts::NewAccount;

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
    /// People and companies of the CRM: the same external id or e-mail address is the same contact
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
    /// Read everything and say what is wrong with it; write nothing
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

async fn mentions(args: MentionsArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let columns = Columns::parse(args.columns.as_deref().unwrap_or_default()).map_err(UsageError)?;
    let (input, size) = args.file.open()?;
    let store = match args.file.dry_run {
        true => None,
        false => Some(Store::open(&config.database.url).await?),
    };
    let mut zone = config.console.timezone.clone();
    let mut destination = None;
    if let Some(store) = &store {
        let account = match &args.account {
            Some(name) => store.account_by_name(name).await?,
            None => store.account(store.put_account(&own_account(&zone)).await?).await?,
        };
        destination = Some(Destination { account_id: account.id, network: account.network });
        zone = account.timezone;
    }
    let reading = Reading {
        format: args.file.format(),
        columns,
        zone: TimeZone::get(&zone).map_err(|error| UsageError(error.to_string()))?,
        // Only messages without a time of their own take it.
        now: store.as_ref().map_or(Timestamp::UNIX_EPOCH, Store::clock),
    };
    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::under(&config.dictionaries_dir())));
    let mut report = Report::start();
    let to = store.as_ref().zip(destination);
    let imported = import_mentions(input, size, reading, analyzer, to, |told| report.take(told)).await;
    finish("mentions", &args.file, report, imported, store).await
}

async fn contacts(args: FileArgs, config: Config) -> Result<ExitCode, anyhow::Error> {
    let (input, size) = args.open()?;
    let store = match args.dry_run {
        true => None,
        false => Some(Store::open(&config.database.url).await?),
    };
    let mut report = Report::start();
    let reading = ContactsReading { format: args.format() };
    let imported = import_contacts(input, size, reading, store.as_ref(), |told| report.take(told)).await;
    finish("contacts", &args, report, imported, store).await
}

/// The account of mentions that none of the connected ones saw.
fn own_account(zone: &str) -> NewAccount {
    NewAccount {
        name: "import".to_owned(),
        brand: crate::config::default_brand(),
        network: Network::File,
        base_url: None,
        login: None,
        listen_for: Vec::new(),
        poll_seconds: 30,
        timezone: zone.to_owned(),
        origin: "import",
        secret: None,
        secret_mark: None,
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
        writeln!(out, "{} lines read, {} bad; nothing was written", imported.read, imported.bad)?;
    } else {
        let Imported { read, new, known, updated, linked, bad } = imported;
        writeln!(
            out,
            "{read} lines read: {new} new {what}, {updated} updated, {known} known, {bad} bad; {linked} authors linked"
        )?;
    }
    Ok(if imported.bad > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

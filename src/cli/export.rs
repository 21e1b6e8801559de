//! `muhatap export`: what people made here, as JSON lines for other tools.

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::model::{IntentLabel, MentionId, SentimentLabel};
use crate::store::Store;
use crate::store::corrections::{CorrectionFilter, CorrectionRow, Standing};
use crate::store::inbox::LARGEST_PAGE;

/// Writes what people made here to stdout, one JSON object a line
///
/// Example: muhatap export corrections > corrections.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Corrections that count: each mention's text, what a person says of it and what the analysis had said, newest first
    ///
    /// A sentiment or intents that the person left to the analysis are null. Corrections of texts that their authors
    /// changed since are left out.
    ///
    /// Example: muhatap export corrections --brand Yelpazar | jq .text
    #[command(verbatim_doc_comment)]
    Corrections {
        /// Only of this brand
        #[arg(long, value_name = "NAME")]
        brand: Option<String>,
    },
}

/// A correction as it is exported.
#[derive(Serialize)]
struct Line<'r> {
    mention_id: MentionId,
    brand: &'r str,
    account: &'r str,
    text: &'r str,
    language: &'r str,
    sentiment: Option<SentimentLabel>,
    intents: Option<&'r [IntentLabel]>,
    said: Said,
    corrected_at: Timestamp,
}

/// What the analysis had said.
#[derive(Serialize)]
struct Said {
    sentiment: SentimentLabel,
    score: f64,
    intents: Vec<IntentLabel>,
}

impl<'r> Line<'r> {
    /// Nothing for a mention whose text is gone.
    fn of(row: &'r CorrectionRow) -> Option<Self> {
        let said = &row.correction.said;
        Some(Self {
            mention_id: row.mention_id,
            brand: &row.brand.name,
            account: &row.account.name,
            text: row.text.as_deref()?,
            language: &row.language,
            sentiment: row.correction.sentiment,
            intents: row.correction.intents.as_deref(),
            said: Said {
                sentiment: said.sentiment.label,
                score: said.sentiment.score,
                intents: said.intents.iter().map(|intent| intent.label).collect(),
            },
            corrected_at: row.correction.at,
        })
    }
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let Command::Corrections { brand } = args.command;
    let store = Store::open(&config.database.url).await?;
    let brand_id = match &brand {
        Some(name) => Some(store.brand_by_name(name).await?),
        None => None,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut filter = CorrectionFilter {
        brand_id,
        standing: Some(Standing::Counts),
        limit: LARGEST_PAGE,
        ..CorrectionFilter::default()
    };
    loop {
        let rows = store.corrections(&filter).await?;
        for line in rows.iter().filter_map(Line::of) {
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        }
        match rows.last() {
            Some(last) if rows.len() == filter.limit => filter.before = Some(last.mark()),
            _ => break,
        }
    }
    out.flush()?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

//! `muhatap corpus check`: what our own labelled texts hold, and what is wrong with them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::UsageError;
use crate::analyze::corpus_check::{Balance, Checked, check};
use crate::model::{IntentLabel, SentimentLabel};

/// Looks after the labelled texts that models learn from
///
/// Example: muhatap corpus check
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Counts labels, finds lines that cannot be read, near-duplicates and labels that disagree
    ///
    /// Exit status 1 when there is something to mend.
    ///
    /// Example: muhatap corpus check
    #[command(verbatim_doc_comment)]
    Check {
        /// The corpus: a folder of mentions for each language, labels/, subjects/ and languages/
        #[arg(value_name = "DIR", default_value = "corpus")]
        folder: PathBuf,
    },
}

pub async fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    let Command::Check { folder } = args.command;
    tokio::task::spawn_blocking(move || {
        let checked = check(&folder).map_err(|error| UsageError(error.to_string()))?;
        if checked.balances.is_empty() {
            let folder = folder.display();
            return Err(UsageError(format!("{folder} holds no labelled mentions: name the corpus's own folder")).into());
        }
        print(&checked, &mut std::io::BufWriter::new(std::io::stdout().lock()))?;
        Ok(if checked.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
    .await?
}

fn print(checked: &Checked, out: &mut impl Write) -> std::io::Result<()> {
    let labels = SentimentLabel::ALL.iter().map(|label| label.as_str());
    let labels = labels.chain(IntentLabel::ALL.iter().map(|label| label.as_str()));
    write!(out, "{:24} {:8} {:>6}", "SECTOR", "LANGUAGE", "ROWS")?;
    for label in labels {
        write!(out, " {:>10}", label.to_uppercase())?;
    }
    writeln!(out)?;
    let mut all = Balance { sector: "all".to_owned(), ..Balance::default() };
    for balance in &checked.balances {
        line(balance, out)?;
        all.rows += balance.rows;
        all.moods.iter_mut().zip(&balance.moods).for_each(|(sum, count)| *sum += count);
        all.intents.iter_mut().zip(&balance.intents).for_each(|(sum, count)| *sum += count);
    }
    line(&all, out)?;
    for finding in &checked.findings {
        writeln!(out, "{}: {}", finding.place, finding.problem)?;
    }
    writeln!(out, "{} to mend", checked.findings.len())?;
    out.flush()
}

fn line(balance: &Balance, out: &mut impl Write) -> std::io::Result<()> {
    write!(out, "{:24} {:8} {:>6}", balance.sector, balance.language, balance.rows)?;
    for count in balance.moods.iter().chain(&balance.intents) {
        write!(out, " {count:>10}")?;
    }
    writeln!(out)
}

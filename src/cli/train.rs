//! `muhatap train`: learns the models anew from labelled texts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::UsageError;
use super::progress::Progress;
use crate::analyze::card::{Entry, card};
use crate::analyze::report::{TrainError, Trained, ablations, train};
use crate::analyze::sources::{MOODS_ALONE, TRIED, WITH_INTENTS};
use crate::analyze::train_language;

/// Learns the models of sentiment and intents and the table of languages, and measures them
///
/// Writes a model for each language (tr.bin, en.bin, de.bin ...), languages.bin, REPORT.md (sources and their licences, sizes, figures of
/// the models from all sets and, beside them, of those from open data alone) and CARD.md, the same in the short for those who use the
/// models. The same files give the same models to the last bit. The built-in models are those of src/analyze/models: build the
/// program again to use new ones.
///
/// Example: muhatap train --data ../data
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the public labelled texts
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder of our own labelled mentions
    #[arg(long, value_name = "DIR", default_value = "corpus")]
    corpus: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = "src/analyze/models")]
    out: PathBuf,
    /// Write the models that learnt only from what its licence plainly allows and from our own corpus
    #[arg(long)]
    open_data: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    tokio::task::spawn_blocking(move || {
        let Args { data, corpus, out, open_data } = args;
        let progress = Progress::start("models");
        let mut report = "# The models, and how they were measured\n\nWritten by `muhatap train`.\n\n".to_owned();
        let mut entries: Vec<Entry> = Vec::new();
        std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
        let write = |name: &str, content: &[u8]| {
            let file = out.join(name);
            std::fs::write(&file, content).with_context(|| format!("{} cannot be written", file.display()))
        };
        let say = |step: &str| progress.say(step);
        let alone = MOODS_ALONE.into_iter().map(|(language, _)| language);
        let used: Vec<&str> = WITH_INTENTS.into_iter().chain(alone).collect();
        let tried = TRIED.into_iter().map(|(language, _)| language);
        let steps = (used.len() + TRIED.len() + 1) as u64;
        for (done, language) in used.iter().copied().chain(tried).enumerate() {
            progress.at(done as u64, steps);
            let trained = train(language, &corpus, &data, &say).map_err(explained)?;
            report.push_str(&trained.report);
            if WITH_INTENTS.contains(&language) {
                report.push_str(&ablations(language, &corpus, &data, &say).map_err(explained)?);
            }
            report.push('\n');
            if used.contains(&language) {
                entries.push(keep(trained, open_data, &write)?);
            }
        }
        progress.at(steps - 1, steps);
        let trained = train_language::train(&data, &corpus, &say).map_err(explained)?;
        report.push_str(&trained.report);
        entries.push(keep(trained, open_data, &write)?);
        write("REPORT.md", report.as_bytes())?;
        write("CARD.md", card(&entries, open_data).as_bytes())?;
        progress.done();
        println!("{}", out.join("REPORT.md").display());
        Ok(ExitCode::SUCCESS)
    })
    .await?
}

/// Writes the model that was asked for; what its card says.
fn keep(
    trained: Trained,
    open_data: bool,
    write: &impl Fn(&str, &[u8]) -> Result<(), anyhow::Error>,
) -> Result<Entry, anyhow::Error> {
    let kept = if open_data { trained.open } else { trained.all };
    write(&kept.card.file, &kept.file)?;
    Ok(kept.card)
}

/// A file that is missing or wrong is the caller's to mend.
fn explained(error: TrainError) -> anyhow::Error {
    match error {
        TrainError::Corpus(error) => UsageError(format!(
            "{error}; --data is the folder of the public sets (sentiment/, langid/, unlabelled/), --corpus that of our own mentions"
        ))
        .into(),
        error => error.into(),
    }
}

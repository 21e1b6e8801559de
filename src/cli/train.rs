//! `muhatap train`: learns the models anew from labelled texts, or from corrections what each brand adds to them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::UsageError;
use super::progress::Progress;
use crate::analyze::card::{Entry, card};
use crate::analyze::report::{TrainError, Trained, Variant, ablations, train};
use crate::analyze::sources::{MOODS_ALONE, TRIED, WITH_INTENTS};
use crate::analyze::subjects;
use crate::analyze::train_language;
use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::Config;
use crate::learn::learn;
use crate::store::Store;

/// How the audit log names the command line.
const WHO: &str = "cli";

/// Learns the models of sentiment and intents and the table of languages, and measures them
///
/// Writes a model for each language (tr.bin, en.bin, de.bin ...), languages.bin, REPORT.md (sources and their licences, sizes, figures of
/// the models from all sets and, beside them, of those from open data alone) and CARD.md, the same in the short for those who use the
/// models. The same files give the same models to the last bit. The built-in models are those of src/analyze/models: build the
/// program again to use new ones.
///
/// With --with-corrections it learns instead from what people corrected in the database: for each brand and language a few
/// weights over the built-in models, kept in the database only where cross-validation finds that they tell corrections
/// they were not learnt from better by log loss and no worse by accuracy. Running workers take them up within seconds.
/// What was learnt over another built-in model rests until it is learnt again.
///
/// Example: muhatap train --data ../data
/// Example: muhatap train --with-corrections
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the public labelled texts
    #[arg(long, value_name = "DIR", required_unless_present = "with_corrections")]
    data: Option<PathBuf>,
    /// Folder of our own labelled mentions
    #[arg(long, value_name = "DIR", default_value = "corpus")]
    corpus: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = "src/analyze/models")]
    out: PathBuf,
    /// Write the models that learnt only from what its licence plainly allows and from our own corpus
    #[arg(long)]
    open_data: bool,
    /// Learn from the corrections in the configured database, for each brand and language
    #[arg(long, conflicts_with_all = ["data", "corpus", "out", "open_data"])]
    with_corrections: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    match args.data {
        Some(data) => from_texts(data, args.corpus, args.out, args.open_data).await,
        None => from_corrections(config).await,
    }
}

/// Prints a line for each brand and language.
async fn from_corrections(config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::under(&config.dictionaries_dir())));
    let mut lessons = 0;
    learn(&store, &analyzer, WHO, |lesson| {
        lessons += 1;
        println!("{lesson}");
    })
    .await?;
    if lessons == 0 {
        println!("nothing learnt: nobody has corrected a mention yet; correct some in the console or through the API");
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn from_texts(data: PathBuf, corpus: PathBuf, out: PathBuf, open_data: bool) -> Result<ExitCode, anyhow::Error> {
    tokio::task::spawn_blocking(move || {
        let progress = Progress::start("models");
        let mut report = "# The models, and how they were measured\n\nWritten by `muhatap train`.\n\n".to_owned();
        let mut entries: Vec<Entry> = Vec::new();
        let mut models: Vec<(&str, Vec<u8>)> = Vec::new();
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
                let kept = keep(trained, open_data, &write)?;
                entries.push(kept.card);
                models.push((language, kept.file));
            }
        }
        progress.at(steps - 1, steps);
        let trained = train_language::train(&data, &corpus, &say).map_err(explained)?;
        report.push_str(&trained.report);
        entries.push(keep(trained, open_data, &write)?.card);
        report.push_str(&subjects::report(&corpus, &data, &models).map_err(explained)?);
        write("REPORT.md", report.as_bytes())?;
        write("CARD.md", card(&entries, open_data).as_bytes())?;
        progress.done();
        println!("{}", out.join("REPORT.md").display());
        Ok(ExitCode::SUCCESS)
    })
    .await?
}

/// Writes the model that was asked for.
fn keep(
    trained: Trained,
    open_data: bool,
    write: &impl Fn(&str, &[u8]) -> Result<(), anyhow::Error>,
) -> Result<Variant, anyhow::Error> {
    let kept = if open_data { trained.open } else { trained.all };
    write(&kept.card.file, &kept.file)?;
    Ok(kept)
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

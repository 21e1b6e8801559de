//! `muhatap train`: learns the models anew from labelled texts, or from corrections what each brand adds to them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::UsageError;
use super::progress::Progress;
use crate::analyze::report::{TrainError, ablations, train};
use crate::analyze::sources::LANGUAGES;
use crate::analyze::train_language;
use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::Config;
use crate::learn::learn;
use crate::store::Store;

/// How the audit log names the command line.
const WHO: &str = "cli";

/// Learns the models of sentiment and intents and the table of languages, and measures them
///
/// Writes tr.bin, en.bin, languages.bin and REPORT.md (sources and their licences, sizes, figures); the same files give the same models
/// to the last bit. The built-in models are those of src/analyze/models: build the program again to use new ones.
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
    /// Learn only from what its licence plainly allows and from our own corpus; writes tr-open.bin, en-open.bin, REPORT-open.md
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
        let suffix = if open_data { "-open" } else { "" };
        let mut report = "# The models, and how they were measured\n\nWritten by `muhatap train`.\n\n".to_owned();
        std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
        let say = |step: &str| progress.say(step);
        let steps = LANGUAGES.len() as u64 + 1;
        for (done, language) in LANGUAGES.into_iter().enumerate() {
            progress.at(done as u64, steps);
            let trained = train(language, &corpus, &data, open_data, &say).map_err(explained)?;
            let file = out.join(format!("{language}{suffix}.bin"));
            std::fs::write(&file, &trained.file).with_context(|| format!("{} cannot be written", file.display()))?;
            report.push_str(&trained.report);
            if !open_data {
                report.push_str(&ablations(language, &corpus, &data, &say).map_err(explained)?);
            }
            report.push('\n');
        }
        // The table of languages has one form.
        if !open_data {
            progress.at(steps - 1, steps);
            let trained = train_language::train(&data, &corpus, &say).map_err(explained)?;
            let file = out.join("languages.bin");
            std::fs::write(&file, &trained.file).with_context(|| format!("{} cannot be written", file.display()))?;
            report.push_str(&trained.report);
        }
        let file = out.join(format!("REPORT{suffix}.md"));
        std::fs::write(&file, &report).with_context(|| format!("{} cannot be written", file.display()))?;
        progress.done();
        println!("{}", file.display());
        Ok(ExitCode::SUCCESS)
    })
    .await?
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

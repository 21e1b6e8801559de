//! `muhatap train`: learns the models anew from labelled texts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::UsageError;
use super::progress::Progress;
use crate::analyze::report::{TrainError, ablations, train};
use crate::analyze::sources::LANGUAGES;
use crate::analyze::train_language;

/// Learns the models of sentiment and intents and the table of languages, and measures them
///
/// Writes tr.bin, en.bin, languages.bin and REPORT.md (sources and their licences, sizes, figures); the same files give the same models
/// to the last bit. The built-in models are those of src/analyze/models: build the program again to use new ones.
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
    /// Learn only from what its licence plainly allows and from our own corpus; writes tr-open.bin, en-open.bin, REPORT-open.md
    #[arg(long)]
    open_data: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    tokio::task::spawn_blocking(move || {
        let Args { data, corpus, out, open_data } = args;
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

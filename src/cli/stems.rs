//! `muhatap stems`: the stems of Turkish words, how often they are right, and the list of stems a treebank gives.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use super::UsageError;
use crate::analyze::tokens::fold_case;
use crate::analyze::turkish::{OWN_STEMS, Stemmer, treebank};

/// The treebank whose lemmas are among the stems that come with the product.
const TREEBANK: &str = "tr_google_web.train.tsv";

/// Prints the stems of Turkish words, one a line as word, tab, stem; or how many are right on labelled lists
///
/// With --data, every list DIR/lemma/*.tsv (form, lemma, class and count under a heading) is measured: the share of tokens
/// whose stem is the lemma to the letter, the same with the case of names left aside, and the time a word takes.
///
/// Example: echo "Ankara'dan gelmedi" | tr ' ' '\n' | muhatap stems
/// Example: muhatap stems --data language-data
/// Example: muhatap stems --data language-data --list > config/lexicon/stems/treebank.tsv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Words to read, one a line; stdin unless given
    #[arg(conflicts_with = "data")]
    file: Option<PathBuf>,
    /// The folder of language data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Make the list of stems that DIR/lemma/tr_google_web.train.tsv gives
    #[arg(long, requires = "data")]
    list: bool,
}

pub fn run(args: Args) -> Result<ExitCode, anyhow::Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.data {
        Some(data) if args.list => {
            let rows = text(&data.join("lemma").join(TREEBANK))?;
            out.write_all(treebank::list(&rows, OWN_STEMS).as_bytes())?;
        }
        Some(data) => measure(&data.join("lemma"), &mut out)?,
        None => {
            let stemmer = Stemmer::default();
            let input: Box<dyn BufRead> = match args.file {
                Some(file) => Box::new(io::Cursor::new(text(&file)?)),
                None => Box::new(io::stdin().lock()),
            };
            for line in input.lines() {
                let line = line.map_err(|error| UsageError(format!("stdin cannot be read: {error}")))?;
                let word = line.trim();
                writeln!(out, "{word}\t{}", stemmer.read_written(word, &fold_case(word, "tr")).lemma)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn measure(folder: &Path, out: &mut impl Write) -> Result<(), anyhow::Error> {
    let listed =
        fs::read_dir(folder).map_err(|error| UsageError(format!("{} cannot be read: {error}", folder.display())))?;
    let mut sets: Vec<PathBuf> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    sets.retain(|path| path.extension().is_some_and(|extension| extension == "tsv"));
    sets.sort();
    if sets.is_empty() {
        return Err(UsageError(format!("{} has no lists (*.tsv)", folder.display())).into());
    }
    let stemmer = Stemmer::default();
    writeln!(out, "{:24} {:>8} {:>9} {:>14} {:>10}", "set", "tokens", "lemma %", "case aside %", "us a word")?;
    for set in sets {
        let rows = text(&set)?;
        let measured = Measured::of(&rows, &stemmer).map_err(|line| {
            UsageError(format!("{}: line {line} is not form, lemma, class and count", set.display()))
        })?;
        let name = set.file_stem().unwrap_or_default().to_string_lossy();
        let share = |part: f64| 100.0 * part / measured.tokens.max(1.0);
        writeln!(
            out,
            "{name:24} {:>8} {:>9.2} {:>14.2} {:>10.2}",
            measured.tokens,
            share(measured.exact),
            share(measured.case_aside),
            measured.micros_a_word
        )?;
    }
    Ok(())
}

struct Measured {
    tokens: f64,
    exact: f64,
    case_aside: f64,
    micros_a_word: f64,
}

impl Measured {
    /// Or the number of the first line that cannot be read.
    fn of(rows: &str, stemmer: &Stemmer) -> Result<Self, usize> {
        let mut measured = Self { tokens: 0.0, exact: 0.0, case_aside: 0.0, micros_a_word: 0.0 };
        let mut words = 0;
        for (number, row) in rows.lines().enumerate().skip(1) {
            let fields: Vec<&str> = row.split('\t').collect();
            let [form, lemma, _, count] = fields[..] else { return Err(number + 1) };
            let count: f64 = count.parse().map_err(|_| number + 1)?;
            let lower = fold_case(form, "tr");
            let started = Instant::now();
            let found = stemmer.read_written(form, &lower).lemma;
            measured.micros_a_word += started.elapsed().as_secs_f64() * 1e6;
            words += 1;
            measured.tokens += count;
            measured.exact += if found == lemma { count } else { 0.0 };
            measured.case_aside += if fold_case(&found, "tr") == fold_case(lemma, "tr") { count } else { 0.0 };
        }
        measured.micros_a_word /= f64::from(words.max(1));
        Ok(measured)
    }
}

fn text(path: &Path) -> Result<String, UsageError> {
    fs::read_to_string(path).map_err(|error| UsageError(format!("{} cannot be read: {error}", path.display())))
}

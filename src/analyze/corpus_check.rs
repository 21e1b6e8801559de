//! Checks the corpus: lines that cannot be read, texts that are there twice or nearly, labels that disagree, balance.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::corpus::{self, CorpusError, Row};
use super::near_duplicates;
use super::subjects;
use super::tokens::search_fold;
use crate::model::{IntentLabel, SentimentLabel};

/// The folder of labels for texts that lie elsewhere.
const LABELS: &str = "labels";
/// The folder of lines without labels.
const LANGUAGES: &str = "languages";
const MENTION_HEADER: &str = "sentiment\tintents\tlanguage\ttext";
const LABEL_HEADER: &str = "id\tsentiment\tintents";
const INTENT_HEADER: &str = "id\tintents";

/// A line of a file; counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    #[error("{0}")]
    Malformed(String),
    #[error("the same as {0}: keep one of them")]
    Same(Place),
    #[error("nearly ({cosine:.2}) the same as {other}: keep one of them or write one anew")]
    Alike { other: Place, cosine: f32 },
    #[error("nearly ({cosine:.2}) the same as {other}, but labelled {ours} and not {theirs}: one of them is wrong")]
    Conflict { other: Place, cosine: f32, ours: String, theirs: String },
}

/// A line to mend.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub place: Place,
    pub problem: Problem,
}

/// How many rows of a sector have which labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// The file's path inside the corpus, without its ending.
    pub sector: String,
    pub language: String,
    pub rows: usize,
    /// In the order of [`SentimentLabel::ALL`].
    pub moods: [usize; SentimentLabel::ALL.len()],
    /// Every fitting intent, in the order of [`IntentLabel::ALL`].
    pub intents: [usize; IntentLabel::ALL.len()],
}

/// What a corpus holds and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    pub balances: Vec<Balance>,
    /// By file and line.
    pub findings: Vec<Finding>,
}

/// Checks every file of a corpus: a folder of mentions for each language, `labels`, `subjects` and `languages`.
pub fn check(folder: &Path) -> Result<Checked, CorpusError> {
    let mut checked = Checked::default();
    let mut mentions: Vec<(Place, Row)> = Vec::new();
    for name in folders(folder)? {
        let inside = folder.join(&name);
        match name.as_str() {
            LABELS => checked.labels(&corpus::files(&inside, "tsv")?)?,
            LANGUAGES => checked.languages(&corpus::files(&inside, "txt")?)?,
            subjects::FOLDER => checked.subjects(&corpus::files(&inside, "tsv")?)?,
            _ => {
                for file in corpus::files(&inside, "tsv")? {
                    checked.mentions(&file, &mut mentions)?;
                }
            }
        }
    }
    checked.balances = balances(folder, &mentions);
    checked.compare(&mentions);
    checked
        .findings
        .sort_by(|one, other| (&one.place.file, one.place.line).cmp(&(&other.place.file, other.place.line)));
    Ok(checked)
}

fn folders(folder: &Path) -> Result<Vec<String>, CorpusError> {
    let unread = |error| CorpusError::File { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if entry.file_type().map_err(unread)?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Counts the labels of each file and language.
fn balances(folder: &Path, mentions: &[(Place, Row)]) -> Vec<Balance> {
    let mut balances: BTreeMap<(&Path, &str), Balance> = BTreeMap::new();
    for (place, row) in mentions {
        let balance = balances.entry((&place.file, &row.language)).or_default();
        balance.rows += 1;
        if let Some(mood) = row.sentiment {
            balance.moods[mood as usize] += 1;
        }
        for intent in &row.intents {
            balance.intents[*intent as usize] += 1;
        }
    }
    let named = balances.into_iter().map(|((file, language), balance)| {
        let sector = file.strip_prefix(folder).unwrap_or(file).with_extension("").display().to_string();
        Balance { sector, language: language.to_owned(), ..balance }
    });
    named.collect()
}

impl Checked {
    fn wrong(&mut self, place: Place, reason: impl Into<String>) {
        self.findings.push(Finding { place, problem: Problem::Malformed(reason.into()) });
    }

    /// The lines of a file after its header, with their numbers.
    fn lines<'c>(
        &mut self,
        file: &Path,
        content: &'c str,
        header: &str,
    ) -> impl Iterator<Item = (usize, &'c str)> + use<'c> {
        let first = content.lines().next().unwrap_or_default();
        if first != header {
            let place = Place { file: file.to_owned(), line: 1 };
            self.wrong(place, format!("the header is {first:?} and not {header:?}"));
        }
        content.lines().enumerate().skip(1).map(|(index, line)| (index + 1, line))
    }

    /// Adds the rows of a sector's file.
    fn mentions(&mut self, file: &Path, mentions: &mut Vec<(Place, Row)>) -> Result<(), CorpusError> {
        let content = corpus::read(file)?;
        for (line, text) in self.lines(file, &content, MENTION_HEADER) {
            let place = Place { file: file.to_owned(), line };
            let row = match corpus::mention(&text.split('\t').collect::<Vec<_>>()) {
                Ok(row) => row,
                Err(reason) => {
                    self.wrong(place, reason);
                    continue;
                }
            };
            if let Some(reason) = doubtful(&row.intents) {
                self.wrong(place.clone(), reason);
            }
            mentions.push((place, row));
        }
        Ok(())
    }

    fn labels(&mut self, files: &[PathBuf]) -> Result<(), CorpusError> {
        for file in files {
            let content = corpus::read(file)?;
            let mut seen: HashMap<&str, usize> = HashMap::new();
            // Where a public set has the sentiment, our labels are of the intents alone.
            let header = if content.starts_with(INTENT_HEADER) { INTENT_HEADER } else { LABEL_HEADER };
            let wanted = header.split('\t').count();
            for (line, text) in self.lines(file, &content, header) {
                let place = Place { file: file.clone(), line };
                let fields: Vec<&str> = text.split('\t').collect();
                let (id, intents) = match *fields.as_slice() {
                    [id, intents] if wanted == 2 => (id, corpus::intents(intents)),
                    [id, sentiment, intents] if wanted == 3 => {
                        (id, corpus::labels(sentiment, intents).map(|(_, intents)| intents))
                    }
                    _ => {
                        self.wrong(place, format!("{} fields instead of {wanted}", fields.len()));
                        continue;
                    }
                };
                match intents {
                    Ok(intents) => {
                        if let Some(reason) = doubtful(&intents) {
                            self.wrong(place.clone(), reason);
                        }
                    }
                    Err(reason) => self.wrong(place.clone(), reason),
                }
                if let Some(line) = seen.insert(id, line) {
                    let other = Place { file: file.clone(), line };
                    self.findings.push(Finding { place, problem: Problem::Same(other) });
                }
            }
        }
        Ok(())
    }

    fn subjects(&mut self, files: &[PathBuf]) -> Result<(), CorpusError> {
        for file in files {
            let content = corpus::read(file)?;
            let mut seen: HashMap<String, usize> = HashMap::new();
            let [of_texts, of_posts] = subjects::HEADERS;
            let header = if content.starts_with(of_posts) { of_posts } else { of_texts };
            for (line, text) in self.lines(file, &content, header) {
                let place = Place { file: file.clone(), line };
                match subjects::labelled(&text.split('\t').collect::<Vec<_>>()) {
                    Ok(row) => {
                        if let Some(line) = seen.insert(search_fold(&row.text), line) {
                            let other = Place { file: file.clone(), line };
                            self.findings.push(Finding { place, problem: Problem::Same(other) });
                        }
                    }
                    Err(reason) => self.wrong(place, reason),
                }
            }
        }
        Ok(())
    }

    fn languages(&mut self, files: &[PathBuf]) -> Result<(), CorpusError> {
        for file in files {
            let content = corpus::read(file)?;
            let mut seen: HashMap<String, usize> = HashMap::new();
            for (line, text) in content.lines().enumerate().map(|(index, line)| (index + 1, line)) {
                let place = Place { file: file.clone(), line };
                if text.trim().is_empty() {
                    self.wrong(place, "an empty line");
                } else if let Some(line) = seen.insert(search_fold(text), line) {
                    let other = Place { file: file.clone(), line };
                    self.findings.push(Finding { place, problem: Problem::Same(other) });
                }
            }
        }
        Ok(())
    }

    /// Compares every mention with those before it, and tells of the one it is most like.
    fn compare(&mut self, mentions: &[(Place, Row)]) {
        let texts: Vec<&str> = mentions.iter().map(|(_, row)| row.text.as_str()).collect();
        let pairs = near_duplicates::pairs(&texts);
        for pairs in pairs.chunk_by(|one, next| one.later == next.later) {
            let Some(pair) = pairs.iter().max_by(|one, other| one.cosine.total_cmp(&other.cosine)) else { continue };
            let ((other, theirs), (place, ours)) = (&mentions[pair.earlier], &mentions[pair.later]);
            let (other, cosine) = (other.clone(), pair.cosine);
            let problem = if (ours.sentiment, ours.intents.first()) != (theirs.sentiment, theirs.intents.first()) {
                Problem::Conflict { other, cosine, ours: written(ours), theirs: written(theirs) }
            } else if search_fold(&ours.text) == search_fold(&theirs.text) {
                Problem::Same(other)
            } else {
                Problem::Alike { other, cosine }
            };
            self.findings.push(Finding { place: place.clone(), problem });
        }
    }
}

/// Why intents that can be read cannot be right.
fn doubtful(intents: &[IntentLabel]) -> Option<String> {
    if intents.len() > 1 && intents.contains(&IntentLabel::Other) {
        return Some("\"other\" stands beside another intent: it is for what is none of them".to_owned());
    }
    let twice = intents.iter().enumerate().find(|(place, intent)| intents[..*place].contains(intent));
    twice.map(|(_, intent)| format!("the intent {:?} is named twice", intent.as_str()))
}

fn written(row: &Row) -> String {
    let main = row.intents.first().map(|intent| intent.as_str()).unwrap_or_default();
    format!("{} {main}", row.sentiment.map(SentimentLabel::as_str).unwrap_or_default())
}

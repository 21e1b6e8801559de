//! The labelled texts that models learn from and are measured on, and what is wrong with a corpus.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::near;
use super::tokens::search_fold;
use crate::model::{IntentLabel, SentimentLabel};

/// A labelled text.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub text: String,
    /// `None` where its set labels intents alone.
    pub sentiment: Option<SentimentLabel>,
    /// Every fitting intent, the main one first; empty where its set has none.
    pub intents: Vec<IntentLabel>,
    pub language: String,
    pub part: Part,
    /// Texts of one set that are nearly the same have the same number.
    pub group: usize,
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Train,
    /// Of a public set: measured on while a model is tuned.
    Dev,
    /// Kept apart: neither trained nor tuned on.
    Test,
}

/// A file of labelled texts that cannot be read, or a line of it that says nothing.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    #[error("{} cannot be read: {error}", .path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{} line {line}: {reason}", .path.display())]
    Line { path: PathBuf, line: usize, reason: String },
}

/// Groups texts that are nearly the same, and keeps a tenth of the groups apart. Which ones follows from the letters of the
/// group's first text in the order of the alphabet: the same wherever its lines stand and however they are typed.
fn keep_apart(rows: &mut [Row]) {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let groups = near::groups(&texts);
    let mut firsts: HashMap<usize, String> = HashMap::new();
    for (text, group) in texts.iter().zip(&groups) {
        let letters = search_fold(text);
        firsts
            .entry(*group)
            .and_modify(|first| {
                if letters < *first {
                    first.clone_from(&letters)
                }
            })
            .or_insert(letters);
    }
    for (row, group) in rows.iter_mut().zip(groups) {
        row.part = part_of(&firsts[&group]);
        row.group = group;
    }
}

/// The part a text of ours belongs to, by its folded letters: the same wherever the line stands and however it is typed.
pub fn part_of(text: &str) -> Part {
    let hash = search_fold(text)
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    if (hash >> 32) % 10 == 0 { Part::Test } else { Part::Train }
}

/// The files of a folder whose names end in `.extension`, by name.
pub fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, CorpusError> {
    let unread = |error| CorpusError::File { path: folder.to_owned(), error };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        files.push(entry.map_err(unread)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

/// The content of a file.
pub fn read(path: &Path) -> Result<String, CorpusError> {
    fs::read_to_string(path).map_err(|error| CorpusError::File { path: path.to_owned(), error })
}

/// The lines of a file with tabs after its header, with their numbers.
pub fn lines(content: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    content.lines().enumerate().skip(1).map(|(index, line)| (index + 1, line.split('\t').collect()))
}

/// A sentiment, and intents with commas between them.
pub fn labels(sentiment: &str, intents: &str) -> Result<(SentimentLabel, Vec<IntentLabel>), String> {
    Ok((sentiment.parse()?, self::intents(intents)?))
}

/// Intents with commas between them.
pub fn intents(names: &str) -> Result<Vec<IntentLabel>, String> {
    names.split(',').map(str::parse).collect()
}

/// The row of a line of ours: sentiment, intents, language, text.
pub fn mention(fields: &[&str]) -> Result<Row, String> {
    let &[sentiment, intents, language, text] = fields else {
        return Err(format!("{} fields instead of 4", fields.len()));
    };
    let (sentiment, intents) = labels(sentiment, intents)?;
    if text.trim().is_empty() || language.is_empty() {
        return Err("no text, or no language".to_owned());
    }
    Ok(Row {
        text: text.to_owned(),
        sentiment: Some(sentiment),
        intents,
        language: language.to_owned(),
        part: Part::Train,
        group: 0,
    })
}

/// Our own mentions of `language` under `corpus`, one file a sector.
pub fn mentions(corpus: &Path, language: &str) -> Result<Vec<Row>, CorpusError> {
    let mut rows = Vec::new();
    for path in files(&corpus.join(language), "tsv")? {
        for (line, fields) in lines(&read(&path)?) {
            let wrong = |reason: String| CorpusError::Line { path: path.clone(), line, reason };
            rows.push(mention(&fields).map_err(wrong)?);
        }
    }
    keep_apart(&mut rows);
    Ok(rows)
}

/// Our own lines in other languages under `corpus`, `languages/az.txt` for one: each language and what is written in it.
pub fn languages(corpus: &Path) -> Result<Vec<(String, Vec<String>)>, CorpusError> {
    let mut languages = Vec::new();
    for path in files(&corpus.join("languages"), "txt")? {
        let lines = read(&path)?.lines().map(str::to_owned).collect();
        let code = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        languages.push((code, lines));
    }
    Ok(languages)
}

/// The posts under `data` by their ids.
pub fn posts_by_id(data: &Path) -> Result<HashMap<String, String>, CorpusError> {
    let content = read(&data.join("unlabelled/tr_brand_posts.tsv"))?;
    let post = |fields: Vec<&str>| Some(((*fields.first()?).to_owned(), (*fields.get(1)?).to_owned()));
    Ok(lines(&content).filter_map(|(_, fields)| post(fields)).collect())
}

/// The posts under `data` that our labels name.
pub fn posts(corpus: &Path, data: &Path) -> Result<Vec<Row>, CorpusError> {
    let texts = posts_by_id(data)?;
    let path = corpus.join("labels/tr_brand_posts.tsv");
    let mut rows = Vec::new();
    for (line, fields) in lines(&read(&path)?) {
        let wrong = |reason: String| CorpusError::Line { path: path.clone(), line, reason };
        let &[id, sentiment, wanted] = fields.as_slice() else {
            return Err(wrong(format!("{} fields instead of 3", fields.len())));
        };
        let text = texts.get(id).ok_or_else(|| wrong(format!("no post {id:?}")))?.clone();
        let (sentiment, intents) = labels(sentiment, wanted).map_err(wrong)?;
        rows.push(Row {
            text,
            sentiment: Some(sentiment),
            intents,
            language: "tr".to_owned(),
            part: Part::Train,
            group: 0,
        });
    }
    keep_apart(&mut rows);
    Ok(rows)
}

/// Texts of the public sets in `language` whose intents our labels name: tweets, and in Turkish some reviews and text
/// messages. Their sentiment is left to those sets.
pub fn tweets(corpus: &Path, data: &Path, language: &str) -> Result<Vec<Row>, CorpusError> {
    let stems: &[&str] = match language {
        "tr" => &["sentiment/tr_fsmtsad", "sentiment/tr_trsav1_3k", "sentiment/tr_guven_tweets", "intent/spam_tr_sms"],
        _ => &["sentiment/en_tweeteval", "sentiment/umsab_english", "intent/purchase_en_tweets"],
    };
    let mut texts: HashMap<String, String> = HashMap::new();
    for stem in stems {
        for part in ["train", "dev"] {
            let content = read(&data.join(format!("{stem}.{part}.tsv")))?;
            texts.extend(
                lines(&content).filter_map(|(_, fields)| Some(((*fields.first()?).into(), unescaped(fields.get(1)?)))),
            );
        }
    }
    let path = corpus.join(format!("labels/{language}_tweets.tsv"));
    let mut rows = Vec::new();
    for (line, fields) in lines(&read(&path)?) {
        let wrong = |reason: String| CorpusError::Line { path: path.clone(), line, reason };
        let &[id, wanted] = fields.as_slice() else {
            return Err(wrong(format!("{} fields instead of 2", fields.len())));
        };
        rows.push(Row {
            text: texts.get(id).ok_or_else(|| wrong(format!("no text {id:?}")))?.clone(),
            sentiment: None,
            intents: intents(wanted).map_err(wrong)?,
            language: language.to_owned(),
            part: Part::Train,
            group: 0,
        });
    }
    keep_apart(&mut rows);
    Ok(rows)
}

/// The train and dev parts of a public set under `data`, `sentiment/tr_fsmtsad` for one.
pub fn public(data: &Path, stem: &str, language: &str) -> Result<Vec<Row>, CorpusError> {
    let mut rows = Vec::new();
    for (name, part) in [("train", Part::Train), ("dev", Part::Dev)] {
        let path = data.join(format!("{stem}.{name}.tsv"));
        for (line, fields) in lines(&read(&path)?) {
            let wrong = |reason: String| CorpusError::Line { path: path.clone(), line, reason };
            let &[_, text, label, _] = fields.as_slice() else {
                return Err(wrong(format!("{} fields instead of 4", fields.len())));
            };
            rows.push(Row {
                text: unescaped(text),
                sentiment: Some(label.parse().map_err(wrong)?),
                intents: Vec::new(),
                language: language.to_owned(),
                part,
                group: 0,
            });
        }
    }
    Ok(rows)
}

/// Some sets spell `’` as `\u2019`.
fn unescaped(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some(at) = rest.find("\\u") {
        let code = rest.get(at + 2..at + 6).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        plain.push_str(&rest[..at]);
        match code {
            Some(character) => plain.push(character),
            None => plain.push_str(rest.get(at..at + 6).unwrap_or("\\u")),
        }
        rest = rest.get(at + 6..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

//! What texts are about and whether they can wait: by our labels, and how well the word lists tell it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use super::corpus::{CorpusError, files, lines, posts_by_id, read};
use super::judge::Judge;
use super::linear::Linear;
use super::report::TrainError;
use super::topics::Topic;
use super::{Analyzer, DictionaryPaths, Language, language, tokens};
use crate::model::UrgencyLevel;

/// The folder of these labels in the corpus.
pub const FOLDER: &str = "subjects";
/// The header where the texts are our own, and where the last field is the id of a post.
pub const HEADERS: [&str; 2] = ["urgent\ttopics\ttext", "urgent\ttopics\tid"];

/// A text or the id of one, and what a person says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    pub text: String,
    /// Whether somebody should look at it before everything else.
    pub urgent: bool,
    pub topics: Vec<Topic>,
}

/// Reads a line: `yes` or `no`, topics with commas between them, the text or the id of one.
pub fn labelled(fields: &[&str]) -> Result<Labelled, String> {
    let &[urgent, topics, text] = fields else { return Err(format!("{} fields instead of 3", fields.len())) };
    let urgent = match urgent {
        "yes" => true,
        "no" => false,
        _ => return Err(format!("{urgent:?} is neither yes nor no")),
    };
    let topics = topics.split(',').filter(|name| !name.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
    if text.trim().is_empty() {
        return Err("no text".to_owned());
    }
    Ok(Labelled { text: text.to_owned(), urgent, topics })
}

/// A file of labels: its name, the language of its texts, and the texts with what a person says of them.
struct Set {
    name: String,
    language: String,
    rows: Vec<Labelled>,
}

fn sets(corpus: &Path, data: &Path) -> Result<Vec<Set>, CorpusError> {
    let mut sets = Vec::new();
    for path in files(&corpus.join(FOLDER), "tsv")? {
        let content = read(&path)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let of_posts = content.starts_with(HEADERS[1]);
        let texts = if of_posts { posts_by_id(data)? } else { HashMap::new() };
        let mut rows = Vec::new();
        for (line, fields) in lines(&content) {
            let wrong = |reason: String| CorpusError::Line { path: path.clone(), line, reason };
            let mut row = labelled(&fields).map_err(wrong)?;
            if of_posts {
                row.text = texts.get(&row.text).ok_or_else(|| wrong(format!("no post {:?}", row.text)))?.clone();
            }
            rows.push(row);
        }
        let language = name.split('_').next().unwrap_or_default().to_owned();
        sets.push(Set {
            name: if of_posts { "brand posts".to_owned() } else { "own mentions".to_owned() },
            language,
            rows,
        });
    }
    Ok(sets)
}

/// Things that are there, that were said, and that were both.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    there: u32,
    said: u32,
    right: u32,
}

impl Tally {
    fn add(&mut self, there: bool, said: bool) {
        self.there += u32::from(there);
        self.said += u32::from(said);
        self.right += u32::from(there && said);
    }

    fn precision(self) -> f64 {
        100.0 * f64::from(self.right) / f64::from(self.said.max(1))
    }

    fn recall(self) -> f64 {
        100.0 * f64::from(self.right) / f64::from(self.there.max(1))
    }

    fn f1(self) -> f64 {
        200.0 * f64::from(self.right) / f64::from((self.there + self.said).max(1))
    }
}

/// Measures both on every text that is labelled: markdown. `models` are the files of the languages' models, whose mood tells
/// "yangın gibi kampanya" from a fire.
pub fn report(corpus: &Path, data: &Path, models: &[(&str, Vec<u8>)]) -> Result<String, TrainError> {
    let analyzer = Analyzer::new(&DictionaryPaths::default());
    let mut report = "\n## Urgency and topics\n\nBoth are told by word lists; nothing is learnt. The texts were drawn at random and labelled from \
         the text alone.\n\n| texts | language | rows | urgent | said urgent | of these right | topics | precision | recall | F1 | every \
         topic right |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for set in sets(corpus, data)? {
        let Some((_, file)) = models.iter().find(|(code, _)| *code == set.language) else { continue };
        let model = Linear::read(file)?;
        let judge = Judge { model: &model, delta: None, reader: analyzer.lists.reader(&set.language) };
        let (mut urgent, mut topics, mut whole) = (Tally::default(), Tally::default(), 0_u32);
        for row in &set.rows {
            let text = tokens::compose(&row.text);
            let found = analyzer.tokens(&text, &language::script(&text));
            let told = Language { code: set.language.clone(), confidence: 1.0 };
            let (sentiment, intents) = judge.judge(&text, &found, told.confidence);
            let level = analyzer.alarms.of(&text, &found, &told.code, (&sentiment, &intents)).level;
            urgent.add(row.urgent, level != UrgencyLevel::None);
            let hashtags = analyzer.hashtag_words(&found, &told);
            let said: Vec<Topic> =
                analyzer.topics(&found, &hashtags, &told).iter().filter_map(|name| name.parse().ok()).collect();
            Topic::all().iter().for_each(|topic| topics.add(row.topics.contains(topic), said.contains(topic)));
            whole += u32::from(said.len() == row.topics.len() && said.iter().all(|topic| row.topics.contains(topic)));
        }
        let _ = writeln!(
            report,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            set.name,
            set.language,
            set.rows.len(),
            urgent.there,
            urgent.said,
            urgent.right,
            topics.there,
            topics.precision(),
            topics.recall(),
            topics.f1(),
            100.0 * f64::from(whole) / set.rows.len().max(1) as f64
        );
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_is_wrong_with_it() {
        let read = labelled(&["yes", "kargo,return", "kargom nerede"]).expect("this line can be read");
        assert!(read.urgent);
        assert_eq!(read.topics.iter().map(|topic| topic.english).collect::<Vec<_>>(), ["delivery", "return"]);
        assert_eq!(labelled(&["no", "", "selam"]).map(|read| read.topics), Ok(Vec::new()));
        for fields in [&["maybe", "", "selam"][..], &["no", "weather", "selam"], &["no", "", " "], &["no", ""]] {
            assert!(labelled(fields).is_err(), "{fields:?}");
        }
    }
}

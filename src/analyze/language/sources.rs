//! The texts that the table learns languages from, kept apart by where they come from.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::{LANGUAGES, OTHER};
use crate::analyze::corpus::{self, CorpusError};
use crate::analyze::tokens::search_fold;

/// Texts of one origin in one language.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    /// BCP 47.
    pub code: String,
    pub texts: Vec<String>,
}

impl Source {
    /// Its language's place in [`LANGUAGES`]; that of other languages is [`OTHER`].
    pub fn place(&self) -> usize {
        LANGUAGES.iter().position(|known| *known == self.code).unwrap_or(OTHER)
    }

    /// How many plain examples the whole source counts as: its rows are many or few for reasons of its own.
    pub fn mass(&self) -> f32 {
        match self.code.as_str() {
            // A dozen sources.
            "tr" => 1_500.0,
            "en" => 3_000.0,
            "hi" => 1_000.0,
            "az" | "uz" | "tk" => 1_500.0,
            _ if self.place() == OTHER => 150.0,
            // Tweets and our own lines at most.
            _ => 2_500.0,
        }
    }
}

/// Small words of Hindi in Latin letters: a "Hindi" text without them is one of the many English ones in its set.
const HINDI: [&str; 60] = [
    "hai", "ka", "ki", "ke", "ko", "se", "mein", "nahi", "nahin", "kya", "kyu", "kyun", "hota", "hain", "tha", "thi",
    "ho", "raha", "rahi", "rahe", "kar", "karo", "karna", "bhi", "aur", "ye", "yeh", "wo", "woh", "ek", "hum", "tum",
    "aap", "mera", "meri", "tera", "apna", "apne", "bhai", "yaar", "bahut", "accha", "acha", "sab", "koi", "kuch",
    "jab", "tab", "toh", "mujhe", "nhi", "abhi", "phir", "sirf", "gaya", "hoga", "hua", "wala", "wale", "liye",
];

/// At least two small words, and one in eight.
fn is_hindi(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(search_fold).collect();
    let small = words.iter().filter(|word| HINDI.contains(&word.as_str())).count();
    small >= 2 && 8 * small >= words.len()
}

/// The public sets that are read beside `langid/social_short.train.tsv`: file, language, the most rows that are taken.
const PUBLIC: [(&str, &str, usize); 5] = [
    ("sentiment/en_tweeteval.train.tsv", "en", 6_000),
    ("sentiment/umsab_english.train.tsv", "en", 2_000),
    ("intent/purchase_en_tweets.train.tsv", "en", 1_000),
    ("sentiment/tr_fsmtsad.train.tsv", "tr", 5_000),
    ("unlabelled/tr_brand_posts.tsv", "tr", 4_500),
];

/// What the sources of our own corpus are called.
pub const OWN_MENTIONS: &str = "own mentions";
pub const OWN_LINES: &str = "own lines";

/// Everything there is to learn from: our own corpus under `corpus`, public texts under `data`. Languages that their
/// script tells are left out.
pub fn sources(data: &Path, corpus: &Path) -> Result<Vec<Source>, CorpusError> {
    let mut texts: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let path = data.join("langid/social_short.train.tsv");
    for (line, fields) in corpus::lines(&corpus::read(&path)?) {
        let &[_, text, code, name] = fields.as_slice() else {
            let reason = format!("{} fields instead of 4", fields.len());
            return Err(CorpusError::Line { path, line, reason });
        };
        if LANGUAGES.contains(&code) && (code != "hi" || is_hindi(text)) {
            texts.entry((name.to_owned(), code.to_owned())).or_default().push(text.to_owned());
        }
    }
    for (file, code, most) in PUBLIC {
        let content = corpus::read(&data.join(file))?;
        let rows: Vec<&str> = corpus::lines(&content).filter_map(|(_, fields)| fields.get(1).copied()).collect();
        let every = rows.len().div_ceil(most).max(1);
        let taken = rows.into_iter().step_by(every).map(str::to_owned).collect();
        texts.insert((file.to_owned(), code.to_owned()), taken);
    }
    for code in ["tr", "en"] {
        let rows = corpus::mentions(corpus, code)?.into_iter().map(|row| row.text).collect();
        texts.insert((OWN_MENTIONS.to_owned(), code.to_owned()), rows);
    }
    for (code, lines) in corpus::languages(corpus)? {
        texts.insert((OWN_LINES.to_owned(), code), lines);
    }
    Ok(texts.into_iter().map(|((name, code), texts)| Source { name, code, texts }).collect())
}

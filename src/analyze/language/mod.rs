//! Tells the language of a text: scripts first, then the table of runs of letters, then whatlang; `und` when none of it
//! is enough.

mod script;
pub mod sources;
pub mod table;
mod wide_net;

pub use self::script::{Script, script};
use self::table::{LANGUAGES, NotATable, OTHER, Table, Tally, softmax};
use super::tokens::Token;
use super::{Language, two_decimals};

/// A language that cannot be told.
pub const UNKNOWN: &str = "und";

/// From this probability on whatlang is not asked.
const CLEAR: f32 = 0.6;
/// Below this probability nothing is said.
const ENOUGH: f32 = 0.25;
/// A lone letter is nobody's language.
const FEWEST_LETTERS: usize = 2;
/// Fewer letters than this tell whatlang nothing.
const LETTERS_FOR_WHATLANG: usize = 24;
/// As many letters earn whatlang its full weight.
const LETTERS_FOR_TRUST: f64 = 60.0;
/// The log-odds that a certain whatlang adds to a language of the table.
const TRUST: f64 = 2.0;
/// How sure whatlang has to be of a language that the table does not know.
const FOREIGN: f64 = 0.25;

/// Tells languages apart.
#[derive(Debug)]
pub struct Detector<'m> {
    table: Table<'m>,
}

impl<'m> Detector<'m> {
    /// Reads a table that [`table::write`] wrote.
    pub fn read(file: &'m [u8]) -> Result<Self, NotATable> {
        Table::read(file).map(|table| Self { table })
    }

    /// The language of a text, its script and its tokens known.
    pub fn detect(&self, text: &str, script: Script, tokens: &[Token<'_>]) -> Language {
        match script {
            Script::Settled(language) => language,
            Script::Latin => self.latin(tokens),
            Script::Cyrillic => script::cyrillic(text),
            Script::None => unknown(),
        }
    }

    /// The language of a text in Latin letters, and the probability that it is that one.
    fn latin(&self, tokens: &[Token<'_>]) -> Language {
        let words: Vec<&Token<'_>> = table::words(tokens).collect();
        self.of_words(&words, &self.table.tally(tokens))
    }

    /// The language of words in Latin letters, and the probability that it is that one, what the table says of them known.
    fn of_words(&self, words: &[&Token<'_>], tally: &Tally) -> Language {
        if words.iter().map(|word| word.key.len()).sum::<usize>() < FEWEST_LETTERS {
            return unknown();
        }
        let mut odds = self.table.log_odds(tally);
        let mut chances = softmax(odds);
        let mut best = likeliest(&chances);
        if best == OTHER || chances[best] < CLEAR {
            let words = words.iter().map(|word| word.surface).collect::<Vec<_>>().join(" ");
            let letters = words.chars().count();
            if letters >= LETTERS_FOR_WHATLANG
                && let Some((code, confidence)) = wide_net::ask(&words)
            {
                let trust = confidence * (letters as f64 / LETTERS_FOR_TRUST).min(1.0);
                match LANGUAGES.iter().position(|known| *known == code) {
                    Some(place) => odds[place] += (TRUST * trust) as f32,
                    None if best == OTHER && trust >= FOREIGN => {
                        return sure(code, f64::from(chances[OTHER]) * confidence);
                    }
                    None => odds[OTHER] += (TRUST * trust) as f32,
                }
                chances = softmax(odds);
                best = likeliest(&chances);
            }
        }
        if best == OTHER || chances[best] < ENOUGH {
            return unknown();
        }
        sure(LANGUAGES[best], f64::from(chances[best]))
    }
}

/// Tells which language a text would be in without one of its words, the others not read again.
#[derive(Debug)]
pub struct Without<'a, 'm> {
    detector: &'a Detector<'m>,
    text: &'a str,
    words: Vec<(&'a Token<'a>, Tally)>,
    all: Tally,
}

impl<'a, 'm> Without<'a, 'm> {
    /// Reads a composed text, its tokens known.
    pub fn new(detector: &'a Detector<'m>, text: &'a str, tokens: &'a [Token<'a>]) -> Self {
        let words: Vec<_> = table::words(tokens).map(|word| (word, detector.table.tally_of(word))).collect();
        let mut all = Tally::default();
        words.iter().for_each(|(_, tally)| all += *tally);
        Self { detector, text, words, all }
    }

    /// The language of the text without each place of a word.
    pub fn language(&self, surface: &str) -> Language {
        let rest = self.text.replace(surface, "");
        let script = script(&rest);
        if script != Script::Latin {
            return self.detector.detect(&rest, script, &[]);
        }
        let mut tally = self.all;
        let mut others = Vec::with_capacity(self.words.len());
        for (word, of_word) in &self.words {
            match word.surface == surface {
                true => tally -= *of_word,
                false => others.push(*word),
            }
        }
        self.detector.of_words(&others, &tally)
    }
}

fn likeliest(chances: &table::Chances) -> usize {
    (0..chances.len()).max_by(|one, other| chances[*one].total_cmp(&chances[*other])).unwrap_or(OTHER)
}

/// A language, its confidence as it is shown; nothing is certain.
fn sure(code: &str, confidence: f64) -> Language {
    Language { code: code.to_owned(), confidence: two_decimals(confidence.min(0.99)) }
}

fn unknown() -> Language {
    Language { code: UNKNOWN.to_owned(), confidence: 0.0 }
}

//! Tells the language of a text: scripts first, then the table of runs of letters, then whatlang; `und` when none of it
//! is enough.

mod script;
pub mod sources;
pub mod table;
mod usual;
mod wide_net;

pub use self::script::{Script, script};
use self::table::{LANGUAGES, NotATable, OTHER, Table, Tally, softmax};
pub use self::usual::Usual;
use super::tokens::Token;
use super::{Language, two_decimals};

/// A language that cannot be told.
pub const UNKNOWN: &str = "und";

/// From this probability on whatlang is not asked.
const CLEAR: f32 = 0.6;
/// Below this probability nothing is said.
const ENOUGH: f32 = 0.25;
/// No word has more letters that differ from the one before: a row of letters that goes on and on is nobody's language.
const MOST_CHANGES: usize = 48;
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

    /// The language of a text, its script and its tokens known, and what is usual where it comes from.
    pub fn detect(&self, text: &str, script: Script, tokens: &[Token<'_>], usual: &Usual) -> Language {
        match script {
            Script::Settled(language) => language,
            Script::Latin => self.latin(tokens, usual),
            Script::Cyrillic => script::cyrillic(text),
            Script::None => unknown(),
        }
    }

    /// The language of a text in Latin letters, and the probability that it is that one.
    fn latin(&self, tokens: &[Token<'_>], usual: &Usual) -> Language {
        let words: Vec<&Token<'_>> = table::words(tokens).collect();
        self.of_words(&words, &self.table.tally(tokens), usual)
    }

    /// The language of words in Latin letters, and the probability that it is that one, what the table says of them known.
    fn of_words(&self, words: &[&Token<'_>], tally: &Tally, usual: &Usual) -> Language {
        if !words.iter().any(|word| is_spelled(&word.key)) {
            return unknown();
        }
        let mut odds = self.table.log_odds(tally);
        let mut chances = softmax(odds);
        let mut best = likeliest(&chances);
        if chances[best] < CLEAR {
            usual.add_to(&mut odds);
            chances = softmax(odds);
            best = likeliest(&chances);
        }
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
    usual: Usual,
}

impl<'a, 'm> Without<'a, 'm> {
    /// Reads a composed text, its tokens known, and what is usual where it comes from.
    pub fn new(detector: &'a Detector<'m>, text: &'a str, tokens: &'a [Token<'a>], usual: Usual) -> Self {
        let words: Vec<_> = table::words(tokens).map(|word| (word, detector.table.tally_of(word))).collect();
        let mut all = Tally::default();
        words.iter().for_each(|(_, tally)| all += *tally);
        Self { detector, text, words, all, usual }
    }

    /// The language of the text without each place of a word.
    pub fn language(&self, surface: &str) -> Language {
        let rest = self.text.replace(surface, "");
        let script = script(&rest);
        if script != Script::Latin {
            return self.detector.detect(&rest, script, &[], &self.usual);
        }
        let mut tally = self.all;
        let mut others = Vec::with_capacity(self.words.len());
        for (word, of_word) in &self.words {
            match word.surface == surface {
                true => tally -= *of_word,
                false => others.push(*word),
            }
        }
        self.detector.of_words(&others, &tally, &self.usual)
    }
}

/// Whether a folded word has letters of which a language can be told: "a" and "aaaa" have one alone, and "g991b" is no word.
fn is_spelled(key: &str) -> bool {
    if key.contains(|character: char| character.is_numeric()) {
        return false;
    }
    let letters = || key.chars().filter(|character| character.is_alphabetic());
    let changes = letters().zip(letters().skip(1)).filter(|(one, next)| one != next).take(MOST_CHANGES + 1).count();
    (1..=MOST_CHANGES).contains(&changes)
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

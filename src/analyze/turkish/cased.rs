//! Which words are names, told by how they are written: names keep their capitals in the lemma.

use super::letters;
use super::{APOSTROPHES, Reading, Stemmer};

/// Longer words in capitals are words somebody shouts rather than abbreviations.
const LONGEST_ABBREVIATION: usize = 6;

/// How the capitals of a word stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Capitals {
    None,
    /// `Ankara`, `WhatsApp`, a single `O`.
    First,
    /// `ANKARA`.
    All,
}

fn capitals(word: &str) -> Capitals {
    let mut letters = word.chars().filter(|character| character.is_alphabetic());
    match letters.next() {
        Some(first) if first.is_uppercase() => {}
        _ => return Capitals::None,
    }
    let mut others = letters.peekable();
    match others.peek().is_some() && others.all(char::is_uppercase) {
        true => Capitals::All,
        false => Capitals::First,
    }
}

fn has_vowel(word: &str) -> bool {
    letters::lower_case(word).chars().any(|character| letters::is_vowel(letters::letter(character)))
}

impl Stemmer {
    /// Reads one word as it is written; `lower` is the same in Turkish lower case.
    ///
    /// The lemma keeps its capitals where the word is a name: one that is listed, one that an apostrophe parts from its endings
    /// (`Bey'in`), one that is written with a capital and is no known word, an abbreviation (`ABD'nin`, `TV`).
    pub fn read_written(&self, written: &str, lower: &str) -> Reading {
        let mut reading = self.read(lower);
        if reading.lemma.starts_with(char::is_uppercase) {
            return reading;
        }
        let (base, tail) = match written.find(APOSTROPHES) {
            Some(at) if at > 0 => written.split_at(at),
            _ => (written, ""),
        };
        let length = base.chars().count();
        match capitals(base) {
            Capitals::First if reading.known && (tail.is_empty() || reading.lemma.chars().count() != length) => {}
            Capitals::First => {
                let mut as_written = base.chars().zip(lower.chars());
                let capital = |letter: char| match as_written.next() {
                    Some((written, lower)) if lower == letter => written,
                    _ => letter,
                };
                reading.lemma = reading.lemma.chars().map(capital).collect();
            }
            Capitals::All => {
                let shouted_ending = tail.chars().any(char::is_uppercase);
                let abbreviation = length <= LONGEST_ABBREVIATION
                    && (!tail.is_empty() && !shouted_ending || !reading.known && !has_vowel(base));
                if abbreviation {
                    reading.lemma = base.to_owned();
                }
            }
            Capitals::None => {}
        }
        reading
    }
}

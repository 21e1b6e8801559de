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
    /// (`Bey'in`), one with a capital and no endings that nobody knows, an abbreviation (`ABD'nin`, `TV`). That an unknown
    /// word with endings and without an apostrophe is seldom a name was found on mistakes in development sets.
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
        let inflected = reading.lemma.chars().count() != length;
        match capitals(base) {
            Capitals::First if inflected || (reading.known && tail.is_empty()) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lemma(word: &str) -> String {
        Stemmer::default().read_written(word, &letters::lower_case(word)).lemma
    }

    #[test]
    fn names_keep_their_capitals() {
        for (word, expected) in [
            // Listed, however they are typed.
            ("Ankara'dan", "Ankara"),
            ("ankaradan", "Ankara"),
            ("ANKARA", "Ankara"),
            ("Türkçesi", "Türkçe"),
            ("ABD'nin", "ABD"),
            ("whatsapptan", "WhatsApp"),
            // An apostrophe makes a name of a whole common word, and not of an inflected one.
            ("Deniz'e", "Deniz"),
            ("Bey'in", "Bey"),
            ("Bakanlığı'nın", "bakanlık"),
            // Known to nobody, with a capital.
            ("Vesprit", "Vesprit"),
            ("Kuvartz'ın", "Kuvartz"),
            // Abbreviations.
            ("XQ'ya", "XQ"),
            ("BTS", "BTS"),
            // A sentence's first word, a shouted one, one without capitals.
            ("Kitabımı", "kitap"),
            ("KİTABIMI", "kitap"),
            ("VESPRİT", "vesprit"),
            ("vesprit", "vesprit"),
        ] {
            assert_eq!(lemma(word), expected, "{word}");
        }
    }
}

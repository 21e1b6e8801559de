//! Cuts hashtags into the words they are made of: `#KargomNerede` by its capitals, `#kargomnerede` by the words that are known.

use super::tokens::fold_case;
use super::turkish::Stemmer;

/// More hashtags of one text are not cut by words: each takes as long as many words.
const MOST_BY_WORDS: usize = 20;

/// Cuts the hashtags of one text.
pub struct Splitter<'s> {
    stemmer: Option<&'s Stemmer>,
    left: usize,
}

impl<'s> Splitter<'s> {
    /// Without a stemmer, by capitals, digits and underscores only.
    pub fn new(stemmer: Option<&'s Stemmer>) -> Self {
        Self { stemmer, left: MOST_BY_WORDS }
    }

    /// The words of a hashtag in lower case.
    pub fn words(&mut self, hashtag: &str) -> Vec<String> {
        let stemmer = self.stemmer.filter(|_| self.left > 0);
        self.left = self.left.saturating_sub(1);
        let language = if self.stemmer.is_some() { "tr" } else { "und" };
        let name = hashtag.trim_start_matches(['#', '＃']);
        let mut pieces: Vec<&str> = Vec::new();
        for part in name.split('_').filter(|part| !part.is_empty()) {
            let mut from = 0;
            let mut before: Option<char> = None;
            for (at, character) in part.char_indices() {
                let starts = before.is_some_and(|before| {
                    (before.is_lowercase() && character.is_uppercase())
                        || (before.is_numeric() != character.is_numeric())
                });
                if starts {
                    pieces.push(&part[from..at]);
                    from = at;
                }
                before = Some(character);
            }
            pieces.push(&part[from..]);
        }
        let lower: Vec<String> = pieces.iter().map(|piece| fold_case(piece, language)).collect();
        match (lower.as_slice(), stemmer) {
            ([whole], Some(stemmer)) => stemmer.split(whole).unwrap_or_else(|| vec![whole.clone()]),
            _ => lower,
        }
    }
}

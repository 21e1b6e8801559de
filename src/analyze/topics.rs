//! What a text is about: terms of a list, named in the language of the text.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use super::lexicon::{Endings, Lexicon};
use super::tokens::Token;

const LIST: &str = include_str!("../../config/lexicon/topics.tsv");

/// One subject that customers write about, with its name in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    pub turkish: &'static str,
    pub english: &'static str,
}

impl Topic {
    /// Every topic, in the order of the list.
    pub fn all() -> &'static [Topic] {
        static ALL: LazyLock<Vec<Topic>> =
            LazyLock::new(|| rows(LIST).map(|[turkish, english, ..]| Topic { turkish, english }).collect());
        &ALL
    }

    /// Its name in a text of `language`.
    fn name(self, language: &str) -> &'static str {
        if language == "en" { self.english } else { self.turkish }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.turkish)
    }
}

impl FromStr for Topic {
    type Err = String;

    /// By either name.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::all().iter().find(|topic| topic.turkish == name || topic.english == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::all().iter().map(|topic| topic.turkish).collect();
            format!("{name:?} is not one of {}", names.join(", "))
        })
    }
}

fn rows(list: &'static str) -> impl Iterator<Item = [&'static str; 4]> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

/// The words that name topics.
#[derive(Debug)]
pub struct Topics {
    turkish: Lexicon<usize>,
    english: Lexicon<usize>,
}

impl Default for Topics {
    fn default() -> Self {
        let mut topics = Self { turkish: Lexicon::new(Endings::Turkish), english: Lexicon::new(Endings::English) };
        for (topic, [.., turkish, english]) in rows(LIST).enumerate() {
            turkish.split(',').for_each(|words| topics.turkish.add(words, topic));
            english.split(',').for_each(|words| topics.english.add(words, topic));
        }
        topics
    }
}

impl Topics {
    /// The topics of a text in the order they come up, each once. `hashtags` are the words that hashtags are made of.
    pub fn of(&self, tokens: &[Token<'_>], hashtags: &[Vec<Token<'_>>], language: &str) -> Vec<&'static str> {
        let lexicon = match language {
            "en" => &self.english,
            // Of a text too short to tell its language, the words still say what it is about.
            "tr" | super::language::UNKNOWN => &self.turkish,
            _ => return Vec::new(),
        };
        let mut found: Vec<usize> = Vec::new();
        for tokens in std::iter::once(tokens).chain(hashtags.iter().map(Vec::as_slice)) {
            for (_, known) in lexicon.all_in(tokens) {
                if !found.contains(&known.value) {
                    found.push(known.value);
                }
            }
        }
        found.into_iter().map(|topic| Topic::all()[topic].name(language)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_a_topic() {
        let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        assert_eq!(Topic::all().len(), lines, "a line without four fields");
        for topic in Topic::all() {
            assert_eq!(topic.turkish.parse(), Ok(*topic), "{topic}: its name is that of an earlier one");
            assert_eq!(topic.english.parse(), Ok(*topic), "{topic}: its English name is that of an earlier one");
        }
        assert!("nothing".parse::<Topic>().is_err());
    }
}

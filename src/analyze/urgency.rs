//! Whether a text cannot wait: a deadline, harm to people, the law, money that was taken. By a list of words, not by a model,
//! so that each alarm names what raised it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lexicon::{Endings, Lexicon};
use super::tokens::Token;
use super::{Intent, Sentiment};
use crate::model::{AlarmKind, IntentLabel, SentimentLabel, UrgencyLevel};

const LIST: &str = include_str!("../../config/lexicon/urgency.tsv");

/// More alarms of one text say nothing more.
const MOST_ALARMS: usize = 8;

/// From this confidence on, somebody is glad, and "yangın gibi kampanya" is no fire.
const GLAD: f64 = 0.75;
/// From this confidence on, nobody complains: who wants to buy a fire extinguisher sees no fire, and who asks for the way to
/// the police has nothing to tell them.
const CALM: f64 = 0.6;

/// How soon somebody should look at it, and which words say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Urgency {
    pub level: UrgencyLevel,
    /// In the order of the text; empty at level `none`.
    pub because: Vec<Alarm>,
}

impl Default for Urgency {
    fn default() -> Self {
        Self { level: UrgencyLevel::None, because: Vec::new() }
    }
}

/// Words of the text as they were written, and what they warn of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    pub kind: AlarmKind,
    #[schema(example = "tüketici hakem heyetine")]
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Warning {
    level: UrgencyLevel,
    kind: AlarmKind,
}

/// The words that make a text urgent.
#[derive(Debug)]
pub struct Alarms {
    turkish: Lexicon<Warning>,
    english: Lexicon<Warning>,
}

impl Alarms {
    /// The list that comes with the product.
    pub fn built_in() -> Result<Self, String> {
        Self::parse(LIST)
    }

    /// Reads lines of level, kind, language and words parted by commas.
    fn parse(list: &str) -> Result<Self, String> {
        let mut alarms = Self { turkish: Lexicon::new(Endings::Turkish), english: Lexicon::new(Endings::English) };
        for (number, line) in list.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |reason: &str| format!("line {}: {reason}: {line:?}", number + 1);
            let fields: Vec<&str> = line.split('\t').collect();
            let &[level, kind, language, words] = fields.as_slice() else { return Err(wrong("not four fields")) };
            let level = level.parse().map_err(|error: String| wrong(&error))?;
            let kind = kind.parse().map_err(|error: String| wrong(&error))?;
            let lexicon = match language {
                "tr" => &mut alarms.turkish,
                "en" => &mut alarms.english,
                _ => return Err(wrong("neither tr nor en")),
            };
            words.split(',').for_each(|words| lexicon.add(words, Warning { level, kind }));
        }
        Ok(alarms)
    }

    /// How urgent a composed text in `language` is, its mood and its intents known.
    pub fn of(
        &self,
        text: &str,
        tokens: &[Token<'_>],
        language: &str,
        (sentiment, intents): (&Sentiment, &[Intent]),
    ) -> Urgency {
        let lexicon = match language {
            "tr" => &self.turkish,
            "en" => &self.english,
            _ => return Urgency::default(),
        };
        if sentiment.label == SentimentLabel::Positive && sentiment.confidence >= GLAD {
            return Urgency::default();
        }
        let calm = sentiment.label == SentimentLabel::Neutral && sentiment.confidence >= CALM;
        let wants = intents.first().map(|intent| intent.label).filter(|_| calm);
        if matches!(wants, Some(IntentLabel::Purchase | IntentLabel::Spam)) {
            return Urgency::default();
        }
        let mut level = UrgencyLevel::None;
        let mut because: Vec<Alarm> = Vec::new();
        let mut somebody_weak = false;
        for (at, found) in lexicon.all_in(tokens) {
            let Warning { level: raised, kind } = found.value;
            // "Dava açmayacağım", "zehirlenmedik"; "acil değil"; "mahkeme duvarı".
            let denied = found.ending.negated || is_denied(tokens, at, found.tokens);
            let asks_for_law = kind == AlarmKind::Legal && wants == Some(IntentLabel::Question);
            if denied || asks_for_law || raised == UrgencyLevel::None {
                continue;
            }
            match kind {
                AlarmKind::Vulnerable => somebody_weak = true,
                _ => level = level.max(raised),
            }
            let words = &text[tokens[at].start..tokens[at + found.tokens - 1].end()];
            if because.len() < MOST_ALARMS && because.iter().all(|known| known.text != words) {
                because.push(Alarm { kind, text: words.to_owned() });
            }
        }
        // A child is no alarm; a child in trouble is a louder one.
        match level {
            UrgencyLevel::None => Urgency::default(),
            UrgencyLevel::Raised if somebody_weak => Urgency { level: UrgencyLevel::High, because },
            level => Urgency { level, because },
        }
    }
}

/// Whether the words beside `count` tokens from `at` on deny them: "acil değil", "not urgent".
fn is_denied(tokens: &[Token<'_>], at: usize, count: usize) -> bool {
    let before = at.checked_sub(1).map_or("", |before| tokens[before].key.as_str());
    let after = tokens.get(at + count).map_or("", |after| after.key.as_str());
    after.starts_with("degil") || matches!(before, "not" | "isn't" | "isnt")
}

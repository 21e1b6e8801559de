//! Understands a text: language, tokens, sentiment and intents, with the words that drove them. CPU only, no I/O.

pub mod corpus;
pub mod corpus_check;
mod emoji;
pub mod features;
mod intents;
mod judge;
pub mod language;
mod lexicon;
pub mod linear;
pub mod measure;
pub mod mecab;
pub mod near_duplicates;
pub mod report;
mod segment;
mod sentiment;
mod suffixes;
pub mod tokens;
pub mod train;
pub mod train_language;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::features::Signalling;
use self::intents::Cues;
use self::judge::Judge;
use self::language::{Detector, Script};
use self::lexicon::{EmojiWeights, Endings, Lexicon, Mood};
use self::linear::Linear;
use self::segment::Words;
use self::tokens::{TokenKind, Tokenizer};
use crate::model::{IntentLabel, SentimentLabel};

/// What was understood of one text; serializes as `muhatap analyze` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Analysis {
    pub language: Language,
    pub sentiment: Sentiment,
    /// The main one first; never empty.
    pub intents: Vec<Intent>,
    /// The folded surface forms, in the order of the text.
    pub tokens: Vec<String>,
}

impl Analysis {
    /// The intent a mention is filed under.
    pub fn main_intent(&self) -> IntentLabel {
        self.intents.first().map_or(IntentLabel::Other, |intent| intent.label)
    }
}

/// The language a text is written in, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Language {
    /// BCP 47; `und` when it cannot be told.
    #[schema(example = "tr")]
    pub code: String,
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
}

/// How the writer feels about it: a label, a score, and the words that make the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sentiment {
    pub label: SentimentLabel,
    /// From -1 (bad) to 1 (good): a function of the sum of the weights in `because`.
    #[schema(minimum = -1, maximum = 1)]
    pub score: f64,
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
    pub because: Vec<Reason>,
}

/// Words of the text as they were written, and what they add to the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    pub text: String,
    pub weight: f64,
}

/// What the writer wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Intent {
    pub label: IntentLabel,
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
}

/// Where the word dictionaries of Japanese, Chinese and Korean are, as `muhatap dictionaries build` leaves them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DictionaryPaths {
    pub japanese: Option<PathBuf>,
    pub chinese: Option<PathBuf>,
    pub korean: Option<PathBuf>,
}

impl DictionaryPaths {
    /// The three folders under `dir`, whether or not they have been built.
    pub fn under(dir: &std::path::Path) -> Self {
        Self { japanese: Some(dir.join("ja")), chinese: Some(dir.join("zh")), korean: Some(dir.join("ko")) }
    }
}

/// More of a text than this is not read: no network lets people write that much, and time stays bounded.
const LONGEST_TEXT: usize = 100_000;

/// The word lists and rules that features are read with.
#[derive(Debug)]
pub struct Lists {
    turkish: Lexicon<Mood>,
    english: Lexicon<Mood>,
    emoji: EmojiWeights,
    cues: Cues,
}

impl Default for Lists {
    fn default() -> Self {
        let ours = "a word list of our own, read by a test";
        Self {
            turkish: Lexicon::parse(include_str!("../../config/lexicon/tr.tsv"), Endings::Turkish).expect(ours),
            english: Lexicon::parse(include_str!("../../config/lexicon/en.tsv"), Endings::English).expect(ours),
            emoji: EmojiWeights::parse(include_str!("../../config/lexicon/emoji.tsv")).expect(ours),
            cues: Cues::parse(include_str!("../../config/lexicon/intents.tsv")).expect(ours),
        }
    }
}

impl Lists {
    /// What the features of a text in `language` (Turkish or else English) are read with.
    pub fn signalling(&self, language: &str) -> Signalling<'_> {
        let words = match language {
            "tr" => sentiment::Words::Turkish(&self.turkish),
            _ => sentiment::Words::English(&self.english),
        };
        Signalling { words, emoji: &self.emoji, cues: &self.cues }
    }
}

/// The models that `muhatap train` wrote.
const TURKISH_MODEL: &[u8] = include_bytes!("models/tr.bin");
const ENGLISH_MODEL: &[u8] = include_bytes!("models/en.bin");
const LANGUAGE_TABLE: &[u8] = include_bytes!("models/languages.bin");

/// Texts of so few tokens may be of another language once a word is taken out.
const FEW_TOKENS: usize = 8;

/// Understands texts; made once and shared by every thread.
#[derive(Debug)]
pub struct Analyzer {
    tokenizer: Tokenizer,
    detector: Detector<'static>,
    lists: Lists,
    turkish: Linear<'static>,
    english: Linear<'static>,
    japanese: Words,
    chinese: Words,
    korean: Words,
}

impl Analyzer {
    /// Never fails: a missing dictionary is warned of once, when the first text needs it.
    pub fn new(dictionaries: &DictionaryPaths) -> Self {
        let ours = "a file of our own, read by a test";
        Self {
            tokenizer: Tokenizer::default(),
            detector: Detector::read(LANGUAGE_TABLE).expect(ours),
            lists: Lists::default(),
            turkish: Linear::read(TURKISH_MODEL).expect(ours),
            english: Linear::read(ENGLISH_MODEL).expect(ours),
            japanese: Words::new("ja", dictionaries.japanese.clone()),
            chinese: Words::new("zh", dictionaries.chinese.clone()),
            korean: Words::new("ko", dictionaries.korean.clone()),
        }
    }

    /// Bounded in time and memory for any text.
    pub fn analyze(&self, text: &str) -> Analysis {
        let read = text.char_indices().nth(LONGEST_TEXT).map_or(text, |(end, _)| &text[..end]);
        let text = &*tokens::compose(read);
        let by_script = language::script(text);
        let words = match &by_script {
            Script::Settled(language) => self.words_of(&language.code),
            _ => None,
        };
        let split = words.filter(|words| words.is_there()).map(|words| move |part| words.of(part).unwrap_or_default());
        let tokens = match &split {
            Some(split) => self.tokenizer.tokens(text, Some(split)),
            None => self.tokenizer.tokens(text, None),
        };
        let language = self.detector.detect(text, by_script, &tokens);
        let (sentiment, intents) = match self.judge(&language.code) {
            Some(judge) => {
                let (mut sentiment, intents) = judge.judge(text, &tokens, language.confidence);
                if tokens.len() <= FEW_TOKENS {
                    let score = sentiment.score;
                    sentiment.because.retain(|reason| {
                        ["", ","].iter().all(|instead| {
                            (score - self.score(&text.replace(&reason.text, instead))) * reason.weight >= 0.0
                        })
                    });
                }
                (sentiment, intents)
            }
            None => {
                let sentiment = sentiment::of_emoji(text, &tokens, &self.lists.emoji);
                let intents = self.lists.cues.intents(text, &tokens, &sentiment);
                (sentiment, intents)
            }
        };
        let tokens = tokens.iter().filter(|token| token.kind != TokenKind::Mark);
        let tokens = tokens.map(|token| tokens::lower_case(token.surface, &language.code)).collect();
        Analysis { language, sentiment, intents, tokens }
    }

    /// The model of a language; `None` for most.
    fn judge(&self, language: &str) -> Option<Judge<'_>> {
        let model = match language {
            "tr" => &self.turkish,
            "en" => &self.english,
            _ => return None,
        };
        Some(Judge { model, signalling: self.lists.signalling(language) })
    }

    /// The score alone of a composed text of few words.
    fn score(&self, text: &str) -> f64 {
        let tokens = self.tokenizer.tokens(text, None);
        let language = self.detector.detect(text, language::script(text), &tokens);
        match self.judge(&language.code) {
            Some(judge) => judge::score(&judge.odds(&tokens)),
            None => sentiment::of_emoji(text, &tokens, &self.lists.emoji).score,
        }
    }

    fn words_of(&self, language: &str) -> Option<&Words> {
        match language {
            "ja" => Some(&self.japanese),
            "zh" => Some(&self.chinese),
            "ko" => Some(&self.korean),
            _ => None,
        }
    }
}

fn two_decimals(number: f64) -> f64 {
    // Adding zero makes of -0 a 0, which is what people expect to read.
    (number * 100.0).round() / 100.0 + 0.0
}

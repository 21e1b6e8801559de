//! Understands a text: language, tokens, sentiment and intents, with the words that drove them. CPU only, no I/O.

pub mod language;
pub mod tokens;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// Understands texts; made once and shared by every thread.
#[derive(Debug)]
pub struct Analyzer {
    #[expect(dead_code, reason = "opened by the segmentation of Japanese, Chinese and Korean")]
    dictionaries: DictionaryPaths,
}

impl Analyzer {
    /// Never fails: a missing dictionary is warned of once, when the first text needs it.
    pub fn new(dictionaries: &DictionaryPaths) -> Self {
        Self { dictionaries: dictionaries.clone() }
    }

    /// Bounded in time and memory for any text.
    pub fn analyze(&self, text: &str) -> Analysis {
        let code = if text.contains(['ı', 'ş', 'ğ', 'İ']) { "tr" } else { "und" };
        Analysis {
            language: Language { code: code.to_owned(), confidence: 0.1 },
            sentiment: Sentiment { label: SentimentLabel::Neutral, score: 0.0, confidence: 0.1, because: Vec::new() },
            intents: vec![Intent { label: IntentLabel::Other, confidence: 0.1 }],
            tokens: tokens::fold_case(text, code).split_whitespace().map(str::to_owned).collect(),
        }
    }
}

//! Understands a text: language, tokens, sentiment and intents, with the words that drove them. CPU only, no I/O.

pub mod card;
pub mod corpus;
pub mod corpus_check;
pub mod corrections;
pub mod delta;
mod emoji;
mod entities;
pub mod features;
mod hashtags;
mod intents;
mod judge;
pub mod language;
mod lexicon;
pub mod linear;
pub mod measure;
pub mod mecab;
mod mistakes;
pub mod near;
pub mod near_duplicates;
pub mod report;
mod segment;
mod sentiment;
pub mod sources;
mod stems;
pub mod subjects;
mod suffixes;
mod teach;
pub mod tokens;
mod topics;
pub mod train;
pub mod train_language;
pub mod turkish;
mod urgency;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use self::delta::Learnt;
pub use self::entities::{Entity, EntityKind, is_iban};
use self::features::{Kinds, Reader};
use self::hashtags::Splitter;
use self::intents::Cues;
use self::judge::Judge;
use self::language::{Detector, Script, Usual, Without};
use self::lexicon::{EmojiWeights, Endings, Lexicon, Mood};
use self::linear::Linear;
use self::segment::Words;
pub use self::segment::names;
pub use self::stems::Stem;
use self::tokens::{Token, TokenKind, Tokenizer};
pub use self::topics::Topic;
use self::topics::Topics;
use self::turkish::Stemmer;
use self::urgency::Alarms;
pub use self::urgency::{Alarm, Urgency};
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
    /// The words of a Turkish text with their stems, those of hashtags among them; empty in other languages.
    #[serde(default)]
    pub stems: Vec<Stem>,
    /// Handles, links, phones, amounts and the like, in the order of the text.
    #[serde(default)]
    pub entities: Vec<Entity>,
    /// What it is about, by their names in the language of the text, in the order they come up.
    #[serde(default)]
    #[schema(example = json!(["kargo", "iade"]))]
    pub topics: Vec<String>,
    #[serde(default)]
    pub urgency: Urgency,
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
    /// From -1 (bad) to 1 (good): how probable a good mood is, less how probable a bad one is, by the words alone and before
    /// `confidence` is brought to what comes true. It is the hyperbolic tangent of `base` and all weights in `because`
    /// together, to four decimals.
    #[schema(minimum = -1, maximum = 1)]
    pub score: f64,
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
    /// What the score rests on beside the words of `because`: the language's starting point, words too weak to name, and what
    /// speaks against any feeling, which draws the score to 0.
    #[serde(default)]
    pub base: f64,
    /// The words that make the score, the strongest first. Without the word the score is lower if its weight is above 0, and
    /// higher if it is below.
    pub because: Vec<Reason>,
}

/// A word of the text as it was written, wherever it stands there, and what it adds to the sum the score is made of.
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
    /// A file of [`names`] of brands and products, which the dictionaries do not know and which are never cut.
    pub names: Option<PathBuf>,
}

impl DictionaryPaths {
    /// The three folders and the file under `dir`, whether or not they are there.
    pub fn under(dir: &std::path::Path) -> Self {
        Self {
            japanese: Some(dir.join("ja")),
            chinese: Some(dir.join("zh")),
            korean: Some(dir.join("ko")),
            names: Some(dir.join("names.txt")),
        }
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
    /// What the features of a text in `language` are read with.
    pub fn reader(&self, language: &str) -> Reader<'_> {
        let words = match language {
            "tr" => sentiment::Words::Turkish(&self.turkish),
            "en" => sentiment::Words::English(&self.english),
            _ => sentiment::Words::None,
        };
        Reader { words, emoji: &self.emoji, cues: &self.cues, kinds: Kinds::ALL }
    }
}

/// The models that `muhatap train` wrote.
const TURKISH_MODEL: &[u8] = include_bytes!("models/tr.bin");
const ENGLISH_MODEL: &[u8] = include_bytes!("models/en.bin");
const LANGUAGE_TABLE: &[u8] = include_bytes!("models/languages.bin");
/// Those that tell sentiment alone.
const MOOD_MODELS: [(&str, &[u8]); sources::MOODS_ALONE.len()] = [
    ("de", include_bytes!("models/de.bin")),
    ("fr", include_bytes!("models/fr.bin")),
    ("es", include_bytes!("models/es.bin")),
    ("it", include_bytes!("models/it.bin")),
    ("pt", include_bytes!("models/pt.bin")),
    ("ar", include_bytes!("models/ar.bin")),
];

/// Names the built-in model of a language: another one after every training. Nothing where that has none of both sentiment
/// and intents.
pub fn model_name(language: &str) -> Option<String> {
    let model = match language {
        "tr" => TURKISH_MODEL,
        "en" => ENGLISH_MODEL,
        _ => return None,
    };
    Some(Sha256::digest(model)[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Texts of so few tokens may be of another language once a word is taken out.
const FEW_TOKENS: usize = 8;
/// So may those whose language is less sure than this.
const SURE_LANGUAGE: f64 = 0.95;
/// Of a text whose language is less sure than this, mixed of two more often than not, whatlang is asked for every word that
/// is named, which takes longer than all the rest: the strongest words are named alone.
const CLEAR_LANGUAGE: f64 = 0.8;
const REASONS_OF_UNCLEAR: usize = 4;

/// Understands texts; made once and shared by every thread.
#[derive(Debug)]
pub struct Analyzer {
    tokenizer: Tokenizer,
    detector: Detector<'static>,
    lists: Lists,
    turkish: Linear<'static>,
    english: Linear<'static>,
    /// With the codes of their languages.
    moods_alone: Vec<(&'static str, Linear<'static>)>,
    stemmer: Stemmer,
    topics: Topics,
    alarms: Alarms,
    japanese: Words,
    chinese: Words,
    korean: Words,
}

impl Analyzer {
    /// Never fails: a missing dictionary is warned of once, when the first text needs it.
    pub fn new(dictionaries: &DictionaryPaths) -> Self {
        let ours = "a file of our own, read by a test";
        let words =
            |language, folder: &Option<PathBuf>| Words::new(language, folder.clone(), dictionaries.names.clone());
        Self {
            tokenizer: Tokenizer::default(),
            detector: Detector::read(LANGUAGE_TABLE).expect(ours),
            lists: Lists::default(),
            turkish: Linear::read(TURKISH_MODEL).expect(ours),
            english: Linear::read(ENGLISH_MODEL).expect(ours),
            moods_alone: MOOD_MODELS.map(|(code, file)| (code, Linear::read(file).expect(ours))).into(),
            stemmer: Stemmer::default(),
            topics: Topics::default(),
            alarms: Alarms::built_in().expect(ours),
            japanese: words("ja", &dictionaries.japanese),
            chinese: words("zh", &dictionaries.chinese),
            korean: words("ko", &dictionaries.korean),
        }
    }

    /// What the built-in models say. Bounded in time and memory for any text.
    pub fn analyze(&self, text: &str) -> Analysis {
        self.analyze_for(text, None)
    }

    /// As [`Analyzer::analyze`], with what was learnt of the account that the text came to.
    pub fn analyze_for(&self, text: &str, learnt: Option<&Learnt>) -> Analysis {
        let read = text.char_indices().nth(LONGEST_TEXT).map_or(text, |(end, _)| &text[..end]);
        let text = &*tokens::compose(read);
        let script = language::script(text);
        let tokens = self.tokens(text, &script);
        let language = self.language(text, script, &tokens, learnt);
        let (sentiment, intents) = self.sentiment_and_intents(text, &tokens, &language, learnt);
        let hashtags = self.hashtag_words(&tokens, &language);
        Analysis {
            stems: self.stems(&tokens, &hashtags, &language),
            // Of the text as it came, so that their places are places in it.
            entities: self.entities(read, &language),
            topics: self.topics(&tokens, &hashtags, &language),
            urgency: self.alarms.of(text, &tokens, &language.code, (&sentiment, &intents)),
            tokens: tokens
                .iter()
                .filter(|token| token.kind != TokenKind::Mark)
                .map(|token| tokens::lower_case(token.surface, &language.code))
                .collect(),
            language,
            sentiment,
            intents,
        }
    }

    /// The pieces of a composed text.
    pub fn tokens<'t>(&self, text: &'t str, script: &Script) -> Vec<Token<'t>> {
        let words = match script {
            Script::Settled(language) => self.words_of(&language.code),
            _ => None,
        };
        match words.filter(|words| words.is_there()) {
            Some(words) => self.tokenizer.tokens(text, Some(&|part| words.of(part).unwrap_or_default())),
            None => self.tokenizer.tokens(text, None),
        }
    }

    /// The language of a composed text, its script and its tokens known.
    pub fn language(&self, text: &str, script: Script, tokens: &[Token<'_>], learnt: Option<&Learnt>) -> Language {
        self.detector.detect(text, script, tokens, &usual(learnt))
    }

    /// What its writer feels and wants, with the words that say so; the main intent first.
    pub fn sentiment_and_intents(
        &self,
        text: &str,
        tokens: &[Token<'_>],
        language: &Language,
        learnt: Option<&Learnt>,
    ) -> (Sentiment, Vec<Intent>) {
        let Some(judge) = self.judge(&language.code, learnt) else {
            let sentiment = sentiment::of_emoji(text, tokens, &self.lists.emoji);
            let intents = self.lists.cues.intents(text, tokens, &sentiment);
            return (sentiment, intents);
        };
        let (mut sentiment, intents) = judge.judge(text, tokens, language.confidence);
        if tokens.len() <= FEW_TOKENS || language.confidence < SURE_LANGUAGE {
            self.keep_sure_reasons(text, tokens, (language, learnt), &mut sentiment);
        }
        if judge.model.intents.is_taught() {
            return (sentiment, intents);
        }
        let intents = self.lists.cues.intents(text, tokens, &sentiment);
        (sentiment, intents)
    }

    /// The words of each hashtag, in lower case.
    pub fn hashtag_words(&self, tokens: &[Token<'_>], language: &Language) -> Vec<Vec<String>> {
        let mut splitter = Splitter::new(self.stemmer(language));
        let hashtags = tokens.iter().filter(|token| token.kind == TokenKind::Hashtag);
        hashtags.map(|token| splitter.words(token.surface)).collect()
    }

    /// The stems of a Turkish text; none of another.
    pub fn stems(&self, tokens: &[Token<'_>], hashtags: &[Vec<String>], language: &Language) -> Vec<Stem> {
        self.stemmer(language).map(|stemmer| stems::of(tokens, hashtags, stemmer)).unwrap_or_default()
    }

    /// What in a text as it came can be looked up, called or counted.
    pub fn entities(&self, text: &str, language: &Language) -> Vec<Entity> {
        entities::find(text, self.stemmer(language))
    }

    /// What a text is about.
    pub fn topics(&self, tokens: &[Token<'_>], hashtags: &[Vec<String>], language: &Language) -> Vec<String> {
        let hashtags: Vec<Vec<Token<'_>>> = hashtags.iter().map(|words| tokens::words(words)).collect();
        self.topics.of(tokens, &hashtags, &language.code).into_iter().map(str::to_owned).collect()
    }

    fn stemmer(&self, language: &Language) -> Option<&Stemmer> {
        (language.code == "tr").then_some(&self.stemmer)
    }

    /// A text of few words, or of a language that is not sure, may be of another language or of none without one of them: then
    /// a word is named only if the score still moves as its weight says. That is looked at in short texts, and where no word
    /// would be named: in the others it would take longer than all the rest, for what is named with many others.
    fn keep_sure_reasons(
        &self,
        text: &str,
        tokens: &[Token<'_>],
        (language, learnt): (&Language, Option<&Learnt>),
        sentiment: &mut Sentiment,
    ) {
        let score = sentiment.score;
        if language.confidence < CLEAR_LANGUAGE {
            sentiment.because.truncate(REASONS_OF_UNCLEAR);
        }
        let without = Without::new(&self.detector, text, tokens, usual(learnt));
        let same_language = |reason: &Reason| without.language(&reason.text).code == language.code;
        let moves = |reason: &Reason| {
            ["", ","].iter().all(|instead| {
                (score - self.score(&text.replace(&reason.text, instead), learnt)) * reason.weight >= 0.0
            })
        };
        // Without a language there is hardly a score left, but for that of emoji: what speaks for the score moves it.
        let has_emoji = tokens.iter().any(|token| token.kind == TokenKind::Emoji);
        let sure = language.confidence >= SURE_LANGUAGE && !has_emoji;
        let speaks_for_it = |reason: &Reason| sure && reason.weight * score > 0.0;
        let is_sure = |reason: &Reason| speaks_for_it(reason) || same_language(reason);
        let sure: Vec<bool> = sentiment.because.iter().map(is_sure).collect();
        // Where two languages are mixed no word may be left otherwise.
        let look = tokens.len() <= FEW_TOKENS || !sure.contains(&true);
        let mut sure = sure.into_iter();
        sentiment.because.retain(|reason| sure.next() == Some(true) || (look && moves(reason)));
        sentiment.base = base_of(score, &sentiment.because);
    }

    /// The model of a language, with what a brand adds to it; `None` for most.
    fn judge<'a>(&'a self, language: &str, learnt: Option<&'a Learnt>) -> Option<Judge<'a>> {
        let model = match language {
            "tr" => &self.turkish,
            "en" => &self.english,
            _ => self.moods_alone.iter().find(|(code, _)| *code == language).map(|(_, model)| model)?,
        };
        if !model.moods.is_taught() {
            return None;
        }
        let delta = learnt.and_then(|learnt| learnt.of(language));
        Some(Judge { model, delta, reader: self.lists.reader(language) })
    }

    /// The score alone of a composed text of few words.
    fn score(&self, text: &str, learnt: Option<&Learnt>) -> f64 {
        let tokens = self.tokenizer.tokens(text, None);
        let language = self.detector.detect(text, language::script(text), &tokens, &usual(learnt));
        match self.judge(&language.code, learnt) {
            Some(judge) => judge.score(&tokens),
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

/// The languages that people usually write in where a text comes from.
fn usual(learnt: Option<&Learnt>) -> Usual {
    learnt.map_or_else(Usual::default, |learnt| learnt.usual)
}

/// No text is surer than this; the rest would be lost in the decimals.
const SUREST: f64 = 0.9999;

/// The score of a mood that a person tells, as sure as any.
pub fn told_score(label: SentimentLabel) -> f64 {
    match label {
        SentimentLabel::Negative => -SUREST,
        SentimentLabel::Neutral => 0.0,
        SentimentLabel::Positive => SUREST,
    }
}

/// What a score rests on beside the words that are named.
pub fn base_of(score: f64, because: &[Reason]) -> f64 {
    let named: f64 = because.iter().map(|reason| reason.weight).sum();
    four_decimals(score.clamp(-SUREST, SUREST).atanh() - named)
}

fn four_decimals(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0 + 0.0
}

fn two_decimals(number: f64) -> f64 {
    // Adding zero makes of -0 a 0, which is what people expect to read.
    (number * 100.0).round() / 100.0 + 0.0
}

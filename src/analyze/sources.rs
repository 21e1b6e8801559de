//! The sets of labelled texts that the models of a language learn from, and how much each counts.

use std::collections::HashSet;
use std::path::Path;

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::corpus::{self, CorpusError, Part, Row};
use super::features::Reader;
use super::near;
use super::tokens::{TokenKind, Tokenizer};
use super::train::{Example, example};
use crate::model::SentimentLabel;

/// The languages whose model tells sentiment and intents.
pub const WITH_INTENTS: [&str; 2] = ["tr", "en"];
/// The languages whose model tells sentiment alone, without word lists: the code and the name of their public set.
pub const MOODS_ALONE: [(&str, &str); 6] = [
    ("de", "umsab_german"),
    ("fr", "umsab_french"),
    ("es", "umsab_spanish"),
    ("it", "umsab_italian"),
    ("pt", "umsab_portuguese"),
    ("ar", "umsab_arabic"),
];
/// Measured like those and too weak to be used: Hindi in Latin letters, whose public set teaches hardly more than chance.
pub const TRIED: [(&str, &str); 1] = [("hi", "umsab_hindi")];

/// The name of the set of our own mentions.
pub const OWN_CORPUS: &str = "own corpus";

/// Our own mentions were written for what is rare, so how often each sentiment is among them says little. On real posts left
/// out of the training, mean F1 was 54.6 at 0, 57.5 at 0.5, 59.7 at 1; on the TRSAv1 sample 64.3, 63.5, 62.1 (November 2026).
const OWN_EVENNESS: f32 = 0.75;

/// A set of labelled texts and what it is to a model.
#[derive(Debug)]
pub struct Origin {
    pub name: &'static str,
    pub rows: Vec<Row>,
    /// How many plain texts the whole set counts as for sentiment.
    pub moods_mass: f32,
    /// How far its sentiments count as if they were equally frequent: 0 as they fall, 1 wholly.
    pub moods_evenness: f32,
    /// The same as `moods_mass` for intents; 0 where it has none.
    pub intents_mass: f32,
    /// Good and bad alone: nothing is learnt from it about neutral texts.
    pub polar: bool,
    pub licence: &'static str,
    /// Its licence plainly allows to ship a model that learnt from it.
    pub open: bool,
}

impl Origin {
    /// Whether its texts are like those people write to brands: a model starts from its share of labels, and a tenth of it
    /// is kept apart.
    pub fn home(&self) -> bool {
        self.intents_mass > 0.0
    }

    /// Whether sentiment in three classes is measured on it.
    pub fn three_moods(&self) -> bool {
        !self.polar && self.moods_mass > 0.0
    }
}

/// The sets of `language`: our own under `corpus`, the public ones under `data`.
pub fn origins(language: &str, corpus: &Path, data: &Path) -> Result<Vec<Origin>, CorpusError> {
    if let Some((_, stem)) = MOODS_ALONE.iter().chain(&TRIED).find(|(code, _)| *code == language) {
        return moods_alone(language, stem, corpus, data);
    }
    let ours = Origin {
        name: OWN_CORPUS,
        rows: corpus::mentions(corpus, language)?,
        moods_mass: 5_000.0,
        moods_evenness: OWN_EVENNESS,
        intents_mass: if language == "tr" { 6_000.0 } else { 2_000.0 },
        polar: false,
        licence: "ours, Apache-2.0",
        open: true,
    };
    let public = |name, stem: &str, moods_mass, polar, licence, open| -> Result<Origin, CorpusError> {
        let rows = corpus::public(data, &format!("sentiment/{stem}"), language)?;
        Ok(Origin { name, rows, moods_mass, moods_evenness: 0.0, intents_mass: 0.0, polar, licence, open })
    };
    let labelled = |intents_mass| -> Result<Origin, CorpusError> {
        Ok(Origin {
            name: "tweets labelled for intents",
            rows: corpus::tweets(corpus, data, language)?,
            moods_mass: 0.0,
            moods_evenness: 0.0,
            intents_mass,
            polar: false,
            licence: "labels ours, texts of the public sets below (tier C)",
            open: false,
        })
    };
    let research = "no licence for commercial use stated (tier C)";
    if language == "tr" {
        return Ok(vec![
            Origin {
                name: "brand posts",
                rows: corpus::posts(corpus, data)?,
                moods_mass: 6_300.0,
                moods_evenness: 0.0,
                intents_mass: 4_000.0,
                polar: false,
                licence: "labels ours, texts from an MIT repository (tier A)",
                open: true,
            },
            ours,
            labelled(1_000.0)?,
            public("FSMTSAD", "tr_fsmtsad", 4_000.0, false, "CC0, its README asks for leave (tier C)", false)?,
            public("TRSAv1 sample", "tr_trsav1_3k", 2_600.0, false, research, false)?,
            public("Guven tweets", "tr_guven_tweets", 300.0, true, research, false)?,
        ]);
    }
    Ok(vec![
        ours,
        labelled(1_000.0)?,
        public("TweetEval and SemEval", "en_tweeteval", 15_000.0, false, "research (tier C)", false)?,
    ])
}

/// A public set to learn from, and what emoji say in those of the other languages, since some have hardly any; our own
/// mentions, too few for that, to measure on.
fn moods_alone(language: &str, stem: &str, corpus: &Path, data: &Path) -> Result<Vec<Origin>, CorpusError> {
    let licence = "repository Apache-2.0, tweets research (tier C)";
    let origin = |name, rows, moods_mass, polar| Origin {
        name,
        rows,
        moods_mass,
        moods_evenness: 0.0,
        intents_mass: 0.0,
        polar,
        licence,
        open: false,
    };
    let mut mentions = corpus::mentions(corpus, language)?;
    for row in &mut mentions {
        row.part = Part::Test;
    }
    let tweets = |language: &str, stem: &str| corpus::public(data, &format!("sentiment/{stem}"), language);
    let tokenizer = Tokenizer::default();
    let mut emoji: Vec<Row> = Vec::new();
    for (code, stem) in MOODS_ALONE.into_iter().filter(|(code, _)| *code != language) {
        let clear = |row: &Row| row.part == Part::Train && row.sentiment != Some(SentimentLabel::Neutral);
        for row in tweets(code, stem)?.into_iter().filter(clear) {
            let tokens = tokenizer.tokens(&row.text, None);
            let found = tokens.iter().filter(|token| token.kind == TokenKind::Emoji).map(|token| token.surface);
            let text = found.collect::<Vec<_>>().join(" ");
            if !text.is_empty() {
                emoji.push(Row { text, ..row });
            }
        }
    }
    Ok(vec![
        Origin { licence: "ours, Apache-2.0", open: true, ..origin(OWN_CORPUS, mentions, 0.0, false) },
        origin("UMSAB tweets", tweets(language, stem)?, 1_000.0, false),
        origin("emoji of UMSAB tweets in other languages", emoji, 300.0, true),
    ])
}

/// A set whose features have been read.
#[derive(Debug)]
pub struct Prepared {
    pub origin: Origin,
    /// What may be learnt from: none of it is nearly the same as a text that is kept apart.
    pub train: Vec<Example>,
    /// The part that a public set names so: measured on, not learnt from.
    pub dev: Vec<Example>,
    /// The tenth of a set of our own that is kept apart.
    pub test: Vec<Example>,
}

/// Reads the features of all sets. `typed` changes each text first.
pub fn prepare(
    origins: Vec<Origin>,
    tokenizer: &Tokenizer,
    reader: &Reader<'_>,
    typed: impl Fn(&str) -> String,
) -> Vec<Prepared> {
    let texts: Vec<&str> = origins.iter().flat_map(|origin| &origin.rows).map(|row| row.text.as_str()).collect();
    let groups = near::groups(&texts);
    let all = origins.iter().flat_map(|origin| &origin.rows).zip(&groups);
    let apart: HashSet<usize> =
        all.filter(|(row, _)| matches!(row.part, Part::Test | Part::Dev)).map(|(_, group)| *group).collect();
    let mut groups = groups.into_iter();
    let read = |mut origin: Origin| {
        let (mut train, mut dev, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (mut row, group)) in std::mem::take(&mut origin.rows).into_iter().zip(groups.by_ref()).enumerate() {
            row.group = group;
            row.text = typed(&row.text);
            let example = Example { place, ..example(&row, tokenizer, reader) };
            match row.part {
                Part::Train if apart.contains(&group) => {}
                Part::Train => train.push(example),
                Part::Dev => dev.push(example),
                Part::Test => test.push(example),
            }
        }
        Prepared { origin, train, dev, test }
    };
    origins.into_iter().map(read).collect()
}

/// The text as a keyboard without dots and accents types it: Turkish, and the other languages in Latin letters.
pub fn typed_in_ascii(text: &str) -> String {
    let mut typed = String::with_capacity(text.len());
    for character in DecomposingNormalizerBorrowed::new_nfd().normalize(text).chars() {
        match character {
            'ı' => typed.push('i'),
            'ß' => typed.push_str("ss"),
            'œ' => typed.push_str("oe"),
            '\u{300}'..='\u{36f}' => {}
            other => typed.push(other),
        }
    }
    typed
}

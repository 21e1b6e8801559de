//! The words of a Turkish text with their stems, those of hashtags among them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tokens::{self, Token, TokenKind};
use super::turkish::Stemmer;

/// A word, its stem, and what its endings say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stem {
    /// In lower case, as it was written.
    #[schema(example = "gelmedi")]
    pub text: String,
    #[schema(example = "gel")]
    pub stem: String,
    /// With the letters that were left out or drawn out put right, where that is certain: `için` of `icin`, `çok` of `çoook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<String>,
    /// `gelmedi`, `değil`, `yok`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub negated: bool,
    /// `mi`, `musunuz`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub question: bool,
    /// `kalitesiz`: without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The stems of a composed text's tokens, in the order of the text; `hashtags` are the words of each hashtag in turn.
pub fn of(tokens: &[Token<'_>], hashtags: &[Vec<String>], stemmer: &Stemmer) -> Vec<Stem> {
    let read = |written: &str| {
        let text = tokens::lower_case(written, "tr");
        let reading = stemmer.read_written(written, &text);
        Stem {
            text,
            stem: reading.lemma,
            restored: reading.restored,
            negated: reading.negated,
            question: reading.question,
            without: reading.without,
        }
    };
    let mut stems = Vec::with_capacity(tokens.len());
    let mut hashtags = hashtags.iter();
    for token in tokens {
        match token.kind {
            TokenKind::Word => stems.push(read(token.surface)),
            TokenKind::Hashtag => stems.extend(hashtags.next().into_iter().flatten().map(|word| read(word))),
            _ => {}
        }
    }
    stems
}

//! Tells mood and intents of a text with a linear model, and names the words that moved it.

use super::features::{Features, Signalling};
use super::linear::{HEADS, Linear, LogOdds, POLARITY};
use super::measure::{largest, moods, named};
use super::tokens::{Token, TokenKind};
use super::{Intent, Reason, Sentiment, two_decimals};
use crate::model::SentimentLabel;

/// Tokens that are read: time stays bounded for any text.
const TOKENS_READ: usize = 600;
/// Words that are tried for a reason; the rest of a text moves its mood less.
const TRIED: usize = 4;
/// A word's log-odds divided by this is at most what it can move a probability by.
const LOG_ODDS_TO_WEIGHT: f32 = 4.0;

/// A language's model and what its features are read with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    pub model: &'a Linear<'a>,
    pub signalling: Signalling<'a>,
}

impl Judge<'_> {
    /// The mood and the intents of a composed text. `certainty` is that of its language.
    pub fn judge(&self, text: &str, tokens: &[Token<'_>], certainty: f64) -> (Sentiment, Vec<Intent>) {
        let tokens = &tokens[..tokens.len().min(TOKENS_READ)];
        let odds = self.odds(tokens);
        let chances = moods(&odds);
        let said = largest(&chances);
        let sentiment = Sentiment {
            label: SentimentLabel::ALL[said],
            score: score(&odds),
            // A text that may be in another language may also be misread.
            confidence: two_decimals(f64::from(chances[said]) * (0.7 + 0.3 * certainty)),
            because: self.reasons(text, tokens, &odds),
        };
        let intents = named(&odds)
            .into_iter()
            .map(|(label, chance)| Intent { label, confidence: two_decimals(f64::from(chance)) })
            .collect();
        (sentiment, intents)
    }

    /// The log-odds of all heads.
    pub fn odds(&self, tokens: &[Token<'_>]) -> LogOdds {
        let features = Features::read(tokens);
        self.model.log_odds(&self.model.sums(&features), features.count(), &self.signalling.of(tokens))
    }

    /// The words that move the score most: each was taken out to see that the score moves as its weight says.
    fn reasons(&self, text: &str, tokens: &[Token<'_>], odds: &LogOdds) -> Vec<Reason> {
        let features = Features::read(tokens);
        let mut tried: Vec<(i32, &str)> = Vec::new();
        for piece in 0..features.pieces.len() {
            let token = &tokens[features.pieces[piece].token];
            if !matches!(token.kind, TokenKind::Word | TokenKind::Hashtag | TokenKind::Emoji) {
                continue;
            }
            let mut sums = [0; HEADS];
            for feature in features.own(piece) {
                self.model.add(*feature, 1, &mut sums);
            }
            match tried.iter_mut().find(|(_, known)| *known == token.surface) {
                Some((sum, _)) => *sum += sums[POLARITY],
                None => tried.push((sums[POLARITY], token.surface)),
            }
        }
        tried.sort_by_key(|(sum, _)| std::cmp::Reverse(sum.abs()));
        tried.truncate(TRIED);
        let before = score(odds);
        let mut reasons: Vec<Reason> = Vec::new();
        for (_, surface) in tried {
            let places = tokens.iter().filter(|token| token.surface == surface).count();
            // "is" is also in "this": who takes it out of the text would take out more than the word.
            if text.matches(surface).count() != places {
                continue;
            }
            let mut without: Vec<Token<'_>> = tokens.to_vec();
            for token in without.iter_mut().filter(|token| token.surface == surface) {
                (token.kind, token.surface) = (TokenKind::Mark, "");
                token.key.clear();
            }
            // What stood around the word is read apart, then together; a mark without letters changes no hashed feature.
            let features = Features::read(&without);
            let (sums, count) = (self.model.sums(&features), features.count());
            let rescored = |tokens: &[Token<'_>]| self.model.log_odds(&sums, count, &self.signalling.of(tokens));
            let apart = rescored(&without);
            let weight = two_decimals(f64::from((odds[POLARITY] - apart[POLARITY]) / LOG_ODDS_TO_WEIGHT));
            let agrees = |odds: &LogOdds| (before - score(odds)) * weight >= 0.0;
            if weight == 0.0 || !agrees(&apart) {
                continue;
            }
            without.retain(|token| !token.surface.is_empty());
            if agrees(&rescored(&without)) {
                reasons.push(Reason { text: surface.to_owned(), weight });
            }
        }
        reasons.sort_by(|one, other| other.weight.abs().total_cmp(&one.weight.abs()));
        reasons
    }
}

/// The probability of a good mood less that of a bad one, from -1 to 1.
pub fn score(odds: &LogOdds) -> f64 {
    let [bad, _, good] = moods(odds);
    (f64::from(good - bad) * 10_000.0).round() / 10_000.0 + 0.0
}

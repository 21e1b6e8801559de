//! Tells mood and intents of a text with a linear model, and names the words that made the mood, with their exact weights.

use super::features::{Piece, Reader};
use super::linear::{INTENTS, Linear, MOODS, POLARITY, moods, softmax};
use super::measure::{largest, named};
use super::tokens::{Token, TokenKind};
use super::{Intent, Reason, Sentiment, base_of, four_decimals, score_of, two_decimals};
use crate::model::{IntentLabel, SentimentLabel};

/// A person reads no more reasons than this; the rest of the weights are in the base.
const REASONS: usize = 8;
/// Weights under this move nobody's score and are in the base.
const SMALLEST: f64 = 0.02;

/// A language's model and what its features are read with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    pub model: &'a Linear<'a>,
    pub reader: Reader<'a>,
}

/// What a text's pieces say of its mood, in the model's units.
struct Reading<'t> {
    pieces: Vec<Piece<'t>>,
    /// What each piece says alone.
    own: Vec<[f32; MOODS]>,
    sums: [f32; MOODS],
    intents: [f32; INTENTS],
}

impl Judge<'_> {
    /// The mood and the intents of a composed text. `certainty` is that of its language.
    pub fn judge(&self, text: &str, tokens: &[Token<'_>], certainty: f64) -> (Sentiment, Vec<Intent>) {
        let reading = self.read(tokens);
        let chances = moods(&self.model.moods.log_odds(&reading.sums));
        let said = largest(&chances);
        let because = self.reasons(text, &reading);
        let score = score_of(weight_of(self.model.moods.log_odds(&reading.sums)[POLARITY]));
        let sentiment = Sentiment {
            label: SentimentLabel::ALL[said],
            score,
            // A text that may be in another language may also be misread.
            confidence: two_decimals(f64::from(chances[said]) * (0.7 + 0.3 * certainty)),
            base: base_of(score, &because),
            because,
        };
        let mut chances = softmax(&self.model.intents.log_odds(&reading.intents));
        agree(&mut chances, sentiment.label);
        let intents = named(&chances)
            .into_iter()
            .map(|(label, chance)| Intent { label, confidence: two_decimals(f64::from(chance)) })
            .collect();
        (sentiment, intents)
    }

    /// The log-odds of opinion and polarity, and those of the intents.
    pub fn odds(&self, tokens: &[Token<'_>]) -> ([f32; MOODS], [f32; INTENTS]) {
        let reading = self.read(tokens);
        (self.model.moods.log_odds(&reading.sums), self.model.intents.log_odds(&reading.intents))
    }

    /// The score alone.
    pub fn score(&self, tokens: &[Token<'_>]) -> f64 {
        score_of(weight_of(self.odds(tokens).0[POLARITY]))
    }

    fn read<'t>(&self, tokens: &'t [Token<'t>]) -> Reading<'t> {
        let pieces = self.reader.pieces(tokens);
        let Linear { moods, intents } = self.model;
        let mut all = [0.0; INTENTS];
        let mut own = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            let mut alone = [0.0; MOODS];
            self.reader.own(piece, |hash, value| {
                moods.add(hash, value, &mut alone);
                intents.add(hash, value, &mut all);
            });
            own.push(alone);
        }
        let mut sums = own.iter().fold([0.0; MOODS], |sums, own| [sums[0] + own[0], sums[1] + own[1]]);
        self.reader.shared(&pieces, |hash, value, _, _| {
            moods.add(hash, value, &mut sums);
            intents.add(hash, value, &mut all);
        });
        self.reader.cues(tokens, |hash, value| intents.add(hash, value, &mut all));
        Reading { pieces, own, sums, intents: all }
    }

    /// The words with their weights, the strongest first.
    fn reasons(&self, text: &str, reading: &Reading<'_>) -> Vec<Reason> {
        let Reading { pieces, own, .. } = reading;
        let mut weights: Vec<f32> = own.iter().map(|own| own[POLARITY]).collect();
        self.reader.shared(pieces, |hash, value, left, right| {
            let mut sums = [0.0; MOODS];
            self.model.moods.add(hash, value / 2.0, &mut sums);
            weights[left] += sums[POLARITY];
            weights[right] += sums[POLARITY];
        });
        let mut words: Vec<(&str, f32)> = Vec::new();
        for (piece, weight) in pieces.iter().zip(weights) {
            let token = piece.token();
            if matches!(token.kind, TokenKind::Word | TokenKind::Hashtag | TokenKind::Emoji) {
                match words.iter_mut().find(|(surface, _)| *surface == token.surface) {
                    Some((_, sum)) => *sum += weight,
                    None => words.push((token.surface, weight)),
                }
            }
        }
        let scale = self.model.moods.scales[POLARITY];
        words.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        words.truncate(REASONS);
        let mut reasons = Vec::new();
        for (surface, sum) in words {
            let weight = weight_of(scale * sum);
            if weight.abs() >= SMALLEST && self.moves(text, reading, surface, weight > 0.0) {
                reasons.push(Reason { text: surface.to_owned(), weight });
            }
        }
        reasons
    }

    /// Whether the score falls when a good word is taken out of the text, and rises when a bad one is: with nothing in its
    /// place, and with a comma.
    fn moves(&self, text: &str, reading: &Reading<'_>, surface: &str, good: bool) -> bool {
        let Reading { pieces, own, sums, .. } = reading;
        let places = pieces.iter().filter(|piece| piece.token().surface == surface).count();
        // "is" is also in "this": who takes it out of the text would take out more than the word.
        if text.matches(surface).count() != places {
            return false;
        }
        let mut rest: Vec<Piece<'_>> = Vec::with_capacity(pieces.len());
        let mut alone = 0.0;
        for (piece, own) in pieces.iter().zip(own) {
            if piece.token().surface == surface {
                continue;
            }
            alone += own[POLARITY];
            rest.push(*piece);
        }
        let falls = |pieces: &[Piece<'_>]| {
            let mut without = [0.0; MOODS];
            without[POLARITY] = alone;
            self.reader.shared(pieces, |hash, value, _, _| self.model.moods.add(hash, value, &mut without));
            if good { without[POLARITY] <= sums[POLARITY] } else { without[POLARITY] >= sums[POLARITY] }
        };
        let comma = Token { kind: TokenKind::Mark, surface: ",", start: 0, key: String::new() };
        let comma = Piece::mark(&comma);
        let with_comma: Vec<Piece<'_>> =
            pieces.iter().map(|piece| if piece.token().surface == surface { comma } else { *piece }).collect();
        falls(&rest) && falls(&with_comma)
    }
}

/// Half of the log-odds of good against bad, to four decimals: what the hyperbolic tangent makes a score of.
fn weight_of(log_odds: f32) -> f64 {
    four_decimals(f64::from(log_odds) / 2.0)
}

/// A bad mood has no praise and hardly nothing at all as its main intent, and a good one no complaint: then the two change
/// places.
fn agree(chances: &mut [f32; INTENTS], mood: SentimentLabel) {
    let main = IntentLabel::ALL[largest(chances)];
    match (mood, main) {
        (SentimentLabel::Negative, IntentLabel::Praise | IntentLabel::Other) => {
            chances.swap(main as usize, IntentLabel::Complaint as usize);
        }
        (SentimentLabel::Positive, IntentLabel::Complaint) => {
            chances.swap(main as usize, IntentLabel::Praise as usize);
        }
        _ => {}
    }
}

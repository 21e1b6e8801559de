//! Tells what the writer wants, by rules: phrases, question marks and particles, polite imperatives.

use super::lexicon::{Endings, Lexicon};
use super::sentiment::Words;
use super::tokens::{Token, TokenKind};
use super::{Intent, Sentiment, two_decimals};
use crate::model::IntentLabel;

/// Evidence from which on an intent is named.
const ENOUGH: f64 = 0.6;

/// Weights of the list from which on a phrase is a strong hint.
const STRONG: f64 = 0.9;

/// What a phrase says about what the writer wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cue {
    label: IntentLabel,
    weight: f64,
}

/// Phrases of Turkish and English.
#[derive(Debug)]
pub struct Cues {
    turkish: Lexicon<Cue>,
    english: Lexicon<Cue>,
}

impl Cues {
    /// Reads the list: language, intent, weight, words.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut cues = Self { turkish: Lexicon::new(Endings::Turkish), english: Lexicon::new(Endings::English) };
        for (number, line) in list.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |reason: &str| format!("line {}: {reason}: {line:?}", number + 1);
            let fields: Vec<&str> = line.split('\t').collect();
            let &[language, label, weight, words] = fields.as_slice() else { return Err(wrong("not four fields")) };
            let label = label.parse().map_err(|error: String| wrong(&error))?;
            let weight = weight.parse().map_err(|_| wrong("the weight is no number"))?;
            match language {
                "tr" => cues.turkish.add(words, Cue { label, weight }),
                "en" => cues.english.add(words, Cue { label, weight }),
                _ => return Err(wrong("neither tr nor en")),
            }
        }
        Ok(cues)
    }

    /// What the writer of a text without a model wants, by its marks and emoji; `other` when nothing says.
    pub fn intents(&self, text: &str, tokens: &[Token<'_>], sentiment: &Sentiment) -> Vec<Intent> {
        let mut evidence = Evidence::default();
        if text.contains(['?', '？', '؟', '¿']) {
            evidence.add(IntentLabel::Question, 0.9);
        }
        if sentiment.score < -0.3 {
            evidence.add(IntentLabel::Complaint, 0.6);
        }
        spam_marks(tokens, &mut evidence);
        evidence.into_intents(tokens.iter().filter(|token| token.kind != TokenKind::Mark).count())
    }

    /// Calls `say` with each intent that a phrase or the grammar speaks for, and whether strongly.
    pub fn found(&self, tokens: &[Token<'_>], language: Words<'_>, mut say: impl FnMut(IntentLabel, bool)) {
        let phrases = match language {
            Words::Turkish(_) => &self.turkish,
            Words::English(_) => &self.english,
            Words::None => return,
        };
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].is_word().then(|| phrases.find(tokens, at)).flatten() {
                Some(found) => {
                    let Cue { label, weight } = found.value;
                    // "Teşekkür etmiyorum", "önermem" are no praise.
                    if !(found.ending.negated && label != IntentLabel::Complaint) {
                        say(label, weight >= STRONG);
                    }
                    at += found.tokens;
                }
                None => at += 1,
            }
        }
        if matches!(language, Words::Turkish(_)) {
            turkish_grammar(tokens, say);
        }
    }
}

/// Question particles, and the polite request "-r mısınız".
fn turkish_grammar(tokens: &[Token<'_>], mut say: impl FnMut(IntentLabel, bool)) {
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Word) {
        let Some((verb, particle)) = question(&token.key) else { continue };
        let before =
            if verb.is_empty() { index.checked_sub(1).map_or("", |before| tokens[before].key.as_str()) } else { verb };
        if TO_YOU.contains(&particle) && before.ends_with('r') {
            say(IntentLabel::Request, true);
        } else {
            say(IntentLabel::Question, true);
        }
    }
}

/// Particles that ask somebody what they do.
const TO_YOU: [&str; 4] = ["misiniz", "musunuz", "misin", "musun"];
/// Those that ask of anything else.
const PARTICLES: [&str; 10] = ["midir", "mudur", "miydi", "muydu", "miyiz", "muyuz", "miyim", "muyum", "mi", "mu"];
/// What a verb or a word of being ends in where people write the particle onto it: `çekiyormu`, `varmı`, `gelecekmi`. Pasts
/// are not among them: `yardımı` asks nothing.
const WRITTEN_ONTO: [&str; 14] =
    ["yor", "yo", "mis", "mus", "cek", "cak", "bilir", "olur", "var", "yok", "degil", "mez", "maz", "gerek"];

/// The particle of a word that is one or ends in one, and the word before it; that is empty where the particle stands alone.
fn question(key: &str) -> Option<(&str, &'static str)> {
    TO_YOU.iter().chain(&PARTICLES).find_map(|particle| {
        let verb = key.strip_suffix(particle)?;
        let asks = verb.is_empty()
            || WRITTEN_ONTO.iter().any(|ending| verb.ends_with(ending))
            || verb.ends_with('r') && TO_YOU.contains(particle);
        asks.then_some((verb, *particle))
    })
}

/// Many links or hashtags around few words.
fn spam_marks(tokens: &[Token<'_>], evidence: &mut Evidence) {
    let count = |kind: TokenKind| tokens.iter().filter(|token| token.kind == kind).count() as f64;
    let (links, hashtags, words) = (count(TokenKind::Link), count(TokenKind::Hashtag), count(TokenKind::Word));
    if links > 0.0 && evidence.of(IntentLabel::Spam) > 0.0 {
        evidence.add(IntentLabel::Spam, 0.6);
    }
    if links >= 3.0 || (links > 0.0 && words == 0.0) {
        evidence.add(IntentLabel::Spam, 0.7);
    }
    if hashtags >= 5.0 && hashtags > 0.4 * words {
        evidence.add(IntentLabel::Spam, 0.7);
    }
}

/// Evidence for each intent.
#[derive(Debug, Default)]
struct Evidence([f64; IntentLabel::ALL.len()]);

impl Evidence {
    fn add(&mut self, label: IntentLabel, weight: f64) {
        // Each further hint says less than the one before.
        let so_far = &mut self.0[label as usize];
        *so_far += weight / (1.0 + *so_far);
    }

    fn of(&self, label: IntentLabel) -> f64 {
        self.0[label as usize]
    }

    fn into_intents(self, pieces: usize) -> Vec<Intent> {
        let named = IntentLabel::ALL.iter().copied().filter(|label| self.of(*label) >= ENOUGH);
        let mut intents: Vec<Intent> = named
            .map(|label| Intent { label, confidence: two_decimals(0.95 - 0.75 * (-0.7 * self.of(label)).exp()) })
            .collect();
        intents.sort_by(|one, other| self.of(other.label).total_cmp(&self.of(one.label)));
        if intents.is_empty() {
            let most = self.0.iter().copied().fold(0.0, f64::max);
            let confidence = if pieces == 0 { 0.3 } else { two_decimals(0.6 - 0.4 * most) };
            intents.push(Intent { label: IntentLabel::Other, confidence });
        }
        intents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_particle_is_told_from_the_end_of_a_word() {
        assert_eq!(question("misiniz"), Some(("", "misiniz")));
        assert_eq!(question("cekiyormu"), Some(("cekiyor", "mu")));
        assert_eq!(question("edermisin"), Some(("eder", "misin")));
        for word in ["yardimi", "resmi", "adimi", "yirmi", "ekibimi"] {
            assert_eq!(question(word), None, "{word}");
        }
    }
}

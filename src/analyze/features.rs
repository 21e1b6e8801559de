//! What a linear model reads of a text: hashed words, pairs of words and runs of letters, and a few signals.
//!
//! Everything is taken from folded keys, so a text typed without its Turkish letters has the same features.

use super::intents::Cues;
use super::lexicon::EmojiWeights;
use super::sentiment::{self, Words};
use super::tokens::{Token, TokenKind};

/// More pieces of a text than this are not weighed: time stays bounded, and nobody's mood needs more.
const PIECES_READ: usize = 400;
/// Runs of letters are taken from this much of a word.
const LETTERS_READ: usize = 30;
/// The longest run of letters.
const LONGEST_RUN: usize = 5;
const SHORTEST_RUN: usize = 3;

/// How many signals stand beside the hashed features.
pub const SIGNALS: usize = 26;

/// Numbers about the whole text, each between -1 and 1 or so.
pub type Signals = [f32; SIGNALS];

/// The hash of a feature; a model takes as many of its bits as it has buckets for.
pub type Hash = u32;

/// One token that counts, and where its own features stand in [`Features::own`].
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Its place among the tokens.
    pub token: usize,
    word: u32,
    from: u32,
    until: u32,
}

/// The hashed features of a text, kept apart by token, so that one token can be taken out again.
#[derive(Debug, Default)]
pub struct Features {
    pub pieces: Vec<Piece>,
    own: Vec<Hash>,
}

impl Features {
    /// Reads the tokens of a text in their order.
    pub fn read(tokens: &[Token<'_>]) -> Self {
        let mut features =
            Self { pieces: Vec::with_capacity(tokens.len()), own: Vec::with_capacity(24 * tokens.len()) };
        for (index, token) in tokens.iter().enumerate() {
            if features.pieces.len() == PIECES_READ {
                break;
            }
            features.piece(index, token);
        }
        features
    }

    fn piece(&mut self, index: usize, token: &Token<'_>) {
        let from = self.own.len() as u32;
        let key = match token.kind {
            TokenKind::Mention => "@",
            TokenKind::Link => "http",
            TokenKind::Number => match token.surface.len() {
                1 => "0",
                2 => "00",
                3 | 4 => "000",
                _ => "00000",
            },
            TokenKind::Mark => match token.surface {
                mark if mark.contains('?') => "?",
                mark if mark.contains('!') => "!",
                mark if mark.contains('…') => "…",
                _ => return,
            },
            TokenKind::Word | TokenKind::Hashtag | TokenKind::Emoji => token.key.as_str(),
        };
        if key.is_empty() {
            return;
        }
        let word = hash(b"w", key.as_bytes());
        self.own.push(word);
        if matches!(token.kind, TokenKind::Word | TokenKind::Hashtag) {
            self.runs(key.as_bytes());
        }
        self.pieces.push(Piece { token: index, word, from, until: self.own.len() as u32 });
    }

    /// Runs of letters with the word's borders: `^iyi$`.
    fn runs(&mut self, word: &[u8]) {
        let mut letters = [b'^'; LETTERS_READ + 2];
        let length = word.len().min(LETTERS_READ);
        letters[1..=length].copy_from_slice(&word[..length]);
        letters[length + 1] = b'$';
        let letters = &letters[..length + 2];
        for start in 0..letters.len() {
            let mut state = SEED;
            for (count, letter) in letters[start..].iter().take(LONGEST_RUN).enumerate() {
                state = step(state, *letter);
                if count + 1 >= SHORTEST_RUN {
                    self.own.push(finish(state));
                }
            }
        }
    }

    /// The features that are a piece's own: its word and its runs of letters.
    pub fn own(&self, piece: usize) -> &[Hash] {
        let Piece { from, until, .. } = self.pieces[piece];
        &self.own[from as usize..until as usize]
    }

    /// The feature of two pieces beside each other.
    pub fn pair(&self, left: usize, right: usize) -> Hash {
        pair(self.pieces[left].word, self.pieces[right].word)
    }

    /// All hashed features of the text.
    pub fn all(&self) -> impl Iterator<Item = Hash> {
        let pairs = self.pieces.windows(2).map(|two| pair(two[0].word, two[1].word));
        self.own.iter().copied().chain(pairs)
    }

    /// How many features [`Features::all`] gives.
    pub fn count(&self) -> usize {
        self.own.len() + self.pieces.len().saturating_sub(1)
    }
}

const SEED: u32 = 0x811c_9dc5;

fn step(state: u32, byte: u8) -> u32 {
    (state ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// Spreads a state over all bits, since buckets are counted by the low ones.
fn finish(mut state: u32) -> Hash {
    state = (state ^ (state >> 16)).wrapping_mul(0x85eb_ca6b);
    state = (state ^ (state >> 13)).wrapping_mul(0xc2b2_ae35);
    state ^ (state >> 16)
}

fn hash(kind: &[u8], bytes: &[u8]) -> Hash {
    finish(kind.iter().chain(bytes).fold(SEED, |state, byte| step(state, *byte)))
}

fn pair(left: u32, right: u32) -> Hash {
    finish(left.rotate_left(5).wrapping_mul(0x9e37_79b1) ^ right)
}

/// What the word lists, the rules and the look of a text say of it.
#[derive(Debug, Clone, Copy)]
pub struct Signalling<'l> {
    pub words: Words<'l>,
    pub emoji: &'l EmojiWeights,
    pub cues: &'l Cues,
}

impl Signalling<'_> {
    /// The signals of a text; `without` is left out as if it were not there.
    pub fn of(&self, tokens: &[Token<'_>]) -> Signals {
        let mut signals = [0.0; SIGNALS];
        let weights = sentiment::weights(tokens, self.words, self.emoji);
        let sum = |good: bool| weights.iter().filter(|weight| (**weight > 0.0) == good).sum::<f64>();
        let (good, bad) = (sum(true), sum(false));
        signals[0] = sentiment::score_of(good + bad) as f32;
        signals[1] = (good / 2.0).min(1.0) as f32;
        signals[2] = (bad / 2.0).max(-1.0) as f32;
        signals[3] = if weights.is_empty() { 1.0 } else { 0.0 };
        signals[4] = weights.last().map_or(0.0, |weight| *weight as f32);
        let count = |kind: TokenKind| tokens.iter().filter(|token| token.kind == kind).count() as f32;
        let (mut questions, mut calls, mut dots) = (0, 0, 0);
        let (mut capitals, mut letters, mut drawn_out) = (0_u32, 0_u32, false);
        let mut emoji = 0.0;
        for token in tokens.iter().take(PIECES_READ) {
            match token.kind {
                TokenKind::Mark => {
                    questions += token.surface.matches('?').count();
                    calls += token.surface.matches('!').count();
                    dots += usize::from(token.surface.contains("..") || token.surface.contains('…'));
                }
                TokenKind::Word => {
                    let mut run = 0;
                    let mut last = '\0';
                    for character in token.surface.chars().take(LETTERS_READ) {
                        letters += 1;
                        capitals += u32::from(character.is_uppercase());
                        run = if character == last { run + 1 } else { 0 };
                        drawn_out |= run == 2;
                        last = character;
                    }
                }
                TokenKind::Emoji => emoji += self.emoji.weight(token).unwrap_or(0.0),
                _ => {}
            }
        }
        let present = |count: usize| if count > 0 { 1.0 } else { 0.0 };
        signals[5] = present(questions);
        signals[6] = present(calls);
        signals[7] = present(calls.saturating_sub(1));
        signals[8] = present(dots);
        signals[9] = if letters >= 6 && 2 * capitals > letters { 1.0 } else { 0.0 };
        signals[10] = if drawn_out { 1.0 } else { 0.0 };
        signals[11] = (emoji.clamp(-2.0, 2.0) / 2.0) as f32;
        signals[12] = (count(TokenKind::Word).ln_1p() / 4.0).min(1.0);
        signals[13] = count(TokenKind::Link).min(2.0) / 2.0;
        signals[14] = count(TokenKind::Mention).min(3.0) / 3.0;
        signals[15] = count(TokenKind::Hashtag).min(4.0) / 4.0;
        signals[16] = count(TokenKind::Number).min(3.0) / 3.0;
        signals[17] = if tokens.first().is_some_and(|token| token.kind == TokenKind::Mention) { 1.0 } else { 0.0 };
        let evidence = self.cues.evidence(tokens, self.words);
        for (signal, evidence) in signals[18..].iter_mut().zip(evidence) {
            *signal = (evidence as f32 / 2.0).clamp(-1.0, 1.0);
        }
        signals
    }
}

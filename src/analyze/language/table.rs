//! Tells languages in Latin letters apart by their runs of one to four letters: a table of 8-bit weights.

use std::ops::{AddAssign, SubAssign};

use crate::analyze::features::{SEED, step};
use crate::analyze::tokens::{Token, TokenKind, bare};

/// The languages of the table (BCP 47). `hi` is Hindi in Latin letters; the last place is for what is none of them.
pub const LANGUAGES: [&str; COUNT] =
    ["tr", "en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "id", "hi", "az", "uz", "tk", super::UNKNOWN];
/// Sixteen weights are one row of the table: they are added in one step of the processor.
pub const COUNT: usize = 16;
/// The place of other languages and of letters struck at random.
pub const OTHER: usize = COUNT - 1;

/// Rows of the table: with 24,000 it is 384 kB.
pub const ROWS: usize = 24_000;

/// More words than this do not make it surer.
const WORDS_READ: usize = 60;
/// Bytes of a word that are read.
const BYTES_READ: usize = 24;
const LONGEST_RUN: usize = 4;

const MAGIC: &[u8; 8] = b"muhatapL";
const NUMBERS: usize = COUNT + 1;

/// A table as it is embedded.
#[derive(Debug)]
pub struct Table<'m> {
    /// What a 1 in the table stands for.
    scale: f32,
    /// Added to the log-odds of each language.
    bias: [f32; COUNT],
    /// Each weight is the bits of an `i8`.
    rows: &'m [[u8; COUNT]],
}

/// A table's file that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a table of this version")]
pub struct NotATable;

/// Probabilities, or log-odds, in the order of [`LANGUAGES`].
pub type Chances = [f32; COUNT];

/// What words say of each language, before it is weighed: sums of weights, and of how many runs of letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    sums: [i32; COUNT],
    runs: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
        self.runs += other.runs;
    }
}

impl SubAssign for Tally {
    /// `other` is part of it.
    fn sub_assign(&mut self, other: Self) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, less)| *sum -= less);
        self.runs -= other.runs;
    }
}

impl<'m> Table<'m> {
    /// Reads a file that [`write`] wrote.
    pub fn read(file: &'m [u8]) -> Result<Self, NotATable> {
        let rest = file.strip_prefix(MAGIC).ok_or(NotATable)?;
        let (numbers, rows) = rest.split_at_checked(4 * NUMBERS).ok_or(NotATable)?;
        let (rows, []) = rows.as_chunks::<COUNT>() else { return Err(NotATable) };
        if rows.len() != ROWS {
            return Err(NotATable);
        }
        let mut numbers = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let mut next = || numbers.next().unwrap_or_default();
        Ok(Self { scale: next(), bias: std::array::from_fn(|_| next()), rows })
    }

    /// What the words among the tokens say; the words of hashtags only where there are no others.
    pub fn tally(&self, tokens: &[Token<'_>]) -> Tally {
        let mut tally = Tally::default();
        words(tokens).for_each(|word| tally += self.tally_of(word));
        tally
    }

    /// What one word says.
    pub fn tally_of(&self, word: &Token<'_>) -> Tally {
        // The few features of one word fit 16 bits, which halves the work.
        let mut sums = [0_i16; COUNT];
        let mut runs = 0;
        features(word, |hash| {
            for (sum, weight) in sums.iter_mut().zip(&self.rows[row(hash)]) {
                *sum += i16::from(*weight as i8);
            }
            runs += 1;
        });
        Tally { sums: sums.map(i32::from), runs }
    }

    /// The log-odds of each language, up to a number that all of them have in common.
    pub fn log_odds(&self, tally: &Tally) -> Chances {
        let value = self.scale * value(tally.runs as usize);
        std::array::from_fn(|language| self.bias[language] + value * tally.sums[language] as f32)
    }
}

/// What each of `count` runs weighs: twice the letters are surer, but not twice as sure.
pub fn value(count: usize) -> f32 {
    1.0 / (count.max(1) as f32).sqrt()
}

/// The file of a table: `rows` in units of `scale`.
pub fn write(scale: f32, bias: &Chances, rows: &[[i8; COUNT]]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&scale.to_le_bytes());
    file.extend(bias.iter().flat_map(|number| number.to_le_bytes()));
    file.extend(rows.iter().flatten().map(|weight| *weight as u8));
    file
}

/// Probabilities from log-odds.
pub fn softmax(mut values: Chances) -> Chances {
    let most = values.iter().copied().fold(f32::MIN, f32::max);
    values = values.map(|value| (value - most).exp());
    let sum: f32 = values.iter().sum();
    values.map(|value| value / sum)
}

/// The words that are read: not the names of tags, `<br>`, which are the same in every language.
pub fn words<'a, 't>(tokens: &'a [Token<'t>]) -> impl Iterator<Item = &'a Token<'t>> {
    let of = move |kind: TokenKind| {
        let of_kind = tokens.iter().enumerate().filter(move |(_, token)| token.kind == kind);
        of_kind.filter(|(at, _)| !is_tag(tokens, *at)).map(|(_, token)| token)
    };
    let kind = if of(TokenKind::Word).next().is_some() { TokenKind::Word } else { TokenKind::Hashtag };
    of(kind).take(WORDS_READ)
}

/// Whether `<` or `</` stands right before a token.
fn is_tag(tokens: &[Token<'_>], at: usize) -> bool {
    let opens = |mark: &Token<'_>, next: &Token<'_>| mark.surface == "<" && mark.end() == next.start;
    match &tokens[..=at] {
        [.., open, slash, name] if slash.surface == "/" && slash.end() == name.start => opens(open, slash),
        [.., open, name] => opens(open, name),
        _ => false,
    }
}

/// The row of the table a hash belongs to.
pub fn row(hash: u32) -> usize {
    ((u64::from(hash) * ROWS as u64) >> 32) as usize
}

/// The hashes of what is read of a word: its runs of letters, borders among them, as they are without dots and accents;
/// the whole word; and each letter with a dot or an accent, which is all that a text typed without them lacks.
pub fn features(word: &Token<'_>, mut each: impl FnMut(u32)) {
    let mut letters = [b' '; BYTES_READ + 2];
    let key = word.key.as_bytes();
    let length = key.len().min(BYTES_READ);
    letters[1..=length].copy_from_slice(&key[..length]);
    let letters = &letters[..length + 2];
    for start in 0..letters.len() {
        let mut state = SEED;
        for letter in letters[start..].iter().take(LONGEST_RUN) {
            state = step(state, *letter);
            each(spread(state));
        }
    }
    each(spread(letters.iter().fold(SEED_OF_WORDS, |state, letter| step(state, *letter))));
    if !word.surface.is_ascii() {
        for letter in bare(word.surface).chars().take(BYTES_READ).filter(|letter| !letter.is_ascii()) {
            let lower = letter.to_lowercase().next().unwrap_or(letter);
            each(spread(step(step(SEED_OF_ACCENTS, lower as u8), (lower as u32 >> 8) as u8)));
        }
    }
}

/// Kinds of features are kept apart by where their hashes begin.
const SEED_OF_WORDS: u32 = SEED ^ 0x5bd1_e995;
const SEED_OF_ACCENTS: u32 = SEED ^ 0x27d4_eb2f;

/// Spreads a state over the high bits, which choose the row.
fn spread(state: u32) -> u32 {
    (state ^ (state >> 15)).wrapping_mul(0x9e37_79b1)
}

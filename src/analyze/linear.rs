//! Linear models in 8-bit whole numbers: whether there is an opinion, which, and what the writer wants.

use super::features::{Features, Hash, SIGNALS, Signals};
use crate::model::IntentLabel;

/// Opinion, polarity, and one head for each intent.
pub const HEADS: usize = 2 + IntentLabel::ALL.len();
/// The head that tells an opinion from none.
pub const OPINION: usize = 0;
/// The head that tells a good opinion from a bad one.
pub const POLARITY: usize = 1;
/// The head of the first intent, in the order of [`IntentLabel::ALL`].
pub const INTENTS: usize = 2;

const MAGIC: &[u8; 8] = b"muhatap1";

/// What a model is besides its table: `SIGNALS + 3` numbers a head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// What a 1 in the table stands for.
    pub scale: f32,
    pub bias: f32,
    /// Log-odds are multiplied by this, so that probabilities come true as often as they say.
    pub sharpness: f32,
    pub signals: Signals,
}

/// A model as it is embedded.
#[derive(Debug)]
pub struct Linear<'m> {
    heads: [Head; HEADS],
    mask: u32,
    table: &'m [u8],
}

/// A model's file that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a model of this version")]
pub struct NotAModel;

/// Sums over hashed features, in units of each head's scale.
pub type Sums = [i32; HEADS];

/// The log-odds of each head, calibrated.
pub type LogOdds = [f32; HEADS];

impl<'m> Linear<'m> {
    /// Reads a file that [`write`] wrote.
    pub fn read(file: &'m [u8]) -> Result<Self, NotAModel> {
        let (magic, rest) = file.split_at_checked(MAGIC.len()).ok_or(NotAModel)?;
        let (bits, rest) = rest.split_first().ok_or(NotAModel)?;
        let (numbers, table) = rest.split_at_checked(4 * HEADS * (SIGNALS + 3)).ok_or(NotAModel)?;
        if magic != MAGIC || *bits > 24 || table.len() != HEADS << bits {
            return Err(NotAModel);
        }
        let mut numbers = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let mut next = || numbers.next().unwrap_or_default();
        let heads = std::array::from_fn(|_| Head {
            scale: next(),
            bias: next(),
            sharpness: next(),
            signals: std::array::from_fn(|_| next()),
        });
        Ok(Self { heads, mask: (1 << bits) - 1, table })
    }

    /// Adds `times` a feature's weights.
    pub fn add(&self, feature: Hash, times: i32, sums: &mut Sums) {
        let from = (feature & self.mask) as usize * HEADS;
        for (sum, weight) in sums.iter_mut().zip(&self.table[from..from + HEADS]) {
            *sum += times * i32::from(*weight as i8);
        }
    }

    /// The sums over all hashed features of a text.
    pub fn sums(&self, features: &Features) -> Sums {
        let mut sums = [0; HEADS];
        for feature in features.all() {
            self.add(feature, 1, &mut sums);
        }
        sums
    }

    /// The log-odds of sums over `count` hashed features.
    pub fn log_odds(&self, sums: &Sums, count: usize, signals: &Signals) -> LogOdds {
        let value = value(count);
        std::array::from_fn(|index| {
            let head = &self.heads[index];
            let signalled: f32 = head.signals.iter().zip(signals).map(|(weight, signal)| weight * signal).sum();
            head.sharpness * (head.bias + signalled + value * head.scale * sums[index] as f32)
        })
    }
}

/// What each of `count` hashed features weighs: long texts are no surer than short ones.
pub fn value(count: usize) -> f32 {
    1.0 / (count.max(1) as f32).sqrt()
}

/// A probability from log-odds.
pub fn probability(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The file of a model. `table` holds [`HEADS`] numbers for each of `1 << bits` buckets.
pub fn write(bits: u8, heads: &[Head; HEADS], table: &[i8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.push(bits);
    for head in heads {
        for number in [head.scale, head.bias, head.sharpness].iter().chain(&head.signals) {
            file.extend_from_slice(&number.to_le_bytes());
        }
    }
    file.extend(table.iter().map(|weight| *weight as u8));
    file
}

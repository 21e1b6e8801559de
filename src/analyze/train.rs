//! Learns the linear models: logistic regression with AdaGrad, each set of texts weighed as a whole.

use super::corpus::Row;
use super::features::{Features, Hash, SIGNALS, Signalling, Signals};
use super::linear::{self, HEADS, Head, INTENTS, Linear, LogOdds, OPINION, POLARITY};
use super::tokens::{Tokenizer, compose};
use crate::model::{IntentLabel, SentimentLabel};

/// How a model learns.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The model has `1 << bits` buckets.
    pub bits: u8,
    pub epochs: usize,
    pub rate: f32,
    pub l2: f32,
    /// What a fitting intent that is not the main one counts as, where the main one counts as 1.
    pub secondary: f32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { bits: 16, epochs: 5, rate: 0.2, l2: 3e-4, secondary: 0.7 }
    }
}

/// A text as a model learns from it.
#[derive(Debug, Clone)]
pub struct Example {
    hashes: Vec<Hash>,
    pub signals: Signals,
    /// NaN where a head learns nothing from it.
    targets: [f32; HEADS],
    pub sentiment: Option<SentimentLabel>,
    pub intents: Vec<IntentLabel>,
}

impl Example {
    /// What a model says of it.
    pub fn odds(&self, model: &Linear<'_>) -> LogOdds {
        let mut sums = [0; HEADS];
        for hash in &self.hashes {
            model.add(*hash, 1, &mut sums);
        }
        model.log_odds(&sums, self.hashes.len(), &self.signals)
    }
}

/// Examples of one origin and how much they count together.
#[derive(Debug)]
pub struct Source<'e> {
    pub examples: Vec<&'e Example>,
    /// How many plain examples the whole set counts as.
    pub mass: f32,
    /// Good and bad alone: nothing is learnt from it about neutral texts.
    pub polar: bool,
    /// Whose share of labels new texts are expected to have.
    pub home: bool,
}

/// Reads the features of a row.
pub fn example(row: &Row, tokenizer: &Tokenizer, signalling: &Signalling<'_>, recipe: &Recipe) -> Example {
    let text = compose(&row.text);
    let tokens = tokenizer.tokens(&text, None);
    let mut targets = [f32::NAN; HEADS];
    if let Some(sentiment) = row.sentiment {
        targets[OPINION] = if sentiment == SentimentLabel::Neutral { 0.0 } else { 1.0 };
        targets[POLARITY] = match sentiment {
            SentimentLabel::Positive => 1.0,
            SentimentLabel::Negative => 0.0,
            SentimentLabel::Neutral => f32::NAN,
        };
    }
    if !row.intents.is_empty() {
        targets[INTENTS..].fill(0.0);
        for (place, intent) in row.intents.iter().enumerate() {
            targets[INTENTS + *intent as usize] = if place == 0 { 1.0 } else { recipe.secondary };
        }
    }
    Example {
        hashes: Features::read(&tokens).all().collect(),
        signals: signalling.of(&tokens),
        targets,
        sentiment: row.sentiment,
        intents: row.intents.clone(),
    }
}

/// Weights while they are learnt.
#[derive(Debug)]
pub struct Learnt {
    bits: u8,
    table: Vec<[f32; HEADS]>,
    signals: [[f32; SIGNALS]; HEADS],
    bias: [f32; HEADS],
    pub sharpness: [f32; HEADS],
}

/// A small generator of numbers that are the same on every machine.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number from 0 up to `bound`, which is not among them.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    /// Puts the items into an order of its own.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Learns from `sources`. The same sources in the same order give the same weights to the last bit.
pub fn learn(sources: &[Source<'_>], recipe: &Recipe) -> Learnt {
    let buckets = 1_usize << recipe.bits;
    let mask = (buckets - 1) as u32;
    let mut table = vec![[0.0_f32; HEADS]; buckets];
    let mut seen = vec![[1e-4_f32; HEADS]; buckets];
    let mut signals = [[0.0_f32; SIGNALS]; HEADS];
    let mut signals_seen = [[1e-2_f32; SIGNALS]; HEADS];
    // A set's own share of labels goes into its own bias, not into words.
    let mut biases = vec![[0.0_f32; HEADS]; sources.len()];
    let mut biases_seen = vec![[1e-2_f32; HEADS]; sources.len()];
    let mut order: Vec<(usize, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(source, set)| (0..set.examples.len()).map(move |example| (source, example)))
        .collect();
    let mut dice = Dice::new(0x6d75_6861_7461_7021);
    for epoch in 0..recipe.epochs {
        dice.shuffle(&mut order);
        let rate = recipe.rate * (1.0 - epoch as f32 / recipe.epochs as f32).max(0.05);
        for &(source, index) in &order {
            let set = &sources[source];
            let example = set.examples[index];
            let weight = set.mass / set.examples.len() as f32;
            let value = linear::value(example.hashes.len());
            let mut odds = biases[source];
            let mut sums = [0.0_f32; HEADS];
            for hash in &example.hashes {
                for (sum, weight) in sums.iter_mut().zip(&table[(hash & mask) as usize]) {
                    *sum += weight;
                }
            }
            let mut slopes = [0.0_f32; HEADS];
            for head in 0..HEADS {
                let target = example.targets[head];
                if target.is_nan() || (set.polar && head == OPINION) {
                    continue;
                }
                let signalled: f32 = signals[head].iter().zip(&example.signals).map(|(one, other)| one * other).sum();
                odds[head] += value * sums[head] + signalled;
                slopes[head] = weight * (linear::probability(odds[head]) - target);
            }
            if slopes.iter().all(|slope| *slope == 0.0) {
                continue;
            }
            for hash in &example.hashes {
                let bucket = (hash & mask) as usize;
                for head in 0..HEADS {
                    let slope =
                        slopes[head] * value + if slopes[head] == 0.0 { 0.0 } else { recipe.l2 * table[bucket][head] };
                    seen[bucket][head] += slope * slope;
                    table[bucket][head] -= rate * slope / seen[bucket][head].sqrt();
                }
            }
            for head in 0..HEADS {
                for signal in 0..SIGNALS {
                    let slope = slopes[head] * example.signals[signal];
                    signals_seen[head][signal] += slope * slope;
                    signals[head][signal] -= rate * slope / signals_seen[head][signal].sqrt();
                }
                let slope = slopes[head];
                biases_seen[source][head] += slope * slope;
                biases[source][head] -= rate * slope / biases_seen[source][head].sqrt();
            }
        }
    }
    let mut bias = [0.0; HEADS];
    for (head, bias) in bias.iter_mut().enumerate() {
        let taught = |set: &&(usize, &Source<'_>)| {
            set.1.examples.iter().any(|example| !example.targets[head].is_nan()) && !(set.1.polar && head == OPINION)
        };
        let all: Vec<(usize, &Source<'_>)> = sources.iter().enumerate().collect();
        let mut chosen: Vec<_> = all.iter().filter(taught).filter(|(_, set)| set.home).collect();
        if chosen.is_empty() {
            chosen = all.iter().filter(taught).collect();
        }
        *bias = chosen.iter().map(|(source, _)| biases[*source][head]).sum::<f32>() / chosen.len().max(1) as f32;
    }
    Learnt { bits: recipe.bits, table, signals, bias, sharpness: [1.0; HEADS] }
}

impl Learnt {
    /// The model's file: each head's weights in 255 steps, the few largest cut off.
    pub fn file(&self) -> Vec<u8> {
        let scales: [f32; HEADS] = std::array::from_fn(|head| {
            let mut sizes: Vec<f32> = self.table.iter().map(|row| row[head].abs()).filter(|size| *size > 0.0).collect();
            sizes.sort_by(f32::total_cmp);
            // One weight in a thousand is cut off, so that the rest has finer steps.
            sizes.get(sizes.len() * 999 / 1000).map_or(1.0, |size| size / 127.0)
        });
        let heads = std::array::from_fn(|head| Head {
            scale: scales[head],
            bias: self.bias[head],
            sharpness: self.sharpness[head],
            signals: self.signals[head],
        });
        let whole = |weight: f32, scale: f32| (weight / scale).round().clamp(-127.0, 127.0) as i8;
        let table: Vec<i8> = self
            .table
            .iter()
            .flat_map(|row| row.iter().zip(&scales).map(|(weight, scale)| whole(*weight, *scale)))
            .collect();
        linear::write(self.bits, &heads, &table)
    }

    /// The log-odds of each head.
    pub fn log_odds(&self, example: &Example) -> LogOdds {
        let value = linear::value(example.hashes.len());
        let mask = (self.table.len() - 1) as u32;
        let mut sums = [0.0_f32; HEADS];
        for hash in &example.hashes {
            for (sum, weight) in sums.iter_mut().zip(&self.table[(hash & mask) as usize]) {
                *sum += weight;
            }
        }
        std::array::from_fn(|head| {
            let signalled: f32 = self.signals[head].iter().zip(&example.signals).map(|(one, other)| one * other).sum();
            self.sharpness[head] * (self.bias[head] + signalled + value * sums[head])
        })
    }
}

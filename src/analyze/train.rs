//! Learns the linear models: logistic regression with AdaGrad, each set of texts weighed as a whole.

use super::corpus::Row;
use super::features::{Hash, Reader};
use super::linear::{Evidence, INTENTS, MOODS, OPINION, POLARITY, Worn};
use super::sentiment::sentences;
use super::tokens::{Token, Tokenizer, compose};
use crate::model::{IntentLabel, SentimentLabel};

/// A text as a model learns from it.
#[derive(Debug, Clone)]
pub struct Example {
    /// Hashes and values, each hash once.
    pub features: Vec<(Hash, f32)>,
    /// The features that speak of intents alone.
    pub cues: Vec<(Hash, f32)>,
    /// Of each of `features`: the squares of its values wherever it stands in the text, added up.
    pub squares: Vec<f32>,
    /// Words that say something.
    pub words: usize,
    pub worn: Worn,
    pub sentiment: Option<SentimentLabel>,
    pub intents: Vec<IntentLabel>,
    /// Texts that are nearly the same have the same number.
    pub group: usize,
    /// The place of its row in its set, by which a report finds the text.
    pub place: usize,
}

/// Reads the features of a row.
pub fn example(row: &Row, tokenizer: &Tokenizer, reader: &Reader<'_>) -> Example {
    let text = compose(&row.text);
    let example = example_of(&tokenizer.tokens(&text, None), reader);
    Example { sentiment: row.sentiment, intents: row.intents.clone(), group: row.group, ..example }
}

/// Reads the features of a text that nobody has labelled yet.
pub fn example_of(tokens: &[Token<'_>], reader: &Reader<'_>) -> Example {
    let (mut features, mut cues) = (Vec::new(), Vec::new());
    let pieces = reader.pieces(tokens);
    let mut hushed = vec![false; pieces.known.len()];
    for sentence in sentences(&pieces.known) {
        let start = sentence.start;
        let hush = |place: usize| hushed[start + place] = true;
        reader.moods(&pieces.known[sentence], |hash, value, _, _| features.push((hash, value)), hush);
    }
    for ((known, word), _) in pieces.known.iter().zip(&pieces.words).zip(&hushed).filter(|(_, hushed)| !**hushed) {
        reader.own(known.token, *word, |hashes, value| features.extend(hashes.iter().map(|hash| (*hash, value))));
    }
    reader.pairs(&pieces.words, |hash, _, _| features.push((hash, 1.0)));
    reader.cues(tokens, |hash, value| cues.push((hash, value)));
    let (features, squares) = added_up(features);
    let (cues, _) = added_up(cues);
    Example {
        features,
        squares,
        words: pieces.said(),
        worn: reader.worn(),
        cues,
        sentiment: None,
        intents: Vec::new(),
        group: 0,
        place: 0,
    }
}

impl Example {
    /// The features that a layer of `K` heads reads, their values, and how many of its heads read each: of the moods' layer
    /// only [`OPINION`] reads cues, so that every score is made of words.
    fn read_by<const K: usize>(&self) -> impl Iterator<Item = (Hash, f32, usize)> {
        let cues_read_by = if K == INTENTS { K } else { OPINION + 1 };
        let both = [(&self.features, K), (&self.cues, cues_read_by)];
        both.into_iter().flat_map(|(features, heads)| features.iter().map(move |(hash, value)| (*hash, *value, heads)))
    }
}

/// Each hash once with its values added up, and the squares of them.
fn added_up(mut features: Vec<(Hash, f32)>) -> (Vec<(Hash, f32)>, Vec<f32>) {
    features.sort_by_key(|(hash, _)| *hash);
    let mut squares: Vec<f32> = Vec::with_capacity(features.len());
    let mut once: Vec<(Hash, f32)> = Vec::with_capacity(features.len());
    for (hash, value) in features {
        match once.last_mut().zip(squares.last_mut()) {
            Some((last, square)) if last.0 == hash => {
                last.1 += value;
                *square += value * value;
            }
            _ => {
                once.push((hash, value));
                squares.push(value * value);
            }
        }
    }
    (once, squares)
}

/// How a layer learns.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// A layer has `1 << bits` buckets.
    pub bits: u8,
    pub epochs: usize,
    pub rate: f32,
    pub l2: f32,
}

/// Weights of `K` heads while they are learnt.
#[derive(Debug, Clone)]
pub struct Layer<const K: usize> {
    pub table: Vec<[f32; K]>,
    /// One for each set: a set's own share of labels goes into its own bias, not into words.
    pub biases: Vec<[f32; K]>,
}

impl<const K: usize> Layer<K> {
    /// The sums of a text's weights, without a bias.
    pub fn sums(&self, example: &Example) -> [f32; K] {
        let mask = self.table.len() - 1;
        let mut sums = [0.0_f32; K];
        for (hash, value, heads) in example.read_by::<K>() {
            for (sum, weight) in sums.iter_mut().zip(&self.table[hash as usize & mask]).take(heads) {
                *sum += value * weight;
            }
        }
        sums
    }
}

impl Layer<MOODS> {
    /// How much evidence a text has.
    pub fn evidence(&self, example: &Example) -> Evidence {
        if example.worn == Worn::ByLength {
            return Evidence::Words(example.words);
        }
        let mask = self.table.len() - 1;
        let weight = |hash: Hash| self.table[hash as usize & mask][POLARITY];
        let squares = example.features.iter().zip(&example.squares);
        Evidence::Spread(squares.map(|((hash, _), square)| square * weight(*hash).powi(2)).sum())
    }
}

/// A text, the set it is of, and how much it counts.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'e> {
    pub example: &'e Example,
    pub source: usize,
    pub weight: f32,
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

/// Learns from `lessons` of `sources` sets. `slopes` tells how the loss of a text grows with each head's log-odds. The same
/// lessons in the same order give the same weights to the last bit.
pub fn learn<const K: usize>(
    lessons: &[Lesson<'_>],
    sources: usize,
    recipe: &Recipe,
    slopes: impl Fn(&Lesson<'_>, &[f32; K]) -> [f32; K],
) -> Layer<K> {
    let buckets = 1_usize << recipe.bits;
    let mask = buckets - 1;
    let mut layer = Layer { table: vec![[0.0; K]; buckets], biases: vec![[0.0; K]; sources] };
    let mut seen = vec![[1e-3_f32; K]; buckets];
    let mut biases_seen = vec![[1e-2_f32; K]; sources];
    let mut order: Vec<usize> = (0..lessons.len()).collect();
    let mut dice = Dice::new(0x6d75_6861_7461_7021);
    for epoch in 0..recipe.epochs {
        dice.shuffle(&mut order);
        let rate = recipe.rate * (1.0 - epoch as f32 / recipe.epochs as f32).max(0.1);
        for &index in &order {
            let lesson = &lessons[index];
            let mut odds = layer.sums(lesson.example);
            for (odds, bias) in odds.iter_mut().zip(&layer.biases[lesson.source]) {
                *odds += bias;
            }
            let mut slopes = slopes(lesson, &odds);
            for slope in &mut slopes {
                *slope *= lesson.weight;
            }
            for (hash, value, heads) in lesson.example.read_by::<K>() {
                let bucket = hash as usize & mask;
                let (weights, seen) = (&mut layer.table[bucket], &mut seen[bucket]);
                for head in 0..heads {
                    let slope = slopes[head] * value + recipe.l2 * weights[head];
                    seen[head] += slope * slope;
                    weights[head] -= rate * slope / seen[head].sqrt();
                }
            }
            let (biases, seen) = (&mut layer.biases[lesson.source], &mut biases_seen[lesson.source]);
            for head in 0..K {
                seen[head] += slopes[head] * slopes[head];
                biases[head] -= rate * slopes[head] / seen[head].sqrt();
            }
        }
    }
    layer
}

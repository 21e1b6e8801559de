//! What was learnt from a brand's corrections over the built-in models: a few more weights for the features they read.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::features::Hash;
use super::language::Usual;
use super::linear::{INTENTS, MOODS};

/// The most features that a table has weights for; the strongest are kept.
pub const MOST_FEATURES: usize = 4_096;

/// Weights over those of one layer of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<const K: usize> {
    /// In units of the layer's scales, as the layer's own weights are.
    weights: HashMap<Hash, [i16; K], BuildHasherDefault<Spread>>,
}

impl<const K: usize> Default for Table<K> {
    fn default() -> Self {
        Self { weights: HashMap::default() }
    }
}

impl<const K: usize> Table<K> {
    /// Of weights for more than [`MOST_FEATURES`] the largest are kept; those of 0 are none.
    pub fn new(weights: impl IntoIterator<Item = (Hash, [i16; K])>) -> Self {
        let largest = |weights: &[i16; K]| weights.iter().map(|weight| weight.unsigned_abs()).max().unwrap_or(0);
        let mut weights: Vec<_> = weights.into_iter().filter(|(_, weights)| largest(weights) > 0).collect();
        weights.sort_by_key(|(feature, weights)| (std::cmp::Reverse(largest(weights)), *feature));
        weights.truncate(MOST_FEATURES);
        Self { weights: weights.into_iter().collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Adds `value` times the weights of each feature, in units of the layer's scales.
    pub fn add_all(&self, features: &[Hash], value: f32, sums: &mut [f32; K]) {
        for weights in features.iter().filter_map(|feature| self.weights.get(feature)) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * f32::from(*weight);
            }
        }
    }

    fn rows(&self) -> Vec<(Hash, Vec<i16>)> {
        let mut rows: Vec<_> = self.weights.iter().map(|(feature, weights)| (*feature, weights.to_vec())).collect();
        rows.sort_by_key(|(feature, _)| *feature);
        rows
    }

    fn read(rows: Vec<(Hash, Vec<i16>)>) -> Option<Self> {
        if rows.len() > MOST_FEATURES {
            return None;
        }
        let rows = rows.into_iter().map(|(feature, weights)| Some((feature, <[i16; K]>::try_from(weights).ok()?)));
        Some(Self { weights: rows.collect::<Option<_>>()? })
    }
}

/// What is added to a model for one brand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    pub moods: Table<MOODS>,
    pub intents: Table<INTENTS>,
}

/// A delta that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a delta of this version: learn it anew with muhatap train --with-corrections")]
pub struct NotADelta;

/// How a delta is written down: features and their weights, in the order of the features.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    moods: Vec<(Hash, Vec<i16>)>,
    intents: Vec<(Hash, Vec<i16>)>,
}

impl Delta {
    /// Reads what [`Delta::write`] wrote.
    pub fn read(text: &str) -> Result<Self, NotADelta> {
        let Written { moods, intents } = serde_json::from_str(text).map_err(|_| NotADelta)?;
        let delta = Table::read(moods).zip(Table::read(intents));
        delta.map(|(moods, intents)| Self { moods, intents }).ok_or(NotADelta)
    }

    /// As JSON; the same delta gives the same text.
    pub fn write(&self) -> String {
        let written = Written { moods: self.moods.rows(), intents: self.intents.rows() };
        serde_json::to_string(&written).expect("numbers can be written as JSON")
    }

    /// Features with weights, in both tables.
    pub fn features(&self) -> usize {
        self.moods.len() + self.intents.len()
    }
}

/// What was learnt for one account: from the corrections of its brand, and of how people write to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learnt {
    /// Shared: what was learnt of each account of a brand holds the same ones.
    by_language: Vec<(String, Arc<Delta>)>,
    /// In which languages people usually write to it.
    pub usual: Usual,
}

impl Learnt {
    pub fn add(&mut self, language: &str, delta: Delta) {
        self.by_language.push((language.to_owned(), Arc::new(delta)));
    }

    pub fn of(&self, language: &str) -> Option<&Delta> {
        self.by_language.iter().find(|(known, _)| known == language).map(|(_, delta)| &**delta)
    }
}

/// Takes a feature for its own hash: it is one.
#[derive(Debug, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, byte| (state << 8) | u64::from(*byte));
    }

    fn write_u32(&mut self, feature: u32) {
        // A table looks at the highest bits too.
        self.0 = u64::from(feature) << 32 | u64::from(feature);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(moods: Vec<(u32, [i16; MOODS])>, intents: Vec<(u32, [i16; INTENTS])>) {
            let delta = Delta { moods: Table::new(moods), intents: Table::new(intents) };
            prop_assert_eq!(Delta::read(&delta.write()), Ok(delta));
        }

        #[test]
        fn no_text_breaks_reading(text in any::<String>()) {
            let _ = Delta::read(&text);
        }
    }

    #[test]
    fn a_table_keeps_its_largest_weights_and_no_more_than_its_bound() {
        let weights = (0..2 * MOST_FEATURES as u32).map(|feature| (feature, [0, (feature % 1_000) as i16]));
        let table: Table<MOODS> = Table::new(weights);
        assert_eq!(table.len(), MOST_FEATURES);
        let mut sums = [0.0; MOODS];
        table.add_all(&[999, 1_000], 2.0, &mut sums);
        assert_eq!(sums, [0.0, 1998.0], "0 is no weight");
        let many: Vec<_> = (0..=MOST_FEATURES as u32).map(|feature| (feature, vec![1_i16, 1])).collect();
        assert_eq!(Table::<MOODS>::read(many), None);
        assert!(Delta::read(r#"{"moods":[[1,[2]]],"intents":[]}"#).is_err(), "a weight is missing");
    }
}

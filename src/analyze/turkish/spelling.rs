//! How likely a row of letters is to be a stem that nobody listed.

use super::letters::{self, LETTERS, Letter};

/// How much what is known of shorter rows weighs beside what was counted of longer ones, in words.
const WEIGHT: f32 = 4.0;

/// How usual a row of letters is as a stem: each letter after the two before it, learnt from the list of stems.
#[derive(Debug)]
pub struct Spelling {
    /// Nats by letter before last, last letter, this letter; letter zero is the start and the end.
    costs: Vec<f32>,
}

impl Spelling {
    pub fn learn<'l>(lemmas: impl Iterator<Item = &'l str>) -> Self {
        let mut three = vec![0f32; LETTERS * LETTERS * LETTERS];
        let mut two = vec![0f32; LETTERS * LETTERS];
        let mut one = [1f32; LETTERS];
        for lemma in lemmas {
            let (mut before, mut last) = (0, 0);
            for letter in lemma.chars().map(letters::letter).chain([0]).map(usize::from) {
                three[(before * LETTERS + last) * LETTERS + letter] += 1.0;
                two[last * LETTERS + letter] += 1.0;
                one[letter] += 1.0;
                (before, last) = (last, letter);
            }
        }
        let all: f32 = one.iter().sum();
        let mut costs = vec![0f32; LETTERS * LETTERS * LETTERS];
        for last in 0..LETTERS {
            let after_last: f32 = two[last * LETTERS..][..LETTERS].iter().sum();
            let pairs: [f32; LETTERS] = std::array::from_fn(|letter| {
                (two[last * LETTERS + letter] + WEIGHT * one[letter] / all) / (after_last + WEIGHT)
            });
            let unseen = pairs.map(|pair| -pair.ln());
            for before in 0..LETTERS {
                let row = (before * LETTERS + last) * LETTERS;
                let after_both: f32 = three[row..][..LETTERS].iter().sum();
                let costs = &mut costs[row..][..LETTERS];
                costs.copy_from_slice(&unseen);
                if after_both > 0.0 {
                    for (letter, cost) in costs.iter_mut().enumerate() {
                        *cost = -((three[row + letter] + WEIGHT * pairs[letter]) / (after_both + WEIGHT)).ln();
                    }
                }
            }
        }
        Self { costs }
    }

    /// What `letter` costs after the two before it, in nats.
    pub fn cost(&self, before: Letter, last: Letter, letter: Letter) -> f32 {
        self.costs[(usize::from(before) * LETTERS + usize::from(last)) * LETTERS + usize::from(letter)]
    }
}

//! Seeded chance. An algorithm of our own rather than a crate's generator, so that a seed written in a bug report gives
//! the same run with every version of every dependency.

/// A draw that depends on nothing but its arguments: the same for the n-th event whatever else happened before it.
pub(crate) fn draw(seed: u64, topic: u64, n: u64) -> u64 {
    mix(seed ^ mix(topic.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(n.wrapping_add(0x632b_e59b_d9b4_e019))))
}

/// A draw between 0 (inclusive) and 1 (exclusive).
pub(crate) fn unit(seed: u64, topic: u64, n: u64) -> f64 {
    (draw(seed, topic, n) >> 11) as f64 / (1u64 << 53) as f64
}

/// A sequence of draws.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    seed: u64,
    topic: u64,
    n: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64, topic: u64) -> Self {
        Self { seed, topic, n: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.n += 1;
        draw(self.seed, self.topic, self.n)
    }

    /// Between 0 and `bound` (exclusive); 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => (self.next() % bound as u64) as usize,
        }
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The finaliser of splitmix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_seed_others() {
        let draws = |seed| (0..20).map(|n| draw(seed, 3, n)).collect::<Vec<_>>();
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn a_fifth_of_many_draws_is_below_one_fifth() {
        let hits = (0..10_000).filter(|n| unit(7, 1, *n) < 0.2).count();
        assert!((1_850..2_150).contains(&hits), "{hits}");
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<_> = (0..50).collect();
        Dice::new(4, 4).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}

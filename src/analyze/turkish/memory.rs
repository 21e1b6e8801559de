//! What was found of words met lately: a few thousand words are most of what people write.

use std::sync::Mutex;

/// Longer words, in bytes, are hardly met twice.
const LONGEST: usize = 40;

#[derive(Debug)]
struct Remembered<T> {
    word: Box<str>,
    found: T,
}

/// Remembers what was found of words; shared by every thread. Each word has one place, so that memory is bounded.
#[derive(Debug)]
pub struct Memory<T> {
    places: Box<[Mutex<Option<Remembered<T>>>]>,
}

impl<T: Clone> Memory<T> {
    /// For as many words, or fewer.
    pub fn of(places: usize) -> Self {
        Self { places: (0..places.max(1)).map(|_| Mutex::new(None)).collect() }
    }

    /// What `find` finds of `word`, unless it is remembered. A place that another thread is at is passed by.
    pub fn recall(&self, word: &str, find: impl FnOnce() -> T) -> T {
        if word.len() > LONGEST {
            return find();
        }
        let place = &self.places[hash(word) % self.places.len()];
        if let Ok(Some(known)) = place.try_lock().as_deref()
            && *known.word == *word
        {
            return known.found.clone();
        }
        let found = find();
        if let Ok(mut place) = place.try_lock() {
            *place = Some(Remembered { word: word.into(), found: found.clone() });
        }
        found
    }
}

fn hash(word: &str) -> usize {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::super::Stemmer;

    #[test]
    fn what_is_remembered_is_what_was_read() {
        let stemmer = Stemmer::default();
        let syllables = [
            "ka", "go", "le", "mi", "sa", "yo", "tü", "bır", "de", "rin", "zı", "lar", "cek", "so", "nu", "ğa", "pi",
            "ta",
        ];
        let pairs = || syllables.iter().flat_map(|one| syllables.iter().map(move |other| format!("{one}{other}")));
        // More words than places, each twice.
        let words: Vec<String> =
            pairs().flat_map(|one| pairs().map(move |other| format!("{one}{other}"))).take(40_000).collect();
        for word in words.iter().chain(&words) {
            assert_eq!(stemmer.read(word), stemmer.read_anew(word), "{word}");
        }
    }
}

//! Readings of words met lately: a few thousand words are most of what people write.

use std::sync::Mutex;

use super::Reading;

/// How many words are remembered; each word has one place, so that memory is bounded.
const PLACES: usize = 16_384;

/// Longer words, in bytes, are hardly met twice.
const LONGEST: usize = 40;

#[derive(Debug)]
struct Remembered {
    word: Box<str>,
    reading: Reading,
}

/// Remembers readings; shared by every thread.
#[derive(Debug)]
pub struct Memory {
    places: Box<[Mutex<Option<Remembered>>]>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::new(None)).collect() }
    }
}

impl Memory {
    /// The reading of `word`, made by `read` unless it is remembered. A place that another thread is at is passed by.
    pub fn reading(&self, word: &str, read: impl FnOnce() -> Reading) -> Reading {
        if word.len() > LONGEST {
            return read();
        }
        let place = &self.places[place_of(word)];
        if let Ok(Some(known)) = place.try_lock().as_deref()
            && *known.word == *word
        {
            return known.reading.clone();
        }
        let reading = read();
        if let Ok(mut place) = place.try_lock() {
            *place = Some(Remembered { word: word.into(), reading: reading.clone() });
        }
        reading
    }
}

fn place_of(word: &str) -> usize {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash >> 32) as usize % PLACES
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
            pairs().flat_map(|one| pairs().map(move |other| format!("{one}{other}"))).take(20_000).collect();
        for word in words.iter().chain(&words) {
            assert_eq!(stemmer.read(word), stemmer.read_anew(word), "{word}");
        }
    }
}

//! Turkish words: the lemma, what the endings say, and the letters a keyboard without them left out.

mod cased;
mod letters;
mod lexicon;
mod memory;
mod search;
mod spelling;
mod suffixes;
pub mod treebank;

use self::letters::Letter;
use self::lexicon::Lexicon;
use self::memory::Memory;
use self::search::{Derived, Ending, Found, Stem};
use self::suffixes::{Endings, NEGATED, QUESTION, Sound, WITHOUT};

/// What is known of one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `kitap` of `kitabımı`, `gel` of `gelmedi`; in lower case, but for names.
    pub lemma: String,
    /// The word with its Turkish letters and without drawn-out vowels, where it was typed otherwise and that is certain.
    pub restored: Option<String>,
    /// `gelmedi`, `gelmez`, `değil`, `yok`.
    pub negated: bool,
    /// `mi`, `musunuz`.
    pub question: bool,
    /// `kalitesiz`: without it.
    pub without: bool,
    /// Whether the stem is in the lexicon.
    pub known: bool,
}

/// What parts a name from its endings.
const APOSTROPHES: [char; 5] = ['\'', '’', '‘', '`', '´'];

/// The stems written by hand.
pub const OWN_STEMS: &str = include_str!("../../../config/lexicon/stems/own.tsv");

/// Words longer than this, in letters, are nobody's words and are their own lemma.
const LONGEST: usize = 40;

/// Hashtags longer than this, in letters, are not cut; shorter parts than [`SHORTEST_JOINED`] are not looked for.
const LONGEST_JOINED: usize = 30;
const SHORTEST_JOINED: usize = 3;

/// Words whose readings are remembered.
const READINGS: usize = 32_768;
/// Hashtags whose words are remembered.
const SPLITS: usize = 1024;

/// A spelling is certain when the next best is this much less likely, in nats.
const CERTAIN: f32 = 3.0;

/// Finds the stems of Turkish words; made once, shared by every thread.
#[derive(Debug)]
pub struct Stemmer {
    lexicon: Lexicon,
    endings: Endings,
    readings: Memory<Reading>,
    splits: Memory<Option<Vec<String>>>,
}

impl Default for Stemmer {
    fn default() -> Self {
        let lists = [
            OWN_STEMS,
            include_str!("../../../config/lexicon/stems/treebank.tsv"),
            include_str!("../../../config/lexicon/stems/names.tsv"),
        ];
        Self {
            lexicon: Lexicon::parse(&lists).expect("word lists of our own, read by a test"),
            endings: Endings::new(),
            readings: Memory::of(READINGS),
            splits: Memory::of(SPLITS),
        }
    }
}

impl Stemmer {
    /// Reads one word, already in Turkish lower case.
    pub fn read(&self, word: &str) -> Reading {
        self.readings.recall(word, || self.read_anew(word))
    }

    fn read_anew(&self, word: &str) -> Reading {
        let (body, tail) = match word.find(APOSTROPHES) {
            Some(at) if at > 0 => (&word[..at], &word[at..]),
            _ => (word, ""),
        };
        let characters: Vec<char> = body.chars().collect();
        let whole = |known| Reading {
            lemma: body.to_owned(),
            restored: None,
            negated: false,
            question: false,
            without: false,
            known,
        };
        if characters.len() > LONGEST || characters.iter().any(|character| !character.is_alphabetic()) {
            return whole(false);
        }
        let typed: Vec<Letter> = characters.iter().map(|character| letters::letter(*character)).collect();
        let found = self.search(&typed, false);
        if let Some(best) = found.best.as_ref().filter(|best| best.stem.is_known()) {
            return self.reading(best, &characters, None);
        }
        let shorter = shortened(&typed);
        let drawn_out = shorter
            .iter()
            .filter_map(|word| {
                self.search(word, false).best.filter(|best| best.stem.is_known()).map(|best| (word, best))
            })
            .min_by(|(_, one), (_, other)| one.cost.total_cmp(&other.cost))
            .or_else(|| shorter.iter().find_map(|word| self.restored(word).map(|best| (word, best))));
        if let Some((word, best)) = drawn_out {
            let spelled = spell(&best.spelled[..word.len()]);
            return self.reading(&best, &spelled.chars().collect::<Vec<_>>(), Some(spelled));
        }
        if let Some(best) = self.restored(&typed) {
            let spelled = spell(&best.spelled[..typed.len()]);
            return self.reading(&best, &spelled.chars().collect::<Vec<_>>(), Some(spelled));
        }
        // What stands before an apostrophe is a name as it is.
        match found.best {
            Some(best) if tail.is_empty() => self.reading(&best, &characters, None),
            _ => whole(false),
        }
    }

    /// The words a text without spaces is made of, in Turkish lower case; `None` unless there is only one likely way to cut it
    /// into two or more words that are known.
    pub fn split(&self, joined: &str) -> Option<Vec<String>> {
        self.splits.recall(joined, || self.split_anew(joined))
    }

    fn split_anew(&self, joined: &str) -> Option<Vec<String>> {
        let characters: Vec<char> = joined.chars().collect();
        let length = characters.len();
        if !(6..=LONGEST_JOINED).contains(&length) {
            return None;
        }
        let word: Vec<Letter> = characters.iter().map(|character| letters::letter(*character)).collect();
        let known = |from: usize, until: usize| {
            self.search(&word[from..until], false).best.filter(|best| best.stem.is_known()).map(|best| best.cost)
        };
        // By end: the costs of the best two ways to get there and where the last word of the best starts.
        let mut ways: Vec<Option<(f32, f32, usize)>> = vec![None; length + 1];
        ways[0] = Some((0.0, f32::INFINITY, 0));
        for until in SHORTEST_JOINED..=length {
            for from in 0..=until - SHORTEST_JOINED {
                let Some((before, rival, _)) = ways[from] else { continue };
                let Some(cost) = known(from, until) else { continue };
                let (cost, rival) = (before + cost, rival + cost);
                ways[until] = Some(match ways[until] {
                    Some((best, second, at)) if best <= cost => (best, second.min(cost), at),
                    Some((best, ..)) => (cost, best.min(rival), from),
                    None => (cost, rival, from),
                });
            }
        }
        let (best, rival, _) = ways[length]?;
        if rival < best + CERTAIN {
            return None;
        }
        let mut words = Vec::new();
        let mut until = length;
        while until > 0 {
            let (.., from) = ways[until]?;
            words.push(characters[from..until].iter().collect());
            until = from;
        }
        words.reverse();
        (words.len() > 1).then_some(words)
    }

    /// The only likely proper spelling of a word typed without its Turkish letters, if it has one with a stem that is known.
    fn restored(&self, typed: &[Letter]) -> Option<Found<'_>> {
        let plain: Vec<Letter> = typed.iter().map(|letter| letters::plain(*letter)).collect();
        let found = self.search(&plain, true);
        let best = found.best?;
        let kept = typed.iter().zip(&best.spelled).all(|(typed, spelled)| {
            typed == spelled || letters::plain(*typed) == *typed || *typed == letters::DOTLESS_I
        });
        (kept && best.cost + CERTAIN < found.rival).then_some(best)
    }

    fn reading(&self, found: &Found<'_>, characters: &[char], restored: Option<String>) -> Reading {
        let prefix = |end: usize| characters.iter().take(end).collect::<String>();
        let lemma = match (&found.stem, found.derived) {
            (_, Some(Derived { end, narrowed })) => {
                let mut lemma = prefix(end);
                if lemma.ends_with('ğ') {
                    lemma.pop();
                    lemma.push('k');
                }
                if narrowed {
                    lemma.extend(letters::character(letters::two_way(Sound::of(&found.spelled[..end]).vowel)));
                }
                lemma
            }
            (Stem::Listed(entry), None) => {
                let length = entry.length();
                let unchanged = length == entry.lemma.chars().count();
                let circumflex = |character: char| matches!(character, 'â' | 'î' | 'û');
                if unchanged && characters.iter().take(length).copied().any(circumflex) {
                    prefix(length)
                } else {
                    entry.lemma.to_string()
                }
            }
            (Stem::Unlisted(ending, end), None) => {
                let mut lemma = prefix(*end);
                match ending {
                    Ending::Plain => {}
                    Ending::Hardened(letter) => {
                        lemma.pop();
                        lemma.extend(letters::character(*letter));
                    }
                    Ending::Narrowed(letter) => lemma.extend(letters::character(*letter)),
                }
                lemma
            }
        };
        let lacks = matches!(lemma.as_str(), "değil" | "yok");
        Reading {
            lemma,
            restored,
            negated: found.says & NEGATED != 0 || lacks,
            question: found.says & QUESTION != 0,
            without: found.says & WITHOUT != 0,
            known: found.stem.is_known(),
        }
    }
}

/// The word with its drawn-out letters once, then twice: çoook, saaat.
fn shortened(word: &[Letter]) -> Vec<Vec<Letter>> {
    let mut made: Vec<Vec<Letter>> = Vec::new();
    if !word.windows(2).any(|pair| pair[0] == pair[1]) {
        return made;
    }
    for (from, to) in [(3, 1), (3, 2), (2, 1)] {
        let mut shorter = Vec::with_capacity(word.len());
        for run in word.chunk_by(|one, other| one == other) {
            shorter.extend_from_slice(&run[..if run.len() >= from { to } else { run.len() }]);
        }
        if shorter != word && !made.contains(&shorter) {
            made.push(shorter);
        }
    }
    made
}

fn spell(word: &[Letter]) -> String {
    word.iter().filter_map(|letter| letters::character(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::tokens::lower_case;
    use super::*;

    fn read(word: &str) -> Reading {
        static STEMMER: LazyLock<Stemmer> = LazyLock::new(Stemmer::default);
        STEMMER.read(&lower_case(word, "tr"))
    }

    #[test]
    fn words_have_the_lemma_a_dictionary_lists() {
        for (word, lemma) in [
            ("kitabımı", "kitap"),
            ("rengi", "renk"),
            ("ağzından", "ağız"),
            ("şehrimizde", "şehir"),
            ("hakkımı", "hak"),
            ("suyumuz", "su"),
            ("saatlerce", "saat"),
            ("kargomu", "kargo"),
            ("siparişlerimizden", "sipariş"),
            ("bana", "ben"),
            ("bunun", "bu"),
            ("neyi", "ne"),
            ("mağazanızdaki", "mağaza"),
            ("gidiyoruz", "git"),
            ("diyorlar", "de"),
            ("diyecek", "de"),
            ("yiyen", "ye"),
            ("istiyorum", "iste"),
            ("bekliyoruz", "bekle"),
            ("söylüyorsunuz", "söyle"),
            ("beklediğimiz", "bekle"),
            ("yapılması", "yap"),
            ("kullanılan", "kullan"),
            ("önemliydi", "önemli"),
            ("kalitesizdi", "kalitesiz"),
            ("İYİYDİ", "iyi"),
            ("ILIK", "ılık"),
            ("Zonguldak'tan", "Zonguldak"),
            ("Zonguldaktan", "Zonguldak"),
        ] {
            assert_eq!(read(word).lemma, lemma, "{word}: {:?}", read(word));
        }
    }

    #[test]
    fn endings_say_what_is_denied_and_what_is_asked() {
        for word in [
            "gelmedi",
            "gelmez",
            "gelmiyor",
            "gelmeyecek",
            "gelmemiş",
            "ulaşamıyorum",
            "beğenmedik",
            "çözülmeyen",
            "değil",
            "değildi",
            "yok",
            "yoktu",
            "gelmiyo",
            "yapamam",
        ] {
            assert!(read(word).negated && !read(word).question, "{word}: {:?}", read(word));
        }
        for word in ["mı", "mi", "mu", "mü", "misiniz", "musunuz", "mıydı", "geldimi", "varmı"] {
            assert!(read(word).question && !read(word).negated, "{word}: {:?}", read(word));
        }
        for word in ["kalitesiz", "ilgisizdi", "sorunsuzdu", "habersizce"] {
            assert!(read(word).without, "{word}: {:?}", read(word));
        }
        for word in ["geldi", "gelmesi", "bekleme", "gelmek", "adam", "zaman", "siz", "deniz", "kalem", "elma"] {
            let reading = read(word);
            assert!(!reading.negated && !reading.question && !reading.without, "{word}: {reading:?}");
        }
    }

    #[test]
    fn letters_are_put_right_where_that_is_certain() {
        for (typed, restored) in [
            ("icin", "için"),
            ("cok", "çok"),
            ("siparisim", "siparişim"),
            ("begenmedim", "beğenmedim"),
            ("degil", "değil"),
            ("MUSTERI", "müşteri"),
            ("aliyorum", "alıyorum"),
            ("çoook", "çok"),
            ("güzellll", "güzel"),
            ("saaat", "saat"),
        ] {
            assert_eq!(read(typed).restored.as_deref(), Some(restored), "{typed}: {:?}", read(typed));
        }
        for typed in ["kargom", "gelmedi", "on", "saat", "dikkat", "vrbxq", "Zonguldak"] {
            assert_eq!(read(typed).restored, None, "{typed}");
        }
    }

    #[test]
    fn joined_words_are_cut_where_there_is_one_way() {
        let stemmer = Stemmer::default();
        let split = |joined: &str| stemmer.split(joined).unwrap_or_default().join(" ");
        assert_eq!(split("kargorezaleti"), "kargo rezaleti");
        assert_eq!(split("iademiistiyorum"), "iademi istiyorum");
        assert_eq!(split("teşekkürler"), "");
        assert_eq!(split("qwxqwxqwx"), "");
    }

    #[test]
    fn odd_words_are_their_own_lemma() {
        for word in
            ["", "'", "’da", "x", "3d", "ümÜ̈x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "東京"]
        {
            let _ = read(word);
        }
        assert_eq!(read("東京").lemma, "東京");
        assert_eq!(read("3d").lemma, "3d");
    }
}

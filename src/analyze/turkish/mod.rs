//! Turkish words: the lemma, what the endings say, and the letters a keyboard without them left out.

mod cased;
mod letters;
mod lexicon;
mod spelling;
mod suffixes;

use self::letters::Letter;
use self::lexicon::{Entry, Key, Lexicon, Need};
use self::suffixes::{Arc, At, DERIVES, Endings, NEGATED, QUESTION, Says, Sound, WITHOUT};

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

/// Words longer than this, in letters, are nobody's words and are their own lemma.
const LONGEST: usize = 40;

/// Hashtags longer than this, in letters, are not cut; shorter parts than [`SHORTEST_JOINED`] are not looked for.
const LONGEST_JOINED: usize = 30;
const SHORTEST_JOINED: usize = 3;

/// What a stem nobody listed costs beside its letters, in nats.
const UNLISTED: f32 = 3.5;
/// The same of a verb: nearly all verbs that are not made of nouns are listed.
const UNLISTED_VERB: f32 = 8.0;

/// No ending costs less than this a letter, in nats.
const LEAST: f32 = 0.45;

/// A spelling is certain when the next best is this much less likely, in nats.
const CERTAIN: f32 = 3.0;

/// Finds the stems of Turkish words; made once, shared by every thread.
#[derive(Debug)]
pub struct Stemmer {
    lexicon: Lexicon,
    endings: Endings,
}

impl Default for Stemmer {
    fn default() -> Self {
        let lists = [
            include_str!("../../../config/lexicon/stems/own.tsv"),
            include_str!("../../../config/lexicon/stems/treebank.tsv"),
            include_str!("../../../config/lexicon/stems/names.tsv"),
        ];
        Self {
            lexicon: Lexicon::parse(&lists).expect("word lists of our own, read by a test"),
            endings: Endings::new(),
        }
    }
}

impl Stemmer {
    /// Reads one word, already in Turkish lower case.
    pub fn read(&self, word: &str) -> Reading {
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

    fn search<'s, 'w>(&'s self, word: &'w [Letter], folded: bool) -> Search<'s, 'w> {
        let mut search =
            Search { endings: &self.endings, word, folded, spelled: [0; LONGEST], best: None, rival: f32::INFINITY };
        let mut key = Key::EMPTY;
        for (index, letter) in word.iter().copied().enumerate() {
            key = key.then(letter);
            for (entry, letters) in self.lexicon.with(key) {
                search.listed(entry, letters, index + 1);
            }
        }
        if folded {
            return search;
        }
        // Afterwards, because a listed stem leaves most others behind at once.
        let (mut noun_cost, mut verb_cost) = (UNLISTED, UNLISTED_VERB);
        let (mut before, mut last) = (0, 0);
        let mut vowels = 0;
        for (index, letter) in word.iter().copied().enumerate() {
            let end = index + 1;
            let next = word.get(end).copied().unwrap_or(0);
            noun_cost += self.lexicon.nouns.cost(before, last, letter);
            verb_cost += self.lexicon.verbs.cost(before, last, letter);
            (before, last) = (last, letter);
            search.spelled[index] = letter;
            vowels += usize::from(letters::is_vowel(letter));
            if (vowels == 0 || end < 2) && end < word.len() {
                continue;
            }
            search.unlisted(Ending::Plain, end, At::Noun, noun_cost + self.lexicon.nouns.cost(before, last, 0));
            if letters::is_vowel(next) && vowels > 0 && end > 2 {
                let hard = match letter {
                    letters::SOFT_G => letters::K,
                    letters::B => letters::P,
                    letters::C => letters::CH,
                    letters::D => letters::T,
                    _ => 0,
                };
                if hard != 0 {
                    let beginning = if index > 1 { word[index - 2] } else { 0 };
                    let previous = word[index - 1];
                    let cost = noun_cost - self.lexicon.nouns.cost(beginning, previous, letter)
                        + self.lexicon.nouns.cost(beginning, previous, hard)
                        + self.lexicon.nouns.cost(previous, hard, 0);
                    search.unlisted(Ending::Hardened(hard), end, At::Noun, cost);
                }
            }
            if end < word.len() && end > 2 {
                search.unlisted(Ending::Plain, end, At::Verb, verb_cost + self.lexicon.verbs.cost(before, last, 0));
                if matches!(letters::plain(next), letters::I | letters::U) && word.get(end + 1) == Some(&letters::Y) {
                    let vowel = letters::two_way(Sound::of(&word[..end]).vowel);
                    let cost = verb_cost
                        + self.lexicon.verbs.cost(before, last, vowel)
                        + self.lexicon.verbs.cost(last, vowel, 0);
                    search.unlisted(Ending::Narrowed(vowel), end, At::Narrowed, cost);
                }
            }
        }
        search
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

/// How an unlisted stem ends as a lemma.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Plain,
    Hardened(Letter),
    Narrowed(Letter),
}

#[derive(Debug, Clone, Copy)]
enum Stem<'s> {
    Listed(&'s Entry),
    /// How it ends, and after how many letters.
    Unlisted(Ending, usize),
}

impl Stem<'_> {
    fn is_known(&self) -> bool {
        matches!(self, Self::Listed(_))
    }
}

/// A word made of the stem by an ending: up to where, and whether it lost its last vowel there.
#[derive(Debug, Clone, Copy)]
struct Derived {
    end: usize,
    narrowed: bool,
}

#[derive(Debug, Clone)]
struct Found<'s> {
    stem: Stem<'s>,
    derived: Option<Derived>,
    says: Says,
    cost: f32,
    spelled: [Letter; LONGEST],
}

/// The way so far through one word.
#[derive(Clone, Copy)]
struct Way<'s> {
    stem: Stem<'s>,
    derived: Option<Derived>,
    at: At,
    end: usize,
    sound: Sound,
    says: Says,
    cost: f32,
    endings: u8,
}

struct Search<'s, 'w> {
    endings: &'s Endings,
    word: &'w [Letter],
    folded: bool,
    /// The word so far with its Turkish letters.
    spelled: [Letter; LONGEST],
    best: Option<Found<'s>>,
    /// The cost of the best reading that is spelled otherwise than the best.
    rival: f32,
}

impl<'s> Search<'s, '_> {
    fn listed(&mut self, entry: &'s Entry, letters: &[Letter], end: usize) {
        let next = self.word.get(end).copied().unwrap_or(0);
        let fits = match entry.need {
            Need::Anything => true,
            Need::Vowel => letters::is_vowel(next),
            Need::Y => next == letters::Y,
        };
        let folded = self.folded;
        let same =
            |(spelled, typed): (&Letter, &Letter)| *typed == if folded { letters::plain(*spelled) } else { *spelled };
        if !fits || letters.len() != end || !letters.iter().zip(self.word).all(same) {
            return;
        }
        self.spelled[..end].copy_from_slice(letters);
        let way = Way {
            stem: Stem::Listed(entry),
            derived: None,
            at: entry.at,
            end,
            sound: entry.sound,
            says: entry.says,
            cost: entry.cost,
            endings: 0,
        };
        self.walk(way);
    }

    fn unlisted(&mut self, ending: Ending, end: usize, at: At, cost: f32) {
        let sound = Sound::of(&self.word[..end]);
        self.walk(Way { stem: Stem::Unlisted(ending, end), derived: None, at, end, sound, says: 0, cost, endings: 0 });
    }

    fn walk(&mut self, way: Way<'s>) {
        // Only a spelling's rivals are of interest beyond the best.
        let bound = self.best.as_ref().map_or(f32::INFINITY, |best| best.cost);
        let bound = if self.folded { bound + CERTAIN } else { bound };
        let left = self.word.len() - way.end;
        if way.cost + LEAST * left as f32 >= bound {
            return;
        }
        let Some(next) = self.word.get(way.end).copied() else {
            if let Some(cost) = suffixes::end_cost(way.at) {
                self.arrive(way, way.cost + cost);
            }
            return;
        };
        // No word has more endings; a made-up one must not cost more than a word.
        if way.endings > 9 {
            return;
        }
        let endings = self.endings;
        for arc in endings.after(way.at, next) {
            self.follow(way, arc);
        }
    }

    fn follow(&mut self, way: Way<'s>, arc: &Arc) {
        let derives = arc.says & DERIVES != 0;
        if derives
            && (matches!(way.stem, Stem::Unlisted(..))
                || (way.endings > 0 && way.derived.is_none_or(|derived| derived.end != way.end)))
        {
            return;
        }
        let Some((end, sound)) = arc.read(self.word, way.end, way.sound, self.folded, &mut self.spelled) else {
            return;
        };
        let derived = if derives { Some(Derived { end, narrowed: arc.to == At::Narrowed }) } else { way.derived };
        self.walk(Way {
            derived,
            at: arc.to,
            end,
            sound,
            says: way.says | (arc.says & !DERIVES),
            cost: way.cost + arc.cost,
            endings: way.endings + 1,
            ..way
        });
    }

    fn arrive(&mut self, way: Way<'s>, cost: f32) {
        let length = self.word.len();
        match &self.best {
            Some(best) if best.cost <= cost => {
                if best.spelled[..length] != self.spelled[..length] {
                    self.rival = self.rival.min(cost);
                }
                return;
            }
            Some(best) if best.spelled[..length] != self.spelled[..length] => self.rival = self.rival.min(best.cost),
            _ => {}
        }
        self.best = Some(Found { stem: way.stem, derived: way.derived, says: way.says, cost, spelled: self.spelled });
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
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
            ("Zonguldak'tan", "zonguldak"),
            ("Zonguldaktan", "zonguldak"),
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

    /// Exact lemmas, weighted by how often each form is met, on lists of form, lemma, class and count with a heading:
    /// `MUHATAP_LANGUAGE_DATA=folder cargo test --release lemmas_are_right -- --ignored --nocapture`.
    #[test]
    #[ignore = "needs the folder of language data in MUHATAP_LANGUAGE_DATA"]
    fn lemmas_are_right_on_the_development_sets() {
        let Some(data) = std::env::var_os("MUHATAP_LANGUAGE_DATA").map(PathBuf::from) else {
            panic!("MUHATAP_LANGUAGE_DATA does not name the folder of language data: nothing was measured");
        };
        for (set, least) in [("tr_ud_boun.dev", 86.0), ("tr_ud_tourism.dev", 86.0), ("tr_ud_kenet.dev", 86.0)] {
            let path = data.join("lemma").join(format!("{set}.tsv"));
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
            let (mut right, mut exact, mut all) = (0.0, 0.0, 0.0);
            for line in text.lines().skip(1) {
                let fields: Vec<&str> = line.split('\t').collect();
                let [form, lemma, _, count] = fields[..] else { panic!("{set}: {line} has not four fields") };
                let count: f64 = count.parse().expect("a count");
                let found = read(form).lemma;
                all += count;
                right += if found == lower_case(lemma, "tr") { count } else { 0.0 };
                exact += if found == lemma { count } else { 0.0 };
            }
            let (right, exact) = (100.0 * right / all, 100.0 * exact / all);
            println!("{set}: {right:.2} % of {all} tokens, {exact:.2} % with the case of names");
            assert!(right >= least, "{set}: {right:.2} % is under {least} %");
        }
    }
}

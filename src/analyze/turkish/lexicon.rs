//! The stems that are known, with how often they are met, and how likely a row of letters is to be a stem nobody listed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::letters::{self, LETTERS, Letter};
use super::suffixes::{At, QUESTION, Says, Sound, WITHOUT};

/// What has to follow a stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Anything,
    /// `kitab-`, `ağz-`.
    Vowel,
    /// `di-yen`.
    Y,
}

/// A stem as it stands in words: one lemma has several when its letters change.
#[derive(Debug, Clone)]
pub struct Entry {
    pub letters: Box<[Letter]>,
    /// In lower case, but for names.
    pub lemma: Box<str>,
    pub at: At,
    pub need: Need,
    pub says: Says,
    /// `saat-ler`: what follows sounds as after a front vowel.
    pub front: bool,
    /// In nats: minus the logarithm of its share of all words.
    pub cost: f32,
}

impl Entry {
    /// The sound endings hear after it.
    pub fn sound(&self) -> Sound {
        let mut sound = Sound::of(&self.letters);
        if self.front {
            sound.vowel = match sound.vowel {
                letters::O | letters::U => letters::UE,
                _ => letters::E,
            };
        }
        sound
    }
}

/// Keys are hashes already.
#[derive(Debug, Default, Clone)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// The hash of a row of plain letters, grown letter by letter.
#[derive(Debug, Clone, Copy)]
pub struct Key(u64);

impl Key {
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    pub fn then(self, letter: Letter) -> Self {
        let mixed = (self.0 ^ u64::from(letters::plain(letter))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(mixed ^ (mixed >> 29))
    }

    fn of(letters: &[Letter]) -> Self {
        letters.iter().fold(Self::EMPTY, |key, letter| key.then(*letter))
    }
}

/// A line of a word list that cannot be used: its number from 1, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Unusable {
    pub line: usize,
    pub reason: &'static str,
}

/// All stems, found by their plain letters.
#[derive(Debug)]
pub struct Lexicon {
    entries: Vec<Entry>,
    by_key: HashMap<u64, Vec<u32>, BuildHasherDefault<Identity>>,
    pub nouns: Spelling,
    pub verbs: Spelling,
}

/// A word of a list before its forms are made.
struct Listed<'l> {
    /// In lower case.
    lemma: &'l str,
    /// With the capitals of a name.
    written: &'l str,
    form: Option<&'l str>,
    kind: &'l str,
    count: f32,
}

impl Lexicon {
    /// Reads lists of lines `kind <tab> count <tab> words`, `#` starting a comment. Kinds: `n` noun or adjective, `v` verb,
    /// `x` takes at most a copula, `f` whole forms as `form=lemma`, `p` pronouns' stems as `form=lemma` that take a noun's endings,
    /// `s` nouns of one syllable whose last consonant softens, `d` nouns that lose their last vowel, `g` nouns that double
    /// their last consonant, `r` nouns in a back vowel that take front endings. A word in several lists counts with its largest number,
    /// and is a name in all when it has capitals in one.
    pub fn parse(lists: &[&str]) -> Result<Self, Unusable> {
        let lowered: Vec<String> = lists.iter().map(|list| letters::lower_case(list)).collect();
        let mut listed: Vec<Listed<'_>> = Vec::new();
        for (list, lowered) in lists.iter().zip(&lowered) {
            for (index, (line, lowered)) in list.lines().zip(lowered.lines()).enumerate() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let unusable = |reason| Unusable { line: index + 1, reason };
                let mut fields = line.split('\t');
                let (Some(kind), Some(count), Some(words), Some(lowered)) =
                    (fields.next(), fields.next(), fields.next(), lowered.split('\t').nth(2))
                else {
                    return Err(unusable("not kind, count and words"));
                };
                if !matches!(kind, "n" | "v" | "x" | "f" | "p" | "s" | "d" | "g" | "r") {
                    return Err(unusable("an unknown kind"));
                }
                let count = count.parse().map_err(|_| unusable("the count is not a number"))?;
                let words = words.split_whitespace().zip(lowered.split_whitespace());
                listed.extend(words.map(|(written, word)| match word.split_once('=') {
                    Some((form, lemma)) => Listed { lemma, written: lemma, form: Some(form), kind, count },
                    None => Listed { lemma: word, written, form: None, kind, count },
                }));
            }
        }
        let total: f32 = listed.iter().map(|word| word.count).sum();
        let mut largest: HashMap<(&str, bool), f32> = HashMap::new();
        for word in listed.iter().filter(|word| word.form.is_none()) {
            let count = largest.entry((word.lemma, word.kind == "v")).or_default();
            *count = count.max(word.count);
        }
        let named = listed.iter().filter(|word| word.written != word.lemma);
        let names: HashMap<&str, &str> = named.map(|word| (word.lemma, word.written)).collect();
        for word in &mut listed {
            if let Some(written) = names.get(word.lemma).filter(|_| word.form.is_none()) {
                word.written = written;
            }
        }
        let mut lexicon = Self {
            entries: Vec::with_capacity(listed.len() * 2),
            by_key: HashMap::default(),
            nouns: Spelling::learn(listed.iter().filter(|word| word.kind == "n").map(|word| word.lemma)),
            verbs: Spelling::learn(listed.iter().filter(|word| word.kind == "v").map(|word| word.lemma)),
        };
        let mut seen: HashMap<(&str, &str, &str), ()> = HashMap::new();
        for word in &listed {
            if seen.insert((word.lemma, word.form.unwrap_or_default(), word.kind), ()).is_some() {
                continue;
            }
            let count = match word.form {
                Some(_) => word.count,
                None => largest.get(&(word.lemma, word.kind == "v")).copied().unwrap_or(word.count),
            };
            lexicon.add(word, (total / count).ln(), &largest);
        }
        Ok(lexicon)
    }

    fn add(&mut self, word: &Listed<'_>, cost: f32, known: &HashMap<(&str, bool), f32>) {
        let typed = word.form.unwrap_or(word.lemma);
        let spelled: Vec<Letter> = typed.chars().map(letters::letter).collect();
        let Some((&last, before)) = spelled.split_last() else { return };
        let entry = |letters: Vec<Letter>, at: At, need: Need| Entry {
            letters: letters.into(),
            lemma: word.written.into(),
            at,
            need,
            says: if word.lemma == "mi" { QUESTION } else { 0 },
            front: false,
            cost,
        };
        let with_last = |letter: Letter| before.iter().copied().chain([letter]).collect::<Vec<_>>();
        let vowels = spelled.iter().filter(|letter| letters::is_vowel(**letter)).count();
        match word.kind {
            "n" => {
                let without = word
                    .lemma
                    .char_indices()
                    .nth_back(2)
                    .map(|(at, _)| word.lemma.split_at(at))
                    .filter(|(base, ending)| {
                        matches!(*ending, "sız" | "siz" | "suz" | "süz") && known.contains_key(&(*base, false))
                    })
                    .is_some();
                let says = if without { WITHOUT } else { 0 };
                self.push(Entry { says, ..entry(spelled.clone(), At::Noun, Need::Anything) });
                if vowels > 1 {
                    for (hard, soft, extra) in [
                        (letters::K, letters::SOFT_G, 0.0),
                        (letters::P, letters::B, 0.0),
                        (letters::CH, letters::C, 0.0),
                        (letters::T, letters::D, 1.0),
                    ] {
                        if last == hard {
                            self.push(Entry { cost: cost + extra, ..entry(with_last(soft), At::Noun, Need::Vowel) });
                        }
                    }
                }
                let nasal = before.last() == Some(&letters::N);
                if last == letters::K && nasal {
                    self.push(entry(with_last(letters::G), At::Noun, Need::Vowel));
                }
                let back = before.last().is_some_and(|vowel| matches!(*vowel, letters::A | letters::O | letters::U));
                if matches!(last, letters::L | letters::T) && back {
                    let extra = if last == letters::L { 0.7 } else { 2.0 };
                    self.push(Entry {
                        front: true,
                        cost: cost + extra,
                        ..entry(spelled.clone(), At::Noun, Need::Anything)
                    });
                }
            }
            "r" => self.push(Entry { front: true, ..entry(spelled.clone(), At::Noun, Need::Anything) }),
            "s" => {
                let soft = match last {
                    letters::K => letters::SOFT_G,
                    letters::P => letters::B,
                    letters::CH => letters::C,
                    letters::T => letters::D,
                    _ => last,
                };
                self.push(entry(with_last(soft), At::Noun, Need::Vowel));
            }
            "d" => {
                // The vowel before the last consonant goes: ağız, ağz-ı.
                let mut short = before.to_vec();
                short.pop();
                short.push(last);
                let mut entry = entry(short, At::Noun, Need::Vowel);
                // What follows sounds as after the whole word: vakit, vakt-i.
                entry.front = letters::is_front(Sound::of(&spelled).vowel) && !letters::is_front(entry.sound().vowel);
                self.push(entry);
            }
            "g" => {
                let softened = if last == letters::P {
                    letters::B
                } else if last == letters::T && typed == "ret" {
                    letters::D
                } else {
                    last
                };
                let mut doubled = with_last(softened);
                doubled.push(softened);
                let front = matches!(typed, "hal" | "ret");
                self.push(Entry { front, ..entry(doubled, At::Noun, Need::Vowel) });
            }
            "v" => {
                self.push(entry(spelled.clone(), At::Verb, Need::Anything));
                if matches!(last, letters::A | letters::E) {
                    self.push(entry(before.to_vec(), At::Narrowed, Need::Anything));
                }
                if last == letters::T
                    && (word.lemma.ends_with("et") || matches!(word.lemma, "git" | "tat" | "güt" | "dit"))
                {
                    self.push(entry(with_last(letters::D), At::Verb, Need::Vowel));
                }
                if matches!(word.lemma, "de" | "ye") {
                    self.push(entry(with_last(letters::I), At::Verb, Need::Y));
                }
            }
            "p" => self.push(entry(spelled, At::Noun, Need::Anything)),
            // Particles and whole forms.
            _ => self.push(entry(spelled, At::Particle, Need::Anything)),
        }
    }

    fn push(&mut self, entry: Entry) {
        let index = self.entries.len() as u32;
        self.by_key.entry(Key::of(&entry.letters).0).or_default().push(index);
        self.entries.push(entry);
    }

    /// The stems whose plain letters have this key; to be compared letter by letter by who asks.
    pub fn with(&self, key: Key) -> impl Iterator<Item = &Entry> {
        self.by_key.get(&key.0).into_iter().flatten().map(|index| &self.entries[*index as usize])
    }
}

/// How usual a row of letters is as a stem: each letter after the two before it, learnt from the list of stems.
#[derive(Debug)]
pub struct Spelling {
    /// Nats by letter before last, last letter, this letter; letter zero is the start and the end.
    costs: Vec<f32>,
}

impl Spelling {
    fn learn<'l>(lemmas: impl Iterator<Item = &'l str>) -> Self {
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
            for before in 0..LETTERS {
                let row = (before * LETTERS + last) * LETTERS;
                let after_both: f32 = three[row..][..LETTERS].iter().sum();
                for letter in 0..LETTERS {
                    let single = one[letter] / all;
                    let pair = (two[last * LETTERS + letter] + 4.0 * single) / (after_last + 4.0);
                    costs[row + letter] = -((three[row + letter] + 4.0 * pair) / (after_both + 4.0)).ln();
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

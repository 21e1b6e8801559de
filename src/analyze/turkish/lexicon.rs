//! The stems that are known, with how often they are met.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::letters::{self, Letter};
use super::spelling::Spelling;
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
    key: Key,
    /// Where its letters are among those of all.
    letters: (u32, u8),
    /// In lower case, but for names.
    pub lemma: &'static str,
    pub at: At,
    pub need: Need,
    pub says: Says,
    /// The sound endings hear after it, which may be that of a front vowel: `saat-ler`.
    pub sound: Sound,
    /// In nats: minus the logarithm of its share of all words.
    pub cost: f32,
}

impl Entry {
    /// How many letters of a word it takes.
    pub fn length(&self) -> usize {
        usize::from(self.letters.1)
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The letters of all entries, one after the other.
    letters: Vec<Letter>,
    /// Numbers of entries from 1, each at the first free place from its key on; zero is a free place. At most half are taken.
    places: Vec<u32>,
    pub nouns: Spelling,
    pub verbs: Spelling,
}

/// A word of a list before its forms are made.
struct Listed {
    /// In lower case.
    lemma: Cow<'static, str>,
    /// With the capitals of a name.
    written: &'static str,
    form: Option<&'static str>,
    kind: &'static str,
    count: f32,
}

/// A form of a word before it has its place.
struct Form {
    letters: Vec<Letter>,
    lemma: &'static str,
    at: At,
    need: Need,
    says: Says,
    /// `saat-ler`: what follows sounds as after a front vowel.
    front: bool,
    cost: f32,
}

/// Counts by [`name`].
type Counts = HashMap<u64, f32, BuildHasherDefault<Identity>>;

/// A word with what it is asked for, as a number.
fn name(word: &str, of: &str) -> u64 {
    word.bytes().chain([0]).chain(of.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        let mixed = (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    })
}

/// Whether a kind's words are verbs, of which those of other kinds with the same letters know nothing.
fn class(kind: &str) -> &'static str {
    if kind == "v" { "v" } else { "" }
}

impl Lexicon {
    /// Reads lists of lines `kind <tab> count <tab> words`, `#` starting a comment. Kinds: `n` noun or adjective, `v` verb,
    /// `x` takes at most a copula, `f` whole forms as `form=lemma`, `p` pronouns' stems as `form=lemma` that take a noun's endings,
    /// `s` nouns of one syllable whose last consonant softens, `d` nouns that lose their last vowel, `g` nouns that double
    /// their last consonant, `r` nouns in a back vowel that take front endings. A word in several lists counts with its largest number,
    /// and is a name in all when it has capitals in one.
    pub fn parse(lists: &[&'static str]) -> Result<Self, Unusable> {
        let mut listed: Vec<Listed> = Vec::with_capacity(lists.iter().map(|list| list.len() / 7).sum());
        for list in lists {
            for (index, line) in list.lines().enumerate() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let unusable = |reason| Unusable { line: index + 1, reason };
                let mut fields = line.split('\t');
                let (Some(kind), Some(count), Some(words)) = (fields.next(), fields.next(), fields.next()) else {
                    return Err(unusable("not kind, count and words"));
                };
                if !matches!(kind, "n" | "v" | "x" | "f" | "p" | "s" | "d" | "g" | "r") {
                    return Err(unusable("an unknown kind"));
                }
                let count = count.parse().map_err(|_| unusable("the count is not a number"))?;
                listed.extend(words.split(' ').filter(|word| !word.is_empty()).map(|word| {
                    let (form, written) =
                        word.split_once('=').map_or((None, word), |(form, lemma)| (Some(form), lemma));
                    let lemma = match written.starts_with(char::is_uppercase) {
                        true => letters::lower_case(written).into(),
                        false => written.into(),
                    };
                    Listed { lemma, written, form, kind, count }
                }));
            }
        }
        let total: f32 = listed.iter().map(|word| word.count).sum();
        let mut largest = Counts::with_capacity_and_hasher(listed.len(), BuildHasherDefault::default());
        for word in listed.iter().filter(|word| word.form.is_none()) {
            let count = largest.entry(name(&word.lemma, class(word.kind))).or_default();
            *count = count.max(word.count);
        }
        let named = listed.iter().filter(|word| *word.written != *word.lemma);
        let names: HashMap<u64, &'static str, BuildHasherDefault<Identity>> =
            named.map(|word| (name(&word.lemma, ""), word.written)).collect();
        for word in listed.iter_mut().filter(|word| word.form.is_none()) {
            if let Some(written) = names.get(&name(&word.lemma, "")) {
                word.written = written;
            }
        }
        let lemmas = |kind| listed.iter().filter(move |word| word.kind == kind).map(|word| &*word.lemma);
        let mut lexicon = Self {
            entries: Vec::with_capacity(listed.len() * 3 / 2),
            letters: Vec::with_capacity(listed.len() * 12),
            places: Vec::new(),
            nouns: Spelling::learn(lemmas("n")),
            verbs: Spelling::learn(lemmas("v")),
        };
        let mut seen: HashSet<u64, BuildHasherDefault<Identity>> =
            HashSet::with_capacity_and_hasher(listed.len(), BuildHasherDefault::default());
        for word in &listed {
            if !seen.insert(name(&word.lemma, word.form.unwrap_or(word.kind))) {
                continue;
            }
            let count = match word.form {
                Some(_) => word.count,
                None => largest.get(&name(&word.lemma, class(word.kind))).copied().unwrap_or(word.count),
            };
            lexicon.add(word, (total / count).ln(), &largest);
        }
        lexicon.find_places();
        Ok(lexicon)
    }

    fn add(&mut self, word: &Listed, cost: f32, known: &Counts) {
        let lemma = &*word.lemma;
        let typed = word.form.unwrap_or(lemma);
        let spelled: Vec<Letter> = typed.chars().map(letters::letter).collect();
        let Some((&last, before)) = spelled.split_last() else { return };
        let form = |letters: Vec<Letter>, at: At, need: Need| {
            let says = if lemma == "mi" { QUESTION } else { 0 };
            Form { letters, lemma: word.written, at, need, says, front: false, cost }
        };
        let with_last = |letter: Letter| before.iter().copied().chain([letter]).collect::<Vec<_>>();
        let vowels = spelled.iter().filter(|letter| letters::is_vowel(**letter)).count();
        match word.kind {
            "n" => {
                let base = ["sız", "siz", "suz", "süz"].iter().find_map(|ending| lemma.strip_suffix(ending));
                let without = base.is_some_and(|base| known.contains_key(&name(base, class(word.kind))));
                let says = if without { WITHOUT } else { 0 };
                self.push(Form { says, ..form(spelled.clone(), At::Noun, Need::Anything) });
                if vowels > 1 {
                    for (hard, soft, extra) in [
                        (letters::K, letters::SOFT_G, 0.0),
                        (letters::P, letters::B, 0.0),
                        (letters::CH, letters::C, 0.0),
                        (letters::T, letters::D, 1.0),
                    ] {
                        if last == hard {
                            self.push(Form { cost: cost + extra, ..form(with_last(soft), At::Noun, Need::Vowel) });
                        }
                    }
                }
                let nasal = before.last() == Some(&letters::N);
                if last == letters::K && nasal {
                    self.push(form(with_last(letters::G), At::Noun, Need::Vowel));
                }
                let back = before.last().is_some_and(|vowel| matches!(*vowel, letters::A | letters::O | letters::U));
                if matches!(last, letters::L | letters::T) && back {
                    let extra = if last == letters::L { 0.7 } else { 2.0 };
                    self.push(Form {
                        front: true,
                        cost: cost + extra,
                        ..form(spelled.clone(), At::Noun, Need::Anything)
                    });
                }
            }
            "r" => self.push(Form { front: true, ..form(spelled.clone(), At::Noun, Need::Anything) }),
            "s" => {
                let soft = match last {
                    letters::K => letters::SOFT_G,
                    letters::P => letters::B,
                    letters::CH => letters::C,
                    letters::T => letters::D,
                    _ => last,
                };
                self.push(form(with_last(soft), At::Noun, Need::Vowel));
            }
            "d" => {
                // The vowel before the last consonant goes: ağız, ağz-ı.
                let mut short = before.to_vec();
                short.pop();
                short.push(last);
                // What follows sounds as after the whole word: vakit, vakt-i.
                let front = letters::is_front(Sound::of(&spelled).vowel) && !letters::is_front(Sound::of(&short).vowel);
                self.push(Form { front, ..form(short, At::Noun, Need::Vowel) });
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
                self.push(Form { front, ..form(doubled, At::Noun, Need::Vowel) });
            }
            "v" => {
                self.push(form(spelled.clone(), At::Verb, Need::Anything));
                if matches!(last, letters::A | letters::E) {
                    self.push(form(before.to_vec(), At::Narrowed, Need::Anything));
                }
                if last == letters::T && (lemma.ends_with("et") || matches!(lemma, "git" | "tat" | "güt" | "dit")) {
                    self.push(form(with_last(letters::D), At::Verb, Need::Vowel));
                }
                if matches!(lemma, "de" | "ye") {
                    self.push(form(with_last(letters::I), At::Verb, Need::Y));
                }
            }
            "p" => self.push(form(spelled, At::Noun, Need::Anything)),
            // Particles and whole forms.
            _ => self.push(form(spelled, At::Particle, Need::Anything)),
        }
    }

    fn push(&mut self, form: Form) {
        let mut sound = Sound::of(&form.letters);
        if form.front {
            sound.vowel = match sound.vowel {
                letters::O | letters::U => letters::UE,
                _ => letters::E,
            };
        }
        let Form { letters, lemma, at, need, says, cost, .. } = form;
        let key = Key::of(&letters);
        let place = (self.letters.len() as u32, letters.len() as u8);
        self.letters.extend_from_slice(&letters);
        self.entries.push(Entry { key, letters: place, lemma, at, need, says, sound, cost });
    }

    /// Puts every entry where its key leads.
    fn find_places(&mut self) {
        self.places = vec![0; (2 * self.entries.len()).next_power_of_two()];
        for (index, entry) in self.entries.iter().enumerate() {
            let mut place = entry.key.0 as usize;
            while self.places[place & (self.places.len() - 1)] != 0 {
                place += 1;
            }
            let places = self.places.len();
            self.places[place & (places - 1)] = index as u32 + 1;
        }
    }

    /// The stems whose plain letters have this key, with their letters; to be compared letter by letter by who asks.
    pub fn with(&self, key: Key) -> impl Iterator<Item = (&Entry, &[Letter])> {
        let mask = self.places.len() - 1;
        let found = (key.0 as usize..).map(move |place| self.places[place & mask]).take_while(|number| *number != 0);
        found.map(|number| &self.entries[number as usize - 1]).filter(move |entry| entry.key == key).map(|entry| {
            let (from, length) = entry.letters;
            (entry, &self.letters[from as usize..from as usize + usize::from(length)])
        })
    }
}

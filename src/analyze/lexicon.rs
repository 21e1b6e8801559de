//! Word lists with weights, and how a word of a text is found in them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::suffixes::{self, Ending};
use super::tokens::{Token, TokenKind, bare, lower_case, search_fold};

/// The language whose endings the words of a list take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endings {
    Turkish,
    English,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Noun,
    Verb,
    /// A verb whose last vowel falls before `-iyor`: "bekle-", "bekliyor".
    NarrowedVerb,
    /// A noun whose last letter softens before a vowel: "eksik", "eksiği".
    SoftenedNoun,
    Exact,
    Prefix,
}

/// A word of a list.
#[derive(Debug, Clone, PartialEq)]
struct Entry<V> {
    kind: Kind,
    value: V,
    /// Must be written with these letters, since without its dots it is another word.
    letters: Option<String>,
}

/// Several words of a list, found by the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase<V> {
    /// The words between the first and the last, folded.
    words: Vec<Box<str>>,
    last: Box<str>,
    entry: Entry<V>,
}

/// A place of a text that a list knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<V> {
    /// How many tokens it covers.
    pub tokens: usize,
    pub value: V,
    pub ending: Ending,
    /// Letters were drawn out: "çoook".
    pub elongated: bool,
}

/// How much a word says about the mood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mood {
    pub weight: f64,
    /// The weight it has when something negates it.
    pub negated: f64,
}

/// Words and phrases of one language and what they say.
#[derive(Debug)]
pub struct Lexicon<V> {
    words: Map<Vec<Entry<V>>>,
    /// By the first word.
    phrases: Map<Vec<Phrase<V>>>,
    lengths: Lengths,
    /// Those of the words that phrases begin with.
    phrase_lengths: Lengths,
    english: bool,
}

/// Longer than any word people write, in bytes.
const LONGEST_WORD: usize = 48;
/// Stems of this many bytes and more share a bit of their slot.
const LONGEST_STEM: usize = 63;

/// Words are told apart by their first two letters, so that most look-ups need no hash.
const SLOTS: usize = 27 * 27;

/// For each pair of first letters, the lengths of the words that begin so: bit `n` for `n` bytes.
#[derive(Debug)]
struct Lengths(Box<[u64; SLOTS]>);

impl Default for Lengths {
    fn default() -> Self {
        Self(Box::new([0; SLOTS]))
    }
}

impl Lengths {
    fn slot(word: &str) -> Option<usize> {
        let letter = |byte: u8| if byte.is_ascii_lowercase() { usize::from(byte - b'a') } else { 26 };
        let [first, second, ..] = *word.as_bytes() else { return None };
        Some(27 * letter(first) + letter(second))
    }

    fn add(&mut self, word: &str) {
        if let Some(slot) = Self::slot(word) {
            self.0[slot] |= 1 << word.len().min(LONGEST_STEM);
        }
    }

    /// The lengths of the words that have the first letters of this one.
    fn of(&self, word: &str) -> u64 {
        Self::slot(word).map_or(0, |slot| self.0[slot])
    }

    /// Whether a word like this may have been added; one of a single letter may always.
    fn may_have(&self, word: &str) -> bool {
        word.len() < 2 || self.of(word) & (1 << word.len().min(LONGEST_STEM)) != 0
    }
}

impl Lexicon<Mood> {
    /// Reads a list of our own; a broken line is a bug that a test finds.
    pub fn parse(list: &str, endings: Endings) -> Result<Self, String> {
        let mut lexicon = Self::new(endings);
        for (number, line) in list.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |reason: &str| format!("line {}: {reason}: {line:?}", number + 1);
            let mut fields = line.split('\t');
            let text = fields.next().filter(|text| !text.trim().is_empty()).ok_or_else(|| wrong("no entry"))?;
            let weight = fields.next().ok_or_else(|| wrong("no weight"))?;
            let weight: f64 = weight.parse().map_err(|_| wrong("the weight is no number"))?;
            let negated = match fields.next() {
                Some(negated) => negated.parse().map_err(|_| wrong("the weight when negated is no number"))?,
                // What is not good is bad; what is not bad is hardly good.
                None if weight > 0.0 => -0.8 * weight,
                None => -0.4 * weight,
            };
            lexicon.add(text, Mood { weight, negated });
        }
        Ok(lexicon)
    }
}

impl<V: Copy> Lexicon<V> {
    pub fn new(endings: Endings) -> Self {
        Self {
            words: Map::default(),
            phrases: Map::default(),
            lengths: Lengths::default(),
            phrase_lengths: Lengths::default(),
            english: endings == Endings::English,
        }
    }

    /// Adds an entry as the lists spell it.
    pub fn add(&mut self, text: &str, value: V) {
        let (text, letters) = match text.strip_prefix('!') {
            Some(text) => (text, Some(text.to_owned())),
            None => (text, None),
        };
        let (text, exact) = text.strip_prefix('=').map_or((text, false), |text| (text, true));
        let (text, kind) = match (text.strip_suffix('-'), text.strip_suffix('*')) {
            (Some(stem), _) => (stem, Kind::Verb),
            (_, Some(stem)) => (stem, Kind::Prefix),
            _ if exact => (text, Kind::Exact),
            _ => (text, Kind::Noun),
        };
        let folded = search_fold(text);
        let mut words: Vec<Box<str>> = folded.split_whitespace().map(Box::from).collect();
        let Some(last) = words.pop() else { return };
        let first = (!words.is_empty()).then(|| words.remove(0));
        let changed = if self.english { Vec::new() } else { changed_stems(&last, kind) };
        for (last, kind) in std::iter::once((last, kind)).chain(changed) {
            let entry = Entry { kind, value, letters: letters.clone() };
            match &first {
                Some(first) => {
                    self.phrase_lengths.add(first);
                    let phrases = self.phrases.entry(first.clone()).or_default();
                    // The longest first, so that it is found first.
                    let place = phrases.partition_point(|known| known.words.len() >= words.len());
                    phrases.insert(place, Phrase { words: words.clone(), last, entry });
                }
                None => {
                    self.lengths.add(&last);
                    self.words.entry(last).or_default().push(entry);
                }
            }
        }
    }

    /// What the list knows of the text from token `at` on: the longest phrase, or else the word.
    pub fn find(&self, tokens: &[Token<'_>], at: usize) -> Option<Found<V>> {
        let token = tokens.get(at)?;
        self.phrase_at(self.phrases(token), at, |index| tokens.get(index)).or_else(|| self.find_word(token))
    }

    /// The phrases of several words that begin with this one, the longest first.
    pub fn phrases(&self, first: &Token<'_>) -> &[Phrase<V>] {
        let may = self.phrase_lengths.may_have(&first.key);
        may.then(|| self.phrases.get(first.key.as_str())).flatten().map_or(&[], Vec::as_slice)
    }

    /// The first of `phrases` whose other words follow `at` among the tokens that `token` gives.
    pub fn phrase_at<'t>(
        &self,
        phrases: &[Phrase<V>],
        at: usize,
        token: impl Fn(usize) -> Option<&'t Token<'t>>,
    ) -> Option<Found<V>> {
        phrases.iter().find_map(|phrase| self.phrase(phrase, at, &token))
    }

    /// What the list knows of a word alone.
    pub fn find_word(&self, token: &Token<'_>) -> Option<Found<V>> {
        self.word(token).map(|(entry, ending, elongated)| found(entry, 1, ending, elongated))
    }

    /// Everything the list knows of a text, with the token it starts at; none overlap.
    pub fn all_in<'l, 't>(
        &'l self,
        tokens: &'l [Token<'t>],
    ) -> impl Iterator<Item = (usize, Found<V>)> + use<'l, 't, V> {
        let mut next = 0;
        std::iter::from_fn(move || {
            while next < tokens.len() {
                let at = next;
                next += 1;
                if let Some(found) = tokens[at].is_word().then(|| self.find(tokens, at)).flatten() {
                    next = at + found.tokens;
                    return Some((at, found));
                }
            }
            None
        })
    }

    fn phrase<'t>(
        &self,
        phrase: &Phrase<V>,
        at: usize,
        token: &impl Fn(usize) -> Option<&'t Token<'t>>,
    ) -> Option<Found<V>> {
        let mut next = at + 1;
        for word in &phrase.words {
            if *token(next)?.key != **word {
                return None;
            }
            next += 1;
        }
        let last = token(next).filter(|token| token.is_word())?;
        let rest = last.key.strip_prefix(&*phrase.last)?;
        let ending = self.ending(&phrase.entry, &phrase.last, rest)?;
        Some(found(&phrase.entry, next + 1 - at, ending, false))
    }

    fn word(&self, token: &Token<'_>) -> Option<(&Entry<V>, Ending, bool)> {
        // Longer than any word people write; hostile runs of letters end here.
        if token.key.len() > LONGEST_WORD {
            return None;
        }
        if let Some((entry, ending)) = self.look_up(&token.key, token) {
            return Some((entry, ending, false));
        }
        let (twice, once) = token.drawn_out.then(|| shortened(&token.key)).flatten()?;
        let by = |key: &str| self.look_up(key, token).map(|(entry, ending)| (entry, ending, true));
        by(&twice).or_else(|| by(&once))
    }

    fn look_up(&self, key: &str, token: &Token<'_>) -> Option<(&Entry<V>, Ending)> {
        // The longest stem that leaves lawful endings: "ilgisizlik" is not "ilgi". Keys are shorter than LONGEST_STEM.
        let mut lengths = self.lengths.of(key) & ((2 << key.len().min(LONGEST_WORD)) - 1);
        while lengths != 0 {
            let end = lengths.ilog2() as usize;
            lengths ^= 1 << end;
            if !key.is_char_boundary(end) {
                continue;
            }
            let entries = self.words.get(&key[..end]).map_or(&[] as &[Entry<V>], Vec::as_slice);
            for entry in entries {
                let written = entry
                    .letters
                    .as_ref()
                    .is_none_or(|letters| lower_case(&bare(token.surface), "tr").starts_with(letters));
                if let Some(ending) = self.ending(entry, &key[..end], &key[end..]).filter(|_| written) {
                    return Some((entry, ending));
                }
            }
        }
        self.english.then(|| self.changed_english(key)).flatten().map(|entry| (entry, Ending::default()))
    }

    /// "loving" is "love", "happiness" is "happy", "stopped" is "stop".
    fn changed_english(&self, key: &str) -> Option<&Entry<V>> {
        for ending in ["ing", "ed", "er", "est", "ly", "ness", "es"] {
            let Some(stem) = key.strip_suffix(ending).filter(|stem| stem.len() >= 3 && stem.is_ascii()) else {
                continue;
            };
            let (head, last) = stem.split_at(stem.len() - 1);
            let candidates = match last {
                "i" => [format!("{head}y"), String::new()],
                _ if head.ends_with(last) => [head.to_owned(), format!("{stem}e")],
                _ => [format!("{stem}e"), String::new()],
            };
            let known = candidates.iter().filter_map(|stem| self.words.get(stem.as_str())).flatten();
            if let Some(entry) = known.into_iter().find(|entry| entry.kind == Kind::Noun) {
                return Some(entry);
            }
        }
        None
    }

    fn ending(&self, entry: &Entry<V>, stem: &str, rest: &str) -> Option<Ending> {
        // Turkish writes endings of names after an apostrophe.
        let rest = if self.english { rest } else { rest.trim_start_matches('\'') };
        let vowel_next = rest.starts_with(['a', 'e', 'i', 'u']);
        match entry.kind {
            Kind::Exact => rest.is_empty().then(Ending::default),
            Kind::Prefix => Some(Ending::default()),
            _ if self.english => suffixes::of_english(rest).then(Ending::default),
            Kind::Noun => suffixes::of_noun(stem, rest),
            Kind::Verb => suffixes::of_verb(stem, rest),
            Kind::SoftenedNoun => vowel_next.then(|| suffixes::of_noun(stem, rest)).flatten(),
            Kind::NarrowedVerb => ["iyor", "uyor", "iyo", "uyo"]
                .iter()
                .any(|ending| rest.starts_with(ending))
                .then(|| suffixes::of_verb(stem, rest))
                .flatten(),
        }
    }
}

/// Turkish stems that change before some endings.
fn changed_stems(stem: &str, kind: Kind) -> Vec<(Box<str>, Kind)> {
    let (head, last) = stem.split_at(stem.char_indices().last().map_or(0, |(at, _)| at));
    match (kind, last) {
        (Kind::Verb, "e" | "a") => vec![(head.into(), Kind::NarrowedVerb)],
        (Kind::Verb, "t") if matches!(stem, "et" | "git") || stem.ends_with("et") => {
            vec![(format!("{head}d").into(), Kind::Verb)]
        }
        (Kind::Noun, "k") if stem.len() > 3 => vec![(format!("{head}g").into(), Kind::SoftenedNoun)],
        (Kind::Noun, "p") if stem.len() > 3 => vec![(format!("{head}b").into(), Kind::SoftenedNoun)],
        _ => Vec::new(),
    }
}

fn found<V: Copy>(entry: &Entry<V>, tokens: usize, ending: Ending, elongated: bool) -> Found<V> {
    Found { tokens, value: entry.value, ending, elongated }
}

/// "guzelll" with drawn-out letters taken back, to two and to one; `None` when no letter stands three times or twice at the end.
fn shortened(key: &str) -> Option<(String, String)> {
    let mut twice = String::with_capacity(key.len());
    let mut once = String::with_capacity(key.len());
    let mut characters = key.chars().peekable();
    let mut drawn_out = false;
    while let Some(character) = characters.next() {
        let mut count = 1;
        while characters.next_if_eq(&character).is_some() {
            count += 1;
        }
        let long = count >= 3 || (count == 2 && characters.peek().is_none());
        drawn_out |= long;
        once.push(character);
        twice.push(character);
        if count >= 2 {
            twice.push(character);
        }
        if count == 2 && !long {
            once.push(character);
        }
    }
    drawn_out.then_some((twice, once))
}

/// Weights of emoji and emoticons.
#[derive(Debug, Default)]
pub struct EmojiWeights(Map<f64>);

impl EmojiWeights {
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut weights = Self::default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (emoji, weight) = line.split_once('\t').ok_or_else(|| format!("no weight: {line:?}"))?;
            let weight = weight.parse().map_err(|_| format!("the weight is no number: {line:?}"))?;
            weights.0.insert(emoji.to_lowercase().into(), weight);
        }
        Ok(weights)
    }

    pub fn weight(&self, token: &Token<'_>) -> Option<f64> {
        if token.kind != TokenKind::Emoji {
            return None;
        }
        // An emoji with a joiner counts as its first part: ❤️‍🔥 is ❤.
        let first = || token.key.split('\u{200d}').next().and_then(|first| self.0.get(first));
        self.0.get(token.key.as_str()).or_else(first).copied()
    }
}

/// Keyed by short folded words; the lists are our own, so nobody can choose keys that collide.
pub type Map<T> = HashMap<Box<str>, T, BuildHasherDefault<ShortKeys>>;

/// FNV-1a: several times as fast as the default for words of a few letters.
#[derive(Debug, Clone)]
pub struct ShortKeys(u64);

impl Default for ShortKeys {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for ShortKeys {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

//! The search for the likeliest reading of a word: a stem, listed or guessed, and the endings that lead to its end.

use super::letters::{self, Letter};
use super::lexicon::{Entry, Key, Need};
use super::suffixes::{self, Arc, At, DERIVES, Endings, Says, Sound};
use super::{CERTAIN, LONGEST, Stemmer};

/// What a stem nobody listed costs beside its letters, in nats.
const UNLISTED: f32 = 3.5;
/// The same of a verb: nearly all verbs that are not made of nouns are listed.
const UNLISTED_VERB: f32 = 8.0;

/// No ending costs less than this a letter, in nats.
const LEAST: f32 = 0.45;

impl Stemmer {
    /// The best reading of a word; with `folded`, of one that is typed without Turkish letters and has only plain ones.
    pub(super) fn search<'s, 'w>(&'s self, word: &'w [Letter], folded: bool) -> Search<'s, 'w> {
        let mut search =
            Search { endings: &self.endings, word, folded, spelled: [0; LONGEST], best: None, rival: f32::INFINITY };
        let mut keys = [Key::EMPTY; LONGEST];
        let mut key = Key::EMPTY;
        for (place, letter) in keys.iter_mut().zip(word) {
            key = key.then(*letter);
            *place = key;
        }
        // The longest stem first: it most often is the one, and leaves little to look at behind it.
        for (index, key) in keys[..word.len()].iter().enumerate().rev() {
            for (entry, letters) in self.lexicon.with(*key) {
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
            // A guess costs more with every letter; none of those that follow is better than what was found.
            if noun_cost.min(verb_cost) >= search.bound() {
                break;
            }
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
}

/// How an unlisted stem ends as a lemma.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Plain,
    Hardened(Letter),
    Narrowed(Letter),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Stem<'s> {
    Listed(&'s Entry),
    /// How it ends, and after how many letters.
    Unlisted(Ending, usize),
}

impl Stem<'_> {
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Self::Listed(_))
    }
}

/// A word made of the stem by an ending: up to where, and whether it lost its last vowel there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Derived {
    pub end: usize,
    pub narrowed: bool,
}

/// A reading of a whole word.
#[derive(Debug, Clone)]
pub(super) struct Found<'s> {
    pub stem: Stem<'s>,
    pub derived: Option<Derived>,
    pub says: Says,
    pub cost: f32,
    /// The word with its Turkish letters.
    pub spelled: [Letter; LONGEST],
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

/// The search for the best reading of one word.
pub(super) struct Search<'s, 'w> {
    endings: &'s Endings,
    word: &'w [Letter],
    folded: bool,
    /// The word so far with its Turkish letters.
    spelled: [Letter; LONGEST],
    pub best: Option<Found<'s>>,
    /// The cost of the best reading that is spelled otherwise than the best.
    pub rival: f32,
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
        let bound = self.bound();
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
            if way.cost + arc.cost < self.bound() {
                self.follow(way, arc);
            }
        }
    }

    /// What costs as much is not looked at: only a spelling's rivals are of interest beyond the best.
    fn bound(&self) -> f32 {
        let best = self.best.as_ref().map_or(f32::INFINITY, |best| best.cost);
        if self.folded { best + CERTAIN } else { best }
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

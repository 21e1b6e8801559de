//! Which endings follow which in a Turkish word: the order of noun and verb endings as a table of arcs.
//!
//! In an ending `A` is e/a, `I` is i/ı/u/ü by harmony, `D` is d/t, `C` is c/ç, `K` is k, or ğ before a vowel. A letter in
//! brackets at its start is there only where it bridges two vowels (`(y)A`) or two consonants (`(I)m`).

use super::letters::{self, Letter};

/// Where in a word the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum At {
    /// After the stem of a noun, adjective or pronoun.
    Noun,
    /// After `-ler`.
    Plural,
    /// After `-im`, `-iniz`.
    Owned,
    /// After `-i`, `-leri`: cases take an n.
    OwnedByThem,
    /// After `-e`, `-den`, `-ile`.
    Case,
    /// After `-de`, `-in`: `-ki` may follow.
    Place,
    /// After `-ki`.
    Which,
    /// After `-di` or `-se`: short persons.
    Past,
    /// After `-yor`, `-miş`, `-ecek`, `-er`: long persons.
    Tense,
    /// After a person.
    Person,
    /// After the stem of a verb.
    Verb,
    /// After the stem of a verb in -a or -e that lost its vowel before `-iyor`.
    Narrowed,
    /// After the negation of a verb.
    Negated,
    /// After `mi`, `değil`, `için`: a copula may follow.
    Particle,
    End,
}

/// How many places there are.
const PLACES: usize = At::End as usize + 1;

/// What the endings of a word say beside its stem, as bits.
pub type Says = u8;
pub const NEGATED: Says = 1;
/// `-siz`: without it.
pub const WITHOUT: Says = 2;
/// The ending makes another word, whose lemma it belongs to: `önem-li`, `güç-len-di`.
pub const DERIVES: Says = 4;
/// `mi`, written alone or at the end of a word.
pub const QUESTION: Says = 8;

/// An ending as written above, what it leads to, what it says, and its cost in nats.
type Row = (&'static str, At, Says, f32);

use At::{
    Case, End, Narrowed, Negated, Noun, Owned, OwnedByThem, Particle, Past, Person, Place, Plural, Tense, Verb, Which,
};

const PLURAL: &[Row] = &[("lAr", Plural, 0, 1.6)];
const OWNERS: &[Row] = &[
    ("(s)I", OwnedByThem, 0, 1.3),
    ("lArI", OwnedByThem, 0, 3.0),
    ("(I)m", Owned, 0, 2.4),
    ("(I)n", Owned, 0, 4.0),
    ("(I)mIz", Owned, 0, 3.3),
    ("(I)nIz", Owned, 0, 3.6),
];
const CASES: &[Row] = &[
    ("(y)I", Case, 0, 2.2),
    ("(y)A", Case, 0, 2.0),
    ("DA", Place, 0, 2.1),
    ("DAn", Case, 0, 2.4),
    ("(n)In", Place, 0, 2.2),
    ("(y)lA", Case, 0, 2.8),
    ("CA", Case, 0, 5.0),
];
const CASES_WITH_N: &[Row] = &[
    ("nI", Case, 0, 1.8),
    ("nA", Case, 0, 1.8),
    ("nDA", Place, 0, 1.8),
    ("nDAn", Case, 0, 2.2),
    ("nIn", Place, 0, 2.0),
    ("ylA", Case, 0, 2.4),
    ("ncA", Case, 0, 4.5),
];
const COPULA: &[Row] = &[
    ("(y)DI", Past, 0, 2.6),
    ("(y)mIş", Tense, 0, 4.5),
    ("(y)sA", Past, 0, 4.2),
    ("(y)ken", End, 0, 4.5),
    ("DIr", Person, 0, 3.2),
    ("(y)Im", Person, 0, 4.2),
    ("sIn", Person, 0, 4.8),
    ("(y)Iz", Person, 0, 4.6),
    ("sInIz", Person, 0, 4.6),
];
const PEOPLE_ARE: &[Row] = &[("lAr", Person, 0, 5.0)];
const WHICH: &[Row] = &[("ki", Which, 0, 2.2)];
const AFTER_WHICH: &[Row] = &[("lAr", Plural, 0, 1.5)];
const SHORT_PERSONS: &[Row] = &[
    ("m", Person, 0, 1.2),
    ("n", Person, 0, 2.6),
    ("k", Person, 0, 1.6),
    ("nIz", Person, 0, 2.4),
    ("lAr", Person, 0, 2.0),
    ("ysA", Person, 0, 5.0),
];
const LONG_PERSONS: &[Row] = &[
    ("(y)Im", Person, 0, 1.4),
    ("m", Person, 0, 3.6),
    ("sIn", Person, 0, 2.4),
    ("(y)Iz", Person, 0, 1.8),
    ("sInIz", Person, 0, 2.2),
    ("lAr", Person, 0, 2.0),
    ("DIr", Person, 0, 2.8),
    ("(y)DI", Past, 0, 1.8),
    ("(y)mIş", Person, 0, 3.4),
    ("(y)sA", Past, 0, 2.6),
    ("(y)ken", End, 0, 2.8),
    ("cAsInA", End, 0, 5.5),
];
const AFTER_PERSON: &[Row] = &[("DIr", End, 0, 4.0), ("DI", Past, 0, 4.0), ("sA", Past, 0, 4.5)];

/// Written together with its verb against the rules, and often: `geldimi`, `varmı`.
const QUESTION_JOINED: &[Row] = &[("mI", Particle, QUESTION, 5.5)];
const DERIVATIONS: &[Row] = &[
    ("lI", Noun, DERIVES, 4.0),
    ("sIz", Noun, DERIVES | WITHOUT, 4.5),
    ("lIK", Noun, DERIVES, 4.2),
    ("CI", Noun, DERIVES, 4.8),
    ("sAl", Noun, DERIVES, 6.0),
    ("CA", Noun, DERIVES, 5.2),
    ("CIK", Noun, DERIVES, 6.5),
    ("lA", Verb, DERIVES, 5.5),
    ("l", Narrowed, DERIVES, 5.5),
    ("lAn", Verb, DERIVES, 4.8),
    ("lAş", Verb, DERIVES, 4.8),
];
/// What makes a verb of a verb; the lemma stays that of the first.
const VOICES: &[Row] = &[
    ("DIr", Verb, 0, 3.4),
    ("t", Verb, 0, 3.6),
    ("Il", Verb, 0, 2.8),
    ("(I)n", Verb, 0, 3.2),
    ("Iş", Verb, 0, 4.8),
    ("(y)Abil", Verb, 0, 2.8),
    ("(y)Iver", Verb, 0, 5.0),
];
const NEGATIONS: &[Row] = &[
    ("mA", Negated, NEGATED, 2.4),
    ("(y)AmA", Negated, NEGATED, 3.4),
    ("mIyor", Tense, NEGATED, 2.8),
    ("(y)AmIyor", Tense, NEGATED, 3.4),
    ("mIyo", Tense, NEGATED, 4.8),
    ("(y)AmIyo", Tense, NEGATED, 5.2),
    ("mAz", Tense, NEGATED, 3.0),
    ("(y)AmAz", Tense, NEGATED, 3.8),
    ("mAm", Person, NEGATED, 4.2),
    ("(y)AmAm", Person, NEGATED, 5.0),
    ("mAksIzIn", End, NEGATED, 5.0),
    ("mIcAK", Tense, NEGATED, 5.5),
    ("mIcAm", Person, NEGATED, 5.5),
];
const ONLY_PLAIN: &[Row] = &[
    ("(I)yor", Tense, 0, 1.8),
    ("(I)yo", Tense, 0, 4.4),
    ("Ir", Tense, 0, 2.0),
    ("Ar", Tense, 0, 2.4),
    ("r", Tense, 0, 2.2),
    ("IcAK", Tense, 0, 5.0),
    ("cAK", Tense, 0, 5.5),
    ("IcAm", Person, 0, 5.5),
    ("cAm", Person, 0, 6.0),
    ("IcI", Noun, 0, 5.2),
];
const TENSES: &[Row] = &[
    ("DI", Past, 0, 1.3),
    ("mIş", Tense, 0, 2.0),
    ("(y)AcAK", Tense, 0, 2.6),
    ("(y)AcAm", Person, 0, 5.0),
    ("mAlI", Tense, 0, 3.6),
    ("mAktA", Tense, 0, 3.8),
    ("sA", Past, 0, 2.8),
    ("sIn", Person, 0, 3.0),
    ("sInlAr", Person, 0, 4.2),
    ("(y)In", Person, 0, 3.4),
    ("(y)InIz", Person, 0, 3.6),
    ("(y)AyIm", Person, 0, 3.6),
    ("(y)AlIm", Person, 0, 3.4),
    ("(y)A", Person, 0, 4.6),
    ("(y)Ip", End, 0, 2.4),
    ("(y)ArAk", End, 0, 2.4),
    ("(y)IncA", End, 0, 3.2),
    ("mAdAn", End, 0, 3.2),
    ("(y)AlI", End, 0, 4.0),
    ("DIkçA", End, 0, 4.2),
    ("mAk", Case, 0, 2.0),
    ("mAKtAn", Case, 0, 4.2),
    ("mAktAdIr", End, 0, 4.6),
    ("mA", Noun, 0, 2.0),
    ("mAK", Noun, 0, 3.6),
    ("(y)Iş", Noun, 0, 3.8),
    ("(y)An", Noun, 0, 1.9),
    ("DIK", Noun, 0, 1.8),
    ("(y)AcAK", Noun, 0, 3.4),
    ("mIş", Noun, 0, 4.0),
];
const NARROWED: &[Row] = &[("Iyor", Tense, 0, 1.8), ("Iyo", Tense, 0, 4.4)];
const NO_WE: &[Row] = &[("yIz", Person, 0, 4.0)];

/// The rows that may follow a place.
fn rows(at: At) -> &'static [&'static [Row]] {
    match at {
        Noun => &[PLURAL, OWNERS, CASES, COPULA, PEOPLE_ARE, DERIVATIONS, QUESTION_JOINED],
        Plural => &[OWNERS, CASES, COPULA],
        Owned => &[CASES, COPULA, PEOPLE_ARE],
        OwnedByThem => &[CASES_WITH_N, COPULA],
        Case => &[COPULA],
        Place => &[WHICH, COPULA, PEOPLE_ARE],
        Which => &[AFTER_WHICH, CASES_WITH_N, COPULA],
        Past => &[SHORT_PERSONS, QUESTION_JOINED],
        Tense => &[LONG_PERSONS, QUESTION_JOINED],
        Person => &[AFTER_PERSON, QUESTION_JOINED],
        Verb => &[VOICES, NEGATIONS, ONLY_PLAIN, TENSES],
        Narrowed => &[NARROWED],
        Negated => &[TENSES, NO_WE],
        Particle => &[COPULA, PEOPLE_ARE],
        End => &[],
    }
}

/// What a word pays for ending here, in nats; `None` where it cannot.
pub fn end_cost(at: At) -> Option<f32> {
    match at {
        Narrowed => None,
        // "gelme" is a noun far more often than "do not come".
        Negated => Some(2.6),
        Verb => Some(2.2),
        Noun | Particle => Some(0.5),
        Plural | Owned | OwnedByThem | Place | Tense => Some(0.4),
        Past | Case | Which => Some(0.3),
        Person | End => Some(0.0),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Fixed(Letter),
    /// e/a.
    TwoWay,
    /// i/ı/ü/u.
    FourWay,
    /// d/t.
    Dental,
    /// c/ç.
    Palatal,
    /// k/ğ.
    Velar,
}

/// One ending that may follow a place.
#[derive(Debug, Clone)]
pub struct Arc {
    /// There only where it parts two vowels, or two consonants when it is a vowel itself.
    bridge: Option<Sign>,
    signs: Vec<Sign>,
    pub to: At,
    pub says: Says,
    pub cost: f32,
}

/// The last letter and the last vowel of what was read so far, as they are properly spelled.
#[derive(Debug, Clone, Copy)]
pub struct Sound {
    pub last: Letter,
    /// Zero in a word without a vowel so far, which sounds like one with `e` (`TV'de`).
    pub vowel: Letter,
}

impl Sound {
    pub fn of(letters: &[Letter]) -> Self {
        let vowel = letters.iter().rev().copied().find(|letter| letters::is_vowel(*letter)).unwrap_or(letters::E);
        Self { last: letters.last().copied().unwrap_or(0), vowel }
    }

    fn then(self, letter: Letter) -> Self {
        Self { last: letter, vowel: if letters::is_vowel(letter) { letter } else { self.vowel } }
    }
}

impl Arc {
    fn parse(row: &Row) -> Self {
        let sign = |character: char| match character {
            'A' => Sign::TwoWay,
            'I' => Sign::FourWay,
            'D' => Sign::Dental,
            'C' => Sign::Palatal,
            'K' => Sign::Velar,
            _ => Sign::Fixed(letters::letter(character)),
        };
        let (bridge, rest) = match row.0.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((bridge, rest)) => (bridge.chars().next().map(sign), rest),
            None => (None, row.0),
        };
        Self { bridge, signs: rest.chars().map(sign).collect(), to: row.1, says: row.2, cost: row.3 }
    }

    /// Reads the ending at `at` of `word` after `sound`, and writes it to `spelled` with its Turkish letters; gives where it ends
    /// and the sound then. With `folded` the word was typed without Turkish letters and has only plain ones.
    pub fn read(
        &self,
        word: &[Letter],
        at: usize,
        sound: Sound,
        folded: bool,
        spelled: &mut [Letter],
    ) -> Option<(usize, Sound)> {
        let after_vowel = letters::is_vowel(sound.last);
        let bridge = self.bridge.filter(|bridge| after_vowel != matches!(bridge, Sign::FourWay));
        if bridge.is_none()
            && self.bridge.is_none()
            && after_vowel
            && matches!(self.signs.first(), Some(Sign::TwoWay | Sign::FourWay))
        {
            return None;
        }
        let mut sound = sound;
        let mut at = at;
        for sign in bridge.iter().chain(&self.signs) {
            let typed = *word.get(at)?;
            let letter = match sign {
                Sign::Fixed(letter) => *letter,
                Sign::TwoWay => letters::two_way(sound.vowel),
                Sign::FourWay => letters::four_way(sound.vowel),
                Sign::Dental if letters::is_voiceless(sound.last) => letters::T,
                Sign::Dental => letters::D,
                Sign::Palatal if letters::is_voiceless(sound.last) => letters::CH,
                Sign::Palatal => letters::C,
                Sign::Velar if word.get(at + 1).is_some_and(|next| letters::is_vowel(*next)) => letters::SOFT_G,
                Sign::Velar => letters::K,
            };
            if typed != if folded { letters::plain(letter) } else { letter } {
                return None;
            }
            spelled[at] = letter;
            sound = sound.then(letter);
            at += 1;
        }
        Some((at, sound))
    }

    /// The letters it can start with, as typed without Turkish letters.
    fn starts(&self) -> impl Iterator<Item = Letter> + '_ {
        self.bridge.iter().chain(self.signs.first()).flat_map(|sign| match sign {
            Sign::Fixed(letter) => [letters::plain(*letter), 0],
            Sign::TwoWay => [letters::A, letters::E],
            Sign::FourWay => [letters::I, letters::U],
            Sign::Dental => [letters::D, letters::T],
            Sign::Palatal => [letters::C, 0],
            Sign::Velar => [letters::K, letters::G],
        })
    }
}

/// Every arc, by the place it leaves and the letter it starts with.
#[derive(Debug)]
pub struct Endings {
    arcs: Vec<Arc>,
    /// Indices into `arcs`, by place and plain first letter.
    by_start: Vec<Vec<u16>>,
}

impl Endings {
    pub fn new() -> Self {
        let mut endings = Self { arcs: Vec::new(), by_start: vec![Vec::new(); PLACES * letters::LETTERS] };
        for at in [
            Noun,
            Plural,
            Owned,
            OwnedByThem,
            Case,
            Place,
            Which,
            Past,
            Tense,
            Person,
            Verb,
            Narrowed,
            Negated,
            Particle,
        ] {
            for row in rows(at).iter().copied().flatten() {
                let arc = Arc::parse(row);
                let index = endings.arcs.len() as u16;
                for start in arc.starts().filter(|start| *start != 0) {
                    endings.by_start[at as usize * letters::LETTERS + usize::from(start)].push(index);
                }
                endings.arcs.push(arc);
            }
        }
        endings
    }

    /// The endings that may follow `at` and start with `next`.
    pub fn after(&self, at: At, next: Letter) -> impl Iterator<Item = &Arc> {
        self.by_start[at as usize * letters::LETTERS + usize::from(letters::plain(next))]
            .iter()
            .map(|index| &self.arcs[usize::from(*index)])
    }
}

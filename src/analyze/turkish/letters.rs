//! Turkish letters as small numbers, so that a word is a short row of bytes and harmony a look into a table.

/// One letter of a word. `0` stands for none, [`OTHER`] for what Turkish and its loans do not use.
pub type Letter = u8;

const ALPHABET: [char; 32] = [
    'a', 'b', 'c', 'ç', 'd', 'e', 'f', 'g', 'ğ', 'h', 'ı', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'ö', 'p', 'r', 's', 'ş',
    't', 'u', 'ü', 'v', 'y', 'z', 'q', 'w', 'x',
];

/// A digit, an accented letter of another language, any other sign.
pub const OTHER: Letter = 33;

/// How many numbers letters take, none and other included.
pub const LETTERS: usize = 34;

pub const A: Letter = 1;
pub const C: Letter = 3;
pub const CH: Letter = 4;
pub const D: Letter = 5;
pub const E: Letter = 6;
pub const B: Letter = 2;
pub const F: Letter = 7;
pub const G: Letter = 8;
pub const SOFT_G: Letter = 9;
pub const H: Letter = 10;
pub const DOTLESS_I: Letter = 11;
pub const I: Letter = 12;
pub const K: Letter = 14;
pub const L: Letter = 15;
pub const N: Letter = 17;
pub const O: Letter = 18;
pub const OE: Letter = 19;
pub const P: Letter = 20;
pub const R: Letter = 21;
pub const S: Letter = 22;
pub const SH: Letter = 23;
pub const T: Letter = 24;
pub const U: Letter = 25;
pub const UE: Letter = 26;
pub const Y: Letter = 28;

/// The number of a lower-case letter; circumflexes count as the plain vowel.
pub fn letter(character: char) -> Letter {
    match character {
        'a' | 'â' => A,
        'b' => B,
        'c' => C,
        'ç' => CH,
        'd' => D,
        'e' => E,
        'f' => F,
        'g' => G,
        'ğ' => SOFT_G,
        'h' => H,
        'ı' => DOTLESS_I,
        'i' | 'î' => I,
        'j' => 13,
        'k' => K,
        'l' => L,
        'm' => 16,
        'n' => N,
        'o' => O,
        'ö' => OE,
        'p' => P,
        'r' => R,
        's' => S,
        'ş' => SH,
        't' => T,
        'u' | 'û' => U,
        'ü' => UE,
        'v' => 27,
        'y' => Y,
        'z' => 29,
        'q' => 30,
        'w' => 31,
        'x' => 32,
        _ => OTHER,
    }
}

/// The character of a number; `None` for [`OTHER`] and zero.
pub fn character(letter: Letter) -> Option<char> {
    ALPHABET.get(usize::from(letter).wrapping_sub(1)).copied()
}

/// Turkish lower case of a text whose letters each are one character: `I` is `ı`, `İ` is `i`.
pub fn lower_case(text: &str) -> String {
    let lower = |character: char| match character {
        'I' => 'ı',
        'İ' => 'i',
        _ => character.to_lowercase().next().unwrap_or(character),
    };
    text.chars().map(lower).collect()
}

/// The letter as it is typed on a keyboard without Turkish letters.
pub fn plain(letter: Letter) -> Letter {
    match letter {
        CH => C,
        SOFT_G => G,
        DOTLESS_I => I,
        OE => O,
        SH => S,
        UE => U,
        _ => letter,
    }
}

pub fn is_vowel(letter: Letter) -> bool {
    matches!(letter, A | E | DOTLESS_I | I | O | OE | U | UE)
}

/// `e i ö ü`.
pub fn is_front(vowel: Letter) -> bool {
    matches!(vowel, E | I | OE | UE)
}

/// Consonants after which `-de` is `-te`.
pub fn is_voiceless(letter: Letter) -> bool {
    matches!(letter, CH | F | H | K | P | S | SH | T)
}

/// The vowel of `-ler/-lar` after `vowel`.
pub fn two_way(vowel: Letter) -> Letter {
    if is_front(vowel) { E } else { A }
}

/// The vowel of `-i/-ı/-ü/-u` after `vowel`.
pub fn four_way(vowel: Letter) -> Letter {
    match vowel {
        E | I => I,
        OE | UE => UE,
        O | U => U,
        _ => DOTLESS_I,
    }
}

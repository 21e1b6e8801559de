//! Numbers of orders, parcels, requests and bookings, known by the words beside them.

use super::super::tokens;
use super::money::money;
use super::{EntityKind, Hit, hit};

/// The last words before a number, which say what it counts.
#[derive(Debug, Default)]
pub struct Recent<'t> {
    words: [&'t str; 4],
    /// A colon or the like stands after the last word.
    announced: bool,
}

/// What the last words say of a number that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Naming {
    /// "no", "numarası", "kodu".
    numbered: bool,
    /// Of a booking: "PNR".
    booking: bool,
}

impl<'t> Recent<'t> {
    /// Takes in the next word of the text.
    pub fn add(&mut self, word: &'t str) {
        self.words.rotate_left(1);
        self.words[3] = word;
        self.announced = false;
    }

    /// Takes in a sign between words.
    pub fn sign(&mut self, sign: char) {
        self.announced |= matches!(sign, ':' | '=');
    }

    /// Whether they say that an order's number follows: "sipariş no".
    pub fn names_an_order(&self) -> bool {
        self.naming().is_some()
    }

    fn naming(&self) -> Option<Naming> {
        let folded = self.words.map(tokens::search_fold);
        let mut words = folded.iter().rev().map(String::as_str).filter(|word| !FILLERS.contains(word));
        let begins = |word: &str, cues: &[&str]| cues.iter().any(|cue| word.starts_with(cue));
        let last = words.next().filter(|word| !word.is_empty())?;
        let numbered = NUMBERS.contains(&last) || last.starts_with("numara");
        let named = match numbered {
            true => words.take(2).find(|word| begins(word, &CUES) || begins(word, &CUES_OF_NUMBERS))?,
            false => Some(last).filter(|word| begins(word, &CUES))?,
        };
        Some(Naming { numbered, booking: named.starts_with("pnr") })
    }
}

/// Folded words that stand for "number".
const NUMBERS: [&str; 13] =
    ["no", "nolu", "nosu", "num", "nr", "number", "id", "kod", "kodu", "kodum", "kodumuz", "code", "ref"];

/// Folded words and endings between the word for "number" and the number: "PNR'ım", "numaram şu".
const FILLERS: [&str; 9] = ["im", "imiz", "um", "m", "su", "olan", "is", "was", "ise"];

/// Folded beginnings of what is numbered.
const CUES: [&str; 16] = [
    "siparis",
    "order",
    "takip",
    "tracking",
    "kargo",
    "gonderi",
    "barkod",
    "fatura",
    "basvuru",
    "talep",
    "kayit",
    "referans",
    "rezervasyon",
    "pnr",
    "police",
    "abone",
];

/// Folded beginnings of what has a number among other things, so that a word for "number" must stand beside them.
const CUES_OF_NUMBERS: [&str; 20] = [
    "bilet",
    "booking",
    "case",
    "confirmation",
    "dosya",
    "invoice",
    "irsaliye",
    "iade",
    "musteri",
    "paket",
    "parcel",
    "reference",
    "reservation",
    "shipment",
    "sikayet",
    "sozlesme",
    "tesisat",
    "teslimat",
    "ticket",
    "uyelik",
];

/// `#TY-998877` after words that name an order.
pub fn order_number_with_sign(rest: &str, words: &Recent<'_>) -> Option<Hit> {
    let number = rest.strip_prefix(['#', '＃'])?;
    let found = order_number(number, words).filter(|_| words.names_an_order())?;
    Some(Hit { length: rest.len() - number.len() + found.length, ..found })
}

/// Letters and digits that the words beside them call the number of an order.
pub fn order_number(rest: &str, words: &Recent<'_>) -> Option<Hit> {
    let bytes = rest.as_bytes();
    let mut length =
        bytes.iter().take(41).take_while(|byte| byte.is_ascii_alphanumeric() || b"-/".contains(byte)).count();
    while length > 0 && !bytes[length - 1].is_ascii_alphanumeric() {
        length -= 1;
    }
    let number = &rest[..length];
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let goes_on = rest[length..].starts_with(|character: char| character.is_alphabetic());
    if goes_on || !(3..=40).contains(&length) || is_date(number) {
        return None;
    }
    let found = || hit(EntityKind::OrderNumber, length, number.to_uppercase());
    if length >= 5 && digits >= 4 {
        return (is_called_a_number(&rest[length..]) || words.names_an_order()).then(found);
    }
    if digits == length {
        return in_groups(rest, length).filter(|_| words.naming().is_some_and(|naming| naming.numbered));
    }
    // Airlines' codes of bookings are of six letters and digits; of letters alone it may be any word in capitals, unless it is
    // announced.
    let capitals = number.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_code = length == 6 && !number.contains(['-', '/']) && (digits > 0 || (capitals && words.announced));
    (is_code && words.naming().is_some_and(|naming| naming.booking)).then(found)
}

/// "40218833 numaralı".
fn is_called_a_number(after: &str) -> bool {
    let following: String = after.trim_start_matches([' ', '\'', '’']).chars().take(8).collect();
    let following = tokens::search_fold(&following);
    following.starts_with("numaral") || following.starts_with("nolu") || following.starts_with("no'lu")
}

/// More groups than this are no number of one thing.
const MOST_GROUPS: usize = 8;
/// Fewer digits in groups are a year and a price more often than a number of something.
const FEWEST_IN_GROUPS: usize = 8;

/// Digits in groups of `size`, three or four: `7312 4458 9921`. The last may be shorter where no word follows that it could
/// count.
fn in_groups(rest: &str, size: usize) -> Option<Hit> {
    let mut end = size;
    for _ in 1..=MOST_GROUPS {
        let Some(next) = rest[end..].strip_prefix(' ') else { break };
        let digits = next.bytes().take(size + 1).take_while(u8::is_ascii_digit).count();
        let after = &next[digits..];
        if digits == 0 || after.starts_with(char::is_alphanumeric) || money(next).is_some() {
            break;
        }
        let counts = after.trim_start().starts_with(char::is_alphanumeric);
        if digits < size && (counts || end == size) {
            break;
        }
        end += 1 + digits;
    }
    let number = rest[..end].replace(' ', "");
    let grouped = (3..=4).contains(&size) && number.len() >= FEWEST_IN_GROUPS;
    grouped.then(|| hit(EntityKind::OrderNumber, end, number))
}

/// `12-05-2025`, `2025/05/12`.
fn is_date(number: &str) -> bool {
    let parts: Vec<&str> = number.split(['-', '/']).collect();
    let short = |part: &&str| part.len() <= 2 || part.len() == 4;
    parts.len() == 3 && number.len() <= 10 && parts.iter().all(short)
}

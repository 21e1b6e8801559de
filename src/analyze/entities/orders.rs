//! Numbers of orders, parcels, requests and bookings, known by the words beside them.

use super::super::tokens;
use super::{EntityKind, Hit, hit};

/// The last words before a number, which say what it counts.
#[derive(Debug, Default)]
pub struct Recent<'t>([&'t str; 3]);

impl<'t> Recent<'t> {
    /// Takes in the next word of the text.
    pub fn add(&mut self, word: &'t str) {
        self.0.rotate_left(1);
        self.0[2] = word;
    }

    /// Whether they say that an order's number follows: "sipariş no".
    pub fn names_an_order(&self) -> bool {
        let [.., last] = self.0;
        let folded = self.0.map(tokens::search_fold);
        let cue = |word: &str| ORDER_CUES.iter().any(|cue| word.starts_with(cue));
        let numbered = matches!(&*folded[2], "no" | "nolu" | "num" | "number" | "id" | "kod" | "kodu" | "code" | "ref")
            || folded[2].starts_with("numara");
        !last.is_empty() && (cue(&folded[2]) || (numbered && (cue(&folded[1]) || cue(&folded[0]))))
    }
}

/// Folded beginnings of what is numbered.
const ORDER_CUES: [&str; 16] = [
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
    if goes_on || !(5..=40).contains(&length) || digits < 4 || is_date(number) {
        return None;
    }
    let following: String = rest[length..].trim_start_matches([' ', '\'', '’']).chars().take(8).collect();
    let following = tokens::search_fold(&following);
    let numbered = following.starts_with("numaral") || following.starts_with("nolu") || following.starts_with("no'lu");
    (numbered || words.names_an_order()).then(|| hit(EntityKind::OrderNumber, length, number.to_uppercase()))
}

/// `12-05-2025`, `2025/05/12`.
fn is_date(number: &str) -> bool {
    let parts: Vec<&str> = number.split(['-', '/']).collect();
    let short = |part: &&str| part.len() <= 2 || part.len() == 4;
    parts.len() == 3 && number.len() <= 10 && parts.iter().all(short)
}

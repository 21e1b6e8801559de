//! Amounts of money as people write them, with their currency.

use super::super::tokens;
use super::{EntityKind, Hit};

const SIGNS: [(char, &str); 4] = [('₺', "TRY"), ('$', "USD"), ('€', "EUR"), ('£', "GBP")];

/// A number before or after the sign or the name of a currency.
pub fn money(rest: &str) -> Option<Hit> {
    if let Some((length, currency)) = sign(rest) {
        let from = length + blank(&rest[length..]);
        let (digits, number) = amount(&rest[from..])?;
        return Some(found(from + digits, number.decimal(0), currency));
    }
    let (mut end, number) = amount(rest)?;
    let mut zeros = 0;
    for (word, more) in [("bin", 3), ("milyon", 6), ("milyar", 9)] {
        let from = end + blank(&rest[end..]);
        let after = rest[from..].strip_prefix(word);
        if zeros == 0 && after.is_some_and(|after| !after.starts_with(char::is_alphanumeric)) {
            zeros = more;
            end = from + word.len();
        }
    }
    let from = end + blank(&rest[end..]);
    if let Some((length, currency)) = sign(&rest[from..]) {
        return Some(found(from + length, number.decimal(zeros), currency));
    }
    let unit = word(&rest[from..]);
    let end = from + unit.len();
    let folded = tokens::search_fold(unit);
    let currency = match &*folded {
        "tl" | "try" => "TRY",
        "usd" => "USD",
        "eur" => "EUR",
        "gbp" => "GBP",
        _ if folded.starts_with("lira") => "TRY",
        _ if folded.starts_with("kurus") => return Some(found(end, number.decimal(zeros - 2), "TRY")),
        _ if folded.starts_with("dolar") || folded.starts_with("dollar") => "USD",
        _ if folded.starts_with("euro") || folded.starts_with("avro") => "EUR",
        _ if folded.starts_with("sterlin") => "GBP",
        _ => return None,
    };
    // "3 lira 50 kuruş" is one amount.
    let small = (currency == "TRY" && number.fraction.is_empty()).then(|| coins(&rest[end..])).flatten();
    if let Some((length, fraction)) = small.filter(|_| zeros == 0) {
        return Some(found(end + length, Number { fraction, ..number }.decimal(0), currency));
    }
    Some(found(end, number.decimal(zeros), currency))
}

fn found(length: usize, value: String, currency: &'static str) -> Hit {
    Hit { kind: EntityKind::Money, length, value, currency: Some(currency) }
}

/// The sign of a currency that starts here: its length and its name.
fn sign(text: &str) -> Option<(usize, &'static str)> {
    let first = text.chars().next()?;
    SIGNS.iter().find(|(sign, _)| *sign == first).map(|(sign, currency)| (sign.len_utf8(), *currency))
}

/// The letters that start here.
fn word(text: &str) -> &str {
    &text[..text.find(|character: char| !character.is_alphabetic()).unwrap_or(text.len())]
}

/// The length of one blank, also of those that do not end a line, or 0.
fn blank(text: &str) -> usize {
    text.chars().next().filter(|first| BLANKS.contains(first)).map_or(0, char::len_utf8)
}

/// Space, no-break space, thin space and narrow no-break space: what stands between digits and before a currency.
const BLANKS: [char; 4] = [' ', '\u{a0}', '\u{2009}', '\u{202f}'];

/// " 50 kuruş" after an amount in lira: its length, and its two digits.
fn coins(rest: &str) -> Option<(usize, String)> {
    let from = blank(rest);
    let digits = rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let until = from + digits;
    let unit = until + blank(&rest[until..]);
    let name = word(&rest[unit..]);
    let are_coins = (1..=2).contains(&digits) && tokens::search_fold(name).starts_with("kurus");
    are_coins.then(|| (unit + name.len(), format!("{:0>2}", &rest[from..until])))
}

/// The digits of a number before and after its decimal mark.
struct Number {
    whole: String,
    fraction: String,
}

impl Number {
    /// Times ten to the power of `shift`, without needless zeros.
    fn decimal(&self, shift: isize) -> String {
        let mut digits = format!("{}{}", self.whole, self.fraction);
        let point = self.whole.len() as isize + shift;
        // As many zeros as bring the point into the digits, on the side where it lies outside.
        digits.insert_str(0, &"0".repeat(usize::try_from(-point).unwrap_or(0)));
        let point = usize::try_from(point).unwrap_or(0);
        while digits.len() < point {
            digits.push('0');
        }
        let (whole, fraction) = digits.split_at(point);
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            trimmed => trimmed,
        };
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }
}

/// More signs of a number are not read.
const LONGEST: usize = 24;

/// A number as people write it, `3.500`, `1,234.56`, `99,90`, `1 500`, `10.000,-`: its length and its digits.
fn amount(rest: &str) -> Option<(usize, Number)> {
    let bytes = rest.as_bytes();
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    let mut end = bytes.iter().take(LONGEST).take_while(|byte| byte.is_ascii_digit() || b".,".contains(byte)).count();
    if (1..=3).contains(&end) && bytes[..end].iter().all(u8::is_ascii_digit) && bytes[0] != b'0' {
        end = thousands(rest, end);
    }
    while end > 0 && !bytes[end - 1].is_ascii_digit() {
        end -= 1;
    }
    let written = &rest[..end];
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let number = match written.rfind(['.', ',']) {
        // One or two digits at the end are a fraction, three a thousand.
        Some(at) if end - at - 1 != 3 => {
            Number { whole: digits(&written[..at]), fraction: written[at + 1..].to_owned() }
        }
        _ => Number { whole: digits(written), fraction: String::new() },
    };
    // ",-" says that no fraction follows.
    let dash = |text: &str| text.strip_prefix([',', '.'])?.strip_prefix(['-', '–']).map(str::len);
    let end = dash(&rest[end..]).map_or(end, |left| rest.len() - left);
    Some((end, number))
}

/// Where a number ends whose first `end` digits are followed by thousands, each after a blank, and by a fraction.
fn thousands(rest: &str, mut end: usize) -> usize {
    while end < LONGEST {
        let from = end + blank(&rest[end..]);
        let digits = rest[from..].bytes().take(4).take_while(u8::is_ascii_digit).count();
        if from == end || digits != 3 {
            break;
        }
        end = from + digits;
    }
    let fraction = rest[end..].strip_prefix([',', '.']).unwrap_or_default();
    let digits = fraction.bytes().take(3).take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits) { end + 1 + digits } else { end }
}

//! Amounts of money as people write them, with their currency.

use super::super::tokens;
use super::{EntityKind, Hit};

/// A number before or after the sign or the name of a currency.
pub fn money(rest: &str) -> Option<Hit> {
    const SIGNS: [(char, &str); 4] = [('₺', "TRY"), ('$', "USD"), ('€', "EUR"), ('£', "GBP")];
    let sign = |text: &str| {
        let first = text.chars().next()?;
        SIGNS.iter().find(|(sign, _)| *sign == first).map(|(sign, currency)| (sign.len_utf8(), *currency))
    };
    if let Some((length, currency)) = sign(rest) {
        let space = rest[length..].bytes().take_while(|byte| *byte == b' ').count().min(1);
        let (digits, value) = amount(&rest[length + space..])?;
        return Some(Hit {
            kind: EntityKind::Money,
            length: length + space + digits,
            value: decimal(&value, 0),
            currency: Some(currency),
        });
    }
    let (digits, value) = amount(rest)?;
    let mut end = digits;
    let mut zeros = 0;
    let space = |text: &str| text.bytes().take_while(|byte| *byte == b' ').count().min(1);
    for (word, more) in [("bin", 3), ("milyon", 6), ("milyar", 9)] {
        let from = end + space(&rest[end..]);
        let after = rest[from..].strip_prefix(word);
        if zeros == 0 && after.is_some_and(|after| !after.starts_with(char::is_alphanumeric)) {
            zeros = more;
            end = from + word.len();
        }
    }
    let from = end + space(&rest[end..]);
    if let Some((length, currency)) = sign(&rest[from..]) {
        return Some(Hit {
            kind: EntityKind::Money,
            length: from + length,
            value: decimal(&value, zeros),
            currency: Some(currency),
        });
    }
    let unit = &rest[from..];
    let unit = &unit[..unit.find(|character: char| !character.is_alphabetic()).unwrap_or(unit.len())];
    let folded = tokens::search_fold(unit);
    let currency = match &*folded {
        "tl" | "try" => "TRY",
        "usd" => "USD",
        "eur" => "EUR",
        "gbp" => "GBP",
        _ if folded.starts_with("lira") => "TRY",
        _ if folded.starts_with("dolar") || folded.starts_with("dollar") => "USD",
        _ if folded.starts_with("euro") || folded.starts_with("avro") => "EUR",
        _ if folded.starts_with("sterlin") => "GBP",
        _ => return None,
    };
    Some(Hit {
        kind: EntityKind::Money,
        length: from + unit.len(),
        value: decimal(&value, zeros),
        currency: Some(currency),
    })
}

/// A number as people write it, `3.500`, `1,234.56`, `99,90`: its length, and its whole and broken digits.
fn amount(rest: &str) -> Option<(usize, (String, String))> {
    let bytes = rest.as_bytes();
    let mut end = bytes.iter().take(24).take_while(|byte| byte.is_ascii_digit() || b".,".contains(byte)).count();
    while end > 0 && !bytes[end - 1].is_ascii_digit() {
        end -= 1;
    }
    let written = &rest[..end];
    if end == 0 || !bytes[0].is_ascii_digit() {
        return None;
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let broken = match written.rfind(['.', ',']) {
        // One or two digits at the end are a fraction, three a thousand.
        Some(at) if end - at - 1 != 3 => Some(at),
        _ => None,
    };
    Some(match broken {
        Some(at) => (end, (digits(&written[..at]), written[at + 1..].to_owned())),
        None => (end, (digits(written), String::new())),
    })
}

/// The number times ten to the power of `zeros`, without needless zeros.
fn decimal((whole, fraction): &(String, String), zeros: usize) -> String {
    let mut fraction = fraction.clone();
    while fraction.len() < zeros {
        fraction.push('0');
    }
    let whole = format!("{whole}{}", &fraction[..zeros]);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let fraction = fraction[zeros..].trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

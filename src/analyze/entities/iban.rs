//! International bank account numbers.

use super::{EntityKind, Hit, hit};

/// Two letters, two check digits and up to 30 more, alone or in groups; only with a right checksum.
pub fn iban(rest: &str) -> Option<Hit> {
    let bytes = rest.as_bytes();
    let starts = bytes.len() >= 15
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..].iter().find(|byte| **byte != b' ').is_some_and(u8::is_ascii_digit);
    if !starts {
        return None;
    }
    let mut value = String::new();
    let mut best = None;
    for (index, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() && value.len() < 34 {
            value.push(char::from(byte.to_ascii_uppercase()));
            let ends = !bytes.get(index + 1).is_some_and(u8::is_ascii_alphanumeric);
            if ends && value.len() >= 15 && is_iban(&value) {
                best = Some((index + 1, value.clone()));
            }
        } else if *byte != b' ' || !bytes.get(index + 1).is_some_and(u8::is_ascii_alphanumeric) {
            break;
        }
    }
    best.map(|(length, value)| hit(EntityKind::Iban, length, value))
}

/// Whether capital letters and digits without blanks are an account's number: by its check digits (ISO 7064, MOD 97-10) and, of
/// the countries whose accounts are often seen here, by its length.
pub fn is_iban(text: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked(4) else { return false };
    let length = match &head[..2] {
        "TR" => Some(26),
        "DE" | "GB" => Some(22),
        "FR" | "IT" => Some(27),
        "NL" => Some(18),
        "AZ" => Some(28),
        _ => None,
    };
    let sound =
        length.is_none_or(|length| length == text.len()) && head.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    let turned = tail.chars().chain(head.chars());
    let rest = turned.fold(0, |rest, character| match character.to_digit(36) {
        Some(value) if value < 10 => (rest * 10 + value) % 97,
        Some(value) => (rest * 100 + value) % 97,
        None => rest,
    });
    sound && rest == 1
}

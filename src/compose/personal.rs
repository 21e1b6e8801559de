//! Finds what should not stand in a public answer: national id numbers, bank accounts, cards, telephone numbers.

use crate::analyze::is_iban;

/// The kinds of personal data in `text`: `national id`, `iban`, `card`, `phone`. Numbers are checked by their own check
/// digits, so that an order number is seldom taken for one.
pub fn personal_data(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if ibans(text) {
        found.push("iban");
    }
    for number in numbers(text) {
        let kind = match number.digits.len() {
            11 if is_national_id(&number.digits) => "national id",
            13..=19 if passes_luhn(&number.digits) && number.looks_like_card() => "card",
            _ if number.is_phone() => "phone",
            _ => continue,
        };
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    found.sort_unstable();
    found
}

/// A run of digits with the marks people write between them.
struct Number {
    plus: bool,
    digits: Vec<u8>,
    /// Lengths of the groups it was written in.
    groups: Vec<usize>,
}

impl Number {
    /// In one piece, or in groups of four as on the card.
    fn looks_like_card(&self) -> bool {
        self.groups.len() == 1 || self.groups.iter().rev().skip(1).all(|length| (3..=6).contains(length))
    }

    /// International with its country code, or Turkish with the leading zero or a mobile prefix.
    fn is_phone(&self) -> bool {
        match self.digits.as_slice() {
            _ if self.plus => (8..=15).contains(&self.digits.len()),
            [0, 0, rest @ ..] => (8..=15).contains(&rest.len()) && self.groups.len() > 1,
            [0, 2..=5 | 8, ..] => self.digits.len() == 11,
            [9, 0, 5, ..] => self.digits.len() == 12,
            [5, ..] => self.digits.len() == 10,
            _ => false,
        }
    }
}

fn numbers(text: &str) -> Vec<Number> {
    let mut found = Vec::new();
    let mut current: Option<Number> = None;
    let mut gap = 0;
    let mut before = ' ';
    for letter in text.chars().chain(std::iter::once('\n')) {
        if let Some(digit) = letter.to_digit(10) {
            // Digits inside a word are a name or a code.
            let number = match current.take() {
                Some(mut number) => {
                    if gap > 0 {
                        number.groups.push(0);
                    }
                    Some(number)
                }
                None if before.is_alphabetic() => None,
                None => Some(Number { plus: before == '+', digits: Vec::new(), groups: vec![0] }),
            };
            current = number.map(|mut number| {
                number.digits.push(digit as u8);
                if let Some(last) = number.groups.last_mut() {
                    *last += 1;
                }
                number
            });
            // Inside a word: letters go on as one, so that its later digits do not begin a number.
            before = if current.is_none() { before } else { letter };
            gap = 0;
            continue;
        }
        let joins = matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') && gap < 2;
        match joins {
            true if current.is_some() => gap += 1,
            _ => {
                // A number that runs into letters is a code.
                let ends = current.take().filter(|_| !(gap == 0 && letter.is_alphabetic()));
                found.extend(ends);
                gap = 0;
            }
        }
        before = letter;
    }
    found
}

/// The Turkish identity number: eleven digits, the last two computed from the others.
fn is_national_id(digits: &[u8]) -> bool {
    if digits.len() != 11 || digits[0] == 0 {
        return false;
    }
    let sum = |indices: &[usize]| indices.iter().map(|&index| i32::from(digits[index])).sum::<i32>();
    let tenth = (sum(&[0, 2, 4, 6, 8]) * 7 - sum(&[1, 3, 5, 7])).rem_euclid(10);
    let eleventh = sum(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) % 10;
    tenth == i32::from(digits[9]) && eleventh == i32::from(digits[10])
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    digits.iter().any(|digit| *digit != 0) && sum.is_multiple_of(10)
}

/// Two letters, two check digits, up to thirty more, in groups or not; the whole is 1 modulo 97.
fn ibans(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    (0..letters.len()).any(|start| {
        if start > 0 && letters[start - 1].is_alphanumeric() {
            return false;
        }
        let mut taken = String::new();
        for &letter in &letters[start..] {
            match letter {
                ' ' | '\u{a0}' | '-' if taken.len() >= 2 => continue,
                letter if letter.is_ascii_alphanumeric() && taken.len() < 34 => taken.push(letter.to_ascii_uppercase()),
                _ => break,
            }
        }
        // The words after it may have been taken along: every length is tried.
        let head = taken.as_bytes();
        head.len() >= 15
            && head[..2].iter().all(u8::is_ascii_uppercase)
            && head[2..4].iter().all(u8::is_ascii_digit)
            && (15..=taken.len()).any(|length| is_iban(&taken[..length]))
    })
}

#[cfg(test)]
mod tests {
    use super::personal_data;

    #[test]
    fn personal_data_is_found_as_people_write_it() {
        for (text, expected) in [
            ("TC kimlik numaranız 10000000146 mı?", "national id"),
            ("IBAN: TR33 0006 1005 1978 6457 8413 26 hesabına", "iban"),
            ("TR330006100519786457841326", "iban"),
            ("iade DE89370400440532013000 hesabına yapıldı", "iban"),
            ("kartınız 4111 1111 1111 1111 ile ödendi", "card"),
            ("5500-0000-0000-0004", "card"),
            ("0532 123 45 67 numarasını arayın", "phone"),
            ("+90 (532) 123 45 67", "phone"),
            ("905321234567", "phone"),
            ("bizi 0850 222 11 00'dan arayın", "phone"),
        ] {
            assert_eq!(personal_data(text), [expected], "{text}");
        }
    }

    #[test]
    fn ordinary_numbers_are_not_taken_for_it() {
        for text in [
            "sipariş numaranız 12345678901",
            "5 gündür bekliyorum, 2 ürün, 1.299,90 TL",
            "21.11.2026 14:30'da",
            "kargo kodu: TRX4111111111111111",
            "2024-2025 sezonu, 100.000.000 TL ciro",
            "",
        ] {
            assert_eq!(personal_data(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn several_kinds_are_all_named() {
        assert_eq!(personal_data("10000000146, 0532 123 45 67"), ["national id", "phone"]);
    }
}

//! Which contact an author is: what counts as evidence, and how it is written so that equal things compare equal.
//!
//! A name is never evidence. Evidence that fits two contacts links neither.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// More in one text is a list somebody pasted, not a person saying how to reach them.
const MOST_FROM_ONE_TEXT: usize = 4;
/// How far an e-mail address or a phone number may stretch.
const LONGEST: usize = 254;

/// What an author and a contact have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The author gave the contact's e-mail address.
    Email,
    /// The author gave the contact's phone number.
    Phone,
    /// The CRM's own number for the contact came with the message.
    ExternalId,
    /// The CRM knows this handle as the contact's.
    Handle,
    /// A person said so.
    Person,
}

impl EvidenceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::ExternalId => "external_id",
            Self::Handle => "handle",
            Self::Person => "person",
        }
    }

    /// How sure a link is that stands on this alone, from 0 to 1.
    pub fn score(self) -> f64 {
        match self {
            Self::Person | Self::ExternalId => 1.0,
            Self::Email | Self::Phone => 0.95,
            Self::Handle => 0.9,
        }
    }
}

/// One reason to take an author for a contact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// In the form contacts are stored in: e-mail in lower case, phone in E.164, handle folded.
    pub value: String,
    /// The mention it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention_id: Option<String>,
}

impl Evidence {
    pub fn new(kind: EvidenceKind, value: impl Into<String>) -> Self {
        Self { kind, value: value.into(), mention_id: None }
    }
}

/// The e-mail addresses and phone numbers that a text gives.
pub fn evidence_in(text: &str) -> Vec<Evidence> {
    let mut found = Vec::new();
    if text.contains('@') {
        found.extend(emails_in(text).map(|email| Evidence::new(EvidenceKind::Email, email.value)));
    }
    if text.bytes().filter(u8::is_ascii_digit).take(8).count() == 8 {
        found.extend(phones_in(text).into_iter().map(|phone| Evidence::new(EvidenceKind::Phone, phone.value)));
    }
    found.dedup();
    match found.len() > MOST_FROM_ONE_TEXT {
        true => Vec::new(),
        false => found,
    }
}

/// An e-mail address as it is stored; `None` when it is none.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    emails_in(text).next().filter(|found| found.place == (0..text.len())).map(|found| found.value)
}

/// An e-mail address or a phone number in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// In bytes.
    pub place: Range<usize>,
    /// In the form contacts are stored in.
    pub value: String,
}

/// The e-mail addresses of a text, in its order.
pub fn emails_in(text: &str) -> impl Iterator<Item = Reach> + '_ {
    text.match_indices('@').filter_map(|(at, _)| {
        let local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
        let domain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let before = text.as_bytes()[..at].iter().rev().take(LONGEST).take_while(|byte| local(**byte)).count();
        let after = text.as_bytes()[at + 1..].iter().take(LONGEST).take_while(|byte| domain(**byte)).count();
        // `@ayse@ornek.example` is a handle of the fediverse, `ayşe@ornek.example` is not what its end spells.
        let glued = text[..at - before].chars().next_back().is_some_and(|left| left == '@' || left.is_alphanumeric());
        let name = text[at - before..at].trim_start_matches('.');
        let host = text[at + 1..at + 1 + after].trim_end_matches(['.', '-']);
        let (labels, end) = host.rsplit_once('.')?;
        let sound = !glued
            && !name.is_empty()
            && !name.ends_with('.')
            && !labels.is_empty()
            && host.split('.').all(|label| !label.is_empty())
            && end.len() >= 2
            && end.bytes().all(|byte| byte.is_ascii_alphabetic())
            && name.len() + host.len() < LONGEST;
        let value = || format!("{name}@{host}").to_ascii_lowercase();
        sound.then(|| Reach { place: at - name.len()..at + 1 + host.len(), value: value() })
    })
}

/// A phone number in E.164; one without a country is Turkish. `None` when it is none.
pub fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let found = phones_in(text);
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    match found.as_slice() {
        [one] if !text.contains(char::is_alphabetic) && digits(text) <= digits(&one.value) + 3 => {
            Some(one.value.clone())
        }
        _ => None,
    }
}

/// Digits of a number typed into a search before it is taken for a phone number's beginning.
const FEWEST_DIGITS: usize = 3;

/// How the E.164 forms begin that somebody may mean who types the beginning of a phone number, with or without its country;
/// none for what is no such beginning.
pub fn phone_beginnings(text: &str) -> Vec<String> {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_number = text.chars().all(|sign| sign.is_ascii_digit() || "+()-./ \u{a0}".contains(sign));
    if !is_number || digits.len() < FEWEST_DIGITS {
        return Vec::new();
    }
    let abroad = if text.starts_with('+') { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    if let Some(digits) = abroad {
        // `+90 0532 …` is written by many.
        let national = digits.strip_prefix("900").map(|national| format!("+90{national}"));
        return vec![national.unwrap_or_else(|| format!("+{digits}"))];
    }
    match digits.strip_prefix('0') {
        Some(national) => vec![format!("+90{national}")],
        None => vec![format!("+90{digits}"), format!("+{digits}")],
    }
}

/// The phone numbers of a text, in its order.
pub fn phones_in(text: &str) -> Vec<Reach> {
    let mut found = Vec::new();
    for run in digit_runs(text) {
        let mut first = 0;
        while first < run.groups.len() {
            let plus = run.plus.filter(|_| first == 0);
            // The longest run of groups from here that is a number: `0532 123 45 67 0533 …` are two.
            let fit = (first + 1..=run.groups.len()).rev().find_map(|end| {
                let digits: String = run.groups[first..end].iter().map(|group| &text[group.clone()]).collect();
                Some((end, e164(&digits, plus.is_some())?))
            });
            first = match fit {
                Some((end, value)) => {
                    let from = plus.unwrap_or(run.groups[first].start);
                    found.push(Reach { place: from..run.groups[end - 1].end, value });
                    end
                }
                None => first + 1,
            };
        }
    }
    found
}

struct DigitRun {
    /// Where the plus sign before it is.
    plus: Option<usize>,
    groups: Vec<Range<usize>>,
}

/// Digits with single blanks, dots, dashes, slashes or brackets between them, not glued to a letter.
fn digit_runs(text: &str) -> Vec<DigitRun> {
    let mut runs: Vec<DigitRun> = Vec::new();
    let mut last_end = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        let glued =
            [before, after].into_iter().flatten().any(|side| side.is_alphabetic() || side == '_' || side == '#');
        let goes_on = last_end.is_some_and(|last: usize| {
            let between = &text[last..at];
            between.len() <= 3 && between.chars().all(|character| " .-()/\u{a0}".contains(character))
        });
        if glued || end - at > 15 {
            last_end = None;
        } else {
            match runs.last_mut().filter(|run| goes_on && run.groups.len() < 12) {
                Some(run) => run.groups.push(at..end),
                None => {
                    let before = text[..at].trim_end_matches(['(', ' ']);
                    let plus = before.ends_with('+').then(|| before.len() - 1);
                    runs.push(DigitRun { plus, groups: std::iter::once(at..end).collect() });
                }
            }
            last_end = Some(end);
        }
        at = end;
    }
    runs
}

/// The E.164 form of digits as people in Turkey write them.
fn e164(digits: &str, plus: bool) -> Option<String> {
    let turkish = |national: &str| {
        let sound = national.len() == 10 && matches!(national.as_bytes()[0], b'2'..=b'5' | b'8');
        sound.then(|| format!("+90{national}"))
    };
    if plus || (digits.starts_with("00") && digits.len() > 10) {
        let digits = if plus { digits } else { &digits[2..] };
        return match digits.strip_prefix("90") {
            // `+90 0532 …` is written by many.
            Some(national) => turkish(national.strip_prefix('0').unwrap_or(national)),
            None if (8..=15).contains(&digits.len()) && !digits.starts_with('0') => Some(format!("+{digits}")),
            None => None,
        };
    }
    match digits.len() {
        11 => turkish(digits.strip_prefix('0')?),
        // Without the leading zero only mobile numbers: anything else of ten digits is more often an order number.
        10 if digits.starts_with('5') => turkish(digits),
        12 => turkish(digits.strip_prefix("90")?).filter(|number| number.starts_with("+905")),
        _ => None,
    }
}

/// A handle without `@` and in lower case, so that the CRM's spelling meets the network's.
pub fn handle(text: &str) -> String {
    text.trim().trim_start_matches('@').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_phone_number_is_known_with_and_without_its_country() {
        for typed in ["0532", "+90 532", "+90 (0532)", "0090 532"] {
            assert_eq!(phone_beginnings(typed), ["+90532"], "{typed}");
        }
        assert_eq!(phone_beginnings("532 12"), ["+9053212", "+53212"]);
        assert_eq!(phone_beginnings("90532"), ["+9090532", "+90532"]);
        assert_eq!(phone_beginnings("+49 151"), ["+49151"]);
        for typed in ["", "53", "Ayşe 0532", "ayse@ornek.com", "+", "0 5 a"] {
            assert!(phone_beginnings(typed).is_empty(), "{typed}");
        }
    }

    #[test]
    fn phone_numbers_are_read_as_people_write_them() {
        for written in [
            "05321234567",
            "0532 123 45 67",
            "0 (532) 123 45 67",
            "532 1234567",
            "+90 532 123 45 67",
            "+90 0532 123 4567",
            "0090 532 123 45 67",
            "90 532 123 45 67",
            "+90(532)123-45-67",
        ] {
            assert_eq!(phone(written).as_deref(), Some("+905321234567"), "{written}");
        }
        assert_eq!(phone("+49 30 901820").as_deref(), Some("+4930901820"));
        assert_eq!(phone("0212 444 01 23").as_deref(), Some("+902124440123"));
        for no in ["", "12345", "sipariş 1234567890", "1234567890123456789", "0532", "+0532123", "02.11.2026 14:30"] {
            assert_eq!(phone(no), None, "{no}");
        }
    }

    #[test]
    fn a_text_gives_its_numbers_and_addresses() {
        let values = |text: &str| evidence_in(text).into_iter().map(|evidence| evidence.value).collect::<Vec<_>>();
        assert_eq!(
            values("bana 0532 123 45 67'den ya da Ayse.Y@Ornek.com.tr. yazın"),
            ["ayse.y@ornek.com.tr", "+905321234567"]
        );
        assert_eq!(values("0532 123 45 67 0533 765 43 21"), ["+905321234567", "+905337654321"]);
        for none in [
            "@ayse@ornek.example merhaba",
            "ayşe@ornek.example",
            "TR12 0006 2000 1234 0006 2987 65",
            "siparişim ABC05321234567 gelmedi",
            "5 gündür 3 kişi 2026 yılında",
            "a@b a@.com @ @@ .@x.com",
        ] {
            assert_eq!(values(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn a_pasted_list_is_no_evidence() {
        let list: String = (0..20).map(|number| format!("kisi{number}@ornek.com ")).collect();
        assert!(evidence_in(&list).is_empty());
    }

    #[test]
    fn hostile_texts_are_read_in_bounded_time() {
        evidence_in(&"@".repeat(100_000));
        evidence_in(&"1 ".repeat(50_000));
        evidence_in(&"a@".repeat(50_000));
        evidence_in(&format!("{}@{}", "a".repeat(50_000), "b.".repeat(25_000)));
    }
}

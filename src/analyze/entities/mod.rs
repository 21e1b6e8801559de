//! What in a text is not prose: handles, links, hashtags, addresses, phones, amounts, order numbers, IBANs, each with its place.

mod iban;
mod links;
mod money;
mod orders;

use std::iter::Peekable;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::iban::iban;
pub use self::iban::is_iban;
use self::links::bare_link;
use self::money::money;
use self::orders::{Recent, order_number, order_number_with_sign};
use super::hashtags::Splitter;
use super::tokens::{self, TokenKind};
use super::turkish::Stemmer;
use crate::contacts::{Reach, emails_in, phones_in};

/// Something that can be looked up, called or counted rather than read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entity {
    pub kind: EntityKind,
    /// As it was written.
    pub text: String,
    /// In one form however it was written; see the kinds.
    #[schema(example = "+905321234567")]
    pub value: String,
    /// ISO 4217, of an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "TRY")]
    pub currency: Option<String>,
    /// Where it starts in the text, in bytes of UTF-8.
    pub start: usize,
    /// Where it ends, in bytes of UTF-8.
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// Its value is without the `@`.
    Handle,
    /// Its value is the words it is made of: `kargom nerede`.
    Hashtag,
    Link,
    /// Its value is in lower case.
    Email,
    /// Its value is in E.164, or the digits of a number that only works inside a country (`444 0 123`).
    Phone,
    /// Its value has no spaces and a right checksum.
    Iban,
    /// Its value is a decimal number with a point.
    Money,
    /// An order, a parcel, a request: letters and digits.
    OrderNumber,
}

/// The entities of a text in their order; none overlap. Hashtags without capitals are split by the words of `stemmer`.
pub fn find(text: &str, stemmer: Option<&Stemmer>) -> Vec<Entity> {
    let mut found = Vec::new();
    if !may_have_any(text) {
        return found;
    }
    let mut words = Recent::default();
    let mut reaches = Reaches::of(text);
    let mut at = 0;
    let mut after_space = true;
    let mut hashtags = Splitter::new(stemmer);
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let hit = if after_space { at_start(text, at, character, &words, &mut reaches) } else { None };
        if let Some(mut hit) = hit {
            let written = &rest[..hit.length];
            if hit.kind == EntityKind::Hashtag {
                hit.value = hashtags.words(written).join(" ");
            }
            found.push(Entity {
                kind: hit.kind,
                text: written.to_owned(),
                value: hit.value,
                currency: hit.currency.map(str::to_owned),
                start: at,
                end: at + hit.length,
            });
            at += hit.length;
            after_space = true;
            words = Recent::default();
            continue;
        }
        if after_space && character.is_alphanumeric() {
            let word = &rest[..rest.find(|other: char| !other.is_alphanumeric()).unwrap_or(rest.len())];
            words.add(word);
        }
        words.sign(character);
        after_space = !character.is_alphanumeric() && character != '_';
        at += character.len_utf8();
    }
    found
}

/// Whether a text has a sign, a digit or the name of a code without which there is no entity: most have none.
fn may_have_any(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'@' | b'#' | b'/'))
        || bytes.windows(2).any(|pair| matches!(pair, [b'.', b'a'..=b'z' | b'A'..=b'Z']))
        || bytes.windows(3).any(|three| three.eq_ignore_ascii_case(b"pnr"))
        || text.contains(['＠', '＃'])
}

/// The addresses and phone numbers of a text, handed out by where they start.
struct Reaches {
    emails: Peekable<std::vec::IntoIter<Reach>>,
    phones: Peekable<std::vec::IntoIter<Reach>>,
}

impl Reaches {
    fn of(text: &str) -> Self {
        let emails: Vec<Reach> = if text.contains('@') { emails_in(text).collect() } else { Vec::new() };
        let phones =
            if text.contains(|character: char| character.is_ascii_digit()) { phones_in(text) } else { Vec::new() };
        Self { emails: emails.into_iter().peekable(), phones: phones.into_iter().peekable() }
    }

    fn email(&mut self, at: usize) -> Option<Hit> {
        next_at(&mut self.emails, at).map(|email| hit(EntityKind::Email, email.place.len(), email.value))
    }

    fn phone(&mut self, at: usize) -> Option<Hit> {
        next_at(&mut self.phones, at).map(|phone| hit(EntityKind::Phone, phone.place.len(), phone.value))
    }
}

/// The one that starts here; those before were parts of something else.
fn next_at(reaches: &mut Peekable<std::vec::IntoIter<Reach>>, at: usize) -> Option<Reach> {
    while reaches.next_if(|reach| reach.place.start < at).is_some() {}
    reaches.next_if(|reach| reach.place.start == at)
}

struct Hit {
    kind: EntityKind,
    length: usize,
    value: String,
    currency: Option<&'static str>,
}

fn hit(kind: EntityKind, length: usize, value: impl Into<String>) -> Hit {
    Hit { kind, length, value: value.into(), currency: None }
}

fn at_start(text: &str, at: usize, first: char, words: &Recent<'_>, reaches: &mut Reaches) -> Option<Hit> {
    let rest = &text[at..];
    if !(first.is_alphanumeric() || "@＠#＃+$€₺£._%-".contains(first)) {
        return None;
    }
    if let Some(email) = reaches.email(at) {
        return Some(email);
    }
    match tokens::special_at(rest, first, true) {
        Some((TokenKind::Link, length)) => return Some(hit(EntityKind::Link, length, &rest[..length])),
        Some((TokenKind::Mention, length)) => {
            return Some(hit(EntityKind::Handle, length, rest[..length].trim_start_matches(['@', '＠'])));
        }
        Some((TokenKind::Hashtag, length)) => {
            if let Some(number) = order_number_with_sign(rest, words) {
                return Some(number);
            }
            let name = rest[..length].trim_start_matches(['#', '＃']);
            if name.chars().filter(char::is_ascii_digit).count() >= 4 && words.names_an_order() {
                return Some(hit(EntityKind::OrderNumber, length, name.to_uppercase()));
            }
            return name.chars().any(char::is_alphabetic).then(|| hit(EntityKind::Hashtag, length, ""));
        }
        _ => {}
    }
    // What follows the sign of an address is a part of it, and a label after another was looked at with that one.
    let before = &text[..at];
    let goes_on = before.strip_suffix('.').is_some_and(|before| before.ends_with(char::is_alphanumeric));
    let may_be_link = first.is_alphanumeric() && !before.ends_with('@') && !goes_on;
    iban(rest)
        .or_else(|| may_be_link.then(|| bare_link(rest)).flatten())
        .or_else(|| money(rest))
        .or_else(|| order_number(rest, words))
        .or_else(|| reaches.phone(at))
        .or_else(|| short_number(rest))
}

/// A company's number of seven digits that works from anywhere in Turkey, `444 0 123`.
fn short_number(rest: &str) -> Option<Hit> {
    let mut digits = String::new();
    let mut length = 0;
    for (index, character) in rest.char_indices().take(12) {
        match character {
            '0'..='9' => {
                digits.push(character);
                length = index + 1;
            }
            ' ' | '-' | '.' if index == length => {}
            _ => break,
        }
    }
    let goes_on = rest[length..].starts_with(char::is_alphanumeric);
    (digits.len() == 7 && digits.starts_with("444") && !goes_on).then(|| hit(EntityKind::Phone, length, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(EntityKind, String)> {
        find(text, None)
            .into_iter()
            .map(|entity| {
                assert_eq!(&text[entity.start..entity.end], entity.text);
                (
                    entity.kind,
                    entity.currency.map_or(entity.value.clone(), |currency| format!("{} {currency}", entity.value)),
                )
            })
            .collect()
    }

    fn only(text: &str) -> Option<(EntityKind, String)> {
        let mut found = found(text);
        (found.len() == 1).then(|| found.remove(0))
    }

    #[test]
    fn what_can_be_looked_up_has_one_form() {
        use EntityKind::*;
        for (text, kind, value) in [
            ("selam @destek_hatti, bakar mısınız", Handle, "destek_hatti"),
            ("bkz. https://ornek.example/iade?no=5.", Link, "https://ornek.example/iade?no=5"),
            ("bana Ayse.Kaya@ornek.com.tr'den yazın", Email, "ayse.kaya@ornek.com.tr"),
            ("beni arayın: 0532 123 45 67", Phone, "+905321234567"),
            ("numaram 5321234567 lütfen", Phone, "+905321234567"),
            ("+90 (212) 555 11 22 cevap vermiyor", Phone, "+902125551122"),
            ("444 0 123 açmıyor", Phone, "4440123"),
            ("+49 30 1234567 aradı", Phone, "+49301234567"),
            ("3.500 TL ödedim", Money, "3500 TRY"),
            ("99,90₺ kesildi", Money, "99.9 TRY"),
            ("$1,234.56 charged", Money, "1234.56 USD"),
            ("5 bin liramı alamadım", Money, "5000 TRY"),
            ("2,5 milyon dolar", Money, "2500000 USD"),
            ("sipariş no: 40218833 hala yok", OrderNumber, "40218833"),
            ("KRG-552190 numaralı kargom", OrderNumber, "KRG-552190"),
            ("takip numaram 7301884412", OrderNumber, "7301884412"),
            ("iban TR33 0006 1005 1978 6457 8413 26 buraya", Iban, "TR330006100519786457841326"),
            ("#KargomNerede", Hashtag, "kargom nerede"),
            ("#iade_hakkım", Hashtag, "iade hakkım"),
            ("kargo #iade", Hashtag, "iade"),
            ("siparişim #40218833 yok", OrderNumber, "40218833"),
            ("40218833 numaralı şikayetim", OrderNumber, "40218833"),
            ("1 500 TL ödedim", Money, "1500 TRY"),
            ("1\u{a0}234\u{a0}567,5 TL", Money, "1234567.5 TRY"),
            ("₺1 500 kesildi", Money, "1500 TRY"),
            ("10.000,- TL istediler", Money, "10000 TRY"),
            ("€10,-", Money, "10 EUR"),
            ("50 kuruş için", Money, "0.5 TRY"),
            ("5 kuruşluk ürün", Money, "0.05 TRY"),
            ("3 lira 5 kuruş", Money, "3.05 TRY"),
            ("12 lira 50 kuruşa", Money, "12.5 TRY"),
            ("1250 kuruş", Money, "12.5 TRY"),
            ("2 500 000 dolar", Money, "2500000 USD"),
            ("Sipariş No: #TY-998877", OrderNumber, "TY-998877"),
            ("order number is 998877", OrderNumber, "998877"),
            ("booking ref: 99881X", OrderNumber, "99881X"),
            ("müşteri no 55667788", OrderNumber, "55667788"),
            ("PNR: X7K2QP", OrderNumber, "X7K2QP"),
            ("PNR kodum: ABCDEF", OrderNumber, "ABCDEF"),
            ("pnr'ım x7k2qp", OrderNumber, "X7K2QP"),
            ("gönderi no 7312 4458 9921", OrderNumber, "731244589921"),
            ("gönderi no 7312 4458 9921 500 gündür yok", OrderNumber, "731244589921"),
            ("takip no: 123 456 789", OrderNumber, "123456789"),
            ("takip no: 7312 4458 99", OrderNumber, "7312445899"),
            ("bit.ly/abc", Link, "bit.ly/abc"),
            ("t.me/ornek kanalı", Link, "t.me/ornek"),
            ("ornek.com.tr sitesi", Link, "ornek.com.tr"),
            ("(ornek.com'dan aldım)", Link, "ornek.com"),
            ("çiçek-ornek.com.Ben aldım", Link, "çiçek-ornek.com"),
            ("ORNEK.COM/iade?no=5.", Link, "ORNEK.COM/iade?no=5"),
        ] {
            assert_eq!(only(text), Some((kind, value.to_owned())), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "5 gündür bekliyorum",
            "saat 14:30'da 3 kişi",
            "12-05-2025 tarihli siparişim",
            "TR33 0006 1005 1978 6457 8413 27",
            "2024 yılında 100000 kişi",
            "a@b",
            "@",
            "#",
            "+",
            "$",
            "1 2 3 4 5 6 7 8 9 0",
            "geldim.ama kargom.de yok",
            "indirdim.app açılmıyor",
            "Bitti.Net konuşayım",
            "ayşe@ornek.com",
            "PNR HATALI",
            "pnr kodumu unuttum",
            "paket 12345",
            "takip no 2024 12",
            "v1.2.3",
            "A.Ş. ve Ltd.Şti.",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn entities_stand_side_by_side() {
        let kinds: Vec<EntityKind> =
            find("@marka #iade 250 TL 0532 123 45 67", None).into_iter().map(|entity| entity.kind).collect();
        assert_eq!(kinds, [EntityKind::Handle, EntityKind::Hashtag, EntityKind::Money, EntityKind::Phone]);
    }
}

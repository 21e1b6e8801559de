//! What in a text is not prose: handles, links, hashtags, addresses, phones, amounts, order numbers, IBANs, each with its place.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hashtags::Splitter;
use super::tokens::{self, TokenKind};
use super::turkish::Stemmer;

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
    let mut words = Recent::default();
    let mut at = 0;
    let mut after_space = true;
    let mut hashtags = Splitter::new(stemmer);
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let hit = if after_space { at_start(rest, character, &words) } else { None };
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
        after_space = !character.is_alphanumeric() && character != '_';
        at += character.len_utf8();
    }
    found
}

/// The last words before a number, which say what it counts.
#[derive(Debug, Default)]
struct Recent<'t>([&'t str; 3]);

impl<'t> Recent<'t> {
    fn add(&mut self, word: &'t str) {
        self.0.rotate_left(1);
        self.0[2] = word;
    }

    fn names_an_order(&self) -> bool {
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

struct Hit {
    kind: EntityKind,
    length: usize,
    value: String,
    currency: Option<&'static str>,
}

fn hit(kind: EntityKind, length: usize, value: impl Into<String>) -> Hit {
    Hit { kind, length, value: value.into(), currency: None }
}

fn at_start(rest: &str, first: char, words: &Recent<'_>) -> Option<Hit> {
    match first {
        '@' | '＠' | '#' | '＃' => {}
        '+' | '(' | '$' | '€' | '₺' | '£' => {}
        _ if first.is_ascii_alphanumeric() => {}
        _ => return None,
    }
    if first.is_ascii_alphanumeric()
        && let Some(length) = email(rest)
    {
        return Some(hit(EntityKind::Email, length, rest[..length].to_lowercase()));
    }
    match tokens::special_at(rest, first, true) {
        Some((TokenKind::Link, length)) => return Some(hit(EntityKind::Link, length, &rest[..length])),
        Some((TokenKind::Mention, length)) => {
            return Some(hit(EntityKind::Handle, length, rest[..length].trim_start_matches(['@', '＠'])));
        }
        Some((TokenKind::Hashtag, length)) => {
            let name = rest[..length].trim_start_matches(['#', '＃']);
            if name.chars().filter(char::is_ascii_digit).count() >= 4 && words.names_an_order() {
                return Some(hit(EntityKind::OrderNumber, length, name.to_uppercase()));
            }
            return name.chars().any(char::is_alphabetic).then(|| hit(EntityKind::Hashtag, length, ""));
        }
        _ => {}
    }
    iban(rest).or_else(|| money(rest)).or_else(|| order_number(rest, words)).or_else(|| phone(rest))
}

fn email(rest: &str) -> Option<usize> {
    let local =
        rest.bytes().take(65).take_while(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte)).count();
    let domain = rest.get(local..)?.strip_prefix('@')?;
    let length =
        domain.bytes().take(255).take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).count();
    let domain = domain[..length].trim_end_matches(['.', '-']);
    let (name, top) = domain.rsplit_once('.')?;
    let real = local <= 64 && !name.is_empty() && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    real.then_some(local + 1 + domain.len())
}

/// Two letters, two check digits and up to 30 more, alone or in groups; only with a right checksum.
fn iban(rest: &str) -> Option<Hit> {
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
            if ends && value.len() >= 15 && checks_out(&value) {
                best = Some((index + 1, value.clone()));
            }
        } else if *byte != b' ' || !bytes.get(index + 1).is_some_and(u8::is_ascii_alphanumeric) {
            break;
        }
    }
    best.map(|(length, value)| hit(EntityKind::Iban, length, value))
}

/// ISO 7064: the number with its head at its end leaves one when divided by 97. Turkish ones have 26 signs.
fn checks_out(iban: &str) -> bool {
    let (head, tail) = iban.split_at(4);
    let digits = head.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    let rest = tail.bytes().chain(head.bytes()).fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    digits && rest == 1 && (!iban.starts_with("TR") || iban.len() == 26)
}

/// A number before or after the sign or the name of a currency.
fn money(rest: &str) -> Option<Hit> {
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

/// Letters and digits that the words beside them call the number of an order.
fn order_number(rest: &str, words: &Recent<'_>) -> Option<Hit> {
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

/// A number that can be called: international with `+` or `00`, or Turkish.
fn phone(rest: &str) -> Option<Hit> {
    let mut digits = String::new();
    let mut length = 0;
    let mut last = ' ';
    for (index, character) in rest.char_indices().take(24) {
        match character {
            '0'..='9' => {
                digits.push(character);
                length = index + 1;
            }
            '+' if index == 0 => {}
            ' ' | '-' | '(' | ')' | '.' | '/' if last != character => {}
            _ => break,
        }
        last = character;
    }
    let abroad = rest.starts_with('+');
    if rest[length..].starts_with(|character: char| character.is_alphanumeric()) {
        return None;
    }
    let digits = match digits.strip_prefix("00") {
        Some(digits) if !abroad => format!("+{digits}"),
        _ if abroad => format!("+{digits}"),
        _ => digits,
    };
    // A Turkish number is ten digits after its zero: mobile 5, towns 2 to 4, companies 800, 850 and 900.
    let national = |number: &str| {
        number.len() == 10
            && (matches!(number.as_bytes()[0], b'2'..=b'5')
                || ["800", "850", "900"].iter().any(|code| number.starts_with(code)))
    };
    let value = match digits.strip_prefix('+') {
        Some(number) if number.starts_with("90") => national(&number[2..]).then(|| digits.clone()),
        Some(number) => (8..=15).contains(&number.len()).then(|| digits.clone()),
        None => match (digits.strip_prefix('0'), digits.strip_prefix("90")) {
            (Some(number), _) if national(number) => Some(format!("+90{number}")),
            (_, Some(number)) if national(number) => Some(format!("+90{number}")),
            _ if national(&digits) && (digits.starts_with('5') || digits.starts_with("850")) => {
                Some(format!("+90{digits}"))
            }
            _ if digits.len() == 7 && digits.starts_with("444") => Some(digits),
            _ => None,
        },
    }?;
    Some(hit(EntityKind::Phone, length, value))
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

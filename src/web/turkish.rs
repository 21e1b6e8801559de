//! The Turkish of what the rest of the program says in English.
//!
//! Refusals, reasons and alerts are English where they are made, and stay so in the database, the API and on the command
//! line. The console translates them when it shows them, by a catalogue of pairs in gettext's format (`turkish.po`): a
//! text is matched by a pattern's literal pieces, and what stands in its places is filled into the Turkish.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::locale::Locale;

/// Places filled in on trial for one text, so that a long text from a stranger cannot keep a page waiting.
const TRIALS: u32 = 5_000;

/// The most specific pattern first: the one with the most letters outside its places.
static CATALOGUE: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let mut pairs: Vec<Pair> = entries(include_str!("turkish.po"))
        .filter(|(english, _)| !english.is_empty())
        .map(|(english, turkish)| Pair { english: pieces(&english), turkish: pieces(&turkish) })
        .collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.letters()));
    pairs
});

struct Pair {
    english: Vec<Piece>,
    turkish: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Place(Kind, String),
}

/// What may stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Anything,
    Number,
    Time,
    /// A text of the catalogue.
    Known,
    /// A text of the catalogue, or somebody else's words.
    Quoted,
}

impl Kind {
    fn of(sign: Option<char>) -> Option<Kind> {
        Some(match sign? {
            '#' => Kind::Number,
            '@' => Kind::Time,
            '>' => Kind::Known,
            '?' => Kind::Quoted,
            _ => return None,
        })
    }
}

impl Pair {
    fn letters(&self) -> usize {
        let words = self.english.iter().map(|piece| match piece {
            Piece::Words(words) => words.len(),
            Piece::Place(..) => 0,
        });
        words.sum()
    }

    fn filled(&self, values: &[(&str, String)]) -> String {
        let value = |name: &str| values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        let pieces = self.turkish.iter().map(|piece| match piece {
            Piece::Words(words) => words.as_str(),
            Piece::Place(_, name) => value(name),
        });
        pieces.collect()
    }
}

/// The text in Turkish; `None` where the catalogue does not have it.
pub fn translate(text: &str, locale: &Locale) -> Option<String> {
    let mut reader = Reader { locale, read: HashMap::new(), trials: TRIALS };
    reader.read(text).map(|reading| reading.turkish)
}

/// One way to understand a text.
#[derive(Debug, Clone)]
struct Reading {
    turkish: String,
    /// Bytes of the text that stay as they are. Of several readings the one with the fewest is right: it does not take for
    /// a name what is a sentence.
    kept: usize,
}

/// What stands in the places of a pattern, by their names.
struct Values<'p> {
    named: Vec<(&'p str, String)>,
    kept: usize,
}

struct Reader<'l> {
    locale: &'l Locale,
    /// Parts that were read already, by where they stand and how long they are.
    read: HashMap<(usize, usize), Option<Reading>>,
    trials: u32,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Option<Reading> {
        let part = (text.as_ptr().addr(), text.len());
        if let Some(known) = self.read.get(&part) {
            return known.clone();
        }
        let mut best: Option<Reading> = None;
        for pair in CATALOGUE.iter() {
            if let Some(values) = self.values(&pair.english, text)
                && best.as_ref().is_none_or(|best| values.kept < best.kept)
            {
                best = Some(Reading { turkish: pair.filled(&values.named), kept: values.kept });
            }
        }
        self.read.insert(part, best.clone());
        best
    }

    /// The places of a pattern, if the text fits it: of all ways to divide the text, the one that keeps least.
    fn values<'p>(&mut self, pattern: &'p [Piece], text: &str) -> Option<Values<'p>> {
        let Some((first, rest)) = pattern.split_first() else {
            return text.is_empty().then(|| Values { named: Vec::new(), kept: 0 });
        };
        let (kind, name) = match first {
            Piece::Words(words) => return self.values(rest, text.strip_prefix(words.as_str())?),
            Piece::Place(kind, name) => (*kind, name.as_str()),
        };
        // A place ends where the words after it begin, or with the text.
        let ends: Vec<usize> = match rest.first() {
            Some(Piece::Words(words)) => text.match_indices(words.as_str()).map(|(at, _)| at).collect(),
            _ => vec![text.len()],
        };
        let mut best: Option<Values<'p>> = None;
        for end in ends.into_iter().filter(|end| *end > 0) {
            let Some(left) = self.trials.checked_sub(1) else { break };
            self.trials = left;
            let (inside, after) = text.split_at(end);
            let Some(mut values) = self.values(rest, after) else { continue };
            let Some(value) = self.value(kind, inside) else { continue };
            values.kept += value.kept;
            values.named.push((name, value.turkish));
            if best.as_ref().is_none_or(|best| values.kept < best.kept) {
                best = Some(values);
            }
        }
        best
    }

    fn value(&mut self, kind: Kind, text: &str) -> Option<Reading> {
        let as_it_is = || Reading { turkish: text.to_owned(), kept: text.len() };
        match kind {
            Kind::Anything => Some(as_it_is()),
            Kind::Number => text.bytes().all(|byte| byte.is_ascii_digit()).then(as_it_is),
            Kind::Time => text.parse::<Timestamp>().ok().map(|at| Reading { turkish: self.locale.exact(at), kept: 0 }),
            Kind::Known => self.read(text),
            Kind::Quoted => Some(self.read(text).unwrap_or_else(as_it_is)),
        }
    }
}

/// The pairs of a catalogue in gettext's format, each string on one line.
fn entries(catalogue: &str) -> impl Iterator<Item = (String, String)> {
    let mut english = None;
    catalogue.lines().filter_map(move |line| {
        if let Some(text) = quoted(line, "msgid ") {
            english = Some(text);
            return None;
        }
        Some((english.take()?, quoted(line, "msgstr ")?))
    })
}

fn quoted(line: &str, keyword: &str) -> Option<String> {
    let text = line.strip_prefix(keyword)?.strip_prefix('"')?.strip_suffix('"')?;
    Some(text.replace("\\\"", "\""))
}

/// Divides a pattern at its places; braces around anything but a name are words.
fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut words = String::new();
    let mut rest = pattern;
    while let Some(start) = rest.find('{') {
        words.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let inside = rest.split_once('}').map_or("", |(inside, _)| inside);
        let (kind, name) = match Kind::of(inside.chars().next()) {
            Some(kind) => (kind, &inside[1..]),
            None => (Kind::Anything, inside),
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            words.push('{');
            continue;
        }
        if !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words)));
        }
        pieces.push(Piece::Place(kind, name.to_owned()));
        rest = &rest[inside.len() + 1..];
    }
    words.push_str(rest);
    if !words.is_empty() {
        pieces.push(Piece::Words(words));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use jiff::tz::TimeZone;

    use super::super::locale::Language;
    use super::*;

    fn turkish(text: &str) -> Option<String> {
        let locale = Locale {
            language: Language::Turkish,
            timezone: TimeZone::get("Europe/Istanbul").expect("a bundled zone"),
            now: "2026-11-21T12:00:00Z".parse().expect("a time"),
        };
        translate(text, &locale)
    }

    fn catalogue() -> Vec<(String, String)> {
        entries(include_str!("turkish.po")).filter(|(english, _)| !english.is_empty()).collect()
    }

    #[test]
    fn a_text_is_translated_with_what_stands_in_its_places() {
        assert_eq!(turkish("cancelled").as_deref(), Some("iptal edildi"));
        assert_eq!(turkish("rate limited for 30 s").as_deref(), Some("ağ 30 saniye beklenmesini istedi"));
        assert_eq!(
            turkish("its time was 5 min ago: send it now, move it or cancel it").as_deref(),
            Some("zamanı geçeli 5 dk oldu: şimdi gönderin, başka bir zamana alın ya da iptal edin")
        );
        assert_eq!(
            turkish("the account waits until 2026-11-21T12:30:00Z (rate limited for 9 s)").as_deref(),
            Some("hesabın bekleyeceği zaman: 21 Kasım 2026 15:30:00 (UTC+3) (ağ 9 saniye beklenmesini istedi)")
        );
    }

    #[test]
    fn a_name_with_blanks_and_others_words_stay_as_they_are() {
        assert_eq!(
            turkish(
                "delivery on account kent is late is held until a person decides: refused by the network: No (403)"
            )
            .as_deref(),
            Some(
                "kent is late hesabındaki bir gönderi bekletiliyor ve bir kişinin kararını bekliyor: ağ kabul etmedi: No (403)"
            )
        );
    }

    #[test]
    fn a_sentence_is_not_taken_for_a_name() {
        assert_eq!(
            turkish("account yelpazar on rss: it cannot be reached (feed: network unavailable: reset (os error 104))")
                .as_deref(),
            Some("yelpazar hesabı (rss): ulaşılamıyor (akış: ağa ulaşılamıyor: reset (os error 104))")
        );
        assert_eq!(
            turkish("unclear whether the network took it: reset (os error 104), and telegram cannot be asked: look at the account")
                .as_deref(),
            Some("ağın alıp almadığı belirsiz: reset (os error 104); bu ağa sorulamıyor (telegram): hesaba bakın")
        );
    }

    #[test]
    fn what_is_not_in_the_catalogue_is_not_translated() {
        for text in ["", "No (403)", "Deprem nedeniyle", "it took 5 s", "mentions: 503 Service Unavailable"] {
            assert_eq!(turkish(text), None, "{text}");
        }
        assert_eq!(turkish(&"delivery on account a: ".repeat(1_000)), None);
    }

    #[test]
    fn both_sides_of_a_pair_have_the_same_places() {
        for (english, turkish) in catalogue() {
            let places = |text: &str| {
                let mut places: Vec<_> = pieces(text)
                    .into_iter()
                    .filter_map(|piece| match piece {
                        Piece::Place(kind, name) => Some((kind, name)),
                        Piece::Words(_) => None,
                    })
                    .collect();
                places.sort();
                places
            };
            let names = places(&english);
            assert_eq!(names, places(&turkish), "{english}");
            let distinct: BTreeSet<_> = names.iter().map(|(_, name)| name).collect();
            assert_eq!(distinct.len(), names.len(), "a place is named twice: {english}");
            let apart = pieces(&english).windows(2).all(|pair| !matches!(pair, [Piece::Place(..), Piece::Place(..)]));
            assert!(apart, "nothing parts two places: {english}");
            assert!(!turkish.trim().is_empty(), "{english}");
        }
    }

    #[test]
    fn no_two_patterns_are_equal() {
        let mut seen = BTreeSet::new();
        for (english, _) in catalogue() {
            assert!(seen.insert(without_names(&english)), "twice: {english}");
        }
    }

    /// What nobody says any more has no place in the catalogue.
    #[test]
    fn every_pattern_is_a_text_of_the_source() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut source = String::new();
        for folder in ["src", "connectors/src"] {
            read(&root.join(folder), &mut source);
        }
        let source = without_names(&source);
        // A sentence may be put together from a text before it or after it.
        let is_there = |pattern: &str| {
            let pattern = without_names(pattern);
            source.contains(pattern.trim_start_matches("{}").trim_end_matches("{}"))
        };
        let gone: Vec<String> =
            catalogue().into_iter().map(|(english, _)| english).filter(|english| !is_there(english)).collect();
        assert_eq!(gone, Vec::<String>::new());
    }

    /// What the program refuses and gives as a reason, as far as it is written where it is made; what only programs are told
    /// (the API) or only the terminal shows (the command line) is left out.
    #[test]
    fn every_refusal_and_reason_of_the_source_is_in_the_catalogue() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut source = String::new();
        for part in ["accounts.rs", "campaigns.rs", "compose", "deliver", "quiet", "recurring", "store", "webhooks.rs"]
        {
            read(&root.join(part), &mut source);
        }
        for entry in std::fs::read_dir(root.join("web")).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            // In error.rs the next steps name fields of the API; the forms of the console ask in their own words.
            if !path.ends_with("web/api") && !path.ends_with("web/error.rs") {
                read(&path, &mut source);
            }
        }
        let known: BTreeSet<String> = catalogue().iter().map(|(english, _)| without_names(english)).collect();
        let mut missing = refusals(&source);
        // Backups are read on the command line.
        missing.retain(|text| !known.contains(&without_names(text)) && text != "is longer than {MAX_LINE} bytes");
        assert_eq!(missing, Vec::<String>::new());
    }

    /// The texts that stand right behind what makes a refusal or a reason of them.
    fn refusals(source: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for maker in
            ["Conflict(", "NotFound(", "Invalid(", "Busy(", "Full(", "conflict(", "forbidden(", ".next(", "reason: "]
        {
            for (at, _) in source.match_indices(maker) {
                let rest = source[at + maker.len()..].trim_start();
                let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
                let Some(literal) = rest.strip_prefix('"') else { continue };
                let text = literal.replace("\\\"", "\u{0}");
                texts.extend(text.split_once('"').map(|(text, _)| text.replace('\u{0}', "\\\"")));
            }
        }
        for column in ["reason = '", "detail = '"] {
            let found = source.match_indices(column).map(|(at, _)| &source[at + column.len()..]);
            texts.extend(found.filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned())));
        }
        texts
    }

    /// The Rust files of a folder but this one, or one file, each literal on one line.
    fn read(path: &Path, source: &mut String) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).expect("a folder of the source") {
                read(&entry.expect("an entry").path(), source);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with(file!()) {
            let text = std::fs::read_to_string(path).expect("a source file");
            let mut lines = text.split("\\\n");
            source.push_str(lines.next().unwrap_or_default());
            lines.for_each(|line| source.push_str(line.trim_start()));
        }
    }

    /// A pattern, or the source, with every place as `{}`: `{name:?}` writes quotation marks around its value.
    fn without_names(text: &str) -> String {
        let text = text.replace("\\\"", "\"").replace("{{", "\u{1}").replace("}}", "\u{2}");
        let mut plain = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find('{') {
            plain.push_str(&rest[..start]);
            rest = &rest[start + 1..];
            let inside = rest.split_once('}').map_or(" ", |(inside, _)| inside);
            if !inside.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:?@>#".contains(&byte)) {
                plain.push('{');
                continue;
            }
            plain.push_str(if inside.ends_with(":?") { "\"{}\"" } else { "{}" });
            rest = &rest[inside.len() + 1..];
        }
        plain.push_str(rest);
        plain.replace('\u{1}', "{").replace('\u{2}', "}")
    }
}

//! Links as people write them by hand: `bit.ly/abc`, `ornek.com.tr`, without `https://` before them.

use super::super::tokens;
use super::{EntityKind, Hit, hit};

/// Ends of host names that are no words: the most used ones of the root zone
/// (<https://www.iana.org/domains/root/db>, November 2026) and those of shorteners.
const ENDS: [&str; 29] = [
    "ai", "ca", "ch", "co", "com", "cz", "dk", "edu", "es", "eu", "fr", "gl", "gov", "gr", "info", "io", "jp", "kz",
    "ly", "net", "nl", "org", "pl", "pt", "ru", "se", "tr", "uk", "xyz",
];
/// Ends that are words of Turkish or English too, so that "geldim.de" and "indirdim.app" are two of them; only before a path.
const WORDS_TOO: [&str; 28] = [
    "app", "at", "az", "be", "biz", "blog", "club", "de", "dev", "gg", "id", "in", "is", "it", "link", "live", "me",
    "my", "news", "online", "page", "shop", "site", "so", "store", "to", "tv", "us",
];

/// No host name is longer (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// The host name that starts here, and the path after it.
pub fn bare_link(rest: &str) -> Option<Hit> {
    let mut host = None;
    let mut from = 0;
    for (at, character) in rest.char_indices().chain([(rest.len(), ' ')]).take_while(|(at, _)| *at <= LONGEST_HOST) {
        if character.is_alphanumeric() || character == '-' {
            continue;
        }
        let label = &rest[from..at];
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            break;
        }
        // The longest name counts: "ornek.com.tr", but of "ornek.com.Ben" the first two labels.
        if rest[..from].contains(char::is_alphabetic)
            && let Some(end) = end_of_link(label, &rest[at..])
        {
            host = Some(at + end);
        }
        if character != '.' {
            break;
        }
        from = at + 1;
    }
    host.map(|length| hit(EntityKind::Link, length, &rest[..length]))
}

/// How long the path is after a label that ends a host name; `None` if it ends none.
fn end_of_link(label: &str, after: &str) -> Option<usize> {
    // "Bitti.Net" is the start of a sentence.
    let one_case =
        label.bytes().all(|byte| byte.is_ascii_lowercase()) || label.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_one_of = |ends: &[&str]| one_case && ends.iter().any(|end| label.eq_ignore_ascii_case(end));
    match (is_one_of(&ENDS), after.starts_with('/')) {
        (true, true) => Some(tokens::link_length(after)),
        (true, false) => Some(0),
        (false, true) if is_one_of(&WORDS_TOO) => Some(tokens::link_length(after)).filter(|path| *path > "/".len()),
        _ => None,
    }
}

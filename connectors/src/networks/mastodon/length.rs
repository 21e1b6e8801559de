//! How Mastodon counts: grapheme clusters, an address as 23, a mention without its domain.
//!
//! From `app/validators/status_length_validator.rb` and `Account::MENTION_RE` of mastodon/mastodon, read November 2026.
//! The server's list of top-level domains is not repeated here: an address is taken as one if its host ends in letters.

use icu_segmenter::GraphemeClusterSegmenter;

/// The text's length as the server counts it.
pub(super) fn length(text: &str, url_length: usize) -> usize {
    let counted = without_domains(&with_short_addresses(text, url_length));
    // The segmenter gives the borders, the start included.
    GraphemeClusterSegmenter::new().segment_str(&counted).count().saturating_sub(1)
}

fn with_short_addresses(text: &str, url_length: usize) -> String {
    let mut counted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = next_scheme(rest) {
        let before = rest[..at].chars().next_back().or(counted.chars().next_back());
        counted.push_str(&rest[..at]);
        rest = &rest[at..];
        let fits_before = before.is_none_or(|before| !before.is_ascii_alphanumeric() && !"@＠$#＃".contains(before));
        match address_length(rest).filter(|_| fits_before) {
            Some(length) => {
                counted.extend(std::iter::repeat_n('x', url_length));
                rest = &rest[length..];
            }
            None => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                counted.push_str(&rest[..first]);
                rest = &rest[first..];
            }
        }
    }
    counted.push_str(rest);
    counted
}

fn next_scheme(text: &str) -> Option<usize> {
    text.char_indices().find(|(at, _)| scheme_length(&text[*at..]).is_some()).map(|(at, _)| at)
}

fn scheme_length(text: &str) -> Option<usize> {
    ["https://", "http://"]
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map(|scheme| scheme.len())
}

/// The bytes of the address that `text` begins with.
fn address_length(text: &str) -> Option<usize> {
    let start = scheme_length(text)?;
    let is_host = |character: char| character.is_alphanumeric() || matches!(character, '.' | '-' | '_');
    let host_end = text[start..].find(|character| !is_host(character)).map_or(text.len(), |end| start + end);
    let host = text[start..host_end].trim_end_matches(['.', '-', '_']);
    let (name, top) = host.rsplit_once('.')?;
    let is_top = top.chars().count() >= 2 && (top.chars().all(char::is_alphabetic) || top.starts_with("xn--"));
    if name.is_empty() || name.starts_with('.') || !is_top {
        return None;
    }
    let mut end = start + host.len();
    if let Some(port) = text[end..].strip_prefix(':') {
        end += match port.bytes().take_while(u8::is_ascii_digit).count() {
            0 => 0,
            digits => digits + 1,
        };
    }
    match text[end..].chars().next() {
        Some('/' | '?') => Some(end + path_length(&text[end..])),
        _ => Some(end),
    }
}

/// The bytes of path and query: up to a blank, less punctuation that belongs to the sentence.
fn path_length(text: &str) -> usize {
    let is_end =
        |character: char| character.is_whitespace() || character.is_control() || "<>\"“”«»".contains(character);
    let path = &text[..text.find(is_end).unwrap_or(text.len())];
    let mut path = path;
    loop {
        let Some(last) = path.chars().next_back() else { return 0 };
        let unbalanced = last == ')' && path.matches('(').count() < path.matches(')').count();
        if !unbalanced && !".,;:!?'’…]}".contains(last) {
            return path.len();
        }
        path = &path[..path.len() - last.len_utf8()];
    }
}

fn without_domains(text: &str) -> String {
    let mut counted = String::with_capacity(text.len());
    let mut at = 0;
    for mention in mentions(text) {
        counted.push_str(&text[at..mention.start + 1 + mention.user.len()]);
        at = mention.end;
    }
    counted.push_str(&text[at..]);
    counted
}

/// Somebody named in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention<'a> {
    pub start: usize,
    pub end: usize,
    pub user: &'a str,
    pub domain: Option<&'a str>,
}

/// Who is named in `text`: `@user` and `@user@domain`.
pub(super) fn mentions(text: &str) -> Vec<Mention<'_>> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('@').map(|at| from + at) {
        from = at + 1;
        if text[..at].chars().next_back().is_some_and(|before| is_word(before) || matches!(before, '=' | '/')) {
            continue;
        }
        let user = joined_words(&text[at + 1..], |character| character.is_ascii_alphanumeric() || character == '_');
        if user.is_empty() {
            continue;
        }
        let mut end = at + 1 + user.len();
        let domain =
            text[end..].strip_prefix('@').map(|rest| joined_words(rest, is_word)).filter(|domain| !domain.is_empty());
        end += domain.map_or(0, |domain| domain.len() + 1);
        found.push(Mention { start: at, end, user, domain });
        from = end;
    }
    found
}

/// The longest start of `text` made of words that dots and hyphens join.
fn joined_words(text: &str, is_word: impl Fn(char) -> bool) -> &str {
    let reach = text.find(|character| !is_word(character) && !matches!(character, '.' | '-')).unwrap_or(text.len());
    let text = text[..reach].trim_end_matches(['.', '-']);
    match text.starts_with(['.', '-']) {
        true => "",
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_and_emoji_of_many_code_points_count_once() {
        assert_eq!(length("", 23), 0);
        assert_eq!(length("şikâyet", 23), 7);
        assert_eq!(length("s\u{327}ikayet", 23), 7);
        assert_eq!(length("👩‍👩‍👧‍👦🇹🇷👍🏽", 23), 3);
        assert_eq!(length(&"👨‍👩‍👧‍👦".repeat(500), 23), 500);
        assert_eq!(length("مرحبا", 23), 5);
    }

    #[test]
    fn an_address_counts_23_however_long_it_is() {
        assert_eq!(length("https://ornek.example", 23), 23);
        assert_eq!(length(&format!("bak https://ornek.example/{} ok", "x".repeat(300)), 23), 4 + 23 + 3);
        assert_eq!(length("https://ornek.com'a bak", 23), 23 + 6);
        assert_eq!(length("(https://ornek.com/a_(b)).", 23), 1 + 23 + 2);
        assert_eq!(length("HTTPS://Ornek.com:8080/?a=1&b=2#c", 23), 23);
        assert_eq!(length("http://localhost/x", 23), 18);
        assert_eq!(length("https://", 23), 8);
        assert_eq!(length("xhttps://ornek.com", 23), 18);
        assert_eq!(length("https://öğrenci.example/ş", 23), 23);
    }

    #[test]
    fn a_mention_counts_without_its_domain() {
        assert_eq!(length("@ayse@cok.uzun.ornek.example merhaba", 23), 5 + 8);
        assert_eq!(length("@ayse merhaba", 23), 13);
        assert_eq!(length("ayse@ornek.example", 23), 18);
        assert_eq!(length("@ayse@ornek.example'a", 23), 7);
        assert_eq!(length("@@ayse", 23), 6);
    }

    #[test]
    fn who_is_named_is_found() {
        let named: Vec<_> = mentions("Merhaba @ayse@ornek.example, @mehmet. a@b.example /@c @d.-")
            .iter()
            .map(|m| (m.user, m.domain))
            .collect();
        assert_eq!(named, [("ayse", Some("ornek.example")), ("mehmet", None), ("d", None)]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_count(text in "[@a-c.:/ğ👩\u{200d}#?)(-]{0,40}|.{0,40}|(https?://[a-c./@:?]{0,12} ?){0,3}") {
            length(&text, 23);
        }
    }
}

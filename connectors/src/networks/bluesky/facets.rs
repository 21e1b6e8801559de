//! Facets: which bytes of a post are a link, a mention or a hashtag.

use serde::Deserialize;
use serde_json::{Value, json};

/// One stretch of a post's text, in bytes, and what it is.
#[derive(Deserialize)]
pub(super) struct Facet {
    index: ByteSlice,
    features: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByteSlice {
    byte_start: usize,
    byte_end: usize,
}

impl Facet {
    pub(super) fn mentions(&self, did: &str) -> bool {
        self.features
            .iter()
            .any(|feature| feature["$type"] == "app.bsky.richtext.facet#mention" && feature["did"] == did)
    }

    fn link(&self) -> Option<&str> {
        let link = self.features.iter().find(|feature| feature["$type"] == "app.bsky.richtext.facet#link")?;
        link["uri"].as_str().filter(|uri| uri.starts_with("https://") || uri.starts_with("http://"))
    }
}

/// The text with every link written out: networks' own apps show `ornek.example/uzun-ad…` and keep the address aside.
pub(super) fn with_whole_links(text: &str, facets: &[Facet]) -> String {
    let mut links: Vec<_> =
        facets.iter().filter_map(|facet| Some((facet.index.byte_start, facet.index.byte_end, facet.link()?))).collect();
    links.sort_by_key(|(start, ..)| *start);
    let mut whole = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end, link) in links {
        // Offsets are a stranger's: outside the text, inside a character, or over another link they mean nothing.
        let (Some(before), Some(shown)) = (text.get(done..start), text.get(start..end)) else { continue };
        if shown.is_empty() {
            continue;
        }
        whole.push_str(before);
        let bare = |address: &str| address.split_once("://").map_or(address, |(_, rest)| rest).to_owned();
        let cut = bare(shown.trim_end_matches(['…', '.']).trim_end_matches('/'));
        if bare(link).starts_with(&cut) {
            whole.push_str(link);
        } else {
            whole.push_str(shown);
            whole.push_str(" (");
            whole.push_str(link);
            whole.push(')');
        }
        done = end;
    }
    whole.push_str(&text[done..]);
    whole
}

/// A stretch of our own text that becomes a facet.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: What<'a>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum What<'a> {
    /// A handle, without its `@`; a facet only once it is resolved.
    Mention(&'a str),
    Link(&'a str),
    /// A hashtag, without its `#`.
    Tag(&'a str),
}

/// The most graphemes the network takes in a hashtag are 64; characters are counted here, which is never more.
const LONGEST_TAG: usize = 64;

/// Finds links, handles and hashtags in `text`.
pub(super) fn find(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let Some(first) = rest.chars().next() else { break };
        let starts_word =
            text[..start].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '@');
        let what = match first {
            _ if !starts_word => None,
            'h' | 'H' => link(rest),
            '@' => handle(&rest[1..]).map(What::Mention),
            '#' | '＃' => tag(&rest[first.len_utf8()..]).map(What::Tag),
            _ => None,
        };
        let length = match what {
            Some(What::Link(link)) => link.len(),
            Some(What::Mention(name) | What::Tag(name)) => first.len_utf8() + name.len(),
            None => first.len_utf8(),
        };
        if let Some(what) = what {
            found.push(Found { start, end: start + length, what });
        }
        start += length;
    }
    found
}

/// The facets of a record; `resolve` gives the identifier behind a handle, and a handle without one stays plain text.
pub(super) fn record(text: &str, resolve: impl Fn(&str) -> Option<String>) -> Vec<Value> {
    find(text)
        .into_iter()
        .filter_map(|Found { start, end, what }| {
            let feature = match what {
                What::Mention(name) => json!({ "$type": "app.bsky.richtext.facet#mention", "did": resolve(name)? }),
                What::Link(uri) => json!({ "$type": "app.bsky.richtext.facet#link", "uri": uri }),
                What::Tag(tag) => json!({ "$type": "app.bsky.richtext.facet#tag", "tag": tag }),
            };
            Some(json!({ "index": { "byteStart": start, "byteEnd": end }, "features": [feature] }))
        })
        .collect()
}

fn link(text: &str) -> Option<What<'_>> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    // Turkish joins its endings with an apostrophe: https://ornek.example/a'dan.
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || "<>\"'’“”«»".contains(c));
    let mut link = &text[..end.unwrap_or(text.len())];
    while let Some(last) = link.chars().next_back() {
        let closes =
            |open: char, close: char| last == close && link.matches(close).count() > link.matches(open).count();
        if !(".,;:!?…".contains(last) || closes('(', ')') || closes('[', ']')) {
            break;
        }
        link = &link[..link.len() - last.len_utf8()];
    }
    let host = link[scheme.len()..].chars().next()?;
    (host.is_alphanumeric() && url::Url::parse(link).is_ok()).then_some(What::Link(link))
}

fn handle(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-')).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', '-']);
    let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(|label| !label.is_empty());
    // A letter right behind it, such as ş, means that it was no handle at all.
    let cut_short = text[name.len()..].chars().next().is_some_and(char::is_alphanumeric);
    (is_name && !cut_short).then_some(name)
}

fn tag(text: &str) -> Option<&str> {
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || "#＃@'’\"“”<>()[]{}".contains(c));
    let tag =
        text[..end.unwrap_or(text.len())].trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '_' || c == '…');
    let is_tag = tag.chars().any(|c| !c.is_numeric() && c != '_' && c != '\u{fe0f}' && c != '\u{20e3}');
    (is_tag && tag.chars().count() <= LONGEST_TAG).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stretches(text: &str) -> Vec<&str> {
        find(text).iter().map(|found| &text[found.start..found.end]).collect()
    }

    #[test]
    fn offsets_are_bytes_behind_turkish_letters_and_emoji() {
        let text = "Şikâyetiniz için 🙏🏽 @ayşe.test @ayse.test'e ve https://örnek.example/ışık'a bakın #çözüm'ü";
        assert_eq!(stretches(text), ["@ayse.test", "https://örnek.example/ışık", "#çözüm"]);
        let facets = record(text, |_| Some("did:plc:ayse".to_owned()));
        assert_eq!(facets[0]["index"]["byteStart"], text.find("@ayse").expect("in the text"));
    }

    #[test]
    fn punctuation_stays_outside() {
        let text = "(bkz. https://a.example/x_(y)). #marka, #2026 #2026yılı a@b.example e-posta http:// #";
        assert_eq!(stretches(text), ["https://a.example/x_(y)", "#marka", "#2026yılı"]);
    }

    #[test]
    fn a_handle_that_nobody_has_stays_text() {
        assert_eq!(record("@yok.test merhaba", |_| None), Vec::<Value>::new());
    }

    #[test]
    fn shortened_links_are_written_out_and_named_ones_are_added() {
        let text = "ör ornek.example/uzun-a… ve buraya bakın";
        let at = |part: &str| text.find(part).expect("in the text");
        let facet = |start: usize, end: usize, uri: &str| Facet {
            index: ByteSlice { byte_start: start, byte_end: end },
            features: vec![json!({ "$type": "app.bsky.richtext.facet#link", "uri": uri })],
        };
        let facets = [
            facet(at("buraya"), at("buraya") + 6, "https://ornek.example/b"),
            facet(at("ornek"), at(" ve"), "https://ornek.example/uzun-adres"),
            facet(1, 4, "https://inside.a.letter.example"),
            facet(5, 5000, "https://outside.example"),
            facet(0, 2, "javascript:alert(1)"),
        ];
        let whole = with_whole_links(text, &facets);
        assert_eq!(whole, "ör https://ornek.example/uzun-adres ve buraya (https://ornek.example/b) bakın");
    }

    proptest! {
        #[test]
        fn any_text_gives_stretches_in_order_within_it(text in "[@#＃h:/.'a-zışğ0-9 🙏🏽\u{fe0f}]{0,60}|https?://\\PC{0,20}|\\PC{0,60}") {
            let mut end = 0;
            for found in find(&text) {
                prop_assert!(found.start >= end && text.get(found.start..found.end).is_some());
                end = found.end;
            }
        }

        #[test]
        fn any_offsets_are_survived(text in "\\PC{0,40}", start in 0usize..60, end in 0usize..60) {
            let facet = Facet {
                index: ByteSlice { byte_start: start, byte_end: end },
                features: vec![json!({ "$type": "app.bsky.richtext.facet#link", "uri": "https://a.example" })],
            };
            with_whole_links(&text, &[facet]);
        }
    }
}

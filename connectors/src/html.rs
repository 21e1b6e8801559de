//! HTML from networks to plain text: paragraphs, breaks and addresses stay, markup and scripts do not.

//! Read tag by tag and not as a tree: a tree that is built as browsers build it can grow to many times the size of its
//! markup (each paragraph repeats every element that was left open), and strangers write the markup.

use std::borrow::Cow;
use std::collections::HashMap;

use scraper::Html;
use url::Url;

/// Longer markup is cut before it is read; no message comes near it.
const MAX_MARKUP: usize = 400_000;
/// A longer address behind a link's words is left out.
const MAX_ADDRESS: usize = 500;
/// More different character references than that are left as they are.
const MAX_REFERENCES: usize = 300;
/// After so many tags without an end the rest is taken as text.
const MAX_BROKEN: usize = 20;

/// The text a reader of `markup` would see, with the addresses behind links.
pub fn to_text(markup: &str) -> String {
    let mut end = markup.len().min(MAX_MARKUP);
    while !markup.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = Text::default();
    let mut references = References::default();
    let mut rest = &markup[..end];
    // What was looked for to the end in vain is not looked for again and again.
    let mut endless: Vec<String> = Vec::new();
    let mut broken = 0;
    while let Some(at) = rest.find('<').filter(|_| broken < MAX_BROKEN) {
        text.push(&references.resolve(&rest[..at]));
        rest = &rest[at..];
        rest = match Tag::read(rest) {
            Some((tag, after)) => match &tag {
                Tag::Open(element) if is_unseen(&element.name) && !endless.contains(&element.name) => {
                    after_end_of(&element.name, after).unwrap_or_else(|| {
                        endless.push(element.name.clone());
                        after
                    })
                }
                Tag::Open(element) => {
                    text.open(element);
                    after
                }
                Tag::Close(name) => {
                    text.close(name);
                    after
                }
                Tag::Other => after,
            },
            // A lone "<" is what somebody wrote.
            None => {
                broken +=
                    usize::from(rest[1..].starts_with(|next: char| !next.is_whitespace() && !next.is_ascii_digit()));
                text.push("<");
                &rest[1..]
            }
        };
    }
    match broken < MAX_BROKEN {
        true => text.push(&references.resolve(rest)),
        false => text.push(rest),
    }
    text.written.trim().to_owned()
}

/// What stands between "<" and ">".
enum Tag {
    Open(Element),
    Close(String),
    /// Comments and declarations.
    Other,
}

#[derive(Clone)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn classes(&self) -> impl Iterator<Item = &str> {
        self.attr("class").unwrap_or_default().split_ascii_whitespace()
    }
}

impl Tag {
    /// The tag that `markup` begins with, and what follows it.
    fn read(markup: &str) -> Option<(Self, &str)> {
        let inner = &markup[1..];
        if let Some(comment) = inner.strip_prefix("!--") {
            return Some((Self::Other, comment.find("-->").map_or("", |end| &comment[end + 3..])));
        }
        if inner.starts_with(['!', '?']) {
            return Some((Self::Other, &inner[inner.find('>')? + 1..]));
        }
        let (is_close, inner) = match inner.strip_prefix('/') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        if !inner.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return None;
        }
        let ends_name = |character: char| character.is_ascii_whitespace() || matches!(character, '/' | '>');
        let name_end = inner.find(ends_name)?;
        let name = inner[..name_end].to_ascii_lowercase();
        let (attributes, after) = attributes(&inner[name_end..])?;
        match is_close {
            true => Some((Self::Close(name), after)),
            false => Some((Self::Open(Element { name, attributes }), after)),
        }
    }
}

/// The attributes up to the tag's end, and what follows it; `None` where the tag has no end.
fn attributes(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((attributes, after));
        }
        let first = rest.chars().next()?.len_utf8();
        let ends_name = |character: char| character.is_ascii_whitespace() || matches!(character, '/' | '>' | '=');
        let name_end = first + rest[first..].find(ends_name)?;
        let name = rest[..name_end].to_ascii_lowercase();
        rest = rest[name_end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            (value, rest) = match after.chars().next()? {
                quote @ ('"' | '\'') => after[1..].split_once(quote)?,
                _ => after.split_at(after.find(|character: char| character.is_ascii_whitespace() || character == '>')?),
            };
        }
        // Those that are read; hostile markup has thousands of others.
        if matches!(name.as_str(), "href" | "class" | "alt") && attributes.len() < 8 {
            attributes.push((name, decoded_value(value)));
        }
    }
}

/// What follows the end of an element whose content nobody sees; `None` where it does not end.
fn after_end_of<'a>(name: &str, markup: &'a str) -> Option<&'a str> {
    let mut rest = markup;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let is_it = rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if is_it && rest[name.len()..].starts_with(|next: char| next == '>' || next.is_ascii_whitespace()) {
            return Some(rest.split_once('>')?.1);
        }
    }
    None
}

/// The character references of one message, each looked up once: the lookup is the parser's and not cheap.
#[derive(Default)]
struct References(HashMap<String, String>);

impl References {
    /// Text with its references resolved.
    fn resolve<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if !text.contains('&') {
            return Cow::Borrowed(text);
        }
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            written.push_str(&rest[..at]);
            rest = &rest[at..];
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
            let name = 1 + rest.bytes().skip(1).take(40).take_while(is_name).count();
            let end = name + usize::from(rest[name..].starts_with(';'));
            let reference = &rest[..end];
            match self.0.get(reference) {
                Some(known) => written.push_str(known),
                None if end == 1 || self.0.len() >= MAX_REFERENCES => written.push_str(reference),
                None => {
                    let resolved: String = Html::parse_fragment(reference).root_element().text().collect();
                    written.push_str(&resolved);
                    self.0.insert(reference.to_owned(), resolved);
                }
            }
            rest = &rest[end..];
        }
        written.push_str(rest);
        Cow::Owned(written)
    }
}

/// An attribute's value: in addresses "&copy=1" is no sign, so only what must be written with a reference is resolved.
fn decoded_value(value: &str) -> String {
    value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn is_unseen(name: &str) -> bool {
    matches!(
        name,
        "script" | "style" | "template" | "title" | "noscript" | "iframe" | "object" | "svg" | "textarea" | "select"
    )
}

fn is_paragraph(name: &str) -> bool {
    matches!(name, "p" | "blockquote" | "pre" | "ul" | "ol" | "table" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "hr")
}

fn is_line(name: &str) -> bool {
    matches!(
        name,
        "div" | "li" | "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "figure" | "figcaption"
    )
}

#[derive(Default)]
struct Text {
    written: String,
    /// What separates the next word from the last one.
    space: bool,
    lines: usize,
    preformatted: usize,
    /// Where the words of the open link begin, and its address.
    link: Option<(usize, Element)>,
}

impl Text {
    fn push(&mut self, words: &str) {
        if self.preformatted > 0 {
            for (number, line) in words.split('\n').enumerate() {
                if number > 0 {
                    self.end_line(self.lines + 1);
                }
                self.word(line.trim_end_matches('\r'));
            }
            return;
        }
        for (number, word) in words.split(|character: char| character.is_ascii_whitespace()).enumerate() {
            self.space |= number > 0;
            self.word(word);
        }
    }

    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if !self.written.is_empty() {
            match self.lines {
                0 if self.space => self.written.push(' '),
                0 => {}
                1 => self.written.push('\n'),
                _ => self.written.push_str("\n\n"),
            }
        }
        self.space = false;
        self.lines = 0;
        self.written.push_str(word);
    }

    fn end_line(&mut self, lines: usize) {
        self.lines = self.lines.max(lines);
        self.space = false;
    }

    fn open(&mut self, element: &Element) {
        match element.name.as_str() {
            "br" => self.end_line(self.lines + 1),
            "li" => {
                self.end_line(1);
                self.word("-");
                self.space = true;
            }
            "pre" => {
                self.end_line(2);
                self.preformatted += 1;
            }
            "a" => {
                self.close("a");
                self.link = Some((self.written.len(), element.clone()));
            }
            "img" => {
                self.space = true;
                self.push(element.attr("alt").unwrap_or_default());
                self.space = true;
            }
            "td" | "th" => self.space = true,
            name if is_paragraph(name) => self.end_line(2),
            name if is_line(name) => self.end_line(1),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "a" => {
                let Some((start, element)) = self.link.take() else { return };
                if let Some(address) = self.address_behind(&element, start) {
                    self.space = true;
                    self.word(&address);
                }
            }
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.end_line(2);
            }
            name if is_paragraph(name) => self.end_line(2),
            name if is_line(name) => self.end_line(1),
            _ => {}
        }
    }

    /// The address of a link whose words do not say it already.
    fn address_behind(&self, element: &Element, start: usize) -> Option<String> {
        let names_someone = element.classes().any(|class| matches!(class, "mention" | "hashtag" | "u-url"));
        let href = element.attr("href")?.trim();
        let words = self.written[start..].trim();
        let url = Url::parse(href).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if names_someone || words.is_empty() || href.len() > MAX_ADDRESS || same_address(words, &url) {
            return None;
        }
        Some(format!("({href})"))
    }
}

fn same_address(words: &str, url: &Url) -> bool {
    let bare = |text: &str| {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.trim_end_matches('/').to_lowercase()
    };
    bare(words) == bare(url.as_str()) || Url::parse(words).is_ok_and(|words| words == *url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paragraphs_breaks_mentions_and_cut_links_read_as_on_the_page() {
        let markup = concat!(
            "<p><span class=\"h-card\"><a href=\"https://ornek.example/@destek\" class=\"u-url mention\">@<span>destek</span></a></span> ",
            "kargom<br>nerede?</p><p>Takip: <a href=\"https://kargo.example/takip?no=123456789\" rel=\"nofollow\">",
            "<span class=\"invisible\">https://</span><span class=\"ellipsis\">kargo.example/takip?no=</span>",
            "<span class=\"invisible\">123456789</span></a> <a href=\"https://ornek.example/tags/kargo\" class=\"mention hashtag\">",
            "#<span>kargo</span></a></p>"
        );
        assert_eq!(
            to_text(markup),
            "@destek kargom\nnerede?\n\nTakip: https://kargo.example/takip?no=123456789 #kargo"
        );
    }

    #[test]
    fn scripts_styles_and_comments_are_not_text() {
        let markup = "a<script>alert('x')</script><style>p{}</style><!-- no --><img src=x onerror=alert(1)>b<svg><text>c</text></svg>";
        assert_eq!(to_text(markup), "a b");
        assert_eq!(to_text("1 &lt; 2 &amp;&nbsp;&#x1F600;"), "1 < 2 &\u{a0}😀");
    }

    #[test]
    fn lists_quotes_and_code_keep_their_lines() {
        assert_eq!(
            to_text("<p>Eksik:</p><ul><li>kutu</li><li>fatura</li></ul>son"),
            "Eksik:\n\n- kutu\n- fatura\n\nson"
        );
        assert_eq!(to_text("<pre><code>a  b\n\n  c</code></pre>d"), "a  b\n\n  c\n\nd");
        assert_eq!(to_text("<p>a</p><p></p><br><br><br><p>b</p>"), "a\n\nb");
    }

    #[test]
    fn a_link_whose_words_hide_its_address_shows_it() {
        assert_eq!(
            to_text("<a href=\"https://sahte.example/x\">bankam.example</a>"),
            "bankam.example (https://sahte.example/x)"
        );
        assert_eq!(to_text("<a href=\"javascript:alert(1)\">tıkla</a>"), "tıkla");
        assert_eq!(to_text("<a href=\"https://ornek.example/\">ornek.example</a>"), "ornek.example");
    }

    #[test]
    fn plain_text_and_right_to_left_text_stay_as_they_are() {
        assert_eq!(to_text("İyi günler, şikâyetim var"), "İyi günler, şikâyetim var");
        assert_eq!(to_text("<p dir=\"rtl\">مرحبا <b>بكم</b></p>"), "مرحبا بكم");
    }

    #[test]
    fn markup_that_is_no_markup_stays_what_it_is() {
        assert_eq!(to_text("1 < 2 <3 <b ve <i"), "1 < 2 <3 <b ve <i");
        assert_eq!(to_text("a && b &; &copy &copy; &#x41;&#0; &yok; &ouml;"), "a && b &; © © A\u{FFFD} &yok; ö");
        assert_eq!(to_text("<a href='https://x.example/?a=1&copy=2'>bak</a>"), "bak (https://x.example/?a=1&copy=2)");
        assert_eq!(to_text("<p class='a>b' title=\"<i>\">c</p><script>d"), "c\n\nd");
        assert_eq!(to_text("<a href=https://x.example/?a=1&amp;b=2>bak</a>"), "bak (https://x.example/?a=1&b=2)");
        assert_eq!(to_text("<SCRIPT>a</b></Script >b</a></a>"), "b");
    }

    #[test]
    fn markup_made_to_grow_is_read_in_no_time() {
        let open: String = (0..3_000).map(|number| format!("<b x{number}>")).collect();
        let text = to_text(&format!("{open}{}", "<p>x".repeat(5_000)));
        assert_eq!(text.matches('x').count(), 5_000);
        let text = to_text(&"<a href=https://x.example>&ouml;".repeat(2_000));
        assert_eq!(text.matches('ö').count(), 2_000);
        to_text(&"<svg>".repeat(8_000));
        to_text(&"</".repeat(20_000));
        to_text(&"<a b='".repeat(3_001));
        to_text(&"<a ".repeat(10_000));
    }

    #[test]
    fn markup_nested_very_deep_is_read() {
        let deep = format!("{}x{}", "<i>".repeat(5_000), "</i>".repeat(5_000));
        assert_eq!(to_text(&deep), "x");
    }

    proptest! {
        #[test]
        fn no_markup_breaks_the_reader(markup in "[<>/a-zğ&;#\"'= \n!-]{0,200}|(<a href=x>|</a>|<p|>|&[a-z]{0,4};|ş|<!--|<svg>|</svg>){0,30}") {
            to_text(&markup);
        }
    }
}

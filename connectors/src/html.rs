//! HTML from networks to plain text: paragraphs, breaks and addresses stay, markup and scripts do not.

use scraper::node::Element;
use scraper::{Html, Node};
use url::Url;

/// Longer markup is cut before it is parsed; no message comes near it.
const MAX_MARKUP: usize = 400_000;
/// A longer address behind a link's words is left out.
const MAX_ADDRESS: usize = 500;

/// The text a reader of `markup` would see, with the addresses behind links.
pub fn to_text(markup: &str) -> String {
    let mut end = markup.len().min(MAX_MARKUP);
    while !markup.is_char_boundary(end) {
        end -= 1;
    }
    let fragment = Html::parse_fragment(&markup[..end]);
    let root = *fragment.root_element();
    let mut text = Text::default();
    let mut unseen = 0usize;
    // Step by step and not by recursion: markup may be nested as deep as it is long.
    let mut next = root.first_child();
    while let Some(node) = next {
        match node.value() {
            Node::Text(words) if unseen == 0 => text.push(words),
            Node::Element(element) if is_unseen(element) => unseen += 1,
            Node::Element(element) if unseen == 0 => text.open(element),
            _ => {}
        }
        next = node.first_child();
        let mut done = node;
        while next.is_none() {
            match done.value() {
                Node::Element(element) if is_unseen(element) => unseen = unseen.saturating_sub(1),
                Node::Element(element) if unseen == 0 => text.close(element),
                _ => {}
            }
            next = done.next_sibling();
            match done.parent() {
                Some(parent) if next.is_none() && parent.id() != root.id() => done = parent,
                _ => break,
            }
        }
    }
    text.written.trim().to_owned()
}

fn is_unseen(element: &Element) -> bool {
    matches!(
        element.name(),
        "script" | "style" | "template" | "head" | "title" | "noscript" | "iframe" | "object" | "svg"
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
    /// Where the words of the open links begin.
    links: Vec<usize>,
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
        match element.name() {
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
            "a" => self.links.push(self.written.len()),
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

    fn close(&mut self, element: &Element) {
        match element.name() {
            "a" => {
                let start = self.links.pop().unwrap_or(self.written.len());
                if let Some(address) = self.address_behind(element, start) {
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
    fn markup_nested_very_deep_is_read() {
        let deep = format!("{}x{}", "<i>".repeat(50_000), "</i>".repeat(50_000));
        assert_eq!(to_text(&deep), "x");
    }

    proptest! {
        #[test]
        fn no_markup_breaks_the_reader(markup in "[<>/a-z&;#\"'= \n!-]{0,200}") {
            to_text(&markup);
        }
    }
}

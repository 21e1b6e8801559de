//! Colours the words of a text that drove its sentiment.

use maud::{Markup, html};

use super::locale::Locale;
use crate::analyze::Reason;
use crate::analyze::tokens::search_fold;

/// `text` with every word or phrase of `because` marked; the weight is its tooltip. Nothing of the text is taken as
/// markup.
pub fn highlighted(locale: &Locale, text: &str, because: &[Reason]) -> Markup {
    let words = words_of(text);
    let reasons: Vec<(Vec<String>, f64)> = because
        .iter()
        .map(|reason| {
            let folded = words_of(&reason.text).iter().map(|word| word.folded.clone()).collect::<Vec<_>>();
            (folded, reason.weight)
        })
        .filter(|(folded, weight)| !folded.is_empty() && *weight != 0.0)
        .collect();
    let mut spans: Vec<(usize, usize, f64)> = Vec::new();
    let mut index = 0;
    while index < words.len() {
        // The longest reason that begins here: "hiç memnun değilim" before "memnun".
        let found = reasons
            .iter()
            .filter(|(folded, _)| {
                words.len() - index >= folded.len()
                    && folded.iter().zip(&words[index..]).all(|(wanted, word)| *wanted == word.folded)
            })
            .max_by_key(|(folded, _)| folded.len());
        match found {
            Some((folded, weight)) => {
                spans.push((words[index].start, words[index + folded.len() - 1].end, *weight));
                index += folded.len();
            }
            None => index += 1,
        }
    }
    // A reason that is no word at all: an emoji, a row of signs.
    for reason in because.iter().filter(|reason| words_of(&reason.text).is_empty() && !reason.text.trim().is_empty()) {
        spans
            .extend(text.match_indices(&reason.text).map(|(start, found)| (start, start + found.len(), reason.weight)));
    }
    spans.sort_by_key(|(start, ..)| *start);
    let mut pieces = Vec::with_capacity(spans.len() * 2 + 1);
    let mut done = 0;
    for (start, end, weight) in spans {
        if start < done {
            continue;
        }
        pieces.push((&text[done..start], None));
        pieces.push((&text[start..end], Some(weight)));
        done = end;
    }
    pieces.push((&text[done..], None));
    html! {
        @for (piece, weight) in pieces {
            @match weight {
                Some(weight) => mark class=(tone(weight)) title=(locale.score(weight)) { (piece) },
                None => (piece),
            }
        }
    }
}

/// The class that colours a weight: its sign and one of three strengths.
pub fn tone(weight: f64) -> String {
    let strength = match weight.abs() {
        weight if weight >= 0.5 => 3,
        weight if weight >= 0.25 => 2,
        _ => 1,
    };
    format!("{}-{strength}", if weight < 0.0 { "negative" } else { "positive" })
}

struct Word {
    start: usize,
    end: usize,
    folded: String,
}

/// Runs of letters and digits; an apostrophe inside belongs to its word (`Muhatap'ın`).
fn words_of(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut start = None;
    let end_of_text = [(text.len(), ' ')];
    for (at, letter) in text.char_indices().chain(end_of_text) {
        let inside = letter.is_alphanumeric()
            || is_mark(letter)
            || (start.is_some()
                && matches!(letter, '\'' | '’')
                && text[at + letter.len_utf8()..].chars().next().is_some_and(char::is_alphanumeric));
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push(Word { start: from, end: at, folded: search_fold(&text[from..at]) });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Combining marks continue the letter before them.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}')
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::web::locale::Language;

    fn marked(text: &str, because: &[(&str, f64)]) -> String {
        let locale = Locale { language: Language::English, timezone: TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        let because: Vec<_> =
            because.iter().map(|(text, weight)| Reason { text: (*text).to_owned(), weight: *weight }).collect();
        highlighted(&locale, text, &because).into_string()
    }

    #[test]
    fn words_are_found_whatever_their_case_and_letters() {
        assert_eq!(
            marked("Kargom GELMEDİ, rezalet!", &[("gelmedi", -0.52), ("rezalet", -0.3)]),
            "Kargom <mark class=\"negative-3\" title=\"\u{2212}0.52\">GELMEDİ</mark>, \
             <mark class=\"negative-2\" title=\"\u{2212}0.30\">rezalet</mark>!"
        );
    }

    #[test]
    fn the_longest_phrase_wins_and_markup_stays_text() {
        assert_eq!(
            marked("<b>hiç memnun değilim</b>", &[("memnun", 0.4), ("memnun değilim", -0.6)]),
            "&lt;b&gt;hiç <mark class=\"negative-3\" title=\"\u{2212}0.60\">memnun değilim</mark>&lt;/b&gt;"
        );
    }

    #[test]
    fn an_emoji_is_a_reason_too() {
        assert_eq!(marked("ah 😡", &[("😡", -0.2)]), "ah <mark class=\"negative-1\" title=\"\u{2212}0.20\">😡</mark>");
    }

    #[test]
    fn any_text_survives_whole() {
        for text in ["", "a'", "'", "ı̇ I", "👨‍👩‍👧‍👦", "\u{202e}abc", "ß’x’", "a\u{301}"] {
            let plain = marked(text, &[("a", 0.3), ("x", 0.1), ("'", 0.2)]);
            let text_alone: String = {
                let mut inside = false;
                plain
                    .chars()
                    .filter(|letter| match letter {
                        '<' => {
                            inside = true;
                            false
                        }
                        '>' => {
                            inside = false;
                            false
                        }
                        _ => !inside,
                    })
                    .collect()
            };
            assert_eq!(text_alone, text, "{plain}");
        }
    }
}

//! Cuts a text into its words and folds them: Unicode normal form, casing by language, letters for search.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};

use super::emoji;

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Word,
    Number,
    /// `@handle`, also `@user@server`.
    Mention,
    Hashtag,
    Link,
    /// One emoji, however many code points it is made of, or an emoticon such as `:(`.
    Emoji,
    /// Punctuation and the end of a line: ends a clause, is not among the tokens of an analysis.
    Mark,
}

/// A piece of a text, as it stands there and folded for look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: TokenKind,
    pub surface: &'t str,
    /// Where it starts in the text, in bytes.
    pub start: usize,
    /// [`search_fold`] of the [`bare`] surface: the same however Turkish letters were typed.
    pub key: String,
    /// Whether a letter stands three times in a row in the key, or twice at its end: "guzelll".
    pub drawn_out: bool,
}

impl Token<'_> {
    /// Where it ends in the text, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.surface.len()
    }

    /// A word, a number or the word of a hashtag: what the word lists know.
    pub fn is_word(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Number | TokenKind::Hashtag)
    }
}

/// The text in Unicode normal form C, in which letters with dots and accents are one character where they can be.
pub fn compose(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Lower case by the rules of `language` (BCP 47): `IŞIK` is `ışık` in Turkish, `TITANIC` is `titanic` elsewhere.
pub fn fold_case(text: &str, language: &str) -> String {
    lower_case(&compose(text), language)
}

/// As [`fold_case`], of a text that is composed already.
pub fn lower_case(composed: &str, language: &str) -> String {
    let turkic = matches!(language, "tr" | "az");
    let simple = |character: char| {
        character.is_ascii() || matches!(character, 'ç' | 'ğ' | 'ı' | 'ö' | 'ş' | 'ü' | 'Ç' | 'Ğ' | 'Ö' | 'Ş' | 'Ü')
    };
    if composed.chars().all(simple) {
        return composed
            .chars()
            .map(|character| match character {
                'I' if turkic => 'ı',
                'Ç' => 'ç',
                'Ğ' => 'ğ',
                'Ö' => 'ö',
                'Ş' => 'ş',
                'Ü' => 'ü',
                _ => character.to_ascii_lowercase(),
            })
            .collect();
    }
    let locale = if turkic { "tr" } else { "und" }.parse().expect("a language tag of our own");
    CaseMapper::new().lowercase_to_string(composed, &locale).into_owned()
}

/// Folds a text and a search word alike, so that `ISIK`, `ışık` and `isik` find each other: lower case, no dots, no accents.
pub fn search_fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    // Letters of ASCII and Turkish, nearly every text of our users, need no tables.
    while let Some(character) = rest.chars().next() {
        folded.push(match character {
            'ı' | 'İ' => 'i',
            'ş' | 'Ş' => 's',
            'ğ' | 'Ğ' => 'g',
            'ç' | 'Ç' => 'c',
            'ö' | 'Ö' => 'o',
            'ü' | 'Ü' => 'u',
            _ if character.is_ascii() => character.to_ascii_lowercase(),
            _ => break,
        });
        rest = &rest[character.len_utf8()..];
    }
    if rest.is_empty() {
        return folded;
    }
    // Decomposed, an accent is a character of its own and falls away; what has no decomposition is named below.
    for character in DecomposingNormalizerBorrowed::new_nfd().normalize(rest).chars() {
        match character {
            'ı' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            '\u{2019}' | '\u{2018}' => folded.push('\''),
            _ if is_accent(character) || is_invisible(character) => {}
            _ if character.is_ascii() => folded.push(character.to_ascii_lowercase()),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    // Hangul and other letters that came apart go together again.
    match ComposingNormalizerBorrowed::new_nfc().normalize(&folded) {
        Cow::Borrowed(_) => folded,
        Cow::Owned(composed) => composed,
    }
}

/// Combining marks of Latin, Greek and Cyrillic; those of other scripts are letters there.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// Joiners, soft hyphens and marks of byte order, which hide in words to get them past a filter.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// A composed word without what cannot be seen in it and without the marks that are heaped on its letters, and in plain
/// letters: "𝗸𝗮𝗿𝗴𝗼" is "kargo".
pub fn bare(word: &str) -> Cow<'_, str> {
    let needless = |character: char| is_accent(character) || is_invisible(character);
    if word.is_ascii() || !word.contains(|character| needless(character) || may_be_styled(character)) {
        return word.into();
    }
    let kept = word.chars().filter(|character| !needless(*character));
    kept.map(|character| plain_letter(character).unwrap_or(character)).collect::<String>().into()
}

/// The letter or digit of ASCII, or the dotless i, that a character is another shape of: bold, slanted, wide, raised or in a
/// circle. People and senders of spam take them from the compatibility characters of Unicode to stand out.
pub fn plain_letter(character: char) -> Option<char> {
    if !may_be_styled(character) {
        return None;
    }
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(character.encode_utf8(&mut [0; 4])).into_owned();
    let mut letters = plain.chars();
    let letter = letters.next().filter(|letter| letter.is_ascii_alphanumeric() || *letter == 'ı')?;
    letters.next().is_none().then_some(letter)
}

/// Whether a character is of a block that has letters of other shapes: modifiers, raised and lowered, letterlike, in circles,
/// wide, mathematical. `ª` and `º` are not of them: people count with those.
fn may_be_styled(character: char) -> bool {
    matches!(character, '\u{2b0}'..='\u{2e4}' | '\u{1d2c}'..='\u{1dbf}' | '\u{2070}'..='\u{209c}' | '\u{2102}'..='\u{2149}'
        | '\u{2460}'..='\u{24ea}' | '\u{ff10}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d7ff}')
}

/// Finds words between what only people on networks write: links, handles, hashtags, emoji.
#[derive(Debug, Clone, Copy)]
pub struct Tokenizer {
    words: WordSegmenterBorrowed<'static>,
}

impl Default for Tokenizer {
    fn default() -> Self {
        // Dictionaries rather than neural models for Thai, Khmer, Lao and Burmese: several times as fast.
        Self { words: WordSegmenter::new_dictionary(Default::default()) }
    }
}

impl Tokenizer {
    /// The pieces of a composed text in their order. `split` cuts plain text into words instead of the Unicode rules.
    pub fn tokens<'t>(&self, text: &'t str, split: Option<&dyn Fn(&'t str) -> Vec<&'t str>>) -> Vec<Token<'t>> {
        let mut tokens = Vec::with_capacity(text.len() / 6 + 1);
        let mut plain_from = 0;
        let mut at = 0;
        let mut after_space = true;
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            let special = special_at(rest, character, after_space);
            match special {
                Some((kind, length)) => {
                    self.plain(text, plain_from, at, split, &mut tokens);
                    tokens.push(token(kind, text, at, at + length));
                    at += length;
                    plain_from = at;
                    after_space = true;
                }
                None => {
                    after_space = !character.is_alphanumeric() && character != '_';
                    at += character.len_utf8();
                }
            }
        }
        self.plain(text, plain_from, text.len(), split, &mut tokens);
        tokens
    }

    fn plain<'t>(
        &self,
        text: &'t str,
        from: usize,
        until: usize,
        split: Option<&dyn Fn(&'t str) -> Vec<&'t str>>,
        tokens: &mut Vec<Token<'t>>,
    ) {
        let part = &text[from..until];
        if part.trim().is_empty() {
            if part.contains('\n') {
                tokens.push(token(TokenKind::Mark, text, from, until));
            }
            return;
        }
        if let Some(split) = split {
            let mut at = from;
            for word in split(part) {
                let Some(found) = text[at..until].find(word) else { continue };
                at += found;
                self.word(text, at, at + word.len(), tokens);
                at += word.len();
            }
            return;
        }
        // Spaces part words by the Unicode rules too; what is only Latin letters between them is one word, and marks after it
        // are marks.
        let mut next = from;
        for piece in part.split_inclusive(' ') {
            let start = next;
            next += piece.len();
            let word = piece.strip_suffix(' ').unwrap_or(piece);
            let letters = word.trim_end_matches(['.', ',', '!', '?', ';']);
            if letters.chars().all(is_latin_letter) {
                let end = start + letters.len();
                if !letters.is_empty() {
                    tokens.push(token(TokenKind::Word, text, start, end));
                }
                tokens.extend((end..start + word.len()).map(|at| token(TokenKind::Mark, text, at, at + 1)));
                continue;
            }
            let mut from = start;
            let ends = self.words.segment_str(word).map(|end| start + end);
            for end in ends.filter(|end| *end > start && !is_hidden_break(text, *end)) {
                self.word(text, from, end, tokens);
                from = end;
            }
        }
    }

    fn word<'t>(&self, text: &'t str, start: usize, end: usize, tokens: &mut Vec<Token<'t>>) {
        let surface = &text[start..end];
        let Some(first) = surface.chars().next() else { return };
        if first.is_whitespace() {
            if surface.contains('\n') {
                tokens.push(token(TokenKind::Mark, text, start, end));
            }
            return;
        }
        if !surface.chars().any(char::is_alphanumeric) {
            // A lone joiner or accent is nothing anybody wrote on purpose.
            if first.is_ascii_punctuation() || "…“”‘’«»–—¿¡、。！？・「」،؟؛।".contains(first)
            {
                tokens.push(token(TokenKind::Mark, text, start, end));
            }
            return;
        }
        if surface.chars().all(|character| character.is_numeric() || matches!(character, '.' | ',' | '\'' | '_')) {
            tokens.push(token(TokenKind::Number, text, start, end));
            return;
        }
        // Unicode keeps "geldi.teşekkürler" together for the sake of abbreviations; people forget the space far more often.
        let mut from = start;
        for (offset, separator) in surface.char_indices().filter(|(_, character)| matches!(character, '.' | ':' | '·'))
        {
            if start + offset > from {
                tokens.push(token(TokenKind::Word, text, from, start + offset));
            }
            from = start + offset + separator.len_utf8();
            tokens.push(token(TokenKind::Mark, text, start + offset, from));
        }
        if end > from {
            tokens.push(token(TokenKind::Word, text, from, end));
        }
    }
}

/// More zero-width spaces beside each other than this do part words.
const MOST_HIDDEN: usize = 3;

/// Whether a zero-width space beside this place stands between two letters of one word, to get it past a filter. In Thai, Khmer
/// and the scripts after them (from U+0E00 on) it parts words.
fn is_hidden_break(text: &str, at: usize) -> bool {
    let hidden = |character: &char| *character == '\u{200b}';
    let before = text[..at].chars().rev().take(MOST_HIDDEN + 1).find(|character| !hidden(character));
    let after = text[at..].chars().take(MOST_HIDDEN + 1).find(|character| !hidden(character));
    let in_word = |side: Option<char>| {
        side.is_some_and(|side| side.is_alphabetic() && (side < '\u{e00}' || plain_letter(side).is_some()))
    };
    let beside = text[at..].starts_with('\u{200b}') || text[..at].ends_with('\u{200b}');
    beside && in_word(before) && in_word(after)
}

/// A letter of ASCII or of Turkish, which forms words with its like and with nothing else.
fn is_latin_letter(character: char) -> bool {
    character.is_ascii_alphabetic()
        || matches!(character, 'ç' | 'ğ' | 'ı' | 'ö' | 'ş' | 'ü' | 'Ç' | 'Ğ' | 'İ' | 'Ö' | 'Ş' | 'Ü')
}

/// Words without a text around them, as tokens.
pub(super) fn words(words: &[String]) -> Vec<Token<'_>> {
    words.iter().map(|word| token(TokenKind::Word, word, 0, word.len())).collect()
}

fn token(kind: TokenKind, text: &str, start: usize, end: usize) -> Token<'_> {
    let surface = &text[start..end];
    let key = match kind {
        TokenKind::Mark => String::new(),
        TokenKind::Emoji => emoji::plain(surface),
        TokenKind::Hashtag => search_fold(&bare(surface.trim_start_matches(['#', '＃']))),
        _ => search_fold(&bare(surface)),
    };
    let drawn_out = is_drawn_out(&key);
    Token { kind, surface, start, key, drawn_out }
}

/// Of letters beyond ASCII it may say so of one that is not.
fn is_drawn_out(key: &str) -> bool {
    let letters = key.as_bytes();
    let thrice = || letters.windows(3).any(|three| three[0] == three[1] && three[1] == three[2]);
    !key.is_ascii() || letters.len() > 1 && (letters.last() == letters.iter().nth_back(1) || thrice())
}

/// The special piece that starts here, and its length in bytes.
pub(super) fn special_at(rest: &str, first: char, after_space: bool) -> Option<(TokenKind, usize)> {
    if let Some(length) = emoji::emoji_at(rest) {
        return Some((TokenKind::Emoji, length));
    }
    if !after_space {
        return None;
    }
    match first {
        '@' | '＠' => {
            // Of a hundred thousand `@` each is asked: what begins no name must be seen at once, not at the end of them all.
            let begins = |character: char| character.is_alphanumeric() || character == '_';
            if !rest[first.len_utf8()..].starts_with(begins) {
                return None;
            }
            let name = |character: char| begins(character) || matches!(character, '.' | '-' | '@');
            let length = run(rest, first.len_utf8(), name);
            Some((TokenKind::Mention, rest[..length].trim_end_matches(['.', '-', '@']).len()))
        }
        '#' | '＃' => {
            let name = |character: char| character.is_alphanumeric() || character == '_' || is_accent(character);
            let length = run(rest, first.len_utf8(), name);
            (length > first.len_utf8()).then_some((TokenKind::Hashtag, length))
        }
        'h' | 'H' | 'w' | 'W' => {
            let starts = |prefix: &str| rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
            if !(starts("http://") || starts("https://") || starts("www.")) {
                return None;
            }
            Some((TokenKind::Link, link_length(rest)))
        }
        _ => emoji::emoticon_at(rest).map(|length| (TokenKind::Emoji, length)),
    }
}

/// The length in bytes of the link, or the path of one, that starts here; what ends a sentence is no part of it.
pub(super) fn link_length(rest: &str) -> usize {
    let length = run(rest, 0, |character| !character.is_whitespace() && !matches!(character, '<' | '>' | '"'));
    rest[..length].trim_end_matches(['.', ',', '!', '?', ';', ':', ')', ']', '\'', '…']).len()
}

/// The length in bytes of `rest` up to where `belongs` first says no, from `from` on.
fn run(rest: &str, from: usize, belongs: impl Fn(char) -> bool) -> usize {
    rest[from..].find(|character| !belongs(character)).map_or(rest.len(), |end| from + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surfaces(text: &str) -> Vec<(&str, TokenKind)> {
        let tokens = Tokenizer::default().tokens(text, None);
        tokens
            .into_iter()
            .map(|token| (token.surface, token.kind))
            .filter(|(_, kind)| *kind != TokenKind::Mark)
            .collect()
    }

    #[test]
    fn a_handle_begins_with_a_letter_a_digit_or_an_underscore() {
        use TokenKind::*;
        for (text, handle) in
            [("@ayse.", "@ayse"), ("@_a", "@_a"), ("@3m", "@3m"), ("@@ayse", "@ayse"), ("＠şule", "＠şule")]
        {
            assert_eq!(surfaces(text), [(handle, Mention)], "{text}");
        }
        for text in ["@", "@@", "@.", "@-@.@", "@ ayse"] {
            assert!(surfaces(text).iter().all(|(_, kind)| *kind != Mention), "{text}");
        }
    }

    #[test]
    fn casing_follows_the_language() {
        assert_eq!(fold_case("IŞIK İSTANBUL", "tr"), "ışık istanbul");
        assert_eq!(fold_case("TITANIC", "en"), "titanic");
        assert_eq!(fold_case("DIŞ I\u{307}STANBUL", "tr"), "dış istanbul");
        assert_eq!(fold_case("TITANIC É", "tr"), "tıtanıc é");
    }

    #[test]
    fn search_finds_turkish_words_however_they_are_typed() {
        for typed in ["ışık", "IŞIK", "isik", "ISIK", "İşik", "is\u{327}ik", "ıs\u{327}ık"] {
            assert_eq!(search_fold(typed), "isik", "{typed}");
        }
        assert_eq!(search_fold("ÇĞÖŞÜ çğöşü"), "cgosu cgosu");
        assert_eq!(search_fold("İ"), "i");
        assert_eq!(search_fold("I\u{307}yi e\u{301}"), "iyi e");
        assert_eq!(search_fold("한국어 हिन्दी"), "한국어 हिन्दी");
    }

    #[test]
    fn letters_of_other_shapes_have_the_key_of_plain_ones() {
        for written in
            ["𝗸𝗮𝗿𝗴𝗼𝗺", "ｋａｒｇｏｍ", "ＫＡＲＧＯＭ", "ⓚⓐⓡⓖⓞⓜ", "𝓴𝓪𝓻𝓰𝓸𝓶", "𝚔𝚊𝚛𝚐𝚘𝚖", "kar\u{200b}gom", "ᵏᵃʳᵍᵒᵐ"]
        {
            let tokens = Tokenizer::default().tokens(written, None);
            let keys: Vec<&str> = tokens.iter().map(|token| token.key.as_str()).collect();
            assert_eq!(keys, ["kargom"], "{written}");
            assert_eq!(tokens[0].surface, written);
        }
        assert_eq!(bare("1º ªç한ไ"), "1º ªç한ไ");
    }

    #[test]
    fn what_people_write_on_networks_stays_whole() {
        use TokenKind::*;
        assert_eq!(
            surfaces("@destek@ornek.social kargom #KargomNerede 3.500 TL, bkz. https://x.example/a?b=1. 👨‍👩‍👧‍👦🇹🇷 :("),
            [
                ("@destek@ornek.social", Mention),
                ("kargom", Word),
                ("#KargomNerede", Hashtag),
                ("3.500", Number),
                ("TL", Word),
                ("bkz", Word),
                ("https://x.example/a?b=1", Link),
                ("👨‍👩‍👧‍👦", Emoji),
                ("🇹🇷", Emoji),
                (":(", Emoji),
            ]
        );
        assert_eq!(surfaces("geldi.teşekkürler"), [("geldi", Word), ("teşekkürler", Word)]);
        assert_eq!(surfaces("Ankara'da didn’t"), [("Ankara'da", Word), ("didn’t", Word)]);
        assert_eq!(surfaces("kar\u{200b}gom ไทย\u{200b}ไทย"), [("kar\u{200b}gom", Word), ("ไทย", Word), ("ไทย", Word)]);
        assert_eq!(surfaces("saat 10:30"), [("saat", Word), ("10", Number), ("30", Number)]);
    }
}

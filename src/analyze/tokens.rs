//! Cuts a text into its words and folds them: Unicode normal form, casing by language, letters for search.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// Lower case by the rules of `language` (BCP 47): `IŞIK` is `ışık` in Turkish, `TITANIC` is `titanic` elsewhere.
pub fn fold_case(text: &str, language: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    if composed.is_ascii() && !is_turkic(language) {
        return composed.to_ascii_lowercase();
    }
    let rules = if is_turkic(language) { "tr" } else { "und" };
    let locale = rules.parse().expect("a language tag of our own");
    CaseMapper::new().lowercase_to_string(&composed, &locale).into_owned()
}

/// Folds a text and a search word alike, so that `ISIK`, `ışık` and `isik` find each other: lower case, no dots, no accents.
pub fn search_fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return folded;
    }
    // Decomposed, an accent is a character of its own and falls away; what has no decomposition is named below.
    for character in DecomposingNormalizerBorrowed::new_nfd().normalize(text).chars() {
        match character {
            'ı' | 'I' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            _ if is_accent(character) => {}
            _ if character.is_ascii() => folded.push(character.to_ascii_lowercase()),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    // Hangul and other letters that came apart go together again.
    match ComposingNormalizerBorrowed::new_nfc().normalize(&folded) {
        std::borrow::Cow::Borrowed(_) => folded,
        std::borrow::Cow::Owned(composed) => composed,
    }
}

/// Languages whose dotted and dotless i are two letters.
fn is_turkic(language: &str) -> bool {
    matches!(language, "tr" | "az")
}

/// Combining marks of Latin, Greek and Cyrillic; those of other scripts are letters there.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casing_follows_the_language() {
        assert_eq!(fold_case("IŞIK İSTANBUL", "tr"), "ışık istanbul");
        assert_eq!(fold_case("TITANIC", "en"), "titanic");
        assert_eq!(fold_case("DIŞ I\u{307}STANBUL", "tr"), "dış istanbul");
    }

    #[test]
    fn search_finds_turkish_words_however_they_are_typed() {
        for typed in ["ışık", "IŞIK", "isik", "ISIK", "İşik", "is\u{327}ik", "ıs\u{327}ık"] {
            assert_eq!(search_fold(typed), "isik", "{typed}");
        }
        assert_eq!(search_fold("ÇĞÖŞÜ çğöşü"), "cgosu cgosu");
        assert_eq!(search_fold("İ"), "i");
        assert_eq!(search_fold("한국어 हिन्दी"), "한국어 हिन्दी");
    }
}

//! What the letters alone say of a text's language: nearly everything where a language has a script to itself.

use super::{UNKNOWN, sure, wide_net};
use crate::analyze::Language;
use crate::analyze::tokens::plain_letter;

/// What the letters alone say.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// Latin letters: the words decide.
    Latin,
    /// Cyrillic letters: whatlang decides.
    Cyrillic,
    /// The script settles it.
    Settled(Language),
    /// No letters at all.
    None,
}

/// The script most of the letters belong to.
pub fn script(text: &str) -> Script {
    let (mut latin, mut cyrillic, mut arabic, mut persian, mut urdu) = (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let (mut han, mut kana, mut hangul) = (0_usize, 0_usize, 0_usize);
    let mut others: Vec<(&'static str, usize)> = Vec::new();
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_alphabetic()) { Script::Latin } else { Script::None };
    }
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => latin += 1,
            '\u{250}'..='\u{2af}' => latin += 1,
            '\u{400}'..='\u{52f}' => cyrillic += 1,
            'پ' | 'چ' | 'ژ' | 'گ' | 'ک' | 'ی' => (arabic, persian) = (arabic + 1, persian + 1),
            'ٹ' | 'ڈ' | 'ڑ' | 'ے' | 'ں' | 'ہ' => (arabic, urdu) = (arabic + 1, urdu + 1),
            '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => {
                arabic += 1
            }
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2ebef}' | '\u{f900}'..='\u{faff}' => {
                han += 1
            }
            '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9d}' => kana += 1,
            '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' => hangul += 1,
            _ if plain_letter(character).is_some_and(|letter| letter.is_alphabetic()) => latin += 1,
            _ => {
                if let Some(code) = of_other_script(character) {
                    match others.iter_mut().find(|(known, _)| *known == code) {
                        Some((_, count)) => *count += 1,
                        None => others.push((code, 1)),
                    }
                }
            }
        }
    }
    let all =
        latin + cyrillic + arabic + 2 * (han + kana + hangul) + others.iter().map(|(_, count)| count).sum::<usize>();
    if all == 0 {
        return Script::None;
    }
    let settled = |code: &str, count: usize, certainty: f64| {
        let share = count as f64 / all as f64;
        Script::Settled(sure(code, certainty * share.min(1.0)))
    };
    let (other, other_count) = others.into_iter().max_by_key(|(_, count)| *count).unwrap_or((UNKNOWN, 0));
    let east = 2 * (han + kana);
    let most = [latin, cyrillic, arabic, east, 2 * hangul, other_count].into_iter().max().unwrap_or(0);
    if most == latin {
        Script::Latin
    } else if most == cyrillic {
        Script::Cyrillic
    } else if most == arabic {
        match (urdu * 20 > arabic, persian * 20 > arabic) {
            (true, _) => settled("ur", arabic, 0.85),
            (_, true) => settled("fa", arabic, 0.9),
            _ => settled("ar", arabic, 0.95),
        }
    } else if most == 2 * hangul {
        settled("ko", 2 * hangul, 0.99)
    } else if most == east && kana * 20 > han {
        settled("ja", east, 0.99)
    } else if most == east {
        settled("zh", east, if han < 4 { 0.7 } else { 0.95 })
    } else {
        settled(other, other_count, if other == "hi" { 0.85 } else { 0.95 })
    }
}

/// Scripts that one language writes, or one far more than others.
fn of_other_script(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "el",
        '\u{531}'..='\u{587}' => "hy",
        '\u{5d0}'..='\u{5ea}' => "he",
        '\u{900}'..='\u{97f}' => "hi",
        '\u{980}'..='\u{9ff}' => "bn",
        '\u{a00}'..='\u{a7f}' => "pa",
        '\u{a80}'..='\u{aff}' => "gu",
        '\u{b80}'..='\u{bff}' => "ta",
        '\u{c00}'..='\u{c7f}' => "te",
        '\u{c80}'..='\u{cff}' => "kn",
        '\u{d00}'..='\u{d7f}' => "ml",
        '\u{d80}'..='\u{dff}' => "si",
        '\u{e00}'..='\u{e7f}' => "th",
        '\u{e80}'..='\u{eff}' => "lo",
        '\u{1000}'..='\u{109f}' => "my",
        '\u{10a0}'..='\u{10ff}' => "ka",
        '\u{1200}'..='\u{137f}' => "am",
        '\u{1780}'..='\u{17ff}' => "km",
        _ => return None,
    })
}

/// The language of a text in Cyrillic letters.
pub fn cyrillic(text: &str) -> Language {
    let has = |letters: &[char]| text.chars().take(2_000).any(|character| letters.contains(&character));
    if has(&['ә', 'ғ', 'қ', 'ң', 'ұ', 'һ']) {
        return sure("kk", 0.9);
    }
    if has(&['ї', 'є', 'ґ']) {
        return sure("uk", 0.97);
    }
    if has(&['ў']) {
        return sure("be", 0.95);
    }
    if has(&['ђ', 'ћ']) {
        return sure("sr", 0.95);
    }
    let start: String = text.chars().take(1_000).collect();
    match wide_net::ask(&start) {
        Some((code, confidence)) if start.chars().count() > 15 => {
            // ы, э and ё are Russian's (and Belarusian's, which has ў).
            let code = if has(&['ы', 'э', 'ё']) { "ru" } else { code };
            sure(code, 0.5 + 0.45 * confidence)
        }
        _ if has(&['ы', 'э', 'ё']) => sure("ru", 0.8),
        _ if has(&['і']) => sure("uk", 0.7),
        _ => sure("ru", 0.5),
    }
}

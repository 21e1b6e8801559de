//! Finds emoji, of however many code points, and emoticons typed with punctuation.

/// The length in bytes of the emoji that starts here: flags, skin tones, families and keycaps are one.
pub fn emoji_at(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().peekable();
    let (_, first) = characters.next()?;
    if is_flag_letter(first) {
        let second = characters.next().filter(|(_, character)| is_flag_letter(*character));
        return Some(second.map_or(first.len_utf8(), |(at, character)| at + character.len_utf8()));
    }
    if first.is_ascii() {
        // Digits, # and * turn into emoji only by what follows.
        let keycap = first.is_ascii_digit() || matches!(first, '#' | '*');
        let tail = &rest[first.len_utf8()..];
        return (keycap && tail.starts_with("\u{fe0f}\u{20e3}")).then_some(first.len_utf8() + 6);
    }
    if !is_emoji(first) {
        return None;
    }
    let mut end = first.len_utf8();
    while let Some((at, character)) = characters.next() {
        let joined = match character {
            '\u{fe0f}' | '\u{fe0e}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{20e3}' => true,
            '\u{200d}' => match characters.peek() {
                Some((_, next)) if is_emoji(*next) => {
                    characters.next();
                    end = characters.peek().map_or(rest.len(), |(at, _)| *at);
                    continue;
                }
                _ => false,
            },
            _ => false,
        };
        if !joined {
            break;
        }
        end = at + character.len_utf8();
    }
    Some(end)
}

/// An emoji without skin tone and presentation marks, an emoticon with one mouth, as the word lists spell them.
pub fn plain(emoji: &str) -> String {
    let mut plain = String::with_capacity(emoji.len());
    for character in emoji.chars() {
        let marks = matches!(character, '\u{fe0f}' | '\u{fe0e}' | '\u{1f3fb}'..='\u{1f3ff}');
        // ":)))" is ":)", but "^^" is not "^".
        let again =
            matches!(character, ')' | '(' | 'D' | 'd' | '*' | '/') && plain.ends_with(character.to_ascii_lowercase());
        if !marks && !again {
            plain.push(character.to_ascii_lowercase());
        }
    }
    plain
}

/// The length in bytes of the emoticon that starts here, if it stands alone.
pub fn emoticon_at(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let length = match bytes {
        [b'<', b'3', ..] => 2,
        [b':' | b';' | b'=' | b'8', b'\'' | b'-' | b'\\', mouth, ..] if is_mouth(*mouth) => 3,
        [b':' | b';' | b'=', mouth, ..] if is_mouth(*mouth) => 2,
        [b'X' | b'x', b'D', ..] => 2,
        [b'^', b'^', ..] => 2,
        [b'-', b'_', b'-', ..] | [b'^', b'_', b'^', ..] => 3,
        _ => return None,
    };
    // ":)))))" is one laugh; ":D" before a letter is the start of something else.
    let mouth = bytes[length - 1];
    // "^^^^" is two faces: read as one, each of a hundred thousand would be asked for the end of them all.
    let again = |byte: &&u8| **byte == mouth && mouth != b'^';
    let end = length + bytes[length..].iter().take_while(again).count();
    let alone = rest[end..].chars().next().is_none_or(|next| !next.is_alphanumeric());
    alone.then_some(end)
}

fn is_mouth(byte: u8) -> bool {
    matches!(
        byte,
        b')' | b'('
            | b'D'
            | b'd'
            | b'P'
            | b'p'
            | b'/'
            | b'\\'
            | b'|'
            | b'O'
            | b'o'
            | b'*'
            | b'S'
            | b's'
            | b'@'
            | b'['
            | b']'
    )
}

fn is_flag_letter(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_emoji(character: char) -> bool {
    matches!(character,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{2300}'..='\u{23ff}'
        | '\u{2190}'..='\u{21ff}' | '\u{25a0}'..='\u{25ff}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_of_many_code_points_is_one() {
        for emoji in ["😡", "👍🏽", "👨‍👩‍👧‍👦", "🇹🇷", "1️⃣", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️‍🔥"]
        {
            assert_eq!(emoji_at(&format!("{emoji} a")), Some(emoji.len()), "{emoji}");
            assert_eq!(emoji_at(emoji), Some(emoji.len()), "{emoji}");
        }
        assert_eq!(emoji_at("5 gün"), None);
        assert_eq!(emoji_at("#etiket"), None);
        assert_eq!(plain("👍🏽"), "👍");
    }

    #[test]
    fn an_emoticon_stands_alone() {
        assert_eq!(emoticon_at(":))) iyi"), Some(4));
        assert_eq!(emoticon_at(":Destek"), None);
        assert_eq!(emoticon_at(":'("), Some(3));
        assert_eq!(emoticon_at("<3"), Some(2));
        assert_eq!(emoticon_at(": ("), None);
        assert_eq!(emoticon_at("^^^^"), Some(2));
        assert_eq!(emoticon_at("^_^^"), Some(3));
        assert_eq!(emoticon_at("^^a"), None);
    }
}

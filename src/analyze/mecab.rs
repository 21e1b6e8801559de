//! Turns a compiled MeCab dictionary back into the text sources it was made from.
//!
//! The layout is that of MeCab 0.996 (dictionary.cpp, connector.cpp, char_property.cpp; read November 2026): `sys.dic`
//! and `unk.dic` are a header of ten 32-bit numbers and a charset name, a double array, tokens of 16 bytes and feature
//! texts; `matrix.bin` is two 16-bit sizes and the costs; `char.bin` is category names and 32 bits for each character.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const HEADER: usize = 72;
const TOKEN: usize = 16;
const CATEGORY_NAME: usize = 32;
/// A word longer than this is a loop in a broken file.
const LONGEST_WORD: usize = 512;

/// Writes `words.csv`, `unk.def`, `matrix.def` and `char.def` into `target`.
pub fn decompile(source: &Path, target: &Path) -> Result<(), io::Error> {
    let open = |name: &str| fs::File::create(target.join(name)).map(BufWriter::new);
    words(&fs::read(source.join("sys.dic"))?, open("words.csv")?)?;
    words(&fs::read(source.join("unk.dic"))?, open("unk.def")?)?;
    matrix(&fs::read(source.join("matrix.bin"))?, open("matrix.def")?)?;
    characters(&fs::read(source.join("char.bin"))?, open("char.def")?)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is cut short or broken: {what}"))
}

fn number(bytes: &[u8], at: usize) -> Result<u32, io::Error> {
    let four =
        at.checked_add(4).and_then(|end| bytes.get(at..end)).ok_or_else(|| broken("a number lies past its end"))?;
    Ok(u32::from_le_bytes(four.try_into().map_err(|_| broken("a number"))?))
}

fn short(bytes: &[u8], at: usize) -> Result<u16, io::Error> {
    let two =
        at.checked_add(2).and_then(|end| bytes.get(at..end)).ok_or_else(|| broken("a number lies past its end"))?;
    Ok(u16::from_le_bytes([two[0], two[1]]))
}

fn words(bytes: &[u8], mut out: impl Write) -> Result<(), io::Error> {
    let sizes = [number(bytes, 24)?, number(bytes, 28)?, number(bytes, 32)?].map(|size| size as usize);
    let part = |start: usize, size: usize| {
        start.checked_add(size).and_then(|end| bytes.get(start..end)).ok_or_else(|| broken("a part lies past its end"))
    };
    let array = part(HEADER, sizes[0])?;
    let tokens = part(HEADER + sizes[0], sizes[1])?;
    let features = part(HEADER + sizes[0] + sizes[1], sizes[2])?;
    let units = array.len() / 8;
    let base = |unit: usize| number(array, unit * 8).map(|value| value as i32);
    let check = |unit: usize| number(array, unit * 8 + 4);
    // Depth first along the letters; a unit's base is where its children start, a negative one is a word's tokens.
    let mut open: Vec<(usize, Vec<u8>)> = vec![(base(0)? as usize, Vec::new())];
    let mut seen = 0_usize;
    while let Some((start, word)) = open.pop() {
        seen += 1;
        if seen > units || word.len() > LONGEST_WORD {
            return Err(broken("the words run in a circle"));
        }
        if start < units && check(start)? as usize == start && base(start)? < 0 {
            let value = (-i64::from(base(start)?) - 1) as usize;
            for token in (value >> 8)..(value >> 8) + (value & 0xff) {
                write_word(
                    &mut out,
                    &word,
                    tokens.get(token * TOKEN..).ok_or_else(|| broken("a word has no entry"))?,
                    features,
                )?;
            }
        }
        for letter in (0..256_usize).rev() {
            let child = start + letter + 1;
            if child < units && check(child)? as usize == start && base(child)? >= 0 {
                let mut longer = word.clone();
                longer.push(letter as u8);
                open.push((base(child)? as usize, longer));
            }
        }
    }
    out.flush()
}

fn write_word(out: &mut impl Write, word: &[u8], token: &[u8], features: &[u8]) -> Result<(), io::Error> {
    // What is not UTF-8 cannot occur in a text of ours.
    let Ok(word) = std::str::from_utf8(word) else { return Ok(()) };
    let (left, right, cost) = (short(token, 0)?, short(token, 2)?, short(token, 6)? as i16);
    let from = number(token, 8)? as usize;
    let text = features.get(from..).ok_or_else(|| broken("a word's description lies past its end"))?;
    let end = text.iter().position(|byte| *byte == 0).ok_or_else(|| broken("a description has no end"))?;
    let quoted = if word.contains([',', '"']) { format!("\"{}\"", word.replace('"', "\"\"")) } else { word.to_owned() };
    writeln!(out, "{quoted},{left},{right},{cost},{}", String::from_utf8_lossy(&text[..end]))
}

fn matrix(bytes: &[u8], mut out: impl Write) -> Result<(), io::Error> {
    let (lefts, rights) = (usize::from(short(bytes, 0)?), usize::from(short(bytes, 2)?));
    writeln!(out, "{lefts} {rights}")?;
    for left in 0..lefts {
        for right in 0..rights {
            writeln!(out, "{left} {right} {}", short(bytes, 4 + 2 * (left + lefts * right))? as i16)?;
        }
    }
    out.flush()
}

/// The bits of a character: 18 for the categories it may have, 8 for its own, 4 for a length, group and invoke.
fn characters(bytes: &[u8], mut out: impl Write) -> Result<(), io::Error> {
    let count = number(bytes, 0)? as usize;
    if count > 18 {
        return Err(broken("more categories than the format holds"));
    }
    let mut names = Vec::with_capacity(count);
    for index in 0..count {
        let start = 4 + CATEGORY_NAME * index;
        let name = bytes.get(start..start + CATEGORY_NAME).ok_or_else(|| broken("a category has no name"))?;
        names.push(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned());
    }
    let table = 4 + CATEGORY_NAME * count;
    let characters: Vec<u32> =
        (0..0xffff).map(|character| number(bytes, table + 4 * character)).collect::<Result<_, _>>()?;
    let own = |bits: u32| (bits >> 18 & 0xff) as usize;
    for (index, name) in names.iter().enumerate() {
        // How unknown words of the category are made stands with each of its characters.
        let bits = characters.iter().copied().find(|bits| own(*bits) == index);
        let (invoke, group, length) = bits.map_or((0, 1, 0), |bits| (bits >> 31 & 1, bits >> 30 & 1, bits >> 26 & 15));
        writeln!(out, "{name} {invoke} {group} {length}")?;
    }
    // What is in no range is in the first category, as it is here. Halves of pairs and byte order marks are no characters,
    // and a range must not begin or end with one.
    let is_character = |at: usize| !matches!(at, 0xd800..=0xdfff | 0xfeff | 0xfffe..);
    let listed = |at: usize| is_character(at) && characters[at] & 0x3_ffff != 1;
    let mut start = 0;
    while start < characters.len() {
        let bits = characters[start];
        let same = |at: &usize| characters[*at] == bits && is_character(*at);
        let end = start + (start..characters.len()).take_while(same).count().max(1);
        if listed(start) {
            let name = names.get(own(bits)).ok_or_else(|| broken("a character has no category"))?;
            write!(out, "0x{start:04X}..0x{:04X} {name}", end - 1)?;
            let others = (0..count).filter(|index| *index != own(bits) && bits >> index & 1 == 1);
            for index in others {
                write!(out, " {}", names[index])?;
            }
            writeln!(out)?;
        }
        start = end;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_is_an_error_not_a_panic() {
        for length in [0, 3, 40, 72, 100] {
            assert!(words(&vec![0xff; length], io::sink()).is_err(), "{length}");
            assert!(characters(&vec![0xff; length], io::sink()).is_err(), "{length}");
        }
        assert!(matrix(&[9, 0, 9, 0, 1], io::sink()).is_err());
    }

    #[test]
    fn a_matrix_is_read_by_columns() {
        let mut out = Vec::new();
        matrix(&[2, 0, 2, 0, 1, 0, 2, 0, 3, 0, 0xff, 0xff], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "2 2\n0 0 1\n0 1 3\n1 0 2\n1 1 -1\n");
    }
}

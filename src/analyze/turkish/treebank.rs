//! Makes the list of stems that comes from a treebank: `muhatap stems --data DIR --list`.

use std::collections::{BTreeMap, BTreeSet};

use super::letters::lower_case;

const HEADING: &str = "\
# Turkish stems with their number of occurrences in the web part of the Turkish treebanks by Google (Apache-2.0),
# https://github.com/google-research-datasets/turkish-treebanks: lemmas of nouns, adjectives, adverbs and of the verbs that own.tsv lists.
# Made by `muhatap stems --data DIR --list`.
";

/// The words of our own list by what they are.
#[derive(Default)]
struct Own<'l> {
    verbs: BTreeSet<&'l str>,
    nouns: BTreeSet<&'l str>,
    particles: BTreeSet<&'l str>,
    /// Forms that have an entry of their own.
    forms: BTreeSet<&'l str>,
}

impl<'l> Own<'l> {
    fn read(list: &'l str) -> Self {
        let mut own = Self::default();
        for line in list.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('\t');
            let (Some(kind), Some(words)) = (fields.next(), fields.nth(1)) else { continue };
            for word in words.split_whitespace() {
                match kind {
                    "v" => own.verbs.insert(word),
                    "n" => own.nouns.insert(word),
                    "x" => own.particles.insert(word.split('=').next().unwrap_or(word)),
                    "f" | "p" => own.forms.insert(word.split('=').next().unwrap_or(word)),
                    _ => false,
                };
            }
        }
        own
    }
}

/// The list of lemmas of `rows`, which are form, lemma, class and count under a heading.
///
/// A treebank's verbs are taken where our own list has them, since it holds voices of verbs as verbs of their own; its nouns
/// are not taken where our own list has them as particles or pronouns.
pub fn list(rows: &str, own: &str) -> String {
    let own = Own::read(own);
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for row in rows.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [_, lemma, class, count] = fields[..] else { continue };
        let lemma = plain(lemma);
        let verb = class == "VERB" && own.verbs.contains(&*lemma);
        let named = match class {
            "VERB" => own.nouns.contains(&*lemma) || own.particles.contains(&*lemma),
            class => matches!(class, "NOUN" | "ADJ" | "ADV"),
        };
        let particle = own.particles.contains(&*lemma) || own.forms.contains(&*lemma);
        let noun = named && (!particle || own.nouns.contains(&*lemma));
        if is_word(&lemma) && (verb || noun) {
            *counts.entry((if verb { "v" } else { "n" }, lemma)).or_default() += count.parse().unwrap_or(0);
        }
    }
    let mut by_count: BTreeMap<(&str, std::cmp::Reverse<u64>), Vec<&str>> = BTreeMap::new();
    for ((kind, lemma), count) in &counts {
        by_count.entry((*kind, std::cmp::Reverse(*count))).or_default().push(lemma);
    }
    let lines = by_count.iter().map(|((kind, count), lemmas)| format!("{kind}\t{}\t{}\n", count.0, lemmas.join(" ")));
    std::iter::once(HEADING.to_owned()).chain(lines).collect()
}

/// In lower case and without circumflexes, which most people leave out.
fn plain(lemma: &str) -> String {
    let without = |letter| match letter {
        'â' => 'a',
        'î' => 'i',
        'û' => 'u',
        _ => letter,
    };
    lower_case(lemma).chars().map(without).collect()
}

/// Two letters or more, all of them Turkish or of ASCII, none drawn out.
fn is_word(lemma: &str) -> bool {
    let letters: Vec<char> = lemma.chars().collect();
    letters.len() > 1
        && letters.iter().all(|letter| letter.is_ascii_lowercase() || "çğıöşü".contains(*letter))
        && !letters.windows(3).any(|three| three[0] == three[1] && three[1] == three[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lemmas_are_counted_by_what_they_are() {
        let rows = "form\tlemma\tupos\tcount\nKitabı\tkitap\tNOUN\t2\nkitâp\tkitâp\tNOUN\t3\ngeldi\tgel\tVERB\t4\ngelin\tgelin\tVERB\t1\n\
             için\tiçin\tNOUN\t9\nçoook\tçoook\tADV\t1\nx1\tx1\tNOUN\t1\nve\tve\tCONJ\t5\nuzun\tuzun\tADJ\t5\n";
        let own = "# Ours.\nv\t8\tgel git\nx\t9\tiçin\n";
        let made = list(rows, own);
        assert_eq!(made.strip_prefix(HEADING), Some("n\t5\tkitap uzun\nv\t4\tgel\n"));
    }
}

//! Groups texts that say nearly the same: the cosine of their counts of four letters in a row.

use std::collections::HashMap;

use super::tokens::search_fold;

/// Texts at least this alike are near-duplicates: half of their words are the same.
pub const ALIKE: f32 = 0.6;

/// Letters in a row that are counted together.
const RUN: usize = 4;

/// Two texts that are alike, by their places, the earlier first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    pub earlier: usize,
    pub later: usize,
    /// From [`ALIKE`] to 1.
    pub cosine: f32,
}

/// A group's number for each text: texts that are alike, directly or through others, have the same. It is the place of the
/// group's first text.
pub fn groups<T: AsRef<str>>(texts: &[T]) -> Vec<usize> {
    let mut first: Vec<usize> = (0..texts.len()).collect();
    let root = |first: &[usize], mut place: usize| {
        while first[place] != place {
            place = first[place];
        }
        place
    };
    for pair in pairs(texts) {
        let (one, other) = (root(&first, pair.earlier), root(&first, pair.later));
        first[one.max(other)] = one.min(other);
    }
    (0..texts.len()).map(|place| root(&first, place)).collect()
}

/// All pairs that are alike, by the later text and then the earlier.
///
/// A text's runs are looked up from its rarest on, and only until those that are left could not make it alike by
/// themselves: the commonest runs, which nearly every text has, are not looked up at all.
pub fn pairs<T: AsRef<str>>(texts: &[T]) -> Vec<Pair> {
    let profiles = profiles(texts);
    // For each run the texts before this one that have it, and its share of them.
    let mut having: Vec<Vec<(usize, f32)>> = Vec::new();
    let mut shared = vec![0.0_f32; texts.len()];
    let mut pairs = Vec::new();
    for (later, profile) in profiles.iter().enumerate() {
        let mut touched = Vec::new();
        let mut left = 1.0_f32;
        for (run, share) in profile {
            if left.max(0.0).sqrt() < ALIKE {
                break;
            }
            left -= share * share;
            for (earlier, other) in having.get(*run).into_iter().flatten() {
                if shared[*earlier] == 0.0 {
                    touched.push(*earlier);
                }
                shared[*earlier] += share * other;
            }
        }
        let rest = left.max(0.0).sqrt();
        touched.sort_unstable();
        for earlier in touched {
            let known = std::mem::take(&mut shared[earlier]);
            if known + rest >= ALIKE {
                let cosine = cosine(&profiles[earlier], profile);
                if cosine >= ALIKE {
                    pairs.push(Pair { earlier, later, cosine });
                }
            }
        }
        for (run, share) in profile {
            if having.len() <= *run {
                having.resize_with(run + 1, Vec::new);
            }
            having[*run].push((later, *share));
        }
    }
    pairs
}

/// The runs of a text, each with its share of a length of 1; by number, which is smaller the rarer a run is.
type Profile = Vec<(usize, f32)>;

fn profiles<T: AsRef<str>>(texts: &[T]) -> Vec<Profile> {
    let counted: Vec<HashMap<[char; RUN], u32>> = texts.iter().map(|text| runs(text.as_ref())).collect();
    let mut spread: HashMap<[char; RUN], usize> = HashMap::new();
    for run in counted.iter().flat_map(HashMap::keys) {
        *spread.entry(*run).or_default() += 1;
    }
    let mut order: Vec<([char; RUN], usize)> = spread.into_iter().collect();
    order.sort_unstable_by_key(|(run, texts)| (*texts, *run));
    let numbers: HashMap<[char; RUN], usize> =
        order.into_iter().enumerate().map(|(number, (run, _))| (run, number)).collect();
    let profile = |counts: &HashMap<[char; RUN], u32>| {
        let length = counts.values().map(|count| (count * count) as f32).sum::<f32>().sqrt();
        let mut profile: Profile = counts.iter().map(|(run, count)| (numbers[run], *count as f32 / length)).collect();
        profile.sort_unstable_by_key(|(run, _)| *run);
        profile
    };
    counted.iter().map(profile).collect()
}

/// Counts the runs of the folded words of a text, one space between them; of signs alone where there are no words.
fn runs(text: &str) -> HashMap<[char; RUN], u32> {
    let folded = search_fold(text);
    let mut words: Vec<&str> = folded.split(|character: char| !character.is_alphanumeric()).collect();
    words.retain(|word| !word.is_empty());
    let plain = if words.is_empty() { folded.split_whitespace().collect::<String>() } else { words.join(" ") };
    let mut letters: Vec<char> = std::iter::once(' ').chain(plain.chars()).chain([' ']).collect();
    letters.resize(letters.len().max(RUN), ' ');
    let mut counts = HashMap::new();
    for run in letters.array_windows::<RUN>() {
        *counts.entry(*run).or_default() += 1;
    }
    counts
}

/// The sum of products over the runs that both have.
fn cosine(one: &Profile, other: &Profile) -> f32 {
    let (mut left, mut right) = (one.as_slice(), other.as_slice());
    let mut sum = 0.0;
    while let ([(run, share), rest_left @ ..], [(other_run, other_share), rest_right @ ..]) = (left, right) {
        if run == other_run {
            sum += share * other_share;
        }
        if run <= other_run {
            left = rest_left;
        }
        if other_run <= run {
            right = rest_right;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_otherwise_typed_are_one_group() {
        let texts = [
            "Kargom hâlâ gelmedi, çok kötüsünüz!",
            "İnternetim sabahtan beri yok",
            "kargom hala gelmedi cok kotusunuz",
            "KARGOM HALA GELMEDİ ÇOK KÖTÜSÜNÜZ 😡",
            "👍",
            "👍👍",
            "",
        ];
        assert_eq!(groups(&texts), [0, 1, 0, 0, 4, 5, 6]);
    }

    #[test]
    fn groups_reach_through_others() {
        let texts = ["aaaa bbbb cccc dddd", "bbbb cccc dddd eeee", "cccc dddd eeee ffff"];
        let alike: Vec<(usize, usize)> = pairs(&texts).iter().map(|pair| (pair.earlier, pair.later)).collect();
        assert_eq!(alike, [(0, 1), (1, 2)]);
        assert_eq!(groups(&texts), [0, 0, 0]);
    }

    /// What is skipped for speed changes nothing: every pair is compared here.
    #[test]
    fn no_pair_is_missed() {
        let words = ["kargo", "gelmedi", "iade", "param", "nerede", "iki", "gündür", "bekliyorum", "fatura", "yanlış"];
        let mut state = 7_usize;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let texts: Vec<String> = (0..120)
            .map(|_| (0..2 + next(4)).map(|_| words[next(words.len())]).collect::<Vec<_>>().join(" "))
            .collect();
        let profiles = profiles(&texts);
        let mut expected = Vec::new();
        for later in 0..texts.len() {
            for earlier in 0..later {
                if cosine(&profiles[earlier], &profiles[later]) >= ALIKE {
                    expected.push((earlier, later));
                }
            }
        }
        let found: Vec<(usize, usize)> = pairs(&texts).iter().map(|pair| (pair.earlier, pair.later)).collect();
        assert!(expected.len() > 20);
        assert_eq!(found, expected);
    }
}

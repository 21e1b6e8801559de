//! Groups texts that are nearly the same: copies with another name, another number, a word more.

use std::collections::HashMap;

use super::features::{SEED, finish, step};
use super::tokens::search_fold;

/// Runs of letters that two texts are compared by.
const RUN: usize = 4;
/// Texts are nearly the same when they share this part of their runs (Jaccard).
const SHARED: f64 = 0.5;
/// Candidates share two of their smallest hashes in one of this many bands; a pair that shares half of its runs is missed
/// with a chance of `(1 - 0.5²)^24`, one in a thousand.
const BANDS: u32 = 24;
/// A text is compared with this many before it in its band: a crowd of copies needs no more to hang together.
const COMPARED: usize = 8;

/// A number for each text; the same for those that are nearly the same, directly or through others. It is the place of the
/// first of them.
pub fn groups(texts: &[&str]) -> Vec<usize> {
    let runs: Vec<Vec<u32>> = texts.iter().map(|text| runs(text)).collect();
    let mut parents: Vec<usize> = (0..texts.len()).collect();
    for band in 0..BANDS {
        let mut alike: HashMap<(u32, u32), Vec<usize>> = HashMap::new();
        for (index, runs) in runs.iter().enumerate() {
            let smallest = |seed: u32| runs.iter().map(|run| finish(run ^ seed.wrapping_mul(0x9e37_79b1))).min();
            if let (Some(one), Some(other)) = (smallest(2 * band + 1), smallest(2 * band + 2)) {
                alike.entry((one, other)).or_default().push(index);
            }
        }
        for members in alike.values() {
            for (at, member) in members.iter().enumerate() {
                for earlier in &members[at.saturating_sub(COMPARED)..at] {
                    let (one, other) = (root(&mut parents, *earlier), root(&mut parents, *member));
                    if one != other && shared(&runs[*earlier], &runs[*member]) >= SHARED {
                        parents[one.max(other)] = one.min(other);
                    }
                }
            }
        }
    }
    (0..texts.len()).map(|index| root(&mut parents, index)).collect()
}

fn root(parents: &mut [usize], mut index: usize) -> usize {
    while parents[index] != index {
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}

/// The hashes of all runs of letters and digits, sorted, each once. A short text is one run.
fn runs(text: &str) -> Vec<u32> {
    let letters: Vec<u8> =
        search_fold(text).chars().filter(|character| character.is_alphanumeric()).collect::<String>().into_bytes();
    let hash = |run: &[u8]| run.iter().fold(SEED, |state, byte| step(state, *byte));
    let mut runs: Vec<u32> = match letters.len() {
        0..RUN => vec![hash(&letters)],
        _ => letters.windows(RUN).map(hash).collect(),
    };
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// The part of all runs of both that both have.
fn shared(one: &[u32], other: &[u32]) -> f64 {
    let both = one.iter().filter(|run| other.binary_search(run).is_ok()).count();
    both as f64 / (one.len() + other.len() - both).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_with_small_changes_are_one_group() {
        let texts = [
            "Kargom 5 gündür gelmedi, kimse cevap vermiyor",
            "Faturam bu ay neden iki katına çıktı?",
            "kargom 6 gundur gelmedi kimse cevap vermiyor!!",
            "Kargom geldi, teşekkürler",
        ];
        assert_eq!(groups(&texts), [0, 1, 0, 3]);
    }

    #[test]
    fn what_has_no_letters_is_alike() {
        assert_eq!(groups(&["", "!!!", "a"]), [0, 0, 2]);
        assert!(groups(&[]).is_empty());
    }
}

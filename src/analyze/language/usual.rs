//! In which languages people usually write somewhere, which helps where a short text alone does not say.

use super::table::{COUNT, Chances, LANGUAGES, OTHER};

/// Log-odds that a language gains or loses at most: what a text says itself counts more.
const STRONGEST: f32 = 2.0;

/// How usual each language is where a text comes from, as log-odds; by default none is more usual than another.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usual(Chances);

impl Usual {
    /// From how many texts were in each language (BCP 47). Those that could not be told say nothing.
    pub fn of<'c>(counts: impl IntoIterator<Item = (&'c str, u64)>) -> Self {
        // One text of each language beforehand: the first few do not decide.
        let mut texts = [1.0_f32; COUNT];
        for (code, count) in counts.into_iter().filter(|(code, _)| *code != super::UNKNOWN) {
            let place = LANGUAGES.iter().position(|known| *known == code).unwrap_or(OTHER);
            texts[place] += count as f32;
        }
        let mean = texts.iter().sum::<f32>() / COUNT as f32;
        Self(texts.map(|texts| (texts / mean).ln().clamp(-STRONGEST, STRONGEST)))
    }

    /// Adds what is usual to what a text says.
    pub(super) fn add_to(&self, odds: &mut Chances) {
        odds.iter_mut().zip(self.0).for_each(|(odds, usual)| *odds += usual);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_usual_by_how_often_it_comes_and_never_more_than_its_bound() {
        let place = |code: &str| LANGUAGES.iter().position(|known| *known == code).expect("it is known");
        assert_eq!(Usual::of([]), Usual::default());
        assert_eq!(Usual::of([("und", 900)]), Usual::default(), "what could not be told says nothing");
        let Usual(few) = Usual::of([("tr", 2)]);
        let Usual(many) = Usual::of([("tr", 500), ("en", 100), ("el", 20)]);
        assert!(0.0 < few[place("tr")] && few[place("tr")] < many[place("tr")]);
        assert_eq!(many[place("tr")], STRONGEST);
        assert_eq!(many[place("de")], -STRONGEST);
        assert!(many[place("en")] > many[OTHER] && many[OTHER] > many[place("de")]);
    }
}

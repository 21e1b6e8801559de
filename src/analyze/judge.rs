//! Tells mood and intents of a text with a linear model, and names the words that made the mood, with their exact weights.

use std::ops::Range;

use super::delta::Delta;
use super::features::{Hash, Pieces, Reader};
use super::linear::{Evidence, INTENTS, Linear, MOODS, OPINION, POLARITY, Worn, agree, by_evidence, moods, softmax};
use super::measure::{largest, named};
use super::sentiment::{self, Known};
use super::tokens::{Token, TokenKind};
use super::{Intent, Reason, SUREST, Sentiment, base_of, four_decimals, two_decimals};
use crate::model::{IntentLabel, SentimentLabel};

/// A person reads no more reasons than this; the rest of the weights are in the base.
const REASONS: usize = 8;
/// Weights under this move nobody's score and are in the base.
const SMALLEST: f64 = 0.02;
/// A main intent less probable than this says little.
const UNCLEAR: f32 = 0.35;

/// What something says of opinion and of good or bad, in the model's units.
type Moods = [f32; MOODS];

/// A language's model and what its features are read with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    pub model: &'a Linear<'a>,
    /// What the brand's corrections add to the model.
    pub delta: Option<&'a Delta>,
    pub reader: Reader<'a>,
}

/// What a text says of its mood and its intents, in the model's units.
struct Reading<'t> {
    pieces: Pieces<'t>,
    /// What each token says alone.
    own: Vec<Moods>,
    /// Whether that does not count, since another token denies it.
    hushed: Vec<bool>,
    /// What two words beside each other say, with their places.
    pairs: Vec<(usize, usize, Moods)>,
    /// What the lists say, with the places of the two words that share it.
    listed: Vec<(usize, usize, Moods)>,
    /// The places of each sentence and what the lists say in it.
    sentences: Vec<(Range<usize>, Moods)>,
    /// What all words say: the score is made of it, so that they explain it.
    moods: Moods,
    /// What phrases of intents say of opinion besides.
    cued: Moods,
    intents: [f32; INTENTS],
    /// The squares of what each feature says of good or bad in the model, added up; 0 where nobody asks for them.
    squares: f32,
}

/// The log-odds of what a text says, and how much evidence there is.
#[derive(Debug, Clone, Copy)]
pub struct Odds {
    /// Of opinion and polarity.
    pub moods: Moods,
    pub intents: [f32; INTENTS],
    /// As the model alone has it, whatever a brand's delta adds.
    pub evidence: Evidence,
}

/// A word of the text, wherever it stands there.
struct Word<'t> {
    hash: Hash,
    surface: &'t str,
    weight: f32,
}

impl<'a> Judge<'a> {
    /// The mood and the intents of a composed text. `certainty` is that of its language.
    pub fn judge(&self, text: &str, tokens: &[Token<'_>], certainty: f64) -> (Sentiment, Vec<Intent>) {
        let reading = self.read(tokens);
        let odds = self.odds_of(&reading);
        let chances = moods(&by_evidence(odds.moods, odds.evidence));
        let said = largest(&chances);
        let because = self.reasons(text, &reading);
        let score = self.score_of(&reading.moods);
        let sentiment = Sentiment {
            label: SentimentLabel::ALL[said],
            score,
            // A text that may be in another language may also be misread.
            confidence: two_decimals(f64::from(chances[said]) * (0.7 + 0.3 * certainty)),
            base: base_of(score, &because),
            because,
        };
        let intents = named(&wanted(odds.intents, &chances))
            .into_iter()
            .map(|(label, chance)| Intent { label, confidence: two_decimals(f64::from(chance)) })
            .collect();
        (sentiment, intents)
    }

    /// What the text says, before anything is made of it.
    pub fn odds(&self, tokens: &[Token<'_>]) -> Odds {
        self.odds_of(&self.read(tokens))
    }

    fn odds_of(&self, reading: &Reading<'_>) -> Odds {
        Odds {
            moods: self.model.moods.log_odds(&plus(reading.moods, reading.cued)),
            intents: self.model.intents.log_odds(&reading.intents),
            evidence: match self.reader.worn() {
                Worn::ByLength => Evidence::Words(reading.pieces.said()),
                Worn::BySpread => Evidence::Spread(self.model.moods.scales[POLARITY].powi(2) * reading.squares),
            },
        }
    }

    /// The score alone.
    pub fn score(&self, tokens: &[Token<'_>]) -> f64 {
        self.score_of(&self.read(tokens).moods)
    }

    /// The probability of a good mood less that of a bad one by what the words say: near 0 where nothing is felt.
    fn score_of(&self, words: &Moods) -> f64 {
        let chances = moods(&self.model.moods.log_odds(words));
        let score = chances[SentimentLabel::Positive as usize] - chances[SentimentLabel::Negative as usize];
        four_decimals(f64::from(score)).clamp(-SUREST, SUREST)
    }

    fn read<'t>(&self, tokens: &'t [Token<'t>]) -> Reading<'t>
    where
        'a: 't,
    {
        let pieces = self.reader.pieces(tokens);
        let (mut all_moods, mut all_intents, mut squares) = ([0.0; MOODS], [0.0; INTENTS], 0.0);
        let by_spread = self.reader.worn() == Worn::BySpread;
        let squares_of = |hashes: &[Hash], value: f32| match by_spread {
            true => value * value * self.model.moods.squares(hashes, POLARITY),
            false => 0.0,
        };
        let (mut sentences, mut listed) = (Vec::new(), Vec::new());
        let mut hushed = vec![false; pieces.known.len()];
        for sentence in sentiment::sentences(&pieces.known) {
            let mut all = [0.0; MOODS];
            let hush = |place: usize| hushed[sentence.start + place] = true;
            let say = |hash, value, head, last| {
                let mut one = [0.0; MOODS];
                self.add_moods(&[hash], value, &mut one);
                squares += squares_of(&[hash], value);
                self.add_intents(&[hash], value, &mut all_intents);
                listed.push((sentence.start + head, sentence.start + last, one));
                all = plus(all, one);
            };
            self.reader.moods(&pieces.known[sentence.clone()], say, hush);
            all_moods = plus(all_moods, all);
            sentences.push((sentence, all));
        }
        let mut own = Vec::with_capacity(pieces.words.len());
        for ((known, word), hushed) in pieces.known.iter().zip(&pieces.words).zip(&hushed) {
            let mut alone = [0.0; MOODS];
            self.reader.own(known.token, *word, |hashes, value| {
                self.add_moods(hashes, value, &mut alone);
                if *hushed {
                    return;
                }
                squares += squares_of(hashes, value);
                self.add_intents(hashes, value, &mut all_intents);
            });
            own.push(alone);
            if !*hushed {
                all_moods = plus(all_moods, alone);
            }
        }
        let mut pairs = Vec::with_capacity(pieces.words.len());
        self.reader.pairs(&pieces.words, |hash, left, right| {
            let mut pair = [0.0; MOODS];
            self.add_moods(&[hash], 1.0, &mut pair);
            squares += squares_of(&[hash], 1.0);
            self.add_intents(&[hash], 1.0, &mut all_intents);
            all_moods = plus(all_moods, pair);
            pairs.push((left, right, pair));
        });
        let mut cued = [0.0; MOODS];
        self.reader.cues(tokens, |hash, value| {
            self.add_intents(&[hash], value, &mut all_intents);
            // Whether there is an opinion at all; which one is for the words to say.
            self.model.moods.add_to(OPINION, hash, value, &mut cued);
        });
        Reading { pieces, own, hushed, pairs, listed, sentences, moods: all_moods, cued, intents: all_intents, squares }
    }

    /// The words with their weights, the strongest first.
    fn reasons(&self, text: &str, reading: &Reading<'_>) -> Vec<Reason> {
        let Pieces { known, words: hashes } = &reading.pieces;
        let alone = reading.own.iter().zip(&reading.hushed);
        let mut weights: Vec<f32> = alone.map(|(alone, hushed)| if *hushed { 0.0 } else { alone[POLARITY] }).collect();
        for (left, right, shared) in reading.pairs.iter().chain(&reading.listed) {
            weights[*left] += shared[POLARITY] / 2.0;
            weights[*right] += shared[POLARITY] / 2.0;
        }
        let mut words: Vec<Word<'_>> = Vec::with_capacity(known.len());
        // "17.00dan": without its end the time would be read as the end of a sentence.
        let ends_number = |token: &Token<'_>| {
            token.surface.starts_with(|first: char| first.is_ascii_digit())
                && text[..token.start].ends_with(['.', ',', ':'])
        };
        for (place, (hash, weight)) in hashes.iter().zip(weights).enumerate() {
            let (token, Some(hash)) = (known[place].token, *hash) else { continue };
            let is_word = matches!(token.kind, TokenKind::Word | TokenKind::Hashtag | TokenKind::Emoji);
            if is_word && !ends_number(token) {
                match words.iter_mut().find(|word| word.hash == hash && word.surface == token.surface) {
                    Some(word) => word.weight += weight,
                    None => words.push(Word { hash, surface: token.surface, weight }),
                }
            }
        }
        words.sort_by(|one, other| other.weight.abs().total_cmp(&one.weight.abs()));
        words.truncate(REASONS);
        let scale = self.model.moods.scales[POLARITY];
        let mut reasons = Vec::with_capacity(words.len());
        for word in words {
            let weight = weight_of(scale * word.weight);
            if weight.abs() >= SMALLEST && self.moves(text, reading, &word) {
                reasons.push(Reason { text: word.surface.to_owned(), weight });
            }
        }
        reasons
    }

    /// Whether the score falls when a good word is taken out of the text, and rises when a bad one is: with nothing in its
    /// place, and with a comma.
    fn moves(&self, text: &str, reading: &Reading<'_>, word: &Word<'_>) -> bool {
        let Pieces { known, words: hashes } = &reading.pieces;
        let is_word = |place: usize| hashes[place] == Some(word.hash) && known[place].token.surface == word.surface;
        let places: Vec<usize> = (0..known.len()).filter(|place| is_word(*place)).collect();
        // "is" is also in "this": who takes it out of the text would take out more than the word.
        if text.matches(word.surface).count() != places.len() {
            return false;
        }
        let alone = places.iter().fold([0.0; MOODS], |all, place| plus(all, reading.own[*place]));
        let change = minus(self.change_of_pairs(hashes, &places), alone);
        let before = self.score_of(&reading.moods);
        let falls = |change: Moods| {
            let after = self.score_of(&plus(reading.moods, change));
            // What is as sure as can be does not move by one word.
            let moves = if word.weight > 0.0 { after < before } else { after > before };
            moves || after == before && before.abs() == SUREST
        };
        // What the lists say and, taken off, what words say that are denied.
        let listed = |known: &[Known<'_>]| {
            let (mut listed, mut denied) = ([0.0; MOODS], [0.0; MOODS]);
            let say = |hash: Hash, value: f32, _, _| self.add_moods(&[hash], value, &mut listed);
            self.reader.moods(known, say, |place| denied = plus(denied, reading.own[known[place].place]));
            minus(listed, denied)
        };
        let comma = Token { kind: TokenKind::Mark, surface: ",", start: 0, key: String::new(), drawn_out: false };
        let (mut without, mut with_comma) = (change, change);
        // The lists read each sentence by itself.
        for (sentence, before) in &reading.sentences {
            let known = &known[sentence.clone()];
            let is_here = |place: &usize| sentence.contains(place);
            if !places.iter().any(is_here) || !known.iter().any(Known::says_something) {
                continue;
            }
            let denied = sentence.clone().filter(|place| reading.hushed[*place]);
            let before = denied.fold(*before, |before, place| minus(before, reading.own[place]));
            let mut rest = known.to_vec();
            for place in places.iter().copied().filter(is_here) {
                rest[place - sentence.start] = Known::nothing_of(&comma, place, self.reader.words);
            }
            with_comma = plus(with_comma, minus(listed(&rest), before));
            rest.retain(|known| !std::ptr::eq(known.token, &comma));
            without = plus(without, minus(listed(&rest), before));
        }
        falls(without) && falls(with_comma)
    }

    /// What pairs of words say more when the words at `places` are not there: marks do not part a pair.
    fn change_of_pairs(&self, hashes: &[Option<Hash>], places: &[usize]) -> Moods {
        let word_in = |mut range: Range<usize>| range.find(|place| hashes[*place].is_some());
        let word_before = |place: usize| (0..place).rev().find(|place| hashes[*place].is_some());
        let pair = |left: Option<usize>, right: Option<usize>| {
            let mut said = [0.0; MOODS];
            self.add_moods(&[self.reader.pair(hashes[left?]?, hashes[right?]?)?], 1.0, &mut said);
            Some(said)
        };
        let mut change = [0.0; MOODS];
        let mut places = places.iter().copied().peekable();
        while let Some(first) = places.next() {
            let before = word_before(first);
            change = minus(change, pair(before, Some(first)).unwrap_or_default());
            let mut last = first;
            // Words beside each other go together.
            let after = loop {
                let next = word_in(last + 1..hashes.len());
                change = minus(change, pair(Some(last), next).unwrap_or_default());
                match next {
                    Some(next) if places.next_if_eq(&next).is_some() => last = next,
                    next => break next,
                }
            };
            change = plus(change, pair(before, after).unwrap_or_default());
        }
        change
    }

    /// Adds what the model and the brand's delta say of features with one value, in the model's units.
    fn add_moods(&self, features: &[Hash], value: f32, sums: &mut Moods) {
        self.model.moods.add_all(features, value, sums);
        if let Some(delta) = self.delta {
            delta.moods.add_all(features, value, sums);
        }
    }

    /// As [`Judge::add_moods`], of intents.
    fn add_intents(&self, features: &[Hash], value: f32, sums: &mut [f32; INTENTS]) {
        self.model.intents.add_all(features, value, sums);
        if let Some(delta) = self.delta {
            delta.intents.add_all(features, value, sums);
        }
    }
}

fn plus(one: Moods, other: Moods) -> Moods {
    std::array::from_fn(|head| one[head] + other[head])
}

fn minus(one: Moods, other: Moods) -> Moods {
    std::array::from_fn(|head| one[head] - other[head])
}

/// Half of the log-odds of good against bad, to four decimals.
fn weight_of(log_odds: f32) -> f64 {
    four_decimals(f64::from(log_odds) / 2.0)
}

/// The probabilities of the intents from their log-odds and the probabilities of the moods.
pub(super) fn wanted(mut odds: [f32; INTENTS], chances: &[f32; SentimentLabel::ALL.len()]) -> [f32; INTENTS] {
    agree(&mut odds, chances);
    let mut wanted = softmax(&odds);
    complain_if_unclear(&mut wanted, SentimentLabel::ALL[largest(chances)]);
    wanted
}

/// Who is displeased and wants nothing clear complains: "hala bekliyorum". Complaint changes places with the main intent.
fn complain_if_unclear(wanted: &mut [f32; INTENTS], mood: SentimentLabel) {
    let main = largest(wanted);
    if mood == SentimentLabel::Negative && wanted[main] < UNCLEAR {
        wanted.swap(main, IntentLabel::Complaint as usize);
    }
}

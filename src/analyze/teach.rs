//! How sentiment and intents are taught from several sets at once, how that is validated, and what is fitted afterwards.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::linear::{
    self, INTENTS, MOODS, OPINION, POLARITY, Worn, Written, agree, by_evidence, moods, probability, sharpened, softmax,
};
use super::measure::{self, Confusion, largest};
use super::sources::Prepared;
use super::train::{Example, Layer, Lesson, Recipe, learn};
use crate::model::{IntentLabel, SentimentLabel};

/// Negative, neutral, positive.
const MOODS_NAMED: usize = 3;
/// Parts of a cross-validation.
pub const FOLDS: usize = 5;
/// Models are learnt two at a time; what each learns does not depend on the other.
const WORKERS: usize = 2;

/// How a language's model is taught.
#[derive(Debug, Clone)]
pub struct Settings {
    pub moods: Recipe,
    pub intents: Recipe,
    /// Polarity is drawn to 0 on neutral texts by this, so that a score near 0 means what it says.
    pub pin: f32,
    /// The part of a text's lesson that its other intents have beside the main one.
    pub secondary: f32,
    /// A rare intent counts as often as a frequent one at 1, by its number of texts at 0.
    pub evenness: f32,
    /// A rare intent counts at most this many times its number.
    pub rarest: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            moods: Recipe { bits: 18, epochs: 6, rate: 0.025, l2: 3e-5 },
            intents: Recipe { bits: 16, epochs: 8, rate: 0.03, l2: 1e-4 },
            pin: 0.05,
            secondary: 0.3,
            evenness: 0.4,
            rarest: 8.0,
        }
    }
}

impl Settings {
    /// Where more pays for a language. Turkish, our own neutral mentions held out: their mean score is -0.25 at a pin of 0.05,
    /// -0.19 at 0.15, and -0.13 at 0.6, where mean F1 of posts falls by 1.0; in English 0.15 costs 1.1 of TweetEval's dev part
    /// (November 2026).
    pub fn of(language: &str) -> Self {
        let settings = Self::default();
        if language == "tr" { Self { pin: 0.15, ..settings } } else { settings }
    }
}

/// What was learnt: two layers in the steps they are written in, what a step stands for, and where each head starts from.
#[derive(Debug)]
pub struct Taught {
    moods: Layer<MOODS>,
    intents: Layer<INTENTS>,
    moods_scales: [f32; MOODS],
    intents_scales: [f32; INTENTS],
    worn: Worn,
    moods_bias: [f32; MOODS],
    intents_bias: [f32; INTENTS],
}

/// What a model says of a text, and what is true.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The place of the text's row in its set.
    pub place: usize,
    pub moods: [f32; MOODS],
    pub intents: [f32; INTENTS],
    pub sentiment: Option<SentimentLabel>,
    pub wanted: Vec<IntentLabel>,
}

/// Teaches both layers from all texts of `sets` that `taken` takes: it is given the place of the set and the text.
pub fn teach(sets: &[Prepared], settings: &Settings, taken: impl Fn(usize, &Example) -> bool) -> Taught {
    let (mut moods_lessons, mut intents_lessons) = (Vec::new(), Vec::new());
    for (source, set) in sets.iter().enumerate() {
        let examples: Vec<&Example> = set.train.iter().filter(|example| taken(source, example)).collect();
        let give = |lessons: &mut Vec<_>, mass: f32, shares: Vec<f32>| {
            let part = mass / shares.iter().sum::<f32>();
            let weighed = examples.iter().zip(shares);
            lessons.extend(weighed.map(|(example, share)| Lesson { example, source, weight: share * part }));
        };
        if set.origin.moods_mass > 0.0 {
            let shares = evened(&examples, MOODS_NAMED, set.origin.moods_evenness, f32::MAX, |example| {
                example.sentiment.map(|sentiment| sentiment as usize)
            });
            give(&mut moods_lessons, set.origin.moods_mass, shares);
        }
        if set.origin.home() {
            let shares = evened(&examples, INTENTS, settings.evenness, settings.rarest, |example| {
                example.intents.first().map(|main| *main as usize)
            });
            give(&mut intents_lessons, set.origin.intents_mass, shares);
        }
    }
    let mut moods = learn(&moods_lessons, sets.len(), &settings.moods, |lesson, odds| {
        moods_slopes(lesson.example, odds, sets[lesson.source].origin.polar, settings.pin)
    });
    let mut intents = learn(&intents_lessons, sets.len(), &settings.intents, |lesson, odds| {
        intents_slopes(lesson.example, odds, settings.secondary)
    });
    let taught = |source: &usize| sets[*source].train.iter().any(|example| taken(*source, example));
    let three = |source: &usize| taught(source) && sets[*source].origin.three_moods();
    let mut starts: Vec<usize> =
        (0..sets.len()).filter(|source| three(source) && sets[*source].origin.home()).collect();
    if starts.is_empty() {
        starts = (0..sets.len()).filter(three).collect();
    }
    let homes: Vec<usize> = (0..sets.len()).filter(|source| taught(source) && sets[*source].origin.home()).collect();
    let (moods_bias, intents_bias) = (mean(&moods.biases, &starts), mean(&intents.biases, &homes));
    let (moods_scales, intents_scales) = (in_steps(&mut moods), in_steps(&mut intents));
    let worn = moods_lessons.first().map_or(Worn::ByLength, |lesson| lesson.example.worn);
    Taught { moods, intents, moods_scales, intents_scales, worn, moods_bias, intents_bias }
}

/// Rounds a layer to 255 steps a head, the few largest weights cut off, and tells what a step stands for: what is measured
/// and fitted is what is written.
fn in_steps<const K: usize>(layer: &mut Layer<K>) -> [f32; K] {
    let scales: [f32; K] = std::array::from_fn(|head| {
        let mut sizes: Vec<f32> = layer.table.iter().map(|row| row[head].abs()).filter(|size| *size > 0.0).collect();
        sizes.sort_by(f32::total_cmp);
        // One weight in a thousand is cut off, so that the rest has finer steps.
        sizes.get(sizes.len() * 999 / 1000).map_or(1.0, |size| size / 127.0)
    });
    for (weight, scale) in layer.table.iter_mut().flat_map(|row| row.iter_mut().zip(scales)) {
        *weight = (*weight / scale).round().clamp(-127.0, 127.0) * scale;
    }
    scales
}

fn mean<const K: usize>(biases: &[[f32; K]], chosen: &[usize]) -> [f32; K] {
    let count = chosen.len().max(1) as f32;
    std::array::from_fn(|head| chosen.iter().map(|source| biases[*source][head]).sum::<f32>() / count)
}

/// How much each text counts by how rare its label is among `count` of them: at an evenness of 1 a rare one counts as often
/// as a frequent one, at 0 by its number of texts; `rarest` times at most.
fn evened(
    examples: &[&Example],
    count: usize,
    evenness: f32,
    rarest: f32,
    label: impl Fn(&Example) -> Option<usize>,
) -> Vec<f32> {
    let mut counts = vec![0_u32; count];
    examples.iter().filter_map(|example| label(example)).for_each(|label| counts[label] += 1);
    let even = examples.len() as f32 / count as f32;
    let weight = |label: usize| (even / counts[label] as f32).powf(evenness).min(rarest);
    examples.iter().map(|example| label(example).map_or(1.0, weight)).collect()
}

fn moods_slopes(example: &Example, odds: &[f32; MOODS], polar: bool, pin: f32) -> [f32; MOODS] {
    let mut slopes = [0.0; MOODS];
    let Some(sentiment) = example.sentiment else { return slopes };
    if polar {
        let good = if sentiment == SentimentLabel::Positive { 1.0 } else { 0.0 };
        slopes[POLARITY] = probability(odds[POLARITY]) - good;
        return slopes;
    }
    let mut wrong = moods(odds);
    wrong[sentiment as usize] -= 1.0;
    let [negative, _, positive] = wrong;
    slopes[OPINION] = negative + positive;
    slopes[POLARITY] = (positive - negative) / 2.0;
    if sentiment == SentimentLabel::Neutral {
        slopes[POLARITY] += pin * odds[POLARITY];
    }
    slopes
}

fn intents_slopes(example: &Example, odds: &[f32; INTENTS], secondary: f32) -> [f32; INTENTS] {
    let mut slopes = softmax(odds);
    let Some((main, others)) = example.intents.split_first() else { return [0.0; INTENTS] };
    slopes[*main as usize] -= if others.is_empty() { 1.0 } else { 1.0 - secondary };
    for other in others {
        slopes[*other as usize] -= secondary / others.len() as f32;
    }
    slopes
}

impl Taught {
    pub fn answer(&self, example: &Example) -> Answer {
        let (mut moods, mut intents) = (self.moods.sums(example), self.intents.sums(example));
        add(&mut moods, &self.moods_bias);
        add(&mut intents, &self.intents_bias);
        let moods = by_evidence(moods, self.moods.evidence(example));
        Answer { place: example.place, moods, intents, sentiment: example.sentiment, wanted: example.intents.clone() }
    }

    /// The model's file, with what was fitted.
    pub fn file(&self, fitted: &Fitted) -> Vec<u8> {
        let mut intents_bias = self.intents_bias;
        add(&mut intents_bias, &fitted.intents_bias);
        linear::write(
            &written(&self.moods, &self.moods_scales, &self.moods_bias, sharpened(fitted.sharpness, self.worn)),
            &written(&self.intents, &self.intents_scales, &intents_bias, 1.0),
        )
    }
}

fn add<const K: usize>(sums: &mut [f32; K], more: &[f32; K]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// A layer whose log-odds are multiplied by `times`.
fn written<const K: usize>(layer: &Layer<K>, scales: &[f32; K], biases: &[f32; K], times: f32) -> Written<K> {
    let steps = |row: &[f32; K]| std::array::from_fn(|head| (row[head] / scales[head]).round() as i8);
    Written {
        biases: biases.map(|bias| bias * times),
        scales: scales.map(|scale| scale * times),
        table: layer.table.iter().map(steps).collect(),
    }
}

/// What is held back while a model is taught, and then measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// One part in [`FOLDS`] of every set.
    Fold(usize),
    /// A whole set, by its place.
    Set(usize),
}

/// Answers with the place of the set that their texts are of.
pub type Answers = Vec<(usize, Answer)>;

/// Teaches a model without each of `held_back` and lets it answer that.
pub fn validate(sets: &[Prepared], settings: &Settings, held_back: &[HeldBack]) -> Vec<Answers> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Answers)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, held_back)) = take(&next, held_back) {
                    let answers = without(sets, settings, *held_back);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, answers));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answers)| answers).collect()
}

fn take<'j, J>(next: &AtomicUsize, jobs: &'j [J]) -> Option<(usize, &'j J)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, jobs.get(at)?))
}

fn without(sets: &[Prepared], settings: &Settings, held_back: HeldBack) -> Answers {
    // A text of another set may be nearly the same as one of the set that is left out.
    let groups: HashSet<usize> = match held_back {
        HeldBack::Fold(_) => HashSet::new(),
        HeldBack::Set(set) => sets[set].train.iter().map(|example| example.group).collect(),
    };
    let held = |source: usize, example: &Example| match held_back {
        HeldBack::Fold(fold) => fold_of(example) == fold,
        HeldBack::Set(set) => source == set,
    };
    let taught = teach(sets, settings, |source, example| !held(source, example) && !groups.contains(&example.group));
    let mut answers = Vec::new();
    for (source, set) in sets.iter().enumerate() {
        let theirs = set.train.iter().filter(|example| held(source, example));
        answers.extend(theirs.map(|example| (source, taught.answer(example))));
    }
    answers
}

/// Texts that are nearly the same are in the same part, of whatever set they are.
pub(super) fn fold_of(example: &Example) -> usize {
    (example.group as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20) as usize % FOLDS
}

/// What is fitted on texts that were held back.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Log-odds of opinion and polarity are multiplied by this, so that probabilities come true as often as they say: both, so
    /// that what is said stays the same and only how surely changes.
    pub sharpness: f32,
    /// Added to the log-odds of the intents, so that the mean F1 of all intents is best and not the number of hits.
    pub intents_bias: [f32; INTENTS],
}

impl Fitted {
    pub fn apply(&self, answer: &mut Answer) {
        answer.moods = answer.moods.map(|odds| self.sharpness * odds);
        agree(&mut answer.intents, &moods(&answer.moods));
        add(&mut answer.intents, &self.intents_bias);
    }
}

/// The sharpness by which `groups` are calibrated best, each counting alike.
pub fn sharpness(groups: &[Vec<&Answer>]) -> f32 {
    let error = |sharpness: f32| -> f64 {
        let of_group = |answers: &Vec<&Answer>| {
            let judged = answers
                .iter()
                .filter_map(|answer| Some((answer.moods.map(|odds| sharpness * odds), answer.sentiment?)));
            measure::sentiment(&judged.collect::<Vec<_>>()).calibration
        };
        groups.iter().map(of_group).sum()
    };
    let steps = (20..=80).map(|step| step as f32 / 40.0);
    let errors = steps.map(|step| (error(step), step));
    errors.min_by(|one, other| one.0.total_cmp(&other.0)).map_or(1.0, |(_, step)| step)
}

/// How far a head's bias is moved at a time.
const BIAS_STEPS: [f32; 4] = [0.5, -0.5, 0.25, -0.25];
/// Rounds over all heads; later ones change nothing.
const BIAS_ROUNDS: usize = 6;
/// What a unit of bias costs, in points of F1: few rare texts shall not decide much. Biases chosen without the part they were
/// measured on did better on posts at 1 than at 0.2 and at 3, and alike on our own corpus (November 2026).
const BIAS_COST: f64 = 1.0;

/// The biases that make the main intents of `answers` best, which agree with their moods already: F1 as the texts fall, and
/// as if half of them were spread evenly over the intents. All sets count as one, since what is rare is too rare in each.
pub fn intents_bias(answers: &[Answer]) -> [f32; INTENTS] {
    let value = |bias: &[f32; INTENTS]| -> f64 {
        let cost: f64 = bias.iter().map(|bias| BIAS_COST * f64::from(bias.abs())).sum();
        let mut confusion = Confusion::new(INTENTS);
        for answer in answers {
            let Some(truth) = answer.wanted.first() else { continue };
            let mut odds = answer.intents;
            add(&mut odds, bias);
            confusion.add(*truth as usize, largest(&odds));
        }
        confusion.macro_f1() + confusion.half_even_macro_f1() - cost
    };
    let mut best = [0.0; INTENTS];
    let mut most = value(&best);
    for _ in 0..BIAS_ROUNDS {
        for head in 0..INTENTS {
            for step in BIAS_STEPS {
                let mut tried = best;
                tried[head] += step;
                let reached = value(&tried);
                if reached > most {
                    (best, most) = (tried, reached);
                }
            }
        }
    }
    best
}

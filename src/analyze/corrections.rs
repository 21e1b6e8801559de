//! Learns a delta from what people corrected, and keeps it only if it tells corrections better that it did not learn from.
//!
//! People correct what is wrong and leave what is right, so corrections alone would teach that everything is otherwise.
//! Mentions that nobody corrected stand against that: on them the delta is held to what the model says.

use std::collections::{HashMap, HashSet};

use super::delta::{Delta, Table};
use super::features::Hash;
use super::judge::{Judge, Odds, wanted};
use super::linear::{Evidence, INTENTS, Linear, MOODS, OPINION, POLARITY, by_evidence, moods, softmax};
use super::measure::largest;
use super::teach::{FOLDS, Settings, fold_of};
use super::tokens::compose;
use super::train::{Dice, Example, example_of};
use super::{Analyzer, near};
use crate::model::{IntentLabel, SentimentLabel};

/// From fewer corrections that say different things nothing is learnt.
pub const FEWEST: usize = 20;
/// The most corrections of a brand in a language that are learnt from: the newest.
pub const MOST_CORRECTIONS: usize = 5_000;
/// The most uncorrected mentions that stand against them: the newest.
pub const MOST_UNCORRECTED: usize = 1_000;
/// How far a weight may go, in log-odds: the standard deviation it is believed to have. 0 is no delta.
const STRENGTHS: [f32; 5] = [0.0, 0.05, 0.1, 0.2, 0.4];
const EPOCHS: usize = 20;
const RATE: f32 = 0.1;
/// A gain in log loss counts from so many of its standard errors on: less may be chance.
const SURE: f64 = 1.0;
/// A chance is taken for at least this when its logarithm is.
const SMALLEST_CHANCE: f32 = 1e-6;

/// A text and what a person says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Corrected {
    pub text: String,
    pub sentiment: Option<SentimentLabel>,
    /// The main one first.
    pub intents: Option<Vec<IntentLabel>>,
}

/// How well a part of the analysis tells corrections that it did not learn from.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HeldOut {
    pub corrections: usize,
    /// The mean of the negative logarithm of the chance given to what the person says.
    pub log_loss: f64,
    /// From 0 to 1.
    pub accuracy: f64,
}

/// Mood and main intent, held out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    pub moods: HeldOut,
    pub intents: HeldOut,
}

/// What came of learning from a brand's corrections in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Corrections it had, those that say nearly the same counted once.
    pub different: usize,
    /// The built-in model on all of them.
    pub before: Figures,
    /// With what is learnt from the other parts of the corrections; as before where there is no delta.
    pub after: Figures,
    /// Of moods and of intents: the standard deviation, in log-odds, that a weight is believed to have; 0 for what is not learnt.
    pub strengths: (f32, f32),
    /// Missing where there are too few corrections, or where no strength tells those held out better.
    pub delta: Option<Delta>,
    /// Uncorrected mentions that were looked at, and how many of them the delta judges otherwise than the model.
    pub uncorrected: usize,
    pub changed: usize,
}

impl Analyzer {
    /// Learns from corrections in `language`; nothing where that has no model. The same texts in the same order give the
    /// same delta.
    pub fn learn(&self, language: &str, corrected: &[Corrected], uncorrected: &[String]) -> Option<Outcome> {
        let judge = self.judge(language, None).filter(|judge| judge.model.intents.is_taught())?;
        let (lessons, anchors) = self.lessons(&judge, corrected, uncorrected);
        let teacher = Teacher::new(judge.model, &lessons, &anchors);
        let different = lessons.iter().map(|lesson| lesson.example.group).collect::<HashSet<_>>().len();
        let trial = Trial::run(&teacher);
        let before = trial.figures(0, 0);
        let (moods, intents) = if different < FEWEST { (0, 0) } else { trial.best() };
        let strengths = (STRENGTHS[moods], STRENGTHS[intents]);
        let delta = teacher.teach(strengths.0, strengths.1, |_| true);
        let changed = anchors.iter().filter(|anchor| anchor.said(judge.model, &delta) != anchor.said_before()).count();
        Some(Outcome {
            different,
            before,
            after: trial.figures(moods, intents),
            strengths,
            delta: ((moods, intents) != (0, 0)).then_some(delta),
            uncorrected: anchors.len(),
            changed,
        })
    }

    /// Reads both kinds of texts; of the uncorrected ones those that say nearly the same as a corrected one are left out.
    fn lessons(
        &self,
        judge: &Judge<'_>,
        corrected: &[Corrected],
        uncorrected: &[String],
    ) -> (Vec<Lesson>, Vec<Lesson>) {
        let corrected = &corrected[..corrected.len().min(MOST_CORRECTIONS)];
        let uncorrected = &uncorrected[..uncorrected.len().min(MOST_UNCORRECTED)];
        let texts: Vec<&str> =
            corrected.iter().map(|row| row.text.as_str()).chain(uncorrected.iter().map(String::as_str)).collect();
        let groups = near::groups(&texts);
        let lesson = |text: &str, group: usize, sentiment, intents: &[IntentLabel]| {
            let text = compose(text);
            let tokens = self.tokenizer.tokens(&text, None);
            let Odds { moods, intents: wanted, evidence } = judge.odds(&tokens);
            let mut example = example_of(&tokens, &judge.reader);
            (example.sentiment, example.intents, example.group) = (sentiment, intents.to_vec(), group);
            Lesson { example, moods, intents: wanted, evidence }
        };
        let lessons: Vec<Lesson> = corrected
            .iter()
            .zip(&groups)
            .map(|(row, group)| lesson(&row.text, *group, row.sentiment, row.intents.as_deref().unwrap_or_default()))
            .collect();
        let known: HashSet<usize> = lessons.iter().map(|lesson| lesson.example.group).collect();
        let anchors = uncorrected
            .iter()
            .zip(&groups[corrected.len()..])
            .filter(|(_, group)| !known.contains(group))
            .map(|(text, group)| lesson(text, *group, None, &[]))
            .collect();
        (lessons, anchors)
    }
}

/// A text to learn from, with what the model says of it.
#[derive(Debug)]
struct Lesson {
    /// Without a sentiment or intents where the person leaves them to the analysis.
    example: Example,
    moods: [f32; MOODS],
    intents: [f32; INTENTS],
    evidence: Evidence,
}

impl Lesson {
    /// The log-odds with a delta.
    fn odds(&self, model: &Linear<'_>, delta: &Delta) -> ([f32; MOODS], [f32; INTENTS]) {
        let Example { features, cues, .. } = &self.example;
        (
            raised(self.moods, &model.moods.scales, &delta.moods, features.iter()),
            raised(self.intents, &model.intents.scales, &delta.intents, features.iter().chain(cues)),
        )
    }

    fn said(&self, model: &Linear<'_>, delta: &Delta) -> (SentimentLabel, IntentLabel) {
        let (moods, intents) = self.odds(model, delta);
        said(moods, &intents, self.evidence)
    }

    fn said_before(&self) -> (SentimentLabel, IntentLabel) {
        said(self.moods, &self.intents, self.evidence)
    }
}

fn raised<'f, const K: usize>(
    odds: [f32; K],
    scales: &[f32; K],
    table: &Table<K>,
    features: impl Iterator<Item = &'f (Hash, f32)>,
) -> [f32; K] {
    let mut sums = [0.0; K];
    features.for_each(|(feature, value)| table.add_all(&[*feature], *value, &mut sums));
    std::array::from_fn(|head| odds[head] + scales[head] * sums[head])
}

/// The mood and the main intent that log-odds of a text with so much evidence come to.
fn said(odds: [f32; MOODS], intents: &[f32; INTENTS], evidence: Evidence) -> (SentimentLabel, IntentLabel) {
    let chances = moods(&by_evidence(odds, evidence));
    (SentimentLabel::ALL[largest(&chances)], IntentLabel::ALL[largest(&wanted(*intents, &chances))])
}

/// What deltas are taught from.
struct Teacher<'t> {
    model: &'t Linear<'t>,
    lessons: &'t [Lesson],
    anchors: &'t [Lesson],
    /// Features of at least two corrections that say different things: others tell nothing of a text to come.
    known: HashMap<Hash, u32>,
    /// How much an anchor counts where a correction counts 1: all together at most as much as all of those.
    anchor_weight: f32,
}

impl<'t> Teacher<'t> {
    fn new(model: &'t Linear<'t>, lessons: &'t [Lesson], anchors: &'t [Lesson]) -> Self {
        let mut first: HashMap<Hash, usize> = HashMap::new();
        let mut known = HashMap::new();
        for Lesson { example, .. } in lessons {
            for (feature, _) in example.features.iter().chain(&example.cues) {
                if *first.entry(*feature).or_insert(example.group) != example.group {
                    let next = known.len() as u32;
                    known.entry(*feature).or_insert(next);
                }
            }
        }
        let anchor_weight = (lessons.len() as f32 / anchors.len().max(1) as f32).min(1.0);
        Self { model, lessons, anchors, known, anchor_weight }
    }

    /// A delta from the corrections that `taken` takes.
    fn teach(&self, moods_strength: f32, intents_strength: f32, taken: impl Fn(&Lesson) -> bool) -> Delta {
        Delta { moods: self.teach_moods(moods_strength, &taken), intents: self.teach_intents(intents_strength, &taken) }
    }

    fn teach_moods(&self, strength: f32, taken: &impl Fn(&Lesson) -> bool) -> Table<MOODS> {
        let wanted = self.lessons.iter().filter(|lesson| taken(lesson)).filter_map(|lesson| {
            let mut wanted = [0.0; SentimentLabel::ALL.len()];
            wanted[lesson.example.sentiment? as usize] = 1.0;
            Some((lesson, wanted, 1.0))
        });
        let held = self.anchors.iter().map(|anchor| (anchor, moods(&anchor.moods), self.anchor_weight));
        let tasks: Vec<_> = wanted
            .chain(held)
            .map(|(lesson, wanted, weight)| {
                let slopes = move |odds: &[f32; MOODS]| {
                    let chances = moods(odds);
                    let [negative, _, positive] = std::array::from_fn(|mood| chances[mood] - wanted[mood]);
                    let mut slopes = [0.0; MOODS];
                    slopes[OPINION] = weight * (negative + positive);
                    slopes[POLARITY] = weight * (positive - negative) / 2.0;
                    slopes
                };
                Task { features: self.known_of(&lesson.example.features, &[]), odds: lesson.moods, slopes }
            })
            .collect();
        self.table(&learn(&tasks, self.known.len(), strength), &self.model.moods.scales)
    }

    fn teach_intents(&self, strength: f32, taken: &impl Fn(&Lesson) -> bool) -> Table<INTENTS> {
        let secondary = Settings::default().secondary;
        let wanted = self.lessons.iter().filter(|lesson| taken(lesson)).filter_map(|lesson| {
            let (main, others) = lesson.example.intents.split_first()?;
            let mut wanted = [0.0; INTENTS];
            wanted[*main as usize] = if others.is_empty() { 1.0 } else { 1.0 - secondary };
            others.iter().for_each(|other| wanted[*other as usize] = secondary / others.len() as f32);
            Some((lesson, wanted, 1.0))
        });
        let held = self.anchors.iter().map(|anchor| (anchor, softmax(&anchor.intents), self.anchor_weight));
        let tasks: Vec<_> = wanted
            .chain(held)
            .map(|(lesson, wanted, weight)| {
                let slopes = move |odds: &[f32; INTENTS]| {
                    let chances = softmax(odds);
                    std::array::from_fn(|intent| weight * (chances[intent] - wanted[intent]))
                };
                let Example { features, cues, .. } = &lesson.example;
                Task { features: self.known_of(features, cues), odds: lesson.intents, slopes }
            })
            .collect();
        self.table(&learn(&tasks, self.known.len(), strength), &self.model.intents.scales)
    }

    fn known_of(&self, features: &[(Hash, f32)], cues: &[(Hash, f32)]) -> Vec<(u32, f32)> {
        let known = |(feature, value): &(Hash, f32)| Some((*self.known.get(feature)?, *value));
        features.iter().chain(cues).filter_map(known).collect()
    }

    /// Weights in log-odds, as a table holds them.
    fn table<const K: usize>(&self, weights: &[[f32; K]], scales: &[f32; K]) -> Table<K> {
        let units = |weights: &[f32; K]| {
            std::array::from_fn(|head| {
                let units = if scales[head] > 0.0 { (weights[head] / scales[head]).round() } else { 0.0 };
                units.clamp(-f32::from(i16::MAX), f32::from(i16::MAX)) as i16
            })
        };
        Table::new(self.known.iter().filter_map(|(feature, at)| Some((*feature, units(weights.get(*at as usize)?)))))
    }
}

/// A text as weights are learnt from it.
struct Task<const K: usize, S> {
    features: Vec<(u32, f32)>,
    /// What the model says.
    odds: [f32; K],
    /// How the loss grows with each head's log-odds.
    slopes: S,
}

/// Learns what to add to the model's weights: AdaGrad, each weight drawn to 0 as far as `strength` believes. The same
/// tasks in the same order give the same weights to the last bit.
fn learn<const K: usize, S: Fn(&[f32; K]) -> [f32; K]>(
    tasks: &[Task<K, S>],
    features: usize,
    strength: f32,
) -> Vec<[f32; K]> {
    if strength <= 0.0 || tasks.is_empty() {
        return Vec::new();
    }
    // Each weight is drawn whenever a text has its feature: all together once an epoch.
    let mut texts_with = vec![0.0_f32; features];
    tasks.iter().flat_map(|task| &task.features).for_each(|(feature, _)| texts_with[*feature as usize] += 1.0);
    let precision = 1.0 / (strength * strength);
    let mut weights = vec![[0.0_f32; K]; features];
    let mut seen = vec![[1e-2_f32; K]; features];
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    let mut dice = Dice::new(0x636f_7272_6563_7473);
    for epoch in 0..EPOCHS {
        dice.shuffle(&mut order);
        let rate = RATE * (1.0 - epoch as f32 / EPOCHS as f32);
        for task in order.iter().map(|index| &tasks[*index]) {
            let mut odds = task.odds;
            for (feature, value) in &task.features {
                for (odds, weight) in odds.iter_mut().zip(&weights[*feature as usize]) {
                    *odds += value * weight;
                }
            }
            let slopes = (task.slopes)(&odds);
            for (feature, value) in &task.features {
                let feature = *feature as usize;
                let pull = precision / texts_with[feature];
                for head in 0..K {
                    let weight = &mut weights[feature][head];
                    let slope = slopes[head] * value + pull * *weight;
                    let seen = &mut seen[feature][head];
                    *seen += slope * slope;
                    *weight -= rate * strength * slope / seen.sqrt();
                }
            }
        }
    }
    weights
}

/// What is told of one held-out correction.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// Of what the person says; nothing where that is left to the analysis.
    mood_loss: Option<f64>,
    intent_loss: Option<f64>,
    mood_right: bool,
    intent_right: bool,
}

impl Told {
    fn of(lesson: &Lesson, odds: &[f32; MOODS], intents: &[f32; INTENTS]) -> Self {
        let loss = |chance: f32| -f64::from(chance.max(SMALLEST_CHANCE)).ln();
        let Example { sentiment, intents: wanted, .. } = &lesson.example;
        let (mood, intent) = said(*odds, intents, lesson.evidence);
        Self {
            mood_loss: sentiment.map(|label| loss(moods(&by_evidence(*odds, lesson.evidence))[label as usize])),
            intent_loss: wanted.first().map(|label| loss(softmax(intents)[*label as usize])),
            mood_right: Some(mood) == *sentiment,
            intent_right: Some(&intent) == wanted.first(),
        }
    }
}

/// Every strength's word on corrections that it did not learn from.
struct Trial {
    /// By strength of moods and of intents, by correction.
    told: Vec<Vec<Vec<Told>>>,
}

impl Trial {
    /// Learns at every strength without each part of the corrections, and lets it tell that part.
    fn run(teacher: &Teacher<'_>) -> Self {
        let lessons = teacher.lessons;
        let mut odds: Vec<Vec<([f32; MOODS], [f32; INTENTS])>> = vec![Vec::new(); STRENGTHS.len()];
        for (strength, odds) in STRENGTHS.iter().zip(&mut odds) {
            let folds: Vec<Delta> = (0..FOLDS)
                .map(|fold| teacher.teach(*strength, *strength, |lesson| fold_of(&lesson.example) != fold))
                .collect();
            odds.extend(lessons.iter().map(|lesson| lesson.odds(teacher.model, &folds[fold_of(&lesson.example)])));
        }
        let told = |moods: usize, intents: usize| -> Vec<Told> {
            let both = odds[moods].iter().zip(&odds[intents]);
            lessons.iter().zip(both).map(|(lesson, (one, other))| Told::of(lesson, &one.0, &other.1)).collect()
        };
        let strengths = 0..STRENGTHS.len();
        Self {
            told: strengths
                .clone()
                .map(|moods| strengths.clone().map(|intents| told(moods, intents)).collect())
                .collect(),
        }
    }

    fn figures(&self, moods: usize, intents: usize) -> Figures {
        let told = &self.told[moods][intents];
        let held_out = |loss: fn(&Told) -> Option<f64>, right: fn(&Told) -> bool| {
            let losses: Vec<f64> = told.iter().filter_map(loss).collect();
            let count = losses.len().max(1) as f64;
            HeldOut {
                corrections: losses.len(),
                log_loss: losses.iter().sum::<f64>() / count,
                accuracy: told.iter().filter(|told| right(told)).count() as f64 / count,
            }
        };
        Figures {
            moods: held_out(|told| told.mood_loss, |told| told.mood_right),
            intents: held_out(|told| told.intent_loss, |told| told.intent_right),
        }
    }

    /// The strengths of moods and intents that lower the log loss most among those that make nothing worse and whose
    /// gain is no chance; none where there are none.
    fn best(&self) -> (usize, usize) {
        let before = self.figures(0, 0);
        let mut best = (0, 0);
        let mut most = 0.0;
        for (moods, of_intents) in self.told.iter().enumerate() {
            for (intents, _) in of_intents.iter().enumerate() {
                let after = self.figures(moods, intents);
                let worse = |before: HeldOut, after: HeldOut| {
                    after.log_loss > before.log_loss || after.accuracy < before.accuracy
                };
                let sure = (moods == 0 || self.is_gain(moods, 0, |told| told.mood_loss))
                    && (intents == 0 || self.is_gain(0, intents, |told| told.intent_loss));
                let gain =
                    before.moods.log_loss - after.moods.log_loss + before.intents.log_loss - after.intents.log_loss;
                if sure && gain > most && !worse(before.moods, after.moods) && !worse(before.intents, after.intents) {
                    (best, most) = ((moods, intents), gain);
                }
            }
        }
        best
    }

    /// Whether the loss falls by more than chance would have it, and there are enough corrections to say so.
    fn is_gain(&self, moods: usize, intents: usize, loss: fn(&Told) -> Option<f64>) -> bool {
        let pairs = self.told[0][0].iter().zip(&self.told[moods][intents]);
        let gains: Vec<f64> = pairs.filter_map(|(before, after)| Some(loss(before)? - loss(after)?)).collect();
        let count = gains.len() as f64;
        let mean = gains.iter().sum::<f64>() / count.max(1.0);
        let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        gains.len() >= FEWEST && mean > SURE * (variance / count).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::analyze::DictionaryPaths;

    const WORDS: [&str; 24] = [
        "kargo",
        "gelmedi",
        "harika",
        "teşekkürler",
        "bekliyorum",
        "iade",
        "fatura",
        "neden",
        "çok",
        "kötü",
        "güzel",
        "hızlı",
        "sipariş",
        "uygulama",
        "açılmıyor",
        "fiyat",
        "nedir",
        "mağaza",
        "bravo",
        "yine",
        "rezalet",
        "memnunum",
        "değil",
        "lütfen",
    ];

    fn analyzer() -> &'static Analyzer {
        static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| Analyzer::new(&DictionaryPaths::default()));
        &ANALYZER
    }

    /// Corrections by a rule of the brand's own, by nobody's rule, and everything between; some contradict each other.
    fn corrections() -> impl Strategy<Value = Vec<Corrected>> {
        let words = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 2..9);
        let one = (words, 0..SentimentLabel::ALL.len(), 0..INTENTS, 0..10_u8, any::<bool>());
        (proptest::collection::vec(one, 15..70), 0..=10_u8).prop_map(|(rows, noise)| {
            let corrected = |(words, mood, intent, dice, both): (Vec<&str>, usize, usize, u8, bool)| {
                // The brand's rule: who waits or asks for a price complains, whatever the words say otherwise.
                let waits = words.iter().any(|word| ["bekliyorum", "fiyat", "bravo"].contains(word));
                let by_rule =
                    if waits { (0, IntentLabel::Complaint as usize) } else { (2, IntentLabel::Praise as usize) };
                let (mood, intent) = if dice < noise { (mood, intent) } else { by_rule };
                Corrected {
                    text: words.join(" "),
                    sentiment: Some(SentimentLabel::ALL[mood]),
                    intents: both.then(|| vec![IntentLabel::ALL[intent]]),
                }
            };
            let mut rows: Vec<Corrected> = rows.into_iter().map(corrected).collect();
            let again = rows[..rows.len() / 5].to_vec();
            rows.extend(again.into_iter().map(|row| Corrected { sentiment: Some(SentimentLabel::Neutral), ..row }));
            rows
        })
    }

    /// Each correction told, by the judge that mentions are told by, with what the other parts teach; added up as log
    /// losses and right answers.
    fn told_by_the_judge(corrected: &[Corrected], strengths: (f32, f32)) -> [(f64, usize); 2] {
        let analyzer = analyzer();
        let plain = analyzer.judge("tr", None).expect("Turkish has a model");
        let (lessons, _) = analyzer.lessons(&plain, corrected, &[]);
        let teacher = Teacher::new(plain.model, &lessons, &[]);
        let mut sums = [(0.0, 0); 2];
        for fold in 0..FOLDS {
            let delta = teacher.teach(strengths.0, strengths.1, |lesson| fold_of(&lesson.example) != fold);
            let judge = Judge { delta: Some(&delta), ..plain };
            for (lesson, row) in lessons.iter().zip(corrected).filter(|(lesson, _)| fold_of(&lesson.example) == fold) {
                let text = compose(&row.text);
                let odds = judge.odds(&analyzer.tokenizer.tokens(&text, None));
                let told = Told::of(lesson, &odds.moods, &odds.intents);
                for (sum, loss, right) in
                    [(0, told.mood_loss, told.mood_right), (1, told.intent_loss, told.intent_right)]
                {
                    sums[sum].0 += loss.unwrap_or_default();
                    sums[sum].1 += usize::from(right);
                }
            }
        }
        sums
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The promise: whatever people say, and be it that they contradict each other, a delta that is kept tells
        /// corrections it was not learnt from no worse than the built-in model, by log loss and by accuracy.
        #[test]
        fn a_kept_delta_never_tells_held_out_corrections_worse(corrected in corrections()) {
            let outcome = analyzer().learn("tr", &corrected, &[]).expect("Turkish has a model");
            prop_assert_eq!(outcome.delta.is_some(), outcome.strengths != (0.0, 0.0));
            prop_assert!(outcome.delta.is_none() || outcome.different >= FEWEST);
            let before = told_by_the_judge(&corrected, (0.0, 0.0));
            let after = told_by_the_judge(&corrected, outcome.strengths);
            for (before, after) in before.iter().zip(&after) {
                // Sums of floats in another order differ in their last digits.
                prop_assert!(after.0 <= before.0 + 1e-3, "log loss {} -> {}: {outcome:?}", before.0, after.0);
                prop_assert!(after.1 >= before.1, "right {} -> {}: {outcome:?}", before.1, after.1);
            }
            prop_assert_eq!(&analyzer().learn("tr", &corrected, &[]), &Some(outcome), "the same again gives the same");
        }
    }

    #[test]
    fn a_rule_of_the_brand_is_learnt() {
        let mut dice = Dice::new(7);
        let corrected: Vec<Corrected> = (0..120)
            .map(|_| {
                let words: Vec<&str> = (0..6).map(|_| WORDS[dice.below(WORDS.len())]).collect();
                let ironic = words.contains(&"harika");
                let sentiment = Some(if ironic { SentimentLabel::Negative } else { SentimentLabel::Neutral });
                Corrected { text: words.join(" "), sentiment, intents: None }
            })
            .collect();
        let outcome = analyzer().learn("tr", &corrected, &[]).expect("Turkish has a model");
        assert!(outcome.after.moods.accuracy > outcome.before.moods.accuracy + 0.1, "{outcome:?}");
        assert!(outcome.delta.is_some_and(|delta| delta.intents.is_empty()), "nobody spoke of intents");
    }

    #[test]
    fn a_language_without_a_model_and_too_few_corrections_teach_nothing() {
        let corrected =
            Corrected { text: "Wo ist es?".to_owned(), sentiment: Some(SentimentLabel::Negative), intents: None };
        assert_eq!(analyzer().learn("de", &[corrected], &[]), None);
        let copies: Vec<Corrected> = (0..50)
            .map(|number| Corrected {
                text: format!("Kargom {number} gündür gelmedi, kimse cevap vermiyor"),
                sentiment: Some(SentimentLabel::Positive),
                intents: None,
            })
            .collect();
        let outcome = analyzer().learn("tr", &copies, &[]).expect("Turkish has a model");
        assert!(outcome.delta.is_none() && outcome.different < FEWEST, "copies are one: {outcome:?}");
        assert_eq!(analyzer().learn("tr", &[], &[]).and_then(|outcome| outcome.delta), None);
    }
}

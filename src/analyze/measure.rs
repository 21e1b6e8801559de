//! Figures of a model on labelled texts.

use super::linear::{INTENTS, LogOdds, OPINION, POLARITY, probability};
use crate::model::{IntentLabel, SentimentLabel};

/// The probabilities of negative, neutral and positive.
pub fn moods(odds: &LogOdds) -> [f32; 3] {
    let (opinion, good) = (probability(odds[OPINION]), probability(odds[POLARITY]));
    [opinion * (1.0 - good), 1.0 - opinion, opinion * good]
}

/// The place of the largest.
pub fn largest(values: &[f32]) -> usize {
    (0..values.len()).max_by(|one, other| values[*one].total_cmp(&values[*other])).unwrap_or(0)
}

/// Counts of what was true (first) and what was said (second).
#[derive(Debug, Clone, Default)]
pub struct Confusion {
    counts: Vec<Vec<u32>>,
}

impl Confusion {
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    pub fn add(&mut self, truth: usize, said: usize) {
        self.counts[truth][said] += 1;
    }

    /// F1 of a class; `None` where it neither is nor was said.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let right = f64::from(self.counts[class][class]);
        let truth: u32 = self.counts[class].iter().sum();
        let said: u32 = self.counts.iter().map(|row| row[class]).sum();
        (truth + said > 0).then(|| 2.0 * right / f64::from(truth + said))
    }

    /// Macro-F1 in percent over the classes that occur.
    pub fn macro_f1(&self) -> f64 {
        mean((0..self.counts.len()).filter(|class| self.occurs(*class)).map(|class| self.f1(class).unwrap_or(0.0)))
    }

    /// Macro-recall in percent over the classes that occur.
    pub fn macro_recall(&self) -> f64 {
        mean((0..self.counts.len()).filter(|class| self.occurs(*class)).map(|class| {
            f64::from(self.counts[class][class]) / f64::from(self.counts[class].iter().sum::<u32>().max(1))
        }))
    }

    fn occurs(&self, class: usize) -> bool {
        self.counts[class].iter().any(|count| *count > 0)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    100.0 * sum / f64::from(count.max(1))
}

/// How well sentiment is told, in percent.
#[derive(Debug, Clone, Default)]
pub struct SentimentFigures {
    pub rows: usize,
    pub macro_f1: f64,
    pub macro_recall: f64,
    /// Negative, neutral, positive.
    pub f1: [f64; 3],
    /// Expected calibration error over ten equal steps of confidence.
    pub calibration: f64,
    /// Accuracy on the more confident half.
    pub confident_half: f64,
}

/// Measures log-odds against what is true. A set without neutral texts is measured on good and bad alone.
pub fn sentiment(answers: &[(LogOdds, SentimentLabel)]) -> SentimentFigures {
    let polar = !answers.iter().any(|(_, truth)| *truth == SentimentLabel::Neutral);
    let mut confusion = Confusion::new(3);
    let mut judged: Vec<(f32, bool)> = Vec::with_capacity(answers.len());
    for (odds, truth) in answers {
        let mut moods = moods(odds);
        if polar {
            let good = probability(odds[POLARITY]);
            moods = [1.0 - good, 0.0, good];
        }
        let said = largest(&moods);
        confusion.add(*truth as usize, said);
        judged.push((moods[said], said == *truth as usize));
    }
    let mut error = 0.0;
    for step in 0..10 {
        let within: Vec<_> =
            judged.iter().filter(|(confidence, _)| ((confidence * 10.0) as usize).min(9) == step).collect();
        let sure: f64 = within.iter().map(|(confidence, _)| f64::from(*confidence)).sum();
        let right = within.iter().filter(|(_, right)| *right).count() as f64;
        error += (sure - right).abs();
    }
    judged.sort_by(|one, other| other.0.total_cmp(&one.0));
    let half = &judged[..judged.len().div_ceil(2)];
    SentimentFigures {
        rows: answers.len(),
        macro_f1: confusion.macro_f1(),
        macro_recall: confusion.macro_recall(),
        f1: std::array::from_fn(|class| 100.0 * confusion.f1(class).unwrap_or(0.0)),
        calibration: 100.0 * error / answers.len().max(1) as f64,
        confident_half: 100.0 * half.iter().filter(|(_, right)| *right).count() as f64 / half.len().max(1) as f64,
    }
}

/// How well intents are told, in percent.
#[derive(Debug, Clone, Default)]
pub struct IntentFigures {
    pub rows: usize,
    /// Macro-F1 of the main intent.
    pub main: f64,
    /// Macro-F1 of every intent on its own, named or not.
    pub every: f64,
    /// F1 of each intent on its own, in the order of [`IntentLabel::ALL`].
    pub f1: Vec<f64>,
}

/// Measures named intents (the main one first) against the true ones.
pub fn intents(answers: &[(Vec<IntentLabel>, &[IntentLabel])]) -> IntentFigures {
    let count = IntentLabel::ALL.len();
    let mut main = Confusion::new(count);
    let mut tally = vec![(0_u32, 0_u32, 0_u32); count];
    for (said, truth) in answers {
        if let (Some(said), Some(truth)) = (said.first(), truth.first()) {
            main.add(*truth as usize, *said as usize);
        }
        for label in IntentLabel::ALL {
            let (right, named, true_ones) = &mut tally[*label as usize];
            *named += u32::from(said.contains(label));
            *true_ones += u32::from(truth.contains(label));
            *right += u32::from(said.contains(label) && truth.contains(label));
        }
    }
    let f1: Vec<f64> = tally
        .iter()
        .map(|(right, named, true_ones)| 200.0 * f64::from(*right) / f64::from((named + true_ones).max(1)))
        .collect();
    let occurring: Vec<f64> =
        f1.iter().zip(&tally).filter(|(_, tally)| tally.2 > 0).map(|(f1, _)| *f1 / 100.0).collect();
    IntentFigures { rows: answers.len(), main: main.macro_f1(), every: mean(occurring.into_iter()), f1 }
}

/// Probability from which on an intent beside the main one is named.
pub const NAMED_FROM: f32 = 0.4;

/// The intents that log-odds name, the likeliest first; `other` only ever alone.
pub fn named(odds: &LogOdds) -> Vec<(IntentLabel, f32)> {
    let mut all: Vec<(IntentLabel, f32)> =
        IntentLabel::ALL.iter().map(|label| (*label, probability(odds[INTENTS + *label as usize]))).collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1));
    if all[0].0 == IntentLabel::Other {
        all.truncate(1);
    }
    let (main, others) = all.split_at(1);
    let others = others.iter().filter(|(label, chance)| *label != IntentLabel::Other && *chance >= NAMED_FROM);
    main.iter().chain(others).copied().collect()
}

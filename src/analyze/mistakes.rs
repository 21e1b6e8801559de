//! The surest wrong answers on our own corpus, by which a reader sees what a model does not understand.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::corpus::Row;
use super::linear::{moods, softmax};
use super::measure::largest;
use super::report::{CROSSED, KEPT_APART, Measured};
use super::sources::OWN_CORPUS;
use super::teach::Answer;
use crate::model::{IntentLabel, SentimentLabel};

/// So many mistakes are named of each kind.
const NAMED: usize = 10;

/// A wrong answer: how probable it was in thousandths, the place of its text, what it is and what was said.
struct Mistake {
    thousandths: u16,
    place: usize,
    truth: &'static str,
    said: &'static str,
}

/// Writes tables of the surest mistakes in sentiment and, where it was taught, in the main intent. `mentions` are our own, in
/// the order in which they were read to learn from; they are named with their texts, and texts of other sets never are.
/// Cross-validation is asked first; a language whose mentions are all kept apart has none.
pub(super) fn tables(report: &mut String, mentions: &[Row], measured: &[Measured], intents: bool) {
    let of_part =
        |part: &'static str| measured.iter().find(|measured| (measured.name, measured.part) == (OWN_CORPUS, part));
    let Some(measured) = of_part(CROSSED).or_else(|| of_part(KEPT_APART)) else { return };
    let _ = writeln!(report, "\n### Worst mistakes: wrong and surest of it, {OWN_CORPUS}, {}", measured.part);
    table(report, "sentiment", mentions, &measured.answers, sentiment);
    if intents {
        table(report, "main intent", mentions, &measured.answers, main_intent);
    }
}

fn sentiment(answer: &Answer) -> Option<Mistake> {
    let truth = answer.sentiment?;
    mistake(answer.place, &moods(&answer.moods), truth as usize, |place| SentimentLabel::ALL[place].as_str())
}

fn main_intent(answer: &Answer) -> Option<Mistake> {
    let truth = *answer.wanted.first()?;
    mistake(answer.place, &softmax(&answer.intents), truth as usize, |place| IntentLabel::ALL[place].as_str())
}

fn mistake(place: usize, chances: &[f32], truth: usize, name: impl Fn(usize) -> &'static str) -> Option<Mistake> {
    let said = largest(chances);
    let thousandths = (1000.0 * chances[said]).round() as u16;
    (said != truth).then(|| Mistake { thousandths, place, truth: name(truth), said: name(said) })
}

fn table(
    report: &mut String,
    what: &str,
    mentions: &[Row],
    answers: &[Answer],
    wrong: impl Fn(&Answer) -> Option<Mistake>,
) {
    let _ = writeln!(report, "\n| text | {what} | said | how surely |\n|---|---|---|---|");
    let mut mistakes: Vec<Mistake> = answers.iter().filter_map(wrong).collect();
    mistakes.sort_by_key(|mistake| (Reverse(mistake.thousandths), mistake.place));
    for Mistake { thousandths, place, truth, said } in mistakes.into_iter().take(NAMED) {
        let text = mentions.get(place).map_or("", |row| row.text.as_str()).replace('|', "\\|");
        let _ = writeln!(report, "| {text} | {truth} | {said} | {:.1} |", f64::from(thousandths) / 10.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::mention;
    use super::*;

    #[test]
    fn the_surest_mistake_comes_first_with_its_text() {
        let mentions: Vec<Row> = ["bir", "iki | üç", "dört"]
            .iter()
            .map(|text| mention(&["neutral", "other", "tr", text]).expect("a mention"))
            .collect();
        let answer = |place: usize, opinion: f32| Answer {
            place,
            moods: [opinion, 1.0],
            intents: [0.0; IntentLabel::ALL.len()],
            sentiment: Some(SentimentLabel::Neutral),
            wanted: vec![IntentLabel::Other],
        };
        let answers = vec![answer(0, 1.0), answer(1, 4.0), answer(2, -4.0)];
        let measured = [Measured { name: OWN_CORPUS, part: CROSSED, answers }];
        let mut report = String::new();
        tables(&mut report, &mentions, &measured, false);
        let lines: Vec<&str> =
            report.lines().filter(|line| line.starts_with("| ") && line.contains("neutral")).collect();
        assert_eq!(lines.len(), 2, "the third is right: {report}");
        assert!(lines[0].starts_with("| iki \\| üç | neutral | positive |"), "{report}");
        assert!(lines[1].starts_with("| bir |"), "{report}");
    }
}

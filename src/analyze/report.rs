//! Trains the models, measures them and says how: what `muhatap train` does.

use std::fmt::Write as _;
use std::path::Path;

use super::Lists;
use super::corpus::CorpusError;
use super::features::{Kinds, Reader};
use super::language::table::NotATable;
use super::linear::{self, INTENTS, Linear, MOODS, NotAModel, agree, softmax};
use super::measure::{self, named};
use super::sources::{self, Prepared, origins, typed_in_ascii};
use super::teach::{self, Answer, FOLDS, Fitted, HeldBack, Settings, teach, validate};
use super::tokens::Tokenizer;
use super::train::Example;
use crate::model::{IntentLabel, SentimentLabel};

/// What was trained for a language.
#[derive(Debug)]
pub struct Trained {
    pub file: Vec<u8>,
    /// Markdown: the sets with their licences, and the figures.
    pub report: String,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    #[error("the model that was written cannot be read back: {0}")]
    Model(#[from] NotAModel),
    #[error("the table of languages that was written cannot be read back: {0}")]
    Table(#[from] NotATable),
}

/// A set and the texts of it that a line of the report is about.
struct Measured<'a> {
    name: &'a str,
    part: &'static str,
    answers: Vec<Answer>,
}

/// Learns the model of `language` and measures it. `say` hears of each step; the same files give the same model.
pub fn train(
    language: &str,
    corpus: &Path,
    data: &Path,
    open_data: bool,
    say: &dyn Fn(&str),
) -> Result<Trained, TrainError> {
    let lists = Lists::default();
    let (reader, tokenizer, settings) = (lists.reader(language), Tokenizer::default(), Settings::default());
    let read = |reader: &Reader<'_>, typed: &dyn Fn(&str) -> String| -> Result<Vec<Prepared>, CorpusError> {
        let origins = origins(language, corpus, data)?.into_iter().filter(|origin| origin.open || !open_data);
        Ok(sources::prepare(origins.collect(), &tokenizer, reader, typed))
    };
    say(&format!("{language}: reading the sets"));
    let sets = read(&reader, &str::to_owned)?;
    say(&format!("{language}: cross-validation, and learning without each set"));
    let without = without_each(&sets);
    let folds: Vec<HeldBack> = (0..FOLDS).map(HeldBack::Fold).collect();
    let mut validated = validate(&sets, &settings, &[folds, without.clone()].concat());
    let mut left_out: Vec<(usize, Answer)> = validated.split_off(FOLDS).into_iter().flatten().collect();
    let mut crossed: Vec<(usize, Answer)> = validated.into_iter().flatten().collect();
    let fitted = fit(&sets, &crossed, &left_out);
    for (_, answer) in crossed.iter_mut().chain(&mut left_out) {
        fitted.apply(answer);
    }
    say(&format!("{language}: learning from all"));
    let file = teach(&sets, &settings, |_, _| true).file(&fitted);
    let whole = Linear::read(&file)?;
    let mut measured = Vec::new();
    for set in &sets {
        measured.push(of_model(&whole, set.origin.name, "kept apart", &set.test));
        measured.push(of_model(&whole, set.origin.name, "its dev part", &set.dev));
    }
    if language == "tr" {
        say(&format!("{language}: the same typed without Turkish letters"));
        for set in read(&reader, &typed_in_ascii)? {
            let name = sets.iter().find(|known| known.origin.name == set.origin.name).map_or("", |set| set.origin.name);
            measured.push(of_model(&whole, name, "kept apart, no Turkish letters", &set.test));
            measured.push(of_model(&whole, name, "its dev part, no Turkish letters", &set.dev));
        }
    }
    measured.extend(by_set(&sets, &crossed, "cross-validation"));
    measured.extend(by_set(&sets, &left_out, "set left out"));
    measured.retain(|measured| !measured.answers.is_empty());

    let mut report = String::new();
    describe(&mut report, language, open_data, &sets, file.len());
    sentiment_table(&mut report, &measured);
    intents_table(&mut report, &measured);
    let _ =
        writeln!(report, "\n### Coverage: how sure a sentiment has to be, and what is right then\n\n{COVERAGE_HEADER}");
    for measured in &measured {
        coverage_line(&mut report, measured);
    }
    Ok(Trained { file, report })
}

/// Every set that can be left out: three moods or intents, and something to learn from besides.
fn without_each(sets: &[Prepared]) -> Vec<HeldBack> {
    let counts = |set: &Prepared| set.origin.three_moods() || set.origin.home();
    let all: Vec<HeldBack> = (0..sets.len()).filter(|index| counts(&sets[*index])).map(HeldBack::Set).collect();
    if all.len() > 1 { all } else { Vec::new() }
}

/// New texts are partly like those learnt from and partly not: every set held back in parts, and every public set held back
/// as a whole, count alike.
fn fit(sets: &[Prepared], crossed: &[(usize, Answer)], left_out: &[(usize, Answer)]) -> Fitted {
    let grouped = |answers: &'_ [(usize, Answer)], wanted: &dyn Fn(&Prepared) -> bool| -> Vec<Vec<Answer>> {
        let chosen = (0..sets.len()).filter(|index| wanted(&sets[*index]));
        let of = |index: usize| answers.iter().filter(move |(set, _)| *set == index).map(|(_, answer)| answer.clone());
        chosen.map(|index| of(index).collect()).collect()
    };
    let three = |set: &Prepared| set.origin.three_moods();
    let public = |set: &Prepared| set.origin.three_moods() && !set.origin.home();
    // Without the only public set too little is left to learn from to say anything of new texts.
    let several = sets.iter().filter(|set| public(set)).count() > 1;
    let foreign = |set: &Prepared| several && public(set);
    let moods = [grouped(crossed, &three), grouped(left_out, &foreign)].concat();
    let moods: Vec<Vec<&Answer>> = moods.iter().map(|group| group.iter().collect()).collect();
    let mut fitted = Fitted { sharpness: teach::sharpness(&moods), intents_bias: [0.0; INTENTS] };
    let mut intents = grouped(crossed, &|set| set.origin.home()).concat();
    for answer in &mut intents {
        fitted.apply(answer);
    }
    fitted.intents_bias = teach::intents_bias(&intents);
    fitted
}

fn of_model<'a>(model: &Linear<'_>, name: &'a str, part: &'static str, examples: &[Example]) -> Measured<'a> {
    let answer = |example: &Example| {
        let (mut moods, mut intents) = ([0.0; MOODS], [0.0; INTENTS]);
        for (hash, value) in &example.features {
            model.moods.add(*hash, *value, &mut moods);
        }
        for (hash, value) in example.features.iter().chain(&example.cues) {
            model.intents.add(*hash, *value, &mut intents);
        }
        let moods = model.moods.log_odds(&moods);
        let mut intents = model.intents.log_odds(&intents);
        agree(&mut intents, &linear::moods(&moods));
        Answer { moods, intents, sentiment: example.sentiment, wanted: example.intents.clone() }
    };
    Measured { name, part, answers: examples.iter().map(answer).collect() }
}

fn by_set<'a>(sets: &'a [Prepared], answers: &[(usize, Answer)], part: &'static str) -> Vec<Measured<'a>> {
    let of = |index: usize| answers.iter().filter(|(set, _)| *set == index).map(|(_, answer)| answer.clone()).collect();
    sets.iter().enumerate().map(|(index, set)| Measured { name: set.origin.name, part, answers: of(index) }).collect()
}

fn judged(measured: &Measured<'_>) -> Vec<([f32; MOODS], SentimentLabel)> {
    measured.answers.iter().filter_map(|answer| Some((answer.moods, answer.sentiment?))).collect()
}

fn sentiment_table(report: &mut String, measured: &[Measured<'_>]) {
    let _ = writeln!(
        report,
        "\n### Sentiment\n\n| set | measured on | rows | mF1 | macro-recall | negative | neutral | positive | \
         calibration error | accuracy, surer half |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for measured in measured {
        let judged = judged(measured);
        if judged.is_empty() {
            continue;
        }
        let figures = measure::sentiment(&judged);
        let [negative, neutral, positive] = figures.f1;
        let _ = writeln!(
            report,
            "| {} | {} | {} | {:.1} | {:.1} | {negative:.1} | {neutral:.1} | {positive:.1} | {:.1} | {:.1} |",
            measured.name,
            measured.part,
            figures.rows,
            figures.macro_f1,
            figures.macro_recall,
            figures.calibration,
            figures.confident_half
        );
    }
}

fn intents_table(report: &mut String, measured: &[Measured<'_>]) {
    let names: Vec<&str> = IntentLabel::ALL.iter().map(|label| label.as_str()).collect();
    let _ = writeln!(
        report,
        "\n### Intents\n\nAfter the mean F1 of the main intent and of each intent on its own: F1 of each on its own.\n\n\
         | set | measured on | rows | main mF1 | each mF1 | {} |\n|---|---|---|---|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for measured in measured {
        let answered: Vec<(Vec<IntentLabel>, &[IntentLabel])> = measured
            .answers
            .iter()
            .filter(|answer| !answer.wanted.is_empty())
            .map(|answer| {
                let said = named(&softmax(&answer.intents)).into_iter().map(|(label, _)| label).collect();
                (said, answer.wanted.as_slice())
            })
            .collect();
        if answered.is_empty() {
            continue;
        }
        let figures = measure::intents(&answered);
        let each: Vec<String> = figures.f1.iter().map(|f1| format!("{f1:.0}")).collect();
        let _ = writeln!(
            report,
            "| {} | {} | {} | {:.1} | {:.1} | {} |",
            measured.name,
            measured.part,
            figures.rows,
            figures.main,
            figures.every,
            each.join(" | ")
        );
    }
}

/// Shares of texts, the surest first.
const COVERED: [f64; 4] = [0.25, 0.5, 0.75, 1.0];
const COVERAGE_HEADER: &str =
    "| set | measured on | surest quarter | half | three quarters | all |\n|---|---|---|---|---|---|";

fn coverage_line(report: &mut String, measured: &Measured<'_>) {
    let judged = judged(measured);
    if judged.is_empty() {
        return;
    }
    let accuracies = COVERED.map(|share| format!("{:.1}", measure::accuracy_of_surest(&judged, share)));
    let _ = writeln!(report, "| {} | {} | {} |", measured.name, measured.part, accuracies.join(" | "));
}

/// Kinds of features that are left out one by one.
const ABLATIONS: [(&str, Kinds); 5] = [
    ("runs of letters", Kinds { runs: false, ..Kinds::ALL }),
    ("pairs of words", Kinds { pairs: false, ..Kinds::ALL }),
    ("lists of good and bad words", Kinds { moods: false, ..Kinds::ALL }),
    ("phrases of intents", Kinds { cues: false, ..Kinds::ALL }),
    ("capitals, drawn-out letters", Kinds { look: false, ..Kinds::ALL }),
];
/// Ablations are measured on this many parts of the cross-validation, which is enough to compare.
const ABLATED_FOLDS: usize = 2;

/// Measures what each kind of features is good for: markdown.
pub fn ablations(language: &str, corpus: &Path, data: &Path, say: &dyn Fn(&str)) -> Result<String, TrainError> {
    let lists = Lists::default();
    let (reader, tokenizer, settings) = (lists.reader(language), Tokenizer::default(), Settings::default());
    let mut report = format!(
        "\n### Ablations, `{language}`\n\nMean over the sets, before anything is fitted, on {ABLATED_FOLDS} of {FOLDS} parts \
         of the cross-validation and on sets left out.\n\n| left out | sentiment mF1, cross-validation | sentiment mF1, sets \
         left out | main intent mF1, cross-validation |\n|---|---|---|---|\n"
    );
    for (name, kinds) in std::iter::once(("nothing", Kinds::ALL)).chain(ABLATIONS) {
        say(&format!("{language}: ablation, without {name}"));
        let sets =
            sources::prepare(origins(language, corpus, data)?, &tokenizer, &Reader { kinds, ..reader }, str::to_owned);
        let without = without_each(&sets);
        let jobs: Vec<HeldBack> = (0..ABLATED_FOLDS).map(HeldBack::Fold).chain(without).collect();
        let mut answers = validate(&sets, &settings, &jobs);
        let left_out: Vec<_> = answers.split_off(ABLATED_FOLDS).into_iter().flatten().collect();
        let crossed: Vec<_> = answers.into_iter().flatten().collect();
        let moods = |answers: &[(usize, Answer)]| {
            let measured = by_set(&sets, answers, "");
            let judged =
                measured.iter().zip(&sets).filter(|(_, set)| set.origin.three_moods()).map(|(one, _)| judged(one));
            measure::mean_of(
                judged.filter(|judged| !judged.is_empty()).map(|judged| measure::sentiment(&judged).macro_f1),
            )
        };
        let intents = measure::mean_of(
            by_set(&sets, &crossed, "")
                .iter()
                .zip(&sets)
                .filter(|(_, set)| set.origin.home())
                .map(|(measured, _)| main_macro_f1(measured)),
        );
        let _ = writeln!(report, "| {name} | {:.1} | {:.1} | {intents:.1} |", moods(&crossed), moods(&left_out));
    }
    Ok(report)
}

fn main_macro_f1(measured: &Measured<'_>) -> f64 {
    let mut confusion = measure::Confusion::new(INTENTS);
    for answer in &measured.answers {
        if let Some(truth) = answer.wanted.first() {
            confusion.add(*truth as usize, measure::largest(&answer.intents));
        }
    }
    confusion.macro_f1()
}

fn describe(report: &mut String, language: &str, open_data: bool, sets: &[Prepared], bytes: usize) {
    let which = if open_data { ", from tier A data and our own corpus alone" } else { "" };
    let _ = writeln!(
        report,
        "## Sentiment and intents, `{language}`{which}\n\nSize: {bytes} bytes. Learnt from:\n\n\
         | set | rows learnt from | counts as, for sentiment | for intents | licence |\n|---|---|---|---|---|"
    );
    for set in sets {
        let origin = &set.origin;
        let _ = writeln!(
            report,
            "| {} | {} | {:.0} | {:.0} | {} |",
            origin.name,
            set.train.len(),
            origin.moods_mass,
            origin.intents_mass,
            origin.licence
        );
    }
}

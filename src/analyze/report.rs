//! Trains the models, measures them and says how: what `muhatap train` does.

use std::fmt::Write as _;
use std::path::Path;

use super::Lists;
use super::card::{self, Entry};
use super::corpus::{self, CorpusError, Part, Row};
use super::features::{Kinds, Reader};
use super::language::table::NotATable;
use super::linear::{
    self, Evidence, INTENTS, Linear, MOODS, NotAModel, OPINION, POLARITY, Worn, agree, by_evidence, softmax,
};
use super::measure::{self, IntentFigures, named};
use super::mistakes;
use super::sentiment::of_emoji;
use super::sources::{self, Origin, Prepared, TRIED, WITH_INTENTS, origins, typed_in_ascii};
use super::teach::{self, Answer, FOLDS, Fitted, HeldBack, Settings, teach, validate};
use super::tokens::{Tokenizer, compose};
use super::train::{Example, Recipe};
use crate::model::{IntentLabel, SentimentLabel};

/// What was trained for a language, from everything and from open data alone.
#[derive(Debug)]
pub struct Trained {
    pub all: Variant,
    pub open: Variant,
    /// Markdown: the sets with their licences, and the figures of both.
    pub report: String,
}

/// A model's file and what its card says of it.
#[derive(Debug, Clone)]
pub struct Variant {
    pub file: Vec<u8>,
    pub card: Entry,
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
pub(super) struct Measured {
    pub name: &'static str,
    pub part: &'static str,
    pub answers: Vec<Answer>,
}

/// Parts of a set, as the report names them.
pub(super) const KEPT_APART: &str = "kept apart";
pub(super) const DEV: &str = "its dev part";
pub(super) const CROSSED: &str = "cross-validation";
const LEFT_OUT: &str = "set left out";

/// A model of sentiment without word lists has little to learn from.
const SMALL: Recipe = Recipe { bits: 14, epochs: 12, rate: 0.02, l2: 3e-5 };
/// What was not taught is written with one row.
const NOTHING: Recipe = Recipe { bits: 0, epochs: 0, rate: 0.0, l2: 0.0 };

fn settings(language: &str, sets: &[Prepared]) -> Settings {
    if WITH_INTENTS.contains(&language) {
        return Settings::of(language);
    }
    let taught = sets.iter().any(|set| !set.train.is_empty());
    Settings { moods: if taught { SMALL } else { NOTHING }, intents: NOTHING, ..Settings::default() }
}

/// Learns the model of `language` twice, from everything and from open data alone, and measures both. `say` hears of each
/// step; the same files give the same models.
pub fn train(language: &str, corpus: &Path, data: &Path, say: &dyn Fn(&str)) -> Result<Trained, TrainError> {
    let lists = Lists::default();
    let (reader, tokenizer) = (lists.reader(language), Tokenizer::default());
    let read = |typed: &dyn Fn(&str) -> String| -> Result<Vec<Prepared>, CorpusError> {
        Ok(sources::prepare(origins(language, corpus, data)?, &tokenizer, &reader, typed))
    };
    say(&format!("{language}: reading the sets"));
    let mut sets = read(&str::to_owned)?;
    let ascii = if IN_ASCII.contains(&language) { read(&typed_in_ascii)? } else { Vec::new() };
    let (file, measured) = learn(language, &sets, &ascii, say)?;
    let all = Variant { card: card::entry(language, &sets, &measured, file.len()), file };

    let mut report = String::new();
    describe(&mut report, language, &sets, all.file.len());
    if !WITH_INTENTS.contains(&language) {
        emoji_alone(&mut report, &origins(language, corpus, data)?, &tokenizer, &lists);
    }
    sentiment_table(&mut report, &measured);
    if WITH_INTENTS.contains(&language) {
        intents_table(&mut report, &measured);
    }
    let _ =
        writeln!(report, "\n### Coverage: how sure a sentiment has to be, and what is right then\n\n{COVERAGE_HEADER}");
    for measured in &measured {
        coverage_line(&mut report, measured);
    }

    let with_intents = WITH_INTENTS.contains(&language);
    mistakes::tables(&mut report, &corpus::mentions(corpus, language)?, &measured, with_intents);

    // The other sets are measured on still, as texts of a kind that was never learnt.
    for set in sets.iter_mut().filter(|set| !set.origin.open) {
        set.train.clear();
    }
    say(&format!("{language}: the same from open data alone"));
    let (file, from_open) = learn(language, &sets, &ascii, say)?;
    let open = Variant { card: card::entry(language, &sets, &from_open, file.len()), file };
    side_by_side(&mut report, &measured, &from_open);
    Ok(Trained { all, open, report })
}

/// Languages that are also typed without their dots and accents.
const IN_ASCII: [&str; 6] = ["tr", "de", "fr", "es", "it", "pt"];

/// Learns from the train parts of `sets`: the model's file, and all that was measured. `ascii` are the same sets as they
/// are typed without accents.
fn learn(
    language: &str,
    sets: &[Prepared],
    ascii: &[Prepared],
    say: &dyn Fn(&str),
) -> Result<(Vec<u8>, Vec<Measured>), TrainError> {
    let settings = settings(language, sets);
    say(&format!("{language}: cross-validation, and learning without each set"));
    let without = without_each(sets);
    let folds: Vec<HeldBack> = (0..FOLDS).map(HeldBack::Fold).collect();
    let mut validated = validate(sets, &settings, &[folds, without].concat());
    let mut left_out: Vec<(usize, Answer)> = validated.split_off(FOLDS).into_iter().flatten().collect();
    let mut crossed: Vec<(usize, Answer)> = validated.into_iter().flatten().collect();
    let fitted = fit(sets, &crossed);
    for (_, answer) in crossed.iter_mut().chain(&mut left_out) {
        fitted.apply(answer);
    }
    say(&format!("{language}: learning from all of it"));
    let file = teach(sets, &settings, |_, _| true).file(&fitted);
    let whole = Linear::read(&file)?;
    let mut measured = Vec::new();
    for (sets, kept_apart, dev) in
        [(sets, KEPT_APART, DEV), (ascii, "kept apart, typed in ASCII", "its dev part, typed in ASCII")]
    {
        for set in sets {
            measured.push(of_model(&whole, set.origin.name, kept_apart, &set.test));
            measured.push(of_model(&whole, set.origin.name, dev, &set.dev));
        }
    }
    measured.extend(by_set(sets, &crossed, CROSSED));
    measured.extend(by_set(sets, &left_out, LEFT_OUT));
    measured.retain(|measured| !measured.answers.is_empty());
    Ok((file, measured))
}

/// Every set that can be left out: three moods or intents, learnt from, and something to learn from besides.
fn without_each(sets: &[Prepared]) -> Vec<HeldBack> {
    let counts = |set: &Prepared| !set.train.is_empty() && (set.origin.three_moods() || set.origin.home());
    let all: Vec<HeldBack> = (0..sets.len()).filter(|index| counts(&sets[*index])).map(HeldBack::Set).collect();
    if all.len() > 1 { all } else { Vec::new() }
}

/// Every set counts alike, by answers of models that had not learnt the texts. Answers of models that had not learnt anything
/// like them would make everybody who writes as those sets do look less sure than he is.
fn fit(sets: &[Prepared], crossed: &[(usize, Answer)]) -> Fitted {
    let of = |index: usize| crossed.iter().filter(move |(set, _)| *set == index).map(|(_, answer)| answer);
    let chosen = |wanted: &dyn Fn(&Origin) -> bool| -> Vec<usize> {
        (0..sets.len()).filter(|index| wanted(&sets[*index].origin)).collect()
    };
    let moods: Vec<Vec<&Answer>> = chosen(&Origin::three_moods).into_iter().map(|index| of(index).collect()).collect();
    let mut fitted = Fitted { sharpness: teach::sharpness(&moods), intents_bias: [0.0; INTENTS] };
    let mut intents: Vec<Answer> = chosen(&Origin::home).into_iter().flat_map(of).cloned().collect();
    for answer in &mut intents {
        fitted.apply(answer);
    }
    fitted.intents_bias = teach::intents_bias(&intents);
    fitted
}

fn of_model(model: &Linear<'_>, name: &'static str, part: &'static str, examples: &[Example]) -> Measured {
    let answer = |example: &Example| {
        let (mut moods, mut intents) = ([0.0; MOODS], [0.0; INTENTS]);
        let mut squares = 0.0;
        for ((hash, value), square) in example.features.iter().zip(&example.squares) {
            model.moods.add(*hash, *value, &mut moods);
            squares += square * model.moods.squares(&[*hash], POLARITY);
        }
        for (hash, value) in example.features.iter().chain(&example.cues) {
            model.intents.add(*hash, *value, &mut intents);
        }
        for (hash, value) in &example.cues {
            model.moods.add_to(OPINION, *hash, *value, &mut moods);
        }
        let evidence = match example.worn {
            Worn::ByLength => Evidence::Words(example.words),
            Worn::BySpread => Evidence::Spread(model.moods.scales[POLARITY].powi(2) * squares),
        };
        let moods = by_evidence(model.moods.log_odds(&moods), evidence);
        let mut intents = model.intents.log_odds(&intents);
        agree(&mut intents, &linear::moods(&moods));
        Answer { place: example.place, moods, intents, sentiment: example.sentiment, wanted: example.intents.clone() }
    };
    Measured { name, part, answers: examples.iter().map(answer).collect() }
}

fn by_set(sets: &[Prepared], answers: &[(usize, Answer)], part: &'static str) -> Vec<Measured> {
    let of = |index: usize| answers.iter().filter(|(set, _)| *set == index).map(|(_, answer)| answer.clone()).collect();
    sets.iter().enumerate().map(|(index, set)| Measured { name: set.origin.name, part, answers: of(index) }).collect()
}

pub(super) fn judged(measured: &Measured) -> Vec<([f32; MOODS], SentimentLabel)> {
    measured.answers.iter().filter_map(|answer| Some((answer.moods, answer.sentiment?))).collect()
}

/// Figures of the intents; `None` where a set has none.
pub(super) fn intents_of(measured: &Measured) -> Option<IntentFigures> {
    let answered: Vec<(Vec<IntentLabel>, &[IntentLabel])> = measured
        .answers
        .iter()
        .filter(|answer| !answer.wanted.is_empty())
        .map(|answer| {
            let said = named(&softmax(&answer.intents)).into_iter().map(|(label, _)| label).collect();
            (said, answer.wanted.as_slice())
        })
        .collect();
    (!answered.is_empty()).then(|| measure::intents(&answered))
}

fn sentiment_table(report: &mut String, measured: &[Measured]) {
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

fn intents_table(report: &mut String, measured: &[Measured]) {
    let names: Vec<&str> = IntentLabel::ALL.iter().map(|label| label.as_str()).collect();
    let _ = writeln!(
        report,
        "\n### Intents\n\nAfter the mean F1 of the main intent and of each intent on its own: F1 of each on its own.\n\n\
         | set | measured on | rows | main mF1 | each mF1 | {} |\n|---|---|---|---|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for measured in measured {
        let Some(figures) = intents_of(measured) else { continue };
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

fn coverage_line(report: &mut String, measured: &Measured) {
    let judged = judged(measured);
    if judged.is_empty() {
        return;
    }
    let accuracies = COVERED.map(|share| format!("{:.1}", measure::accuracy_of_surest(&judged, share)));
    let _ = writeln!(report, "| {} | {} | {} |", measured.name, measured.part, accuracies.join(" | "));
}

/// What emoji alone say, by which a language without a model is judged.
fn emoji_alone(report: &mut String, origins: &[Origin], tokenizer: &Tokenizer, lists: &Lists) {
    let _ = writeln!(report, "\nEmoji alone, mF1:");
    for origin in origins {
        for (part, name) in [(Part::Test, KEPT_APART), (Part::Dev, DEV)] {
            let mut confusion = measure::Confusion::new(SentimentLabel::ALL.len());
            let rows: Vec<&Row> = origin.rows.iter().filter(|row| row.part == part).collect();
            for row in &rows {
                let Some(truth) = row.sentiment else { continue };
                let text = compose(&row.text);
                let said = of_emoji(&text, &tokenizer.tokens(&text, None), &lists.emoji).label;
                confusion.add(truth as usize, said as usize);
            }
            if !rows.is_empty() {
                let _ = writeln!(report, "- {}, {name}: {:.1}", origin.name, confusion.macro_f1());
            }
        }
    }
}

/// The figures of both models beside each other, on texts that neither has learnt.
fn side_by_side(report: &mut String, all: &[Measured], open: &[Measured]) {
    let _ = writeln!(report, "\n### From all sets, and from open data alone (tier A and our own corpus)\n");
    // What was learnt from nothing answers nothing.
    let empty = open.iter().all(|measured| measured.answers.iter().all(|answer| answer.moods == [0.0; MOODS]));
    if empty {
        let _ = writeln!(report, "There is no open set: with `--open-data` emoji alone judge this language.");
        return;
    }
    let _ = writeln!(
        report,
        "| set | measured on | rows | sentiment mF1, all | open | calibration error, all | open | main intent mF1, all | \
         open |\n|---|---|---|---|---|---|---|---|---|"
    );
    for measured in all.iter().filter(|measured| [KEPT_APART, DEV].contains(&measured.part)) {
        let same = |other: &&Measured| (other.name, other.part) == (measured.name, measured.part);
        let Some(other) = open.iter().find(same) else { continue };
        let moods = [measured, other].map(|measured| {
            let judged = judged(measured);
            (!judged.is_empty()).then(|| measure::sentiment(&judged))
        });
        let intents = [measured, other].map(intents_of);
        let figure = |figure: Option<f64>| figure.map_or(String::new(), |figure| format!("{figure:.1}"));
        let mut line = format!("| {} | {} | {} |", measured.name, measured.part, measured.answers.len());
        for cell in moods.iter().map(|moods| moods.as_ref().map(|moods| moods.macro_f1)) {
            let _ = write!(line, " {} |", figure(cell));
        }
        for cell in moods.iter().map(|moods| moods.as_ref().map(|moods| moods.calibration)) {
            let _ = write!(line, " {} |", figure(cell));
        }
        for cell in intents.iter().map(|intents| intents.as_ref().map(|intents| intents.main)) {
            let _ = write!(line, " {} |", figure(cell));
        }
        let _ = writeln!(report, "{line}");
    }
}

/// Kinds of features that are left out one by one.
const ABLATIONS: [(&str, Kinds); 8] = [
    ("runs of letters", Kinds { runs: false, ..Kinds::ALL }),
    ("pairs of words", Kinds { pairs: false, ..Kinds::ALL }),
    ("lists of good and bad words", Kinds { moods: false, ..Kinds::ALL }),
    ("turns of mood in a sentence", Kinds { turns: false, ..Kinds::ALL }),
    ("what denies a listed word", Kinds { stances: false, ..Kinds::ALL }),
    ("what follows praise", Kinds { after_praise: false, ..Kinds::ALL }),
    ("phrases of intents", Kinds { cues: false, ..Kinds::ALL }),
    ("capitals, drawn-out letters", Kinds { look: false, ..Kinds::ALL }),
];
/// Ablations are measured on this many parts of the cross-validation, which is enough to compare.
const ABLATED_FOLDS: usize = 2;

/// Measures what each kind of features is good for: markdown.
pub fn ablations(language: &str, corpus: &Path, data: &Path, say: &dyn Fn(&str)) -> Result<String, TrainError> {
    let lists = Lists::default();
    let (reader, tokenizer, settings) = (lists.reader(language), Tokenizer::default(), Settings::of(language));
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

fn main_macro_f1(measured: &Measured) -> f64 {
    let mut confusion = measure::Confusion::new(INTENTS);
    for answer in &measured.answers {
        if let Some(truth) = answer.wanted.first() {
            confusion.add(*truth as usize, measure::largest(&answer.intents));
        }
    }
    confusion.macro_f1()
}

fn describe(report: &mut String, language: &str, sets: &[Prepared], bytes: usize) {
    let what = match language {
        _ if WITH_INTENTS.contains(&language) => "Sentiment and intents",
        _ if TRIED.iter().any(|(code, _)| *code == language) => "Sentiment, tried and not used",
        _ => "Sentiment",
    };
    let _ = writeln!(
        report,
        "## {what}, `{language}`\n\nSize: {bytes} bytes. Learnt from:\n\n\
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

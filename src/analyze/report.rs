//! Trains the models, measures them and says how: what `muhatap train` does.

use std::fmt::Write as _;
use std::path::Path;

use super::Lists;
use super::corpus::{self, CorpusError, Part, Row, Set};
use super::language::table::NotATable;
use super::linear::{LogOdds, NotAModel, OPINION, POLARITY};
use super::measure::{self, named};
use super::tokens::{Tokenizer, search_fold};
use super::train::{Example, Learnt, Recipe, Source, example, learn};
use crate::model::{IntentLabel, SentimentLabel};

/// The languages that have a model of their own.
pub const LANGUAGES: [&str; 2] = ["tr", "en"];

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

/// A set and what it is to a model.
struct Origin {
    set: Set,
    mass: f32,
    polar: bool,
    home: bool,
    licence: &'static str,
    /// A shipped model may learn from it under its licence: tier A.
    open: bool,
}

struct Prepared {
    origin: Origin,
    train: Vec<Example>,
    dev: Vec<Example>,
    /// As dev, typed without Turkish letters.
    folded: Vec<Example>,
    test: Vec<Example>,
}

fn origins(language: &str, corpus: &Path, data: &Path) -> Result<Vec<Origin>, CorpusError> {
    let ours = Origin {
        set: Set { name: "own corpus", rows: corpus::mentions(corpus, language)? },
        mass: 5_000.0,
        polar: false,
        home: true,
        licence: "ours, Apache-2.0",
        open: true,
    };
    let public = |name, stem: &str, mass, polar, licence, open| -> Result<Origin, CorpusError> {
        let rows = corpus::public(data, &format!("sentiment/{stem}"), language)?;
        Ok(Origin { set: Set { name, rows }, mass, polar, home: false, licence, open })
    };
    let research = "no licence for commercial use stated (tier C)";
    if language == "tr" {
        return Ok(vec![
            Origin {
                set: Set { name: "brand posts", rows: corpus::posts(corpus, data)? },
                mass: 6_000.0,
                polar: false,
                home: true,
                licence: "labels ours, texts MIT repository (tier A)",
                open: true,
            },
            ours,
            public("FSMTSAD", "tr_fsmtsad", 4_000.0, false, "CC0, its README asks for leave (tier C)", false)?,
            public("TRSAv1 sample", "tr_trsav1_3k", 2_000.0, false, research, false)?,
            public("Guven tweets", "tr_guven_tweets", 300.0, true, research, false)?,
        ]);
    }
    Ok(vec![
        ours,
        public("TweetEval and SemEval", "en_tweeteval", 10_000.0, false, "research (tier C)", false)?,
        public("UMSAB English", "umsab_english", 1_000.0, false, "research (tier C)", false)?,
    ])
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
    let (signalling, tokenizer, recipe) = (lists.signalling(language), Tokenizer::default(), Recipe::default());
    let mut sets = Vec::new();
    for origin in origins(language, corpus, data)?.into_iter().filter(|origin| origin.open || !open_data) {
        say(&format!("{language}: reading {}", origin.set.name));
        let read = |row: &Row| example(row, &tokenizer, &signalling, &recipe);
        let part = |part| origin.set.part(part).map(read).collect::<Vec<_>>();
        let (train, dev, test) = (part(Part::Train), part(Part::Dev), part(Part::Test));
        let folded = origin.set.part(Part::Dev);
        let folded = folded.map(|row| read(&Row { text: typed_in_ascii(&row.text), ..row.clone() })).collect();
        sets.push(Prepared { origin, train, dev, folded, test });
    }
    let left_out: Vec<usize> = (0..sets.len()).filter(|index| !sets[*index].origin.polar && sets.len() > 1).collect();
    say(&format!("{language}: learning {} times, each time without one set", left_out.len()));
    // Two at a time: what each learns does not depend on the other.
    let mut without: Vec<(usize, Vec<Answer<'_>>)> = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let (sets, recipe, left_out) = (&sets, &recipe, &left_out);
                scope.spawn(move || {
                    let mine = left_out.iter().copied().filter(|index| index % 2 == half);
                    mine.map(|index| {
                        let learnt = learn(&sources(sets, Some(index)), recipe);
                        (index, answers(&learnt, sets[index].train.iter().chain(&sets[index].dev)))
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap_or_default()).collect()
    });
    without.sort_by_key(|(index, _)| *index);
    say(&format!("{language}: learning from all"));
    let mut learnt = learn(&sources(&sets, None), &recipe);
    // New texts are partly like those learnt from and partly not: dev parts and sets left out count alike.
    let seen = sets.iter().filter(|set| !set.origin.polar).map(|set| answers(&learnt, set.dev.iter()));
    let seen: Vec<Vec<Answer<'_>>> = seen.collect();
    let fitted: Vec<&[Answer<'_>]> =
        without.iter().map(|(_, answers)| answers.as_slice()).chain(seen.iter().map(Vec::as_slice)).collect();
    let sharpness = [OPINION, POLARITY].map(|head| sharpness(&fitted, head));
    for answer in without.iter_mut().flat_map(|(_, answers)| answers) {
        answer.odds[OPINION] *= sharpness[0];
        answer.odds[POLARITY] *= sharpness[1];
    }
    (learnt.sharpness[OPINION], learnt.sharpness[POLARITY]) = (sharpness[0], sharpness[1]);
    let file = learnt.file();
    let whole = super::linear::Linear::read(&file)?;
    let mut report = String::new();
    describe(&mut report, language, open_data, &sets, file.len());
    let _ = writeln!(report, "\n### Sentiment\n\n{SENTIMENT_HEADER}");
    for set in &sets {
        let name = set.origin.set.name;
        let quantised = |examples: &[Example]| -> Vec<(LogOdds, SentimentLabel)> {
            let judged = examples.iter().filter_map(|example| Some((example.odds(&whole), example.sentiment?)));
            judged.collect()
        };
        sentiment_line(&mut report, name, "dev", &quantised(&set.dev));
        sentiment_line(&mut report, name, "dev, no Turkish letters", &quantised(&set.folded));
        sentiment_line(&mut report, name, "kept apart", &quantised(&set.test));
    }
    for (index, answers) in &without {
        let judged: Vec<_> = answers.iter().filter_map(|answer| Some((answer.odds, answer.sentiment?))).collect();
        sentiment_line(&mut report, sets[*index].origin.set.name, "set left out", &judged);
    }
    let names: Vec<&str> = IntentLabel::ALL.iter().map(|label| label.as_str()).collect();
    let _ = writeln!(
        report,
        "\n### Intents\n\n| set | measured on | rows | main mF1 | each mF1 | {} |\n|---|---|---|---|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for set in sets.iter().filter(|set| set.origin.home) {
        for (part, examples) in [("dev", &set.dev), ("dev, no Turkish letters", &set.folded), ("kept apart", &set.test)]
        {
            let judged: Vec<_> = examples.iter().map(|example| (example.odds(&whole), &example.intents)).collect();
            let judged: Vec<(Vec<IntentLabel>, &[IntentLabel])> =
                judged.iter().map(|(odds, truth)| (labels(odds), truth.as_slice())).collect();
            intent_line(&mut report, set.origin.set.name, part, &judged);
        }
    }
    for (index, answers) in without.iter().filter(|(index, _)| sets[*index].origin.home) {
        let judged: Vec<_> = answers.iter().map(|answer| (labels(&answer.odds), answer.intents)).collect();
        intent_line(&mut report, sets[*index].origin.set.name, "set left out", &judged);
    }
    Ok(Trained { file, report })
}

/// The text as a keyboard without Turkish letters types it.
pub fn typed_in_ascii(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            'ç' | 'ğ' | 'ı' | 'ö' | 'ş' | 'ü' => search_fold(character.encode_utf8(&mut [0; 4])).remove(0),
            'Ç' | 'Ğ' | 'İ' | 'Ö' | 'Ş' | 'Ü' => {
                search_fold(character.encode_utf8(&mut [0; 4])).remove(0).to_ascii_uppercase()
            }
            _ => character,
        })
        .collect()
}

fn sources(sets: &[Prepared], without: Option<usize>) -> Vec<Source<'_>> {
    let kept = sets.iter().enumerate().filter(|(index, _)| Some(*index) != without);
    kept.map(|(_, set)| Source {
        examples: set.train.iter().collect(),
        mass: set.origin.mass,
        polar: set.origin.polar,
        home: set.origin.home,
    })
    .collect()
}

/// What a model says of an example, and what is true.
struct Answer<'e> {
    odds: LogOdds,
    sentiment: Option<SentimentLabel>,
    intents: &'e [IntentLabel],
}

fn answers<'e>(learnt: &Learnt, examples: impl Iterator<Item = &'e Example>) -> Vec<Answer<'e>> {
    examples
        .map(|example| Answer {
            odds: learnt.log_odds(example),
            sentiment: example.sentiment,
            intents: &example.intents,
        })
        .collect()
}

fn labels(odds: &LogOdds) -> Vec<IntentLabel> {
    named(odds).into_iter().map(|(label, _)| label).collect()
}

/// What log-odds of `head` are multiplied by so that they fit `groups` of texts not learnt from, each counting alike.
fn sharpness(groups: &[&[Answer<'_>]], head: usize) -> f32 {
    let target = |sentiment: SentimentLabel| match (head, sentiment) {
        (OPINION, SentimentLabel::Neutral) => Some(0.0),
        (OPINION, _) => Some(1.0),
        (_, SentimentLabel::Neutral) => None,
        (_, SentimentLabel::Positive) => Some(1.0),
        (_, SentimentLabel::Negative) => Some(0.0),
    };
    let loss = |sharpness: f32| -> f64 {
        groups
            .iter()
            .map(|answers| {
                let truths = answers.iter().filter_map(|answer| Some((answer.odds[head], target(answer.sentiment?)?)));
                let (sum, count) = truths.fold((0.0, 0_u32), |(sum, count), (odds, target)| {
                    let chance = f64::from(super::linear::probability(sharpness * odds)).clamp(1e-6, 1.0 - 1e-6);
                    (sum - if target > 0.5 { chance.ln() } else { (1.0 - chance).ln() }, count + 1)
                });
                sum / f64::from(count.max(1))
            })
            .sum()
    };
    let steps = (8..=30).map(|step| step as f32 / 20.0);
    steps.min_by(|one, other| loss(*one).total_cmp(&loss(*other))).unwrap_or(1.0)
}

const SENTIMENT_HEADER: &str = "| set | measured on | rows | mF1 | macro-recall | negative | neutral | positive | \
     calibration error | accuracy, surer half |\n|---|---|---|---|---|---|---|---|---|---|";

fn sentiment_line(report: &mut String, name: &str, part: &str, judged: &[(LogOdds, SentimentLabel)]) {
    if judged.is_empty() {
        return;
    }
    let figures = measure::sentiment(judged);
    let [negative, neutral, positive] = figures.f1;
    let _ = writeln!(
        report,
        "| {name} | {part} | {} | {:.1} | {:.1} | {negative:.1} | {neutral:.1} | {positive:.1} | {:.1} | {:.1} |",
        figures.rows, figures.macro_f1, figures.macro_recall, figures.calibration, figures.confident_half
    );
}

fn intent_line(report: &mut String, name: &str, part: &str, judged: &[(Vec<IntentLabel>, &[IntentLabel])]) {
    if judged.is_empty() {
        return;
    }
    let figures = measure::intents(judged);
    let each: Vec<String> = figures.f1.iter().map(|f1| format!("{f1:.0}")).collect();
    let _ = writeln!(
        report,
        "| {name} | {part} | {} | {:.1} | {:.1} | {} |",
        figures.rows,
        figures.main,
        figures.every,
        each.join(" | ")
    );
}

fn describe(report: &mut String, language: &str, open_data: bool, sets: &[Prepared], bytes: usize) {
    let which = if open_data { ", from tier A data and our own corpus alone" } else { "" };
    let _ = writeln!(
        report,
        "## Sentiment and intents, `{language}`{which}\n\nSize: {bytes} bytes. Learnt from:\n\n\
         | set | rows learnt from | counts as | licence |\n|---|---|---|---|"
    );
    for set in sets {
        let Origin { set: texts, mass, licence, .. } = &set.origin;
        let _ = writeln!(report, "| {} | {} | {mass:.0} | {licence} |", texts.name, set.train.len());
    }
}

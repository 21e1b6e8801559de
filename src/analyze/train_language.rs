//! Learns the table that tells languages apart: whole texts and a few words of each, with their accents and without.

use std::fmt::Write as _;
use std::path::Path;

use super::card::{self, Entry};
use super::corpus::{Part, part_of};
use super::language::sources::{OWN_LINES, OWN_MENTIONS, Source, sources};
use super::language::table::{self, COUNT, Chances, OTHER, ROWS};
use super::language::{self, Detector, UNKNOWN, Usual};
use super::report::{TrainError, Trained, Variant};
use super::tokens::{Tokenizer, compose, search_fold};
use super::train::Dice;

const EPOCHS: usize = 4;
const RATE: f32 = 0.2;

/// One to four words of a text beside each other, as people answer; without handles, hashtags and links.
pub fn fragment(text: &str, dice: &mut Dice) -> String {
    let words: Vec<&str> =
        text.split_whitespace().filter(|word| !word.starts_with(['@', '#']) && !word.starts_with("http")).collect();
    if words.is_empty() {
        return String::new();
    }
    let count = (1 + dice.below(4)).min(words.len());
    let from = dice.below(words.len() - count + 1);
    words[from..from + count].join(" ")
}

/// Letters struck at random, which are no language.
fn nonsense(dice: &mut Dice) -> String {
    const HOME_ROW: &[u8] = b"asdfghjkl";
    let mut text = String::new();
    for _ in 0..1 + dice.below(4) {
        let mashed = dice.below(2) == 0;
        for _ in 0..3 + dice.below(9) {
            let letter = if mashed { HOME_ROW[dice.below(HOME_ROW.len())] } else { b'a' + dice.below(26) as u8 };
            text.push(char::from(letter));
        }
        text.push(' ');
    }
    text
}

/// A text as it is typed where there are no letters with dots and accents.
fn without_accents(text: &str) -> String {
    search_fold(text).replace('ə', "e")
}

/// What stands for a link in the public sets.
const LINK: &str = "http";

struct Example {
    rows: Vec<u16>,
    language: usize,
    weight: f32,
}

/// Weights while they are learnt.
#[derive(Debug)]
pub struct Learnt {
    rows: Vec<Chances>,
    bias: Chances,
}

fn rows(text: &str, tokenizer: &Tokenizer, accents: bool) -> Vec<u16> {
    let text = if accents { compose(text).into_owned() } else { without_accents(text) };
    let mut tokens = tokenizer.tokens(&text, None);
    tokens.retain(|token| token.key != LINK);
    let mut rows = Vec::new();
    for word in table::words(&tokens) {
        table::features(word, |hash| rows.push(table::row(hash) as u16));
    }
    rows
}

/// The same sources in the same order give the same weights to the last bit.
pub fn learn(sources: &[Source], tokenizer: &Tokenizer) -> Learnt {
    let mut dice = Dice::new(0x6c61_6e67_7561_6765);
    let mut examples: Vec<Example> = Vec::new();
    for source in sources {
        let weight = source.mass() / source.texts.len().max(1) as f32;
        let language = source.place();
        for text in source.texts.iter().filter(|text| part_of(text) != Part::Test) {
            let mut add = |text: &str, accents, share: f32| {
                let rows = rows(text, tokenizer, accents);
                if !rows.is_empty() {
                    examples.push(Example { rows, language, weight: weight * share });
                }
            };
            let stripped = dice.below(2) == 0;
            add(text, !stripped, 0.5);
            for _ in 0..2 {
                add(&fragment(text, &mut dice), dice.below(2) == 0, 0.25);
            }
        }
    }
    for _ in 0..4_000 {
        let rows = rows(&nonsense(&mut dice), tokenizer, true);
        examples.push(Example { rows, language: OTHER, weight: 0.5 });
    }
    let mut weights = vec![[0.0_f32; COUNT]; ROWS];
    let mut seen = vec![[1e-4_f32; COUNT]; ROWS];
    let (mut bias, mut bias_seen) = ([0.0_f32; COUNT], [1e-2_f32; COUNT]);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    for epoch in 0..EPOCHS {
        dice.shuffle(&mut order);
        let rate = RATE * (1.0 - epoch as f32 / EPOCHS as f32);
        for example in order.iter().map(|place| &examples[*place]) {
            let value = table::value(example.rows.len());
            let mut sums = [0.0_f32; COUNT];
            for row in &example.rows {
                for (sum, weight) in sums.iter_mut().zip(&weights[usize::from(*row)]) {
                    *sum += weight;
                }
            }
            let mut slopes = table::softmax(std::array::from_fn(|place| bias[place] + value * sums[place]));
            slopes[example.language] -= 1.0;
            for place in 0..COUNT {
                let slope = slopes[place] * example.weight;
                bias_seen[place] += slope * slope;
                bias[place] -= rate * slope / bias_seen[place].sqrt();
            }
            let slopes = slopes.map(|slope| slope * example.weight * value);
            for row in &example.rows {
                let (weights, seen) = (&mut weights[usize::from(*row)], &mut seen[usize::from(*row)]);
                for place in 0..COUNT {
                    seen[place] += slopes[place] * slopes[place];
                    weights[place] -= rate * slopes[place] / seen[place].sqrt();
                }
            }
        }
    }
    Learnt { rows: weights, bias }
}

impl Learnt {
    /// The table's file: weights in 255 steps, the few largest cut off.
    pub fn file(&self) -> Vec<u8> {
        let mut sizes: Vec<f32> =
            self.rows.iter().flatten().map(|weight| weight.abs()).filter(|size| *size > 0.0).collect();
        sizes.sort_by(f32::total_cmp);
        // One weight in a thousand is cut off, so that the rest has finer steps.
        let scale = sizes.get(sizes.len() * 999 / 1000).map_or(1.0, |size| size / 127.0);
        let whole: Vec<[i8; COUNT]> =
            self.rows.iter().map(|row| row.map(|weight| (weight / scale).round().clamp(-127.0, 127.0) as i8)).collect();
        table::write(scale, &self.bias, &whole)
    }
}

/// What is left out of a training, so that its texts are unseen in every way: their origin too.
const LEFT_OUT: [(&str, &[&str]); 7] = [
    // UMSAB's English is a part of the same collection.
    ("English tweets", &["tweeteval", "umsab_english", "en-fragment"]),
    ("Turkish tweets", &["guven", "turkishtweets", "tr-fragment", "ascii-fragment", "ascii-natural"]),
    ("text messages and subtitles", &["sms", "xed", "ascii-natural"]),
    ("shop reviews", &["trsav1", "fsmtsad"]),
    ("posts to brands", &["brand_posts"]),
    ("our own mentions", &[OWN_MENTIONS]),
    ("tweets in other languages", &["umsab"]),
];

/// How a text is typed when it is tested.
const TYPED: [&str; 4] = ["whole", "ASCII", "1-4 words", "ASCII 1-4 words"];

/// Right answers, and how sure they were.
#[derive(Debug, Clone, Default)]
struct Figures {
    right: [u32; TYPED.len()],
    asked: [u32; TYPED.len()],
    /// By tenths of confidence: answers, the sum of their confidences, right ones.
    steps: [(u32, f64, u32); 10],
}

impl Figures {
    fn add(&mut self, typed: usize, confidence: f64, right: bool) {
        self.asked[typed] += 1;
        self.right[typed] += u32::from(right);
        let step = &mut self.steps[((confidence * 10.0) as usize).min(9)];
        *step = (step.0 + 1, step.1 + confidence, step.2 + u32::from(right));
    }

    fn percent(&self, typed: usize) -> f64 {
        100.0 * f64::from(self.right[typed]) / f64::from(self.asked[typed].max(1))
    }

    /// Expected calibration error in percent.
    fn calibration(&self) -> f64 {
        let error: f64 = self.steps.iter().map(|(_, sure, right)| (sure - f64::from(*right)).abs()).sum();
        100.0 * error / f64::from(self.steps.iter().map(|step| step.0).sum::<u32>().max(1))
    }

    fn merge(&mut self, other: &Figures) {
        for typed in 0..TYPED.len() {
            self.right[typed] += other.right[typed];
            self.asked[typed] += other.asked[typed];
        }
        for (step, other) in self.steps.iter_mut().zip(&other.steps) {
            *step = (step.0 + other.0, step.1 + other.1, step.2 + other.2);
        }
    }
}

/// Asks for the language of texts in each way of typing them. `und` is a wrong answer.
fn figures<'t>(
    detector: &Detector<'_>,
    tokenizer: &Tokenizer,
    code: &str,
    texts: impl Iterator<Item = &'t String>,
) -> Figures {
    let mut dice = Dice::new(0x6672_6167_6d65_6e74);
    let mut figures = Figures::default();
    for text in texts {
        let few = fragment(text, &mut dice);
        for (typed, text) in
            [text.clone(), without_accents(text), few.clone(), without_accents(&few)].iter().enumerate()
        {
            let text = compose(text);
            let mut tokens = tokenizer.tokens(&text, None);
            tokens.retain(|token| token.key != LINK);
            if table::words(&tokens).next().is_none() {
                continue;
            }
            let said = detector.detect(&text, language::script(&text), &tokens, &Usual::default());
            if said.code == UNKNOWN {
                figures.asked[typed] += 1;
            } else {
                figures.add(typed, said.confidence, said.code == code);
            }
        }
    }
    figures
}

/// Learns the table, measures it with whole origins left out, and says how.
///
/// Every tenth text, by [`part_of`], is never learnt. The same files give the same table to the last bit.
pub fn train(data: &Path, corpus: &Path, progress: &dyn Fn(&str)) -> Result<Trained, TrainError> {
    let tokenizer = Tokenizer::default();
    let all = sources(data, corpus)?;
    let mut report = "## Language\n\n".to_owned();
    let columns = TYPED.join(" | ");
    let head = format!("| texts | language | rows | {columns} |\n|---|---|---|{}\n", "---|".repeat(TYPED.len()));
    let _ = write!(
        report,
        "Each group of origins below was left out of a training of its own and then tested, in percent:\n\n{head}"
    );
    let mut unseen: Vec<(String, Figures)> = Vec::new();
    for (group, names) in LEFT_OUT {
        progress(&format!("languages without {group}"));
        let left = |source: &&Source| names.iter().any(|name| source.name.contains(name));
        let kept: Vec<Source> = all.iter().filter(|source| !left(source)).cloned().collect();
        let file = learn(&kept, &tokenizer).file();
        let detector = Detector::read(&file)?;
        for source in all.iter().filter(left).filter(|source| source.code != "hi") {
            let figures = figures(&detector, &tokenizer, &source.code, source.texts.iter());
            row(&mut report, &source.name, &source.code, &figures);
            unseen.push((source.code.clone(), figures));
        }
    }
    means(&mut report, &unseen);
    let _ = write!(
        report,
        "\nCalibration error of these answers: {:.1}.\n\nThe shipped table, on every tenth text of each origin, which it has not seen:\n\n{head}",
        sum(unseen.iter().map(|(_, figures)| figures)).calibration()
    );
    progress("languages");
    let file = learn(&all, &tokenizer).file();
    let detector = Detector::read(&file)?;
    let mut held_out: Vec<(String, Figures)> = Vec::new();
    for source in all.iter().filter(|source| source.place() != OTHER) {
        let held = source.texts.iter().filter(|text| part_of(text) == Part::Test);
        let figures = figures(&detector, &tokenizer, &source.code, held);
        row(&mut report, &source.name, &source.code, &figures);
        held_out.push((source.code.clone(), figures));
    }
    means(&mut report, &held_out);
    let _ = writeln!(report, "\nThe table has {} bytes.", file.len());
    let variant = Variant { card: card(&all, &unseen, &held_out, file.len()), file };
    Ok(Trained { all: variant.clone(), open: variant, report })
}

/// Languages whose few words are told less often than this, in percent, are named in the card.
const POOR: f64 = 75.0;

/// What the card says of the table, which has one form.
fn card(all: &[Source], unseen: &[(String, Figures)], held_out: &[(String, Figures)], bytes: usize) -> Entry {
    let rows = |own: bool| {
        let ours = |source: &&Source| [OWN_MENTIONS, OWN_LINES].contains(&source.name.as_str()) == own;
        all.iter().filter(ours).map(|source| source.texts.len()).sum()
    };
    let source =
        |name: &str, rows, licence: &str| card::Source { name: name.to_owned(), rows, licence: licence.to_owned() };
    let of = |rows: &[(String, Figures)], code: &str| {
        sum(rows.iter().filter(|(known, _)| known == code).map(|(_, figures)| figures))
    };
    let mut figures = Vec::new();
    for (rows, part) in [(unseen, "origins left out"), (held_out, "every tenth text")] {
        for code in ["tr", "en"] {
            let figures_of = of(rows, code);
            let typed: Vec<String> =
                (0..TYPED.len()).map(|typed| format!("{} {:.1}", TYPED[typed], figures_of.percent(typed))).collect();
            figures.push(format!("`{code}`, {part}, right answers in percent: {}", typed.join(", ")));
        }
    }
    let few = TYPED.len() - 1;
    let mut codes: Vec<&str> = held_out.iter().map(|(code, _)| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let poor: Vec<String> = codes
        .into_iter()
        .map(|code| (code, of(held_out, code).percent(few)))
        .filter(|(_, percent)| *percent < POOR)
        .map(|(code, percent)| format!("`{code}` {percent:.0}"))
        .collect();
    let mut weaknesses = Vec::new();
    if !poor.is_empty() {
        weaknesses.push(format!("One to four words without accents are told in percent: {}.", poor.join(", ")));
    }
    Entry {
        title: "Languages".to_owned(),
        file: "languages.bin".to_owned(),
        bytes,
        sources: vec![
            source("our own corpus: mentions and lines", rows(true), "ours, Apache-2.0"),
            source(
                "public texts: social posts, text messages, subtitles, reviews, news sentences",
                rows(false),
                "mixed, tier C among them, in the open variant too",
            ),
        ],
        figures,
        weaknesses,
    }
}

/// A line for each language, all of its texts together, and their mean.
fn means(report: &mut String, rows: &[(String, Figures)]) {
    let mut languages: Vec<&str> = rows.iter().map(|(code, _)| code.as_str()).collect();
    languages.sort_unstable();
    languages.dedup();
    let of = |code: &str| sum(rows.iter().filter(|(known, _)| known == code).map(|(_, figures)| figures));
    let all: Vec<Figures> = languages.iter().map(|code| of(code)).collect();
    for (code, figures) in languages.iter().zip(&all) {
        row(report, "**all**", code, figures);
    }
    let _ = write!(report, "| **mean of languages** | | |");
    for typed in 0..TYPED.len() {
        let mean = all.iter().map(|figures| figures.percent(typed)).sum::<f64>() / all.len().max(1) as f64;
        let _ = write!(report, " {mean:.1} |");
    }
    report.push('\n');
}

fn sum<'f>(all: impl Iterator<Item = &'f Figures>) -> Figures {
    all.fold(Figures::default(), |mut sum, figures| {
        sum.merge(figures);
        sum
    })
}

fn row(report: &mut String, name: &str, code: &str, figures: &Figures) {
    let _ = write!(report, "| {name} | {code} | {} |", figures.asked[0]);
    for typed in 0..TYPED.len() {
        let _ = write!(report, " {:.1} |", figures.percent(typed));
    }
    report.push('\n');
}

//! The model card: what the models are made of and for, how well they do and where they fail, in the short.

use std::fmt::Write as _;

use super::measure;
use super::report::{DEV, KEPT_APART, Measured, intents_of, judged};
use super::sources::{Prepared, WITH_INTENTS};
use crate::model::{IntentLabel, SentimentLabel};

/// What the card says of one model.
#[derive(Debug, Clone)]
pub struct Entry {
    pub title: String,
    pub file: String,
    pub bytes: usize,
    pub sources: Vec<Source>,
    /// One line each.
    pub figures: Vec<String>,
    /// Those that figures tell, one line each.
    pub weaknesses: Vec<String>,
}

/// A set that was learnt from.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub rows: usize,
    pub licence: String,
}

/// F1 in percent under which a mood or an intent is a known weakness.
const WEAK: f64 = 50.0;
/// Calibration errors in percent over which confidence is not to be relied on.
const UNCALIBRATED: f64 = 6.0;
/// Figures on fewer texts say little of a weakness.
const ENOUGH_ROWS: usize = 50;

/// The entry of a language's model, from what was measured.
pub(super) fn entry(language: &str, sets: &[Prepared], measured: &[Measured], bytes: usize) -> Entry {
    let learnt = sets.iter().filter(|set| !set.train.is_empty());
    let source = |set: &Prepared| Source {
        name: set.origin.name.to_owned(),
        rows: set.train.len(),
        licence: set.origin.licence.to_owned(),
    };
    let (mut figures, mut weaknesses) = (Vec::new(), Vec::new());
    let new_to_it = |measured: &Measured| [KEPT_APART, DEV].contains(&measured.part);
    for measured in measured.iter().filter(|measured| !measured.part.ends_with("ASCII")) {
        let place = format!("{}, {}", measured.name, measured.part);
        let judged = judged(measured);
        let mut line = format!("{place} ({} rows):", measured.answers.len());
        if !judged.is_empty() {
            let moods = measure::sentiment(&judged);
            let _ = write!(
                line,
                " sentiment mF1 {:.1}, calibration error {:.1}, surer half right {:.1}",
                moods.macro_f1, moods.calibration, moods.confident_half
            );
            let occurs = |label: &SentimentLabel| judged.iter().any(|(_, truth)| truth == label);
            let weak = SentimentLabel::ALL.iter().filter(|label| occurs(label) && moods.f1[**label as usize] < WEAK);
            let weak: Vec<String> = weak.map(|label| format!("{label} {:.0}", moods.f1[*label as usize])).collect();
            let counts = new_to_it(measured) && judged.len() >= ENOUGH_ROWS;
            if counts && !weak.is_empty() {
                weaknesses.push(format!("Moods that are told poorly, F1 on {place}: {}.", weak.join(", ")));
            }
            if counts && moods.calibration > UNCALIBRATED {
                weaknesses.push(format!("Confidence is {:.1} points off on the mean on {place}.", moods.calibration));
            }
        }
        if let Some(intents) = intents_of(measured).filter(|_| WITH_INTENTS.contains(&language)) {
            let separator = if judged.is_empty() { " " } else { ", " };
            let _ = write!(line, "{separator}main intent mF1 {:.1}", intents.main);
            let occurs = |label: &&IntentLabel| measured.answers.iter().any(|answer| answer.wanted.contains(label));
            let weak = IntentLabel::ALL.iter().filter(occurs).filter(|label| intents.f1[**label as usize] < WEAK);
            let weak: Vec<String> = weak.map(|label| format!("{label} {:.0}", intents.f1[*label as usize])).collect();
            if new_to_it(measured) && !weak.is_empty() && intents.rows >= ENOUGH_ROWS {
                weaknesses.push(format!("Intents that are told poorly, F1 on {place}: {}.", weak.join(", ")));
            }
        }
        figures.push(line);
    }
    let what = if WITH_INTENTS.contains(&language) { "Sentiment and intents" } else { "Sentiment" };
    Entry {
        title: format!("{what}, `{language}`"),
        file: format!("{language}.bin"),
        bytes,
        sources: learnt.map(source).collect(),
        figures,
        weaknesses,
    }
}

/// What the models are and are not for.
const USE: &str = "\
Reads short public texts that customers write to brands, on a CPU without a network: which language, how the writer feels, \
what the writer wants. Made to sort an inbox and to count moods over many mentions. Not made to judge a person, to decide \
on a person's money, work or rights, or to act without a human on a text it is not sure of: act only on high confidence.

Each sentiment names its words with their exact weights, so that a reader can see why.
";

/// What no figure here tells.
const HAND_WRITTEN: [&str; 6] = [
    "Irony and praise for a failure are mostly taken at their word.",
    "A text with praise and blame gets one mood: that of the words that weigh most, not of what is still open.",
    "What is told without a word of mood (\"third week now\") is often neutral to it.",
    "Brands, products and slang newer than the texts (most posts and tweets are of 2012 to 2019, our own corpus of 2026) are \
     unknown words.",
    "Dialects and languages mixed within a sentence are read as the main language.",
    "German, French, Spanish, Italian, Portuguese and Arabic learnt from few tweets on politics, climate, football and \
     television, not from customers; all other languages are judged by emoji alone.",
];

/// The card of the models that were written: markdown.
pub fn card(entries: &[Entry], open_data: bool) -> String {
    let made = if open_data {
        "Written by `muhatap train --open-data`: sentiment and intents from open data (tier A) and our own corpus alone."
    } else {
        "Written by `muhatap train`."
    };
    let bytes: usize = entries.iter().map(|entry| entry.bytes).sum();
    let mut card = format!(
        "# Model card\n\n{made} `REPORT.md` beside it has every figure and how it was measured.\n\n\
         Linear models over hashed words and runs of letters, weights in 8 bits; together {bytes} bytes.\n\n\
         ## Intended use\n\n{USE}"
    );
    card.push_str(
        "\n## Sources\n\nTiers: A is permissive; C is research data whose licence does not clearly allow commercial use. Whoever \
         cannot use models that learnt from it builds with those that `muhatap train --open-data` writes.\n\n\
         | model | bytes | learnt from | rows | licence |\n|---|---|---|---|---|\n",
    );
    for entry in entries {
        if entry.sources.is_empty() {
            let _ = writeln!(card, "| {} | {} | nothing: emoji alone judge | 0 | |", entry.file, entry.bytes);
        }
        for source in &entry.sources {
            let _ = writeln!(
                card,
                "| {} | {} | {} | {} | {} |",
                entry.file, entry.bytes, source.name, source.rows, source.licence
            );
        }
    }
    let taught = || entries.iter().filter(|entry| !entry.sources.is_empty());
    card.push_str("\n## Figures\n");
    for entry in taught() {
        let _ = writeln!(card, "\n### {}, in percent\n", entry.title);
        for figure in &entry.figures {
            let _ = writeln!(card, "- {figure}");
        }
    }
    card.push_str("\n## Known weaknesses\n\n");
    for weakness in HAND_WRITTEN {
        let _ = writeln!(card, "- {weakness}");
    }
    for entry in taught().filter(|entry| !entry.weaknesses.is_empty()) {
        let _ = writeln!(card, "\n### {}\n", entry.title);
        for weakness in &entry.weaknesses {
            let _ = writeln!(card, "- {weakness}");
        }
    }
    card
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_names_every_model_its_sources_and_what_it_is_poor_at() {
        let source = Source { name: "posts".to_owned(), rows: 12, licence: "tier A".to_owned() };
        let taught = Entry {
            title: "Sentiment, `xx`".to_owned(),
            file: "xx.bin".to_owned(),
            bytes: 40,
            sources: vec![source],
            figures: vec!["posts (12 rows): 51.0".to_owned()],
            weaknesses: vec!["neutral 31".to_owned()],
        };
        let file = "yy.bin".to_owned();
        let untaught = Entry { file, bytes: 2, sources: Vec::new(), title: "not shown".to_owned(), ..taught.clone() };
        let card = card(&[taught, untaught], true);
        for said in [
            "--open-data",
            "together 42 bytes",
            "| xx.bin | 40 | posts | 12 | tier A |",
            "| yy.bin | 2 | nothing",
            "51.0",
            "neutral 31",
        ] {
            assert!(card.contains(said), "{said}: {card}");
        }
        assert!(!card.contains("not shown"), "{card}");
    }
}

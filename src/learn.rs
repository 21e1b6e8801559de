//! Learning from corrections: what each brand's teach in each language, kept where it helps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analyze::corrections::{Corrected, FEWEST, HeldOut, MOST_CORRECTIONS, MOST_UNCORRECTED, Outcome};
use crate::analyze::{Analyzer, model_name};
use crate::model::BrandId;
use crate::store::corrections::{CorrectionFilter, Standing};
use crate::store::deltas::StoredDelta;
use crate::store::inbox::{LARGEST_PAGE, MentionFilter};
use crate::store::{Store, StoreError};

/// What became of a brand's corrections in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    pub brand: String,
    pub language: String,
    pub ending: Ending,
    /// What was kept before was learnt over another built-in model, and rested.
    pub rested: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// No built-in model judges this language.
    NoModel {
        corrections: usize,
    },
    /// Too few that say different things.
    TooFew {
        different: usize,
    },
    /// What they teach does not tell those held out better.
    NoGain(Outcome),
    Learnt(Outcome),
    /// No correction is left of those it was once learnt from.
    NothingLeft,
}

/// The corrections of a brand in one language, newest first.
#[derive(Default)]
struct Taught {
    brand: String,
    corrections: Vec<Corrected>,
}

/// Learns from every brand's corrections, keeps what helps in place of what was kept before, and drops what does not help
/// any more. `tell` hears of each brand and language as it is done.
pub async fn learn(
    store: &Store,
    analyzer: &Arc<Analyzer>,
    who: &str,
    mut tell: impl FnMut(&Lesson),
) -> Result<(), StoreError> {
    let taught = corrections(store).await?;
    let stored = store.deltas().await?;
    let asked: BTreeSet<(BrandId, String)> = taught.keys().cloned().collect();
    for ((brand_id, language), Taught { brand, corrections }) in taught {
        let count = corrections.len();
        let uncorrected = uncorrected(store, brand_id, &language).await?;
        let outcome = tokio::task::spawn_blocking({
            let (analyzer, language) = (analyzer.clone(), language.clone());
            move || analyzer.learn(&language, &corrections, &uncorrected)
        });
        let outcome = outcome.await.expect("learning from texts never panics");
        let model = model_name(&language);
        let kept = stored.iter().find(|kept| kept.brand_id == brand_id && kept.language == language);
        let rested = kept.is_some_and(|kept| Some(&kept.model) != model.as_ref());
        let weights = outcome.as_ref().and_then(|outcome| outcome.delta.as_ref()).map(|delta| delta.write());
        match (model, weights) {
            (Some(model), Some(weights)) => {
                let corrections = count as i64;
                let delta = StoredDelta { brand_id, language: language.clone(), model, weights, corrections };
                store.put_delta(&delta, who).await?;
            }
            _ => {
                store.drop_delta(brand_id, &language, who).await?;
            }
        }
        let ending = match outcome {
            None => Ending::NoModel { corrections: count },
            Some(outcome) if outcome.delta.is_some() => Ending::Learnt(outcome),
            Some(outcome) if outcome.different < FEWEST => Ending::TooFew { different: outcome.different },
            Some(outcome) => Ending::NoGain(outcome),
        };
        tell(&Lesson { brand, language, ending, rested });
    }
    for kept in stored {
        if !asked.contains(&(kept.brand_id, kept.language.clone())) {
            store.drop_delta(kept.brand_id, &kept.language, who).await?;
            let brand = store.brand_name(kept.brand_id).await?;
            tell(&Lesson { brand, language: kept.language, ending: Ending::NothingLeft, rested: false });
        }
    }
    Ok(())
}

/// The corrections that count, by brand and language.
async fn corrections(store: &Store) -> Result<BTreeMap<(BrandId, String), Taught>, StoreError> {
    let mut taught: BTreeMap<(BrandId, String), Taught> = BTreeMap::new();
    let mut filter =
        CorrectionFilter { standing: Some(Standing::Counts), limit: LARGEST_PAGE, ..CorrectionFilter::default() };
    loop {
        let rows = store.corrections(&filter).await?;
        let last = rows.last().map(|row| row.mark()).filter(|_| rows.len() == LARGEST_PAGE);
        for row in rows {
            let Some(text) = row.text else { continue };
            let of_brand = taught.entry((row.brand.id, row.language)).or_default();
            of_brand.brand = row.brand.name;
            if of_brand.corrections.len() < MOST_CORRECTIONS {
                let (sentiment, intents) = (row.correction.sentiment, row.correction.intents);
                of_brand.corrections.push(Corrected { text, sentiment, intents });
            }
        }
        match last {
            Some(last) => filter.before = Some(last),
            None => return Ok(taught),
        }
    }
}

/// The texts of the brand's newest mentions that nobody corrected.
async fn uncorrected(store: &Store, brand_id: BrandId, language: &str) -> Result<Vec<String>, StoreError> {
    let mut filter = MentionFilter {
        brand_id: Some(brand_id),
        language: Some(language.to_owned()),
        limit: LARGEST_PAGE,
        ..MentionFilter::default()
    };
    let mut texts = Vec::new();
    loop {
        let rows = store.mentions(&filter).await?;
        let last = rows.last().map(|row| row.mark()).filter(|_| rows.len() == LARGEST_PAGE);
        texts.extend(rows.into_iter().filter(|row| row.correction.is_none()).filter_map(|row| row.text));
        match last {
            Some(last) if texts.len() < MOST_UNCORRECTED => filter.before = Some(last),
            _ => return Ok(texts),
        }
    }
}

impl std::fmt::Display for Lesson {
    /// One line for a person, with its figures.
    fn fmt(&self, line: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(line, "{}, {}: ", self.brand, self.language)?;
        match &self.ending {
            Ending::NoModel { corrections } => {
                write!(line, "nothing learnt from {corrections} corrections: no built-in model judges this language")?;
            }
            Ending::TooFew { different } => write!(
                line,
                "nothing learnt: {different} corrections that say different things are too few, {FEWEST} are needed"
            )?,
            Ending::NoGain(outcome) => write!(
                line,
                "nothing learnt: what {} corrections teach does not tell those held out better than the built-in model, \
                 whose mood is right in {} and main intent in {}",
                outcome.different,
                Rate(outcome.before.moods),
                Rate(outcome.before.intents)
            )?,
            Ending::Learnt(outcome) => {
                let Outcome { before, after, .. } = outcome;
                write!(
                    line,
                    "learnt from {} corrections; of those held out, mood right in {} -> {}, main intent in {} -> {}; \
                     of {} uncorrected mentions {} are judged otherwise",
                    outcome.different,
                    Rate(before.moods),
                    Rate(after.moods),
                    Rate(before.intents),
                    Rate(after.intents),
                    outcome.uncorrected,
                    outcome.changed
                )?;
            }
            Ending::NothingLeft => {
                write!(line, "what was learnt is dropped: no correction is left that it was learnt from")?;
            }
        }
        if self.rested {
            write!(line, "; what was kept before was learnt over another built-in model and rested")?;
        }
        Ok(())
    }
}

/// `61.0 % (log loss 0.912)`.
struct Rate(HeldOut);

impl std::fmt::Display for Rate {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{:.1} % (log loss {:.3})", 100.0 * self.0.accuracy, self.0.log_loss)
    }
}

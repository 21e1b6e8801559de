//! What was learnt from the corrections of each brand, as the database has it now: every worker takes up what
//! `muhatap train --with-corrections` keeps within a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::analyze::delta::{Delta, Learnt};
use crate::analyze::model_name;
use crate::model::BrandId;
use crate::store::deltas::{DeltaSet, StoredDelta};
use crate::store::{Store, StoreError};

/// How soon a change is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

type ByBrand = HashMap<BrandId, Arc<Learnt>>;

/// The deltas of all brands, read again when they changed.
pub struct Deltas {
    store: Store,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    looked: Option<Instant>,
    set: Option<DeltaSet>,
    by_brand: Arc<ByBrand>,
}

impl Deltas {
    pub fn new(store: Store) -> Self {
        Self { store, held: Mutex::default() }
    }

    /// What the mentions of a brand are judged with beside the built-in models; nothing where nothing was learnt. A
    /// database that does not answer leaves it as it was.
    pub async fn of(&self, brand: BrandId) -> Option<Arc<Learnt>> {
        if let Err(error) = self.look().await {
            warn!(%error, "what was learnt from corrections could not be read; the last reading goes on");
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).by_brand.get(&brand).cloned()
    }

    async fn look(&self) -> Result<(), StoreError> {
        let known = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
                return Ok(());
            }
            held.looked = Some(Instant::now());
            held.set.clone()
        };
        let set = self.store.delta_set().await?;
        if set == known {
            return Ok(());
        }
        let by_brand = Arc::new(usable(self.store.deltas().await?));
        info!(brands = by_brand.len(), "what was learnt from corrections is taken up");
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        (held.set, held.by_brand) = (set, by_brand);
        Ok(())
    }
}

/// The deltas that were learnt over the models of this program; others rest, and the log says so.
fn usable(stored: Vec<StoredDelta>) -> ByBrand {
    let mut by_brand: HashMap<BrandId, Learnt> = HashMap::new();
    for delta in stored {
        if model_name(&delta.language).as_ref() != Some(&delta.model) {
            warn!(
                brand.id = %delta.brand_id,
                language = delta.language,
                "what was learnt from corrections rests: it was learnt over another built-in model; learn it anew with \
                 muhatap train --with-corrections"
            );
            continue;
        }
        match Delta::read(&delta.weights) {
            Ok(weights) => by_brand.entry(delta.brand_id).or_default().add(&delta.language, weights),
            Err(error) => {
                warn!(brand.id = %delta.brand_id, language = delta.language, %error, "what was learnt from corrections rests");
            }
        }
    }
    by_brand.into_iter().map(|(brand, learnt)| (brand, Arc::new(learnt))).collect()
}

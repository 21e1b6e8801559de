//! What was learnt for each account, as the database has it now: from the corrections of its brand, where every worker
//! takes up what `muhatap train --with-corrections` keeps within a few seconds, and from the languages of its mentions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tracing::{info, warn};

use crate::analyze::delta::{Delta, Learnt};
use crate::analyze::language::Usual;
use crate::analyze::model_name;
use crate::model::{AccountId, BrandId};
use crate::store::accounts::Account;
use crate::store::deltas::{DeltaSet, StoredDelta};
use crate::store::{Store, StoreError};

/// How soon a change is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the languages are counted: what is usual changes slowly.
const COUNT_EVERY: Duration = Duration::from_mins(10);
/// Mentions of so many days are counted.
const DAYS_COUNTED: i64 = 90;

type ByBrand = HashMap<BrandId, Learnt>;
type ByAccount = HashMap<AccountId, Usual>;

/// What was learnt, read again when it changed.
pub struct Deltas {
    store: Store,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    looked: Option<Instant>,
    set: Option<DeltaSet>,
    by_brand: ByBrand,
    counted: Option<Instant>,
    usual: ByAccount,
}

impl Deltas {
    pub fn new(store: Store) -> Self {
        Self { store, held: Mutex::default() }
    }

    /// What the mentions of an account are judged with beside the built-in models; nothing where nothing was learnt. A
    /// database that does not answer leaves it as it was.
    pub async fn of(&self, account: &Account) -> Option<Arc<Learnt>> {
        if let Err(error) = self.look().await {
            warn!(%error, "what was learnt from corrections could not be read; the last reading goes on");
        }
        if let Err(error) = self.count().await {
            warn!(%error, "the languages of the mentions could not be counted; the last count goes on");
        }
        let held = self.held();
        let (corrected, usual) = (held.by_brand.get(&account.brand_id), held.usual.get(&account.id));
        if corrected.is_none() && usual.is_none() {
            return None;
        }
        let mut learnt = corrected.cloned().unwrap_or_default();
        learnt.usual = usual.copied().unwrap_or_default();
        Some(Arc::new(learnt))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn count(&self) -> Result<(), StoreError> {
        {
            let mut held = self.held();
            if held.counted.is_some_and(|counted| counted.elapsed() < COUNT_EVERY) {
                return Ok(());
            }
            held.counted = Some(Instant::now());
        }
        let since = self.store.clock() - SignedDuration::from_hours(24 * DAYS_COUNTED);
        let mut counts: HashMap<AccountId, Vec<(String, u64)>> = HashMap::new();
        for (account, language, mentions) in self.store.languages_since(since).await? {
            counts.entry(account).or_default().push((language, mentions));
        }
        let usual = |counts: Vec<(String, u64)>| Usual::of(counts.iter().map(|(code, count)| (code.as_str(), *count)));
        self.held().usual = counts.into_iter().map(|(account, counts)| (account, usual(counts))).collect();
        Ok(())
    }

    async fn look(&self) -> Result<(), StoreError> {
        let known = {
            let mut held = self.held();
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
        let by_brand = usable(self.store.deltas().await?);
        info!(brands = by_brand.len(), "what was learnt from corrections is taken up");
        let mut held = self.held();
        (held.set, held.by_brand) = (set, by_brand);
        Ok(())
    }
}

/// The deltas that were learnt over the models of this program; others rest, and the log says so.
fn usable(stored: Vec<StoredDelta>) -> ByBrand {
    let mut by_brand = ByBrand::new();
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
    by_brand
}

//! One thing done to many deliveries: each on its own, so that one which has moved on stops no other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decisions::Pace;
use super::rows::Cells;
use super::slots::Slots;
use super::stops::Release;
use super::{Store, StoreError};
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, Hold};

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Send it now; posts, and whatever is held or failed, go out spaced on each account.
    Retry,
    Cancel,
}

/// What became of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Acted {
    pub done: Vec<DeliveryId>,
    pub refused: Vec<Refused>,
}

/// One it could not be done to, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Refused {
    pub id: DeliveryId,
    pub reason: String,
}

/// Chosen deliveries in the order they were due, each once, and when each goes out if all are sent now.
struct Turns {
    /// The time is missing where it goes at once or cannot be sent.
    each: Vec<(DeliveryId, Option<Timestamp>)>,
    plan: Release,
}

impl Store {
    /// Retries or cancels each of `ids` once, the earliest due first. An error of the database ends it; what is done by
    /// then stays done, and doing it again does no harm.
    pub async fn act_on(
        &self,
        ids: &[DeliveryId],
        act: Act,
        spacing: Duration,
        who: &str,
        now: Timestamp,
    ) -> Result<Acted, StoreError> {
        let mut acted = Acted::default();
        for (id, at) in self.turns(ids, spacing, now).await?.each {
            let pace = at.map_or(Pace::Now(spacing), Pace::At);
            let done = match act {
                Act::Retry => self.send(id, pace, who, now).await,
                Act::Cancel => self.cancel(id, who).await,
            };
            match done {
                Ok(_) => acted.done.push(id),
                Err(StoreError::Conflict(reason) | StoreError::NotFound(reason)) => {
                    acted.refused.push(Refused { id, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(acted)
    }

    /// What retrying all of `ids` now would let out.
    pub async fn retry_plan(
        &self,
        ids: &[DeliveryId],
        spacing: Duration,
        now: Timestamp,
    ) -> Result<Release, StoreError> {
        Ok(self.turns(ids, spacing, now).await?.plan)
    }

    /// Posts, and whatever is held or failed, go one after the other on each account; answers that wait go at once.
    async fn turns(&self, ids: &[DeliveryId], spacing: Duration, now: Timestamp) -> Result<Turns, StoreError> {
        let chosen: HashSet<DeliveryId> = ids.iter().copied().collect();
        let keys: Vec<String> = chosen.iter().map(DeliveryId::to_string).collect();
        let mut tx = self.begin_reading().await?;
        let rows = tx
            .find(
                "SELECT id, account_id, state, hold, action, post_id, due_at, seq FROM deliveries WHERE id",
                &[],
                &keys,
                "",
            )
            .await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in &rows {
            known.push((row.time("due_at")?, row.number("seq")?, row.word::<DeliveryId>("id")?, row));
        }
        known.sort_by_key(|(due_at, seq, id, _)| (*due_at, *seq, *id));
        let mut slots: HashMap<AccountId, Slots> = HashMap::new();
        let mut plan = Release { spacing_seconds: spacing.as_secs(), ..Release::default() };
        let mut each = Vec::with_capacity(chosen.len());
        for (_, _, id, row) in &known {
            let is_post = row.maybe_text("post_id")?.is_some() && row.text("action")? == Action::Publish.as_str();
            let is_spaced = match row.word("state")? {
                DeliveryState::Failed => true,
                DeliveryState::Held => row.maybe_text("hold")?.as_deref() != Some(Hold::Restored.as_str()),
                DeliveryState::Queued | DeliveryState::Retry => {
                    plan.at_once += i64::from(!is_post);
                    is_post
                }
                _ => false,
            };
            if !is_spaced {
                each.push((*id, None));
                continue;
            }
            let account = row.word("account_id")?;
            let at = match slots.entry(account) {
                Entry::Occupied(slots) => slots.into_mut().take(),
                Entry::Vacant(none) => none.insert(Slots::of(&mut tx, account, &chosen, spacing, now).await?).take(),
            };
            plan.spaced += 1;
            plan.last_at = plan.last_at.max(Some(at));
            each.push((*id, Some(at)));
        }
        plan.accounts = i64::try_from(slots.len()).unwrap_or(i64::MAX);
        let mut unknown = chosen;
        for (id, _) in &each {
            unknown.remove(id);
        }
        each.extend(unknown.into_iter().map(|id| (id, None)));
        Ok(Turns { each, plan })
    }
}

//! One thing done to many deliveries: each on its own, so that one which has moved on stops no other.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, StoreError};
use crate::model::DeliveryId;

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Send it now; what is held or failed goes out spaced on each account.
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

impl Store {
    /// Retries or cancels each of `ids`. An error of the database ends it; what is done by then stays done, and doing it
    /// again does no harm.
    pub async fn act_on(
        &self,
        ids: &[DeliveryId],
        act: Act,
        spacing: Duration,
        who: &str,
        now: Timestamp,
    ) -> Result<Acted, StoreError> {
        let mut acted = Acted::default();
        for id in ids {
            let done = match act {
                Act::Retry => self.retry(*id, spacing, who, now).await,
                Act::Cancel => self.cancel(*id, who).await,
            };
            match done {
                Ok(_) => acted.done.push(*id),
                Err(StoreError::Conflict(reason) | StoreError::NotFound(reason)) => {
                    acted.refused.push(Refused { id: *id, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(acted)
    }
}

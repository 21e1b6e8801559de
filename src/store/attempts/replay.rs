//! What comes late: outcomes from the journal, the proof of a worker that was frozen, and whose message is whose.

use jiff::Timestamp;
use muhatap_connectors::Receipt;

use super::mark::take_back_late;
use super::{Outcome, Work, apply, event, work};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, micros};

impl Store {
    /// As [`Store::not_called`], from the journal: the database was away when the call was not started.
    pub async fn replay_not_called(
        &self,
        id: DeliveryId,
        epoch: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let taken_back = take_back_late(&mut tx, id, epoch, reason, now).await?;
        tx.commit().await?;
        Ok(taken_back)
    }

    /// Puts a journalled outcome other than a success into the row, if it still is as the worker had it.
    pub async fn replay(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        epoch: i64,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(work) = work(&mut tx, id).await? else { return Ok(false) };
        if (work.state, work.epoch) != (state, epoch) {
            return Ok(false);
        }
        let applied = apply(&mut tx, &work, outcome, now).await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Puts a success into the row that comes late, from the journal or from a worker that was frozen, whatever became of
    /// the row since: the network's own proof is the truth. False: another worker is in the middle of a call for it; try
    /// again later.
    pub async fn replay_sent(
        &self,
        id: DeliveryId,
        epoch: i64,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let found = work(&mut tx, id).await?;
        tx.commit().await?;
        let Some(work) = found else { return Ok(true) };
        if work.state == DeliveryState::Sent {
            self.note_second_proof(id, receipt, now).await?;
            return Ok(true);
        }
        if work.state.is_end() {
            tracing::error!(delivery.id = %id, state = %work.state, "it was sent, but the delivery ended otherwise: look at the network");
            return Ok(true);
        }
        if work.state == DeliveryState::Sending && work.epoch != epoch {
            return Ok(false);
        }
        self.finish(&work, &Outcome::Sent { receipt: receipt.clone(), found: false }, now).await
    }

    /// Two messages were proved for one delivery: a worker was frozen between its deadline and its request, on a network
    /// that cannot drop the second. Nothing can prevent it, so people are told: on the delivery, and by an alert.
    async fn note_second_proof(&self, id: DeliveryId, receipt: &Receipt, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let noted = sqlx::query(
            "UPDATE deliveries SET reason = $3, changed_at = $4, doubled_ref = $2
             WHERE id = $1 AND state = 'sent' AND network_ref <> $2 AND decided_by IS NULL",
        )
        .bind(id.to_string())
        .bind(receipt.remote_id.as_str())
        .bind(format!("it is on the network twice, also as {}: delete one of them there", receipt.remote_id))
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() > 0 {
            tracing::error!(delivery.id = %id, "it is on the network twice: delete one of them there");
            event(&mut tx, id, now).await?;
        }
        tx.commit().await
    }

    /// Messages of the account that belong to other deliveries, as far as they were sent since `since`.
    pub async fn taken_refs(&self, work: &Work, since: Timestamp) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT network_ref FROM deliveries
             WHERE account_id = $1 AND id <> $2 AND action = 'publish' AND network_ref IS NOT NULL AND sent_at >= $3",
        )
        .bind(work.account_id.to_string())
        .bind(work.id.to_string())
        .bind(micros(since))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| row.text("network_ref")).collect()
    }
}

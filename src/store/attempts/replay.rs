//! What comes late: outcomes from the journal, the proof of a worker that was frozen, and whose message is whose.

use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::Receipt;

use super::mark::take_back_late;
use super::{Marking, Outcome, Work, apply, event, work};
use crate::model::{Action, DeliveryId, DeliveryState};
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, enqueue, micros};

impl Store {
    /// As [`Store::not_called`], from the journal: the database was away when the call was not started.
    pub async fn replay_not_called(&self, marking: &Marking, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let taken_back = take_back_late(&mut tx, marking, reason, now).await?;
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
            return self.correct_end(work, receipt, now).await;
        }
        if work.state == DeliveryState::Sending && work.epoch != epoch {
            return Ok(false);
        }
        self.finish(&work, &Outcome::Sent { receipt: receipt.clone(), found: false }, Duration::ZERO, now).await
    }

    /// A person decided, or it expired, before the proof came that it is out: it is `sent` all the same, so that people see
    /// it and can delete it. Where a person cancelled it, it is deleted at once.
    async fn correct_end(&self, work: Work, receipt: &Receipt, now: Timestamp) -> Result<bool, StoreError> {
        tracing::error!(delivery.id = %work.id, state = %work.state, "it had ended otherwise, and is on the network all the same");
        let mut tx = self.begin().await?;
        let sent = Outcome::Sent { receipt: receipt.clone(), found: false };
        let corrected = apply(&mut tx, &work, &sent, now).await?;
        if corrected && work.state == DeliveryState::Cancelled && work.action == Action::Publish && !work.cancel_wanted
        {
            enqueue::take_back(&mut tx, work.id, "cancelled, and on the network all the same", now).await?;
        }
        tx.commit().await?;
        Ok(corrected)
    }

    /// Two messages were proved for one delivery: a worker was frozen between its deadline and its request, on a network
    /// that cannot drop the second. Nothing can prevent it, so people are told: on the delivery, and by an alert. What a
    /// person said of where it is may be the same message by another name.
    async fn note_second_proof(&self, id: DeliveryId, receipt: &Receipt, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let noted = sqlx::query(
            "UPDATE deliveries SET reason = $3, changed_at = $4, doubled_ref = $2
             WHERE id = $1 AND state = 'sent' AND network_ref <> $2
                AND (decided_by IS NULL OR EXISTS (SELECT 1 FROM attempts a
                    WHERE a.delivery_id = $1 AND a.outcome = 'sent' AND a.network_ref = deliveries.network_ref))",
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

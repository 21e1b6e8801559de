//! What happened, in order: written in the transaction of what it tells, read on from a mark by live pages.

use jiff::Timestamp;
use serde::Serialize;

use super::rows::Cells;
use super::{Store, StoreError, Tx, micros};
use crate::model::new_ulid;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    pub id: String,
    /// `mention`, `mention_edited`, `mention_corrected`, `mention_deleted`, `conversation`, `delivery`, `recurrence`, `campaign`,
    /// `account` or `alert`.
    pub kind: String,
    pub subject_id: String,
}

/// Rows deleted in one go, so that no transaction is long.
const BATCH: i64 = 1_000;

/// Adds an event to the transaction of what it tells.
pub(in crate::store) async fn write(
    tx: &mut Tx,
    now: Timestamp,
    kind: &'static str,
    subject_id: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO events (id, at, kind, subject_id) VALUES ($1, $2, $3, $4)")
        .bind(new_ulid(now).to_string())
        .bind(micros(now))
        .bind(kind)
        .bind(subject_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Adds events of one kind, each with its time and subject.
pub(in crate::store) async fn write_all(
    tx: &mut Tx,
    kind: &'static str,
    told: &[(Timestamp, String)],
) -> Result<(), StoreError> {
    const WRITE: &str = "
        INSERT INTO events (id, at, kind, subject_id)
        SELECT g.value ->> 0, CAST(g.value ->> 1 AS BIGINT), g.value ->> 2, g.value ->> 3 FROM {rows}";
    let rows: Vec<_> =
        told.iter().map(|(at, subject)| (new_ulid(*at).to_string(), micros(*at), kind, subject)).collect();
    tx.over(WRITE, &rows).await?;
    Ok(())
}

impl Store {
    /// The events since `since`, oldest first, at most `limit`. An event may become visible a little after its time,
    /// when its transaction ends, so a reader goes back a few seconds and drops what it has seen.
    pub async fn events_since(&self, since: Timestamp, limit: i64) -> Result<Vec<(Timestamp, Event)>, StoreError> {
        sqlx::query("SELECT id, at, kind, subject_id FROM events WHERE at >= $1 ORDER BY at, id LIMIT $2")
            .bind(micros(since))
            .bind(limit)
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(|row| {
                let event = Event { id: row.text("id")?, kind: row.text("kind")?, subject_id: row.text("subject_id")? };
                Ok((row.time("at")?, event))
            })
            .collect()
    }

    /// Deletes the events before `before`, in batches.
    pub async fn forget_events(&self, before: Timestamp) -> Result<(), StoreError> {
        loop {
            let mut tx = self.begin().await?;
            let deleted = sqlx::query(
                "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < $1 ORDER BY at LIMIT $2)",
            )
            .bind(micros(before))
            .bind(BATCH)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            tx.commit().await?;
            if deleted < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

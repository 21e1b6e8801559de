//! The compare-and-set before the one call that counts, and what belongs to it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::Prepared;

use super::{Marking, Outcome, Work, apply, event, followers, free_lane, wait_for};
use crate::model::{Action, DeliveryId, DeliveryState};
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, Tx, events, maybe_micros, micros};

/// All is asked here again: an account may have been paused, or a delivery become late, during a long upload. What comes
/// straight from its lane was asked for stops, account and lane in this transaction. That nobody wants to cancel is said by
/// a comparison: of `IS NULL` PostgreSQL expects next to no rows, and would compare every delivery with every one of
/// `{rows}`.
const MARK: &str = "
    UPDATE deliveries SET state = 'sending', epoch = deliveries.epoch + 1, worker = g.value ->> 3,
        lease_until = CAST(g.value ->> 4 AS BIGINT),
        first_called_at = COALESCE(deliveries.first_called_at, CAST(g.value ->> 5 AS BIGINT)),
        last_called_at = CAST(g.value ->> 5 AS BIGINT), attempts = deliveries.attempts + 1, prepared = g.value ->> 6,
        absent_since = NULL, read_failures = 0, changed_at = CAST(g.value ->> 5 AS BIGINT)
    FROM {rows}
    WHERE deliveries.id = g.value ->> 0 AND deliveries.state || '' = g.value ->> 1
        AND deliveries.epoch = CAST(g.value ->> 2 AS BIGINT) AND COALESCE(deliveries.cancel_wanted, -1) < 0
        AND (deliveries.expires_at IS NULL OR deliveries.expires_at > CAST(g.value ->> 5 AS BIGINT))
        AND (deliveries.first_called_at IS NOT NULL
            OR deliveries.due_at >= CAST(g.value ->> 5 AS BIGINT) - deliveries.late_limit)
        AND (g.value ->> 1 IN ('queued', 'retry') OR (
            NOT EXISTS (SELECT 1 FROM stops s JOIN accounts a ON a.id = deliveries.account_id
                WHERE (s.scope = 'all' AND deliveries.payload_id IS NULL)
                    OR s.scope IN ('account:' || a.id, 'app:' || a.network || ' ' || COALESCE(a.base_url, ''))
                    OR (s.scope = 'posts' AND deliveries.post_id IS NOT NULL AND deliveries.action = 'publish'))
            AND (SELECT COUNT(*) FROM accounts a WHERE a.id = deliveries.account_id AND a.paused_at IS NULL
                AND a.health <> 'unauthorized' AND a.probe_at IS NULL
                AND (a.gated_until IS NULL OR a.gated_until <= CAST(g.value ->> 5 AS BIGINT))) = 1
            AND (SELECT l.delivery_id FROM lanes l WHERE l.lane = deliveries.lane) = deliveries.id))
    RETURNING id, epoch";

const ATTEMPTS: &str = "
    INSERT INTO attempts (delivery_id, epoch, worker, started_at, called_at)
    SELECT g.value ->> 0, CAST(g.value ->> 1 AS BIGINT), g.value ->> 2, CAST(g.value ->> 3 AS BIGINT),
        CAST(g.value ->> 3 AS BIGINT)
    FROM {rows}";

/// A delivery about to be called for, as its worker has it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Mark {
    pub id: DeliveryId,
    pub lane: String,
    pub action: Action,
    pub state: DeliveryState,
    pub epoch: i64,
    /// JSON.
    pub prepared: String,
    pub worker: String,
    pub lease: Duration,
    pub now: Timestamp,
}

impl Mark {
    pub fn of(work: &Work, prepared: &Prepared, worker: &str, lease: Duration, now: Timestamp) -> Mark {
        Mark {
            id: work.id,
            lane: work.lane.clone(),
            action: work.action,
            state: work.state,
            epoch: work.epoch,
            prepared: serde_json::to_string(prepared).unwrap_or_else(|_| "null".into()),
            worker: worker.to_owned(),
            lease,
            now,
        }
    }
}

/// Moves each to `sending` and makes its attempt's row. Answers the new epoch of each that may be called.
pub(in crate::store) async fn mark_all(tx: &mut Tx, marks: &[Mark]) -> Result<Vec<Option<i64>>, StoreError> {
    let rows: Vec<_> = marks
        .iter()
        .map(|mark| {
            let lease = micros(mark.now + mark.lease);
            let Mark { worker, now, prepared, .. } = mark;
            (mark.id.to_string(), mark.state.as_str(), mark.epoch, worker, lease, micros(*now), prepared)
        })
        .collect();
    let mut epochs: HashMap<DeliveryId, i64> = HashMap::new();
    for row in tx.over(MARK, &rows).await? {
        epochs.insert(row.word("id")?, row.number("epoch")?);
    }
    let marked = || marks.iter().filter_map(|mark| Some((mark, *epochs.get(&mark.id)?)));
    let attempts: Vec<_> =
        marked().map(|(mark, epoch)| (mark.id.to_string(), epoch, mark.worker.as_str(), micros(mark.now))).collect();
    tx.over(ATTEMPTS, &attempts).await?;
    let told: Vec<_> = marked().map(|(mark, _)| (mark.now, mark.id.to_string())).collect();
    events::write_all(tx, "delivery", &told).await?;
    Ok(marks.iter().map(|mark| epochs.get(&mark.id).copied()).collect())
}

impl Store {
    /// Prolongs the lease of a delivery that is being prepared or verified. False: it is no longer this worker's.
    pub async fn renew(&self, work: &Work, lease: Duration, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query("UPDATE deliveries SET lease_until = $4 WHERE id = $1 AND state = $2 AND epoch = $3")
            .bind(work.id.to_string())
            .bind(work.state.as_str())
            .bind(work.epoch)
            .bind(micros(now + lease))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(rows.rows_affected() == 1)
    }

    /// Takes back [`Store::begin_sending`] where the call was not started in time: as if it had never been marked, even
    /// where others already ask whether it is out.
    pub async fn not_called(
        &self,
        work: &Work,
        before: &Work,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "UPDATE deliveries SET first_called_at = $4, last_called_at = $5, attempts = attempts - 1
             WHERE id = $1 AND state = $2 AND epoch = $3 AND last_called_at = $6",
        )
        .bind(work.id.to_string())
        .bind(work.state.as_str())
        .bind(work.epoch)
        .bind(maybe_micros(before.first_called_at))
        .bind(maybe_micros(before.last_called_at))
        .bind(maybe_micros(work.last_called_at))
        .execute(&mut *tx)
        .await?;
        if rows.rows_affected() == 0 {
            let taken_back = take_back_late(&mut tx, &Marking::of(work), reason, now).await?;
            tx.commit().await?;
            return Ok(taken_back);
        }
        let outcome = match before.state {
            DeliveryState::Verifying => Outcome::Verifying { at: now, reason: reason.to_owned() },
            _ => Outcome::PutBack { reason: Some(reason.to_owned()) },
        };
        let finished = apply(&mut tx, work, &outcome, now).await?;
        tx.commit().await?;
        Ok(finished)
    }
}

/// A worker that was frozen past its lease, or had no database, knows that it did not call. Where no other call was ever
/// made nothing can be out, so nobody has to look or to decide.
pub(super) async fn take_back_late(
    tx: &mut Tx,
    Marking { id, epoch, at }: &Marking,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    wait_for(tx, *id).await?;
    let row = sqlx::query(
        "UPDATE deliveries SET state = CASE WHEN cancel_wanted IS NULL THEN 'queued' ELSE 'cancelled' END,
            epoch = epoch + 1, worker = NULL, lease_until = NULL, first_called_at = NULL, last_called_at = NULL,
            attempts = attempts - 1, absent_since = NULL, read_failures = 0, next_at = $3, changed_at = $3, reason = $4
         WHERE id = $1 AND (state IN ('verifying', 'unknown') OR (state = 'sending' AND epoch = $2))
            AND EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = $1 AND a.epoch = $2 AND a.called_at = $5)
            AND NOT EXISTS (SELECT 1 FROM attempts a
                WHERE a.delivery_id = $1 AND a.epoch <> $2 AND COALESCE(a.outcome, '') <> 'put_back')
         RETURNING state, lane",
    )
    .bind(id.to_string())
    .bind(*epoch)
    .bind(micros(now))
    .bind(reason)
    .bind(micros(*at))
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    sqlx::query(
        "UPDATE attempts SET finished_at = $3, outcome = 'put_back', detail = $4 WHERE delivery_id = $1 AND epoch = $2",
    )
    .bind(id.to_string())
    .bind(*epoch)
    .bind(micros(now))
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    free_lane(tx, &row.text("lane")?, *id).await?;
    followers(tx, *id, row.word("state")?, now).await?;
    event(tx, *id, now).await?;
    Ok(true)
}

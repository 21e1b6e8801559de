//! Taking an account out of use: what waits on it ends with it, and is told.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::accounts::REMOVED;
use super::attempts::work;
use super::decisions::{Times, set};
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, RecurrenceId};

/// The reason of what was cancelled.
const REASON: &str = "its account was removed";

/// What waits on an account, and ends when the account is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waiting {
    /// Posts that are planned, held, or wait for their next try.
    pub posts: i64,
    pub answers: i64,
    pub deletions: i64,
    /// Recurring posts that make occurrences for it. Of several accounts they go on for the others.
    pub recurring: i64,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Not called yet, or certainly not sent. What may be out already stays for a person to decide; events for webhooks are
/// forgotten with time.
const WAITING: &str = "
    SELECT id, reply_id, post_id, action FROM deliveries
    WHERE account_id = $1 AND state IN ('waiting', 'queued', 'preparing', 'retry', 'held')
        AND COALESCE(hold, '') <> 'restored' AND payload_id IS NULL
    ORDER BY due_at, seq";

const RECURRING: &str = "
    SELECT r.recurrence_id AS id,
        (SELECT COUNT(*) FROM recurrence_accounts o WHERE o.recurrence_id = r.recurrence_id) AS accounts
    FROM recurrence_accounts r JOIN recurrences c ON c.id = r.recurrence_id
    WHERE r.account_id = $1 AND c.ended_at IS NULL
    ORDER BY r.recurrence_id";

impl Store {
    /// What would end if the account were removed now.
    pub async fn waiting_on(&self, account: AccountId) -> Result<Waiting, StoreError> {
        let mut tx = self.begin_reading().await?;
        let mut waiting = Waiting::default();
        for row in &sqlx::query(WAITING).bind(account.to_string()).fetch_all(&mut *tx).await? {
            *waiting.of(row)? += 1;
        }
        let series = sqlx::query(RECURRING).bind(account.to_string()).fetch_all(&mut *tx).await?;
        waiting.recurring = series.len() as i64;
        Ok(waiting)
    }

    /// Takes an account that a person added out of use: it rests, its secrets are forgotten, its history stays. What waits
    /// on it is cancelled, and recurring posts end for it; answers how much of each. What is being called ends.
    pub async fn remove_account(&self, id: AccountId, who: &str) -> Result<Waiting, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE accounts SET paused_at = $2, pause_reason = $3, secret = NULL, secret_mark = NULL, session = NULL,
             changed_at = $2 WHERE id = $1 AND origin = 'console' AND (pause_reason IS NULL OR pause_reason <> $3)",
        )
        .bind(id.to_string())
        .bind(micros(now))
        .bind(REMOVED)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 0 {
            return Ok(Waiting::default());
        }
        // First the series, so that no occurrence is made beside.
        let recurring = end_series(&mut tx, id, who, now).await?;
        let mut waiting = cancel_waiting(&mut tx, id, who, now).await?;
        waiting.recurring = recurring;
        audit::write(&mut tx, now, who, "account_removed", &id.to_string(), json!(waiting)).await?;
        events::write(&mut tx, now, "account", &id.to_string()).await?;
        tx.commit().await?;
        Ok(waiting)
    }
}

impl Waiting {
    /// The count that a delivery belongs to.
    fn of(&mut self, row: &sqlx::any::AnyRow) -> Result<&mut i64, StoreError> {
        let publishes = row.text("action")? == Action::Publish.as_str();
        Ok(match (publishes, row.maybe_text("post_id")?, row.maybe_text("reply_id")?) {
            (true, Some(_), _) => &mut self.posts,
            (true, None, Some(_)) => &mut self.answers,
            _ => &mut self.deletions,
        })
    }
}

async fn cancel_waiting(tx: &mut Tx, account: AccountId, who: &str, now: Timestamp) -> Result<Waiting, StoreError> {
    let rows = sqlx::query(WAITING).bind(account.to_string()).fetch_all(&mut **tx).await?;
    let mut waiting = Waiting::default();
    for row in &rows {
        let id: DeliveryId = row.word("id")?;
        let Some(work) = work(tx, id).await? else { continue };
        // Its call began in this moment, and goes out as it is.
        if !set(tx, &work, DeliveryState::Cancelled, Times::at(work.due_at), who, now).await? {
            continue;
        }
        sqlx::query("UPDATE deliveries SET reason = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(REASON)
            .execute(&mut **tx)
            .await?;
        *waiting.of(row)? += 1;
    }
    Ok(waiting)
}

/// Ends what makes posts for the account: a recurring post of no other account is over, one of several goes on without it.
async fn end_series(tx: &mut Tx, account: AccountId, who: &str, now: Timestamp) -> Result<i64, StoreError> {
    let rows = sqlx::query(RECURRING).bind(account.to_string()).fetch_all(&mut **tx).await?;
    for row in &rows {
        let id: RecurrenceId = row.word("id")?;
        let is_last = row.number("accounts")? == 1;
        if !is_last {
            sqlx::query("DELETE FROM recurrence_accounts WHERE recurrence_id = $1 AND account_id = $2")
                .bind(id.to_string())
                .bind(account.to_string())
                .execute(&mut **tx)
                .await?;
        }
        sqlx::query(
            "UPDATE recurrences SET ended_at = COALESCE($3, ended_at), revision = revision + 1, changed_at = $2
             WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(micros(now))
        .bind(is_last.then_some(micros(now)))
        .execute(&mut **tx)
        .await?;
        let (action, detail) = match is_last {
            true => ("recurrence.end", json!({ "because": REASON })),
            false => ("recurrence.change", json!({ "without": account, "because": REASON })),
        };
        audit::write(tx, now, who, action, &id.to_string(), detail).await?;
    }
    Ok(rows.len() as i64)
}

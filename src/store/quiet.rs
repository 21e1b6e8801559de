//! Quiet hours of accounts, and the posts that are moved past them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use serde_json::json;
use sqlx::any::AnyRow;

use super::attempts::event;
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::model::{AccountId, DeliveryId};
use crate::quiet::QuietHours;

/// Posts looked at in one go.
const AT_ONCE: i64 = 5_000;
/// Posts waiting for the end of the same quiet hours that are told apart.
const MOST_SPACED: u32 = 5_000;

/// A post that was not called yet and that no person gave its time after it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub id: DeliveryId,
    pub account_id: AccountId,
    pub epoch: i64,
    pub next_at: Timestamp,
}

impl Store {
    pub async fn quiet_hours(&self, account: AccountId) -> Result<Option<QuietHours>, StoreError> {
        let row = sqlx::query("SELECT from_minute, until_minute FROM quiet_hours WHERE account_id = $1")
            .bind(account.to_string())
            .fetch_optional(self.pool())
            .await?;
        row.map(|row| hours(&row)).transpose()
    }

    /// Of every account that has some.
    pub async fn all_quiet_hours(&self) -> Result<Vec<(AccountId, QuietHours)>, StoreError> {
        let rows = sqlx::query("SELECT account_id, from_minute, until_minute FROM quiet_hours ORDER BY account_id")
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(|row| Ok((row.word("account_id")?, hours(row)?))).collect()
    }

    pub async fn set_quiet_hours(
        &self,
        account: AccountId,
        hours: Option<QuietHours>,
        who: &str,
    ) -> Result<(), StoreError> {
        self.account(account).await?;
        let now = self.clock();
        let mut tx = self.begin().await?;
        match hours {
            Some(hours) => {
                sqlx::query(
                    "INSERT INTO quiet_hours (account_id, from_minute, until_minute) VALUES ($1, $2, $3)
                     ON CONFLICT (account_id) DO UPDATE SET from_minute = excluded.from_minute,
                        until_minute = excluded.until_minute",
                )
                .bind(account.to_string())
                .bind(minute_of(hours.from))
                .bind(minute_of(hours.until))
                .execute(&mut *tx)
                .await?;
            }
            None => {
                sqlx::query("DELETE FROM quiet_hours WHERE account_id = $1")
                    .bind(account.to_string())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        let detail = json!({ "hours": hours.map(|hours| hours.to_string()) });
        audit::write(&mut tx, now, who, "account_quiet_hours", &account.to_string(), detail).await?;
        events::write(&mut tx, now, "account", &account.to_string()).await?;
        tx.commit().await
    }

    /// The account's posts that wait for their time or their turn and are looked at before `until`, in order.
    pub async fn planned_posts(&self, account: AccountId, until: Timestamp) -> Result<Vec<Planned>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, account_id, epoch, next_at FROM deliveries
             WHERE account_id = $1 AND state IN ('queued', 'retry') AND next_at < $2 AND post_id IS NOT NULL
                AND action = 'publish' AND decided_by IS NULL
             ORDER BY next_at, seq LIMIT $3",
        )
        .bind(account.to_string())
        .bind(micros(until))
        .bind(AT_ONCE)
        .fetch_all(self.pool())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Planned {
                    id: row.word("id")?,
                    account_id: row.word("account_id")?,
                    epoch: row.number("epoch")?,
                    next_at: row.time("next_at")?,
                })
            })
            .collect()
    }

    /// Moves a post to the end of quiet hours, after those that wait for it already; an occurrence may be as late then as
    /// before, what a person let expire earlier expires. False: it moved on meanwhile.
    pub async fn move_past_quiet(
        &self,
        planned: &Planned,
        end: Timestamp,
        spacing: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.alone(&format!("posts of {}", planned.account_id)).await?;
        let due_at = after_quiet(&mut tx, planned.account_id, end, spacing).await?;
        let rows = sqlx::query(
            "UPDATE deliveries SET wanted_at = COALESCE(wanted_at, due_at), due_at = $3, next_at = $3,
                expires_at = CASE WHEN post_id IN (SELECT id FROM posts WHERE recurrence_id IS NOT NULL)
                    THEN expires_at + ($3 - due_at) ELSE expires_at END,
                epoch = epoch + 1, changed_at = $4, reason = $5
             WHERE id = $1 AND epoch = $2 AND state IN ('queued', 'retry')",
        )
        .bind(planned.id.to_string())
        .bind(planned.epoch)
        .bind(micros(due_at))
        .bind(micros(now))
        .bind(moved_reason(end))
        .execute(&mut *tx)
        .await?;
        if rows.rows_affected() == 0 {
            return Ok(false);
        }
        event(&mut tx, planned.id, now).await?;
        let detail = json!({ "to": due_at });
        audit::write(&mut tx, now, "clock", "delivery.quiet", &planned.id.to_string(), detail).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// When the next post after the quiet hours that end at `end` goes out: then, or `spacing` after the last that waits.
pub(in crate::store) async fn after_quiet(
    tx: &mut Tx,
    account: AccountId,
    end: Timestamp,
    spacing: Duration,
) -> Result<Timestamp, StoreError> {
    let row = sqlx::query(
        "SELECT MAX(due_at) AS due_at FROM deliveries
         WHERE account_id = $1 AND due_at >= $2 AND due_at <= $3 AND wanted_at < $2
            AND state NOT IN ('failed', 'expired', 'cancelled')",
    )
    .bind(account.to_string())
    .bind(micros(end))
    .bind(micros(end.saturating_add(spacing * MOST_SPACED).unwrap_or(end)))
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.maybe_time("due_at")?.map_or(end, |last| last.saturating_add(spacing).unwrap_or(last)))
}

/// What a person reads of a post that was moved.
pub(in crate::store) fn moved_reason(end: Timestamp) -> String {
    format!("moved out of the account's quiet hours, which end at {end}")
}

pub(in crate::store) fn hours(row: &AnyRow) -> Result<QuietHours, StoreError> {
    Ok(QuietHours { from: time_of(row.number("from_minute")?), until: time_of(row.number("until_minute")?) })
}

fn minute_of(time: Time) -> i64 {
    i64::from(time.hour()) * 60 + i64::from(time.minute())
}

fn time_of(minute: i64) -> Time {
    let part = |number: i64, most: i8| i8::try_from(number).unwrap_or(most).clamp(0, most);
    Time::constant(part(minute / 60, 23), part(minute % 60, 59), 0, 0)
}

//! Quiet hours of accounts, and the planned posts that they move.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::attempts::event;
use super::recurrences::moved_expiry;
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, maybe_micros, micros};
use crate::model::{AccountId, DeliveryId};
use crate::quiet::{Change, Keeping, Moved, Planned, QuietHours};

/// The posts of account $1 that wait for their time or their turn, were not given it by a person since they were planned,
/// and are not in a worker's hands.
const PLANNED: &str = "account_id = $1 AND state IN ('queued', 'retry') AND post_id IS NOT NULL AND action = 'publish'
    AND decided_by IS NULL";
/// What a person reads of a post that quiet hours kept longer than they last.
const FREED: &str =
    "its account's quiet hours were changed after the time it was wanted at: it goes out as soon as it may";

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

    /// Sets or ends an account's quiet hours and arranges its planned posts anew, all or nothing; answers how many moved.
    pub async fn set_quiet_hours(
        &self,
        account: AccountId,
        hours: Option<QuietHours>,
        spacing: Duration,
        who: &str,
    ) -> Result<Moved, StoreError> {
        self.account(account).await?;
        let now = self.clock();
        let mut tx = self.begin().await?;
        alone_with_posts(&mut tx, account).await?;
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
        let moved = arrange(&mut tx, account, spacing, now).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// When those of the account's planned posts go out that do so before `until`.
    pub async fn planned_before(&self, account: AccountId, until: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let statement = format!("SELECT next_at FROM deliveries WHERE {PLANNED} AND next_at < $2");
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(account.to_string())
            .bind(micros(until))
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(|row| row.time("next_at")).collect()
    }

    /// Arranges the account's planned posts anew under its quiet hours; answers how many moved.
    pub async fn keep_quiet(&self, account: AccountId, spacing: Duration, now: Timestamp) -> Result<Moved, StoreError> {
        let mut tx = self.begin().await?;
        alone_with_posts(&mut tx, account).await?;
        let moved = arrange(&mut tx, account, spacing, now).await?;
        tx.commit().await?;
        Ok(moved)
    }
}

/// Until the end of this transaction no other one plans a post of the account or moves one.
pub(in crate::store) async fn alone_with_posts(tx: &mut Tx, account: AccountId) -> Result<(), StoreError> {
    tx.alone(&format!("posts of {account}")).await
}

/// What the account keeps to.
pub(in crate::store) async fn keeping(
    tx: &mut Tx,
    account: AccountId,
    spacing: Duration,
) -> Result<Keeping, StoreError> {
    let row = sqlx::query(
        "SELECT a.timezone, q.from_minute, q.until_minute FROM accounts a
         LEFT JOIN quiet_hours q ON q.account_id = a.id WHERE a.id = $1",
    )
    .bind(account.to_string())
    .fetch_one(&mut **tx)
    .await?;
    let hours = match row.maybe_number("from_minute")? {
        Some(_) => Some(hours(&row)?),
        None => None,
    };
    Ok(Keeping { hours, zone: TimeZone::get(&row.text("timezone")?).unwrap_or(TimeZone::UTC), spacing })
}

/// Whether the account has a planned post that was moved to `at` or later.
pub(in crate::store) async fn waits_past(tx: &mut Tx, account: AccountId, at: Timestamp) -> Result<bool, StoreError> {
    let statement =
        format!("SELECT id FROM deliveries WHERE {PLANNED} AND wanted_at IS NOT NULL AND due_at >= $2 LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(account.to_string())
        .bind(micros(at))
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.is_some())
}

/// A planned post, with what names its row.
struct Found {
    id: DeliveryId,
    epoch: i64,
    seq: i64,
    planned: Planned,
}

/// Puts every planned post of the account where it belongs under its quiet hours ([`Keeping::arrange`] says where), in a
/// transaction that is [`alone_with_posts`]. An occurrence of a recurring post may be as late then as before; what a person
/// let expire earlier expires.
pub(in crate::store) async fn arrange(
    tx: &mut Tx,
    account: AccountId,
    spacing: Duration,
    now: Timestamp,
) -> Result<Moved, StoreError> {
    let keeping = keeping(tx, account, spacing).await?;
    let found = planned(tx, account).await?;
    let last = last_moved(tx, account, spacing, now).await?;
    let posts: Vec<Planned> = found.iter().map(|found| found.planned).collect();
    let mut moved = Moved::default();
    for (found, change) in found.iter().zip(keeping.arrange(&posts, last, now)) {
        let Some(change) = change else { continue };
        // It moved on meanwhile.
        if !put(tx, found, change, now).await? {
            continue;
        }
        match change.to() > found.planned.at() {
            true => moved.later += 1,
            false => moved.back += 1,
        }
    }
    Ok(moved)
}

/// The account's planned posts in the order they were wanted in.
async fn planned(tx: &mut Tx, account: AccountId) -> Result<Vec<Found>, StoreError> {
    let statement =
        format!("SELECT id, epoch, seq, wanted_at, due_at, next_at FROM deliveries WHERE {PLANNED} ORDER BY id");
    let rows = sqlx::query(AssertSqlSafe(statement)).bind(account.to_string()).fetch_all(&mut **tx).await?;
    let found = rows.iter().map(|row| {
        Ok(Found {
            id: row.word("id")?,
            epoch: row.number("epoch")?,
            seq: row.number("seq")?,
            planned: Planned {
                wanted_at: row.maybe_time("wanted_at")?,
                due_at: row.time("due_at")?,
                next_at: row.time("next_at")?,
            },
        })
    });
    let mut found = found.collect::<Result<Vec<_>, StoreError>>()?;
    found.sort_by_key(|found| (found.planned.wanted(), found.seq));
    Ok(found)
}

/// When the latest of the account's moved posts was due, if that is so recent that the next one keeps a distance to it.
async fn last_moved(
    tx: &mut Tx,
    account: AccountId,
    spacing: Duration,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT MAX(due_at) AS due_at FROM deliveries
         WHERE account_id = $1 AND due_at > $2 AND due_at <= $3 AND wanted_at IS NOT NULL
            AND state NOT IN ('failed', 'expired', 'cancelled')",
    )
    .bind(account.to_string())
    .bind(micros(now - spacing))
    .bind(micros(now))
    .fetch_one(&mut **tx)
    .await?;
    row.maybe_time("due_at")
}

/// False: it is no longer as it was found.
async fn put(tx: &mut Tx, found: &Found, change: Change, now: Timestamp) -> Result<bool, StoreError> {
    let (wanted_at, reason) = match change {
        Change::Back { .. } => (None, None),
        Change::Freed { .. } => (Some(found.planned.wanted()), Some(FREED.to_owned())),
        Change::Past { end, .. } => (Some(found.planned.wanted()), Some(moved_reason(end))),
    };
    let rows = sqlx::query(concat!(
        "UPDATE deliveries SET wanted_at = $6, due_at = $3, next_at = $3,
            expires_at = ",
        moved_expiry!("$3"),
        ",
            epoch = epoch + 1, changed_at = $4, reason = $5
         WHERE id = $1 AND epoch = $2 AND state IN ('queued', 'retry')"
    ))
    .bind(found.id.to_string())
    .bind(found.epoch)
    .bind(micros(change.to()))
    .bind(micros(now))
    .bind(reason)
    .bind(maybe_micros(wanted_at))
    .execute(&mut **tx)
    .await?;
    if rows.rows_affected() == 0 {
        return Ok(false);
    }
    event(tx, found.id, now).await?;
    let detail = json!({ "to": change.to() });
    audit::write(tx, now, "clock", "delivery.quiet", &found.id.to_string(), detail).await?;
    Ok(true)
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

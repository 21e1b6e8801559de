//! Alerts: what needs a person, one open alert for each subject and kind, told once, closed when it is well again.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, Tx, events, lateness, micros};
use crate::model::AlertId;

/// What is looked at in one round; the rest comes with the next.
const A_ROUND: i64 = 500;
/// A failed delivery needs no more telling after this.
const FAILED_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Not yet sent this long after its time is late.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// An account that fails, is well and fails again is one trouble.
const FLAPPING: SignedDuration = SignedDuration::from_mins(15);

/// An alert as people read it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertView {
    pub id: AlertId,
    /// `delivery_failed`, `delivery_late`, `delivery_held`, `delivery_unknown`, `recurrence`, `token` or `webhook`.
    pub kind: String,
    /// A delivery's, a recurring post's or an account's id.
    pub subject_id: String,
    pub message: String,
    pub raised_at: Timestamp,
    pub told_at: Option<Timestamp>,
    pub failure_reason: Option<String>,
    pub closed_at: Option<Timestamp>,
}

/// An alert that somebody has yet to be told of, and through which ways they were.
#[derive(Debug, Clone, PartialEq)]
pub struct Untold {
    pub id: AlertId,
    pub kind: String,
    pub subject_id: String,
    pub message: String,
    pub raised_at: Timestamp,
    pub attempts: i64,
    pub mailed: bool,
    pub posted: bool,
}

/// How telling an alert went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telling {
    pub mailed: bool,
    pub posted: bool,
    /// Nobody is left to be told.
    pub done: bool,
    pub failure: Option<String>,
    pub next_at: Option<Timestamp>,
}

impl Store {
    /// Raises an alert for everything that needs a person and has none open, and closes those that are well again.
    /// Answers which kinds were raised.
    pub async fn raise_alerts(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        let closed = close_alerts(&mut tx, now).await?;
        let mut raised = Vec::new();
        let mut troubled = deliveries_in_trouble(&mut tx, now).await?;
        troubled.extend(accounts_in_trouble(&mut tx, now).await?);
        troubled.extend(recurrences_in_trouble(&mut tx).await?);
        for (kind, subject_id, message) in troubled {
            let id = AlertId::new(now).to_string();
            let added = sqlx::query(
                "INSERT INTO alerts (id, kind, subject_id, message, raised_at, next_at) VALUES ($1, $2, $3, $4, $5, $5)
                 ON CONFLICT DO NOTHING",
            )
            .bind(&id)
            .bind(&kind)
            .bind(&subject_id)
            .bind(&message)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
            if added.rows_affected() > 0 {
                events::write(&mut tx, now, "alert", &id).await?;
                raised.push(kind);
            }
        }
        if closed > 0 && raised.is_empty() {
            events::write(&mut tx, now, "alert", "closed").await?;
        }
        tx.commit().await?;
        Ok(raised)
    }

    /// Open alerts that somebody is to be told of by now, oldest first.
    pub async fn untold_alerts(&self, now: Timestamp, limit: i64) -> Result<Vec<Untold>, StoreError> {
        sqlx::query(
            "SELECT id, kind, subject_id, message, raised_at, attempts, mailed_at, posted_at FROM alerts
             WHERE closed_at IS NULL AND told_at IS NULL AND next_at <= $1 ORDER BY raised_at, id LIMIT $2",
        )
        .bind(micros(now))
        .bind(limit)
        .fetch_all(self.pool())
        .await?
        .iter()
        .map(|row| {
            Ok(Untold {
                id: row.word("id")?,
                kind: row.text("kind")?,
                subject_id: row.text("subject_id")?,
                message: row.text("message")?,
                raised_at: row.time("raised_at")?,
                attempts: row.number("attempts")?,
                mailed: row.maybe_number("mailed_at")?.is_some(),
                posted: row.maybe_number("posted_at")?.is_some(),
            })
        })
        .collect()
    }

    /// Notes how telling these alerts went.
    pub async fn alerts_told(&self, ids: &[AlertId], telling: &Telling, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for id in ids {
            sqlx::query(
                "UPDATE alerts SET attempts = attempts + 1, failure_reason = $2, next_at = $3,
                    told_at = COALESCE(told_at, $4), mailed_at = COALESCE(mailed_at, $5), posted_at = COALESCE(posted_at, $6)
                 WHERE id = $1",
            )
            .bind(id.to_string())
            .bind(telling.failure.as_deref())
            .bind(micros(telling.next_at.unwrap_or(now)))
            .bind(telling.done.then_some(micros(now)))
            .bind(telling.mailed.then_some(micros(now)))
            .bind(telling.posted.then_some(micros(now)))
            .execute(&mut *tx)
            .await?;
            events::write(&mut tx, now, "alert", &id.to_string()).await?;
        }
        tx.commit().await
    }

    /// Alerts for people, the open ones first, the newest before.
    pub async fn alerts(&self, limit: i64) -> Result<Vec<AlertView>, StoreError> {
        sqlx::query(
            "SELECT id, kind, subject_id, message, raised_at, told_at, failure_reason, closed_at FROM alerts
             ORDER BY CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, raised_at DESC, id DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool())
        .await?
        .iter()
        .map(|row| {
            Ok(AlertView {
                id: row.word("id")?,
                kind: row.text("kind")?,
                subject_id: row.text("subject_id")?,
                message: row.text("message")?,
                raised_at: row.time("raised_at")?,
                told_at: row.maybe_time("told_at")?,
                failure_reason: row.maybe_text("failure_reason")?,
                closed_at: row.maybe_time("closed_at")?,
            })
        })
        .collect()
    }

    /// How many alerts are open.
    pub async fn open_alert_count(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM alerts WHERE closed_at IS NULL");
        Ok(count.fetch_one(self.pool()).await?)
    }
}

/// Closes what no longer holds; a failed delivery stays failed, so its alert ends after a day.
async fn close_alerts(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    let closed = sqlx::query(
        "UPDATE alerts SET closed_at = $1 WHERE closed_at IS NULL AND (
            (kind = 'delivery_failed' AND (raised_at < $2
                OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id AND d.state = 'failed')))
            OR (kind = 'delivery_unknown' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND (d.state = 'unknown' OR (d.state = 'verifying' AND d.read_failures >= 3))))
            OR (kind = 'delivery_held' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND d.state = 'held'))
            OR (kind = 'delivery_late' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND ((d.state = 'held' AND d.hold = 'late')
                    OR (d.state IN ('waiting', 'queued', 'preparing', 'retry') AND d.due_at < $3))))
            OR (kind = 'recurrence' AND NOT EXISTS (SELECT 1 FROM recurrence_accounts r JOIN recurrences c
                ON c.id = r.recurrence_id WHERE c.id = alerts.subject_id AND r.problem IS NOT NULL
                AND c.paused_at IS NULL AND c.ended_at IS NULL))
            OR (kind IN ('token', 'webhook') AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = alerts.subject_id
                AND a.health IN ('unauthorized', 'failing')
                AND (a.paused_at IS NULL OR a.pause_reason = a.health_reason))))",
    )
    .bind(micros(now))
    .bind(micros(now - FAILED_KEPT))
    .bind(micros(now - LATE_AFTER))
    .execute(&mut **tx)
    .await?;
    Ok(closed.rows_affected())
}

/// Deliveries that need a person and have no open alert: kind, id and message.
async fn deliveries_in_trouble(tx: &mut Tx, now: Timestamp) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.id, d.state, d.reason, a.name, d.kind FROM (
            SELECT id, account_id, state, reason, CASE
                WHEN state = 'failed' THEN 'delivery_failed'
                WHEN state = 'held' AND hold = 'late' THEN 'delivery_late'
                WHEN state = 'held' THEN 'delivery_held'
                WHEN state IN ('unknown', 'verifying') THEN 'delivery_unknown'
                ELSE 'delivery_late' END AS kind, changed_at, due_at
            FROM deliveries WHERE payload_id IS NULL AND ((state = 'failed' AND changed_at >= $1)
                OR state IN ('held', 'unknown')
                OR (state = 'verifying' AND read_failures >= 3)
                OR (state IN ('waiting', 'queued', 'preparing', 'retry') AND due_at < $2))) d
         JOIN accounts a ON a.id = d.account_id
         WHERE NOT (d.state IN ('waiting', 'queued', 'preparing', 'retry') AND a.paused_at IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM alerts r WHERE r.kind = d.kind AND r.subject_id = d.id
                AND (r.closed_at IS NULL OR (d.state = 'failed' AND r.raised_at >= d.changed_at)))
         ORDER BY d.due_at LIMIT $3",
    )
    .bind(micros(now - FAILED_KEPT))
    .bind(micros(now - LATE_AFTER))
    .bind(A_ROUND)
    .fetch_all(&mut **tx)
    .await?;
    let mut troubled = Vec::with_capacity(rows.len());
    for row in &rows {
        let (kind, id) = (row.text("kind")?, row.text("id")?);
        let (state, account) = (row.text("state")?, row.text("name")?);
        let reason = row.maybe_text("reason")?.unwrap_or_default();
        let what = match state.as_str() {
            "failed" => "failed",
            "held" => "is held until a person decides",
            "unknown" => "may or may not have been sent: a person decides",
            "verifying" => "may or may not have been sent, and the network cannot be asked",
            _ => "is late",
        };
        let mut message = match reason.as_str() {
            "" => format!("delivery on account {account} {what}"),
            reason => format!("delivery on account {account} {what}: {}", shortened(reason)),
        };
        if kind == "delivery_late" {
            let why = lateness::why(tx, &id, now).await?;
            message.push_str(&format!("; why: {}", shortened(&why)));
        }
        troubled.push((kind, id, message));
    }
    Ok(troubled)
}

/// Recurring posts whose next occurrence cannot be made, without an open alert.
async fn recurrences_in_trouble(tx: &mut Tx) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.id, a.name, r.problem FROM recurrence_accounts r
         JOIN recurrences c ON c.id = r.recurrence_id JOIN accounts a ON a.id = r.account_id
         WHERE r.problem IS NOT NULL AND c.paused_at IS NULL AND c.ended_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM alerts t WHERE t.kind = 'recurrence' AND t.subject_id = c.id
                AND t.closed_at IS NULL)
         ORDER BY c.id, a.name LIMIT $1",
    )
    .bind(A_ROUND)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let (name, problem) = (row.text("name")?, row.text("problem")?);
            let message =
                format!("the next post of a recurring one cannot be made on account {name}: {}", shortened(&problem));
            Ok(("recurrence".to_owned(), row.text("id")?, message))
        })
        .collect()
}

/// Accounts whose credentials are refused or whose network fails, without an open alert.
async fn accounts_in_trouble(tx: &mut Tx, now: Timestamp) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.id, a.name, a.network, a.health, a.health_reason FROM accounts a
         WHERE a.health IN ('unauthorized', 'failing')
            AND (a.paused_at IS NULL OR a.pause_reason = a.health_reason)
            AND NOT EXISTS (SELECT 1 FROM alerts r WHERE r.kind IN ('token', 'webhook') AND r.subject_id = a.id
                AND (r.closed_at IS NULL OR (a.health = 'failing' AND r.closed_at >= $1)))
         ORDER BY a.name LIMIT $2",
    )
    .bind(micros(now - FLAPPING))
    .bind(A_ROUND)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let (name, network) = (row.text("name")?, row.text("network")?);
            let (kind, subject) = match network.as_str() {
                "webhook" => ("webhook", format!("webhook {name}")),
                network => ("token", format!("account {name} on {network}")),
            };
            let what = match row.text("health")?.as_str() {
                _ if kind == "webhook" => "its receiver does not take events",
                "unauthorized" => "its credentials are refused; give it new ones",
                _ => "it cannot be reached",
            };
            let message = match row.maybe_text("health_reason")? {
                Some(reason) => format!("{subject}: {what} ({})", shortened(&reason)),
                None => format!("{subject}: {what}"),
            };
            Ok((kind.to_owned(), row.text("id")?, message))
        })
        .collect()
}

/// A reason may quote a network; an alert is one line.
fn shortened(reason: &str) -> String {
    let line: String =
        reason.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect();
    line.trim().to_owned()
}

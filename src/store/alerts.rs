//! Alerts: what needs a person, one open alert for each subject and kind, told once, closed when it is well again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, Tx, events, lateness, micros, webhooks};
use crate::model::{AccountId, Action, AlertId, DeliveryId, EventKind, new_ulid};

/// What is looked at in one round; the rest comes with the next.
const A_ROUND: i64 = 500;
/// What cannot become well again, such as a failed delivery, needs no more telling after this.
const DONE_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Not yet sent this long after its time is late.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// An account that fails, is well and fails again is one trouble.
const FLAPPING: SignedDuration = SignedDuration::from_mins(15);

/// An alert as people read it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertView {
    pub id: AlertId,
    /// `delivery_failed`, `delivery_late`, `delivery_held`, `delivery_unknown`, `delivery_doubled`, `recurrence`, `token`, `webhook` or `mail`.
    pub kind: String,
    /// A delivery's, a recurring post's or an account's id.
    pub subject_id: String,
    pub message: String,
    pub raised_at: Timestamp,
    /// When the last of those who are told of it had been told.
    pub told_at: Option<Timestamp>,
    /// Why somebody is not told yet.
    pub failure_reason: Option<String>,
    pub closed_at: Option<Timestamp>,
}

/// An alert that no delivery tells of yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Untold {
    pub id: AlertId,
    pub kind: String,
    pub subject_id: String,
    pub message: String,
    pub raised_at: Timestamp,
}

/// One way of telling alerts: what goes out, on whose lane, and of which alerts it tells.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The account it goes out through: a webhook, or our mail server.
    pub account_id: AccountId,
    pub action: Action,
    /// Without the account's id.
    pub lane: String,
    pub body: String,
    pub alerts: Vec<AlertId>,
}

impl Store {
    /// Raises an alert for everything that needs a person and has none open, and closes those that are well again.
    /// Answers which kinds were raised.
    pub async fn raise_alerts(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        let closed = close_alerts(&mut tx, now).await?;
        let mut raised = Vec::new();
        let mut troubled = deliveries_in_trouble(&mut tx, now).await?;
        troubled.extend(doubled_deliveries(&mut tx, now).await?);
        troubled.extend(accounts_in_trouble(&mut tx, now).await?);
        troubled.extend(recurrences_in_trouble(&mut tx).await?);
        for (kind, subject_id, message) in troubled {
            let id = AlertId::new(now).to_string();
            let added = sqlx::query(
                "INSERT INTO alerts (id, kind, subject_id, message, raised_at) VALUES ($1, $2, $3, $4, $5)
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

    /// Open alerts that nobody was asked to be told of yet, oldest first.
    pub async fn untold_alerts(&self, limit: i64) -> Result<Vec<Untold>, StoreError> {
        sqlx::query(
            "SELECT id, kind, subject_id, message, raised_at FROM alerts
             WHERE closed_at IS NULL AND told_at IS NULL ORDER BY raised_at, id LIMIT $1",
        )
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
            })
        })
        .collect()
    }

    /// Puts the tellings into the outbox and marks their alerts, all or nothing. False: nothing was put there, because
    /// another process told one of the alerts meanwhile, or no lane has room; what is untold is looked for again.
    pub async fn tell_alerts(&self, tellings: &[Telling], now: Timestamp) -> Result<bool, StoreError> {
        let alerts: BTreeSet<AlertId> = tellings.iter().flat_map(|telling| &telling.alerts).copied().collect();
        let mut tx = self.begin().await?;
        // Marked first: whoever comes second waits here, and finds them told.
        for alert in alerts {
            let marked = sqlx::query("UPDATE alerts SET told_at = $2 WHERE id = $1 AND told_at IS NULL")
                .bind(alert.to_string())
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
            if marked.rows_affected() == 0 {
                return Ok(false);
            }
        }
        let mut told = false;
        for telling in tellings {
            told |= put(&mut tx, telling, now).await?;
        }
        if told {
            tx.commit().await?;
        }
        Ok(told)
    }

    /// Alerts for people, the open ones first, the newest before.
    pub async fn alerts(&self, limit: i64) -> Result<Vec<AlertView>, StoreError> {
        sqlx::query(
            "SELECT id, kind, subject_id, message, raised_at, closed_at, told_at, (SELECT COUNT(*) FROM alert_tellings t
                JOIN deliveries d ON d.id = t.delivery_id WHERE t.alert_id = alerts.id AND d.state <> 'sent') AS untold,
                (SELECT MAX(d.sent_at) FROM alert_tellings t JOIN deliveries d ON d.id = t.delivery_id
                WHERE t.alert_id = alerts.id) AS last_told_at,
                (SELECT MIN(a.name || ': ' || d.reason) FROM alert_tellings t JOIN deliveries d ON d.id = t.delivery_id
                JOIN accounts a ON a.id = d.account_id WHERE t.alert_id = alerts.id AND d.state <> 'sent') AS failure
             FROM alerts ORDER BY CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, raised_at DESC, id DESC LIMIT $1",
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
                told_at: match row.number("untold")? {
                    0 => row.maybe_time("last_told_at")?.or(row.maybe_time("told_at")?),
                    _ => None,
                },
                failure_reason: row.maybe_text("failure")?,
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

/// One way's delivery, and of which alerts it tells. False: so many wait on its lane that there is no room.
async fn put(tx: &mut Tx, telling: &Telling, now: Timestamp) -> Result<bool, StoreError> {
    let payload = new_ulid(now).to_string();
    sqlx::query("INSERT INTO payloads (id, kind, body, created_at) VALUES ($1, $2, $3, $4)")
        .bind(payload.as_str())
        .bind(EventKind::AlertsRaised.as_str())
        .bind(telling.body.as_str())
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    let place = webhooks::Place { account: telling.account_id, action: telling.action, lane: &telling.lane };
    let made = webhooks::deliver(tx, &place, &[&payload], now).await?;
    let rows: Vec<(&AlertId, &DeliveryId)> =
        made.iter().flat_map(|delivery| telling.alerts.iter().map(move |alert| (alert, delivery))).collect();
    tx.insert("INSERT INTO alert_tellings (alert_id, delivery_id)", "(?, ?)", "", &rows, |query, (alert, delivery)| {
        query.bind(alert.to_string()).bind(delivery.to_string())
    })
    .await?;
    Ok(!made.is_empty())
}

/// Closes what no longer holds; a failed delivery stays failed and a doubled one doubled, so their alerts end after a day.
async fn close_alerts(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    let closed = sqlx::query(
        "UPDATE alerts SET closed_at = $1 WHERE closed_at IS NULL AND (
            (kind = 'delivery_failed' AND (raised_at < $2
                OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id AND d.state = 'failed')))
            OR (kind = 'delivery_doubled' AND raised_at < $2)
            OR (kind = 'delivery_unknown' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND (d.state = 'unknown' OR (d.state = 'verifying' AND d.read_failures >= 3))))
            OR (kind = 'delivery_held' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND d.state = 'held'))
            OR (kind = 'delivery_late' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = alerts.subject_id
                AND ((d.state = 'held' AND d.hold = 'late')
                    OR (d.state IN ('waiting', 'queued', 'preparing', 'retry') AND d.due_at < $3
                        AND (d.after_id IS NULL
                            OR (SELECT b.state FROM deliveries b WHERE b.id = d.after_id) = 'sent')))))
            OR (kind = 'recurrence' AND NOT EXISTS (SELECT 1 FROM recurrence_accounts r JOIN recurrences c
                ON c.id = r.recurrence_id WHERE c.id = alerts.subject_id AND r.problem IS NOT NULL
                AND c.paused_at IS NULL AND c.ended_at IS NULL))
            OR (kind IN ('token', 'webhook', 'mail') AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = alerts.subject_id
                AND a.health IN ('unauthorized', 'failing')
                AND (a.paused_at IS NULL OR a.pause_reason = a.health_reason))))",
    )
    .bind(micros(now))
    .bind(micros(now - DONE_KEPT))
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
                OR (state IN ('waiting', 'queued', 'preparing', 'retry') AND due_at < $2
                    AND (after_id IS NULL
                        OR (SELECT b.state FROM deliveries b WHERE b.id = deliveries.after_id) = 'sent')))) d
         JOIN accounts a ON a.id = d.account_id
         WHERE NOT (d.state IN ('waiting', 'queued', 'preparing', 'retry') AND a.paused_at IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM alerts r WHERE r.kind = d.kind AND r.subject_id = d.id
                AND (r.closed_at IS NULL OR (d.state = 'failed' AND r.raised_at >= d.changed_at)))
         ORDER BY d.due_at LIMIT $3",
    )
    .bind(micros(now - DONE_KEPT))
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

/// Deliveries that were proved to be on their network twice, each told once.
async fn doubled_deliveries(tx: &mut Tx, now: Timestamp) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.id, a.name, d.doubled_ref FROM deliveries d JOIN accounts a ON a.id = d.account_id
         WHERE d.doubled_ref IS NOT NULL AND d.changed_at >= $1
            AND NOT EXISTS (SELECT 1 FROM alerts r WHERE r.kind = 'delivery_doubled' AND r.subject_id = d.id)
         ORDER BY d.changed_at LIMIT $2",
    )
    .bind(micros(now - DONE_KEPT))
    .bind(A_ROUND)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let (account, second) = (row.text("name")?, row.text("doubled_ref")?);
            let message = format!(
                "delivery on account {account} is on the network twice, also as {}: delete one of them there",
                shortened(&second)
            );
            Ok(("delivery_doubled".to_owned(), row.text("id")?, message))
        })
        .collect()
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
            AND NOT EXISTS (SELECT 1 FROM alerts r WHERE r.kind IN ('token', 'webhook', 'mail') AND r.subject_id = a.id
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
                "mail" => ("mail", format!("e-mail ({name})")),
                network => ("token", format!("account {name} on {network}")),
            };
            let what = match row.text("health")?.as_str() {
                _ if kind != "token" => "its receiver does not take what it is told",
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

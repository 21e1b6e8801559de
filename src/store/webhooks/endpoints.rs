//! Endpoints as people see them: what waits, what came to nothing, and sending that again.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::raise::{News, Place, deliver};
use super::{KEPT, REMEMBERED};
use crate::model::{AccountId, DeliveryId, DeliveryState, EventKind, Health, new_ulid};
use crate::store::accounts::REMOVED;
use crate::store::attempts::event;
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, audit, events, micros};

/// Rows sent again, or forgotten, in one transaction.
const AT_ONCE: i64 = 500;

/// An endpoint with how it is doing. Holds no secret, and of its address not what follows `?`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Endpoint {
    pub id: AccountId,
    pub name: String,
    pub brand: String,
    /// Without its query, which may hold a secret of the receiver.
    #[schema(example = "https://crm.example/hooks/muhatap")]
    pub url: String,
    /// The events it asked for.
    pub events: Vec<String>,
    /// `file` or `console`: who may change it.
    pub origin: String,
    pub health: Health,
    pub health_reason: Option<String>,
    pub paused_at: Option<Timestamp>,
    pub pause_reason: Option<String>,
    /// Nothing is sent before then, because the receiver said so.
    pub gated_until: Option<Timestamp>,
    /// Events that wait to be sent.
    pub waiting: i64,
    /// When the oldest of them happened.
    pub waiting_since: Option<Timestamp>,
    /// Dead letters: events that came to nothing and can be sent again.
    pub dead: i64,
    /// Events that were never sent because too many waited already.
    pub unkept: i64,
    pub last_sent_at: Option<Timestamp>,
    pub created_at: Timestamp,
    #[serde(skip)]
    pub changed_at: Timestamp,
}

/// An event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EventView {
    /// The delivery, and the `webhook-id` that the receiver sees.
    pub id: DeliveryId,
    #[schema(example = "mention.received")]
    pub kind: String,
    pub state: DeliveryState,
    pub reason: Option<String>,
    /// Calls made so far.
    pub attempts: i64,
    pub created_at: Timestamp,
    /// When it is tried next; missing where nothing more happens by itself.
    pub next_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
}

/// Which dead letters are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    One(DeliveryId),
    /// Everything that happened at or after.
    Since(Timestamp),
}

const ENDPOINT: &str = "
    SELECT a.id, a.name, b.name AS brand, a.base_url, a.listen_for, a.origin, a.health, a.health_reason, a.paused_at,
        a.pause_reason, a.gated_until, a.unkept, a.created_at, a.changed_at,
        (SELECT COUNT(*) FROM deliveries d WHERE d.lane = a.id || '/events' AND d.state IN ('queued', 'retry')) AS waiting,
        (SELECT MIN(d.created_at) FROM deliveries d WHERE d.lane = a.id || '/events'
            AND d.state IN ('queued', 'retry')) AS waiting_since,
        (SELECT COUNT(*) FROM deliveries d WHERE d.account_id = a.id AND d.payload_id IS NOT NULL
            AND d.state IN ('failed', 'expired', 'held')) AS dead,
        (SELECT MAX(d.sent_at) FROM deliveries d WHERE d.account_id = a.id) AS last_sent_at
    FROM accounts a JOIN brands b ON b.id = a.brand_id
    WHERE a.network = 'webhook' AND (a.pause_reason IS NULL OR a.pause_reason <> $1)";

fn endpoint(row: &AnyRow) -> Result<Endpoint, StoreError> {
    let url = row.maybe_text("base_url")?.unwrap_or_default();
    Ok(Endpoint {
        id: row.word("id")?,
        name: row.text("name")?,
        brand: row.text("brand")?,
        url: url.split_once('?').map_or(url.clone(), |(shown, _)| format!("{shown}?…")),
        events: row.json("listen_for")?,
        origin: row.text("origin")?,
        health: row.word("health")?,
        health_reason: row.maybe_text("health_reason")?,
        paused_at: row.maybe_time("paused_at")?,
        pause_reason: row.maybe_text("pause_reason")?,
        gated_until: row.maybe_time("gated_until")?,
        waiting: row.number("waiting")?,
        waiting_since: row.maybe_time("waiting_since")?,
        dead: row.number("dead")?,
        unkept: row.number("unkept")?,
        last_sent_at: row.maybe_time("last_sent_at")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}

impl Store {
    /// Every endpoint in use, by name.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{ENDPOINT} ORDER BY a.name")))
            .bind(REMOVED)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(endpoint).collect()
    }

    /// The endpoint with this id.
    pub async fn endpoint(&self, id: AccountId) -> Result<Endpoint, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ENDPOINT} AND a.id = $2")))
            .bind(REMOVED)
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?;
        endpoint(&row.ok_or_else(|| StoreError::NotFound(format!("there is no webhook {id}")))?)
    }

    /// The endpoint of that name.
    pub async fn endpoint_by_name(&self, name: &str) -> Result<Endpoint, StoreError> {
        let all = self.endpoints().await?;
        let known: Vec<String> = all.iter().map(|endpoint| endpoint.name.clone()).collect();
        all.into_iter().find(|endpoint| endpoint.name == name).ok_or_else(|| {
            StoreError::NotFound(match known.is_empty() {
                true => format!("there is no webhook {name:?}; add one with: muhatap webhooks add"),
                false => format!("there is no webhook {name:?}; there are {}", known.join(", ")),
            })
        })
    }

    /// The newest events of an endpoint.
    pub async fn endpoint_events(&self, id: AccountId, limit: i64) -> Result<Vec<EventView>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.id, y.kind, d.state, d.reason, d.attempts, d.created_at, d.next_at, d.sent_at
             FROM deliveries d JOIN payloads y ON y.id = d.payload_id
             WHERE d.account_id = $1 ORDER BY d.due_at DESC, d.seq DESC LIMIT $2",
        )
        .bind(id.to_string())
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter()
            .map(|row| {
                let state: DeliveryState = row.word("state")?;
                let goes_on = !state.is_end() && state != DeliveryState::Held;
                Ok(EventView {
                    id: row.word("id")?,
                    kind: row.text("kind")?,
                    state,
                    reason: row.maybe_text("reason")?,
                    attempts: row.number("attempts")?,
                    created_at: row.time("created_at")?,
                    next_at: row.maybe_time("next_at")?.filter(|_| goes_on),
                    sent_at: row.maybe_time("sent_at")?,
                })
            })
            .collect()
    }

    /// Sends an endpoint an event that says nothing but that it arrives, whatever it asked for.
    pub async fn test_endpoint(&self, id: AccountId, who: &str) -> Result<DeliveryId, StoreError> {
        let endpoint = self.endpoint(id).await?;
        let now = self.clock();
        let mut tx = self.begin().await?;
        let news = News { kind: EventKind::WebhookTest, data: json!({ "webhook": endpoint.name, "asked_by": who }) };
        let payload = new_ulid(now).to_string();
        sqlx::query("INSERT INTO payloads (id, kind, body, created_at) VALUES ($1, $2, $3, $4)")
            .bind(payload.as_str())
            .bind(news.kind.as_str())
            .bind(news.body(now))
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        let made = deliver(&mut tx, &Place::events(id), &[&payload], now).await?;
        let delivery = made.first().copied().ok_or_else(|| {
            StoreError::Conflict(format!(
                "{} events wait for webhook {:?} already; nothing more is added until it takes some",
                endpoint.waiting, endpoint.name
            ))
        })?;
        audit::write(&mut tx, now, who, "webhook.test", &id.to_string(), json!({ "delivery": delivery })).await?;
        tx.commit().await?;
        Ok(delivery)
    }

    /// Sends dead letters of an endpoint again, in the order they happened, under their old ids. Of two people who ask at
    /// once, one does. Answers how many.
    pub async fn replay_events(&self, id: AccountId, replay: Replay, who: &str) -> Result<u64, StoreError> {
        let now = self.clock();
        let (since, one) = match replay {
            Replay::One(delivery) => (Timestamp::UNIX_EPOCH, Some(delivery.to_string())),
            Replay::Since(since) => (since, None),
        };
        if let Replay::One(delivery) = replay {
            self.must_be_dead_letter(id, delivery).await?;
        }
        let mut replayed = 0;
        loop {
            let mut tx = self.begin().await?;
            // A dead letter holds no lane; one state to the other, so that nothing is taken twice.
            let rows = sqlx::query(
                "UPDATE deliveries SET state = 'queued', epoch = epoch + 1, due_at = $1, next_at = $1, expires_at = $2,
                    hold = NULL, reason = NULL, worker = NULL, lease_until = NULL, cancel_wanted = NULL, decided_by = $3,
                    changed_at = $1
                 WHERE id IN (SELECT id FROM deliveries WHERE account_id = $4 AND payload_id IS NOT NULL
                        AND state IN ('failed', 'expired', 'held') AND created_at >= $5 AND id = COALESCE($6, id)
                        ORDER BY created_at LIMIT $7)
                    AND state IN ('failed', 'expired', 'held')
                 RETURNING id",
            )
            .bind(micros(now))
            .bind(micros(now + KEPT))
            .bind(who)
            .bind(id.to_string())
            .bind(micros(since))
            .bind(one.as_deref())
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
            for row in &rows {
                event(&mut tx, row.word("id")?, now).await?;
            }
            if !rows.is_empty() {
                let detail = json!({ "count": rows.len(), "since": since, "delivery": one });
                audit::write(&mut tx, now, who, "webhook.replay", &id.to_string(), detail).await?;
            }
            tx.commit().await?;
            replayed += rows.len() as u64;
            if (rows.len() as i64) < AT_ONCE {
                return Ok(replayed);
            }
        }
    }

    async fn must_be_dead_letter(&self, endpoint: AccountId, delivery: DeliveryId) -> Result<(), StoreError> {
        let row =
            sqlx::query("SELECT state FROM deliveries WHERE id = $1 AND account_id = $2 AND payload_id IS NOT NULL")
                .bind(delivery.to_string())
                .bind(endpoint.to_string())
                .fetch_optional(self.pool())
                .await?;
        let row = row.ok_or_else(|| StoreError::NotFound(format!("this webhook was sent no event {delivery}")))?;
        match row.word::<DeliveryState>("state")? {
            DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Held => Ok(()),
            state => {
                Err(StoreError::Conflict(format!("event {delivery} is {state}: only dead letters are sent again")))
            }
        }
    }

    /// Forgets events and mails that were taken long ago, and dead letters that nobody wanted for twice as long.
    pub async fn forget_webhooks(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let mut tx = self.begin().await?;
            let ids: Vec<String> = sqlx::query_scalar(
                "SELECT d.id FROM payloads y JOIN deliveries d ON d.payload_id = y.id
                 WHERE y.created_at < $1 AND (d.state IN ('sent', 'cancelled') OR (y.created_at < $2
                    AND d.state IN ('failed', 'expired', 'held', 'unknown'))) ORDER BY y.created_at LIMIT $3",
            )
            .bind(micros(now - REMEMBERED))
            .bind(micros(now - REMEMBERED * 2))
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
            for id in &ids {
                sqlx::query("DELETE FROM alert_tellings WHERE delivery_id = $1").bind(id).execute(&mut *tx).await?;
                sqlx::query("DELETE FROM attempts WHERE delivery_id = $1").bind(id).execute(&mut *tx).await?;
                sqlx::query("DELETE FROM deliveries WHERE id = $1").bind(id).execute(&mut *tx).await?;
            }
            sqlx::query(
                "DELETE FROM payloads WHERE created_at < $1
                    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.payload_id = payloads.id)",
            )
            .bind(micros(now - REMEMBERED))
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            if (ids.len() as i64) < AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Pauses an endpoint whose receiver wants nothing more, until a person resumes it.
    pub async fn endpoint_gone(&self, id: AccountId, reason: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE accounts SET paused_at = COALESCE(paused_at, $2), pause_reason = $3, health = 'failing',
                health_reason = $3, health_at = $2 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(micros(now))
        .bind(reason)
        .execute(&mut *tx)
        .await?;
        audit::write(&mut tx, now, "network", "account_paused", &id.to_string(), json!({})).await?;
        events::write(&mut tx, now, "account", &id.to_string()).await?;
        tx.commit().await
    }
}

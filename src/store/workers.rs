//! The processes that work on this database: their signs of life, and what each has in hand.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, micros};
use crate::model::{DeliveryId, DeliveryState};
use crate::standing::AWAY_AFTER;
use crate::worker::Role;

/// One that went away without a word is listed for so long.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A sign of life.
#[derive(Debug, Clone, Copy)]
pub struct Beat<'a> {
    pub name: &'a str,
    pub host: &'a str,
    pub pid: u32,
    pub roles: &'a [Role],
    /// It takes deliveries: the role is its, and it is not ending.
    pub delivers: bool,
    pub started_at: Timestamp,
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    Alive,
    /// It ends: it takes nothing new and finishes what it has.
    Draining,
    /// No sign of life lately: it died, hangs or is cut off.
    Away,
}

/// A process, and what it has in hand.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WorkerView {
    pub name: String,
    pub host: String,
    pub pid: i64,
    /// `listen`, `deliver`, `console`.
    pub roles: Vec<String>,
    pub state: WorkerState,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub deliveries: Vec<InHand>,
    /// Sources it polls now.
    pub streams: i64,
    /// Jobs that one process alone does, and that are its: `reaper`, `alerts`, …
    pub leases: Vec<String>,
}

/// A delivery in a worker's hands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct InHand {
    pub delivery_id: DeliveryId,
    pub state: DeliveryState,
    pub lease_until: Option<Timestamp>,
}

/// The processes that deliver, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendersSeen {
    /// The latest sign of life of one that has not said goodbye.
    pub seen_at: Option<Timestamp>,
    /// When the last one ended in good order.
    pub left_at: Option<Timestamp>,
}

impl Store {
    /// Writes a sign of life.
    pub async fn beat(&self, beat: &Beat<'_>, now: Timestamp) -> Result<(), StoreError> {
        let roles: Vec<_> = beat.roles.iter().map(|role| role.as_str()).collect();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO workers (name, host, pid, roles, sends_since, started_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET sends_since = excluded.sends_since, seen_at = excluded.seen_at",
        )
        .bind(beat.name)
        .bind(beat.host)
        .bind(i64::from(beat.pid))
        .bind(roles.join(","))
        .bind(beat.delivers.then(|| micros(beat.started_at)))
        .bind(micros(beat.started_at))
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM workers WHERE seen_at < $1")
            .bind(micros(now - FORGOTTEN_AFTER))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The process ended in good order. When the last one that delivers did is kept.
    pub async fn goodbye(&self, name: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let row = sqlx::query("DELETE FROM workers WHERE name = $1 RETURNING roles")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        let roles = row.map(|row| row.text("roles")).transpose()?.unwrap_or_default();
        if roles.split(',').any(|role| role == Role::Deliver.as_str()) {
            sqlx::query(
                "INSERT INTO installation (name, value) VALUES ('sender_left_at', $1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(now.to_string())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// Whether and when there was a process that takes deliveries.
    pub async fn senders_seen(&self) -> Result<SendersSeen, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT MAX(seen_at) FROM workers WHERE sends_since IS NOT NULL) AS seen_at,
                (SELECT value FROM installation WHERE name = 'sender_left_at') AS left_at",
        )
        .fetch_one(self.pool())
        .await?;
        Ok(SendersSeen { seen_at: row.maybe_time("seen_at")?, left_at: row.maybe_word("left_at")? })
    }

    /// Every process that has not said goodbye, the one that started last first.
    pub async fn workers(&self) -> Result<Vec<WorkerView>, StoreError> {
        let now = self.clock();
        let rows = sqlx::query(
            "SELECT w.name, w.host, w.pid, w.roles, w.sends_since, w.started_at, w.seen_at,
                (SELECT COUNT(*) FROM streams s WHERE s.lease_holder = w.name AND s.lease_until > $1) AS streams
             FROM workers w ORDER BY w.started_at DESC, w.name",
        )
        .bind(micros(now))
        .fetch_all(self.pool())
        .await?;
        let mut workers = Vec::new();
        for row in &rows {
            let roles: Vec<String> = row.text("roles")?.split(',').map(str::to_owned).collect();
            let seen_at = row.time("seen_at")?;
            let should_send = roles.iter().any(|role| role == Role::Deliver.as_str());
            let state = match () {
                () if seen_at < now - AWAY_AFTER => WorkerState::Away,
                () if should_send && row.maybe_time("sends_since")?.is_none() => WorkerState::Draining,
                () => WorkerState::Alive,
            };
            workers.push(WorkerView {
                name: row.text("name")?,
                host: row.text("host")?,
                pid: row.number("pid")?,
                roles,
                state,
                started_at: row.time("started_at")?,
                seen_at,
                deliveries: Vec::new(),
                streams: row.number("streams")?,
                leases: Vec::new(),
            });
        }
        let in_hand = sqlx::query(
            "SELECT id, state, worker, lease_until FROM deliveries
             WHERE state IN ('preparing', 'sending', 'verifying') AND worker IS NOT NULL ORDER BY id",
        )
        .fetch_all(self.pool())
        .await?;
        for row in &in_hand {
            let holder = row.text("worker")?;
            if let Some(worker) = workers.iter_mut().find(|worker| worker.name == holder) {
                worker.deliveries.push(InHand {
                    delivery_id: row.word("id")?,
                    state: row.word("state")?,
                    lease_until: row.maybe_time("lease_until")?,
                });
            }
        }
        let leases = sqlx::query("SELECT name, holder FROM leases WHERE until_at >= $1 ORDER BY name")
            .bind(micros(now))
            .fetch_all(self.pool())
            .await?;
        for row in &leases {
            let holder = row.text("holder")?;
            if let Some(worker) = workers.iter_mut().find(|worker| worker.name == holder) {
                worker.leases.push(row.text("name")?);
            }
        }
        Ok(workers)
    }
}

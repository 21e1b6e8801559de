//! What the outbox asks of the deliveries as a whole: what changed, what is due, what a dead worker left, what became
//! late; and the gates of accounts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::attempts::{event, followers};
use super::rows::Cells;
use super::{Store, StoreError, Tx, micros, webhooks};
use crate::model::{AccountId, Class, DeliveryId, DeliveryState, Network};

/// A campaign post that is later than this goes before nothing, but no longer after every reply.
const LIFT_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// A lease is over when its last moment has passed.
const A_MOMENT: SignedDuration = SignedDuration::from_millis(1);
/// Rows moved by one statement of the reaper.
const AT_ONCE: i64 = 500;

/// A delivery as the sweep hands it to the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    pub id: DeliveryId,
    pub account_id: AccountId,
    pub network: Network,
    pub lane: String,
    pub class: Class,
    pub seq: i64,
    pub state: DeliveryState,
    pub next_at: Timestamp,
    pub changed_at: Timestamp,
}

impl Swept {
    /// Whether a worker should look at it once its time comes.
    pub fn is_workable(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Retry | DeliveryState::Verifying)
    }
}

/// What one round of the reaper moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaped {
    /// `sending` past lease and settle time: to be verified.
    pub unclear: usize,
    /// `preparing` past its lease: queued again, nothing was called.
    pub dropped: usize,
    pub held: usize,
    pub expired: usize,
    pub lifted: u64,
    pub reopened: u64,
}

impl Reaped {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// Deliveries that changed at or after `since`, oldest first, going on after `after`; without those that a worker has
    /// or has sent: what becomes of their hints is that worker's to say, and of a busy queue they are nearly all.
    pub async fn changed_deliveries(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, DeliveryId)>,
        limit: i64,
    ) -> Result<Vec<Swept>, StoreError> {
        let (mark, id) = after.map_or((since, String::new()), |(mark, id)| (mark, id.to_string()));
        let rows = sqlx::query(
            "SELECT d.id, d.account_id, a.network, d.lane, d.class, d.seq, d.state, d.next_at, d.changed_at
             FROM deliveries d JOIN accounts a ON a.id = d.account_id
             WHERE d.changed_at >= $1 AND (d.changed_at > $1 OR d.id > $2)
                AND d.state NOT IN ('preparing', 'sending', 'sent')
             ORDER BY d.changed_at, d.id LIMIT $3",
        )
        .bind(micros(mark))
        .bind(id)
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(swept).collect()
    }

    /// Everything a worker should look at before `until`, earliest first, going on after `after`.
    pub async fn workable_deliveries(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, DeliveryId)>,
        limit: i64,
    ) -> Result<Vec<Swept>, StoreError> {
        let (mark, id) = after.map_or((i64::MIN, String::new()), |(mark, id)| (micros(mark), id.to_string()));
        let mut found = Vec::new();
        // Two statements, since each has a partial index of its own.
        for statement in [
            "SELECT d.id, d.account_id, a.network, d.lane, d.class, d.seq, d.state, d.next_at, d.changed_at
             FROM deliveries d JOIN accounts a ON a.id = d.account_id
             WHERE d.state IN ('queued', 'retry') AND d.next_at <= $1 AND d.next_at >= $2
                AND (d.next_at > $2 OR d.id > $3)
             ORDER BY d.next_at, d.id LIMIT $4",
            "SELECT d.id, d.account_id, a.network, d.lane, d.class, d.seq, d.state, d.next_at, d.changed_at
             FROM deliveries d JOIN accounts a ON a.id = d.account_id
             WHERE d.state IN ('preparing', 'sending', 'verifying') AND d.state = 'verifying' AND d.next_at <= $1
                AND d.next_at >= $2 AND (d.next_at > $2 OR d.id > $3)
             ORDER BY d.next_at, d.id LIMIT $4",
        ] {
            let rows = sqlx::query(statement)
                .bind(micros(until))
                .bind(mark)
                .bind(id.as_str())
                .bind(limit)
                .fetch_all(self.pool())
                .await?;
            for row in &rows {
                found.push(swept(row)?);
            }
        }
        found.sort_by_key(|swept| (swept.next_at, swept.id));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Everything whose end is unclear: its lane waits until that is settled, however far away the next look is.
    pub async fn unclear_deliveries(&self) -> Result<Vec<Swept>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.id, d.account_id, a.network, d.lane, d.class, d.seq, d.state, d.next_at, d.changed_at
             FROM deliveries d JOIN accounts a ON a.id = d.account_id
             WHERE d.state IN ('preparing', 'sending', 'verifying') AND d.state = 'verifying'",
        )
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(swept).collect()
    }

    /// How many deliveries are due and not yet out.
    pub async fn due_count(&self, now: Timestamp) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) AS due FROM deliveries WHERE state IN ('queued', 'retry') AND next_at <= $1")
                .bind(micros(now))
                .fetch_one(self.pool())
                .await?;
        row.number("due")
    }

    /// Takes, or keeps, the lease of a job that one process alone does. False: another one has it.
    pub async fn lease(&self, name: &str, holder: &str, lease: Duration, now: Timestamp) -> Result<bool, StoreError> {
        let known = sqlx::query("SELECT holder, until_at FROM leases WHERE name = $1")
            .bind(name)
            .fetch_optional(self.pool())
            .await?;
        if let Some(row) = known {
            // Most often there is nothing to write: it is another's, or it lasts a good while yet.
            let (is_ours, until) = (row.text("holder")? == holder, row.time("until_at")?);
            if !is_ours && until >= now {
                return Ok(false);
            }
            if is_ours && until >= now + lease / 2 {
                return Ok(true);
            }
        }
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO leases (name, holder, until_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at
             WHERE leases.holder = excluded.holder OR leases.until_at < $4
             RETURNING holder",
        )
        .bind(name)
        .bind(holder)
        .bind(micros(now + lease))
        .bind(micros(now))
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(row.is_some())
    }

    /// Gives a lease back, so that another process need not wait for its end.
    pub async fn give_back(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// One round of the reaper: moves on what dead workers left, and what time has overtaken. It never queues a
    /// delivery that may have been called.
    pub async fn reap(&self, settle: Duration, now: Timestamp) -> Result<Reaped, StoreError> {
        let mut tx = self.begin().await?;
        let mut reaped = Reaped::default();

        let rows = sqlx::query(
            "UPDATE deliveries SET state = 'verifying', epoch = epoch + 1, worker = NULL, lease_until = NULL,
                next_at = $1, absent_since = NULL, changed_at = $1,
                reason = 'its worker went away during the call: the network is asked'
             WHERE id IN (SELECT id FROM deliveries WHERE state IN ('preparing', 'sending', 'verifying')
                AND state = 'sending' AND lease_until < $2 LIMIT $3) AND state = 'sending' AND lease_until < $2
             RETURNING id, account_id",
        )
        .bind(micros(now))
        .bind(micros(now - settle))
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        reaped.unclear = rows.len();
        for row in &rows {
            let id: DeliveryId = row.word("id")?;
            sqlx::query(
                "UPDATE attempts SET finished_at = $2, outcome = 'unclear', detail = 'the worker went away'
                 WHERE delivery_id = $1 AND finished_at IS NULL",
            )
            .bind(id.to_string())
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
            // An unclear end like any other.
            close_account(&mut tx, row.word("account_id")?, now).await?;
            event(&mut tx, id, now).await?;
        }

        let rows = sqlx::query(
            "UPDATE deliveries SET state = 'queued', epoch = epoch + 1, worker = NULL, lease_until = NULL,
                changed_at = $1
             WHERE id IN (SELECT id FROM deliveries WHERE state IN ('preparing', 'sending', 'verifying')
                AND state = 'preparing' AND lease_until < $1 LIMIT $2) AND state = 'preparing' AND lease_until < $1
             RETURNING id",
        )
        .bind(micros(now))
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        reaped.dropped = rows.len();
        for row in &rows {
            let id: DeliveryId = row.word("id")?;
            sqlx::query("UPDATE lanes SET delivery_id = NULL WHERE delivery_id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            event(&mut tx, id, now).await?;
        }

        let rows = sqlx::query(
            "UPDATE deliveries SET state = 'expired', epoch = epoch + 1, changed_at = $1,
                reason = 'its time to expire came before it could be sent'
             WHERE id IN (SELECT id FROM deliveries WHERE state IN ('queued', 'retry') AND next_at <= $1
                AND expires_at <= $1 LIMIT $2) AND state IN ('queued', 'retry')
             RETURNING id",
        )
        .bind(micros(now))
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        reaped.expired = rows.len();
        for row in &rows {
            let id: DeliveryId = row.word("id")?;
            followers(&mut tx, id, DeliveryState::Expired, now).await?;
            event(&mut tx, id, now).await?;
            webhooks::delivery_moved(&mut tx, id, DeliveryState::Expired, now).await?;
        }

        // Also what waits for its turn or a closed account: a person should hear of it. What follows another one is not
        // late before that one is out.
        let rows = sqlx::query(
            "UPDATE deliveries SET state = 'held', hold = 'late', epoch = epoch + 1, changed_at = $1,
                reason = 'its time has passed: send it now, move it or cancel it'
             WHERE id IN (SELECT d.id FROM deliveries d WHERE d.state IN ('queued', 'retry')
                AND d.next_at <= $1 AND d.due_at < $1 - d.late_limit
                AND (d.after_id IS NULL OR (SELECT b.state FROM deliveries b WHERE b.id = d.after_id) = 'sent')
                LIMIT $2) AND state IN ('queued', 'retry')
             RETURNING id",
        )
        .bind(micros(now))
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        reaped.held = rows.len();
        for row in &rows {
            let id = row.word("id")?;
            event(&mut tx, id, now).await?;
            webhooks::delivery_moved(&mut tx, id, DeliveryState::Held, now).await?;
        }

        reaped.reopened = reopen(&mut tx, None, now).await?;

        // Whatever may be queued again by itself, so that those of one lane keep their order.
        reaped.lifted = sqlx::query(
            "UPDATE deliveries SET class = 2, changed_at = $1
             WHERE state IN ('queued', 'retry', 'preparing', 'sending', 'verifying', 'held') AND due_at < $2 AND class = 3
                AND (state <> 'held' OR hold = 'account')",
        )
        .bind(micros(now))
        .bind(micros(now - LIFT_AFTER))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(reaped)
    }

    /// When the lease of the next delivery that a worker prepares or calls for is over, settle time included: a dead
    /// worker's work goes on then, and not at the next round.
    pub async fn next_to_reap(&self, settle: Duration) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(CASE state WHEN 'sending' THEN lease_until + $1 ELSE lease_until END) AS at FROM deliveries
             WHERE state IN ('preparing', 'sending', 'verifying') AND state <> 'verifying'",
        )
        .bind(i64::try_from(settle.as_micros()).unwrap_or(i64::MAX))
        .fetch_one(self.pool())
        .await?;
        Ok(row.maybe_time("at")?.map(|at| at + A_MOMENT))
    }

    /// Nothing is sent on the account before then: what a `Retry-After` asked for.
    pub async fn gate_account(&self, account: AccountId, until: Timestamp, reason: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE accounts SET gated_until = $2, gate_reason = $3
             WHERE id = $1 AND (gated_until IS NULL OR gated_until < $2)",
        )
        .bind(account.to_string())
        .bind(micros(until))
        .bind(reason)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// After an unclear end nothing is sent on the account until the network answers a harmless call, first tried at
    /// `at`.
    pub async fn close_account(&self, account: AccountId, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        close_account(&mut tx, account, at).await?;
        tx.commit().await
    }

    /// Takes an account whose harmless call is due, for `lease`; and how many failed before.
    pub async fn take_probe(&self, lease: Duration, now: Timestamp) -> Result<Option<(AccountId, u32)>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE accounts SET probe_at = $2
             WHERE id = (SELECT id FROM accounts WHERE probe_at <= $1 ORDER BY probe_at LIMIT 1) AND probe_at <= $1
             RETURNING id, probes",
        )
        .bind(micros(now))
        .bind(micros(now + lease))
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.map(|row| Ok((row.word("id")?, u32::try_from(row.number("probes")?).unwrap_or(0)))).transpose()
    }

    /// The network answers: the account may send again, and what could not be looked for is looked for at once.
    pub async fn open_account(&self, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE deliveries SET next_at = $2, changed_at = $2
             WHERE state IN ('preparing', 'sending', 'verifying') AND state = 'verifying' AND account_id = $1
                AND read_failures > 0 AND next_at > $2",
        )
        .bind(account.to_string())
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE accounts SET probe_at = NULL, probes = 0 WHERE id = $1")
            .bind(account.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The harmless call failed: the next one at `at`.
    pub async fn probe_again(&self, account: AccountId, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE accounts SET probe_at = $2, probes = probes + 1 WHERE id = $1 AND probe_at IS NOT NULL")
            .bind(account.to_string())
            .bind(micros(at))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

async fn close_account(tx: &mut Tx, account: AccountId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET probe_at = $2 WHERE id = $1 AND probe_at IS NULL")
        .bind(account.to_string())
        .bind(micros(at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Queues again what was held until its account may send: of one account, or of each where one of them has waited long
/// enough. An account's go together, or a later one would go before an earlier one that was tried again since. Whatever
/// opens an account does so in the same transaction, or what stood behind on the lane would go first. Answers how many.
pub(in crate::store) async fn reopen(
    tx: &mut Tx,
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let reopened = sqlx::query(
        "UPDATE deliveries SET state = 'queued', hold = NULL, epoch = epoch + 1, next_at = $1, changed_at = $1,
            reason = NULL
         WHERE state = 'held' AND hold = 'account' AND account_id IN
            (SELECT id FROM accounts WHERE health <> 'unauthorized' AND paused_at IS NULL AND id = COALESCE($2, id))
            AND (account_id = $2 OR account_id IN
                (SELECT h.account_id FROM deliveries h
                 WHERE h.state = 'held' AND h.hold = 'account' AND h.next_at <= $1))",
    )
    .bind(micros(now))
    .bind(account.map(|id| id.to_string()))
    .execute(&mut **tx)
    .await?;
    Ok(reopened.rows_affected())
}

fn swept(row: &sqlx::any::AnyRow) -> Result<Swept, StoreError> {
    Ok(Swept {
        id: row.word("id")?,
        account_id: row.word("account_id")?,
        network: row.word("network")?,
        lane: row.text("lane")?,
        class: Class(row.number("class")?),
        seq: row.number("seq")?,
        state: row.word("state")?,
        next_at: row.time("next_at")?,
        changed_at: row.time("changed_at")?,
    })
}

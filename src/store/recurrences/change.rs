//! What becomes of the occurrences of a recurring post that is changed, paused, resumed or ended.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::{NewRecurrence, locked, put_accounts};
use crate::model::{AccountId, DeliveryId, DeliveryState, RecurrenceId};
use crate::recurring::{Rule, date_of};
use crate::store::attempts::{event, followers, work};
use crate::store::decisions::{Times, set};
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, Tx, audit, events, maybe_micros, micros};

/// What a change did to the occurrences that were planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Taken back, to be made anew where the rule still has their dates.
    pub replaced: usize,
    /// A person had moved them, or quiet hours to beyond this moment: they keep their time, with the new text.
    pub kept: usize,
}

/// The text of one account's occurrences as a post has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub account_id: AccountId,
    pub text: String,
    pub fingerprint: String,
    pub body_hash: String,
    /// How late an occurrence may be before it is skipped; missing where a person is asked instead.
    pub late_limit: Option<Duration>,
}

/// Why occurrences are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Withdrawal {
    /// The rule makes those still to come anew.
    Replaced,
    /// Once it is resumed, those still to come are made anew.
    Paused,
    /// Every one that was not called yet, for good.
    Ended,
}

impl Withdrawal {
    /// What a person reads of one that was taken back.
    fn reason(self) -> &'static str {
        match self {
            Self::Replaced => "replaced by a change of its recurring post",
            Self::Paused => "its recurring post was paused",
            Self::Ended => "its recurring post was ended",
        }
    }
}

impl Store {
    /// Gives a recurring post another rule or other texts, from the next occurrence that was not called yet on: those
    /// still to come are taken back and made anew, but for those whose date the rule still has and that a person moved, or
    /// that were wanted before and wait for the end of quiet hours. These keep their time and are `rewritten`, which has
    /// each account of `new` once.
    pub async fn change_recurrence(
        &self,
        id: RecurrenceId,
        new: &NewRecurrence,
        rewritten: &[Rewritten],
        who: &str,
    ) -> Result<Changed, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        must_go_on(&mut tx, id).await?;
        let kept = keep_moved(&mut tx, id, &new.rule, rewritten, now).await?;
        let withdrawn = withdraw(&mut tx, id, Withdrawal::Replaced, &kept, who, now).await?;
        sqlx::query(
            "UPDATE recurrences SET rule = $2, missed = $3, revision = revision + 1, next_at = $4, changed_at = $4,
                effective_at = CASE WHEN paused_at IS NULL THEN $4 ELSE effective_at END
             WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(json!(new.rule).to_string())
        .bind(new.missed.as_str())
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM recurrence_accounts WHERE recurrence_id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        put_accounts(&mut tx, id, new).await?;
        finish(tx, id, "recurrence.change", withdrawn, who, now).await?;
        Ok(Changed { replaced: withdrawn, kept: kept.len() })
    }

    /// Takes back what is still to come and makes nothing more, until it is resumed.
    pub async fn pause_recurrence(&self, id: RecurrenceId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        if must_go_on(&mut tx, id).await?.is_some() {
            return Ok(());
        }
        let withdrawn = withdraw(&mut tx, id, Withdrawal::Paused, &[], who, now).await?;
        sqlx::query("UPDATE recurrences SET paused_at = $2, revision = revision + 1, changed_at = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        finish(tx, id, "recurrence.pause", withdrawn, who, now).await
    }

    /// Goes on after a pause; what would have gone out meanwhile is not made. What was taken back, was wanted before now and
    /// would wait for the end of quiet hours still, is made anew.
    pub async fn resume_recurrence(&self, id: RecurrenceId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        if must_go_on(&mut tx, id).await?.is_none() {
            return Ok(());
        }
        let effective_at = still_waiting(&mut tx, id, now).await?.unwrap_or(now);
        sqlx::query(
            "UPDATE recurrences SET paused_at = NULL, revision = revision + 1, effective_at = $3, next_at = $2,
                changed_at = $2 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(micros(now))
        .bind(micros(effective_at))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE recurrence_accounts SET made_through = NULL WHERE recurrence_id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        finish(tx, id, "recurrence.resume", 0, who, now).await
    }

    /// Ends a recurring post for good: whatever of it was not called yet is cancelled.
    pub async fn end_recurrence(&self, id: RecurrenceId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let row = locked(&mut tx, id).await?;
        if row.maybe_time("ended_at")?.is_some() {
            return Ok(());
        }
        let withdrawn = withdraw(&mut tx, id, Withdrawal::Ended, &[], who, now).await?;
        sqlx::query("UPDATE recurrences SET ended_at = $2, revision = revision + 1, changed_at = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        finish(tx, id, "recurrence.end", withdrawn, who, now).await
    }
}

/// Refuses an ended one; answers since when it is paused.
async fn must_go_on(tx: &mut Tx, id: RecurrenceId) -> Result<Option<Timestamp>, StoreError> {
    let row = locked(tx, id).await?;
    match row.maybe_time("ended_at")? {
        Some(at) => Err(StoreError::Conflict(format!("recurring post {id} was ended at {at}; make a new one"))),
        None => row.maybe_time("paused_at"),
    }
}

/// When the earliest was wanted of those that the pause took back and that would still wait for the end of quiet hours. A
/// restored backup does not know what went out before it was put back.
async fn still_waiting(tx: &mut Tx, id: RecurrenceId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT MIN(d.wanted_at) AS wanted_at FROM deliveries d JOIN posts p ON p.id = d.post_id
         JOIN recurrences r ON r.id = p.recurrence_id
         WHERE r.id = $1 AND d.action = 'publish' AND d.state = 'cancelled' AND d.reason = $2
            AND d.due_at > $3 AND d.wanted_at <= $3 AND d.wanted_at >= r.effective_at",
    )
    .bind(id.to_string())
    .bind(Withdrawal::Paused.reason())
    .bind(micros(now))
    .fetch_one(&mut **tx)
    .await?;
    row.maybe_time("wanted_at")
}

/// Cancels occurrences that were not called yet, but for those that are `kept`; answers how many. Their keys become free, so
/// that the rule may make their dates anew. One that came from a backup may have been called since: it stays for a person
/// to decide, and its key with it.
async fn withdraw(
    tx: &mut Tx,
    id: RecurrenceId,
    why: Withdrawal,
    kept: &[DeliveryId],
    who: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let after = match why {
        Withdrawal::Replaced | Withdrawal::Paused => micros(now),
        Withdrawal::Ended => i64::MIN,
    };
    let rows = sqlx::query(
        "SELECT d.id FROM deliveries d JOIN posts p ON p.id = d.post_id
         WHERE p.recurrence_id = $1 AND d.action = 'publish' AND d.first_called_at IS NULL AND d.due_at > $2
            AND d.state IN ('waiting', 'queued', 'preparing', 'retry', 'held') AND COALESCE(d.hold, '') <> 'restored'
         ORDER BY d.id",
    )
    .bind(id.to_string())
    .bind(after)
    .fetch_all(&mut **tx)
    .await?;
    let mut withdrawn = 0;
    for row in &rows {
        let delivery: DeliveryId = row.word("id")?;
        if kept.contains(&delivery) {
            continue;
        }
        let Some(work) = work(tx, delivery).await? else { continue };
        // Its call began in this moment: it goes out as it is, and its key keeps its date from coming again.
        if !set(tx, &work, DeliveryState::Cancelled, Times::at(work.due_at), who, now).await? {
            continue;
        }
        followers(tx, delivery, DeliveryState::Cancelled, now).await?;
        sqlx::query("UPDATE deliveries SET idem_key = idem_key || ':' || id, reason = $2 WHERE id = $1")
            .bind(delivery.to_string())
            .bind(why.reason())
            .execute(&mut **tx)
            .await?;
        withdrawn += 1;
    }
    Ok(withdrawn)
}

/// Gives the occurrences that a person moved, or that the rule does not make anew since they were wanted before now, their
/// account's new text, where they are still to come; answers which. One whose date or account is no longer the recurring
/// post's is left to be withdrawn.
async fn keep_moved(
    tx: &mut Tx,
    id: RecurrenceId,
    rule: &Rule,
    rewritten: &[Rewritten],
    now: Timestamp,
) -> Result<Vec<DeliveryId>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.id, d.account_id, d.idem_key, d.due_at FROM deliveries d JOIN posts p ON p.id = d.post_id
         WHERE p.recurrence_id = $1 AND d.action = 'publish' AND d.first_called_at IS NULL AND d.due_at > $2
            AND d.state IN ('waiting', 'queued', 'retry') AND (d.decided_by IS NOT NULL OR d.wanted_at <= $2)
         ORDER BY d.id",
    )
    .bind(id.to_string())
    .bind(micros(now))
    .fetch_all(&mut **tx)
    .await?;
    let mut kept = Vec::new();
    for row in &rows {
        let (delivery, account): (DeliveryId, AccountId) = (row.word("id")?, row.word("account_id")?);
        let date = date_of(id, &row.text("idem_key")?);
        let stays = |date: Date| rule.dates(date).next() == Some(date);
        let text = rewritten.iter().find(|text| text.account_id == account);
        let (Some(text), true) = (text, date.is_some_and(stays)) else { continue };
        if rewrite(tx, delivery, row.time("due_at")?, text, now).await? {
            kept.push(delivery);
        }
    }
    Ok(kept)
}

/// False: its call began in this moment.
async fn rewrite(
    tx: &mut Tx,
    id: DeliveryId,
    due_at: Timestamp,
    new: &Rewritten,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let expires_at = new.late_limit.map(|limit| due_at.saturating_add(limit).unwrap_or(due_at));
    let rows = sqlx::query(
        "UPDATE deliveries SET body_hash = $2, expires_at = $3, prepared = NULL, epoch = epoch + 1, changed_at = $4
         WHERE id = $1 AND state IN ('waiting', 'queued', 'retry') AND first_called_at IS NULL",
    )
    .bind(id.to_string())
    .bind(new.body_hash.as_str())
    .bind(maybe_micros(expires_at))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    if rows.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE posts SET text = $2, text_fingerprint = $3 WHERE id = (SELECT post_id FROM deliveries WHERE id = $1)",
    )
    .bind(id.to_string())
    .bind(new.text.as_str())
    .bind(new.fingerprint.as_str())
    .execute(&mut **tx)
    .await?;
    event(tx, id, now).await?;
    Ok(true)
}

async fn finish(
    mut tx: Tx,
    id: RecurrenceId,
    action: &str,
    withdrawn: usize,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    audit::write(&mut tx, now, who, action, &id.to_string(), json!({ "withdrawn": withdrawn })).await?;
    events::write(&mut tx, now, "recurrence", &id.to_string()).await?;
    tx.commit().await
}

//! What people do with deliveries: cancel, move, send now, decide, take back, approve, release what was held.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::attempts::{Outcome, Work, apply, event, followers, free_lane, work};
use super::deliveries::{Decision, DeliveryView, UNNAMED};
use super::recurrences::moved_expiry;
use super::rows::Cells;
use super::slots::Slots;
use super::{Store, StoreError, Tx, audit, enqueue, micros};
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, Hold};
use muhatap_connectors::Receipt;

/// How often a decision is tried again when the delivery moves on in the same moment.
const RACES: usize = 8;
/// The reason of one that a person gave up without knowing.
const GIVEN_UP: &str = "given up by a person: nobody knows whether it is on the network";

/// When what a person sends goes out.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Pace {
    /// Now: what waits by itself at once, what is held or failed so far away from others that were released.
    Now(Duration),
    /// At its own time where that lies ahead; else as with [`Pace::Now`].
    Due(Duration),
    /// It is one of several, and has a time among them.
    At(Timestamp),
}

impl Store {
    /// Stops a delivery. Before the call it is cancelled at once; during the call it is taken back as soon as it is out.
    /// One that may be out already is not cancelled: a person looks first, and decides.
    pub async fn cancel(&self, id: DeliveryId, who: &str) -> Result<DeliveryView, StoreError> {
        for _ in 0..RACES {
            if self.cancel_once(id, who).await? {
                return self.delivery(id).await;
            }
        }
        Err(changed_meanwhile(id))
    }

    /// False: it moved on in this moment, perhaps from waiting to being sent; what cancelling means is another thing now.
    async fn cancel_once(&self, id: DeliveryId, who: &str) -> Result<bool, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        match work.state {
            DeliveryState::Cancelled => return Ok(true),
            state if state.is_end() => {
                let next = match (state, work.action) {
                    (DeliveryState::Sent, Action::Publish) => "delete it from the network instead",
                    _ => "there is nothing left to stop",
                };
                return Err(StoreError::Conflict(format!("delivery {id} is already {state}; {next}")));
            }
            _ if may_be_out(&work) => return Err(look_first(id)),
            // It is noted already: it is taken back once it is out.
            DeliveryState::Sending | DeliveryState::Verifying if work.cancel_wanted => return Ok(true),
            DeliveryState::Sending | DeliveryState::Verifying => {
                let noted = sqlx::query(
                    "UPDATE deliveries SET cancel_wanted = COALESCE(cancel_wanted, $2), decided_by = $3, changed_at = $2
                     WHERE id = $1 AND state IN ('sending', 'verifying')",
                )
                .bind(id.to_string())
                .bind(micros(now))
                .bind(who)
                .execute(&mut *tx)
                .await?;
                if noted.rows_affected() == 0 {
                    return Ok(false);
                }
                event(&mut tx, id, now).await?;
            }
            _ => {
                if !set(&mut tx, &work, DeliveryState::Cancelled, Times::at(work.due_at), who, now).await? {
                    return Ok(false);
                }
                followers(&mut tx, id, DeliveryState::Cancelled, now).await?;
            }
        }
        audit::write(&mut tx, now, who, "delivery.cancel", &id.to_string(), json!({ "was": work.state })).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Moves a delivery to another time, at any moment before its call. One that waits for approval keeps waiting.
    pub async fn reschedule(&self, id: DeliveryId, due_at: Timestamp, who: &str) -> Result<DeliveryView, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        let to = match work.state {
            _ if may_be_out(&work) => return Err(look_first(id)),
            DeliveryState::Waiting => DeliveryState::Waiting,
            DeliveryState::Queued | DeliveryState::Preparing | DeliveryState::Retry | DeliveryState::Held => {
                DeliveryState::Queued
            }
            state => {
                let next = match (state, work.action) {
                    (DeliveryState::Sent, Action::Publish) => "delete it from the network instead, and write a new one",
                    (state, _) if state.is_end() => "write a new one",
                    _ => "look again when its call has ended",
                };
                return Err(StoreError::Conflict(format!(
                    "delivery {id} is {state}: only what is not being sent yet can be moved; {next}"
                )));
            }
        };
        if due_at < now - work.late_limit {
            return Err(StoreError::Conflict(format!(
                "{due_at} has passed by more than the delivery may be late; choose a later time"
            )));
        }
        must_be_of_use(&mut tx, &work, due_at, now).await?;
        if !set(&mut tx, &work, to, Times::at(due_at), who, now).await? {
            return Err(changed_meanwhile(id));
        }
        let detail = json!({ "from": work.due_at, "to": due_at, "was": work.state });
        audit::write(&mut tx, now, who, "delivery.move", &id.to_string(), detail).await?;
        tx.commit().await?;
        self.delivery(id).await
    }

    /// Sends a delivery now: nothing of it waits for its time, its next try or its next read-back any more, but for what
    /// a person or the network has stopped it still waits, and its view says so. What is held or failed goes out a little
    /// after what was released before it.
    pub async fn retry(
        &self,
        id: DeliveryId,
        spacing: Duration,
        who: &str,
        now: Timestamp,
    ) -> Result<DeliveryView, StoreError> {
        self.send(id, Pace::Now(spacing), who, now).await
    }

    /// [`Store::retry`] at a pace.
    pub(in crate::store) async fn send(
        &self,
        id: DeliveryId,
        pace: Pace,
        who: &str,
        now: Timestamp,
    ) -> Result<DeliveryView, StoreError> {
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        let no = |why: &str| Err(StoreError::Conflict(format!("delivery {id} {why}")));
        let moved = match work.state {
            _ if may_be_out(&work) => return Err(look_first(id)),
            // It would go by itself once its account is reconnected, and before what waits behind it.
            DeliveryState::Held if work.hold == Some(Hold::Account) && matches!(pace, Pace::Now(_)) => {
                set(&mut tx, &work, DeliveryState::Queued, place(&work, now), who, now).await?
            }
            DeliveryState::Held | DeliveryState::Failed => {
                drop(tx);
                return self.decide_at(id, Decision::Queue, pace, who, now).await;
            }
            // It is on its way already.
            DeliveryState::Preparing => return self.delivery(id).await,
            DeliveryState::Queued | DeliveryState::Retry => {
                let times = match pace {
                    Pace::At(at) => Times::at(at),
                    Pace::Now(_) | Pace::Due(_) => place(&work, now),
                };
                set(&mut tx, &work, DeliveryState::Queued, times, who, now).await?
            }
            // Its call has had the time to take effect before the first look.
            DeliveryState::Verifying if work.read_failures > 0 => {
                let times = Times { due_at: work.due_at, next_at: now };
                look_again(&mut tx, &work, times, who, now).await?
            }
            DeliveryState::Verifying => return no("may be out: the network is asked before anything is sent again"),
            DeliveryState::Sending => return no("is being called at this moment: look again when its call has ended"),
            DeliveryState::Waiting => return no("waits for approval: approve it first"),
            DeliveryState::Unknown => return Err(look_first(id)),
            DeliveryState::Sent => return no("is out already: to have it there twice, write a new one"),
            DeliveryState::Expired | DeliveryState::Cancelled => {
                return no(&format!("is {}: write a new one", work.state));
            }
        };
        if !moved {
            return Err(changed_meanwhile(id));
        }
        audit::write(&mut tx, now, who, "delivery.retry", &id.to_string(), json!({ "was": work.state })).await?;
        tx.commit().await?;
        self.delivery(id).await
    }

    /// A person's word on a delivery that stopped: `unknown`, `held`, `failed`, or one whose read-back keeps failing.
    /// What is released goes out at its time, or where that has passed at once, a little after what was released before it.
    /// As long as an unclear call may
    /// still take effect, all that can be said is that it is out.
    pub async fn decide(
        &self,
        id: DeliveryId,
        decision: Decision,
        spacing: Duration,
        who: &str,
        now: Timestamp,
    ) -> Result<DeliveryView, StoreError> {
        self.decide_at(id, decision, Pace::Due(spacing), who, now).await
    }

    async fn decide_at(
        &self,
        id: DeliveryId,
        decision: Decision,
        pace: Pace,
        who: &str,
        now: Timestamp,
    ) -> Result<DeliveryView, StoreError> {
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        let stopped = matches!(work.state, DeliveryState::Unknown | DeliveryState::Held | DeliveryState::Failed)
            || (work.state == DeliveryState::Verifying && work.read_failures > 0);
        if !stopped {
            return Err(StoreError::Conflict(format!(
                "delivery {id} is {}: nothing is to be decided about it",
                work.state
            )));
        }
        let is_settled = work.state != DeliveryState::Unknown || work.next_at <= now;
        if !is_settled && !matches!(decision, Decision::Sent { .. }) {
            return Err(StoreError::Conflict(format!(
                "delivery {id} may still appear on the network until {}; look again then, and decide",
                work.next_at
            )));
        }
        let word = match &decision {
            Decision::Sent { receipt } => {
                let receipt = receipt.clone().unwrap_or_else(|| unnamed(id));
                let outcome = Outcome::Sent { receipt, found: true };
                if !apply(&mut tx, &work, &outcome, now).await? {
                    return Err(changed_meanwhile(id));
                }
                sqlx::query("UPDATE deliveries SET decided_by = $2 WHERE id = $1")
                    .bind(id.to_string())
                    .bind(who)
                    .execute(&mut *tx)
                    .await?;
                "sent"
            }
            Decision::Queue => {
                let due_at = match pace {
                    Pace::At(at) => at,
                    Pace::Due(_) if work.due_at > now => work.due_at,
                    Pace::Now(spacing) | Pace::Due(spacing) => {
                        Slots::of(&mut tx, work.account_id, &HashSet::from([id]), spacing, now).await?.take()
                    }
                };
                must_be_of_use(&mut tx, &work, due_at, now).await?;
                if !set(&mut tx, &work, DeliveryState::Queued, Times::at(due_at), who, now).await? {
                    return Err(changed_meanwhile(id));
                }
                "queue"
            }
            Decision::Cancel => {
                if !set(&mut tx, &work, DeliveryState::Cancelled, Times::at(work.due_at), who, now).await? {
                    return Err(changed_meanwhile(id));
                }
                followers(&mut tx, id, DeliveryState::Cancelled, now).await?;
                "cancel"
            }
        };
        let detail = json!({ "decision": word, "was": work.state });
        audit::write(&mut tx, now, who, "delivery.decide", &id.to_string(), detail).await?;
        tx.commit().await?;
        self.delivery(id).await
    }

    /// Deletes again what a delivery published: a delivery of its own, before everything else. Asked twice while it is on
    /// its way, it is the same one; what is gone is not deleted again.
    pub async fn delete_again(&self, id: DeliveryId, who: &str) -> Result<DeliveryView, StoreError> {
        let now = self.clock();
        let seen = self.delivery(id).await?;
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        if work.state == DeliveryState::Unknown {
            return Err(look_first(id));
        }
        if work.state != DeliveryState::Sent || work.action != Action::Publish {
            let next = if work.state.is_end() { "there is nothing to delete" } else { "cancel it instead" };
            return Err(StoreError::Conflict(format!(
                "delivery {id} is {}: only what was published can be deleted; {next}",
                work.state
            )));
        }
        if seen.is_unnamed() {
            return Err(StoreError::Conflict(format!(
                "where delivery {id} is on the network was never said: delete it there yourself"
            )));
        }
        let takedown = enqueue::takedown_of(&mut tx, id).await?;
        let gone_since = seen.deleted_at.or(takedown.as_ref().and_then(|takedown| takedown.sent_at));
        if let Some(at) = gone_since {
            return Err(StoreError::Conflict(format!(
                "delivery {id} was deleted from its network already, at {at}; there is nothing left to delete"
            )));
        }
        if let Some(takedown) = takedown {
            return self.delivery(takedown.id).await;
        }
        let takedown = enqueue::take_back(&mut tx, id, "deleted by a person", now).await?;
        audit::write(&mut tx, now, who, "delivery.delete", &id.to_string(), json!({ "by": takedown.to_string() }))
            .await?;
        tx.commit().await?;
        self.delivery(takedown).await
    }

    /// Lets a delivery that waits for approval go to the queue, if its content is still what was approved.
    pub async fn approve(&self, id: DeliveryId, body_hash: &str, who: &str) -> Result<DeliveryView, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let work = existing(&mut tx, id).await?;
        let rows = sqlx::query(
            "UPDATE deliveries SET state = 'queued', epoch = epoch + 1, decided_by = $3, changed_at = $4
             WHERE id = $1 AND state = 'waiting' AND body_hash = $2",
        )
        .bind(id.to_string())
        .bind(body_hash)
        .bind(who)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if rows.rows_affected() == 0 {
            return Err(StoreError::Conflict(match work.state {
                DeliveryState::Waiting => format!("delivery {id} changed since it was approved; look at it again"),
                state => format!("delivery {id} is {state}: it does not wait for approval"),
            }));
        }
        event(&mut tx, id, now).await?;
        audit::write(&mut tx, now, who, "delivery.approve", &id.to_string(), json!({})).await?;
        tx.commit().await?;
        self.delivery(id).await
    }

    /// Releases everything held for `hold` on an account (or on all): what is due, spaced, in the order it was due; what is
    /// due later, at its time. Answers how many.
    pub async fn release_held(
        &self,
        hold: Hold,
        account: Option<AccountId>,
        spacing: Duration,
        who: &str,
    ) -> Result<usize, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT id FROM deliveries WHERE state = 'held' AND hold = $1 AND (account_id = $2 OR $2 IS NULL)
             ORDER BY due_at, seq",
        )
        .bind(hold.as_str())
        .bind(account.map(|id| id.to_string()))
        .fetch_all(&mut *tx)
        .await?;
        let mut slots: HashMap<AccountId, Slots> = HashMap::new();
        let mut released = 0;
        for row in &rows {
            let work = existing(&mut tx, row.word("id")?).await?;
            // Decided by somebody else since it was listed.
            if work.state != DeliveryState::Held {
                continue;
            }
            let due_at = match slots.entry(work.account_id) {
                _ if work.due_at > now => work.due_at,
                Entry::Occupied(slots) => slots.into_mut().take(),
                Entry::Vacant(none) => {
                    none.insert(Slots::of(&mut tx, work.account_id, &HashSet::new(), spacing, now).await?).take()
                }
            };
            if set(&mut tx, &work, DeliveryState::Queued, Times::at(due_at), who, now).await? {
                let detail = json!({ "hold": hold, "to": due_at });
                audit::write(&mut tx, now, who, "delivery.release", &work.id.to_string(), detail).await?;
                released += 1;
            }
        }
        let detail = json!({ "hold": hold, "account": account, "count": released });
        audit::write(&mut tx, now, who, "delivery.release_all", hold.as_str(), detail).await?;
        tx.commit().await?;
        Ok(released)
    }
}

/// After a backup was put back: everything not in an end state is held, since it may have been sent after the backup was
/// made. What was held for being late stays so: who releases what the restore holds has not decided about that. Answers how
/// many.
pub(in crate::store) async fn hold_restored(tx: &mut Tx, now: Timestamp, who: &str) -> Result<u64, StoreError> {
    let held = sqlx::query(
        "UPDATE deliveries SET hold = CASE WHEN state = 'held' AND hold = 'late' THEN hold ELSE 'restored' END,
            state = 'held', epoch = epoch + 1, lease_until = NULL,
            worker = NULL, changed_at = $1,
            reason = 'the database was restored from a backup: look at the network whether it is out, then decide'
         WHERE state NOT IN ('sent', 'failed', 'expired', 'cancelled')
            AND (state <> 'held' OR COALESCE(hold, '') <> 'restored')",
    )
    .bind(micros(now))
    .execute(&mut **tx)
    .await?
    .rows_affected();
    sqlx::query("UPDATE lanes SET delivery_id = NULL").execute(&mut **tx).await?;
    // What a recurring post made since the backup is not in it: no occurrence due before is made again.
    sqlx::query("UPDATE recurrences SET effective_at = $1 WHERE effective_at < $1")
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO installation (name, value) VALUES ('restored_at', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(now.to_string())
    .execute(&mut **tx)
    .await?;
    audit::write(tx, now, who, "restore", "all", json!({ "held": held })).await?;
    Ok(held)
}

async fn existing(tx: &mut Tx, id: DeliveryId) -> Result<Work, StoreError> {
    work(tx, id).await?.ok_or_else(|| StoreError::NotFound(format!("delivery {id} does not exist")))
}

fn changed_meanwhile(id: DeliveryId) -> StoreError {
    StoreError::Conflict(format!("delivery {id} changed in this moment; look at it again"))
}

/// Whether only a person who looks at the network can tell if it is out.
fn may_be_out(work: &Work) -> bool {
    work.state == DeliveryState::Unknown || (work.state == DeliveryState::Held && work.hold == Some(Hold::Restored))
}

/// Now, and where it stood in its lane, unless its time has not come or is over.
fn place(work: &Work, now: Timestamp) -> Times {
    let keeps = work.due_at <= now && now - work.late_limit <= work.due_at;
    Times { due_at: if keeps { work.due_at } else { now }, next_at: now }
}

fn look_first(id: DeliveryId) -> StoreError {
    StoreError::Conflict(format!(
        "delivery {id} may be out already: look at the network, then decide that it is sent, to send it again, or to give \
         it up"
    ))
}

/// Refuses to send what would expire before it goes out.
async fn must_be_of_use(tx: &mut Tx, work: &Work, due_at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let Some(expires_at) = work.expires_at.filter(|expires_at| *expires_at <= due_at) else { return Ok(()) };
    if is_occurrence(tx, work.id).await? {
        return Ok(());
    }
    let next = match expires_at > now {
        true => "choose an earlier time",
        false => "write a new one, or cancel it",
    };
    Err(StoreError::Conflict(format!("delivery {} was to be sent until {expires_at} at the latest; {next}", work.id)))
}

/// Whether a recurring post made it: when it expires goes by when it is due then.
async fn is_occurrence(tx: &mut Tx, id: DeliveryId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT p.id FROM deliveries d JOIN posts p ON p.id = d.post_id WHERE d.id = $1 AND p.recurrence_id IS NOT NULL",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.is_some())
}

/// When it is due, and when somebody looks at it.
pub(in crate::store) struct Times {
    due_at: Timestamp,
    next_at: Timestamp,
}

impl Times {
    pub(in crate::store) fn at(due_at: Timestamp) -> Times {
        Times { due_at, next_at: due_at }
    }
}

/// The next read-back now; false where it moved on meanwhile, or a worker is reading.
async fn look_again(tx: &mut Tx, work: &Work, times: Times, who: &str, now: Timestamp) -> Result<bool, StoreError> {
    let rows = sqlx::query(
        "UPDATE deliveries SET next_at = $3, decided_by = $4, changed_at = $5
         WHERE id = $1 AND state = 'verifying' AND epoch = $2 AND worker IS NULL",
    )
    .bind(work.id.to_string())
    .bind(work.epoch)
    .bind(micros(times.next_at))
    .bind(who)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    event(tx, work.id, now).await?;
    Ok(rows.rows_affected() == 1)
}

/// The compare-and-set of a person's decision; frees the lane of one that was being prepared or verified. Who sends it
/// after all takes back an earlier wish to cancel.
pub(in crate::store) async fn set(
    tx: &mut Tx,
    work: &Work,
    to: DeliveryState,
    times: Times,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    // A lane that rested for this delivery's next try need not rest any more. The lane comes first, as where it is taken.
    if work.state == DeliveryState::Retry {
        sqlx::query("UPDATE lanes SET gated_until = NULL, gate_reason = NULL WHERE lane = $1")
            .bind(work.lane.as_str())
            .execute(&mut **tx)
            .await?;
    }
    let reason = match to {
        DeliveryState::Cancelled if may_be_out(work) || work.state == DeliveryState::Verifying => Some(GIVEN_UP),
        DeliveryState::Cancelled => Some("cancelled"),
        _ => None,
    };
    // Another time is wanted once a person said so, and an occurrence of a recurring post may be as late then as before.
    // What failed was certainly not sent, so that its next call is a first one: for the network's memory of its key, and
    // for the time from which on it is looked for. What is sent without its predecessor waits for it no more.
    let rows = sqlx::query(
        concat!("UPDATE deliveries SET state = $4, epoch = epoch + 1, due_at = $5, next_at = $9, hold = NULL, reason = $6,
            wanted_at = CASE WHEN due_at = $5 THEN wanted_at ELSE NULL END,
            expires_at = ", moved_expiry!("$5"), ",
            decided_by = $7, worker = NULL, lease_until = NULL, absent_since = NULL, read_failures = 0, alerted_at = NULL,
            first_called_at = CASE WHEN state = 'failed' THEN NULL ELSE first_called_at END,
            last_called_at = CASE WHEN state = 'failed' THEN NULL ELSE last_called_at END,
            after_id = CASE WHEN $4 = 'queued' AND hold = 'predecessor' THEN NULL ELSE after_id END,
            cancel_wanted = CASE WHEN $4 = 'queued' THEN NULL ELSE cancel_wanted END, changed_at = $8
         WHERE id = $1 AND state = $2 AND epoch = $3"),
    )
    .bind(work.id.to_string())
    .bind(work.state.as_str())
    .bind(work.epoch)
    .bind(to.as_str())
    .bind(micros(times.due_at))
    .bind(reason)
    .bind(who)
    .bind(micros(now))
    .bind(micros(times.next_at))
    .execute(&mut **tx)
    .await?;
    if rows.rows_affected() == 0 {
        return Ok(false);
    }
    // Only these hold their lane. For the others its row is left alone: who takes the lane has locked it, and waits for
    // this delivery's row.
    if matches!(work.state, DeliveryState::Preparing | DeliveryState::Verifying) {
        free_lane(tx, &work.lane, work.id).await?;
    }
    event(tx, work.id, now).await?;
    Ok(true)
}

/// The receipt of a message that a person saw and gave no link to: it stands for itself.
fn unnamed(id: DeliveryId) -> Receipt {
    Receipt { remote_id: format!("{UNNAMED}{id}"), local_id: None, url: None }
}

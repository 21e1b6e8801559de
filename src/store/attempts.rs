//! The arrows of sending: a worker takes a lane, moves its first delivery to `sending`, and writes down how that ended.
//!
//! Every arrow is one `UPDATE … WHERE id = … AND state = … AND epoch = …` that mints the next epoch in SQL. No row means
//! that somebody else owns the delivery by now; the caller drops it. The lane's row is the lock, the unique index
//! `deliveries_one_in_flight` a second guard.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Outgoing, Prepared, Receipt, ReplyTo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;

use super::rows::Cells;
use super::{Store, StoreError, Tx, enqueue, events, maybe_micros, micros, webhooks};
use crate::model::{AccountId, Action, Class, DeliveryId, DeliveryState, Hold, Network, Visibility};
use crate::policy::Answered;

/// A lane that another process works on is looked at again after this.
const BUSY_LANE: SignedDuration = SignedDuration::from_millis(500);
/// An account that may not send is looked at again after this; whoever opens it wakes the outbox at once.
const CLOSED_ACCOUNT: SignedDuration = SignedDuration::from_secs(2);
/// Late or expired deliveries put aside in one transaction.
const PUT_ASIDE: usize = 64;

/// A delivery in the hands of one worker, with everything the call needs.
#[derive(Debug, Clone)]
pub struct Work {
    pub id: DeliveryId,
    pub account_id: AccountId,
    pub network: Network,
    pub lane: String,
    pub class: Class,
    pub action: Action,
    pub epoch: i64,
    pub state: DeliveryState,
    pub text: String,
    pub visibility: Visibility,
    pub reply_to: Option<ReplyTo>,
    /// The message being answered, as the rules look at it.
    pub answers: Option<Answered>,
    /// What a deletion deletes.
    pub target: Option<Receipt>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub late_limit: Duration,
    pub attempts: u32,
    pub first_called_at: Option<Timestamp>,
    pub last_called_at: Option<Timestamp>,
    pub absent_since: Option<Timestamp>,
    pub read_failures: u32,
    pub prepared: Option<Prepared>,
    pub cancel_wanted: bool,
    next_at: Timestamp,
    lease_until: Option<Timestamp>,
}

impl Work {
    /// The message as the network gets it; the same after a restart.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            key: match self.action {
                // A person finds the delivery by what the receiver has in its log.
                Action::Webhook => self.id.to_string(),
                Action::Publish | Action::Delete => network_key(self.id),
            },
            created_at: self.created_at,
            due_at: self.due_at,
            called_at: self.last_called_at.unwrap_or(self.due_at),
            text: self.text.clone(),
            reply_to: self.reply_to.clone(),
            visibility: self.visibility,
            language: None,
        }
    }
}

/// The idempotency key that the network sees: made from the delivery, never from the attempt.
pub fn network_key(id: DeliveryId) -> String {
    let digest = Sha256::digest(format!("muhatap delivery {id}"));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a lane has for the worker that asks.
#[derive(Debug)]
pub enum Turn {
    /// Its first delivery, now `preparing`.
    Send(Box<Work>),
    /// Its delivery with an unclear end, to be looked for on the network.
    Verify(Box<Work>),
    /// Not before then: gated, or in another worker's hands.
    Rest(Timestamp),
    /// The account may not send: look again then.
    Closed(Timestamp),
    /// Nothing is due.
    Nothing,
}

/// How work on a delivery ended. Also what the journal keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// On the network; `found` by reading back rather than from the call's answer.
    Sent { receipt: Receipt, found: bool },
    /// Certainly not sent: again at `at`, and nothing else on the lane before.
    Retry { at: Timestamp, reason: String },
    /// Not called after all, through no fault of its own: again at once or when the account opens.
    PutBack { reason: Option<String> },
    /// The network or its rules say no.
    Failed { reason: String },
    /// Waits for a person, or for its account to be reconnected and `again` to come.
    Held { hold: Hold, reason: String, again: Timestamp },
    /// Perhaps sent: the network is asked at `at`.
    Verifying { at: Timestamp, reason: String },
    /// A read-back did not find it; a second one follows at `at`.
    Absent { at: Timestamp },
    /// The read-back itself failed; again at `at`.
    Unread { at: Timestamp, reason: String },
    /// Proved absent: free to be sent again.
    Requeued,
    /// Nobody can tell: a person decides.
    Unknown { reason: String },
}

impl Outcome {
    /// The word in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent { found: false, .. } => "sent",
            Self::Sent { found: true, .. } => "found",
            Self::Retry { .. } => "retry",
            Self::PutBack { .. } => "put_back",
            Self::Failed { .. } => "failed",
            Self::Held { .. } => "held",
            Self::Verifying { .. } => "unclear",
            Self::Absent { .. } => "absent_once",
            Self::Unread { .. } => "unread",
            Self::Requeued => "absent",
            Self::Unknown { .. } => "unknown",
        }
    }
}

const WORK: &str = "
    SELECT d.id, d.account_id, d.lane, d.class, d.action, d.epoch, d.state, d.created_at, d.due_at, d.expires_at,
        d.late_limit, d.attempts, d.first_called_at, d.last_called_at, d.absent_since, d.read_failures, d.prepared,
        d.cancel_wanted, d.next_at, d.lease_until, a.network,
        COALESCE(r.text, p.text, y.body, '') AS body, COALESCE(r.visibility, p.visibility, 'public') AS visibility,
        m.remote_id AS answers, m.published_at AS answers_at, m.deleted_at AS answers_deleted_at, m.kind AS answers_kind,
        au.handle AS answers_handle, ma.reply_data,
        t.receipt AS target_receipt
    FROM deliveries d
    JOIN accounts a ON a.id = d.account_id
    LEFT JOIN replies r ON r.id = d.reply_id
    LEFT JOIN posts p ON p.id = d.post_id
    LEFT JOIN payloads y ON y.id = d.payload_id
    LEFT JOIN mentions m ON m.id = r.mention_id
    LEFT JOIN authors au ON au.id = m.author_id
    LEFT JOIN mention_accounts ma ON ma.mention_id = m.id AND ma.account_id = d.account_id
    LEFT JOIN deliveries t ON t.id = d.target_id
    WHERE d.id = $1";

/// The lane's lock and everything that may keep its account from sending.
const LANE: &str = "
    SELECT l.delivery_id, l.gated_until, l.paused_at AS lane_paused_at, a.paused_at, a.health,
        a.gated_until AS account_gated_until, a.probe_at,
        (SELECT COUNT(*) FROM installation i WHERE i.name = 'sending_stopped_at' AND a.network <> 'webhook') AS stopped
    FROM lanes l JOIN accounts a ON a.id = l.account_id
    WHERE l.lane = $1";

/// The first due delivery of each class; one whose predecessor is not out yet does not stand in the way.
const HEAD: &str = "
    SELECT id, class FROM (SELECT id, class FROM deliveries d WHERE lane = $1 AND state IN ('queued', 'retry')
        AND class = 0 AND due_at <= $2 AND next_at <= $2 AND (after_id IS NULL OR EXISTS (SELECT 1 FROM deliveries b
        WHERE b.id = d.after_id AND b.state = 'sent')) ORDER BY due_at, seq LIMIT 1) AS c0
    UNION ALL
    SELECT id, class FROM (SELECT id, class FROM deliveries d WHERE lane = $1 AND state IN ('queued', 'retry')
        AND class = 1 AND due_at <= $2 AND next_at <= $2 AND (after_id IS NULL OR EXISTS (SELECT 1 FROM deliveries b
        WHERE b.id = d.after_id AND b.state = 'sent')) ORDER BY due_at, seq LIMIT 1) AS c1
    UNION ALL
    SELECT id, class FROM (SELECT id, class FROM deliveries d WHERE lane = $1 AND state IN ('queued', 'retry')
        AND class = 2 AND due_at <= $2 AND next_at <= $2 AND (after_id IS NULL OR EXISTS (SELECT 1 FROM deliveries b
        WHERE b.id = d.after_id AND b.state = 'sent')) ORDER BY due_at, seq LIMIT 1) AS c2
    UNION ALL
    SELECT id, class FROM (SELECT id, class FROM deliveries d WHERE lane = $1 AND state IN ('queued', 'retry')
        AND class = 3 AND due_at <= $2 AND next_at <= $2 AND (after_id IS NULL OR EXISTS (SELECT 1 FROM deliveries b
        WHERE b.id = d.after_id AND b.state = 'sent')) ORDER BY due_at, seq LIMIT 1) AS c3
    ORDER BY class";

impl Store {
    /// Takes the lane for `worker`: its delivery that waits to be verified, or else its first due one. Whatever is late
    /// or expired on the way is put aside.
    pub async fn take(&self, lane: &str, worker: &str, lease: Duration, now: Timestamp) -> Result<Turn, StoreError> {
        let mut tx = self.begin().await?;
        let turn = take(&mut tx, lane, worker, lease, now).await?;
        tx.commit().await?;
        Ok(turn)
    }

    /// Prolongs the lease of a delivery that is being prepared or verified. False: it is no longer this worker's.
    pub async fn renew(&self, work: &Work, lease: Duration, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query("UPDATE deliveries SET lease_until = $4 WHERE id = $1 AND state = $2 AND epoch = $3")
            .bind(work.id.to_string())
            .bind(work.state.as_str())
            .bind(work.epoch)
            .bind(micros(now + lease))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(rows.rows_affected() == 1)
    }

    /// The compare-and-set before the one call that counts. After it returns true, `work` carries the new epoch, and
    /// the call may start within the send deadline. False: not now, or not this worker's any more.
    pub async fn begin_sending(
        &self,
        work: &mut Work,
        prepared: &Prepared,
        worker: &str,
        lease: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // All is asked here again: the account may have been paused, or the delivery become late, during a long upload.
        let row = sqlx::query(
            "UPDATE deliveries SET state = 'sending', epoch = epoch + 1, worker = $4, lease_until = $5,
                first_called_at = COALESCE(first_called_at, $6), last_called_at = $6, attempts = attempts + 1,
                prepared = $7, absent_since = NULL, read_failures = 0, changed_at = $6
             WHERE id = $1 AND state = $2 AND epoch = $3 AND cancel_wanted IS NULL
                AND (expires_at IS NULL OR expires_at > $6)
                AND (first_called_at IS NOT NULL OR due_at >= $6 - late_limit)
                AND (action = 'webhook' OR NOT EXISTS (SELECT 1 FROM installation WHERE name = 'sending_stopped_at'))
                AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = deliveries.account_id AND a.paused_at IS NULL
                    AND a.health <> 'unauthorized' AND a.probe_at IS NULL
                    AND (a.gated_until IS NULL OR a.gated_until <= $6))
                AND EXISTS (SELECT 1 FROM lanes l WHERE l.lane = deliveries.lane AND l.delivery_id = deliveries.id)
             RETURNING epoch",
        )
        .bind(work.id.to_string())
        .bind(work.state.as_str())
        .bind(work.epoch)
        .bind(worker)
        .bind(micros(now + lease))
        .bind(micros(now))
        .bind(serde_json::to_string(prepared).unwrap_or_else(|_| "null".into()))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let epoch = row.number("epoch")?;
        sqlx::query(
            "INSERT INTO attempts (delivery_id, epoch, worker, started_at, called_at) VALUES ($1, $2, $3, $4, $4)",
        )
        .bind(work.id.to_string())
        .bind(epoch)
        .bind(worker)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        event(&mut tx, work.id, now).await?;
        tx.commit().await?;
        work.epoch = epoch;
        work.state = DeliveryState::Sending;
        work.first_called_at = work.first_called_at.or(Some(now));
        work.last_called_at = Some(now);
        work.attempts += 1;
        work.prepared = Some(prepared.clone());
        Ok(true)
    }

    /// Takes back [`Store::begin_sending`] where the call was not started in time: as if it had never been marked, even
    /// where others already ask whether it is out.
    pub async fn not_called(
        &self,
        work: &Work,
        before: &Work,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "UPDATE deliveries SET first_called_at = $4, last_called_at = $5, attempts = attempts - 1
             WHERE id = $1 AND state = $2 AND epoch = $3",
        )
        .bind(work.id.to_string())
        .bind(work.state.as_str())
        .bind(work.epoch)
        .bind(maybe_micros(before.first_called_at))
        .bind(maybe_micros(before.last_called_at))
        .execute(&mut *tx)
        .await?;
        if rows.rows_affected() == 0 {
            let taken_back = take_back_late(&mut tx, work.id, work.epoch, reason, now).await?;
            tx.commit().await?;
            return Ok(taken_back);
        }
        let outcome = match before.state {
            DeliveryState::Verifying => Outcome::Verifying { at: now, reason: reason.to_owned() },
            _ => Outcome::PutBack { reason: Some(reason.to_owned()) },
        };
        let finished = apply(&mut tx, work, &outcome, now).await?;
        tx.commit().await?;
        Ok(finished)
    }

    /// Writes down how work on a delivery ended, frees its lane unless it must be verified, and wakes what follows it.
    /// False: it was not this worker's any more.
    pub async fn finish(&self, work: &Work, outcome: &Outcome, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        match apply(&mut tx, work, outcome, now).await {
            Ok(finished) => {
                tx.commit().await?;
                Ok(finished)
            }
            // The message is already another delivery's: which of the two is out cannot be told from here.
            Err(error) if error.is_unique() && matches!(outcome, Outcome::Sent { .. }) => {
                drop(tx);
                let mut tx = self.begin().await?;
                let reason = "the network names a message that belongs to another delivery".to_owned();
                let finished = apply(&mut tx, work, &Outcome::Unknown { reason }, now).await?;
                tx.commit().await?;
                Ok(finished)
            }
            Err(error) => Err(error),
        }
    }

    /// As [`Store::not_called`], from the journal: the database was away when the call was not started.
    pub async fn replay_not_called(
        &self,
        id: DeliveryId,
        epoch: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let taken_back = take_back_late(&mut tx, id, epoch, reason, now).await?;
        tx.commit().await?;
        Ok(taken_back)
    }

    /// Puts any other journalled outcome into the row, if it still is as the worker had it.
    pub async fn replay(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        epoch: i64,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(work) = work(&mut tx, id).await? else { return Ok(false) };
        if (work.state, work.epoch) != (state, epoch) {
            return Ok(false);
        }
        let applied = apply(&mut tx, &work, outcome, now).await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Puts a success into the row that comes late, from the journal or from a worker that was frozen, whatever became of
    /// the row since: the network's own proof is the truth. False: another worker is in the middle of a call for it; try
    /// again later.
    pub async fn replay_sent(
        &self,
        id: DeliveryId,
        epoch: i64,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let found = work(&mut tx, id).await?;
        tx.commit().await?;
        let Some(work) = found else { return Ok(true) };
        if work.state == DeliveryState::Sent {
            self.note_second_proof(id, receipt, now).await?;
            return Ok(true);
        }
        if work.state.is_end() {
            tracing::error!(delivery.id = %id, state = %work.state, "it was sent, but the delivery ended otherwise: look at the network");
            return Ok(true);
        }
        if work.state == DeliveryState::Sending && work.epoch != epoch {
            return Ok(false);
        }
        self.finish(&work, &Outcome::Sent { receipt: receipt.clone(), found: false }, now).await
    }

    /// Two messages were proved for one delivery: a worker was frozen between its deadline and its request, on a network
    /// that cannot drop the second. Nothing can prevent it, so people are told.
    async fn note_second_proof(&self, id: DeliveryId, receipt: &Receipt, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let noted = sqlx::query(
            "UPDATE deliveries SET reason = $3, changed_at = $4
             WHERE id = $1 AND state = 'sent' AND network_ref <> $2 AND decided_by IS NULL",
        )
        .bind(id.to_string())
        .bind(receipt.remote_id.as_str())
        .bind(format!("it is on the network twice, also as {}: delete one of them there", receipt.remote_id))
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() > 0 {
            tracing::error!(delivery.id = %id, "it is on the network twice: delete one of them there");
            event(&mut tx, id, now).await?;
        }
        tx.commit().await
    }

    /// Messages of the account that belong to other deliveries, as far as they were sent since `since`.
    pub async fn taken_refs(&self, work: &Work, since: Timestamp) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT network_ref FROM deliveries
             WHERE account_id = $1 AND id <> $2 AND action = 'publish' AND network_ref IS NOT NULL AND sent_at >= $3",
        )
        .bind(work.account_id.to_string())
        .bind(work.id.to_string())
        .bind(micros(since))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| row.text("network_ref")).collect()
    }
}

async fn take(tx: &mut Tx, lane: &str, worker: &str, lease: Duration, now: Timestamp) -> Result<Turn, StoreError> {
    let Some(row) = sqlx::query(LANE).bind(lane).fetch_optional(&mut **tx).await? else { return Ok(Turn::Nothing) };
    if let Some(holder) = row.maybe_word::<DeliveryId>("delivery_id")? {
        return held_lane(tx, lane, holder, worker, lease, now).await;
    }
    if row.maybe_time("paused_at")?.is_some()
        || row.text("health")? == "unauthorized"
        || row.maybe_time("probe_at")?.is_some()
        || row.number("stopped")? > 0
    {
        return Ok(Turn::Closed(now + CLOSED_ACCOUNT));
    }
    if let Some(until) = row.maybe_time("account_gated_until")?.filter(|until| *until > now) {
        return Ok(Turn::Closed(until));
    }
    if row.maybe_time("lane_paused_at")?.is_some() {
        return Ok(Turn::Rest(now + CLOSED_ACCOUNT));
    }
    if let Some(until) = row.maybe_time("gated_until")?.filter(|until| *until > now) {
        return Ok(Turn::Rest(until));
    }
    for _ in 0..PUT_ASIDE {
        let head = sqlx::query(HEAD).bind(lane).bind(micros(now)).fetch_optional(&mut **tx).await?;
        let Some(head) = head else { return Ok(Turn::Nothing) };
        let Some(mut work) = work(tx, head.word("id")?).await? else { return Ok(Turn::Nothing) };
        // Read a moment after it was chosen: a person may have cancelled, held or moved it between the two.
        if !matches!(work.state, DeliveryState::Queued | DeliveryState::Retry)
            || work.due_at > now
            || work.next_at > now
        {
            continue;
        }
        if let Some(aside) = Aside::of(&work, now) {
            if !set_aside(tx, &work, aside, now).await? {
                return Ok(Turn::Rest(now + BUSY_LANE));
            }
            continue;
        }
        let locked = sqlx::query(
            "UPDATE lanes SET delivery_id = $2
             WHERE lane = $1 AND delivery_id IS NULL AND (gated_until IS NULL OR gated_until <= $3)",
        )
        .bind(lane)
        .bind(work.id.to_string())
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
        if locked.rows_affected() == 0 {
            return Ok(Turn::Rest(now + BUSY_LANE));
        }
        return Ok(match own(tx, &work, DeliveryState::Preparing, worker, lease, now).await? {
            Some(epoch) => {
                work.epoch = epoch;
                work.state = DeliveryState::Preparing;
                event(tx, work.id, now).await?;
                Turn::Send(Box::new(work))
            }
            None => {
                free_lane(tx, lane, work.id).await?;
                Turn::Rest(now)
            }
        });
    }
    Ok(Turn::Rest(now))
}

/// The lane is locked by `holder`: verify it if that is due, else come back later.
async fn held_lane(
    tx: &mut Tx,
    lane: &str,
    holder: DeliveryId,
    worker: &str,
    lease: Duration,
    now: Timestamp,
) -> Result<Turn, StoreError> {
    let Some(mut work) = work(tx, holder).await? else { return Ok(Turn::Rest(now + BUSY_LANE)) };
    match work.state {
        DeliveryState::Verifying => {
            let due = work.lease_until.map_or(work.next_at, |lease| lease.max(work.next_at));
            if due > now {
                return Ok(Turn::Rest(due));
            }
            match own(tx, &work, DeliveryState::Verifying, worker, lease, now).await? {
                Some(epoch) => {
                    work.epoch = epoch;
                    Ok(Turn::Verify(Box::new(work)))
                }
                None => Ok(Turn::Rest(now + BUSY_LANE)),
            }
        }
        DeliveryState::Preparing | DeliveryState::Sending => Ok(Turn::Rest(now + BUSY_LANE)),
        // Lane and delivery change in one transaction, so this is a mistake of ours; it must not stop the lane for ever.
        state => {
            tracing::error!(delivery.id = %holder, %state, "a lane was locked by a delivery that is not in flight");
            free_lane(tx, lane, holder).await?;
            Ok(Turn::Rest(now))
        }
    }
}

/// What keeps a due delivery from being sent at all.
enum Aside {
    Expired,
    Late,
}

impl Aside {
    fn of(work: &Work, now: Timestamp) -> Option<Aside> {
        match () {
            () if work.expires_at.is_some_and(|expires_at| expires_at <= now) => Some(Self::Expired),
            () if now > work.due_at + work.late_limit => Some(Self::Late),
            () => None,
        }
    }
}

pub(in crate::store) fn late_reason(due_at: Timestamp, now: Timestamp) -> String {
    let late = now.duration_since(due_at).as_secs();
    let late = match late {
        0..120 => format!("{late} s"),
        120..7200 => format!("{} min", late / 60),
        7200..172_800 => format!("{} h", late / 3600),
        _ => format!("{} days", late / 86_400),
    };
    format!("its time was {late} ago: send it now, move it or cancel it")
}

async fn set_aside(tx: &mut Tx, work: &Work, aside: Aside, now: Timestamp) -> Result<bool, StoreError> {
    let late = late_reason(work.due_at, now);
    let (state, to) = match aside {
        Aside::Expired => {
            let reason = Some("its time to expire came before it could be sent");
            (DeliveryState::Expired, To { reason, ..To::default() })
        }
        Aside::Late => {
            (DeliveryState::Held, To { hold: Some(Hold::Late.as_str()), reason: Some(&late), ..To::default() })
        }
    };
    let moved = transfer(tx, work, state, now, to).await?;
    if moved {
        followers(tx, work.id, state, now).await?;
        event(tx, work.id, now).await?;
        webhooks::delivery_moved(tx, work.id, state, now).await?;
    }
    Ok(moved)
}

/// Makes the delivery this worker's: a new epoch and a lease.
async fn own(
    tx: &mut Tx,
    work: &Work,
    to: DeliveryState,
    worker: &str,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "UPDATE deliveries SET state = $4, epoch = epoch + 1, worker = $5, lease_until = $6, changed_at = $7
         WHERE id = $1 AND state = $2 AND epoch = $3 RETURNING epoch",
    )
    .bind(work.id.to_string())
    .bind(work.state.as_str())
    .bind(work.epoch)
    .bind(to.as_str())
    .bind(worker)
    .bind(micros(now + lease))
    .bind(micros(now))
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| row.number("epoch")).transpose()
}

/// The columns an arrow sets beside state and epoch.
#[derive(Default)]
struct To<'a> {
    next_at: Option<Timestamp>,
    hold: Option<&'a str>,
    reason: Option<&'a str>,
    network_ref: Option<&'a str>,
    receipt: Option<String>,
    sent_at: Option<Timestamp>,
    absent_since: Option<Timestamp>,
    read_failures: i64,
}

/// One arrow: the compare-and-set from the state and epoch that `work` carries.
async fn transfer(
    tx: &mut Tx,
    work: &Work,
    state: DeliveryState,
    now: Timestamp,
    to: To<'_>,
) -> Result<bool, StoreError> {
    let rows = sqlx::query(
        "UPDATE deliveries SET state = $4, epoch = epoch + 1, lease_until = NULL, worker = NULL,
            next_at = COALESCE($5, next_at), hold = $6, reason = $7, network_ref = COALESCE($8, network_ref),
            receipt = COALESCE($9, receipt), sent_at = COALESCE($10, sent_at), absent_since = $11,
            read_failures = $12, changed_at = $13
         WHERE id = $1 AND state = $2 AND epoch = $3",
    )
    .bind(work.id.to_string())
    .bind(work.state.as_str())
    .bind(work.epoch)
    .bind(state.as_str())
    .bind(maybe_micros(to.next_at))
    .bind(to.hold)
    .bind(to.reason)
    .bind(to.network_ref)
    .bind(to.receipt)
    .bind(maybe_micros(to.sent_at))
    .bind(maybe_micros(to.absent_since))
    .bind(to.read_failures)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(rows.rows_affected() == 1)
}

/// Applies an outcome in one transaction: the delivery, its attempt, its lane, what follows it, and what it leaves.
pub(in crate::store) async fn apply(
    tx: &mut Tx,
    work: &Work,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(Locked { cancel, is_followed }) = lock(tx, work).await? else { return Ok(false) };
    let (state, word, detail, to) = match outcome {
        Outcome::Sent { receipt, found } => {
            let to = To {
                network_ref: Some(&receipt.remote_id),
                receipt: Some(serde_json::to_string(receipt).unwrap_or_default()),
                sent_at: Some(now),
                ..To::default()
            };
            (DeliveryState::Sent, if *found { "found" } else { "sent" }, None, to)
        }
        Outcome::Retry { .. } | Outcome::PutBack { .. } | Outcome::Requeued | Outcome::Held { .. } if cancel => {
            (DeliveryState::Cancelled, "not_sent", None, To { reason: Some("cancelled"), ..To::default() })
        }
        Outcome::Retry { at, reason } => (
            DeliveryState::Retry,
            "retry",
            Some(reason),
            To { next_at: Some(*at), reason: Some(reason), ..To::default() },
        ),
        Outcome::PutBack { reason } => {
            (DeliveryState::Queued, "put_back", reason.as_ref(), To { reason: reason.as_deref(), ..To::default() })
        }
        Outcome::Requeued => (
            DeliveryState::Queued,
            "absent",
            None,
            To {
                next_at: Some(now),
                reason: Some("the network was asked twice: it is not there, so it is sent again"),
                ..To::default()
            },
        ),
        Outcome::Failed { reason } => {
            (DeliveryState::Failed, "failed", Some(reason), To { reason: Some(reason), ..To::default() })
        }
        Outcome::Held { hold, reason, again } => (
            DeliveryState::Held,
            "held",
            Some(reason),
            To { hold: Some(hold.as_str()), reason: Some(reason), next_at: Some(*again), ..To::default() },
        ),
        Outcome::Verifying { at, reason } => (
            DeliveryState::Verifying,
            "unclear",
            Some(reason),
            To { next_at: Some(*at), reason: Some(reason), ..To::default() },
        ),
        Outcome::Absent { at } => (
            DeliveryState::Verifying,
            "unclear",
            None,
            To {
                next_at: Some(*at),
                reason: Some("not found on the network yet; it is asked once more"),
                absent_since: Some(work.absent_since.unwrap_or(now)),
                ..To::default()
            },
        ),
        Outcome::Unread { at, reason } => (
            DeliveryState::Verifying,
            "unclear",
            Some(reason),
            To {
                next_at: Some(*at),
                reason: Some(reason),
                absent_since: work.absent_since,
                read_failures: i64::from(work.read_failures) + 1,
                ..To::default()
            },
        ),
        Outcome::Unknown { reason } => {
            (DeliveryState::Unknown, "unclear", Some(reason), To { reason: Some(reason), ..To::default() })
        }
    };
    if !transfer(tx, work, state, now, to).await? {
        return Ok(false);
    }
    if state != DeliveryState::Verifying {
        free_lane(tx, &work.lane, work.id).await?;
    }
    if let Outcome::Retry { at, reason } = outcome
        && state == DeliveryState::Retry
    {
        // Its turn is kept: nothing behind it on the lane goes first.
        gate_lane(tx, &work.lane, *at, reason).await?;
    }
    sqlx::query(
        "UPDATE attempts SET finished_at = $2, outcome = $3, detail = $4, network_ref = $5
         WHERE delivery_id = $1 AND epoch = (SELECT MAX(epoch) FROM attempts WHERE delivery_id = $1)
            AND (finished_at IS NULL OR outcome = 'unclear')",
    )
    .bind(work.id.to_string())
    .bind(micros(now))
    .bind(word)
    .bind(detail)
    .bind(match outcome {
        Outcome::Sent { receipt, .. } => Some(receipt.remote_id.as_str()),
        _ => None,
    })
    .execute(&mut **tx)
    .await?;
    if let Outcome::Sent { receipt, .. } = outcome {
        left_behind(tx, work, receipt, now).await?;
        if cancel && work.action == Action::Publish {
            enqueue::take_back(tx, work.id, "cancelled while it was being sent", now).await?;
        }
    }
    followers(tx, work.id, state, now).await?;
    event(tx, work.id, now).await?;
    if is_followed {
        webhooks::delivery_moved(tx, work.id, state, now).await?;
    }
    Ok(true)
}

/// A worker that was frozen past its lease, or had no database, knows that it did not call. Where no other call was ever
/// made nothing can be out, so nobody has to look or to decide.
async fn take_back_late(
    tx: &mut Tx,
    id: DeliveryId,
    epoch: i64,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "UPDATE deliveries SET state = CASE WHEN cancel_wanted IS NULL THEN 'queued' ELSE 'cancelled' END,
            epoch = epoch + 1, worker = NULL, lease_until = NULL, first_called_at = NULL, last_called_at = NULL,
            attempts = attempts - 1, absent_since = NULL, read_failures = 0, next_at = $3, changed_at = $3, reason = $4
         WHERE id = $1 AND (state IN ('verifying', 'unknown') OR (state = 'sending' AND epoch = $2))
            AND NOT EXISTS (SELECT 1 FROM attempts a
                WHERE a.delivery_id = $1 AND a.epoch <> $2 AND COALESCE(a.outcome, '') <> 'put_back')
         RETURNING state, lane",
    )
    .bind(id.to_string())
    .bind(epoch)
    .bind(micros(now))
    .bind(reason)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    sqlx::query(
        "UPDATE attempts SET finished_at = $3, outcome = 'put_back', detail = $4 WHERE delivery_id = $1 AND epoch = $2",
    )
    .bind(id.to_string())
    .bind(epoch)
    .bind(micros(now))
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    free_lane(tx, &row.text("lane")?, id).await?;
    followers(tx, id, row.word("state")?, now).await?;
    event(tx, id, now).await?;
    Ok(true)
}

/// What a sent delivery leaves: our message in the conversation, or its deletion.
async fn left_behind(tx: &mut Tx, work: &Work, receipt: &Receipt, now: Timestamp) -> Result<(), StoreError> {
    if work.action.is_told() {
        return Ok(());
    }
    if work.action == Action::Delete {
        sqlx::query("UPDATE outgoing SET deleted_at = COALESCE(deleted_at, $3) WHERE network = $1 AND remote_id = $2")
            .bind(work.network.as_str())
            .bind(receipt.remote_id.as_str())
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO outgoing (network, remote_id, local_id, account_id, conversation_id, delivery_id, text, url,
            in_reply_to, published_at)
         SELECT a.network, $2, $3, d.account_id, r.conversation_id, d.id, COALESCE(r.text, p.text), $4, m.remote_id, $5
         FROM deliveries d
         JOIN accounts a ON a.id = d.account_id
         LEFT JOIN replies r ON r.id = d.reply_id
         LEFT JOIN posts p ON p.id = d.post_id
         LEFT JOIN mentions m ON m.id = r.mention_id
         WHERE d.id = $1
         ON CONFLICT (network, remote_id) DO UPDATE SET delivery_id = excluded.delivery_id,
            conversation_id = COALESCE(outgoing.conversation_id, excluded.conversation_id)",
    )
    .bind(work.id.to_string())
    .bind(receipt.remote_id.as_str())
    .bind(receipt.local_id.as_deref())
    .bind(receipt.url.as_deref())
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE conversations SET last_outgoing_at = $2, changed_at = $2,
            last_message_at = CASE WHEN last_message_at < $2 THEN $2 ELSE last_message_at END
         WHERE id = (SELECT r.conversation_id FROM deliveries d JOIN replies r ON r.id = d.reply_id WHERE d.id = $1)",
    )
    .bind(work.id.to_string())
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What comes after a delivery: free to go once it is sent, held when it never will be.
pub(in crate::store) async fn followers(
    tx: &mut Tx,
    id: DeliveryId,
    state: DeliveryState,
    now: Timestamp,
) -> Result<(), StoreError> {
    match state {
        DeliveryState::Sent => {
            sqlx::query("UPDATE deliveries SET changed_at = $2 WHERE after_id = $1 AND state IN ('queued', 'retry')")
                .bind(id.to_string())
                .bind(micros(now))
                .execute(&mut **tx)
                .await?;
        }
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => {
            sqlx::query(
                "UPDATE deliveries SET state = 'held', hold = 'predecessor', epoch = epoch + 1, changed_at = $2,
                    reason = 'what it follows was not sent: send it alone, or cancel it'
                 WHERE after_id = $1 AND state IN ('waiting', 'queued', 'retry')",
            )
            .bind(id.to_string())
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
        }
        _ => {}
    }
    Ok(())
}

/// Closes a lane until then, if it is not closed for longer.
async fn gate_lane(tx: &mut Tx, lane: &str, until: Timestamp, reason: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE lanes SET gated_until = $2, gate_reason = $3
         WHERE lane = $1 AND (gated_until IS NULL OR gated_until < $2)",
    )
    .bind(lane)
    .bind(micros(until))
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(in crate::store) async fn free_lane(tx: &mut Tx, lane: &str, holder: DeliveryId) -> Result<(), StoreError> {
    sqlx::query("UPDATE lanes SET delivery_id = NULL WHERE lane = $1 AND delivery_id = $2")
        .bind(lane)
        .bind(holder.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Tells live pages and other processes, in the transaction of what it tells.
pub(in crate::store) async fn event(tx: &mut Tx, id: DeliveryId, now: Timestamp) -> Result<(), StoreError> {
    events::write(tx, now, "delivery", &id.to_string()).await
}

/// Locks the row until the end of the transaction, if it still is as `work` has it, and says whether a person asked to
/// cancel it meanwhile: from here on nobody can ask any more without seeing how it ended.
async fn lock(tx: &mut Tx, work: &Work) -> Result<Option<Locked>, StoreError> {
    let row = sqlx::query(
        "UPDATE deliveries SET epoch = epoch WHERE id = $1 AND state = $2 AND epoch = $3
         RETURNING cancel_wanted, (SELECT COUNT(*) FROM accounts w WHERE w.network = 'webhook') AS endpoints",
    )
    .bind(work.id.to_string())
    .bind(work.state.as_str())
    .bind(work.epoch)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        let is_followed = row.number("endpoints")? > 0 && !work.action.is_told();
        Ok(Locked { cancel: row.maybe_number("cancel_wanted")?.is_some(), is_followed })
    })
    .transpose()
}

/// What [`lock`] finds out at no cost of its own.
struct Locked {
    /// A person asked to cancel it.
    cancel: bool,
    /// A webhook may want to hear how it ends.
    is_followed: bool,
}

/// Reads a delivery as a worker needs it.
pub(in crate::store) async fn work(tx: &mut Tx, id: DeliveryId) -> Result<Option<Work>, StoreError> {
    let row = sqlx::query(WORK).bind(id.to_string()).fetch_optional(&mut **tx).await?;
    row.map(|row| read_work(&row)).transpose()
}

fn read_work(row: &AnyRow) -> Result<Work, StoreError> {
    let reply_to = match (row.maybe_text("answers")?, row.maybe_text("answers_handle")?) {
        (Some(remote_id), Some(handle)) => Some(ReplyTo {
            remote_id,
            handle,
            data: row
                .maybe_text("reply_data")?
                .and_then(|data| serde_json::from_str(&data).ok())
                .unwrap_or(serde_json::Value::Null),
        }),
        _ => None,
    };
    let answers = match row.maybe_time("answers_at")? {
        Some(published_at) => Some(Answered {
            published_at,
            found_by_search: row.maybe_text("answers_kind")?.as_deref() == Some("post"),
            deleted: row.maybe_time("answers_deleted_at")?.is_some(),
        }),
        None => None,
    };
    Ok(Work {
        id: row.word("id")?,
        account_id: row.word("account_id")?,
        network: row.word("network")?,
        lane: row.text("lane")?,
        class: Class(row.number("class")?),
        action: row.word("action")?,
        epoch: row.number("epoch")?,
        state: row.word("state")?,
        text: row.text("body")?,
        visibility: visibility(&row.text("visibility")?),
        reply_to,
        answers,
        target: row.maybe_text("target_receipt")?.and_then(|receipt| serde_json::from_str(&receipt).ok()),
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        expires_at: row.maybe_time("expires_at")?,
        late_limit: Duration::from_micros(row.number("late_limit")?.max(0).unsigned_abs()),
        attempts: count(row, "attempts")?,
        first_called_at: row.maybe_time("first_called_at")?,
        last_called_at: row.maybe_time("last_called_at")?,
        absent_since: row.maybe_time("absent_since")?,
        read_failures: count(row, "read_failures")?,
        prepared: row.maybe_text("prepared")?.and_then(|prepared| serde_json::from_str(&prepared).ok()),
        cancel_wanted: row.maybe_number("cancel_wanted")?.is_some(),
        next_at: row.time("next_at")?,
        lease_until: row.maybe_time("lease_until")?,
    })
}

fn count(row: &AnyRow, column: &str) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.number(column)?).unwrap_or(u32::MAX))
}

/// Reads a visibility as it is stored; the narrowest for a word this version does not know.
pub(in crate::store) fn visibility(word: &str) -> Visibility {
    match word {
        "public" => Visibility::Public,
        "unlisted" => Visibility::Unlisted,
        "followers" => Visibility::Followers,
        _ => Visibility::Direct,
    }
}

//! The arrows of sending: a worker takes a lane, moves its first delivery to `sending`, and writes down how that ended.
//!
//! Every arrow is one `UPDATE … WHERE id = … AND state = … AND epoch = …` that mints the next epoch in SQL. No row means
//! that somebody else owns the delivery by now; the caller drops it. The lane's row is the lock, the unique index
//! `deliveries_one_in_flight` a second guard.
//!
//! The three arrows of every delivery, [`Store::take`], [`Store::begin_sending`] and [`Store::finish`], are written by
//! the [`super::group`] writer, many deliveries in one commit; each returns when its commit is on the disk.

mod finish;
mod mark;
mod replay;
mod take;
mod work;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Outgoing, Prepared, Receipt, ReplyTo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Store, StoreError, Tx, micros};
use crate::model::{AccountId, Action, Class, DeliveryId, DeliveryState, Hold, Network, Visibility};
use crate::policy::Answered;
use crate::quiet::QuietHours;

pub use finish::PROVED_ABSENT;
pub(in crate::store) use finish::{Finish, apply, apply_all, event, followers, free_lane};
pub(in crate::store) use mark::{Mark, mark_all};
pub(in crate::store) use take::{Take, late_reason, take_all};
pub(in crate::store) use work::{visibility, work};

/// A lane that another process works on is looked at again after this.
const BUSY_LANE: SignedDuration = SignedDuration::from_millis(500);

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
    /// What the part before it of a thread became on the network, where that is known. It is sent by the time that this
    /// one is taken, so it is the same in every attempt.
    pub continues: Option<Receipt>,
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
    pub hold: Option<Hold>,
    /// The quiet hours that it keeps, and the zone they are read in: a post that no person gave its time since it was
    /// planned.
    pub quiet: Option<(QuietHours, String)>,
    /// When its account's settings last changed.
    pub account_changed_at: Timestamp,
    pub(in crate::store) next_at: Timestamp,
    pub(in crate::store) lease_until: Option<Timestamp>,
}

impl Work {
    /// What the compare-and-set before the call made of it.
    pub fn mark(&mut self, epoch: i64, prepared: Prepared, now: Timestamp) {
        self.epoch = epoch;
        self.state = DeliveryState::Sending;
        self.first_called_at = self.first_called_at.or(Some(now));
        self.last_called_at = Some(now);
        self.attempts += 1;
        self.prepared = Some(prepared);
    }

    /// Whether a person is asked before it is sent at `now`.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.due_at < now - self.late_limit
    }

    /// Whether it would be sent in quiet hours at `now`.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        let Some((hours, zone)) = &self.quiet else { return false };
        hours.end_after(now, &TimeZone::get(zone).unwrap_or(TimeZone::UTC)).is_some()
    }

    /// The message as the network gets it; the same after a restart.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            key: match self.action {
                // A person finds the delivery by what the receiver has in its log.
                Action::Webhook | Action::Mail => self.id.to_string(),
                Action::Publish | Action::Delete => network_key(self.id),
            },
            created_at: self.created_at,
            due_at: self.due_at,
            called_at: self.last_called_at.unwrap_or(self.due_at),
            text: self.text.clone(),
            reply_to: self.reply_to.clone(),
            continues: self.continues.clone(),
            visibility: self.visibility,
            language: None,
        }
    }
}

/// One mark, told apart from every other: an epoch comes again where the commit that minted it was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Marking {
    pub id: DeliveryId,
    pub epoch: i64,
    /// When the call was about to be made.
    pub at: Timestamp,
}

impl Marking {
    /// Of a delivery that is marked.
    pub fn of(work: &Work) -> Marking {
        Marking { id: work.id, epoch: work.epoch, at: work.last_called_at.unwrap_or(work.due_at) }
    }
}

/// The idempotency key that the network sees: made from the delivery, never from the attempt.
pub fn network_key(id: DeliveryId) -> String {
    let digest = Sha256::digest(format!("muhatap delivery {id}"));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the call for a delivery is made with, and how long the worker has for it.
#[derive(Debug, Clone)]
pub struct Readied {
    pub prepared: Prepared,
    pub lease: Duration,
}

/// Says which deliveries need no preparing, and what they are called with. Asked in the middle of a transaction, it must
/// neither wait nor panic.
pub type Ready = Arc<dyn Fn(&Work, Timestamp) -> Option<Readied> + Send + Sync>;

/// A delivery that may be called for.
#[derive(Debug)]
pub struct Marked {
    pub work: Work,
    /// As it was, should it not be called after all.
    pub before: Work,
}

/// What a lane has for the worker that asks.
#[derive(Debug)]
pub enum Turn {
    /// Its first delivery, now `preparing`.
    Send(Box<Work>),
    /// Its first delivery, which needed no preparing, now `sending`: the call may start within the send deadline.
    Call(Box<Marked>),
    /// As `Call` in the database, or not: it does not answer, and nobody else knows that nothing is called.
    Unsure(Box<Marked>, StoreError),
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
    /// Not begun: a limit that it shares with others is used up. Others on the lane go first until `at`.
    Wait { at: Timestamp, reason: String },
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
    /// Nobody can tell: a person decides; not before `settles_at`, when its call can have no effect any more.
    Unknown {
        reason: String,
        #[serde(default)]
        settles_at: Option<Timestamp>,
    },
}

impl Outcome {
    /// The word in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent { found: false, .. } => "sent",
            Self::Sent { found: true, .. } => "found",
            Self::Retry { .. } => "retry",
            Self::PutBack { .. } => "put_back",
            Self::Wait { .. } => "wait",
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

impl Store {
    /// Takes the lane for `worker`: its delivery that waits to be verified, or else its first due one, which is marked as
    /// by [`Store::begin_sending`] in the same transaction where it is `ready`. Whatever is late or expired on the way is
    /// put aside.
    pub async fn take(
        &self,
        lane: &str,
        worker: &str,
        lease: Duration,
        ready: Option<&Ready>,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        let take = Take { lane: lane.to_owned(), worker: worker.to_owned(), lease, ready: ready.cloned(), now };
        match self.group().take(take).await? {
            Turn::Unsure(marked, _) => match self.is_marked(&Marking::of(&marked.work)).await {
                Ok(true) => Ok(Turn::Call(marked)),
                Ok(false) => Ok(Turn::Rest(now)),
                Err(error) => Ok(Turn::Unsure(marked, error)),
            },
            turn => Ok(turn),
        }
    }

    /// The compare-and-set before the one call that counts. After it returns true, `work` carries the new epoch, and
    /// the call may start within the send deadline. False: not now, or not this worker's any more. After an error it may
    /// stand in the database all the same.
    pub async fn begin_sending(
        &self,
        work: &mut Work,
        prepared: &Prepared,
        worker: &str,
        lease: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mark = Mark::of(work, prepared, worker, lease, now);
        let mut marked = work.clone();
        marked.mark(work.epoch + 1, prepared.clone(), now);
        match self.group().mark(mark).await {
            Ok(Some(_)) => {}
            unsure if !self.is_marked(&Marking::of(&marked)).await? => return unsure.map(|_| false),
            _ => {}
        }
        *work = marked;
        Ok(true)
    }

    /// Whether a commit was made whose answer was lost: then its repetition finds nothing to move. If it was taken back,
    /// another worker may have moved the delivery to `sending` under the same epoch meanwhile.
    async fn is_marked(&self, marking: &Marking) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        wait_for(&mut tx, marking.id).await?;
        let marked = sqlx::query(
            "SELECT id FROM deliveries WHERE id = $1 AND state = 'sending' AND epoch = $2 AND last_called_at = $3",
        )
        .bind(marking.id.to_string())
        .bind(marking.epoch)
        .bind(micros(marking.at))
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(marked.is_some())
    }

    /// Writes down how work on a delivery ended, frees its lane unless it must be verified, and wakes what follows it.
    /// Its lane rests for `pause` after it. False: it was not this worker's any more.
    pub async fn finish(
        &self,
        work: &Work,
        outcome: &Outcome,
        pause: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let finish = |outcome| Finish { work: work.clone(), outcome, pause, now };
        match self.group().finish(finish(outcome.clone())).await {
            // The message is already another delivery's: which of the two is out cannot be told from here.
            Err(error) if error.is_unique() && matches!(outcome, Outcome::Sent { .. }) => {
                let reason = "the network names a message that belongs to another delivery".to_owned();
                self.group().finish(finish(Outcome::Unknown { reason, settles_at: None })).await
            }
            finished => finished,
        }
    }
}

/// Until whoever writes the delivery now is through with it: a commit whose answer was lost may still be on its way to the
/// disk, and a question that does not wait would be told how the row was before.
async fn wait_for(tx: &mut Tx, id: DeliveryId) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET epoch = epoch WHERE id = $1").bind(id.to_string()).execute(&mut **tx).await?;
    Ok(())
}

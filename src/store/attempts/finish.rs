//! How work on a delivery ended: the arrow out of a worker's hands, and everything that goes with it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::Receipt;

use super::{Outcome, Work};
use crate::model::{Action, DeliveryId, DeliveryState, Hold};
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx, enqueue, events, maybe_micros, micros, webhooks};

/// The compare-and-set from the state and epoch that a worker has. What is not called after all (`g.value ->> 13`) is
/// cancelled instead where a person asked for that meanwhile: in the same statement, so that nobody can ask between the
/// question and the arrow.
const TRANSFER: &str = "
    UPDATE deliveries SET
        state = CASE WHEN deliveries.cancel_wanted IS NOT NULL AND CAST(g.value ->> 13 AS BIGINT) = 1
            THEN 'cancelled' ELSE g.value ->> 3 END,
        hold = CASE WHEN deliveries.cancel_wanted IS NOT NULL AND CAST(g.value ->> 13 AS BIGINT) = 1
            THEN NULL ELSE g.value ->> 5 END,
        reason = CASE WHEN deliveries.cancel_wanted IS NOT NULL AND CAST(g.value ->> 13 AS BIGINT) = 1
            THEN 'cancelled' ELSE g.value ->> 6 END,
        epoch = deliveries.epoch + 1, lease_until = NULL, worker = NULL,
        next_at = COALESCE(CAST(g.value ->> 4 AS BIGINT), deliveries.next_at),
        network_ref = COALESCE(g.value ->> 7, deliveries.network_ref),
        receipt = COALESCE(g.value ->> 8, deliveries.receipt),
        sent_at = COALESCE(CAST(g.value ->> 9 AS BIGINT), deliveries.sent_at),
        absent_since = CAST(g.value ->> 10 AS BIGINT), read_failures = CAST(g.value ->> 11 AS BIGINT),
        changed_at = CAST(g.value ->> 12 AS BIGINT)
    FROM {rows}
    WHERE deliveries.id = g.value ->> 0 AND deliveries.state || '' = g.value ->> 1
        AND deliveries.epoch = CAST(g.value ->> 2 AS BIGINT)
    RETURNING id, state, cancel_wanted,
        (SELECT COUNT(*) FROM accounts w WHERE w.network = 'webhook') AS endpoints";

const FREE_LANES: &str = "
    UPDATE lanes SET delivery_id = NULL FROM {rows}
    WHERE lanes.lane = g.value ->> 0 AND lanes.delivery_id = g.value ->> 1
    RETURNING lane";

const GATE_LANES: &str = "
    UPDATE lanes SET gated_until = CAST(g.value ->> 1 AS BIGINT), gate_reason = g.value ->> 2 FROM {rows}
    WHERE lanes.lane = g.value ->> 0
        AND (lanes.gated_until IS NULL OR lanes.gated_until < CAST(g.value ->> 1 AS BIGINT))";

/// Why a lane rests after a message.
const BETWEEN_MESSAGES: &str = "the network wants a pause between two messages of one chat";

const END_ATTEMPTS: &str = "
    UPDATE attempts SET finished_at = CAST(g.value ->> 1 AS BIGINT), outcome = g.value ->> 2, detail = g.value ->> 3,
        network_ref = g.value ->> 4
    FROM {rows}
    WHERE attempts.delivery_id = g.value ->> 0
        AND attempts.epoch = (SELECT MAX(b.epoch) FROM attempts b WHERE b.delivery_id = g.value ->> 0)
        AND (attempts.finished_at IS NULL OR attempts.outcome = 'unclear')";

const OUTGOING: &str = "
    INSERT INTO outgoing (network, remote_id, local_id, account_id, conversation_id, delivery_id, text, url,
        in_reply_to, published_at)
    SELECT a.network, g.value ->> 1, g.value ->> 2, d.account_id, r.conversation_id, d.id, COALESCE(r.text, p.text),
        g.value ->> 3, m.remote_id, CAST(g.value ->> 4 AS BIGINT)
    FROM {rows}
    JOIN deliveries d ON d.id = g.value ->> 0
    JOIN accounts a ON a.id = d.account_id
    LEFT JOIN replies r ON r.id = d.reply_id
    LEFT JOIN posts p ON p.id = d.post_id
    LEFT JOIN mentions m ON m.id = r.mention_id
    WHERE d.id IS NOT NULL
    ON CONFLICT (network, remote_id) DO UPDATE SET delivery_id = excluded.delivery_id,
        conversation_id = COALESCE(outgoing.conversation_id, excluded.conversation_id)";

const ANSWERED: &str = "
    UPDATE conversations SET last_outgoing_at = CAST(g.value ->> 1 AS BIGINT),
        changed_at = CAST(g.value ->> 1 AS BIGINT),
        last_message_at = CASE WHEN conversations.last_message_at < CAST(g.value ->> 1 AS BIGINT)
            THEN CAST(g.value ->> 1 AS BIGINT) ELSE conversations.last_message_at END
    FROM {rows}
    JOIN deliveries d ON d.id = g.value ->> 0
    JOIN replies r ON r.id = d.reply_id
    WHERE conversations.id = r.conversation_id";

const GONE: &str = "
    UPDATE outgoing SET deleted_at = COALESCE(outgoing.deleted_at, CAST(g.value ->> 2 AS BIGINT)) FROM {rows}
    WHERE outgoing.network = g.value ->> 0 AND outgoing.remote_id = g.value ->> 1";

/// What follows a sent delivery is looked at again; it was not due before that one was out.
const FREE_FOLLOWERS: &str = "
    UPDATE deliveries SET changed_at = CAST(g.value ->> 1 AS BIGINT),
        due_at = CASE WHEN deliveries.due_at < CAST(g.value ->> 1 AS BIGINT)
            THEN CAST(g.value ->> 1 AS BIGINT) ELSE deliveries.due_at END
    FROM {rows}
    WHERE deliveries.after_id = g.value ->> 0 AND deliveries.state || '' IN ('queued', 'retry')";

const HOLD_FOLLOWERS: &str = "
    UPDATE deliveries SET state = 'held', hold = 'predecessor', epoch = deliveries.epoch + 1,
        changed_at = CAST(g.value ->> 1 AS BIGINT),
        reason = 'what it follows is not on the network: send it alone, or cancel it'
    FROM {rows}
    WHERE deliveries.after_id = g.value ->> 0 AND deliveries.state || '' IN ('waiting', 'queued', 'retry')";

/// Why it is sent again.
pub const PROVED_ABSENT: &str = "the network was asked twice: it is not there, so it is sent again";

/// What a worker says of the delivery it had.
#[derive(Debug, Clone)]
pub(in crate::store) struct Finish {
    pub work: Work,
    pub outcome: Outcome,
    /// The network wants it between two messages of a lane.
    pub pause: Duration,
    pub now: Timestamp,
}

/// One arrow: the new state and the columns that go with it.
pub(super) struct Arrow {
    pub state: DeliveryState,
    pub next_at: Option<Timestamp>,
    pub hold: Option<Hold>,
    pub reason: Option<String>,
    pub receipt: Option<Receipt>,
    pub absent_since: Option<Timestamp>,
    pub read_failures: i64,
    /// Not called, or certainly not sent: a wish to cancel comes true.
    pub may_cancel: bool,
}

impl Arrow {
    pub fn to(state: DeliveryState) -> Arrow {
        Arrow {
            state,
            next_at: None,
            hold: None,
            reason: None,
            receipt: None,
            absent_since: None,
            read_failures: 0,
            may_cancel: false,
        }
    }

    /// The arrow of an outcome, with the word for its attempt.
    fn of(Finish { work, outcome, now, .. }: &Finish) -> (Arrow, &'static str) {
        let arrow = |state, at: Option<Timestamp>, reason: Option<&str>| Arrow {
            next_at: at,
            reason: reason.map(str::to_owned),
            ..Arrow::to(state)
        };
        match outcome {
            Outcome::Sent { receipt, found } => {
                let sent = Arrow { receipt: Some(receipt.clone()), ..Arrow::to(DeliveryState::Sent) };
                (sent, if *found { "found" } else { "sent" })
            }
            Outcome::Retry { at, reason } => {
                (Arrow { may_cancel: true, ..arrow(DeliveryState::Retry, Some(*at), Some(reason)) }, "retry")
            }
            Outcome::PutBack { reason } => {
                (Arrow { may_cancel: true, ..arrow(DeliveryState::Queued, None, reason.as_deref()) }, "put_back")
            }
            Outcome::Wait { at, reason } => {
                (Arrow { may_cancel: true, ..arrow(DeliveryState::Queued, Some(*at), Some(reason)) }, "put_back")
            }
            Outcome::Requeued => {
                (Arrow { may_cancel: true, ..arrow(DeliveryState::Queued, Some(*now), Some(PROVED_ABSENT)) }, "absent")
            }
            Outcome::Held { hold, reason, again } => {
                let held = arrow(DeliveryState::Held, Some(*again), Some(reason));
                (Arrow { hold: Some(*hold), may_cancel: true, ..held }, "held")
            }
            Outcome::Failed { reason } => (arrow(DeliveryState::Failed, None, Some(reason)), "failed"),
            Outcome::Verifying { at, reason } => (arrow(DeliveryState::Verifying, Some(*at), Some(reason)), "unclear"),
            Outcome::Absent { at } => {
                let reason = "not found on the network yet; it is asked once more";
                let absent = arrow(DeliveryState::Verifying, Some(*at), Some(reason));
                (Arrow { absent_since: Some(work.absent_since.unwrap_or(*now)), ..absent }, "unclear")
            }
            Outcome::Unread { at, reason } => {
                let unread = arrow(DeliveryState::Verifying, Some(*at), Some(reason));
                let read_failures = i64::from(work.read_failures) + 1;
                (Arrow { absent_since: work.absent_since, read_failures, ..unread }, "unclear")
            }
            Outcome::Unknown { reason, settles_at } => {
                (arrow(DeliveryState::Unknown, Some(settles_at.unwrap_or(*now)), Some(reason)), "unclear")
            }
        }
    }
}

impl Outcome {
    /// What the attempt's row says beside the word.
    fn detail(&self) -> Option<&str> {
        match self {
            Self::Retry { reason, .. }
            | Self::Failed { reason }
            | Self::Held { reason, .. }
            | Self::Verifying { reason, .. }
            | Self::Unread { reason, .. }
            | Self::Unknown { reason, .. }
            | Self::Wait { reason, .. } => Some(reason),
            Self::PutBack { reason } => reason.as_deref(),
            Self::Sent { .. } | Self::Absent { .. } | Self::Requeued => None,
        }
    }
}

/// A delivery as its worker has it, and where it goes.
pub(super) struct Move<'w> {
    pub work: &'w Work,
    pub arrow: Arrow,
    pub now: Timestamp,
}

/// What became of a delivery that moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub state: DeliveryState,
    /// A person asked for that before it moved.
    pub cancel_wanted: bool,
    /// There are webhooks, which may want to hear of it: found out at no cost of its own.
    pub may_be_followed: bool,
}

/// Moves each whose state and epoch are still as its worker has them; the others are not in the answer.
pub(super) async fn transfer(tx: &mut Tx, moves: &[Move<'_>]) -> Result<HashMap<DeliveryId, Moved>, StoreError> {
    let rows: Vec<_> = moves
        .iter()
        .map(|Move { work, arrow, now }| {
            let receipt = arrow.receipt.as_ref();
            (
                work.id.to_string(),
                work.state.as_str(),
                work.epoch,
                arrow.state.as_str(),
                maybe_micros(arrow.next_at),
                arrow.hold.map(Hold::as_str),
                arrow.reason.as_deref(),
                receipt.map(|receipt| receipt.remote_id.as_str()),
                receipt.map(|receipt| serde_json::to_string(receipt).unwrap_or_default()),
                receipt.map(|_| micros(*now)),
                maybe_micros(arrow.absent_since),
                arrow.read_failures,
                micros(*now),
                i64::from(arrow.may_cancel),
            )
        })
        .collect();
    let mut moved = HashMap::with_capacity(rows.len());
    for row in tx.over(TRANSFER, &rows).await? {
        let cancel_wanted = row.maybe_number("cancel_wanted")?.is_some();
        let may_be_followed = row.number("endpoints")? > 0;
        moved.insert(row.word("id")?, Moved { state: row.word("state")?, cancel_wanted, may_be_followed });
    }
    Ok(moved)
}

/// Applies one outcome; see [`apply_all`].
pub(in crate::store) async fn apply(
    tx: &mut Tx,
    work: &Work,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let finish = Finish { work: work.clone(), outcome: outcome.clone(), pause: Duration::ZERO, now };
    Ok(apply_all(tx, &[finish]).await? == [true])
}

/// Applies outcomes in one transaction: the deliveries, their attempts and lanes, what follows them, and what they leave.
/// False where a delivery was no longer its worker's.
pub(in crate::store) async fn apply_all(tx: &mut Tx, finishes: &[Finish]) -> Result<Vec<bool>, StoreError> {
    let moves: Vec<Move<'_>> = finishes
        .iter()
        .map(|finish| Move { work: &finish.work, arrow: Arrow::of(finish).0, now: finish.now })
        .collect();
    let moved = transfer(tx, &moves).await?;
    let ends: Vec<End<'_>> =
        finishes.iter().filter_map(|finish| Some(End { finish, moved: *moved.get(&finish.work.id)? })).collect();

    let freed = ends.iter().filter(|end| end.moved.state != DeliveryState::Verifying);
    let freed: Vec<_> = freed.map(|end| (end.work().lane.as_str(), end.work().id.to_string())).collect();
    tx.over(FREE_LANES, &freed).await?;
    // The turn of what is tried again is kept: nothing behind it on the lane goes first. Deletions have no order.
    let gated: Vec<_> = ends
        .iter()
        .filter_map(|end| match &end.finish.outcome {
            Outcome::Retry { at, reason }
                if end.moved.state == DeliveryState::Retry && end.work().action != Action::Delete =>
            {
                Some((end.work().lane.as_str(), micros(*at), reason.as_str()))
            }
            _ if !end.finish.pause.is_zero() => {
                Some((end.work().lane.as_str(), micros(end.finish.now + end.finish.pause), BETWEEN_MESSAGES))
            }
            _ => None,
        })
        .collect();
    tx.over(GATE_LANES, &gated).await?;
    let attempts: Vec<_> = ends.iter().filter(|end| end.is_of_call()).map(End::attempt).collect();
    tx.over(END_ATTEMPTS, &attempts).await?;
    left_behind(tx, &ends).await?;
    let states: Vec<_> = ends.iter().map(|end| (end.work().id, end.moved.state, end.finish.now)).collect();
    ended(tx, &states).await?;
    for end in ends.iter().filter(|end| end.moved.may_be_followed && !end.work().action.is_told()) {
        webhooks::delivery_moved(tx, end.work().id, end.moved.state, end.finish.now).await?;
    }
    Ok(finishes.iter().map(|finish| moved.contains_key(&finish.work.id)).collect())
}

/// A delivery that moved by its worker's word.
struct End<'f> {
    finish: &'f Finish,
    moved: Moved,
}

/// Delivery, time, outcome, detail and the network's id.
type AttemptRow<'f> = (String, i64, &'static str, Option<&'f str>, Option<&'f str>);

impl<'f> End<'f> {
    fn work(&self) -> &'f Work {
        &self.finish.work
    }

    fn receipt(&self) -> Option<&'f Receipt> {
        match &self.finish.outcome {
            Outcome::Sent { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    /// Preparing makes no call: the attempt before it stays as it ended.
    fn is_of_call(&self) -> bool {
        self.work().state != DeliveryState::Preparing || self.receipt().is_some()
    }

    fn attempt(&self) -> AttemptRow<'f> {
        let (id, now) = (self.work().id.to_string(), micros(self.finish.now));
        if self.moved.state == DeliveryState::Cancelled {
            return (id, now, "not_sent", None, None);
        }
        let network_ref = self.receipt().map(|receipt| receipt.remote_id.as_str());
        (id, now, Arrow::of(self.finish).1, self.finish.outcome.detail(), network_ref)
    }
}

/// What sent deliveries leave: our messages in their conversations, or the deletion of one; and the takedown of what a
/// person cancelled during the call.
async fn left_behind(tx: &mut Tx, ends: &[End<'_>]) -> Result<(), StoreError> {
    let sent = || ends.iter().filter_map(|end| Some((end, end.receipt()?)));
    let published = || sent().filter(|(end, _)| end.work().action == Action::Publish);
    let gone: Vec<_> = sent()
        .filter(|(end, _)| end.work().action == Action::Delete)
        .map(|(end, receipt)| (end.work().network.as_str(), receipt.remote_id.as_str(), micros(end.finish.now)))
        .collect();
    tx.over(GONE, &gone).await?;
    let messages: Vec<_> = published()
        .map(|(end, Receipt { remote_id, local_id, url })| {
            (end.work().id.to_string(), remote_id, local_id, url, micros(end.finish.now))
        })
        .collect();
    tx.over(OUTGOING, &messages).await?;
    let answers: Vec<_> = published()
        .filter(|(end, _)| end.work().answers.is_some())
        .map(|(end, _)| (end.work().id.to_string(), micros(end.finish.now)))
        .collect();
    tx.over(ANSWERED, &answers).await?;
    for (end, _) in published().filter(|(end, _)| end.moved.cancel_wanted) {
        enqueue::take_back(tx, end.work().id, "cancelled while it was being sent", end.finish.now).await?;
    }
    Ok(())
}

/// What comes after deliveries, free to go once they are sent and held when they never will be; and the word of it all to
/// live pages and other processes.
pub(super) async fn ended(tx: &mut Tx, states: &[(DeliveryId, DeliveryState, Timestamp)]) -> Result<(), StoreError> {
    let of = |wanted: &[DeliveryState]| -> Vec<(String, i64)> {
        let those = states.iter().filter(|(_, state, _)| wanted.contains(state));
        those.map(|(id, _, now)| (id.to_string(), micros(*now))).collect()
    };
    tx.over(FREE_FOLLOWERS, &of(&[DeliveryState::Sent])).await?;
    let never = [DeliveryState::Failed, DeliveryState::Expired, DeliveryState::Cancelled];
    tx.over(HOLD_FOLLOWERS, &of(&never)).await?;
    let told: Vec<_> = states.iter().map(|(id, _, now)| (*now, id.to_string())).collect();
    events::write_all(tx, "delivery", &told).await
}

/// What comes after one delivery: free to go once it is sent, held when it never will be.
pub(in crate::store) async fn followers(
    tx: &mut Tx,
    id: DeliveryId,
    state: DeliveryState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = match state {
        DeliveryState::Sent => FREE_FOLLOWERS,
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => HOLD_FOLLOWERS,
        _ => return Ok(()),
    };
    tx.over(statement, &[(id.to_string(), micros(now))]).await?;
    Ok(())
}

/// Answers whether it was locked by `holder`.
pub(in crate::store) async fn free_lane(tx: &mut Tx, lane: &str, holder: DeliveryId) -> Result<bool, StoreError> {
    Ok(!tx.over(FREE_LANES, &[(lane, holder.to_string())]).await?.is_empty())
}

/// Tells live pages and other processes, in the transaction of what it tells.
pub(in crate::store) async fn event(tx: &mut Tx, id: DeliveryId, now: Timestamp) -> Result<(), StoreError> {
    events::write(tx, now, "delivery", &id.to_string()).await
}

//! Taking lanes: one look each, and the lock where something is to be done.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::any::AnyRow;

use super::finish::{Arrow, Move, ended, free_lane, transfer};
use super::mark::{Mark, mark_all};
use super::work::works;
use super::{BUSY_LANE, Marked, Readied, Ready, Turn, Work};
use crate::model::{DeliveryId, DeliveryState, Hold};
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx, events, micros, webhooks};

/// An account that may not send is looked at again after this; whoever opens it wakes the outbox at once.
const CLOSED_ACCOUNT: SignedDuration = SignedDuration::from_secs(2);
/// Late or expired deliveries of one lane put aside in one transaction.
const PUT_ASIDE: usize = 64;

/// Locks and everything that may keep an account from sending.
const LANES: &str = "
    SELECT l.lane, l.delivery_id, l.gated_until, l.paused_at AS lane_paused_at, a.paused_at, a.health,
        a.gated_until AS account_gated_until, a.probe_at,
        (SELECT COUNT(*) FROM stops s WHERE (s.scope = 'all' AND a.network NOT IN ('webhook', 'mail'))
            OR s.scope IN ('account:' || a.id, 'app:' || a.network || ' ' || COALESCE(a.base_url, ''))) AS stopped
    FROM {rows}
    JOIN lanes l ON l.lane = g.value ->> 0
    JOIN accounts a ON a.id = l.account_id";

/// A lane's first due delivery of one class; one whose predecessor is not out yet does not stand in the way, nor do posts
/// while they are stopped.
macro_rules! head {
    ($class:literal) => {
        concat!(
            "(SELECT d.id FROM deliveries d WHERE d.lane = g.value ->> 0 AND d.state IN ('queued', 'retry')
                AND d.class = ",
            $class,
            " AND d.due_at <= CAST(g.value ->> 1 AS BIGINT) AND d.next_at <= CAST(g.value ->> 1 AS BIGINT)
                AND (d.after_id IS NULL OR (SELECT b.state FROM deliveries b WHERE b.id = d.after_id) = 'sent')
                AND (d.post_id IS NULL OR d.action <> 'publish'
                    OR NOT EXISTS (SELECT 1 FROM stops s WHERE s.scope = 'posts'))
              ORDER BY d.due_at, d.seq LIMIT 1)"
        )
    };
}

/// A question for each class, or what is due much later in one would be read on the way to the next.
const HEADS: &str = concat!(
    "SELECT g.value ->> 0 AS lane, COALESCE(",
    head!(0),
    ", ",
    head!(1),
    ", ",
    head!(2),
    ", ",
    head!(3),
    ") AS id FROM {rows}"
);

/// Answers the lanes that were free and are locked now. That a lane is free is said by a comparison: of `IS NULL`
/// PostgreSQL expects next to no rows, and would compare every free lane with every one of `{rows}`.
const LOCK: &str = "
    UPDATE lanes SET delivery_id = g.value ->> 1 FROM {rows}
    WHERE lanes.lane = g.value ->> 0 AND COALESCE(LENGTH(lanes.delivery_id), 0) < 1
        AND (lanes.gated_until IS NULL OR lanes.gated_until <= CAST(g.value ->> 2 AS BIGINT))
    RETURNING lane";

/// Makes deliveries a worker's: a new epoch and a lease.
const OWN: &str = "
    UPDATE deliveries SET state = g.value ->> 3, epoch = deliveries.epoch + 1, worker = g.value ->> 4,
        lease_until = CAST(g.value ->> 5 AS BIGINT), changed_at = CAST(g.value ->> 6 AS BIGINT)
    FROM {rows}
    WHERE deliveries.id = g.value ->> 0 AND deliveries.state || '' = g.value ->> 1
        AND deliveries.epoch = CAST(g.value ->> 2 AS BIGINT)
    RETURNING id, epoch";

/// One look at a lane for a worker.
#[derive(Clone)]
pub(in crate::store) struct Take {
    pub lane: String,
    pub worker: String,
    pub lease: Duration,
    pub ready: Option<Ready>,
    pub now: Timestamp,
}

/// What a look at a lane's row says.
enum Standing {
    /// Locked by this delivery.
    Held(DeliveryId),
    Shut(Turn),
    Open,
}

/// Takes each lane, no lane twice. The answers are in the order of the questions.
pub(in crate::store) async fn take_all(tx: &mut Tx, takes: &[Take]) -> Result<Vec<Turn>, StoreError> {
    let mut turns: Vec<Turn> = takes.iter().map(|_| Turn::Nothing).collect();
    let places: HashMap<&str, usize> = takes.iter().enumerate().map(|(at, take)| (take.lane.as_str(), at)).collect();
    let lanes: Vec<(&str,)> = takes.iter().map(|take| (take.lane.as_str(),)).collect();
    let (mut open, mut held) = (Vec::new(), Vec::new());
    for row in tx.over(LANES, &lanes).await? {
        let Some(&at) = places.get(row.text("lane")?.as_str()) else { continue };
        match standing(&row, takes[at].now)? {
            Standing::Held(holder) => held.push((at, holder)),
            Standing::Shut(turn) => turns[at] = turn,
            Standing::Open => open.push(at),
        }
    }
    let mut chosen = choose(tx, takes, &places, open, &mut turns).await?;
    let locks: Vec<_> = chosen
        .iter()
        .map(|(at, work)| (takes[*at].lane.as_str(), work.id.to_string(), micros(takes[*at].now)))
        .collect();
    let locked: HashSet<String> =
        tx.over(LOCK, &locks).await?.iter().map(|row| row.text("lane")).collect::<Result<_, _>>()?;
    chosen.retain(|(at, _)| {
        let is_locked = locked.contains(&takes[*at].lane);
        if !is_locked {
            turns[*at] = Turn::Rest(takes[*at].now + BUSY_LANE);
        }
        is_locked
    });
    let (mut to_call, mut to_own) = (Vec::new(), verify(tx, takes, held, &mut turns).await?);
    for (at, work) in chosen {
        let Take { ready, now, .. } = &takes[at];
        match ready.as_ref().and_then(|ready| ready(&work, *now)) {
            Some(readied) => to_call.push((at, work, readied)),
            None => to_own.push((at, work)),
        }
    }
    call(tx, takes, to_call, &mut turns).await?;
    own(tx, takes, to_own, &mut turns).await?;
    Ok(turns)
}

fn standing(row: &AnyRow, now: Timestamp) -> Result<Standing, StoreError> {
    if let Some(holder) = row.maybe_word::<DeliveryId>("delivery_id")? {
        return Ok(Standing::Held(holder));
    }
    if row.maybe_time("paused_at")?.is_some()
        || row.text("health")? == "unauthorized"
        || row.maybe_time("probe_at")?.is_some()
        || row.number("stopped")? > 0
    {
        return Ok(Standing::Shut(Turn::Closed(now + CLOSED_ACCOUNT)));
    }
    if let Some(until) = row.maybe_time("account_gated_until")?.filter(|until| *until > now) {
        return Ok(Standing::Shut(Turn::Closed(until)));
    }
    if row.maybe_time("lane_paused_at")?.is_some() {
        return Ok(Standing::Shut(Turn::Rest(now + CLOSED_ACCOUNT)));
    }
    Ok(match row.maybe_time("gated_until")?.filter(|until| *until > now) {
        Some(until) => Standing::Shut(Turn::Rest(until)),
        None => Standing::Open,
    })
}

/// The first delivery of each open lane that can be sent now; those before it that are late or expired are put aside.
async fn choose(
    tx: &mut Tx,
    takes: &[Take],
    places: &HashMap<&str, usize>,
    mut open: Vec<usize>,
    turns: &mut [Turn],
) -> Result<Vec<(usize, Work)>, StoreError> {
    let mut chosen = Vec::new();
    for _ in 0..PUT_ASIDE {
        if open.is_empty() {
            break;
        }
        let asked: Vec<_> = open.iter().map(|at| (takes[*at].lane.as_str(), micros(takes[*at].now))).collect();
        let mut heads: Vec<(usize, DeliveryId)> = Vec::new();
        for row in tx.over(HEADS, &asked).await? {
            if let (Some(&at), Some(id)) = (places.get(row.text("lane")?.as_str()), row.maybe_word("id")?) {
                heads.push((at, id));
            }
        }
        for at in std::mem::take(&mut open) {
            turns[at] = Turn::Nothing;
        }
        let ids: Vec<DeliveryId> = heads.iter().map(|(_, id)| *id).collect();
        let mut found = works(tx, &ids).await?;
        for (at, id) in heads {
            let now = takes[at].now;
            let Some(work) = found.remove(&id) else { continue };
            // Read a moment after it was chosen: a person may have cancelled, held or moved it between the two.
            let is_due = matches!(work.state, DeliveryState::Queued | DeliveryState::Retry)
                && work.due_at <= now
                && work.next_at <= now;
            match Aside::of(&work, now) {
                _ if !is_due => open.push(at),
                None => chosen.push((at, work)),
                Some(aside) if set_aside(tx, &work, aside, now).await? => open.push(at),
                Some(_) => turns[at] = Turn::Rest(now + BUSY_LANE),
            }
        }
    }
    for at in open {
        turns[at] = Turn::Rest(takes[at].now);
    }
    Ok(chosen)
}

/// What locked lanes are locked by: to be verified if that is due, else to be come back to later.
async fn verify(
    tx: &mut Tx,
    takes: &[Take],
    held: Vec<(usize, DeliveryId)>,
    turns: &mut [Turn],
) -> Result<Vec<(usize, Work)>, StoreError> {
    let holders: Vec<DeliveryId> = held.iter().map(|(_, holder)| *holder).collect();
    let mut found = works(tx, &holders).await?;
    let mut due = Vec::new();
    for (at, holder) in held {
        let now = takes[at].now;
        let Some(work) = found.remove(&holder) else {
            turns[at] = Turn::Rest(now + BUSY_LANE);
            continue;
        };
        match work.state {
            DeliveryState::Verifying => {
                let from = work.lease_until.map_or(work.next_at, |lease| lease.max(work.next_at));
                match from > now {
                    true => turns[at] = Turn::Rest(from),
                    false => due.push((at, work)),
                }
            }
            DeliveryState::Preparing | DeliveryState::Sending => turns[at] = Turn::Rest(now + BUSY_LANE),
            // Most often it ended, in another process, since the lane was looked at. Lane and delivery change in one
            // transaction, so anything else is a mistake of ours; it must not stop the lane for ever.
            state => {
                if free_lane(tx, &takes[at].lane, holder).await? {
                    tracing::error!(delivery.id = %holder, %state, "a lane was locked by a delivery that is not in flight");
                }
                turns[at] = Turn::Rest(now);
            }
        }
    }
    Ok(due)
}

/// Marks what needs no preparing.
async fn call(
    tx: &mut Tx,
    takes: &[Take],
    chosen: Vec<(usize, Work, Readied)>,
    turns: &mut [Turn],
) -> Result<(), StoreError> {
    let marks: Vec<Mark> = chosen
        .iter()
        .map(|(at, work, readied)| Mark::of(work, &readied.prepared, &takes[*at].worker, readied.lease, takes[*at].now))
        .collect();
    let epochs = mark_all(tx, &marks).await?;
    for ((at, before, readied), epoch) in chosen.into_iter().zip(epochs) {
        let now = takes[at].now;
        turns[at] = match epoch {
            Some(epoch) => {
                let mut work = before.clone();
                work.mark(epoch, readied.prepared, now);
                Turn::Call(Box::new(Marked { work, before }))
            }
            None => {
                free_lane(tx, &takes[at].lane, before.id).await?;
                Turn::Rest(now + BUSY_LANE)
            }
        };
    }
    Ok(())
}

async fn own(tx: &mut Tx, takes: &[Take], chosen: Vec<(usize, Work)>, turns: &mut [Turn]) -> Result<(), StoreError> {
    let next = |work: &Work| match work.state {
        DeliveryState::Verifying => DeliveryState::Verifying,
        _ => DeliveryState::Preparing,
    };
    let rows: Vec<_> = chosen
        .iter()
        .map(|(at, work)| {
            let Take { worker, lease, now, .. } = &takes[*at];
            let lease = micros(*now + *lease);
            (work.id.to_string(), work.state.as_str(), work.epoch, next(work).as_str(), worker, lease, micros(*now))
        })
        .collect();
    let mut epochs: HashMap<DeliveryId, i64> = HashMap::new();
    for row in tx.over(OWN, &rows).await? {
        epochs.insert(row.word("id")?, row.number("epoch")?);
    }
    let mut told = Vec::new();
    for (at, mut work) in chosen {
        let now = takes[at].now;
        let is_verified = work.state == DeliveryState::Verifying;
        turns[at] = match epochs.get(&work.id) {
            Some(epoch) => {
                work.epoch = *epoch;
                work.state = next(&work);
                if is_verified {
                    Turn::Verify(Box::new(work))
                } else {
                    told.push((now, work.id.to_string()));
                    Turn::Send(Box::new(work))
                }
            }
            None if is_verified => Turn::Rest(now + BUSY_LANE),
            None => {
                free_lane(tx, &takes[at].lane, work.id).await?;
                Turn::Rest(now + BUSY_LANE)
            }
        };
    }
    events::write_all(tx, "delivery", &told).await
}

/// What keeps a due delivery from being sent at all.
#[derive(Clone, Copy)]
enum Aside {
    Expired,
    Late,
}

impl Aside {
    fn of(work: &Work, now: Timestamp) -> Option<Aside> {
        match () {
            () if work.expires_at.is_some_and(|expires_at| expires_at <= now) => Some(Self::Expired),
            () if work.is_late(now) => Some(Self::Late),
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
    let arrow = match aside {
        Aside::Expired => Arrow {
            reason: Some("its time to expire came before it could be sent".into()),
            ..Arrow::to(DeliveryState::Expired)
        },
        Aside::Late => Arrow {
            hold: Some(Hold::Late),
            reason: Some(late_reason(work.due_at, now)),
            ..Arrow::to(DeliveryState::Held)
        },
    };
    let state = arrow.state;
    let moved = !transfer(tx, &[Move { work, arrow, now }]).await?.is_empty();
    if moved {
        ended(tx, &[(work.id, state, now)]).await?;
        webhooks::delivery_moved(tx, work.id, state, now).await?;
    }
    Ok(moved)
}

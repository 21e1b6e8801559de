//! Everything a run remembers: the database, its disk, the workers, the requests under way, the network, people.
//!
//! There is no clock. Time is what may have passed, one fact at a time ([`Wait`], [`KeyClock`], `gap_over`): the checker
//! tries every order that the assumptions in [`crate`] allow.

use crate::scenario::Faults;

pub const WORKERS: usize = 2;
pub const MOST_DELIVERIES: usize = 2;

/// `deliveries.state`, without `waiting`, from which only an approval leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    Queued,
    Preparing,
    Sending,
    Verifying,
    Retry,
    HeldLate,
    HeldForAccount,
    Unknown,
    Sent,
    Failed,
    Expired,
    Cancelled,
}

impl RowState {
    pub fn is_end(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Expired | Self::Cancelled)
    }

    /// What a worker should look at once its time comes: `Swept::is_workable`.
    pub fn is_workable(self) -> bool {
        matches!(self, Self::Queued | Self::Retry | Self::Verifying)
    }
}

/// What must pass before somebody else acts on a `sending` or `verifying` row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The lease of the worker that calls.
    Lease,
    /// The settle time after the lease, or after an end that the worker itself found unclear.
    Settling,
    Over,
}

/// How old the first call is, against the life of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyClock {
    Uncalled,
    /// Less than half its life.
    Fresh,
    Old,
}

/// The delivery that deletes what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Takedown {
    NotWanted,
    Wanted,
    Done,
}

/// A row of `deliveries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    pub state: RowState,
    /// Renumbered after every step, since only equality and order count ([`State::renumber`]).
    pub epoch: u8,
    pub wait: Wait,
    /// Whose mark it is while it is `sending`: the attempt's time.
    pub marked_by: Option<u8>,
    /// One look did not find it.
    pub absent_once: bool,
    /// The time between two looks has passed.
    pub gap_over: bool,
    pub cancel_wanted: bool,
    pub key: KeyClock,
    pub takedown: Takedown,
}

/// Whether the account may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    Open,
    /// After an unclear end: until the network answers a harmless call (`accounts.probe_at`).
    Probing,
    /// The network refused its credentials.
    Unauthorized,
}

/// The database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sql {
    pub rows: [Row; MOST_DELIVERIES],
    /// `lanes.delivery_id`.
    pub lane: Option<usize>,
    pub account: Account,
}

/// How a call ended, as the worker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// An id.
    Proof,
    /// Perhaps sent.
    Unclear,
    Refused(Refusal),
}

/// The network certainly did not take this call's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No connection, or 429: again later.
    NotNow,
    /// The network says no.
    NotThis,
    /// The network does not know us any more.
    NotYou,
}

/// Where a worker is in `src/deliver/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doing {
    Idle,
    /// Has the lane; prepares.
    Preparing,
    /// `begin_sending` ran; its commit has not returned.
    Marking,
    /// `begin_sending` returned.
    Marked,
    /// `not_called` ran; its commit has not returned.
    TakingBack,
    /// The deadline was asked; the request has not left.
    Checked,
    Calling,
    Ended(Answer),
    /// Has the row to verify.
    Looking,
    Found,
    NotFound,
    /// Tells the dispatcher that the hint is done with.
    Dropping,
}

/// A worker and the delivery in its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Worker {
    pub doing: Doing,
    pub delivery: usize,
    pub epoch: u8,
    /// It came from `verifying`: the call is a repeated one.
    pub resends: bool,
    /// Its lease has passed.
    pub late: bool,
    /// Its last statement is not on the disk yet.
    pub uncommitted: bool,
}

impl Worker {
    pub const IDLE: Worker =
        Worker { doing: Doing::Idle, delivery: 0, epoch: 0, resends: false, late: false, uncommitted: false };
}

/// A request that left and has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub delivery: usize,
    /// Who waits for its answer; nobody after a crash or a timeout.
    pub owner: Option<usize>,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    UnderWay,
    /// The server found no such key and is about to post.
    KeyUnknown,
    /// Taken; the answer is on its way back.
    Taken,
}

/// What the network has of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Posts ever made for it, 2 for more.
    pub posts: u8,
    /// Whether the list of our own posts shows them already.
    pub listed: bool,
    pub key_kept: bool,
}

/// What no part of the product knows: what has happened, for the properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct History {
    pub called: bool,
    /// A worker died or was frozen past its lease between its mark and its call.
    pub lost_after_mark: bool,
    pub told_cancelled: bool,
    /// Cancelled in a transaction that has not returned to the person.
    pub telling: bool,
    /// A worker had the network's proof and did not write it down.
    pub proof_dropped: bool,
    /// A person's last word was to send it.
    pub send_wanted: bool,
    pub expired: bool,
    pub late: bool,
    /// Its first call began although it was late and nobody had been asked.
    pub sent_late: bool,
}

/// What the outbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sweep {
    Resting,
    /// It read the row, and will tell the dispatcher.
    Read {
        delivery: usize,
        state: RowState,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub sql: Sql,
    /// What a power loss leaves. Only in runs where power is lost.
    pub disk: Option<Sql>,
    pub workers: [Worker; WORKERS],
    /// Sorted.
    pub requests: Vec<Request>,
    pub shown: [Shown; MOST_DELIVERIES],
    pub network_is_up: bool,
    pub hints: [bool; MOST_DELIVERIES],
    /// Changed since the sweep's last look.
    pub unswept: [bool; MOST_DELIVERIES],
    pub sweep: Sweep,
    pub history: [History; MOST_DELIVERIES],
    /// Something was posted before what stands before it on the lane.
    pub order_broken: bool,
    /// Calls that began while the network was away, 2 for more.
    pub calls_in_outage: u8,
    pub left: Faults,
}

impl State {
    pub fn start(faults: Faults) -> State {
        let row = Row {
            state: RowState::Queued,
            epoch: 0,
            wait: Wait::Over,
            marked_by: None,
            absent_once: false,
            gap_over: false,
            cancel_wanted: false,
            key: KeyClock::Uncalled,
            takedown: Takedown::NotWanted,
        };
        let sql = Sql { rows: [row; MOST_DELIVERIES], lane: None, account: Account::Open };
        State {
            sql,
            disk: (faults.power_losses > 0).then_some(sql),
            workers: [Worker::IDLE; WORKERS],
            requests: Vec::new(),
            shown: [Shown { posts: 0, listed: true, key_kept: false }; MOST_DELIVERIES],
            network_is_up: true,
            hints: [true; MOST_DELIVERIES],
            unswept: [false; MOST_DELIVERIES],
            sweep: Sweep::Resting,
            history: [History::default(); MOST_DELIVERIES],
            order_broken: false,
            calls_in_outage: 0,
            left: faults,
        }
    }

    pub fn row(&mut self, delivery: usize) -> &mut Row {
        &mut self.sql.rows[delivery]
    }

    /// Whether a request for the delivery can still take effect.
    pub fn is_under_way(&self, delivery: usize) -> bool {
        self.requests.iter().any(|request| request.delivery == delivery && request.stage != Stage::Taken)
    }

    /// Gives epochs the smallest numbers in the same order, so that going round in a circle comes back to the same state.
    /// Without a disk to fall back to, only the row's own epoch matters; every older one is 0.
    pub fn renumber(&mut self) {
        for delivery in 0..MOST_DELIVERIES {
            let row = self.sql.rows[delivery].epoch;
            let held = |worker: &Worker| worker.doing != Doing::Idle && worker.delivery == delivery;
            let mut known = vec![row];
            match &self.disk {
                Some(disk) => {
                    known.push(disk.rows[delivery].epoch);
                    known.extend(self.workers.iter().filter(|worker| held(worker)).map(|worker| worker.epoch));
                    known.sort_unstable();
                    known.dedup();
                }
                None => known.insert(0, u8::MAX),
            }
            let number = |epoch: u8| known.iter().position(|known| *known == epoch).unwrap_or(0) as u8;
            self.sql.rows[delivery].epoch = number(row);
            if let Some(disk) = &mut self.disk {
                disk.rows[delivery].epoch = number(disk.rows[delivery].epoch);
            }
            for worker in self.workers.iter_mut().filter(|worker| held(worker)) {
                worker.epoch = number(worker.epoch);
            }
        }
        self.requests.sort_unstable();
    }
}

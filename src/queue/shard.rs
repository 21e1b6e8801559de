//! What the in-process dispatcher knows, as plain data: every operation is a pure function of it and a given `now`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::{Budget, Claim, Done, Gate, Hint, Pace, Step, Want};
use crate::model::{AccountId, Class, DeliveryId};

/// Hints in lanes, lanes in accounts, accounts in line.
///
/// A lane is *ready* when it has a due hint, no lease and no rest. An account is in line when it has a ready lane and
/// neither a gate nor its pace keeps it. Turns are numbers that only grow, so whoever waited longest has the smallest.
#[derive(Debug, Default)]
pub struct Shard {
    generation: u64,
    items: HashMap<DeliveryId, Item>,
    lanes: HashMap<String, Lane>,
    accounts: HashMap<AccountId, Account>,
    line: BTreeSet<(Class, u64, AccountId)>,
    /// Looked at when their time comes, and dropped then if they no longer hold.
    timers: BTreeSet<(Timestamp, Timer)>,
    budgets: HashMap<String, Window>,
    turn: u64,
    nonce: u64,
}

#[derive(Debug)]
struct Item {
    lane: String,
    class: Class,
    due: Timestamp,
    seq: i64,
}

#[derive(Debug)]
struct Lane {
    account: AccountId,
    due: BTreeSet<(Class, Timestamp, i64, DeliveryId)>,
    /// Hints of this lane, the due ones included.
    items: usize,
    lease: Option<Lease>,
    rests_until: Option<Timestamp>,
    /// Its place among its account's ready lanes.
    place: Option<(Class, u64)>,
}

#[derive(Debug)]
struct Lease {
    nonce: u64,
    until: Timestamp,
}

#[derive(Debug)]
struct Account {
    pace: Pace,
    /// When the next call would arrive if all came at the account's pace (generic cell rate algorithm).
    arrival: Timestamp,
    gated_until: Option<Timestamp>,
    ready: BTreeSet<(Class, u64, String)>,
    place: Option<(Class, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Item(DeliveryId),
    Lane(String),
    Lease(String, u64),
    Account(AccountId),
}

#[derive(Debug)]
struct Window {
    ends: Timestamp,
    taken: u32,
}

impl Account {
    /// When it may send next, for reasons of its own.
    fn opens(&self) -> Timestamp {
        let allowance = self.pace.interval * self.pace.burst.saturating_sub(1);
        let paced = self.arrival.checked_sub(allowance).unwrap_or(self.arrival);
        self.gated_until.map_or(paced, |gated| gated.max(paced))
    }
}

impl Shard {
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    pub fn add(&mut self, now: Timestamp, hints: &[Hint]) {
        for hint in hints {
            let account = self.accounts.entry(hint.account).or_insert_with(|| Account {
                pace: hint.pace,
                arrival: Timestamp::MIN,
                gated_until: None,
                ready: BTreeSet::new(),
                place: None,
            });
            account.pace = hint.pace;
            if let Some(item) = self.items.get(&hint.id) {
                if (item.class, item.due, item.seq) == (hint.class, hint.due, hint.seq) && item.lane == hint.lane {
                    continue;
                }
                self.remove(now, hint.id);
            }
            let lane = self.lanes.entry(hint.lane.clone()).or_insert_with(|| Lane {
                account: hint.account,
                due: BTreeSet::new(),
                items: 0,
                lease: None,
                rests_until: None,
                place: None,
            });
            lane.items += 1;
            let item = Item { lane: hint.lane.clone(), class: hint.class, due: hint.due, seq: hint.seq };
            self.items.insert(hint.id, item);
            self.arrange(now, hint.id);
        }
    }

    pub fn step(&mut self, now: Timestamp, want: &Want) -> Step {
        for done in &want.done {
            self.done(now, done);
        }
        self.fire(now);
        let mut claims = Vec::new();
        while claims.len() < want.claims {
            let Some(claim) = self.claim(now, want.lease) else { break };
            claims.push(claim);
        }
        Step { claims, next: self.timers.first().map(|(at, _)| *at), generation: self.generation }
    }

    pub fn extend(&mut self, now: Timestamp, leases: &[(String, u64)], lease: Duration) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, nonce) in leases {
            let held = self.lanes.get_mut(name).and_then(|lane| lane.lease.as_mut());
            match held.filter(|held| held.nonce == *nonce) {
                Some(held) => {
                    held.until = now + lease;
                    self.timers.insert((held.until, Timer::Lease(name.clone(), *nonce)));
                }
                None => lost.push(name.clone()),
            }
        }
        lost
    }

    pub fn move_(&mut self, now: Timestamp, id: DeliveryId, to: Option<Timestamp>) {
        match to {
            None => self.remove(now, id),
            Some(due) => {
                let Some(item) = self.items.get(&id) else { return };
                let key = (item.class, item.due, item.seq, id);
                let name = item.lane.clone();
                if let Some(lane) = self.lanes.get_mut(&name) {
                    lane.due.remove(&key);
                }
                if let Some(item) = self.items.get_mut(&id) {
                    item.due = due;
                }
                self.rank_lane(now, &name);
                self.arrange(now, id);
            }
        }
    }

    pub fn gate(&mut self, now: Timestamp, gate: &Gate, until: Option<Timestamp>) {
        let until = until.filter(|until| *until > now);
        match gate {
            Gate::Lane { lane: name, .. } => {
                if let Some(lane) = self.lanes.get_mut(name) {
                    lane.rests_until = until;
                    self.timers.extend(until.map(|until| (until, Timer::Lane(name.clone()))));
                    self.rank_lane(now, name);
                }
            }
            Gate::Account(id) => {
                if let Some(account) = self.accounts.get_mut(id) {
                    account.gated_until = until;
                    self.rank_account(now, *id);
                }
            }
        }
    }

    pub fn budget(&mut self, now: Timestamp, budget: &Budget, class: Class, take: u32) -> u32 {
        let ends = now + budget.window;
        let window = self.budgets.entry(budget.app.clone()).or_insert(Window { ends, taken: 0 });
        if window.ends <= now {
            *window = Window { ends, taken: 0 };
        }
        // What people wait for must not find the budget used up by campaigns.
        let limit = if class >= Class::CAMPAIGN { budget.calls - budget.calls / 5 } else { budget.calls };
        let taken = take.min(limit.saturating_sub(window.taken));
        window.taken += taken;
        taken
    }

    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let leased = self.lanes.values().filter(|lane| lane.lease.is_some()).count();
        let due = self.lanes.values().map(|lane| lane.due.len()).sum();
        BTreeMap::from([("hints", self.items.len()), ("due", due), ("lanes", self.lanes.len()), ("leased", leased)])
    }

    fn done(&mut self, now: Timestamp, done: &Done) {
        let Some(lane) = self.lanes.get_mut(&done.lane) else { return };
        // Reaped meanwhile, and perhaps another worker's by now.
        if lane.lease.as_ref().is_none_or(|lease| lease.nonce != done.nonce) {
            return;
        }
        lane.lease = None;
        lane.rests_until = done.rest.filter(|until| *until > now);
        self.timers.extend(lane.rests_until.map(|until| (until, Timer::Lane(done.lane.clone()))));
        for id in &done.finished {
            self.remove(now, *id);
        }
        self.rank_lane(now, &done.lane);
        self.drop_empty(&done.lane);
    }

    fn fire(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            let Some((at, timer)) = self.timers.pop_first() else { return };
            match timer {
                Timer::Item(id) => self.arrange(now, id),
                Timer::Lane(name) => {
                    if let Some(lane) = self.lanes.get_mut(&name)
                        && lane.rests_until == Some(at)
                    {
                        lane.rests_until = None;
                        self.rank_lane(now, &name);
                        self.drop_empty(&name);
                    }
                }
                Timer::Lease(name, nonce) => {
                    if let Some(lane) = self.lanes.get_mut(&name)
                        && lane.lease.as_ref().is_some_and(|lease| lease.nonce == nonce && lease.until <= now)
                    {
                        lane.lease = None;
                        self.rank_lane(now, &name);
                        self.drop_empty(&name);
                    }
                }
                Timer::Account(id) => self.rank_account(now, id),
            }
        }
    }

    fn claim(&mut self, now: Timestamp, lease: Duration) -> Option<Claim> {
        let (_, _, id) = *self.line.first()?;
        let account = self.accounts.get_mut(&id)?;
        let (_, _, name) = account.ready.first()?.clone();
        account.arrival = account.arrival.max(now) + account.pace.interval;
        self.nonce += 1;
        let lane = self.lanes.get_mut(&name)?;
        let (_, _, _, delivery) = *lane.due.first()?;
        let until = now + lease;
        lane.lease = Some(Lease { nonce: self.nonce, until });
        let claim = Claim { lane: name.clone(), account: id, id: delivery, nonce: self.nonce, until };
        self.timers.insert((until, Timer::Lease(name.clone(), self.nonce)));
        // Its account goes to the end of its line.
        if let Some((class, turn)) = self.accounts.get_mut(&id).and_then(|account| account.place.take()) {
            self.line.remove(&(class, turn, id));
        }
        self.rank_lane(now, &name);
        Some(claim)
    }

    /// Puts a hint where it belongs: among its lane's due ones, or to sleep.
    fn arrange(&mut self, now: Timestamp, id: DeliveryId) {
        let Some(item) = self.items.get(&id) else { return };
        if item.due > now {
            self.timers.insert((item.due, Timer::Item(id)));
            return;
        }
        let (name, key) = (item.lane.clone(), (item.class, item.due, item.seq, id));
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.due.insert(key);
        }
        self.rank_lane(now, &name);
    }

    fn remove(&mut self, now: Timestamp, id: DeliveryId) {
        let Some(item) = self.items.remove(&id) else { return };
        self.timers.remove(&(item.due, Timer::Item(id)));
        if let Some(lane) = self.lanes.get_mut(&item.lane) {
            lane.due.remove(&(item.class, item.due, item.seq, id));
            lane.items -= 1;
        }
        self.rank_lane(now, &item.lane);
        self.drop_empty(&item.lane);
    }

    /// Gives a lane its place among its account's ready ones; one that keeps its class keeps its turn.
    fn rank_lane(&mut self, now: Timestamp, name: &str) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        let Some(account) = self.accounts.get_mut(&lane.account) else { return };
        let ready = lane.lease.is_none() && lane.rests_until.is_none();
        let class = lane.due.first().filter(|_| ready).map(|(class, ..)| *class);
        let place = match (class, lane.place) {
            (Some(class), Some((before, turn))) if class == before => Some((class, turn)),
            (Some(class), _) => {
                self.turn += 1;
                Some((class, self.turn))
            }
            (None, _) => None,
        };
        if place != lane.place {
            if let Some((class, turn)) = lane.place {
                account.ready.remove(&(class, turn, name.to_owned()));
            }
            if let Some((class, turn)) = place {
                account.ready.insert((class, turn, name.to_owned()));
            }
            lane.place = place;
        }
        let account = lane.account;
        self.rank_account(now, account);
    }

    /// Puts an account in line, or sets the timer for when it may be.
    fn rank_account(&mut self, now: Timestamp, id: AccountId) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        account.gated_until = account.gated_until.filter(|until| *until > now);
        let opens = account.opens();
        let class = account.ready.first().map(|(class, ..)| *class);
        if class.is_some() && opens > now {
            self.timers.insert((opens, Timer::Account(id)));
        }
        let place = match (class.filter(|_| opens <= now), account.place) {
            (Some(class), Some((before, turn))) if class == before => Some((class, turn)),
            (Some(class), _) => {
                self.turn += 1;
                Some((class, self.turn))
            }
            (None, _) => None,
        };
        if place != account.place {
            if let Some((class, turn)) = account.place {
                self.line.remove(&(class, turn, id));
            }
            if let Some((class, turn)) = place {
                self.line.insert((class, turn, id));
            }
            account.place = place;
        }
    }

    /// Forgets a lane that holds nothing.
    fn drop_empty(&mut self, name: &str) {
        let holds_nothing = |lane: &Lane| lane.items == 0 && lane.lease.is_none() && lane.rests_until.is_none();
        if self.lanes.get(name).is_some_and(holds_nothing) {
            self.lanes.remove(name);
        }
    }
}

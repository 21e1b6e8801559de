//! What the in-process dispatcher knows, as plain data: every operation is a pure function of it and a given `now`.
//!
//! The scripts in `redis/scripts` do the same, operation by operation, on one shard in Redis; a differential test
//! compares every answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::tick::{Tick, micros};
use super::{Budget, Claim, Done, Due, Gate, Hint, Pace, Place, Step, Want};
use crate::model::{AccountId, Class, DeliveryId};

/// Timers looked at in one step; the next step goes on at once.
const TIMERS_A_STEP: usize = 256;

/// Hints in lanes, lanes in accounts, accounts in line.
///
/// A lane is *ready* when it has a due hint, no lease and no rest. An account is in line when it has a ready lane and
/// neither a gate nor its pace keeps it. Turns are numbers that only grow, so whoever waited longest has the smallest.
#[derive(Debug, Default)]
pub struct Shard {
    generation: u64,
    lanes: HashMap<Name, Lane>,
    accounts: HashMap<AccountId, Account>,
    line: BTreeSet<(Class, u64, AccountId)>,
    /// At most one of each lane and account: the next moment at which time alone changes it.
    timers: BTreeSet<(Tick, Timer)>,
    budgets: HashMap<String, Window>,
    /// Accounts to be ranked before anything is handed out, in the order in which something happened to them.
    touched: Touched<AccountId>,
    turn: u64,
    nonce: u64,
    hints: usize,
}

/// A lane's account and its own name.
type Name = (AccountId, String);

#[derive(Debug, Default)]
struct Lane {
    hints: BTreeSet<(Class, Tick, DeliveryId)>,
    keys: HashMap<DeliveryId, (Class, Tick)>,
    /// The lane's timer is its end.
    lease: Option<Lease>,
    /// [`Tick::FIRST`] in a leased lane: one of its hints moved or went, so that it does not rest at the lease's end.
    rests_until: Option<Tick>,
    timer: Option<Tick>,
    /// Its place among its account's ready lanes.
    place: Option<(Class, u64)>,
}

#[derive(Debug)]
struct Lease {
    nonce: u64,
    /// A hint was added or changed since. Only then what is due after the nonce may be news that its holder does not know.
    has_news: bool,
}

#[derive(Debug)]
struct Account {
    pace: Pace,
    /// When the next call would arrive if all came at the account's pace (generic cell rate algorithm).
    arrival: Tick,
    gated_until: Option<Tick>,
    ready: BTreeSet<(Class, u64, String)>,
    timer: Option<Tick>,
    place: Option<(Class, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Account(AccountId),
    Lane(Name),
}

#[derive(Debug)]
struct Window {
    ends: Tick,
    taken: u32,
}

/// Distinct things in the order in which they first came.
#[derive(Debug)]
struct Touched<T> {
    order: Vec<T>,
    known: HashSet<T>,
}

impl<T> Default for Touched<T> {
    fn default() -> Self {
        Self { order: Vec::new(), known: HashSet::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Touched<T> {
    fn add(&mut self, thing: T) {
        if self.known.insert(thing.clone()) {
            self.order.push(thing);
        }
    }
}

impl Account {
    fn new() -> Self {
        Self {
            pace: Pace::FREE,
            arrival: Tick::FIRST,
            gated_until: None,
            ready: BTreeSet::new(),
            timer: None,
            place: None,
        }
    }

    /// When it may send next, for reasons of its own.
    fn opens(&self) -> Tick {
        let allowance = micros(self.pace.interval).saturating_mul(u64::from(self.pace.burst.saturating_sub(1)));
        self.arrival.before(allowance).max(self.gated_until.unwrap_or(Tick::FIRST))
    }

    /// Calls that were counted and not made.
    fn give_back(&mut self, calls: u32) {
        self.arrival = self.arrival.before(micros(self.pace.interval).saturating_mul(u64::from(calls)));
    }
}

impl Lane {
    /// Its first due hint by class, due time and id, and the next moment at which another one comes before it.
    fn head(&self, now: Tick) -> (Option<(Class, Tick, DeliveryId)>, Option<Tick>) {
        let mut wake: Option<Tick> = None;
        for class in (Class::TAKEDOWN.0..=Class::CAMPAIGN.0).map(Class) {
            let from = (class, Tick::FIRST, DeliveryId(ulid::Ulid::nil()));
            let Some((_, due, id)) = self.hints.range(from..).next().filter(|(found, ..)| *found == class) else {
                continue;
            };
            if *due <= now {
                return (Some((class, *due, *id)), wake);
            }
            wake = Some(wake.map_or(*due, |wake| wake.min(*due)));
        }
        (None, wake)
    }

    /// What is due of this class, in its order.
    fn due(&self, class: Class, now: Tick) -> impl Iterator<Item = (Tick, DeliveryId)> {
        let from = (class, Tick::FIRST, DeliveryId(ulid::Ulid::nil()));
        let due = self.hints.range(from..).take_while(move |(found, due, _)| *found == class && *due <= now);
        due.map(|(_, due, id)| (*due, *id))
    }

    /// Adds or changes a hint.
    fn put(&mut self, id: DeliveryId, class: Class, mut due: Tick) {
        let before = self.keys.get(&id).copied();
        if before == Some((class, due)) {
            return;
        }
        if before.is_some_and(|(_, was)| was != due) {
            self.stir(Some(due));
        }
        if let Some(lease) = &mut self.lease {
            lease.has_news = true;
            if before.is_some() {
                due = due.max(Tick(lease.nonce).after(Duration::from_micros(1)));
            }
        }
        if let Some((class, due)) = before {
            self.hints.remove(&(class, due, id));
        }
        self.keys.insert(id, (class, due));
        self.hints.insert((class, due, id));
    }

    /// Ends its rest, since one of its hints got another time or went; not where that time is what it rests until.
    fn stir(&mut self, to: Option<Tick>) {
        if to.is_none() || self.rests_until != to {
            self.rests_until = Some(Tick::FIRST);
        }
    }

    /// Answers whether it was there.
    fn remove(&mut self, id: DeliveryId) -> bool {
        let Some((class, due)) = self.keys.remove(&id) else { return false };
        self.hints.remove(&(class, due, id))
    }
}

impl Shard {
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    pub fn add(&mut self, now: Timestamp, hints: &[Hint]) {
        let now = Tick::from(now);
        let mut lanes = Touched::default();
        for hint in hints {
            let account = self.accounts.entry(hint.account).or_insert_with(Account::new);
            if account.pace != hint.pace {
                account.pace = hint.pace;
                self.touched.add(hint.account);
            }
            let name = (hint.account, hint.lane.clone());
            let lane = self.lanes.entry(name.clone()).or_default();
            let (class, due) = (hint.class.clamp(Class::TAKEDOWN, Class::CAMPAIGN), Tick::from(hint.due));
            let before = lane.keys.get(&hint.id).copied();
            if before == Some((class, due)) {
                continue;
            }
            lane.put(hint.id, class, due);
            self.hints += usize::from(before.is_none());
            lanes.add(name);
        }
        self.rank_lanes(now, &lanes);
        self.rank_touched(now);
    }

    pub fn step(&mut self, now: Timestamp, want: &Want) -> Step {
        let now = Tick::from(now);
        for done in &want.done {
            self.done(now, done);
        }
        self.fire(now);
        self.rank_touched(now);
        let mut claims = Vec::new();
        while claims.len() < want.claims {
            let Some(claim) = self.claim(now, want) else { break };
            claims.push(claim);
        }
        let next = self.timers.first().map(|(at, _)| Timestamp::from(*at));
        Step { claims, next, generation: self.generation }
    }

    pub fn extend(&mut self, now: Timestamp, claims: &[Claim], lease: Duration) -> Vec<String> {
        let until = Tick::from(now).after(lease);
        let mut lost = Vec::new();
        for claim in claims {
            let name = (claim.account, claim.lane.clone());
            match self.lanes.get(&name).and_then(|lane| lane.lease.as_ref()) {
                Some(lease) if lease.nonce == claim.nonce => self.set_lane_timer(&name, Some(until)),
                _ => lost.push(claim.lane.clone()),
            }
        }
        lost
    }

    pub fn move_(&mut self, now: Timestamp, places: &[Place], to: Option<Timestamp>) {
        let now = Tick::from(now);
        let mut lanes = Touched::default();
        for place in places {
            let name = (place.account, place.lane.clone());
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let Some((class, _)) = lane.keys.get(&place.id).copied() else { continue };
            match to {
                Some(due) => lane.put(place.id, class, due.into()),
                None => {
                    lane.remove(place.id);
                    lane.stir(None);
                    self.hints -= 1;
                }
            }
            lanes.add(name);
        }
        self.rank_lanes(now, &lanes);
        self.rank_touched(now);
    }

    pub fn gate(&mut self, now: Timestamp, gate: &Gate, until: Option<Timestamp>) {
        let now = Tick::from(now);
        let until = until.map(Tick::from).filter(|until| *until > now);
        match gate {
            Gate::Lane { account, lane } => {
                let name = (*account, lane.clone());
                let lane = self.lanes.entry(name.clone()).or_default();
                match until {
                    Some(_) => lane.rests_until = until,
                    None => lane.stir(None),
                }
                self.rank_lane(now, &name);
            }
            Gate::Account(id) => {
                self.accounts.entry(*id).or_insert_with(Account::new).gated_until = until;
                self.touched.add(*id);
            }
        }
        self.rank_touched(now);
    }

    pub fn budget(&mut self, now: Timestamp, budget: &Budget, class: Class, take: u32) -> u32 {
        let now = Tick::from(now);
        let ends = now.after(budget.window);
        let window = self.budgets.entry(budget.app.clone()).or_insert(Window { ends, taken: 0 });
        if window.ends <= now {
            *window = Window { ends, taken: 0 };
        }
        let taken = take.min(budget.open_to(class).saturating_sub(window.taken));
        window.taken += taken;
        taken
    }

    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let leased = self.lanes.values().filter(|lane| lane.lease.is_some()).count();
        BTreeMap::from([("hints", self.hints), ("leased", leased), ("waiting", self.line.len())])
    }

    /// Whether it holds no lane any more.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    fn done(&mut self, now: Tick, done: &Done) {
        let name = (done.account, done.lane.clone());
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        // Reaped meanwhile, and perhaps another worker's by now.
        let Some(lease) = lane.lease.take_if(|lease| lease.nonce == done.nonce) else { return };
        if lane.rests_until != Some(Tick::FIRST) {
            lane.rests_until = lane.rests_until.max(done.rest.map(Tick::from));
        }
        for id in &done.finished {
            let is_news = lease.has_news && lane.keys.get(id).is_some_and(|(_, due)| due.0 > lease.nonce);
            if !is_news && lane.remove(*id) {
                self.hints -= 1;
            }
        }
        if let Some(account) = self.accounts.get_mut(&done.account) {
            account.give_back(done.untouched);
        }
        self.rank_lane(now, &name);
    }

    fn fire(&mut self, now: Tick) {
        for _ in 0..TIMERS_A_STEP {
            if self.timers.first().is_none_or(|(at, _)| *at > now) {
                return;
            }
            let Some((_, timer)) = self.timers.pop_first() else { return };
            match timer {
                Timer::Account(id) => {
                    if let Some(account) = self.accounts.get_mut(&id) {
                        account.timer = None;
                        self.touched.add(id);
                    }
                }
                Timer::Lane(name) => {
                    if let Some(lane) = self.lanes.get_mut(&name) {
                        lane.timer = None;
                        // A leased lane's timer is the end of its lease.
                        lane.lease = None;
                        self.rank_lane(now, &name);
                    }
                }
            }
        }
    }

    fn claim(&mut self, now: Tick, want: &Want) -> Option<Claim> {
        let (_, _, id) = *self.line.first()?;
        let account = self.accounts.get_mut(&id)?;
        let (_, _, lane_name) = account.ready.first()?.clone();
        let name = (id, lane_name);
        let lane = self.lanes.get_mut(&name)?;
        let (class, ..) = lane.head(now).0?;
        let mut hints = Vec::new();
        for (due, id) in lane.due(class, now).take(want.hints.max(1)) {
            if account.opens() > now {
                break;
            }
            account.arrival = account.arrival.max(now).after(account.pace.interval);
            hints.push(Due { id, at: due.into() });
        }
        // From the clock, so that it also grows over a loss of everything that was known.
        self.nonce = (self.nonce + 1).max(now.0);
        lane.lease = Some(Lease { nonce: self.nonce, has_news: false });
        let until = now.after(want.lease);
        self.set_lane_timer(&name, Some(until));
        self.set_lane_place(&name, None);
        // Its account goes to the end of the line.
        self.set_account_place(id, None);
        self.rank_account(now, id);
        let (lane, nonce) = (name.1, self.nonce);
        Some(Claim { lane, account: id, hints, nonce, until: until.into() })
    }

    fn rank_lanes(&mut self, now: Tick, lanes: &Touched<Name>) {
        for name in &lanes.order {
            self.rank_lane(now, name);
        }
    }

    /// Gives a lane its place among its account's ready ones and its timer; one that keeps its class keeps its turn. A
    /// leased lane waits for the end of its lease.
    fn rank_lane(&mut self, now: Tick, name: &Name) {
        let Some(lane) = self.lanes.get_mut(name).filter(|lane| lane.lease.is_none()) else { return };
        lane.rests_until = lane.rests_until.filter(|until| *until > now);
        let (head, wake) = match lane.rests_until {
            Some(until) => (None, Some(until)),
            None => lane.head(now),
        };
        let (before, forgotten) = (lane.place, lane.hints.is_empty() && lane.rests_until.is_none());
        let place = self.place(head.map(|(class, ..)| class), before);
        self.set_lane_timer(name, wake);
        self.set_lane_place(name, place);
        if forgotten {
            self.lanes.remove(name);
        }
        self.touched.add(name.0);
    }

    fn rank_touched(&mut self, now: Tick) {
        for id in std::mem::take(&mut self.touched).order {
            self.rank_account(now, id);
        }
    }

    /// Puts an account in line, or sets the timer for when it may be.
    fn rank_account(&mut self, now: Tick, id: AccountId) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        account.gated_until = account.gated_until.filter(|until| *until > now);
        let opens = account.opens();
        let class = account.ready.first().map(|(class, ..)| *class);
        let timer = Some(opens).filter(|opens| class.is_some() && *opens > now);
        if let Some(at) = std::mem::replace(&mut account.timer, timer) {
            self.timers.remove(&(at, Timer::Account(id)));
        }
        self.timers.extend(timer.map(|at| (at, Timer::Account(id))));
        let before = account.place;
        let place = self.place(class.filter(|_| timer.is_none()), before);
        self.set_account_place(id, place);
    }

    /// A place for somebody of this class: the old one, or a new turn.
    fn place(&mut self, class: Option<Class>, before: Option<(Class, u64)>) -> Option<(Class, u64)> {
        let class = class?;
        before.filter(|(before, _)| *before == class).or_else(|| {
            self.turn += 1;
            Some((class, self.turn))
        })
    }

    fn set_account_place(&mut self, id: AccountId, place: Option<(Class, u64)>) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        if let Some((class, turn)) = std::mem::replace(&mut account.place, place) {
            self.line.remove(&(class, turn, id));
        }
        self.line.extend(place.map(|(class, turn)| (class, turn, id)));
    }

    fn set_lane_place(&mut self, name: &Name, place: Option<(Class, u64)>) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        let account = self.accounts.entry(name.0).or_insert_with(Account::new);
        if let Some((class, turn)) = std::mem::replace(&mut lane.place, place) {
            account.ready.remove(&(class, turn, name.1.clone()));
        }
        account.ready.extend(place.map(|(class, turn)| (class, turn, name.1.clone())));
    }

    fn set_lane_timer(&mut self, name: &Name, timer: Option<Tick>) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        if let Some(at) = std::mem::replace(&mut lane.timer, timer) {
            self.timers.remove(&(at, Timer::Lane(name.clone())));
        }
        self.timers.extend(timer.map(|at| (at, Timer::Lane(name.clone()))));
    }
}

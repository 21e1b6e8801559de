//! Compares what was asked for, what SQL says and what the network shows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap::model::DeliveryState;
use muhatap_simulator::{Call, CallMade};

use crate::facts::{Fact, Facts, Shown, is_at_rest};
use crate::plan::{BURST, CALL_TIMEOUT_SECONDS, INTERVAL, Kind, LONG_FREEZE_MS, Plan};
use crate::rig::Injected;
use crate::round::Round;

/// Clocks of processes on one machine, and an answer on its way.
const SLACK: SignedDuration = SignedDuration::from_millis(100);
/// So long may an answer that asks to wait be on its way into the database.
const NOTING: SignedDuration = SignedDuration::from_secs(2);
/// A worker that goes on after a freeze writes at once what it was about to write.
const AFTER_FREEZE: SignedDuration = SignedDuration::from_secs(3);
/// From choosing what is first on a lane until its call is marked: what is asked for meanwhile comes behind it, whenever it
/// was due.
const PREPARING: SignedDuration = SignedDuration::from_secs(2);
/// What a worker has to hand over within after SIGTERM.
const DEPLOY_WITHIN: Duration = Duration::from_secs(10);

/// What a round showed.
pub struct Verdict {
    pub plan: Plan,
    pub states: BTreeMap<&'static str, usize>,
    pub problems: Vec<String>,
    /// Posts that came twice from a worker frozen between its deadline and its request, on networks that cannot drop the
    /// second: what no code can promise.
    pub windows: usize,
    pub injected: Vec<Injected>,
    pub network_faults: BTreeMap<String, usize>,
    pub worst: Option<Late>,
    pub slowest_end: Duration,
    pub took: Duration,
}

/// The latest post of a round.
#[derive(Debug, Clone)]
pub struct Late {
    pub by: SignedDuration,
    pub why: String,
}

impl Verdict {
    pub fn deliveries(&self) -> usize {
        self.states.values().sum()
    }
}

pub fn judge(round: &Round, facts: &Facts, rested: bool, took: Duration) -> Verdict {
    let mut judge = Judge { round, facts, problems: Vec::new(), windows: 0 };
    judge.whole(rested);
    for fact in &facts.deliveries {
        judge.delivery(fact);
    }
    for account in 0..round.accounts.len() {
        judge.order(account);
        judge.limits(&facts.calls[account]);
    }
    let Judge { problems, windows, .. } = judge;
    let mut states = BTreeMap::new();
    for fact in &facts.deliveries {
        *states.entry(fact.state.as_str()).or_default() += 1;
    }
    let mut network_faults = BTreeMap::new();
    for fault in facts.calls.iter().flatten().filter_map(|call| call.fault) {
        *network_faults.entry(format!("{fault:?}")).or_default() += 1;
    }
    Verdict {
        plan: round.plan.clone(),
        states,
        problems,
        windows,
        injected: round.rig.injected.clone(),
        network_faults,
        worst: worst(round, facts),
        slowest_end: round.rig.slowest_end,
        took,
    }
}

struct Judge<'a> {
    round: &'a Round,
    facts: &'a Facts,
    problems: Vec<String>,
    windows: usize,
}

impl Judge<'_> {
    fn whole(&mut self, rested: bool) {
        let missing = self.round.known.len() - self.facts.deliveries.len();
        if missing > 0 {
            self.problems.push(format!("{missing} deliveries that were accepted are no longer in the database"));
        }
        if self.facts.strangers > 0 {
            self.problems.push(format!("{} deliveries that nobody asked for", self.facts.strangers));
        }
        if !rested && self.facts.deliveries.iter().all(|fact| is_at_rest(fact.state)) {
            self.problems.push("a takedown never came to rest".to_owned());
        }
        if self.round.rig.slowest_end > DEPLOY_WITHIN {
            self.problems.push(format!("a worker ended {:?} after SIGTERM", self.round.rig.slowest_end));
        }
    }

    fn wrong(&mut self, fact: &Fact, what: &str) {
        self.problems.push(format!("{what}\n{}", journey(self.round, self.facts, fact)));
    }

    fn delivery(&mut self, fact: &Fact) {
        let kind = self.round.plan.kind;
        let told = self.round.told.iter().find(|told| told.post == fact.post).and_then(|told| told.state);
        if fact.shown.len() > 1 {
            match self.is_named_window(fact) {
                true => self.windows += 1,
                false => self.wrong(fact, "on the network more than once"),
            }
        }
        if told == Some(DeliveryState::Cancelled) && (fact.state != DeliveryState::Cancelled || !fact.shown.is_empty())
        {
            self.wrong(fact, "somebody was told that it is cancelled");
        }
        match fact.state {
            DeliveryState::Sent => {
                let proof = fact.shown.iter().any(|shown| Some(&shown.address) == fact.network_ref.as_ref());
                if !proof {
                    self.wrong(fact, "sent, but the network does not have it");
                }
                let taken_back =
                    fact.takedown == Some(DeliveryState::Sent) && fact.shown.iter().any(|shown| shown.deleted);
                if told.is_some() && !taken_back {
                    self.wrong(fact, "cancelled during its call, and not taken back");
                }
            }
            DeliveryState::Cancelled => {
                if !fact.shown.is_empty() {
                    self.wrong(fact, "cancelled, but it was on the network");
                }
                if self.round.plan.posts[fact.post].cancel_ms.is_none() {
                    self.wrong(fact, "cancelled, but nobody asked for it");
                }
            }
            DeliveryState::Unknown => {
                if kind != Kind::Nothing {
                    self.wrong(fact, "unknown, but the network can be asked");
                }
                if !self.may_have_been_called(fact) {
                    self.wrong(fact, "unknown, but it was never called");
                }
                if !self.facts.alerted.contains(&fact.id.to_string()) {
                    self.wrong(fact, "unknown, and nobody is alerted");
                }
            }
            state if is_at_rest(state) => self.wrong(fact, "it should have been sent"),
            _ => self.wrong(fact, "it never came to rest"),
        }
    }

    /// Whether the second post is that of a worker that was frozen past lease and settle time between the deadline and its
    /// request, on a network that does not drop it.
    fn is_named_window(&self, fact: &Fact) -> bool {
        let cannot_drop = !matches!(self.round.plan.kind, Kind::Key | Kind::Nothing);
        let thaws = |shown: &Shown| {
            self.round.rig.injected.iter().any(|injected| {
                injected.fault.freezes()
                    && injected.until.duration_since(injected.from)
                        >= SignedDuration::from_millis(LONG_FREEZE_MS as i64)
                    && shown.at >= injected.until - SLACK
                    && shown.at <= injected.until + AFTER_FREEZE
            })
        };
        cannot_drop && fact.shown.len() == 2 && fact.shown.last().is_some_and(thaws)
    }

    /// The network saw a call of the account at that time, or something came between the mark and the call.
    fn may_have_been_called(&self, fact: &Fact) -> bool {
        let timeout = SignedDuration::from_secs_f64(CALL_TIMEOUT_SECONDS);
        fact.attempts.iter().any(|attempt| {
            let (from, until) = (attempt.started_at - SLACK, attempt.started_at + timeout + NOTING);
            let account = self.round.plan.posts[fact.post].account;
            let called = publishing(&self.facts.calls[account]).any(|call| call.at >= from && call.at <= until);
            called || self.parted(from, until)
        })
    }

    /// Whether a fault that may come between a mark, a call and a note of it happened in this time.
    fn parted(&self, from: Timestamp, until: Timestamp) -> bool {
        self.round.rig.injected.iter().any(|injected| {
            injected.fault.parts_mark_from_call() && injected.from <= until && injected.until + NOTING >= from
        })
    }

    /// What was due first, and known before the other had its turn, is first on the network.
    fn order(&mut self, account: usize) {
        let of_account = |fact: &&Fact| self.round.plan.posts[fact.post].account == account && !fact.shown.is_empty();
        let mut facts: Vec<&Fact> = self.facts.deliveries.iter().filter(of_account).collect();
        facts.sort_by_key(|fact| (fact.due_at, fact.seq));
        let mut found = Vec::new();
        for (place, first) in facts.iter().enumerate() {
            // An unknown end does not stop those behind it: its effect may come after theirs.
            if self.round.plan.kind == Kind::Nothing && !is_plain(first) {
                continue;
            }
            for second in &facts[place + 1..] {
                let called_at = second.attempts.first().map(|attempt| attempt.started_at);
                let was_known = called_at.is_some_and(|called_at| first.known_at < called_at - PREPARING);
                if was_known && second.shown[0].at < first.shown[0].at {
                    found.push((*first, second));
                }
            }
        }
        for (first, second) in found {
            let whose = journey(self.round, self.facts, second);
            self.wrong(first, &format!("overtaken by {}, which was due after it:\n{whose}  and it", second.id));
        }
    }

    fn limits(&mut self, calls: &[CallMade]) {
        let calls: Vec<&CallMade> = publishing(calls).collect();
        for (place, call) in calls.iter().enumerate() {
            let Some(wait) = call.wait else { continue };
            // Whoever was told to wait may not have lived to note it.
            if self.parted(call.at - SLACK, call.at + NOTING) {
                continue;
            }
            let until = call.at + wait - SLACK;
            if let Some(early) = calls[place + 1..].iter().find(|later| later.at < until) {
                self.problems.push(format!("told at {} to wait {wait:?}, called again at {}", call.at, early.at));
            }
        }
        // Each process that keeps its limits alone may use them alone.
        let shared = self.round.plan.redis && !self.round.rig.injected.iter().any(|one| one.fault.forgets_limits());
        let keepers = if shared { 1 } else { self.round.rig.started };
        for (first, call) in calls.iter().enumerate() {
            for (last, later) in calls.iter().enumerate().skip(first) {
                let passed = later.at.duration_since(call.at).as_secs_f64().max(0.0);
                // A first call that was held up may come together with a whole burst.
                let most = keepers as f64 * (2.0 * f64::from(BURST) + passed / INTERVAL.as_secs_f64() + 1.0);
                if (last - first + 1) as f64 > most {
                    let count = last - first + 1;
                    self.problems.push(format!("{count} calls in {passed:.3} s from {}, at most {most:.0}", call.at));
                    return;
                }
            }
        }
    }
}

fn publishing(calls: &[CallMade]) -> impl Iterator<Item = &CallMade> {
    calls.iter().filter(|call| call.call == Call::Publish)
}

/// Sent by its first call, whose answer came.
fn is_plain(fact: &Fact) -> bool {
    let mut attempts = fact.attempts.iter();
    let once = attempts.next().is_some_and(|attempt| attempt.outcome == "sent") && attempts.next().is_none();
    once && fact.state == DeliveryState::Sent
        && fact.attempts[0].finished_at.is_some_and(|at| {
            at.duration_since(fact.attempts[0].started_at) < SignedDuration::from_secs_f64(CALL_TIMEOUT_SECONDS)
        })
}

/// The post that came latest after its time, and what was going on meanwhile.
fn worst(round: &Round, facts: &Facts) -> Option<Late> {
    let late = |fact: &Fact| Some(fact.shown.first()?.at.duration_since(fact.due_at.max(fact.known_at)));
    let (by, fact) = facts.deliveries.iter().filter_map(|fact| Some((late(fact)?, fact))).max_by_key(|(by, _)| *by)?;
    let shown_at = fact.shown.first()?.at;
    let during: Vec<&str> = round
        .rig
        .injected
        .iter()
        .filter(|injected| injected.from <= shown_at && injected.until >= fact.due_at)
        .map(|injected| injected.fault.name())
        .collect();
    let ends: Vec<&str> = fact.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    let during = if during.is_empty() { "nothing of it".to_owned() } else { during.join(", ") };
    Some(Late { by, why: format!("between: {during}; its calls: {}", ends.join(", ")) })
}

/// Everything that is known of a delivery, for whoever looks for the mistake.
fn journey(round: &Round, facts: &Facts, fact: &Fact) -> String {
    let since = |at: Timestamp| at.duration_since(round.base).as_secs_f64();
    let mut text = format!(
        "  delivery {} on account {}: {} ({}), due {:.3}, known {:.3}\n",
        fact.id,
        round.plan.posts[fact.post].account,
        fact.state,
        fact.reason.as_deref().unwrap_or("no reason"),
        since(fact.due_at),
        since(fact.known_at),
    );
    for told in round.told.iter().filter(|told| told.post == fact.post) {
        text += &format!("  cancelled {:.3}, told: {:?}\n", since(told.at), told.state);
    }
    for attempt in &fact.attempts {
        text += &format!(
            "  attempt {:.3} to {:.3} by {}: {} {}\n",
            since(attempt.started_at),
            attempt.finished_at.map_or(f64::NAN, since),
            attempt.worker,
            attempt.outcome,
            attempt.detail,
        );
    }
    for shown in &fact.shown {
        text += &format!(
            "  on the network {:.3}: {}{}\n",
            since(shown.at),
            shown.address,
            if shown.deleted { ", deleted" } else { "" }
        );
    }
    let (from, until) = match (fact.attempts.first(), fact.attempts.last()) {
        (Some(first), Some(last)) => (first.started_at - NOTING, last.finished_at.unwrap_or(last.started_at) + NOTING),
        _ => (fact.due_at, fact.due_at + NOTING),
    };
    for call in &facts.calls[round.plan.posts[fact.post].account] {
        if call.at >= from && call.at <= until {
            text += &format!("  account called {:.3}: {} {:?}\n", since(call.at), call.call.as_str(), call.fault);
        }
    }
    for injected in &round.rig.injected {
        text += &format!("  fault {:.3} to {:.3}: {:?}\n", since(injected.from), since(injected.until), injected.fault);
    }
    text + &round.rig.log(&fact.id.to_string())
}

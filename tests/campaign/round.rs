//! One round: posts are asked for, things go wrong by plan, all is mended, and what became of each post is judged.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap::compose::{self, Confirmed, PostRequest};
use muhatap::model::{AccountId, DeliveryId, DeliveryState};
use muhatap_simulator::Call;
use tokio::time::Instant;

use crate::facts;
use crate::judge::{self, Verdict};
use crate::plan::{Asked, Fault, Plan};
use crate::rig::Rig;

/// From asking for the first post until the first one is due: so long may asking take, and the workers to start.
const LEAD: Duration = Duration::from_secs(7);
/// A database that does not answer is asked again later.
const ANSWER_AT_MOST: Duration = Duration::from_secs(3);
/// Asking when the next fault's moment has come already: what a database that is well needs.
const QUICK_ANSWER: Duration = Duration::from_millis(100);
/// How long a machine under load may take until everything is at rest; usually it takes seconds.
const PATIENCE: Duration = Duration::from_secs(180);
/// What is asked for during a round is due in so much less of its time.
const DUE_SOON: u64 = 4;
/// Most of the deliveries meet a network with faults.
const FAULTY_PART: f64 = 0.8;
const FAULTY_AT_MOST: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What became of a post that was asked for.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: DeliveryId,
    /// From here on every worker could know of it.
    pub at: Timestamp,
}

/// What a person who cancelled a post was told; nothing where no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub post: usize,
    pub at: Timestamp,
    pub state: Option<DeliveryState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begin(Fault),
    End(Fault),
    Ask(usize),
    Cancel(usize),
}

/// A round under way.
pub struct Round {
    pub plan: Plan,
    pub rig: Rig,
    pub base: Timestamp,
    pub accounts: Vec<AccountId>,
    pub known: BTreeMap<usize, Known>,
    pub told: Vec<Told>,
    /// When what is asked for during the round is due.
    due: BTreeMap<usize, Timestamp>,
}

impl Round {
    /// Runs the round and judges it.
    pub async fn run(plan: Plan) -> Verdict {
        let started = Instant::now();
        let rig = Rig::new(&plan).await;
        let accounts = rig.app().store.accounts().await.expect("accounts can be read");
        let mut by_name: Vec<(usize, AccountId)> =
            accounts.iter().map(|account| (account.name.parse().expect("a number"), account.id)).collect();
        by_name.sort();
        let accounts = by_name.into_iter().map(|(_, id)| id).collect();
        let base = rig.now() + LEAD;
        let mut round =
            Round { plan, rig, base, accounts, known: BTreeMap::new(), told: Vec::new(), due: BTreeMap::new() };
        for post in 0..round.plan.posts.len() {
            if round.plan.posts[post].asked_ms.is_none() {
                round.ask(post, ANSWER_AT_MOST).await;
            }
        }
        round.rig.start_workers().await;
        let first =
            round.rig.simulation().until(|world| world.calls_made().iter().any(|made| made.call == Call::Publish));
        tokio::time::timeout(PATIENCE, first).await.expect("the workers begin to send");
        round.go_wrong().await;
        // The networks stay as they are until most is done.
        round.rest_of(FAULTY_PART, FAULTY_AT_MOST).await;
        round.rig.mend().await;
        round.ask_again().await;
        let rested = round.rest().await;
        let facts = facts::gather(&round).await;
        let verdict = judge::judge(&round, &facts, rested, started.elapsed());
        round.rig.stop().await;
        verdict
    }

    /// Everything that the plan has a time for.
    async fn go_wrong(&mut self) {
        let mut steps: Vec<(u64, Step)> = Vec::new();
        for (at, fault) in &self.plan.faults {
            steps.push((*at, Step::Begin(*fault)));
            let end = match fault {
                Fault::Freeze { for_ms, .. } | Fault::RedisKilled { for_ms } | Fault::Broken { for_ms, .. } => *for_ms,
                Fault::Kill { .. } => 500,
                _ => continue,
            };
            steps.push((at + end, Step::End(*fault)));
        }
        for (number, Asked { asked_ms, cancel_ms, .. }) in self.plan.posts.iter().enumerate() {
            steps.extend(asked_ms.map(|at| (at, Step::Ask(number))));
            steps.extend(cancel_ms.map(|at| (at, Step::Cancel(number))));
        }
        steps.sort();
        let begin = self.rig.now();
        for (place, (at, step)) in steps.iter().enumerate() {
            // The plan's moments are what a round is about.
            tokio::time::sleep(self.left(begin, *at)).await;
            // Who finds the database locked by a frozen worker must not keep that worker frozen.
            let next = steps[place..].iter().find(|(_, step)| matches!(step, Step::Begin(_) | Step::End(_)));
            let patience =
                next.map_or(ANSWER_AT_MOST, |(at, _)| self.left(begin, *at).clamp(QUICK_ANSWER, ANSWER_AT_MOST));
            match *step {
                Step::Begin(fault) => self.rig.begin(fault).await,
                Step::End(fault) => self.rig.end(fault).await,
                Step::Ask(post) => self.ask(post, patience).await,
                Step::Cancel(post) => self.cancel(post, patience).await,
            }
        }
    }

    /// Until a moment of the plan comes.
    fn left(&self, begin: Timestamp, at_ms: u64) -> Duration {
        let left = (begin + Duration::from_millis(at_ms)).duration_since(self.rig.now());
        left.try_into().unwrap_or_default()
    }

    /// Asks for a post. The same key twice is the same post, so it may be asked for again when no answer came.
    async fn ask(&mut self, number: usize, patience: Duration) {
        let post = &self.plan.posts[number];
        let due_at = match post.asked_ms {
            // However often it is asked for: the same key must not stand for two times.
            Some(_) => {
                *self.due.entry(number).or_insert(self.rig.now() + Duration::from_millis(post.due_ms / DUE_SOON))
            }
            None => {
                let ahead = SignedDuration::from_secs(self.plan.machine_is_ahead());
                self.base + Duration::from_millis(post.due_ms) + ahead
            }
        };
        let request = PostRequest {
            key: Some(format!("post {number}")),
            due_at: Some(due_at),
            confirm: Confirmed { duplicate: true, ..Confirmed::default() },
            ..PostRequest::new(self.accounts[post.account], &*post.text, "cli")
        };
        let asked = tokio::time::timeout(patience, compose::post(self.rig.app(), request)).await;
        if let Ok(Ok(delivery)) = asked {
            self.known.insert(number, Known { id: delivery.id, at: self.rig.now() });
        }
    }

    async fn cancel(&mut self, post: usize, patience: Duration) {
        let Some(known) = self.known.get(&post) else { return };
        let app = self.rig.app();
        let cancelled = tokio::time::timeout(patience, app.store.cancel(known.id, "cli")).await;
        let state = cancelled.ok().and_then(Result::ok).map(|delivery| delivery.state);
        self.told.push(Told { post, at: self.rig.now(), state });
    }

    /// What nobody answered during the faults.
    async fn ask_again(&mut self) {
        let asked = Instant::now();
        while self.known.len() < self.plan.posts.len() && asked.elapsed() < PATIENCE {
            for post in 0..self.plan.posts.len() {
                if !self.known.contains_key(&post) {
                    self.ask(post, ANSWER_AT_MOST).await;
                }
            }
        }
        assert_eq!(self.known.len(), self.plan.posts.len(), "posts could not be asked for\n{}", self.rig.log(""));
    }

    /// Waits until no delivery needs a worker any more. False: that never came.
    async fn rest(&mut self) -> bool {
        self.rest_of(1.0, PATIENCE).await
    }

    /// Waits until this part of the deliveries needs no worker any more, at most so long.
    async fn rest_of(&mut self, part: f64, at_most: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < at_most {
            self.rig.start_workers().await;
            if let Ok(counts) = self.rig.app().store.delivery_counts().await {
                let count = |at_rest: bool| {
                    let states = counts.iter().filter(|(state, _)| !at_rest || facts::is_at_rest(*state));
                    states.map(|(_, count)| *count as f64).sum::<f64>()
                };
                if count(true) >= part * count(false) {
                    return true;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        false
    }
}

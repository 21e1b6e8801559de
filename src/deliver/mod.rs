//! Sends deliveries: takes lanes from the dispatcher, as many at once as it may, and works on each once.

mod attempt;
mod journal;
mod probe;
mod verify;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Connector, Receipt};
use tokio::task::{self, JoinSet};
use tracing::{Instrument, debug, error, info_span, warn};

use crate::app::{App, AppError};
use crate::live::Wake;
use crate::model::{AccountId, Action, DeliveryId};
use crate::outbox;
use crate::queue::{Claim, Done, Due, Gate, Want};
use crate::store::StoreError;
use crate::store::attempts::{Marked, Outcome, Ready, Turn, Work};

pub use journal::Journal;
pub use probe::probe_due;

/// Deliveries one process works on at the same time: each waits for two commits, and the more wait for one, the fewer
/// commits there are.
const AT_ONCE: usize = 384;
/// Deliveries of a lane that are taken together: those behind the first need no round of their own.
pub const OF_A_LANE: usize = 8;
/// After so long the rest of a lane goes back, so that others have their turn.
const LANE_AT_MOST: Duration = Duration::from_millis(100);
/// So early a hint may come and be waited for in the lane.
const EARLY_AT_MOST: SignedDuration = SignedDuration::from_secs(1);
/// When the database does not answer, the lane is looked at again after this.
const DATABASE_AWAY: Duration = Duration::from_secs(1);
/// When the queue does not answer, it is asked again after this.
const QUEUE_AWAY: Duration = Duration::from_millis(200);
/// What is in hand at the end of the process may take this long.
const LAST_CALLS: Duration = Duration::from_secs(8);

/// What became of one look at a lane, for the dispatcher.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ended {
    /// Deliveries that need nobody's attention for now.
    pub finished: Vec<DeliveryId>,
    /// The lane rests until then.
    pub rest: Option<Timestamp>,
    /// The account may not send until then.
    pub closed: Option<Timestamp>,
    /// What was written down about the delivery, if one was worked on.
    pub outcome: Option<Outcome>,
}

/// What became of a claim.
struct Worked {
    done: Done,
    /// The account may not send until then.
    closed: Option<Timestamp>,
    /// Something was written down that people may be looking at.
    is_news: bool,
}

/// A point in the database's time that moves on with the monotonic clock.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Timestamp,
    taken: Instant,
}

impl Moment {
    fn new(at: Timestamp) -> Self {
        Self { at, taken: Instant::now() }
    }

    /// Counted from before the clock was read, so that a process frozen in between ends its leases late, never early.
    fn of(clock: impl FnOnce() -> Timestamp) -> Self {
        let taken = Instant::now();
        Self { at: clock(), taken }
    }

    fn now(&self) -> Timestamp {
        self.at + self.taken.elapsed()
    }
}

/// Works on deliveries until `app.shutdown`, then lets what is in hand end.
pub async fn run(app: Arc<App>) {
    let sender = match Sender::open(app.clone()) {
        Ok(sender) => Arc::new(sender),
        Err(error) => {
            error!(%error, "nothing can be sent: the journal's folder cannot be made; make data_dir writable and start again");
            return;
        }
    };
    while let Err(error) = app.store.keep_high_water(&app.config.data_dir()).await {
        error!(%error, "nothing is sent before it is known that the database is no older copy of itself; it is tried again");
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = tokio::time::sleep(DATABASE_AWAY) => {}
        }
    }
    let mut running: JoinSet<Worked> = JoinSet::new();
    let mut held: HashMap<task::Id, Claim> = HashMap::new();
    let mut done: Vec<Done> = Vec::new();
    let mut generation = None;
    // How long a lane is this process's in the dispatcher; prolonged at each third.
    let lane_lease = app.config.delivery.work_lease * 2;
    let mut renew = tokio::time::interval(lane_lease / 3);
    while !app.shutdown.is_cancelled() {
        let claims = AT_ONCE.saturating_sub(running.len());
        let want = Want { claims, hints: OF_A_LANE, lease: lane_lease, done: std::mem::take(&mut done) };
        let acknowledged = want.done.clone();
        let next = match app.dispatcher.step(want).await {
            Ok(step) => {
                if generation.replace(step.generation) != Some(step.generation)
                    && let Err(error) = outbox::load(&app, app.store.clock()).await
                {
                    // Tried again with the next step.
                    warn!(%error, "deliveries could not be loaded from the database");
                    generation = None;
                    tokio::time::sleep(DATABASE_AWAY).await;
                }
                for claim in step.claims {
                    let task = running.spawn(sender.clone().work(claim.clone()));
                    held.insert(task.id(), claim);
                }
                step.next
            }
            Err(error) => {
                warn!(%error, "the queue does not answer, it is asked again");
                done = acknowledged;
                Some(app.store.clock() + QUEUE_AWAY)
            }
        };
        let full = running.len() >= AT_ONCE;
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            Some(ended) = running.join_next_with_id() => {
                // Those that were written in one commit end together: dispatcher and live pages hear of them together.
                let (mut next, mut news) = (Some(ended), false);
                while let Some(ended) = next {
                    match ended {
                        Ok((task, worked)) => {
                            held.remove(&task);
                            news |= worked.is_news;
                            done.push(close(&app, worked).await);
                        }
                        // Its lane opens again when its lease runs out.
                        Err(error) => {
                            held.remove(&error.id());
                            error!(%error, "a sender ended in a panic");
                        }
                    }
                    next = running.try_join_next_with_id();
                }
                if news {
                    app.live.wake(Wake::Events);
                }
            },
            () = app.dispatcher.wait(next), if !full => {}
            _ = renew.tick() => {
                let held: Vec<Claim> = held.values().cloned().collect();
                if let Err(error) = app.dispatcher.extend(&held, lane_lease).await {
                    warn!(%error, "leases of lanes could not be prolonged");
                }
            }
        }
    }
    let last = async {
        while let Some(ended) = running.join_next().await {
            if let Ok(worked) = ended {
                done.push(close(&app, worked).await);
            }
        }
    };
    if tokio::time::timeout(LAST_CALLS, last).await.is_err() {
        warn!(count = running.len(), "calls were still out at the end; the network is asked about them");
    }
    // Other processes go on with these lanes now, not when their leases run out.
    if let Err(error) = app.dispatcher.step(Want { claims: 0, hints: 0, lease: lane_lease, done }).await {
        warn!(%error, "the queue could not be told what is done; its leases run out by themselves");
    }
}

async fn close(app: &App, Worked { done, closed, .. }: Worked) -> Done {
    if let Some(until) = closed
        && let Err(error) = app.dispatcher.gate(&Gate::Account(done.account), Some(until)).await
    {
        warn!(%error, "an account could not be closed in the queue; the database closes it as well");
    }
    done
}

/// Sends one delivery at a time; the same in every mode.
pub struct Sender {
    app: Arc<App>,
    journal: Journal,
    ready: Ready,
}

impl Sender {
    pub fn open(app: Arc<App>) -> std::io::Result<Sender> {
        let journal = Journal::open(&app.config.data_dir())?;
        let ready: Ready = {
            let app = app.clone();
            // A connector's mistake must not keep others of its commit back; preparing meets it again, and says so.
            Arc::new(move |work, now| catch_unwind(AssertUnwindSafe(|| attempt::ready(&app, work, now))).ok().flatten())
        };
        Ok(Sender { app, journal, ready })
    }

    /// Comes to what a claim holds, one after the other, for as long as each is done with and the lane need not rest.
    async fn work(self: Arc<Self>, claim: Claim) -> Worked {
        let Claim { account, lane, hints, nonce, .. } = claim;
        let done = Done { account, lane, nonce, finished: Vec::new(), untouched: 0, rest: None };
        let mut worked = Worked { done, closed: None, is_news: false };
        let (began, mut left) = (Instant::now(), hints.iter());
        for hint in left.by_ref() {
            // Redis's clock may be a little ahead: asked now, the database would say that nothing is due.
            let early = hint.at.duration_since(self.app.store.clock());
            if early > EARLY_AT_MOST {
                worked.done.rest = Some(hint.at);
                break;
            }
            if let Ok(early) = Duration::try_from(early) {
                tokio::time::sleep(early).await;
            }
            let ended = self.come_to(hint, &worked.done).await;
            let goes_on = !ended.finished.is_empty() && ended.rest.is_none() && ended.closed.is_none();
            worked.is_news |= ended.outcome.is_some();
            worked.done.finished.extend(ended.finished);
            (worked.done.rest, worked.closed) = (ended.rest, ended.closed);
            if !goes_on || began.elapsed() > LANE_AT_MOST || self.app.shutdown.is_cancelled() {
                break;
            }
        }
        worked.done.untouched = left.len() as u32;
        worked
    }

    /// One turn of a hint's lane, whatever happens in it.
    async fn come_to(&self, hint: &Due, Done { account, lane, .. }: &Done) -> Ended {
        let moment = Moment::of(|| self.app.store.clock());
        let now = moment.at;
        match AssertUnwindSafe(self.turn_at(lane, moment)).catch_unwind().await {
            // Nothing of the lane is due by the database: the hint was stale.
            Ok(Ok(ended)) if ended == Ended::default() => Ended { finished: vec![hint.id], ..ended },
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => {
                warn!(account.id = %account, %error, "the database did not answer a sender, it tries again");
                Ended { rest: Some(now + DATABASE_AWAY), ..Ended::default() }
            }
            Err(_) => {
                error!(delivery.id = %hint.id, "a sender panicked; its lease decides what happens to the delivery");
                Ended { rest: Some(now + DATABASE_AWAY), ..Ended::default() }
            }
        }
    }

    /// One look at a lane at `now` by the database's clock: sends its first due delivery, or asks the network about the
    /// one whose end is unclear.
    pub async fn turn(&self, lane: &str, now: Timestamp) -> Result<Ended, StoreError> {
        self.turn_at(lane, Moment::new(now)).await
    }

    async fn turn_at(&self, lane: &str, moment: Moment) -> Result<Ended, StoreError> {
        let lease = self.app.config.delivery.work_lease;
        // The lease in the database begins no earlier than this.
        let asked = Instant::now();
        match self.app.store.take(lane, &self.app.worker, lease, Some(&self.ready), moment.now()).await? {
            Turn::Nothing => Ok(Ended::default()),
            Turn::Rest(until) => Ok(Ended { rest: Some(until), ..Ended::default() }),
            Turn::Closed(until) => Ok(Ended { closed: Some(until), ..Ended::default() }),
            Turn::Send(work) => {
                let span = info_span!(
                    "deliver", delivery.id = %work.id, account.id = %work.account_id, network = work.network.as_str(),
                    attempt = work.attempts + 1
                );
                self.attempt(*work, moment).instrument(span).await
            }
            Turn::Call(marked) => {
                let Marked { work, before } = *marked;
                let span = info_span!(
                    "deliver", delivery.id = %work.id, account.id = %work.account_id, network = work.network.as_str(),
                    attempt = work.attempts
                );
                self.call_at_once(work, before, asked, moment).instrument(span).await
            }
            Turn::Unsure(marked, error) => Ok(self.keep_not_called(&marked.work, &error, moment)),
            Turn::Verify(work) => {
                let span = info_span!(
                    "verify", delivery.id = %work.id, account.id = %work.account_id, network = work.network.as_str()
                );
                self.verify(*work, moment).instrument(span).await
            }
        }
    }

    /// Writes down how it ended. When the database is away, the journal keeps it until it is back.
    async fn record(&self, work: &Work, outcome: Outcome, moment: Moment) -> Result<Ended, StoreError> {
        let now = moment.now();
        let mut ended = Ended { outcome: Some(outcome.clone()), ..Ended::default() };
        let pause = match work.last_called_at {
            Some(_) => self.app.policies.of(work.network).map_or(Duration::ZERO, |policy| policy.lane_rest()),
            None => Duration::ZERO,
        };
        match self.app.store.finish(work, &outcome, pause, now).await {
            Ok(true) => {}
            Ok(false) => {
                debug!("the delivery is another worker's by now");
                if let Outcome::Sent { receipt, found: false } = &outcome {
                    self.prove(work, receipt, now).await;
                }
                return Ok(Ended { rest: Some(now), ..Ended::default() });
            }
            Err(error) => {
                self.keep(work, &outcome, &error.to_string());
                return Ok(Ended { rest: Some(now + DATABASE_AWAY), ..ended });
            }
        }
        ended.rest = match &outcome {
            // Deletions have no order: those behind it need not wait.
            Outcome::Retry { .. } if work.action == Action::Delete => None,
            Outcome::Retry { at, .. }
            | Outcome::Verifying { at, .. }
            | Outcome::Absent { at }
            | Outcome::Unread { at, .. } => Some(*at),
            _ if !pause.is_zero() => Some(now + pause),
            _ => None,
        };
        match &outcome {
            Outcome::Retry { .. } if work.action == Action::Delete => ended.finished.push(work.id),
            // The hint stays for the next try.
            Outcome::Retry { .. }
            | Outcome::PutBack { .. }
            | Outcome::Requeued
            | Outcome::Verifying { .. }
            | Outcome::Absent { .. }
            | Outcome::Unread { .. } => {}
            _ => ended.finished.push(work.id),
        }
        let word = outcome.as_str();
        metrics::counter!(crate::telemetry::DELIVERIES, "network" => work.network.as_str(), "outcome" => word)
            .increment(1);
        match &outcome {
            Outcome::Failed { reason } => warn!(reason, "delivery refused, it is not tried again"),
            Outcome::Unknown { reason, .. } => error!(reason, "unclear whether the delivery is out: a person decides"),
            Outcome::Held { reason, .. } => error!(reason, "delivery held: a person is needed"),
            _ => debug!(outcome = word, "delivery worked on"),
        }
        Ok(ended)
    }

    /// A worker that was frozen during its call brings the network's proof after its lease. It counts all the same: where
    /// nothing can be asked, nobody else could ever tell.
    async fn prove(&self, work: &Work, receipt: &Receipt, now: Timestamp) {
        let sent = Outcome::Sent { receipt: receipt.clone(), found: false };
        match self.app.store.replay_sent(work.id, work.epoch, receipt, now).await {
            Ok(true) => self.app.live.wake(Wake::Events),
            Ok(false) => self.keep(work, &sent, "another worker is calling for it"),
            Err(error) => self.keep(work, &sent, &error.to_string()),
        }
    }

    /// Keeps an outcome in the journal until the database takes it.
    fn keep(&self, work: &Work, outcome: &Outcome, why: &str) {
        match self.journal.write(work, outcome) {
            Ok(()) => warn!(reason = why, "the database does not take the outcome now; it is in the journal"),
            Err(journal) => error!(
                reason = why, %journal,
                "neither database nor journal takes the outcome; the network will be asked for it"
            ),
        }
    }

    /// Puts what the journal keeps into the database. Answers how many are still in it.
    pub async fn replay(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.journal.replay(&self.app.store, now).await
    }

    async fn connector(&self, account: AccountId) -> Result<Arc<dyn Connector>, AppError> {
        self.app.connectors.get(account).await
    }

    /// Waits for `future` while the delivery's lease is prolonged at each third. `None`: the delivery is no longer this
    /// worker's, or the process ends; the future is dropped.
    async fn while_leased<T>(&self, work: &Work, moment: Moment, future: impl Future<Output = T>) -> Option<T> {
        let lease = self.app.config.delivery.work_lease;
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                answer = &mut future => return Some(answer),
                () = self.app.shutdown.cancelled() => return None,
                () = tokio::time::sleep(lease / 3) => {
                    // A database that does not answer now may do so before the lease ends.
                    if let Ok(false) = self.app.store.renew(work, lease, moment.now()).await {
                        return None;
                    }
                }
            }
        }
    }
}

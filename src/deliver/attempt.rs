//! One attempt: prepare, compare-and-set to `sending`, deadline, the one call that counts, outcome.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Certainty, Connector, ConnectorError, Prepared, Publisher, Receipt};
use rand::RngExt;
use tracing::{info, warn};

use super::{Ended, Moment, Sender};
use crate::app::{App, AppError};
use crate::model::{AccountId, Action, DeliveryState, Health, Hold};
use crate::policy::Facts;
use crate::queue::{Budget, Gate};
use crate::store::StoreError;
use crate::store::attempts::{Outcome, Readied, Work};

/// Of its lease, so much must be left beyond the call's timeout when the call starts.
const DEADLINE_RESERVE: Duration = Duration::from_secs(2);
/// Uploads and the network's own processing of them may take this long.
const PREPARE_AT_MOST: Duration = Duration::from_secs(15 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(15 * 60);
/// A network that asks for a longer pause is asked again after a day.
const LONGEST_GATE: Duration = Duration::from_secs(24 * 3600);
/// So many failed calls in a row make an event a dead letter, about an hour after the first: what only this one event
/// makes the receiver fail at does not hold up the others for days.
const TELLINGS: u32 = 16;
/// From so many calls on, a mail whose end is unclear is not sent again by itself: its reader may have all of them.
const UNCLEAR_MAILS: u32 = 3;
/// From so many failed calls on an endpoint counts as failing.
const FAILING_FROM: u32 = 3;
/// A setting that cannot work is tried again after this, in case it was mended.
const SETTINGS_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// When the process ends, calls have this long to be answered: short of what [`super::run`] waits for them to be written.
const LAST_ANSWERS: Duration = Duration::from_secs(6);
/// Why what was marked was not called.
const NOT_CALLED: &str = "its turn came too late for the call";

/// How the one call ended.
pub(super) enum Call {
    Answered(Result<Receipt, ConnectorError>),
    TimedOut,
    Panicked,
    /// The process ends, and cannot wait for it.
    LeftBehind,
}

impl Call {
    /// Perhaps sent: neither the network's proof nor its refusal.
    fn is_unclear(&self) -> bool {
        match self {
            Self::Answered(Ok(receipt)) => receipt.remote_id.is_empty(),
            Self::Answered(Err(error)) => {
                matches!(error, ConnectorError::Unconfirmed(_) | ConnectorError::Malformed(_))
            }
            Self::TimedOut | Self::Panicked | Self::LeftBehind => true,
        }
    }
}

impl Sender {
    /// Sends a delivery that this worker prepares (`work.state` is `preparing`).
    pub(super) async fn attempt(&self, work: Work, moment: Moment) -> Result<Ended, StoreError> {
        if work.is_quiet(moment.now()) {
            return self.put_off(&work, moment).await;
        }
        let connector = match self.app.connectors.since(work.account_id, work.account_changed_at).await {
            Ok(connector) => connector,
            Err(error) => return self.record(&work, no_connector(error, moment.now()), moment).await,
        };
        let Some(publisher) = connector.publisher() else {
            let reason = format!("nothing can be published on {}", work.network.as_str());
            return self.record(&work, Outcome::Failed { reason }, moment).await;
        };
        if let Some(refused) = refused(&self.app, &work, publisher, moment.now()) {
            return self.record(&work, refused, moment).await;
        }
        if let Some(wait) = self.over_budget(&work, moment.now()).await? {
            return self.record(&work, wait, moment).await;
        }
        let prepared = match work.action {
            Action::Publish => {
                let message = work.outgoing();
                let prepare = publisher.prepare(&message, work.prepared.clone());
                let prepare = AssertUnwindSafe(tokio::time::timeout(PREPARE_AT_MOST, prepare)).catch_unwind();
                match self.while_leased(&work, moment, prepare).await {
                    Some(Ok(Ok(Ok(prepared)))) => prepared,
                    Some(Ok(Ok(Err(error)))) => {
                        let outcome = self.not_prepared(&work, error, moment).await;
                        return self.record(&work, outcome, moment).await;
                    }
                    Some(Ok(Err(_))) => {
                        let reason = "preparing it took too long".to_owned();
                        return self.record(&work, retry(&work, reason, moment.now()), moment).await;
                    }
                    Some(Err(_)) => {
                        let reason = "preparing it ended in a mistake of ours (see the log)".to_owned();
                        return self.record(&work, retry(&work, reason, moment.now()), moment).await;
                    }
                    // Cancelled or moved by a person, or the process ends: nothing was called.
                    None => return self.record(&work, Outcome::PutBack { reason: None }, moment).await,
                }
            }
            Action::Delete | Action::Webhook | Action::Mail => Prepared::default(),
        };
        self.call(work, publisher, prepared, Outcome::PutBack { reason: None }, moment).await
    }

    /// Lateness brought it into its account's quiet hours: it goes back, and waits for their end.
    async fn put_off(&self, work: &Work, moment: Moment) -> Result<Ended, StoreError> {
        let ended = self.record(work, Outcome::PutBack { reason: None }, moment).await?;
        // Whoever takes it between the two asks the same question.
        let spacing = self.app.config.delivery.release_spacing;
        self.app.store.keep_quiet(work.account_id, spacing, moment.now()).await?;
        Ok(ended)
    }

    /// From the compare-and-set on: also how what was not found is sent again with the same key. `otherwise` is what becomes
    /// of it where it may not be called for now.
    pub(super) async fn call(
        &self,
        before: Work,
        publisher: &dyn Publisher,
        prepared: Prepared,
        otherwise: Outcome,
        moment: Moment,
    ) -> Result<Ended, StoreError> {
        // The lease in the database begins no earlier than this.
        let asked = Instant::now();
        let mut work = before.clone();
        let (worker, lease, now) = (&self.app.worker, call_lease(&self.app, &before), moment.now());
        match self.app.store.begin_sending(&mut work, &prepared, worker, lease, now).await {
            Ok(true) => self.called(work, &before, publisher, asked, moment).await,
            Ok(false) => self.record(&before, otherwise, moment).await,
            Err(error) => {
                work.mark(before.epoch + 1, prepared, now);
                Ok(self.keep_not_called(&work, &error, moment))
            }
        }
    }

    /// Sends a delivery that needed no preparing and is marked already.
    pub(super) async fn call_at_once(
        &self,
        work: Work,
        before: Work,
        asked: Instant,
        moment: Moment,
    ) -> Result<Ended, StoreError> {
        let connector = self.app.connectors.built_since(work.account_id, work.account_changed_at);
        match connector.as_deref().and_then(Connector::publisher) {
            Some(publisher) => self.called(work, &before, publisher, asked, moment).await,
            None => self.take_back(&work, &before, "its account was changed just before the call", moment).await,
        }
    }

    /// The one call for what is marked since `asked`, and how it ended.
    async fn called(
        &self,
        work: Work,
        before: &Work,
        publisher: &dyn Publisher,
        asked: Instant,
        moment: Moment,
    ) -> Result<Ended, StoreError> {
        let timeout = call_timeout(&self.app, &work);
        let margin = self.app.config.delivery.lease_margin;
        // A worker that was frozen or waited for its commit must not call when its lease is nearly over: somebody else
        // would look for a message that appears only afterwards. It cannot be asked once more between the connection and
        // the request: the HTTP client has no place there for a question of one request (its connections are pooled and
        // made apart from them), and a check around the whole call would throw away the answer of a worker that was frozen
        // after its request, which nobody else can ever get.
        if asked.elapsed() > margin.saturating_sub(DEADLINE_RESERVE.min(margin / 2)) {
            warn!("the deadline for the call has passed, it was not started");
            return self.take_back(&work, before, NOT_CALLED, moment).await;
        }
        let late = moment.now().duration_since(work.due_at).as_secs_f64().max(0.0);
        metrics::histogram!(crate::telemetry::DELIVERY_LATENESS, "network" => work.network.as_str()).record(late);
        let called = Instant::now();
        let call = tokio::select! {
            biased;
            call = the_call(&work, publisher, timeout) => call,
            () = self.last_moment() => Call::LeftBehind,
        };
        let unclear = call.is_unclear();
        let outcome = self.outcome(&work, call, publisher.certainty(), moment).await;
        let outcome = match before.state {
            DeliveryState::Verifying => self.still_in_doubt(outcome, moment.now()),
            _ => outcome,
        };
        info!(
            outcome = outcome.as_str(),
            duration_ms = u64::try_from(called.elapsed().as_millis()).unwrap_or(u64::MAX),
            "delivery called"
        );
        if work.action.is_told() {
            self.note_health(&work, &outcome).await;
        }
        let ended = self.record(&work, outcome, moment).await?;
        if unclear && !self.app.shutdown.is_cancelled() {
            // Most often the network is well, and the account open again at once.
            self.probe(work.account_id, 0, moment.now()).await?;
        }
        Ok(ended)
    }

    /// Comes a while after the process was asked to end: what is still out then is told to be so, and others go on with it
    /// once its call has settled.
    async fn last_moment(&self) {
        self.app.shutdown.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    }

    /// Marked, and not called.
    async fn take_back(&self, work: &Work, before: &Work, why: &str, moment: Moment) -> Result<Ended, StoreError> {
        Ok(match self.app.store.not_called(work, before, why, moment.now()).await {
            Ok(_) => Ended { rest: Some(moment.now()), ..Ended::default() },
            Err(error) => self.keep_not_called(work, &error, moment),
        })
    }

    /// Marked or perhaps marked, certainly not called, and the database does not answer: nobody else knows it.
    pub(super) fn keep_not_called(&self, work: &Work, error: &StoreError, moment: Moment) -> Ended {
        self.keep(work, &Outcome::PutBack { reason: Some(NOT_CALLED.to_owned()) }, &error.to_string());
        Ended { rest: Some(moment.now() + super::DATABASE_AWAY), ..Ended::default() }
    }

    /// Takes one call from the budget of its app, where the network's policy names one; or when to ask again.
    pub(super) async fn over_budget(&self, work: &Work, now: Timestamp) -> Result<Option<Outcome>, StoreError> {
        let Some(rule) = self.app.policies.of(work.network).and_then(|policy| policy.app.as_ref()) else {
            return Ok(None);
        };
        let account = self.app.store.account(work.account_id).await?;
        let budget = rule.budget(&account.app());
        match self.app.dispatcher.budget(&budget, work.class, 1).await {
            Ok(0) => {
                let Budget { calls, window, .. } = budget;
                let reason = format!("the app's limit of {calls} calls in {} s is used up", window.as_secs());
                Ok(Some(Outcome::Wait { at: now + jitter(rule.ask_again()), reason }))
            }
            Ok(_) => Ok(None),
            Err(error) => {
                // The network's own answer limits it then.
                warn!(%error, "the app's budget could not be asked, the call is made");
                Ok(None)
            }
        }
    }

    /// Preparing is repeatable: whatever went wrong, nothing was sent.
    async fn not_prepared(&self, work: &Work, error: ConnectorError, moment: Moment) -> Outcome {
        let error = match error {
            ConnectorError::Unconfirmed(error) | ConnectorError::Malformed(error) => ConnectorError::Unavailable(error),
            error => error,
        };
        self.outcome(work, Call::Answered(Err(error)), Certainty::None, moment).await
    }

    /// The one place that says what the end of a call means. Certainly not sent, sent, or perhaps sent.
    async fn outcome(&self, work: &Work, call: Call, certainty: Certainty, moment: Moment) -> Outcome {
        let now = moment.now();
        let error = match call {
            Call::Answered(Ok(receipt)) if !receipt.remote_id.is_empty() => {
                return Outcome::Sent { receipt, found: false };
            }
            Call::Answered(Ok(_)) => return self.unclear(work, "the answer named no message", certainty, now).await,
            Call::TimedOut => return self.unclear(work, "the network did not answer in time", certainty, now).await,
            Call::LeftBehind => {
                return self.unclear(work, "its worker was stopped during the call", certainty, now).await;
            }
            Call::Panicked => {
                return self.unclear(work, "a mistake of ours during the call (see the log)", certainty, now).await;
            }
            Call::Answered(Err(error)) => error,
        };
        let reason = error.to_string();
        match error {
            ConnectorError::Rejected(reason) => Outcome::Failed { reason: format!("refused by the network: {reason}") },
            ConnectorError::Unavailable(_) => again(work, reason, now),
            ConnectorError::Gone(_) => {
                let paused = self.app.store.endpoint_gone(work.account_id, &reason).await;
                warn_of("the account could not be paused", paused);
                Outcome::PutBack { reason: Some(reason) }
            }
            ConnectorError::RateLimited(wait) => {
                let until = now + wait.clamp(Duration::from_secs(1), LONGEST_GATE);
                self.gate(work, until, &reason).await;
                Outcome::Retry { at: within(work, until), reason }
            }
            ConnectorError::Unauthorized(_) => {
                // The outcome matters more than these notes: a database that is away must not lose it.
                let noted = self.note_refused(work.account_id, &reason).await;
                warn_of("the account could not be marked as refused", noted);
                self.app.live.wake(crate::live::Wake::Streams);
                let reason = format!("{reason}: reconnect the account, then it goes on by itself");
                Outcome::Held { hold: Hold::Account, reason, again: now }
            }
            ConnectorError::Settings(reason) => {
                Outcome::Held { hold: Hold::Account, reason, again: now + SETTINGS_AGAIN }
            }
            ConnectorError::Unconfirmed(_) | ConnectorError::Malformed(_) => {
                self.unclear(work, &reason, certainty, now).await
            }
        }
    }

    /// Perhaps sent. The account sends nothing more until the network answers a harmless call, so that an outage does
    /// not use up its queue.
    async fn unclear(&self, work: &Work, reason: &str, certainty: Certainty, now: Timestamp) -> Outcome {
        let closed = self.app.store.close_account(work.account_id, now).await;
        warn_of("the account could not be closed after an unclear end", closed);
        let enough = work.action == Action::Mail && work.attempts >= UNCLEAR_MAILS;
        match (work.action, certainty) {
            (action, _) if action.is_repeatable() && !enough => again(work, reason.to_owned(), now),
            (_, Certainty::None) => Outcome::Unknown {
                reason: format!("{reason}, and {} cannot be asked: look at the account", work.network.as_str()),
                settles_at: Some(now + self.app.config.delivery.settle),
            },
            _ => Outcome::Verifying { at: now + self.app.config.delivery.settle, reason: reason.to_owned() },
        }
    }

    /// That a repeated call was certainly not taken says nothing about the call before it, which is looked for again: the
    /// look before the repetition was the first of two.
    fn still_in_doubt(&self, outcome: Outcome, now: Timestamp) -> Outcome {
        let second_look = now + self.app.config.delivery.read_back_gap;
        match outcome {
            Outcome::Retry { at, .. } => Outcome::Absent { at: at.max(second_look) },
            Outcome::Failed { .. } | Outcome::Held { .. } => Outcome::Absent { at: second_look },
            outcome => outcome,
        }
    }

    /// The network takes the account's credentials no more.
    pub(super) async fn note_refused(&self, account: AccountId, reason: &str) -> Result<(), StoreError> {
        let spacing = self.app.config.delivery.release_spacing;
        self.app.store.set_health(account, Health::Unauthorized, Some(reason), spacing).await
    }

    /// Whether the receiver takes events: what people see, and are alerted by, is the endpoint and not each event.
    async fn note_health(&self, work: &Work, outcome: &Outcome) {
        let (health, reason) = match outcome {
            Outcome::Sent { .. } => (Health::Ok, None),
            Outcome::Retry { reason, .. } if work.attempts < FAILING_FROM => {
                return tracing::debug!(reason, "it was not taken, it is sent again");
            }
            Outcome::Retry { reason, .. } | Outcome::Failed { reason } | Outcome::Unknown { reason, .. } => {
                (Health::Failing, Some(reason.as_str()))
            }
            _ => return,
        };
        let spacing = self.app.config.delivery.release_spacing;
        let noted = self.app.store.set_health(work.account_id, health, reason, spacing).await;
        warn_of("how the endpoint is doing could not be noted", noted);
    }

    /// Nothing on the account before `until`: in the queue, and in the database, so that a restart does not forget it.
    async fn gate(&self, work: &Work, until: Timestamp, reason: &str) {
        let gated = self.app.store.gate_account(work.account_id, until, reason).await;
        warn_of("the account could not be closed in the database", gated);
        let gated = self.app.dispatcher.gate(&Gate::Account(work.account_id), Some(until)).await;
        warn_of("the account could not be closed in the queue", gated);
    }
}

fn warn_of<E: std::fmt::Display>(what: &str, result: Result<(), E>) {
    if let Err(error) = result {
        warn!(%error, "{what}");
    }
}

/// What a delivery is called for with, where nothing has to be prepared and nothing is the matter with it. Anything else is
/// for [`Sender::attempt`], which says what it is.
pub(super) fn ready(app: &App, work: &Work, now: Timestamp) -> Option<Readied> {
    let shares_a_budget = app.policies.of(work.network).is_some_and(|policy| policy.app.is_some());
    if shares_a_budget || work.is_quiet(now) {
        return None;
    }
    let connector = app.connectors.built_since(work.account_id, work.account_changed_at)?;
    let publisher = connector.publisher()?;
    if refused(app, work, publisher, now).is_some() {
        return None;
    }
    let prepared = match work.action {
        Action::Publish => publisher.ready(&work.outgoing(), work.prepared.as_ref())?,
        Action::Delete | Action::Webhook | Action::Mail => Prepared::default(),
    };
    Some(Readied { prepared, lease: call_lease(app, work) })
}

/// Asks the rules again: they, the text's limit or the answered message may have changed since it was queued.
pub(super) fn refused(app: &App, work: &Work, publisher: &dyn Publisher, now: Timestamp) -> Option<Outcome> {
    if work.action == Action::Delete {
        return None;
    }
    let failed = |reason| Some(Outcome::Failed { reason });
    let Some(policy) = app.policies.of(work.network) else {
        return failed(format!("nothing can be published on {}", work.network.as_str()));
    };
    let length = publisher.measure(&work.outgoing());
    let facts = Facts { text: &work.text, length, answers: work.answers, at: now };
    policy.check(&facts).err().and_then(|refusal| failed(format!("{refusal} (rule {})", refusal.rule)))
}

/// The bound of the one call that counts.
pub(super) fn call_timeout(app: &App, work: &Work) -> Duration {
    let own = app.config.delivery.call_timeout;
    app.policies.of(work.network).map_or(own, |policy| policy.call_timeout().min(own))
}

/// How long a worker has from the mark on.
fn call_lease(app: &App, work: &Work) -> Duration {
    call_timeout(app, work) + app.config.delivery.lease_margin
}

/// The one call, bounded; a panic in a connector is an unclear end like any other.
async fn the_call(work: &Work, publisher: &dyn Publisher, timeout: Duration) -> Call {
    let message = work.outgoing();
    let nothing = Prepared::default();
    let prepared = work.prepared.as_ref().unwrap_or(&nothing);
    let call = async {
        match (work.action, &work.target) {
            (Action::Publish | Action::Webhook | Action::Mail, _) => publisher.publish(&message, prepared).await,
            (Action::Delete, Some(target)) => publisher.delete(target).await.map(|()| target.clone()),
            (Action::Delete, None) => Err(ConnectorError::Rejected("it is not known what to delete".into())),
        }
    };
    match tokio::time::timeout(timeout, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(answer)) => Call::Answered(answer.map(storable)),
        Ok(Err(_)) => Call::Panicked,
        Err(_) => Call::TimedOut,
    }
}

/// A network's names without what no database keeps as text.
pub(super) fn storable(Receipt { remote_id, local_id, url }: Receipt) -> Receipt {
    let kept = |text: String| text.replace('\0', "\u{FFFD}");
    Receipt { remote_id: kept(remote_id), local_id: local_id.map(kept), url: url.map(kept) }
}

fn no_connector(error: AppError, now: Timestamp) -> Outcome {
    match error {
        AppError::Store(error) => Outcome::Retry { at: now + super::DATABASE_AWAY, reason: error.to_string() },
        error => Outcome::Held { hold: Hold::Account, reason: error.to_string(), again: now + SETTINGS_AGAIN },
    }
}

/// Certainly not sent, or harmless to repeat: again, but not without end for what only tells.
fn again(work: &Work, reason: String, now: Timestamp) -> Outcome {
    match work.action.is_told() && work.attempts > 0 && work.attempts.is_multiple_of(TELLINGS) {
        true => Outcome::Failed { reason: format!("{reason}; not taken in {} calls", work.attempts) },
        false => retry(work, reason, now),
    }
}

/// Certainly not sent: again after a while that grows with every call, and with how late it is.
pub(super) fn retry(work: &Work, reason: String, now: Timestamp) -> Outcome {
    let late: Duration = now.duration_since(work.due_at).try_into().unwrap_or_default();
    let tries = FIRST_RETRY.saturating_mul(2u32.saturating_pow(work.attempts.saturating_sub(1).min(16)));
    let longest = tries.max(late / 4).clamp(FIRST_RETRY, LONGEST_RETRY);
    Outcome::Retry { at: within(work, now + jitter(longest)), reason }
}

/// Anything up to `longest`, so that what failed together does not come back together.
pub(super) fn jitter(longest: Duration) -> Duration {
    longest.mul_f64(rand::rng().random_range(0.05..1.0))
}

/// No later than when it expires: then it is told so.
fn within(work: &Work, at: Timestamp) -> Timestamp {
    work.expires_at.map_or(at, |expires_at| at.min(expires_at))
}

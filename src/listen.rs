//! Listening: takes a stream's lease, polls, understands what came, and records it with the stream's new cursor.
//!
//! Nothing is kept in memory between polls: a worker that dies leaves a lease that ends, and the next one polls again
//! from the cursor that was recorded last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use metrics::{counter, histogram};
use muhatap_connectors::{Batch, Change, Connector, ConnectorError, Incoming};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::analyze::Analyzer;
use crate::analyze::delta::Learnt;
use crate::app::{App, AppError};
use crate::contacts::evidence_in;
use crate::live::Wake;
use crate::model::{AccountId, Health};
use crate::store::accounts::Account;
use crate::store::mentions::{NewChange, NewMention, Polled, Recorded};
use crate::store::search::words;
use crate::store::streams::{AccountsMark, PollFailure, StreamLease};
use crate::store::{Store, StoreError};
use crate::telemetry;

/// Streams polled at the same time by one process.
const AT_ONCE: usize = 16;
/// How long a stream belongs to whoever took it. Kept up while the poll goes on, so that a worker that dies leaves its
/// streams unheard for no longer than this.
const LEASE: Duration = Duration::from_secs(20);
const KEEP_EVERY: Duration = Duration::from_secs(6);
const LONGEST_POLL: Duration = Duration::from_secs(90);
/// How soon a stream or account that another process added is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a batch waits for a database that is busy or full, before it is dropped and polled again later.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far a network's clock may be ahead of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(15);
/// An account that the network refuses is asked again this seldom.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_REFUSED_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Listens for all accounts until the shutdown; what is in hand is finished or given back.
pub async fn run(app: Arc<App>) -> Result<(), StoreError> {
    let mut polls: JoinSet<()> = JoinSet::new();
    let analysis = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
    let mut accounts_seen = None;
    let mut pause = LOOK_AGAIN;
    while !app.shutdown.is_cancelled() {
        app.pulse.beat("listen");
        match take_work(&app, &mut polls, &analysis, &mut accounts_seen).await {
            Ok(wait) => pause = wait,
            Err(error) => {
                // A database that is away, locked or full: what waits stays on the networks.
                pause = (pause * 2).clamp(LOOK_AGAIN, Duration::from_secs(30));
                warn!(error = %error, retry_in_s = pause.as_secs(), "listening is interrupted, it is tried again");
            }
        }
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            () = app.live.wait(Wake::Streams, pause) => {}
            Some(ended) = polls.join_next(), if !polls.is_empty() => log_panic(ended),
        }
    }
    while let Some(ended) = polls.join_next().await {
        log_panic(ended);
    }
    Ok(())
}

/// Starts a poll for every due stream there is room for; returns how long nothing else will be due.
async fn take_work(
    app: &Arc<App>,
    polls: &mut JoinSet<()>,
    analysis: &Arc<Semaphore>,
    accounts_seen: &mut Option<AccountsMark>,
) -> Result<Duration, StoreError> {
    let mark = app.store.accounts_mark().await?;
    if *accounts_seen != Some(mark) {
        sync_streams(app).await?;
        *accounts_seen = Some(mark);
    }
    while polls.len() < AT_ONCE {
        let Some(lease) = app.store.take_due_stream(&app.worker, LEASE).await? else {
            let due = app.store.next_poll_at().await?;
            return Ok(due.map_or(LOOK_AGAIN, |at| until(at, app.store.clock())));
        };
        let (app, analysis) = (app.clone(), analysis.clone());
        let span = info_span!("poll", account.id = %lease.account_id, stream = %lease.stream.kind.as_str(), network = tracing::field::Empty);
        polls.spawn(
            async move {
                tokio::select! {
                    () = listen(&app, &analysis, &lease) => {}
                    () = keep(&app.store, &lease) => debug!("stream taken over, poll dropped"),
                }
            }
            .instrument(span),
        );
    }
    // Full: the end of a poll wakes the loop.
    Ok(LOOK_AGAIN)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().clamp(Duration::from_millis(10), LOOK_AGAIN)
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // The stream's lease ends by itself and the stream is polled again.
        tracing::error!(error = %error, "a poll ended in a bug: please report it");
    }
}

/// Makes every account's streams those that its settings ask for.
async fn sync_streams(app: &App) -> Result<(), StoreError> {
    let spacing = app.config.delivery.release_spacing;
    for account in app.store.accounts().await? {
        if account.paused_at.is_some() || account.origin == "import" {
            continue;
        }
        match app.connectors.of(&account).await {
            Ok(connector) => {
                app.store.sync_streams(account.id, &connector.streams()).await?;
            }
            Err(AppError::Store(error)) => return Err(error),
            Err(error) => {
                warn!(account.id = %account.id, error = %error, "account cannot be listened on");
                app.store.set_health(account.id, Health::Failing, Some(&error.to_string()), spacing).await?;
            }
        }
    }
    Ok(())
}

/// Keeps the lease up; ends when somebody else has the stream, so that what its holder does is dropped.
async fn keep(store: &Store, lease: &StreamLease) {
    loop {
        tokio::time::sleep(KEEP_EVERY).await;
        match store.keep_stream(lease, LEASE).await {
            Err(StoreError::Conflict(_)) => return,
            Err(error) => debug!(error = %error, "lease not kept up, it is tried again"),
            Ok(()) => {}
        }
    }
}

/// Polls one stream once and gives it back, whatever happens.
async fn listen(app: &App, analysis: &Semaphore, lease: &StreamLease) {
    let started = Instant::now();
    let outcome = tokio::select! {
        outcome = poll(app, lease) => outcome,
        () = app.shutdown.cancelled() => {
            if let Err(error) = app.store.release_stream(lease).await {
                debug!(error = %error, "stream not given back, its lease will end");
            }
            return;
        }
    };
    // From here on the batch is in hand: it is recorded even if the shutdown comes now.
    let ended = match outcome {
        Ok((account, batch)) => record(app, analysis, lease, &account, batch, started).await,
        Err(Refusal { account, failure, health, why }) => {
            let network = account.as_ref().map_or("unknown", |account| account.network.as_str());
            counter!(telemetry::POLL_FAILURES, "network" => network, "reason" => why).increment(1);
            fail(app, lease, &failure, health).await
        }
    };
    if let Err(error) = ended {
        warn!(error = %error, "poll not recorded, the stream is polled again later");
    }
}

/// Why a poll brought nothing.
struct Refusal {
    account: Option<Account>,
    failure: PollFailure,
    /// What this means for the whole account, if anything.
    health: Option<Health>,
    why: &'static str,
}

impl Refusal {
    fn new(account: Option<Account>, lease: &StreamLease, error: ConnectorError) -> Self {
        let reason = format!("{}: {error}", lease.stream.name());
        let (health, why) = match &error {
            ConnectorError::RateLimited(wait) => {
                let failure = PollFailure::Wait { reason, wait: *wait };
                return Self { account, failure, health: None, why: "rate_limited" };
            }
            ConnectorError::Unauthorized(_) => {
                // A network that stumbled once is well again in a minute; a revoked token stays revoked.
                let wait = REFUSED_PAUSE.saturating_mul(1 << lease.failures.clamp(0, 4)).min(LONGEST_REFUSED_PAUSE);
                let failure = PollFailure::Refused { reason, wait };
                return Self { account, failure, health: Some(Health::Unauthorized), why: "unauthorized" };
            }
            // One poll that fails is weather; from the second on a person may want to know.
            ConnectorError::Unavailable(_) | ConnectorError::Unconfirmed(_) => {
                ((lease.failures > 0).then_some(Health::Failing), "unavailable")
            }
            ConnectorError::Rejected(_) | ConnectorError::Gone(_) => (Some(Health::Failing), "rejected"),
            ConnectorError::Malformed(_) => (Some(Health::Failing), "malformed"),
            ConnectorError::Settings(_) => (Some(Health::Failing), "settings"),
        };
        Self { account, failure: PollFailure::Failed { reason }, health, why }
    }

    fn store(lease: &StreamLease, error: StoreError) -> Self {
        let reason = format!("{}: {error}", lease.stream.name());
        Self { account: None, failure: PollFailure::Failed { reason }, health: None, why: "store" }
    }
}

async fn poll(app: &App, lease: &StreamLease) -> Result<(Account, Batch), Refusal> {
    let account = app.store.account(lease.account_id).await.map_err(|error| Refusal::store(lease, error))?;
    tracing::Span::current().record("network", account.network.as_str());
    let connector = match app.connectors.of(&account).await {
        Ok(connector) => connector,
        Err(AppError::Account { source, .. }) => return Err(Refusal::new(Some(account), lease, source)),
        Err(error) => {
            let error = ConnectorError::Settings(error.to_string());
            return Err(Refusal::new(Some(account), lease, error));
        }
    };
    let asked = async {
        if account.remote_id.is_none() || account.health == Health::Unauthorized {
            introduce(app, &account, connector.as_ref()).await?;
        }
        let asked_at = lease.asked_at.checked_sub(CLOCKS_DIFFER).unwrap_or(lease.asked_at);
        connector.poll(&lease.stream, lease.cursor.as_ref(), asked_at).await
    };
    match tokio::time::timeout(LONGEST_POLL, asked).await {
        Ok(Ok(batch)) => Ok((account, batch)),
        Ok(Err(error)) => Err(Refusal::new(Some(account), lease, error)),
        Err(_) => {
            let reason = format!("no whole answer within {} s", LONGEST_POLL.as_secs());
            Err(Refusal::new(Some(account), lease, ConnectorError::Unavailable(reason.into())))
        }
    }
}

/// Learns who the credentials belong to, so that our own messages are told from a stranger's.
async fn introduce(app: &App, account: &Account, connector: &dyn Connector) -> Result<(), ConnectorError> {
    let profile = connector.who_am_i().await?;
    match app.store.set_profile(account.id, &profile).await {
        Err(StoreError::Conflict(reason)) => Err(ConnectorError::Settings(reason)),
        Err(error) => {
            debug!(error = %error, "profile not stored, it is asked for again");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn record(
    app: &App,
    analysis: &Semaphore,
    lease: &StreamLease,
    account: &Account,
    batch: Batch,
    started: Instant,
) -> Result<(), StoreError> {
    let network = account.network.as_str();
    let polled = Polled {
        changes: understand_all(app, analysis, account, batch.changes).await,
        unparsed: batch.unparsed,
        next: batch.next,
        complete_up_to: batch.complete_up_to,
        filling: batch.filling,
        lost: batch.lost,
        more: batch.more,
    };
    let recorded = match patiently(&app.store, lease, &polled).await {
        Err(StoreError::Conflict(reason)) => {
            debug!(reason, "batch dropped");
            return Ok(());
        }
        other => other?,
    };
    if account.health != Health::Ok {
        recover(app, account.id).await?;
    }
    let unparsed = polled.unparsed.len() + recorded.unparsed.len();
    counter!(telemetry::MENTIONS, "network" => network).increment(recorded.new.len() as u64);
    counter!(telemetry::UNPARSED, "network" => network).increment(unparsed as u64);
    histogram!(telemetry::POLL_DURATION, "network" => network).record(started.elapsed().as_secs_f64());
    if recorded.is_quiet() && unparsed == 0 {
        debug!(known = recorded.known, "nothing new");
    } else {
        app.live.wake(Wake::Events);
        info!(
            new = recorded.new.len(),
            edited = recorded.edited,
            deleted = recorded.deleted,
            outgoing = recorded.outgoing,
            linked = recorded.linked,
            unparsed,
            duration_ms = started.elapsed().as_millis() as u64,
            "poll recorded"
        );
    }
    Ok(())
}

/// Records, and where the database is busy or full tries again as long as the lease is safe.
async fn patiently(store: &Store, lease: &StreamLease, polled: &Polled) -> Result<Recorded, StoreError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        match store.record(lease, polled).await {
            Err(StoreError::Busy(_) | StoreError::Full(_)) if started.elapsed() < PATIENCE => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            other => return other,
        }
    }
}

/// The account is well once none of its streams fails.
async fn recover(app: &App, account: AccountId) -> Result<(), StoreError> {
    if app.store.failing_streams(account).await? == 0 {
        app.store.set_health(account, Health::Ok, None, app.config.delivery.release_spacing).await?;
    }
    Ok(())
}

async fn fail(app: &App, lease: &StreamLease, failure: &PollFailure, health: Option<Health>) -> Result<(), StoreError> {
    let reason = failure.reason();
    match app.store.fail_poll(lease, failure).await {
        Err(StoreError::Conflict(_)) => return Ok(()),
        other => other?,
    }
    info!(reason, failures = lease.failures, "poll failed");
    if let Some(health) = health {
        let spacing = app.config.delivery.release_spacing;
        app.store.set_health(lease.account_id, health, Some(reason), spacing).await?;
        app.live.wake(Wake::Events);
    }
    Ok(())
}

/// Understands a batch on as many threads as there are cores, whatever the number of polls at the same time.
async fn understand_all(app: &App, analysis: &Semaphore, account: &Account, changes: Vec<Change>) -> Vec<NewChange> {
    if changes.is_empty() {
        return Vec::new();
    }
    let permit = analysis.acquire().await.expect("the semaphore is never closed");
    let analyzer = app.analyzer.clone();
    let learnt = app.deltas.of(account).await;
    let understood = tokio::task::spawn_blocking(move || {
        changes.into_iter().map(|change| understand(&analyzer, learnt.as_deref(), change)).collect()
    })
    .await
    .expect("understanding a text never panics");
    drop(permit);
    understood
}

/// What a change means, with what was learnt from its brand's corrections; no I/O.
pub fn understand(analyzer: &Analyzer, learnt: Option<&Learnt>, change: Change) -> NewChange {
    match change {
        Change::Seen(incoming) => NewChange::Seen(understand_message(analyzer, learnt, incoming)),
        Change::Edited(incoming) => NewChange::Edited(understand_message(analyzer, learnt, incoming)),
        Change::Deleted(id) => NewChange::Deleted(id),
    }
}

/// Analyzes a message and looks for evidence of who wrote it.
pub fn understand_message(analyzer: &Analyzer, learnt: Option<&Learnt>, incoming: Incoming) -> NewMention {
    let author = &incoming.author;
    NewMention {
        analysis: analyzer.analyze_for(&incoming.text, learnt),
        evidence: evidence_in(&incoming.text),
        document: words(&format!("{} {} {}", incoming.text, author.handle, author.display_name)),
        incoming,
    }
}

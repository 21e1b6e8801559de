//! Hands deliveries to the dispatcher: what changed every half second, everything of the next quarter hour every minute.
//! One process at a time is the reaper, and the one that loads the quarter hour where the dispatcher is everybody's. The
//! database is the truth; whatever is missed here is found again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::app::App;
use crate::deliver::{Sender, probe_due};
use crate::live::Wake;
use crate::model::{AccountId, DeliveryId, DeliveryState};
use crate::queue::{Gate, Hint, Place, QueueError};
use crate::store::StoreError;
use crate::store::sweep::Swept;

/// Only what is due within this is in the dispatcher, and what a lane may rest for.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Also where there is more to reap than fits into one transaction.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(10);
const LOAD_EVERY: Duration = Duration::from_secs(60);
/// At the latest: what a dead worker left is reaped in the moment that it may be.
const REAP_EVERY: Duration = Duration::from_secs(1);
const LOOK_AT_UNCLEAR_EVERY: Duration = Duration::from_secs(1);
/// A change becomes visible when its transaction ends, a little after its own time.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);
/// Now and then a longer look back, for a transaction that waited long for its turn.
const LONG_OVERLAP: SignedDuration = SignedDuration::from_secs(20);
const LONG_LOOK_EVERY: Duration = Duration::from_secs(5);
const PAGE: i64 = 500;
const REAPER: &str = "reaper";
const REAPER_LEASE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Sweeps, reaps and probes until `app.shutdown`.
pub async fn run(app: Arc<App>) {
    let sender = match Sender::open(app.clone()) {
        Ok(sender) => Arc::new(sender),
        Err(error) => {
            error!(%error, "the outbox cannot start: the journal's folder cannot be made; make data_dir writable");
            return;
        }
    };
    let mut mark = app.store.clock() - LONG_OVERLAP;
    let (mut load, mut reap, mut long_look) =
        (Every::new(LOAD_EVERY), Every::new(REAP_EVERY), Every::new(LONG_LOOK_EVERY));
    let mut look_at_unclear = Every::new(LOOK_AT_UNCLEAR_EVERY);
    let mut unclear = Unclear::default();
    let mut told = Told::default();
    let mut tended = Tended::default();
    let mut probing = JoinSet::new();
    while !app.shutdown.is_cancelled() {
        let now = app.store.clock();
        let round = async {
            let overlap = if long_look.has_come() { LONG_OVERLAP } else { OVERLAP };
            tell(&app, mark - overlap, now, &mut told).await?;
            told.forget(now - LONG_OVERLAP * 2);
            if reap.has_come() || tended.next.is_some_and(|next| next <= now) {
                tended = tend(&app, &sender, now).await?;
                while let Some(Ok(asked)) = probing.try_join_next() {
                    asked?;
                }
                if probing.is_empty() {
                    let sender = sender.clone();
                    probing.spawn(async move { probe_due(&sender, now).await });
                }
            }
            if tended.reaps || !app.dispatcher.is_shared() {
                if load.has_come() {
                    self::load(&app, now).await?;
                }
                if look_at_unclear.has_come() {
                    unclear.look(&app).await?;
                }
            }
            Ok::<(), OutboxError>(())
        };
        match round.await {
            Ok(()) => mark = now,
            // The mark stays, so that nothing between is missed.
            Err(error) => {
                told = Told::default();
                tended.next = None;
                warn!(%error, "a round of the outbox failed, the next one follows");
            }
        }
        let until = tended.next.map(|next| Duration::try_from(next.duration_since(app.store.clock())));
        let pause = until.map_or(LOOK_EVERY, |until| until.unwrap_or_default().clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY));
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.live.wait(Wake::Outbox, pause) => {}
        }
    }
    // They end with the process by themselves, and leave their accounts to others.
    while probing.join_next().await.is_some() {}
    if let Err(error) = app.store.give_back(REAPER, &app.worker).await {
        warn!(%error, "the reaper's lease could not be given back; it ends by itself");
    }
}

/// The changes that the dispatcher has been told of: looks overlap, and each change is told once.
#[derive(Default)]
struct Told(HashMap<DeliveryId, Timestamp>);

impl Told {
    fn is_news(&mut self, swept: &Swept) -> bool {
        self.0.insert(swept.id, swept.changed_at) != Some(swept.changed_at)
    }

    /// Forgets what no look reaches back to.
    fn forget(&mut self, before: Timestamp) {
        self.0.retain(|_, changed_at| *changed_at >= before);
    }
}

/// Tells the dispatcher of every delivery that changed at or after `since`.
pub async fn sweep(app: &App, since: Timestamp, now: Timestamp) -> Result<usize, OutboxError> {
    tell(app, since, now, &mut Told::default()).await
}

async fn tell(app: &App, since: Timestamp, now: Timestamp, told: &mut Told) -> Result<usize, OutboxError> {
    let mut after = None;
    let mut count = 0;
    loop {
        let page = app.store.changed_deliveries(since, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some((last.changed_at, last.id));
        let news = page.iter().filter(|swept| told.is_news(swept));
        let (add, drop): (Vec<_>, Vec<_>) =
            news.partition(|swept| swept.is_workable() && (swept.next_at <= now + WINDOW || is_begun(swept)));
        if !add.is_empty() {
            app.dispatcher.add(&hints(app, &add)).await?;
        }
        let drop: Vec<Place> = drop
            .iter()
            .map(|swept| Place { account: swept.account_id, lane: swept.lane.clone(), id: swept.id })
            .collect();
        if !drop.is_empty() {
            app.dispatcher.move_(&drop, None).await?;
        }
        count += page.len();
        if page.len() < PAGE as usize {
            return Ok(count);
        }
    }
}

/// Whether its lane may rest for it, however long.
fn is_begun(swept: &Swept) -> bool {
    matches!(swept.state, DeliveryState::Retry | DeliveryState::Verifying)
}

/// The lanes of what was unclear at the last look. What a person, or a worker that comes late, says to be out is not
/// swept; its lane would rest until the network was to be asked again.
#[derive(Default)]
struct Unclear(HashMap<DeliveryId, (AccountId, String)>);

impl Unclear {
    /// Opens the lanes of what is unclear no more.
    async fn look(&mut self, app: &App) -> Result<(), OutboxError> {
        let unclear = app.store.unclear_deliveries().await?;
        let unclear: HashMap<_, _> = unclear.into_iter().map(|it| (it.id, (it.account_id, it.lane))).collect();
        for (_, (account, lane)) in self.0.iter().filter(|(id, _)| !unclear.contains_key(id)) {
            app.dispatcher.gate(&Gate::Lane { account: *account, lane: lane.clone() }, None).await?;
        }
        self.0 = unclear;
        Ok(())
    }
}

/// Gives the dispatcher everything that is due within its window, and what lanes may rest for: at the start, every minute,
/// and whenever it has forgotten what it knew.
pub async fn load(app: &App, now: Timestamp) -> Result<usize, OutboxError> {
    let unclear = app.store.unclear_deliveries().await?;
    app.dispatcher.add(&hints(app, &unclear.iter().collect::<Vec<_>>())).await?;
    let mut after = None;
    let mut count = 0;
    loop {
        let page = app.store.workable_deliveries(now + WINDOW, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some((last.next_at, last.id));
        app.dispatcher.add(&hints(app, &page.iter().collect::<Vec<_>>())).await?;
        count += page.len();
        if page.len() < PAGE as usize {
            return Ok(count);
        }
    }
}

/// What a round of tending leaves to the next.
#[derive(Default)]
struct Tended {
    /// This process does what one does for all.
    reaps: bool,
    /// When a worker's lease ends next.
    next: Option<Timestamp>,
}

/// Brings the journal in, and does what one process does for all.
async fn tend(app: &App, sender: &Sender, now: Timestamp) -> Result<Tended, OutboxError> {
    sender.replay(now).await?;
    app.store.note_high_water(now).await?;
    let reaps = app.store.lease(REAPER, &app.worker, REAPER_LEASE, now).await?;
    let mut next = None;
    if reaps {
        let reaped = app.store.reap(app.config.delivery.settle, now).await?;
        if !reaped.is_empty() {
            info!(
                unclear = reaped.unclear,
                dropped = reaped.dropped,
                held = reaped.held,
                expired = reaped.expired,
                lifted = reaped.lifted,
                reopened = reaped.reopened,
                "deliveries moved on"
            );
            app.live.wake(Wake::Outbox);
            app.live.wake(Wake::Events);
        }
        metrics::gauge!(crate::telemetry::OUTBOX_DUE).set(app.store.due_count(now).await? as f64);
        next = app.store.next_to_reap(app.config.delivery.settle).await?;
    }
    Ok(Tended { reaps, next })
}

fn hints(app: &App, swept: &[&Swept]) -> Vec<Hint> {
    // A change may have been written while the clock was ahead.
    let now = app.store.clock();
    swept
        .iter()
        .map(|swept| Hint {
            id: swept.id,
            account: swept.account_id,
            lane: swept.lane.clone(),
            class: swept.class,
            // Another time whenever it changes, so that it is news even to whoever holds its lane, as what follows a
            // delivery that has just gone out.
            due: swept.next_at.max(swept.changed_at.min(now)),
            pace: app.policies.pace(swept.network),
        })
        .collect()
}

/// Something that comes round, the first time at once.
struct Every {
    period: Duration,
    last: Option<Instant>,
}

impl Every {
    fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    fn has_come(&mut self) -> bool {
        let come = self.last.is_none_or(|last| last.elapsed() >= self.period);
        if come {
            self.last = Some(Instant::now());
        }
        come
    }
}

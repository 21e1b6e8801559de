//! Starts the loops of a process by their roles, keeps them going and ends them cleanly.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::app::{App, AppError};
use crate::queue::redis::Server;
use crate::{alerts, deliver, heartbeat, listen, outbox, schedule, snooze, web};

/// How long the loops may take to end what is in hand.
const FAREWELL: Duration = Duration::from_millis(8_700);
/// What is committed is on the disk: closing the database only tidies up, and may wait for another process that holds it.
const CLOSING_AT_MOST: Duration = Duration::from_millis(300);
/// Before a loop that failed is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// What a process does; one does everything unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Listen,
    Deliver,
    Console,
}

impl Role {
    pub const ALL: [Role; 3] = [Self::Listen, Self::Deliver, Self::Console];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Deliver => "deliver",
            Self::Console => "console",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text.trim())
            .ok_or_else(|| format!("{text:?} is not a role; roles are listen, deliver and console"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error("the console cannot listen on {address}: {source}; free it or set console.listen to another address")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("signals cannot be heard: {0}")]
    Signals(std::io::Error),
}

/// Takes the console's address, so that a busy one is told before anything starts.
pub async fn bind(app: &App) -> Result<TcpListener, WorkerError> {
    let address = app.config.console.listen;
    TcpListener::bind(address).await.map_err(|source| WorkerError::Listen { address, source })
}

/// Runs the roles until SIGTERM, SIGINT or `app.shutdown`, then ends within ten seconds. `console` is the socket of
/// that role.
pub async fn run(app: Arc<App>, roles: &[Role], console: Option<TcpListener>) -> Result<(), WorkerError> {
    end_on_signal(&app)?;
    crate::telemetry::metrics();
    app.put_accounts().await?;
    let mut loops = JoinSet::new();
    if roles.contains(&Role::Listen) {
        loops.spawn(keep(app.clone(), "listen", listen::run));
        loops.spawn(keep(app.clone(), "snooze", |app| endless(snooze::run(app))));
    }
    if roles.contains(&Role::Deliver) {
        loops.spawn(keep(app.clone(), "outbox", |app| endless(outbox::run(app))));
        loops.spawn(keep(app.clone(), "deliver", |app| endless(deliver::run(app))));
        loops.spawn(keep(app.clone(), "schedule", |app| endless(schedule::run(app))));
    }
    let mine = roles.to_vec();
    loops.spawn(keep(app.clone(), heartbeat::NAME, move |app| endless(heartbeat::run(app, mine.clone()))));
    // In every process: a lease decides which one tells.
    loops.spawn(keep(app.clone(), "alerts", |app| endless(alerts::run(app))));
    if let Ok(server) = Server::parse(&app.config.queue.url) {
        loops.spawn(keep(app.clone(), "redis", move |app: Arc<App>| {
            let server = server.clone();
            endless(async move { app.live.share(&server, app.shutdown.clone()).await })
        }));
    }
    if let Some(listener) = console {
        loops.spawn(keep(app.clone(), "events", |app: Arc<App>| {
            endless(async move { app.live.follow(&app.store, app.shutdown.clone()).await })
        }));
        let app = app.clone();
        loops.spawn(async move {
            if let Err(error) = web::serve(app.clone(), listener).await {
                error!(%error, "the console ended: this process stops");
                app.shutdown.cancel();
            }
        });
    }
    info!(worker = %app.worker, roles = %roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","), "started");
    app.shutdown.cancelled().await;
    info!("ending: no new work is taken");
    let ended = tokio::time::timeout(FAREWELL, async { while loops.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        warn!(loops = loops.len(), "not everything ended in time; what was being sent is verified at the next start");
        loops.shutdown().await;
    }
    heartbeat::goodbye(&app).await;
    if tokio::time::timeout(CLOSING_AT_MOST, app.store.close()).await.is_err() {
        warn!("the database was not closed in time: another process holds it, or a statement takes long");
    }
    info!("ended");
    Ok(())
}

/// Runs one loop until it ends by itself; a panic or an error in it starts it again and stops no other.
async fn keep<Run, Ending, Fault>(app: Arc<App>, name: &'static str, run: Run)
where
    Run: Fn(Arc<App>) -> Ending + Send + 'static,
    Ending: Future<Output = Result<(), Fault>> + Send + 'static,
    Fault: fmt::Display + Send + 'static,
{
    while !app.shutdown.is_cancelled() {
        app.pulse.started(name);
        match tokio::spawn(run(app.clone())).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => {
                error!(role = name, error = %fault, "a loop failed and is started again");
                app.pulse.ended(name, fault.to_string());
            }
            Err(panic) => {
                error!(role = name, error = %panic, "a loop panicked and is started again: please report it");
                app.pulse.ended(name, "it panicked");
            }
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = tokio::time::sleep(RESTART_AFTER) => {}
        }
    }
}

/// A loop that ends only at the end.
async fn endless(run: impl Future<Output = ()>) -> Result<(), Infallible> {
    run.await;
    Ok(())
}

fn end_on_signal(app: &App) -> Result<(), WorkerError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(WorkerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(WorkerError::Signals)?;
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}

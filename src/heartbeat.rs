//! This process's signs of life in the database: other processes and people see who works, and who went away.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::app::App;
use crate::store::StoreError;
use crate::store::workers::Beat;
use crate::worker::Role;

/// The loop's name in `/readyz`.
pub const NAME: &str = "heartbeat";
const EVERY: Duration = Duration::from_secs(5);
/// The process is to be gone within ten seconds, and nearly all of them belong to its last calls.
const GOODBYE_AT_MOST: Duration = Duration::from_millis(500);

/// Tells of this process until `app.shutdown`; from then on that it takes nothing new. [`goodbye`] takes it off the list.
pub async fn run(app: Arc<App>, roles: Vec<Role>) {
    let host = host();
    let mut started_at = None;
    loop {
        let now = app.store.clock();
        let started_at = *started_at.get_or_insert(now);
        let delivers = roles.contains(&Role::Deliver) && !app.shutdown.is_cancelled();
        let beat =
            Beat { name: &app.worker, host: &host, pid: std::process::id(), roles: &roles, delivers, started_at };
        match app.store.beat(&beat, now).await {
            Ok(()) => app.pulse.beat(NAME),
            Err(error) => {
                warn!(%error, "this process could not give a sign of life, it tries again");
                app.pulse.fails(NAME, unwritten(&error));
            }
        }
        if app.shutdown.is_cancelled() {
            return;
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The process ends in good order. A database that does not answer does not hold it up.
pub async fn goodbye(app: &App) {
    match tokio::time::timeout(GOODBYE_AT_MOST, app.store.goodbye(&app.worker)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "this process could not say goodbye; it is shown as away for a day"),
        Err(_) => warn!("the database did not hear this process's goodbye; it is shown as away for a day"),
    }
}

/// Why nothing can be written, as far as everybody may know: a driver's own words may name hosts and users.
fn unwritten(error: &StoreError) -> String {
    match error {
        StoreError::Full(reason) => reason.clone(),
        _ => "the database takes nothing in; its words are in the log".to_owned(),
    }
}

/// The machine's name, as far as it can be told.
fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}

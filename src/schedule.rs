//! What one process at a time does for the schedule, by a lease: makes the occurrences of recurring posts and the digests,
//! and moves posts out of quiet hours.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, warn};

use crate::app::App;
use crate::store::StoreError;
use crate::{digest, quiet, recurring};

/// Of the loop and of its lease.
const NAME: &str = "schedule";
const ROUND_EVERY: Duration = Duration::from_secs(5);
const LEASE: Duration = Duration::from_secs(60);

/// Tends the schedule until the app shuts down.
pub async fn run(app: Arc<App>) {
    while !app.shutdown.is_cancelled() {
        app.pulse.beat(NAME);
        let now = app.store.clock();
        match app.store.lease(NAME, &app.worker, LEASE, now).await {
            Ok(true) => {
                if let Err(error) = round(&app, now).await {
                    error!(%error, "the schedule could not be tended; it is tried again");
                }
            }
            Ok(false) => {}
            Err(error) => error!(%error, "the lease of the schedule could not be taken; it is tried again"),
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = tokio::time::sleep(ROUND_EVERY) => {}
        }
    }
    if let Err(error) = app.store.give_back(NAME, &app.worker).await {
        warn!(%error, "the lease of the schedule could not be given back; it ends by itself");
    }
}

async fn round(app: &App, now: Timestamp) -> Result<(), StoreError> {
    recurring::round(app, now).await?;
    quiet::round(app, now).await?;
    digest::round(app, now).await?;
    Ok(())
}

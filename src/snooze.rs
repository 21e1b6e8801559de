//! Opens snoozed conversations again when their time has come.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::app::App;
use crate::live::Wake;

const EVERY: Duration = Duration::from_secs(2);

/// Sweeps until the process ends; several processes may.
pub async fn run(app: Arc<App>) {
    while !app.shutdown.is_cancelled() {
        match app.store.wake_snoozed().await {
            Ok(0) => {}
            Ok(_) => app.live.wake(Wake::Events),
            Err(error) => warn!(%error, "snoozed conversations could not be opened; it is tried again"),
        }
        app.pulse.beat("snooze");
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

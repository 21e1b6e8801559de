//! What machines ask: is the process alive, is it of use, and its numbers. No login, no personal data.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics::gauge;
use serde::Serialize;

use crate::app::App;
use crate::telemetry;

/// A database that needs longer for the smallest question is not there.
const PATIENCE: Duration = Duration::from_secs(3);

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .with_state(app)
}

async fn alive() -> &'static str {
    "ok\n"
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// 200 when the database answers and every loop runs (Redis may be away, which it says), 503 with the reasons otherwise,
/// also while shutting down.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let database = match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => None,
        // The driver's own words may name hosts and users; this page is open to everybody.
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the database does not answer");
            Some("the database does not answer; its words are in the log".to_owned())
        }
        Err(_) => Some(format!("the database did not answer within {} s", PATIENCE.as_secs())),
    };
    let mut checks = vec![Check { name: "database".to_owned(), ok: database.is_none(), reason: database }];
    for state in app.pulse.loops() {
        checks.push(Check { name: state.name.to_owned(), ok: state.trouble.is_none(), reason: state.trouble });
    }
    if app.shutdown.is_cancelled() {
        let reason = Some("the process is shutting down".to_owned());
        checks.push(Check { name: "process".to_owned(), ok: false, reason });
    }
    let ready = checks.iter().all(|check| check.ok);
    // The process does its work without Redis: no reason to take it out of use.
    if let Some(reason) = app.dispatcher.trouble() {
        checks.push(Check { name: "queue".to_owned(), ok: false, reason: Some(reason) });
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready, checks })).into_response()
}

/// The numbers in Prometheus' text form.
async fn numbers(State(app): State<Arc<App>>) -> Response {
    let metrics = telemetry::metrics();
    if let Ok(Ok(due)) = tokio::time::timeout(PATIENCE, app.store.due_count(app.store.clock())).await {
        gauge!(telemetry::OUTBOX_DUE).set(due as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

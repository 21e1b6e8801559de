//! What just happened, told to open pages as server-sent events; a page that lost the connection reads on from its mark.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event as Told, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use ulid::Ulid;

use super::auth::Viewer;
use super::error::Problem;
use crate::app::App;
use crate::live::Event;

/// More than this behind, and a page had better look at everything again.
const MOST_BEHIND: i64 = 200;
/// A transaction may end a little after its events' times.
const LATE_COMMIT: SignedDuration = SignedDuration::from_secs(5);

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/live", get(live))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    /// The last event the page heard of.
    after: String,
    /// When the page was made, in milliseconds: for one that heard of none yet.
    since: Option<i64>,
}

async fn live(
    _viewer: Viewer,
    State(app): State<Arc<App>>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or(&from.after);
    let mark = last.parse::<Ulid>().ok();
    let since = mark
        .and_then(|mark| Timestamp::from_millisecond(i64::try_from(mark.timestamp_ms()).ok()?).ok())
        .or_else(|| from.since.and_then(|since| Timestamp::from_millisecond(since).ok()));
    // Listening begins before looking back, so that nothing falls between the two.
    let receiver = app.live.subscribe();
    let missed = match since {
        Some(since) => missed(&app, since, mark).await?,
        None => Missed::Nothing,
    };
    let mut seen = HashSet::new();
    let first: Vec<Told> = match missed {
        Missed::Nothing => Vec::new(),
        Missed::TooMuch => vec![Told::default().event("reload").data("")],
        Missed::Events(events) => {
            seen.extend(events.iter().map(|event| event.id.clone()));
            events.iter().map(told).collect()
        }
    };
    let shutdown = app.shutdown.clone();
    let on = stream::unfold((receiver, seen), |(mut receiver, mut seen)| async move {
        loop {
            return match receiver.recv().await {
                Ok(event) if seen.remove(&event.id) => continue,
                Ok(event) => Some((told(&event), (receiver, seen))),
                Err(RecvError::Lagged(_)) => Some((Told::default().event("reload").data(""), (receiver, seen))),
                Err(RecvError::Closed) => None,
            };
        }
    });
    let hello = Told::default().comment("hello").retry(Duration::from_secs(2));
    let events = stream::once(async { hello }).chain(stream::iter(first)).chain(on);
    // Ended by the worker's end, so that open pages never hold it up.
    let events = until(events.map(Ok::<_, Infallible>), async move { shutdown.cancelled().await });
    let alive = KeepAlive::new().interval(Duration::from_secs(20));
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    let no_buffer = (HeaderName::from_static("x-accel-buffering"), "no");
    response.headers_mut().insert(no_buffer.0, no_buffer.1.parse().expect("a header value"));
    response.headers_mut().insert(header::CACHE_CONTROL, "no-store".parse().expect("a header value"));
    Ok(response)
}

fn until<S: Stream>(events: S, end: impl Future<Output = ()>) -> impl Stream<Item = S::Item> {
    events.take_until(end)
}

enum Missed {
    Nothing,
    Events(Vec<Event>),
    TooMuch,
}

/// What happened since, told again a little too much rather than too little: a page only looks again.
async fn missed(app: &App, since: Timestamp, mark: Option<Ulid>) -> Result<Missed, Problem> {
    let from = since.saturating_sub(LATE_COMMIT).unwrap_or(since);
    let events = app.store.events_since(from, MOST_BEHIND + 1).await?;
    if events.len() as i64 > MOST_BEHIND {
        return Ok(Missed::TooMuch);
    }
    let mark = mark.map(|mark| mark.to_string());
    let events = events
        .into_iter()
        .map(|(_, event)| Event { id: event.id, kind: event.kind, subject_id: event.subject_id })
        .filter(|event| Some(&event.id) != mark.as_ref())
        .collect();
    Ok(Missed::Events(events))
}

fn told(event: &Event) -> Told {
    Told::default().event(&event.kind).id(&event.id).data(&event.subject_id)
}

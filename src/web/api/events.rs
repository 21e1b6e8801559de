//! What happens, as it happens: ids and kinds, to be read on by `GET` of their subject.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use ulid::Ulid;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::live;
use crate::web::error::Problem;

/// Events given again after a break; who missed more reads the lists.
const MOST_REPLAYED: i64 = 1000;
/// An event may become visible this much after its time.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Server-sent events: `event` is the kind, `data` is `{"id","kind","subject_id"}`.
///
/// With `Last-Event-ID` what came since is given first. An event may come twice, never too seldom; `reload` says that
/// too much was missed to be given one by one.
#[utoipa::path(get, path = "/events", tag = "events", params(("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
async fn events(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    // Heard from before the replay is read, so that nothing falls between the two.
    let heard = app.live.subscribe();
    let missed = match last {
        None => Vec::new(),
        Some(last) => {
            let mark = Ulid::from_string(last).map_err(|_| Problem::malformed("Last-Event-ID is not an event's id"))?;
            let at = i64::try_from(mark.timestamp_ms()).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let at = at.ok_or_else(|| Problem::malformed("Last-Event-ID is not an event's id"))?;
            let since = at.saturating_sub(OVERLAP).map_err(Problem::internal)?;
            let missed = app.store.events_since(since, MOST_REPLAYED).await?;
            if missed.len() as i64 == MOST_REPLAYED {
                vec![Event::default().event("reload").data("{}")]
            } else {
                missed.iter().filter(|(_, event)| event.id != last).map(|(_, event)| told(event)).collect()
            }
        }
    };
    let shutdown = app.shutdown.clone();
    let stream =
        stream::iter(missed.into_iter().map(Ok)).chain(following(heard)).take_until(shutdown.cancelled_owned());
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

fn following(
    heard: tokio::sync::broadcast::Receiver<live::Event>,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(heard, |mut heard| async move {
        match heard.recv().await {
            Ok(event) => Some((Ok(told(&event)), heard)),
            Err(RecvError::Lagged(_)) => Some((Ok(Event::default().event("reload").data("{}")), heard)),
            Err(RecvError::Closed) => None,
        }
    })
}

fn told(event: &live::Event) -> Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().id(&event.id).event(&event.kind).data(data)
}

//! Idempotency keys: a request that is sent again, because its answer got lost, has its effect once.
//!
//! Replies and posts keep their key with their delivery, a file imported again changes nothing; every other creating call
//! goes through [`once`].

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::warn;

use super::LARGEST_BODY;
use super::caller::Caller;
use crate::app::App;
use crate::store::answers::Answer;
use crate::web::credentials::hash_of;
use crate::web::error::Problem;

const KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 200;

/// In the extensions of an answer that holds a secret: it is not kept.
#[derive(Clone)]
pub struct HoldsSecret;

/// The request's idempotency key.
pub fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Problem::malformed(format!("the header Idempotency-Key must have 1 to {LONGEST_KEY} plain characters"))
    })
}

/// Runs a creating call once for its key and gives the same answer again.
pub async fn once(State(app): State<Arc<App>>, caller: Caller, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let once_by_itself = path.ends_with("/replies") || path.ends_with("/posts") || path.contains("/imports/");
    if request.method() != Method::POST || once_by_itself {
        return next.run(request).await;
    }
    match key_of(request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => keyed(&app, &caller, &key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => problem.into_response(),
    }
}

async fn keyed(app: &App, caller: &Caller, key: &str, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "the body is too large",
            format!("a body may have at most {LARGEST_BODY} bytes here"),
        )
    })?;
    let content = format!("{} {}\n{}", parts.method, parts.uri.path(), String::from_utf8_lossy(&bytes));
    match app.store.take_answer(&caller.actor, key, &hash_of(&content)).await? {
        Answer::New => {}
        Answer::Running => {
            return Err(Problem::conflict("the first request with this idempotency key still runs").retry_after(1));
        }
        Answer::Other => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "the idempotency key was used for something else",
                format!("the key {key:?} came before with another request"),
            )
            .next("make a new key for every new request"));
        }
        Answer::Given { body: None, .. } => {
            return Err(Problem::conflict("this was done already, and its secret is shown only once")
                .next("revoke what was made and make a new one, with a new key"));
        }
        Answer::Given { status, body: Some(body) } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
            return Ok((status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response());
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (mut parts, body) = response.into_parts();
    let status = parts.status;
    let bytes = to_bytes(body, usize::MAX).await.map_err(Problem::internal)?;
    // What was refused had no effect: once its cause is gone, the same request may succeed.
    let kept = match (status.is_success(), parts.extensions.remove::<HoldsSecret>().is_some()) {
        (false, _) => app.store.drop_answer(&caller.actor, key).await,
        (true, true) => app.store.keep_answer(&caller.actor, key, status.as_u16(), None).await,
        (true, false) => {
            let body = String::from_utf8_lossy(&bytes);
            app.store.keep_answer(&caller.actor, key, status.as_u16(), Some(&body)).await
        }
    };
    if let Err(error) = kept {
        warn!(error = %error, "an answer could not be kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

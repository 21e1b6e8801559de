//! The console and the JSON API.

pub mod account_form;
pub mod accounts;
pub mod api;
pub mod assets;
pub mod auth;
pub mod calendar;
pub mod campaigns;
pub mod chart;
pub mod composer;
pub mod contacts;
pub mod conversation;
mod correction;
pub mod credentials;
pub mod deliveries;
pub mod error;
pub mod health;
pub mod highlight;
pub mod icons;
pub mod inbox;
pub mod layout;
pub mod live;
pub mod locale;
pub mod login;
pub mod parts;
pub mod person;
pub mod post_form;
pub mod quiet;
pub mod recurring;
mod repeat_fields;
pub mod security;
pub mod sentiment;
pub mod texts;
pub mod thread;
mod turkish;
pub mod unparsed;
pub mod users;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use muhatap_connectors::Network;
use tokio::net::TcpListener;

use crate::app::App;
use auth::Viewer;
use error::Problem;
use locale::Locale;

/// Whether anything can be written on this network at all.
pub fn can_publish(network: Network) -> bool {
    !network.only_tells() && !matches!(network, Network::Rss | Network::File)
}

/// Bytes of an extractor's refusal that are shown.
const LONGEST_REFUSAL: usize = 2_000;

/// The console, the API and what operators look at, under one roof.
pub fn router(app: Arc<App>) -> Router {
    let pages = Router::new()
        .merge(inbox::router())
        .merge(conversation::router())
        .merge(correction::router())
        .merge(person::router())
        .merge(calendar::router())
        .merge(post_form::router())
        .merge(recurring::router())
        .merge(campaigns::router())
        .merge(quiet::router())
        .merge(deliveries::router())
        .merge(sentiment::router())
        .merge(accounts::router())
        .merge(account_form::router())
        .merge(unparsed::router())
        .merge(contacts::router())
        .merge(users::router())
        .merge(webhooks::router())
        .merge(live::router())
        .merge(assets::router())
        .merge(login::router(Arc::clone(&app)))
        .fallback(|| async { Problem::not_found("there is no such page") })
        .layer(from_fn_with_state(Arc::clone(&app), problems_as_pages))
        .layer(from_fn_with_state(Arc::clone(&app), auth::guard));
    Router::new()
        .merge(pages.with_state(Arc::clone(&app)))
        .merge(health::router(Arc::clone(&app)))
        .route_service("/api/{*rest}", api::router(app).into_service())
}

/// Serves the console until the worker ends; open pages do not hold it up.
pub async fn serve(app: Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    match login::setup_link(&app).await {
        // For the eyes of whoever started it; a log may be read by others.
        Ok(Some(link)) => eprintln!("the console has no user yet: make the first one, once, at {link}"),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the set-up link could not be made; add a user with: muhatap user add"),
    }
    let shutdown = app.shutdown.clone();
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(async move { shutdown.cancelled().await }).await
}

/// Gives people a page where programs get problem details.
async fn problems_as_pages(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let viewer = request.extensions().get::<Viewer>().cloned();
    let response = next.run(request).await;
    let (Some(viewer), true) = (viewer, wants_page) else { return response };
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let response = match response.extensions().get::<Problem>() {
        None if response.status().is_client_error() && !is_page => not_taken(response).await.into_response(),
        _ => response,
    };
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let locale = Locale { language: viewer.language, timezone: viewer.timezone, now: app.store.clock() };
    (problem.status_code(), layout::problem_page(&locale, problem)).into_response()
}

/// A field that is missing is what happens most; the rest are the framework's words as they are.
fn in_our_words(said: &str) -> String {
    match said.split_once("missing field `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((field, _)) => format!("the field {field:?} is missing"),
        None => said.to_owned(),
    }
}

/// What the router or an extractor refused before a handler saw it, in words for people.
async fn not_taken(response: Response) -> Problem {
    let status = response.status();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return Problem::new(status, "method", "not done that way", "this address does not take that method");
    }
    let said = to_bytes(response.into_body(), LONGEST_REFUSAL).await.unwrap_or_default();
    let said = match said.is_empty() {
        true => status.to_string(),
        false => in_our_words(&String::from_utf8_lossy(&said)),
    };
    let detail = format!("the form or the address is not one that this console writes: {said}");
    Problem::new(status, "malformed", "the request cannot be read", detail)
        .next("go back, load the page again and repeat what you did")
}

//! Webhooks: where events go, how that is doing, and sending again what came to nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::HoldsSecret;
use super::caller::Caller;
use super::deliveries::short;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, DeliveryId, EventKind, Scope};
use crate::store::webhooks::{Endpoint, EventView, Replay};
use crate::web::error::Problem;
use crate::webhooks::{self as own, Change, Wanted};

/// The newest events of an endpoint that are listed.
const MOST_LISTED: i64 = 200;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(webhooks, add))
        .routes(routes!(webhook, change, remove))
        .routes(routes!(events))
        .routes(routes!(new_secret))
        .routes(routes!(test))
        .routes(routes!(replay))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

list_params! {
    /// The list is always whole.
    WebhookParams {}
}

impl Row for Endpoint {
    const NAME: &'static str = "webhooks";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "brand",
        "url",
        "events",
        "health",
        "health_reason",
        "paused_at",
        "waiting",
        "dead",
        "unkept",
        "last_sent_at",
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            self.name.as_str().into(),
            self.brand.as_str().into(),
            self.url.as_str().into(),
            self.events.join(" ").into(),
            self.health.as_str().into(),
            self.health_reason.as_deref().into(),
            self.paused_at.into(),
            self.waiting.into(),
            self.dead.into(),
            self.unkept.into(),
            self.last_sent_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Every webhook with what waits for it and what came to nothing.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", params(WebhookParams), responses(
    (status = 200, description = "The list, or CSV", content((Page<Endpoint> = "application/json"), (String = "text/csv"))),
))]
async fn webhooks(
    State(app): State<Arc<App>>,
    Params(params): Params<WebhookParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.endpoints().await?);
    list(wanted, &headers, fetch).await
}

/// One webhook.
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", params(("id" = AccountId, Path)),
    responses((status = 200, body = Endpoint)))]
async fn webhook(State(app): State<Arc<App>>, Id(id): Id<AccountId>) -> Result<Json<Endpoint>, Problem> {
    Ok(Json(app.store.endpoint(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// 1 to 64 characters, unlike every other webhook's and account's; it stays.
    name: String,
    /// Hears of this brand's accounts.
    #[serde(default)]
    brand: String,
    /// Where events are posted to, at a public address.
    #[schema(example = "https://crm.example/hooks/muhatap")]
    url: String,
    events: Vec<EventKind>,
}

/// A webhook with a secret that is shown this once. Events are signed with it as the Standard Webhooks specification
/// says: `webhook-signature` holds `v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64.
#[derive(Debug, Serialize, ToSchema)]
struct MadeSecret {
    webhook: Endpoint,
    #[schema(example = "whsec_…")]
    secret: String,
}

async fn made(app: &App, status: StatusCode, id: AccountId, secret: &SecretString) -> Result<Response, Problem> {
    let made = MadeSecret { webhook: app.store.endpoint(id).await?, secret: secret.expose_secret().to_owned() };
    let mut response = (status, Json(made)).into_response();
    response.extensions_mut().insert(HoldsSecret);
    Ok(response)
}

fn words(events: &[EventKind]) -> Vec<String> {
    events.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Adds a webhook. It hears of what happens from now on.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewWebhook, responses((status = 201, body = MadeSecret)))]
async fn add(State(app): State<Arc<App>>, caller: Caller, Body(new): Body<NewWebhook>) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let wanted = Wanted { name: new.name, brand: new.brand, url: new.url, events: words(&new.events) };
    let (id, secret) = own::add(&app, &wanted, &caller.actor).await?;
    made(&app, StatusCode::CREATED, id, &secret).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChange {
    brand: Option<String>,
    /// What waits goes to the new address.
    url: Option<String>,
    events: Option<Vec<EventKind>>,
}

/// Changes a webhook that was added here or in the console; what is not given stays.
#[utoipa::path(patch, path = "/webhooks/{id}", tag = "webhooks", params(("id" = AccountId, Path)),
    request_body = WebhookChange, responses((status = 200, body = Endpoint)))]
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<WebhookChange>,
) -> Result<Json<Endpoint>, Problem> {
    caller.must(Scope::Admin)?;
    let change = Change { brand: new.brand, url: new.url, events: new.events.as_deref().map(words) };
    own::change(&app, id, &change, &caller.actor).await?;
    Ok(Json(app.store.endpoint(id).await?))
}

/// Takes a webhook that was added here or in the console out of use: its secret is forgotten and it hears no more.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", params(("id" = AccountId, Path)),
    responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<AccountId>) -> Result<StatusCode, Problem> {
    caller.must(Scope::Admin)?;
    own::remove(&app, id, &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The newest events of a webhook, each with its state and why it is not there yet; at most 200. Deliveries of their own,
/// whose calls are under `/deliveries/{id}`.
#[utoipa::path(get, path = "/webhooks/{id}/events", tag = "webhooks", params(("id" = AccountId, Path)),
    responses((status = 200, body = Vec<EventView>)))]
async fn events(State(app): State<Arc<App>>, Id(id): Id<AccountId>) -> Result<Json<Vec<EventView>>, Problem> {
    app.store.endpoint(id).await?;
    Ok(Json(app.store.endpoint_events(id, MOST_LISTED).await?))
}

/// Gives a webhook a new secret, shown this once. For a day events carry two signatures, the former secret's too.
#[utoipa::path(post, path = "/webhooks/{id}/secret", tag = "webhooks",
    params(("id" = AccountId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = MadeSecret)))]
async fn new_secret(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<AccountId>) -> Result<Response, Problem> {
    caller.must(Scope::Admin)?;
    let secret = own::rotate(&app, id, &caller.actor).await?;
    made(&app, StatusCode::OK, id, &secret).await
}

/// The event that was made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeEvent {
    /// The delivery, and the `webhook-id` that the receiver sees.
    id: DeliveryId,
}

/// Sends a webhook the event `webhook.test`, whatever it asked for.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "webhooks",
    params(("id" = AccountId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = MadeEvent)))]
async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
) -> Result<(StatusCode, Json<MadeEvent>), Problem> {
    let id = app.store.test_endpoint(id, &caller.actor).await?;
    wake(&app);
    Ok((StatusCode::ACCEPTED, Json(MadeEvent { id })))
}

/// Which events are sent again: one, or those that happened since. All, where neither is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReplay {
    delivery_id: Option<DeliveryId>,
    since: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    replayed: u64,
}

/// Sends dead letters (`failed`, `expired`, `held`) again in the order they happened, under their old ids.
#[utoipa::path(post, path = "/webhooks/{id}/replay", tag = "webhooks", params(("id" = AccountId, Path)),
    request_body = NewReplay, responses((status = 200, body = Replayed)))]
async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<NewReplay>,
) -> Result<Json<Replayed>, Problem> {
    let which = match (new.delivery_id, new.since) {
        (Some(_), Some(_)) => return Err(Problem::invalid("since", "say delivery_id or since, not both")),
        (Some(delivery), None) => Replay::One(delivery),
        (None, since) => Replay::Since(since.unwrap_or(Timestamp::UNIX_EPOCH)),
    };
    app.store.endpoint(id).await?;
    let replayed = app.store.replay_events(id, which, &caller.actor).await?;
    wake(&app);
    Ok(Json(Replayed { replayed }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookPause {
    #[serde(default)]
    reason: String,
}

/// Sends a webhook nothing until it is resumed; its events wait.
#[utoipa::path(post, path = "/webhooks/{id}/pause", tag = "webhooks", params(("id" = AccountId, Path)),
    request_body = WebhookPause, responses((status = 200, body = Endpoint)))]
async fn pause(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<WebhookPause>,
) -> Result<Json<Endpoint>, Problem> {
    app.store.endpoint(id).await?;
    app.store.pause_account(id, &short(&new.reason)?, &caller.actor).await?;
    wake(&app);
    Ok(Json(app.store.endpoint(id).await?))
}

/// Sends a webhook its events again, what waited first.
#[utoipa::path(post, path = "/webhooks/{id}/resume", tag = "webhooks", params(("id" = AccountId, Path)),
    responses((status = 200, body = Endpoint)))]
async fn resume(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<AccountId>) -> Result<Json<Endpoint>, Problem> {
    app.store.endpoint(id).await?;
    app.store.resume_account(id, app.config.delivery.release_spacing, &caller.actor).await?;
    wake(&app);
    Ok(Json(app.store.endpoint(id).await?))
}

fn wake(app: &App) {
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
}

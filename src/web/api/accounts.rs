//! Accounts: how they are doing, how complete they are, and pausing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::deliveries::short;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::accounts::{self as own, Wanted};
use crate::app::App;
use crate::compose;
use crate::live::Wake;
use crate::model::{AccountId, Scope};
use crate::store::inbox::AccountView;
use crate::store::removal::Waiting;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts, add))
        .routes(routes!(account, change, remove))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(measure))
}

list_params! {
    /// The list is always whole.
    AccountParams {}
}

impl Row for AccountView {
    const NAME: &'static str = "accounts";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "network",
        "brand",
        "handle",
        "health",
        "health_reason",
        "complete_up_to",
        "gaps",
        "unparsed",
        "paused_at",
        "pause_reason",
        "profile_url",
    ];

    fn cells(&self) -> Vec<Cell> {
        let gaps = self.streams.iter().map(|stream| stream.gaps.len()).sum::<usize>();
        let account = &self.account;
        vec![
            Cell::of(account.id),
            account.name.as_str().into(),
            account.network.as_str().into(),
            account.brand.as_str().into(),
            account.handle.as_deref().into(),
            account.health.as_str().into(),
            account.health_reason.as_deref().into(),
            self.complete_up_to.into(),
            (gaps as i64).into(),
            self.unparsed.into(),
            account.paused_at.into(),
            account.pause_reason.as_deref().into(),
            account.profile_url.as_deref().into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Every account with its health, its streams, how far each is complete, and its gaps.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(AccountParams), responses(
    (status = 200, description = "The list, or CSV", content((Page<AccountView> = "application/json"), (String = "text/csv"))),
))]
async fn accounts(
    State(app): State<Arc<App>>,
    Params(params): Params<AccountParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.account_views().await?);
    list(wanted, &headers, fetch).await
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, body = AccountView)))]
async fn account(State(app): State<Arc<App>>, Id(id): Id<AccountId>) -> Result<Json<AccountView>, Problem> {
    Ok(Json(app.store.account_view(id).await?))
}

/// A secret that comes in and never goes out. What stands in its place is not repeated if it is no text.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => Ok(Some(text.into())),
        _ => Err(serde::de::Error::custom("token must be a text")),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccountBody {
    /// 1 to 64 characters, unlike every other account's; it stays.
    name: String,
    /// `mastodon`, `bluesky`, `matrix`, `telegram` or `rss`.
    network: String,
    #[serde(default)]
    brand: String,
    /// The server's address; for a feed the feed's own.
    #[serde(default)]
    base_url: String,
    /// The login name, where the network wants one beside the secret.
    #[serde(default)]
    user: String,
    /// The access token, bot token or (app) password; no answer ever holds it.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, write_only)]
    token: Option<SecretString>,
    /// Names, hashtags and keywords.
    #[serde(default)]
    listen_for: Vec<String>,
    /// From 5 to 86400; 30 unless said.
    poll_seconds: Option<u32>,
    /// An IANA name, such as `Europe/Istanbul`; the installation's unless said.
    #[serde(default)]
    timezone: String,
}

/// Adds an account once its network has accepted the credentials. It is listened on at once.
#[utoipa::path(post, path = "/accounts", tag = "accounts", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewAccountBody, responses((status = 201, body = AccountView)))]
async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewAccountBody>,
) -> Result<(StatusCode, Json<AccountView>), Problem> {
    caller.must(Scope::Admin)?;
    let wanted = Wanted {
        name: new.name,
        network: new.network,
        brand: new.brand,
        base_url: new.base_url,
        user: new.user,
        token: new.token,
        listen_for: new.listen_for,
        poll_seconds: new.poll_seconds,
        timezone: new.timezone,
    };
    let id = own::add(&app, &wanted, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(app.store.account_view(id).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChangeBody {
    brand: Option<String>,
    /// Another address or user needs the token too; an empty text takes it out.
    base_url: Option<String>,
    user: Option<String>,
    /// A new secret in place of the former one; no answer ever holds it.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, write_only)]
    token: Option<SecretString>,
    listen_for: Option<Vec<String>>,
    poll_seconds: Option<u32>,
    timezone: Option<String>,
}

/// Changes an account that was added here or in the console; what is not given stays.
#[utoipa::path(patch, path = "/accounts/{id}", tag = "accounts", params(("id" = AccountId, Path)),
    request_body = AccountChangeBody, responses((status = 200, body = AccountView)))]
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<AccountChangeBody>,
) -> Result<Json<AccountView>, Problem> {
    caller.must(Scope::Admin)?;
    let former = Wanted::of(&app.store.account(id).await?);
    let wanted = Wanted {
        brand: new.brand.unwrap_or(former.brand),
        base_url: new.base_url.unwrap_or(former.base_url),
        user: new.user.unwrap_or(former.user),
        token: new.token,
        listen_for: new.listen_for.unwrap_or(former.listen_for),
        poll_seconds: new.poll_seconds.or(former.poll_seconds),
        timezone: new.timezone.unwrap_or(former.timezone),
        name: former.name,
        network: former.network,
    };
    own::change(&app, id, &wanted, &caller.actor).await?;
    Ok(Json(app.store.account_view(id).await?))
}

/// Takes an account that was added here or in the console out of use: it is paused, its secrets are forgotten, and what
/// it heard and sent stays. What waits on it is cancelled, and recurring posts end for it: `cancelled` counts both.
/// Added again under its name it listens and sends again.
#[utoipa::path(delete, path = "/accounts/{id}", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, body = RemovedAccount)))]
async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
) -> Result<Json<RemovedAccount>, Problem> {
    caller.must(Scope::Admin)?;
    let cancelled = own::remove(&app, id, &caller.actor).await?;
    Ok(Json(RemovedAccount { account: app.store.account_view(id).await?, cancelled }))
}

#[derive(Debug, Serialize, ToSchema)]
struct RemovedAccount {
    #[serde(flatten)]
    account: AccountView,
    /// What waited on it.
    cancelled: Waiting,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPause {
    #[serde(default)]
    reason: String,
}

/// Neither polls nor sends on this account until it is resumed.
#[utoipa::path(post, path = "/accounts/{id}/pause", tag = "accounts", params(("id" = AccountId, Path)),
    request_body = NewPause, responses((status = 200, body = AccountView)))]
async fn pause(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<NewPause>,
) -> Result<Json<AccountView>, Problem> {
    app.store.account_view(id).await?;
    app.store.pause_account(id, &short(&new.reason)?, &caller.actor).await?;
    changed(&app, id).await
}

/// Polls and sends again; what was missed is read, what became late is held.
#[utoipa::path(post, path = "/accounts/{id}/resume", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, body = AccountView)))]
async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
) -> Result<Json<AccountView>, Problem> {
    app.store.account_view(id).await?;
    app.store.resume_account(id, app.config.delivery.release_spacing, &caller.actor).await?;
    changed(&app, id).await
}

async fn changed(app: &App, id: AccountId) -> Result<Json<AccountView>, Problem> {
    for wake in [Wake::Streams, Wake::Outbox, Wake::Events] {
        app.live.wake(wake);
    }
    Ok(Json(app.store.account_view(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Draft {
    text: String,
}

/// How long a text is as the account's network counts.
#[derive(Debug, Serialize, ToSchema)]
struct Measured {
    used: usize,
    limit: usize,
    fits: bool,
}

/// Measures a text as the account's network counts it; stores nothing.
#[utoipa::path(post, path = "/accounts/{id}/measure", tag = "accounts", params(("id" = AccountId, Path)),
    request_body = Draft, responses((status = 200, body = Measured)))]
async fn measure(
    State(app): State<Arc<App>>,
    Id(id): Id<AccountId>,
    Body(draft): Body<Draft>,
) -> Result<Json<Measured>, Problem> {
    let length = compose::measure(&app, id, &draft.text).await?;
    Ok(Json(Measured { used: length.used, limit: length.limit, fits: length.fits() }))
}

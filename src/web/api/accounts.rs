//! Accounts: how they are doing, how complete they are, and pausing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::deliveries::short;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::compose;
use crate::live::Wake;
use crate::model::AccountId;
use crate::store::inbox::AccountView;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(account))
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
    app.store.resume_account(id, &caller.actor).await?;
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

//! Sending as a whole: what is stopped, how it goes on, and which processes work.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::deliveries::{short, spacing};
use super::read::Body;
use crate::app::App;
use crate::live::Wake;
use crate::model::AccountId;
use crate::standing::{Scope, Stop};
use crate::store::stops::Release;
use crate::store::workers::WorkerView;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(sending)).routes(routes!(stop)).routes(routes!(resume)).routes(routes!(workers))
}

/// Whether anything is sent at all, and what is not.
#[derive(Debug, Serialize, ToSchema)]
struct Sending {
    /// Nothing is sent since; missing while sending goes on, if only of a part.
    stopped_at: Option<Timestamp>,
    reason: Option<String>,
    stops: Vec<Stopped>,
}

/// A stop, and what comes of it.
#[derive(Debug, Serialize, ToSchema)]
struct Stopped {
    #[serde(flatten)]
    stop: Stop,
    /// Calls and preparations of it that still go on; with none it is drained.
    under_way: i64,
    /// What resuming it now would let out.
    resume: Release,
}

async fn sending_now(app: &App) -> Result<Sending, Problem> {
    let spacing = app.config.delivery.release_spacing;
    let mut stops = Vec::new();
    for stop in app.store.stops().await? {
        let under_way = app.store.under_way(&stop.scope).await?;
        let resume = app.store.resume_plan(&stop.scope, spacing).await?;
        stops.push(Stopped { stop, under_way, resume });
    }
    let all = stops.iter().map(|stopped| &stopped.stop).find(|stop| stop.scope == Scope::All);
    Ok(Sending { stopped_at: all.map(|stop| stop.stopped_at), reason: all.map(|stop| stop.reason.clone()), stops })
}

/// Whether anything is sent at all, and what is not.
#[utoipa::path(get, path = "/sending", tag = "deliveries", responses((status = 200, body = Sending)))]
async fn sending(State(app): State<Arc<App>>) -> Result<Json<Sending>, Problem> {
    Ok(Json(sending_now(&app).await?))
}

/// How much is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Extent {
    #[default]
    All,
    /// Posts on every account; replies and deletions go on.
    Posts,
    /// The account that `account_id` names.
    Account,
    /// Every account that shares the network and address of the one that `account_id` names.
    App,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStop {
    /// `all` unless said.
    #[serde(default)]
    scope: Extent,
    /// With `account` and `app`.
    account_id: Option<AccountId>,
    /// Shown to whoever wonders why nothing goes out.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewResume {
    /// `all` unless said.
    #[serde(default)]
    scope: Extent,
    /// With `account` and `app`.
    account_id: Option<AccountId>,
    /// Seconds between two posts of an account, up to a day; as configured (`delivery.release_spacing_seconds`) unless
    /// said.
    #[schema(maximum = 86400)]
    spacing_seconds: Option<u32>,
}

/// What goes on, and what is still stopped.
#[derive(Debug, Serialize, ToSchema)]
struct Resumed {
    #[serde(flatten)]
    sending: Sending,
    released: Release,
}

async fn scope(app: &App, extent: Extent, account: Option<AccountId>) -> Result<Scope, Problem> {
    let named = |what: &str| Problem::invalid("account_id", format!("name the account whose {what} is meant"));
    Ok(match (extent, account) {
        (Extent::All, None) => Scope::All,
        (Extent::Posts, None) => Scope::Posts,
        (Extent::Account, Some(account_id)) => Scope::Account { account_id },
        (Extent::App, Some(id)) => app.store.account(id).await?.app(),
        (Extent::Account, None) => return Err(named("sending")),
        (Extent::App, None) => return Err(named("app")),
        (Extent::All | Extent::Posts, Some(_)) => {
            return Err(Problem::invalid(
                "account_id",
                "all and posts are of every account: leave it out, or change scope",
            ));
        }
    })
}

/// Stops sending: everything, all posts, an account, or the accounts of an app.
///
/// What is being called ends; listening goes on.
#[utoipa::path(post, path = "/sending/stop", tag = "deliveries", request_body = NewStop,
    responses((status = 200, body = Sending)))]
async fn stop(State(app): State<Arc<App>>, caller: Caller, Body(new): Body<NewStop>) -> Result<Json<Sending>, Problem> {
    let scope = scope(&app, new.scope, new.account_id).await?;
    app.store.stop(&scope, &short(&new.reason)?, &caller.actor).await?;
    told(&app);
    Ok(Json(sending_now(&app).await?))
}

/// Sends again: posts that became due go out spaced, answers at once; what became late is held.
#[utoipa::path(post, path = "/sending/resume", tag = "deliveries", request_body = NewResume,
    responses((status = 200, body = Resumed)))]
async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewResume>,
) -> Result<Json<Resumed>, Problem> {
    let scope = scope(&app, new.scope, new.account_id).await?;
    let spacing = spacing(&app, new.spacing_seconds)?;
    let released = app.store.resume(&scope, spacing, &caller.actor).await?;
    told(&app);
    Ok(Json(Resumed { sending: sending_now(&app).await?, released }))
}

fn told(app: &App) {
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
}

/// Every process that works on this database, and what it has in hand.
#[utoipa::path(get, path = "/workers", tag = "deliveries", responses((status = 200, body = Vec<WorkerView>)))]
async fn workers(State(app): State<Arc<App>>) -> Result<Json<Vec<WorkerView>>, Problem> {
    Ok(Json(app.store.workers().await?))
}

//! Quiet hours of an account: when it publishes no posts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::read::{Body, Id};
use crate::app::App;
use crate::model::{AccountId, Scope};
use crate::quiet::{self, QuietHours};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(quiet_hours, set))
}

/// An account's quiet hours.
#[derive(Debug, Serialize, ToSchema)]
struct Quiet {
    /// Missing where it has none.
    hours: Option<QuietHours>,
    /// Posts that this very change moved to a later time.
    moved_later: usize,
    /// Posts that this very change moved to an earlier time: when they were wanted, or the first moment allowed since.
    moved_back: usize,
}

/// When the account publishes no posts, in its own zone.
#[utoipa::path(get, path = "/accounts/{id}/quiet-hours", tag = "schedule", params(("id" = AccountId, Path)),
    responses((status = 200, body = Quiet)))]
async fn quiet_hours(State(app): State<Arc<App>>, Id(id): Id<AccountId>) -> Result<Json<Quiet>, Problem> {
    app.store.account(id).await?;
    Ok(Json(Quiet { hours: app.store.quiet_hours(id).await?, moved_later: 0, moved_back: 0 }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewQuiet {
    /// `null` ends them; it must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    hours: Option<QuietHours>,
}

/// Sets or ends an account's quiet hours. Posts wanted inside of them move to their end, one after the other, in the order
/// they were wanted; what earlier quiet hours moved and these do not goes back to its time, or goes as soon as it may where
/// that has passed. What a person moved stays; replies and takedowns go on.
#[utoipa::path(put, path = "/accounts/{id}/quiet-hours", tag = "schedule", params(("id" = AccountId, Path)),
    request_body = NewQuiet, responses((status = 200, body = Quiet)))]
async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Body(new): Body<NewQuiet>,
) -> Result<Json<Quiet>, Problem> {
    caller.must(Scope::Admin)?;
    let hours = match new.hours {
        Some(hours) => {
            Some(QuietHours::new(hours.from, hours.until).map_err(|error| Problem::invalid("hours", error))?)
        }
        None => None,
    };
    let moved = quiet::set(&app, id, hours, &caller.actor).await?;
    Ok(Json(Quiet { hours, moved_later: moved.later, moved_back: moved.back }))
}

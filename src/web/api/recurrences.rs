//! Recurring posts: their rules, what comes next, and changing, pausing and ending them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::key_of;
use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::compose::Confirmed;
use crate::model::{AccountId, Missed, RecurrenceId};
use crate::recurring::{self, ChangedRecurrence, Rule};
use crate::store::recurrences::{NewRecurrence, RecurrenceView};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(recurrences, start))
        .routes(routes!(recurrence, change))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(end))
}

list_params! {
    /// The newest first.
    RecurrenceParams {}
}

impl Row for RecurrenceView {
    const NAME: &'static str = "recurring-posts";
    const COLUMNS: &'static [&'static str] =
        &["id", "state", "frequency", "time", "timezone", "accounts", "text", "next", "missed", "author", "created_at"];

    fn cells(&self) -> Vec<Cell> {
        let accounts: Vec<&str> = self.accounts.iter().map(|account| account.account.as_str()).collect();
        vec![
            Cell::of(self.id),
            self.state.as_str().into(),
            self.rule.frequency.as_str().into(),
            Cell::of(self.rule.time),
            self.rule.timezone.as_str().into(),
            accounts.join(", ").into(),
            self.accounts.first().map(|account| account.text.clone()).into(),
            self.next.first().copied().into(),
            self.missed.as_str().into(),
            self.author.as_str().into(),
            self.created_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Every recurring post, with what comes next.
#[utoipa::path(get, path = "/recurrences", tag = "schedule", params(RecurrenceParams), responses(
    (status = 200, description = "The list, or CSV",
        content((Page<RecurrenceView> = "application/json"), (String = "text/csv"))),
))]
async fn recurrences(
    State(app): State<Arc<App>>,
    Params(params): Params<RecurrenceParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.recurrences().await?);
    list(wanted, &headers, fetch).await
}

/// One recurring post. Its occurrences are deliveries: `/deliveries` with its id.
#[utoipa::path(get, path = "/recurrences/{id}", tag = "schedule", params(("id" = RecurrenceId, Path)),
    responses((status = 200, body = RecurrenceView)))]
async fn recurrence(State(app): State<Arc<App>>, Id(id): Id<RecurrenceId>) -> Result<Json<RecurrenceView>, Problem> {
    Ok(Json(app.store.recurrence(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecurringText {
    account_id: AccountId,
    text: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRecurring {
    rule: Rule,
    /// Each account once, with its own text.
    posts: Vec<RecurringText>,
    /// `skip` unless said.
    missed: Option<Missed>,
    #[serde(default)]
    confirm_duplicate: bool,
    #[serde(default)]
    confirm_personal_data: bool,
}

impl NewRecurring {
    fn read(self) -> (NewRecurrence, Confirmed) {
        let confirm = Confirmed { duplicate: self.confirm_duplicate, personal_data: self.confirm_personal_data };
        let texts = self.posts.into_iter().map(|post| (post.account_id, post.text)).collect();
        (NewRecurrence { rule: self.rule, missed: self.missed.unwrap_or(Missed::Skip), texts }, confirm)
    }
}

/// Starts a recurring post: its occurrences of the next 35 days are planned at once.
#[utoipa::path(post, path = "/recurrences", tag = "schedule",
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NewRecurring,
    responses((status = 201, body = RecurrenceView)))]
async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewRecurring>,
) -> Result<(StatusCode, Json<RecurrenceView>), Problem> {
    let (new, confirm) = new.read();
    let key = key_of(&headers)?.map(|key| format!("{}:{key}", caller.actor));
    let recurrence = recurring::start(&app, new, key.as_deref(), confirm, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(recurrence)))
}

/// Changes a recurring post from the next occurrence that was not called yet on. One that a person moved, or that already
/// waits for the end of quiet hours, keeps its time and takes the new text; one that a person cancelled stays cancelled.
#[utoipa::path(put, path = "/recurrences/{id}", tag = "schedule", params(("id" = RecurrenceId, Path)),
    request_body = NewRecurring, responses((status = 200, body = ChangedRecurrence)))]
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<RecurrenceId>,
    Body(new): Body<NewRecurring>,
) -> Result<Json<ChangedRecurrence>, Problem> {
    let (new, confirm) = new.read();
    Ok(Json(recurring::change(&app, id, new, confirm, &caller.actor).await?))
}

/// Takes back what is to come and makes nothing more, until it is resumed.
#[utoipa::path(post, path = "/recurrences/{id}/pause", tag = "schedule", params(("id" = RecurrenceId, Path)),
    responses((status = 200, body = RecurrenceView)))]
async fn pause(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<RecurrenceId>,
) -> Result<Json<RecurrenceView>, Problem> {
    Ok(Json(recurring::pause(&app, id, &caller.actor).await?))
}

/// Goes on after a pause; what would have gone out meanwhile is not made.
#[utoipa::path(post, path = "/recurrences/{id}/resume", tag = "schedule", params(("id" = RecurrenceId, Path)),
    responses((status = 200, body = RecurrenceView)))]
async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<RecurrenceId>,
) -> Result<Json<RecurrenceView>, Problem> {
    Ok(Json(recurring::resume(&app, id, &caller.actor).await?))
}

/// Ends a recurring post for good and cancels whatever of it was not called yet.
#[utoipa::path(post, path = "/recurrences/{id}/end", tag = "schedule", params(("id" = RecurrenceId, Path)),
    responses((status = 200, body = RecurrenceView)))]
async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<RecurrenceId>,
) -> Result<Json<RecurrenceView>, Problem> {
    Ok(Json(recurring::end(&app, id, &caller.actor).await?))
}

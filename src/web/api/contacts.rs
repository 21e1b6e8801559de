//! Contacts: the list, one with its links and their evidence, linking authors, merging and undoing both.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::live::Wake;
use crate::model::{AuthorId, ContactId, MergeId};
use crate::store::people::{ContactFilter, ContactRow, ContactView, LinkView};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(contacts))
        .routes(routes!(contact))
        .routes(routes!(merge))
        .routes(routes!(unmerge))
        .routes(routes!(link_of_author, link, unlink))
}

list_params! {
    /// Contacts in the order of the Turkish alphabet.
    ContactParams {
        /// Words that begin a word of the name, e-mail address, company or external id; or the beginning of a phone number.
        search: String,
    }
}

impl Row for ContactRow {
    const NAME: &'static str = "contacts";
    const COLUMNS: &'static [&'static str] = &["id", "name", "email", "phone", "company", "external_id", "authors"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            self.name.as_str().into(),
            self.email.as_deref().into(),
            self.phone.as_deref().into(),
            self.company.as_deref().into(),
            self.external_id.as_deref().into(),
            self.authors.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(self.id.to_string())
    }
}

/// Contacts; those merged into another are left out.
#[utoipa::path(get, path = "/contacts", tag = "contacts", params(ContactParams), responses(
    (status = 200, description = "A page, or the whole list as CSV", content(
        (Page<ContactRow> = "application/json"), (String = "text/csv"),
    )),
))]
async fn contacts(
    State(app): State<Arc<App>>,
    Params(params): Params<ContactParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let search = params.search.clone();
    list(params.wanted(), &headers, move |cursor, limit| {
        let (app, search) = (app.clone(), search.clone());
        async move {
            let after = cursor.as_deref().map(str::parse::<ContactId>).transpose().map_err(|_| {
                Problem::invalid("cursor", "the cursor is not one of this list").next("take it from `next`")
            })?;
            Ok(app.store.contacts(&ContactFilter { search, after, limit }).await?)
        }
    })
    .await
}

/// One contact with its links, their evidence, and its merges.
#[utoipa::path(get, path = "/contacts/{id}", tag = "contacts", params(("id" = ContactId, Path)),
    responses((status = 200, body = ContactView)))]
async fn contact(State(app): State<Arc<App>>, Id(id): Id<ContactId>) -> Result<Json<ContactView>, Problem> {
    Ok(Json(app.store.contact(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMerge {
    /// The contact that goes into the one of the address.
    merged_id: ContactId,
}

/// Merges another contact into this one; undone by `POST /merges/{id}/undo`.
#[utoipa::path(post, path = "/contacts/{id}/merges", tag = "contacts",
    params(("id" = ContactId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = NewMerge, responses((status = 201, body = ContactView)))]
async fn merge(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<ContactId>,
    Body(new): Body<NewMerge>,
) -> Result<(StatusCode, Json<ContactView>), Problem> {
    app.store.merge(id, new.merged_id, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok((StatusCode::CREATED, Json(app.store.contact(id).await?)))
}

/// Undoes a merge: both contacts are what they would have been.
#[utoipa::path(post, path = "/merges/{id}/undo", tag = "contacts", params(("id" = MergeId, Path)),
    responses((status = 204, description = "It is undone")))]
async fn unmerge(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<MergeId>) -> Result<StatusCode, Problem> {
    app.store.unmerge(id, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(StatusCode::NO_CONTENT)
}

/// Which contact an author is taken for, and why.
#[utoipa::path(get, path = "/authors/{id}/link", tag = "contacts", params(("id" = AuthorId, Path)),
    responses((status = 200, body = LinkView)))]
async fn link_of_author(State(app): State<Arc<App>>, Id(id): Id<AuthorId>) -> Result<Json<LinkView>, Problem> {
    linked(&app, id).await
}

async fn linked(app: &App, id: AuthorId) -> Result<Json<LinkView>, Problem> {
    let link = app.store.link_of_author(id).await?;
    link.map(Json).ok_or_else(|| Problem::not_found(format!("author {id} is linked to no contact")))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLink {
    contact_id: ContactId,
}

/// Says that an author is this contact; the evidence is the person who says so.
#[utoipa::path(put, path = "/authors/{id}/link", tag = "contacts", params(("id" = AuthorId, Path)),
    request_body = NewLink, responses((status = 200, body = LinkView)))]
async fn link(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<AuthorId>,
    Body(new): Body<NewLink>,
) -> Result<Json<LinkView>, Problem> {
    app.store.link(id, new.contact_id, &caller.actor).await?;
    app.live.wake(Wake::Events);
    linked(&app, id).await
}

/// Takes an author's link away; that it was there stays known.
#[utoipa::path(delete, path = "/authors/{id}/link", tag = "contacts", params(("id" = AuthorId, Path)),
    responses((status = 204, description = "The author is linked to nobody")))]
async fn unlink(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<AuthorId>) -> Result<StatusCode, Problem> {
    app.store.unlink(id, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(StatusCode::NO_CONTENT)
}

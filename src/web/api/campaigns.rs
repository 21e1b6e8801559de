//! Campaigns: posts planned together, how far each is, cancelling the rest and deleting what is out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::key_of;
use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::campaigns::{self, BatchError, BatchPost, BatchRequest, CampaignPage};
use crate::compose::Confirmed;
use crate::model::{AccountId, CampaignId};
use crate::store::campaigns::CampaignView;
use crate::store::deliveries::DeliveryView;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(campaigns))
        .routes(routes!(campaign))
        .routes(routes!(batch))
        .routes(routes!(cancel))
        .routes(routes!(delete))
}

list_params! {
    /// The newest first.
    CampaignParams {}
}

impl Row for CampaignView {
    const NAME: &'static str = "campaigns";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "posts", "out", "under_way", "undecided", "failed", "dropped", "deleted", "made_by", "made_at"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            self.name.as_str().into(),
            self.posts.into(),
            self.out.into(),
            self.under_way.into(),
            self.undecided.into(),
            self.failed.into(),
            self.dropped.into(),
            self.deleted.into(),
            self.made_by.as_str().into(),
            self.made_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Post { account, error } => {
                let mut problem = Problem::from(error);
                problem.detail = format!("account {account}: {}", problem.detail);
                problem
            }
            BatchError::Alike { .. } => Problem::near_duplicate(error.to_string()).field("posts"),
            BatchError::Invalid { field, reason } => Problem::invalid(field, reason),
            BatchError::Store(error) => error.into(),
        }
    }
}

/// Every campaign, and how far its posts are.
#[utoipa::path(get, path = "/campaigns", tag = "schedule", params(CampaignParams), responses(
    (status = 200, description = "The list, or CSV",
        content((Page<CampaignView> = "application/json"), (String = "text/csv"))),
))]
async fn campaigns(
    State(app): State<Arc<App>>,
    Params(params): Params<CampaignParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.campaigns().await?);
    list(wanted, &headers, fetch).await
}

/// One campaign with all its posts: which are out, which are not, and why.
#[utoipa::path(get, path = "/campaigns/{id}", tag = "schedule", params(("id" = CampaignId, Path)),
    responses((status = 200, body = CampaignPage)))]
async fn campaign(State(app): State<Arc<App>>, Id(id): Id<CampaignId>) -> Result<Json<CampaignPage>, Problem> {
    Ok(Json(campaigns::page(&app, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBatchPost {
    account_id: AccountId,
    text: String,
    /// At once unless said.
    due_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    /// The campaign's name; made where there is none. Several posts without one are named after the first text.
    campaign: Option<String>,
    posts: Vec<NewBatchPost>,
    /// Not to be sent any more after.
    expires_at: Option<Timestamp>,
    #[serde(default)]
    confirm_duplicate: bool,
    #[serde(default)]
    confirm_personal_data: bool,
}

/// What was planned.
#[derive(Debug, Serialize, ToSchema)]
struct Batch {
    campaign_id: Option<CampaignId>,
    deliveries: Vec<DeliveryView>,
}

/// Plans posts together, each with its own account, text and time.
///
/// All of them are planned, or none: a refusal names the account, or the two of the list that are nearly the same post of
/// one account and day. With `Idempotency-Key`, the same request twice is planned once.
#[utoipa::path(post, path = "/posts/batch", tag = "schedule", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewBatch, responses((status = 201, body = Batch)))]
async fn batch(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewBatch>,
) -> Result<(StatusCode, Json<Batch>), Problem> {
    let request = BatchRequest {
        campaign: new.campaign,
        posts: new
            .posts
            .into_iter()
            .map(|NewBatchPost { account_id, text, due_at }| BatchPost {
                account_id,
                text,
                due_at,
                expires_at: new.expires_at,
            })
            .collect(),
        author: caller.actor,
        key: key_of(&headers)?,
        confirm: Confirmed { duplicate: new.confirm_duplicate, personal_data: new.confirm_personal_data },
    };
    let (campaign_id, deliveries) = campaigns::post(&app, request).await?;
    Ok((StatusCode::CREATED, Json(Batch { campaign_id, deliveries })))
}

/// How many posts were touched.
#[derive(Debug, Serialize, ToSchema)]
struct Touched {
    deliveries: usize,
}

/// Cancels what is not out yet; what is being called right now is taken back once it is out.
#[utoipa::path(post, path = "/campaigns/{id}/cancel", tag = "schedule", params(("id" = CampaignId, Path)),
    responses((status = 200, body = Touched)))]
async fn cancel(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CampaignId>) -> Result<Json<Touched>, Problem> {
    app.store.campaign(id).await?;
    Ok(Json(Touched { deliveries: campaigns::cancel_rest(&app, id, &caller.actor).await? }))
}

/// Deletes again whatever of it is out.
#[utoipa::path(post, path = "/campaigns/{id}/delete", tag = "schedule", params(("id" = CampaignId, Path)),
    responses((status = 200, body = Touched)))]
async fn delete(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CampaignId>) -> Result<Json<Touched>, Problem> {
    app.store.campaign(id).await?;
    Ok(Json(Touched { deliveries: campaigns::delete_all(&app, id, &caller.actor).await? }))
}

//! Corrections: what a person says a mention is, over what the analysis said.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params};
use super::mentions::{cursor, place};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, BrandId, IntentLabel, MentionId, SentimentLabel};
use crate::store::corrections::{CorrectionFilter, CorrectionRow, NewCorrection, Standing};
use crate::store::inbox::MentionRow;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(correct, take_back)).routes(routes!(corrections))
}

/// What a person says a mention is; at least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CorrectionBody {
    /// Missing, it is left to the analysis.
    sentiment: Option<SentimentLabel>,
    /// The main one first; missing, they are left to the analysis. `other` stands alone.
    #[schema(min_items = 1)]
    intents: Option<Vec<IntentLabel>>,
}

/// Files a mention under what a person says.
///
/// It takes the place of an earlier correction; the same again changes nothing. Lists, counts and charts go by it until it
/// is taken back, or until the author changes the text.
#[utoipa::path(put, path = "/mentions/{id}/correction", tag = "corrections", params(("id" = MentionId, Path)),
    request_body = CorrectionBody, responses((status = 200, body = MentionRow)))]
async fn correct(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<MentionId>,
    Body(told): Body<CorrectionBody>,
) -> Result<Json<MentionRow>, Problem> {
    let field = if told.intents.is_some() { "intents" } else { "sentiment" };
    let told =
        NewCorrection::new(told.sentiment, told.intents).map_err(|error| Problem::invalid(field, error.to_string()))?;
    app.store.correct(id, &told, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(Json(app.store.mention(id).await?))
}

/// Takes a correction back: the mention is again what the analysis says.
///
/// A mention that nobody corrected stays as it is.
#[utoipa::path(delete, path = "/mentions/{id}/correction", tag = "corrections", params(("id" = MentionId, Path)),
    responses((status = 200, body = MentionRow)))]
async fn take_back(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<MentionId>,
) -> Result<Json<MentionRow>, Problem> {
    app.store.take_back_correction(id, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(Json(app.store.mention(id).await?))
}

list_params! {
    /// Every parameter narrows the list.
    CorrectionParams {
        brand_id: BrandId,
        /// The account that the mention's answer goes out from.
        account_id: AccountId,
        /// BCP 47; `und` for what could not be told.
        language: String,
        /// Made at or after.
        since: Timestamp,
        /// Made before.
        until: Timestamp,
        /// Those that count, or those that are outdated since the author changed the text.
        #[param(inline)]
        standing: Standing,
    }
}

impl Row for CorrectionRow {
    const NAME: &'static str = "corrections";
    const COLUMNS: &'static [&'static str] = &[
        "mention_id",
        "corrected_at",
        "corrected_by",
        "brand",
        "account",
        "language",
        "text",
        "sentiment",
        "intents",
        "said_sentiment",
        "said_score",
        "said_intents",
        "outdated_at",
    ];

    fn cells(&self) -> Vec<Cell> {
        let words = |labels: &mut dyn Iterator<Item = IntentLabel>| {
            labels.map(IntentLabel::as_str).collect::<Vec<_>>().join("; ")
        };
        let correction = &self.correction;
        let said = &correction.said;
        vec![
            Cell::of(self.mention_id),
            correction.at.into(),
            correction.by.as_str().into(),
            self.brand.name.as_str().into(),
            self.account.name.as_str().into(),
            self.language.as_str().into(),
            self.text.as_deref().into(),
            correction.sentiment.map(SentimentLabel::as_str).into(),
            correction.intents.as_ref().map(|intents| words(&mut intents.iter().copied())).into(),
            said.sentiment.label.as_str().into(),
            said.sentiment.score.into(),
            words(&mut said.intents.iter().map(|intent| intent.label)).into(),
            correction.outdated_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(cursor(self.correction.at, self.mention_id))
    }
}

/// Corrections, newest first, each with its mention's text and what the analysis had said.
#[utoipa::path(get, path = "/corrections", tag = "corrections", params(CorrectionParams), responses(
    (status = 200, description = "A page, or the whole list as CSV", content(
        (Page<CorrectionRow> = "application/json"), (String = "text/csv"),
    )),
))]
async fn corrections(
    State(app): State<Arc<App>>,
    Params(params): Params<CorrectionParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = CorrectionFilter {
        brand_id: params.brand_id,
        account_id: params.account_id,
        language: params.language.clone(),
        since: params.since,
        until: params.until,
        standing: params.standing,
        before: None,
        limit: 0,
    };
    list(params.wanted(), &headers, move |cursor, most| {
        let (app, mut filter) = (app.clone(), filter.clone());
        async move {
            filter.before = cursor.as_deref().map(place).transpose()?;
            filter.limit = most;
            Ok(app.store.corrections(&filter).await?)
        }
    })
    .await
}

//! Sentiment by hour, the digest, and what Muhatap understands of a text.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Params};
use crate::analyze::Analysis;
use crate::app::App;
use crate::digest;
use crate::model::{AccountId, BrandId};
use crate::store::inbox::{HourFilter, HourRow};
use crate::web::error::Problem;

/// The longest span of one answer.
const LONGEST_SPAN: SignedDuration = SignedDuration::from_hours(24 * 366);
/// The longest text that is analyzed on request.
const LONGEST_TEXT: usize = 100_000;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(hours)).routes(routes!(digest)).routes(routes!(analyze))
}

list_params! {
    /// Which hours; the last 24 unless said.
    HourParams {
        account_id: AccountId,
        brand_id: BrandId,
        /// From the hour this time lies in.
        since: Timestamp,
        /// Up to this time.
        until: Timestamp,
    }
}

impl Row for HourRow {
    const NAME: &'static str = "sentiment";
    const COLUMNS: &'static [&'static str] = &["hour_at", "mentions", "negative", "neutral", "positive", "score"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.hour_at.into(),
            self.mentions.into(),
            self.negative.into(),
            self.neutral.into(),
            self.positive.into(),
            self.score.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Sentiment by hour: the hours in which something was said.
#[utoipa::path(get, path = "/sentiment/hours", tag = "insight", params(HourParams), responses(
    (status = 200, description = "The hours, or CSV", content((Page<HourRow> = "application/json"), (String = "text/csv"))),
))]
async fn hours(
    State(app): State<Arc<App>>,
    Params(params): Params<HourParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let until = params.until.unwrap_or_else(|| app.store.clock());
    let since = match params.since {
        Some(since) => since,
        None => until.saturating_sub(SignedDuration::from_hours(24)).map_err(Problem::internal)?,
    };
    if until.duration_since(since) > LONGEST_SPAN {
        return Err(Problem::invalid("since", "at most 366 days at once: ask for a shorter span"));
    }
    let filter = HourFilter { account_id: params.account_id, brand_id: params.brand_id, since, until };
    let rows = app.store.sentiment_by_hour(&filter).await?;
    let (wanted, fetch) = whole(&params.wanted(), rows);
    list(wanted, &headers, fetch).await
}

/// What the digest would say now.
#[derive(Debug, Serialize, ToSchema)]
struct DigestView {
    /// Where the last one ended.
    since: Timestamp,
    subject: String,
    /// Plain text, in the language of `[digest]`.
    text: String,
    /// When the next one is sent.
    next_at: Option<Timestamp>,
}

/// What the digest would say if it were sent now; sends nothing.
#[utoipa::path(get, path = "/digest", tag = "insight", responses((status = 200, body = DigestView)))]
async fn digest(State(app): State<Arc<App>>) -> Result<Json<DigestView>, Problem> {
    let now = app.store.clock();
    let (Some(config), Some(edition)) = (&app.config.digest, digest::preview(&app, now).await?) else {
        return Err(
            Problem::not_found("no digest is set up").next("write the section [digest] of the configuration file")
        );
    };
    let next_at = digest::next(config, &app.config.console.timezone, now);
    Ok(Json(DigestView { since: edition.digest.since, subject: edition.subject, text: edition.text, next_at }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

/// What Muhatap understands of a text, as `muhatap analyze` prints it; stores nothing.
#[utoipa::path(post, path = "/analyze", tag = "insight", request_body = Text,
    responses((status = 200, body = Analysis)))]
async fn analyze(State(app): State<Arc<App>>, Body(body): Body<Text>) -> Result<Json<Analysis>, Problem> {
    if body.text.chars().count() > LONGEST_TEXT {
        return Err(Problem::invalid("text", format!("a text may have at most {LONGEST_TEXT} characters")));
    }
    let analyzer = app.analyzer.clone();
    let analysis =
        tokio::task::spawn_blocking(move || analyzer.analyze(&body.text)).await.map_err(Problem::internal)?;
    Ok(Json(analysis))
}

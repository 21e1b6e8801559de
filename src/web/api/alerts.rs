//! Alerts: what needed a person, and whether anybody was told.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::Params;
use crate::app::App;
use crate::store::alerts::AlertView;
use crate::web::error::Problem;

/// The latest alerts that are listed.
const MOST_LISTED: i64 = 500;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(alerts))
}

list_params! {
    /// The open ones first, then the latest; at most 500.
    AlertParams {}
}

impl Row for AlertView {
    const NAME: &'static str = "alerts";
    const COLUMNS: &'static [&'static str] =
        &["id", "kind", "subject_id", "message", "raised_at", "told_at", "failure_reason", "closed_at"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            self.kind.as_str().into(),
            self.subject_id.as_str().into(),
            self.message.as_str().into(),
            self.raised_at.into(),
            self.told_at.into(),
            self.failure_reason.as_deref().into(),
            self.closed_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// What needed a person: failed, late, held and unknown deliveries, dying tokens.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(AlertParams), responses(
    (status = 200, description = "The list, or CSV", content((Page<AlertView> = "application/json"), (String = "text/csv"))),
))]
async fn alerts(
    State(app): State<Arc<App>>,
    Params(params): Params<AlertParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.alerts(MOST_LISTED).await?);
    list(wanted, &headers, fetch).await
}

//! What came in and could not be read, kept raw.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::lists::{Cell, Page, Row, list, list_params};
use super::read::Params;
use crate::app::App;
use crate::model::AccountId;
use crate::store::inbox::{UnparsedFilter, UnparsedRow};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(unparsed))
}

list_params! {
    /// The latest first.
    UnparsedParams {
        account_id: AccountId,
    }
}

impl Row for UnparsedRow {
    const NAME: &'static str = "unparsed";
    const COLUMNS: &'static [&'static str] = &["id", "received_at", "network", "account", "stream", "reason", "raw"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.as_str().into(),
            self.received_at.into(),
            self.network.as_str().into(),
            self.account.as_str().into(),
            self.stream.as_deref().into(),
            self.reason.as_str().into(),
            self.raw.as_str().into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

/// What came in and could not be read, kept raw with the reason.
#[utoipa::path(get, path = "/unparsed", tag = "accounts", params(UnparsedParams), responses(
    (status = 200, description = "A page, or the whole list as CSV", content(
        (Page<UnparsedRow> = "application/json"), (String = "text/csv"),
    )),
))]
async fn unparsed(
    State(app): State<Arc<App>>,
    Params(params): Params<UnparsedParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let account_id = params.account_id;
    list(params.wanted(), &headers, move |before, limit| {
        let app = app.clone();
        async move { Ok(app.store.unparsed(&UnparsedFilter { account_id, before, limit }).await?) }
    })
    .await
}

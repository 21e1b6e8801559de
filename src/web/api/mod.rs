//! The JSON API: everything the console and the command line do, under `/api/v1`, described by OpenAPI.

mod accounts;
mod alerts;
mod answers;
pub mod caller;
mod campaigns;
mod contacts;
mod conversations;
mod corrections;
mod deliveries;
mod events;
mod imports;
mod insight;
pub mod lists;
mod mentions;
mod quiet;
mod read;
mod recurrences;
mod sending;
mod unparsed;
mod users;
mod webhooks;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};
use utoipa_axum::router::OpenApiRouter;

use super::error::Problem;
use crate::app::App;

pub use users::TOKEN_PREFIX;

/// The largest body of a call, in bytes; a file that is imported has a limit of its own.
pub const LARGEST_BODY: usize = 512 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muhatap",
        description = "Mentions, conversations, replies, posts and deliveries. Times are RFC 3339, ids are ULIDs. \
            Lists give `next`, which is the `cursor` of the page after. A call that creates takes an `Idempotency-Key`: \
            sent again with the same content it has its effect once. What cannot be done is told as problem details \
            (RFC 9457) with the reason and the next step.",
    ),
    components(schemas(Problem)),
    security(("token" = [])),
)]
struct Description;

/// Every route of the API, guarded.
pub fn router(app: Arc<App>) -> Router {
    let (routes, description) = described();
    let description = Arc::new(description);
    let routes: Router<Arc<App>> = routes;
    routes
        .route("/api/v1/openapi.json", get(move || std::future::ready(Json(description.as_ref().clone()))))
        .fallback(nothing_here)
        .layer(from_fn_with_state(app.clone(), answers::once))
        .layer(map_response(wrong_method))
        .layer(from_fn_with_state(app.clone(), caller::guard))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}

fn described() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let routes = OpenApiRouter::new()
        .merge(mentions::routes())
        .merge(conversations::routes())
        .merge(corrections::routes())
        .merge(deliveries::routes())
        .merge(recurrences::routes())
        .merge(campaigns::routes())
        .merge(quiet::routes())
        .merge(sending::routes())
        .merge(accounts::routes())
        .merge(unparsed::routes())
        .merge(contacts::routes())
        .merge(imports::routes())
        .merge(insight::routes())
        .merge(alerts::routes())
        .merge(users::routes())
        .merge(webhooks::routes())
        .merge(events::routes());
    let (routes, mut description) =
        OpenApiRouter::with_openapi(Description::openapi()).nest("/api/v1", routes).split_for_parts();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("muhatap token create")).build();
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    // Whatever a call does, a refusal looks the same.
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refusal()));
        }
    }
    (routes, description)
}

fn refusal() -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description("It was not done: why, and what to do about it")
        .content("application/problem+json", content)
        .build()
}

async fn nothing_here(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::not_found(format!("there is nothing at {path}")).next("see /api/v1/openapi.json for what there is")
}

/// The framework's bare "method not allowed", told like every other refusal.
async fn wrong_method(response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED || response.extensions().get::<Problem>().is_some() {
        return response;
    }
    let mut problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "not done that way",
        "this address does not take that method",
    )
    .next("the header Allow lists the methods it takes")
    .into_response();
    for (name, value) in response.headers() {
        if name == axum::http::header::ALLOW {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

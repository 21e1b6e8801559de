//! What a request says: path, query and body, each read with a problem that names what is wrong.

use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::web::error::Problem;

/// The body of a call, as JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "a value is not valid",
                in_plain_words(after_colon(&error.body_text())),
            )
            .next("see /api/v1/openapi.json for what the body may hold")),
            Err(JsonRejection::JsonSyntaxError(error)) => {
                Err(Problem::malformed(format!("the body is not JSON: {}", after_colon(&error.body_text()))))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "not JSON",
                "the body must be JSON and say so",
            )
            .next("send the header Content-Type: application/json")),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is too large",
                format!("a body may have at most {} bytes here", super::LARGEST_BODY),
            )),
            Err(error) => Err(Problem::malformed(error.body_text())),
        }
    }
}

/// The query of a call; an unknown parameter is a problem, so that a misspelt filter does not show everything.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::malformed(format!("the query: {}", after_colon(&error.body_text())))
                .next("see /api/v1/openapi.json for the parameters")),
        }
    }
}

/// The one id of a path; what is not an id names nothing.
pub struct Id<T>(pub T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr,
    T::Err: Display,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let matched = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::not_found(error.body_text()))?;
        // The router before this one may have matched a wildcard of its own: the id is what was matched last.
        let text = matched.iter().last().map(|(_, text)| text).unwrap_or_default();
        let short: String = text.chars().take(100).collect();
        short
            .parse()
            .map(Self)
            .map_err(|error: T::Err| Problem::not_found(error.to_string()).next("take an id from a list of this API"))
    }
}

/// What was said of a time that is out of range, with the range in words instead of seconds; anything else as it is.
fn in_plain_words(said: String) -> String {
    let range = format!("{}..={}", Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    match (said.contains(&range), said.split_once(": ")) {
        (true, Some((field, _))) => {
            format!("{field}: the time is out of range: it lies between {} and {}", Timestamp::MIN, Timestamp::MAX)
        }
        _ => said,
    }
}

/// What serde said, without the framework's own sentence before it.
fn after_colon(message: &str) -> String {
    match message.split_once(": ") {
        Some((_, said)) => said.to_owned(),
        None => message.to_owned(),
    }
}

//! What a person or a program is told when something cannot be done: the thing, the reason, the next step. Internals
//! stay in the log.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use muhatap_connectors::ConnectorError;
use serde::Serialize;
use tracing::error;
use ulid::Ulid;
use utoipa::ToSchema;

use crate::accounts::AccountError;
use crate::compose::ComposeError;
use crate::linked::LinkError;
use crate::store::StoreError;

/// An answer that is not a success, as RFC 9457 problem details. Console pages render the same value, which travels in
/// the response's extensions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:muhatap:` and a word that programs may compare.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What was wrong with this very request.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The field or parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The id of what stands in the way: an earlier delivery, reply or user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:muhatap:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            next_step: None,
            field: None,
            subject_id: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    #[must_use]
    pub fn subject(mut self, id: impl ToString) -> Self {
        self.subject_id = Some(id.to_string());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The request cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "the request cannot be read", detail)
    }

    /// The request can be read, and asks for something that cannot be.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "a value is not valid", detail)
            .field(field)
            .next("correct the value and send it again")
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "not found", what)
            .next("check the id; what it named may have been deleted")
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "something else came first", detail)
    }

    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "who are you?", detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not allowed", detail)
    }

    /// Nearly the same post comes first, of the outbox or of the request.
    pub fn near_duplicate(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "near-duplicate", "nearly the same post is planned", detail)
            .next("to publish both, repeat the request with \"confirm_duplicate\": true")
    }

    /// A fault of ours: the cause goes to the log under a number, the person gets the number.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let incident = Ulid::generate();
        error!(incident.id = %incident, error = %cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here",
            format!("the request failed for a reason that is ours; it is in the log under {incident}"),
        )
        .next("try again; if it stays, look for that number in the log")
    }

    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status_code(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"muhatap\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Conflict(why) => Self::conflict(why).next("look at its present state, then decide again"),
            StoreError::Busy(why) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the database is busy", why).retry_after(5)
            }
            StoreError::Full(why) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", "no room is left to write", why).retry_after(60)
            }
            error @ (StoreError::Open(_) | StoreError::Database(_)) => Self::internal(error),
        }
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unfit(reason) => Self::invalid("url", reason),
            LinkError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let detail = error.to_string();
        match error {
            AccountError::Invalid { field, message } => Self::invalid(field, message),
            AccountError::Store(error) => error.into(),
            AccountError::App(error) => Self::internal(error),
            AccountError::Network(ConnectorError::Settings(_)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "a value is not valid", detail)
            }
            AccountError::Network(ConnectorError::Unauthorized(_) | ConnectorError::Rejected(_)) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "account-refused",
                "the network does not accept the account",
                detail,
            )
            .next("make new credentials on the network and try again; nothing was stored"),
            AccountError::Network(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "network-away", "the network does not answer as it should", detail)
                    .next("look at base_url, or try again later; nothing was stored")
            }
        }
    }
}

impl From<ComposeError> for Problem {
    fn from(error: ComposeError) -> Self {
        let error = match error {
            ComposeError::Store(error) => return error.into(),
            error => error,
        };
        let detail = error.to_string();
        let unprocessable = |kind, title| Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail.clone());
        match &error {
            ComposeError::NotFound(_) => Self::not_found(detail),
            ComposeError::Empty => Self::invalid("text", detail),
            ComposeError::TooLong(_) => unprocessable("too-long", "the text is too long").field("text"),
            ComposeError::Refused { .. } => unprocessable("refused", "a rule of the network says no"),
            ComposeError::AnotherReply(other) => {
                Self::new(StatusCode::CONFLICT, "another-reply", "somebody answers already", detail)
                    .next("to send yours too, repeat the request with \"confirm_over\" set to the id given here")
                    .subject(&other.id)
            }
            ComposeError::NearDuplicate { earlier, .. } => Self::near_duplicate(detail).subject(earlier),
            ComposeError::PersonalData(_) => unprocessable("personal-data", "the text carries personal data")
                .field("text")
                .next("take it out, or repeat the request with \"confirm_personal_data\": true"),
            ComposeError::KeyReused(earlier) => {
                unprocessable("key-reused", "the idempotency key was used for something else")
                    .subject(earlier)
                    .next("make a new key for every new reply or post")
            }
            ComposeError::Invalid(_) => unprocessable("invalid", "the request cannot be used"),
            ComposeError::Store(_) => Self::internal(detail),
        }
    }
}

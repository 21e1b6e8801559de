//! A whole answer, and what its status means to a read and to a call that counts.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use super::{limits, redact};
use crate::ConnectorError;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub(super) secret: Option<SecretString>,
}

impl Response {
    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        limits::retry_after(&self.headers)
    }

    /// The time on the server's clock, to the second.
    pub fn server_time(&self) -> Option<Timestamp> {
        let date = httpdate::parse_http_date(self.header("date")?).ok()?;
        Timestamp::try_from(date).ok()
    }

    /// The body as JSON of a known shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.body).map_err(|error| ConnectorError::Malformed(error.into()))
    }

    /// The body of a call that counts as JSON: one that cannot be read proves nothing.
    pub fn proof<T: DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            ConnectorError::Unconfirmed(
                format!("the network answered {}, but not readably: {error}", self.status).into(),
            )
        })
    }

    /// Itself when the status is one of success; the error of a read otherwise.
    pub fn accepted(self) -> Result<Self, ConnectorError> {
        let status = self.status;
        if status.is_success() {
            return Ok(self);
        }
        let said = self.said();
        Err(match status {
            StatusCode::UNAUTHORIZED => ConnectorError::Unauthorized(said),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ConnectorError::Unavailable(said.into()),
            _ if status.is_redirection() => ConnectorError::Settings(match self.redirect_origin() {
                Some(origin) => format!("the server redirects to {origin}; set base_url to it"),
                None => format!("the server answered {said}; check base_url"),
            }),
            _ if status.is_client_error() => ConnectorError::Rejected(said),
            _ => ConnectorError::Unavailable(said.into()),
        })
    }

    /// Itself when the status is one of success; the error of a call that counts otherwise.
    pub fn published_or(self, refusals: &[u16]) -> Result<Self, ConnectorError> {
        let status = self.status;
        if status.is_success() {
            return Ok(self);
        }
        let said = self.said();
        Err(match status {
            StatusCode::UNAUTHORIZED => ConnectorError::Unauthorized(said),
            _ if status.is_client_error() && refusals.contains(&status.as_u16()) => ConnectorError::Rejected(said),
            _ => ConnectorError::Unconfirmed(said.into()),
        })
    }

    /// The status and what the network says about it, for a person; never a whole page.
    pub fn said(&self) -> String {
        let said = serde_json::from_slice::<serde_json::Value>(&self.body).ok().and_then(|body| {
            let parts: Vec<&str> = ["errcode", "error", "error_description", "message", "description"]
                .iter()
                .filter_map(|name| body.get(name)?.as_str())
                .filter(|part| !part.trim().is_empty())
                .collect();
            (!parts.is_empty()).then(|| parts.join(": "))
        });
        let text = match said {
            Some(said) => format!("{} ({})", said.chars().take(300).collect::<String>(), self.status.as_u16()),
            None => self.status.to_string(),
        };
        redact(text.replace('\0', "\u{FFFD}"), self.secret.as_ref())
    }

    /// Where the answer says to go on.
    pub(super) fn redirect_target(&self, from: &Url) -> Option<Url> {
        // 304 is a redirection by its number only.
        let moved = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        moved.then(|| from.join(self.header("location")?).ok()).flatten()
    }

    fn redirect_origin(&self) -> Option<String> {
        let target = Url::parse(self.header("location")?).ok()?;
        Some(target.origin().ascii_serialization())
    }
}

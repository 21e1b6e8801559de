//! How each network words what happens on the timeline: one file per network.

pub(crate) mod mastodon;
pub(crate) mod telegram;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Map, Value, json};

use crate::clock::shifted;
use crate::faults::RetryAfter;
use crate::simulation::{Failure, Reply, Simulation, written};
use crate::timeline::Network;
use crate::wire::Grip;

/// A network's way of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Mastodon,
    Telegram,
}

/// One HTTP request, read.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) grip: Grip,
}

impl Request {
    fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn parameters(&self) -> Option<Parameters> {
        Parameters::read(&self.query, self.header(header::CONTENT_TYPE).unwrap_or_default(), &self.body)
    }
}

/// Answers a request in the dialect its address belongs to.
pub(crate) async fn speak(simulation: &Arc<Simulation>, request: Request) -> Response {
    let first = request.segments().first().map(|first| (*first).to_owned()).unwrap_or_default();
    if first == "api" {
        mastodon::answer(simulation, request).await
    } else if first.starts_with("bot") {
        telegram::answer(simulation, request).await
    } else {
        written(Reply::new(404, json!({ "error": "the simulator knows no such address" })))
    }
}

impl Dialect {
    pub(crate) fn network(self) -> Network {
        match self {
            Self::Mastodon => Network::Mastodon,
            Self::Telegram => Network::Telegram,
        }
    }

    /// A failure in this network's words.
    pub(crate) fn failure(self, failure: Failure, now: Timestamp) -> Reply {
        let (status, said) = match failure {
            Failure::Unauthorized if self == Self::Mastodon => (401, "The access token is invalid".to_owned()),
            Failure::Unauthorized => (401, "Unauthorized".to_owned()),
            Failure::TooMany { .. } => (429, "Too many requests".to_owned()),
            Failure::Status(status) => (status, format!("simulated failure {status}")),
        };
        let wait = match failure {
            Failure::TooMany { wait, form } => Some((wait, form)),
            _ => None,
        };
        match self {
            Self::Mastodon => {
                let reply = Reply::new(status, json!({ "error": said }));
                match wait {
                    Some((wait, form)) => reply.with("retry-after", retry_after(wait, form, now)),
                    None => reply,
                }
            }
            Self::Telegram => {
                let seconds = wait.map(|(wait, _)| wait.as_secs_f64().ceil() as u64);
                let said = seconds.map_or(said, |seconds| format!("Too Many Requests: retry after {seconds}"));
                let mut body = json!({ "ok": false, "error_code": status, "description": said });
                if let Some(seconds) = seconds {
                    body["parameters"] = json!({ "retry_after": seconds });
                }
                Reply::new(status, body)
            }
        }
    }
}

fn retry_after(wait: Duration, form: RetryAfter, now: Timestamp) -> String {
    match form {
        RetryAfter::Seconds => wait.as_secs_f64().ceil().to_string(),
        // An HTTP date (RFC 9110, 5.6.7) has whole seconds: round up, never down.
        RetryAfter::Date => {
            let at = shifted(now, wait.as_micros() as i64 + 999_999);
            DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_else(|_| "1".to_owned())
        }
    }
}

/// The parameters of a call, wherever they were given: query, form or JSON.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Map<String, Value>);

impl Parameters {
    /// Reads query and body. A body that claims to be JSON and is not gives `None`.
    pub(crate) fn read(query: &str, content_type: &str, body: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        found.take_pairs(query.as_bytes());
        if content_type.starts_with("application/json") && !body.is_empty() {
            match serde_json::from_slice(body) {
                Ok(Value::Object(fields)) => found.0.extend(fields),
                _ => return None,
            }
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            found.take_pairs(body);
        }
        Some(found)
    }

    fn take_pairs(&mut self, pairs: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(pairs) {
            match name.strip_suffix("[]") {
                Some(list) => match self.0.entry(list.to_owned()).or_insert_with(|| json!([])) {
                    Value::Array(items) => items.push(json!(value)),
                    other => *other = json!([value]),
                },
                None => {
                    self.0.insert(name.into_owned(), json!(value));
                }
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_single_values_are_read_from_a_query() {
        let found = Parameters::read("types[]=mention&types[]=status&limit=5", "", b"").unwrap();
        assert_eq!(found.list("types"), ["mention", "status"]);
        assert_eq!(found.number("limit"), Some(5));
    }

    #[test]
    fn retry_after_is_written_in_both_forms_and_never_too_early() {
        let now = Timestamp::from_millisecond(1_700_000_000_200).unwrap();
        assert_eq!(retry_after(Duration::from_millis(1_500), RetryAfter::Seconds, now), "2");
        assert_eq!(retry_after(Duration::from_secs(2), RetryAfter::Date, now), "Tue, 14 Nov 2023 22:13:23 GMT");
    }
}

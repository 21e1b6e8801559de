//! A request before it is made.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use super::MAX_BODY;

/// A request to be made, its path below the account's base address.
#[derive(Clone)]
pub struct Call {
    pub(super) method: Method,
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) bucket: &'static str,
    pub(super) timeout: Option<Duration>,
    pub(super) max_body: usize,
    pub(super) longer: Longer,
    pub(super) exact: bool,
}

/// What becomes of an answer that is longer than a call reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Longer {
    IsRefused,
    IsCut,
}

impl Call {
    /// A call to `path`, whose parts are taken as they are; text from elsewhere goes through [`Call::segment`].
    pub fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            segments: path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            bucket: "default",
            timeout: None,
            max_body: MAX_BODY,
            longer: Longer::IsRefused,
            exact: false,
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds one path segment, encoded: an id can never reach another path.
    pub fn segment(mut self, text: &str) -> Self {
        self.segments.push(text.to_owned());
        self
    }

    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a header; a value that cannot be one (control characters) is left out.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Authorizes with a bearer token, kept out of debug output.
    pub fn bearer(mut self, token: &SecretString) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())) {
            value.set_sensitive(true);
            self.headers.insert(header::AUTHORIZATION, value);
        }
        self
    }

    /// Sends `body` as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        // Our own types and `serde_json::Value` always serialize; a map with other than text keys would not.
        if let Ok(bytes) = serde_json::to_vec(body) {
            self.body = Some(bytes.into());
            self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self
    }

    /// Sends `fields` as a form.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body = Some(body.into());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.headers.insert(header::CONTENT_TYPE, form);
        self
    }

    /// Names what shares a limit on the network: a used-up limit stops the calls of its bucket only.
    pub fn bucket(mut self, bucket: &'static str) -> Self {
        self.bucket = bucket;
        self
    }

    /// Bounds this call, answer included, by another time than the account's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Bounds this call's answer by another size than [`MAX_BODY`].
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sends `body` as it is.
    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Reads no more than `bytes` of the answer and leaves the rest: for answers whose status says everything.
    pub fn read_at_most(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self.longer = Longer::IsCut;
        self
    }

    /// Calls the account's base address itself, its query included.
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// The address of this call below `base`.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        url.set_fragment(None);
        if self.exact {
            return url;
        }
        url.set_query(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&self.segments);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

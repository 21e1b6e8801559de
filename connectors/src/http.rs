//! The one HTTP client: timeouts, response size bound, rate limits, status to error.
//!
//! [`Client::read`] may be repeated, so whatever is unclear is [`ConnectorError::Unavailable`]. [`Client::call_that_counts`]
//! is for the one call that publishes: it is made once, without retries, redirects or proxies, and whatever is unclear is
//! [`ConnectorError::Unconfirmed`].

mod call;
mod guard;
mod limits;
mod response;

use std::collections::HashMap;
use std::io;
use std::num::NonZeroU32;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
pub use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tracing::debug;
use url::{Origin, Url};

pub use call::Call;
use call::Longer;
pub(crate) use guard::check_address;
pub use guard::is_own_network;
pub use response::Response;

use crate::ConnectorError;
use crate::error::BoxError;

/// The largest answer that is read unless a call says otherwise.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 5;
const USER_AGENT: &str = concat!("Muhatap/", env!("CARGO_PKG_VERSION"));

/// How fast an account reads: `burst` requests at once, then one each `every`.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub burst: u32,
    pub every: Duration,
}

/// Where a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Anywhere,
    PublicOnly,
}

/// The HTTP side of one account. Building it opens no connection.
pub struct Client {
    reading: reqwest::Client,
    sending: reqwest::Client,
    guarded: OnceLock<reqwest::Client>,
    /// Whether even the base address is a stranger's word.
    reach: Reach,
    base: Url,
    call_timeout: Duration,
    pace: DefaultDirectRateLimiter,
    /// Buckets that get only a part of the pace, so that the rest is left for others.
    shares: HashMap<&'static str, DefaultDirectRateLimiter>,
    /// Until when a bucket's limit is used up, as the network last said.
    gates: Mutex<HashMap<&'static str, Instant>>,
    /// Never shown in an error, even if the network repeats it.
    secret: Option<SecretString>,
}

impl Client {
    /// A client for the server at `base`; every request is bounded by `call_timeout`, its answer included.
    pub fn new(base: Url, call_timeout: Duration, pace: Pace) -> Result<Self, ConnectorError> {
        Self::reaching(base, call_timeout, pace, Reach::Anywhere)
    }

    /// As [`Client::new`], for a base address that is not the operator's word: whatever it resolves to, only public
    /// addresses are connected to.
    pub fn to_public(base: Url, call_timeout: Duration, pace: Pace) -> Result<Self, ConnectorError> {
        Self::reaching(base, call_timeout, pace, Reach::PublicOnly)
    }

    fn reaching(base: Url, call_timeout: Duration, pace: Pace, reach: Reach) -> Result<Self, ConnectorError> {
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(ConnectorError::Settings(format!(
                "base_url {:?} is not an http or https address; write it like \"https://example.org\"",
                without_userinfo(&base)
            )));
        }
        let builder = |timeout| match reach {
            Reach::Anywhere => builder(timeout),
            Reach::PublicOnly => builder(timeout).dns_resolver(guard::PublicOnly),
        };
        Ok(Self {
            reading: builder(call_timeout).build().map_err(cannot_build)?,
            // A connection kept open may be closed by the server just when the message goes out, an end that is unclear
            // for no reason; a message is worth a connection of its own.
            sending: builder(call_timeout).pool_max_idle_per_host(0).build().map_err(cannot_build)?,
            guarded: OnceLock::new(),
            reach,
            base,
            call_timeout,
            pace: limiter(pace),
            shares: HashMap::new(),
            gates: Mutex::default(),
            secret: None,
        })
    }

    /// Names the secret that is cut out of every error.
    pub fn with_secret(mut self, secret: SecretString) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Gives a bucket a pace of its own below the account's: searches must leave room for mentions.
    pub fn with_share(mut self, bucket: &'static str, pace: Pace) -> Self {
        self.shares.insert(bucket, limiter(pace));
        self
    }

    /// The server's address, as configured.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Reads an answer with a status of success; anything else is an error.
    pub async fn read(&self, call: Call) -> Result<Response, ConnectorError> {
        self.fetch(call).await?.accepted()
    }

    /// Reads an answer of any status but 429.
    pub async fn fetch(&self, call: Call) -> Result<Response, ConnectorError> {
        let bucket = call.bucket;
        self.gate(bucket)?;
        self.turn(bucket).await;
        let url = call.url(&self.base);
        let response = self.exchange(&self.reading, url, call).await.map_err(Failure::of_a_read)?;
        self.obey(bucket, &response)?;
        Ok(response)
    }

    /// Makes the one call that counts. A status in `refusals` (4xx that certainly published nothing) is
    /// [`ConnectorError::Rejected`]; 401 and 429 are always refusals.
    pub async fn call_that_counts(&self, call: Call, refusals: &[u16]) -> Result<Response, ConnectorError> {
        self.attempt(call).await?.published_or(refusals)
    }

    /// Makes the one call that counts and gives its answer, of any status but 429, to be judged by the caller.
    pub async fn attempt(&self, call: Call) -> Result<Response, ConnectorError> {
        let bucket = call.bucket;
        self.gate(bucket)?;
        let url = call.url(&self.base);
        let response = self.exchange(&self.sending, url, call).await.map_err(Failure::of_a_call_that_counts)?;
        self.obey(bucket, &response)?;
        Ok(response)
    }

    /// Reads `url`, which the operator named, following its redirects. What a redirect names is a stranger's choice: other
    /// hosts are reached only at public addresses, and only the first host gets the call's credentials.
    pub async fn read_following(&self, url: Url, call: Call) -> Result<Response, ConnectorError> {
        let home = url.origin();
        self.follow(url, call, Some(home)).await
    }

    /// Reads an address that a stranger named: public addresses only, at every redirect too.
    pub async fn read_stranger(&self, url: Url, call: Call) -> Result<Response, ConnectorError> {
        self.follow(url, call, None).await
    }

    /// Reads `url` and what it redirects to, all within the call's time. Everywhere but at `home` the guard is asked.
    async fn follow(&self, mut url: Url, call: Call, home: Option<Origin>) -> Result<Response, ConnectorError> {
        let bucket = call.bucket;
        self.gate(bucket)?;
        self.turn(bucket).await;
        let deadline = Instant::now() + call.timeout.unwrap_or(self.call_timeout);
        for _ in 0..=MAX_REDIRECTS {
            let at_home = home.as_ref() == Some(&url.origin());
            let mut hop = call.clone();
            hop.timeout = Some(deadline.saturating_duration_since(Instant::now()));
            let client = match at_home {
                true => &self.reading,
                false => {
                    guard::check_address(&url).map_err(|reason| ConnectorError::Rejected(reason.to_string()))?;
                    hop.headers.remove(header::AUTHORIZATION);
                    hop.headers.remove(header::COOKIE);
                    self.guarded()?
                }
            };
            let response = self.exchange(client, url.clone(), hop).await.map_err(Failure::of_a_read)?;
            self.obey(bucket, &response)?;
            match response.redirect_target(&url) {
                Some(next) => url = next,
                None => return Ok(response),
            }
        }
        Err(ConnectorError::Rejected(format!("more than {MAX_REDIRECTS} redirects; give the final address instead")))
    }

    fn guarded(&self) -> Result<&reqwest::Client, ConnectorError> {
        if self.guarded.get().is_none() {
            let client = builder(self.call_timeout).dns_resolver(guard::PublicOnly).build().map_err(cannot_build)?;
            let _ = self.guarded.set(client);
        }
        self.guarded.get().ok_or_else(|| ConnectorError::Settings("the guarded client could not be made".to_owned()))
    }

    async fn turn(&self, bucket: &'static str) {
        if let Some(share) = self.shares.get(bucket) {
            share.until_ready().await;
        }
        self.pace.until_ready().await;
    }

    /// Refuses a call while the network's own limit for its bucket is used up.
    fn gate(&self, bucket: &'static str) -> Result<(), ConnectorError> {
        let mut gates = self.gates.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(until) = gates.get(bucket).copied() else { return Ok(()) };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            gates.remove(bucket);
            return Ok(());
        }
        Err(ConnectorError::RateLimited(wait))
    }

    /// Keeps what the answer says about limits; 429 becomes the error that it is.
    fn obey(&self, bucket: &'static str, response: &Response) -> Result<(), ConnectorError> {
        let refused = response.status == StatusCode::TOO_MANY_REQUESTS;
        let asked_to_wait = matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let wait = match refused {
            true => Some(limits::wait_after_429(&response.headers, &response.body)),
            false if asked_to_wait => limits::retry_after(&response.headers),
            false => limits::used_up(&response.headers),
        };
        if let Some(wait) = wait {
            let mut gates = self.gates.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            gates.insert(bucket, Instant::now() + wait);
            if refused {
                return Err(ConnectorError::RateLimited(wait));
            }
        }
        Ok(())
    }

    /// One request and its whole answer, within the call's time and size.
    async fn exchange(&self, client: &reqwest::Client, url: Url, call: Call) -> Result<Response, Failure> {
        if self.reach == Reach::PublicOnly {
            guard::check_address(&url).map_err(Failure::NotSent)?;
        }
        let started = Instant::now();
        let (max_body, longer) = (call.max_body, call.longer);
        let mut request = client.request(call.method, url).headers(call.headers);
        request = request.timeout(call.timeout.unwrap_or(self.call_timeout));
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let mut answer = request.send().await.map_err(|error| self.failure(error))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::Unclear(self.plain(error)))? {
            let room = max_body - body.len();
            if chunk.len() > room {
                match longer {
                    Longer::IsRefused => return Err(Failure::TooLarge(max_body)),
                    Longer::IsCut => {
                        body.extend_from_slice(&chunk[..room]);
                        break;
                    }
                }
            }
            body.extend_from_slice(&chunk);
        }
        debug!(
            bucket = call.bucket,
            status = status.as_u16(),
            bytes = body.len(),
            duration_ms = started.elapsed().as_millis() as u64,
            "answered"
        );
        Ok(Response { status, headers, body: body.freeze(), secret: self.secret.clone() })
    }

    fn failure(&self, error: reqwest::Error) -> Failure {
        match error.is_builder() || error.is_connect() {
            true => Failure::NotSent(self.plain(error)),
            false => Failure::Unclear(self.plain(error)),
        }
    }

    /// The error as text: reqwest puts the address into its errors, and Telegram's address contains the token.
    fn plain(&self, error: reqwest::Error) -> BoxError {
        if error.is_timeout() {
            return "no complete answer in time".into();
        }
        let error = error.without_url();
        let causes = || std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        let mut text = error.to_string();
        for cause in causes() {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        let said = redact(text, self.secret.as_ref());
        match causes().find_map(|cause| in_plain_words(cause, &said)) {
            Some(words) => {
                debug!(error = said, "no answer");
                words.into()
            }
            None => said.into(),
        }
    }
}

/// What a cause means to somebody who does not know HTTP, with what was said where the way on depends on it; nothing where
/// it means nothing by itself.
fn in_plain_words(cause: &(dyn std::error::Error + 'static), said: &str) -> Option<String> {
    // The resolver's error has no type of its own outside of its crate.
    if cause.to_string().starts_with("dns error") {
        // The guard's own refusal says itself what is wrong.
        let root = std::iter::successors(cause.source(), |inner| inner.source()).last();
        let refusal = root.filter(|root| !root.is::<io::Error>());
        return Some(refusal.map_or_else(|| "the server's name was not found".to_owned(), ToString::to_string));
    }
    let io = cause.downcast_ref::<io::Error>()?;
    if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Some(format!("no secure connection could be made ({said})"));
    }
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some("the connection was refused".to_owned()),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some("the connection broke".to_owned()),
        _ => None,
    }
}

fn limiter(pace: Pace) -> DefaultDirectRateLimiter {
    let burst = NonZeroU32::new(pace.burst).unwrap_or(NonZeroU32::MIN);
    let every = pace.every.max(Duration::from_micros(1));
    RateLimiter::direct(Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst))
}

fn builder(call_timeout: Duration) -> reqwest::ClientBuilder {
    // Harmless when the program chose a provider already; without any, building the client would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .timeout(call_timeout)
        // Shorter than the call, so that a server that cannot be reached is told apart from one that does not answer.
        .connect_timeout(CONNECT_TIMEOUT.min(call_timeout / 2))
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(2)
}

fn cannot_build(error: reqwest::Error) -> ConnectorError {
    ConnectorError::Settings(format!("the HTTP client cannot be built: {}", error.without_url()))
}

fn too_large(limit: usize) -> BoxError {
    format!("the answer is larger than {limit} bytes").into()
}

fn without_userinfo(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn redact(text: String, secret: Option<&SecretString>) -> String {
    match secret.map(|secret| secret.expose_secret()) {
        Some(secret) if !secret.is_empty() && text.contains(secret) => text.replace(secret, "…"),
        _ => text,
    }
}

enum Failure {
    /// Nothing left this machine.
    NotSent(BoxError),
    Unclear(BoxError),
    TooLarge(usize),
}

impl Failure {
    fn of_a_read(self) -> ConnectorError {
        match self {
            Self::TooLarge(limit) => ConnectorError::Malformed(too_large(limit)),
            Self::NotSent(reason) | Self::Unclear(reason) => ConnectorError::Unavailable(reason),
        }
    }

    fn of_a_call_that_counts(self) -> ConnectorError {
        match self {
            Self::NotSent(reason) => ConnectorError::Unavailable(reason),
            Self::TooLarge(limit) => ConnectorError::Unconfirmed(too_large(limit)),
            Self::Unclear(reason) => ConnectorError::Unconfirmed(reason),
        }
    }
}

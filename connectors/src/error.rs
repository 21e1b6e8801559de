//! What can go wrong with a network, one variant for each thing a caller does differently.

use std::time::Duration;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// Stop polling and sending on this account; a person must reconnect it.
    #[error("the network refuses the credentials: {0}")]
    Unauthorized(String),
    /// Nothing was done; wait as told.
    #[error("rate limited for {} s", .0.as_secs())]
    RateLimited(Duration),
    /// Nothing was published: try again with backoff.
    #[error("network unavailable: {0}")]
    Unavailable(#[source] BoxError),
    /// The network says no: show the reason, do not retry.
    #[error("refused by the network: {0}")]
    Rejected(String),
    /// The other side wants nothing more: pause the account, a person decides.
    #[error("the receiver wants nothing more: {0}")]
    Gone(String),
    /// It may have been published: verify, never repeat blindly.
    #[error("unclear whether the network took it: {0}")]
    Unconfirmed(#[source] BoxError),
    /// Our parser and the network disagree: a bug report.
    #[error("answer not understood: {0}")]
    Malformed(#[source] BoxError),
    /// The account's settings cannot work; names the setting and the next step.
    #[error("{0}")]
    Settings(String),
}

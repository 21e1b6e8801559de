//! Events out to a program of somebody else, signed as the Standard Webhooks specification 1.0.0 asks
//! (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, read November 2026).
//!
//! Any 2xx is the receipt; its body means nothing. The receiver knows an event again by `webhook-id`, which is the
//! delivery's, so an event whose end is unclear is sent again.

mod signature;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use url::Url;

pub use signature::Secrets;

use super::AccountSettings;
use crate::http::{Call, Client, Method, Pace, Response, check_address, is_own_network};
use crate::outgoing::{Certainty, Length, Outgoing, Prepared, Receipt};
use crate::{Connector, ConnectorError, Profile, Publisher};

/// Only the harmless calls are paced here; how fast events go out is the policy's.
const PACE: Pace = Pace { burst: 5, every: Duration::from_secs(1) };
/// Of an event, in bytes. The specification recommends less than 20 kB; ours hold ids and labels, and a list of alerts.
const LIMIT: usize = 256 * 1024;
/// As much of an answer as is read: enough to show why an event was refused.
const ANSWER: usize = 8 * 1024;
/// The receiver is asked to remember the ids it took; nothing here depends on for how long.
const KEY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Who named the endpoint's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The configuration file: it may be on this machine's own network.
    Operator,
    /// Whoever may use the console or the API: public addresses only.
    User,
}

/// An endpoint of somebody else.
pub(super) struct Webhook {
    client: Client,
    /// Without any, events go out unsigned.
    secrets: Option<Secrets>,
}

impl Webhook {
    pub fn new(account: &AccountSettings, named_by: NamedBy) -> Result<Self, ConnectorError> {
        let name = &account.name;
        let url = account.base_url.clone().ok_or_else(|| {
            ConnectorError::Settings(format!("webhook {name:?} needs the address that its events go to"))
        })?;
        let secrets = account.token.as_ref().map(Secrets::read).transpose();
        let secrets =
            secrets.map_err(|reason| ConnectorError::Settings(format!("the secret of webhook {name:?}: {reason}")))?;
        let client = match named_by {
            NamedBy::Operator => Client::new(url, account.call_timeout, PACE)?,
            NamedBy::User => {
                if check_address(&url).is_err() || is_own_network(host(&url)) {
                    return Err(ConnectorError::Settings(format!(
                        "webhook {name:?}: {} is not a public address; one on your own network must be named by the \
                         configuration file",
                        host(&url)
                    )));
                }
                Client::to_public(url, account.call_timeout, PACE)?
            }
        };
        Ok(Self { client, secrets })
    }

    fn event(&self, message: &Outgoing) -> Call {
        let at = message.called_at.as_second();
        let mut call = Call::post("")
            .exact()
            .header(CONTENT_TYPE, "application/json")
            .header(ID, &message.key)
            .header(TIMESTAMP, &at.to_string())
            .bytes(message.text.clone().into_bytes())
            .read_at_most(ANSWER);
        if let Some(secrets) = &self.secrets {
            call = call.header(SIGNATURE, &secrets.sign(&message.key, message.called_at, message.text.as_bytes()));
        }
        call
    }
}

/// What the receiver's answer to an event means.
fn taken(response: &Response, key: &str) -> Result<Receipt, ConnectorError> {
    let said = response.said();
    match response.status {
        status if status.is_success() => Ok(Receipt { remote_id: key.to_owned(), local_id: None, url: None }),
        StatusCode::GONE => Err(ConnectorError::Gone(said)),
        // 429 never comes here: the client has made an error of it.
        StatusCode::SERVICE_UNAVAILABLE => match response.retry_after() {
            Some(wait) => Err(ConnectorError::RateLimited(wait)),
            None => Err(ConnectorError::Unavailable(said.into())),
        },
        status if status.is_redirection() => Err(ConnectorError::Unavailable(
            format!("it redirects ({said}), and events follow no redirect; give the final address").into(),
        )),
        _ => Err(ConnectorError::Unavailable(said.into())),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

#[async_trait]
impl Connector for Webhook {
    /// Whoever answers at all is there: what a receiver says to a question without an event means nothing.
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        self.client.fetch(Call::new(Method::HEAD, "").exact().read_at_most(ANSWER)).await?;
        let host = host(self.client.base()).to_owned();
        Ok(Profile { remote_id: host.clone(), handle: host.clone(), display_name: host, url: None })
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

#[async_trait]
impl Publisher for Webhook {
    fn lane(&self, _: &Outgoing) -> String {
        "events".to_owned()
    }

    fn measure(&self, message: &Outgoing) -> Length {
        Length { used: message.text.len(), limit: LIMIT }
    }

    fn certainty(&self) -> Certainty {
        Certainty::Key { life: KEY_LIFE }
    }

    async fn publish(&self, message: &Outgoing, _: &Prepared) -> Result<Receipt, ConnectorError> {
        taken(&self.client.attempt(self.event(message)).await?, &message.key)
    }
}

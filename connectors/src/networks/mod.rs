//! The list of networks, readable in one place.

pub mod bluesky;
pub mod feed;
pub mod file;
pub mod mail;
pub mod mastodon;
pub mod matrix;
pub mod telegram;
pub mod webhook;

use std::str::FromStr;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Connector, ConnectorError, Session};
pub use webhook::NamedBy;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    Mastodon,
    Bluesky,
    Matrix,
    Telegram,
    Rss,
    /// Events that go out to other programs.
    Webhook,
    /// Mail to our own people.
    Mail,
    /// Mentions read from a file by `muhatap import`.
    File,
}

impl Network {
    pub const ALL: [Network; 8] =
        [Self::Mastodon, Self::Bluesky, Self::Matrix, Self::Telegram, Self::Rss, Self::Webhook, Self::Mail, Self::File];

    /// Only tells programs and our own people what happened: no account that anybody writes or listens with.
    pub fn only_tells(self) -> bool {
        matches!(self, Self::Webhook | Self::Mail)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mastodon => "mastodon",
            Self::Bluesky => "bluesky",
            Self::Matrix => "matrix",
            Self::Telegram => "telegram",
            Self::Rss => "rss",
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::File => "file",
        }
    }

    /// What of an account's messages is seen on its own page ([`crate::Profile::url`]). Answers of a Telegram bot are in
    /// the chats they answer, and a Matrix user has no messages outside of rooms.
    pub fn on_page(self) -> OnPage {
        match self {
            Self::Mastodon | Self::Bluesky => OnPage::Everything,
            Self::Telegram => OnPage::Posts,
            Self::Matrix | Self::Rss | Self::Webhook | Self::Mail | Self::File => OnPage::Nothing,
        }
    }
}

/// What is seen on an account's own page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPage {
    Everything,
    /// But no answers.
    Posts,
    Nothing,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|network| network.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|network| network.as_str()).collect();
            format!("unknown network {text:?}; known are {}", known.join(", "))
        })
    }
}

/// What a connector is built from.
#[derive(Clone)]
pub struct AccountSettings {
    pub name: String,
    pub network: Network,
    pub base_url: Option<Url>,
    /// The login name, where the network wants one beside the secret (Bluesky, Matrix).
    pub user: Option<String>,
    /// The access token, bot token or (app) password.
    pub token: Option<SecretString>,
    /// Names, hashtags and keywords to listen for.
    pub listen_for: Vec<String>,
    pub session: Arc<dyn Session>,
    /// Bounds the one call that counts (JOBS 2.3) and every other request.
    pub call_timeout: std::time::Duration,
}

/// Builds the connector of an account; opens no connection.
pub fn connect(account: &AccountSettings) -> Result<Box<dyn Connector>, ConnectorError> {
    connect_as(account, NamedBy::User)
}

/// As [`connect`], for an account whose address `named_by` wrote down: where events go may be on the operator's own
/// network, but never because a stranger says so.
pub fn connect_as(account: &AccountSettings, named_by: NamedBy) -> Result<Box<dyn Connector>, ConnectorError> {
    Ok(match account.network {
        Network::Bluesky => Box::new(bluesky::Bluesky::new(account)?),
        Network::Matrix => Box::new(matrix::Matrix::new(account)?),
        Network::Mastodon => Box::new(mastodon::Mastodon::new(account)?),
        Network::Telegram => Box::new(telegram::Telegram::new(account)?),
        Network::Rss => Box::new(feed::Feed::new(account)?),
        Network::Mail => Box::new(mail::MailServer::new(account)?),
        Network::Webhook => Box::new(webhook::Webhook::new(account, named_by)?),
        Network::File => {
            return Err(ConnectorError::Settings(format!(
                "account {}: a file is read once, by `muhatap import mentions`; it is not an account to connect",
                account.name
            )));
        }
    })
}

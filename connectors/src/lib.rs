//! The networks Muhatap listens to and publishes on. This crate knows networks and nothing else: no SQL, no queue, no
//! configuration file, no web.
//!
//! A network is one file under [`networks`] that implements [`Connector`] and, where it can publish, [`Publisher`];
//! [`connect`] lists them all.

pub mod error;
pub mod html;
pub mod http;
pub mod incoming;
pub mod networks;
pub mod outgoing;
pub mod session;

pub use error::ConnectorError;
pub use incoming::{Author, Batch, Change, Cursor, Gap, Incoming, Kind, Stream, StreamKind, Unparsed};
pub use networks::{AccountSettings, NamedBy, Network, OnPage, connect, connect_as};
pub use outgoing::{Certainty, Length, Outgoing, Prepared, Receipt, ReplyTo, Visibility};
pub use session::{MemorySession, Session};

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

/// One connected account on one network. Building it opens no connection and spawns nothing.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Who the credentials belong to: a harmless call, used by `check-config --online`, for account health and to open
    /// a lane again after an unclear end.
    async fn who_am_i(&self) -> Result<Profile, ConnectorError>;

    /// The sources this account can be listened on: mentions, each keyword, direct messages, own posts. None where things
    /// only go out.
    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }

    /// What changed on `stream` since `after`, and where to go on next time. Repeating a poll with the same cursor
    /// gives at least the same changes again.
    ///
    /// How far back a new stream is read is for each network to bound; what came in from `asked_at` on, when the stream
    /// was first asked for, is read however much it is.
    async fn poll(
        &self,
        stream: &Stream,
        _after: Option<&Cursor>,
        _asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        Err(ConnectorError::Settings(format!("there is no stream {:?}: things only go out", stream.name())))
    }

    /// How to publish here; `None` for read-only networks.
    fn publisher(&self) -> Option<&dyn Publisher>;
}

/// The account behind a set of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The account's id on the network, the same as [`Author::remote_id`] on its messages.
    pub remote_id: String,
    pub handle: String,
    pub display_name: String,
    pub url: Option<String>,
}

/// The sending half of a [`Connector`].
#[async_trait]
pub trait Publisher: Send + Sync {
    /// The lane this message must keep its order in (JOBS: the account for posts and comments, account and recipient
    /// for direct messages), without the account's own id, which the caller puts before it.
    fn lane(&self, message: &Outgoing) -> String;

    /// The text's length in this network's own counting, and its limit.
    fn measure(&self, message: &Outgoing) -> Length;

    /// How an unclear end can be settled.
    fn certainty(&self) -> Certainty;

    /// Everything repeatable before the one call that counts; its result is stored before [`Publisher::publish`].
    async fn prepare(&self, _message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        Ok(saved.unwrap_or_default())
    }

    /// As [`Publisher::prepare`], where that asks nothing of the network and nothing speaks against the call: such a
    /// message is marked and called for without being prepared first.
    fn ready(&self, _message: &Outgoing, _saved: Option<&Prepared>) -> Option<Prepared> {
        None
    }

    /// The one call that counts.
    async fn publish(&self, message: &Outgoing, prepared: &Prepared) -> Result<Receipt, ConnectorError>;

    /// Looks for `message` among our own posts made since `since`, passing over those in `taken` (`remote_id`s that belong
    /// to other deliveries of the same text). `None` is a proof of absence as of this read, never a failure to read.
    async fn find(
        &self,
        _message: &Outgoing,
        _prepared: &Prepared,
        _since: Timestamp,
        _taken: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        Err(ConnectorError::Rejected("it cannot be asked what it took".to_owned()))
    }

    /// Deletes an own message. Deleting what is already gone succeeds.
    async fn delete(&self, _published: &Receipt) -> Result<(), ConnectorError> {
        Err(ConnectorError::Rejected("what it took cannot be taken back".to_owned()))
    }

    /// The own message that a link to its page leads to, as far as the link alone tells; `own` is the account's id
    /// ([`Profile::remote_id`]), where it is known. Its receipt can be deleted by.
    fn linked(&self, _link: &Url, _own: Option<&str>) -> Option<Receipt> {
        None
    }
}

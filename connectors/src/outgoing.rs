//! What goes out, and what the network said of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A message to publish. But for [`Outgoing::called_at`] the same delivery always gives the same value, also after a
/// restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Idempotency key: derived from the delivery, never from the attempt. 32 lower-case hexadecimal digits; for a webhook
    /// and a mail the delivery's own id.
    pub key: String,
    /// When the delivery was made; connectors derive time-ordered ids from it (Bluesky `rkey`).
    pub created_at: Timestamp,
    /// When it was to go out: the time it carries where a network lets its author date a message (Bluesky), or a post
    /// scheduled a week ago would appear a week down the timeline. Fixed from the first call on.
    pub due_at: Timestamp,
    /// When this call is made, by the clock that all workers share: the one value that differs from call to call. Dates a
    /// webhook's signature.
    pub called_at: Timestamp,
    pub text: String,
    /// Somebody else's message that this one answers.
    pub reply_to: Option<ReplyTo>,
    /// Our own message, from the same account, that this one continues: the part before it of a thread. Never beside
    /// `reply_to`.
    pub continues: Option<Receipt>,
    pub visibility: Visibility,
    /// BCP 47, where known.
    pub language: Option<String>,
}

/// The message being answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyTo {
    pub remote_id: String,
    /// The author being answered, as the network writes it (`@ayse@ornek.example`).
    pub handle: String,
    /// [`crate::Incoming::reply_data`] of that message.
    pub data: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Public,
    /// Public, but not in discovery feeds.
    Unlisted,
    Followers,
    Direct,
}

impl Visibility {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Followers => "followers",
            Self::Direct => "direct",
        }
    }
}

/// What a person is told when the part before it was deleted.
pub(crate) const PART_BEFORE_IS_GONE: &str =
    "the part before it is not on the network any more; post this one on its own";

/// A length in the network's own counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    pub used: usize,
    pub limit: usize,
}

impl Length {
    pub fn fits(self) -> bool {
        self.used <= self.limit
    }
}

/// How an unclear end can be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The network drops a second publish with the same key for `life`; `find` works too.
    Key { life: Duration },
    /// Published in two steps, the first of which is in [`Prepared`]: `find` asks for its state.
    Steps,
    /// Only by reading our own posts back with `find`.
    ReadBack,
    /// Not at all: a person decides.
    None,
}

/// What [`crate::Publisher::prepare`] made; only the connector reads it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prepared(pub serde_json::Value);

/// The network's proof that a message is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Canonical, as in [`crate::Incoming::remote_id`].
    pub remote_id: String,
    pub local_id: Option<String>,
    /// Where a person can look at it.
    pub url: Option<String>,
}

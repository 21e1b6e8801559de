//! Turns what a person wrote into a delivery: measures it, asks the policy, stores it in the outbox.

use jiff::Timestamp;
pub use muhatap_connectors::Length;
use serde::Serialize;

use crate::model::{AccountId, DeliveryId, MentionId};

/// An answer to a mention.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyRequest {
    pub mention_id: MentionId,
    pub text: String,
    /// Who wrote it: a user id, `token:ID`, `local` or `cli`.
    pub author: String,
    /// The same key twice gives the same delivery; with other content it is an error.
    pub key: Option<String>,
    /// When to send it; after the time for Undo unless said otherwise.
    pub due_at: Option<Timestamp>,
    /// The newest answer the person saw when writing ([`OtherReply::id`]).
    pub seen: Option<String>,
    /// The other answer ([`OtherReply::id`]) the person knows of and writes over all the same.
    pub confirm_over: Option<String>,
    /// What the person was warned of and wants all the same.
    pub confirm: Confirmed,
}

/// Something to publish on an account.
#[derive(Debug, Clone, PartialEq)]
pub struct PostRequest {
    pub account_id: AccountId,
    pub text: String,
    pub author: String,
    pub key: Option<String>,
    /// At once unless said otherwise.
    pub due_at: Option<Timestamp>,
    /// Only once this delivery is sent (the next part of a thread).
    pub after: Option<DeliveryId>,
    /// Past this time it is not worth sending any more.
    pub expires_at: Option<Timestamp>,
    pub confirm: Confirmed,
}

/// Warnings a person has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// [`ComposeError::NearDuplicate`].
    pub duplicate: bool,
    /// [`ComposeError::PersonalData`].
    pub personal_data: bool,
}

/// An answer that is already there or on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherReply {
    /// What `confirm_over` must carry: the delivery's id, or the message's id on its network.
    pub id: String,
    /// Missing when it was written in the network's own app.
    pub delivery_id: Option<DeliveryId>,
    pub author: Option<String>,
    /// A state word, or `published`.
    pub state: String,
    pub at: Timestamp,
}

/// Why something was not put in the outbox; each names the thing, the reason and the next step.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("{0} does not exist")]
    NotFound(String),
    #[error("the text is empty; write something")]
    Empty,
    #[error("the text has {} of at most {} characters as the network counts; shorten it by {}", .0.used, .0.limit, .0.used - .0.limit)]
    TooLong(Length),
    /// The network's rules, or this account's state, say no.
    #[error("{reason} (rule {rule})")]
    Refused { rule: String, reason: String },
    #[error(
        "another answer is {} ({}, {}); look at it, and confirm that yours goes out too", .0.state, .0.id, .0.at
    )]
    AnotherReply(OtherReply),
    #[error(
        "nearly the same text is already planned for this account on that day: delivery {earlier}, due {due_at}; \
         confirm that it goes out twice"
    )]
    NearDuplicate { earlier: DeliveryId, due_at: Timestamp },
    /// Kinds: `national id`, `iban`, `card`, `phone`.
    #[error("a public answer should not carry personal data (found: {}); take it out, or confirm it", .0.join(", "))]
    PersonalData(Vec<&'static str>),
    #[error("the key was used before for delivery {0} with other content; use a new key")]
    KeyReused(DeliveryId),
    #[error("{0}")]
    Store(String),
}

//! The words of the product as plain data: ids, states and the rows people work with. No I/O.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
pub use muhatap_connectors::{Network, Visibility};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

/// Declares newtype ids over ULIDs, so that a mention's id cannot be taken for a delivery's.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, pattern = "^[0-9A-HJKMNP-TV-Z]{26}$", example = "01JD3ZQ8M4W5Y6X7V8T9S0R1Q2")]
        pub struct $name(pub Ulid);

        impl $name {
            pub fn new(now: Timestamp) -> Self {
                Self(new_ulid(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Ulid::from_string(text).map(Self).map_err(|_| format!("{text:?} is not an id (26 letters and digits)"))
            }
        }
    )*};
}

ids! {
    BrandId, AccountId, StreamId, AuthorId, ContactId, ConversationId, MentionId, NoteId, ReplyId, PostId, DeliveryId,
    UserId, TokenId, AlertId, LinkId, MergeId, CampaignId, RecurrenceId,
}

/// A new ULID that sorts by `now`, the database's clock.
pub fn new_ulid(now: Timestamp) -> Ulid {
    Ulid::from_parts(now.as_millisecond().max(0) as u64, rand::random())
}

/// Declares a status word: the same in code, SQL, JSON, logs and pages. The words are `tt`, not `literal`: as a literal
/// they reach the derive for OpenAPI wrapped, and it overlooks them.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:tt),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name { $(#[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: &'static [$name] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("{text:?} is not one of {}", [$($word),*].join(", "))),
                }
            }
        }
    )*};
}

words! {
    SentimentLabel { Negative = "negative", Neutral = "neutral", Positive = "positive" }
    IntentLabel {
        Complaint = "complaint", Question = "question", Request = "request", Praise = "praise",
        Suggestion = "suggestion", Purchase = "purchase", Spam = "spam", Other = "other",
    }
    /// How soon somebody should look at a mention.
    UrgencyLevel { None = "none", Raised = "raised", High = "high" }
    /// What makes a mention urgent: a deadline, harm to body or life, danger, the law and those who watch over companies,
    /// children, old or ill people in any of it, money that was taken.
    AlarmKind {
        Deadline = "deadline", Health = "health", Safety = "safety", Legal = "legal", Vulnerable = "vulnerable",
        Money = "money",
    }
    ConversationState { Open = "open", Snoozed = "snoozed", Done = "done" }
    /// How often a recurring post comes.
    Frequency { Daily = "daily", Weekly = "weekly", Monthly = "monthly" }
    Weekday {
        Monday = "monday", Tuesday = "tuesday", Wednesday = "wednesday", Thursday = "thursday", Friday = "friday",
        Saturday = "saturday", Sunday = "sunday",
    }
    /// What becomes of an occurrence of a recurring post whose time passed before it could be sent: nothing (`skip`), or
    /// it is held until a person decides (`ask`).
    Missed { Skip = "skip", Ask = "ask" }
    /// `finished`: its last date has passed.
    RecurrenceState { Active = "active", Paused = "paused", Ended = "ended", Finished = "finished" }
    /// JOBS 2.2: the only list of a delivery's states.
    DeliveryState {
        Waiting = "waiting", Queued = "queued", Preparing = "preparing", Sending = "sending",
        Verifying = "verifying", Retry = "retry", Held = "held", Unknown = "unknown", Sent = "sent",
        Failed = "failed", Expired = "expired", Cancelled = "cancelled",
    }
    /// Why a delivery is held: its time has passed by more than its limit (`late`); the database came from a backup, so it
    /// may have been sent since (`restored`); the network refuses the account's credentials, and it goes on by itself once
    /// that is mended (`account`); what it follows is not on the network (`predecessor`).
    Hold { Late = "late", Restored = "restored", Account = "account", Predecessor = "predecessor" }
    Action { Publish = "publish", Delete = "delete", Webhook = "webhook", Mail = "mail" }
    /// What a webhook tells of.
    EventKind {
        MentionReceived = "mention.received", MentionNegative = "mention.negative",
        MentionComplaint = "mention.complaint", MentionUrgent = "mention.urgent", MentionEdited = "mention.edited",
        MentionDeleted = "mention.deleted", ConversationOpened = "conversation.opened",
        ConversationDone = "conversation.done", DeliverySent = "delivery.sent", DeliveryFailed = "delivery.failed",
        DeliveryUnknown = "delivery.unknown", DeliveryHeld = "delivery.held", DeliveryExpired = "delivery.expired",
        AlertsRaised = "alerts.raised", WebhookTest = "webhook.test",
    }
    Health { New = "new", Ok = "ok", Failing = "failing", Unauthorized = "unauthorized" }
    Role { Admin = "admin", Agent = "agent", Viewer = "viewer" }
    /// What an API token may do; each includes the ones before it.
    Scope { Read = "read", Write = "write", Admin = "admin" }
}

impl DeliveryState {
    /// Nothing will happen to it any more.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Expired | Self::Cancelled)
    }
}

impl Action {
    /// Tells a program or our own people what happened, rather than people on a network. Doing it again under the same id
    /// does no harm, and nobody is told how telling went.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Webhook | Self::Mail)
    }

    /// Doing it twice comes to the same as doing it once: what is deleted stays deleted, a receiver knows an event again by
    /// its id, and a mail by its `Message-ID`.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Delete | Self::Webhook | Self::Mail)
    }
}

impl EventKind {
    /// What an endpoint can ask for; a test comes unasked, and alerts go where `[alerts]` says.
    pub fn on_offer() -> impl Iterator<Item = EventKind> {
        Self::ALL.iter().copied().filter(|kind| !matches!(kind, Self::AlertsRaised | Self::WebhookTest))
    }
}

/// Priority of a delivery; a smaller number goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Class(pub i64);

impl Class {
    pub const TAKEDOWN: Class = Class(0);
    pub const COMPLAINT_REPLY: Class = Class(1);
    pub const REPLY: Class = Class(2);
    pub const CAMPAIGN: Class = Class(3);
}

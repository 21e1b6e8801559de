//! What people read: mentions by filter and search, one conversation whole, sentiment by hour, accounts with their
//! streams and gaps. Every type here is also what the JSON API answers with.

mod accounts;
mod conversation;
mod hours;
mod mentions;
mod unparsed;

pub(in crate::store) use mentions::Statement;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analyze::{Intent, Language, Sentiment, Topic, Urgency};
use crate::model::{
    AccountId, Action, AuthorId, BrandId, ContactId, ConversationId, ConversationState, DeliveryId, DeliveryState,
    IntentLabel, MentionId, Network, NoteId, SentimentLabel, StreamId, UrgencyLevel, UserId,
};
use crate::store::accounts::Account;
use crate::store::corrections::Correction;

/// Which mentions a person wants to see, newest first; every part narrows. Deleted ones are not listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MentionFilter {
    /// Seen by this account.
    pub account_id: Option<AccountId>,
    pub brand_id: Option<BrandId>,
    pub network: Option<Network>,
    /// BCP 47, `und` included.
    pub language: Option<String>,
    pub sentiment: Option<SentimentLabel>,
    /// The mention's main intent.
    pub intent: Option<IntentLabel>,
    /// Among what it is about.
    pub topic: Option<Topic>,
    /// Exactly this level.
    pub urgency: Option<UrgencyLevel>,
    /// Whether a person's correction counts for it.
    pub corrected: Option<bool>,
    /// Of its conversation, as of now: a snoozed one whose time has come is open.
    pub state: Option<ConversationState>,
    pub assignee: Option<Assignee>,
    pub author_id: Option<AuthorId>,
    pub contact_id: Option<ContactId>,
    pub conversation_id: Option<ConversationId>,
    /// Words, each of which must begin a word of the text, the author's or the contact's name; Turkish letters and
    /// case do not matter.
    pub search: Option<String>,
    /// Published at or after.
    pub since: Option<Timestamp>,
    /// Published before.
    pub until: Option<Timestamp>,
    /// The last row of the page before this one.
    pub before: Option<PageMark>,
    /// At most this many rows; 0 means [`DEFAULT_PAGE`], and [`LARGEST_PAGE`] is the most.
    pub limit: usize,
}

/// Rows of a page when nothing is said.
pub const DEFAULT_PAGE: usize = 50;
/// The most rows a page may have.
pub const LARGEST_PAGE: usize = 500;
/// Counting stops here: nobody reads on from "1000 or more", and a page must not wait for it.
pub const MOST_COUNTED: i64 = 1000;

/// Who a conversation belongs to, as a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignee {
    Nobody,
    User(UserId),
}

/// Where a page ended, so that the next one goes on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMark {
    pub at: Timestamp,
    pub id: MentionId,
}

/// One mention as a list or a page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MentionRow {
    pub id: MentionId,
    #[schema(value_type = String)]
    pub network: Network,
    /// The account its answer goes out from.
    pub account: AccountRef,
    pub conversation: ConversationHead,
    pub author: AuthorView,
    /// `mention`, `reply`, `post`, `message`, `review` or `article`.
    pub kind: String,
    /// Missing once the message was deleted.
    pub text: Option<String>,
    /// Where it can be seen on its network.
    pub url: Option<String>,
    #[schema(value_type = String)]
    pub visibility: String,
    /// One to five, for reviews.
    pub rating: Option<f64>,
    pub media: Vec<MediaView>,
    pub published_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub language: Language,
    /// As a person corrected it, else as the analysis says. A mood that is a person's alone has the score -0.9999, 0 or 0.9999,
    /// and no words behind it.
    pub sentiment: Sentiment,
    /// The main one first; as a person corrected them, else as the analysis says.
    pub intents: Vec<Intent>,
    /// What a person said of it, and what the analysis had said.
    pub correction: Option<Correction>,
    /// Folded surface forms.
    pub tokens: Vec<String>,
    /// What it is about, in the language of the text.
    pub topics: Vec<String>,
    pub urgency: Urgency,
}

impl MentionRow {
    /// Where the page after this row goes on.
    pub fn mark(&self) -> PageMark {
        PageMark { at: self.published_at, id: self.id }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaView {
    pub url: String,
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountRef {
    pub id: AccountId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserRef {
    pub id: UserId,
    pub name: String,
}

/// The state of a conversation, without its messages.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConversationHead {
    pub id: ConversationId,
    /// As of now: a snoozed one whose time has come is open.
    pub state: ConversationState,
    pub snoozed_until: Option<Timestamp>,
    pub assignee: Option<UserRef>,
    /// Raised by every change of assignee; give it back when assigning, so that two people cannot both take it.
    pub claim: i64,
}

/// Who wrote something on a network.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuthorView {
    pub id: AuthorId,
    pub handle: String,
    pub display_name: String,
    pub url: Option<String>,
    pub followers: Option<i64>,
    /// The person in the CRM, where a link with evidence exists.
    pub contact: Option<ContactRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ContactRef {
    pub id: ContactId,
    pub name: String,
}

/// A conversation with everything said in it, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConversationView {
    #[serde(flatten)]
    pub head: ConversationHead,
    #[schema(value_type = String)]
    pub network: Network,
    pub account: AccountRef,
    pub last_message_at: Timestamp,
    pub last_incoming_at: Option<Timestamp>,
    pub last_outgoing_at: Option<Timestamp>,
    pub messages: Vec<Message>,
    pub notes: Vec<NoteView>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "direction", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly every message is incoming")]
pub enum Message {
    Incoming(MentionRow),
    /// Ours, on the network.
    Outgoing(OutgoingRow),
    /// Ours, not on the network, or not known to be.
    Pending(PendingRow),
}

impl Message {
    /// Where it stands in the conversation.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Incoming(mention) => mention.published_at,
            Self::Outgoing(outgoing) => outgoing.published_at,
            Self::Pending(pending) => pending.created_at,
        }
    }
}

/// A message of ours that is on the network.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OutgoingRow {
    /// The message's id on its network; missing while the network has not shown it to us yet.
    pub remote_id: Option<String>,
    /// Missing where it was written in the network's own app.
    pub delivery_id: Option<DeliveryId>,
    /// Who wrote it here: a user's name, or the word stored for a token or the command line.
    pub written_by: Option<String>,
    pub account: AccountRef,
    /// Missing once it was deleted.
    pub text: Option<String>,
    pub url: Option<String>,
    pub published_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// A reply of ours on its way, held, failed or cancelled.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PendingRow {
    pub delivery_id: DeliveryId,
    pub action: Action,
    pub state: DeliveryState,
    /// The mention it answers.
    pub mention_id: MentionId,
    pub written_by: String,
    pub account: AccountRef,
    pub text: String,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    /// Why it is in this state, in words for a person.
    pub reason: Option<String>,
}

/// An internal note; never leaves the installation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NoteView {
    pub id: NoteId,
    /// The user's name, or the word stored for the open console or a token.
    pub author: String,
    pub text: String,
    pub created_at: Timestamp,
}

/// How many conversations wait, for the inbox's tabs; each number stops at [`MOST_COUNTED`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct InboxCounts {
    pub open: i64,
    pub unassigned: i64,
    pub mine: i64,
    pub snoozed: i64,
    pub done: i64,
}

/// Which hours of whose mentions.
#[derive(Debug, Clone, PartialEq)]
pub struct HourFilter {
    pub account_id: Option<AccountId>,
    pub brand_id: Option<BrandId>,
    pub since: Timestamp,
    pub until: Timestamp,
}

/// One hour in which something was said.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HourRow {
    /// When the hour begins, UTC.
    pub hour_at: Timestamp,
    pub mentions: i64,
    pub negative: i64,
    pub neutral: i64,
    pub positive: i64,
    /// The mean score, from -1 to 1.
    pub score: f64,
}

/// An account with how it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountView {
    #[serde(flatten)]
    pub account: Account,
    /// Everything up to here was read, on every stream; missing while a stream does not know.
    pub complete_up_to: Option<Timestamp>,
    pub streams: Vec<StreamView>,
    /// Items kept raw because they could not be read.
    pub unparsed: i64,
}

/// One source of an account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StreamView {
    pub id: StreamId,
    /// `mentions`, `search:#marka`, …
    pub name: String,
    /// Everything up to here was read.
    pub complete_up_to: Option<Timestamp>,
    pub last_poll_at: Option<Timestamp>,
    pub next_poll_at: Timestamp,
    /// Failed polls in a row.
    pub failures: i64,
    pub failure_reason: Option<String>,
    /// What to know before waiting for something here.
    pub hint: Option<&'static str>,
    /// What is not read yet, or can never be.
    pub gaps: Vec<GapView>,
}

/// A span of time of which not everything was read.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct GapView {
    pub from_at: Option<Timestamp>,
    pub until_at: Option<Timestamp>,
    pub reason: String,
    /// `filling`, `filled` or `lost`.
    pub state: String,
}

/// Which unparsed items, and which page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnparsedFilter {
    pub account_id: Option<AccountId>,
    /// The last id of the page before.
    pub before: Option<String>,
    pub limit: usize,
}

/// An item that could not be stored as a mention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnparsedRow {
    pub id: String,
    pub account_id: AccountId,
    pub account: String,
    #[schema(value_type = String)]
    pub network: Network,
    /// The source it came from, as `mentions` or `search:#marka`; missing for what came from a file.
    pub stream: Option<String>,
    pub received_at: Timestamp,
    /// Why it could not be read.
    pub reason: String,
    /// As it came, up to 64 KiB of it. A stranger's text: show it as nothing else.
    pub raw: String,
}

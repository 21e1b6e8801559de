//! What comes in: streams, cursors and the changes a poll returns.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::outgoing::Visibility;

/// One source of an account with its own cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stream {
    pub kind: StreamKind,
    /// What is searched for; empty for streams that are not searches.
    pub query: String,
}

impl Stream {
    /// The stream's name within its account: `mentions`, `search:#marka`.
    pub fn name(&self) -> String {
        match self.query.is_empty() {
            true => self.kind.as_str().to_owned(),
            false => format!("{}:{}", self.kind.as_str(), self.query),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Whoever names or answers the account.
    Mentions,
    /// A keyword or hashtag.
    Search,
    /// Direct messages and rooms.
    Messages,
    /// A feed of articles or reviews.
    Feed,
    /// What the account itself published, here or in the network's own app.
    Own,
}

impl StreamKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mentions => "mentions",
            Self::Search => "search",
            Self::Messages => "messages",
            Self::Feed => "feed",
            Self::Own => "own",
        }
    }
}

/// Where the next poll of a stream goes on: text that only its connector reads, at most 8 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// The answer to one poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub changes: Vec<Change>,
    /// Items that could not be read; kept raw with their reason, the rest of the batch goes on.
    pub unparsed: Vec<Unparsed>,
    pub next: Cursor,
    /// Everything the network had up to this time is in this and earlier batches.
    pub complete_up_to: Option<Timestamp>,
    /// What lies between this batch and what was read before it, still to be read. Each batch states it anew.
    pub filling: Option<Gap>,
    /// What the network no longer has: cannot be filled.
    pub lost: Vec<Gap>,
    /// More waits: poll again at once.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(clippy::large_enum_variant, reason = "nearly every change is a message")]
pub enum Change {
    Seen(Incoming),
    Edited(Incoming),
    /// The message with this `remote_id`, or with this `local_id` on the account's server, is gone: deleted, or no longer
    /// shown to us. Says the same of messages that were never stored.
    Deleted(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unparsed {
    /// The raw item, at most 64 KiB of it.
    pub raw: String,
    pub reason: String,
}

/// A span of time of which not everything was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub reason: String,
}

/// A message as the network sees it. Text is plain (no markup, no U+0000), at most 100,000 characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incoming {
    /// Canonical for the whole network (Mastodon: `uri`; Bluesky: `at://` uri; Telegram: `chat/message`).
    pub remote_id: String,
    /// The id on this account's own server, where that differs from `remote_id` (Mastodon).
    pub local_id: Option<String>,
    pub kind: Kind,
    pub author: Author,
    pub text: String,
    pub url: Option<String>,
    pub published_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    /// What it answers: a `remote_id` or a `local_id`.
    pub in_reply_to: Option<String>,
    /// The network's own name for the whole thread, where it has one (Bluesky root, Matrix room, Telegram chat).
    pub thread: Option<String>,
    pub visibility: Visibility,
    /// BCP 47 code the network or its author gave; a hint only.
    pub language: Option<String>,
    /// One to five, for reviews.
    pub rating: Option<f64>,
    pub media: Vec<Media>,
    /// What [`crate::ReplyTo::data`] must carry to answer this message; only the connector reads it.
    pub reply_data: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub url: String,
    pub description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Names our account.
    Mention,
    /// Answers one of our messages.
    Reply,
    /// Found by a search.
    Post,
    /// Direct or in a room.
    Message,
    Review,
    /// From a feed.
    Article,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::Reply => "reply",
            Self::Post => "post",
            Self::Message => "message",
            Self::Review => "review",
            Self::Article => "article",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    pub remote_id: String,
    pub handle: String,
    pub display_name: String,
    pub url: Option<String>,
    /// The account itself wrote it: stored as outgoing, never as a mention.
    pub is_us: bool,
    pub followers: Option<i64>,
}

/// The longest text of a message that is kept, in characters.
pub const MAX_TEXT: usize = 100_000;
/// The longest name, handle, address or id that is kept, in characters.
pub const MAX_NAME: usize = 500;

/// Text fit to be kept: no U+0000 (PostgreSQL refuses it), at most `max` characters, no blanks around it.
pub fn clean(text: &str, max: usize) -> String {
    let text = text.trim();
    let text = match text.char_indices().nth(max) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    text.replace('\0', "\u{FFFD}")
}

/// A time as networks write it (RFC 3339), refused outside of what a message can have been written in.
pub fn read_time(text: &str) -> Result<Timestamp, String> {
    let time: Timestamp = text.trim().parse().map_err(|_| format!("{:?} is not a time", clean(text, 60)))?;
    plausible(time)
}

/// Refuses a time before 1990 or after 2100: it would sort a message where nobody looks, or let retention erase it.
pub fn plausible(time: Timestamp) -> Result<Timestamp, String> {
    let year = time.to_zoned(TimeZone::UTC).year();
    match (1990..=2100).contains(&year) {
        true => Ok(time),
        false => Err(format!("the year {year} is not between 1990 and 2100")),
    }
}

/// When a message was written: the time its author claims where that can be, never later than it was seen.
pub fn believable(claimed: Option<&str>, seen_at: Timestamp) -> Timestamp {
    claimed.and_then(|time| read_time(time).ok()).map_or(seen_at, |time| time.min(seen_at))
}

/// An item that could not be read, kept as far as is sensible.
pub fn unparsed(raw: &str, reason: impl Into<String>) -> Unparsed {
    const MAX_RAW: usize = 64 * 1024;
    let mut end = raw.len().min(MAX_RAW);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    Unparsed { raw: raw[..end].replace('\0', "\u{FFFD}"), reason: reason.into() }
}

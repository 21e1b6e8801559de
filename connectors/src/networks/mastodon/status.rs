//! What Mastodon's answers hold, as far as it is used, and how a status becomes an incoming message.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Me;
use crate::html;
use crate::incoming::{Author, Incoming, Kind, MAX_NAME, MAX_TEXT, Media, believable, clean, read_time};
use crate::outgoing::{Receipt, Visibility};

/// Longer ids would not fit a cursor.
const MAX_ID: usize = 64;
const MAX_MEDIA: usize = 20;

#[derive(Deserialize)]
pub(super) struct Notification {
    #[serde(rename = "type")]
    pub kind: String,
    pub created_at: String,
    pub status: Option<Status>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub id: String,
    pub uri: String,
    pub url: Option<String>,
    pub created_at: String,
    pub edited_at: Option<String>,
    pub content: Option<String>,
    #[serde(default)]
    pub spoiler_text: String,
    pub visibility: String,
    pub language: Option<String>,
    pub in_reply_to_id: Option<String>,
    pub in_reply_to_account_id: Option<String>,
    pub account: Account,
    #[serde(default)]
    mentions: Vec<Named>,
    #[serde(default)]
    media_attachments: Vec<Attachment>,
    /// Only its presence counts: a boost is not a message.
    pub reblog: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub id: String,
    pub acct: String,
    #[serde(default)]
    pub display_name: String,
    pub url: Option<String>,
    pub uri: Option<String>,
    pub followers_count: Option<i64>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Attachment {
    url: Option<String>,
    remote_url: Option<String>,
    description: Option<String>,
}

impl Account {
    /// The same for everybody who sees this account, on whatever server.
    pub fn canonical(&self, domain: &str) -> String {
        let canonical = self.uri.clone().or_else(|| self.url.clone()).unwrap_or_else(|| self.handle(domain));
        clean(&canonical, MAX_NAME)
    }

    pub fn handle(&self, domain: &str) -> String {
        match self.acct.contains('@') {
            true => clean(&format!("@{}", self.acct), MAX_NAME),
            false => clean(&format!("@{}@{domain}", self.acct), MAX_NAME),
        }
    }
}

impl Status {
    /// The message this status is. A stranger's server dates its statuses itself: a date that cannot be is replaced by
    /// `seen`, when our own server had it.
    pub fn incoming(self, me: &Me, server: &str, seen: Option<Timestamp>) -> Result<Incoming, String> {
        if self.id.is_empty() || self.id.len() > MAX_ID || self.uri.is_empty() {
            return Err("the status has no usable id".to_owned());
        }
        let published_at = match seen {
            Some(seen) => believable(Some(&self.created_at), seen),
            None => read_time(&self.created_at)?,
        };
        let edited_at = self.edited_at.as_deref().map(|edited| read_time(edited).unwrap_or(published_at));
        let visibility = visibility(&self.visibility);
        let is_us = self.account.id == me.id;
        let answers_us = self.in_reply_to_account_id.as_ref() == Some(&me.id);
        let kind = match answers_us && !is_us {
            true => Kind::Reply,
            false if self.mentions.iter().any(|named| named.id == me.id) => Kind::Mention,
            false if is_us && self.in_reply_to_id.is_some() => Kind::Reply,
            false => Kind::Post,
        };
        let reply_data = json!({
            "server": server,
            "id": self.id,
            "acct": self.account.acct,
            "visibility": visibility,
        });
        Ok(Incoming {
            text: self.text(),
            remote_id: clean(&self.uri, 2000),
            local_id: Some(self.id),
            kind,
            author: Author {
                remote_id: self.account.canonical(&me.domain),
                handle: self.account.handle(&me.domain),
                display_name: clean(&self.account.display_name, MAX_NAME),
                url: self.account.url.as_deref().and_then(web_address),
                is_us,
                followers: self.account.followers_count,
            },
            url: self.url.as_deref().and_then(web_address),
            published_at,
            edited_at,
            in_reply_to: self.in_reply_to_id.map(|id| clean(&id, MAX_NAME)),
            thread: None,
            visibility,
            language: self.language.map(|language| clean(&language, 35)).filter(|language| !language.is_empty()),
            rating: None,
            media: self.media_attachments.into_iter().take(MAX_MEDIA).filter_map(Attachment::media).collect(),
            reply_data,
        })
    }

    /// The text with its warning, if it has one, before it.
    pub fn text(&self) -> String {
        let content = html::to_text(self.content.as_deref().unwrap_or_default());
        match self.spoiler_text.trim() {
            "" => clean(&content, MAX_TEXT),
            warning => clean(&format!("{warning}\n\n{content}"), MAX_TEXT),
        }
    }

    pub fn receipt(self) -> Receipt {
        Receipt { remote_id: self.uri, local_id: Some(self.id), url: self.url }
    }
}

impl Attachment {
    fn media(self) -> Option<Media> {
        let url = self.url.or(self.remote_url)?;
        Some(Media { url: web_address(&url)?, description: clean(&self.description.unwrap_or_default(), 2000) })
    }
}

/// An unknown visibility is treated as the narrowest, so that no answer to it is shown to more people.
pub(super) fn visibility(name: &str) -> Visibility {
    match name {
        "public" => Visibility::Public,
        "unlisted" => Visibility::Unlisted,
        "private" => Visibility::Followers,
        _ => Visibility::Direct,
    }
}

pub(super) fn visibility_name(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Unlisted => "unlisted",
        Visibility::Followers => "private",
        Visibility::Direct => "direct",
    }
}

fn web_address(text: &str) -> Option<String> {
    let url = url::Url::parse(text.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && text.len() <= 2000).then(|| text.trim().replace('\0', ""))
}
/// The status that its page on its own server leads to: `/@name/ID`, `/users/name/statuses/ID` or, on servers of the same
/// kind, `/notice/ID`.
pub(super) fn linked(link: &Url) -> Option<Receipt> {
    let segments: Vec<&str> = link.path_segments()?.collect();
    let id = match segments.as_slice() {
        [.., name, id] if name.starts_with('@') || matches!(*name, "statuses" | "notice") => *id,
        _ => return None,
    };
    let is_id = !id.is_empty() && id.len() <= MAX_NAME && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| Receipt { remote_id: link.to_string(), local_id: Some(id.to_owned()), url: Some(link.to_string()) })
}

//! What a room event means: a message, an edit, a redaction, or nothing for us.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::incoming::{MAX_NAME, MAX_TEXT, Media, clean, plausible};
use crate::{Author, Incoming, Kind, Receipt, Visibility};

/// Who is looking: what an event means depends on it.
pub(super) struct Viewer {
    pub(super) user_id: String,
    pub(super) direct: HashSet<String>,
}

/// A room event, as far as we read it. Its content is whatever its sender wrote.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) event_id: String,
    pub(super) sender: String,
    #[serde(default)]
    origin_server_ts: Value,
    #[serde(default)]
    pub(super) content: Value,
    #[serde(default)]
    pub(super) unsigned: Value,
    #[serde(default)]
    state_key: Option<String>,
    /// Of a redaction, in rooms before version 11.
    #[serde(default)]
    redacts: Option<String>,
}

/// What an event is to us.
pub(super) enum Meaning {
    Message(Box<Incoming>),
    /// The message with this event id was edited: the server knows its newest content.
    EditOf(String),
    /// The event with this id was redacted.
    Redacted(String),
    Unreadable(String),
    Nothing,
}

/// Display names in a room, by user id.
pub(super) type Names = HashMap<String, String>;

impl Event {
    /// The name that a membership event gives its member.
    pub(super) fn member(&self) -> Option<(&str, &str)> {
        if self.kind != "m.room.member" {
            return None;
        }
        Some((self.state_key.as_deref()?, self.content["displayname"].as_str().unwrap_or_default()))
    }

    /// Whether this is `user` entering the room.
    pub(super) fn is_joining_of(&self, user: &str) -> bool {
        self.member().is_some_and(|(member, _)| member == user)
            && self.content["membership"] == "join"
            && self.unsigned["prev_content"]["membership"] != "join"
    }

    pub(super) fn sent_at(&self) -> Result<Timestamp, String> {
        let time = self.origin_server_ts.as_i64().and_then(|time| Timestamp::from_millisecond(time).ok());
        time.ok_or_else(|| "the server names no time for it".to_owned()).and_then(plausible)
    }

    pub(super) fn meaning(&self, room: &str, viewer: &Viewer, names: &Names, as_of: Option<Timestamp>) -> Meaning {
        match self.kind.as_str() {
            _ if !self.unsigned["redacted_because"].is_null() => Meaning::Redacted(self.event_id.clone()),
            "m.room.redaction" => match self.redacts.as_deref().or(self.content["redacts"].as_str()) {
                Some(redacted) => Meaning::Redacted(redacted.to_owned()),
                None => Meaning::Nothing,
            },
            "m.room.encrypted" => Meaning::Unreadable(format!(
                "the room {room} is encrypted and Muhatap has no keys; ask for an unencrypted room"
            )),
            "m.room.message" => match self.edited() {
                Some(original) => Meaning::EditOf(original.to_owned()),
                None => match self.message(room, viewer, names, as_of) {
                    Ok(Some(message)) => Meaning::Message(Box::new(message)),
                    Ok(None) => Meaning::Nothing,
                    Err(reason) => Meaning::Unreadable(reason),
                },
            },
            _ => Meaning::Nothing,
        }
    }

    fn edited(&self) -> Option<&str> {
        let relation = &self.content["m.relates_to"];
        (relation["rel_type"] == "m.replace").then(|| relation["event_id"].as_str()).flatten()
    }

    /// The message, with its newest content where the server bundles an edit; `None` for what has no text.
    pub(super) fn message(
        &self,
        room: &str,
        viewer: &Viewer,
        names: &Names,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Incoming>, String> {
        let edit = Event::deserialize(&self.unsigned["m.relations"]["m.replace"]).ok();
        // Servers bundle valid edits only; the sender is checked here again, since anybody may write the event.
        let edit = edit.filter(|edit| edit.sender == self.sender && edit.content["m.new_content"].is_object());
        let content = edit.as_ref().map_or(&self.content, |edit| &edit.content["m.new_content"]);
        let relation = &self.content["m.relates_to"];
        let answers = relation["m.in_reply_to"]["event_id"].as_str();
        let thread_root = (relation["rel_type"] == "m.thread").then(|| relation["event_id"].as_str()).flatten();
        // In a thread the answered event is named for old apps only, unless it says otherwise.
        let answers = answers.filter(|_| thread_root.is_none() || relation["is_falling_back"] != true);
        if self.content == json!({}) {
            // What a redaction leaves of a message.
            return Ok(None);
        }
        let body = content["body"].as_str().ok_or("the body is not text")?;
        let (text, media) = match content["msgtype"].as_str() {
            Some("m.text" | "m.notice" | "m.emote") => (without_quote(body, answers.is_some()), Vec::new()),
            Some("m.image" | "m.video" | "m.audio" | "m.file") => attachment(content, body),
            _ => return Ok(None),
        };
        // A sender's server may claim any time; what cannot be is taken as just seen.
        let sent_at = self.sent_at().or_else(|reason| as_of.ok_or(reason))?;
        // The server's `Date` has whole seconds: a message of that second is not from the future.
        let published_at = match as_of {
            Some(as_of) if sent_at > as_of + SignedDuration::from_secs(1) => as_of,
            _ => sent_at,
        };
        let is_direct = viewer.direct.contains(room);
        let id = |event: &str| clean(&format!("{room}/{event}"), MAX_NAME);
        let mentions_us = self.content["m.mentions"]["user_ids"]
            .as_array()
            .is_some_and(|users| users.iter().any(|user| *user == viewer.user_id.as_str()))
            || body.contains(&viewer.user_id);
        let mut reply_data = json!({ "room": room, "event": self.event_id, "sender": self.sender });
        if let Some(root) = thread_root {
            reply_data["thread"] = json!(root);
        }
        Ok(Some(Incoming {
            remote_id: id(&self.event_id),
            local_id: None,
            // Apps name whom they answer, so an answer to us names us.
            kind: match (mentions_us, answers) {
                (true, Some(_)) => Kind::Reply,
                (true, None) => Kind::Mention,
                (false, _) => Kind::Message,
            },
            author: Author {
                is_us: self.sender == viewer.user_id,
                remote_id: clean(&self.sender, MAX_NAME),
                handle: clean(&self.sender, MAX_NAME),
                display_name: clean(names.get(&self.sender).map_or("", String::as_str), MAX_NAME),
                url: Some(format!("https://matrix.to/#/{}", clean(&self.sender, MAX_NAME))),
                followers: None,
            },
            text: clean(&text, MAX_TEXT),
            url: Some(format!("https://matrix.to/#/{}", id(&self.event_id))),
            published_at,
            edited_at: edit.and_then(|edit| edit.sent_at().ok()),
            in_reply_to: answers.map(id),
            thread: match (is_direct, thread_root) {
                (true, _) => Some(clean(room, MAX_NAME)),
                (false, root) => root.map(id),
            },
            visibility: if is_direct { Visibility::Direct } else { Visibility::Public },
            language: None,
            rating: None,
            media,
            reply_data,
        }))
    }
}

/// The rooms in an `m.direct` content: lists of rooms by user.
pub(super) fn direct_rooms(content: &Value) -> HashSet<String> {
    let lists = content.as_object().into_iter().flat_map(|users| users.values());
    lists.filter_map(Value::as_array).flatten().filter_map(|room| Some(room.as_str()?.to_owned())).collect()
}

/// Room and event of a message id of ours.
pub(super) fn parts(remote_id: &str) -> Option<(&str, &str)> {
    let at = remote_id.find("/$")?;
    let (room, event) = (&remote_id[..at], &remote_id[at + 1..]);
    room.starts_with('!').then_some((room, event))
}

/// The message that `https://matrix.to/#/!room/$event` leads to; apps write it percent-encoded.
pub(super) fn linked(link: &Url) -> Option<Receipt> {
    // Read as the value of a form, in which a plus sign would be a blank.
    let place = link.fragment()?.trim_start_matches('/').split('?').next()?.replace('+', "%2B");
    let (place, _) = form_urlencoded::parse(place.as_bytes()).next()?;
    let (room, event) = parts(&place)?;
    let remote_id = format!("{room}/{event}");
    (remote_id.len() <= MAX_NAME).then(|| Receipt { remote_id, local_id: None, url: Some(link.to_string()) })
}

/// A body without the quotation that apps put before an answer for those that do not know answers.
fn without_quote(body: &str, is_answer: bool) -> String {
    if !is_answer || !body.starts_with("> ") {
        return body.to_owned();
    }
    let rest: Vec<&str> = body.lines().skip_while(|line| line.starts_with('>')).collect();
    rest.join("\n").trim_start_matches('\n').to_owned()
}

/// A file's caption (its body, where that is not just the file's name) and the file.
fn attachment(content: &Value, body: &str) -> (String, Vec<Media>) {
    let name = content["filename"].as_str().unwrap_or(body);
    let caption = if name == body { "" } else { body };
    let url = content["url"].as_str().filter(|url| url.starts_with("mxc://"));
    let media = url.map(|url| Media { url: clean(url, MAX_NAME), description: clean(name, MAX_NAME) });
    (caption.to_owned(), media.into_iter().collect())
}

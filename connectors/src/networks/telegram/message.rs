//! What Telegram's updates hold, as far as it is used, and how a message becomes an incoming one.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Answered;
use crate::incoming::{Author, Change, Incoming, Kind, MAX_NAME, MAX_TEXT, Media, clean, plausible};
use crate::outgoing::{Receipt, Visibility};

#[derive(Deserialize)]
pub(super) struct Update {
    message: Option<Message>,
    edited_message: Option<Message>,
    channel_post: Option<Message>,
    edited_channel_post: Option<Message>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    message_id: i64,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    from: Option<User>,
    sender_chat: Option<Chat>,
    chat: Chat,
    date: i64,
    edit_date: Option<i64>,
    text: Option<String>,
    caption: Option<String>,
    #[serde(default)]
    entities: Vec<Entity>,
    #[serde(default)]
    caption_entities: Vec<Entity>,
    reply_to_message: Option<Box<Answer>>,
    /// Everything else: which kind of message it is, when it has no text.
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// The message that is answered, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    message_id: i64,
    from: Option<User>,
    sender_chat: Option<Chat>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct User {
    pub id: i64,
    #[serde(default)]
    first_name: String,
    last_name: Option<String>,
    username: Option<String>,
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    title: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    offset: usize,
    length: usize,
    user: Option<User>,
    url: Option<String>,
}

/// Messages that people write without text, and how they are named.
const WITHOUT_TEXT: [(&str, &str); 15] = [
    ("photo", "[photo]"),
    ("video", "[video]"),
    ("voice", "[voice message]"),
    ("video_note", "[video message]"),
    ("audio", "[audio]"),
    ("animation", "[animation]"),
    ("document", "[file]"),
    ("sticker", "[sticker]"),
    ("location", "[location]"),
    ("venue", "[place]"),
    ("contact", "[contact]"),
    ("poll", "[poll]"),
    ("story", "[story]"),
    ("dice", "[dice]"),
    ("paid_media", "[paid media]"),
];

impl User {
    pub fn handle(&self) -> String {
        self.username.as_deref().map(|name| clean(&format!("@{name}"), MAX_NAME)).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        let last = self.last_name.as_deref().unwrap_or_default();
        clean(&format!("{} {last}", self.first_name), MAX_NAME)
    }

    pub fn url(&self) -> Option<String> {
        self.username.as_deref().and_then(public_address)
    }
}

impl Chat {
    /// Whether messages are numbered anew for each bot. In these chats the bot is part of a message's name, or two of our
    /// bots that talk to one person would take their messages for the same.
    fn is_numbered_by_bot(&self) -> bool {
        !matches!(self.kind.as_str(), "supergroup" | "channel")
    }

    fn name(&self, bot: i64) -> String {
        match self.is_numbered_by_bot() {
            true => format!("{bot}:{}", self.id),
            false => self.id.to_string(),
        }
    }

    fn visibility(&self) -> Visibility {
        match (self.kind.as_str(), &self.username) {
            ("private", _) => Visibility::Direct,
            ("channel" | "supergroup", Some(_)) => Visibility::Public,
            _ => Visibility::Followers,
        }
    }

    fn url_of(&self, message: i64) -> Option<String> {
        match (&self.username, self.kind.as_str()) {
            (Some(name), "channel" | "supergroup") => Some(format!("{}/{message}", public_address(name)?)),
            // Members can open it: -1001234 is written as 1234.
            (None, "channel" | "supergroup") => {
                Some(format!("https://t.me/c/{}/{message}", self.id.to_string().strip_prefix("-100")?))
            }
            _ => None,
        }
    }
}

/// The page of a person, a channel or a group that has a name.
pub(super) fn public_address(name: &str) -> Option<String> {
    let plain =
        !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| format!("https://t.me/{name}"))
}

/// A message's name on the whole network.
pub(super) fn remote_id(chat: &str, message: i64) -> String {
    format!("{chat}/{message}")
}

/// The message that `https://t.me/NAME/5`, or `https://t.me/c/1234/5` for members, leads to; what comes between is its
/// topic.
pub(super) fn linked(link: &Url) -> Option<Receipt> {
    let mut segments = link.path_segments().filter(|_| link.host_str() == Some("t.me"))?;
    let chat = match segments.next()? {
        "c" => format!("-100{}", segments.next()?.parse::<u64>().ok()?),
        name => format!("@{}", public_address(name)?.rsplit('/').next()?),
    };
    let message: i64 = segments.next_back()?.parse().ok()?;
    let place = remote_id(&chat, message);
    Some(Receipt { remote_id: place.clone(), local_id: Some(place), url: Some(link.to_string()) })
}

impl Update {
    /// What changed, if it is something that people write.
    pub fn change(self, me: &User, seen: Option<Timestamp>) -> Result<Option<Change>, String> {
        let seen_or_edited = |edited: bool, incoming: Incoming| match edited {
            true => Change::Edited(incoming),
            false => Change::Seen(incoming),
        };
        let (message, edited, posted) =
            match (self.message, self.edited_message, self.channel_post, self.edited_channel_post) {
                (Some(message), ..) => (message, false, false),
                (_, Some(message), ..) => (message, true, false),
                (_, _, Some(message), _) => (message, false, true),
                (_, _, _, Some(message)) => (message, true, true),
                _ => return Ok(None),
            };
        Ok(message.incoming(me, posted, seen)?.map(|incoming| seen_or_edited(edited, incoming)))
    }
}

impl Message {
    /// The message as an incoming one; `None` for what the service itself says (joined, pinned, renamed). `posted` tells a
    /// post of a channel: bots are let into channels by the channel's owners only, so such a post is ours.
    fn incoming(self, me: &User, posted: bool, seen: Option<Timestamp>) -> Result<Option<Incoming>, String> {
        let written = self.text.as_deref().or(self.caption.as_deref()).unwrap_or_default();
        let media = WITHOUT_TEXT.iter().find(|(field, _)| self.rest.contains_key(*field)).map(|(_, name)| *name);
        let text = match (written.trim().is_empty(), media) {
            (false, _) => clean(written, MAX_TEXT),
            (true, Some(name)) => name.to_owned(),
            (true, None) => return Ok(None),
        };
        let published_at =
            match Timestamp::from_second(self.date).map_err(|error| error.to_string()).and_then(plausible) {
                Ok(date) => date,
                Err(reason) => seen.ok_or(reason)?,
            };
        let edited_at = self.edit_date.and_then(|date| plausible(Timestamp::from_second(date).ok()?).ok());
        let chat = self.chat.name(me.id);
        let answers_us =
            self.reply_to_message.as_ref().is_some_and(|answered| match (&answered.from, &answered.sender_chat) {
                (Some(from), _) if from.id == me.id => true,
                (_, Some(sender)) => sender.kind == "channel" && self.chat.kind != "channel",
                _ => false,
            });
        let kind = match self.chat.kind.as_str() {
            "private" => Kind::Message,
            _ if answers_us => Kind::Reply,
            _ if self.names(me) => Kind::Mention,
            "channel" => Kind::Post,
            _ => Kind::Message,
        };
        let addresses = self.hidden_addresses();
        let reply_data = json!(Answered {
            chat: self.chat.id,
            message: self.message_id,
            topic: self.message_thread_id.filter(|_| self.is_topic_message),
        });
        Ok(Some(Incoming {
            remote_id: remote_id(&chat, self.message_id),
            local_id: Some(remote_id(&self.chat.id.to_string(), self.message_id)),
            kind,
            author: self.author(me, posted),
            text: match addresses.is_empty() {
                true => text,
                false => clean(&format!("{text}\n{}", addresses.join("\n")), MAX_TEXT),
            },
            url: self.chat.url_of(self.message_id),
            published_at,
            edited_at,
            in_reply_to: self.reply_to_message.as_ref().map(|answered| remote_id(&chat, answered.message_id)),
            thread: Some(match self.message_thread_id.filter(|_| self.is_topic_message) {
                Some(topic) => format!("{chat}/topic/{topic}"),
                None => chat,
            }),
            visibility: self.chat.visibility(),
            language: self.from.as_ref().and_then(|from| from.language_code.as_deref()).map(|code| clean(code, 35)),
            rating: None,
            media: Vec::<Media>::new(),
            reply_data,
        }))
    }

    fn author(&self, me: &User, posted: bool) -> Author {
        // Anonymous administrators and channels write as a chat; the user beside it is a stand-in.
        if let Some(chat) = self.sender_chat.as_ref().or(Some(&self.chat).filter(|_| posted)) {
            return Author {
                remote_id: chat.id.to_string(),
                handle: chat.username.as_deref().map(|name| clean(&format!("@{name}"), MAX_NAME)).unwrap_or_default(),
                display_name: clean(chat.title.as_deref().unwrap_or_default(), MAX_NAME),
                url: chat.username.as_deref().and_then(public_address),
                // A channel's post is copied into its discussion group by the service.
                is_us: posted || self.rest.contains_key("is_automatic_forward"),
                followers: None,
            };
        }
        let Some(user) = &self.from else {
            return Author {
                remote_id: self.chat.id.to_string(),
                handle: String::new(),
                display_name: clean(self.chat.title.as_deref().unwrap_or_default(), MAX_NAME),
                url: None,
                is_us: posted,
                followers: None,
            };
        };
        Author {
            remote_id: user.id.to_string(),
            handle: user.handle(),
            display_name: user.name(),
            url: user.url(),
            is_us: user.id == me.id || posted,
            followers: None,
        }
    }

    /// Whether the text names the bot.
    fn names(&self, me: &User) -> bool {
        let text = self.text.as_deref().or(self.caption.as_deref()).unwrap_or_default();
        let units: Vec<u16> = text.encode_utf16().collect();
        self.entities.iter().chain(&self.caption_entities).any(|entity| match entity.kind.as_str() {
            "text_mention" => entity.user.as_ref().is_some_and(|user| user.id == me.id),
            // "/start@destek_bot" is for one bot among several.
            "mention" | "bot_command" => {
                let end = entity.offset.saturating_add(entity.length).min(units.len());
                let named = String::from_utf16_lossy(units.get(entity.offset..end).unwrap_or_default());
                let name = named.rsplit_once('@').map(|(_, name)| name).unwrap_or_default();
                me.username.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
            }
            _ => false,
        })
    }

    /// Addresses behind words, which the text alone would not show.
    fn hidden_addresses(&self) -> Vec<String> {
        self.entities
            .iter()
            .chain(&self.caption_entities)
            .filter(|entity| entity.kind == "text_link")
            .filter_map(|entity| entity.url.as_deref())
            .filter(|url| {
                url.len() <= 500 && url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
            })
            .take(10)
            .map(|url| format!("({url})"))
            .collect()
    }

    /// The proof that this message is out.
    pub fn receipt(&self, own_id: i64) -> Receipt {
        let bot = self.from.as_ref().map_or(own_id, |from| from.id);
        Receipt {
            remote_id: remote_id(&self.chat.name(bot), self.message_id),
            local_id: Some(remote_id(&self.chat.id.to_string(), self.message_id)),
            url: self.chat.url_of(self.message_id),
        }
    }
}

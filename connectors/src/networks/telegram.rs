//! Telegram bots: updates in, messages out, nothing to read back.
//!
//! What a bot sees: messages to it, messages of groups it is in (all of them only as an administrator or with privacy mode
//! off), posts of channels it administers, and edits. It is not told of deletions, cannot search, and cannot read a chat's
//! past. Updates wait 24 hours (core.telegram.org/bots/api, getUpdates, Bot API 10.2, read November 2026): what came
//! in before that while nobody listened is lost, and is shown as a gap.
//!
//! There is no key for sending and no way to read a chat back, so an unclear end stays unclear.

mod message;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tracing::warn;
use url::Url;

use super::AccountSettings;
use crate::http::{Call, Client, Pace, Response};
use crate::incoming::{Batch, Cursor, Gap, Stream, StreamKind, unparsed};
use crate::outgoing::{Certainty, Length, Outgoing, Prepared, Receipt, ReplyTo};
use crate::{Connector, ConnectorError, Profile, Publisher};
use message::{Message, Update, User};

const PACE: Pace = Pace { burst: 10, every: Duration::from_millis(200) };
/// In characters as Unicode counts them, not in UTF-16 code units as the offsets of entities are: 4096 emoji are accepted
/// and 4097 refused (measured on the live network, github.com/FerroxLabs/wayland/issues/934, 2026-08-29).
const LIMIT: usize = 4096;
const PAGE: usize = 100;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// After a week without updates their numbers may begin anywhere (core.telegram.org/bots/api, Update).
const NUMBERS_LAST: SignedDuration = SignedDuration::from_hours(6 * 24);
/// Answers that say that no message was made.
const REFUSALS: [u16; 4] = [400, 403, 404, 413];

pub(super) struct Telegram {
    client: Client,
    token: SecretString,
    /// Where posts go: a channel's `@name` or number.
    channel: Option<String>,
    wait: Duration,
    me: OnceCell<User>,
}

/// Where the updates have been read to: the cursor's content.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// The first update not read yet.
    next: Option<i64>,
    /// When updates were last asked for, and last came, on the server's clock.
    asked: Option<Timestamp>,
    came: Option<Timestamp>,
}

/// Telegram's answers, whatever they hold.
#[derive(Deserialize)]
struct Answer<T> {
    ok: bool,
    result: Option<T>,
    error_code: Option<u16>,
    description: Option<String>,
}

/// [`crate::Incoming::reply_data`] of a message.
#[derive(Serialize, Deserialize)]
struct Answered {
    chat: i64,
    message: i64,
    topic: Option<i64>,
}

#[derive(Deserialize)]
struct Peek {
    update_id: Option<i64>,
}

impl Telegram {
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let name = &account.name;
        let token = account.token.clone().ok_or_else(|| {
            ConnectorError::Settings(format!(
                "account {name:?} needs token, the one that @BotFather gave, like {{ env = \"TELEGRAM_TOKEN\" }}"
            ))
        })?;
        let shape = token.expose_secret();
        if !shape.split_once(':').is_some_and(|(bot, secret)| bot.parse::<i64>().is_ok() && !secret.is_empty()) {
            return Err(ConnectorError::Settings(format!(
                "the token of account {name:?} is not a bot's; @BotFather writes them like 123456:ABC-DEF"
            )));
        }
        let base = match &account.base_url {
            Some(base) => base.clone(),
            None => Url::parse("https://api.telegram.org")
                .map_err(|error| ConnectorError::Settings(format!("Telegram's own address is not one: {error}")))?,
        };
        let named = account.listen_for.iter().find(|name| name.starts_with('@') || name.starts_with("-100"));
        Ok(Self {
            client: Client::new(base, account.call_timeout, PACE)?.with_secret(token.clone()),
            token,
            channel: account.user.clone().or_else(|| named.cloned()).map(|channel| channel.trim().to_owned()),
            wait: LONGEST_WAIT.min(account.call_timeout / 2),
            me: OnceCell::new(),
        })
    }

    fn call(&self, method: &str, body: &Value) -> Call {
        Call::post("").segment(&format!("bot{}", self.token.expose_secret())).segment(method).json(body)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        body: &Value,
        bucket: &'static str,
    ) -> Result<(T, Response), ConnectorError> {
        let response = self.client.fetch(self.call(method, body).bucket(bucket)).await?;
        let answer: Answer<T> = match serde_json::from_slice(&response.body) {
            Ok(answer) => answer,
            Err(_) if !response.status.is_success() => return Err(refused(&response, None)),
            Err(error) => return Err(ConnectorError::Malformed(error.into())),
        };
        match (answer.ok, answer.result) {
            (true, Some(result)) => Ok((result, response)),
            (true, None) => Err(ConnectorError::Malformed("the answer has no result".into())),
            (false, _) => Err(refused(&response, answer.error_code)),
        }
    }

    async fn me(&self) -> Result<&User, ConnectorError> {
        self.me.get_or_try_init(|| self.ask_who_i_am()).await
    }

    async fn ask_who_i_am(&self) -> Result<User, ConnectorError> {
        Ok(self.ask::<User>("getMe", &json!({}), "who").await?.0)
    }

    /// The account's own number where the network has not said it yet: tokens begin with it.
    fn own_id(&self) -> i64 {
        let in_token = self.token.expose_secret().split(':').next().and_then(|bot| bot.parse().ok());
        self.me.get().map(|me| me.id).or(in_token).unwrap_or_default()
    }

    /// Where a person sees what the account publishes: its channel's page. A channel that has only a number has none; a bot
    /// without a channel has its own.
    fn page(&self, me: &User) -> Option<String> {
        match &self.channel {
            Some(channel) => message::public_address(channel.strip_prefix('@')?),
            None => me.url(),
        }
    }

    fn chat_for(&self, message: &Outgoing) -> Result<(Value, Option<Answered>), ConnectorError> {
        let Some(reply_to) = &message.reply_to else {
            let channel = self.channel.as_deref().ok_or_else(|| {
                ConnectorError::Rejected("a post needs a channel; set user = \"@channel\" on the account".to_owned())
            })?;
            let chat = channel.parse::<i64>().map_or_else(|_| json!(channel), |number| json!(number));
            return Ok((chat, None));
        };
        let answered = answered(reply_to).ok_or_else(|| {
            ConnectorError::Rejected(
                "the message to be answered does not say its chat; answer it in Telegram".to_owned(),
            )
        })?;
        Ok((json!(answered.chat), Some(answered)))
    }
}

/// The number of our post `before` in the channel `chat`; none where it is in another one, since a number means another
/// message there. A channel with a name goes by its number in what the network says, and by its name in the link.
fn number_in(chat: &Value, before: &Receipt) -> Option<i64> {
    let chat = chat.as_str().map_or_else(|| chat.to_string(), str::to_owned);
    let named = before.url.as_deref().and_then(|url| message::linked(&Url::parse(url).ok()?));
    let places = [before.local_id.as_ref(), Some(&before.remote_id), named.as_ref().map(|named| &named.remote_id)];
    let mut places = places.into_iter().flatten().filter_map(|place| place.rsplit_once('/'));
    places.find(|(place, _)| place.eq_ignore_ascii_case(&chat))?.1.parse().ok()
}

fn answered(reply_to: &ReplyTo) -> Option<Answered> {
    serde_json::from_value(reply_to.data.clone()).ok()
}

/// What a refusal means when nothing was to be published.
fn refused(response: &Response, error_code: Option<u16>) -> ConnectorError {
    let code = error_code.unwrap_or(response.status.as_u16());
    let said = response.said();
    match code {
        // A token that is no token at all is answered with 404.
        401 | 404 => ConnectorError::Unauthorized(said),
        409 if said.contains("webhook") => ConnectorError::Settings(
            "a webhook takes the bot's updates, so they cannot be polled; remove it with deleteWebhook, or use another bot"
                .to_owned(),
        ),
        409 => ConnectorError::Unavailable(format!("another program polls the same bot: {said}").into()),
        400..=499 => ConnectorError::Rejected(said),
        _ => ConnectorError::Unavailable(said.into()),
    }
}

#[async_trait]
impl Connector for Telegram {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        // Asked anew each time: the answer proves that the token still works.
        let me = self.ask_who_i_am().await?;
        let profile =
            Profile { remote_id: me.id.to_string(), handle: me.handle(), display_name: me.name(), url: self.page(&me) };
        let _ = self.me.set(me);
        Ok(profile)
    }

    fn streams(&self) -> Vec<Stream> {
        // One queue holds everything: it cannot be read in parts.
        vec![Stream { kind: StreamKind::Messages, query: String::new() }]
    }

    async fn poll(
        &self,
        stream: &Stream,
        after: Option<&Cursor>,
        _asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        if stream.kind != StreamKind::Messages {
            return Err(ConnectorError::Settings(format!("Telegram has no stream {:?}", stream.name())));
        }
        let me = self.me().await?;
        let place = after.map_or_else(Place::default, |cursor| {
            serde_json::from_str(&cursor.0).unwrap_or_else(|error| {
                // Asking from the earliest update kept gives again what is stored already, and loses nothing.
                warn!(%error, "cursor not understood, the updates are read from the earliest");
                Place::default()
            })
        });
        let numbered = match (place.came, place.asked) {
            (Some(came), Some(asked)) => asked.duration_since(came) < NUMBERS_LAST,
            _ => true,
        };
        let mut body = json!({
            "limit": PAGE,
            "timeout": self.wait.as_secs(),
            "allowed_updates": ["message", "edited_message", "channel_post", "edited_channel_post"],
        });
        if let Some(next) = place.next.filter(|_| numbered) {
            body["offset"] = json!(next);
        }
        let (updates, response) = self.ask::<Vec<Box<RawValue>>>("getUpdates", &body, "updates").await?;
        let now = response.server_time();

        let mut batch = Batch {
            changes: Vec::new(),
            unparsed: Vec::new(),
            next: Cursor(String::new()),
            complete_up_to: now.and_then(|now| now.checked_sub(SignedDuration::from_secs(1)).ok()),
            filling: None,
            lost: lost(place.asked, now),
            more: updates.len() >= PAGE,
        };
        if batch.more {
            batch.complete_up_to = None;
        }
        let mut next = None;
        for raw in &updates {
            let peek: Peek = serde_json::from_str(raw.get()).unwrap_or(Peek { update_id: None });
            next = next.max(peek.update_id.and_then(|id| id.checked_add(1)));
            match serde_json::from_str::<Update>(raw.get())
                .map_err(|error| error.to_string())
                .and_then(|update| update.change(me, now))
            {
                Ok(Some(change)) => batch.changes.push(change),
                Ok(None) => {}
                Err(reason) => batch.unparsed.push(unparsed(raw.get(), reason)),
            }
        }
        if !updates.is_empty() && next.is_none() {
            return Err(ConnectorError::Malformed("none of the updates has a number".into()));
        }
        let place = Place {
            next: next.or(place.next),
            asked: now.or(place.asked),
            came: if updates.is_empty() { place.came } else { now.or(place.came) },
        };
        batch.next = Cursor(json!(place).to_string());
        Ok(batch)
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

/// What waited too long while nobody asked.
fn lost(asked: Option<Timestamp>, now: Option<Timestamp>) -> Vec<Gap> {
    let (Some(asked), Some(now)) = (asked, now) else { return Vec::new() };
    let Ok(kept_since) = now.checked_sub(KEPT) else { return Vec::new() };
    match asked < kept_since {
        true => vec![Gap {
            from: Some(asked),
            until: Some(kept_since),
            reason: "Telegram keeps what nobody fetches for 24 hours".to_owned(),
        }],
        false => Vec::new(),
    }
}

#[async_trait]
impl Publisher for Telegram {
    fn lane(&self, message: &Outgoing) -> String {
        match message.reply_to.as_ref().and_then(answered) {
            Some(answered) => format!("chat:{}", answered.chat),
            None => "posts".to_owned(),
        }
    }

    fn measure(&self, message: &Outgoing) -> Length {
        Length { used: message.text.chars().count(), limit: LIMIT }
    }

    fn certainty(&self) -> Certainty {
        Certainty::None
    }

    fn ready(&self, message: &Outgoing, saved: Option<&Prepared>) -> Option<Prepared> {
        self.chat_for(message).ok().map(|_| saved.cloned().unwrap_or_default())
    }

    async fn prepare(&self, message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        // Nothing is to be prepared, but what cannot work is told before the call that counts.
        self.chat_for(message)?;
        Ok(saved.unwrap_or_default())
    }

    async fn publish(&self, message: &Outgoing, _prepared: &Prepared) -> Result<Receipt, ConnectorError> {
        let (chat, answered) = self.chat_for(message)?;
        let mut body = json!({ "chat_id": chat, "text": message.text });
        if let Some(number) = message.continues.as_ref().and_then(|before| number_in(&chat, before)) {
            // It goes out standing alone where the part before it is gone (core.telegram.org/bots/api#replyparameters, Bot
            // API 10.2, read November 2026).
            body["reply_parameters"] = json!({ "message_id": number, "allow_sending_without_reply": true });
        }
        if let Some(answered) = answered {
            body["reply_parameters"] = json!({ "message_id": answered.message });
            if let Some(topic) = answered.topic {
                body["message_thread_id"] = json!(topic);
            }
        }
        let response = self.client.attempt(self.call("sendMessage", &body).bucket("send")).await?;
        let answer: Answer<Message> = response.proof()?;
        match answer {
            Answer { ok: true, result: Some(sent), .. } => Ok(sent.receipt(self.own_id())),
            Answer { ok: false, error_code, description, .. } => {
                let code = error_code.unwrap_or(response.status.as_u16());
                let said = response.said();
                // A token of the wrong shape is answered with 404 "Not Found", a chat never is.
                Err(match code {
                    401 => ConnectorError::Unauthorized(said),
                    404 if description.as_deref() == Some("Not Found") => ConnectorError::Unauthorized(said),
                    code if REFUSALS.contains(&code) => ConnectorError::Rejected(said),
                    _ => ConnectorError::Unconfirmed(said.into()),
                })
            }
            Answer { .. } => Err(ConnectorError::Unconfirmed("the network answered without the message".into())),
        }
    }

    async fn find(
        &self,
        _: &Outgoing,
        _: &Prepared,
        _: Timestamp,
        _: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        Err(ConnectorError::Rejected("a Telegram bot cannot read its own messages back; look into the chat".to_owned()))
    }

    async fn delete(&self, published: &Receipt) -> Result<(), ConnectorError> {
        let place = published.local_id.as_deref().unwrap_or(&published.remote_id);
        let parsed = place.rsplit_once('/').and_then(|(chat, message)| {
            let chat = chat.rsplit_once(':').map_or(chat, |(_, chat)| chat);
            let chat = chat.parse::<i64>().map(Value::from).ok().or(chat.starts_with('@').then(|| json!(chat)))?;
            Some((chat, message.parse::<i64>().ok()?))
        });
        let Some((chat, message)) = parsed else {
            return Err(ConnectorError::Rejected("the message's chat is not known; delete it in Telegram".to_owned()));
        };
        let body = json!({ "chat_id": chat, "message_id": message });
        match self.ask::<bool>("deleteMessage", &body, "delete").await {
            Ok(_) => Ok(()),
            Err(ConnectorError::Rejected(said)) if said.contains("message to delete not found") => Ok(()),
            Err(ConnectorError::Rejected(said)) if said.contains("can't be deleted") => Err(ConnectorError::Rejected(
                format!("{said}: bots may delete messages for 48 hours; delete it in Telegram"),
            )),
            Err(error) => Err(error),
        }
    }

    fn linked(&self, link: &Url, _own: Option<&str>) -> Option<Receipt> {
        message::linked(link)
    }
}

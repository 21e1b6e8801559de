//! Sending with a transaction id of our own, which every event carries besides, so that it can be found again.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::events::{Event, linked, parts};
use super::{API, Matrix, session};
use crate::http::Call;
use crate::outgoing::PART_BEFORE_IS_GONE;
use crate::{Certainty, ConnectorError, Length, Outgoing, Prepared, Publisher, Receipt};

/// Synapse keeps transaction ids for at least 30 minutes in memory and for a day in its database
/// (`rest/client/transactions.py` and `storage/databases/main/events_worker.py` of 1.163, November 2026); the
/// specification names no time. The shorter one is safe with either.
const KEY_LIFE: Duration = Duration::from_secs(30 * 60);
/// An event is at most 65,536 bytes with everything the server adds (client-server API, size limits).
const MOST_BYTES: usize = 60_000;
/// Where our events carry their delivery's key: transaction ids are shown to the sending device only.
const KEY_FIELD: &str = "muhatap.delivery";
/// Pages of a room that are read to find a message.
const MOST_PAGES: usize = 20;
/// The server's clock may be this far from ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);
/// Answers that say for certain that nothing was sent.
const REFUSALS: &[u16] = &[400, 403, 404, 413];

/// What is looked up before the call that counts.
#[derive(Serialize, Deserialize)]
struct Ready {
    room: String,
    /// The device that the transaction id belongs to.
    device: String,
    /// The event that it continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    continues: Option<String>,
}

impl Ready {
    fn read(prepared: &Prepared) -> Result<Self, ConnectorError> {
        Self::deserialize(&prepared.0).map_err(|error| ConnectorError::Malformed(error.into()))
    }
}

fn content(message: &Outgoing, ready: &Ready) -> Value {
    let mut content = json!({ "msgtype": "m.text", "body": message.text, "m.mentions": {}, KEY_FIELD: message.key });
    if let Some(event) = &ready.continues {
        // Answers carry no quotation since version 1.13, and nobody is pinged by our own words (client-server API, rich
        // replies, read November 2026).
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": event } });
    }
    let Some(target) = &message.reply_to else { return content };
    let event = target.data["event"].as_str().or_else(|| Some(parts(&target.remote_id)?.1));
    if let Some(event) = event {
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": event } });
    }
    if let Some(root) = target.data["thread"].as_str() {
        content["m.relates_to"]["rel_type"] = json!("m.thread");
        content["m.relates_to"]["event_id"] = json!(root);
        content["m.relates_to"]["is_falling_back"] = json!(false);
    }
    if let Some(sender) = target.data["sender"].as_str() {
        content["m.mentions"] = json!({ "user_ids": [sender] });
    }
    content
}

fn receipt(room: &str, event: &str) -> Receipt {
    let remote_id = format!("{room}/{event}");
    Receipt { url: Some(format!("https://matrix.to/#/{remote_id}")), remote_id, local_id: None }
}

fn room_of(message: &Outgoing) -> Option<&str> {
    let target = message.reply_to.as_ref()?;
    target.data["room"].as_str().or_else(|| Some(parts(&target.remote_id)?.0))
}

impl Matrix {
    /// The room a message goes to: that of the message it answers, or the first one in `listen_for`.
    async fn target(&self, message: &Outgoing) -> Result<String, ConnectorError> {
        if message.reply_to.is_some() {
            let no_room = || ConnectorError::Rejected("the message being answered names no room".to_owned());
            return room_of(message).map(str::to_owned).ok_or_else(no_room);
        }
        let room = self.rooms.first().ok_or_else(|| {
            ConnectorError::Rejected(
                "a post needs a room; name one in listen_for of this account, like \"#duyurular:ornek.example\""
                    .to_owned(),
            )
        })?;
        // Joining a room we are in changes nothing and tells its id.
        self.join(room).await
    }

    async fn is_encrypted(&self, room: &str) -> Result<bool, ConnectorError> {
        let call = Call::get(API).segment("rooms").segment(room).segment("state").segment("m.room.encryption");
        match self.fetch(call).await? {
            response if response.status.as_u16() == 404 => Ok(false),
            response => response.accepted().map(|_| true),
        }
    }

    /// The event that `message` continues; none where it is in another room than posts go to by now, since an answer cannot
    /// leave its room. Asked for, because the server takes answers to what is not there.
    async fn part_before(&self, message: &Outgoing, room: &str) -> Result<Option<String>, ConnectorError> {
        let before = message.continues.as_ref().and_then(|before| parts(&before.remote_id));
        let Some((_, event)) = before.filter(|(its_room, _)| *its_room == room) else { return Ok(None) };
        let call = Call::get(API).segment("rooms").segment(room).segment("event").segment(event);
        let response = self.fetch(call).await?;
        let gone = || ConnectorError::Rejected(PART_BEFORE_IS_GONE.to_owned());
        if response.status.as_u16() == 404 && session::errcode(&response) == "M_NOT_FOUND" {
            return Err(gone());
        }
        let found: Event = response.accepted()?.json()?;
        match found.unsigned["redacted_because"].is_null() {
            true => Ok(Some(found.event_id)),
            false => Err(gone()),
        }
    }

    /// Our message in its room, read from the newest back to `since`.
    async fn look_for(&self, room: &str, key: &str, since: Timestamp) -> Result<Option<Receipt>, ConnectorError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            chunk: Vec<Value>,
            end: Option<String>,
        }
        let own = self.sessions.current(&self.client).await?.user_id;
        let floor = since.checked_sub(CLOCKS).unwrap_or(Timestamp::MIN);
        let filter = json!({ "types": ["m.room.message"], "senders": [own] });
        let mut from: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let call = Call::get(API).segment("rooms").segment(room).segment("messages");
            let mut call = call.query("dir", "b").query("limit", 100).query("filter", &filter);
            if let Some(from) = &from {
                call = call.query("from", from);
            }
            let page: Page = self.read(call).await?.json()?;
            for event in page.chunk.iter().filter_map(|event| Event::deserialize(event).ok()) {
                let is_it = event.content[KEY_FIELD] == key || event.unsigned["transaction_id"] == key;
                if is_it && event.sender == own {
                    return Ok(Some(receipt(room, &event.event_id)));
                }
                if event.sent_at().is_ok_and(|sent_at| sent_at < floor) {
                    return Ok(None);
                }
            }
            match page.end.filter(|end| from.as_ref() != Some(end)) {
                Some(end) => from = Some(end),
                None => return Ok(None),
            }
        }
        Err(ConnectorError::Unavailable(format!("more than {MOST_PAGES} pages of own messages since then").into()))
    }
}

#[async_trait]
impl Publisher for Matrix {
    fn lane(&self, message: &Outgoing) -> String {
        match room_of(message) {
            Some(room) => format!("room:{room}"),
            None => "posts".to_owned(),
        }
    }

    fn measure(&self, message: &Outgoing) -> Length {
        // As it travels: quotes, line breaks and control characters take more than a byte.
        let written = serde_json::to_string(&message.text).map_or(message.text.len(), |text| text.len() - 2);
        Length { used: written, limit: MOST_BYTES }
    }

    fn certainty(&self) -> Certainty {
        Certainty::Key { life: KEY_LIFE }
    }

    async fn prepare(&self, message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        // Renews the session if it has ended, so that the call that counts does not fail for that.
        self.read(Call::get(API).segment("account").segment("whoami")).await?;
        if let Some(saved) = saved {
            return Ok(saved);
        }
        let length = self.measure(message);
        if !length.fits() {
            return Err(ConnectorError::Rejected(format!("{} bytes are more than {}", length.used, length.limit)));
        }
        let room = self.target(message).await?;
        if self.is_encrypted(&room).await? {
            return Err(ConnectorError::Rejected(format!(
                "the room {room} is encrypted and Muhatap has no keys; answer there with another app"
            )));
        }
        let continues = self.part_before(message, &room).await?;
        let device = self.sessions.current(&self.client).await?.device_id;
        let ready = Ready { room, device, continues };
        serde_json::to_value(ready).map(Prepared).map_err(|error| ConnectorError::Malformed(error.into()))
    }

    async fn publish(&self, message: &Outgoing, prepared: &Prepared) -> Result<Receipt, ConnectorError> {
        #[derive(Deserialize)]
        struct Sent {
            event_id: String,
        }
        let ready = Ready::read(prepared)?;
        let tokens = self.sessions.current(&self.client).await?;
        // A device of another name has transaction ids of its own: what the old one sent must be looked for.
        if tokens.device_id != ready.device
            && let Some(receipt) = self.look_for(&ready.room, &message.key, message.created_at).await?
        {
            return Ok(receipt);
        }
        let call = Call::put(API).segment("rooms").segment(&ready.room).segment("send").segment("m.room.message");
        let call = call.segment(&message.key).json(&content(message, &ready)).bearer(&tokens.access()).bucket("send");
        let response = self.client.attempt(call).await?;
        if session::is_refused(&response) {
            self.sessions.renew(&self.client, &tokens).await?;
            return Err(ConnectorError::Unavailable("the session had ended and was renewed; nothing was sent".into()));
        }
        let sent: Sent = response.published_or(REFUSALS)?.proof()?;
        Ok(receipt(&ready.room, &sent.event_id))
    }

    async fn find(
        &self,
        message: &Outgoing,
        prepared: &Prepared,
        since: Timestamp,
        // Found by its own key, so never another's.
        _taken: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        self.look_for(&Ready::read(prepared)?.room, &message.key, since).await
    }

    async fn delete(&self, published: &Receipt) -> Result<(), ConnectorError> {
        let (room, event) = parts(&published.remote_id)
            .ok_or_else(|| ConnectorError::Rejected(format!("{} is not a Matrix message", published.remote_id)))?;
        // The same message always gets the same transaction id: a repeat is one redaction.
        let digest = Sha256::digest(published.remote_id.as_bytes());
        let transaction: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let call = Call::put(API).segment("rooms").segment(room).segment("redact").segment(event);
        let response = self.fetch(call.segment(&transaction).json(&json!({})).bucket("send")).await?;
        match response.status.as_u16() == 404 && session::errcode(&response) == "M_NOT_FOUND" {
            true => Ok(()),
            false => response.accepted().map(|_| ()),
        }
    }

    fn linked(&self, link: &Url, _own: Option<&str>) -> Option<Receipt> {
        linked(link)
    }
}

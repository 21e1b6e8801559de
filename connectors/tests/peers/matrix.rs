//! Against a real Synapse, whose access tokens live for 5 s: every longer journey renews them.

use std::sync::Arc;
use std::time::Duration;

use muhatap_connectors::http::{Call, Client};
use muhatap_connectors::{
    AccountSettings, Change, Connector, ConnectorError, Kind, MemorySession, Network, Session, StreamKind, Visibility,
    connect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Follower, address, outgoing, stranger, unique};

const API: &str = "_matrix/client/v3";

fn settings(session: Arc<dyn Session>, rooms: &[&str]) -> AccountSettings {
    AccountSettings {
        name: "marka".to_owned(),
        network: Network::Matrix,
        base_url: Some(address(4)),
        user: Some("brand".to_owned()),
        token: Some(SecretString::from("brandpw")),
        listen_for: rooms.iter().map(|room| (*room).to_owned()).collect(),
        session,
        call_timeout: Duration::from_secs(20),
    }
}

fn account(rooms: &[&str]) -> Box<dyn Connector> {
    connect(&settings(Arc::<MemorySession>::default(), rooms)).expect("a connector")
}

/// A customer with an app of their own.
struct Customer {
    client: Client,
    token: SecretString,
    user_id: String,
}

impl Customer {
    async fn log_in() -> Self {
        let client = stranger(address(4));
        let body = json!({ "type": "m.login.password", "password": "pw",
            "identifier": { "type": "m.id.user", "user": "musteri" } });
        let login: Value = client
            .read(Call::post(API).segment("login").json(&body))
            .await
            .expect("the Matrix server runs (tests/peers/start.sh) and knows its users")
            .json()
            .expect("a login");
        let text = |name: &str| login[name].as_str().expect("text").to_owned();
        Self { client, token: SecretString::from(text("access_token")), user_id: text("user_id") }
    }

    async fn call(&self, call: Call) -> Value {
        self.client.read(call.bearer(&self.token)).await.expect("the server takes it").json().expect("JSON")
    }

    async fn open_room(&self, how: Value) -> String {
        self.call(Call::post(API).segment("createRoom").json(&how)).await["room_id"]
            .as_str()
            .expect("a room")
            .to_owned()
    }

    /// Asks the brand for a direct chat, as an app does.
    async fn open_chat(&self) -> String {
        let how = json!({ "is_direct": true, "preset": "trusted_private_chat", "invite": ["@brand:localhost"] });
        self.open_room(how).await
    }

    async fn send(&self, room: &str, content: Value) -> String {
        let call = Call::put(API).segment("rooms").segment(room).segment("send").segment("m.room.message");
        let sent = self.call(call.segment(&unique("t")).json(&content)).await;
        sent["event_id"].as_str().expect("an event").to_owned()
    }

    async fn say(&self, room: &str, text: &str) -> String {
        self.send(room, json!({ "msgtype": "m.text", "body": text })).await
    }

    async fn edit(&self, room: &str, event: &str, text: &str) -> String {
        let new = json!({ "msgtype": "m.text", "body": text });
        let relation = json!({ "rel_type": "m.replace", "event_id": event });
        let content =
            json!({ "msgtype": "m.text", "body": format!("* {text}"), "m.new_content": new, "m.relates_to": relation });
        self.send(room, content).await
    }

    async fn redact(&self, room: &str, event: &str) {
        let call = Call::put(API).segment("rooms").segment(room).segment("redact").segment(event);
        self.call(call.segment(&unique("t")).json(&json!({}))).await;
    }

    async fn messages(&self, room: &str) -> Vec<Value> {
        let call = Call::get(API).segment("rooms").segment(room).segment("messages");
        let page = self.call(call.query("dir", "b").query("limit", 500)).await;
        page["chunk"].as_array().expect("events").clone()
    }
}

#[tokio::test]
async fn a_direct_message_is_answered_once_found_again_and_deleted() {
    let connector = account(&[]);
    let publisher = connector.publisher().expect("Matrix publishes");
    let customer = Customer::log_in().await;
    let room = customer.open_chat().await;
    let word = unique("kargo");
    let event = customer.say(&room, &format!("{word} nerede?")).await;

    let mut messages = Follower::new(&*connector, StreamKind::Messages, "");
    let message = messages.until_seen(&word).await;
    assert_eq!(message.remote_id, format!("{room}/{event}"));
    assert_eq!((message.kind, message.visibility), (Kind::Message, Visibility::Direct));
    assert_eq!(message.thread.as_deref(), Some(&*room));
    assert_eq!(
        (message.author.handle.as_str(), message.author.display_name.as_str()),
        ("@musteri:localhost", "musteri")
    );

    let reply = outgoing(&format!("Bakıyoruz, {word}"), Some(&message));
    let prepared = publisher.prepare(&reply, None).await.expect("a reply is prepared");
    assert_eq!(publisher.find(&reply, &prepared, reply.created_at, &[]).await.expect("a look"), None);
    let receipt = publisher.publish(&reply, &prepared).await.expect("a reply is sent");
    let again = publisher.publish(&reply, &prepared).await.expect("a repeat is the same reply");
    assert_eq!(again, receipt);
    assert_eq!(publisher.find(&reply, &prepared, reply.created_at, &[]).await.expect("a look"), Some(receipt.clone()));
    // Another process with a session of its own has another device: it finds the message instead of sending it again.
    let elsewhere = account(&[]);
    let elsewhere = elsewhere.publisher().expect("Matrix publishes");
    assert_eq!(elsewhere.publish(&reply, &prepared).await.expect("found"), receipt);
    let sent = customer.messages(&room).await;
    let sent: Vec<_> = sent.iter().filter(|event| event["content"]["body"] == reply.text.as_str()).collect();
    assert_eq!(sent.len(), 1, "one reply in the room");
    assert_eq!(sent[0]["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], event.as_str());

    let ours = messages.until_seen(&reply.text).await;
    assert!(ours.author.is_us);
    assert_eq!(
        (ours.remote_id.as_str(), ours.in_reply_to.as_deref()),
        (&*receipt.remote_id, Some(&*message.remote_id))
    );

    publisher.delete(&receipt).await.expect("an own message is redacted");
    publisher.delete(&receipt).await.expect("deleting what is gone succeeds");
    messages.until("our deletion", |change| matches!(change, Change::Deleted(id) if *id == receipt.remote_id)).await;
    let left = customer.messages(&room).await;
    assert!(left.iter().all(|event| event["content"]["body"] != reply.text.as_str()));
}

#[tokio::test]
async fn edits_and_redactions_of_rooms_come_through_and_a_stranger_cannot_edit_for_others() {
    let customer = Customer::log_in().await;
    let room = customer.open_room(json!({ "preset": "public_chat", "room_alias_name": unique("oda") })).await;
    let connector = account(&[&room]);
    let mut messages = Follower::new(&*connector, StreamKind::Messages, "");
    messages.poll().await;
    let word = unique("ürün");
    let event = customer.say(&room, &format!("{word} çok iyi")).await;
    let seen = messages.until_seen(&word).await;
    assert_eq!((seen.visibility, seen.thread.as_deref()), (Visibility::Public, None));

    customer.edit(&room, &event, &format!("{word} çok kötü")).await;
    let edited =
        messages.until("the edit", |change| matches!(change, Change::Edited(m) if m.text.contains(&word))).await;
    let Change::Edited(edited) = edited else { unreachable!("only edits are looked for") };
    assert_eq!((&edited.remote_id, edited.text.as_str()), (&seen.remote_id, &*format!("{word} çok kötü")));
    assert!(edited.edited_at > Some(edited.published_at) && edited.published_at == seen.published_at);

    let post = outgoing(&format!("Duyuru {word}"), None);
    let publisher = connector.publisher().expect("Matrix publishes");
    let prepared = publisher.prepare(&post, None).await.expect("a post is prepared");
    let receipt = publisher.publish(&post, &prepared).await.expect("a post goes to the first room of listen_for");
    let our_event = receipt.remote_id.split_once("/$").expect("room and event").1;
    customer.edit(&room, &format!("${our_event}"), "sahte").await;

    customer.redact(&room, &event).await;
    messages.until("the redaction", |change| matches!(change, Change::Deleted(id) if *id == seen.remote_id)).await;
    assert!(!messages.changes.iter().any(|change| matches!(change, Change::Edited(m) if m.text == "sahte")));
}

#[tokio::test]
async fn what_a_long_absence_left_out_is_read_back() {
    let connector = account(&[]);
    let customer = Customer::log_in().await;
    let room = customer.open_chat().await;
    let word = unique("yığın");
    customer.say(&room, &format!("{word} ilk")).await;
    let mut messages = Follower::new(&*connector, StreamKind::Messages, "");
    messages.until_seen(&format!("{word} ilk")).await;
    while messages.poll().await.more {}
    for number in 0..330 {
        customer.say(&room, &format!("{word} {number:03}")).await;
    }
    let mut gaps = 0;
    loop {
        let batch = messages.poll().await;
        gaps += usize::from(batch.filling.is_some());
        assert_eq!(batch.lost, []);
        if !batch.more {
            break;
        }
    }
    let mut seen: Vec<_> = messages
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Seen(message) if message.text.starts_with(&word) => Some(message.text.clone()),
            _ => None,
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 331, "gaps: {gaps}");
}

#[tokio::test]
async fn an_encrypted_room_is_named_as_such() {
    let connector = account(&[]);
    let customer = Customer::log_in().await;
    let encryption =
        json!({ "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let how = json!({ "is_direct": true, "preset": "trusted_private_chat", "invite": ["@brand:localhost"],
        "initial_state": [encryption] });
    let room = customer.open_room(how).await;
    let call = Call::put(API).segment("rooms").segment(&room).segment("send").segment("m.room.encrypted");
    let secret =
        json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg" });
    customer.call(call.segment(&unique("t")).json(&secret)).await;
    let plain = customer.say(&room, "açık yazılmış").await;

    let mut messages = Follower::new(&*connector, StreamKind::Messages, "");
    let mut reasons = Vec::new();
    let seen = super::eventually("the message", async || {
        let batch = messages.poll().await;
        reasons.extend(batch.unparsed.into_iter().map(|item| item.reason));
        messages.changes.iter().find_map(|change| match change {
            Change::Seen(message) if message.remote_id.ends_with(&plain) => Some(message.clone()),
            _ => None,
        })
    })
    .await;
    assert!(reasons.iter().any(|reason| reason.contains(&room) && reason.contains("encrypted")), "{reasons:?}");
    let publisher = connector.publisher().expect("Matrix publishes");
    let refused = publisher.prepare(&outgoing("merhaba", Some(&seen)), None).await;
    assert!(matches!(&refused, Err(ConnectorError::Rejected(reason)) if reason.contains("encrypted")), "{refused:?}");
}

#[tokio::test]
async fn wrong_credentials_are_named_and_tokens_of_seconds_are_renewed_on_the_same_device() {
    let mut wrong = settings(Arc::<MemorySession>::default(), &[]);
    wrong.token = Some(SecretString::from("not-the-password"));
    let refused = connect(&wrong).expect("a connector").who_am_i().await;
    assert!(
        matches!(&refused, Err(ConnectorError::Unauthorized(reason)) if reason.contains("password")),
        "{refused:?}"
    );

    let session = Arc::<MemorySession>::default();
    let connector = connect(&settings(session.clone(), &[])).expect("a connector");
    assert_eq!(connector.who_am_i().await.expect("who we are").remote_id, "@brand:localhost");
    let tokens = |text: SecretString| serde_json::from_str::<Value>(text.expose_secret()).expect("JSON");
    let first = tokens(session.load().await.expect("a session").expect("saved"));
    super::eventually("the token expires and is renewed", async || {
        connector.who_am_i().await.expect("who we are");
        let now = tokens(session.load().await.expect("a session").expect("saved"));
        assert_eq!(now["device_id"], first["device_id"]);
        (now["access_token"] != first["access_token"]).then_some(())
    })
    .await;

    // With the refresh token gone, too, the password opens a session for the same device.
    let mut broken = first.clone();
    broken["access_token"] = json!("gone");
    broken["refresh_token"] = json!("gone");
    session.save(SecretString::from(broken.to_string())).await.expect("kept");
    connect(&settings(session.clone(), &[])).expect("a connector").who_am_i().await.expect("logged in again");
    assert_eq!(tokens(session.load().await.expect("a session").expect("saved"))["device_id"], first["device_id"]);
    assert!(Customer::log_in().await.user_id.starts_with("@musteri"));
}

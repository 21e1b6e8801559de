//! The people on the networks who are not us: they write to the account, and look at what it answers.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muhatap_connectors::http::{Call, Client, Pace};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::proxy::Paths;

/// A network with a stranger on it.
#[async_trait]
pub trait Stranger: Send + Sync {
    /// Writes to the account; answers the message's canonical id.
    async fn writes(&self, text: &str) -> String;
    async fn deletes(&self, id: &str);
    /// How often the account said this, as the network shows it.
    async fn count(&self, text: &str) -> usize;
    /// What stands in the account's configuration below `name`, `base_url` and `token`.
    fn settings(&self) -> String;
    /// How the answer to a message must begin, so that preparing it asks the network something.
    fn greeting(&self) -> &'static str;
    fn paths(&self) -> Paths;
    fn upstream(&self) -> String;
    fn secret(&self) -> &'static str;
}

fn port(offset: u16) -> u16 {
    std::env::var("PEERS_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(55460u16) + offset
}

fn client(port: u16) -> Client {
    let base = Url::parse(&format!("http://localhost:{port}")).expect("an address");
    let pace = Pace { burst: 100, every: Duration::from_millis(1) };
    Client::new(base, Duration::from_secs(20), pace).expect("a client")
}

/// Something that nobody said before.
pub fn unique(what: &str) -> String {
    format!("{what}{:x}", Timestamp::now().as_nanosecond())
}

pub struct Bluesky {
    client: Client,
    token: SecretString,
    did: String,
    account: String,
}

impl Bluesky {
    pub async fn meet() -> Self {
        let client = client(port(3));
        let body = json!({ "identifier": "alice.test", "password": "hunter2" });
        let login = client.read(Call::post("xrpc/com.atproto.server.createSession").json(&body)).await;
        let login: Value = login.expect("the Bluesky network runs (tests/peers/start.sh)").json().expect("a session");
        let account = client.read(Call::get("xrpc/com.atproto.identity.resolveHandle").query("handle", "destek.test"));
        let account: Value = account.await.expect("the account exists").json().expect("an identity");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Self {
            token: SecretString::from(text(&login["accessJwt"])),
            did: text(&login["did"]),
            account: text(&account["did"]),
            client,
        }
    }

    async fn call(&self, call: Call) -> Value {
        self.client.read(call.bearer(&self.token)).await.expect("the network takes it").json().expect("JSON")
    }
}

#[async_trait]
impl Stranger for Bluesky {
    async fn writes(&self, text: &str) -> String {
        let text = format!("@destek.test {text}");
        let mention = json!({ "index": { "byteStart": 0, "byteEnd": 12 },
            "features": [{ "$type": "app.bsky.richtext.facet#mention", "did": self.account }] });
        let record = json!({ "$type": "app.bsky.feed.post", "text": text, "langs": ["tr"], "facets": [mention],
            "createdAt": Timestamp::now().to_string() });
        let body = json!({ "repo": self.did, "collection": "app.bsky.feed.post", "record": record });
        let created = self.call(Call::post("xrpc/com.atproto.repo.createRecord").json(&body)).await;
        created["uri"].as_str().expect("an address").to_owned()
    }

    async fn deletes(&self, id: &str) {
        let rkey = id.rsplit('/').next().expect("a record key");
        let body = json!({ "repo": self.did, "collection": "app.bsky.feed.post", "rkey": rkey });
        self.call(Call::post("xrpc/com.atproto.repo.deleteRecord").json(&body)).await;
    }

    async fn count(&self, text: &str) -> usize {
        let list = Call::get("xrpc/com.atproto.repo.listRecords").query("repo", &self.account);
        let list = self.call(list.query("collection", "app.bsky.feed.post").query("limit", 100)).await;
        list["records"].as_array().expect("records").iter().filter(|record| record["value"]["text"] == text).count()
    }

    fn settings(&self) -> String {
        "network = \"bluesky\"\nuser = \"destek.test\"\n".to_owned()
    }

    fn greeting(&self) -> &'static str {
        "@alice.test "
    }

    fn paths(&self) -> Paths {
        Paths { preparing: "identity.resolveHandle", calling: "repo.createRecord" }
    }

    fn upstream(&self) -> String {
        format!("localhost:{}", port(3))
    }

    fn secret(&self) -> &'static str {
        "hunter2"
    }
}

pub struct Matrix {
    client: Client,
    token: SecretString,
    /// A direct chat that the stranger asks the account for.
    chat: String,
    /// A public room, where the account posts.
    hall: String,
}

const API: &str = "_matrix/client/v3";

impl Matrix {
    pub async fn meet() -> Self {
        let client = client(port(4));
        let body = json!({ "type": "m.login.password", "password": "pw",
            "identifier": { "type": "m.id.user", "user": "musteri" } });
        let login = client.read(Call::post(API).segment("login").json(&body)).await;
        let login: Value = login.expect("the Matrix server runs (tests/peers/start.sh)").json().expect("a login");
        let token = SecretString::from(login["access_token"].as_str().expect("a token"));
        let mut stranger = Self { client, token, chat: String::new(), hall: String::new() };
        stranger.hall = stranger.opens(json!({ "preset": "public_chat" })).await;
        let chat = json!({ "is_direct": true, "preset": "trusted_private_chat", "invite": ["@brand:localhost"] });
        stranger.chat = stranger.opens(chat).await;
        stranger
    }

    async fn call(&self, call: Call) -> Value {
        self.client.read(call.bearer(&self.token)).await.expect("the server takes it").json().expect("JSON")
    }

    async fn opens(&self, how: Value) -> String {
        self.call(Call::post(API).segment("createRoom").json(&how)).await["room_id"]
            .as_str()
            .expect("a room")
            .to_owned()
    }
}

#[async_trait]
impl Stranger for Matrix {
    async fn writes(&self, text: &str) -> String {
        let call = Call::put(API).segment("rooms").segment(&self.chat).segment("send").segment("m.room.message");
        let call = call.segment(&unique("t")).json(&json!({ "msgtype": "m.text", "body": text }));
        format!("{}/{}", self.chat, self.call(call).await["event_id"].as_str().expect("an event"))
    }

    async fn deletes(&self, id: &str) {
        let event = &id[id.find("/$").expect("room and event") + 1..];
        let call = Call::put(API).segment("rooms").segment(&self.chat).segment("redact").segment(event);
        self.call(call.segment(&unique("t")).json(&json!({}))).await;
    }

    async fn count(&self, text: &str) -> usize {
        let mut count = 0;
        for room in [&self.chat, &self.hall] {
            let call = Call::get(API).segment("rooms").segment(room).segment("messages");
            let page = self.call(call.query("dir", "b").query("limit", 200)).await;
            count += page["chunk"]
                .as_array()
                .expect("events")
                .iter()
                .filter(|event| event["content"]["body"] == text)
                .count();
        }
        count
    }

    fn settings(&self) -> String {
        format!("network = \"matrix\"\nuser = \"brand\"\nlisten_for = [\"{}\"]\n", self.hall)
    }

    fn greeting(&self) -> &'static str {
        "Merhaba, "
    }

    fn paths(&self) -> Paths {
        Paths { preparing: "state/m.room.encryption", calling: "send/m.room.message" }
    }

    fn upstream(&self) -> String {
        format!("localhost:{}", port(4))
    }

    fn secret(&self) -> &'static str {
        "brandpw"
    }
}

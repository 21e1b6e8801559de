//! Against a real PDS and AppView.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::http::{Call, Client};
use muhatap_connectors::{
    AccountSettings, Change, Connector, ConnectorError, Kind, MemorySession, Network, Session, StreamKind, connect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Follower, address, eventually, outgoing, stranger, unique};

const PASSWORD: &str = "hunter2";

fn settings(session: Arc<dyn Session>) -> AccountSettings {
    AccountSettings {
        name: "destek".to_owned(),
        network: Network::Bluesky,
        base_url: Some(address(3)),
        user: Some("destek.test".to_owned()),
        token: Some(SecretString::from(PASSWORD)),
        listen_for: Vec::new(),
        session,
        call_timeout: Duration::from_secs(20),
    }
}

fn account() -> Box<dyn Connector> {
    connect(&settings(Arc::<MemorySession>::default())).expect("a connector")
}

/// Somebody on the network who is not us.
struct Person {
    client: Client,
    token: SecretString,
    did: String,
}

impl Person {
    async fn log_in(handle: &str) -> Self {
        let client = stranger(address(3));
        let login = Call::post("xrpc/com.atproto.server.createSession")
            .json(&json!({ "identifier": handle, "password": PASSWORD }));
        let session: Value = client
            .read(login)
            .await
            .expect("the Bluesky network runs (tests/peers/start.sh) and knows its users")
            .json()
            .expect("a session");
        let text = |name: &str| session[name].as_str().expect("text").to_owned();
        Self { client, token: SecretString::from(text("accessJwt")), did: text("did") }
    }

    async fn post(&self, record: Value) -> Value {
        let mut record = record;
        record["$type"] = json!("app.bsky.feed.post");
        record["createdAt"] = json!(Timestamp::now().to_string());
        let body = json!({ "repo": self.did, "collection": "app.bsky.feed.post", "record": record });
        let call = Call::post("xrpc/com.atproto.repo.createRecord").json(&body).bearer(&self.token);
        self.client.read(call).await.expect("a stranger can post").json().expect("an address")
    }

    /// A post that names `did` behind a word in Turkish, where characters and bytes differ.
    async fn mention(&self, did: &str, text: &str) -> Value {
        let text = format!("Şikâyetim var: @destek.test {text}");
        let start = text.find('@').expect("a handle");
        self.post(json!({ "text": text, "langs": ["tr"], "facets": [{
            "index": { "byteStart": start, "byteEnd": start + "@destek.test".len() },
            "features": [{ "$type": "app.bsky.richtext.facet#mention", "did": did }],
        }] }))
        .await
    }

    async fn delete(&self, uri: &str) {
        let rkey = uri.rsplit('/').next().expect("a record key");
        let body = json!({ "repo": self.did, "collection": "app.bsky.feed.post", "rkey": rkey });
        let call = Call::post("xrpc/com.atproto.repo.deleteRecord").json(&body).bearer(&self.token);
        self.client.read(call).await.expect("a stranger can delete");
    }

    /// The texts of somebody's posts, as the network shows them.
    async fn posts_of(&self, did: &str) -> Vec<Value> {
        let call = Call::get("xrpc/com.atproto.repo.listRecords")
            .query("repo", did)
            .query("collection", "app.bsky.feed.post")
            .query("limit", 100);
        let list: Value = self.client.read(call).await.expect("a list").json().expect("a list");
        list["records"].as_array().expect("records").clone()
    }
}

#[tokio::test]
async fn a_mention_is_answered_once_found_again_and_deleted() {
    let connector = account();
    let publisher = connector.publisher().expect("Bluesky publishes");
    let profile = connector.who_am_i().await.expect("who we are");
    assert_eq!((profile.handle.as_str(), profile.display_name.as_str()), ("destek.test", "Örnek Destek"));

    let alice = Person::log_in("alice.test").await;
    let word = unique("kargo");
    let post = alice.mention(&profile.remote_id, &word).await;
    let mut mentions = Follower::new(&*connector, StreamKind::Mentions, "");
    let mention = mentions.until_seen(&word).await;
    assert_eq!(mention.kind, Kind::Mention);
    assert_eq!(mention.remote_id, post["uri"]);
    assert_eq!((mention.author.handle.as_str(), mention.author.is_us), ("alice.test", false));
    assert_eq!(mention.language.as_deref(), Some("tr"));

    let text = format!("@alice.test İlgileniyoruz, {word}! https://örnek.example/ışık #çözüm");
    let reply = outgoing(&text, Some(&mention));
    let prepared = publisher.prepare(&reply, None).await.expect("a reply is prepared");
    assert_eq!(publisher.find(&reply, &prepared, reply.created_at, &[]).await.expect("a look"), None);
    let receipt = publisher.publish(&reply, &prepared).await.expect("a reply is published");
    // The network answers a repeated record key with an error: the record itself is the proof.
    let again = publisher.publish(&reply, &prepared).await.expect("a repeat is the same reply");
    assert_eq!(again, receipt);
    assert_eq!(publisher.find(&reply, &prepared, reply.created_at, &[]).await.expect("a look"), Some(receipt.clone()));

    let ours = alice.posts_of(&profile.remote_id).await;
    let ours: Vec<_> = ours.iter().filter(|record| record["value"]["text"] == text.as_str()).collect();
    assert_eq!(ours.len(), 1, "one reply on the network");
    let value = &ours[0]["value"];
    assert_eq!(value["reply"]["parent"]["uri"], mention.remote_id.as_str());
    let facets = value["facets"].as_array().expect("facets");
    let shown = |facet: &Value| {
        let at = |name: &str| facet["index"][name].as_u64().expect("an offset") as usize;
        text[at("byteStart")..at("byteEnd")].to_owned()
    };
    assert_eq!(facets.iter().map(shown).collect::<Vec<_>>(), ["@alice.test", "https://örnek.example/ışık", "#çözüm"]);
    assert_eq!(facets[0]["features"][0]["did"], alice.did.as_str());

    let mut own = Follower::new(&*connector, StreamKind::Own, "");
    let seen = own.until_seen(&word).await;
    assert!(seen.author.is_us);
    assert_eq!(
        (seen.remote_id.as_str(), seen.in_reply_to.as_deref()),
        (&*receipt.remote_id, Some(&*mention.remote_id))
    );

    publisher.delete(&receipt).await.expect("an own post is deleted");
    publisher.delete(&receipt).await.expect("deleting what is gone succeeds");
    assert_eq!(publisher.find(&reply, &prepared, reply.created_at, &[]).await.expect("a look"), None);
    own.until("our deletion", |change| matches!(change, Change::Deleted(uri) if *uri == receipt.remote_id)).await;
}

#[tokio::test]
async fn replies_quotes_and_words_are_found_and_a_deleted_post_is_noticed() {
    let connector = account();
    let publisher = connector.publisher().expect("Bluesky publishes");
    let did = connector.who_am_i().await.expect("who we are").remote_id;
    let bob = Person::log_in("bob.test").await;
    let word = unique("marka");

    let post = outgoing(&format!("Yeni sezon {word}"), None);
    let prepared = publisher.prepare(&post, None).await.expect("a post is prepared");
    let receipt = publisher.publish(&post, &prepared).await.expect("a post is published");
    let cid = bob.posts_of(&did).await.iter().find(|record| record["uri"] == receipt.remote_id.as_str()).expect("ours")
        ["cid"]
        .clone();
    let ours = json!({ "uri": receipt.remote_id, "cid": cid });
    // The network tells nobody of an answer that it indexes before the post it answers; people answer what they see. Our
    // own feed would not do: the server that keeps our posts puts into it what the network has not indexed yet.
    let mut search = Follower::new(&*connector, StreamKind::Search, &word);
    search.until_seen(&word).await;
    bob.post(json!({ "text": format!("yanıt {word}"), "reply": { "root": ours, "parent": ours } })).await;
    bob.post(json!({ "text": format!("alıntı {word}"),
        "embed": { "$type": "app.bsky.embed.record", "record": ours } }))
        .await;
    let plain = bob.post(json!({ "text": format!("öylesine {word}") })).await;

    let mut mentions = Follower::new(&*connector, StreamKind::Mentions, "");
    let reply = mentions.until_seen(&format!("yanıt {word}")).await;
    assert_eq!((reply.kind, reply.in_reply_to.as_deref()), (Kind::Reply, Some(&*receipt.remote_id)));
    let quote = mentions.until_seen(&format!("alıntı {word}")).await;
    assert_eq!(quote.kind, Kind::Mention);

    let found = search.until_seen(&format!("öylesine {word}")).await;
    assert_eq!((found.kind, found.remote_id.as_str()), (Kind::Post, plain["uri"].as_str().expect("an address")));

    bob.delete(&found.remote_id).await;
    search.until("the deletion", |change| matches!(change, Change::Deleted(uri) if *uri == found.remote_id)).await;
    bob.delete(&reply.remote_id).await;
    mentions.until("the deletion", |change| matches!(change, Change::Deleted(uri) if *uri == reply.remote_id)).await;
}

#[tokio::test]
async fn a_backlog_longer_than_a_page_is_read_to_its_end() {
    let connector = account();
    let did = connector.who_am_i().await.expect("who we are").remote_id;
    let alice = Person::log_in("alice.test").await;
    let word = unique("yoğun");
    let mut search = Follower::new(&*connector, StreamKind::Search, &word);
    search.poll().await;
    for number in 0..230 {
        alice.post(json!({ "text": format!("{word} {number:03}") })).await;
    }
    alice.mention(&did, &format!("son {word}")).await;
    eventually("the last post is indexed", || async {
        let mut newest = Follower::new(&*connector, StreamKind::Search, &word);
        newest.poll().await;
        newest.changes.iter().any(|change| matches!(change, Change::Seen(m) if m.text.contains("son "))).then_some(())
    })
    .await;
    while search.poll().await.more {}
    let mut seen: Vec<_> = search
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Seen(message) => Some(message.text.clone()),
            _ => None,
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 231);
}

#[tokio::test]
async fn wrong_credentials_are_named_and_an_expired_token_is_renewed() {
    let mut wrong = settings(Arc::<MemorySession>::default());
    wrong.token = Some(SecretString::from("not-the-password"));
    let refused = connect(&wrong).expect("a connector").who_am_i().await;
    assert!(
        matches!(&refused, Err(ConnectorError::Unauthorized(reason)) if reason.contains("app password")),
        "{refused:?}"
    );

    let session = Arc::<MemorySession>::default();
    connect(&settings(session.clone())).expect("a connector").who_am_i().await.expect("who we are");
    let saved = session.load().await.expect("a session").expect("saved");
    let mut tokens: Value = serde_json::from_str(saved.expose_secret()).expect("JSON");
    // A refresh token is not an access token: the network refuses it with a 400 as it does an expired one.
    tokens["accessJwt"] = tokens["refreshJwt"].clone();
    session.save(SecretString::from(tokens.to_string())).await.expect("kept");
    connect(&settings(session.clone())).expect("a connector").who_am_i().await.expect("renewed");
    let saved = session.load().await.expect("a session").expect("saved");
    let renewed: Value = serde_json::from_str(saved.expose_secret()).expect("JSON");
    // Access tokens made within one second are the same; refresh tokens never are.
    assert_ne!(renewed["accessJwt"], tokens["accessJwt"], "a new access token is saved");
    assert_ne!(renewed["refreshJwt"], tokens["refreshJwt"], "a new refresh token is saved");
}

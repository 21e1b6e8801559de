//! Matrix on a server that misbehaves as asked: what real servers do only now and then.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::{
    AccountSettings, Change, Connector, ConnectorError, Cursor, Kind, MemorySession, Network, Outgoing, Receipt,
    Session, Stream, StreamKind, Visibility, connect,
};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::contract::{self, Item, Subject};
use crate::support::{Answer, Asked, Server, account};

const ROOM: &str = "!oda:matrix.example";
const US: &str = "@destek:matrix.example";

/// Matrix, as the contract of all networks needs to know it.
pub struct Matrix;

impl Matrix {
    fn event(item: &Item) -> Value {
        let body = if item.broken { json!({ "not": "text" }) } else { json!(item.text) };
        json!({
            "type": "m.room.message", "event_id": format!("$m{}", item.number), "sender": "@ayse:matrix.example",
            "origin_server_ts": item.seconds.saturating_mul(1000), "content": { "msgtype": "m.text", "body": body },
        })
    }
}

impl Subject for Matrix {
    fn name(&self) -> &'static str {
        "matrix"
    }

    fn network(&self) -> Network {
        Network::Matrix
    }

    fn token(&self) -> &'static str {
        "matrix-password"
    }

    fn stream(&self) -> Stream {
        Stream { kind: StreamKind::Messages, query: String::new() }
    }

    fn connector(&self, url: &Url, call_timeout: Duration) -> Box<dyn Connector> {
        let user = Some("destek".to_owned());
        let settings = AccountSettings { call_timeout, user, ..account(self.network(), url, self.token()) };
        connect(&settings).expect("a connector")
    }

    fn answer(&self, asked: &Asked, items: &[Item]) -> Answer {
        let path = asked.path.replace("%21", "!").replace("%3A", ":");
        let token = |name: &str| asked.parameter(name).and_then(|token| token.parse::<usize>().ok());
        let answer = match path.trim_start_matches("/_matrix/client/v3/") {
            "login" => {
                json!({ "user_id": US, "device_id": "EV", "access_token": "access", "refresh_token": "refresh" })
            }
            "account/whoami" => json!({ "user_id": US, "device_id": "EV" }),
            "sync" => {
                // Tokens are the number of messages before them.
                let since = token("since").unwrap_or(0);
                let start = since.max(items.len().saturating_sub(100));
                let events: Vec<_> = items[start..].iter().map(Self::event).collect();
                let timeline = json!({ "events": events, "limited": start > since, "prev_batch": start.to_string() });
                json!({ "next_batch": items.len().to_string(), "rooms": { "join": { ROOM: { "timeline": timeline } } } })
            }
            rest if rest.ends_with("/messages") => {
                let (end, to) = (token("from").unwrap_or(items.len()), token("to").unwrap_or(0));
                let start = end.saturating_sub(100).max(to);
                let chunk: Vec<_> = items[start..end].iter().rev().map(Self::event).collect();
                json!({ "chunk": chunk, "end": (start > to).then(|| start.to_string()) })
            }
            rest if rest.contains("/send/m.room.message/") => json!({ "event_id": "$sent" }),
            _ => return Answer::json(404, json!({ "errcode": "M_NOT_FOUND", "error": "not found" })),
        };
        Answer::json(200, answer)
    }

    fn is_reading(&self, asked: &Asked) -> bool {
        asked.path.ends_with("/sync")
    }

    fn is_sending(&self, asked: &Asked) -> bool {
        asked.path.contains("/send/m.room.message/")
    }

    fn reply_data(&self, _: &Url) -> Value {
        json!({ "room": ROOM, "event": "$m1", "sender": "@ayse:matrix.example" })
    }

    fn unauthorized(&self) -> Answer {
        Answer::json(401, json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "Unrecognised access token" }))
    }
}

fn settings(url: &Url, session: Arc<dyn Session>) -> AccountSettings {
    AccountSettings { user: Some("destek".to_owned()), session, ..account(Network::Matrix, url, "matrix-password") }
}

/// A server whose sync gives `sync`, and all else as the contract's server does.
async fn syncing(sync: Value) -> (Server, Box<dyn Connector>) {
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/_matrix/client/v3/sync" => Answer::json(200, sync.clone()),
        _ => Matrix.answer(asked, &[]),
    })
    .await;
    let connector = connect(&settings(&server.url, Arc::<MemorySession>::default())).expect("a connector");
    (server, connector)
}

fn timeline(events: Value) -> Value {
    json!({ "next_batch": "s1", "rooms": { "join": { ROOM: { "timeline": { "events": events } } } } })
}

fn event(id: &str, sender: &str, content: Value) -> Value {
    json!({ "type": "m.room.message", "event_id": id, "sender": sender, "origin_server_ts": 1_795_158_300_000_i64, "content": content })
}

#[tokio::test]
async fn room_events_become_messages_whatever_their_senders_wrote() {
    let ayse = "@ayse:matrix.example";
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let events = json!([
        { "type": "m.room.member", "event_id": "$n", "sender": ayse, "state_key": ayse, "origin_server_ts": 1,
          "content": { "membership": "join", "displayname": "Ayşe\u{0} 🌿" } },
        event("$1", ayse, text("<script>alert(1)</script> \u{202e}ters\u{0}")),
        event("$2", ayse, json!({ "msgtype": "m.text", "body": "> <@destek:matrix.example> Merhaba\n\nkargom gelmedi",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$ours" } }, "m.mentions": { "user_ids": [US] } })),
        event("$3", ayse, json!({ "msgtype": "m.text", "body": "konu içinde", "m.relates_to": { "rel_type": "m.thread",
            "event_id": "$root", "is_falling_back": true, "m.in_reply_to": { "event_id": "$2" } } })),
        event("$4", ayse, json!({ "msgtype": "m.image", "body": "Kırık geldi", "filename": "foto.jpg", "url": "mxc://matrix.example/abc" })),
        event("$5", ayse, json!({ "msgtype": "m.image", "body": "foto.jpg", "url": "https://kotu.example/izleyici.gif" })),
        event("$6", ayse, json!({ "msgtype": "org.example.poll", "body": "anket" })),
        event("$7", US, text("biz yazdık")),
        { "type": "m.room.message", "event_id": "$8", "sender": ayse, "origin_server_ts": 1_795_158_300_000_i64, "content": {},
          "unsigned": { "redacted_because": { "type": "m.room.redaction" } } },
        { "type": "m.room.redaction", "event_id": "$9", "sender": ayse, "origin_server_ts": 1, "content": { "redacts": "$old" } },
        { "type": "m.room.encrypted", "event_id": "$10", "sender": ayse, "origin_server_ts": 1, "content": { "ciphertext": "A" } },
        event("$11", ayse, json!({ "msgtype": "m.text", "body": 7 })),
        { "type": 7 },
    ]);
    let (_server, connector) = syncing(timeline(events)).await;
    let batch = connector.poll(&Matrix.stream(), None, Timestamp::MAX).await.expect("a poll");
    insta::assert_json_snapshot!("events", batch.changes);
    let reasons: Vec<_> = batch.unparsed.iter().map(|item| item.reason.as_str()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("encrypted")), "{reasons:?}");
}

#[tokio::test]
async fn an_edit_by_somebody_else_changes_nothing() {
    let edit = event(
        "$edit",
        "@kotu:matrix.example",
        json!({ "msgtype": "m.text", "body": "* sahte",
        "m.new_content": { "msgtype": "m.text", "body": "sahte" }, "m.relates_to": { "rel_type": "m.replace", "event_id": "$1" } }),
    );
    let mut original = event("$1", "@ayse:matrix.example", json!({ "msgtype": "m.text", "body": "asıl" }));
    // Even a server that bundles it is not believed.
    original["unsigned"] = json!({ "m.relations": { "m.replace": edit.clone() } });
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/_matrix/client/v3/sync" => Answer::json(200, timeline(json!([edit.clone()]))),
        path if path.contains("/event/") => Answer::json(200, original.clone()),
        _ => Matrix.answer(asked, &[]),
    })
    .await;
    let connector = connect(&settings(&server.url, Arc::<MemorySession>::default())).expect("a connector");
    let batch = connector.poll(&Matrix.stream(), None, Timestamp::MAX).await.expect("a poll");
    assert_eq!((batch.changes, batch.unparsed), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_server_that_forgot_our_place_is_read_anew_and_the_gap_is_named() {
    let items: Vec<_> = (1..=3).map(contract::item).collect();
    let server = Server::start(move |asked| match (asked.path.as_str(), asked.parameter("since")) {
        ("/_matrix/client/v3/sync", Some(_)) => Answer::json(400, json!({ "errcode": "M_UNKNOWN_POS", "error": "?" })),
        _ => Matrix.answer(asked, &items),
    })
    .await;
    let connector = connect(&settings(&server.url, Arc::<MemorySession>::default())).expect("a connector");
    let before = Cursor(r#"{"since":"gone","complete":"2026-11-19T00:00:00Z"}"#.to_owned());
    let batch = connector.poll(&Matrix.stream(), Some(&before), Timestamp::MAX).await.expect("a poll");
    assert_eq!(batch.changes.len(), 3);
    assert_eq!(batch.lost.len(), 1);
    assert_eq!(batch.lost[0].from, Some("2026-11-19T00:00:00Z".parse().expect("a time")));
}

#[rstest]
#[case::a_direct_chat(json!({ "is_direct": true, "membership": "invite" }), 1)]
#[case::a_room(json!({ "membership": "invite" }), 0)]
#[tokio::test]
async fn only_requests_for_a_direct_chat_are_accepted(#[case] content: Value, #[case] joins: usize) {
    let member =
        json!({ "type": "m.room.member", "state_key": US, "sender": "@ayse:matrix.example", "content": content });
    let invite = json!({ ROOM: { "invite_state": { "events": [member] } } });
    let server = Server::start(move |asked| {
        if asked.path.ends_with("/sync") {
            return Answer::json(200, json!({ "next_batch": "s1", "rooms": { "invite": invite.clone() } }));
        }
        match asked.method == "POST" && asked.path.contains("/join/") || asked.method == "PUT" {
            true => Answer::json(200, json!({ "room_id": ROOM })),
            false => Matrix.answer(asked, &[]),
        }
    })
    .await;
    let connector = connect(&settings(&server.url, Arc::<MemorySession>::default())).expect("a connector");
    let batch = connector.poll(&Matrix.stream(), None, Timestamp::MAX).await.expect("a poll");
    assert_eq!((server.count("/join/"), batch.more), (joins, joins == 1));
    let direct: Vec<_> = server.asked().into_iter().filter(|asked| asked.method == "PUT").collect();
    assert_eq!(direct.len(), joins, "the account's other apps are told that it is a direct chat");
    assert!(direct.iter().all(|asked| asked.json()["@ayse:matrix.example"] == json!([ROOM])));
}

fn outgoing(text: &str) -> Outgoing {
    let at = "2026-11-20T12:00:00Z".parse().expect("a time");
    Outgoing {
        key: "00112233445566778899aabbccddeeff".to_owned(),
        created_at: at,
        due_at: at,
        called_at: at,
        text: text.to_owned(),
        reply_to: None,
        continues: None,
        visibility: Visibility::Public,
        language: None,
    }
}

#[tokio::test]
async fn a_post_without_a_room_says_where_to_name_one() {
    let (_server, connector) = syncing(timeline(json!([]))).await;
    let refused = connector.publisher().expect("Matrix publishes").prepare(&outgoing("Duyuru"), None).await;
    assert!(matches!(&refused, Err(ConnectorError::Rejected(reason)) if reason.contains("listen_for")), "{refused:?}");
}

/// An account whose posts go to [`ROOM`], where `$first` is what `first` says, if it is there.
async fn posting(first: Option<Value>) -> (Server, Box<dyn Connector>) {
    let server = Server::start(move |asked| {
        let path = asked.path.replace("%21", "!").replace("%3A", ":").replace("%24", "$");
        match (path.ends_with("/event/$first"), &first) {
            (true, Some(first)) => Answer::json(200, first.clone()),
            _ if path.contains("/join/") => Answer::json(200, json!({ "room_id": ROOM })),
            _ if path.ends_with("/messages") => {
                let content = json!({ "msgtype": "m.text", "body": "2/2", "muhatap.delivery": outgoing("").key,
                    "m.relates_to": { "m.in_reply_to": { "event_id": "$first" } } });
                Answer::json(200, json!({ "chunk": [event("$second", US, content)] }))
            }
            _ => Matrix.answer(asked, &[]),
        }
    })
    .await;
    let settings = settings(&server.url, Arc::<MemorySession>::default());
    let connector = connect(&AccountSettings { listen_for: vec![ROOM.to_owned()], ..settings }).expect("a connector");
    (server, connector)
}

fn part(room: &str) -> Option<Receipt> {
    Some(Receipt { remote_id: format!("{room}/$first"), local_id: None, url: None })
}

fn sent(server: &Server) -> Value {
    let asked = server.asked().into_iter().rev().find(|asked| Matrix.is_sending(asked));
    asked.expect("a message is sent").json()
}

#[tokio::test]
async fn the_next_part_of_a_thread_answers_the_one_before_and_pings_nobody() {
    let (server, connector) = posting(Some(event("$first", US, json!({ "msgtype": "m.text", "body": "1/2" })))).await;
    let publisher = connector.publisher().expect("Matrix publishes");
    let message = Outgoing { continues: part(ROOM), ..outgoing("2/2") };
    assert_eq!(publisher.lane(&message), "posts");
    let ready = publisher.prepare(&message, None).await.expect("prepared");
    let saved = publisher.prepare(&message, Some(ready.clone())).await.expect("prepared");
    assert_eq!((&saved, server.count("/event/")), (&ready, 1), "what was saved is not asked again");
    publisher.publish(&message, &saved).await.expect("a receipt");
    let expected = json!({ "msgtype": "m.text", "body": "2/2", "m.mentions": {}, "muhatap.delivery": message.key,
        "m.relates_to": { "m.in_reply_to": { "event_id": "$first" } } });
    assert_eq!(sent(&server), expected);
    let found = publisher.find(&message, &saved, message.created_at, &[]).await.expect("a read");
    assert_eq!(found.map(|receipt| receipt.remote_id), Some(format!("{ROOM}/$second")));
    // Posts go to another room by now: an answer cannot leave its own.
    let elsewhere = Outgoing { continues: part("!eski:matrix.example"), ..message };
    let ready = publisher.prepare(&elsewhere, None).await.expect("prepared");
    publisher.publish(&elsewhere, &ready).await.expect("a receipt");
    assert_eq!(sent(&server)["m.relates_to"], Value::Null);
}

#[rstest]
#[case::never_there(None)]
#[case::redacted(Some(json!({ "type": "m.room.message", "event_id": "$first", "sender": US, "origin_server_ts": 1, "content": {},
    "unsigned": { "redacted_because": { "type": "m.room.redaction" } } })))]
#[tokio::test]
async fn a_part_whose_part_before_is_gone_says_what_to_do(#[case] first: Option<Value>) {
    let (_server, connector) = posting(first).await;
    let message = Outgoing { continues: part(ROOM), ..outgoing("2/2") };
    let error = connector.publisher().expect("Matrix publishes").prepare(&message, None).await.expect_err("an error");
    assert!(matches!(&error, ConnectorError::Rejected(said) if said.contains("post this one on its own")), "{error:?}");
}

#[tokio::test]
async fn a_refused_refresh_token_logs_in_again_on_the_same_device() {
    let server = Server::start(|asked| {
        let authorization = asked.header("authorization").unwrap_or_default();
        match asked.path.trim_start_matches("/_matrix/client/v3/") {
            "refresh" => Answer::json(401, json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "?" })),
            "login" | "profile" => Matrix.answer(asked, &[]),
            _ if authorization.ends_with("old") => Matrix.unauthorized(),
            _ => Matrix.answer(asked, &[]),
        }
    })
    .await;
    let session = Arc::<MemorySession>::default();
    let saved =
        json!({ "user": "destek", "user_id": US, "device_id": "EV", "access_token": "old", "refresh_token": "older" });
    session.save(SecretString::from(saved.to_string())).await.expect("kept");
    let connector = connect(&settings(&server.url, session.clone())).expect("a connector");
    assert_eq!(connector.who_am_i().await.expect("who we are").remote_id, US);
    let login = server.asked().into_iter().find(|asked| asked.path.ends_with("/login")).expect("a login");
    assert_eq!((login.json()["device_id"].clone(), login.json()["refresh_token"].clone()), (json!("EV"), json!(true)));
    let saved = session.load().await.expect("a session").expect("saved");
    assert!(saved.expose_secret().contains("\"access\""));
}

#[test]
fn length_is_counted_as_it_travels() {
    let url = Url::parse("https://matrix.example").expect("an address");
    let connector = connect(&settings(&url, Arc::<MemorySession>::default())).expect("a connector");
    let publisher = connector.publisher().expect("Matrix publishes");
    assert_eq!(publisher.measure(&outgoing("ışık\n\"")).used, 7 + 2 + 2);
    assert!(publisher.measure(&outgoing(&"a".repeat(60_000))).fits());
    assert!(!publisher.measure(&outgoing(&"ı".repeat(30_001))).fits());
}

#[tokio::test]
async fn own_messages_are_ours_and_an_answer_to_us_is_a_reply() {
    let answer = json!({ "msgtype": "m.notice", "body": "tamam", "m.mentions": { "user_ids": [US] },
        "m.relates_to": { "m.in_reply_to": { "event_id": "$ours" } } });
    let events = json!([event("$1", US, json!({ "msgtype": "m.text", "body": "biz" })), event("$2", "@a:b", answer)]);
    let (_server, connector) = syncing(timeline(events)).await;
    let batch = connector.poll(&Matrix.stream(), None, Timestamp::MAX).await.expect("a poll");
    let [Change::Seen(ours), Change::Seen(theirs)] = batch.changes.as_slice() else { panic!("{:?}", batch.changes) };
    assert!(ours.author.is_us && !theirs.author.is_us);
    assert_eq!((theirs.kind, theirs.in_reply_to.clone()), (Kind::Reply, Some(format!("{ROOM}/$ours"))));
}

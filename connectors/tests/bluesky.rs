//! Bluesky on a server that misbehaves as asked: what real servers do only now and then.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{
    AccountSettings, Batch, Change, Connector, ConnectorError, Cursor, Length, MemorySession, Network, Outgoing,
    Prepared, Receipt, Session, Stream, StreamKind, Visibility, connect,
};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::contract::{self, Item, Subject};
use crate::support::{Answer, Asked, account};
use wiremock::matchers::{body_partial_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, Times};

/// Bluesky, as the contract of all networks needs to know it.
pub struct Bluesky;

impl Bluesky {
    fn post(item: &Item) -> Value {
        let text = if item.broken { json!({ "not": "text" }) } else { json!(item.text) };
        // Lists carry a time of their own beside the one the author claims.
        let indexed_at = contract::item(item.number).date;
        json!({
            "uri": format!("at://did:plc:ayse/app.bsky.feed.post/3m{:011}", item.number), "cid": "bafy", "reason": "mention",
            "author": { "did": "did:plc:ayse", "handle": "ayse.example", "displayName": "Ayşe" },
            "record": { "text": text, "createdAt": item.date, "langs": ["tr"] }, "indexedAt": indexed_at,
        })
    }
}

impl Subject for Bluesky {
    fn name(&self) -> &'static str {
        "bluesky"
    }

    fn network(&self) -> Network {
        Network::Bluesky
    }

    fn token(&self) -> &'static str {
        "bluesky-app-password"
    }

    fn stream(&self) -> Stream {
        stream(StreamKind::Mentions)
    }

    fn connector(&self, url: &Url, call_timeout: Duration) -> Box<dyn Connector> {
        let user = Some("destek.example".to_owned());
        let settings = AccountSettings { call_timeout, user, ..account(self.network(), url, self.token()) };
        connect(&settings).expect("a connector")
    }

    fn answer(&self, asked: &Asked, items: &[Item]) -> Answer {
        let answer = match asked.path.rsplit('/').next().unwrap_or_default() {
            "com.atproto.server.createSession" | "com.atproto.server.getSession" => tokens("access"),
            "app.bsky.notification.listNotifications" => {
                let newest_first: Vec<_> = items.iter().rev().map(Self::post).collect();
                let start: usize =
                    asked.parameter("cursor").map_or(0, |cursor| cursor.parse().expect("our own cursor"));
                let end = (start + 100).min(items.len());
                let cursor = (end < items.len()).then(|| end.to_string());
                json!({ "notifications": newest_first[start..end], "cursor": cursor })
            }
            "app.bsky.feed.getPosts" => {
                let uris = asked.parameters("uris");
                let posts =
                    items.iter().map(Self::post).filter(|post| uris.contains(&post["uri"].as_str().unwrap_or("")));
                json!({ "posts": posts.collect::<Vec<_>>() })
            }
            "com.atproto.repo.createRecord" => {
                let rkey = asked.json()["rkey"].as_str().unwrap_or_default().to_owned();
                json!({ "uri": format!("at://did:plc:destek/app.bsky.feed.post/{rkey}"), "cid": "bafy" })
            }
            _ => return Answer::json(400, json!({ "error": "RecordNotFound", "message": "Could not locate record" })),
        };
        Answer::json(200, answer)
    }

    fn is_reading(&self, asked: &Asked) -> bool {
        asked.path.ends_with("listNotifications")
    }

    fn is_sending(&self, asked: &Asked) -> bool {
        asked.path.ends_with("createRecord")
    }

    fn reply_data(&self, _: &Url) -> Value {
        json!({ "uri": address(1), "cid": "bafy" })
    }

    fn unauthorized(&self) -> Answer {
        Answer::json(401, json!({ "error": "AuthenticationRequired", "message": "Invalid identifier or password" }))
    }
}

const KEY: &str = "00112233445566778899aabbccddeeff";

fn settings(base_url: &str, session: Arc<dyn Session>) -> AccountSettings {
    AccountSettings {
        name: "destek".to_owned(),
        network: Network::Bluesky,
        base_url: Some(Url::parse(base_url).expect("an address")),
        user: Some("destek.bsky.social".to_owned()),
        token: Some(SecretString::from("app-password")),
        listen_for: vec!["#marka".to_owned(), "@destek.bsky.social".to_owned(), " ".to_owned()],
        session,
        call_timeout: Duration::from_millis(700),
    }
}

fn tokens(access: &str) -> Value {
    json!({ "did": "did:plc:destek", "handle": "destek.bsky.social", "accessJwt": access, "refreshJwt": format!("{access}-refresh") })
}

fn failing(status: u16, error: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": error, "message": "as the test wants it" }))
}

async fn answer(server: &MockServer, at: &str, answer: ResponseTemplate, times: impl Into<Times>) {
    Mock::given(path(format!("/xrpc/{at}"))).respond_with(answer).expect(times).mount(server).await;
}

/// A server that lets the account log in.
async fn server() -> (MockServer, Box<dyn Connector>) {
    let server = MockServer::start().await;
    let login = ResponseTemplate::new(200).set_body_json(tokens("first"));
    answer(&server, "com.atproto.server.createSession", login, 0..=1).await;
    let own = json!({ "did": "did:plc:destek", "handle": "destek.bsky.social" });
    answer(&server, "com.atproto.server.getSession", ResponseTemplate::new(200).set_body_json(own), 0..).await;
    let connector = connect(&settings(&server.uri(), Arc::<MemorySession>::default())).expect("a connector");
    (server, connector)
}

fn stream(kind: StreamKind) -> Stream {
    Stream { kind, query: String::new() }
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        key: KEY.to_owned(),
        created_at: "2026-11-21T20:00:00.123456Z".parse().expect("a time"),
        due_at: "2026-11-28T09:00:00.5Z".parse().expect("a time"),
        called_at: "2026-11-28T09:00:00.5Z".parse().expect("a time"),
        text: text.to_owned(),
        reply_to: None,
        continues: None,
        visibility: Visibility::Public,
        language: Some("tr".to_owned()),
    }
}

async fn prepared(connector: &dyn Connector, message: &Outgoing) -> Prepared {
    connector.publisher().expect("Bluesky publishes").prepare(message, None).await.expect("prepared")
}

async fn publish(connector: &dyn Connector) -> Result<Receipt, ConnectorError> {
    let message = outgoing("Merhaba");
    let prepared = prepared(connector, &message).await;
    connector.publisher().expect("Bluesky publishes").publish(&message, &prepared).await
}

fn uri(prepared: &Prepared) -> String {
    format!("at://did:plc:destek/app.bsky.feed.post/{}", prepared.0["rkey"].as_str().expect("a record key"))
}

#[test]
fn keywords_are_streams_and_our_own_name_is_not() {
    let connector = connect(&settings("https://bsky.social", Arc::<MemorySession>::default())).expect("a connector");
    let names: Vec<_> = connector.streams().iter().map(Stream::name).collect();
    assert_eq!(names, ["mentions", "own", "search:#marka"]);
}

#[rstest]
#[case("base_url")]
#[case("user")]
#[case("token")]
fn a_missing_setting_is_named(#[case] missing: &str) {
    let mut settings = settings("https://bsky.social", Arc::<MemorySession>::default());
    match missing {
        "base_url" => settings.base_url = None,
        "user" => settings.user = None,
        _ => settings.token = None,
    }
    let error = connect(&settings).err().expect("refused").to_string();
    assert!(error.contains("destek") && error.contains(missing), "{error}");
}

#[tokio::test]
async fn notifications_become_messages_whatever_their_authors_wrote() {
    let (server, connector) = server().await;
    let page: Value = serde_json::from_str(include_str!("fixtures/bluesky/notifications.json")).expect("a fixture");
    Mock::given(path("/xrpc/app.bsky.notification.listNotifications"))
        .and(query_param("priority", "false"))
        .and(query_param_is_missing("cursor"))
        .respond_with(ResponseTemplate::new(200).set_body_json(page))
        .mount(&server)
        .await;
    let end = ResponseTemplate::new(200).set_body_json(json!({ "notifications": [] }));
    answer(&server, "app.bsky.notification.listNotifications", end, 1).await;
    let batch = connector.poll(&stream(StreamKind::Mentions), None, Timestamp::MAX).await.expect("a poll");
    assert!(batch.filling.is_none() && !batch.more);
    let reasons: Vec<_> = batch.unparsed.iter().map(|item| item.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    let text =
        serde_json::to_string_pretty(&batch.changes).expect("JSON").replace(&server.uri(), "https://pds.example");
    insta::assert_snapshot!("notifications", text);
}

/// A list of `count` posts, the newest at `newest`, one each minute before; pages of 100.
async fn serve_list(server: &MockServer, newest: &str, count: usize, gone: &'static [usize]) {
    server.reset().await;
    let login = ResponseTemplate::new(200).set_body_json(tokens("first"));
    answer(server, "com.atproto.server.createSession", login, 0..).await;
    let newest: Timestamp = newest.parse().expect("a time");
    let list = move |request: &Request| {
        let cursor = request.url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned());
        let start: usize = cursor.map_or(0, |cursor| cursor.parse().expect("our cursor"));
        let end = (start + 100).min(count);
        let posts: Vec<_> =
            (start..end).filter(|n| !gone.contains(&(count - n))).map(|n| post(newest, n, count)).collect();
        let mut page = json!({ "posts": posts });
        if end < count {
            page["cursor"] = json!(end.to_string());
        }
        ResponseTemplate::new(200).set_body_json(page).insert_header("date", "Sat, 21 Nov 2026 20:00:00 GMT")
    };
    Mock::given(path("/xrpc/app.bsky.feed.searchPosts")).respond_with(list).mount(server).await;
    let shown = move |request: &Request| {
        let uris = request.url.query_pairs().filter(|(name, _)| name == "uris").map(|(_, uri)| uri.into_owned());
        let gone: Vec<_> = gone.iter().map(|number| address(*number)).collect();
        let posts: Vec<_> = uris.filter(|uri| !gone.contains(uri)).map(|uri| named(&uri, newest)).collect();
        ResponseTemplate::new(200).set_body_json(json!({ "posts": posts }))
    };
    Mock::given(path("/xrpc/app.bsky.feed.getPosts")).respond_with(shown).mount(server).await;
    answer(server, "com.atproto.repo.getRecord", failing(400, "RecordNotFound"), 0..).await;
}

/// Posts are numbered from the oldest, so that a number stays with its post.
fn address(number: usize) -> String {
    format!("at://did:plc:yazan/app.bsky.feed.post/3m{number:011}")
}

fn post(newest: Timestamp, n: usize, count: usize) -> Value {
    let at = newest.checked_sub(SignedDuration::from_mins(n as i64)).expect("a time");
    named(&address(count - n), at)
}

fn named(uri: &str, at: Timestamp) -> Value {
    json!({ "uri": uri, "cid": "bafy", "author": { "did": "did:plc:yazan", "handle": "yazan.test" },
        "record": { "text": uri, "createdAt": at.to_string() }, "indexedAt": at.to_string() })
}

async fn search(connector: &dyn Connector, after: Option<&Cursor>) -> Batch {
    let stream = Stream { kind: StreamKind::Search, query: "#marka".to_owned() };
    let batch = connector.poll(&stream, after, Timestamp::MAX).await.expect("a poll");
    assert!(batch.next.0.len() <= 8 * 1024, "a cursor is at most 8 KiB, not {}", batch.next.0.len());
    batch
}

fn seen(batch: &Batch) -> Vec<&str> {
    let messages = batch.changes.iter().filter_map(|change| match change {
        Change::Seen(message) => Some(message.remote_id.as_str()),
        _ => None,
    });
    messages.collect()
}

#[tokio::test]
async fn after_an_outage_the_newest_come_first_and_the_gap_is_named_until_it_is_filled() {
    let (server, connector) = server().await;
    serve_list(&server, "2026-11-21T08:00:00Z", 5, &[]).await;
    let first = search(&*connector, None).await;
    assert_eq!((seen(&first).len(), first.more), (5, false));
    assert_eq!(first.complete_up_to, Some("2026-11-21T20:00:00Z".parse().expect("a time")));

    // 900 posts later: 100 newest and three pages behind them in one poll.
    serve_list(&server, "2026-11-21T23:00:00Z", 905, &[]).await;
    let second = search(&*connector, Some(&first.next)).await;
    assert!(seen(&second).contains(&address(905).as_str()) && second.more);
    let gap = second.filling.as_ref().expect("a gap");
    assert_eq!(gap.from, Some("2026-11-21T08:00:00Z".parse().expect("a time")));
    assert_eq!(gap.until, Some("2026-11-21T16:21:00Z".parse().expect("a time")));
    assert_eq!(second.complete_up_to, gap.from, "complete only to where the gap begins");

    // The same cursor again gives at least the same: nothing was kept on our side.
    assert_eq!(seen(&search(&*connector, Some(&first.next)).await), seen(&second));

    let mut found: Vec<String> = seen(&second).into_iter().map(str::to_owned).collect();
    let mut batch = second;
    while batch.more {
        batch = search(&*connector, Some(&batch.next)).await;
        found.extend(seen(&batch).into_iter().map(str::to_owned));
    }
    assert!(batch.filling.is_none() && batch.lost.is_empty());
    found.sort();
    found.dedup();
    assert!((6..=905).all(|number| found.contains(&address(number))), "{} of 900", found.len());

    // Quiet again: nothing is given twice.
    assert_eq!(search(&*connector, Some(&batch.next)).await.changes, []);
}

#[tokio::test]
async fn a_post_that_vanished_is_deleted_once_and_one_that_is_only_hidden_is_not() {
    let (server, connector) = server().await;
    serve_list(&server, "2026-11-21T08:00:00Z", 30, &[]).await;
    let mut batch = search(&*connector, None).await;
    serve_list(&server, "2026-11-21T08:00:00Z", 30, &[3, 29]).await;
    let mut deleted = Vec::new();
    for _ in 0..4 {
        batch = search(&*connector, Some(&batch.next)).await;
        deleted.extend(batch.changes.iter().cloned());
    }
    assert_eq!(deleted.len(), 2, "{deleted:?}");
    assert!(deleted.contains(&Change::Deleted(address(3))) && deleted.contains(&Change::Deleted(address(29))));

    // Blocking hides a post from lists, but its record is still there.
    serve_list(&server, "2026-11-21T08:00:00Z", 30, &[3, 29, 30]).await;
    server.reset().await;
    serve_list(&server, "2026-11-21T08:00:00Z", 30, &[30]).await;
    let record = ResponseTemplate::new(200).set_body_json(json!({ "uri": address(30), "value": {} }));
    Mock::given(path("/xrpc/com.atproto.repo.getRecord")).respond_with(record).with_priority(1).mount(&server).await;
    for _ in 0..3 {
        batch = search(&*connector, Some(&batch.next)).await;
        assert!(!batch.changes.contains(&Change::Deleted(address(30))));
    }
}

#[tokio::test]
async fn a_search_that_does_not_go_back_far_enough_says_what_is_lost() {
    let (server, connector) = server().await;
    serve_list(&server, "2026-11-21T08:00:00Z", 5, &[]).await;
    let first = search(&*connector, None).await;
    serve_list(&server, "2026-11-21T23:00:00Z", 905, &[]).await;
    Mock::given(path("/xrpc/app.bsky.feed.searchPosts"))
        .and(query_param("cursor", "200"))
        .respond_with(failing(400, "InvalidRequest"))
        .with_priority(1)
        .mount(&server)
        .await;
    let second = search(&*connector, Some(&first.next)).await;
    assert_eq!(second.lost.len(), 1);
    assert_eq!(second.lost[0].until, Some("2026-11-21T19:41:00Z".parse().expect("a time")));
    assert!(!second.more && second.filling.is_none());
}

#[rstest]
#[case::renewed(true)]
#[case::logged_in_again(false)]
#[tokio::test]
async fn an_expired_token_is_renewed_once_and_saved_before_use(#[case] refresh_works: bool) {
    let server = MockServer::start().await;
    let session = Arc::<MemorySession>::default();
    let mut saved = tokens("old");
    saved["user"] = json!("destek.bsky.social");
    session.save(SecretString::from(saved.to_string())).await.expect("kept");
    let own = |token: &str| {
        Mock::given(path("/xrpc/com.atproto.server.getSession"))
            .and(header("authorization", format!("Bearer {token}").as_str()))
    };
    own("old").respond_with(failing(400, "ExpiredToken")).expect(1).mount(&server).await;
    let profile = json!({ "did": "did:plc:destek", "handle": "destek.bsky.social" });
    own("new").respond_with(ResponseTemplate::new(200).set_body_json(profile)).expect(1).mount(&server).await;
    let (refresh, login) = match refresh_works {
        true => (ResponseTemplate::new(200).set_body_json(tokens("new")), 0),
        false => (failing(400, "ExpiredToken"), 1),
    };
    Mock::given(path("/xrpc/com.atproto.server.refreshSession"))
        .and(header("authorization", "Bearer old-refresh"))
        .respond_with(refresh)
        .expect(1)
        .mount(&server)
        .await;
    let again = ResponseTemplate::new(200).set_body_json(tokens("new"));
    answer(&server, "com.atproto.server.createSession", again, login).await;

    let connector = connect(&settings(&server.uri(), session.clone())).expect("a connector");
    connector.who_am_i().await.expect("who we are");
    let saved = session.load().await.expect("a session").expect("saved");
    assert!(saved.expose_secret().contains("\"new\""));
}

#[tokio::test]
async fn a_token_that_stays_refused_ends_in_unauthorized_and_names_no_secret() {
    let server = MockServer::start().await;
    let failure = ResponseTemplate::new(401)
        .set_body_json(json!({ "error": "AuthenticationRequired", "message": "no app-password for you" }));
    answer(&server, "com.atproto.server.createSession", failure, 1).await;
    let connector = connect(&settings(&server.uri(), Arc::<MemorySession>::default())).expect("a connector");
    let error = connector.who_am_i().await.expect_err("refused");
    assert!(matches!(error, ConnectorError::Unauthorized(_)));
    let text = error.to_string();
    assert!(text.contains("check user") && !text.contains("no app-password"), "{text}");
}

#[tokio::test]
async fn a_post_is_dated_when_it_is_due_and_always_looks_the_same() {
    let (server, connector) = server().await;
    let text = "Yeni sezon #indirim https://ornek.example/a 👨‍👩‍👧‍👦";
    let resolved = json!({ "did": "did:plc:ayse" });
    answer(&server, "com.atproto.identity.resolveHandle", ResponseTemplate::new(200).set_body_json(resolved), 0).await;
    let message = outgoing(text);
    let prepared = prepared(&*connector, &message).await;
    let uri = uri(&prepared);
    let created = ResponseTemplate::new(200).set_body_json(json!({ "uri": uri, "cid": "bafy" }));
    answer(&server, "com.atproto.repo.createRecord", created, 2).await;
    let publisher = connector.publisher().expect("Bluesky publishes");
    // A restart prepares from what was saved.
    let saved = publisher.prepare(&message, Some(prepared.clone())).await.expect("prepared");
    assert_eq!(saved, prepared);
    for _ in 0..2 {
        let receipt = publisher.publish(&message, &saved).await.expect("published");
        assert_eq!((receipt.remote_id.as_str(), receipt.url), (uri.as_str(), None));
    }
    let requests = server.received_requests().await.expect("recorded");
    let bodies: Vec<&[u8]> = requests
        .iter()
        .filter(|request| request.url.path().ends_with("createRecord"))
        .map(|r| r.body.as_slice())
        .collect();
    assert_eq!(bodies[0], bodies[1]);
    insta::assert_json_snapshot!("post", serde_json::from_slice::<Value>(bodies[0]).expect("JSON"));
}

/// What became of the record: there as we wrote it, not there, another one, or no answer about it.
#[derive(Clone, Copy)]
enum Record {
    Ours,
    Absent,
    Other,
    Unknown,
}

#[rstest]
#[case::taken_is_published(500, Record::Ours, "published")]
#[case::taken_named_otherwise(400, Record::Ours, "published")]
#[case::not_there_but_may_come(500, Record::Absent, "unconfirmed")]
#[case::cannot_tell(500, Record::Unknown, "unconfirmed")]
#[case::cannot_tell_why(400, Record::Unknown, "unconfirmed")]
#[case::refused(400, Record::Absent, "rejected")]
#[case::too_large(413, Record::Absent, "rejected")]
#[case::timed_out_there(408, Record::Absent, "unconfirmed")]
#[case::taken_by_another(500, Record::Other, "rejected")]
#[tokio::test]
async fn the_record_decides_what_an_error_meant(#[case] status: u16, #[case] record: Record, #[case] expected: &str) {
    let (server, connector) = server().await;
    answer(&server, "com.atproto.repo.createRecord", failing(status, "Whatever"), 1).await;
    let there = |text: &str| {
        let value = json!({ "uri": "at://did:plc:destek/app.bsky.feed.post/x", "value": { "text": text } });
        ResponseTemplate::new(200).set_body_json(value)
    };
    let look = match record {
        Record::Ours => there("Merhaba"),
        Record::Other => there("Başka"),
        Record::Absent => failing(400, "RecordNotFound"),
        Record::Unknown => ResponseTemplate::new(502),
    };
    answer(&server, "com.atproto.repo.getRecord", look, 1).await;
    let outcome = publish(&*connector).await;
    let name = match &outcome {
        Ok(_) => "published",
        Err(ConnectorError::Unconfirmed(_)) => "unconfirmed",
        Err(ConnectorError::Rejected(_)) => "rejected",
        Err(_) => "other",
    };
    assert_eq!(name, expected, "{outcome:?}");
}

#[rstest]
#[case::late(ResponseTemplate::new(200).set_delay(Duration::from_secs(3)))]
#[case::garbage(ResponseTemplate::new(200).set_body_string("<html>"))]
#[case::another_address(ResponseTemplate::new(200).set_body_json(json!({ "uri": "at://did:plc:destek/app.bsky.feed.post/other" })))]
#[tokio::test]
async fn an_answer_that_proves_nothing_is_unconfirmed_and_not_repeated(#[case] response: ResponseTemplate) {
    let (server, connector) = server().await;
    answer(&server, "com.atproto.repo.createRecord", response, 1).await;
    let outcome = publish(&*connector).await;
    assert!(matches!(outcome, Err(ConnectorError::Unconfirmed(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_session_that_ended_at_the_call_sends_nothing_and_is_renewed() {
    let (server, connector) = server().await;
    answer(&server, "com.atproto.repo.createRecord", failing(400, "ExpiredToken"), 1).await;
    let renewed = ResponseTemplate::new(200).set_body_json(tokens("second"));
    answer(&server, "com.atproto.server.refreshSession", renewed, 1).await;
    assert!(matches!(publish(&*connector).await, Err(ConnectorError::Unavailable(_))));
}

#[tokio::test]
async fn a_used_up_limit_waits_as_told_and_a_limit_on_search_leaves_mentions_alone() {
    let (server, connector) = server().await;
    let limited = failing(429, "RateLimitExceeded").insert_header("retry-after", "17");
    answer(&server, "app.bsky.feed.searchPosts", limited, 1).await;
    let none = ResponseTemplate::new(200).set_body_json(json!({ "notifications": [] }));
    answer(&server, "app.bsky.notification.listNotifications", none, 1).await;
    for _ in 0..2 {
        let stream = Stream { kind: StreamKind::Search, query: "#marka".to_owned() };
        let outcome = connector.poll(&stream, None, Timestamp::MAX).await;
        assert!(matches!(outcome, Err(ConnectorError::RateLimited(wait)) if wait.as_secs() <= 17), "{outcome:?}");
    }
    connector.poll(&stream(StreamKind::Mentions), None, Timestamp::MAX).await.expect("mentions go on");
}

#[tokio::test]
async fn an_answer_needs_both_posts_of_its_thread_and_they_are_looked_up_where_unknown() {
    let (server, connector) = server().await;
    let found = json!({ "posts": [{ "uri": address(1), "cid": "bafyparent", "author": { "did": "did:plc:yazan", "handle": "y" },
        "record": { "text": "", "reply": { "root": { "uri": address(0), "cid": "bafyroot" }, "parent": { "uri": address(0), "cid": "x" } } },
        "indexedAt": "2026-11-21T08:00:00Z" }] });
    Mock::given(method("GET"))
        .and(path("/xrpc/app.bsky.feed.getPosts"))
        .and(query_param("uris", address(1)))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .mount(&server)
        .await;
    let mut message = outgoing("Merhaba");
    message.reply_to =
        Some(muhatap_connectors::ReplyTo { remote_id: address(1), handle: "y".to_owned(), data: Value::Null });
    let ready = prepared(&*connector, &message).await;
    let reply = json!({ "reply": { "root": { "uri": address(0), "cid": "bafyroot" }, "parent": { "uri": address(1), "cid": "bafyparent" } } });
    Mock::given(path("/xrpc/com.atproto.repo.createRecord"))
        .and(body_partial_json(json!({ "record": reply })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "uri": uri(&ready) })))
        .expect(1)
        .mount(&server)
        .await;
    connector.publisher().expect("Bluesky publishes").publish(&message, &ready).await.expect("published");
}

/// Our own record of that name, as the part before of a thread.
fn part(rkey: &str) -> Receipt {
    Receipt { remote_id: format!("at://did:plc:destek/app.bsky.feed.post/{rkey}"), local_id: None, url: None }
}

#[rstest]
#[case::of_two(None, "second")]
#[case::of_three(Some("first"), "first")]
#[tokio::test]
async fn the_next_part_of_a_thread_names_the_one_before_and_the_first(#[case] above: Option<&str>, #[case] root: &str) {
    let (server, connector) = server().await;
    let reference = |rkey: &str| json!({ "uri": part(rkey).remote_id, "cid": format!("bafy{rkey}") });
    let mut before = reference("second");
    before["value"] = json!({ "text": "önceki" });
    if let Some(above) = above {
        before["value"]["reply"] = json!({ "root": reference(above), "parent": reference(above) });
    }
    let our_record = |rkey: &str| {
        Mock::given(path("/xrpc/com.atproto.repo.getRecord"))
            .and(query_param("repo", "did:plc:destek"))
            .and(query_param("rkey", rkey))
    };
    let answered = ResponseTemplate::new(200).set_body_json(before);
    our_record("second").respond_with(answered).expect(1).mount(&server).await;
    let message = Outgoing { continues: Some(part("second")), ..outgoing("Devamı") };
    let ready = prepared(&*connector, &message).await;
    let reply = json!({ "root": reference(root), "parent": reference("second") });
    let record = json!({ "text": "Devamı", "reply": reply });
    Mock::given(path("/xrpc/com.atproto.repo.createRecord"))
        .and(body_partial_json(json!({ "record": record })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "uri": uri(&ready) })))
        .expect(1)
        .mount(&server)
        .await;
    let publisher = connector.publisher().expect("Bluesky publishes");
    // A restart prepares from what was saved, and does not ask again.
    let saved = publisher.prepare(&message, Some(ready.clone())).await.expect("prepared");
    publisher.publish(&message, &saved).await.expect("published");
    let there = ResponseTemplate::new(200).set_body_json(json!({ "uri": uri(&ready), "value": record }));
    our_record(ready.0["rkey"].as_str().expect("a record key")).respond_with(there).mount(&server).await;
    let found = publisher.find(&message, &saved, message.created_at, &[]).await.expect("a read");
    assert_eq!(found.map(|receipt| receipt.remote_id), Some(uri(&ready)));
}

#[tokio::test]
async fn a_part_whose_part_before_is_gone_says_what_to_do() {
    let (server, connector) = server().await;
    answer(&server, "com.atproto.repo.getRecord", failing(400, "RecordNotFound"), 1).await;
    let message = Outgoing { continues: Some(part("second")), ..outgoing("Devamı") };
    let error = connector.publisher().expect("Bluesky publishes").prepare(&message, None).await.expect_err("an error");
    assert!(matches!(&error, ConnectorError::Rejected(said) if said.contains("post this one on its own")), "{error:?}");
}

#[rstest]
#[case::letters("ışğüöçİ".repeat(42) + "123456", Length { used: 300, limit: 300 })]
#[case::one_too_many("a".repeat(301), Length { used: 301, limit: 300 })]
// A family is one grapheme of seven code points and 25 bytes.
#[case::families("👨‍👩‍👧‍👦".repeat(120), Length { used: 120, limit: 300 })]
#[case::too_many_bytes("👨‍👩‍👧‍👦".repeat(121), Length { used: 3025, limit: 3000 })]
#[case::right_to_left("مرحبا".repeat(60), Length { used: 300, limit: 300 })]
#[case::nothing(String::new(), Length { used: 0, limit: 300 })]
fn both_of_the_networks_limits_count(#[case] text: String, #[case] expected: Length) {
    let connector = connect(&settings("https://bsky.social", Arc::<MemorySession>::default())).expect("a connector");
    assert_eq!(connector.publisher().expect("Bluesky publishes").measure(&outgoing(&text)), expected);
}

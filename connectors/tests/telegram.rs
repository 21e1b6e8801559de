//! Telegram bots: what updates become, what is lost and said so, what is sent.

use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::{
    AccountSettings, Certainty, Change, Connector, ConnectorError, Cursor, Kind, Length, Network, Outgoing, Prepared,
    Receipt, ReplyTo, Stream, StreamKind, Visibility, connect,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Server, account};

const TOKEN: &str = "4711:gizli";

fn ok(result: Value) -> Answer {
    Answer::json(200, json!({ "ok": true, "result": result }))
}

fn bad(code: u16, description: &str) -> Answer {
    Answer::json(code, json!({ "ok": false, "error_code": code, "description": description }))
}

fn me() -> Value {
    json!({ "id": 4711, "is_bot": true, "first_name": "Destek", "username": "destek_bot" })
}

/// A server that knows the bot and answers one method as told.
async fn server(method: &'static str, answer: Answer) -> Server {
    Server::start(move |asked| match asked.path.rsplit('/').next() {
        Some(asked) if asked == method => answer.clone(),
        Some("getMe") => ok(me()),
        _ => bad(404, "Not Found"),
    })
    .await
}

fn connector(server: &Server) -> Box<dyn Connector> {
    let settings = account(Network::Telegram, &server.url, TOKEN);
    connect(&AccountSettings { user: Some("@duyuru".to_owned()), call_timeout: Duration::from_secs(3), ..settings })
        .expect("a connector")
}

fn messages() -> Stream {
    Stream { kind: StreamKind::Messages, query: String::new() }
}

fn outgoing(text: &str, data: Option<Value>) -> Outgoing {
    let at: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
    Outgoing {
        key: "0123456789abcdef0123456789abcdef".to_owned(),
        created_at: at,
        due_at: at,
        called_at: at,
        text: text.to_owned(),
        reply_to: data.map(|data| ReplyTo { remote_id: "4711:7/1".to_owned(), handle: "@ayse".to_owned(), data }),
        continues: None,
        visibility: Visibility::Direct,
        language: None,
    }
}

#[tokio::test]
async fn recorded_updates_become_messages() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/telegram/updates.json")).expect("JSON");
    let server = server("getUpdates", ok(recorded)).await;
    let batch = connector(&server).poll(&messages(), None, Timestamp::MAX).await.expect("a batch");
    insta::assert_json_snapshot!(json!({
        "changes": batch.changes,
        "unparsed": batch.unparsed.iter().map(|unparsed| &unparsed.reason).collect::<Vec<_>>(),
        "complete_up_to": batch.complete_up_to,
        "next": serde_json::from_str::<Value>(&batch.next.0).expect("JSON"),
    }));
}

#[tokio::test]
async fn updates_are_confirmed_only_by_the_next_poll() {
    let update = json!([{ "update_id": 41, "message": { "message_id": 1, "date": 1_795_158_300, "text": "a", "chat": { "id": 7, "type": "private" }, "from": { "id": 7, "first_name": "A" } } }]);
    let server = server("getUpdates", ok(update)).await;
    let connector = connector(&server);
    let batch = connector.poll(&messages(), None, Timestamp::MAX).await.expect("a batch");
    connector.poll(&messages(), None, Timestamp::MAX).await.expect("the same again");
    connector.poll(&messages(), Some(&batch.next), Timestamp::MAX).await.expect("a batch");
    let offsets: Vec<Value> = server
        .asked()
        .iter()
        .filter(|asked| asked.path.ends_with("getUpdates"))
        .map(|asked| asked.json()["offset"].clone())
        .collect();
    assert_eq!(offsets, [Value::Null, Value::Null, json!(42)]);
}

#[tokio::test]
async fn what_waited_longer_than_a_day_is_a_named_gap() {
    let server = server("getUpdates", ok(json!([]))).await;
    let cursor = |asked: &str, came: &str| Cursor(json!({ "next": 42, "asked": asked, "came": came }).to_string());
    let connector = connector(&server);
    let batch = connector
        .poll(&messages(), Some(&cursor("2026-11-19T12:30:00Z", "2026-11-19T12:00:00Z")), Timestamp::MAX)
        .await
        .expect("a batch");
    assert!(batch.lost.is_empty());
    let batch = connector
        .poll(&messages(), Some(&cursor("2026-11-18T12:00:00Z", "2026-11-18T12:00:00Z")), Timestamp::MAX)
        .await
        .expect("a batch");
    let [gap] = &batch.lost[..] else { panic!("{:?}", batch.lost) };
    assert_eq!(gap.from.map(|time| time.to_string()).as_deref(), Some("2026-11-18T12:00:00Z"));
    assert_eq!(gap.until.map(|time| time.to_string()).as_deref(), Some("2026-11-19T12:00:00Z"));
    assert!(gap.reason.contains("24 hours"));
    let again = connector.poll(&messages(), Some(&batch.next), Timestamp::MAX).await.expect("a batch");
    assert!(again.lost.is_empty(), "a gap is told once");
}

#[tokio::test]
async fn after_a_week_of_silence_updates_are_not_asked_for_by_number() {
    let server = server("getUpdates", ok(json!([]))).await;
    let cursor =
        Cursor(json!({ "next": 42, "asked": "2026-11-20T11:59:00Z", "came": "2026-11-10T12:00:00Z" }).to_string());
    connector(&server).poll(&messages(), Some(&cursor), Timestamp::MAX).await.expect("a batch");
    let asked = server.asked();
    let asked = asked.iter().find(|asked| asked.path.ends_with("getUpdates")).expect("a call");
    assert_eq!(asked.json().get("offset"), None);
    assert_eq!(
        asked.json()["allowed_updates"],
        json!(["message", "edited_message", "channel_post", "edited_channel_post"])
    );
}

#[rstest]
#[case::webhook(
    409,
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    "Settings",
    "deleteWebhook"
)]
#[case::another(409, "Conflict: terminated by other getUpdates request", "Unavailable", "another program")]
#[case::revoked(401, "Unauthorized", "Unauthorized", "401")]
#[case::no_token(404, "Not Found", "Unauthorized", "404")]
#[case::trouble(500, "Internal Server Error", "Unavailable", "500")]
#[tokio::test]
async fn why_updates_cannot_be_had_is_explained(
    #[case] code: u16,
    #[case] said: &str,
    #[case] expected: &str,
    #[case] names: &str,
) {
    let server = server("getUpdates", bad(code, said)).await;
    let error = connector(&server).poll(&messages(), None, Timestamp::MAX).await.expect_err("an error");
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    assert!(error.to_string().contains(names), "{error}");
}

#[tokio::test]
async fn an_answer_goes_to_its_chat_and_topic_and_a_post_to_the_channel() {
    let sent = json!({ "message_id": 90, "date": 1_795_158_300, "text": "x", "chat": { "id": -1001234, "type": "supergroup", "title": "Marka" }, "from": me() });
    let server = server("sendMessage", ok(sent)).await;
    let connector = connector(&server);
    let publisher = connector.publisher().expect("a publisher");
    let answer = outgoing("Bakıyoruz", Some(json!({ "chat": -1001234, "message": 5, "topic": 3 })));
    let receipt = publisher.publish(&answer, &Prepared::default()).await.expect("a receipt");
    assert_eq!(
        receipt,
        Receipt {
            remote_id: "-1001234/90".to_owned(),
            local_id: Some("-1001234/90".to_owned()),
            url: Some("https://t.me/c/1234/90".to_owned())
        }
    );
    publisher.publish(&outgoing("Duyuru", None), &Prepared::default()).await.expect("a receipt");
    let bodies: Vec<Value> = server.asked().iter().map(|asked| asked.json()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "chat_id": -1001234, "text": "Bakıyoruz", "reply_parameters": { "message_id": 5 }, "message_thread_id": 3 }),
            json!({ "chat_id": "@duyuru", "text": "Duyuru" }),
        ]
    );
    assert_eq!(publisher.lane(&answer), "chat:-1001234");
    assert_eq!(publisher.lane(&outgoing("Duyuru", None)), "posts");
}

#[rstest]
#[case::by_name("@Duyuru", "-1001234/90", Some("https://t.me/duyuru/90"), true)]
#[case::by_number("-1001234", "-1001234/90", Some("https://t.me/c/1234/90"), true)]
#[case::by_a_link("@duyuru", "@duyuru/90", Some("https://t.me/duyuru/90"), true)]
#[case::to_another_channel("@duyuru", "-1001234/90", Some("https://t.me/eski/90"), false)]
#[case::to_another_number("-1009999", "-1001234/90", None, false)]
#[tokio::test]
async fn the_next_part_of_a_thread_answers_the_one_before_in_its_channel(
    #[case] channel: &str,
    #[case] place: &str,
    #[case] url: Option<&str>,
    #[case] answers: bool,
) {
    let sent = json!({ "message_id": 91, "date": 1_795_158_300, "text": "x", "chat": { "id": -1001234, "type": "channel", "title": "Marka", "username": "duyuru" } });
    let server = server("sendMessage", ok(sent)).await;
    let settings = account(Network::Telegram, &server.url, TOKEN);
    let settings = AccountSettings { user: Some(channel.to_owned()), ..settings };
    let connector = connect(&settings).expect("a connector");
    let publisher = connector.publisher().expect("a publisher");
    let before = Receipt { remote_id: place.to_owned(), local_id: Some(place.to_owned()), url: url.map(str::to_owned) };
    let message = Outgoing { continues: Some(before), ..outgoing("2/2", None) };
    assert_eq!(publisher.lane(&message), "posts");
    let ready = publisher.ready(&message, None).expect("nothing is asked of the network");
    publisher.publish(&message, &ready).await.expect("a receipt");
    let body = server.asked().pop().expect("a call").json();
    // Where the part before it is gone, it goes out standing alone.
    let reference = json!({ "message_id": 90, "allow_sending_without_reply": true });
    assert_eq!(body["reply_parameters"], if answers { reference } else { Value::Null });
    assert_eq!((&body["text"], body.get("message_thread_id")), (&json!("2/2"), None));
}

#[rstest]
#[case(bad(400, "Bad Request: message is too long"), "Rejected")]
#[case(bad(403, "Forbidden: bot was blocked by the user"), "Rejected")]
#[case(bad(401, "Unauthorized"), "Unauthorized")]
#[case(bad(404, "Not Found"), "Unauthorized")]
#[case(bad(500, "Internal Server Error"), "Unconfirmed")]
#[case(bad(200, "Strange"), "Unconfirmed")]
#[case(Answer::json(429, json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 35", "parameters": { "retry_after": 35 } })), "RateLimited(35s)")]
#[case(Answer::json(200, json!({ "ok": true })), "Unconfirmed")]
#[case(Answer::json(200, json!({ "ok": true, "result": { "message_id": "x" } })), "Unconfirmed")]
#[tokio::test]
async fn a_refusal_is_told_from_an_unclear_end(#[case] answer: Answer, #[case] expected: &str) {
    let server = server("sendMessage", answer).await;
    let connector = connector(&server);
    let message = outgoing("Merhaba", Some(json!({ "chat": 7, "message": 1, "topic": null })));
    let error = connector
        .publisher()
        .expect("a publisher")
        .publish(&message, &Prepared::default())
        .await
        .expect_err("an error");
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    assert!(!format!("{error:?}").contains("gizli"), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_read_back_is_never_said_to_be_absent() {
    let server = server("getMe", ok(me())).await;
    let connector = connector(&server);
    let publisher = connector.publisher().expect("a publisher");
    assert_eq!(publisher.certainty(), Certainty::None);
    let message = outgoing("Merhaba", None);
    assert!(publisher.find(&message, &Prepared::default(), message.created_at, &[]).await.is_err());
}

#[rstest]
#[case(ok(json!(true)), None)]
#[case(bad(400, "Bad Request: message to delete not found"), None)]
#[case(bad(400, "Bad Request: message can't be deleted"), Some("48 hours"))]
#[tokio::test]
async fn a_message_is_deleted_once(#[case] answer: Answer, #[case] expected: Option<&str>) {
    let server = server("deleteMessage", answer).await;
    let connector = connector(&server);
    let publisher = connector.publisher().expect("a publisher");
    // What was kept of old may lack the local id.
    for local_id in [Some("7/90".to_owned()), None] {
        let result = publisher.delete(&Receipt { remote_id: "4711:7/90".to_owned(), local_id, url: None }).await;
        match expected {
            None => result.expect("deleted"),
            Some(said) => assert!(result.expect_err("an error").to_string().contains(said)),
        }
    }
    for asked in server.asked() {
        assert_eq!(asked.json(), json!({ "chat_id": 7, "message_id": 90 }));
    }
    // What a person gave a link to goes by its channel's name.
    let named = Receipt { remote_id: "@duyuru/5".to_owned(), local_id: Some("@duyuru/5".to_owned()), url: None };
    _ = publisher.delete(&named).await;
    let asked = server.asked().pop().expect("a call");
    assert_eq!(asked.json(), json!({ "chat_id": "@duyuru", "message_id": 5 }));
    let unknown = Receipt { remote_id: "nonsense".to_owned(), local_id: None, url: None };
    assert!(matches!(publisher.delete(&unknown).await, Err(ConnectorError::Rejected(_))));
}

#[rstest]
#[case::public(Some("@duyuru"), Some("https://t.me/duyuru"))]
#[case::private(Some("-1001234"), None)]
#[case::no_channel(None, Some("https://t.me/destek_bot"))]
#[tokio::test]
async fn the_accounts_page_is_the_one_its_posts_are_on(#[case] channel: Option<&str>, #[case] page: Option<&str>) {
    let server = server("getMe", ok(me())).await;
    let settings = account(Network::Telegram, &server.url, TOKEN);
    let settings = AccountSettings { user: channel.map(str::to_owned), ..settings };
    let profile = connect(&settings).expect("a connector").who_am_i().await.expect("it is known");
    assert_eq!((profile.handle.as_str(), profile.url.as_deref()), ("@destek_bot", page));
}

#[tokio::test]
async fn length_is_counted_in_characters() {
    let server = server("getMe", ok(me())).await;
    let connector = connector(&server);
    let publisher = connector.publisher().expect("a publisher");
    assert_eq!(publisher.measure(&outgoing(&"😀".repeat(4096), None)), Length { used: 4096, limit: 4096 });
    assert!(!publisher.measure(&outgoing(&"ğ".repeat(4097), None)).fits());
    assert_eq!(publisher.measure(&outgoing("👨‍👩‍👧‍👦", None)).used, 7);
}

#[tokio::test]
async fn a_post_without_a_channel_says_what_to_set() {
    let server = server("getMe", ok(me())).await;
    let connector = connect(&account(Network::Telegram, &server.url, TOKEN)).expect("a connector");
    let error = connector
        .publisher()
        .expect("a publisher")
        .prepare(&outgoing("Duyuru", None), None)
        .await
        .expect_err("an error");
    assert!(matches!(&error, ConnectorError::Rejected(said) if said.contains("@channel")), "{error:?}");
    assert!(server.asked().is_empty());
    let error = connect(&account(Network::Telegram, &server.url, "gizli")).err().expect("an error");
    assert!(error.to_string().contains("123456:ABC") && !error.to_string().contains("gizli"), "{error}");
}

#[tokio::test]
async fn two_bots_that_hear_the_same_person_have_two_messages() {
    let update = json!([{ "update_id": 1, "message": { "message_id": 1, "date": 1_795_158_300, "text": "a", "chat": { "id": 7, "type": "private" }, "from": { "id": 7, "first_name": "A" } } }]);
    let mut ids = Vec::new();
    for bot in [4711, 4712] {
        let update = update.clone();
        let server = Server::start(move |asked| match asked.path.rsplit('/').next() {
            Some("getMe") => ok(json!({ "id": bot, "is_bot": true, "first_name": "Destek" })),
            _ => ok(update.clone()),
        })
        .await;
        let batch = connector(&server).poll(&messages(), None, Timestamp::MAX).await.expect("a batch");
        let Some(Change::Seen(incoming)) = batch.changes.first() else { panic!("{batch:?}") };
        assert_eq!((incoming.kind, incoming.visibility), (Kind::Message, Visibility::Direct));
        ids.push(incoming.remote_id.clone());
    }
    assert_eq!(ids, ["4711:7/1", "4712:7/1"]);
}

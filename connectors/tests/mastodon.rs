//! Mastodon: what is read, how edits and deletions are noticed, what is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{
    AccountSettings, Batch, Change, Connector, ConnectorError, Cursor, Kind, Length, Network, Outgoing, Prepared,
    Receipt, ReplyTo, Stream, StreamKind, Visibility, connect,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Server, account};

const ME: &str = "1";

/// A server with statuses that tests change.
#[derive(Default)]
struct World {
    /// The oldest first.
    statuses: Vec<Value>,
    gives_many: bool,
    /// Answers every "not found" with a page of its own, as a proxy does.
    away: bool,
}

struct Fake {
    server: Server,
    world: Arc<Mutex<World>>,
}

impl Fake {
    async fn start() -> Self {
        let world = Arc::new(Mutex::new(World { gives_many: true, ..World::default() }));
        let seen = world.clone();
        let server = Server::start(move |asked| answer(&seen.lock().expect("a world"), asked)).await;
        Self { server, world }
    }

    fn connector(&self) -> Box<dyn Connector> {
        let listen_for = ["@destek", "#marka", "marka adı", "#marka", " "].map(str::to_owned).to_vec();
        connect(&AccountSettings { listen_for, ..account(Network::Mastodon, &self.server.url, "gizli") })
            .expect("a connector")
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().expect("a world"));
    }

    fn add(&self, status: Value) {
        self.change(|world| world.statuses.push(status));
    }
}

fn answer(world: &World, asked: &Asked) -> Answer {
    let not_found = match world.away {
        true => Answer::text(404, "<html>we are moving</html>"),
        false => Answer::json(404, json!({ "error": "Record not found" })),
    };
    let with_id = |id: &str| world.statuses.iter().find(|status| status["id"] == json!(id)).cloned();
    match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/api/v1/accounts/verify_credentials") => Answer::json(200, me()),
        (_, "/api/v2/instance") => Answer::json(
            200,
            json!({ "domain": "burada.example", "configuration": { "statuses": { "max_characters": 1000, "characters_reserved_per_url": 30 } } }),
        ),
        ("GET", "/api/v1/notifications") => {
            let named =
                |status: &Value| status["account"]["id"] != json!(ME) && status["mentions"][0]["id"] == json!(ME);
            listed(
                world,
                asked,
                named,
                |status| json!({ "id": status["id"], "type": "mention", "created_at": status["created_at"], "account": status["account"], "status": status }),
            )
        }
        ("GET", "/api/v1/timelines/tag/marka") => {
            listed(world, asked, |status| contains(status, "#marka"), Value::clone)
        }
        ("GET", "/api/v1/accounts/1/statuses") => {
            listed(world, asked, |status| status["account"]["id"] == json!(ME), Value::clone)
        }
        ("GET", "/api/v2/search") => {
            let words = asked.parameter("q").unwrap_or_default().to_owned();
            let by_address = |status: &Value| status["uri"] == json!(words);
            let found = |status: &Value| by_address(status) || contains(status, &words);
            let Answer::Whole { body, .. } = listed(world, asked, found, Value::clone) else { return Answer::Never };
            let statuses: Value = serde_json::from_slice(&body).expect("JSON");
            Answer::json(200, json!({ "accounts": [], "hashtags": [], "statuses": statuses }))
        }
        ("GET", "/api/v1/statuses") if !world.gives_many => Answer::json(404, json!({ "error": "Not Found" })),
        ("GET", "/api/v1/statuses") => {
            let ids = asked.parameters("id[]");
            assert!(ids.len() <= 20, "the server refuses more than 20");
            Answer::json(200, json!(ids.iter().filter_map(|id| with_id(id)).collect::<Vec<_>>()))
        }
        ("GET", path) if path.starts_with("/api/v1/statuses/") => {
            with_id(path.trim_start_matches("/api/v1/statuses/")).map_or(not_found, |status| Answer::json(200, status))
        }
        ("POST", "/api/v1/statuses") => {
            let body = asked.json();
            let mut sent = status(999, body["status"].as_str().unwrap_or_default());
            sent["account"] = me();
            sent["visibility"] = body["visibility"].clone();
            Answer::json(200, sent)
        }
        ("DELETE", path) => {
            with_id(path.trim_start_matches("/api/v1/statuses/")).map_or(not_found, |status| Answer::json(200, status))
        }
        _ => not_found,
    }
}

/// A list as Mastodon gives it: the newest first, at most 40, with a link to the next page.
fn listed(world: &World, asked: &Asked, belongs: impl Fn(&Value) -> bool, shown: impl Fn(&Value) -> Value) -> Answer {
    let number = |id: &str| id.parse::<u64>().unwrap_or_default();
    let after = asked.parameter("since_id").map_or(0, number);
    let below = asked.parameter("max_id").map_or(u64::MAX, number);
    let limit = asked.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20).min(40);
    let mut found: Vec<&Value> = world.statuses.iter().filter(|status| belongs(status)).collect();
    found.sort_by_key(|status| std::cmp::Reverse(id_of(status)));
    found.retain(|status| id_of(status) > after && id_of(status) < below);
    found.truncate(limit);
    let answer = Answer::json(200, json!(found.iter().map(|status| shown(status)).collect::<Vec<_>>()));
    match found.last() {
        // Search has no such links.
        Some(last) if !asked.path.ends_with("/search") => {
            let link = format!(
                "<http://x.example{}?limit=40&max_id={}>; rel=\"next\", <http://x.example/?min_id=9>; rel=\"prev\"",
                asked.path,
                id_of(last)
            );
            answer.with("Link", &link)
        }
        _ => answer,
    }
}

fn id_of(status: &Value) -> u64 {
    status["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default()
}

fn contains(status: &Value, words: &str) -> bool {
    status["content"].as_str().unwrap_or_default().contains(words)
}

fn me() -> Value {
    json!({ "id": ME, "acct": "destek", "username": "destek", "display_name": "Destek", "url": "https://burada.example/@destek", "uri": "https://burada.example/users/destek" })
}

/// A status that names us, `number` seconds after noon.
fn status(number: i64, text: &str) -> Value {
    let noon: Timestamp = "2026-11-20T11:00:00Z".parse().expect("a time");
    let at = noon + SignedDuration::from_secs(number);
    json!({
        "id": (1000 + number).to_string(), "uri": format!("https://ornek.example/users/ayse/statuses/{}", 5000 + number),
        "url": format!("https://ornek.example/@ayse/{}", 5000 + number), "created_at": at.to_string(), "edited_at": null,
        "content": format!("<p>{text}</p>"), "spoiler_text": "", "visibility": "public", "language": "tr",
        "in_reply_to_id": null, "in_reply_to_account_id": null, "reblog": null, "media_attachments": [],
        "mentions": [{ "id": ME, "username": "destek", "acct": "destek", "url": "https://burada.example/@destek" }],
        "account": { "id": "7", "acct": "ayse@ornek.example", "username": "ayse", "display_name": "Ayşe", "followers_count": 12,
            "url": "https://ornek.example/@ayse", "uri": "https://ornek.example/users/ayse" },
    })
}

fn own(number: i64, text: &str) -> Value {
    let mut status = status(number, text);
    status["account"] = me();
    status["uri"] = json!(format!("https://burada.example/users/destek/statuses/{}", 1000 + number));
    status["mentions"] = json!([]);
    status
}

fn stream(kind: StreamKind, query: &str) -> Stream {
    Stream { kind, query: query.to_owned() }
}

fn mentions() -> Stream {
    stream(StreamKind::Mentions, "")
}

fn told(batch: &Batch) -> Vec<String> {
    batch
        .changes
        .iter()
        .map(|change| match change {
            Change::Seen(incoming) => format!("seen {}", incoming.text),
            Change::Edited(incoming) => format!("edited {}", incoming.text),
            Change::Deleted(id) => format!("deleted {id}"),
        })
        .collect()
}

async fn poll(connector: &dyn Connector, stream: &Stream, after: Option<&Cursor>) -> Batch {
    connector.poll(stream, after, Timestamp::MAX).await.expect("a batch")
}

/// Polls until nothing waits.
async fn settle(connector: &dyn Connector, stream: &Stream, after: Option<Cursor>) -> (Vec<String>, Cursor) {
    let (mut all, mut cursor) = (Vec::new(), after);
    loop {
        let batch = poll(connector, stream, cursor.as_ref()).await;
        all.extend(told(&batch));
        cursor = Some(batch.next.clone());
        if !batch.more {
            return (all, batch.next);
        }
    }
}

#[tokio::test]
async fn recorded_notifications_become_messages() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/mastodon/notifications.json")).expect("JSON");
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/api/v1/notifications" => Answer::json(200, recorded.clone()),
        "/api/v1/accounts/verify_credentials" => Answer::json(200, me()),
        _ => Answer::json(404, json!({ "error": "Record not found" })),
    })
    .await;
    let connector = connect(&account(Network::Mastodon, &server.url, "gizli")).expect("a connector");
    let batch = poll(&*connector, &mentions(), None).await;
    let asked = server.asked();
    let asked = asked.iter().find(|asked| asked.path == "/api/v1/notifications").expect("a request");
    assert_eq!(asked.parameters("types[]"), ["mention", "quote"]);
    assert_eq!(asked.header("authorization"), Some("Bearer gizli"));
    let server = server.url.authority().to_owned();
    let told = json!({
        "changes": batch.changes,
        "unparsed": batch.unparsed.iter().map(|unparsed| &unparsed.reason).collect::<Vec<_>>(),
        "complete_up_to": batch.complete_up_to,
    });
    // The port is another one each time.
    let told: Value = serde_json::from_str(&told.to_string().replace(&server, "burada.example")).expect("JSON");
    insta::assert_json_snapshot!(told);
}

#[tokio::test]
async fn streams_are_the_mentions_our_own_posts_and_each_search_once() {
    let names: Vec<String> = Fake::start().await.connector().streams().iter().map(Stream::name).collect();
    assert_eq!(names, ["mentions", "own", "search:#marka", "search:marka adı"]);
}

#[tokio::test]
async fn after_an_outage_the_newest_come_at_once_and_the_gap_is_named_until_it_is_filled() {
    let fake = Fake::start().await;
    fake.add(status(1, "önce"));
    let connector = fake.connector();
    let (_, cursor) = settle(&*connector, &mentions(), None).await;
    for number in 2..=100 {
        fake.add(status(number, &format!("sonra {number}")));
    }
    let first = poll(&*connector, &mentions(), Some(&cursor)).await;
    assert_eq!(told(&first).first().map(String::as_str), Some("seen sonra 61"));
    assert_eq!(told(&first).last().map(String::as_str), Some("seen sonra 100"));
    let gap = first.filling.clone().expect("a gap");
    assert_eq!(gap.from.map(|time| time.to_string()).as_deref(), Some("2026-11-20T11:00:01Z"));
    assert_eq!(gap.until.map(|time| time.to_string()).as_deref(), Some("2026-11-20T11:01:01Z"));
    assert!(first.more && first.complete_up_to.is_none());

    // A worker that dies here begins again with the cursor that was stored, also when newer ones came.
    fake.add(status(101, "sonra 101"));
    let connector = fake.connector();
    let (rest, cursor) = settle(&*connector, &mentions(), Some(first.next)).await;
    assert_eq!(rest.len(), 60, "{rest:?}");
    assert!(rest.contains(&"seen sonra 2".to_owned()) && rest.contains(&"seen sonra 101".to_owned()), "{rest:?}");
    let last = poll(&*connector, &mentions(), Some(&cursor)).await;
    assert!(last.filling.is_none() && !last.more && last.changes.is_empty());
    assert_eq!(last.complete_up_to.map(|time| time.to_string()).as_deref(), Some("2026-11-20T11:59:59Z"));
}

#[rstest]
#[case::together(true)]
#[case::one_by_one(false)]
#[tokio::test]
async fn edits_and_deletions_of_what_was_read_are_noticed(#[case] gives_many: bool) {
    let fake = Fake::start().await;
    fake.change(|world| world.gives_many = gives_many);
    let (count, polls) = if gives_many { (60, 4) } else { (12, 3) };
    for number in 1..=count {
        fake.add(status(number, &format!("mesaj {number}")));
    }
    let connector = fake.connector();
    let (_, mut cursor) = settle(&*connector, &mentions(), None).await;
    fake.change(|world| {
        // Two of the newest, two long past them.
        let gone = [1000 + count - 2, 1003];
        world.statuses.retain(|status| !gone.contains(&(id_of(status) as i64)));
        for id in [1000 + count - 1, 1005] {
            let status = world.statuses.iter_mut().find(|status| id_of(status) as i64 == id).expect("a status");
            status["edited_at"] = json!("2026-11-20T11:30:00Z");
            status["content"] = json!(format!("<p>düzeltildi {id}</p>"));
        }
    });
    let mut told_all = Vec::new();
    for _ in 0..polls {
        let batch = poll(&*connector, &mentions(), Some(&cursor)).await;
        told_all.extend(told(&batch));
        assert!(batch.next.0.len() < 8192);
        cursor = batch.next;
    }
    told_all.sort();
    let mut expected = [
        "deleted 1003".to_owned(),
        format!("deleted {}", 1000 + count - 2),
        "edited düzeltildi 1005".to_owned(),
        format!("edited düzeltildi {}", 1000 + count - 1),
    ];
    expected.sort();
    assert_eq!(told_all, expected);
}

#[tokio::test]
async fn a_server_that_is_away_deletes_nothing() {
    let fake = Fake::start().await;
    fake.add(status(1, "burada"));
    let connector = fake.connector();
    let (_, cursor) = settle(&*connector, &mentions(), None).await;
    fake.change(|world| {
        world.statuses.clear();
        world.away = true;
    });
    let batch = poll(&*connector, &mentions(), Some(&cursor)).await;
    assert!(batch.changes.is_empty(), "{:?}", told(&batch));
    fake.change(|world| world.away = false);
    let batch = poll(&*connector, &mentions(), Some(&batch.next)).await;
    assert_eq!(told(&batch), ["deleted 1001"]);
}

#[tokio::test]
async fn a_search_finds_what_was_indexed_late_and_tells_nothing_twice() {
    for query in ["#marka", "marka adı"] {
        let fake = Fake::start().await;
        let search = stream(StreamKind::Search, query);
        for number in [100, 300, 500] {
            fake.add(status(number, &format!("#marka marka adı {number}")));
        }
        let connector = fake.connector();
        let (first, cursor) = settle(&*connector, &search, None).await;
        assert_eq!(first.len(), 3);
        fake.add(status(200, "#marka marka adı geç"));
        fake.add(status(600, "#marka marka adı yeni"));
        let (second, cursor) = settle(&*connector, &search, Some(cursor)).await;
        assert_eq!(second, ["seen #marka marka adı geç", "seen #marka marka adı yeni"], "{query}");
        let batch = poll(&*connector, &search, Some(&cursor)).await;
        assert!(batch.changes.is_empty() && !batch.more, "{query}: {:?}", told(&batch));
        assert_eq!(
            batch.complete_up_to.map(|time| time.to_string()).as_deref(),
            Some("2026-11-20T11:45:00Z"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_busy_search_leaves_no_hole_after_an_outage() {
    let fake = Fake::start().await;
    let search = stream(StreamKind::Search, "#marka");
    fake.add(status(0, "#marka ilk"));
    let connector = fake.connector();
    let (_, cursor) = settle(&*connector, &search, None).await;
    for number in 1..=450 {
        fake.add(status(number * 10, &format!("#marka {number}")));
    }
    let first = poll(&*connector, &search, Some(&cursor)).await;
    assert!(first.filling.is_some() && first.more);
    let (rest, _) = settle(&*connector, &search, Some(first.next.clone())).await;
    let mut all = told(&first);
    all.extend(rest);
    all.retain(|told| told.starts_with("seen #marka ") && !told.ends_with("ilk"));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 450);
}

#[tokio::test]
async fn what_we_write_in_the_networks_own_app_is_ours() {
    let fake = Fake::start().await;
    fake.add(status(1, "soru"));
    let mut answer = own(2, "cevap");
    answer["in_reply_to_id"] = json!("1001");
    answer["in_reply_to_account_id"] = json!("7");
    fake.add(answer);
    let batch = poll(&*fake.connector(), &stream(StreamKind::Own, ""), None).await;
    let [Change::Seen(incoming)] = &batch.changes[..] else { panic!("{:?}", told(&batch)) };
    assert!(incoming.author.is_us);
    assert_eq!(
        (incoming.kind, incoming.in_reply_to.as_deref(), incoming.text.as_str()),
        (Kind::Reply, Some("1001"), "cevap")
    );
    assert_eq!(incoming.author.handle, "@destek@burada.example");
}

#[tokio::test]
async fn pages_in_a_circle_end_in_an_error() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v1/accounts/verify_credentials" => Answer::json(200, me()),
        "/api/v1/notifications" => {
            let notification =
                json!({ "id": "9", "type": "mention", "created_at": "2026-11-20T11:00:00Z", "status": status(1, "a") });
            Answer::json(200, json!([notification])).with("link", "<http://x.example/?max_id=5>; rel=\"next\"")
        }
        _ => Answer::json(404, json!({ "error": "Record not found" })),
    })
    .await;
    let connector = connect(&account(Network::Mastodon, &server.url, "gizli")).expect("a connector");
    let batch = poll(&*connector, &mentions(), None).await;
    assert!(batch.more);
    let error = connector.poll(&mentions(), Some(&batch.next), Timestamp::MAX).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::Malformed(_)), "{error:?}");
}

fn outgoing(fake: &Fake, text: &str, reply_to: Option<(&str, &str, Visibility)>) -> Outgoing {
    let at: Timestamp = "2026-11-20T11:00:00Z".parse().expect("a time");
    Outgoing {
        key: "0123456789abcdef0123456789abcdef".to_owned(),
        created_at: at,
        due_at: at,
        called_at: at,
        text: text.to_owned(),
        reply_to: reply_to.map(|(id, acct, visibility)| ReplyTo {
            remote_id: "https://ornek.example/users/ayse/statuses/5001".to_owned(),
            handle: format!("@{acct}"),
            data: json!({ "server": fake.server.url.authority(), "id": id, "acct": acct, "visibility": visibility }),
        }),
        continues: None,
        visibility: Visibility::Public,
        language: Some("tr-TR".to_owned()),
    }
}

async fn send(fake: &Fake, message: &Outgoing) -> (Result<Receipt, ConnectorError>, Prepared) {
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let prepared = publisher.prepare(message, None).await.expect("prepared");
    (publisher.publish(message, &prepared).await, prepared)
}

fn sent(fake: &Fake) -> Asked {
    fake.server.asked().into_iter().rev().find(|asked| asked.method == "POST").expect("a call")
}

#[rstest]
#[case::unnamed("Bakıyoruz.", "@ayse@ornek.example Bakıyoruz.")]
#[case::named("Merhaba @Ayse@Ornek.Example, bakıyoruz.", "Merhaba @Ayse@Ornek.Example, bakıyoruz.")]
#[case::somebody_of_that_name_here("@ayse bakıyoruz.", "@ayse@ornek.example @ayse bakıyoruz.")]
#[tokio::test]
async fn an_answer_names_who_is_answered(#[case] text: &str, #[case] expected: &str) {
    let fake = Fake::start().await;
    let message = outgoing(&fake, text, Some(("1001", "ayse@ornek.example", Visibility::Public)));
    let (receipt, _) = send(&fake, &message).await;
    assert_eq!(receipt.expect("a receipt").local_id.as_deref(), Some("1999"));
    let sent = sent(&fake);
    assert_eq!(sent.header("idempotency-key"), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(
        sent.json(),
        json!({ "status": expected, "visibility": "public", "in_reply_to_id": "1001", "language": "tr" })
    );
}

#[rstest]
#[case(Visibility::Public, Visibility::Public, "public")]
#[case(Visibility::Unlisted, Visibility::Public, "unlisted")]
#[case(Visibility::Followers, Visibility::Public, "private")]
#[case(Visibility::Direct, Visibility::Public, "direct")]
#[case(Visibility::Public, Visibility::Direct, "direct")]
#[case(Visibility::Direct, Visibility::Unlisted, "direct")]
#[tokio::test]
async fn an_answer_is_shown_to_no_more_people_than_what_it_answers(
    #[case] answered: Visibility,
    #[case] wanted: Visibility,
    #[case] expected: &str,
) {
    let fake = Fake::start().await;
    let message =
        Outgoing { visibility: wanted, ..outgoing(&fake, "evet", Some(("1001", "ayse@ornek.example", answered))) };
    send(&fake, &message).await.0.expect("a receipt");
    assert_eq!(sent(&fake).json()["visibility"], json!(expected));
}

#[tokio::test]
async fn an_answer_to_what_another_server_saw_finds_it_by_its_address() {
    let fake = Fake::start().await;
    fake.add(status(1, "soru"));
    let mut message = outgoing(&fake, "evet", Some(("77", "ayse@ornek.example", Visibility::Public)));
    message.reply_to.as_mut().expect("an answer").data["server"] = json!("baska.example");
    send(&fake, &message).await.0.expect("a receipt");
    assert_eq!(sent(&fake).json()["in_reply_to_id"], json!("1001"));
    fake.change(|world| world.statuses.clear());
    let connector = fake.connector();
    let error = connector.publisher().expect("a publisher").prepare(&message, None).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::Rejected(_)), "{error:?}");
}

#[tokio::test]
async fn the_key_and_text_are_the_same_however_often_it_is_prepared() {
    let fake = Fake::start().await;
    let message = outgoing(&fake, "evet", Some(("1001", "ayse@ornek.example", Visibility::Public)));
    let (_, prepared) = send(&fake, &message).await;
    let stored: Prepared = serde_json::from_str(&serde_json::to_string(&prepared).expect("JSON")).expect("prepared");
    let connector = fake.connector();
    let again = connector.publisher().expect("a publisher").prepare(&message, Some(stored)).await.expect("prepared");
    assert_eq!(again, prepared);
}

#[rstest]
#[case(422, json!({ "error": "Validation failed: Text character limit of 500 exceeded" }), "Rejected")]
#[case(404, json!({ "error": "The post you are trying to reply to does not appear to exist." }), "Rejected")]
#[case(403, json!({ "error": "This action is not allowed" }), "Rejected")]
#[case(401, json!({ "error": "The access token was revoked" }), "Unauthorized")]
#[case(409, json!({ "error": "conflict" }), "Unconfirmed")]
#[case(503, json!({ "error": "down" }), "Unconfirmed")]
#[tokio::test]
async fn a_refusal_is_told_from_an_unclear_end(#[case] status: u16, #[case] body: Value, #[case] expected: &str) {
    let said = body["error"].as_str().unwrap_or_default().to_owned();
    let server = Server::start(move |asked| match asked.method.as_str() {
        "POST" => Answer::json(status, body.clone()),
        _ => Answer::json(200, me()),
    })
    .await;
    let connector = connect(&account(Network::Mastodon, &server.url, "gizli")).expect("a connector");
    let publisher = connector.publisher().expect("a publisher");
    let fake = Fake { server, world: Arc::default() };
    let message = outgoing(&fake, "duyuru", None);
    let prepared = publisher.prepare(&message, None).await.expect("prepared");
    let error = publisher.publish(&message, &prepared).await.expect_err("an error");
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    assert!(error.to_string().contains(&said), "{error}");
}

#[tokio::test]
async fn our_own_posts_are_read_back_by_author_text_and_target() {
    let fake = Fake::start().await;
    let shown = "<span class=\"h-card\"><a href=\"https://ornek.example/@ayse\" class=\"u-url mention\">@<span>ayse</span></a></span> Takip: <a href=\"https://kargo.example/t?no=1\"><span class=\"invisible\">https://</span><span>kargo.example/t?no=1</span></a>";
    let mut answer = own(60, shown);
    answer["in_reply_to_id"] = json!("1001");
    fake.add(answer);
    for number in 100..200 {
        fake.add(own(number, "başka"));
    }
    let text = "Takip:  https://kargo.example/t?no=1";
    let message = outgoing(&fake, text, Some(("1001", "ayse@ornek.example", Visibility::Public)));
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let prepared = publisher.prepare(&message, None).await.expect("prepared");
    let find = async |message: &Outgoing, since: &str| {
        let prepared = publisher.prepare(message, None).await.expect("prepared");
        publisher.find(message, &prepared, since.parse().expect("a time"), &[]).await.expect("a read")
    };
    let found = publisher
        .find(&message, &prepared, "2026-11-20T11:00:30Z".parse().expect("a time"), &[])
        .await
        .expect("a read");
    assert_eq!(found.and_then(|receipt| receipt.local_id).as_deref(), Some("1060"));
    let taken = ["https://burada.example/users/destek/statuses/1060".to_owned()];
    let another = publisher.find(&message, &prepared, "2026-11-20T11:00:30Z".parse().expect("a time"), &taken).await;
    assert_eq!(another.expect("a read"), None, "it is another delivery's");
    assert_eq!(find(&message, "2026-11-20T11:02:00Z").await, None, "made before it was sent");
    let other_target = outgoing(&fake, text, Some(("1002", "ayse@ornek.example", Visibility::Public)));
    assert_eq!(find(&other_target, "2026-11-20T11:00:00Z").await, None);
    let other_text = outgoing(&fake, "Takip: yok", Some(("1001", "ayse@ornek.example", Visibility::Public)));
    assert_eq!(find(&other_text, "2026-11-20T11:00:00Z").await, None);
}

/// Our status of that number, as the part before of a thread.
fn part(number: i64) -> Receipt {
    Receipt {
        remote_id: format!("https://burada.example/users/destek/statuses/{}", 1000 + number),
        local_id: Some((1000 + number).to_string()),
        url: None,
    }
}

#[tokio::test]
async fn the_next_part_of_a_thread_answers_the_one_before_and_names_nobody() {
    let fake = Fake::start().await;
    fake.add(own(1, "1/2"));
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    connector.who_am_i().await.expect("who we are");
    let message = Outgoing { continues: Some(part(1)), ..outgoing(&fake, "2/2", None) };
    assert_eq!(publisher.lane(&message), "posts");
    assert_eq!(publisher.measure(&message).used, 3);
    let asked = fake.server.asked().len();
    let ready = publisher.ready(&message, None).expect("nothing is asked of the network");
    assert_eq!(fake.server.asked().len(), asked);
    publisher.publish(&message, &ready).await.expect("a receipt");
    let expected = json!({ "status": "2/2", "visibility": "public", "in_reply_to_id": "1001", "language": "tr" });
    assert_eq!(sent(&fake).json(), expected);
    // The part before it keeps its place, whatever is known of it later.
    let again = publisher.prepare(&Outgoing { continues: None, ..message.clone() }, Some(ready.clone())).await;
    assert_eq!(again.expect("prepared"), ready);
    // By its address, where its id is not known.
    let addressed = |number| Receipt { local_id: None, ..part(number) };
    let message = Outgoing { continues: Some(addressed(1)), ..message };
    assert_eq!(publisher.ready(&message, None), None);
    send(&fake, &message).await.0.expect("a receipt");
    assert_eq!(sent(&fake).json()["in_reply_to_id"], json!("1001"));
    let gone = Outgoing { continues: Some(addressed(2)), ..message };
    let error = publisher.prepare(&gone, None).await.expect_err("an error");
    assert!(matches!(&error, ConnectorError::Rejected(said) if said.contains("post this one on its own")), "{error:?}");
}

#[tokio::test]
async fn a_part_whose_part_before_is_gone_says_what_to_do() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "POST" => {
            Answer::json(404, json!({ "error": "The post you are trying to reply to does not appear to exist." }))
        }
        _ => Answer::json(200, me()),
    })
    .await;
    let fake = Fake { server, world: Arc::default() };
    let message = Outgoing { continues: Some(part(1)), ..outgoing(&fake, "2/2", None) };
    let error = send(&fake, &message).await.0.expect_err("an error");
    let ConnectorError::Rejected(said) = &error else { panic!("{error:?}") };
    assert!(said.contains("not on the network any more") && said.contains("post this one on its own"), "{said}");
}

#[tokio::test]
async fn a_part_of_a_thread_is_read_back_by_the_part_before_it() {
    let fake = Fake::start().await;
    let mut second = own(60, "devamı");
    second["in_reply_to_id"] = json!("1001");
    fake.add(second);
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let find = async |before: Option<Receipt>| {
        let message = Outgoing { continues: before, ..outgoing(&fake, "devamı", None) };
        let prepared = publisher.prepare(&message, None).await.expect("prepared");
        let found = publisher.find(&message, &prepared, message.created_at, &[]).await.expect("a read");
        found.and_then(|receipt| receipt.local_id)
    };
    assert_eq!(find(Some(part(1))).await.as_deref(), Some("1060"));
    assert_eq!(find(Some(part(2))).await, None, "it continues another");
    assert_eq!(find(None).await, None, "it stands alone");
    // The part before was deleted since: the server forgot what was answered.
    fake.change(|world| world.statuses[0]["in_reply_to_id"] = Value::Null);
    assert_eq!(find(Some(part(1))).await.as_deref(), Some("1060"));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_proves_no_absence() {
    let fake = Fake::start().await;
    fake.add(own(60, "bir"));
    fake.change(|world| world.statuses[0]["content"] = json!(7));
    let message = outgoing(&fake, "iki", None);
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let prepared = publisher.prepare(&message, None).await.expect("prepared");
    let error = publisher.find(&message, &prepared, message.created_at, &[]).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::Malformed(_)), "{error:?}");
    // More of our own posts than are read back, and all of them later than the message.
    fake.change(|world| world.statuses = (1..=1100).map(|number| own(number, "başka")).collect());
    let error = publisher.find(&message, &prepared, message.created_at, &[]).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_gone_is_deleted() {
    let fake = Fake::start().await;
    fake.add(own(1, "duyuru"));
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let receipt = |id: &str| Receipt {
        remote_id: format!("https://burada.example/{id}"),
        local_id: Some(id.to_owned()),
        url: None,
    };
    publisher.delete(&receipt("1001")).await.expect("deleted");
    publisher.delete(&receipt("4711")).await.expect("was gone already");
    assert_eq!(fake.server.asked().iter().filter(|asked| asked.method == "DELETE").count(), 2);
    let nameless = Receipt { local_id: None, ..receipt("1") };
    assert!(matches!(publisher.delete(&nameless).await, Err(ConnectorError::Rejected(_))));
}

#[tokio::test]
async fn length_is_counted_as_the_server_does_with_its_own_limits() {
    let fake = Fake::start().await;
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    let family = "👨‍👩‍👧‍👦";
    let post = |text: &str| outgoing(&fake, text, None);
    assert_eq!(publisher.measure(&post(&family.repeat(500))), Length { used: 500, limit: 500 });
    assert!(!publisher.measure(&post(&family.repeat(501))).fits());
    assert_eq!(publisher.measure(&post("https://ornek.example/uzun/bir/adres")).used, 23);
    connector.who_am_i().await.expect("a profile");
    assert_eq!(publisher.measure(&post("https://ornek.example/uzun/bir/adres")), Length { used: 30, limit: 1000 });
    // The name put before the answer counts, its server does not.
    let answer = outgoing(&fake, "evet", Some(("1001", "ayse@ornek.example", Visibility::Public)));
    assert_eq!(publisher.measure(&answer).used, "@ayse evet".len());
}

#[tokio::test]
async fn direct_answers_have_a_lane_of_their_own() {
    let fake = Fake::start().await;
    let connector = fake.connector();
    let publisher = connector.publisher().expect("a publisher");
    assert_eq!(publisher.lane(&outgoing(&fake, "a", None)), "posts");
    assert_eq!(publisher.lane(&outgoing(&fake, "a", Some(("1", "Ayse@ornek.example", Visibility::Public)))), "posts");
    let direct = outgoing(&fake, "a", Some(("1", "Ayse@ornek.example", Visibility::Direct)));
    assert_eq!(publisher.lane(&direct), "direct:ayse@ornek.example");
}

#[rstest]
#[case(401, "Unauthorized")]
#[case(403, "Unauthorized")]
#[case(422, "Unauthorized")]
#[case(500, "Unavailable")]
#[tokio::test]
async fn an_account_that_is_locked_needs_a_person(#[case] status: u16, #[case] expected: &str) {
    let server =
        Server::start(move |_| Answer::json(status, json!({ "error": "Your login is currently disabled" }))).await;
    let connector = connect(&AccountSettings {
        call_timeout: Duration::from_secs(2),
        ..account(Network::Mastodon, &server.url, "gizli")
    })
    .expect("a connector");
    let error = connector.who_am_i().await.expect_err("an error");
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
}

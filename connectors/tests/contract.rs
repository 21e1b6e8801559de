//! What every network's connector promises, asked of each of them in the same way.

use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::{
    AccountSettings, Change, Connector, ConnectorError, Cursor, Network, Outgoing, ReplyTo, Stream, StreamKind,
    Visibility, connect,
};
use serde_json::{Value, json};
use url::Url;

use crate::support::{Answer, Asked, Server, account, nobody};

/// A message on the faked network.
#[derive(Debug, Clone)]
pub struct Item {
    pub number: usize,
    pub text: String,
    /// As the author's server claims, or as seconds for networks that write those.
    pub date: String,
    pub seconds: i64,
    /// Something in it is not of the shape that it should have.
    pub broken: bool,
}

/// One network, as the contract needs to know it.
pub trait Subject: Sync {
    fn name(&self) -> &'static str;
    fn network(&self) -> Network;
    fn token(&self) -> &'static str;
    /// The stream that people's messages to us come by.
    fn stream(&self) -> Stream;
    /// The network's answer when all is well and `items` (the oldest first) are there.
    fn answer(&self, asked: &Asked, items: &[Item]) -> Answer;
    fn is_reading(&self, asked: &Asked) -> bool;
    fn is_sending(&self, asked: &Asked) -> bool;
    /// What [`ReplyTo::data`] is for a message of this network.
    fn reply_data(&self, url: &Url) -> Value;
    /// The network's own way to say that the credentials are wrong.
    fn unauthorized(&self) -> Answer {
        Answer::json(401, json!({ "error": "The access token is invalid" }))
    }

    fn connector(&self, url: &Url, call_timeout: Duration) -> Box<dyn Connector> {
        let settings = AccountSettings { call_timeout, ..account(self.network(), url, self.token()) };
        connect(&settings).unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }
}

pub struct Mastodon;

impl Mastodon {
    fn status(item: &Item) -> Value {
        let content = match item.broken {
            true => json!({ "not": "text" }),
            false => json!(format!("<p>{}</p>", item.text)),
        };
        json!({
            "id": Self::id(item), "uri": format!("https://ornek.example/users/ayse/statuses/{}", Self::id(item)),
            "url": format!("https://ornek.example/@ayse/{}", Self::id(item)), "created_at": item.date, "edited_at": null,
            "content": content, "spoiler_text": "", "visibility": "public", "language": "tr", "in_reply_to_id": null,
            "in_reply_to_account_id": null, "mentions": [{ "id": "1", "acct": "destek" }], "media_attachments": [], "reblog": null,
            "account": { "id": "7", "acct": "ayse@ornek.example", "display_name": "Ayşe", "url": "https://ornek.example/@ayse" },
        })
    }

    fn id(item: &Item) -> String {
        format!("{}", 100_000 + item.number)
    }
}

impl Subject for Mastodon {
    fn name(&self) -> &'static str {
        "mastodon"
    }

    fn network(&self) -> Network {
        Network::Mastodon
    }

    fn token(&self) -> &'static str {
        "mastodon-secret-token"
    }

    fn stream(&self) -> Stream {
        Stream { kind: StreamKind::Mentions, query: String::new() }
    }

    fn answer(&self, asked: &Asked, items: &[Item]) -> Answer {
        if asked.path.ends_with("/verify_credentials") {
            let me = json!({ "id": "1", "acct": "destek", "display_name": "Destek", "url": "https://burada.example/@destek" });
            return Answer::json(200, me);
        }
        if asked.path.ends_with("/instance") {
            return Answer::json(200, json!({ "domain": "burada.example" }));
        }
        if asked.path == "/api/v1/statuses" && asked.method == "GET" {
            let ids = asked.parameters("id[]");
            let found: Vec<Value> =
                items.iter().filter(|item| ids.contains(&Self::id(item).as_str())).map(Self::status).collect();
            return Answer::json(200, json!(found));
        }
        if self.is_sending(asked) {
            let sent = Item {
                number: 900_000,
                text: asked.json()["status"].as_str().unwrap_or_default().to_owned(),
                ..item(0)
            };
            return Answer::json(200, Self::status(&sent));
        }
        let limit: usize = asked.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20);
        let after = asked.parameter("since_id").unwrap_or("0").to_owned();
        let below = asked.parameter("max_id").unwrap_or("999999").to_owned();
        let page: Vec<&Item> =
            items.iter().rev().filter(|item| Self::id(item) > after && Self::id(item) < below).take(limit).collect();
        let notifications: Vec<Value> = page
            .iter()
            .map(|item| {
                let seen = "2026-11-20T11:00:00.000Z";
                json!({ "id": Self::id(item), "type": "mention", "created_at": seen, "status": Self::status(item) })
            })
            .collect();
        let answer = Answer::json(200, json!(notifications));
        match page.last() {
            Some(last) => {
                let next = format!("<https://x.example/api/v1/notifications?max_id={}>; rel=\"next\"", Self::id(last));
                answer.with("link", &next)
            }
            None => answer,
        }
    }

    fn is_reading(&self, asked: &Asked) -> bool {
        asked.path == "/api/v1/notifications"
    }

    fn is_sending(&self, asked: &Asked) -> bool {
        asked.path == "/api/v1/statuses" && asked.method == "POST"
    }

    fn reply_data(&self, url: &Url) -> Value {
        json!({ "server": url.authority(), "id": "100001", "acct": "ayse@ornek.example", "visibility": "public" })
    }
}

pub struct Telegram;

impl Subject for Telegram {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn network(&self) -> Network {
        Network::Telegram
    }

    fn token(&self) -> &'static str {
        "4711:telegram-secret-token"
    }

    fn stream(&self) -> Stream {
        Stream { kind: StreamKind::Messages, query: String::new() }
    }

    fn answer(&self, asked: &Asked, items: &[Item]) -> Answer {
        let body = asked.json();
        let bot = json!({ "id": 4711, "is_bot": true, "first_name": "Destek", "username": "destek_bot" });
        let result = match asked.path.rsplit('/').next().unwrap_or_default() {
            "getMe" => bot,
            "getUpdates" => {
                let from = body["offset"].as_u64().unwrap_or(0) as usize;
                let limit = body["limit"].as_u64().unwrap_or(100) as usize;
                let page = items.iter().filter(|item| item.number >= from).take(limit).map(|item| {
                    let text = if item.broken { json!(["not", "text"]) } else { json!(item.text) };
                    let person = json!({ "id": 7, "is_bot": false, "first_name": "Ayşe", "username": "ayse", "language_code": "tr" });
                    json!({ "update_id": item.number, "message": {
                        "message_id": item.number, "date": item.seconds, "text": text, "from": person,
                        "chat": { "id": 7, "type": "private", "first_name": "Ayşe", "username": "ayse" },
                    }})
                });
                json!(page.collect::<Vec<_>>())
            }
            "sendMessage" => {
                let chat = json!({ "id": 7, "type": "private", "first_name": "Ayşe" });
                json!({ "message_id": 900_000, "date": 1_795_158_300, "text": body["text"], "from": bot, "chat": chat })
            }
            _ => return Answer::json(404, json!({ "ok": false, "error_code": 404, "description": "Not Found" })),
        };
        Answer::json(200, json!({ "ok": true, "result": result }))
    }

    fn is_reading(&self, asked: &Asked) -> bool {
        asked.path.ends_with("/getUpdates")
    }

    fn is_sending(&self, asked: &Asked) -> bool {
        asked.path.ends_with("/sendMessage")
    }

    fn reply_data(&self, _: &Url) -> Value {
        json!({ "chat": 7, "message": 1, "topic": null })
    }

    fn unauthorized(&self) -> Answer {
        Answer::json(401, json!({ "ok": false, "error_code": 401, "description": "Unauthorized" }))
    }
}

/// Every network that is asked.
fn subjects() -> Vec<&'static dyn Subject> {
    vec![&Mastodon, &Telegram, &crate::bluesky::Bluesky, &crate::matrix::Matrix]
}

pub fn item(number: usize) -> Item {
    let seconds = 1_795_158_300 + number as i64;
    let date = Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default();
    Item { number, text: format!("mesaj {number}"), date, seconds, broken: false }
}

fn items(numbers: std::ops::RangeInclusive<usize>) -> Vec<Item> {
    numbers.map(item).collect()
}

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

/// A server where reading or sending goes wrong, and all else is well.
async fn server(
    subject: &'static dyn Subject,
    items: Vec<Item>,
    wrong: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked| wrong(asked).unwrap_or_else(|| subject.answer(asked, &items))).await
}

fn outgoing(subject: &dyn Subject, url: &Url) -> Outgoing {
    let at: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
    Outgoing {
        key: "0123456789abcdef0123456789abcdef".to_owned(),
        created_at: at,
        due_at: at,
        called_at: at,
        text: "Hemen bakıyoruz.".to_owned(),
        reply_to: Some(ReplyTo {
            remote_id: "https://ornek.example/users/ayse/statuses/100001".to_owned(),
            handle: "@ayse@ornek.example".to_owned(),
            data: subject.reply_data(url),
        }),
        continues: None,
        visibility: Visibility::Public,
        language: Some("tr".to_owned()),
    }
}

async fn publish(
    subject: &dyn Subject,
    url: &Url,
    timeout: Duration,
) -> Result<muhatap_connectors::Receipt, ConnectorError> {
    let connector = subject.connector(url, timeout);
    let message = outgoing(subject, url);
    let publisher = connector.publisher().expect("a network that publishes");
    let prepared = publisher.prepare(&message, None).await?;
    publisher.publish(&message, &prepared).await
}

/// Polls until nothing is left; the texts of what was seen, in order.
async fn read_all(connector: &dyn Connector, stream: &Stream, cursor: Option<Cursor>) -> (Vec<String>, Cursor) {
    read_since(connector, stream, cursor, Timestamp::MAX).await
}

async fn read_since(
    connector: &dyn Connector,
    stream: &Stream,
    mut cursor: Option<Cursor>,
    asked_at: Timestamp,
) -> (Vec<String>, Cursor) {
    let mut texts = Vec::new();
    loop {
        let batch = connector.poll(stream, cursor.as_ref(), asked_at).await.expect("a batch");
        texts.extend(batch.changes.into_iter().filter_map(|change| match change {
            Change::Seen(incoming) => Some(incoming.text),
            _ => None,
        }));
        assert!(batch.next.0.len() <= 8192, "a cursor of {} bytes", batch.next.0.len());
        cursor = Some(batch.next.clone());
        if !batch.more {
            return (texts, batch.next);
        }
    }
}

/// However many they are, and although the first poll comes long after the stream was asked for.
#[tokio::test]
async fn what_came_in_since_a_stream_was_asked_for_is_read_whole() {
    for subject in subjects() {
        let all = items(1..=1_500);
        let asked_at = Timestamp::from_second(all[0].seconds).expect("a time");
        let server = server(subject, all.clone(), |_| None).await;
        let connector = subject.connector(&server.url, LONG);
        let (texts, _) = read_since(&*connector, &subject.stream(), None, asked_at).await;
        let missing: Vec<&Item> = all.iter().filter(|item| !texts.contains(&item.text)).collect();
        assert!(missing.is_empty(), "{}: {} are missing", subject.name(), missing.len());
    }
}

#[tokio::test]
async fn everything_is_read_and_the_cursor_goes_on_where_it_was() {
    for subject in subjects() {
        let all = items(1..=230);
        let first = server(subject, all[..215].to_vec(), |_| None).await;
        let (texts, cursor) = read_all(&*subject.connector(&first.url, LONG), &subject.stream(), None).await;
        let mut sorted = texts.clone();
        sorted.sort_by_key(|text| text.trim_start_matches("mesaj ").parse::<usize>().unwrap_or_default());
        let expected: Vec<String> = all[..215].iter().map(|item| item.text.clone()).collect();
        assert_eq!(sorted, expected, "{}", subject.name());

        let second = server(subject, all, |_| None).await;
        let connector = subject.connector(&second.url, LONG);
        let (texts, cursor) = read_all(&*connector, &subject.stream(), Some(cursor)).await;
        let expected: Vec<String> = (216..=230).map(|number| format!("mesaj {number}")).collect();
        assert_eq!(texts, expected, "{}", subject.name());
        let (texts, _) = read_all(&*connector, &subject.stream(), Some(cursor)).await;
        assert!(texts.is_empty(), "{}: {texts:?}", subject.name());
    }
}

#[tokio::test]
async fn one_page_comes_the_oldest_first_and_says_up_to_when_it_is_complete() {
    for subject in subjects() {
        let server = server(subject, items(1..=3), |_| None).await;
        let batch =
            subject.connector(&server.url, LONG).poll(&subject.stream(), None, Timestamp::MAX).await.expect("a batch");
        let (texts, _) = read_all(&*subject.connector(&server.url, LONG), &subject.stream(), None).await;
        assert_eq!(texts, ["mesaj 1", "mesaj 2", "mesaj 3"], "{}", subject.name());
        if !batch.more {
            assert!(batch.complete_up_to.is_some(), "{}", subject.name());
        }
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    for subject in subjects() {
        let server = Server::start(|_| subject.unauthorized()).await;
        let connector = subject.connector(&server.url, LONG);
        let error = connector.who_am_i().await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Unauthorized(_)), "{}: {error:?}", subject.name());
        let error = connector.poll(&subject.stream(), None, Timestamp::MAX).await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Unauthorized(_)), "{}: {error:?}", subject.name());
        assert_secret_is_kept(subject, &error);
    }
}

#[tokio::test]
async fn a_429_is_obeyed_before_anything_is_asked_again() {
    for subject in subjects() {
        let server = server(subject, items(1..=3), |asked| {
            subject
                .is_reading(asked)
                .then(|| Answer::json(429, json!({ "error": "Too many requests" })).with("retry-after", "17"))
        })
        .await;
        let connector = subject.connector(&server.url, LONG);
        for _ in 0..2 {
            let error = connector.poll(&subject.stream(), None, Timestamp::MAX).await.expect_err("an error");
            let ConnectorError::RateLimited(wait) = error else { panic!("{}: {error:?}", subject.name()) };
            assert!((15..=17).contains(&wait.as_secs()), "{}: {wait:?}", subject.name());
        }
        let asked = server.asked().iter().filter(|asked| subject.is_reading(asked)).count();
        assert_eq!(asked, 1, "{}", subject.name());
    }
}

#[tokio::test]
async fn a_429_to_a_message_says_that_nothing_was_sent() {
    for subject in subjects() {
        let server = server(subject, items(1..=1), |asked| {
            subject
                .is_sending(asked)
                .then(|| Answer::json(429, json!({ "error": "Too many requests" })).with("retry-after", "30"))
        })
        .await;
        let error = publish(subject, &server.url, LONG).await.expect_err("an error");
        assert!(
            matches!(error, ConnectorError::RateLimited(wait) if wait.as_secs() == 30),
            "{}: {error:?}",
            subject.name()
        );
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_later() {
    for subject in subjects() {
        for answer in [
            Answer::text(500, "oops"),
            Answer::text(502, "<html>"),
            Answer::json(503, json!({})),
            Answer::Never,
            Answer::Reset,
            Answer::Endless,
            Answer::Cut,
        ] {
            let wrong = answer.clone();
            let server =
                server(subject, items(1..=3), move |asked| subject.is_reading(asked).then(|| wrong.clone())).await;
            let poll =
                async { subject.connector(&server.url, SHORT).poll(&subject.stream(), None, Timestamp::MAX).await };
            let error = tokio::time::timeout(LONG, poll).await.expect("an end").expect_err("an error");
            assert!(matches!(error, ConnectorError::Unavailable(_)), "{}: {answer:?}: {error:?}", subject.name());
            assert_secret_is_kept(subject, &error);
        }
    }
}

#[tokio::test]
async fn an_unclear_end_of_sending_is_told_as_unclear() {
    for subject in subjects() {
        let broken = [
            Answer::text(500, "oops"),
            Answer::text(502, "<html>"),
            Answer::json(503, json!({})),
            Answer::json(408, json!({})),
            Answer::json(418, json!({})),
            Answer::text(200, ""),
            Answer::text(200, "{\"id\":"),
            Answer::json(200, json!({})),
            Answer::json(200, json!([])),
            Answer::text(200, "<html>thank you</html>"),
            Answer::Whole { status: 200, headers: Vec::new(), body: vec![b' '; 10 * 1024 * 1024] },
            Answer::Never,
            Answer::Reset,
            Answer::Endless,
            Answer::Cut,
        ];
        for answer in broken {
            let wrong = answer.clone();
            let server =
                server(subject, items(1..=3), move |asked| subject.is_sending(asked).then(|| wrong.clone())).await;
            let error = tokio::time::timeout(LONG, publish(subject, &server.url, SHORT))
                .await
                .expect("an end")
                .expect_err("an error");
            assert!(matches!(error, ConnectorError::Unconfirmed(_)), "{}: {answer:?}: {error:?}", subject.name());
            assert_secret_is_kept(subject, &error);
            let calls = server.asked().iter().filter(|asked| subject.is_sending(asked)).count();
            assert_eq!(calls, 1, "{}: {answer:?}: made more than once", subject.name());
        }
    }
}

#[tokio::test]
async fn a_message_is_never_redirected() {
    for subject in subjects() {
        let elsewhere = Server::start(|_| Answer::json(200, json!({}))).await;
        let target = elsewhere.url.to_string();
        let server = server(subject, items(1..=1), move |asked| {
            subject.is_sending(asked).then(|| Answer::json(307, json!({})).with("location", &target))
        })
        .await;
        let error = publish(subject, &server.url, LONG).await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Unconfirmed(_)), "{}: {error:?}", subject.name());
        assert!(elsewhere.asked().is_empty(), "{}", subject.name());
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    for subject in subjects() {
        let url = nobody().await;
        let connector = subject.connector(&url, SHORT);
        let error = connector.poll(&subject.stream(), None, Timestamp::MAX).await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Unavailable(_)), "{}: {error:?}", subject.name());
        assert_secret_is_kept(subject, &error);

        // Prepared while the server was there, published when it was gone.
        let server = server(subject, items(1..=1), |_| None).await;
        let message = outgoing(subject, &server.url);
        let connector = subject.connector(&server.url, SHORT);
        let publisher = connector.publisher().expect("a publisher");
        let prepared = publisher.prepare(&message, None).await.expect("prepared");
        let url = server.url.clone();
        drop(server);
        // The port is closed once the task has let go of it.
        while tokio::net::TcpStream::connect((url.host_str().unwrap_or_default(), url.port().unwrap_or_default()))
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
        let error = publisher.publish(&message, &prepared).await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Unavailable(_)), "{}: {error:?}", subject.name());
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_too_large_is_told_as_such() {
    for subject in subjects() {
        let bodies = [b"{\"broken\":".to_vec(), b"<html>".to_vec(), Vec::new(), vec![b'['; 10 * 1024 * 1024]];
        for body in bodies {
            let answer = Answer::Whole { status: 200, headers: Vec::new(), body };
            let server =
                server(subject, items(1..=3), move |asked| subject.is_reading(asked).then(|| answer.clone())).await;
            let error = subject
                .connector(&server.url, LONG)
                .poll(&subject.stream(), None, Timestamp::MAX)
                .await
                .expect_err("an error");
            assert!(matches!(error, ConnectorError::Malformed(_)), "{}: {error:?}", subject.name());
            assert!(error.to_string().len() < 500, "{}: {error}", subject.name());
        }
    }
}

#[tokio::test]
async fn one_broken_item_does_not_sink_its_batch() {
    for subject in subjects() {
        let mut all = items(1..=3);
        all[1].broken = true;
        let server = server(subject, all, |_| None).await;
        let connector = subject.connector(&server.url, LONG);
        let batch = connector.poll(&subject.stream(), None, Timestamp::MAX).await.expect("a batch");
        assert_eq!(batch.changes.len(), 2, "{}", subject.name());
        assert_eq!(batch.unparsed.len(), 1, "{}", subject.name());
        assert!(!batch.unparsed[0].reason.is_empty() && batch.unparsed[0].raw.contains("text"), "{}", subject.name());
    }
}

#[tokio::test]
async fn a_message_with_an_impossible_date_is_kept_with_a_possible_one() {
    for subject in subjects() {
        let mut all = items(1..=4);
        for (item, (date, seconds)) in all.iter_mut().zip([
            ("0001-01-01T00:00:00.000Z", -62_135_596_800),
            ("30000-01-01T00:00:00.000Z", 884_541_340_800),
            ("yesterday", i64::MAX),
        ]) {
            item.date = date.to_owned();
            item.seconds = seconds;
        }
        let server = server(subject, all, |_| None).await;
        let batch =
            subject.connector(&server.url, LONG).poll(&subject.stream(), None, Timestamp::MAX).await.expect("a batch");
        assert_eq!(batch.changes.len(), 4, "{}: {:?}", subject.name(), batch.unparsed);
        for change in batch.changes {
            let Change::Seen(incoming) = change else { panic!("{}: {change:?}", subject.name()) };
            assert!(incoming.published_at.to_string().starts_with("2026-11-20T"), "{}: {incoming:?}", subject.name());
        }
    }
}

#[tokio::test]
async fn hostile_text_stays_text() {
    for subject in subjects() {
        let mut all = items(1..=3);
        all[0].text = "merhaba\0dünya".to_owned();
        all[1].text = "\u{202E}مرحبا بكم".to_owned();
        all[2].text = format!("uzun {}", "a".repeat(150_000));
        let server = server(subject, all, |_| None).await;
        let (texts, _) = read_all(&*subject.connector(&server.url, LONG), &subject.stream(), None).await;
        assert_eq!(texts[0].matches('\0').count(), 0, "{}", subject.name());
        assert!(texts[0].starts_with("merhaba") && texts[0].ends_with("dünya"), "{}: {:?}", subject.name(), texts[0]);
        assert_eq!(texts[1], "\u{202E}مرحبا بكم", "{}", subject.name());
        assert_eq!(texts[2].chars().count(), 100_000, "{}", subject.name());
    }
}

#[tokio::test]
async fn a_cursor_from_nowhere_loses_nothing() {
    for subject in subjects() {
        let server = server(subject, items(1..=3), |_| None).await;
        let cursor = Cursor("{\"from\":\"another version\"".to_owned());
        let (texts, _) = read_all(&*subject.connector(&server.url, LONG), &subject.stream(), Some(cursor)).await;
        assert_eq!(texts.len(), 3, "{}", subject.name());
    }
}

#[tokio::test]
async fn what_was_sent_is_proved_by_its_id_and_prepared_once() {
    for subject in subjects() {
        let server = server(subject, items(1..=1), |_| None).await;
        let connector = subject.connector(&server.url, LONG);
        let message = outgoing(subject, &server.url);
        let publisher = connector.publisher().expect("a publisher");
        let prepared = publisher.prepare(&message, None).await.expect("prepared");
        let again = publisher.prepare(&message, Some(prepared.clone())).await.expect("prepared");
        assert_eq!(prepared, again, "{}", subject.name());
        let receipt = publisher.publish(&message, &prepared).await.expect("a receipt");
        assert!(receipt.remote_id.contains("900000") || !receipt.remote_id.is_empty(), "{}", subject.name());
        assert!(publisher.measure(&message).fits() && publisher.measure(&message).used > 0, "{}", subject.name());
        assert!(!publisher.lane(&message).is_empty(), "{}", subject.name());
        let calls: Vec<Asked> = server.asked().into_iter().filter(|asked| subject.is_sending(asked)).collect();
        assert_eq!(calls.len(), 1, "{}", subject.name());
        assert!(calls[0].header("user-agent").is_some_and(|agent| agent.starts_with("Muhatap/")), "{}", subject.name());
    }
}

#[tokio::test]
async fn building_a_connector_asks_nobody_and_missing_settings_are_named() {
    for subject in subjects() {
        let server = Server::start(|_| Answer::Never).await;
        let connector = subject.connector(&server.url, LONG);
        assert!(connector.streams().contains(&subject.stream()), "{}", subject.name());
        assert!(server.asked().is_empty(), "{}", subject.name());
        let user = Some("destek.example".to_owned());
        let complete = AccountSettings { user, ..account(subject.network(), &server.url, subject.token()) };
        let mut settings = complete.clone();
        settings.token = None;
        let error = connect(&settings).err().expect("an error");
        assert!(
            matches!(&error, ConnectorError::Settings(said) if said.contains("token")),
            "{}: {error}",
            subject.name()
        );
        let mut settings = complete;
        settings.base_url = Url::parse("ftp://ornek.example").ok();
        let error = connect(&settings).err().expect("an error");
        assert!(
            matches!(&error, ConnectorError::Settings(said) if said.contains("base_url")),
            "{}: {error}",
            subject.name()
        );
    }
}

fn assert_secret_is_kept(subject: &dyn Subject, error: &ConnectorError) {
    let said = format!("{error} {error:?}");
    assert!(!said.contains(subject.token()), "{}: {said}", subject.name());
}

//! The JSON API through a real connection: every answer is checked against the OpenAPI description that it serves.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use jiff::civil::time;
use jiff::{SignedDuration, Timestamp};
use muhatap::app::App;
use muhatap::compose::{self, PostRequest};
use muhatap::config::{AccountConfig, Config, DigestConfig, NetworkName, SecretSource};
use muhatap::model::{AccountId, DeliveryState, Health, Network, Role, Scope};
use muhatap::store::contacts::NewContact;
use muhatap::store::deliveries::{DeliveryFilter, DeliveryOrder};
use muhatap::store::users::{NewToken, NewUser};
use muhatap::web::api;
use muhatap::web::credentials::{hash_of, hash_password};
use muhatap_connectors::{Change, Incoming, Stream, StreamKind, Unparsed};
use muhatap_simulator::{Options, Simulator};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::messages::{account, author, batch, lease, message, minutes_later, noon};
use crate::support::running::Running;
use crate::support::{Backend, Database, eventually};

const JSON_LINES: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// The API on a port of its own, over a database of its own.
struct Api {
    app: Arc<App>,
    address: SocketAddr,
    client: reqwest::Client,
    description: Value,
    /// Bearer token of every call, where there is one.
    token: Mutex<Option<String>>,
    database: Database,
}

/// An answer that was found to be what the description says.
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    #[track_caller]
    fn refused(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:muhatap:{kind}"), "{problem}");
        assert!(!problem["detail"].as_str().unwrap_or_default().is_empty());
        problem
    }
}

impl Api {
    async fn start(backend: Backend) -> Api {
        Self::start_on(backend, "127.0.0.1:8080").await
    }

    /// `listen` is what the configuration says; the tests reach it on loopback all the same.
    async fn start_on(backend: Backend, listen: &str) -> Api {
        Self::start_with(backend, |config| config.console.listen = listen.parse().expect("an address")).await
    }

    async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Api {
        let database = Database::fresh(backend).await;
        let mut config = Config::default();
        config.database.url = database.url.clone();
        config.data_dir = Some(database.dir().to_owned());
        change(&mut config);
        let app = App::open(config).await.expect("the app opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        // The whole router, as people run it: the console stands around the API.
        let router = muhatap::web::router(app.clone());
        let shutdown = app.shutdown.clone();
        tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await.expect("it serves");
        });
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let description = client
            .get(format!("http://{address}/api/v1/openapi.json"))
            .bearer_auth(made_token(&app, "description", Scope::Read).await)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("the description is JSON");
        Api { app, address, client, description, token: Mutex::new(None), database }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match self.token.lock().expect("no test panicked").as_deref() {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// Imports a file: `what` is `mentions` or `contacts` with its query.
    async fn import(&self, what: &str, kind: &str, file: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, &format!("/api/v1/imports/{what}"));
        self.send(request.header("content-type", kind).body(file)).await
    }

    /// Sends, and checks the answer against the description.
    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.expect("an answer");
        let status = response.status();
        let headers = response.headers().clone();
        let text = String::from_utf8(response.bytes().await.expect("a body").to_vec()).expect("UTF-8");
        let answer = Answer { status: status.as_u16(), headers, text };
        self.check(&method, &path, &answer);
        answer
    }

    #[track_caller]
    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let where_ = format!("{method} {path} -> {} {kind}", answer.status);
        assert!(answer.headers.contains_key("content-security-policy"), "{where_}: security headers");
        assert_eq!(answer.headers.get("x-content-type-options").map(|value| value.as_bytes()), Some(&b"nosniff"[..]));
        let operation = self.operation(method, path);
        let Some(operation) = operation else {
            // What the description does not know is refused, in the form every refusal has.
            assert!([404, 405].contains(&answer.status) || answer.status == 401 || answer.status == 421, "{where_}");
            self.fits(&json!({"$ref": "#/components/schemas/Problem"}), &answer.json(), &where_);
            return;
        };
        let responses = &operation["responses"];
        let stated = match responses.get(answer.status.to_string()) {
            Some(stated) => stated,
            None => {
                assert!(answer.status >= 400, "{where_}: a success that is not described");
                &responses["default"]
            }
        };
        if stated["content"].is_null() {
            assert!(answer.text.is_empty(), "{where_}: a body that is not described");
            return;
        }
        let content = &stated["content"][kind];
        assert!(content.is_object(), "{where_}: the content type is not described: {stated}");
        if kind.ends_with("json") {
            self.fits(&content["schema"], &answer.json(), &where_);
        }
    }

    /// The operation of the description that a call belongs to; a fixed path wins over one with a parameter.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let given: Vec<&str> = path.split('/').collect();
        let paths = self.description["paths"].as_object().expect("paths");
        let mut fitting: Vec<(usize, &Value)> = paths
            .iter()
            .filter_map(|(template, item)| {
                let parts: Vec<&str> = template.split('/').collect();
                let fits = parts.len() == given.len()
                    && parts.iter().zip(&given).all(|(part, given)| part == given || part.starts_with('{'));
                fits.then(|| (parts.iter().filter(|part| part.starts_with('{')).count(), item))
            })
            .collect();
        fitting.sort_by_key(|(parameters, _)| *parameters);
        fitting.first().and_then(|(_, item)| item.get(method.as_str().to_lowercase()))
    }

    #[track_caller]
    fn fits(&self, schema: &Value, instance: &Value, where_: &str) {
        let mut schema = schema.clone();
        schema["components"] = self.description["components"].clone();
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{where_}: the schema is broken: {error}"));
        let errors: Vec<String> =
            validator.iter_errors(instance).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert!(errors.is_empty(), "{where_}: {errors:#?}\n{instance:#}");
    }

    async fn use_token(&self, scope: Scope) {
        let value = made_token(&self.app, &format!("{scope} of the test"), scope).await;
        *self.token.lock().expect("no test panicked") = Some(value);
    }

    /// An account that may send.
    async fn connected(&self, name: &str) -> AccountId {
        let secret = self.database.dir().join("token");
        std::fs::write(&secret, "gizli").expect("a file can be written");
        let config = AccountConfig {
            name: name.to_owned(),
            network: NetworkName(Network::Mastodon),
            brand: "Marka".to_owned(),
            base_url: Some("https://network.example".parse().expect("a URL")),
            user: None,
            token: Some(SecretSource::File(secret)),
            listen_for: Vec::new(),
            poll_seconds: 30,
            timezone: None,
        };
        self.app.put_account(&config, "console").await.expect("an account can be added")
    }

    /// An account with a few mentions.
    async fn with_mentions(&self) -> AccountId {
        let account = self.connected("destek").await;
        let texts =
            ["Kargom gelmedi, rezalet", "=HYPERLINK(\"http://evil.example\")", "Teşekkürler, harika", "fiyat nedir?"];
        let messages = texts.iter().enumerate().map(|(number, text)| {
            Change::Seen(Incoming {
                author: author(&format!("https://network.example/users/{number}"), &format!("kisi{number}")),
                published_at: minutes_later(noon(), number as i64),
                ..message(&number.to_string(), text)
            })
        });
        let lease = lease(&self.app.store, account).await;
        self.app.store.record(&lease, &batch(messages)).await.expect("messages can be stored");
        account
    }

    async fn user(&self, name: &str, role: Role) -> String {
        let user = NewUser {
            name: name.to_owned(),
            password_hash: hash_password("uzun bir parola".to_owned()).await,
            role,
            language: "tr".to_owned(),
            timezone: None,
        };
        self.app.store.add_user(&user, "cli").await.expect("a user").to_string()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
    }
}

async fn made_token(app: &App, name: &str, scope: Scope) -> String {
    let value = format!("muhatap_test_{name}");
    let token = NewToken { name: name.to_owned(), token_hash: hash_of(&value), scopes: vec![scope], expires_at: None };
    app.store.add_token(&token, "cli").await.expect("a token");
    value
}

#[rstest]
#[tokio::test]
async fn mentions_are_listed_read_and_worked_on(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    let account = api.with_mentions().await;
    let page = api.get("/api/v1/mentions?limit=3").await.json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(3));
    let next = page["next"].as_str().expect("another page follows");
    let rest = api.get(&format!("/api/v1/mentions?limit=3&cursor={next}")).await.json();
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["next"], Value::Null);
    let found = api.get("/api/v1/mentions?search=KARGO&state=open&assignee=none&sentiment=negative").await.json();
    let all = api.get(&format!("/api/v1/mentions?search=kargo&account_id={account}&network=mastodon")).await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    assert!(found["items"].as_array().is_some_and(|items| items.len() <= 1));
    let mention = &all["items"][0];
    let about = api.get("/api/v1/mentions?topic=delivery&urgency=none").await.json();
    assert_eq!((&about["items"][0], &about["items"][0]["topics"]), (mention, &json!(["kargo"])));
    assert_eq!(api.get("/api/v1/mentions?urgency=high").await.json()["items"], json!([]));
    api.get("/api/v1/mentions?topic=nothing").await.refused(422, "invalid");
    let id = mention["id"].as_str().expect("an id");
    assert_eq!(api.get(&format!("/api/v1/mentions/{id}")).await.json(), *mention);
    let thread = api.get(&format!("/api/v1/mentions/{id}/thread")).await.json();
    let conversation = thread["id"].as_str().expect("an id").to_owned();
    assert_eq!(thread["messages"][0]["direction"], "incoming");

    let at = format!("/api/v1/conversations/{conversation}");
    assert_eq!(api.get(&at).await.json()["state"], "open");
    let until = (api.app.store.clock() + SignedDuration::from_hours(1)).to_string();
    let snoozed = api.post(&format!("{at}/state"), json!({"state": "snoozed", "snoozed_until": until})).await.json();
    assert_eq!(snoozed["state"], "snoozed");
    api.post(&format!("{at}/state"), json!({"state": "snoozed"})).await.refused(422, "invalid");
    api.post(&format!("{at}/state"), json!({"state": "snoozed", "snoozed_until": "2001-01-01T00:00:00Z"}))
        .await
        .refused(422, "invalid");
    api.post(&format!("{at}/state"), json!({"state": "open", "snoozed_until": until})).await.refused(422, "invalid");
    assert_eq!(api.post(&format!("{at}/state"), json!({"state": "done"})).await.json()["state"], "done");
    let user = api.user("Ayşe", Role::Agent).await;
    let taken = api.post(&format!("{at}/assignee"), json!({"assignee_id": user, "claim": 0})).await.json();
    assert_eq!((&taken["assignee"]["name"], &taken["claim"]), (&json!("Ayşe"), &json!(1)));
    let late = api.post(&format!("{at}/assignee"), json!({"assignee_id": null, "claim": 0})).await;
    assert!(late.refused(409, "conflict")["detail"].as_str().is_some_and(|detail| detail.contains("Ayşe")));
    let note = api.post(&format!("{at}/notes"), json!({"text": " müşteriyi arayın "})).await;
    assert_eq!((note.status, &note.json()["text"]), (201, &json!("müşteriyi arayın")));
    api.post(&format!("{at}/notes"), json!({"text": "  "})).await.refused(422, "invalid");
    assert_eq!(api.get("/api/v1/inbox/counts").await.json()["done"], 1);
    let hours = api.get("/api/v1/sentiment/hours?since=2026-11-20T00:00:00Z&until=2026-11-21T00:00:00Z").await.json();
    assert_eq!(hours["items"][0]["mentions"], 4);
    let account_view = api.get(&format!("/api/v1/accounts/{account}")).await.json();
    assert_eq!(account_view["streams"][0]["name"], "mentions");
    assert_eq!(api.get("/api/v1/accounts").await.json()["items"][0]["name"], "destek");
    let analysis = api.post("/api/v1/analyze", json!({"text": "kargom gelmedi"})).await.json();
    assert!(analysis["tokens"].as_array().is_some_and(|tokens| tokens.len() == 2));
}

#[tokio::test]
async fn the_digest_is_read_before_it_is_sent() {
    let api = Api::start(Backend::Sqlite).await;
    api.get("/api/v1/digest").await.refused(404, "not-found");
    let api = Api::start_with(Backend::Sqlite, |config| {
        config.digest = Some(DigestConfig {
            to: vec!["ekip@example.com".into()],
            at: time(8, 30, 0, 0),
            days: Vec::new(),
            timezone: None,
            language: Some("en".into()),
        });
    })
    .await;
    let digest = api.get("/api/v1/digest").await.json();
    assert!(digest["subject"].as_str().is_some_and(|subject| subject.ends_with(" · 0 mentions")), "{digest}");
    let next: Timestamp = digest["next_at"].as_str().expect("a time").parse().expect("a time");
    assert!(next > api.app.store.clock(), "{digest}");
    assert_eq!(next.in_tz("Europe/Istanbul").expect("a bundled zone").time(), time(8, 30, 0, 0));
}

#[rstest]
#[tokio::test]
async fn a_person_corrects_what_a_mention_is_and_takes_it_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let before = api.get("/api/v1/mentions?search=harika").await.json()["items"][0].clone();
    assert_eq!((&before["sentiment"]["label"], &before["correction"]), (&json!("positive"), &Value::Null));
    let at = format!("/api/v1/mentions/{}/correction", before["id"].as_str().expect("an id"));
    let put = |body: Value| api.send(api.request(Method::PUT, &at).json(&body));

    put(json!({})).await.refused(422, "invalid");
    put(json!({"intents": []})).await.refused(422, "invalid");
    put(json!({"sentiment": "angry"})).await.refused(422, "invalid");
    put(json!({"intents": ["complaint", "complaint"]})).await.refused(422, "invalid");
    put(json!({"intents": ["complaint", "other"]})).await.refused(422, "invalid");
    put(json!({"mood": "negative"})).await.refused(422, "invalid");
    let body = json!({"sentiment": "negative", "intents": ["complaint", "request"]});
    let corrected = put(body.clone()).await.json();
    assert_eq!(
        (&corrected["sentiment"]["label"], &corrected["intents"][1]["label"]),
        (&json!("negative"), &json!("request"))
    );
    assert_eq!(corrected["correction"]["said"]["sentiment"], before["sentiment"]);
    assert_eq!(put(body).await.json(), corrected, "the same again changes nothing");
    let listed = api.get("/api/v1/mentions?search=harika&sentiment=negative&intent=complaint").await.json();
    assert_eq!(listed["items"][0], corrected);
    let narrowed = api.get("/api/v1/mentions?corrected=true").await.json();
    assert_eq!(narrowed["items"], json!([corrected]));
    let csv = api.get("/api/v1/mentions?corrected=false&format=csv").await.text;
    assert!(!csv.contains(corrected["id"].as_str().expect("an id")), "{csv}");
    api.get("/api/v1/mentions?corrected=perhaps").await.refused(400, "malformed");
    let hours = "/api/v1/sentiment/hours?since=2026-11-20T00:00:00Z&until=2026-11-21T00:00:00Z";
    let negative = api.get(hours).await.json()["items"][0]["negative"].clone();
    let csv = api.get("/api/v1/mentions?search=harika&format=csv").await.text;
    assert!(csv.contains("said_sentiment") && csv.contains(",local,") && csv.contains(",positive,praise"), "{csv}");

    let page = api.get("/api/v1/corrections?language=tr&standing=counts&limit=1").await.json();
    let row = &page["items"][0];
    assert_eq!((&row["mention_id"], &row["text"]), (&before["id"], &before["text"]));
    assert_eq!((&row["brand"]["name"], &row["by"]), (&json!("Marka"), &json!("local")));
    assert_eq!((&row["sentiment"], &row["said"]["sentiment"]["label"]), (&json!("negative"), &json!("positive")));
    assert_eq!(page["next"], Value::Null);
    assert!(api.get("/api/v1/corrections?format=csv").await.text.contains("complaint; request"));

    let take_back = || api.send(api.request(Method::DELETE, &at));
    assert_eq!(take_back().await.json(), before);
    assert_eq!(take_back().await.json(), before, "twice is no error");
    assert_eq!(api.get("/api/v1/corrections").await.json()["items"], json!([]));
    assert_ne!(api.get(hours).await.json()["items"][0]["negative"], negative);

    let missing = "/api/v1/mentions/01JD3ZQ8M4W5Y6X7V8T9S0R1Q2/correction";
    let body = json!({"sentiment": "neutral"});
    api.send(api.request(Method::PUT, missing).json(&body)).await.refused(404, "not-found");
    api.use_token(Scope::Read).await;
    put(body.clone()).await.refused(403, "forbidden");
    assert_eq!(api.get("/api/v1/corrections").await.status, 200);
    api.use_token(Scope::Write).await;
    assert!(put(body).await.json()["correction"]["by"].as_str().is_some_and(|by| by.starts_with("token:")));
}

#[rstest]
#[tokio::test]
async fn a_reply_and_a_post_are_one_however_often_they_are_sent(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    let account = api.with_mentions().await;
    let mentions = api.get("/api/v1/mentions").await.json();
    let mention = mentions["items"][0]["id"].as_str().expect("an id");
    let at = format!("/api/v1/mentions/{mention}/replies");
    let first = api.post_keyed(&at, "anahtar-1", json!({"text": "Hemen bakıyoruz"})).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = api.post_keyed(&at, "anahtar-1", json!({"text": "Hemen bakıyoruz"})).await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    api.post_keyed(&at, "anahtar-1", json!({"text": "Başka bir yanıt"})).await.refused(422, "key-reused");
    let other = api.post_keyed(&at, "anahtar-2", json!({"text": "İkinci yanıt"})).await.refused(409, "another-reply");
    let over = other["subject_id"].as_str().expect("the other answer is named");
    let confirmed = api.post_keyed(&at, "anahtar-2", json!({"text": "İkinci yanıt", "confirm_over": over})).await;
    assert_eq!(confirmed.status, 201, "{}", confirmed.text);
    api.post(&at, json!({"text": ""})).await.refused(422, "invalid");
    api.post(&at, json!({"text": "x".repeat(2000)})).await.refused(422, "too-long");
    let view = api.get(&format!("/api/v1/mentions/{mention}/thread")).await.json();
    assert_eq!(view["messages"].as_array().map(Vec::len), Some(3));

    let due_at = (api.app.store.clock() + SignedDuration::from_hours(5)).to_string();
    let body = json!({"account_id": account, "text": "Yarın indirim var", "due_at": due_at});
    let post = api.post_keyed("/api/v1/posts", "gönderi".replace('ö', "o").as_str(), body.clone()).await;
    assert_eq!(post.status, 201, "{}", post.text);
    let id = post.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(api.post_keyed("/api/v1/posts", "gonderi", body.clone()).await.json()["id"], id);
    let twin = api.post_keyed("/api/v1/posts", "ikiz", body).await.refused(409, "near-duplicate");
    assert_eq!(twin["subject_id"], id);

    let keyless = json!({"account_id": account, "text": "Anahtarsız"});
    api.post_keyed("/api/v1/posts", "", keyless).await.refused(400, "malformed");
    let never = json!({"account_id": account, "text": "Hiçbir zaman", "due_at": "9999-12-31T23:59:59Z"});
    let never = api.post("/api/v1/posts", never).await.refused(422, "invalid");
    let detail = never["detail"].as_str().expect("what is wrong");
    assert!(detail.starts_with("due_at: the time is out of range: it lies between -"), "{detail}");

    let at = format!("/api/v1/deliveries/{id}");
    assert_eq!(api.get(&at).await.json()["calls"], json!([]));
    let later = (api.app.store.clock() + SignedDuration::from_hours(9)).to_string();
    assert_eq!(api.post(&format!("{at}/reschedule"), json!({"due_at": later})).await.status, 200);
    api.post(&format!("{at}/decide"), json!({"decision": "queue"})).await.refused(409, "conflict");
    let cancel = json!({"decision": "cancel", "url": "https://t.me/duyuru/5"});
    assert_eq!(api.post(&format!("{at}/decide"), cancel).await.refused(422, "invalid")["field"], "url");
    for wrong in ["javascript:alert(1)".to_owned(), "abc def".to_owned(), format!("https://t.me/{}", "x".repeat(2000))]
    {
        let sent = json!({"decision": "sent", "url": wrong});
        assert_eq!(api.post(&format!("{at}/decide"), sent).await.refused(422, "invalid")["field"], "url");
    }
    api.post(&format!("{at}/delete"), json!({})).await.refused(409, "conflict");
    let sooner = api.post(&format!("{at}/retry"), json!({})).await.json();
    assert_eq!((&sooner["state"], &sooner["standing"]["why"]), (&json!("queued"), &json!("no_worker")), "{sooner}");
    let asked = json!({"action": "retry", "ids": [id, id], "dry_run": true});
    let asked = api.post("/api/v1/deliveries/many", asked).await.json();
    assert_eq!((&asked["plan"]["spaced"], &asked["done"]), (&json!(1), &json!([])), "{asked}");
    let many = json!({"action": "cancel", "ids": [id, id, "01ARZ3NDEKTSV4RRFFQ69G5FAV"]});
    let acted = api.post("/api/v1/deliveries/many", many).await.json();
    assert_eq!((&acted["done"], acted["refused"].as_array().map(Vec::len)), (&json!([id]), Some(1)), "{acted}");
    let history = api.get(&at).await.json()["history"].clone();
    let actions: Vec<_> = history.as_array().into_iter().flatten().map(|line| line["action"].clone()).collect();
    assert_eq!(actions, ["delivery.enqueue", "delivery.move", "delivery.retry", "delivery.cancel"]);
    assert_eq!(api.post(&format!("{at}/cancel"), json!({})).await.json()["state"], "cancelled");
    let cancelled = api.get("/api/v1/deliveries?state=cancelled,failed&kind=post&order=earliest").await.json();
    assert_eq!(cancelled["items"].as_array().map(Vec::len), Some(1));
    let page = api.get("/api/v1/deliveries?limit=1").await.json();
    let next = page["next"].as_str().expect("another page");
    let second = api.get(&format!("/api/v1/deliveries?limit=2&cursor={next}")).await.json();
    assert_eq!(second["items"].as_array().map(Vec::len), Some(2));
    api.get("/api/v1/deliveries/counts").await;
    assert_eq!(api.post("/api/v1/sending/stop", json!({"reason": "kriz"})).await.json()["reason"], "kriz");
    assert_eq!(api.post("/api/v1/sending/resume", json!({})).await.json()["stopped_at"], Value::Null);
    assert_eq!(api.get("/api/v1/sending").await.json()["stopped_at"], Value::Null);
    let stop = json!({"scope": "account", "account_id": account, "reason": "kriz"});
    let stopped = api.post("/api/v1/sending/stop", stop.clone()).await.json();
    assert_eq!((&stopped["stopped_at"], &stopped["stops"][0]["scope"]), (&Value::Null, &json!("account")), "{stopped}");
    assert_eq!(stopped["stops"][0]["resume"]["held"], 0);
    api.post("/api/v1/sending/stop", json!({"scope": "app"})).await.refused(422, "invalid");
    api.post("/api/v1/sending/stop", json!({"scope": "all", "account_id": account})).await.refused(422, "invalid");
    let resumed = api.post("/api/v1/sending/resume", json!({"scope": "account", "account_id": account})).await.json();
    assert_eq!((&resumed["stops"], &resumed["released"]["held"]), (&json!([]), &json!(0)), "{resumed}");
    assert_eq!(api.get("/api/v1/workers").await.json(), json!([]));
    let measured = api.post(&format!("/api/v1/accounts/{account}/measure"), json!({"text": "ışık"})).await.json();
    assert_eq!((&measured["used"], &measured["fits"]), (&json!(4), &json!(true)));
    let paused = api.post(&format!("/api/v1/accounts/{account}/pause"), json!({"reason": "tatil"})).await.json();
    assert_eq!(paused["pause_reason"], "tatil");
    let resumed = api.post(&format!("/api/v1/accounts/{account}/resume"), json!({})).await.json();
    assert_eq!(resumed["paused_at"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn a_recurring_post_is_started_changed_paused_and_ended(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    let account = api.connected("destek").await;
    let at = "/api/v1/recurrences";
    let rule = json!({
        "frequency": "weekly", "weekdays": ["monday", "thursday"], "time": "09:30", "timezone": "Europe/Istanbul",
        "from": "2030-01-01", "times": 4,
    });
    let body = json!({ "rule": rule, "posts": [{ "account_id": account, "text": "Günaydın!" }] });
    let made = api.post_keyed(at, "r", body.clone()).await.json();
    let again = api.post_keyed(at, "r", body.clone()).await.json();
    assert_eq!(made["id"], again["id"]);
    assert_eq!(made["next"][0], "2030-01-03T06:30:00Z");
    assert_eq!((&made["state"], &made["missed"]), (&json!("active"), &json!("skip")));
    assert_eq!(api.get(at).await.json()["items"].as_array().map(Vec::len), Some(1));
    assert!(api.get(&format!("{at}?format=csv")).await.text.contains("weekly"));

    let one = format!("{at}/{}", made["id"].as_str().expect("an id"));
    let called = json!([{ "account_id": account, "text": "Bizi 0532 111 22 33 numarasından arayın" }]);
    let called = with(body.clone(), "posts", called);
    api.post(at, called.clone()).await.refused(422, "personal-data");
    api.send(api.request(Method::PUT, &one).json(&called)).await.refused(422, "personal-data");
    let confirmed = with(called, "confirm_personal_data", json!(true));
    let second = api.post(at, confirmed).await.json();
    let second = format!("{at}/{}", second["id"].as_str().expect("an id"));
    assert_eq!(api.post(&format!("{second}/end"), json!({})).await.json()["state"], "ended");
    let monthly = json!({
        "frequency": "monthly", "day": 31, "time": "10:00:00", "timezone": "Europe/Istanbul", "from": "2030-02-01",
    });
    let changed = with(body.clone(), "rule", monthly);
    let request = api.request(Method::PUT, &one).json(&with(changed, "missed", json!("ask")));
    let changed = api.send(request).await.json();
    assert_eq!((&changed["revision"], &changed["missed"]), (&json!(2), &json!("ask")));
    assert_eq!(changed["next"][0], "2030-02-28T07:00:00Z", "the last day of February");
    for (what, state) in [("pause", "paused"), ("resume", "active"), ("end", "ended")] {
        assert_eq!(api.post(&format!("{one}/{what}"), json!({})).await.json()["state"], state);
    }
    api.post(&format!("{one}/resume"), json!({})).await.refused(409, "conflict");
    let wrong = with(body.clone(), "rule", with(rule.clone(), "until", json!("2030-02-01")));
    api.post(at, wrong).await.refused(422, "invalid");
    api.post(at, with(body.clone(), "rule", with(rule, "timezone", json!("Mars/Olympus"))))
        .await
        .refused(422, "invalid");
    api.post(at, with(body, "posts", json!([]))).await.refused(422, "invalid");
    assert_eq!(api.get("/api/v1/audit").await.text.matches("recurrence.").count(), 7);
}

#[rstest]
#[tokio::test]
async fn a_batch_becomes_a_campaign_that_is_followed_and_stopped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    let (one, two) = (api.connected("destek").await, api.connected("magaza").await);
    let body = json!({
        "campaign": "Kış indirimi",
        "posts": [
            { "account_id": one, "text": "Kış geldi", "due_at": "2030-01-01T07:00:00Z" },
            { "account_id": two, "text": "Winter is here", "due_at": "2030-01-01T08:00:00Z" },
        ],
    });
    let made = api.post_keyed("/api/v1/posts/batch", "b", body.clone()).await.json();
    assert_eq!(api.post_keyed("/api/v1/posts/batch", "b", body.clone()).await.json(), made);
    let id = made["campaign_id"].as_str().expect("an id").to_owned();
    let third =
        json!({ "account_id": one, "text": "Son gün", "due_at": "2030-01-09T07:00:00Z", "campaign": "kış indirimi" });
    assert_eq!(api.post("/api/v1/posts", third).await.json()["campaign_id"], json!(id), "the same in other letters");
    let page = api.get(&format!("/api/v1/campaigns/{id}")).await.json();
    assert_eq!((&page["summary"], &page["posts"]), (&json!("0 of 3 out, 3 on the way"), &json!(3)));
    assert_eq!(page["deliveries"][1]["text"], "Winter is here");
    let narrowed = api.get(&format!("/api/v1/deliveries?campaign_id={id}")).await.json();
    assert_eq!(narrowed["items"].as_array().map(Vec::len), Some(3));

    let refused = api.post("/api/v1/posts/batch", body).await.refused(409, "near-duplicate");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.starts_with("account destek: ")), "{refused}");
    assert_eq!(refused["subject_id"], made["deliveries"][0]["id"]);
    assert_eq!(api.post(&format!("/api/v1/campaigns/{id}/cancel"), json!({})).await.json()["deliveries"], 3);
    assert_eq!(api.post(&format!("/api/v1/campaigns/{id}/delete"), json!({})).await.json()["deliveries"], 0);
    assert_eq!(api.get("/api/v1/campaigns").await.json()["items"][0]["dropped"], 3);
    let empty = api.post("/api/v1/posts/batch", json!({ "posts": [] })).await.refused(422, "invalid");
    assert_eq!(empty["field"], "posts");
    let nameless = json!({ "account_id": one, "text": "Bahar geldi", "campaign": " " });
    assert_eq!(api.post("/api/v1/posts", nameless).await.refused(422, "invalid")["field"], "campaign");

    let twins = json!({ "posts": [
        { "account_id": one, "text": "Yarın kapalıyız", "due_at": "2030-02-01T07:00:00Z" },
        { "account_id": one, "text": "Yarın kapalıyız!", "due_at": "2030-02-01T09:00:00Z" },
    ]});
    let asked = api.post("/api/v1/posts/batch", twins.clone()).await.refused(409, "near-duplicate");
    assert!(asked["detail"].as_str().is_some_and(|detail| detail.starts_with("posts 1 and 2 of the list")), "{asked}");
    let confirmed = api.post("/api/v1/posts/batch", with(twins, "confirm_duplicate", json!(true))).await.json();
    assert_eq!(confirmed["deliveries"].as_array().map(Vec::len), Some(2), "{confirmed}");
    let february = api.get("/api/v1/deliveries?since=2030-02-01T00:00:00Z").await.json();
    assert_eq!(february["items"].as_array().map(Vec::len), Some(2), "each is planned once");
}

#[rstest]
#[tokio::test]
async fn quiet_hours_are_set_and_ended_by_an_administrator(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    let account = api.connected("destek").await;
    let at = format!("/api/v1/accounts/{account}/quiet-hours");
    let put = |body: Value| api.send(api.request(Method::PUT, &at).json(&body));
    let post = json!({ "account_id": account, "text": "Gece haberi", "due_at": "2030-01-01T20:30:00Z" });
    let planned = api.post("/api/v1/posts", post).await.json();
    assert_eq!(api.get(&at).await.json()["hours"], Value::Null);
    let set = put(json!({ "hours": { "from": "22:00", "until": "08:00" } })).await.json();
    assert_eq!(set, json!({ "hours": { "from": "22:00:00", "until": "08:00:00" }, "moved_later": 1, "moved_back": 0 }));
    let moved = api.get(&format!("/api/v1/deliveries/{}", planned["id"].as_str().expect("an id"))).await.json();
    assert_eq!((&moved["due_at"], &moved["wanted_at"]), (&json!("2030-01-02T05:00:00Z"), &planned["due_at"]));
    for hours in [json!({ "from": "08:00", "until": "08:00" }), json!({ "from": "21:00:30", "until": "08:00" })] {
        put(json!({ "hours": hours })).await.refused(422, "invalid");
    }
    put(json!({})).await.refused(422, "invalid");
    let ended = put(json!({ "hours": null })).await.json();
    assert_eq!(ended, json!({ "hours": null, "moved_later": 0, "moved_back": 1 }));
    let back = api.get(&format!("/api/v1/deliveries/{}", planned["id"].as_str().expect("an id"))).await.json();
    assert_eq!((&back["due_at"], &back["wanted_at"]), (&planned["due_at"], &Value::Null));
    api.use_token(Scope::Write).await;
    put(json!({ "hours": null })).await.refused(403, "forbidden");
}

#[rstest]
#[tokio::test]
async fn other_creating_calls_are_done_once_for_their_key(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let mentions = api.get("/api/v1/mentions").await.json();
    let at =
        format!("/api/v1/conversations/{}/notes", mentions["items"][0]["conversation"]["id"].as_str().expect("an id"));
    let first = api.post_keyed(&at, "k", json!({"text": "not"})).await;
    let again = api.post_keyed(&at, "k", json!({"text": "not"})).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    api.post_keyed(&at, "k", json!({"text": "başka"})).await.refused(422, "key-reused");
    let view = api.get(at.trim_end_matches("/notes")).await.json();
    assert_eq!(view["notes"].as_array().map(Vec::len), Some(1));
    // A refusal had no effect: the key may be used for the mended request.
    api.post_keyed(&at, "m", json!({"text": ""})).await.refused(422, "invalid");
    assert_eq!(api.post_keyed(&at, "m", json!({"text": "oldu"})).await.status, 201);
    let many = futures_util::future::join_all(
        (0..8).map(|_| api.post_keyed(&at, "çok".replace('ç', "c").leak(), json!({"text": "bir kez"}))),
    )
    .await;
    assert!(many.iter().all(|answer| answer.status == 201 || answer.status == 409));
    let view = api.get(at.trim_end_matches("/notes")).await.json();
    assert_eq!(view["notes"].as_array().map(Vec::len), Some(3), "eight at once are one");
    let token = json!({"name": "rapor", "scopes": ["read"]});
    let made = api.post_keyed("/api/v1/tokens", "t", token.clone()).await;
    let value = made.json()["value"].as_str().expect("shown once").to_owned();
    let repeated = api.post_keyed("/api/v1/tokens", "t", token).await;
    repeated.refused(409, "conflict");
    assert!(!repeated.text.contains(&value));
    api.post_keyed(&at, &"x".repeat(300), json!({"text": "not"})).await.refused(400, "malformed");
}

#[rstest]
#[tokio::test]
async fn a_webhook_is_added_changed_tested_and_its_secret_shown_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.use_token(Scope::Admin).await;
    let new = json!({ "name": "crm", "url": "https://crm.example/in?key=gizli", "events": ["mention.complaint"] });
    let made = api.post_keyed("/api/v1/webhooks", "one", new.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (id, secret) = (made.json()["webhook"]["id"].clone(), made.json()["secret"].clone());
    let (id, secret) = (id.as_str().expect("an id"), secret.as_str().expect("a secret"));
    assert!(secret.starts_with("whsec_"));
    api.post_keyed("/api/v1/webhooks", "one", new.clone()).await.refused(409, "conflict");
    let path = format!("/api/v1/webhooks/{id}");
    let other = api.post(&format!("{path}/secret"), json!({})).await;
    assert_eq!(other.status, 200, "{}", other.text);
    assert_ne!(other.json()["secret"], secret);
    let change = json!({ "events": ["delivery.failed", "mention.deleted"] });
    let changed = api.send(api.request(Method::PATCH, &path).json(&change)).await;
    assert_eq!(changed.json()["events"], json!(["mention.deleted", "delivery.failed"]), "{}", changed.text);
    let event = api.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(event.status, 202, "{}", event.text);
    let events = api.get(&format!("{path}/events")).await;
    assert_eq!(events.json()[0]["kind"], "webhook.test", "{}", events.text);
    assert_eq!(events.json()[0]["id"], event.json()["id"]);
    let delivery = api.get(&format!("/api/v1/deliveries/{}", event.json()["id"].as_str().expect("an id"))).await;
    assert_eq!(delivery.json()["kind"], "webhook", "{}", delivery.text);
    let replayed = api.post(&format!("{path}/replay"), json!({})).await;
    assert_eq!(replayed.json()["replayed"], 0, "{}", replayed.text);
    let paused = api.post(&format!("{path}/pause"), json!({ "reason": "bakım" })).await;
    assert_eq!(paused.json()["pause_reason"], "bakım");
    assert!(api.post(&format!("{path}/resume"), json!({})).await.json()["paused_at"].is_null());
    api.get(&format!("/api/v1/accounts/{id}")).await.refused(404, "not-found");
    for page in ["/api/v1/webhooks", path.as_str(), "/api/v1/audit"] {
        let shown = api.get(page).await;
        assert_eq!(shown.status, 200, "{page}: {}", shown.text);
        assert!(!shown.text.contains("whsec_"), "{page}: {}", shown.text);
    }
    assert!(!api.get("/api/v1/webhooks").await.text.contains("gizli"), "nor the receiver's own secret");
    assert_eq!(api.get("/api/v1/accounts").await.json()["items"], json!([]));
    let private = json!({ "name": "ev", "url": "http://192.168.1.4/", "events": ["mention.received"] });
    let refusal = api.post("/api/v1/webhooks", private).await.refused(422, "invalid");
    assert!(refusal["detail"].as_str().expect("a text").contains("configuration file"), "{refusal}");
    let account = json!({ "name": "ev", "network": "webhook", "base_url": "https://a.example" });
    api.post("/api/v1/accounts", account).await.refused(422, "invalid");
    assert_eq!(api.send(api.request(Method::DELETE, &path)).await.status, 204);
    api.get(&path).await.refused(404, "not-found");
    api.use_token(Scope::Write).await;
    api.post("/api/v1/webhooks", new).await.refused(403, "forbidden");
}

#[rstest]
#[tokio::test]
async fn users_and_tokens_are_an_administrators_and_scopes_hold(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    // A listener beyond loopback: nobody comes in without a token or a login.
    let api = Api::start_on(backend, "0.0.0.0:8080").await;
    let refused = api.get("/api/v1/mentions").await;
    refused.refused(401, "unauthorized");
    assert!(refused.headers.contains_key("www-authenticate"));
    api.with_mentions().await;
    *api.token.lock().expect("no test panicked") = Some("muhatap_wrong".to_owned());
    api.get("/api/v1/mentions").await.refused(401, "unauthorized");

    api.use_token(Scope::Read).await;
    let mentions = api.get("/api/v1/mentions").await.json();
    let conversation = mentions["items"][0]["conversation"]["id"].as_str().expect("an id").to_owned();
    let done = format!("/api/v1/conversations/{conversation}/state");
    api.post(&done, json!({"state": "done"})).await.refused(403, "forbidden");
    assert_eq!(api.post("/api/v1/analyze", json!({"text": "merhaba"})).await.status, 200, "reading by POST");
    for path in ["/api/v1/users", "/api/v1/tokens", "/api/v1/audit"] {
        api.get(path).await.refused(403, "forbidden");
    }
    assert_eq!(api.get("/api/v1/me").await.json()["scope"], "read");

    api.use_token(Scope::Write).await;
    assert_eq!(api.post(&done, json!({"state": "done"})).await.status, 200);
    api.post("/api/v1/users", json!({"name": "a", "password": "0123456789", "role": "admin"}))
        .await
        .refused(403, "forbidden");

    api.use_token(Scope::Admin).await;
    let user = api.post("/api/v1/users", json!({"name": "Ayşe", "password": "uzun bir parola", "role": "agent"})).await;
    assert_eq!(user.status, 201, "{}", user.text);
    assert!(!user.text.contains("argon2"), "hashes stay inside");
    let id = user.json()["id"].as_str().expect("an id").to_owned();
    api.post("/api/v1/users", json!({"name": "Ayşe", "password": "uzun bir parola", "role": "agent"}))
        .await
        .refused(409, "conflict");
    api.post("/api/v1/users", json!({"name": "Can", "password": "kısa", "role": "agent"}))
        .await
        .refused(422, "invalid");
    api.post("/api/v1/users", json!({"name": "Can", "password": "uzun bir parola", "role": "king"}))
        .await
        .refused(422, "invalid");
    let patch =
        api.request(Method::PATCH, &format!("/api/v1/users/{id}")).json(&json!({"role": "viewer", "disabled": true}));
    let changed = api.send(patch).await.json();
    assert_eq!(changed["role"], "viewer");
    assert!(changed["disabled_at"].is_string());
    let made = api
        .post(
            "/api/v1/tokens",
            json!({"name": "kısa ömürlü", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}),
        )
        .await;
    made.refused(422, "invalid");
    let made = api.post("/api/v1/tokens", json!({"name": "rapor", "scopes": ["read"]})).await.json();
    let listed = api.get("/api/v1/tokens").await;
    assert!(!listed.text.contains(made["value"].as_str().expect("a value")));
    let delete = api.request(Method::DELETE, &format!("/api/v1/tokens/{}", made["id"].as_str().expect("an id")));
    assert!(api.send(delete).await.json()["revoked_at"].is_string());
    *api.token.lock().expect("no test panicked") = made["value"].as_str().map(str::to_owned);
    api.get("/api/v1/mentions").await.refused(401, "unauthorized");
    api.use_token_again(Scope::Admin).await;
    assert_eq!(api.get("/api/v1/users").await.json()["items"].as_array().map(Vec::len), Some(1));
    let log = api.get("/api/v1/audit?limit=200").await;
    assert!(log.text.contains("token_revoked") && !log.text.contains("Ayşe"));
}

impl Api {
    async fn use_token_again(&self, scope: Scope) {
        *self.token.lock().expect("no test panicked") = Some(format!("muhatap_test_{scope} of the test"));
    }
}

#[rstest]
#[tokio::test]
async fn bad_requests_are_told_what_is_wrong_and_what_to_do(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    for path in [
        "/api/v1/mentions?stat=open",
        "/api/v1/mentions?state=opened",
        "/api/v1/mentions?since=yesterday",
        "/api/v1/mentions?account_id=1",
        "/api/v1/mentions?limit=many",
        "/api/v1/users?x=1",
    ] {
        let problem = api.get(path).await.refused(400, "malformed");
        assert!(problem["next_step"].is_string(), "{problem}");
    }
    for path in [
        "/api/v1/mentions?limit=0",
        "/api/v1/mentions?limit=100000",
        "/api/v1/mentions?cursor=abc",
        "/api/v1/mentions?network=myspace",
        "/api/v1/mentions?assignee=me",
        "/api/v1/deliveries?state=lost",
        "/api/v1/sentiment/hours?since=2001-01-01T00:00:00Z",
    ] {
        api.get(path).await.refused(422, "invalid");
    }
    for path in [
        "/api/v1/mentions/1",
        "/api/v1/mentions/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/api/v1/mentions/01ARZ3NDEKTSV4RRFFQ69G5FAV/thread",
        "/api/v1/conversations/x",
        "/api/v1/deliveries/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/api/v1/accounts/%00",
        "/api/v1/nothing",
        "/api/v1",
    ] {
        api.get(path).await.refused(404, "not-found");
    }
    api.send(api.request(Method::PUT, "/api/v1/mentions").json(&json!({}))).await.refused(405, "method");
    let at = "/api/v1/analyze";
    let with =
        |kind: &str, body: &str| api.request(Method::POST, at).header("content-type", kind).body(body.to_owned());
    api.send(with("application/json", "{")).await.refused(400, "malformed");
    api.send(with("application/json", "\"x\"")).await.refused(422, "invalid");
    api.send(with("text/plain", "{}")).await.refused(415, "media-type");
    let unknown = api.post(at, json!({"txt": "x"})).await.refused(422, "invalid");
    assert!(
        unknown["detail"].as_str().is_some_and(|detail| detail.contains("txt") && detail.contains("text")),
        "{unknown}"
    );
    api.post(at, json!({"text": "x".repeat(api::LARGEST_BODY)})).await.refused(413, "too-large");
    api.post(at, json!({"text": 5})).await.refused(422, "invalid");
    api.post("/api/v1/mentions/01ARZ3NDEKTSV4RRFFQ69G5FAV/replies", json!({"text": "x"}))
        .await
        .refused(404, "not-found");
    let nul = api.post(at, json!({"text": "a\u{0}b\u{202e}\u{feff}"})).await;
    assert_eq!(nul.status, 200);
}

#[rstest]
#[tokio::test]
async fn lists_come_as_csv_that_a_spreadsheet_cannot_run(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let plain = api.get("/api/v1/mentions?format=csv").await;
    assert!(plain.headers["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/csv")));
    assert!(plain.headers["content-disposition"].to_str().is_ok_and(|value| value.contains("mentions.csv")));
    let mut reader = csv::Reader::from_reader(plain.text.as_bytes());
    let rows: Vec<HashMap<String, String>> = reader.deserialize().collect::<Result<_, _>>().expect("it is CSV");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().any(|row| row["text"] == "'=HYPERLINK(\"http://evil.example\")"));
    assert!(rows.iter().all(|row| row["sentiment_score"].parse::<f64>().is_ok()));
    let excel = api.get("/api/v1/mentions?format=csv&bom=true&separator=semicolon&limit=2").await;
    assert!(excel.text.starts_with('\u{feff}'), "a byte order mark");
    assert_eq!(
        excel.text.trim_start_matches('\u{feff}').lines().next().map(|line| line.matches(';').count()),
        Some(25)
    );
    assert_eq!(excel.text.lines().count(), 3, "a heading and two rows");
    let accepted = api.send(api.request(Method::GET, "/api/v1/deliveries").header("accept", "text/csv")).await;
    assert!(accepted.text.starts_with("id,due_at,state"));
    for path in [
        "accounts",
        "users",
        "tokens",
        "audit",
        "sentiment/hours",
        "deliveries",
        "mentions",
        "contacts",
        "alerts",
        "unparsed",
    ] {
        let answer = api.get(&format!("/api/v1/{path}?format=csv")).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn other_sites_and_other_names_are_kept_out(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    let with = |name: &'static str, value: &str| api.request(Method::GET, "/api/v1/mentions").header(name, value);
    api.send(with("host", "evil.example")).await.refused(421, "unknown-host");
    api.send(with("host", "127.0.0.1.evil.example:8080")).await.refused(421, "unknown-host");
    api.send(with("origin", "https://evil.example")).await.refused(403, "foreign-origin");
    api.send(with("origin", "null")).await.refused(403, "foreign-origin");
    api.send(with("sec-fetch-site", "cross-site")).await.refused(403, "foreign-origin");
    assert_eq!(api.send(with("host", "localhost:1234")).await.status, 200);
    let own = format!("http://{}", api.address);
    assert_eq!(api.send(with("origin", &own)).await.status, 200);
    // A page of another site may send a form without asking first: it is no JSON, and it is refused before that.
    let form = api
        .request(Method::POST, "/api/v1/sending/stop")
        .header("origin", "https://evil.example")
        .header("content-type", "text/plain")
        .body("{}");
    api.send(form).await.refused(403, "foreign-origin");
    let answer = api.get("/api/v1/mentions").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin");
}

#[rstest]
#[tokio::test]
async fn a_login_changes_nothing_without_the_pages_token(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start_on(backend, "0.0.0.0:8080").await;
    let user: muhatap::model::UserId = api.user("Ayşe", Role::Admin).await.parse().expect("an id");
    let later = api.app.store.clock() + SignedDuration::from_hours(1);
    api.app.store.open_session(user, &hash_of("oturum"), later).await.expect("a session");
    let stop = || {
        api.request(Method::POST, "/api/v1/sending/stop").header("cookie", "muhatap_session=oturum").json(&json!({}))
    };
    let read = api.request(Method::GET, "/api/v1/me").header("cookie", "muhatap_session=oturum");
    assert_eq!(api.send(read).await.json()["name"], "Ayşe");
    api.send(stop()).await.refused(403, "csrf");
    api.send(stop().header("x-csrf-token", "wrong")).await.refused(403, "csrf");
    let token = api.app.secrets.mark("csrf", "oturum");
    assert_eq!(api.send(stop().header("x-csrf-token", token)).await.status, 200);
    let other = api.request(Method::GET, "/api/v1/me").header("cookie", "muhatap_session=yok");
    api.send(other).await.refused(401, "unauthorized");
}

#[rstest]
#[tokio::test]
async fn events_are_streamed_and_read_on_from_a_mark(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let before = muhatap::model::new_ulid(api.app.store.clock() - SignedDuration::from_hours(1)).to_string();
    let mut response =
        api.request(Method::GET, "/api/v1/events").header("last-event-id", before).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut said = String::new();
    let heard = async {
        while !said.contains("event: mention") {
            let chunk = response.chunk().await.expect("the stream goes on").expect("it has not ended");
            said.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), heard).await.expect("what was missed is given");
    api.send(api.request(Method::GET, "/api/v1/events").header("last-event-id", "x")).await.refused(400, "malformed");
    // The stream ends with the process, so that it holds no shutdown up.
    api.app.shutdown.cancel();
    let end = async { while let Ok(Some(_)) = response.chunk().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), end).await.expect("the stream ends");
}

#[rstest]
#[tokio::test]
async fn health_tells_of_the_process_and_readiness_of_its_parts(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    // Who watches a process asks under whatever name it has there.
    let ask = async |path: &str| {
        let request = api.client.get(format!("http://{}{path}", api.address)).header("host", "10.1.2.3:8080");
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a body"))
    };
    assert_eq!(ask("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(ask("/readyz").await.0, 200);
    let (status, numbers) = ask("/metrics").await;
    assert!(status == 200 && numbers.contains("muhatap_outbox_due"), "{numbers}");
    api.app.pulse.ended("listen", "a test");
    let (status, why) = ask("/readyz").await;
    assert!(status == 503 && why.contains("listen") && !why.contains("a test"), "{why}");
    api.app.pulse.started("listen");
    assert_eq!(ask("/readyz").await.0, 200);
    api.app.store.close().await;
    let (status, why) = ask("/readyz").await;
    assert!(status == 503 && why.contains("database"), "{why}");
    assert_eq!(ask("/healthz").await.0, 200, "alive all the same");
}

#[rstest]
#[tokio::test]
async fn contacts_are_linked_merged_and_both_undone(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let new = |name: &str| NewContact { name: Some(name.to_owned()), ..NewContact::default() };
    api.app.store.put_contacts(&[new("Zühtü"), new("Çağla Işık"), new("Cem")]).await.expect("contacts can be put");
    let page = api.get("/api/v1/contacts?limit=2").await.json();
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&page), ["Cem", "Çağla Işık"], "the Turkish alphabet");
    let next = page["next"].as_str().expect("another page");
    assert_eq!(names(&api.get(&format!("/api/v1/contacts?cursor={next}")).await.json()), ["Zühtü"]);
    assert_eq!(names(&api.get("/api/v1/contacts?search=ISIK").await.json()), ["Çağla Işık"]);
    api.get("/api/v1/contacts?cursor=x").await.refused(422, "invalid");
    let id = |index: usize| page["items"][index]["id"].as_str().expect("an id").to_owned();
    let (cem, cagla) = (id(0), id(1));

    let mentions = api.get("/api/v1/mentions?search=kargom").await.json();
    let author = mentions["items"][0]["author"]["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/authors/{author}/link");
    api.get(&at).await.refused(404, "not-found");
    let link = api.send(api.request(Method::PUT, &at).json(&json!({"contact_id": cagla}))).await.json();
    assert_eq!(link["contact"]["name"], "Çağla Işık");
    assert_eq!(api.get(&at).await.json()["id"], link["id"]);
    // The contact's name finds what its authors wrote, together with words of the text.
    for words in ["cagla", "çağla kargom", "işık rezalet"] {
        let found = api.get(&format!("/api/v1/mentions?search={words}")).await.json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{words}");
        assert_eq!(found["items"][0]["author"]["contact"]["name"], "Çağla Işık");
    }
    let of_contact = api.get(&format!("/api/v1/mentions?contact_id={cagla}&state=open")).await.json();
    assert_eq!(of_contact["items"].as_array().map(Vec::len), Some(1));

    let merged = api.post(&format!("/api/v1/contacts/{cem}/merges"), json!({"merged_id": cagla})).await;
    assert_eq!(merged.status, 201, "{}", merged.text);
    let merge = merged.json()["merges"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(api.get(&at).await.json()["contact"]["name"], "Cem");
    assert_eq!(api.post(&format!("/api/v1/merges/{merge}/undo"), json!({})).await.status, 204);
    assert_eq!(api.get(&at).await.json()["contact"]["name"], "Çağla Işık");
    assert_eq!(api.send(api.request(Method::DELETE, &at)).await.status, 204);
    api.get(&at).await.refused(404, "not-found");
    let itself = api.post(&format!("/api/v1/contacts/{cem}/merges"), json!({"merged_id": cem})).await;
    itself.refused(409, "conflict");
    api.get(&format!("/api/v1/contacts/{}", author)).await.refused(404, "not-found");
    assert_eq!(api.get("/api/v1/alerts").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_list_without_pages_is_whole() {
    let api = Api::start(Backend::Sqlite).await;
    let account = account(&api.app.store, "destek", Network::Mastodon).await;
    let messages = (0..80).map(|hour| {
        let published_at = minutes_later(noon(), 60 * hour);
        Change::Seen(Incoming { published_at, ..message(&hour.to_string(), "merhaba") })
    });
    let lease = lease(&api.app.store, account).await;
    api.app.store.record(&lease, &batch(messages)).await.expect("messages can be stored");
    let hours = api.get("/api/v1/sentiment/hours?since=2026-11-20T00:00:00Z&until=2026-12-20T00:00:00Z").await.json();
    assert_eq!(hours["items"].as_array().map(Vec::len), Some(80));
    assert_eq!(hours["next"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn a_file_of_mentions_is_imported_once_and_its_bad_lines_are_named(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    let mut file = String::from(
        "{\"id\":\"1\",\"text\":\"Kargom gelmedi, rezalet\",\"author\":\"ayse\"}\n\n{\"id\":\"2\",\"text\":\"Harika\"}\n",
    );
    file.push_str(&"bozuk\n".repeat(120));
    let foreseen = api.import("mentions?dry_run=true", JSON_LINES, file.clone()).await.json();
    assert_eq!((&foreseen["new"], &foreseen["bad"], &foreseen["dry_run"]), (&json!(2), &json!(120), &json!(true)));
    assert_eq!(api.get("/api/v1/mentions").await.json()["items"], json!([]), "a dry run writes nothing");
    assert_eq!(api.get("/api/v1/accounts").await.json()["items"], json!([]), "not even the account");

    let first = api.import("mentions", JSON_LINES, file.clone()).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let first = first.json();
    assert_eq!((&first["read"], &first["new"], &first["known"]), (&json!(122), &json!(2), &json!(0)));
    let bad = first["bad_lines"].as_array().expect("bad lines");
    assert_eq!((bad.len(), &first["more_bad_lines"], &bad[0]["line"]), (100, &json!(20), &json!(4)));
    assert!(bad[0]["reason"].as_str().is_some_and(|reason| reason.contains("not a JSON object")), "{}", bad[0]);
    for what in ["mentions", "mentions?dry_run=true"] {
        let again = api.import(what, JSON_LINES, file.clone()).await.json();
        assert_eq!((&again["new"], &again["known"]), (&json!(0), &json!(2)), "{what}");
    }
    let found = api.get("/api/v1/mentions?search=kargom&network=file").await.json();
    assert_eq!(found["items"][0]["account"]["name"], "import");

    let account = api.with_mentions().await;
    let table = "Yorum;Kim;Tarih\nÇok geç geldi;ali;2026-11-20 12:30\n";
    let columns = "columns=text%3DYorum,author%3DKim";
    let named = api.import(&format!("mentions?account_id={account}&{columns}"), CSV, table).await.json();
    assert_eq!((&named["new"], &named["bad"]), (&json!(1), &json!(0)), "{named}");
    let found = api.get(&format!("/api/v1/mentions?search=gec&account_id={account}")).await.json();
    assert_eq!(found["items"][0]["published_at"], "2026-11-20T09:30:00Z", "in the account's time zone");
    assert_eq!(found["items"][0]["network"], "mastodon");
    let log = api.get("/api/v1/audit").await;
    assert_eq!(log.text.matches("mentions.import").count(), 3, "who imported is in the log, dry runs are not");
}

#[rstest]
#[tokio::test]
async fn a_file_of_contacts_is_imported_and_links_authors(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start(backend).await;
    api.with_mentions().await;
    let file = "Müşteri No;Ad Soyad;E-posta;Mastodon\n1;Ayşe Yılmaz;ayse@ornek.com;kisi0\n2;Çağla Öz;bozuk;\n3;Ali;;\n";
    let foreseen = api.import("contacts?dry_run=true", CSV, file).await.json();
    assert_eq!((&foreseen["new"], &foreseen["bad"], &foreseen["linked"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(api.get("/api/v1/contacts").await.json()["items"], json!([]), "a dry run writes nothing");
    let first = api.import("contacts", CSV, file).await.json();
    assert_eq!((&first["new"], &first["linked"], &first["bad_lines"][0]["line"]), (&json!(2), &json!(1), &json!(3)));
    let again = api.import("contacts", CSV, file).await.json();
    assert_eq!((&again["new"], &again["updated"], &again["known"]), (&json!(0), &json!(0), &json!(2)));
    let line = "{\"id\":3,\"name\":\"Ali\",\"company\":\"Örnek A.Ş.\"}\n";
    let foreseen = api.import("contacts?dry_run=true", JSON_LINES, line).await.json();
    assert_eq!((&foreseen["updated"], &foreseen["known"]), (&json!(1), &json!(0)));
    assert!(!api.get("/api/v1/contacts").await.text.contains("Örnek"));
    assert_eq!(api.import("contacts", JSON_LINES, line).await.json()["updated"], 1);
    assert!(api.get("/api/v1/contacts").await.text.contains("Örnek A.Ş."));
}

#[rstest]
#[tokio::test]
async fn a_file_that_cannot_be_imported_is_refused_with_the_reason(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let api = Api::start_with(backend, |config| config.console.import_limit_mb = 1).await;
    let line = "{\"id\":\"1\",\"text\":\"merhaba\"}\n";
    api.import("mentions", "application/json", line).await.refused(415, "media-type");
    api.import("mentions?colums=text%3DYorum", CSV, line).await.refused(400, "malformed");
    api.import("mentions?columns=texte%3DYorum", CSV, line).await.refused(422, "invalid");
    api.import("mentions?account_id=01ARZ3NDEKTSV4RRFFQ69G5FAV", CSV, line).await.refused(404, "not-found");
    for (what, file, part) in [
        ("mentions", "a;b\n1;2\n", "no column holds the text"),
        ("mentions", "", "the file is empty"),
        ("contacts", "şehir;ilçe\nVan;Edremit\n", "no column of the header"),
    ] {
        let problem = api.import(what, CSV, file).await.refused(422, "invalid");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(part)), "{problem}");
    }

    let big = format!("{line}{}", " ".repeat(1024 * 1024));
    let refused = api.import("mentions", JSON_LINES, big.clone()).await.refused(413, "too-large");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("1048576")), "{refused}");
    assert_eq!(api.get("/api/v1/mentions").await.json()["items"], json!([]), "nothing of it was read");
    // Nobody says beforehand how long this one is.
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(big)]);
    let refused = api.import("mentions", JSON_LINES, reqwest::Body::wrap_stream(pieces)).await;
    assert!(refused.refused(413, "too-large")["next_step"].is_string());
    // Larger than other calls may be, and with a key that is not needed.
    let file = format!("{line}{}", " ".repeat(api::LARGEST_BODY));
    let request = api.request(Method::POST, "/api/v1/imports/mentions").header("Idempotency-Key", "k");
    let answer = api.send(request.header("content-type", JSON_LINES).body(file)).await;
    assert_eq!(answer.json()["read"], 1, "{}", answer.text);

    api.use_token(Scope::Read).await;
    api.import("mentions", JSON_LINES, line).await.refused(403, "forbidden");
    api.import("contacts?dry_run=true", JSON_LINES, line).await.refused(403, "forbidden");
}

#[rstest]
#[tokio::test]
async fn a_file_is_stored_while_it_comes_in_and_a_stop_says_how_to_go_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const STORED: &str = "SELECT COUNT(*) FROM mentions";
    let api = Api::start(backend).await;
    let lines: Vec<String> = (0..2_010).map(|id| format!("{{\"id\":\"{id}\",\"text\":\"merhaba {id}\"}}\n")).collect();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let body = reqwest::Body::wrap_stream(body);
    let halfway = async {
        sender.send(Ok(lines.concat())).await.expect("the body is taken");
        eventually("the first lines are stored, and the file goes on", || async {
            api.database.number(STORED).await == 2_000
        })
        .await;
        api.app.shutdown.cancel();
    };
    let (stopped, ()) = tokio::join!(api.import("mentions", JSON_LINES, body), halfway);
    let stopped = stopped.refused(503, "stopping");
    assert!(stopped["next_step"].as_str().is_some_and(|step| step.contains("send the file again")), "{stopped}");
    assert_eq!(api.database.number(STORED).await, 2_000, "whole chunks stay");
}

#[rstest]
#[tokio::test]
async fn what_is_held_is_released_together_and_spaced(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    let account = api.with_mentions().await;
    let other = api.connected("öteki").await;
    for (account, text) in [(account, "bir"), (account, "iki tane"), (account, "üç küçük kedi"), (other, "dört")]
    {
        let mut request = PostRequest::new(account, text, "test");
        request.due_at = Some(api.app.store.clock() - SignedDuration::from_hours(3));
        let view = compose::post(&api.app, request).await.expect("it is kept");
        assert_eq!(view.state, DeliveryState::Held);
    }
    let at = "/api/v1/deliveries/release";
    api.post(at, json!({"spacing_seconds": 86_401})).await.refused(422, "invalid");
    api.post(at, json!({"hold": "tired"})).await.refused(422, "invalid");
    api.post(at, json!({"account_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})).await.refused(404, "not-found");
    let restored = api.post(at, json!({"hold": "restored"})).await.json();
    assert_eq!((&restored["released"], &restored["plan"]["spaced"]), (&json!(0), &json!(0)), "held for their time");
    let planned = api.post(at, json!({"account_id": account, "spacing_seconds": 90, "dry_run": true})).await.json();
    assert_eq!((&planned["released"], &planned["plan"]["spaced"]), (&json!(0), &json!(3)));
    let released = api.post_keyed(at, "k", json!({"account_id": account, "spacing_seconds": 90})).await.json();
    assert_eq!((&released["released"], &released["spacing_seconds"]), (&json!(3), &json!(90)));
    assert_eq!(released["plan"]["spaced"], 3);
    assert_eq!(api.post_keyed(at, "k", json!({"account_id": account, "spacing_seconds": 90})).await.json(), released);
    let filter = DeliveryFilter {
        account_id: Some(account),
        states: vec![DeliveryState::Queued],
        order: DeliveryOrder::EarliestFirst,
        ..DeliveryFilter::default()
    };
    let queued = api.app.store.deliveries(&filter).await.expect("answered");
    assert_eq!(queued.iter().map(|view| view.text.as_str()).collect::<Vec<_>>(), ["bir", "iki tane", "üç küçük kedi"]);
    for pair in queued.windows(2) {
        assert_eq!(pair[1].due_at.duration_since(pair[0].due_at), SignedDuration::from_secs(90));
    }
    assert_eq!(api.get("/api/v1/deliveries?state=held").await.json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(api.post(at, json!({})).await.json()["released"], 1, "every account");
    assert_eq!(api.get("/api/v1/audit").await.text.matches("delivery.release_all").count(), 3);
}

#[rstest]
#[tokio::test]
async fn what_could_not_be_read_is_listed_raw(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    let destek = api.with_mentions().await;
    let other = api.connected("öteki").await;
    for (account, raws) in [(destek, &["=1+1", "{\"broken\0"][..]), (other, &["<b>kalın</b>"])] {
        let mut polled = batch([]);
        polled.unparsed =
            raws.iter().map(|raw| Unparsed { raw: (*raw).to_owned(), reason: "not JSON".to_owned() }).collect();
        let lease = lease(&api.app.store, account).await;
        api.app.store.record(&lease, &polled).await.expect("it is kept");
    }
    let mut raws = Vec::new();
    let mut at = "/api/v1/unparsed?limit=2".to_owned();
    loop {
        let page = api.get(&at).await.json();
        let items = page["items"].as_array().expect("items");
        raws.extend(
            items.iter().map(|item| (item["raw"].as_str().unwrap_or_default().to_owned(), item["stream"].clone())),
        );
        let Some(next) = page["next"].as_str() else { break };
        at = format!("/api/v1/unparsed?limit=2&cursor={next}");
    }
    raws.sort_by(|one, two| one.0.cmp(&two.0));
    let raws: Vec<_> = raws.iter().map(|(raw, stream)| (raw.as_str(), stream)).collect();
    let stream = json!("mentions");
    assert_eq!(raws, [("<b>kalın</b>", &stream), ("=1+1", &stream), ("{\"broken\u{fffd}", &stream)]);
    let of_one = api.get(&format!("/api/v1/unparsed?account_id={other}")).await.json();
    assert_eq!(
        (of_one["items"].as_array().map(Vec::len), &of_one["items"][0]["reason"]),
        (Some(1), &json!("not JSON"))
    );
    assert_eq!(of_one["items"][0]["account"], "öteki");
    let file = api.get(&format!("/api/v1/unparsed?account_id={destek}&format=csv")).await;
    assert!(file.headers["content-disposition"].to_str().is_ok_and(|value| value.contains("unparsed.csv")));
    assert!(file.text.contains("'=1+1") && !file.text.contains("kalın"), "{}", file.text);
    api.get("/api/v1/unparsed?account_id=1").await.refused(400, "malformed");
}

#[rstest]
#[tokio::test]
async fn a_search_that_may_find_nothing_says_so(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    for network in [Network::Mastodon, Network::Bluesky] {
        let account = account(&api.app.store, network.as_str(), network).await;
        let searches =
            ["marka adı", "#marka"].map(|query| Stream { kind: StreamKind::Search, query: query.to_owned() });
        let mentions = Stream { kind: StreamKind::Mentions, query: String::new() };
        let streams: Vec<_> = searches.into_iter().chain([mentions]).collect();
        api.app.store.sync_streams(account, &streams).await.expect("streams can be set");
        let view = api.get(&format!("/api/v1/accounts/{account}")).await.json();
        let streams = view["streams"].as_array().expect("streams");
        assert_eq!(streams.len(), 3);
        for stream in streams {
            let hinted = stream["hint"].as_str().is_some_and(|hint| hint.contains("full-text search"));
            let expected = network == Network::Mastodon && stream["name"] == "search:marka adı";
            assert_eq!(hinted, expected, "{network:?}: {stream}");
            assert!(hinted || stream["hint"].is_null(), "{stream}");
        }
    }
}

#[tokio::test]
async fn lists_are_whole_in_a_database_that_sorts_as_people_do() {
    let api = Api::start(Backend::Postgres).await;
    let mut polled = batch([]);
    polled.unparsed = vec![Unparsed { raw: "{".to_owned(), reason: "not JSON".to_owned() }];
    let account = api.connected("destek").await;
    let lease = lease(&api.app.store, account).await;
    api.app.store.record(&lease, &polled).await.expect("it is kept");
    api.post("/api/v1/sending/stop", json!({})).await;
    // Where the tests' own server compares bytes, most compare words: punctuation comes before digits there.
    api.database.execute("ALTER TABLE audit ALTER COLUMN id TYPE TEXT COLLATE \"en-x-icu\"").await;
    api.database.execute("ALTER TABLE unparsed ALTER COLUMN id TYPE TEXT COLLATE \"en-x-icu\"").await;
    assert!(api.get("/api/v1/audit").await.text.contains("sending.stop"));
    assert_eq!(api.get("/api/v1/unparsed").await.json()["items"].as_array().map(Vec::len), Some(1));
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The simulated network's shop, as somebody adds it.
fn shop(simulator: &Simulator) -> Value {
    json!({
        "name": "dükkân", "network": "mastodon", "brand": "Yelpazar", "base_url": simulator.url(),
        "token": "simulated-yelpazar", "listen_for": ["#yelpazar", " "], "poll_seconds": 60,
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[rstest]
#[tokio::test]
async fn an_account_is_added_tried_changed_and_removed(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let api = Api::start(backend).await;
    let simulator = Simulator::start(Options::quiet()).await.expect("the simulated network starts");
    let added = api.post_keyed("/api/v1/accounts", "hesap-1", shop(&simulator)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let again = api.post_keyed("/api/v1/accounts", "hesap-1", shop(&simulator)).await;
    assert_eq!(again.json()["id"], added.json()["id"], "sent again it is one");
    let account = added.json();
    assert_eq!((&account["origin"], &account["listen_for"]), (&json!("console"), &json!(["#yelpazar"])));
    assert!(account["handle"].as_str().is_some_and(|handle| handle.contains("yelpazar")), "{account}");
    let at = format!("/api/v1/accounts/{}", account["id"].as_str().expect("an id"));

    let patch = |body: Value| api.send(api.request(Method::PATCH, &at).json(&body));
    let changed = patch(json!({"listen_for": ["#kargo"], "poll_seconds": 90})).await.json();
    assert_eq!((&changed["listen_for"], &changed["poll_seconds"]), (&json!(["#kargo"]), &json!(90)));
    assert_eq!((&changed["brand"], &changed["timezone"]), (&json!("Yelpazar"), &json!("Europe/Istanbul")));
    patch(json!({"token": "simulated-yalan"})).await.refused(422, "account-refused");
    let moved = patch(json!({"base_url": "https://elsewhere.example"})).await.refused(422, "invalid");
    assert_eq!(moved["field"], "token", "a stored secret goes to no other server");
    let other = patch(json!({"token": "simulated-kiyikent"})).await.refused(409, "conflict");
    assert!(other["detail"].as_str().is_some_and(|detail| detail.contains("another name")), "{other}");
    assert_eq!(patch(json!({"token": "simulated-yelpazar"})).await.status, 200);
    patch(json!({"name": "baska"})).await.refused(422, "invalid");

    let id: AccountId = account["id"].as_str().expect("an id").parse().expect("an id");
    for (minutes, text) in [(60, "Yarın açığız"), (90, "Bu akşam kapalıyız, iyi geceler")] {
        let mut post = PostRequest::new(id, text, "test");
        post.due_at = Some(api.app.store.clock() + Duration::from_secs(minutes * 60));
        compose::post(&api.app, post).await.expect("it is planned");
    }
    let removed = api.send(api.request(Method::DELETE, &at)).await.json();
    assert_eq!(removed["pause_reason"], "removed");
    assert_eq!(removed["cancelled"], json!({"posts": 2, "answers": 0, "deletions": 0, "recurring": 0}));
    let ended = api.get(&format!("/api/v1/deliveries?account_id={id}&state=cancelled")).await.json();
    assert_eq!(ended["items"].as_array().map(Vec::len), Some(2), "{ended}");
    assert_eq!(ended["items"][0]["reason"], "its account was removed");
    let refused = api.post("/api/v1/posts", json!({"account_id": id, "text": "merhaba"})).await;
    assert!(refused.text.contains("was removed"), "{}", refused.text);
    assert!(api.app.store.stored_secrets(id).await.expect("it can be read").secret.is_none());
    api.post(&format!("{at}/resume"), json!({})).await.refused(409, "conflict");
    patch(json!({"poll_seconds": 5})).await.refused(409, "conflict");
    let back = api.post("/api/v1/accounts", shop(&simulator)).await;
    assert_eq!((&back.json()["id"], &back.json()["paused_at"]), (&account["id"], &Value::Null), "it goes on");

    let audit = api.get("/api/v1/audit").await.text;
    for action in ["account_added", "account_changed", "account_removed"] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
    assert!(!audit.contains("simulated-") && !audit.contains("dükkân"), "{audit}");
    for path in [at.as_str(), "/api/v1/accounts", "/accounts"] {
        let answer = api.client.get(format!("http://{}{path}", api.address)).send().await.expect("an answer");
        assert!(!answer.text().await.expect("text").contains("simulated-"), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn an_account_that_cannot_be_is_refused_and_nothing_is_stored(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let api = Api::start(backend).await;
    let simulator = Simulator::start(Options::quiet()).await.expect("the simulated network starts");
    let body = shop(&simulator);
    let wrong = [
        ("name", json!(" "), "name"),
        ("network", json!("myspace"), "network"),
        ("base_url", json!("ftp://example.org"), "base_url"),
        ("base_url", json!("https://biri:cokgizli@example.org"), "base_url"),
        ("poll_seconds", json!(1), "poll_seconds"),
        ("timezone", json!("Mars/Olympus"), "timezone"),
    ];
    for (key, value, field) in wrong {
        let answer = api.post("/api/v1/accounts", with(body.clone(), key, value)).await;
        assert_eq!(answer.refused(422, "invalid")["field"], field);
        assert!(!answer.text.contains("cokgizli") && !answer.text.contains("simulated-"), "{}", answer.text);
    }
    let unknown = api.post("/api/v1/accounts", with(body.clone(), "network", json!("myspace"))).await;
    assert!(unknown.text.contains("mastodon") && unknown.text.contains("rss"), "{}", unknown.text);
    let number = api.post("/api/v1/accounts", with(body.clone(), "token", json!(123_456_789))).await;
    number.refused(422, "invalid");
    assert!(!number.text.contains("123456789"), "{}", number.text);
    for token in [json!(null), json!("  ")] {
        api.post("/api/v1/accounts", with(body.clone(), "token", token)).await.refused(422, "invalid");
    }
    let refused = api.post("/api/v1/accounts", with(body.clone(), "token", json!("simulated-yalan"))).await;
    refused.refused(422, "account-refused");
    assert!(!refused.text.contains("simulated-yalan"), "{}", refused.text);
    let away = with(body.clone(), "base_url", json!("http://127.0.0.1:9"));
    api.post("/api/v1/accounts", away).await.refused(502, "network-away");
    api.post("/api/v1/accounts", with(body.clone(), "network", json!("file"))).await.refused(422, "invalid");
    assert!(api.app.store.accounts().await.expect("accounts can be read").is_empty());
    for path in ["/", "/accounts"] {
        let page = api.client.get(format!("http://{}{path}", api.address)).send().await.expect("an answer");
        assert!(page.text().await.expect("text").contains("href=\"/accounts/new\""), "{path}: an empty page offers it");
    }

    assert_eq!(api.post("/api/v1/accounts", body.clone()).await.status, 201);
    // Under another name everything said to it would be there twice.
    let alias = api.post("/api/v1/accounts", with(body.clone(), "name", json!("takma"))).await.refused(422, "invalid");
    assert!(alias["detail"].as_str().expect("text").contains("connected already, as dükkân"), "{alias}");
    let twice = api.post("/api/v1/accounts", body.clone()).await.refused(409, "conflict");
    assert!(twice["detail"].as_str().is_some_and(|detail| detail.contains("dükkân")), "{twice}");
    api.use_token(Scope::Write).await;
    api.post("/api/v1/accounts", with(body, "name", json!("ikinci"))).await.refused(403, "forbidden");
    assert_eq!(api.app.store.accounts().await.expect("accounts can be read").len(), 1);
    let logged = String::from_utf8_lossy(&log.0.lock().expect("no test panicked")).into_owned();
    assert!(!logged.is_empty() && !logged.contains("simulated-yelpazar") && !logged.contains("simulated-yalan"));
}

#[tokio::test]
async fn an_account_of_the_file_is_changed_in_the_file() {
    let running = Running::start().await;
    let at = format!("{}/api/v1/accounts/{}", running.url, running.account);
    let client = reqwest::Client::new();
    for request in [client.patch(&at).json(&json!({"poll_seconds": 60})), client.delete(&at)] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        assert!(answer.text().await.expect("text").contains("configuration file"));
    }
}

#[tokio::test]
async fn an_account_added_to_a_running_worker_is_heard_and_answers() {
    let running = Running::with(Options::quiet(), "[delivery]\nundo_seconds = 1\n").await;
    let client = reqwest::Client::new();
    let body = json!({
        "name": "belediye", "network": "mastodon", "base_url": running.simulator.url(), "token": "simulated-kiyikent",
        "poll_seconds": 5,
    });
    let added = client.post(format!("{}/api/v1/accounts", running.url)).json(&body).send().await.expect("an answer");
    assert_eq!(added.status(), StatusCode::CREATED);
    let added: Value = added.json().await.expect("JSON");
    let id: AccountId = added["id"].as_str().expect("an id").parse().expect("an id");
    let store = &running.app.store;
    eventually("it is listened on", || async { store.account(id).await.is_ok_and(|it| it.health == Health::Ok) }).await;
    running.stranger_writes("ayse@ornek.example", "@kiyikent çöpler üç gündür alınmadı").await;
    store.poll_account_now(id).await.expect("streams can be made due");
    running.app.live.wake(muhatap::live::Wake::Streams);
    let heard = || async {
        let mentions = store.mentions(&Default::default()).await.expect("mentions can be read");
        mentions.into_iter().find(|mention| mention.text.as_deref().is_some_and(|text| text.contains("üç gündür")))
    };
    eventually("the mention is stored", || async { heard().await.is_some() }).await;
    let mention = heard().await.expect("it was just there").id;
    let reply = client
        .post(format!("{}/api/v1/mentions/{mention}/replies", running.url))
        .header("Idempotency-Key", "yanit-1")
        .json(&json!({"text": "@ayse@ornek.example Ekip yolda."}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status(), StatusCode::CREATED);
    eventually("the reply is out", || async { running.our_posts().iter().any(|text| text.contains("Ekip yolda")) })
        .await;
    running.stop().await;
}

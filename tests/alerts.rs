//! Alerts: raised once, told by mail and webhook, tried again, closed when well.

use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use muhatap::alerts::{self, SIGNATURE_HEADER, signature};
use muhatap::app::App;
use muhatap::config::Config;
use muhatap::model::{AccountId, DeliveryId, Health, Network};
use muhatap::standing::Scope;
use muhatap::store::Store;
use muhatap::store::alerts::AlertView;
use rstest::rstest;
use serde_json::Value;
use sqlx::Connection;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Backend, Database, eventually, fresh_store, messages};

const TEXT: &str = "nobody but the network may read this";

/// A delivery in a state, written past the loops that would have brought it there.
async fn delivery(
    database: &Database,
    account: AccountId,
    state: &'static str,
    hold: Option<&'static str>,
    due_at: Timestamp,
) -> DeliveryId {
    let now = due_at.as_microsecond();
    let id = DeliveryId::new(due_at);
    let post = muhatap::model::PostId::new(due_at);
    let mut connection = sqlx::AnyConnection::connect(&database.url).await.expect("the database answers");
    sqlx::query(
        "INSERT INTO posts (id, account_id, text, visibility, text_fingerprint, author, created_at)
         VALUES ($1, $2, $3, 'public', '', 'cli', $4)",
    )
    .bind(post.to_string())
    .bind(account.to_string())
    .bind(TEXT)
    .bind(now)
    .execute(&mut connection)
    .await
    .expect("a post can be written");
    sqlx::query(
        "INSERT INTO deliveries (id, account_id, lane, class, seq, action, post_id, body_hash, idem_key, due_at, late_limit, state, hold,
            next_at, reason, created_at, changed_at)
         VALUES ($1, $2, $1, 3, 1, 'publish', $3, '', $1, $4, 900000000, $5, $6, $4, 'the network said no', $4, $4)",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .bind(post.to_string())
    .bind(now)
    .bind(state)
    .bind(hold)
    .execute(&mut connection)
    .await
    .expect("a delivery can be written");
    id
}

async fn set_state(database: &Database, id: DeliveryId, state: &'static str) {
    let mut connection = sqlx::AnyConnection::connect(&database.url).await.expect("the database answers");
    sqlx::query("UPDATE deliveries SET state = $2, hold = NULL WHERE id = $1")
        .bind(id.to_string())
        .bind(state)
        .execute(&mut connection)
        .await
        .expect("the state can be set");
}

async fn open_alerts(store: &Store) -> Vec<AlertView> {
    let alerts = store.alerts(100).await.expect("alerts can be read");
    alerts.into_iter().filter(|alert| alert.closed_at.is_none()).collect()
}

#[rstest]
#[tokio::test]
async fn what_is_late_says_what_stands_in_its_way(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (database, store) = fresh_store(backend).await;
    let now = store.clock();
    let due_at = now - SignedDuration::from_mins(10);
    let mut accounts = Vec::new();
    for name in ["bir", "iki", "üç", "dört", "beş"] {
        accounts.push(messages::account(&store, name, Network::Mastodon).await);
    }
    let late = async |index: usize| {
        let id = delivery(&database, accounts[index], "queued", None, due_at).await;
        store.raise_alerts(now).await.expect("alerts can be raised");
        let alerts = open_alerts(&store).await;
        let alert = alerts.into_iter().find(|alert| alert.subject_id == id.to_string()).expect("it is late");
        assert_eq!(alert.kind, "delivery_late");
        alert.message
    };
    let expect = |message: String, why: &str| assert!(message.contains(why), "{message}");
    expect(late(0).await, "why: no worker that sends is running");
    assert!(store.lease("reaper", "w", std::time::Duration::from_secs(60), now).await.expect("it is free"));
    store.gate_account(accounts[1], now + SignedDuration::from_mins(5), "Retry-After").await.expect("gated");
    expect(late(1).await, "(Retry-After)");
    store.close_account(accounts[2], now).await.expect("closed");
    expect(late(2).await, "why: the network has not answered since a call that ended unclearly");
    expect(late(3).await, "why: its turn comes next");
    delivery(&database, accounts[3], "queued", None, due_at + SignedDuration::from_secs(1)).await;
    store.raise_alerts(now).await.expect("alerts can be raised");
    let messages: Vec<String> = open_alerts(&store).await.into_iter().map(|alert| alert.message).collect();
    assert!(
        messages.iter().any(|message| message.contains("why: 1 of the account's deliveries go before it")),
        "{messages:?}"
    );
    store.stop(&Scope::All, "deprem", "ayşe").await.expect("stopped");
    expect(late(4).await, "why: its sending is stopped");
}

#[rstest]
#[tokio::test]
async fn each_trouble_raises_one_alert_and_its_end_closes_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let account = messages::account(&store, "destek", Network::Mastodon).await;
    let now = store.clock();
    let failed = delivery(&database, account, "failed", None, now).await;
    let unknown = delivery(&database, account, "unknown", None, now).await;
    let held = delivery(&database, account, "held", Some("restored"), now).await;
    let held_late = delivery(&database, account, "held", Some("late"), now).await;
    let late = delivery(&database, account, "queued", None, now - SignedDuration::from_mins(5)).await;
    let on_time = delivery(&database, account, "queued", None, now).await;
    delivery(&database, account, "sent", None, now).await;
    store.set_health(account, Health::Unauthorized, Some("the network refuses the token")).await.unwrap();

    let raised = store.raise_alerts(now).await.unwrap();
    assert_eq!(raised.len(), 6, "{raised:?}");
    assert_eq!(store.raise_alerts(now).await.unwrap(), Vec::<String>::new(), "nothing is raised twice");
    let mut found: Vec<(String, String)> =
        open_alerts(&store).await.into_iter().map(|alert| (alert.kind, alert.subject_id)).collect();
    let mut expected = vec![
        ("delivery_failed".to_owned(), failed.to_string()),
        ("delivery_unknown".to_owned(), unknown.to_string()),
        ("delivery_held".to_owned(), held.to_string()),
        ("delivery_late".to_owned(), held_late.to_string()),
        ("delivery_late".to_owned(), late.to_string()),
        ("token".to_owned(), account.to_string()),
    ];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(
        open_alerts(&store).await.iter().all(|alert| !alert.message.contains(TEXT) && alert.message.contains("destek"))
    );
    assert_eq!(store.open_alert_count().await.unwrap(), 6);

    for id in [unknown, held, held_late, late, on_time] {
        set_state(&database, id, "sent").await;
    }
    store.set_health(account, Health::Ok, None).await.unwrap();
    store.raise_alerts(now).await.unwrap();
    let open = open_alerts(&store).await;
    assert_eq!(open.iter().map(|alert| alert.kind.as_str()).collect::<Vec<_>>(), ["delivery_failed"]);
    // What failed stays failed: it is told for a day, and never again.
    let tomorrow = now + SignedDuration::from_hours(25);
    store.raise_alerts(tomorrow).await.unwrap();
    assert_eq!(store.open_alert_count().await.unwrap(), 0);
    assert!(store.raise_alerts(tomorrow).await.unwrap().is_empty());
}

/// A mail server of a few lines that keeps what it is given.
async fn mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let _ = write.write_all(b"220 test\r\n").await;
                let mut mail: Option<String> = None;
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer: &[u8] = match &mut mail {
                        Some(text) if line == "." => {
                            kept.lock().expect("nobody panics with it").push(std::mem::take(text));
                            mail = None;
                            b"250 kept\r\n"
                        }
                        Some(text) => {
                            text.push_str(&line);
                            text.push('\n');
                            continue;
                        }
                        None if line.starts_with("EHLO") => b"250-test\r\n250 8BITMIME\r\n",
                        None if line == "DATA" => {
                            mail = Some(String::new());
                            b"354 go on\r\n"
                        }
                        None if line == "QUIT" => b"221 bye\r\n",
                        None => b"250 ok\r\n",
                    };
                    if write.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, mails)
}

/// An app that tells by mail and webhook; secrets are in files.
async fn app(database: &Database, smtp_port: u16, webhook: &str) -> Arc<App> {
    let path = |name: &str| database.dir().join(name);
    std::fs::write(path("smtp"), format!("smtp://127.0.0.1:{smtp_port}")).unwrap();
    std::fs::write(path("secret"), "geheim").unwrap();
    let shown = |path: &Path| path.display().to_string();
    let config = format!(
        r#"
        data_dir = "{data}"
        [database]
        url = "{url}"
        [console]
        public_url = "https://muhatap.example/"
        [alerts.email]
        smtp_url = {{ file = "{smtp}" }}
        from = "Muhatap <muhatap@example.com>"
        to = ["ekip@example.com"]
        [alerts.webhook]
        url = "{webhook}"
        secret = {{ file = "{secret}" }}
        "#,
        data = shown(database.dir()),
        url = database.url,
        smtp = shown(&path("smtp")),
        secret = shown(&path("secret")),
    );
    std::fs::write(path("muhatap.toml"), config).unwrap();
    let config = Config::load(Some(&path("muhatap.toml"))).expect("the configuration is sound");
    App::open(config).await.expect("the app opens")
}

#[rstest]
#[tokio::test]
async fn people_are_told_by_mail_and_webhook_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = Database::fresh(backend).await;
    let (port, mails) = mail_server().await;
    let webhook = MockServer::start().await;
    // The webhook is down at first: the mail is not sent again for its sake.
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&webhook).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&webhook).await;
    let app = app(&database, port, &webhook.uri()).await;
    let account = messages::account(&app.store, "destek", Network::Mastodon).await;
    let now = app.store.clock();
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(delivery(&database, account, "failed", None, now).await);
    }

    alerts::round(&app, now).await.unwrap();
    let mail = mails.lock().unwrap().clone();
    assert_eq!(mail.len(), 1, "thirty alerts are one mail");
    assert!(mail[0].contains("30 alerts"), "{}", mail[0]);
    assert!(mail[0].contains("and 10 more"), "{}", mail[0]);
    assert!(mail[0].contains("https://muhatap.example/deliveries/"), "{}", mail[0]);
    assert!(!mail[0].contains(TEXT) && !mail[0].contains("geheim"), "{}", mail[0]);
    let open = open_alerts(&app.store).await;
    assert!(
        open.iter().all(|alert| alert.told_at.is_none()
            && alert.failure_reason.as_deref().is_some_and(|reason| reason.contains("503")))
    );

    alerts::round(&app, now + SignedDuration::from_secs(5)).await.unwrap();
    assert_eq!(webhook.received_requests().await.unwrap().len(), 1, "not before its time");
    let later = now + SignedDuration::from_secs(40);
    alerts::round(&app, later).await.unwrap();
    alerts::round(&app, later + SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(mails.lock().unwrap().len(), 1, "told is told");
    let requests = webhook.received_requests().await.unwrap();
    assert_eq!(requests.len(), 2);
    assert!(
        open_alerts(&app.store).await.iter().all(|alert| alert.told_at.is_some() && alert.failure_reason.is_none())
    );

    let body = String::from_utf8(requests[1].body.clone()).unwrap();
    let signed = requests[1].headers.get(SIGNATURE_HEADER).expect("it is signed").to_str().unwrap();
    assert_eq!(signed, signature("geheim", later, &body));
    assert!(!body.contains(TEXT), "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["alerts"].as_array().unwrap().len(), 30);
    assert_eq!(body["alerts"][0]["kind"], "delivery_failed");
    assert!(body["alerts"][0]["url"].as_str().unwrap().starts_with("https://muhatap.example/deliveries/"));
}

#[rstest]
#[tokio::test]
async fn one_worker_tells_at_a_time_and_the_loop_ends_when_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let (port, mails) = mail_server().await;
    let webhook = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&webhook).await;
    let one = app(&database, port, &webhook.uri()).await;
    let other = app(&database, port, &webhook.uri()).await;
    let account = messages::account(&one.store, "destek", Network::Mastodon).await;
    delivery(&database, account, "unknown", None, one.store.clock()).await;
    let loops = [tokio::spawn(alerts::run(one.clone())), tokio::spawn(alerts::run(other.clone()))];
    eventually("the alert is told", || async {
        open_alerts(&one.store).await.iter().any(|alert| alert.told_at.is_some())
    })
    .await;
    one.shutdown.cancel();
    other.shutdown.cancel();
    for ended in loops {
        tokio::time::timeout(std::time::Duration::from_secs(10), ended).await.expect("it ends soon").unwrap();
    }
    assert_eq!(mails.lock().unwrap().len(), 1);
    assert_eq!(webhook.received_requests().await.unwrap().len(), 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM leases").await, 0);
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_is_named() {
    let database = Database::fresh(Backend::Sqlite).await;
    let webhook = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&webhook).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let app = app(&database, closed, &webhook.uri()).await;
    let account = messages::account(&app.store, "destek", Network::Mastodon).await;
    let now = app.store.clock();
    delivery(&database, account, "held", Some("late"), now).await;
    alerts::round(&app, now).await.unwrap();
    let alert = &open_alerts(&app.store).await[0];
    assert!(alert.told_at.is_none() && alert.failure_reason.as_ref().unwrap().starts_with("e-mail: "), "{alert:?}");
    assert_eq!(webhook.received_requests().await.unwrap().len(), 1, "the webhook does not wait for the mail");
}

//! Alerts: raised once, told by mail and webhook, tried again, closed when well.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap::alerts;
use muhatap::app::App;
use muhatap::config::Config;
use muhatap::deliver::Sender;
use muhatap::model::{AccountId, DeliveryId, DeliveryState, Health, Network};
use muhatap::standing::Scope;
use muhatap::store::Store;
use muhatap::store::alerts::AlertView;
use muhatap::store::deliveries::{Decision, DeliveryFilter, DeliveryKind, DeliveryView};
use muhatap::telling;
use rstest::rstest;
use serde_json::Value;
use sqlx::Connection;
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::mail::{End, MailServer};
use crate::support::{Backend, Database, eventually, fresh_store, messages};

const TEXT: &str = "nobody but the network may read this";

/// A delivery in a state, written past the loops that would have brought it there.
pub async fn delivery(
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
    store
        .set_health(account, Health::Unauthorized, Some("the network refuses the token"), Duration::ZERO)
        .await
        .unwrap();

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
    store.set_health(account, Health::Ok, None, Duration::ZERO).await.unwrap();
    store.raise_alerts(now).await.unwrap();
    let open = open_alerts(&store).await;
    assert_eq!(open.iter().map(|alert| alert.kind.as_str()).collect::<Vec<_>>(), ["delivery_failed"]);
    // What failed stays failed: it is told for a day, and never again.
    let tomorrow = now + SignedDuration::from_hours(25);
    store.raise_alerts(tomorrow).await.unwrap();
    assert_eq!(store.open_alert_count().await.unwrap(), 0);
    assert!(store.raise_alerts(tomorrow).await.unwrap().is_empty());
}

/// What signs the webhook.
const SECRET: &str = "whsec_bXVoYXRhcCBkZW5lbWUgYW5haHRhcsSxIDEyMw==";

/// One round of alerts, and one look at each lane that tells of them.
async fn tell(app: &Arc<App>, sender: &Sender, now: Timestamp) {
    alerts::round(app, now).await.expect("alerts can be raised");
    for (account, lane) in [(telling::EMAIL, "ekip@example.com"), (telling::WEBHOOK, "events")] {
        let account = app.store.account_by_name(account).await.expect("the file names it").id;
        sender.turn(&format!("{account}/{lane}"), now).await.expect("the database answers");
    }
}

/// An app that tells by mail and webhook; secrets are in files.
async fn app(database: &Database, smtp_port: u16, webhook: &str) -> Arc<App> {
    app_for(database, smtp_port, webhook, "ekip@example.com").await
}

/// The same, with another reader.
async fn app_for(database: &Database, smtp_port: u16, webhook: &str, reader: &str) -> Arc<App> {
    let path = |name: &str| database.dir().join(name);
    std::fs::write(path("smtp"), format!("smtp://127.0.0.1:{smtp_port}")).unwrap();
    std::fs::write(path("secret"), SECRET).unwrap();
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
        to = ["{reader}"]
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
    let app = App::open(config).await.expect("the app opens");
    app.put_accounts().await.expect("the ways of telling are taken up");
    app
}

#[rstest]
#[tokio::test]
async fn people_are_told_by_mail_and_webhook_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = Database::fresh(backend).await;
    let mails = MailServer::start().await;
    let webhook = MockServer::start().await;
    // The webhook is down at first: the mail is not sent again for its sake.
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&webhook).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&webhook).await;
    let app = app(&database, mails.port, &webhook.uri()).await;
    let account = messages::account(&app.store, "destek", Network::Mastodon).await;
    for _ in 0..30 {
        delivery(&database, account, "failed", None, app.store.clock()).await;
    }
    let sender = Sender::open(app.clone()).expect("the journal's folder can be made");
    let now = app.store.clock();
    tell(&app, &sender, now).await;
    let mail = mails.kept();
    assert_eq!(mail.len(), 1, "thirty alerts are one mail");
    assert_eq!(mail[0].subject, "[Muhatap] 30 açık uyarı · Gönderilemedi: 30");
    let text = &mail[0].text;
    assert!(text.contains("destek hesabındaki bir gönderi gönderilemedi"), "{text}");
    assert!(text.contains("10 tane daha · Gönderilemedi: 10"), "{text}");
    assert!(text.contains("https://muhatap.example/deliveries/"), "{text}");
    assert!(!text.contains(TEXT) && !text.contains(SECRET), "{text}");
    assert_eq!(mail[0].header("Content-Type"), "text/plain; charset=utf-8");
    assert_eq!(mail[0].header("Auto-Submitted"), "auto-generated");
    let told = app.store.account_by_name(telling::EMAIL).await.unwrap();
    let filter = DeliveryFilter { account_id: Some(told.id), ..DeliveryFilter::default() };
    let delivery = app.store.deliveries(&filter).await.unwrap().remove(0);
    assert_eq!(mail[0].header("Message-ID"), format!("<{}@example.com>", delivery.id));
    let open = open_alerts(&app.store).await;
    assert!(
        open.iter().all(|alert| alert.told_at.is_none()
            && alert.failure_reason.as_deref().is_some_and(|reason| reason.contains("503")))
    );

    tell(&app, &sender, now).await;
    assert_eq!(webhook.received_requests().await.unwrap().len(), 1, "not before its time");
    let later = now + SignedDuration::from_secs(40);
    tell(&app, &sender, later).await;
    tell(&app, &sender, later + SignedDuration::from_hours(1)).await;
    assert_eq!(mails.kept().len(), 1, "told is told");
    let requests = webhook.received_requests().await.unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body, "the same again");
    assert_eq!(requests[0].headers.get("webhook-id"), requests[1].headers.get("webhook-id"));
    assert!(
        open_alerts(&app.store).await.iter().all(|alert| alert.told_at.is_some() && alert.failure_reason.is_none())
    );
    // How telling went is not told: it would never end.
    assert_eq!(open_alerts(&app.store).await.len(), 30);

    let signed = requests[1].headers.get("webhook-signature").expect("it is signed").to_str().unwrap();
    assert!(signed.starts_with("v1,"), "{signed}");
    let body = String::from_utf8(requests[1].body.clone()).unwrap();
    assert!(!body.contains(TEXT), "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["type"], "alerts.raised");
    let told = &body["data"]["alerts"];
    assert_eq!(told.as_array().unwrap().len(), 30);
    assert_eq!(told[0]["kind"], "delivery_failed");
    assert!(told[0]["url"].as_str().unwrap().starts_with("https://muhatap.example/deliveries/"));
}

/// Leases end under a worker that hangs, so two may come to it at once.
#[rstest]
#[tokio::test]
async fn two_workers_that_tell_at_once_tell_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = Database::fresh(backend).await;
    let mails = MailServer::start().await;
    let webhook = MockServer::start().await;
    let one = app(&database, mails.port, &webhook.uri()).await;
    let other = app(&database, mails.port, &webhook.uri()).await;
    let account = messages::account(&one.store, "destek", Network::Mastodon).await;
    let now = one.store.clock();
    for _ in 0..5 {
        delivery(&database, account, "failed", None, now).await;
        let (first, second) = tokio::join!(alerts::round(&one, now), alerts::round(&other, now));
        first.and(second).expect("the alerts are raised");
    }
    let told = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM alert_tellings t JOIN deliveries d ON d.id = t.delivery_id
        GROUP BY t.alert_id, d.action) AS ways";
    assert_eq!(database.number(told).await, 10, "each alert by both ways");
    assert_eq!(database.number("SELECT COUNT(*) FROM alert_tellings").await, 10, "and by each of them once");
}

#[rstest]
#[tokio::test]
async fn one_worker_tells_at_a_time_and_the_loop_ends_when_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let mails = MailServer::start().await;
    let webhook = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&webhook).await;
    let one = app(&database, mails.port, &webhook.uri()).await;
    let other = app(&database, mails.port, &webhook.uri()).await;
    let account = messages::account(&one.store, "destek", Network::Mastodon).await;
    delivery(&database, account, "unknown", None, one.store.clock()).await;
    let loops = [
        tokio::spawn(alerts::run(one.clone())),
        tokio::spawn(alerts::run(other.clone())),
        tokio::spawn(muhatap::outbox::run(one.clone())),
        tokio::spawn(muhatap::deliver::run(one.clone())),
    ];
    eventually("the alert is told", || async {
        open_alerts(&one.store).await.iter().any(|alert| alert.told_at.is_some())
    })
    .await;
    one.shutdown.cancel();
    other.shutdown.cancel();
    for ended in loops {
        tokio::time::timeout(std::time::Duration::from_secs(10), ended).await.expect("it ends soon").unwrap();
    }
    assert_eq!(mails.kept().len(), 1);
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
    delivery(&database, account, "held", Some("late"), app.store.clock()).await;
    let sender = Sender::open(app.clone()).expect("the journal's folder can be made");
    tell(&app, &sender, app.store.clock()).await;
    let alert = &open_alerts(&app.store).await[0];
    let reason = alert.failure_reason.as_deref().unwrap_or_default();
    assert!(alert.told_at.is_none() && reason.starts_with("alerts.email: network unavailable"), "{alert:?}");
    assert_eq!(webhook.received_requests().await.unwrap().len(), 1, "the webhook does not wait for the mail");
}

/// An app whose webhook takes everything, with one alert to tell, and what sends.
async fn one_alert(mails: &MailServer) -> (Database, Arc<App>, Arc<Sender>, MockServer) {
    let database = Database::fresh(Backend::Sqlite).await;
    let webhook = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&webhook).await;
    let app = app(&database, mails.port, &webhook.uri()).await;
    let account = messages::account(&app.store, "destek", Network::Mastodon).await;
    delivery(&database, account, "held", Some("restored"), app.store.clock()).await;
    let sender = Arc::new(Sender::open(app.clone()).expect("the journal's folder can be made"));
    (database, app, sender, webhook)
}

/// The one mail in the outbox.
async fn the_mail(app: &App) -> DeliveryView {
    let filter = DeliveryFilter { kind: Some(DeliveryKind::Mail), ..DeliveryFilter::default() };
    let mut mails = app.store.deliveries(&filter).await.expect("deliveries can be read");
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails.remove(0)
}

#[tokio::test]
async fn a_mail_that_was_certainly_not_taken_is_sent_again_and_one_that_is_refused_is_a_dead_letter() {
    let mails = MailServer::start().await;
    let (_database, app, sender, _webhook) = one_alert(&mails).await;
    mails.end_next(&[End::Message("451 try later"), End::Recipient("550 no such reader")]);
    let now = app.store.clock();
    tell(&app, &sender, now).await;
    let mail = the_mail(&app).await;
    assert_eq!(mail.state, DeliveryState::Retry, "{mail:?}");
    assert!(mail.reason.as_deref().is_some_and(|reason| reason.contains("try later")), "{mail:?}");

    tell(&app, &sender, now + SignedDuration::from_mins(1)).await;
    let mail = the_mail(&app).await;
    assert_eq!(mail.state, DeliveryState::Failed, "{mail:?}");
    assert!(mail.reason.as_deref().is_some_and(|reason| reason.contains("no such reader")), "{mail:?}");
    let alert = open_alerts(&app.store).await.into_iter().find(|alert| alert.kind == "delivery_held").unwrap();
    assert!(alert.failure_reason.is_some_and(|reason| reason.contains("no such reader")));
    assert!(mails.kept().is_empty());

    // Like any other delivery it stands in the list, is counted, and goes out again when a person says so.
    let listed = app.store.deliveries(&DeliveryFilter::default()).await.unwrap();
    assert!(listed.iter().any(|delivery| delivery.id == mail.id));
    let failed = app.store.delivery_counts().await.unwrap();
    assert!(failed.contains(&(DeliveryState::Failed, 1)), "{failed:?}");
    let later = now + SignedDuration::from_mins(2);
    app.store.decide(mail.id, Decision::Queue, Duration::ZERO, "ayşe", later).await.unwrap();
    tell(&app, &sender, later + SignedDuration::from_mins(1)).await;
    assert_eq!(the_mail(&app).await.state, DeliveryState::Sent);
    assert_eq!(mails.kept().len(), 1);
}

#[tokio::test]
async fn an_address_that_the_server_cannot_take_fails_with_that_reason() {
    let mails = MailServer::start().await;
    let database = Database::fresh(Backend::Sqlite).await;
    // The server does not know SMTPUTF8.
    let reader = "ışık@example.com";
    let app = app_for(&database, mails.port, "https://hook.example", reader).await;
    let account = messages::account(&app.store, "destek", Network::Mastodon).await;
    delivery(&database, account, "held", Some("restored"), app.store.clock()).await;
    let sender = Sender::open(app.clone()).expect("the journal's folder can be made");
    let now = app.store.clock();
    alerts::round(&app, now).await.expect("alerts can be raised");
    let way = app.store.account_by_name(telling::EMAIL).await.expect("the file names it").id;
    sender.turn(&format!("{way}/{reader}"), now).await.expect("the database answers");
    let mail = the_mail(&app).await;
    assert_eq!(mail.state, DeliveryState::Failed, "{mail:?}");
    assert!(mail.reason.as_deref().is_some_and(|reason| reason.contains("the server cannot take it")), "{mail:?}");
}

#[tokio::test]
async fn a_mail_with_an_unclear_end_is_sent_again_under_its_id_and_not_for_ever() {
    let mails = MailServer::start().await;
    let (_database, app, sender, _webhook) = one_alert(&mails).await;
    mails.end_next(&[End::KeptInSilence; 4]);
    let mut now = app.store.clock();
    for state in [DeliveryState::Retry, DeliveryState::Retry, DeliveryState::Unknown, DeliveryState::Unknown] {
        tell(&app, &sender, now).await;
        assert_eq!(the_mail(&app).await.state, state);
        now += SignedDuration::from_mins(5);
    }
    let kept = mails.kept();
    assert_eq!(kept.len(), 3, "a person decides then");
    let id = format!("<{}@example.com>", the_mail(&app).await.id);
    assert!(kept.iter().all(|mail| mail.header("Message-ID") == id), "{kept:?}");
}

#[tokio::test]
async fn readers_are_told_of_the_next_trouble_while_a_mail_waits_for_a_person() {
    let mails = MailServer::start().await;
    let (database, app, sender, _webhook) = one_alert(&mails).await;
    mails.end_next(&[End::KeptInSilence; 3]);
    let mut now = app.store.clock();
    for _ in 0..3 {
        tell(&app, &sender, now).await;
        now += SignedDuration::from_mins(5);
    }
    assert_eq!(the_mail(&app).await.state, DeliveryState::Unknown);
    let account = app.store.account_by_name("destek").await.unwrap().id;
    delivery(&database, account, "held", Some("restored"), now).await;
    tell(&app, &sender, now).await;
    let ids: BTreeSet<String> = mails.kept().iter().map(|mail| mail.header("Message-ID").to_owned()).collect();
    assert_eq!((mails.kept().len(), ids.len()), (4, 2));
}

#[tokio::test]
async fn mails_wait_for_a_login_that_works_and_nobody_is_told_the_password() {
    let mails = MailServer::start().await;
    let (database, app, sender, webhook) = one_alert(&mails).await;
    let smtp = |password: &str| {
        let url = format!("smtp://muhatap:{password}@127.0.0.1:{}", mails.port);
        std::fs::write(database.dir().join("smtp"), url).unwrap();
    };
    smtp("geheim");
    app.put_accounts().await.expect("the mail server is taken up");
    mails.end_next(&[End::Login("535 wrong user or password")]);
    let now = app.store.clock();
    tell(&app, &sender, now).await;
    tell(&app, &sender, now + SignedDuration::from_mins(1)).await;
    let mail = the_mail(&app).await;
    assert_eq!(mail.state, DeliveryState::Held, "{mail:?}");
    let mut kinds: Vec<String> = open_alerts(&app.store).await.into_iter().map(|alert| alert.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["delivery_held", "mail"]);
    let requests = webhook.received_requests().await.unwrap();
    let told: String = requests.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
    assert!(!told.contains("geheim") && !format!("{mail:?}").contains("geheim"), "{told} {mail:?}");

    smtp("doğru");
    app.put_accounts().await.expect("the mail server is taken up");
    let later = app.store.clock() + SignedDuration::from_mins(2);
    tell(&app, &sender, later).await;
    assert_eq!(the_mail(&app).await.state, DeliveryState::Sent);
    assert_eq!(open_alerts(&app.store).await.len(), 1, "the mailbox is well again");
}

#[tokio::test]
async fn trouble_with_telling_is_one_alert_and_only_told_by_the_other_way() {
    let mails = MailServer::start().await;
    let (_database, app, sender, webhook) = one_alert(&mails).await;
    mails.end_next(&[End::Recipient("550 no such reader"); 100]);
    let now = app.store.clock();
    for minute in 0..30 {
        tell(&app, &sender, now + SignedDuration::from_mins(minute)).await;
    }
    let mut kinds: Vec<String> = open_alerts(&app.store).await.into_iter().map(|alert| alert.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["delivery_held", "mail"], "no delivery that tells is told of, and its way once");
    the_mail(&app).await;
    let bodies: Vec<Value> = webhook
        .received_requests()
        .await
        .unwrap()
        .iter()
        .filter_map(|request| serde_json::from_slice(&request.body).ok())
        .collect();
    let told: Vec<&str> = bodies
        .iter()
        .flat_map(|body| body["data"]["alerts"].as_array().unwrap())
        .map(|alert| alert["kind"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["delivery_held", "mail"]);
}

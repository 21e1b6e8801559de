//! Digests: one mail to each reader and date, whoever makes it, in the readers' language, with nobody's text in it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muhatap::app::App;
use muhatap::config::Config;
use muhatap::deliver::Sender;
use muhatap::model::{DeliveryState, IntentLabel, Network, SentimentLabel};
use muhatap::store::corrections::NewCorrection;
use muhatap::store::deliveries::{DeliveryFilter, DeliveryKind};
use muhatap::{digest, telling};
use muhatap_connectors::Change;
use rstest::rstest;

use crate::alerts::delivery;
use crate::support::mail::MailServer;
use crate::support::messages::{account, batch, lease, message};
use crate::support::{Backend, Database};

const TEXT: &str = "kargom hâlâ gelmedi, kimse cevap vermiyor";
const READERS: [&str; 2] = ["ekip@example.com", "mudur@example.com"];

/// An app with a digest at the minute `due_at` lies in.
async fn app(database: &Database, mails: &MailServer, due_at: Timestamp, language: &str) -> Arc<App> {
    let smtp = database.dir().join("smtp");
    std::fs::write(&smtp, format!("smtp://127.0.0.1:{}", mails.port)).expect("a file can be written");
    let at = due_at.in_tz("Europe/Istanbul").expect("a bundled zone").strftime("%H:%M").to_string();
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
        to = []
        [digest]
        to = {READERS:?}
        at = "{at}"
        language = "{language}"
        "#,
        data = database.dir().display(),
        url = database.url,
        smtp = smtp.display(),
    );
    let config = Config::parse(&config, None, &Default::default()).expect("the configuration is sound");
    let app = App::open(config).await.expect("the app opens");
    app.put_accounts().await.expect("the mail server is taken up");
    app
}

/// A minute of today's clock that has passed, and is not over midnight from now.
fn a_minute_ago(now: Timestamp) -> Timestamp {
    now - SignedDuration::from_mins(1)
}

/// One look at each reader's lane.
async fn send(app: &Arc<App>, now: Timestamp) {
    let sender = Sender::open(app.clone()).expect("the journal's folder can be made");
    let account = app.store.account_by_name(telling::EMAIL).await.expect("the file names it").id;
    for reader in READERS {
        sender.turn(&format!("{account}/{reader}"), now).await.expect("the database answers");
    }
}

#[rstest]
#[tokio::test]
async fn every_reader_gets_one_digest_a_date_whoever_makes_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let mails = MailServer::start().await;
    let clock = database.store().await.clock();
    let one = app(&database, &mails, a_minute_ago(clock), "tr").await;
    let other = app(&database, &mails, a_minute_ago(clock), "tr").await;
    let now = one.store.clock();
    let (first, second) = tokio::join!(digest::round(&one, now), digest::round(&other, now));
    assert_eq!(first.expect("made") + second.expect("made"), 2, "one for each reader");
    let again = app(&database, &mails, a_minute_ago(clock), "tr").await;
    assert_eq!(digest::round(&again, now).await.expect("looked"), 0, "nor after a restart");
    assert_eq!(
        digest::round(&again, now + SignedDuration::from_hours(23)).await.expect("looked"),
        0,
        "its day is over"
    );

    send(&one, one.store.clock()).await;
    let to: Vec<bool> =
        READERS.iter().map(|reader| mails.kept().iter().any(|mail| mail.header("To") == *reader)).collect();
    assert_eq!((mails.kept().len(), to), (2, vec![true, true]));
    let filter = DeliveryFilter { kind: Some(DeliveryKind::Mail), ..DeliveryFilter::default() };
    let deliveries = one.store.deliveries(&filter).await.expect("read");
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Sent && delivery.text.contains("→")));

    let tomorrow = now + SignedDuration::from_hours(24);
    assert_eq!(digest::round(&one, tomorrow).await.expect("made"), 2);
    assert_eq!(digest::round(&one, tomorrow).await.expect("made"), 0);
}

#[rstest]
#[tokio::test]
async fn a_digest_counts_names_and_links_and_quotes_nobody(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let mails = MailServer::start().await;
    let store = database.store().await;
    let now = store.clock();
    let destek = account(&store, "destek", Network::Mastodon).await;
    let mut said = message("https://n/1", TEXT);
    said.published_at = now - SignedDuration::from_hours(3);
    let stream = lease(&store, destek).await;
    let mention = store.record(&stream, &batch([Change::Seen(said)])).await.expect("recorded").new[0];
    let told = NewCorrection::new(Some(SentimentLabel::Negative), Some(vec![IntentLabel::Complaint]))
        .expect("it says something");
    store.correct(mention, &told, "local").await.expect("it can be corrected");
    let failed = delivery(&database, destek, "failed", None, now - SignedDuration::from_mins(10)).await;
    delivery(&database, destek, "sent", None, now).await;
    database
        .execute(
            "INSERT INTO gaps (id, stream_id, from_at, until_at, reason, state, created_at, changed_at)
             SELECT 'gap', id, 1795000000000000, 1795003600000000, 'test', 'filling', created_at, created_at FROM streams",
        )
        .await;

    let turkish = app(&database, &mails, a_minute_ago(now), "tr").await;
    let edition = digest::preview(&turkish, now).await.expect("read").expect("it is set up");
    assert!(edition.subject.contains("1 mesaj, 1 yanıtsız şikâyet, 1 gönderi sizi bekliyor"), "{}", edition.subject);
    for part in [
        "Olumsuz: 1",
        "Şikâyet: 1",
        "destek (Mastodon)",
        &format!("https://muhatap.example/mentions/{mention}"),
        &format!("https://muhatap.example/deliveries/{failed}"),
        "1 boşluk",
        "dolduruluyor",
    ] {
        assert!(edition.text.contains(part), "{part}: {}", edition.text);
    }
    assert!(!edition.text.contains("kargom") && !edition.text.contains("ayse"), "{}", edition.text);
    let english = app(&database, &mails, a_minute_ago(now), "en").await;
    let edition = digest::preview(&english, now).await.expect("read").expect("it is set up");
    assert!(edition.subject.contains("1 mention, 1 unanswered complaint, 1 delivery needs you"), "{}", edition.subject);
    assert!(edition.text.contains("Negative: 1") && edition.text.contains("being filled"), "{}", edition.text);
    assert_eq!(mails.kept().len(), 0, "a preview sends nothing");

    digest::round(&turkish, now).await.expect("made");
    send(&turkish, store.clock()).await;
    let sent = mails.kept();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].subject.contains("1 yanıtsız şikâyet"), "{:?}", sent[0]);
    assert!(sent[0].text.contains("Şikâyet: 1") && sent[0].text.contains("1 boşluk"), "{:?}", sent[0]);
    // What was told is not told again: only what still waits is.
    let later = digest::preview(&english, now + SignedDuration::from_hours(2)).await.expect("read").expect("set up");
    assert_eq!((later.digest.sentiments.len(), later.digest.stopped.len(), later.digest.unanswered), (0, 0, 1));
}

#[tokio::test]
async fn a_digest_of_a_quiet_day_is_sent_and_says_so() {
    let database = Database::fresh(Backend::Sqlite).await;
    let mails = MailServer::start().await;
    let now = database.store().await.clock();
    let app = app(&database, &mails, a_minute_ago(now), "tr").await;
    digest::round(&app, now).await.expect("made");
    send(&app, app.store.clock()).await;
    let mails = mails.kept();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].subject.ends_with(" · 0 mesaj"), "{}", mails[0].subject);
    for said in ["0 mesaj", "0 yanıtsız şikâyet", "0 gönderi sizi bekliyor", "0 boşluk"] {
        assert!(mails[0].text.contains(said), "{said}: {}", mails[0].text);
    }
    assert!(!mails[0].text.contains("\n- "), "{}", mails[0].text);
}

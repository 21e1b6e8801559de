//! Listening, from the network's answer to the stored mention, over a network made of a list.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use muhatap::app::App;
use muhatap::config::Config;
use muhatap::model::{AccountId, Health, Network};
use muhatap::store::inbox::MentionFilter;
use muhatap::{listen, live::Wake};
use muhatap_connectors::{
    Batch, Change, Connector, ConnectorError, Cursor, Incoming, Profile, Publisher, Stream, StreamKind, Unparsed,
};
use rstest::rstest;
use tokio::sync::Notify;

use crate::support::messages::{account, message, minutes_later, noon};
use crate::support::{Backend, Database, eventually};

/// A network that has a list of messages and gives a few after any cursor; each keyword finds them all.
struct Timeline {
    messages: Mutex<Vec<Incoming>>,
    streams: Vec<Stream>,
    trouble: Mutex<Option<Trouble>>,
    polls: AtomicUsize,
    polled: Notify,
    hangs: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Unauthorized,
    Away,
    /// Searches alone are limited.
    SearchLimited,
    /// Every answer holds an item that cannot be read.
    Garbage,
}

impl Timeline {
    fn new(streams: Vec<Stream>) -> Arc<Self> {
        Arc::new(Self {
            messages: Mutex::default(),
            streams,
            trouble: Mutex::default(),
            polls: AtomicUsize::new(0),
            polled: Notify::new(),
            hangs: AtomicBool::new(false),
        })
    }

    fn say(&self, count: usize) {
        let mut messages = self.messages.lock().expect("no test panics here");
        for _ in 0..count {
            let number = messages.len();
            let mut incoming = message(&format!("https://n/{number}"), &format!("kargom gelmedi {number}"));
            incoming.published_at = minutes_later(noon(), number as i64);
            messages.push(incoming);
        }
    }

    fn trouble(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().expect("no test panics here") = trouble;
    }
}

#[async_trait]
impl Connector for Timeline {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        if *self.trouble.lock().expect("no test panics here") == Some(Trouble::Unauthorized) {
            return Err(ConnectorError::Unauthorized("token revoked".to_owned()));
        }
        Ok(Profile {
            remote_id: "https://network.example/users/us".to_owned(),
            handle: "us".to_owned(),
            display_name: "Biz".to_owned(),
            url: None,
        })
    }

    fn streams(&self) -> Vec<Stream> {
        self.streams.clone()
    }

    async fn poll(&self, stream: &Stream, after: Option<&Cursor>, _: Timestamp) -> Result<Batch, ConnectorError> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.polled.notify_one();
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let trouble = *self.trouble.lock().expect("no test panics here");
        match trouble {
            Some(Trouble::Unauthorized) => return Err(ConnectorError::Unauthorized("token revoked".to_owned())),
            Some(Trouble::Away) => return Err(ConnectorError::Unavailable("connection refused".into())),
            Some(Trouble::SearchLimited) if stream.kind == StreamKind::Search => {
                return Err(ConnectorError::RateLimited(Duration::from_secs(900)));
            }
            _ => {}
        }
        let from: usize = after.and_then(|cursor| cursor.0.parse().ok()).unwrap_or_default();
        let messages = self.messages.lock().expect("no test panics here");
        let until = (from + 7).min(messages.len());
        // The last one again, as networks that index late are read with an overlap.
        let changes = messages[from.saturating_sub(1)..until].iter().cloned().map(Change::Seen).collect();
        let unparsed = match trouble {
            Some(Trouble::Garbage) => vec![Unparsed { raw: "<html>".to_owned(), reason: "not JSON".to_owned() }],
            _ => Vec::new(),
        };
        Ok(Batch {
            changes,
            unparsed,
            next: Cursor(until.to_string()),
            complete_up_to: Some(noon()),
            filling: None,
            lost: Vec::new(),
            more: until < messages.len(),
        })
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
}

fn mentions() -> Stream {
    Stream { kind: StreamKind::Mentions, query: String::new() }
}

fn search() -> Stream {
    Stream { kind: StreamKind::Search, query: "#marka".to_owned() }
}

/// A process that listens to `timeline` as the account `destek`.
async fn process(database: &Database, timeline: &Arc<Timeline>) -> (Arc<App>, AccountId) {
    let mut config = Config::default();
    config.database.url.clone_from(&database.url);
    config.data_dir = Some(database.dir().to_owned());
    let app = App::open(config).await.expect("a fresh database opens");
    let destek = account(&app.store, "destek", Network::Mastodon).await;
    let row = app.store.account(destek).await.expect("it was just added");
    app.connectors.put(&row, timeline.clone());
    (app, destek)
}

async fn stored(app: &App) -> usize {
    let filter = MentionFilter { limit: 500, ..MentionFilter::default() };
    app.store.mentions(&filter).await.expect("mentions can be read").len()
}

#[rstest]
#[tokio::test]
async fn what_strangers_write_is_stored_page_after_page_and_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    timeline.say(40);
    let (app, destek) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    eventually("all forty are stored", async || stored(&app).await == 40).await;
    eventually("the account is well", async || {
        app.store.account(destek).await.is_ok_and(|account| account.health == Health::Ok)
    })
    .await;
    app.live.wait(Wake::Events, Duration::from_secs(5)).await;
    let view = app.store.account_view(destek).await.expect("the account is there");
    assert_eq!(view.complete_up_to, Some(noon()));
    assert_eq!(view.account.handle.as_deref(), Some("us"));

    timeline.say(3);
    app.store.poll_account_now(destek).await.expect("streams can be made due");
    app.live.wake(Wake::Streams);
    eventually("what came later is stored too", async || stored(&app).await == 43).await;
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
    assert_eq!(database.number("SELECT COUNT(*) FROM conversations").await, 43);
}

#[rstest]
#[tokio::test]
async fn two_processes_on_one_database_store_everything_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new((0..6).map(|n| Stream { kind: StreamKind::Search, query: format!("#{n}") }).collect());
    timeline.say(60);
    let (first, destek) = process(&database, &timeline).await;
    let (second, _) = process(&database, &timeline).await;
    let running = [tokio::spawn(listen::run(first.clone())), tokio::spawn(listen::run(second.clone()))];
    eventually("every stream was read to its end", async || {
        let view = first.store.account_view(destek).await.expect("the account is there");
        stored(&first).await == 60
            && view.streams.len() == 6
            && view.streams.iter().all(|stream| stream.next_poll_at > first.store.clock())
    })
    .await;
    first.shutdown.cancel();
    second.shutdown.cancel();
    for end in running {
        end.await.expect("it does not panic").expect("it ends well");
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM mentions").await, 60);
    assert_eq!(database.number("SELECT CAST(SUM(mentions) AS BIGINT) FROM rollups").await, 60, "counted once");
}

#[rstest]
#[tokio::test]
async fn credentials_that_are_refused_are_told_and_tried_again_later(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    timeline.say(1);
    timeline.trouble(Some(Trouble::Unauthorized));
    let (app, destek) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    eventually("the account is marked", async || {
        app.store.account(destek).await.is_ok_and(|account| account.health == Health::Unauthorized)
    })
    .await;
    let account = app.store.account(destek).await.expect("the account is there");
    assert!(account.health_reason.is_some_and(|reason| reason.contains("token revoked")));
    let again = app.store.next_poll_at().await.expect("it can be asked").expect("there is a stream");
    let wait = again.duration_since(app.store.clock()).as_secs();
    assert!((31..=60).contains(&wait), "not every half minute, but soon at first: {wait} s");

    timeline.trouble(None);
    app.store.poll_account_now(destek).await.expect("streams can be made due");
    app.live.wake(Wake::Streams);
    eventually("the account is well", async || {
        app.store.account(destek).await.is_ok_and(|account| account.health == Health::Ok)
    })
    .await;
    assert_eq!(stored(&app).await, 1);
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
}

#[rstest]
#[tokio::test]
async fn a_limit_on_search_leaves_mentions_flowing_and_the_account_well(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![search(), mentions()]);
    timeline.say(20);
    timeline.trouble(Some(Trouble::SearchLimited));
    let (app, destek) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    eventually("mentions are stored and the search waits", async || {
        let view = app.store.account_view(destek).await.expect("the account is there");
        stored(&app).await == 20 && view.streams.iter().any(|stream| stream.failure_reason.is_some())
    })
    .await;
    let view = app.store.account_view(destek).await.expect("the account is there");
    let search = view.streams.iter().find(|stream| stream.name == "search:#marka").expect("it is shown");
    assert!(search.failure_reason.as_deref().is_some_and(|reason| reason.contains("900 s")));
    assert_ne!(view.account.health, Health::Failing);
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
}

#[rstest]
#[tokio::test]
async fn a_network_that_stays_away_is_told_from_the_second_time_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    timeline.trouble(Some(Trouble::Away));
    let (app, destek) = process(&database, &timeline).await;
    app.store.set_profile(destek, &timeline.who_am_i().await.expect("it is known")).await.expect("it is new");
    let running = tokio::spawn(listen::run(app.clone()));
    let seen = async |failures: i64, health: Health| {
        let view = app.store.account_view(destek).await.expect("it is there");
        view.streams.first().is_some_and(|stream| stream.failures == failures) && view.account.health == health
    };
    // A new stream is due by itself; the next poll comes only when it is asked for.
    eventually("the first poll failed", async || seen(1, Health::New).await).await;
    app.store.poll_account_now(destek).await.expect("streams can be made due");
    app.live.wake(Wake::Streams);
    eventually("the second one failed", async || seen(2, Health::Failing).await).await;
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_read_is_kept_and_does_not_stop_the_rest(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    timeline.say(10);
    timeline.trouble(Some(Trouble::Garbage));
    let (app, destek) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    eventually("all ten are stored", async || stored(&app).await == 10).await;
    assert_eq!(app.store.account_view(destek).await.expect("it is there").unparsed, 1);
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
}

#[rstest]
#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_poll_gives_the_stream_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    timeline.hangs.store(true, Ordering::SeqCst);
    let (app, _) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    timeline.polled.notified().await;
    let asked = Instant::now();
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
    assert!(asked.elapsed() < Duration::from_secs(10));
    let next = app.store.take_due_stream("next", Duration::from_secs(60)).await.expect("it can be taken");
    assert!(next.is_some_and(|lease| lease.cursor.is_none()), "the next worker starts at once, from the same place");
}

#[rstest]
#[tokio::test]
async fn an_account_added_by_another_process_is_listened_to_within_a_second_or_two(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let timeline = Timeline::new(vec![mentions()]);
    let (app, _) = process(&database, &timeline).await;
    let running = tokio::spawn(listen::run(app.clone()));
    timeline.polled.notified().await;
    let other = database.store().await;
    let second = account(&other, "basin", Network::Mastodon).await;
    app.connectors.put(&other.account(second).await.expect("it was just added"), timeline.clone());
    let added = Instant::now();
    eventually("its stream exists", async || {
        other.account_view(second).await.is_ok_and(|view| !view.streams.is_empty())
    })
    .await;
    assert!(added.elapsed() < Duration::from_secs(5));
    app.shutdown.cancel();
    running.await.expect("it does not panic").expect("it ends well");
}

//! What a million scheduled deliveries cost: adding one, claiming one that is due, a month of the schedule as a page,
//! cancelling, each before and after the million is there. `cargo bench --bench scheduled`; `-- --scheduled N` for
//! another number, `--only SQLite` or `--only PostgreSQL` for one of the two.
//!
//! Between the two looks the rows are made by one statement in the database; what is measured goes through the store, and
//! the page through the console's own HTTP.

#[path = "rig/postgres.rs"]
mod postgres;
mod rig;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muhatap::model::{AccountId, Class, DeliveryId};
use muhatap::store::Store;
use muhatap::store::attempts::{Outcome, Turn};
use muhatap::store::enqueue::{Enqueued, NewDelivery, NewPost, Origin};
use muhatap_connectors::Visibility;
use postgres::Postgres;
use rig::{Worker, argument, configure};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Rows that one look adds and cancels, lanes that it claims, and pages that it reads.
const ADDED: usize = 500;
const CLAIMED: usize = 200;
const PAGES: usize = 30;
/// The million is spread over so many days from tomorrow on.
const DAYS: i64 = 365;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Look {
    adding: Duration,
    claiming: Duration,
    month: Duration,
    cancelling: Duration,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider is installed");
    sqlx::any::install_default_drivers();
    let scheduled: u64 = argument("--scheduled").map_or(1_000_000, |text| text.parse().expect("a number"));
    let only = argument("--only");
    println!(
        "{:12} {:>10} {:>12} {:>12} {:>12} {:>12}   medians",
        "", "waiting", "add", "claim", "month page", "cancel"
    );
    for name in ["SQLite", "PostgreSQL"].into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name)) {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let postgres = (name == "PostgreSQL").then(|| Postgres::start().0);
        let database = match &postgres {
            Some(postgres) => postgres.database("scheduled").await,
            None => format!("sqlite:{}", dir.path().join("muhatap.db").display()),
        };
        let console = format!("127.0.0.1:{}", rig::free_port());
        let config = configure(dir.path(), &database, "local:", "http://127.0.0.1:9", &console);
        let _worker = Worker::start(&config, "console");
        let store = Store::open(&database).await.expect("the database opens");
        let month = first_page(&console, store.clock()).await;
        let accounts: Vec<AccountId> =
            store.accounts().await.expect("the database answers").iter().map(|account| account.id).collect();
        row(name, 0, &look(&store, &accounts, &month, 0).await);
        let began = Instant::now();
        fill(&database, scheduled, store.clock()).await;
        println!("{name:12} {scheduled} rows made in {:.0?}", began.elapsed());
        row(name, scheduled, &look(&store, &accounts, &month, 1).await);
        store.close().await;
    }
}

fn row(name: &str, waiting: u64, look: &Look) {
    let milliseconds = |took: Duration| format!("{:.2} ms", took.as_secs_f64() * 1e3);
    println!(
        "{name:12} {waiting:>10} {:>12} {:>12} {:>12} {:>12}",
        milliseconds(look.adding),
        milliseconds(look.claiming),
        milliseconds(look.month),
        milliseconds(look.cancelling)
    );
}

async fn look(store: &Store, accounts: &[AccountId], month: &str, round: usize) -> Look {
    let later = store.clock() + SignedDuration::from_hours(40 * 24);
    let (mut ids, mut took) = (Vec::new(), Vec::new());
    for number in 0..ADDED {
        let began = Instant::now();
        ids.push(add(store, accounts[number % accounts.len()], format!("{round} later {number}"), later).await);
        took.push(began.elapsed());
    }
    let adding = median(took);

    let now = store.clock();
    for (number, account) in accounts.iter().take(CLAIMED).enumerate() {
        add(store, *account, format!("{round} now {number}"), now).await;
    }
    let mut took = Vec::new();
    for account in accounts.iter().take(CLAIMED) {
        let began = Instant::now();
        let turn = store.take(&lane(*account), "benchmark", Duration::from_secs(60), None, store.clock()).await;
        took.push(began.elapsed());
        let Ok(Turn::Send(work)) = turn else { panic!("there is something to send: {turn:?}") };
        let refused = Outcome::Failed { reason: "only claimed".into() };
        assert!(store.finish(&work, &refused, Duration::ZERO, store.clock()).await.expect("the database answers"));
    }
    let claiming = median(took);

    let client = reqwest::Client::new();
    let mut took = Vec::new();
    for _ in 0..PAGES {
        let began = Instant::now();
        let answer = client.get(month).send().await.expect("the console answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.bytes().await.expect("a whole page");
        took.push(began.elapsed());
    }
    let month = median(took);

    let mut took = Vec::new();
    for id in ids {
        let began = Instant::now();
        store.cancel(id, "benchmark").await.expect("it can be cancelled");
        took.push(began.elapsed());
    }
    Look { adding, claiming, month, cancelling: median(took) }
}

async fn add(store: &Store, account_id: AccountId, key: String, due_at: Timestamp) -> DeliveryId {
    let new = NewDelivery {
        account_id,
        lane: lane(account_id),
        class: Class::CAMPAIGN,
        body_hash: key.clone(),
        text: format!("{key}: yeni koleksiyonumuz bugün bütün mağazalarımızda."),
        key,
        visibility: Visibility::Public,
        author: "benchmark".to_owned(),
        due_at,
        late_limit: Duration::from_secs(86_400),
        expires_at: None,
        after_id: None,
    };
    let new = NewPost { fingerprint: new.text.clone(), delivery: new, day: None, spacing: Duration::ZERO };
    match store.enqueue_post(&new, &Origin::default(), store.clock()).await.expect("it can be added") {
        Enqueued::New(id) => id,
        other => panic!("{other:?}"),
    }
}

fn lane(account: AccountId) -> String {
    format!("{account}/posts")
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}

/// Waits for the console, and gives the address of next month's page.
async fn first_page(console: &str, now: Timestamp) -> String {
    let began = Instant::now();
    let client = reqwest::Client::new();
    while !client.get(format!("http://{console}/schedule")).send().await.is_ok_and(|page| page.status().is_success()) {
        assert!(began.elapsed() < PATIENCE, "the console does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let month = now.to_zoned(jiff::tz::TimeZone::UTC).date().last_of_month().tomorrow();
    let month = month.expect("there is a next month");
    format!("http://{console}/schedule?month={:04}-{:02}", month.year(), month.month())
}

/// Makes posts of all accounts, due evenly over [`DAYS`] from tomorrow on. The numbers are ids as good as others.
async fn fill(database: &str, count: u64, now: Timestamp) {
    let mut connection = AnyConnection::connect(database).await.expect("the database answers");
    let day = 86_400_000_000_i64;
    let (now, every) = (now.as_microsecond(), DAYS * day / count as i64);
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count}),
            places AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS place FROM accounts),
            made AS (SELECT n, '0000000000000000' || CAST(1000000000 + n AS TEXT) AS id, places.id AS account_id
                FROM numbers JOIN places ON places.place = n % {})",
        rig::ACCOUNTS
    );
    for statement in [
        format!(
            "INSERT INTO posts (id, account_id, text, visibility, text_fingerprint, author, created_at)
             {numbers} SELECT id, account_id, 'Gönderi ' || CAST(n AS TEXT), 'public', '', 'benchmark', {now} FROM made"
        ),
        format!(
            "INSERT INTO deliveries (id, account_id, lane, class, seq, action, post_id, body_hash, idem_key, due_at,
                late_limit, state, next_at, created_at, changed_at)
             {numbers} SELECT id, account_id, account_id || '/posts', 3, n, 'publish', id, '', CAST(n AS TEXT),
                {now} + {day} + CAST(n AS BIGINT) * {every}, {day}, 'queued',
                {now} + {day} + CAST(n AS BIGINT) * {every}, {now}, {now} - {day}
             FROM made"
        ),
        // PostgreSQL does so by itself a minute later, SQLite never.
        if database.starts_with("postgres") { "ANALYZE".to_owned() } else { "SELECT 1".to_owned() },
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("the rows can be made");
    }
}

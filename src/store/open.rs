//! Opening a database: its file and permissions, the settings that make a commit durable, the schema.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, Migrator};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Row};

use super::{Engine, PATIENCE, StoreError, search};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

const CONNECTIONS: u32 = 8;
/// Groups of deliveries that are written at the same time: while one waits for the disk, the other one's statements run.
const COMMITS: u32 = 2;
/// 8 MB for each connection that reads, filled as it reads.
const READERS_CACHE: &str = "PRAGMA cache_size = -8000";
/// 32 MB for the one that writes: the pages that an import changes in one transaction, so that none is written twice.
const WRITERS_CACHE: &str = "PRAGMA cache_size = -32000";

/// A group's statements name a few rows by their keys, however large the tables are: every way but the one through the
/// keys' index is wrong, also while the server has no statistics yet. So no value makes a better plan, and planning each
/// time anew took a quarter of the server's time.
const GROUPS: &[&str] = &[
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_material = off",
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
];

/// A database, ready for use.
pub(super) struct Opened {
    pub pool: AnyPool,
    /// For transactions that write: on SQLite a pool of one connection, elsewhere the same as `pool`.
    pub writer: AnyPool,
    /// For the writer of deliveries, a connection for each commit that it has on its way: on SQLite the same as `writer`.
    pub grouped: AnyPool,
    pub engine: Engine,
    /// SQLite's.
    pub file: Option<Arc<DatabaseFile>>,
}

/// The file that was opened: another one in its place is not what the open connections write to.
pub(super) struct DatabaseFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl DatabaseFile {
    fn at(path: PathBuf) -> Result<Self, StoreError> {
        let device_and_inode = identity(&path).map_err(|error| {
            StoreError::Open(format!("the database file {} cannot be looked at: {error}", path.display()))
        })?;
        Ok(Self { path, device_and_inode })
    }

    /// An error where it is gone, or another one: what is written to it would be lost.
    pub fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(found) if found == self.device_and_inode => Ok(()),
            _ => Err(StoreError::Open(format!(
                "the database file {} was moved or replaced while this process used it; nothing is written any more: \
                 start it again",
                self.path.display()
            ))),
        }
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

pub(super) async fn open(url: &str) -> Result<Opened, StoreError> {
    sqlx::any::install_default_drivers();
    let engine = engine_of(url)?;
    let (url, file) = match engine {
        Engine::Sqlite => {
            let path = sqlite_path(url)?;
            make_file(&path)?;
            (sqlite_url(&path)?, Some(Arc::new(DatabaseFile::at(path)?)))
        }
        Engine::Postgres => (url.to_owned(), None),
    };
    let options: AnyConnectOptions =
        url.parse().map_err(|_| StoreError::Open("database.url is not a valid address: check its form".into()))?;
    let options = options.disable_statement_logging();

    let mut first = AnyConnection::connect_with(&options).await.map_err(|error| unreachable(engine, error))?;
    if engine == Engine::Sqlite {
        write_ahead(&mut first).await?;
    }
    prepare(&mut first, engine).await?;
    check(&mut first, engine).await?;
    migrate(&mut first, engine).await?;
    first.close().await?;

    let connections = async |most: u32, settings: &'static [&'static str]| {
        let prepared = AnyPoolOptions::new().after_connect(move |connection, _| {
            Box::pin(async move {
                prepare(connection, engine).await?;
                for statement in settings {
                    sqlx::query(*statement).execute(&mut *connection).await?;
                }
                Ok(())
            })
        });
        // SQLite ends a transaction by itself when the disk is full or fails, and the driver does not notice: it would
        // take its one writing connection for busy for ever.
        let prepared =
            prepared.before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
        prepared.max_connections(most).acquire_timeout(PATIENCE).connect_with(options.clone()).await
    };
    let (pool, writer, grouped) = match engine {
        Engine::Sqlite => {
            let writer = connections(1, &[WRITERS_CACHE]).await?;
            (connections(CONNECTIONS, &[READERS_CACHE]).await?, writer.clone(), writer)
        }
        Engine::Postgres => {
            let pool = connections(CONNECTIONS, &[]).await?;
            (pool.clone(), pool, connections(COMMITS, GROUPS).await?)
        }
    };
    Ok(Opened { pool, writer, grouped, engine, file })
}

/// Whether the address names a file that is not there.
pub(super) fn is_missing(url: &str) -> Result<bool, StoreError> {
    match engine_of(url)? {
        Engine::Sqlite => Ok(!sqlite_path(url)?.exists()),
        Engine::Postgres => Ok(false),
    }
}

fn engine_of(url: &str) -> Result<Engine, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => Ok(Engine::Sqlite),
        Some("postgres" | "postgresql") => Ok(Engine::Postgres),
        _ => Err(StoreError::Open(
            "database.url must begin with sqlite: or postgres:// (sqlite:muhatap.db, postgres://user@host/muhatap)"
                .into(),
        )),
    }
}

/// The file that a `sqlite:` address names.
fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(StoreError::Open(
            "database.url names no file: write sqlite:PATH; a database in memory would lose what it is given".into(),
        ));
    }
    Ok(PathBuf::from(path))
}

/// `sqlx` decodes percent signs in the path, so everything but the plainest letters is encoded.
fn sqlite_url(path: &Path) -> Result<String, StoreError> {
    let Some(text) = path.to_str() else {
        return Err(StoreError::Open(format!("the path {} is not UTF-8: choose another", path.display())));
    };
    let mut url = String::from("sqlite:");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(byte as char),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

/// Makes the file, for its owner alone: SQLite gives its log and index the same permissions.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Open(format!(
            "the database file {} cannot be made: {error}; its folder must exist and be writable for this user",
            path.display()
        ))),
    }
}

fn unreachable(engine: Engine, error: sqlx::Error) -> StoreError {
    match engine {
        // The address may carry a password: only the server's or the system's own words are shown.
        Engine::Postgres => {
            // The driver's own form adds a line of the server's source.
            let said = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            let said = format!(
                "PostgreSQL cannot be reached: {said}; check that it runs and that database.url names its host, user and database"
            );
            match StoreError::from(error) {
                StoreError::Busy(_) => StoreError::Busy(said),
                _ => StoreError::Open(said),
            }
        }
        Engine::Sqlite => match StoreError::from(error) {
            StoreError::Database(error) => {
                StoreError::Open(format!("the database file cannot be opened: {error}; check its permissions"))
            }
            other => other,
        },
    }
}

/// Switches the file to its write-ahead log. The switch does not wait for other connections by itself.
async fn write_ahead(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        let answer = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await;
        let reason = match answer {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Open(format!(
                    "the database file cannot use a write-ahead log (it stays in mode {mode}): \
                     put it on a local disk, not on a network share"
                )));
            }
            Err(error) => StoreError::from(error),
        };
        match reason {
            StoreError::Busy(_) if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(20)).await,
            StoreError::Database(error) => {
                return Err(StoreError::Open(format!(
                    "the database file cannot be read: {error}; check that database.url names a Muhatap database"
                )));
            }
            other => return Err(other),
        }
    }
}

/// Settings of every new connection.
async fn prepare(connection: &mut AnyConnection, engine: Engine) -> Result<(), sqlx::Error> {
    let statements: &[&'static str] = match engine {
        Engine::Sqlite => &[
            "PRAGMA busy_timeout = 10000",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            // What is deleted is overwritten, not only unlinked.
            "PRAGMA secure_delete = ON",
            "PRAGMA temp_store = MEMORY",
            // 64 MB of log: a large import writes each page to the file less often.
            "PRAGMA wal_autocheckpoint = 16384",
        ],
        Engine::Postgres => &[
            "SET synchronous_commit = on",
            "SET client_min_messages = warning",
            "SET idle_in_transaction_session_timeout = '60s'",
            "SET lock_timeout = '10s'",
            "SET TIME ZONE 'UTC'",
        ],
    };
    for statement in statements {
        sqlx::query(*statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Refuses a database on which a commit would not survive power loss.
async fn check(connection: &mut AnyConnection, engine: Engine) -> Result<(), StoreError> {
    let wanted: &[(&'static str, &str)] = match engine {
        Engine::Sqlite => {
            &[("PRAGMA synchronous", "2"), ("PRAGMA foreign_keys", "1"), ("PRAGMA busy_timeout", "10000")]
        }
        Engine::Postgres => &[
            ("SELECT current_setting('synchronous_commit')", "on"),
            ("SELECT current_setting('fsync')", "on"),
            ("SELECT current_setting('server_encoding')", "UTF8"),
        ],
    };
    for (question, answer) in wanted {
        let row = sqlx::query(*question).fetch_one(&mut *connection).await?;
        let got = row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()))?;
        if got != *answer {
            return Err(StoreError::Open(format!(
                "the database answers {got:?} to {question:?}, but {answer:?} is needed for commits that survive power loss: \
                 change the server's settings"
            )));
        }
    }
    Ok(())
}

/// Applies what is missing, in one transaction that other processes wait for. Where nothing is, nobody waits: whoever
/// only reads is not held up by a long import.
async fn migrate(connection: &mut AnyConnection, engine: Engine) -> Result<(), StoreError> {
    if is_current(connection).await {
        return Ok(());
    }
    let mut tx = match engine {
        Engine::Sqlite => connection.begin_with("BEGIN IMMEDIATE").await?,
        Engine::Postgres => {
            let mut tx = connection.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock(7146920415)").execute(&mut *tx).await?;
            tx
        }
    };
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
    )
    .execute(&mut *tx)
    .await?;
    let applied: Vec<(i64, String)> =
        sqlx::query_as("SELECT version, checksum FROM migrations ORDER BY version").fetch_all(&mut *tx).await?;
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if let Some((version, _)) = applied.last().filter(|(version, _)| *version > newest) {
        return Err(StoreError::Open(format!(
            "the database was made by a newer Muhatap (its schema is {version}, this program knows {newest}): \
             use the newer program, or restore a backup"
        )));
    }
    for migration in MIGRATIONS.iter() {
        let checksum = checksum(migration);
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, known)) if *known == checksum => continue,
            Some(_) => {
                return Err(StoreError::Open(format!(
                    "migration {} of the database differs from this program's: use the program that made it, \
                     or restore a backup",
                    migration.version
                )));
            }
            None => {}
        }
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)")
            .bind(migration.version)
            .bind(migration.description.as_ref())
            .bind(checksum)
            .execute(&mut *tx)
            .await?;
        tracing::info!(version = migration.version, "schema migrated");
    }
    search::set_up(&mut tx, engine).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the schema is this program's, as far as can be read without a lock.
async fn is_current(connection: &mut AnyConnection) -> bool {
    let applied: Result<Vec<(i64, String)>, _> =
        sqlx::query_as("SELECT version, checksum FROM migrations ORDER BY version").fetch_all(&mut *connection).await;
    let known = MIGRATIONS.iter().map(|migration| (migration.version, checksum(migration)));
    applied.is_ok_and(|applied| applied.into_iter().eq(known)) && search::is_set_up(connection).await
}

fn checksum(migration: &Migration) -> String {
    migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muhatap_connectors::{Author, Change, Incoming, Kind, Visibility};

    use super::*;
    use crate::analyze::{Analyzer, DictionaryPaths};
    use crate::listen::understand;
    use crate::model::Network;
    use crate::store::Store;
    use crate::store::accounts::NewAccount;
    use crate::store::inbox::MentionFilter;

    /// SQLite's own limit stands for the disk's: the error is the same. It belongs to a connection: the one that writes.
    async fn most_pages(store: &Store, pages: i64) {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let writer = &store.inner.writer;
        sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(writer).await.expect("the limit can be set");
    }

    fn seen(number: usize) -> Change {
        Change::Seen(Incoming {
            remote_id: format!("https://network.example/{number}"),
            local_id: None,
            kind: Kind::Mention,
            author: Author {
                remote_id: "ayse".to_owned(),
                handle: "ayse".to_owned(),
                display_name: "Ayşe".to_owned(),
                url: None,
                is_us: false,
                followers: None,
            },
            text: "uzunca bir metin ".repeat(200),
            url: None,
            published_at: Timestamp::UNIX_EPOCH,
            edited_at: None,
            in_reply_to: None,
            thread: None,
            visibility: Visibility::Public,
            language: None,
            rating: None,
            media: Vec::new(),
            reply_data: serde_json::Value::Null,
        })
    }

    async fn fresh() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite:{}", dir.path().join("muhatap.db").display());
        let store = Store::open(&url).await.expect("it opens");
        (dir, store)
    }

    fn imported() -> NewAccount {
        NewAccount {
            name: "import".to_owned(),
            brand: "Marka".to_owned(),
            network: Network::File,
            base_url: None,
            login: None,
            listen_for: Vec::new(),
            poll_seconds: 30,
            timezone: "UTC".to_owned(),
            origin: "import",
            secret: None,
            secret_mark: None,
        }
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_stops_no_later_one() {
        let (_dir, store) = fresh().await;
        let mut tx = store.begin().await.expect("it can be begun");
        // What a failing disk does, by a statement that asks for it.
        sqlx::query("INSERT OR ROLLBACK INTO migrations SELECT * FROM migrations")
            .execute(&mut *tx)
            .await
            .expect_err("the rows are there already");
        drop(tx);
        store.put_account(&imported(), Duration::ZERO).await.expect("writing goes on");
    }

    /// The schema as it was before `version`, made by hand: what a program of that time left.
    async fn left_before(url: &str, version: i64) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&format!("{url}?mode=rwc")).await.expect("the file can be made");
        let list = "CREATE TABLE migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)";
        sqlx::query(list).execute(&mut connection).await.expect("a table can be made");
        for migration in MIGRATIONS.iter().filter(|migration| migration.version < version) {
            sqlx::raw_sql(migration.sql.clone()).execute(&mut connection).await.expect("it applies");
            sqlx::query("INSERT INTO migrations VALUES ($1, '', $2)")
                .bind(migration.version)
                .bind(checksum(migration))
                .execute(&mut connection)
                .await
                .expect("a row can be written");
        }
        connection
    }

    #[tokio::test]
    async fn alerts_that_were_told_before_they_were_deliveries_are_not_told_again() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite:{}", dir.path().join("muhatap.db").display());
        let mut before = left_before(&url, 10).await;
        let alerts = "INSERT INTO alerts (id, kind, subject_id, message, raised_at, told_at, mailed_at, next_at) VALUES
            ('01M8000000000000000000000A', 'token', 'a', 'told', 1, 5, 4, 1),
            ('01M8000000000000000000000B', 'token', 'b', 'mailed alone', 1, NULL, 4, 1),
            ('01M8000000000000000000000C', 'token', 'c', 'not told', 1, NULL, NULL, 1)";
        sqlx::raw_sql(alerts).execute(&mut before).await.expect("alerts can be written");
        before.close().await.expect("it closes");
        let store = Store::open(&url).await.expect("it opens and is migrated");
        let untold = store.untold_alerts(10).await.expect("they can be read");
        assert_eq!(untold.iter().map(|alert| alert.message.as_str()).collect::<Vec<_>>(), ["not told"]);
        assert_eq!(store.alerts(10).await.expect("they can be read").len(), 3);
    }

    #[tokio::test]
    async fn an_open_of_what_is_up_to_date_waits_for_nobody_who_writes() {
        let (dir, store) = fresh().await;
        let _writing = store.begin().await.expect("it can be begun");
        let url = format!("sqlite:{}", dir.path().join("muhatap.db").display());
        let other = Store::open(&url).await.expect("it opens beside a long import");
        assert!(other.mentions(&MentionFilter::default()).await.expect("it can be read").is_empty());
    }

    #[tokio::test]
    async fn a_full_disk_is_named_writes_nothing_in_part_and_is_over_when_there_is_room() {
        let (_dir, store) = fresh().await;
        let account = store.put_account(&imported(), Duration::ZERO).await.expect("there is room");
        let analyzer = Analyzer::new(&DictionaryPaths::default());
        let changes: Vec<_> = (0..200).map(|number| understand(&analyzer, None, seen(number))).collect();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(store.pool()).await.expect("it is known");

        most_pages(&store, pages + 4).await;
        for _ in 0..3 {
            let full = store.record_import(account, Network::File, &changes).await.expect_err("there is no room");
            assert!(matches!(full, StoreError::Full(_)), "{full:?}");
            assert!(full.to_string().contains("make room"), "{full}");
        }
        let stored = store.mentions(&MentionFilter::default()).await.expect("reading goes on");
        assert!(stored.is_empty(), "nothing was written in part");

        most_pages(&store, 1_000_000).await;
        let recorded = store.record_import(account, Network::File, &changes).await.expect("there is room again");
        assert_eq!(recorded.new.len(), 200);
    }
}

//! The one store, on SQLite or PostgreSQL: one text per statement, through `sqlx::Any`.
//!
//! Conventions: times are `BIGINT` microseconds ([`micros`]), ids and JSON are `TEXT`, rows are read with
//! [`rows::Cells`], statements are constants with `$n`, and whoever writes starts with [`Store::begin`]. Only this file,
//! [`open`] and [`search`] ask which database it is.

pub mod accounts;
pub mod alerts;
pub mod answers;
pub mod attempts;
pub mod audit;
pub mod backup;
pub(in crate::store) mod bulk;
pub mod campaigns;
pub mod contacts;
pub mod conversations;
pub mod corrections;
pub mod decisions;
pub mod deliveries;
pub mod deltas;
pub mod digest;
pub mod enqueue;
mod error;
pub mod events;
pub(in crate::store) mod group;
mod high_water;
pub mod inbox;
mod key;
pub(in crate::store) mod lateness;
pub mod links;
pub mod many;
pub mod mentions;
mod open;
pub mod people;
pub mod quiet;
pub mod recurrences;
pub mod removal;
pub(in crate::store) mod rollups;
pub(in crate::store) mod rows;
pub mod search;
mod slots;
pub mod stops;
pub mod streams;
pub mod sweep;
pub mod users;
pub mod webhooks;
pub mod workers;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sqlx::{Any, AnyConnection, AnyPool, Transaction};

pub use error::StoreError;
use group::Group;
use open::{DatabaseFile, Opened};

/// How long a writer waits for its turn, in this process and for another one.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between the question for the database's time and its answer. A process that was frozen in between, or a server that was
/// busy, would leave this process with a clock of its own.
const SAMPLE_AT_MOST: Duration = Duration::from_secs(1);
/// Before a database counts as too slow to work with.
const SAMPLES: usize = 10;
const CLOCK_EVERY: Duration = Duration::from_secs(10);

/// Which database is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Engine {
    Sqlite,
    Postgres,
}

/// The product's whole state. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pool: AnyPool,
    /// SQLite has one writer at a time: within a process they queue in order for its one connection, without polling the
    /// file's lock, and the pages it keeps stay good from one transaction to the next.
    writer: AnyPool,
    /// Writes what workers do with deliveries.
    group: Group,
    engine: Engine,
    file: Option<Arc<DatabaseFile>>,
    clock: Mutex<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    database: Timestamp,
    taken: Instant,
}

/// A transaction that may write. Ends with [`Tx::commit`]; dropped, it is rolled back.
pub(in crate::store) struct Tx {
    inner: Transaction<'static, Any>,
    engine: Engine,
}

impl Store {
    /// Opens `sqlite:PATH` (made, readable by its owner alone, where it is missing) or `postgres://…`, checks that a
    /// commit survives power loss, and brings the schema up to date; several processes may do so at once.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let Opened { pool, writer, grouped, engine, file } = open::open(url).await?;
        let database = first_sample(&pool, engine).await?;
        let group = Group::start(grouped, engine, file.clone());
        let inner = Arc::new(Inner { pool, writer, group, engine, file, clock: Mutex::new(database) });
        keep_time(&inner);
        Ok(Store { inner })
    }

    /// As [`Store::open`], but makes no database: nothing where the file of a `sqlite:` address is not there.
    pub async fn open_existing(url: &str) -> Result<Option<Store>, StoreError> {
        match open::is_missing(url)? {
            true => Ok(None),
            false => Self::open(url).await.map(Some),
        }
    }

    /// The database's clock: all processes on one database agree on it.
    pub fn clock(&self) -> Timestamp {
        let sample = *self.inner.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = SignedDuration::try_from(sample.taken.elapsed()).unwrap_or_default();
        let now = sample.database.checked_add(passed).unwrap_or(sample.database);
        // Whole microseconds, as in the database: a stored time equals the value that was stored.
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Starts a transaction that may write; on SQLite it has the write lock from here on.
    pub(in crate::store) async fn begin(&self) -> Result<Tx, StoreError> {
        self.check_file()?;
        Tx::begin(&self.inner.writer, self.inner.engine).await
    }

    fn check_file(&self) -> Result<(), StoreError> {
        self.inner.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    fn group(&self) -> &Group {
        &self.inner.group
    }

    /// A transaction that only reads, for statements that a [`Tx`] puts together: it waits for no writer, and none for it.
    pub(in crate::store) async fn begin_reading(&self) -> Result<Tx, StoreError> {
        Ok(Tx { inner: self.inner.pool.begin().await?, engine: self.inner.engine })
    }

    /// For reading; whoever writes uses [`Store::begin`].
    pub(in crate::store) fn pool(&self) -> &AnyPool {
        &self.inner.pool
    }

    /// Answers when the database does: for `/readyz`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.check_file()?;
        sqlx::query("SELECT 1").fetch_one(self.pool()).await?;
        Ok(())
    }

    /// Closes every connection; SQLite moves its log into the file.
    pub async fn close(&self) {
        self.inner.group.close().await;
        self.inner.writer.close().await;
        self.inner.pool.close().await;
    }
}

impl Tx {
    async fn begin(writer: &AnyPool, engine: Engine) -> Result<Tx, StoreError> {
        let statement = match engine {
            Engine::Postgres => "BEGIN",
            Engine::Sqlite => "BEGIN IMMEDIATE",
        };
        Ok(Tx { inner: writer.begin_with(statement).await?, engine })
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// Until the end of this transaction no other one that names `what` runs; on SQLite that is always so.
    pub async fn alone(&mut self, what: &str) -> Result<(), StoreError> {
        if self.engine == Engine::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(what)
                .execute(&mut **self)
                .await?;
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

/// A time as the database keeps it.
pub(in crate::store) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// As [`micros`], for a time that may be missing.
pub(in crate::store) fn maybe_micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_microsecond)
}

async fn first_sample(pool: &AnyPool, engine: Engine) -> Result<Sample, StoreError> {
    for _ in 0..SAMPLES {
        if let Some(sample) = sample(pool, engine).await? {
            return Ok(sample);
        }
    }
    Err(StoreError::Busy("the database takes too long to tell its time; look what keeps it busy".to_owned()))
}

/// None where the answer came so late that it may be as wrong as that: leases and times would be, too.
async fn sample(pool: &AnyPool, engine: Engine) -> Result<Option<Sample>, StoreError> {
    let statement = match engine {
        Engine::Sqlite => "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000",
        Engine::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
    };
    let mut connection = pool.acquire().await?;
    let asked = Instant::now();
    let now: i64 = sqlx::query_scalar(statement).fetch_one(&mut *connection).await?;
    let database = Timestamp::from_microsecond(now)
        .map_err(|error| StoreError::Open(format!("the database's clock cannot be used: {error}; set its date")))?;
    // The database read its clock about half-way between question and answer.
    let took = asked.elapsed();
    Ok((took <= SAMPLE_AT_MOST).then(|| Sample { database, taken: asked + took / 2 }))
}

/// Takes the database's time again every ten seconds, as long as the store lives.
fn keep_time(inner: &Arc<Inner>) {
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(CLOCK_EVERY).await;
            let Some(inner) = inner.upgrade() else { return };
            if inner.pool.is_closed() {
                return;
            }
            match sample(&inner.pool, inner.engine).await {
                Ok(None) => tracing::debug!("the database told its time too late, the last reading goes on"),
                Ok(Some(sample)) => *inner.clock.lock().unwrap_or_else(PoisonError::into_inner) = sample,
                Err(error) => {
                    tracing::warn!(%error, "the database's clock could not be read, the last reading goes on")
                }
            }
        }
    });
}

//! What tests stand on: fresh databases, and waiting for a condition.

pub mod mail;
pub mod messages;
pub mod network;
pub mod postgres;
pub mod programs;
pub mod redis;
pub mod running;
pub mod sending;

pub use programs::free_port;

use std::sync::Once;
use std::time::Duration;

use muhatap::store::Store;
use sqlx::Connection;
use tempfile::TempDir;

/// The two databases every store promise is tested on: `#[values(Backend::Sqlite, Backend::Postgres)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database of its own; a file goes with this value.
pub struct Database {
    pub url: String,
    dir: TempDir,
}

impl Database {
    pub async fn fresh(backend: Backend) -> Database {
        set_up();
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{}", dir.path().join("muhatap.db").display()),
            Backend::Postgres => postgres::fresh_database().await,
        };
        Database { url, dir }
    }

    /// A folder that is removed with this value.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// One number, asked of the database past the store.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.expect("the database answers");
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("the question is sound")
    }

    /// Changes rows past the store, as the passing of time would.
    pub async fn execute(&self, sql: &'static str) {
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.expect("the database answers");
        sqlx::query(sql).execute(&mut connection).await.expect("the statement is sound");
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.url).await.expect("a fresh database opens")
    }
}

/// A store on an empty database. The first value must be kept as long as the second is used.
pub async fn fresh_store(backend: Backend) -> (Database, Store) {
    let database = Database::fresh(backend).await;
    let store = database.store().await;
    (database, store)
}

/// What `main` does first, once for all tests.
pub fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().expect("no other provider was installed");
        sqlx::any::install_default_drivers();
    });
}

/// Waits until `condition` holds, and fails naming `what` after thirty seconds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), holds).await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

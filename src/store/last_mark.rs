//! The last delivery that this machine marked for its call, kept in a file beside the database.
//!
//! A database that does not know it any more is an older copy of itself: files put back by other means than
//! [`Store::restore`]. What was sent since would be sent again, so it is held as after a restore. Asked for whenever a
//! connection was opened, before anything is begun: a server cannot be put back under a connection that goes on.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;
use tracing::{error, warn};

use super::attempts::Work;
use super::decisions::hold_restored;
use super::rows::Cells;
use super::{Engine, Store, StoreError, Tx};
use crate::model::{DeliveryId, new_ulid};

/// In `data_dir`.
const FILE: &str = "last-mark.json";
/// A record is written over the one before, so all are of one length.
const LENGTH: usize = 256;

/// A delivery under the epoch of its call.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Marking {
    pub id: DeliveryId,
    pub epoch: i64,
    pub at: Timestamp,
}

impl Marking {
    /// Of a delivery that is marked.
    pub fn of(work: &Work) -> Marking {
        Marking { id: work.id, epoch: work.epoch, at: work.last_called_at.unwrap_or(work.due_at) }
    }
}

/// What the file holds: a folder may have belonged to another database before.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    database: String,
    #[serde(flatten)]
    marking: Marking,
}

pub(super) struct LastMark {
    /// Connections opened by the store so far, and how many of them there were when the database was last asked.
    opened: Arc<AtomicU64>,
    asked: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: Option<Marking>,
    /// Where it is written, and for which database.
    file: Option<(File, String)>,
}

impl LastMark {
    pub fn new(opened: Arc<AtomicU64>) -> LastMark {
        LastMark { opened, asked: AtomicU64::new(0), kept: Mutex::default() }
    }

    /// Begins a transaction. Where the database does not know the last mark any more, everything that had not ended is
    /// held first.
    pub async fn begin(&self, pool: &AnyPool, engine: Engine, now: Timestamp) -> Result<Tx, StoreError> {
        let mut tx = Tx::begin(pool, engine).await?;
        let opened = self.opened.load(Ordering::Acquire);
        if self.asked.load(Ordering::Acquire) < opened {
            let last = self.kept().last;
            if let Some(last) = last
                && !is_known(&mut tx, &last).await?
            {
                let held = hold_restored(&mut tx, now, "").await?;
                tx.commit().await?;
                error!(
                    held,
                    "the database is an older copy of itself: what was sent since is not in it, so every delivery that had \
                     not ended is held; look at the networks and decide"
                );
                tx = Tx::begin(pool, engine).await?;
            }
            self.asked.fetch_max(opened, Ordering::AcqRel);
        }
        Ok(tx)
    }

    /// Keeps what was marked in a commit that is on the disk.
    pub fn note(&self, marking: Option<Marking>) {
        let Some(marking) = marking else { return };
        let mut kept = self.kept();
        kept.last = Some(marking);
        let Some((file, database)) = &kept.file else { return };
        let record = Record { database: database.clone(), marking };
        let written = serde_json::to_string(&record)
            .map_err(std::io::Error::from)
            .and_then(|record| file.write_all_at(format!("{record:<LENGTH$}").as_bytes(), 0));
        if let Err(error) = written {
            warn!(%error, "the last mark cannot be kept in data_dir: an older copy of the database would not be noticed");
            kept.file = None;
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the attempt is in the database, or the database was restored since, and said so.
async fn is_known(tx: &mut Tx, last: &Marking) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM attempts WHERE delivery_id = $1 AND epoch = $2) AS attempts,
            (SELECT value FROM installation WHERE name = 'restored_at') AS restored_at",
    )
    .bind(last.id.to_string())
    .bind(last.epoch)
    .fetch_one(&mut **tx)
    .await?;
    let restored_at: Option<Timestamp> = row.maybe_word("restored_at")?;
    Ok(row.number("attempts")? > 0 || restored_at.is_some_and(|at| at >= last.at))
}

impl Store {
    /// Keeps the last mark in `data_dir`, and takes up the one that is there.
    pub async fn keep_marks_in(&self, data_dir: &Path) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO installation (name, value) VALUES ('database', $1)
             ON CONFLICT (name) DO UPDATE SET value = installation.value RETURNING value",
        )
        .bind(new_ulid(self.clock()).to_string())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let database = row.text("value")?;
        let path = data_dir.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => {
                return Err(StoreError::Open(format!(
                    "{} cannot be written: {error}; make data_dir writable",
                    path.display()
                )));
            }
        };
        let mut text = String::new();
        let record = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Record>(&text).ok());
        let last_mark = self.group().last_mark();
        last_mark.asked.store(0, Ordering::Release);
        let mut kept = last_mark.kept();
        kept.last = record.filter(|record| record.database == database).map(|record| record.marking);
        kept.file = Some((file, database));
        Ok(())
    }
}

//! How far this database has come, and how far this machine has seen it come.
//!
//! A database that is behind what a machine has seen of it is an older copy of itself, put back by other means than
//! [`Store::restore`]. What was sent since would be sent again, so it is held as after a restore. A number in the database
//! grows while deliveries are marked for their calls; every process that sends keeps the highest it has read in a file,
//! with its own last mark, and asks before it begins anything: files can be put back under connections that go on.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;
use tracing::{error, warn};

use super::attempts::Marking;
use super::decisions::hold_restored;
use super::rows::Cells;
use super::{Engine, Store, StoreError, Tx, micros};

/// In `data_dir`.
const FILE: &str = "high-water.json";
/// A record is written over the one before, so all are of one length.
const LENGTH: usize = 384;

const GROW: &str = "
    UPDATE installation SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'high_water' RETURNING value";

const ASK: &str = "
    SELECT (SELECT value FROM installation WHERE name = 'high_water') AS high_water,
        (SELECT value FROM installation WHERE name = 'restored_at') AS restored_at,
        (SELECT COUNT(*) FROM attempts WHERE delivery_id = $1 AND epoch = $2 AND called_at = $3) AS marked";

/// What the file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    /// A folder may have belonged to another database before.
    database: String,
    high_water: i64,
    /// When that was read.
    at: Timestamp,
    last: Option<Marking>,
}

/// Empty in a process that sends nothing.
#[derive(Default)]
pub(super) struct HighWater(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    seen: Option<Seen>,
    /// Commits that marked something, and how many of them the number has grown for.
    marks: u64,
    told: u64,
    file: Option<File>,
}

impl HighWater {
    /// Begins a transaction. Where the database is behind, everything that had not ended is held first.
    pub async fn begin(&self, pool: &AnyPool, engine: Engine, now: Timestamp) -> Result<Tx, StoreError> {
        let mut tx = Tx::begin(pool, engine).await?;
        let Some(seen) = self.kept().seen.clone() else { return Ok(tx) };
        for is_alone in [false, true] {
            if is_alone {
                // Others find the same at the same time: one holds, and what a person decides after it stands.
                tx.alone("high_water").await?;
            }
            match compare(&mut tx, &seen).await? {
                Compared::UpTo => return Ok(tx),
                Compared::Restored(high_water) => {
                    self.kept().see(Seen { high_water, at: now, last: None, ..seen });
                    return Ok(tx);
                }
                Compared::Behind => {}
            }
        }
        let held = hold_restored(&mut tx, now, "").await?;
        let high_water = sqlx::query(GROW).fetch_one(&mut *tx).await?.word("value")?;
        tx.commit().await?;
        error!(
            held,
            "the database is an older copy of itself: what was sent since is not in it, so every delivery that had not \
             ended is held; look at the networks and decide"
        );
        self.kept().see(Seen { high_water, at: now, last: None, ..seen });
        Tx::begin(pool, engine).await
    }

    /// Keeps what was marked in a commit that is on the disk.
    pub fn note(&self, marking: Option<Marking>) {
        let mut kept = self.kept();
        if let (Some(marking), Some(seen)) = (marking, kept.seen.clone()) {
            kept.marks += 1;
            kept.see(Seen { last: Some(marking), ..seen });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn see(&mut self, seen: Seen) {
        if let Some(file) = &self.file {
            let written = serde_json::to_string(&seen)
                .map_err(std::io::Error::from)
                .and_then(|seen| file.write_all_at(format!("{seen:<LENGTH$}").as_bytes(), 0));
            if let Err(error) = written {
                warn!(%error, "{FILE} cannot be written: an older copy of the database would not be noticed after a restart");
            }
        }
        self.seen = Some(seen);
    }
}

/// The database beside what was seen of it.
enum Compared {
    /// It knows all that.
    UpTo,
    /// It does not, but it was restored since, said so, and goes on from this number.
    Restored(i64),
    Behind,
}

async fn compare(tx: &mut Tx, seen: &Seen) -> Result<Compared, StoreError> {
    let last = seen.last.as_ref();
    let row = sqlx::query(ASK)
        .bind(last.map(|last| last.id.to_string()))
        .bind(last.map(|last| last.epoch))
        .bind(last.map(|last| micros(last.at)))
        .fetch_one(&mut **tx)
        .await?;
    let Some(high_water) = row.maybe_word::<i64>("high_water")? else {
        return Err(StoreError::Busy(
            "the database is not whole: it is being restored, and asked again; if it was restored from before it knew \
             how far it had come, start this process again"
                .into(),
        ));
    };
    let restored_at: Option<Timestamp> = row.maybe_word("restored_at")?;
    let is_known = |at: Timestamp| restored_at.is_some_and(|restored_at| restored_at >= at);
    // Each on its own: since the number was last read, it may have passed what was seen before the restore.
    let is_lower = high_water < seen.high_water;
    let is_missing = last.is_some() && row.number("marked")? == 0;
    Ok(match () {
        () if !is_lower && !is_missing => Compared::UpTo,
        () if (!is_lower || is_known(seen.at)) && (!is_missing || last.is_some_and(|last| is_known(last.at))) => {
            Compared::Restored(high_water)
        }
        () => Compared::Behind,
    })
}

impl Store {
    /// Keeps in `data_dir` how far the database has come, and takes up what is there.
    pub async fn keep_high_water(&self, data_dir: &Path) -> Result<(), StoreError> {
        let now = self.clock();
        let row = sqlx::query(
            "SELECT (SELECT value FROM installation WHERE name = 'database') AS database,
                (SELECT value FROM installation WHERE name = 'high_water') AS high_water",
        )
        .fetch_one(self.pool())
        .await?;
        let (database, high_water) = (row.text("database")?, row.word("high_water")?);
        let path = data_dir.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = opened.map_err(|error| {
            StoreError::Open(format!("{} cannot be written: {error}; make data_dir writable", path.display()))
        })?;
        let mut text = String::new();
        let seen = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Seen>(&text).ok());
        let seen = seen.filter(|seen| seen.database == database);
        let mut kept = self.group().high_water().kept();
        kept.file = Some(file);
        kept.see(seen.unwrap_or(Seen { database, high_water, at: now, last: None }));
        Ok(())
    }

    /// Lets the number grow if this process marked anything, and notes how far others have come.
    pub async fn note_high_water(&self, now: Timestamp) -> Result<(), StoreError> {
        let (seen, marks, told) = {
            let kept = self.group().high_water().kept();
            (kept.seen.as_ref().map(|seen| seen.high_water), kept.marks, kept.told)
        };
        let Some(seen) = seen else { return Ok(()) };
        let statement = "SELECT value FROM installation WHERE name = 'high_water'";
        let found = sqlx::query(statement).fetch_optional(self.pool()).await?;
        let mut high_water: i64 = found.map(|row| row.word("value")).transpose()?.unwrap_or(0);
        if marks > told || high_water < seen {
            let mut tx = self.group().begin(now).await?;
            high_water = sqlx::query(GROW).fetch_one(&mut *tx).await?.word("value")?;
            tx.commit().await?;
        }
        let mut kept = self.group().high_water().kept();
        kept.told = marks;
        if let Some(seen) = kept.seen.clone().filter(|seen| seen.high_water < high_water) {
            kept.see(Seen { high_water, at: now, ..seen });
        }
        Ok(())
    }
}

//! What a call ended with, on this machine's disk, while the database is away: a hint, put into the database by
//! compare-and-set once it is back. Losing it costs a look at the network, never a post.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::model::{DeliveryId, DeliveryState};
use crate::store::attempts::{Marking, Outcome, Work};
use crate::store::{Store, StoreError};

/// One file an outcome, so that processes that share the folder cannot harm each other.
pub struct Journal {
    dir: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    delivery_id: DeliveryId,
    epoch: i64,
    state: DeliveryState,
    /// When the call was about to be made.
    #[serde(default)]
    called_at: Option<Timestamp>,
    outcome: Outcome,
}

impl Entry {
    /// False: another worker is in the middle of a call for it.
    async fn apply(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let Entry { delivery_id: id, epoch, state, called_at, ref outcome } = *self;
        match outcome {
            Outcome::Sent { receipt, .. } => return store.replay_sent(id, epoch, receipt, now).await,
            Outcome::PutBack { reason } if state == DeliveryState::Sending => {
                // Without its time it cannot be told from another worker's call, and the network is asked instead.
                if let Some(at) = called_at {
                    let reason = reason.as_deref().unwrap_or_default();
                    store.replay_not_called(&Marking { id, epoch, at }, reason, now).await?;
                }
            }
            outcome => _ = store.replay(id, state, epoch, outcome, now).await?,
        }
        Ok(true)
    }
}

impl Journal {
    pub fn open(data_dir: &Path) -> io::Result<Journal> {
        let dir = data_dir.join("journal");
        fs::create_dir_all(&dir)?;
        Ok(Journal { dir })
    }

    /// On the disk when this returns.
    pub fn write(&self, work: &Work, outcome: &Outcome) -> io::Result<()> {
        let Work { id, epoch, state, last_called_at, .. } = *work;
        let entry = Entry { delivery_id: id, epoch, state, called_at: last_called_at, outcome: outcome.clone() };
        let name = format!("{}-{}.json", work.id, work.epoch);
        let unfinished = self.dir.join(format!("{name}.part"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }

    /// Puts every entry into the database. Answers how many must wait for another time.
    ///
    /// # Errors
    /// The database does not answer. An entry that it refuses for what is in it is kept aside.
    pub async fn replay(&self, store: &Store, now: Timestamp) -> Result<usize, StoreError> {
        let mut waiting = 0;
        for path in self.entries() {
            let entry: Option<Entry> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let Some(entry) = entry else {
                warn!(file = %path.display(), "a journal entry cannot be read, it is kept aside");
                let _ = fs::rename(&path, path.with_extension("unreadable"));
                continue;
            };
            let applied = match entry.apply(store, now).await {
                Err(refused) if refused.is_about_the_row() => {
                    error!(
                        delivery.id = %entry.delivery_id, %refused, file = %path.display(),
                        "the database refuses a journal entry, it is kept aside: please report it; the network is asked"
                    );
                    let _ = fs::rename(&path, path.with_extension("refused"));
                    continue;
                }
                applied => applied?,
            };
            if applied {
                info!(delivery.id = %entry.delivery_id, "an outcome from the journal is in the database");
                if let Err(error) = fs::remove_file(&path) {
                    warn!(%error, file = %path.display(), "a journal entry cannot be removed; it does no harm");
                }
            } else {
                waiting += 1;
            }
        }
        Ok(waiting)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut entries: Vec<PathBuf> =
            listed.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
        entries.sort();
        entries
    }
}

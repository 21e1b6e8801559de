//! Records what a poll brought, in one transaction fenced by the stream's epoch.

mod apply;
mod foresee;
mod rows;
mod threads;

use jiff::Timestamp;
use muhatap_connectors::{Cursor, Gap, Incoming, Unparsed};
use sha2::{Digest, Sha256};

pub use foresee::{Foreseen, foresee_first_import};

use super::streams::{Progress, StreamLease, advance};
use super::{Store, StoreError, Tx, micros};
use crate::analyze::Analysis;
use crate::contacts::Evidence;
use crate::model::{AccountId, MentionId, Network, new_ulid};

/// What a poll brought, understood and ready to be stored.
#[derive(Debug)]
pub struct Polled {
    pub changes: Vec<NewChange>,
    pub unparsed: Vec<Unparsed>,
    pub next: Cursor,
    pub complete_up_to: Option<Timestamp>,
    pub filling: Option<Gap>,
    pub lost: Vec<Gap>,
    pub more: bool,
}

/// One change on a network.
#[derive(Debug)]
pub enum NewChange {
    Seen(NewMention),
    Edited(NewMention),
    /// The message with this canonical id is gone.
    Deleted(String),
}

/// A message with what was understood of it.
#[derive(Debug)]
pub struct NewMention {
    pub incoming: Incoming,
    pub analysis: Analysis,
    /// What it says about who wrote it.
    pub evidence: Vec<Evidence>,
    /// From [`super::search::words`]: its text and its author's names.
    pub document: String,
}

/// What became of a batch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// New mentions, in the order of their times.
    pub new: Vec<MentionId>,
    /// Already there, and the same.
    pub known: usize,
    pub edited: usize,
    pub deleted: usize,
    /// Our own messages that were new here.
    pub outgoing: usize,
    /// Authors linked to a contact by evidence.
    pub linked: usize,
    /// What could not be stored and is kept raw: position in the batch, and the reason.
    pub unparsed: Vec<(usize, String)>,
}

impl Recorded {
    /// Nothing in the database changed but the cursor.
    pub fn is_quiet(&self) -> bool {
        self.new.is_empty() && self.edited + self.deleted + self.outgoing + self.linked + self.unparsed.len() == 0
    }

    fn add(&mut self, other: Recorded) {
        self.new.extend(other.new);
        self.known += other.known;
        self.edited += other.edited;
        self.deleted += other.deleted;
        self.outgoing += other.outgoing;
        self.linked += other.linked;
        self.unparsed.extend(other.unparsed);
    }
}

/// Where changes come from.
#[derive(Debug, Clone, Copy)]
struct Source<'s> {
    network: Network,
    account_id: AccountId,
    stream: Option<&'s StreamLease>,
}

/// The longest id that is stored: both databases bound what an index can hold.
const LONGEST_ID: usize = 512;

impl Store {
    /// Stores a poll: its changes, what they bring with them and the stream's cursor, all or nothing. A stream that
    /// somebody else took over meanwhile gives [`StoreError::Conflict`] and nothing is stored. The same batch again
    /// changes nothing.
    pub async fn record(&self, lease: &StreamLease, polled: &Polled) -> Result<Recorded, StoreError> {
        match self.record_as(Way::Together, lease, polled).await {
            Err(error) if error.is_about_the_row() => self.record_as(Way::OneByOne, lease, polled).await,
            other => other,
        }
    }

    async fn record_as(&self, way: Way, lease: &StreamLease, polled: &Polled) -> Result<Recorded, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let progress = Progress {
            next: &polled.next,
            complete_up_to: polled.complete_up_to,
            filling: polled.filling.as_ref(),
            lost: &polled.lost,
            more: polled.more,
        };
        advance(&mut tx, lease, &progress, now).await?;
        let mut recorded = Recorded::default();
        if !polled.changes.is_empty() || !polled.unparsed.is_empty() {
            let network: String = sqlx::query_scalar("SELECT network FROM accounts WHERE id = $1")
                .bind(lease.account_id.to_string())
                .fetch_one(&mut *tx)
                .await?;
            let network = network.parse().map_err(StoreError::Conflict)?;
            let source = Source { network, account_id: lease.account_id, stream: Some(lease) };
            recorded = store_changes(&mut tx, way, source, &polled.changes, now).await?;
            for unparsed in &polled.unparsed {
                keep_raw(&mut tx, source, unparsed, now).await?;
            }
        }
        tx.commit().await?;
        Ok(recorded)
    }

    /// Stores messages that came from a file rather than a stream, all or nothing; the same ones again change nothing.
    pub async fn record_import(
        &self,
        account_id: AccountId,
        network: Network,
        changes: &[NewChange],
    ) -> Result<Recorded, StoreError> {
        let source = Source { network, account_id, stream: None };
        match self.import_as(Way::Together, source, changes).await {
            Err(error) if error.is_about_the_row() => self.import_as(Way::OneByOne, source, changes).await,
            other => other,
        }
    }

    async fn import_as(&self, way: Way, source: Source<'_>, changes: &[NewChange]) -> Result<Recorded, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let recorded = store_changes(&mut tx, way, source, changes, now).await?;
        tx.commit().await?;
        Ok(recorded)
    }
}

/// How a batch is written. A row that stands in the way fails the transaction, which is then begun anew one by one: a
/// savepoint around the whole batch would cost SQLite a copy of every page it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Everything in few statements.
    Together,
    /// Each change alone: what stands in the way goes to `unparsed`, the others go on.
    OneByOne,
}

async fn store_changes(
    tx: &mut Tx,
    way: Way,
    source: Source<'_>,
    changes: &[NewChange],
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    tx.alone(&format!("record:{}", source.network.as_str())).await?;
    let mut sound = Vec::with_capacity(changes.len());
    let mut recorded = Recorded::default();
    for (position, change) in changes.iter().enumerate() {
        match flaw(change) {
            None => sound.push((position, change)),
            Some(reason) => recorded.unparsed.push((position, reason)),
        }
    }
    match way {
        Way::Together => recorded.add(apply::apply(tx, source, &sound, now).await?),
        Way::OneByOne => {
            for (position, change) in sound {
                savepoint(tx, "SAVEPOINT one").await?;
                match apply::apply(tx, source, &[(position, change)], now).await {
                    Ok(one) => recorded.add(one),
                    Err(error) if error.is_about_the_row() => {
                        savepoint(tx, "ROLLBACK TO SAVEPOINT one").await?;
                        recorded.unparsed.push((position, error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
                savepoint(tx, "RELEASE SAVEPOINT one").await?;
            }
        }
    }
    for (position, reason) in &recorded.unparsed {
        let raw = match &changes[*position] {
            NewChange::Seen(mention) | NewChange::Edited(mention) => {
                serde_json::to_string(&mention.incoming).unwrap_or_default()
            }
            NewChange::Deleted(remote_id) => remote_id.clone(),
        };
        keep_raw(tx, source, &muhatap_connectors::incoming::unparsed(&raw, reason.as_str()), now).await?;
    }
    Ok(recorded)
}

async fn savepoint(tx: &mut Tx, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(&mut **tx).await?;
    Ok(())
}

/// Why a change cannot be stored, seen before the database sees it.
fn flaw(change: &NewChange) -> Option<String> {
    let id = |what: &str, text: &str| {
        if text.is_empty() {
            Some(format!("its {what} is empty"))
        } else if text.len() > LONGEST_ID {
            Some(format!("its {what} is {} bytes long, {LONGEST_ID} is the most", text.len()))
        } else if text.contains('\0') {
            Some(format!("its {what} holds U+0000"))
        } else {
            None
        }
    };
    match change {
        NewChange::Deleted(remote_id) => id("id", remote_id),
        NewChange::Seen(NewMention { incoming, .. }) | NewChange::Edited(NewMention { incoming, .. }) => {
            id("id", &incoming.remote_id)
                .or_else(|| id("author's id", &incoming.author.remote_id))
                .or_else(|| incoming.local_id.as_deref().and_then(|text| id("local id", text)))
                .or_else(|| incoming.in_reply_to.as_deref().and_then(|text| id("parent's id", text)))
                .or_else(|| incoming.thread.as_deref().and_then(|text| id("thread's id", text)))
        }
    }
}

/// Keeps what could not be stored as a mention, once.
async fn keep_raw(tx: &mut Tx, source: Source<'_>, unparsed: &Unparsed, now: Timestamp) -> Result<(), StoreError> {
    let raw = unparsed.raw.replace('\0', "\u{FFFD}");
    let hash: String = Sha256::digest(raw.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    sqlx::query(
        "INSERT INTO unparsed (id, account_id, stream_id, raw_hash, raw, reason, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, raw_hash) DO NOTHING",
    )
    .bind(new_ulid(now).to_string())
    .bind(source.account_id.to_string())
    .bind(source.stream.map(|lease| lease.id.to_string()))
    .bind(hash)
    .bind(raw)
    .bind(unparsed.reason.replace('\0', "\u{FFFD}"))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

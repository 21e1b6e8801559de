//! What is stored already of the messages in a batch.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::Source;
use crate::model::Network;
use crate::store::corrections::{self, NewCorrection};
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx};

/// A stored mention, as far as a change needs it.
pub(super) struct StoredMention {
    pub id: String,
    pub account_id: String,
    pub kind: String,
    pub text: Option<String>,
    pub published_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub language: String,
    pub sentiment: String,
    pub sentiment_score: f64,
    pub intent: String,
    pub search_row: Option<i64>,
    /// A person's, where it still counts.
    pub correction: Option<NewCorrection>,
}

/// A stored message of ours.
pub(super) struct StoredOutgoing {
    pub text: Option<String>,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub has_local_id: bool,
}

/// Everything stored under the ids of a batch.
#[derive(Default)]
pub(super) struct Stored {
    pub mentions: HashMap<String, StoredMention>,
    pub outgoing: HashMap<String, StoredOutgoing>,
    pub tombstones: HashSet<String>,
    /// The ids of our own accounts on this network.
    pub us: HashSet<String>,
}

impl Stored {
    /// Reads what is stored under the canonical `ids`; tombstones of messages whose canonical id was not known when they
    /// went lie under `local_keys`.
    pub async fn read(
        tx: &mut Tx,
        network: Network,
        ids: &[&str],
        local_keys: &[String],
    ) -> Result<Stored, StoreError> {
        let network = network.as_str();
        let mut stored = Stored::default();
        let mentions =
            "SELECT m.id, m.remote_id, m.account_id, m.kind, m.text, m.published_at, m.edited_at, m.deleted_at, m.language,
                    m.sentiment, m.sentiment_score, m.intent, m.search_row, c.sentiment AS corrected_sentiment,
                    c.intents AS corrected_intents
             FROM mentions m LEFT JOIN corrections c ON c.mention_id = m.id AND c.outdated_at IS NULL
             WHERE m.network = ? AND m.remote_id";
        for row in tx.find(mentions, &[network], ids, "").await? {
            let mention = StoredMention {
                id: row.text("id")?,
                account_id: row.text("account_id")?,
                kind: row.text("kind")?,
                text: row.maybe_text("text")?,
                published_at: row.time("published_at")?,
                edited_at: row.maybe_time("edited_at")?,
                deleted_at: row.maybe_time("deleted_at")?,
                language: row.text("language")?,
                sentiment: row.text("sentiment")?,
                sentiment_score: row.float("sentiment_score")?,
                intent: row.text("intent")?,
                search_row: row.maybe_number("search_row")?,
                correction: corrections::told_from(&row)?,
            };
            stored.mentions.insert(row.text("remote_id")?, mention);
        }
        let outgoing =
            "SELECT remote_id, local_id, text, edited_at, deleted_at FROM outgoing WHERE network = ? AND remote_id";
        for row in tx.find(outgoing, &[network], ids, "").await? {
            let message = StoredOutgoing {
                text: row.maybe_text("text")?,
                edited_at: row.maybe_time("edited_at")?,
                deleted_at: row.maybe_time("deleted_at")?,
                has_local_id: row.maybe_text("local_id")?.is_some(),
            };
            stored.outgoing.insert(row.text("remote_id")?, message);
        }
        let tombstones = "SELECT remote_id FROM tombstones WHERE network = ? AND remote_id";
        let buried: Vec<&str> = ids.iter().copied().chain(local_keys.iter().map(String::as_str)).collect();
        for row in tx.find(tombstones, &[network], &buried, "").await? {
            stored.tombstones.insert(row.text("remote_id")?);
        }
        let us: Vec<String> =
            sqlx::query_scalar("SELECT remote_id FROM accounts WHERE network = $1 AND remote_id IS NOT NULL")
                .bind(network)
                .fetch_all(&mut **tx)
                .await?;
        stored.us.extend(us);
        Ok(stored)
    }
}

/// What `ids` are called on the whole network: each is a canonical id, or one of the server of `source`'s account.
pub(super) async fn canonical_ids(
    tx: &mut Tx,
    source: Source<'_>,
    ids: &[&str],
) -> Result<HashMap<String, String>, StoreError> {
    let account = source.account_id.to_string();
    let network = source.network.as_str();
    let mut found = HashMap::new();
    for (head, first) in [
        (
            "SELECT s.local_id AS id, m.remote_id FROM mention_accounts s JOIN mentions m ON m.id = s.mention_id
             WHERE s.account_id = ? AND s.local_id",
            account.as_str(),
        ),
        ("SELECT local_id AS id, remote_id FROM outgoing WHERE account_id = ? AND local_id", account.as_str()),
        ("SELECT remote_id AS id, remote_id FROM mentions WHERE network = ? AND remote_id", network),
        ("SELECT remote_id AS id, remote_id FROM outgoing WHERE network = ? AND remote_id", network),
    ] {
        for row in tx.find(head, &[first], ids, "").await? {
            found.insert(row.text("id")?, row.text("remote_id")?);
        }
    }
    Ok(found)
}

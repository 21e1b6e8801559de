//! What a digest tells: counts of what was said, what waits for an answer or a person, and what could not be read; and
//! each date's mails, made once. Ids and labels alone: a text that was deleted since stands in no mail of ours.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sqlx::any::AnyRow;

use super::rollups::hour;
use super::rows::Cells;
use super::webhooks::{Place, deliver};
use super::{Store, StoreError, micros};
use crate::model::{
    AccountId, Action, DeliveryId, DeliveryState, IntentLabel, MentionId, Network, SentimentLabel, UrgencyLevel,
};

/// What its payloads are called in the database.
const KIND: &str = "digest";
/// Of each list, so many are named; the rest is counted.
const NAMED: i64 = 10;
/// Counting stops here.
const MOST_COUNTED: i64 = 1_000;
/// An older complaint that nobody answered is no news any more.
const COMPLAINTS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many of each.
pub type Counts<L> = Vec<(L, i64)>;

/// What happened from one digest to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Mentions of the whole hours between, the most frequent first.
    pub sentiments: Counts<SentimentLabel>,
    /// By their main intent.
    pub intents: Counts<IntentLabel>,
    /// Of the last seven days, in conversations that are not done; at most 1,000.
    pub unanswered: i64,
    /// The worst of them, at most ten: the most urgent first, then the angriest.
    pub complaints: Vec<Complaint>,
    /// Failed since, or held or unknown now.
    pub stopped: Counts<DeliveryState>,
    /// The latest of them, at most ten.
    pub deliveries: Vec<Stopped>,
    /// Being filled now, or lost since.
    pub gaps: i64,
    /// The latest of them, at most ten.
    pub unread: Vec<Unread>,
}

/// A complaint that nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub mention_id: MentionId,
    pub account: String,
    pub network: Network,
    pub published_at: Timestamp,
    pub urgency: UrgencyLevel,
}

/// A delivery that failed or waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    pub id: DeliveryId,
    pub account: String,
    pub state: DeliveryState,
    pub due_at: Timestamp,
}

/// A span of a stream that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub account_id: AccountId,
    pub account: String,
    /// `mentions`, `search #marka`, …
    pub stream: String,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// It can never be read any more.
    pub lost: bool,
}

/// A complaint of the time from `$1` on that no message of ours followed.
const UNANSWERED: &str = "FROM mentions m JOIN conversations c ON c.id = m.conversation_id
    JOIN accounts a ON a.id = m.account_id
    WHERE m.published_at >= $1 AND m.deleted_at IS NULL AND m.intent = 'complaint' AND c.state <> 'done'
        AND (c.last_outgoing_at IS NULL OR c.last_outgoing_at < m.published_at)";
/// Stopped deliveries; what failed before `$1` was told before.
const STOPPED: &str = "FROM deliveries d JOIN accounts a ON a.id = d.account_id
    WHERE d.action <> 'webhook' AND (d.state IN ('held', 'unknown') OR (d.state = 'failed' AND d.changed_at >= $1))";
/// Gaps of streams in use; what was lost before `$1` was told before.
const GAPS: &str = "FROM gaps g JOIN streams s ON s.id = g.stream_id JOIN accounts a ON a.id = s.account_id
    WHERE s.retired_at IS NULL AND (g.state = 'filling' OR (g.state = 'lost' AND g.changed_at >= $1))";

impl Store {
    /// What a digest of the time from `since` to `until` tells, as of now.
    pub async fn digest(&self, since: Timestamp, until: Timestamp) -> Result<Digest, StoreError> {
        let (sentiments, intents) = self.said(since, until).await?;
        let complaints_since = until.saturating_sub(COMPLAINTS_KEPT).unwrap_or(since);
        let counted =
            format!("SELECT COUNT(*) AS n FROM (SELECT 1 AS one {UNANSWERED} LIMIT {MOST_COUNTED}) AS counted");
        let unanswered = self.since(counted, complaints_since).await?;
        let complaints = format!(
            "SELECT m.id, a.name, m.network, m.published_at, m.urgency {UNANSWERED}
             ORDER BY CASE m.urgency WHEN 'high' THEN 0 WHEN 'raised' THEN 1 ELSE 2 END, m.sentiment_score, m.published_at
             LIMIT {NAMED}"
        );
        let complaints = self.since(complaints, complaints_since).await?;
        let stopped = self.since(format!("SELECT d.state, COUNT(*) AS n {STOPPED} GROUP BY d.state"), since).await?;
        let deliveries =
            format!("SELECT d.id, a.name, d.state, d.due_at {STOPPED} ORDER BY d.changed_at DESC, d.id LIMIT {NAMED}");
        let deliveries = self.since(deliveries, since).await?;
        let gaps = self.since(format!("SELECT COUNT(*) AS n {GAPS}"), since).await?;
        let unread = format!(
            "SELECT a.id AS account_id, a.name, s.kind, s.query, g.from_at, g.until_at, g.state {GAPS}
             ORDER BY g.changed_at DESC, g.id LIMIT {NAMED}"
        );
        let unread = self.since(unread, since).await?;
        let first = |rows: &[AnyRow]| rows.first().map_or(Ok(0), |row| row.number("n"));
        Ok(Digest {
            since,
            until,
            sentiments,
            intents,
            unanswered: first(&unanswered)?,
            complaints: complaints.iter().map(complaint).collect::<Result<_, _>>()?,
            stopped: stopped
                .iter()
                .map(|row| Ok((row.word("state")?, row.number("n")?)))
                .collect::<Result<_, StoreError>>()?,
            deliveries: deliveries.iter().map(delivery).collect::<Result<_, _>>()?,
            gaps: first(&gaps)?,
            unread: unread.iter().map(gap).collect::<Result<_, _>>()?,
        })
    }

    /// Mentions by sentiment and by main intent.
    async fn said(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(Counts<SentimentLabel>, Counts<IntentLabel>), StoreError> {
        let rows = sqlx::query(
            "SELECT sentiment, intent, CAST(SUM(mentions) AS BIGINT) AS n FROM rollups
             WHERE hour_at >= $1 AND hour_at < $2 GROUP BY sentiment, intent",
        )
        .bind(hour(since))
        .bind(hour(until))
        .fetch_all(self.pool())
        .await?;
        let (mut sentiments, mut intents) = (Vec::new(), Vec::new());
        for row in &rows {
            let count = row.number("n")?;
            add(&mut sentiments, row.word("sentiment")?, count);
            add(&mut intents, row.word("intent")?, count);
        }
        sort(&mut sentiments);
        sort(&mut intents);
        Ok((sentiments, intents))
    }

    /// The rows of a statement put together from constants, with `since` as its only value.
    async fn since(&self, statement: String, since: Timestamp) -> Result<Vec<AnyRow>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(micros(since)).fetch_all(self.pool()).await?;
        Ok(rows)
    }

    /// Which of `to` have a mail of the digest of `date`.
    pub async fn digested(&self, date: Date, to: &[String]) -> Result<Vec<String>, StoreError> {
        let mut made = Vec::new();
        for reader in to {
            let row = sqlx::query("SELECT COUNT(*) AS n FROM payloads WHERE id = $1").bind(key(date, reader));
            if row.fetch_one(self.pool()).await?.number("n")? > 0 {
                made.push(reader.clone());
            }
        }
        Ok(made)
    }

    /// Puts one mail of the digest of `date` into the outbox. False: it is there already, from another process or before a
    /// restart.
    pub async fn send_digest(
        &self,
        account: AccountId,
        date: Date,
        reader: &str,
        body: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = key(date, reader);
        let mut tx = self.begin().await?;
        let added = sqlx::query(
            "INSERT INTO payloads (id, kind, body, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        )
        .bind(key.as_str())
        .bind(KIND)
        .bind(body)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Ok(false);
        }
        deliver(&mut tx, &Place { account, action: Action::Mail, lane: reader }, &[&key], now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Names a reader's mail of one date among the payloads, and in the outbox.
fn key(date: Date, reader: &str) -> String {
    format!("{KIND}:{date}:{reader}")
}

fn add<L: PartialEq>(counts: &mut Counts<L>, label: L, count: i64) {
    match counts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, sum)) => *sum += count,
        None => counts.push((label, count)),
    }
}

/// The most frequent first, without what deletions took to nothing.
fn sort<L: Ord + Copy>(counts: &mut Counts<L>) {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
}

fn complaint(row: &AnyRow) -> Result<Complaint, StoreError> {
    Ok(Complaint {
        mention_id: row.word("id")?,
        account: row.text("name")?,
        network: row.word("network")?,
        published_at: row.time("published_at")?,
        urgency: row.word("urgency")?,
    })
}

fn delivery(row: &AnyRow) -> Result<Stopped, StoreError> {
    Ok(Stopped {
        id: row.word("id")?,
        account: row.text("name")?,
        state: row.word("state")?,
        due_at: row.time("due_at")?,
    })
}

fn gap(row: &AnyRow) -> Result<Unread, StoreError> {
    Ok(Unread {
        account_id: row.word("account_id")?,
        account: row.text("name")?,
        stream: format!("{} {}", row.text("kind")?, row.text("query")?).trim().to_owned(),
        from: row.maybe_time("from_at")?,
        until: row.maybe_time("until_at")?,
        lost: row.text("state")? == "lost",
    })
}

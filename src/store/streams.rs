//! Streams: who polls which, where each goes on, up to when it is complete and what it lacks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Cursor, Gap, Stream, StreamKind};
use sqlx::any::AnyRow;
use ulid::Ulid;

use super::rows::Cells;
use super::{Store, StoreError, Tx, maybe_micros, micros};
use crate::model::{AccountId, StreamId, new_ulid};

/// The longest pause between two polls of a stream that fails.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(15 * 60);
/// A network's wish to wait is followed up to here.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The right to poll one stream, until the lease ends or somebody takes it over with a higher epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamLease {
    pub id: StreamId,
    pub account_id: AccountId,
    pub stream: Stream,
    pub cursor: Option<Cursor>,
    /// When the stream was set up: what came in from then on is owed.
    pub asked_at: Timestamp,
    pub epoch: i64,
    /// Failed polls in a row before this one.
    pub failures: i64,
    pub poll_every: Duration,
}

/// Why a poll brought nothing, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollFailure {
    /// Counts, and the pause doubles with each one in a row.
    Failed { reason: String },
    /// Counts, and is tried again seldom: only a person can change it.
    Refused { reason: String, wait: Duration },
    /// The network said how long; does not count.
    Wait { reason: String, wait: Duration },
}

impl PollFailure {
    pub fn reason(&self) -> &str {
        match self {
            Self::Failed { reason } | Self::Refused { reason, .. } | Self::Wait { reason, .. } => reason,
        }
    }
}

/// A state of all accounts' settings; two that are equal need no second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountsMark(i64, i64, i64);

impl Store {
    /// Makes the account's streams those that its connector names: a new one starts at the beginning with a cursor of its
    /// own, one that is no longer named is retired and keeps its cursor. Returns whether anything changed.
    pub async fn sync_streams(&self, account: AccountId, streams: &[Stream]) -> Result<bool, StoreError> {
        let known = sqlx::query("SELECT kind, query, retired_at FROM streams WHERE account_id = $1")
            .bind(account.to_string())
            .fetch_all(self.pool())
            .await?;
        let mut active = Vec::new();
        for row in &known {
            if row.maybe_number("retired_at")?.is_none() {
                active.push((row.text("kind")?, row.text("query")?));
            }
        }
        let wanted: Vec<_> =
            streams.iter().map(|stream| (stream.kind.as_str().to_owned(), stream.query.clone())).collect();
        if active.len() == wanted.len() && active.iter().all(|stream| wanted.contains(stream)) {
            return Ok(false);
        }

        let now = self.clock();
        let mut tx = self.begin().await?;
        for (kind, query) in active.iter().filter(|stream| !wanted.contains(stream)) {
            sqlx::query(
                "UPDATE streams SET retired_at = $1 WHERE account_id = $2 AND kind = $3 AND query = $4 AND retired_at IS NULL",
            )
            .bind(micros(now))
            .bind(account.to_string())
            .bind(kind.as_str())
            .bind(query.as_str())
            .execute(&mut *tx)
            .await?;
        }
        for (kind, query) in wanted.iter().filter(|stream| !active.contains(stream)) {
            sqlx::query(
                "INSERT INTO streams (id, account_id, kind, query, next_poll_at, created_at) VALUES ($1, $2, $3, $4, $5, $5)
                 ON CONFLICT (account_id, kind, query)
                 DO UPDATE SET retired_at = NULL, next_poll_at = excluded.next_poll_at, failures = 0, failure_reason = NULL",
            )
            .bind(StreamId::new(now).to_string())
            .bind(account.to_string())
            .bind(kind.as_str())
            .bind(query.as_str())
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes the stream that has waited longest, for `lease`. The epoch is minted here: whoever held the stream before
    /// can no longer record.
    pub async fn take_due_stream(&self, worker: &str, lease: Duration) -> Result<Option<StreamLease>, StoreError> {
        let now = self.clock();
        // Looked for without the write lock: an idle worker writes nothing.
        let due: Vec<String> = sqlx::query_scalar(
            "SELECT s.id FROM streams s JOIN accounts a ON a.id = s.account_id
             WHERE s.retired_at IS NULL AND s.next_poll_at <= $1 AND s.lease_until <= $1 AND a.paused_at IS NULL
             ORDER BY s.next_poll_at LIMIT 8",
        )
        .bind(micros(now))
        .fetch_all(self.pool())
        .await?;
        for id in due {
            let mut tx = self.begin().await?;
            let taken = sqlx::query(
                "UPDATE streams SET lease_holder = $1, lease_until = $2, epoch = epoch + 1
                 WHERE id = $3 AND lease_until <= $4 AND next_poll_at <= $4 AND retired_at IS NULL
                 RETURNING id, account_id, kind, query, cursor, created_at, epoch, failures,
                           (SELECT poll_seconds FROM accounts WHERE accounts.id = streams.account_id) AS poll_seconds",
            )
            .bind(worker)
            .bind(micros(later(now, lease)))
            .bind(id)
            .bind(micros(now))
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            if let Some(row) = taken {
                return Ok(Some(lease_from(&row)?));
            }
        }
        Ok(None)
    }

    /// When the next stream is due, be it held by somebody or not; `None` where there is nothing to listen to.
    pub async fn next_poll_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(CASE WHEN s.lease_until > s.next_poll_at THEN s.lease_until ELSE s.next_poll_at END) AS at
             FROM streams s JOIN accounts a ON a.id = s.account_id WHERE s.retired_at IS NULL AND a.paused_at IS NULL",
        )
        .fetch_one(self.pool())
        .await?;
        row.maybe_time("at")
    }

    /// Changes whenever an account is added or its settings change: what to compare before reading them all.
    pub async fn accounts_mark(&self) -> Result<AccountsMark, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS accounts, COUNT(paused_at) AS paused, COALESCE(MAX(changed_at), 0) AS changed_at FROM accounts",
        )
        .fetch_one(self.pool())
        .await?;
        Ok(AccountsMark(row.number("accounts")?, row.number("paused")?, row.number("changed_at")?))
    }

    /// How many of the account's streams failed at their last poll.
    pub async fn failing_streams(&self, account: AccountId) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM streams WHERE account_id = $1 AND failures > 0 AND retired_at IS NULL",
        )
        .bind(account.to_string())
        .fetch_one(self.pool())
        .await?)
    }

    /// Gives a stream back after a poll that failed, to be polled again later. The other streams of the account go on.
    pub async fn fail_poll(&self, lease: &StreamLease, failure: &PollFailure) -> Result<(), StoreError> {
        let now = self.clock();
        let bounded = |wait: Duration| wait.clamp(Duration::from_secs(1), LONGEST_WAIT);
        let (count, pause) = match failure {
            PollFailure::Failed { .. } => (1, backoff(lease.failures + 1, lease.poll_every)),
            PollFailure::Refused { wait, .. } => (1, bounded(*wait)),
            PollFailure::Wait { wait, .. } => (0, bounded(*wait)),
        };
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE streams SET failures = failures + $1, failure_reason = $2, next_poll_at = $3, lease_until = 0, lease_holder = NULL
             WHERE id = $4 AND epoch = $5",
        )
        .bind(count)
        .bind(failure.reason())
        .bind(micros(later(now, pause)))
        .bind(lease.id.to_string())
        .bind(lease.epoch)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(taken_over(lease));
        }
        tx.commit().await
    }

    /// Keeps a stream for `lease` from now on, while its poll is under way.
    pub async fn keep_stream(&self, held: &StreamLease, lease: Duration) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        // Given back by its holder meanwhile, it is left alone.
        sqlx::query("UPDATE streams SET lease_until = $1 WHERE id = $2 AND epoch = $3 AND lease_holder IS NOT NULL")
            .bind(micros(later(now, lease)))
            .bind(held.id.to_string())
            .bind(held.epoch)
            .execute(&mut *tx)
            .await?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM streams WHERE id = $1")
            .bind(held.id.to_string())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        match epoch == held.epoch {
            true => Ok(()),
            false => Err(taken_over(held)),
        }
    }

    /// Gives a stream back untouched, for whoever polls next: a clean end of this worker.
    pub async fn release_stream(&self, lease: &StreamLease) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE streams SET lease_until = 0, lease_holder = NULL WHERE id = $1 AND epoch = $2")
            .bind(lease.id.to_string())
            .bind(lease.epoch)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Makes every stream of an account due at once: a wake-up from outside, a repaired account.
    pub async fn poll_account_now(&self, account: AccountId) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE streams SET next_poll_at = $1 WHERE account_id = $2 AND retired_at IS NULL AND next_poll_at > $1",
        )
        .bind(micros(now))
        .bind(account.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

/// Where a stream goes on after a poll, as one part of [`Store::record`]'s transaction.
pub(in crate::store) struct Progress<'p> {
    pub next: &'p Cursor,
    pub complete_up_to: Option<Timestamp>,
    pub filling: Option<&'p Gap>,
    pub lost: &'p [Gap],
    pub more: bool,
}

/// Moves the cursor and gives the stream back. The first statement of the transaction: who lost the stream stops here.
pub(in crate::store) async fn advance(
    tx: &mut Tx,
    lease: &StreamLease,
    progress: &Progress<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let next_poll_at = if progress.more { now } else { later(now, lease.poll_every) };
    let changed = sqlx::query(
        "UPDATE streams SET cursor = $1, last_poll_at = $2, next_poll_at = $3, failures = 0, failure_reason = NULL,
                lease_until = 0, lease_holder = NULL,
                complete_up_to = CASE WHEN CAST($4 AS BIGINT) > COALESCE(complete_up_to, $4 - 1) THEN $4 ELSE complete_up_to END
         WHERE id = $5 AND epoch = $6",
    )
    .bind(progress.next.0.as_str())
    .bind(micros(now))
    .bind(micros(next_poll_at))
    .bind(maybe_micros(progress.complete_up_to))
    .bind(lease.id.to_string())
    .bind(lease.epoch)
    .execute(&mut **tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(taken_over(lease));
    }
    state_gaps(tx, lease, progress, now).await
}

async fn state_gaps(
    tx: &mut Tx,
    lease: &StreamLease,
    progress: &Progress<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let stream = lease.id.to_string();
    let open: Option<String> = sqlx::query_scalar(
        "SELECT id FROM gaps WHERE stream_id = $1 AND state = 'filling' ORDER BY created_at LIMIT 1",
    )
    .bind(stream.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    match (open, progress.filling) {
        (None, None) => {}
        (None, Some(gap)) => insert_gap(tx, &stream, gap, "filling", now).await?,
        (Some(id), Some(gap)) => {
            sqlx::query("UPDATE gaps SET from_at = $1, until_at = $2, reason = $3, changed_at = $4 WHERE id = $5")
                .bind(maybe_micros(gap.from))
                .bind(maybe_micros(gap.until))
                .bind(gap.reason.as_str())
                .bind(micros(now))
                .bind(id)
                .execute(&mut **tx)
                .await?;
        }
        (Some(id), None) => {
            sqlx::query("UPDATE gaps SET state = 'filled', changed_at = $1 WHERE id = $2")
                .bind(micros(now))
                .bind(id)
                .execute(&mut **tx)
                .await?;
        }
    }
    for gap in progress.lost {
        // A batch that is read again names the same gap again.
        let known: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM gaps WHERE stream_id = $1 AND state = 'lost' AND reason = $2
             AND COALESCE(from_at, -1) = $3 AND COALESCE(until_at, -1) = $4",
        )
        .bind(stream.as_str())
        .bind(gap.reason.as_str())
        .bind(maybe_micros(gap.from).unwrap_or(-1))
        .bind(maybe_micros(gap.until).unwrap_or(-1))
        .fetch_one(&mut **tx)
        .await?;
        if known == 0 {
            insert_gap(tx, &stream, gap, "lost", now).await?;
        }
    }
    Ok(())
}

async fn insert_gap(tx: &mut Tx, stream: &str, gap: &Gap, state: &str, now: Timestamp) -> Result<(), StoreError> {
    let id: Ulid = new_ulid(now);
    sqlx::query(
        "INSERT INTO gaps (id, stream_id, from_at, until_at, reason, state, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(id.to_string())
    .bind(stream)
    .bind(maybe_micros(gap.from))
    .bind(maybe_micros(gap.until))
    .bind(gap.reason.as_str())
    .bind(state)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn lease_from(row: &AnyRow) -> Result<StreamLease, StoreError> {
    let kind = row.text("kind")?;
    let kind = kind_from(&kind).ok_or_else(|| {
        StoreError::Conflict(format!("a stream of kind {kind:?} was made by a newer Muhatap: use the newer program"))
    })?;
    Ok(StreamLease {
        id: row.word("id")?,
        account_id: row.word("account_id")?,
        stream: Stream { kind, query: row.text("query")? },
        cursor: row.maybe_text("cursor")?.map(Cursor),
        asked_at: row.time("created_at")?,
        epoch: row.number("epoch")?,
        failures: row.number("failures")?,
        poll_every: Duration::from_secs(row.number("poll_seconds")?.max(1) as u64),
    })
}

/// The kind that a word in the database names.
pub(in crate::store) fn kind_from(word: &str) -> Option<StreamKind> {
    [StreamKind::Mentions, StreamKind::Search, StreamKind::Messages, StreamKind::Feed, StreamKind::Own]
        .into_iter()
        .find(|kind| kind.as_str() == word)
}

/// Twice as long after every failure in a row, from the usual pause up to [`LONGEST_BACKOFF`].
fn backoff(failures: i64, usual: Duration) -> Duration {
    let doubled = usual.saturating_mul(1 << failures.clamp(0, 16));
    doubled.clamp(usual.min(LONGEST_BACKOFF), LONGEST_BACKOFF.max(usual))
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

fn taken_over(lease: &StreamLease) -> StoreError {
    StoreError::Conflict(format!(
        "stream {} is polled by somebody else now; what this poll brought is dropped",
        lease.id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_is_bounded() {
        let usual = Duration::from_secs(30);
        assert_eq!(backoff(1, usual), Duration::from_secs(60));
        assert_eq!(backoff(3, usual), Duration::from_secs(240));
        assert_eq!(backoff(1_000_000, usual), LONGEST_BACKOFF);
        assert_eq!(backoff(1, Duration::from_secs(3600)), Duration::from_secs(3600), "never shorter than usual");
    }
}

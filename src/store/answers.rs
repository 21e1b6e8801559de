//! What the API answered to a request with an idempotency key, so that the same request gets the same answer.

use jiff::SignedDuration;

use super::rows::Cells;
use super::{Store, StoreError, micros};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(48);
/// A first request that has not ended by then never will: its process died.
const ABANDONED: SignedDuration = SignedDuration::from_mins(2);
/// Old answers deleted on the way of a new one.
const SWEPT_AT_ONCE: i64 = 100;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: go on, and finish with [`Store::keep_answer`] or [`Store::drop_answer`].
    New,
    /// The first request still runs.
    Running,
    /// It was used for another request.
    Other,
    /// This was answered. Without a body the answer held a secret, which is not kept.
    Given { status: u16, body: Option<String> },
}

impl Store {
    /// Takes `key` for a request of `actor`, or tells what became of it before.
    pub async fn take_answer(&self, actor: &str, key: &str, request_hash: &str) -> Result<Answer, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone(&format!("answer {actor} {key}")).await?;
        sqlx::query(
            "DELETE FROM answers WHERE (actor, key) IN
             (SELECT actor, key FROM answers WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        )
        .bind(micros(now - KEPT))
        .bind(SWEPT_AT_ONCE)
        .execute(&mut *tx)
        .await?;
        let row =
            sqlx::query("SELECT request_hash, status, body, created_at FROM answers WHERE actor = $1 AND key = $2")
                .bind(actor)
                .bind(key)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(row) = row {
            if row.text("request_hash")? != request_hash {
                return Ok(Answer::Other);
            }
            if let Some(status) = row.maybe_number("status")? {
                let status = u16::try_from(status).unwrap_or(500);
                return Ok(Answer::Given { status, body: row.maybe_text("body")? });
            }
            if row.time("created_at")? > now - ABANDONED {
                return Ok(Answer::Running);
            }
        }
        sqlx::query(
            "INSERT INTO answers (actor, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (actor, key) DO UPDATE SET created_at = excluded.created_at",
        )
        .bind(actor)
        .bind(key)
        .bind(request_hash)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Answer::New)
    }

    pub async fn keep_answer(&self, actor: &str, key: &str, status: u16, body: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE answers SET status = $3, body = $4 WHERE actor = $1 AND key = $2")
            .bind(actor)
            .bind(key)
            .bind(i64::from(status))
            .bind(body)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The request failed without an effect: it may be repeated.
    pub async fn drop_answer(&self, actor: &str, key: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM answers WHERE actor = $1 AND key = $2 AND status IS NULL")
            .bind(actor)
            .bind(key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

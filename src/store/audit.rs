//! The audit log: who did what to what. Append only; ids, never text.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, micros};
use crate::model::new_ulid;

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditRow {
    pub id: String,
    pub at: Timestamp,
    /// A user's id, `token:ID`, `local` (the open console) or `cli`; `clock` or `network` where no person did it.
    pub actor: String,
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// Ids, states and times.
    pub detail: serde_json::Value,
}

/// Writes a line, in the transaction of what it tells.
pub(in crate::store) async fn write(
    connection: &mut AnyConnection,
    now: Timestamp,
    actor: &str,
    action: &str,
    subject: &str,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(new_ulid(now).to_string())
        .bind(micros(now))
        .bind(actor)
        .bind(action)
        .bind(subject)
        .bind(detail.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Writes a line of its own, for what changes no row here.
    pub async fn audit(
        &self,
        now: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        write(&mut tx, now, actor, action, subject, detail).await?;
        tx.commit().await
    }

    /// The latest lines before `before`, newest first.
    pub async fn audit_log(&self, before: Option<&str>, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        // Ids of the log sort by time, and each begins with a digit: Z sorts after every one in every collation.
        let rows = sqlx::query(
            "SELECT id, at, COALESCE((SELECT name FROM users WHERE users.id = actor), actor) AS actor, action, subject, detail
             FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(before.unwrap_or("Z"))
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(read_row).collect()
    }

    /// What was done to one thing, oldest first; the latest `limit` lines.
    pub async fn audit_of(&self, subject: &str, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at, COALESCE((SELECT name FROM users WHERE users.id = actor), actor) AS actor, action, subject, detail
             FROM audit WHERE subject = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(subject)
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter().rev().map(read_row).collect()
    }
}

fn read_row(row: &AnyRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        id: row.text("id")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        subject: row.text("subject")?,
        detail: row.json("detail")?,
    })
}

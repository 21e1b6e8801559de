//! Which key the secrets of this database are encrypted with: every process must have the same one.

use super::rows::Cells;
use super::{Store, StoreError};

impl Store {
    /// The mark of the key, if one was ever used.
    pub async fn key_mark(&self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM installation WHERE name = 'key'").fetch_optional(self.pool()).await?;
        row.map(|row| row.text("value")).transpose()
    }

    /// Notes the key by its mark where none was noted before. Answers the one that is noted now: of two processes that
    /// start at once, one is the first.
    pub async fn note_key(&self, mark: &str) -> Result<String, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO installation (name, value) VALUES ('key', $1)
             ON CONFLICT (name) DO UPDATE SET value = installation.value RETURNING value",
        )
        .bind(mark)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        row.text("value")
    }

    /// Takes another key: what was encrypted with the former one cannot be read any more, and is forgotten. Answers how
    /// many accounts must be connected again.
    pub async fn change_key(&self, mark: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO installation (name, value) VALUES ('key', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(mark)
        .execute(&mut *tx)
        .await?;
        let forgotten = sqlx::query(
            "UPDATE accounts SET secret = NULL, secret_mark = NULL, session = NULL
             WHERE secret IS NOT NULL OR session IS NOT NULL",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(forgotten.rows_affected())
    }
}

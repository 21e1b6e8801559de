//! What was learnt from the corrections of each brand, over the built-in models.

use serde_json::json;

use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, micros};
use crate::model::{BrandId, new_ulid};

/// Where the name of the present set of deltas lies.
const SET: &str = "deltas";

/// What was learnt for a brand in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelta {
    pub brand_id: BrandId,
    pub language: String,
    /// The fingerprint of the model it was learnt over.
    pub model: String,
    /// As [`crate::analyze::delta::Delta`] writes itself.
    pub weights: String,
    /// How many corrections it was learnt from.
    pub corrections: i64,
}

/// The name of a set of deltas: another one after every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaSet(String);

impl Store {
    /// Which set of deltas is the present one; nothing before the first was learnt.
    pub async fn delta_set(&self) -> Result<Option<DeltaSet>, StoreError> {
        let name: Option<String> = sqlx::query_scalar("SELECT value FROM installation WHERE name = $1")
            .bind(SET)
            .fetch_optional(self.pool())
            .await?;
        Ok(name.map(DeltaSet))
    }

    /// Every delta, by brand and language.
    pub async fn deltas(&self) -> Result<Vec<StoredDelta>, StoreError> {
        sqlx::query("SELECT brand_id, language, model, weights, corrections FROM deltas ORDER BY brand_id, language")
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(|row| {
                Ok(StoredDelta {
                    brand_id: row.word("brand_id")?,
                    language: row.text("language")?,
                    model: row.text("model")?,
                    weights: row.text("weights")?,
                    corrections: row.number("corrections")?,
                })
            })
            .collect()
    }

    /// Keeps a delta in place of the brand's earlier one in that language.
    pub async fn put_delta(&self, delta: &StoredDelta, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO deltas (brand_id, language, model, weights, corrections, learnt_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (brand_id, language) DO UPDATE SET model = excluded.model, weights = excluded.weights,
                corrections = excluded.corrections, learnt_at = excluded.learnt_at",
        )
        .bind(delta.brand_id.to_string())
        .bind(delta.language.as_str())
        .bind(delta.model.as_str())
        .bind(delta.weights.as_str())
        .bind(delta.corrections)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        self.rename_set(&mut tx).await?;
        let detail = json!({ "language": delta.language, "model": delta.model, "corrections": delta.corrections });
        audit::write(&mut tx, now, who, "delta.learn", &delta.brand_id.to_string(), detail).await?;
        tx.commit().await
    }

    /// Deletes the brand's delta in a language; tells whether there was one.
    pub async fn drop_delta(&self, brand_id: BrandId, language: &str, who: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let dropped = sqlx::query("DELETE FROM deltas WHERE brand_id = $1 AND language = $2")
            .bind(brand_id.to_string())
            .bind(language)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if dropped == 0 {
            return Ok(false);
        }
        self.rename_set(&mut tx).await?;
        let detail = json!({ "language": language });
        audit::write(&mut tx, self.clock(), who, "delta.drop", &brand_id.to_string(), detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Tells every worker, which look at the name, that the set is another one.
    async fn rename_set(&self, tx: &mut Tx) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO installation (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(SET)
        .bind(new_ulid(self.clock()).to_string())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

//! Campaigns: posts under one name, each with its own account, text and state.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::analyze::tokens::search_fold;
use crate::model::{CampaignId, DeliveryState};

/// A campaign, and how far its posts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CampaignView {
    pub id: CampaignId,
    pub name: String,
    pub made_by: String,
    pub made_at: Timestamp,
    /// Every post of it.
    pub posts: i64,
    /// On their network; one that was deleted again counts no more.
    pub out: i64,
    /// On their way.
    pub under_way: i64,
    /// Stopped until a person decides: held, unknown or waiting for approval.
    pub undecided: i64,
    pub failed: i64,
    /// Cancelled or expired.
    pub dropped: i64,
    /// Deleted again from their network.
    pub deleted: i64,
    pub first_due_at: Option<Timestamp>,
    pub last_due_at: Option<Timestamp>,
}

impl CampaignView {
    /// "3 of 4 out, 1 failed".
    pub fn summary(&self) -> String {
        let parts = [
            (self.under_way, "on the way"),
            (self.undecided, "to be decided"),
            (self.failed, "failed"),
            (self.dropped, "dropped"),
            (self.deleted, "deleted again"),
        ];
        let rest = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        format!("{} of {} out{}", self.out, self.posts, rest.collect::<String>())
    }
}

const VIEW: &str = "SELECT c.id, c.name, c.made_by, c.made_at FROM campaigns c";

/// The campaign of that name, made where there is none. A name in other letters is the same one.
pub(in crate::store) async fn named(
    tx: &mut Tx,
    name: &str,
    who: &str,
    now: Timestamp,
) -> Result<CampaignId, StoreError> {
    let id = CampaignId::new(now);
    let fold = search_fold(name);
    let added = sqlx::query(
        "INSERT INTO campaigns (id, name, name_fold, made_by, made_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name_fold) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(&fold)
    .bind(who)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    if added.rows_affected() == 0 {
        let known = sqlx::query("SELECT id FROM campaigns WHERE name_fold = $1").bind(&fold).fetch_one(&mut **tx);
        return known.await?.word("id");
    }
    audit::write(tx, now, who, "campaign.add", &id.to_string(), json!({})).await?;
    events::write(tx, now, "campaign", &id.to_string()).await?;
    Ok(id)
}

impl Store {
    /// Every campaign, the newest first.
    pub async fn campaigns(&self) -> Result<Vec<CampaignView>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} ORDER BY c.made_at DESC, c.id DESC")))
            .fetch_all(self.pool())
            .await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            views.push(self.campaign_view(row).await?);
        }
        Ok(views)
    }

    pub async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} WHERE c.id = $1")))
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?;
        self.campaign_view(&row.ok_or_else(|| StoreError::NotFound(format!("campaign {id} does not exist")))?).await
    }

    pub async fn campaign_by_name(&self, name: &str) -> Result<CampaignView, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} WHERE c.name_fold = $1")))
            .bind(search_fold(name))
            .fetch_optional(self.pool())
            .await?;
        self.campaign_view(&row.ok_or_else(|| {
            StoreError::NotFound(format!("there is no campaign {name:?}; \"muhatap campaigns\" lists them"))
        })?)
        .await
    }

    async fn campaign_view(&self, row: &AnyRow) -> Result<CampaignView, StoreError> {
        let id: CampaignId = row.word("id")?;
        let states = sqlx::query(
            "SELECT d.state, COUNT(*) AS count, COUNT(o.deleted_at) AS deleted, MIN(d.due_at) AS first_due_at,
                MAX(d.due_at) AS last_due_at
             FROM posts p JOIN deliveries d ON d.post_id = p.id AND d.action = 'publish'
             JOIN accounts a ON a.id = d.account_id
             LEFT JOIN outgoing o ON o.network = a.network AND o.remote_id = d.network_ref
             WHERE p.campaign_id = $1 GROUP BY d.state",
        )
        .bind(id.to_string())
        .fetch_all(self.pool())
        .await?;
        let mut view = CampaignView {
            id,
            name: row.text("name")?,
            made_by: row.text("made_by")?,
            made_at: row.time("made_at")?,
            posts: 0,
            out: 0,
            under_way: 0,
            undecided: 0,
            failed: 0,
            dropped: 0,
            deleted: 0,
            first_due_at: None,
            last_due_at: None,
        };
        for row in &states {
            let count = row.number("count")?;
            view.posts += count;
            match row.word("state")? {
                DeliveryState::Sent => {
                    let deleted = row.number("deleted")?;
                    view.out += count - deleted;
                    view.deleted += deleted;
                }
                DeliveryState::Waiting | DeliveryState::Held | DeliveryState::Unknown => view.undecided += count,
                DeliveryState::Failed => view.failed += count,
                DeliveryState::Cancelled | DeliveryState::Expired => view.dropped += count,
                DeliveryState::Queued
                | DeliveryState::Preparing
                | DeliveryState::Sending
                | DeliveryState::Verifying
                | DeliveryState::Retry => view.under_way += count,
            }
            let (first, last) = (row.time("first_due_at")?, row.time("last_due_at")?);
            view.first_due_at = Some(view.first_due_at.map_or(first, |known| known.min(first)));
            view.last_due_at = Some(view.last_due_at.map_or(last, |known| known.max(last)));
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_success_is_said_as_such() {
        let view = CampaignView {
            id: CampaignId::new(Timestamp::UNIX_EPOCH),
            name: "Kış".into(),
            made_by: "test".into(),
            made_at: Timestamp::UNIX_EPOCH,
            posts: 4,
            out: 3,
            under_way: 0,
            undecided: 0,
            failed: 1,
            dropped: 0,
            deleted: 0,
            first_due_at: None,
            last_due_at: None,
        };
        assert_eq!(view.summary(), "3 of 4 out, 1 failed");
    }
}

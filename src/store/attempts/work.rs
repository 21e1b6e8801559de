//! A delivery as a worker needs it.

use std::collections::HashMap;
use std::time::Duration;

use muhatap_connectors::{Receipt, ReplyTo};
use sqlx::any::AnyRow;

use super::Work;
use crate::model::{Class, DeliveryId, Visibility};
use crate::policy::Answered;
use crate::store::deliveries::UNNAMED;
use crate::store::quiet::hours;
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx};

const WORKS: &str = "
    SELECT d.id, d.account_id, d.lane, d.class, d.action, d.epoch, d.state, d.created_at, d.due_at, d.expires_at,
        d.late_limit, d.attempts, d.first_called_at, d.last_called_at, d.absent_since, d.read_failures, d.prepared,
        d.cancel_wanted, d.hold, d.next_at, d.lease_until, a.network, a.changed_at AS account_changed_at,
        COALESCE(r.text, p.text, y.body, '') AS body, COALESCE(r.visibility, p.visibility, 'public') AS visibility,
        m.remote_id AS answers, m.published_at AS answers_at, m.deleted_at AS answers_deleted_at, m.kind AS answers_kind,
        au.handle AS answers_handle, ma.reply_data,
        t.receipt AS target_receipt,
        CASE WHEN d.post_id IS NOT NULL AND d.action = 'publish' AND b.post_id IS NOT NULL AND b.action = 'publish'
            AND b.account_id = d.account_id AND b.state = 'sent' THEN b.receipt END AS before_receipt,
        q.from_minute, q.until_minute, a.timezone
    FROM {rows}
    JOIN deliveries d ON d.id = g.value ->> 0
    JOIN accounts a ON a.id = d.account_id
    LEFT JOIN replies r ON r.id = d.reply_id
    LEFT JOIN posts p ON p.id = d.post_id
    LEFT JOIN payloads y ON y.id = d.payload_id
    LEFT JOIN mentions m ON m.id = r.mention_id
    LEFT JOIN authors au ON au.id = m.author_id
    LEFT JOIN mention_accounts ma ON ma.mention_id = m.id AND ma.account_id = d.account_id
    LEFT JOIN deliveries t ON t.id = d.target_id
    LEFT JOIN deliveries b ON b.id = d.after_id
    LEFT JOIN quiet_hours q ON q.account_id = d.account_id AND d.post_id IS NOT NULL AND d.action = 'publish'
        AND d.decided_by IS NULL";

/// Reads one delivery.
pub(in crate::store) async fn work(tx: &mut Tx, id: DeliveryId) -> Result<Option<Work>, StoreError> {
    Ok(works(tx, &[id]).await?.remove(&id))
}

/// Reads those that are there.
pub(super) async fn works(tx: &mut Tx, ids: &[DeliveryId]) -> Result<HashMap<DeliveryId, Work>, StoreError> {
    let ids: Vec<(String,)> = ids.iter().map(|id| (id.to_string(),)).collect();
    let rows = tx.over(WORKS, &ids).await?;
    rows.iter().map(|row| read_work(row).map(|work| (work.id, work))).collect()
}

fn read_work(row: &AnyRow) -> Result<Work, StoreError> {
    let reply_to = match (row.maybe_text("answers")?, row.maybe_text("answers_handle")?) {
        (Some(remote_id), Some(handle)) => Some(ReplyTo {
            remote_id,
            handle,
            data: row
                .maybe_text("reply_data")?
                .and_then(|data| serde_json::from_str(&data).ok())
                .unwrap_or(serde_json::Value::Null),
        }),
        _ => None,
    };
    let answers = match row.maybe_time("answers_at")? {
        Some(published_at) => Some(Answered {
            published_at,
            found_by_search: row.maybe_text("answers_kind")?.as_deref() == Some("post"),
            deleted: row.maybe_time("answers_deleted_at")?.is_some(),
        }),
        None => None,
    };
    Ok(Work {
        id: row.word("id")?,
        account_id: row.word("account_id")?,
        network: row.word("network")?,
        lane: row.text("lane")?,
        class: Class(row.number("class")?),
        action: row.word("action")?,
        epoch: row.number("epoch")?,
        state: row.word("state")?,
        text: row.text("body")?,
        visibility: visibility(&row.text("visibility")?),
        reply_to,
        answers,
        target: row.maybe_text("target_receipt")?.and_then(|receipt| serde_json::from_str(&receipt).ok()),
        continues: row
            .maybe_text("before_receipt")?
            .and_then(|receipt| serde_json::from_str::<Receipt>(&receipt).ok())
            .filter(|receipt| !receipt.remote_id.starts_with(UNNAMED)),
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        expires_at: row.maybe_time("expires_at")?,
        late_limit: Duration::from_micros(row.number("late_limit")?.max(0).unsigned_abs()),
        attempts: count(row, "attempts")?,
        first_called_at: row.maybe_time("first_called_at")?,
        last_called_at: row.maybe_time("last_called_at")?,
        absent_since: row.maybe_time("absent_since")?,
        read_failures: count(row, "read_failures")?,
        prepared: row.maybe_text("prepared")?.and_then(|prepared| serde_json::from_str(&prepared).ok()),
        cancel_wanted: row.maybe_number("cancel_wanted")?.is_some(),
        hold: row.maybe_word("hold")?,
        quiet: match row.maybe_number("from_minute")? {
            Some(_) => Some((hours(row)?, row.text("timezone")?)),
            None => None,
        },
        account_changed_at: row.time("account_changed_at")?,
        next_at: row.time("next_at")?,
        lease_until: row.maybe_time("lease_until")?,
    })
}

fn count(row: &AnyRow, column: &str) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.number(column)?).unwrap_or(u32::MAX))
}

/// Reads a visibility as it is stored; the narrowest for a word this version does not know.
pub(in crate::store) fn visibility(word: &str) -> Visibility {
    match word {
        "public" => Visibility::Public,
        "unlisted" => Visibility::Unlisted,
        "followers" => Visibility::Followers,
        _ => Visibility::Direct,
    }
}

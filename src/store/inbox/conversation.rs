//! One conversation whole: what was said, what is on its way, what was noted.

use sqlx::any::AnyRow;

use super::super::rows::Cells;
use super::super::{Store, StoreError, micros};
use super::mentions::{head_from, mention_from, of_conversation};
use super::{AccountRef, ConversationView, Message, NoteView, OutgoingRow, PendingRow};
use crate::model::{ConversationId, DeliveryState};

/// The latest messages of each kind that a page shows.
const MOST_MESSAGES: i64 = 500;

impl Store {
    pub async fn conversation(&self, id: ConversationId) -> Result<ConversationView, StoreError> {
        let now = micros(self.clock());
        let key = id.to_string();
        let row = sqlx::query(
            "SELECT c.id, c.network, c.account_id, ac.name AS account_name, c.state, c.snoozed_until, c.assignee_id,
                    u.name AS assignee_name, c.claim, c.last_message_at, c.last_incoming_at, c.last_outgoing_at
             FROM conversations c JOIN accounts ac ON ac.id = c.account_id LEFT JOIN users u ON u.id = c.assignee_id
             WHERE c.id = $1",
        )
        .bind(&key)
        .fetch_optional(self.pool())
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("there is no conversation {id}")))?;

        let mut messages = Vec::new();
        for mention in of_conversation(&key, MOST_MESSAGES).query().fetch_all(self.pool()).await? {
            messages.push(Message::Incoming(mention_from(&mention, now)?));
        }
        let outgoing = sqlx::query(
            "SELECT o.remote_id, o.delivery_id, o.account_id, ac.name AS account_name, o.text, o.url, o.published_at, o.deleted_at,
                    COALESCE(u.name, r.author) AS written_by
             FROM outgoing o JOIN accounts ac ON ac.id = o.account_id
             LEFT JOIN deliveries d ON d.id = o.delivery_id
             LEFT JOIN replies r ON r.id = d.reply_id
             LEFT JOIN users u ON u.id = r.author
             WHERE o.conversation_id = $1 ORDER BY o.published_at DESC LIMIT $2",
        )
        .bind(&key)
        .bind(MOST_MESSAGES)
        .fetch_all(self.pool())
        .await?;
        for row in &outgoing {
            messages.push(Message::Outgoing(OutgoingRow {
                remote_id: Some(row.text("remote_id")?),
                delivery_id: row.maybe_word("delivery_id")?,
                written_by: row.maybe_text("written_by")?,
                account: account_from(row)?,
                text: row.maybe_text("text")?,
                url: row.maybe_text("url")?,
                published_at: row.time("published_at")?,
                deleted_at: row.maybe_time("deleted_at")?,
            }));
        }
        // What the network confirmed is above; here is the rest of what people here wrote.
        let written = sqlx::query(
            "SELECT d.id, d.action, d.state, d.due_at, d.created_at, d.reason, d.sent_at, r.mention_id, r.account_id,
                    ac.name AS account_name, r.text, COALESCE(u.name, r.author) AS written_by
             FROM replies r JOIN deliveries d ON d.reply_id = r.id AND d.action = 'publish'
             JOIN accounts ac ON ac.id = r.account_id LEFT JOIN users u ON u.id = r.author
             LEFT JOIN outgoing o ON o.delivery_id = d.id
             WHERE r.conversation_id = $1 AND o.remote_id IS NULL ORDER BY d.created_at DESC LIMIT $2",
        )
        .bind(&key)
        .bind(MOST_MESSAGES)
        .fetch_all(self.pool())
        .await?;
        for row in &written {
            messages.push(written_from(row)?);
        }
        messages.sort_by_key(Message::at);

        let notes = sqlx::query(
            "SELECT n.id, COALESCE(u.name, n.author) AS author, n.text, n.created_at
             FROM notes n LEFT JOIN users u ON u.id = n.author WHERE n.conversation_id = $1 ORDER BY n.created_at, n.id",
        )
        .bind(&key)
        .fetch_all(self.pool())
        .await?;
        Ok(ConversationView {
            head: head_from(&row, "id", now)?,
            network: row.word("network")?,
            account: account_from(&row)?,
            last_message_at: row.time("last_message_at")?,
            last_incoming_at: row.maybe_time("last_incoming_at")?,
            last_outgoing_at: row.maybe_time("last_outgoing_at")?,
            messages,
            notes: notes.iter().map(note_from).collect::<Result<_, _>>()?,
        })
    }
}

fn account_from(row: &AnyRow) -> Result<AccountRef, StoreError> {
    Ok(AccountRef { id: row.word("account_id")?, name: row.text("account_name")? })
}

pub(in crate::store) fn note_from(row: &AnyRow) -> Result<NoteView, StoreError> {
    Ok(NoteView {
        id: row.word("id")?,
        author: row.text("author")?,
        text: row.text("text")?,
        created_at: row.time("created_at")?,
    })
}

fn written_from(row: &AnyRow) -> Result<Message, StoreError> {
    let state: DeliveryState = row.word("state")?;
    if state == DeliveryState::Sent {
        return Ok(Message::Outgoing(OutgoingRow {
            remote_id: None,
            delivery_id: Some(row.word("id")?),
            written_by: row.maybe_text("written_by")?,
            account: account_from(row)?,
            text: row.maybe_text("text")?,
            url: None,
            published_at: row.maybe_time("sent_at")?.unwrap_or(row.time("created_at")?),
            deleted_at: None,
        }));
    }
    Ok(Message::Pending(PendingRow {
        delivery_id: row.word("id")?,
        action: row.word("action")?,
        state,
        mention_id: row.word("mention_id")?,
        written_by: row.text("written_by")?,
        account: account_from(row)?,
        text: row.text("text")?,
        due_at: row.time("due_at")?,
        created_at: row.time("created_at")?,
        reason: row.maybe_text("reason")?,
    }))
}

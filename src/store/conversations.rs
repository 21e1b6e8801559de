//! What people do with a conversation: open, snooze, finish, take over, note. New messages reopen it where they are
//! recorded.

use jiff::Timestamp;
use serde_json::json;
use sqlx::any::AnyRow;

use super::inbox::NoteView;
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, maybe_micros, micros, webhooks};
use crate::model::{ConversationId, ConversationState, NoteId, UserId};

/// Conversations woken in one transaction.
const WOKEN_AT_ONCE: i64 = 500;

/// The longest internal note, in characters.
pub const LONGEST_NOTE: usize = 10_000;

/// What one conversation is before it changes.
struct Before {
    state: ConversationState,
    assignee_id: Option<UserId>,
    claim: i64,
}

impl Store {
    /// Opens, snoozes until a time, or finishes a conversation.
    pub async fn set_conversation_state(
        &self,
        id: ConversationId,
        state: ConversationState,
        snoozed_until: Option<Timestamp>,
        who: &str,
    ) -> Result<(), StoreError> {
        let now = self.clock();
        let until = match (state, snoozed_until) {
            (ConversationState::Snoozed, Some(until)) if until > now => Some(until),
            (ConversationState::Snoozed, Some(_)) => {
                return Err(StoreError::Conflict("the time to snooze until has passed: choose a later one".into()));
            }
            (ConversationState::Snoozed, None) => {
                return Err(StoreError::Conflict("snoozing needs a time to wake up at".into()));
            }
            _ => None,
        };
        let mut tx = self.begin().await?;
        let before = before(&mut tx, id).await?;
        sqlx::query("UPDATE conversations SET state = $2, snoozed_until = $3, changed_at = $4 WHERE id = $1")
            .bind(id.to_string())
            .bind(state.as_str())
            .bind(maybe_micros(until))
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        let detail = json!({ "from": before.state, "to": state, "until": until });
        audit::write(&mut tx, now, who, "conversation_state", &id.to_string(), detail).await?;
        events::write(&mut tx, now, "conversation", &id.to_string()).await?;
        if state != before.state {
            webhooks::conversation_moved(&mut tx, &id.to_string(), state, now).await?;
        }
        tx.commit().await
    }

    /// Gives a conversation to somebody, or to nobody. With `claim`, only if nobody changed the assignee since that
    /// number was read: of two people who take it at once, the second is told. Returns the new number.
    pub async fn assign(
        &self,
        id: ConversationId,
        assignee: Option<UserId>,
        claim: Option<i64>,
        who: &str,
    ) -> Result<i64, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let before = before(&mut tx, id).await?;
        if before.assignee_id == assignee {
            return Ok(before.claim);
        }
        if let Some(assignee) = assignee {
            let users: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE id = $1 AND disabled_at IS NULL")
                .bind(assignee.to_string())
                .fetch_one(&mut *tx)
                .await?;
            if users == 0 {
                return Err(StoreError::NotFound(format!("there is no user {assignee} who may log in")));
            }
        }
        if claim.is_some_and(|claim| claim != before.claim) {
            let holder: Option<String> = match before.assignee_id {
                Some(holder) => {
                    sqlx::query_scalar("SELECT name FROM users WHERE id = $1")
                        .bind(holder.to_string())
                        .fetch_optional(&mut *tx)
                        .await?
                }
                None => None,
            };
            return Err(StoreError::Conflict(match holder {
                Some(name) => format!("{name} took this conversation in the meantime"),
                None => "somebody gave this conversation back in the meantime".to_owned(),
            }));
        }
        let row = sqlx::query(
            "UPDATE conversations SET assignee_id = $2, claim = claim + 1, changed_at = $3 WHERE id = $1 RETURNING claim",
        )
        .bind(id.to_string())
        .bind(assignee.map(|id| id.to_string()))
        .bind(micros(now))
        .fetch_one(&mut *tx)
        .await?;
        let claim = row.number("claim")?;
        let detail = json!({ "from": before.assignee_id, "to": assignee, "claim": claim });
        audit::write(&mut tx, now, who, "conversation_assigned", &id.to_string(), detail).await?;
        events::write(&mut tx, now, "conversation", &id.to_string()).await?;
        tx.commit().await?;
        Ok(claim)
    }

    /// Adds an internal note.
    pub async fn add_note(&self, id: ConversationId, text: &str, who: &str) -> Result<NoteView, StoreError> {
        let now = self.clock();
        let note = NoteId::new(now);
        let mut tx = self.begin().await?;
        before(&mut tx, id).await?;
        sqlx::query("INSERT INTO notes (id, conversation_id, author, text, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(note.to_string())
            .bind(id.to_string())
            .bind(who)
            // PostgreSQL refuses U+0000.
            .bind(text.replace('\0', ""))
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        let name: Option<String> =
            sqlx::query_scalar("SELECT name FROM users WHERE id = $1").bind(who).fetch_optional(&mut *tx).await?;
        audit::write(&mut tx, now, who, "note_added", &id.to_string(), json!({ "note": note })).await?;
        events::write(&mut tx, now, "conversation", &id.to_string()).await?;
        tx.commit().await?;
        let author = name.unwrap_or_else(|| who.to_owned());
        Ok(NoteView { id: note, author, text: text.replace('\0', ""), created_at: now })
    }

    /// Opens the snoozed conversations whose time has come and tells live pages; returns how many. Lists show them as
    /// open even before this ran.
    pub async fn wake_snoozed(&self) -> Result<usize, StoreError> {
        let now = self.clock();
        let due: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM conversations WHERE state = 'snoozed' AND snoozed_until <= $1")
                .bind(micros(now))
                .fetch_one(self.pool())
                .await?;
        if due == 0 {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let woken = sqlx::query(
            "UPDATE conversations SET state = 'open', snoozed_until = NULL, changed_at = $1
             WHERE state = 'snoozed' AND id IN (SELECT id FROM conversations
               WHERE state = 'snoozed' AND snoozed_until <= $1 ORDER BY snoozed_until LIMIT $2) RETURNING id",
        )
        .bind(micros(now))
        .bind(WOKEN_AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        for row in &woken {
            let id = row.text("id")?;
            audit::write(&mut tx, now, "clock", "conversation_state", &id, json!({ "from": "snoozed", "to": "open" }))
                .await?;
            events::write(&mut tx, now, "conversation", &id).await?;
            webhooks::conversation_moved(&mut tx, &id, ConversationState::Open, now).await?;
        }
        tx.commit().await?;
        Ok(woken.len())
    }
}

/// Reads a conversation that is about to change, and keeps others from changing it until the end of the transaction.
async fn before(tx: &mut Tx, id: ConversationId) -> Result<Before, StoreError> {
    // An update that changes nothing takes the row's lock on both databases.
    let row: Option<AnyRow> = sqlx::query(
        "UPDATE conversations SET changed_at = changed_at WHERE id = $1 RETURNING state, assignee_id, claim",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("there is no conversation {id}")))?;
    Ok(Before { state: row.word("state")?, assignee_id: row.maybe_word("assignee_id")?, claim: row.number("claim")? })
}

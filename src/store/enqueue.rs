//! What a person wrote goes into the outbox: the reply or post and its delivery in one transaction, after a look at what
//! is already there.

mod posts;

use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::{ReplyTo, Visibility};

use super::accounts::REMOVED;
use super::attempts::{event, followers, late_reason, visibility};
use super::quiet::moved_reason;
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, maybe_micros, micros};
use crate::compose::OtherReply;
use crate::model::{
    AccountId, Action, Class, ConversationId, DeliveryId, DeliveryState, Hold, IntentLabel, MentionId, Network, PostId,
    ReplyId,
};

pub use posts::{Besides, NewPost, Occurrence, Origin, Planned};

/// The mention to be answered, as far as an answer needs it.
#[derive(Debug, Clone)]
pub struct ReplyTarget {
    pub mention_id: MentionId,
    pub conversation_id: ConversationId,
    pub account_id: AccountId,
    pub network: Network,
    pub reply_to: ReplyTo,
    pub visibility: Visibility,
    pub intent: Option<IntentLabel>,
    /// Only a search found it: its author did not write to us.
    pub found_by_search: bool,
    pub published_at: Timestamp,
    pub received_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// What replies and posts have in common.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub account_id: AccountId,
    /// With the account's id before it.
    pub lane: String,
    pub class: Class,
    pub key: String,
    pub body_hash: String,
    pub text: String,
    pub visibility: Visibility,
    pub author: String,
    pub due_at: Timestamp,
    pub late_limit: Duration,
    pub expires_at: Option<Timestamp>,
    pub after_id: Option<DeliveryId>,
}

/// What became of a request to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Enqueued {
    New(DeliveryId),
    /// The same key and content came before.
    Same(DeliveryId),
    /// Nothing was stored.
    Refused(Obstacle),
}

/// What stands in the way of a request to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Obstacle {
    /// The same key came before with other content.
    KeyReused(DeliveryId),
    AnotherReply(OtherReply),
    /// Nearly the same post of the account and day.
    NearDuplicate {
        earlier: DeliveryId,
        due_at: Timestamp,
    },
}

/// The other answer a person knows of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The newest one on the page when writing.
    pub seen: Option<&'a str>,
    /// Named to the person, who goes on all the same.
    pub confirmed: Option<&'a str>,
}

impl Store {
    /// The mention a reply answers, through the account that saw it first.
    pub async fn reply_target(&self, mention: MentionId) -> Result<ReplyTarget, StoreError> {
        let row = sqlx::query(
            "SELECT m.id, m.conversation_id, m.account_id, m.network, m.remote_id, m.visibility, m.intent, m.kind,
                m.published_at, m.received_at, m.deleted_at, au.handle, ma.reply_data
             FROM mentions m
             JOIN authors au ON au.id = m.author_id
             LEFT JOIN mention_accounts ma ON ma.mention_id = m.id AND ma.account_id = m.account_id
             WHERE m.id = $1",
        )
        .bind(mention.to_string())
        .fetch_optional(self.pool())
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("mention {mention} does not exist")))?;
        Ok(ReplyTarget {
            mention_id: mention,
            conversation_id: row.word("conversation_id")?,
            account_id: row.word("account_id")?,
            network: row.word("network")?,
            reply_to: ReplyTo {
                remote_id: row.text("remote_id")?,
                handle: row.text("handle")?,
                data: row
                    .maybe_text("reply_data")?
                    .and_then(|data| serde_json::from_str(&data).ok())
                    .unwrap_or(serde_json::Value::Null),
            },
            visibility: visibility(&row.text("visibility")?),
            intent: row.text("intent")?.parse().ok(),
            found_by_search: row.text("kind")? == "post",
            published_at: row.time("published_at")?,
            received_at: row.time("received_at")?,
            deleted_at: row.maybe_time("deleted_at")?,
        })
    }

    /// Stores a reply and its delivery, unless its key was used or another answer is there that the person does not
    /// know of.
    pub async fn enqueue_reply(
        &self,
        target: &ReplyTarget,
        new: &NewDelivery,
        known: Known<'_>,
        now: Timestamp,
    ) -> Result<Enqueued, StoreError> {
        let mut tx = self.begin().await?;
        tx.alone(&format!("conversation {}", target.conversation_id)).await?;
        if let Some(before) = same_key(&mut tx, new).await? {
            return Ok(before);
        }
        if let Some(other) = other_reply(&mut tx, target).await?
            && known.confirmed != Some(other.id.as_str())
            && (known.seen != Some(other.id.as_str()) || is_open(&other.state))
        {
            return Ok(Enqueued::Refused(Obstacle::AnotherReply(other)));
        }
        let reply = ReplyId::new(now);
        sqlx::query(
            "INSERT INTO replies (id, conversation_id, mention_id, account_id, text, visibility, author, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(reply.to_string())
        .bind(target.conversation_id.to_string())
        .bind(target.mention_id.to_string())
        .bind(new.account_id.to_string())
        .bind(new.text.as_str())
        .bind(new.visibility.as_str())
        .bind(new.author.as_str())
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        self.enqueue(tx, new, Body { reply: Some(reply), ..Body::default() }, now).await
    }

    async fn enqueue(&self, mut tx: Tx, new: &NewDelivery, body: Body, now: Timestamp) -> Result<Enqueued, StoreError> {
        let id = match insert(&mut tx, new, Action::Publish, body, now).await {
            Ok(id) => id,
            // The same key came in the same moment, from another process.
            Err(error) if error.is_unique() => {
                drop(tx);
                let mut tx = self.begin().await?;
                return same_key(&mut tx, new).await?.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        audit::write(&mut tx, now, &new.author, "delivery.enqueue", &id.to_string(), serde_json::json!({})).await?;
        tx.commit().await?;
        Ok(Enqueued::New(id))
    }
}

/// What a delivery carries.
#[derive(Debug, Clone, Copy, Default)]
struct Body {
    reply: Option<ReplyId>,
    post: Option<PostId>,
    target: Option<DeliveryId>,
    /// The time asked for, where quiet hours moved it, and when these end.
    moved: Option<(Timestamp, Timestamp)>,
}

async fn insert(
    tx: &mut Tx,
    new: &NewDelivery,
    action: Action,
    body: Body,
    now: Timestamp,
) -> Result<DeliveryId, StoreError> {
    // The counter is the order of making, also for what is due in the same instant.
    let row = sqlx::query(
        "INSERT INTO lanes (lane, account_id, last_seq) VALUES ($1, $2, 1)
         ON CONFLICT (lane) DO UPDATE SET last_seq = lanes.last_seq + 1 RETURNING last_seq",
    )
    .bind(new.lane.as_str())
    .bind(new.account_id.to_string())
    .fetch_one(&mut **tx)
    .await?;
    let seq = row.number("last_seq")?;
    let id = DeliveryId::new(now);
    // What follows another one is not late before that one is out.
    let late = new.after_id.is_none() && new.due_at < now - new.late_limit;
    let (state, hold, reason) = match late {
        true => (DeliveryState::Held, Some(Hold::Late.as_str()), Some(late_reason(new.due_at, now))),
        false => (DeliveryState::Queued, None, body.moved.map(|(_, end)| moved_reason(end))),
    };
    sqlx::query(
        "INSERT INTO deliveries (id, account_id, lane, class, seq, action, reply_id, post_id, target_id, after_id,
            body_hash, idem_key, due_at, late_limit, expires_at, state, hold, reason, next_at, created_at, changed_at,
            wanted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $13, $19, $19, $20)",
    )
    .bind(id.to_string())
    .bind(new.account_id.to_string())
    .bind(new.lane.as_str())
    .bind(new.class.0)
    .bind(seq)
    .bind(action.as_str())
    .bind(body.reply.map(|id| id.to_string()))
    .bind(body.post.map(|id| id.to_string()))
    .bind(body.target.map(|id| id.to_string()))
    .bind(new.after_id.map(|id| id.to_string()))
    .bind(new.body_hash.as_str())
    .bind(new.key.as_str())
    .bind(micros(new.due_at))
    .bind(i64::try_from(new.late_limit.as_micros()).unwrap_or(i64::MAX))
    .bind(maybe_micros(new.expires_at))
    .bind(state.as_str())
    .bind(hold)
    .bind(reason)
    .bind(micros(now))
    .bind(body.moved.map(|(wanted_at, _)| micros(wanted_at)))
    .execute(&mut **tx)
    .await?;
    event(tx, id, now).await?;
    Ok(id)
}

/// The delivery that deletes what another one published.
pub(in crate::store) struct Takedown {
    pub id: DeliveryId,
    /// When it was done; missing while it is on its way.
    pub sent_at: Option<Timestamp>,
}

/// What deletes `target`, or has deleted it.
pub(in crate::store) async fn takedown_of(tx: &mut Tx, target: DeliveryId) -> Result<Option<Takedown>, StoreError> {
    let row = sqlx::query(
        "SELECT id, sent_at FROM deliveries
         WHERE target_id = $1 AND state NOT IN ('failed', 'expired', 'cancelled') LIMIT 1",
    )
    .bind(target.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| Ok(Takedown { id: row.word("id")?, sent_at: row.maybe_time("sent_at")? })).transpose()
}

/// Makes the delivery that deletes what `target` published; the one that is already on its way counts.
pub(in crate::store) async fn take_back(
    tx: &mut Tx,
    target: DeliveryId,
    reason: &str,
    now: Timestamp,
) -> Result<DeliveryId, StoreError> {
    if let Some(takedown) = takedown_of(tx, target).await? {
        return Ok(takedown.id);
    }
    let row = sqlx::query(
        "SELECT d.account_id, d.reply_id, d.post_id, a.pause_reason,
            (SELECT COUNT(*) FROM deliveries t WHERE t.target_id = d.id) AS earlier
         FROM deliveries d JOIN accounts a ON a.id = d.account_id WHERE d.id = $1",
    )
    .bind(target.to_string())
    .fetch_one(&mut **tx)
    .await?;
    let account_id: AccountId = row.word("account_id")?;
    let new = NewDelivery {
        account_id,
        // A lane of its own: nothing that waits to be published stands before a takedown.
        lane: format!("{account_id}/takedown"),
        class: Class::TAKEDOWN,
        key: format!("takedown:{target}:{}", row.number("earlier")?),
        body_hash: reason.to_owned(),
        text: String::new(),
        visibility: Visibility::Public,
        author: String::new(),
        due_at: now,
        // A deletion does not become wrong by being late.
        late_limit: Duration::from_secs(366 * 24 * 3600),
        expires_at: None,
        after_id: None,
    };
    let body = Body {
        reply: row.maybe_word("reply_id")?,
        post: row.maybe_word("post_id")?,
        target: Some(target),
        ..Body::default()
    };
    let takedown = insert(tx, &new, Action::Delete, body, now).await?;
    if row.maybe_text("pause_reason")?.as_deref() == Some(REMOVED) {
        // Nobody has its credentials any more.
        sqlx::query("UPDATE deliveries SET state = 'failed', reason = $2 WHERE id = $1")
            .bind(takedown.to_string())
            .bind("its account was removed, so it cannot be deleted from here: delete it on the network itself")
            .execute(&mut **tx)
            .await?;
    }
    // The rest of a thread must not go out alone.
    followers(tx, target, DeliveryState::Cancelled, now).await?;
    Ok(takedown)
}

async fn same_key(tx: &mut Tx, new: &NewDelivery) -> Result<Option<Enqueued>, StoreError> {
    let row = sqlx::query("SELECT id, body_hash FROM deliveries WHERE account_id = $1 AND idem_key = $2")
        .bind(new.account_id.to_string())
        .bind(new.key.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id = row.word("id")?;
    Ok(Some(match row.text("body_hash")? == new.body_hash {
        true => Enqueued::Same(id),
        false => Enqueued::Refused(Obstacle::KeyReused(id)),
    }))
}

fn is_open(state: &str) -> bool {
    state.parse::<DeliveryState>().is_ok_and(|state| !state.is_end())
}

/// The newest answer that somebody writing to `target` should know of: one of ours to this mention or made since it
/// came, or one written in the network's own app since.
async fn other_reply(tx: &mut Tx, target: &ReplyTarget) -> Result<Option<OtherReply>, StoreError> {
    let ours = sqlx::query(
        "SELECT d.id, d.state, r.author, COALESCE(d.sent_at, r.created_at) AS at
         FROM replies r JOIN deliveries d ON d.reply_id = r.id AND d.action = 'publish'
         WHERE r.conversation_id = $1 AND d.state NOT IN ('failed', 'expired', 'cancelled')
            AND (r.mention_id = $2 OR r.created_at >= $3)
         ORDER BY r.created_at DESC, d.id DESC LIMIT 1",
    )
    .bind(target.conversation_id.to_string())
    .bind(target.mention_id.to_string())
    .bind(micros(target.received_at))
    .fetch_optional(&mut **tx)
    .await?;
    let theirs = sqlx::query(
        "SELECT remote_id, published_at FROM outgoing
         WHERE conversation_id = $1 AND delivery_id IS NULL AND deleted_at IS NULL AND published_at >= $2
         ORDER BY published_at DESC LIMIT 1",
    )
    .bind(target.conversation_id.to_string())
    .bind(micros(target.published_at))
    .fetch_optional(&mut **tx)
    .await?;
    let ours = match ours {
        Some(row) => {
            let id: DeliveryId = row.word("id")?;
            Some(OtherReply {
                id: id.to_string(),
                delivery_id: Some(id),
                author: row.maybe_text("author")?,
                state: row.text("state")?,
                at: row.time("at")?,
            })
        }
        None => None,
    };
    let theirs = match theirs {
        Some(row) => Some(OtherReply {
            id: row.text("remote_id")?,
            delivery_id: None,
            author: None,
            state: "published".into(),
            at: row.time("published_at")?,
        }),
        None => None,
    };
    // An open one comes first: it can still be stopped or changed.
    Ok(match (ours, theirs) {
        (Some(ours), Some(theirs)) if is_open(&ours.state) || ours.at >= theirs.at => Some(ours),
        (ours, theirs) => theirs.or(ours),
    })
}

//! Writes an event for every endpoint that asked for it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EVENTS, KEPT, MOST_WAITING};
use crate::model::{AccountId, Action, Class, ConversationState, DeliveryId, DeliveryState, EventKind, new_ulid};
use crate::store::accounts::{NOT_IN_FILE, REMOVED};
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx, micros};

/// An event is not held for being late: it expires.
const NEVER_LATE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Something that happened, as endpoints are told of it.
pub(in crate::store) struct News {
    pub kind: EventKind,
    /// Ids and labels.
    pub data: Value,
}

impl News {
    /// The event as it is sent, in the shape that the specification recommends.
    pub fn body(&self, now: Timestamp) -> String {
        json!({ "type": self.kind, "timestamp": now, "data": self.data }).to_string()
    }
}

/// An endpoint, and the events it asked for.
pub(in crate::store) struct Subscriber {
    pub id: AccountId,
    kinds: Vec<EventKind>,
}

/// Who hears of what happens on an account: the endpoints of its brand that are in use.
pub(in crate::store) async fn subscribers(tx: &mut Tx, account: &str) -> Result<Vec<Subscriber>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, listen_for FROM accounts WHERE network = 'webhook'
            AND brand_id = (SELECT brand_id FROM accounts WHERE id = $1)
            AND (pause_reason IS NULL OR pause_reason NOT IN ($2, $3)) ORDER BY id",
    )
    .bind(account)
    .bind(REMOVED)
    .bind(NOT_IN_FILE)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(subscriber).collect()
}

fn subscriber(row: &sqlx::any::AnyRow) -> Result<Subscriber, StoreError> {
    // A kind that this version does not know is asked for in vain, as `check-config` says.
    let kinds: Vec<String> = row.json("listen_for")?;
    Ok(Subscriber { id: row.word("id")?, kinds: kinds.iter().filter_map(|kind| kind.parse().ok()).collect() })
}

/// Tells whoever hears of `account` what happened.
pub(in crate::store) async fn raise(
    tx: &mut Tx,
    account: &str,
    news: &[News],
    now: Timestamp,
) -> Result<(), StoreError> {
    let subscribers = subscribers(tx, account).await?;
    raise_to(tx, &subscribers, news, now).await
}

/// Writes each of `news` once, and a delivery of it for each subscriber that asked for its kind.
pub(in crate::store) async fn raise_to(
    tx: &mut Tx,
    subscribers: &[Subscriber],
    news: &[News],
    now: Timestamp,
) -> Result<(), StoreError> {
    let wanted = |news: &News| subscribers.iter().any(|subscriber| subscriber.kinds.contains(&news.kind));
    let payloads: Vec<(String, &News)> =
        news.iter().filter(|news| wanted(news)).map(|news| (new_ulid(now).to_string(), news)).collect();
    if payloads.is_empty() {
        return Ok(());
    }
    tx.insert(
        "INSERT INTO payloads (id, kind, body, created_at)",
        "(?, ?, ?, ?)",
        "",
        &payloads,
        |query, (id, news)| query.bind(id.as_str()).bind(news.kind.as_str()).bind(news.body(now)).bind(micros(now)),
    )
    .await?;
    for subscriber in subscribers {
        let asked: Vec<&str> = payloads
            .iter()
            .filter(|(_, news)| subscriber.kinds.contains(&news.kind))
            .map(|(id, _)| id.as_str())
            .collect();
        deliver(tx, &Place::events(subscriber.id), &asked, now).await?;
    }
    Ok(())
}

/// Where payloads go.
pub(in crate::store) struct Place<'a> {
    pub account: AccountId,
    pub action: Action,
    /// Without the account's id.
    pub lane: &'a str,
}

impl Place<'static> {
    /// The events of an endpoint.
    pub fn events(endpoint: AccountId) -> Self {
        Self { account: endpoint, action: Action::Webhook, lane: EVENTS }
    }
}

/// A delivery for each payload, as far as there is room.
pub(in crate::store) async fn deliver(
    tx: &mut Tx,
    place: &Place<'_>,
    payloads: &[&str],
    now: Timestamp,
) -> Result<Vec<DeliveryId>, StoreError> {
    if payloads.is_empty() {
        return Ok(Vec::new());
    }
    let lane = format!("{}/{}", place.account, place.lane);
    let waiting: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries
         WHERE lane = $1 AND state IN ('queued', 'retry') LIMIT $2) AS waiting",
    )
    .bind(lane.as_str())
    .bind(MOST_WAITING)
    .fetch_one(&mut **tx)
    .await?;
    let room = usize::try_from(MOST_WAITING - waiting).unwrap_or(0).min(payloads.len());
    let (kept, unkept) = payloads.split_at(room);
    if !unkept.is_empty() {
        sqlx::query("UPDATE accounts SET unkept = unkept + $2 WHERE id = $1")
            .bind(place.account.to_string())
            .bind(unkept.len() as i64)
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query("INSERT INTO lanes (lane, account_id) VALUES ($1, $2) ON CONFLICT (lane) DO NOTHING")
        .bind(lane.as_str())
        .bind(place.account.to_string())
        .execute(&mut **tx)
        .await?;
    let rows: Vec<(DeliveryId, i64, &str)> =
        (0..).zip(kept).map(|(turn, payload)| (DeliveryId::new(now), turn, *payload)).collect();
    let account = place.account.to_string();
    tx.insert(
        "INSERT INTO deliveries (id, account_id, lane, class, seq, action, payload_id, body_hash, idem_key, due_at,
            late_limit, expires_at, state, next_at, created_at, changed_at)",
        "(?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, 'queued', ?, ?, ?)",
        "",
        &rows,
        |query, (id, turn, payload)| {
            query
                .bind(id.to_string())
                .bind(account.as_str())
                .bind(lane.as_str())
                .bind(Class::REPLY.0)
                // The order of making by the clock: a counter in the lane's row would hold up whoever sends on it.
                .bind(micros(now) + turn)
                .bind(place.action.as_str())
                .bind(*payload)
                .bind(*payload)
                .bind(micros(now))
                .bind(i64::try_from(NEVER_LATE.as_micros()).unwrap_or(i64::MAX))
                .bind(micros(now + KEPT))
                .bind(micros(now))
                .bind(micros(now))
                .bind(micros(now))
        },
    )
    .await?;
    Ok(rows.into_iter().map(|(id, ..)| id).collect())
}

/// Tells of a reply or post that came to an end, or to where a person must decide.
pub(in crate::store) async fn delivery_moved(
    tx: &mut Tx,
    id: DeliveryId,
    state: DeliveryState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let kind = match state {
        DeliveryState::Sent => EventKind::DeliverySent,
        DeliveryState::Failed => EventKind::DeliveryFailed,
        DeliveryState::Unknown => EventKind::DeliveryUnknown,
        DeliveryState::Held => EventKind::DeliveryHeld,
        DeliveryState::Expired => EventKind::DeliveryExpired,
        _ => return Ok(()),
    };
    let row = sqlx::query(
        "SELECT d.account_id, d.action, d.reply_id, d.post_id, d.target_id, d.reason, d.network_ref, r.mention_id,
            r.conversation_id FROM deliveries d LEFT JOIN replies r ON r.id = d.reply_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut **tx)
    .await?;
    let action: Action = row.word("action")?;
    if action.is_told() {
        return Ok(());
    }
    let account = row.text("account_id")?;
    let data = json!({
        "delivery_id": id,
        "account_id": account,
        "action": action,
        "state": state,
        "reason": row.maybe_text("reason")?,
        "network_ref": row.maybe_text("network_ref")?,
        "reply_id": row.maybe_text("reply_id")?,
        "post_id": row.maybe_text("post_id")?,
        "target_id": row.maybe_text("target_id")?,
        "mention_id": row.maybe_text("mention_id")?,
        "conversation_id": row.maybe_text("conversation_id")?,
    });
    raise(tx, &account, &[News { kind, data }], now).await
}

/// Tells of a conversation that was opened or finished.
pub(in crate::store) async fn conversation_moved(
    tx: &mut Tx,
    id: &str,
    state: ConversationState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let kind = match state {
        ConversationState::Open => EventKind::ConversationOpened,
        ConversationState::Done => EventKind::ConversationDone,
        ConversationState::Snoozed => return Ok(()),
    };
    let row = sqlx::query("SELECT account_id, assignee_id FROM conversations WHERE id = $1")
        .bind(id)
        .fetch_one(&mut **tx)
        .await?;
    let account = row.text("account_id")?;
    let assignee = row.maybe_text("assignee_id")?;
    let data = json!({ "conversation_id": id, "account_id": account, "state": state, "assignee_id": assignee });
    raise(tx, &account, &[News { kind, data }], now).await
}

//! The outbox as people read it: deliveries with their states, reasons, attempts and next steps.

use jiff::Timestamp;
use muhatap_connectors::networks::mail::Mail;
use muhatap_connectors::{OnPage, Receipt};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::rows::Cells;
use super::workers::SendersSeen;
use super::{Store, StoreError, micros};
use crate::model::{
    AccountId, Action, CampaignId, ConversationId, DeliveryId, DeliveryState, Health, Hold, MentionId, Network, PostId,
    RecurrenceId, ReplyId,
};
use crate::standing::{Facts, Sent, Standing, Stop};

/// Which deliveries a person wants to see; every part narrows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryFilter {
    pub account_id: Option<AccountId>,
    /// Any of these; empty means all.
    pub states: Vec<DeliveryState>,
    pub action: Option<Action>,
    /// Posts, replies, mails or events for webhooks; unless said, everything but events, and of one account everything.
    pub kind: Option<DeliveryKind>,
    pub conversation_id: Option<ConversationId>,
    pub mention_id: Option<MentionId>,
    pub campaign_id: Option<CampaignId>,
    pub recurrence_id: Option<RecurrenceId>,
    /// Leaves out occurrences that were taken back when their recurring post was changed, paused or ended.
    pub without_withdrawn: bool,
    /// Due at or after.
    pub since: Option<Timestamp>,
    /// Due before.
    pub until: Option<Timestamp>,
    pub order: DeliveryOrder,
    /// The last row of the page before this one, in the same order.
    pub after: Option<(Timestamp, DeliveryId)>,
    /// At most this many rows; 0 means 50, and 500 is the most.
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    Reply,
    Post,
    /// An event for a webhook.
    Webhook,
    /// A mail to our own people.
    Mail,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Latest due time first: what happened.
    #[default]
    LatestFirst,
    /// Earliest due time first: the schedule.
    EarliestFirst,
}

/// One delivery as a list, a page or the command line shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub account_id: AccountId,
    pub account: String,
    #[schema(value_type = String)]
    pub network: Network,
    pub action: Action,
    pub kind: DeliveryKind,
    pub state: DeliveryState,
    /// Why it is in this state, where that needs saying.
    pub reason: Option<String>,
    /// Why it is held: `late`, `restored`, `account` or `predecessor`.
    pub hold: Option<String>,
    /// Why it is not out yet, what happens next, and when.
    pub standing: Standing,
    /// The same in an English sentence.
    pub next_step: String,
    /// When that happens; missing in an end state, and where it hangs on a person or on another delivery.
    pub next_at: Option<Timestamp>,
    pub text: String,
    pub visibility: String,
    /// 0 takedown, 1 answer to a complaint, 2 other answer, 3 post.
    pub class: i64,
    pub due_at: Timestamp,
    /// The time asked for, where the account's quiet hours moved it.
    pub wanted_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub author: String,
    pub key: String,
    pub reply_id: Option<ReplyId>,
    pub post_id: Option<PostId>,
    /// The campaign a post belongs to.
    pub campaign_id: Option<CampaignId>,
    /// The recurring post it is an occurrence of.
    pub recurrence_id: Option<RecurrenceId>,
    pub mention_id: Option<MentionId>,
    pub conversation_id: Option<ConversationId>,
    /// The delivery that this one takes back.
    pub target_id: Option<DeliveryId>,
    /// Not sent before this one is.
    pub after_id: Option<DeliveryId>,
    /// Calls made so far.
    pub attempts: i64,
    /// The first call was made: the text can no longer change.
    pub first_called_at: Option<Timestamp>,
    pub cancel_wanted_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    /// The message's id on its network, once it is out.
    pub network_ref: Option<String>,
    /// A second message that was proved for it: one of the two is to be deleted there.
    pub doubled_ref: Option<String>,
    /// Where it can be seen.
    pub url: Option<String>,
    /// Where the message it answers can be seen.
    pub answers_url: Option<String>,
    /// The account's own page, to look for it by hand; missing where it would not be seen there.
    pub account_url: Option<String>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// It was deleted from the network after it was sent.
    pub deleted_at: Option<Timestamp>,
}

impl DeliveryView {
    /// Whether only a person who looks at the network can tell if it is out.
    pub fn may_be_out(&self) -> bool {
        self.state == DeliveryState::Unknown
            || (self.state == DeliveryState::Held && self.held_for() == Some(Hold::Restored))
    }

    fn held_for(&self) -> Option<Hold> {
        self.hold.as_deref().and_then(|hold| hold.parse().ok())
    }

    /// Whether [`super::Store::cancel`] can still stop it before the call, or take it back after.
    pub fn can_cancel(&self) -> bool {
        !self.state.is_end() && self.cancel_wanted_at.is_none() && !self.may_be_out()
    }

    /// Whether [`super::Store::retry`] makes it go on sooner.
    pub fn can_retry(&self) -> bool {
        match self.state {
            DeliveryState::Queued | DeliveryState::Retry | DeliveryState::Failed => true,
            DeliveryState::Held => !self.may_be_out(),
            DeliveryState::Verifying => self.is_unreadable(),
            _ => false,
        }
    }

    /// Whether the network cannot be asked if it is out.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.standing.why, crate::standing::Why::Unreadable { .. })
    }

    /// Whether [`super::Store::reschedule`] can move it.
    pub fn can_move(&self) -> bool {
        matches!(
            self.state,
            DeliveryState::Waiting
                | DeliveryState::Queued
                | DeliveryState::Preparing
                | DeliveryState::Retry
                | DeliveryState::Held
        ) && !self.may_be_out()
    }

    /// Whether a person must say what becomes of it ([`super::Store::decide`]).
    pub fn needs_decision(&self) -> bool {
        matches!(self.state, DeliveryState::Unknown | DeliveryState::Held | DeliveryState::Failed)
            || self.is_unreadable()
    }

    /// Whether [`super::Store::delete_again`] can take it back.
    pub fn can_delete(&self) -> bool {
        self.state == DeliveryState::Sent
            && self.action == Action::Publish
            && self.deleted_at.is_none()
            && !self.is_unnamed()
    }

    /// Whether a person said that it is out, but not where.
    pub(in crate::store) fn is_unnamed(&self) -> bool {
        self.network_ref.as_ref().is_some_and(|network_ref| network_ref.starts_with(UNNAMED))
    }
}

/// One call to the network, for the delivery's own page.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AttemptView {
    pub epoch: i64,
    /// The process that made it.
    pub worker: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// `sent`, `retry`, `failed`, `unclear`, `held`, `found`, `absent`, `put_back` (not called after all), `not_sent`
    /// (cancelled before it was); missing while it runs.
    pub outcome: Option<String>,
    pub detail: Option<String>,
    pub network_ref: Option<String>,
}

/// What a person says of a delivery that stopped: `unknown`, `held` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is on the network; by the link that the person has to it, if any.
    Sent {
        receipt: Option<Receipt>,
    },
    /// Send it (again).
    Queue,
    Cancel,
}

/// Begins the receipt of what a person said is out, without its link.
pub(in crate::store) const UNNAMED: &str = "decided:";

const VIEW: &str = "
    SELECT d.id, d.account_id, a.name AS account, a.network, d.action, d.state, d.hold, d.reason, d.next_at, d.class,
        d.due_at, d.wanted_at, d.expires_at, d.idem_key, d.reply_id, d.post_id, d.target_id, d.after_id, d.attempts,
        d.first_called_at, d.cancel_wanted,
        COALESCE((SELECT u.name FROM users u WHERE u.id = d.decided_by), d.decided_by) AS decided_by, d.network_ref, d.doubled_ref, d.receipt, d.created_at, d.changed_at,
        d.sent_at, d.read_failures, d.absent_since, d.worker, d.lease_until, COALESCE(r.text, p.text, y.body, '') AS body,
        COALESCE(r.visibility, p.visibility, 'public') AS visibility, 
        COALESCE((SELECT u.name FROM users u WHERE u.id = COALESCE(r.author, p.author)), r.author, p.author, '') AS author,
        r.mention_id, r.conversation_id, p.campaign_id, p.recurrence_id, m.url AS answers_url, a.profile_url, a.base_url, a.paused_at, a.pause_reason, a.health,
        a.health_reason, a.probe_at, a.probes, a.gated_until AS account_gated_until, a.gate_reason,
        l.gated_until AS lane_gated_until, l.gate_reason AS lane_gate_reason, l.delivery_id AS lane_holder,
        h.state AS holder_state, o.deleted_at, b.state AS after_state
    FROM deliveries d
    JOIN accounts a ON a.id = d.account_id
    LEFT JOIN lanes l ON l.lane = d.lane
    LEFT JOIN deliveries h ON h.id = l.delivery_id
    LEFT JOIN replies r ON r.id = d.reply_id
    LEFT JOIN posts p ON p.id = d.post_id
    LEFT JOIN payloads y ON y.id = d.payload_id
    LEFT JOIN mentions m ON m.id = r.mention_id
    LEFT JOIN deliveries b ON b.id = d.after_id
    LEFT JOIN outgoing o ON o.network = a.network AND o.remote_id = d.network_ref";

const DEFAULT_PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// A statement put together from constant fragments, each with its numbered values.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
}

impl Conditions {
    /// Adds `AND fragment`, in which every `?` stands for the next value.
    fn and(&mut self, fragment: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        let mut values = values.into_iter();
        for (part, text) in fragment.split('?').enumerate() {
            if part > 0 {
                self.values.extend(values.next());
                self.sql.push_str(&format!("${}", self.values.len()));
            }
            self.sql.push_str(text);
        }
    }
}

impl Store {
    /// Deliveries by filter, a page at a time.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        let mut conditions = Conditions::default();
        let text = |id: String| [Value::Text(id)];
        if let Some(id) = filter.account_id {
            conditions.and("d.account_id = ?", text(id.to_string()));
        }
        if !filter.states.is_empty() {
            // The list has a fixed length in SQL; a state given twice does no harm.
            let states: Vec<Value> = (0..DeliveryState::ALL.len())
                .map(|index| filter.states.get(index).unwrap_or(&filter.states[0]))
                .map(|state| Value::Text(state.as_str().to_owned()))
                .collect();
            conditions.and("d.state IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", states);
        }
        if let Some(action) = filter.action {
            conditions.and("d.action = ?", text(action.as_str().to_owned()));
        }
        match filter.kind {
            Some(DeliveryKind::Reply) => conditions.and("d.reply_id IS NOT NULL", []),
            Some(DeliveryKind::Post) => conditions.and("d.post_id IS NOT NULL", []),
            Some(DeliveryKind::Webhook) => conditions.and("d.action = 'webhook'", []),
            Some(DeliveryKind::Mail) => conditions.and("d.action = 'mail'", []),
            // Events are many, and shown with their endpoint.
            None if filter.account_id.is_none() && filter.action.is_none() => {
                conditions.and("d.action <> 'webhook'", []);
            }
            None => {}
        }
        if let Some(id) = filter.conversation_id {
            let fragment = "d.reply_id IN (SELECT id FROM replies WHERE conversation_id = ?)";
            conditions.and(fragment, text(id.to_string()));
        }
        if let Some(id) = filter.mention_id {
            conditions.and("r.mention_id = ?", text(id.to_string()));
        }
        if let Some(id) = filter.campaign_id {
            conditions.and("p.campaign_id = ?", text(id.to_string()));
        }
        if let Some(id) = filter.recurrence_id {
            conditions.and("p.recurrence_id = ?", text(id.to_string()));
        }
        if filter.without_withdrawn {
            // Their key goes on after its date.
            conditions.and("(p.recurrence_id IS NULL OR d.idem_key NOT LIKE 'recurring:%:%:%')", []);
        }
        if let Some(since) = filter.since {
            conditions.and("d.due_at >= ?", [Value::Number(micros(since))]);
        }
        if let Some(until) = filter.until {
            conditions.and("d.due_at < ?", [Value::Number(micros(until))]);
        }
        if let Some((due_at, id)) = filter.after {
            let fragment = match filter.order {
                DeliveryOrder::LatestFirst => "(d.due_at < ? OR (d.due_at = ? AND d.id < ?))",
                DeliveryOrder::EarliestFirst => "(d.due_at > ? OR (d.due_at = ? AND d.id > ?))",
            };
            let mark = micros(due_at);
            conditions.and(fragment, [Value::Number(mark), Value::Number(mark), Value::Text(id.to_string())]);
        }
        let order = match filter.order {
            DeliveryOrder::LatestFirst => " ORDER BY d.due_at DESC, d.id DESC",
            DeliveryOrder::EarliestFirst => " ORDER BY d.due_at, d.id",
        };
        let limit = match filter.limit {
            0 => DEFAULT_PAGE,
            limit => limit.min(LARGEST_PAGE),
        };
        let statement = format!("{VIEW}{}{order} LIMIT ${}", conditions.sql, conditions.values.len() + 1);
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for value in conditions.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        let rows = query.bind(limit as i64).fetch_all(self.pool()).await?;
        let around = self.surroundings().await?;
        rows.iter().map(|row| view(row, &around)).collect()
    }

    pub async fn delivery(&self, id: DeliveryId) -> Result<DeliveryView, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{VIEW} WHERE d.id = $1")))
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("delivery {id} does not exist")))?;
        view(&row, &self.surroundings().await?)
    }

    /// What stands around every delivery.
    async fn surroundings(&self) -> Result<Surroundings, StoreError> {
        let (stops, senders) = tokio::try_join!(self.stops(), self.senders_seen())?;
        Ok(Surroundings { now: self.clock(), stops, senders })
    }

    /// The calls made for a delivery, oldest first.
    pub async fn attempts(&self, id: DeliveryId) -> Result<Vec<AttemptView>, StoreError> {
        let rows = sqlx::query(
            "SELECT epoch, worker, started_at, finished_at, outcome, detail, network_ref FROM attempts
             WHERE delivery_id = $1 ORDER BY epoch",
        )
        .bind(id.to_string())
        .fetch_all(self.pool())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AttemptView {
                    epoch: row.number("epoch")?,
                    worker: row.text("worker")?,
                    started_at: row.time("started_at")?,
                    finished_at: row.maybe_time("finished_at")?,
                    outcome: row.maybe_text("outcome")?,
                    detail: row.maybe_text("detail")?,
                    network_ref: row.maybe_text("network_ref")?,
                })
            })
            .collect()
    }

    /// How many replies, posts and mails are in each state.
    pub async fn delivery_counts(&self) -> Result<Vec<(DeliveryState, i64)>, StoreError> {
        // Each half is answered by an index alone: events are taken off.
        let rows = sqlx::query(
            "SELECT state, CAST(SUM(n) AS BIGINT) AS count FROM (
                SELECT state, COUNT(*) AS n FROM deliveries GROUP BY state
                UNION ALL
                SELECT state, -COUNT(*) AS n FROM deliveries WHERE action = 'webhook' GROUP BY state) AS counts
             GROUP BY state HAVING SUM(n) > 0 ORDER BY state",
        )
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| Ok((row.word("state")?, row.number("count")?))).collect()
    }
}

struct Surroundings {
    now: Timestamp,
    /// The widest first.
    stops: Vec<Stop>,
    senders: SendersSeen,
}

fn view(row: &AnyRow, around: &Surroundings) -> Result<DeliveryView, StoreError> {
    let state: DeliveryState = row.word("state")?;
    let reply_id = row.maybe_word("reply_id")?;
    let receipt: Option<Receipt> = row.maybe_text("receipt")?.and_then(|receipt| serde_json::from_str(&receipt).ok());
    let standing = Standing::of(&facts(row, state, around)?, around.now);
    Ok(DeliveryView {
        id: row.word("id")?,
        account_id: row.word("account_id")?,
        account: row.text("account")?,
        network: row.word("network")?,
        action: row.word("action")?,
        kind: match (row.word("action")?, reply_id.is_some()) {
            (Action::Webhook, _) => DeliveryKind::Webhook,
            (Action::Mail, _) => DeliveryKind::Mail,
            (_, true) => DeliveryKind::Reply,
            (_, false) => DeliveryKind::Post,
        },
        state,
        reason: row.maybe_text("reason")?,
        hold: row.maybe_text("hold")?,
        next_step: standing.to_string(),
        next_at: standing.next_at,
        standing,
        text: match row.word("action")? {
            Action::Mail => shown_mail(row.text("body")?),
            _ => row.text("body")?,
        },
        visibility: row.text("visibility")?,
        class: row.number("class")?,
        due_at: row.time("due_at")?,
        wanted_at: row.maybe_time("wanted_at")?,
        expires_at: row.maybe_time("expires_at")?,
        author: row.text("author")?,
        key: row.text("idem_key")?,
        reply_id,
        post_id: row.maybe_word("post_id")?,
        campaign_id: row.maybe_word("campaign_id")?,
        recurrence_id: row.maybe_word("recurrence_id")?,
        mention_id: row.maybe_word("mention_id")?,
        conversation_id: row.maybe_word("conversation_id")?,
        target_id: row.maybe_word("target_id")?,
        after_id: row.maybe_word("after_id")?,
        attempts: row.number("attempts")?,
        first_called_at: row.maybe_time("first_called_at")?,
        cancel_wanted_at: row.maybe_time("cancel_wanted")?,
        decided_by: row.maybe_text("decided_by")?,
        network_ref: row.maybe_text("network_ref")?,
        doubled_ref: row.maybe_text("doubled_ref")?,
        url: receipt.and_then(|receipt| receipt.url),
        answers_url: row.maybe_text("answers_url")?,
        account_url: match (row.word::<Network>("network")?.on_page(), reply_id.is_some()) {
            (OnPage::Everything, _) | (OnPage::Posts, false) => row.maybe_text("profile_url")?,
            (OnPage::Posts, true) | (OnPage::Nothing, _) => None,
        },
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
        sent_at: row.maybe_time("sent_at")?,
        deleted_at: row.maybe_time("deleted_at")?,
    })
}

/// A mail as people read it.
fn shown_mail(body: String) -> String {
    Mail::from_json(&body).map_or(body, |mail| mail.to_string())
}

/// What [`Standing`] is made from.
fn facts(row: &AnyRow, state: DeliveryState, around: &Surroundings) -> Result<Facts, StoreError> {
    let id: DeliveryId = row.word("id")?;
    let base_url = row.maybe_text("base_url")?;
    let sent = Sent {
        account_id: row.word("account_id")?,
        network: row.word("network")?,
        base_url: base_url.as_deref(),
        is_post: row.maybe_text("post_id")?.is_some() && row.text("action")? == Action::Publish.as_str(),
    };
    let gate = |until, reason| {
        Ok::<_, StoreError>(match row.maybe_time(until)? {
            Some(until) => Some((until, row.maybe_text(reason)?)),
            None => None,
        })
    };
    let after = row.maybe_word("after_id")?.zip(row.maybe_word("after_state")?);
    let holder: Option<(DeliveryId, DeliveryState)> =
        row.maybe_word("lane_holder")?.zip(row.maybe_word("holder_state")?);
    Ok(Facts {
        state,
        hold: row.maybe_word("hold")?,
        reason: row.maybe_text("reason")?,
        due_at: row.time("due_at")?,
        next_at: row.time("next_at")?,
        quiet: row.maybe_number("wanted_at")?.is_some() && row.maybe_text("decided_by")?.is_none(),
        calls: row.number("attempts")?,
        worker: row.maybe_text("worker")?,
        lease_until: row.maybe_time("lease_until")?,
        read_failures: row.number("read_failures")?,
        absent_since: row.maybe_time("absent_since")?,
        cancel_wanted: row.maybe_number("cancel_wanted")?.is_some(),
        stop: around.stops.iter().find(|stop| stop.scope.covers(&sent)).cloned(),
        paused: row.maybe_time("paused_at")?.is_some(),
        pause_reason: row.maybe_text("pause_reason")?.filter(|reason| !reason.is_empty()),
        unauthorized: row.text("health")? == Health::Unauthorized.as_str(),
        health_reason: row.maybe_text("health_reason")?,
        after,
        probe: row.maybe_time("probe_at")?.zip(Some(row.number("probes")?)),
        account_gate: gate("account_gated_until", "gate_reason")?,
        lane_gate: gate("lane_gated_until", "lane_gate_reason")?,
        lane_holder: holder.filter(|(holder, _)| *holder != id),
        worker_seen: around.senders.seen_at,
        worker_left: around.senders.left_at,
    })
}

//! The outbox as people read it: deliveries with their states, reasons, attempts and next steps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AccountId, Action, ConversationId, DeliveryId, DeliveryState, MentionId, Network, PostId, ReplyId};

/// Which deliveries a person wants to see; every part narrows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryFilter {
    pub account_id: Option<AccountId>,
    /// Any of these; empty means all.
    pub states: Vec<DeliveryState>,
    pub action: Option<Action>,
    /// Posts, or replies; both unless said.
    pub kind: Option<DeliveryKind>,
    pub conversation_id: Option<ConversationId>,
    pub mention_id: Option<MentionId>,
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
    /// What happens next, and when, in English.
    pub next_step: String,
    /// When somebody looks at it next; missing in an end state and where a person must decide.
    pub next_at: Option<Timestamp>,
    pub text: String,
    pub visibility: String,
    /// 0 takedown, 1 answer to a complaint, 2 other answer, 3 post.
    pub class: i64,
    pub due_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub author: String,
    pub key: String,
    pub reply_id: Option<ReplyId>,
    pub post_id: Option<PostId>,
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
    /// Where it can be seen.
    pub url: Option<String>,
    /// The account's own page, to look for it by hand.
    pub account_url: Option<String>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    pub sent_at: Option<Timestamp>,
}

impl DeliveryView {
    /// Whether [`super::Store::cancel`] can still stop it before the call.
    pub fn can_cancel(&self) -> bool {
        !self.state.is_end() && self.cancel_wanted_at.is_none()
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
        )
    }

    /// Whether a person must say what becomes of it ([`super::Store::decide`]).
    pub fn needs_decision(&self) -> bool {
        matches!(self.state, DeliveryState::Unknown | DeliveryState::Held | DeliveryState::Failed)
    }

    /// Whether [`super::Store::delete_again`] can take it back.
    pub fn can_delete(&self) -> bool {
        self.state == DeliveryState::Sent && self.action == Action::Publish
    }
}

/// One call to the network, for the delivery's own page.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AttemptView {
    pub epoch: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// `sent`, `retry`, `failed`, `unclear`, `held`, `found`, `absent`; missing while it runs.
    pub outcome: Option<String>,
    pub detail: Option<String>,
    pub network_ref: Option<String>,
}

/// What a person says of a delivery that stopped: `unknown`, `held` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is on the network; the address or id of the message, where the person has it.
    Sent {
        url_or_id: Option<String>,
    },
    /// Send it (again).
    Queue,
    Cancel,
}

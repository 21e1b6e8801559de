//! Everything on its way to a network: where it stands, why, what happens next, and what a person can do about it.

mod actions;
mod alerts;
mod history;
mod list;
mod many;
mod one;
mod sending;
pub mod standing;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::layout::Console;
use super::locale::Locale;
use super::texts::Text;
use crate::app::App;
use crate::model::{Action, DeliveryState, Hold};
use crate::standing::Why;
use crate::store::deliveries::{DeliveryKind, DeliveryView};

pub use list::DeliveryQuery;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/deliveries", get(list::list))
        .route("/deliveries/release", post(sending::release))
        .route("/deliveries/many", post(many::many))
        .route("/deliveries/{id}", get(one::one))
        .route("/deliveries/{id}/cancel", post(actions::cancel))
        .route("/deliveries/{id}/move", post(actions::move_it))
        .route("/deliveries/{id}/now", post(actions::send_now))
        .route("/deliveries/{id}/decide", post(actions::decide))
        .route("/deliveries/{id}/delete", post(actions::delete))
        .route("/sending/stop", post(sending::stop))
        .route("/sending/resume", post(sending::resume))
        .route("/workers", get(workers::workers))
}

/// What a delivery is, in a word.
pub fn kind_word(delivery: &DeliveryView) -> Text {
    match (delivery.action, delivery.kind) {
        (Action::Delete, _) => Text::DeliveryDelete,
        (Action::Webhook, _) | (_, DeliveryKind::Webhook) => Text::DeliveryWebhook,
        (Action::Mail, _) | (_, DeliveryKind::Mail) => Text::DeliveryMail,
        (Action::Publish, DeliveryKind::Reply) => Text::DeliveryReply,
        (Action::Publish, DeliveryKind::Post) => Text::DeliveryPost,
    }
}

/// A reason worth reading: not for what simply went well, nor what the sentence beside it says already.
fn shown_reason(delivery: &DeliveryView) -> Option<&str> {
    let worth = match &delivery.standing.why {
        _ if delivery.doubled_ref.is_some() => true,
        Why::PutBack { .. } => true,
        Why::Held { hold } => *hold == Hold::Account,
        _ => !matches!(delivery.state, DeliveryState::Sent | DeliveryState::Queued | DeliveryState::Preparing),
    };
    delivery.reason.as_deref().filter(|reason| worth && !reason.trim().is_empty())
}

/// The fields of a move: a time in the account's zone, which is named.
pub fn time_field(console: &Console, at: Timestamp, zone: &TimeZone, label: Text) -> Markup {
    let there = Locale { timezone: zone.clone(), ..console.locale.clone() };
    let at = at.max(console.now);
    html! {
        label.field {
            span { (console.t(label)) }
            input type="datetime-local" name="at" required value=(there.local_field(at)) min=(there.local_field(console.now));
            span.hint { (Locale::zone_name(zone, at)) }
        }
    }
}

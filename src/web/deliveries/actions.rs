//! What a person does with one delivery; each answer says what really happened.

use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use crate::compose::{self, ComposeError, Confirmed};
use crate::linked;
use crate::live::Wake;
use crate::model::{DeliveryId, DeliveryState};
use crate::standing::Next;
use crate::store::deliveries::{Decision, DeliveryView};
use crate::web::conversation::own_path;
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::inbox::read;
use crate::web::layout::{Console, Notice, Page, Place, page};
use crate::web::locale::{from_local_field, is_too_far, meets_clock_change};
use crate::web::parts::near_duplicate;
use crate::web::texts::Text;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Return {
    back: String,
}

impl Return {
    fn with(&self, notice: Notice, id: DeliveryId) -> Redirect {
        let back = own_path(&self.back).unwrap_or_else(|| format!("/deliveries/{id}"));
        Redirect::to(&notice.on(&back))
    }
}

pub async fn cancel(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let delivery = console.app.store.cancel(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    let notice = if delivery.state == DeliveryState::Cancelled { Notice::CANCELLED } else { Notice::CANCEL_WANTED };
    Ok(back.with(notice, id))
}

#[derive(Debug, Deserialize)]
pub struct MoveForm {
    /// A local time in the account's zone.
    at: String,
    /// `yes`: the person has read that nearly the same post is planned for that day.
    #[serde(default)]
    confirm_duplicate: String,
    #[serde(default)]
    back: String,
}

pub async fn move_it(
    console: Console,
    Path(id): Path<String>,
    Form(form): Form<MoveForm>,
) -> Result<Response, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let store = &console.app.store;
    let account = store.account(store.delivery(id).await?.account_id).await?;
    let zone = TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone());
    let back = Return { back: form.back };
    let Some(at) = from_local_field(&form.at, &zone) else {
        let notice = if is_too_far(&form.at, &zone) { Notice::TOO_FAR } else { Notice::BAD_TIME };
        return Ok(back.with(notice, id).into_response());
    };
    if meets_clock_change(&form.at, &zone) {
        return Ok(back.with(Notice::CLOCK_CHANGES, id).into_response());
    }
    // The field knows minutes only: this very minute means now.
    if at.as_second() < console.now.as_second() - 60 {
        return Ok(back.with(Notice::PAST_TIME, id).into_response());
    }
    let confirm = Confirmed { duplicate: form.confirm_duplicate == "yes", ..Confirmed::default() };
    match compose::reschedule(&console.app, id, at, confirm, &console.viewer.actor).await {
        Ok(_) => Ok(back.with(Notice::MOVED, id).into_response()),
        Err(ComposeError::NearDuplicate { earlier, .. }) => {
            let earlier = store.delivery(earlier).await?;
            Ok((StatusCode::CONFLICT, ask_to_move(&console, id, &earlier, &form.at, &back.back)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// The question before a post moves into a day that has nearly the same one.
fn ask_to_move(console: &Console, id: DeliveryId, earlier: &DeliveryView, at: &str, back: &str) -> Markup {
    let body = html! {
        form.card.pad.stack method="post" action=(format!("/deliveries/{id}/move")) {
            (console.viewer.csrf)
            input type="hidden" name="at" value=(at);
            input type="hidden" name="back" value=(back);
            input type="hidden" name="confirm_duplicate" value="yes";
            h1 { (console.t(Text::MoveDelivery)) }
            div.notice.warning role="alert" {
                (icon(Icon::Alert))
                div.grow { (near_duplicate(console, Some(earlier))) }
            }
            div.row.end {
                a.button href=(format!("/deliveries/{id}")) { (console.t(Text::Cancel)) }
                button.button.primary { (console.t(Text::MoveAnyway)) }
            }
        }
    };
    let title = console.t(Text::MoveDelivery).to_owned();
    page(console, Page { place: Place::Deliveries, title, live: "", narrow: true }, body)
}

pub async fn send_now(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let spacing = console.app.config.delivery.release_spacing;
    let delivery = console.app.store.retry(id, spacing, &console.viewer.actor, console.app.store.clock()).await?;
    console.app.live.wake(Wake::Outbox);
    // What still stops it is told by its page.
    let goes_out = matches!(delivery.standing.next, Next::Send | Next::ReadBack);
    Ok(back.with(if goes_out { Notice::SENDING_NOW } else { Notice::STILL_WAITS }, id))
}

#[derive(Debug, Deserialize)]
pub struct DecideForm {
    what: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    back: String,
}

pub async fn decide(
    console: Console,
    Path(id): Path<String>,
    Form(form): Form<DecideForm>,
) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let decision = match form.what.as_str() {
        "sent" => Decision::Sent {
            receipt: match form.link.trim() {
                "" => None,
                link => Some(linked::receipt(&console.app, id, link).await?),
            },
        },
        "queue" => Decision::Queue,
        "cancel" => Decision::Cancel,
        other => return Err(Problem::invalid("what", format!("what: {other:?} is not one of sent, queue, cancel"))),
    };
    let spacing = console.app.config.delivery.release_spacing;
    console.app.store.decide(id, decision, spacing, &console.viewer.actor, console.app.store.clock()).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Return { back: form.back }.with(Notice::DECIDED, id))
}

pub async fn delete(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    console.app.store.delete_again(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(back.with(Notice::DELETE_QUEUED, id))
}

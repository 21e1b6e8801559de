//! What a person does with one delivery; each answer says what really happened.

use axum::Form;
use axum::extract::Path;
use axum::response::Redirect;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::live::Wake;
use crate::model::{DeliveryId, DeliveryState};
use crate::standing::Next;
use crate::store::deliveries::Decision;
use crate::web::conversation::own_path;
use crate::web::error::Problem;
use crate::web::inbox::read;
use crate::web::layout::{Console, Notice};
use crate::web::locale::from_local_field;

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
    #[serde(default)]
    back: String,
}

pub async fn move_it(
    console: Console,
    Path(id): Path<String>,
    Form(form): Form<MoveForm>,
) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let store = &console.app.store;
    let account = store.account(store.delivery(id).await?.account_id).await?;
    let zone = TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone());
    let back = Return { back: form.back };
    let Some(at) = from_local_field(&form.at, &zone) else { return Ok(back.with(Notice::BAD_TIME, id)) };
    // The field knows minutes only: this very minute means now.
    if at.as_second() < console.now.as_second() - 60 {
        return Ok(back.with(Notice::PAST_TIME, id));
    }
    store.reschedule(id, at, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(back.with(Notice::MOVED, id))
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
        "sent" => Decision::Sent { url_or_id: Some(form.link.trim().to_owned()).filter(|link| !link.is_empty()) },
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

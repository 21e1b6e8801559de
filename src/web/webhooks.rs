//! Webhooks: where events go, what arrived, and what came to nothing and can be sent again.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::Form;
use jiff::Timestamp;
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::parts::{Ask, ago, delivery_chip, empty, health_word, said};
use super::texts::Text;
use crate::accounts::{AccountError, ORIGIN};
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, DeliveryId, DeliveryState, EventKind, Health};
use crate::store::StoreError;
use crate::store::webhooks::{Endpoint, EventView, Replay};
use crate::webhooks::{self, Change, Wanted};

/// The newest events that an endpoint's page shows.
const SHOWN: i64 = 50;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/webhooks", get(list).post(add))
        .route("/webhooks/{id}", get(one).post(change))
        .route("/webhooks/{id}/secret", post(new_secret))
        .route("/webhooks/{id}/test", post(test))
        .route("/webhooks/{id}/replay", post(replay))
        .route("/webhooks/{id}/pause", post(pause))
        .route("/webhooks/{id}/resume", post(resume))
        .route("/webhooks/{id}/remove", post(remove))
}

fn admin_only(console: &Console) -> Result<(), Problem> {
    match console.is_admin() {
        true => Ok(()),
        false => Err(Problem::forbidden("webhooks are managed by admins").next("ask an admin")),
    }
}

/// What is asked for of an endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EndpointForm {
    name: String,
    brand: String,
    url: String,
    events: Vec<String>,
}

/// A page of this place.
fn framed(console: &Console, title: &str, body: Markup) -> Markup {
    let title = title.to_owned();
    page(console, Page { place: Place::Webhooks, title, live: "delivery account", narrow: true }, body)
}

async fn list(console: Console) -> Result<Markup, Problem> {
    admin_only(&console)?;
    let form = EndpointForm { events: vec![EventKind::MentionReceived.as_str().to_owned()], ..EndpointForm::default() };
    Ok(render(&console, &console.app.store.endpoints().await?, &form, None))
}

fn render(console: &Console, endpoints: &[Endpoint], form: &EndpointForm, refusal: Option<&str>) -> Markup {
    let body = html! {
        div.page-head { h1 { (console.t(Text::Webhooks)) } }
        div data-part="webhooks" {
            @if endpoints.is_empty() {
                div.card { (empty(Icon::Bolt, console.t(Text::NoWebhooksTitle), console.t(Text::NoWebhooksBody), html! {})) }
            }
            @for endpoint in endpoints {
                section.card.account {
                    div.row {
                        h2 { a href=(format!("/webhooks/{}", endpoint.id)) { (endpoint.name) } }
                        (health(console, endpoint))
                    }
                    (facts(console, endpoint))
                }
            }
        }
        form.card.pad.stack method="post" action="/webhooks" autocomplete="off" {
            (console.viewer.csrf)
            h2 { (console.t(Text::AddWebhook)) }
            (refused(console, refusal))
            label.field { span { (console.t(Text::AccountName)) }
                input type="text" name="name" value=(form.name) required maxlength="64" dir="auto"; }
            (fields(console, &form.brand, &form.url, &form.events))
            div.row { button.button.primary { (console.t(Text::AddWebhook)) } }
        }
    };
    framed(console, console.t(Text::Webhooks), body)
}

fn refused(console: &Console, refusal: Option<&str>) -> Markup {
    html! {
        @if let Some(refusal) = refusal {
            p.notice.error role="alert" { (icon(Icon::Alert)) span dir="auto" { (console.fill_in(Text::WebhookRefused, &[said(console, refusal)])) } }
        }
    }
}

fn fields(console: &Console, brand: &str, url: &str, events: &[String]) -> Markup {
    html! {
        label.field { span { (console.t(Text::WebhookUrl)) }
            input type="url" name="url" value=(url) required maxlength="2000" placeholder="https://" dir="ltr";
            span.hint { (console.t(Text::WebhookUrlHint)) } }
        label.field { span { (console.t(Text::AccountBrand)) }
            input type="text" name="brand" value=(brand) maxlength="64" dir="auto";
            span.hint { (console.t(Text::WebhookBrandHint)) } }
        fieldset.field {
            legend { (console.t(Text::WebhookEvents)) }
            @for kind in EventKind::on_offer() {
                label.check {
                    input type="checkbox" name="events" value=(kind) checked[events.iter().any(|event| event == kind.as_str())];
                    span.grow { (console.t(event_word(kind))) " " code.small.muted { (kind) } }
                }
            }
        }
    }
}

fn event_word(kind: EventKind) -> Text {
    match kind {
        EventKind::MentionReceived => Text::EventMentionReceived,
        EventKind::MentionNegative => Text::EventMentionNegative,
        EventKind::MentionComplaint => Text::EventMentionComplaint,
        EventKind::MentionUrgent => Text::EventMentionUrgent,
        EventKind::MentionEdited => Text::EventMentionEdited,
        EventKind::MentionDeleted => Text::EventMentionDeleted,
        EventKind::ConversationOpened => Text::EventConversationOpened,
        EventKind::ConversationDone => Text::EventConversationDone,
        EventKind::DeliverySent => Text::EventDeliverySent,
        EventKind::DeliveryFailed => Text::EventDeliveryFailed,
        EventKind::DeliveryUnknown => Text::EventDeliveryUnknown,
        EventKind::DeliveryHeld => Text::EventDeliveryHeld,
        EventKind::DeliveryExpired => Text::EventDeliveryExpired,
        EventKind::AlertsRaised => Text::EventAlertsRaised,
        EventKind::WebhookTest => Text::EventWebhookTest,
    }
}

fn health(console: &Console, endpoint: &Endpoint) -> Markup {
    html! {
        @if endpoint.paused_at.is_some() {
            span.health { (console.t(Text::Paused)) }
        } @else {
            span class=(format!("health {}", endpoint.health)) { (console.t(health_word(endpoint.health))) }
        }
    }
}

/// Where it goes and how that is doing, in a few lines.
fn facts(console: &Console, endpoint: &Endpoint) -> Markup {
    html! {
        div.dot-list {
            span dir="ltr" { (endpoint.url) }
            span { (endpoint.brand) }
        }
        @if let Some(paused) = endpoint.paused_at {
            p.notice.warning { (icon(Icon::Pause)) span dir="auto" {
                @match endpoint.pause_reason.as_deref().filter(|reason| !reason.is_empty()) {
                    Some(reason) => (console.fill(Text::PausedBecause, &[&console.relative(paused), &console.said(reason)])),
                    None => (console.fill(Text::PausedSince, &[&console.relative(paused)])),
                }
            } }
        } @else if endpoint.health == Health::Failing {
            div.notice.warning { (icon(Icon::Alert)) div.grow {
                @if let Some(reason) = &endpoint.health_reason { p dir="auto" { strong { (said(console, reason)) } } }
                p { (console.t(Text::WebhookFailingHelp)) }
            } }
        }
        @if let Some(until) = endpoint.gated_until.filter(|until| *until > console.now) {
            p.notice.warning { (icon(Icon::Clock)) span { (console.fill(Text::WebhookGated, &[&console.short(until)])) } }
        }
        p.complete {
            @if endpoint.waiting > 0 {
                (console.count(Text::WebhookWaiting, endpoint.waiting))
                @if let Some(since) = endpoint.waiting_since { " (" (ago(console, since)) ")" }
            } @else { (console.t(Text::WebhookNothingWaits)) }
            @if endpoint.dead > 0 { " · " strong { (console.count(Text::WebhookDead, endpoint.dead)) } }
            @if endpoint.unkept > 0 { " · " strong { (console.count(Text::WebhookUnkept, endpoint.unkept)) } }
            @if let Some(at) = endpoint.last_sent_at { " · " (console.t(Text::WebhookLastSent)) " " (ago(console, at)) }
        }
    }
}

async fn one(console: Console, Path(id): Path<String>) -> Result<Markup, Problem> {
    admin_only(&console)?;
    endpoint_page(&console, read("webhook", &id)?, None, None).await
}

/// An endpoint's own page; `secret` is shown on it this once.
async fn endpoint_page(
    console: &Console,
    id: AccountId,
    secret: Option<&SecretString>,
    refusal: Option<&str>,
) -> Result<Markup, Problem> {
    let store = &console.app.store;
    let (endpoint, events, account) =
        tokio::try_join!(store.endpoint(id), store.endpoint_events(id, SHOWN), store.account(id))?;
    let body = html! {
        div.page-head {
            h1 { (endpoint.name) }
            div.actions.inline { (controls(console, &endpoint)) }
        }
        @if let Some(secret) = secret {
            div.notice.success role="status" { (icon(Icon::Lock)) div.grow {
                p { strong { (console.t(Text::WebhookSecretOnce)) } }
                p { code dir="ltr" { (secret.expose_secret()) } }
                p.small { (console.t(Text::WebhookSecretUse)) }
            } }
        }
        section.card.account data-part="webhook" { div.row { (health(console, &endpoint)) } (facts(console, &endpoint)) }
        (replay_form(console, &endpoint))
        section.card data-part="events" {
            @if events.is_empty() {
                (empty(Icon::Bolt, console.t(Text::NoEventsTitle), console.t(Text::NoEventsBody), html! {}))
            } @else {
                ul.list { @for event in &events { (event_row(console, &endpoint, event)) } }
            }
        }
        @if endpoint.origin == ORIGIN {
            form.card.pad.stack method="post" action=(format!("/webhooks/{id}")) autocomplete="off" {
                (console.viewer.csrf)
                h2 { (console.t(Text::ChangeWebhook)) }
                (refused(console, refusal))
                (fields(console, &endpoint.brand, account.base_url.as_deref().unwrap_or_default(), &endpoint.events))
                div.row { button.button.primary { (console.t(Text::Save)) } }
            }
        } @else {
            p.small.muted { (console.t(Text::AccountInFile)) }
        }
    };
    Ok(framed(console, &endpoint.name, body))
}

fn controls(console: &Console, endpoint: &Endpoint) -> Markup {
    let id = endpoint.id;
    let simple = |action: &str, text: Text, picture: Icon| {
        html! {
            form method="post" action=(format!("/webhooks/{id}/{action}")) {
                (console.viewer.csrf)
                button.button.small { (icon(picture)) (console.t(text)) }
            }
        }
    };
    html! {
        (simple("test", Text::SendTestEvent, Icon::Plane))
        @if endpoint.paused_at.is_some() {
            (simple("resume", Text::ResumeAccount, Icon::Play))
        } @else {
            (simple("pause", Text::PauseAccount, Icon::Pause))
        }
        @if endpoint.origin == ORIGIN {
            (Ask {
                button: html! { (icon(Icon::Lock)) (console.t(Text::NewSecret)) },
                class: "button small",
                action: format!("/webhooks/{id}/secret"),
                question: console.t(Text::NewSecretAsk),
                more: console.t(Text::NewSecretMore),
                fields: html! {},
                yes: console.t(Text::NewSecret),
                yes_class: "button primary",
            }.render(console))
            (Ask {
                button: html! { (icon(Icon::Trash)) (console.t(Text::RemoveAccount)) },
                class: "button small",
                action: format!("/webhooks/{id}/remove"),
                question: console.t(Text::RemoveWebhookAsk),
                more: console.t(Text::RemoveWebhookMore),
                fields: html! {},
                yes: console.t(Text::RemoveAccount),
                yes_class: "button danger",
            }.render(console))
        }
    }
}

/// Sending every dead letter again, or those since a time.
fn replay_form(console: &Console, endpoint: &Endpoint) -> Markup {
    html! {
        @if endpoint.dead > 0 {
            form.card.pad.stack method="post" action=(format!("/webhooks/{}/replay", endpoint.id)) {
                (console.viewer.csrf)
                h2 { (console.count(Text::WebhookDead, endpoint.dead)) }
                p.small.muted { (console.t(Text::ReplayMore)) }
                label.field { span { (console.t(Text::ReplaySince)) }
                    input type="datetime-local" name="since"; }
                div.row { button.button.primary { (icon(Icon::Undo)) (console.t(Text::Replay)) } }
            }
        }
    }
}

fn event_row(console: &Console, endpoint: &Endpoint, event: &EventView) -> Markup {
    let dead = matches!(event.state, DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Held);
    let word = event.kind.parse().map_or(event.kind.clone(), |kind| console.t(event_word(kind)).to_owned());
    html! {
        li.user-row {
            div.grow {
                a href=(format!("/deliveries/{}", event.id)) { strong { (word) } } " " code.small.muted { (event.kind) }
                div.small.muted dir="auto" {
                    (ago(console, event.created_at))
                    @if let Some(reason) = &event.reason { " · " (said(console, reason)) }
                    @if event.attempts > 1 { " · " (console.count(Text::WebhookCalls, event.attempts)) }
                    @if let Some(next) = event.next_at.filter(|next| *next > console.now) {
                        " · " (console.fill(Text::WebhookNextTry, &[&console.short(next)]))
                    }
                }
            }
            (delivery_chip(console, event.state))
            @if dead {
                form method="post" action=(format!("/webhooks/{}/replay", endpoint.id)) {
                    (console.viewer.csrf)
                    input type="hidden" name="delivery" value=(event.id);
                    button.button.small { (icon(Icon::Undo)) (console.t(Text::Replay)) }
                }
            }
        }
    }
}

/// What a person can mend in the form; anything else is a problem of its own.
fn refusal(error: AccountError) -> Result<String, Problem> {
    match error {
        AccountError::Store(StoreError::Conflict(reason)) => Ok(reason),
        error @ (AccountError::Invalid { .. } | AccountError::Network(_)) => Ok(error.to_string()),
        error => Err(error.into()),
    }
}

async fn add(console: Console, Form(form): Form<EndpointForm>) -> Result<Response, Problem> {
    admin_only(&console)?;
    let EndpointForm { name, brand, url, events } = &form;
    let wanted = Wanted { name: name.clone(), brand: brand.clone(), url: url.clone(), events: events.clone() };
    match webhooks::add(&console.app, &wanted, &console.viewer.actor).await {
        Ok((id, secret)) => Ok(endpoint_page(&console, id, Some(&secret), None).await?.into_response()),
        Err(error) => {
            let refusal = refusal(error)?;
            let endpoints = console.app.store.endpoints().await?;
            let page = render(&console, &endpoints, &form, Some(&refusal));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn change(console: Console, Path(id): Path<String>, Form(form): Form<EndpointForm>) -> Result<Response, Problem> {
    admin_only(&console)?;
    let id = read("webhook", &id)?;
    let change = Change { brand: Some(form.brand), url: Some(form.url), events: Some(form.events) };
    match webhooks::change(&console.app, id, &change, &console.viewer.actor).await {
        Ok(()) => Ok(Redirect::to(&Notice::WEBHOOK_CHANGED.on(&format!("/webhooks/{id}"))).into_response()),
        Err(error) => {
            let page = endpoint_page(&console, id, None, Some(&refusal(error)?)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn new_secret(console: Console, Path(id): Path<String>) -> Result<Markup, Problem> {
    admin_only(&console)?;
    let id = read("webhook", &id)?;
    let secret = webhooks::rotate(&console.app, id, &console.viewer.actor).await?;
    endpoint_page(&console, id, Some(&secret), None).await
}

async fn test(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let id: AccountId = read("webhook", &id)?;
    console.app.store.test_endpoint(id, &console.viewer.actor).await?;
    Ok(back(&console, id, Notice::EVENT_QUEUED))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReplayForm {
    delivery: String,
    since: String,
}

async fn replay(console: Console, Path(id): Path<String>, Form(form): Form<ReplayForm>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let id: AccountId = read("webhook", &id)?;
    let which = match (form.delivery.as_str(), form.since.trim()) {
        ("", "") => Replay::Since(Timestamp::UNIX_EPOCH),
        ("", since) => match super::locale::from_local_field(since, &console.timezone) {
            Some(since) => Replay::Since(since),
            None => return Ok(back(&console, id, Notice::BAD_TIME)),
        },
        (delivery, _) => Replay::One(read::<DeliveryId>("delivery", delivery)?),
    };
    console.app.store.endpoint(id).await?;
    console.app.store.replay_events(id, which, &console.viewer.actor).await?;
    Ok(back(&console, id, Notice::REPLAYED))
}

async fn pause(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let endpoint = console.app.store.endpoint(read("webhook", &id)?).await?;
    console.app.store.pause_account(endpoint.id, "", &console.viewer.actor).await?;
    Ok(back(&console, endpoint.id, Notice::WEBHOOK_CHANGED))
}

async fn resume(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let endpoint = console.app.store.endpoint(read("webhook", &id)?).await?;
    console
        .app
        .store
        .resume_account(endpoint.id, console.app.config.delivery.release_spacing, &console.viewer.actor)
        .await?;
    Ok(back(&console, endpoint.id, Notice::WEBHOOK_CHANGED))
}

async fn remove(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    webhooks::remove(&console.app, read("webhook", &id)?, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::WEBHOOK_REMOVED.on("/webhooks")))
}

fn back(console: &Console, id: AccountId, notice: Notice) -> Redirect {
    console.app.live.wake(Wake::Outbox);
    Redirect::to(&notice.on(&format!("/webhooks/{id}")))
}

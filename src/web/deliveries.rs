//! Everything on its way to a network: where it stands, why, what happens next, and what a person can do about it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::composer::writer_name;
use super::conversation::own_path;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{address, maybe, read};
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::{Locale, from_local_field};
use super::parts::{
    Ask, ago, delivery_chip, delivery_word, empty, is_web_address, moment, network_badge, options, outside,
};
use super::texts::Text;
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, Hold};
use crate::store::accounts::Account;
use crate::store::alerts::AlertView;
use crate::store::deliveries::{AttemptView, Decision, DeliveryFilter, DeliveryKind, DeliveryView};

const PAGE: usize = 50;
const ALERTS: i64 = 50;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/deliveries", get(list))
        .route("/deliveries/release", post(release))
        .route("/deliveries/{id}", get(one))
        .route("/deliveries/{id}/cancel", post(cancel))
        .route("/deliveries/{id}/move", post(move_it))
        .route("/deliveries/{id}/now", post(send_now))
        .route("/deliveries/{id}/decide", post(decide))
        .route("/deliveries/{id}/delete", post(delete))
        .route("/sending/stop", post(stop))
        .route("/sending/resume", post(resume))
}

/// The filters as they stand in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeliveryQuery {
    /// `needs`, `open`, `sent`, `ended`, or a state's word.
    pub state: String,
    pub account: String,
    pub before: String,
}

impl DeliveryQuery {
    pub fn filter(&self) -> Result<DeliveryFilter, Problem> {
        use DeliveryState::{
            Cancelled, Expired, Failed, Held, Preparing, Queued, Retry, Sending, Sent, Unknown, Verifying, Waiting,
        };
        let states = match self.state.as_str() {
            "" => Vec::new(),
            "needs" => vec![Held, Unknown, Waiting, Failed],
            "open" => vec![Queued, Preparing, Sending, Verifying, Retry],
            "ended" => vec![Failed, Expired, Cancelled],
            "sent" => vec![Sent],
            state => vec![read("state", state)?],
        };
        let after = match self.before.is_empty() {
            true => None,
            false => {
                let read = || {
                    let (micros, id) = self.before.split_once('-')?;
                    Some((Timestamp::from_microsecond(micros.parse().ok()?).ok()?, id.parse().ok()?))
                };
                Some(read().ok_or_else(|| Problem::invalid("before", "before: that is not a place in this list"))?)
            }
        };
        Ok(DeliveryFilter {
            account_id: maybe("account", &self.account)?,
            states,
            after,
            limit: PAGE,
            ..DeliveryFilter::default()
        })
    }

    fn csv(&self, console: &Console) -> Result<String, Problem> {
        let states: Vec<_> = self.filter()?.states.into_iter().map(DeliveryState::as_str).collect();
        let filters = [("account_id", self.account.as_str()), ("state", &states.join(","))];
        Ok(super::inbox::csv(console, "deliveries", &filters))
    }

    fn with(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("state", self.state.as_str()), ("account", &self.account), ("before", "")] {
            let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| *value);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        address(path, &query.finish())
    }
}

async fn list(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Markup, Problem> {
    let filter = query.filter()?;
    let (deliveries, accounts, alerts, counts, late) = tokio::try_join!(
        app.store.deliveries(&filter),
        app.store.accounts(),
        app.store.alerts(ALERTS),
        app.store.delivery_counts(),
        app.store.held_count(Hold::Late, filter.account_id),
    )?;
    let open: Vec<_> = alerts.iter().filter(|alert| alert.closed_at.is_none()).collect();
    let count = |states: &[DeliveryState]| {
        counts.iter().filter(|(state, _)| states.contains(state)).map(|(_, count)| count).sum::<i64>()
    };
    let waiting = count(&[DeliveryState::Held, DeliveryState::Unknown, DeliveryState::Waiting]);
    let under_way = count(&[
        DeliveryState::Queued,
        DeliveryState::Preparing,
        DeliveryState::Sending,
        DeliveryState::Verifying,
        DeliveryState::Retry,
    ]);
    let tabs = [
        (Text::Any, "", None),
        (Text::NeedsYou, "needs", Some(waiting)),
        (Text::UnderWay, "open", Some(under_way)),
        (Text::StateSent, "sent", None),
        (Text::Ended, "ended", None),
    ];
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::Deliveries)) }
            div.actions {
                a.button.quiet.small href=(query.csv(&console)?) download {
                    (icon(Icon::Download)) (console.t(Text::Download))
                }
                @if console.may_write() && console.stopped_at.is_none() { (stop_control(&console)) }
            }
        }
        div data-part="held" { @if late > 0 { (held_notice(&console, &query, late)) } }
        (alert_card(&console, &open))
        nav.tabs aria-label=(console.t(Text::FilterState)) data-part="tabs" {
            @for (text, state, count) in tabs {
                a href=(query.with("/deliveries", &[("state", state)]))
                    aria-current=[(query.state == state).then_some("page")] {
                    (console.t(text))
                    @if let Some(count) = count.filter(|count| *count > 0) { span.badge { (console.integer(count)) } }
                }
            }
        }
        (filter_form(&console, &query, &accounts))
        div data-part="list" {
            @if deliveries.is_empty() {
                div.card {
                    @if query.state.is_empty() && query.account.is_empty() {
                        (empty(Icon::Plane, console.t(Text::NoDeliveriesTitle), console.t(Text::NoDeliveriesBody),
                            html! { a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) } }))
                    } @else {
                        (empty(Icon::Check, console.t(Text::NoDeliveriesMatchTitle), "",
                            html! { a.button href="/deliveries" { (console.t(Text::ClearFilters)) } }))
                    }
                }
            } @else {
                ol.card.list { @for delivery in &deliveries { (row(&console, delivery)) } }
            }
        }
        @if deliveries.len() >= PAGE && let Some(last) = deliveries.last() {
            nav.pager aria-label=(console.t(Text::Pages)) {
                span {}
                a.button href={
                    (query.with("/deliveries", &[("before", &format!("{}-{}", last.due_at.as_microsecond(), last.id))]))
                } { (console.t(Text::Older)) (icon(Icon::Right)) }
            }
        }
    };
    Ok(page(
        &console,
        Page {
            place: Place::Deliveries,
            title: console.t(Text::Deliveries).to_owned(),
            live: "delivery account alert",
            narrow: false,
        },
        body,
    ))
}

fn filter_form(console: &Console, query: &DeliveryQuery, accounts: &[Account]) -> Markup {
    let accounts: Vec<_> = std::iter::once((String::new(), console.t(Text::AllAccounts).to_owned()))
        .chain(accounts.iter().map(|account| (account.id.to_string(), account.name.clone())))
        .collect();
    let known = DeliveryState::ALL.iter().any(|state| state.as_str() == query.state);
    let mut states: Vec<_> =
        vec![(if known { String::new() } else { query.state.clone() }, console.t(Text::EveryState).to_owned())];
    states.extend(
        DeliveryState::ALL.iter().map(|state| (state.to_string(), console.t(delivery_word(*state)).to_owned())),
    );
    html! {
        form.toolbar method="get" action="/deliveries" data-short {
            label { span.visually-hidden { (console.t(Text::FilterAccount)) }
                select name="account" data-submits { (options(&query.account, &accounts)) } }
            label { span.visually-hidden { (console.t(Text::FilterState)) }
                select name="state" data-submits { (options(&query.state, &states)) } }
            noscript { button.button { (console.t(Text::Apply)) } }
        }
    }
}

fn stop_control(console: &Console) -> Markup {
    Ask {
        button: html! { (icon(Icon::Stop)) (console.t(Text::StopSending)) },
        class: "button danger",
        action: "/sending/stop".to_owned(),
        question: console.t(Text::StopSendingAsk),
        more: console.t(Text::StopSendingMore),
        fields: html! {},
        yes: console.t(Text::YesStop),
        yes_class: "button solid-danger",
    }
    .render(console)
}

/// What is held for its time alone: it can go out together. What is held for another reason is looked at one by one.
fn held_notice(console: &Console, query: &DeliveryQuery, late: i64) -> Markup {
    let spacing = console.app.config.delivery.release_spacing.as_secs() as i64;
    let spacing = console.count(Text::HeldSpacing, spacing);
    html! {
        div.notice.warning {
            (icon(Icon::Clock))
            div.grow { p { (console.count(Text::HeldCount, late)) } p.small { (spacing) } }
            @if console.may_write() {
                (Ask {
                    button: html! { (console.t(Text::ReleaseHeld)) },
                    class: "button",
                    action: "/deliveries/release".to_owned(),
                    question: &console.count(Text::ReleaseHeldAsk, late),
                    more: &spacing,
                    fields: html! { input type="hidden" name="account" value=(query.account); },
                    yes: console.t(Text::ReleaseHeld),
                    yes_class: "button primary",
                }.render(console))
            }
        }
    }
}

fn alert_card(console: &Console, alerts: &[&AlertView]) -> Markup {
    html! {
        div data-part="alerts" {
            @if !alerts.is_empty() {
                section.card.alerts aria-labelledby="alerts-title" {
                    header { (icon(Icon::Alert)) h2 #alerts-title { (console.count(Text::AlertCount, alerts.len() as i64)) } }
                    ul.alert-list {
                        @for alert in alerts {
                            li {
                                span.chip.negative { (console.t(alert_word(&alert.kind))) }
                                a.grow href=(alert_link(alert)) dir="auto" { (alert.message) }
                                span.small.muted {
                                    (ago(console, alert.raised_at)) " · "
                                    @match (&alert.told_at, &alert.failure_reason) {
                                        (Some(told), _) => (console.fill(Text::AlertTold, &[&console.relative(*told)])),
                                        (None, Some(reason)) => (console.fill(Text::AlertTellFailed, &[reason])),
                                        (None, None) => (console.t(Text::AlertNotTold)),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn alert_word(kind: &str) -> Text {
    match kind {
        "delivery_failed" => Text::AlertFailed,
        "delivery_late" => Text::AlertLate,
        "delivery_held" => Text::AlertHeld,
        "delivery_unknown" => Text::AlertUnknown,
        _ => Text::AlertToken,
    }
}

fn alert_link(alert: &AlertView) -> String {
    match alert.kind.starts_with("delivery") {
        true => format!("/deliveries/{}", alert.subject_id),
        false if alert.kind == "webhook" => format!("/webhooks/{}", alert.subject_id),
        false => format!("/accounts#a-{}", alert.subject_id),
    }
}

/// What a delivery is, in a word.
pub fn kind_word(delivery: &DeliveryView) -> Text {
    match (delivery.action, delivery.kind) {
        (Action::Delete, _) => Text::DeliveryDelete,
        (Action::Webhook, _) | (_, DeliveryKind::Webhook) => Text::DeliveryWebhook,
        (Action::Publish, DeliveryKind::Reply) => Text::DeliveryReply,
        (Action::Publish, DeliveryKind::Post) => Text::DeliveryPost,
    }
}

/// What happens next, and when, in the reader's language.
pub fn next_step(console: &Console, delivery: &DeliveryView) -> String {
    let when = |at: Timestamp| console.relative(at);
    match delivery.state {
        DeliveryState::Waiting => console.t(Text::NextWaiting).to_owned(),
        DeliveryState::Queued if delivery.due_at > console.now => {
            console.fill(Text::NextQueued, &[&when(delivery.due_at)])
        }
        DeliveryState::Queued if console.stopped_at.is_some() => console.t(Text::SendingStopped).to_owned(),
        DeliveryState::Queued => console.t(Text::NextQueuedNow).to_owned(),
        DeliveryState::Preparing => console.t(Text::NextPreparing).to_owned(),
        DeliveryState::Sending => console.t(Text::NextSending).to_owned(),
        DeliveryState::Verifying => console.t(Text::NextVerifying).to_owned(),
        DeliveryState::Retry => console
            .fill(Text::NextRetry, &[&delivery.next_at.map_or_else(|| console.t(Text::JustNow).to_owned(), when)]),
        DeliveryState::Held => console.t(Text::NextHeld).to_owned(),
        DeliveryState::Unknown => console.t(Text::NextUnknown).to_owned(),
        DeliveryState::Sent => console.t(Text::NextSent).to_owned(),
        DeliveryState::Failed => console.t(Text::NextFailed).to_owned(),
        DeliveryState::Expired => console.t(Text::NextExpired).to_owned(),
        DeliveryState::Cancelled => console.t(Text::NextCancelled).to_owned(),
    }
}

fn row(console: &Console, delivery: &DeliveryView) -> Markup {
    html! {
        li.delivery id=(format!("d-{}", delivery.id)) {
            div { (delivery_chip(console, delivery.state)) }
            div.what {
                a.open href=(format!("/deliveries/{}", delivery.id)) { p.text dir="auto" { (delivery.text) } }
                @if let Some(reason) = shown_reason(delivery) { p.reason dir="auto" { (reason) } }
                p.next { (next_step(console, delivery)) }
                div.meta.dot-list {
                    span.row { (network_badge(console, delivery.network)) (delivery.account) }
                    span { (console.t(kind_word(delivery))) }
                    @if delivery.attempts > 1 { span { (console.count(Text::AttemptCount, delivery.attempts)) } }
                    @if delivery.url.as_deref().is_some_and(is_web_address) {
                        span { (outside(delivery.url.as_deref(), html! { (console.t(Text::SeeLive)) })) }
                    }
                }
            }
            div.when {
                (moment(console, delivery.sent_at.unwrap_or(delivery.due_at)))
                @if delivery.needs_decision() && console.may_write() {
                    a.button.small href=(format!("/deliveries/{}", delivery.id)) { (console.t(Text::Decide)) }
                }
            }
        }
    }
}

/// A reason worth reading: not for what simply went well.
fn shown_reason(delivery: &DeliveryView) -> Option<&str> {
    let worth = !matches!(delivery.state, DeliveryState::Sent | DeliveryState::Queued | DeliveryState::Preparing);
    delivery.reason.as_deref().filter(|reason| worth && !reason.trim().is_empty())
}

async fn one(console: Console, Path(id): Path<String>) -> Result<Markup, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let store = &console.app.store;
    let (delivery, attempts) = tokio::try_join!(store.delivery(id), store.attempts(id))?;
    let account = store.account(delivery.account_id).await?;
    let zone = TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone());
    let body = html! {
        a.back href="/deliveries" { (icon(Icon::Left)) (console.t(Text::Deliveries)) }
        div data-part="delivery" {
            div.page-head {
                h1 { (console.t(kind_word(&delivery))) }
                (delivery_chip(&console, delivery.state))
                @if console.may_write() { (controls(&console, &delivery, &zone)) }
            }
            p.soft { (next_step(&console, &delivery)) }
            @if let Some(reason) = shown_reason(&delivery) {
                div.notice.warning { (icon(Icon::Info)) div.grow { strong { (console.t(Text::Reason)) } p dir="auto" { (reason) } } }
            }
            @if delivery.cancel_wanted_at.is_some() && !delivery.state.is_end() {
                p.notice { (icon(Icon::Info)) span { (console.t(Text::CancelWanted)) } }
            }
            @if delivery.needs_decision() && console.may_write() { (decision(&console, &delivery, &zone)) }
            div.two {
                section.card.pad {
                    p.body.pre dir="auto" { (delivery.text) }
                    @if delivery.url.as_deref().is_some_and(is_web_address) {
                        p.under { (outside(delivery.url.as_deref(), html! { (icon(Icon::External)) " " (console.t(Text::SeeLive)) })) }
                    }
                }
                (facts(&console, &delivery, &zone))
            }
            section.card.pad.spaced {
                h2 { (console.t(Text::Attempts)) }
                (attempt_list(&console, &attempts))
            }
        }
    };
    Ok(page(
        &console,
        Page {
            place: Place::Deliveries,
            title: console.t(kind_word(&delivery)).to_owned(),
            live: "delivery account",
            narrow: false,
        },
        body,
    ))
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

fn controls(console: &Console, delivery: &DeliveryView, zone: &TimeZone) -> Markup {
    let to = |what: &str| format!("/deliveries/{}/{what}", delivery.id);
    html! {
        div.actions {
            @if delivery.can_move() && delivery.state != DeliveryState::Held {
                (Ask {
                    button: html! { (icon(Icon::Clock)) (console.t(Text::EditTime)) },
                    class: "button",
                    action: to("move"),
                    question: console.t(Text::EditTime),
                    more: "",
                    fields: time_field(console, delivery.due_at, zone, Text::NewTime),
                    yes: console.t(Text::Save),
                    yes_class: "button primary",
                }.render(console))
                @if delivery.due_at > console.now {
                    form method="post" action=(to("now")) {
                        (console.viewer.csrf)
                        button.button { (icon(Icon::Plane)) (console.t(Text::SendNow)) }
                    }
                }
            }
            @if delivery.can_cancel() && !delivery.needs_decision() {
                (Ask {
                    button: html! { (icon(Icon::Close)) (console.t(Text::CancelDelivery)) },
                    class: "button danger",
                    action: to("cancel"),
                    question: console.t(Text::CancelAsk),
                    more: "",
                    fields: html! {},
                    yes: console.t(Text::CancelDelivery),
                    yes_class: "button solid-danger",
                }.render(console))
            }
            @if delivery.can_delete() {
                (Ask {
                    button: html! { (icon(Icon::Trash)) (console.t(Text::DeleteFromNetwork)) },
                    class: "button danger",
                    action: to("delete"),
                    question: console.t(Text::DeleteAsk),
                    more: console.t(Text::DeleteMore),
                    fields: html! {},
                    yes: console.t(Text::DeleteFromNetwork),
                    yes_class: "button solid-danger",
                }.render(console))
            }
        }
    }
}

/// The three answers to "is it out?", or to "it is late, what now?".
fn decision(console: &Console, delivery: &DeliveryView, zone: &TimeZone) -> Markup {
    let to = format!("/deliveries/{}/decide", delivery.id);
    let unclear = delivery.state == DeliveryState::Unknown;
    html! {
        section.notice.warning {
            (icon(Icon::Alert))
            div.grow {
                p { strong { (console.t(Text::DecideTitle)) } }
                @if unclear {
                    p { (console.t(Text::DecideBody)) " "
                        @if delivery.account_url.as_deref().is_some_and(is_web_address) {
                            (outside(delivery.account_url.as_deref(), html! { (console.t(Text::LookAtAccount)) }))
                        } }
                }
                div.decide {
                    @if unclear {
                        form method="post" action=(to) {
                            (console.viewer.csrf)
                            strong { (console.t(Text::DecideSent)) }
                            p.small.muted { (console.t(Text::DecideSentMore)) }
                            label.field {
                                span { (console.t(Text::DecideLink)) }
                                input type="text" name="link" maxlength="2000" autocomplete="off";
                            }
                            button.button name="what" value="sent" { (icon(Icon::Check)) (console.t(Text::DecideSent)) }
                        }
                    } @else {
                        form method="post" action=(format!("/deliveries/{}/move", delivery.id)) {
                            (console.viewer.csrf)
                            strong { (console.t(Text::MoveDelivery)) }
                            (time_field(console, delivery.due_at, zone, Text::NewTime))
                            button.button { (icon(Icon::Clock)) (console.t(Text::MoveDelivery)) }
                        }
                    }
                    form method="post" action=(to) {
                        (console.viewer.csrf)
                        strong { (console.t(if unclear { Text::DecideAgain } else { Text::SendNow })) }
                        @if unclear { p.small.muted { (console.t(Text::DecideAgainMore)) } }
                        button.button name="what" value="queue" { (icon(Icon::Plane))
                            (console.t(if unclear { Text::DecideAgain } else { Text::SendNow })) }
                    }
                    form method="post" action=(to) {
                        (console.viewer.csrf)
                        strong { (console.t(Text::DecideCancel)) }
                        p.small.muted { (console.t(Text::DecideCancelMore)) }
                        button.button.danger name="what" value="cancel" { (icon(Icon::Close)) (console.t(Text::DecideCancel)) }
                    }
                }
            }
        }
    }
}

fn facts(console: &Console, delivery: &DeliveryView, zone: &TimeZone) -> Markup {
    let there = Locale { timezone: zone.clone(), ..console.locale.clone() };
    html! {
        section.card.pad {
            dl.facts {
                dt { (console.t(Text::Account)) }
                dd { (network_badge(console, delivery.network)) " " (delivery.account) }
                dt { (console.t(Text::DueAt)) } dd { (there.exact(delivery.due_at)) }
                @if let Some(sent) = delivery.sent_at { dt { (console.t(Text::SentAt)) } dd { (there.exact(sent)) } }
                dt { (console.t(Text::CreatedAt)) } dd { (moment(console, delivery.created_at)) }
                dt { (console.t(Text::CreatedBy)) } dd { (writer_name(console, &delivery.author)) }
                @if let Some(mention) = delivery.mention_id {
                    dt { (console.t(Text::Conversation)) }
                    dd { a href=(format!("/mentions/{mention}")) { (console.t(Text::ShowConversation)) } }
                }
                @if let Some(target) = delivery.target_id {
                    dt { (console.t(Text::TakesBack)) }
                    dd { a href=(format!("/deliveries/{target}")) { (console.t(Text::Delivery)) } }
                }
            }
        }
    }
}

fn attempt_list(console: &Console, attempts: &[AttemptView]) -> Markup {
    html! {
        @if attempts.is_empty() {
            p.muted { (console.t(Text::NoAttempts)) }
        } @else {
            ol.steps {
                @for (index, attempt) in attempts.iter().enumerate() {
                    @let outcome = attempt.outcome.as_deref();
                    @let class = match outcome {
                        Some("sent" | "found") => "good",
                        Some("failed" | "unclear" | "held") => "bad",
                        _ => "",
                    };
                    li class=(class) {
                        strong { (console.fill(Text::AttemptNumber, &[&console.integer(index as i64 + 1)])) }
                        " · " (moment(console, attempt.started_at)) " · " (outcome_text(console, outcome))
                        @if let Some(detail) = &attempt.detail { p.small.muted dir="auto" { (detail) } }
                    }
                }
            }
        }
    }
}

fn outcome_text(console: &Console, outcome: Option<&str>) -> String {
    let text = match outcome {
        None => Text::AttemptRunning,
        Some("sent") => Text::OutcomeSent,
        Some("retry") => Text::OutcomeRetry,
        Some("failed") => Text::OutcomeFailed,
        Some("unclear") => Text::OutcomeUnclear,
        Some("found") => Text::OutcomeFound,
        Some("absent") => Text::OutcomeAbsent,
        Some("held") => Text::StateHeld,
        Some(other) => return other.to_owned(),
    };
    console.t(text).to_owned()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Return {
    back: String,
}

impl Return {
    fn with(&self, notice: Notice, id: DeliveryId) -> Redirect {
        let back = own_path(&self.back).unwrap_or_else(|| format!("/deliveries/{id}"));
        Redirect::to(&notice.on(&back))
    }
}

async fn cancel(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let delivery = console.app.store.cancel(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    let notice = if delivery.state == DeliveryState::Cancelled { Notice::CANCELLED } else { Notice::CANCEL_WANTED };
    Ok(back.with(notice, id))
}

#[derive(Debug, Deserialize)]
struct MoveForm {
    /// A local time in the account's zone.
    at: String,
    #[serde(default)]
    back: String,
}

async fn move_it(console: Console, Path(id): Path<String>, Form(form): Form<MoveForm>) -> Result<Redirect, Problem> {
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

async fn send_now(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    console.app.store.reschedule(id, console.app.store.clock(), &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(back.with(Notice::SENDING_NOW, id))
}

#[derive(Debug, Deserialize)]
struct DecideForm {
    what: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    back: String,
}

async fn decide(console: Console, Path(id): Path<String>, Form(form): Form<DecideForm>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let decision = match form.what.as_str() {
        "sent" => Decision::Sent { url_or_id: Some(form.link.trim().to_owned()).filter(|link| !link.is_empty()) },
        "queue" => Decision::Queue,
        "cancel" => Decision::Cancel,
        other => return Err(Problem::invalid("what", format!("what: {other:?} is not one of sent, queue, cancel"))),
    };
    let spacing = console.app.config.delivery.release_spacing;
    console.app.store.decide(id, decision, spacing, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Return { back: form.back }.with(Notice::DECIDED, id))
}

#[derive(Debug, Deserialize)]
struct ReleaseForm {
    /// Nothing for every account.
    #[serde(default)]
    account: String,
}

async fn release(console: Console, Form(form): Form<ReleaseForm>) -> Result<Redirect, Problem> {
    let account: Option<AccountId> = maybe("account", &form.account)?;
    let spacing = console.app.config.delivery.release_spacing;
    console.app.store.release_held(Hold::Late, account, spacing, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    let back = DeliveryQuery { account: form.account, ..DeliveryQuery::default() };
    Ok(Redirect::to(&Notice::RELEASED.on(&back.with("/deliveries", &[]))))
}

async fn delete(console: Console, Path(id): Path<String>, Form(back): Form<Return>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    console.app.store.delete_again(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(back.with(Notice::DELETE_QUEUED, id))
}

async fn stop(console: Console) -> Result<Redirect, Problem> {
    console.app.store.stop_all_sending(&console.viewer.actor, "").await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Redirect::to("/deliveries"))
}

async fn resume(console: Console) -> Result<Redirect, Problem> {
    console.app.store.resume_sending(&console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Redirect::to("/deliveries"))
}

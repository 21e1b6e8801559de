//! One delivery: where it stands, what a person can do, and what happened so far.

use axum::extract::Path;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::history::history;
use super::standing::sentence;
use super::{kind_word, shown_reason, time_field};
use crate::model::{DeliveryId, DeliveryState};
use crate::standing::Why;
use crate::store::deliveries::DeliveryView;
use crate::web::composer::writer_name;
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::inbox::read;
use crate::web::layout::{Console, Page, Place, page};
use crate::web::locale::Locale;
use crate::web::parts::{Ask, delivery_mark, is_web_address, live_address, moment, network_badge, outside, said};
use crate::web::texts::Text;

/// Lines of the audit log that are shown.
const HISTORY: i64 = 200;

pub async fn one(console: Console, Path(id): Path<String>) -> Result<Markup, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let store = &console.app.store;
    let subject = id.to_string();
    let (delivery, attempts, audit) =
        tokio::try_join!(store.delivery(id), store.attempts(id), store.audit_of(&subject, HISTORY))?;
    let account = store.account(delivery.account_id).await?;
    let zone = TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone());
    let body = html! {
        a.back href="/deliveries" { (icon(Icon::Left)) (console.t(Text::Deliveries)) }
        div data-part="delivery" {
            div.page-head {
                h1 { (console.t(kind_word(&delivery))) }
                (delivery_mark(&console, &delivery))
                @if console.may_write() { (controls(&console, &delivery, &zone)) }
            }
            p.soft { (sentence(&console, &delivery)) }
            @if let Some(reason) = shown_reason(&delivery) {
                div.notice.warning { (icon(Icon::Info)) div.grow { strong { (console.t(Text::Reason)) } p dir="auto" { (said(&console, reason)) } } }
            }
            @if delivery.cancel_wanted_at.is_some() && !delivery.state.is_end() && delivery.standing.why != Why::TakingBack {
                p.notice { (icon(Icon::Info)) span { (console.t(Text::CancelWanted)) } }
            }
            @if delivery.needs_decision() && console.may_write() { (decision(&console, &delivery, &zone)) }
            div.two {
                section.card.pad {
                    p.body.pre dir="auto" { (delivery.text) }
                    @if let Some(url) = live_address(&delivery) {
                        p.under { (outside(Some(url), html! { (icon(Icon::External)) " " (console.t(Text::SeeLive)) })) }
                    }
                }
                (facts(&console, &delivery, &zone))
            }
            section.card.pad.spaced {
                h2 { (console.t(Text::History)) }
                (history(&console, &delivery, &attempts, &audit))
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

/// What going on sooner means here; held and failed ones have it among their decisions.
fn sooner(console: &Console, delivery: &DeliveryView) -> Option<Text> {
    match delivery.state {
        DeliveryState::Queued if delivery.due_at.max(delivery.next_at.unwrap_or(delivery.due_at)) > console.now => {
            Some(Text::SendNow)
        }
        DeliveryState::Retry => Some(Text::RetryNow),
        DeliveryState::Verifying if delivery.is_unreadable() => Some(Text::LookNow),
        _ => None,
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
            }
            @match sooner(console, delivery) {
                // Nothing takes it back, and it stands beside the way to another time.
                Some(Text::SendNow) => (Ask {
                    button: html! { (icon(Icon::Plane)) (console.t(Text::SendNow)) },
                    class: "button",
                    action: to("now"),
                    question: console.t(Text::SendNowAsk),
                    more: console.t(Text::SendNowMore),
                    fields: html! {},
                    yes: console.t(Text::SendNow),
                    yes_class: "button primary",
                }.render(console)),
                Some(text) => form method="post" action=(to("now")) {
                    (console.viewer.csrf)
                    button.button { (icon(Icon::Plane)) (console.t(text)) }
                },
                None => {},
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
    // Whether it is out is the question; otherwise it is only what to do with it.
    let unclear = delivery.may_be_out() || delivery.is_unreadable();
    let settles_at = delivery.next_at.filter(|at| delivery.state == DeliveryState::Unknown && *at > console.now);
    let may_decide = settles_at.is_none();
    html! {
        section.notice.warning {
            (icon(Icon::Alert))
            div.grow {
                p { strong { (console.t(Text::DecideTitle)) } }
                @if unclear {
                    p { (console.t(decide_body(delivery))) " "
                        @if let Some(url) = &delivery.answers_url {
                            (outside(Some(url), html! { (console.t(Text::LookAtThread)) })) " "
                        }
                        @if delivery.account_url.as_deref().is_some_and(is_web_address) {
                            (outside(delivery.account_url.as_deref(), html! { (console.t(Text::LookAtAccount)) }))
                        } @else if delivery.answers_url.is_none() {
                            (console.t(Text::NoPublicPage))
                        } }
                }
                @if let Some(at) = settles_at {
                    p { (console.fill(Text::StandUnknownSettling, &[&console.exact(at)])) }
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
                    } @else if delivery.can_move() {
                        form method="post" action=(format!("/deliveries/{}/move", delivery.id)) {
                            (console.viewer.csrf)
                            strong { (console.t(Text::MoveDelivery)) }
                            (time_field(console, delivery.due_at, zone, Text::NewTime))
                            button.button { (icon(Icon::Clock)) (console.t(Text::MoveDelivery)) }
                        }
                    }
                    @if may_decide { form method="post" action=(to) {
                        (console.viewer.csrf)
                        strong { (console.t(if unclear { Text::DecideAgain } else { Text::SendNow })) }
                        @if unclear { p.small.muted { (console.t(Text::DecideAgainMore)) } }
                        button.button name="what" value="queue" { (icon(Icon::Plane))
                            (console.t(if unclear { Text::DecideAgain } else { Text::SendNow })) }
                    } }
                    @if may_decide { form method="post" action=(to) {
                        (console.viewer.csrf)
                        strong { (console.t(Text::DecideCancel)) }
                        p.small.muted { (console.t(if unclear { Text::DecideGiveUpMore } else { Text::DecideCancelMore })) }
                        button.button.danger name="what" value="cancel" { (icon(Icon::Close)) (console.t(Text::DecideCancel)) }
                    } }
                }
            }
        }
    }
}

/// Why nobody but a person can tell.
fn decide_body(delivery: &DeliveryView) -> Text {
    match delivery.state {
        DeliveryState::Held => Text::DecideBodyRestored,
        DeliveryState::Verifying => Text::DecideBodyUnreadable,
        _ => Text::DecideBody,
    }
}

/// A time by the clock of the rest of the page, and by the account's where that is another.
fn in_both(console: &Console, at: Timestamp, zone: &TimeZone) -> Markup {
    let there = Locale { timezone: zone.clone(), ..console.locale.clone() };
    html! {
        (console.exact(at))
        @if there.zoned(at).datetime() != console.zoned(at).datetime() {
            " · " (console.fill(Text::UsingAccountZone, &[&there.exact(at)]))
        }
    }
}

fn facts(console: &Console, delivery: &DeliveryView, zone: &TimeZone) -> Markup {
    html! {
        section.card.pad {
            dl.facts {
                dt { (console.t(Text::Account)) }
                dd { (network_badge(console, delivery.network)) " " (delivery.account) }
                dt { (console.t(Text::DueAt)) } dd { (in_both(console, delivery.due_at, zone)) }
                @if let Some(sent) = delivery.sent_at { dt { (console.t(Text::SentAt)) } dd { (in_both(console, sent, zone)) } }
                @if let Some(gone) = delivery.deleted_at { dt { (console.t(Text::DeletedAgain)) } dd { (in_both(console, gone, zone)) } }
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

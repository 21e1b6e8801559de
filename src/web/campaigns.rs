//! Campaigns: how far each is, post by post, with what a person can do about what did not go out.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::calendar::tabs;
use super::deliveries::standing::sentence;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::parts::{Ask, ago, delivery_mark, empty, live_address, moment, network_badge, outside, said};
use super::texts::Text;
use crate::app::App;
use crate::campaigns;
use crate::model::{CampaignId, DeliveryState};
use crate::store::campaigns::CampaignView;
use crate::store::deliveries::DeliveryView;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/schedule/campaigns", get(list))
        .route("/schedule/campaigns/{id}", get(one))
        .route("/schedule/campaigns/{id}/cancel", post(cancel))
        .route("/schedule/campaigns/{id}/delete", post(delete))
}

async fn list(console: Console, State(app): State<Arc<App>>) -> Result<Markup, Problem> {
    let campaigns = app.store.campaigns().await?;
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::Campaigns)) }
            div.actions {
                a.button.quiet.small href=(super::inbox::csv(&console, "campaigns", &[])) download {
                    (icon(Icon::Download)) (console.t(Text::Download))
                }
                @if console.may_write() {
                    a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) }
                }
            }
        }
        (tabs(&console, "/schedule/campaigns"))
        div data-part="campaigns" {
            @if campaigns.is_empty() {
                div.card { (empty(Icon::Plane, console.t(Text::NoCampaignsTitle), console.t(Text::NoCampaignsBody), html! {})) }
            } @else {
                ol.card.list {
                    @for campaign in &campaigns {
                        li.slot {
                            div.at { (icon(Icon::Plane)) }
                            div.what {
                                a href=(format!("/schedule/campaigns/{}", campaign.id)) dir="auto" { strong { (campaign.name) } }
                                div.meta { (how_far(&console, campaign)) span { (ago(&console, campaign.made_at)) } }
                            }
                        }
                    }
                }
            }
        }
    };
    let title = console.t(Text::Campaigns).to_owned();
    Ok(page(&console, Page { place: Place::Schedule, title, live: "campaign delivery", narrow: false }, body))
}

/// `3 of 4 out`, and what became of the others.
fn how_far(console: &Console, campaign: &CampaignView) -> Markup {
    let parts = [
        (campaign.under_way, Text::CampaignUnderWay, "accent"),
        (campaign.undecided, Text::CampaignUndecided, "warning"),
        (campaign.failed, Text::CampaignFailed, "negative"),
        (campaign.dropped, Text::CampaignDropped, ""),
        (campaign.deleted, Text::CampaignDeleted, ""),
    ];
    let all_out = campaign.posts > 0 && campaign.out == campaign.posts;
    html! {
        span class=(if all_out { "chip positive" } else { "chip" }) {
            (console.fill(Text::CampaignOut, &[&console.integer(campaign.posts), &console.integer(campaign.out)]))
        }
        @for (count, text, tone) in parts {
            @if count > 0 { span class=(format!("chip {tone}")) { (console.count(text, count)) } }
        }
    }
}

async fn one(console: Console, State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Markup, Problem> {
    let found = campaigns::page(&app, read("campaign", &id)?).await?;
    let campaign = &found.campaign;
    let to = |what: &str| format!("/schedule/campaigns/{}/{what}", campaign.id);
    let body = html! {
        a.back href="/schedule/campaigns" { (icon(Icon::Left)) (console.t(Text::Campaigns)) }
        div.page-head {
            h1 dir="auto" { (campaign.name) }
            @if console.may_write() {
                div.actions data-part="campaign-actions" {
                    @if found.deliveries.iter().any(DeliveryView::can_cancel) {
                        (Ask {
                            button: html! { (icon(Icon::Close)) (console.t(Text::CancelRest)) },
                            class: "button",
                            action: to("cancel"),
                            question: console.t(Text::CancelRestAsk),
                            more: "",
                            fields: html! {},
                            yes: console.t(Text::CancelRest),
                            yes_class: "button solid-danger",
                        }.render(&console))
                    }
                    @if found.deliveries.iter().any(DeliveryView::can_delete) {
                        (Ask {
                            button: html! { (icon(Icon::Trash)) (console.t(Text::DeleteAll)) },
                            class: "button danger",
                            action: to("delete"),
                            question: console.t(Text::DeleteAllAsk),
                            more: console.t(Text::DeleteMore),
                            fields: html! {},
                            yes: console.t(Text::DeleteAll),
                            yes_class: "button solid-danger",
                        }.render(&console))
                    }
                }
            }
        }
        p.row data-part="how-far" { (how_far(&console, campaign)) }
        ol.card.list data-part="posts" {
            @for delivery in &found.deliveries { (row(&console, delivery)) }
        }
    };
    let title = campaign.name.clone();
    Ok(page(&console, Page { place: Place::Schedule, title, live: "campaign delivery", narrow: false }, body))
}

fn row(console: &Console, delivery: &DeliveryView) -> Markup {
    let to = |what: &str| format!("/deliveries/{}/{what}", delivery.id);
    let back = html! { input type="hidden" name="back" value=(console.here); };
    html! {
        li.slot id=(format!("d-{}", delivery.id)) {
            div.at { (network_badge(console, delivery.network)) }
            div.what {
                strong { (delivery.account) }
                p.text dir="auto" { (delivery.text) }
                div.meta {
                    (delivery_mark(console, delivery))
                    span { (moment(console, delivery.sent_at.unwrap_or(delivery.due_at))) }
                    @if let Some(wanted_at) = delivery.wanted_at {
                        span { (console.fill(Text::QuietMovedFrom, &[&console.short(wanted_at)])) }
                    }
                    @if let Some(url) = live_address(delivery) {
                        (outside(Some(url), html! { (console.t(Text::SeeLive)) }))
                    }
                    a.muted href=(format!("/deliveries/{}", delivery.id)) { (console.t(Text::Details)) }
                }
                @if delivery.state != DeliveryState::Sent {
                    p.small.muted dir="auto" {
                        @if let Some(reason) = &delivery.reason { (said(console, reason)) " · " }
                        (sentence(console, delivery))
                    }
                }
            }
            @if console.may_write() {
                div.side-actions {
                    @if matches!(delivery.state, DeliveryState::Failed | DeliveryState::Held) {
                        form method="post" action=(to("decide")) {
                            (console.viewer.csrf) (back)
                            button.button.small name="what" value="queue" { (console.t(Text::RetryPost)) }
                        }
                    }
                    @if delivery.can_delete() {
                        (Ask {
                            button: html! { (console.t(Text::DeleteFromNetwork)) },
                            class: "button small quiet",
                            action: to("delete"),
                            question: console.t(Text::DeleteAsk),
                            more: console.t(Text::DeleteMore),
                            fields: back.clone(),
                            yes: console.t(Text::DeleteFromNetwork),
                            yes_class: "button solid-danger",
                        }.render(console))
                    }
                    @if delivery.can_cancel() && !delivery.needs_decision() {
                        (Ask {
                            button: html! { (console.t(Text::CancelPost)) },
                            class: "button small quiet",
                            action: to("cancel"),
                            question: console.t(Text::CancelAsk),
                            more: "",
                            fields: back,
                            yes: console.t(Text::CancelPost),
                            yes_class: "button solid-danger",
                        }.render(console))
                    }
                }
            }
        }
    }
}

async fn cancel(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: CampaignId = read("campaign", &id)?;
    campaigns::cancel_rest(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::REST_CANCELLED.on(&format!("/schedule/campaigns/{id}"))))
}

async fn delete(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: CampaignId = read("campaign", &id)?;
    campaigns::delete_all(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::DELETE_QUEUED.on(&format!("/schedule/campaigns/{id}"))))
}

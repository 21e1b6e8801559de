//! The processes that work on the database, and what each has in hand.

use maud::{Markup, html};

use crate::store::workers::{WorkerState, WorkerView};
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::layout::{Console, Page, Place, page};
use crate::web::parts::{ago, delivery_chip, empty};
use crate::web::texts::Text;

pub async fn workers(console: Console) -> Result<Markup, Problem> {
    let workers = console.app.store.workers().await?;
    let body = html! {
        a.back href="/deliveries" { (icon(Icon::Left)) (console.t(Text::Deliveries)) }
        div.page-head { h1 { (console.t(Text::Workers)) } }
        p.soft { (console.t(Text::WorkersMore)) }
        div data-part="workers" {
            @if workers.is_empty() {
                div.card { (empty(Icon::Keys, console.t(Text::NoWorkersTitle), console.t(Text::NoWorkersBody), html! {})) }
            }
            @for worker in &workers { (card(&console, worker)) }
        }
    };
    let title = console.t(Text::Workers).to_owned();
    Ok(page(&console, Page { place: Place::Deliveries, title, live: "delivery", narrow: true }, body))
}

fn card(console: &Console, worker: &WorkerView) -> Markup {
    let (word, tone) = match worker.state {
        WorkerState::Alive => (Text::WorkerAlive, "positive"),
        WorkerState::Draining => (Text::WorkerDraining, "warning"),
        WorkerState::Away => (Text::WorkerAway, "negative"),
    };
    html! {
        section.card.pad.spaced {
            div.row {
                span class=(format!("chip {tone}")) { span.dot aria-hidden="true" {} (console.t(word)) }
                h2 dir="ltr" { (worker.host) ":" (worker.pid) }
            }
            dl.facts {
                dt { (console.t(Text::WorkerName)) } dd dir="ltr" { (worker.name) }
                dt { (console.t(Text::WorkerRoles)) }
                dd { @for (index, role) in worker.roles.iter().enumerate() { @if index > 0 { ", " } (role_word(console, role)) } }
                dt { (console.t(Text::WorkerStarted)) } dd { (ago(console, worker.started_at)) }
                dt { (console.t(Text::WorkerSeen)) } dd { (ago(console, worker.seen_at)) }
                dt { (console.t(Text::WorkerHolds)) }
                dd {
                    (console.count(Text::WorkerDeliveries, worker.deliveries.len() as i64)) ", "
                    (console.count(Text::WorkerSources, worker.streams))
                    @for lease in &worker.leases { ", " (lease_word(console, lease)) }
                }
            }
            @if !worker.deliveries.is_empty() {
                ul.stack {
                    @for held in &worker.deliveries {
                        li.row {
                            (delivery_chip(console, held.state))
                            a href=(format!("/deliveries/{}", held.delivery_id)) { (console.t(Text::Delivery)) }
                        }
                    }
                }
            }
        }
    }
}

/// A job that one process alone does, in the reader's words.
fn lease_word<'l>(console: &Console, lease: &'l str) -> &'l str {
    match lease {
        "alerts" => console.t(Text::LeaseAlerts),
        "reaper" => console.t(Text::LeaseReaper),
        "schedule" => console.t(Text::LeaseSchedule),
        other => other,
    }
}

/// A role in the reader's words.
fn role_word<'r>(console: &Console, role: &'r str) -> &'r str {
    match role {
        "listen" => console.t(Text::RoleListens),
        "deliver" => console.t(Text::RoleDelivers),
        "console" => console.t(Text::RoleShows),
        other => other,
    }
}

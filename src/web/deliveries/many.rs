//! One thing done to many deliveries: chosen in the list, asked about with counts, told with what was refused and why.

use std::collections::BTreeSet;

use axum::extract::RawForm;
use maud::{Markup, html};

use super::sending::plan;
use crate::live::Wake;
use crate::model::{DeliveryId, DeliveryState};
use crate::store::StoreError;
use crate::store::deliveries::DeliveryView;
use crate::store::many::{Act, Acted};
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::inbox::read;
use crate::web::layout::{Console, Page, Place, page};
use crate::web::parts::{delivery_chip, empty, said};
use crate::web::texts::Text;

/// The most that one form may choose.
const MOST: usize = 500;

/// The list with a box on each row, and what can be done to the chosen.
pub fn form(console: &Console, deliveries: &[DeliveryView], list: Markup) -> Markup {
    let any = console.may_write() && deliveries.iter().any(|delivery| delivery.can_retry() || delivery.can_cancel());
    html! {
        @if any {
            form method="post" action="/deliveries/many" {
                (console.viewer.csrf)
                div.toolbar.chosen {
                    label.check { input type="checkbox" data-choose-all; span { (console.t(Text::ChooseAll)) } }
                    button.button.small name="act" value="retry" { (icon(Icon::Plane)) (console.t(Text::SendChosen)) }
                    button.button.small name="act" value="cancel" { (icon(Icon::Close)) (console.t(Text::CancelChosen)) }
                }
                (list)
            }
        } @else { (list) }
    }
}

/// What the form says: the same name comes once for each chosen row.
struct Chosen {
    act: Act,
    ids: Vec<DeliveryId>,
    /// The person was asked and said yes.
    is_sure: bool,
}

impl Chosen {
    fn read(form: &[u8]) -> Result<Chosen, Problem> {
        let mut act = None;
        let mut ids = Vec::new();
        let mut is_sure = false;
        for (name, value) in url::form_urlencoded::parse(form) {
            match (name.as_ref(), value.as_ref()) {
                ("act", "retry") => act = Some(Act::Retry),
                ("act", "cancel") => act = Some(Act::Cancel),
                ("id", id) => ids.push(read("id", id)?),
                ("sure", "yes") => is_sure = true,
                _ => {}
            }
        }
        let act = act.ok_or_else(|| Problem::invalid("act", "act: it is not one of retry, cancel"))?;
        if ids.len() > MOST {
            return Err(Problem::invalid("id", format!("at most {MOST} deliveries at once; choose fewer")));
        }
        Ok(Chosen { act, ids, is_sure })
    }
}

/// Asks with counts; once that is answered, does it and tells.
pub async fn many(console: Console, RawForm(form): RawForm) -> Result<Markup, Problem> {
    let chosen = Chosen::read(&form)?;
    let body = match (chosen.ids.is_empty(), chosen.is_sure) {
        (true, _) => html! {
            div.card {
                (empty(Icon::Info, console.t(Text::NothingChosenTitle), console.t(Text::NothingChosenBody),
                    html! { a.button href="/deliveries" { (console.t(Text::Back)) } }))
            }
        },
        (false, false) => ask(&console, &chosen).await?,
        (false, true) => {
            let (store, spacing) = (&console.app.store, console.app.config.delivery.release_spacing);
            let acted = store.act_on(&chosen.ids, chosen.act, spacing, &console.viewer.actor, store.clock()).await?;
            console.app.live.wake(Wake::Outbox);
            told(&console, chosen.act, &acted)
        }
    };
    let title = console.t(Text::Deliveries).to_owned();
    Ok(page(&console, Page { place: Place::Deliveries, title, live: "", narrow: true }, body))
}

async fn ask(console: &Console, chosen: &Chosen) -> Result<Markup, Problem> {
    let mut deliveries = Vec::new();
    for id in chosen.ids.iter().collect::<BTreeSet<_>>() {
        match console.app.store.delivery(*id).await {
            Ok(delivery) => deliveries.push(delivery),
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut counts: Vec<(DeliveryState, i64)> = Vec::new();
    for delivery in &deliveries {
        match counts.iter_mut().find(|(state, _)| *state == delivery.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((delivery.state, 1)),
        }
    }
    let count = deliveries.len() as i64;
    let spacing = console.app.config.delivery.release_spacing;
    let release = console.app.store.retry_plan(&chosen.ids, spacing, console.now).await?;
    let (question, yes, yes_class) = match chosen.act {
        Act::Retry => (Text::SendChosenAsk, Text::SendChosen, "button primary"),
        Act::Cancel => (Text::CancelChosenAsk, Text::CancelChosen, "button solid-danger"),
    };
    Ok(html! {
        a.back href="/deliveries" { (icon(Icon::Left)) (console.t(Text::Deliveries)) }
        form.card.pad.stack method="post" action="/deliveries/many" {
            (console.viewer.csrf)
            h1 { (console.count(question, count)) }
            p.row { @for (state, count) in &counts { (delivery_chip(console, *state)) " " (console.integer(*count)) " " } }
            @if chosen.act == Act::Retry { p.small.muted { (plan(console, &release)) } }
            @for delivery in &deliveries { input type="hidden" name="id" value=(delivery.id); }
            input type="hidden" name="sure" value="yes";
            div.row.end {
                a.button href="/deliveries" { (console.t(Text::Cancel)) }
                button class=(yes_class) name="act" value=(match chosen.act { Act::Retry => "retry", Act::Cancel => "cancel" }) {
                    (console.t(yes))
                }
            }
        }
    })
}

fn told(console: &Console, act: Act, acted: &Acted) -> Markup {
    let done = match act {
        Act::Retry => Text::ChosenQueued,
        Act::Cancel => Text::ChosenCancelled,
    };
    html! {
        a.back href="/deliveries" { (icon(Icon::Left)) (console.t(Text::Deliveries)) }
        section.card.pad.stack {
            h1 { (console.count(done, acted.done.len() as i64)) }
            @if !acted.refused.is_empty() {
                p { strong { (console.count(Text::ChosenRefused, acted.refused.len() as i64)) } }
                ul.stack {
                    @for refused in &acted.refused {
                        li {
                            a href=(format!("/deliveries/{}", refused.id)) { (console.t(Text::Delivery)) }
                            " · " span.small.muted dir="auto" { (said(console, &refused.reason)) }
                        }
                    }
                }
            }
            p { a.button href="/deliveries" { (console.t(Text::Back)) } }
        }
    }
}

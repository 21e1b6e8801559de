//! The list of deliveries: what needs a person, what is under way, what ended.

use std::sync::Arc;

use axum::extract::{Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::alerts::alert_card;
use super::standing::sentence;
use super::{kind_word, many, sending, shown_reason};
use crate::app::App;
use crate::model::{DeliveryState, Hold};
use crate::store::accounts::Account;
use crate::store::deliveries::{DeliveryFilter, DeliveryView};
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::inbox::{address, csv, maybe, read};
use crate::web::layout::{Console, Page, Place, page};
use crate::web::parts::{
    delivery_mark, delivery_word, empty, live_address, moment, network_badge, options, outside, said,
};
use crate::web::texts::Text;

const PAGE: usize = 50;
const ALERTS: i64 = 50;

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

    pub fn csv(&self, console: &Console) -> Result<String, Problem> {
        let states: Vec<_> = self.filter()?.states.into_iter().map(DeliveryState::as_str).collect();
        let filters = [("account_id", self.account.as_str()), ("state", &states.join(","))];
        Ok(csv(console, "deliveries", &filters))
    }

    pub fn with(&self, path: &str, changes: &[(&str, &str)]) -> String {
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

pub async fn list(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Markup, Problem> {
    let filter = query.filter()?;
    let spacing = app.config.delivery.release_spacing;
    let (deliveries, accounts, alerts, counts, late) = tokio::try_join!(
        app.store.deliveries(&filter),
        app.store.accounts(),
        app.store.alerts(ALERTS),
        app.store.delivery_counts(),
        app.store.release_plan(Hold::Late, filter.account_id, spacing),
    )?;
    let stopped = sending::stopped(&console).await?;
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
                a.button.quiet.small href="/workers" { (icon(Icon::Keys)) (console.t(Text::Workers)) }
                @if console.may_write() { (sending::stop_control(&console, &accounts, &stopped)) }
            }
        }
        div data-part="stops" #stops { @for stopped in &stopped { (sending::stop_notice(&console, stopped, &accounts)) } }
        div data-part="held" { @if late.spaced > 0 { (sending::held_notice(&console, &query, &late)) } }
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
        (filter_form(&console, &query, &accounts, deliveries.first()))
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
                (many::form(&console, &deliveries, html! {
                    ol.card.list { @for delivery in &deliveries { (row(&console, delivery)) } }
                }))
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

fn filter_form(console: &Console, query: &DeliveryQuery, accounts: &[Account], first: Option<&DeliveryView>) -> Markup {
    let mut accounts: Vec<_> = std::iter::once((String::new(), console.t(Text::AllAccounts).to_owned()))
        .chain(accounts.iter().map(|account| (account.id.to_string(), account.name.clone())))
        .collect();
    // What only tells is not in the list of accounts, and an alert leads to its deliveries.
    if let Some(first) = first.filter(|_| accounts.iter().all(|(id, _)| *id != query.account)) {
        accounts.push((query.account.clone(), first.account.clone()));
    }
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

fn row(console: &Console, delivery: &DeliveryView) -> Markup {
    html! {
        li.delivery id=(format!("d-{}", delivery.id)) {
            div.state {
                @if console.may_write() && (delivery.can_retry() || delivery.can_cancel()) {
                    input type="checkbox" name="id" value=(delivery.id) aria-label=(console.t(Text::Choose));
                }
                (delivery_mark(console, delivery))
            }
            div.what {
                a.open href=(format!("/deliveries/{}", delivery.id)) { p.text dir="auto" { (delivery.text) } }
                @if let Some(reason) = shown_reason(delivery) { p.reason dir="auto" { (said(console, reason)) } }
                p.next { (sentence(console, delivery)) }
                div.meta.dot-list {
                    span.row { (network_badge(console, delivery.network)) (delivery.account) }
                    span { (console.t(kind_word(delivery))) }
                    @if delivery.attempts > 1 { span { (console.count(Text::AttemptCount, delivery.attempts)) } }
                    @if let Some(url) = live_address(delivery) {
                        span { (outside(Some(url), html! { (console.t(Text::SeeLive)) })) }
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

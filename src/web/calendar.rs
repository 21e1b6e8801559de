//! Scheduled posts: a month at a glance, its days in order, and what recurring posts foresee beyond what is planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;

use super::deliveries::time_field;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::layout::{Console, Page, Place, page};
use super::locale::Locale;
use super::parts::{Ask, delivery_mark, empty, live_address, network_badge, outside};
use super::texts::Text;
use crate::app::App;
use crate::model::{AccountId, Action, DeliveryState, RecurrenceState};
use crate::store::accounts::Account;
use crate::store::deliveries::{DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};
use crate::store::recurrences::{RecurrenceAccount, RecurrenceView};

/// The most posts of one month on a page.
const MOST_POSTS: usize = 500;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/schedule", get(month))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MonthQuery {
    /// `2026-11`; this month unless said.
    month: String,
}

async fn month(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<MonthQuery>,
) -> Result<Markup, Problem> {
    let today = console.today();
    let first = match query.month.is_empty() {
        true => today.first_of_month(),
        false => format!("{}-01", query.month)
            .parse::<Date>()
            .map_err(|_| Problem::invalid("month", format!("month: {:?} is not a month (2026-12)", query.month)))?,
    };
    let next = first.saturating_add(1.month());
    let posts: Vec<DeliveryView> = app
        .store
        .deliveries(&DeliveryFilter {
            kind: Some(DeliveryKind::Post),
            action: Some(Action::Publish),
            without_withdrawn: true,
            since: Some(console.start_of(first)),
            until: Some(console.start_of(next)),
            order: DeliveryOrder::EarliestFirst,
            limit: MOST_POSTS,
            ..DeliveryFilter::default()
        })
        .await?;
    let accounts = app.store.accounts().await?;
    let zones: BTreeMap<AccountId, TimeZone> =
        accounts.iter().map(|account| (account.id, zone_of(&console, account))).collect();
    let recurrences = app.store.recurrences().await?;
    let mut days: BTreeMap<Date, Vec<Entry<'_>>> = BTreeMap::new();
    let planned = posts.iter().map(Entry::Planned);
    for entry in planned.chain(foreseen(&recurrences, console.start_of(first).max(console.now), console.start_of(next)))
    {
        days.entry(console.zoned(entry.at()).date()).or_default().push(entry);
    }
    for entries in days.values_mut() {
        entries.sort_by_key(Entry::at);
    }
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::Schedule)) }
            div.actions {
                a.button.quiet.small href=(super::inbox::csv(&console, "deliveries", &[("kind", "post")])) download { (icon(Icon::Download)) (console.t(Text::Download)) }
                @if console.may_write() {
                    a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) }
                }
            }
        }
        (tabs(&console, "/schedule"))
        div.two.month-page {
            div data-part="days" {
                @if days.is_empty() {
                    div.card {
                        (empty(Icon::Calendar, console.t(Text::NothingScheduledTitle), console.t(Text::NothingScheduledBody),
                            html! { @if console.may_write() { a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) } } }))
                    }
                }
                @for (day, entries) in &days {
                    section class=(if *day == today { "day today" } else { "day" }) id=(format!("day-{day}")) {
                        (day_card(&console, *day, entries, &zones))
                    }
                }
            }
            (month_card(&console, first, today, &days))
        }
    };
    Ok(page(
        &console,
        Page {
            place: Place::Schedule,
            title: console.t(Text::Schedule).to_owned(),
            live: "delivery recurrence",
            narrow: false,
        },
        body,
    ))
}

/// What goes out or went out on a day, and apart from it what did not.
fn day_card(console: &Console, day: Date, entries: &[Entry<'_>], zones: &BTreeMap<AccountId, TimeZone>) -> Markup {
    let (gone, live): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.is_gone());
    let slots = |entries: &[&Entry<'_>]| {
        html! {
            ol.card.list {
                @for entry in entries {
                    @match entry {
                        Entry::Planned(post) => (slot(console, post, zones.get(&post.account_id).unwrap_or(&console.timezone))),
                        Entry::Foreseen { recurrence, account, at } => (foreseen_slot(console, recurrence, account, *at)),
                    }
                }
            }
        }
    };
    html! {
        h2 { (console.near_day(day))
            @if !live.is_empty() { span.small.muted { (console.count(Text::PostCount, live.len() as i64)) } } }
        @if !live.is_empty() { (slots(&live)) }
        @if !gone.is_empty() {
            details {
                summary.small.muted { (console.count(Text::GoneCount, gone.len() as i64)) }
                (slots(&gone))
            }
        }
    }
}

/// The parts of the schedule.
pub fn tabs(console: &Console, current: &str) -> Markup {
    let parts = [
        (Text::TabCalendar, "/schedule"),
        (Text::Recurring, "/schedule/recurring"),
        (Text::Campaigns, "/schedule/campaigns"),
        (Text::QuietHours, "/schedule/quiet"),
    ];
    html! {
        nav.tabs aria-label=(console.t(Text::Schedule)) {
            @for (text, path) in parts {
                a href=(path) aria-current=[(path == current).then_some("page")] { (console.t(text)) }
            }
        }
    }
}

/// What stands on a day.
enum Entry<'a> {
    Planned(&'a DeliveryView),
    /// Not planned yet: only the rule says so.
    Foreseen {
        recurrence: &'a RecurrenceView,
        account: &'a RecurrenceAccount,
        at: Timestamp,
    },
}

impl Entry<'_> {
    fn at(&self) -> Timestamp {
        match self {
            Self::Planned(post) => post.due_at,
            Self::Foreseen { at, .. } => *at,
        }
    }

    /// Whether it neither is out nor will be.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Planned(post) if matches!(post.state, DeliveryState::Cancelled | DeliveryState::Expired))
    }
}

/// Occurrences in the month that are not made yet.
fn foreseen(recurrences: &[RecurrenceView], since: Timestamp, until: Timestamp) -> impl Iterator<Item = Entry<'_>> {
    recurrences
        .iter()
        .filter(|recurrence| recurrence.state == RecurrenceState::Active)
        .flat_map(move |recurrence| {
            let coming = recurrence.rule.moments(since).take_while(move |(_, at)| *at < until);
            coming.flat_map(move |(date, at)| {
                let unmade = |account: &&RecurrenceAccount| account.made_through.is_none_or(|through| date > through);
                recurrence
                    .accounts
                    .iter()
                    .filter(unmade)
                    .map(move |account| Entry::Foreseen { recurrence, account, at })
                    .collect::<Vec<_>>()
            })
        })
        .take(MOST_POSTS)
}

fn foreseen_slot(console: &Console, recurrence: &RecurrenceView, account: &RecurrenceAccount, at: Timestamp) -> Markup {
    html! {
        li.slot {
            div.at.muted { time datetime=(at) title=(console.exact(at)) { (console.clock(at)) } }
            div.what {
                p.text.muted dir="auto" { (account.text) }
                div.meta {
                    span.chip title=(console.t(Text::ForeseenMore)) { (console.t(Text::Foreseen)) }
                    span.row { (network_badge(console, account.network)) (account.account) }
                    a.muted href=(format!("/schedule/recurring/{}", recurrence.id)) { (console.t(Text::PartOfRecurring)) }
                }
            }
        }
    }
}

/// The account's zone; the reader's own for one that the zone data do not have.
pub fn zone_of(console: &Console, account: &Account) -> TimeZone {
    TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone())
}

fn month_card(console: &Console, first: Date, today: Date, days: &BTreeMap<Date, Vec<Entry<'_>>>) -> Markup {
    let before = first.saturating_sub(1.month());
    let next = first.saturating_add(1.month());
    let link = |month: Date| format!("/schedule?month={:04}-{:02}", month.year(), month.month());
    let skipped = i64::from(first.weekday().to_monday_zero_offset());
    let weeks: Vec<Vec<Date>> = {
        let start = first.saturating_sub(skipped.days());
        (0..6)
            .map(|week| (0..7).map(|day| start.saturating_add((week * 7 + day).days())).collect::<Vec<_>>())
            .filter(|week| week.iter().any(|day| day.month() == first.month()))
            .collect()
    };
    // Any Monday will do for the names of the weekdays.
    let monday = date(2024, 1, 1);
    html! {
        section.card.pad.month aria-label=(console.month_and_year(first)) {
            div.row {
                a.button.quiet.small href=(link(before)) aria-label=(console.t(Text::PreviousMonth)) { (icon(Icon::Left)) }
                h2.grow { (console.month_and_year(first)) }
                a.button.quiet.small href=(link(next)) aria-label=(console.t(Text::NextMonth)) { (icon(Icon::Right)) }
            }
            table.month-grid {
                thead { tr {
                    @for offset in 0..7_i64 {
                        @let day = monday.saturating_add(offset.days());
                        th scope="col" abbr=(console.weekday_name(day)) { (console.weekday_short(day)) }
                    }
                } }
                tbody {
                    @for week in weeks {
                        tr {
                            @for day in week {
                                @let posts = days.get(&day).map_or(0, |entries| entries.iter().filter(|entry| !entry.is_gone()).count());
                                td.outside[day.month() != first.month()].today[day == today].busy[posts > 0] {
                                    @if posts > 0 && day.month() == first.month() {
                                        a href=(format!("#day-{day}")) title=(console.count(Text::PostCount, posts as i64)) {
                                            (day.day()) span.count { (posts) }
                                        }
                                    } @else { (day.day()) }
                                }
                            }
                        }
                    }
                }
            }
            p.hint { (console.fill(Text::ZoneNote, &[&Locale::zone_name(&console.timezone, console.now)])) }
        }
    }
}

fn slot(console: &Console, post: &DeliveryView, zone: &TimeZone) -> Markup {
    let there = Locale { timezone: zone.clone(), ..console.locale.clone() };
    let back = console.here.as_str();
    html! {
        li.slot.gone[Entry::Planned(post).is_gone()] id=(format!("d-{}", post.id)) {
            div.at { time datetime=(post.due_at) title=(there.exact(post.due_at)) { (console.clock(post.due_at)) } }
            div.what {
                p.text dir="auto" { (post.text) }
                div.meta {
                    (delivery_mark(console, post))
                    span.row { (network_badge(console, post.network)) (post.account) }
                    @if zone != &console.timezone {
                        span { (console.fill(Text::UsingAccountZone, &[&there.clock(post.due_at)])) }
                    }
                    @if let Some(wanted_at) = post.wanted_at {
                        span { (console.fill(Text::QuietMovedFrom, &[&console.short(wanted_at)])) }
                    }
                    @if let Some(id) = post.recurrence_id {
                        a.muted href=(format!("/schedule/recurring/{id}")) { (console.t(Text::PartOfRecurring)) }
                    }
                    @if let Some(id) = post.campaign_id {
                        a.muted href=(format!("/schedule/campaigns/{id}")) { (console.t(Text::PartOfCampaign)) }
                    }
                    @if let Some(url) = live_address(post) {
                        (outside(Some(url), html! { (console.t(Text::SeeLive)) }))
                    }
                    a.muted href=(format!("/deliveries/{}", post.id)) { (console.t(Text::Details)) }
                }
            }
            @if console.may_write() && (post.can_move() || (post.can_cancel() && !post.needs_decision())) {
                div.side-actions {
                    @if post.can_move() {
                        (Ask {
                            button: html! { (console.t(Text::EditTime)) },
                            class: "button small",
                            action: format!("/deliveries/{}/move", post.id),
                            question: console.t(Text::EditTime),
                            more: "",
                            fields: html! {
                                input type="hidden" name="back" value=(back);
                                (time_field(console, post.due_at, zone, Text::NewTime))
                            },
                            yes: console.t(Text::Save),
                            yes_class: "button primary",
                        }.render(console))
                    }
                    @if post.can_cancel() {
                        (Ask {
                            button: html! { (console.t(Text::CancelPost)) },
                            class: "button small quiet",
                            action: format!("/deliveries/{}/cancel", post.id),
                            question: console.t(Text::CancelAsk),
                            more: "",
                            fields: html! { input type="hidden" name="back" value=(back); },
                            yes: console.t(Text::CancelPost),
                            yes_class: "button solid-danger",
                        }.render(console))
                    }
                }
            }
        }
    }
}

//! Scheduled posts: a month at a glance, its days in order, and writing a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, RawForm, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;

use super::deliveries::time_field;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::{Locale, from_local_field};
use super::parts::{Ask, avatar, delivery_chip, empty, is_web_address, network_badge, outside};
use super::texts::Text;
use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, PostRequest};
use crate::live::Wake;
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, new_ulid};
use crate::store::accounts::Account;
use crate::store::enqueue::Origin;
use crate::store::deliveries::{DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};

/// The most posts of one month on a page.
const MOST_POSTS: usize = 500;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/schedule", get(month).post(schedule)).route("/schedule/new", get(write))
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
    let mut days: BTreeMap<Date, Vec<&DeliveryView>> = BTreeMap::new();
    for post in &posts {
        days.entry(console.zoned(post.due_at).date()).or_default().push(post);
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
        div.two.month-page {
            div data-part="days" {
                @if days.is_empty() {
                    div.card {
                        (empty(Icon::Calendar, console.t(Text::NothingScheduledTitle), console.t(Text::NothingScheduledBody),
                            html! { @if console.may_write() { a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) } } }))
                    }
                }
                @for (day, posts) in &days {
                    section class=(if *day == today { "day today" } else { "day" }) id=(format!("day-{day}")) {
                        h2 { (console.near_day(*day)) span.small.muted { (console.count(Text::PostCount, posts.len() as i64)) } }
                        ol.card.list {
                            @for post in posts {
                                (slot(&console, post, zones.get(&post.account_id).unwrap_or(&console.timezone)))
                            }
                        }
                    }
                }
            }
            (month_card(&console, first, today, &days))
        }
    };
    Ok(page(
        &console,
        Page { place: Place::Schedule, title: console.t(Text::Schedule).to_owned(), live: "delivery", narrow: false },
        body,
    ))
}

fn zone_of(console: &Console, account: &Account) -> TimeZone {
    TimeZone::get(&account.timezone).unwrap_or_else(|_| console.timezone.clone())
}

fn month_card(console: &Console, first: Date, today: Date, days: &BTreeMap<Date, Vec<&DeliveryView>>) -> Markup {
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
                                @let posts = days.get(&day).map_or(0, Vec::len);
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
    let gone = matches!(post.state, DeliveryState::Cancelled | DeliveryState::Expired);
    let there = Locale { timezone: zone.clone(), ..console.locale.clone() };
    let back = console.here.as_str();
    html! {
        li.slot.gone[gone] id=(format!("d-{}", post.id)) {
            div.at { time datetime=(post.due_at) title=(there.exact(post.due_at)) { (console.clock(post.due_at)) } }
            div.what {
                p.text dir="auto" { (post.text) }
                div.meta {
                    (delivery_chip(console, post.state))
                    span.row { (network_badge(console, post.network)) (post.account) }
                    @if zone != &console.timezone {
                        span { (console.fill(Text::UsingAccountZone, &[&there.clock(post.due_at)])) }
                    }
                    @if post.url.as_deref().is_some_and(is_web_address) {
                        (outside(post.url.as_deref(), html! { (console.t(Text::SeeLive)) }))
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

/// The form as it stands: what was typed stays, whatever is said of it.
#[derive(Debug, Default, Clone)]
struct Draft {
    accounts: Vec<AccountId>,
    text: String,
    at: String,
    key: String,
    confirm_duplicate: bool,
    confirm_personal_data: bool,
}

impl Draft {
    fn read(bytes: &[u8]) -> Result<Draft, Problem> {
        let mut draft = Draft::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "account" => draft.accounts.push(read("account", &value)?),
                "text" => draft.text = value.replace("\r\n", "\n"),
                "at" => draft.at = value.into_owned(),
                "key" => draft.key = value.into_owned(),
                "confirm_duplicate" => draft.confirm_duplicate = value == "yes",
                "confirm_personal_data" => draft.confirm_personal_data = value == "yes",
                _ => {}
            }
        }
        Ok(draft)
    }
}

/// Why a post was not planned.
enum Trouble {
    Said(String),
    NearDuplicate { earlier: Option<Box<DeliveryView>> },
    PersonalData,
}

async fn write(console: Console, State(app): State<Arc<App>>) -> Result<Markup, Problem> {
    let accounts = app.store.accounts().await?;
    let able: Vec<_> = accounts.iter().filter(|account| super::can_publish(account.network)).collect();
    let soon = console.now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(console.now);
    let zone = able.first().map_or_else(|| console.timezone.clone(), |account| zone_of(&console, account));
    let draft = Draft {
        accounts: able.first().map(|account| account.id).into_iter().collect(),
        at: Locale { timezone: zone, ..console.locale.clone() }.local_field(soon),
        key: new_ulid(console.now).to_string(),
        ..Draft::default()
    };
    Ok(form(&console, &able, &draft, None))
}

async fn schedule(console: Console, State(app): State<Arc<App>>, RawForm(bytes): RawForm) -> Result<Response, Problem> {
    let mut draft = Draft::read(&bytes)?;
    let accounts = app.store.accounts().await?;
    let able: Vec<_> = accounts.iter().filter(|account| super::can_publish(account.network)).collect();
    let refused = |draft: &Draft, trouble: Trouble| {
        let status = match trouble {
            Trouble::Said(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        (status, form(&console, &able, draft, Some(trouble))).into_response()
    };
    let chosen: Vec<&&Account> = able.iter().filter(|account| draft.accounts.contains(&account.id)).collect();
    if chosen.is_empty() {
        return Ok(refused(&draft, Trouble::Said(console.t(Text::PostAccountsMissing).to_owned())));
    }
    if draft.text.trim().is_empty() {
        return Ok(refused(&draft, Trouble::Said(console.t(Text::PostEmpty).to_owned())));
    }
    // Everything that can be seen beforehand, for every account, before the first one is planned.
    let mut due = Vec::new();
    for account in &chosen {
        let Some(at) = from_local_field(&draft.at, &zone_of(&console, account)) else {
            return Ok(refused(&draft, Trouble::Said(console.t(Text::PostBadTime).to_owned())));
        };
        if at.as_second() < console.now.as_second() - 60 {
            return Ok(refused(&draft, Trouble::Said(console.t(Text::PostPastTime).to_owned())));
        }
        if let Ok(length) = compose::measure(&app, account.id, &draft.text).await
            && !length.fits()
        {
            let number = |count: usize| console.integer(i64::try_from(count).unwrap_or(i64::MAX));
            let said = console.fill(Text::PostTooLong, &[&account.name, &number(length.used), &number(length.limit)]);
            return Ok(refused(&draft, Trouble::Said(said)));
        }
        due.push(at);
    }
    let mut last: Option<Timestamp> = None;
    for (account, at) in chosen.iter().zip(due) {
        let request = PostRequest {
            account_id: account.id,
            text: draft.text.clone(),
            author: console.viewer.actor.clone(),
            key: Some(format!("{}-{}", draft.key, account.id)),
            due_at: Some(at),
            after: None,
            expires_at: None,
            confirm: Confirmed { duplicate: draft.confirm_duplicate, personal_data: draft.confirm_personal_data },
            origin: Origin::default(),
        };
        match compose::post(&app, request).await {
            Ok(delivery) => last = Some(delivery.due_at),
            Err(error) => {
                let trouble = trouble_of(&app, error, &mut draft, &console).await?;
                return Ok(refused(&draft, trouble));
            }
        }
    }
    app.live.wake(Wake::Outbox);
    let day = last.map(|at| console.zoned(at).date()).unwrap_or(console.today());
    let back = format!("/schedule?month={:04}-{:02}#day-{day}", day.year(), day.month());
    Ok(Redirect::to(&Notice::SCHEDULED.on(&back)).into_response())
}

async fn trouble_of(app: &App, error: ComposeError, draft: &mut Draft, console: &Console) -> Result<Trouble, Problem> {
    Ok(match error {
        ComposeError::NearDuplicate { earlier, .. } => {
            draft.confirm_duplicate = true;
            Trouble::NearDuplicate { earlier: look_up(app, earlier).await.map(Box::new) }
        }
        ComposeError::PersonalData(_) => {
            draft.confirm_personal_data = true;
            Trouble::PersonalData
        }
        ComposeError::KeyReused(_) => {
            draft.key = new_ulid(console.now).to_string();
            Trouble::Said(console.t(Text::ReplyKeyReused).to_owned())
        }
        ComposeError::Empty => Trouble::Said(console.t(Text::PostEmpty).to_owned()),
        ComposeError::Refused { reason, .. } => Trouble::Said(reason),
        ComposeError::TooLong(length) => Trouble::Said(ComposeError::TooLong(length).to_string()),
        error => return Err(error.into()),
    })
}

async fn look_up(app: &App, id: DeliveryId) -> Option<DeliveryView> {
    app.store.delivery(id).await.ok()
}

fn form(console: &Console, accounts: &[&Account], draft: &Draft, trouble: Option<Trouble>) -> Markup {
    let body = html! {
        a.back href="/schedule" { (icon(Icon::Left)) (console.t(Text::Schedule)) }
        div.page-head { h1 { (console.t(Text::NewPost)) } }
        @if accounts.is_empty() {
            div.card { (empty(Icon::Plug, console.t(Text::NewPost), console.t(Text::NoAccountCanPost), html! {})) }
        } @else {
            form.compose method="post" action="/schedule" {
                (console.viewer.csrf)
                input type="hidden" name="key" value=(draft.key);
                input type="hidden" name="confirm_duplicate" value=(yes(draft.confirm_duplicate));
                input type="hidden" name="confirm_personal_data" value=(yes(draft.confirm_personal_data));
                div.card.pad.stack {
                    @if let Some(trouble) = &trouble { (told(console, trouble)) }
                    fieldset.stack.tight {
                        legend.label { (console.t(Text::PostAccounts)) }
                        @for account in accounts { (account_choice(console, account, draft.accounts.contains(&account.id))) }
                        @if accounts.len() > 1 { p.hint { (console.t(Text::PostAccountsHint)) } }
                    }
                    label.field {
                        span { (console.t(Text::PostText)) }
                        textarea #post-text name="text" rows="6" dir="auto" required maxlength="100000" data-measured
                            { "\n" (draft.text) }
                    }
                    label.field {
                        span { (console.t(Text::PostWhen)) }
                        input type="datetime-local" name="at" required value=(draft.at);
                        @let zone = accounts.iter().find(|account| draft.accounts.contains(&account.id))
                            .map(|account| Locale::zone_name(&zone_of(console, account), console.now));
                        span.hint #post-zone data-text=(console.t(Text::PostZone)) {
                            @if let Some(zone) = zone { (console.fill(Text::PostZone, &[&zone])) }
                        }
                    }
                    div.row.end {
                        a.button.quiet href="/schedule" { (console.t(Text::Cancel)) }
                        button.button.primary { (icon(Icon::Calendar)) (console.t(Text::SchedulePost)) }
                    }
                }
                (preview(console, accounts, draft))
            }
        }
    };
    page(
        console,
        Page { place: Place::Schedule, title: console.t(Text::NewPost).to_owned(), live: "", narrow: false },
        body,
    )
}

fn yes(confirmed: bool) -> &'static str {
    if confirmed { "yes" } else { "" }
}

fn told(console: &Console, trouble: &Trouble) -> Markup {
    let anyway = html! { div.row { button.button.small { (console.t(Text::ScheduleAnyway)) } } };
    html! {
        @match trouble {
            Trouble::Said(said) => div.notice.error role="alert" { (icon(Icon::Alert)) p.grow dir="auto" { (said) } },
            Trouble::NearDuplicate { earlier } => div.notice.warning role="alert" {
                (icon(Icon::Alert))
                div.grow {
                    p { strong { (console.t(Text::NearDuplicateTitle)) } }
                    @if let Some(earlier) = earlier {
                        p { (earlier.account) " · " (console.short(earlier.due_at)) " · "
                            a href=(format!("/deliveries/{}", earlier.id)) target="_blank" { (console.t(Text::Details)) } }
                        blockquote dir="auto" { (earlier.text) }
                    }
                    p { (console.t(Text::NearDuplicateAsk)) }
                    (anyway)
                }
            },
            Trouble::PersonalData => div.notice.warning role="alert" {
                (icon(Icon::Alert))
                div.grow {
                    p { strong { (console.t(Text::PersonalDataTitle)) } }
                    p { (console.t(Text::PersonalDataAsk)) }
                    (anyway)
                }
            },
        }
    }
}

fn account_choice(console: &Console, account: &Account, chosen: bool) -> Markup {
    let zone = Locale::zone_name(&zone_of(console, account), console.now);
    html! {
        label.check {
            input type="checkbox" name="account" value=(account.id) checked[chosen] data-post-account data-zone=(zone);
            (network_badge(console, account.network))
            span.grow { (account.name) @if let Some(handle) = &account.handle { " " span.small.muted dir="ltr" { (super::inbox::handle(handle)) } } }
            @if account.paused_at.is_some() { span.chip.warning { (console.t(Text::Paused)) } }
            span.counter data-counter data-account=(account.id) data-for-account=(account.id) hidden[!chosen] aria-live="polite" {}
        }
    }
}

fn preview(console: &Console, accounts: &[&Account], draft: &Draft) -> Markup {
    let first = accounts.iter().find(|account| draft.accounts.contains(&account.id)).or(accounts.first());
    html! {
        section.card.preview aria-label=(console.t(Text::Preview)) {
            h2 { (console.t(Text::Preview)) }
            @if let Some(account) = first {
                div.post {
                    div.person {
                        (avatar(&account.name, ""))
                        div {
                            strong { (account.name) }
                            @if let Some(handle) = &account.handle { div.small.muted dir="ltr" { (super::inbox::handle(handle)) } }
                        }
                    }
                    p.body #preview-body dir="auto" data-empty=(console.t(Text::PreviewEmpty)) {
                        @if draft.text.is_empty() { (console.t(Text::PreviewEmpty)) } @else { (draft.text) }
                    }
                }
            }
            p.hint { (console.t(Text::PreviewHint)) }
            @for account in accounts {
                div.meter data-for-account=(account.id) hidden[!draft.accounts.contains(&account.id)] {
                    span.small.row { (network_badge(console, account.network)) (account.name)
                        span.counter.push data-counter data-account=(account.id) {} }
                    meter data-account=(account.id) min="0" max="1" value="0" aria-label=(account.name) {}
                }
            }
        }
    }
}

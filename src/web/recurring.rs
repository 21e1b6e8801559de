//! Recurring posts: their rules in words, what comes next in the reader's zone, and changing, pausing and ending them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::calendar::tabs;
use super::composer::writer_name;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::{Locale, from_local_field};
use super::parts::{Ask, delivery_mark, empty, network_badge, said};
use super::post_form::{Trouble, bad_time, confirmed_fields, read_confirmed, told, trouble_of};
use super::repeat_fields::{RepeatDraft, in_words, repeat_fields};
use super::texts::Text;
use crate::app::App;
use crate::compose::{ComposeError, Confirmed};
use crate::model::{RecurrenceId, RecurrenceState};
use crate::recurring::{self, ChangedRecurrence};
use crate::store::deliveries::{DeliveryFilter, DeliveryOrder, DeliveryView};
use crate::store::recurrences::{NewRecurrence, RecurrenceView};

/// Occurrences on the page of one: of those to come, and of those whose time has come.
const SHOWN: usize = 50;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/schedule/recurring", get(list))
        .route("/schedule/recurring/{id}", get(one).post(change))
        .route("/schedule/recurring/{id}/pause", post(pause))
        .route("/schedule/recurring/{id}/resume", post(resume))
        .route("/schedule/recurring/{id}/end", post(end))
}

async fn list(console: Console, State(app): State<Arc<App>>) -> Result<Markup, Problem> {
    let recurrences = app.store.recurrences().await?;
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::RecurringTitle)) }
            div.actions {
                a.button.quiet.small href=(super::inbox::csv(&console, "recurrences", &[])) download {
                    (icon(Icon::Download)) (console.t(Text::Download))
                }
                @if console.may_write() {
                    a.button.primary href="/schedule/new" { (icon(Icon::Plus)) (console.t(Text::NewPost)) }
                }
            }
        }
        (tabs(&console, "/schedule/recurring"))
        div data-part="recurring" {
            @if recurrences.is_empty() {
                div.card { (empty(Icon::Calendar, console.t(Text::NoRecurringTitle), console.t(Text::NoRecurringBody), html! {})) }
            } @else {
                ol.card.list { @for recurrence in &recurrences { (row(&console, recurrence)) } }
            }
        }
    };
    Ok(framed(&console, Text::RecurringTitle, body))
}

fn framed(console: &Console, title: Text, body: Markup) -> Markup {
    let title = console.t(title).to_owned();
    page(console, Page { place: Place::Schedule, title, live: "recurrence delivery", narrow: false }, body)
}

fn row(console: &Console, recurrence: &RecurrenceView) -> Markup {
    let gone = recurrence.state == RecurrenceState::Ended;
    html! {
        li.slot.gone[gone] id=(format!("r-{}", recurrence.id)) {
            div.at { (icon(Icon::Calendar)) }
            div.what {
                a href=(format!("/schedule/recurring/{}", recurrence.id)) { strong { (in_words(console, &recurrence.rule)) } }
                @if let Some(account) = recurrence.accounts.first() { p.text dir="auto" { (account.text) } }
                div.meta {
                    (state_chip(console, recurrence.state))
                    @for account in &recurrence.accounts {
                        span.row { (network_badge(console, account.network)) (account.account) }
                    }
                    @if let Some(at) = recurrence.next.first() {
                        span { (console.t(Text::ComesNext)) ": " (when(console, recurrence, *at)) }
                    }
                }
                (problems(console, recurrence))
            }
        }
    }
}

/// The day and the time for the reader, and the time of the rule where its clock differs.
fn when(console: &Console, recurrence: &RecurrenceView, at: Timestamp) -> Markup {
    let there = Locale { timezone: recurrence.rule.zone(), ..console.locale.clone() };
    let day = console.near_day(console.zoned(at).date());
    html! {
        time datetime=(at) title=(there.exact(at)) { (day) " " (console.clock(at)) }
        @if there.zoned(at).datetime() != console.zoned(at).datetime() {
            " · " (console.fill(Text::UsingAccountZone, &[&there.short(at)]))
        }
    }
}

fn state_chip(console: &Console, state: RecurrenceState) -> Markup {
    let (text, tone) = match state {
        RecurrenceState::Active => (Text::RuleActive, "positive"),
        RecurrenceState::Paused => (Text::RulePaused, "warning"),
        RecurrenceState::Ended => (Text::RuleEnded, ""),
        RecurrenceState::Finished => (Text::RuleFinished, ""),
    };
    html! { span class=(format!("chip {tone}")) { (console.t(text)) } }
}

fn problems(console: &Console, recurrence: &RecurrenceView) -> Markup {
    html! {
        @for account in &recurrence.accounts {
            @if let Some(problem) = &account.problem {
                p.notice.error role="alert" { (icon(Icon::Alert))
                    span dir="auto" { (console.fill_in(Text::RuleProblem, &[html! { (account.account) }, said(console, problem)])) } }
            }
            @if account.skipped > 0 {
                p.small.muted { (account.account) ": " (console.count(Text::RuleSkipped, account.skipped)) }
            }
        }
    }
}

/// How many occurrences kept their time through the change that led to the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    kept: u32,
}

async fn one(
    console: Console,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(told): Query<Told>,
) -> Result<Markup, Problem> {
    let recurrence = app.store.recurrence(read("recurring post", &id)?).await?;
    let draft = ChangeDraft::of(&console, &recurrence);
    show(&console, &app, &recurrence, &draft, told.kept, None).await
}

async fn show(
    console: &Console,
    app: &App,
    recurrence: &RecurrenceView,
    draft: &ChangeDraft,
    kept: u32,
    trouble: Option<&Trouble>,
) -> Result<Markup, Problem> {
    let shown = DeliveryFilter {
        recurrence_id: Some(recurrence.id),
        without_withdrawn: true,
        limit: SHOWN,
        ..DeliveryFilter::default()
    };
    let planned = DeliveryFilter { since: Some(console.now), order: DeliveryOrder::EarliestFirst, ..shown.clone() };
    let past = DeliveryFilter { until: Some(console.now), ..shown };
    let (planned, past) = tokio::try_join!(app.store.deliveries(&planned), app.store.deliveries(&past))?;
    let writer = writer_name(console, &recurrence.author);
    let goes_on = matches!(recurrence.state, RecurrenceState::Active | RecurrenceState::Paused);
    let body = html! {
        a.back href="/schedule/recurring" { (icon(Icon::Left)) (console.t(Text::RecurringTitle)) }
        div.page-head {
            h1 { (in_words(console, &recurrence.rule)) }
            @if console.may_write() && recurrence.state != RecurrenceState::Ended { (controls(console, recurrence)) }
        }
        @if kept > 0 {
            p.notice.success role="status" { (icon(Icon::Check)) span { (console.count(Text::OccurrencesKept, kept.into())) } }
        }
        div.two {
            div.stack {
                section.card.pad.stack data-part="recurrence" {
                    div.row { (state_chip(console, recurrence.state))
                        span.muted { (Locale::zone_name(&recurrence.rule.zone(), console.now)) " · " (writer) } }
                    (problems(console, recurrence))
                    @for account in &recurrence.accounts {
                        div { span.row { (network_badge(console, account.network)) strong { (account.account) } }
                            p.text dir="auto" { (account.text) } }
                    }
                }
                (occurrences(console, Text::OccurrencesPast, "past", &past))
                (occurrences(console, Text::OccurrencesPlanned, "planned", &planned))
            }
            div.stack {
                section.card.pad.stack data-part="next" {
                    h2 { (console.t(Text::ComesNext)) }
                    @if recurrence.next.is_empty() || recurrence.state != RecurrenceState::Active {
                        p.muted { (console.t(Text::NothingNext)) }
                    } @else {
                        ol.stack.tight { @for at in &recurrence.next { li { (when(console, recurrence, *at)) } } }
                    }
                }
                @if console.may_write() && goes_on { (change_form(console, recurrence, draft, trouble)) }
            }
        }
    };
    Ok(framed(console, Text::RecurringTitle, body))
}

fn occurrences(console: &Console, title: Text, part: &str, occurrences: &[DeliveryView]) -> Markup {
    html! {
        @if !occurrences.is_empty() {
            section data-part=(part) {
                h2 { (console.t(title)) }
                ol.card.list { @for occurrence in occurrences { (occurrence_row(console, occurrence)) } }
            }
        }
    }
}

fn occurrence_row(console: &Console, occurrence: &DeliveryView) -> Markup {
    html! {
        li.slot.gone[occurrence.state.is_end() && occurrence.sent_at.is_none()] {
            div.at { (console.clock(occurrence.due_at)) }
            div.what {
                a href=(format!("/deliveries/{}", occurrence.id)) { (console.near_day(console.zoned(occurrence.due_at).date())) }
                div.meta {
                    (delivery_mark(console, occurrence))
                    span.row { (network_badge(console, occurrence.network)) (occurrence.account) }
                    @if let Some(reason) = &occurrence.reason { span dir="auto" { (said(console, reason)) } }
                }
            }
        }
    }
}

fn controls(console: &Console, recurrence: &RecurrenceView) -> Markup {
    let to = |what: &str| format!("/schedule/recurring/{}/{what}", recurrence.id);
    html! {
        div.actions {
            @match recurrence.state {
                RecurrenceState::Paused => form method="post" action=(to("resume")) {
                    (console.viewer.csrf)
                    button.button { (icon(Icon::Play)) (console.t(Text::ResumeRule)) }
                },
                RecurrenceState::Active => (Ask {
                    button: html! { (icon(Icon::Pause)) (console.t(Text::PauseRule)) },
                    class: "button",
                    action: to("pause"),
                    question: console.t(Text::PauseRule),
                    more: console.t(Text::PauseRuleMore),
                    fields: html! {},
                    yes: console.t(Text::PauseRule),
                    yes_class: "button primary",
                }.render(console)),
                _ => {},
            }
            (Ask {
                button: html! { (icon(Icon::Close)) (console.t(Text::EndRule)) },
                class: "button danger",
                action: to("end"),
                question: console.t(Text::EndRuleAsk),
                more: console.t(Text::EndRuleMore),
                fields: html! {},
                yes: console.t(Text::EndRule),
                yes_class: "button solid-danger",
            }.render(console))
        }
    }
}

/// The form for changing one, as it stands.
struct ChangeDraft {
    at: String,
    /// By account.
    texts: Vec<(String, String)>,
    repeat: RepeatDraft,
    confirm: Confirmed,
}

impl ChangeDraft {
    fn of(console: &Console, recurrence: &RecurrenceView) -> ChangeDraft {
        let rule = &recurrence.rule;
        let there = Locale { timezone: rule.zone(), ..console.locale.clone() };
        let coming = rule.moments(console.now).next().map(|(_, at)| at);
        let first = coming.or_else(|| rule.moment(rule.from)).unwrap_or(console.now);
        let texts = recurrence.accounts.iter().map(|account| (account.account_id.to_string(), account.text.clone()));
        ChangeDraft {
            at: there.local_field(first),
            texts: texts.collect(),
            repeat: RepeatDraft::of(rule, recurrence.missed),
            confirm: Confirmed::default(),
        }
    }

    fn read(bytes: &[u8]) -> Result<ChangeDraft, Problem> {
        let mut draft = ChangeDraft {
            at: String::new(),
            texts: Vec::new(),
            repeat: RepeatDraft::default(),
            confirm: Confirmed::default(),
        };
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "at" => draft.at = value.into_owned(),
                name if read_confirmed(&mut draft.confirm, name, &value) => {}
                name => match name.strip_prefix("text-") {
                    Some(account) => draft.texts.push((account.to_owned(), value.replace("\r\n", "\n"))),
                    None => draft.repeat.read(name, &value)?,
                },
            }
        }
        Ok(draft)
    }
}

fn change_form(
    console: &Console,
    recurrence: &RecurrenceView,
    draft: &ChangeDraft,
    trouble: Option<&Trouble>,
) -> Markup {
    html! {
        details.card.pad open[trouble.is_some()] {
            summary { strong { (console.t(Text::ChangeRule)) } }
            form.stack method="post" action=(format!("/schedule/recurring/{}", recurrence.id)) {
                (console.viewer.csrf)
                (confirmed_fields(draft.confirm))
                @if let Some(trouble) = trouble { (told(console, trouble)) }
                p.hint { (console.t(Text::ChangeRuleMore)) }
                @for account in &recurrence.accounts {
                    @let id = account.account_id.to_string();
                    @let text = draft.texts.iter().find(|(account, _)| *account == id).map_or(account.text.as_str(), |(_, text)| text);
                    label.field {
                        span { (account.account) }
                        textarea name=(format!("text-{id}")) rows="4" dir="auto" required maxlength="100000" { "\n" (text) }
                    }
                }
                label.field {
                    span { (console.t(Text::PostWhen)) }
                    input type="datetime-local" name="at" required value=(draft.at);
                    span.hint { (Locale::zone_name(&recurrence.rule.zone(), console.now)) }
                }
                (repeat_fields(console, &draft.repeat, true))
                div.row.end { button.button.primary { (console.t(Text::Save)) } }
            }
        }
    }
}

async fn change(
    console: Console,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawForm(bytes): RawForm,
) -> Result<Response, Problem> {
    let id: RecurrenceId = read("recurring post", &id)?;
    let recurrence = app.store.recurrence(id).await?;
    let mut draft = ChangeDraft::read(&bytes)?;
    let trouble = match draft.repeat.is_on() {
        true => match changed(&console, &app, &recurrence, &draft).await? {
            Ok(changed) => {
                let back = Notice::RECURRENCE_CHANGED.on(&format!("/schedule/recurring/{id}?kept={}", changed.kept));
                return Ok(Redirect::to(&back).into_response());
            }
            Err(error) => trouble_of(&console, error, &mut draft.confirm).await?,
        },
        false => {
            // Shown as it is, not as the first choice of the list.
            draft.repeat = RepeatDraft::of(&recurrence.rule, draft.repeat.missed);
            Trouble::Said(console.t(Text::RuleStays).to_owned())
        }
    };
    let page = show(&console, &app, &recurrence, &draft, 0, Some(&trouble)).await?;
    Ok((trouble.status(), page).into_response())
}

async fn changed(
    console: &Console,
    app: &App,
    recurrence: &RecurrenceView,
    draft: &ChangeDraft,
) -> Result<Result<ChangedRecurrence, ComposeError>, Problem> {
    let zone = recurrence.rule.zone();
    let Some(at) = from_local_field(&draft.at, &zone) else {
        return Ok(Err(ComposeError::Invalid(bad_time(console, &draft.at, &zone))));
    };
    let rule = match draft.repeat.rule(console, &at.to_zoned(zone)) {
        Ok(rule) => rule,
        Err(said) => return Ok(Err(ComposeError::Invalid(said))),
    };
    let mut texts = Vec::with_capacity(draft.texts.len());
    for (account, text) in &draft.texts {
        texts.push((read("account", account)?, text.clone()));
    }
    let new = NewRecurrence { rule, missed: draft.repeat.missed, texts };
    Ok(recurring::change(app, recurrence.id, new, draft.confirm, &console.viewer.actor).await)
}

async fn pause(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: RecurrenceId = read("recurring post", &id)?;
    recurring::pause(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::RECURRENCE_CHANGED.on(&format!("/schedule/recurring/{id}"))))
}

async fn resume(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: RecurrenceId = read("recurring post", &id)?;
    recurring::resume(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::RECURRENCE_CHANGED.on(&format!("/schedule/recurring/{id}"))))
}

async fn end(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: RecurrenceId = read("recurring post", &id)?;
    recurring::end(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::RECURRENCE_CHANGED.on(&format!("/schedule/recurring/{id}"))))
}

//! Our accounts: are they heard, up to when is everything here, what is missing, and what to do about it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{handle, read};
use super::layout::{Console, Page, Place, page};
use super::parts::{Ask, ago, empty, health_word, is_web_address, network_badge, network_name, outside, said};
use super::texts::Text;
use crate::accounts::ORIGIN;
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, Health};
use crate::store::accounts::Account;
use crate::store::inbox::{AccountView, GapView, StreamView};
use crate::store::removal::Waiting;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts", get(list))
        .route("/accounts/{id}/pause", post(pause))
        .route("/accounts/{id}/resume", post(resume))
}

async fn list(console: Console, State(app): State<Arc<App>>) -> Result<Markup, Problem> {
    let accounts = app.store.account_views().await?;
    let mut waiting = HashMap::new();
    for account in
        accounts.iter().map(|view| &view.account).filter(|account| console.is_admin() && account.origin == ORIGIN)
    {
        waiting.insert(account.id, app.store.waiting_on(account.id).await?);
    }
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::Accounts)) }
            div.actions.inline {
                (add_link(&console))
                a.button.quiet.small href=(super::inbox::csv(&console, "accounts", &[])) download { (icon(Icon::Download)) (console.t(Text::Download)) }
            }
        }
        div data-part="accounts" {
            @if accounts.is_empty() {
                div.card { (empty(Icon::Plug, console.t(Text::NoAccountsTitle), console.t(Text::NoAccountsBody), add_link(&console))) }
            }
            @for account in &accounts { (card(&console, account, waiting.get(&account.account.id))) }
        }
    };
    Ok(page(
        &console,
        Page { place: Place::Accounts, title: console.t(Text::Accounts).to_owned(), live: "account", narrow: true },
        body,
    ))
}

/// For those who may.
pub fn add_link(console: &Console) -> Markup {
    html! {
        @if console.is_admin() {
            a.button.primary.small href="/accounts/new" { (icon(Icon::Plus)) (console.t(Text::AddAccount)) }
        }
    }
}

fn card(console: &Console, view: &AccountView, waiting: Option<&Waiting>) -> Markup {
    let account = &view.account;
    let gaps: usize = view.streams.iter().map(|stream| open_gaps(stream).count()).sum();
    html! {
        section.card.account id=(format!("a-{}", account.id)) {
            div.row {
                (network_badge(console, account.network))
                h2 { (account.name) }
                @if account.is_removed() {
                    span.health { (console.t(Text::AccountRemovedTitle)) }
                } @else if account.paused_at.is_some() {
                    span.health { (console.t(Text::Paused)) }
                } @else {
                    span class=(format!("health {}", account.health)) { (console.t(health_word(account.health))) }
                }
                @if console.may_write() && !account.is_removed() { div.push { (control(console, account)) } }
            }
            div.dot-list {
                span { (network_name(console, account.network)) }
                @if let Some(own) = &account.handle { span dir="ltr" { (handle(own)) } }
                span { (account.brand) }
                span { (account.timezone) }
                @if account.profile_url.as_deref().is_some_and(is_web_address) {
                    span { (outside(account.profile_url.as_deref(), html! { (console.t(Text::OpenProfile)) })) }
                }
            }
            (trouble(console, account))
            @if console.is_admin() { (settings(console, account, waiting)) }
            p.complete {
                @match view.complete_up_to {
                    Some(at) => { (icon(Icon::Check)) span title=(console.exact(at)) { (console.fill(Text::CompleteUpTo, &[&console.short(at)])) } },
                    None => span.muted { (console.t(Text::CompleteUnknown)) },
                }
                " · "
                @if gaps > 0 { strong { (console.count(Text::GapCount, gaps as i64)) } } @else { (console.t(Text::NoGaps)) }
                @if view.unparsed > 0 {
                    " · " a href=(format!("/accounts/{}/unparsed", account.id)) { (console.count(Text::Unparsed, view.unparsed)) }
                }
            }
            ul.streams aria-label=(console.t(Text::Streams)) {
                @for stream in &view.streams { (stream_row(console, stream)) }
            }
        }
    }
}

fn open_gaps(stream: &StreamView) -> impl Iterator<Item = &GapView> {
    stream.gaps.iter().filter(|gap| gap.state != "filled")
}

fn control(console: &Console, account: &Account) -> Markup {
    html! {
        @if account.paused_at.is_some() {
            form method="post" action=(format!("/accounts/{}/resume", account.id)) {
                (console.viewer.csrf)
                button.button { (icon(Icon::Play)) (console.t(Text::ResumeAccount)) }
            }
        } @else {
            (Ask {
                button: html! { (icon(Icon::Pause)) (console.t(Text::PauseAccount)) },
                class: "button",
                action: format!("/accounts/{}/pause", account.id),
                question: console.t(Text::PauseAccount),
                more: console.t(Text::PauseMore),
                fields: html! {
                    label.field {
                        span { (console.t(Text::PauseReason)) }
                        input type="text" name="reason" maxlength="300" autocomplete="off" dir="auto";
                    }
                },
                yes: console.t(Text::PauseAccount),
                yes_class: "button primary",
            }.render(console))
        }
    }
}

/// Where its settings are changed.
fn settings(console: &Console, account: &Account, waiting: Option<&Waiting>) -> Markup {
    html! {
        @if account.origin == "file" {
            p.small.muted { (console.t(Text::AccountInFile)) }
        } @else if account.origin == ORIGIN && !account.is_removed() {
            div.row {
                a.button.small href=(format!("/accounts/{}/edit", account.id)) { (console.t(Text::EditAccount)) }
                (Ask {
                    button: html! { (icon(Icon::Trash)) (console.t(Text::RemoveAccount)) },
                    class: "button small",
                    action: format!("/accounts/{}/remove", account.id),
                    question: console.t(Text::RemoveAccountAsk),
                    more: console.t(Text::RemoveAccountMore),
                    fields: html! { @if let Some(waiting) = waiting.filter(|waiting| !waiting.is_empty()) {
                        p.notice.warning { (icon(Icon::Alert)) span { (ends_with_it(console, waiting)) } }
                    } },
                    yes: console.t(Text::RemoveAccount),
                    yes_class: "button danger",
                }.render(console))
            }
        }
    }
}

/// What is cancelled when the account is removed.
fn ends_with_it(console: &Console, waiting: &Waiting) -> String {
    let counted = [
        (Text::PostCount, waiting.posts),
        (Text::AnswerCount, waiting.answers),
        (Text::DeletionCount, waiting.deletions),
        (Text::RecurringCount, waiting.recurring),
    ];
    let counted: Vec<_> =
        counted.iter().filter(|(_, count)| *count > 0).map(|(text, count)| console.count(*text, *count)).collect();
    console.fill(Text::RemoveAccountEnds, &[&counted.join(", ")])
}

/// What keeps the account from working, and the next step.
fn trouble(console: &Console, account: &Account) -> Markup {
    if account.is_removed() {
        return html! { p.notice.warning { (icon(Icon::Pause)) span { (console.t(Text::AccountRemoved)) } } };
    }
    let token_help = if account.origin == ORIGIN { Text::UnauthorizedHelpOwn } else { Text::UnauthorizedHelp };
    html! {
        @if let Some(paused) = account.paused_at {
            div.notice.warning {
                (icon(Icon::Pause))
                div.grow {
                    p { @match account.pause_reason.as_deref().filter(|reason| !reason.is_empty()) {
                        Some(reason) => (console.fill(Text::PausedBecause, &[&console.relative(paused), &console.said(reason)])),
                        None => (console.fill(Text::PausedSince, &[&console.relative(paused)])),
                    } }
                    p.small { (console.t(Text::PauseMore)) }
                }
            }
        }
        @match account.health {
            Health::Unauthorized => div.notice.error role="alert" {
                (icon(Icon::Lock))
                div.grow {
                    @if let Some(reason) = &account.health_reason { p dir="auto" { strong { (said(console, reason)) } } }
                    p { (console.t(token_help)) }
                }
            },
            Health::Failing => div.notice.warning {
                (icon(Icon::Alert))
                div.grow {
                    @if let Some(reason) = &account.health_reason { p dir="auto" { strong { (said(console, reason)) } } }
                    p { (console.t(Text::FailingHelp)) }
                }
            },
            Health::New | Health::Ok => {},
        }
        @if let Some(until) = account.gated_until.filter(|until| *until > console.now) {
            p.notice.warning { (icon(Icon::Clock)) span {
                (console.fill_in(Text::GatedUntil, &[html! { (console.short(until)) }, html! {
                    @if let Some(reason) = &account.gate_reason { (said(console, reason)) }
                }]))
            } }
        }
    }
}

/// A source's name (`mentions`, `search:#marka`) in the reader's words.
pub fn stream_name(console: &Console, name: &str) -> String {
    match name.split_once(':') {
        Some(("search", query)) => console.fill(Text::StreamSearch, &[query]),
        Some((_, query)) => query.to_owned(),
        None => match name {
            "mentions" => console.t(Text::StreamMentions).to_owned(),
            "messages" => console.t(Text::StreamMessages).to_owned(),
            "feed" => console.t(Text::StreamFeed).to_owned(),
            "own" => console.t(Text::StreamOwn).to_owned(),
            other => other.to_owned(),
        },
    }
}

fn stream_row(console: &Console, stream: &StreamView) -> Markup {
    let gaps: Vec<_> = open_gaps(stream).collect();
    html! {
        li {
            strong dir="auto" { (stream_name(console, &stream.name)) }
            span {
                @match stream.complete_up_to {
                    Some(at) => span title=(console.exact(at)) { (console.fill(Text::CompleteUpTo, &[&console.short(at)])) },
                    None => span.muted { (console.t(Text::CompleteUnknown)) },
                }
                // Words on Mastodon are all there is to hint at.
                @if stream.hint.is_some() { div.small.muted { (console.t(Text::HintWords)) } }
                @if stream.failures > 0 {
                    div.small.failing dir="auto" {
                        (console.count_in(Text::StreamFailures, stream.failures, &[html! {
                            @if let Some(reason) = &stream.failure_reason { (said(console, reason)) }
                        }]))
                    }
                }
            }
            span.small.muted {
                @match stream.last_poll_at {
                    Some(at) => (ago(console, at)),
                    None => (console.t(Text::NeverPolled)),
                }
            }
            @if !gaps.is_empty() {
                ul.gaps aria-label=(console.t(Text::GapTitle)) {
                    @for gap in gaps { li { (gap_text(console, gap)) } }
                }
            }
        }
    }
}

fn gap_text(console: &Console, gap: &GapView) -> Markup {
    let state = if gap.state == "lost" { Text::GapLost } else { Text::GapFilling };
    html! {
        strong {
            @match (gap.from_at, gap.until_at) {
                (Some(from), Some(until)) => (console.fill(Text::GapFromTo, &[&console.short(from), &console.short(until)])),
                (None, Some(until)) => (console.fill(Text::GapUnbounded, &[&console.short(until)])),
                (Some(from), None) => (console.fill(Text::GapFromTo, &[&console.short(from), "…"])),
                (None, None) => (console.t(Text::GapTitle)),
            }
        }
        " · " (console.t(state)) " · " span dir="auto" { (said(console, &gap.reason)) }
    }
}

#[derive(Debug, Deserialize)]
struct PauseForm {
    #[serde(default)]
    reason: String,
}

async fn pause(console: Console, Path(id): Path<String>, Form(form): Form<PauseForm>) -> Result<Redirect, Problem> {
    let id: AccountId = read("account", &id)?;
    console.app.store.account(id).await?;
    console.app.store.pause_account(id, form.reason.trim(), &console.viewer.actor).await?;
    console.app.live.wake(Wake::Streams);
    Ok(Redirect::to(&format!("/accounts#a-{id}")))
}

async fn resume(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: AccountId = read("account", &id)?;
    console.app.store.resume_account(id, console.app.config.delivery.release_spacing, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Streams);
    console.app.live.wake(Wake::Outbox);
    Ok(Redirect::to(&format!("/accounts#a-{id}")))
}

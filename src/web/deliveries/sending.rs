//! Sending as a whole: stopping it, seeing what is stopped, and letting it go on without a burst.

use std::time::Duration;

use axum::Form;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use super::list::DeliveryQuery;
use super::standing::soon;
use crate::live::Wake;
use crate::model::{AccountId, Hold};
use crate::standing::{Scope, Stop};
use crate::store::accounts::Account;
use crate::store::stops::{Release, apps};
use crate::web::can_publish;
use crate::web::composer::writer_name;
use crate::web::error::Problem;
use crate::web::icons::{Icon, icon};
use crate::web::inbox::{maybe, read};
use crate::web::layout::{Console, Notice};
use crate::web::parts::{Ask, network_name, options};
use crate::web::texts::Text;

/// A stop with what still goes on and what would go out.
pub struct Stopped {
    stop: Stop,
    under_way: i64,
    release: Release,
}

pub async fn stopped(console: &Console) -> Result<Vec<Stopped>, Problem> {
    let (store, spacing) = (&console.app.store, console.app.config.delivery.release_spacing);
    let mut stopped = Vec::new();
    for stop in store.stops().await? {
        let (under_way, release) =
            tokio::try_join!(store.under_way(&stop.scope), store.resume_plan(&stop.scope, spacing))?;
        stopped.push(Stopped { stop, under_way, release });
    }
    Ok(stopped)
}

/// Stops everything, posts, an account or an app: what is not stopped yet.
pub fn stop_control(console: &Console, accounts: &[Account], stopped: &[Stopped]) -> Markup {
    let scopes: Vec<_> = scopes(console, accounts)
        .into_iter()
        .filter(|(scope, _)| !stopped.iter().any(|stopped| stopped.stop.scope.to_string() == *scope))
        .collect();
    if scopes.is_empty() || stopped.iter().any(|stopped| stopped.stop.scope == Scope::All) {
        return html! {};
    }
    Ask {
        button: html! { (icon(Icon::Stop)) (console.t(Text::StopSending)) },
        class: "button danger",
        action: "/sending/stop".to_owned(),
        question: console.t(Text::StopSendingAsk),
        more: console.t(Text::StopSendingMore),
        fields: html! {
            label.field { span { (console.t(Text::StopWhat)) } select name="scope" { (options("all", &scopes)) } }
            label.field {
                span { (console.t(Text::PauseReason)) }
                input type="text" name="reason" maxlength="300" autocomplete="off" dir="auto";
            }
        },
        yes: console.t(Text::YesStop),
        yes_class: "button solid-danger",
    }
    .render(console)
}

/// Everything that can be stopped, the widest first.
fn scopes(console: &Console, accounts: &[Account]) -> Vec<(String, String)> {
    let publishing = || accounts.iter().filter(|account| can_publish(account.network) && !account.is_removed());
    let shared = apps(publishing()).into_iter().filter(|(_, count)| *count > 1).map(|(scope, _)| scope);
    [Scope::All, Scope::Posts]
        .into_iter()
        .chain(shared)
        .chain(publishing().map(|account| Scope::Account { account_id: account.id }))
        .map(|scope| (scope.to_string(), scope_name(console, &scope, accounts)))
        .collect()
}

fn scope_name(console: &Console, scope: &Scope, accounts: &[Account]) -> String {
    match scope {
        Scope::All => console.t(Text::StopEverything).to_owned(),
        Scope::Posts => console.t(Text::StopPosts).to_owned(),
        Scope::App { network, base_url } => {
            let count = accounts.iter().filter(|account| account.app() == *scope).count();
            let host = base_url.as_deref().and_then(|url| url::Url::parse(url).ok()?.host_str().map(str::to_owned));
            let name = [Some(network_name(console, *network).to_owned()), host].into_iter().flatten();
            console.count_and(Text::StopApp, count as i64, &[&name.collect::<Vec<_>>().join(" · ")])
        }
        Scope::Account { account_id } => {
            let name = accounts.iter().find(|account| account.id == *account_id).map(|account| account.name.as_str());
            console.fill(Text::StopAccount, &[name.unwrap_or("?")])
        }
    }
}

/// What is stopped, by whom, whether it is drained, and the way on.
pub fn stop_notice(console: &Console, stopped: &Stopped, accounts: &[Account]) -> Markup {
    let Stopped { stop, under_way, release } = stopped;
    let since = console.relative(stop.stopped_at);
    html! {
        div.notice.warning {
            (icon(Icon::Stop))
            div.grow {
                p { strong { (console.fill(Text::StoppedScope, &[&scope_name(console, &stop.scope, accounts)])) } }
                p.small {
                    (console.fill(Text::StoppedBy, &[&writer_name(console, &stop.stopped_by), &since]))
                    @if !stop.reason.is_empty() { " · " span dir="auto" { (console.said(&stop.reason)) } }
                    " · "
                    @match under_way {
                        0 => (console.t(Text::Drained)),
                        count => (console.count(Text::StillUnderWay, *count)),
                    }
                }
            }
            @if console.may_write() {
                (Ask {
                    button: html! { (icon(Icon::Play)) (console.t(Text::ResumeSending)) },
                    class: "button",
                    action: "/sending/resume".to_owned(),
                    question: console.t(Text::ResumeSendingAsk),
                    more: &plan(console, release),
                    fields: html! { input type="hidden" name="scope" value=(stop.scope); },
                    yes: console.t(Text::ResumeSending),
                    yes_class: "button primary",
                }.render(console))
            }
        }
    }
}

/// How many go out, and over how long.
pub fn plan(console: &Console, release: &Release) -> String {
    let mut told = Vec::new();
    if release.spaced > 0 {
        let apart = pause(console, Duration::from_secs(release.spacing_seconds));
        told.push(console.count_and(Text::PlanSpaced, release.spaced, &[&apart, &soon(console, release.last_at)]));
    }
    if release.at_once > 0 {
        told.push(console.count(Text::PlanAtOnce, release.at_once));
    }
    if release.held > 0 {
        told.push(console.count(Text::PlanHeld, release.held));
    }
    if release.later > 0 {
        told.push(console.count(Text::PlanLater, release.later));
    }
    if told.is_empty() {
        return console.t(Text::PlanNothing).to_owned();
    }
    told.join(" ")
}

fn pause(console: &Console, pause: Duration) -> String {
    match pause.as_secs() as i64 {
        seconds if seconds >= 60 && seconds % 60 == 0 => console.count(Text::Minutes, seconds / 60),
        seconds => console.count(Text::Seconds, seconds),
    }
}

/// What is held for its time alone: it can go out together. What is held for another reason is looked at one by one.
pub fn held_notice(console: &Console, query: &DeliveryQuery, late: &Release) -> Markup {
    let plan = plan(console, late);
    html! {
        div.notice.warning {
            (icon(Icon::Clock))
            div.grow { p { (console.count(Text::HeldCount, late.spaced)) } p.small { (plan) } }
            @if console.may_write() {
                (Ask {
                    button: html! { (console.t(Text::ReleaseHeld)) },
                    class: "button",
                    action: "/deliveries/release".to_owned(),
                    question: &console.count(Text::ReleaseHeldAsk, late.spaced),
                    more: &plan,
                    fields: html! { input type="hidden" name="account" value=(query.account); },
                    yes: console.t(Text::ReleaseHeld),
                    yes_class: "button primary",
                }.render(console))
            }
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct StopForm {
    /// Everything where it is missing.
    #[serde(default)]
    scope: String,
    #[serde(default)]
    reason: String,
}

impl StopForm {
    fn scope(&self) -> Result<Scope, Problem> {
        Ok(maybe("scope", &self.scope)?.unwrap_or(Scope::All))
    }
}

/// Refuses an app that no account belongs to: its stop would stop nothing.
async fn check_app(console: &Console, scope: &Scope) -> Result<(), Problem> {
    let Scope::App { .. } = scope else { return Ok(()) };
    let accounts = console.app.store.accounts().await?;
    let known = apps(accounts.iter().filter(|account| can_publish(account.network) && !account.is_removed()));
    if known.contains_key(scope) {
        return Ok(());
    }
    let known: Vec<_> = known.keys().map(Scope::to_string).collect();
    let reason = format!("no account belongs to {:?}; there are {}", scope.to_string(), known.join(", "));
    Err(Problem::invalid("scope", reason))
}

pub async fn stop(console: Console, Form(form): Form<StopForm>) -> Result<Redirect, Problem> {
    let scope = form.scope()?;
    check_app(&console, &scope).await?;
    console.app.store.stop(&scope, form.reason.trim(), &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Redirect::to("/deliveries#stops"))
}

pub async fn resume(console: Console, Form(form): Form<StopForm>) -> Result<Redirect, Problem> {
    let (scope, spacing) = (form.scope()?, console.app.config.delivery.release_spacing);
    if !console.app.store.stops().await?.iter().any(|stop| stop.scope == scope) {
        return Ok(Redirect::to(&Notice::NOT_STOPPED.on("/deliveries")));
    }
    console.app.store.resume(&scope, spacing, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    Ok(Redirect::to(&Notice::RESUMED.on("/deliveries")))
}

#[derive(Debug, Deserialize)]
pub struct ReleaseForm {
    /// Nothing for every account.
    #[serde(default)]
    account: String,
}

pub async fn release(console: Console, Form(form): Form<ReleaseForm>) -> Result<Redirect, Problem> {
    let account: Option<AccountId> = match form.account.as_str() {
        "" => None,
        id => Some(read("account", id)?),
    };
    if let Some(id) = account {
        console.app.store.account(id).await?;
    }
    let spacing = console.app.config.delivery.release_spacing;
    console.app.store.release_held(Hold::Late, account, spacing, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    let back = DeliveryQuery { account: form.account, ..DeliveryQuery::default() };
    Ok(Redirect::to(&Notice::RELEASED.on(&back.with("/deliveries", &[]))))
}

//! Quiet hours: when each account publishes no posts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use jiff::civil::Time;
use maud::{Markup, html};
use serde::Deserialize;

use super::calendar::tabs;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::parts::network_badge;
use super::texts::Text;
use crate::app::App;
use crate::model::AccountId;
use crate::quiet::{self, QuietHours};
use crate::store::accounts::Account;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/schedule/quiet", get(list)).route("/schedule/quiet/{account}", post(set))
}

/// How many posts the change moved that led to the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    later: u32,
    back: u32,
}

async fn list(console: Console, State(app): State<Arc<App>>, Query(told): Query<Told>) -> Result<Markup, Problem> {
    let (accounts, hours) = tokio::try_join!(app.store.accounts(), app.store.all_quiet_hours())?;
    let hours: BTreeMap<AccountId, QuietHours> = hours.into_iter().collect();
    let able = accounts.iter().filter(|account| super::can_publish(account.network) && !account.is_removed());
    let body = html! {
        div.page-head { h1 { (console.t(Text::QuietHours)) } }
        (tabs(&console, "/schedule/quiet"))
        p.hint { (console.t(Text::QuietExplained)) }
        @for (text, count) in [(Text::QuietMovedLater, told.later), (Text::QuietMovedBack, told.back)] {
            @if count > 0 {
                p.notice.success role="status" { (icon(Icon::Check)) span { (console.count(text, count.into())) } }
            }
        }
        ul.card.list data-part="quiet" {
            @for account in able { (row(&console, account, hours.get(&account.id))) }
        }
    };
    let title = console.t(Text::QuietHours).to_owned();
    Ok(page(&console, Page { place: Place::Schedule, title, live: "account", narrow: true }, body))
}

fn row(console: &Console, account: &Account, hours: Option<&QuietHours>) -> Markup {
    let field =
        |time: Option<Time>| time.map(|time| format!("{:02}:{:02}", time.hour(), time.minute())).unwrap_or_default();
    html! {
        li.slot {
            div.at { (network_badge(console, account.network)) }
            div.what { strong { (account.name) } div.small.muted { (account.timezone) } }
            @if console.is_admin() {
                form.row method="post" action=(format!("/schedule/quiet/{}", account.id)) {
                    (console.viewer.csrf)
                    label.field { span { (console.t(Text::QuietFrom)) }
                        input type="time" name="from" value=(field(hours.map(|hours| hours.from))); }
                    label.field { span { (console.t(Text::QuietUntil)) }
                        input type="time" name="until" value=(field(hours.map(|hours| hours.until))); }
                    button.button.small { (console.t(Text::Save)) }
                }
            } @else {
                span { @match hours { Some(hours) => (hours), None => (console.t(Text::QuietNone)) } }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct QuietForm {
    from: String,
    until: String,
}

async fn set(console: Console, Path(account): Path<String>, Form(form): Form<QuietForm>) -> Result<Redirect, Problem> {
    if !console.is_admin() {
        return Err(Problem::forbidden("only an administrator changes quiet hours").next("ask one"));
    }
    let account: AccountId = read("account", &account)?;
    let hours = match (form.from.as_str(), form.until.as_str()) {
        ("", "") => None,
        (from, until) => match format!("{from}-{until}").parse::<QuietHours>() {
            Ok(hours) => Some(hours),
            Err(_) => return Ok(Redirect::to(&Notice::QUIET_BAD.on("/schedule/quiet"))),
        },
    };
    let moved = quiet::set(&console.app, account, hours, &console.viewer.actor).await?;
    let told = format!("/schedule/quiet?later={}&back={}", moved.later, moved.back);
    Ok(Redirect::to(&Notice::QUIET_SAVED.on(&told)))
}

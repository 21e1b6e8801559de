//! What an account received and could not read: raw, as text and nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::accounts::stream_name;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{csv, read};
use super::layout::{Console, Page, Place, page};
use super::parts::{empty, moment, network_badge, said};
use super::texts::Text;
use crate::app::App;
use crate::model::AccountId;
use crate::store::inbox::{UnparsedFilter, UnparsedRow};

const PAGE: usize = 20;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/accounts/{id}/unparsed", get(list))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UnparsedQuery {
    /// The last id of the page before.
    before: String,
}

async fn list(console: Console, Path(id): Path<String>, Query(query): Query<UnparsedQuery>) -> Result<Markup, Problem> {
    let id: AccountId = read("account", &id)?;
    let store = &console.app.store;
    let account = store.account(id).await?;
    let before = Some(query.before).filter(|before| !before.is_empty());
    let items = store.unparsed(&UnparsedFilter { account_id: Some(id), before, limit: PAGE }).await?;
    let title = console.t(Text::UnparsedTitle);
    let body = html! {
        a.back href=(format!("/accounts#a-{id}")) { (icon(Icon::Left)) (console.t(Text::Accounts)) }
        div.page-head {
            (network_badge(&console, account.network))
            h1 { (title) }
            span.sub dir="auto" { (account.name) }
            div.actions.inline {
                a.button.quiet.small href=(csv(&console, "unparsed", &[("account_id", &id.to_string())])) download {
                    (icon(Icon::Download)) (console.t(Text::Download))
                }
            }
        }
        @if items.is_empty() {
            div.card { (empty(Icon::Check, console.t(Text::NoUnparsed), "", html! {})) }
        } @else {
            div.stack {
                p.soft { (console.t(Text::UnparsedHelp)) }
                @for item in &items { (card(&console, item)) }
            }
        }
        @if items.len() >= PAGE && let Some(last) = items.last() {
            nav.pager aria-label=(console.t(Text::Pages)) {
                span {}
                a.button href=(format!("/accounts/{id}/unparsed?before={}", last.id)) {
                    (console.t(Text::Older)) (icon(Icon::Right))
                }
            }
        }
    };
    Ok(page(&console, Page { place: Place::Accounts, title: title.to_owned(), live: "", narrow: true }, body))
}

fn card(console: &Console, item: &UnparsedRow) -> Markup {
    let stream = match &item.stream {
        Some(name) => stream_name(console, name),
        None => console.t(Text::NetworkFile).to_owned(),
    };
    html! {
        section.card.pad {
            div.dot-list { span { (moment(console, item.received_at)) } span dir="auto" { (stream) } }
            p dir="auto" { strong { (said(console, &item.reason)) } }
            pre.raw tabindex="0" role="group" aria-label=(console.t(Text::RawItem)) dir="auto" { (item.raw) }
        }
    }
}

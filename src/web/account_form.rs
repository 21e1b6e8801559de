//! Adding an account in the console, changing and removing what was added there: for admins.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;

use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::parts::{network_name, said};
use super::texts::Text;
use crate::accounts::{self, AccountError, ORIGIN, Wanted, networks};
use crate::app::App;
use crate::model::AccountId;
use crate::store::StoreError;
use crate::store::accounts::Account;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts/new", get(new))
        .route("/accounts", post(add))
        .route("/accounts/{id}/edit", get(edit).post(change))
        .route("/accounts/{id}/remove", post(remove))
}

fn admin_only(console: &Console) -> Result<(), Problem> {
    match console.is_admin() {
        true => Ok(()),
        false => Err(Problem::forbidden("accounts are added and changed by admins").next("ask an admin")),
    }
}

/// What was typed. The secret is read from it and never written back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccountForm {
    name: String,
    network: String,
    brand: String,
    base_url: String,
    user: String,
    token: Option<SecretString>,
    listen_for: String,
    poll_seconds: String,
    timezone: String,
}

impl AccountForm {
    fn of(account: &Account) -> Self {
        let wanted = Wanted::of(account);
        Self {
            name: wanted.name,
            network: wanted.network,
            brand: wanted.brand,
            base_url: wanted.base_url,
            user: wanted.user,
            token: None,
            listen_for: wanted.listen_for.join("\n"),
            poll_seconds: account.poll_seconds.to_string(),
            timezone: wanted.timezone,
        }
    }

    fn wanted(&self) -> Result<Wanted, AccountError> {
        let seconds = Some(self.poll_seconds.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose();
        Ok(Wanted {
            name: self.name.clone(),
            network: self.network.clone(),
            brand: self.brand.clone(),
            base_url: self.base_url.clone(),
            user: self.user.clone(),
            token: self.token.clone(),
            listen_for: self.listen_for.lines().map(str::to_owned).collect(),
            poll_seconds: seconds.map_err(|_| AccountError::Invalid {
                field: "poll_seconds",
                message: "poll_seconds must be a whole number".to_owned(),
            })?,
            timezone: self.timezone.clone(),
        })
    }
}

async fn new(console: Console) -> Result<Markup, Problem> {
    admin_only(&console)?;
    let form = AccountForm {
        network: "mastodon".to_owned(),
        poll_seconds: crate::config::default_poll_seconds().to_string(),
        timezone: console.app.config.console.timezone.clone(),
        ..AccountForm::default()
    };
    Ok(render(&console, &form, None, None))
}

async fn add(console: Console, Form(form): Form<AccountForm>) -> Result<Response, Problem> {
    admin_only(&console)?;
    let added = match form.wanted() {
        Ok(wanted) => accounts::add(&console.app, &wanted, &console.viewer.actor).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(id) => Ok(Redirect::to(&Notice::ACCOUNT_ADDED.on(&format!("/accounts#a-{id}"))).into_response()),
        Err(error) => again(&console, &form, None, error),
    }
}

async fn edit(console: Console, Path(id): Path<String>) -> Result<Markup, Problem> {
    admin_only(&console)?;
    let account = own(&console, &id).await?;
    Ok(render(&console, &AccountForm::of(&account), Some(&account), None))
}

async fn change(console: Console, Path(id): Path<String>, Form(form): Form<AccountForm>) -> Result<Response, Problem> {
    admin_only(&console)?;
    let account = own(&console, &id).await?;
    let changed = match form.wanted() {
        Ok(wanted) => accounts::change(&console.app, account.id, &wanted, &console.viewer.actor).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(Redirect::to(&Notice::ACCOUNT_CHANGED.on(&format!("/accounts#a-{}", account.id))).into_response()),
        Err(error) => again(&console, &form, Some(&account), error),
    }
}

async fn remove(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let id: AccountId = read("account", &id)?;
    accounts::remove(&console.app, id, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::ACCOUNT_REMOVED.on(&format!("/accounts#a-{id}"))))
}

async fn own(console: &Console, id: &str) -> Result<Account, Problem> {
    let account = console.app.store.account(read("account", id)?).await?;
    match account.origin == ORIGIN && !account.is_removed() {
        true => Ok(account),
        false => Err(Problem::conflict("this account is not changed in the console").next("see the accounts page")),
    }
}

/// The form again with what was typed but the secret, and why it was refused.
fn again(
    console: &Console,
    form: &AccountForm,
    account: Option<&Account>,
    error: AccountError,
) -> Result<Response, Problem> {
    let refusal = match error {
        AccountError::Store(StoreError::Conflict(reason)) => reason,
        error @ (AccountError::Invalid { .. } | AccountError::Network(_)) => error.to_string(),
        error => return Err(error.into()),
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, render(console, form, account, Some(&refusal))).into_response())
}

fn render(console: &Console, form: &AccountForm, account: Option<&Account>, refusal: Option<&str>) -> Markup {
    let (title, action) = match account {
        Some(account) => (Text::EditAccount, format!("/accounts/{}/edit", account.id)),
        None => (Text::AddAccount, "/accounts".to_owned()),
    };
    let body = html! {
        div.page-head { h1 { (console.t(title)) } }
        form.card.pad.stack method="post" action=(action) autocomplete="off" {
            (console.viewer.csrf)
            @if let Some(refusal) = refusal {
                p.notice.error role="alert" { (icon(Icon::Alert)) span { (console.fill_in(Text::AccountRefused, &[said(console, refusal)])) } }
            }
            (identity(console, form, account))
            (field(console, Text::AccountBrand, "brand", &form.brand, None))
            (field(console, Text::AccountAddress, "base_url", &form.base_url, Some(Text::AccountAddressHint)))
            (field(console, Text::AccountUser, "user", &form.user, Some(Text::AccountUserHint)))
            (secret(console, account))
            label.field {
                span { (console.t(Text::AccountListenFor)) }
                textarea name="listen_for" rows="4" dir="auto" maxlength="20000" { (form.listen_for) }
                span.hint { (console.t(Text::AccountListenForHint)) }
            }
            (field(console, Text::AccountPollSeconds, "poll_seconds", &form.poll_seconds, None))
            (field(console, Text::AccountTimezone, "timezone", &form.timezone, None))
            div.row {
                button.button.primary { (console.t(if account.is_some() { Text::Save } else { Text::AddAccount })) }
                a.button.quiet href="/accounts" { (console.t(Text::Cancel)) }
            }
        }
    };
    page(console, Page { place: Place::Accounts, title: console.t(title).to_owned(), live: "", narrow: true }, body)
}

/// Network and name: chosen once, they stay.
fn identity(console: &Console, form: &AccountForm, account: Option<&Account>) -> Markup {
    html! {
        @if let Some(account) = account {
            p { strong { (account.name) } " · " (network_name(console, account.network)) }
        } @else {
            label.field {
                span { (console.t(Text::AccountNetwork)) }
                select name="network" {
                    @for network in networks() {
                        option value=(network.as_str()) selected[network.as_str() == form.network] { (network_name(console, network)) }
                    }
                }
            }
            label.field {
                span { (console.t(Text::AccountName)) }
                input type="text" name="name" value=(form.name) required maxlength="64" autocomplete="off" dir="auto";
            }
        }
    }
}

fn field(console: &Console, label: Text, name: &str, value: &str, hint: Option<Text>) -> Markup {
    html! {
        label.field {
            span { (console.t(label)) }
            input type="text" name=(name) value=(value) maxlength="500" autocomplete="off" spellcheck="false";
            @if let Some(hint) = hint { span.hint { (console.t(hint)) } }
        }
    }
}

fn secret(console: &Console, account: Option<&Account>) -> Markup {
    let hint = if account.is_some() { Text::AccountSecretKept } else { Text::AccountSecretHint };
    html! {
        label.field {
            span { (console.t(Text::AccountSecret)) }
            input type="password" name="token" maxlength="5000" autocomplete="off";
            span.hint { (console.t(hint)) }
        }
    }
}

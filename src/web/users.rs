//! Who may use the console: the admin's page, and everybody's choice of language.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use super::auth::{LANGUAGE, Viewer, set_cookie};
use super::conversation::own_path;
use super::credentials::{check_password, clean_name, hash_password};
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::Language;
use super::parts::{avatar, empty, role_word, said};
use super::texts::Text;
use crate::app::App;
use crate::model::{Role, UserId};
use crate::store::StoreError;
use crate::store::users::{Disabled, NewUser, UserChange, UserView};

/// A chosen language is remembered for a year.
const LANGUAGE_LIFE: u64 = 365 * 24 * 3_600;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/users", get(list).post(add))
        .route("/users/{id}", post(change))
        .route("/language", post(choose_language))
}

fn admin_only(console: &Console) -> Result<(), Problem> {
    match console.is_admin() {
        true => Ok(()),
        false => Err(Problem::forbidden("users are managed by admins").next("ask an admin")),
    }
}

async fn list(console: Console) -> Result<Markup, Problem> {
    admin_only(&console)?;
    let users = console.app.store.users().await?;
    Ok(render(&console, &users, "", None))
}

fn render(console: &Console, users: &[UserView], name: &str, error: Option<&str>) -> Markup {
    let body = html! {
        div.page-head { h1 { (console.t(Text::Users)) } }
        div.two {
            @if users.is_empty() {
                div.card { (empty(Icon::Person, console.t(Text::NoUsersTitle), console.t(Text::NoUsersBody), html! {})) }
            } @else {
                ul.card.list { @for user in users { (row(console, user)) } }
            }
            form.card.pad.stack method="post" action="/users" autocomplete="off" {
                (console.viewer.csrf)
                h2 { (console.t(Text::CreateUser)) }
                @if let Some(error) = error { p.notice.error role="alert" { (icon(Icon::Alert)) span { (said(console, error)) } } }
                label.field { span { (console.t(Text::UserName)) }
                    input type="text" name="name" value=(name) required maxlength="100" autocomplete="off"; }
                label.field { span { (console.t(Text::Password)) }
                    input type="password" name="password" required maxlength="1000" autocomplete="new-password"; }
                label.field { span { (console.t(Text::Role)) }
                    select name="role" {
                        @for role in [Role::Agent, Role::Viewer, Role::Admin] {
                            option value=(role) { (console.t(role_word(role))) }
                        }
                    } }
                button.button.primary { (console.t(Text::CreateUser)) }
            }
        }
    };
    page(console, Page { place: Place::Users, title: console.t(Text::Users).to_owned(), live: "", narrow: false }, body)
}

fn row(console: &Console, user: &UserView) -> Markup {
    let disabled = user.disabled_at.is_some();
    let own = console.viewer.user == Some(user.id);
    html! {
        li.user-row {
            (avatar(&user.name, ""))
            div.grow { strong { (user.name) } div.small.muted { (console.t(if disabled { Text::UserDisabled } else { Text::UserActive })) } }
            form.row method="post" action=(format!("/users/{}", user.id)) {
                (console.viewer.csrf)
                label { span.visually-hidden { (console.t(Text::Role)) }
                    select name="role" data-submits disabled[own] {
                        @for role in Role::ALL { option value=(role) selected[*role == user.role] { (console.t(role_word(*role))) } }
                    } }
                noscript { button.button.small { (console.t(Text::Save)) } }
            }
            @if !own {
                form method="post" action=(format!("/users/{}", user.id)) {
                    (console.viewer.csrf)
                    button.button.small name="disabled" value=(if disabled { "no" } else { "yes" }) {
                        (console.t(if disabled { Text::EnableUser } else { Text::DisableUser }))
                    }
                }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct AddForm {
    name: String,
    password: String,
    role: String,
}

async fn add(console: Console, Form(form): Form<AddForm>) -> Result<Response, Problem> {
    admin_only(&console)?;
    let role: Role = read("role", &form.role)?;
    let name = form.name.trim();
    let store = &console.app.store;
    let checked = clean_name(name).map_err(|refusal| refusal.to_string()).and_then(|name| {
        check_password(name, &form.password).map_err(|refusal| refusal.to_string())?;
        Ok(name)
    });
    let refusal = match checked {
        Err(refusal) => refusal,
        Ok(name) => {
            let user = NewUser {
                name: name.to_owned(),
                password_hash: hash_password(form.password.clone()).await,
                role,
                language: console.language.code().to_owned(),
                timezone: None,
            };
            match store.add_user(&user, &console.viewer.actor).await {
                Ok(_) => return Ok(Redirect::to(&Notice::USER_CREATED.on("/users")).into_response()),
                Err(StoreError::Conflict(reason)) => reason,
                Err(error) => return Err(error.into()),
            }
        }
    };
    let users = store.users().await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&console, &users, name, Some(&refusal))).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChangeForm {
    role: String,
    disabled: String,
}

async fn change(console: Console, Path(id): Path<String>, Form(form): Form<ChangeForm>) -> Result<Redirect, Problem> {
    admin_only(&console)?;
    let id: UserId = read("user", &id)?;
    let change = UserChange {
        role: super::inbox::maybe("role", &form.role)?,
        disabled: match form.disabled.as_str() {
            "yes" => Some(Disabled::Yes),
            "no" => Some(Disabled::No),
            _ => None,
        },
        ..UserChange::default()
    };
    console.app.store.change_user(id, &change, &console.viewer.actor).await?;
    Ok(Redirect::to(&Notice::USER_CHANGED.on("/users")))
}

#[derive(Debug, Deserialize)]
struct LanguageForm {
    language: String,
    #[serde(default)]
    back: String,
}

/// Remembers the language in this browser and, for somebody logged in, with the user.
async fn choose_language(
    viewer: Viewer,
    State(app): State<Arc<App>>,
    Form(form): Form<LanguageForm>,
) -> Result<Response, Problem> {
    let language: Language = read("language", &form.language)?;
    if let Some(user) = viewer.user {
        let change = UserChange { language: Some(language.code().to_owned()), ..UserChange::default() };
        app.store.change_user(user, &change, &viewer.actor).await?;
    }
    let back = own_path(&form.back).unwrap_or_else(|| "/".to_owned());
    let mut response = Redirect::to(&back).into_response();
    response.headers_mut().append(header::SET_COOKIE, set_cookie(&app, LANGUAGE, language.code(), Some(LANGUAGE_LIFE)));
    Ok(response)
}

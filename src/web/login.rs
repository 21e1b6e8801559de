//! Logging in and out, and the set-up of the first user by the link printed at the start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use axum_extra::extract::cookie::CookieJar;
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::info;

use super::auth::{SESSION, Viewer, set_cookie};
use super::credentials::{Brake, check_password, clean_name, hash_of, hash_password, is_password, random_value};
use super::error::Problem;
use super::layout;
use super::locale::Locale;
use super::security::Hosts;
use super::texts::Text;
use crate::app::App;
use crate::model::{Role, UserId};
use crate::store::StoreError;
use crate::store::users::NewUser;

/// How long a login lasts.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

#[derive(Clone)]
struct Door {
    app: Arc<App>,
    brake: Arc<Brake>,
}

/// The pages around logging in; they lie behind [`super::auth::guard`] like every other.
pub fn router(app: Arc<App>) -> Router<Arc<App>> {
    let door = Door { app, brake: Arc::default() };
    Router::new()
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/setup", get(setup_page).post(setup))
        .with_state(door)
}

/// A one-time link to make the first user, where the console can be reached from elsewhere and nobody could log in.
pub async fn setup_link(app: &App) -> Result<Option<String>, StoreError> {
    let console = &app.config.console;
    if Hosts::new(console).is_open() {
        return Ok(None);
    }
    let value = random_value("");
    if !app.store.offer_setup(&hash_of(&value)).await? {
        return Ok(None);
    }
    let base = match &console.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        // Listening everywhere has no address of its own: the machine's first name for itself does.
        None if console.listen.ip().is_unspecified() => format!("http://localhost:{}", console.listen.port()),
        None => format!("http://{}", console.listen),
    };
    Ok(Some(format!("{base}/setup?token={value}")))
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn login_page(State(door): State<Door>, viewer: Viewer, Query(query): Query<Next>) -> Response {
    if viewer.user.is_some() {
        return Redirect::to(&inside(query.next.as_deref())).into_response();
    }
    login_form(&door.app, &viewer, query.next.as_deref(), None).into_response()
}

fn login_form(app: &App, viewer: &Viewer, next: Option<&str>, refusal: Option<String>) -> Markup {
    let locale = locale(app, viewer);
    layout::bare(
        &locale,
        Text::SignIn,
        html! {
            form.card.pad.stack method="post" action="/login" {
                h1 { (locale.t(Text::SignIn)) }
                (viewer.csrf)
                input type="hidden" name="next" value=(inside(next));
                @if let Some(refusal) = &refusal { p.notice.error role="alert" { (refusal) } }
                label.field {
                    span { (locale.t(Text::UserName)) }
                    input name="name" autocomplete="username" autocapitalize="none" required autofocus maxlength="64";
                }
                label.field {
                    span { (locale.t(Text::Password)) }
                    input type="password" name="password" autocomplete="current-password" required;
                }
                button.button.primary { (locale.t(Text::SignIn)) }
            }
        },
    )
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    next: Option<String>,
}

async fn login(
    State(door): State<Door>,
    viewer: Viewer,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    Form(form): Form<Login>,
) -> Result<Response, Problem> {
    let app = &door.app;
    let address = address.map_or("-".to_owned(), |Extension(ConnectInfo(address))| address.ip().to_string());
    let locale = locale(app, &viewer);
    let name = form.name.trim();
    if let Some(wait) = door.brake.wait(Instant::now(), name, &address) {
        let refusal = locale.fill(Text::SignInSlow, &[&in_words(&locale, wait)]);
        let page = login_form(app, &viewer, form.next.as_deref(), Some(refusal));
        let seconds = wait.as_secs().max(1).to_string();
        return Ok((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)], page).into_response());
    }
    // Counted before the password is checked: many guesses at once must not slip through together.
    door.brake.count(Instant::now(), name, &address);
    let known = app.store.login(name).await?;
    let (user, hash) = known.unzip();
    let right = is_password(form.password, hash).await;
    let Some(user) = user.filter(|_| right) else {
        info!("a login was refused");
        let refusal = locale.t(Text::SignInFailed).to_owned();
        let page = login_form(app, &viewer, form.next.as_deref(), Some(refusal));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    door.brake.forget(name, &address);
    enter(app, user.id, &inside(form.next.as_deref())).await
}

/// Starts a session and leads on. The session's value is new: what a browser had before is worth nothing.
async fn enter(app: &App, user: UserId, to: &str) -> Result<Response, Problem> {
    let value = random_value("");
    let expires_at = app.store.clock().checked_add(SESSION_LIFE).map_err(Problem::internal)?;
    app.store.open_session(user, &hash_of(&value), expires_at).await?;
    let life = u64::try_from(SESSION_LIFE.as_secs()).unwrap_or_default();
    Ok(([(header::SET_COOKIE, set_cookie(app, SESSION, &value, Some(life)))], Redirect::to(to)).into_response())
}

async fn logout(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(session) = CookieJar::from_headers(&headers).get(SESSION) {
        door.app.store.end_session(&hash_of(session.value())).await?;
    }
    let gone = set_cookie(&door.app, SESSION, "", Some(0));
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn setup_page(State(door): State<Door>, viewer: Viewer, Query(link): Query<Link>) -> Result<Response, Problem> {
    if !door.app.store.is_setup(&hash_of(&link.token)).await? {
        return Ok((StatusCode::GONE, spent(&door.app, &viewer)).into_response());
    }
    Ok(setup_form(&door.app, &viewer, &link.token, None).into_response())
}

fn spent(app: &App, viewer: &Viewer) -> Markup {
    let locale = locale(app, viewer);
    layout::bare(
        &locale,
        Text::SetupTitle,
        html! {
            div.card.pad.stack {
                p { (locale.t(Text::SetupInvalid)) }
                p { a.button href="/login" { (locale.t(Text::SignIn)) } }
            }
        },
    )
}

fn setup_form(app: &App, viewer: &Viewer, token: &str, refusal: Option<&str>) -> Markup {
    let locale = locale(app, viewer);
    layout::bare(
        &locale,
        Text::SetupTitle,
        html! {
            form.card.pad.stack method="post" action="/setup" {
                h1 { (locale.t(Text::SetupTitle)) }
                p.muted { (locale.t(Text::SetupBody)) }
                (viewer.csrf)
                input type="hidden" name="token" value=(token);
                @if let Some(refusal) = refusal { p.notice.error role="alert" { (refusal) } }
                label.field {
                    span { (locale.t(Text::UserName)) }
                    input name="name" autocomplete="username" autocapitalize="none" required autofocus maxlength="64";
                }
                label.field {
                    span { (locale.t(Text::Password)) }
                    input type="password" name="password" autocomplete="new-password" required minlength="10";
                }
                label.field {
                    span { (locale.t(Text::PasswordAgain)) }
                    input type="password" name="again" autocomplete="new-password" required minlength="10";
                }
                button.button.primary { (locale.t(Text::CreateUser)) }
            }
        },
    )
}

#[derive(Deserialize)]
struct Setup {
    token: String,
    name: String,
    password: String,
    again: String,
}

async fn setup(State(door): State<Door>, viewer: Viewer, Form(form): Form<Setup>) -> Result<Response, Problem> {
    let app = &door.app;
    let link = hash_of(&form.token);
    // Before anything is hashed: only whoever has the link may make this machine work.
    if !app.store.is_setup(&link).await? {
        return Ok((StatusCode::GONE, spent(app, &viewer)).into_response());
    }
    let locale = locale(app, &viewer);
    let checked = clean_name(&form.name).map_err(|_| Text::UserNameInvalid).and_then(|name| {
        check_password(name, &form.password).map_err(|_| Text::PasswordTooWeak)?;
        if form.password == form.again { Ok(name) } else { Err(Text::PasswordsDiffer) }
    });
    let name = match checked {
        Ok(name) => name,
        Err(refusal) => {
            let page = setup_form(app, &viewer, &form.token, Some(locale.t(refusal)));
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let user = NewUser {
        name: name.to_owned(),
        password_hash: hash_password(form.password).await,
        role: Role::Admin,
        language: viewer.language.code().to_owned(),
        timezone: None,
    };
    match app.store.add_first_user(&user, &link).await {
        Ok(id) => enter(app, id, "/").await,
        Err(StoreError::Conflict(_)) => Ok((StatusCode::GONE, spent(app, &viewer)).into_response()),
        Err(error) => Err(error.into()),
    }
}

fn locale(app: &App, viewer: &Viewer) -> Locale {
    Locale { language: viewer.language, timezone: viewer.timezone.clone(), now: app.store.clock() }
}

/// Where to go after the login: a path of ours, never another site.
fn inside(next: Option<&str>) -> String {
    next.filter(|next| next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']))
        .unwrap_or("/")
        .to_owned()
}

fn in_words(locale: &Locale, wait: Duration) -> String {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).max(1);
    match seconds {
        0..=90 => locale.count(Text::Seconds, seconds),
        _ => locale.count(Text::Minutes, (seconds + 59) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_login_never_leads_to_another_site() {
        assert_eq!(inside(Some("/deliveries?state=held")), "/deliveries?state=held");
        for other in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""] {
            assert_eq!(inside(Some(other)), "/", "{other}");
        }
    }
}

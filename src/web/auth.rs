//! Who is asking, and may they: the guard before every page, and the viewer it finds.
//!
//! On loopback the console is open to whoever sits at the machine; anywhere else it needs a user. Either way the host
//! and the origin must be ours, and whatever changes something must carry the token of the page it was sent from.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use jiff::tz::TimeZone;
use maud::{Markup, Render, html};
use subtle::ConstantTimeEq;

use super::credentials::{hash_of, random_value};
use super::error::Problem;
use super::layout;
use super::locale::{Language, Locale};
use super::security::{Hosts, secure};
use crate::app::App;
use crate::model::{Role, UserId};
use crate::store::users::UserView;

/// The cookie of somebody who logged in.
pub const SESSION: &str = "muhatap_session";
/// The cookie of a browser that did not; its page tokens hang on it.
const VISIT: &str = "muhatap_visit";
/// The cookie with the language chosen in the console (`tr`, `en`).
pub const LANGUAGE: &str = "muhatap_language";
/// The form field and, for scripts, the header that carry the page's token.
const CSRF_FIELD: &str = "csrf";
pub const CSRF_HEADER: &str = "x-csrf-token";
/// The longest form the console takes.
const LONGEST_FORM: usize = 1024 * 1024;

/// Who looks at the console.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The user's name; `local` for whoever sits at the machine.
    pub name: String,
    pub user: Option<UserId>,
    pub role: Role,
    pub language: Language,
    pub timezone: TimeZone,
    /// What every form and every script must send back.
    pub csrf: Csrf,
    /// How the audit log names them: the user's id, or `local`.
    pub actor: String,
}

impl Viewer {
    pub fn may_write(&self) -> bool {
        self.role != Role::Viewer
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Viewer>().cloned().ok_or_else(|| Problem::unauthorized("log in first"))
    }
}

/// The token of a page: renders as the hidden field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csrf(String);

impl Csrf {
    /// The token that belongs to a cookie.
    fn of(app: &App, cookie: &str) -> Self {
        Self(app.secrets.mark("csrf", cookie))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl Render for Csrf {
    fn render(&self) -> Markup {
        html! { input type="hidden" name=(CSRF_FIELD) value=(self.0); }
    }
}

/// What a browser says of itself by its cookies.
pub struct Browser {
    /// Who is logged in.
    pub user: Option<UserView>,
    /// The token its pages carry.
    pub csrf: Csrf,
    /// The visit cookie to set, where it had neither cookie.
    fresh: Option<String>,
}

impl Browser {
    /// Reads the cookies of a request.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Browser, Problem> {
        let cookies = CookieJar::from_headers(headers);
        let value =
            |name: &str| cookies.get(name).map(|cookie| cookie.value().to_owned()).filter(|value| value.len() <= 128);
        if let Some(session) = value(SESSION)
            && let Some(user) = app.store.session_user(&hash_of(&session)).await?
        {
            return Ok(Browser { user: Some(user), csrf: Csrf::of(app, &session), fresh: None });
        }
        let (visit, is_fresh) = match value(VISIT) {
            Some(visit) => (visit, false),
            None => (random_value(""), true),
        };
        Ok(Browser { user: None, csrf: Csrf::of(app, &visit), fresh: is_fresh.then_some(visit) })
    }
}

/// A `Set-Cookie` header of ours: out of reach of scripts and of other sites. Without `seconds` it ends with the
/// browser; zero takes it away. `value` must be letters, digits, `-` and `_`.
pub fn set_cookie(app: &App, name: &str, value: &str, seconds: Option<u64>) -> HeaderValue {
    debug_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let secure = app.config.console.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let life = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{life}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The guard before every page of the console: host, origin, login, page token, role; and the security headers after.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let language = language_of(&app, request.headers());
    let mut response = match admit(&app, request).await {
        Ok((request, fresh)) => {
            let mut response = next.run(request).await;
            if let Some(visit) = fresh {
                response.headers_mut().append(header::SET_COOKIE, set_cookie(&app, VISIT, &visit, None));
            }
            response
        }
        Err(refusal) => match refusal.extensions().get::<Problem>() {
            Some(problem) if wants_page => {
                let timezone = zone_of(&app);
                let locale = Locale { language, timezone, now: app.store.clock() };
                (problem.status_code(), layout::problem_page(&locale, problem)).into_response()
            }
            _ => refusal,
        },
    };
    secure(response.headers_mut());
    response
}

async fn admit(app: &App, mut request: Request) -> Result<(Request, Option<String>), Response> {
    let hosts = Hosts::new(&app.config.console);
    hosts.check(request.uri(), request.headers()).map_err(IntoResponse::into_response)?;
    if request.uri().path().starts_with("/assets/") {
        return Ok((request, None));
    }
    let browser = Browser::of(app, request.headers()).await.map_err(IntoResponse::into_response)?;
    let viewer = viewer(app, &hosts, &browser, request.headers());
    let path = request.uri().path().to_owned();
    let is_door = matches!(path.as_str(), "/login" | "/setup" | "/language");
    if viewer.is_none() && !is_door {
        return Err(to_login(&request));
    }
    if !request.method().is_safe() {
        if viewer.as_ref().is_some_and(|viewer| !viewer.may_write()) && !is_door && path != "/logout" {
            return Err(only_looks().into_response());
        }
        request = check_csrf(request, &browser.csrf).await.map_err(IntoResponse::into_response)?;
    }
    let viewer = viewer.unwrap_or_else(|| somebody(app, &browser, request.headers()));
    request.extensions_mut().insert(viewer);
    Ok((request, browser.fresh))
}

/// Who this is, if they may come in.
fn viewer(app: &App, hosts: &Hosts, browser: &Browser, headers: &HeaderMap) -> Option<Viewer> {
    let mut viewer = somebody(app, browser, headers);
    match &browser.user {
        Some(user) => {
            viewer.name = user.name.clone();
            viewer.user = Some(user.id);
            viewer.role = user.role;
            viewer.language = user.language.parse().unwrap_or(viewer.language);
            if let Some(zone) = user.timezone.as_deref().and_then(|name| TimeZone::get(name).ok()) {
                viewer.timezone = zone;
            }
            viewer.actor = user.id.to_string();
            Some(viewer)
        }
        None if hosts.is_open() => {
            viewer.role = Role::Admin;
            Some(viewer)
        }
        None => None,
    }
}

/// Somebody nobody knows yet, who may do nothing.
fn somebody(app: &App, browser: &Browser, headers: &HeaderMap) -> Viewer {
    Viewer {
        name: "local".to_owned(),
        user: None,
        role: Role::Viewer,
        language: language_of(app, headers),
        timezone: zone_of(app),
        csrf: browser.csrf.clone(),
        actor: "local".to_owned(),
    }
}

/// The language a browser wants: as chosen in the console, as the browser says, as configured.
fn language_of(app: &App, headers: &HeaderMap) -> Language {
    let chosen = CookieJar::from_headers(headers).get(LANGUAGE).and_then(|cookie| cookie.value().parse().ok());
    let accepted = || Language::from_accept(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?);
    chosen.or_else(accepted).or_else(|| app.config.console.language.parse().ok()).unwrap_or(Language::Turkish)
}

fn zone_of(app: &App) -> TimeZone {
    TimeZone::get(&app.config.console.timezone).unwrap_or(TimeZone::UTC)
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The refusal of what a viewer may not do.
pub fn only_looks() -> Problem {
    Problem::forbidden("your role is viewer: it may look at everything and change nothing")
        .next("ask an administrator for the role agent")
}

/// Sends a page's reader to the login and back; a script is told that it must.
fn to_login(request: &Request) -> Response {
    let wants_page = request.method() == Method::GET && wants_page(request.headers());
    if !wants_page {
        return Problem::unauthorized("your session has ended").next("log in again").into_response();
    }
    let here = request.uri().path_and_query().map_or("/", |here| here.as_str());
    let next: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
    match here {
        "/" => Redirect::to("/login").into_response(),
        _ => Redirect::to(&format!("/login?next={next}")).into_response(),
    }
}

/// Checks the page's token in the header or the form, and gives the request back with its body.
async fn check_csrf(request: Request, csrf: &Csrf) -> Result<Request, Problem> {
    let missing = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "csrf",
            "the page is too old",
            "the request does not carry the token of a page of this console",
        )
        .next("go back, load the page again and repeat what you did")
    };
    if let Some(given) = request.headers().get(CSRF_HEADER) {
        return if given.to_str().is_ok_and(|given| csrf.is(given)) { Ok(request) } else { Err(missing()) };
    }
    let is_form =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
            kind.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded"
        });
    if !is_form {
        return Err(missing());
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LONGEST_FORM).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "the form is too large",
            format!("a form may have at most {LONGEST_FORM} bytes"),
        )
        .next("go back, shorten the text and send it again")
    })?;
    let given = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == CSRF_FIELD).map(|(_, value)| value);
    if !given.is_some_and(|given| csrf.is(&given)) {
        return Err(missing());
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

//! Who calls the API, and may they: a token, somebody logged in to the console, or whoever sits at the machine.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::model::{Role, Scope, UserId};
use crate::web::auth::{Browser, CSRF_HEADER};
use crate::web::credentials::hash_of;
use crate::web::error::Problem;
use crate::web::security::{Hosts, secure};

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// How the audit log names them: a user's id, `token:ID` or `local`.
    pub actor: String,
    pub name: String,
    pub user: Option<UserId>,
    pub scope: Scope,
}

impl Caller {
    /// Refuses a caller without `scope`.
    pub fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.scope >= scope {
            return Ok(());
        }
        Err(Problem::forbidden(format!("this needs the scope {scope}, and {:?} has {}", self.name, self.scope))
            .next(format!("ask an administrator for a token with the scope {scope}, or for a higher role")))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| Problem::internal("a route lies outside the guard"))
    }
}

/// The guard before every call of the API.
pub async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = match admit(&app, &method, &uri, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    secure(response.headers_mut());
    response
}

async fn admit(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Caller, Problem> {
    let hosts = Hosts::new(&app.config.console);
    hosts.check(uri, headers)?;
    let caller = identify(app, &hosts, method, headers).await?;
    let needed = if is_reading(method, uri.path()) { Scope::Read } else { Scope::Write };
    caller.must(needed)?;
    Ok(caller)
}

async fn identify(app: &App, hosts: &Hosts, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or_else(|| {
            Problem::unauthorized("the Authorization header must read: Bearer TOKEN")
                .next("make a token with: muhatap token create")
        })?;
        let Some(known) = app.store.use_token(&hash_of(token)).await? else {
            return Err(Problem::unauthorized("the token is not known, has expired or was revoked")
                .next("make a new one with: muhatap token create"));
        };
        return Ok(Caller {
            actor: format!("token:{}", known.id),
            scope: known.scopes.iter().copied().max().unwrap_or(Scope::Read),
            name: known.name,
            user: None,
        });
    }
    let browser = Browser::of(app, headers).await?;
    if let Some(user) = &browser.user {
        // A cookie goes along with every request: what changes something must prove that a page of ours sent it.
        let given = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        if !method.is_safe() && !given.is_some_and(|given| browser.csrf.is(given)) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "csrf",
                "the page is too old",
                format!("a change made with the console's login must carry the page's token in {CSRF_HEADER}"),
            )
            .next("load the page again; programs use a token: muhatap token create"));
        }
        let scope = match user.role {
            Role::Admin => Scope::Admin,
            Role::Agent => Scope::Write,
            Role::Viewer => Scope::Read,
        };
        return Ok(Caller { actor: user.id.to_string(), name: user.name.clone(), user: Some(user.id), scope });
    }
    if hosts.is_open() {
        return Ok(Caller { actor: "local".to_owned(), name: "local".to_owned(), user: None, scope: Scope::Admin });
    }
    Err(Problem::unauthorized("the API needs a token here")
        .next("make one with: muhatap token create, and send it as: Authorization: Bearer TOKEN"))
}

/// Calls that change nothing, whatever their method.
fn is_reading(method: &Method, path: &str) -> bool {
    method.is_safe() || (method == Method::POST && (path.ends_with("/analyze") || path.ends_with("/measure")))
}

//! Users, tokens and the audit log, for administrators; and who oneself is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::HoldsSecret;
use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params, whole};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::model::{Role, Scope, TokenId, UserId};
use crate::store::audit::AuditRow;
use crate::store::users::{Disabled, NewToken, NewUser, TokenView, UserChange, UserView};
use crate::web::credentials::{check_password, clean_name, hash_of, hash_password, random_value};
use crate::web::error::Problem;

/// How every token begins, so that a leaked one is recognised.
pub const TOKEN_PREFIX: &str = "muhatap_";

pub fn routes() -> OpenApiRouter<Arc<App>> {
    let admin = OpenApiRouter::new()
        .routes(routes!(users, add_user))
        .routes(routes!(change_user))
        .routes(routes!(tokens, add_token))
        .routes(routes!(revoke_token))
        .routes(routes!(audit))
        .layer(from_fn(admin_only));
    admin.routes(routes!(me))
}

async fn admin_only(caller: Caller, request: Request, next: Next) -> Response {
    match caller.must(Scope::Admin) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Who calls, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// A user's id, `token:ID` or `local`.
    actor: String,
    name: String,
    user_id: Option<UserId>,
    scope: Scope,
}

/// Who calls, and what they may do.
#[utoipa::path(get, path = "/me", tag = "users", responses((status = 200, body = Me)))]
async fn me(caller: Caller) -> Json<Me> {
    Json(Me { actor: caller.actor, name: caller.name, user_id: caller.user, scope: caller.scope })
}

list_params! {
    /// The list is always whole.
    UserParams {}
}

impl Row for UserView {
    const NAME: &'static str = "users";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "role", "language", "timezone", "disabled_at", "created_at"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            self.name.as_str().into(),
            self.role.as_str().into(),
            self.language.as_str().into(),
            self.timezone.as_deref().into(),
            self.disabled_at.into(),
            self.created_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Every user.
#[utoipa::path(get, path = "/users", tag = "users", params(UserParams), responses(
    (status = 200, description = "The list, or CSV", content((Page<UserView> = "application/json"), (String = "text/csv"))),
))]
async fn users(
    State(app): State<Arc<App>>,
    Params(params): Params<UserParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.users().await?);
    list(wanted, &headers, fetch).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUserBody {
    name: String,
    /// At least 10 characters.
    password: String,
    role: Role,
    /// `tr` or `en`; the installation's unless said.
    language: Option<String>,
    /// An IANA name, such as `Europe/Istanbul`.
    timezone: Option<String>,
}

/// Adds a user.
#[utoipa::path(post, path = "/users", tag = "users", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewUserBody, responses((status = 201, body = UserView)))]
async fn add_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewUserBody>,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    let name = named("name", &new.name)?;
    check_password(&name, &new.password).map_err(|error| Problem::invalid("password", error.to_string()))?;
    let language = language(new.language)?.unwrap_or_else(|| app.config.console.language.clone());
    let user = NewUser {
        password_hash: hash_password(new.password).await,
        role: new.role,
        language,
        timezone: timezone(new.timezone)?,
        name,
    };
    let id = app.store.add_user(&user, &caller.actor).await?;
    Ok((StatusCode::CREATED, Json(app.store.user(id).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChangeBody {
    role: Option<Role>,
    language: Option<String>,
    timezone: Option<String>,
    /// A disabled user is logged out and cannot log in.
    disabled: Option<bool>,
    /// A new password; ends every session of the user.
    password: Option<String>,
}

/// Changes a user; what is not given stays.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = UserId, Path)),
    request_body = UserChangeBody, responses((status = 200, body = UserView)))]
async fn change_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<UserId>,
    Body(new): Body<UserChangeBody>,
) -> Result<Json<UserView>, Problem> {
    let user = app.store.user(id).await?;
    let password_hash = match new.password {
        Some(password) => {
            check_password(&user.name, &password).map_err(|error| Problem::invalid("password", error.to_string()))?;
            Some(hash_password(password).await)
        }
        None => None,
    };
    let change = UserChange {
        role: new.role,
        language: language(new.language)?,
        timezone: timezone(new.timezone)?,
        disabled: new.disabled.map(|disabled| if disabled { Disabled::Yes } else { Disabled::No }),
        password_hash,
    };
    Ok(Json(app.store.change_user(id, &change, &caller.actor).await?))
}

list_params! {
    /// The list is always whole.
    TokenParams {}
}

impl Row for TokenView {
    const NAME: &'static str = "tokens";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "scopes", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at"];

    fn cells(&self) -> Vec<Cell> {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        vec![
            Cell::of(self.id),
            self.name.as_str().into(),
            scopes.join(" ").into(),
            self.created_by.as_str().into(),
            self.created_at.into(),
            self.expires_at.into(),
            self.last_used_at.into(),
            self.revoked_at.into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        None
    }
}

/// Every token, without its value.
#[utoipa::path(get, path = "/tokens", tag = "users", params(TokenParams), responses(
    (status = 200, description = "The list, or CSV", content((Page<TokenView> = "application/json"), (String = "text/csv"))),
))]
async fn tokens(
    State(app): State<Arc<App>>,
    Params(params): Params<TokenParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wanted, fetch) = whole(&params.wanted(), app.store.tokens().await?);
    list(wanted, &headers, fetch).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTokenBody {
    name: String,
    /// `read`, `write` (reads too) or `admin` (everything).
    scopes: Vec<Scope>,
    /// Not valid any more after; for ever unless said.
    expires_at: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
struct MadeToken {
    #[serde(flatten)]
    token: TokenView,
    /// The token itself: shown this once, stored nowhere.
    value: String,
}

/// Makes a token; its value is in this answer alone.
#[utoipa::path(post, path = "/tokens", tag = "users", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewTokenBody, responses((status = 201, body = MadeToken)))]
async fn add_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewTokenBody>,
) -> Result<Response, Problem> {
    if new.scopes.is_empty() {
        return Err(Problem::invalid("scopes", "a token needs at least one of read, write, admin"));
    }
    if new.expires_at.is_some_and(|expires_at| expires_at <= app.store.clock()) {
        return Err(Problem::invalid("expires_at", "the time has passed: choose a later one"));
    }
    let value = random_value(TOKEN_PREFIX);
    let token = NewToken {
        name: named("name", &new.name)?,
        token_hash: hash_of(&value),
        scopes: new.scopes,
        expires_at: new.expires_at,
    };
    let token = app.store.add_token(&token, &caller.actor).await?;
    let mut response = (StatusCode::CREATED, Json(MadeToken { token, value })).into_response();
    response.extensions_mut().insert(HoldsSecret);
    Ok(response)
}

/// Revokes a token, for good.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "users", params(("id" = TokenId, Path)),
    responses((status = 200, body = TokenView)))]
async fn revoke_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<TokenId>,
) -> Result<Json<TokenView>, Problem> {
    Ok(Json(app.store.revoke_token(id, &caller.actor).await?))
}

list_params! {
    /// The latest lines first.
    AuditParams {}
}

impl Row for AuditRow {
    const NAME: &'static str = "audit";
    const COLUMNS: &'static [&'static str] = &["id", "at", "actor", "action", "subject", "detail"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.as_str().into(),
            self.at.into(),
            self.actor.as_str().into(),
            self.action.as_str().into(),
            self.subject.as_str().into(),
            self.detail.to_string().into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

/// Who did what to what; ids, never text.
#[utoipa::path(get, path = "/audit", tag = "users", params(AuditParams), responses(
    (status = 200, description = "A page, or the whole log as CSV", content((Page<AuditRow> = "application/json"), (String = "text/csv"))),
))]
async fn audit(
    State(app): State<Arc<App>>,
    Params(params): Params<AuditParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    list(params.wanted(), &headers, move |cursor, most| {
        let app = app.clone();
        async move { Ok(app.store.audit_log(cursor.as_deref(), most as i64).await?) }
    })
    .await
}

/// A name, trimmed.
fn named(field: &str, name: &str) -> Result<String, Problem> {
    clean_name(name).map(str::to_owned).map_err(|refusal| Problem::invalid(field, refusal.to_string()))
}

fn language(code: Option<String>) -> Result<Option<String>, Problem> {
    match code.as_deref() {
        None | Some("tr" | "en") => Ok(code),
        Some(other) => {
            Err(Problem::invalid("language", format!("{other:?} is not a language of the console (tr, en)")))
        }
    }
}

fn timezone(name: Option<String>) -> Result<Option<String>, Problem> {
    match name.as_deref().map(TimeZone::get) {
        Some(Err(_)) => {
            Err(Problem::invalid("timezone", "not a time zone: write an IANA name, such as Europe/Istanbul"))
        }
        _ => Ok(name),
    }
}

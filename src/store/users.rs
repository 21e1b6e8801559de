//! Who may do what: users with their sessions, and the API's tokens. Secrets lie here as hashes only.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, maybe_micros, micros};
use crate::model::{Role, Scope, TokenId, UserId};

/// How often the time a token was last used is written down.
const LAST_USED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    pub id: UserId,
    pub name: String,
    pub role: Role,
    /// `tr` or `en`: what the console speaks to this person.
    pub language: String,
    /// IANA name; the installation's where missing.
    pub timezone: Option<String>,
    pub disabled_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A person to add.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub name: String,
    /// argon2id, in the PHC text form.
    pub password_hash: String,
    pub role: Role,
    pub language: String,
    pub timezone: Option<String>,
}

/// What may change of a user; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub role: Option<Role>,
    pub language: Option<String>,
    pub timezone: Option<String>,
    pub disabled: Option<Disabled>,
    /// A new password hash; ends every session of the user.
    pub password_hash: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    Yes,
    No,
}

/// A token of the API, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenView {
    pub id: TokenId,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// A user's id, `local` or `cli`.
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A token to store; `token_hash` is SHA-256 of the value, in hexadecimal digits.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub name: String,
    pub token_hash: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<Timestamp>,
}

impl Store {
    pub async fn users(&self) -> Result<Vec<UserView>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, role, language, timezone, disabled_at, created_at FROM users ORDER BY created_at, id",
        )
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(user_from).collect()
    }

    pub async fn user(&self, id: UserId) -> Result<UserView, StoreError> {
        let row =
            sqlx::query("SELECT id, name, role, language, timezone, disabled_at, created_at FROM users WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(self.pool())
                .await?;
        row.as_ref().map_or_else(|| Err(no_user(id)), user_from)
    }

    pub async fn user_by_name(&self, name: &str) -> Result<UserView, StoreError> {
        let row = sqlx::query(
            "SELECT id, name, role, language, timezone, disabled_at, created_at FROM users WHERE name = $1",
        )
        .bind(name)
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map_or_else(|| Err(no_user(format!("{name:?}"))), user_from)
    }

    /// Whether anybody could log in.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE disabled_at IS NULL").fetch_one(self.pool()).await?;
        Ok(count > 0)
    }

    /// The user and the password hash to check a login against; nothing for a disabled user.
    pub async fn login(&self, name: &str) -> Result<Option<(UserView, String)>, StoreError> {
        let row = sqlx::query(
            "SELECT id, name, role, language, timezone, disabled_at, created_at, password_hash FROM users
             WHERE name = $1 AND disabled_at IS NULL AND password_hash IS NOT NULL",
        )
        .bind(name)
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(|row| Ok((user_from(row)?, row.text("password_hash")?))).transpose()
    }

    pub async fn add_user(&self, user: &NewUser, actor: &str) -> Result<UserId, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let id = insert_user(&mut tx, user, now).await?;
        audit::write(&mut tx, now, actor, "user_added", &id.to_string(), json!({ "role": user.role })).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The first user, through the one-time set-up link: only while there is none and `link_hash` is the link's.
    pub async fn add_first_user(&self, user: &NewUser, link_hash: &str) -> Result<UserId, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone("users").await?;
        let spent = sqlx::query(
            "DELETE FROM installation WHERE name = 'setup' AND value = $1 AND (SELECT COUNT(*) FROM users) = 0",
        )
        .bind(link_hash)
        .execute(&mut *tx)
        .await?;
        if spent.rows_affected() == 0 {
            return Err(StoreError::Conflict(
                "the set-up link was used already or a newer one was printed: log in, or start the console again"
                    .into(),
            ));
        }
        let id = insert_user(&mut tx, user, now).await?;
        audit::write(&mut tx, now, "setup", "user_added", &id.to_string(), json!({ "role": user.role })).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Remembers the hash of a new set-up link, the only valid one from now on; false while a user exists.
    pub async fn offer_setup(&self, link_hash: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.alone("users").await?;
        let users: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&mut *tx).await?;
        if users > 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO installation (name, value) VALUES ('setup', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(link_hash)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Whether `link_hash` is that of the set-up link in force.
    pub async fn is_setup(&self, link_hash: &str) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM installation WHERE name = 'setup' AND value = $1")
            .bind(link_hash)
            .fetch_one(self.pool())
            .await?;
        Ok(count > 0)
    }

    /// Changes a user. The last administrator who can log in stays one.
    pub async fn change_user(&self, id: UserId, change: &UserChange, actor: &str) -> Result<UserView, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone("users").await?;
        let row =
            sqlx::query("SELECT id, name, role, language, timezone, disabled_at, created_at FROM users WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        let before = row.as_ref().map_or_else(|| Err(no_user(id)), user_from)?;
        let role = change.role.unwrap_or(before.role);
        let disabled_at = match change.disabled {
            None => before.disabled_at,
            Some(Disabled::No) => None,
            Some(Disabled::Yes) => before.disabled_at.or(Some(now)),
        };
        let was_admin = before.role == Role::Admin && before.disabled_at.is_none();
        if was_admin && (role != Role::Admin || disabled_at.is_some()) {
            let others: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL AND id <> $1",
            )
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
            if others == 0 {
                return Err(StoreError::Conflict(format!(
                    "{:?} is the last administrator: make another user one first",
                    before.name
                )));
            }
        }
        sqlx::query(
            "UPDATE users SET role = $2, language = $3, timezone = $4, disabled_at = $5,
             password_hash = COALESCE($6, password_hash) WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(role.as_str())
        .bind(change.language.as_ref().unwrap_or(&before.language))
        .bind(change.timezone.as_ref().or(before.timezone.as_ref()))
        .bind(maybe_micros(disabled_at))
        .bind(change.password_hash.as_ref())
        .execute(&mut *tx)
        .await?;
        if change.password_hash.is_some() || disabled_at.is_some() {
            sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(id.to_string()).execute(&mut *tx).await?;
        }
        let detail = json!({
            "role": change.role, "disabled": change.disabled.map(|disabled| disabled == Disabled::Yes),
            "password": change.password_hash.is_some(),
        });
        audit::write(&mut tx, now, actor, "user_changed", &id.to_string(), detail).await?;
        tx.commit().await?;
        self.user(id).await
    }

    /// Starts a session; sessions that have ended are swept on the way.
    pub async fn open_session(&self, user: UserId, token_hash: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(micros(now)).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(token_hash)
            .bind(user.to_string())
            .bind(micros(now))
            .bind(micros(expires_at))
            .execute(&mut *tx)
            .await?;
        audit::write(&mut tx, now, &user.to_string(), "logged_in", &user.to_string(), json!({})).await?;
        tx.commit().await
    }

    /// Whose session this is, while it lasts and its user may log in.
    pub async fn session_user(&self, token_hash: &str) -> Result<Option<UserView>, StoreError> {
        let row = sqlx::query(
            "SELECT u.id, u.name, u.role, u.language, u.timezone, u.disabled_at, u.created_at
             FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(micros(self.clock()))
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(user_from).transpose()
    }

    pub async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1").bind(token_hash).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Every token, the newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at FROM tokens
             ORDER BY created_at DESC, id DESC",
        )
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(token_from).collect()
    }

    pub async fn add_token(&self, token: &NewToken, actor: &str) -> Result<TokenView, StoreError> {
        let now = self.clock();
        let id = TokenId::new(now);
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO tokens (id, name, token_hash, scopes, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.to_string())
        .bind(&token.name)
        .bind(&token.token_hash)
        .bind(json!(token.scopes).to_string())
        .bind(actor)
        .bind(micros(now))
        .bind(maybe_micros(token.expires_at))
        .execute(&mut *tx)
        .await
        .map_err(|error| {
            taken(error.into(), || format!("a token named {:?} exists: choose another name", token.name))
        })?;
        audit::write(&mut tx, now, actor, "token_created", &id.to_string(), json!({ "scopes": token.scopes })).await?;
        tx.commit().await?;
        Ok(TokenView {
            id,
            name: token.name.clone(),
            scopes: token.scopes.clone(),
            created_by: actor.to_owned(),
            created_at: now,
            expires_at: token.expires_at,
            last_used_at: None,
            revoked_at: None,
        })
    }

    /// Ends a token; ending it twice is no error.
    pub async fn revoke_token(&self, id: TokenId, actor: &str) -> Result<TokenView, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1
             RETURNING id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at",
        )
        .bind(id.to_string())
        .bind(micros(now))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Err(StoreError::NotFound(format!("there is no token {id}"))) };
        let token = token_from(&row)?;
        if token.revoked_at == Some(now) {
            audit::write(&mut tx, now, actor, "token_revoked", &id.to_string(), json!({})).await?;
        }
        tx.commit().await?;
        Ok(token)
    }

    /// The token with this hash, while it is in force; notes that it was used.
    pub async fn use_token(&self, token_hash: &str) -> Result<Option<TokenView>, StoreError> {
        let now = self.clock();
        let row = sqlx::query(
            "SELECT id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at FROM tokens
             WHERE token_hash = $1 AND revoked_at IS NULL",
        )
        .bind(token_hash)
        .fetch_optional(self.pool())
        .await?;
        let Some(token) = row.as_ref().map(token_from).transpose()? else { return Ok(None) };
        if token.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Ok(None);
        }
        if token.last_used_at.is_none_or(|used| now.duration_since(used) >= LAST_USED_EVERY) {
            let mut tx = self.begin().await?;
            sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1")
                .bind(token.id.to_string())
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        Ok(Some(token))
    }
}

async fn insert_user(tx: &mut Tx, user: &NewUser, now: Timestamp) -> Result<UserId, StoreError> {
    let id = UserId::new(now);
    sqlx::query(
        "INSERT INTO users (id, name, password_hash, role, language, timezone, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.to_string())
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(user.role.as_str())
    .bind(&user.language)
    .bind(user.timezone.as_ref())
    .bind(micros(now))
    .execute(&mut **tx)
    .await
    .map_err(|error| taken(error.into(), || format!("a user named {:?} exists: choose another name", user.name)))?;
    Ok(id)
}

/// A broken `UNIQUE` rule as a conflict that names what is taken.
fn taken(error: StoreError, message: impl FnOnce() -> String) -> StoreError {
    if error.is_unique() { StoreError::Conflict(message()) } else { error }
}

fn no_user(name: impl std::fmt::Display) -> StoreError {
    StoreError::NotFound(format!("there is no user {name}"))
}

fn user_from(row: &AnyRow) -> Result<UserView, StoreError> {
    Ok(UserView {
        id: row.word("id")?,
        name: row.text("name")?,
        role: row.word("role")?,
        language: row.text("language")?,
        timezone: row.maybe_text("timezone")?,
        disabled_at: row.maybe_time("disabled_at")?,
        created_at: row.time("created_at")?,
    })
}

fn token_from(row: &AnyRow) -> Result<TokenView, StoreError> {
    Ok(TokenView {
        id: row.word("id")?,
        name: row.text("name")?,
        scopes: row.json("scopes")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.maybe_time("expires_at")?,
        last_used_at: row.maybe_time("last_used_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
    })
}

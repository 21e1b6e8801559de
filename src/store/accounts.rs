//! Brands and accounts, with their encrypted credentials.

use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::Profile;
use serde::Serialize;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::rows::Cells;
use super::stops::let_out;
use super::sweep::reopen;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::model::{AccountId, BrandId, Health, Network};
use crate::standing::Scope;

/// Why an account rests that was taken out of the configuration file.
pub(in crate::store) const NOT_IN_FILE: &str = "no longer in the configuration file";
/// Why an account rests that a person removed.
pub(in crate::store) const REMOVED: &str = "removed";

/// A connected profile on a network. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    pub id: AccountId,
    pub brand_id: BrandId,
    pub brand: String,
    pub name: String,
    #[schema(value_type = String, example = "mastodon")]
    pub network: Network,
    pub base_url: Option<String>,
    pub login: Option<String>,
    pub listen_for: Vec<String>,
    pub poll_seconds: i64,
    pub timezone: String,
    /// `file`, `console`, `import` or `demo`: who may change its settings.
    pub origin: String,
    pub remote_id: Option<String>,
    pub handle: Option<String>,
    pub profile_url: Option<String>,
    pub health: Health,
    pub health_reason: Option<String>,
    pub health_at: Option<Timestamp>,
    /// Neither polls nor sends since then.
    pub paused_at: Option<Timestamp>,
    pub pause_reason: Option<String>,
    /// Sends nothing before then.
    pub gated_until: Option<Timestamp>,
    pub gate_reason: Option<String>,
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub changed_at: Timestamp,
}

/// An account as it is configured. The secret is encrypted already; `secret_mark` tells whether it changed.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub name: String,
    pub brand: String,
    pub network: Network,
    pub base_url: Option<String>,
    pub login: Option<String>,
    pub listen_for: Vec<String>,
    pub poll_seconds: i64,
    pub timezone: String,
    pub origin: &'static str,
    pub secret: Option<String>,
    pub secret_mark: Option<String>,
}

impl Account {
    /// Whether a person removed it: it rests and holds no secret, and its history stays.
    pub fn is_removed(&self) -> bool {
        self.pause_reason.as_deref() == Some(REMOVED)
    }

    /// What it shares limits with: every account of its network and address.
    pub fn app(&self) -> Scope {
        Scope::App { network: self.network, base_url: self.base_url.clone() }
    }

    /// Refuses another profile than the account's: its cursors and drafts are not that one's.
    pub fn must_be(&self, profile: &Profile) -> Result<(), StoreError> {
        if self.remote_id.as_ref().is_none_or(|known| *known == profile.remote_id) {
            return Ok(());
        }
        Err(StoreError::Conflict(format!(
            "account {:?} was {} until now, its credentials belong to {}; add that one under another name",
            self.name,
            self.handle.as_deref().unwrap_or_default(),
            profile.handle
        )))
    }
}

/// A person's hand in [`Store::put_account_by`].
pub struct ByHand<'a> {
    pub who: &'a str,
    /// `changed_at` of the account that is changed, as it was read; a new account where there is none.
    pub changes: Option<Timestamp>,
}

impl ByHand<'_> {
    /// Refuses to change by accident what is there already, or what somebody else changed meanwhile.
    fn check(&self, name: &str, row: Option<&AnyRow>) -> Result<(), StoreError> {
        let Some(row) = row else { return Ok(()) };
        let is_removed = row.maybe_text("pause_reason")?.as_deref() == Some(REMOVED);
        match self.changes {
            None if is_removed => Ok(()),
            None => Err(StoreError::Conflict(format!(
                "there is an account {name:?} already; change that one, or give this one another name"
            ))),
            Some(_) if is_removed => Err(StoreError::Conflict(format!("account {name:?} was removed; add it again"))),
            Some(read) if row.number("changed_at")? == micros(read) => Ok(()),
            Some(_) => Err(StoreError::Conflict(format!("account {name:?} was changed by somebody else meanwhile"))),
        }
    }
}

/// The encrypted half of an account.
pub struct StoredSecrets {
    /// What the person configured.
    pub secret: Option<String>,
    /// What the network handed out since.
    pub session: Option<String>,
}

const SELECT: &str = "SELECT a.id, a.brand_id, b.name AS brand, a.name, a.network, a.base_url, a.login, a.listen_for,
    a.poll_seconds, a.timezone, a.origin, a.remote_id, a.handle, a.profile_url, a.health, a.health_reason, a.health_at,
    a.paused_at, a.pause_reason, a.gated_until, a.gate_reason, a.created_at, a.changed_at
    FROM accounts a JOIN brands b ON b.id = a.brand_id";

fn account(row: &AnyRow) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.word("id")?,
        brand_id: row.word("brand_id")?,
        brand: row.text("brand")?,
        name: row.text("name")?,
        network: row.word("network")?,
        base_url: row.maybe_text("base_url")?,
        login: row.maybe_text("login")?,
        listen_for: row.json("listen_for")?,
        poll_seconds: row.number("poll_seconds")?,
        timezone: row.text("timezone")?,
        origin: row.text("origin")?,
        remote_id: row.maybe_text("remote_id")?,
        handle: row.maybe_text("handle")?,
        profile_url: row.maybe_text("profile_url")?,
        health: row.word("health")?,
        health_reason: row.maybe_text("health_reason")?,
        health_at: row.maybe_time("health_at")?,
        paused_at: row.maybe_time("paused_at")?,
        pause_reason: row.maybe_text("pause_reason")?,
        gated_until: row.maybe_time("gated_until")?,
        gate_reason: row.maybe_text("gate_reason")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}

impl Store {
    /// The brand of that name.
    pub async fn brand_by_name(&self, name: &str) -> Result<BrandId, StoreError> {
        let row = sqlx::query("SELECT id FROM brands WHERE name = $1").bind(name).fetch_optional(self.pool()).await?;
        if let Some(row) = row {
            return row.word("id");
        }
        let known: Vec<String> =
            sqlx::query_scalar("SELECT name FROM brands ORDER BY name").fetch_all(self.pool()).await?;
        Err(StoreError::NotFound(match known.is_empty() {
            true => format!("there is no brand {name:?}; a brand begins with its first account"),
            false => format!("there is no brand {name:?}; there are {}", known.join(", ")),
        }))
    }

    pub async fn brand_name(&self, id: BrandId) -> Result<String, StoreError> {
        let row = sqlx::query("SELECT name FROM brands WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?;
        row.ok_or_else(|| StoreError::NotFound(format!("there is no brand {id}")))?.text("name")
    }

    /// Every account that listens or publishes, by name; the endpoints of webhooks are a list of their own
    /// ([`Store::endpoints`]).
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let mut accounts = self.all_accounts().await?;
        accounts.retain(|account| !account.network.only_tells());
        Ok(accounts)
    }

    async fn all_accounts(&self) -> Result<Vec<Account>, StoreError> {
        let mut accounts = sqlx::query(sqlx::AssertSqlSafe(SELECT))
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(account)
            .collect::<Result<Vec<_>, _>>()?;
        accounts.sort_by_cached_key(|account| crate::analyze::tokens::search_fold(&account.name));
        Ok(accounts)
    }

    pub async fn account(&self, id: AccountId) -> Result<Account, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE a.id = $1")))
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?;
        account(&row.ok_or_else(|| StoreError::NotFound(format!("there is no account {id}")))?)
    }

    pub async fn account_by_name(&self, name: &str) -> Result<Account, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE a.name = $1")))
            .bind(name)
            .fetch_optional(self.pool())
            .await?;
        if let Some(row) = row {
            return account(&row);
        }
        let known: Vec<_> = self.accounts().await?.into_iter().map(|account| account.name).collect();
        Err(StoreError::NotFound(match known.is_empty() {
            true => format!("there is no account {name:?}; add one to the configuration file"),
            false => format!("there is no account {name:?}; there are {}", known.join(", ")),
        }))
    }

    /// Adds an account or brings the one of that name up to date. Changed credentials end the session the network
    /// handed out for the former ones; an account that was paused because it had left the file goes on. What waited for
    /// either goes out `spacing` apart.
    pub async fn put_account(&self, new: &NewAccount, spacing: Duration) -> Result<AccountId, StoreError> {
        self.put(new, None, spacing).await
    }

    /// As [`Store::put_account`], by a person: in the audit log, and only a name that is free or of a removed account
    /// makes a new one.
    pub async fn put_account_by(
        &self,
        new: &NewAccount,
        hand: &ByHand<'_>,
        spacing: Duration,
    ) -> Result<AccountId, StoreError> {
        self.put(new, Some(hand), spacing).await
    }

    async fn put(
        &self,
        new: &NewAccount,
        hand: Option<&ByHand<'_>>,
        spacing: Duration,
    ) -> Result<AccountId, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone("accounts").await?;
        let brand = put_brand(&mut tx, &new.brand, now).await?;
        let found = sqlx::query(
            "SELECT id, network, origin, brand_id, base_url, login, listen_for, poll_seconds, timezone, secret_mark,
             pause_reason, health, changed_at FROM accounts WHERE name = $1",
        )
        .bind(&new.name)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(hand) = hand {
            hand.check(&new.name, found.as_ref())?;
        }
        let id = match &found {
            None => insert(&mut tx, new, brand, now).await?,
            Some(row) => update(&mut tx, new, row, brand, spacing, now).await?,
        };
        if let Some(hand) = hand {
            let action = if hand.changes.is_some() { "account_changed" } else { "account_added" };
            audit::write(&mut tx, now, hand.who, action, &id.to_string(), serde_json::json!({})).await?;
            events::write(&mut tx, now, "account", &id.to_string()).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Pauses the accounts from the configuration file that are no longer in it; none is deleted.
    pub async fn pause_accounts_not_in_file(&self, names: &[String]) -> Result<Vec<String>, StoreError> {
        let gone: Vec<_> = self
            .all_accounts()
            .await?
            .into_iter()
            .filter(|account| account.origin == "file" && account.paused_at.is_none() && !names.contains(&account.name))
            .collect();
        for account in &gone {
            self.pause_account(account.id, NOT_IN_FILE, "file").await?;
        }
        Ok(gone.into_iter().map(|account| account.name).collect())
    }

    /// Neither polls nor sends on this account until [`Store::resume_account`]. What is being called ends.
    pub async fn pause_account(&self, id: AccountId, reason: &str, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let changed =
            sqlx::query("UPDATE accounts SET paused_at = $2, pause_reason = $3 WHERE id = $1 AND paused_at IS NULL")
                .bind(id.to_string())
                .bind(micros(now))
                .bind(reason)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        if changed > 0 {
            audit::write(&mut tx, now, who, "account_paused", &id.to_string(), serde_json::json!({})).await?;
            events::write(&mut tx, now, "account", &id.to_string()).await?;
        }
        tx.commit().await
    }

    /// Lets a paused account listen and send again: posts that became due meanwhile go out `spacing` apart, answers at
    /// once, and what became late is held.
    pub async fn resume_account(&self, id: AccountId, spacing: Duration, who: &str) -> Result<(), StoreError> {
        if self.account(id).await?.is_removed() {
            return Err(StoreError::Conflict("the account was removed; add it again under its name".to_owned()));
        }
        let now = self.clock();
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE accounts SET paused_at = NULL, pause_reason = NULL WHERE id = $1 AND paused_at IS NOT NULL",
        )
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed > 0 {
            // What was put off while it rested is looked at now.
            sqlx::query("UPDATE streams SET next_poll_at = $2 WHERE account_id = $1")
                .bind(id.to_string())
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
            reopen(&mut tx, Some(id), now).await?;
            let release = let_out(&mut tx, &Scope::Account { account_id: id }, spacing, Some(who), now).await?;
            let detail =
                serde_json::json!({ "spaced": release.spaced, "at_once": release.at_once, "held": release.held });
            audit::write(&mut tx, now, who, "account_resumed", &id.to_string(), detail).await?;
            events::write(&mut tx, now, "account", &id.to_string()).await?;
        }
        tx.commit().await
    }

    /// Notes how the account is doing; writes only what changed. What waited until the account may send goes out `spacing`
    /// apart.
    pub async fn set_health(
        &self,
        id: AccountId,
        health: Health,
        reason: Option<&str>,
        spacing: Duration,
    ) -> Result<(), StoreError> {
        let known = sqlx::query("SELECT health, health_reason FROM accounts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("there is no account {id}")))?;
        let before: Health = known.word("health")?;
        if before == health && known.maybe_text("health_reason")?.as_deref() == reason {
            return Ok(());
        }
        let now = self.clock();
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE accounts SET health = $2, health_reason = $3, health_at = $4 WHERE id = $1")
            .bind(id.to_string())
            .bind(health.as_str())
            .bind(reason)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        if health != Health::Unauthorized {
            go_on(&mut tx, id, before == Health::Unauthorized, spacing, now).await?;
        }
        events::write(&mut tx, now, "account", &id.to_string()).await?;
        tx.commit().await
    }

    /// Notes who the credentials belong to. Another profile than before is refused: its cursors and drafts are not
    /// this one's.
    pub async fn set_profile(&self, id: AccountId, profile: &Profile) -> Result<(), StoreError> {
        let account = self.account(id).await?;
        account.must_be(profile)?;
        if account.remote_id.is_some()
            && account.handle.as_ref() == Some(&profile.handle)
            && account.profile_url == profile.url
        {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE accounts SET remote_id = $2, handle = $3, profile_url = $4 WHERE id = $1")
            .bind(id.to_string())
            .bind(&profile.remote_id)
            .bind(&profile.handle)
            .bind(&profile.url)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    pub async fn stored_secrets(&self, id: AccountId) -> Result<StoredSecrets, StoreError> {
        let row = sqlx::query("SELECT secret, session FROM accounts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("there is no account {id}")))?;
        Ok(StoredSecrets { secret: row.maybe_text("secret")?, session: row.maybe_text("session")? })
    }

    /// Keeps what the network handed out, encrypted by the caller. A session made with a secret that has changed since
    /// is dropped: `secret` is the encrypted one it was made with.
    pub async fn save_session(&self, id: AccountId, secret: Option<&str>, session: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE accounts SET session = $2 WHERE id = $1 AND COALESCE(secret, '') = $3")
            .bind(id.to_string())
            .bind(session)
            .bind(secret.unwrap_or_default())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

async fn insert(tx: &mut Tx, new: &NewAccount, brand: BrandId, now: Timestamp) -> Result<AccountId, StoreError> {
    let id = AccountId::new(now);
    sqlx::query(
        "INSERT INTO accounts (id, brand_id, name, network, base_url, login, listen_for, poll_seconds, timezone,
         origin, secret, secret_mark, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
    )
    .bind(id.to_string())
    .bind(brand.to_string())
    .bind(&new.name)
    .bind(new.network.as_str())
    .bind(&new.base_url)
    .bind(&new.login)
    .bind(listen_for(new))
    .bind(new.poll_seconds)
    .bind(&new.timezone)
    .bind(new.origin)
    .bind(&new.secret)
    .bind(&new.secret_mark)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    events::write(tx, now, "account", &id.to_string()).await?;
    Ok(id)
}

/// Brings the account in `row` up to date; writes only what changed.
async fn update(
    tx: &mut Tx,
    new: &NewAccount,
    row: &AnyRow,
    brand: BrandId,
    spacing: Duration,
    now: Timestamp,
) -> Result<AccountId, StoreError> {
    check_same_account(new, row)?;
    let id: AccountId = row.word("id")?;
    let same_access = row.maybe_text("secret_mark")? == new.secret_mark
        && row.maybe_text("base_url")? == new.base_url
        && row.maybe_text("login")? == new.login;
    let same = same_access
        && row.text("brand_id")? == brand.to_string()
        && row.text("listen_for")? == listen_for(new)
        && row.number("poll_seconds")? == new.poll_seconds
        && row.text("timezone")? == new.timezone;
    if !same {
        write_settings(tx, id, new, brand, now).await?;
    }
    if !same_access {
        write_access(tx, id, new, now).await?;
    }
    let returns =
        row.maybe_text("pause_reason")?.is_some_and(|reason| [NOT_IN_FILE, REMOVED].contains(&reason.as_str()));
    if returns {
        sqlx::query("UPDATE accounts SET paused_at = NULL, pause_reason = NULL WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
    }
    if returns || !same_access {
        let was_closed = returns || row.text("health")? == Health::Unauthorized.as_str();
        go_on(tx, id, was_closed, spacing, now).await?;
    }
    Ok(id)
}

/// The account may send again: everything that waited for that goes on together, its posts `spacing` apart. One that was
/// not closed, and held nothing, goes on as it did.
async fn go_on(
    tx: &mut Tx,
    id: AccountId,
    was_closed: bool,
    spacing: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let reopened = reopen(tx, Some(id), now).await?;
    if was_closed || reopened > 0 {
        let_out(tx, &Scope::Account { account_id: id }, spacing, None, now).await?;
    }
    Ok(())
}

/// An account keeps its network and whoever may change it.
fn check_same_account(new: &NewAccount, row: &AnyRow) -> Result<(), StoreError> {
    let (network, origin) = (row.text("network")?, row.text("origin")?);
    if network != new.network.as_str() {
        return Err(StoreError::Conflict(format!(
            "account {:?} is on {network}; an account keeps its network: give the {} one another name",
            new.name,
            new.network.as_str()
        )));
    }
    if origin != new.origin {
        return Err(StoreError::Conflict(format!(
            "account {:?} was made by {origin}, not by {}; give the new one another name",
            new.name, new.origin
        )));
    }
    Ok(())
}

async fn write_settings(
    tx: &mut Tx,
    id: AccountId,
    new: &NewAccount,
    brand: BrandId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE accounts SET brand_id = $2, base_url = $3, login = $4, listen_for = $5, poll_seconds = $6,
         timezone = $7, changed_at = $8 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(brand.to_string())
    .bind(&new.base_url)
    .bind(&new.login)
    .bind(listen_for(new))
    .bind(new.poll_seconds)
    .bind(&new.timezone)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Other credentials, or another server: the former session ends, and what was put off after a refusal is looked at now.
async fn write_access(tx: &mut Tx, id: AccountId, new: &NewAccount, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE accounts SET secret = $2, secret_mark = $3, session = NULL, health = 'new',
         health_reason = NULL WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(&new.secret)
    .bind(&new.secret_mark)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE streams SET next_poll_at = $2 WHERE account_id = $1")
        .bind(id.to_string())
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn listen_for(new: &NewAccount) -> String {
    serde_json::to_string(&new.listen_for).expect("a list of texts is JSON")
}

/// The brand of this name, made where it is missing.
async fn put_brand(tx: &mut Tx, name: &str, now: Timestamp) -> Result<BrandId, StoreError> {
    sqlx::query("INSERT INTO brands (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING")
        .bind(BrandId::new(now).to_string())
        .bind(name)
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    sqlx::query("SELECT id FROM brands WHERE name = $1").bind(name).fetch_one(&mut **tx).await?.word("id")
}

//! Accounts that people add: checked as those of the configuration file are, tried on their network, and only then
//! stored. The console and the API both come here.

use std::sync::Arc;
use std::time::Duration;

use muhatap_connectors::{Connector, ConnectorError, MemorySession, Network, Profile, Session, connect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::app::{App, AppError};
use crate::config::{AccountConfig, NetworkName, default_brand, default_poll_seconds};
use crate::live::Wake;
use crate::model::AccountId;
use crate::store::StoreError;
use crate::store::accounts::{Account, ByHand};
use crate::store::removal::Waiting;

/// Who may change the settings of what is added here.
pub const ORIGIN: &str = "console";
/// How long a network may take to say who the credentials belong to.
const PATIENCE: Duration = Duration::from_secs(30);

/// The networks an account can be added on.
pub fn networks() -> impl Iterator<Item = Network> {
    Network::ALL.into_iter().filter(|network| !network.only_tells() && *network != Network::File)
}

/// An account as a person wants it, with the keys of the configuration file; an empty text says nothing.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub name: String,
    pub network: String,
    pub brand: String,
    pub base_url: String,
    pub user: String,
    /// Of a change: the former one stays unless it is given.
    pub token: Option<SecretString>,
    pub listen_for: Vec<String>,
    pub poll_seconds: Option<u32>,
    pub timezone: String,
}

/// Why an account was not stored.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("{message}")]
    Invalid { field: &'static str, message: String },
    /// What the connector or the network said.
    #[error("{0}")]
    Network(ConnectorError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    App(#[from] AppError),
}

impl Wanted {
    /// What is wanted of an account where nothing about it changes.
    pub fn of(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            network: account.network.as_str().to_owned(),
            brand: account.brand.clone(),
            base_url: account.base_url.clone().unwrap_or_default(),
            user: account.login.clone().unwrap_or_default(),
            token: None,
            listen_for: account.listen_for.clone(),
            poll_seconds: u32::try_from(account.poll_seconds).ok(),
            timezone: account.timezone.clone(),
        }
    }

    /// The account as the configuration file would hold it, checked the same way.
    fn config(&self) -> Result<AccountConfig, AccountError> {
        let invalid = |field, message| AccountError::Invalid { field, message };
        let network = NetworkName::try_from(self.network.clone()).map_err(|message| invalid("network", message))?;
        if network.0.only_tells() {
            let message = match network.0 {
                Network::Mail => {
                    "mail goes out through one server, of the section [alerts.email] of the configuration file"
                }
                _ => {
                    "a webhook is no account; add it on the page Webhooks, with POST /api/v1/webhooks or with \
                    `muhatap webhooks add`"
                }
            };
            return Err(invalid("network", message.to_owned()));
        }
        let base_url = said(&self.base_url).map(|url| read_url(&url)).transpose();
        let listen_for = self.listen_for.iter().filter_map(|line| said(line)).collect();
        let config = AccountConfig {
            name: self.name.trim().to_owned(),
            network,
            brand: said(&self.brand).unwrap_or_else(default_brand),
            base_url: base_url.map_err(|message| invalid("base_url", message))?,
            user: said(&self.user),
            token: None,
            listen_for,
            poll_seconds: self.poll_seconds.unwrap_or_else(default_poll_seconds),
            timezone: said(&self.timezone),
        };
        config.check().map_err(|(field, message)| invalid(field, message))?;
        Ok(config)
    }

    fn secret(&self) -> Option<SecretString> {
        self.token.as_ref().and_then(|token| said(token.expose_secret())).map(SecretString::from)
    }
}

fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn read_url(text: &str) -> Result<Url, String> {
    // Not repeated in the messages: it may hold a password.
    let url: Url = text.parse().map_err(|error| format!("base_url is not an address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        // It is shown with the account's settings.
        return Err("base_url must not hold a user or password: write them as user and token".to_owned());
    }
    Ok(url)
}

/// Adds an account that its network accepts.
pub async fn add(app: &App, wanted: &Wanted, who: &str) -> Result<AccountId, AccountError> {
    let (config, secret) = (wanted.config()?, wanted.secret());
    let tried = Tried::on_network(&config, secret.clone()).await?;
    let accounts = app.store.accounts().await?;
    if let Some(former) = accounts.iter().find(|account| account.name == config.name)
        && former.is_removed()
    {
        former.must_be(&tried.profile)?;
    }
    // Everything said to it would be there twice, and be answered twice.
    let is_same = |account: &&Account| {
        let base_url = config.base_url.as_ref().map(Url::as_str);
        account.network == config.network.0
            && account.base_url.as_deref() == base_url
            && account.remote_id.as_ref() == Some(&tried.profile.remote_id)
            && account.name != config.name
            && !account.is_removed()
    };
    if let Some(known) = accounts.iter().find(is_same) {
        let message =
            format!("this account is connected already, as {}; change that one, or remove it first", known.name);
        return Err(AccountError::Invalid { field: "name", message });
    }
    put(app, &config, secret.as_ref(), Some(&tried), &ByHand { who, changes: None }).await
}

/// Changes an account that was added here; its name and network stay. It is tried again where its credentials or their
/// server change.
pub async fn change(app: &App, id: AccountId, wanted: &Wanted, who: &str) -> Result<(), AccountError> {
    let account = app.store.account(id).await?;
    check_ours(&account)?;
    if account.is_removed() {
        return Err(StoreError::Conflict(format!("account {:?} was removed; add it again", account.name)).into());
    }
    let former = Wanted::of(&account);
    let wanted = Wanted { name: former.name.clone(), network: former.network.clone(), ..wanted.clone() };
    let (config, former, typed) = (wanted.config()?, former.config()?, wanted.secret());
    let moved = config.base_url != former.base_url || config.user != former.user;
    let stored = app.secret_of(&account).await?;
    if moved && typed.is_none() && stored.is_some() {
        let message = "base_url or user changes: write the token too, so that the former one goes nowhere else";
        return Err(AccountError::Invalid { field: "token", message: message.to_owned() });
    }
    let tried = match moved || typed.is_some() {
        true => Some(Tried::on_network(&config, typed.clone()).await?),
        false => None,
    };
    if let Some(tried) = &tried {
        account.must_be(&tried.profile)?;
    }
    let secret = typed.or(stored);
    let hand = ByHand { who, changes: Some(account.changed_at) };
    put(app, &config, secret.as_ref(), tried.as_ref(), &hand).await?;
    Ok(())
}

/// Takes an account that was added here out of use; its history stays. Answers what waited on it and is cancelled.
pub async fn remove(app: &App, id: AccountId, who: &str) -> Result<Waiting, AccountError> {
    check_ours(&app.store.account(id).await?)?;
    let ended = app.store.remove_account(id, who).await?;
    wake(app);
    Ok(ended)
}

pub(crate) fn check_ours(account: &Account) -> Result<(), StoreError> {
    let name = &account.name;
    match account.origin.as_str() {
        ORIGIN => Ok(()),
        "file" => Err(StoreError::Conflict(format!("account {name:?} is in the configuration file: change it there"))),
        other => Err(StoreError::Conflict(format!("account {name:?} was made by {other} and is not changed here"))),
    }
}

/// What a trial on the network found out.
struct Tried {
    profile: Profile,
    /// What the network handed out meanwhile: kept, so that nobody logs in twice.
    session: Option<SecretString>,
}

impl Tried {
    async fn on_network(config: &AccountConfig, secret: Option<SecretString>) -> Result<Self, AccountError> {
        let session = Arc::new(MemorySession::default());
        let connector = connect(&config.settings(secret, session.clone())).map_err(AccountError::Network)?;
        let profile = who_is(connector.as_ref()).await.map_err(AccountError::Network)?;
        let session =
            session.load().await.map_err(|error| AccountError::Network(ConnectorError::Unavailable(error)))?;
        Ok(Self { profile, session })
    }
}

/// Asks a network who the credentials belong to, for a bounded time.
pub async fn who_is(connector: &dyn Connector) -> Result<Profile, ConnectorError> {
    let late = |_| ConnectorError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()).into());
    tokio::time::timeout(PATIENCE, connector.who_am_i()).await.map_err(late)?
}

async fn put(
    app: &App,
    config: &AccountConfig,
    secret: Option<&SecretString>,
    tried: Option<&Tried>,
    hand: &ByHand<'_>,
) -> Result<AccountId, AccountError> {
    // Untried settings are at least those a connector can be built from.
    connect(&config.settings(secret.cloned(), Arc::new(MemorySession::default()))).map_err(AccountError::Network)?;
    let new = app.new_account(config, secret, ORIGIN);
    let id = app.store.put_account_by(&new, hand, app.config.delivery.release_spacing).await?;
    if let Some(tried) = tried {
        app.store.set_profile(id, &tried.profile).await?;
        if let Some(session) = &tried.session {
            app.keep_session(id, new.secret.as_deref(), session).await?;
        }
    }
    wake(app);
    Ok(id)
}

pub(crate) fn wake(app: &App) {
    for wake in [Wake::Streams, Wake::Outbox, Wake::Events] {
        app.live.wake(wake);
    }
}

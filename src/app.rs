//! What is built once at start and handed to the web and the worker loops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use muhatap_connectors::error::BoxError;
use muhatap_connectors::networks::webhook;
use muhatap_connectors::{AccountSettings, Connector, ConnectorError, NamedBy, Session, connect_as};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::{AccountConfig, Config, ConfigError};
use crate::deltas::Deltas;
use crate::live::Live;
use crate::model::AccountId;
use crate::policy::Policies;
use crate::pulse::Pulse;
use crate::queue::{self, Dispatcher, QueueError};
use crate::secrets::{Secrets, SecretsError};
use crate::store::accounts::{Account, NewAccount};
use crate::store::{Store, StoreError};
use crate::telling;

pub struct App {
    pub config: Config,
    pub store: Store,
    pub secrets: Arc<Secrets>,
    pub analyzer: Arc<Analyzer>,
    pub deltas: Deltas,
    pub connectors: Connectors,
    pub policies: Policies,
    pub dispatcher: Arc<dyn Dispatcher>,
    pub live: Live,
    /// Which loops run in this process, for `/readyz`.
    pub pulse: Pulse,
    pub shutdown: CancellationToken,
    /// Names this process among the workers.
    pub worker: String,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("account {name:?}: {source}")]
    Account { name: String, source: ConnectorError },
}

impl App {
    /// Opens the database and builds everything; starts no loop and asks no network.
    pub async fn open(config: Config) -> Result<Arc<App>, AppError> {
        let store = Store::open(&config.database.url).await?;
        let secrets = Arc::new(Self::secrets(&store, &config).await?);
        let app = App {
            analyzer: Arc::new(Analyzer::new(&DictionaryPaths::under(&config.dictionaries_dir()))),
            deltas: Deltas::new(store.clone()),
            connectors: Connectors::new(store.clone(), secrets.clone(), config.delivery.call_timeout),
            dispatcher: {
                let store = store.clone();
                queue::open(&config.queue.url, move || store.clock())?
            },
            policies: Policies::open(config.delivery.policy_dir.as_deref())?,
            live: Live::default(),
            pulse: Pulse::default(),
            shutdown: CancellationToken::new(),
            worker: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
            config,
            store,
            secrets,
        };
        Ok(Arc::new(app))
    }

    /// The key of every process on this database; one is made where there never was any.
    async fn secrets(store: &Store, config: &Config) -> Result<Secrets, AppError> {
        let dir = config.data_dir();
        let (secrets, noted) = match store.key_mark().await? {
            Some(noted) => (Secrets::given(&dir)?.ok_or(SecretsError::MissingKey)?, noted),
            None => {
                let secrets = Secrets::open(&dir)?;
                let noted = store.note_key(&secrets.key_mark()).await?;
                (secrets, noted)
            }
        };
        secrets.must_be(&noted)?;
        Ok(secrets)
    }

    /// Brings the accounts of the configuration file into the database; those no longer in it are paused.
    pub async fn put_accounts(&self) -> Result<(), AppError> {
        let told = telling::accounts(&self.config);
        let accounts = || self.config.accounts.iter().chain(&told);
        for account in accounts() {
            self.put_account(account, "file").await?;
        }
        let names: Vec<_> = accounts().map(|account| account.name.clone()).collect();
        for name in self.store.pause_accounts_not_in_file(&names).await? {
            tracing::warn!(account.name = %name, "account paused: it is no longer in the configuration file");
        }
        Ok(())
    }

    /// Adds or changes one account; its settings are tried by building its connector.
    pub async fn put_account(&self, account: &AccountConfig, origin: &'static str) -> Result<AccountId, AppError> {
        let secret = account.secret()?;
        let settings = account.settings(secret.clone(), Arc::new(muhatap_connectors::MemorySession::default()));
        connect_as(&settings, named_by(origin))
            .map_err(|source| AppError::Account { name: account.name.clone(), source })?;
        let new = self.new_account(account, secret.as_ref(), origin);
        Ok(self.store.put_account(&new, self.config.delivery.release_spacing).await?)
    }

    /// An account as it is stored, its secret encrypted.
    pub fn new_account(
        &self,
        account: &AccountConfig,
        secret: Option<&SecretString>,
        origin: &'static str,
    ) -> NewAccount {
        // Bound to the name, which is unique and never changes; the row's id is not known before it is made.
        let purpose = secret_purpose(&account.name);
        NewAccount {
            name: account.name.clone(),
            brand: account.brand.clone(),
            network: account.network.0,
            base_url: account.base_url.as_ref().map(|url| url.to_string()),
            login: account.user.clone(),
            listen_for: account.listen_for.clone(),
            poll_seconds: account.poll_seconds.into(),
            timezone: account.timezone.clone().unwrap_or_else(|| self.config.console.timezone.clone()),
            origin,
            secret_mark: secret.map(|secret| self.secrets.mark(&purpose, secret.expose_secret())),
            secret: secret.map(|secret| self.secrets.encrypt(&purpose, secret)),
        }
    }

    /// The secret an account was stored with.
    pub async fn secret_of(&self, account: &Account) -> Result<Option<SecretString>, AppError> {
        let stored = self.store.stored_secrets(account.id).await?.secret;
        let purpose = secret_purpose(&account.name);
        Ok(stored.map(|text| self.secrets.decrypt(&purpose, &text)).transpose()?)
    }

    /// Keeps the session that a network handed out for the encrypted secret `made_with`.
    pub async fn keep_session(
        &self,
        account_id: AccountId,
        made_with: Option<&str>,
        session: &SecretString,
    ) -> Result<(), AppError> {
        let text = self.secrets.encrypt(&session_purpose(account_id), session);
        Ok(self.store.save_session(account_id, made_with, &text).await?)
    }
}

impl AccountConfig {
    /// Reads the secret this account names, if it names one.
    pub fn secret(&self) -> Result<Option<SecretString>, ConfigError> {
        let secret = self.token.as_ref().map(|token| token.read(&format!("account {:?}", self.name))).transpose()?;
        // This section's secret may be any text, since it signed before there were endpoints.
        Ok(secret
            .map(|secret| if self.name == telling::WEBHOOK { webhook::Secrets::from_text(secret) } else { secret }))
    }

    /// What its connector is built from.
    pub fn settings(&self, token: Option<SecretString>, session: Arc<dyn Session>) -> AccountSettings {
        AccountSettings {
            name: self.name.clone(),
            network: self.network.0,
            base_url: self.base_url.clone(),
            user: self.user.clone(),
            token,
            listen_for: self.listen_for.clone(),
            session,
            call_timeout: std::time::Duration::from_secs(30),
        }
    }
}

/// Whose word an account's address is.
fn named_by(origin: &str) -> NamedBy {
    match origin {
        "file" => NamedBy::Operator,
        _ => NamedBy::User,
    }
}

fn secret_purpose(name: &str) -> String {
    format!("account:{name}:secret")
}

fn session_purpose(id: AccountId) -> String {
    format!("account:{id}:session")
}

/// The connectors of all accounts, built when first asked for and again when an account's settings changed.
pub struct Connectors {
    store: Store,
    secrets: Arc<Secrets>,
    call_timeout: std::time::Duration,
    built: Mutex<HashMap<AccountId, Built>>,
}

/// A connector, and when the settings it was built from last changed.
type Built = (Timestamp, Arc<dyn Connector>);

impl Connectors {
    fn new(store: Store, secrets: Arc<Secrets>, call_timeout: std::time::Duration) -> Self {
        Self { store, secrets, call_timeout, built: Mutex::default() }
    }

    pub async fn get(&self, id: AccountId) -> Result<Arc<dyn Connector>, AppError> {
        self.of(&self.store.account(id).await?).await
    }

    /// As [`Connectors::get`], where it is known when the account's settings last changed: nothing is read if the
    /// connector was built since.
    pub async fn since(&self, id: AccountId, changed_at: Timestamp) -> Result<Arc<dyn Connector>, AppError> {
        match self.built_since(id, changed_at) {
            Some(connector) => Ok(connector),
            None => self.get(id).await,
        }
    }

    /// The connector that was built since the account's settings changed at `changed_at`, if there is one.
    pub fn built_since(&self, id: AccountId, changed_at: Timestamp) -> Option<Arc<dyn Connector>> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.get(&id).filter(|(at, _)| *at == changed_at).map(|(_, connector)| connector.clone())
    }

    /// As [`Connectors::get`], for an account that was just read.
    pub async fn of(&self, account: &Account) -> Result<Arc<dyn Connector>, AppError> {
        if let Some(connector) = self.built_since(account.id, account.changed_at) {
            return Ok(connector);
        }
        let stored = self.store.stored_secrets(account.id).await?;
        let token = stored.secret.as_deref().map(|text| self.secrets.decrypt(&secret_purpose(&account.name), text));
        let refused = |source| AppError::Account { name: account.name.clone(), source };
        let base_url = account.base_url.as_deref().map(str::parse).transpose();
        let settings = AccountSettings {
            name: account.name.clone(),
            network: account.network,
            base_url: base_url.map_err(|error| refused(ConnectorError::Settings(format!("base_url: {error}"))))?,
            user: account.login.clone(),
            token: token.transpose()?,
            listen_for: account.listen_for.clone(),
            session: Arc::new(StoredSession {
                store: self.store.clone(),
                secrets: self.secrets.clone(),
                account_id: account.id,
                made_with: stored.secret,
            }),
            call_timeout: self.call_timeout,
        };
        let connector = connect_as(&settings, named_by(&account.origin)).map_err(refused)?;
        let connector: Arc<dyn Connector> = connector.into();
        let mut all = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        // Two may have built it at once: the first stays, so that one client keeps the account's limits.
        let entry = all.entry(account.id).or_insert_with(|| (account.changed_at, connector.clone()));
        if entry.0 != account.changed_at {
            *entry = (account.changed_at, connector);
        }
        Ok(entry.1.clone())
    }

    /// Puts a connector in place of an account's own: for networks that exist only in a test.
    pub fn put(&self, account: &Account, connector: Arc<dyn Connector>) {
        let mut all = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(account.id, (account.changed_at, connector));
    }
}

/// A session in the account's row, encrypted.
struct StoredSession {
    store: Store,
    secrets: Arc<Secrets>,
    account_id: AccountId,
    /// The encrypted secret the session belongs to: another one ends it.
    made_with: Option<String>,
}

#[async_trait]
impl Session for StoredSession {
    async fn load(&self) -> Result<Option<SecretString>, BoxError> {
        let stored = self.store.stored_secrets(self.account_id).await?;
        if stored.secret != self.made_with {
            return Ok(None);
        }
        let purpose = session_purpose(self.account_id);
        Ok(stored.session.map(|text| self.secrets.decrypt(&purpose, &text)).transpose()?)
    }

    async fn save(&self, session: SecretString) -> Result<(), BoxError> {
        let text = self.secrets.encrypt(&session_purpose(self.account_id), &session);
        Ok(self.store.save_session(self.account_id, self.made_with.as_deref(), &text).await?)
    }
}

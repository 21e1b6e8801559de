//! Endpoints that people set up: checked as those of the configuration file are, with a secret that is shown once. The
//! console, the API and the command line all come here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use muhatap_connectors::networks::webhook::Secrets;
use muhatap_connectors::{ConnectorError, MemorySession, Network, connect};
use rand::RngExt;
use secrecy::SecretString;
use std::sync::Arc;

use crate::accounts::{AccountError, ORIGIN, check_ours, read_url, wake};
use crate::app::App;
use crate::config::{AccountConfig, NetworkName, default_brand, default_poll_seconds};
use crate::model::{AccountId, EventKind};
use crate::store::StoreError;
use crate::store::accounts::{Account, ByHand};

/// Of a new secret; the specification asks for 24 to 64.
const SECRET_BYTES: usize = 32;
/// The former secret signs beside the new one for so long.
pub const FORMER_SIGNS: SignedDuration = SignedDuration::from_hours(24);

/// An endpoint as a person wants it; an empty text says nothing.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub name: String,
    pub brand: String,
    pub url: String,
    pub events: Vec<String>,
}

/// What is to change of an endpoint; its name stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub brand: Option<String>,
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
}

impl Wanted {
    fn config(&self) -> Result<AccountConfig, AccountError> {
        let invalid = |field, message| AccountError::Invalid { field, message };
        let url = read_url(self.url.trim()).map_err(|message| invalid("url", message.replace("base_url", "url")))?;
        if url.fragment().is_some() {
            return Err(invalid("url", "url must not hold a fragment (#…): a server never sees it".to_owned()));
        }
        let brand = self.brand.trim();
        let config = AccountConfig {
            name: self.name.trim().to_owned(),
            network: NetworkName(Network::Webhook),
            brand: if brand.is_empty() { default_brand() } else { brand.to_owned() },
            base_url: Some(url),
            user: None,
            token: None,
            listen_for: events(&self.events),
            poll_seconds: default_poll_seconds(),
            timezone: None,
        };
        config.check().map_err(|(field, message)| match field {
            "base_url" => invalid("url", message.replace("base_url", "url")),
            "listen_for" => invalid("events", message),
            field => invalid(field, message),
        })?;
        Ok(config)
    }
}

/// The events once each, in the order of the list people choose from; what is not known stays, to be named.
fn events(wanted: &[String]) -> Vec<String> {
    let wanted = || wanted.iter().map(|kind| kind.trim()).filter(|kind| !kind.is_empty());
    let known = EventKind::on_offer().map(EventKind::as_str).filter(|known| wanted().any(|kind| kind == *known));
    let unknown = wanted().filter(|kind| EventKind::on_offer().all(|known| known.as_str() != *kind));
    known.map(str::to_owned).chain(unknown.map(str::to_owned)).collect()
}

/// A secret of its own for an endpoint.
fn new_secret() -> SecretString {
    let mut bytes = [0u8; SECRET_BYTES];
    rand::rng().fill(&mut bytes);
    format!("whsec_{}", STANDARD.encode(bytes)).into()
}

/// Adds an endpoint. Its secret is handed out here and nowhere else.
pub async fn add(app: &App, wanted: &Wanted, who: &str) -> Result<(AccountId, SecretString), AccountError> {
    let config = wanted.config()?;
    known_brand(app, &config).await?;
    let secret = new_secret();
    let id = put(app, &config, &secret, &ByHand { who, changes: None }).await?;
    Ok((id, secret))
}

/// Changes an endpoint that was added here. What waits for it goes to the new address.
pub async fn change(app: &App, id: AccountId, change: &Change, who: &str) -> Result<(), AccountError> {
    let account = own(app, id).await?;
    let wanted = Wanted {
        name: account.name.clone(),
        brand: change.brand.clone().unwrap_or_else(|| account.brand.clone()),
        url: change.url.clone().unwrap_or_else(|| account.base_url.clone().unwrap_or_default()),
        events: change.events.clone().unwrap_or_else(|| account.listen_for.clone()),
    };
    let config = wanted.config()?;
    known_brand(app, &config).await?;
    let secret = secret_of(app, &account).await?;
    put(app, &config, &secret, &ByHand { who, changes: Some(account.changed_at) }).await?;
    Ok(())
}

/// A brand without accounts has nothing to tell: its name is mistyped. The default one may be waiting for its first.
async fn known_brand(app: &App, config: &AccountConfig) -> Result<(), AccountError> {
    match app.store.brand_by_name(&config.brand).await {
        Err(StoreError::NotFound(message)) if config.brand != default_brand() => {
            Err(AccountError::Invalid { field: "brand", message })
        }
        Err(error) if !matches!(error, StoreError::NotFound(_)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Gives an endpoint a new secret, handed out here alone. The former one signs beside it for a day.
pub async fn rotate(app: &App, id: AccountId, who: &str) -> Result<SecretString, AccountError> {
    let account = own(app, id).await?;
    let former = secret_of(app, &account).await?;
    let new = new_secret();
    let both = Secrets::change(&former, &new, app.store.clock() + FORMER_SIGNS);
    let wanted = Wanted {
        name: account.name.clone(),
        brand: account.brand.clone(),
        url: account.base_url.clone().unwrap_or_default(),
        events: account.listen_for.clone(),
    };
    put(app, &wanted.config()?, &both, &ByHand { who, changes: Some(account.changed_at) }).await?;
    Ok(new)
}

/// Takes an endpoint that was added here out of use: its secret is forgotten, nothing more is written for it, and what
/// it was sent stays on record.
pub async fn remove(app: &App, id: AccountId, who: &str) -> Result<(), AccountError> {
    let account = own(app, id).await?;
    app.store.remove_account(account.id, who).await?;
    wake(app);
    Ok(())
}

/// The endpoint, if it may be changed here.
async fn own(app: &App, id: AccountId) -> Result<Account, AccountError> {
    app.store.endpoint(id).await?;
    let account = app.store.account(id).await?;
    check_ours(&account)?;
    Ok(account)
}

async fn secret_of(app: &App, account: &Account) -> Result<SecretString, AccountError> {
    let stored = app.secret_of(account).await?;
    stored.ok_or_else(|| StoreError::Conflict(format!("webhook {:?} has no secret; add it again", account.name)).into())
}

async fn put(
    app: &App,
    config: &AccountConfig,
    secret: &SecretString,
    hand: &ByHand<'_>,
) -> Result<AccountId, AccountError> {
    let settings = config.settings(Some(secret.clone()), Arc::new(MemorySession::default()));
    connect(&settings).map_err(|error| match error {
        ConnectorError::Settings(message) => AccountError::Invalid { field: "url", message },
        error => AccountError::Network(error),
    })?;
    let id = app
        .store
        .put_account_by(&app.new_account(config, Some(secret), ORIGIN), hand, app.config.delivery.release_spacing)
        .await?;
    wake(app);
    Ok(id)
}

//! The configuration file and the environment over it. Read once, in `main`, and passed down as parts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use muhatap_connectors::Network;
use muhatap_connectors::http::is_own_network;
use muhatap_connectors::networks::mail;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::model::{EventKind, Weekday};
use crate::queue::redis::Server;
use crate::telling;

/// Every key with its default is in `config/muhatap.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the key file, the journal and the dictionaries lie; the database's folder unless set.
    pub data_dir: Option<PathBuf>,
    pub database: DatabaseConfig,
    pub queue: QueueConfig,
    pub console: ConsoleConfig,
    pub webhooks: WebhooksConfig,
    pub delivery: DeliveryConfig,
    pub alerts: AlertsConfig,
    pub digest: Option<DigestConfig>,
    pub log: LogConfig,
    pub accounts: Vec<AccountConfig>,
    /// Where it was read from, for messages.
    #[serde(skip)]
    pub source: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    pub url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    pub url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    pub listen: SocketAddr,
    /// IANA name; accounts may have their own.
    pub timezone: String,
    /// `tr` or `en`, where neither the user nor the browser says otherwise.
    pub language: String,
    /// How people reach the console when a proxy stands before it; its host is then accepted too.
    pub public_url: Option<Url>,
    /// The largest file that the API imports, in MiB.
    pub import_limit_mb: u32,
}

impl ConsoleConfig {
    /// The largest file that the API imports, in bytes.
    pub fn import_limit(&self) -> u64 {
        u64::from(self.import_limit_mb) * 1024 * 1024
    }
}

/// A listener apart from the console, for networks that push. None of the present networks does, so nothing listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    pub listen: SocketAddr,
}

/// The numbers of JOBS 2.1 to 2.3 that an operator may change.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// How long after the lease of an unclear call the network is asked.
    #[serde(rename = "settle_seconds", deserialize_with = "seconds")]
    pub settle: Duration,
    /// Between the two read-backs that prove absence.
    #[serde(rename = "read_back_gap_seconds", deserialize_with = "seconds")]
    pub read_back_gap: Duration,
    /// What a lease lasts beyond the call's own timeout.
    #[serde(rename = "lease_margin_seconds", deserialize_with = "seconds")]
    pub lease_margin: Duration,
    /// A worker that prepares or looks may be silent for so long before another one goes on; in the queue twice as long.
    #[serde(rename = "work_lease_seconds", deserialize_with = "seconds")]
    pub work_lease: Duration,
    /// How long a reply waits for Undo.
    #[serde(rename = "undo_seconds", deserialize_with = "seconds")]
    pub undo: Duration,
    /// Later than this and a post is held for a person.
    #[serde(rename = "post_late_seconds", deserialize_with = "seconds")]
    pub post_late: Duration,
    #[serde(rename = "reply_late_seconds", deserialize_with = "seconds")]
    pub reply_late: Duration,
    /// The timeout of the one call that counts; a network's policy may set a shorter one.
    #[serde(rename = "call_timeout_seconds", deserialize_with = "seconds")]
    pub call_timeout: Duration,
    /// Between two held deliveries that are released together.
    #[serde(rename = "release_spacing_seconds", deserialize_with = "seconds")]
    pub release_spacing: Duration,
    /// Files that replace the built-in policy of a network: `DIR/<network>.toml`.
    pub policy_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    pub email: Option<EmailConfig>,
    pub webhook: Option<WebhookConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// `smtps://user:password@host` or `smtp://host:port`: it may hold a password, so it is a secret.
    pub smtp_url: SecretSource,
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    pub url: Url,
    /// Signs it as every webhook is signed; any text, or `whsec_…`.
    pub secret: Option<SecretSource>,
}

/// Mails of what was said and what waits, through the server of `[alerts.email]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestConfig {
    /// Each gets a mail of their own.
    pub to: Vec<String>,
    /// The local time.
    pub at: Time,
    /// Every day unless said.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// IANA name; the console's unless said.
    pub timezone: Option<String>,
    /// `tr` or `en`; the console's unless said.
    pub language: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As in `RUST_LOG`, which wins over it.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    pub name: String,
    pub network: NetworkName,
    #[serde(default = "default_brand")]
    pub brand: String,
    pub base_url: Option<Url>,
    /// The login name, where the network wants one beside the secret.
    pub user: Option<String>,
    pub token: Option<SecretSource>,
    #[serde(default)]
    pub listen_for: Vec<String>,
    #[serde(default = "default_poll_seconds")]
    pub poll_seconds: u32,
    pub timezone: Option<String>,
}

/// A network's name, with a message that lists the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NetworkName(pub Network);

impl TryFrom<String> for NetworkName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// Where a secret lies; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Environment(String),
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{place}: {message}")]
    Invalid { place: String, message: String },
}

impl ConfigError {
    pub fn invalid(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), message: message.into() }
    }
}

/// Variables that start with `MUHATAP_` and are not keys of the configuration.
const RESERVED: [&str; 3] = ["MUHATAP_CONFIG", "MUHATAP_KEY", "MUHATAP_KEY_FILE"];

impl Config {
    /// Reads `path` (or `MUHATAP_CONFIG`, or `muhatap.toml` in the current folder or `/etc/muhatap`, where they are)
    /// and puts the environment over it.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("MUHATAP_"))
            .collect();
        let named = path.map(Path::to_owned).or_else(|| environment.get("MUHATAP_CONFIG").map(PathBuf::from));
        let found = named.or_else(|| {
            ["muhatap.toml", "/etc/muhatap/muhatap.toml"].iter().map(PathBuf::from).find(|path| path.exists())
        });
        let text = match &found {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?,
            None => String::new(),
        };
        let mut config = Self::parse(&text, found.as_deref(), &environment)?;
        config.source = found;
        Ok(config)
    }

    /// Parses `text` (from `path`, for messages) and puts `environment` over it.
    pub fn parse(
        text: &str,
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Config, ConfigError> {
        let file = path.map_or("configuration".to_owned(), |path| path.display().to_string());
        // Parsed alone first, so that a mistake in the file is told with its line.
        let mut config: Config = toml::from_str(text)
            .map_err(|error| ConfigError::invalid(place_of(&error, text, &file), explain(error.message())))?;
        let overrides: Vec<_> = environment.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())).collect();
        if !overrides.is_empty() {
            let base: toml::Table =
                toml::from_str(text).map_err(|error| ConfigError::invalid(file.clone(), error.message()))?;
            let mut merged = base.clone();
            for (name, value) in overrides {
                // Checked one by one, so that the message names the variable at fault.
                let mut alone = base.clone();
                set(&mut alone, name, value)?;
                let check: Result<Config, _> = alone.try_into();
                check
                    .map_err(|error: toml::de::Error| ConfigError::invalid(name.as_str(), explain(error.message())))?;
                set(&mut merged, name, value)?;
            }
            config = merged
                .try_into()
                .map_err(|error: toml::de::Error| ConfigError::invalid("environment", explain(error.message())))?;
        }
        config.check(&file)?;
        Ok(config)
    }

    fn check(&self, file: &str) -> Result<(), ConfigError> {
        check_zone(&self.console.timezone)
            .map_err(|message| ConfigError::invalid(format!("{file}, console.timezone"), message))?;
        check_language(&self.console.language)
            .map_err(|message| ConfigError::invalid(format!("{file}, console.language"), message))?;
        if let Some(digest) = &self.digest {
            digest.check().map_err(|(key, message)| ConfigError::invalid(format!("{file}, digest{key}"), message))?;
            if self.alerts.email.is_none() {
                let message = "a digest goes out through the mail server of [alerts.email]; write that section too, with \
                    to = [] if nobody is to get alerts";
                return Err(ConfigError::invalid(format!("{file}, digest"), message));
            }
        }
        let scheme = |url: &str| url.split_once(':').map(|(scheme, _)| scheme.to_owned()).unwrap_or_default();
        if !["sqlite", "postgres", "postgresql"].contains(&scheme(&self.database.url).as_str()) {
            return Err(ConfigError::invalid(
                format!("{file}, database.url"),
                "write \"sqlite:FILE\" or \"postgres://user@host/database\"",
            ));
        }
        if scheme(&self.queue.url) != "local"
            && let Err(error) = Server::parse(&self.queue.url)
        {
            return Err(ConfigError::invalid(format!("{file}, queue.url"), format!("{error}, or local:")));
        }
        if self.console.import_limit_mb == 0 {
            let message = "0 would take no file at all; write how many MiB an uploaded file may have";
            return Err(ConfigError::invalid(format!("{file}, console.import_limit_mb"), message));
        }
        self.alerts
            .check(self.digest.as_ref())
            .map_err(|(key, message)| ConfigError::invalid(format!("{file}, alerts.{key}"), message))?;
        self.delivery
            .check()
            .map_err(|(key, message)| ConfigError::invalid(format!("{file}, delivery.{key}"), message))?;
        let mut names = BTreeSet::new();
        for account in &self.accounts {
            let place = format!("{file}, account {:?}", account.name);
            if account.network.0 == Network::Mail {
                let message = "mail goes out through one server, of the section [alerts.email]; write it there";
                return Err(ConfigError::invalid(place, message));
            }
            if !names.insert(&account.name) {
                return Err(ConfigError::invalid(place, "two accounts have this name; names must differ"));
            }
            if account.network.0 == Network::Webhook && account.token.is_none() {
                let message = "a webhook needs a secret to sign its events with: token names where \"whsec_\" and 24 to 64 \
                    random bytes in base64 lie";
                return Err(ConfigError::invalid(place, message));
            }
            account.check().map_err(|(_, message)| ConfigError::invalid(place, message))?;
        }
        Ok(())
    }

    /// Where files beside the database lie.
    pub fn data_dir(&self) -> PathBuf {
        if let Some(dir) = &self.data_dir {
            return dir.clone();
        }
        let file = self.database.url.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//"));
        match file.map(|rest| Path::new(rest.split('?').next().unwrap_or(rest))).and_then(Path::parent) {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// The folder of lindera dictionaries that `muhatap dictionaries` builds.
    pub fn dictionaries_dir(&self) -> PathBuf {
        self.data_dir().join("dictionaries")
    }
}

impl DeliveryConfig {
    /// Shorter, and a busy machine breaks what the rules of sending stand on; longer, and nobody goes on with the work of a
    /// worker that died.
    fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, value, from, to) in [
            ("call_timeout_seconds", self.call_timeout, 1, 600),
            ("lease_margin_seconds", self.lease_margin, 2, 600),
            ("work_lease_seconds", self.work_lease, 2, 600),
            ("settle_seconds", self.settle, 1, 3600),
            ("read_back_gap_seconds", self.read_back_gap, 1, 3600),
        ] {
            if !(Duration::from_secs(from)..=Duration::from_secs(to)).contains(&value) {
                return Err((key, format!("{} s is not from {from} to {to} s", value.as_secs_f64())));
            }
        }
        Ok(())
    }
}

impl AccountConfig {
    /// Whether its values can be; names the key at fault.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.name.trim().is_empty() || self.name.len() > 64 {
            return Err(("name", "the name must have 1 to 64 characters".to_owned()));
        }
        if [telling::EMAIL, telling::WEBHOOK].contains(&self.name.trim()) {
            let message = "this name stands for the section of the same name; choose another one";
            return Err(("name", message.to_owned()));
        }
        if !(5..=86_400).contains(&self.poll_seconds) {
            return Err(("poll_seconds", "poll_seconds must be from 5 to 86400".to_owned()));
        }
        if let Some(name) = &self.timezone {
            check_zone(name).map_err(|message| ("timezone", message))?;
        }
        if self.network.0 == Network::Webhook {
            self.check_webhook()?;
        }
        if let Some(nothing) = self.listen_for.iter().find(|word| word.trim_matches(['#', '@', ' ']).is_empty()) {
            return Err(("listen_for", format!("{nothing:?} names nothing to listen for; take it out")));
        }
        self.base_url.as_ref().map_or(Ok(()), |url| self.check_base_url(url)).map_err(|message| ("base_url", message))
    }

    fn check_base_url(&self, url: &Url) -> Result<(), String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("base_url must hold no user and no password: they belong into user and token".to_owned());
        }
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(format!("base_url {url} must start with https:// (or http:// in your own network)"));
        }
        let own = is_own_network(url.host_str().unwrap_or_default());
        if url.scheme() == "http" && self.network.0 != Network::Rss && !own {
            return Err(format!("base_url {url} would send the token readable to all on the way: write https://"));
        }
        Ok(())
    }

    /// What an endpoint of a webhook needs beside.
    fn check_webhook(&self) -> Result<(), (&'static str, String)> {
        if let Some(unknown) =
            self.listen_for.iter().find(|kind| !EventKind::on_offer().any(|known| known.as_str() == **kind))
        {
            let known: Vec<&str> = EventKind::on_offer().map(EventKind::as_str).collect();
            return Err(("listen_for", format!("{unknown:?} is not an event; there are {}", known.join(", "))));
        }
        if self.listen_for.is_empty() {
            return Err(("listen_for", "name the events it wants, such as \"mention.received\"".to_owned()));
        }
        Ok(())
    }
}

impl AlertsConfig {
    /// Whether somebody can be told; `digest` goes out through the same mail server. Names the key at fault.
    fn check(&self, digest: Option<&DigestConfig>) -> Result<(), (&'static str, String)> {
        if let Some(email) = &self.email {
            check_address(&email.from).map_err(|message| ("email.from", message))?;
            check_addresses(&email.to).map_err(|message| ("email.to", message))?;
            if email.to.is_empty() && digest.is_none() {
                return Err(("email.to", "name at least one address, or leave [alerts.email] out".to_owned()));
            }
        }
        match &self.webhook {
            Some(webhook) if !["http", "https"].contains(&webhook.url.scheme()) => {
                Err(("webhook.url", format!("{} must start with https:// or http://", webhook.url)))
            }
            _ => Ok(()),
        }
    }
}

impl DigestConfig {
    /// Names the key at fault, with its full stop.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.to.is_empty() {
            return Err((".to", "nobody would get it; name at least one address".to_owned()));
        }
        check_addresses(&self.to).map_err(|message| (".to", message))?;
        self.timezone.as_deref().map_or(Ok(()), check_zone).map_err(|message| (".timezone", message))?;
        self.language.as_deref().map_or(Ok(()), check_language).map_err(|message| (".language", message))
    }
}

/// Each is an address, and a reader of one mail: an address that is named twice would be a second one.
fn check_addresses(addresses: &[String]) -> Result<(), String> {
    addresses.iter().try_for_each(|address| check_address(address))?;
    let mut named = BTreeSet::new();
    match addresses.iter().find(|address| !named.insert(*address)) {
        Some(twice) => Err(format!("{twice:?} is named twice; name each address once")),
        None => Ok(()),
    }
}

fn check_address(text: &str) -> Result<(), String> {
    match mail::is_address(text) {
        true => Ok(()),
        false => Err(format!("{text:?} is not an e-mail address; write name@example.com")),
    }
}

fn check_language(code: &str) -> Result<(), String> {
    match ["tr", "en"].contains(&code) {
        true => Ok(()),
        false => Err(format!("{code:?} is not a language of the console; write \"tr\" or \"en\"")),
    }
}

fn check_zone(name: &str) -> Result<(), String> {
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{name:?} is not a time zone; write an IANA name such as \"Europe/Istanbul\"")),
    }
}

/// Puts one variable over the table: `MUHATAP_DATABASE__URL` sets `database.url`. A value that reads as a number, flag,
/// array or table is one; everything else is text.
fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let path = name["MUHATAP_".len()..].to_ascii_lowercase();
    let mut keys: Vec<&str> = path.split("__").collect();
    let last = keys.pop().unwrap_or_default();
    let mut section = table;
    for key in keys {
        section = section
            .entry(key)
            .or_insert_with(|| toml::Table::new().into())
            .as_table_mut()
            .ok_or_else(|| ConfigError::invalid(name, format!("{key} is not a section")))?;
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok().and_then(|mut t| t.remove("value"));
    let parsed = match parsed {
        Some(toml::Value::Datetime(_)) | None => value.into(),
        Some(parsed) => parsed,
    };
    section.insert(last.to_owned(), parsed);
    Ok(())
}

/// Where in the file a mistake is: its line, and the key in that line.
fn place_of(error: &toml::de::Error, text: &str, file: &str) -> String {
    let Some(span) = error.span() else { return file.to_owned() };
    let before = &text[..span.start.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    match key.filter(|key| !key.is_empty() && !key.starts_with('#')) {
        Some(key) => format!("{file}, line {line}, {key}"),
        None => format!("{file}, line {line}"),
    }
}

/// Adds the nearest known key to serde's message about an unknown one.
fn explain(message: &str) -> String {
    if message.contains("socket address") {
        return format!("{}; write address and port, as in \"127.0.0.1:8080\"", message.trim());
    }
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.trim().to_owned() };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let nearest =
        known.iter().max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
    match nearest {
        Some(nearest) => {
            format!("unknown key {unknown:?}; did you mean {nearest:?}? known here: {}", known.join(", "))
        }
        None => format!("unknown key {unknown:?}; no key is known here"),
    }
}

impl SecretSource {
    /// Reads the secret. `what` names it in the message: `account "destek"`.
    pub fn read(&self, what: &str) -> Result<SecretString, ConfigError> {
        let text = match self {
            Self::Environment(name) => std::env::var(name).map_err(|_| {
                ConfigError::invalid(what, format!("the environment variable {name} is not set; set it to the secret"))
            })?,
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                ConfigError::invalid(what, format!("the secret's file {} cannot be read: {error}", path.display()))
            })?,
        };
        match text.trim() {
            "" => Err(ConfigError::invalid(what, format!("the secret in {self} is empty"))),
            secret => Ok(secret.to_owned().into()),
        }
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "the environment variable {name}"),
            Self::File(path) => write!(formatter, "the file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Source;
        const HOW: &str = "write { env = \"VARIABLE\" } or { file = \"/path\" }, never the secret itself";

        impl<'de> serde::de::Visitor<'de> for Source {
            type Value = SecretSource;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("{ env = \"VARIABLE\" } or { file = \"/path\" }")
            }

            // The value is a secret: it must not be repeated in the message.
            fn visit_str<E: serde::de::Error>(self, _secret: &str) -> Result<SecretSource, E> {
                Err(E::custom(format!("a secret does not belong in the file: {HOW}")))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                let entry: Option<(String, String)> = map.next_entry()?;
                let second: Option<(String, serde::de::IgnoredAny)> = map.next_entry()?;
                match (entry.as_ref().map(|(key, value)| (key.as_str(), value)), second) {
                    (Some(("env", name)), None) => Ok(SecretSource::Environment(name.clone())),
                    (Some(("file", path)), None) => Ok(SecretSource::File(path.into())),
                    _ => Err(serde::de::Error::custom(HOW)),
                }
            }
        }
        deserializer.deserialize_any(Source)
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    match (0.0..=31_536_000.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(serde::de::Error::custom("a number of seconds from 0 to 31536000 (a year)")),
    }
}

/// The brand of accounts that name none.
pub fn default_brand() -> String {
    "default".to_owned()
}

/// How often an account is polled that says nothing else.
pub fn default_poll_seconds() -> u32 {
    30
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite:muhatap.db".to_owned() }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { url: "local:".to_owned() }
    }
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            timezone: "Europe/Istanbul".to_owned(),
            language: "tr".to_owned(),
            public_url: None,
            import_limit_mb: 256,
        }
    }
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 8081).into() }
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(30),
            read_back_gap: Duration::from_secs(30),
            lease_margin: Duration::from_secs(10),
            work_lease: Duration::from_secs(30),
            undo: Duration::from_secs(10),
            post_late: Duration::from_secs(15 * 60),
            reply_late: Duration::from_secs(24 * 3600),
            call_timeout: Duration::from_secs(30),
            release_spacing: Duration::from_secs(60),
            policy_dir: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

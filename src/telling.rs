//! The ways of telling our own people: accounts that the configuration's sections stand for, through which alerts and
//! digests go out as deliveries.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use muhatap_connectors::Network;
use url::Url;

use crate::config::{
    AccountConfig, Config, ConsoleConfig, EmailConfig, NetworkName, WebhookConfig, default_brand, default_poll_seconds,
};
use crate::model::EventKind;
use crate::web::locale::{Language, Locale};

/// The account behind `[alerts.email]`: a mail server, of digests too.
pub const EMAIL: &str = "alerts.email";
/// The account behind `[alerts.webhook]`: an endpoint of webhooks.
pub const WEBHOOK: &str = "alerts.webhook";

/// The accounts of these sections, to be kept as the other accounts of the file are.
pub fn accounts(config: &Config) -> Vec<AccountConfig> {
    let digest = config.digest.iter().flat_map(|digest| &digest.to);
    let account = |name: &str, network| AccountConfig {
        name: name.to_owned(),
        network: NetworkName(network),
        brand: default_brand(),
        base_url: None,
        user: None,
        token: None,
        listen_for: Vec::new(),
        poll_seconds: default_poll_seconds(),
        timezone: None,
    };
    let email = config.alerts.email.iter().map(|EmailConfig { smtp_url, from, to }| AccountConfig {
        user: Some(from.clone()),
        token: Some(smtp_url.clone()),
        listen_for: to.iter().chain(digest.clone()).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        ..account(EMAIL, Network::Mail)
    });
    let webhook = config.alerts.webhook.iter().map(|WebhookConfig { url, secret }| AccountConfig {
        base_url: Some(url.clone()),
        token: secret.clone(),
        listen_for: vec![EventKind::AlertsRaised.as_str().to_owned()],
        ..account(WEBHOOK, Network::Webhook)
    });
    email.chain(webhook).collect()
}

/// In which words and on which clock. Both names were checked when the configuration was read.
pub fn locale(language: &str, timezone: &str, now: Timestamp) -> Locale {
    Locale {
        language: language.parse().unwrap_or(Language::Turkish),
        timezone: TimeZone::get(timezone).unwrap_or(TimeZone::UTC),
        now,
    }
}

/// Where people reach the console, without a slash at the end.
pub fn console_address(console: &ConsoleConfig) -> String {
    match &console.public_url {
        Some(url) => Url::as_str(url).trim_end_matches('/').to_owned(),
        None => format!("http://{}", console.listen),
    }
}

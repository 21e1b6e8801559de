//! What a person can stop, and what that covers.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{AccountId, Network};

/// What a person has stopped: nothing new of it is taken, what is under way ends. The widest is the first in order; its
/// text is its name in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(tag = "scope", rename_all = "snake_case")]
#[schema(as = StopScope)]
pub enum Scope {
    /// Every call that publishes or deletes; webhooks and mails tell of it and go on.
    All,
    /// Posts on every account; replies and deletions go on.
    Posts,
    /// Every account that shares an app and its limits: those of one network and address.
    App {
        #[schema(value_type = String)]
        network: Network,
        base_url: Option<String>,
    },
    Account {
        account_id: AccountId,
    },
}

impl Scope {
    /// Whether it covers what an account sends.
    pub fn covers(&self, sent: &Sent<'_>) -> bool {
        match self {
            Self::All => !sent.network.only_tells(),
            Self::Posts => sent.is_post,
            Self::App { network, base_url } => *network == sent.network && base_url.as_deref() == sent.base_url,
            Self::Account { account_id } => *account_id == sent.account_id,
        }
    }
}

/// What a scope is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    pub account_id: AccountId,
    pub network: Network,
    pub base_url: Option<&'a str>,
    /// A post, and no answer or deletion.
    pub is_post: bool,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Posts => formatter.write_str("posts"),
            Self::Account { account_id } => write!(formatter, "account:{account_id}"),
            Self::App { network, base_url } => {
                write!(formatter, "app:{} {}", network.as_str(), base_url.as_deref().unwrap_or_default())
            }
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is not one of all, posts, account:ID, app:NETWORK ADDRESS");
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            None if text == "posts" => Ok(Self::Posts),
            Some(("account", id)) => Ok(Self::Account { account_id: id.parse()? }),
            Some(("app", app)) => {
                let (network, base_url) = app.split_once(' ').ok_or_else(unknown)?;
                let network = network.parse().map_err(|_| unknown())?;
                Ok(Self::App { network, base_url: (!base_url.is_empty()).then(|| base_url.to_owned()) })
            }
            _ => Err(unknown()),
        }
    }
}

/// A stop that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stop {
    #[serde(flatten)]
    pub scope: Scope,
    pub reason: String,
    /// A user's id, `token:ID`, `local` or `cli`.
    pub stopped_by: String,
    pub stopped_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_what_it_was_written_as() {
        let scopes = [
            Scope::All,
            Scope::Posts,
            Scope::Account { account_id: AccountId::new(Timestamp::UNIX_EPOCH) },
            Scope::App { network: Network::Mastodon, base_url: Some("https://mastodon.example/".into()) },
            Scope::App { network: Network::Telegram, base_url: None },
        ];
        for scope in scopes {
            assert_eq!(scope.to_string().parse::<Scope>().as_ref(), Ok(&scope));
        }
        for wrong in ["", "everything", "account:x", "app:mastodon", "app:orkut x"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}

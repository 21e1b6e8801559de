//! What a person's link to a message says: where the message can be seen, and what its network calls it.

use muhatap_connectors::Receipt;
use url::Url;

use crate::app::App;
use crate::model::DeliveryId;
use crate::store::StoreError;
use crate::store::accounts::Account;

/// The longest link, in characters.
const LONGEST_LINK: usize = 2_000;

/// Why a link is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Says what is wrong with it, and the next step.
    #[error("{0}")]
    Unfit(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The receipt of the message that `link` leads to, by the account that `delivery` goes out on. Nothing is asked of the
/// network: where the link does not tell what the network calls the message, the link stands for it.
pub async fn receipt(app: &App, delivery: DeliveryId, link: &str) -> Result<Receipt, LinkError> {
    let account = app.store.account(app.store.delivery(delivery).await?.account_id).await?;
    let link = parse(link)?;
    on_its_network(&account, &link)?;
    let named = match app.connectors.of(&account).await {
        Ok(connector) => connector.publisher().and_then(|to| to.linked(&link, account.remote_id.as_deref())),
        // An account that cannot be used still has messages that a person can find.
        Err(_) => None,
    };
    Ok(named.unwrap_or_else(|| Receipt { remote_id: link.to_string(), local_id: None, url: Some(link.to_string()) }))
}

fn parse(link: &str) -> Result<Url, LinkError> {
    if link.chars().count() > LONGEST_LINK {
        return Err(LinkError::Unfit(format!(
            "the link has more than {LONGEST_LINK} characters; copy the address of the message itself"
        )));
    }
    Url::parse(link).ok().filter(|link| matches!(link.scheme(), "http" | "https") && link.has_host()).ok_or_else(|| {
        LinkError::Unfit("the link is no web address; copy the message's own, which begins with https://".into())
    })
}

/// Refuses a link to another site than the account's, where that is known.
fn on_its_network(account: &Account, link: &Url) -> Result<(), LinkError> {
    let hosts: Vec<String> = [&account.profile_url, &account.base_url]
        .into_iter()
        .flatten()
        .filter_map(|url| Some(bare(&Url::parse(url).ok()?)))
        .collect();
    match (&account.profile_url, hosts.first()) {
        (Some(_), Some(page)) if !hosts.contains(&bare(link)) => Err(LinkError::Unfit(format!(
            "the link leads to {}, and account {} is on {page}; copy the message's address from there",
            bare(link),
            account.name
        ))),
        _ => Ok(()),
    }
}

/// The host, whether or not it is written with `www.`.
fn bare(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_link_is_a_web_address_of_bounded_length() {
        assert_eq!(parse("https://t.me/duyuru/5").expect("a link").host_str(), Some("t.me"));
        for wrong in ["", "abc def", "12345", "javascript:alert(1)", "https://", "ftp://t.me/duyuru/5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&format!("https://t.me/{}", "x".repeat(2_000))).is_err());
    }
}

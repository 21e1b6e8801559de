//! What a link to an own message tells of it, without asking the network.

use muhatap_connectors::{AccountSettings, Connector, Network, Receipt, connect};
use rstest::rstest;
use url::Url;

use crate::support::account;

const OWN: &str = "did:plc:own";

fn connector(network: Network) -> Box<dyn Connector> {
    let server = match network {
        Network::Bluesky => "https://bsky.social",
        Network::Telegram => "https://api.telegram.org",
        _ => "https://burada.example",
    };
    let token = if network == Network::Telegram { "4711:gizli" } else { "gizli" };
    let settings = account(network, &server.parse().expect("an address"), token);
    connect(&AccountSettings { user: Some("@duyuru".to_owned()), ..settings }).expect("a connector")
}

fn linked(network: Network, link: &str) -> Option<Receipt> {
    let link: Url = link.parse().expect("an address");
    let connector = connector(network);
    connector.publisher().expect("it publishes").linked(&link, Some(OWN))
}

#[rstest]
#[case(Network::Telegram, "https://t.me/duyuru/5", "@duyuru/5", Some("@duyuru/5"))]
#[case(Network::Telegram, "https://t.me/duyuru/3/5?single", "@duyuru/5", Some("@duyuru/5"))]
#[case(Network::Telegram, "https://t.me/c/1234/5", "-1001234/5", Some("-1001234/5"))]
#[case(Network::Mastodon, "https://burada.example/@biz/1001", "https://burada.example/@biz/1001", Some("1001"))]
#[case(
    Network::Mastodon,
    "https://burada.example/users/biz/statuses/1001",
    "https://burada.example/users/biz/statuses/1001",
    Some("1001")
)]
#[case(
    Network::Bluesky,
    "https://bsky.app/profile/biz.example/post/3k",
    "at://did:plc:own/app.bsky.feed.post/3k",
    None
)]
#[case(
    Network::Matrix,
    "https://matrix.to/#/!oda:burada.example/$olay?via=burada.example",
    "!oda:burada.example/$olay",
    None
)]
#[case(Network::Matrix, "https://matrix.to/#/!oda%3Aburada.example/%24olay", "!oda:burada.example/$olay", None)]
#[test]
fn a_right_link_names_the_message(
    #[case] network: Network,
    #[case] link: &str,
    #[case] remote_id: &str,
    #[case] local_id: Option<&str>,
) {
    let receipt = linked(network, link).expect("it is a message's");
    assert_eq!((receipt.remote_id.as_str(), receipt.local_id.as_deref()), (remote_id, local_id));
    assert_eq!(receipt.url.as_deref(), Some(link));
}

#[rstest]
#[case(Network::Telegram, "https://t.me/duyuru")]
#[case(Network::Telegram, "https://t.me/duyuru/beş")]
#[case(Network::Telegram, "https://t.me/c/x/5")]
#[case(Network::Telegram, "https://burada.example/duyuru/5")]
#[case(Network::Mastodon, "https://burada.example/@biz")]
#[case(Network::Mastodon, "https://baska.example/@biz/1001")]
#[case(Network::Bluesky, "https://bsky.app/profile/did:plc:other/post/3k")]
#[case(Network::Bluesky, "https://bsky.app/profile/biz.example")]
#[case(Network::Matrix, "https://matrix.to/#/@biz:burada.example")]
#[test]
fn a_link_to_something_else_names_none(#[case] network: Network, #[case] link: &str) {
    assert_eq!(linked(network, link), None);
}

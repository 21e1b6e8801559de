//! A simulated network with many accounts.

use muhatap_simulator::{Network, Options, OwnAccount, Simulator};

use super::rig::{ACCOUNTS, account, token};

/// A quiet network with [`ACCOUNTS`] accounts of ours and no limits of its own.
pub async fn network() -> Simulator {
    let accounts = (0..ACCOUNTS).map(|number| OwnAccount {
        network: Network::Mastodon,
        handle: account(number),
        display_name: account(number),
        token: token(number),
    });
    let mut options = Options { accounts: accounts.collect(), channels: Vec::new(), ..Options::quiet() };
    options.script.rate_limit.calls = u64::MAX;
    Simulator::start(options).await.expect("the simulator starts")
}

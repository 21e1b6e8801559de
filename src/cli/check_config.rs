//! `muhatap check-config`: every account, without touching a network unless asked to.

use std::process::ExitCode;
use std::sync::Arc;

use muhatap_connectors::{MemorySession, NamedBy, Network, connect_as};

use crate::accounts::who_is;
use crate::config::{AccountConfig, Config};
use crate::queue::redis::Server;
use crate::secrets::Secrets;
use crate::telling;

/// Checks the configuration: every key, every secret's place, every account's settings.
///
/// Example: muhatap check-config --config muhatap.toml --online
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Also asks each network who the credentials belong to, and Redis whether it will do
    #[arg(long)]
    online: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let source = config.source.as_ref().map_or("built-in defaults".to_owned(), |path| path.display().to_string());
    println!("{source}: every key is known and readable");
    println!("database {}, queue {}", without_password(&config.database.url), without_password(&config.queue.url));
    let mut failed = 0;
    if args.online && !config.queue.url.starts_with("local:") {
        match Server::parse(&config.queue.url)?.probe().await {
            Ok(about) => {
                let masters = if about.masters > 1 { format!(", {} masters", about.masters) } else { String::new() };
                println!("queue: redis {}{masters}", about.version);
                about.advice.iter().for_each(|advice| println!("queue: {advice}"));
            }
            Err(error) => {
                failed += 1;
                eprintln!("queue: {error}");
            }
        }
    }
    if config.accounts.is_empty() {
        println!("no account yet: add [[accounts]] to the file; config/muhatap.toml has an example of each network");
    }
    for account in config.accounts.iter().chain(&telling::accounts(&config)) {
        match check(account, args.online).await {
            Ok(found) => println!("account {:?} on {}: {found}", account.name, account.network.0.as_str()),
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
    }
    if let Err(error) = Secrets::given(&config.data_dir()) {
        failed += 1;
        eprintln!("{error}");
    }
    crate::policy::Policies::open(config.delivery.policy_dir.as_deref())?;
    // A wrong configuration, as for every other command.
    Ok(if failed > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

async fn check(account: &AccountConfig, online: bool) -> Result<String, String> {
    let named = |error: &dyn std::fmt::Display| format!("account {:?}: {error}", account.name);
    let secret = account.secret().map_err(|error| error.to_string())?;
    let settings = account.settings(secret, Arc::new(MemorySession::default()));
    let connector = connect_as(&settings, NamedBy::Operator).map_err(|error| named(&error))?;
    let streams: Vec<String> = connector.streams().iter().map(|stream| stream.name()).collect();
    let listens = match account.network.0 {
        Network::Webhook => format!("is told of {}", account.listen_for.join(", ")),
        Network::Mail => format!("sends to {}", account.listen_for.join(", ")),
        _ => format!("listens to {}", streams.join(", ")),
    };
    if !online {
        return Ok(listens);
    }
    let profile = who_is(connector.as_ref()).await.map_err(|error| named(&error))?;
    Ok(format!("is {}; {listens}", profile.handle))
}

/// A URL as it may be shown: what stands between the user's name and the host is left out.
fn without_password(url: &str) -> String {
    let shown = || {
        let (scheme, rest) = url.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        let at = authority.rfind('@')?;
        let (user, _) = authority[..at].split_once(':')?;
        Some(format!("{scheme}://{user}:…{}", &rest[at..]))
    };
    shown().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("redis+cluster://me:s3cret@one:1,two:2", "redis+cluster://me:…@one:1,two:2"),
            ("postgres://me:s3:cr@t@host/muhatap?x=1", "postgres://me:…@host/muhatap?x=1"),
            ("rediss://:s3cret@host", "rediss://:…@host"),
            ("redis://host:6379", "redis://host:6379"),
            ("sqlite:muhatap.db", "sqlite:muhatap.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}

//! `muhatap token`: tokens for the JSON API.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::SignedDuration;

use super::UsageError;
use crate::config::Config;
use crate::model::{Scope, TokenId};
use crate::store::Store;
use crate::store::users::NewToken;
use crate::web::api::TOKEN_PREFIX;
use crate::web::credentials::{hash_of, random_value};

/// Make, list and revoke tokens for the JSON API
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  TOKEN=$(muhatap token create reports --scope read --days 90)")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token; it is printed this once and stored as a hash alone
    Create {
        name: String,
        /// read, write (reads too) or admin (everything); may be repeated
        #[arg(long = "scope", default_value = "read")]
        scopes: Vec<Scope>,
        /// Days until it expires; never unless given
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// List every token, without its value
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token, by its id or name
    Revoke { token: String },
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    match args.action {
        Action::Create { name, scopes, days } => {
            let name = name.trim().to_owned();
            if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
                return Err(UsageError("the name must have 1 to 64 characters".into()).into());
            }
            let expires_at = days.map(|days| store.clock() + SignedDuration::from_hours(24 * i64::from(days)));
            let value = random_value(TOKEN_PREFIX);
            let token = NewToken { name, token_hash: hash_of(&value), scopes, expires_at };
            let token = store.add_token(&token, "cli").await?;
            println!("{value}");
            eprintln!("token {} ({}): shown this once, keep it safe", token.id, token.name);
        }
        Action::List { json } => {
            let tokens = store.tokens().await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&tokens)?);
            } else {
                let now = store.clock();
                for token in tokens {
                    let state = match (token.revoked_at, token.expires_at) {
                        (Some(_), _) => "revoked".to_owned(),
                        (None, Some(end)) if end <= now => "expired".to_owned(),
                        (None, Some(end)) => format!("until {end:.0}"),
                        (None, None) => "active".to_owned(),
                    };
                    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                    println!("{}  {:<12}  {state:<28}  {}", token.id, scopes.join(","), token.name);
                }
            }
        }
        Action::Revoke { token } => {
            let id = match token.parse::<TokenId>() {
                Ok(id) => id,
                Err(_) => {
                    let named = store.tokens().await?.into_iter().find(|known| known.name == token);
                    named.map(|known| known.id).ok_or_else(|| UsageError(format!("there is no token {token:?}")))?
                }
            };
            let token = store.revoke_token(id, "cli").await?;
            eprintln!("token {} ({}) is revoked", token.id, token.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

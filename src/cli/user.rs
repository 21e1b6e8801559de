//! `muhatap user`: who may log in to the console.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Subcommand;

use super::UsageError;
use crate::config::Config;
use crate::model::Role;
use crate::store::Store;
use crate::store::users::{Disabled, NewUser, UserChange};
use crate::web::credentials::{check_password, clean_name, hash_password};

/// Add, list and change the users of the console
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  printf '%s\\n' \"$PASSWORD\" | muhatap user add ayse --role agent")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user; the password is read from standard input
    Add {
        name: String,
        /// admin (everything), agent (answers and publishes) or viewer (looks on)
        #[arg(long, default_value = "agent")]
        role: Role,
        /// What the console speaks to them: tr or en [default: console.language]
        #[arg(long, value_parser = ["tr", "en"])]
        language: Option<String>,
        /// IANA name [default: console.timezone]
        #[arg(long)]
        timezone: Option<String>,
    },
    /// List every user
    List {
        #[arg(long)]
        json: bool,
    },
    /// Give a user a new password, read from standard input; ends their sessions
    Password { name: String },
    /// Change a user's role
    Role { name: String, role: Role },
    /// Log a user out and keep them out; what they wrote stays
    Disable { name: String },
    /// Let a disabled user in again
    Enable { name: String },
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    match args.action {
        Action::Add { name, role, language, timezone } => {
            let name = clean_name(&name).map_err(|error| UsageError(error.to_string()))?.to_owned();
            if let Some(zone) = &timezone {
                jiff::tz::TimeZone::get(zone).map_err(|_| {
                    UsageError(format!("{zone:?} is not a time zone; write an IANA name such as Europe/Istanbul"))
                })?;
            }
            let password_hash = hash_password(new_password(&name)?).await;
            let language = language.unwrap_or(config.console.language);
            let user = NewUser { name, password_hash, role, language, timezone };
            let id = store.add_user(&user, "cli").await?;
            println!("{id}");
        }
        Action::List { json } => {
            let users = store.users().await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&users)?);
            } else {
                for user in users {
                    let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                    println!("{}  {:<6}  {state:<8}  {}", user.id, user.role.as_str(), user.name);
                }
            }
        }
        Action::Password { name } => {
            let user = store.user_by_name(&name).await?;
            let password_hash = Some(hash_password(new_password(&name)?).await);
            let change = UserChange { password_hash, ..UserChange::default() };
            store.change_user(user.id, &change, "cli").await?;
            eprintln!("the password of {name} was changed; their sessions ended");
        }
        Action::Role { name, role } => {
            let user = store.user_by_name(&name).await?;
            let change = UserChange { role: Some(role), ..UserChange::default() };
            store.change_user(user.id, &change, "cli").await?;
            eprintln!("{name} is {role} now");
        }
        Action::Disable { name } => {
            let user = store.user_by_name(&name).await?;
            let change = UserChange { disabled: Some(Disabled::Yes), ..UserChange::default() };
            store.change_user(user.id, &change, "cli").await?;
            eprintln!("{name} was logged out and cannot log in");
        }
        Action::Enable { name } => {
            let user = store.user_by_name(&name).await?;
            let change = UserChange { disabled: Some(Disabled::No), ..UserChange::default() };
            store.change_user(user.id, &change, "cli").await?;
            eprintln!("{name} may log in again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a new password, one line; an argument would be seen by every process of the machine.
fn new_password(name: &str) -> Result<String, anyhow::Error> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        eprint!("password: ");
        std::io::stderr().flush()?;
        let hidden = echo("-echo");
        let read = stdin.lock().read_line(&mut line);
        if hidden {
            echo("echo");
            eprintln!();
        }
        read?;
    } else {
        stdin.lock().read_line(&mut line)?;
    }
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(UsageError("no password was given: write it on standard input, in one line".into()).into());
    }
    check_password(name, &password).map_err(|error| UsageError(error.to_string()))?;
    Ok(password)
}

/// Tells the terminal whether to show what is typed; false where it does not listen.
fn echo(word: &str) -> bool {
    std::process::Command::new("stty").arg(word).status().is_ok_and(|status| status.success())
}

//! `muhatap new-key`: for whoever lost the key.

use std::process::ExitCode;

use crate::config::Config;
use crate::secrets::Secrets;
use crate::store::Store;

/// Takes the key that is here (or makes one) in place of a lost one, and forgets the tokens encrypted with that.
///
/// Stop every process first. Accounts of the configuration file get their tokens back at the next start; the others are
/// connected again in the console. People log in as before.
///
/// Example: muhatap new-key --config /etc/muhatap/muhatap.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {}

pub async fn run(_args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    let key = Secrets::open(&config.data_dir())?.key_mark();
    if store.key_mark().await?.as_ref() == Some(&key) {
        eprintln!("the key that is here is the database's: nothing to do");
        return Ok(ExitCode::SUCCESS);
    }
    let forgotten = store.change_key(&key).await?;
    store.close().await;
    eprintln!(
        "the key is taken; tokens of {forgotten} accounts are forgotten: connect again those that the file does not name"
    );
    Ok(ExitCode::SUCCESS)
}

//! `muhatap demo`: the whole worker with simulated networks, to look at and to play with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use muhatap_connectors::Network;
use muhatap_connectors::networks::file::Format;
use muhatap_simulator::{BOT, CHANNEL, Options, OwnAccount, SHOP, Simulator, TOWN};

use crate::app::App;
use crate::compose::{self, PostRequest};
use crate::config::{AccountConfig, Config, NetworkName, SecretSource};
use crate::import::{ContactsReading, ContactsTo, import_contacts};
use crate::worker::{self, Role};

/// The CRM's contacts that the demo starts with: some with the handles they write under, some only with an e-mail
/// address that they give in the conversation.
const CONTACTS: &str = include_str!("../../simulator/data/contacts.csv");

/// Runs everything on this machine alone: simulated networks with an invented crowd, the worker, the console.
///
/// Nothing is connected, nothing leaves the machine, and the database is thrown away at the end.
///
/// Example: muhatap demo --listen 127.0.0.1:8090
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The console's address [default: console.listen of the configuration, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// What the crowd's behaviour is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let folder = Folder::make()?;
    let app = App::open(demo_config(config, args.listen, &folder.0)).await?;
    // Before anything else starts, so that a busy port is told at once.
    let console = worker::bind(&app)
        .await
        .context("the demo cannot show its console; choose another address with --listen 127.0.0.1:8090")?;
    let address = console.local_addr()?;

    let options = Options { seed: args.seed, ..Options::lively() };
    let accounts = options.accounts.clone();
    let simulator = Simulator::start(options).await?;
    for account in &accounts {
        app.put_account(&account_config(account, simulator.url(), &folder.0)?, "demo").await?;
    }
    let contacts = ContactsReading { format: Format::Csv };
    import_contacts(CONTACTS.as_bytes(), None, contacts, ContactsTo::Store(&app.store), |_| {}).await?;
    schedule_posts(&app).await?;

    eprintln!(
        "
Muhatap demo
  console              http://{address}/
  simulated networks   {}/
  database             {} (removed at the end)

Try this:
  1. Open the console: mentions of the past day are there within seconds, new ones arrive every few seconds.
  2. Open a negative one: it names the words that made it negative, and beside it who wrote it.
  3. Answer it. After ten seconds for Undo the reply is on the simulated network; the customer may answer back.
  4. Schedule a post, then watch it appear under \"simulated networks\".
  5. Write as a customer yourself: the form on the simulated networks' page.
Ctrl-C ends it.
",
        simulator.url(),
        folder.0.display(),
    );
    worker::run(app, &Role::ALL, Some(console)).await?;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// A folder that is there as long as the demo.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, anyhow::Error> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("muhatap-demo-{}", std::process::id()));
        // Left over from a killed demo with the same process id.
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot clear {}", path.display()));
            }
            _ => {}
        }
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}; set TMPDIR to a folder you may write to", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "the demo's folder could not be removed");
        }
    }
}

/// The configuration's console, language and log, with a database of the demo's own and no account.
fn demo_config(config: Config, listen: Option<SocketAddr>, folder: &Path) -> Config {
    let mut config = Config { accounts: Vec::new(), data_dir: Some(folder.to_owned()), ..config };
    config.database.url = format!("sqlite:{}", folder.join("demo.db").display());
    config.queue.url = "local:".to_owned();
    config.alerts = Default::default();
    if let Some(listen) = listen {
        config.console.listen = listen;
    }
    config
}

fn account_config(account: &OwnAccount, url: &str, folder: &Path) -> Result<AccountConfig, anyhow::Error> {
    let token = folder.join(format!("{}.token", account.handle));
    std::fs::write(&token, &account.token).with_context(|| format!("cannot write {}", token.display()))?;
    let (network, brand, user, listen_for, poll_seconds) = match account.handle.as_str() {
        SHOP => (Network::Mastodon, "Yelpazar", None, vec!["@yelpazar", "#yelpazar", "yelnet"], 8),
        TOWN => (Network::Mastodon, "Kıyıkent", None, vec!["@kiyikent", "#kıyıkent"], 10),
        BOT => (Network::Telegram, "Yelpazar", Some(format!("@{CHANNEL}")), Vec::new(), 10),
        other => anyhow::bail!("the simulator has an account {other} that the demo does not know"),
    };
    Ok(AccountConfig {
        name: account.handle.clone(),
        network: NetworkName(network),
        brand: brand.to_owned(),
        base_url: Some(url.parse()?),
        user,
        token: Some(SecretSource::File(token)),
        listen_for: listen_for.into_iter().map(str::to_owned).collect(),
        poll_seconds,
        timezone: None,
    })
}

/// A few campaign posts in the coming days, so that the calendar has something in it.
async fn schedule_posts(app: &App) -> Result<(), anyhow::Error> {
    let planned = [
        (
            SHOP,
            3,
            "Hafta sonu kargolarımız pazar günü de yola çıkıyor. Siparişinizi cumartesi 23.59'a kadar verin. #yelpazar",
        ),
        (
            TOWN,
            20,
            "Sahil temizliği cumartesi 10.00'da balıkçı barınağında başlıyor; eldiven ve çuval bizden. #kıyıkent",
        ),
        (BOT, 26, "Yelnet planlı çalışma: salı 02.00-04.00 arasında kısa kesintiler olabilir."),
        (SHOP, 50, "Öğretmenler için kırtasiye haftası pazartesi başlıyor. #yelpazar"),
    ];
    for (account, hours, text) in planned {
        let account = app.store.account_by_name(account).await?;
        let mut post = PostRequest::new(account.id, text, "cli");
        post.due_at = Some(app.store.clock() + Duration::from_secs(hours * 3_600));
        compose::post(app, post).await?;
    }
    Ok(())
}

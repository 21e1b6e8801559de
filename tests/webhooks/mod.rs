//! Events that go out: each once under one id, signed, again until it is taken, and never lost without a word.

mod endpoints;
mod events;
mod sending;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use muhatap::app::App;
use muhatap::config::Config;
use muhatap::deliver::{Ended, Sender};
use muhatap::model::{AccountId, DeliveryState};
use muhatap::store::webhooks::EventView;
use wiremock::Request;

use crate::support::{Backend, Database};

/// A secret as a person would write it into the file.
const SECRET: &str = "whsec_bXVoYXRhcCBkZW5lbWUgYW5haHRhcsSxIDEyMw==";

/// A worker's sender and an endpoint of the configuration file: the only kind that may be on this machine.
struct Bench {
    app: Arc<App>,
    sender: Arc<Sender>,
    endpoint: AccountId,
    database: Database,
    /// How far the test's time is ahead of the database's, in seconds.
    ahead: AtomicI64,
}

/// What `muhatap.toml` says of an endpoint.
fn endpoint_section(dir: &Path, name: &str, url: &str, events: &[&str]) -> String {
    let secret = dir.join("secret");
    std::fs::write(&secret, SECRET).expect("a file can be written");
    format!(
        "[[accounts]]\nname = \"{name}\"\nnetwork = \"webhook\"\nbrand = \"Marka\"\nbase_url = \"{url}\"\n\
         token = {{ file = \"{}\" }}\nlisten_for = {events:?}\n",
        secret.display()
    )
}

impl Bench {
    async fn new(backend: Backend, url: &str, events: &[&str]) -> Bench {
        Self::with_sections(backend, |dir| endpoint_section(dir, "crm", url, events)).await
    }

    async fn with_sections(backend: Backend, sections: impl FnOnce(&Path) -> String) -> Bench {
        let database = Database::fresh(backend).await;
        let text = format!(
            "data_dir = \"{}\"\n[database]\nurl = \"{}\"\n[delivery]\ncall_timeout_seconds = 2\n{}",
            database.dir().display(),
            database.url,
            sections(database.dir())
        );
        let path = database.dir().join("muhatap.toml");
        std::fs::write(&path, text).expect("a file can be written");
        let app = App::open(Config::load(Some(&path)).expect("the configuration is sound")).await.expect("it opens");
        app.put_accounts().await.expect("the endpoint is taken up");
        let endpoint = app.store.endpoint_by_name("crm").await.expect("it is there").id;
        let sender = Arc::new(Sender::open(app.clone()).expect("the journal's folder can be made"));
        Bench { app, sender, endpoint, database, ahead: AtomicI64::new(1) }
    }

    fn now(&self) -> Timestamp {
        self.app.store.clock() + Duration::from_secs(self.ahead.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Moves the test's time on.
    fn later(&self, by: Duration) {
        self.ahead.fetch_add(by.as_secs() as i64, Ordering::Relaxed);
    }

    /// One look at the lane of an endpoint.
    async fn turn_of(&self, endpoint: AccountId) -> Ended {
        self.sender.turn(&format!("{endpoint}/events"), self.now()).await.expect("the database answers")
    }

    async fn turn(&self) -> Ended {
        self.turn_of(self.endpoint).await
    }

    /// An event of its own, as "send a test event" makes it.
    async fn event(&self) -> String {
        self.app.store.test_endpoint(self.endpoint, "test").await.expect("there is room").to_string()
    }

    /// Oldest first.
    async fn events(&self) -> Vec<EventView> {
        let mut events = self.app.store.endpoint_events(self.endpoint, 100).await.expect("they can be read");
        events.reverse();
        events
    }

    async fn states(&self) -> Vec<DeliveryState> {
        self.events().await.iter().map(|event| event.state).collect()
    }

    async fn stop(self) {
        self.app.store.close().await;
    }
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().expect("it is plain")
}

/// The signature of an event by another implementation than the product's: OpenSSL's.
fn signed_by_openssl(request: &Request, secret: &str) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("it is base64");
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}"), "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed: run tests/tools.sh");
    let mut input = openssl.stdin.take().expect("it is piped");
    write!(input, "{}.{}.", header(request, "webhook-id"), header(request, "webhook-timestamp")).expect("it reads");
    input.write_all(&request.body).expect("it reads");
    drop(input);
    format!("v1,{}", STANDARD.encode(openssl.wait_with_output().expect("it ends").stdout))
}

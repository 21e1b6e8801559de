//! A worker's sender over a fresh database and a scripted network, with time as a value the test moves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use muhatap::app::App;
use muhatap::compose::{self, ComposeError, PostRequest};
use muhatap::config::Config;
use muhatap::deliver::{Ended, Sender};
use muhatap::model::{AccountId, DeliveryId, DeliveryState, Network};
use muhatap::store::StoreError;
use muhatap::store::attempts::network_key;
use muhatap::store::deliveries::DeliveryView;
use muhatap_connectors::{Certainty, Prepared};
use tokio::task::JoinHandle;

use super::network::FakeNetwork;
use super::{Backend, Database, messages};

pub struct Bench {
    pub app: Arc<App>,
    pub sender: Arc<Sender>,
    pub network: Arc<FakeNetwork>,
    pub account: AccountId,
    pub database: Database,
    /// How far the test's time is ahead of the database's.
    ahead: AtomicI64,
}

/// What a sender's process is configured with in tests: limits that never bind, and a call that times out soon.
pub fn config(url: &str, dir: &Path) -> Config {
    let mut config = Config { data_dir: Some(dir.join("data")), ..Config::default() };
    config.database.url = url.to_owned();
    config.delivery.call_timeout = Duration::from_secs(5);
    let policies = dir.join("policy");
    std::fs::create_dir_all(&policies).expect("a folder can be made");
    std::fs::create_dir_all(dir.join("data")).expect("a folder can be made");
    let built_in = include_str!("../../config/policy/mastodon.toml");
    let free = built_in.replace("calls = 300", "calls = 1000000").replace("burst = 60", "burst = 100000");
    std::fs::write(policies.join("mastodon.toml"), free).expect("a file can be written");
    config.delivery.policy_dir = Some(policies);
    config
}

impl Bench {
    pub async fn new(backend: Backend, certainty: Certainty) -> Bench {
        Self::on(backend, FakeNetwork::new(certainty), |_| {}).await
    }

    pub async fn on(backend: Backend, network: Arc<FakeNetwork>, change: impl FnOnce(&mut Config)) -> Bench {
        let database = Database::fresh(backend).await;
        let mut config = config(&database.url, database.dir());
        change(&mut config);
        let app = App::open(config).await.expect("the app opens");
        let account = messages::account(&app.store, "biz", Network::Mastodon).await;
        connect(&app, account, &network).await;
        let sender = Arc::new(Sender::open(app.clone()).expect("the journal's folder can be made"));
        Bench { app, sender, network, account, database, ahead: AtomicI64::new(1) }
    }

    /// Another process on the same database.
    pub async fn another_process(&self) -> (Arc<App>, Arc<Sender>) {
        let app = App::open(self.app.config.clone()).await.expect("the app opens");
        connect(&app, self.account, &self.network).await;
        let sender = Arc::new(Sender::open(app.clone()).expect("the journal's folder can be made"));
        (app, sender)
    }

    /// Another process on the same database, of a name that is taken already.
    pub async fn process_named(&self, name: &str) -> Arc<Sender> {
        let mut app = App::open(self.app.config.clone()).await.expect("the app opens");
        Arc::get_mut(&mut app).expect("nobody else has it yet").worker = name.to_owned();
        connect(&app, self.account, &self.network).await;
        Arc::new(Sender::open(app).expect("the journal's folder can be made"))
    }

    pub fn now(&self) -> Timestamp {
        self.app.store.clock() + Duration::from_millis(self.ahead.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Moves the test's time on.
    pub fn later(&self, by: Duration) {
        self.ahead.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }

    pub fn lane(&self) -> String {
        format!("{}/posts", self.account)
    }

    pub async fn post(&self, text: &str) -> DeliveryId {
        self.try_post(PostRequest::new(self.account, text, "test")).await.expect("it can be posted").id
    }

    pub async fn try_post(&self, request: PostRequest) -> Result<DeliveryView, ComposeError> {
        compose::post(&self.app, request).await
    }

    /// One look at the lane of posts.
    pub async fn turn(&self) -> Ended {
        self.sender.turn(&self.lane(), self.now()).await.expect("the database answers")
    }

    /// One look at the lane, beside what the test does.
    pub fn spawn_turn(&self) -> JoinHandle<Result<Ended, StoreError>> {
        let (sender, lane, now) = (self.sender.clone(), self.lane(), self.now());
        tokio::spawn(async move { sender.turn(&lane, now).await })
    }

    /// One look at the lane of deletions.
    pub async fn takedown(&self) -> Ended {
        let lane = format!("{}/takedown", self.account);
        self.sender.turn(&lane, self.now()).await.expect("the database answers")
    }

    /// Looks at the lane until nothing is due any more.
    pub async fn drain(&self) {
        for _ in 0..1000 {
            let ended = self.turn().await;
            if ended.outcome.is_none() {
                return;
            }
        }
        panic!("the lane never became empty");
    }

    pub async fn view(&self, id: DeliveryId) -> DeliveryView {
        self.app.store.delivery(id).await.expect("it is there")
    }

    pub async fn state(&self, id: DeliveryId) -> DeliveryState {
        self.view(id).await.state
    }

    pub async fn reap(&self) {
        self.app.store.reap(self.app.config.delivery.settle, self.now()).await.expect("the database answers");
    }

    /// What the network makes of a delivery before its call.
    pub fn prepared(&self, id: DeliveryId) -> Prepared {
        Prepared(serde_json::json!({ "for": network_key(id) }))
    }

    /// Changes rows past the store.
    pub async fn execute(&self, statement: &'static str) {
        self.database.execute(statement).await;
    }

    pub async fn stop(self) {
        self.app.store.close().await;
    }
}

pub async fn connect(app: &App, account: AccountId, network: &Arc<FakeNetwork>) {
    let account = app.store.account(account).await.expect("it is there");
    app.connectors.put(&account, network.clone());
}

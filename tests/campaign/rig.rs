//! The processes and files of one round: the simulated networks, servers behind proxies, and workers.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap::app::App;
use muhatap::config::Config;
use muhatap_simulator::{Network, Options, OwnAccount, Simulation, Simulator};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::plan::{self, ACCOUNTS, Database, Fault, Kind, Link, Plan};
use crate::power;
use crate::programs::{self, free_port};
use crate::servers::{Postgres, Redis, signal};
use crate::wire::Wire;

/// A deploy hands over within this.
const DEPLOY_WITHIN: Duration = Duration::from_secs(10);

/// The workers write without anybody else before they lose their power.
const ALONE: Duration = Duration::from_millis(150);

pub struct Rig {
    pub simulator: Simulator,
    plan: Plan,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    to_network: Wire,
    to_database: Option<Wire>,
    to_queue: Option<Wire>,
    workers: Vec<Option<Worker>>,
    /// The product in this process, to ask for posts with and to look; it runs no loop. None while all is dark.
    app: Option<Arc<App>>,
    /// Loaded into every worker: notes what is synced.
    syncing: PathBuf,
    /// Processes of workers started so far.
    pub started: usize,
    pub injected: Vec<Injected>,
    /// The longest a worker took to end after SIGTERM.
    pub slowest_end: Duration,
    // Last, so that the files go when nothing writes any more.
    folder: TempDir,
}

struct Worker {
    child: Child,
    frozen: bool,
}

/// A fault that happened.
#[derive(Debug, Clone)]
pub struct Injected {
    pub fault: Fault,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Rig {
    pub async fn new(plan: &Plan) -> Rig {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let simulator = Simulator::start(networks(plan)).await.expect("the simulated networks start");
        let to_network = Wire::to(simulator.address().port()).await;
        let (mut postgres, mut to_database) = (None, None);
        if plan.database == Database::Postgres {
            let server = Postgres::start(folder.path()).await;
            to_database = Some(Wire::to(server.port()).await);
            postgres = Some(server);
        }
        let (mut redis, mut to_queue) = (None, None);
        if plan.redis {
            let server = Redis::start(folder.path()).await;
            to_queue = Some(Wire::to(server.port()).await);
            redis = Some(server);
        }
        let mut rig = Rig {
            simulator,
            plan: plan.clone(),
            postgres,
            redis,
            to_network,
            to_database,
            to_queue,
            workers: (0..plan.workers).map(|_| None).collect(),
            app: None,
            syncing: power::library().await,
            started: 0,
            injected: Vec::new(),
            slowest_end: Duration::ZERO,
            folder,
        };
        rig.write_configuration();
        rig.open().await;
        rig
    }

    pub fn simulation(&self) -> &Arc<Simulation> {
        self.simulator.simulation()
    }

    /// The time of the machine and of the networks.
    pub fn now(&self) -> Timestamp {
        self.simulation().now()
    }

    pub fn app(&self) -> &Arc<App> {
        self.app.as_ref().expect("all is dark only during a power loss")
    }

    pub fn database_url(&self) -> String {
        match &self.postgres {
            Some(server) => format!("postgres://postgres@127.0.0.1:{}/postgres", server.port()),
            None => format!("sqlite:{}", self.path("muhatap.db").display()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_configuration(&self) {
        for network in ["mastodon", "telegram"] {
            let path = format!("{}/config/policy/{network}.toml", env!("CARGO_MANIFEST_DIR"));
            let policy = fs::read_to_string(path).expect("the network has a policy");
            fs::write(self.path(&format!("{network}.toml")), paced(&policy)).expect("a file can be written");
        }
        let mut text = format!(
            "data_dir = {folder:?}\n[database]\nurl = {url:?}\n[delivery]\nsettle_seconds = {}\nread_back_gap_seconds = {}\n\
             lease_margin_seconds = {}\nwork_lease_seconds = {}\ncall_timeout_seconds = {}\nundo_seconds = 0\n\
             policy_dir = {folder:?}\n",
            plan::SETTLE_SECONDS,
            plan::READ_BACK_GAP_SECONDS,
            plan::LEASE_MARGIN_SECONDS,
            plan::WORK_LEASE_SECONDS,
            plan::CALL_TIMEOUT_SECONDS,
            folder = self.folder.path().display().to_string(),
            url = self.database_url(),
        );
        for number in 0..ACCOUNTS {
            let token = self.path(&format!("{number}.token"));
            fs::write(&token, account(self.plan.kind, number).token).expect("a file can be written");
            let (network, user) = match self.plan.kind {
                Kind::Nothing => ("telegram", format!("user = \"@{}\"\n", channel(number))),
                _ => ("mastodon", String::new()),
            };
            text += &format!(
                "[[accounts]]\nname = \"{number}\"\nnetwork = \"{network}\"\nbase_url = \"http://127.0.0.1:{}\"\n\
                 token = {{ file = {:?} }}\n{user}",
                self.to_network.port,
                token.display().to_string(),
            );
        }
        fs::write(self.path("muhatap.toml"), text).expect("a file can be written");
    }

    async fn open(&mut self) {
        let config = Config::load(Some(&self.path("muhatap.toml"))).expect("the configuration is sound");
        let app = App::open(config).await.expect("the database opens");
        app.put_accounts().await.expect("the accounts are sound");
        self.app = Some(app);
    }

    /// Starts every worker that is not running, as a supervisor does.
    pub async fn start_workers(&mut self) {
        for number in 0..self.workers.len() {
            if let Some(worker) = &mut self.workers[number]
                && let Ok(Some(status)) = worker.child.try_wait()
            {
                // One that finds no database when it starts says so and ends; any other end is a mistake.
                assert_eq!(status.code(), Some(1), "a worker ended by itself\n{}", self.log(""));
                self.workers[number] = None;
            }
            if self.workers[number].is_none() {
                self.start_worker(number);
            }
        }
    }

    fn start_worker(&mut self, number: usize) {
        let program = env!("CARGO_BIN_EXE_muhatap");
        // Beside a database server one worker's clock is wrong, with SQLite the machine's.
        let ahead = self.plan.clock_ahead.filter(|_| number == 0 || self.plan.database == Database::Sqlite);
        let mut command = Command::new(program);
        let mut libraries = vec![self.syncing.clone()];
        if let Some(seconds) = ahead {
            // Not by its wrapper, which is a process of its own: killing that would leave the worker.
            libraries.push(programs::faketime());
            command.env("FAKETIME", format!("{seconds:+}s"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        command
            .env("LD_PRELOAD", libraries.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":"));
        command.arg("run");
        if number > 0 || !self.plan.whole {
            command.args(["--only", "deliver"]);
        }
        let log =
            fs::File::options().create(true).append(true).open(self.path("worker.log")).expect("a log can be made");
        command.arg("--config").arg(self.path("muhatap.toml")).env("RUST_LOG", "info").env("NO_COLOR", "1");
        command.env("MUHATAP_CONSOLE__LISTEN", format!("127.0.0.1:{}", free_port()));
        if let Some(wire) = &self.to_database {
            command.env("MUHATAP_DATABASE__URL", format!("postgres://postgres@127.0.0.1:{}/postgres", wire.port));
        }
        if let Some(wire) = &self.to_queue {
            command.env("MUHATAP_QUEUE__URL", format!("redis://127.0.0.1:{}", wire.port));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn();
        self.started += 1;
        self.workers[number] = Some(Worker { child: child.expect("the worker starts"), frozen: false });
    }

    /// Lets a fault begin. What it does for a while ends with [`Rig::end`].
    pub async fn begin(&mut self, fault: Fault) {
        let from = self.now();
        match fault {
            Fault::Kill { worker } => {
                if let Some(mut worker) = self.workers[worker].take() {
                    let _ = worker.child.kill().await;
                }
            }
            Fault::Freeze { worker, .. } => self.signal(worker, "STOP").await,
            Fault::Deploy { worker } => self.deploy(worker).await,
            Fault::RedisKilled { .. } => self.redis().kill().await,
            Fault::RedisEmptied => self.redis().flush().await,
            Fault::DatabaseRestarted => self.postgres().restart().await,
            Fault::DatabaseKilled => {
                self.postgres().kill().await;
                self.postgres().begin().await;
            }
            Fault::PowerLoss => self.lose_power().await,
            Fault::Broken { link, how, .. } => self.wire(link).set(Some(how)),
        }
        self.injected.push(Injected { fault, from, until: self.now() });
    }

    /// Ends what [`Rig::begin`] began.
    pub async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Freeze { worker, .. } => self.signal(worker, "CONT").await,
            Fault::RedisKilled { .. } => self.redis().begin().await,
            Fault::Broken { link, .. } => self.wire(link).set(None),
            _ => {}
        }
        self.start_workers().await;
        let until = self.now();
        if let Some(injected) = self.injected.iter_mut().rev().find(|injected| injected.fault == fault) {
            injected.until = until;
        }
    }

    fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("the plan has Redis")
    }

    fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("the plan has PostgreSQL")
    }

    fn wire(&self, link: Link) -> &Wire {
        let wire = match link {
            Link::Network => Some(&self.to_network),
            Link::Database => self.to_database.as_ref(),
            Link::Queue => self.to_queue.as_ref(),
        };
        wire.expect("the plan has the server")
    }

    async fn signal(&mut self, worker: usize, name: &str) {
        if let Some(worker) = &mut self.workers[worker]
            && let Some(process) = worker.child.id()
        {
            worker.frozen = name == "STOP";
            signal(process, name).await;
        }
    }

    /// SIGTERM; a frozen worker hears of it when it goes on.
    async fn deploy(&mut self, number: usize) {
        let Some(mut worker) = self.workers[number].take() else { return };
        if worker.frozen {
            self.workers[number] = Some(worker);
            return;
        }
        let asked = Instant::now();
        signal(worker.child.id().unwrap_or_default(), "TERM").await;
        // The next one starts beside it, as a deploy does.
        self.start_worker(number);
        let ended = tokio::time::timeout(DEPLOY_WITHIN * 6, worker.child.wait()).await;
        assert!(ended.is_ok(), "a worker never ended after SIGTERM\n{}", self.log(""));
        self.slowest_end = self.slowest_end.max(asked.elapsed());
    }

    /// In one moment every process stops where it is; what the disk is sure to have of it is what the next ones find.
    async fn lose_power(&mut self) {
        let database = self.path("muhatap.db");
        if let Some(app) = self.app.take() {
            app.store.close().await;
            power::note_all(&self.path("muhatap.db-wal"));
            // The workers go on alone for a moment: what of it was not synced is lost.
            tokio::time::sleep(ALONE).await;
        }
        for number in 0..self.workers.len() {
            self.signal(number, "STOP").await;
        }
        if let Some(server) = &mut self.postgres {
            server.kill().await;
        }
        for worker in &mut self.workers {
            if let Some(mut worker) = worker.take() {
                let _ = worker.child.kill().await;
            }
        }
        match &mut self.postgres {
            Some(server) => server.start_from_copy().await,
            None => power::put_back(&database),
        }
        if let Some(redis) = &mut self.redis {
            redis.kill().await;
            redis.begin().await;
        }
        self.open().await;
        self.start_workers().await;
    }

    /// Everything works again.
    pub async fn mend(&mut self) {
        for number in 0..self.workers.len() {
            self.signal(number, "CONT").await;
        }
        for link in [Some(&self.to_network), self.to_database.as_ref(), self.to_queue.as_ref()].into_iter().flatten() {
            link.set(None);
        }
        self.start_workers().await;
        let script = muhatap_simulator::Script { rule: Vec::new(), ..self.plan.script.clone() };
        self.simulation().change(|world, _| world.set_script(script));
    }

    /// The end of what the workers said, as far as it names `what`.
    pub fn log(&self, what: &str) -> String {
        let log = fs::read_to_string(self.path("worker.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(what)).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Ends every process.
    pub async fn stop(mut self) {
        for worker in &mut self.workers {
            if let Some(mut worker) = worker.take() {
                let _ = worker.child.kill().await;
            }
        }
        if let Some(app) = self.app.take() {
            app.store.close().await;
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.kill().await;
        }
        if let Some(redis) = &mut self.redis {
            redis.kill().await;
        }
        self.simulator.stop().await;
    }
}

fn networks(plan: &Plan) -> Options {
    let accounts = (0..ACCOUNTS).map(|number| account(plan.kind, number)).collect();
    let channels = (0..ACCOUNTS).map(|number| (channel(number), "Duyuru".to_owned())).collect();
    Options {
        seed: plan.seed.wrapping_add(plan.round),
        script: plan.script.clone(),
        accounts,
        channels,
        ..Options::quiet()
    }
}

fn account(kind: Kind, number: usize) -> OwnAccount {
    let (network, token) = match kind {
        Kind::Nothing => (Network::Telegram, format!("{}:simulated", 700_000 + number)),
        _ => (Network::Mastodon, format!("simulated-{number}")),
    };
    OwnAccount { network, handle: format!("kurum{number}"), display_name: format!("Kurum {number}"), token }
}

fn channel(number: usize) -> String {
    format!("duyuru{number}")
}

/// A network's policy with the campaign's pace, which is one for all networks.
fn paced(policy: &str) -> String {
    let pace = format!(
        "calls = {}\nwindow_seconds = 1\nburst = {}\n",
        plan::BURST + 1_000 / plan::INTERVAL.as_millis() as u32,
        plan::BURST
    );
    let mut text = String::new();
    for line in policy.lines() {
        match line.split(' ').next().unwrap_or_default() {
            "calls" => text += &pace,
            "window_seconds" | "burst" | "lane_rest_seconds" => {}
            _ => text += &format!("{line}\n"),
        }
    }
    text
}

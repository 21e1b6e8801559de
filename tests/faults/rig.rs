//! A simulator, a database, and a worker process that can be killed.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use muhatap::app::App;
use muhatap::config::Config;
use muhatap::model::DeliveryId;
use muhatap::store::deliveries::DeliveryView;
use muhatap_simulator::{BOT, CHANNEL, Options, SHOP, Script, Simulation, Simulator};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support;

/// How long a machine under load may take for what takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Rig {
    pub simulator: Simulator,
    folder: TempDir,
}

impl Rig {
    /// A quiet network with this fault script, and a configuration with short times beside it.
    pub async fn new(seed: u64, script: &str) -> Rig {
        support::set_up();
        let script = Script::parse(script).expect("the script is sound");
        let simulator =
            Simulator::start(Options { seed, script, ..Options::quiet() }).await.expect("the simulator starts");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let rig = Rig { simulator, folder };
        rig.write("yelpazar.token", "simulated-yelpazar");
        rig.write("bot.token", "700000:simulated");
        // A call that hangs is given up after two seconds instead of half a minute.
        for network in ["mastodon", "telegram"] {
            let path = format!("{}/config/policy/{network}.toml", env!("CARGO_MANIFEST_DIR"));
            let policy = std::fs::read_to_string(path).expect("the network has a policy");
            rig.write(&format!("{network}.toml"), &policy.replace("timeout_seconds = 30", "timeout_seconds = 2"));
        }
        rig.write(
            "muhatap.toml",
            &format!(
                "[database]
url = \"sqlite:{folder}/muhatap.db\"
[delivery]
settle_seconds = 1
read_back_gap_seconds = 1
lease_margin_seconds = 3
undo_seconds = 0
call_timeout_seconds = 2
policy_dir = \"{folder}\"
[[accounts]]
name = \"{SHOP}\"
network = \"mastodon\"
base_url = \"{url}\"
token = {{ file = \"{folder}/yelpazar.token\" }}
listen_for = [\"@yelpazar\", \"#kargo\"]
poll_seconds = 5
[[accounts]]
name = \"{BOT}\"
network = \"telegram\"
base_url = \"{url}\"
user = \"@{CHANNEL}\"
token = {{ file = \"{folder}/bot.token\" }}
poll_seconds = 5
",
                folder = rig.folder.path().display(),
                url = rig.simulator.url(),
            ),
        );
        rig
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).expect("the folder can be written");
    }

    pub fn simulation(&self) -> &Arc<Simulation> {
        self.simulator.simulation()
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("muhatap.toml")
    }

    pub fn database_url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("muhatap.db").display())
    }

    /// The product in this process, to write posts with and to look; it runs no loop.
    pub async fn app(&self) -> Arc<App> {
        let config = Config::load(Some(&self.config_path())).expect("the configuration is sound");
        let app = App::open(config).await.expect("the database opens");
        app.put_accounts().await.expect("the accounts are sound");
        app
    }

    /// Starts a worker process with one role.
    pub fn worker(&self, role: &str) -> Worker {
        self.worker_with(role, &[])
    }

    /// The same on a machine whose clock is ahead.
    pub fn worker_ahead(&self, role: &str, seconds: i64) -> Worker {
        let library = support::programs::faketime().display().to_string();
        let ahead = format!("{seconds:+}s");
        self.worker_with(role, &[("LD_PRELOAD", &library), ("FAKETIME", &ahead), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")])
    }

    fn worker_with(&self, role: &str, variables: &[(&str, &str)]) -> Worker {
        let log = self.folder.path().join("worker.log");
        let log = std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let child = Command::new(env!("CARGO_BIN_EXE_muhatap"))
            .args(["run", "--only", role, "--config"])
            .arg(self.config_path())
            .env("RUST_LOG", "info")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        Worker(child)
    }

    /// The end of what the workers said, for the message of a failure.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("worker.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Waits until the simulated networks are as wished.
    pub async fn until(&self, what: &str, wished: impl Fn(&muhatap_simulator::World) -> bool) {
        if tokio::time::timeout(PATIENCE, self.simulation().until(wished)).await.is_err() {
            let calls = self.simulation().look(|world| world.log().join("\n"));
            panic!("never came true: {what}\n{calls}\n{}", self.log());
        }
    }

    /// Waits until the delivery is as wished, and returns it.
    pub async fn delivery(&self, app: &App, id: DeliveryId, wished: impl Fn(&DeliveryView) -> bool) -> DeliveryView {
        let settled = async {
            loop {
                let delivery = app.store.delivery(id).await.expect("the delivery is there");
                if wished(&delivery) {
                    return delivery;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(delivery) => delivery,
            Err(_) => {
                let delivery = app.store.delivery(id).await;
                let calls = self.simulation().look(|world| world.log().join("\n"));
                panic!("not settled: {delivery:?}\n{calls}\n{}", self.log())
            }
        }
    }
}

/// A worker process.
pub struct Worker(Child);

impl Worker {
    /// kill -9, and waits until the process is gone.
    pub async fn kill(mut self) {
        self.0.kill().await.expect("the worker can be killed");
    }

    /// SIGTERM, and answers how it ended.
    pub async fn end(mut self) -> ExitStatus {
        let process = self.0.id().expect("the worker runs").to_string();
        Command::new("kill").args(["-TERM", &process]).status().await.expect("a signal can be sent");
        self.0.wait().await.expect("the worker ends")
    }
}

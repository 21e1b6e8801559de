//! BullMQ as a contender: a script outside this tree, run by node.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Contender;

/// Jobs one worker has in hand, as its own benchmarks use.
const CONCURRENCY: &str = "100";
/// A worker is asked for nothing before it had so long to start.
const STARTED: Duration = Duration::from_secs(3);

pub struct BullMq {
    script: PathBuf,
    port: u16,
}

impl BullMq {
    /// The script under `dir`; or why it cannot be run.
    pub fn find(dir: &Path, port: u16) -> Result<BullMq, String> {
        let script = dir.join("bullmq/peer.js");
        if !script.exists() {
            return Err(format!("there is no {}", script.display()));
        }
        let found = Command::new("node").args(["-e", "require('bullmq')"]).stderr(Stdio::null()).status();
        match found {
            Ok(status) if status.success() => Ok(BullMq { script, port }),
            Ok(_) => {
                Err("node finds no bullmq package: npm install bullmq, and set NODE_PATH to its node_modules".into())
            }
            Err(error) => Err(format!("node cannot be started: {error}")),
        }
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new("node");
        command.arg(&self.script).args(arguments).env("RPORT", self.port.to_string()).stdout(Stdio::null());
        command
    }

    async fn run(&self, arguments: &[String]) {
        let mut command = self.command(arguments);
        let ended = tokio::task::spawn_blocking(move || command.status()).await.expect("it does not panic");
        assert!(ended.expect("node can be started").success(), "BullMQ {arguments:?} fails");
    }
}

impl Contender for BullMq {
    fn name(&self) -> &'static str {
        "BullMQ"
    }

    async fn enqueue(&self, jobs: u64) {
        self.run(&["enqueue".into(), jobs.to_string()]).await;
    }

    async fn pace(&self, jobs: u64, a_second: u64) {
        self.run(&["pace".into(), jobs.to_string(), a_second.to_string()]).await;
    }

    async fn delay(&self, jobs: u64, from_ms: u64) {
        self.run(&["delayed".into(), jobs.to_string(), from_ms.to_string()]).await;
    }

    async fn work(&self, records: &Path) -> Box<dyn std::any::Any> {
        let mut command = self.command(&["work".into(), CONCURRENCY.into()]);
        let worker = command.env("OUT", records).spawn().expect("node can be started");
        tokio::time::sleep(STARTED).await;
        Box::new(Worker(worker))
    }
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

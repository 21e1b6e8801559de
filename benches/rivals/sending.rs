//! BullMQ with a handler that makes the same call: `sending.js`, run by node. It writes the outcome into a row; or also, as
//! Muhatap does, a mark and an attempt before the call.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use muhatap_simulator::Simulator;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::network::network;
use super::processes::{cpu_time, peak_mb};
use super::redis_server::Redis;
use super::rig::ACCOUNTS;
use super::{BURST, HEAD_START, PATIENCE, Results, lateness, out, rate};

/// Jobs one worker has in hand, as its own benchmarks use.
const CONCURRENCY: &str = "100";

pub struct BullMq {
    script: PathBuf,
}

impl BullMq {
    /// Whether node and its packages are there; or what is missing.
    pub fn find() -> Result<BullMq, String> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/rivals/sending.js");
        let wanted = "require('bullmq'); require('ioredis'); require('pg')";
        match Command::new("node").args(["-e", wanted]).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(BullMq { script }),
            Ok(_) => Err("node does not find its packages: npm install bullmq ioredis pg, and set NODE_PATH to their \
                          node_modules"
                .into()),
            Err(error) => Err(format!("node cannot be started: {error}")),
        }
    }

    pub(super) async fn measure(
        &self,
        writes: Writes,
        postgres_pid: u32,
        redis: &Redis,
        database: &str,
        jobs: u64,
    ) -> Results {
        let network = network().await;
        let mut connection = AnyConnection::connect(database).await.expect("the database answers");
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE TABLE jobs (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, state TEXT NOT NULL,
                called_at TIMESTAMPTZ, network_ref TEXT, receipt TEXT, sent_at TIMESTAMPTZ);
             CREATE TABLE attempts (job BIGINT PRIMARY KEY REFERENCES jobs (id), called_at TIMESTAMPTZ NOT NULL,
                outcome TEXT, network_ref TEXT, ended_at TIMESTAMPTZ);
             INSERT INTO jobs (id, account, state) SELECT n, n % {ACCOUNTS}, 'queued'
                FROM generate_series(0, {} - 1) AS n;
             ANALYZE jobs",
            jobs + BURST
        )))
        .execute(&mut connection)
        .await
        .expect("the rows can be made");
        let command = |arguments: &[&str]| {
            let mut command = Command::new("node");
            command
                .arg(&self.script)
                .args(arguments)
                .env("RPORT", redis.port.to_string())
                .env("NETWORK", network.url());
            command.env("DATABASE_URL", database).env("ACCOUNTS", ACCOUNTS.to_string());
            command
        };
        let run = async |arguments: &[&str]| {
            let mut command = command(arguments);
            let ended = tokio::task::spawn_blocking(move || command.status()).await.expect("it does not panic");
            assert!(ended.expect("node can be started").success(), "BullMQ {arguments:?} fails");
        };

        run(&["fill", &jobs.to_string()]).await;
        let work = ["work", CONCURRENCY, writes.as_str()];
        let worker = Worker(command(&work).spawn().expect("node can be started"));
        posted(&network, 1).await;
        let pids = [worker.0.id(), postgres_pid, redis.pid(), std::process::id()];
        let before = pids.map(cpu_time);
        posted(&network, jobs).await;
        let a_second = rate(&out(&network, 0).into_values().collect::<Vec<_>>());
        let cpu = std::array::from_fn(|at| (cpu_time(pids[at]) - before[at]) / jobs as u32);

        let from = network.simulation().now() + HEAD_START * 2;
        let due = |number: u64| from + SignedDuration::from_micros((number * 1_000_000 / BURST) as i64);
        run(&["delayed", &format!("{BURST}+{jobs}"), &from.as_millisecond().to_string()]).await;
        assert!(network.simulation().now() < from, "BullMQ: adding took longer than expected");
        posted(&network, jobs + BURST).await;
        let burst = lateness(from, out(&network, jobs).into_iter().map(|(number, at)| (due(number - jobs), at)));
        let peak_mb = peak_mb(worker.0.id());
        let results = Results { name: writes.name().into(), a_second, cpu, burst, peak_mb, takeover: None };
        drop(worker);
        network.stop().await;
        results
    }
}

/// What the handler writes into PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Outcome,
    /// Before the call, so that a second worker knows of it; and the outcome.
    Marked,
}

impl Writes {
    pub const ALL: [Writes; 2] = [Writes::Outcome, Writes::Marked];

    fn as_str(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Marked => "marked",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Outcome => "BullMQ",
            Self::Marked => "BullMQ, marked",
        }
    }
}

async fn posted(network: &Simulator, count: u64) {
    let started = Instant::now();
    while (network.simulation().look(|world| world.timeline().posts().len()) as u64) < count {
        assert!(started.elapsed() < PATIENCE, "BullMQ's jobs are not out after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

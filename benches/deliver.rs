//! The whole path of sending: rows in the database, the dispatcher, HTTP to the simulated network, and the outcome back
//! in the database, every commit on the disk. `cargo bench --bench deliver`; `-- --jobs N` says how many are sent in the
//! sustained part, `--only NAME` (as in the table) leaves the others out. At the end the worker is killed in the middle of
//! its calls, and another one goes on.
//!
//! BullMQ is measured beside it where node finds the packages bullmq, ioredis and pg (`$NODE_PATH`): its handler makes the
//! same HTTP call and writes the outcome into one row of the same PostgreSQL; and once more with the writes that sending
//! nothing twice takes, a mark and an attempt before the call.

#[path = "rig/network.rs"]
mod network;
#[path = "rig/postgres.rs"]
mod postgres;
#[path = "rig/processes.rs"]
mod processes;
#[path = "rig/redis.rs"]
mod redis_server;
mod rig;
#[path = "rivals/sending.rs"]
mod rivals;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muhatap::config::Config;
use muhatap::model::{AccountId, Class, DeliveryState};
use muhatap::store::Store;
use muhatap::store::enqueue::{Enqueued, NewDelivery, NewPost, Origin};
use muhatap_connectors::Visibility;
use muhatap_simulator::Simulator;
use network::network;
use postgres::Postgres;
use processes::{cpu_time, peak_mb};
use redis_server::Redis;
use rig::{ACCOUNTS, Worker, account, argument, configure};
use rivals::{BullMq, Writes};
use sqlx::{AnyConnection, Connection};

/// Due evenly within one second.
const BURST: u64 = 10_000;
/// Rows made at the same time.
const WRITERS: u64 = 8;
/// From the start of adding until the first is due, and for each row that is added.
const HEAD_START: Duration = Duration::from_secs(3);
const HEAD_START_EACH: Duration = Duration::from_micros(3_000);
/// Deliveries of two workers, one of which is killed when a quarter is out.
const TAKEN_OVER: u64 = 2_000;
/// Nothing is waited for any longer.
const PATIENCE: Duration = Duration::from_secs(300);

struct Results {
    name: String,
    a_second: f64,
    /// Processor time for each delivery of the sustained part: worker, database, Redis, and network with this program.
    cpu: [Duration; 4],
    /// From the first due time to the last one out, and lateness of the middle and of the last hundredth.
    burst: [Duration; 3],
    peak_mb: f64,
    /// From the death of one of two workers until the other one goes on with what it had in hand, and until everything is
    /// known to be out.
    takeover: Option<[Duration; 2]>,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider is installed");
    sqlx::any::install_default_drivers();
    let jobs: u64 = argument("--jobs").map_or(20_000, |text| text.parse().expect("a number"));
    let only = argument("--only");
    let ((postgres, postgres_pid), redis) = (Postgres::start(), Redis::start());
    let mut all = Vec::new();
    for (number, (database, queue)) in
        [("PostgreSQL", "Redis"), ("PostgreSQL", "local"), ("SQLite", "Redis"), ("SQLite", "local")].iter().enumerate()
    {
        let name = format!("{database}, {queue}");
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        redis.flush();
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let (database_url, database_pid) = match *database {
            "PostgreSQL" => (postgres.database(&format!("bench_{number}")).await, Some(postgres_pid)),
            _ => (format!("sqlite:{}", dir.path().join("muhatap.db").display()), None),
        };
        let queue_url = if *queue == "Redis" { redis.url() } else { "local:".to_owned() };
        let network = network().await;
        let console = format!("127.0.0.1:{}", rig::free_port());
        let config = configure(dir.path(), &database_url, &queue_url, network.url(), &console);
        let pids = [database_pid, (*queue == "Redis").then(|| redis.pid())];
        all.push(measure(name, &config, &database_url, pids, &network, jobs).await);
        network.stop().await;
    }
    let bullmq = BullMq::find().inspect_err(|why| println!("BullMQ is not measured: {why}")).ok();
    for writes in Writes::ALL {
        if let Some(bullmq) = &bullmq
            && only.as_ref().is_none_or(|only| only == writes.name())
        {
            redis.flush();
            let database = postgres.database(&format!("bullmq_{writes:?}").to_lowercase()).await;
            all.push(bullmq.measure(writes, postgres_pid, &redis, &database, jobs).await);
        }
    }
    table(&all, jobs);
}

fn table(all: &[Results], jobs: u64) {
    println!("\n{jobs} deliveries on {ACCOUNTS} accounts, then {BURST} due within one second");
    println!(
        "{:18} {:>8} {:>10} {:>22} {:>8}   processor time a delivery",
        "", "a second", "last out", "late p50/p99", "peak"
    );
    for results in all {
        let [last, middle, late] = results.burst.map(|time| time.as_secs_f64());
        let [worker, database, redis, network] = results.cpu.map(|time| time.as_micros());
        println!(
            "{:18} {:>8.0} {last:>8.2} s {middle:>10.3}/{late:.3} s {:>5.0} MB   worker {worker} us, PostgreSQL {database} us, Redis {redis} us, network {network} us",
            results.name, results.a_second, results.peak_mb
        );
    }
    let delivery = Config::default().delivery;
    println!(
        "\nfrom kill -9 of one of two workers until the other one has gone on with what it called for, and until all {TAKEN_OVER} are known to be out (a call's lease and the settle time: {:?})",
        delivery.call_timeout + delivery.lease_margin + delivery.settle
    );
    for results in all {
        if let Some([gone_on, out]) = results.takeover {
            println!("{:18} {gone_on:.2?} {out:.2?}", results.name);
        }
    }
}

async fn measure(
    name: String,
    config: &std::path::Path,
    database: &str,
    [database_pid, redis_pid]: [Option<u32>; 2],
    network: &Simulator,
    jobs: u64,
) -> Results {
    let worker = Worker::start(config, "deliver");
    let store = Store::open(database).await.expect("the database opens");
    let accounts = accounts(&store).await;
    let mut outbox = Outbox { store, accounts, network, made: 0 };

    // Each account once, so that every connector is built and knows who it is.
    let warm = outbox.store.clock() + HEAD_START;
    outbox.fill(ACCOUNTS as u64, |_| warm).await;
    outbox.sent(ACCOUNTS as u64).await;

    let pids = [Some(worker.0.id()), database_pid, redis_pid, Some(std::process::id())];
    let due = outbox.store.clock() + HEAD_START + HEAD_START_EACH * jobs as u32;
    let first = outbox.made;
    outbox.fill(jobs, |_| due).await;
    if outbox.store.clock() > due {
        println!("{name}: adding took longer than expected, what was sent meanwhile is counted all the same");
    }
    let wait = due.duration_since(outbox.store.clock()).unsigned_abs();
    tokio::time::sleep(wait).await;
    let before = pids.map(|pid| pid.map(cpu_time));
    outbox.sent(first + jobs).await;
    let cpu: Vec<Duration> = pids
        .iter()
        .zip(before)
        .map(|(pid, before)| match (pid, before) {
            (Some(pid), Some(before)) => (cpu_time(*pid) - before) / jobs as u32,
            _ => Duration::ZERO,
        })
        .collect();
    let out: Vec<Timestamp> = outbox.out(first).into_values().collect();
    let a_second = rate(&out);

    let from = outbox.store.clock() + HEAD_START + HEAD_START_EACH * BURST as u32;
    let due = |number: u64| from + SignedDuration::from_micros((number * 1_000_000 / BURST) as i64);
    let first = outbox.made;
    outbox.fill(BURST, due).await;
    assert!(outbox.store.clock() < from, "{name}: adding took longer than {:?}", HEAD_START_EACH * BURST as u32);
    outbox.sent(first + BURST).await;
    let burst = lateness(from, outbox.out(first).into_iter().map(|(number, at)| (due(number - first), at)));
    let peak_mb = peak_mb(worker.0.id());
    println!("{name}: {a_second:.0} a second, last out {:.2?}, late {:.3?}/{:.3?}", burst[0], burst[1], burst[2]);
    let takeover = Some(takeover(&mut outbox, worker, config, database).await);
    let cpu = cpu.try_into().expect("four were measured");
    let results = Results { name, a_second, cpu, burst, peak_mb, takeover };
    outbox.store.close().await;
    results
}

/// Kills `worker` while another one works beside it.
async fn takeover(outbox: &mut Outbox<'_>, worker: Worker, config: &std::path::Path, database: &str) -> [Duration; 2] {
    let mut database = AnyConnection::connect(database).await.expect("the database opens");
    let _other = Worker::start(config, "deliver");
    let first = outbox.made;
    let due = outbox.store.clock() + HEAD_START + HEAD_START_EACH * TAKEN_OVER as u32;
    outbox.fill(TAKEN_OVER, |_| due).await;
    let started = Instant::now();
    while outbox.shown() < first + TAKEN_OVER / 4 {
        assert!(started.elapsed() < PATIENCE, "the deliveries are not sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let dead = worker.0.id();
    drop(worker);
    let died = Instant::now();
    let left = "SELECT COUNT(*) FROM deliveries WHERE state = 'sending' AND worker LIKE $1";
    while sqlx::query_scalar::<_, i64>(left)
        .bind(format!("{dead}-%"))
        .fetch_one(&mut database)
        .await
        .expect("the database answers")
        > 0
    {
        assert!(died.elapsed() < PATIENCE, "nobody goes on with what the dead worker called for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let gone_on = died.elapsed();
    outbox.sent(first + TAKEN_OVER).await;
    [gone_on, died.elapsed()]
}

/// Waits until the worker has put every account into the database.
async fn accounts(store: &Store) -> Vec<AccountId> {
    let started = Instant::now();
    loop {
        let stored = store.accounts().await.expect("the database answers");
        if stored.len() == ACCOUNTS {
            let by_name: HashMap<String, AccountId> =
                stored.into_iter().map(|account| (account.name, account.id)).collect();
            return (0..ACCOUNTS).map(|number| by_name[&account(number)]).collect();
        }
        assert!(started.elapsed() < PATIENCE, "the worker does not put its accounts into the database");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The rows to be sent, and where they come out.
struct Outbox<'n> {
    store: Store,
    accounts: Vec<AccountId>,
    network: &'n Simulator,
    /// Every delivery so far has its number in its text.
    made: u64,
}

impl Outbox<'_> {
    /// Adds deliveries over all accounts; the first is `due(0)`.
    async fn fill(&mut self, count: u64, due: impl Fn(u64) -> Timestamp) {
        let first = self.made;
        let accounts = Arc::new(self.accounts.clone());
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, accounts) = (self.store.clone(), accounts.clone());
            let mine: Vec<(u64, Timestamp)> = (0..count)
                .filter(|offset| offset % WRITERS == writer)
                .map(|offset| (first + offset, due(offset)))
                .collect();
            writers.spawn(async move {
                for (number, due_at) in mine {
                    let account_id = accounts[number as usize % accounts.len()];
                    let new = NewDelivery {
                        account_id,
                        lane: format!("{account_id}/posts"),
                        class: Class::CAMPAIGN,
                        key: number.to_string(),
                        body_hash: number.to_string(),
                        text: text(number),
                        visibility: Visibility::Public,
                        author: "benchmark".to_owned(),
                        due_at,
                        late_limit: Duration::from_secs(86_400),
                        expires_at: None,
                        after_id: None,
                    };
                    let new =
                        NewPost { fingerprint: new.text.clone(), delivery: new, day: None, spacing: Duration::ZERO };
                    let made = store.enqueue_post(&new, &Origin::default(), store.clock()).await;
                    let made = made.expect("it can be added");
                    assert!(matches!(made, Enqueued::New(_)), "{made:?}");
                }
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer does not panic");
        }
        self.made += count;
    }

    /// Waits until the database says that so many are out.
    async fn sent(&self, count: u64) {
        let started = Instant::now();
        loop {
            // The network first: it costs the database nothing.
            if self.shown() >= count {
                let counts = self.store.delivery_counts().await.expect("the database answers");
                if counts.contains(&(DeliveryState::Sent, count as i64)) {
                    assert_eq!(self.shown(), count);
                    return;
                }
            }
            assert!(started.elapsed() < PATIENCE, "the deliveries are not out after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Posts on the network.
    fn shown(&self) -> u64 {
        self.network.simulation().look(|world| world.timeline().posts().len() as u64)
    }

    /// When each delivery from `first` on came out.
    fn out(&self, first: u64) -> HashMap<u64, Timestamp> {
        out(self.network, first)
    }
}

/// A text that tells its number.
fn text(number: u64) -> String {
    format!("Gönderi {number}: yeni koleksiyonumuz bugün bütün mağazalarımızda, ilk alışverişte kargo bizden.")
}

/// When each post with a number from `first` on came out.
fn out(network: &Simulator, first: u64) -> HashMap<u64, Timestamp> {
    network.simulation().look(|world| {
        let posts = world.timeline().posts().iter();
        let numbered = posts.filter_map(|post| {
            let number = post.text.split([' ', ':']).nth(1)?.parse::<u64>().ok()?;
            Some((number, post.created_at))
        });
        numbered.filter(|(number, _)| *number >= first).collect()
    })
}

fn rate(out: &[Timestamp]) -> f64 {
    let (first, last) = (out.iter().min().expect("some came out"), out.iter().max().expect("some came out"));
    (out.len() - 1) as f64 / last.duration_since(*first).as_secs_f64()
}

/// From `from` to the last one out, and the lateness of the middle one and of the last hundredth.
fn lateness(from: Timestamp, out: impl Iterator<Item = (Timestamp, Timestamp)>) -> [Duration; 3] {
    let late = |due: Timestamp, at: Timestamp| Duration::try_from(at.duration_since(due)).unwrap_or_default();
    let (mut lateness, mut last) = (Vec::new(), Duration::ZERO);
    for (due, at) in out {
        lateness.push(late(due, at));
        last = last.max(late(from, at));
    }
    lateness.sort();
    let share = |share: f64| lateness[((lateness.len() as f64 * share) as usize).min(lateness.len() - 1)];
    [last, share(0.5), share(0.99)]
}

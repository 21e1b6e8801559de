//! How fast the dispatcher in Redis is, beside BullMQ on the same Redis: `cargo bench --bench queue`, with
//! `-- --peers DIR` for BullMQ. No job does anything but write one line with its times, in both.
//!
//! DIR holds `bullmq/peer.js`, which takes `enqueue N`, `pace N RATE`, `delayed N T0_MS` and `work CONCURRENCY` and speaks
//! to the Redis on `$RPORT`; `$NODE_PATH` says where the bullmq package lies. `--jobs N` and `--rounds N` set how much.

mod rivals;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muhatap::deliver::OF_A_LANE;
use muhatap::model::{AccountId, Class, DeliveryId};
use muhatap::queue::redis::Server;
use muhatap::queue::{Dispatcher, Done, Hint, Pace, RedisDispatcher, Want};
use rivals::BullMq;
use ulid::Ulid;

const PORT: u16 = 6391;
/// As many accounts as the peer benchmarks use, each with one lane.
const ACCOUNTS: u64 = 1_000;
/// Lanes a worker holds at once, and hints in one call.
const AT_ONCE: usize = 64;
const ADD_AT_ONCE: u64 = 1_000;
const PACED: u64 = 200;
const PACED_A_SECOND: u64 = 50;
const DUE_WITHIN_A_SECOND: u64 = 10_000;
/// From the start of adding until the first of them is due.
const HEAD_START_MS: u64 = 9_000;

/// One way of queueing; every job appends "E ID BEGAN_US NOW_US" to a file when it is done.
trait Contender {
    fn name(&self) -> &'static str;
    async fn enqueue(&self, jobs: u64);
    /// Adds jobs at a rate, each with the time it was added as its begin.
    async fn pace(&self, jobs: u64, a_second: u64);
    /// Adds jobs that become due evenly within the second after `from`, in milliseconds since 1970.
    async fn delay(&self, jobs: u64, from_ms: u64);
    /// Works until the answer is dropped.
    async fn work(&self, records: &std::path::Path) -> Box<dyn std::any::Any>;
}

struct Results {
    name: &'static str,
    jobs_a_second: f64,
    mib: f64,
    latency_ms: (f64, f64),
    late_ms: (f64, f64),
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, default: u64| value(name).map_or(default, |text| text.parse().expect("a number"));
    let (jobs, rounds) = (number("--jobs", 100_000), number("--rounds", 3));
    let redis = Redis::start();
    let (seconds, micros): (u64, u64) = redis.ask("TIME").expect("redis answers");
    STARTED.get_or_init(|| (seconds * 1_000_000 + micros, Instant::now()));
    let bullmq = match value("--peers").map(PathBuf::from) {
        None => {
            println!("BullMQ is not measured: say where it lies with -- --peers DIR");
            None
        }
        Some(dir) => match BullMq::find(&dir, PORT) {
            Ok(bullmq) => Some(bullmq),
            Err(why) => {
                println!("BullMQ is not measured: {why}");
                None
            }
        },
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // By turns, so that what else the machine does is shared.
        let first = round % 2 == 0;
        if first {
            ours.push(measure(&redis, &Muhatap, jobs).await);
        }
        if let Some(bullmq) = &bullmq {
            theirs.push(measure(&redis, bullmq, jobs).await);
        }
        if !first {
            ours.push(measure(&redis, &Muhatap, jobs).await);
        }
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    println!("\n{jobs} jobs over {ACCOUNTS} lanes, medians of {rounds} rounds");
    println!(
        "{:10} {:>8} {:>12} {:>16} {:>22}",
        "", "jobs/s", "MiB/100,000", "latency p50/p99", "late of 10,000 p50/p99"
    );
    for results in ours.iter().chain(&theirs) {
        println!(
            "{:10} {:>8.0} {:>12.1} {:>10.2}/{:.2} ms {:>13.1}/{:.1} ms",
            results.name,
            results.jobs_a_second,
            results.mib,
            results.latency_ms.0,
            results.latency_ms.1,
            results.late_ms.0,
            results.late_ms.1
        );
    }
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        println!(
            "jobs/s: {:.2} times BullMQ's; memory: {:.2} of BullMQ's; p99 late: {:.3} of BullMQ's",
            ours.jobs_a_second / theirs.jobs_a_second,
            ours.mib / theirs.mib,
            ours.late_ms.1 / theirs.late_ms.1
        );
    }
}

async fn measure(redis: &Redis, contender: &impl Contender, jobs: u64) -> Results {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    redis.flush();
    let before = redis.memory();
    contender.enqueue(jobs).await;
    let mib = (redis.memory() - before) as f64 / jobs as f64 * 100_000.0 / f64::from(1 << 20);

    let records = dir.path().join("drained");
    let worker = contender.work(&records).await;
    let ends: Vec<u64> = wait_for(&records, jobs).await.iter().map(|record| record.now).collect();
    let (first, last) = (ends.iter().min().expect("some ended"), ends.iter().max().expect("some ended"));
    let jobs_a_second = (ends.len() - 1) as f64 / ((last - first) as f64 / 1e6);
    drop(worker);

    redis.flush();
    let records = dir.path().join("paced");
    let worker = contender.work(&records).await;
    contender.pace(PACED, PACED_A_SECOND).await;
    let latency_ms = percentiles(&wait_for(&records, PACED).await);
    drop(worker);

    redis.flush();
    let records = dir.path().join("delayed");
    let worker = contender.work(&records).await;
    let from = now_us() / 1000 + HEAD_START_MS;
    contender.delay(DUE_WITHIN_A_SECOND, from).await;
    if now_us() / 1000 > from {
        println!("{}: adding took longer than {HEAD_START_MS} ms, its lateness says nothing", contender.name());
    }
    let late_ms = percentiles(&wait_for(&records, DUE_WITHIN_A_SECOND).await);
    drop(worker);

    let name = contender.name();
    println!(
        "{name}: {jobs_a_second:.0} jobs/s, {mib:.1} MiB, latency {:.2}/{:.2} ms, late {:.1}/{:.1} ms",
        latency_ms.0, latency_ms.1, late_ms.0, late_ms.1
    );
    Results { name, jobs_a_second, mib, latency_ms, late_ms }
}

/// The dispatcher, used as the worker uses it.
struct Muhatap;

fn dispatcher() -> RedisDispatcher {
    let server = Server::parse(&format!("redis://127.0.0.1:{PORT}")).expect("the address is right");
    RedisDispatcher::new(server, now)
}

/// The job's number and begin are its id.
fn hint(number: u64, began_us: u64, due: Timestamp) -> Hint {
    let account = AccountId(Ulid((1 << 100) + u128::from(number % ACCOUNTS)));
    Hint {
        id: DeliveryId(Ulid(u128::from(began_us) << 64 | u128::from(number))),
        account,
        lane: format!("{account}/posts"),
        class: Class::REPLY,
        due,
        pace: Pace::FREE,
    }
}

impl Contender for Muhatap {
    fn name(&self) -> &'static str {
        "muhatap"
    }

    async fn enqueue(&self, jobs: u64) {
        let (queue, now) = (dispatcher(), now());
        for from in (0..jobs).step_by(ADD_AT_ONCE as usize) {
            let hints: Vec<Hint> = (from..jobs.min(from + ADD_AT_ONCE)).map(|number| hint(number, 0, now)).collect();
            queue.add(&hints).await.expect("redis answers");
        }
    }

    async fn pace(&self, jobs: u64, a_second: u64) {
        let queue = dispatcher();
        for number in 0..jobs {
            queue.add(&[hint(number, now_us(), now())]).await.expect("redis answers");
            tokio::time::sleep(Duration::from_secs(1) / a_second as u32).await;
        }
    }

    async fn delay(&self, jobs: u64, from_ms: u64) {
        let queue = dispatcher();
        let hints: Vec<Hint> = (0..jobs)
            .map(|number| {
                let due = (from_ms * 1000) + number * 1_000_000 / jobs;
                hint(number, due, Timestamp::from_microsecond(due as i64).expect("in range"))
            })
            .collect();
        for hints in hints.chunks(ADD_AT_ONCE as usize) {
            queue.add(hints).await.expect("redis answers");
        }
    }

    async fn work(&self, records: &std::path::Path) -> Box<dyn std::any::Any> {
        let mut records = File::create(records).expect("a file can be made");
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        tokio::spawn(async move {
            let queue = dispatcher();
            let mut done = Vec::new();
            while !end.load(Ordering::Relaxed) {
                let lease = Duration::from_secs(30);
                let want = Want { claims: AT_ONCE, hints: OF_A_LANE, lease, done: std::mem::take(&mut done) };
                let step = queue.step(want).await.expect("redis answers");
                for claim in step.claims {
                    let finished: Vec<DeliveryId> = claim.hints.iter().map(|hint| hint.id).collect();
                    for id in &finished {
                        let (number, began) = (id.0.0 as u64, (id.0.0 >> 64) as u64);
                        writeln!(records, "E {number} {began} {} {}", now_us(), std::process::id())
                            .expect("it is written");
                    }
                    let (account, lane, nonce) = (claim.account, claim.lane, claim.nonce);
                    done.push(Done { account, lane, nonce, finished, untouched: 0, rest: None });
                }
                if done.is_empty() {
                    queue.wait(step.next).await;
                }
            }
        });
        Box::new(EndsWork(ended))
    }
}

struct EndsWork(Arc<AtomicBool>);

impl Drop for EndsWork {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A line that a job wrote.
struct Record {
    began: u64,
    now: u64,
}

/// Waits until that many different jobs are done.
async fn wait_for(records: &std::path::Path, jobs: u64) -> Vec<Record> {
    for _ in 0..3_000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let text = std::fs::read_to_string(records).unwrap_or_default();
        if (text.lines().count() as u64) < jobs {
            continue;
        }
        let mut seen = std::collections::HashSet::new();
        return text
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ').skip(1).map_while(|word| word.parse().ok());
                let (number, began, now): (u64, u64, u64) = (words.next()?, words.next()?, words.next()?);
                seen.insert(number).then_some(Record { began, now })
            })
            .collect();
    }
    panic!("the jobs were not done within five minutes");
}

/// p50 and p99 from begin to end, in milliseconds.
fn percentiles(records: &[Record]) -> (f64, f64) {
    let mut took: Vec<f64> = records.iter().map(|record| (record.now as f64 - record.began as f64) / 1e3).collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() as f64 * share) as usize).min(took.len() - 1)];
    (at(0.5), at(0.99))
}

fn median(results: &[Results]) -> Option<Results> {
    let middle = |value: fn(&Results) -> f64| {
        let mut values: Vec<f64> = results.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let first = results.first()?;
    Some(Results {
        name: first.name,
        jobs_a_second: middle(|results| results.jobs_a_second),
        mib: middle(|results| results.mib),
        latency_ms: (middle(|results| results.latency_ms.0), middle(|results| results.latency_ms.1)),
        late_ms: (middle(|results| results.late_ms.0), middle(|results| results.late_ms.1)),
    })
}

/// By Redis's clock when the run began, and then by the monotonic clock.
static STARTED: OnceLock<(u64, Instant)> = OnceLock::new();

fn now_us() -> u64 {
    let (at, taken) = STARTED.get().expect("the run began");
    at + taken.elapsed().as_micros() as u64
}

fn now() -> Timestamp {
    Timestamp::from_microsecond(now_us() as i64).expect("in range")
}

/// A Redis for this run alone.
struct Redis {
    server: Child,
    _dir: tempfile::TempDir,
}

impl Redis {
    fn start() -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let server = Command::new("redis-server")
            .args(["--port", &PORT.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server can be started; install it with: apt-get install redis-server");
        let redis = Redis { server, _dir: dir };
        while redis.ask::<String>("PING").is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(format!("redis://127.0.0.1:{PORT}"))?.get_connection()?;
        redis::cmd(command).query(&mut connection)
    }

    fn flush(&self) {
        self.ask::<()>("FLUSHALL").expect("redis answers");
    }

    fn memory(&self) -> u64 {
        let info: String = self.ask("INFO").expect("redis answers");
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.and_then(|used| used.trim().parse().ok()).expect("redis tells its memory")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

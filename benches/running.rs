//! What a running worker costs with 200,000 mentions stored: start to first page, the inbox's time, memory and processor
//! when nothing happens. `cargo bench --bench running`; `BENCH_LINES` sets the number of mentions.

mod crowd;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use muhatap_simulator::{Options, Simulator};

/// How long nothing happens while memory and processor time are read.
const IDLE: Duration = Duration::from_secs(60);
/// Before that, so that the first polls are over.
const SETTLED: Duration = Duration::from_secs(15);
const PAGES: usize = 200;
const FEEDS: usize = 7;

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider is installed");
    let lines: u32 = std::env::var("BENCH_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = dir.path().join("mentions.jsonl");
    crowd::write_mentions(&file, lines);
    let simulator = Simulator::start(Options::quiet()).await.expect("the simulator starts");
    let feeds = serve_feeds().await;
    let console = free_address();
    let config = dir.path().join("muhatap.toml");
    std::fs::write(&config, configuration(dir.path(), &console, simulator.url(), &feeds)).expect("it can be written");

    let imported = muhatap(&config).args(["import", "mentions"]).arg(&file).status().expect("muhatap starts");
    assert!(imported.success(), "the import ends well");

    let client = reqwest::Client::new();
    let mut starts = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let mut worker = Worker(muhatap(&config).arg("run").spawn().expect("muhatap starts"));
        first_page(&client, &console).await;
        starts.push(started.elapsed());
        worker.end();
    }

    let mut worker = Worker(muhatap(&config).arg("run").spawn().expect("muhatap starts"));
    first_page(&client, &console).await;
    tokio::time::sleep(SETTLED).await;
    let cpu = cpu_time(worker.0.id());
    tokio::time::sleep(IDLE).await;
    let idle = (cpu_time(worker.0.id()) - cpu).as_secs_f64() / IDLE.as_secs_f64();
    let resident = resident_mb(worker.0.id());

    println!("{lines} mentions stored, 10 accounts ({FEEDS} feeds, 2 on Mastodon, 1 on Telegram)");
    println!("{:44} {:>9} {:>9}", "", "median", "slowest");
    row("start to first page, ms", &mut starts);
    for (what, path) in [
        ("inbox, ms", "/"),
        ("inbox of complaints in Turkish, ms", "/?language=tr&intent=complaint"),
        ("inbox searched for kargom, ms", "/?q=kargom"),
        ("sentiment of the last week, ms", "/sentiment"),
    ] {
        let mut took = Vec::new();
        for _ in 0..PAGES {
            let started = Instant::now();
            let answer = client.get(format!("http://{console}{path}")).send().await.expect("the console answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await.expect("a whole page");
            took.push(started.elapsed());
        }
        row(what, &mut took);
    }
    println!(
        "idle for {} s: {resident:.0} MB resident before the pages, {:.2} % of a core",
        IDLE.as_secs(),
        idle * 100.0
    );
    println!("after {} pages: {:.0} MB resident", PAGES * 4, resident_mb(worker.0.id()));
    worker.end();
    simulator.stop().await;
}

/// A worker that is killed if the benchmark fails.
struct Worker(Child);

impl Worker {
    /// Ends it as a service manager does.
    fn end(&mut self) {
        let signalled = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(signalled.is_ok_and(|status| status.success()), "the worker can be signalled");
        self.0.wait().expect("the worker ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn muhatap(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
    command.arg("--config").arg(config).stdout(Stdio::null()).env("RUST_LOG", "error");
    for account in muhatap_simulator::Options::quiet().accounts {
        command.env(format!("SIMULATED_{}", account.handle.to_uppercase()), account.token);
    }
    command
}

fn configuration(dir: &Path, console: &str, simulator: &str, feeds: &str) -> String {
    use muhatap_simulator::{BOT, CHANNEL, SHOP, TOWN};
    let mut text = format!(
        "[database]\nurl = \"sqlite:{}\"\n[console]\nlisten = \"{console}\"\n",
        dir.join("muhatap.db").display()
    );
    for handle in [SHOP, TOWN] {
        text += &format!(
            "[[accounts]]\nname = \"{handle}\"\nnetwork = \"mastodon\"\nbase_url = \"{simulator}\"\n\
             token = {{ env = \"SIMULATED_{}\" }}\nlisten_for = [\"#{handle}\"]\n",
            handle.to_uppercase()
        );
    }
    text += &format!(
        "[[accounts]]\nname = \"{BOT}\"\nnetwork = \"telegram\"\nbase_url = \"{simulator}\"\nuser = \"@{CHANNEL}\"\n\
         token = {{ env = \"SIMULATED_{}\" }}\n",
        BOT.to_uppercase()
    );
    for number in 0..FEEDS {
        text += &format!(
            "[[accounts]]\nname = \"feed{number}\"\nnetwork = \"rss\"\nbase_url = \"http://{feeds}/feed.xml\"\n"
        );
    }
    text
}

/// A feed that has not changed since it was first read.
async fn serve_feeds() -> String {
    const FEED: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Haber</title>
        <item><guid>1</guid><title>Bir haber</title><pubDate>Sat, 21 Nov 2026 09:00:00 GMT</pubDate></item>
        </channel></rss>"#;
    async fn feed(headers: HeaderMap) -> Response {
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"1\"");
        match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::ETAG, "\"1\""), (header::CONTENT_TYPE, "application/rss+xml")], FEED).into_response(),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/feed.xml", get(feed))).await });
    address
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").to_string()
}

async fn first_page(client: &reqwest::Client, console: &str) {
    let answers = async {
        while !client.get(format!("http://{console}/")).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.expect("the console answers within 30 s");
}

fn row(what: &str, took: &mut [Duration]) {
    took.sort();
    let milliseconds = |at: usize| took[at].as_secs_f64() * 1e3;
    println!("{what:44} {:>9.1} {:>9.1}", milliseconds(took.len() / 2), milliseconds(took.len() - 1));
}

/// Processor time a process has used, in and for it.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the worker runs");
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        |place: usize| after_name.split_whitespace().nth(place).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    // Linux counts these in hundredths of a second (proc(5), USER_HZ).
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the worker runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}

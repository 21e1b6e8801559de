//! What the benchmarks of sending stand on: a PostgreSQL and a Redis for one run, a simulated network with many accounts,
//! and a worker as its own process, so that its memory and processor time are its own.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muhatap_simulator::{Network, Options, OwnAccount, Simulator};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

pub const ACCOUNTS: usize = 500;

/// The token of one of our accounts on the simulated network.
pub fn token(number: usize) -> String {
    format!("token-{number}")
}

/// A quiet network with [`ACCOUNTS`] accounts of ours and no limits of its own.
pub async fn network() -> Simulator {
    let accounts = (0..ACCOUNTS).map(|number| OwnAccount {
        network: Network::Mastodon,
        handle: account(number),
        display_name: account(number),
        token: token(number),
    });
    let mut options = Options { accounts: accounts.collect(), channels: Vec::new(), ..Options::quiet() };
    options.script.rate_limit.calls = u64::MAX;
    Simulator::start(options).await.expect("the simulator starts")
}

pub fn account(number: usize) -> String {
    format!("hesap{number:03}")
}

/// A configuration with all accounts, and policies whose pace never binds: what is measured is ours.
pub fn configure(dir: &Path, database: &str, queue: &str, network: &str, console: &str) -> PathBuf {
    let policies = dir.join("policy");
    std::fs::create_dir_all(&policies).expect("a folder can be made");
    let built_in = include_str!("../../config/policy/mastodon.toml");
    let free = built_in.replace("calls = 300", "calls = 100000000").replace("burst = 60", "burst = 100000");
    std::fs::write(policies.join("mastodon.toml"), free).expect("a file can be written");
    let mut text = format!(
        "data_dir = \"{dir}/data\"\n[database]\nurl = \"{database}\"\n[queue]\nurl = \"{queue}\"\n\
         [console]\nlisten = \"{console}\"\n[delivery]\npolicy_dir = \"{dir}/policy\"\npost_late_seconds = 86400\n",
        dir = dir.display(),
    );
    for number in 0..ACCOUNTS {
        text += &format!(
            "[[accounts]]\nname = \"{name}\"\nnetwork = \"mastodon\"\nbase_url = \"{network}\"\ntoken = {{ env = \"TOKEN_{number}\" }}\n",
            name = account(number)
        );
    }
    std::fs::create_dir_all(dir.join("data")).expect("a folder can be made");
    let file = dir.join("muhatap.toml");
    std::fs::write(&file, text).expect("a file can be written");
    file
}

/// A worker's process, killed when it is dropped.
pub struct Worker(Child);

impl Worker {
    /// Starts `muhatap run` with the roles.
    pub fn start(config: &Path, roles: &str) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
        command.arg("--config").arg(config).args(["run", "--only", roles]).stdout(Stdio::null());
        command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or("error".into()));
        command.envs((0..ACCOUNTS).map(|number| (format!("TOKEN_{number}"), token(number))));
        Worker(command.spawn().expect("muhatap starts"))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time that a process and its children, dead or alive, have used.
pub fn cpu_time(pid: u32) -> Duration {
    let own = times(pid).map_or(0, |times| times.iter().sum::<u64>());
    let children: u64 = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| parent(*child) == Some(pid))
        .filter_map(|child| Some(times(child)?[..2].iter().sum::<u64>()))
        .sum();
    // Linux counts these in hundredths of a second (proc(5), USER_HZ).
    Duration::from_millis((own + children) * 10)
}

/// utime, stime, cutime, cstime.
fn times(pid: u32) -> Option<[u64; 4]> {
    let fields = stat(pid)?;
    let at = |place: usize| fields.get(place).and_then(|field| field.parse().ok());
    Some([at(11)?, at(12)?, at(13)?, at(14)?])
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The most memory a process ever had, in MB.
pub fn peak_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}

/// A PostgreSQL server for this run alone, with its own settings for durability.
pub struct Postgres {
    server: Child,
    port: u16,
    pid: u32,
}

/// Waits on a pipe from this process: however it ends, the server stops and its folder goes.
const POSTGRES: &str = r#"
bin=$1 port=$2
dir=$(mktemp -d /tmp/muhatap-bench-XXXXXX) || exit 1
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C >"$dir/log" 2>&1 || { cat "$dir/log"; rm -rf "$dir"; exit 1; }
"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 >>"$dir/log" 2>&1 </dev/null &
server=$!
while kill -0 $server 2>/dev/null; do
    if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; then echo "ready $server"; read -r _; break; fi
    sleep 0.05
done
kill -0 $server 2>/dev/null || cat "$dir/log"
kill -INT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$dir"
"#;

impl Postgres {
    pub fn start() -> Postgres {
        let port = free_port();
        // PostgreSQL refuses to run as root.
        let is_root =
            std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc is there")) == 0;
        let mut command = match is_root {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        command.args(["-c", POSTGRES, "sh"]).arg(postgres_programs()).arg(port.to_string()).current_dir("/");
        let mut server = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("PostgreSQL can be started; install it with: apt-get install postgresql");
        let mut output = BufReader::new(server.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the server says how it is");
        let Some(pid) = line.trim().strip_prefix("ready ").and_then(|pid| pid.parse().ok()) else {
            output.read_to_string(&mut line).expect("the server's log can be read");
            panic!("PostgreSQL does not start: {line}");
        };
        Postgres { server, port, pid }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The address of a new, empty database.
    pub async fn database(&self, name: &str) -> String {
        let mut connection = AnyConnection::connect(&self.address("postgres")).await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a database can be made");
        self.address(name)
    }

    fn address(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The script reads the end of its pipe and stops the server.
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

fn postgres_programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths))
        .filter(|bin| bin.join("initdb").exists() && bin.join("pg_isready").exists())
        .collect();
    found.sort();
    found.pop().expect("this benchmark needs PostgreSQL: apt-get install postgresql")
}

/// A Redis for this run alone.
pub struct Redis {
    server: Child,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server can be started; install it with: apt-get install redis-server");
        let redis = Redis { server, port, _dir: dir };
        while redis.ask("PING").is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    pub fn flush(&self) {
        self.ask("FLUSHALL").expect("redis answers");
    }

    fn ask(&self, command: &str) -> redis::RedisResult<redis::Value> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd(command).query(&mut connection)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

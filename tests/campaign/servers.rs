//! Servers of a round's own, which may be killed and started again: PostgreSQL and Redis.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::{AnyConnection, Connection};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::programs;

/// Sends a signal to a process that this one started.
pub async fn signal(process: u32, name: &str) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("sh").args(["-c", &format!("kill -s {name} {process}")]).stderr(Stdio::null()).status().await;
}

pub struct Postgres {
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl Postgres {
    /// A new server below `folder`, with an empty database.
    pub async fn start(folder: &Path) -> Postgres {
        let folder = folder.join("postgres");
        fs::create_dir(&folder).expect("a folder can be made");
        give_away(&folder);
        copy(template().await, &folder.join("data")).await;
        let port = programs::free_port();
        let server = server(&folder, port);
        let mut postgres = Postgres { folder, port, server };
        postgres.ready().await;
        postgres
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it in order, without waiting for its clients, and starts it again.
    pub async fn restart(&mut self) {
        signal(self.server.id().unwrap_or_default(), "INT").await;
        let _ = self.server.wait().await;
        self.begin().await;
    }

    /// kill -9 of the server and of every process below it.
    pub async fn kill(&mut self) {
        let server = self.server.id().unwrap_or_default();
        let below = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let below: Vec<u32> = below.split_whitespace().filter_map(|process| process.parse().ok()).collect();
        let _ = self.server.kill().await;
        for process in &below {
            signal(*process, "KILL").await;
        }
        while below.iter().any(|process| is_postgres(*process)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it from a copy of its files as they are now: what a machine finds that lost its power.
    pub async fn start_from_copy(&mut self) {
        let (data, copied) = (self.folder.join("data"), self.folder.join("copied"));
        copy(&data, &copied).await;
        fs::remove_dir_all(&data).expect("the old files can be removed");
        fs::rename(&copied, &data).expect("the copy can take their place");
        self.begin().await;
    }

    /// Starts it where it is not running.
    pub async fn begin(&mut self) {
        self.server = server(&self.folder, self.port);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        let answers = async {
            loop {
                if let Ok(connection) = AnyConnection::connect(&url).await {
                    connection.close().await.ok();
                    return;
                }
                // It refuses to start as long as anything of the one before it is there.
                if self.server.try_wait().is_ok_and(|ended| ended.is_some()) {
                    self.server = server(&self.folder, self.port);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), answers).await.is_err() {
            panic!("PostgreSQL does not answer: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
    }
}

fn server(folder: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log can be written");
    let mut command = as_its_user(programs::postgres().join("postgres"));
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-k"]).arg(folder);
    for setting in ["listen_addresses=127.0.0.1", "max_connections=120", "shared_buffers=16MB", "autovacuum=off"] {
        command.args(["-c", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Command::from(command).kill_on_drop(true).spawn().expect("PostgreSQL can be started")
}

/// The files of a new server, made once.
async fn template() -> &'static Path {
    static TEMPLATE: OnceCell<(tempfile::TempDir, PathBuf)> = OnceCell::const_new();
    let made = TEMPLATE.get_or_init(|| async {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        give_away(folder.path());
        let data = folder.path().join("data");
        let mut command = as_its_user(programs::postgres().join("initdb"));
        command.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let output = Command::from(command).output().await.expect("initdb can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (folder, data)
    });
    &made.await.1
}

async fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().await.expect("cp can be started");
    assert!(copied.success(), "{} could not be copied", from.display());
}

/// PostgreSQL refuses to run as root.
fn as_its_user(program: PathBuf) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = programs::postgres_user() {
        command.uid(user).gid(group);
    }
    command
}

fn give_away(folder: &Path) {
    if let Some((user, group)) = programs::postgres_user() {
        chown(folder, Some(user), Some(group)).expect("root may give a folder away");
        let mut above = folder.parent();
        // The server must reach its folder.
        while let Some(folder) = above.filter(|folder| folder.metadata().is_ok_and(|data| data.mode() & 0o001 == 0)) {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
            fs::set_permissions(folder, open).expect("root may open a folder");
            above = folder.parent();
        }
    }
}

fn is_postgres(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == "postgres")
}

pub struct Redis {
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl Redis {
    pub async fn start(folder: &Path) -> Redis {
        let port = programs::free_port();
        let redis = Redis { folder: folder.to_owned(), port, server: redis(folder, port) };
        redis.ready().await;
        redis
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub async fn kill(&mut self) {
        let _ = self.server.kill().await;
    }

    /// Starts it where it is not running, empty.
    pub async fn begin(&mut self) {
        self.server = redis(&self.folder, self.port);
        self.ready().await;
    }

    pub async fn flush(&self) {
        self.ask("FLUSHALL").await.expect("redis answers");
    }

    async fn ready(&self) {
        for _ in 0..600 {
            if self.ask("PING").await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("redis does not answer");
    }

    async fn ask(&self, command: &str) -> Result<(), redis::RedisError> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd(command).query_async(&mut connection).await
    }
}

fn redis(folder: &Path, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server can be started; install it with: apt-get install redis-server")
}

//! Redis servers of a test's own, which it may kill and start again, and a cluster of them.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

/// Ends with its last clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    server: Mutex<Child>,
}

impl Redis {
    pub async fn start() -> Redis {
        Self::with(&[]).await
    }

    /// With more arguments for the server.
    pub async fn with(arguments: &[&str]) -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let port = super::free_port();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let server = Mutex::new(server(&dir, port, &arguments));
        let redis = Redis(Arc::new(Inner { port, dir, arguments, server }));
        redis.ready().await;
        redis
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// As `kill -9`.
    pub fn kill(&self) {
        let mut server = self.0.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.kill().expect("the server can be killed");
        server.wait().expect("the server ends");
    }

    /// Starts it again, empty.
    pub async fn restart(&self) {
        self.kill();
        let new = server(&self.0.dir, self.0.port, &self.0.arguments);
        *self.0.server.lock().unwrap_or_else(PoisonError::into_inner) = new;
        self.ready().await;
    }

    /// Runs a command, its words separated by spaces.
    pub async fn command<T: redis::FromRedisValue>(&self, line: &str) -> T {
        let client = redis::Client::open(self.url()).expect("the address is right");
        let mut connection = client.get_multiplexed_async_connection().await.expect("redis can be reached");
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| _ = command.arg(word));
        command.query_async(&mut connection).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Answers, be it that it wants a password.
    async fn ready(&self) {
        let client = redis::Client::open(self.url()).expect("the address is right");
        super::eventually("redis answers", || async {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else { return false };
            match redis::cmd("PING").query_async::<String>(&mut connection).await {
                Ok(_) => true,
                Err(error) => error.code() == Some("NOAUTH"),
            }
        })
        .await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// Three masters that share all slots.
pub struct Cluster(Vec<Redis>);

impl Cluster {
    pub async fn start() -> Cluster {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            // The nodes speak to each other on a port of their own, by default 10000 higher, which may not be one.
            let bus = super::free_port().to_string();
            nodes.push(Redis::with(&["--cluster-enabled", "yes", "--cluster-port", &bus]).await);
        }
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-yes"])
            .output()
            .expect("redis-cli can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Cluster(nodes);
        for node in &cluster.0 {
            super::eventually("the cluster serves all slots", || async {
                node.command::<String>("CLUSTER INFO").await.contains("cluster_state:ok")
            })
            .await;
        }
        cluster
    }

    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.0[0].port(), self.0[1].port())
    }

    pub async fn flush(&self) {
        for node in &self.0 {
            node.command::<()>("FLUSHALL").await;
        }
    }
}

fn server(dir: &TempDir, port: u16, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server can be started; install it with: apt-get install redis-server")
}

//! A Redis server of a test's own, which it may kill and start again.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub struct Redis {
    port: u16,
    dir: TempDir,
    server: Child,
}

impl Redis {
    pub async fn start() -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let port = super::postgres::free_port();
        let server = server(&dir, port);
        let redis = Redis { port, dir, server };
        redis.ready().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.server.kill().expect("the server can be killed");
        self.server.wait().expect("the server ends");
    }

    pub async fn restart(&mut self) {
        self.kill();
        self.server = server(&self.dir, self.port);
        self.ready().await;
    }

    async fn ready(&self) {
        let client = redis::Client::open(self.url()).expect("the address is right");
        super::eventually("redis answers", || async {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else { return false };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn server(dir: &TempDir, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server can be started; install it with: apt-get install redis-server")
}

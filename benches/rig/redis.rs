//! A Redis for one run.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::rig::free_port;

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

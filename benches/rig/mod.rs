//! What the benchmarks of sending stand on: a configuration with many accounts, and a worker as its own process, so that its
//! memory and processor time are its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const ACCOUNTS: usize = 500;

/// The token of one of our accounts on the simulated network.
pub fn token(number: usize) -> String {
    format!("token-{number}")
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
pub struct Worker(pub Child);

impl Worker {
    /// Starts `muhatap run` with the roles.
    pub fn start(config: &Path, roles: &str) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
        command.arg("--config").arg(config).args(["run", "--only", roles]).stdout(Stdio::null());
        command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or("error".into()));
        command.envs((0..ACCOUNTS).map(|number| (format!("TOKEN_{number}"), token(number))));
        Worker(command.spawn().expect("muhatap starts"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What follows `name` on the command line.
pub fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

//! A PostgreSQL for one run.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::rig::free_port;

/// A PostgreSQL server for this run alone, with its own settings for durability.
pub struct Postgres {
    server: Child,
    port: u16,
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
    /// The server, and its process.
    pub fn start() -> (Postgres, u32) {
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
        (Postgres { server, port }, pid)
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

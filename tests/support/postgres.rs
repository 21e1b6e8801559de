//! One PostgreSQL server for the whole test binary, started when the first test wants it.
//!
//! A small shell process owns the server and waits on a pipe from this process: however the tests end, the pipe closes,
//! the server stops and its folder goes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::programs;

const SCRIPT: &str = r#"
bin=$1 port=$2 setting=$3
dir=$(mktemp -d /tmp/muhatap-postgres-XXXXXX) || exit 1
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log"; rm -rf "$dir"; exit 1; }
"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c max_connections=400 \
    -c shared_buffers=32MB -c autovacuum=off -c "$setting" >>"$dir/log" 2>&1 </dev/null &
server=$!
while kill -0 $server 2>/dev/null; do
    if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; then echo ready; read -r _; break; fi
    sleep 0.05
done
kill -0 $server 2>/dev/null || cat "$dir/log"
kill -INT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$dir"
"#;

/// The address of an empty database.
pub async fn fresh_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let port = server();
    let name = format!("muhatap_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = AnyConnection::connect(&format!("postgres://postgres@127.0.0.1:{port}/postgres"))
        .await
        .expect("the test server answers");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .expect("a database can be made");
    format!("postgres://postgres@127.0.0.1:{port}/{name}")
}

/// The address of a database of a server of its own, on which a commit may be lost with the power.
pub fn careless_database() -> String {
    format!("postgres://postgres@127.0.0.1:{}/postgres", started("fsync=off"))
}

/// The port of the server, which the first caller starts.
fn server() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| started("fsync=on"))
}

/// Starts a server with a setting, and answers its port.
fn started(setting: &str) -> u16 {
    let bin = programs::postgres();
    let mut said = String::new();
    // Between choosing a free port and taking it another process may take it.
    for _ in 0..3 {
        let port = programs::free_port();
        match start(&bin, port, setting) {
            Ok(()) => return port,
            Err(output) => said = output,
        }
    }
    panic!("PostgreSQL did not start: {said}")
}

fn start(bin: &Path, port: u16, setting: &str) -> Result<(), String> {
    let mut command = match programs::postgres_user().is_some() {
        // PostgreSQL refuses to run as root.
        true => {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        }
        false => Command::new("sh"),
    };
    command.args(["-c", SCRIPT, "sh"]).arg(bin).arg(port.to_string()).arg(setting);
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // A group of its own: an interrupt from the keyboard ends the tests, and their end stops the server in order.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line).map_err(|error| error.to_string())?;
    if line.trim() == "ready" {
        // The child's end of the pipe must outlive every test.
        std::mem::forget(child);
        return Ok(());
    }
    output.read_to_string(&mut line).map_err(|error| error.to_string())?;
    Err(line)
}

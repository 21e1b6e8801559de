//! How fast `muhatap import mentions` is, beside `sqlite3 .import` of the same rows: `cargo bench --bench import`.
//!
//! Needs Debian's `sqlite3`. `BENCH_LINES` sets the number of lines (200,000).

mod crowd;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crowd::{CONTACTS, SEED};
use jiff::tz::TimeZone;
use muhatap::analyze::{Analyzer, DictionaryPaths};
use muhatap::import::{ContactsReading, ContactsTo, MentionsTo, Told, import_contacts, import_mentions};
use muhatap::model::Network;
use muhatap::store::Store;
use muhatap::store::accounts::NewAccount;
use muhatap_connectors::networks::file::{Columns, Format, Reading};

#[tokio::main]
async fn main() {
    let lines: u32 = std::env::var("BENCH_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = dir.path().join("mentions.jsonl");
    let size = crowd::write_mentions(&file, lines);
    let contacts = dir.path().join("contacts.jsonl");
    write_contacts(&contacts);

    let database = dir.path().join("muhatap.db");
    let store = Store::open(&format!("sqlite:{}", database.display())).await.expect("a database can be made");
    let account_id = store.put_account(&account(), Duration::ZERO).await.expect("an account can be added");
    let put = import_contacts(
        open(&contacts),
        None,
        ContactsReading { format: Format::JsonLines },
        ContactsTo::Store(&store),
        |_| {},
    )
    .await
    .expect("contacts can be imported");
    assert_eq!(put.new, u64::from(CONTACTS));

    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::default()));
    analyzer.analyze("ısınma turu");
    let reading =
        Reading { format: Format::JsonLines, columns: Columns::default(), zone: TimeZone::UTC, now: store.clock() };
    let to = MentionsTo::Account { store: &store, id: account_id, network: Network::File };
    let mut memory = vec![resident()];
    let mut next = 0;
    let started = Instant::now();
    let cpu = cpu_time();
    let imported = import_mentions(open(&file), Some(size), reading, (analyzer, None), to, |told| {
        if let Told::Done { lines: done, .. } = told
            && done >= next
        {
            memory.push(resident());
            next += u64::from(lines) / 8;
        }
    })
    .await
    .expect("mentions can be imported");
    let took = started.elapsed();
    let cpu = cpu_time() - cpu;
    assert_eq!((imported.new, imported.bad), (u64::from(lines), 0), "every line is distinct and sound");
    store.close().await;

    let (mentions_only, everything) = sqlite3_import(dir.path(), &database);
    let per_second = |took: Duration| f64::from(lines) / took.as_secs_f64();
    println!("{lines} distinct JSON lines ({:.1} MB), seed {SEED}, {CONTACTS} contacts", size as f64 / 1e6);
    println!("{:46} {:>8} {:>12}", "", "seconds", "mentions/s");
    for (what, took) in [
        ("muhatap import mentions (analysed, linked)", took),
        ("sqlite3 .import of table mentions, its indexes", mentions_only),
        ("sqlite3 .import of every table that was filled", everything),
    ] {
        println!("{what:46} {:>8.2} {:>12.0}", took.as_secs_f64(), per_second(took));
    }
    println!(
        "ratio: {:.2} of .import's speed (mentions alone), {:.2} (every table)",
        mentions_only.as_secs_f64() / took.as_secs_f64(),
        everything.as_secs_f64() / took.as_secs_f64()
    );
    println!("linked authors: {}; processor time: {:.2} s", imported.linked, cpu.as_secs_f64());
    let shown: Vec<String> = memory.iter().map(|kilobytes| format!("{:.0}", f64::from(*kilobytes) / 1e3)).collect();
    println!("resident MB at each eighth: {}", shown.join(" "));
}

fn account() -> NewAccount {
    NewAccount {
        name: "import".to_owned(),
        brand: "default".to_owned(),
        network: Network::File,
        base_url: None,
        login: None,
        listen_for: Vec::new(),
        poll_seconds: 30,
        timezone: "Europe/Istanbul".to_owned(),
        origin: "import",
        secret: None,
        secret_mark: None,
    }
}

fn open(path: &Path) -> File {
    File::open(path).expect("it was just written")
}

fn write_contacts(path: &Path) {
    let mut out = BufWriter::new(File::create(path).expect("the file can be made"));
    for number in 0..CONTACTS {
        writeln!(out, "{{\"id\":\"{number}\",\"name\":\"Kişi {number}\",\"email\":\"kisi{number}@ornek.com\"}}")
            .expect("the file can be written");
    }
    out.flush().expect("the file can be written");
}

/// Times `sqlite3 .import` of what our import stored: the table of mentions alone, and every table it filled.
fn sqlite3_import(dir: &Path, ours: &Path) -> (Duration, Duration) {
    const TABLES: [&str; 5] = ["mentions", "mention_accounts", "authors", "conversations", "rollups"];
    for table in TABLES {
        let csv = dir.join(format!("{table}.csv"));
        sqlite3(ours, &[".mode csv", &format!(".once {}", csv.display()), &format!("SELECT * FROM {table};")]);
    }
    let run = |name: &str, tables: &[&str]| {
        let database = dir.join(name);
        for table in tables {
            // Tables and indexes as the program makes them, with their automatic ones.
            let schema = sqlite3(
                ours,
                &[&format!("SELECT sql || ';' FROM sqlite_schema WHERE tbl_name = '{table}' AND sql IS NOT NULL;")],
            );
            sqlite3(&database, &["PRAGMA journal_mode = WAL;", &schema]);
        }
        let started = Instant::now();
        for table in tables {
            let import = format!(".import --csv {} {table}", dir.join(format!("{table}.csv")).display());
            sqlite3(&database, &["PRAGMA synchronous = FULL;", &import]);
        }
        started.elapsed()
    };
    (run("mentions.db", &TABLES[..1]), run("every.db", &TABLES))
}

fn sqlite3(database: &Path, commands: &[&str]) -> String {
    let mut sqlite3 = Command::new("sqlite3");
    sqlite3.arg(database);
    for command in commands {
        sqlite3.arg("-cmd").arg(command);
    }
    let output = sqlite3
        .arg("")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("sqlite3 cannot be run ({error}): sudo apt-get install sqlite3"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Kilobytes of memory this process holds.
fn resident() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets; times in hundredths of a second, user and system.
    let fields: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect())
        .unwrap_or_default();
    Duration::from_millis(10 * (fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0)))
}

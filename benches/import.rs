//! How fast `muhatap import mentions` is, beside `sqlite3 .import` of the same rows: `cargo bench --bench import`.
//!
//! Needs Debian's `sqlite3`. `MUHATAP_BENCH_LINES` sets the number of lines (200,000).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use muhatap::analyze::{Analyzer, DictionaryPaths};
use muhatap::import::{ContactsReading, Destination, Told, import_contacts, import_mentions};
use muhatap::model::Network;
use muhatap::store::Store;
use muhatap::store::accounts::NewAccount;
use muhatap_connectors::networks::file::{Columns, Format, Reading};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SEED: u64 = 20_261_121;
const AUTHORS: u32 = 40_000;
const CONTACTS: u32 = 5_000;

const OPENINGS: [&str; 12] = [
    "Merhaba,",
    "Selam",
    "Arkadaşlar",
    "Ya",
    "Sayın yetkili,",
    "Bir sorum var:",
    "Hello,",
    "Hi there,",
    "Kolay gelsin,",
    "Üç gündür",
    "Dün akşam",
    "Bu sabah",
];
const SUBJECTS: [&str; 16] = [
    "kargom",
    "siparişim",
    "uygulama",
    "müşteri hizmetleri",
    "iade talebim",
    "mağazanız",
    "ürün",
    "kampanya",
    "faturam",
    "my order",
    "the app",
    "your support",
    "the delivery",
    "internet bağlantısı",
    "kurye",
    "ödeme sayfası",
];
const VERBS: [&str; 18] = [
    "hâlâ gelmedi",
    "açılmıyor",
    "cevap vermiyor",
    "çok güzel olmuş",
    "bozuk çıktı",
    "beklediğimden iyi",
    "never arrived",
    "is broken again",
    "works great",
    "sürekli çöküyor",
    "iptal edilmiş",
    "yanlış adrese gitmiş",
    "tam zamanında geldi",
    "çok pahalı",
    "eksik geldi",
    "harika",
    "rezalet",
    "fena değil",
];
const ENDINGS: [&str; 14] = [
    "lütfen yardım edin.",
    "teşekkürler!",
    "ne zaman gelir?",
    "bir daha almam.",
    "herkese tavsiye ederim :)",
    "please help",
    "thanks a lot",
    "😡😡",
    "kimse ilgilenmiyor",
    "param iade edilsin",
    "nereden alabilirim?",
    "süpersiniz ❤️",
    "bekliyorum",
    "yazık…",
];

#[tokio::main]
async fn main() {
    let lines: u32 = std::env::var("MUHATAP_BENCH_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = dir.path().join("mentions.jsonl");
    let size = write_mentions(&file, lines);
    let contacts = dir.path().join("contacts.jsonl");
    write_contacts(&contacts);

    let database = dir.path().join("muhatap.db");
    let store = Store::open(&format!("sqlite:{}", database.display())).await.expect("a database can be made");
    let account_id = store.put_account(&account()).await.expect("an account can be added");
    let put =
        import_contacts(open(&contacts), None, ContactsReading { format: Format::JsonLines }, Some(&store), |_| {})
            .await
            .expect("contacts can be imported");
    assert_eq!(put.new, u64::from(CONTACTS));

    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::default()));
    analyzer.analyze("ısınma turu");
    let reading =
        Reading { format: Format::JsonLines, columns: Columns::default(), zone: TimeZone::UTC, now: store.clock() };
    let to = Some((&store, Destination { account_id, network: Network::File }));
    let mut memory = vec![resident()];
    let mut next = 0;
    let started = Instant::now();
    let cpu = cpu_time();
    let imported = import_mentions(open(&file), Some(size), reading, analyzer, to, |told| {
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

fn write_mentions(path: &Path, lines: u32) -> u64 {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut out = BufWriter::new(File::create(path).expect("the file can be made"));
    for number in 0..lines {
        let author = random.random_range(0..AUTHORS);
        let mut text = pick(&mut random, &OPENINGS).to_owned();
        for _ in 0..random.random_range(1..4) {
            let (subject, verb) = (pick(&mut random, &SUBJECTS), pick(&mut random, &VERBS));
            write!(text, " {subject} {verb},").expect("writing to a string cannot fail");
        }
        write!(text, " {} (talep {})", pick(&mut random, &ENDINGS), random.random_range(10_000..99_999))
            .expect("writing to a string cannot fail");
        if random.random_ratio(1, 50) {
            write!(text, " bana kisi{}@ornek.com yazın", author % CONTACTS).expect("writing to a string cannot fail");
        }
        let at = 1_760_000_000 + i64::from(number) * 17;
        let line = serde_json::json!({
            "id": format!("m{number}"),
            "text": text,
            "author_id": format!("a{author}"),
            "author": format!("kisi{author}"),
            "author_name": format!("Kişi {author}"),
            "published_at": jiff::Timestamp::from_second(at).expect("it is a time").to_string(),
            "url": format!("https://network.example/m{number}"),
        });
        writeln!(out, "{line}").expect("the file can be written");
    }
    out.flush().expect("the file can be written");
    std::fs::metadata(path).expect("it was just written").len()
}

fn write_contacts(path: &Path) {
    let mut out = BufWriter::new(File::create(path).expect("the file can be made"));
    for number in 0..CONTACTS {
        writeln!(out, "{{\"id\":\"{number}\",\"name\":\"Kişi {number}\",\"email\":\"kisi{number}@ornek.com\"}}")
            .expect("the file can be written");
    }
    out.flush().expect("the file can be written");
}

fn pick<'w>(random: &mut StdRng, words: &[&'w str]) -> &'w str {
    words[random.random_range(0..words.len())]
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

//! `muhatap import`, `mentions` and `contacts`, through the program itself.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use jiff::tz::TimeZone;
use muhatap::analyze::{Analyzer, DictionaryPaths};
use muhatap::import::{MentionsTo, import_mentions};
use muhatap::model::Network;
use muhatap_connectors::networks::file::{Columns, Format, Reading};
use rstest::rstest;
use sqlx::Connection;

use crate::support::{Backend, Database, fresh_store};

const MENTIONS: &str = r#"{"id":"1","text":"Kargom 5 gündür gelmedi, rezalet! ayse@ornek.com","author":"ayse","published_at":"2026-11-20T09:00:00Z"}
{"id":"2","text":"Harika bir ürün, teşekkürler","author":"ali","in_reply_to":"1"}
not json at all
{"id":"3","text":"yıl çok uzak","published_at":"30000-01-01T00:00:00Z"}
{"id":"4","text":"yıl çok eski","published_at":"0001-01-01T00:00:00Z"}
{"id":"5","text":"<script>alert(1)</script>","author":"kötü \u0000 niyetli"}
"#;

fn muhatap(database: &Database, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muhatap"))
        .args(arguments)
        .current_dir(database.dir())
        .env("MUHATAP_DATABASE__URL", &database.url)
        .env("MUHATAP_DATA_DIR", database.dir())
        .env_remove("RUST_LOG")
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(database: &Database, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = database.dir().join(name);
    std::fs::write(&path, content).expect("the file can be written");
    path.display().to_string()
}

#[rstest]
#[tokio::test]
async fn a_file_of_mentions_is_imported_once_and_bad_lines_are_named(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let file = write(&database, "mentions.jsonl", MENTIONS);
    let first = muhatap(&database, &["import", "mentions", &file, "--json"]);
    let (out, err) = (text(&first.stdout), text(&first.stderr));
    assert_eq!(first.status.code(), Some(1), "{err}");
    let result: serde_json::Value = serde_json::from_str(&out).expect("the result is JSON");
    assert_eq!(
        (result["read"].as_i64(), result["new"].as_i64(), result["bad"].as_i64()),
        (Some(6), Some(3), Some(3)),
        "{out}{err}"
    );
    for line in ["line 3: ", "line 4: ", "line 5: "] {
        assert!(err.contains(line), "{err}");
    }
    let again = muhatap(&database, &["import", "mentions", &file, "--json"]);
    let result: serde_json::Value = serde_json::from_str(&text(&again.stdout)).expect("the result is JSON");
    assert_eq!((result["new"].as_i64(), result["known"].as_i64()), (Some(0), Some(3)));
    assert_eq!(database.number("SELECT COUNT(*) FROM mentions").await, 3);

    let listed = muhatap(&database, &["mentions", "--sentiment", "negative", "--json"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let rows: Vec<serde_json::Value> =
        text(&listed.stdout).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0]["text"].as_str().is_some_and(|text| text.starts_with("Kargom")));
    let table = muhatap(&database, &["mentions", "--search", "KARGOM"]);
    assert!(text(&table.stdout).contains("@ayse") || text(&table.stdout).contains("ayse"), "{}", text(&table.stdout));
    let thread =
        database.number("SELECT COUNT(DISTINCT conversation_id) FROM mentions WHERE remote_id IN ('1', '2')").await;
    assert_eq!(thread, 1, "an answer joins what it answers");
}

#[tokio::test]
async fn a_dry_run_writes_nothing_at_all() {
    let database = Database::fresh(Backend::Sqlite).await;
    let mentions = write(&database, "mentions.jsonl", MENTIONS);
    let contacts = write(&database, "contacts.csv", "ad,eposta\nAyşe,ayse@ornek.com\n");
    let dry = muhatap(&database, &["import", "mentions", &mentions, "--dry-run"]);
    assert_eq!(dry.status.code(), Some(1));
    let said = "lines read: 6; 3 mentions would be new, 0 updated, 0 known, 3 bad; nothing was written";
    assert!(text(&dry.stdout).contains(said), "{}", text(&dry.stdout));
    let dry = muhatap(&database, &["import", "contacts", &contacts, "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    assert!(text(&dry.stdout).contains("1 contacts would be new"), "{}", text(&dry.stdout));
    let named = muhatap(&database, &["import", "mentions", &mentions, "--dry-run", "--account", "destek"]);
    assert_eq!(named.status.code(), Some(2), "{}", text(&named.stderr));
    assert!(text(&named.stderr).contains("destek"), "{}", text(&named.stderr));
    assert!(!database.dir().join("muhatap.db").exists());
}

#[rstest]
#[tokio::test]
async fn a_dry_run_foresees_what_the_import_then_does(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = Database::fresh(backend).await;
    let line = |id: u32| format!("{{\"id\":\"{id}\",\"text\":\"merhaba {id}\"}}\n");
    let before = write(&database, "before.jsonl", (0..40).map(line).collect::<String>());
    muhatap(&database, &["import", "mentions", &before]);
    // Forty are stored; ten come again a line later, five some chunks later; one cannot be stored.
    let mut lines: String = (0..5_000).chain(4_990..5_000).chain(100..105).map(line).collect();
    lines.push_str(&format!("{{\"id\":\"{}\",\"text\":\"kimliği çok uzun\"}}\nbozuk\n", "ş".repeat(300)));
    let file = write(&database, "mentions.jsonl", lines);
    let counts = |arguments: &[&str]| -> serde_json::Value {
        let output = muhatap(&database, arguments);
        serde_json::from_str(&text(&output.stdout)).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
    };
    let foreseen = counts(&["import", "mentions", &file, "--json", "--dry-run"]);
    assert_eq!(database.number("SELECT COUNT(*) FROM mentions").await, 40, "nothing was written");
    assert_eq!(database.number("SELECT COUNT(*) FROM unparsed").await, 0, "nothing was written");
    let imported = counts(&["import", "mentions", &file, "--json"]);
    assert_eq!(foreseen, imported);
    assert_eq!((&imported["new"], &imported["known"], &imported["bad"]), (&4_960.into(), &55.into(), &2.into()));
    let all_known = counts(&["import", "mentions", &file, "--json", "--dry-run"]);
    assert_eq!((&all_known["new"], &all_known["bad"]), (&0.into(), &2.into()), "{all_known}");
}

#[tokio::test]
async fn a_dry_run_of_mentions_waits_for_no_writer() {
    let (database, store) = fresh_store(Backend::Sqlite).await;
    let mut writer = sqlx::AnyConnection::connect(&database.url).await.expect("the database answers");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await.expect("it has the write lock");
    let reading =
        Reading { format: Format::JsonLines, columns: Columns::default(), zone: TimeZone::UTC, now: store.clock() };
    let analyzer = Arc::new(Analyzer::new(&DictionaryPaths::default()));
    let to = MentionsTo::DryRun { store: Some(&store), network: Network::File };
    let foreseen = import_mentions(MENTIONS.as_bytes(), None, reading, (analyzer, None), to, |_| {}).await;
    assert_eq!(foreseen.expect("it reads past the writer").new, 3);
    sqlx::query("ROLLBACK").execute(&mut writer).await.expect("it had the write lock all the while");
}

#[rstest]
#[tokio::test]
async fn contacts_are_imported_updated_and_linked_to_authors_that_were_there(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = Database::fresh(backend).await;
    let mentions = write(&database, "mentions.jsonl", MENTIONS);
    muhatap(&database, &["import", "mentions", &mentions]);
    let file = write(
        &database,
        "crm.csv",
        "Müşteri No;Ad Soyad;E-posta;Telefon\n1;Ayşe Yılmaz;ayse@ornek.com;0532 123 45 67\n2;Çağla Öz;bozuk;\n3;Ali;;\n",
    );
    let first = muhatap(&database, &["import", "contacts", &file, "--json"]);
    let result: serde_json::Value = serde_json::from_str(&text(&first.stdout)).expect("the result is JSON");
    assert_eq!(first.status.code(), Some(1));
    assert!(text(&first.stderr).contains("line 3: "), "{}", text(&first.stderr));
    assert_eq!((result["new"].as_i64(), result["linked"].as_i64()), (Some(2), Some(1)), "{result}");
    let again = muhatap(&database, &["import", "contacts", &file]);
    assert!(text(&again.stdout).contains("0 new contacts, 0 updated, 2 known, 1 bad"), "{}", text(&again.stdout));
    let listed = muhatap(&database, &["contacts", "--search", "yilmaz", "--json"]);
    let row: serde_json::Value = serde_json::from_str(text(&listed.stdout).trim()).expect("one line of JSON");
    assert_eq!(
        (row["name"].as_str(), row["phone"].as_str(), row["authors"].as_i64()),
        (Some("Ayşe Yılmaz"), Some("+905321234567"), Some(1))
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_wrong_usage() {
    let database = Database::fresh(Backend::Sqlite).await;
    let empty = write(&database, "empty.csv", "");
    let headless = write(&database, "headless.csv", "a;b;c\n1;2;3\n");
    let utf16 = write(&database, "utf16.csv", [0xFF, 0xFE, b'a', 0, b'd', 0]);
    let folder = database.dir().display().to_string();
    for (arguments, part) in [
        (vec!["import", "mentions", "/nowhere/at/all.jsonl"], "cannot read"),
        (vec!["import", "mentions", &folder], "is a folder"),
        (vec!["import", "mentions", &empty], "empty"),
        (vec!["import", "mentions", &headless], "no column holds the text"),
        (vec!["import", "contacts", &headless], "no column of the header"),
        (vec!["import", "contacts", &utf16], "UTF-16"),
        (vec!["import", "mentions", &headless, "--columns", "texte=a"], "unknown field"),
        (vec!["mentions", "--sentiment", "angry"], "negative, neutral, positive"),
    ] {
        let output = muhatap(&database, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(part), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    assert!(Path::new(&folder).exists());
}

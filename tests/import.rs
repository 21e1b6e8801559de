//! `muhatap import`, `mentions` and `contacts`, through the program itself.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Backend, Database};
use rstest::rstest;

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
    assert!(text(&dry.stdout).contains("6 lines read, 3 bad; nothing was written"), "{}", text(&dry.stdout));
    let dry = muhatap(&database, &["import", "contacts", &contacts, "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    assert!(!database.dir().join("muhatap.db").exists());
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

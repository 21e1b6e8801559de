//! The program as scripts see it: help, exit statuses, what goes to stdout and what to stderr, and how it ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::CommandFactory;
use muhatap::cli::Cli;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::support::redis::Redis;
use crate::support::{Backend, Database, eventually, free_port};

const ACCOUNT: &str = r#"
[[accounts]]
name = "destek"
network = "mastodon"
base_url = "http://127.0.0.1:9"
token = { env = "DESTEK_TOKEN" }
"#;

/// A folder with a configuration and, once something ran, a database.
struct Place(TempDir);

impl Place {
    fn with(configuration: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("muhatap.toml"), configuration).expect("a file");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
        command.args(arguments).current_dir(self.path()).env_clear().env("DESTEK_TOKEN", "gizli-anahtar");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().expect("the program starts"))
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in Cli::command().get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example:"), "{}: {help}", command.get_name());
        assert!(help.contains("muhatap"), "{}: {help}", command.get_name());
    }
}

#[test]
fn help_goes_to_stdout_and_wrong_usage_to_stderr() {
    let place = Place::with("");
    for arguments in [&["--help"][..], &["--version"], &["deliveries", "--help"], &["help", "post"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}");
        assert!(!ran.out.is_empty() && ran.err.is_empty(), "{arguments:?}: {}", ran.err);
    }
    let wrong: [(&[&str], &str); 6] = [
        (&[], "Usage"),
        (&["deliver"], "deliver"),
        (&["deliveries", "--stat", "held"], "--stat"),
        (&["deliveries", "--state", "lost"], "lost"),
        (&["run", "--only", "dance"], "dance"),
        (&["post", "--account", "destek"], "--text"),
    ];
    for (arguments, names) in wrong {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty() && ran.err.contains(names), "{arguments:?}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn a_wrong_configuration_ends_with_2_and_names_its_place() {
    let wrong = [
        ("[consol]\nlisten = \"127.0.0.1:1\"\n", "did you mean \"console\""),
        ("[database]\nurl = \"mysql://a\"\n", "database.url"),
        ("[console\n", "line 1"),
    ];
    for (configuration, names) in wrong {
        let ran = Place::with(configuration).run(&["deliveries"]);
        assert_eq!(ran.code, Some(2), "{configuration}: {}", ran.err);
        assert!(ran.out.is_empty() && ran.err.contains(names), "{configuration}: {}", ran.err);
    }
    let ran = Place::with("").run(&["--config", "nowhere.toml", "deliveries"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("nowhere.toml"), "{}", ran.err);
}

#[test]
fn check_config_names_what_an_account_lacks_and_never_its_secret() {
    let place = Place::with(ACCOUNT);
    let ran = place.run(&["check-config"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("destek") && ran.out.contains("mentions"), "{}", ran.out);
    assert!(!ran.out.contains("gizli") && !ran.err.contains("gizli"));

    let ran =
        Ran::from(place.command(&["check-config"]).env_remove("DESTEK_TOKEN").output().expect("the program starts"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("DESTEK_TOKEN") && ran.err.contains("destek"), "{}", ran.err);

    let ran = Place::with(&ACCOUNT.replace("http://127.0.0.1:9", "ftp://ornek.example")).run(&["check-config"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("destek") && ran.err.contains("base_url"), "{}", ran.err);

    // Nobody listens there.
    let ran = place.run(&["check-config", "--online"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("destek") && !ran.err.contains("gizli"), "{}", ran.err);
}

#[test]
fn a_post_repeats_belongs_to_a_campaign_and_keeps_quiet_hours() {
    let place = Place::with(&format!("{ACCOUNT}{}", ACCOUNT.replace("destek", "magaza")));
    let json = |ran: &Ran| -> Value {
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str(&ran.out).expect("JSON")
    };
    let post = |more: &[&str]| place.run(&[&["post", "--account", "destek", "--text", "Günaydın!"], more].concat());
    let weekly = ["--at", "2099-01-01 09:30", "--repeat", "weekly", "--on", "mon,thu", "--times", "3", "--key", "k"];
    let made = json(&post(&weekly));
    assert_eq!(
        made["next"],
        serde_json::json!(["2099-01-01T06:30:00Z", "2099-01-05T06:30:00Z", "2099-01-08T06:30:00Z"])
    );
    let id = made["id"].as_str().expect("an id");
    assert_eq!(json(&post(&weekly))["id"], id);
    let changed = json(&place.run(&["recurring", "change", id, "--text", "İyi günler!"]));
    assert_eq!((changed["accounts"][0]["text"].as_str(), &changed["rule"]), (Some("İyi günler!"), &made["rule"]));
    assert_eq!((&changed["kept"], &changed["replaced"]), (&Value::from(0), &Value::from(0)));
    let change = |more: &[&str]| place.run(&[&["recurring", "change", id], more].concat());
    // What is not named stays.
    let rule = json(&change(&["--at", "04:00", "--missed", "ask"]));
    assert_eq!((&rule["rule"]["time"], &rule["missed"]), (&Value::from("04:00:00"), &Value::from("ask")));
    for part in ["weekdays", "from", "times", "frequency"] {
        assert_eq!(rule["rule"][part], made["rule"][part], "{part}");
    }
    assert_eq!(json(&change(&["--times", "2"]))["next"].as_array().map(Vec::len), Some(2));
    let until = json(&change(&["--until", "2099-01-31"]))["rule"].clone();
    assert_eq!((&until["until"], &until["times"]), (&Value::from("2099-01-31"), &Value::Null));
    assert_eq!(json(&change(&["--on", "fri"]))["rule"]["weekdays"], serde_json::json!(["friday"]));
    let monthly = json(&change(&["--repeat", "monthly"]))["rule"].clone();
    assert_eq!((&monthly["day"], &monthly["weekdays"]), (&Value::from(1), &serde_json::json!([])));
    assert_eq!(change(&["--at", "yarın"]).code, Some(2));
    let called =
        ["--account", "destek", "--text", "Arayın: 0532 111 22 33 (TC 10000000146)", "--at", "2099-02-01 09:30"];
    let called = [&["post"], &called[..], &["--repeat", "daily", "--times", "2"]].concat();
    for command in [&called[..], &["recurring", "change", id, "--text", "0532 111 22 33"]] {
        let asked = place.run(command);
        assert!(asked.code == Some(1) && asked.err.contains("--confirm-personal-data"), "{command:?}: {}", asked.err);
        json(&place.run(&[command, &["--confirm-personal-data"]].concat()));
    }
    let listed = place.run(&["recurring"]);
    assert!(listed.out.contains("active") && listed.out.contains("2099-01-01 04:00 +0300"), "{}", listed.out);
    assert_eq!(json(&place.run(&["recurring", "pause", id]))["state"], "paused");
    let listed = place.run(&["recurring"]);
    assert!(listed.out.contains("paused") && !listed.out.contains("2099-01-01"), "{}", listed.out);
    assert_eq!(json(&place.run(&["recurring", "end", id]))["state"], "ended");
    let refusals: [(&[&str], &str); 4] = [
        (&["--repeat", "daily"], "--repeat needs --at"),
        (&["--repeat", "weekly", "--on", "t", "--at", "2099-01-01 09:30"], "is not a weekday"),
        (&["--repeat", "daily", "--on", "mon", "--at", "2099-01-01 09:30"], "daily is every day"),
        (&["--repeat", "monthly", "--on", "32", "--at", "2099-01-01 09:30"], "from 1 to 31"),
    ];
    for (wrong, said) in refusals {
        let refused = post(wrong);
        assert_eq!(refused.code, Some(2), "{}", refused.out);
        assert!(refused.err.contains(said), "{}", refused.err);
    }

    let both = post(&["--account", "magaza", "--campaign", "Kış indirimi", "--at", "2099-02-01 09:30", "--key", "c"]);
    assert_eq!(json(&both).as_array().map(Vec::len), Some(2));
    assert!(place.run(&["campaigns"]).out.contains("0 of 2 out, 2 on the way"));
    assert_eq!(json(&place.run(&["campaigns", "show", "kış indirimi"]))["posts"], 2);
    let quiet = json(&place.run(&["quiet", "destek", "09:00-11:00"]));
    assert_eq!((quiet["quiet_hours"].as_str(), quiet["moved_later"].as_i64()), (Some("09:00-11:00"), Some(1)));
    assert!(place.run(&["quiet"]).out.contains("destek  09:00-11:00  Europe/Istanbul"));
    for wrong in ["gece", "09:00:30-11:00"] {
        assert_eq!(place.run(&["quiet", "destek", wrong]).code, Some(2), "{wrong}");
    }
    let ended = json(&place.run(&["quiet", "destek", "none"]));
    assert_eq!((ended["moved_later"].as_i64(), ended["moved_back"].as_i64()), (Some(0), Some(1)));
    assert_eq!(json(&place.run(&["campaigns", "cancel", "Kış indirimi"]))["deliveries"], 2);
    assert_eq!(place.run(&["campaigns", "show", "Yaz"]).code, Some(2));

    let twice = ["--account", "destek", "--at", "2099-03-01 09:30"];
    let asked = post(&twice);
    assert!(asked.code == Some(1) && asked.out.is_empty(), "{}{}", asked.out, asked.err);
    assert!(asked.err.contains("posts 1 and 2 of the list are nearly the same"), "{}", asked.err);
    assert!(asked.err.contains("--confirm-duplicate"), "{}", asked.err);
    let march = || place.run(&["deliveries", "--since", "2099-03-01", "--json"]).out.lines().count();
    assert_eq!(march(), 0, "neither is planned");
    assert_eq!(json(&post(&[&twice[..], &["--confirm-duplicate"]].concat())).as_array().map(Vec::len), Some(2));
    assert_eq!(march(), 2);
    let listed = place.run(&["deliveries", "--since", "2099-03-01", "--json"]).out;
    let one: Value = serde_json::from_str(listed.lines().next().expect("two are listed")).expect("JSON");
    let id = one["id"].as_str().expect("an id");
    assert_eq!(place.run(&["deliveries", "move", id, "2099-04-01 09:30"]).code, Some(0));
    let back = place.run(&["deliveries", "move", id, "2099-03-01 12:00"]);
    assert!(back.code == Some(1) && back.err.contains("due 2099-03-01 09:30 +03:00"), "in the zone: {}", back.err);
    assert!(back.err.contains("--confirm-duplicate"), "{}", back.err);
    let sure = place.run(&["deliveries", "move", id, "2099-03-01 12:00", "--confirm-duplicate"]);
    assert_eq!(sure.code, Some(0), "{}", sure.err);
    let never = place.run(&["deliveries", "move", id, "9999-12-31 23:59"]);
    assert!(never.code == Some(2) && never.err.contains("is out of range"), "{}", never.err);
    let link = place.run(&["deliveries", "decide", id, "sent", "--link", "javascript:alert(1)"]);
    assert!(link.code == Some(2) && link.err.contains("--link: the link is no web address"), "{}", link.err);
}

#[test]
fn a_post_is_printed_as_json_and_the_same_key_is_the_same_delivery() {
    let place = Place::with(ACCOUNT);
    let post = |text: &str| {
        place.run(&["post", "--account", "destek", "--at", "2099-11-22 09:30", "--text", text, "--key", "kampanya-7"])
    };
    let first = post("İyi bayramlar 🎉");
    assert_eq!(first.code, Some(0), "{}", first.err);
    let delivery: Value = serde_json::from_str(&first.out).expect("JSON alone on stdout");
    assert_eq!(delivery["state"], "queued", "{delivery}");
    assert!(delivery["due_at"].as_str().is_some_and(|due| due.starts_with("2099-11-22T06:30")), "{delivery}");

    let again = post("İyi bayramlar 🎉");
    let same: Value = serde_json::from_str(&again.out).expect("JSON alone on stdout");
    assert_eq!((again.code, &same["id"]), (Some(0), &delivery["id"]));
    let other = post("Başka bir metin");
    let first_id = delivery["id"].as_str().expect("an id");
    assert!(other.code != Some(0) && other.out.is_empty() && other.err.contains(first_id), "{}", other.err);

    let listed = place.run(&["deliveries", "--json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(listed.out.contains(first_id), "{}", listed.out);
    let table = place.run(&["deliveries"]);
    assert!(table.code == Some(0) && table.out.contains("destek"), "{}", table.out);

    let nobody = place.run(&["post", "--account", "kimse", "--text", "a"]);
    assert!(nobody.code != Some(0) && nobody.out.is_empty() && nobody.err.contains("kimse"), "{}", nobody.err);
}

#[test]
fn what_is_held_is_released_from_the_command_line() {
    let place = Place::with(ACCOUNT);
    for text in ["Kış geldi", "Bahar kampanyası yakında"] {
        let ran = place.run(&["post", "--account", "destek", "--at", "2020-01-01 09:30", "--text", text]);
        let delivery: Value = serde_json::from_str(&ran.out).expect("JSON alone on stdout");
        assert_eq!(delivery["state"], "held", "{}{}", ran.out, ran.err);
    }
    let release = |arguments: &[&str]| place.run(&[&["deliveries", "release"], arguments].concat());
    assert_eq!(release(&["--hold", "tired"]).code, Some(2));
    assert_eq!(release(&["--spacing", "86401"]).code, Some(2));
    let nobody = release(&["--account", "kimse"]);
    assert!(nobody.code != Some(0) && nobody.err.contains("kimse"), "{}", nobody.err);
    let none = release(&["--hold", "restored"]);
    let told = |ran: &Ran| -> Value { serde_json::from_str(&ran.out).expect("JSON alone on stdout") };
    assert_eq!((none.code, &told(&none)["released"]), (Some(0), &0.into()), "{}", none.err);
    let planned = release(&["--account", "destek", "--spacing", "120", "--dry-run"]);
    assert_eq!((&told(&planned)["released"], &told(&planned)["plan"]["spaced"]), (&0.into(), &2.into()));
    let both = release(&["--account", "destek", "--spacing", "120"]);
    assert_eq!((both.code, &told(&both)["released"]), (Some(0), &2.into()), "{}", both.err);
    assert_eq!(told(&both)["spacing_seconds"], 120);
    assert!(place.run(&["deliveries", "--state", "queued"]).out.contains("Kış geldi"));
}

#[test]
fn what_waits_says_why_and_many_are_sent_stopped_and_cancelled_from_the_command_line() {
    let place = Place::with(ACCOUNT);
    for text in ["Kış geldi", "Bahar kampanyası yakında"] {
        place.run(&["post", "--account", "destek", "--at", "2020-01-01 09:30", "--text", text]);
    }
    let stopped = place.run(&["deliveries", "stop", "--posts", "--reason", "deprem"]);
    assert!(stopped.code == Some(0) && stopped.out.contains("\"scope\":\"posts\""), "{}{}", stopped.out, stopped.err);
    let both = place.run(&["deliveries", "stop", "--posts", "--account", "destek"]);
    assert_eq!(both.code, Some(2), "one at a time");
    let listed = place.run(&["deliveries", "retry", "--account", "destek", "--state", "held", "--dry-run"]);
    assert_eq!((listed.code, listed.out.lines().count()), (Some(0), 2), "{}", listed.err);
    let sent = place.run(&["deliveries", "retry", "--account", "destek", "--state", "held"]);
    assert_eq!((sent.code, sent.out.lines().count()), (Some(0), 2), "{}", sent.err);
    assert!(sent.out.contains("posts are stopped by cli (deprem)"), "{}", sent.out);
    let table = place.run(&["deliveries"]);
    assert!(table.out.contains("waits: posts are stopped by cli (deprem); resume it"), "{}", table.out);
    let plan = place.run(&["deliveries", "resume", "--posts", "--dry-run"]);
    assert!(plan.code == Some(0) && plan.out.contains("\"stops\":[{"), "{}{}", plan.out, plan.err);
    let resumed = place.run(&["deliveries", "resume", "--posts"]);
    assert!(resumed.code == Some(0) && resumed.out.contains("\"stops\":[]"), "{}{}", resumed.out, resumed.err);
    assert!(place.run(&["deliveries"]).out.contains("no worker that delivers runs"));
    assert_eq!(place.run(&["workers", "--json"]).out, "");
    let ended = place.run(&["deliveries", "cancel", "--state", "sent"]);
    assert!(ended.code == Some(2) && ended.err.contains("nothing can be done"), "{}", ended.err);
    let cancelled = place.run(&["deliveries", "cancel", "--state", "queued"]);
    assert!(cancelled.code == Some(0) && cancelled.out.matches("cancelled").count() == 2, "{}", cancelled.out);
}

#[test]
fn every_process_on_a_database_has_the_same_key() {
    let place = Place::with(ACCOUNT);
    let first = place.run(&["deliveries", "--json"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    // Another machine's data folder: no key is made beside the database's.
    let elsewhere = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("MUHATAP_DATA_DIR", place.path().join("elsewhere"));
        command.env("MUHATAP_DATABASE__URL", format!("sqlite:{}", place.path().join("muhatap.db").display()));
        command
    };
    let ran = |mut command: Command| Ran::from(command.output().expect("the program starts"));
    let missing = ran(elsewhere(&["deliveries"]));
    assert_ne!(missing.code, Some(0));
    assert!(missing.err.contains("a key that is not here") && missing.err.contains("new-key"), "{}", missing.err);
    assert!(!place.path().join("elsewhere/muhatap.key").exists());
    let mut other = elsewhere(&["run"]);
    other.env("MUHATAP_KEY", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=");
    let other = ran(other);
    assert!(
        other.err.contains("not the one") && other.err.contains("give every process the same key"),
        "{}",
        other.err
    );

    let taken = ran(elsewhere(&["new-key"]));
    assert_eq!(taken.code, Some(0), "{}", taken.err);
    assert_eq!(ran(elsewhere(&["deliveries"])).code, Some(0));
    assert!(place.run(&["deliveries"]).err.contains("not the one"), "the former key is no longer the database's");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::with(ACCOUNT);
    assert_eq!(
        place.run(&["post", "--account", "destek", "--at", "2099-01-01T00:00:00Z", "--text", "a"]).code,
        Some(0)
    );
    for arguments in [&["completions", "bash"][..], &["deliveries"], &["deliveries", "--json"], &["check-config"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output =
            place.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("the program starts");
        let ran = Ran::from(output.wait_with_output().expect("an end"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn sigterm_ends_a_worker_in_the_middle_of_a_poll_within_ten_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("an address").to_string();
    let place = Place::with(&ACCOUNT.replace("127.0.0.1:9", &address));
    let mut command = tokio::process::Command::from(place.command(&["run", "--only", "listen,deliver"]));
    let mut worker =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
    // The worker has asked and waits for an answer that does not come.
    let asked = async {
        let (mut stream, _) = silent.accept().await.expect("a connection");
        stream.read_u8().await.expect("a request");
        stream
    };
    let held = tokio::time::timeout(Duration::from_secs(30), asked).await.expect("the worker polls");
    let pid = worker.id().expect("a running process").to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let status =
        tokio::time::timeout(Duration::from_secs(10), worker.wait()).await.expect("an end in time").expect("a status");
    assert_eq!(status.code(), Some(0));
    drop(held);

    // What it held is given back: another worker goes on at once, and the database is whole.
    let listed = place.run(&["deliveries"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
}

/// A self-signed certificate for 127.0.0.1 and its key.
fn certificate(place: &Place) {
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test".split(' '))
        .args("-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE".split(' '))
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(place.path())
        .output()
        .expect("openssl can be started; install it with: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_online_asks_redis_whether_it_will_do() {
    let redis = Redis::with(&["--requirepass", "gizli"]).await;
    let check = |url: &str| Place::with(&format!("[queue]\nurl = \"{url}\"\n")).run(&["check-config", "--online"]);
    let address = format!("127.0.0.1:{}", redis.port());
    let right = check(&format!("redis://:gizli@{address}"));
    assert_eq!(right.code, Some(0), "{}", right.err);
    assert!(right.out.contains("queue: redis ") && !right.out.contains("gizli"), "{}", right.out);
    for (url, says) in [
        (format!("redis://:gizli2@{address}"), "refuses the user name or the password"),
        (format!("redis+cluster://:gizli@{address}"), "is not a cluster"),
        ("redis://:gizli@127.0.0.1:9".to_owned(), "cannot be reached"),
        ("redis://:gizli@a,b".to_owned(), "names several hosts"),
    ] {
        let wrong = check(&url);
        assert_eq!(wrong.code, Some(2), "{url}: {}", wrong.err);
        assert!(wrong.err.contains(says), "{url}: {}", wrong.err);
        assert!(!wrong.out.contains("gizli") && !wrong.err.contains("gizli"), "{}{}", wrong.out, wrong.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_over_tls_is_believed_by_its_certificate_alone() {
    let tls_port = free_port();
    let place = Place::with(&format!("[queue]\nurl = \"rediss://127.0.0.1:{tls_port}\"\n"));
    certificate(&place);
    let file = |name: &str| place.path().join(name).display().to_string();
    let port = tls_port.to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let tls = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let _redis = Redis::with(&tls).await;
    let online = |trusted: &str| {
        let mut command = place.command(&["check-config", "--online"]);
        Ran::from(command.env("SSL_CERT_FILE", trusted).output().expect("the program starts"))
    };
    let believed = online(&cert);
    assert_eq!(believed.code, Some(0), "{}", believed.err);
    assert!(believed.out.contains("queue: redis "), "{}", believed.out);
    let other = Place::with("");
    certificate(&other);
    let doubted = online(&other.path().join("cert.pem").display().to_string());
    assert_eq!(doubted.code, Some(2), "{}", doubted.out);
    assert!(doubted.err.contains("ertificate"), "{}", doubted.err);
}

#[tokio::test]
async fn a_worker_waits_for_a_database_that_is_not_up_yet() {
    let database = Database::fresh(Backend::Postgres).await;
    let mut url: Url = database.url.parse().expect("an address");
    let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
    // Nobody listens there yet.
    let port = free_port();
    url.set_port(Some(port)).expect("it has a port");
    let console = format!("127.0.0.1:{}", free_port());
    let place = Place::with(&format!("[database]\nurl = \"{url}\"\n[console]\nlisten = \"{console}\"\n"));
    let mut command = tokio::process::Command::from(place.command(&["run", "--only", "console"]));
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    loop {
        let line = lines.next_line().await.expect("it is UTF-8").expect("it does not end");
        if line.contains("asked again") {
            assert!(line.contains("PostgreSQL cannot be reached") && line.contains("database.url"), "{line}");
            break;
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.expect("PostgreSQL answers");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    eventually("it has begun", async || {
        let answer = reqwest::get(format!("http://{console}/readyz")).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

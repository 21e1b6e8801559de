//! The configuration: defaults, mistakes told with their place and the next step, secrets never repeated.

use std::collections::BTreeMap;
use std::path::Path;

use muhatap::config::{Config, ConfigError};
use secrecy::ExposeSecret;

const SAMPLE: &str = include_str!("../config/muhatap.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Some(Path::new("muhatap.toml")), &BTreeMap::new())
}

fn message(text: &str) -> String {
    parse(text).expect_err("this configuration has a mistake").to_string()
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Config::parse(text, Some(Path::new("muhatap.toml")), &environment)
}

#[test]
fn the_shipped_file_states_every_default() {
    let shipped = parse(SAMPLE).unwrap();
    let built_in = Config { source: shipped.source.clone(), ..Config::default() };
    assert_eq!(format!("{shipped:?}"), format!("{built_in:?}"));
}

#[test]
fn the_examples_in_the_shipped_file_are_right() {
    // Every commented line that holds a key or a table is an example: uncommented, the file must still be read.
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split('=').next().is_some_and(is_key) && rest.contains('=') => {
                rest
            }
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let config = parse(&uncommented).unwrap();
    assert_eq!(config.accounts.len(), 6);
    assert!(config.alerts.email.is_some() && config.alerts.webhook.is_some() && config.digest.is_some());
}

fn is_key(text: &str) -> bool {
    text.trim().chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let text = message("[database]\nurl = \"sqlite:a.db\"\n\n[console]\nlisen = \"127.0.0.1:1\"\n");
    assert!(text.contains("muhatap.toml, line 5"), "{text}");
    assert!(text.contains("\"lisen\"") && text.contains("did you mean \"listen\"?"), "{text}");
}

#[test]
fn times_of_sending_that_cannot_work_are_refused_with_their_bounds() {
    for (line, bounds) in [
        ("settle_seconds = 0", "from 1 to 3600 s"),
        ("call_timeout_seconds = 0.5", "from 1 to 600 s"),
        ("lease_margin_seconds = 1", "from 2 to 600 s"),
        ("work_lease_seconds = 86400", "from 2 to 600 s"),
        ("read_back_gap_seconds = 0", "from 1 to 3600 s"),
    ] {
        let key = line.split(' ').next().unwrap_or_default();
        let text = message(&format!("[delivery]\n{line}\n"));
        assert!(text.contains(&format!("delivery.{key}")) && text.contains(bounds), "{text}");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let text = message("[[accounts]]\nname = \"a\"\nnetwork = \"mastodon\"\ntoken = \"cok-gizli-deger\"\n");
    assert!(!text.contains("cok-gizli"), "{text}");
    assert!(text.contains("env =") && text.contains("line 4"), "{text}");
}

#[test]
fn a_secret_says_where_it_is_missing() {
    let config = parse(
        "[[accounts]]\nname = \"destek\"\nnetwork = \"mastodon\"\ntoken = { env = \"MISSING_TOKEN_FOR_TEST\" }\n",
    )
    .unwrap();
    let token = config.accounts[0].token.as_ref().unwrap();
    let text = token.read("account \"destek\"").unwrap_err().to_string();
    assert!(text.contains("account \"destek\"") && text.contains("MISSING_TOKEN_FOR_TEST"), "{text}");
}

#[test]
fn a_secret_is_read_from_its_file_without_the_newline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "gizli\n").unwrap();
    let text = format!("[[accounts]]\nname = \"a\"\nnetwork = \"telegram\"\ntoken = {{ file = {path:?} }}\n");
    let config = parse(&text).unwrap();
    let secret = config.accounts[0].token.as_ref().unwrap().read("account \"a\"").unwrap();
    assert_eq!(secret.expose_secret(), "gizli");
    std::fs::write(&path, "\n").unwrap();
    let empty = config.accounts[0].token.as_ref().unwrap().read("account \"a\"").unwrap_err();
    assert!(empty.to_string().contains("is empty"));
}

#[rstest::rstest]
#[case("[console]\ntimezone = \"Istanbul\"", "IANA name")]
#[case("[console]\nlanguage = \"de\"", "\"tr\" or \"en\"")]
#[case("[database]\nurl = \"mysql://x\"", "sqlite:FILE")]
#[case("[queue]\nurl = \"kafka://x\"", "redis://host")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"orkut\"", "known are mastodon")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"mastodon\"\nbase_url = \"mastodon.example\"", "line 4")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"mastodon\"\nbase_url = \"ftp://mastodon.example\"", "https://")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"mastodon\"\nbase_url = \"http://mastodon.example\"", "write https://")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"matrix\"\nbase_url = \"https://x:y@matrix.example\"", "user and token")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"mastodon\"\nlisten_for = [\"#\"]", "names nothing")]
#[case("[console]\nlisten = \"8080\"", "line 2, listen: ")]
#[case("[console]\nimport_limit_mb = 0", "console.import_limit_mb")]
#[case("[alerts.email]\nsmtp_url = { env = \"SMTP\" }\nfrom = \"a@example.com\"\nto = []", "alerts.email.to")]
#[case(
    "[alerts.email]\nsmtp_url = { env = \"SMTP\" }\nfrom = \"nobody\"\nto = [\"a@example.com\"]",
    "alerts.email.from"
)]
#[case("[alerts.webhook]\nurl = \"ftp://example.com\"", "alerts.webhook.url")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"rss\"\n[[accounts]]\nname = \"a\"\nnetwork = \"rss\"", "must differ")]
#[case("[[accounts]]\nname = \"a\"\nnetwork = \"rss\"\npoll_seconds = 0", "from 5 to 86400")]
#[case("[delivery]\nundo_seconds = -1", "number of seconds")]
#[case("[database\nurl = 1", "line 1")]
fn a_mistake_is_told_with_its_place_and_what_to_write(#[case] text: &str, #[case] says: &str) {
    let message = message(text);
    assert!(message.contains("muhatap.toml") && message.contains(says), "{message}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = with_environment(
        "[database]\nurl = \"sqlite:a.db\"\n",
        &[
            ("MUHATAP_DATABASE__URL", "sqlite:b.db"),
            ("MUHATAP_DELIVERY__UNDO_SECONDS", "2.5"),
            ("MUHATAP_CONSOLE__TIMEZONE", "UTC"),
            ("MUHATAP_KEY", "not a key of the configuration"),
        ],
    )
    .unwrap();
    assert_eq!(config.database.url, "sqlite:b.db");
    assert_eq!(config.delivery.undo.as_secs_f64(), 2.5);
    assert_eq!(config.console.timezone, "UTC");
}

#[test]
fn a_wrong_variable_is_named() {
    let unknown = with_environment("", &[("MUHATAP_DATABASE__ULR", "x")]).unwrap_err().to_string();
    assert!(unknown.contains("MUHATAP_DATABASE__ULR") && unknown.contains("did you mean \"url\"?"), "{unknown}");
    let section = with_environment("", &[("MUHATAP_DATABSE__URL", "x")]).unwrap_err().to_string();
    assert!(section.contains("did you mean \"database\"?"), "{section}");
}

#[test]
fn the_data_folder_is_the_databases_unless_set() {
    let of = |text: &str| parse(text).unwrap().data_dir().display().to_string();
    assert_eq!(of("[database]\nurl = \"sqlite:/var/lib/muhatap/m.db\""), "/var/lib/muhatap");
    assert_eq!(of("[database]\nurl = \"sqlite:m.db\""), ".");
    assert_eq!(of("[database]\nurl = \"postgres://a@b/c\""), ".");
    assert_eq!(of("data_dir = \"/srv\""), "/srv");
}

#[test]
fn a_digest_needs_readers_a_zone_and_a_mail_server() {
    let digest = "[digest]\nto = [\"ekip@example.com\"]\nat = \"08:30\"\n";
    let mail = "[alerts.email]\nsmtp_url = { env = \"SMTP_URL\" }\nfrom = \"muhatap@example.com\"\nto = []\n";
    parse(&format!("{digest}{mail}")).unwrap();
    assert!(message(digest).contains("[alerts.email]"));
    for (wrong, said) in [
        (digest.replace("\"ekip@example.com\"", ""), "name at least one address"),
        (format!("{digest}timezone = \"Mars\"\n"), "digest.timezone"),
        (format!("{digest}language = \"xx\"\n"), "digest.language"),
        (format!("{digest}days = [\"pazartesi\"]\n"), "line 4"),
    ] {
        let text = message(&format!("{wrong}{mail}"));
        assert!(text.contains(said), "{text}");
    }
    let taken = "[[accounts]]\nname = \"alerts.email\"\nnetwork = \"rss\"\nbase_url = \"https://example.com/feed\"\n";
    assert!(message(taken).contains("choose another one"));
    let server = "[[accounts]]\nname = \"posta\"\nnetwork = \"mail\"\n";
    assert!(message(server).contains("[alerts.email]"));
}

//! Setting endpoints up: what is refused, and where a secret is never seen.

use muhatap::accounts::AccountError;
use muhatap::compose::{self, PostRequest};
use muhatap::config::Config;
use muhatap::model::DeliveryId;
use muhatap::store::webhooks::Replay;
use muhatap::webhooks::{self, Change, Wanted};
use rstest::rstest;
use secrecy::ExposeSecret;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Bench, endpoint_section, header, signed_by_openssl};
use crate::support::{Backend, Database};

fn wanted(name: &str, url: &str) -> Wanted {
    Wanted {
        name: name.to_owned(),
        brand: "Marka".to_owned(),
        url: url.to_owned(),
        events: vec!["mention.received".to_owned()],
    }
}

#[rstest]
#[tokio::test]
async fn only_the_configuration_file_may_name_a_private_address(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    for url in [
        "http://127.0.0.1:9/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://0x7f.1/",
        "http://localhost:9/",
        "https://crm.local/",
        "ftp://a.example",
    ] {
        let error = webhooks::add(&bench.app, &wanted("gizli", url), "test").await.expect_err("it is refused");
        assert!(matches!(&error, AccountError::Invalid { field: "url", .. }), "{url}: {error}");
    }
    bench.event().await;
    bench.turn().await;
    assert_eq!(receiver.received_requests().await.expect("requests are kept").len(), 1, "the file's word counts");
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_endpoint_is_named_with_the_next_step() {
    let bench = Bench::new(Backend::Sqlite, "http://127.0.0.1:9/", &["mention.received"]).await;
    let cases = [
        (wanted("", "https://crm.example/"), "name"),
        (wanted("a", "not an address"), "url"),
        (wanted("a", "https://user:gizlisi@crm.example/"), "url"),
        (wanted("a", "https://crm.example/#olaylar"), "url"),
        (Wanted { brand: "Makra".into(), ..wanted("a", "https://crm.example/") }, "brand"),
        (Wanted { events: Vec::new(), ..wanted("a", "https://crm.example/") }, "events"),
        (Wanted { events: vec!["mention.exploded".into()], ..wanted("a", "https://crm.example/") }, "events"),
    ];
    for (wanted, at) in cases {
        let error = webhooks::add(&bench.app, &wanted, "test").await.expect_err("it is refused");
        assert!(matches!(&error, AccountError::Invalid { field, .. } if *field == at), "{wanted:?}: {error}");
        assert!(!error.to_string().contains("gizlisi"), "{error}");
    }
    let nowhere = Replay::One(DeliveryId::new(bench.app.store.clock()));
    let error = bench.app.store.replay_events(bench.endpoint, nowhere, "test").await.expect_err("there is none");
    assert!(error.to_string().contains("was sent no event"), "{error}");
    let taken = webhooks::add(&bench.app, &wanted("crm", "https://crm.example/"), "test").await;
    assert!(taken.expect_err("the name is taken").to_string().contains("already"));
    // What the file set up is changed there, and nobody posts to an endpoint.
    let change = Change { url: Some("https://crm.example/".into()), ..Change::default() };
    let error = webhooks::change(&bench.app, bench.endpoint, &change, "test").await.expect_err("it is refused");
    assert!(error.to_string().contains("configuration file"), "{error}");
    let error = compose::post(&bench.app, PostRequest::new(bench.endpoint, "merhaba", "test")).await;
    assert!(error.expect_err("it is refused").to_string().contains("webhook"));
    assert!(bench.app.store.accounts().await.expect("they can be read").is_empty(), "it is no account of a network");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_new_secret_signs_beside_the_former_one(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, "http://127.0.0.1:9/", &["mention.received"]).await;
    let receiver = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let (id, former) =
        webhooks::add(&bench.app, &wanted("iki", "https://crm.example/"), "test").await.expect("it is added");
    let new = webhooks::rotate(&bench.app, id, "test").await.expect("it is changed");
    assert_ne!(former.expose_secret(), new.expose_secret());
    // The same secrets at an address of this machine, which only the file may name.
    let stored = bench.app.secret_of(&bench.app.store.account(id).await.expect("it is there")).await;
    let stored = stored.expect("it can be read").expect("there is one");
    std::fs::write(bench.database.dir().join("both"), stored.expose_secret()).expect("a file can be written");
    let section = endpoint_section(bench.database.dir(), "yerel", &receiver.uri(), &["mention.received"]);
    let text = format!(
        "data_dir = \"{}\"\n[database]\nurl = \"{}\"\n{}",
        bench.database.dir().display(),
        bench.database.url,
        section.replace("/secret\"", "/both\"")
    );
    let app = muhatap::app::App::open(Config::parse(&text, None, &Default::default()).expect("it is sound")).await;
    let app = app.expect("the app opens");
    app.put_accounts().await.expect("it is taken up");
    let local = app.store.endpoint_by_name("yerel").await.expect("it is there").id;
    app.store.test_endpoint(local, "test").await.expect("there is room");
    bench.turn_of(local).await;
    let requests = receiver.received_requests().await.expect("requests are kept");
    let both = [new, former].map(|secret| signed_by_openssl(&requests[0], secret.expose_secret())).join(" ");
    assert_eq!(header(&requests[0], "webhook-signature"), both);
    app.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_removed_endpoint_forgets_its_secret_and_hears_no_more(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, "http://127.0.0.1:9/", &["mention.received"]).await;
    let (id, _) =
        webhooks::add(&bench.app, &wanted("eski", "https://crm.example/"), "test").await.expect("it is added");
    webhooks::remove(&bench.app, id, "test").await.expect("it is removed");
    let kept = bench.database.number("SELECT COUNT(*) FROM accounts WHERE name = 'eski' AND secret IS NOT NULL").await;
    assert_eq!(kept, 0);
    assert!(bench.app.store.endpoint(id).await.is_err());
    let again = webhooks::add(&bench.app, &wanted("eski", "https://crm.example/"), "test").await;
    assert_eq!(again.expect("its name is free again").0, id);
    bench.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_none_is_told_at_the_start_without_repeating_it() {
    let database = Database::fresh(Backend::Sqlite).await;
    let section = endpoint_section(database.dir(), "crm", "https://crm.example/", &["mention.received"]);
    std::fs::write(database.dir().join("secret"), "geheim").expect("a file can be written");
    let text = format!("[database]\nurl = \"{}\"\n{section}", database.url);
    let app = muhatap::app::App::open(Config::parse(&text, None, &Default::default()).expect("it is sound")).await;
    let error = app.expect("the app opens").put_accounts().await.expect_err("it is refused").to_string();
    assert!(error.contains("whsec_") && !error.contains("geheim"), "{error}");
}

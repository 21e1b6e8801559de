//! Opening a database.

use rstest::rstest;

use crate::support::{Backend, Database, fresh_store, postgres};
use muhatap::store::{Store, StoreError};

#[rstest]
#[tokio::test]
async fn a_database_opens_again_and_keeps_its_schema(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (database, store) = fresh_store(backend).await;
    store.close().await;
    Store::open(&database.url).await.expect("it opens again");
}

#[rstest]
#[tokio::test]
async fn several_processes_may_migrate_at_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = Database::fresh(backend).await;
    let opened = futures_util::future::join_all((0..6).map(|_| Store::open(&database.url))).await;
    for store in opened {
        store.expect("each of them opens").ping().await.expect("and answers");
    }
}

#[rstest]
#[tokio::test]
async fn the_clock_is_the_databases_and_goes_on(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let first = store.clock();
    assert!(first.as_second() > 1_700_000_000);
    assert!(store.clock() >= first);
    assert_eq!(first.as_nanosecond() % 1000, 0, "times are whole microseconds");
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_file_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (database, _store) = fresh_store(Backend::Sqlite).await;
    for entry in std::fs::read_dir(database.dir()).expect("it can be listed") {
        let entry = entry.expect("it can be read");
        let mode = entry.metadata().expect("it has one").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn an_address_that_cannot_work_says_why_and_what_to_do() {
    crate::support::set_up();
    for (url, part) in [
        ("mysql://localhost/x", "must begin with sqlite: or postgres://"),
        ("sqlite:", "names no file"),
        ("sqlite::memory:", "would lose"),
        ("sqlite:/nowhere/at/all/muhatap.db", "its folder must exist"),
        ("postgres://geheim:s3cret@127.0.0.1:1/x", "PostgreSQL cannot be reached"),
    ] {
        let Err(error) = Store::open(url).await else { panic!("{url} must not open") };
        assert!(matches!(error, StoreError::Open(_) | StoreError::Busy(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_path_may_have_spaces_percent_signs_and_turkish_letters() {
    let database = Database::fresh(Backend::Sqlite).await;
    let path = database.dir().join("müşteri 100% #1?.db");
    Store::open(&format!("sqlite:{}", path.display())).await.expect("it opens");
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_as_such() {
    let database = Database::fresh(Backend::Sqlite).await;
    let path = database.dir().join("notes.txt");
    std::fs::write(&path, "not a database, but long enough to be looked at as if it were one: ".repeat(40))
        .expect("written");
    let Err(error) = Store::open(&format!("sqlite:{}", path.display())).await else { panic!("it must not open") };
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_written_no_more() {
    let database = Database::fresh(Backend::Sqlite).await;
    let path = database.dir().join("muhatap.db");
    let store = database.store().await;
    store.ping().await.expect("it is there");
    std::fs::copy(&path, database.dir().join("copy.db")).expect("it can be copied");
    std::fs::rename(database.dir().join("copy.db"), &path).expect("it can be put in its place");
    for refused in [store.ping().await, store.give_back("reaper", "w1").await] {
        let error = refused.expect_err("it is another file").to_string();
        assert!(error.contains("muhatap.db was moved or replaced") && error.contains("start it again"), "{error}");
    }
    let now = store.clock();
    let turn = store.take("lane", "w1", std::time::Duration::from_secs(1), None, now).await;
    assert!(turn.is_err_and(|error| error.to_string().contains("replaced")));
    // Started again, it works.
    database.store().await.ping().await.expect("it is there");
}

#[tokio::test]
async fn a_server_whose_commits_do_not_survive_power_loss_is_refused() {
    let url = tokio::task::spawn_blocking(postgres::careless_database).await.expect("it starts");
    let Err(StoreError::Open(refused)) = Store::open(&url).await else { panic!("it must not open") };
    assert!(refused.contains("fsync") && refused.contains("change the server's settings"), "{refused}");
}

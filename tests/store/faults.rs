//! A database that is locked, or whose machine loses power.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use muhatap::model::Network;
use muhatap::store::inbox::MentionFilter;
use muhatap::store::{Store, StoreError};
use muhatap_connectors::Change;
use sqlx::{AnyConnection, Connection};

use crate::support::messages::{account, batch, lease, message};
use crate::support::{Backend, fresh_store};

#[tokio::test]
async fn a_database_locked_by_another_process_says_so_and_loses_nothing() {
    let (database, store) = fresh_store(Backend::Sqlite).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let held = lease(&store, destek).await;
    let polled = batch([Change::Seen(message("https://n/1", "merhaba"))]);

    let mut other = AnyConnection::connect(&database.url).await.expect("the file can be opened twice");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("it can be locked");
    let refused = store.record(&held, &polled).await.expect_err("the file is locked");
    assert!(matches!(refused, StoreError::Busy(_)), "{refused:?}");
    assert!(refused.to_string().contains("locked by another process"), "{refused}");
    let readable = store.mentions(&MentionFilter::default()).await.expect("reading goes on");
    assert!(readable.is_empty());

    sqlx::query("ROLLBACK").execute(&mut other).await.expect("it can be given free");
    assert_eq!(store.record(&held, &polled).await.expect("the same batch is stored now").new.len(), 1);
}

/// What stands on the disk at any moment is what stands there when the power goes: SQLite's file with the log beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_at_any_moment_opens_with_every_committed_row() {
    let (database, store) = fresh_store(Backend::Sqlite).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let committed = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, committed, stop) = (store.clone(), committed.clone(), stop.clone());
        async move {
            // Few enough that the log is never moved into the file meanwhile, which a copy could not show whole.
            for number in 0..60 {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let held = lease(&store, destek).await;
                let changes = (0..3).map(|n| Change::Seen(message(&format!("https://n/{number}/{n}"), "merhaba")));
                store.record(&held, &batch(changes)).await.expect("it is held");
                committed.fetch_add(3, Ordering::SeqCst);
            }
        }
    });
    for round in 0..12 {
        crate::support::eventually("some more was written", async || {
            committed.load(Ordering::SeqCst) >= 12 * round || writer.is_finished()
        })
        .await;
        let copy = database.dir().join(format!("copy{round}.db"));
        let at_least = committed.load(Ordering::SeqCst);
        for ending in ["", "-wal"] {
            let from = database.dir().join(format!("muhatap.db{ending}"));
            std::fs::copy(from, database.dir().join(format!("copy{round}.db{ending}"))).expect("it can be copied");
        }
        let survivor = Store::open(&format!("sqlite:{}", copy.display())).await.expect("the copy opens");
        let filter = MentionFilter { limit: 500, ..MentionFilter::default() };
        let rows = survivor.mentions(&filter).await.expect("the copy can be read").len();
        assert!(rows >= at_least, "{rows} rows of {at_least} committed ones");
        assert_eq!(rows % 3, 0, "no batch is there in part");
        survivor.close().await;
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.expect("it does not panic");
}

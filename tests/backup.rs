//! A backup holds everything, moves between the databases, and sends nothing again after it was put back.

use std::time::Duration;

use muhatap::model::{Class, DeliveryState, Network, Visibility};
use muhatap::store::Store;
use muhatap::store::accounts::NewAccount;
use muhatap::store::backup::BackupError;
use muhatap::store::deliveries::DeliveryFilter;
use muhatap::store::enqueue::{Enqueued, NewDelivery, NewPost, Origin};
use rstest::rstest;

use crate::support::{Backend, fresh_store};

/// An account and a post that waits for its time.
async fn something(store: &Store) {
    let now = store.clock();
    let account = NewAccount {
        name: "destek".to_owned(),
        brand: "Işık Çay".to_owned(),
        network: Network::Mastodon,
        base_url: Some("https://mastodon.example".to_owned()),
        login: None,
        listen_for: vec!["ışık".to_owned()],
        poll_seconds: 30,
        timezone: "Europe/Istanbul".to_owned(),
        origin: "file",
        secret: None,
        secret_mark: None,
    };
    let account_id = store.put_account(&account, Duration::ZERO).await.unwrap();
    let post = NewDelivery {
        account_id,
        lane: format!("{account_id}/posts"),
        class: Class::CAMPAIGN,
        key: "anahtar".to_owned(),
        body_hash: "hash".to_owned(),
        text: "İyi bayramlar \"herkese\"\n🎉".to_owned(),
        visibility: Visibility::Public,
        author: "local".to_owned(),
        due_at: now + Duration::from_secs(3600),
        late_limit: Duration::from_secs(900),
        expires_at: None,
        after_id: None,
    };
    let post = NewPost { delivery: post, fingerprint: "iyi bayramlar".to_owned(), day: None, spacing: Duration::ZERO };
    let enqueued = store.enqueue_post(&post, &Origin::default(), now).await.unwrap();
    assert!(matches!(enqueued, Enqueued::New(_)), "{enqueued:?}");
}

async fn backup(store: &Store) -> Vec<u8> {
    let mut written = Vec::new();
    store.backup(&mut written, |_, _| {}).await.unwrap();
    written
}

/// Rows without the header's time, and without the log of the restore itself, in one order.
fn rows(backup: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(backup).unwrap();
    let mut rows: Vec<String> = text
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("[\"audit\"") && !line.starts_with("[\"installation\""))
        .map(str::to_owned)
        .collect();
    rows.sort();
    rows
}

#[rstest]
#[tokio::test]
async fn what_was_waiting_is_held_after_a_restore_and_everything_else_is_as_before(
    #[values(Backend::Sqlite, Backend::Postgres)] from: Backend,
    #[values(Backend::Sqlite, Backend::Postgres)] to: Backend,
) {
    let (_one, store) = fresh_store(from).await;
    something(&store).await;
    let first = backup(&store).await;

    let (_other, restored) = fresh_store(to).await;
    restored.restore(first.as_slice(), |_, _| {}).await.unwrap();
    let deliveries = restored.deliveries(&DeliveryFilter::default()).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].state, DeliveryState::Held);
    assert_eq!(deliveries[0].text, "İyi bayramlar \"herkese\"\n🎉");

    let but_deliveries = |backup: &[u8]| -> Vec<String> {
        rows(backup).into_iter().filter(|row| !row.starts_with("[\"deliveries\"")).collect()
    };
    assert_eq!(but_deliveries(&backup(&restored).await), but_deliveries(&first));
}

#[rstest]
#[tokio::test]
async fn a_backup_that_cannot_be_restored_changes_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_one, store) = fresh_store(backend).await;
    something(&store).await;
    let whole = backup(&store).await;

    let refused = store.restore(whole.as_slice(), |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty("accounts")), "{refused}");

    let (_other, empty) = fresh_store(backend).await;
    let before = backup(&empty).await;
    let end_of_last_but_one = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    let cut = empty.restore(&whole[..=end_of_last_but_one], |_, _| {}).await.unwrap_err();
    assert!(matches!(cut, BackupError::CutShort { .. }), "{cut}");
    let half_line = empty.restore(&whole[..whole.len() - 5], |_, _| {}).await.unwrap_err();
    assert!(matches!(half_line, BackupError::Line { .. }), "{half_line}");
    let other = empty.restore(b"{\"a\":1}\n".as_slice(), |_, _| {}).await.unwrap_err();
    assert!(matches!(other, BackupError::NotABackup), "{other}");
    let hostile = String::from_utf8(whole).unwrap().replacen("\"network\":", "\"x) SELECT 1;--\":", 1);
    let hostile = empty.restore(hostile.as_bytes(), |_, _| {}).await.unwrap_err();
    assert!(hostile.to_string().contains("is not a column of accounts"), "{hostile}");
    assert_eq!(rows(&backup(&empty).await), rows(&before));
}

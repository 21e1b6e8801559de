//! What becomes of what a poll brought.

use muhatap::model::{AccountId, Network, SentimentLabel};
use muhatap::store::inbox::{HourFilter, MentionFilter, MentionRow, Message};
use muhatap::store::mentions::{Polled, Recorded};
use muhatap::store::{Store, StoreError};
use muhatap_connectors::{Change, Incoming, Unparsed};
use rstest::rstest;

use crate::support::messages::{account, author, batch, lease, message, minutes_later, noon};
use crate::support::{Backend, Database, fresh_store};

const BOTH: &str = "an account can be listened on";

async fn record(store: &Store, account: AccountId, polled: &Polled) -> Recorded {
    let lease = lease(store, account).await;
    store.record(&lease, polled).await.expect(BOTH)
}

async fn all(store: &Store) -> Vec<MentionRow> {
    store.mentions(&MentionFilter::default()).await.expect("mentions can be read")
}

async fn found(store: &Store, words: &str) -> Vec<String> {
    let filter = MentionFilter { search: Some(words.to_owned()), ..MentionFilter::default() };
    let rows = store.mentions(&filter).await.expect("mentions can be searched");
    rows.into_iter().filter_map(|row| row.text).collect()
}

async fn counted(store: &Store) -> i64 {
    let filter = HourFilter {
        account_id: None,
        brand_id: None,
        since: minutes_later(noon(), -60 * 24),
        until: minutes_later(noon(), 60 * 24),
    };
    store.sentiment_by_hour(&filter).await.expect("hours can be read").iter().map(|hour| hour.mentions).sum()
}

fn answer(remote_id: &str, to: &str, minutes: i64) -> Incoming {
    Incoming {
        in_reply_to: Some(to.to_owned()),
        published_at: minutes_later(noon(), minutes),
        ..message(remote_id, &format!("yanıt {remote_id}"))
    }
}

fn ours(incoming: Incoming) -> Incoming {
    let mut incoming = incoming;
    incoming.author = author("https://network.example/users/destek", "destek");
    incoming.author.is_us = true;
    incoming
}

#[rstest]
#[tokio::test]
async fn a_poll_is_stored_with_its_cursor_and_again_changes_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let polled = batch([
        Change::Seen(message("https://n/1", "Kargom gelmedi, çok kötü!")),
        Change::Seen(answer("https://n/2", "https://n/1", 1)),
    ]);
    let first = record(&store, destek, &polled).await;
    assert_eq!((first.new.len(), first.known), (2, 0));
    let before = database.number("SELECT COUNT(*) FROM events").await;
    let again = record(&store, destek, &polled).await;
    assert_eq!((again.new.len(), again.known), (0, 2));
    assert!(again.is_quiet());
    assert_eq!(all(&store).await.len(), 2);
    assert_eq!(counted(&store).await, 2);
    assert_eq!(database.number("SELECT COUNT(*) FROM events").await, before);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_accounts").await, 2);
    assert_eq!(lease(&store, destek).await.cursor.expect("it was recorded").0, "next");
}

#[rstest]
#[tokio::test]
async fn who_lost_the_stream_stores_nothing(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let old = lease(&store, destek).await;
    store.release_stream(&old).await.expect("it can be given back");
    let new = lease(&store, destek).await;
    assert!(new.epoch > old.epoch);
    let late = store.record(&old, &batch([Change::Seen(message("https://n/1", "geç kaldı"))])).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert!(all(&store).await.is_empty());
    store.record(&new, &batch([Change::Seen(message("https://n/1", "zamanında"))])).await.expect(BOTH);
    assert_eq!(all(&store).await[0].text.as_deref(), Some("zamanında"));
}

#[rstest]
#[tokio::test]
async fn a_post_that_names_two_of_our_accounts_is_one_mention_in_one_conversation(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let basin = account(&store, "basin", Network::Mastodon).await;
    let seen_by =
        |local: &str| Incoming { local_id: Some(local.to_owned()), ..message("https://n/1", "@destek @basin") };
    record(&store, destek, &batch([Change::Seen(seen_by("11"))])).await;
    let second = record(&store, basin, &batch([Change::Seen(seen_by("99"))])).await;
    assert_eq!((second.new.len(), second.known), (0, 1));
    assert_eq!(all(&store).await.len(), 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM conversations").await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_accounts").await, 2);
    assert_eq!(counted(&store).await, 1);
}

#[rstest]
#[tokio::test]
async fn a_newer_edit_replaces_text_analysis_counts_and_index(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let edited = |text: &str, minutes| Incoming {
        edited_at: Some(minutes_later(noon(), minutes)),
        ..message("https://n/1", text)
    };
    record(&store, destek, &batch([Change::Seen(message("https://n/1", "berbat bir hizmet"))])).await;
    let newest = batch([Change::Edited(edited("harika bir hizmet, teşekkürler", 5))]);
    assert_eq!(record(&store, destek, &newest).await.edited, 1);
    let stale = record(&store, destek, &batch([Change::Edited(edited("eski hâli", 2))])).await;
    assert_eq!((stale.edited, stale.known), (0, 1), "an older version comes too late");
    assert!(record(&store, destek, &newest).await.is_quiet());

    let rows = all(&store).await;
    assert_eq!(rows[0].text.as_deref(), Some("harika bir hizmet, teşekkürler"));
    assert_eq!(rows[0].edited_at, Some(minutes_later(noon(), 5)));
    assert_eq!(found(&store, "HARİKA").await.len(), 1);
    assert!(found(&store, "berbat").await.is_empty());
    assert_eq!(counted(&store).await, 1);
    assert_eq!(rows.len(), 1);
}

#[rstest]
#[tokio::test]
async fn an_edit_without_a_time_counts_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Rss).await;
    record(&store, destek, &batch([Change::Seen(message("https://n/1", "ilk"))])).await;
    let edit = batch([Change::Edited(message("https://n/1", "ikinci"))]);
    assert_eq!(record(&store, destek, &edit).await.edited, 1);
    assert!(record(&store, destek, &edit).await.is_quiet());
    let old_page = batch([Change::Seen(message("https://n/1", "ilk"))]);
    assert!(record(&store, destek, &old_page).await.is_quiet(), "what is merely seen is no edit");
    assert_eq!(all(&store).await[0].text.as_deref(), Some("ikinci"));
}

#[rstest]
#[tokio::test]
async fn a_deletion_erases_what_was_said_and_keeps_the_count(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let seen = batch([Change::Seen(message("https://n/1", "rezalet bir kargo"))]);
    let id = record(&store, destek, &seen).await.new[0];
    let gone = batch([Change::Deleted("https://n/1".to_owned())]);
    assert_eq!(record(&store, destek, &gone).await.deleted, 1);
    assert!(record(&store, destek, &gone).await.is_quiet());
    assert!(record(&store, destek, &seen).await.is_quiet(), "a late copy does not bring it back");

    let row = store.mention(id).await.expect("its place is kept");
    assert_eq!((row.text.as_deref(), row.sentiment.label), (None, SentimentLabel::Neutral));
    assert!(row.deleted_at.is_some() && row.sentiment.because.is_empty() && row.tokens.is_empty());
    assert!(found(&store, "rezalet").await.is_empty());
    assert_eq!(counted(&store).await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM mentions WHERE text IS NOT NULL").await, 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_search").await, 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_accounts WHERE reply_data <> 'null'").await, 0);
}

#[tokio::test]
async fn an_erased_text_is_nowhere_in_the_file() {
    let (database, store) = fresh_store(Backend::Sqlite).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    record(&store, destek, &batch([Change::Seen(message("https://n/1", "eşsizsözcükabc yazdım"))])).await;
    record(&store, destek, &batch([Change::Deleted("https://n/1".to_owned())])).await;
    store.close().await;
    let bytes = std::fs::read(database.dir().join("muhatap.db")).expect("the file is there");
    for word in ["eşsizsözcükabc", "essizsozcukabc"] {
        let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "{word} is still in the file");
    }
}

#[rstest]
#[tokio::test]
async fn a_deletion_that_comes_first_wins(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    record(&store, destek, &batch([Change::Deleted("https://n/1".to_owned()), Change::Deleted("77".to_owned())])).await;
    let by_local_id = Incoming { local_id: Some("77".to_owned()), ..message("https://n/2", "yerel adıyla silinmiş") };
    let late = batch([
        Change::Seen(message("https://n/1", "silinmiş")),
        Change::Seen(by_local_id),
        Change::Deleted("https://n/3".to_owned()),
        Change::Seen(message("https://n/3", "aynı anda silinmiş")),
    ]);
    assert!(record(&store, destek, &late).await.new.is_empty());
    assert!(all(&store).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_deletion_may_use_the_id_of_the_accounts_own_server(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let basin = account(&store, "basin", Network::Mastodon).await;
    let seen = Incoming { local_id: Some("5".to_owned()), ..message("https://n/1", "merhaba") };
    let plain = message("$event", "bu ağda kimlikler düz");
    record(&store, destek, &batch([Change::Seen(seen), Change::Seen(plain)])).await;
    assert_eq!(record(&store, basin, &batch([Change::Deleted("5".to_owned())])).await.deleted, 0, "another server's 5");
    assert_eq!(record(&store, destek, &batch([Change::Deleted("5".to_owned())])).await.deleted, 1);
    assert_eq!(record(&store, destek, &batch([Change::Deleted("$event".to_owned())])).await.deleted, 1);
}

#[rstest]
#[tokio::test]
async fn our_own_messages_are_outgoing_and_stand_in_their_conversation(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let asked = Incoming { local_id: Some("1".to_owned()), ..message("https://n/1", "nerede?") };
    let answered = ours(Incoming { local_id: Some("2".to_owned()), ..answer("https://n/2", "1", 1) });
    let polled = batch([Change::Seen(answered), Change::Seen(asked), Change::Seen(answer("https://n/3", "2", 2))]);
    let recorded = record(&store, destek, &polled).await;
    assert_eq!((recorded.new.len(), recorded.outgoing), (2, 1));
    assert!(record(&store, destek, &polled).await.is_quiet());

    let rows = all(&store).await;
    let conversation = store.conversation(rows[0].conversation.id).await.expect("it is there");
    let kinds: Vec<bool> =
        conversation.messages.iter().map(|message| matches!(message, Message::Outgoing(_))).collect();
    assert_eq!(kinds, [false, true, false]);
    assert_eq!(conversation.last_outgoing_at, Some(minutes_later(noon(), 1)));
    assert_eq!(conversation.last_incoming_at, Some(minutes_later(noon(), 2)));
    assert_eq!(database.number("SELECT COUNT(*) FROM conversations").await, 1);
}

#[rstest]
#[tokio::test]
async fn an_author_with_the_id_of_any_of_our_accounts_is_us(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let basin = account(&store, "basin", Network::Mastodon).await;
    let profile = muhatap_connectors::Profile {
        remote_id: "https://network.example/users/basin".to_owned(),
        handle: "basin".to_owned(),
        display_name: "Basın".to_owned(),
        url: None,
    };
    store.set_profile(basin, &profile).await.expect("it is new");
    let mut colleague = message("https://n/1", "@destek bakar mısın");
    colleague.author = author("https://network.example/users/basin", "basin");
    let recorded = record(&store, destek, &batch([Change::Seen(colleague)])).await;
    assert_eq!((recorded.new.len(), recorded.outgoing), (0, 1));
    assert_eq!(database.number("SELECT COUNT(*) FROM authors").await, 0);
}

#[rstest]
#[tokio::test]
async fn an_answer_to_our_lone_post_begins_a_conversation_that_shows_the_post(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Bluesky).await;
    let post = ours(message("at://us/1", "Yeni ürünümüz çıktı"));
    record(&store, destek, &batch([Change::Seen(post)])).await;
    assert_eq!(
        database.number("SELECT COUNT(*) FROM conversations").await,
        0,
        "a lone post of ours is no conversation"
    );
    let threaded = Incoming { thread: Some("at://us/1".to_owned()), ..answer("at://a/1", "at://us/1", 1) };
    record(&store, destek, &batch([Change::Seen(threaded)])).await;
    let rows = all(&store).await;
    let conversation = store.conversation(rows[0].conversation.id).await.expect("it is there");
    assert_eq!(conversation.messages.len(), 2);
    assert!(matches!(conversation.messages[0], Message::Outgoing(_)));
}

#[rstest]
#[tokio::test]
async fn answers_that_come_before_what_they_answer_end_up_in_one_conversation(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let local = |incoming: Incoming, id: &str| Incoming { local_id: Some(id.to_owned()), ..incoming };
    // Newest first, one page each, as a backfill brings them.
    record(&store, destek, &batch([Change::Seen(local(answer("https://n/4", "3", 4), "4"))])).await;
    record(&store, destek, &batch([Change::Seen(local(answer("https://n/3", "2", 3), "3"))])).await;
    record(&store, destek, &batch([Change::Seen(local(message("https://n/1", "kök"), "1"))])).await;
    record(&store, destek, &batch([Change::Seen(ours(local(answer("https://n/2", "1", 2), "2")))])).await;
    assert_eq!(database.number("SELECT COUNT(*) FROM mentions").await, 3);
    let conversations = database.number("SELECT COUNT(DISTINCT conversation_id) FROM mentions").await;
    assert_eq!(conversations, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM conversations").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_chain_that_bites_its_own_tail_is_stored(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let ring =
        (0..50).map(|at| Change::Seen(answer(&format!("https://n/{at}"), &format!("https://n/{}", (at + 1) % 50), at)));
    let own_parent = Change::Seen(answer("https://n/self", "https://n/self", 0));
    assert_eq!(record(&store, destek, &batch(ring.chain([own_parent]))).await.new.len(), 51);
}

#[rstest]
#[tokio::test]
async fn a_new_message_opens_a_conversation_that_was_done(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use muhatap::model::ConversationState;
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    record(&store, destek, &batch([Change::Seen(message("https://n/1", "soru"))])).await;
    let id = all(&store).await[0].conversation.id;
    store.set_conversation_state(id, ConversationState::Done, None, "test").await.expect("it can be closed");
    let again = record(&store, destek, &batch([Change::Seen(message("https://n/1", "soru"))])).await;
    assert!(again.is_quiet());
    assert_eq!(store.conversation(id).await.expect("it is there").head.state, ConversationState::Done);
    record(&store, destek, &batch([Change::Seen(answer("https://n/2", "https://n/1", 5))])).await;
    assert_eq!(store.conversation(id).await.expect("it is there").head.state, ConversationState::Open);
}

#[rstest]
#[tokio::test]
async fn one_row_that_cannot_be_stored_is_kept_raw_and_the_others_go_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let mut endless = message("https://n/2", "kimliği çok uzun");
    endless.author.remote_id = "x".repeat(3_000);
    let mut polled = batch([
        Change::Seen(message("https://n/1", "iyi")),
        Change::Seen(endless),
        Change::Seen(message("", "kimliksiz")),
        Change::Seen(message("https://n/3", "iyi")),
    ]);
    polled.unparsed = vec![Unparsed { raw: "{\"broken\0".to_owned(), reason: "not JSON".to_owned() }];
    let recorded = record(&store, destek, &polled).await;
    assert_eq!((recorded.new.len(), recorded.unparsed.len()), (2, 2));
    assert!(recorded.unparsed[0].1.contains("512"), "{:?}", recorded.unparsed);
    assert_eq!(database.number("SELECT COUNT(*) FROM unparsed").await, 3);
    record(&store, destek, &polled).await;
    assert_eq!(database.number("SELECT COUNT(*) FROM unparsed").await, 3, "kept once");
}

#[rstest]
#[tokio::test]
async fn a_row_that_the_database_itself_refuses_does_not_stop_its_batch(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    // A rule of the database that the program does not know of.
    database.run(match backend {
        Backend::Sqlite => "CREATE TRIGGER strict BEFORE INSERT ON mentions WHEN NEW.text = 'kötü satır' BEGIN SELECT RAISE(ABORT, 'no'); END",
        Backend::Postgres => "ALTER TABLE mentions ADD CONSTRAINT strict CHECK (text <> 'kötü satır')",
    }).await;
    let rows = (0..120).map(|at| {
        let text = if at == 60 { "kötü satır" } else { "iyi satır" };
        Change::Seen(message(&format!("https://n/{at}"), text))
    });
    let recorded = record(&store, destek, &batch(rows)).await;
    assert_eq!((recorded.new.len(), recorded.unparsed.len()), (119, 1));
    assert_eq!(recorded.unparsed[0].0, 60);
    assert_eq!(counted(&store).await, 119);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_search").await, 119);
}

#[rstest]
#[tokio::test]
async fn hostile_text_is_stored_as_text(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let long = "şikâyet ".repeat(12_000);
    let texts = [
        "<script>alert(1)</script><b onload=x>'; DROP TABLE mentions; --",
        "bir\0iki",
        "\u{202e}sağdan sola\u{202c} שלום مرحبا",
        "👨‍👩‍👧‍👦🏳️‍🌈",
        "",
        long.as_str(),
    ];
    let changes = texts.iter().enumerate().map(|(at, text)| Change::Seen(message(&format!("https://n/{at}"), text)));
    assert_eq!(record(&store, destek, &batch(changes)).await.new.len(), texts.len());
    let mut stored: Vec<_> = all(&store).await.into_iter().filter_map(|row| row.text).collect();
    let mut expected: Vec<_> = texts.iter().map(|text| text.replace('\0', "\u{FFFD}")).collect();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
}

#[rstest]
#[tokio::test]
async fn times_at_the_ends_of_the_calendar_are_stored(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    for (id, at) in [("https://n/1", "0001-01-01T00:00:00Z"), ("https://n/2", "9999-12-30T22:00:00Z")] {
        let published_at = at.parse().expect("it is a time");
        let old = Incoming { published_at, ..message(id, "zaman") };
        record(&store, destek, &batch([Change::Seen(old)])).await;
    }
    let times: Vec<_> = all(&store).await.iter().map(|row| row.published_at.to_string()).collect();
    assert_eq!(times, ["9999-12-30T22:00:00Z", "0001-01-01T00:00:00Z"]);
}

#[rstest]
#[tokio::test]
async fn large_batches_are_stored_whole(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let changes: Vec<_> = (0..1_203)
        .map(|at| {
            let mut incoming = message(&format!("https://n/{at}"), &format!("mesaj {at}"));
            incoming.author = author(&format!("https://n/users/{}", at % 700), &format!("kisi{}", at % 700));
            incoming.rating = (at % 3 == 0).then_some(4.5);
            incoming.published_at = minutes_later(noon(), at);
            Change::Seen(incoming)
        })
        .collect();
    assert_eq!(record(&store, destek, &batch(changes)).await.new.len(), 1_203);
    assert_eq!(database.number("SELECT COUNT(*) FROM authors").await, 700);
    assert_eq!(database.number("SELECT COUNT(*) FROM mention_search").await, 1_203);
    assert_eq!(database.number("SELECT CAST(SUM(mentions) AS BIGINT) FROM rollups").await, 1_203);
    assert_eq!(found(&store, "kisi699").await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_late_parent_of_a_conversation_someone_works_on_leaves_it_alone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    record(&store, destek, &batch([Change::Seen(message("https://n/1", "kök"))])).await;
    record(&store, destek, &batch([Change::Seen(answer("https://n/3", "https://n/2", 3))])).await;
    let worked_on = all(&store).await[0].conversation.id;
    store.add_note(worked_on, "aradım", "test").await.expect("a note can be added");
    record(&store, destek, &batch([Change::Seen(answer("https://n/2", "https://n/1", 2))])).await;
    assert_eq!(store.conversation(worked_on).await.expect("it is still there").notes.len(), 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM conversations").await, 2);
}

impl Database {
    async fn run(&self, sql: &'static str) {
        use sqlx::Connection;
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.expect("the database answers");
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("the statement is sound");
    }
}

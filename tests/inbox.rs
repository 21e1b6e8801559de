//! What people read and do: lists by filter and search, conversations, users and tokens, on both databases.

use jiff::{SignedDuration, Timestamp};
use muhatap::model::{
    AccountId, ConversationState, MentionId, Network, Role, Scope, SentimentLabel, UrgencyLevel, UserId,
};
use muhatap::store::inbox::{Assignee, HourFilter, MentionFilter, MentionRow, Message};
use muhatap::store::users::{Disabled, NewToken, NewUser, UserChange};
use muhatap::store::{Store, StoreError};
use muhatap_connectors::{Change, Incoming};
use rstest::rstest;

use crate::support::messages::{account, author, batch, lease, message, minutes_later, noon};
use crate::support::{Backend, fresh_store};

/// Stores messages on an account; their ids in the order given.
async fn stored(store: &Store, account: AccountId, messages: Vec<Incoming>) -> Vec<MentionId> {
    let lease = lease(store, account).await;
    let changes = messages.into_iter().map(Change::Seen);
    store.record(&lease, &batch(changes)).await.expect("messages can be stored").new
}

fn at(minutes: i64, remote_id: &str, text: &str) -> Incoming {
    Incoming { published_at: minutes_later(noon(), minutes), ..message(remote_id, text) }
}

async fn found(store: &Store, filter: MentionFilter) -> Vec<String> {
    let rows = store.mentions(&filter).await.expect("a list can be read");
    rows.into_iter().map(|row| row.text.unwrap_or_default()).collect()
}

async fn search(store: &Store, words: &str) -> Vec<String> {
    found(store, MentionFilter { search: Some(words.to_owned()), ..MentionFilter::default() }).await
}

async fn one(store: &Store) -> MentionRow {
    store.mentions(&MentionFilter::default()).await.expect("a list can be read").remove(0)
}

async fn user(store: &Store, name: &str, role: Role) -> UserId {
    let user = NewUser {
        name: name.to_owned(),
        password_hash: "$argon2id$none".to_owned(),
        role,
        language: "tr".to_owned(),
        timezone: None,
    };
    store.add_user(&user, "cli").await.expect("a user can be added")
}

#[rstest]
#[tokio::test]
async fn search_knows_turkish_letters_and_beginnings_of_words(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    stored(
        &store,
        account,
        vec![
            at(1, "1", "Kargom 5 gündür gelmedi"),
            at(2, "2", "IŞIK nerede?"),
            at(3, "3", "ışık söndü"),
            at(4, "4", "isik yok, KARGO var"),
            at(5, "5", "e-posta: ayse@ornek.example, a-b/c; 'tırnak\" OR NOT (parantez* \\ters"),
            at(6, "6", "日本語のテキスト 👍"),
        ],
    )
    .await;
    assert_eq!(search(&store, "kargo").await, ["isik yok, KARGO var", "Kargom 5 gündür gelmedi"]);
    for word in ["IŞIK", "ışık", "isik", "Işık", "İŞİK"] {
        assert_eq!(search(&store, word).await.len(), 3, "{word}");
    }
    assert_eq!(search(&store, "gundur kargom").await.len(), 1, "every word must be there, in any order");
    assert_eq!(search(&store, "argo").await.len(), 0, "the beginning of a word, not its middle");
    assert_eq!(search(&store, "ornek.example").await.len(), 1);
    assert_eq!(search(&store, "a-b").await.len(), 1);
    // What looks like a query of the database's own is only words.
    for odd in ["\"", "'", "*", "OR", "NOT", "a OR b", "(parantez", "NEAR(a b)", "ters\\", "a:b", ":*", "&", "!x", "\0"]
    {
        let rows = store.mentions(&MentionFilter { search: Some(odd.to_owned()), ..MentionFilter::default() }).await;
        assert!(rows.is_ok(), "{odd:?}: {rows:?}");
    }
    assert_eq!(search(&store, "!?").await.len(), 0, "signs alone find nothing");
    assert_eq!(search(&store, "   ").await.len(), 6, "no word is no filter");
    let author: Vec<String> = search(&store, "ayse").await;
    assert_eq!(author.len(), 6, "the author's handle is searched too");
}

#[rstest]
#[tokio::test]
async fn every_filter_narrows_and_pages_are_whole(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let first = account(&store, "destek", Network::Mastodon).await;
    let second = account(&store, "marka", Network::Mastodon).await;
    let texts: Vec<String> = (0..25).map(|number| format!("mesaj {number}")).collect();
    // Pairs share a time, so that the id decides their order.
    let messages = texts.iter().enumerate().map(|(number, text)| at(number as i64 / 2, &number.to_string(), text));
    stored(&store, first, messages.collect()).await;
    let other = Incoming { author: author("https://network.example/users/can", "can"), ..at(99, "other", "başka") };
    // One post that names both accounts, seen by both.
    let both = at(50, "both", "ikisine de");
    stored(&store, second, vec![other, both.clone()]).await;
    stored(&store, first, vec![both]).await;

    assert_eq!(
        found(&store, MentionFilter { account_id: Some(second), ..Default::default() }).await,
        ["başka", "ikisine de"]
    );
    let seen = found(&store, MentionFilter { account_id: Some(first), limit: 100, ..Default::default() }).await;
    assert_eq!(seen.len(), 26, "a mention belongs to every account that saw it");
    assert!(seen.contains(&"ikisine de".to_owned()));

    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let filter = MentionFilter { before, limit: 4, ..MentionFilter::default() };
        let page = store.mentions(&filter).await.expect("a page can be read");
        let Some(last) = page.last() else { break };
        before = Some(last.mark());
        pages.extend(page.iter().map(|row| row.id));
    }
    let all = store.mentions(&MentionFilter { limit: 100, ..Default::default() }).await.expect("a list can be read");
    assert_eq!(pages, all.iter().map(|row| row.id).collect::<Vec<_>>());
    assert_eq!(all.len(), 27);
    assert!(all.is_sorted_by(|a, b| (a.published_at, a.id) > (b.published_at, b.id)));

    let row = &all[0];
    assert_eq!(row.text.as_deref(), Some("başka"));
    for (filter, rows) in [
        (MentionFilter { author_id: Some(row.author.id), ..Default::default() }, 1),
        (MentionFilter { conversation_id: Some(row.conversation.id), ..Default::default() }, 1),
        (MentionFilter { network: Some(Network::Bluesky), ..Default::default() }, 0),
        (MentionFilter { network: Some(Network::Mastodon), ..Default::default() }, 27),
        (MentionFilter { language: Some("xx".to_owned()), ..Default::default() }, 0),
        (
            MentionFilter {
                language: Some(row.language.code.clone()),
                author_id: Some(row.author.id),
                ..Default::default()
            },
            1,
        ),
        (
            MentionFilter {
                sentiment: Some(row.sentiment.label),
                author_id: Some(row.author.id),
                ..Default::default()
            },
            1,
        ),
        (MentionFilter { intent: Some(row.intents[0].label), author_id: Some(row.author.id), ..Default::default() }, 1),
        (MentionFilter { since: Some(minutes_later(noon(), 50)), ..Default::default() }, 2),
        (MentionFilter { until: Some(minutes_later(noon(), 1)), ..Default::default() }, 2),
        (
            MentionFilter {
                search: Some("mesaj".to_owned()),
                state: Some(ConversationState::Open),
                account_id: Some(first),
                assignee: Some(Assignee::Nobody),
                ..Default::default()
            },
            25,
        ),
        (MentionFilter { search: Some("mesaj".to_owned()), account_id: Some(second), ..Default::default() }, 0),
    ] {
        let filter = MentionFilter { limit: 100, ..filter };
        assert_eq!(found(&store, filter.clone()).await.len(), rows, "{filter:?}");
    }
}

#[rstest]
#[tokio::test]
async fn topics_and_urgency_narrow_in_both_languages(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    let delivery = "The courier lost my parcel, I will call my lawyer";
    let kargo = "Kargom hala gelmedi, doğum gününe kadar yetişmeyecek";
    let fatura = "Bu ayki faturam neden bu kadar yüksek geldi?";
    stored(&store, account, vec![at(1, "1", delivery), at(2, "2", kargo), at(3, "3", fatura)]).await;
    let of = |topic: &str| MentionFilter { topic: Some(topic.parse().expect("a topic")), ..Default::default() };
    assert_eq!(found(&store, of("kargo")).await, [kargo, delivery]);
    assert_eq!(found(&store, of("delivery")).await, [kargo, delivery]);
    assert_eq!(found(&store, of("invoice")).await, [fatura]);
    assert_eq!(found(&store, of("otel")).await, [""; 0]);
    let urgent = |urgency| MentionFilter { urgency: Some(urgency), ..Default::default() };
    assert_eq!(found(&store, urgent(UrgencyLevel::High)).await, [delivery]);
    assert_eq!(found(&store, urgent(UrgencyLevel::Raised)).await, [kargo]);
    assert_eq!(found(&store, urgent(UrgencyLevel::None)).await, [fatura]);
    let rows = store.mentions(&urgent(UrgencyLevel::High)).await.expect("a list can be read");
    assert_eq!(
        (rows[0].topics.as_slice(), rows[0].urgency.because[0].text.as_str()),
        (&["delivery".to_owned()][..], "lawyer")
    );
}

#[rstest]
#[tokio::test]
async fn a_snoozed_conversation_opens_at_its_time_and_by_a_new_message(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    stored(&store, account, vec![at(1, "1", "merhaba")]).await;
    let id = one(&store).await.conversation.id;
    let state = async |state| {
        let filter = MentionFilter { state: Some(state), ..MentionFilter::default() };
        store.mentions(&filter).await.expect("a list can be read").len()
    };
    assert_eq!(state(ConversationState::Open).await, 1);

    let past = store.clock() - SignedDuration::from_secs(1);
    let refused = store.set_conversation_state(id, ConversationState::Snoozed, Some(past), "local").await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let until = store.clock() + SignedDuration::from_hours(1);
    store
        .set_conversation_state(id, ConversationState::Snoozed, Some(until), "local")
        .await
        .expect("it can be snoozed");
    assert_eq!((state(ConversationState::Open).await, state(ConversationState::Snoozed).await), (0, 1));
    assert_eq!(store.wake_snoozed().await.expect("a sweep"), 0, "its time has not come");

    // The hour passes.
    database.execute("UPDATE conversations SET snoozed_until = 1").await;
    assert_eq!((state(ConversationState::Open).await, state(ConversationState::Snoozed).await), (1, 0));
    assert_eq!(one(&store).await.conversation.state, ConversationState::Open, "open even before the sweep");
    assert_eq!(store.inbox_counts(None).await.expect("counts").open, 1);
    assert_eq!(store.wake_snoozed().await.expect("a sweep"), 1);
    assert_eq!(store.wake_snoozed().await.expect("a sweep"), 0);

    store.set_conversation_state(id, ConversationState::Done, None, "local").await.expect("it can be done");
    assert_eq!((state(ConversationState::Open).await, state(ConversationState::Done).await), (0, 1));
    let answer = Incoming { in_reply_to: Some("1".to_owned()), ..at(2, "2", "hâlâ bekliyorum") };
    stored(&store, account, vec![answer]).await;
    assert_eq!(state(ConversationState::Open).await, 2, "a new message opens it again");
}

#[rstest]
#[tokio::test]
async fn of_two_people_who_take_a_conversation_the_second_is_told_by_name(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    stored(&store, account, vec![at(1, "1", "merhaba")]).await;
    let (ayse, can) = (user(&store, "Ayşe", Role::Agent).await, user(&store, "Can", Role::Agent).await);
    let head = one(&store).await.conversation;
    let claim = Some(head.claim);
    let (first, second) = tokio::join!(
        store.assign(head.id, Some(ayse), claim, "local"),
        store.assign(head.id, Some(can), claim, "local"),
    );
    let winner = one(&store).await.conversation.assignee.expect("one of them has it").name;
    let refused = if winner == "Ayşe" { second } else { first };
    assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why.contains(&winner)), "{refused:?}");
    let mine = MentionFilter { assignee: Some(Assignee::User(ayse)), ..MentionFilter::default() };
    assert_eq!(found(&store, mine).await.len(), usize::from(winner == "Ayşe"));
    // Without the number it is a deliberate hand-over.
    store.assign(head.id, Some(can), None, "local").await.expect("it can be handed over");
    let claim = store.assign(head.id, None, None, "local").await.expect("it can be given back");
    assert!(claim > head.claim);
    assert_eq!(store.inbox_counts(Some(can)).await.expect("counts").mine, 0);
    let nobody = store.assign(head.id, Some(UserId::new(store.clock())), None, "local").await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))));
}

#[rstest]
#[tokio::test]
async fn a_conversation_shows_messages_in_order_with_notes_and_the_audit_holds_no_text(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    let ours = Incoming {
        author: muhatap_connectors::Author { is_us: true, ..author("us", "destek") },
        in_reply_to: Some("1".to_owned()),
        ..at(2, "2", "bakıyoruz")
    };
    let again = Incoming { in_reply_to: Some("2".to_owned()), ..at(3, "3", "teşekkürler") };
    stored(&store, account, vec![at(1, "1", "kargom nerede"), ours, again]).await;
    let id = one(&store).await.conversation.id;
    store.add_note(id, "gizli not", "local").await.expect("a note can be added");
    let view = store.conversation(id).await.expect("a conversation can be read");
    let said: Vec<(&str, &str)> = view
        .messages
        .iter()
        .map(|message| match message {
            Message::Incoming(mention) => ("in", mention.text.as_deref().unwrap_or_default()),
            Message::Outgoing(outgoing) => ("out", outgoing.text.as_deref().unwrap_or_default()),
            Message::Pending(pending) => ("pending", pending.text.as_str()),
        })
        .collect();
    assert_eq!(said, [("in", "kargom nerede"), ("out", "bakıyoruz"), ("in", "teşekkürler")]);
    assert_eq!(view.notes[0].text, "gizli not");
    let log = store.audit_log(None, 100).await.expect("the log can be read");
    assert!(log.iter().any(|line| line.action == "note_added" && line.subject == id.to_string()));
    assert!(!format!("{log:?}").contains("gizli"), "ids, never text");
}

#[rstest]
#[tokio::test]
async fn hours_add_up_to_what_was_said(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let account = account(&store, "destek", Network::Mastodon).await;
    stored(&store, account, (0..130).step_by(10).map(|minutes| at(minutes, &minutes.to_string(), "rezalet")).collect())
        .await;
    let filter = HourFilter {
        account_id: Some(account),
        brand_id: None,
        since: minutes_later(noon(), 30),
        until: minutes_later(noon(), 600),
    };
    let hours = store.sentiment_by_hour(&filter).await.expect("hours can be read");
    assert_eq!(hours.iter().map(|hour| hour.mentions).collect::<Vec<_>>(), [6, 6, 1], "whole hours");
    for hour in &hours {
        assert_eq!(hour.negative + hour.neutral + hour.positive, hour.mentions);
        assert!((-1.0..=1.0).contains(&hour.score));
    }
    let row = one(&store).await;
    let label = row.sentiment.label;
    let same = hours.iter().map(|hour| match label {
        SentimentLabel::Negative => hour.negative,
        SentimentLabel::Neutral => hour.neutral,
        SentimentLabel::Positive => hour.positive,
    });
    assert_eq!(same.sum::<i64>(), 13);
    assert!((hours[0].score - row.sentiment.score).abs() < 1e-9);
}

#[rstest]
#[tokio::test]
async fn a_session_ends_with_its_time_its_password_and_its_user(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let admin = user(&store, "yönetici", Role::Admin).await;
    let ayse = user(&store, "Ayşe", Role::Agent).await;
    let later = store.clock() + SignedDuration::from_hours(1);
    let open = async |hash: &str, until: Timestamp| store.open_session(ayse, hash, until).await.expect("a session");
    let is_open = async |hash: &str| store.session_user(hash).await.expect("a question").is_some();
    open("a", later).await;
    assert!(is_open("a").await && !is_open("b").await);
    open("ended", store.clock() - SignedDuration::from_secs(1)).await;
    assert!(!is_open("ended").await);
    let password = UserChange { password_hash: Some("$argon2id$new".to_owned()), ..UserChange::default() };
    store.change_user(ayse, &password, "cli").await.expect("a password can change");
    assert!(!is_open("a").await, "a new password ends every session");
    open("c", later).await;
    let out = UserChange { disabled: Some(Disabled::Yes), ..UserChange::default() };
    store.change_user(ayse, &out, "cli").await.expect("a user can be disabled");
    assert!(!is_open("c").await);
    assert!(store.login("Ayşe").await.expect("a question").is_none());
    let last = store.change_user(admin, &out, "cli").await;
    assert!(matches!(last, Err(StoreError::Conflict(_))), "the last administrator stays: {last:?}");
    let twice = store
        .add_user(
            &NewUser {
                name: "Ayşe".into(),
                password_hash: String::new(),
                role: Role::Viewer,
                language: "tr".into(),
                timezone: None,
            },
            "cli",
        )
        .await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
}

#[rstest]
#[tokio::test]
async fn the_set_up_link_works_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let first = |name: &str| NewUser {
        name: name.to_owned(),
        password_hash: "x".to_owned(),
        role: Role::Admin,
        language: "tr".to_owned(),
        timezone: None,
    };
    assert!(store.offer_setup("old").await.expect("an offer"));
    assert!(store.offer_setup("new").await.expect("an offer"));
    assert!(!store.is_setup("old").await.expect("a question"), "a newer link replaces it");
    assert!(store.add_first_user(&first("a"), "old").await.is_err());
    let (one, two) = (first("a"), first("b"));
    let (a, b) = tokio::join!(store.add_first_user(&one, "new"), store.add_first_user(&two, "new"));
    assert!(a.is_ok() != b.is_ok(), "one of two at once: {a:?} {b:?}");
    assert!(!store.offer_setup("again").await.expect("an offer"), "not while a user exists");
}

#[rstest]
#[tokio::test]
async fn a_token_works_until_it_expires_or_is_revoked(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let new = |name: &str, hash: &str, expires_at| NewToken {
        name: name.to_owned(),
        token_hash: hash.to_owned(),
        scopes: vec![Scope::Read],
        expires_at,
    };
    let token = store.add_token(&new("a", "hash-a", None), "cli").await.expect("a token");
    store
        .add_token(&new("b", "hash-b", Some(store.clock() - SignedDuration::from_secs(1))), "cli")
        .await
        .expect("a token");
    assert!(store.add_token(&new("a", "hash-c", None), "cli").await.is_err(), "the name is taken");
    assert!(store.use_token("hash-a").await.expect("a question").is_some());
    assert!(store.tokens().await.expect("tokens")[1].last_used_at.is_some());
    assert!(store.use_token("hash-b").await.expect("a question").is_none(), "expired");
    store.revoke_token(token.id, "cli").await.expect("it can be revoked");
    store.revoke_token(token.id, "cli").await.expect("twice is no error");
    assert!(store.use_token("hash-a").await.expect("a question").is_none(), "revoked");
}

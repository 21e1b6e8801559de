//! What happens becomes an event for whoever asked for it, and for nobody else.

use muhatap::compose::{self, PostRequest};
use muhatap::model::{ConversationState, Network};
use muhatap::store::inbox::MentionFilter;
use muhatap_connectors::Change;
use rstest::rstest;
use serde_json::Value;

use super::Bench;
use crate::support::Backend;
use crate::support::messages::{account, account_of, batch, lease, message};

const NOWHERE: &str = "http://127.0.0.1:9/";
const COMPLAINT: &str = "Kargom 5 gündür gelmedi, kimse cevap vermiyor, rezalet!";

impl Bench {
    async fn kinds(&self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.kind).collect()
    }

    async fn data(&self, position: usize) -> Value {
        let id = self.events().await[position].id;
        let view = self.app.store.delivery(id).await.expect("it is a delivery like any other");
        let body: Value = serde_json::from_str(&view.text).expect("it is JSON");
        body["data"].clone()
    }
}

#[rstest]
#[tokio::test]
async fn a_mention_is_told_by_ids_and_labels_and_never_by_its_words(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let asked = ["mention.received", "mention.negative", "mention.complaint", "mention.deleted", "conversation.done"];
    let bench = Bench::new(backend, NOWHERE, &asked).await;
    let store = &bench.app.store;
    let ours = account(store, "destek", Network::Mastodon).await;
    let theirs = account_of(store, "Başka", "baska", Network::Bluesky).await;
    let seen = |id: &str, text: &str| Change::Seen(message(id, text));
    let held = lease(store, ours).await;
    store.record(&held, &batch([seen("1", COMPLAINT)])).await.expect("it is stored");
    let held = lease(store, theirs).await;
    store.record(&held, &batch([seen("2", COMPLAINT)])).await.expect("it is stored");
    assert_eq!(bench.kinds().await, ["mention.received", "mention.negative", "mention.complaint"]);

    let mention = store.mentions(&MentionFilter::default()).await.expect("they can be read");
    let mention = mention.iter().find(|row| row.account.id == ours).expect("it is there");
    let data = bench.data(0).await;
    assert_eq!(data["mention_id"], mention.id.to_string());
    assert_eq!(data["sentiment"]["label"], "negative");
    assert!(data["intents"].as_array().expect("a list").contains(&"complaint".into()), "{data}");
    let told = bench.database.number("SELECT COUNT(*) FROM payloads WHERE body <> replace(body, 'Kargom', '')").await;
    let named = bench.database.number("SELECT COUNT(*) FROM payloads WHERE body <> replace(body, 'ayse', '')").await;
    assert_eq!((told, named), (0, 0));

    let conversation = mention.conversation.id;
    for _ in 0..2 {
        let done = store.set_conversation_state(conversation, ConversationState::Done, None, "test").await;
        done.expect("it can be finished");
    }
    let held = lease(store, ours).await;
    store.record(&held, &batch([Change::Deleted("1".to_owned())])).await.expect("it is erased");
    assert_eq!(bench.kinds().await[3..], ["conversation.done", "mention.deleted"], "a change that is none is not told");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_a_file_holds_is_history_and_the_same_poll_again_is_no_news(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, NOWHERE, &["mention.received"]).await;
    let store = &bench.app.store;
    let ours = account(store, "destek", Network::Mastodon).await;
    let polled = batch([Change::Seen(message("1", COMPLAINT))]);
    let imported = batch([Change::Seen(message("2", COMPLAINT))]);
    store.record_import(ours, Network::Mastodon, &imported.changes).await.expect("it is stored");
    assert!(bench.kinds().await.is_empty());
    for _ in 0..2 {
        let held = lease(store, ours).await;
        store.record(&held, &polled).await.expect("it is stored");
    }
    assert_eq!(bench.kinds().await, ["mention.received"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn how_a_post_ended_is_told_and_how_telling_ended_is_not(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use crate::support::network::{End, FakeNetwork};
    let bench = Bench::new(backend, NOWHERE, &["delivery.sent", "delivery.failed", "delivery.unknown"]).await;
    let store = &bench.app.store;
    let ours = account(store, "destek", Network::Mastodon).await;
    let network = FakeNetwork::new(muhatap_connectors::Certainty::None);
    bench.app.connectors.put(&store.account(ours).await.expect("it is there"), network.clone());
    network.script([End::Refuse("no"), End::AcceptThenError]);
    for text in ["bir", "iki tane", "üç tane daha"] {
        compose::post(&bench.app, PostRequest::new(ours, text, "test")).await.expect("it can be posted");
    }
    for _ in 0..4 {
        bench.sender.turn(&format!("{ours}/posts"), bench.now()).await.expect("the database answers");
        store.open_account(ours, bench.now()).await.expect("it can be opened");
        bench.later(std::time::Duration::from_secs(60));
    }
    assert_eq!(bench.kinds().await, ["delivery.failed", "delivery.unknown", "delivery.sent"]);
    assert_eq!(bench.data(0).await["reason"], "refused by the network: no");
    // The endpoint cannot be reached: that makes no event of its own.
    bench.turn().await;
    assert_eq!(bench.kinds().await.len(), 3);
    // What people read of deliveries is what they wrote.
    let listed = store.deliveries(&Default::default()).await.expect("they can be read");
    assert_eq!(listed.len(), 3);
    let counted: i64 = store.delivery_counts().await.expect("they can be counted").iter().map(|(_, n)| n).sum();
    assert_eq!(counted, 3);
    bench.stop().await;
}

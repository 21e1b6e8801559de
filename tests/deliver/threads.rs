//! The parts of a thread: each is an answer to the part before it.

use std::time::Duration;

use muhatap::compose::{self, PostRequest};
use muhatap::model::{DeliveryId, DeliveryState, Network};
use muhatap::store::deliveries::Decision;
use muhatap_connectors::Certainty;
use rstest::rstest;

use crate::support::network::End;
use crate::support::running::Running;
use crate::support::sending::{Bench, connect};
use crate::support::{Backend, eventually, messages};

/// Longer than an unclear call can have an effect.
const SETTLE: Duration = Duration::from_secs(31);

async fn part(bench: &Bench, text: &str, after: DeliveryId) -> DeliveryId {
    let request = PostRequest { after: Some(after), ..PostRequest::new(bench.account, text, "test") };
    bench.try_post(request).await.expect("it can be posted").id
}

/// Of each message, our own one that it continues.
fn continued(bench: &Bench) -> Vec<Option<String>> {
    bench.network.shown().into_iter().map(|shown| shown.continues).collect()
}

#[rstest]
#[tokio::test]
async fn each_part_continues_the_one_before_it_also_after_a_restart(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let first = bench.post("birinci bölüm budur").await;
    let second = part(&bench, "sonra gelen ikinci parça", first).await;
    let third = part(&bench, "en sonunda üçüncü kısım", second).await;
    bench.turn().await;
    bench.network.script([End::Unavailable]);
    bench.turn().await;
    bench.later(SETTLE);
    bench.turn().await;
    assert_eq!(bench.state(second).await, DeliveryState::Sent);
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    assert_eq!(bench.state(third).await, DeliveryState::Verifying);
    let (app, sender) = bench.another_process().await;
    bench.later(SETTLE);
    sender.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    assert_eq!((bench.state(third).await, bench.network.calls()), (DeliveryState::Sent, 4), "it is found by its place");
    assert_eq!(continued(&bench), [None, Some("post/1".to_owned()), Some("post/2".to_owned())]);
    app.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_names_no_message_of_the_account_is_continued_by_none(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    // A person saw it there, and gave no link.
    let unnamed = bench.post("birinci bölüm budur").await;
    let second = part(&bench, "sonra gelen ikinci parça", unnamed).await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    let store = &bench.app.store;
    let seen = Decision::Sent { receipt: None };
    store.decide(unnamed, seen, Duration::ZERO, "ayşe", bench.now()).await.expect("seen");
    bench.drain().await;
    assert_eq!((bench.state(second).await, continued(&bench)), (DeliveryState::Sent, vec![None, None]));

    // Another account's, as no request could ask for.
    let other = messages::account(store, "öteki", Network::Mastodon).await;
    connect(&bench.app, other, &bench.network).await;
    let theirs = compose::post(&bench.app, PostRequest::new(other, "öteki hesabın sözü", "test")).await;
    let theirs = theirs.expect("it can be posted").id;
    bench.sender.turn(&format!("{other}/posts"), bench.now()).await.expect("the database answers");
    assert_eq!(bench.state(theirs).await, DeliveryState::Sent);
    let ours = bench.post("bambaşka bir duyuru").await;
    bench
        .execute(
            "UPDATE deliveries SET after_id = (SELECT o.id FROM deliveries o WHERE o.account_id <> deliveries.account_id)
             WHERE state = 'queued'",
        )
        .await;
    assert_eq!(bench.view(ours).await.after_id, Some(theirs));
    bench.drain().await;
    assert_eq!(bench.state(ours).await, DeliveryState::Sent);
    assert_eq!(continued(&bench), [None, None, None, None]);
    bench.stop().await;
}

#[tokio::test]
async fn on_a_network_the_parts_stand_below_each_other() {
    let running = Running::start().await;
    let first = PostRequest::new(running.account, "Yeni sezon geldi. 1/2", "test");
    let first = compose::post(&running.app, first).await.expect("it can be posted").id;
    let request = PostRequest::new(running.account, "Ayrıntılar mağazalarımızda. 2/2", "test");
    let second = PostRequest { after: Some(first), ..request };
    compose::post(&running.app, second).await.expect("it can be posted");
    eventually("both are out", async || running.our_posts().len() == 2).await;
    assert_eq!(running.our_posts(), ["Yeni sezon geldi. 1/2", "Ayrıntılar mağazalarımızda. 2/2"], "nobody is named");
    let placed = running.simulator.simulation().look(|world| {
        let ours = world.timeline().posts().iter().filter(|post| world.timeline().person(post.author).is_ours());
        ours.map(|post| (post.id, post.reply_to)).collect::<Vec<_>>()
    });
    assert_eq!(placed[1].1, Some(placed[0].0));
    running.stop().await;
}

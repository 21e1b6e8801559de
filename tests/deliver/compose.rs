//! What goes into the outbox, and what a person is asked before it does.

use std::time::Duration;

use muhatap::compose::{self, ComposeError, Confirmed, PostRequest, ReplyRequest};
use muhatap::model::{DeliveryState, MentionId, Visibility};
use muhatap::store::deliveries::DeliveryFilter;
use muhatap_connectors::{Certainty, Change, Incoming};
use rstest::rstest;

use crate::support::Backend;
use crate::support::messages::{batch, lease, message};
use crate::support::sending::Bench;

async fn record(bench: &Bench, incoming: Incoming) -> MentionId {
    let lease = lease(&bench.app.store, bench.account).await;
    let recorded = bench.app.store.record(&lease, &batch([Change::Seen(incoming)])).await.expect("recorded");
    recorded.new[0]
}

async fn mention(bench: &Bench, id: &str, text: &str) -> MentionId {
    let mut incoming = message(id, text);
    incoming.published_at = bench.now() - Duration::from_secs(60);
    record(bench, incoming).await
}

#[rstest]
#[tokio::test]
async fn a_reply_waits_for_undo_and_goes_to_who_is_answered(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mention = mention(&bench, "m1", "kargom gelmedi").await;
    let request = ReplyRequest::new(mention, " Hemen bakıyoruz.\r\n", "ayşe");
    let reply = compose::reply(&bench.app, request).await.expect("it can be sent");
    assert_eq!((reply.state, reply.text.as_str()), (DeliveryState::Queued, "Hemen bakıyoruz."));
    assert_eq!((reply.mention_id, reply.author.as_str()), (Some(mention), "ayşe"));
    assert!(reply.due_at >= reply.created_at + Duration::from_secs(10));
    bench.turn().await;
    assert_eq!(bench.network.calls(), 0, "it can still be undone");
    bench.later(Duration::from_secs(10));
    bench.turn().await;
    assert_eq!(bench.network.shown()[0].to.as_deref(), Some("m1"));
    let conversation = bench.view(reply.id).await.conversation_id.expect("it has one");
    let filter = DeliveryFilter { conversation_id: Some(conversation), ..DeliveryFilter::default() };
    assert_eq!(bench.app.store.deliveries(&filter).await.expect("answered").len(), 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_second_answer_asks_first_and_names_the_other(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mention = mention(&bench, "m1", "kargom gelmedi").await;
    let write = |text: &str| ReplyRequest::new(mention, text, "ayşe");
    let first = compose::reply(&bench.app, write("Hemen bakıyoruz.")).await.expect("it can be sent");

    let refused = compose::reply(&bench.app, write("Bakıyoruz efendim.")).await.expect_err("one is open");
    let ComposeError::AnotherReply(other) = refused else { panic!("{refused}") };
    assert_eq!((other.delivery_id, other.author.as_deref()), (Some(first.id), Some("ayşe")));
    // Having seen it is not enough while it is open; naming it is.
    let mut seen = write("Bakıyoruz efendim.");
    seen.seen = Some(first.id.to_string());
    assert!(matches!(compose::reply(&bench.app, seen.clone()).await, Err(ComposeError::AnotherReply(_))));

    bench.later(Duration::from_secs(11));
    bench.turn().await;
    assert_eq!(bench.state(first.id).await, DeliveryState::Sent);
    // Out, and not on the page: newer than what the person saw.
    assert!(matches!(compose::reply(&bench.app, write("Bir daha.")).await, Err(ComposeError::AnotherReply(_))));
    let second = compose::reply(&bench.app, seen).await.expect("it was on the page");
    let mut third = write("Üçüncü yanıt.");
    third.confirm_over = Some(second.id.to_string());
    compose::reply(&bench.app, third).await.expect("it is confirmed");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn of_a_hundred_answers_at_once_one_goes_out(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mention = mention(&bench, "m1", "kargom gelmedi").await;
    let writing: Vec<_> = (0..100)
        .map(|number| {
            let app = bench.app.clone();
            tokio::spawn(async move {
                let request = ReplyRequest::new(mention, format!("Yanıt {number}"), format!("agent {number}"));
                compose::reply(&app, request).await
            })
        })
        .collect();
    let (mut accepted, mut refused) = (0, 0);
    for written in writing {
        match written.await.expect("it ends") {
            Ok(_) => accepted += 1,
            Err(ComposeError::AnotherReply(other)) => {
                assert!(other.author.is_some_and(|author| author.starts_with("agent")));
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((accepted, refused), (1, 99));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn the_same_key_is_the_same_delivery(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mention = mention(&bench, "m1", "kargom gelmedi").await;
    let mut reply = ReplyRequest::new(mention, "Hemen bakıyoruz.", "ayşe");
    reply.key = Some("form-1".into());
    // A double click: both at once.
    let (first, second) =
        tokio::join!(compose::reply(&bench.app, reply.clone()), compose::reply(&bench.app, reply.clone()));
    let (first, second) = (first.expect("sent"), second.expect("sent"));
    assert_eq!(first.id, second.id);
    reply.text = "Başka bir yanıt.".into();
    let refused = compose::reply(&bench.app, reply).await.expect_err("another text");
    assert!(matches!(refused, ComposeError::KeyReused(id) if id == first.id), "{refused}");

    let mut post = PostRequest::new(bench.account, "indirim başladı", "test");
    post.key = Some("kampanya".into());
    post.due_at = Some(bench.now() + Duration::from_secs(3600));
    let planned = bench.try_post(post.clone()).await.expect("planned");
    bench.app.store.reschedule(planned.id, bench.now() + Duration::from_secs(7200), "ayşe").await.expect("moved");
    assert_eq!(bench.try_post(post.clone()).await.expect("the same").id, planned.id);
    post.due_at = Some(bench.now() + Duration::from_secs(60));
    assert!(matches!(bench.try_post(post).await, Err(ComposeError::KeyReused(_))), "another time");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn nearly_the_same_post_on_one_day_asks_first(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut first = PostRequest::new(bench.account, "Bugün bütün mağazalarda yüzde yirmi indirim!", "test");
    first.due_at = Some("2027-03-01T09:00:00+03:00".parse().expect("a time"));
    let earlier = bench.try_post(first.clone()).await.expect("planned");
    let mut second = first.clone();
    second.text = "BUGÜN BÜTÜN MAĞAZALARDA yüzde yirmi indirim https://a.example".into();
    second.due_at = Some("2027-03-01T23:00:00+03:00".parse().expect("a time"));
    let refused = bench.try_post(second.clone()).await.expect_err("nearly the same");
    assert!(matches!(refused, ComposeError::NearDuplicate { earlier: named, .. } if named == earlier.id), "{refused}");
    // The next day in the account's zone, though the same day in UTC would be another matter.
    let mut tomorrow = second.clone();
    tomorrow.due_at = Some("2027-03-02T00:30:00+03:00".parse().expect("a time"));
    bench.try_post(tomorrow).await.expect("another day");
    second.confirm.duplicate = true;
    bench.try_post(second).await.expect("confirmed");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_post_that_moves_into_a_day_with_nearly_the_same_asks_first(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let planned = |text: &str, at: &str| {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.due_at = Some(at.parse().expect("a time"));
        request.confirm.duplicate = true;
        bench.try_post(request)
    };
    let earlier = planned("Bugün bütün mağazalarda indirim", "2027-03-01T09:00:00+03:00").await.expect("planned");
    let id = planned("BUGÜN bütün mağazalarda indirim!", "2027-03-03T09:00:00+03:00").await.expect("planned").id;
    let (unconfirmed, confirmed) = (Confirmed::default(), Confirmed { duplicate: true, ..Confirmed::default() });
    let app = &bench.app;
    let moved = |at: &str, confirm| {
        let at = at.parse().expect("a time");
        async move { compose::reschedule(app, id, at, confirm, "ayşe").await }
    };
    let asked = moved("2027-03-01T23:30:00+03:00", unconfirmed).await.expect_err("the same day has it");
    assert!(matches!(asked, ComposeError::NearDuplicate { earlier: named, .. } if named == earlier.id), "{asked}");
    assert_eq!(bench.view(id).await.due_at.to_string(), "2027-03-03T06:00:00Z", "it stays");
    moved("2027-03-02T00:30:00+03:00", unconfirmed).await.expect("another day in the account's zone");
    moved("2027-03-01T23:30:00+03:00", confirmed).await.expect("confirmed");
    moved("2027-03-01T22:30:00+03:00", unconfirmed).await.expect("it was asked about this day already");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn personal_data_in_a_public_answer_is_stopped_with_a_warning(
    #[values(Visibility::Public, Visibility::Direct)] visibility: Visibility,
) {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let mut incoming = message("m1", "kargom gelmedi");
    incoming.visibility = visibility;
    let mention = record(&bench, incoming).await;
    let mut request = ReplyRequest::new(mention, "TC 10000000146 ile kayıtlısınız", "ayşe");
    let answer = compose::reply(&bench.app, request.clone()).await;
    match visibility {
        Visibility::Direct => _ = answer.expect("nobody else reads it"),
        _ => {
            assert!(matches!(answer, Err(ComposeError::PersonalData(kinds)) if kinds == ["national id"]));
            request.confirm.personal_data = true;
            compose::reply(&bench.app, request).await.expect("it is confirmed");
        }
    }
    let mut post = PostRequest::new(bench.account, "Sorularınız için 0532 111 22 33", "ayşe");
    let asked = bench.try_post(post.clone()).await;
    assert!(matches!(asked, Err(ComposeError::PersonalData(kinds)) if kinds == ["phone"]), "a post is for everybody");
    post.confirm.personal_data = true;
    bench.try_post(post).await.expect("it is the brand's own number");
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let post = |text: &str| PostRequest::new(bench.account, text, "test");
    for empty in [" \r\n ", "\u{200B}\u{2800}"] {
        assert!(matches!(bench.try_post(post(empty)).await, Err(ComposeError::Empty)), "{empty:?}");
    }
    let long = bench.try_post(post(&"ş".repeat(201))).await.expect_err("too long");
    assert!(matches!(long, ComposeError::TooLong(length) if length.used == 201 && length.limit == 200));
    assert!(long.to_string().contains("shorten it by 1"), "{long}");
    assert_eq!(compose::measure(&bench.app, bench.account, "çok").await.expect("measured").used, 3);

    let nobody = MentionId::new(bench.now());
    let missing = compose::reply(&bench.app, ReplyRequest::new(nobody, "merhaba", "ayşe")).await;
    assert!(matches!(missing, Err(ComposeError::NotFound(_))));
    let mut request = post("bir");
    request.key = Some(String::new());
    assert!(matches!(bench.try_post(request).await, Err(ComposeError::Invalid(_))));
    let mut request = post("bir");
    request.expires_at = Some(bench.now() - Duration::from_secs(60));
    assert!(matches!(bench.try_post(request).await, Err(ComposeError::Invalid(_))));
    let mut request = post("dokuz bin dokuz yüz");
    request.due_at = Some("9999-12-01T00:00:00Z".parse().expect("a time"));
    assert_eq!(bench.try_post(request).await.expect("far away").state, DeliveryState::Queued);
    bench.stop().await;
}

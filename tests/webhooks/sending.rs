//! How events are handed over, and what becomes of those that are not.

use std::time::Duration;

use muhatap::model::{DeliveryState, Health};
use muhatap::store::webhooks::{KEPT, Replay};
use muhatap_connectors::Prepared;
use rstest::rstest;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Bench, SECRET, endpoint_section, header, signed_by_openssl};
use crate::support::{Backend, free_port};

const MINUTE: Duration = Duration::from_secs(60);
const ALL: Replay = Replay::Since(jiff::Timestamp::UNIX_EPOCH);

/// A receiver that gives these answers in turn, and 204 ever after.
async fn receiver(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    for answer in answers {
        Mock::given(method("POST")).respond_with(answer).up_to_n_times(1).mount(&server).await;
    }
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    Mock::given(method("HEAD")).respond_with(ResponseTemplate::new(405)).mount(&server).await;
    server
}

async fn posts(server: &MockServer) -> Vec<wiremock::Request> {
    let mut requests = server.received_requests().await.expect("requests are kept");
    requests.retain(|request| request.method.as_str() == "POST");
    requests
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

#[rstest]
#[tokio::test]
async fn an_event_is_signed_so_that_another_implementation_agrees(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = receiver([]).await;
    let bench = Bench::new(backend, &format!("{}/in?tenant=7", receiver.uri()), &["mention.received"]).await;
    let id = bench.event().await;
    bench.turn().await;
    assert_eq!(bench.states().await, [DeliveryState::Sent]);
    let posts = posts(&receiver).await;
    assert_eq!(posts.len(), 1);
    let post = &posts[0];
    assert_eq!((post.url.path(), post.url.query()), ("/in", Some("tenant=7")), "the address is called as it was given");
    assert_eq!(header(post, "webhook-id"), id);
    assert_eq!(header(post, "content-type"), "application/json");
    assert_eq!(header(post, "webhook-signature"), signed_by_openssl(post, SECRET));
    let signed_at: i64 = header(post, "webhook-timestamp").parse().expect("seconds");
    assert!((signed_at - bench.now().as_second()).abs() < 60, "dated with the call");
    let body: serde_json::Value = serde_json::from_slice(&post.body).expect("it is JSON");
    assert_eq!(body["type"], "webhook.test");
    assert!(body["timestamp"].is_string() && body["data"]["webhook"] == "crm", "{body}");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_is_not_taken_comes_again_under_its_id_and_before_the_next(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let redirect = status(307).insert_header("location", "http://127.0.0.1:1/elsewhere");
    let receiver = receiver([status(500), redirect]).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    let ids = [bench.event().await, bench.event().await];
    for state in [DeliveryState::Retry, DeliveryState::Retry] {
        bench.turn().await;
        assert_eq!(bench.states().await, [state, DeliveryState::Queued]);
        assert_eq!(bench.turn().await.outcome, None, "the next one does not overtake it");
        bench.later(MINUTE);
    }
    let redirected = bench.events().await[0].reason.clone().expect("a reason");
    assert!(redirected.contains("follow no redirect"), "{redirected}");
    bench.turn().await;
    bench.turn().await;
    assert_eq!(bench.states().await, [DeliveryState::Sent; 2]);
    let seen: Vec<String> = posts(&receiver).await.iter().map(|post| header(post, "webhook-id").to_owned()).collect();
    assert_eq!(seen, [&ids[0], &ids[0], &ids[0], &ids[1]].map(String::as_str));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    for code in [429, 503] {
        let receiver = receiver([status(code).insert_header("retry-after", "1")]).await;
        let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
        bench.event().await;
        bench.turn().await;
        assert_eq!(bench.states().await, [DeliveryState::Retry], "{code}");
        let endpoint = bench.app.store.endpoint(bench.endpoint).await.expect("it is there");
        assert!(endpoint.gated_until.is_some_and(|until| until > bench.now() - MINUTE), "{code}");
        // The client keeps the pause by the machine's clock too.
        crate::support::eventually("it is sent after the pause", async || {
            bench.later(Duration::from_secs(2));
            bench.turn().await;
            bench.states().await == [DeliveryState::Sent]
        })
        .await;
        bench.stop().await;
    }
}

#[rstest]
#[tokio::test]
async fn a_receiver_that_is_gone_pauses_its_endpoint_and_people_hear_of_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = receiver([status(410)]).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    bench.event().await;
    bench.turn().await;
    assert_eq!(bench.states().await, [DeliveryState::Queued], "the event waits");
    let endpoint = bench.app.store.endpoint(bench.endpoint).await.expect("it is there");
    assert!(endpoint.paused_at.is_some() && endpoint.pause_reason.expect("a reason").contains("410"));
    assert_eq!(bench.turn().await.outcome, None);
    let raised = bench.app.store.raise_alerts(bench.now()).await.expect("alerts can be raised");
    assert_eq!(raised, ["webhook"]);
    bench.app.store.resume_account(bench.endpoint, Duration::ZERO, "test").await.expect("it can be resumed");
    bench.turn().await;
    assert_eq!(bench.states().await, [DeliveryState::Sent]);
    bench.app.store.raise_alerts(bench.now()).await.expect("alerts can be closed");
    assert_eq!(bench.app.store.open_alert_count().await.expect("they can be counted"), 0);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_endpoint_that_is_down_holds_up_no_other_and_its_events_become_dead_letters_to_replay(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let well = receiver([]).await;
    let port = free_port();
    let bench = Bench::with_sections(backend, |dir| {
        endpoint_section(dir, "crm", &format!("http://127.0.0.1:{port}/"), &["mention.received"])
            + &endpoint_section(dir, "well", &well.uri(), &["mention.received"])
    })
    .await;
    let other = bench.app.store.endpoint_by_name("well").await.expect("it is there").id;
    let ids = [bench.event().await, bench.event().await];
    bench.app.store.test_endpoint(other, "test").await.expect("there is room");
    for _ in 0..4 {
        bench.turn().await;
        bench.later(15 * MINUTE);
    }
    bench.turn_of(other).await;
    assert_eq!(posts(&well).await.len(), 1);
    assert_eq!(bench.states().await, [DeliveryState::Retry, DeliveryState::Queued]);
    let endpoint = bench.app.store.endpoint(bench.endpoint).await.expect("it is there");
    assert_eq!((endpoint.health, endpoint.waiting, endpoint.dead), (Health::Failing, 2, 0));

    let view = bench.app.store.delivery(bench.events().await[0].id).await.expect("it is there");
    assert_eq!(view.expires_at, Some(view.created_at + KEPT));
    bench.database.execute("UPDATE deliveries SET expires_at = 1 WHERE state IN ('queued', 'retry')").await;
    bench.app.store.reap(MINUTE, bench.now()).await.expect("the reaper runs");
    assert_eq!(bench.states().await, [DeliveryState::Expired; 2]);
    // One alert for the endpoint, none for its events.
    assert_eq!(bench.app.store.raise_alerts(bench.now()).await.expect("alerts can be raised"), ["webhook"]);

    let back = MockServer::builder().listener(std::net::TcpListener::bind(("127.0.0.1", port)).expect("it is free"));
    let back = back.start().await;
    Mock::given(method("POST")).respond_with(status(200).set_body_string("x".repeat(100_000))).mount(&back).await;
    assert_eq!(bench.app.store.replay_events(bench.endpoint, ALL, "test").await.expect("they can be replayed"), 2);
    assert_eq!(bench.app.store.replay_events(bench.endpoint, ALL, "test").await.expect("nothing is left"), 0);
    for _ in 0..3 {
        bench.turn().await;
    }
    assert_eq!(bench.states().await, [DeliveryState::Sent; 2]);
    let seen: Vec<String> = posts(&back).await.iter().map(|post| header(post, "webhook-id").to_owned()).collect();
    assert_eq!(seen, ids, "once each, in their order, under their ids");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_one_event_makes_the_receiver_fail_at_holds_up_the_others_only_so_long(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = receiver((0..16).map(|_| status(500))).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    bench.event().await;
    bench.event().await;
    for _ in 0..17 {
        bench.turn().await;
        bench.later(20 * MINUTE);
    }
    assert_eq!(bench.states().await, [DeliveryState::Failed, DeliveryState::Sent]);
    let reason = bench.events().await[0].reason.clone().expect("a reason");
    assert!(reason.contains("500") && reason.contains("16 calls"), "{reason}");
    let one = Replay::One(bench.events().await[0].id);
    // Somebody wanted to cancel it during its last call.
    bench.database.execute("UPDATE deliveries SET cancel_wanted = 1 WHERE state = 'failed'").await;
    assert_eq!(bench.app.store.replay_events(bench.endpoint, one, "test").await.expect("it can be replayed"), 1);
    bench.turn().await;
    assert_eq!(bench.states().await, [DeliveryState::Sent; 2]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_killed_after_the_call_gives_the_receiver_the_same_id_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = receiver([]).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    let id = bench.event().await;
    let store = &bench.app.store;
    // A worker that takes the event, makes the call and is never heard of again.
    let lane = format!("{}/events", bench.endpoint);
    let turn = store.take(&lane, "killed", MINUTE, None, bench.now()).await.expect("the database answers");
    let muhatap::store::attempts::Turn::Send(mut work) = turn else { panic!("it is its turn: {turn:?}") };
    let none = Prepared::default();
    assert!(store.begin_sending(&mut work, &none, "killed", MINUTE, bench.now()).await.expect("the database answers"));
    let connector = bench.app.connectors.get(bench.endpoint).await.expect("it can be built");
    let publisher = connector.publisher().expect("events go out");
    publisher.publish(&work.outgoing(), &none).await.expect("the receiver takes it");

    bench.later(3 * MINUTE);
    store.reap(MINUTE / 2, bench.now()).await.expect("the reaper runs");
    // The endpoint is asked whether it is there at all before anything more is sent.
    muhatap::deliver::probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    for _ in 0..4 {
        bench.turn().await;
        bench.later(MINUTE);
    }
    assert_eq!(bench.states().await, [DeliveryState::Sent]);
    let seen: Vec<String> = posts(&receiver).await.iter().map(|post| header(post, "webhook-id").to_owned()).collect();
    assert_eq!(seen, [id.as_str(), id.as_str()]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn no_more_than_so_many_events_wait_and_the_rest_is_counted(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let receiver = receiver([]).await;
    let bench = Bench::new(backend, &receiver.uri(), &["mention.received"]).await;
    bench.event().await;
    bench
        .database
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO deliveries (id, account_id, lane, class, seq, action, payload_id, body_hash, idem_key, due_at,
                late_limit, state, next_at, created_at, changed_at)
             SELECT d.id || n.i, d.account_id, d.lane, 2, n.i, d.action, d.payload_id, '', d.id || n.i, d.due_at,
                d.late_limit, 'queued', d.next_at, d.created_at, d.changed_at FROM deliveries d, n",
        )
        .await;
    let refused = bench.app.store.test_endpoint(bench.endpoint, "test").await.expect_err("it is full");
    assert!(refused.to_string().contains("10000 events wait"), "{refused}");
    bench.stop().await;
}

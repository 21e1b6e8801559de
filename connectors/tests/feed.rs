//! Feeds: what articles and reviews become, what an unchanged or changed feed costs, and what a broken one says.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::{
    AccountSettings, Batch, Change, Connector, ConnectorError, Cursor, Incoming, Kind, MemorySession, Network, Stream,
    StreamKind, connect,
};
use rstest::rstest;
use url::Url;
use wiremock::matchers::{header, header_exists, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

const NEWS: &str = include_str!("fixtures/feed/news.xml");
const REVIEWS: &str = include_str!("fixtures/feed/reviews.xml");
/// Snapshots name the feed's address, which a test server has another of each time.
const DATE: &str = "Sat, 21 Nov 2026 20:00:00 GMT";

fn settings(base_url: &str) -> AccountSettings {
    AccountSettings {
        name: "haber".to_owned(),
        network: Network::Rss,
        base_url: Some(Url::parse(base_url).expect("an address")),
        user: None,
        token: None,
        listen_for: Vec::new(),
        session: Arc::<MemorySession>::default(),
        call_timeout: Duration::from_secs(5),
    }
}

async fn serving(xml: &str) -> (MockServer, Box<dyn Connector>) {
    let server = MockServer::start().await;
    serve(&server, xml).await;
    let connector = connect(&settings(&format!("{}/feed.xml", server.uri()))).expect("a connector");
    (server, connector)
}

async fn serve(server: &MockServer, xml: &str) {
    server.reset().await;
    let answer = ResponseTemplate::new(200).set_body_string(xml).insert_header("date", DATE);
    Mock::given(method("GET")).respond_with(answer).mount(server).await;
}

fn stream() -> Stream {
    Stream { kind: StreamKind::Feed, query: String::new() }
}

async fn poll(connector: &dyn Connector, after: Option<&Cursor>) -> Batch {
    connector.poll(&stream(), after, Timestamp::MAX).await.expect("the feed is read")
}

fn message(change: &Change) -> &Incoming {
    match change {
        Change::Seen(message) | Change::Edited(message) => message,
        Change::Deleted(id) => panic!("{id} was deleted"),
    }
}

#[rstest]
#[case::news("news", NEWS)]
#[case::reviews("reviews", REVIEWS)]
#[tokio::test]
async fn a_feed_becomes_articles_or_reviews(#[case] name: &str, #[case] xml: &str) {
    let (server, connector) = serving(xml).await;
    let batch = poll(&*connector, None).await;
    assert_eq!((batch.unparsed.len(), batch.filling, batch.more), (0, None, false));
    assert_eq!(batch.complete_up_to, Some("2026-11-21T20:00:00Z".parse().expect("a time")));
    let text =
        serde_json::to_string_pretty(&batch.changes).expect("JSON").replace(&server.uri(), "https://feed.example");
    insta::assert_snapshot!(name, text);
}

#[tokio::test]
async fn an_unchanged_feed_is_not_sent_again_and_a_repeated_one_changes_nothing() {
    let server = MockServer::start().await;
    let unchanged = ResponseTemplate::new(304).insert_header("date", DATE);
    Mock::given(header("if-none-match", "\"v1\"")).respond_with(unchanged).expect(1).mount(&server).await;
    let whole = ResponseTemplate::new(200).set_body_string(NEWS).insert_header("etag", "\"v1\"");
    Mock::given(method("GET")).respond_with(whole).expect(1).mount(&server).await;
    let connector = connect(&settings(&server.uri())).expect("a connector");
    let first = poll(&*connector, None).await;
    assert_eq!(first.changes.len(), 4);
    let second = poll(&*connector, Some(&first.next)).await;
    assert_eq!((second.changes, second.next), (Vec::new(), first.next.clone()));

    serve(&server, NEWS).await;
    let third = poll(&*connector, Some(&first.next)).await;
    assert_eq!(third.changes, []);
}

#[tokio::test]
async fn last_modified_is_sent_back() {
    let server = MockServer::start().await;
    let conditional = Mock::given(header_exists("if-modified-since"));
    conditional.respond_with(ResponseTemplate::new(304)).expect(1).mount(&server).await;
    let whole = ResponseTemplate::new(200).set_body_string(NEWS).insert_header("last-modified", DATE);
    Mock::given(method("GET")).respond_with(whole).mount(&server).await;
    let connector = connect(&settings(&server.uri())).expect("a connector");
    let first = poll(&*connector, None).await;
    assert_eq!(poll(&*connector, Some(&first.next)).await.changes, []);
}

#[tokio::test]
async fn a_changed_item_is_an_edit_and_the_others_stay_as_they_are() {
    let (server, connector) = serving(REVIEWS).await;
    let first = poll(&*connector, None).await;
    serve(&server, &REVIEWS.replace("Harika", "Berbat").replace("2026-11-19T12:00", "2026-11-21T12:00")).await;
    let second = poll(&*connector, Some(&first.next)).await;
    let [Change::Edited(edited)] = second.changes.as_slice() else { panic!("one edit: {:?}", second.changes) };
    assert!(edited.text.contains("Berbat") && edited.edited_at.is_some() && edited.kind == Kind::Review);
    assert!(first.changes.iter().any(|change| message(change).remote_id == edited.remote_id));
    // An item that the feed no longer lists is not deleted, and nothing is new when it comes back.
    let one = REVIEWS.find("  <entry>\n    <id>11000000002").expect("the second entry");
    serve(&server, &format!("{}</feed>", &REVIEWS[..one])).await;
    let third = poll(&*connector, Some(&first.next)).await;
    assert_eq!(third.changes, []);
    serve(&server, REVIEWS).await;
    assert_eq!(poll(&*connector, Some(&third.next)).await.changes, []);
}

#[tokio::test]
async fn a_feed_of_thousands_keeps_a_small_cursor() {
    let items: String = (0..3000)
        .map(|n| format!("<item><guid>urn:x:{n}</guid><title>Haber {n}</title><pubDate>Sat, 21 Nov 2026 10:30:00 GMT</pubDate></item>"))
        .collect();
    let xml = format!("<rss version=\"2.0\"><channel><title>Çok</title>{items}</channel></rss>");
    let (_server, connector) = serving(&xml).await;
    let batch = poll(&*connector, None).await;
    assert_eq!(batch.changes.len(), 3000);
    assert!(batch.next.0.len() <= 8 * 1024, "{}", batch.next.0.len());
}

#[rstest]
#[case::page("<!doctype html><html><body>Merhaba</body></html>".to_owned())]
#[case::nothing(String::new())]
#[case::cut(NEWS[..NEWS.len() / 2].to_owned())]
#[case::deep(format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><content type=\"xhtml\">{}", "<div>".repeat(200_000)))]
#[case::entities("<!DOCTYPE r [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;\">]><rss><channel><item><title>&b;</title></item></channel></rss>".to_owned())]
#[tokio::test]
async fn a_broken_feed_is_an_error_or_empty_and_never_a_panic(#[case] body: String) {
    let (_server, connector) = serving(&body).await;
    match connector.poll(&stream(), None, Timestamp::MAX).await {
        Ok(batch) => assert!(batch.changes.len() <= 3),
        Err(error) => assert!(
            matches!(&error, ConnectorError::Malformed(reason) if reason.to_string().contains("feed")),
            "{error}"
        ),
    }
}

#[rstest]
#[case(404, true)]
#[case(410, true)]
#[case(500, false)]
#[tokio::test]
async fn a_missing_feed_is_named_and_a_failing_server_is_tried_again(#[case] status: u16, #[case] is_final: bool) {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    let failure = connect(&settings(&server.uri())).expect("a connector").poll(&stream(), None, Timestamp::MAX).await;
    match failure {
        Err(ConnectorError::Rejected(_)) => assert!(is_final),
        Err(ConnectorError::Unavailable(_)) => assert!(!is_final),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_feed_that_moves_to_a_private_address_is_not_followed() {
    let inside = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string(NEWS))
        .expect(0)
        .mount(&inside)
        .await;
    let outside = MockServer::start().await;
    let moved = ResponseTemplate::new(301).insert_header("location", inside.uri().as_str());
    Mock::given(method("GET")).respond_with(moved).mount(&outside).await;
    let failure = connect(&settings(&outside.uri())).expect("a connector").poll(&stream(), None, Timestamp::MAX).await;
    assert!(matches!(failure, Err(ConnectorError::Rejected(_))), "{failure:?}");
}

#[test]
fn settings_that_cannot_work_name_what_to_change() {
    let mut words = settings("https://haber.example/feed");
    words.listen_for = vec!["marka".to_owned()];
    let error = connect(&words).err().expect("refused").to_string();
    assert!(error.contains("haber") && error.contains("listen_for"), "{error}");
    let mut nowhere = settings("https://haber.example/feed");
    nowhere.base_url = None;
    assert!(connect(&nowhere).err().expect("refused").to_string().contains("base_url"));
}

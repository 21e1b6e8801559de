//! Events to a receiver: what its answers mean, and how much of them is read.

use std::time::Duration;

use muhatap_connectors::{
    Connector, ConnectorError, MemorySession, NamedBy, Network, Outgoing, Prepared, Visibility, connect_as,
};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn endpoint(url: &str, named_by: NamedBy) -> Result<Box<dyn Connector>, ConnectorError> {
    let settings = muhatap_connectors::AccountSettings {
        name: "crm".to_owned(),
        network: Network::Webhook,
        base_url: Some(url.parse().expect("an address")),
        user: None,
        token: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into()),
        listen_for: Vec::new(),
        session: std::sync::Arc::new(MemorySession::default()),
        call_timeout: Duration::from_secs(2),
    };
    connect_as(&settings, named_by)
}

fn event() -> Outgoing {
    let at = "2026-11-20T09:00:00Z".parse().expect("a time");
    Outgoing {
        key: "01JD3ZQ8M4W5Y6X7V8T9S0R1Q2".to_owned(),
        created_at: at,
        due_at: at,
        called_at: at,
        text: r#"{"type":"webhook.test"}"#.to_owned(),
        reply_to: None,
        continues: None,
        visibility: Visibility::Public,
        language: None,
    }
}

async fn answer_to(answer: ResponseTemplate) -> Result<String, ConnectorError> {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).expect(1).mount(&server).await;
    let endpoint = endpoint(&server.uri(), NamedBy::Operator)?;
    let publisher = endpoint.publisher().expect("events go out");
    publisher.publish(&event(), &Prepared::default()).await.map(|receipt| receipt.remote_id)
}

#[tokio::test]
async fn any_2xx_is_the_receipt_however_long_its_body() {
    for (code, body) in [(200, "x".repeat(1_000_000)), (202, String::new()), (204, String::new())] {
        let receipt = answer_to(ResponseTemplate::new(code).set_body_string(body)).await;
        assert_eq!(receipt.expect("it is taken"), "01JD3ZQ8M4W5Y6X7V8T9S0R1Q2", "{code}");
    }
}

#[tokio::test]
async fn what_a_refusal_means_is_told_apart() {
    let to = |code| ResponseTemplate::new(code);
    for code in [400, 401, 403, 404, 408, 422, 500, 502, 503, 307] {
        let error = answer_to(to(code).insert_header("location", "/there")).await.expect_err("it is not taken");
        assert!(matches!(error, ConnectorError::Unavailable(_)), "{code}: {error}");
    }
    let gone = answer_to(to(410)).await.expect_err("it is not taken");
    assert!(matches!(gone, ConnectorError::Gone(_)), "{gone}");
    for code in [429, 503] {
        let error = answer_to(to(code).insert_header("retry-after", "7")).await.expect_err("it is not taken");
        assert!(
            matches!(error, ConnectorError::RateLimited(wait) if wait == Duration::from_secs(7)),
            "{code}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unclear_and_a_port_that_nobody_hears_is_not() {
    let late = answer_to(ResponseTemplate::new(200).set_delay(Duration::from_secs(5))).await.expect_err("too late");
    assert!(matches!(late, ConnectorError::Unconfirmed(_)), "{late}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it is bound");
    let endpoint = endpoint(&format!("http://{closed}/"), NamedBy::Operator).expect("it can be built");
    let publisher = endpoint.publisher().expect("events go out");
    let error = publisher.publish(&event(), &Prepared::default()).await.expect_err("nobody is there");
    assert!(matches!(error, ConnectorError::Unavailable(_)), "{error}");
    assert!(endpoint.who_am_i().await.is_err());
}

#[tokio::test]
async fn a_strangers_word_reaches_no_private_address() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    for own in ["127.0.0.1", "localhost", "redis", "crm.internal"] {
        let named = server.uri().replace("127.0.0.1", own);
        let Err(ConnectorError::Settings(reason)) = endpoint(&named, NamedBy::User) else { panic!("{own} was taken") };
        assert!(reason.contains("not a public address"), "{reason}");
    }
}

//! The HTTP client: bounds, limits, redirects, and what it never shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muhatap_connectors::ConnectorError;
use muhatap_connectors::http::{Call, Client, Pace};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use crate::support::{Answer, Server};

const PACE: Pace = Pace { burst: 50, every: Duration::from_millis(1) };

fn client(url: &Url) -> Client {
    Client::new(url.clone(), Duration::from_secs(5), PACE)
        .expect("a client")
        .with_secret("gizli-anahtar".to_owned().into())
}

#[tokio::test]
async fn a_used_up_limit_is_obeyed_by_its_bucket_alone() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/search" => Answer::json(200, json!([]))
            .with("X-RateLimit-Remaining", "0")
            .with("X-RateLimit-Reset", "2026-11-20T12:02:00.000000Z"),
        _ => Answer::json(200, json!([])),
    })
    .await;
    let client = client(&server.url);
    client.read(Call::get("search").bucket("search")).await.expect("an answer");
    let error = client.read(Call::get("search").bucket("search")).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::RateLimited(wait) if (110..=121).contains(&wait.as_secs())), "{error:?}");
    assert_eq!(error.to_string().split(' ').next(), Some("rate"));
    client.read(Call::get("mentions").bucket("mentions")).await.expect("another bucket goes on");
    let error = client.call_that_counts(Call::post("post").bucket("search"), &[]).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::RateLimited(_)), "{error:?}");
    assert_eq!(server.count("/post"), 0);
}

#[tokio::test]
async fn a_limit_that_was_renewed_no_longer_stops() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::json(429, json!({})).with("retry-after", "Fri, 20 Nov 2026 12:00:01 GMT"),
        _ => Answer::json(200, json!({})),
    })
    .await;
    let client = client(&server.url);
    let error = client.read(Call::get("a")).await.expect_err("an error");
    let ConnectorError::RateLimited(wait) = error else { panic!("{error:?}") };
    assert_eq!(wait, Duration::from_secs(1));
    let renewed = async {
        // Each refusal says how long is left.
        while let Err(error) = client.read(Call::get("a")).await {
            let ConnectorError::RateLimited(left) = error else { panic!("{error:?}") };
            assert!(left <= wait, "{left:?}");
            tokio::time::sleep_until(Instant::now() + left).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), renewed).await.expect("renewed");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn reads_keep_their_pace_and_searches_a_part_of_it() {
    let server = Server::start(|_| Answer::json(200, json!({}))).await;
    let pace = Pace { burst: 2, every: Duration::from_millis(100) };
    let share = Pace { burst: 1, every: Duration::from_millis(300) };
    let client =
        Client::new(server.url.clone(), Duration::from_secs(5), pace).expect("a client").with_share("search", share);
    let started = Instant::now();
    for _ in 0..4 {
        client.read(Call::get("a")).await.expect("an answer");
    }
    assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", started.elapsed());
    let started = Instant::now();
    for _ in 0..2 {
        client.read(Call::get("a").bucket("search")).await.expect("an answer");
    }
    assert!(started.elapsed() >= Duration::from_millis(290), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_without_end_ends_at_the_deadline_or_the_bound() {
    let server = Server::start(|_| Answer::Endless).await;
    let started = Instant::now();
    let call = Call::get("a").timeout(Duration::from_millis(300));
    let error = client(&server.url).read(call).await.expect_err("an error");
    assert!(matches!(error, ConnectorError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("no complete answer in time"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
    let error = client(&server.url).read(Call::get("a").max_body(20)).await.expect_err("an error");
    assert!(
        matches!(&error, ConnectorError::Malformed(reason) if reason.to_string().contains("20 bytes")),
        "{error:?}"
    );
}

#[tokio::test]
async fn statuses_become_the_errors_that_callers_act_on() {
    let server = Server::start(|asked| {
        let status = asked.path.trim_start_matches('/').parse().unwrap_or(200);
        Answer::json(status, json!({ "error": "no", "error_description": "because\0" }))
            .with("location", "https://yeni.example/x")
    })
    .await;
    let client = client(&server.url);
    for (status, expected) in [
        (400, "Rejected"),
        (401, "Unauthorized"),
        (403, "Rejected"),
        (404, "Rejected"),
        (408, "Unavailable"),
        (422, "Rejected"),
        (425, "Unavailable"),
        (500, "Unavailable"),
        (301, "Settings"),
        (304, "Settings"),
    ] {
        let error = client.read(Call::get(&status.to_string()).bucket("own")).await.expect_err("an error");
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
        assert!(!error.to_string().contains('\0'), "{status}: {error:?}");
    }
    let error = client.read(Call::get("308").bucket("b")).await.expect_err("an error").to_string();
    assert!(error.contains("https://yeni.example") && error.contains("base_url"), "{error}");
    for (status, expected) in [
        (400, "Rejected"),
        (401, "Unauthorized"),
        (403, "Unconfirmed"),
        (404, "Unconfirmed"),
        (408, "Unconfirmed"),
        (500, "Unconfirmed"),
        (302, "Unconfirmed"),
    ] {
        let error = client.call_that_counts(Call::post(&status.to_string()), &[400]).await.expect_err("an error");
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_secret_that_the_network_repeats_is_cut_out() {
    let server = Server::start(|_| Answer::json(400, json!({ "error": "bad token gizli-anahtar" }))).await;
    let error = client(&server.url).read(Call::get("a")).await.expect_err("an error");
    assert!(!format!("{error:?}").contains("gizli"), "{error:?}");
    let call = Call::get("botgizli-anahtar/getMe").timeout(Duration::from_millis(200));
    let silent = Server::start(|_| Answer::Never).await;
    let error = client(&silent.url).read(call).await.expect_err("an error");
    assert!(!format!("{error:?}").contains("gizli"), "{error:?}");
}

#[tokio::test]
async fn an_id_from_elsewhere_stays_one_segment_of_the_path() {
    let server = Server::start(|_| Answer::json(200, json!({}))).await;
    let base = server.url.join("/prefix/").expect("an address");
    let client = client(&base);
    client.read(Call::get("api/statuses").segment("../../admin?x=1#y")).await.expect("an answer");
    client.read(Call::get("api").segment("..").segment("a")).await.expect("an answer");
    let asked = server.asked();
    assert_eq!(asked[0].path, "/prefix/api/statuses/..%2F..%2Fadmin%3Fx=1%23y");
    assert_eq!(asked[1].path, "/prefix/api/a");
    assert!(asked[0].query.is_empty());
}

#[tokio::test]
async fn a_redirect_to_this_machine_is_refused_and_one_at_home_followed() {
    let inside = Server::start(|_| Answer::text(200, "secret")).await;
    let target = inside.url.clone();
    let feed = Server::start(move |asked| match asked.path.as_str() {
        "/feed" => Answer::text(301, "").with("location", "/new"),
        "/new" => Answer::text(200, "news"),
        "/loop" => Answer::text(302, "").with("location", "/loop"),
        "/file" => Answer::text(302, "").with("location", "file:///etc/passwd"),
        "/name" => {
            Answer::text(302, "").with("location", &format!("http://localhost:{}/", target.port().unwrap_or_default()))
        }
        _ => Answer::text(302, "").with("location", target.as_str()),
    })
    .await;
    let client = client(&feed.url);
    let read = |path: &str| client.read_following(feed.url.join(path).expect("an address"), Call::get(""));
    assert_eq!(read("/feed").await.expect("an answer").body.as_ref(), b"news");
    for path in ["/away", "/file", "/loop"] {
        let error = read(path).await.expect_err("an error");
        assert!(matches!(error, ConnectorError::Rejected(_)), "{path}: {error:?}");
    }
    let error = read("/name").await.expect_err("an error");
    assert!(error.to_string().contains("not a public address"), "{error}");
    let error = client.read_stranger(inside.url.clone(), Call::get("")).await.expect_err("an error");
    assert!(error.to_string().contains("not a public address"), "{error}");
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn addresses_that_cannot_be_are_named() {
    for address in ["ftp://example.org", "mailto:a@example.org", "file:///tmp"] {
        let url = Url::parse(address).expect("an address");
        let error = Client::new(url, Duration::from_secs(1), PACE).err().expect("an error");
        assert!(error.to_string().contains("base_url"), "{error}");
    }
}

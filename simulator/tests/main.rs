//! The simulator as a connector meets it: over HTTP.

use std::time::Duration;

use jiff::Timestamp;
use muhatap_simulator::{Call, Clock, Draft, Network, Options, Script, Simulator};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

const SHOP: &str = "simulated-yelpazar";
const BOT: &str = "700000:simulated";

struct Peer {
    simulator: Simulator,
    client: Client,
}

impl Peer {
    async fn start(options: Options) -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { simulator: Simulator::start(options).await.unwrap(), client }
    }

    async fn with_script(script: &str) -> Self {
        Self::start(Options { script: Script::parse(script).unwrap(), ..Options::quiet() }).await
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.simulator.url())).bearer_auth(SHOP)
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    fn publish(&self, text: &str, key: &str) -> RequestBuilder {
        let call = self.call(Method::POST, "/api/v1/statuses").header("idempotency-key", key);
        call.json(&json!({ "status": text, "visibility": "public" }))
    }

    /// Somebody of another server writes.
    fn write(&self, text: &str) -> usize {
        self.simulator.simulation().change(|world, now| {
            let people = world.timeline().people();
            let author = people.iter().position(|person| person.handle == "ayse@ornek.example");
            let author = author.unwrap_or_else(|| {
                let person = muhatap_simulator::Person {
                    network: Network::Mastodon,
                    handle: "ayse@ornek.example".to_owned(),
                    display_name: "Ayşe".to_owned(),
                    language: Some("tr".to_owned()),
                    followers: 5,
                    about: String::new(),
                    kind: Default::default(),
                    token: None,
                };
                world.add_person(person)
            });
            world.post(author, Draft { text: text.to_owned(), ..Draft::default() }, now)
        })
    }

    fn published(&self) -> usize {
        self.simulator.simulation().look(|world| world.summary().ours)
    }

    fn log(&self) -> Vec<String> {
        self.simulator.simulation().look(|world| world.log().to_vec())
    }
}

#[tokio::test]
async fn mentions_come_in_pages_that_link_to_each_other() {
    let peer = Peer::start(Options::quiet()).await;
    for number in 0..7 {
        peer.write(&format!("@yelpazar soru {number}"));
    }
    peer.write("kimseyi anmayan bir yazı");
    let mut address = format!("{}/api/v1/notifications?types[]=mention&limit=3", peer.simulator.url());
    let mut seen = Vec::new();
    loop {
        let response = peer.client.get(&address).bearer_auth(SHOP).send().await.unwrap();
        assert_eq!(response.headers()["x-ratelimit-limit"], "300");
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default();
        let page: Vec<Value> = response.json().await.unwrap();
        seen.extend(page.iter().map(|one| one["status"]["content"].as_str().unwrap().to_owned()));
        let Some(next) = link.split(", ").find(|part| part.ends_with("rel=\"next\"")) else { break };
        address = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen.len(), 7);
    assert!(seen[0].ends_with("soru 6</p>") && seen[6].ends_with("soru 0</p>"), "{seen:?}");
    assert!(seen[0].starts_with("<p><span class=\"h-card\""), "{}", seen[0]);
}

#[tokio::test]
async fn a_status_is_published_answered_found_edited_and_deleted() {
    let peer = Peer::start(Options::quiet()).await;
    let asked = peer.write("@yelpazar kargom nerede? #Kargo");
    let found = peer.get("/api/v1/timelines/tag/kargo").await;
    assert_eq!(found[0]["account"]["acct"], "ayse@ornek.example");
    assert_ne!(found[0]["uri"], found[0]["url"]);
    let id = found[0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "status": "@ayse@ornek.example yolda", "in_reply_to_id": id });
    let answer: Value =
        peer.call(Method::POST, "/api/v1/statuses").json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["in_reply_to_id"], id.as_str());
    assert_eq!(answer["mentions"][0]["acct"], "ayse@ornek.example");
    let context = peer.get(&format!("/api/v1/statuses/{id}/context")).await;
    assert_eq!(context["descendants"][0]["id"], answer["id"]);
    let me = peer.get("/api/v1/accounts/verify_credentials").await;
    let own = peer.get(&format!("/api/v1/accounts/{}/statuses", me["id"].as_str().unwrap())).await;
    assert_eq!(own[0]["uri"], answer["uri"]);
    let words = peer.get("/api/v2/search?q=KARGOM&type=statuses").await;
    assert_eq!(words["statuses"][0]["id"], id.as_str());

    let path = format!("/api/v1/statuses/{}", answer["id"].as_str().unwrap());
    let deleted = peer.call(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    assert_eq!(peer.call(Method::GET, &path).send().await.unwrap().status(), 404);
    peer.simulator.simulation().change(|world, now| world.edit(asked, "@yelpazar geldi".to_owned(), now));
    let edited = peer.get(&format!("/api/v1/statuses/{id}")).await;
    assert!(edited["edited_at"].is_string() && edited["content"].as_str().unwrap().ends_with("geldi</p>"));
    let notifications = peer.get("/api/v1/notifications").await;
    assert_eq!(notifications.as_array().unwrap().len(), 1, "an edit notifies nobody again");
}

#[tokio::test]
async fn what_mastodon_refuses_is_refused() {
    let peer = Peer::start(Options::quiet()).await;
    let status = |request: RequestBuilder| async { request.send().await.unwrap().status().as_u16() };
    assert_eq!(status(peer.publish("", "k")).await, 422);
    assert_eq!(status(peer.publish(&"ş".repeat(501), "k")).await, 422);
    assert_eq!(status(peer.publish(&"ş".repeat(500), "k")).await, 200);
    let missing = json!({ "status": "merhaba", "in_reply_to_id": "114000000000000001" });
    assert_eq!(status(peer.call(Method::POST, "/api/v1/statuses").json(&missing)).await, 404);
    let stranger = peer.client.get(format!("{}/api/v1/notifications", peer.simulator.url())).bearer_auth("wrong");
    assert_eq!(status(stranger).await, 401);
}

#[tokio::test]
async fn keys_are_honoured_forgotten_or_ignored_as_the_script_says() {
    for (script, posts) in [("", 1), ("keys = 'forgotten'\nkey_life_seconds = 0", 2), ("keys = 'off'", 2)] {
        let peer = Peer::with_script(script).await;
        for _ in 0..2 {
            assert_eq!(peer.publish("bir kez", "anahtar").send().await.unwrap().status(), 200);
        }
        assert_eq!(peer.published(), posts, "{script:?}");
    }
}

#[tokio::test]
async fn a_late_key_lets_two_calls_at_once_both_post_and_catches_the_third() {
    let peer =
        Peer::with_script("keys = 'late'\n[[rule]]\nwhat = 'accept_then_hold'\ncall = 'publish'\non = [1]").await;
    let (first, second) = (peer.publish("çift", "k").send(), async {
        peer.simulator.simulation().until(|world| !world.held().is_empty()).await;
        let second = peer.publish("çift", "k").send().await;
        peer.simulator.simulation().release();
        second
    });
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok() && second.is_ok());
    peer.publish("çift", "k").send().await.unwrap();
    assert_eq!(peer.published(), 2);
}

#[tokio::test]
async fn each_fault_leaves_on_the_timeline_what_it_says() {
    for (what, extra, applied, answered) in [
        ("accept_then_reset", "", 1, None),
        ("accept_then_error", "status = 503", 1, Some(503)),
        ("accept_then_garbage", "", 1, Some(200)),
        ("drop", "", 0, None),
        ("error", "", 0, Some(500)),
        ("rate_limit", "retry_after_seconds = 3", 0, Some(429)),
        ("slow", "after_ms = 20", 1, Some(200)),
    ] {
        let peer = Peer::with_script(&format!("[[rule]]\nwhat = '{what}'\ncall = 'publish'\n{extra}")).await;
        let answer = peer.publish("merhaba", "k").send().await;
        assert_eq!(answer.as_ref().ok().map(|answer| answer.status().as_u16()), answered, "{what}");
        if what == "rate_limit" {
            assert_eq!(answer.unwrap().headers()["retry-after"], "3");
        }
        assert_eq!(peer.published(), applied, "{what}");
    }
}

#[tokio::test]
async fn a_cut_answer_ends_in_its_middle() {
    let peer = Peer::with_script("[[rule]]\nwhat = 'accept_then_cut'\ncall = 'publish'").await;
    let whole = match peer.publish("merhaba", "k").send().await {
        Ok(answer) => answer.bytes().await.is_ok(),
        Err(_) => false,
    };
    assert!(!whole);
    assert_eq!(peer.published(), 1);
}

#[tokio::test]
async fn what_is_applied_late_comes_after_the_caller_is_gone() {
    let script = "[[rule]]\nwhat = 'apply_late'\ncall = 'publish'\nafter_ms = 5000";
    let clock = Clock::manual(Timestamp::from_second(1_790_000_000).unwrap());
    let script = Script::parse(script).unwrap();
    let peer = Peer::start(Options { script, clock: clock.clone(), ..Options::quiet() }).await;
    assert!(peer.publish("geç", "k").send().await.is_err());
    assert_eq!(peer.published(), 0);
    clock.advance(Duration::from_secs(6));
    assert_eq!(peer.published(), 1);
}

#[tokio::test]
async fn a_held_call_is_done_on_release_even_when_its_caller_hung_up() {
    let peer = Peer::with_script("[[rule]]\nwhat = 'hold'\ncall = 'publish'").await;
    let simulation = peer.simulator.simulation();
    tokio::select! {
        answer = peer.publish("bekleyen", "k").send() => panic!("answered while held: {answer:?}"),
        () = simulation.until(|world| !world.held().is_empty()) => {}
    }
    assert_eq!(peer.published(), 0);
    assert_eq!(simulation.look(|world| world.held()[0].0), Call::Publish);
    simulation.release();
    simulation.until(|world| world.summary().ours == 1).await;
}

#[tokio::test]
async fn lists_come_doubled_or_in_another_order_but_complete() {
    for (what, least) in [("duplicate", 9), ("reorder", 8)] {
        let peer = Peer::with_script(&format!("[[rule]]\nwhat = '{what}'\ncall = 'mentions'")).await;
        for number in 0..8 {
            peer.write(&format!("@yelpazar {number}"));
        }
        let page = peer.get("/api/v1/notifications").await;
        let ids: Vec<String> =
            page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        let mut sorted = ids.clone();
        sorted.sort_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!(sorted.len(), 8, "{what}");
        assert!(ids.len() >= least && ids != sorted, "{what}: {ids:?}");
    }
}

#[tokio::test]
async fn a_dark_server_refuses_connections_and_comes_back() {
    let peer = Peer::start(Options::quiet()).await;
    peer.get("/api/v2/instance").await;
    peer.simulator.simulation().set_dark(true);
    let refused = async {
        while !peer.call(Method::GET, "/api/v2/instance").send().await.is_err_and(|error| error.is_connect()) {}
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("refused within five seconds");
    peer.simulator.simulation().set_dark(false);
    let back = async { while peer.call(Method::GET, "/api/v2/instance").send().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(5), back).await.expect("back within five seconds");
}

#[tokio::test]
async fn an_expired_token_is_refused_until_it_is_renewed() {
    let peer = Peer::with_script("[[rule]]\nwhat = 'expire_token'\ncall = 'mentions'\non = [2]").await;
    let path = "/api/v1/notifications";
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(peer.call(Method::GET, path).send().await.unwrap().status().as_u16());
    }
    assert_eq!(answers, [200, 401, 401]);
    let renew = peer.call(Method::PUT, "/simulator/tokens/yelpazar").json(&json!({ "expired": false }));
    assert_eq!(renew.send().await.unwrap().status(), 204);
    assert_eq!(peer.call(Method::GET, path).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back() {
    let peer = Peer::with_script("[rate_limit]\ncalls = 2\nseconds = 60").await;
    for expected in [200, 200, 429] {
        let answer = peer.call(Method::GET, "/api/v1/notifications").send().await.unwrap();
        assert_eq!(answer.status(), expected);
        if expected == 429 {
            assert!(answer.headers()["retry-after"].to_str().unwrap().ends_with("GMT"));
            assert_eq!(answer.headers()["x-ratelimit-remaining"], "0");
        }
    }
}

#[tokio::test]
async fn a_bot_sends_deletes_and_hears() {
    let peer = Peer::start(Options::quiet()).await;
    let url = |method: &str| format!("{}/bot{BOT}/{method}", peer.simulator.url());
    let ask = async |method: &str, body: Value| -> Value {
        peer.client.post(url(method)).json(&body).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(ask("getMe", json!({})).await["result"]["username"], "yelpazar_bot");
    assert_eq!(ask("getUpdates", json!({})).await, json!({ "ok": true, "result": [] }));
    let written = json!({ "by": "ayse", "text": "siparişim nerede", "telegram": true });
    assert_eq!(peer.call(Method::POST, "/simulator/posts").json(&written).send().await.unwrap().status(), 201);
    let updates = ask("getUpdates", json!({ "timeout": 5 })).await;
    let message = &updates["result"][0]["message"];
    assert_eq!(message["text"], "siparişim nerede");
    let next = updates["result"][0]["update_id"].as_i64().unwrap() + 1;
    assert_eq!(ask("getUpdates", json!({ "offset": next })).await["result"], json!([]));
    let answer = json!({
        "chat_id": message["chat"]["id"], "text": "yolda", "reply_parameters": { "message_id": message["message_id"] },
    });
    let sent = ask("sendMessage", answer).await;
    assert_eq!(sent["result"]["reply_to_message"]["text"], "siparişim nerede");
    let to_channel = ask("sendMessage", json!({ "chat_id": "@yelpazar_duyuru", "text": "duyuru" })).await;
    assert_eq!(to_channel["result"]["chat"]["type"], "channel");
    let gone = json!({ "chat_id": "@yelpazar_duyuru", "message_id": to_channel["result"]["message_id"] });
    assert_eq!(ask("deleteMessage", gone).await["result"], true);
    let nobody = ask("sendMessage", json!({ "chat_id": 5, "text": "kim" })).await;
    assert_eq!((&nobody["error_code"], &nobody["description"]), (&json!(400), &json!("Bad Request: chat not found")));
    let wrong = peer.client.get(format!("{}/bot1:no/getMe", peer.simulator.url())).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
}

#[tokio::test]
async fn a_bot_told_to_slow_down_is_told_how_long() {
    let script = "[[rule]]\nwhat = 'rate_limit'\nnetwork = 'telegram'\nretry_after_seconds = 7";
    let peer = Peer::with_script(script).await;
    let url = format!("{}/bot{BOT}/sendMessage", peer.simulator.url());
    let body = json!({ "chat_id": "@yelpazar_duyuru", "text": "x" });
    let answer: Value = peer.client.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["parameters"]["retry_after"], 7);
}

#[tokio::test]
async fn people_see_replies_in_their_thread_and_may_write() {
    let peer = Peer::start(Options::quiet()).await;
    let asked = peer.write("@yelpazar <b>kalın</b> bir soru");
    let id = peer.get("/simulator/posts").await[0]["status_id"].as_str().unwrap().to_owned();
    let body = json!({ "status": "cevap", "in_reply_to_id": id });
    let answer: Value =
        peer.call(Method::POST, "/api/v1/statuses").json(&body).send().await.unwrap().json().await.unwrap();
    let page = |address: String| async { peer.client.get(address).send().await.unwrap().text().await.unwrap() };
    let timeline = page(format!("{}/", peer.simulator.url())).await;
    assert!(timeline.find("cevap").unwrap() < timeline.find("&lt;b&gt;kalın&lt;/b&gt;").unwrap());
    let thread = page(answer["url"].as_str().unwrap().to_owned()).await;
    assert!(thread.find("&lt;b&gt;kalın").unwrap() < thread.find("cevap").unwrap());

    let form = [("by", "meraklı"), ("text", "@yelpazar merhaba")];
    let write = |origin: String, by: &'static str| {
        let form = [("by", by), form[1]];
        let request = peer.client.post(format!("{}/write", peer.simulator.url())).header("origin", origin).form(&form);
        async { request.send().await.unwrap().status().as_u16() }
    };
    let own = peer.simulator.url().to_owned();
    assert_eq!(write("http://kotu.example".to_owned(), "merakli").await, 403);
    assert_eq!(write(own.clone(), "meraklı kişi").await, 400);
    assert_eq!(write(own.clone(), "yelpazar").await, 400);
    assert_eq!(write(own, "merakli@komsu.example").await, 200);
    assert!(peer.log().iter().any(|line| line.ends_with("by merakli@komsu.example")));
    assert!(asked < 2);
}

/// The crowd for ten minutes of a standing clock, a few calls, replies and faults.
async fn run(seed: u64) -> (Vec<String>, Value) {
    let clock = Clock::manual(Timestamp::from_second(1_790_000_000).unwrap());
    let script = Script::parse(include_str!("../faults/storm.toml")).unwrap();
    let options = Options { seed, script, clock: clock.clone(), ..Options::lively() };
    let peer = Peer::start(options).await;
    for step in 0..60 {
        clock.advance(Duration::from_millis(1_500));
        let read = peer.call(Method::GET, "/api/v1/notifications?limit=5").send().await;
        let page: Vec<Value> = match read {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        if let Some(asked) = page.first() {
            let body = json!({ "status": format!("cevap {step}"), "in_reply_to_id": asked["status"]["id"] });
            let call = peer.call(Method::POST, "/api/v1/statuses").header("idempotency-key", step.to_string());
            // Whatever comes of it is in the log.
            let _ = call.json(&body).send().await;
        }
    }
    let mut dump = peer.simulator.simulation().look(|world| world.dump());
    // The port differs from run to run, nothing else may.
    dump["base"] = json!(null);
    (peer.log(), dump)
}

#[tokio::test]
async fn the_same_seed_and_script_give_the_same_run_byte_for_byte() {
    let (first, second, other) = (run(5).await, run(5).await, run(6).await);
    assert_eq!(first.0.join("\n"), second.0.join("\n"));
    assert_eq!(first.1.to_string(), second.1.to_string());
    assert_ne!(first.0, other.0);
    assert!(first.0.iter().any(|line| line.contains("accept_then_reset")), "the script had its effect");
}

#[tokio::test]
async fn a_customer_answers_back_when_our_account_replies() {
    let clock = Clock::manual(Timestamp::from_second(1_790_000_000).unwrap());
    let peer = Peer::start(Options { clock: clock.clone(), ..Options::lively() }).await;
    let notifications = peer.get("/api/v1/notifications?limit=80").await;
    let texts = notifications.as_array().unwrap().iter().map(|one| &one["status"]);
    let ids: Vec<String> = texts.map(|status| status["id"].as_str().unwrap().to_owned()).collect();
    for id in &ids {
        let body = json!({ "status": "merhaba", "in_reply_to_id": id });
        assert_eq!(peer.call(Method::POST, "/api/v1/statuses").json(&body).send().await.unwrap().status(), 200);
    }
    let before = peer.simulator.simulation().look(|world| world.timeline().posts().len());
    clock.advance(Duration::from_secs(60));
    let back = peer.simulator.simulation().look(|world| {
        let new = world.timeline().posts().iter().skip(before);
        new.filter(|post| {
            post.reply_to.is_some_and(|id| world.timeline().person(world.timeline().posts()[id].author).is_ours())
        })
        .count()
    });
    assert!(back >= ids.len() / 5, "{back} of {} answered", ids.len());
}

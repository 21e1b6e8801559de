//! What becomes of the queue when Redis fails: it is never the end, the reason is said, and no secret with it.

use std::sync::atomic::AtomicBool;

use muhatap::queue::FailoverDispatcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::support::eventually;

fn want(claims: usize) -> Want {
    Want { claims, hints: 1, lease: LEASE, done: Vec::new() }
}

fn parse(url: &str) -> Server {
    Server::parse(url).expect("the address is right")
}

fn dispatcher(url: &str) -> RedisDispatcher {
    RedisDispatcher::new(parse(url), now)
}

/// What goes wrong when the server is asked to add something.
async fn complaint(url: &str) -> String {
    let added = dispatcher(url).add(&[hint(now(), 1, "posts", Class::REPLY, 1)]).await;
    added.expect_err("it cannot be written").to_string()
}

#[tokio::test]
async fn an_emptied_redis_has_another_generation_and_old_leases_are_worth_nothing() {
    let redis = Redis::start().await;
    let queue = dispatcher(&redis.url());
    let hints = [hint(now(), 1, "posts", Class::REPLY, 1)];
    queue.add(&hints).await.expect("the queue answers");
    let before = queue.step(want(5)).await.expect("the queue answers");
    assert_eq!(ids(&before.claims), [id(1)]);
    redis.command::<()>("FLUSHALL").await;
    let emptied = queue.step(want(5)).await.expect("the queue answers");
    assert_ne!(emptied.generation, before.generation);
    assert_eq!(emptied.claims, []);
    queue.add(&hints).await.expect("the queue answers");
    let after = queue.step(want(5)).await.expect("the queue answers");
    assert_eq!((ids(&after.claims), after.generation), (vec![id(1)], emptied.generation));
    assert!(after.claims[0].nonce > before.claims[0].nonce);
    queue.step(Want { done: vec![sent(&before.claims[0])], ..want(5) }).await.expect("the queue answers");
    let lost = queue.extend(&before.claims, LEASE).await.expect("the queue answers");
    assert_eq!(lost, [before.claims[0].lane.clone()]);
    assert_eq!(queue.counts().await.expect("the queue answers")["hints"], 1);
}

#[tokio::test]
async fn a_dead_redis_leaves_the_process_to_itself_until_it_is_back() {
    let redis = Redis::start().await;
    let queue = FailoverDispatcher::new(dispatcher(&redis.url()), now);
    let hints = [hint(now(), 1, "posts", Class::REPLY, 1)];
    let with_redis = queue.step(want(0)).await.expect("the queue answers").generation;
    assert_eq!(queue.trouble(), None);
    redis.kill();
    eventually("the process goes on by itself", || async {
        queue.wait(Some(now() + Duration::from_millis(100))).await;
        queue.step(want(0)).await.is_ok()
    })
    .await;
    let alone = queue.step(want(0)).await.expect("it answers by itself");
    assert_ne!(alone.generation, with_redis, "what is due is loaded again");
    assert!(queue.trouble().expect("it is told").contains("redis"));
    queue.add(&hints).await.expect("it answers by itself");
    assert_eq!(ids(&queue.step(want(5)).await.expect("it answers by itself").claims), [id(1)]);

    redis.restart().await;
    eventually("it is back", || async { queue.trouble().is_none() }).await;
    let back = queue.step(want(5)).await.expect("the queue answers");
    assert!(![with_redis, alone.generation].contains(&back.generation), "what is due is loaded again");
    queue.add(&hints).await.expect("the queue answers");
    assert_eq!(ids(&queue.step(want(5)).await.expect("the queue answers").claims), [id(1)]);
}

#[tokio::test]
async fn a_redis_whose_memory_becomes_full_leaves_the_process_to_itself() {
    let redis = Redis::start().await;
    let queue = FailoverDispatcher::new(dispatcher(&redis.url()), now);
    queue.step(want(0)).await.expect("the queue answers");
    redis.command::<()>("CONFIG SET maxmemory 100kb").await;
    let hints = [hint(now(), 1, "posts", Class::REPLY, 1)];
    let refused = queue.add(&hints).await.expect_err("it has no room").to_string();
    assert!(refused.contains("raise its maxmemory"), "{refused}");
    // Nobody asks it for anything meanwhile.
    eventually("the process goes on by itself", || async { queue.trouble().is_some() }).await;
    queue.add(&hints).await.expect("it answers by itself");
    assert_eq!(ids(&queue.step(want(5)).await.expect("it answers by itself").claims), [id(1)]);
    redis.command::<()>("CONFIG SET maxmemory 0").await;
    eventually("it is back", || async { queue.trouble().is_none() }).await;
}

#[tokio::test]
async fn what_an_answer_that_never_came_handed_out_is_handed_out_again_at_once() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let queue = dispatcher(&format!("redis://127.0.0.1:{}", proxy.port));
    let other = dispatcher(&redis.url());
    queue.add(&[hint(now(), 1, "posts", Class::REPLY, 1)]).await.expect("the queue answers");
    // An earlier answer that did come stays valid.
    let held = queue.step(want(5)).await.expect("the queue answers").claims;
    queue.add(&[hint(now(), 2, "posts", Class::REPLY, 2)]).await.expect("the queue answers");
    proxy.swallow.store(true, Ordering::Relaxed);
    queue.step(want(5)).await.expect_err("the connection breaks");
    proxy.swallow.store(false, Ordering::Relaxed);
    assert_eq!(other.step(want(5)).await.expect("the queue answers").claims, [], "it was handed out to nobody");
    let mut claims = Vec::new();
    eventually("the connection is made again", async || {
        let answer = queue.step(want(5)).await;
        answer.is_ok_and(|step| {
            claims.extend(step.claims);
            true
        })
    })
    .await;
    assert_eq!(ids(&claims), [id(2)]);
    assert_eq!(queue.extend(&held, LEASE).await.expect("the queue answers"), Vec::<String>::new());
}

#[tokio::test]
async fn a_redis_without_memory_says_so() {
    let redis = Redis::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).await;
    assert!(complaint(&redis.url()).await.ends_with("has no memory left: raise its maxmemory"));
}

#[tokio::test]
async fn a_replica_is_refused_by_name() {
    let master = Redis::start().await;
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &master.port().to_string()]).await;
    let expected =
        format!("redis at 127.0.0.1:{} is a replica, which takes no writes: name its master", replica.port());
    assert!(complaint(&replica.url()).await.starts_with(&expected));
    // One that becomes a replica while it is used.
    let queue = dispatcher(&master.url());
    let hints = [hint(now(), 1, "posts", Class::REPLY, 1)];
    queue.add(&hints).await.expect("the queue answers");
    master.command::<()>(&format!("REPLICAOF 127.0.0.1 {}", replica.port())).await;
    let more = [hint(now(), 1, "posts", Class::REPLY, 2)];
    let refused = queue.add(&more).await.expect_err("it takes no writes").to_string();
    assert!(refused.contains("name its master in queue.url"), "{refused}");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_never_repeated() {
    let redis = Redis::start().await;
    redis.command::<()>("CONFIG SET requirepass right").await;
    let address = format!("127.0.0.1:{}", redis.port());
    for url in [format!("redis://:s3cret@{address}"), format!("redis://me:s3cret@{address}"), redis.url()] {
        let said = complaint(&url).await;
        assert!(said.contains("refuses the user name or the password: correct them in queue.url"), "{said}");
        assert!(!said.contains("s3cret"));
    }
    let right = dispatcher(&format!("redis://:right@{address}"));
    right.add(&[hint(now(), 1, "posts", Class::REPLY, 1)]).await.expect("the right one is let in");
}

#[tokio::test]
async fn a_user_of_its_own_needs_the_rights_that_the_message_names() {
    let redis = Redis::start().await;
    redis.command::<()>("ACL SETUSER worker on >pass ~other* +@all").await;
    let url = format!("redis://worker:pass@127.0.0.1:{}", redis.port());
    let said = complaint(&url).await;
    assert!(said.contains("~{m* &muhatap:* +@all -@admin +info"), "{said}");
    redis.command::<()>("ACL SETUSER worker resetkeys resetchannels ~{m* &muhatap:* -@all +@all -@admin +info").await;
    let queue = dispatcher(&url);
    queue.add(&[hint(now(), 1, "posts", Class::REPLY, 1)]).await.expect("it may");
    queue.wait(None).await;
    assert_eq!(ids(&queue.step(want(1)).await.expect("it may").claims), [id(1)]);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let redis = Redis::start().await;
    let queue = dispatcher(&redis.url());
    for number in 0..3 {
        redis.command::<()>("SCRIPT FLUSH").await;
        queue.add(&[hint(now(), number, "posts", Class::REPLY, number)]).await.expect("the queue answers");
        assert_eq!(ids(&queue.step(want(5)).await.expect("the queue answers").claims), [id(number)]);
    }
}

/// Forwards to a port; while `swallow` is set, an answer ends the connection instead of coming through.
struct Proxy {
    port: u16,
    swallow: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(to: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let swallow = Arc::new(AtomicBool::new(false));
        let swallows = swallow.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server can be reached");
                tokio::spawn(forward(client, server, swallows.clone()));
            }
        });
        Proxy { port, swallow }
    }
}

async fn forward(client: TcpStream, server: TcpStream, swallow: Arc<AtomicBool>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asking = tokio::io::copy(&mut from_client, &mut to_server);
    let answering = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            if swallow.load(Ordering::Relaxed) || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = asking => {}
        () = answering => {}
    }
}

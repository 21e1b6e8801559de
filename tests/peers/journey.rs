//! A stranger writes, the worker stores and analyses it, a person answers, the worker is killed, and the answer is on the
//! network once.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap::store::Store;
use muhatap::store::deliveries::DeliveryView;
use muhatap::store::inbox::{MentionFilter, MentionRow};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use super::eventually;
use super::people::{Bluesky, Matrix, Stranger, unique};
use super::proxy::{Hold, Proxy};

#[derive(Debug, Clone, Copy)]
enum Network {
    Bluesky,
    Matrix,
}

/// A worker of its own on an account, with a proxy before its network.
struct Journey {
    stranger: Box<dyn Stranger>,
    proxy: Proxy,
    store: Store,
    config: PathBuf,
    dir: TempDir,
}

/// A running worker; killed with this value.
struct Worker(Child);

impl Worker {
    /// As if the machine lost power: nothing in the process gets to end.
    fn kill(mut self) {
        self.0.kill().expect("the worker runs and is ours");
        self.0.wait().expect("it ended");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Journey {
    async fn begin(network: Network) -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
            sqlx::any::install_default_drivers();
        });
        let stranger: Box<dyn Stranger> = match network {
            Network::Bluesky => Box::new(Bluesky::meet().await),
            Network::Matrix => Box::new(Matrix::meet().await),
        };
        let proxy = Proxy::start(stranger.upstream(), stranger.paths()).await;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = dir.path().join("muhatap.toml");
        let database = format!("sqlite:{}", dir.path().join("muhatap.db").display());
        // Shorter than in earnest, so that a run takes seconds; their order is what counts.
        let text = format!(
            "[database]\nurl = \"{database}\"\n\
             [delivery]\nundo_seconds = 0\ncall_timeout_seconds = 6\nlease_margin_seconds = 4\nsettle_seconds = 2\nread_back_gap_seconds = 1\n\
             [[accounts]]\nname = \"destek\"\nbase_url = \"{}\"\ntoken = {{ env = \"PEERS_SECRET\" }}\npoll_seconds = 5\n{}",
            proxy.address,
            stranger.settings()
        );
        std::fs::write(&config, text).expect("the configuration is written");
        let store = Store::open(&database).await.expect("a fresh database");
        Self { stranger, proxy, store, config, dir }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muhatap"));
        command.arg("--config").arg(&self.config).env("PEERS_SECRET", self.stranger.secret()).stdin(Stdio::null());
        command
    }

    fn start(&self) -> Worker {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let mut command = self.command();
        command.args(["run", "--only", "listen,deliver"]);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        Worker(command.spawn().expect("the worker starts"))
    }

    /// A command whose output is JSON.
    fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.command().args(arguments).output().expect("the command runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {errors}"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    async fn seen(&self, is_it: impl Fn(&MentionRow) -> bool) -> Option<MentionRow> {
        let mentions = self.store.mentions(&MentionFilter::default()).await.expect("the store answers");
        mentions.into_iter().find(|mention| is_it(mention))
    }

    /// The stranger's message, once the worker has stored it.
    async fn stored(&self, word: &str) -> MentionRow {
        let is_it = |mention: &MentionRow| mention.text.as_deref().is_some_and(|text| text.contains(word));
        eventually("the mention is stored", async || self.seen(is_it).await).await
    }

    async fn delivery(&self, delivery: &Value) -> DeliveryView {
        let id: DeliveryId = delivery["id"].as_str().and_then(|id| id.parse().ok()).expect("a delivery");
        self.store.delivery(id).await.expect("the delivery is stored")
    }

    async fn sent(&self, delivery: &Value) -> DeliveryView {
        let sent = eventually("the delivery is sent", async || {
            let now = self.delivery(delivery).await;
            assert!(
                !matches!(now.state, DeliveryState::Failed | DeliveryState::Unknown | DeliveryState::Held),
                "{:?}: {:?}\n{}",
                now.state,
                now.reason,
                self.log()
            );
            (now.state == DeliveryState::Sent).then_some(now)
        });
        sent.await
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_is_on_the_network_once_wherever_the_worker_is_killed(
    #[values(Network::Bluesky, Network::Matrix)] network: Network,
    #[values(
        None,
        Some(Hold::Preparing),
        Some(Hold::Request),
        Some(Hold::HalfRequest),
        Some(Hold::Answer),
        Some(Hold::HalfAnswer),
        Some(Hold::Answered)
    )]
    killed_at: Option<Hold>,
) {
    let journey = Journey::begin(network).await;
    let worker = journey.start();
    let word = unique("kargo");
    journey.stranger.writes(&format!("{word} hâlâ gelmedi, kimse cevap vermiyor, rezalet!")).await;
    let mention = journey.stored(&word).await;
    assert_eq!((mention.language.code.as_str(), mention.sentiment.label.as_str()), ("tr", "negative"));
    assert!(!mention.sentiment.because.is_empty() && !mention.intents.is_empty(), "understood, with reasons");

    let text = format!("{}{word} için özür dileriz, hemen bakıyoruz.", journey.stranger.greeting());
    let id = mention.id.to_string();
    let reply = ["reply", &id, "--text", &text];
    let (delivery, state) = match killed_at {
        // Queued, and nobody there to take it.
        None => {
            worker.kill();
            let delivery = journey.ask(&reply);
            let state = journey.delivery(&delivery).await.state;
            assert_eq!(state, DeliveryState::Queued);
            (delivery, state)
        }
        Some(hold) => {
            journey.proxy.hold(hold);
            let delivery = journey.ask(&reply);
            journey.proxy.reached().await;
            let state = journey.delivery(&delivery).await.state;
            worker.kill();
            match hold {
                Hold::Preparing => assert_eq!(state, DeliveryState::Preparing),
                // What the worker makes of the answer races with the kill: both ends are good.
                Hold::Answered => assert!(matches!(state, DeliveryState::Sending | DeliveryState::Sent), "{state:?}"),
                _ => assert_eq!(state, DeliveryState::Sending),
            }
            let there = journey.stranger.count(&text).await;
            let taken = matches!(hold, Hold::Answer | Hold::HalfAnswer | Hold::Answered);
            assert_eq!(there, usize::from(taken), "on the network when the worker died");
            (delivery, state)
        }
    };
    journey.proxy.open();

    let restarted = Instant::now();
    let worker = journey.start();
    let sent = journey.sent(&delivery).await;
    let took = restarted.elapsed();
    assert_eq!(journey.stranger.count(&text).await, 1, "on the network");
    // The same command again is the same reply; asking for another names this one.
    assert!(sent.network_ref.is_some());
    println!(
        "{network:?}, killed at {killed_at:?} ({state:?}): sent {:.1} s after the restart, {} attempts, once on the network",
        took.as_secs_f64(),
        sent.attempts
    );
    worker.kill();
}

#[rstest]
#[case::bluesky(Network::Bluesky)]
#[case::matrix(Network::Matrix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_post_appears_at_its_time_and_a_deleted_message_is_erased(#[case] network: Network) {
    let journey = Journey::begin(network).await;
    let worker = journey.start();
    let word = unique("indirim");
    let written = journey.stranger.writes(&format!("{word} ne zaman?")).await;
    let mention = journey.stored(&word).await;

    let due = journey.store.clock() + Duration::from_secs(6);
    let text = format!("Yeni sezon {word}");
    let delivery = journey.ask(&["post", "--account", "destek", "--at", &due.to_string(), "--text", &text]);
    // Not there before its time, there within moments of it.
    while journey.store.clock() < due - Duration::from_millis(500) {
        assert_eq!(journey.stranger.count(&text).await, 0, "not before its time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let appeared: Timestamp = eventually("the post appears", async || {
        (journey.stranger.count(&text).await == 1).then(|| journey.store.clock())
    })
    .await;
    let late = appeared.duration_since(due).as_secs_f64();
    assert!((-0.1..5.0).contains(&late), "{late} s after its time");
    let sent = journey.sent(&delivery).await;
    println!("{network:?}: due at {due}, on the network {late:.2} s later as {}", sent.network_ref.unwrap_or_default());

    journey.stranger.deletes(&written).await;
    let erased = eventually("the deleted message is erased", async || {
        let row = journey.store.mention(mention.id).await.expect("its row stays, without its text");
        row.deleted_at.is_some().then_some(row)
    })
    .await;
    assert_eq!(erased.text, None);
    assert!(erased.tokens.is_empty() && erased.sentiment.because.is_empty(), "nor what was understood of it");
    let found = MentionFilter { search: Some(word.clone()), ..MentionFilter::default() };
    assert_eq!(journey.store.mentions(&found).await.expect("the store answers").len(), 0, "nor in the search");
    println!("{network:?}: deleted on the network, erased here");
    drop(worker);
}

//! The database goes away at the worst moment: when it has committed, and its answer is still on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muhatap::deliver::probe_due;
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap_connectors::Certainty;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::support::network::{End, FakeNetwork};
use crate::support::sending::Bench;
use crate::support::{Backend, eventually};

/// The lease of a call, the settle time, and a little more.
const LEASE_AND_SETTLE: Duration = Duration::from_secs(60);

/// What marks a delivery before its call says this.
const MARK: &[u8] = b"INSERT INTO attempts";

/// Between a worker and PostgreSQL. It loses the answer to one commit that marks.
#[derive(Default)]
struct Wire {
    loses: AtomicBool,
    /// The commit itself is lost, and taken back.
    takes_back: AtomicBool,
    /// With that commit every connection ends, and there are no new ones before it is opened again.
    shuts: AtomicBool,
    shut: watch::Sender<bool>,
}

impl Wire {
    /// Also answers the port to connect to instead.
    fn to(server: SocketAddr) -> (Arc<Wire>, u16) {
        let wire = Arc::<Wire>::default();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        listener.set_nonblocking(true).expect("it can wait");
        let listener = TcpListener::from_std(listener).expect("it is bound");
        let port = listener.local_addr().expect("it is bound").port();
        let passes = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !*passes.shut.borrow() {
                    tokio::spawn(passes.clone().pass(client, server));
                }
            }
        });
        (wire, port)
    }

    /// Ends both connections when one ends, or when an answer is lost.
    async fn pass(self: Arc<Self>, mut client: TcpStream, server: SocketAddr) -> Option<()> {
        let mut server = TcpStream::connect(server).await.ok()?;
        let mut shut = self.shut.subscribe();
        let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
        let mut said = Vec::new();
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let asked = &asked[..read.ok().filter(|read| *read > 0)?];
                    said.extend_from_slice(asked);
                    let is_lost =
                        holds(asked, b"COMMIT") && holds(&said, MARK) && self.loses.swap(false, Ordering::Relaxed);
                    if !(is_lost && self.takes_back.load(Ordering::Relaxed)) {
                        server.write_all(asked).await.ok()?;
                    }
                    if is_lost {
                        if !self.takes_back.load(Ordering::Relaxed) {
                            // The server has committed when it answers.
                            server.readable().await.ok()?;
                        }
                        self.shut.send_replace(self.shuts.load(Ordering::Relaxed));
                        return None;
                    }
                }
                read = server.read(&mut answered) => {
                    client.write_all(&answered[..read.ok().filter(|read| *read > 0)?]).await.ok()?;
                }
                () = async { _ = shut.wait_for(|shut| *shut).await } => return None,
            }
        }
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A bench whose database is behind a wire that loses the answer to the first mark.
async fn bench(certainty: Certainty) -> (Bench, Arc<Wire>) {
    let mut wire = None;
    let bench = Bench::on(Backend::Postgres, FakeNetwork::new(certainty), |config| {
        let mut url = Url::parse(&config.database.url).expect("an address");
        let (to, port) = Wire::to(SocketAddr::from(([127, 0, 0, 1], url.port().expect("a port"))));
        url.set_port(Some(port)).expect("it has a port");
        config.database.url = url.into();
        wire = Some(to);
    })
    .await;
    let wire = wire.expect("it was put between");
    wire.loses.store(true, Ordering::Relaxed);
    (bench, wire)
}

/// A post whose mark met an outage, which is over: its commit was made, and its answer lost; or it was taken back.
async fn after_an_outage(certainty: Certainty, prepared: bool, takes_back: bool) -> (Bench, DeliveryId) {
    let (bench, wire) = bench(certainty).await;
    if prepared {
        bench.network.script_prepare([]);
    }
    let id = bench.post("bir").await;
    wire.takes_back.store(takes_back, Ordering::Relaxed);
    wire.shuts.store(true, Ordering::Relaxed);
    bench.turn().await;
    assert_eq!(bench.network.calls(), 0);
    wire.shut.send_replace(false);
    eventually("the database is back", async || bench.app.store.ping().await.is_ok()).await;
    (bench, id)
}

#[rstest]
#[tokio::test]
async fn a_mark_whose_answer_is_lost_is_called_for_at_once(
    #[values(Certainty::None, Certainty::ReadBack)] certainty: Certainty,
    #[values(true, false)] prepared: bool,
) {
    let (bench, wire) = bench(certainty).await;
    if prepared {
        bench.network.script_prepare([]);
    }
    let id = bench.post("bir").await;
    bench.turn().await;
    assert!(!wire.loses.load(Ordering::Relaxed), "an answer was lost");
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    let view = bench.view(id).await;
    assert_eq!((bench.network.calls(), view.attempts), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_was_never_called_is_not_unknown_after_an_outage(
    #[values(Certainty::None, Certainty::ReadBack)] certainty: Certainty,
    #[values(true, false)] prepared: bool,
) {
    let (bench, id) = after_an_outage(certainty, prepared, false).await;
    assert_eq!(bench.state(id).await, DeliveryState::Sending);
    // Long enough for another process to have taken it for called.
    bench.later(LEASE_AND_SETTLE);
    bench.reap().await;
    if certainty == Certainty::None {
        bench.turn().await;
        assert_eq!(bench.state(id).await, DeliveryState::Unknown);
    }
    assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    assert_eq!(bench.state(id).await, DeliveryState::Queued);
    probe_due(&bench.sender, bench.now()).await.expect("the database answers");
    bench.drain().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!((bench.network.calls(), bench.view(id).await.attempts), (1, 1));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_mark_that_was_taken_back_says_nothing_of_the_call_after_it(
    #[values(Certainty::None, Certainty::ReadBack)] certainty: Certainty,
    #[values(true, false)] prepared: bool,
) {
    let (bench, id) = after_an_outage(certainty, prepared, true).await;
    // Called for under the same epoch, with an unclear end, before the journal says that nothing was called.
    bench.later(LEASE_AND_SETTLE);
    bench.reap().await;
    bench.network.script([End::AcceptThenError]);
    bench.turn().await;
    let unclear = bench.state(id).await;
    assert_eq!(bench.network.calls(), 1);
    assert!(matches!(unclear, DeliveryState::Unknown | DeliveryState::Verifying), "{unclear:?}");
    assert_eq!(bench.sender.replay(bench.now()).await.expect("the database answers"), 0);
    assert_eq!((bench.state(id).await, bench.view(id).await.attempts), (unclear, 1));
    bench.stop().await;
}

//! Networks on your own machine: one timeline, one fault engine, a dialect file per network.
//!
//! A [`Simulator`] is a server that speaks the Mastodon API and the Telegram Bot API as far as the connectors use them,
//! records every post, lets an invented crowd write (see `simulator/data`), and goes wrong by script (see
//! `simulator/FAULTS.md`). The same seed, script and calls give the same run. Its pages show the timeline to people:
//! open the address in a browser.

mod chance;
mod clock;
mod control;
mod crowd;
mod dialects;
pub mod faults;
mod pages;
mod simulation;
mod timeline;
mod wire;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use clock::Clock;
pub use crowd::{Crowd, DataError, Line, Member, Pace};
pub use faults::{Call, Calls, Keys, Outage, RateLimit, RetryAfter, Rule, Script, ScriptError, Then, What};
pub use simulation::Simulation;
pub use timeline::{Draft, Network, Notification, Person, PersonId, PersonKind, Post, PostId, Timeline, Visibility};
pub use world::{CallMade, Summary, World};

use wire::Door;

/// An account of ours on a simulated network.
#[derive(Debug, Clone)]
pub struct OwnAccount {
    pub network: Network,
    pub handle: String,
    pub display_name: String,
    /// What the connector is given as its token.
    pub token: String,
}

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    pub seed: u64,
    pub script: Script,
    pub clock: Clock,
    pub accounts: Vec<OwnAccount>,
    /// Telegram channels that our accounts may write into: handle and title.
    pub channels: Vec<(String, String)>,
    /// Whether the invented crowd writes, and how much.
    pub crowd: Option<Pace>,
}

/// The handle of the demo's shop on the simulated Mastodon server.
pub const SHOP: &str = "yelpazar";
/// The handle of the demo's town.
pub const TOWN: &str = "kiyikent";
/// The handle of the demo's bot on the simulated Telegram.
pub const BOT: &str = "yelpazar_bot";
/// The handle of the demo's Telegram channel.
pub const CHANNEL: &str = "yelpazar_duyuru";

impl Options {
    /// A quiet network on a free port of this machine, with the demo's accounts: what tests start from.
    pub fn quiet() -> Self {
        let account = |network, handle: &str, display_name: &str, token: &str| OwnAccount {
            network,
            handle: handle.to_owned(),
            display_name: display_name.to_owned(),
            token: token.to_owned(),
        };
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            script: Script::default(),
            clock: Clock::Machine,
            accounts: vec![
                account(Network::Mastodon, SHOP, "Yelpazar", "simulated-yelpazar"),
                account(Network::Mastodon, TOWN, "Kıyıkent Belediyesi", "simulated-kiyikent"),
                account(Network::Telegram, BOT, "Yelpazar", "700000:simulated"),
            ],
            channels: vec![(CHANNEL.to_owned(), "Yelpazar Duyuru".to_owned())],
            crowd: None,
        }
    }

    /// The same with the crowd of the demo.
    pub fn lively() -> Self {
        Self { crowd: Some(Pace::default()), ..Self::quiet() }
    }
}

/// Why a simulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("the simulator cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A running simulator. It ends with [`Simulator::stop`], or when it is dropped.
pub struct Simulator {
    simulation: Arc<Simulation>,
    address: SocketAddr,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Opens the port and lets the run begin.
    pub async fn start(options: Options) -> Result<Self, SimulatorError> {
        options.script.check()?;
        let failed = |source| SimulatorError::Listen { address: options.listen, source };
        let listener = wire::listen(options.listen).map_err(failed)?;
        let dark = watch::Sender::new(false);
        let door = Door::new(listener, dark.subscribe()).map_err(failed)?;
        let address = axum::serve::Listener::local_addr(&door).map_err(failed)?;

        let world = Self::world(&options)?;
        let simulation = Arc::new(Simulation::new(world, options.clock, format!("http://{address}"), dark));
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = control::router(Arc::clone(&simulation));
        let served = axum::serve(door, router.into_make_service_with_connect_info::<wire::Grip>());
        let stop = stopping.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                // Serving ends only by being cancelled.
                _ = served.into_future() => {}
            }
        });
        let (stop, running) = (stopping.clone(), Arc::clone(&simulation).run());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = running => {}
            }
        });
        tasks.close();
        Ok(Self { simulation, address, stopping, tasks })
    }

    fn world(options: &Options) -> Result<World, SimulatorError> {
        let mut world = World::new(options.seed, options.script.clone(), options.clock.now());
        for account in &options.accounts {
            world.timeline.add_person(Person {
                network: account.network,
                handle: account.handle.clone(),
                display_name: account.display_name.clone(),
                language: Some("tr".to_owned()),
                followers: 48_200,
                about: "Simülasyondaki kurum hesabı".to_owned(),
                kind: PersonKind::Person,
                token: Some(account.token.clone()),
            });
        }
        for (handle, title) in &options.channels {
            world.timeline.add_person(Person {
                network: Network::Telegram,
                handle: handle.clone(),
                display_name: title.clone(),
                language: Some("tr".to_owned()),
                followers: 9_100,
                about: String::new(),
                kind: PersonKind::Channel,
                token: None,
            });
        }
        if let Some(pace) = options.crowd {
            Crowd::read()?.enter(&mut world, pace);
        }
        Ok(world)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address connectors and browsers use.
    pub fn url(&self) -> &str {
        &self.simulation.base
    }

    /// The running simulation, to look at and to change.
    pub fn simulation(&self) -> &Arc<Simulation> {
        &self.simulation
    }

    /// Closes the port and waits until nothing runs any more.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.simulation.release();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

//! What happens in a round, drawn from the campaign's seed and the round's number alone.

use std::time::Duration;

use muhatap_simulator::{Call, Calls, Keys, RetryAfter, Rule, Script, Then, What};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

/// What a network can say after an unclear end, each through its real connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Mastodon that drops a second post with the same key.
    Key,
    /// Mastodon that forgets a key after a second.
    ShortKey,
    /// Mastodon that looks for the key before it posts and keeps it afterwards: two calls at once both post.
    LateKey,
    /// Mastodon that ignores keys: only its list of our posts tells.
    ReadBack,
    /// Telegram: nothing can be asked.
    Nothing,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Key, Kind::ShortKey, Kind::LateKey, Kind::ReadBack, Kind::Nothing];

    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "own key",
            Self::ShortKey => "key soon forgotten",
            Self::LateKey => "key kept late",
            Self::ReadBack => "read-back only",
            Self::Nothing => "nothing",
        }
    }

    fn keys(self) -> Keys {
        match self {
            Self::Key => Keys::Honoured,
            Self::ShortKey => Keys::Forgotten,
            Self::LateKey => Keys::Late,
            Self::ReadBack | Self::Nothing => Keys::Off,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A connection that a proxy of ours can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    Network,
    Database,
    Queue,
}

/// How a connection is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// Nobody listens.
    Refused,
    /// Whatever is sent is answered with a reset.
    Reset,
    /// Nothing comes through and nobody says so.
    Silent,
}

/// What goes wrong around the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// kill -9; another one starts a moment later.
    Kill {
        worker: usize,
    },
    /// SIGSTOP, and SIGCONT after this.
    Freeze {
        worker: usize,
        for_ms: u64,
    },
    /// SIGTERM, and another one starts: a deploy.
    Deploy {
        worker: usize,
    },
    /// kill -9 of Redis, started again, empty, after this.
    RedisKilled {
        for_ms: u64,
    },
    RedisEmptied,
    /// The database server is stopped in order and started again.
    DatabaseRestarted,
    /// kill -9 of the database server with everything below it.
    DatabaseKilled,
    /// Everything ends in one moment, and starts from the files as they were in it.
    PowerLoss,
    Broken {
        link: Link,
        how: Broken,
        for_ms: u64,
    },
}

impl Fault {
    /// The row of the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill -9 of a worker",
            Self::Freeze { for_ms, .. } if for_ms >= LONG_FREEZE_MS => "SIGSTOP of a worker past lease and settle",
            Self::Freeze { .. } => "SIGSTOP of a worker, short",
            Self::Deploy { .. } => "SIGTERM of a worker",
            Self::RedisKilled { .. } => "kill -9 of Redis",
            Self::RedisEmptied => "FLUSHALL",
            Self::DatabaseRestarted => "restart of PostgreSQL",
            Self::DatabaseKilled => "kill -9 of PostgreSQL",
            Self::PowerLoss => "power loss",
            Self::Broken { link: Link::Network, .. } => "network cut off",
            Self::Broken { link: Link::Database, .. } => "PostgreSQL cut off",
            Self::Broken { link: Link::Queue, .. } => "Redis cut off",
        }
    }

    pub fn freezes(self) -> bool {
        matches!(self, Self::Freeze { .. })
    }

    /// Whether it may come between a worker's mark and its call, so that nobody can tell whether it called.
    pub fn parts_mark_from_call(self) -> bool {
        !matches!(self, Self::RedisKilled { .. } | Self::RedisEmptied | Self::Broken { link: Link::Queue, .. })
    }

    /// Whether limits kept in Redis are forgotten, or each process keeps its own for a while.
    pub fn forgets_limits(self) -> bool {
        matches!(self, Self::RedisKilled { .. } | Self::RedisEmptied | Self::PowerLoss)
            || matches!(self, Self::Broken { link: Link::Queue, .. })
    }
}

/// The times of the campaign's workers: short, so that ten minutes are enough.
pub const CALL_TIMEOUT_SECONDS: f64 = 2.0;
pub const LEASE_MARGIN_SECONDS: f64 = 3.0;
pub const WORK_LEASE_SECONDS: f64 = 4.0;
pub const SETTLE_SECONDS: f64 = 1.5;
pub const READ_BACK_GAP_SECONDS: f64 = 1.0;
/// A worker that is frozen for longer has lost its calls to others: lease, settle time and a look.
pub const LONG_FREEZE_MS: u64 = 7_500;
/// What late effects and slow answers take at most: less than the settle time, as the rules take for granted.
const LATE_MS: std::ops::RangeInclusive<u64> = 100..=700;

/// How fast an account may send: one call each `INTERVAL`, `BURST` at once after a rest.
pub const INTERVAL: Duration = Duration::from_millis(100);
pub const BURST: u32 = 5;

pub const ACCOUNTS: usize = 12;
const EACH: usize = 32;
/// Deliveries become due over this.
const SPREAD_MS: u64 = 7_000;
/// Faults around the workers happen in this part of a round.
const FAULTS_MS: std::ops::RangeInclusive<u64> = 300..=8_000;

/// A post that is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub account: usize,
    pub text: String,
    /// After the first one.
    pub due_ms: u64,
    /// Asked for at this moment rather than before the workers start.
    pub asked_ms: Option<u64>,
    /// A person cancels it at this moment.
    pub cancel_ms: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub round: u64,
    pub kind: Kind,
    pub database: Database,
    pub redis: bool,
    pub workers: usize,
    /// The first worker listens and serves the console as well.
    pub whole: bool,
    /// Seconds by which clocks are ahead: of one worker beside a database server, of the whole machine with SQLite.
    pub clock_ahead: Option<i64>,
    pub script: Script,
    pub posts: Vec<Asked>,
    /// By time.
    pub faults: Vec<(u64, Fault)>,
}

impl Plan {
    pub fn draw(seed: u64, round: u64) -> Plan {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(round));
        // Twenty rounds have every kind on both databases, with and without Redis.
        let kind = Kind::ALL[round as usize % Kind::ALL.len()];
        let database = if round.is_multiple_of(2) { Database::Sqlite } else { Database::Postgres };
        let redis = (round / 2).is_multiple_of(2);
        let workers = random.random_range(1..=3);
        let clock_ahead = random.random_ratio(1, 4).then(|| if random.random() { 600 } else { -600 });
        let mut plan = Plan {
            seed,
            round,
            kind,
            database,
            redis,
            workers,
            whole: random.random_ratio(1, 4),
            clock_ahead,
            script: script(kind, &mut random),
            posts: Vec::new(),
            faults: Vec::new(),
        };
        plan.posts = plan.draw_posts(&mut random);
        plan.faults = plan.draw_faults(&mut random);
        plan
    }

    /// Clocks of processes on one machine do not differ: with SQLite all workers' are moved against the network's.
    pub fn machine_is_ahead(&self) -> i64 {
        match self.database {
            Database::Sqlite => self.clock_ahead.unwrap_or(0),
            Database::Postgres => 0,
        }
    }

    fn draw_posts(&self, random: &mut StdRng) -> Vec<Asked> {
        let mut posts = Vec::new();
        for account in 0..ACCOUNTS {
            for number in 0..EACH {
                // Asked for later only where the one who asks has the same clock as the workers.
                let asked_ms = (self.machine_is_ahead() == 0 && random.random_ratio(1, 6))
                    .then(|| random.random_range(500..SPREAD_MS));
                let due_ms = random.random_range(0..SPREAD_MS).max(asked_ms.unwrap_or(0));
                let cancel_ms = random.random_ratio(1, 25).then(|| random.random_range(500..SPREAD_MS + 2_000));
                let text = format!("Duyuru {}.{}.{account}.{number}", self.seed, self.round);
                posts.push(Asked { account, text, due_ms, asked_ms, cancel_ms });
            }
        }
        posts
    }

    fn draw_faults(&self, random: &mut StdRng) -> Vec<(u64, Fault)> {
        let count = random.random_range(3..=5);
        let mut faults: Vec<(u64, Fault)> = Vec::new();
        for _ in 0..count {
            let fault = self.draw_fault(random);
            // One power loss is enough: it takes most of a round to come back from it.
            if fault != Fault::PowerLoss || !faults.iter().any(|(_, fault)| *fault == Fault::PowerLoss) {
                faults.push((random.random_range(FAULTS_MS), fault));
            }
        }
        faults.sort();
        faults
    }

    fn draw_fault(&self, random: &mut StdRng) -> Fault {
        let worker = random.random_range(0..self.workers);
        let for_ms = random.random_range(300..3_000);
        let how = *[Broken::Refused, Broken::Reset, Broken::Silent].choose(random).unwrap_or(&Broken::Reset);
        let mut pool = vec![
            Fault::Kill { worker },
            Fault::Kill { worker },
            Fault::Freeze { worker, for_ms: LONG_FREEZE_MS + random.random_range(0..2_000) },
            Fault::Freeze { worker, for_ms },
            Fault::Deploy { worker },
            Fault::PowerLoss,
            Fault::Broken { link: Link::Network, how, for_ms },
        ];
        if self.redis {
            pool.extend([
                Fault::RedisKilled { for_ms },
                Fault::RedisEmptied,
                Fault::Broken { link: Link::Queue, how, for_ms },
            ]);
        }
        if self.database == Database::Postgres {
            let cut = Fault::Broken { link: Link::Database, how, for_ms };
            pool.extend([Fault::DatabaseRestarted, Fault::DatabaseKilled, cut]);
        }
        *pool.choose(random).unwrap_or(&Fault::Kill { worker })
    }
}

/// Faults of the network: some kinds of them, each on a few calls in a hundred.
fn script(kind: Kind, random: &mut StdRng) -> Script {
    let publish = Calls::One(Call::Publish);
    let mut late =
        |then| Rule { after_ms: Some(random.random_range(LATE_MS)), then, ..Rule::new(What::ApplyLate, publish) };
    let mut rules = vec![late(Then::Reset), late(Then::Error), late(Then::Hang)];
    rules.extend(
        [
            What::AcceptThenReset,
            What::AcceptThenError,
            What::AcceptThenHang,
            What::AcceptThenCut,
            What::AcceptThenGarbage,
            What::Hang,
            What::Drop,
            What::Error,
        ]
        .map(|what| Rule::new(what, publish)),
    );
    for form in [RetryAfter::Seconds, RetryAfter::Date] {
        let wait = random.random_range(1..=2);
        rules.push(Rule { retry_after_seconds: Some(wait), form, ..Rule::new(What::RateLimit, publish) });
    }
    rules.push(Rule { after_ms: Some(random.random_range(LATE_MS)), ..Rule::new(What::Slow, publish) });
    for what in [What::Drop, What::Error] {
        rules.push(Rule::new(what, Calls::Read));
    }
    rules.shuffle(random);
    rules.truncate(6);
    for rule in &mut rules {
        rule.chance = Some(random.random_range(0.005..0.03));
    }
    let key_life_seconds = (kind == Kind::ShortKey).then_some(1);
    Script { keys: kind.keys(), key_life_seconds, rate_limit: FREE, rule: rules, ..Script::default() }
}

/// The network's own limit never binds: the workers' does.
const FREE: muhatap_simulator::RateLimit = muhatap_simulator::RateLimit { calls: 1_000_000, seconds: 60 };

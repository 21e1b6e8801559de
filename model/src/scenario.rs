//! What a run of the checker looks at: the rules in force, what the network can tell, and what may go wrong how often.

use std::fmt;

/// One rule of the protocol. A scenario without it shows what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// SQL says what is to be sent; the dispatcher only has hints, which the outbox gives it again.
    SqlIsTruth,
    /// The outbox loads everything due now and then, not only what changed since its last look.
    Reload,
    /// Every arrow is an `UPDATE … WHERE state = … AND epoch = …`.
    CompareAndSet,
    /// A lane has one delivery in work at a time.
    LaneLock,
    /// What waits for its next try keeps its turn: nothing behind it on the lane goes first.
    RetryKeepsTurn,
    /// A commit is on the disk before anything outside follows from it.
    DurableCommit,
    /// The call starts only while enough of the lease is left.
    SendDeadline,
    /// After an unclear end nobody looks until the call cannot take effect any more.
    Settle,
    /// Absence is two looks with time between.
    TwoLooks,
    /// An unclear end is looked into, never just sent again.
    AskTheNetwork,
    /// A key is trusted for half of its life only.
    HalfTheKeysLife,
    /// After an unclear end the account sends nothing until the network answers a harmless call.
    Gate,
    /// What the reaper finds past its lease is such an end too.
    ReapedIsUnclear,
    /// That a repeated call was refused says nothing about the first one.
    DoubtRemains,
    /// A call does not begin when the delivery became late while it was prepared.
    LateIsAskedAgain,
    /// The network's proof counts, whatever became of the row meanwhile.
    LateProof,
    /// Asking to cancel is undone by a person who sends it after all.
    LastWord,
    /// A reconnected account and the deliveries that waited for it open in one commit.
    ReopenedTogether,
    /// During the call a cancellation is noted, and the message deleted once it is out.
    CancelIsNoted,
    /// A person who decides looks at the network when the call cannot take effect any more.
    PersonSettles,
    /// That a call was not made is kept until the database takes it.
    TakeBackIsKept,
    /// A mark is told from another of the same epoch, which comes again where a commit was taken back.
    MarksToldApart,
    /// The request leaves in the moment the deadline was asked. No code can promise this.
    CheckIsCall,
}

impl Rule {
    pub const ALL: [Rule; 23] = [
        Rule::SqlIsTruth,
        Rule::Reload,
        Rule::CompareAndSet,
        Rule::LaneLock,
        Rule::RetryKeepsTurn,
        Rule::DurableCommit,
        Rule::SendDeadline,
        Rule::Settle,
        Rule::TwoLooks,
        Rule::AskTheNetwork,
        Rule::HalfTheKeysLife,
        Rule::Gate,
        Rule::ReapedIsUnclear,
        Rule::DoubtRemains,
        Rule::LateIsAskedAgain,
        Rule::LateProof,
        Rule::LastWord,
        Rule::ReopenedTogether,
        Rule::CancelIsNoted,
        Rule::PersonSettles,
        Rule::TakeBackIsKept,
        Rule::MarksToldApart,
        Rule::CheckIsCall,
    ];

    /// In a table, after "without".
    pub fn title(self) -> &'static str {
        match self {
            Rule::SqlIsTruth => "SQL as the truth: the dispatcher has the only copy",
            Rule::Reload => "the reload: each change is looked at once",
            Rule::CompareAndSet => "compare-and-set on state and epoch",
            Rule::LaneLock => "the lane's lock",
            Rule::RetryKeepsTurn => "keeping the turn of what is tried again",
            Rule::DurableCommit => "commits that are on the disk when they return",
            Rule::SendDeadline => "the send deadline",
            Rule::Settle => "the settle time",
            Rule::TwoLooks => "the second look",
            Rule::AskTheNetwork => "asking the network: an unclear end is sent again",
            Rule::HalfTheKeysLife => "the limit of half the key's life",
            Rule::Gate => "the gate after an unclear end",
            Rule::ReapedIsUnclear => "the gate after what the reaper found",
            Rule::DoubtRemains => "doubt about the first call when a repeated one is refused",
            Rule::LateIsAskedAgain => "asking again for lateness before the call",
            Rule::LateProof => "a proof that counts when it comes late",
            Rule::LastWord => "the last word of who sends it after all",
            Rule::ReopenedTogether => "opening an account together with what waited for it",
            Rule::CancelIsNoted => "noting a cancellation during the call",
            Rule::PersonSettles => "a person who waits before looking",
            Rule::TakeBackIsKept => "keeping that a call was not made until the database takes it",
            Rule::MarksToldApart => "telling marks of one epoch apart",
            Rule::CheckIsCall => "a request that leaves when the deadline is asked",
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    pub const ALL: Rules = Rules(u32::MAX);

    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }

    pub const fn without(self, rule: Rule) -> Rules {
        Rules(self.0 & !(1 << rule as u32))
    }
}

/// How a network settles an unclear end (`muhatap_connectors::Certainty`), and how well it does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Looks its key up and keeps it in one step, for ever: a Bluesky record key.
    EternalKey,
    /// Forgets keys after a while, and looks a key up before it posts and keeps it after: Mastodon.
    LooseKey,
    /// The step that counts has a status of its own, which is never behind.
    Steps,
    /// A list of our own posts, which may be behind.
    ReadBack,
    /// Nothing can be asked.
    Nothing,
}

impl Network {
    pub const fn has_key(self) -> bool {
        matches!(self, Network::EternalKey | Network::LooseKey)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::EternalKey => "key for ever",
            Network::LooseKey => "key with a life, check not atomic",
            Network::Steps => "two steps",
            Network::ReadBack => "read-back",
            Network::Nothing => "nothing",
        })
    }
}

/// How often each thing may still happen in a run. What is zero does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    /// A worker's process dies.
    pub crashes: u8,
    /// A request never reaches the network.
    pub losses: u8,
    /// A worker gives up on an answer that would still come.
    pub timeouts: u8,
    /// The network answers that it did not take the message: too many calls, not this, not you.
    pub refusals: u8,
    /// The network is away for a while.
    pub outages: u8,
    /// The database's machine loses power.
    pub power_losses: u8,
    /// The dispatcher forgets everything.
    pub flushes: u8,
    /// A person cancels.
    pub cancels: u8,
    /// A person decides what stopped.
    pub decisions: u8,
    /// The delivery's time to expire comes.
    pub expiries: u8,
    /// The delivery becomes later than it may be.
    pub latenesses: u8,
}

/// A run of the checker.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub network: Network,
    /// 1 or 2, all on one lane of one account.
    pub deliveries: usize,
    pub rules: Rules,
    pub faults: Faults,
    /// Whether workers find work by hints, which can be lost, or always.
    pub hints: Hints,
}

/// How workers find what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// The dispatcher is right at once; keeps runs about other things small.
    Always,
    /// The dispatcher's hints, the sweep and its races are part of the run.
    Modelled,
}

impl Scenario {
    pub const fn new(name: &'static str, network: Network, faults: Faults) -> Scenario {
        Scenario { name, network, deliveries: 1, rules: Rules::ALL, faults, hints: Hints::Always }
    }

    pub const fn two_deliveries(self) -> Scenario {
        Scenario { deliveries: 2, ..self }
    }

    pub const fn with_hints(self) -> Scenario {
        Scenario { hints: Hints::Modelled, ..self }
    }

    pub const fn without(self, rule: Rule) -> Scenario {
        Scenario { rules: self.rules.without(rule), ..self }
    }

    pub const fn named(self, name: &'static str) -> Scenario {
        Scenario { name, ..self }
    }
}

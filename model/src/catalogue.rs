//! The scenarios: with every rule, where everything holds, and with one rule less, where the checker finds what it is for.

use crate::properties::{CANCELLED, LAST_WORD, LATE, ONCE, ORDER, OUTAGE, PROOF, REST, UNKNOWN};
use crate::scenario::{Faults, Network, Rule, Scenario};

const NONE: Faults = Faults {
    crashes: 0,
    losses: 0,
    timeouts: 0,
    refusals: 0,
    outages: 0,
    power_losses: 0,
    flushes: 0,
    cancels: 0,
    decisions: 0,
    expiries: 0,
    latenesses: 0,
};
/// What makes an end unclear.
const UNCLEAR: Faults = Faults { crashes: 1, losses: 1, timeouts: 2, ..NONE };
const OFTEN_UNCLEAR: Faults = Faults { crashes: 2, losses: 2, timeouts: 3, ..NONE };
const REFUSED: Faults = Faults { timeouts: 1, refusals: 2, ..NONE };
const CANCEL: Faults = Faults { crashes: 1, timeouts: 1, losses: 1, cancels: 1, ..NONE };
const CANCEL_REFUSED: Faults = Faults { timeouts: 1, refusals: 1, cancels: 1, ..NONE };
const OUTAGE_ONLY: Faults = Faults { outages: 1, ..NONE };
const POWER: Faults = Faults { crashes: 1, power_losses: 1, cancels: 1, ..NONE };
const FLUSH: Faults = Faults { crashes: 1, timeouts: 1, flushes: 2, ..NONE };
const SWEEP: Faults = Faults { crashes: 1, latenesses: 1, decisions: 1, ..NONE };
const PERSON: Faults = Faults { crashes: 1, timeouts: 1, losses: 1, cancels: 1, decisions: 2, ..NONE };
const TIMES: Faults = Faults { crashes: 1, timeouts: 1, losses: 1, expiries: 1, latenesses: 1, ..NONE };
const ACCOUNT: Faults = Faults { refusals: 2, timeouts: 1, ..NONE };

const READ_BACK: Scenario = Scenario::new("an unclear end, read-back", Network::ReadBack, OFTEN_UNCLEAR);
const LOOSE_KEY: Scenario = Scenario::new("an unclear end, key with a life", Network::LooseKey, UNCLEAR);
const REPEATED: Scenario = Scenario::new("a repeated call is refused, key with a life", Network::LooseKey, REFUSED);
const CANCELLING: Scenario = Scenario::new("cancel races sending, read-back", Network::ReadBack, CANCEL);
const CANCELLING_KEY: Scenario =
    Scenario::new("cancel races sending, key with a life", Network::LooseKey, CANCEL_REFUSED);
const DRAINING: Scenario =
    Scenario::new("an outage, nothing can be asked", Network::Nothing, OUTAGE_ONLY).two_deliveries();
const LANE: Scenario = Scenario::new(
    "two deliveries on a lane, read-back",
    Network::ReadBack,
    Faults { crashes: 1, timeouts: 1, refusals: 1, ..NONE },
)
.two_deliveries();
const RECONNECTED: Scenario =
    Scenario::new("two deliveries, refused credentials", Network::ReadBack, ACCOUNT).two_deliveries();
const POWER_LOSS: Scenario = Scenario::new("power loss, read-back", Network::ReadBack, POWER);
const POWER_LOSS_BLIND: Scenario = Scenario::new("power loss, nothing can be asked", Network::Nothing, POWER);
const FLUSHED: Scenario = Scenario::new("the dispatcher forgets", Network::ReadBack, FLUSH).with_hints();
const SWEPT: Scenario = Scenario::new("the sweep races workers", Network::ReadBack, SWEEP).with_hints();
const DECIDED: Scenario = Scenario::new("nothing can be asked, a person decides", Network::Nothing, PERSON);
const TIMED: Scenario = Scenario::new("expiring and late, key for ever", Network::EternalKey, TIMES);

/// With every rule. Together they say what the protocol promises.
pub const HOLDING: &[Scenario] = &[
    READ_BACK,
    Scenario::new("an unclear end, two steps", Network::Steps, OFTEN_UNCLEAR),
    LOOSE_KEY,
    Scenario::new("an unclear end, key for ever", Network::EternalKey, OFTEN_UNCLEAR),
    REPEATED,
    CANCELLING,
    CANCELLING_KEY,
    LANE,
    Scenario::new(
        "two deliveries on a lane, key for ever",
        Network::EternalKey,
        Faults { crashes: 1, timeouts: 1, ..NONE },
    )
    .two_deliveries(),
    Scenario::new(
        "two deliveries on a lane, nothing can be asked",
        Network::Nothing,
        Faults { crashes: 1, timeouts: 1, refusals: 1, ..NONE },
    )
    .two_deliveries(),
    RECONNECTED,
    DRAINING,
    Scenario::new("an outage, read-back", Network::ReadBack, Faults { crashes: 1, outages: 1, ..NONE })
        .two_deliveries(),
    Scenario::new("an outage, key with a life", Network::LooseKey, Faults { crashes: 1, outages: 1, ..NONE }),
    POWER_LOSS,
    POWER_LOSS_BLIND,
    FLUSHED,
    SWEPT,
    DECIDED,
    TIMED,
    Scenario::new("expiring and late, key with a life", Network::LooseKey, TIMES),
];

/// A scenario with a rule less, and the property that breaks.
#[derive(Debug, Clone, Copy)]
pub struct Lesson {
    pub rule: Rule,
    pub scenario: Scenario,
    pub breaks: &'static str,
}

const fn without(rule: Rule, scenario: Scenario, breaks: &'static str) -> Lesson {
    Lesson { rule, scenario: scenario.without(rule), breaks }
}

pub const LESSONS: &[Lesson] = &[
    without(Rule::SqlIsTruth, FLUSHED, REST),
    without(Rule::Reload, SWEPT, REST),
    without(Rule::CompareAndSet, READ_BACK, ONCE),
    without(Rule::LaneLock, LANE, ORDER),
    without(Rule::RetryKeepsTurn, LANE, ORDER),
    without(Rule::DurableCommit, POWER_LOSS, ONCE),
    without(Rule::DurableCommit, POWER_LOSS, CANCELLED),
    without(Rule::SendDeadline, READ_BACK, ONCE),
    without(Rule::Settle, READ_BACK, ONCE),
    without(Rule::Settle, LOOSE_KEY, ONCE),
    without(Rule::TwoLooks, READ_BACK, ONCE),
    without(Rule::AskTheNetwork, READ_BACK, ONCE),
    without(Rule::HalfTheKeysLife, LOOSE_KEY, ONCE),
    without(Rule::Gate, DRAINING, OUTAGE),
    without(Rule::ReapedIsUnclear, DRAINING, OUTAGE),
    without(Rule::DoubtRemains, REPEATED, ONCE),
    without(Rule::DoubtRemains, CANCELLING_KEY, CANCELLED),
    without(Rule::CancelIsNoted, CANCELLING, CANCELLED),
    without(Rule::LateIsAskedAgain, TIMED, LATE),
    without(Rule::LateProof, DECIDED, PROOF),
    without(Rule::LastWord, DECIDED, LAST_WORD),
    without(Rule::ReopenedTogether, RECONNECTED, ORDER),
    without(Rule::PersonSettles, DECIDED, ONCE),
    without(Rule::TakeBackIsKept, POWER_LOSS_BLIND, UNKNOWN),
    without(Rule::MarksToldApart, POWER_LOSS, ONCE),
    without(Rule::CheckIsCall, READ_BACK, ONCE),
];

//! Runs stateright over a scenario.

use stateright::{Checker, HasDiscoveries, Model};

use crate::properties::SENT;
use crate::scenario::Scenario;

/// What the checker says of all states of a scenario.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub states: usize,
    /// Properties that do not hold in some state.
    pub broken: Vec<&'static str>,
    /// Whether all deliveries can be sent at all; a protocol that does nothing breaks nothing.
    pub sends: bool,
}

/// Looks at every state.
pub fn check(scenario: &Scenario) -> Verdict {
    let checker = scenario.checker().finish_when(HasDiscoveries::AllFailures).spawn_bfs().join();
    let mut broken: Vec<_> = checker.discoveries().into_keys().filter(|name| *name != SENT).collect();
    broken.sort_unstable();
    Verdict { states: checker.unique_state_count(), broken, sends: checker.discovery(SENT).is_some() }
}

/// Whether some state breaks `property`; looks no further then.
pub fn breaks(scenario: &Scenario, property: &'static str) -> bool {
    let finish = HasDiscoveries::AnyOf([property].into());
    scenario.checker().finish_when(finish).spawn_bfs().join().discovery(property).is_some()
}

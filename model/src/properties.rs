//! What must hold in every state, whatever happened before.

use stateright::Property;

use crate::scenario::Scenario;
use crate::state::{Account, RowState, State, Takedown};

pub const ONCE: &str = "no delivery is posted twice";
pub const ORDER: &str = "a lane keeps its order";
pub const CANCELLED: &str = "what a person was told is cancelled is not out";
pub const UNKNOWN: &str = "nothing is unknown that was never called";
pub const OUTAGE: &str = "an outage is met by one call, not by the queue";
pub const LATE: &str = "what is late is not sent before a person said so";
pub const PROOF: &str = "nothing is unknown whose proof a worker had";
pub const LAST_WORD: &str = "what a person sends after all is not cancelled";
/// Checked on the whole graph: stateright's `eventually` does not see circles.
pub const REST: &str = "every delivery comes to rest by itself";
pub const SENT: &str = "a delivery can be sent";

pub fn all() -> Vec<Property<Scenario>> {
    vec![
        Property::always(ONCE, |_, state: &State| state.shown.iter().all(|shown| shown.posts <= 1)),
        Property::always(ORDER, |_, state: &State| !state.order_broken),
        Property::always(CANCELLED, |scenario: &Scenario, state: &State| {
            deliveries(scenario)
                .all(|delivery| !state.history[delivery].told_cancelled || state.shown[delivery].posts == 0)
        }),
        Property::always(UNKNOWN, |scenario: &Scenario, state: &State| {
            deliveries(scenario).all(|delivery| {
                let history = &state.history[delivery];
                state.sql.rows[delivery].state != RowState::Unknown || history.called || history.lost_after_mark
            })
        }),
        Property::always(OUTAGE, |_, state: &State| state.calls_in_outage <= 1),
        Property::always(LATE, |_, state: &State| state.history.iter().all(|history| !history.sent_late)),
        Property::always(PROOF, |scenario: &Scenario, state: &State| {
            deliveries(scenario).all(|delivery| {
                state.sql.rows[delivery].state != RowState::Unknown || !state.history[delivery].proof_dropped
            })
        }),
        Property::always(LAST_WORD, |scenario: &Scenario, state: &State| {
            deliveries(scenario).all(|delivery| {
                state.sql.rows[delivery].state != RowState::Cancelled || !state.history[delivery].send_wanted
            })
        }),
        Property::sometimes(SENT, |scenario: &Scenario, state: &State| {
            deliveries(scenario).all(|delivery| state.sql.rows[delivery].state == RowState::Sent)
        }),
    ]
}

/// Whether nothing is left to be done for any delivery, or a person is asked.
pub fn is_at_rest(scenario: &Scenario, state: &State) -> bool {
    deliveries(scenario).all(|delivery| {
        let row = &state.sql.rows[delivery];
        match row.state {
            RowState::Sent => row.takedown != Takedown::Wanted,
            RowState::Failed | RowState::Expired | RowState::Cancelled | RowState::Unknown | RowState::HeldLate => true,
            RowState::HeldForAccount => state.sql.account == Account::Unauthorized,
            // A delivery behind refused credentials waits with them.
            RowState::Queued | RowState::Retry | RowState::Verifying => state.sql.account == Account::Unauthorized,
            RowState::Preparing | RowState::Sending => false,
        }
    })
}

fn deliveries(scenario: &Scenario) -> std::ops::Range<usize> {
    0..scenario.deliveries
}

//! People: `src/store/decisions.rs`, and reconnecting an account.

use crate::outbox::{change, free_lane};
use crate::scenario::{Rule, Scenario};
use crate::state::{Account, Row, RowState, State, Takedown};

/// An unknown end is decided about, not cancelled: who does so has seen the question.
pub fn may_cancel(row: &Row) -> bool {
    !row.state.is_end() && row.state != RowState::Unknown && !row.cancel_wanted
}

/// `Store::cancel`: at once before the call; during it, noted.
pub fn cancel(scenario: &Scenario, state: &mut State, delivery: usize) {
    state.left.cancels -= 1;
    state.history[delivery].send_wanted = false;
    let before = state.sql.rows[delivery].state;
    let is_called = matches!(before, RowState::Sending | RowState::Verifying);
    if is_called && scenario.rules.has(Rule::CancelIsNoted) {
        state.row(delivery).cancel_wanted = true;
        state.unswept[delivery] = true;
        return;
    }
    cancelled(scenario, state, delivery);
    free_lane(state, delivery);
}

/// Cancelled, as the person is told once that is on the disk.
pub fn cancelled(scenario: &Scenario, state: &mut State, delivery: usize) {
    change(state, delivery, RowState::Cancelled);
    let waits = scenario.rules.has(Rule::DurableCommit) && state.disk.is_some();
    let history = &mut state.history[delivery];
    history.telling = waits;
    history.told_cancelled |= !waits;
}

/// Whether a person who looks now sees what there will be.
pub fn has_settled(scenario: &Scenario, state: &State, delivery: usize) -> bool {
    !scenario.rules.has(Rule::PersonSettles) || (!state.is_under_way(delivery) && state.shown[delivery].listed)
}

pub fn sees_it(state: &State, delivery: usize) -> bool {
    state.shown[delivery].posts > 0 && state.shown[delivery].listed
}

/// `Store::decide(Queue)`: it goes out now, whatever its time was.
pub fn decide_send(scenario: &Scenario, state: &mut State, delivery: usize) {
    state.left.decisions -= 1;
    change(state, delivery, RowState::Queued);
    if scenario.rules.has(Rule::LastWord) {
        state.row(delivery).cancel_wanted = false;
    }
    let history = &mut state.history[delivery];
    history.late = false;
    history.send_wanted = true;
}

/// `Store::decide(Sent)`: the person found it.
pub fn decide_sent(state: &mut State, delivery: usize) {
    state.left.decisions -= 1;
    change(state, delivery, RowState::Sent);
    if state.sql.rows[delivery].cancel_wanted {
        state.row(delivery).takedown = Takedown::Wanted;
    }
}

/// The account has credentials again (`Store::set_health`).
pub fn reconnect(scenario: &Scenario, state: &mut State) {
    state.sql.account = Account::Open;
    if scenario.rules.has(Rule::ReopenedTogether) {
        for delivery in 0..scenario.deliveries {
            if state.sql.rows[delivery].state == RowState::HeldForAccount {
                change(state, delivery, RowState::Queued);
            }
        }
    }
}

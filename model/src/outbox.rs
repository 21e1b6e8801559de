//! The outbox (`src/outbox.rs`, `src/store/sweep.rs`), what every arrow has in common, and the database's disk.

use crate::scenario::{Rule, Scenario};
use crate::state::{Account, Doing, RowState, State, Sweep, Wait, Worker};

/// An arrow: a new state under a new epoch, seen by the next sweep.
pub fn change(state: &mut State, delivery: usize, to: RowState) {
    let row = state.row(delivery);
    let keeps_looks = row.state == RowState::Verifying && to == RowState::Verifying;
    row.state = to;
    row.epoch += 1;
    row.wait = Wait::Over;
    row.marked_by = None;
    if !keeps_looks {
        row.absent_once = false;
        row.gap_over = false;
    }
    state.unswept[delivery] = true;
}

/// Frees the lane if this delivery holds it.
pub fn free_lane(state: &mut State, delivery: usize) {
    if state.sql.lane == Some(delivery) {
        state.sql.lane = None;
    }
}

/// `Store::reap`: `sending` past lease and settle time is to be verified, never queued again.
pub fn reap(scenario: &Scenario, state: &mut State, delivery: usize) {
    change(state, delivery, RowState::Verifying);
    if scenario.rules.has(Rule::ReapedIsUnclear) {
        close_account(scenario, state);
    }
    for worker in state.workers {
        let frozen = matches!(worker.doing, Doing::Marking | Doing::Marked | Doing::Checked);
        if frozen && worker.delivery == delivery {
            state.history[delivery].lost_after_mark = true;
        }
    }
}

/// `Store::close_account`: nothing more until a harmless call is answered.
pub fn close_account(scenario: &Scenario, state: &mut State) {
    if scenario.rules.has(Rule::Gate) && state.sql.account == Account::Open {
        state.sql.account = Account::Probing;
    }
}

/// `Store::reap`: what a worker left while it prepared. It may still be alive, only slow.
pub fn reap_prepared(state: &mut State, delivery: usize) {
    change(state, delivery, RowState::Queued);
    free_lane(state, delivery);
}

/// `store::attempts::set_aside` and the reaper: expired, or held because it is late.
pub fn set_aside(state: &mut State, delivery: usize) {
    let to = if state.history[delivery].expired { RowState::Expired } else { RowState::HeldLate };
    change(state, delivery, to);
}

/// `outbox::sweep` read the row.
pub fn sweep_reads(state: &mut State, delivery: usize) {
    state.unswept[delivery] = false;
    state.sweep = Sweep::Read { delivery, state: state.sql.rows[delivery].state };
}

/// `outbox::sweep` tells the dispatcher what it read: add the hint, drop it, or leave it to the worker that has it.
pub fn sweep_tells(state: &mut State) {
    if let Sweep::Read { delivery, state: read } = state.sweep {
        match read {
            RowState::Preparing | RowState::Sending => {}
            read => state.hints[delivery] = read.is_workable(),
        }
    }
    state.sweep = Sweep::Resting;
}

/// A group of commits reaches the disk; whoever waited for it goes on.
pub fn commit(state: &mut State) {
    state.disk = Some(state.sql);
    for worker in &mut state.workers {
        worker.uncommitted = false;
        match worker.doing {
            Doing::Marking => worker.doing = Doing::Marked,
            Doing::TakingBack => *worker = Worker::IDLE,
            _ => {}
        }
    }
    for history in &mut state.history {
        history.told_cancelled |= history.telling;
        history.telling = false;
    }
}

/// The database comes back as its disk has it. Whoever waited for a commit gets an error; the others never notice.
pub fn power_loss(state: &mut State) {
    state.left.power_losses -= 1;
    if let Some(disk) = state.disk {
        state.sql = disk;
    }
    for index in 0..state.workers.len() {
        let worker = &mut state.workers[index];
        if worker.doing == Doing::TakingBack {
            // Does it again.
            worker.doing = Doing::Marked;
            worker.uncommitted = false;
        } else if worker.doing == Doing::Marking {
            // Keeps that it did not call, whether the mark is there or not.
            worker.doing = Doing::Marked;
            worker.late = true;
            worker.uncommitted = false;
        } else if worker.uncommitted && !matches!(worker.doing, Doing::Calling | Doing::Ended(_)) {
            *worker = Worker::IDLE;
        }
    }
    for history in &mut state.history {
        history.telling = false;
    }
}

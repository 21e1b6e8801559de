//! A worker: `Store::take`, `src/deliver/attempt.rs` and `src/deliver/verify.rs`, one transaction or call at a time.

use crate::outbox::{change, close_account, free_lane};
use crate::people::cancelled;
use crate::scenario::{Hints, Network, Rule, Scenario};
use crate::state::{
    Account, Answer, Doing, KeyClock, Refusal, Request, RowState, Stage, State, Takedown, Wait, Worker,
};

/// What a lane has for the worker that asks: `Turn`.
enum Turn {
    Send(usize),
    Verify(usize),
    /// Late or expired: put aside on the way.
    Aside(usize),
    /// Nothing is due, so the hint for it was stale.
    Nothing(usize),
    Rest,
}

/// The compare-and-set: whether the row still is as the worker had it.
pub fn owns(scenario: &Scenario, state: &State, index: usize, expected: RowState) -> bool {
    let worker = &state.workers[index];
    let row = &state.sql.rows[worker.delivery];
    !scenario.rules.has(Rule::CompareAndSet) || (row.state == expected && row.epoch == worker.epoch)
}

pub fn finds_work(scenario: &Scenario, state: &State) -> bool {
    !matches!(turn(scenario, state), Turn::Rest)
}

/// What is sent next may need no preparing.
pub fn finds_one_to_send(scenario: &Scenario, state: &State) -> bool {
    matches!(turn(scenario, state), Turn::Send(_))
}

/// `store::attempts::take` and `held_lane`.
fn turn(scenario: &Scenario, state: &State) -> Turn {
    let rows = &state.sql.rows[..scenario.deliveries];
    let Some(hint) = (0..rows.len()).find(|delivery| state.hints[*delivery]) else { return Turn::Rest };
    let is_due = |delivery: &usize| {
        let row = &rows[*delivery];
        let settled = row.wait == Wait::Over || !scenario.rules.has(Rule::Settle);
        row.state == RowState::Verifying && settled && (!row.absent_once || row.gap_over)
    };
    let has_lock = scenario.rules.has(Rule::LaneLock);
    let holder = match has_lock {
        true => state.sql.lane,
        false => (0..rows.len()).find(is_due),
    };
    if let Some(holder) = holder {
        return if is_due(&holder) { Turn::Verify(holder) } else { Turn::Rest };
    }
    if state.sql.account != Account::Open {
        return Turn::Rest;
    }
    let turn_is_kept = scenario.rules.has(Rule::RetryKeepsTurn);
    if turn_is_kept && rows.iter().any(|row| row.state == RowState::Retry) {
        return Turn::Rest;
    }
    match (0..rows.len()).find(|delivery| rows[*delivery].state == RowState::Queued) {
        Some(head) if state.history[head].expired || state.history[head].late => Turn::Aside(head),
        Some(head) => Turn::Send(head),
        None if scenario.hints == Hints::Modelled => Turn::Nothing(hint),
        None => Turn::Rest,
    }
}

pub fn take(scenario: &Scenario, state: &mut State, index: usize) {
    let (delivery, to, doing) = match turn(scenario, state) {
        Turn::Send(delivery) => (delivery, RowState::Preparing, Doing::Preparing),
        Turn::Verify(delivery) => (delivery, RowState::Verifying, Doing::Looking),
        Turn::Aside(delivery) => return crate::outbox::set_aside(state, delivery),
        Turn::Nothing(delivery) => {
            state.workers[index] = Worker { doing: Doing::Dropping, delivery, ..Worker::IDLE };
            return;
        }
        Turn::Rest => return,
    };
    if to == RowState::Preparing {
        state.sql.lane = Some(delivery);
    }
    change(state, delivery, to);
    let epoch = state.sql.rows[delivery].epoch;
    let resends = to == RowState::Verifying;
    state.workers[index] = Worker { doing, delivery, epoch, resends, ..Worker::IDLE };
    written(scenario, state, index);
}

/// `Store::take` of what needs no preparing: the lane's lock and the mark in one transaction.
pub fn take_to_call(scenario: &Scenario, state: &mut State, index: usize) {
    take(scenario, state, index);
    mark(scenario, state, index);
}

/// `Store::begin_sending`, from `preparing` or, under the same key, from `verifying`.
pub fn mark(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    let delivery = worker.delivery;
    let history = state.history[delivery];
    let expected = if worker.resends { RowState::Verifying } else { RowState::Preparing };
    let row = state.sql.rows[delivery];
    let too_late = history.late && row.key == KeyClock::Uncalled && scenario.rules.has(Rule::LateIsAskedAgain);
    let has_lane = !scenario.rules.has(Rule::LaneLock)
        || !scenario.rules.has(Rule::CompareAndSet)
        || state.sql.lane == Some(delivery);
    let may = owns(scenario, state, index, expected)
        && !row.cancel_wanted
        && !history.expired
        && !too_late
        && state.sql.account == Account::Open
        && has_lane;
    if !may {
        // Written down by the epoch it had: `PutBack`, or what the look before it means.
        if worker.resends {
            return conclude(scenario, state, index);
        }
        if owns(scenario, state, index, expected) {
            put_back(scenario, state, delivery, false);
        }
        return idle(scenario, state, index);
    }
    if history.late && row.key == KeyClock::Uncalled {
        state.history[delivery].sent_late = true;
    }
    change(state, delivery, RowState::Sending);
    let row = state.row(delivery);
    row.wait = Wait::Lease;
    row.marked_by = Some(index as u8);
    if row.key == KeyClock::Uncalled {
        row.key = KeyClock::Fresh;
    }
    let epoch = row.epoch;
    let doing = match scenario.rules.has(Rule::DurableCommit) && state.disk.is_some() {
        true => Doing::Marking,
        false => Doing::Marked,
    };
    state.workers[index] = Worker { doing, epoch, ..worker };
    written(scenario, state, index);
}

/// The request leaves.
pub fn call(state: &mut State, index: usize) {
    let delivery = state.workers[index].delivery;
    state.history[delivery].called = true;
    if !state.network_is_up {
        state.calls_in_outage = (state.calls_in_outage + 1).min(2);
    }
    state.workers[index].doing = Doing::Calling;
    state.workers[index].late = false;
    state.requests.push(Request { delivery, owner: Some(index), stage: Stage::UnderWay });
}

/// `Store::not_called`: the deadline had passed, or the commit of the mark failed, and may have been made all the same.
pub fn take_back(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    let is_its_own = state.sql.rows[worker.delivery].marked_by == Some(index as u8);
    if owns(scenario, state, index, RowState::Sending) && (is_its_own || !scenario.rules.has(Rule::MarksToldApart)) {
        if !state.history[worker.delivery].called {
            state.row(worker.delivery).key = KeyClock::Uncalled;
        }
        put_back(scenario, state, worker.delivery, worker.resends);
        written(scenario, state, index);
        if state.workers[index].uncommitted && scenario.rules.has(Rule::TakeBackIsKept) {
            state.workers[index].doing = Doing::TakingBack;
            return;
        }
    } else {
        state.history[worker.delivery].lost_after_mark = true;
    }
    idle(scenario, state, index);
}

/// `Store::finish` after the call: `Sender::outcome` and `store::attempts::apply`.
pub fn finish(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    let Doing::Ended(answer) = worker.doing else { return };
    let delivery = worker.delivery;
    let owned = owns(scenario, state, index, RowState::Sending);
    match answer {
        Answer::Proof => {
            let row = &state.sql.rows[delivery];
            let counts = owned || (scenario.rules.has(Rule::LateProof) && !row.state.is_end());
            if counts {
                sent(state, delivery);
            } else if row.state != RowState::Sent {
                state.history[delivery].proof_dropped = true;
            }
        }
        Answer::Unclear => {
            close_account(scenario, state);
            if owned {
                unclear(scenario, state, delivery);
            }
        }
        Answer::Refused(refusal) => {
            if refusal == Refusal::NotYou {
                state.sql.account = Account::Unauthorized;
            }
            if owned {
                refused(scenario, state, delivery, refusal, worker.resends);
            }
        }
    }
    idle(scenario, state, index);
    written(scenario, state, index);
}

fn sent(state: &mut State, delivery: usize) {
    change(state, delivery, RowState::Sent);
    free_lane(state, delivery);
    if state.sql.rows[delivery].cancel_wanted {
        state.row(delivery).takedown = Takedown::Wanted;
    }
}

fn unclear(scenario: &Scenario, state: &mut State, delivery: usize) {
    if scenario.network == Network::Nothing {
        change(state, delivery, RowState::Unknown);
        free_lane(state, delivery);
        return;
    }
    change(state, delivery, RowState::Verifying);
    state.row(delivery).wait = Wait::Settling;
}

fn refused(scenario: &Scenario, state: &mut State, delivery: usize, refusal: Refusal, resends: bool) {
    if resends && scenario.rules.has(Rule::DoubtRemains) {
        // The look before the repeated call was the first of two.
        change(state, delivery, RowState::Verifying);
        state.row(delivery).absent_once = true;
        return;
    }
    match refusal {
        Refusal::NotThis => change(state, delivery, RowState::Failed),
        _ if state.sql.rows[delivery].cancel_wanted => cancelled(scenario, state, delivery),
        Refusal::NotNow => change(state, delivery, RowState::Retry),
        Refusal::NotYou => change(state, delivery, RowState::HeldForAccount),
    }
    free_lane(state, delivery);
}

/// `Sender::look`: the list of our own posts, or the status of a step.
pub fn look(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    if scenario.network == Network::Nothing {
        if owns(scenario, state, index, RowState::Verifying) {
            change(state, worker.delivery, RowState::Unknown);
            free_lane(state, worker.delivery);
        }
        return idle(scenario, state, index);
    }
    if !state.network_is_up {
        // `Unread`: it stays to be verified.
        return idle(scenario, state, index);
    }
    if state.sql.account == Account::Probing {
        state.sql.account = Account::Open;
    }
    let shown = state.shown[worker.delivery];
    let here = shown.posts > 0 && (shown.listed || scenario.network == Network::Steps);
    state.workers[index].doing = if here { Doing::Found } else { Doing::NotFound };
}

/// Whether `Sender::verify` repeats the call under the same key.
pub fn may_send_again(scenario: &Scenario, state: &State, index: usize) -> bool {
    let delivery = state.workers[index].delivery;
    let row = &state.sql.rows[delivery];
    if !scenario.rules.has(Rule::AskTheNetwork) {
        return true;
    }
    let is_young = row.key == KeyClock::Fresh || !scenario.rules.has(Rule::HalfTheKeysLife);
    let is_first_look = !row.absent_once || !scenario.rules.has(Rule::DoubtRemains);
    let is_in_time = !state.history[delivery].late || !scenario.rules.has(Rule::LateIsAskedAgain);
    scenario.network.has_key() && is_young && is_first_look && is_in_time
}

/// What the look means where nothing is sent again.
pub fn conclude(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    let delivery = worker.delivery;
    if owns(scenario, state, index, RowState::Verifying) {
        let row = state.sql.rows[delivery];
        let proved = !scenario.rules.has(Rule::TwoLooks) || (row.absent_once && row.gap_over);
        if worker.doing == Doing::Found {
            sent(state, delivery);
        } else if !proved {
            change(state, delivery, RowState::Verifying);
            state.row(delivery).absent_once = true;
        } else if row.cancel_wanted {
            cancelled(scenario, state, delivery);
            free_lane(state, delivery);
        } else {
            // At once or after a while, in which it keeps its turn.
            change(state, delivery, RowState::Retry);
            free_lane(state, delivery);
        }
    }
    idle(scenario, state, index);
    written(scenario, state, index);
}

pub fn drop_hint(state: &mut State, index: usize) {
    state.hints[state.workers[index].delivery] = false;
    state.workers[index] = Worker::IDLE;
}

pub fn crash(state: &mut State, index: usize) {
    state.left.crashes -= 1;
    lose(state, index);
}

/// The worker's memory is gone; what it asked for is not.
pub fn lose(state: &mut State, index: usize) {
    let worker = state.workers[index];
    if matches!(worker.doing, Doing::Marking | Doing::Marked | Doing::Checked | Doing::TakingBack) {
        state.history[worker.delivery].lost_after_mark = true;
    }
    crate::network::abandon(state, index);
    state.workers[index] = Worker::IDLE;
}

/// As if it had never been marked; or, where an earlier call may have got through, to be verified.
fn put_back(scenario: &Scenario, state: &mut State, delivery: usize, resends: bool) {
    if resends {
        return change(state, delivery, RowState::Verifying);
    }
    match state.sql.rows[delivery].cancel_wanted {
        true => cancelled(scenario, state, delivery),
        false => change(state, delivery, RowState::Queued),
    }
    free_lane(state, delivery);
}

/// Free for other work. Where hints are modelled, it tells the dispatcher first that a finished delivery needs nobody.
fn idle(scenario: &Scenario, state: &mut State, index: usize) {
    let worker = state.workers[index];
    let finished = !state.sql.rows[worker.delivery].state.is_workable();
    state.workers[index] = match finished && scenario.hints == Hints::Modelled {
        true => Worker { doing: Doing::Dropping, delivery: worker.delivery, ..Worker::IDLE },
        false => Worker::IDLE,
    };
}

/// Notes that the worker's statement has not returned, where it waits for the disk.
fn written(scenario: &Scenario, state: &mut State, index: usize) {
    let waits = state.disk.is_some() && scenario.rules.has(Rule::DurableCommit);
    state.workers[index].uncommitted = waits && state.workers[index].doing != Doing::Idle;
}

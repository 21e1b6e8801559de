//! Which steps a state allows, and where each leads.

use stateright::{Model, Property};

use crate::scenario::{Hints, Network, Rule, Scenario};
use crate::state::{
    Account, Answer, Doing, KeyClock, MOST_DELIVERIES, Refusal, Request, RowState, Stage, State, Sweep, Takedown,
    WORKERS, Wait,
};
use crate::{network, outbox, people, properties, time, worker};

/// One step. [`crate::words`] says each in a sentence, with the function of the product it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Take(usize),
    TakeToCall(usize),
    Mark(usize),
    Check(usize),
    Call(usize),
    TakeBack(usize),
    Finish(usize),
    Look(usize),
    SendAgain(usize),
    Conclude(usize),
    DropHint(usize),
    Crash(usize),

    LookUpKey(usize),
    Land(usize),
    Refuse(usize, Refusal),
    Lose(usize),
    Answer(usize),
    TimeOut(usize),
    List(usize),
    ForgetKey(usize),
    OutageBegins,
    OutageEnds,

    LeasePasses(usize),
    SettlePasses(usize),
    GapPasses(usize),
    RetryComes(usize),
    KeyAges(usize),
    Expires(usize),
    GetsLate(usize),

    Reap(usize),
    ReapPrepared(usize),
    SetAside(usize),
    Reopen(usize),
    Probe,
    SweepReads(usize),
    SweepTells,
    Load(usize),
    Flush,

    Commit,
    PowerLoss,

    Cancel(usize),
    DecideSend(usize),
    DecideSent(usize),
    Reconnect,
    Delete(usize),
}

impl Action {
    /// Steps that the product and the passing of time make by themselves: no luck, no fault, no person. Whatever went
    /// wrong before, these alone must bring every delivery to rest.
    pub fn comes_by_itself(self, state: &State) -> bool {
        match self {
            Action::Crash(_)
            | Action::Refuse(..)
            | Action::Lose(_)
            | Action::OutageBegins
            | Action::Expires(_)
            | Action::GetsLate(_)
            | Action::Flush
            | Action::PowerLoss
            | Action::Cancel(_)
            | Action::DecideSend(_)
            | Action::DecideSent(_)
            | Action::Reconnect => false,
            Action::TimeOut(worker) => !has_request(state, worker),
            _ => true,
        }
    }
}

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::start(self.faults);
        state.renumber();
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for index in 0..WORKERS {
            self.worker_actions(state, index, actions);
        }
        self.network_actions(state, actions);
        for delivery in 0..self.deliveries {
            self.time_actions(state, delivery, actions);
            self.outbox_actions(state, delivery, actions);
            self.people_actions(state, delivery, actions);
        }
        if state.sql.account == Account::Probing && state.network_is_up {
            actions.push(Action::Probe);
        }
        if state.sql.account == Account::Unauthorized {
            actions.push(Action::Reconnect);
        }
        if self.hints == Hints::Modelled {
            if state.sweep != Sweep::Resting {
                actions.push(Action::SweepTells);
            }
            if state.left.flushes > 0 && state.hints[..self.deliveries].contains(&true) {
                actions.push(Action::Flush);
            }
        }
        if let Some(disk) = &state.disk {
            let told = state.history.iter().all(|history| !history.telling);
            if *disk != state.sql || !told || state.workers.iter().any(|worker| worker.uncommitted) {
                actions.push(Action::Commit);
                if state.left.power_losses > 0 {
                    actions.push(Action::PowerLoss);
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Take(index) => worker::take(self, &mut state, index),
            Action::TakeToCall(index) => worker::take_to_call(self, &mut state, index),
            Action::Mark(index) => worker::mark(self, &mut state, index),
            Action::Check(index) => state.workers[index].doing = Doing::Checked,
            Action::Call(index) => worker::call(&mut state, index),
            Action::TakeBack(index) => worker::take_back(self, &mut state, index),
            Action::Finish(index) => worker::finish(self, &mut state, index),
            Action::Look(index) => worker::look(self, &mut state, index),
            Action::SendAgain(index) => worker::mark(self, &mut state, index),
            Action::Conclude(index) => worker::conclude(self, &mut state, index),
            Action::DropHint(index) => worker::drop_hint(&mut state, index),
            Action::Crash(index) => worker::crash(&mut state, index),
            Action::LookUpKey(request) => network::look_up_key(&mut state, request),
            Action::Land(request) => network::land(self, &mut state, request),
            Action::Refuse(request, refusal) => network::refuse(&mut state, request, refusal),
            Action::Lose(request) => network::lose(&mut state, request),
            Action::Answer(index) => network::answer(&mut state, index),
            Action::TimeOut(index) => network::time_out(&mut state, index),
            Action::List(delivery) => state.shown[delivery].listed = true,
            Action::ForgetKey(delivery) => state.shown[delivery].key_kept = false,
            Action::OutageBegins => {
                state.left.outages -= 1;
                state.network_is_up = false;
            }
            Action::OutageEnds => state.network_is_up = true,
            Action::LeasePasses(delivery) => time::lease_passes(&mut state, delivery),
            Action::SettlePasses(delivery) => state.row(delivery).wait = Wait::Over,
            Action::GapPasses(delivery) => state.row(delivery).gap_over = true,
            Action::RetryComes(delivery) => outbox::change(&mut state, delivery, RowState::Queued),
            Action::KeyAges(delivery) => state.row(delivery).key = KeyClock::Old,
            Action::Expires(delivery) => {
                state.left.expiries -= 1;
                state.history[delivery].expired = true;
            }
            Action::GetsLate(delivery) => {
                state.left.latenesses -= 1;
                state.history[delivery].late = true;
            }
            Action::Reap(delivery) => outbox::reap(self, &mut state, delivery),
            Action::ReapPrepared(delivery) => outbox::reap_prepared(&mut state, delivery),
            Action::SetAside(delivery) => outbox::set_aside(&mut state, delivery),
            Action::Reopen(delivery) => outbox::change(&mut state, delivery, RowState::Queued),
            Action::Probe => state.sql.account = Account::Open,
            Action::SweepReads(delivery) => outbox::sweep_reads(&mut state, delivery),
            Action::SweepTells => outbox::sweep_tells(&mut state),
            Action::Load(delivery) => state.hints[delivery] = true,
            Action::Flush => {
                state.left.flushes -= 1;
                state.hints = [false; MOST_DELIVERIES];
            }
            Action::Commit => outbox::commit(&mut state),
            Action::PowerLoss => outbox::power_loss(&mut state),
            Action::Cancel(delivery) => people::cancel(self, &mut state, delivery),
            Action::DecideSend(delivery) => people::decide_send(self, &mut state, delivery),
            Action::DecideSent(delivery) => people::decide_sent(&mut state, delivery),
            Action::Reconnect => people::reconnect(self, &mut state),
            Action::Delete(delivery) => state.row(delivery).takedown = Takedown::Done,
        }
        state.renumber();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

/// Whether a worker's request has neither ended nor been lost.
fn has_request(state: &State, worker: usize) -> bool {
    state.requests.iter().any(|request| request.owner == Some(worker))
}

impl Scenario {
    fn worker_actions(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let worker = &state.workers[index];
        match worker.doing {
            Doing::Idle => {
                if worker::finds_work(self, state) {
                    actions.push(Action::Take(index));
                }
                if worker::finds_one_to_send(self, state) {
                    actions.push(Action::TakeToCall(index));
                }
            }
            Doing::Preparing => actions.push(Action::Mark(index)),
            // Goes on with the commit.
            Doing::Marking | Doing::TakingBack => {}
            Doing::Marked => {
                if worker.late && self.rules.has(Rule::SendDeadline) {
                    actions.push(Action::TakeBack(index));
                } else if self.rules.has(Rule::CheckIsCall) {
                    actions.push(Action::Call(index));
                } else {
                    actions.push(Action::Check(index));
                }
            }
            Doing::Checked => actions.push(Action::Call(index)),
            Doing::Calling => {
                let taken = |request: &&Request| request.owner == Some(index);
                match state.requests.iter().find(taken).map(|request| request.stage) {
                    None => actions.push(Action::TimeOut(index)),
                    Some(stage) => {
                        if stage == Stage::Taken && state.network_is_up {
                            actions.push(Action::Answer(index));
                        }
                        if state.left.timeouts > 0 || !state.network_is_up {
                            actions.push(Action::TimeOut(index));
                        }
                    }
                }
            }
            Doing::Ended(answer) => {
                // A success that another worker's call stands in the way of stays in the journal.
                let waits = answer == Answer::Proof
                    && self.rules.has(Rule::LateProof)
                    && !worker::owns(self, state, index, RowState::Sending)
                    && state.sql.rows[worker.delivery].state == RowState::Sending;
                if !waits {
                    actions.push(Action::Finish(index));
                }
            }
            Doing::Looking => actions.push(Action::Look(index)),
            Doing::NotFound if worker::may_send_again(self, state, index) => actions.push(Action::SendAgain(index)),
            Doing::Found | Doing::NotFound => actions.push(Action::Conclude(index)),
            Doing::Dropping => actions.push(Action::DropHint(index)),
        }
        if worker.doing != Doing::Idle && state.left.crashes > 0 {
            actions.push(Action::Crash(index));
        }
    }

    fn network_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, request) in state.requests.iter().enumerate() {
            let asks_first = self.network == Network::LooseKey;
            match request.stage {
                Stage::Taken => continue,
                Stage::UnderWay if !state.network_is_up => {}
                Stage::UnderWay if asks_first && !state.shown[request.delivery].key_kept => {
                    actions.push(Action::LookUpKey(index));
                }
                Stage::UnderWay | Stage::KeyUnknown => actions.push(Action::Land(index)),
            }
            if request.stage != Stage::UnderWay {
                continue;
            }
            if state.left.losses > 0 || !state.network_is_up {
                actions.push(Action::Lose(index));
            }
            if state.left.refusals > 0 && state.network_is_up && request.owner.is_some() {
                for refusal in [Refusal::NotNow, Refusal::NotThis, Refusal::NotYou] {
                    actions.push(Action::Refuse(index, refusal));
                }
            }
        }
        for delivery in 0..self.deliveries {
            if !state.shown[delivery].listed {
                actions.push(Action::List(delivery));
            }
            if self.network == Network::LooseKey && network::may_forget_key(state, delivery) {
                actions.push(Action::ForgetKey(delivery));
            }
        }
        if !state.network_is_up {
            actions.push(Action::OutageEnds);
        } else if state.left.outages > 0 {
            actions.push(Action::OutageBegins);
        }
    }

    fn time_actions(&self, state: &State, delivery: usize, actions: &mut Vec<Action>) {
        let row = &state.sql.rows[delivery];
        match (row.state, row.wait) {
            (RowState::Sending, Wait::Lease) => actions.push(Action::LeasePasses(delivery)),
            // No longer than that a call can take effect: what the settle time is chosen for.
            (RowState::Sending | RowState::Verifying, Wait::Settling) if !state.is_under_way(delivery) => {
                actions.push(Action::SettlePasses(delivery));
            }
            _ => {}
        }
        // No longer is a list behind: what the time between two looks is chosen for.
        if row.state == RowState::Verifying && row.absent_once && !row.gap_over && state.shown[delivery].listed {
            actions.push(Action::GapPasses(delivery));
        }
        if row.state == RowState::Retry {
            actions.push(Action::RetryComes(delivery));
        }
        if row.key == KeyClock::Fresh && self.network == Network::LooseKey {
            actions.push(Action::KeyAges(delivery));
        }
        let history = &state.history[delivery];
        if state.left.expiries > 0 && !history.expired {
            actions.push(Action::Expires(delivery));
        }
        if state.left.latenesses > 0 && !history.late {
            actions.push(Action::GetsLate(delivery));
        }
    }

    fn outbox_actions(&self, state: &State, delivery: usize, actions: &mut Vec<Action>) {
        let row = &state.sql.rows[delivery];
        let history = &state.history[delivery];
        match row.state {
            RowState::Sending => {
                let settled = match self.rules.has(Rule::Settle) {
                    true => row.wait == Wait::Over,
                    false => row.wait != Wait::Lease,
                };
                if settled {
                    actions.push(Action::Reap(delivery));
                }
            }
            RowState::Preparing => actions.push(Action::ReapPrepared(delivery)),
            RowState::Queued | RowState::Retry if history.expired || history.late => {
                actions.push(Action::SetAside(delivery));
            }
            RowState::HeldForAccount if state.sql.account != Account::Unauthorized => {
                actions.push(Action::Reopen(delivery));
            }
            RowState::Sent if row.takedown == Takedown::Wanted => actions.push(Action::Delete(delivery)),
            _ => {}
        }
        if self.hints == Hints::Modelled && self.rules.has(Rule::SqlIsTruth) {
            if state.unswept[delivery] && state.sweep == Sweep::Resting {
                actions.push(Action::SweepReads(delivery));
            }
            if self.rules.has(Rule::Reload) && row.state.is_workable() && !state.hints[delivery] {
                actions.push(Action::Load(delivery));
            }
        }
    }

    fn people_actions(&self, state: &State, delivery: usize, actions: &mut Vec<Action>) {
        let row = &state.sql.rows[delivery];
        if state.left.cancels > 0 && people::may_cancel(row) {
            actions.push(Action::Cancel(delivery));
        }
        if state.left.decisions > 0 {
            match row.state {
                RowState::HeldLate => actions.push(Action::DecideSend(delivery)),
                RowState::Unknown if people::has_settled(self, state, delivery) => {
                    actions.push(match people::sees_it(state, delivery) {
                        true => Action::DecideSent(delivery),
                        false => Action::DecideSend(delivery),
                    });
                }
                _ => {}
            }
        }
    }
}

//! Steps in words.

use crate::protocol::Action;
use crate::scenario::Scenario;
use crate::state::{Refusal, RowState, State};
use crate::walk::Step;

/// One line a step: what happens, the function it stands for, and what it changes.
pub fn line(scenario: &Scenario, step: &Step) -> String {
    let mut line = sentence(step.action, &step.before);
    let changes = changes(scenario, &step.before, &step.after);
    if !changes.is_empty() {
        line.push_str(" => ");
        line.push_str(&changes.join(", "));
    }
    line
}

fn sentence(action: Action, before: &State) -> String {
    let of_request = |request: usize| delivery(before.requests[request].delivery);
    match action {
        Action::Take(index) => format!("{} takes the lane (Store::take)", worker(index)),
        Action::TakeToCall(index) => {
            format!("{} takes the lane to call at once (Store::take)", worker(index))
        }
        Action::Mark(index) => format!("{} asks for the call (Store::begin_sending)", worker(index)),
        Action::Check(index) => format!("{} asks the deadline: there is time (Sender::call)", worker(index)),
        Action::Call(index) => format!("{} calls the network (Publisher::publish)", worker(index)),
        Action::TakeBack(index) => {
            format!("{} finds the deadline passed and does not call (Store::not_called)", worker(index))
        }
        Action::Finish(index) => format!("{} writes down how the call ended (Store::finish)", worker(index)),
        Action::Look(index) => format!("{} looks for the message on the network (Sender::look)", worker(index)),
        Action::SendAgain(index) => {
            format!("{} asks to repeat it under the same key (Sender::verify, Store::begin_sending)", worker(index))
        }
        Action::Conclude(index) => format!("{} writes down what it saw (Sender::verify, Store::finish)", worker(index)),
        Action::DropHint(index) => {
            format!("{} tells the dispatcher that nothing is to be done (Shard::done)", worker(index))
        }
        Action::Crash(index) => format!("{} is killed", worker(index)),
        Action::LookUpKey(request) => {
            format!("the network does not know the key of {} and is about to post", of_request(request))
        }
        Action::Land(request) => format!("the network takes {}", of_request(request)),
        Action::Refuse(request, refusal) => {
            let why = match refusal {
                Refusal::NotNow => "not now",
                Refusal::NotThis => "not this message",
                Refusal::NotYou => "these credentials are no longer good",
            };
            format!("the network refuses {}: {why}", of_request(request))
        }
        Action::Lose(request) => format!("the request for {} is lost on its way", of_request(request)),
        Action::Answer(index) => format!("the answer with the message's id reaches {}", worker(index)),
        Action::TimeOut(index) => format!("{} gets no answer in time", worker(index)),
        Action::List(of) => format!("the list of our posts shows {}", delivery(of)),
        Action::ForgetKey(of) => format!("the network forgets the key of {}", delivery(of)),
        Action::OutageBegins => "the network goes away".into(),
        Action::OutageEnds => "the network is back".into(),
        Action::LeasePasses(of) => {
            format!("the lease of {} runs out, whether its worker is frozen or dead", delivery(of))
        }
        Action::SettlePasses(of) => format!("the settle time of {} passes", delivery(of)),
        Action::GapPasses(of) => format!("the time between two looks for {} passes", delivery(of)),
        Action::RetryComes(of) => format!("the time of the next try of {} comes", delivery(of)),
        Action::KeyAges(of) => format!("half the life of the key of {} passes", delivery(of)),
        Action::Expires(of) => format!("{} expires", delivery(of)),
        Action::GetsLate(of) => format!("{} becomes later than it may be", delivery(of)),
        Action::Reap(of) => format!("the reaper finds {} past its lease (Store::reap)", delivery(of)),
        Action::ReapPrepared(of) => {
            format!("the reaper queues {} again, nothing was called (Store::reap)", delivery(of))
        }
        Action::SetAside(of) => format!("{} is put aside (store::attempts::set_aside)", delivery(of)),
        Action::Reopen(of) => format!("the reaper opens {} again after its account (Store::reap)", delivery(of)),
        Action::Probe => "the network answers a harmless call, the account sends again (Sender::probe)".into(),
        Action::SweepReads(of) => format!("the sweep reads {} (outbox::sweep)", delivery(of)),
        Action::SweepTells => "the sweep tells the dispatcher what it read (Dispatcher::add, move_)".into(),
        Action::Load(of) => format!("the outbox loads {} (outbox::load)", delivery(of)),
        Action::Flush => "the dispatcher forgets everything (FLUSHALL, a new process)".into(),
        Action::Commit => "the commits so far are on the disk".into(),
        Action::PowerLoss => "the database loses power and comes back as its disk has it".into(),
        Action::Cancel(of) => format!("a person cancels {} (Store::cancel)", delivery(of)),
        Action::DecideSend(of) => format!("a person decides to send {} (Store::decide)", delivery(of)),
        Action::DecideSent(of) => format!("a person found {} on the network (Store::decide)", delivery(of)),
        Action::Reconnect => "the account gets good credentials (Store::set_health)".into(),
        Action::Delete(of) => {
            format!("{} is deleted again, by a delivery of its own (enqueue::take_back)", delivery(of))
        }
    }
}

fn changes(scenario: &Scenario, before: &State, after: &State) -> Vec<String> {
    let mut changes = Vec::new();
    for index in 0..scenario.deliveries {
        let name = if scenario.deliveries > 1 { format!("{} ", delivery(index)) } else { String::new() };
        let (old, new) = (&before.sql.rows[index], &after.sql.rows[index]);
        if old.state != new.state {
            changes.push(format!("{name}{} -> {}", word(old.state), word(new.state)));
        }
        if !old.cancel_wanted && new.cancel_wanted {
            changes.push(format!("{name}cancel wanted"));
        }
        if !old.absent_once && new.absent_once {
            changes.push(format!("{name}not found once"));
        }
        if before.shown[index].posts != after.shown[index].posts {
            changes.push(format!("{name}post number {}", after.shown[index].posts));
        }
        if !before.history[index].told_cancelled && after.history[index].told_cancelled {
            changes.push(format!("{name}the person is told it is cancelled"));
        }
        if before.hints[index] && !after.hints[index] {
            changes.push(format!("{name}no hint left"));
        }
    }
    if before.sql.account != after.sql.account {
        changes.push(format!("account {}", format!("{:?}", after.sql.account).to_lowercase()));
    }
    changes
}

fn worker(index: usize) -> &'static str {
    ["worker A", "worker B"][index]
}

fn delivery(index: usize) -> &'static str {
    ["the delivery", "the second delivery"][index]
}

fn word(state: RowState) -> &'static str {
    match state {
        RowState::Queued => "queued",
        RowState::Preparing => "preparing",
        RowState::Sending => "sending",
        RowState::Verifying => "verifying",
        RowState::Retry => "retry",
        RowState::HeldLate => "held as late",
        RowState::HeldForAccount => "held for its account",
        RowState::Unknown => "unknown",
        RowState::Sent => "sent",
        RowState::Failed => "failed",
        RowState::Expired => "expired",
        RowState::Cancelled => "cancelled",
    }
}

//! A standing as an English sentence: for the command line and the API.

use std::fmt;

use super::{Next, Scope, Standing, Why};
use crate::model::Hold;

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because =
            |reason: &Option<String>| reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let at = self.next_at.map(|at| at.to_string()).unwrap_or_default();
        match &self.why {
            Why::NeedsApproval => write!(formatter, "waits for approval"),
            Why::NotDue => write!(formatter, "sent at {at}"),
            Why::QuietHours => write!(formatter, "sent at {at}, after its account's quiet hours"),
            Why::Stopped(stop) => {
                let what = match &stop.scope {
                    Scope::All => "all sending is stopped".to_owned(),
                    Scope::Posts => "posts are stopped".to_owned(),
                    Scope::Account { .. } => "sending on its account is stopped".to_owned(),
                    Scope::App { network, .. } => format!("sending on its app ({}) is stopped", network.as_str()),
                };
                let reason = Some(stop.reason.clone()).filter(|reason| !reason.is_empty());
                write!(formatter, "waits: {what} by {}{}; resume it", stop.stopped_by, because(&reason))
            }
            Why::Paused { reason } => write!(formatter, "waits: its account is paused{}; resume it", because(reason)),
            Why::Unauthorized { error } => write!(
                formatter,
                "waits: the network refuses the credentials of its account{}; reconnect it",
                because(error)
            ),
            Why::Follows { delivery_id, state } => {
                write!(formatter, "waits until what it follows is sent: {delivery_id} is {state}")
            }
            Why::Probing { failures } => write!(
                formatter,
                "waits until the network answers again after an unclear end; asked at {at}, {failures} without an answer"
            ),
            Why::AccountGated { reason } => {
                write!(formatter, "sent after {at}: the network asked the account to wait{}", because(reason))
            }
            Why::LaneGated { reason } => {
                write!(formatter, "sent after {at}: an earlier one waits for its next try{}", because(reason))
            }
            Why::LaneBusy { delivery_id, state } => write!(formatter, "sent after {delivery_id}, which is {state}"),
            Why::PutBack { reason } => write!(formatter, "sent at {at}: {reason}"),
            Why::NoWorker { last_seen: Some(seen) } => {
                write!(
                    formatter,
                    "waits: no worker that delivers runs, the last was seen at {seen}; start `muhatap run`"
                )
            }
            Why::NoWorker { last_seen: None } => {
                write!(formatter, "waits: no worker that delivers runs; start `muhatap run`")
            }
            Why::Turn => write!(formatter, "sent as soon as it is its turn"),
            Why::Retrying { calls, error } => {
                write!(
                    formatter,
                    "sent again at {at}, after {calls} calls that certainly sent nothing{}",
                    because(error)
                )
            }
            Why::Preparing { .. } => write!(formatter, "being prepared, then sent"),
            Why::Sending { .. } => write!(formatter, "being sent"),
            Why::WorkerAway { worker, since } => {
                let worker = worker.as_deref().unwrap_or("its worker");
                match self.next {
                    Next::ReadBack => write!(
                        formatter,
                        "{worker} did not finish by {since}: the network is asked once the settle time is over"
                    ),
                    _ => write!(formatter, "{worker} did not finish by {since}: another worker takes it over"),
                }
            }
            Why::TakingBack => write!(
                formatter,
                "cancelled during its call: deleted as soon as it is known to be out; if it is not out, not sent again"
            ),
            Why::ReadBack { seen_absent: false } => {
                write!(formatter, "the network is asked at {at} whether it is out")
            }
            Why::ReadBack { seen_absent: true } => {
                write!(formatter, "not found on the network; it is asked once more at {at}")
            }
            Why::Unreadable { failures, error } => write!(
                formatter,
                "the network cannot be read, {failures} times so far{}: asked again at {at}; or look yourself and decide",
                because(error)
            ),
            Why::Held { hold: Hold::Account } => {
                write!(formatter, "goes on by itself once its account is reconnected; or cancel it")
            }
            Why::Held { hold: Hold::Restored } => {
                write!(formatter, "a person looks at the network and decides: it may be out since before the restore")
            }
            Why::Held { hold: Hold::Predecessor } => {
                write!(
                    formatter,
                    "a person decides: what it follows is not on the network; send it alone, or cancel it"
                )
            }
            Why::Held { hold: Hold::Late } => write!(formatter, "a person decides: send, move or cancel"),
            Why::Unclear if self.next_at.is_some() => write!(
                formatter,
                "a person looks at the network and decides; not before {at}, until then it may still appear"
            ),
            Why::Unclear => {
                write!(formatter, "a person looks at the network and decides: it is out, send it again, or cancel")
            }
            Why::Ended if self.next == Next::Decide => write!(formatter, "nothing; a person may send it again"),
            Why::Ended => write!(formatter, "nothing"),
        }
    }
}

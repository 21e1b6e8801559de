//! Where a delivery stands: why it is not out yet, what happens next, and when. Pure; the one place that decides it, for
//! the API, the command line and the console alike.

mod scope;
mod words;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{DeliveryId, DeliveryState, Hold};

pub use scope::{Scope, Sent, Stop};

/// A worker that has not been heard of for so long is taken for dead: three of its signs of life are missing.
pub const AWAY_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// Why a delivery is where it is. The first that applies is told: what a person did before what the network did, that
/// before what comes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// Nobody has approved it yet.
    NeedsApproval,
    /// Its time has not come.
    NotDue,
    /// Its account's quiet hours moved it past their end.
    QuietHours,
    /// A person stopped what it belongs to.
    Stopped(Stop),
    /// A person paused its account.
    Paused {
        reason: Option<String>,
    },
    /// The network refuses the account's credentials.
    Unauthorized {
        error: Option<String>,
    },
    /// What it follows is not out.
    Follows {
        delivery_id: DeliveryId,
        state: DeliveryState,
    },
    /// A call of the account ended unclearly; the network does not answer a harmless call yet.
    Probing {
        failures: i64,
    },
    /// The network asked the account to wait.
    AccountGated {
        reason: Option<String>,
    },
    /// An earlier one of its lane waits for its next try.
    LaneGated {
        reason: Option<String>,
    },
    /// Another one of its lane is under way.
    LaneBusy {
        delivery_id: DeliveryId,
        state: DeliveryState,
    },
    /// It was begun and put back before the call: the app's limit is used up, or its turn came too late.
    PutBack {
        reason: String,
    },
    /// No process that delivers has given a sign of life lately.
    NoWorker {
        last_seen: Option<Timestamp>,
    },
    /// Nothing stands in its way but its turn within the account's rate limit.
    Turn,
    /// It certainly did not go out, and is tried again.
    Retrying {
        calls: i64,
        error: Option<String>,
    },
    Preparing {
        worker: Option<String>,
    },
    Sending {
        worker: Option<String>,
    },
    /// The worker that had it did not finish in time; its work is taken over.
    WorkerAway {
        worker: Option<String>,
        since: Timestamp,
    },
    /// A person cancelled it during its call, or while nobody knew how that had ended.
    TakingBack,
    /// Perhaps out: the network is asked.
    ReadBack {
        seen_absent: bool,
    },
    /// Perhaps out, and the network could not be asked so far.
    Unreadable {
        failures: i64,
        error: Option<String>,
    },
    Held {
        hold: Hold,
    },
    /// Perhaps out, and nobody can tell but a person who looks.
    Unclear,
    /// Nothing will happen any more.
    Ended,
}

/// What happens next; where a person is needed, what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    Approve,
    /// The call, at `next_at` or as soon as nothing stands in its way.
    Send,
    /// The network is asked whether it is out.
    ReadBack,
    /// It is deleted as soon as it is known to be out; where it is not out, it is cancelled.
    Delete,
    /// The network is asked a harmless question; when it answers, sending goes on.
    Probe,
    /// A person opens again what a person stopped.
    Resume,
    /// A person reconnects the account.
    Reconnect,
    /// A person starts a process that delivers.
    StartWorker,
    /// A person decides.
    Decide,
    Nothing,
}

/// The answer: why, what next, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    #[serde(flatten)]
    pub why: Why,
    pub next: Next,
    /// When; missing where it hangs on a person or on another delivery. With `decide`: not before then.
    pub next_at: Option<Timestamp>,
}

/// What is known of a delivery, its lane, its account and the workers.
#[derive(Debug, Clone)]
pub struct Facts {
    pub state: DeliveryState,
    pub hold: Option<Hold>,
    pub reason: Option<String>,
    pub due_at: Timestamp,
    pub next_at: Timestamp,
    /// Quiet hours moved it, and no person since.
    pub quiet: bool,
    pub calls: i64,
    pub worker: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub read_failures: i64,
    pub absent_since: Option<Timestamp>,
    /// A person cancelled it during its call.
    pub cancel_wanted: bool,
    /// Of the stops that cover it, the widest.
    pub stop: Option<Stop>,
    pub paused: bool,
    pub pause_reason: Option<String>,
    pub unauthorized: bool,
    pub health_reason: Option<String>,
    pub after: Option<(DeliveryId, DeliveryState)>,
    /// When the account's harmless call is made, and how many failed.
    pub probe: Option<(Timestamp, i64)>,
    pub account_gate: Option<(Timestamp, Option<String>)>,
    pub lane_gate: Option<(Timestamp, Option<String>)>,
    /// Who holds the lane, if it is another delivery.
    pub lane_holder: Option<(DeliveryId, DeliveryState)>,
    /// The latest sign of life of a process that delivers and has not said goodbye.
    pub worker_seen: Option<Timestamp>,
    /// When the last one ended in good order.
    pub worker_left: Option<Timestamp>,
}

impl Standing {
    pub fn of(facts: &Facts, now: Timestamp) -> Standing {
        let at = |why, next, at| Standing { why, next, next_at: Some(at) };
        let open = |why, next| Standing { why, next, next_at: None };
        let away = facts.lease_until.filter(|until| *until < now);
        match facts.state {
            DeliveryState::Waiting => open(Why::NeedsApproval, Next::Approve),
            DeliveryState::Queued | DeliveryState::Retry => Self::of_queued(facts, now),
            DeliveryState::Preparing | DeliveryState::Sending if away.is_some() => {
                let next = if facts.state == DeliveryState::Preparing { Next::Send } else { Next::ReadBack };
                open(Why::WorkerAway { worker: facts.worker.clone(), since: away.unwrap_or(now) }, next)
            }
            DeliveryState::Preparing => open(Why::Preparing { worker: facts.worker.clone() }, Next::Send),
            DeliveryState::Sending if facts.cancel_wanted => open(Why::TakingBack, Next::Delete),
            DeliveryState::Sending => open(Why::Sending { worker: facts.worker.clone() }, Next::Send),
            DeliveryState::Verifying if facts.read_failures > 0 => {
                let why = Why::Unreadable { failures: facts.read_failures, error: facts.reason.clone() };
                at(why, Next::ReadBack, facts.next_at)
            }
            DeliveryState::Verifying if facts.cancel_wanted => at(Why::TakingBack, Next::Delete, facts.next_at),
            DeliveryState::Verifying => {
                at(Why::ReadBack { seen_absent: facts.absent_since.is_some() }, Next::ReadBack, facts.next_at)
            }
            DeliveryState::Held => match facts.hold.unwrap_or(Hold::Late) {
                Hold::Account => open(Why::Held { hold: Hold::Account }, Next::Reconnect),
                hold => open(Why::Held { hold }, Next::Decide),
            },
            DeliveryState::Unknown => Standing {
                why: Why::Unclear,
                next: Next::Decide,
                next_at: Some(facts.next_at).filter(|from| *from > now),
            },
            DeliveryState::Failed => open(Why::Ended, Next::Decide),
            DeliveryState::Sent | DeliveryState::Expired | DeliveryState::Cancelled => open(Why::Ended, Next::Nothing),
        }
    }

    /// What keeps it from its call.
    fn of_queued(facts: &Facts, now: Timestamp) -> Standing {
        let open = |why, next| Standing { why, next, next_at: None };
        let is_due = facts.next_at <= now;
        let later = |gate: &Option<(Timestamp, Option<String>)>| {
            gate.clone().filter(|(until, _)| *until > facts.next_at.max(now))
        };
        if let Some(stop) = &facts.stop {
            return open(Why::Stopped(stop.clone()), Next::Resume);
        }
        if facts.paused {
            return open(Why::Paused { reason: facts.pause_reason.clone() }, Next::Resume);
        }
        if facts.unauthorized {
            return open(Why::Unauthorized { error: facts.health_reason.clone() }, Next::Reconnect);
        }
        if let Some((delivery_id, state)) = facts.after
            && state != DeliveryState::Sent
        {
            return open(Why::Follows { delivery_id, state }, Next::Send);
        }
        if let Some((probe_at, failures)) = facts.probe.filter(|_| is_due) {
            return Standing { why: Why::Probing { failures }, next: Next::Probe, next_at: Some(probe_at) };
        }
        if let Some((until, reason)) = later(&facts.account_gate) {
            return Standing { why: Why::AccountGated { reason }, next: Next::Send, next_at: Some(until) };
        }
        if facts.state == DeliveryState::Retry && !is_due {
            let why = Why::Retrying { calls: facts.calls, error: facts.reason.clone() };
            return Standing { why, next: Next::Send, next_at: Some(facts.next_at) };
        }
        if let Some((until, reason)) = later(&facts.lane_gate) {
            return Standing { why: Why::LaneGated { reason }, next: Next::Send, next_at: Some(until) };
        }
        if !is_due {
            let why = match &facts.reason {
                Some(reason) if facts.next_at > facts.due_at && facts.due_at <= now => {
                    Why::PutBack { reason: reason.clone() }
                }
                _ if facts.quiet => Why::QuietHours,
                _ => Why::NotDue,
            };
            return Standing { why, next: Next::Send, next_at: Some(facts.next_at) };
        }
        if facts.worker_seen.is_none_or(|seen| seen < now - AWAY_AFTER) {
            return open(Why::NoWorker { last_seen: facts.worker_seen.max(facts.worker_left) }, Next::StartWorker);
        }
        match facts.lane_holder {
            Some((delivery_id, state)) => open(Why::LaneBusy { delivery_id, state }, Next::Send),
            None => Standing { why: Why::Turn, next: Next::Send, next_at: Some(now) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range")
    }

    fn later(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    fn queued() -> Facts {
        Facts {
            state: DeliveryState::Queued,
            hold: None,
            reason: None,
            due_at: now(),
            next_at: now(),
            quiet: false,
            calls: 0,
            worker: None,
            lease_until: None,
            read_failures: 0,
            absent_since: None,
            cancel_wanted: false,
            stop: None,
            paused: false,
            pause_reason: None,
            unauthorized: false,
            health_reason: None,
            after: None,
            probe: None,
            account_gate: None,
            lane_gate: None,
            lane_holder: None,
            worker_seen: Some(now()),
            worker_left: None,
        }
    }

    fn id() -> DeliveryId {
        DeliveryId::new(now())
    }

    fn of(facts: &Facts) -> (Why, Next, Option<Timestamp>) {
        let standing = Standing::of(facts, now());
        assert!(!standing.to_string().is_empty());
        (standing.why, standing.next, standing.next_at)
    }

    #[test]
    fn what_a_person_did_is_told_before_what_the_network_did() {
        let stop = |scope| Stop { scope, reason: "deprem".into(), stopped_by: "ayşe".into(), stopped_at: now() };
        let mut facts = Facts {
            stop: Some(stop(Scope::All)),
            paused: true,
            unauthorized: true,
            probe: Some((later(5), 2)),
            account_gate: Some((later(60), Some("429".into()))),
            worker_seen: None,
            ..queued()
        };
        assert_eq!(of(&facts), (Why::Stopped(stop(Scope::All)), Next::Resume, None));
        facts.stop = None;
        assert_eq!(of(&facts), (Why::Paused { reason: None }, Next::Resume, None));
        facts.paused = false;
        assert_eq!(of(&facts), (Why::Unauthorized { error: None }, Next::Reconnect, None));
        facts.unauthorized = false;
        assert_eq!(of(&facts), (Why::Probing { failures: 2 }, Next::Probe, Some(later(5))));
        facts.probe = None;
        assert_eq!(of(&facts), (Why::AccountGated { reason: Some("429".into()) }, Next::Send, Some(later(60))));
        facts.account_gate = None;
        assert_eq!(of(&facts), (Why::NoWorker { last_seen: None }, Next::StartWorker, None));
    }

    #[test]
    fn what_is_due_tells_what_is_before_it() {
        let other = id();
        let busy = Facts { lane_holder: Some((other, DeliveryState::Verifying)), ..queued() };
        assert_eq!(
            of(&busy),
            (Why::LaneBusy { delivery_id: other, state: DeliveryState::Verifying }, Next::Send, None)
        );
        let gated = Facts { lane_gate: Some((later(9), Some("503".into()))), ..queued() };
        assert_eq!(of(&gated), (Why::LaneGated { reason: Some("503".into()) }, Next::Send, Some(later(9))));
        let follows = Facts { after: Some((other, DeliveryState::Unknown)), ..queued() };
        assert_eq!(
            of(&follows),
            (Why::Follows { delivery_id: other, state: DeliveryState::Unknown }, Next::Send, None)
        );
        let free = Facts { after: Some((other, DeliveryState::Sent)), ..queued() };
        assert_eq!(of(&free), (Why::Turn, Next::Send, Some(now())));
    }

    #[test]
    fn what_is_not_due_names_its_time() {
        let planned =
            Facts { due_at: later(3600), next_at: later(3600), account_gate: Some((later(60), None)), ..queued() };
        assert_eq!(of(&planned), (Why::NotDue, Next::Send, Some(later(3600))));
        let quiet = Facts { quiet: true, ..planned };
        assert_eq!(of(&quiet), (Why::QuietHours, Next::Send, Some(later(3600))));
        let put_back = Facts { next_at: later(30), reason: Some("the app's limit".into()), ..queued() };
        assert_eq!(of(&put_back), (Why::PutBack { reason: "the app's limit".into() }, Next::Send, Some(later(30))));
        let retry = Facts {
            state: DeliveryState::Retry,
            next_at: later(8),
            calls: 3,
            reason: Some("503".into()),
            // Its own lane rests for it.
            lane_gate: Some((later(8), Some("503".into()))),
            ..queued()
        };
        assert_eq!(of(&retry), (Why::Retrying { calls: 3, error: Some("503".into()) }, Next::Send, Some(later(8))));
    }

    #[test]
    fn a_worker_that_did_not_finish_is_told() {
        let sending = Facts {
            state: DeliveryState::Sending,
            worker: Some("w1".into()),
            lease_until: Some(later(40)),
            ..queued()
        };
        assert_eq!(of(&sending).0, Why::Sending { worker: Some("w1".into()) });
        let away = Facts { lease_until: Some(later(-1)), ..sending };
        assert_eq!(of(&away), (Why::WorkerAway { worker: Some("w1".into()), since: later(-1) }, Next::ReadBack, None));
    }

    #[test]
    fn what_is_cancelled_during_its_call_says_that_it_is_taken_back() {
        let sending = Facts { state: DeliveryState::Sending, cancel_wanted: true, ..queued() };
        assert_eq!(of(&sending), (Why::TakingBack, Next::Delete, None));
        let unclear = Facts { state: DeliveryState::Verifying, next_at: later(30), ..sending };
        assert_eq!(of(&unclear), (Why::TakingBack, Next::Delete, Some(later(30))));
        // What a person must do comes first.
        let unreadable = Facts { read_failures: 2, ..unclear };
        assert!(matches!(of(&unreadable).0, Why::Unreadable { .. }));
    }

    #[test]
    fn an_unclear_one_is_decided_only_after_its_call_can_have_no_effect_any_more() {
        let unclear = Facts { state: DeliveryState::Unknown, next_at: later(30), ..queued() };
        assert_eq!(of(&unclear), (Why::Unclear, Next::Decide, Some(later(30))));
        let settled = Facts { next_at: later(-30), ..unclear };
        assert_eq!(of(&settled), (Why::Unclear, Next::Decide, None));
    }
}

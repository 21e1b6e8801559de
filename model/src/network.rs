//! The network, and the way to it and back.

use crate::scenario::{Network, Scenario};
use crate::state::{Answer, Doing, KeyClock, Refusal, RowState, Stage, State};

/// A server that does not keep the key yet is about to post, whatever another request does meanwhile.
pub fn look_up_key(state: &mut State, request: usize) {
    state.requests[request].stage = Stage::KeyUnknown;
}

/// The network takes the message: one more post, unless it knows the key.
pub fn land(scenario: &Scenario, state: &mut State, request: usize) {
    let delivery = state.requests[request].delivery;
    let knows_key = scenario.network.has_key()
        && state.shown[delivery].key_kept
        && state.requests[request].stage == Stage::UnderWay;
    if !knows_key {
        note_order(scenario, state, delivery);
        let shown = &mut state.shown[delivery];
        shown.posts = (shown.posts + 1).min(2);
        // Bluesky's record is read by its key, so nothing is behind; a list of posts may be.
        shown.listed = matches!(scenario.network, Network::EternalKey | Network::Steps);
        shown.key_kept = scenario.network.has_key();
    }
    match state.requests[request].owner {
        Some(_) => state.requests[request].stage = Stage::Taken,
        None => drop(state.requests.remove(request)),
    }
}

pub fn refuse(state: &mut State, request: usize, refusal: Refusal) {
    state.left.refusals -= 1;
    if let Some(owner) = state.requests.remove(request).owner {
        state.workers[owner].doing = Doing::Ended(Answer::Refused(refusal));
    }
}

pub fn lose(state: &mut State, request: usize) {
    state.left.losses = state.left.losses.saturating_sub(u8::from(state.network_is_up));
    state.requests.remove(request);
}

pub fn answer(state: &mut State, index: usize) {
    state.requests.retain(|request| request.owner != Some(index));
    state.workers[index].doing = Doing::Ended(Answer::Proof);
}

/// The worker gives up. Its request may still get through.
pub fn time_out(state: &mut State, index: usize) {
    let waited = state.requests.iter().any(|request| request.owner == Some(index));
    if waited && state.network_is_up {
        state.left.timeouts -= 1;
    }
    abandon(state, index);
    state.workers[index].doing = Doing::Ended(Answer::Unclear);
}

/// Nobody waits for this worker's answer any more.
pub fn abandon(state: &mut State, index: usize) {
    state.requests.retain(|request| request.owner != Some(index) || request.stage != Stage::Taken);
    for request in &mut state.requests {
        request.owner = request.owner.filter(|owner| *owner != index);
    }
}

/// Only an old key is forgotten, and none during a call that began while it was fresh.
pub fn may_forget_key(state: &State, delivery: usize) -> bool {
    let on_its_way = state.workers.iter().any(|worker| {
        worker.delivery == delivery && !worker.late && matches!(worker.doing, Doing::Marked | Doing::Checked)
    });
    state.shown[delivery].key_kept
        && state.sql.rows[delivery].key == KeyClock::Old
        && !state.is_under_way(delivery)
        && !on_its_way
}

/// Notes a first post before the one that stands before it on the lane: sent, ended, or waiting for a person's word.
fn note_order(scenario: &Scenario, state: &mut State, delivery: usize) {
    if state.shown[delivery].posts > 0 {
        return;
    }
    for earlier in 0..delivery.min(scenario.deliveries) {
        let row = &state.sql.rows[earlier];
        let stands_aside = row.state.is_end() || matches!(row.state, RowState::Unknown | RowState::HeldLate);
        if state.shown[earlier].posts == 0 && !stands_aside {
            state.order_broken = true;
        }
    }
}

//! What only the clock does.

use crate::state::{Doing, State, Wait};

/// The lease ends. A worker that has not called by now is late.
pub fn lease_passes(state: &mut State, delivery: usize) {
    state.row(delivery).wait = Wait::Settling;
    for worker in &mut state.workers {
        let marked = matches!(worker.doing, Doing::Marking | Doing::Marked);
        worker.late |= marked && worker.delivery == delivery;
    }
}

//! Why a delivery is not out yet, what happens next and when, in the reader's language.

use jiff::Timestamp;

use crate::model::{DeliveryState, Hold};
use crate::standing::{Next, Scope, Why};
use crate::store::deliveries::DeliveryView;
use crate::web::composer::writer_name;
use crate::web::layout::Console;
use crate::web::parts::{delivery_word, network_name};
use crate::web::texts::Text;

/// The sentence; what the network or a person gave as a reason stands beside it.
pub fn sentence(console: &Console, delivery: &DeliveryView) -> String {
    if delivery.deleted_at.is_some() {
        return console.t(Text::DeletedOurs).to_owned();
    }
    let standing = &delivery.standing;
    let t = |text: Text| console.t(text).to_owned();
    let when = soon(console, standing.next_at);
    let fill = |text: Text| console.fill(text, &[&when]);
    match &standing.why {
        Why::NeedsApproval => t(Text::NextWaiting),
        Why::NotDue => fill(Text::NextQueued),
        Why::QuietHours => fill(Text::StandQuiet),
        Why::Stopped(stop) => {
            let (who, since) = (writer_name(console, &stop.stopped_by), console.relative(stop.stopped_at));
            match &stop.scope {
                Scope::All => console.fill(Text::StandStoppedAll, &[&who, &since]),
                Scope::Posts => console.fill(Text::StandStoppedPosts, &[&who, &since]),
                Scope::Account { .. } => console.fill(Text::StandStoppedAccount, &[&who, &since]),
                Scope::App { network, .. } => {
                    console.fill(Text::StandStoppedApp, &[&who, &since, network_name(console, *network)])
                }
            }
        }
        Why::Paused { .. } => t(Text::StandPaused),
        Why::Unauthorized { .. } => t(Text::StandUnauthorized),
        Why::Follows { state, .. } => console.fill(Text::StandFollows, &[console.t(delivery_word(*state))]),
        Why::Probing { .. } => fill(Text::StandProbing),
        Why::AccountGated { .. } => fill(Text::StandAccountGated),
        Why::LaneGated { .. } => fill(Text::StandLaneGated),
        Why::LaneBusy { state, .. } => console.fill(Text::StandLaneBusy, &[console.t(delivery_word(*state))]),
        Why::PutBack { .. } => fill(Text::StandPutBack),
        Why::NoWorker { last_seen: None } => t(Text::StandNoWorker),
        Why::NoWorker { last_seen: Some(seen) } => console.fill(Text::StandWorkerSeen, &[&console.relative(*seen)]),
        Why::Turn => t(Text::NextQueuedNow),
        Why::Retrying { .. } => fill(Text::NextRetry),
        Why::Preparing { .. } => t(Text::NextPreparing),
        Why::Sending { .. } => t(Text::NextSending),
        Why::WorkerAway { .. } if standing.next == Next::Send => t(Text::StandPreparerAway),
        Why::WorkerAway { .. } => t(Text::StandSenderAway),
        Why::TakingBack => t(Text::StandTakingBack),
        Why::ReadBack { seen_absent: false } => fill(Text::StandReadBack),
        Why::ReadBack { seen_absent: true } => fill(Text::StandReadAgain),
        Why::Unreadable { failures, .. } => console.count_and(Text::StandUnreadable, *failures, &[&when]),
        Why::Held { hold: Hold::Late } => t(Text::NextHeld),
        Why::Held { hold: Hold::Restored } => t(Text::StandHeldRestored),
        Why::Held { hold: Hold::Account } => t(Text::StandHeldAccount),
        Why::Held { hold: Hold::Predecessor } => t(Text::StandHeldPredecessor),
        Why::Unclear => t(Text::NextUnknown),
        Why::Ended => t(match delivery.state {
            DeliveryState::Failed => Text::NextFailed,
            DeliveryState::Expired => Text::NextExpired,
            DeliveryState::Cancelled => Text::NextCancelled,
            _ => Text::NextSent,
        }),
    }
}

/// Seconds ahead that are not counted: the page is read later than it was written.
const A_MOMENT: i64 = 10;

/// `5 dk sonra`; what should have come by now, or is about to, comes in a moment.
pub fn soon(console: &Console, at: Option<Timestamp>) -> String {
    match at {
        Some(at) if at.as_second() - console.now.as_second() > A_MOMENT => console.relative(at),
        _ => console.t(Text::InAMoment).to_owned(),
    }
}

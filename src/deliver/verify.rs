//! After an unclear end: asks the network whether the message is out. Sent when it is found, sent again only where that
//! cannot double it, a person's decision where nobody can tell.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Certainty, ConnectorError, Prepared, Publisher, Receipt};
use tracing::{error, info, warn};

use super::attempt::{jitter, refused, retry, storable};
use super::{Ended, Moment, Sender};
use crate::model::Action;
use crate::store::StoreError;
use crate::store::attempts::{Outcome, PROVED_ABSENT, Work};

/// A network's clock may be behind ours by so much: with less, a message would be proved absent by a wrong clock of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(15);
const READ_AT_MOST: Duration = Duration::from_secs(60);
/// From so many failed reads on it is no hiccup any more.
const TROUBLING: u32 = 4;
const FIRST_REREAD: Duration = Duration::from_secs(5);
/// So many calls that end unclearly make a dead letter, about a quarter of an hour after the first: what only this one
/// delivery makes the network fail at does not hold up its lane for a day.
const UNCLEAR_CALLS: u32 = 8;
const LONGEST_REREAD: Duration = Duration::from_secs(5 * 60);

/// What the network said of a message.
enum Seen {
    Here(Receipt),
    NotHere,
    /// What was found is another delivery's: this one may or may not be there too.
    Ambiguous,
}

impl Sender {
    /// Settles a delivery that this worker verifies.
    pub(super) async fn verify(&self, work: Work, moment: Moment) -> Result<Ended, StoreError> {
        if work.action.is_repeatable() {
            let reason = match work.action {
                Action::Delete => "unclear whether it was deleted: it is deleted again",
                _ => "unclear whether it was taken: it is sent again under its id",
            };
            let again = retry(&work, reason.to_owned(), moment.now());
            return self.record(&work, again, moment).await;
        }
        let connector = match self.app.connectors.since(work.account_id, work.account_changed_at).await {
            Ok(connector) => connector,
            Err(error) => return self.unread(&work, error.to_string(), moment).await,
        };
        let Some(publisher) = connector.publisher() else {
            let reason = format!("{} cannot be asked: look at the account", work.network.as_str());
            return self.record(&work, Outcome::Unknown { reason, settles_at: None }, moment).await;
        };
        let certainty = publisher.certainty();
        if certainty == Certainty::None {
            let reason = format!(
                "unclear whether it is out, and {} cannot be asked: look at the account",
                work.network.as_str()
            );
            return self.record(&work, Outcome::Unknown { reason, settles_at: None }, moment).await;
        }
        let seen = match self.while_leased(&work, moment, self.look(&work, publisher)).await {
            Some(Ok(seen)) => seen,
            Some(Err(Look::Store(error))) => return Err(error),
            Some(Err(Look::Network(error))) => return self.not_read(&work, error, moment).await,
            // The process ends, or it is another worker's: whoever has it looks again.
            None => {
                let reason = "the network is asked again".to_owned();
                return self.record(&work, Outcome::Verifying { at: moment.now(), reason }, moment).await;
            }
        };
        let now = moment.now();
        self.reopen(work.account_id, now).await?;
        match (seen, certainty) {
            (Seen::Here(receipt), _) => {
                info!("found on the network");
                self.record(&work, Outcome::Sent { receipt, found: true }, moment).await
            }
            // The network drops a second one with the same key, so sending again cannot double it.
            (seen, Certainty::Key { life }) if self.may_repeat(&work, publisher, life, now).await? => {
                let prepared = work.prepared.clone().unwrap_or_default();
                let otherwise = self.not_found(&work, &seen, now);
                self.call(work, publisher, prepared, otherwise, moment).await
            }
            (seen, _) => {
                let outcome = self.not_found(&work, &seen, now);
                self.record(&work, outcome, moment).await
            }
        }
    }

    /// What a look means that did not find it, where it is not sent again under its key.
    fn not_found(&self, work: &Work, seen: &Seen, now: Timestamp) -> Outcome {
        if matches!(seen, Seen::Ambiguous) {
            let reason = "the network shows the same text from another delivery: look whether it is there twice";
            return Outcome::Unknown { reason: reason.into(), settles_at: None };
        }
        let gap = self.app.config.delivery.read_back_gap;
        match work.absent_since.is_some_and(|first| first + gap <= now) {
            true => proved_absent(work, now),
            false => Outcome::Absent { at: work.absent_since.unwrap_or(now) + gap },
        }
    }

    /// Whether it is sent again under its key without being proved absent: after its first call alone, since what made a
    /// second one end unclearly may do so for ever; and only what could be sent now if it had never been called. Whether
    /// it is still wanted is asked by the mark.
    async fn may_repeat(
        &self,
        work: &Work,
        publisher: &dyn Publisher,
        life: Duration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_first = work.attempts <= 1 && work.absent_since.is_none() && self.key_lives(work, life, now);
        let is_its_time = !work.is_late(now) && !work.is_quiet(now);
        let may_go = is_first && is_its_time && refused(&self.app, work, publisher, now).is_none();
        Ok(may_go && self.over_budget(work, now).await?.is_none())
    }

    /// Whether a call that starts now ends well before the network forgets the key. Half of its documented life, since
    /// a cache may drop it earlier.
    fn key_lives(&self, work: &Work, life: Duration, now: Timestamp) -> bool {
        let first = work.first_called_at.unwrap_or(work.created_at);
        now + super::attempt::call_timeout(&self.app, work) < first + life / 2
    }

    async fn look(&self, work: &Work, publisher: &dyn Publisher) -> Result<Seen, Look> {
        let since = work.first_called_at.unwrap_or(work.created_at) - CLOCKS_DIFFER;
        // The same text may be out from other deliveries: their messages are not this one's.
        let taken = self.app.store.taken_refs(work, since - CLOCKS_DIFFER).await.map_err(Look::Store)?;
        let message = work.outgoing();
        let none = Prepared::default();
        let find = publisher.find(&message, work.prepared.as_ref().unwrap_or(&none), since, &taken);
        let unavailable = |what: &str| Look::Network(ConnectorError::Unavailable(what.into()));
        match tokio::time::timeout(READ_AT_MOST, AssertUnwindSafe(find).catch_unwind()).await {
            Ok(Ok(Ok(Some(receipt)))) if taken.contains(&receipt.remote_id) => Ok(Seen::Ambiguous),
            Ok(Ok(Ok(Some(receipt)))) => Ok(Seen::Here(storable(receipt))),
            Ok(Ok(Ok(None))) => Ok(Seen::NotHere),
            Ok(Ok(Err(error))) => Err(Look::Network(error)),
            Ok(Err(_)) => Err(unavailable("a mistake of ours while reading back (see the log)")),
            Err(_) => Err(unavailable("the network did not answer in time")),
        }
    }

    /// The read-back failed: it stays to be verified, without a limit, and people hear of it.
    async fn not_read(&self, work: &Work, error: ConnectorError, moment: Moment) -> Result<Ended, StoreError> {
        let reason = error.to_string();
        match error {
            ConnectorError::Rejected(_) => {
                let reason = format!("{reason}: {} cannot tell whether it is out", work.network.as_str());
                self.record(work, Outcome::Unknown { reason, settles_at: None }, moment).await
            }
            ConnectorError::RateLimited(wait) => {
                let at = moment.now() + wait.clamp(FIRST_REREAD, Duration::from_secs(24 * 3600));
                self.record(work, Outcome::Unread { at, reason }, moment).await
            }
            ConnectorError::Unauthorized(_) => {
                self.note_refused(work.account_id, &reason).await?;
                self.unread(work, reason, moment).await
            }
            _ => self.unread(work, reason, moment).await,
        }
    }

    async fn unread(&self, work: &Work, reason: String, moment: Moment) -> Result<Ended, StoreError> {
        let failures = work.read_failures + 1;
        match failures >= TROUBLING {
            true => {
                error!(failures, reason, "the network cannot be asked whether a delivery is out, it is asked again")
            }
            false => {
                warn!(failures, reason, "the network cannot be asked whether a delivery is out, it is asked again")
            }
        }
        let longest = FIRST_REREAD.saturating_mul(2u32.saturating_pow(work.read_failures.min(8))).min(LONGEST_REREAD);
        let at = moment.now() + jitter(longest);
        self.record(work, Outcome::Unread { at, reason }, moment).await
    }
}

/// It is certainly not out: sent again at once after its first call, since proving it took a minute, and after pauses that
/// grow from then on, but not without end: others wait behind it.
fn proved_absent(work: &Work, now: Timestamp) -> Outcome {
    match work.attempts {
        ..=1 => Outcome::Requeued,
        calls if calls >= UNCLEAR_CALLS && !work.cancel_wanted => Outcome::Failed {
            reason: format!(
                "{calls} calls ended unclearly, and each time it was looked for twice and not found: it is not out"
            ),
        },
        _ => retry(work, PROVED_ABSENT.to_owned(), now),
    }
}

/// Why a look gave nothing.
enum Look {
    Network(ConnectorError),
    Store(StoreError),
}

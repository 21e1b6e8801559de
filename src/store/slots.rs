//! When what a person releases goes out: never two of an account closer together than the spacing.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::rows::Cells;
use super::{StoreError, Tx, micros};
use crate::model::{AccountId, DeliveryId};

/// How far ahead times that are taken are looked for, in spacings: what a person moved to next month is in nobody's way.
const AHEAD: u32 = 1000;

/// The free times of an account, the earliest first.
pub(in crate::store) struct Slots {
    /// Given by a person to others of the account, in order.
    taken: VecDeque<Timestamp>,
    next: Timestamp,
    spacing: Duration,
}

impl Slots {
    /// From `now` on, between what a person gave a time on the account; the times of `besides` are free, and of what goes
    /// out with its predecessor.
    pub(in crate::store) async fn of(
        tx: &mut Tx,
        account: AccountId,
        besides: &HashSet<DeliveryId>,
        spacing: Duration,
        now: Timestamp,
    ) -> Result<Slots, StoreError> {
        let rows = sqlx::query(
            "SELECT id, due_at FROM deliveries
             WHERE account_id = $1 AND due_at > $2 AND due_at <= $3 AND decided_by IS NOT NULL AND state = 'queued'
                AND after_id IS NULL
             ORDER BY due_at",
        )
        .bind(account.to_string())
        .bind(micros(now - spacing))
        .bind(micros(now + spacing * AHEAD))
        .fetch_all(&mut **tx)
        .await?;
        let mut taken = VecDeque::with_capacity(rows.len());
        for row in &rows {
            if !besides.contains(&row.word("id")?) {
                taken.push_back(row.time("due_at")?);
            }
        }
        Ok(Slots { taken, next: now, spacing })
    }

    /// The next one; no other gets it.
    pub(in crate::store) fn take(&mut self) -> Timestamp {
        while let Some(taken) = self.taken.front().filter(|taken| **taken < self.next + self.spacing) {
            self.next = self.next.max(*taken + self.spacing);
            self.taken.pop_front();
        }
        let slot = self.next;
        self.next = slot + self.spacing;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_distance_from_each_other_and_from_what_is_planned() {
        let now = Timestamp::from_second(1_800_000_000).expect("in range");
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let mut slots = Slots { taken: [at(20), at(150), at(400)].into(), next: now, spacing: Duration::from_secs(60) };
        // 20 s leaves no room before it, and between 20 and 150 s there is room for one.
        assert_eq!([slots.take(), slots.take(), slots.take(), slots.take()], [at(80), at(210), at(270), at(330)]);
        assert_eq!(slots.take(), at(460));
        let mut at_once = Slots { taken: VecDeque::new(), next: now, spacing: Duration::ZERO };
        assert_eq!([at_once.take(), at_once.take()], [now, now]);
    }
}

//! What comes next of a recurring post.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::RecurrenceAccount;
use crate::model::{AccountId, RecurrenceId};
use crate::recurring::{HORIZON, Rule, date_of};
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, micros};

/// Coming occurrences that a view names.
const NAMED: usize = 5;

impl Store {
    /// When the next occurrences go out. A date whose occurrences are all out, cancelled or held for a person is not among
    /// them.
    pub(super) async fn next_occurrences(
        &self,
        id: RecurrenceId,
        rule: &Rule,
        accounts: &[RecurrenceAccount],
        effective_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        // An occurrence is made at most the horizon ahead of its date: due earlier, none has a date to come.
        let rows = sqlx::query(
            "SELECT d.account_id, d.idem_key, d.due_at,
                CASE WHEN d.state IN ('waiting', 'queued', 'preparing', 'retry') THEN 1 ELSE 0 END AS goes
             FROM deliveries d JOIN posts p ON p.id = d.post_id
             WHERE p.recurrence_id = $1 AND d.action = 'publish' AND d.due_at >= $2",
        )
        .bind(id.to_string())
        .bind(micros(now.saturating_sub(HORIZON).unwrap_or(Timestamp::MIN)))
        .fetch_all(self.pool())
        .await?;
        let mut made: HashSet<(AccountId, Date)> = HashSet::new();
        let mut next = BTreeSet::new();
        for row in &rows {
            let Some(date) = date_of(id, &row.text("idem_key")?) else { continue };
            made.insert((row.word("account_id")?, date));
            let due_at = row.time("due_at")?;
            if row.number("goes")? == 1 && due_at > now {
                next.insert(due_at);
            }
        }
        let unmade = |date: Date| accounts.iter().any(|account| !made.contains(&(account.account_id, date)));
        let by_rule = rule.moments(now.max(effective_at)).filter(|(date, _)| unmade(*date)).take(NAMED);
        next.extend(by_rule.map(|(_, at)| at));
        Ok(next.into_iter().take(NAMED).collect())
    }
}

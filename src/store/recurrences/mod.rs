//! Recurring posts: their rules, and how far their occurrences are made.

mod change;
mod next;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

pub use change::{Changed, Rewritten};

use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::model::{AccountId, Missed, Network, RecurrenceId, RecurrenceState};
use crate::recurring::Rule;

/// When a delivery that moves to a time expires: an occurrence may be as late then as before, and what a person let expire
/// at a time expires then.
macro_rules! moved_expiry {
    ($to:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM posts p WHERE p.id = deliveries.post_id AND p.recurrence_id IS NOT NULL)
                THEN expires_at + (",
            $to,
            " - due_at) ELSE expires_at END"
        )
    };
}
pub(in crate::store) use moved_expiry;

/// A recurring post as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecurrence {
    pub rule: Rule,
    pub missed: Missed,
    /// Each account once, with its own text.
    pub texts: Vec<(AccountId, String)>,
}

/// A recurring post as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecurrenceView {
    pub id: RecurrenceId,
    pub rule: Rule,
    pub missed: Missed,
    pub state: RecurrenceState,
    pub accounts: Vec<RecurrenceAccount>,
    /// When its next occurrences go out: those that are planned when they are due, wherever they were moved to, and those
    /// further ahead by the rule. None while it is paused.
    pub next: Vec<Timestamp>,
    pub author: String,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    /// Nothing due before is made: when it was made, last changed or resumed; or earlier, where it was resumed while an
    /// occurrence waited for the end of quiet hours.
    pub effective_at: Timestamp,
    pub paused_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Goes up with every change.
    pub revision: i64,
}

/// One account of a recurring post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecurrenceAccount {
    pub account_id: AccountId,
    pub account: String,
    #[schema(value_type = String)]
    pub network: Network,
    pub text: String,
    /// Occurrences up to this local date are made.
    #[schema(value_type = Option<String>, format = Date)]
    pub made_through: Option<Date>,
    /// Dates that passed before their occurrence could be made.
    pub skipped: i64,
    /// Why the next occurrence cannot be made; it is tried again.
    pub problem: Option<String>,
}

/// How far one account's occurrences are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub made_through: Option<Date>,
    /// How many more dates were passed over.
    pub skipped: i64,
    pub problem: Option<String>,
}

const VIEW: &str =
    "SELECT id, rule, missed, author, revision, effective_at, paused_at, ended_at, created_at, changed_at
    FROM recurrences";

impl Store {
    /// Stores a recurring post. The same key twice is the same one; its occurrences are not made yet.
    pub async fn add_recurrence(
        &self,
        new: &NewRecurrence,
        key: Option<&str>,
        who: &str,
    ) -> Result<RecurrenceId, StoreError> {
        let now = self.clock();
        let id = RecurrenceId::new(now);
        let mut tx = self.begin().await?;
        let added = sqlx::query(
            "INSERT INTO recurrences (id, rule, missed, author, idem_key, effective_at, next_at, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $6) ON CONFLICT (idem_key) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(json!(new.rule).to_string())
        .bind(new.missed.as_str())
        .bind(who)
        .bind(key)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            drop(tx);
            return self.same_recurrence(new, key.unwrap_or_default()).await;
        }
        put_accounts(&mut tx, id, new).await?;
        audit::write(&mut tx, now, who, "recurrence.add", &id.to_string(), json!({})).await?;
        events::write(&mut tx, now, "recurrence", &id.to_string()).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The recurring post that was made with this key.
    pub async fn recurrence_of_key(&self, key: &str) -> Result<Option<RecurrenceId>, StoreError> {
        let row =
            sqlx::query("SELECT id FROM recurrences WHERE idem_key = $1").bind(key).fetch_optional(self.pool()).await?;
        row.map(|row| row.word("id")).transpose()
    }

    async fn same_recurrence(&self, new: &NewRecurrence, key: &str) -> Result<RecurrenceId, StoreError> {
        let known =
            self.recurrence_of_key(key).await?.ok_or_else(|| StoreError::Busy("the key is just being used".into()))?;
        let known = self.recurrence(known).await?;
        let texts: Vec<_> = known.accounts.iter().map(|account| (account.account_id, account.text.clone())).collect();
        let is_same = known.rule == new.rule
            && known.missed == new.missed
            && texts.len() == new.texts.len()
            && new.texts.iter().all(|text| texts.contains(text));
        match is_same {
            true => Ok(known.id),
            false => Err(StoreError::Conflict(format!(
                "the key was used before for recurring post {} with other content; use a new key",
                known.id
            ))),
        }
    }

    /// Every recurring post, the newest first.
    pub async fn recurrences(&self) -> Result<Vec<RecurrenceView>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} ORDER BY created_at DESC, id DESC")))
            .fetch_all(self.pool())
            .await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            views.push(self.recurrence_view(row).await?);
        }
        Ok(views)
    }

    pub async fn recurrence(&self, id: RecurrenceId) -> Result<RecurrenceView, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{VIEW} WHERE id = $1")))
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("recurring post {id} does not exist")))?;
        self.recurrence_view(&row).await
    }

    async fn recurrence_view(&self, row: &AnyRow) -> Result<RecurrenceView, StoreError> {
        let id: RecurrenceId = row.word("id")?;
        let rule: Rule = row.json("rule")?;
        let accounts = sqlx::query(
            "SELECT r.account_id, a.name, a.network, r.text, r.made_through, r.skipped, r.problem
             FROM recurrence_accounts r JOIN accounts a ON a.id = r.account_id
             WHERE r.recurrence_id = $1 ORDER BY a.name",
        )
        .bind(id.to_string())
        .fetch_all(self.pool())
        .await?;
        let (paused_at, ended_at) = (row.maybe_time("paused_at")?, row.maybe_time("ended_at")?);
        let effective_at = row.time("effective_at")?;
        let accounts = accounts.iter().map(account).collect::<Result<Vec<_>, _>>()?;
        let now = self.clock();
        let (state, next) = match (ended_at, paused_at) {
            (Some(_), _) => (RecurrenceState::Ended, Vec::new()),
            (None, Some(_)) if rule.moments(now).next().is_none() => (RecurrenceState::Finished, Vec::new()),
            (None, Some(_)) => (RecurrenceState::Paused, Vec::new()),
            (None, None) => match self.next_occurrences(id, &rule, &accounts, effective_at, now).await? {
                none if none.is_empty() => (RecurrenceState::Finished, none),
                next => (RecurrenceState::Active, next),
            },
        };
        Ok(RecurrenceView {
            id,
            missed: row.word("missed")?,
            state,
            accounts,
            next,
            author: row.text("author")?,
            created_at: row.time("created_at")?,
            changed_at: row.time("changed_at")?,
            effective_at,
            paused_at,
            ended_at,
            revision: row.number("revision")?,
            rule,
        })
    }

    /// Recurring posts that somebody should look at by now.
    pub async fn due_recurrences(&self, now: Timestamp, limit: i64) -> Result<Vec<RecurrenceId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM recurrences WHERE ended_at IS NULL AND paused_at IS NULL AND next_at <= $1
             ORDER BY EXISTS (SELECT 1 FROM recurrence_accounts a
                WHERE a.recurrence_id = recurrences.id AND a.problem IS NOT NULL), next_at LIMIT $2",
        )
        .bind(micros(now))
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(|row| row.word("id")).collect()
    }

    /// Notes how far an account's occurrences are made, if neither the rule nor another process went on meanwhile.
    pub async fn note_progress(
        &self,
        recurrence: &RecurrenceView,
        account: &RecurrenceAccount,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE recurrence_accounts SET made_through = $3, skipped = skipped + $4, problem = $5
             WHERE recurrence_id = $1 AND account_id = $2 AND COALESCE(made_through, '') = $6
                AND recurrence_id IN (SELECT id FROM recurrences WHERE id = $1 AND revision = $7)",
        )
        .bind(recurrence.id.to_string())
        .bind(account.account_id.to_string())
        .bind(progress.made_through.map(|date| date.to_string()))
        .bind(progress.skipped)
        .bind(progress.problem.as_deref())
        .bind(account.made_through.map(|date| date.to_string()).unwrap_or_default())
        .bind(recurrence.revision)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Says when a recurring post is looked at next, unless its rule changed meanwhile.
    pub async fn look_again_at(&self, recurrence: &RecurrenceView, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE recurrences SET next_at = $3 WHERE id = $1 AND revision = $2")
            .bind(recurrence.id.to_string())
            .bind(recurrence.revision)
            .bind(micros(at))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

/// Until the end of this transaction nobody changes the recurring post or makes an occurrence of it.
async fn locked(tx: &mut Tx, id: RecurrenceId) -> Result<AnyRow, StoreError> {
    tx.alone(&format!("recurrence {id}")).await?;
    sqlx::query("SELECT revision, paused_at, ended_at FROM recurrences WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("recurring post {id} does not exist")))
}

/// Whether an occurrence made under `revision` is still wanted; locks the recurring post until the transaction ends.
pub(in crate::store) async fn still_wants(tx: &mut Tx, id: RecurrenceId, revision: i64) -> Result<(), StoreError> {
    let row = locked(tx, id).await?;
    let rests = row.maybe_time("paused_at")?.is_some() || row.maybe_time("ended_at")?.is_some();
    match row.number("revision")? == revision && !rests {
        true => Ok(()),
        false => Err(StoreError::Conflict(format!(
            "recurring post {id} was changed in this moment: its occurrences are made by its new rule"
        ))),
    }
}

async fn put_accounts(tx: &mut Tx, id: RecurrenceId, new: &NewRecurrence) -> Result<(), StoreError> {
    for (account, text) in &new.texts {
        sqlx::query("INSERT INTO recurrence_accounts (recurrence_id, account_id, text) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(account.to_string())
            .bind(text)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

fn account(row: &AnyRow) -> Result<RecurrenceAccount, StoreError> {
    Ok(RecurrenceAccount {
        account_id: row.word("account_id")?,
        account: row.text("name")?,
        network: row.word("network")?,
        text: row.text("text")?,
        made_through: row.maybe_word("made_through")?,
        skipped: row.number("skipped")?,
        problem: row.maybe_text("problem")?,
    })
}

//! What people have stopped, and how it goes on again without a burst.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::attempts::event;
use super::quiet::keeping;
use super::recurrences::moved_expiry;
use super::rows::Cells;
use super::slots::Slots;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::model::{AccountId, DeliveryId, Hold};
use crate::quiet::Keeping;
use crate::standing::{Scope, Sent, Stop};

/// The database's times are no finer.
const A_MICROSECOND: Duration = Duration::from_micros(1);
/// With the names of people.
const STOPS: &str = "
    SELECT scope, reason, COALESCE((SELECT u.name FROM users u WHERE u.id = stopped_by), stopped_by) AS stopped_by,
        stopped_at
    FROM stops";

/// What goes out when something is released or resumed, and over how long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Release {
    /// Posts, and whatever else was held, that go out one after the other; when a stop ends, also the posts planned for
    /// meanwhile, which keep their place behind those that waited.
    pub spaced: i64,
    /// Accounts they go out on, side by side.
    pub accounts: i64,
    /// Seconds between two of an account.
    pub spacing_seconds: u64,
    /// When the last of them goes out; missing where there is none.
    pub last_at: Option<Timestamp>,
    /// Answers and deletions that waited: they go out at once, within their account's rate limit.
    pub at_once: i64,
    /// Too late by now: held for a person.
    pub held: i64,
    /// Released, and due later: they go out at their own times.
    pub later: i64,
}

/// A delivery that waited, and when it goes out.
struct Due {
    id: DeliveryId,
    epoch: i64,
    due_at: Timestamp,
    /// Its new time; as it was where that is missing.
    at: Option<Timestamp>,
}

impl Store {
    /// What is stopped, the widest first.
    pub async fn stops(&self) -> Result<Vec<Stop>, StoreError> {
        let rows = sqlx::query(STOPS).fetch_all(self.pool()).await?;
        let mut stops = rows.iter().map(read_stop).collect::<Result<Vec<_>, _>>()?;
        stops.sort_by(|left, right| left.scope.cmp(&right.scope));
        Ok(stops)
    }

    /// Stops every call of a scope that publishes or deletes, in every process, from this commit on. What is being called
    /// ends; so does what a worker was marking at the same moment, which [`Store::under_way`] counts once that is committed.
    /// Stopped again, the first stop stays.
    pub async fn stop(&self, scope: &Scope, reason: &str, who: &str) -> Result<(), StoreError> {
        if let Scope::Account { account_id } = scope {
            self.account(*account_id).await?;
        }
        let now = self.clock();
        let mut tx = self.begin().await?;
        let added = sqlx::query(
            "INSERT INTO stops (scope, reason, stopped_by, stopped_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope) DO NOTHING",
        )
        .bind(scope.to_string())
        .bind(reason)
        .bind(who)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if added > 0 {
            audit::write(&mut tx, now, who, "sending.stop", &scope.to_string(), json!({})).await?;
            events::write(&mut tx, now, "account", &scope.to_string()).await?;
        }
        tx.commit().await
    }

    /// Opens a scope again. Posts that became due meanwhile go out spaced on each account, answers at once; what became
    /// late is held, not fired.
    pub async fn resume(&self, scope: &Scope, spacing: Duration, who: &str) -> Result<Release, StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let stopped =
            sqlx::query("DELETE FROM stops WHERE scope = $1").bind(scope.to_string()).execute(&mut *tx).await?;
        if stopped.rows_affected() == 0 {
            return Ok(Release { spacing_seconds: spacing.as_secs(), ..Release::default() });
        }
        let release = let_out(&mut tx, scope, spacing, Some(who), now).await?;
        let detail = json!({ "spaced": release.spaced, "at_once": release.at_once, "held": release.held });
        audit::write(&mut tx, now, who, "sending.resume", &scope.to_string(), detail).await?;
        events::write(&mut tx, now, "account", &scope.to_string()).await?;
        tx.commit().await?;
        Ok(release)
    }

    /// What [`Store::resume`] would let out now.
    pub async fn resume_plan(&self, scope: &Scope, spacing: Duration) -> Result<Release, StoreError> {
        let now = self.clock();
        let mut others = self.stops().await?;
        others.retain(|stop| stop.scope != *scope);
        let mut tx = self.begin_reading().await?;
        Ok(waited(&mut tx, scope, &others, spacing, now).await?.0)
    }

    /// What releasing everything held for `hold` on an account, or on all, would let out now.
    pub async fn release_plan(
        &self,
        hold: Hold,
        account: Option<AccountId>,
        spacing: Duration,
    ) -> Result<Release, StoreError> {
        let now = self.clock();
        let mut tx = self.begin_reading().await?;
        let rows = sqlx::query(
            "SELECT account_id, COUNT(*) AS held, CAST(SUM(CASE WHEN due_at > $3 THEN 1 ELSE 0 END) AS BIGINT) AS later
             FROM deliveries
             WHERE state = 'held' AND hold = $1 AND account_id = COALESCE($2, account_id) GROUP BY account_id",
        )
        .bind(hold.as_str())
        .bind(account.map(|id| id.to_string()))
        .bind(micros(now))
        .fetch_all(&mut *tx)
        .await?;
        let mut release = Release { spacing_seconds: spacing.as_secs(), ..Release::default() };
        for row in &rows {
            let later = row.number("later")?;
            let count = row.number("held")? - later;
            release.later += later;
            if count == 0 {
                continue;
            }
            let mut slots = Slots::of(&mut tx, row.word("account_id")?, &HashSet::new(), spacing, now).await?;
            release.last_at = release.last_at.max((0..count).map(|_| slots.take()).last());
            release.spaced += count;
            release.accounts += 1;
        }
        Ok(release)
    }

    /// How many calls and preparations of a scope are still under way: it is drained when there is none.
    pub async fn under_way(&self, scope: &Scope) -> Result<i64, StoreError> {
        let rows = sqlx::query(
            "SELECT d.account_id, d.post_id, d.action, a.network, a.base_url
             FROM deliveries d JOIN accounts a ON a.id = d.account_id
             WHERE d.state IN ('preparing', 'sending', 'verifying') AND d.state <> 'verifying'",
        )
        .fetch_all(self.pool())
        .await?;
        let mut count = 0;
        for row in &rows {
            count += i64::from(is_covered(scope, row)?);
        }
        Ok(count)
    }
}

fn read_stop(row: &AnyRow) -> Result<Stop, StoreError> {
    Ok(Stop {
        scope: row.word("scope")?,
        reason: row.text("reason")?,
        stopped_by: row.text("stopped_by")?,
        stopped_at: row.time("stopped_at")?,
    })
}

fn is_covered(scope: &Scope, row: &AnyRow) -> Result<bool, StoreError> {
    let base_url = row.maybe_text("base_url")?;
    Ok(scope.covers(&Sent {
        account_id: row.word("account_id")?,
        network: row.word("network")?,
        base_url: base_url.as_deref(),
        is_post: row.maybe_text("post_id")?.is_some() && row.text("action")? == "publish",
    }))
}

/// Gives what waited for a scope that is open now its times: posts one after the other on each account, answers at once.
/// Where nobody let it out (`who`), its times are nobody's word, and quiet hours go on to move them.
pub(in crate::store) async fn let_out(
    tx: &mut Tx,
    scope: &Scope,
    spacing: Duration,
    who: Option<&str>,
    now: Timestamp,
) -> Result<Release, StoreError> {
    let stops = sqlx::query(STOPS).fetch_all(&mut **tx).await?;
    let stops = stops.iter().map(read_stop).collect::<Result<Vec<_>, _>>()?;
    let (release, due) = waited(tx, scope, &stops, spacing, now).await?;
    for Due { id, epoch, due_at, at } in &due {
        // Touched in any case, so that every process looks at it again.
        sqlx::query(concat!(
            "UPDATE deliveries SET due_at = COALESCE($3, due_at), next_at = COALESCE($3, next_at),
                expires_at = ",
            moved_expiry!("COALESCE($3, due_at)"),
            ",
                decided_by = COALESCE($5, decided_by), epoch = epoch + 1, changed_at = $4
             WHERE id = $1 AND epoch = $2 AND state IN ('queued', 'retry')"
        ))
        .bind(id.to_string())
        .bind(epoch)
        .bind(at.map(micros))
        .bind(micros(now))
        .bind(at.and(who))
        .execute(&mut **tx)
        .await?;
        event(tx, *id, now).await?;
        // What credentials that come and go move each time is nobody's act.
        if let (Some(at), Some(who)) = (at, who) {
            let detail = json!({ "from": due_at, "to": at });
            audit::write(tx, now, who, "delivery.move", &id.to_string(), detail).await?;
        }
    }
    Ok(release)
}

/// What of a scope is due and waits for nothing but that, and for none of the other stops; the posts among it get times of
/// their own, and so do those planned for a time before the last of them: an account's posts keep their order.
async fn waited(
    tx: &mut Tx,
    scope: &Scope,
    others: &[Stop],
    spacing: Duration,
    now: Timestamp,
) -> Result<(Release, Vec<Due>), StoreError> {
    let rows = sqlx::query(
        "SELECT d.id, d.account_id, d.epoch, d.due_at, d.late_limit, d.post_id, d.action, a.network, a.base_url
         FROM deliveries d JOIN accounts a ON a.id = d.account_id
         WHERE d.state IN ('queued', 'retry') AND d.next_at <= $1 AND a.paused_at IS NULL
         ORDER BY d.due_at, d.seq",
    )
    .bind(micros(now))
    .fetch_all(&mut **tx)
    .await?;
    let mut release = Release { spacing_seconds: spacing.as_secs(), ..Release::default() };
    let mut next: HashMap<AccountId, Timestamp> = HashMap::new();
    let mut keeps: HashMap<AccountId, Keeping> = HashMap::new();
    let mut due = Vec::new();
    for row in &rows {
        if !is_covered(scope, row)? {
            continue;
        }
        let mut is_stopped = false;
        for other in others {
            is_stopped |= is_covered(&other.scope, row)?;
        }
        if is_stopped {
            continue;
        }
        let (id, epoch) = (row.word("id")?, row.number("epoch")?);
        let due_at = row.time("due_at")?;
        if due_at + Duration::from_micros(row.number("late_limit")?.max(0).unsigned_abs()) < now {
            release.held += 1;
            continue;
        }
        if row.maybe_text("post_id")?.is_none() || row.text("action")? != "publish" {
            release.at_once += 1;
            due.push(Due { id, epoch, due_at, at: None });
            continue;
        }
        let account: AccountId = row.word("account_id")?;
        let keeping = match keeps.entry(account) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(keeping(tx, account, spacing).await?),
        };
        // The first at once: what was released for later was due after it.
        let at = keeping.outside(next.get(&account).copied().unwrap_or(now));
        next.insert(account, at + spacing);
        release.spaced += 1;
        release.last_at = release.last_at.max(Some(at));
        due.push(Due { id, epoch, due_at, at: (at > now).then_some(at) });
    }
    release.accounts = keeps.len() as i64;
    for (account, mut next) in next {
        // One alone goes out now, and is in nobody's way.
        let Some(keeping) = keeps.get(&account).filter(|_| next > now + spacing) else { continue };
        for overtaking in overtaking(tx, account, &mut next, keeping, now).await? {
            release.spaced += 1;
            release.last_at = release.last_at.max(overtaking.at);
            due.push(overtaking);
        }
    }
    Ok((release, due))
}

/// The account's posts that are planned for before `next`, each with its new time: the spacing after the one before, and
/// outside of quiet hours.
async fn overtaking(
    tx: &mut Tx,
    account: AccountId,
    next: &mut Timestamp,
    keeping: &Keeping,
    now: Timestamp,
) -> Result<Vec<Due>, StoreError> {
    let (mut moved, mut from) = (Vec::new(), now + A_MICROSECOND);
    while from < *next {
        let until = *next;
        let rows = sqlx::query(
            "SELECT id, epoch, due_at FROM deliveries
             WHERE account_id = $1 AND due_at >= $2 AND due_at < $3 AND state IN ('queued', 'retry')
                AND post_id IS NOT NULL AND action = 'publish' AND after_id IS NULL
             ORDER BY due_at, seq",
        )
        .bind(account.to_string())
        .bind(micros(from))
        .bind(micros(until))
        .fetch_all(&mut **tx)
        .await?;
        for row in &rows {
            let due_at = row.time("due_at")?;
            let at = keeping.outside(*next);
            moved.push(Due { id: row.word("id")?, epoch: row.number("epoch")?, due_at, at: Some(at) });
            *next = at + keeping.spacing;
        }
        from = until;
    }
    Ok(moved)
}

/// The apps that the accounts which publish share, by what a person calls them, with how many accounts each.
pub fn apps<'a>(accounts: impl Iterator<Item = &'a super::accounts::Account>) -> BTreeMap<Scope, usize> {
    let mut apps = BTreeMap::new();
    for account in accounts {
        *apps.entry(account.app()).or_insert(0) += 1;
    }
    apps
}

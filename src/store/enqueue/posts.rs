//! Posts in the outbox: one, or several in one transaction, unless nearly the same is planned for the account and day.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::{Body, Enqueued, NewDelivery, Obstacle, insert, same_key};
use crate::model::{AccountId, Action, DeliveryId, DeliveryState, PostId, RecurrenceId};
use crate::store::recurrences::still_wants;
use crate::store::rows::Cells;
use crate::store::{Store, StoreError, Tx, audit, campaigns, micros, quiet};

/// Words that two texts share, of all they have, from which on they count as nearly the same.
const NEARLY_THE_SAME: f64 = 0.8;
/// Posts of one day and account that are compared.
const COMPARED: i64 = 500;

/// A post to be stored.
#[derive(Debug, Clone)]
pub struct NewPost {
    pub delivery: NewDelivery,
    /// Its words, folded: what others of its day are compared with.
    pub fingerprint: String,
    /// The account's calendar day in which nothing nearly the same may be planned; missing where a person confirmed it.
    pub day: Option<(Timestamp, Timestamp)>,
    /// The time between two that wait for the end of quiet hours.
    pub spacing: Duration,
}

/// What a post belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of a campaign, made with its first post where there is none.
    pub campaign: Option<String>,
    pub occurrence: Option<Occurrence>,
}

/// The recurring post that makes a post, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    pub recurrence: RecurrenceId,
    pub revision: i64,
}

/// What became of posts that are planned together.
#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// Each of them, in the order asked for.
    All(Vec<Enqueued>),
    /// None, because of what stands in the way of the one at `index`.
    None { index: usize, why: Obstacle },
    /// None, because these two places are nearly the same post of one account and day.
    Alike { earlier: usize, later: usize },
}

/// What is no other post to the one that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Besides {
    Nothing,
    /// The occurrences of a recurring post.
    Recurrence(RecurrenceId),
    Delivery(DeliveryId),
}

impl Store {
    /// Stores a post and its delivery, unless its key was used or nearly the same text is planned for its day. One that
    /// falls into quiet hours moves past their end, after those that wait there and were wanted before.
    pub async fn enqueue_post(&self, post: &NewPost, origin: &Origin, now: Timestamp) -> Result<Enqueued, StoreError> {
        match self.enqueue_post_once(post, origin, now).await {
            // The same key came in the same moment, from another process: it is there now.
            Err(error) if error.is_unique() => self.enqueue_post_once(post, origin, now).await,
            enqueued => enqueued,
        }
    }

    async fn enqueue_post_once(&self, post: &NewPost, origin: &Origin, now: Timestamp) -> Result<Enqueued, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(occurrence) = origin.occurrence {
            still_wants(&mut tx, occurrence.recurrence, occurrence.revision).await?;
        }
        quiet::alone_with_posts(&mut tx, post.delivery.account_id).await?;
        let enqueued = plan(&mut tx, post, origin, now).await?;
        if let Enqueued::New(_) = enqueued {
            tx.commit().await?;
        }
        Ok(enqueued)
    }

    /// As [`Store::enqueue_post`] for several in one transaction: all of them are stored, or none. Those before one in
    /// `posts` are earlier ones to it.
    pub async fn enqueue_posts(
        &self,
        posts: &[NewPost],
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Planned, StoreError> {
        match self.enqueue_posts_once(posts, origin, now).await {
            Err(error) if error.is_unique() => self.enqueue_posts_once(posts, origin, now).await,
            planned => planned,
        }
    }

    async fn enqueue_posts_once(
        &self,
        posts: &[NewPost],
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Planned, StoreError> {
        let mut tx = self.begin().await?;
        let accounts: BTreeSet<AccountId> = posts.iter().map(|post| post.delivery.account_id).collect();
        for account in accounts {
            quiet::alone_with_posts(&mut tx, account).await?;
        }
        // Lanes are locked in the order in which workers lock several.
        let mut order: Vec<usize> = (0..posts.len()).collect();
        order.sort_by_key(|index| posts[*index].delivery.lane.as_str());
        let mut all = vec![None; posts.len()];
        let mut places: HashMap<DeliveryId, usize> = HashMap::new();
        for index in order {
            let enqueued = plan(&mut tx, &posts[index], origin, now).await?;
            match &enqueued {
                Enqueued::New(id) => _ = places.insert(*id, index),
                Enqueued::Same(_) => {}
                Enqueued::Refused(why) => {
                    let sibling = match why {
                        Obstacle::NearDuplicate { earlier, .. } => places.get(earlier),
                        _ => None,
                    };
                    return Ok(match sibling {
                        Some(earlier) => Planned::Alike { earlier: *earlier, later: index },
                        None => Planned::None { index, why: why.clone() },
                    });
                }
            }
            all[index] = Some(enqueued);
        }
        tx.commit().await?;
        Ok(Planned::All(all.into_iter().flatten().collect()))
    }

    /// The earliest post of the account in `day` whose words are nearly the same, and when it is due.
    pub async fn near_post(
        &self,
        account: AccountId,
        fingerprint: &str,
        day: (Timestamp, Timestamp),
        besides: Besides,
    ) -> Result<Option<(DeliveryId, Timestamp)>, StoreError> {
        let mut tx = self.begin_reading().await?;
        near_duplicate(&mut tx, account, fingerprint, day, besides).await
    }

    /// Another post of its account in `day` whose words are nearly the same as those of a delivery; none where it is no
    /// post.
    pub async fn near_delivery(
        &self,
        id: DeliveryId,
        day: (Timestamp, Timestamp),
    ) -> Result<Option<(DeliveryId, Timestamp)>, StoreError> {
        let mut tx = self.begin_reading().await?;
        let row = sqlx::query(
            "SELECT d.account_id, p.text_fingerprint FROM deliveries d JOIN posts p ON p.id = d.post_id
             WHERE d.id = $1 AND d.action = 'publish'",
        )
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (account, fingerprint) = (row.word("account_id")?, row.text("text_fingerprint")?);
        near_duplicate(&mut tx, account, &fingerprint, day, Besides::Delivery(id)).await
    }
}

/// One post into the transaction, which is alone with the posts of its account; only what is new writes.
async fn plan(tx: &mut Tx, post: &NewPost, origin: &Origin, now: Timestamp) -> Result<Enqueued, StoreError> {
    let new = &post.delivery;
    if let Some(before) = same_key(tx, new).await? {
        return Ok(before);
    }
    if let Some(day) = post.day
        && let Some((earlier, due_at)) =
            near_duplicate(tx, new.account_id, &post.fingerprint, day, Besides::Nothing).await?
    {
        return Ok(Enqueued::Refused(Obstacle::NearDuplicate { earlier, due_at }));
    }
    if let Some(after) = new.after_id {
        can_follow(tx, after, new.account_id).await?;
    }
    let campaign = match &origin.campaign {
        Some(name) => Some(campaigns::named(tx, name, &new.author, now).await?),
        None => None,
    };
    let id = PostId::new(now);
    sqlx::query(
        "INSERT INTO posts (id, account_id, text, visibility, text_fingerprint, author, campaign_id, recurrence_id,
            created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.to_string())
    .bind(new.account_id.to_string())
    .bind(new.text.as_str())
    .bind(new.visibility.as_str())
    .bind(post.fingerprint.as_str())
    .bind(new.author.as_str())
    .bind(campaign.map(|id| id.to_string()))
    .bind(origin.occurrence.map(|occurrence| occurrence.recurrence.to_string()))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    let mut new = new.clone();
    let mut body = Body { post: Some(id), ..Body::default() };
    let keeping = quiet::keeping(tx, new.account_id, post.spacing).await?;
    if let Some(end) = keeping.hours.and_then(|hours| hours.end_after(new.due_at, &keeping.zone)) {
        body.moved = Some((new.due_at, end));
        if origin.occurrence.is_some() {
            // As late as it may be, counted from its new time.
            new.expires_at = new.expires_at.map(|expires_at| expires_at + end.duration_since(new.due_at));
        }
        new.due_at = end;
    }
    // Quiet hours moved it, or others of its account to its time or past it.
    let is_among_moved =
        body.moved.is_some() || (keeping.hours.is_some() && quiet::waits_past(tx, new.account_id, new.due_at).await?);
    let id = insert(tx, &new, Action::Publish, body, now).await?;
    audit::write(tx, now, &new.author, "delivery.enqueue", &id.to_string(), serde_json::json!({})).await?;
    if is_among_moved {
        quiet::arrange(tx, new.account_id, post.spacing, now).await?;
    }
    Ok(Enqueued::New(id))
}

/// Refuses what a post of the account cannot follow. The one it can follow is locked until the post is there: what ends
/// without being sent holds those that follow it.
async fn can_follow(tx: &mut Tx, after: DeliveryId, account: AccountId) -> Result<(), StoreError> {
    let row = sqlx::query("UPDATE deliveries SET epoch = epoch WHERE id = $1 RETURNING account_id, state")
        .bind(after.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let row = row.filter(|row| row.word("account_id").is_ok_and(|owner: AccountId| owner == account));
    let Some(row) = row else {
        return Err(StoreError::NotFound(format!(
            "there is no delivery {after} on this account that it could follow; choose another or none"
        )));
    };
    let state: DeliveryState = row.word("state")?;
    match state {
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => {
            Err(StoreError::Conflict(format!(
                "delivery {after}, which it should follow, is {state} and will not be sent; choose another or none"
            )))
        }
        _ => Ok(()),
    }
}

/// The earliest post of the account in `day` whose words are nearly the same.
async fn near_duplicate(
    tx: &mut Tx,
    account: AccountId,
    fingerprint: &str,
    day: (Timestamp, Timestamp),
    besides: Besides,
) -> Result<Option<(DeliveryId, Timestamp)>, StoreError> {
    let (recurrence, delivery) = match besides {
        Besides::Nothing => (None, None),
        Besides::Recurrence(id) => (Some(id.to_string()), None),
        Besides::Delivery(id) => (None, Some(id.to_string())),
    };
    let rows = sqlx::query(
        "SELECT d.id, d.due_at, p.text_fingerprint FROM deliveries d JOIN posts p ON p.id = d.post_id
         WHERE d.account_id = $1 AND d.due_at >= $2 AND d.due_at < $3 AND d.action = 'publish'
            AND d.state NOT IN ('failed', 'expired', 'cancelled') AND COALESCE(p.recurrence_id, '') <> $5 AND d.id <> $6
            AND NOT EXISTS (SELECT 1 FROM outgoing o JOIN accounts a ON a.network = o.network
                WHERE a.id = d.account_id AND o.remote_id = d.network_ref AND o.deleted_at IS NOT NULL)
         ORDER BY d.due_at, d.id LIMIT $4",
    )
    .bind(account.to_string())
    .bind(micros(day.0))
    .bind(micros(day.1))
    .bind(COMPARED)
    .bind(recurrence.as_deref().unwrap_or("none"))
    .bind(delivery.as_deref().unwrap_or("none"))
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        if are_near(fingerprint, &row.text("text_fingerprint")?) {
            return Ok(Some((row.word("id")?, row.time("due_at")?)));
        }
    }
    Ok(None)
}

/// Whether two fingerprints (folded words) are nearly the same.
fn are_near(a: &str, b: &str) -> bool {
    let (a, b): (BTreeSet<&str>, BTreeSet<&str>) = (a.split(' ').collect(), b.split(' ').collect());
    let shared = a.intersection(&b).count() as f64;
    let all = a.union(&b).count() as f64;
    shared / all >= NEARLY_THE_SAME
}

#[cfg(test)]
mod tests {
    use super::are_near;

    #[test]
    fn a_word_more_in_a_sentence_is_nearly_the_same() {
        assert!(are_near("bugun butun magazalarda yuzde yirmi", "bugun butun magazalarda yuzde yirmi indirim"));
        assert!(!are_near("bugun butun magazalarda yuzde yirmi", "yarin subelerimiz kapali"));
    }
}

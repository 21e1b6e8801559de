//! Campaigns: the same news on several accounts, each a post with its own text, time and state.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, PostRequest};
use crate::live::Wake;
use crate::model::{AccountId, Action, CampaignId};
use crate::store::StoreError;
use crate::store::campaigns::CampaignView;
use crate::store::deliveries::{DeliveryFilter, DeliveryOrder, DeliveryView};
use crate::store::enqueue::{Origin, Planned};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// How much of the first text names a campaign that nobody named.
const NAMING_WORDS: usize = 6;
/// The most posts that are planned in one go.
const MOST_AT_ONCE: usize = 200;
/// Posts of a campaign read at once.
const PAGE: usize = 500;

/// Posts to be planned together.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRequest {
    /// The campaign they belong to; named after the first text where several posts come without a name.
    pub campaign: Option<String>,
    pub posts: Vec<BatchPost>,
    pub author: String,
    /// The same key twice gives the same posts.
    pub key: Option<String>,
    pub confirm: Confirmed,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPost {
    pub account_id: AccountId,
    pub text: String,
    /// At once unless said.
    pub due_at: Option<Timestamp>,
    /// Not to be sent any more after.
    pub expires_at: Option<Timestamp>,
}

/// A campaign with its posts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CampaignPage {
    #[serde(flatten)]
    pub campaign: CampaignView,
    /// How far it is, in English: "3 of 4 out, 1 failed".
    pub summary: String,
    /// Every post of it, the first to be due first.
    pub deliveries: Vec<DeliveryView>,
}

/// Why none of the posts was planned.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// What stands in the way of one account's post.
    #[error("account {account}: {error}")]
    Post { account: String, error: ComposeError },
    /// Two of them, by their places in the list counted from 1.
    #[error(
        "posts {earlier} and {later} of the list are nearly the same, for account {account} on one day; confirm that it \
         goes out twice"
    )]
    Alike { account: String, earlier: usize, later: usize },
    /// A part of the request cannot be used; says why, and the next step.
    #[error("{reason}")]
    Invalid { field: &'static str, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Plans posts together, in one transaction: all of them, or none. The same key twice gives the same posts.
pub async fn post(app: &App, request: BatchRequest) -> Result<(Option<CampaignId>, Vec<DeliveryView>), BatchError> {
    if request.posts.is_empty() || request.posts.len() > MOST_AT_ONCE {
        let reason = format!("from 1 to {MOST_AT_ONCE} posts can be planned together");
        return Err(BatchError::Invalid { field: "posts", reason });
    }
    let now = app.store.clock();
    let name = match &request.campaign {
        Some(name) => Some(clean(name)?),
        None => unnamed(app, &request, now).await?,
    };
    let mut new = Vec::with_capacity(request.posts.len());
    for (index, post) in request.posts.iter().enumerate() {
        let single = PostRequest {
            key: request.key.as_deref().map(|key| key_of(key, &request.posts, index)),
            due_at: post.due_at,
            expires_at: post.expires_at,
            confirm: request.confirm,
            ..PostRequest::new(post.account_id, post.text.as_str(), request.author.as_str())
        };
        match compose::written(app, single).await {
            Ok(post) => new.push(post),
            Err(error) => return Err(refused(app, post.account_id, error).await),
        }
    }
    let origin = Origin { campaign: name, occurrence: None };
    let all = match app.store.enqueue_posts(&new, &origin, now).await? {
        Planned::All(all) => all,
        Planned::None { index, why } => return Err(refused(app, request.posts[index].account_id, why.into()).await),
        Planned::Alike { earlier, later } => {
            let account = app.store.account(request.posts[later].account_id).await?.name;
            return Err(BatchError::Alike { account, earlier: earlier + 1, later: later + 1 });
        }
    };
    let mut planned = Vec::with_capacity(all.len());
    for (post, enqueued) in request.posts.iter().zip(all) {
        match compose::finish(app, enqueued).await {
            Ok(delivery) => planned.push(delivery),
            Err(error) => return Err(refused(app, post.account_id, error).await),
        }
    }
    Ok((planned.first().and_then(|delivery| delivery.campaign_id), planned))
}

/// A campaign with all its posts.
pub async fn page(app: &App, id: CampaignId) -> Result<CampaignPage, StoreError> {
    let campaign = app.store.campaign(id).await?;
    let deliveries = posts(app, id).await?;
    Ok(CampaignPage { summary: campaign.summary(), campaign, deliveries })
}

/// Cancels what is not out yet; what is being called right now is taken back once it is out. Answers how many.
pub async fn cancel_rest(app: &App, id: CampaignId, who: &str) -> Result<usize, StoreError> {
    let mut cancelled = 0;
    for delivery in posts(app, id).await? {
        if !delivery.can_cancel() {
            continue;
        }
        match app.store.cancel(delivery.id, who).await {
            Ok(_) => cancelled += 1,
            // It went out, or was stopped, in this moment.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    noted(app, id, who, "campaign.cancel", cancelled).await
}

/// Deletes again whatever of it is out. Answers how many.
pub async fn delete_all(app: &App, id: CampaignId, who: &str) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for delivery in posts(app, id).await? {
        if delivery.can_delete() {
            app.store.delete_again(delivery.id, who).await?;
            deleted += 1;
        }
    }
    noted(app, id, who, "campaign.delete", deleted).await
}

async fn noted(app: &App, id: CampaignId, who: &str, action: &str, count: usize) -> Result<usize, StoreError> {
    let detail = serde_json::json!({ "count": count });
    app.store.audit(app.store.clock(), who, action, &id.to_string(), detail).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(count)
}

async fn posts(app: &App, id: CampaignId) -> Result<Vec<DeliveryView>, StoreError> {
    let mut filter = DeliveryFilter {
        campaign_id: Some(id),
        action: Some(Action::Publish),
        order: DeliveryOrder::EarliestFirst,
        limit: PAGE,
        ..DeliveryFilter::default()
    };
    let mut all: Vec<DeliveryView> = Vec::new();
    loop {
        let page = app.store.deliveries(&filter).await?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
        filter.after = all.last().map(|delivery| (delivery.due_at, delivery.id));
    }
}

async fn refused(app: &App, account: AccountId, error: ComposeError) -> BatchError {
    match app.store.account(account).await {
        Ok(account) => BatchError::Post { account: account.name, error },
        Err(_) => BatchError::Post { account: account.to_string(), error },
    }
}

/// What several posts without a name go by: the first words, and when the first is due on its account's clock.
async fn unnamed(app: &App, request: &BatchRequest, now: Timestamp) -> Result<Option<String>, StoreError> {
    let [first, _, ..] = request.posts.as_slice() else { return Ok(None) };
    let zone = TimeZone::get(&app.store.account(first.account_id).await?.timezone).unwrap_or(TimeZone::UTC);
    let words: Vec<&str> = first.text.split_whitespace().take(NAMING_WORDS).collect();
    let words: String = words.join(" ").replace('\0', "").chars().take(LONGEST_NAME / 2).collect();
    let due_at = first.due_at.unwrap_or(now).to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string();
    Ok(Some(format!("{words} · {due_at}")))
}

/// A campaign's name as it is kept; refuses what cannot be one.
pub fn clean(name: &str) -> Result<String, BatchError> {
    let name = name.replace('\0', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        1..=LONGEST_NAME => Ok(name),
        _ => Err(BatchError::Invalid {
            field: "campaign",
            reason: format!("a campaign's name must have 1 to {LONGEST_NAME} characters"),
        }),
    }
}

/// The key of one post of a batch: by its account, so that the rest of a list asked for again stays the same.
fn key_of(key: &str, posts: &[BatchPost], index: usize) -> String {
    let account = posts[index].account_id;
    match posts[..index].iter().filter(|post| post.account_id == account).count() {
        0 => format!("{key}-{account}"),
        earlier => format!("{key}-{account}-{earlier}"),
    }
}

//! Deliveries and posts: what goes out, when, and what a person decides about it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::key_of;
use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params};
use super::mentions::{cursor, place};
use super::read::{Body, Id, Params};
use crate::app::App;
use crate::campaigns;
use crate::compose::{self, Confirmed, PostRequest};
use crate::linked;
use crate::live::Wake;
use crate::model::{AccountId, CampaignId, ConversationId, DeliveryId, DeliveryState, Hold, MentionId, RecurrenceId};
use crate::store::audit::AuditRow;
use crate::store::deliveries::{AttemptView, Decision, DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};
use crate::store::enqueue::Origin;
use crate::store::many::{Act, Acted};
use crate::store::stops::Release;
use crate::web::error::Problem;

/// Lines of the audit log that are shown with a delivery.
const HISTORY: i64 = 200;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(deliveries))
        .routes(routes!(counts))
        .routes(routes!(delivery))
        .routes(routes!(post))
        .routes(routes!(cancel))
        .routes(routes!(retry))
        .routes(routes!(many))
        .routes(routes!(reschedule))
        .routes(routes!(decide))
        .routes(routes!(release))
        .routes(routes!(delete))
}

/// Which end of the schedule comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Latest due time first.
    Latest,
    /// Earliest due time first.
    Earliest,
}

list_params! {
    /// Every parameter narrows the list.
    DeliveryParams {
        account_id: AccountId,
        /// One state, or several with commas between them.
        state: String,
        #[param(inline)]
        kind: DeliveryKind,
        conversation_id: ConversationId,
        mention_id: MentionId,
        campaign_id: CampaignId,
        recurrence_id: RecurrenceId,
        /// Due at or after.
        since: Timestamp,
        /// Due before.
        until: Timestamp,
        /// `latest` first unless said.
        #[param(inline)]
        order: Order,
    }
}

impl DeliveryParams {
    fn filter(&self) -> Result<DeliveryFilter, Problem> {
        let states =
            self.state.iter().flat_map(|states| states.split(',')).map(str::trim).filter(|state| !state.is_empty());
        Ok(DeliveryFilter {
            account_id: self.account_id,
            states: states
                .map(DeliveryState::from_str)
                .collect::<Result<_, _>>()
                .map_err(|error| Problem::invalid("state", error))?,
            kind: self.kind,
            conversation_id: self.conversation_id,
            mention_id: self.mention_id,
            campaign_id: self.campaign_id,
            recurrence_id: self.recurrence_id,
            since: self.since,
            until: self.until,
            order: match self.order {
                Some(Order::Earliest) => DeliveryOrder::EarliestFirst,
                _ => DeliveryOrder::LatestFirst,
            },
            ..DeliveryFilter::default()
        })
    }
}

impl Row for DeliveryView {
    const NAME: &'static str = "deliveries";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "due_at",
        "state",
        "kind",
        "action",
        "network",
        "account",
        "text",
        "reason",
        "next_step",
        "attempts",
        "url",
        "author",
        "created_at",
        "sent_at",
        "mention_id",
        "key",
    ];

    fn cells(&self) -> Vec<Cell> {
        let kind = match self.kind {
            DeliveryKind::Reply => "reply",
            DeliveryKind::Post => "post",
            DeliveryKind::Webhook => "webhook",
            DeliveryKind::Mail => "mail",
        };
        vec![
            Cell::of(self.id),
            self.due_at.into(),
            self.state.as_str().into(),
            kind.into(),
            self.action.as_str().into(),
            self.network.as_str().into(),
            self.account.as_str().into(),
            self.text.as_str().into(),
            self.reason.as_deref().into(),
            self.next_step.as_str().into(),
            self.attempts.into(),
            self.url.as_deref().into(),
            self.author.as_str().into(),
            self.created_at.into(),
            self.sent_at.into(),
            self.mention_id.map(|id| id.to_string()).into(),
            self.key.as_str().into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(cursor(self.due_at, self.id))
    }
}

/// Deliveries by due time.
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(DeliveryParams), responses(
    (status = 200, description = "A page, or the whole list as CSV", content(
        (Page<DeliveryView> = "application/json"), (String = "text/csv"),
    )),
))]
async fn deliveries(
    State(app): State<Arc<App>>,
    Params(params): Params<DeliveryParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = params.filter()?;
    list(params.wanted(), &headers, move |cursor, most| {
        let (app, mut filter) = (app.clone(), filter.clone());
        async move {
            filter.after = cursor.as_deref().map(place).transpose()?;
            filter.limit = most;
            Ok(app.store.deliveries(&filter).await?)
        }
    })
    .await
}

/// How many deliveries are in a state.
#[derive(Debug, Serialize, ToSchema)]
struct StateCount {
    state: DeliveryState,
    deliveries: i64,
}

/// How many deliveries are in each state.
#[utoipa::path(get, path = "/deliveries/counts", tag = "deliveries", responses((status = 200, body = Vec<StateCount>)))]
async fn counts(State(app): State<Arc<App>>) -> Result<Json<Vec<StateCount>>, Problem> {
    let counts = app.store.delivery_counts().await?;
    Ok(Json(counts.into_iter().map(|(state, deliveries)| StateCount { state, deliveries }).collect()))
}

/// A delivery with every call made for it, and what people did.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryPage {
    #[serde(flatten)]
    delivery: DeliveryView,
    calls: Vec<AttemptView>,
    /// Who did what to it, oldest first.
    history: Vec<AuditRow>,
}

/// One delivery, with every call made for it and what people did.
#[utoipa::path(get, path = "/deliveries/{id}", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryPage)))]
async fn delivery(State(app): State<Arc<App>>, Id(id): Id<DeliveryId>) -> Result<Json<DeliveryPage>, Problem> {
    let subject = id.to_string();
    let (delivery, calls, history) =
        tokio::try_join!(app.store.delivery(id), app.store.attempts(id), app.store.audit_of(&subject, HISTORY))?;
    Ok(Json(DeliveryPage { delivery, calls, history }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPost {
    account_id: AccountId,
    text: String,
    /// At once unless said.
    due_at: Option<Timestamp>,
    /// Only once this delivery of the same account is sent. A post that follows a post continues it as the next part of a
    /// thread: on Mastodon, Bluesky, Matrix and in a Telegram channel as an answer to it.
    after_id: Option<DeliveryId>,
    /// Not to be sent any more after.
    expires_at: Option<Timestamp>,
    /// The campaign it belongs to, by name; made where there is none.
    campaign: Option<String>,
    #[serde(default)]
    confirm_duplicate: bool,
    #[serde(default)]
    confirm_personal_data: bool,
}

/// Schedules a post.
///
/// With `Idempotency-Key`, the same request twice is one post.
#[utoipa::path(post, path = "/posts", tag = "deliveries", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewPost, responses((status = 201, body = DeliveryView)))]
async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Body(post): Body<NewPost>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let campaign = post.campaign.as_deref().map(campaigns::clean).transpose()?;
    let request = PostRequest {
        account_id: post.account_id,
        text: post.text,
        author: caller.actor,
        key: key_of(&headers)?,
        due_at: post.due_at,
        after: post.after_id,
        expires_at: post.expires_at,
        confirm: Confirmed { duplicate: post.confirm_duplicate, personal_data: post.confirm_personal_data },
        origin: Origin { campaign, occurrence: None },
    };
    let delivery = compose::post(&app, request).await?;
    app.live.wake(Wake::Outbox);
    Ok((StatusCode::CREATED, Json(delivery)))
}

/// Stops a delivery; one that is being sent is deleted once it is out.
///
/// One that may be out already is refused: look at the network, then decide.
#[utoipa::path(post, path = "/deliveries/{id}/cancel", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<Json<DeliveryView>, Problem> {
    done(&app, app.store.cancel(id, &caller.actor).await?)
}

/// Sends a delivery now, whatever it waits for by itself.
///
/// What a person or the network has stopped still stops it: `standing` in the answer says what it waits for. What is held
/// or failed goes out a little after what was released before it.
#[utoipa::path(post, path = "/deliveries/{id}/retry", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<Json<DeliveryView>, Problem> {
    let spacing = app.config.delivery.release_spacing;
    done(&app, app.store.retry(id, spacing, &caller.actor, app.store.clock()).await?)
}

/// The largest number of deliveries that one call acts on.
const MOST_AT_ONCE: usize = 500;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAct {
    action: Act,
    /// At most 500; one that comes twice counts once.
    #[schema(max_items = 500)]
    ids: Vec<DeliveryId>,
    /// Only say what would go out, and over how long.
    #[serde(default)]
    dry_run: bool,
}

/// What became of each; of a retry also how they go out.
#[derive(Debug, Serialize, ToSchema)]
struct ActedOn {
    #[serde(flatten)]
    acted: Acted,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Release>,
}

/// Retries or cancels many deliveries, each on its own, the earliest due first.
///
/// Retried, posts and whatever is held or failed go out spaced on each account, as after a release.
#[utoipa::path(post, path = "/deliveries/many", tag = "deliveries", request_body = NewAct,
    responses((status = 200, body = ActedOn)))]
async fn many(State(app): State<Arc<App>>, caller: Caller, Body(new): Body<NewAct>) -> Result<Json<ActedOn>, Problem> {
    if new.ids.len() > MOST_AT_ONCE {
        return Err(Problem::invalid("ids", format!("at most {MOST_AT_ONCE} deliveries in one call")));
    }
    let spacing = app.config.delivery.release_spacing;
    let now = app.store.clock();
    let plan = match new.action {
        Act::Retry => Some(app.store.retry_plan(&new.ids, spacing, now).await?),
        Act::Cancel => None,
    };
    if new.dry_run {
        return Ok(Json(ActedOn { acted: Acted::default(), plan }));
    }
    let acted = app.store.act_on(&new.ids, new.action, spacing, &caller.actor, now).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(Json(ActedOn { acted, plan }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTime {
    due_at: Timestamp,
    /// Move it although nearly the same post is planned for that day.
    #[serde(default)]
    confirm_duplicate: bool,
}

/// Moves a delivery to another time; refused where nearly the same post is planned for the day it would move into.
#[utoipa::path(post, path = "/deliveries/{id}/reschedule", tag = "deliveries", params(("id" = DeliveryId, Path)),
    request_body = NewTime, responses((status = 200, body = DeliveryView)))]
async fn reschedule(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    Body(new): Body<NewTime>,
) -> Result<Json<DeliveryView>, Problem> {
    let confirm = Confirmed { duplicate: new.confirm_duplicate, ..Confirmed::default() };
    Ok(Json(compose::reschedule(&app, id, new.due_at, confirm, &caller.actor).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// It is on the network.
    Sent,
    /// Send it (again).
    Queue,
    Cancel,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDecision {
    decision: Word,
    /// With `sent`: the address of the message on the network.
    url: Option<String>,
}

/// Decides about a delivery that stopped: `unknown`, `held` or `failed`.
///
/// An `unknown` one can be said to be out at any time; before `next_at` nothing else, since it may still appear.
#[utoipa::path(post, path = "/deliveries/{id}/decide", tag = "deliveries", params(("id" = DeliveryId, Path)),
    request_body = NewDecision, responses((status = 200, body = DeliveryView)))]
async fn decide(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    Body(new): Body<NewDecision>,
) -> Result<Json<DeliveryView>, Problem> {
    let decision = match (new.decision, new.url) {
        (Word::Sent, Some(url)) => Decision::Sent { receipt: Some(linked::receipt(&app, id, &url).await?) },
        (Word::Sent, None) => Decision::Sent { receipt: None },
        (Word::Queue, None) => Decision::Queue,
        (Word::Cancel, None) => Decision::Cancel,
        (_, Some(_)) => return Err(Problem::invalid("url", "only what was sent has an address")),
    };
    let spacing = app.config.delivery.release_spacing;
    done(&app, app.store.decide(id, decision, spacing, &caller.actor, app.store.clock()).await?)
}

/// The longest time between two released deliveries: a day.
const LONGEST_SPACING: u32 = 24 * 3600;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRelease {
    /// `late` unless said. What is held for `restored` may be on its network already: look there first.
    hold: Option<Hold>,
    /// Every account unless said.
    account_id: Option<AccountId>,
    /// Seconds between two of an account, up to a day; as configured (`delivery.release_spacing_seconds`) unless said.
    #[schema(maximum = 86400)]
    spacing_seconds: Option<u32>,
    /// Only say what would be released, and over how long.
    #[serde(default)]
    dry_run: bool,
}

/// What was released.
#[derive(Debug, Serialize, ToSchema)]
struct Released {
    /// Deliveries that were held and are queued now.
    released: usize,
    /// Seconds between two of an account.
    spacing_seconds: u64,
    /// What goes out over how long.
    plan: Release,
}

/// Releases everything that is held for one reason, in the order it was due, spaced.
#[utoipa::path(post, path = "/deliveries/release", tag = "deliveries",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewRelease, responses((status = 200, body = Released)))]
async fn release(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewRelease>,
) -> Result<Json<Released>, Problem> {
    let spacing = spacing(&app, new.spacing_seconds)?;
    if let Some(id) = new.account_id {
        app.store.account(id).await?;
    }
    let hold = new.hold.unwrap_or(Hold::Late);
    let plan = app.store.release_plan(hold, new.account_id, spacing).await?;
    if new.dry_run {
        return Ok(Json(Released { released: 0, spacing_seconds: spacing.as_secs(), plan }));
    }
    let released = app.store.release_held(hold, new.account_id, spacing, &caller.actor).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(Json(Released { released, spacing_seconds: spacing.as_secs(), plan }))
}

/// Between two released deliveries of an account: as asked, or as configured.
pub(super) fn spacing(app: &App, seconds: Option<u32>) -> Result<Duration, Problem> {
    match seconds {
        None => Ok(app.config.delivery.release_spacing),
        Some(seconds @ 0..=LONGEST_SPACING) => Ok(Duration::from_secs(seconds.into())),
        Some(_) => Err(Problem::invalid("spacing_seconds", format!("at most {LONGEST_SPACING} seconds: a day"))),
    }
}

/// Deletes what was sent from its network; the answer is the delivery that does it.
#[utoipa::path(post, path = "/deliveries/{id}/delete", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<Json<DeliveryView>, Problem> {
    done(&app, app.store.delete_again(id, &caller.actor).await?)
}

fn done(app: &App, delivery: DeliveryView) -> Result<Json<DeliveryView>, Problem> {
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(Json(delivery))
}

/// A reason somebody gives, in a line.
pub(super) fn short(reason: &str) -> Result<String, Problem> {
    const LONGEST: usize = 500;
    let reason = reason.replace('\0', "");
    match reason.chars().count() {
        0..=LONGEST => Ok(reason.trim().to_owned()),
        _ => Err(Problem::invalid("reason", format!("a reason may have at most {LONGEST} characters"))),
    }
}

//! Deliveries and posts: what goes out, when, and what a person decides about it; stopping everything.

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
use crate::live::Wake;
use crate::model::{AccountId, CampaignId, ConversationId, DeliveryId, DeliveryState, Hold, MentionId, RecurrenceId};
use crate::store::deliveries::{AttemptView, Decision, DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};
use crate::store::enqueue::Origin;
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(deliveries))
        .routes(routes!(counts))
        .routes(routes!(delivery))
        .routes(routes!(post))
        .routes(routes!(cancel))
        .routes(routes!(reschedule))
        .routes(routes!(decide))
        .routes(routes!(release))
        .routes(routes!(delete))
        .routes(routes!(sending))
        .routes(routes!(stop))
        .routes(routes!(resume))
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

/// A delivery with every call made for it.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryPage {
    #[serde(flatten)]
    delivery: DeliveryView,
    calls: Vec<AttemptView>,
}

/// One delivery, with every call made for it.
#[utoipa::path(get, path = "/deliveries/{id}", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryPage)))]
async fn delivery(State(app): State<Arc<App>>, Id(id): Id<DeliveryId>) -> Result<Json<DeliveryPage>, Problem> {
    Ok(Json(DeliveryPage { delivery: app.store.delivery(id).await?, calls: app.store.attempts(id).await? }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPost {
    account_id: AccountId,
    text: String,
    /// At once unless said.
    due_at: Option<Timestamp>,
    /// Only once this delivery is sent.
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
    let campaign = match &post.campaign {
        Some(name) => Some(campaigns::named(&app, name, &caller.actor).await?),
        None => None,
    };
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
#[utoipa::path(post, path = "/deliveries/{id}/cancel", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<Json<DeliveryView>, Problem> {
    done(&app, app.store.cancel(id, &caller.actor).await?)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTime {
    due_at: Timestamp,
}

/// Moves a delivery to another time.
#[utoipa::path(post, path = "/deliveries/{id}/reschedule", tag = "deliveries", params(("id" = DeliveryId, Path)),
    request_body = NewTime, responses((status = 200, body = DeliveryView)))]
async fn reschedule(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    Body(new): Body<NewTime>,
) -> Result<Json<DeliveryView>, Problem> {
    done(&app, app.store.reschedule(id, new.due_at, &caller.actor).await?)
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
    /// With `sent`: the address or the id of the message on the network.
    url_or_id: Option<String>,
}

/// Decides about a delivery that stopped: `unknown`, `held` or `failed`.
#[utoipa::path(post, path = "/deliveries/{id}/decide", tag = "deliveries", params(("id" = DeliveryId, Path)),
    request_body = NewDecision, responses((status = 200, body = DeliveryView)))]
async fn decide(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    Body(new): Body<NewDecision>,
) -> Result<Json<DeliveryView>, Problem> {
    let decision = match (new.decision, new.url_or_id) {
        (Word::Sent, url_or_id) => Decision::Sent { url_or_id },
        (Word::Queue, None) => Decision::Queue,
        (Word::Cancel, None) => Decision::Cancel,
        (_, Some(_)) => return Err(Problem::invalid("url_or_id", "only what was sent has an address")),
    };
    let spacing = app.config.delivery.release_spacing;
    done(&app, app.store.decide(id, decision, spacing, &caller.actor).await?)
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
}

/// What was released.
#[derive(Debug, Serialize, ToSchema)]
struct Released {
    /// Deliveries that were held and are queued now.
    released: usize,
    /// Seconds between two of an account.
    spacing_seconds: u64,
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
    let spacing = match new.spacing_seconds {
        None => app.config.delivery.release_spacing,
        Some(seconds @ 0..=LONGEST_SPACING) => Duration::from_secs(seconds.into()),
        Some(_) => {
            return Err(Problem::invalid("spacing_seconds", format!("at most {LONGEST_SPACING} seconds: a day")));
        }
    };
    if let Some(id) = new.account_id {
        app.store.account(id).await?;
    }
    let hold = new.hold.unwrap_or(Hold::Late);
    let released = app.store.release_held(hold, new.account_id, spacing, &caller.actor).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(Json(Released { released, spacing_seconds: spacing.as_secs() }))
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

/// Whether anything is sent at all.
#[derive(Debug, Serialize, ToSchema)]
struct Sending {
    /// Nothing is sent since; missing while sending goes on.
    stopped_at: Option<Timestamp>,
    reason: Option<String>,
}

async fn sending_now(app: &App) -> Result<Json<Sending>, Problem> {
    let stopped = app.store.sending_stopped().await?;
    let (stopped_at, reason) = stopped.unzip();
    Ok(Json(Sending { stopped_at, reason }))
}

/// Whether anything is sent at all.
#[utoipa::path(get, path = "/sending", tag = "deliveries", responses((status = 200, body = Sending)))]
async fn sending(State(app): State<Arc<App>>) -> Result<Json<Sending>, Problem> {
    sending_now(&app).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStop {
    /// Shown to whoever wonders why nothing goes out.
    #[serde(default)]
    reason: String,
}

/// Stops all sending, on every account.
#[utoipa::path(post, path = "/sending/stop", tag = "deliveries", request_body = NewStop,
    responses((status = 200, body = Sending)))]
async fn stop(State(app): State<Arc<App>>, caller: Caller, Body(new): Body<NewStop>) -> Result<Json<Sending>, Problem> {
    app.store.stop_all_sending(&caller.actor, &short(&new.reason)?).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    sending_now(&app).await
}

/// Sends again what is due; what became late in the meantime is held.
#[utoipa::path(post, path = "/sending/resume", tag = "deliveries", responses((status = 200, body = Sending)))]
async fn resume(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Sending>, Problem> {
    app.store.resume_sending(&caller.actor).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    sending_now(&app).await
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

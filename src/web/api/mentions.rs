//! Mentions: the list, one, its thread, and answering it.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::key_of;
use super::caller::Caller;
use super::lists::{Cell, Page, Row, list, list_params};
use super::read::{Body, Id, Params};
use crate::analyze::Topic;
use crate::app::App;
use crate::compose::{self, Confirmed, ReplyRequest};
use crate::live::Wake;
use crate::model::{
    AccountId, AuthorId, BrandId, ContactId, ConversationId, ConversationState, IntentLabel, MentionId, Network,
    SentimentLabel, UrgencyLevel, UserId,
};
use crate::store::deliveries::DeliveryView;
use crate::store::inbox::{Assignee, ConversationView, InboxCounts, MentionFilter, MentionRow, PageMark};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(mentions))
        .routes(routes!(mention))
        .routes(routes!(thread))
        .routes(routes!(reply))
        .routes(routes!(counts))
}

list_params! {
    /// Every parameter narrows the list.
    MentionParams {
        /// Seen by this account.
        account_id: AccountId,
        brand_id: BrandId,
        /// `mastodon`, `bluesky`, `matrix`, `telegram`, `feed`, `file`.
        network: String,
        /// BCP 47; `und` for what could not be told.
        language: String,
        #[param(inline)]
        sentiment: SentimentLabel,
        /// The main intent.
        #[param(inline)]
        intent: IntentLabel,
        /// One of what it is about, by its Turkish or its English name: `kargo`, `delivery`.
        topic: String,
        /// Exactly this urgent.
        #[param(inline)]
        urgency: UrgencyLevel,
        /// Only those that a person corrected, or only the others; a correction that the author's edit made outdated does not
        /// count.
        corrected: bool,
        /// Of its conversation.
        #[param(inline)]
        state: ConversationState,
        /// A user's id, or `none` for what nobody has.
        assignee: String,
        author_id: AuthorId,
        contact_id: ContactId,
        conversation_id: ConversationId,
        /// Words that begin a word of the text or of the author's or contact's name; Turkish letters do not matter.
        search: String,
        /// Published at or after.
        since: Timestamp,
        /// Published before.
        until: Timestamp,
    }
}

impl MentionParams {
    fn filter(&self) -> Result<MentionFilter, Problem> {
        let network = self.network.as_deref().map(Network::from_str).transpose();
        let topic = self.topic.as_deref().map(Topic::from_str).transpose();
        let assignee = match self.assignee.as_deref() {
            None => None,
            Some("none") => Some(Assignee::Nobody),
            Some(id) => Some(Assignee::User(
                UserId::from_str(id)
                    .map_err(|error| Problem::invalid("assignee", format!("{error}; or write none")))?,
            )),
        };
        Ok(MentionFilter {
            account_id: self.account_id,
            brand_id: self.brand_id,
            network: network.map_err(|error| Problem::invalid("network", error))?,
            language: self.language.clone(),
            sentiment: self.sentiment,
            intent: self.intent,
            topic: topic.map_err(|error| Problem::invalid("topic", error))?,
            urgency: self.urgency,
            corrected: self.corrected,
            state: self.state,
            assignee,
            author_id: self.author_id,
            contact_id: self.contact_id,
            conversation_id: self.conversation_id,
            search: self.search.clone(),
            since: self.since,
            until: self.until,
            before: None,
            limit: 0,
        })
    }
}

impl Row for MentionRow {
    const NAME: &'static str = "mentions";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "published_at",
        "network",
        "account",
        "kind",
        "author_handle",
        "author_name",
        "contact",
        "text",
        "language",
        "sentiment",
        "sentiment_score",
        "sentiment_confidence",
        "intent",
        "reasons",
        "topics",
        "urgency",
        "rating",
        "state",
        "assignee",
        "url",
        "conversation_id",
        "corrected_by",
        "corrected_at",
        "said_sentiment",
        "said_intent",
    ];

    fn cells(&self) -> Vec<Cell> {
        let correction = self.correction.as_ref().filter(|correction| correction.counts());
        let reasons: Vec<String> =
            self.sentiment.because.iter().map(|reason| format!("{} {:+.2}", reason.text, reason.weight)).collect();
        vec![
            Cell::of(self.id),
            self.published_at.into(),
            self.network.as_str().into(),
            self.account.name.as_str().into(),
            self.kind.as_str().into(),
            self.author.handle.as_str().into(),
            self.author.display_name.as_str().into(),
            self.author.contact.as_ref().map(|contact| contact.name.as_str()).into(),
            self.text.as_deref().into(),
            self.language.code.as_str().into(),
            self.sentiment.label.as_str().into(),
            self.sentiment.score.into(),
            self.sentiment.confidence.into(),
            self.intents.first().map(|intent| intent.label.as_str()).into(),
            reasons.join("; ").into(),
            self.topics.join("; ").into(),
            self.urgency.level.as_str().into(),
            self.rating.into(),
            self.conversation.state.as_str().into(),
            self.conversation.assignee.as_ref().map(|assignee| assignee.name.as_str()).into(),
            self.url.as_deref().into(),
            Cell::of(self.conversation.id),
            correction.map(|correction| correction.by.as_str()).into(),
            correction.map(|correction| correction.at).into(),
            correction.map(|correction| correction.said.sentiment.label.as_str()).into(),
            correction
                .and_then(|correction| correction.said.intents.first())
                .map(|intent| intent.label.as_str())
                .into(),
        ]
    }

    fn cursor(&self) -> Option<String> {
        Some(cursor(self.published_at, self.id))
    }
}

/// A place in a list ordered by time and id.
pub(super) fn cursor(at: Timestamp, id: impl std::fmt::Display) -> String {
    format!("{}.{id}", at.as_microsecond())
}

/// Reads what [`cursor`] wrote.
pub(super) fn place<T: FromStr>(text: &str) -> Result<(Timestamp, T), Problem> {
    text.split_once('.')
        .and_then(|(at, id)| Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, id.parse().ok()?)))
        .ok_or_else(|| Problem::invalid("cursor", "the cursor is not one of this list").next("take it from `next`"))
}

/// Mentions, newest first.
#[utoipa::path(get, path = "/mentions", tag = "mentions", params(MentionParams), responses(
    (status = 200, description = "A page, or the whole list as CSV", content(
        (Page<MentionRow> = "application/json"), (String = "text/csv"),
    )),
))]
async fn mentions(
    State(app): State<Arc<App>>,
    Params(params): Params<MentionParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = params.filter()?;
    list(params.wanted(), &headers, move |cursor, most| {
        let (app, mut filter) = (app.clone(), filter.clone());
        async move {
            filter.before = cursor.as_deref().map(place).transpose()?.map(|(at, id)| PageMark { at, id });
            filter.limit = most;
            Ok(app.store.mentions(&filter).await?)
        }
    })
    .await
}

/// One mention, also after it was deleted on its network.
#[utoipa::path(get, path = "/mentions/{id}", tag = "mentions", params(("id" = MentionId, Path)), responses(
    (status = 200, body = MentionRow),
))]
async fn mention(State(app): State<Arc<App>>, Id(id): Id<MentionId>) -> Result<Json<MentionRow>, Problem> {
    Ok(Json(app.store.mention(id).await?))
}

/// The conversation a mention belongs to.
#[utoipa::path(get, path = "/mentions/{id}/thread", tag = "mentions", params(("id" = MentionId, Path)), responses(
    (status = 200, body = ConversationView),
))]
async fn thread(State(app): State<Arc<App>>, Id(id): Id<MentionId>) -> Result<Json<ConversationView>, Problem> {
    let mention = app.store.mention(id).await?;
    Ok(Json(app.store.conversation(mention.conversation.id).await?))
}

/// How many conversations wait.
#[utoipa::path(get, path = "/inbox/counts", tag = "mentions", responses((status = 200, body = InboxCounts)))]
async fn counts(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<InboxCounts>, Problem> {
    Ok(Json(app.store.inbox_counts(caller.user).await?))
}

/// An answer to a mention.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReply {
    text: String,
    /// When to send it; after the time for Undo unless said.
    due_at: Option<Timestamp>,
    /// The newest answer you have seen (`subject_id` of `another-reply`, or a delivery's id), so that a newer one is told.
    seen: Option<String>,
    /// The other answer over which this one is sent all the same.
    confirm_over: Option<String>,
    #[serde(default)]
    confirm_personal_data: bool,
}

/// Puts an answer into the outbox.
///
/// With `Idempotency-Key`, the same request twice is one reply.
#[utoipa::path(post, path = "/mentions/{id}/replies", tag = "mentions",
    params(("id" = MentionId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = NewReply,
    responses((status = 201, body = DeliveryView)))]
async fn reply(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<MentionId>,
    headers: HeaderMap,
    Body(reply): Body<NewReply>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let request = ReplyRequest {
        mention_id: id,
        text: reply.text,
        author: caller.actor,
        key: key_of(&headers)?,
        due_at: reply.due_at,
        seen: reply.seen,
        confirm_over: reply.confirm_over,
        confirm: Confirmed { duplicate: false, personal_data: reply.confirm_personal_data },
    };
    let delivery = compose::reply(&app, request).await?;
    app.live.wake(Wake::Outbox);
    Ok((StatusCode::CREATED, Json(delivery)))
}

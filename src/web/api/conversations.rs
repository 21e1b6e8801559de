//! Conversations: read, open, snooze, finish, take over, note.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::read::{Body, Id};
use crate::app::App;
use crate::live::Wake;
use crate::model::{ConversationId, ConversationState, UserId};
use crate::store::conversations::LONGEST_NOTE;
use crate::store::inbox::{ConversationView, NoteView};
use crate::web::error::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(conversation))
        .routes(routes!(state))
        .routes(routes!(assignee))
        .routes(routes!(note))
}

/// A conversation with its messages, oldest first, and its notes.
#[utoipa::path(get, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ConversationView)))]
async fn conversation(
    State(app): State<Arc<App>>,
    Id(id): Id<ConversationId>,
) -> Result<Json<ConversationView>, Problem> {
    Ok(Json(app.store.conversation(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewState {
    state: ConversationState,
    /// With `snoozed`: when it opens again by itself.
    snoozed_until: Option<Timestamp>,
}

/// Opens, snoozes or finishes a conversation.
#[utoipa::path(post, path = "/conversations/{id}/state", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = NewState, responses((status = 200, body = ConversationView)))]
async fn state(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Body(new): Body<NewState>,
) -> Result<Json<ConversationView>, Problem> {
    match (new.state, new.snoozed_until) {
        (ConversationState::Snoozed, None) => {
            return Err(Problem::invalid("snoozed_until", "snoozing needs the time to open again at"));
        }
        (ConversationState::Snoozed, Some(until)) if until <= app.store.clock() => {
            return Err(Problem::invalid("snoozed_until", format!("{until} has passed: choose a later time")));
        }
        (ConversationState::Open | ConversationState::Done, Some(_)) => {
            return Err(Problem::invalid("snoozed_until", "only a snoozed conversation has a time to open again"));
        }
        _ => {}
    }
    app.store.set_conversation_state(id, new.state, new.snoozed_until, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(Json(app.store.conversation(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAssignee {
    /// A user's id; `null` gives the conversation back.
    assignee_id: Option<UserId>,
    /// The conversation's `claim` as you read it: if somebody took it since, you are told instead.
    claim: Option<i64>,
}

/// Gives a conversation to somebody, or to nobody.
#[utoipa::path(post, path = "/conversations/{id}/assignee", tag = "conversations",
    params(("id" = ConversationId, Path)), request_body = NewAssignee,
    responses((status = 200, body = ConversationView)))]
async fn assignee(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Body(new): Body<NewAssignee>,
) -> Result<Json<ConversationView>, Problem> {
    app.store.assign(id, new.assignee_id, new.claim, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok(Json(app.store.conversation(id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
}

/// Adds an internal note.
#[utoipa::path(post, path = "/conversations/{id}/notes", tag = "conversations",
    params(("id" = ConversationId, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewNote,
    responses((status = 201, body = NoteView)))]
async fn note(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Body(new): Body<NewNote>,
) -> Result<(StatusCode, Json<NoteView>), Problem> {
    let text = new.text.trim();
    if text.is_empty() {
        return Err(Problem::invalid("text", "the note is empty"));
    }
    if text.chars().count() > LONGEST_NOTE {
        return Err(Problem::invalid("text", format!("a note may have at most {LONGEST_NOTE} characters")));
    }
    let note = app.store.add_note(id, text, &caller.actor).await?;
    app.live.wake(Wake::Events);
    Ok((StatusCode::CREATED, Json(note)))
}

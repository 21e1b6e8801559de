//! A conversation: what was said, why it sounds as it does, who says it, and our answer.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use super::composer::{Composer, Trouble};
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{handle, maybe, name_of, read};
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::{from_local_field, is_too_far};
use super::parts::{network_badge, state_word};
use super::person;
use super::texts::Text;
use super::thread;
use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, Length, ReplyRequest};
use crate::live::Wake;
use crate::model::{
    AccountId, ConversationId, ConversationState, DeliveryId, DeliveryState, MentionId, UserId, new_ulid,
};
use crate::store::inbox::{ConversationView, MentionFilter, MentionRow, Message};
use crate::store::users::UserView;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/mentions/{id}", get(of_mention))
        .route("/conversations/{id}", get(whole))
        .route("/conversations/{id}/reply", post(send_reply))
        .route("/conversations/{id}/state", post(set_state))
        .route("/conversations/{id}/assign", post(assign))
        .route("/conversations/{id}/notes", post(add_note))
        .route("/deliveries/{id}/undo", post(undo))
        .route("/measure", post(measure))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Look {
    /// An undone reply whose text goes back into the box.
    draft: String,
    /// Words to look for among the contacts.
    find: String,
}

async fn of_mention(console: Console, Path(id): Path<String>, Query(look): Query<Look>) -> Result<Markup, Problem> {
    let mention = console.app.store.mention(read("mention", &id)?).await?;
    let id = mention.id;
    show(&console, mention.conversation.id, Some(id), &look, None).await
}

async fn whole(console: Console, Path(id): Path<String>, Query(look): Query<Look>) -> Result<Markup, Problem> {
    show(&console, read("conversation", &id)?, None, &look, None).await
}

/// Makes the page; `composer` is what a refused answer left behind.
async fn show(
    console: &Console,
    id: ConversationId,
    focus: Option<MentionId>,
    look: &Look,
    composer: Option<Composer>,
) -> Result<Markup, Problem> {
    let store = &console.app.store;
    let (conversation, users) = tokio::try_join!(store.conversation(id), store.users())?;
    let newest = || {
        conversation.messages.iter().rev().find_map(|message| match message {
            Message::Incoming(mention) => Some(mention),
            _ => None,
        })
    };
    let answered = conversation
        .messages
        .iter()
        .find_map(|message| match message {
            Message::Incoming(mention) if Some(mention.id) == focus => Some(mention),
            _ => None,
        })
        .or_else(newest)
        .ok_or_else(|| Problem::not_found(format!("conversation {id} has no message any more")))?;
    let draft = match look.draft.parse::<DeliveryId>() {
        Ok(draft) => store.delivery(draft).await.ok().filter(|draft| draft.conversation_id == Some(id)),
        Err(_) => None,
    };
    let composer = composer.unwrap_or_else(|| Composer {
        text: draft.map(|draft| draft.text).unwrap_or_default(),
        key: new_ulid(console.now).to_string(),
        trouble: None,
    });
    let account = store.account(conversation.account.id).await?;
    let aside = person::Aside::load(console, answered, &look.find).await?;
    let earlier = store
        .mentions(&MentionFilter { author_id: Some(answered.author.id), limit: 12, ..MentionFilter::default() })
        .await?;
    let earlier: Vec<_> = earlier.into_iter().filter(|mention| mention.conversation.id != id).take(5).collect();
    let name = name_of(console, &answered.author.display_name, &answered.author.handle);
    let body = html! {
        a.back href="/" { (icon(Icon::Left)) (console.t(Text::Inbox)) }
        div.page-head data-part="head" {
            h1 { (console.fill_in(Text::ConversationWith, &[html! { bdi { (name) } }])) }
            span.sub.row {
                (network_badge(console, conversation.network)) (conversation.account.name)
                @if conversation.head.state != ConversationState::Open {
                    (super::parts::state_chip(console, &conversation.head))
                }
            }
            @if console.may_write() { (actions(console, &conversation, &users)) }
        }
        div.conversation {
            div {
                div.thread data-part="thread" { (thread::render(console, &conversation, answered.id)) }
                (composer.render(console, &conversation, answered, &account))
                @if console.may_write() { (note_form(console, id)) }
            }
            aside.aside data-part="aside" { (aside.render(console, answered, &earlier)) }
        }
    };
    Ok(page(
        console,
        Page {
            place: Place::Inbox,
            // A name may turn the writing direction: between these signs (FSI, PDI) only its own.
            title: console.fill(Text::ConversationWith, &[&format!("\u{2068}{name}\u{2069}")]),
            live: "mention mention_edited mention_corrected mention_deleted conversation delivery",
            narrow: false,
        },
        body,
    ))
}

fn actions(console: &Console, conversation: &ConversationView, users: &[UserView]) -> Markup {
    let head = &conversation.head;
    let state_form = |id: &str, state: ConversationState, body: Markup, class: &str| {
        html! {
            form id=(id) method="post" action=(format!("/conversations/{}/state", head.id)) {
                (console.viewer.csrf)
                input type="hidden" name="back" value=(console.here);
                button class=(class) name="state" value=(state) { (body) }
            }
        }
    };
    html! {
        div.actions {
            (assign_menu(console, conversation, users))
            @if head.state == ConversationState::Open {
                (snooze_menu(console, conversation))
                (state_form("done-form", ConversationState::Done,
                    html! { (icon(Icon::Check)) (console.t(Text::MarkDone)) }, "button primary"))
            } @else {
                (state_form("reopen-form", ConversationState::Open,
                    html! { (icon(Icon::Undo)) (console.t(Text::Reopen)) }, "button"))
            }
        }
    }
}

fn snooze_menu(console: &Console, conversation: &ConversationView) -> Markup {
    let hour = console.now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(console.now);
    let presets = [
        (Text::SnoozeHour, hour),
        (Text::SnoozeEvening, console.next_hour(18)),
        (Text::SnoozeTomorrow, console.tomorrow_at(9)),
        (Text::SnoozeMonday, console.next_weekday(Weekday::Monday, 9)),
    ];
    let evening_is_today = console.zoned(presets[1].1).date() == console.today();
    html! {
        details.pop #snooze {
            summary.button { (icon(Icon::Clock)) (console.t(Text::Snooze)) }
            div.panel {
                form method="post" action=(format!("/conversations/{}/state", conversation.head.id)) {
                    (console.viewer.csrf)
                    input type="hidden" name="state" value=(ConversationState::Snoozed);
                    input type="hidden" name="back" value=(console.here);
                    @for (text, at) in presets {
                        @if text != Text::SnoozeEvening || evening_is_today {
                            button.item name="until" value=(at) {
                                (console.t(text)) span.muted { (console.short(at)) }
                            }
                        }
                    }
                }
                hr;
                form.stack.tight method="post" action=(format!("/conversations/{}/state", conversation.head.id)) {
                    (console.viewer.csrf)
                    input type="hidden" name="state" value=(ConversationState::Snoozed);
                    input type="hidden" name="back" value=(console.here);
                    label.field {
                        span { (console.t(Text::SnoozeOther)) }
                        input type="datetime-local" name="until" required min=(console.local_field(console.now))
                            value=(console.local_field(console.tomorrow_at(9)));
                    }
                    button.button.small { (console.t(Text::Snooze)) }
                }
            }
        }
    }
}

fn assign_menu(console: &Console, conversation: &ConversationView, users: &[UserView]) -> Markup {
    let head = &conversation.head;
    let users: Vec<_> = users.iter().filter(|user| user.disabled_at.is_none()).collect();
    html! {
        @if !users.is_empty() {
            details.pop {
                summary.button {
                    (icon(Icon::Person))
                    @match &head.assignee {
                        Some(assignee) => (assignee.name),
                        None => (console.t(Text::Assign)),
                    }
                }
                form.panel method="post" action=(format!("/conversations/{}/assign", head.id)) {
                    (console.viewer.csrf)
                    input type="hidden" name="claim" value=(head.claim);
                    input type="hidden" name="back" value=(console.here);
                    @if let Some(me) = console.viewer.user && head.assignee.as_ref().map(|user| user.id) != Some(me) {
                        button.item name="user" value=(me) { (icon(Icon::Check)) (console.t(Text::TakeIt)) }
                        hr;
                    }
                    @for user in &users {
                        button.item name="user" value=(user.id)
                            aria-pressed=(head.assignee.as_ref().is_some_and(|assignee| assignee.id == user.id)) {
                            (super::parts::avatar(&user.name, "little")) (user.name)
                        }
                    }
                    @if head.assignee.is_some() {
                        hr;
                        button.item name="user" value="" { (icon(Icon::Close)) (console.t(Text::Unassigned)) }
                    }
                }
            }
        }
    }
}

fn note_form(console: &Console, id: ConversationId) -> Markup {
    html! {
        details.note-form.card.pad {
            summary { (icon(Icon::Note)) (console.t(Text::AddNote)) span.muted { "· " (console.t(Text::NoteHint)) } }
            form.stack.tight method="post" action=(format!("/conversations/{id}/notes")) {
                (console.viewer.csrf)
                input type="hidden" name="back" value=(console.here);
                label.field {
                    span.visually-hidden { (console.t(Text::InternalNote)) }
                    textarea name="text" rows="3" maxlength="10000" dir="auto" required {}
                }
                div.row.end { button.button.small { (console.t(Text::AddNote)) } }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct ReplyForm {
    mention: String,
    text: String,
    /// Minted with the page: a double click is one reply.
    key: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    confirm_over: String,
    #[serde(default)]
    confirm_personal_data: String,
}

async fn send_reply(
    console: Console,
    Path(id): Path<String>,
    Form(form): Form<ReplyForm>,
) -> Result<Response, Problem> {
    let id: ConversationId = read("conversation", &id)?;
    let mention: MentionId = read("mention", &form.mention)?;
    // Browsers send line ends as CR LF; networks count and show one sign.
    let text = form.text.replace("\r\n", "\n");
    let request = ReplyRequest {
        mention_id: mention,
        text: text.clone(),
        author: console.viewer.actor.clone(),
        key: Some(form.key.clone()),
        due_at: None,
        seen: (!form.seen.is_empty()).then(|| form.seen.clone()),
        confirm_over: (!form.confirm_over.is_empty()).then(|| form.confirm_over.clone()),
        confirm: Confirmed { personal_data: form.confirm_personal_data == "yes", duplicate: false },
    };
    let trouble = match compose::reply(&console.app, request).await {
        Ok(delivery) => {
            console.app.live.wake(Wake::Outbox);
            return Ok(Redirect::to(&format!("/mentions/{mention}#d-{}", delivery.id)).into_response());
        }
        Err(ComposeError::Store(reason)) => return Err(ComposeError::Store(reason).into()),
        Err(error) => Trouble::of(&console, error, &form.confirm_over, form.confirm_personal_data == "yes").await?,
    };
    let status = if trouble.asks() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    // A key that stands for another text can never send this one.
    let key = if trouble.needs_new_key() { new_ulid(console.now).to_string() } else { form.key };
    let composer = Composer { text, key, trouble: Some(trouble) };
    let markup = show(&console, id, Some(mention), &Look::default(), Some(composer)).await?;
    Ok((status, markup).into_response())
}

#[derive(Debug, Deserialize)]
struct StateForm {
    state: String,
    /// RFC 3339, or a local time in the person's zone.
    #[serde(default)]
    until: String,
    #[serde(default)]
    back: String,
}

async fn set_state(console: Console, Path(id): Path<String>, Form(form): Form<StateForm>) -> Result<Response, Problem> {
    let id: ConversationId = read("conversation", &id)?;
    let state: ConversationState = read("state", &form.state)?;
    let back = own_path(&form.back).unwrap_or_else(|| format!("/conversations/{id}"));
    let until = match state {
        ConversationState::Snoozed => {
            let until =
                form.until.parse::<Timestamp>().ok().or_else(|| from_local_field(&form.until, &console.timezone));
            match until.filter(|until| *until > console.now) {
                Some(until) => Some(until),
                None => {
                    let too_far = is_too_far(&form.until, &console.timezone);
                    let notice = if too_far { Notice::TOO_FAR } else { Notice::BAD_SNOOZE };
                    return Ok(Redirect::to(&notice.on(&back)).into_response());
                }
            }
        }
        _ => None,
    };
    console.app.store.set_conversation_state(id, state, until, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&back).into_response())
}

#[derive(Debug, Deserialize)]
struct AssignForm {
    #[serde(default)]
    user: String,
    #[serde(default)]
    claim: Option<i64>,
    #[serde(default)]
    back: String,
}

async fn assign(console: Console, Path(id): Path<String>, Form(form): Form<AssignForm>) -> Result<Response, Problem> {
    let id: ConversationId = read("conversation", &id)?;
    let user: Option<UserId> = maybe("user", &form.user)?;
    console.app.store.assign(id, user, form.claim, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    let back = own_path(&form.back).unwrap_or_else(|| format!("/conversations/{id}"));
    Ok(Redirect::to(&back).into_response())
}

#[derive(Debug, Deserialize)]
struct NoteForm {
    text: String,
    #[serde(default)]
    back: String,
}

async fn add_note(console: Console, Path(id): Path<String>, Form(form): Form<NoteForm>) -> Result<Response, Problem> {
    let id: ConversationId = read("conversation", &id)?;
    let back = own_path(&form.back).unwrap_or_else(|| format!("/conversations/{id}"));
    let text = form.text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Ok(Redirect::to(&Notice::EMPTY_NOTE.on(&back)).into_response());
    }
    console.app.store.add_note(id, text.trim(), &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&back).into_response())
}

/// Takes a reply back while it waits; its text returns to the box.
async fn undo(console: Console, Path(id): Path<String>) -> Result<Redirect, Problem> {
    let id: DeliveryId = read("delivery", &id)?;
    let delivery = console.app.store.cancel(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Outbox);
    let back = match delivery.mention_id {
        Some(mention) => format!("/mentions/{mention}?draft={id}#reply-text"),
        None => format!("/deliveries/{id}"),
    };
    let notice = match delivery.state {
        DeliveryState::Cancelled => Notice::UNDONE,
        _ => Notice::TOO_LATE,
    };
    Ok(Redirect::to(&notice.on(&back)))
}

#[derive(Debug, Deserialize)]
struct MeasureForm {
    account: String,
    /// The mention being answered, where it is an answer: networks that put the handle before it count that too.
    #[serde(default)]
    mention: String,
    text: String,
}

async fn measure(State(app): State<Arc<App>>, Form(form): Form<MeasureForm>) -> Result<Json<Length>, Problem> {
    let account: AccountId = read("account", &form.account)?;
    let mention: Option<MentionId> = maybe("mention", &form.mention)?;
    let text = form.text.replace("\r\n", "\n");
    Ok(Json(match mention {
        Some(mention) => compose::measure_reply(&app, mention, &text).await?,
        None => compose::measure(&app, account, &text).await?,
    }))
}

/// A path of this console to go back to; anything else could lead a person away.
pub fn own_path(path: &str) -> Option<String> {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    own.then(|| path.to_owned())
}

/// Who is answered, for the line above the reply box.
pub fn answered_handle(mention: &MentionRow) -> String {
    handle(&mention.author.handle)
}

/// The state of a conversation in words, for pages that only name it.
pub fn state_text(console: &Console, state: ConversationState) -> &'static str {
    console.t(state_word(state))
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn going_back_never_leaves_the_console() {
        assert_eq!(own_path("/mentions/x?q=a%20b#c").as_deref(), Some("/mentions/x?q=a%20b#c"));
        for bad in
            ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nSet-Cookie: x", "javascript:x"]
        {
            assert_eq!(own_path(bad), None, "{bad:?}");
        }
    }
}

//! The part of the Telegram Bot API that connectors use.
//!
//! Facts: core.telegram.org/bots/api and its description, version 10.1, read November 2026: answers are
//! `{ok, result}` or `{ok, error_code, description, parameters}`; `getUpdates` gives what was not confirmed by a higher
//! `offset`; there is no key for `sendMessage` and no way to read a chat back. Every bot of the simulator is told of
//! every private message.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Dialect, Parameters, Request};
use crate::faults::Call;
use crate::simulation::{Failure, Reply, Simulation, Work, written};
use crate::timeline::{Draft, Network, NotificationKind, PersonId, PersonKind, Post, Timeline};
use crate::world::World;

const FIRST_USER: i64 = 700_000_000;
const FIRST_CHANNEL: i64 = -1_002_000_000_000;
const FIRST_UPDATE: i64 = 910_000_000;
const MAX_CHARACTERS: usize = 4_096;

/// The chat with a person, or a channel's own.
pub(crate) fn chat_of(timeline: &Timeline, person: PersonId) -> i64 {
    match timeline.person(person).kind {
        PersonKind::Person => FIRST_USER + person as i64,
        PersonKind::Channel => FIRST_CHANNEL - person as i64,
    }
}

fn person_in(timeline: &Timeline, chat: i64) -> Option<PersonId> {
    let id = if chat < 0 { FIRST_CHANNEL - chat } else { chat - FIRST_USER };
    let id = usize::try_from(id).ok().filter(|id| *id < timeline.people().len())?;
    (timeline.person(id).network == Network::Telegram && chat_of(timeline, id) == chat).then_some(id)
}

/// Answers one request.
pub(crate) async fn answer(simulation: &Arc<Simulation>, request: Request) -> Response {
    let segments = request.segments();
    let token = segments.first().and_then(|first| first.strip_prefix("bot")).unwrap_or_default();
    let account = simulation.look(|world| world.timeline.by_token(Network::Telegram, token));
    let Some(account) = account else {
        return written(Dialect::Telegram.failure(Failure::Unauthorized, simulation.now()));
    };
    let Some(parameters) = request.parameters() else {
        return written(bad("Bad Request: can't parse JSON"));
    };
    let method = segments.get(1).map(|method| method.to_lowercase()).unwrap_or_default();
    let (call, work): (Call, Work) = match method.as_str() {
        "getme" => (Call::Who, Box::new(move |world, _| ok(user(&world.timeline, account)))),
        "getupdates" => {
            wait_for_updates(simulation, account, &parameters).await;
            (Call::Mentions, Box::new(move |world, _| get_updates(world, account, &parameters)))
        }
        "sendmessage" => (Call::Publish, Box::new(move |world, now| send_message(world, account, &parameters, now))),
        "deletemessage" => (Call::Delete, Box::new(move |world, now| delete_message(world, &parameters, now))),
        _ => return written(Reply::new(404, json!({ "ok": false, "error_code": 404, "description": "Not Found" }))),
    };
    simulation.answer(Dialect::Telegram, account, call, request.grip, work).await
}

/// Long polling: waits until there is something to tell, at most as long as asked.
async fn wait_for_updates(simulation: &Arc<Simulation>, account: PersonId, parameters: &Parameters) {
    let seconds = parameters.number("timeout").unwrap_or(0).clamp(0, 50) as u64;
    let offset = parameters.number("offset").unwrap_or(0);
    let told = simulation.until(|world| !updates(world, account, offset, 1).is_empty());
    // Nothing to tell is an answer too.
    let _ = tokio::time::timeout(Duration::from_secs(seconds), told).await;
}

fn get_updates(world: &mut World, account: PersonId, parameters: &Parameters) -> Reply {
    let offset = parameters.number("offset").unwrap_or(0);
    let limit = parameters.number("limit").unwrap_or(100).clamp(1, 100) as usize;
    world.confirm_updates(account, offset);
    let found = updates(world, account, offset, limit);
    ok(Value::Array(found)).listed("/result")
}

fn updates(world: &World, account: PersonId, offset: i64, limit: usize) -> Vec<Value> {
    let from = offset.max(world.confirmed_updates(account));
    let told = world.timeline.notifications().iter().enumerate();
    told.map(|(index, told)| (FIRST_UPDATE + index as i64, told))
        .filter(|(id, told)| told.account == account && *id >= from)
        .filter_map(|(id, told)| Some((id, told.kind, world.timeline.live(told.post)?)))
        .take(limit)
        .map(|(id, kind, post)| {
            let name = if kind == NotificationKind::Edited { "edited_message" } else { "message" };
            json!({ "update_id": id, name: message(&world.timeline, post) })
        })
        .collect()
}

fn send_message(world: &mut World, account: PersonId, parameters: &Parameters, now: Timestamp) -> Reply {
    let Some(chat) = asked_chat(&world.timeline, parameters) else { return bad("Bad Request: chat not found") };
    let text = parameters.text("text").unwrap_or_default();
    if text.trim().is_empty() {
        return bad("Bad Request: message text is empty");
    }
    if text.chars().count() > MAX_CHARACTERS {
        return bad("Bad Request: message is too long");
    }
    let mut reply_to = None;
    if let Some(answered) = parameters.get("reply_parameters") {
        // In a form the object comes as JSON text.
        let read = answered.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let answered = read.as_ref().unwrap_or(answered);
        reply_to = in_chat(&world.timeline, chat, answered["message_id"].as_i64().unwrap_or(0)).map(|post| post.id);
        if reply_to.is_none() && answered["allow_sending_without_reply"] != json!(true) {
            return bad("Bad Request: message to be replied not found");
        }
    }
    let draft = Draft { text, reply_to, chat: Some(chat), ..Draft::default() };
    let id = world.post(account, draft, now);
    let mut reply = match world.timeline.post(id) {
        Some(post) => ok(message(&world.timeline, post)),
        None => bad("Bad Request: message not found"),
    };
    reply.made = Some(id);
    reply
}

fn delete_message(world: &mut World, parameters: &Parameters, now: Timestamp) -> Reply {
    let Some(chat) = asked_chat(&world.timeline, parameters) else { return bad("Bad Request: chat not found") };
    let number = parameters.number("message_id").unwrap_or(0);
    match in_chat(&world.timeline, chat, number).map(|post| post.id) {
        Some(id) => {
            world.delete(id, now);
            ok(json!(true))
        }
        None => bad("Bad Request: message to delete not found"),
    }
}

fn asked_chat(timeline: &Timeline, parameters: &Parameters) -> Option<i64> {
    let asked = parameters.text("chat_id")?;
    match asked.strip_prefix('@') {
        Some(handle) => {
            let id = timeline.find(Network::Telegram, handle)?;
            (timeline.person(id).kind == PersonKind::Channel).then(|| chat_of(timeline, id))
        }
        None => {
            let chat = asked.parse().ok()?;
            person_in(timeline, chat).map(|_| chat)
        }
    }
}

fn in_chat(timeline: &Timeline, chat: i64, number: i64) -> Option<&Post> {
    let posts = timeline.posts().iter().rev();
    let mut found = posts.filter(|post| post.chat == Some(chat) && post.number == number);
    found.next().filter(|post| post.deleted_at.is_none())
}

fn ok(result: Value) -> Reply {
    Reply::new(200, json!({ "ok": true, "result": result }))
}

fn bad(description: &str) -> Reply {
    Reply::new(400, json!({ "ok": false, "error_code": 400, "description": description }))
}

fn user(timeline: &Timeline, id: PersonId) -> Value {
    let person = timeline.person(id);
    let mut user = json!({
        "id": FIRST_USER + id as i64,
        "is_bot": person.is_ours(),
        "first_name": person.display_name,
        "username": person.handle,
    });
    if person.is_ours() {
        user["can_join_groups"] = json!(true);
        user["can_read_all_group_messages"] = json!(false);
        user["supports_inline_queries"] = json!(false);
    } else if let Some(language) = &person.language {
        user["language_code"] = json!(language);
    }
    user
}

fn chat(timeline: &Timeline, chat: i64) -> Value {
    let Some(id) = person_in(timeline, chat) else { return json!({ "id": chat, "type": "private" }) };
    let person = timeline.person(id);
    match person.kind {
        PersonKind::Person => {
            json!({ "id": chat, "type": "private", "first_name": person.display_name, "username": person.handle })
        }
        PersonKind::Channel => {
            json!({ "id": chat, "type": "channel", "title": person.display_name, "username": person.handle })
        }
    }
}

fn message(timeline: &Timeline, post: &Post) -> Value {
    let place = post.chat.unwrap_or(0);
    let mut message = json!({
        "message_id": post.number,
        "date": post.created_at.as_second(),
        "chat": chat(timeline, place),
        "text": post.text,
    });
    if place < 0 {
        message["sender_chat"] = chat(timeline, place);
    } else {
        message["from"] = user(timeline, post.author);
    }
    if let Some(edited_at) = post.edited_at {
        message["edit_date"] = json!(edited_at.as_second());
    }
    if let Some(answered) = post.reply_to.and_then(|id| timeline.live(id)) {
        let mut answered = message_without_parent(timeline, answered);
        answered["chat"] = chat(timeline, place);
        message["reply_to_message"] = answered;
    }
    message
}

/// A quoted message does not quote in turn.
fn message_without_parent(timeline: &Timeline, post: &Post) -> Value {
    let alone = Post { reply_to: None, ..post.clone() };
    message(timeline, &alone)
}

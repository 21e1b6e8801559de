//! One poll: what changed in all rooms since the last one, and the stretches a long absence left out.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use super::events::{Event, Meaning, Names, Viewer, direct_rooms};
use super::{API, Matrix};
use crate::http::{Call, Response};
use crate::incoming::unparsed;
use crate::{Batch, Change, ConnectorError, Cursor, Gap, Unparsed};

/// Pages of old messages read in one poll.
const PAGES_AT_ONCE: usize = 5;
/// How far a room that is new to us is read back, in pages of [`PAGE`], besides all that came in since.
const FIRST_PAGES: u32 = 5;
const PAGE: u32 = 100;
/// Of each room in a sync: the first one of an account with many rooms must stay within [`MOST_SYNC`].
const IN_SYNC: u32 = 50;
const MOST_SYNC: usize = 32 * 1024 * 1024;
/// Rooms whose left-out stretch a cursor can hold within its 8 KiB; further ones are reported as lost.
const MOST_ROOMS: usize = 40;
const MOST_CURSOR: usize = 7 * 1024;
/// Requests for a direct chat accepted in one poll.
const MOST_INVITES: usize = 20;

/// What a cursor holds.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Position {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Up to when everything was read before the stretches in `back` opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    back: Vec<Stretch>,
}

/// Messages of a room between two polls that the sync left out.
#[derive(Serialize, Deserialize)]
struct Stretch {
    room: String,
    from: String,
    /// The end of what was read before; a room that is new to us has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    pages: u32,
}

impl Position {
    /// A cursor that cannot be read begins anew: what was seen is recognised, and nothing is lost.
    pub(super) fn read(cursor: Option<&Cursor>) -> Self {
        cursor.and_then(|cursor| serde_json::from_str(&cursor.0).ok()).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Sync {
    next_batch: String,
    #[serde(default)]
    rooms: Rooms,
    #[serde(default)]
    account_data: Events,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rooms {
    join: HashMap<String, Joined>,
    invite: HashMap<String, Invited>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Joined {
    timeline: Timeline,
    state: Events,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Timeline {
    events: Vec<Value>,
    limited: bool,
    prev_batch: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Events {
    events: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Invited {
    invite_state: Events,
}

#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    chunk: Vec<Value>,
    end: Option<String>,
    #[serde(default)]
    state: Vec<Value>,
}

/// Polls the account once.
pub(super) async fn poll(
    matrix: &Matrix,
    mut position: Position,
    asked_at: Timestamp,
) -> Result<Batch, ConnectorError> {
    matrix.join_rooms().await?;
    let mut viewer = matrix.viewer().await?;
    let mut lost = Vec::new();
    let response = match since(matrix, position.since.as_deref()).await {
        // A server that was restored from a backup does not know where we stopped: begin anew, and say so.
        Err(ConnectorError::Rejected(reason)) if position.since.is_some() => {
            let reason = format!("the server does not know where the last poll stopped: {reason}");
            lost.push(Gap { from: position.complete, until: None, reason });
            position = Position::default();
            since(matrix, None).await?
        }
        response => response?,
    };
    let as_of = server_time(&response);
    let sync: Sync = response.json()?;
    for event in &sync.account_data.events {
        if event["type"] == "m.direct" {
            viewer.direct = direct_rooms(&event["content"]);
            matrix.keep_direct(viewer.direct.clone());
        }
    }
    let mut given = Given { as_of, ..Given::default() };
    for (room, joined) in &sync.rooms.join {
        let events = given.events(&joined.timeline.events);
        let names = names(joined.state.events.iter().chain(&joined.timeline.events));
        let is_new = events.iter().any(|(event, _)| event.is_joining_of(&viewer.user_id));
        given.take(matrix, room, &viewer, &names, events).await?;
        if let Some(from) = joined.timeline.prev_batch.clone().filter(|_| joined.timeline.limited) {
            let to = position.since.clone().filter(|_| !is_new);
            position.back.push(Stretch { room: room.clone(), from, to, pages: 0 });
        }
    }
    let invited = accept_invites(matrix, &viewer, &sync.rooms.invite).await?;

    position.since = Some(sync.next_batch);
    fill(matrix, &viewer, &mut position, asked_at, &mut given, &mut lost).await?;
    if position.back.is_empty() {
        position.complete = as_of.or(position.complete);
    }
    let filling = position.back.first().map(|_| Gap {
        from: position.complete,
        until: as_of,
        reason: format!("being read backwards in {} rooms", position.back.len()),
    });
    let next = serde_json::to_string(&position).map_err(|error| ConnectorError::Malformed(error.into()))?;
    Ok(Batch {
        changes: given.changes,
        unparsed: given.unparsed,
        next: Cursor(next),
        complete_up_to: position.complete,
        more: invited || filling.is_some(),
        filling,
        lost,
    })
}

async fn since(matrix: &Matrix, since: Option<&str>) -> Result<Response, ConnectorError> {
    let types = ["m.room.message", "m.room.redaction", "m.room.encrypted", "m.room.member"];
    let filter = json!({
        "presence": { "types": [] },
        "account_data": { "types": ["m.direct"] },
        "room": {
            "timeline": { "types": types, "limit": IN_SYNC },
            // Only members who wrote something: their names.
            "state": { "types": ["m.room.member"], "lazy_load_members": true, "include_redundant_members": true },
            "ephemeral": { "types": [] },
            "account_data": { "types": [] },
        },
    });
    let call = Call::get(API).segment("sync").query("timeout", 0).query("filter", filter);
    let call = match since {
        Some(since) => call.query("since", since),
        None => call,
    };
    matrix.read(call.bucket("sync").max_body(MOST_SYNC)).await
}

/// Reads some pages of what the syncs left out.
async fn fill(
    matrix: &Matrix,
    viewer: &Viewer,
    position: &mut Position,
    asked_at: Timestamp,
    given: &mut Given,
    lost: &mut Vec<Gap>,
) -> Result<(), ConnectorError> {
    let mut pages = 0;
    while let Some(stretch) = position.back.pop() {
        let too_much = position.back.len() >= MOST_ROOMS || weight(position) > MOST_CURSOR;
        if pages >= PAGES_AT_ONCE && !too_much {
            position.back.push(stretch);
            return Ok(());
        }
        if pages >= PAGES_AT_ONCE * 20 {
            let reason = format!("room {}: more rooms were active than can be read back at once", stretch.room);
            lost.push(Gap { from: position.complete, until: given.as_of, reason });
            continue;
        }
        pages += 1;
        match page(matrix, &stretch).await {
            Ok(page) => {
                let mut events = given.events(&page.chunk);
                events.reverse();
                let names = names(page.state.iter().chain(&page.chunk));
                let at_end = page.chunk.is_empty();
                given.take(matrix, &stretch.room, viewer, &names, events).await?;
                let newest = page.chunk.iter().filter_map(|event| event["origin_server_ts"].as_i64()).max();
                let over = stretch.to.is_none()
                    && stretch.pages + 1 >= FIRST_PAGES
                    && newest.is_none_or(|newest| newest < asked_at.as_millisecond());
                if let Some(end) = page.end.filter(|end| !at_end && !over && *end != stretch.from) {
                    position.back.push(Stretch { from: end, pages: stretch.pages + 1, ..stretch });
                }
            }
            // We left the room, or were put out of it.
            Err(ConnectorError::Rejected(reason)) => {
                let reason = format!("room {}: {reason}", stretch.room);
                lost.push(Gap { from: position.complete, until: given.as_of, reason });
            }
            Err(error) if !given.changes.is_empty() && !matches!(error, ConnectorError::Unauthorized(_)) => {
                position.back.push(stretch);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn weight(position: &Position) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let stretches = position.back.iter().map(|back| back.room.len() + back.from.len() + text(&back.to) + 48);
    stretches.sum::<usize>() + text(&position.since)
}

async fn page(matrix: &Matrix, stretch: &Stretch) -> Result<Messages, ConnectorError> {
    let filter = json!({
        "types": ["m.room.message", "m.room.redaction", "m.room.encrypted"],
        "lazy_load_members": true,
    });
    let call = Call::get(API).segment("rooms").segment(&stretch.room).segment("messages");
    let call = call.query("dir", "b").query("from", &stretch.from).query("limit", PAGE).query("filter", filter);
    let call = match &stretch.to {
        Some(to) => call.query("to", to),
        None => call,
    };
    matrix.read(call).await?.json()
}

/// Accepts requests for direct chats; other invitations are left for a person, as is what goes wrong with one of them.
async fn accept_invites(
    matrix: &Matrix,
    viewer: &Viewer,
    invites: &HashMap<String, Invited>,
) -> Result<bool, ConnectorError> {
    let mut any = false;
    for (room, invited) in invites.iter().take(MOST_INVITES) {
        let ours = invited
            .invite_state
            .events
            .iter()
            .find(|event| event["type"] == "m.room.member" && event["state_key"] == viewer.user_id.as_str());
        let Some(inviter) =
            ours.filter(|event| event["content"]["is_direct"] == true).and_then(|e| e["sender"].as_str())
        else {
            continue;
        };
        match matrix.accept(room, inviter).await {
            Ok(()) => any = true,
            Err(ConnectorError::Rejected(reason)) => warn!(room, reason, "a direct chat cannot be joined"),
            Err(error) => return Err(error),
        }
    }
    Ok(any)
}

fn names<'a>(events: impl Iterator<Item = &'a Value>) -> Names {
    let members = events.filter_map(|event| Event::deserialize(event).ok());
    members.filter_map(|event| event.member().map(|(user, name)| (user.to_owned(), name.to_owned()))).collect()
}

fn server_time(response: &Response) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(response.header("date")?).ok()?;
    Timestamp::try_from(time).ok()
}

/// What this poll gives.
#[derive(Default)]
struct Given {
    changes: Vec<Change>,
    unparsed: Vec<Unparsed>,
    as_of: Option<Timestamp>,
}

impl Given {
    /// The events that can be read, each with its raw form; the others are kept as they are.
    fn events<'a>(&mut self, raw: &'a [Value]) -> Vec<(Event, &'a Value)> {
        let mut events = Vec::with_capacity(raw.len());
        for value in raw {
            match Event::deserialize(value) {
                Ok(event) => events.push((event, value)),
                Err(error) => self.unparsed.push(unparsed(&value.to_string(), error.to_string())),
            }
        }
        events
    }

    async fn take(
        &mut self,
        matrix: &Matrix,
        room: &str,
        viewer: &Viewer,
        names: &Names,
        events: Vec<(Event, &Value)>,
    ) -> Result<(), ConnectorError> {
        for (event, raw) in events {
            match event.meaning(room, viewer, names, self.as_of) {
                Meaning::Message(message) => self.changes.push(Change::Seen(*message)),
                Meaning::Redacted(event) => self.changes.push(Change::Deleted(format!("{room}/{event}"))),
                Meaning::EditOf(original) => match edited(matrix, room, &original).await? {
                    Ok(original) => match original.message(room, viewer, names, self.as_of) {
                        Ok(Some(message)) if message.edited_at.is_some() => self.changes.push(Change::Edited(message)),
                        // Redacted since, or an edit that the server does not accept as one.
                        Ok(_) => {}
                        Err(reason) => self.unparsed.push(unparsed(&raw.to_string(), reason)),
                    },
                    Err(reason) => self.unparsed.push(unparsed(&raw.to_string(), reason)),
                },
                Meaning::Unreadable(reason) => self.unparsed.push(unparsed(&raw.to_string(), reason)),
                Meaning::Nothing => {}
            }
        }
        Ok(())
    }
}

/// The original of an edit, with its newest content; the inner error is why it cannot be had.
async fn edited(matrix: &Matrix, room: &str, event: &str) -> Result<Result<Event, String>, ConnectorError> {
    let call = Call::get(API).segment("rooms").segment(room).segment("event").segment(event);
    match matrix.read(call).await {
        Ok(response) => Ok(response.json::<Event>().map_err(|error| format!("the edited message: {error}"))),
        Err(ConnectorError::Rejected(reason)) => Ok(Err(format!("the edited message: {reason}"))),
        Err(error) => Err(error),
    }
}

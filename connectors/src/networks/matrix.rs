//! Matrix: direct messages and rooms by sync, with transaction ids that make a repeated send harmless.
//!
//! Facts are from the client-server API (spec.matrix.org, v1.16) and from Synapse 1.163 run locally (`tests/peers`),
//! November 2026. Access tokens live for minutes and are renewed; transaction ids hang on the device, which therefore
//! stays the same over logins. The account joins a room by itself only when somebody asks for a direct chat, or when the
//! room is named in `listen_for`; a post that answers nothing goes to the first of those rooms.

mod events;
mod publish;
mod session;
mod sync;

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;

use self::events::Viewer;
use self::session::Sessions;
use crate::http::{Call, Client, Pace, Response};
use crate::{AccountSettings, Batch, Connector, ConnectorError, Cursor, Profile, Publisher, Stream, StreamKind};

const API: &str = "_matrix/client/v3";

/// One account on a Matrix homeserver.
pub struct Matrix {
    client: Client,
    sessions: Sessions,
    /// Rooms named in `listen_for`, as ids (`!…`) or aliases (`#name:server`).
    rooms: Vec<String>,
    /// Rooms of `listen_for` that this process has joined or warned about.
    settled: Mutex<HashSet<String>>,
    /// Which rooms are direct chats, once the server said so.
    direct: Mutex<Option<HashSet<String>>>,
}

impl Matrix {
    /// Needs `base_url`, and either `user` with its password as `token`, or an access token alone.
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let missing = |what: &str| ConnectorError::Settings(format!("account {}: {what}", account.name));
        let base = account.base_url.clone().ok_or_else(|| missing("set base_url to the homeserver's address"))?;
        let secret = account
            .token
            .clone()
            .ok_or_else(|| missing("set token to the password of user, or to an access token when user is not set"))?;
        let user = account.user.clone().filter(|user| !user.trim().is_empty());
        let rooms = account.listen_for.iter().map(|room| room.trim());
        let rooms = rooms.filter(|room| room.starts_with('!') || (room.starts_with('#') && room.contains(':')));
        let pace = Pace { burst: 20, every: Duration::from_millis(200) };
        Ok(Self {
            client: Client::new(base, account.call_timeout, pace)?.with_secret(secret.clone()),
            rooms: rooms.map(str::to_owned).collect(),
            sessions: Sessions::new(account.session.clone(), user, secret),
            settled: Mutex::default(),
            direct: Mutex::default(),
        })
    }

    /// A read as the account; an expired token is renewed once.
    async fn read(&self, call: Call) -> Result<Response, ConnectorError> {
        self.fetch(call).await?.accepted()
    }

    /// Like [`Matrix::read`], any status but that of a refused token.
    async fn fetch(&self, call: Call) -> Result<Response, ConnectorError> {
        let tokens = self.sessions.current(&self.client).await?;
        let response = self.client.fetch(call.clone().bearer(&tokens.access())).await?;
        if !session::is_refused(&response) {
            return Ok(response);
        }
        let tokens = self.sessions.renew(&self.client, &tokens).await?;
        let response = self.client.fetch(call.bearer(&tokens.access())).await?;
        match session::is_refused(&response) {
            true => Err(ConnectorError::Unauthorized(response.said())),
            false => Ok(response),
        }
    }

    async fn viewer(&self) -> Result<Viewer, ConnectorError> {
        Ok(Viewer { user_id: self.sessions.current(&self.client).await?.user_id, direct: self.direct_rooms().await? })
    }

    /// The rooms that this account's `m.direct` calls direct chats; read once, then kept by the syncs.
    async fn direct_rooms(&self) -> Result<HashSet<String>, ConnectorError> {
        if let Some(known) = self.direct.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).as_ref() {
            return Ok(known.clone());
        }
        let rooms = events::direct_rooms(&self.direct_data().await?);
        self.keep_direct(rooms.clone());
        Ok(rooms)
    }

    fn keep_direct(&self, rooms: HashSet<String>) {
        *self.direct.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(rooms);
    }

    async fn direct_data(&self) -> Result<Value, ConnectorError> {
        let user_id = self.sessions.current(&self.client).await?.user_id;
        let call = user_data(Call::get(API), &user_id);
        match self.fetch(call).await? {
            response if response.status.as_u16() == 404 => Ok(json!({})),
            response => response.accepted()?.json(),
        }
    }

    /// Accepts a request for a direct chat, and tells the account's other apps that it is one.
    async fn accept(&self, room: &str, inviter: &str) -> Result<(), ConnectorError> {
        self.join(room).await?;
        let mut data = self.direct_data().await?;
        if !data[inviter].is_array() {
            data[inviter] = json!([]);
        }
        if let Some(rooms) = data[inviter].as_array_mut().filter(|rooms| !rooms.iter().any(|known| known == room)) {
            rooms.push(json!(room));
        }
        let user_id = self.sessions.current(&self.client).await?.user_id;
        self.read(user_data(Call::put(API), &user_id).json(&data)).await?;
        self.keep_direct(events::direct_rooms(&data));
        Ok(())
    }

    async fn join(&self, room: &str) -> Result<String, ConnectorError> {
        #[derive(Deserialize)]
        struct Joined {
            room_id: String,
        }
        let call = Call::post(API).segment("join").segment(room).json(&json!({})).bucket("join");
        Ok(self.read(call).await?.json::<Joined>()?.room_id)
    }

    /// Joins the rooms of `listen_for`. One that refuses us does not stop the others, nor the direct chats.
    async fn join_rooms(&self) -> Result<(), ConnectorError> {
        for room in &self.rooms {
            if self.settled.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).contains(room) {
                continue;
            }
            match self.join(room).await {
                Ok(_) => {}
                Err(ConnectorError::Rejected(reason)) => {
                    warn!(room, reason, "a room of listen_for cannot be joined; invite the account and restart");
                }
                Err(error) => return Err(error),
            }
            self.settled.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(room.clone());
        }
        Ok(())
    }
}

fn user_data(call: Call, user_id: &str) -> Call {
    call.segment("user").segment(user_id).segment("account_data").segment("m.direct")
}

#[async_trait]
impl Connector for Matrix {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        #[derive(Deserialize)]
        struct Own {
            user_id: String,
        }
        #[derive(Deserialize)]
        struct Shown {
            displayname: Option<String>,
        }
        let own: Own = self.read(Call::get(API).segment("account").segment("whoami")).await?.json()?;
        let shown = self.read(Call::get(API).segment("profile").segment(&own.user_id)).await;
        let shown = shown.and_then(|response| response.json::<Shown>()).ok();
        Ok(Profile {
            display_name: shown.and_then(|shown| shown.displayname).unwrap_or_default(),
            url: Some(format!("https://matrix.to/#/{}", own.user_id)),
            handle: own.user_id.clone(),
            remote_id: own.user_id,
        })
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream { kind: StreamKind::Messages, query: String::new() }]
    }

    async fn poll(
        &self,
        stream: &Stream,
        after: Option<&Cursor>,
        asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        match stream.kind {
            StreamKind::Messages => sync::poll(self, sync::Position::read(after), asked_at).await,
            _ => Err(ConnectorError::Settings(format!("Matrix has no stream {:?}", stream.name()))),
        }
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

//! Logging in and renewing: the two tokens of an account, saved before they are used.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use crate::http::{Call, Client, Response};
use crate::{ConnectorError, Session};

/// What the network handed out at the last login or renewal.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub(super) struct Tokens {
    /// Who asked for them: another `user` in the configuration logs in anew.
    #[serde(default)]
    user: String,
    pub(super) did: String,
    #[serde(rename = "accessJwt")]
    access: String,
    #[serde(rename = "refreshJwt")]
    refresh: String,
}

impl Tokens {
    pub(super) fn access(&self) -> SecretString {
        SecretString::from(self.access.as_str())
    }
}

/// What the body of a refusal says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) error: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn of(response: &Response) -> Self {
        serde_json::from_slice(&response.body).unwrap_or_default()
    }
}

/// Whether the network refuses the token of a call, so that a renewed one may help. Both 400 and 401 are seen.
pub(super) fn is_refused(response: &Response) -> bool {
    match response.status.as_u16() {
        400 => matches!(Failure::of(response).error.as_str(), "ExpiredToken" | "InvalidToken"),
        401 => true,
        _ => false,
    }
}

/// The account's session: one login or renewal at a time.
pub(super) struct Sessions {
    saved: Arc<dyn Session>,
    user: String,
    password: SecretString,
    tokens: Mutex<Option<Tokens>>,
}

impl Sessions {
    pub(super) fn new(saved: Arc<dyn Session>, user: String, password: SecretString) -> Self {
        Self { saved, user, password, tokens: Mutex::new(None) }
    }

    /// The tokens in use: those in memory, those saved, or new ones.
    pub(super) async fn current(&self, client: &Client) -> Result<Tokens, ConnectorError> {
        let mut tokens = self.tokens.lock().await;
        if let Some(tokens) = tokens.as_ref() {
            return Ok(tokens.clone());
        }
        let fresh = match self.load().await? {
            Some(saved) => saved,
            None => self.log_in(client).await?,
        };
        Ok(tokens.insert(fresh).clone())
    }

    /// Tokens in place of `refused`: those that somebody else renewed meanwhile, a renewal, or a login.
    pub(super) async fn renew(&self, client: &Client, refused: &Tokens) -> Result<Tokens, ConnectorError> {
        let mut tokens = self.tokens.lock().await;
        if let Some(tokens) = tokens.as_ref().filter(|tokens| *tokens != refused) {
            return Ok(tokens.clone());
        }
        let fresh = match self.load().await?.filter(|saved| saved != refused) {
            Some(saved) => saved,
            None => match self.refresh(client, refused).await? {
                Some(renewed) => renewed,
                None => self.log_in(client).await?,
            },
        };
        Ok(tokens.insert(fresh).clone())
    }

    /// New tokens for the refresh token; `None` when that one is refused, too.
    async fn refresh(&self, client: &Client, old: &Tokens) -> Result<Option<Tokens>, ConnectorError> {
        let call = Call::post("xrpc/com.atproto.server.refreshSession")
            .bearer(&SecretString::from(old.refresh.as_str()))
            .bucket("login");
        let response = client.fetch(call).await?;
        if is_refused(&response) {
            return Ok(None);
        }
        self.keep(response.accepted()?).await.map(Some)
    }

    async fn log_in(&self, client: &Client) -> Result<Tokens, ConnectorError> {
        let body = json!({ "identifier": self.user, "password": self.password.expose_secret() });
        let call = Call::post("xrpc/com.atproto.server.createSession").json(&body).bucket("login");
        let response = client.fetch(call).await?;
        let refusal = match (response.status.as_u16(), Failure::of(&response).error.as_str()) {
            (_, "AuthFactorTokenRequired") => "the account asks for a code by e-mail; use an app password as token",
            (401, _) | (400, "AccountTakedown" | "AccountDeactivated") => "check user and the app password in token",
            _ => return self.keep(response.accepted()?).await,
        };
        Err(ConnectorError::Unauthorized(format!("{}; {refusal}", response.said())))
    }

    async fn keep(&self, response: Response) -> Result<Tokens, ConnectorError> {
        let mut tokens: Tokens = response.json()?;
        tokens.user = self.user.clone();
        let text = serde_json::to_string(&tokens).map_err(|error| ConnectorError::Malformed(error.into()))?;
        self.saved.save(SecretString::from(text)).await.map_err(ConnectorError::Unavailable)?;
        Ok(tokens)
    }

    async fn load(&self) -> Result<Option<Tokens>, ConnectorError> {
        let saved = self.saved.load().await.map_err(ConnectorError::Unavailable)?;
        // What cannot be read or belongs to another user is as good as nothing: logging in makes it anew.
        let tokens = saved.and_then(|text| serde_json::from_str::<Tokens>(text.expose_secret()).ok());
        Ok(tokens.filter(|tokens| tokens.user == self.user))
    }
}

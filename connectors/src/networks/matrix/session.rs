//! Logging in and renewing: tokens of one device, saved before they are used.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::API;
use crate::http::{Call, Client, Response};
use crate::{ConnectorError, Session};

/// What the homeserver handed out at the last login or renewal.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub(super) struct Tokens {
    /// Who was configured when they were made: another `user` logs in anew.
    #[serde(default)]
    user: Option<String>,
    pub(super) user_id: String,
    /// Kept over logins: transaction ids belong to it.
    pub(super) device_id: String,
    #[serde(rename = "access_token")]
    access: String,
    #[serde(rename = "refresh_token")]
    refresh: Option<String>,
}

impl Tokens {
    pub(super) fn access(&self) -> SecretString {
        SecretString::from(self.access.as_str())
    }
}

pub(super) fn errcode(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    body["errcode"].as_str().unwrap_or_default().to_owned()
}

/// Whether the homeserver refuses the token of a call, so that a renewed one may help.
pub(super) fn is_refused(response: &Response) -> bool {
    response.status.as_u16() == 401
}

/// The account's session: one login or renewal at a time.
pub(super) struct Sessions {
    saved: Arc<dyn Session>,
    user: Option<String>,
    secret: SecretString,
    tokens: Mutex<Option<Tokens>>,
}

impl Sessions {
    pub(super) fn new(saved: Arc<dyn Session>, user: Option<String>, secret: SecretString) -> Self {
        Self { saved, user, secret, tokens: Mutex::new(None) }
    }

    /// The tokens in use: those in memory, those saved, or new ones.
    pub(super) async fn current(&self, client: &Client) -> Result<Tokens, ConnectorError> {
        let mut tokens = self.tokens.lock().await;
        if let Some(tokens) = tokens.as_ref() {
            return Ok(tokens.clone());
        }
        let fresh = match self.load().await? {
            Some(saved) => saved,
            None => self.log_in(client, None).await?,
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
                None => self.log_in(client, Some(&refused.device_id)).await?,
            },
        };
        Ok(tokens.insert(fresh).clone())
    }

    /// New tokens for the refresh token; `None` without one, or when it is refused, too.
    async fn refresh(&self, client: &Client, old: &Tokens) -> Result<Option<Tokens>, ConnectorError> {
        #[derive(Deserialize)]
        struct Renewed {
            access_token: String,
            refresh_token: Option<String>,
        }
        let Some(refresh) = &old.refresh else { return Ok(None) };
        let call = Call::post(API).segment("refresh").json(&json!({ "refresh_token": refresh })).bucket("login");
        let response = client.fetch(call).await?;
        if is_refused(&response) || response.status.as_u16() == 403 {
            return Ok(None);
        }
        let renewed: Renewed = response.accepted()?.json()?;
        // Without a new refresh token the old one stays good.
        let refresh = renewed.refresh_token.or_else(|| old.refresh.clone());
        self.keep(Tokens { access: renewed.access_token, refresh, ..old.clone() }).await.map(Some)
    }

    async fn log_in(&self, client: &Client, device: Option<&str>) -> Result<Tokens, ConnectorError> {
        let Some(user) = &self.user else { return self.look_up(client).await };
        let mut body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": self.secret.expose_secret(),
            "initial_device_display_name": "Muhatap",
            "refresh_token": true,
        });
        if let Some(device) = device {
            body["device_id"] = json!(device);
        }
        let response = client.fetch(Call::post(API).segment("login").json(&body).bucket("login")).await?;
        if matches!(response.status.as_u16(), 401 | 403) {
            let said = response.said();
            return Err(ConnectorError::Unauthorized(format!("{said}; check user and the password in token")));
        }
        self.keep(response.accepted()?.json()?).await
    }

    /// Whose the configured access token is.
    async fn look_up(&self, client: &Client) -> Result<Tokens, ConnectorError> {
        #[derive(Deserialize)]
        struct Own {
            user_id: String,
            #[serde(default)]
            device_id: String,
        }
        let call = Call::get(API).segment("account").segment("whoami").bearer(&self.secret);
        let response = client.fetch(call).await?;
        if is_refused(&response) {
            let said = response.said();
            return Err(ConnectorError::Unauthorized(format!("{said}; put a new access token into token")));
        }
        let own: Own = response.accepted()?.json()?;
        let access = self.secret.expose_secret().to_owned();
        self.keep(Tokens { user: None, user_id: own.user_id, device_id: own.device_id, access, refresh: None }).await
    }

    async fn keep(&self, mut tokens: Tokens) -> Result<Tokens, ConnectorError> {
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

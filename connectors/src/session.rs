//! Where a connector keeps the tokens a network hands out and renews.

use std::sync::Mutex;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::error::BoxError;

/// Keeps one account's session (tokens as JSON text that only its connector reads). A renewed token is saved before it
/// is used, since some networks accept a refresh token once.
#[async_trait]
pub trait Session: Send + Sync {
    async fn load(&self) -> Result<Option<SecretString>, BoxError>;
    async fn save(&self, session: SecretString) -> Result<(), BoxError>;
}

/// A session that lives as long as the process: for tests and for `check-config --online`.
#[derive(Default)]
pub struct MemorySession(Mutex<Option<SecretString>>);

#[async_trait]
impl Session for MemorySession {
    async fn load(&self) -> Result<Option<SecretString>, BoxError> {
        Ok(self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }

    async fn save(&self, session: SecretString) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(session);
        Ok(())
    }
}

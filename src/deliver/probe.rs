//! After an unclear end an account sends nothing until the network answers a harmless call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::ConnectorError;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::Sender;
use super::attempt::jitter;
use crate::live::Wake;
use crate::model::AccountId;
use crate::queue::Gate;
use crate::store::StoreError;

/// Accounts asked for at the same time.
const AT_ONCE: usize = 16;
const ANSWER_AT_MOST: Duration = Duration::from_secs(15);
/// Nobody else asks for the same account while this one does.
const LEASE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Sender {
    /// Asks who the account is; opens it for sending when that is answered.
    pub(super) async fn probe(&self, account: AccountId, failed: u32, now: Timestamp) -> Result<bool, StoreError> {
        let answer = async {
            let connector = self.connector(account).await.map_err(|error| error.to_string())?;
            match tokio::time::timeout(ANSWER_AT_MOST, connector.who_am_i()).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => {
                    if matches!(error, ConnectorError::Unauthorized(_)) {
                        let reason = error.to_string();
                        self.note_refused(account, &reason).await.ok();
                    }
                    Err(error.to_string())
                }
                Err(_) => Err("it does not answer in time".to_owned()),
            }
        };
        let answer = tokio::select! {
            answer = answer => answer,
            // Another process asks, at once.
            () = self.app.shutdown.cancelled() => {
                self.app.store.probe_again(account, now).await?;
                return Ok(false);
            }
        };
        match answer {
            Ok(()) => {
                self.reopen(account, self.app.store.clock()).await?;
                info!(account.id = %account, "the network answers, the account sends again");
                Ok(true)
            }
            Err(reason) => {
                let longest = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(failed.min(8))).min(LONGEST_PAUSE);
                self.app.store.probe_again(account, now + jitter(longest)).await?;
                warn!(account.id = %account, reason, "the network does not answer, the account waits");
                Ok(false)
            }
        }
    }

    /// The network answered: what waited for that goes on at once.
    pub(super) async fn reopen(&self, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
        self.app.store.open_account(account, now).await?;
        if let Err(error) = self.app.dispatcher.gate(&Gate::Account(account), None).await {
            warn!(%error, "the account could not be opened in the queue; it opens there by itself");
        }
        self.app.live.wake(Wake::Outbox);
        Ok(())
    }
}

/// Asks for every account whose harmless call is due, several at a time: what one network leaves unanswered keeps nobody
/// else waiting. Answers how many were opened.
pub async fn probe_due(sender: &Arc<Sender>, now: Timestamp) -> Result<usize, StoreError> {
    let (mut asked, mut opened) = (JoinSet::new(), 0);
    loop {
        while asked.len() < AT_ONCE
            && !sender.app.shutdown.is_cancelled()
            && let Some((account, failed)) = sender.app.store.take_probe(LEASE, now).await?
        {
            let sender = sender.clone();
            asked.spawn(async move { sender.probe(account, failed, now).await });
        }
        match asked.join_next().await {
            Some(Ok(answered)) => opened += usize::from(answered?),
            // Its account is asked for again when the lease ends.
            Some(Err(error)) => error!(%error, "asking for an account ended in a panic"),
            None => return Ok(opened),
        }
    }
}

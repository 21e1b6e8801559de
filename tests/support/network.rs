//! A network by script: it records every message that becomes visible on it, and ends calls as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muhatap_connectors::{
    Certainty, Connector, ConnectorError, Length, Outgoing, Prepared, Profile, Publisher, Receipt,
};
use tokio::sync::Notify;

/// How one call ends; without a script a call succeeds.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The message is there, the answer lost.
    AcceptThenError,
    /// The message is there, no answer ever comes.
    AcceptThenHang,
    /// Nothing is there, no answer ever comes.
    Hang,
    /// Nothing is there, and the answer does not say so.
    Unclear,
    /// The answer is lost; the message appears when the test calls [`FakeNetwork::apply_late`].
    ApplyLate,
    Refuse(&'static str),
    RateLimit(Duration),
    Unavailable,
    Unauthorized,
    Settings,
    Malformed,
    Panic,
    /// Waits for [`FakeNetwork::go_on`], then succeeds.
    Wait,
}

/// A message that people on the network see.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub remote_id: String,
    pub key: String,
    pub text: String,
    pub to: Option<String>,
    /// Our own message that it continues.
    pub continues: Option<String>,
    pub deleted: bool,
}

/// Whether the network drops a second message with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Honoured,
    Ignored,
}

#[derive(Default)]
struct State {
    shown: Vec<Shown>,
    late: Vec<Shown>,
    script: VecDeque<End>,
    find_script: VecDeque<End>,
    prepare_script: VecDeque<End>,
    prepares: bool,
    calls: usize,
    prepared: usize,
    finds: usize,
    dark: bool,
    hidden: bool,
    limit: Option<usize>,
}

pub struct FakeNetwork {
    state: Mutex<State>,
    certainty: Mutex<Certainty>,
    keys: Keys,
    /// A lane for each recipient, as for direct messages.
    lanes_by_recipient: bool,
    goes_on: Notify,
    called: Notify,
}

impl FakeNetwork {
    pub fn new(certainty: Certainty) -> Arc<FakeNetwork> {
        Arc::new(Self {
            state: Mutex::default(),
            certainty: Mutex::new(certainty),
            keys: Keys::Honoured,
            lanes_by_recipient: false,
            goes_on: Notify::new(),
            called: Notify::new(),
        })
    }

    pub fn with_keys(certainty: Certainty, keys: Keys) -> Arc<FakeNetwork> {
        let mut network = Self::new(certainty);
        Arc::get_mut(&mut network).expect("nobody else has it yet").keys = keys;
        network
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the network")
    }

    /// What people see now, oldest first.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.iter().filter(|shown| !shown.deleted).cloned().collect()
    }

    /// Everything that ever was visible.
    pub fn ever_shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.shown().into_iter().map(|shown| shown.text).collect()
    }

    /// Calls that publish, whatever they ended with.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    pub fn finds(&self) -> usize {
        self.state().finds
    }

    pub fn prepared(&self) -> usize {
        self.state().prepared
    }

    /// How the next publishing calls end, in order.
    pub fn script(&self, ends: impl IntoIterator<Item = End>) {
        self.state().script.extend(ends);
    }

    pub fn script_find(&self, ends: impl IntoIterator<Item = End>) {
        self.state().find_script.extend(ends);
    }

    /// Nothing is called for before it was prepared; preparing ends like this.
    pub fn script_prepare(&self, ends: impl IntoIterator<Item = End>) {
        let mut state = self.state();
        state.prepares = true;
        state.prepare_script.extend(ends);
    }

    /// Nothing answers: each publishing call ends unclearly, each other call is unavailable.
    pub fn set_dark(&self, dark: bool) {
        self.state().dark = dark;
    }

    /// What was published is not listed yet.
    pub fn set_hidden(&self, hidden: bool) {
        self.state().hidden = hidden;
    }

    pub fn set_limit(&self, limit: usize) {
        self.state().limit = Some(limit);
    }

    /// The messages of [`End::ApplyLate`] appear.
    pub fn apply_late(&self) {
        let mut state = self.state();
        let late = std::mem::take(&mut state.late);
        state.shown.extend(late);
    }

    /// Lets one waiting call succeed.
    pub fn go_on(&self) {
        self.goes_on.notify_one();
    }

    /// Waits until a publishing call has reached the network.
    pub async fn until_called(&self) {
        tokio::time::timeout(Duration::from_secs(20), self.called.notified()).await.expect("a call comes");
    }

    fn show(&self, message: &Outgoing, late: bool) -> Receipt {
        let mut state = self.state();
        if self.keys == Keys::Honoured
            && let Some(shown) = state.shown.iter().find(|shown| shown.key == message.key)
        {
            return receipt(&shown.remote_id);
        }
        let remote_id = format!("post/{}", state.shown.len() + state.late.len() + 1);
        let shown = Shown {
            remote_id: remote_id.clone(),
            key: message.key.clone(),
            text: message.text.clone(),
            to: message.reply_to.as_ref().map(|to| to.remote_id.clone()),
            continues: message.continues.as_ref().map(|before| before.remote_id.clone()),
            deleted: false,
        };
        match late {
            true => state.late.push(shown),
            false => state.shown.push(shown),
        }
        receipt(&remote_id)
    }
}

fn prepared(message: &Outgoing) -> Prepared {
    Prepared(serde_json::json!({ "for": message.key }))
}

fn receipt(remote_id: &str) -> Receipt {
    Receipt {
        remote_id: remote_id.to_owned(),
        local_id: None,
        url: Some(format!("https://network.example/{remote_id}")),
    }
}

fn error(end: &End) -> Option<ConnectorError> {
    Some(match end {
        End::AcceptThenError | End::Unclear | End::ApplyLate => ConnectorError::Unconfirmed("connection reset".into()),
        End::Refuse(reason) => ConnectorError::Rejected((*reason).to_owned()),
        End::RateLimit(wait) => ConnectorError::RateLimited(*wait),
        End::Unavailable => ConnectorError::Unavailable("connection refused".into()),
        End::Unauthorized => ConnectorError::Unauthorized("token revoked".into()),
        End::Settings => ConnectorError::Settings("base_url is wrong".into()),
        End::Malformed => ConnectorError::Malformed("no id in the answer".into()),
        End::AcceptThenHang | End::Hang | End::Panic | End::Wait => return None,
    })
}

#[async_trait]
impl Connector for FakeNetwork {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        match self.state().dark {
            true => Err(ConnectorError::Unavailable("no route".into())),
            false => {
                Ok(Profile { remote_id: "us".into(), handle: "@biz".into(), display_name: "Biz".into(), url: None })
            }
        }
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

#[async_trait]
impl Publisher for FakeNetwork {
    fn lane(&self, message: &Outgoing) -> String {
        match (&message.reply_to, self.lanes_by_recipient) {
            (Some(to), true) => format!("to:{}", to.handle),
            _ => "posts".into(),
        }
    }

    fn measure(&self, message: &Outgoing) -> Length {
        Length { used: message.text.chars().count(), limit: self.state().limit.unwrap_or(200) }
    }

    fn certainty(&self) -> Certainty {
        *self.certainty.lock().expect("no test panics while it holds the network")
    }

    fn ready(&self, message: &Outgoing, saved: Option<&Prepared>) -> Option<Prepared> {
        let ready = || saved.cloned().unwrap_or_else(|| prepared(message));
        (!self.state().prepares).then(ready)
    }

    async fn prepare(&self, message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        let end = {
            let mut state = self.state();
            state.prepared += 1;
            state.prepare_script.pop_front()
        };
        match end {
            Some(End::Wait) => self.goes_on.notified().await,
            Some(End::Hang) => std::future::pending().await,
            Some(end) => {
                if let Some(error) = error(&end) {
                    return Err(error);
                }
            }
            None => {}
        }
        Ok(saved.unwrap_or_else(|| prepared(message)))
    }

    async fn publish(&self, message: &Outgoing, prepared: &Prepared) -> Result<Receipt, ConnectorError> {
        assert_eq!(prepared.0["for"], message.key.as_str(), "what was prepared reaches the call");
        let (end, dark) = {
            let mut state = self.state();
            state.calls += 1;
            (state.script.pop_front(), state.dark)
        };
        self.called.notify_one();
        if dark {
            return Err(ConnectorError::Unconfirmed("no answer".into()));
        }
        let Some(end) = end else { return Ok(self.show(message, false)) };
        match end {
            End::AcceptThenError | End::AcceptThenHang => _ = self.show(message, false),
            End::ApplyLate => _ = self.show(message, true),
            End::Wait => {
                self.goes_on.notified().await;
                return Ok(self.show(message, false));
            }
            End::Panic => panic!("a connector's mistake"),
            _ => {}
        }
        match error(&end) {
            Some(error) => Err(error),
            None => std::future::pending().await,
        }
    }

    async fn find(
        &self,
        message: &Outgoing,
        _prepared: &Prepared,
        _since: Timestamp,
        taken: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        let mut state = self.state();
        state.finds += 1;
        if state.dark {
            return Err(ConnectorError::Unavailable("no answer".into()));
        }
        if let Some(error) = state.find_script.pop_front().as_ref().and_then(error) {
            return Err(error);
        }
        if state.hidden {
            return Ok(None);
        }
        let to = message.reply_to.as_ref().map(|to| &to.remote_id);
        let continues = message.continues.as_ref().map(|before| &before.remote_id);
        let found = state.shown.iter().find(|shown| {
            let stands_there = shown.to.as_ref() == to && shown.continues.as_ref() == continues;
            shown.text == message.text && stands_there && !taken.contains(&shown.remote_id)
        });
        Ok(found.map(|shown| receipt(&shown.remote_id)))
    }

    async fn delete(&self, published: &Receipt) -> Result<(), ConnectorError> {
        let mut state = self.state();
        if let Some(error) = state.script.pop_front().as_ref().and_then(error) {
            return Err(error);
        }
        for shown in state.shown.iter_mut().filter(|shown| shown.remote_id == published.remote_id) {
            shown.deleted = true;
        }
        Ok(())
    }
}

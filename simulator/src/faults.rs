//! The fault script: which calls go wrong, when, and how. Format and an example: `simulator/FAULTS.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chance;

/// What a connector asks a network for; the word scripts and logs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Whose credentials these are.
    Who,
    /// What the server is and allows.
    Instance,
    /// Who named us.
    Mentions,
    /// Posts by word or hashtag.
    Search,
    /// What an account itself published.
    Own,
    /// One post, or several by id.
    Status,
    /// What is above and below a post.
    Context,
    Publish,
    Edit,
    Delete,
}

impl Call {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Instance => "instance",
            Self::Mentions => "mentions",
            Self::Search => "search",
            Self::Own => "own",
            Self::Status => "status",
            Self::Context => "context",
            Self::Publish => "publish",
            Self::Edit => "edit",
            Self::Delete => "delete",
        }
    }

    /// Whether the call only looks.
    pub fn is_read(self) -> bool {
        !matches!(self, Self::Publish | Self::Edit | Self::Delete)
    }
}

/// Which calls a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    #[default]
    Any,
    /// Every call that only looks.
    Read,
    /// Every call that changes something.
    Write,
    #[serde(untagged)]
    One(Call),
}

impl Calls {
    fn covers(self, call: Call) -> bool {
        match self {
            Self::Any => true,
            Self::Read => call.is_read(),
            Self::Write => !call.is_read(),
            Self::One(one) => one == call,
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Done, then the connection is reset: no answer.
    AcceptThenReset,
    /// Done, then an error answer (`status`, 500 unless given).
    AcceptThenError,
    /// Done, then no answer ever.
    AcceptThenHang,
    /// Done, then half an answer and a reset.
    AcceptThenCut,
    /// Done, then a 200 whose body is not JSON.
    AcceptThenGarbage,
    /// Done, then the answer waits until a test releases it.
    AcceptThenHold,
    /// Not done, no answer ever.
    Hang,
    /// Not done until a test releases it; done even when the caller is gone by then.
    Hold,
    /// Not done, the connection is reset.
    Drop,
    /// Not done, an error answer (`status`, 500 unless given).
    Error,
    /// Not done, 429 with Retry-After (`retry_after_seconds`, `form`).
    RateLimit,
    /// No answer now (see `then`), done after `after_ms`.
    ApplyLate,
    /// Done and answered, but after `after_ms`.
    Slow,
    /// Some items of the list come twice.
    Duplicate,
    /// The list comes in another order.
    Reorder,
    /// Before this call somebody edits a post that was seen earlier.
    Edit,
    /// Before this call somebody deletes a post that was seen earlier.
    Delete,
    /// From this call on the account's token is refused, until renewed.
    ExpireToken,
}

/// What the caller sees of a call that is applied late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    #[default]
    Reset,
    Error,
    Hang,
}

/// How a Retry-After is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    #[default]
    Seconds,
    Date,
}

/// What the network does with an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// The second post with a key is the first one, for `key_life_seconds` (3600 unless given).
    #[default]
    Honoured,
    /// The same, but forgotten soon (`key_life_seconds`, 5 unless given).
    Forgotten,
    /// Looked up when the call comes, remembered only when it is answered: two calls at once both post.
    Late,
    /// Ignored.
    Off,
}

/// One rule. A rule without `on`, `every` or `chance` fires on every call it covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub what: What,
    /// `any`, `read`, `write`, or one call.
    #[serde(default)]
    pub call: Calls,
    /// `mastodon` or `telegram`; every network unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The name of the account whose calls are meant; every account unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The calls by number, from 1, counted among those the rule covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<u64>,
    /// Every n-th call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// The share of calls, 0 to 1, drawn by the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Only between these seconds of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_second: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_second: Option<f64>,
    /// At most so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    #[serde(default)]
    pub then: Then,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    #[serde(default)]
    pub form: RetryAfter,
}

impl Rule {
    /// `what` on every call it is about; narrow it with the fields.
    pub fn new(what: What, call: Calls) -> Self {
        Self {
            what,
            call,
            network: None,
            account: None,
            on: Vec::new(),
            every: None,
            chance: None,
            from_second: None,
            to_second: None,
            times: None,
            status: None,
            after_ms: None,
            then: Then::default(),
            retry_after_seconds: None,
            form: RetryAfter::default(),
        }
    }

    pub(crate) fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms.unwrap_or(1_000))
    }

    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_secs(self.retry_after_seconds.unwrap_or(2))
    }

    fn covers(&self, network: &str, account: &str, call: Call, second: f64) -> bool {
        self.call.covers(call)
            && self.network.as_deref().is_none_or(|wanted| wanted == network)
            && self.account.as_deref().is_none_or(|wanted| wanted == account)
            && self.from_second.is_none_or(|from| second >= from)
            && self.to_second.is_none_or(|to| second < to)
    }

    fn fires_on(&self, n: u64, seed: u64, index: u64) -> bool {
        if self.on.is_empty() && self.every.is_none() && self.chance.is_none() {
            return true;
        }
        self.on.contains(&n)
            || self.every.is_some_and(|every| n.is_multiple_of(every))
            || self.chance.is_some_and(|chance| chance::unit(seed, index, n) < chance)
    }
}

/// A time in which the server cannot be connected to at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    pub from_second: f64,
    pub to_second: f64,
}

/// How many calls an account may make in a window; beyond it the answer is 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub calls: u64,
    pub seconds: u64,
}

impl Default for RateLimit {
    /// What Mastodon documents for an account (docs.joinmastodon.org/api/rate-limits, read November 2026).
    fn default() -> Self {
        Self { calls: 300, seconds: 300 }
    }
}

/// Everything a fault file can say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub keys: Keys,
    pub key_life_seconds: Option<u64>,
    /// A search finds a post only this long after it was written.
    pub index_delay_seconds: u64,
    pub rate_limit: RateLimit,
    pub outage: Vec<Outage>,
    pub rule: Vec<Rule>,
}

/// Why a fault file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the fault file cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("rule {number} of the fault file: {reason}")]
    Rule { number: usize, reason: String },
    #[error("the fault file: {0}")]
    Section(String),
}

impl Script {
    /// Reads a fault file.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)?;
        script.check()?;
        Ok(script)
    }

    /// Says what in the script can never work.
    pub fn check(&self) -> Result<(), ScriptError> {
        if self.rate_limit.calls == 0 || self.rate_limit.seconds == 0 {
            return Err(ScriptError::Section("rate_limit: calls and seconds must be at least 1".to_owned()));
        }
        for outage in &self.outage {
            if outage.from_second.is_nan() || outage.to_second <= outage.from_second {
                return Err(ScriptError::Section("outage: to_second must be after from_second".to_owned()));
            }
        }
        for (index, rule) in self.rule.iter().enumerate() {
            let wrong = |reason: &str| Err(ScriptError::Rule { number: index + 1, reason: reason.to_owned() });
            if rule.chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
                return wrong("chance must be between 0 and 1");
            }
            if rule.every == Some(0) || rule.on.contains(&0) {
                return wrong("calls are counted from 1: every and on cannot be 0");
            }
            if rule.status.is_some_and(|status| !(400..600).contains(&status)) {
                return wrong("status must be an error status, 400 to 599");
            }
            if rule.network.as_deref().is_some_and(|network| !["mastodon", "telegram"].contains(&network)) {
                return wrong("network must be mastodon or telegram");
            }
        }
        Ok(())
    }

    /// How long a key is remembered.
    pub(crate) fn key_life(&self) -> Duration {
        let usual = if self.keys == Keys::Forgotten { 5 } else { 3_600 };
        Duration::from_secs(self.key_life_seconds.unwrap_or(usual))
    }

    /// Whether the server cannot be connected to at this second of the run.
    pub(crate) fn is_out(&self, second: f64) -> bool {
        self.outage.iter().any(|outage| second >= outage.from_second && second < outage.to_second)
    }
}

/// Counts calls per rule and says which rule fires. Each rule counts and draws for itself, so a call of one kind does
/// not change what happens to the calls of another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engine {
    seed: u64,
    counts: Vec<Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    covered: u64,
    fired: u64,
}

impl Engine {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counts: Vec::new() }
    }

    /// Forgets the counts, for a new script.
    pub(crate) fn restart(&mut self) {
        self.counts.clear();
    }

    /// The first rule that fires on this call, with its number.
    pub(crate) fn meet(
        &mut self,
        script: &Script,
        network: &str,
        account: &str,
        call: Call,
        second: f64,
    ) -> Option<(usize, Rule)> {
        self.counts.resize(script.rule.len(), Count::default());
        let mut found = None;
        for (index, (rule, count)) in script.rule.iter().zip(&mut self.counts).enumerate() {
            if !rule.covers(network, account, call, second) {
                continue;
            }
            count.covered += 1;
            if found.is_none()
                && rule.times.is_none_or(|times| count.fired < times)
                && rule.fires_on(count.covered, self.seed, index as u64)
            {
                count.fired += 1;
                found = Some((index + 1, rule.clone()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(script: &Script, seed: u64, calls: &[Call]) -> Vec<Option<What>> {
        let mut engine = Engine::new(seed);
        calls.iter().map(|call| Some(engine.meet(script, "mastodon", "a", *call, 1.0)?.1.what)).collect()
    }

    #[test]
    fn rules_fire_by_number_and_only_on_the_calls_they_cover() {
        let script = Script::parse("[[rule]]\nwhat = 'accept_then_reset'\ncall = 'publish'\non = [2]").unwrap();
        let calls = [Call::Publish, Call::Mentions, Call::Publish, Call::Publish];
        assert_eq!(fired(&script, 1, &calls), [None, None, Some(What::AcceptThenReset), None]);
    }

    #[test]
    fn calls_of_another_kind_do_not_move_the_draws() {
        let script = Script::parse("[[rule]]\nwhat = 'drop'\ncall = 'mentions'\nchance = 0.3").unwrap();
        let alone = fired(&script, 9, &[Call::Mentions; 40]);
        let mixed: Vec<_> = [Call::Mentions, Call::Publish].repeat(40);
        let among: Vec<_> = fired(&script, 9, &mixed).into_iter().step_by(2).collect();
        assert_eq!(alone, among);
        assert!(alone.iter().any(Option::is_some) && alone.iter().any(Option::is_none));
    }

    #[test]
    fn a_group_covers_its_calls_and_times_bounds_it() {
        let script = Script::parse("[[rule]]\nwhat = 'error'\ncall = 'read'\ntimes = 1").unwrap();
        let calls = [Call::Publish, Call::Search, Call::Own];
        assert_eq!(fired(&script, 1, &calls), [None, Some(What::Error), None]);
    }

    #[test]
    fn a_wrong_script_says_what_is_wrong() {
        let error = |text: &str| Script::parse(text).unwrap_err().to_string();
        assert!(error("[[rule]]\nwhat = 'drop'\nchance = 2.0").contains("rule 1 of the fault file: chance"));
        assert!(error("[[rule]]\nwhat = 'explode'").contains("explode"));
        assert!(error("colour = 1").contains("colour"));
    }
}

//! May this be sent, now, by whom, as what. Pure; its rules are data in `config/policy`, one file per network, each with
//! its date and source. Asked before something is queued, and again when it is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muhatap_connectors::{Length, Network};
use serde::Deserialize;

use crate::config::ConfigError;
use crate::queue::{Budget, Pace};
use crate::standing::Scope;

/// The rules of one network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub network: Network,
    pub text: TextRule,
    pub pace: PaceRule,
    /// Missing where the accounts of one app share no limit.
    #[serde(default)]
    pub app: Option<AppRule>,
    pub reply: ReplyRule,
    pub call: CallRule,
}

/// How long a text may be, where the connector cannot ask the network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    pub limit: usize,
    pub source: String,
    pub checked: String,
}

/// How fast one account may send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaceRule {
    pub calls: u32,
    pub window_seconds: u32,
    /// Of them, at once after a rest.
    pub burst: u32,
    /// Between two messages of one lane (one chat).
    #[serde(default)]
    pub lane_rest_seconds: u32,
    pub source: String,
    pub checked: String,
}

/// How fast all accounts of one app may send together. Campaigns leave the last fifth to answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRule {
    pub calls: u32,
    pub window_seconds: u32,
    pub source: String,
    pub checked: String,
}

impl AppRule {
    pub fn budget(&self, app: &Scope) -> Budget {
        Budget {
            app: app.to_string(),
            calls: self.calls,
            window: Duration::from_secs(self.window_seconds.max(1).into()),
        }
    }

    /// A budget that is used up is asked again within this: ten times a window, at most once a second.
    pub fn ask_again(&self) -> Duration {
        Duration::from_secs((self.window_seconds / 10).max(1).into())
    }
}

/// Whom an account may answer, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyRule {
    pub to: ReplyTo,
    /// After the message being answered.
    #[serde(default)]
    pub window_hours: Option<u32>,
    pub source: String,
    pub checked: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyTo {
    Anyone,
    /// Not to what only a search found.
    WhoWroteToUs,
}

/// The bound of the one call that counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRule {
    pub timeout_seconds: u32,
    pub source: String,
    pub checked: String,
}

/// What the rules are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub text: &'a str,
    /// In the network's own counting.
    pub length: Length,
    /// The message being answered, if it is an answer.
    pub answers: Option<Answered>,
    /// When it would be sent.
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub published_at: Timestamp,
    /// Only a search found it: its author did not write to us.
    pub found_by_search: bool,
    pub deleted: bool,
}

/// A rule that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    pub rule: &'static str,
    pub reason: String,
}

impl Policy {
    /// The decision. The first rule that says no is named.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        let no = |rule, reason: String| Err(Refusal { rule, reason });
        if !has_visible(facts.text) {
            return no("text.empty", "the text is empty".into());
        }
        if !facts.length.fits() {
            let Length { used, limit } = facts.length;
            return no("text.limit", format!("the text has {used} of at most {limit} as the network counts"));
        }
        let Some(answered) = facts.answers else { return Ok(()) };
        if answered.deleted {
            return no("reply.deleted", "the message it answers was deleted by its author".into());
        }
        if self.reply.to == ReplyTo::WhoWroteToUs && answered.found_by_search {
            return no("reply.to", format!("{} lets us answer only those who wrote to us", self.network.as_str()));
        }
        if let Some(hours) = self.reply.window_hours
            && facts.at > answered.published_at + SignedDuration::from_hours(hours.into())
        {
            return no("reply.window", format!("{} lets us answer for {hours} h only", self.network.as_str()));
        }
        Ok(())
    }

    pub fn pace(&self) -> Pace {
        let window = Duration::from_secs(self.pace.window_seconds.into());
        // A whole burst and what follows it may fall into one window.
        let steady = self.pace.calls.saturating_sub(self.pace.burst);
        Pace { interval: window / steady.max(1), burst: self.pace.burst.max(1) }
    }

    /// Between two messages of one lane.
    pub fn lane_rest(&self) -> Duration {
        Duration::from_secs(self.pace.lane_rest_seconds.into())
    }

    pub fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.call.timeout_seconds.into())
    }
}

/// The policies of all networks that we publish on.
#[derive(Debug, Clone)]
pub struct Policies(BTreeMap<Network, Policy>);

const BUILT_IN: [(&str, &str); 6] = [
    ("mastodon", include_str!("../config/policy/mastodon.toml")),
    ("bluesky", include_str!("../config/policy/bluesky.toml")),
    ("telegram", include_str!("../config/policy/telegram.toml")),
    ("matrix", include_str!("../config/policy/matrix.toml")),
    ("mail", include_str!("../config/policy/mail.toml")),
    ("webhook", include_str!("../config/policy/webhook.toml")),
];

impl Policies {
    /// The built-in rules, each replaced by `DIR/<network>.toml` where that file is there.
    pub fn open(dir: Option<&Path>) -> Result<Policies, ConfigError> {
        if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
            let message = format!("{} is not a folder; make it, or leave the key out", dir.display());
            return Err(ConfigError::invalid("delivery.policy_dir", message));
        }
        let mut policies = BTreeMap::new();
        for (name, built_in) in BUILT_IN {
            let path = dir.map(|dir| dir.join(format!("{name}.toml")));
            let (place, text) = match path.filter(|path| path.exists()) {
                Some(path) => {
                    let text = std::fs::read_to_string(&path)
                        .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
                    (path.display().to_string(), text)
                }
                None => (format!("built-in policy {name}"), built_in.to_owned()),
            };
            let policy: Policy = toml::from_str(&text).map_err(|error| {
                let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                ConfigError::invalid(format!("{place}, line {line}"), error.message())
            })?;
            if policy.network.as_str() != name {
                let message = format!("network = {:?} does not belong in {name}.toml", policy.network.as_str());
                return Err(ConfigError::invalid(place, message));
            }
            let PaceRule { calls, window_seconds, burst, .. } = policy.pace;
            if burst == 0 || burst >= calls || window_seconds == 0 {
                let message = format!(
                    "[pace] allows {calls} calls in {window_seconds} s, {burst} of them at once: all three must be at least 1, \
                     and burst less than calls, since what follows a burst falls into the same window"
                );
                return Err(ConfigError::invalid(place, message));
            }
            policies.insert(policy.network, policy);
        }
        Ok(Policies(policies))
    }

    /// `None` for networks that only read.
    pub fn of(&self, network: Network) -> Option<&Policy> {
        self.0.get(&network)
    }

    /// How fast an account of this network may send.
    pub fn pace(&self, network: Network) -> Pace {
        self.of(network).map_or(Pace::FREE, Policy::pace)
    }
}

/// Whether a reader sees anything of a text. What a screen leaves out is blank, a control character, ignorable by default
/// (Unicode 16.0, DerivedCoreProperties.txt, Default_Ignorable_Code_Point, read November 2026), or Braille's empty cell.
pub fn has_visible(text: &str) -> bool {
    text.chars().any(|letter| {
        let is_hidden = letter.is_whitespace()
            || letter.is_control()
            || matches!(letter,
                '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
                | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
                | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E0FFF}');
        !is_hidden
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policies::open(None).expect("the built-in rules are sound").of(Network::Telegram).expect("it is there").clone()
    }

    #[test]
    fn no_window_has_more_calls_than_the_network_allows() {
        for policy in Policies::open(None).expect("the built-in rules are sound").0.values() {
            let Pace { interval, burst } = policy.pace();
            let window = Duration::from_secs(policy.pace.window_seconds.into());
            let most = f64::from(burst) + window.as_secs_f64() / interval.as_secs_f64();
            assert!(most <= f64::from(policy.pace.calls) + 1e-6, "{:?}: {most}", policy.network);
        }
    }

    fn facts(text: &str) -> Facts<'_> {
        Facts {
            text,
            length: Length { used: text.chars().count(), limit: 10 },
            answers: None,
            at: Timestamp::from_second(1_800_000_000).expect("in range"),
        }
    }

    #[test]
    fn every_built_in_rule_has_a_source_and_a_date() {
        let policies = Policies::open(None).expect("the built-in rules are sound");
        for (network, policy) in &policies.0 {
            for (source, checked) in [
                (&policy.text.source, &policy.text.checked),
                (&policy.pace.source, &policy.pace.checked),
                (&policy.reply.source, &policy.reply.checked),
                (&policy.call.source, &policy.call.checked),
            ] {
                assert!(
                    source.starts_with("https://") || source.starts_with("our own choice"),
                    "{network:?}: {source}"
                );
                assert!(checked.parse::<jiff::civil::Date>().is_ok(), "{network:?}: {checked}");
            }
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_empty() {
        for empty in [" \n", "\u{200B}\u{200D}\u{FEFF}", "\u{2800}", "\u{3164} \u{00AD}\u{FE0F}", "\u{E0041}\u{0007}"] {
            assert_eq!(policy().check(&facts(empty)).expect_err("empty").rule, "text.empty", "{empty:?}");
        }
        for shown in [".", "👍🏽", "می‌خواهم", "\u{200B}a"] {
            assert_eq!(policy().check(&facts(shown)), Ok(()), "{shown}");
        }
    }

    #[test]
    fn a_text_over_the_limit_and_an_empty_one_are_refused() {
        assert_eq!(policy().check(&facts("kısa")), Ok(()));
        assert_eq!(policy().check(&facts("çok uzun bir metin")).expect_err("too long").rule, "text.limit");
        assert_eq!(policy().check(&facts(" \n")).expect_err("empty").rule, "text.empty");
    }

    #[test]
    fn a_window_closes_and_a_stranger_is_not_answered() {
        let mut policy = policy();
        policy.reply.window_hours = Some(24);
        let mut facts = facts("merhaba");
        let answered = |hours: i64, found_by_search, deleted| {
            let published_at = facts.at - SignedDuration::from_hours(hours);
            Some(Answered { published_at, found_by_search, deleted })
        };
        let cases = [
            (answered(23, false, false), None),
            (answered(25, false, false), Some("reply.window")),
            (answered(1, true, false), Some("reply.to")),
            (answered(1, false, true), Some("reply.deleted")),
        ];
        for (answers, rule) in cases {
            facts.answers = answers;
            assert_eq!(policy.check(&facts).err().map(|refusal| refusal.rule), rule);
        }
    }

    #[test]
    fn a_file_replaces_the_built_in_rules_and_a_wrong_one_is_named_with_its_line() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let own = BUILT_IN[0].1.replace("timeout_seconds = 30", "timeout_seconds = 7");
        std::fs::write(dir.path().join("mastodon.toml"), &own).expect("it can be written");
        let policies = Policies::open(Some(dir.path())).expect("it is sound");
        let of = |network| policies.of(network).expect("it is there").call_timeout();
        assert_eq!(of(Network::Mastodon), Duration::from_secs(7));
        assert_eq!(of(Network::Bluesky), Duration::from_secs(30));

        std::fs::write(dir.path().join("mastodon.toml"), own.replace("calls = 300", "call = 300")).expect("written");
        let error = Policies::open(Some(dir.path())).expect_err("an unknown key").to_string();
        assert!(error.contains("mastodon.toml, line") && error.contains("call"), "{error}");
    }
}

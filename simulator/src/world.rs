//! The state of a run: timeline, faults, keys, what is still to happen, and the log of it all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::chance::{Dice, draw};
use crate::clock::shifted;
use crate::crowd::Crowd;
use crate::dialects::mastodon;
use crate::faults::{Call, Engine, Keys, Rule, Script, What};
use crate::timeline::{Draft, Network, Person, PersonId, Post, PostId, Timeline};

/// Topics of draws, so that one kind of event never moves another's.
const TOPIC_DISTURB: u64 = 1 << 32;
const TOPIC_LIST: u64 = 2 << 32;
const TOPIC_FOLLOW_UP: u64 = 3 << 32;

/// Something that will happen by itself.
#[allow(clippy::large_enum_variant, reason = "nearly every event is a post")]
pub(crate) enum Event {
    Post {
        author: PersonId,
        draft: Draft,
        /// What the author answers when one of our accounts replies, in order.
        then: Vec<String>,
        edit: Option<(Duration, String)>,
        delete: Option<Duration>,
        /// What the author adds below their own post.
        again: Option<(Duration, String)>,
        /// What one of our accounts answered in the network's own app.
        answer: Option<(Duration, PersonId, String)>,
    },
    Edit(PostId, String),
    Delete(PostId),
    /// The end of a call that is applied late.
    Apply(Box<dyn FnOnce(&mut World) + Send>),
}

impl Event {
    /// A post with nothing after it.
    pub(crate) fn post(author: PersonId, draft: Draft) -> Self {
        Self::Post { author, draft, then: Vec::new(), edit: None, delete: None, again: None, answer: None }
    }
}

/// A call that waits for a test to release it.
pub(crate) struct Held {
    pub(crate) call: Call,
    pub(crate) account: PersonId,
    pub(crate) applied: bool,
    pub(crate) release: oneshot::Sender<()>,
}

/// What a fault rule or the network's own state makes of a call.
pub(crate) enum Meeting {
    Unauthorized,
    TooMany(Duration),
    Fault(usize, Rule),
    Plain,
}

/// A call as the network met it, whatever became of its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct CallMade {
    pub at: Timestamp,
    pub account: PersonId,
    pub call: Call,
    /// The rule that fired on it.
    pub fault: Option<What>,
    /// How long the account was told to wait (429).
    pub wait: Option<Duration>,
}

/// Calls made in the current window.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    used: u64,
}

/// What an account may still call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset: Timestamp,
}

/// The state of a run.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) started: Timestamp,
    pub(crate) timeline: Timeline,
    pub(crate) script: Script,
    pub(crate) crowd: Option<Crowd>,
    engine: Engine,
    keys: HashMap<(PersonId, String), (PostId, Timestamp)>,
    expired: HashSet<PersonId>,
    windows: HashMap<PersonId, Window>,
    pending: BTreeMap<(Timestamp, u64), Event>,
    events: u64,
    follow_ups: HashMap<PostId, Vec<String>>,
    confirmed: HashMap<PersonId, i64>,
    pub(crate) held: Vec<Held>,
    log: Vec<String>,
    calls: Vec<CallMade>,
}

impl World {
    pub(crate) fn new(seed: u64, script: Script, started: Timestamp) -> Self {
        Self {
            seed,
            started,
            timeline: Timeline::default(),
            script,
            crowd: None,
            engine: Engine::new(seed),
            keys: HashMap::new(),
            expired: HashSet::new(),
            windows: HashMap::new(),
            pending: BTreeMap::new(),
            events: 0,
            follow_ups: HashMap::new(),
            confirmed: HashMap::new(),
            held: Vec::new(),
            log: Vec::new(),
            calls: Vec::new(),
        }
    }

    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Adds a person, or gives the one who has the handle already.
    pub fn add_person(&mut self, person: Person) -> PersonId {
        self.timeline.add_person(person)
    }

    /// The canonical address of a post, as its network writes it: what connectors know it by.
    pub fn address_of(&self, post: &Post) -> String {
        match post.network {
            Network::Mastodon => mastodon::uri(&self.timeline, post),
            Network::Telegram => format!("{}/{}", post.chat.unwrap_or(0), post.number),
        }
    }

    /// One line for each call and each event, without the machine's time: two runs with the same seed, script and calls
    /// have the same log.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.len() as u64
    }

    /// Every call that was made, in order.
    pub fn calls_made(&self) -> &[CallMade] {
        &self.calls
    }

    /// The calls that wait for a release: call, name of the account, whether it is already done.
    pub fn held(&self) -> Vec<(Call, String, bool)> {
        let held = self.held.iter();
        held.map(|held| (held.call, self.timeline.person(held.account).handle.clone(), held.applied)).collect()
    }

    /// Seconds since the start of the run.
    pub fn second(&self, now: Timestamp) -> f64 {
        (now.as_microsecond() - self.started.as_microsecond()) as f64 / 1e6
    }

    /// Takes a new script; its rules count from the beginning.
    pub fn set_script(&mut self, script: Script) {
        self.script = script;
        self.engine.restart();
        self.note("script changed");
    }

    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Refuses the account's token, or takes it again.
    pub fn set_expired(&mut self, account: PersonId, expired: bool) {
        if expired {
            self.expired.insert(account);
        } else {
            self.expired.remove(&account);
        }
        let handle = self.timeline.person(account).handle.clone();
        self.note(format!("token of {handle} {}", if expired { "expired" } else { "renewed" }));
    }

    /// Forgets every idempotency key, as a restarted cache does.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
        self.note("keys forgotten");
    }

    /// Everything a person or a test wants to look at.
    pub fn dump(&self) -> Value {
        json!({
            "seed": self.seed,
            "started": self.started,
            "people": self.timeline.people(),
            "posts": self.timeline.posts(),
            "notifications": self.timeline.notifications(),
            "script": self.script,
            "calls": self.calls(),
            "waiting": self.pending.len(),
        })
    }

    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
    }

    /// Lets something happen at `at`.
    pub(crate) fn schedule(&mut self, at: Timestamp, event: Event) {
        self.events += 1;
        self.pending.insert((at, self.events), event);
    }

    /// When the next event is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|(at, _)| *at)
    }

    /// Lets everything happen that is due by `now`, each at its own time. True where something did.
    pub(crate) fn settle(&mut self, now: Timestamp) -> bool {
        let mut happened = false;
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.happen(at, event);
            happened = true;
        }
        happened
    }

    fn happen(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Post { author, draft, then, edit, delete, again, answer } => {
                let (visibility, language) = (draft.visibility, draft.language.clone());
                let id = self.post(author, draft, at);
                if !then.is_empty() {
                    self.follow_ups.insert(id, then);
                }
                if let Some((after, text)) = edit {
                    self.schedule(shifted(at, after.as_micros() as i64), Event::Edit(id, text));
                }
                if let Some(after) = delete {
                    self.schedule(shifted(at, after.as_micros() as i64), Event::Delete(id));
                }
                if let Some((after, account, text)) = answer {
                    let text = format!("@{} {text}", self.timeline.person(author).handle);
                    let draft = Draft { text, reply_to: Some(id), visibility, ..Draft::default() };
                    self.schedule(shifted(at, after.as_micros() as i64), Event::post(account, draft));
                }
                if let Some((after, text)) = again {
                    let draft = Draft { text, reply_to: Some(id), visibility, language, ..Draft::default() };
                    self.schedule(shifted(at, after.as_micros() as i64), Event::post(author, draft));
                }
            }
            Event::Edit(id, text) => {
                self.edit(id, text, at);
            }
            Event::Delete(id) => {
                self.delete(id, at);
            }
            Event::Apply(apply) => apply(self),
        }
    }

    /// Publishes without asking about keys.
    pub fn post(&mut self, author: PersonId, draft: Draft, now: Timestamp) -> PostId {
        let id = self.timeline.publish(author, draft, now);
        let handle = &self.timeline.person(author).handle;
        self.log.push(format!("post {id} by {handle}"));
        self.answer_back(id, now);
        id
    }

    pub fn edit(&mut self, id: PostId, text: String, now: Timestamp) -> bool {
        let done = self.timeline.edit(id, text, now);
        if done {
            self.note(format!("edit {id}"));
        }
        done
    }

    pub fn delete(&mut self, id: PostId, now: Timestamp) -> bool {
        let done = self.timeline.delete(id, now);
        if done {
            self.follow_ups.remove(&id);
            self.note(format!("delete {id}"));
        }
        done
    }

    /// Publishes as an account of ours, with the network's treatment of keys. The second value is false where the post
    /// was there already.
    pub(crate) fn publish(&mut self, account: PersonId, draft: Draft, now: Timestamp) -> (PostId, bool) {
        let key = draft.key.clone().filter(|_| self.script.keys != Keys::Off);
        let Some(key) = key else { return (self.post(account, draft, now), true) };
        let life = self.script.key_life();
        if let Some((id, stored_at)) = self.keys.get(&(account, key.clone()))
            && now.duration_since(*stored_at).unsigned_abs() < life
            && self.timeline.live(*id).is_some()
        {
            let id = *id;
            self.note(format!("key known, post {id} again"));
            return (id, false);
        }
        let id = self.post(account, draft, now);
        if self.script.keys != Keys::Late {
            self.keys.insert((account, key), (id, now));
        }
        (id, true)
    }

    /// Remembers a key at the moment its call is answered ([`Keys::Late`]).
    pub(crate) fn remember_key(&mut self, id: PostId, now: Timestamp) {
        if self.script.keys == Keys::Late
            && let Some(post) = self.timeline.post(id)
            && let Some(key) = &post.key
        {
            self.keys.entry((post.author, key.clone())).or_insert((id, now));
        }
    }

    /// A bot asked for updates from `offset` on: it has those before.
    pub(crate) fn confirm_updates(&mut self, bot: PersonId, offset: i64) {
        let confirmed = self.confirmed.entry(bot).or_insert(0);
        *confirmed = offset.max(*confirmed);
    }

    pub(crate) fn confirmed_updates(&self, bot: PersonId) -> i64 {
        self.confirmed.get(&bot).copied().unwrap_or(0)
    }

    /// Counts a call and says what meets it.
    pub(crate) fn meet(&mut self, network: Network, account: PersonId, call: Call, now: Timestamp) -> Meeting {
        self.calls.push(CallMade { at: now, account, call, fault: None, wait: None });
        let meeting = self.what_meets(network, account, call, now);
        if let Some(made) = self.calls.last_mut() {
            match &meeting {
                Meeting::TooMany(wait) => made.wait = Some(*wait),
                Meeting::Fault(_, rule) => {
                    made.fault = Some(rule.what);
                    made.wait = (rule.what == What::RateLimit).then(|| rule.retry_after());
                }
                Meeting::Unauthorized | Meeting::Plain => {}
            }
        }
        meeting
    }

    fn what_meets(&mut self, network: Network, account: PersonId, call: Call, now: Timestamp) -> Meeting {
        let second = self.second(now);
        let handle = self.timeline.person(account).handle.clone();
        let found = self.engine.meet(&self.script, network.as_str(), &handle, call, second);
        if let Some((_, rule)) = &found {
            match rule.what {
                What::ExpireToken => self.set_expired(account, true),
                What::Edit | What::Delete => self.disturb(account, rule.what, now),
                _ => {}
            }
        }
        if self.expired.contains(&account) {
            return Meeting::Unauthorized;
        }
        if network == Network::Mastodon {
            let allowance = self.allowance(account, now);
            if allowance.remaining == 0 {
                let wait = (allowance.reset.as_microsecond() - now.as_microsecond()).max(0) as u64;
                return Meeting::TooMany(Duration::from_micros(wait));
            }
            self.windows.entry(account).and_modify(|window| window.used += 1);
        }
        match found {
            Some((number, rule)) if !matches!(rule.what, What::Edit | What::Delete) => Meeting::Fault(number, rule),
            _ => Meeting::Plain,
        }
    }

    /// What the account may still call in this window.
    pub(crate) fn allowance(&mut self, account: PersonId, now: Timestamp) -> Allowance {
        let limit = self.script.rate_limit;
        let length = i64::try_from(limit.seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let window = self.windows.entry(account).or_insert(Window { from: now, used: 0 });
        if now >= shifted(window.from, length) {
            *window = Window { from: now, used: 0 };
        }
        Allowance {
            limit: limit.calls,
            remaining: limit.calls.saturating_sub(window.used),
            reset: shifted(window.from, length),
        }
    }

    /// Somebody edits or deletes one of the last posts that name the account.
    fn disturb(&mut self, account: PersonId, what: What, now: Timestamp) {
        let posts = self.timeline.posts().iter().rev();
        let near: Vec<PostId> = posts
            .filter(|post| post.deleted_at.is_none() && post.author != account && post.names.contains(&account))
            .take(40)
            .map(|post| post.id)
            .collect();
        if near.is_empty() {
            return;
        }
        let id = near[(draw(self.seed, TOPIC_DISTURB, self.calls()) % near.len() as u64) as usize];
        if what == What::Delete {
            self.delete(id, now);
        } else if let Some(post) = self.timeline.live(id) {
            let text = format!("{} (düzeltme)", post.text);
            self.edit(id, text, now);
        }
    }

    /// Positions of a list's items after duplication or reordering.
    pub(crate) fn disarranged(&self, what: What, items: usize) -> Vec<usize> {
        let mut dice = Dice::new(self.seed, TOPIC_LIST + self.calls());
        let mut order: Vec<usize> = (0..items).collect();
        match what {
            What::Duplicate => order.into_iter().flat_map(|item| vec![item; 1 + dice.below(2)]).collect(),
            _ => {
                dice.shuffle(&mut order);
                order
            }
        }
    }

    /// When one of our accounts replies to somebody of the crowd, they may answer back.
    fn answer_back(&mut self, id: PostId, now: Timestamp) {
        let Some(crowd) = &self.crowd else { return };
        let Some(post) = self.timeline.post(id) else { return };
        let Some(asked) = post.reply_to else { return };
        let Some(question) = self.timeline.live(asked) else { return };
        if !self.timeline.person(post.author).is_ours() || self.timeline.person(question.author).is_ours() {
            return;
        }
        let (author, ours) = (question.author, self.timeline.person(post.author).handle.clone());
        let mut dice = Dice::new(self.seed, TOPIC_FOLLOW_UP + asked as u64);
        let english = question.language.as_deref() == Some("en");
        let mut then = self.follow_ups.remove(&asked).unwrap_or_default();
        if then.is_empty() && dice.unit() < 0.3 {
            then.extend(crowd.follow_up(english, &mut dice));
        }
        if then.is_empty() {
            return;
        }
        let text = format!("@{ours} {}", then.remove(0));
        let wait = 6_000_000 + dice.below(14_000_000) as i64;
        let draft = Draft {
            text,
            reply_to: Some(id),
            visibility: question.visibility,
            language: question.language.clone(),
            ..Draft::default()
        };
        let event = Event::Post { author, draft, then, edit: None, delete: None, again: None, answer: None };
        self.schedule(shifted(now, wait), event);
    }

    /// Counts for people: posts of ours that are there, others', and those still to come.
    pub fn summary(&self) -> Summary {
        let live = self.timeline.posts().iter().filter(|post| post.deleted_at.is_none());
        let (ours, others): (Vec<_>, Vec<_>) = live.partition(|post| self.timeline.person(post.author).is_ours());
        Summary { ours: ours.len(), others: others.len(), coming: self.pending.len() }
    }
}

/// How much is on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub ours: usize,
    pub others: usize,
    pub coming: usize,
}

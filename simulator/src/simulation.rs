//! A running simulation: the world behind its lock, and the one path every simulated call takes through the fault
//! engine.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};

use crate::clock::{Clock, shifted};
use crate::dialects::Dialect;
use crate::faults::{Call, RetryAfter, Rule, Then, What};
use crate::timeline::{PersonId, PostId};
use crate::wire::Grip;
use crate::world::{Event, Held, Meeting, World};

/// An answer before faults touch it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
    /// Where in the body the list is that can be doubled or reordered, as a JSON pointer.
    pub(crate) list: Option<&'static str>,
    /// The post the call made or met.
    pub(crate) made: Option<PostId>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body, list: None, made: None }
    }

    pub(crate) fn listed(mut self, pointer: &'static str) -> Self {
        self.list = Some(pointer);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A failure of the network's own, before a dialect words it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    Unauthorized,
    TooMany { wait: Duration, form: RetryAfter },
    Status(u16),
}

/// What a call does to the world and answers.
pub(crate) type Work = Box<dyn FnOnce(&mut World, Timestamp) -> Reply + Send>;

/// A running simulation.
pub struct Simulation {
    world: Mutex<World>,
    clock: Clock,
    /// Grows with every change: whoever waits for something looks again.
    changes: watch::Sender<u64>,
    pub(crate) dark: watch::Sender<bool>,
    pub(crate) scheduled: Notify,
    /// The address people and connectors reach the server by.
    pub(crate) base: String,
}

impl Simulation {
    pub(crate) fn new(world: World, clock: Clock, base: String, dark: watch::Sender<bool>) -> Self {
        Self { world: Mutex::new(world), clock, changes: watch::Sender::new(0), dark, scheduled: Notify::new(), base }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Looks at the world, with everything due so far in it.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.settled())
    }

    /// Changes the world by hand.
    pub fn change<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let now = self.now();
        let result = change(&mut self.settled(), now);
        self.tell();
        result
    }

    /// Waits until the world is as wished.
    pub async fn until(&self, wished: impl Fn(&World) -> bool) {
        let mut changes = self.changes.subscribe();
        while !self.look(&wished) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Lets every held call go on.
    pub fn release(&self) {
        let held = std::mem::take(&mut self.lock().held);
        for held in held {
            // A caller of a held call that is gone needs no answer; its effect happens all the same.
            let _ = held.release.send(());
        }
        self.tell();
    }

    /// Loses every held call that is not done yet, as a broken connection does.
    pub fn discard(&self) {
        self.lock().held.clear();
        self.tell();
    }

    /// Closes the port and every connection, as a dead server; `false` opens it again.
    pub fn set_dark(&self, dark: bool) {
        if self.dark.send_replace(dark) != dark {
            self.lock().note(if dark { "server gone" } else { "server back" });
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A poisoned lock means a test's assertion failed inside `look`: the world itself is whole.
        self.world.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn settled(&self) -> MutexGuard<'_, World> {
        let now = self.now();
        let mut world = self.lock();
        if world.settle(now) {
            self.tell();
        }
        world
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        self.scheduled.notify_one();
    }

    /// Lets scheduled events happen at their time, and outages begin and end.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let now = self.now();
            let (due, second, out, edges) = {
                let world = self.settled();
                let second = world.second(now);
                let windows = world.script.outage.iter();
                let edges: Vec<f64> = windows.flat_map(|outage| [outage.from_second, outage.to_second]).collect();
                (world.next_due(), second, world.script.is_out(second), edges)
            };
            if !edges.is_empty() {
                self.set_dark(out);
            }
            let edge =
                edges.into_iter().filter(|edge| *edge > second).map(|edge| edge - second).fold(3_600.0, f64::min);
            let wait = match (&self.clock, due) {
                (Clock::Manual(_), _) => 3_600.0,
                (Clock::Machine, Some(due)) => (due.as_microsecond() - now.as_microsecond()).max(0) as f64 / 1e6,
                (Clock::Machine, None) => 3_600.0,
            };
            // A moved manual clock, a new script and a new event all notify.
            let wait = Duration::from_secs_f64(wait.min(edge).max(0.001));
            let _ = tokio::time::timeout(wait, self.scheduled.notified()).await;
        }
    }

    /// Answers one call. It runs to its end even when the caller hangs up, as on a real server.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        grip: Grip,
        work: Work,
    ) -> Response {
        let task = tokio::spawn(Arc::clone(self).run_call(dialect, account, call, grip, work));
        match task.await {
            Ok(response) => response,
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the simulator failed: see its log"),
        }
    }

    async fn run_call(
        self: Arc<Self>,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        grip: Grip,
        work: Work,
    ) -> Response {
        let now = self.now();
        let meeting = self.settled().meet(dialect.network(), account, call, now);
        match meeting {
            Meeting::Unauthorized => self.refuse(dialect, account, call, Failure::Unauthorized, None),
            Meeting::TooMany(wait) => {
                let failure = Failure::TooMany { wait, form: RetryAfter::Date };
                self.refuse(dialect, account, call, failure, None)
            }
            Meeting::Plain => self.apply(dialect, account, call, work, None),
            Meeting::Fault(number, rule) => {
                let fault = Some((number, rule.what));
                self.with_fault(dialect, account, call, grip, work, rule, fault).await
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one call's whole context, used in one place")]
    async fn with_fault(
        self: &Arc<Self>,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        grip: Grip,
        work: Work,
        rule: Rule,
        fault: Option<(usize, What)>,
    ) -> Response {
        let broken = Failure::Status(rule.status.unwrap_or(500));
        match rule.what {
            What::RateLimit => {
                let failure = Failure::TooMany { wait: rule.retry_after(), form: rule.form };
                self.refuse(dialect, account, call, failure, fault)
            }
            What::Error => self.refuse(dialect, account, call, broken, fault),
            What::Drop => {
                grip.reset();
                self.refuse(dialect, account, call, broken, fault)
            }
            What::Hang => {
                self.refuse(dialect, account, call, broken, fault);
                std::future::pending().await
            }
            What::Hold => match self.hold(account, call, false).await {
                true => self.apply(dialect, account, call, work, fault),
                false => {
                    grip.reset();
                    self.refuse(dialect, account, call, broken, fault)
                }
            },
            What::Slow => {
                self.wait(rule.after()).await;
                self.apply(dialect, account, call, work, fault)
            }
            What::ApplyLate => {
                self.apply_late(dialect, account, call, work, &rule, fault);
                match rule.then {
                    Then::Reset => grip.reset(),
                    Then::Error => return self.dress(dialect, account, dialect.failure(broken, self.now())),
                    Then::Hang => return std::future::pending().await,
                }
                plain(StatusCode::OK, "")
            }
            What::AcceptThenHang => {
                self.apply_unremembered(dialect, account, call, work, fault);
                std::future::pending().await
            }
            What::AcceptThenReset => {
                grip.reset();
                self.apply(dialect, account, call, work, fault)
            }
            What::AcceptThenCut => {
                grip.cut();
                self.apply(dialect, account, call, work, fault)
            }
            What::AcceptThenError => {
                self.apply(dialect, account, call, work, fault);
                self.dress(dialect, account, dialect.failure(broken, self.now()))
            }
            What::AcceptThenGarbage => {
                self.apply(dialect, account, call, work, fault);
                plain(StatusCode::OK, "{\"id\": \"1097")
            }
            What::AcceptThenHold => {
                let (response, made) = self.apply_unremembered(dialect, account, call, work, fault);
                self.hold(account, call, true).await;
                self.remember(made);
                response
            }
            What::Duplicate | What::Reorder | What::Edit | What::Delete | What::ExpireToken => {
                self.apply(dialect, account, call, work, fault)
            }
        }
    }

    /// Does what the call asks for and writes the answer.
    fn apply(
        &self,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        work: Work,
        fault: Option<(usize, What)>,
    ) -> Response {
        let (response, made) = self.apply_unremembered(dialect, account, call, work, fault);
        self.remember(made);
        response
    }

    /// The same, before a server that is late with keys has stored the call's key.
    fn apply_unremembered(
        &self,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        work: Work,
        fault: Option<(usize, What)>,
    ) -> (Response, Option<PostId>) {
        let now = self.now();
        let mut world = self.settled();
        let mut reply = work(&mut world, now);
        let made = reply.made;
        log_call(&mut world, dialect, account, call, reply.status, fault, made);
        if let Some((_, what @ (What::Duplicate | What::Reorder))) = fault
            && let Some(pointer) = reply.list
            && let Some(Value::Array(items)) = reply.body.pointer_mut(pointer)
        {
            *items = world.disarranged(what, items.len()).into_iter().map(|item| items[item].clone()).collect();
        }
        drop(world);
        self.tell();
        (self.dress(dialect, account, reply), made)
    }

    fn remember(&self, made: Option<PostId>) {
        if let Some(made) = made {
            let now = self.now();
            self.lock().remember_key(made, now);
        }
    }

    fn apply_late(
        &self,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        work: Work,
        rule: &Rule,
        fault: Option<(usize, What)>,
    ) {
        let at = shifted(self.now(), rule.after().as_micros() as i64);
        let mut world = self.settled();
        world.note(format!("{} will be applied late", call.as_str()));
        world.schedule(
            at,
            Event::Apply(Box::new(move |world| {
                let reply = work(world, at);
                log_call(world, dialect, account, call, reply.status, fault, reply.made);
            })),
        );
        drop(world);
        self.tell();
    }

    fn refuse(
        &self,
        dialect: Dialect,
        account: PersonId,
        call: Call,
        failure: Failure,
        fault: Option<(usize, What)>,
    ) -> Response {
        let reply = dialect.failure(failure, self.now());
        log_call(&mut self.settled(), dialect, account, call, reply.status, fault, None);
        self.tell();
        self.dress(dialect, account, reply)
    }

    /// Waits for the release; false where the call was discarded instead.
    async fn hold(&self, account: PersonId, call: Call, applied: bool) -> bool {
        let (release, released) = oneshot::channel();
        self.lock().held.push(Held { call, account, applied, release });
        self.tell();
        released.await.is_ok()
    }

    async fn wait(&self, duration: Duration) {
        let until = shifted(self.now(), duration.as_micros() as i64);
        let mut changes = self.changes();
        match &self.clock {
            Clock::Machine => tokio::time::sleep(duration).await,
            Clock::Manual(_) => while self.now() < until && changes.changed().await.is_ok() {},
        }
    }

    /// Gives the answer the headers that every answer of this network has.
    fn dress(&self, dialect: Dialect, account: PersonId, mut reply: Reply) -> Response {
        if dialect == Dialect::Mastodon {
            let allowance = self.lock().allowance(account, self.now());
            reply = reply
                .with("x-ratelimit-limit", allowance.limit.to_string())
                .with("x-ratelimit-remaining", allowance.remaining.to_string())
                .with("x-ratelimit-reset", format!("{:.6}", allowance.reset));
        }
        written(reply)
    }
}

/// Writes an answer as JSON.
pub(crate) fn written(reply: Reply) -> Response {
    let mut response = plain(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "");
    *response.body_mut() = Body::from(reply.body.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn plain(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

fn log_call(
    world: &mut World,
    dialect: Dialect,
    account: PersonId,
    call: Call,
    status: u16,
    fault: Option<(usize, What)>,
    made: Option<PostId>,
) {
    let handle = &world.timeline.person(account).handle;
    let mut line = format!("{} {} by {handle}: {status}", dialect.network().as_str(), call.as_str());
    if let Some((number, what)) = fault {
        let what = serde_json::to_value(what).ok();
        let what = what.as_ref().and_then(Value::as_str).unwrap_or("fault");
        line.push_str(&format!(", rule {number} {what}"));
    }
    if let Some(id) = made {
        line.push_str(&format!(", post {id}"));
    }
    world.note(line);
}

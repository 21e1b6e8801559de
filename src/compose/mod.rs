//! Turns what a person wrote into a delivery: measures it, asks the policy, stores it in the outbox.

mod personal;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
pub use muhatap_connectors::Length;
use muhatap_connectors::{Connector, Outgoing, Publisher, ReplyTo, Visibility};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

pub use personal::personal_data;

use crate::analyze::tokens::search_fold;
use crate::app::App;
use crate::live::Wake;
use crate::model::{AccountId, Class, DeliveryId, IntentLabel, MentionId, RecurrenceId, new_ulid};
use crate::policy::{Answered, Facts, Policy};
use crate::store::StoreError;
use crate::store::accounts::Account;
use crate::store::deliveries::DeliveryView;
use crate::store::enqueue::{Besides, Enqueued, Known, NewDelivery, NewPost, Obstacle, Origin};
use crate::store::recurrences::Rewritten;

/// The longest key a caller may give.
const LONGEST_KEY: usize = 200;

/// An answer to a mention.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyRequest {
    pub mention_id: MentionId,
    pub text: String,
    /// Who wrote it: a user id, `token:ID`, `local` or `cli`.
    pub author: String,
    /// The same key twice gives the same delivery; with other content it is an error.
    pub key: Option<String>,
    /// When to send it; after the time for Undo unless said otherwise.
    pub due_at: Option<Timestamp>,
    /// The newest answer the person saw when writing ([`OtherReply::id`]).
    pub seen: Option<String>,
    /// The other answer ([`OtherReply::id`]) the person knows of and writes over all the same.
    pub confirm_over: Option<String>,
    /// What the person was warned of and wants all the same.
    pub confirm: Confirmed,
}

/// Something to publish on an account.
#[derive(Debug, Clone, PartialEq)]
pub struct PostRequest {
    pub account_id: AccountId,
    pub text: String,
    pub author: String,
    pub key: Option<String>,
    /// At once unless said otherwise.
    pub due_at: Option<Timestamp>,
    /// Only once this delivery is sent, and as an answer to it where the network has answers (the next part of a thread).
    pub after: Option<DeliveryId>,
    /// Past this time it is not worth sending any more.
    pub expires_at: Option<Timestamp>,
    pub confirm: Confirmed,
    pub origin: Origin,
}

/// Warnings a person has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// [`ComposeError::NearDuplicate`].
    pub duplicate: bool,
    /// [`ComposeError::PersonalData`].
    pub personal_data: bool,
}

/// An answer that is already there or on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherReply {
    /// What `confirm_over` must carry: the delivery's id, or the message's id on its network.
    pub id: String,
    /// Missing when it was written in the network's own app.
    pub delivery_id: Option<DeliveryId>,
    pub author: Option<String>,
    /// A state word, or `published`.
    pub state: String,
    pub at: Timestamp,
}

/// Why something was not put in the outbox; each names the thing, the reason and the next step.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("{0}")]
    NotFound(String),
    #[error("the text is empty; write something")]
    Empty,
    #[error("the text has {} of at most {} characters as the network counts; shorten it by {}",
        .0.used, .0.limit, .0.used.saturating_sub(.0.limit))]
    TooLong(Length),
    /// The network's rules, or this account's state, say no.
    #[error("{reason} (rule {rule})")]
    Refused { rule: String, reason: String },
    #[error(
        "another answer is {} ({}, {}); look at it, and confirm that yours goes out too", .0.state, .0.id, .0.at
    )]
    AnotherReply(OtherReply),
    #[error(
        "nearly the same text is already planned for this account on that day: delivery {earlier}, due {due_at}; \
         confirm that it goes out twice"
    )]
    NearDuplicate { earlier: DeliveryId, due_at: Timestamp },
    /// Kinds: `national id`, `iban`, `card`, `phone`.
    #[error("what everybody reads should not carry personal data (found: {}); take it out, or confirm it", .0.join(", "))]
    PersonalData(Vec<&'static str>),
    #[error("the key was used before for delivery {0} with other content; use a new key")]
    KeyReused(DeliveryId),
    /// The key, the time or another part of the request cannot be used; names it and the next step.
    #[error("{0}")]
    Invalid(String),
    /// Nothing was stored.
    #[error(transparent)]
    Store(StoreError),
}

impl ReplyRequest {
    /// A reply that confirms nothing and waits for Undo.
    pub fn new(mention_id: MentionId, text: impl Into<String>, author: impl Into<String>) -> Self {
        Self {
            mention_id,
            text: text.into(),
            author: author.into(),
            key: None,
            due_at: None,
            seen: None,
            confirm_over: None,
            confirm: Confirmed::default(),
        }
    }
}

impl PostRequest {
    /// A post that confirms nothing and goes out at once.
    pub fn new(account_id: AccountId, text: impl Into<String>, author: impl Into<String>) -> Self {
        Self {
            account_id,
            text: text.into(),
            author: author.into(),
            key: None,
            due_at: None,
            after: None,
            expires_at: None,
            confirm: Confirmed::default(),
            origin: Origin::default(),
        }
    }
}

impl From<StoreError> for ComposeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::NotFound(what),
            error => Self::Store(error),
        }
    }
}

impl From<Obstacle> for ComposeError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::KeyReused(id) => Self::KeyReused(id),
            Obstacle::AnotherReply(other) => Self::AnotherReply(other),
            Obstacle::NearDuplicate { earlier, due_at } => Self::NearDuplicate { earlier, due_at },
        }
    }
}

/// Puts an answer into the outbox, or says why not.
pub async fn reply(app: &App, request: ReplyRequest) -> Result<DeliveryView, ComposeError> {
    let now = app.store.clock();
    let target = app.store.reply_target(request.mention_id).await?;
    let account = app.store.account(target.account_id).await?;
    let (connector, policy) = sending(app, &account).await?;
    let publisher = publisher(&*connector, &account)?;
    let text = clean(&request.text);
    let message = draft(&text, now, Some(target.reply_to.clone()), target.visibility);
    let due_at = request.due_at.unwrap_or(now + app.config.delivery.undo);
    let length = publisher.measure(&message);
    let answered = Answered {
        published_at: target.published_at,
        found_by_search: target.found_by_search,
        deleted: target.deleted_at.is_some(),
    };
    check(policy, &Facts { text: &text, length, answers: Some(answered), at: due_at })?;
    keep_private(&text, target.visibility, request.confirm)?;
    let body = serde_json::json!(["reply", request.mention_id, text, target.visibility, request.due_at]);
    let new = NewDelivery {
        account_id: account.id,
        lane: format!("{}/{}", account.id, publisher.lane(&message)),
        class: if target.intent == Some(IntentLabel::Complaint) { Class::COMPLAINT_REPLY } else { Class::REPLY },
        key: key(request.key, now)?,
        body_hash: hash(&body),
        text,
        visibility: target.visibility,
        author: request.author,
        due_at,
        late_limit: app.config.delivery.reply_late,
        expires_at: None,
        after_id: None,
    };
    let known = Known { seen: request.seen.as_deref(), confirmed: request.confirm_over.as_deref() };
    let enqueued = app.store.enqueue_reply(&target, &new, known, now).await?;
    finish(app, enqueued).await
}

/// Refuses personal data where others than the receiver read it, until somebody says that it belongs there.
fn keep_private(text: &str, visibility: Visibility, confirm: Confirmed) -> Result<(), ComposeError> {
    if visibility == Visibility::Direct || confirm.personal_data {
        return Ok(());
    }
    let found = personal_data(text);
    if found.is_empty() { Ok(()) } else { Err(ComposeError::PersonalData(found)) }
}

/// Puts a post into the outbox, or says why not.
pub async fn post(app: &App, request: PostRequest) -> Result<DeliveryView, ComposeError> {
    let origin = request.origin.clone();
    let new = written(app, request).await?;
    let enqueued = app.store.enqueue_post(&new, &origin, app.store.clock()).await?;
    finish(app, enqueued).await
}

/// A post as it would be stored, or why its network, its account's hours or its own times do not let it be.
pub async fn written(app: &App, request: PostRequest) -> Result<NewPost, ComposeError> {
    let now = app.store.clock();
    let account = app.store.account(request.account_id).await?;
    let (connector, policy) = sending(app, &account).await?;
    let publisher = publisher(&*connector, &account)?;
    let text = clean(&request.text);
    let message = draft(&text, now, None, Visibility::Public);
    let due_at = request.due_at.unwrap_or(now);
    let length = publisher.measure(&message);
    check(policy, &Facts { text: &text, length, answers: None, at: due_at })?;
    keep_private(&text, Visibility::Public, request.confirm)?;
    if let Some(expires_at) = request.expires_at {
        if expires_at <= due_at {
            return Err(ComposeError::Invalid(
                "it would expire before it is due; choose a later time to expire".into(),
            ));
        }
        if expires_at <= now && request.origin.occurrence.is_none() {
            return Err(ComposeError::Invalid(format!(
                "it was of use until {expires_at}, which has passed; choose a later time to expire, or none"
            )));
        }
    }
    let body = serde_json::json!(["post", account.id, text, request.due_at, request.after, request.expires_at]);
    let new = NewDelivery {
        account_id: account.id,
        lane: format!("{}/{}", account.id, publisher.lane(&message)),
        class: Class::CAMPAIGN,
        key: key(request.key, now)?,
        body_hash: hash(&body),
        visibility: Visibility::Public,
        author: request.author,
        due_at,
        late_limit: app.config.delivery.post_late,
        expires_at: request.expires_at,
        after_id: request.after,
        text,
    };
    let quiet_until = quiet_until(app, &account, due_at).await?;
    if let (Some(end), Some(expires_at), None) = (quiet_until, request.expires_at, request.origin.occurrence)
        && expires_at <= end
    {
        return Err(ComposeError::Invalid(format!(
            "account {} is quiet until {end}, and it would expire by then; choose another time",
            account.name
        )));
    }
    let day = (!request.confirm.duplicate).then(|| day_of(quiet_until.unwrap_or(due_at), &account.timezone));
    let spacing = app.config.delivery.release_spacing;
    Ok(NewPost { fingerprint: fingerprint(&new.text), delivery: new, day, spacing })
}

/// Moves a delivery to another time, unless nearly the same post is planned for the day that it would move into and that
/// is not confirmed. Within its day it moves freely: its neighbours were confirmed when it was planned.
pub async fn reschedule(
    app: &App,
    id: DeliveryId,
    due_at: Timestamp,
    confirm: Confirmed,
    who: &str,
) -> Result<DeliveryView, ComposeError> {
    let delivery = app.store.delivery(id).await?;
    let day = day_of(due_at, &app.store.account(delivery.account_id).await?.timezone);
    let is_another_day = !(day.0..day.1).contains(&delivery.due_at);
    if is_another_day
        && !confirm.duplicate
        && delivery.can_move()
        && let Some((earlier, due_at)) = app.store.near_delivery(id, day).await?
    {
        return Err(ComposeError::NearDuplicate { earlier, due_at });
    }
    let moved = app.store.reschedule(id, due_at, who).await?;
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    Ok(moved)
}

/// When the account's quiet hours end that `at` falls into.
async fn quiet_until(app: &App, account: &Account, at: Timestamp) -> Result<Option<Timestamp>, ComposeError> {
    let Some(hours) = app.store.quiet_hours(account.id).await? else { return Ok(None) };
    let zone = TimeZone::get(&account.timezone).unwrap_or(TimeZone::UTC);
    Ok(hours.end_after(at, &zone))
}

/// Refuses a text that could not be published on the account, that holds personal data, or that is nearly the same as
/// another post on the day of one of the times it would be due; answers the text as it would be stored. `own` occurrences
/// are no other post.
pub async fn foresee(
    app: &App,
    account: AccountId,
    text: &str,
    due: &[Timestamp],
    own: Option<RecurrenceId>,
    confirm: Confirmed,
) -> Result<String, ComposeError> {
    let besides = own.map_or(Besides::Nothing, Besides::Recurrence);
    let now = app.store.clock();
    let account = app.store.account(account).await?;
    let (connector, policy) = sending(app, &account).await?;
    let text = clean(text);
    let length = publisher(&*connector, &account)?.measure(&draft(&text, now, None, Visibility::Public));
    check(policy, &Facts { text: &text, length, answers: None, at: due.first().copied().unwrap_or(now) })?;
    keep_private(&text, Visibility::Public, confirm)?;
    if !confirm.duplicate {
        let fingerprint = fingerprint(&text);
        for at in due {
            let day = day_of(*at, &account.timezone);
            if let Some((earlier, due_at)) = app.store.near_post(account.id, &fingerprint, day, besides).await? {
                return Err(ComposeError::NearDuplicate { earlier, due_at });
            }
        }
    }
    Ok(text)
}

/// An occurrence's text, as [`foresee`] answered it, for one that is planned already. Its hash names what goes out, not when:
/// the time is its own.
pub fn rewritten(account_id: AccountId, text: &str, late_limit: Option<Duration>) -> Rewritten {
    Rewritten {
        account_id,
        text: text.to_owned(),
        fingerprint: fingerprint(text),
        body_hash: hash(&serde_json::json!(["rewritten", account_id, text])),
        late_limit,
    }
}

/// The text's length as the account's network counts it.
pub async fn measure(app: &App, account: AccountId, text: &str) -> Result<Length, ComposeError> {
    let account = app.store.account(account).await?;
    let (connector, _) = sending(app, &account).await?;
    let message = draft(&clean(text), app.store.clock(), None, Visibility::Public);
    Ok(publisher(&*connector, &account)?.measure(&message))
}

/// As [`measure`], for an answer to a mention: some networks count the name of who is answered.
pub async fn measure_reply(app: &App, mention: MentionId, text: &str) -> Result<Length, ComposeError> {
    let target = app.store.reply_target(mention).await?;
    let account = app.store.account(target.account_id).await?;
    let (connector, _) = sending(app, &account).await?;
    let message = draft(&clean(text), app.store.clock(), Some(target.reply_to), target.visibility);
    Ok(publisher(&*connector, &account)?.measure(&message))
}

/// What is in the outbox now, or why it is not.
pub async fn finish(app: &App, enqueued: Enqueued) -> Result<DeliveryView, ComposeError> {
    match enqueued {
        Enqueued::New(id) => {
            app.live.wake(Wake::Outbox);
            app.live.wake(Wake::Events);
            Ok(app.store.delivery(id).await?)
        }
        Enqueued::Same(id) => Ok(app.store.delivery(id).await?),
        Enqueued::Refused(obstacle) => Err(obstacle.into()),
    }
}

/// The account's connector and the rules of its network.
async fn sending<'a>(app: &'a App, account: &Account) -> Result<(Arc<dyn Connector>, &'a Policy), ComposeError> {
    if account.network.only_tells() {
        return Err(ComposeError::Refused {
            rule: "network.events".into(),
            reason: format!(
                "{} ({}) only tells of what happened: it takes nothing that people write",
                account.name,
                account.network.as_str()
            ),
        });
    }
    if account.is_removed() {
        return Err(ComposeError::Refused {
            rule: "account.removed".into(),
            reason: format!("account {} was removed: add it again, or choose another", account.name),
        });
    }
    let Some(policy) = app.policies.of(account.network) else { return Err(read_only(account)) };
    let connector = app
        .connectors
        .of(account)
        .await
        .map_err(|error| ComposeError::Refused { rule: "account.settings".into(), reason: error.to_string() })?;
    Ok((connector, policy))
}

fn publisher<'a>(connector: &'a dyn Connector, account: &Account) -> Result<&'a dyn Publisher, ComposeError> {
    connector.publisher().ok_or_else(|| read_only(account))
}

fn read_only(account: &Account) -> ComposeError {
    ComposeError::Refused {
        rule: "network.read_only".into(),
        reason: format!(
            "account {} only reads: nothing can be published on {}",
            account.name,
            account.network.as_str()
        ),
    }
}

fn check(policy: &Policy, facts: &Facts<'_>) -> Result<(), ComposeError> {
    policy.check(facts).map_err(|refusal| match refusal.rule {
        "text.empty" => ComposeError::Empty,
        "text.limit" => ComposeError::TooLong(facts.length),
        rule => ComposeError::Refused { rule: rule.into(), reason: refusal.reason },
    })
}

/// What is measured: the key plays no part in it.
fn draft(text: &str, now: Timestamp, reply_to: Option<ReplyTo>, visibility: Visibility) -> Outgoing {
    Outgoing {
        key: String::new(),
        created_at: now,
        due_at: now,
        called_at: now,
        text: text.to_owned(),
        reply_to,
        continues: None,
        visibility,
        language: None,
    }
}

/// The text as it is stored and sent: line ends of one kind, no U+0000, nothing blank around it.
fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\0', "").trim().to_owned()
}

fn key(key: Option<String>, now: Timestamp) -> Result<String, ComposeError> {
    match key {
        None => Ok(format!("auto:{}", new_ulid(now))),
        Some(key) if key.is_empty() || key.len() > LONGEST_KEY || key.contains('\0') => {
            Err(ComposeError::Invalid(format!("the key must have 1 to {LONGEST_KEY} bytes")))
        }
        Some(key) => Ok(key),
    }
}

fn hash(body: &serde_json::Value) -> String {
    Sha256::digest(body.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text's words, folded, without links: what the near-duplicate warning compares.
fn fingerprint(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().filter(|word| !word.contains("://")).collect();
    let folded = search_fold(&words.join(" "));
    let words: Vec<&str> =
        folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        // Nothing but emoji and links: only the very same text counts.
        true => text.to_owned(),
        false => words.join(" "),
    }
}

/// The calendar day of `at` in the account's zone.
fn day_of(at: Timestamp, zone: &str) -> (Timestamp, Timestamp) {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let start = at.to_zoned(zone).start_of_day();
    let day = start.and_then(|start| Ok((start.timestamp(), start.tomorrow()?.timestamp())));
    // At the ends of the calendar there is no such day; a day around it does as well.
    day.unwrap_or((at, at.saturating_add(SignedDuration::from_hours(24)).unwrap_or(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_ignores_case_marks_and_links() {
        assert_eq!(
            fingerprint("Bugün BÜTÜN mağazalarda %20! https://a.example/x"),
            fingerprint("bugun butun magazalarda 20")
        );
        assert_eq!(fingerprint("🎉🎉"), "🎉🎉");
    }

    #[test]
    fn the_day_is_the_accounts_own() {
        let at: Timestamp = "2026-03-01T22:30:00Z".parse().expect("a time");
        let (start, end) = day_of(at, "Europe/Istanbul");
        assert_eq!(start.to_string(), "2026-03-01T21:00:00Z");
        assert_eq!(end.to_string(), "2026-03-02T21:00:00Z");
        // A day of 23 hours.
        let (start, end) = day_of("2026-03-29T12:00:00Z".parse().expect("a time"), "Europe/Berlin");
        assert_eq!(end.duration_since(start), SignedDuration::from_hours(23));
    }

    #[test]
    fn a_form_and_a_script_send_the_same_text() {
        assert_eq!(clean(" bir\r\niki\0 "), "bir\niki");
    }
}

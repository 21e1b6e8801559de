//! Tells a person, by e-mail or webhook, what needs them: failed, late, held or unknown deliveries, dying tokens, and
//! webhooks whose receiver is away.
//!
//! One process at a time raises them, by a lease, and puts what tells of them into the outbox, where it is a delivery like
//! any other. What is open is in the database and in the console even when nobody is to be told; a text that somebody
//! wrote, a handle or a secret is never in it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muhatap_connectors::networks::mail::Mail;
use serde::Serialize;
use tracing::{error, info, warn};

use crate::app::App;
use crate::config::AlertsConfig;
use crate::live::Wake;
use crate::model::{AccountId, Action, AlertId, EventKind};
use crate::store::StoreError;
use crate::store::alerts::{Telling, Untold};
use crate::store::webhooks::EVENTS;
use crate::web::locale::Locale;
use crate::web::parts::alert_word;
use crate::web::texts::Text;
use crate::{telemetry, telling};

/// Of the loop and of its lease.
const NAME: &str = "alerts";
const ROUND_EVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(120);
/// Alerts told together; the mail names the first of them and counts the rest.
const TOGETHER: i64 = 1_000;
const NAMED: usize = 20;
/// Characters of a mail's subject.
const SUBJECT: usize = 160;

/// Raises and tells alerts until the app shuts down.
pub async fn run(app: Arc<App>) {
    loop {
        app.pulse.beat(NAME);
        let now = app.store.clock();
        match app.store.lease(NAME, &app.worker, LEASE, now).await {
            Ok(true) => {
                if let Err(error) = round(&app, now).await {
                    error!(%error, "alerts could not be raised; they are tried again");
                }
            }
            Ok(false) => {}
            Err(error) => error!(%error, "the lease of the alerts could not be taken; it is tried again"),
        }
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            () = tokio::time::sleep(ROUND_EVERY) => {}
        }
    }
    if let Err(error) = app.store.give_back(NAME, &app.worker).await {
        warn!(%error, "the lease of the alerts could not be given back; it ends by itself");
    }
}

/// One round: raises what is new, closes what is well, tells what is untold.
pub async fn round(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let raised = app.store.raise_alerts(now).await?;
    for kind in &raised {
        metrics::counter!(telemetry::ALERTS, "kind" => kind.clone()).increment(1);
    }
    if !raised.is_empty() {
        info!(alerts = raised.len(), "alerts raised");
        app.live.wake(Wake::Events);
    }
    let untold = app.store.untold_alerts(TOGETHER).await?;
    if untold.is_empty() {
        return Ok(());
    }
    let tellings = tellings(app, &untold, now).await?;
    if !tellings.is_empty() && app.store.tell_alerts(&tellings, now).await? {
        app.live.wake(Wake::Outbox);
        app.live.wake(Wake::Events);
    }
    Ok(())
}

/// What tells of these alerts: a mail to each reader, and an event. A way of telling is not told of its own trouble, so
/// telling never feeds itself.
async fn tellings(app: &App, untold: &[Untold], now: Timestamp) -> Result<Vec<Telling>, StoreError> {
    let AlertsConfig { email, webhook } = &app.config.alerts;
    let mut tellings = Vec::new();
    if let Some(email) = email.as_ref().filter(|email| !email.to.is_empty()) {
        let account_id = app.store.account_by_name(telling::EMAIL).await?.id;
        let alerts = but_of(account_id, untold);
        let ids: Vec<AlertId> = alerts.iter().map(|alert| alert.id).collect();
        let locale = telling::locale(&app.config.console.language, &app.config.console.timezone, now);
        tellings.extend(email.to.iter().filter(|_| !alerts.is_empty()).map(|to| {
            let body = mail(app, &locale, to, &alerts).to_json();
            Telling { account_id, action: Action::Mail, lane: to.clone(), body, alerts: ids.clone() }
        }));
    }
    if webhook.is_some() {
        let account_id = app.store.account_by_name(telling::WEBHOOK).await?.id;
        let alerts = but_of(account_id, untold);
        let ids: Vec<AlertId> = alerts.iter().map(|alert| alert.id).collect();
        tellings.extend((!alerts.is_empty()).then(|| {
            let body = event(app, &alerts, now);
            Telling { account_id, action: Action::Webhook, lane: EVENTS.to_owned(), body, alerts: ids }
        }));
    }
    Ok(tellings)
}

/// All but those about `account` itself.
fn but_of(account: AccountId, alerts: &[Untold]) -> Vec<&Untold> {
    let account = account.to_string();
    alerts.iter().filter(|alert| alert.subject_id != account).collect()
}

/// The console's page of what an alert is about.
pub fn page(kind: &str, subject_id: &str) -> String {
    match kind {
        kind if kind.starts_with("delivery") => format!("/deliveries/{subject_id}"),
        "recurrence" => format!("/schedule/recurring/{subject_id}"),
        "webhook" => format!("/webhooks/{subject_id}"),
        "mail" => format!("/deliveries?account={subject_id}"),
        _ => format!("/accounts#a-{subject_id}"),
    }
}

fn link(app: &App, alert: &Untold) -> String {
    format!("{}{}", telling::console_address(&app.config.console), page(&alert.kind, &alert.subject_id))
}

/// In the console's language, as far as it knows the words.
fn mail(app: &App, locale: &Locale, to: &str, alerts: &[&Untold]) -> Mail {
    let subject = match alerts {
        [alert] => format!("[Muhatap] {}", locale.said(&alert.message)),
        alerts => {
            let count = locale.count(Text::AlertCount, alerts.len() as i64);
            format!("[Muhatap] {count} · {}", counts(locale, alerts))
        }
    };
    let told = alerts.iter().take(NAMED);
    let mut parts: Vec<String> =
        told.map(|alert| format!("{}\n{}", locale.said(&alert.message), link(app, alert))).collect();
    if let Some(more) = alerts.get(NAMED..).filter(|more| !more.is_empty()) {
        let count = locale.count(Text::DigestMore, more.len() as i64);
        parts.push(format!("{count} · {}", counts(locale, more)));
    }
    Mail { to: to.to_owned(), subject: in_one_line(&subject), text: parts.join("\n\n") + "\n" }
}

/// As much of a subject as a list of mails shows.
fn in_one_line(subject: &str) -> String {
    match subject.char_indices().nth(SUBJECT) {
        Some((end, _)) => format!("{}…", &subject[..end]),
        None => subject.to_owned(),
    }
}

/// `Gecikti: 3, Beklemede: 1`.
fn counts(locale: &Locale, alerts: &[&Untold]) -> String {
    let mut counts: Vec<(Text, i64)> = Vec::new();
    for word in alerts.iter().map(|alert| alert_word(&alert.kind)) {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let each = counts.iter().map(|(word, count)| format!("{}: {}", locale.t(*word), locale.integer(*count)));
    each.collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct PostedAlert<'a> {
    id: AlertId,
    kind: &'a str,
    subject_id: &'a str,
    message: &'a str,
    raised_at: Timestamp,
    url: String,
}

/// The event, in the shape of every other.
fn event(app: &App, alerts: &[&Untold], now: Timestamp) -> String {
    let alerts: Vec<PostedAlert> = alerts
        .iter()
        .map(|alert| PostedAlert {
            id: alert.id,
            kind: &alert.kind,
            subject_id: &alert.subject_id,
            message: &alert.message,
            raised_at: alert.raised_at,
            url: link(app, alert),
        })
        .collect();
    let data = serde_json::json!({ "alerts": alerts });
    serde_json::json!({ "type": EventKind::AlertsRaised, "timestamp": now, "data": data }).to_string()
}

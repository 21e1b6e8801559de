//! Tells a person, by e-mail or webhook, what needs them: failed, late, held or unknown deliveries and dying tokens.
//!
//! One process at a time does it, by a lease. What is open is in the database and in the console even when nobody is
//! to be told; a text that somebody wrote, a handle or a secret is never in it.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use serde::Serialize;
use sha2::Sha256;
use tracing::{error, info, warn};

use crate::app::App;
use crate::config::{EmailConfig, WebhookConfig};
use crate::live::Wake;
use crate::model::AlertId;
use crate::store::StoreError;
use crate::store::alerts::{Telling, Untold};
use crate::telemetry;

/// Of the loop and of its lease.
const NAME: &str = "alerts";
const ROUND_EVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(120);
/// No way of telling may hold up the other.
const PATIENCE: Duration = Duration::from_secs(15);
/// Alerts told together; the mail names the first of them and counts the rest.
const TOGETHER: i64 = 1_000;
const NAMED: usize = 20;
/// After so many failures an alert is only in the console.
const ATTEMPTS: i64 = 12;
/// The header with the time and the signature of the body.
pub const SIGNATURE_HEADER: &str = "muhatap-signature";

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
    let alerts = &app.config.alerts;
    if alerts.email.is_none() && alerts.webhook.is_none() {
        return Ok(());
    }
    let untold = app.store.untold_alerts(now, TOGETHER).await?;
    if untold.is_empty() {
        return Ok(());
    }
    let mut failures = Vec::new();
    let to_mail: Vec<&Untold> = untold.iter().filter(|alert| !alert.mailed).collect();
    let mailed = match &alerts.email {
        Some(email) if !to_mail.is_empty() => told("e-mail", within(mail(app, email, &to_mail)).await, &mut failures),
        _ => false,
    };
    let to_post: Vec<&Untold> = untold.iter().filter(|alert| !alert.posted).collect();
    let posted = match &alerts.webhook {
        Some(webhook) if !to_post.is_empty() => {
            told("webhook", within(post(app, webhook, &to_post, now)).await, &mut failures)
        }
        _ => false,
    };
    for alert in &untold {
        let done =
            (alerts.email.is_none() || alert.mailed || mailed) && (alerts.webhook.is_none() || alert.posted || posted);
        let telling = Telling {
            mailed: mailed && !alert.mailed,
            posted: posted && !alert.posted,
            done,
            failure: (!done).then(|| failures.join("; ")),
            next_at: (!done).then(|| now + wait(alert.attempts)),
        };
        app.store.alerts_told(&[alert.id], &telling, now).await?;
    }
    app.live.wake(Wake::Events);
    Ok(())
}

/// How long until telling is tried again: half a minute, doubling up to an hour; after the last time, never.
fn wait(attempts: i64) -> SignedDuration {
    match attempts {
        attempts if attempts + 1 >= ATTEMPTS => SignedDuration::from_hours(24 * 365),
        attempts => SignedDuration::from_secs((30 << attempts.clamp(0, 7)).min(3_600)),
    }
}

async fn within<T>(telling: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, telling).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
    }
}

fn told(way: &str, result: Result<(), String>, failures: &mut Vec<String>) -> bool {
    match result {
        Ok(()) => true,
        Err(reason) => {
            warn!(way, reason, "nobody could be told of alerts; it is tried again");
            failures.push(format!("{way}: {reason}"));
            false
        }
    }
}

/// Where the console shows the subject of an alert.
fn link(app: &App, alert: &Untold) -> String {
    let console = match &app.config.console.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", app.config.console.listen),
    };
    match alert.kind.as_str() {
        kind if kind.starts_with("delivery") => format!("{console}/deliveries/{}", alert.subject_id),
        "recurrence" => format!("{console}/schedule/recurring/{}", alert.subject_id),
        "webhook" => format!("{console}/webhooks/{}", alert.subject_id),
        _ => format!("{console}/accounts#a-{}", alert.subject_id),
    }
}

async fn mail(app: &App, email: &EmailConfig, alerts: &[&Untold]) -> Result<(), String> {
    let message = message(app, email, alerts)?;
    let url = email.smtp_url.read("alerts.email.smtp_url").map_err(|error| error.to_string())?;
    // What lettre says of a wrong URL could quote its password.
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
        .map_err(|_| "alerts.email.smtp_url is not an smtp:// or smtps:// URL".to_owned())?
        .timeout(Some(PATIENCE))
        .build();
    transport.send(message).await.map_err(|error| one_line(&error.to_string()))?;
    Ok(())
}

fn message(app: &App, email: &EmailConfig, alerts: &[&Untold]) -> Result<Message, String> {
    let mailbox = |address: &str| {
        address
            .parse::<Mailbox>()
            .map_err(|error| format!("{address:?} in alerts.email is not an e-mail address: {error}"))
    };
    let mut message = Message::builder().from(mailbox(&email.from)?);
    for to in &email.to {
        message = message.to(mailbox(to)?);
    }
    let subject = match alerts {
        [alert] => format!("[Muhatap] {}", alert.message),
        alerts => format!("[Muhatap] {} alerts: {}", alerts.len(), counts(alerts)),
    };
    let mut body = String::new();
    for alert in alerts.iter().take(NAMED) {
        body.push_str(&format!("{}\n{}\n\n", alert.message, link(app, alert)));
    }
    if alerts.len() > NAMED {
        body.push_str(&format!("… and {} more: {}\n", alerts.len() - NAMED, counts(alerts)));
    }
    let subject: String = subject.chars().take(160).collect();
    message.subject(subject).body(body).map_err(|error| one_line(&error.to_string()))
}

/// "3 delivery_failed, 1 token".
fn counts(alerts: &[&Untold]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for alert in alerts {
        match counts.iter_mut().find(|(kind, _)| *kind == alert.kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((&alert.kind, 1)),
        }
    }
    counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct Posted<'a> {
    sent_at: Timestamp,
    alerts: Vec<PostedAlert<'a>>,
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

async fn post(app: &App, webhook: &WebhookConfig, alerts: &[&Untold], now: Timestamp) -> Result<(), String> {
    let alerts = alerts.iter().map(|alert| PostedAlert {
        id: alert.id,
        kind: &alert.kind,
        subject_id: &alert.subject_id,
        message: &alert.message,
        raised_at: alert.raised_at,
        url: link(app, alert),
    });
    let body =
        serde_json::to_string(&Posted { sent_at: now, alerts: alerts.collect() }).map_err(|error| error.to_string())?;
    // Redirects would send the alert, and its signature, to somebody else.
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE).build();
    let client = client.map_err(|error| error.to_string())?;
    let mut request = client.post(webhook.url.clone()).header("content-type", "application/json");
    if let Some(secret) = &webhook.secret {
        let secret = secret.read("alerts.webhook.secret").map_err(|error| error.to_string())?;
        request = request.header(SIGNATURE_HEADER, signature(secret.expose_secret(), now, &body));
    }
    // The URL may hold a token of its own.
    let answer = request.body(body).send().await.map_err(|error| one_line(&error.without_url().to_string()))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("it answered {status}")),
    }
}

/// `t=<Unix seconds>,v1=<hex>`: HMAC-SHA256 over the time, a full stop and the body, so that an old body cannot be
/// played back later.
pub fn signature(secret: &str, now: Timestamp, body: &str) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    hmac.update(format!("{}.{body}", now.as_second()).as_bytes());
    let hex: String = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={},v1={hex}", now.as_second())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_can_be_checked_by_others() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(signature("secret", now, "{}"), signature("secret", now, "{}"));
        assert_ne!(signature("secret", now, "{}"), signature("other", now, "{}"));
        assert!(signature("secret", now, "{}").starts_with("t=1795262400,v1="));
    }

    #[test]
    fn telling_is_tried_less_and_less_often() {
        let waits: Vec<i64> = (0..9).map(|attempts| wait(attempts).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert!(wait(11).as_hours() > 24 * 300);
    }
}

//! What happened to a delivery, in order: when it was written, each call and how it ended, and who did what.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::store::audit::AuditRow;
use crate::store::deliveries::{AttemptView, DeliveryView};
use crate::web::composer::writer_name;
use crate::web::layout::Console;
use crate::web::parts::{moment, said};
use crate::web::texts::Text;

/// What the audit log calls the making of a delivery.
const ENQUEUED: &str = "delivery.enqueue";

/// A step, with the colour of its mark.
struct Step {
    at: Timestamp,
    class: &'static str,
    body: Markup,
}

pub fn history(console: &Console, delivery: &DeliveryView, attempts: &[AttemptView], audit: &[AuditRow]) -> Markup {
    let made = Step {
        at: delivery.created_at,
        class: "",
        body: html! { strong { (console.t(Text::CreatedAt)) } " · " (writer_name(console, &delivery.author)) },
    };
    let mut steps: Vec<Step> = std::iter::once(made)
        .chain(attempts.iter().enumerate().map(|(index, attempt)| called(console, index, attempt)))
        .chain(delivery.deleted_at.map(|at| Step {
            at,
            class: "",
            body: html! { strong { (console.t(Text::DeletedOurs)) } },
        }))
        // How it came to be is told already.
        .chain(audit.iter().filter(|line| line.action != ENQUEUED).map(|line| done(console, line)))
        .collect();
    steps.sort_by_key(|step| step.at);
    html! {
        ol.steps {
            @for step in &steps {
                li class=(step.class) { (step.body) " · " span.muted { (moment(console, step.at)) } }
            }
        }
    }
}

/// A call, from its start to its end.
fn called(console: &Console, index: usize, attempt: &AttemptView) -> Step {
    let outcome = attempt.outcome.as_deref();
    let class = match outcome {
        Some("sent" | "found") => "good",
        Some("failed" | "unclear" | "held") => "bad",
        _ => "",
    };
    let took =
        attempt.finished_at.map(|end| end.duration_since(attempt.started_at).as_millis().clamp(0, i64::MAX.into()));
    let body = html! {
        strong { (console.fill(Text::AttemptNumber, &[&console.integer(index as i64 + 1)])) }
        " · " (outcome_text(console, outcome))
        @if let Some(took) = took { " · " (console.fill(Text::Milliseconds, &[&console.integer(took as i64)])) }
        @if let Some(detail) = &attempt.detail { p.small.muted dir="auto" { (said(console, detail)) } }
        p.small.muted { (console.fill(Text::ByWorker, &[&attempt.worker])) }
    };
    Step { at: attempt.started_at, class, body }
}

/// What a person did.
fn done(console: &Console, line: &AuditRow) -> Step {
    let text = match (line.action.as_str(), line.detail["decision"].as_str()) {
        ("delivery.cancel", _) => Some(Text::DidCancel),
        ("delivery.move", _) => Some(Text::DidMove),
        ("delivery.quiet", _) => Some(Text::DidQuiet),
        ("delivery.retry", _) => Some(Text::DidRetry),
        ("delivery.release", _) => Some(Text::DidRelease),
        ("delivery.delete", _) => Some(Text::DidDelete),
        ("delivery.approve", _) => Some(Text::DidApprove),
        ("delivery.decide", Some("sent")) => Some(Text::DidDecideSent),
        ("delivery.decide", Some("queue")) => Some(Text::DidDecideAgain),
        ("delivery.decide", _) => Some(Text::DidDecideCancel),
        _ => None,
    };
    let moved_to = line.detail["to"].as_str().and_then(|to| to.parse::<Timestamp>().ok());
    let body = html! {
        strong { @match text { Some(text) => (console.t(text)), None => (line.action) } }
        @if let Some(to) = moved_to { " → " (moment(console, to)) }
        " · " (writer_name(console, &line.actor))
    };
    Step { at: line.at, class: "", body }
}

fn outcome_text(console: &Console, outcome: Option<&str>) -> String {
    let text = match outcome {
        None => Text::AttemptRunning,
        Some("sent") => Text::OutcomeSent,
        Some("retry") => Text::OutcomeRetry,
        Some("failed") => Text::OutcomeFailed,
        Some("unclear") => Text::OutcomeUnclear,
        Some("found") => Text::OutcomeFound,
        Some("absent") => Text::OutcomeAbsent,
        Some("held") => Text::StateHeld,
        Some("put_back") => Text::OutcomePutBack,
        Some("not_sent") => Text::OutcomeNotSent,
        Some(other) => return other.to_owned(),
    };
    console.t(text).to_owned()
}

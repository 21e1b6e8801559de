//! What was said in a conversation, in order: theirs, ours, what is on its way, and notes among ourselves.

use jiff::civil::Date;
use maud::{Markup, html};

use super::composer::writer_name;
use super::correction;
use super::highlight::{highlighted, tone};
use super::icons::{Icon, icon};
use super::inbox::{handle, name_of};
use super::layout::Console;
use super::parts::{
    ago, avatar, clock, delivery_chip, intent_word, moment, outside, said, sentiment_chip, sentiment_word, topic_of,
    urgency_chip,
};
use super::texts::Text;
use crate::analyze::tokens::fold_case;
use crate::model::{Action, DeliveryState, MentionId};
use crate::store::inbox::{ConversationView, MentionRow, Message, NoteView, OutgoingRow, PendingRow};

enum Line<'a> {
    Message(&'a Message),
    Note(&'a NoteView),
}

/// Messages and notes by time, with a line for every new day; `focus` is the mention the person came for.
pub fn render(console: &Console, conversation: &ConversationView, focus: MentionId) -> Markup {
    let mut lines: Vec<_> = conversation
        .messages
        .iter()
        .map(|message| (message.at(), Line::Message(message)))
        .chain(conversation.notes.iter().map(|note| (note.created_at, Line::Note(note))))
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    let mut day: Option<Date> = None;
    html! {
        @for (at, line) in &lines {
            @let date = console.zoned(*at).date();
            @if day.replace(date) != Some(date) {
                p.day-line { (console.near_day(date)) }
            }
            @match line {
                Line::Message(Message::Incoming(mention)) => (incoming(console, mention, mention.id == focus)),
                Line::Message(Message::Outgoing(sent)) => (outgoing(console, sent)),
                Line::Message(Message::Pending(pending)) => (on_its_way(console, pending)),
                Line::Note(written) => (note(console, written)),
            }
        }
    }
}

fn incoming(console: &Console, mention: &MentionRow, focused: bool) -> Markup {
    let name = name_of(console, &mention.author.display_name, &mention.author.handle);
    html! {
        article.message.focus[focused] id=(format!("m-{}", mention.id)) {
            (avatar(name, ""))
            div.bubble {
                div.meta {
                    strong dir="auto" { (name) }
                    span dir="ltr" { (handle(&mention.author.handle)) }
                    (clock(console, mention.published_at))
                    @if let Some(edited) = mention.edited_at {
                        span title=(console.exact(edited)) { "(" (console.t(Text::Edited)) ")" }
                    }
                    (outside(mention.url.as_deref(), html! {
                        span.visually-hidden { (console.t(Text::OpenOnNetwork)) }
                        @if mention.url.is_some() { (icon(Icon::External)) }
                    }))
                }
                @match &mention.text {
                    Some(text) => {
                        @if let Some(rating) = mention.rating { p.number { (stars(rating)) } }
                        p.body dir="auto" { (highlighted(console, text, &mention.sentiment.because)) }
                        (media(console, mention))
                        div.under {
                            (sentiment_chip(console, mention.sentiment.label))
                            @for intent in mention.intents.iter().take(3) {
                                span.chip title=(console.fill(Text::Confidence, &[&console.percent(intent.confidence)])) {
                                    (console.t(intent_word(intent.label)))
                                }
                            }
                            (urgency_chip(console, &mention.urgency))
                            @for topic in &mention.topics { span.chip.outline { (topic_of(console, topic)) } }
                            (why(console, mention, focused))
                            (correction::render(console, mention))
                        }
                    },
                    None => p.body.erased { (console.t(Text::DeletedMention)) },
                }
            }
        }
    }
}

/// The legend of the coloured words: each with its weight.
fn why(console: &Console, mention: &MentionRow, open: bool) -> Markup {
    // Words stand behind what the analysis says, not behind what a person says.
    let corrected = mention.correction.as_ref().filter(|correction| correction.counts());
    let said = corrected.map(|correction| &correction.said.sentiment);
    let (sentiment, question) = match said.filter(|said| said.label != mention.sentiment.label) {
        Some(said) => (said, Text::WhySaid),
        None => (&mention.sentiment, Text::Why),
    };
    let label = fold_case(console.t(sentiment_word(sentiment.label)), console.language.code());
    // In the decimals people see, so that what they add up comes to the total.
    let decimals = |weight: f64| (weight * 100.0).round() / 100.0;
    let shown: f64 = sentiment.because.iter().map(|reason| decimals(reason.weight)).sum();
    let rest = decimals(sentiment.base);
    html! {
        details.why id=(format!("why-{}", mention.id)) open[open] {
            summary { (console.fill(question, &[&label])) }
            ul {
                @for reason in &sentiment.because {
                    li { mark class=(tone(reason.weight)) dir="auto" { (reason.text) } " " span.number { (console.score(reason.weight)) } }
                }
                @if sentiment.because.is_empty() { li { (console.t(Text::WhyNone)) } }
                @if rest != 0.0 {
                    li title=(console.t(Text::EverythingElseMore)) {
                        (console.t(Text::EverythingElse)) " " span.number { (console.score(rest)) }
                    }
                }
                li.number {
                    (console.t(Text::Total)) " " (console.score(shown + rest)) " · "
                    (console.fill(Text::ScoreOfSum, &[&console.score(sentiment.score)])) " · "
                    (console.fill(Text::Confidence, &[&console.percent(sentiment.confidence)]))
                }
            }
        }
    }
}

/// Attachments by name: nothing of a stranger's is loaded by looking.
fn media(console: &Console, mention: &MentionRow) -> Markup {
    html! {
        @if !mention.media.is_empty() {
            p.small.muted {
                @for (index, media) in mention.media.iter().enumerate() {
                    @if index > 0 { " · " }
                    (outside(Some(&media.url), html! {
                        @if media.description.trim().is_empty() { (console.t(Text::Attachment)) }
                        @else { span dir="auto" { (console.fill(Text::AttachmentDescribed, &[&media.description])) } }
                    }))
                }
            }
        }
    }
}

fn stars(rating: f64) -> String {
    let full = rating.round().clamp(0.0, 5.0) as usize;
    format!("{}{}", "★".repeat(full), "☆".repeat(5 - full))
}

fn outgoing(console: &Console, sent: &OutgoingRow) -> Markup {
    html! {
        article.message.ours {
            div.bubble {
                div.meta {
                    strong { (sent.account.name) }
                    @match &sent.written_by {
                        Some(name) => span { (console.fill(Text::ByPerson, &[&writer_name(console, name)])) },
                        None => span { (console.t(Text::WrittenInApp)) },
                    }
                    (clock(console, sent.published_at))
                }
                @match (&sent.text, sent.deleted_at) {
                    (Some(text), None) => p.body dir="auto" { (text) },
                    _ => p.body.erased { (console.t(Text::DeletedOurs)) },
                }
                div.under.small {
                    @if sent.deleted_at.is_none() {
                        span.chip.positive { (icon(Icon::Check)) (console.t(Text::StateSent)) }
                        (outside(sent.url.as_deref().filter(|url| super::parts::is_web_address(url)), html! {
                            @if sent.url.is_some() { (console.t(Text::SeeLive)) }
                        }))
                    }
                    @if let Some(id) = sent.delivery_id {
                        a.muted href=(format!("/deliveries/{id}")) { (console.t(Text::Details)) }
                    }
                }
            }
        }
    }
}

fn on_its_way(console: &Console, pending: &PendingRow) -> Markup {
    let waits = matches!(pending.state, DeliveryState::Queued | DeliveryState::Waiting)
        && pending.action == Action::Publish
        && pending.due_at > console.now;
    let trouble = matches!(
        pending.state,
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Unknown | DeliveryState::Held
    );
    html! {
        article.message.ours.pending.trouble[trouble] id=(format!("d-{}", pending.delivery_id)) {
            div.bubble {
                div.meta {
                    strong { (pending.account.name) }
                    span { (console.fill(Text::ByPerson, &[&writer_name(console, &pending.written_by)])) }
                    (ago(console, pending.created_at))
                }
                p.body dir="auto" { (pending.text) }
                @if let Some(reason) = pending.reason.as_deref().filter(|_| trouble || pending.state == DeliveryState::Retry) {
                    p.small.muted dir="auto" { (console.t(Text::Reason)) ": " (said(console, reason)) }
                }
                div.under.small {
                    @if waits && console.stopped_at.is_none() {
                        span.countdown role="timer" { (icon(Icon::Clock))
                            span data-sends-at=(pending.due_at.as_millisecond()) {
                                @if (pending.due_at.as_second() - console.now.as_second()) < 3_600 {
                                    (console.fill(Text::SendingIn, &[&console.integer(
                                        pending.due_at.as_second() - console.now.as_second())]))
                                } @else { (moment(console, pending.due_at)) }
                            }
                        }
                    } @else { (delivery_chip(console, pending.state)) }
                    @if waits && console.may_write() {
                        form method="post" action=(format!("/deliveries/{}/undo", pending.delivery_id)) data-undo {
                            (console.viewer.csrf)
                            button.button.small { (icon(Icon::Undo)) (console.t(Text::UndoSend)) }
                        }
                    }
                    a.muted href=(format!("/deliveries/{}", pending.delivery_id)) { (console.t(Text::Details)) }
                }
            }
        }
    }
}

fn note(console: &Console, note: &NoteView) -> Markup {
    html! {
        article.message.note {
            div.bubble {
                div.meta {
                    span.chip.warning { (icon(Icon::Lock)) (console.t(Text::InternalNote)) }
                    strong { (writer_name(console, &note.author)) }
                    (clock(console, note.created_at))
                }
                p.body dir="auto" { (note.text) }
            }
        }
    }
}

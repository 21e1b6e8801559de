//! The reply box: what is typed stays, what stands in the way is said, and what must be asked is asked.

use maud::{Markup, html};

use super::conversation::answered_handle;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::layout::Console;
use super::parts::{network_badge, network_name, said};
use super::texts::Text;
use crate::compose::{ComposeError, OtherReply};
use crate::store::accounts::Account;
use crate::store::inbox::{ConversationView, MentionRow, Message};

/// The reply box of a page.
pub struct Composer {
    pub text: String,
    /// Minted with the page.
    pub key: String,
    pub trouble: Option<Trouble>,
}

/// Why a reply was not taken.
pub struct Trouble {
    kind: Kind,
    /// Other warnings already answered with yes: they are not asked again.
    confirmed_over: String,
    confirmed_personal_data: bool,
}

enum Kind {
    Empty,
    TooLong { over: usize, limit: usize },
    Refused(String),
    AnotherReply { other: OtherReply, text: Option<String> },
    PersonalData,
    KeyReused,
}

impl Trouble {
    /// What a person can do something about; anything else becomes a problem page.
    pub async fn of(
        console: &Console,
        error: ComposeError,
        confirmed_over: &str,
        confirmed_personal_data: bool,
    ) -> Result<Trouble, Problem> {
        let kind = match error {
            ComposeError::Empty => Kind::Empty,
            ComposeError::TooLong(length) => {
                Kind::TooLong { over: length.used.saturating_sub(length.limit), limit: length.limit }
            }
            ComposeError::Refused { reason, .. } => Kind::Refused(reason),
            ComposeError::AnotherReply(other) => {
                let text = match other.delivery_id {
                    Some(delivery) => console.app.store.delivery(delivery).await.ok().map(|delivery| delivery.text),
                    None => None,
                };
                Kind::AnotherReply { other, text }
            }
            ComposeError::PersonalData(_) => Kind::PersonalData,
            ComposeError::KeyReused(_) => Kind::KeyReused,
            error => return Err(error.into()),
        };
        Ok(Trouble { kind, confirmed_over: confirmed_over.to_owned(), confirmed_personal_data })
    }

    /// Whether it is a question, not a refusal.
    pub fn asks(&self) -> bool {
        matches!(self.kind, Kind::AnotherReply { .. } | Kind::PersonalData | Kind::KeyReused)
    }

    pub fn needs_new_key(&self) -> bool {
        matches!(self.kind, Kind::KeyReused)
    }

    /// What the second click confirms.
    fn confirm_over(&self) -> &str {
        match &self.kind {
            Kind::AnotherReply { other, .. } => &other.id,
            _ => &self.confirmed_over,
        }
    }

    fn confirm_personal_data(&self) -> bool {
        self.confirmed_personal_data || matches!(self.kind, Kind::PersonalData)
    }

    fn render(&self, console: &Console, conversation: &ConversationView) -> Markup {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let anyway = html! {
            div.row { button.button.small { (console.t(Text::SendAnyway)) } }
        };
        match &self.kind {
            Kind::Empty => error(html! { p { (console.t(Text::ReplyEmpty)) } }),
            Kind::TooLong { over, limit } => error(html! {
                p { (console.count_and(Text::ReplyTooLong, count(*over), &[&console.integer(count(*limit))])) }
            }),
            Kind::Refused(reason) => {
                error(html! { p { strong { (console.t(Text::Refused)) } } p dir="auto" { (said(console, reason)) } })
            }
            Kind::KeyReused => error(html! { p { (console.t(Text::ReplyKeyReused)) } }),
            Kind::PersonalData => warning(html! {
                p { strong { (console.t(Text::PersonalDataTitle)) } }
                p { (console.t(Text::PersonalDataAsk)) }
                (anyway)
            }),
            Kind::AnotherReply { other, text } => {
                // The page was made anew with the other answer in it, so its writer's name is there too.
                let known = conversation.messages.iter().find_map(|message| match message {
                    Message::Outgoing(sent) if sent.delivery_id == other.delivery_id && sent.delivery_id.is_some() => {
                        sent.written_by.clone()
                    }
                    Message::Pending(pending) if Some(pending.delivery_id) == other.delivery_id => {
                        Some(pending.written_by.clone())
                    }
                    _ => None,
                });
                let who = known
                    .or_else(|| other.author.clone())
                    .map_or_else(|| console.t(Text::WrittenInApp).to_owned(), |name| writer_name(console, &name));
                warning(html! {
                    p { strong { (console.t(Text::AnotherReplyTitle)) } }
                    p { (console.fill(Text::AnotherReplyBy, &[&who, &console.relative(other.at)])) }
                    @if let Some(text) = text { blockquote dir="auto" { (text) } }
                    p { (console.t(Text::AnotherReplyAsk)) }
                    (anyway)
                })
            }
        }
    }
}

fn error(body: Markup) -> Markup {
    html! { div.notice.error role="alert" { (icon(Icon::Alert)) div.grow { (body) } } }
}

fn warning(body: Markup) -> Markup {
    html! { div.notice.warning role="alert" { (icon(Icon::Alert)) div.grow { (body) } } }
}

/// The stored word for a writer, in the reader's language.
pub fn writer_name(console: &Console, stored: &str) -> String {
    match stored {
        "local" => console.t(Text::WriterLocal).to_owned(),
        "cli" => console.t(Text::WriterCommandLine).to_owned(),
        // What nobody wrote: events, alerts and digests.
        "" => "Muhatap".to_owned(),
        "clock" => console.t(Text::WriterClock).to_owned(),
        name if name.starts_with("token:") => console.t(Text::WriterProgram).to_owned(),
        name => name.to_owned(),
    }
}

impl Composer {
    pub fn render(
        &self,
        console: &Console,
        conversation: &ConversationView,
        mention: &MentionRow,
        account: &Account,
    ) -> Markup {
        if let Some(why) = self.impossible(console, mention, account) {
            return html! {
                div.card.composer {
                    h2 { (console.t(Text::CannotReply)) }
                    p.muted { (why) }
                }
            };
        }
        let confirm_over = self.trouble.as_ref().map_or("", |trouble| trouble.confirm_over());
        let confirm_personal_data = self.trouble.as_ref().is_some_and(Trouble::confirm_personal_data);
        let direct = mention.visibility == "direct";
        let undo = i64::try_from(console.app.config.delivery.undo.as_secs()).unwrap_or(i64::MAX);
        html! {
            form.card.composer #reply method="post" action=(format!("/conversations/{}/reply", conversation.head.id)) {
                (console.viewer.csrf)
                input type="hidden" name="key" value=(self.key);
                input type="hidden" name="mention" value=(mention.id);
                input type="hidden" name="seen" value=(newest_answer(conversation));
                input type="hidden" name="confirm_over" value=(confirm_over);
                input type="hidden" name="confirm_personal_data" value=(if confirm_personal_data { "yes" } else { "" });
                @if let Some(trouble) = &self.trouble { (trouble.render(console, conversation)) }
                div.stack.tight {
                    div.row {
                        label.label for="reply-text" { (console.t(Text::WriteReply)) }
                        span.hint {
                            (network_badge(console, conversation.network)) " "
                            (console.fill(Text::ReplyFrom, &[&account.name, &answered_handle(mention)]))
                        }
                        span class=(if direct { "chip accent push" } else { "chip push" }) {
                            @if direct { (icon(Icon::Lock)) (console.t(Text::ReplyDirect)) }
                            @else { (console.t(Text::ReplyPublic)) }
                        }
                    }
                    // The newline keeps one that the text itself begins with.
                    textarea #reply-text name="text" rows="4" dir="auto" required maxlength="100000" data-measured
                        data-mention=(mention.id) data-draft=(format!("reply-{}", conversation.head.id))
                        aria-describedby="reply-counter reply-hint" { "\n" (self.text) }
                }
                div.foot {
                    span.counter #reply-counter data-counter data-account=(conversation.account.id) aria-live="polite" {}
                    span.hint #reply-hint { (console.fill(Text::UndoHint, &[&console.integer(undo)])) }
                    button.button.primary.push { (icon(Icon::Plane)) (console.t(Text::SendReply)) }
                }
            }
        }
    }

    /// Why nothing can be written here, in words.
    fn impossible(&self, console: &Console, mention: &MentionRow, account: &Account) -> Option<String> {
        if !console.may_write() {
            return Some(console.t(Text::Viewers).to_owned());
        }
        if mention.deleted_at.is_some() {
            return Some(console.t(Text::CannotReplyDeleted).to_owned());
        }
        if !super::can_publish(account.network) {
            return Some(console.fill(Text::CannotReplyBody, &[network_name(console, account.network)]));
        }
        None
    }
}

/// What the page shows as the newest answer, so that one that comes meanwhile is noticed.
fn newest_answer(conversation: &ConversationView) -> String {
    conversation
        .messages
        .iter()
        .rev()
        .find_map(|message| match message {
            Message::Outgoing(sent) => sent.delivery_id.map(|id| id.to_string()).or_else(|| sent.remote_id.clone()),
            Message::Pending(pending) => Some(pending.delivery_id.to_string()),
            Message::Incoming(_) => None,
        })
        .unwrap_or_default()
}

//! The small things pages are made of: times, chips, avatars, empty pages, questions that ask first.

use jiff::Timestamp;
use maud::{Markup, html};
use muhatap_connectors::Network;

use super::icons::{Icon, icon};
use super::layout::Console;
use super::locale::{Language, Locale};
use super::texts::Text;
use crate::analyze::{Topic, Urgency};
use crate::model::{Action, ConversationState, DeliveryState, Health, IntentLabel, Role, SentimentLabel, UrgencyLevel};
use crate::store::deliveries::DeliveryView;
use crate::store::inbox::ConversationHead;

/// `5 dk önce`, the exact time as a tooltip; the script keeps it going.
pub fn ago(locale: &Locale, at: Timestamp) -> Markup {
    html! {
        time datetime=(at) title=(locale.exact(at)) data-relative { (locale.relative(at)) }
    }
}

/// `21 Kas 14:05`, the exact time as a tooltip.
pub fn moment(locale: &Locale, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(locale.exact(at)) { (locale.short(at)) } }
}

/// `14:05`, the exact time as a tooltip.
pub fn clock(locale: &Locale, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(locale.exact(at)) { (locale.clock(at)) } }
}

/// What the program says in English everywhere else, in the reader's language; what has no translation stays English, and
/// is marked so for screen readers.
pub fn said(locale: &Locale, text: &str) -> Markup {
    html! {
        @match locale.translated(text) {
            Some(text) => (text),
            None => span lang=(Language::English.code()) dir="auto" { (text) },
        }
    }
}

/// A stranger's address as a link, if it is http or https; their name otherwise.
pub fn outside(url: Option<&str>, body: Markup) -> Markup {
    let safe = url.filter(|url| is_web_address(url));
    html! {
        @if let Some(url) = safe {
            a href=(url) rel="noopener noreferrer nofollow external" target="_blank" { (body) }
        } @else { (body) }
    }
}

/// That nearly the same post is planned for the day, the earlier one, and what it may mean.
pub fn near_duplicate(console: &Console, earlier: Option<&DeliveryView>) -> Markup {
    html! {
        p { strong { (console.t(Text::NearDuplicateTitle)) } }
        @if let Some(earlier) = earlier {
            p { (earlier.account) " · " (console.short(earlier.due_at)) " · "
                a href=(format!("/deliveries/{}", earlier.id)) target="_blank" { (console.t(Text::Details)) } }
            blockquote dir="auto" { (earlier.text) }
        }
        p { (console.t(Text::NearDuplicateAsk)) }
    }
}

/// Whether a link may be made of it: nothing but http and https is ever clickable.
pub fn is_web_address(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Initials in a colour that stays the same for the same person.
pub fn avatar(name: &str, size: &str) -> Markup {
    let tone = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 8;
    html! { span class=(format!("avatar {size} tone-{tone}")) aria-hidden="true" { (initials(name)) } }
}

fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    let upper = |letter: char| if letter == 'i' { "İ".to_owned() } else { letter.to_uppercase().to_string() };
    [first, last].into_iter().flatten().map(upper).collect()
}

/// The network's little badge; `name` is for screen readers and the tooltip.
pub fn network_badge(locale: &Locale, network: Network) -> Markup {
    let letter = match network {
        Network::Mastodon => "M",
        Network::Bluesky => "B",
        Network::Telegram => "T",
        Network::Matrix => "m",
        Network::Rss => "F",
        Network::Webhook => "W",
        Network::Mail => "E",
        Network::File => "D",
    };
    let name = network_name(locale, network);
    html! { span class=(format!("net net-{}", network.as_str())) title=(name) role="img" aria-label=(name) { (letter) } }
}

pub fn network_name(locale: &Locale, network: Network) -> &'static str {
    match network {
        Network::Mastodon => "Mastodon",
        Network::Bluesky => "Bluesky",
        Network::Telegram => "Telegram",
        Network::Matrix => "Matrix",
        Network::Rss => locale.t(Text::NetworkFeed),
        Network::Webhook => locale.t(Text::NetworkWebhook),
        Network::Mail => locale.t(Text::NetworkMail),
        Network::File => locale.t(Text::NetworkFile),
    }
}

pub fn sentiment_word(label: SentimentLabel) -> Text {
    match label {
        SentimentLabel::Negative => Text::Negative,
        SentimentLabel::Neutral => Text::Neutral,
        SentimentLabel::Positive => Text::Positive,
    }
}

pub fn sentiment_chip(locale: &Locale, label: SentimentLabel) -> Markup {
    html! {
        span class=(format!("chip {}", label.as_str())) { span.dot aria-hidden="true" {} (locale.t(sentiment_word(label))) }
    }
}

pub fn intent_word(label: IntentLabel) -> Text {
    match label {
        IntentLabel::Complaint => Text::Complaint,
        IntentLabel::Question => Text::Question,
        IntentLabel::Request => Text::Request,
        IntentLabel::Praise => Text::Praise,
        IntentLabel::Suggestion => Text::Suggestion,
        IntentLabel::Purchase => Text::Purchase,
        IntentLabel::Spam => Text::Spam,
        IntentLabel::Other => Text::OtherIntent,
    }
}

pub fn urgency_word(level: UrgencyLevel) -> Text {
    match level {
        UrgencyLevel::None => Text::NotUrgent,
        UrgencyLevel::Raised => Text::Pressing,
        UrgencyLevel::High => Text::Urgent,
    }
}

/// What cannot wait, with the words that say so; most mentions can.
pub fn urgency_chip(locale: &Locale, urgency: &Urgency) -> Markup {
    let words: Vec<&str> = urgency.because.iter().map(|alarm| alarm.text.as_str()).collect();
    let colour = match urgency.level {
        UrgencyLevel::None => return html! {},
        UrgencyLevel::Raised => "warning",
        UrgencyLevel::High => "negative",
    };
    html! {
        span class=(format!("chip {colour}")) title=(words.join(" · ")) {
            (icon(Icon::Clock)) (locale.t(urgency_word(urgency.level)))
        }
    }
}

pub fn topic_name(locale: &Locale, topic: Topic) -> &'static str {
    match locale.language {
        Language::Turkish => topic.turkish,
        Language::English => topic.english,
    }
}

/// A stored topic in the reader's language; as it is stored where the list no longer has it.
pub fn topic_of<'t>(locale: &Locale, stored: &'t str) -> &'t str {
    stored.parse().map_or(stored, |topic| topic_name(locale, topic))
}

pub fn state_word(state: ConversationState) -> Text {
    match state {
        ConversationState::Open => Text::Open,
        ConversationState::Snoozed => Text::Snoozed,
        ConversationState::Done => Text::Done,
    }
}

/// The conversation's state where it is worth saying: an open one is the usual case.
pub fn state_chip(locale: &Locale, head: &ConversationHead) -> Markup {
    html! {
        @match (head.state, head.snoozed_until) {
            (ConversationState::Open, _) => {},
            (ConversationState::Snoozed, Some(until)) => {
                span.chip.warning title=(locale.exact(until)) {
                    (icon(Icon::Clock)) (locale.fill(Text::SnoozedUntil, &[&locale.short(until)]))
                }
            },
            (state, _) => { span.chip.accent { (icon(Icon::Check)) (locale.t(state_word(state))) } },
        }
    }
}

pub fn role_word(role: Role) -> Text {
    match role {
        Role::Admin => Text::RoleAdmin,
        Role::Agent => Text::RoleAgent,
        Role::Viewer => Text::RoleViewer,
    }
}

pub fn health_word(health: Health) -> Text {
    match health {
        Health::New => Text::HealthNew,
        Health::Ok => Text::HealthOk,
        Health::Failing => Text::HealthFailing,
        Health::Unauthorized => Text::HealthUnauthorized,
    }
}

/// The kind of an alert.
pub fn alert_word(kind: &str) -> Text {
    match kind {
        "delivery_failed" => Text::AlertFailed,
        "delivery_late" => Text::AlertLate,
        "delivery_held" => Text::AlertHeld,
        "delivery_unknown" => Text::AlertUnknown,
        "delivery_doubled" => Text::AlertDoubled,
        "recurrence" => Text::PartOfRecurring,
        "webhook" | "mail" => Text::AlertReceiver,
        _ => Text::AlertToken,
    }
}

pub fn delivery_word(state: DeliveryState) -> Text {
    match state {
        DeliveryState::Waiting => Text::StateWaiting,
        DeliveryState::Queued => Text::StateQueued,
        DeliveryState::Preparing => Text::StatePreparing,
        DeliveryState::Sending => Text::StateSending,
        DeliveryState::Verifying => Text::StateVerifying,
        DeliveryState::Retry => Text::StateRetry,
        DeliveryState::Held => Text::StateHeld,
        DeliveryState::Unknown => Text::StateUnknown,
        DeliveryState::Sent => Text::StateSent,
        DeliveryState::Failed => Text::StateFailed,
        DeliveryState::Expired => Text::StateExpired,
        DeliveryState::Cancelled => Text::StateCancelled,
    }
}

pub fn delivery_chip(locale: &Locale, state: DeliveryState) -> Markup {
    let tone = match state {
        DeliveryState::Sent => "positive",
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Unknown => "negative",
        DeliveryState::Held | DeliveryState::Retry | DeliveryState::Verifying | DeliveryState::Waiting => "warning",
        DeliveryState::Queued | DeliveryState::Preparing | DeliveryState::Sending => "accent",
        DeliveryState::Cancelled => "",
    };
    html! { span class=(format!("chip {tone}")) { span.dot aria-hidden="true" {} (locale.t(delivery_word(state))) } }
}

/// A delivery's state in a chip; that its message was deleted again says more than that it was sent.
pub fn delivery_mark(locale: &Locale, delivery: &DeliveryView) -> Markup {
    match delivery.deleted_at {
        Some(_) => html! { span.chip { span.dot aria-hidden="true" {} (locale.t(Text::DeletedAgain)) } },
        None => delivery_chip(locale, delivery.state),
    }
}

/// Where a delivery's message can be seen, as long as it can; a deletion has the address of what it deleted.
pub fn live_address(delivery: &DeliveryView) -> Option<&str> {
    let is_live = delivery.action == Action::Publish && delivery.deleted_at.is_none();
    delivery.url.as_deref().filter(|url| is_live && is_web_address(url))
}

/// The language's own name in the reader's language; the code for those without one here.
pub fn language_name(locale: &Locale, code: &str) -> String {
    let text = match code.split('-').next().unwrap_or(code) {
        "tr" => Text::LanguageTurkish,
        "en" => Text::LanguageEnglish,
        "de" => Text::LanguageGerman,
        "fr" => Text::LanguageFrench,
        "es" => Text::LanguageSpanish,
        "it" => Text::LanguageItalian,
        "pt" => Text::LanguagePortuguese,
        "nl" => Text::LanguageDutch,
        "ar" => Text::LanguageArabic,
        "he" => Text::LanguageHebrew,
        "fa" => Text::LanguagePersian,
        "ru" => Text::LanguageRussian,
        "uk" => Text::LanguageUkrainian,
        "el" => Text::LanguageGreek,
        "az" => Text::LanguageAzerbaijani,
        "ku" => Text::LanguageKurdish,
        "ja" => Text::LanguageJapanese,
        "zh" => Text::LanguageChinese,
        "ko" => Text::LanguageKorean,
        "und" => Text::LanguageUnknown,
        _ => return code.to_owned(),
    };
    locale.t(text).to_owned()
}

/// What a page without rows says: what it would show, and what to do.
pub fn empty(picture: Icon, title: &str, body: &str, action: Markup) -> Markup {
    html! {
        div.empty {
            span.art { (icon(picture)) }
            h2 { (title) }
            p { (body) }
            (action)
        }
    }
}

/// A button that asks before it does: works without a script, by keyboard too.
pub struct Ask<'a> {
    pub button: Markup,
    pub class: &'a str,
    pub action: String,
    pub question: &'a str,
    pub more: &'a str,
    pub fields: Markup,
    pub yes: &'a str,
    pub yes_class: &'a str,
}

impl Ask<'_> {
    pub fn render(self, console: &Console) -> Markup {
        html! {
            details.pop {
                summary class=(self.class) { (self.button) }
                form.panel.ask method="post" action=(self.action) {
                    (console.viewer.csrf)
                    strong { (self.question) }
                    @if !self.more.is_empty() { p.small.muted { (self.more) } }
                    (self.fields)
                    div.row.end { button class=(self.yes_class) { (self.yes) } }
                }
            }
        }
    }
}

/// `<option>`s with the chosen one marked.
pub fn options(chosen: &str, choices: &[(String, String)]) -> Markup {
    html! {
        @for (value, name) in choices {
            option value=(value) selected[value == chosen] { (name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        for bad in
            ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//evil.example", "/x", "", "ftp://a/"]
        {
            let markup = outside(Some(bad), html! { "name" }).into_string();
            assert_eq!(markup, "name", "{bad}");
        }
        assert!(outside(Some("https://ornek.example/@ayse"), html! { "x" }).into_string().contains("nofollow"));
    }

    #[test]
    fn initials_are_turkish() {
        assert_eq!(initials("ipek ışık"), "İI");
        assert_eq!(initials("Ayşe"), "A");
        assert_eq!(initials("🙂 şule nur Öz"), "ŞÖ");
        assert_eq!(initials("  "), "");
    }
}

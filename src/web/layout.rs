//! The frame around every page, and who looks at it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::auth::Viewer;
use super::error::Problem;
use super::icons::{Icon, icon, mark};
use super::locale::{Language, Locale};
use super::parts::said;
use super::texts::Text;
use crate::app::App;
use crate::model::Role;
use crate::standing::Scope;
use crate::store::inbox::InboxCounts;

/// A person in front of the console: what every page needs to know.
pub struct Console {
    pub app: Arc<App>,
    pub viewer: Viewer,
    pub locale: Locale,
    /// Path and query of this page, for coming back to it.
    pub here: String,
    /// What the page before says was done.
    pub notice: Option<Notice>,
    /// When somebody stopped all sending.
    pub stopped_at: Option<Timestamp>,
    pub counts: InboxCounts,
    /// Deliveries and accounts that need a person.
    pub alerts: i64,
}

impl std::ops::Deref for Console {
    type Target = Locale;

    fn deref(&self) -> &Locale {
        &self.locale
    }
}

impl Console {
    pub fn may_write(&self) -> bool {
        self.viewer.may_write()
    }

    pub fn is_admin(&self) -> bool {
        self.viewer.role == Role::Admin
    }
}

impl FromRequestParts<Arc<App>> for Console {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let viewer = <Viewer as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let locale = Locale { language: viewer.language, timezone: viewer.timezone.clone(), now: app.store.clock() };
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let notice = parts.uri.query().and_then(Notice::in_query);
        let (stops, counts, alerts) =
            tokio::try_join!(app.store.stops(), app.store.inbox_counts(viewer.user), app.store.open_alert_count(),)?;
        let stopped_at = stops.iter().find(|stop| stop.scope == Scope::All).map(|stop| stop.stopped_at);
        Ok(Self { app: Arc::clone(app), viewer, locale, here, notice, stopped_at, counts, alerts })
    }
}

/// What was just done, told once at the top of the next page; a word in its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice(&'static str, Text, bool);

impl Notice {
    pub const UNDONE: Notice = Notice("undone", Text::UndoneReply, true);
    pub const TOO_LATE: Notice = Notice("too-late", Text::UndoTooLate, false);
    pub const SCHEDULED: Notice = Notice("scheduled", Text::Scheduled, true);
    pub const SCHEDULED_AFTER_QUIET: Notice = Notice("scheduled-after-quiet", Text::ScheduledAfterQuiet, true);
    pub const RECURRENCE_STARTED: Notice = Notice("recurrence-started", Text::RecurrenceStarted, true);
    pub const RECURRENCE_CHANGED: Notice = Notice("recurrence-changed", Text::RecurrenceChanged, true);
    pub const REST_CANCELLED: Notice = Notice("rest-cancelled", Text::RestCancelled, true);
    pub const QUIET_SAVED: Notice = Notice("quiet-saved", Text::QuietSaved, true);
    pub const QUIET_BAD: Notice = Notice("quiet-bad", Text::QuietBad, false);
    pub const CANCELLED: Notice = Notice("cancelled", Text::Cancelled, true);
    pub const CANCEL_WANTED: Notice = Notice("cancel-wanted", Text::CancelWanted, true);
    pub const MOVED: Notice = Notice("moved", Text::Moved, true);
    pub const DECIDED: Notice = Notice("decided", Text::Decided, true);
    pub const RELEASED: Notice = Notice("released", Text::Released, true);
    pub const STILL_WAITS: Notice = Notice("still-waits", Text::StillWaits, false);
    pub const RESUMED: Notice = Notice("resumed", Text::Resumed, true);
    pub const NOT_STOPPED: Notice = Notice("not-stopped", Text::NotStopped, false);
    pub const SENDING_NOW: Notice = Notice("sending-now", Text::SendingNow, true);
    pub const DELETE_QUEUED: Notice = Notice("delete-queued", Text::DeleteQueued, true);
    pub const LINKED: Notice = Notice("linked", Text::Linked, true);
    pub const UNLINKED: Notice = Notice("unlinked", Text::Unlinked, true);
    pub const MERGED: Notice = Notice("merged", Text::Merged, true);
    pub const UNMERGED: Notice = Notice("unmerged", Text::Unmerged, true);
    pub const USER_CREATED: Notice = Notice("user-created", Text::UserCreated, true);
    pub const USER_CHANGED: Notice = Notice("user-changed", Text::UserChanged, true);
    pub const ACCOUNT_ADDED: Notice = Notice("account-added", Text::AccountAdded, true);
    pub const ACCOUNT_CHANGED: Notice = Notice("account-changed", Text::AccountChanged, true);
    pub const ACCOUNT_REMOVED: Notice = Notice("account-removed", Text::AccountRemoved, true);
    pub const WEBHOOK_CHANGED: Notice = Notice("webhook-changed", Text::WebhookChanged, true);
    pub const WEBHOOK_REMOVED: Notice = Notice("webhook-removed", Text::WebhookRemoved, true);
    pub const EVENT_QUEUED: Notice = Notice("event-queued", Text::EventQueued, true);
    pub const REPLAYED: Notice = Notice("replayed", Text::Replayed, true);
    pub const BAD_SNOOZE: Notice = Notice("bad-snooze", Text::SnoozeBadTime, false);
    pub const BAD_TIME: Notice = Notice("bad-time", Text::PostBadTime, false);
    pub const TOO_FAR: Notice = Notice("too-far", Text::PostTooFar, false);
    pub const CLOCK_CHANGES: Notice = Notice("clock-changes", Text::PostClockChanges, false);
    pub const PAST_TIME: Notice = Notice("past-time", Text::PostPastTime, false);
    pub const EMPTY_NOTE: Notice = Notice("empty-note", Text::NoteEmpty, false);
    pub const OTHER_BESIDE: Notice = Notice("other-beside", Text::OtherBeside, false);

    const ALL: [Notice; 39] = [
        Self::UNDONE,
        Self::TOO_LATE,
        Self::SCHEDULED,
        Self::SCHEDULED_AFTER_QUIET,
        Self::RECURRENCE_STARTED,
        Self::RECURRENCE_CHANGED,
        Self::REST_CANCELLED,
        Self::QUIET_SAVED,
        Self::QUIET_BAD,
        Self::CANCELLED,
        Self::CANCEL_WANTED,
        Self::MOVED,
        Self::DECIDED,
        Self::RELEASED,
        Self::STILL_WAITS,
        Self::RESUMED,
        Self::NOT_STOPPED,
        Self::SENDING_NOW,
        Self::DELETE_QUEUED,
        Self::LINKED,
        Self::UNLINKED,
        Self::MERGED,
        Self::UNMERGED,
        Self::USER_CREATED,
        Self::USER_CHANGED,
        Self::ACCOUNT_ADDED,
        Self::ACCOUNT_CHANGED,
        Self::ACCOUNT_REMOVED,
        Self::WEBHOOK_CHANGED,
        Self::WEBHOOK_REMOVED,
        Self::EVENT_QUEUED,
        Self::REPLAYED,
        Self::BAD_SNOOZE,
        Self::BAD_TIME,
        Self::TOO_FAR,
        Self::CLOCK_CHANGES,
        Self::PAST_TIME,
        Self::EMPTY_NOTE,
        Self::OTHER_BESIDE,
    ];

    fn in_query(query: &str) -> Option<Notice> {
        let word = query.split('&').find_map(|pair| pair.strip_prefix("notice="))?;
        Self::ALL.into_iter().find(|notice| notice.0 == word)
    }

    /// `path` with this notice in its query.
    pub fn on(self, path: &str) -> String {
        let (path, fragment) = path.split_once('#').map_or((path, None), |(path, part)| (path, Some(part)));
        let separator = if path.contains('?') { '&' } else { '?' };
        let fragment = fragment.map(|part| format!("#{part}")).unwrap_or_default();
        format!("{path}{separator}notice={}{fragment}", self.0)
    }

    fn render(self, locale: &Locale) -> Markup {
        html! {
            @if self.2 {
                p.notice.success role="status" { (icon(Icon::Check)) span { (locale.t(self.1)) } }
            } @else {
                p.notice.error role="alert" { (icon(Icon::Alert)) span { (locale.t(self.1)) } }
            }
        }
    }
}

/// A place of the console that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Inbox,
    Schedule,
    Deliveries,
    Sentiment,
    Contacts,
    Accounts,
    Webhooks,
    Users,
}

impl Place {
    fn parts(self) -> (&'static str, Text, Icon) {
        match self {
            Place::Inbox => ("/", Text::Inbox, Icon::Inbox),
            Place::Schedule => ("/schedule", Text::Schedule, Icon::Calendar),
            Place::Deliveries => ("/deliveries", Text::Deliveries, Icon::Plane),
            Place::Sentiment => ("/sentiment", Text::Sentiment, Icon::Chart),
            Place::Contacts => ("/contacts", Text::Contacts, Icon::People),
            Place::Accounts => ("/accounts", Text::Accounts, Icon::Plug),
            Place::Webhooks => ("/webhooks", Text::Webhooks, Icon::Bolt),
            Place::Users => ("/users", Text::Users, Icon::Person),
        }
    }
}

/// How a page sits in the frame.
pub struct Page<'a> {
    pub place: Place,
    pub title: String,
    /// Kinds of events that make the page look again, separated by spaces.
    pub live: &'a str,
    pub narrow: bool,
}

/// A whole page with the navigation around `body`.
pub fn page(console: &Console, page: Page<'_>, body: Markup) -> Markup {
    let title = match (page.place, console.counts.open) {
        (Place::Inbox, open @ 1..) => format!("({}) {} · Muhatap", console.integer(open), page.title),
        _ => format!("{} · Muhatap", page.title),
    };
    html! {
        (DOCTYPE)
        html lang=(console.language.code()) {
            head { (head(&title)) meta name="csrf" content=(console.viewer.csrf.as_str()); }
            body data-live=(page.live) data-words=(script_words(&console.locale)) data-now=(console.now.as_millisecond()) {
                a.skip href="#main" { (console.t(Text::SkipToContent)) }
                div.frame {
                    header.side {
                        a.brand href="/" { (mark()) span { "Muhatap" } }
                        (navigation(console, page.place))
                        div.side-foot { (foot(console)) }
                    }
                    main #main tabindex="-1" {
                        div.inner.narrow[page.narrow] {
                            (stopped_banner(console))
                            @if let Some(notice) = console.notice { (notice.render(&console.locale)) }
                            (body)
                        }
                    }
                }
                div.live-state #live-lost hidden role="status" { (console.t(Text::LiveLost)) }
                div.visually-hidden #live-said aria-live="polite" {}
                (keyboard_help(console))
            }
        }
    }
}

/// A page without navigation: signing in, setting up, errors.
pub fn bare(locale: &Locale, title: Text, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(locale.language.code()) {
            head { (head(&format!("{} · Muhatap", locale.t(title)))) }
            body {
                div.bare {
                    main #main {
                        a.brand href="/" { (mark()) span { "Muhatap" } }
                        (body)
                    }
                }
            }
        }
    }
}

/// The page that tells of a problem, with the frame when it is known who looks.
pub fn problem_page(locale: &Locale, problem: &Problem) -> Markup {
    let title = if problem.status == 404 { Text::NotFoundTitle } else { Text::ProblemTitle };
    bare(
        locale,
        title,
        html! {
            div.card.stack {
                h1 { (locale.t(title)) }
                p dir="auto" { (said(locale, &problem.detail)) }
                @if let Some(step) = &problem.next_step { p.muted dir="auto" { (said(locale, step)) } }
                p { a.button href="/" { (locale.t(Text::BackToInbox)) } }
            }
        },
    )
}

fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) }
        link rel="icon" type="image/svg+xml" href=(assets::favicon());
        link rel="stylesheet" href=(assets::stylesheet());
        script src=(assets::script()) defer {}
    }
}

fn navigation(console: &Console, current: Place) -> Markup {
    let link = |place: Place, wide: bool| {
        let (href, text, picture) = place.parts();
        let badge = match place {
            Place::Inbox if console.counts.open > 0 => Some((console.counts.open, false)),
            Place::Deliveries if console.alerts > 0 => Some((console.alerts, true)),
            _ => None,
        };
        html! {
            a.wide[wide] href=(href) aria-current=[(place == current).then_some("page")] {
                (icon(picture))
                span { (console.t(text)) }
                @if let Some((count, alert)) = badge {
                    span.badge.alert[alert] {
                        @if count > 999 { "999+" } @else { (console.integer(count)) }
                    }
                }
            }
        }
    };
    let rest: &[Place] = match console.is_admin() {
        true => &[Place::Contacts, Place::Accounts, Place::Webhooks, Place::Users],
        false => &[Place::Contacts, Place::Accounts],
    };
    html! {
        nav.nav aria-label=(console.t(Text::Pages)) data-part="nav" {
            @for place in [Place::Inbox, Place::Schedule, Place::Deliveries, Place::Sentiment] { (link(place, false)) }
            div.gap {}
            @for place in rest { (link(*place, true)) }
            details.more.pop {
                summary { (icon(Icon::More)) span { (console.t(Text::More)) } }
                div.sheet {
                    @for place in rest { (link(*place, false)) }
                    div.foot { (foot(console)) }
                }
            }
        }
    }
}

fn foot(console: &Console) -> Markup {
    let other = match console.language {
        Language::Turkish => Language::English,
        Language::English => Language::Turkish,
    };
    html! {
        @if console.viewer.user.is_some() {
            span { (console.fill(Text::SignedInAs, &[&console.viewer.name])) }
        } @else {
            span { (console.t(Text::LocalUse)) }
        }
        div.row {
            form method="post" action="/language" {
                (console.viewer.csrf)
                input type="hidden" name="language" value=(other.code());
                input type="hidden" name="back" value=(console.here);
                button.link-button lang=(other.code()) { (console.t(Text::OtherLanguage)) }
            }
            button.link-button type="button" data-open-keys { (console.t(Text::KeyboardHelp)) }
            @if console.viewer.user.is_some() {
                form method="post" action="/logout" {
                    (console.viewer.csrf)
                    button.link-button { (console.t(Text::SignOut)) }
                }
            }
        }
    }
}

fn stopped_banner(console: &Console) -> Markup {
    html! {
        div data-part="stopped" {
            @if console.stopped_at.is_some() {
                div.stopped role="alert" {
                    (icon(Icon::Stop))
                    div.grow {
                        strong { (console.t(Text::SendingStopped)) }
                        p { (console.t(Text::SendingStoppedMore)) }
                    }
                    @if console.may_write() {
                        a.button href="/deliveries#stops" { (console.t(Text::ResumeSending)) }
                    }
                }
            }
        }
    }
}

fn keyboard_help(console: &Console) -> Markup {
    let keys: [(&[&str], Text); 9] = [
        (&["j"], Text::KeyNext),
        (&["k"], Text::KeyPrevious),
        (&["Enter"], Text::KeyOpen),
        (&["r"], Text::KeyReply),
        (&["e"], Text::KeyDone),
        (&["s"], Text::KeySnooze),
        (&["u"], Text::KeyBack),
        (&["/"], Text::KeySearch),
        (&["Ctrl", "Enter"], Text::KeySend),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (console.t(Text::KeyboardHelp)) }
            dl.keys {
                @for (names, text) in keys {
                    dt { @for name in names { kbd { (name) } } }
                    dd { (console.t(text)) }
                }
                dt { kbd { "?" } }
                dd { (console.t(Text::KeyHelp)) }
            }
            form method="dialog" { button.button { (console.t(Text::Close)) } }
        }
    }
}

/// The texts that the script needs to keep times and counters going.
fn script_words(locale: &Locale) -> String {
    serde_json::json!({
        "now": locale.t(Text::JustNow),
        "secondsAgo": locale.t(Text::SecondsAgo),
        "minutesAgo": locale.t(Text::MinutesAgo),
        "hoursAgo": locale.t(Text::HoursAgo),
        "daysAgo": locale.t(Text::DaysAgo),
        "inSeconds": locale.t(Text::InSeconds),
        "inMinutes": locale.t(Text::InMinutes),
        "inHours": locale.t(Text::InHours),
        "inDays": locale.t(Text::InDays),
        "sendingIn": locale.t(Text::SendingIn),
        "sendingSoon": locale.t(Text::SendingSoon),
        "newMentions": locale.t(Text::NewMentions),
        "lengthLeft": locale.t(Text::LengthLeft),
        "lengthOver": locale.t(Text::LengthOver),
        "lengthCounter": locale.t(Text::LengthCounter),
    })
    .to_string()
}

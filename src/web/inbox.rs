//! The inbox: who wrote, how they feel, what they want; filtered, searched, live.

use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;

use super::error::Problem;
use super::icons::{Icon, icon};
use super::layout::{Console, Page, Place, page};
use super::locale::{Language, Locale};
use super::parts::{
    ago, avatar, empty, intent_word, language_name, network_badge, network_name, options, sentiment_chip,
    sentiment_word, state_chip, topic_name, topic_of, urgency_chip, urgency_word,
};
use super::texts::Text;
use crate::analyze::Topic;
use crate::analyze::tokens::search_fold;
use crate::app::App;
use crate::model::{ConversationState, IntentLabel, MentionId, Network, SentimentLabel, UrgencyLevel};
use crate::store::StoreError;
use crate::store::accounts::Account;
use crate::store::inbox::{Assignee, DEFAULT_PAGE, MentionFilter, MentionRow, PageMark};
use crate::store::users::UserView;

/// Languages offered as a filter; any other can be asked for by its code in the address.
const LANGUAGES: [&str; 12] = ["tr", "en", "de", "fr", "es", "ar", "ru", "az", "ja", "zh", "ko", "und"];

/// Topics shown beside a mention in the list.
const MOST_TOPICS: usize = 3;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/", get(inbox))
}

/// The filters as they stand in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct InboxQuery {
    pub account: String,
    pub brand: String,
    pub network: String,
    pub language: String,
    pub sentiment: String,
    pub intent: String,
    /// A topic by its Turkish or English name.
    pub topic: String,
    pub urgency: String,
    /// `true` for what a person corrected, `false` for the rest.
    pub corrected: String,
    /// `open` unless said, `snoozed`, `done` or `all`.
    pub state: String,
    /// `none`, `me` or a user's id.
    pub assignee: String,
    pub author: String,
    pub contact: String,
    pub q: String,
    /// A day in the reader's zone, or an exact time.
    pub since: String,
    pub until: String,
    /// Where the page before ended: microseconds and id.
    pub before: String,
}

impl InboxQuery {
    /// What the store is asked, or which value cannot be read.
    pub fn filter(&self, console: &Console) -> Result<MentionFilter, Problem> {
        let assignee = match self.assignee.as_str() {
            "" => None,
            "none" => Some(Assignee::Nobody),
            "me" => Some(console.viewer.user.map_or(Assignee::Nobody, Assignee::User)),
            id => Some(Assignee::User(read("assignee", id)?)),
        };
        let state = match self.state.as_str() {
            "" => Some(ConversationState::Open),
            "all" => None,
            state => Some(read("state", state)?),
        };
        Ok(MentionFilter {
            account_id: maybe("account", &self.account)?,
            brand_id: maybe("brand", &self.brand)?,
            network: maybe("network", &self.network)?,
            language: (!self.language.is_empty()).then(|| self.language.clone()),
            sentiment: maybe("sentiment", &self.sentiment)?,
            intent: maybe("intent", &self.intent)?,
            topic: maybe("topic", &self.topic)?,
            urgency: maybe("urgency", &self.urgency)?,
            corrected: match self.corrected.as_str() {
                "" => None,
                "true" => Some(true),
                "false" => Some(false),
                value => {
                    let reason = format!("corrected: {value:?} is neither true nor false");
                    return Err(Problem::invalid("corrected", reason));
                }
            },
            state,
            assignee,
            author_id: maybe("author", &self.author)?,
            contact_id: maybe("contact", &self.contact)?,
            conversation_id: None,
            search: (!self.q.trim().is_empty()).then(|| self.q.trim().to_owned()),
            since: moment("since", &self.since, console, Edge::Start)?,
            until: moment("until", &self.until, console, Edge::End)?,
            before: mark(&self.before)?,
            limit: DEFAULT_PAGE,
        })
    }

    /// Every filter that is set, with its name in the address.
    fn pairs(&self) -> [(&'static str, &str); 16] {
        [
            ("state", &self.state),
            ("assignee", &self.assignee),
            ("account", &self.account),
            ("brand", &self.brand),
            ("network", &self.network),
            ("language", &self.language),
            ("sentiment", &self.sentiment),
            ("intent", &self.intent),
            ("topic", &self.topic),
            ("urgency", &self.urgency),
            ("corrected", &self.corrected),
            ("author", &self.author),
            ("contact", &self.contact),
            ("q", &self.q),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// The address of this list with some values changed (an empty one is left out).
    fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded();
        for (name, value) in self.pairs() {
            let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        for (name, value) in changes.iter().filter(|(name, value)| *name == "before" && !value.is_empty()) {
            query.append_pair(name, value);
        }
        address("/", &query.finish())
    }

    /// Whether anything but the tab narrows the list.
    fn is_narrowed(&self) -> bool {
        self.pairs().iter().any(|(name, value)| !matches!(*name, "state" | "assignee") && !value.is_empty())
    }
}

/// Every topic by its name in the reader's language, in the order of its alphabet.
fn topic_choices(console: &Console) -> Vec<(String, String)> {
    let mut choices: Vec<(String, String)> =
        Topic::all().iter().map(|topic| (topic.to_string(), topic_name(console, *topic).to_owned())).collect();
    choices.sort_by_cached_key(|(_, name)| search_fold(name));
    choices
}

fn form_urlencoded() -> url::form_urlencoded::Serializer<'static, String> {
    url::form_urlencoded::Serializer::new(String::new())
}

/// `path?query`, without the question mark where nothing is asked.
pub fn address(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Where the API gives a whole list as CSV, the way the reader's spreadsheet takes it.
pub fn csv(console: &Console, list: &str, filters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded();
    query.append_pair("format", "csv").append_pair("bom", "true");
    if console.language == Language::Turkish {
        // A comma is the decimal sign there.
        query.append_pair("separator", "semicolon");
    }
    for (name, value) in filters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    address(&format!("/api/v1/{list}"), &query.finish())
}

/// Reads a value of the address or of a form.
pub fn read<T: FromStr<Err = String>>(field: &str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|reason| Problem::invalid(field, format!("{field}: {reason}")))
}

/// [`read`], where nothing means nothing.
pub fn maybe<T: FromStr<Err = String>>(field: &str, value: &str) -> Result<Option<T>, Problem> {
    if value.is_empty() { Ok(None) } else { read(field, value).map(Some) }
}

enum Edge {
    Start,
    End,
}

/// A day in the reader's zone (until means the whole day), or an exact time.
fn moment(field: &str, value: &str, console: &Console, edge: Edge) -> Result<Option<Timestamp>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    if let Ok(day) = value.parse::<Date>()
        && value.len() == 10
    {
        let day = match edge {
            Edge::Start => day,
            Edge::End => day.saturating_add(1.day()),
        };
        return Ok(Some(console.start_of(day)));
    }
    value.parse().map(Some).map_err(|_| {
        Problem::invalid(field, format!("{field}: {value:?} is neither a day (2026-12-01) nor a time (RFC 3339)"))
    })
}

fn mark(value: &str) -> Result<Option<PageMark>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (micros, id) = value.split_once('-')?;
        let at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some(PageMark { at, id: id.parse::<MentionId>().ok()? })
    };
    read().map(Some).ok_or_else(|| Problem::invalid("before", "before: that is not a place in this list"))
}

async fn inbox(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<InboxQuery>,
) -> Result<Markup, Problem> {
    let filter = query.filter(&console)?;
    let (mentions, accounts, users) =
        tokio::try_join!(app.store.mentions(&filter), app.store.accounts(), app.store.users())?;
    let contact = match filter.contact_id {
        Some(id) => app.store.contact(id).await.map(|contact| Some(contact.name)).or_else(absent)?,
        None => None,
    };
    let list =
        List { console: &console, query: &query, mentions: &mentions, accounts: &accounts, users: &users, contact };
    let title = console.t(Text::Inbox).to_owned();
    Ok(page(
        &console,
        Page {
            place: Place::Inbox,
            title,
            live: "mention mention_edited mention_corrected mention_deleted conversation delivery account",
            narrow: false,
        },
        list.render(),
    ))
}

fn absent<T>(error: StoreError) -> Result<Option<T>, StoreError> {
    match error {
        StoreError::NotFound(_) => Ok(None),
        error => Err(error),
    }
}

struct List<'a> {
    console: &'a Console,
    query: &'a InboxQuery,
    mentions: &'a [MentionRow],
    accounts: &'a [Account],
    users: &'a [UserView],
    contact: Option<String>,
}

impl List<'_> {
    fn render(&self) -> Markup {
        let console = self.console;
        html! {
            div.page-head {
                h1 { (console.t(Text::Inbox)) }
                div.actions.inline {
                    a.button.quiet.small href=(self.csv()) download { (icon(Icon::Download)) (console.t(Text::Download)) }
                }
            }
            (self.tabs())
            (self.toolbar())
            (self.active_filters())
            button.new-bar #new-bar type="button" hidden aria-live="polite" {}
            (self.rows())
            (self.pager())
        }
    }

    fn csv(&self) -> String {
        let query = self.query;
        let state = match query.state.as_str() {
            "" => "open",
            "all" => "",
            state => state,
        };
        let me = self.console.viewer.user.map(|user| user.to_string()).unwrap_or_default();
        let assignee = if query.assignee == "me" { &me } else { &query.assignee };
        let [since, until] = [&query.since, &query.until].map(|value| value.as_str());
        let since = moment("since", since, self.console, Edge::Start).ok().flatten();
        let until = moment("until", until, self.console, Edge::End).ok().flatten();
        let [since, until] = [since, until].map(|at| at.map(|at| at.to_string()).unwrap_or_default());
        csv(
            self.console,
            "mentions",
            &[
                ("account_id", &query.account),
                ("brand_id", &query.brand),
                ("network", &query.network),
                ("language", &query.language),
                ("sentiment", &query.sentiment),
                ("intent", &query.intent),
                ("topic", &query.topic),
                ("urgency", &query.urgency),
                ("corrected", &query.corrected),
                ("state", state),
                ("assignee", assignee),
                ("author_id", &query.author),
                ("contact_id", &query.contact),
                ("search", query.q.trim()),
                ("since", &since),
                ("until", &until),
            ],
        )
    }

    fn tabs(&self) -> Markup {
        let console = self.console;
        let counts = &console.counts;
        let mut tabs =
            vec![(Text::Open, "", "", Some(counts.open)), (Text::TabUnassigned, "", "none", Some(counts.unassigned))];
        if console.viewer.user.is_some() {
            tabs.push((Text::Mine, "", "me", Some(counts.mine)));
        }
        tabs.extend([
            (Text::TabSnoozed, "snoozed", "", Some(counts.snoozed)),
            (Text::TabDone, "done", "", None),
            (Text::Any, "all", "", None),
        ]);
        html! {
            nav.tabs aria-label=(console.t(Text::FilterState)) data-part="tabs" {
                @for (text, state, assignee, count) in tabs {
                    @let current = self.query.state == state && self.query.assignee == assignee;
                    a href=(self.query.with(&[("state", state), ("assignee", assignee)]))
                        aria-current=[current.then_some("page")] {
                        (console.t(text))
                        @if let Some(count) = count.filter(|count| *count > 0) {
                            span.badge { (console.integer(count)) }
                        }
                    }
                }
            }
        }
    }

    fn toolbar(&self) -> Markup {
        let console = self.console;
        let set = self.set_filters().len();
        let all = (String::new(), console.t(Text::Any).to_owned());
        let choose = |name: &str, text: Text, chosen: &str, choices: Vec<(String, String)>| {
            let choices: Vec<_> = std::iter::once(all.clone()).chain(choices).collect();
            html! {
                label.field { span { (console.t(text)) } select name=(name) { (options(chosen, &choices)) } }
            }
        };
        let query = self.query;
        html! {
            form.toolbar method="get" action="/" role="search" data-short {
                input type="hidden" name="state" value=(query.state);
                @if !query.author.is_empty() { input type="hidden" name="author" value=(query.author); }
                @if !query.contact.is_empty() { input type="hidden" name="contact" value=(query.contact); }
                div.search {
                    (icon(Icon::Search))
                    input type="search" name="q" value=(query.q) placeholder=(console.t(Text::SearchMentions))
                        aria-label=(console.t(Text::SearchMentions)) autocomplete="off" dir="auto";
                    kbd aria-hidden="true" { "/" }
                }
                details.pop.filters {
                    summary.button {
                        (icon(Icon::Filter))
                        @if set > 0 { (console.fill(Text::FiltersOn, &[&console.integer(set as i64)])) }
                        @else { (console.t(Text::Filters)) }
                    }
                    div.panel {
                        div.filter-grid {
                            (choose("account", Text::FilterAccount, &query.account, self.account_choices()))
                            (choose("network", Text::FilterNetwork, &query.network, self.network_choices()))
                            (choose("sentiment", Text::FilterSentiment, &query.sentiment,
                                SentimentLabel::ALL.iter()
                                    .map(|label| (label.to_string(), console.t(sentiment_word(*label)).to_owned()))
                                    .collect()))
                            (choose("intent", Text::FilterIntent, &query.intent,
                                IntentLabel::ALL.iter()
                                    .map(|label| (label.to_string(), console.t(intent_word(*label)).to_owned()))
                                    .collect()))
                            (choose("topic", Text::FilterTopic, &query.topic, topic_choices(console)))
                            (choose("urgency", Text::FilterUrgency, &query.urgency,
                                [UrgencyLevel::High, UrgencyLevel::Raised].iter()
                                    .map(|level| (level.to_string(), console.t(urgency_word(*level)).to_owned()))
                                    .collect()))
                            (choose("corrected", Text::FilterCorrected, &query.corrected,
                                [("true", Text::CorrectedYes), ("false", Text::CorrectedNo)]
                                    .map(|(value, text)| (value.to_owned(), console.t(text).to_owned()))
                                    .to_vec()))
                            (choose("language", Text::FilterLanguage, &query.language,
                                LANGUAGES.iter().map(|code| ((*code).to_owned(), language_name(console, code))).collect()))
                            (choose("assignee", Text::FilterAssignee, &query.assignee, self.assignee_choices()))
                            label.field {
                                span { (console.t(Text::FilterSince)) }
                                input type="date" name="since" value=(day_of(&query.since));
                            }
                            label.field {
                                span { (console.t(Text::FilterUntil)) }
                                input type="date" name="until" value=(day_of(&query.until));
                            }
                        }
                        hr;
                        div.row.end {
                            a.button.quiet href=(InboxQuery { state: query.state.clone(), ..InboxQuery::default() }.with(&[])) {
                                (console.t(Text::ClearFilters))
                            }
                            button.button.primary { (console.t(Text::Apply)) }
                        }
                    }
                }
                button.visually-hidden { (console.t(Text::Search)) }
            }
        }
    }

    fn account_choices(&self) -> Vec<(String, String)> {
        self.accounts.iter().map(|account| (account.id.to_string(), account.name.clone())).collect()
    }

    fn network_choices(&self) -> Vec<(String, String)> {
        let mut networks: Vec<Network> = self.accounts.iter().map(|account| account.network).collect();
        networks.sort_by_key(|network| network.as_str());
        networks.dedup();
        networks
            .into_iter()
            .map(|network| (network.as_str().to_owned(), network_name(self.console, network).to_owned()))
            .collect()
    }

    fn assignee_choices(&self) -> Vec<(String, String)> {
        let nobody = ("none".to_owned(), self.console.t(Text::Unassigned).to_owned());
        let me = self.console.viewer.user.map(|_| ("me".to_owned(), self.console.t(Text::Mine).to_owned()));
        let users = self.users.iter().map(|user| (user.id.to_string(), user.name.clone()));
        std::iter::once(nobody).chain(me).chain(users).collect()
    }

    /// The filters beyond the tab, with the words a person knows them by.
    fn set_filters(&self) -> Vec<(&'static str, String)> {
        let (console, query) = (self.console, self.query);
        let named = |choices: Vec<(String, String)>, value: &str| {
            choices.into_iter().find(|(known, _)| known == value).map_or_else(|| value.to_owned(), |(_, name)| name)
        };
        let mut set = Vec::new();
        let mut add = |name: &'static str, value: &str, shown: String| {
            if !value.is_empty() {
                set.push((name, shown));
            }
        };
        add("account", &query.account, named(self.account_choices(), &query.account));
        let brand = self.accounts.iter().find(|account| account.brand_id.to_string() == query.brand);
        add("brand", &query.brand, brand.map_or_else(|| query.brand.clone(), |account| account.brand.clone()));
        add("network", &query.network, named(self.network_choices(), &query.network));
        let sentiment = query.sentiment.parse().map(|label| console.t(sentiment_word(label)));
        add("sentiment", &query.sentiment, sentiment.unwrap_or_default().to_owned());
        let intent = query.intent.parse().map(|label| console.t(intent_word(label)));
        add("intent", &query.intent, intent.unwrap_or_default().to_owned());
        let topic =
            query.topic.parse().map_or_else(|_| query.topic.clone(), |topic| topic_name(console, topic).to_owned());
        add("topic", &query.topic, topic);
        let urgency = query.urgency.parse().map(|level| console.t(urgency_word(level)));
        add("urgency", &query.urgency, urgency.unwrap_or_default().to_owned());
        let corrected = if query.corrected == "true" { Text::CorrectedYes } else { Text::CorrectedNo };
        add("corrected", &query.corrected, console.t(corrected).to_owned());
        add("language", &query.language, language_name(console, &query.language));
        let author = self.mentions.first().map(|mention| &mention.author);
        let author = author.map(|author| name_of(console, &author.display_name, &author.handle));
        add("author", &query.author, author.unwrap_or(console.t(Text::Author)).to_owned());
        add("contact", &query.contact, self.contact.clone().unwrap_or_else(|| console.t(Text::Contact).to_owned()));
        add("q", &query.q, format!("“{}”", query.q));
        let shown = |value: &str| match value.parse::<Timestamp>() {
            Ok(at) => console.short(at),
            Err(_) => value.parse::<Date>().map_or_else(|_| value.to_owned(), |day| console.short_date(day)),
        };
        add("since", &query.since, format!("≥ {}", shown(&query.since)));
        add("until", &query.until, format!("≤ {}", shown(&query.until)));
        if !matches!(query.assignee.as_str(), "" | "none" | "me") {
            set.push(("assignee", named(self.assignee_choices(), &query.assignee)));
        }
        set
    }

    fn active_filters(&self) -> Markup {
        let set = self.set_filters();
        html! {
            @if !set.is_empty() {
                div.active-filters {
                    @for (name, shown) in &set {
                        a.chip.accent href=(self.query.with(&[(name, "")])) {
                            span dir="auto" { (shown) }
                            (icon(Icon::Close))
                            span.visually-hidden { (self.console.t(Text::RemoveFilter)) }
                        }
                    }
                    @if set.len() > 1 {
                        a.small href=(InboxQuery { state: self.query.state.clone(), ..InboxQuery::default() }.with(&[])) {
                            (self.console.t(Text::ClearFilters))
                        }
                    }
                }
            }
        }
    }

    fn rows(&self) -> Markup {
        let console = self.console;
        html! {
            @if self.mentions.is_empty() {
                div.card data-part="mentions" { (self.nothing()) }
            } @else {
                ol.card.mentions data-part="mentions" aria-label=(console.t(Text::Mentions)) {
                    @for mention in self.mentions { (row(console, mention)) }
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        let console = self.console;
        let show_all = html! { a.button href="/?state=all" { (console.t(Text::ShowAll)) } };
        if self.accounts.is_empty() {
            let (title, body) = (console.t(Text::NoAccountsTitle), console.t(Text::NoAccountsBody));
            return empty(Icon::Plug, title, body, super::accounts::add_link(console));
        }
        if self.query.is_narrowed() || !self.query.before.is_empty() {
            let clear = html! { a.button href="/" { (console.t(Text::ClearFilters)) } };
            return empty(
                Icon::Search,
                console.t(Text::NothingMatchesTitle),
                console.t(Text::NothingMatchesBody),
                clear,
            );
        }
        let counts = &console.counts;
        if counts.open + counts.snoozed + counts.done == 0 {
            return empty(Icon::Inbox, console.t(Text::NothingYetTitle), console.t(Text::NothingYetBody), html! {});
        }
        match self.query.state.as_str() {
            "" | "open" => empty(Icon::Check, console.t(Text::AllDoneTitle), console.t(Text::AllDoneBody), show_all),
            _ => empty(Icon::Inbox, console.t(Text::NothingHereTitle), console.t(Text::NothingHereBody), show_all),
        }
    }

    fn pager(&self) -> Markup {
        let console = self.console;
        let next = (self.mentions.len() >= DEFAULT_PAGE).then(|| self.mentions.last()).flatten().map(|last| {
            let mark = last.mark();
            self.query.with(&[("before", &format!("{}-{}", mark.at.as_microsecond(), mark.id))])
        });
        html! {
            @if next.is_some() || !self.query.before.is_empty() {
                nav.pager aria-label=(console.t(Text::Pages)) {
                    @if self.query.before.is_empty() { span {} }
                    @else { a.button href=(self.query.with(&[])) { (icon(Icon::Left)) (console.t(Text::FirstPage)) } }
                    @if let Some(next) = next { a.button rel="next" href=(next) { (console.t(Text::Older)) (icon(Icon::Right)) } }
                }
            }
        }
    }
}

/// A display name, or the handle of someone without one.
pub fn name_of<'a>(locale: &Locale, display_name: &'a str, handle: &'a str) -> &'a str {
    let given = [display_name, handle].into_iter().find(|name| !name.trim().is_empty());
    given.unwrap_or_else(|| locale.t(Text::NoName))
}

fn day_of(value: &str) -> &str {
    if value.parse::<Date>().is_ok() && value.len() == 10 { value } else { "" }
}

/// One mention in a list.
fn row(console: &Console, mention: &MentionRow) -> Markup {
    let author = &mention.author;
    let name = name_of(console, &author.display_name, &author.handle);
    let mut class = format!("mention is-{}", mention.sentiment.label);
    let _ = write!(class, " is-{}", mention.conversation.state);
    html! {
        li class=(class) id=(format!("m-{}", mention.id)) data-conversation=(mention.conversation.id) {
            (avatar(name, ""))
            div {
                div.line {
                    a.open.who href=(format!("/mentions/{}", mention.id)) dir="auto" { (name) }
                    span.handle dir="ltr" { (handle(&author.handle)) }
                    (ago(console, mention.published_at))
                }
                @match &mention.text {
                    Some(text) => p.text dir="auto" { (text) },
                    None => p.text.erased { (console.t(Text::DeletedMention)) },
                }
                div.tags {
                    (sentiment_chip(console, mention.sentiment.label))
                    (urgency_chip(console, &mention.urgency))
                    @for intent in mention.intents.iter().filter(|intent| intent.label != IntentLabel::Other).take(2) {
                        span.chip { (console.t(intent_word(intent.label))) }
                    }
                    @for topic in mention.topics.iter().take(MOST_TOPICS) { span.chip.outline { (topic_of(console, topic)) } }
                    (state_chip(console, &mention.conversation))
                    @if let Some(assignee) = &mention.conversation.assignee {
                        span.chip.outline { (icon(Icon::Person)) (assignee.name) }
                    }
                    @if mention.language.code != console.language.code() && mention.language.code != "und" {
                        span { (language_name(console, &mention.language.code)) }
                    }
                    span.from { (network_badge(console, mention.network)) (mention.account.name) }
                }
            }
        }
    }
}

/// `@ayse@ornek.example`, whichever way the network writes it.
pub fn handle(handle: &str) -> String {
    if handle.is_empty() || handle.starts_with('@') || handle.contains(' ') {
        handle.to_owned()
    } else {
        format!("@{handle}")
    }
}

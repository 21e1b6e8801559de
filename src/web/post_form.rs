//! Writing a post: on which accounts, when, in which campaign, and how often.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawForm, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::auth::only_looks;
use super::calendar::zone_of;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice, Page, Place, page};
use super::locale::{Locale, from_local_field, is_too_far, meets_clock_change};
use super::parts::{avatar, empty, near_duplicate, network_badge};
use super::repeat_fields::{RepeatDraft, repeat_fields};
use super::texts::Text;
use crate::app::App;
use crate::campaigns::{self, BatchError, BatchPost, BatchRequest};
use crate::compose::{self, ComposeError, Confirmed};
use crate::live::Wake;
use crate::model::{AccountId, DeliveryId, RecurrenceId, new_ulid};
use crate::policy::has_visible;
use crate::quiet::QuietHours;
use crate::recurring;
use crate::store::accounts::Account;
use crate::store::deliveries::DeliveryView;
use crate::store::recurrences::NewRecurrence;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/schedule", post(schedule)).route("/schedule/new", get(write))
}

/// The form as it stands: what was typed stays, whatever is said of it.
#[derive(Debug, Default, Clone)]
struct Draft {
    accounts: Vec<AccountId>,
    text: String,
    /// Texts of single accounts that differ.
    own_texts: BTreeMap<AccountId, String>,
    at: String,
    campaign: String,
    repeat: RepeatDraft,
    key: String,
    confirm: Confirmed,
}

impl Draft {
    fn read(bytes: &[u8]) -> Result<Draft, Problem> {
        let mut draft = Draft::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "account" => draft.accounts.push(read("account", &value)?),
                "text" => draft.text = value.replace("\r\n", "\n"),
                "at" => draft.at = value.into_owned(),
                "campaign" => draft.campaign = value.trim().to_owned(),
                "key" => draft.key = value.into_owned(),
                name if read_confirmed(&mut draft.confirm, name, &value) => {}
                name => match name.strip_prefix("text-") {
                    Some(account) if !value.trim().is_empty() => {
                        draft.own_texts.insert(read("text", account)?, value.replace("\r\n", "\n"));
                    }
                    Some(_) => {}
                    None => draft.repeat.read(name, &value)?,
                },
            }
        }
        Ok(draft)
    }

    /// What goes out on the account.
    fn text_of(&self, account: AccountId) -> &str {
        self.own_texts.get(&account).unwrap_or(&self.text)
    }
}

/// The accounts that can publish, with their quiet hours.
struct Able {
    accounts: Vec<Account>,
    quiet: BTreeMap<AccountId, QuietHours>,
}

impl Able {
    async fn load(app: &App) -> Result<Able, Problem> {
        let (mut accounts, quiet) = tokio::try_join!(app.store.accounts(), app.store.all_quiet_hours())?;
        accounts.retain(|account| super::can_publish(account.network));
        Ok(Able { accounts, quiet: quiet.into_iter().collect() })
    }
}

/// Why a post was not planned or changed; a question is answered by sending the form again.
pub enum Trouble {
    Said(String),
    NearDuplicate { earlier: Option<Box<DeliveryView>> },
    PersonalData,
}

impl Trouble {
    pub fn status(&self) -> StatusCode {
        match self {
            Trouble::Said(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Trouble::NearDuplicate { .. } | Trouble::PersonalData => StatusCode::CONFLICT,
        }
    }
}

async fn write(console: Console, State(app): State<Arc<App>>) -> Result<Markup, Problem> {
    if !console.may_write() {
        return Err(only_looks());
    }
    let able = Able::load(&app).await?;
    let soon = console.now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(console.now);
    let zone = able.accounts.first().map_or_else(|| console.timezone.clone(), |account| zone_of(&console, account));
    let draft = Draft {
        accounts: able.accounts.first().map(|account| account.id).into_iter().collect(),
        at: Locale { timezone: zone, ..console.locale.clone() }.local_field(soon),
        key: new_ulid(console.now).to_string(),
        ..Draft::default()
    };
    Ok(form(&console, &able, &draft, None))
}

async fn schedule(console: Console, State(app): State<Arc<App>>, RawForm(bytes): RawForm) -> Result<Response, Problem> {
    let mut draft = Draft::read(&bytes)?;
    let able = Able::load(&app).await?;
    let refused = |draft: &Draft, trouble: Trouble| {
        (trouble.status(), form(&console, &able, draft, Some(trouble))).into_response()
    };
    let chosen: Vec<&Account> = able.accounts.iter().filter(|account| draft.accounts.contains(&account.id)).collect();
    let due = match foreseen(&app, &console, &draft, &chosen).await {
        Ok(due) => due,
        Err(said) => return Ok(refused(&draft, Trouble::Said(said))),
    };
    let planned = match draft.repeat.is_on() {
        true => repeat(&app, &console, &draft, &chosen, &due).await,
        false => plan(&app, &console, &draft, &chosen, &due).await,
    };
    match planned {
        Ok(leads_to) => {
            app.live.wake(Wake::Outbox);
            Ok(Redirect::to(&leads_to).into_response())
        }
        Err(Refused::Said(said)) => Ok(refused(&draft, Trouble::Said(said))),
        Err(Refused::Compose(error)) => {
            if let ComposeError::KeyReused(_) = error {
                draft.key = new_ulid(console.now).to_string();
            }
            let trouble = trouble_of(&console, error, &mut draft.confirm).await?;
            Ok(refused(&draft, trouble))
        }
        Err(Refused::Problem(problem)) => Err(problem),
    }
}

/// Everything that can be seen beforehand, for every account, before the first post is planned: when each is due, or what
/// is wrong.
async fn foreseen(app: &App, console: &Console, draft: &Draft, chosen: &[&Account]) -> Result<Vec<Timestamp>, String> {
    if chosen.is_empty() {
        return Err(console.t(Text::PostAccountsMissing).to_owned());
    }
    let mut due = Vec::with_capacity(chosen.len());
    for account in chosen {
        let text = draft.text_of(account.id);
        if !has_visible(text) {
            return Err(console.t(Text::PostEmpty).to_owned());
        }
        let zone = zone_of(console, account);
        let Some(at) = from_local_field(&draft.at, &zone) else {
            return Err(bad_time(console, &draft.at, &zone));
        };
        // What repeats has a rule for such days.
        if !draft.repeat.is_on() && meets_clock_change(&draft.at, &zone) {
            return Err(console.t(Text::PostClockChanges).to_owned());
        }
        if at.as_second() < console.now.as_second() - 60 {
            return Err(console.t(Text::PostPastTime).to_owned());
        }
        if let Ok(length) = compose::measure(app, account.id, text).await
            && !length.fits()
        {
            let number = |count: usize| console.integer(i64::try_from(count).unwrap_or(i64::MAX));
            return Err(console.fill(Text::PostTooLong, &[&account.name, &number(length.used), &number(length.limit)]));
        }
        due.push(at);
    }
    Ok(due)
}

/// Why the posts of a form were not planned.
enum Refused {
    Said(String),
    Compose(ComposeError),
    Problem(Problem),
}

impl From<ComposeError> for Refused {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

/// Plans one post for each account; answers where to go on.
async fn plan(
    app: &App,
    console: &Console,
    draft: &Draft,
    chosen: &[&Account],
    due: &[Timestamp],
) -> Result<String, Refused> {
    let posts = chosen.iter().zip(due).map(|(account, at)| BatchPost {
        account_id: account.id,
        text: draft.text_of(account.id).to_owned(),
        due_at: Some(*at),
        expires_at: None,
    });
    let request = BatchRequest {
        campaign: (!draft.campaign.is_empty()).then(|| draft.campaign.clone()),
        posts: posts.collect(),
        author: console.viewer.actor.clone(),
        key: Some(draft.key.clone()),
        confirm: draft.confirm,
    };
    let (campaign, deliveries) = campaigns::post(app, request).await.map_err(|error| match error {
        BatchError::Post { error, .. } => Refused::Compose(error),
        BatchError::Invalid { reason, .. } => Refused::Said(console.said(&reason)),
        error => Refused::Problem(error.into()),
    })?;
    let notice = match deliveries.iter().any(|delivery| delivery.wanted_at.is_some()) {
        true => Notice::SCHEDULED_AFTER_QUIET,
        false => Notice::SCHEDULED,
    };
    if let Some(id) = campaign {
        return Ok(notice.on(&format!("/schedule/campaigns/{id}")));
    }
    let day = deliveries.last().map_or(console.today(), |delivery| console.zoned(delivery.due_at).date());
    Ok(notice.on(&format!("/schedule?month={:04}-{:02}#day-{day}", day.year(), day.month())))
}

/// When the accounts of one zone publish first, and what.
type Clock = (Timestamp, Vec<(AccountId, String)>);

/// Starts a recurring post for the accounts of each zone; answers where to go on.
async fn repeat(
    app: &App,
    console: &Console,
    draft: &Draft,
    chosen: &[&Account],
    due: &[Timestamp],
) -> Result<String, Refused> {
    let mut zones: BTreeMap<&str, Clock> = BTreeMap::new();
    for (account, at) in chosen.iter().zip(due) {
        let (_, texts) = zones.entry(&account.timezone).or_insert((*at, Vec::new()));
        texts.push((account.id, draft.text_of(account.id).to_owned()));
    }
    let mut made: Option<RecurrenceId> = None;
    let count = zones.len();
    for (timezone, (at, texts)) in zones {
        let zone = TimeZone::get(timezone).unwrap_or_else(|_| console.timezone.clone());
        let rule = draft.repeat.rule(console, &at.to_zoned(zone)).map_err(Refused::Said)?;
        let new = NewRecurrence { rule, missed: draft.repeat.missed, texts };
        let key = format!("{}-{timezone}", draft.key);
        let who = console.viewer.actor.as_str();
        made = Some(recurring::start(app, new, Some(&key), draft.confirm, who).await?.id);
    }
    Ok(Notice::RECURRENCE_STARTED.on(&match made.filter(|_| count == 1) {
        Some(id) => format!("/schedule/recurring/{id}"),
        None => "/schedule/recurring".to_owned(),
    }))
}

/// What a person can mend in the form, or confirm by sending it again; anything else is a problem of its own.
pub async fn trouble_of(console: &Console, error: ComposeError, confirm: &mut Confirmed) -> Result<Trouble, Problem> {
    Ok(match error {
        ComposeError::NearDuplicate { earlier, .. } => {
            confirm.duplicate = true;
            Trouble::NearDuplicate { earlier: look_up(&console.app, earlier).await.map(Box::new) }
        }
        ComposeError::PersonalData(_) => {
            confirm.personal_data = true;
            Trouble::PersonalData
        }
        ComposeError::KeyReused(_) => Trouble::Said(console.t(Text::ReplyKeyReused).to_owned()),
        ComposeError::Empty => Trouble::Said(console.t(Text::PostEmpty).to_owned()),
        ComposeError::Invalid(reason) | ComposeError::Refused { reason, .. } => Trouble::Said(console.said(&reason)),
        ComposeError::TooLong(length) => Trouble::Said(console.said(&ComposeError::TooLong(length).to_string())),
        error => return Err(error.into()),
    })
}

async fn look_up(app: &App, id: DeliveryId) -> Option<DeliveryView> {
    app.store.delivery(id).await.ok()
}

fn form(console: &Console, able: &Able, draft: &Draft, trouble: Option<Trouble>) -> Markup {
    let accounts = &able.accounts;
    let body = html! {
        a.back href="/schedule" { (icon(Icon::Left)) (console.t(Text::Schedule)) }
        div.page-head { h1 { (console.t(Text::NewPost)) } }
        @if accounts.is_empty() {
            div.card { (empty(Icon::Plug, console.t(Text::NewPost), console.t(Text::NoAccountCanPost), html! {})) }
        } @else {
            form.compose method="post" action="/schedule" {
                (console.viewer.csrf)
                input type="hidden" name="key" value=(draft.key);
                (confirmed_fields(draft.confirm))
                div.card.pad.stack {
                    @if let Some(trouble) = &trouble { (told(console, trouble)) }
                    fieldset.stack.tight {
                        legend.label { (console.t(Text::PostAccounts)) }
                        @for account in accounts {
                            (account_choice(console, account, able.quiet.get(&account.id), draft.accounts.contains(&account.id)))
                        }
                        @if accounts.len() > 1 { p.hint { (console.t(Text::PostAccountsHint)) } }
                    }
                    label.field {
                        span { (console.t(Text::PostText)) }
                        textarea #post-text name="text" rows="6" dir="auto" required maxlength="100000" data-measured
                            { "\n" (draft.text) }
                    }
                    label.field {
                        span { (console.t(Text::PostWhen)) }
                        input type="datetime-local" name="at" required value=(draft.at);
                        @let zone = accounts.iter().find(|account| draft.accounts.contains(&account.id))
                            .map(|account| Locale::zone_name(&zone_of(console, account), console.now));
                        span.hint #post-zone data-text=(console.t(Text::PostZone)) {
                            @if let Some(zone) = zone { (console.fill(Text::PostZone, &[&zone])) }
                        }
                    }
                    @if accounts.len() > 1 { (own_texts(console, accounts, draft)) }
                    (repeat_fields(console, &draft.repeat, false))
                    label.field {
                        span { (console.t(Text::CampaignName)) }
                        input type="text" name="campaign" value=(draft.campaign) maxlength="100" autocomplete="off" dir="auto";
                        span.hint { (console.t(Text::CampaignNameHint)) }
                    }
                    div.row.end {
                        a.button.quiet href="/schedule" { (console.t(Text::Cancel)) }
                        button.button.primary { (icon(Icon::Calendar)) (console.t(Text::SchedulePost)) }
                    }
                }
                (preview(console, accounts, draft))
            }
        }
    };
    page(
        console,
        Page { place: Place::Schedule, title: console.t(Text::NewPost).to_owned(), live: "", narrow: false },
        body,
    )
}

/// A text of its own for each chosen account, where it differs.
fn own_texts(console: &Console, accounts: &[Account], draft: &Draft) -> Markup {
    html! {
        @for account in accounts {
            details data-for-account=(account.id) hidden[!draft.accounts.contains(&account.id)]
                open[draft.own_texts.contains_key(&account.id)] {
                summary { (console.fill(Text::OwnText, &[&account.name])) }
                label.field {
                    span.visually-hidden { (console.fill(Text::OwnText, &[&account.name])) }
                    textarea name=(format!("text-{}", account.id)) rows="4" dir="auto" maxlength="100000"
                        { "\n" (draft.own_texts.get(&account.id).map(String::as_str).unwrap_or_default()) }
                    span.hint { (console.t(Text::OwnTextHint)) }
                }
            }
        }
    }
}

/// What was warned of, to be confirmed by sending the form again.
pub fn confirmed_fields(confirm: Confirmed) -> Markup {
    let yes = |confirmed: bool| if confirmed { "yes" } else { "" };
    html! {
        input type="hidden" name="confirm_duplicate" value=(yes(confirm.duplicate));
        input type="hidden" name="confirm_personal_data" value=(yes(confirm.personal_data));
    }
}

/// Takes one field of [`confirmed_fields`]; whether it is one of them.
pub fn read_confirmed(confirm: &mut Confirmed, name: &str, value: &str) -> bool {
    let field = match name {
        "confirm_duplicate" => &mut confirm.duplicate,
        "confirm_personal_data" => &mut confirm.personal_data,
        _ => return false,
    };
    *field = value == "yes";
    true
}

/// Why a time that was typed names no moment.
pub fn bad_time(console: &Console, value: &str, zone: &TimeZone) -> String {
    let text = if is_too_far(value, zone) { Text::PostTooFar } else { Text::PostBadTime };
    console.t(text).to_owned()
}

pub fn told(console: &Console, trouble: &Trouble) -> Markup {
    let anyway = html! { div.row { button.button.small { (console.t(Text::ScheduleAnyway)) } } };
    html! {
        @match trouble {
            Trouble::Said(said) => div.notice.error role="alert" { (icon(Icon::Alert)) p.grow dir="auto" { (said) } },
            Trouble::NearDuplicate { earlier } => div.notice.warning role="alert" {
                (icon(Icon::Alert))
                div.grow {
                    (near_duplicate(console, earlier.as_deref()))
                    (anyway)
                }
            },
            Trouble::PersonalData => div.notice.warning role="alert" {
                (icon(Icon::Alert))
                div.grow {
                    p { strong { (console.t(Text::PersonalDataTitle)) } }
                    p { (console.t(Text::PersonalDataAsk)) }
                    (anyway)
                }
            },
        }
    }
}

fn account_choice(console: &Console, account: &Account, quiet: Option<&QuietHours>, chosen: bool) -> Markup {
    let zone = Locale::zone_name(&zone_of(console, account), console.now);
    html! {
        label.check {
            input type="checkbox" name="account" value=(account.id) checked[chosen] data-post-account data-zone=(zone);
            (network_badge(console, account.network))
            span.grow { (account.name) @if let Some(handle) = &account.handle { " " span.small.muted dir="ltr" { (super::inbox::handle(handle)) } } }
            @if let Some(quiet) = quiet {
                @let end = format!("{:02}:{:02}", quiet.until.hour(), quiet.until.minute());
                span.small.muted { (console.fill(Text::QuietAhead, &[&quiet.to_string(), &end])) }
            }
            @if account.paused_at.is_some() { span.chip.warning { (console.t(Text::Paused)) } }
            span.counter data-counter data-account=(account.id) data-for-account=(account.id) hidden[!chosen] aria-live="polite" {}
        }
    }
}

fn preview(console: &Console, accounts: &[Account], draft: &Draft) -> Markup {
    let first = accounts.iter().find(|account| draft.accounts.contains(&account.id)).or(accounts.first());
    html! {
        section.card.preview aria-label=(console.t(Text::Preview)) {
            h2 { (console.t(Text::Preview)) }
            @if let Some(account) = first {
                div.post {
                    div.person {
                        (avatar(&account.name, ""))
                        div {
                            strong { (account.name) }
                            @if let Some(handle) = &account.handle { div.small.muted dir="ltr" { (super::inbox::handle(handle)) } }
                        }
                    }
                    p.body #preview-body dir="auto" data-empty=(console.t(Text::PreviewEmpty)) {
                        @if draft.text.is_empty() { (console.t(Text::PreviewEmpty)) } @else { (draft.text) }
                    }
                }
            }
            p.hint { (console.t(Text::PreviewHint)) }
            @for account in accounts {
                div.meter data-for-account=(account.id) hidden[!draft.accounts.contains(&account.id)] {
                    span.small.row { (network_badge(console, account.network)) (account.name)
                        span.counter.push data-counter data-account=(account.id) {} }
                    meter data-account=(account.id) min="0" max="1" value="0" aria-label=(account.name) {}
                }
            }
        }
    }
}

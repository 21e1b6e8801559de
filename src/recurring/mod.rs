//! Recurring posts: makes their dated occurrences ahead of time, each an ordinary post with a delivery and a key of its
//! own, so that one made twice is still one, whichever process makes it.
//!
//! Occurrences that nobody could make in time are never sent together: they
//! are passed over, or held until a person decides.

mod rule;

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tracing::{error, info, warn};
use utoipa::ToSchema;

pub use rule::{Rule, weekday};

use crate::app::App;
use crate::compose::{self, ComposeError, Confirmed, PostRequest};
use crate::live::Wake;
use crate::model::{Missed, RecurrenceId};
use crate::store::StoreError;
use crate::store::enqueue::{Occurrence, Origin};
use crate::store::recurrences::{NewRecurrence, Progress, RecurrenceAccount, RecurrenceView};

/// How far ahead occurrences are made: a whole page of the calendar and a few days, so that a person can move or cancel
/// each one by itself and the near-duplicate warning knows of it. What lies further is foreseen from the rule alone,
/// since its text and the zone's clock may still change.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(35 * 24);
/// Missed dates that a person is asked about at most; older ones are passed over.
const ASKED_ABOUT: usize = 31;
/// Recurring posts looked at in one round.
const A_ROUND: i64 = 200;
/// The horizon moves by the day: an hour is soon enough.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// After an occurrence that could not be made.
const TRY_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A recurring post after a change, and what the change did to the occurrences that were planned.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChangedRecurrence {
    #[serde(flatten)]
    pub recurrence: RecurrenceView,
    /// Taken back; the rule makes those anew whose dates it still has.
    pub replaced: usize,
    /// A person had moved them, or quiet hours to beyond this moment: they keep their time, with the new text.
    pub kept: usize,
}

/// Makes what is missing of every recurring post whose time to be looked at has come; answers how many occurrences.
pub async fn round(app: &App, now: Timestamp) -> Result<usize, StoreError> {
    let mut made = 0;
    for id in app.store.due_recurrences(now, A_ROUND).await? {
        match make(app, id, now).await {
            Ok(count) => made += count,
            Err(error) if error.is_passing() => return Err(error),
            // The others go on.
            Err(error) => {
                error!(recurrence.id = %id, %error, "a recurring post cannot be looked at; it is tried again")
            }
        }
    }
    if made > 0 {
        info!(occurrences = made, "occurrences of recurring posts made");
    }
    Ok(made)
}

/// Starts a recurring post and makes its first occurrences, or says why not. The same key twice is the same one.
pub async fn start(
    app: &App,
    new: NewRecurrence,
    key: Option<&str>,
    confirm: Confirmed,
    who: &str,
) -> Result<RecurrenceView, ComposeError> {
    let known = match key {
        Some(key) => app.store.recurrence_of_key(key).await?,
        None => None,
    };
    let new = match known {
        // Its own occurrences are no reason to warn of it.
        Some(id) => checked(app, new, Some(id), confirm).await?,
        None => checked(app, new, None, confirm).await?,
    };
    let id = app.store.add_recurrence(&new, key, who).await?;
    made_at_once(app, id).await
}

/// Changes a recurring post from the next occurrence that was not called yet on, or says why not. What a person moved, and
/// what already waits for the end of quiet hours, keeps its time; what a person cancelled stays so.
pub async fn change(
    app: &App,
    id: RecurrenceId,
    new: NewRecurrence,
    confirm: Confirmed,
    who: &str,
) -> Result<ChangedRecurrence, ComposeError> {
    let new = checked(app, new, Some(id), confirm).await?;
    let late_limit = (new.missed == Missed::Skip).then(|| late_limit(app));
    let rewritten = new.texts.iter().map(|(account, text)| compose::rewritten(*account, text, late_limit));
    let rewritten: Vec<_> = rewritten.collect();
    let changed = app.store.change_recurrence(id, &new, &rewritten, who).await?;
    let recurrence = made_at_once(app, id).await?;
    Ok(ChangedRecurrence { recurrence, replaced: changed.replaced, kept: changed.kept })
}

/// Takes back what is to come and makes nothing more, until it is resumed.
pub async fn pause(app: &App, id: RecurrenceId, who: &str) -> Result<RecurrenceView, StoreError> {
    app.store.pause_recurrence(id, who).await?;
    seen(app, id).await
}

/// Goes on after a pause, from now on.
pub async fn resume(app: &App, id: RecurrenceId, who: &str) -> Result<RecurrenceView, StoreError> {
    app.store.resume_recurrence(id, who).await?;
    make(app, id, app.store.clock()).await?;
    seen(app, id).await
}

/// Ends a recurring post and cancels whatever of it was not called yet.
pub async fn end(app: &App, id: RecurrenceId, who: &str) -> Result<RecurrenceView, StoreError> {
    app.store.end_recurrence(id, who).await?;
    seen(app, id).await
}

/// Refuses what has no dates to come, what an account could not publish, and, until it is confirmed, personal data and what
/// is nearly the same as another post of its day; `own` are the occurrences that do not count as another.
async fn checked(
    app: &App,
    mut new: NewRecurrence,
    own: Option<RecurrenceId>,
    confirm: Confirmed,
) -> Result<NewRecurrence, ComposeError> {
    new.rule.check().map_err(ComposeError::Invalid)?;
    if new.texts.is_empty() {
        return Err(ComposeError::Invalid("a recurring post needs an account; name at least one".into()));
    }
    let now = app.store.clock();
    let Some((_, first)) = new.rule.moments(now).next() else {
        return Err(ComposeError::Invalid("its last date has passed; choose a later end".into()));
    };
    let ahead =
        new.rule.moments(now).map(|(_, at)| at).take_while(|at| *at <= first.max(horizon(now))).collect::<Vec<_>>();
    for index in 0..new.texts.len() {
        let (account, text) = &new.texts[index];
        if new.texts[..index].iter().any(|(earlier, _)| earlier == account) {
            return Err(ComposeError::Invalid(format!("account {account} is named twice; name it once")));
        }
        let text = compose::foresee(app, *account, text, &ahead, own, confirm).await?;
        new.texts[index].1 = text;
    }
    Ok(new)
}

async fn made_at_once(app: &App, id: RecurrenceId) -> Result<RecurrenceView, ComposeError> {
    make(app, id, app.store.clock()).await?;
    Ok(seen(app, id).await?)
}

async fn seen(app: &App, id: RecurrenceId) -> Result<RecurrenceView, StoreError> {
    app.live.wake(Wake::Outbox);
    app.live.wake(Wake::Events);
    app.store.recurrence(id).await
}

/// Makes the occurrences of one recurring post up to the horizon; answers how many are new or were there already.
pub async fn make(app: &App, id: RecurrenceId, now: Timestamp) -> Result<usize, StoreError> {
    let recurrence = app.store.recurrence(id).await?;
    if recurrence.paused_at.is_some() || recurrence.ended_at.is_some() {
        return Ok(0);
    }
    let mut made = 0;
    let mut wait = LOOK_AGAIN;
    for account in &recurrence.accounts {
        let Some((progress, count)) = make_for(app, &recurrence, account, now).await? else { return Ok(made) };
        made += count;
        if let Some(problem) = &progress.problem {
            warn!(recurrence.id = %id, account.id = %account.account_id, problem, "an occurrence cannot be made");
            wait = TRY_AGAIN;
        }
        app.store.note_progress(&recurrence, account, &progress).await?;
    }
    app.store.look_again_at(&recurrence, now + wait).await?;
    Ok(made)
}

/// Nothing when the recurring post was changed meanwhile.
async fn make_for(
    app: &App,
    recurrence: &RecurrenceView,
    account: &RecurrenceAccount,
    now: Timestamp,
) -> Result<Option<(Progress, usize)>, StoreError> {
    let hours = app.store.quiet_hours(account.account_id).await?;
    let zone = TimeZone::get(&app.store.account(account.account_id).await?.timezone).unwrap_or(TimeZone::UTC);
    let goes_at = |due_at| hours.and_then(|hours| hours.end_after(due_at, &zone)).unwrap_or(due_at);
    let dates = missing(recurrence, account, goes_at, now);
    let late_limit = SignedDuration::try_from(app.config.delivery.post_late).unwrap_or(SignedDuration::MAX);
    let missed = dates.iter().take_while(|(_, due_at)| now.duration_since(goes_at(*due_at)) > late_limit).count();
    let passed_over = match recurrence.missed {
        Missed::Skip => missed,
        Missed::Ask => missed.saturating_sub(ASKED_ABOUT),
    };
    let (over, to_make) = dates.split_at(passed_over);
    let mut progress = Progress {
        made_through: over.last().map(|(date, _)| *date).or(account.made_through),
        skipped: i64::try_from(over.len()).unwrap_or(i64::MAX),
        problem: None,
    };
    let mut made = 0;
    for (date, due_at) in to_make {
        match compose::post(app, occurrence(app, recurrence, account, *date, *due_at)).await {
            // Another text under its key: it was called before the text was changed.
            Ok(_) | Err(ComposeError::KeyReused(_)) => {
                made += 1;
                progress.made_through = Some(*date);
            }
            Err(ComposeError::Store(StoreError::Conflict(_))) => return Ok(None),
            Err(ComposeError::Store(error)) => return Err(error),
            // Its dates wait for a person; the other accounts go on.
            Err(error) => {
                progress.problem = Some(error.to_string());
                break;
            }
        }
    }
    Ok(Some((progress, made)))
}

/// The dates up to the horizon that were not looked at yet, without those that went out before the last change or in a
/// pause; `goes_at` says when what is due goes out.
fn missing(
    recurrence: &RecurrenceView,
    account: &RecurrenceAccount,
    goes_at: impl Fn(Timestamp) -> Timestamp,
    now: Timestamp,
) -> Vec<(Date, Timestamp)> {
    let rule = &recurrence.rule;
    let start = match account.made_through {
        Some(date) => date.tomorrow(),
        None => recurrence.effective_at.to_zoned(rule.zone()).date().yesterday(),
    };
    let Ok(start) = start else { return Vec::new() };
    rule.dates(start)
        .filter_map(|date| Some((date, rule.moment(date)?)))
        .take_while(|(_, due_at)| *due_at <= horizon(now))
        .filter(|(_, due_at)| *due_at >= recurrence.effective_at && goes_at(*due_at) >= recurrence.changed_at)
        .collect()
}

fn occurrence(
    app: &App,
    recurrence: &RecurrenceView,
    account: &RecurrenceAccount,
    date: Date,
    due_at: Timestamp,
) -> PostRequest {
    let limit = late_limit(app);
    PostRequest {
        key: Some(format!("{}{date}", key_before(recurrence.id))),
        due_at: Some(due_at),
        expires_at: (recurrence.missed == Missed::Skip).then(|| due_at.saturating_add(limit).unwrap_or(due_at)),
        // Who made the rule was asked.
        confirm: Confirmed { duplicate: true, personal_data: true },
        origin: Origin {
            occurrence: Some(Occurrence { recurrence: recurrence.id, revision: recurrence.revision }),
            ..Origin::default()
        },
        ..PostRequest::new(account.account_id, account.text.as_str(), recurrence.author.as_str())
    }
}

/// To be skipped is to expire when it may be late no longer.
fn late_limit(app: &App) -> Duration {
    app.config.delivery.post_late.max(Duration::from_secs(1))
}

/// What the keys of a recurring post's occurrences begin with; their date follows.
fn key_before(id: RecurrenceId) -> String {
    format!("recurring:{id}:")
}

/// The date that an occurrence was made for, by its key; nothing for one that was taken back with its recurring post, whose
/// key goes on.
pub fn date_of(id: RecurrenceId, key: &str) -> Option<Date> {
    key.strip_prefix(&key_before(id))?.parse().ok()
}

fn horizon(now: Timestamp) -> Timestamp {
    now.saturating_add(HORIZON).unwrap_or(now)
}

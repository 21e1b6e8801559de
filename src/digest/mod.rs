//! Digests: what was said and what waits, as a mail to each reader on the dates of `[digest]`.
//!
//! Each date is one occurrence with a key of its own, like that of a recurring post: whichever process makes it, and
//! however often it starts again, a reader gets one. What a digest tells begins where the one before ended.

mod words;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use muhatap_connectors::networks::mail::Mail;
use tracing::info;

use crate::app::App;
use crate::config::DigestConfig;
use crate::live::Wake;
use crate::model::{Frequency, Weekday};
use crate::recurring::Rule;
use crate::store::StoreError;
use crate::store::digest::Digest;
use crate::telling;

/// A digest that nobody could make for so long after its time is left out; the next one tells of its time too.
const LATEST: SignedDuration = SignedDuration::from_hours(12);
/// So far back a digest begins at most, in days: a weekly one and a day.
const LONGEST_DAYS: i32 = 8;
/// The first digest tells of a day at least, which a change of the clock may shorten.
const SHORTEST: SignedDuration = SignedDuration::from_hours(22);

/// A digest as it is sent, or would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Edition {
    pub digest: Digest,
    pub subject: String,
    pub text: String,
}

impl DigestConfig {
    /// When digests are sent: `zone` is the console's, where the section names none.
    pub fn rule(&self, zone: &str) -> Rule {
        let weekdays = if self.days.is_empty() { Weekday::ALL.to_vec() } else { self.days.clone() };
        Rule {
            frequency: Frequency::Weekly,
            weekdays,
            day: None,
            time: self.at,
            timezone: self.timezone.clone().unwrap_or_else(|| zone.to_owned()),
            from: Date::MIN,
            until: None,
            times: None,
        }
    }
}

/// Makes the mails of the latest date that are not made yet; answers how many.
pub async fn round(app: &App, now: Timestamp) -> Result<usize, StoreError> {
    let Some(config) = &app.config.digest else { return Ok(0) };
    let rule = config.rule(&app.config.console.timezone);
    let Some((date, due_at)) = before(&rule, now).into_iter().next_back() else { return Ok(0) };
    if now.duration_since(due_at) > LATEST {
        return Ok(0);
    }
    let made = app.store.digested(date, &config.to).await?;
    let missing: Vec<&String> = config.to.iter().filter(|reader| !made.contains(reader)).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let account = app.store.account_by_name(telling::EMAIL).await?.id;
    let edition = edition(app, config, &rule, due_at, now).await?;
    let mut sent = 0;
    for to in missing {
        let mail = Mail { to: to.clone(), subject: edition.subject.clone(), text: edition.text.clone() };
        sent += usize::from(app.store.send_digest(account, date, to, &mail.to_json(), now).await?);
    }
    if sent > 0 {
        info!(mails = sent, "the digest is on its way");
        app.live.wake(Wake::Outbox);
        app.live.wake(Wake::Events);
    }
    Ok(sent)
}

/// What a digest would tell if it were sent at `now`; nothing where no `[digest]` is set.
pub async fn preview(app: &App, now: Timestamp) -> Result<Option<Edition>, StoreError> {
    let Some(config) = &app.config.digest else { return Ok(None) };
    let rule = config.rule(&app.config.console.timezone);
    edition(app, config, &rule, now, now).await.map(Some)
}

/// The next time a digest is sent.
pub fn next(config: &DigestConfig, zone: &str, now: Timestamp) -> Option<Timestamp> {
    config.rule(zone).moments(now).next().map(|(_, at)| at)
}

async fn edition(
    app: &App,
    config: &DigestConfig,
    rule: &Rule,
    until: Timestamp,
    now: Timestamp,
) -> Result<Edition, StoreError> {
    let digest = app.store.digest(since(app, config, rule, until).await?, until).await?;
    let words = words::Words::new(config, &app.config.console, now);
    Ok(Edition { subject: words.subject(&digest), text: words.text(&digest), digest })
}

/// Where the last digest before `until` ended; where none was made lately, a date of it a day ago or more.
async fn since(app: &App, config: &DigestConfig, rule: &Rule, until: Timestamp) -> Result<Timestamp, StoreError> {
    let dates = before(rule, until);
    for (date, at) in dates.iter().rev().filter(|(_, at)| *at < until) {
        if !app.store.digested(*date, &config.to).await?.is_empty() {
            return Ok(*at);
        }
    }
    let a_day_ago = until.saturating_sub(SHORTEST).unwrap_or(until);
    Ok(dates.iter().rev().map(|(_, at)| *at).find(|at| *at <= a_day_ago).unwrap_or(a_day_ago))
}

/// The dates that have come by `now`, as far back as a digest may begin.
fn before(rule: &Rule, now: Timestamp) -> Vec<(Date, Timestamp)> {
    let start = now.to_zoned(rule.zone()).date().saturating_sub(LONGEST_DAYS.days());
    rule.dates(start).filter_map(|date| Some((date, rule.moment(date)?))).take_while(|(_, at)| *at <= now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(days: &[Weekday]) -> DigestConfig {
        DigestConfig {
            to: vec!["ekip@example.com".into()],
            at: jiff::civil::time(8, 30, 0, 0),
            days: days.to_vec(),
            timezone: None,
            language: None,
        }
    }

    fn last(days: &[Weekday], now: &str) -> Option<String> {
        let rule = config(days).rule("Europe/Istanbul");
        rule.check().expect("it has dates");
        before(&rule, now.parse().expect("a time")).last().map(|(date, _)| date.to_string())
    }

    #[test]
    fn a_digest_comes_on_its_days_at_its_local_time() {
        assert_eq!(last(&[], "2026-11-22T05:29:59Z").as_deref(), Some("2026-11-21"));
        assert_eq!(last(&[], "2026-11-22T05:30:00Z").as_deref(), Some("2026-11-22"));
        // A Sunday: the Monday before is the last, and it is within reach to the next one.
        assert_eq!(last(&[Weekday::Monday], "2026-11-22T05:30:00Z").as_deref(), Some("2026-11-16"));
        assert_eq!(last(&[Weekday::Monday], "2026-11-23T05:29:59Z").as_deref(), Some("2026-11-16"));
        let at = next(&config(&[Weekday::Monday]), "Europe/Istanbul", "2026-11-22T05:30:00Z".parse().expect("a time"));
        assert_eq!(at.map(|at| at.to_string()).as_deref(), Some("2026-11-23T05:30:00Z"));
    }

    #[test]
    fn a_day_whose_clock_changes_has_one_digest_and_no_hole() {
        let config =
            DigestConfig { at: jiff::civil::time(2, 30, 0, 0), timezone: Some("Europe/Berlin".into()), ..config(&[]) };
        let rule = config.rule("Europe/Istanbul");
        let dates = |now: &str| before(&rule, now.parse().expect("a time"));
        // 02:30 does not come: 03:30 summer time, 24 hours after the one before.
        let spring = dates("2026-03-29T20:00:00Z");
        assert_eq!(
            spring.last().map(|(date, at)| format!("{date} {at}")).as_deref(),
            Some("2026-03-29 2026-03-29T01:30:00Z")
        );
        // 02:30 comes twice, and the first counts: the day is over when the second comes.
        let autumn = dates("2026-10-25T01:30:00Z");
        assert_eq!(
            autumn.last().map(|(date, at)| format!("{date} {at}")).as_deref(),
            Some("2026-10-25 2026-10-25T00:30:00Z")
        );
        for dates in [spring, autumn] {
            let distinct: std::collections::BTreeSet<_> = dates.iter().map(|(date, _)| date).collect();
            assert_eq!(distinct.len(), dates.len());
        }
    }
}

//! What an answer says about limits: how long to wait, and whether the limit is used up.
//!
//! Times of day are compared with the answer's own `Date`, so a wrong clock on this machine changes nothing.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// However long a network says, it is asked again after a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// For a limit whose end cannot be read.
const UNSAID: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);
/// Below this a number is a span of seconds, above it a time of day since 1970.
const FIRST_EPOCH: u64 = 1_000_000_000;

/// How long a 429 asks to wait: the longest of what its headers and body say.
pub(super) fn wait_after_429(headers: &HeaderMap, body: &[u8]) -> Duration {
    [retry_after(headers), in_body(body)]
        .into_iter()
        .flatten()
        .max()
        .or_else(|| reset(headers))
        .unwrap_or(UNSAID)
        .clamp(SHORTEST, LONGEST)
}

/// `Retry-After`, as seconds or as an HTTP date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) => seconds_to_wait(seconds)?,
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            match server_time(headers) {
                Some(now) => until.duration_since(now).unwrap_or(Duration::ZERO),
                None => UNSAID,
            }
        }
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

/// How long until the limit is renewed, when the answer says that nothing is left of it.
pub(super) fn used_up(headers: &HeaderMap) -> Option<Duration> {
    let remaining = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<f64>().ok())?;
    (remaining < 1.0).then(|| reset(headers).unwrap_or(UNSAID).clamp(SHORTEST, LONGEST))
}

/// When the limit is renewed: ISO time (Mastodon), seconds since 1970 (Bluesky, X) or seconds from now.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let value = ["x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())?
        .trim();
    if let Ok(seconds) = value.parse::<u64>() {
        if seconds < FIRST_EPOCH {
            return Some(Duration::from_secs(seconds));
        }
        return until(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?, headers);
    }
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds_to_wait(seconds);
    }
    let time: Timestamp = value.parse().ok()?;
    until(SystemTime::from(time), headers)
}

fn until(time: SystemTime, headers: &HeaderMap) -> Option<Duration> {
    let now = server_time(headers)?;
    // The date has whole seconds: without the one more, the wait could end just before the limit does.
    Some(time.duration_since(now).map_or(Duration::ZERO, |wait| wait + Duration::from_secs(1)))
}

fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// Telegram, Matrix and others say it in the body.
fn in_body(body: &[u8]) -> Option<Duration> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let seconds =
        body.pointer("/parameters/retry_after").or_else(|| body.get("retry_after")).and_then(|value| value.as_f64());
    let milliseconds = body.get("retry_after_ms").and_then(|value| value.as_f64()).map(|value| value / 1000.0);
    seconds_to_wait(seconds.or(milliseconds)?)
}

fn seconds_to_wait(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    const NOW: (&str, &str) = ("date", "Fri, 20 Nov 2026 10:00:00 GMT");

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped_at_a_day() {
        assert_eq!(retry_after(&headers(&[("retry-after", "17")])), Some(Duration::from_secs(17)));
        let date = headers(&[NOW, ("retry-after", "Fri, 20 Nov 2026 10:02:00 GMT")]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(&headers(&[("retry-after", "99999999")])), Some(LONGEST));
        let far = headers(&[NOW, ("retry-after", "Fri, 20 Nov 2099 10:02:00 GMT")]);
        assert_eq!(retry_after(&far), Some(LONGEST));
        let past = headers(&[NOW, ("retry-after", "Fri, 20 Nov 2020 10:02:00 GMT")]);
        assert_eq!(retry_after(&past), Some(SHORTEST));
        for nonsense in ["", "soon", "-5", "NaN", "inf, 3"] {
            assert_eq!(retry_after(&headers(&[("retry-after", nonsense)])), None, "{nonsense}");
        }
    }

    #[test]
    fn a_429_waits_as_long_as_header_or_body_say() {
        let telegram = br#"{"ok":false,"parameters":{"retry_after":35}}"#;
        assert_eq!(wait_after_429(&HeaderMap::new(), telegram), Duration::from_secs(35));
        assert_eq!(wait_after_429(&headers(&[("retry-after", "60")]), telegram), Duration::from_secs(60));
        assert_eq!(wait_after_429(&HeaderMap::new(), br#"{"retry_after_ms":2500}"#), Duration::from_millis(2500));
        assert_eq!(wait_after_429(&HeaderMap::new(), b"<html>"), UNSAID);
        let reset = headers(&[NOW, ("x-ratelimit-reset", "2026-11-20T10:05:00.000Z")]);
        assert_eq!(wait_after_429(&reset, b""), Duration::from_secs(301));
    }

    #[test]
    fn a_used_up_limit_is_read_in_every_spelling() {
        let iso = headers(&[NOW, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-11-20T10:05:00.123456Z")]);
        assert_eq!(used_up(&iso).map(|wait| wait.as_secs()), Some(301));
        let epoch = headers(&[NOW, ("ratelimit-remaining", "0"), ("ratelimit-reset", "1795168860")]);
        assert_eq!(used_up(&epoch), Some(Duration::from_secs(61)));
        let span = headers(&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "30")]);
        assert_eq!(used_up(&span), Some(Duration::from_secs(30)));
        assert_eq!(used_up(&headers(&[("ratelimit-remaining", "0")])), Some(UNSAID));
        assert_eq!(used_up(&headers(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30")])), None);
        assert_eq!(used_up(&HeaderMap::new()), None);
    }
}

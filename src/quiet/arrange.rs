//! When each of an account's planned posts goes out under its quiet hours. No I/O.
//!
//! Everything is computed from the time that a post was wanted at, never from where earlier quiet hours put it, so that
//! the same hours twice change nothing, and hours that are loosened or ended give back what they took:
//!
//! - A post goes out when it was wanted, or else at the first moment after that which is not quiet and has not passed.
//! - Posts go out in the order they were wanted in. One that would overtake or meet those that wait for the end of quiet
//!   hours goes after them, even where it was not wanted in quiet hours itself.
//! - Those that cannot go out when they were wanted keep a spacing between them, also into the next quiet hours and past
//!   these.
//! - What is due already stays as it is, unless it is quiet now.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::QuietHours;

/// What an account keeps to.
#[derive(Debug, Clone)]
pub struct Keeping {
    pub hours: Option<QuietHours>,
    /// The account's, in which the hours are read.
    pub zone: TimeZone,
    /// Between two posts that go out later than wanted.
    pub spacing: Duration,
}

/// A planned post as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Missing where no quiet hours moved it: it is wanted when it is planned.
    pub wanted_at: Option<Timestamp>,
    pub due_at: Timestamp,
    /// After `due_at` where it waits for its next try.
    pub next_at: Timestamp,
}

impl Planned {
    /// When it would go out.
    pub fn at(&self) -> Timestamp {
        self.due_at.max(self.next_at)
    }

    pub fn wanted(&self) -> Timestamp {
        self.wanted_at.unwrap_or_else(|| self.at())
    }
}

/// What is to be done with a planned post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It goes out when it was wanted.
    Back { to: Timestamp },
    /// The time it was wanted at has passed and nothing keeps it any more: it goes out as soon as it may.
    Freed { to: Timestamp },
    /// It goes out after the quiet hours that end at `end`.
    Past { to: Timestamp, end: Timestamp },
}

impl Change {
    pub fn to(self) -> Timestamp {
        match self {
            Self::Back { to } | Self::Freed { to } | Self::Past { to, .. } => to,
        }
    }
}

impl Keeping {
    /// What is to be done with each of an account's planned posts, given in the order they were wanted in; nothing for one
    /// that stands where it belongs. `last` is when the latest of those that were moved and are out, or about to be, was
    /// due.
    pub fn arrange(&self, posts: &[Planned], last: Option<Timestamp>, now: Timestamp) -> Vec<Option<Change>> {
        let (mut last, mut end) = (last, None);
        posts.iter().map(|post| self.place(post, &mut last, &mut end, now)).collect()
    }

    /// `last` and `end` go from one post to the next: when the latest one that goes out later than wanted does so, and when
    /// the quiet hours that it came out of end.
    fn place(
        &self,
        post: &Planned,
        last: &mut Option<Timestamp>,
        end: &mut Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Change> {
        let (at, wanted) = (post.at(), post.wanted());
        if at <= now && self.end_after(now).is_none() {
            if post.wanted_at.is_some() {
                *last = (*last).max(Some(at));
            }
            return None;
        }
        let again = if post.next_at > post.due_at { post.next_at } else { wanted };
        let mut to = self.first_allowed(wanted.max(again).max(now), end);
        if let Some(last) = *last
            && (to <= last || to != wanted)
        {
            to = self.first_allowed(to.max(last.saturating_add(self.spacing).unwrap_or(last)), end);
        }
        if to != wanted {
            *last = (*last).max(Some(to));
        }
        (to != at).then_some(match *end {
            _ if to == wanted => Change::Back { to },
            Some(end) => Change::Past { to, end },
            None => Change::Freed { to },
        })
    }

    fn first_allowed(&self, at: Timestamp, end: &mut Option<Timestamp>) -> Timestamp {
        let after = self.end_after(at);
        *end = after.or(*end);
        after.unwrap_or(at)
    }

    /// `at`, or the end of the quiet hours that it lies in.
    pub fn outside(&self, at: Timestamp) -> Timestamp {
        self.end_after(at).unwrap_or(at)
    }

    fn end_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.hours?.end_after(at, &self.zone)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;
    use proptest::prelude::*;

    use super::*;

    const SPACING: Duration = Duration::from_secs(60);

    fn keeping(hours: Option<QuietHours>) -> Keeping {
        let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
        Keeping { hours, zone, spacing: SPACING }
    }

    /// Puts the hours on the posts as the database does.
    fn put(hours: Option<QuietHours>, posts: &mut [Planned], now: Timestamp) -> usize {
        posts.sort_by_key(Planned::wanted);
        let changes = keeping(hours).arrange(posts, None, now);
        for (post, change) in posts.iter_mut().zip(&changes) {
            let Some(change) = change else { continue };
            let wanted_at = (!matches!(change, Change::Back { .. })).then_some(post.wanted());
            *post = Planned { wanted_at, due_at: change.to(), next_at: change.to() };
        }
        changes.iter().flatten().count()
    }

    fn wanted(at: Timestamp) -> Planned {
        Planned { wanted_at: None, due_at: at, next_at: at }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn hours(text: &str) -> Option<QuietHours> {
        Some(text.parse().expect("hours"))
    }

    #[test]
    fn what_a_slip_moved_is_back_once_it_is_mended() {
        let now = at("2026-12-01T06:00:00Z");
        let day = [wanted(at("2026-12-10T10:00:00Z")), wanted(at("2026-12-10T10:30:00Z"))];
        let mut posts = day;
        assert_eq!(put(hours("00:00-23:59"), &mut posts, now), 2);
        assert_eq!(posts[0].due_at, at("2026-12-10T20:59:00Z"), "23:59 in Istanbul");
        assert_eq!(posts[1].due_at, at("2026-12-11T20:59:00Z"), "a minute a day is all that is left");
        assert_eq!(put(hours("13:00-12:00"), &mut posts, now), 2);
        assert_eq!(put(hours("13:00-12:00"), &mut posts, now), 0);
        assert_eq!(put(None, &mut posts, now), 2);
        assert_eq!(posts, day);
    }

    #[test]
    fn nobody_overtakes_those_that_wait_for_the_morning() {
        let mut posts: Vec<_> = ["19:30", "20:10", "20:20"]
            .into_iter()
            .map(|time| wanted(at(&format!("2026-12-10T{time}:00Z"))))
            .chain([wanted(at("2026-12-11T05:00:00Z")), wanted(at("2026-12-11T05:03:30Z"))])
            .collect();
        put(hours("22:00-08:00"), &mut posts, at("2026-12-01T06:00:00Z"));
        let times: Vec<_> = posts.iter().map(|post| post.due_at.to_string()).collect();
        // The fourth was wanted at the very end of the quiet hours; the fifth meets nobody.
        assert_eq!(
            times,
            ["05:00:00", "05:01:00", "05:02:00", "05:03:00", "05:03:30"].map(|time| format!("2026-12-11T{time}Z"))
        );
        assert_eq!(posts[4].wanted_at, None);
    }

    #[test]
    fn what_should_be_out_by_now_goes_as_soon_as_it_may_and_not_all_at_once() {
        let evening = at("2026-12-10T19:30:00Z");
        let mut posts = [wanted(evening), wanted(evening + SPACING)];
        put(hours("22:00-08:00"), &mut posts, evening);
        let night = at("2026-12-10T23:00:00Z");
        assert_eq!(put(None, &mut posts, night), 2);
        assert_eq!(posts.map(|post| post.due_at), [night, night + SPACING]);
        // The first went out; the second keeps its distance.
        let later = night + Duration::from_secs(10);
        assert_eq!(keeping(None).arrange(&posts[1..], Some(night), later), [None]);
    }

    #[test]
    fn a_next_try_within_quiet_hours_waits_for_their_end_and_comes_no_earlier_after_them() {
        let now = at("2026-12-10T18:59:50Z");
        let due_at = at("2026-12-10T18:50:00Z");
        let again = at("2026-12-10T19:00:05Z");
        let mut posts = [Planned { wanted_at: None, due_at, next_at: again }];
        put(hours("22:00-08:00"), &mut posts, now);
        assert_eq!(posts[0].due_at, at("2026-12-11T05:00:00Z"));
        assert_eq!(put(hours("22:00-08:00"), &mut posts, now), 0);
        put(None, &mut posts, now);
        assert_eq!(posts[0].at(), again);
    }

    fn some_hours() -> impl Strategy<Value = Option<QuietHours>> {
        let hour = |hour: i8| Time::constant(hour, 0, 0, 0);
        prop_oneof![
            1 => Just(None),
            4 => (0..24_i8, 0..24_i8).prop_filter_map("a whole day", move |(from, until)| {
                QuietHours::new(hour(from), hour(until)).ok().map(Some)
            }),
        ]
    }

    proptest! {
        /// Whatever was set before, only the last setting and the times that were wanted count.
        #[test]
        fn the_last_setting_decides(
            offsets in prop::collection::vec(1..20_000_i64, 1..40),
            before in prop::collection::vec(some_hours(), 0..5),
            last in some_hours(),
        ) {
            let now = at("2026-12-01T06:00:00Z");
            let asked: Vec<_> =
                offsets.iter().map(|minutes| wanted(now + Duration::from_secs(minutes.unsigned_abs() * 60))).collect();
            let mut through = asked.clone();
            for hours in before {
                put(hours, &mut through, now);
            }
            put(last, &mut through, now);
            let mut at_once = asked;
            put(last, &mut at_once, now);
            prop_assert_eq!(&through, &at_once);
            prop_assert_eq!(put(last, &mut through, now), 0, "once is enough");

            let keeping = keeping(last);
            for post in &through {
                prop_assert!(keeping.end_after(post.due_at).is_none(), "quiet at {}", post.due_at);
                prop_assert!(post.due_at >= post.wanted());
                prop_assert!(last.is_some() || post.wanted_at.is_none());
            }
            prop_assert!(through.is_sorted_by_key(|post| post.due_at), "in the order they were wanted");
        }
    }
}

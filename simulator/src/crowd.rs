//! The people of the demo and what they write: a cast, several hundred mentions written for this project, and the times
//! at which the seed lets them appear. Every person, brand and town in `simulator/data` is invented.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::chance::Dice;
use crate::clock::shifted;
use crate::timeline::{Draft, Network, Person, PersonId, PersonKind, Visibility};
use crate::world::{Event, World};

/// The mentions, one file per theme.
const THEMES: &[(&str, &str)] = &[
    ("belediye", include_str!("../data/belediye.jsonl")),
    ("bilet", include_str!("../data/bilet.jsonl")),
    ("cuzdan", include_str!("../data/cuzdan.jsonl")),
    ("english", include_str!("../data/english.jsonl")),
    ("fatura", include_str!("../data/fatura.jsonl")),
    ("iade", include_str!("../data/iade.jsonl")),
    ("internet", include_str!("../data/internet.jsonl")),
    ("ironi", include_str!("../data/ironi.jsonl")),
    ("istek", include_str!("../data/istek.jsonl")),
    ("kargo", include_str!("../data/kargo.jsonl")),
    ("karisik", include_str!("../data/karisik.jsonl")),
    ("kisa", include_str!("../data/kisa.jsonl")),
    ("mixed", include_str!("../data/mixed.jsonl")),
    ("oneri", include_str!("../data/oneri.jsonl")),
    ("ovgu", include_str!("../data/ovgu.jsonl")),
    ("satici", include_str!("../data/satici.jsonl")),
    ("satinalma", include_str!("../data/satinalma.jsonl")),
    ("soru", include_str!("../data/soru.jsonl")),
    ("spam", include_str!("../data/spam.jsonl")),
    ("uygulama", include_str!("../data/uygulama.jsonl")),
    ("yemek", include_str!("../data/yemek.jsonl")),
];
const CAST: &str = include_str!("../data/cast.jsonl");
const ANSWERS: &str = include_str!("../data/answers.jsonl");
const FOLLOW_UPS: &str = include_str!("../data/follow_ups.jsonl");

/// Its mentions of the past day come within two hours, so that the charts of the demo have something to show.
const STORM: &str = "internet";
const TOPIC_PLAN: u64 = 4 << 32;
const TOPIC_LATER: u64 = 5 << 32;
const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
/// How lively each hour of the day is in Turkey (UTC+3 all year).
const LIVELINESS: [u32; 24] = [3, 2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 9, 8, 8, 9, 10, 11, 12, 12, 11, 9, 6];

/// How the crowd behaves.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How far back the mentions reach that are there at the start.
    pub backlog: Duration,
    /// The share of all mentions that is in the backlog, 0 to 1.
    pub backlog_share: f64,
    /// The wait between new mentions at the start; it grows slowly to twelve times that.
    pub every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { backlog: Duration::from_secs(24 * 3_600), backlog_share: 0.6, every: Duration::from_secs(5) }
    }
}

/// One mention as it is written in the data.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The handle of a member of the cast.
    pub by: String,
    pub text: String,
    /// What the author answers when somebody replies, in order.
    #[serde(default)]
    pub then: Vec<String>,
    /// What the author adds without being answered.
    #[serde(default)]
    pub again: Option<String>,
    /// What the author changes the text to.
    #[serde(default)]
    pub edit: Option<String>,
    /// The author deletes it after a while.
    #[serde(default)]
    pub gone: bool,
    /// A direct message.
    #[serde(default)]
    pub direct: bool,
}

/// A member of the cast.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub handle: String,
    pub name: String,
    #[serde(default = "turkish")]
    pub language: String,
    #[serde(default)]
    pub followers: u64,
    #[serde(default)]
    pub about: String,
}

fn turkish() -> String {
    "tr".to_owned()
}

/// A short answer that fits many conversations.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowUp {
    text: String,
    #[serde(default)]
    english: bool,
}

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("simulator/data/{file}.jsonl line {line}: {reason}")]
pub struct DataError {
    pub file: String,
    pub line: usize,
    pub reason: String,
}

/// The cast and all that it writes.
#[derive(Debug, Clone)]
pub struct Crowd {
    cast: Vec<Member>,
    lines: Vec<(&'static str, Line)>,
    follow_ups: Vec<FollowUp>,
    answers: Vec<FollowUp>,
}

impl Crowd {
    /// The crowd of the demo.
    pub fn read() -> Result<Self, DataError> {
        let mut lines = Vec::new();
        for (theme, text) in THEMES {
            lines.extend(parse::<Line>(theme, text)?.into_iter().map(|line| (*theme, line)));
        }
        let (follow_ups, answers) = (parse("follow_ups", FOLLOW_UPS)?, parse("answers", ANSWERS)?);
        Ok(Self { cast: parse("cast", CAST)?, lines, follow_ups, answers })
    }

    pub fn cast(&self) -> &[Member] {
        &self.cast
    }

    /// Every mention with its theme.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &Line)> {
        self.lines.iter().map(|(theme, line)| (*theme, line))
    }

    pub(crate) fn follow_up(&self, english: bool, dice: &mut Dice) -> Option<String> {
        one_of(&self.follow_ups, english, dice)
    }

    /// What one of our accounts answered to some of the conversations that went on before the start.
    fn answer(
        &self,
        world: &World,
        author: PersonId,
        line: &Line,
        dice: &mut Dice,
    ) -> Option<(Duration, PersonId, String)> {
        if line.then.is_empty() || dice.unit() > 0.6 {
            return None;
        }
        let people = world.timeline.people();
        let named = |person: &Person| person.is_ours() && line.text.contains(&format!("@{}", person.handle));
        let account = people.iter().position(named)?;
        let english = people[author].language.as_deref() == Some("en");
        let text = one_of(&self.answers, english, dice)?;
        Some((Duration::from_secs(300 + dice.below(2_400) as u64), account, text))
    }

    /// Lets the crowd into the world: the backlog is there at once, the rest comes by itself.
    pub(crate) fn enter(self, world: &mut World, pace: Pace) {
        for member in &self.cast {
            world.timeline.add_person(Person {
                network: Network::Mastodon,
                handle: member.handle.clone(),
                display_name: member.name.clone(),
                language: Some(member.language.clone()),
                followers: member.followers,
                about: member.about.clone(),
                kind: PersonKind::Person,
                token: None,
            });
        }
        for (at, live, line) in self.plan(world.seed, world.started, pace) {
            let Some(author) = world.timeline.find(Network::Mastodon, &line.by) else { continue };
            let draft = Draft {
                text: line.text.clone(),
                visibility: if line.direct { Visibility::Direct } else { Visibility::Public },
                ..Draft::default()
            };
            let mut dice = Dice::new(world.seed, TOPIC_LATER + at.as_microsecond() as u64);
            let answer = if live { None } else { self.answer(world, author, line, &mut dice) };
            // What takes hours in the backlog takes minutes while somebody is watching.
            let unit = if live { MINUTE } else { 40 * MINUTE };
            let mut later = |least: i64, spread: usize| {
                Duration::from_micros((unit * least + dice.below(spread * unit as usize) as i64).unsigned_abs())
            };
            let event = Event::Post {
                author,
                draft,
                then: line.then.clone(),
                edit: line.edit.clone().map(|text| (later(1, 2), text)),
                delete: line.gone.then(|| later(2, 5)),
                again: line.again.clone().map(|text| (later(2, 4), text)),
                answer,
            };
            world.schedule(at, event);
        }
        world.crowd = Some(self);
    }

    /// When each mention appears, and whether that is after the start.
    fn plan(&self, seed: u64, started: Timestamp, pace: Pace) -> Vec<(Timestamp, bool, &Line)> {
        let mut dice = Dice::new(seed, TOPIC_PLAN);
        let mut lines: Vec<&(&'static str, Line)> = self.lines.iter().collect();
        dice.shuffle(&mut lines);
        let past = (lines.len() as f64 * pace.backlog_share.clamp(0.0, 1.0)) as usize;
        let reach = pace.backlog.as_micros() as i64;
        let mut planned = Vec::with_capacity(lines.len());
        for (theme, line) in &lines[..past] {
            let ago = match *theme {
                STORM if reach > 8 * HOUR => 5 * HOUR + dice.below(2 * HOUR as usize) as i64,
                _ => lively_moment(&mut dice, started, reach),
            };
            planned.push((shifted(started, -ago), false, line));
        }
        let mut offset = 0.0;
        for (index, (_, line)) in lines[past..].iter().enumerate() {
            // The first ones quickly, then slower and slower, each wait drawn around its mean.
            let growth = (1.0 + index as f64 / 12.0).min(12.0);
            offset += pace.every.as_secs_f64() * growth * (0.4 + 1.2 * dice.unit());
            planned.push((shifted(started, (offset * 1e6) as i64), true, line));
        }
        planned
    }
}

fn one_of(texts: &[FollowUp], english: bool, dice: &mut Dice) -> Option<String> {
    let fitting: Vec<&FollowUp> = texts.iter().filter(|one| one.english == english).collect();
    fitting.get(dice.below(fitting.len())).map(|one| one.text.clone())
}

/// A moment of the past `reach`, more often in lively hours.
fn lively_moment(dice: &mut Dice, started: Timestamp, reach: i64) -> i64 {
    let most = LIVELINESS.iter().copied().max().unwrap_or(1);
    loop {
        let ago = dice.below(reach.max(1) as usize) as i64;
        let hour = ((started.as_microsecond() - ago).div_euclid(HOUR) + 3).rem_euclid(24) as usize;
        if (dice.below(most as usize) as u32) < LIVELINESS[hour] {
            return ago;
        }
    }
}

fn parse<T: for<'a> Deserialize<'a>>(file: &str, text: &str) -> Result<Vec<T>, DataError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| DataError {
                file: file.to_owned(),
                line: index + 1,
                reason: error.to_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn crowd() -> Crowd {
        Crowd::read().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_mention_is_written_once_by_somebody_of_the_cast() {
        let crowd = crowd();
        let cast: HashSet<&str> = crowd.cast.iter().map(|member| member.handle.as_str()).collect();
        let mut seen = HashSet::new();
        for (theme, line) in crowd.lines() {
            assert!(cast.contains(line.by.as_str()), "{theme}: {} is not in the cast", line.by);
            assert!(seen.insert(line.text.to_lowercase()), "{theme}: written twice: {}", line.text);
            assert!(line.text.chars().count() <= 500, "{theme}: too long: {}", line.text);
        }
        assert!(crowd.lines.len() >= 500, "{} mentions", crowd.lines.len());
        assert_eq!(cast.len(), crowd.cast.len());
    }

    #[test]
    fn authors_come_back() {
        let crowd = crowd();
        let mut written: HashMap<&str, usize> = HashMap::new();
        for (_, line) in crowd.lines() {
            *written.entry(&line.by).or_default() += 1;
        }
        let often = written.values().filter(|count| **count >= 3).count();
        assert!(often * 2 > crowd.cast.len(), "{often} of {}", crowd.cast.len());
    }

    #[test]
    fn the_same_seed_plans_the_same_day() {
        let (crowd, start) = (crowd(), Timestamp::from_second(1_790_000_000).unwrap());
        let plan = |seed| {
            let plan = crowd.plan(seed, start, Pace::default());
            plan.into_iter().map(|(at, _, line)| (at, line.text.clone())).collect::<Vec<_>>()
        };
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        let (past, coming): (Vec<_>, Vec<_>) = plan(1).into_iter().partition(|(at, _)| *at <= start);
        assert!(past.len() > 300 && coming.len() > 150);
    }
}

//! One line for each round, and a table of them all at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::judge::{Late, Verdict};
use crate::plan::{Database, Kind, Plan};

/// The round in words.
pub fn title(plan: &Plan) -> String {
    let database = if plan.database == Database::Sqlite { "SQLite" } else { "PostgreSQL" };
    let queue = if plan.redis { "Redis" } else { "local:" };
    let clock = plan.clock_ahead.map_or(String::new(), |ahead| format!(", clock {ahead:+} s"));
    let whole = if plan.whole { ", console" } else { "" };
    format!("{}, {database}, {queue}, {} workers{whole}{clock}", plan.kind.name(), plan.workers)
}

pub fn line(verdict: &Verdict) -> String {
    let states: Vec<String> = verdict.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let faults: Vec<&str> = verdict.injected.iter().map(|injected| injected.fault.name()).collect();
    let late = verdict.worst.as_ref().map_or(0.0, |late| late.by.as_secs_f64());
    let problems = match verdict.problems.len() {
        0 => "holds".to_owned(),
        count => format!("{count} PROBLEMS"),
    };
    format!(
        "round {:>3}: {problems}: {} | {} | {} network faults, {} | latest {late:.1} s | {:.0} s",
        verdict.plan.round,
        title(&verdict.plan),
        states.join(", "),
        verdict.network_faults.values().sum::<usize>(),
        faults.join(", "),
        verdict.took.as_secs_f64(),
    )
}

/// How to see the round again.
pub fn replay(plan: &Plan) -> String {
    format!("FAULTS_SEED={} FAULTS_ROUND={} cargo test --test campaign -- --nocapture", plan.seed, plan.round)
}

/// Everything so far.
#[derive(Default)]
pub struct Summary {
    kinds: BTreeMap<Kind, OfKind>,
    faults: BTreeMap<String, usize>,
    slowest_end: Duration,
}

#[derive(Default)]
struct OfKind {
    rounds: usize,
    deliveries: usize,
    states: BTreeMap<&'static str, usize>,
    problems: usize,
    windows: usize,
    worst: Option<(Late, u64)>,
}

impl Summary {
    pub fn add(&mut self, verdict: &Verdict) {
        let of_kind = self.kinds.entry(verdict.plan.kind).or_default();
        of_kind.rounds += 1;
        of_kind.deliveries += verdict.deliveries();
        of_kind.problems += verdict.problems.len();
        of_kind.windows += verdict.windows;
        for (state, count) in &verdict.states {
            *of_kind.states.entry(state).or_default() += count;
        }
        let worse = |late: &&Late| of_kind.worst.as_ref().is_none_or(|(worst, _)| worst.by < late.by);
        if let Some(late) = verdict.worst.as_ref().filter(worse) {
            of_kind.worst = Some((late.clone(), verdict.plan.round));
        }
        for injected in &verdict.injected {
            *self.faults.entry(injected.fault.name().to_owned()).or_default() += 1;
        }
        for (fault, count) in &verdict.network_faults {
            *self.faults.entry(format!("network: {fault}")).or_default() += count;
        }
        self.slowest_end = self.slowest_end.max(verdict.slowest_end);
    }

    pub fn deliveries(&self) -> usize {
        self.kinds.values().map(|of_kind| of_kind.deliveries).sum()
    }

    pub fn table(&self) -> String {
        let mut text =
            String::from("\n| network | rounds | deliveries | ended as | problems | named window | latest |\n");
        text += "|---|---:|---:|---|---:|---:|---|\n";
        for (kind, of_kind) in &self.kinds {
            let states: Vec<String> = of_kind.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            let worst = of_kind.worst.as_ref().map_or(String::new(), |(late, round)| {
                format!("{:.1} s in round {round} ({})", late.by.as_secs_f64(), late.why)
            });
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {worst} |",
                kind.name(),
                of_kind.rounds,
                of_kind.deliveries,
                states.join(", "),
                of_kind.problems,
                of_kind.windows,
            );
        }
        text += "\n| fault | times |\n|---|---:|\n";
        for (fault, count) in &self.faults {
            let _ = writeln!(text, "| {fault} | {count} |");
        }
        let _ = writeln!(text, "\nthe slowest worker ended {:.1} s after SIGTERM", self.slowest_end.as_secs_f64());
        text
    }
}

//! The tables of README.md and the ways to each broken property, as `cargo run -p muhatap-model` prints them.

use std::fmt::Write as _;

use crate::catalogue::{HOLDING, LESSONS, Lesson};
use crate::check::{Verdict, check};
use crate::properties::REST;
use crate::scenario::{Faults, Scenario};
use crate::walk::{Walk, shortest};
use crate::words::line;

/// Every scenario with all rules: what may happen, how many states that makes, and whether all properties hold.
pub fn holding() -> String {
    let mut table = String::from("| scenario | what may happen | states | |\n|---|---|---:|---|\n");
    for scenario in HOLDING {
        table.push_str(&held(scenario, &check(scenario), &shortest(scenario, REST)));
    }
    table
}

/// A row of [`holding`].
pub fn held(scenario: &Scenario, verdict: &Verdict, to_no_rest: &Walk) -> String {
    let result = match verdict.broken.as_slice() {
        [] if to_no_rest.way.is_some() => format!("**broken: {REST}**"),
        [] if !verdict.sends => "**never sends**".to_owned(),
        [] => "holds".to_owned(),
        broken => format!("**broken: {}**", broken.join("; ")),
    };
    format!("| {} | {} | {} | {result} |\n", scenario.name, may_happen(scenario), verdict.states)
}

/// Every rule switched off: what breaks, after how many steps, and how many states were looked at until then.
pub fn lessons() -> String {
    let mut table = String::from("| without | scenario | broken | steps | states |\n|---|---|---|---:|---:|\n");
    for lesson in LESSONS {
        table.push_str(&learnt(lesson, &shortest(&lesson.scenario, lesson.breaks)));
    }
    table
}

/// A row of [`lessons`].
pub fn learnt(lesson: &Lesson, walk: &Walk) -> String {
    let steps = walk.way.as_ref().map_or("**not broken**".to_owned(), |way| way.len().to_string());
    let (rule, name) = (lesson.rule.title(), lesson.scenario.name);
    format!("| {rule} | {name} | {} | {steps} | {} |\n", lesson.breaks, walk.states)
}

/// The shortest way to what breaks without a rule, a line a step.
pub fn way(lesson: &Lesson) -> String {
    let Walk { states, way, then } = shortest(&lesson.scenario, lesson.breaks);
    let mut text = format!("Without {} ({}, {states} states)\n", lesson.rule.title(), lesson.scenario.name);
    let Some(way) = way else { return text + "  nothing breaks\n" };
    for (number, step) in way.iter().enumerate() {
        let _ = writeln!(text, "{:4}. {}", number + 1, line(&lesson.scenario, step));
    }
    if !then.is_empty() {
        text.push_str("      and then, until it only repeats:\n");
    }
    for step in &then {
        let _ = writeln!(text, "    - {}", line(&lesson.scenario, step));
    }
    let _ = writeln!(text, "      Broken: {}.", lesson.breaks);
    text
}

fn may_happen(scenario: &Scenario) -> String {
    let Faults {
        crashes,
        losses,
        timeouts,
        refusals,
        outages,
        power_losses,
        flushes,
        cancels,
        decisions,
        expiries,
        latenesses,
    } = scenario.faults;
    let counted = [
        (crashes, "a worker killed"),
        (losses, "a request lost"),
        (timeouts, "an answer too late"),
        (refusals, "a refusal"),
        (outages, "an outage"),
        (power_losses, "a power loss"),
        (flushes, "a flush"),
        (cancels, "a cancellation"),
        (decisions, "a decision"),
        (expiries, "it expires"),
        (latenesses, "it gets late"),
    ];
    let happens = counted.iter().filter(|(times, _)| *times > 0);
    let words: Vec<_> = happens
        .map(|(times, what)| if *times > 1 { format!("{what} ({times} times)") } else { (*what).to_owned() })
        .collect();
    words.join(", ")
}

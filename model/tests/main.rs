//! Every state of every scenario, and every rule switched off.

use muhatap_model::catalogue::{HOLDING, LESSONS};
use muhatap_model::check::{breaks, check};
use muhatap_model::properties::REST;
use muhatap_model::report;
use muhatap_model::scenario::Rule;
use muhatap_model::walk::shortest;

const README: &str = include_str!("../README.md");

#[test]
fn with_every_rule_everything_holds_in_every_state() {
    for scenario in HOLDING {
        let verdict = check(scenario);
        assert_eq!(verdict.broken, [""; 0], "{}", scenario.name);
        assert!(verdict.sends, "{}: nothing can be sent", scenario.name);
        let walk = shortest(scenario, REST);
        assert!(walk.way.is_none(), "{}: {REST}, but {:#?}", scenario.name, walk.way);
        assert_eq!(walk.states, verdict.states, "{}: the checker and the walk see the same states", scenario.name);
        let row = report::held(scenario, &verdict, &walk);
        assert!(README.contains(&row), "README.md says otherwise than the command: {row}");
    }
}

#[test]
fn without_any_one_rule_something_breaks() {
    for lesson in LESSONS {
        let what = format!("without {}: {}", lesson.rule.title(), lesson.breaks);
        let walk = shortest(&lesson.scenario, lesson.breaks);
        assert!(walk.way.is_some(), "{what} holds all the same");
        assert!(lesson.breaks == REST || breaks(&lesson.scenario, lesson.breaks), "{what}: the checker finds nothing");
        let row = report::learnt(lesson, &walk);
        assert!(README.contains(&row), "README.md says otherwise than the command: {row}");
    }
}

#[test]
fn every_rule_is_switched_off_once() {
    for rule in Rule::ALL {
        assert!(LESSONS.iter().any(|lesson| lesson.rule == rule), "nothing shows what {} is for", rule.title());
    }
}

#[test]
fn the_way_to_a_double_post_is_told_in_words() {
    let settle = LESSONS.iter().find(|lesson| lesson.rule == Rule::Settle).expect("it is in the list");
    let told = report::way(settle);
    assert!(told.starts_with("Without the settle time"), "{told}");
    assert!(told.contains("the network takes the delivery => post number 2"), "{told}");
    assert!(told.trim_end().ends_with("Broken: no delivery is posted twice."), "{told}");
}

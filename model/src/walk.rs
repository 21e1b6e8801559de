//! A walk over all states of a scenario, breadth first, that keeps the graph: for the shortest way to a broken property,
//! and for whether every state can still come to rest.

use std::collections::HashMap;

use stateright::{Expectation, Model};

use crate::properties::{REST, is_at_rest};
use crate::protocol::Action;
use crate::scenario::Scenario;
use crate::state::State;

/// A property that does not hold, and the shortest way there.
#[derive(Debug)]
pub struct Broken {
    pub property: &'static str,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    pub action: Action,
    pub before: State,
    pub after: State,
}

#[derive(Debug)]
pub struct Walk {
    /// Different states.
    pub states: usize,
    /// One entry a property, in the order they were met; the shortest way is the first.
    pub broken: Vec<Broken>,
}

/// Every state, in the order of their distance, with the state and step it was first reached by.
struct Graph {
    states: Vec<State>,
    reached: Vec<Option<(u32, Action)>>,
    /// Who leads to each state by a step that comes by itself.
    before: Vec<Vec<u32>>,
}

pub fn walk(scenario: &Scenario) -> Walk {
    let mut broken = Vec::new();
    let properties = scenario.properties();
    let graph = Graph::of(scenario);
    for property in properties.iter().filter(|property| property.expectation == Expectation::Always) {
        let first = graph.states.iter().position(|state| !(property.condition)(scenario, state));
        if let Some(first) = first {
            broken.push(Broken { property: property.name, steps: graph.way(first) });
        }
    }
    let comes_to_rest = graph.comes_to_rest(scenario);
    if let Some(first) = comes_to_rest.iter().position(|comes| !comes) {
        broken.push(Broken { property: REST, steps: graph.way(first) });
    }
    broken.sort_by_key(|broken| broken.steps.len());
    Walk { states: graph.states.len(), broken }
}

impl Graph {
    fn of(scenario: &Scenario) -> Graph {
        let mut known: HashMap<State, u32> = HashMap::new();
        let mut graph = Graph { states: Vec::new(), reached: Vec::new(), before: Vec::new() };
        for state in scenario.init_states() {
            known.insert(state.clone(), graph.add(state, None));
        }
        let mut next = 0;
        let mut actions = Vec::new();
        while next < graph.states.len() {
            let from = next as u32;
            scenario.actions(&graph.states[next], &mut actions);
            for action in actions.drain(..) {
                let Some(state) = scenario.next_state(&graph.states[next], action) else { continue };
                let to = match known.get(&state) {
                    Some(to) => *to,
                    None => {
                        let to = graph.add(state.clone(), Some((from, action)));
                        known.insert(state, to);
                        to
                    }
                };
                if action.comes_by_itself(&graph.states[next]) {
                    graph.before[to as usize].push(from);
                }
            }
            next += 1;
        }
        graph
    }

    fn add(&mut self, state: State, reached: Option<(u32, Action)>) -> u32 {
        self.states.push(state);
        self.reached.push(reached);
        self.before.push(Vec::new());
        (self.states.len() - 1) as u32
    }

    /// For each state, whether steps that come by themselves can lead from it to rest.
    fn comes_to_rest(&self, scenario: &Scenario) -> Vec<bool> {
        let mut comes: Vec<bool> = self.states.iter().map(|state| is_at_rest(scenario, state)).collect();
        let mut reached: Vec<u32> = (0..self.states.len() as u32).filter(|index| comes[*index as usize]).collect();
        while let Some(state) = reached.pop() {
            for before in &self.before[state as usize] {
                if !comes[*before as usize] {
                    comes[*before as usize] = true;
                    reached.push(*before);
                }
            }
        }
        comes
    }

    fn way(&self, to: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = to;
        while let Some((from, action)) = self.reached[at] {
            let (before, after) = (self.states[from as usize].clone(), self.states[at].clone());
            steps.push(Step { action, before, after });
            at = from as usize;
        }
        steps.reverse();
        steps
    }
}

//! A walk over the states of a scenario, breadth first: for the shortest way to a broken property, and for whether every
//! state can still come to rest. (The checker's own way need not be the shortest, and its `eventually` sees no circles.)

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Model, Property};

use crate::properties::{REST, is_at_rest};
use crate::protocol::Action;
use crate::scenario::Scenario;
use crate::state::State;

/// How far a walk went, and the shortest way to what it looked for, if there is one.
#[derive(Debug)]
pub struct Walk {
    /// Different states met until then.
    pub states: usize,
    pub way: Option<Vec<Step>>,
    /// What can still happen by itself after that way, until it only repeats: for [`REST`].
    pub then: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    pub action: Action,
    pub before: State,
    pub after: State,
}

/// Every state in the order of its distance, with the step it was first reached by.
struct Graph {
    states: Vec<State>,
    reached: Vec<Option<(u32, Action)>>,
    /// Who leads to each state by a step that comes by itself.
    before: Vec<Vec<u32>>,
    known: HashMap<u64, u32>,
}

/// The shortest way to a state in which `property` does not hold; for [`REST`], to one from which nothing leads to rest.
pub fn shortest(scenario: &Scenario, property: &'static str) -> Walk {
    if property == REST {
        let graph = Graph::until(scenario, |_| false);
        let stuck = graph.comes_to_rest(scenario).iter().position(|comes| !comes);
        let way = stuck.map(|stuck| graph.way(stuck));
        let then = stuck.map(|stuck| waits(scenario, graph.states[stuck].clone())).unwrap_or_default();
        return Walk { states: graph.states.len(), way, then };
    }
    let Property { condition, .. } = scenario.property(property);
    let graph = Graph::until(scenario, |state| !condition(scenario, state));
    let last = graph.states.len() - 1;
    let is_broken = !condition(scenario, &graph.states[last]);
    Walk { states: graph.states.len(), way: is_broken.then(|| graph.way(last)), then: Vec::new() }
}

/// What comes by itself from a state on, until nothing new comes.
fn waits(scenario: &Scenario, from: State) -> Vec<Step> {
    let mut seen = vec![from];
    let mut steps = Vec::new();
    loop {
        let before = seen[seen.len() - 1].clone();
        let mut ways = scenario.next_steps(&before).into_iter();
        let Some((action, after)) =
            ways.find(|(action, after)| action.comes_by_itself(&before) && !seen.contains(after))
        else {
            return steps;
        };
        seen.push(after.clone());
        steps.push(Step { action, before, after });
    }
}

impl Graph {
    /// All states, or those up to the first that is looked for.
    fn until(scenario: &Scenario, is_it: impl Fn(&State) -> bool) -> Graph {
        let mut graph = Graph { states: Vec::new(), reached: Vec::new(), before: Vec::new(), known: HashMap::new() };
        for state in scenario.init_states() {
            graph.add(state, None);
        }
        let mut actions = Vec::new();
        let mut next = 0;
        while next < graph.states.len() {
            scenario.actions(&graph.states[next], &mut actions);
            for action in actions.drain(..) {
                let Some(state) = scenario.next_state(&graph.states[next], action) else { continue };
                let (to, is_new) = graph.add(state, Some((next as u32, action)));
                if is_new && is_it(&graph.states[to]) {
                    return graph;
                }
                if action.comes_by_itself(&graph.states[next]) {
                    graph.before[to].push(next as u32);
                }
            }
            next += 1;
        }
        graph
    }

    /// Where the state is in the graph, and whether it was not there before.
    fn add(&mut self, state: State, reached: Option<(u32, Action)>) -> (usize, bool) {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let mut place = hasher.finish();
        // Two states with one hash: the next number is free for the second.
        while let Some(index) = self.known.get(&place) {
            if self.states[*index as usize] == state {
                return (*index as usize, false);
            }
            place = place.wrapping_add(1);
        }
        let index = self.states.len();
        self.known.insert(place, index as u32);
        self.states.push(state);
        self.reached.push(reached);
        self.before.push(Vec::new());
        (index, true)
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

//! Prints what holds, and what breaks without each rule.
use muhatap_model::{catalogue, walk, words};

fn main() {
    for s in catalogue::HOLDING {
        let t = std::time::Instant::now();
        let w = walk::walk(s);
        println!("{:60} {:8} {:?}", s.name, w.states, t.elapsed());
        for b in &w.broken {
            println!("   BROKEN {}", b.property);
            for st in &b.steps { println!("      {}", words::line(s, st)); }
        }
    }
    for l in catalogue::LESSONS {
        let t = std::time::Instant::now();
        let w = walk::walk(&l.scenario);
        println!("WITHOUT {:?}: {:40} {:8} {:?}", l.rule, l.scenario.name, w.states, t.elapsed());
        match w.broken.iter().find(|b| b.property == l.breaks) {
            Some(b) => { println!("  {}", b.property); for st in &b.steps { println!("      {}", words::line(&l.scenario, st)); } }
            None => println!("   ???? NOT BROKEN; others {:?}", w.broken.iter().map(|b| b.property).collect::<Vec<_>>()),
        }
    }
}

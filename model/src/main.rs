//! `cargo run -p muhatap-model`: prints what the protocol promises, and for each rule what breaks without it.

use muhatap_model::catalogue::LESSONS;
use muhatap_model::report;

fn main() {
    println!("With every rule:\n\n{}", report::holding());
    println!("With one rule less:\n\n{}", report::lessons());
    println!("The shortest way to each:\n");
    for lesson in LESSONS {
        println!("{}", report::way(lesson));
    }
}

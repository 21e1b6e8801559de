//! Any text is understood without a panic and in bounded time: `cargo +nightly fuzz run analyze -- -timeout=5 -max_len=200000`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muhatap::analyze::{Analyzer, DictionaryPaths};

static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| Analyzer::new(&DictionaryPaths::default()));

fuzz_target!(|text: &str| {
    let analysis = ANALYZER.analyze(text);
    for entity in &analysis.entities {
        assert_eq!(&text[entity.start..entity.end], entity.text);
    }
});

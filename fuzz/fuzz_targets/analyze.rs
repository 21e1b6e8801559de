//! Any text is understood without a panic and in bounded time, and what is said of it keeps its promises:
//! `cargo +nightly fuzz run -s none analyze -- -timeout=10 -max_len=200000`. Sanitizers look at unsafe code, which is the
//! dependencies' alone; without them it reads more texts in the same time.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muhatap::analyze::{Analysis, Analyzer, DictionaryPaths, Entity, Sentiment, tokens};

static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| Analyzer::new(&DictionaryPaths::default()));

fuzz_target!(|text: &str| {
    let analysis = ANALYZER.analyze(text);
    let composed = tokens::compose(text);
    entities_stand_in(text, &analysis.entities);
    reasons_make_the_score(&composed, &analysis.sentiment);
    for alarm in &analysis.urgency.because {
        assert!(composed.contains(&alarm.text), "{alarm:?} is not in the text");
    }
    numbers_are_in_bounds(&analysis);
});

fn entities_stand_in(text: &str, entities: &[Entity]) {
    let mut read = 0;
    for entity in entities {
        assert_eq!(&text[entity.start..entity.end], entity.text);
        assert!(read <= entity.start && entity.start < entity.end, "{entities:?} overlap");
        read = entity.end;
    }
}

fn reasons_make_the_score(composed: &str, sentiment: &Sentiment) {
    for reason in &sentiment.because {
        assert!(composed.contains(&reason.text), "{reason:?} is not in the text");
        assert!(reason.weight != 0.0 && !reason.text.is_empty(), "{reason:?} says nothing");
    }
    let sum: f64 = sentiment.base + sentiment.because.iter().map(|reason| reason.weight).sum::<f64>();
    assert!((sum.tanh() - sentiment.score).abs() < 0.000_06, "{sum} does not make the score of {sentiment:?}");
}

fn numbers_are_in_bounds(analysis: &Analysis) {
    let Analysis { language, sentiment, intents, .. } = analysis;
    let part = |number: f64| (0.0..=1.0).contains(&number);
    assert!(part(language.confidence), "{language:?}");
    assert!((-1.0..=1.0).contains(&sentiment.score) && part(sentiment.confidence), "{sentiment:?}");
    assert!(!intents.is_empty() && intents.iter().all(|intent| part(intent.confidence)), "{intents:?}");
    assert!(intents.is_sorted_by(|one, other| one.confidence >= other.confidence), "{intents:?}");
}

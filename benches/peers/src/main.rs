//! Times lingua and vader_sentiment over the texts on stdin, one a line: for each, the name and the microseconds of the
//! median and of the 90th percentile, parted by tabs.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use lingua::Language::{
    Arabic, Azerbaijani, Dutch, English, French, German, Hindi, Indonesian, Italian, Polish, Portuguese, Spanish,
    Swedish, Turkish,
};
use lingua::LanguageDetectorBuilder;
use vader_sentiment::SentimentIntensityAnalyzer;

fn main() -> Result<(), io::Error> {
    let texts = io::stdin().lines().collect::<Result<Vec<String>, io::Error>>()?;
    // The languages that Muhatap's own table tells apart and lingua knows.
    let languages = [
        Arabic, Azerbaijani, Dutch, English, French, German, Hindi, Indonesian, Italian, Polish, Portuguese, Spanish,
        Swedish, Turkish,
    ];
    let detector = LanguageDetectorBuilder::from_languages(&languages).with_preloaded_language_models().build();
    time("lingua (Rust), language alone", &texts, |text| {
        black_box(detector.detect_language_of(text));
    });
    let vader = SentimentIntensityAnalyzer::new();
    time("vader_sentiment (Rust), English sentiment alone", &texts, |text| {
        black_box(vader.polarity_scores(text));
    });
    Ok(())
}

fn time(name: &str, texts: &[String], mut work: impl FnMut(&str)) {
    let mut times: Vec<f64> = texts
        .iter()
        .map(|text| {
            let started = Instant::now();
            work(text);
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{name}\t{:.1}\t{:.1}", at(0.5), at(0.9));
}

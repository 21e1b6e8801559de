//! How long the analysis of a short text takes, whole and part by part, on one core: `cargo bench --bench analyze`.
//!
//! Over the corpus of the repository; with `-- --data DIR` over the real posts of that folder, and with `--peers` also
//! beside the Rust crates lingua and vader_sentiment and the Python pipeline of langid and VADER over the same texts
//! (`benches/peers`; builds them and fetches both from crates.io and PyPI, which takes minutes).

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use muhatap::analyze::corpus::{Part, mentions};
use muhatap::analyze::{Analyzer, DictionaryPaths, language, tokens};

/// As many real posts of each language are enough for a steady median.
const POSTS: usize = 3_000;

fn main() {
    let mut data: Option<PathBuf> = None;
    let mut peers = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--data" => data = Some(arguments.next().expect("--data is followed by a folder").into()),
            "--peers" => peers = true,
            // What cargo itself adds.
            "--bench" => {}
            other => panic!("{other} is neither --data DIR nor --peers"),
        }
    }
    let (turkish, english) = match &data {
        Some(data) => {
            (column(&data.join("unlabelled/tr_brand_posts.tsv")), column(&data.join("sentiment/en_tweeteval.dev.tsv")))
        }
        None => (own("tr"), own("en")),
    };
    let resident_before = resident();
    let started = Instant::now();
    let analyzer = Analyzer::new(&DictionaryPaths::default());
    analyzer.analyze("ilk metin modelleri de okur");
    let start = started.elapsed();
    println!("ready after {:.1} ms, {} MB more resident", start.as_secs_f64() * 1e3, resident() - resident_before);
    println!("{:<60}{:>8}{:>8}", "microseconds a text", "median", "90 %");
    for (name, texts) in [("Turkish", &turkish), ("English", &english)] {
        parts(name, texts, &analyzer);
    }
    if peers {
        let both: Vec<&str> = turkish.iter().chain(&english).map(String::as_str).collect();
        println!("{} texts of both, one run after the other", both.len());
        row("Muhatap, the whole analysis", both.iter().map(|text| time(|| analyzer.analyze(text)).1).collect());
        beside(&both);
    }
}

/// The whole analysis of each text, then its steps.
fn parts(name: &str, texts: &[String], analyzer: &Analyzer) {
    let letters: usize = texts.iter().map(|text| text.chars().count()).sum();
    println!("{} {name} texts of {} characters", texts.len(), letters / texts.len().max(1));
    // The stems of words are remembered: a worker that has run for a while is nearer to the second row.
    for name in ["the whole analysis, words met for the first time", "the whole analysis, words met before"] {
        row(name, texts.iter().map(|text| time(|| analyzer.analyze(text)).1).collect());
    }
    let mut steps: [(&str, Vec<f64>); 6] = [
        ("  normal form, script, tokens", Vec::new()),
        ("  language", Vec::new()),
        ("  sentiment and intents with reasons", Vec::new()),
        ("  stems, hashtags split", Vec::new()),
        ("  entities", Vec::new()),
        ("  topics", Vec::new()),
    ];
    for text in texts {
        let ((composed, script), normal) = time(|| {
            let composed = tokens::compose(text);
            let script = language::script(&composed);
            (composed, script)
        });
        let (tokens, cut) = time(|| analyzer.tokens(&composed, &script));
        let (language, told) = time(|| analyzer.language(&composed, script, &tokens, None));
        let (_, judged) = time(|| analyzer.sentiment_and_intents(&composed, &tokens, &language, None));
        let (hashtags, split) = time(|| analyzer.hashtag_words(&tokens, &language));
        let (_, stemmed) = time(|| analyzer.stems(&tokens, &hashtags, &language));
        let (_, found) = time(|| analyzer.entities(text, &language));
        let (_, named) = time(|| analyzer.topics(&tokens, &hashtags, &language));
        for ((_, times), taken) in steps.iter_mut().zip([normal + cut, told, judged, split + stemmed, found, named]) {
            times.push(taken);
        }
    }
    for (name, times) in steps {
        row(name, times);
    }
}

/// What `work` gives, and how many microseconds it took.
fn time<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let made = black_box(work());
    (made, started.elapsed().as_secs_f64() * 1e6)
}

fn row(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{name:<60}{:>8.1}{:>8.1}", at(0.5), at(0.9));
}

/// The mentions of our own that no model learnt from.
fn own(language: &str) -> Vec<String> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let rows = mentions(&corpus, language).expect("the corpus of the repository can be read");
    rows.into_iter().filter(|row| row.part == Part::Test).map(|row| row.text).collect()
}

/// The texts of a file of `data/`, its second column.
fn column(file: &Path) -> Vec<String> {
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(file)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    let texts = rows.records().filter_map(Result::ok).filter_map(|row| row.get(1).map(|text| text.replace('\n', " ")));
    texts.take(POSTS).collect()
}

/// Runs the peers over the same texts and prints what they say.
fn beside(texts: &[&str]) {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-peers");
    let python = target.join("venv/bin/python");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(target.join("venv")), "");
        run(
            Command::new(&python).args(["-m", "pip", "install", "--quiet", "langid==1.1.6", "vaderSentiment==3.3.2"]),
            "",
        );
    }
    let input = texts.join("\n");
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--locked", "--release", "--quiet", "--manifest-path"]).arg(peers.join("Cargo.toml"));
    let told = run(cargo.env("CARGO_TARGET_DIR", &target), &input)
        + &run(Command::new(&python).arg(peers.join("pipeline.py")), &input);
    for line in told.lines() {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        println!("{:<60}{:>8}{:>8}", next(), next(), next());
    }
}

/// What `command` prints when it reads `input`.
fn run(command: &mut Command, input: &str) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).unwrap_or_else(|error| panic!("{name} does not read: {error}"));
    drop(stdin);
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name} failed: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Resident memory of this process in MB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap_or_default() / 1024
}

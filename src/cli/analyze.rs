//! `muhatap analyze`: texts in, what was understood of them out, in the same order; needs no database.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::UsageError;
use crate::analyze::{Analyzer, DictionaryPaths};
use crate::config::Config;

/// Lines that go to a thread together; fewer when no more are there yet, so that a slow source is answered at once.
const BATCH: usize = 128;
/// Longer than any text: the rest of such a line is skipped.
const LONGEST_LINE: usize = 4 << 20;

/// Language, sentiment with its reasons, intents, tokens, stems, entities, topics and urgency of each line, as JSON lines
/// in the same order
///
/// A line is {"id": …, "text": "…"} or plain text, whose id is the number of its line. A line that cannot be read is
/// reported on stderr with its number; the rest goes on, and the exit status is 1.
///
/// It judges with the built-in models alone: what was learnt from corrections is a brand's, and a text here has none.
///
/// Example: echo "Kargom 5 gündür gelmedi" | muhatap analyze
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// What to read; stdin unless given, or when it is "-"
    file: Option<PathBuf>,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let input: Box<dyn Read + Send> = match args.file.filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            match File::open(&file).and_then(|opened| opened.metadata().map(|about| (opened, about.is_dir()))) {
                Ok((opened, false)) => Box::new(opened),
                Ok((_, true)) => return Err(UsageError(format!("{} is a folder; name a file", file.display())).into()),
                Err(error) => return Err(UsageError(format!("{} cannot be read: {error}", file.display())).into()),
            }
        }
        None => Box::new(io::stdin()),
    };
    let dictionaries = DictionaryPaths::under(&config.dictionaries_dir());
    let all_read = tokio::task::spawn_blocking(move || {
        let analyzer = Analyzer::new(&dictionaries);
        analyze_lines(&analyzer, BufReader::with_capacity(1 << 16, input), io::stdout().lock(), io::stderr())
    })
    .await??;
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A line of the input, or why it could not be read.
type Line = Result<Vec<u8>, &'static str>;

/// Lines and what became of them: output for stdout, complaints for stderr.
struct Batch {
    number: u64,
    first_line: u64,
    json: bool,
    lines: Vec<Line>,
}

struct Answer {
    out: Vec<u8>,
    complaints: String,
}

/// Reads on one thread, analyzes on all cores, writes in order on this one; at most a few batches are in memory.
fn analyze_lines(
    analyzer: &Analyzer,
    input: BufReader<impl Read + Send>,
    output: impl Write,
    mut complaints: impl Write,
) -> Result<bool, io::Error> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut output = BufWriter::with_capacity(1 << 16, output);
    // A batch holds a permit from before it is read until it is written: the bound on what is in memory.
    let (permit, permits) = mpsc::sync_channel::<()>(4 * threads);
    for _ in 0..4 * threads {
        permit.send(()).map_err(io::Error::other)?;
    }
    let (to_threads, batches) = mpsc::sync_channel::<Batch>(4 * threads);
    let (answer, answers) = mpsc::channel::<(u64, Answer)>();
    let batches = Mutex::new(batches);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_batches(input, &permits, &to_threads));
        for _ in 0..threads {
            let answer = answer.clone();
            let batches = &batches;
            scope.spawn(move || {
                loop {
                    let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(batch) = next else { return };
                    let number = batch.number;
                    if answer.send((number, answer_batch(analyzer, batch))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(answer);
        let mut next = 0;
        let mut early: BTreeMap<u64, Answer> = BTreeMap::new();
        let mut all_read = true;
        let mut written = Ok(());
        'write: for (number, answer) in answers {
            early.insert(number, answer);
            while let Some(Answer { out, complaints: bad }) = early.remove(&next) {
                next += 1;
                all_read &= bad.is_empty();
                written = output.write_all(&out).and_then(|()| output.flush());
                // A closed stderr is no reason to stop.
                let _ = complaints.write_all(bad.as_bytes());
                if written.is_err() {
                    break 'write;
                }
                let _ = permit.send(());
            }
        }
        // Without permits the reader ends, and with it everything else.
        drop(permit);
        match written {
            // Whoever read us has enough: `muhatap analyze | head`. The reader may wait for input that never comes.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(error),
            Ok(()) => {
                reader.join().map_err(|_| io::Error::other("the reading thread panicked"))??;
                Ok(all_read)
            }
        }
    })
}

fn read_batches(
    mut input: BufReader<impl Read>,
    permits: &mpsc::Receiver<()>,
    batches: &mpsc::SyncSender<Batch>,
) -> Result<(), io::Error> {
    let mut first_line = 1;
    // The first line that says something decides whether the lines are JSON.
    let mut json = None;
    for number in 0.. {
        if permits.recv().is_err() {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(BATCH);
        let mut ended = false;
        while lines.len() < BATCH {
            match read_line(&mut input)? {
                Some(line) => lines.push(line),
                None => {
                    ended = true;
                    break;
                }
            }
            // What is not here yet may be long in coming: what is here is answered first.
            if input.buffer().is_empty() {
                break;
            }
        }
        if first_line == 1
            && let Some(Ok(line)) = lines.first_mut()
            && line.starts_with(b"\xef\xbb\xbf")
        {
            line.drain(..3);
        }
        if json.is_none() {
            let told = lines.iter().flatten().map(|line| line.trim_ascii_start()).find(|line| !line.is_empty());
            json = told.map(|line| line.starts_with(b"{"));
        }
        let count = lines.len() as u64;
        if count > 0 && batches.send(Batch { number, first_line, json: json.unwrap_or(false), lines }).is_err() {
            return Ok(());
        }
        first_line += count;
        if ended {
            return Ok(());
        }
    }
    Ok(())
}

/// The next line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> Result<Option<Line>, io::Error> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LONGEST_LINE {
        skip_line(input)?;
        return Ok(Some(Err("longer than 4 MiB")));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(Ok(line)))
}

fn skip_line(input: &mut impl BufRead) -> Result<(), io::Error> {
    loop {
        let held = input.fill_buf()?;
        let (used, found) = match held.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (held.len(), held.is_empty()),
        };
        input.consume(used);
        if found {
            return Ok(());
        }
    }
}

#[derive(Deserialize)]
struct JsonLine<'l> {
    #[serde(borrow)]
    id: Option<&'l RawValue>,
    #[serde(default)]
    text: Option<serde_json::Value>,
}

fn answer_batch(analyzer: &Analyzer, batch: Batch) -> Answer {
    let mut answer = Answer { out: Vec::with_capacity(512 * batch.lines.len()), complaints: String::new() };
    for (line, number) in batch.lines.into_iter().zip(batch.first_line..) {
        let answered = line.map_err(str::to_owned).and_then(|line| answer_line(analyzer, &line, number, batch.json));
        match answered {
            Ok(out) => answer.out.extend_from_slice(&out),
            Err(reason) => answer.complaints.push_str(&format!("line {number}: {reason}\n")),
        }
    }
    answer
}

fn answer_line(analyzer: &Analyzer, line: &[u8], number: u64, json: bool) -> Result<Vec<u8>, String> {
    let text =
        std::str::from_utf8(line).map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to() + 1))?;
    if json && text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (id, text) = if json || text.trim_start().starts_with("{\"") {
        let line: JsonLine<'_> = serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object with \"text\": {}", reason(&error)))?;
        let text = match line.text {
            Some(serde_json::Value::String(text)) => text,
            Some(_) => return Err("\"text\" is not a string".to_owned()),
            None => return Err("no \"text\"".to_owned()),
        };
        let id = match line.id.map(RawValue::get) {
            Some(id) if id.starts_with(['"', '-']) || id.starts_with(|first: char| first.is_ascii_digit()) => {
                id.to_owned()
            }
            Some("null") | None => number.to_string(),
            Some(_) => return Err("\"id\" is neither a string nor a number".to_owned()),
        };
        (id, text)
    } else {
        (number.to_string(), text.to_owned())
    };
    let analysis = serde_json::to_string(&analyzer.analyze(&text)).map_err(|error| error.to_string())?;
    // The id goes out as it came in, to the last digit of a number no float holds.
    let fields = analysis.strip_prefix('{').unwrap_or(&analysis);
    Ok(format!("{{\"id\":{id},{fields}\n").into_bytes())
}

/// What is wrong with a line, without the line number of its own that serde_json counts.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => format!("{reason} (column {})", error.column()),
        None => text,
    }
}

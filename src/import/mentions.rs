//! `muhatap import mentions`.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream;
use muhatap_connectors::networks::file::{BadLine, Reading, Record, read};
use muhatap_connectors::{Change, Incoming};

use super::{CHUNK, Counted, ImportError, Imported, Told, about};
use crate::analyze::Analyzer;
use crate::listen::understand;
use crate::model::{AccountId, Network};
use crate::store::mentions::{NewChange, Recorded};
use crate::store::{Store, StoreError};

/// Where imported mentions go.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    pub account_id: AccountId,
    pub network: Network,
}

/// A chunk of the file, understood.
struct Chunk {
    lines: Vec<u64>,
    changes: Vec<NewChange>,
    bad: Vec<BadLine>,
}

/// Reads mentions, understands them on every core and stores them in order; `to` missing is a dry run. `size` is the
/// file's, where it is known.
pub async fn import_mentions<R: Read + Send + 'static>(
    input: R,
    size: Option<u64>,
    reading: Reading,
    analyzer: Arc<Analyzer>,
    to: Option<(&Store, Destination)>,
    mut tell: impl FnMut(Told<'_>),
) -> Result<Imported, ImportError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let records = read(Counted { input, read: bytes.clone() }, reading)?;
    // Two chunks wait at most: the file is read as fast as it is stored, and memory stays flat.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Vec<Result<Record, BadLine>>>(2);
    let reader = tokio::task::spawn_blocking(move || {
        let mut records = records.peekable();
        while records.peek().is_some() {
            let chunk = records.by_ref().take(CHUNK).collect();
            if sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    let own_network = to.is_none_or(|(_, destination)| destination.network == Network::File);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chunks = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
        .map(|records| {
            let analyzer = analyzer.clone();
            tokio::task::spawn_blocking(move || understand_chunk(&analyzer, records, own_network))
        })
        .buffered(cores);
    let mut chunks = std::pin::pin!(chunks);

    let mut imported = Imported::default();
    let mut next = chunks.next().await;
    while let Some(chunk) = next {
        let chunk = chunk.expect("understanding a text never panics");
        imported.read += (chunk.lines.len() + chunk.bad.len()) as u64;
        imported.bad += chunk.bad.len() as u64;
        for bad in &chunk.bad {
            tell(Told::Bad { line: bad.line, reason: &bad.reason });
        }
        // While one chunk is stored the next ones are understood.
        let stored;
        (stored, next) = tokio::join!(store_chunk(to, &chunk), chunks.next());
        if let Some(recorded) = stored? {
            imported.new += recorded.new.len() as u64;
            imported.known += recorded.known as u64;
            imported.updated += recorded.edited as u64;
            imported.linked += recorded.linked as u64;
            imported.bad += recorded.unparsed.len() as u64;
            for (position, reason) in &recorded.unparsed {
                tell(Told::Bad { line: chunk.lines[*position], reason });
            }
        }
        let all = about(imported.read, bytes.load(Ordering::Relaxed), size);
        tell(Told::Done { lines: imported.read, all });
    }
    reader.await.expect("reading a file never panics");
    Ok(imported)
}

async fn store_chunk(to: Option<(&Store, Destination)>, chunk: &Chunk) -> Result<Option<Recorded>, StoreError> {
    let Some((store, destination)) = to else { return Ok(None) };
    store.record_import(destination.account_id, destination.network, &chunk.changes).await.map(Some)
}

fn understand_chunk(analyzer: &Analyzer, records: Vec<Result<Record, BadLine>>, own_network: bool) -> Chunk {
    let mut chunk = Chunk { lines: Vec::with_capacity(records.len()), changes: Vec::new(), bad: Vec::new() };
    for record in records {
        match record {
            Ok(record) => {
                chunk.lines.push(record.line);
                chunk.changes.push(understand(analyzer, Change::Seen(placed(record, own_network))));
            }
            Err(bad) => chunk.bad.push(bad),
        }
    }
    chunk
}

/// A message whose ids mean the same in every file: those of another network carry its name, and an author of whom only
/// a name is known is nobody else's namesake.
fn placed(record: Record, own_network: bool) -> Incoming {
    let mut incoming = record.incoming;
    if let Some(network) = record.network.filter(|_| own_network) {
        let name = |id: &mut String| {
            if !id.contains("://") && !id.starts_with("row:") {
                *id = format!("{network}:{id}");
            }
        };
        name(&mut incoming.remote_id);
        name(&mut incoming.author.remote_id);
        incoming.in_reply_to.as_mut().map(name);
        incoming.thread.as_mut().map(name);
    }
    if incoming.author.handle.is_empty() && incoming.author.remote_id.ends_with(nameless(&incoming.author.display_name))
    {
        incoming.author.remote_id = format!("{}#author", incoming.remote_id);
    }
    incoming
}

fn nameless(display_name: &str) -> &str {
    if display_name.is_empty() { "unknown" } else { display_name }
}

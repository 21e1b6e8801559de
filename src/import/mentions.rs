//! `muhatap import mentions`.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use muhatap_connectors::networks::file::{BadLine, Reading, Record, read};
use muhatap_connectors::{Change, Incoming};

use super::{CHUNK, Counted, ImportError, Imported, Told, about};
use crate::analyze::Analyzer;
use crate::analyze::delta::Learnt;
use crate::listen::understand;
use crate::model::{AccountId, Network};
use crate::store::accounts::{Account, NewAccount};
use crate::store::mentions::{NewChange, foresee_first_import};
use crate::store::{Store, StoreError};

/// Lines of which a dry run remembers that they were new, so that one which comes again later in the file is known. What
/// comes after so many is compared with the database alone: memory stays flat.
const REMEMBERED: usize = 1_000_000;

/// Where imported mentions go.
#[derive(Clone, Copy)]
pub enum MentionsTo<'s> {
    /// Stored, as if this account had seen them on its network.
    Account { store: &'s Store, id: AccountId, network: Network },
    /// Compared with what is stored of this network, and not written; where there is no database yet, all are new.
    DryRun { store: Option<&'s Store>, network: Network },
}

impl MentionsTo<'_> {
    fn network(self) -> Network {
        match self {
            Self::Account { network, .. } | Self::DryRun { network, .. } => network,
        }
    }
}

/// The account of mentions that none of the connected ones saw: made where it is missing, its times without an offset are
/// of `zone`, an IANA name.
pub async fn account_of_files(store: &Store, zone: &str) -> Result<Account, StoreError> {
    let account = NewAccount {
        name: "import".to_owned(),
        brand: crate::config::default_brand(),
        network: Network::File,
        base_url: None,
        login: None,
        listen_for: Vec::new(),
        poll_seconds: 30,
        timezone: zone.to_owned(),
        origin: "import",
        secret: None,
        secret_mark: None,
    };
    store.account(store.put_account(&account, Duration::ZERO).await?).await
}

/// A chunk of the file, understood.
struct Chunk {
    lines: Vec<u64>,
    changes: Vec<NewChange>,
    bad: Vec<BadLine>,
}

/// Reads mentions, understands them on every core, with what was learnt from their brand's corrections, and stores them
/// in order. `size` is the file's, in bytes, where it is
/// known. `input` is read on a thread of its own and may block.
pub async fn import_mentions<R: Read + Send + 'static>(
    input: R,
    size: Option<u64>,
    reading: Reading,
    (analyzer, learnt): (Arc<Analyzer>, Option<Arc<Learnt>>),
    to: MentionsTo<'_>,
    mut tell: impl FnMut(Told<'_>),
) -> Result<Imported, ImportError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let input = Counted { input, read: bytes.clone() };
    // One chunk waits at most: the file is read as fast as it is stored, and memory stays flat.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Vec<Result<Record, BadLine>>>(1);
    let reader = tokio::task::spawn_blocking(move || {
        let mut records = read(input, reading)?.peekable();
        while records.peek().is_some() {
            let chunk = records.by_ref().take(CHUNK).collect();
            if sender.blocking_send(chunk).is_err() {
                break;
            }
        }
        Ok::<_, ImportError>(())
    });
    let own_network = to.network() == Network::File;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chunks = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
        .map(|records| {
            let (analyzer, learnt) = (analyzer.clone(), learnt.clone());
            tokio::task::spawn_blocking(move || understand_chunk(&analyzer, learnt.as_deref(), records, own_network))
        })
        .buffered(cores);
    let mut chunks = std::pin::pin!(chunks);

    let mut imported = Imported::default();
    let mut seen = Seen::default();
    let mut next = chunks.next().await;
    while let Some(chunk) = next {
        let chunk = chunk.expect("understanding a text never panics");
        imported.read += (chunk.lines.len() + chunk.bad.len()) as u64;
        imported.bad += chunk.bad.len() as u64;
        for bad in &chunk.bad {
            tell(Told::Bad { line: bad.line, reason: &bad.reason });
        }
        // While one chunk is stored the next ones are understood.
        let unparsed;
        (unparsed, next) = tokio::join!(take(to, &chunk.changes, &mut seen, &mut imported), chunks.next());
        let unparsed = unparsed?;
        imported.bad += unparsed.len() as u64;
        for (position, reason) in &unparsed {
            tell(Told::Bad { line: chunk.lines[*position], reason });
        }
        let all = about(imported.read, bytes.load(Ordering::Relaxed), size);
        tell(Told::Done { lines: imported.read, all });
        // What many small pieces of memory take to be freed is not waited for.
        drop(tokio::task::spawn_blocking(move || drop(chunk)));
    }
    reader.await.expect("reading a file never panics")?;
    Ok(imported)
}

/// Stores a chunk, or looks up what would become of it, and counts. Returns what cannot be stored: its position in the
/// chunk, and the reason.
async fn take(
    to: MentionsTo<'_>,
    changes: &[NewChange],
    seen: &mut Seen,
    imported: &mut Imported,
) -> Result<Vec<(usize, String)>, StoreError> {
    let foreseen = match to {
        MentionsTo::Account { store, id, network } => {
            let recorded = store.record_import(id, network, changes).await?;
            imported.new += recorded.new.len() as u64;
            imported.known += recorded.known as u64;
            imported.updated += recorded.edited as u64;
            imported.linked += recorded.linked as u64;
            return Ok(recorded.unparsed);
        }
        MentionsTo::DryRun { store: Some(store), network } => store.foresee_import(network, changes).await?,
        MentionsTo::DryRun { store: None, .. } => foresee_first_import(changes),
    };
    let new = foreseen.new.iter().filter(|id| seen.first_time(id)).count();
    imported.new += new as u64;
    imported.known += (foreseen.known + foreseen.new.len() - new) as u64;
    imported.updated += foreseen.edited as u64;
    Ok(foreseen.unparsed)
}

/// Which ids a dry run met, as hashes: of a million, two are taken for one once in many millions of files.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    fn first_time(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        match self.hashes.len() < REMEMBERED {
            true => self.hashes.insert(hash),
            false => !self.hashes.contains(&hash),
        }
    }
}

fn understand_chunk(
    analyzer: &Analyzer,
    learnt: Option<&Learnt>,
    records: Vec<Result<Record, BadLine>>,
    own_network: bool,
) -> Chunk {
    let mut chunk = Chunk { lines: Vec::with_capacity(records.len()), changes: Vec::new(), bad: Vec::new() };
    for record in records {
        match record {
            Ok(record) => {
                chunk.lines.push(record.line);
                chunk.changes.push(understand(analyzer, learnt, Change::Seen(placed(record, own_network))));
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

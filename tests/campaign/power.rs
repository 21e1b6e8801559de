//! What SQLite's files hold after a power loss: of the log only what was synced, since no more is sure to be on the disk.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

/// The library that notes what a worker syncs, built once.
pub async fn library() -> PathBuf {
    static BUILT: OnceCell<tempfile::TempDir> = OnceCell::const_new();
    let folder = BUILT.get_or_init(|| async {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/campaign/synced.c");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("synced.so")).args([source, "-ldl"]);
        let built = command.output().await.expect("a C compiler is there: cargo needs it too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        folder
    });
    folder.await.path().join("synced.so")
}

/// Everything in the log until now counts as synced: this process, which writes to it too, has ended each of its commits.
pub fn note_all(log: &Path) {
    if let Ok(data) = log.metadata() {
        fs::write(notes_of(log), data.len().to_ne_bytes()).expect("notes can be written");
    }
}

/// Puts the database back to what its disk is sure to have. Nothing may have it open.
pub fn put_back(database: &Path) {
    let with = |ending: &str| PathBuf::from(format!("{}{ending}", database.display()));
    let log = with("-wal");
    let notes = fs::read(notes_of(&log)).unwrap_or_default();
    let last = notes.as_chunks::<8>().0.last().map(|size| u64::from_ne_bytes(*size));
    if let (Some(synced), Ok(data)) = (last, log.metadata())
        && synced < data.len()
    {
        let log = fs::File::options().write(true).open(&log).expect("the log can be opened");
        log.set_len(synced).expect("the log can be cut");
    }
    // The index of the log is no part of the database: it is made again from the log.
    fs::remove_file(with("-shm")).ok();
}

fn notes_of(log: &Path) -> PathBuf {
    PathBuf::from(format!("{}.synced", log.display()))
}

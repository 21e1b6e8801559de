//! Files through the same pipeline: mentions are understood, linked and recorded as if polled; contacts are put into the
//! CRM and linked to the authors they turn out to be.

mod contacts;
mod mentions;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muhatap_connectors::networks::file::FileError;
use serde::Serialize;
use utoipa::ToSchema;

pub use contacts::{ContactsReading, ContactsTo, import_contacts};
pub use mentions::{MentionsTo, account_of_files, import_mentions};

use crate::store::StoreError;

/// Lines that are read, understood and stored together.
const CHUNK: usize = 2_000;

/// What became of a file, or in a dry run would become of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    /// Lines with something in them.
    pub read: u64,
    pub new: u64,
    /// There already, and the same.
    pub known: u64,
    pub updated: u64,
    /// Authors linked to a contact by evidence; a dry run links nobody and counts nobody.
    pub linked: u64,
    /// Lines that could not be read or stored.
    pub bad: u64,
}

/// What an import tells while it runs.
#[derive(Debug)]
pub enum Told<'t> {
    /// A line that was passed over.
    Bad { line: u64, reason: &'t str },
    /// Lines done so far, and about how many there are.
    Done { lines: u64, all: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Unfit(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counts the bytes that pass, so that a progress bar knows how far a file is read.
struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// About how many lines a file of `size` bytes has, when `lines` of them took `read` bytes.
fn about(lines: u64, read: u64, size: Option<u64>) -> u64 {
    match size {
        Some(size) if read > 0 => (lines as f64 * size as f64 / read as f64).round().max(lines as f64) as u64,
        _ => lines,
    }
}

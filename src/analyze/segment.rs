//! Cuts Japanese, Chinese and Korean into words with the dictionaries of `muhatap dictionaries build`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;

use lindera::dictionary::load_dictionary;
use lindera::mode::Mode;
use lindera::segmenter::Segmenter;

/// The words of one language, opened when its first text comes: memory-mapped, so nothing is spent on languages nobody writes.
pub struct Words {
    language: &'static str,
    folder: Option<PathBuf>,
    opened: OnceLock<Option<Segmenter>>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Words")
            .field("language", &self.language)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Words {
    pub fn new(language: &'static str, folder: Option<PathBuf>) -> Self {
        Self { language, folder, opened: OnceLock::new() }
    }

    /// The words of a text; `None` without a dictionary, and then the Unicode rules must do.
    pub fn of<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let segmenter = self.opened.get_or_init(|| self.open()).as_ref()?;
        let tokens = segmenter.segment(Cow::Borrowed(text)).ok()?;
        Some(tokens.iter().filter_map(|token| text.get(token.byte_start..token.byte_end)).collect())
    }

    /// Whether there is a dictionary that can be read.
    pub fn is_there(&self) -> bool {
        self.opened.get_or_init(|| self.open()).is_some()
    }

    fn open(&self) -> Option<Segmenter> {
        let folder = self.folder.as_ref()?;
        let missing = |reason: &str| {
            metrics::counter!(crate::telemetry::DICTIONARY_MISSING, "language" => self.language).increment(1);
            tracing::warn!(
                language = self.language,
                "no word dictionary for {}: {reason}; its texts are cut by Unicode rules, which is weaker; \
                 make it with `muhatap dictionaries build {}`",
                self.language,
                self.language
            );
            None
        };
        if !folder.join("metadata.json").is_file() {
            return missing(&format!("{} is not there", folder.display()));
        }
        match folder.to_str().map(load_dictionary) {
            Some(Ok(dictionary)) => Some(Segmenter::new(Mode::Normal, dictionary, None).max_grouping_len(Some(24))),
            Some(Err(error)) => missing(&format!("{} cannot be read: {error}", folder.display())),
            None => missing("the path is not UTF-8"),
        }
    }
}

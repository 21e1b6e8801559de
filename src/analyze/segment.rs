//! Cuts Japanese, Chinese and Korean into words with the dictionaries of `muhatap dictionaries build`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use lindera::dictionary::{Dictionary, UserDictionary, load_dictionary};
use lindera::mode::Mode;
use lindera::segmenter::Segmenter;
use lindera_dictionary::builder::DictionaryBuilder;

use super::tokens::compose;

/// The words of one language, opened when its first text comes: memory-mapped, so nothing is spent on languages nobody writes.
pub struct Words {
    language: &'static str,
    folder: Option<PathBuf>,
    names: Option<PathBuf>,
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
    /// `folder` holds the dictionary; `names` is a file of [`names`] that are never cut.
    pub fn new(language: &'static str, folder: Option<PathBuf>, names: Option<PathBuf>) -> Self {
        Self { language, folder, names, opened: OnceLock::new() }
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
            Some(Ok(dictionary)) => {
                let names = self.names_for(&dictionary);
                Some(Segmenter::new(Mode::Normal, dictionary, names).max_grouping_len(Some(24)))
            }
            Some(Err(error)) => missing(&format!("{} cannot be read: {error}", folder.display())),
            None => missing("the path is not UTF-8"),
        }
    }

    /// The names as words of their own beside the dictionary's; what is wrong with them is said and leaves them out.
    fn names_for(&self, dictionary: &Dictionary) -> Option<UserDictionary> {
        let file = self.names.as_ref()?;
        let names = match names(file) {
            Ok(names) if names.is_empty() => return None,
            Ok(names) => names,
            Err(error) => {
                tracing::warn!("the names in {} are not known: {error}; mend the file and start again", file.display());
                return None;
            }
        };
        let mut rows = csv::Writer::from_writer(Vec::new());
        for name in names {
            // The surface, and the two fields of `user_dictionary_schema` that nobody reads.
            rows.write_record([name.as_str(), "*", "*"]).ok()?;
        }
        let rows = rows.into_inner().ok()?;
        match DictionaryBuilder::new((*dictionary.metadata).clone()).build_user_dict_from_reader(rows.as_slice()) {
            Ok(names) => Some(names),
            Err(error) => {
                tracing::warn!(language = self.language, "the names in {} are not known: {error}", file.display());
                None
            }
        }
    }
}

/// The names of brands and products in a file, one a line, `#` beginning a comment; none where there is no file.
pub fn names(file: &Path) -> Result<BTreeSet<String>, io::Error> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| compose(line).into_owned()).collect())
}

//! Full-text search over folded words: FTS5 on SQLite, a text-search vector on PostgreSQL.
//!
//! Both hold words that [`words`] wrote, so both find the same; neither database folds or splits by itself.

use sqlx::AnyConnection;

use super::bulk::AnyQuery;
use super::rows::Cells;
use super::{Engine, Store, StoreError, Tx};
use crate::analyze::tokens::search_fold;

/// Longer words are cut: no one types them, and an index entry has a bound.
const LONGEST_WORD: usize = 64;
/// Rows read at a time when everything is indexed again.
const BATCH: i64 = 1_000;

/// What can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Index {
    Mentions,
    Contacts,
}

/// One row of an index.
pub(in crate::store) struct Entry<'e> {
    pub subject_id: &'e str,
    /// Its number in SQLite's index.
    pub row: Option<i64>,
    /// From [`words`].
    pub document: &'e str,
}

/// The folded words of a text, with one blank between them. Chinese, Japanese and Korean are split into characters, which
/// a query is too: written without blanks, they would be found by their beginning alone.
pub fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut length = 0;
    for character in search_fold(text).chars() {
        let alone = is_ideograph(character) || is_pictograph(character);
        if !alone && !character.is_alphanumeric() && !is_mark(character) {
            length = LONGEST_WORD + 1;
            continue;
        }
        if length > 0 && length < LONGEST_WORD && !alone {
            words.push(character);
            length += 1;
        } else if length != LONGEST_WORD || alone {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push(character);
            // A character that stands alone ends its word.
            length = if alone { LONGEST_WORD + 1 } else { 1 };
        }
    }
    words
}

fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
        && character.is_alphanumeric()
}

fn is_pictograph(character: char) -> bool {
    matches!(character, '\u{2600}'..='\u{27BF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Vowel signs of Indian and other scripts, without which a word there falls apart.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{0900}'..='\u{0DFF}' | '\u{0E30}'..='\u{0E4E}' | '\u{064B}'..='\u{065F}')
}

/// Makes the search tables; in the migration's transaction.
pub(super) async fn set_up(connection: &mut AnyConnection, engine: Engine) -> Result<(), StoreError> {
    let statements: &[&'static str] = match engine {
        Engine::Sqlite => &[
            "CREATE VIRTUAL TABLE IF NOT EXISTS mention_search USING fts5
             (mention_id UNINDEXED, document, tokenize = \"unicode61 remove_diacritics 0 categories 'L* M* N* Co S*'\", detail = none)",
            "INSERT INTO mention_search (mention_search, rank) VALUES ('secure-delete', 1)",
            "CREATE VIRTUAL TABLE IF NOT EXISTS contact_search USING fts5
             (contact_id UNINDEXED, document, tokenize = \"unicode61 remove_diacritics 0 categories 'L* M* N* Co S*'\", detail = none)",
            "INSERT INTO contact_search (contact_search, rank) VALUES ('secure-delete', 1)",
        ],
        Engine::Postgres => &[
            "CREATE TABLE IF NOT EXISTS mention_search (mention_id TEXT PRIMARY KEY, document TSVECTOR NOT NULL)",
            "CREATE INDEX IF NOT EXISTS mention_search_document ON mention_search USING GIN (document)",
            "CREATE TABLE IF NOT EXISTS contact_search (contact_id TEXT PRIMARY KEY, document TSVECTOR NOT NULL)",
            "CREATE INDEX IF NOT EXISTS contact_search_document ON contact_search USING GIN (document)",
        ],
    };
    for statement in statements {
        sqlx::query(*statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether [`set_up`] has been run to its end.
pub(super) async fn is_set_up(connection: &mut AnyConnection) -> bool {
    sqlx::query("SELECT contact_id FROM contact_search LIMIT 0").fetch_all(&mut *connection).await.is_ok()
}

impl Store {
    /// What to bind for a search: every word of `text` as the beginning of a word. `None`: there is no word in it.
    pub(in crate::store) fn search_query(&self, text: &str) -> Option<String> {
        let words = words(text);
        let words = words.split(' ').filter(|word| !word.is_empty());
        let query = match self.inner.engine {
            Engine::Sqlite => words.map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" AND "),
            Engine::Postgres => words.map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & "),
        };
        (!query.is_empty()).then_some(query)
    }

    /// What stands before and after the placeholder of [`Store::search_query`] in `m.id IN (…)`.
    pub(in crate::store) fn mentions_matching(&self) -> (&'static str, &'static str) {
        match self.inner.engine {
            Engine::Sqlite => ("SELECT mention_id FROM mention_search WHERE mention_search MATCH ", ""),
            Engine::Postgres => ("SELECT mention_id FROM mention_search WHERE document @@ CAST(", " AS tsquery)"),
        }
    }

    /// Whether the mention `m` matches the placeholder `at`: for a walk over many mentions. SQLite makes the list of row
    /// numbers once (asked row by row, the beginning of a word would be gathered anew each time); PostgreSQL looks at
    /// the row's own words.
    pub(in crate::store) fn mention_matches(&self, at: &str) -> String {
        match self.inner.engine {
            Engine::Sqlite => {
                format!("m.search_row + 0 IN (SELECT rowid FROM mention_search WHERE mention_search MATCH {at})")
            }
            Engine::Postgres => format!(
                "EXISTS (SELECT 1 FROM mention_search s WHERE s.mention_id = m.id AND s.document @@ CAST({at} AS tsquery))"
            ),
        }
    }

    /// As [`Store::mentions_matching`], for contacts.
    pub(in crate::store) fn contacts_matching(&self) -> (&'static str, &'static str) {
        match self.inner.engine {
            Engine::Sqlite => ("SELECT contact_id FROM contact_search WHERE contact_search MATCH ", ""),
            Engine::Postgres => ("SELECT contact_id FROM contact_search WHERE document @@ CAST(", " AS tsquery)"),
        }
    }

    /// Empties both indexes and fills them from the rows: after a restore.
    pub(in crate::store) async fn index_again(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for index in [Index::Mentions, Index::Contacts] {
            let (clear, select, number) = match index {
                Index::Mentions => (
                    "DELETE FROM mention_search",
                    "SELECT m.id, m.text AS first, a.handle AS second, a.display_name AS third, '' AS fourth
                     FROM mentions m JOIN authors a ON a.id = m.author_id
                     WHERE m.text IS NOT NULL AND m.id > $1 ORDER BY m.id LIMIT $2",
                    "UPDATE mentions SET search_row = $1 WHERE id = $2",
                ),
                Index::Contacts => (
                    "DELETE FROM contact_search",
                    "SELECT id, name AS first, email AS second, company AS third, external_id AS fourth
                     FROM contacts WHERE merged_into IS NULL AND id > $1 ORDER BY id LIMIT $2",
                    "UPDATE contacts SET search_row = $1 WHERE id = $2",
                ),
            };
            sqlx::query(clear).execute(&mut **tx).await?;
            let mut after = String::new();
            loop {
                let rows = sqlx::query(select).bind(after.as_str()).bind(BATCH).fetch_all(&mut **tx).await?;
                let Some(last) = rows.last() else { break };
                after = last.text("id")?;
                let first = tx.next_row(index).await?;
                let mut texts = Vec::with_capacity(rows.len());
                for row in &rows {
                    let mut text = String::new();
                    for column in ["first", "second", "third", "fourth"] {
                        text.push_str(&row.maybe_text(column)?.unwrap_or_default());
                        text.push(' ');
                    }
                    texts.push((row.text("id")?, words(&text)));
                }
                let entries: Vec<_> = texts
                    .iter()
                    .enumerate()
                    .map(|(offset, (id, document))| Entry {
                        subject_id: id,
                        row: first.map(|first| first + offset as i64),
                        document,
                    })
                    .collect();
                tx.index(index, &entries).await?;
                for entry in &entries {
                    sqlx::query(number).bind(entry.row).bind(entry.subject_id).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

impl Tx {
    /// The number the next new row of an index gets, in databases that number them. Ascending: FTS5 writes out its
    /// buffer whenever a number is smaller than the one before.
    pub async fn next_row(&mut self, index: Index) -> Result<Option<i64>, StoreError> {
        if self.engine == Engine::Postgres {
            return Ok(None);
        }
        let last: Option<i64> = sqlx::query_scalar(match index {
            Index::Mentions => "SELECT rowid FROM mention_search ORDER BY rowid DESC LIMIT 1",
            Index::Contacts => "SELECT rowid FROM contact_search ORDER BY rowid DESC LIMIT 1",
        })
        .fetch_optional(&mut **self)
        .await?;
        Ok(Some(last.unwrap_or(0) + 1))
    }

    /// Adds rows to an index.
    pub async fn index(&mut self, index: Index, entries: &[Entry<'_>]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        match self.engine {
            // One statement for all: FTS5 writes its buffer out as a segment of its own at the start of every statement.
            Engine::Sqlite => {
                let head = match index {
                    Index::Mentions => {
                        "INSERT INTO mention_search (rowid, mention_id, document)
                         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)"
                    }
                    Index::Contacts => {
                        "INSERT INTO contact_search (rowid, contact_id, document)
                         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)"
                    }
                };
                let rows: Vec<_> = entries.iter().map(|entry| (entry.row, entry.subject_id, entry.document)).collect();
                let rows = serde_json::to_string(&rows).expect("numbers and text can be written as JSON");
                sqlx::query(head).bind(rows).execute(&mut **self).await?;
            }
            // The words are split and folded already: PostgreSQL's own parser must not look at them.
            Engine::Postgres => {
                let head = match index {
                    Index::Mentions => "INSERT INTO mention_search (mention_id, document)",
                    Index::Contacts => "INSERT INTO contact_search (contact_id, document)",
                };
                let row = "(?, array_to_tsvector(array_remove(string_to_array(?, ' '), '')))";
                fn named<'q>(query: AnyQuery<'q>, entry: &'q Entry<'_>) -> AnyQuery<'q> {
                    query.bind(entry.subject_id).bind(entry.document)
                }
                self.insert(head, row, "", entries, named).await?;
            }
        }
        Ok(())
    }

    /// Takes a row out of an index, its words with it.
    pub async fn unindex(&mut self, index: Index, subject_id: &str, row: Option<i64>) -> Result<(), StoreError> {
        match (self.engine, index) {
            (Engine::Sqlite, Index::Mentions) => {
                sqlx::query("DELETE FROM mention_search WHERE rowid = $1").bind(row).execute(&mut **self).await?
            }
            (Engine::Sqlite, Index::Contacts) => {
                sqlx::query("DELETE FROM contact_search WHERE rowid = $1").bind(row).execute(&mut **self).await?
            }
            (Engine::Postgres, Index::Mentions) => {
                sqlx::query("DELETE FROM mention_search WHERE mention_id = $1")
                    .bind(subject_id)
                    .execute(&mut **self)
                    .await?
            }
            (Engine::Postgres, Index::Contacts) => {
                sqlx::query("DELETE FROM contact_search WHERE contact_id = $1")
                    .bind(subject_id)
                    .execute(&mut **self)
                    .await?
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_split_at_everything_that_is_no_letter_or_digit() {
        assert_eq!(words("  Kargom, 5 GÜNDÜR gelmedi!! @destek'e #marka"), "kargom 5 gundur gelmedi destek e marka");
        assert_eq!(words("' OR \"x\"* -- ;"), "or x");
        assert_eq!(words("…"), "");
    }

    #[test]
    fn scripts_without_blanks_are_found_by_any_character() {
        assert_eq!(words("東京タワーabc"), "東 京 タ ワ ー abc");
        assert_eq!(words("kötü😡😡!"), "kotu 😡 😡");
    }

    #[test]
    fn a_word_that_never_ends_is_cut() {
        assert_eq!(words(&format!("{} son", "a".repeat(100_000))), format!("{} son", "a".repeat(LONGEST_WORD)));
    }
}

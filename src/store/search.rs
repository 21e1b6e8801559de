//! Full-text search over folded words: FTS5 on SQLite, a text-search vector on PostgreSQL.
//!
//! Both hold words that `analyze::tokens::search_fold` wrote, so both find the same. Neither database folds by itself.

use sqlx::AnyConnection;

use super::{Engine, Store, StoreError};
use crate::analyze::tokens::search_fold;

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

/// The words of a text as they are indexed and searched: folded, with a space for every sign between them, so that both
/// databases cut them alike (by themselves they disagree on `a-b`, addresses and e-mail).
pub(in crate::store) fn words(text: &str) -> String {
    search_fold(text).split(is_between).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_between(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || character.is_ascii_punctuation()
        || matches!(
            character,
            '\u{a1}'
                | '\u{a7}'
                | '\u{ab}'
                | '\u{b6}'
                | '\u{b7}'
                | '\u{bb}'
                | '\u{bf}'
                | '\u{37e}'
                | '\u{60c}'
                | '\u{61b}'
                | '\u{61f}'
        )
        || matches!(character, '\u{2010}'..='\u{205e}' | '\u{3000}'..='\u{3004}' | '\u{3007}'..='\u{303f}' | '\u{30fb}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

impl Store {
    /// What to bind for a search: all of the folded words, each as the beginning of a word. `None`: nothing to look for.
    pub(in crate::store) fn search_query(&self, folded: &str) -> Option<String> {
        let words = folded
            .split_whitespace()
            .map(|word| word.replace(['"', '\'', '\\', '\0'], ""))
            .filter(|word| !word.is_empty());
        let query = match self.inner.engine {
            Engine::Sqlite => words.map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" AND "),
            Engine::Postgres => words.map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & "),
        };
        (!query.is_empty()).then_some(query)
    }

    /// The ids whose words match the next parameter: `m.id IN (` this `$n))`.
    pub(in crate::store) fn mentions_matching(&self) -> (&'static str, &'static str) {
        match self.inner.engine {
            Engine::Sqlite => ("SELECT mention_id FROM mention_search WHERE mention_search MATCH ", ""),
            Engine::Postgres => ("SELECT mention_id FROM mention_search WHERE document @@ to_tsquery('simple', ", ")"),
        }
    }

    /// As [`Store::mentions_matching`], for contacts.
    pub(in crate::store) fn contacts_matching(&self) -> (&'static str, &'static str) {
        match self.inner.engine {
            Engine::Sqlite => ("SELECT contact_id FROM contact_search WHERE contact_search MATCH ", ""),
            Engine::Postgres => ("SELECT contact_id FROM contact_search WHERE document @@ to_tsquery('simple', ", ")"),
        }
    }
}

//! Statements over many rows at once.
//!
//! PostgreSQL wants few large statements. SQLite wants at most fifty rows in one, and looks numbered placeholders up in
//! a list, so that a large statement full of `$n` costs the square of its length; plain `?` does not.

use std::collections::HashMap;
use std::fmt::Write;

use serde::Serialize;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::rows::Cells;
use super::{Engine, StoreError, Tx};

pub(in crate::store) type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

impl Engine {
    /// The next `rows` to put into one statement: few different sizes, so that prepared statements are found again.
    fn chunk(self, rows: usize) -> usize {
        let sizes: &[usize] = match self {
            Engine::Sqlite => &[50, 16, 4, 1],
            Engine::Postgres => &[500, rows],
        };
        *sizes.iter().find(|size| **size <= rows).unwrap_or(&rows)
    }

    /// How many keys one statement looks up. SQLite gets them all as one value: each statement costs it two threads' wake.
    fn keys_at_once(self) -> usize {
        match self {
            Engine::Sqlite => 10_000,
            Engine::Postgres => 500,
        }
    }

    fn placeholder(self, text: &mut String, number: usize) {
        match self {
            Engine::Sqlite => text.push('?'),
            Engine::Postgres => write!(text, "${number}").expect("writing to a string cannot fail"),
        }
    }
}

impl Engine {
    /// What stands for `{rows}` in the statements of [`Tx::over`].
    fn rows(self) -> &'static str {
        match self {
            Engine::Sqlite => "json_each($1) AS g",
            Engine::Postgres => "jsonb_array_elements(CAST($1 AS JSONB)) AS g(value)",
        }
    }
}

impl Tx {
    /// One statement over any number of rows, always of the same text, so that it is prepared once: `{rows}` stands for a
    /// table `g`, in which `g.value ->> N` is column N of a row. What `RETURNING` or `SELECT` gives is answered.
    ///
    /// A column that must not be looked up by its index is written as an expression (`state || ''`): neither database can
    /// know that a key names one row and a state a million.
    pub async fn over<T: Serialize>(&mut self, text: &'static str, rows: &[T]) -> Result<Vec<AnyRow>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let text = text.replace("{rows}", self.engine.rows());
        let rows = serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(sqlx::query(AssertSqlSafe(text)).bind(rows).fetch_all(&mut **self).await?)
    }

    /// `head VALUES (…), (…) tail`: `row` is the placeholders of one row, each written as `?`.
    pub async fn insert<T>(
        &mut self,
        head: &'static str,
        row: &'static str,
        tail: &'static str,
        rows: &[T],
        bind: impl for<'q> Fn(AnyQuery<'q>, &'q T) -> AnyQuery<'q>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        let mut statements = Statements { engine: self.engine, head, row, tail, rows };
        let mut next = statements.next(&bind);
        while let Some(query) = next {
            // The next statement is made while the database works on this one.
            let done;
            (done, next) = tokio::join!(query.execute(&mut **self), async { statements.next(&bind) });
            changed += done?.rows_affected();
        }
        Ok(changed)
    }

    /// `head IN (…) tail` for any number of keys; `head` begins with the placeholders of `first`, written as `?`.
    pub async fn find<K: AsRef<str>>(
        &mut self,
        head: &'static str,
        first: &[&str],
        keys: &[K],
        tail: &'static str,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(self.engine.keys_at_once()) {
            let query = look_up(self.engine, head, first, chunk, tail);
            found.extend(query.fetch_all(&mut **self).await?);
        }
        Ok(found)
    }

    /// The `value` of each of the keys that `table` has, as one JSON object a statement: row by row, each would wake this
    /// thread. `table` is what comes between `FROM` and `IN`, and begins with the placeholders of `first`.
    pub async fn find_values<K: AsRef<str>>(
        &mut self,
        (key, value): (&'static str, &'static str),
        table: &'static str,
        first: &[&str],
        keys: &[K],
    ) -> Result<HashMap<String, String>, StoreError> {
        let object = match self.engine {
            Engine::Sqlite => format!("json_group_object({key}, {value})"),
            Engine::Postgres => format!("CAST(COALESCE(json_object_agg({key}, {value}), '{{}}') AS TEXT)"),
        };
        let head = format!("SELECT {object} AS found FROM {table}");
        let mut found = HashMap::with_capacity(keys.len());
        for chunk in keys.chunks(self.engine.keys_at_once()) {
            let row = look_up(self.engine, &head, first, chunk, "").fetch_one(&mut **self).await?;
            let pairs: HashMap<String, String> = serde_json::from_str(&row.text("found")?)
                .map_err(|error| StoreError::Database(sqlx::Error::Decode(error.into())))?;
            found.extend(pairs);
        }
        Ok(found)
    }
}

/// `head IN (…) tail` for some keys.
fn look_up<'q, K: AsRef<str>>(
    engine: Engine,
    head: &str,
    first: &[&'q str],
    keys: &'q [K],
    tail: &str,
) -> AnyQuery<'q> {
    let mut text = String::with_capacity(head.len() + tail.len() + 8 * keys.len());
    let mut number = 0;
    number_placeholders(engine, &mut text, head, &mut number);
    match engine {
        Engine::Sqlite => text.push_str(" IN (SELECT value FROM json_each(?)) "),
        Engine::Postgres => {
            let list: Vec<String> = (1..=keys.len()).map(|offset| format!("${}", number + offset)).collect();
            write!(text, " IN ({}) ", list.join(", ")).expect("writing to a string cannot fail");
        }
    }
    text.push_str(tail);
    let query = first.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| query.bind(*value));
    match engine {
        Engine::Sqlite => {
            let list: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
            query.bind(serde_json::to_string(&list).expect("text can be written as JSON"))
        }
        Engine::Postgres => keys.iter().fold(query, |query, key| query.bind(key.as_ref())),
    }
}

/// Rows that are still to be put into statements.
struct Statements<'r, T> {
    engine: Engine,
    head: &'static str,
    row: &'static str,
    tail: &'static str,
    rows: &'r [T],
}

impl<'r, T> Statements<'r, T> {
    /// The next statement with as many rows as fit; `None` after the last one.
    fn next(&mut self, bind: &impl for<'q> Fn(AnyQuery<'q>, &'q T) -> AnyQuery<'q>) -> Option<AnyQuery<'r>> {
        if self.rows.is_empty() {
            return None;
        }
        let (chunk, after) = self.rows.split_at(self.engine.chunk(self.rows.len()));
        self.rows = after;
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + (self.row.len() + 16) * chunk.len());
        text.push_str(self.head);
        text.push_str(" VALUES ");
        let mut number = 0;
        for index in 0..chunk.len() {
            if index > 0 {
                text.push_str(", ");
            }
            number_placeholders(self.engine, &mut text, self.row, &mut number);
        }
        text.push(' ');
        text.push_str(self.tail);
        Some(chunk.iter().fold(sqlx::query(AssertSqlSafe(text)), bind))
    }
}

fn number_placeholders(engine: Engine, text: &mut String, part: &str, number: &mut usize) {
    for piece in part.split_inclusive('?') {
        match piece.strip_suffix('?') {
            Some(before) => {
                text.push_str(before);
                *number += 1;
                engine.placeholder(text, *number);
            }
            None => text.push_str(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_for_postgresql_alone() {
        let mut text = String::new();
        number_placeholders(Engine::Postgres, &mut text, "(?, CAST(? AS BIGINT))", &mut 2);
        assert_eq!(text, "($3, CAST($4 AS BIGINT))");
        text.clear();
        number_placeholders(Engine::Sqlite, &mut text, "(?, ?)", &mut 0);
        assert_eq!(text, "(?, ?)");
    }

    #[test]
    fn sqlite_gets_few_sizes_and_never_more_than_fifty_rows() {
        let mut rest = 199;
        let mut sizes = Vec::new();
        while rest > 0 {
            sizes.push(Engine::Sqlite.chunk(rest));
            rest -= sizes[sizes.len() - 1];
        }
        assert_eq!(sizes, [50, 50, 50, 16, 16, 16, 1]);
        assert_eq!(Engine::Postgres.chunk(1200), 500);
        assert_eq!(Engine::Postgres.chunk(7), 7);
    }
}

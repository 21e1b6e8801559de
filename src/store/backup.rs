//! A backup of everything, in a form that either database reads: JSON lines, a header and then one row a line.
//!
//! A backup of SQLite can be restored into PostgreSQL and the other way round. Secrets stay encrypted; the key is not in
//! it. A restored database is older than what the networks have seen, so every delivery that had not ended is held for a
//! person (JOBS 2.1).

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Column, Row, ValueRef};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::{Engine, Store, StoreError};

/// Every table whose rows are worth keeping, parents before children. Logins and leases are not.
const TABLES: [&str; 38] = [
    "installation",
    "brands",
    "users",
    "tokens",
    "answers",
    "accounts",
    "quiet_hours",
    "streams",
    "gaps",
    "authors",
    "contacts",
    "contact_handles",
    "contact_authors",
    "merges",
    "conversations",
    "notes",
    "mentions",
    "mention_accounts",
    "corrections",
    "deltas",
    "tombstones",
    "outgoing",
    "unparsed",
    "rollups",
    "replies",
    "campaigns",
    "recurrences",
    "recurrence_accounts",
    "posts",
    "payloads",
    "deliveries",
    "attempts",
    "lanes",
    "stops",
    "alerts",
    "alert_tellings",
    "audit",
    "events",
];

/// Columns that name a row of their own table, perhaps a later one: filled when all rows are there.
const WITHIN_TABLE: [(&str, &str); 3] =
    [("contacts", "merged_into"), ("deliveries", "target_id"), ("deliveries", "after_id")];

/// The largest line a restore reads.
const MAX_LINE: usize = 4 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    muhatap_backup: u32,
    made_at: jiff::Timestamp,
    rows: u64,
}

const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("the backup cannot be written or read: {0}")]
    File(#[from] std::io::Error),
    #[error("line {line}: {reason}")]
    Line { line: u64, reason: String },
    #[error("this is not a backup of Muhatap, or not one this version reads")]
    NotABackup,
    #[error(
        "the backup ends after {found} of {expected} rows: it is cut short; nothing was restored, take another copy"
    )]
    CutShort { found: u64, expected: u64 },
    #[error("the database is not empty: {0} has rows; restore into a new one (another database.url)")]
    NotEmpty(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Writes every row as of one moment, while others go on writing; `progress` hears rows done and rows in all.
    pub async fn backup(
        &self,
        mut to: impl AsyncWrite + Unpin,
        progress: impl Fn(u64, u64),
    ) -> Result<u64, BackupError> {
        let begin = match self.inner.engine {
            Engine::Sqlite => "BEGIN DEFERRED",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut tx = self.pool().begin_with(begin).await?;
        let mut rows = 0;
        for table in TABLES {
            let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            rows += sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *tx).await?.unsigned_abs();
        }
        write_line(&mut to, &Header { muhatap_backup: FORMAT, made_at: self.clock(), rows }).await?;
        let mut done = 0;
        for table in TABLES {
            let select = AssertSqlSafe(format!("SELECT * FROM {table}"));
            let mut found = sqlx::query(select).fetch(&mut *tx);
            while let Some(row) = found.try_next().await? {
                write_line(&mut to, &(table, cells(&row)?)).await?;
                done += 1;
                progress(done, rows);
            }
        }
        to.flush().await?;
        Ok(done)
    }

    /// Reads a backup into an empty database, all of it or nothing, and holds what had not ended.
    pub async fn restore(
        &self,
        mut from: impl AsyncBufRead + Unpin,
        progress: impl Fn(u64, u64),
    ) -> Result<u64, BackupError> {
        let mut line = Vec::new();
        if !read_line(&mut from, &mut line, 1).await? {
            return Err(BackupError::NotABackup);
        }
        let header: Header = serde_json::from_slice(&line).map_err(|_| BackupError::NotABackup)?;
        if header.muhatap_backup != FORMAT {
            return Err(BackupError::NotABackup);
        }
        let mut tx = self.begin().await?;
        for table in ["accounts", "mentions", "contacts", "users", "deliveries"] {
            let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            if sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *tx).await? > 0 {
                return Err(BackupError::NotEmpty(table));
            }
        }
        for table in TABLES.iter().rev() {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *tx).await?;
        }
        let (mut number, mut done) = (1, 0);
        let mut later = Vec::new();
        while {
            number += 1;
            read_line(&mut from, &mut line, number).await?
        } {
            let refused = |reason: String| BackupError::Line { line: number, reason };
            let (table, mut row): (String, Map<String, Value>) =
                serde_json::from_slice(&line).map_err(|error| refused(error.to_string()))?;
            let known = TABLES.iter().find(|known| **known == table);
            let table = *known.ok_or_else(|| refused(format!("unknown table {table:?}")))?;
            for (_, column) in WITHIN_TABLE.iter().filter(|(of, _)| *of == table) {
                if let (Some(Value::String(other)), Some(Value::String(id))) = (row.remove(*column), row.get("id")) {
                    later.push((table, *column, other, id.clone()));
                }
            }
            insert(&mut tx, table, row).await.map_err(|error| match error {
                BackupError::Line { reason, .. } => refused(reason),
                other => refused(other.to_string()),
            })?;
            done += 1;
            progress(done, header.rows);
        }
        if done != header.rows {
            return Err(BackupError::CutShort { found: done, expected: header.rows });
        }
        for (table, column, other, id) in later {
            let update = AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE id = $2"));
            sqlx::query(update).bind(other).bind(id).execute(&mut *tx).await?;
        }
        // A backup from before they were kept has none.
        sqlx::query(
            "INSERT INTO installation (name, value) VALUES ('database', CAST(RANDOM() AS TEXT)), ('high_water', '0')
             ON CONFLICT (name) DO NOTHING",
        )
        .execute(&mut *tx)
        .await?;
        self.index_again(&mut tx).await?;
        super::decisions::hold_restored(&mut tx, self.clock(), "cli").await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// A row's cells that are not NULL.
fn cells(row: &AnyRow) -> Result<BTreeMap<&str, Value>, sqlx::Error> {
    let mut cells = BTreeMap::new();
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            continue;
        }
        let kind = raw.type_info().kind();
        let value = match kind {
            AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                row.try_get::<i64, _>(index)?.into()
            }
            AnyTypeInfoKind::Real | AnyTypeInfoKind::Double => row.try_get::<f64, _>(index)?.into(),
            _ => row.try_get::<String, _>(index)?.into(),
        };
        cells.insert(column.name(), value);
    }
    Ok(cells)
}

async fn insert(tx: &mut super::Tx, table: &'static str, row: Map<String, Value>) -> Result<(), BackupError> {
    let refused = |reason: String| BackupError::Line { line: 0, reason };
    if let Some(name) = row.keys().find(|name| !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        return Err(refused(format!("{name:?} is not a column of {table}")));
    }
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let places: Vec<String> = (1..=names.len()).map(|number| format!("${number}")).collect();
    let statement = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (name, value) in &row {
        query = match value {
            Value::String(text) => query.bind(text.clone()),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => query.bind(whole),
                None => query.bind(number.as_f64()),
            },
            _ => return Err(refused(format!("{table}.{name} holds neither text nor a number"))),
        };
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

async fn write_line(to: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> Result<(), BackupError> {
    let mut text = serde_json::to_vec(line).map_err(std::io::Error::from)?;
    text.push(b'\n');
    Ok(to.write_all(&text).await?)
}

/// Reads the next line into `line`; `false` at the end.
async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    number: u64,
) -> Result<bool, BackupError> {
    line.clear();
    use tokio::io::AsyncReadExt;
    let read = (&mut *from).take(MAX_LINE as u64).read_until(b'\n', line).await?;
    if read == MAX_LINE && line.last() != Some(&b'\n') {
        return Err(BackupError::Line { line: number, reason: format!("is longer than {MAX_LINE} bytes") });
    }
    Ok(read > 0)
}

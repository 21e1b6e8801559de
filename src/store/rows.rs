//! How rows become model types: one reading trait, the same for both databases.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{ColumnIndex, Row};

use super::StoreError;

/// Reads columns by name. A value that does not fit its type is a database error that names the column.
pub(in crate::store) trait Cells {
    fn text(&self, column: &str) -> Result<String, StoreError>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError>;
    fn number(&self, column: &str) -> Result<i64, StoreError>;
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError>;
    fn float(&self, column: &str) -> Result<f64, StoreError>;
    fn maybe_float(&self, column: &str) -> Result<Option<f64>, StoreError>;

    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        timestamp(column, self.number(column)?)
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.maybe_number(column)?.map(|micros| timestamp(column, micros)).transpose()
    }

    /// An id or a status word.
    fn word<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(column)?;
        text.parse().map_err(|error: T::Err| wrong(column, error.to_string()))
    }

    fn maybe_word<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| wrong(column, error.to_string()))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| wrong(column, error))
    }
}

impl Cells for AnyRow {
    fn text(&self, column: &str) -> Result<String, StoreError> {
        cell(self, column)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        cell(self, column)
    }

    fn number(&self, column: &str) -> Result<i64, StoreError> {
        cell(self, column)
    }

    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        cell(self, column)
    }

    fn float(&self, column: &str) -> Result<f64, StoreError> {
        cell(self, column)
    }

    fn maybe_float(&self, column: &str) -> Result<Option<f64>, StoreError> {
        cell(self, column)
    }
}

fn cell<'r, T>(row: &'r AnyRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    for<'c> &'c str: ColumnIndex<AnyRow>,
{
    row.try_get(column).map_err(StoreError::Database)
}

fn timestamp(column: &str, micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| wrong(column, error))
}

fn wrong(column: &str, error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Database(sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}

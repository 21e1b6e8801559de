//! What can go wrong in the store, one variant for each thing a caller does differently.

use std::borrow::Cow;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Names what is not there.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else changed it first, or it contradicts what is stored: drop it or show it, never repeat blindly.
    #[error("{0}")]
    Conflict(String),
    /// Another process holds the database, or it is overloaded: nothing was written, try again later.
    #[error("{0}")]
    Busy(String),
    /// No room left: nothing was written; a person must make room.
    #[error("{0}")]
    Full(String),
    /// The database cannot be opened as configured; names the setting and the next step.
    #[error("{0}")]
    Open(String),
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// The same call may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// A row broke a `UNIQUE` rule.
    pub fn is_unique(&self) -> bool {
        matches!(self, Self::Database(error) if error.as_database_error().is_some_and(|error| error.is_unique_violation()))
    }

    /// The database took a statement and refused what it asks for.
    pub(in crate::store) fn is_about_a_statement(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(_)))
    }

    /// The same, for another caller who waited for the same commit.
    pub(in crate::store) fn for_another(&self) -> StoreError {
        match self {
            Self::NotFound(text) => Self::NotFound(text.clone()),
            Self::Conflict(text) => Self::Conflict(text.clone()),
            Self::Busy(text) => Self::Busy(text.clone()),
            Self::Full(text) => Self::Full(text.clone()),
            Self::Open(text) => Self::Open(text.clone()),
            Self::Database(error) => Self::Database(sqlx::Error::Protocol(error.to_string())),
        }
    }

    /// The row itself is at fault, so its neighbours can be stored without it.
    pub fn is_about_the_row(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Database(error) => match error.code().as_deref() {
                // SQLite: too big, constraint, mismatch, range; the low byte of an extended code is the plain one.
                Some(code) if code.parse().is_ok_and(|code: u32| matches!(code & 0xff, 18 | 19 | 20 | 25)) => true,
                // PostgreSQL: data exceptions, integrity violations, program limits.
                Some(code) if code.len() == 5 => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
                _ => false,
            },
            sqlx::Error::Encode(_) => true,
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(error) => error.code().map(Cow::into_owned),
            _ => None,
        };
        match (&error, code.as_deref()) {
            // SQLite: BUSY and LOCKED with their extended codes.
            (_, Some("5" | "6" | "261" | "262" | "517" | "773")) => Self::Busy(
                "the database is locked by another process; nothing was written, it is tried again: \
                 close the program that holds the file if this goes on"
                    .into(),
            ),
            // PostgreSQL: lock not available, deadlock, serialization, too many connections, shutting down, starting.
            (_, Some(code @ ("55P03" | "40P01" | "40001" | "53300" | "57P01" | "57P02" | "57P03"))) => {
                Self::Busy(format!("the database is busy ({code}); nothing was written, it is tried again"))
            }
            (sqlx::Error::PoolTimedOut, _) => {
                Self::Busy("no database connection became free in time; nothing was written, it is tried again".into())
            }
            (_, Some("13" | "53100")) => Self::Full(
                "the disk of the database is full; nothing was written: make room, the work goes on by itself".into(),
            ),
            (_, Some("8" | "264" | "520" | "776" | "1032" | "1544")) => Self::Full(
                "the database file cannot be written (read-only file or disk); nothing was written: \
                 make it writable for this user"
                    .into(),
            ),
            (sqlx::Error::Io(io), _) => Self::Busy(format!("the database cannot be reached ({io}); it is tried again")),
            _ => Self::Database(error),
        }
    }
}

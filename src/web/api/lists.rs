//! Lists: a page at a time as JSON, or the whole list as CSV.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::error::Problem;

/// Rows of a page when nothing is said, and the most.
const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 200;
/// Rows read at once for a CSV file.
const CSV_BATCH: usize = 400;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What `cursor` must be for the next page; missing on the last one.
    pub next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Separator {
    Comma,
    Semicolon,
}

/// What a caller wants of a list, whatever it lists.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub limit: Option<usize>,
    pub cursor: Option<String>,
    pub format: Option<Format>,
    pub bom: Option<bool>,
    pub separator: Option<Separator>,
    /// The list has no pages.
    pub whole: bool,
}

/// Declares the query parameters of a list: its own, and those every list has.
macro_rules! list_params {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            /// Rows of a page, from 1 to 200; 50 unless said. With CSV, the rows of the file; all unless said.
            #[param(minimum = 1)]
            pub limit: Option<usize>,
            /// `next` of the page before.
            pub cursor: Option<String>,
            /// `csv` gives the whole list as CSV; so does the header `Accept: text/csv`.
            #[param(inline)]
            pub format: Option<$crate::web::api::lists::Format>,
            /// Starts the CSV with a byte order mark, by which Excel knows UTF-8.
            pub bom: Option<bool>,
            /// Between the cells of the CSV: `comma` unless said; Excel in Turkish wants `semicolon`.
            #[param(inline)]
            pub separator: Option<$crate::web::api::lists::Separator>,
        }

        impl $name {
            fn wanted(&self) -> $crate::web::api::lists::Wanted {
                $crate::web::api::lists::Wanted {
                    limit: self.limit,
                    cursor: self.cursor.clone(),
                    format: self.format,
                    bom: self.bom,
                    separator: self.separator,
                    whole: false,
                }
            }
        }
    };
}
pub(crate) use list_params;

/// A cell of a CSV file.
pub enum Cell {
    Text(String),
    /// Written as it is: a minus sign at its start is a minus sign.
    Number(String),
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Number(time.to_string())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl Cell {
    pub fn of(value: impl std::fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    fn write(self) -> String {
        match self {
            // A spreadsheet would run what begins like a formula: an apostrophe makes it text.
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => format!("'{text}"),
            Self::Text(text) | Self::Number(text) => text,
            Self::Empty => String::new(),
        }
    }
}

/// What can be listed.
pub trait Row: Serialize + Send + 'static {
    /// The file's name, without its ending.
    const NAME: &'static str;
    const COLUMNS: &'static [&'static str];
    fn cells(&self) -> Vec<Cell>;
    /// Where the page after this row goes on; nothing for a list that is always whole.
    fn cursor(&self) -> Option<String>;
}

/// Answers with a page or the whole list. `fetch` gives the rows after a cursor, at most so many.
pub async fn list<T, F, R>(wanted: Wanted, headers: &HeaderMap, fetch: F) -> Result<Response, Problem>
where
    T: Row,
    F: Fn(Option<String>, usize) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<T>, Problem>> + Send,
{
    let accepts_csv = || {
        headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("text/csv"))
    };
    let is_csv = wanted.format.map_or_else(accepts_csv, |format| format == Format::Csv);
    if is_csv {
        return csv_file(wanted, fetch).await;
    }
    if wanted.whole {
        return Ok(Json(Page { items: fetch(None, usize::MAX).await?, next: None }).into_response());
    }
    let limit = match wanted.limit {
        None => DEFAULT_LIMIT,
        Some(limit @ 1..=LARGEST_LIMIT) => limit,
        Some(_) => return Err(Problem::invalid("limit", format!("limit must be from 1 to {LARGEST_LIMIT}"))),
    };
    // One row more tells whether another page follows.
    let mut items = fetch(wanted.cursor, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().and_then(Row::cursor) } else { None };
    Ok(Json(Page { items, next }).into_response())
}

/// One answer of a list that is at hand.
type AtHand<T> = std::future::Ready<Result<Vec<T>, Problem>>;

/// A list that is always whole: every row at once.
pub fn whole<T>(wanted: &Wanted, rows: Vec<T>) -> (Wanted, impl Fn(Option<String>, usize) -> AtHand<T> + use<T>)
where
    T: Row + Clone + Sync,
{
    let rows = Arc::new(rows);
    let fetch = move |cursor: Option<String>, _most: usize| {
        std::future::ready(Ok(if cursor.is_some() { Vec::new() } else { rows.as_ref().clone() }))
    };
    (Wanted { limit: None, cursor: None, whole: true, ..wanted.clone() }, fetch)
}

async fn csv_file<T, F, R>(wanted: Wanted, fetch: F) -> Result<Response, Problem>
where
    T: Row,
    F: Fn(Option<String>, usize) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<T>, Problem>> + Send,
{
    let delimiter = match wanted.separator {
        Some(Separator::Semicolon) => b';',
        _ => b',',
    };
    let mut start = Vec::new();
    if wanted.bom == Some(true) {
        start.extend_from_slice("\u{feff}".as_bytes());
    }
    start.extend(written(delimiter, [T::COLUMNS.iter().map(|name| (*name).to_owned()).collect()])?);
    // The first rows are read before the answer begins, so that a failure is still told by the status.
    let left = wanted.limit.unwrap_or(usize::MAX);
    let rows = fetch(wanted.cursor, left.min(CSV_BATCH)).await?;
    let state = Some((rows, left));
    let fetch = Arc::new(fetch);
    let rest = try_unfold(state, move |state| {
        let fetch = fetch.clone();
        async move {
            let Some((rows, left)) = state else { return Ok::<_, std::io::Error>(None) };
            let bytes = written(delimiter, rows.iter().map(|row| row.cells().into_iter().map(Cell::write).collect()))
                .map_err(|problem| std::io::Error::other(problem.detail))?;
            let left = left.saturating_sub(rows.len());
            let next = match rows.last().and_then(Row::cursor) {
                Some(cursor) if rows.len() >= CSV_BATCH && left > 0 => {
                    let rows = fetch(Some(cursor), left.min(CSV_BATCH)).await;
                    Some((rows.map_err(|problem| std::io::Error::other(problem.detail))?, left))
                }
                _ => None,
            };
            Ok(Some((bytes, next)))
        }
    });
    let start = futures_util::stream::once(std::future::ready(Ok(start)));
    let body = Body::from_stream(futures_util::StreamExt::chain(start, rest));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}.csv\"", T::NAME)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn written(delimiter: u8, rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).map_err(Problem::internal)?;
    }
    writer.into_inner().map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_becomes_text_and_numbers_stay_numbers() {
        for formula in ["=1+1", "+49", "-2", "@SUM(A1)", "\tx", "\rx", "\nx"] {
            assert_eq!(Cell::from(formula).write(), format!("'{formula}"));
        }
        assert_eq!(Cell::from("a=b").write(), "a=b");
        assert_eq!(Cell::from(-0.5).write(), "-0.5");
        assert_eq!(Cell::from(None::<f64>).write(), "");
    }
}

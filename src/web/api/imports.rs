//! Files of mentions and contacts, read while they come in.

use std::io::{self, Read};
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use muhatap_connectors::networks::file::{Columns, FileError, Format, Reading};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::read::Params;
use crate::app::App;
use crate::import::{
    ContactsReading, ContactsTo, ImportError, Imported, MentionsTo, Told, account_of_files, import_contacts,
    import_mentions,
};
use crate::live::Wake;
use crate::model::{AccountId, Network};
use crate::web::error::Problem;

/// Bad lines told one by one; the rest is counted.
const BAD_LINES_SHOWN: usize = 100;
/// Pieces of a body that wait to be read.
const PIECES: usize = 8;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(mentions)).routes(routes!(contacts))
}

/// What became of a file, or in a dry run would become of it.
#[derive(Debug, Serialize, ToSchema)]
struct ImportReport {
    #[serde(flatten)]
    imported: Imported,
    /// Nothing was written.
    dry_run: bool,
    /// The first 100 lines that could not be read or stored.
    bad_lines: Vec<BadLine>,
    /// How many more there were.
    more_bad_lines: u64,
}

/// A line that could not be read or stored.
#[derive(Debug, Serialize, ToSchema)]
struct BadLine {
    /// From one; of what spans several lines, the first.
    line: u64,
    reason: String,
}

#[derive(Debug, Default)]
struct BadLines {
    first: Vec<BadLine>,
    more: u64,
}

impl BadLines {
    fn take(&mut self, told: Told<'_>) {
        match told {
            Told::Bad { line, reason } if self.first.len() < BAD_LINES_SHOWN => {
                self.first.push(BadLine { line, reason: reason.to_owned() });
            }
            Told::Bad { .. } => self.more += 1,
            Told::Done { .. } => {}
        }
    }

    fn report(self, imported: Imported, dry_run: bool) -> Json<ImportReport> {
        Json(ImportReport { imported, dry_run, bad_lines: self.first, more_bad_lines: self.more })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MentionsParams {
    /// As if this account had seen them, on its network and in its time zone; an account named `import` unless said.
    account_id: Option<AccountId>,
    /// Which header or key holds what, where they are not recognised: `text=Message,author=From`. Fields are id, text,
    /// author, author_id, author_name, published_at, url, network, language, rating, in_reply_to, thread and followers.
    columns: Option<String>,
    /// Reads everything and says what would become of it; writes nothing.
    dry_run: Option<bool>,
}

/// Imports messages: analysed, linked and stored like what is polled.
///
/// A JSON line has at least a text: `{"id":"1","text":"…","author":"ayse","published_at":"2026-11-20T09:00:00Z"}`; further
/// keys are author_id, author_name, url, network, language, rating, in_reply_to, thread and followers. CSV headers are
/// recognised in Turkish and English. The file is stored while it comes in, up to `console.import_limit_mb`, 256 MiB unless
/// configured. The same file again changes nothing, so an `Idempotency-Key` is neither needed nor kept: after a broken
/// connection or a refusal in the middle, send the file again.
#[utoipa::path(post, path = "/imports/mentions", tag = "imports", params(MentionsParams),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    responses((status = 200, body = ImportReport)))]
async fn mentions(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<MentionsParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportReport>, Problem> {
    let format = format_of(&headers)?;
    let most = room_for(&app, &headers)?;
    let columns = Columns::parse(params.columns.as_deref().unwrap_or_default())
        .map_err(|reason| Problem::invalid("columns", reason))?;
    let dry_run = params.dry_run.unwrap_or(false);
    let store = &app.store;
    let account = match params.account_id {
        Some(id) => Some(store.account(id).await?),
        None if dry_run => None,
        None => Some(account_of_files(store, &app.config.console.timezone).await?),
    };
    let zone = account.as_ref().map_or(app.config.console.timezone.as_str(), |account| account.timezone.as_str());
    let zone = TimeZone::get(zone).map_err(Problem::internal)?;
    let to = match &account {
        Some(account) if !dry_run => {
            store.audit(store.clock(), &caller.actor, "mentions.import", &account.id.to_string(), json!({})).await?;
            MentionsTo::Account { store, id: account.id, network: account.network }
        }
        account => MentionsTo::DryRun {
            store: Some(store),
            network: account.as_ref().map_or(Network::File, |account| account.network),
        },
    };
    let reading = Reading { format, columns, zone, now: store.clock() };
    let (pieces, file) = file_of_pieces();
    let mut bad = BadLines::default();
    let learnt = match &account {
        Some(account) => app.deltas.of(account).await,
        None => None,
    };
    let understanding = (app.analyzer.clone(), learnt);
    let importing = import_mentions(file, None, reading, understanding, to, |told| bad.take(told));
    let imported = while_it_comes(&app, body, most, pieces, importing).await?;
    app.live.wake(Wake::Events);
    Ok(bad.report(imported, dry_run))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ContactsParams {
    /// Reads everything and says what would become of it; writes nothing. It compares each two thousand lines with what is
    /// stored: who comes twice, further apart, is counted twice.
    dry_run: Option<bool>,
}

/// Imports people and companies of the CRM: the same external id, or else the same e-mail address, is the same contact.
///
/// Keys and headers: name (or first and last name), email, phone, external_id, company, and a column for each network's
/// handle (mastodon, bluesky, telegram, matrix); all else is kept beside. CSV headers are recognised in Turkish and English.
/// Authors that are here already are linked where the contacts give evidence. The file is stored while it comes in, up to
/// `console.import_limit_mb`, 256 MiB unless configured. The same file again changes nothing, so an `Idempotency-Key` is
/// neither needed nor kept: after a broken connection or a refusal in the middle, send the file again.
#[utoipa::path(post, path = "/imports/contacts", tag = "imports", params(ContactsParams),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    responses((status = 200, body = ImportReport)))]
async fn contacts(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<ContactsParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportReport>, Problem> {
    let reading = ContactsReading { format: format_of(&headers)? };
    let most = room_for(&app, &headers)?;
    let dry_run = params.dry_run.unwrap_or(false);
    let store = &app.store;
    let to = match dry_run {
        true => ContactsTo::DryRun(Some(store)),
        false => {
            store.audit(store.clock(), &caller.actor, "contacts.import", "all", json!({})).await?;
            ContactsTo::Store(store)
        }
    };
    let (pieces, file) = file_of_pieces();
    let mut bad = BadLines::default();
    let importing = import_contacts(file, None, reading, to, |told| bad.take(told));
    let imported = while_it_comes(&app, body, most, pieces, importing).await?;
    app.live.wake(Wake::Events);
    Ok(bad.report(imported, dry_run))
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson" => Ok(Format::JsonLines),
        "text/csv" => Ok(Format::Csv),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "neither JSON lines nor CSV",
            "the body must be JSON lines or CSV and say so",
        )
        .next("send the header Content-Type: application/x-ndjson or text/csv")),
    }
}

/// How many bytes a file may have; one that says of itself that it has more is refused before anything of it is read.
fn room_for(app: &App, headers: &HeaderMap) -> Result<u64, Problem> {
    let most = app.config.console.import_limit();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length.is_some_and(|length| length > most) {
        true => Err(too_large(most, "nothing of it was imported: split it")),
        false => Ok(most),
    }
}

fn too_large(most: u64, next: &str) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "the file is too large",
        format!("a file may have at most {most} bytes here (console.import_limit_mb)"),
    )
    .next(next)
}

/// Imports while the body comes in. What ends the body early ends the import too; what was stored by then stays.
async fn while_it_comes(
    app: &App,
    body: Body,
    most: u64,
    pieces: mpsc::Sender<Bytes>,
    importing: impl Future<Output = Result<Imported, ImportError>>,
) -> Result<Imported, Problem> {
    tokio::select! {
        imported = importing => imported.map_err(unusable),
        refused = hand_over(body, most, pieces) => Err(refused),
        () = app.shutdown.cancelled() => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the worker stops",
            "the worker stopped before the whole file was imported",
        )
        .next("send the file again once it runs; what was imported already is known")
        .retry_after(10)),
    }
}

/// Gives the body's pieces to the import, no faster than it reads. Ends only where the body cannot be taken further.
async fn hand_over(body: Body, most: u64, pieces: mpsc::Sender<Bytes>) -> Problem {
    let mut body = body.into_data_stream();
    let mut left = most;
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else {
            return Problem::malformed("the body ended before its end")
                .next("send the file again; what was imported already is known");
        };
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => left = rest,
            None => return too_large(most, "its first part may be imported: split the file and send it again"),
        }
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    // The import has the whole file, or gave it up: it has the last word.
    std::future::pending().await
}

fn unusable(error: ImportError) -> Problem {
    match error {
        ImportError::Unfit(reason) | ImportError::File(FileError::Unfit(reason)) => Problem::invalid("body", reason),
        ImportError::File(error @ FileError::Io(_)) => Problem::internal(error),
        ImportError::Store(error) => error.into(),
    }
}

fn file_of_pieces() -> (mpsc::Sender<Bytes>, Pieces) {
    let (sender, pieces) = mpsc::channel(PIECES);
    (sender, Pieces { pieces, piece: Bytes::new() })
}

/// A body as a file, for a reader on a thread of its own: it waits for the next piece.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

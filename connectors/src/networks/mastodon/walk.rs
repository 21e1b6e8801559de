//! How a stream of statuses is read: newest pages first, then down to what was read before; and how edits and deletions
//! are noticed.
//!
//! Mastodon tells nobody but boosters of an edit and nobody of a deletion, so the statuses read last (at most 200 a
//! stream) are read again in turns: the newest at each poll, the others within the next ones. A deletion is believed when
//! the server says "not found" of the status itself. Older statuses are no longer watched.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{debug, warn};

use super::status::{Notification, Status};
use super::{Mastodon, Me};
use crate::ConnectorError;
use crate::http::{Call, Response, StatusCode};
use crate::incoming::{self, Batch, Change, Cursor, Gap, Incoming, Unparsed};

const PAGE: usize = 40;
/// How far back a search is read again, since servers index late: whichever comes first.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
const OVERLAP_PAGES: usize = 5;
/// How much of what was there before is read when a stream is new, besides all that came in since.
const FIRST_ITEMS: usize = 1000;
const WATCHED: usize = 200;
/// A cursor has at most 8 KiB.
const WATCHED_BYTES: usize = 5000;
const EDITS: usize = 40;
/// The server's own bound on statuses asked for together (`DEFAULT_STATUSES_LIMIT`, mastodon/mastodon, November 2026).
const TOGETHER: usize = 20;
/// How many are asked for one by one, where the server cannot give them together (before 4.3).
const ONE_BY_ONE: usize = 5;

/// What is read.
pub(super) enum Source {
    Notifications,
    Tag(String),
    Words(String),
    Own,
}

impl Source {
    fn bucket(&self) -> &'static str {
        match self {
            Self::Notifications => "mentions",
            Self::Own => "own",
            Self::Tag(_) | Self::Words(_) => "search",
        }
    }

    /// Whether what is found can come in late, below what was read before.
    fn comes_late(&self) -> bool {
        matches!(self, Self::Tag(_) | Self::Words(_))
    }

    fn call(&self, me: &Me, since: Option<&str>, below: Option<&str>) -> Call {
        let call = match self {
            // Filtered notifications are from people the account does not know: exactly those who complain.
            Self::Notifications => Call::get("api/v1/notifications")
                .query("types[]", "mention")
                .query("types[]", "quote")
                .query("include_filtered", true),
            Self::Tag(tag) => Call::get("api/v1/timelines/tag").segment(tag),
            Self::Words(words) => Call::get("api/v2/search").query("q", words).query("type", "statuses"),
            Self::Own => {
                Call::get("api/v1/accounts").segment(&me.id).segment("statuses").query("exclude_reblogs", true)
            }
        };
        let mut call = call.query("limit", PAGE).bucket(self.bucket());
        if let Some(since) = since {
            call = call.query("since_id", since);
        }
        if let Some(below) = below {
            call = call.query("max_id", below);
        }
        call
    }
}

/// Where a stream has been read to: the cursor's content.
#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// Everything up to it has been read.
    #[serde(rename = "n")]
    newest: Option<Mark>,
    #[serde(rename = "f")]
    filling: Option<Filling>,
    /// Statuses to read again, the newest first.
    #[serde(rename = "w", default)]
    watched: Vec<String>,
    #[serde(rename = "t", default)]
    turn: usize,
    /// Which edits of watched statuses are told already, as seconds.
    #[serde(rename = "e", default)]
    edits: BTreeMap<String, i64>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "t")]
    at: Option<Timestamp>,
}

/// A walk down that is not finished.
#[derive(Serialize, Deserialize)]
struct Filling {
    #[serde(rename = "h")]
    head: Mark,
    #[serde(rename = "b")]
    below: String,
    #[serde(rename = "r")]
    read: usize,
}

impl Place {
    fn read(cursor: Option<&Cursor>) -> Self {
        let Some(cursor) = cursor else { return Self::default() };
        serde_json::from_str(&cursor.0).unwrap_or_else(|error| {
            // Reading anew finds what is stored already; going on from nowhere would lose what is not.
            warn!(%error, "cursor not understood, the stream is read anew");
            Self::default()
        })
    }

    fn cursor(&self) -> Cursor {
        Cursor(serde_json::to_string(self).unwrap_or_default())
    }

    fn watch(&mut self, ids: impl Iterator<Item = String>) {
        let mut watched: Vec<String> = ids.collect();
        watched.append(&mut self.watched);
        watched.sort_by(|left, right| order(right).cmp(&order(left)));
        watched.dedup();
        watched.truncate(WATCHED);
        let mut bytes = 0;
        watched.retain(|id| {
            bytes += id.len() + 3;
            bytes <= WATCHED_BYTES
        });
        self.watched = watched;
        self.edits.retain(|id, _| self.watched.contains(id));
        while self.edits.len() > EDITS {
            self.edits.pop_first();
        }
    }

    /// Whether an edit was not told before; from now on it was.
    fn is_new_edit(&mut self, incoming: &Incoming) -> bool {
        let (Some(id), Some(edited)) = (&incoming.local_id, incoming.edited_at) else { return false };
        self.edits.insert(id.clone(), edited.as_second()) != Some(edited.as_second())
    }
}

/// Ids grow with time: as numbers (Mastodon) or as text of one length (others).
fn order(id: &str) -> (usize, &str) {
    (id.len(), id)
}

/// One page of a list, the newest first.
struct Page {
    items: Vec<Item>,
    /// Where the next page begins; `None` at the end.
    below: Option<String>,
    server_time: Option<Timestamp>,
}

struct Item {
    id: Option<String>,
    at: Option<Timestamp>,
    content: Result<Option<Incoming>, Unparsed>,
}

/// What can be read of an item even when the rest is broken.
#[derive(Deserialize)]
struct Peek {
    id: Option<String>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    statuses: Vec<Box<RawValue>>,
}

impl Mastodon {
    pub(super) async fn walk(
        &self,
        source: &Source,
        after: Option<&Cursor>,
        asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        let me = self.me().await?;
        let mut place = Place::read(after);
        let newest = place.newest.clone();
        let known_id = newest.as_ref().map(|newest| newest.id.clone());
        let since = known_id.as_deref().filter(|_| !source.comes_late());
        let mut below = place.filling.as_ref().map(|filling| filling.below.clone());
        let mut read = place.filling.as_ref().map_or(0, |filling| filling.read);
        let mut head = place.filling.take().map(|filling| filling.head);
        let walking_down = head.is_some();

        let mut items = Vec::new();
        let mut server_time = None;
        let mut finished = false;
        let pages = if source.comes_late() && !walking_down { OVERLAP_PAGES } else { 1 };
        for _ in 0..pages {
            let page = self.page(source, &me, since, below.as_deref()).await?;
            server_time = server_time.or(page.server_time);
            if head.is_none() {
                head = page.items.iter().find_map(|item| Some(Mark { id: item.id.clone()?, at: item.at }));
            }
            read += page.items.len();
            let last = page.items.iter().rev().find_map(|item| item.id.as_deref());
            let met = match (&known_id, last) {
                (Some(known), Some(last)) => order(last) <= order(known),
                _ => false,
            };
            let first_time_is_enough = known_id.is_none()
                && read >= FIRST_ITEMS
                && page.items.iter().filter_map(|item| item.at).max().is_none_or(|newest| newest < asked_at);
            let overlapped = walking_down || reaches_back(&page.items, newest.as_ref());
            items.extend(page.items);
            finished = page.below.is_none() || met || first_time_is_enough;
            let ended = page.below.is_none() || first_time_is_enough || (met && overlapped);
            below = page.below;
            if ended {
                break;
            }
        }

        let oldest_at = items.iter().rev().find_map(|item| item.at);
        let mut batch = self.changes(items, &mut place);
        match (finished, head, below) {
            (false, Some(head), Some(below)) => {
                batch.filling = Some(Gap {
                    from: newest.as_ref().and_then(|newest| newest.at),
                    until: oldest_at,
                    reason: match newest {
                        Some(_) => "reading what came in while nobody listened".to_owned(),
                        None => "reading what was there before".to_owned(),
                    },
                });
                batch.more = true;
                place.filling = Some(Filling { head, below, read });
            }
            (_, head, _) => {
                // What was found late below the newest does not become the newest.
                if let Some(head) =
                    head.filter(|head| known_id.as_ref().is_none_or(|known| order(&head.id) > order(known)))
                {
                    place.newest = Some(head);
                }
                let late = if source.comes_late() { OVERLAP } else { SignedDuration::from_secs(1) };
                // The time of the last page; what came in during a walk down lies above its head and is read next.
                batch.complete_up_to = match walking_down {
                    true => place.newest.as_ref().and_then(|newest| newest.at),
                    false => server_time.and_then(|now| now.checked_sub(late).ok()),
                };
                batch.more = walking_down;
                if after.is_some() && !walking_down {
                    self.read_again(source, &me, &mut place, &mut batch).await;
                }
            }
        }
        batch.next = place.cursor();
        Ok(batch)
    }

    /// The changes that items are, the oldest first. Items that were read before count only when they were edited.
    fn changes(&self, items: Vec<Item>, place: &mut Place) -> Batch {
        let mut batch = Batch {
            changes: Vec::new(),
            unparsed: Vec::new(),
            next: Cursor(String::new()),
            complete_up_to: None,
            filling: None,
            lost: Vec::new(),
            more: false,
        };
        let mut seen = Vec::new();
        for item in items.into_iter().rev() {
            match item.content {
                Ok(Some(incoming)) => {
                    let known = incoming.local_id.as_ref().is_some_and(|id| place.watched.contains(id));
                    seen.extend(incoming.local_id.clone());
                    match (known, place.is_new_edit(&incoming)) {
                        (false, _) => batch.changes.push(Change::Seen(incoming)),
                        (true, true) => batch.changes.push(Change::Edited(incoming)),
                        (true, false) => {}
                    }
                }
                Ok(None) => {}
                Err(unparsed) => batch.unparsed.push(unparsed),
            }
        }
        place.watch(seen.into_iter());
        batch
    }

    async fn page(
        &self,
        source: &Source,
        me: &Me,
        since: Option<&str>,
        below: Option<&str>,
    ) -> Result<Page, ConnectorError> {
        let response = self.read(source.call(me, since, below)).await?;
        let raw: Vec<Box<RawValue>> = match source {
            Source::Words(_) => response.json::<Found>()?.statuses,
            _ => response.json()?,
        };
        let server_time = response.server_time();
        let items: Vec<Item> = raw.iter().map(|raw| self.item(source, me, raw, server_time)).collect();
        let next = next_page(source, &response, &items);
        if let (Some(next), Some(below)) = (&next, below)
            && order(next) >= order(below)
        {
            return Err(ConnectorError::Malformed("the server's pages do not lead further down".into()));
        }
        Ok(Page { items, below: next, server_time })
    }

    fn item(&self, source: &Source, me: &Me, raw: &RawValue, server_time: Option<Timestamp>) -> Item {
        let peek: Peek = serde_json::from_str(raw.get()).unwrap_or(Peek { id: None, created_at: None });
        let at = peek.created_at.as_deref().and_then(|time| incoming::read_time(time).ok()).or(server_time);
        let content =
            self.content(source, me, raw, server_time).map_err(|reason| incoming::unparsed(raw.get(), reason));
        Item { id: peek.id.filter(|id| !id.is_empty() && id.len() <= 64), at, content }
    }

    fn content(
        &self,
        source: &Source,
        me: &Me,
        raw: &RawValue,
        server_time: Option<Timestamp>,
    ) -> Result<Option<Incoming>, String> {
        let (status, seen) = match source {
            Source::Notifications => {
                let notification: Notification = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
                // Servers older than the `types` parameter send every kind.
                if !matches!(notification.kind.as_str(), "mention" | "quote") {
                    return Ok(None);
                }
                let seen = incoming::read_time(&notification.created_at).ok().or(server_time);
                (notification.status.ok_or("the notification has no status")?, seen)
            }
            _ => (serde_json::from_str::<Status>(raw.get()).map_err(|error| error.to_string())?, server_time),
        };
        if status.reblog.is_some() {
            return Ok(None);
        }
        status.incoming(me, self.server(), seen).map(Some)
    }

    /// Reads some of the watched statuses again. A failure costs nothing but time: they stay watched.
    async fn read_again(&self, source: &Source, me: &Me, place: &mut Place, batch: &mut Batch) {
        let many = self.gives_many.load(Ordering::Relaxed);
        let count = if many { TOGETHER } else { ONE_BY_ONE };
        let fresh = if source.comes_late() { 0 } else { count.min(place.watched.len()) };
        let others = &place.watched[fresh..];
        let start = if place.turn < others.len() { place.turn } else { 0 };
        let in_turn: Vec<String> = others.iter().skip(start).take(count).cloned().collect();
        place.turn = start + in_turn.len();
        let newest: Vec<String> = place.watched[..fresh].to_vec();
        for ids in [newest, in_turn] {
            if ids.is_empty() {
                continue;
            }
            match self.statuses(source, &ids, many).await {
                Ok((statuses, gone)) => {
                    for raw in statuses {
                        let edited = self.status(me, &raw).filter(|incoming| place.is_new_edit(incoming));
                        batch.changes.extend(edited.map(Change::Edited));
                    }
                    place.watched.retain(|id| !gone.contains(id));
                    batch.changes.extend(gone.into_iter().map(Change::Deleted));
                }
                Err(error) => {
                    debug!(%error, "statuses not read again");
                    return;
                }
            }
        }
    }

    fn status(&self, me: &Me, raw: &RawValue) -> Option<Incoming> {
        let status: Status = serde_json::from_str(raw.get()).ok()?;
        status.incoming(me, self.server(), None).ok()
    }

    /// The statuses among `ids` that are there, and those that certainly are not.
    async fn statuses(
        &self,
        source: &Source,
        ids: &[String],
        many: bool,
    ) -> Result<(Vec<Box<RawValue>>, Vec<String>), ConnectorError> {
        let mut there = Vec::new();
        if many {
            let call = ids.iter().fold(Call::get("api/v1/statuses"), |call, id| call.query("id[]", id));
            match self.read(call.bucket(source.bucket())).await {
                Ok(response) => there = response.json::<Vec<Box<RawValue>>>()?,
                Err(ConnectorError::Rejected(_)) => {
                    self.gives_many.store(false, Ordering::Relaxed);
                    return Ok((Vec::new(), Vec::new()));
                }
                Err(error) => return Err(error),
            }
        }
        let answered: Vec<String> =
            there.iter().filter_map(|raw| serde_json::from_str::<Peek>(raw.get()).ok()?.id).collect();
        let mut gone = Vec::new();
        for id in ids.iter().filter(|id| !answered.contains(id)) {
            let response = self
                .client
                .fetch(self.authorized(Call::get("api/v1/statuses").segment(id).bucket(source.bucket())))
                .await?;
            match response.status {
                StatusCode::NOT_FOUND | StatusCode::GONE if is_mastodons_own(&response) => gone.push(id.clone()),
                status if status.is_success() => there.push(response.json()?),
                _ => {}
            }
        }
        Ok((there, gone))
    }
}

/// Whether some of the items are as old as the overlap asks. Not one alone: strangers' servers date their statuses.
fn reaches_back(items: &[Item], newest: Option<&Mark>) -> bool {
    let Some(floor) = newest.and_then(|newest| newest.at?.checked_sub(OVERLAP).ok()) else { return true };
    let last = &items[items.len().saturating_sub(3)..];
    last.iter().all(|item| item.at.is_some_and(|at| at <= floor))
}

/// A "not found" in Mastodon's own words, and not a proxy's page while the server is away.
fn is_mastodons_own(response: &Response) -> bool {
    response.json::<serde_json::Value>().is_ok_and(|body| body.get("error").is_some_and(|error| error.is_string()))
}

/// Where the next page begins. The server's own link is believed before its items, of which it may have hidden some.
fn next_page(source: &Source, response: &Response, items: &[Item]) -> Option<String> {
    if let Some(link) = response.header("link") {
        return next_link(link);
    }
    let full = matches!(source, Source::Words(_)) || items.len() >= PAGE;
    items.iter().rev().find_map(|item| item.id.clone()).filter(|_| full)
}

fn next_link(header: &str) -> Option<String> {
    let next = header.split(",").find(|link| link.contains("rel=\"next\"") || link.contains("rel=next"))?;
    let address = next.trim().strip_prefix('<')?.split('>').next()?;
    let url = url::Url::parse(address).ok()?;
    let id = url.query_pairs().find(|(name, _)| name == "max_id")?.1.into_owned();
    (!id.is_empty() && id.len() <= 64).then_some(id)
}

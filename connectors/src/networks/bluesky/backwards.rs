//! Reading a newest-first list to where the last poll stopped: the newest page at once, then what lies between.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::MOST_POSTS;
use crate::{Batch, Change, ConnectorError, Cursor, Gap, Incoming, Unparsed};

/// Items are listed by the time their authors give them, and indexed late: this much is read again, or as many of the
/// items known from before as [`KNOWN`] says.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
const KNOWN: usize = 50;
/// Pages read backwards in one poll.
const PAGES_AT_ONCE: usize = 3;
/// How far a new stream is read back, besides all that came in since.
const FIRST_PAGES: u32 = 10;
/// Ids kept to recognise what was given already and to notice deletions, within the 8 KiB of a cursor.
const RECENT_BYTES: usize = 6 * 1024;

/// An item and the time by which its list is ordered.
pub(super) struct Item {
    pub(super) indexed_at: Timestamp,
    pub(super) incoming: Incoming,
}

pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) unparsed: Vec<Unparsed>,
    /// Where older items are; `None` at the end of the list.
    pub(super) cursor: Option<String>,
    /// The server's own time of the answer.
    pub(super) as_of: Option<Timestamp>,
}

impl Page {
    /// Whether everything on it is older than `at`. Of a page of what lists leave out (likes, for one) its cursor tells.
    fn is_before(&self, at: Timestamp) -> bool {
        let newest = newest(self).or_else(|| self.cursor.as_deref().and_then(cursor_time));
        newest.is_none_or(|newest| newest < at)
    }
}

/// A list of the network, newest first.
#[async_trait]
pub(super) trait List: Send + Sync {
    async fn page(&self, cursor: Option<&str>) -> Result<Page, ConnectorError>;

    /// Whether the network stops listing before the oldest item (searches do), so that an end proves nothing.
    fn ends_early(&self) -> bool {
        false
    }
}

/// Tells which posts were deleted.
#[async_trait]
pub(super) trait Existing: Send + Sync {
    async fn gone(&self, uris: &[String]) -> Result<Vec<String>, ConnectorError>;
}

/// What a cursor holds.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Position {
    /// Everything up to here was read, when nothing is being filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_to: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<Fill>,
    /// `did/rkey` of the newest posts given, newest first.
    recent: Vec<String>,
    /// Which part of `recent` was looked up last.
    checked: usize,
}

/// A stretch between `read_to` and `top` that is being read backwards.
#[derive(Serialize, Deserialize)]
struct Fill {
    top: Timestamp,
    /// Everything from here to `top` was read.
    from: Timestamp,
    back: String,
    pages: u32,
}

impl Position {
    /// A cursor that cannot be read begins anew: what was seen is recognised, and nothing is lost.
    pub(super) fn read(cursor: Option<&Cursor>) -> Self {
        cursor.and_then(|cursor| serde_json::from_str(&cursor.0).ok()).unwrap_or_default()
    }

    fn write(&self) -> Result<Cursor, ConnectorError> {
        serde_json::to_string(self).map(Cursor).map_err(|error| ConnectorError::Malformed(error.into()))
    }

    fn floor(&self) -> Option<Timestamp> {
        self.read_to?.checked_sub(OVERLAP).ok()
    }

    fn reached(&self, page: &Page) -> bool {
        let Some(cursor) = &page.cursor else { return true };
        let (Some(read_to), Some(floor)) = (self.read_to, self.floor()) else { return false };
        let known = |item: &&Item| item.indexed_at <= read_to && self.recent.contains(&short(&item.incoming.remote_id));
        page.items.iter().any(|item| item.indexed_at < floor)
            || page.items.iter().filter(known).count() >= KNOWN
            // What lists leave out (likes, for one) may fill whole pages: then the cursor itself tells the time.
            || cursor_time(cursor).is_some_and(|time| time < floor)
    }

    /// The next few recent posts to be looked up, a different part at each poll.
    fn due_for_a_look(&mut self) -> Vec<String> {
        if self.recent.is_empty() {
            return Vec::new();
        }
        let parts = self.recent.len().div_ceil(MOST_POSTS);
        self.checked = (self.checked + 1) % parts;
        self.recent.iter().skip(self.checked * MOST_POSTS).take(MOST_POSTS).map(|short| long(short)).collect()
    }

    fn remember(&mut self, new: Vec<String>) {
        self.recent.splice(0..0, new);
        let mut bytes = 0;
        self.recent.retain(|short| {
            bytes += short.len() + 3;
            bytes <= RECENT_BYTES
        });
    }
}

/// Polls a list once.
pub(super) async fn poll(
    existing: &dyn Existing,
    list: &dyn List,
    mut position: Position,
    asked_at: Timestamp,
) -> Result<Batch, ConnectorError> {
    let mut given = Given::default();
    let top = list.page(None).await?;
    let as_of = top.as_of.or_else(|| newest(&top));
    let mut lost = Vec::new();
    let newest_now = newest(&top);
    let to_check = position.due_for_a_look();

    if position.fill.is_none() {
        match (position.reached(&top), oldest(&top), newest_now, top.cursor.clone()) {
            (false, Some(from), Some(top), Some(back)) => {
                position.fill = Some(Fill { top, from, back, pages: 1 });
            }
            // A page without items that we read still has older ones behind it.
            (false, _, _, Some(back)) => {
                let at = position.read_to.or(as_of).unwrap_or(Timestamp::UNIX_EPOCH);
                position.fill = Some(Fill { top: at, from: at, back, pages: 1 });
            }
            _ => position.read_to = newest_now.max(position.read_to),
        }
    }
    given.take(top, &position.recent);

    for _ in 0..PAGES_AT_ONCE {
        let Some(fill) = position.fill.take() else { break };
        let page = match list.page(Some(&fill.back)).await {
            // A list that does not go back any further says so by refusing its own cursor.
            Err(ConnectorError::Rejected(reason)) => {
                lost.extend(lost_gap(position.read_to, fill.from, &reason));
                position.read_to = Some(fill.top).max(position.read_to);
                break;
            }
            // What was read so far counts; the rest is for the next poll.
            Err(_) if given.is_worth_keeping() => {
                position.fill = Some(fill);
                break;
            }
            page => page?,
        };
        let from = oldest(&page).map_or(fill.from, |oldest| oldest.min(fill.from));
        let first_time_is_over =
            position.read_to.is_none() && fill.pages + 1 >= FIRST_PAGES && page.is_before(asked_at);
        match page.cursor.clone() {
            Some(back) if !position.reached(&page) && !first_time_is_over => {
                position.fill = Some(Fill { from, back, pages: fill.pages + 1, ..fill });
            }
            end => {
                if end.is_none() && list.ends_early() && position.read_to.is_some_and(|read_to| from > read_to) {
                    lost.extend(lost_gap(position.read_to, from, "the network lists no older results"));
                }
                position.read_to = Some(fill.top).max(position.read_to);
            }
        }
        given.take(page, &position.recent);
    }

    let gone = match existing.gone(&to_check).await {
        Ok(gone) => gone,
        // Deletions are looked for again at each poll; a failed look takes nothing away from what was read.
        Err(ConnectorError::Unauthorized(reason)) => return Err(ConnectorError::Unauthorized(reason)),
        Err(_) => Vec::new(),
    };
    position.recent.retain(|short| !gone.contains(&long(short)));
    position.remember(given.new);
    let mut changes: Vec<Change> = given.items.into_iter().rev().map(Change::Seen).collect();
    changes.extend(gone.into_iter().map(Change::Deleted));

    let filling = position.fill.as_ref().map(|fill| Gap {
        from: position.read_to,
        until: Some(fill.from),
        reason: "being read backwards from the newest".to_owned(),
    });
    Ok(Batch {
        changes,
        unparsed: given.unparsed,
        complete_up_to: if filling.is_some() { position.read_to } else { as_of },
        more: filling.is_some(),
        filling,
        lost,
        next: position.write()?,
    })
}

/// What this poll gives, newest first.
#[derive(Default)]
struct Given {
    items: Vec<Incoming>,
    unparsed: Vec<Unparsed>,
    new: Vec<String>,
}

impl Given {
    fn take(&mut self, page: Page, recent: &[String]) {
        self.unparsed.extend(page.unparsed);
        for item in page.items {
            let short = short(&item.incoming.remote_id);
            if recent.contains(&short) || self.new.contains(&short) {
                continue;
            }
            self.new.push(short);
            self.items.push(item.incoming);
        }
    }

    fn is_worth_keeping(&self) -> bool {
        !self.items.is_empty() || !self.unparsed.is_empty()
    }
}

/// The time in a cursor, where there is one: RFC 3339, or milliseconds before a separator. Anything else is opaque.
fn cursor_time(cursor: &str) -> Option<Timestamp> {
    if let Ok(time) = cursor.parse() {
        return Some(time);
    }
    let digits = &cursor[..cursor.find(|c: char| !c.is_ascii_digit()).unwrap_or(cursor.len())];
    let milliseconds = digits.parse().ok().filter(|_| digits.len() == 13)?;
    Timestamp::from_millisecond(milliseconds).ok()
}

fn newest(page: &Page) -> Option<Timestamp> {
    page.items.iter().map(|item| item.indexed_at).max()
}

fn oldest(page: &Page) -> Option<Timestamp> {
    page.items.iter().map(|item| item.indexed_at).min()
}

fn lost_gap(from: Option<Timestamp>, until: Timestamp, reason: &str) -> Option<Gap> {
    let from = from?;
    (from < until).then(|| Gap { from: Some(from), until: Some(until), reason: reason.to_owned() })
}

fn short(uri: &str) -> String {
    match super::posts::parts(uri) {
        Some((did, rkey)) => format!("{did}/{rkey}"),
        None => uri.to_owned(),
    }
}

fn long(short: &str) -> String {
    match short.split_once('/') {
        Some((did, rkey)) if !short.starts_with("at://") => format!("at://{did}/{}/{rkey}", super::POSTS),
        _ => short.to_owned(),
    }
}

//! RSS, Atom and JSON feeds: news articles and reviews, read only.
//!
//! A feed is asked for with what the server said of it last time (`ETag`, `Last-Modified`), so an unchanged one costs
//! next to nothing. What a feed no longer lists is not deleted: feeds only ever show their newest items.

use async_trait::async_trait;
use feed_rs::model::{Entry, Feed as Document, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::html;
use crate::http::{Call, Client, Pace, Response, header};
use crate::incoming::{MAX_NAME, MAX_TEXT, Media, clean, plausible, unparsed};
use crate::{
    AccountSettings, Author, Batch, Change, Connector, ConnectorError, Cursor, Incoming, Kind, Profile, Publisher,
    Stream, StreamKind, Unparsed, Visibility,
};

/// Items remembered in a cursor of at most 8 KiB.
const MOST_REMEMBERED: usize = 380;
const ID_DIGITS: usize = 12;
const CONTENT_DIGITS: usize = 6;

/// One feed.
pub struct Feed {
    client: Client,
    url: Url,
}

/// What a cursor holds.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Position {
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    /// Beginnings of the hashes of the items seen, id and content, one after the other.
    seen: String,
}

impl Position {
    /// The content hash of an item seen before.
    fn content_of(&self, id: &str) -> Option<&str> {
        let mut rest = self.seen.as_str();
        while let (Some(item), Some(next)) =
            (rest.get(..ID_DIGITS + CONTENT_DIGITS), rest.get(ID_DIGITS + CONTENT_DIGITS..))
        {
            if item.starts_with(id) {
                return Some(&item[ID_DIGITS..]);
            }
            rest = next;
        }
        None
    }
}

impl Feed {
    /// Needs the feed's address as `base_url`.
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let failure = |what: &str| ConnectorError::Settings(format!("account {}: {what}", account.name));
        let url = account.base_url.clone().ok_or_else(|| failure("set base_url to the feed's address"))?;
        if !account.listen_for.is_empty() {
            return Err(failure("a feed is read whole; take listen_for out, and filter in the inbox"));
        }
        let pace = Pace { burst: 5, every: std::time::Duration::from_secs(1) };
        Ok(Self { client: Client::new(url.clone(), account.call_timeout, pace)?, url })
    }

    async fn fetch(&self, position: &Position) -> Result<Response, ConnectorError> {
        let mut call = Call::get("").header(
            header::ACCEPT,
            "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5",
        );
        if let Some(etag) = &position.etag {
            call = call.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &position.modified {
            call = call.header(header::IF_MODIFIED_SINCE, modified);
        }
        self.client.read_following(self.url.clone(), call).await
    }

    async fn document(&self, response: &Response) -> Result<Document, ConnectorError> {
        let (body, url) = (response.body.clone(), self.url.to_string());
        let parsed = tokio::task::spawn_blocking(move || {
            // The default makes up a random id for an item without any, and it would be new at each poll.
            let first_link = |links: &[feed_rs::model::Link], _: &Option<Text>, _: Option<&str>| {
                links.first().map_or_else(String::new, |link| link.href.clone())
            };
            let parser = feed_rs::parser::Builder::new().base_uri(Some(url)).id_generator(first_link).build();
            parser.parse(body.as_ref()).map_err(|error| error.to_string())
        });
        let not_a_feed = |reason: String| {
            ConnectorError::Malformed(
                format!(
                    "{} is not a readable feed: {reason}; base_url must be the address of the feed itself, not of a page",
                    self.url.host_str().unwrap_or("it")
                )
                .into(),
            )
        };
        match parsed.await {
            Ok(Ok(document)) => Ok(document),
            Ok(Err(reason)) => Err(not_a_feed(reason)),
            Err(_) => Err(not_a_feed("its parser gave up".to_owned())),
        }
    }

    fn incoming(
        &self,
        document: &Document,
        entry: &Entry,
        rating: Option<f64>,
        as_of: Option<Timestamp>,
    ) -> Result<Incoming, String> {
        let written = entry.published.or(entry.updated).and_then(|time| time_of(time.timestamp_millis()));
        // Items dated ahead are shown at once, too; what has no date is as old as its first sight.
        let published_at = match (written, as_of) {
            (Some(written), Some(as_of)) => written.min(as_of),
            (Some(time), None) | (None, Some(time)) => time,
            (None, None) => return Err("neither the item nor the server says a time".to_owned()),
        };
        let title = entry.title.as_ref().map(plain).unwrap_or_default();
        let content = entry.content.as_ref().and_then(|content| content.body.as_deref()).map(html::to_text);
        let body =
            content.filter(|text| !text.is_empty()).or_else(|| entry.summary.as_ref().map(plain)).unwrap_or_default();
        let text = match (title.is_empty(), body.is_empty() || body == title) {
            (false, false) => format!("{title}\n\n{body}"),
            (false, true) => title,
            (true, _) => body,
        };
        let text = clean(&text, MAX_TEXT);
        if text.is_empty() {
            return Err("it has neither a title nor a text".to_owned());
        }
        let link = entry.links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
        let url = link.map(|link| link.href.as_str()).and_then(web_address);
        let media = entry.media.iter().flat_map(|media| &media.content);
        let media = media.filter_map(|content| {
            Some(Media { url: web_address(content.url.as_ref()?.as_str())?, description: String::new() })
        });
        let rating = rating.or_else(|| stars(entry));
        Ok(Incoming {
            remote_id: self.remote_id(entry),
            local_id: None,
            kind: if rating.is_some() { Kind::Review } else { Kind::Article },
            author: self.author(document, entry),
            text,
            url,
            published_at,
            edited_at: None,
            in_reply_to: None,
            thread: None,
            visibility: Visibility::Public,
            language: entry.language.as_deref().or(document.language.as_deref()).map(|code| clean(code, 35)),
            rating,
            media: media.take(10).collect(),
            reply_data: Value::Null,
        })
    }

    /// An address or name that is unique by itself stays as it is; a bare number gets the feed's address before it.
    fn remote_id(&self, entry: &Entry) -> String {
        let id = match entry.id.trim() {
            "" => digits(&format!("{:?}{:?}{:?}", entry.title, entry.summary, entry.content), 32),
            id => id.to_owned(),
        };
        let unique = ["http://", "https://", "urn:", "tag:"].iter().any(|start| id.starts_with(start));
        let id = if unique { id } else { format!("{}#{id}", self.url) };
        match id.chars().count() > MAX_NAME {
            // Two long ids may have the same beginning.
            true => format!("{}#{}", clean(self.url.as_str(), MAX_NAME / 2), digits(&id, 32)),
            false => clean(&id, MAX_NAME),
        }
    }

    fn author(&self, document: &Document, entry: &Entry) -> Author {
        let source = document.title.as_ref().map(plain).filter(|title| !title.is_empty());
        let source = source.unwrap_or_else(|| self.url.host_str().unwrap_or_default().to_owned());
        let person = entry.authors.first().or_else(|| document.authors.first());
        let name = person
            .and_then(|person| person.name.as_deref())
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .unwrap_or(&source);
        let page = person.and_then(|person| person.uri.as_deref()).and_then(web_address);
        Author {
            remote_id: clean(page.as_deref().unwrap_or(&format!("{}#{name}", self.url)), MAX_NAME),
            handle: clean(name, MAX_NAME),
            display_name: clean(name, MAX_NAME),
            url: page,
            is_us: false,
            followers: None,
        }
    }

    fn changes(
        &self,
        document: &Document,
        position: &mut Position,
        body: &[u8],
        as_of: Option<Timestamp>,
    ) -> (Vec<Change>, Vec<Unparsed>) {
        let ratings = ratings(&String::from_utf8_lossy(body), document.entries.len());
        let (mut changes, mut refused, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (number, entry) in document.entries.iter().enumerate() {
            let rating = ratings.get(number).copied().flatten();
            let mut incoming = match self.incoming(document, entry, rating, as_of) {
                Ok(incoming) => incoming,
                Err(reason) => {
                    refused.push(unparsed(&format!("{entry:?}"), reason));
                    continue;
                }
            };
            let id = digits(&incoming.remote_id, ID_DIGITS);
            let content =
                digits(&format!("{}\n{:?}\n{:?}", incoming.text, incoming.rating, incoming.url), CONTENT_DIGITS);
            match position.content_of(&id) {
                Some(known) if known == content => {}
                Some(_) => {
                    let updated = entry.updated.and_then(|time| time_of(time.timestamp_millis()));
                    incoming.edited_at = updated.filter(|time| *time > incoming.published_at).or(as_of);
                    changes.push(Change::Edited(incoming));
                }
                None => changes.push(Change::Seen(incoming)),
            }
            let item = id + &content;
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        // Items that left the feed are remembered as long as there is room: some come back.
        let old = position.seen.as_bytes().chunks_exact(ID_DIGITS + CONTENT_DIGITS);
        let old = old.map(|item| String::from_utf8_lossy(item).into_owned());
        let new: std::collections::HashSet<String> = seen.iter().map(|item| item[..ID_DIGITS].to_owned()).collect();
        seen.extend(old.filter(|item| !item.get(..ID_DIGITS).is_none_or(|id| new.contains(id))));
        seen.truncate(MOST_REMEMBERED);
        position.seen = seen.concat();
        changes.reverse();
        (changes, refused)
    }
}

#[async_trait]
impl Connector for Feed {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        let response = self.fetch(&Position::default()).await?.accepted()?;
        let title = self.document(&response).await?.title.as_ref().map(plain).unwrap_or_default();
        let host = self.url.host_str().unwrap_or_default().to_owned();
        Ok(Profile {
            remote_id: self.url.to_string(),
            handle: host,
            display_name: title,
            url: Some(self.url.to_string()),
        })
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream { kind: StreamKind::Feed, query: String::new() }]
    }

    async fn poll(
        &self,
        stream: &Stream,
        after: Option<&Cursor>,
        _asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        if stream.kind != StreamKind::Feed {
            return Err(ConnectorError::Settings(format!("a feed has no stream {:?}", stream.name())));
        }
        // A cursor that cannot be read begins anew: what was seen is recognised.
        let mut position: Position = after.and_then(|cursor| serde_json::from_str(&cursor.0).ok()).unwrap_or_default();
        let response = self.fetch(&position).await?;
        let as_of = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let as_of = as_of.and_then(|time| Timestamp::try_from(time).ok());
        let (changes, refused) = match response.status.as_u16() {
            304 => Default::default(),
            _ => {
                let response = response.accepted()?;
                let document = self.document(&response).await?;
                let validator =
                    |name: &str| response.header(name).filter(|value| value.len() <= 300).map(str::to_owned);
                position.etag = validator("etag");
                position.modified = validator("last-modified");
                self.changes(&document, &mut position, &response.body, as_of)
            }
        };
        let next = serde_json::to_string(&position).map_err(|error| ConnectorError::Malformed(error.into()))?;
        Ok(Batch {
            changes,
            unparsed: refused,
            next: Cursor(next),
            complete_up_to: as_of,
            filling: None,
            lost: Vec::new(),
            more: false,
        })
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
}

fn time_of(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok().and_then(|time| plausible(time).ok())
}

fn plain(text: &Text) -> String {
    match text.content_type.subty().as_str() {
        "plain" => text.content.trim().to_owned(),
        _ => html::to_text(&text.content),
    }
}

fn web_address(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    (matches!(url.scheme(), "http" | "https") && address.len() <= 2_000).then(|| url.to_string())
}

fn digits(text: &str, length: usize) -> String {
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    hash[..length].to_owned()
}

/// The stars of Media RSS (`media:community`), brought to one to five.
fn stars(entry: &Entry) -> Option<f64> {
    let community = entry.media.iter().find_map(|media| media.community.as_ref())?;
    let (least, most) = (community.stars_min.unwrap_or(1) as f64, community.stars_max.unwrap_or(5) as f64);
    let share = (community.stars_avg? - least) / (most - least);
    (0.0..=1.0).contains(&share).then_some(1.0 + 4.0 * share)
}

/// Ratings that app stores and review sites put into elements of their own (`im:rating`, `rating`, `r:rating`), which
/// the feed's parser leaves out: item by item, or none at all where the items cannot be told apart for certain.
fn ratings(xml: &str, items: usize) -> Vec<Option<f64>> {
    let mut ratings = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        // Markup inside of CDATA and comments is text.
        let skip = [("<![CDATA[", "]]>"), ("<!--", "-->")].iter().find(|(start, _)| rest.starts_with(start));
        if let Some((_, end)) = skip {
            rest = rest.find(end).map_or("", |at| &rest[at..]);
            continue;
        }
        let tag = &rest[1..];
        let name = &tag[..tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(tag.len())];
        if matches!(name, "item" | "entry") {
            ratings.push(None);
        } else if name.rsplit(':').next() == Some("rating")
            && let (Some(rating), Some(open), Some(close)) = (ratings.last_mut(), tag.find('>'), tag.find("</"))
            && let Some(value) = tag.get(open + 1..close).and_then(|value| value.trim().parse::<f64>().ok())
        {
            *rating = rating.or((1.0..=5.0).contains(&value).then_some(value));
        }
        rest = tag;
    }
    if ratings.len() == items { ratings } else { Vec::new() }
}

//! What the network says about a post, as a message of ours.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::backwards::Item;
use super::facets::{self, Facet};
use crate::incoming::{MAX_NAME, MAX_TEXT, Media, believable, clean};
use crate::{Author, Incoming, Kind, Receipt, Visibility};

/// Who is looking: what a post means depends on it.
pub(super) struct Viewer {
    pub(super) did: String,
    pub(super) public: bool,
    pub(super) base: Url,
}

/// An entry of `listNotifications`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    reason: String,
    #[serde(flatten)]
    post: PostView,
}

/// A post as `getPosts`, searches and feeds show it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostView {
    uri: String,
    cid: String,
    author: ProfileView,
    record: Value,
    indexed_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileView {
    did: String,
    handle: String,
    display_name: Option<String>,
}

/// The post itself, as its author's repository holds it: anything may be missing or wrong.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    text: String,
    created_at: Option<String>,
    #[serde(default)]
    langs: Vec<String>,
    reply: Option<Reply>,
    #[serde(default)]
    facets: Vec<Value>,
    #[serde(default)]
    embed: Value,
}

#[derive(Deserialize)]
struct Reply {
    root: Reference,
    parent: Reference,
}

#[derive(Deserialize)]
struct Reference {
    uri: String,
    cid: String,
}

impl Notification {
    pub(super) fn is_about_a_post(&self) -> bool {
        matches!(self.reason.as_str(), "mention" | "reply" | "quote")
    }

    pub(super) fn incoming(self, viewer: &Viewer) -> Result<Item, String> {
        let kind = match self.reason.as_str() {
            "reply" => Kind::Reply,
            _ => Kind::Mention,
        };
        self.post.of_kind(viewer, Some(kind))
    }
}

impl PostView {
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    pub(super) fn cid(&self) -> &str {
        &self.cid
    }

    /// The first post of its thread, as an answer to this post must name it.
    pub(super) fn root(&self) -> Option<Value> {
        let record: Record = serde_json::from_value(self.record.clone()).ok()?;
        record.reply.map(|reply| json!({ "uri": reply.root.uri, "cid": reply.root.cid }))
    }

    pub(super) fn is_by(&self, did: &str) -> bool {
        self.author.did == did
    }

    pub(super) fn incoming(self, viewer: &Viewer) -> Result<Item, String> {
        self.of_kind(viewer, None)
    }

    fn of_kind(self, viewer: &Viewer, kind: Option<Kind>) -> Result<Item, String> {
        let (did, rkey) = parts(&self.uri).ok_or_else(|| format!("{:?} is not the address of a post", self.uri))?;
        let record = Record::deserialize(&self.record).map_err(|error| error.to_string())?;
        let facets: Vec<Facet> = record.facets.iter().filter_map(|facet| Facet::deserialize(facet).ok()).collect();
        let answers_us = |reply: &Reply| parts(&reply.parent.uri).is_some_and(|(did, _)| did == viewer.did);
        let kind = kind.unwrap_or_else(|| match &record.reply {
            Some(reply) if answers_us(reply) => Kind::Reply,
            _ if facets.iter().any(|facet| facet.mentions(&viewer.did)) => Kind::Mention,
            _ => Kind::Post,
        });
        let root = match &record.reply {
            Some(reply) => json!({ "uri": reply.root.uri, "cid": reply.root.cid }),
            None => json!({ "uri": self.uri, "cid": self.cid }),
        };
        let thread = record.reply.as_ref().map_or(&self.uri, |reply| &reply.root.uri);
        let incoming = Incoming {
            kind,
            text: clean(&facets::with_whole_links(&record.text, &facets), MAX_TEXT),
            url: viewer.public.then(|| format!("https://bsky.app/profile/{did}/post/{rkey}")),
            published_at: believable(record.created_at.as_deref(), self.indexed_at),
            edited_at: None,
            in_reply_to: record.reply.as_ref().map(|reply| clean(&reply.parent.uri, MAX_NAME)),
            thread: Some(clean(thread, MAX_NAME)),
            visibility: Visibility::Public,
            language: record.langs.first().map(|code| clean(code, 35)),
            rating: None,
            media: media(&record.embed, did, viewer),
            reply_data: json!({ "uri": self.uri, "cid": self.cid, "root": root }),
            author: Author {
                is_us: self.author.did == viewer.did,
                url: viewer
                    .public
                    .then(|| format!("https://bsky.app/profile/{}", clean(&self.author.handle, MAX_NAME))),
                remote_id: clean(&self.author.did, MAX_NAME),
                handle: clean(&self.author.handle, MAX_NAME),
                display_name: clean(&self.author.display_name.unwrap_or_default(), MAX_NAME),
                followers: None,
            },
            remote_id: clean(&self.uri, MAX_NAME),
            local_id: None,
        };
        Ok(Item { indexed_at: self.indexed_at, incoming })
    }
}

/// Author and record key of a post's address, `at://did/app.bsky.feed.post/rkey`.
pub(super) fn parts(uri: &str) -> Option<(&str, &str)> {
    let mut parts = uri.strip_prefix("at://")?.split('/');
    let (did, collection, rkey) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none() && did.starts_with("did:") && !rkey.is_empty() && uri.len() <= MAX_NAME;
    (whole && collection == super::POSTS).then_some((did, rkey))
}

/// The post of `own` that `https://bsky.app/profile/NAME/post/RKEY` leads to; a name that is an id must be its own.
pub(super) fn linked(link: &Url, own: &str) -> Option<Receipt> {
    let segments: Vec<&str> = link.path_segments()?.collect();
    let [.., "profile", name, "post", rkey] = segments.as_slice() else { return None };
    let uri = format!("at://{own}/{}/{rkey}", super::POSTS);
    let is_own = !name.starts_with("did:") || *name == own;
    (is_own && parts(&uri).is_some()).then(|| Receipt { remote_id: uri, local_id: None, url: Some(link.to_string()) })
}

/// Pictures, films and link cards of a record.
fn media(embed: &Value, did: &str, viewer: &Viewer) -> Vec<Media> {
    let text = |value: &Value| clean(value.as_str().unwrap_or_default(), 2_000);
    let blob = |blob: &Value| {
        let mut url = viewer.base.join("xrpc/com.atproto.sync.getBlob").ok()?;
        url.query_pairs_mut().append_pair("did", did).append_pair("cid", blob["ref"]["$link"].as_str()?);
        Some(url.to_string())
    };
    // A quoted post may bring its own pictures beside it.
    let embed = if embed["media"].is_object() { &embed["media"] } else { embed };
    let mut media = Vec::new();
    for image in embed["images"].as_array().into_iter().flatten().take(10) {
        media.extend(blob(&image["image"]).map(|url| Media { url, description: text(&image["alt"]) }));
    }
    media.extend(blob(&embed["video"]).map(|url| Media { url, description: text(&embed["alt"]) }));
    let card = &embed["external"];
    if let Some(url) = card["uri"].as_str().filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
        media.push(Media { url: clean(url, 2_000), description: text(&card["title"]) });
    }
    media
}

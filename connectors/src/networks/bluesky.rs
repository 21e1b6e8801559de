//! Bluesky: notifications, searches and own posts through the account's PDS; posts under record keys of our own.
//!
//! Facts are from the lexicons of `bluesky-social/atproto` and from the network run locally (`tests/peers`), November 2026:
//! lists are newest first and their cursor goes back in time; a page may be empty and still have a cursor; an expired or
//! broken token is a 400 (`ExpiredToken`, `InvalidToken`); posts cannot be edited; a deleted post vanishes from every list
//! without an event. The network hides what muted or blocked people write from these lists.

mod backwards;
mod facets;
mod posts;
mod publish;
mod session;
mod tid;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use self::backwards::{Item, List, Page, Position};
use self::posts::{Notification, PostView, Viewer};
use self::session::Sessions;
use crate::http::{Call, Client, Pace, Response};
use crate::incoming::unparsed;
use crate::{AccountSettings, Batch, Connector, ConnectorError, Cursor, Kind, Profile, Publisher, Stream, StreamKind};

/// The collection of posts in a repository.
const POSTS: &str = "app.bsky.feed.post";
/// What one call to `getPosts` takes.
const MOST_POSTS: usize = 25;

/// One account on Bluesky, logged in with an app password.
pub struct Bluesky {
    client: Client,
    sessions: Sessions,
    searches: Vec<String>,
    /// Posts of the public network can be looked at on bsky.app.
    public: bool,
    call_timeout: Duration,
}

impl Bluesky {
    /// Needs `base_url` (the PDS or `https://bsky.social`), `user` (handle or e-mail) and an app password as `token`.
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let missing = |what: &str| ConnectorError::Settings(format!("account {}: {what}", account.name));
        let base =
            account.base_url.clone().ok_or_else(|| missing("set base_url, most often \"https://bsky.social\""))?;
        let user = account.user.clone().filter(|user| !user.trim().is_empty());
        let user = user.ok_or_else(|| missing("set user to the handle, like \"destek.bsky.social\""))?;
        let password = account.token.clone().ok_or_else(|| {
            missing("set token to an app password (in Bluesky: Settings, Privacy and security, App passwords)")
        })?;
        let public = base.domain().is_some_and(|domain| {
            domain.contains('.') && !["test", "local", "internal", "localhost"].iter().any(|end| domain.ends_with(end))
        });
        // 3,000 requests in 5 minutes are allowed from one address (docs.bsky.app, rate limits); a tenth is ours.
        let pace = Pace { burst: 20, every: Duration::from_secs(1) };
        let client = Client::new(base, account.call_timeout, pace)?.with_secret(password.clone());
        let own = format!("@{}", user.trim_start_matches('@'));
        let searches = account.listen_for.iter().map(|query| query.trim());
        let searches = searches.filter(|query| !query.is_empty() && !query.eq_ignore_ascii_case(&own));
        Ok(Self {
            searches: searches.map(str::to_owned).collect(),
            sessions: Sessions::new(account.session.clone(), user.trim_start_matches('@').to_owned(), password),
            client,
            public,
            call_timeout: account.call_timeout,
        })
    }

    /// A read as the account; an expired token is renewed once.
    async fn read(&self, call: Call) -> Result<Response, ConnectorError> {
        self.fetch(call).await?.accepted()
    }

    /// Like [`Bluesky::read`], any status but that of a refused token.
    async fn fetch(&self, call: Call) -> Result<Response, ConnectorError> {
        let tokens = self.sessions.current(&self.client).await?;
        let response = self.client.fetch(call.clone().bearer(&tokens.access())).await?;
        if !session::is_refused(&response) {
            return Ok(response);
        }
        let tokens = self.sessions.renew(&self.client, &tokens).await?;
        let response = self.client.fetch(call.bearer(&tokens.access())).await?;
        match session::is_refused(&response) {
            true => Err(ConnectorError::Unauthorized(response.said())),
            false => Ok(response),
        }
    }

    async fn viewer(&self) -> Result<Viewer, ConnectorError> {
        let tokens = self.sessions.current(&self.client).await?;
        Ok(Viewer { did: tokens.did, public: self.public, base: self.client.base().clone() })
    }

    /// The posts among `uris` that the network shows, at most [`MOST_POSTS`] of them.
    async fn posts(&self, uris: &[String]) -> Result<Vec<PostView>, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            posts: Vec<Value>,
        }
        let mut call = Call::get("xrpc/app.bsky.feed.getPosts");
        for uri in uris.iter().take(MOST_POSTS) {
            call = call.query("uris", uri);
        }
        let answer: Answer = self.read(call).await?.json()?;
        Ok(answer.posts.into_iter().filter_map(|post| serde_json::from_value(post).ok()).collect())
    }

    /// Whether the record of a post is gone. A list leaves out more than deleted posts (blocked authors, for one), so
    /// only the network's word on the record itself counts.
    async fn is_gone(&self, uri: &str) -> Result<bool, ConnectorError> {
        let Some((did, rkey)) = posts::parts(uri) else { return Ok(false) };
        let response = self.fetch(record(did, rkey)).await?;
        Ok(is_not_found(&response))
    }
}

fn record(did: &str, rkey: &str) -> Call {
    Call::get("xrpc/com.atproto.repo.getRecord").query("repo", did).query("collection", POSTS).query("rkey", rkey)
}

/// Servers name it `RecordNotFound`; older ones answer `InvalidRequest` and say it in words.
fn is_not_found(response: &Response) -> bool {
    let failure = session::Failure::of(response);
    response.status.as_u16() == 400
        && (failure.error == "RecordNotFound" || failure.message.starts_with("Could not locate record"))
}

#[async_trait]
impl Connector for Bluesky {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        #[derive(Deserialize)]
        struct Own {
            did: String,
            handle: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown {
            #[serde(default)]
            display_name: String,
        }
        let own: Own = self.read(Call::get("xrpc/com.atproto.server.getSession")).await?.json()?;
        // The profile is another server's answer: without it the account still works.
        let shown = self.read(Call::get("xrpc/app.bsky.actor.getProfile").query("actor", &own.did)).await;
        let shown = shown.and_then(|response| response.json::<Shown>()).ok();
        let url = self.public.then(|| format!("https://bsky.app/profile/{}", own.handle));
        Ok(Profile {
            display_name: shown.map(|shown| shown.display_name).unwrap_or_default(),
            remote_id: own.did,
            handle: own.handle,
            url,
        })
    }

    fn streams(&self) -> Vec<Stream> {
        let searches = self.searches.iter().map(|query| Stream { kind: StreamKind::Search, query: query.clone() });
        [StreamKind::Mentions, StreamKind::Own]
            .into_iter()
            .map(|kind| Stream { kind, query: String::new() })
            .chain(searches)
            .collect()
    }

    async fn poll(
        &self,
        stream: &Stream,
        after: Option<&Cursor>,
        asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        let viewer = self.viewer().await?;
        let position = Position::read(after);
        match stream.kind {
            StreamKind::Mentions => {
                backwards::poll(self, &Notifications { bluesky: self, viewer }, position, asked_at).await
            }
            StreamKind::Own => backwards::poll(self, &OwnPosts { bluesky: self, viewer }, position, asked_at).await,
            StreamKind::Search => {
                let search = Search { bluesky: self, viewer, query: &stream.query };
                backwards::poll(self, &search, position, asked_at).await
            }
            StreamKind::Messages | StreamKind::Feed => {
                Err(ConnectorError::Settings(format!("Bluesky has no stream {:?}", stream.name())))
            }
        }
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

/// Who mentions, answers or quotes the account.
struct Notifications<'a> {
    bluesky: &'a Bluesky,
    viewer: Viewer,
}

#[async_trait]
impl List for Notifications<'_> {
    async fn page(&self, cursor: Option<&str>) -> Result<Page, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            cursor: Option<String>,
            notifications: Vec<Value>,
        }
        // Without `priority=false` a setting of the person's own app would hide people the account does not follow.
        let mut call = Call::get("xrpc/app.bsky.notification.listNotifications").query("priority", false);
        for reason in ["mention", "reply", "quote"] {
            call = call.query("reasons", reason);
        }
        let response = self.bluesky.read(paged(call, cursor)).await?;
        let answer: Answer = response.json()?;
        let mut page = Page::new(&response, answer.cursor);
        for raw in answer.notifications {
            let text = raw.to_string();
            match serde_json::from_value::<Notification>(raw) {
                // Servers before the `reasons` parameter send everything.
                Ok(notification) if !notification.is_about_a_post() => {}
                Ok(notification) => page.put(notification.incoming(&self.viewer), &text),
                Err(error) => page.unparsed.push(unparsed(&text, error.to_string())),
            }
        }
        Ok(page)
    }
}

/// What the account published, with Muhatap or elsewhere.
struct OwnPosts<'a> {
    bluesky: &'a Bluesky,
    viewer: Viewer,
}

#[async_trait]
impl List for OwnPosts<'_> {
    async fn page(&self, cursor: Option<&str>) -> Result<Page, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            cursor: Option<String>,
            feed: Vec<Value>,
        }
        #[derive(Deserialize)]
        struct Entry {
            post: PostView,
        }
        let call = Call::get("xrpc/app.bsky.feed.getAuthorFeed")
            .query("actor", &self.viewer.did)
            .query("filter", "posts_with_replies");
        let response = self.bluesky.read(paged(call, cursor)).await?;
        let answer: Answer = response.json()?;
        let mut page = Page::new(&response, answer.cursor);
        for raw in answer.feed {
            let text = raw.to_string();
            match serde_json::from_value::<Entry>(raw) {
                // The feed holds what the account reposted, too.
                Ok(entry) if !entry.post.is_by(&self.viewer.did) => {}
                Ok(entry) => page.put(entry.post.incoming(&self.viewer), &text),
                Err(error) => page.unparsed.push(unparsed(&text, error.to_string())),
            }
        }
        Ok(page)
    }
}

/// Posts with a word or hashtag.
struct Search<'a> {
    bluesky: &'a Bluesky,
    viewer: Viewer,
    query: &'a str,
}

#[async_trait]
impl List for Search<'_> {
    async fn page(&self, cursor: Option<&str>) -> Result<Page, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            cursor: Option<String>,
            posts: Vec<Value>,
        }
        let call =
            Call::get("xrpc/app.bsky.feed.searchPosts").query("q", self.query).query("sort", "latest").bucket("search");
        let response = self.bluesky.read(paged(call, cursor)).await?;
        let answer: Answer = response.json()?;
        let mut page = Page::new(&response, answer.cursor);
        for raw in answer.posts {
            let text = raw.to_string();
            match serde_json::from_value::<PostView>(raw) {
                Ok(post) => page.put(post.incoming(&self.viewer), &text),
                Err(error) => page.unparsed.push(unparsed(&text, error.to_string())),
            }
        }
        Ok(page)
    }

    fn ends_early(&self) -> bool {
        true
    }
}

fn paged(call: Call, cursor: Option<&str>) -> Call {
    let call = call.query("limit", 100);
    match cursor {
        Some(cursor) => call.query("cursor", cursor),
        None => call,
    }
}

#[async_trait]
impl backwards::Existing for Bluesky {
    async fn gone(&self, uris: &[String]) -> Result<Vec<String>, ConnectorError> {
        let shown = self.posts(uris).await?;
        let mut gone = Vec::new();
        for uri in uris.iter().filter(|uri| !shown.iter().any(|post| post.uri() == uri.as_str())) {
            if self.is_gone(uri).await? {
                gone.push(uri.clone());
            }
        }
        Ok(gone)
    }
}

impl Page {
    fn new(response: &Response, cursor: Option<String>) -> Self {
        let sent_at = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        Self {
            items: Vec::new(),
            unparsed: Vec::new(),
            cursor: cursor.filter(|cursor| !cursor.is_empty()),
            as_of: sent_at.and_then(|time| Timestamp::try_from(time).ok()),
        }
    }

    fn put(&mut self, item: Result<Item, String>, raw: &str) {
        match item {
            // A post that answers and mentions us is listed twice: an answer it is.
            Ok(item) => match self.items.iter_mut().find(|other| other.incoming.remote_id == item.incoming.remote_id) {
                Some(other) if item.incoming.kind == Kind::Reply => *other = item,
                Some(_) => {}
                None => self.items.push(item),
            },
            Err(reason) => self.unparsed.push(unparsed(raw, reason)),
        }
    }
}

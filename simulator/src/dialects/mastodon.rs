//! The part of the Mastodon API that connectors use.
//!
//! Facts from docs.joinmastodon.org and the OpenAPI description abraham/mastodon-openapi 4.7.0 (MIT), read November
//! 2026: pages are newest first with `max_id`, `since_id` and `min_id`, `Link` headers name the neighbouring pages; a
//! status has a canonical `uri` and an `id` of this server; a status notifies whom its text names; an edit notifies
//! nobody who was named before.

use std::sync::Arc;

use axum::http::{Method, header};
use axum::response::Response;
use icu_segmenter::GraphemeClusterSegmenter;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Dialect, Parameters, Request};
use crate::faults::Call;
use crate::simulation::{Failure, Reply, Simulation, Work, written};
use crate::timeline::{Draft, Network, Notification, Person, PersonId, Post, PostId, Timeline, Visibility};
use crate::world::World;

/// The simulated server's own name: the domain of local handles and canonical addresses.
pub(crate) const DOMAIN: &str = "meydan.example";
/// What a status may hold at most, and what a link counts as: Mastodon's defaults.
const MAX_CHARACTERS: usize = 500;
const CHARACTERS_PER_URL: usize = 23;

const FIRST_STATUS: u64 = 114_000_000_000_000_000;
const STATUS_STEP: u64 = 65_536;
const FIRST_ACCOUNT: u64 = 109_300_000_000_000_000;
const ACCOUNT_STEP: u64 = 7_919;
const FIRST_NOTIFICATION: u64 = 300_000;

/// The local id of a post.
pub(crate) fn status_id(id: PostId) -> u64 {
    FIRST_STATUS + id as u64 * STATUS_STEP
}

/// The post with this local id.
pub(crate) fn post_of(status_id: &str) -> Option<PostId> {
    let offset = status_id.parse::<u64>().ok()?.checked_sub(FIRST_STATUS)?;
    offset.is_multiple_of(STATUS_STEP).then_some((offset / STATUS_STEP) as usize)
}

fn account_id(id: PersonId) -> u64 {
    FIRST_ACCOUNT + id as u64 * ACCOUNT_STEP
}

fn person_of(account_id: &str) -> Option<PersonId> {
    let offset = account_id.parse::<u64>().ok()?.checked_sub(FIRST_ACCOUNT)?;
    offset.is_multiple_of(ACCOUNT_STEP).then_some((offset / ACCOUNT_STEP) as usize)
}

/// The canonical address of a post: on its author's own server, under that server's id.
pub(crate) fn uri(timeline: &Timeline, post: &Post) -> String {
    let author = timeline.person(post.author);
    let (server, id) = match author.server() {
        Some(server) => (server, 112_000_000_000_000_000 + post.id as u64 * 98_317),
        None => (DOMAIN, status_id(post.id)),
    };
    format!("https://{server}/users/{}/statuses/{id}", author.username())
}

/// Where a person can look at a post: on the simulator's own pages.
pub(crate) fn url(base: &str, timeline: &Timeline, post: &Post) -> String {
    format!("{base}/@{}/{}", timeline.person(post.author).handle, status_id(post.id))
}

/// Answers one request.
pub(crate) async fn answer(simulation: &Arc<Simulation>, request: Request) -> Response {
    let now = simulation.now();
    let Some(parameters) = request.parameters() else {
        return written(Reply::new(400, json!({ "error": "There was a problem in the JSON you submitted" })));
    };
    let token = request.header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let account = token.and_then(|token| simulation.look(|world| world.timeline.by_token(Network::Mastodon, token)));
    let Some(account) = account else {
        return written(Dialect::Mastodon.failure(Failure::Unauthorized, now));
    };
    let key = request.header("idempotency-key").map(str::to_owned);
    let asked = Asked { account, base: simulation.base.clone(), path: request.path.clone(), parameters, key };
    match understand(&request.method, &request.segments(), asked) {
        Some((call, work)) => simulation.answer(Dialect::Mastodon, account, call, request.grip, work).await,
        None => written(Reply::new(404, json!({ "error": "The page you were looking for doesn't exist here" }))),
    }
}

/// A request with its caller.
struct Asked {
    account: PersonId,
    base: String,
    path: String,
    parameters: Parameters,
    key: Option<String>,
}

fn understand(method: &Method, segments: &[&str], asked: Asked) -> Option<(Call, Work)> {
    let id = segments.get(3).map(|id| (*id).to_owned()).unwrap_or_default();
    let found: (Call, Work) = match (method.as_str(), segments) {
        ("GET", ["api", "v1" | "v2", "instance"]) => (Call::Instance, Box::new(move |world, _| asked.instance(world))),
        ("GET", ["api", "v1", "accounts", "verify_credentials"]) => {
            (Call::Who, Box::new(move |world, _| asked.verify_credentials(world)))
        }
        ("GET", ["api", "v1", "accounts", _, "statuses"]) => {
            (Call::Own, Box::new(move |world, _| asked.account_statuses(world, &id)))
        }
        ("GET", ["api", "v1", "notifications"]) => {
            (Call::Mentions, Box::new(move |world, _| asked.notifications(world)))
        }
        ("GET", ["api", "v1", "timelines", "tag", _]) => {
            let tag = segments.get(4).map(|tag| (*tag).to_owned()).unwrap_or_default();
            (Call::Search, Box::new(move |world, now| asked.tag(world, &tag, now)))
        }
        ("GET", ["api", "v2", "search"]) => (Call::Search, Box::new(move |world, now| asked.search(world, now))),
        ("GET", ["api", "v1", "statuses"]) => (Call::Status, Box::new(move |world, _| asked.statuses(world))),
        ("POST", ["api", "v1", "statuses"]) => (Call::Publish, Box::new(move |world, now| asked.publish(world, now))),
        ("GET", ["api", "v1", "statuses", _]) => (Call::Status, Box::new(move |world, _| asked.status(world, &id))),
        ("PUT", ["api", "v1", "statuses", _]) => (Call::Edit, Box::new(move |world, now| asked.edit(world, &id, now))),
        ("DELETE", ["api", "v1", "statuses", _]) => {
            (Call::Delete, Box::new(move |world, now| asked.delete(world, &id, now)))
        }
        ("GET", ["api", "v1", "statuses", _, "context"]) => {
            (Call::Context, Box::new(move |world, _| asked.context(world, &id)))
        }
        _ => return None,
    };
    Some(found)
}

impl Asked {
    fn instance(&self, world: &World) -> Reply {
        let contact = (0..world.timeline.people().len()).find(|id| world.timeline.person(*id).is_ours());
        let mut body = json!({
            "domain": DOMAIN,
            "title": "Meydan",
            "version": "4.4.0",
            "source_url": "https://meydan.example/source",
            "description": "A simulated Mastodon server",
            "usage": { "users": { "active_month": world.timeline.people().len() } },
            "thumbnail": { "url": format!("{}/simulator/picture.svg", self.base) },
            "icon": [],
            "languages": ["tr", "en"],
            "configuration": {
                "urls": {},
                "accounts": { "max_featured_tags": 10, "max_pinned_statuses": 5 },
                "statuses": {
                    "max_characters": MAX_CHARACTERS,
                    "max_media_attachments": 4,
                    "characters_reserved_per_url": CHARACTERS_PER_URL,
                },
                "media_attachments": {
                    "supported_mime_types": ["image/png"],
                    "image_size_limit": 16_777_216,
                    "image_matrix_limit": 33_177_600,
                    "video_size_limit": 103_809_024,
                    "video_frame_rate_limit": 120,
                    "video_matrix_limit": 8_294_400,
                },
                "polls": {
                    "max_options": 4,
                    "max_characters_per_option": 50,
                    "min_expiration": 300,
                    "max_expiration": 2_629_746,
                },
                "translation": { "enabled": false },
            },
            "registrations": { "enabled": false, "approval_required": false, "message": null },
            "api_versions": { "mastodon": 6 },
            "contact": { "email": "yonetim@meydan.example", "account": null },
            "rules": [],
        });
        if self.path.starts_with("/api/v1") {
            // The older description says the same in other places.
            body["uri"] = json!(DOMAIN);
            body["short_description"] = body["description"].clone();
            body["email"] = body["contact"]["email"].clone();
            body["stats"] =
                json!({ "user_count": world.timeline.people().len(), "status_count": 0, "domain_count": 1 });
            body["urls"] = json!({ "streaming_api": "wss://meydan.example" });
            body["thumbnail"] = json!(null);
            body["registrations"] = json!(false);
            body["approval_required"] = json!(false);
            body["invites_enabled"] = json!(false);
            body["contact_account"] = contact.map_or(Value::Null, |id| self.account_json(world, id));
        }
        Reply::new(200, body)
    }

    fn verify_credentials(&self, world: &World) -> Reply {
        let mut account = self.account_json(world, self.account);
        let person = world.timeline.person(self.account);
        account["source"] = json!({
            "note": person.about,
            "fields": [],
            "privacy": "public",
            "sensitive": false,
            "language": person.language,
            "follow_requests_count": 0,
            "indexable": true,
        });
        account["role"] = json!({
            "id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": false,
        });
        Reply::new(200, account)
    }

    fn account_statuses(&self, world: &World, id: &str) -> Reply {
        let Some(author) = person_of(id).filter(|author| *author < world.timeline.people().len()) else {
            return not_found();
        };
        let parameters = &self.parameters;
        let without_replies = parameters.text("exclude_replies").is_some_and(|value| value == "true" || value == "1");
        let posts = world.timeline.posts().iter().filter(|post| {
            post.author == author
                && world.timeline.is_visible(post, self.account)
                && !(without_replies && post.reply_to.is_some())
        });
        self.status_page(world, posts.collect(), 20, 40)
    }

    fn notifications(&self, world: &World) -> Reply {
        let wanted = self.parameters.list("types");
        let excluded = self.parameters.list("exclude_types");
        let mention = "mention".to_owned();
        let shown = (wanted.is_empty() || wanted.contains(&mention)) && !excluded.contains(&mention);
        let notifications = world.timeline.notifications().iter().enumerate();
        let mine: Vec<(u64, &Notification)> = notifications
            .filter(|(_, told)| shown && told.account == self.account)
            .filter(|(_, told)| world.timeline.live(told.post).is_some())
            .map(|(index, told)| (FIRST_NOTIFICATION + index as u64, told))
            .collect();
        let ids: Vec<u64> = mine.iter().map(|(id, _)| *id).collect();
        let page = Page::of(&ids, &self.parameters, 40, 80);
        let items = page.items.iter().filter_map(|position| {
            let (id, told) = mine.get(*position)?;
            let post = world.timeline.live(told.post)?;
            Some(json!({
                "id": id.to_string(),
                "type": "mention",
                "group_key": format!("ungrouped-{id}"),
                "created_at": written_time(told.created_at),
                "account": self.account_json(world, post.author),
                "status": self.status_json(world, post),
            }))
        });
        let body = Value::Array(items.collect());
        self.linked(Reply::new(200, body).listed(""), &page)
    }

    fn tag(&self, world: &World, tag: &str, now: Timestamp) -> Reply {
        let tag = url::form_urlencoded::parse(format!("t={}", tag.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, tag)| folded(&tag))
            .unwrap_or_default();
        let posts =
            self.searchable(world, now).filter(|post| hashtags(&post.text).iter().any(|one| folded(one) == tag));
        self.status_page(world, posts.collect(), 20, 40)
    }

    fn search(&self, world: &World, now: Timestamp) -> Reply {
        let kind = self.parameters.text("type");
        let query = self.parameters.text("q").unwrap_or_default();
        let wanted: Vec<String> = words(&query);
        let mut statuses = Vec::new();
        if query.starts_with("https://") || query.starts_with("http://") {
            // An address is looked up, not searched for.
            let visible = world.timeline.posts().iter().filter(|post| world.timeline.is_visible(post, self.account));
            let mut found = visible.filter(|post| {
                post.network == Network::Mastodon
                    && (uri(&world.timeline, post) == query || url(&self.base, &world.timeline, post) == query)
            });
            statuses.extend(found.next().map(|post| self.status_json(world, post)));
        } else if kind.as_deref().is_none_or(|kind| kind == "statuses") && !wanted.is_empty() {
            let found: Vec<&Post> = self
                .searchable(world, now)
                .filter(|post| {
                    let said = words(&post.text);
                    wanted.iter().all(|word| said.contains(word))
                })
                .collect();
            let ids: Vec<u64> = found.iter().map(|post| status_id(post.id)).collect();
            let offset = self.parameters.number("offset").unwrap_or(0).max(0) as usize;
            let page = Page::of(&ids, &self.parameters, 20, 40);
            let items = page.items.iter().skip(offset).filter_map(|position| found.get(*position));
            statuses = items.map(|post| self.status_json(world, post)).collect();
        }
        let body = json!({ "accounts": [], "statuses": statuses, "hashtags": [] });
        Reply::new(200, body).listed("/statuses")
    }

    fn statuses(&self, world: &World) -> Reply {
        let ids = self.parameters.list("id");
        let found = ids.iter().filter_map(|id| world.timeline.live(post_of(id)?));
        let seen =
            found.filter(|post| post.network == Network::Mastodon && world.timeline.is_visible(post, self.account));
        let body = seen.map(|post| self.status_json(world, post)).collect();
        Reply::new(200, Value::Array(body)).listed("")
    }

    fn status(&self, world: &World, id: &str) -> Reply {
        match self.visible(world, id) {
            Some(post) => Reply::new(200, self.status_json(world, post)),
            None => not_found(),
        }
    }

    fn context(&self, world: &World, id: &str) -> Reply {
        let Some(post) = self.visible(world, id) else { return not_found() };
        let mut ancestors = Vec::new();
        let mut above = post.reply_to;
        while let Some(parent) = above.and_then(|parent| world.timeline.post(parent)) {
            if world.timeline.is_visible(parent, self.account) {
                ancestors.push(self.status_json(world, parent));
            }
            above = parent.reply_to;
        }
        ancestors.reverse();
        let mut below = vec![post.id];
        let mut descendants = Vec::new();
        // Ids grow with time, so one pass meets every answer after what it answers.
        for answer in world.timeline.posts().iter().skip(post.id) {
            if answer.reply_to.is_some_and(|parent| below.contains(&parent)) {
                below.push(answer.id);
                if world.timeline.is_visible(answer, self.account) {
                    descendants.push(self.status_json(world, answer));
                }
            }
        }
        Reply::new(200, json!({ "ancestors": ancestors, "descendants": descendants }))
    }

    fn publish(self, world: &mut World, now: Timestamp) -> Reply {
        if let Some(problem) = self.problem_with_text() {
            return problem;
        }
        let reply_to = match self.parameters.text("in_reply_to_id").filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => match self.visible(world, &id) {
                Some(post) => Some(post.id),
                None => return not_found(),
            },
        };
        let visibility = self.parameters.text("visibility");
        let Some(visibility) = visibility.map_or(Some(Visibility::Public), |name| Visibility::named(&name)) else {
            return invalid("Validation failed: Visibility is not included in the list");
        };
        let draft = Draft {
            text: self.parameters.text("status").unwrap_or_default(),
            reply_to,
            visibility,
            language: self.parameters.text("language"),
            chat: None,
            key: self.key.clone(),
        };
        let (id, _) = world.publish(self.account, draft, now);
        let mut reply = match world.timeline.post(id) {
            Some(post) => Reply::new(200, self.status_json(world, post)),
            None => not_found(),
        };
        reply.made = Some(id);
        reply
    }

    fn edit(self, world: &mut World, id: &str, now: Timestamp) -> Reply {
        let Some(id) = self.own(world, id) else { return not_found() };
        if let Some(problem) = self.problem_with_text() {
            return problem;
        }
        world.edit(id, self.parameters.text("status").unwrap_or_default(), now);
        match world.timeline.live(id) {
            Some(post) => Reply::new(200, self.status_json(world, post)),
            None => not_found(),
        }
    }

    fn delete(self, world: &mut World, id: &str, now: Timestamp) -> Reply {
        let Some(id) = self.own(world, id) else { return not_found() };
        let Some(post) = world.timeline.live(id) else { return not_found() };
        let mut body = self.status_json(world, post);
        body["text"] = json!(post.text);
        world.delete(id, now);
        Reply::new(200, body)
    }

    fn problem_with_text(&self) -> Option<Reply> {
        let text = self.parameters.text("status").unwrap_or_default();
        if self.parameters.get("scheduled_at").is_some() {
            return Some(invalid("Validation failed: the simulator schedules nothing"));
        }
        if text.trim().is_empty() {
            return Some(invalid("Validation failed: Text can't be blank"));
        }
        (counted(&text) > MAX_CHARACTERS).then(|| invalid("Validation failed: Text character limit of 500 exceeded"))
    }

    fn visible<'w>(&self, world: &'w World, id: &str) -> Option<&'w Post> {
        let post = world.timeline.live(post_of(id)?)?;
        (post.network == Network::Mastodon && world.timeline.is_visible(post, self.account)).then_some(post)
    }

    fn own(&self, world: &World, id: &str) -> Option<PostId> {
        self.visible(world, id).filter(|post| post.author == self.account).map(|post| post.id)
    }

    /// Public posts that the index knows by now.
    fn searchable<'w>(&self, world: &'w World, now: Timestamp) -> impl Iterator<Item = &'w Post> {
        let delay = world.script.index_delay_seconds as i64 * 1_000_000;
        world.timeline.posts().iter().filter(move |post| {
            post.network == Network::Mastodon
                && post.deleted_at.is_none()
                && post.visibility == Visibility::Public
                && now.as_microsecond() - post.created_at.as_microsecond() >= delay
        })
    }

    fn status_page(&self, world: &World, posts: Vec<&Post>, usual: usize, most: usize) -> Reply {
        let ids: Vec<u64> = posts.iter().map(|post| status_id(post.id)).collect();
        let page = Page::of(&ids, &self.parameters, usual, most);
        let items = page.items.iter().filter_map(|position| posts.get(*position));
        let body = items.map(|post| self.status_json(world, post)).collect();
        self.linked(Reply::new(200, Value::Array(body)).listed(""), &page)
    }

    /// Adds the `Link` header with the neighbouring pages.
    fn linked(&self, reply: Reply, page: &Page) -> Reply {
        let mut links = Vec::new();
        let address = |name: &str, id: u64| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for kind in self.parameters.list("types") {
                query.append_pair("types[]", &kind);
            }
            if let Some(limit) = self.parameters.text("limit") {
                query.append_pair("limit", &limit);
            }
            query.append_pair(name, &id.to_string());
            format!("{}{}?{}", self.base, self.path, query.finish())
        };
        if let Some(last) = page.last.filter(|_| page.is_full) {
            links.push(format!("<{}>; rel=\"next\"", address("max_id", last)));
        }
        if let Some(first) = page.first {
            links.push(format!("<{}>; rel=\"prev\"", address("min_id", first)));
        }
        if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
    }

    fn account_json(&self, world: &World, id: PersonId) -> Value {
        let person = world.timeline.person(id);
        let server = person.server().unwrap_or(DOMAIN);
        let picture = format!("{}/simulator/picture.svg", self.base);
        let posts = world.timeline.written_by(id);
        json!({
            "id": account_id(id).to_string(),
            "username": person.username(),
            "acct": person.handle,
            "display_name": person.display_name,
            "locked": false,
            "bot": false,
            "discoverable": true,
            "indexable": true,
            "group": false,
            "created_at": "2023-04-02T00:00:00.000Z",
            "note": paragraphs(&person.about, escaped),
            "url": format!("https://{server}/@{}", person.username()),
            "uri": format!("https://{server}/users/{}", person.username()),
            "avatar": picture,
            "avatar_static": picture,
            "header": picture,
            "header_static": picture,
            "followers_count": person.followers,
            "following_count": person.followers / 3,
            "statuses_count": posts,
            "last_status_at": null,
            "emojis": [],
            "fields": [],
        })
    }

    fn status_json(&self, world: &World, post: &Post) -> Value {
        let timeline = &world.timeline;
        let answered = post.reply_to.and_then(|parent| timeline.live(parent));
        let mentions: Vec<Value> = post.names.iter().map(|id| self.mention_json(timeline.person(*id), *id)).collect();
        let tags: Vec<Value> =
            hashtags(&post.text).iter().map(|tag| json!({ "name": tag.to_lowercase(), "url": tag_url(tag) })).collect();
        json!({
            "id": status_id(post.id).to_string(),
            "uri": uri(timeline, post),
            "url": url(&self.base, timeline, post),
            "created_at": written_time(post.created_at),
            "edited_at": post.edited_at.map(written_time),
            "in_reply_to_id": answered.map(|parent| status_id(parent.id).to_string()),
            "in_reply_to_account_id": answered.map(|parent| account_id(parent.author).to_string()),
            "sensitive": false,
            "spoiler_text": "",
            "visibility": post.visibility.as_str(),
            "language": post.language,
            "replies_count": timeline.posts().iter().skip(post.id).filter(|one| one.reply_to == Some(post.id)).count(),
            "reblogs_count": 0,
            "favourites_count": 0,
            "favourited": false,
            "reblogged": false,
            "muted": false,
            "bookmarked": false,
            "content": content(timeline, post),
            "filtered": [],
            "reblog": null,
            "account": self.account_json(world, post.author),
            "media_attachments": [],
            "mentions": mentions,
            "tags": tags,
            "emojis": [],
            "card": null,
            "poll": null,
        })
    }

    fn mention_json(&self, person: &Person, id: PersonId) -> Value {
        json!({
            "id": account_id(id).to_string(),
            "username": person.username(),
            "acct": person.handle,
            "url": profile_url(person),
        })
    }
}

fn not_found() -> Reply {
    Reply::new(404, json!({ "error": "Record not found" }))
}

fn invalid(reason: &str) -> Reply {
    Reply::new(422, json!({ "error": reason }))
}

fn profile_url(person: &Person) -> String {
    format!("https://{}/@{}", person.server().unwrap_or(DOMAIN), person.username())
}

fn tag_url(tag: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(tag.to_lowercase().as_bytes()).collect();
    format!("https://{DOMAIN}/tags/{name}")
}

/// Mastodon writes times with three decimals.
fn written_time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// One page of a list that is kept oldest first: positions newest first.
struct Page {
    items: Vec<usize>,
    first: Option<u64>,
    last: Option<u64>,
    is_full: bool,
}

impl Page {
    fn of(ids: &[u64], parameters: &Parameters, usual: usize, most: usize) -> Self {
        let asked = parameters.number("limit").unwrap_or(usual as i64);
        let limit = asked.clamp(1, most as i64) as usize;
        let bound = |name| parameters.text(name).and_then(|id| id.parse::<u64>().ok());
        let (max, since, min) = (bound("max_id"), bound("since_id"), bound("min_id"));
        let below = max.map_or(ids.len(), |max| ids.partition_point(|id| *id < max));
        let floor = min.or(since);
        let above = floor.map_or(0, |floor| ids.partition_point(|id| *id <= floor)).min(below);
        // `min_id` asks for the page next to it, everything else for the newest.
        let range = match min {
            Some(_) => above..below.min(above + limit),
            None => above.max(below.saturating_sub(limit))..below,
        };
        let items: Vec<usize> = range.rev().collect();
        Self {
            first: items.first().map(|position| ids[*position]),
            last: items.last().map(|position| ids[*position]),
            is_full: items.len() == limit,
            items,
        }
    }
}

/// The length Mastodon counts: characters as people see them, links as 23, other servers' names not at all.
fn counted(text: &str) -> usize {
    let mut plain = String::new();
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            plain.push(' ');
        }
        if let Some(start) = word.find("https://").or_else(|| word.find("http://")) {
            plain.push_str(&word[..start]);
            plain.push_str(&"x".repeat(CHARACTERS_PER_URL));
        } else if let Some((name, _)) = word.strip_prefix('@').and_then(|handle| handle.split_once('@')) {
            plain.push('@');
            plain.push_str(name);
        } else {
            plain.push_str(word);
        }
    }
    GraphemeClusterSegmenter::new().segment_str(&plain).count().saturating_sub(1)
}

/// The hashtags of a text, without their sign, each once.
fn hashtags(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for (start, _) in text.match_indices('#') {
        let rest = &text[start + 1..];
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let tag = &rest[..end];
        if tag.chars().any(char::is_alphabetic) && !found.contains(&tag) {
            found.push(tag);
        }
    }
    found
}

/// Hashtags are equal whatever the case or the accents, as on a real server.
fn folded(tag: &str) -> String {
    tag.chars()
        .flat_map(char::to_lowercase)
        .filter_map(|letter| match letter {
            'ç' => Some('c'),
            'ğ' => Some('g'),
            'ı' => Some('i'),
            'ö' => Some('o'),
            'ş' => Some('s'),
            'ü' => Some('u'),
            // The dot that lower-casing leaves behind an İ.
            '\u{307}' => None,
            other => Some(other),
        })
        .collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(folded).collect()
}

/// The text as the HTML that Mastodon serves.
fn content(timeline: &Timeline, post: &Post) -> String {
    paragraphs(&post.text, |line| {
        let words: Vec<String> = line.split(' ').map(|word| marked_up(timeline, word)).collect();
        words.join(" ")
    })
}

fn paragraphs(text: &str, line: impl Fn(&str) -> String) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs
        .map(|paragraph| {
            let lines: Vec<String> = paragraph.trim_matches('\n').split('\n').map(&line).collect();
            format!("<p>{}</p>", lines.join("<br />"))
        })
        .collect()
}

fn marked_up(timeline: &Timeline, word: &str) -> String {
    let ends = |letter: char| matches!(letter, '.' | ',' | '!' | '?' | ':' | ';' | ')' | '…');
    let bare = word.trim_end_matches(ends);
    let rest = escaped(&word[bare.len()..]);
    if let Some(handle) = bare.strip_prefix('@')
        && let Some(id) = timeline.find(Network::Mastodon, handle)
    {
        let person = timeline.person(id);
        return format!(
            "<span class=\"h-card\" translate=\"no\"><a href=\"{}\" class=\"u-url mention\">@<span>{}</span></a></span>{rest}",
            escaped(&profile_url(person)),
            escaped(person.username()),
        );
    }
    if let Some(tag) = bare.strip_prefix('#')
        && hashtags(bare) == [tag]
    {
        return format!(
            "<a href=\"{}\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>{rest}",
            escaped(&tag_url(tag)),
            escaped(tag),
        );
    }
    if let Some(address) = bare.strip_prefix("https://").filter(|address| !address.is_empty()) {
        let shown: String = address.chars().take(30).collect();
        let hidden = &address[shown.len()..];
        return format!(
            "<a href=\"{}\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\"><span class=\"invisible\">https://</span><span class=\"{}\">{}</span><span class=\"invisible\">{}</span></a>{rest}",
            escaped(bare),
            if hidden.is_empty() { "" } else { "ellipsis" },
            escaped(&shown),
            escaped(hidden),
        );
    }
    escaped(word)
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Vec<u64> {
        let ids: Vec<u64> = (1..=10).collect();
        let parameters = Parameters::read(query, "", b"").unwrap();
        Page::of(&ids, &parameters, 3, 5).items.iter().map(|position| ids[*position]).collect()
    }

    #[test]
    fn pages_are_newest_first_and_min_id_gives_the_nearest_page() {
        assert_eq!(page(""), [10, 9, 8]);
        assert_eq!(page("max_id=8"), [7, 6, 5]);
        assert_eq!(page("since_id=2"), [10, 9, 8]);
        assert_eq!(page("since_id=8"), [10, 9]);
        assert_eq!(page("min_id=2"), [5, 4, 3]);
        assert_eq!(page("min_id=2&max_id=5&limit=99"), [4, 3]);
        assert_eq!(page("min_id=10"), [0u64; 0]);
    }

    #[test]
    fn a_link_counts_23_and_the_server_of_a_name_nothing() {
        assert_eq!(
            counted("@ayse@ornek.example bak https://ornek.example/cok/uzun/bir/adres/daha/uzun"),
            5 + 1 + 3 + 1 + 23
        );
        assert_eq!(counted("👩‍👩‍👧‍👦"), 1);
    }

    #[test]
    fn hashtags_are_equal_whatever_their_accents() {
        assert_eq!(hashtags("#Kargo geldi #kıyıkent, #1 #kargo_takip"), ["Kargo", "kıyıkent", "kargo_takip"]);
        assert_eq!(folded("KIYIKENT"), folded("kıyıkent"));
        assert_eq!(folded("İade"), "iade");
    }

    #[test]
    fn ids_go_there_and_back() {
        assert_eq!(post_of(&status_id(17).to_string()), Some(17));
        assert_eq!(post_of("17"), None);
        assert_eq!(person_of(&account_id(3).to_string()), Some(3));
    }
}

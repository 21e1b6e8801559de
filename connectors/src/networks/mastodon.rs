//! Mastodon: mentions, hashtags, words, own statuses; replies, posts, deletions.
//!
//! What a search finds depends on the server. Hashtags are found on any server, among the statuses that reached it. Words
//! are found only where the administrator runs full-text search, and only in public statuses whose authors agreed to be
//! found, or that this account wrote, boosted, favoured or was named in; elsewhere the answer is an empty list and not an
//! error (docs.joinmastodon.org/methods/search and /admin/elasticsearch, read November 2026).
//!
//! A status is dated by its author's server, so a date that cannot be is replaced by the time our own server had it.

mod length;
mod status;
mod walk;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;
use url::Url;

use super::AccountSettings;
use crate::http::{Call, Client, Pace, Response, StatusCode};
use crate::incoming::{Batch, Cursor, MAX_NAME, Stream, StreamKind, clean, read_time};
use crate::outgoing::{Certainty, Length, Outgoing, PART_BEFORE_IS_GONE, Prepared, Receipt, ReplyTo, Visibility};
use crate::{Connector, ConnectorError, Profile, Publisher};
use status::{Account, Status};
use walk::Source;

/// 300 requests in 5 minutes for an account (docs.joinmastodon.org/api/rate-limits, read November 2026): reading takes at
/// most 260 of them, so that what a person sends does not wait for the next five minutes.
const PACE: Pace = Pace { burst: 20, every: Duration::from_millis(1250) };
/// What searches may take of it.
const SEARCHING: Pace = Pace { burst: 10, every: Duration::from_secs(2) };
/// How long a server remembers an `Idempotency-Key` (docs.joinmastodon.org/methods/statuses, read November 2026). It looks
/// for the key before it posts and keeps it after (`PostStatusService`), so a second call during the first may double.
const KEY_LIFE: Duration = Duration::from_secs(60 * 60);
/// Answers that say that no status was made.
const REFUSALS: [u16; 7] = [400, 403, 404, 405, 410, 413, 422];
const DEFAULT_LIMIT: usize = 500;
const DEFAULT_URL_LENGTH: usize = 23;
/// 40 statuses each: what is read back of our own before giving up on a proof.
const READ_BACK_PAGES: usize = 25;

pub(super) struct Mastodon {
    client: Client,
    token: SecretString,
    listen_for: Vec<String>,
    me: OnceCell<Me>,
    instance: OnceLock<Instance>,
    /// Whether the server gives several statuses in one answer (since 4.3).
    gives_many: AtomicBool,
}

/// The account that the token belongs to.
#[derive(Debug, Clone)]
pub(super) struct Me {
    id: String,
    domain: String,
    profile: Profile,
}

/// What the server says about itself.
#[derive(Debug, Clone, Default)]
struct Instance {
    domain: Option<String>,
    limit: Option<usize>,
    url_length: Option<usize>,
}

/// What [`Publisher::prepare`] found out, kept with the delivery.
#[derive(Debug, Clone, PartialEq, serde::Serialize, Deserialize)]
struct Plan {
    text: String,
    in_reply_to_id: Option<String>,
    visibility: Visibility,
}

/// The status under which a message goes.
enum Parent {
    None,
    /// By its id on our server.
    Known(String),
    /// By its address, where its id on our server is not known.
    Address(String),
}

/// [`crate::Incoming::reply_data`] of a status.
#[derive(Deserialize)]
struct Answered {
    server: String,
    id: String,
    acct: String,
    visibility: Visibility,
}

impl Mastodon {
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let name = &account.name;
        let base = account.base_url.clone().ok_or_else(|| {
            ConnectorError::Settings(format!("account {name:?} needs base_url, like \"https://mastodon.example\""))
        })?;
        let token = account.token.clone().ok_or_else(|| {
            ConnectorError::Settings(format!("account {name:?} needs token, like {{ env = \"MASTODON_TOKEN\" }}"))
        })?;
        let client =
            Client::new(base, account.call_timeout, PACE)?.with_share("search", SEARCHING).with_secret(token.clone());
        Ok(Self {
            client,
            token,
            listen_for: account.listen_for.clone(),
            me: OnceCell::new(),
            instance: OnceLock::new(),
            gives_many: AtomicBool::new(true),
        })
    }

    fn host(&self) -> &str {
        self.client.base().host_str().unwrap_or_default()
    }

    /// Our server's name among all servers, its port included: ids of statuses are its own.
    fn server(&self) -> &str {
        self.client.base().authority().rsplit('@').next().unwrap_or_default()
    }

    fn authorized(&self, call: Call) -> Call {
        call.bearer(&self.token)
    }

    async fn read(&self, call: Call) -> Result<Response, ConnectorError> {
        self.client.read(self.authorized(call)).await
    }

    async fn me(&self) -> Result<Me, ConnectorError> {
        self.me.get_or_try_init(|| self.ask_who_i_am()).await.cloned()
    }

    async fn ask_who_i_am(&self) -> Result<Me, ConnectorError> {
        let response = self.client.fetch(self.authorized(Call::get("api/v1/accounts/verify_credentials"))).await?;
        // A token without a user, a locked or unconfirmed account: a person must see to it (answers of
        // Api::BaseController, mastodon/mastodon, November 2026).
        if matches!(response.status, StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY) {
            return Err(ConnectorError::Unauthorized(response.said()));
        }
        let account: Account = response.accepted()?.json()?;
        let domain = self.instance().await.domain.unwrap_or_else(|| self.host().to_owned());
        let profile = Profile {
            remote_id: account.canonical(&domain),
            handle: account.handle(&domain),
            display_name: clean(&account.display_name, MAX_NAME),
            url: account.url.clone(),
        };
        Ok(Me { id: account.id, domain, profile })
    }

    /// What the server says about itself; its defaults while it does not say.
    async fn instance(&self) -> Instance {
        if let Some(instance) = self.instance.get() {
            return instance.clone();
        }
        for path in ["api/v2/instance", "api/v1/instance"] {
            let Ok(response) = self.read(Call::get(path).bucket("instance")).await else { continue };
            let Ok(said) = response.json::<serde_json::Value>() else { continue };
            let number = |name: &str| {
                let number = said.pointer(&format!("/configuration/statuses/{name}"))?.as_u64()?;
                usize::try_from(number).ok().filter(|number| (1..=1_000_000).contains(number))
            };
            let domain = said.get("domain").or_else(|| said.get("uri")).and_then(|domain| domain.as_str());
            let instance = Instance {
                domain: domain
                    .map(|domain| clean(domain, 253))
                    .filter(|domain| !domain.is_empty() && !domain.contains('/')),
                limit: number("max_characters"),
                url_length: number("characters_reserved_per_url"),
            };
            return self.instance.get_or_init(|| instance).clone();
        }
        Instance::default()
    }

    /// The text with the one who is answered named in it: unnamed, they would never know.
    fn full_text(&self, message: &Outgoing) -> String {
        let Some(acct) = message.reply_to.as_ref().map(acct_of) else { return message.text.clone() };
        if acct.is_empty() || self.is_me(&acct) || self.names(&message.text, &acct) {
            return message.text.clone();
        }
        format!("@{acct} {}", message.text)
    }

    fn is_me(&self, acct: &str) -> bool {
        self.me.get().is_some_and(|me| {
            let handle = me.profile.handle.trim_start_matches('@');
            handle.eq_ignore_ascii_case(acct) || handle.eq_ignore_ascii_case(&format!("{acct}@{}", me.domain))
        })
    }

    fn names(&self, text: &str, acct: &str) -> bool {
        let own = self.instance.get().and_then(|instance| instance.domain.as_deref()).unwrap_or(self.host());
        let (user, domain) = acct.split_once('@').unwrap_or((acct, own));
        length::mentions(text).iter().any(|mention| {
            mention.user.eq_ignore_ascii_case(user) && mention.domain.unwrap_or(own).eq_ignore_ascii_case(domain)
        })
    }

    /// The id on our own server of the status under which `message` goes, asked for where it is not known.
    async fn parent_of(&self, message: &Outgoing) -> Result<Option<String>, ConnectorError> {
        let unknown = || {
            ConnectorError::Rejected(match message.continues {
                Some(_) => PART_BEFORE_IS_GONE.to_owned(),
                None => format!("{} does not know the status to be answered; it may be deleted", self.host()),
            })
        };
        match self.parent(message) {
            Parent::None => Ok(None),
            Parent::Known(id) => Ok(Some(id)),
            Parent::Address(address) => self.search_for(&address).await?.ok_or_else(unknown).map(Some),
        }
    }

    /// This server's id of the status at `address`: ids differ from server to server, the address does not.
    async fn search_for(&self, address: &str) -> Result<Option<String>, ConnectorError> {
        let call = Call::get("api/v2/search").query("q", address).query("type", "statuses").query("resolve", true);
        let found: serde_json::Value = self.read(call.query("limit", 5).bucket("search")).await?.json()?;
        let status = found.get("statuses").and_then(|statuses| statuses.as_array()).and_then(|statuses| {
            statuses.iter().find(|status| status.get("uri").and_then(|uri| uri.as_str()) == Some(address))
        });
        Ok(status.and_then(|status| status.get("id")).and_then(|id| id.as_str()).map(str::to_owned))
    }

    /// What `message` answers or continues, as far as it tells by itself.
    fn parent(&self, message: &Outgoing) -> Parent {
        match (&message.reply_to, &message.continues) {
            // Seen by an account on another server, it has another id here.
            (Some(reply_to), _) => answered(reply_to)
                .filter(|answered| answered.server == self.server())
                .map_or_else(|| Parent::Address(reply_to.remote_id.clone()), |answered| Parent::Known(answered.id)),
            // From this very account, so the id is this server's.
            (None, Some(before)) => {
                before.local_id.clone().map_or_else(|| Parent::Address(before.remote_id.clone()), Parent::Known)
            }
            (None, None) => Parent::None,
        }
    }

    fn planned(&self, message: &Outgoing, in_reply_to_id: Option<String>) -> Prepared {
        let plan = Plan { text: self.full_text(message), in_reply_to_id, visibility: narrowed(message) };
        Prepared(json!(plan))
    }

    fn plan(&self, prepared: &Prepared) -> Result<Plan, ConnectorError> {
        serde_json::from_value(prepared.0.clone())
            .map_err(|error| ConnectorError::Settings(format!("the delivery was not prepared for Mastodon: {error}")))
    }
}

fn answered(reply_to: &ReplyTo) -> Option<Answered> {
    serde_json::from_value(reply_to.data.clone()).ok()
}

/// The account as it is named in a text, without the first `@`.
fn acct_of(reply_to: &ReplyTo) -> String {
    match answered(reply_to) {
        Some(answered) => answered.acct,
        None => reply_to.handle.trim_start_matches('@').to_owned(),
    }
}

/// An answer is shown to no more people than what it answers.
fn narrowed(message: &Outgoing) -> Visibility {
    let width = |visibility: Visibility| match visibility {
        Visibility::Public => 3,
        Visibility::Unlisted => 2,
        Visibility::Followers => 1,
        Visibility::Direct => 0,
    };
    let answered = message.reply_to.as_ref().and_then(answered).map(|answered| answered.visibility);
    match answered {
        Some(answered) if width(answered) < width(message.visibility) => answered,
        _ => message.visibility,
    }
}

/// Text as it can be compared: what the server makes of it is shown with other blanks and without the domains of names.
fn normalised(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for mention in length::mentions(text) {
        shown.push_str(&text[at..mention.start]);
        shown.push('@');
        shown.push_str(&mention.user.to_lowercase());
        at = mention.end;
    }
    shown.push_str(&text[at..]);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[async_trait]
impl Connector for Mastodon {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        // Asked anew each time: the answer proves that the token still works.
        let me = self.ask_who_i_am().await?;
        let profile = me.profile.clone();
        let _ = self.me.set(me);
        Ok(profile)
    }

    fn streams(&self) -> Vec<Stream> {
        let mut streams = vec![
            Stream { kind: StreamKind::Mentions, query: String::new() },
            Stream { kind: StreamKind::Own, query: String::new() },
        ];
        for query in &self.listen_for {
            let query = query.trim();
            // Names are what mentions are found by.
            if query.is_empty() || query == "#" || query.starts_with('@') {
                continue;
            }
            let stream = Stream { kind: StreamKind::Search, query: query.to_owned() };
            if !streams.contains(&stream) {
                streams.push(stream);
            }
        }
        streams
    }

    async fn poll(
        &self,
        stream: &Stream,
        after: Option<&Cursor>,
        asked_at: Timestamp,
    ) -> Result<Batch, ConnectorError> {
        let source = match (stream.kind, stream.query.strip_prefix('#')) {
            (StreamKind::Mentions, _) => Source::Notifications,
            (StreamKind::Own, _) => Source::Own,
            (StreamKind::Search, Some(tag)) => Source::Tag(tag.to_owned()),
            (StreamKind::Search, None) => Source::Words(stream.query.clone()),
            (StreamKind::Messages | StreamKind::Feed, _) => {
                return Err(ConnectorError::Settings(format!("Mastodon has no stream {:?}", stream.name())));
            }
        };
        self.walk(&source, after, asked_at).await
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

#[async_trait]
impl Publisher for Mastodon {
    fn lane(&self, message: &Outgoing) -> String {
        match (&message.reply_to, narrowed(message)) {
            (Some(reply_to), Visibility::Direct) => format!("direct:{}", acct_of(reply_to).to_lowercase()),
            _ => "posts".to_owned(),
        }
    }

    fn measure(&self, message: &Outgoing) -> Length {
        let instance = self.instance.get().cloned().unwrap_or_default();
        Length {
            used: length::length(&self.full_text(message), instance.url_length.unwrap_or(DEFAULT_URL_LENGTH)),
            limit: instance.limit.unwrap_or(DEFAULT_LIMIT),
        }
    }

    fn certainty(&self) -> Certainty {
        Certainty::Key { life: KEY_LIFE }
    }

    fn ready(&self, message: &Outgoing, saved: Option<&Prepared>) -> Option<Prepared> {
        // What was sent once must be sent the same way again, or the key would stand for two texts.
        if let Some(saved) = saved.filter(|saved| self.plan(saved).is_ok()) {
            return Some(saved.clone());
        }
        self.me.get()?;
        match self.parent(message) {
            Parent::None => Some(self.planned(message, None)),
            Parent::Known(id) => Some(self.planned(message, Some(id))),
            Parent::Address(_) => None,
        }
    }

    async fn prepare(&self, message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        if let Some(ready) = self.ready(message, saved.as_ref()) {
            return Ok(ready);
        }
        self.me().await?;
        let in_reply_to_id = self.parent_of(message).await?;
        Ok(self.planned(message, in_reply_to_id))
    }

    async fn publish(&self, message: &Outgoing, prepared: &Prepared) -> Result<Receipt, ConnectorError> {
        let plan = self.plan(prepared)?;
        let mut body = json!({ "status": plan.text, "visibility": status::visibility_name(plan.visibility) });
        if let Some(id) = &plan.in_reply_to_id {
            body["in_reply_to_id"] = json!(id);
        }
        // The server takes ISO 639 codes without a region.
        let language = message.language.as_deref().and_then(|language| language.split('-').next());
        if let Some(language) = language.filter(|language| matches!(language.len(), 2 | 3) && *language != "und") {
            body["language"] = json!(language);
        }
        let call = Call::post("api/v1/statuses").header(IDEMPOTENCY_KEY, &message.key).json(&body).bucket("send");
        let response = self.client.attempt(self.authorized(call)).await?;
        // The answer where `in_reply_to_id` names nothing (`set_thread` in `StatusesController`, mastodon/mastodon, November
        // 2026).
        if response.status == StatusCode::NOT_FOUND && message.continues.is_some() {
            return Err(ConnectorError::Rejected(PART_BEFORE_IS_GONE.to_owned()));
        }
        let response = response.published_or(&REFUSALS)?;
        let status: Status = response.proof()?;
        if status.id.is_empty() || status.uri.is_empty() {
            return Err(ConnectorError::Unconfirmed("the network answered without an id".into()));
        }
        Ok(status.receipt())
    }

    async fn find(
        &self,
        message: &Outgoing,
        prepared: &Prepared,
        since: Timestamp,
        taken: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        let me = self.me().await?;
        let plan = match self.plan(prepared) {
            Ok(plan) => plan,
            Err(_) => self.plan(&self.prepare(message, None).await?)?,
        };
        let wanted = normalised(&plan.text);
        let mut below: Option<String> = None;
        for _ in 0..READ_BACK_PAGES {
            let mut call =
                Call::get("api/v1/accounts").segment(&me.id).segment("statuses").query("limit", 40).bucket("own");
            if let Some(below) = &below {
                call = call.query("max_id", below);
            }
            let statuses: Vec<Box<RawValue>> = self.read(call.query("exclude_reblogs", true)).await?.json()?;
            let mut oldest = None;
            let mut last = None;
            for raw in &statuses {
                // One that cannot be read could be the one that is looked for: nothing is proved then.
                let status: Status =
                    serde_json::from_str(raw.get()).map_err(|error| ConnectorError::Malformed(error.into()))?;
                let at = read_time(&status.created_at).map_err(|reason| ConnectorError::Malformed(reason.into()))?;
                oldest = Some(oldest.map_or(at, |oldest: Timestamp| oldest.min(at)));
                last = Some(status.id.clone());
                // A part stands alone once the one before it is deleted: the server forgets what was answered
                // (`on_delete: :nullify` in mastodon/mastodon's schema, November 2026).
                let stands_there = status.in_reply_to_id == plan.in_reply_to_id
                    || (status.in_reply_to_id.is_none() && message.continues.is_some());
                let same = stands_there && normalised(&status.text()) == wanted;
                let ours = status.account.id == me.id && status.reblog.is_none() && !taken.contains(&status.uri);
                if same && ours && at >= since {
                    return Ok(Some(status.receipt()));
                }
            }
            match (oldest, last) {
                // What lies further down is older still.
                (Some(oldest), Some(_)) if oldest < since => return Ok(None),
                (_, None) => return Ok(None),
                (_, last) if last == below => break,
                (_, last) => below = last,
            }
        }
        Err(ConnectorError::Unavailable("more own statuses since then than can be read back".into()))
    }

    async fn delete(&self, published: &Receipt) -> Result<(), ConnectorError> {
        let Some(id) = &published.local_id else {
            return Err(ConnectorError::Rejected(
                "the status has no id on its server; delete it in Mastodon".to_owned(),
            ));
        };
        let call = Call::delete("api/v1/statuses").segment(id).bucket("delete");
        // May be repeated, so it is no call that counts.
        let response = self.client.fetch(self.authorized(call)).await?;
        match response.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            _ => response.accepted().map(|_| ()),
        }
    }

    fn linked(&self, link: &Url, _own: Option<&str>) -> Option<Receipt> {
        // Another server shows the status under an id of its own.
        (link.host_str() == Some(self.host())).then(|| status::linked(link)).flatten()
    }
}

const IDEMPOTENCY_KEY: crate::http::header::HeaderName =
    crate::http::header::HeaderName::from_static("idempotency-key");

//! What tests and people do with a running simulator: look at everything, write as somebody, change, break.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dialects::{self, Request, mastodon, telegram};
use crate::faults::Script;
use crate::pages;
use crate::simulation::Simulation;
use crate::timeline::{Draft, Network, Person, PersonId, PersonKind, Post, PostId, Visibility};
use crate::wire::Grip;
use crate::world::World;

/// Bodies above this are refused.
const MAX_BODY: usize = 1 << 20;

/// Every address of the simulator.
pub(crate) fn router(simulation: Arc<Simulation>) -> Router {
    Router::new()
        .route("/", get(pages::timeline))
        .route("/write", post(pages::write))
        .route("/simulator/picture.svg", get(pages::picture))
        .route("/simulator/summary", get(summary))
        .route("/simulator/dump", get(dump))
        .route("/simulator/log", get(log))
        .route("/simulator/posts", get(posts).post(add_post))
        .route("/simulator/posts/{id}", put(edit_post).delete(delete_post))
        .route("/simulator/script", get(script).put(set_script))
        .route("/simulator/held", get(held))
        .route("/simulator/release", post(release))
        .route("/simulator/keys", axum::routing::delete(forget_keys))
        .route("/simulator/tokens/{handle}", put(set_token))
        .route("/simulator/dark", put(set_dark))
        .route("/simulator/advance", post(advance))
        .fallback(speak)
        .layer(middleware::from_fn(refuse_other_pages))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(simulation)
}

/// A browser may send forms here only from the simulator's own pages.
async fn refuse_other_pages(headers: HeaderMap, request: HttpRequest, next: Next) -> Response {
    let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let (Some(origin), Some(host)) = (value(header::ORIGIN), value(header::HOST))
        && origin.strip_prefix("http://") != Some(host)
    {
        return (StatusCode::FORBIDDEN, "the simulator takes nothing from other pages\n").into_response();
    }
    next.run(request).await
}

/// Everything that is not the simulator's own is a network's.
async fn speak(
    State(simulation): State<Arc<Simulation>>,
    ConnectInfo(grip): ConnectInfo<Grip>,
    request: HttpRequest,
) -> Response {
    if let Some(page) = pages::post(&simulation, request.uri().path()) {
        return page;
    }
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        grip,
    };
    dialects::speak(&simulation, request).await
}

async fn summary(State(simulation): State<Arc<Simulation>>) -> Json<Value> {
    Json(simulation.look(|world| json!(world.summary())))
}

async fn dump(State(simulation): State<Arc<Simulation>>) -> Json<Value> {
    Json(simulation.look(World::dump))
}

async fn log(State(simulation): State<Arc<Simulation>>) -> String {
    simulation.look(|world| world.log().iter().map(|line| format!("{line}\n")).collect())
}

#[derive(Deserialize)]
struct Which {
    /// Only posts by this handle.
    by: Option<String>,
    network: Option<String>,
}

async fn posts(State(simulation): State<Arc<Simulation>>, Query(which): Query<Which>) -> Json<Value> {
    let base = simulation.base.clone();
    Json(simulation.look(|world| {
        let posts = world.timeline.posts().iter().rev().filter(|post| {
            which.by.as_deref().is_none_or(|by| world.timeline.person(post.author).handle == by)
                && which.network.as_deref().is_none_or(|network| post.network.as_str() == network)
        });
        posts.map(|post| described(world, post, &base)).collect()
    }))
}

/// A post with what its networks call it.
fn described(world: &World, post: &Post, base: &str) -> Value {
    let mut described = json!(post);
    described["by"] = json!(world.timeline.person(post.author).handle);
    if post.network == Network::Mastodon {
        described["uri"] = json!(mastodon::uri(&world.timeline, post));
        described["status_id"] = json!(mastodon::status_id(post.id).to_string());
        described["url"] = json!(mastodon::url(base, &world.timeline, post));
    }
    described
}

/// A post to add by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPost {
    /// A handle; somebody new is made up.
    by: String,
    text: String,
    #[serde(default)]
    telegram: bool,
    reply_to: Option<PostId>,
    #[serde(default)]
    visibility: Visibility,
    language: Option<String>,
}

async fn add_post(State(simulation): State<Arc<Simulation>>, Json(new): Json<NewPost>) -> Response {
    let base = simulation.base.clone();
    let network = if new.telegram { Network::Telegram } else { Network::Mastodon };
    let added = simulation.change(|world, now| {
        let author = somebody(world, network, &new.by)?;
        let chat = new.telegram.then(|| telegram::chat_of(&world.timeline, author));
        let draft = Draft {
            text: new.text,
            reply_to: new.reply_to.filter(|id| world.timeline.live(*id).is_some()),
            visibility: new.visibility,
            language: new.language,
            chat,
            key: None,
        };
        let id = world.post(author, draft, now);
        world.timeline.post(id).map(|post| described(world, post, &base))
    });
    match added {
        Some(post) => (StatusCode::CREATED, Json(post)).into_response(),
        None => (StatusCode::BAD_REQUEST, "by: letters, digits, _, ., - and at most one @\n").into_response(),
    }
}

/// The person with this handle, made up where there is none.
pub(crate) fn somebody(world: &mut World, network: Network, handle: &str) -> Option<PersonId> {
    let handle = handle.trim().trim_start_matches('@');
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '@');
    if handle.is_empty() || handle.len() > 100 || !handle.chars().all(fits) || handle.matches('@').count() > 1 {
        return None;
    }
    let name = handle.split('@').next().unwrap_or(handle).to_owned();
    Some(world.timeline.add_person(Person {
        network,
        handle: handle.to_owned(),
        display_name: name,
        language: None,
        followers: 12,
        about: String::new(),
        kind: PersonKind::Person,
        token: None,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewText {
    text: String,
}

async fn edit_post(
    State(simulation): State<Arc<Simulation>>,
    Path(id): Path<PostId>,
    Json(new): Json<NewText>,
) -> StatusCode {
    found(simulation.change(|world, now| world.edit(id, new.text, now)))
}

async fn delete_post(State(simulation): State<Arc<Simulation>>, Path(id): Path<PostId>) -> StatusCode {
    found(simulation.change(|world, now| world.delete(id, now)))
}

fn found(done: bool) -> StatusCode {
    if done { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn script(State(simulation): State<Arc<Simulation>>) -> Response {
    match simulation.look(|world| toml::to_string(world.script())) {
        Ok(text) => text.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn set_script(State(simulation): State<Arc<Simulation>>, body: Bytes) -> Response {
    match Script::parse(&String::from_utf8_lossy(&body)) {
        Ok(script) => {
            simulation.change(|world, _| world.set_script(script));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn held(State(simulation): State<Arc<Simulation>>) -> Json<Value> {
    Json(simulation.look(|world| {
        let held = world.held().into_iter();
        held.map(|(call, account, applied)| json!({ "call": call, "account": account, "applied": applied })).collect()
    }))
}

async fn release(State(simulation): State<Arc<Simulation>>) -> StatusCode {
    simulation.release();
    StatusCode::NO_CONTENT
}

async fn forget_keys(State(simulation): State<Arc<Simulation>>) -> StatusCode {
    simulation.change(|world, _| world.forget_keys());
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenState {
    expired: bool,
}

async fn set_token(
    State(simulation): State<Arc<Simulation>>,
    Path(handle): Path<String>,
    Json(state): Json<TokenState>,
) -> StatusCode {
    found(simulation.change(|world, _| {
        let people = world.timeline.people();
        match people.iter().position(|person| person.is_ours() && person.handle == handle) {
            Some(account) => {
                world.set_expired(account, state.expired);
                true
            }
            None => false,
        }
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dark {
    seconds: f64,
}

/// The server goes away for a while; it cannot be called back by itself, since nobody can reach it.
async fn set_dark(State(simulation): State<Arc<Simulation>>, Json(dark): Json<Dark>) -> StatusCode {
    if !(0.0..=3_600.0).contains(&dark.seconds) {
        return StatusCode::BAD_REQUEST;
    }
    simulation.set_dark(true);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs_f64(dark.seconds)).await;
        simulation.set_dark(false);
    });
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    milliseconds: u64,
}

/// Moves a manual clock; the machine's clock moves by itself.
async fn advance(State(simulation): State<Arc<Simulation>>, Json(by): Json<Advance>) -> StatusCode {
    simulation.clock().advance(Duration::from_millis(by.milliseconds));
    simulation.change(|_, _| ());
    StatusCode::NO_CONTENT
}

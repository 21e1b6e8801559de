//! The pages people look at: the timeline newest first, one post with its thread, and a form to write as anybody.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;

use crate::control::somebody;
use crate::dialects::mastodon;
use crate::simulation::Simulation;
use crate::timeline::{Draft, Network, Post, PostId, Visibility};
use crate::world::World;

const POSTS_PER_PAGE: usize = 60;
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#f6f7f9;--card:#fff;--ours:#e9f3ee;--mark:#146c43}
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#9aa5b3;--line:#303844;--paper:#14181d;--card:#1c2229;--ours:#18291f;--mark:#6fcf9b}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:44rem;margin:0 auto;padding:1rem}header p{color:var(--soft);margin:.2rem 0 1rem}h1{font-size:1.3rem;margin:.5rem 0 0}
nav a{margin-right:1rem}a{color:var(--mark)}article,form{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;margin:.7rem 0;overflow-wrap:anywhere}
article.ours{background:var(--ours);border-color:var(--mark)}article.here{outline:2px solid var(--mark)}article.gone{color:var(--soft)}
.who{font-weight:600}.meta{color:var(--soft);font-size:.85rem}.text{white-space:pre-wrap;margin:.3rem 0}
label{display:block;font-size:.85rem;color:var(--soft);margin:.3rem 0}input,textarea{width:100%;font:inherit;padding:.4rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit}
button{font:inherit;padding:.4rem 1rem;border:0;border-radius:.4rem;background:var(--mark);color:var(--card);margin-top:.4rem}";

#[derive(Deserialize)]
pub(crate) struct Look {
    /// Only posts of our accounts.
    #[serde(default)]
    ours: Option<String>,
    /// Only posts older than this one.
    before: Option<PostId>,
}

/// The timeline, newest first.
pub(crate) async fn timeline(State(simulation): State<Arc<Simulation>>, Query(look): Query<Look>) -> Markup {
    let now = simulation.now();
    let only_ours = look.ours.is_some();
    simulation.look(|world| {
        let end = look.before.unwrap_or(usize::MAX).min(world.timeline.posts().len());
        let posts = world.timeline.posts()[..end].iter().rev();
        let shown: Vec<&Post> = posts
            .filter(|post| !only_ours || world.timeline.person(post.author).is_ours())
            .take(POSTS_PER_PAGE)
            .collect();
        let summary = world.summary();
        let body = html! {
            header {
                h1 { "Meydan: the simulated networks" }
                p {
                    (summary.others) " posts by the invented crowd, " (summary.ours) " by our accounts, "
                    (summary.coming) " more to come. Every person and brand here is made up."
                }
                nav {
                    a href="/" { "Everything" } a href="/?ours=1" { "Only our accounts" }
                    a href="/simulator/log" { "Log" } a href="/simulator/dump" { "Everything as JSON" }
                }
            }
            @if look.before.is_none() && !only_ours { (form()) }
            @for post in &shown { (card(world, post, now, None)) }
            @if let Some(last) = shown.last().filter(|_| shown.len() == POSTS_PER_PAGE) {
                p { a href={ "/?before=" (last.id) @if only_ours { "&ours=1" } } { "Older posts" } }
            }
        };
        page("Meydan", body, look.before.is_none())
    })
}

/// A post's own page (`/@handle/id`), with what is above and below it; `None` where the path is no such address.
pub(crate) fn post(simulation: &Arc<Simulation>, path: &str) -> Option<Response> {
    let (_, id) = path.strip_prefix("/@")?.split_once('/')?;
    let now = simulation.now();
    Some(simulation.look(|world| {
        let Some(here) = mastodon::post_of(id).and_then(|id| world.timeline.post(id)) else {
            let body = html! { h1 { "There is no such post" } p { a href="/" { "To the timeline" } } };
            return (StatusCode::NOT_FOUND, page("Meydan", body, false)).into_response();
        };
        let mut thread = vec![here.id];
        let mut above = here.reply_to;
        while let Some(parent) = above.and_then(|parent| world.timeline.post(parent)) {
            thread.insert(0, parent.id);
            above = parent.reply_to;
        }
        for answer in world.timeline.posts().iter().skip(here.id + 1) {
            if answer.reply_to.is_some_and(|parent| thread.contains(&parent)) {
                thread.push(answer.id);
            }
        }
        thread.sort_unstable();
        let body = html! {
            p { a href="/" { "To the timeline" } }
            @for post in thread.iter().filter_map(|id| world.timeline.post(*id)) {
                (card(world, post, now, Some(here.id)))
            }
        };
        page("Meydan", body, true).into_response()
    }))
}

fn page(title: &str, body: Markup, reloads: bool) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
                // Reloads while nobody is writing in the form.
                @if reloads {
                    script { (PreEscaped("setInterval(()=>{const f=document.querySelector('form');if(!f||(!f.contains(document.activeElement)&&!f.text.value))location.reload()},4000)")) }
                }
            }
            body { main { (body) } }
        }
    }
}

fn form() -> Markup {
    html! {
        form method="post" action="/write" {
            label { "Write as" input name="by" value="merakli@komsu.example" required; }
            label { "Text" textarea name="text" rows="2" required placeholder="@yelpazar siparişim nerede kaldı?" {} }
            button { "Publish on the simulated network" }
        }
    }
}

fn card(world: &World, post: &Post, now: Timestamp, here: Option<PostId>) -> Markup {
    let author = world.timeline.person(post.author);
    let parent = post.reply_to.and_then(|id| world.timeline.post(id));
    let mut class = String::new();
    for (name, applies) in
        [("ours", author.is_ours()), ("here", here == Some(post.id)), ("gone", post.deleted_at.is_some())]
    {
        if applies {
            class.push_str(name);
            class.push(' ');
        }
    }
    let address = format!("/@{}/{}", author.handle, mastodon::status_id(post.id));
    html! {
        article class=(class.trim_end()) id={ "p" (post.id) } {
            div {
                span.who { (author.display_name) } " " span.meta { "@" (author.handle) }
            }
            @if let Some(parent) = parent {
                div.meta {
                    "answers "
                    a href={ "/@" (world.timeline.person(parent.author).handle) "/" (mastodon::status_id(parent.id)) } {
                        "@" (world.timeline.person(parent.author).handle)
                    }
                }
            }
            @if post.deleted_at.is_some() { div.text { "(deleted)" } } @else { div.text lang=[post.language.as_deref()] { (post.text) } }
            div.meta {
                a href=(address) { time datetime=(post.created_at) { (ago(post.created_at, now)) } }
                " · " (post.network.as_str())
                @if post.visibility != Visibility::Public { " · " (post.visibility.as_str()) }
                @if post.edited_at.is_some() { " · edited" }
            }
        }
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - then.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3_600),
    }
}

#[derive(Deserialize)]
pub(crate) struct Written {
    by: String,
    text: String,
}

/// Publishes what a person wrote in the form.
pub(crate) async fn write(State(simulation): State<Arc<Simulation>>, Form(written): Form<Written>) -> Response {
    let text = written.text.trim().to_owned();
    let done = simulation.change(|world, now| {
        let author = somebody(world, Network::Mastodon, &written.by)?;
        (!text.is_empty() && !world.timeline.person(author).is_ours())
            .then(|| world.post(author, Draft { text, ..Draft::default() }, now))
    });
    match done {
        Some(_) => Redirect::to("/").into_response(),
        None => {
            let reason = "Write a text, as somebody who is not one of our accounts (letters, digits, _, . and -).\n";
            (StatusCode::BAD_REQUEST, reason).into_response()
        }
    }
}

/// Everybody's picture.
pub(crate) async fn picture() -> Response {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\"><rect width=\"64\" height=\"64\" fill=\"#9aa5b3\"/><circle cx=\"32\" cy=\"25\" r=\"11\" fill=\"#fff\"/><path d=\"M10 64c0-14 10-22 22-22s22 8 22 22z\" fill=\"#fff\"/></svg>";
    ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response()
}

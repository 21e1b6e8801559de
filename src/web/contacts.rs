//! The people and companies of the CRM: who they are on which network, on what evidence, and merging that can be undone.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use super::composer::writer_name;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{address, handle, maybe, name_of, read};
use super::layout::{Console, Notice, Page, Place, page};
use super::parts::{avatar, empty, moment, network_badge};
use super::person::evidence;
use super::texts::Text;
use crate::app::App;
use crate::live::Wake;
use crate::model::{ContactId, MergeId};
use crate::store::people::{ContactFilter, ContactRow, ContactView, LinkView, MergeView};

const PAGE: usize = 50;
/// Contacts offered for a merge.
const CANDIDATES: usize = 6;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/contacts", get(list))
        .route("/contacts/{id}", get(one))
        .route("/contacts/{id}/merge", post(merge))
        .route("/merges/{id}/undo", post(unmerge))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContactQuery {
    q: String,
    after: String,
}

async fn list(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<ContactQuery>,
) -> Result<Markup, Problem> {
    let search = query.q.trim();
    let filter = ContactFilter {
        search: (!search.is_empty()).then(|| search.to_owned()),
        after: maybe("after", &query.after)?,
        limit: PAGE,
    };
    let (contacts, count) = tokio::try_join!(app.store.contacts(&filter), app.store.contact_count())?;
    let csv = super::inbox::csv(&console, "contacts", &[("search", search)]);
    let body = html! {
        div.page-head {
            h1 { (console.t(Text::Contacts)) }
            @if count > 0 { span.sub { (console.count(Text::ContactCount, count)) } }
            div.actions.inline {
                a.button.quiet.small href=(csv) download { (icon(Icon::Download)) (console.t(Text::Download)) }
            }
        }
        form.toolbar method="get" action="/contacts" role="search" data-short {
            div.search {
                (icon(Icon::Search))
                input type="search" name="q" value=(query.q) placeholder=(console.t(Text::SearchContacts))
                    aria-label=(console.t(Text::SearchContacts)) autocomplete="off" dir="auto";
                kbd aria-hidden="true" { "/" }
            }
            button.visually-hidden { (console.t(Text::Search)) }
        }
        @if contacts.is_empty() && search.is_empty() {
            div.card { (empty(Icon::People, console.t(Text::NoContactsTitle), console.t(Text::NoContactsBody), html! {})) }
        } @else if contacts.is_empty() {
            div.card { (empty(Icon::Search, &console.fill(Text::NoContactsMatchTitle, &[search]),
                console.t(Text::NoContactsMatchBody), html! {})) }
        } @else {
            ul.card.list { @for contact in &contacts { (row(contact)) } }
        }
        @if contacts.len() >= PAGE && let Some(last) = contacts.last() {
            @let mut next = url::form_urlencoded::Serializer::new(String::new());
            @let _ = (!search.is_empty()).then(|| { next.append_pair("q", search); });
            @let _ = next.append_pair("after", &last.id.to_string());
            nav.pager aria-label=(console.t(Text::Pages)) {
                span {}
                a.button href=(address("/contacts", &next.finish())) { (console.t(Text::NextPage)) (icon(Icon::Right)) }
            }
        }
    };
    Ok(page(
        &console,
        Page { place: Place::Contacts, title: console.t(Text::Contacts).to_owned(), live: "", narrow: false },
        body,
    ))
}

fn row(contact: &ContactRow) -> Markup {
    html! {
        li {
            a.contact-row href=(format!("/contacts/{}", contact.id)) {
                (avatar(&contact.name, ""))
                div {
                    strong dir="auto" { (contact.name) }
                    @if let Some(company) = &contact.company { div.small.muted dir="auto" { (company) } }
                }
                span.soft.extra dir="ltr" { @if let Some(email) = &contact.email { (email) } }
                span.soft.extra dir="ltr" { @if let Some(phone) = &contact.phone { (phone) } }
            }
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    /// Words to look for a contact to merge with.
    find: String,
}

async fn one(console: Console, Path(id): Path<String>, Query(query): Query<OneQuery>) -> Result<Markup, Problem> {
    let id: ContactId = read("contact", &id)?;
    let contact = console.app.store.contact(id).await?;
    let find = query.find.trim();
    let candidates: Vec<ContactRow> = match find.is_empty() {
        true => Vec::new(),
        false => {
            let filter =
                ContactFilter { search: Some(find.to_owned()), limit: CANDIDATES + 1, ..ContactFilter::default() };
            let found = console.app.store.contacts(&filter).await?;
            found.into_iter().filter(|found| found.id != id).take(CANDIDATES).collect()
        }
    };
    let body = html! {
        a.back href="/contacts" { (icon(Icon::Left)) (console.t(Text::Contacts)) }
        div.page-head {
            (avatar(&contact.name, "large"))
            div {
                h1 dir="auto" { (contact.name) }
                @if let Some(company) = &contact.company { span.sub dir="auto" { (company) } }
            }
            div.actions.inline {
                a.button href=(format!("/?state=all&contact={id}")) { (icon(Icon::Inbox)) (console.t(Text::ContactMentions)) }
            }
        }
        @if let Some(kept) = &contact.merged_into {
            p.notice { (icon(Icon::Info)) a href=(format!("/contacts/{}", kept.id)) {
                (console.fill(Text::MergedInto, &[&kept.name]))
            } }
        }
        div.two {
            div.stack {
                section.card.pad {
                    h2 { (console.t(Text::LinkedAuthors)) }
                    (links(&console, &contact))
                }
                @if !contact.merges.is_empty() {
                    section.card.pad { h2 { (console.t(Text::Merges)) } (merges(&console, &contact)) }
                }
                @if console.may_write() && contact.merged_into.is_none() {
                    section.card.pad.stack.tight { (merge_form(&console, &contact, find, &candidates)) }
                }
            }
            (facts(&console, &contact))
        }
    };
    Ok(page(&console, Page { place: Place::Contacts, title: contact.name.clone(), live: "", narrow: false }, body))
}

fn facts(console: &Console, contact: &ContactView) -> Markup {
    html! {
        section.card.pad {
            h2 { (console.t(Text::Details)) }
            dl.facts {
                @for (text, value) in [
                    (Text::Email, &contact.email),
                    (Text::Phone, &contact.phone),
                    (Text::Company, &contact.company),
                    (Text::CustomerNumber, &contact.external_id),
                ] {
                    @if let Some(value) = value { dt { (console.t(text)) } dd dir="auto" { (value) } }
                }
                @for (name, value) in &contact.fields {
                    dt dir="auto" { (name) } dd dir="auto" { (value) }
                }
            }
        }
    }
}

fn links(console: &Console, contact: &ContactView) -> Markup {
    let live: Vec<&LinkView> = contact.links.iter().filter(|link| link.undone_at.is_none()).collect();
    html! {
        @if live.is_empty() { p.muted { (console.t(Text::NoLinkedAuthors)) } }
        @for link in live {
            @let author = &link.author;
            @let name = name_of(console, &author.display_name, &author.handle);
            div.linked {
                div.person {
                    (avatar(name, ""))
                    div.grow {
                        strong dir="auto" { (name) }
                        div.small.muted.row { (network_badge(console, link.network)) span dir="ltr" { (handle(&author.handle)) } }
                    }
                    a.button.small href=(format!("/?state=all&author={}", author.id)) { (console.t(Text::ContactMentions)) }
                    @if console.may_write() {
                        form method="post" action=(format!("/authors/{}/unlink", author.id)) {
                            (console.viewer.csrf)
                            input type="hidden" name="back" value=(format!("/contacts/{}", contact.id));
                            button.button.quiet.small { (console.t(Text::Unlink)) }
                        }
                    }
                }
                (evidence(console, link))
            }
        }
    }
}

fn merges(console: &Console, contact: &ContactView) -> Markup {
    html! {
        ul.stack.tight {
            @for merge in &contact.merges { (merge_row(console, merge)) }
        }
    }
}

fn merge_row(console: &Console, merge: &MergeView) -> Markup {
    let by = writer_name(console, &merge.merged_by);
    html! {
        li.row {
            span.grow dir="auto" {
                (console.fill(Text::MergeLine, &[&merge.merged.name, &by, &console.short(merge.merged_at)]))
            }
            @match merge.undone_at {
                Some(at) => span.small.muted { (console.t(Text::Undone)) " " (moment(console, at)) },
                None => {
                    @if console.may_write() {
                        form method="post" action=(format!("/merges/{}/undo", merge.id)) {
                            (console.viewer.csrf)
                            input type="hidden" name="contact" value=(merge.kept.id);
                            button.button.small { (icon(Icon::Undo)) (console.t(Text::Unmerge)) }
                        }
                    }
                },
            }
        }
    }
}

fn merge_form(console: &Console, contact: &ContactView, find: &str, candidates: &[ContactRow]) -> Markup {
    html! {
        h2 { (console.t(Text::MergeTitle)) }
        p.small.muted { (console.t(Text::MergeMore)) }
        form.row method="get" role="search" {
            input.grow type="search" name="find" value=(find) placeholder=(console.t(Text::FindContact))
                aria-label=(console.t(Text::FindContact)) autocomplete="off" dir="auto";
            button.button { (console.t(Text::Search)) }
        }
        @for candidate in candidates {
            form.candidate method="post" action=(format!("/contacts/{}/merge", contact.id)) {
                (console.viewer.csrf)
                input type="hidden" name="merged" value=(candidate.id);
                (avatar(&candidate.name, "little"))
                div.grow {
                    div dir="auto" { (candidate.name) }
                    div.small.muted dir="auto" {
                        ([&candidate.company, &candidate.email, &candidate.phone].into_iter().flatten().cloned().collect::<Vec<_>>().join(" · "))
                    }
                }
                button.button.small { (console.t(Text::Merge)) }
            }
        }
        @if !find.is_empty() && candidates.is_empty() {
            p.small.muted role="status" { (console.fill(Text::NoContactFound, &[find])) }
        }
    }
}

#[derive(Debug, Deserialize)]
struct MergeForm {
    merged: String,
}

async fn merge(console: Console, Path(id): Path<String>, Form(form): Form<MergeForm>) -> Result<Redirect, Problem> {
    let kept: ContactId = read("contact", &id)?;
    let merged: ContactId = read("merged", &form.merged)?;
    console.app.store.merge(kept, merged, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&Notice::MERGED.on(&format!("/contacts/{kept}"))))
}

#[derive(Debug, Deserialize)]
struct UnmergeForm {
    contact: String,
}

async fn unmerge(console: Console, Path(id): Path<String>, Form(form): Form<UnmergeForm>) -> Result<Redirect, Problem> {
    let id: MergeId = read("merge", &id)?;
    let contact: ContactId = read("contact", &form.contact)?;
    console.app.store.unmerge(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&Notice::UNMERGED.on(&format!("/contacts/{contact}"))))
}

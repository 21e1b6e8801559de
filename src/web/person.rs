//! Who wrote: the author, the contact behind them with the evidence of the link, and what they wrote before.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::post;
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use super::conversation::own_path;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{handle, name_of, read};
use super::layout::{Console, Notice};
use super::parts::{ago, avatar, language_name, moment, network_name, outside};
use super::texts::Text;
use crate::app::App;
use crate::live::Wake;
use crate::model::{AuthorId, ContactId};
use crate::store::inbox::MentionRow;
use crate::store::people::{ContactFilter, ContactRow, ContactView, EvidenceView, LinkView};

/// Contacts offered for a link.
const CANDIDATES: usize = 6;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/authors/{id}/link", post(link)).route("/authors/{id}/unlink", post(unlink))
}

/// What stands beside a conversation.
pub struct Aside {
    link: Option<LinkView>,
    contact: Option<ContactView>,
    find: String,
    candidates: Vec<ContactRow>,
}

impl Aside {
    pub async fn load(console: &Console, mention: &MentionRow, find: &str) -> Result<Aside, Problem> {
        let store = &console.app.store;
        let link = store.link_of_author(mention.author.id).await?;
        let contact = match &link {
            Some(link) => Some(store.contact(link.contact.id).await?),
            None => None,
        };
        let find = find.trim();
        let candidates = match find.is_empty() {
            true => Vec::new(),
            false => {
                let filter =
                    ContactFilter { search: Some(find.to_owned()), limit: CANDIDATES, ..ContactFilter::default() };
                store.contacts(&filter).await?
            }
        };
        Ok(Aside { link, contact, find: find.to_owned(), candidates })
    }

    pub fn render(&self, console: &Console, mention: &MentionRow, earlier: &[MentionRow]) -> Markup {
        html! {
            (author_card(console, mention))
            section.card.pad {
                h2 { (console.t(Text::Contact)) }
                @match (&self.link, &self.contact) {
                    (Some(link), Some(contact)) => (self.linked(console, link, contact)),
                    _ => (self.not_linked(console, mention)),
                }
            }
            (earlier_card(console, mention, earlier))
            (details_card(console, mention))
        }
    }

    fn linked(&self, console: &Console, link: &LinkView, contact: &ContactView) -> Markup {
        html! {
            div.person {
                (avatar(&contact.name, ""))
                div {
                    a href=(format!("/contacts/{}", contact.id)) dir="auto" { strong { (contact.name) } }
                    @if let Some(company) = &contact.company { div.small.muted dir="auto" { (company) } }
                }
            }
            dl.facts {
                @for (text, value) in [
                    (Text::Email, &contact.email),
                    (Text::Phone, &contact.phone),
                    (Text::CustomerNumber, &contact.external_id),
                ] {
                    @if let Some(value) = value { dt { (console.t(text)) } dd dir="auto" { (value) } }
                }
            }
            hr;
            h3 { (console.t(Text::LinkedBecause)) }
            (evidence(console, link))
            @if console.may_write() {
                form.row.end method="post" action=(format!("/authors/{}/unlink", link.author.id)) {
                    (console.viewer.csrf)
                    input type="hidden" name="back" value=(console.here);
                    button.button.quiet.small { (console.t(Text::Unlink)) }
                }
            }
        }
    }

    fn not_linked(&self, console: &Console, mention: &MentionRow) -> Markup {
        html! {
            div.stack.tight {
                p.soft { (console.t(Text::NotLinked)) }
                p.small.muted { (console.t(Text::NotLinkedMore)) }
                @if console.may_write() {
                    form.row method="get" role="search" {
                        input.grow type="search" name="find" value=(self.find) placeholder=(console.t(Text::FindContact))
                            aria-label=(console.t(Text::FindContact)) autocomplete="off" dir="auto";
                        button.button { (console.t(Text::Search)) }
                    }
                    @for candidate in &self.candidates {
                        form.candidate method="post" action=(format!("/authors/{}/link", mention.author.id)) {
                            (console.viewer.csrf)
                            input type="hidden" name="back" value=(own_page(console));
                            input type="hidden" name="contact" value=(candidate.id);
                            (avatar(&candidate.name, "little"))
                            div.grow {
                                div dir="auto" { (candidate.name) }
                                div.small.muted dir="auto" { (candidate_line(candidate)) }
                            }
                            button.button.small { (console.t(Text::Link)) }
                        }
                    }
                    @if !self.find.is_empty() && self.candidates.is_empty() {
                        p.small.muted role="status" { (console.fill(Text::NoContactFound, &[&self.find])) }
                    }
                }
            }
        }
    }
}

/// This page without what was searched for.
fn own_page(console: &Console) -> &str {
    console.here.split('?').next().unwrap_or("/")
}

fn candidate_line(contact: &ContactRow) -> String {
    [&contact.company, &contact.email, &contact.phone].into_iter().flatten().cloned().collect::<Vec<_>>().join(" · ")
}

fn author_card(console: &Console, mention: &MentionRow) -> Markup {
    let author = &mention.author;
    let name = name_of(console, &author.display_name, &author.handle);
    html! {
        section.card.pad {
            h2.visually-hidden { (console.t(Text::Author)) }
            div.person {
                (avatar(name, "large"))
                div {
                    strong dir="auto" { (name) }
                    div.small.muted dir="ltr" { (handle(&author.handle)) }
                }
            }
            div.dot-list {
                @if let Some(followers) = author.followers { span { (console.count(Text::Followers, followers)) } }
                (outside(author.url.as_deref().filter(|url| super::parts::is_web_address(url)), html! {
                    @if author.url.as_deref().is_some_and(super::parts::is_web_address) {
                        (console.t(Text::OpenProfile))
                    }
                }))
            }
        }
    }
}

/// Why an author counts as this contact, piece by piece.
pub fn evidence(console: &Console, link: &LinkView) -> Markup {
    html! {
        ul.evidence {
            @for piece in &link.evidence {
                li {
                    (icon(Icon::Check))
                    span dir="auto" {
                        @if let Some(mention) = piece.mention_id {
                            a href=(format!("/mentions/{mention}")) { (evidence_text(console, link, piece)) }
                        } @else { (evidence_text(console, link, piece)) }
                    }
                }
            }
            li.muted { (moment(console, link.linked_at)) }
        }
    }
}

fn evidence_text(console: &Console, link: &LinkView, piece: &EvidenceView) -> String {
    let value = piece.value.as_str();
    match piece.kind.as_str() {
        "email" => console.fill(Text::EvidenceEmail, &[value]),
        "phone" => console.fill(Text::EvidencePhone, &[value]),
        "external_id" => console.fill(Text::EvidenceExternal, &[value]),
        "handle" => console.fill(Text::EvidenceHandle, &[value]),
        "person" => console.fill(Text::EvidencePerson, &[&super::composer::writer_name(console, &link.linked_by)]),
        kind => console.fill(Text::EvidenceOther, &[kind, value]),
    }
}

fn earlier_card(console: &Console, mention: &MentionRow, earlier: &[MentionRow]) -> Markup {
    html! {
        section.card.pad.earlier {
            h2 { (console.t(Text::EarlierMentions)) }
            @if earlier.is_empty() {
                p.small.muted { (console.t(Text::NoEarlierMentions)) }
            } @else {
                ul {
                    @for before in earlier {
                        li {
                            a href=(format!("/mentions/{}", before.id)) {
                                span.dot-list {
                                    (super::parts::sentiment_chip(console, before.sentiment.label))
                                    (ago(console, before.published_at))
                                }
                                span.snippet dir="auto" {
                                    (before.text.as_deref().unwrap_or(console.t(Text::DeletedMention)))
                                }
                            }
                        }
                    }
                }
                a.small href=(format!("/?state=all&author={}", mention.author.id)) { (console.t(Text::AllOfAuthor)) }
            }
        }
    }
}

fn details_card(console: &Console, mention: &MentionRow) -> Markup {
    let visibility = match mention.visibility.as_str() {
        "public" => console.t(Text::VisibilityPublic),
        "unlisted" => console.t(Text::VisibilityUnlisted),
        "followers" => console.t(Text::VisibilityFollowers),
        "direct" => console.t(Text::VisibilityDirect),
        other => other,
    };
    html! {
        section.card.pad {
            h2 { (console.t(Text::Details)) }
            dl.facts {
                dt { (console.t(Text::Network)) } dd { (network_name(console, mention.network)) }
                dt { (console.t(Text::Account)) } dd { (mention.account.name) }
                dt { (console.t(Text::DetectedLanguage)) }
                dd { (language_name(console, &mention.language.code)) " "
                    span.muted { "(" (console.percent(mention.language.confidence)) ")" } }
                dt { (console.t(Text::Visibility)) } dd { (visibility) }
                @if mention.url.as_deref().is_some_and(super::parts::is_web_address) {
                    dt { (console.t(Text::LinkWord)) }
                    dd { (outside(mention.url.as_deref(), html! { (console.t(Text::OpenOnNetwork)) })) }
                }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct LinkForm {
    contact: String,
    #[serde(default)]
    back: String,
}

async fn link(console: Console, Path(id): Path<String>, Form(form): Form<LinkForm>) -> Result<Redirect, Problem> {
    let author: AuthorId = read("author", &id)?;
    let contact: ContactId = read("contact", &form.contact)?;
    console.app.store.link(author, contact, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    let back = own_path(&form.back).unwrap_or_else(|| format!("/contacts/{contact}"));
    Ok(Redirect::to(&Notice::LINKED.on(&back)))
}

#[derive(Debug, Deserialize)]
struct UnlinkForm {
    #[serde(default)]
    back: String,
}

async fn unlink(console: Console, Path(id): Path<String>, Form(form): Form<UnlinkForm>) -> Result<Redirect, Problem> {
    let author: AuthorId = read("author", &id)?;
    console.app.store.unlink(author, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    let back = own_path(&form.back).unwrap_or_else(|| "/contacts".to_owned());
    Ok(Redirect::to(&Notice::UNLINKED.on(&back)))
}

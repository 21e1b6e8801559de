//! Contacts as people read them: lists in Turkish order, one contact with its links and merges.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::inbox::{AuthorView, ContactRef};
use super::rows::Cells;
use super::{Store, StoreError};
use crate::contacts::{Evidence, phone_beginnings};
use crate::model::{AuthorId, ContactId, LinkId, MentionId, MergeId, Network};

/// Rows of a page when nothing is said.
const DEFAULT_PAGE: usize = 50;
/// The most rows a page may have.
const LARGEST_PAGE: usize = 500;

/// Which contacts a person wants to see.
#[derive(Debug, Clone, Default)]
pub struct ContactFilter {
    /// Words, each of which must begin a word of the name, e-mail address, company or external id.
    pub search: Option<String>,
    /// The last contact of the page before this one.
    pub after: Option<ContactId>,
    /// At most this many rows; 0 means 50, and 500 is the most.
    pub limit: usize,
}

/// One contact of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ContactRow {
    pub id: ContactId,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub external_id: Option<String>,
    /// How many authors are linked to it.
    pub authors: i64,
}

/// A contact with everything known of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ContactView {
    pub id: ContactId,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub external_id: Option<String>,
    /// What an import brought beside.
    pub fields: BTreeMap<String, String>,
    pub merged_into: Option<ContactRef>,
    /// Live ones first.
    pub links: Vec<LinkView>,
    /// Newest first.
    pub merges: Vec<MergeView>,
}

/// An author taken for a contact, and why.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LinkView {
    pub id: LinkId,
    #[schema(value_type = String)]
    pub network: Network,
    pub author: AuthorView,
    pub contact: ContactRef,
    pub evidence: Vec<EvidenceView>,
    /// How sure it is, from 0 to 1.
    pub score: f64,
    /// A user's name, or `evidence`.
    pub linked_by: String,
    pub linked_at: Timestamp,
    pub undone_by: Option<String>,
    pub undone_at: Option<Timestamp>,
}

/// One reason of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EvidenceView {
    /// `email`, `phone`, `external_id`, `handle` or `person`.
    pub kind: String,
    pub value: String,
    /// The mention it was found in.
    pub mention_id: Option<MentionId>,
}

/// Two contacts that a person made one.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MergeView {
    pub id: MergeId,
    pub kept: ContactRef,
    pub merged: ContactRef,
    pub merged_by: String,
    pub merged_at: Timestamp,
    pub undone_at: Option<Timestamp>,
}

const LINKS: &str = "SELECT l.id, a.network, a.id AS author_id, a.handle, a.display_name, a.url, a.followers,
    c.id AS contact_id, c.name AS contact_name, l.evidence, l.score, COALESCE(b.name, l.linked_by) AS linked_by, l.linked_at,
    COALESCE(u.name, l.undone_by) AS undone_by, l.undone_at
    FROM contact_authors l JOIN authors a ON a.id = l.author_id JOIN contacts c ON c.id = l.contact_id
    LEFT JOIN users b ON b.id = l.linked_by LEFT JOIN users u ON u.id = l.undone_by";

impl Store {
    /// Contacts in the order of the Turkish alphabet; those merged into another are left out.
    pub async fn contacts(&self, filter: &ContactFilter) -> Result<Vec<ContactRow>, StoreError> {
        let limit = if filter.limit == 0 { DEFAULT_PAGE } else { filter.limit.min(LARGEST_PAGE) };
        let mut text = String::from(
            "SELECT c.id, c.name, c.email, c.phone, c.company, c.external_id,
                    (SELECT COUNT(*) FROM contact_authors l WHERE l.contact_id = c.id AND l.undone_at IS NULL) AS authors
             FROM contacts c WHERE c.merged_into IS NULL",
        );
        let mut values = Vec::new();
        if let Some(search) = &filter.search
            && !search.trim().is_empty()
        {
            let Some(query) = self.search_query(search) else { return Ok(Vec::new()) };
            let (before, after) = self.contacts_matching();
            values.push(query);
            text.push_str(&format!(" AND (c.id IN ({before}${}{after})", values.len()));
            for beginning in phone_beginnings(search) {
                // Up to the last number of E.164 that begins so: a sign and at most 15 digits.
                let last = format!("{beginning:9<16}");
                text.push_str(&format!(" OR c.phone BETWEEN ${} AND ${}", values.len() + 1, values.len() + 2));
                values.extend([beginning, last]);
            }
            text.push(')');
        }
        if let Some(after) = filter.after {
            values.push(after.to_string());
            let last = format!("(SELECT sort_key FROM contacts WHERE id = ${})", values.len());
            text.push_str(&format!(" AND (c.sort_key > {last} OR (c.sort_key = {last} AND c.id > ${}))", values.len()));
        }
        text.push_str(&format!(" ORDER BY c.sort_key, c.id LIMIT {limit}"));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in &values {
            query = query.bind(value.as_str());
        }
        query.fetch_all(self.pool()).await?.iter().map(contact_row).collect()
    }

    /// How many contacts there are, merged ones left out.
    pub async fn contact_count(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM contacts WHERE merged_into IS NULL").fetch_one(self.pool()).await?)
    }

    pub async fn contact(&self, id: ContactId) -> Result<ContactView, StoreError> {
        let row = sqlx::query(
            "SELECT c.id, c.name, c.email, c.phone, c.company, c.external_id, c.fields, k.id AS kept_id, k.name AS kept_name
             FROM contacts c LEFT JOIN contacts k ON k.id = c.merged_into WHERE c.id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(self.pool())
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("there is no contact {id}")))?;
        let links = format!(
            "{LINKS} WHERE l.contact_id = $1 ORDER BY CASE WHEN l.undone_at IS NULL THEN 0 ELSE 1 END, l.linked_at DESC"
        );
        let links = sqlx::query(AssertSqlSafe(links)).bind(id.to_string()).fetch_all(self.pool()).await?;
        let merges = sqlx::query(
            "SELECT m.id, m.kept_id, k.name AS kept_name, m.merged_id, o.name AS merged_name,
                    COALESCE(u.name, m.merged_by) AS merged_by, m.merged_at, m.undone_at
             FROM merges m JOIN contacts k ON k.id = m.kept_id JOIN contacts o ON o.id = m.merged_id
             LEFT JOIN users u ON u.id = m.merged_by
             WHERE m.kept_id = $1 OR m.merged_id = $1 ORDER BY m.merged_at DESC, m.id DESC",
        )
        .bind(id.to_string())
        .fetch_all(self.pool())
        .await?;
        let merged_into = match (row.maybe_word("kept_id")?, row.maybe_text("kept_name")?) {
            (Some(id), Some(name)) => Some(ContactRef { id, name }),
            _ => None,
        };
        Ok(ContactView {
            id: row.word("id")?,
            name: row.text("name")?,
            email: row.maybe_text("email")?,
            phone: row.maybe_text("phone")?,
            company: row.maybe_text("company")?,
            external_id: row.maybe_text("external_id")?,
            fields: row.json("fields")?,
            merged_into,
            links: links.iter().map(link_view).collect::<Result<_, _>>()?,
            merges: merges.iter().map(merge_view).collect::<Result<_, _>>()?,
        })
    }

    /// Which contact an author is, if it is known.
    pub async fn link_of_author(&self, author: AuthorId) -> Result<Option<LinkView>, StoreError> {
        sqlx::query(AssertSqlSafe(format!("{LINKS} WHERE l.author_id = $1 AND l.undone_at IS NULL")))
            .bind(author.to_string())
            .fetch_optional(self.pool())
            .await?
            .as_ref()
            .map(link_view)
            .transpose()
    }
}

fn contact_row(row: &AnyRow) -> Result<ContactRow, StoreError> {
    Ok(ContactRow {
        id: row.word("id")?,
        name: row.text("name")?,
        email: row.maybe_text("email")?,
        phone: row.maybe_text("phone")?,
        company: row.maybe_text("company")?,
        external_id: row.maybe_text("external_id")?,
        authors: row.number("authors")?,
    })
}

fn link_view(row: &AnyRow) -> Result<LinkView, StoreError> {
    let contact = ContactRef { id: row.word("contact_id")?, name: row.text("contact_name")? };
    let undone_at = row.maybe_time("undone_at")?;
    let evidence: Vec<Evidence> = row.json("evidence")?;
    Ok(LinkView {
        id: row.word("id")?,
        network: row.word("network")?,
        author: AuthorView {
            id: row.word("author_id")?,
            handle: row.text("handle")?,
            display_name: row.text("display_name")?,
            url: row.maybe_text("url")?,
            followers: row.maybe_number("followers")?,
            contact: undone_at.is_none().then(|| contact.clone()),
        },
        contact,
        evidence: evidence
            .into_iter()
            .map(|evidence| EvidenceView {
                kind: evidence.kind.as_str().to_owned(),
                value: evidence.value,
                mention_id: evidence.mention_id.and_then(|id| id.parse().ok()),
            })
            .collect(),
        score: row.float("score")?,
        linked_by: row.text("linked_by")?,
        linked_at: row.time("linked_at")?,
        undone_by: row.maybe_text("undone_by")?,
        undone_at,
    })
}

fn merge_view(row: &AnyRow) -> Result<MergeView, StoreError> {
    Ok(MergeView {
        id: row.word("id")?,
        kept: ContactRef { id: row.word("kept_id")?, name: row.text("kept_name")? },
        merged: ContactRef { id: row.word("merged_id")?, name: row.text("merged_name")? },
        merged_by: row.text("merged_by")?,
        merged_at: row.time("merged_at")?,
        undone_at: row.maybe_time("undone_at")?,
    })
}

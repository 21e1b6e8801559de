//! What people decide about contacts: this author is that contact, these two are one. Everything can be undone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contacts::{document, insert_link};
use super::rows::Cells;
use super::search::{Entry, Index};
use super::{Store, StoreError, Tx, audit, micros};
use crate::contacts::{Evidence, EvidenceKind};
use crate::model::{AuthorId, ContactId, MergeId};

/// What a merge changed, so that undoing it restores exactly that.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// What the kept contact lacked and got from the other one.
    email: Option<String>,
    phone: Option<String>,
    company: Option<String>,
    fields: BTreeMap<String, String>,
    /// Links that moved.
    links: Vec<String>,
}

/// A contact as a merge sees it.
struct Side {
    id: String,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    company: Option<String>,
    external_id: Option<String>,
    fields: BTreeMap<String, String>,
    merged_into: Option<String>,
    search_row: Option<i64>,
}

impl Store {
    /// Says that an author is a contact. A link to another contact is undone; the same one again changes nothing.
    pub async fn link(&self, author: AuthorId, contact: ContactId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let side = side(&mut tx, contact).await?;
        if side.merged_into.is_some() {
            return Err(StoreError::Conflict(format!("{} was merged into another contact: link that one", side.name)));
        }
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM authors WHERE id = $1")
            .bind(author.to_string())
            .fetch_one(&mut *tx)
            .await?;
        if known == 0 {
            return Err(StoreError::NotFound(format!("there is no author {author}")));
        }
        let live: Option<String> =
            sqlx::query_scalar("SELECT contact_id FROM contact_authors WHERE author_id = $1 AND undone_at IS NULL")
                .bind(author.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        if live.as_deref() == Some(side.id.as_str()) {
            return Ok(());
        }
        undo_link(&mut tx, author, who, now).await?;
        let evidence = [Evidence::new(EvidenceKind::Person, who)];
        let score = EvidenceKind::Person.score();
        insert_link(&mut tx, &side.id, &author.to_string(), &evidence, score, who, now).await?;
        let detail = serde_json::json!({"contact": contact});
        audit::write(&mut tx, now, who, "author_linked", &author.to_string(), detail).await?;
        tx.commit().await
    }

    /// Says that an author is not the contact it is linked to; evidence does not link the two again.
    pub async fn unlink(&self, author: AuthorId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        if !undo_link(&mut tx, author, who, now).await? {
            return Err(StoreError::NotFound(format!("author {author} is linked to no contact")));
        }
        audit::write(&mut tx, now, who, "author_unlinked", &author.to_string(), serde_json::json!({})).await?;
        tx.commit().await
    }

    /// Makes two contacts one: the links of `merged` move to `kept`, which takes over what it lacks.
    pub async fn merge(&self, kept: ContactId, merged: ContactId, who: &str) -> Result<MergeId, StoreError> {
        if kept == merged {
            return Err(StoreError::Conflict("a contact cannot be merged with itself: choose another one".into()));
        }
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone("contacts").await?;
        let (mut kept, merged) = (side(&mut tx, kept).await?, side(&mut tx, merged).await?);
        if let Some(gone) = [&kept, &merged].into_iter().find(|side| side.merged_into.is_some()) {
            return Err(StoreError::Conflict(format!("{} was merged into another contact already", gone.name)));
        }
        let rows = sqlx::query("SELECT id FROM contact_authors WHERE contact_id = $1")
            .bind(merged.id.as_str())
            .fetch_all(&mut *tx)
            .await?;
        let lacks = |kept: &Option<String>, merged: &Option<String>| merged.clone().filter(|_| kept.is_none());
        let fields = merged.fields.iter().filter(|(key, _)| !kept.fields.contains_key(*key));
        let before = Before {
            email: lacks(&kept.email, &merged.email),
            phone: lacks(&kept.phone, &merged.phone),
            company: lacks(&kept.company, &merged.company),
            fields: fields.map(|(key, value)| (key.clone(), value.clone())).collect(),
            links: rows.iter().map(|row| row.text("id")).collect::<Result<_, _>>()?,
        };
        kept.email = kept.email.or(before.email.clone());
        kept.phone = kept.phone.or(before.phone.clone());
        kept.company = kept.company.or(before.company.clone());
        kept.fields.extend(before.fields.clone());

        sqlx::query("UPDATE contact_authors SET contact_id = $1 WHERE contact_id = $2")
            .bind(kept.id.as_str())
            .bind(merged.id.as_str())
            .execute(&mut *tx)
            .await?;
        write_side(&mut tx, &kept, now).await?;
        tx.unindex(Index::Contacts, &merged.id, merged.search_row).await?;
        sqlx::query("UPDATE contacts SET merged_into = $1, search_row = NULL, changed_at = $2 WHERE id = $3")
            .bind(kept.id.as_str())
            .bind(micros(now))
            .bind(merged.id.as_str())
            .execute(&mut *tx)
            .await?;
        let id = MergeId::new(now);
        sqlx::query(
            "INSERT INTO merges (id, kept_id, merged_id, before, merged_by, merged_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.to_string())
        .bind(kept.id.as_str())
        .bind(merged.id.as_str())
        .bind(serde_json::to_string(&before).unwrap_or_default())
        .bind(who)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        let detail = serde_json::json!({"kept": kept.id, "merged": merged.id});
        audit::write(&mut tx, now, who, "contacts_merged", &id.to_string(), detail).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Makes two contacts of one again: links that moved go back, and what was taken over goes, unless a person changed it
    /// since.
    pub async fn unmerge(&self, id: MergeId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        tx.alone("contacts").await?;
        let merge = sqlx::query("SELECT kept_id, merged_id, before, undone_at FROM merges WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("there is no merge {id}")))?;
        if merge.maybe_time("undone_at")?.is_some() {
            return Ok(());
        }
        let before: Before = merge.json("before")?;
        let (mut kept, merged) =
            (side(&mut tx, merge.word("kept_id")?).await?, side(&mut tx, merge.word("merged_id")?).await?);
        if kept.merged_into.is_some() {
            return Err(StoreError::Conflict(format!(
                "{} was itself merged into another contact later: undo that merge first",
                kept.name
            )));
        }
        for (value, given) in
            [(&mut kept.email, &before.email), (&mut kept.phone, &before.phone), (&mut kept.company, &before.company)]
        {
            if given.is_some() && value == given {
                *value = None;
            }
        }
        for (key, value) in &before.fields {
            if kept.fields.get(key) == Some(value) {
                kept.fields.remove(key);
            }
        }
        write_side(&mut tx, &kept, now).await?;
        for link in &before.links {
            sqlx::query("UPDATE contact_authors SET contact_id = $1 WHERE id = $2 AND contact_id = $3")
                .bind(merged.id.as_str())
                .bind(link.as_str())
                .bind(kept.id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        let search_row = tx.next_row(Index::Contacts).await?;
        sqlx::query("UPDATE contacts SET merged_into = NULL, search_row = $1, changed_at = $2 WHERE id = $3")
            .bind(search_row)
            .bind(micros(now))
            .bind(merged.id.as_str())
            .execute(&mut *tx)
            .await?;
        let document = merged.document();
        tx.index(Index::Contacts, &[Entry { subject_id: &merged.id, row: search_row, document: &document }]).await?;
        sqlx::query("UPDATE merges SET undone_by = $1, undone_at = $2 WHERE id = $3")
            .bind(who)
            .bind(micros(now))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        let detail = serde_json::json!({"kept": kept.id, "merged": merged.id});
        audit::write(&mut tx, now, who, "merge_undone", &id.to_string(), detail).await?;
        tx.commit().await
    }
}

impl Side {
    fn document(&self) -> String {
        document(&self.name, self.email.as_deref(), self.company.as_deref(), self.external_id.as_deref())
    }
}

async fn side(tx: &mut Tx, id: ContactId) -> Result<Side, StoreError> {
    let row = sqlx::query(
        "SELECT id, name, email, phone, company, external_id, fields, merged_into, search_row FROM contacts WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| StoreError::NotFound(format!("there is no contact {id}")))?;
    Ok(Side {
        id: row.text("id")?,
        name: row.text("name")?,
        email: row.maybe_text("email")?,
        phone: row.maybe_text("phone")?,
        company: row.maybe_text("company")?,
        external_id: row.maybe_text("external_id")?,
        fields: row.json("fields")?,
        merged_into: row.maybe_text("merged_into")?,
        search_row: row.maybe_number("search_row")?,
    })
}

async fn write_side(tx: &mut Tx, side: &Side, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE contacts SET email = $1, phone = $2, company = $3, fields = $4, changed_at = $5 WHERE id = $6")
        .bind(side.email.as_deref())
        .bind(side.phone.as_deref())
        .bind(side.company.as_deref())
        .bind(serde_json::to_string(&side.fields).unwrap_or_default())
        .bind(micros(now))
        .bind(side.id.as_str())
        .execute(&mut **tx)
        .await?;
    let document = side.document();
    tx.unindex(Index::Contacts, &side.id, side.search_row).await?;
    tx.index(Index::Contacts, &[Entry { subject_id: &side.id, row: side.search_row, document: &document }]).await
}

async fn undo_link(tx: &mut Tx, author: AuthorId, who: &str, now: Timestamp) -> Result<bool, StoreError> {
    let undone = sqlx::query(
        "UPDATE contact_authors SET undone_by = $1, undone_at = $2 WHERE author_id = $3 AND undone_at IS NULL",
    )
    .bind(who)
    .bind(micros(now))
    .bind(author.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(undone.rows_affected() > 0)
}

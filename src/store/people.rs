//! Contacts as people read them, until the real thing lands.
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::inbox::{AuthorView, ContactRef};
use super::{Store, StoreError};
use crate::model::{AuthorId, ContactId, LinkId, MentionId, MergeId, Network};

#[derive(Debug, Clone, Default)]
pub struct ContactFilter {
    pub search: Option<String>,
    pub after: Option<ContactId>,
    pub limit: usize,
}
#[derive(Debug, Clone)]
pub struct ContactRow {
    pub id: ContactId,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub external_id: Option<String>,
    pub authors: i64,
}
#[derive(Debug, Clone)]
pub struct ContactView {
    pub id: ContactId,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub external_id: Option<String>,
    pub fields: BTreeMap<String, String>,
    pub merged_into: Option<ContactRef>,
    pub links: Vec<LinkView>,
    pub merges: Vec<MergeView>,
}
#[derive(Debug, Clone)]
pub struct LinkView {
    pub id: LinkId,
    pub network: Network,
    pub author: AuthorView,
    pub contact: ContactRef,
    pub evidence: Vec<EvidenceView>,
    pub score: f64,
    pub linked_by: String,
    pub linked_at: Timestamp,
    pub undone_by: Option<String>,
    pub undone_at: Option<Timestamp>,
}
#[derive(Debug, Clone)]
pub struct EvidenceView {
    pub kind: String,
    pub value: String,
    pub mention_id: Option<MentionId>,
}
#[derive(Debug, Clone)]
pub struct MergeView {
    pub id: MergeId,
    pub kept: ContactRef,
    pub merged: ContactRef,
    pub merged_by: String,
    pub merged_at: Timestamp,
    pub undone_at: Option<Timestamp>,
}
fn no() -> StoreError {
    StoreError::NotFound("not yet".to_owned())
}
impl Store {
    pub async fn contacts(&self, _filter: &ContactFilter) -> Result<Vec<ContactRow>, StoreError> {
        Ok(Vec::new())
    }
    pub async fn contact_count(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
    pub async fn contact(&self, _id: ContactId) -> Result<ContactView, StoreError> {
        Err(no())
    }
    pub async fn link_of_author(&self, _id: AuthorId) -> Result<Option<LinkView>, StoreError> {
        Ok(None)
    }
    pub async fn link(&self, _a: AuthorId, _c: ContactId, _who: &str) -> Result<(), StoreError> {
        Err(no())
    }
    pub async fn unlink(&self, _a: AuthorId, _who: &str) -> Result<(), StoreError> {
        Err(no())
    }
    pub async fn merge(&self, _k: ContactId, _m: ContactId, _who: &str) -> Result<MergeId, StoreError> {
        Err(no())
    }
    pub async fn unmerge(&self, _m: MergeId, _who: &str) -> Result<(), StoreError> {
        Err(no())
    }
}

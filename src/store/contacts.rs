//! Authors, contacts, links with evidence, merges that can be undone.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::rows::Cells;
use super::{StoreError, Tx, micros};
use crate::contacts::{self, Evidence, EvidenceKind};
use crate::model::{LinkId, Network};

/// Who made a link when no person did.
const BY_EVIDENCE: &str = "evidence";

/// An author who may be a contact.
pub(in crate::store) struct Candidate<'c> {
    pub author_id: String,
    pub handle: &'c str,
    pub evidence: &'c [Evidence],
    pub mention_id: String,
}

/// Links every author whose evidence fits exactly one contact. A live link stays as it is, and one that a person undid is
/// not made again.
pub(in crate::store) async fn link_by_evidence(
    tx: &mut Tx,
    network: Network,
    candidates: &[Candidate<'_>],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let matches = Matches::find(tx, network, candidates).await?;
    if matches.is_empty() {
        return Ok(0);
    }
    let mut found: HashMap<&str, (BTreeSet<&str>, Vec<Evidence>)> = HashMap::new();
    for candidate in candidates {
        let handle = Evidence::new(EvidenceKind::Handle, contacts::handle(candidate.handle));
        for evidence in candidate.evidence.iter().chain([&handle]) {
            let Some(contacts) = matches.of(evidence) else { continue };
            let entry = found.entry(candidate.author_id.as_str()).or_default();
            entry.0.extend(contacts.iter().map(String::as_str));
            let known = entry.1.iter().any(|known| (known.kind, &known.value) == (evidence.kind, &evidence.value));
            if !known {
                entry.1.push(Evidence { mention_id: Some(candidate.mention_id.clone()), ..evidence.clone() });
            }
        }
    }
    let authors: Vec<&str> = found.keys().copied().collect();
    for row in tx
        .find("SELECT author_id, contact_id, undone_at FROM contact_authors WHERE author_id", &[], &authors, "")
        .await?
    {
        let (author, contact) = (row.text("author_id")?, row.text("contact_id")?);
        let is_live = row.maybe_time("undone_at")?.is_none();
        let settled =
            found.get(author.as_str()).is_some_and(|(contacts, _)| is_live || contacts.contains(contact.as_str()));
        if settled {
            found.remove(author.as_str());
        }
    }
    let mut linked = 0;
    for (author, (contacts, evidence)) in &found {
        // Evidence that fits several contacts is left to a person.
        let Some(contact) = contacts.first().filter(|_| contacts.len() == 1) else { continue };
        let score = evidence.iter().map(|evidence| evidence.kind.score()).fold(0.0, f64::max);
        insert_link(tx, contact, author, evidence, score, BY_EVIDENCE, now).await?;
        linked += 1;
    }
    Ok(linked)
}

async fn insert_link(
    tx: &mut Tx,
    contact_id: &str,
    author_id: &str,
    evidence: &[Evidence],
    score: f64,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO contact_authors (id, contact_id, author_id, evidence, score, linked_by, linked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(LinkId::new(now).to_string())
    .bind(contact_id)
    .bind(author_id)
    .bind(serde_json::to_string(evidence).unwrap_or_default())
    .bind(score)
    .bind(by)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The contacts that each piece of evidence fits.
struct Matches(HashMap<(EvidenceKind, String), Vec<String>>);

impl Matches {
    async fn find(tx: &mut Tx, network: Network, candidates: &[Candidate<'_>]) -> Result<Matches, StoreError> {
        let mut wanted: HashMap<EvidenceKind, BTreeSet<String>> = HashMap::new();
        for candidate in candidates {
            for evidence in candidate.evidence {
                wanted.entry(evidence.kind).or_default().insert(evidence.value.clone());
            }
            wanted.entry(EvidenceKind::Handle).or_default().insert(contacts::handle(candidate.handle));
        }
        let mut matches = HashMap::<_, Vec<String>>::new();
        for (kind, values) in wanted {
            let values: Vec<String> = values.into_iter().collect();
            let (head, first): (_, &[&str]) = match kind {
                EvidenceKind::Email => {
                    ("SELECT id, email AS value FROM contacts WHERE merged_into IS NULL AND email", &[])
                }
                EvidenceKind::Phone => {
                    ("SELECT id, phone AS value FROM contacts WHERE merged_into IS NULL AND phone", &[])
                }
                EvidenceKind::ExternalId => {
                    ("SELECT id, external_id AS value FROM contacts WHERE merged_into IS NULL AND external_id", &[])
                }
                EvidenceKind::Handle => (
                    "SELECT c.id, h.handle AS value FROM contact_handles h JOIN contacts c ON c.id = h.contact_id
                     WHERE c.merged_into IS NULL AND h.network = ? AND h.handle",
                    &[network.as_str()],
                ),
                EvidenceKind::Person => continue,
            };
            for row in tx.find(head, first, &values, "").await? {
                matches.entry((kind, row.text("value")?)).or_default().push(row.text("id")?);
            }
        }
        Ok(Matches(matches))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, evidence: &Evidence) -> Option<&Vec<String>> {
        self.0.get(&(evidence.kind, evidence.value.clone()))
    }
}

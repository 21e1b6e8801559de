//! Authors, contacts, links with evidence, merges that can be undone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::rows::Cells;
use super::search::{Entry, Index, words};
use super::{Store, StoreError, Tx, micros};
use crate::analyze::tokens::{fold_case, search_fold};
use crate::contacts::{self, Evidence, EvidenceKind, evidence_in};
use crate::model::{ContactId, LinkId, Network};

/// Rows looked at together when known authors are linked.
const PAGE: i64 = 1_000;
/// Letters of a name that count for its order: an index entry has a bound.
const LONGEST_SORT_KEY: usize = 64;

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

pub(in crate::store) async fn insert_link(
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
                EvidenceKind::Email => ("SELECT id, email AS value FROM contacts WHERE email", &[]),
                EvidenceKind::Phone => ("SELECT id, phone AS value FROM contacts WHERE phone", &[]),
                EvidenceKind::ExternalId => ("SELECT id, external_id AS value FROM contacts WHERE external_id", &[]),
                EvidenceKind::Handle => (
                    "SELECT contact_id AS id, handle AS value FROM contact_handles WHERE network = ? AND handle",
                    &[network.as_str()],
                ),
                EvidenceKind::Person => continue,
            };
            for row in tx.find(head, first, &values, "").await? {
                matches.entry((kind, row.text("value")?)).or_default().push(row.text("id")?);
            }
        }
        let mut matches = Matches(matches);
        matches.follow_merges(tx).await?;
        Ok(matches)
    }

    /// What fits a contact that was merged into another one fits the other one.
    async fn follow_merges(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        loop {
            let ids: BTreeSet<&str> = self.0.values().flatten().map(String::as_str).collect();
            let ids: Vec<&str> = ids.into_iter().collect();
            let head = "SELECT id, merged_into FROM contacts WHERE merged_into IS NOT NULL AND id";
            let rows = tx.find(head, &[], &ids, "").await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut kept = HashMap::new();
            for row in &rows {
                kept.insert(row.text("id")?, row.text("merged_into")?);
            }
            for id in self.0.values_mut().flatten() {
                if let Some(into) = kept.get(id) {
                    id.clone_from(into);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, evidence: &Evidence) -> Option<&Vec<String>> {
        self.0.get(&(evidence.kind, evidence.value.clone()))
    }
}

/// A contact as the CRM gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewContact {
    pub name: Option<String>,
    /// In lower case.
    pub email: Option<String>,
    /// In E.164.
    pub phone: Option<String>,
    pub external_id: Option<String>,
    pub company: Option<String>,
    /// Folded.
    pub handles: Vec<(Network, String)>,
    pub fields: BTreeMap<String, String>,
}

/// What became of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    New,
    Updated,
    /// There already, and the same.
    Known,
    Refused(String),
}

/// A stored contact, as far as an update needs it.
struct StoredContact {
    id: String,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
    company: Option<String>,
    fields: BTreeMap<String, String>,
    merged: bool,
    search_row: Option<i64>,
}

impl Store {
    /// Adds contacts or brings them up to date: the same external id, or else the same e-mail address, is the same contact.
    /// What a new row leaves out stays as it is. All or none are stored.
    pub async fn put_contacts(&self, contacts: &[NewContact]) -> Result<Vec<Put>, StoreError> {
        let mut tx = self.begin().await?;
        let outcomes = put_all(&mut tx, contacts, self.clock()).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    /// What [`Store::put_contacts`] would answer. Nothing stays written.
    pub async fn rehearse_contacts(&self, contacts: &[NewContact]) -> Result<Vec<Put>, StoreError> {
        // One contact may be what the next one meets, so they are put, and the transaction is not committed.
        let mut tx = self.begin().await?;
        put_all(&mut tx, contacts, self.clock()).await
    }

    /// Links the authors of stored mentions to contacts that came after them. Returns how many were linked.
    pub async fn link_known_authors(&self) -> Result<u64, StoreError> {
        let mut linked = 0;
        let mut after = String::new();
        loop {
            let rows = sqlx::query(
                "SELECT m.id, m.text, m.author_id, m.network, a.handle FROM mentions m JOIN authors a ON a.id = m.author_id
                 WHERE m.id > $1 ORDER BY m.id LIMIT $2",
            )
            .bind(after.as_str())
            .bind(PAGE)
            .fetch_all(self.pool())
            .await?;
            let Some(last) = rows.last() else { return Ok(linked) };
            after = last.text("id")?;
            let mut pages: BTreeMap<Network, Vec<_>> = BTreeMap::new();
            for row in &rows {
                let evidence: Vec<Evidence> = evidence_in(&row.maybe_text("text")?.unwrap_or_default());
                let author = (row.text("author_id")?, row.text("handle")?, row.text("id")?, evidence);
                pages.entry(row.word("network")?).or_default().push(author);
            }
            let mut tx = self.begin().await?;
            for (network, authors) in &pages {
                tx.alone(&format!("record:{}", network.as_str())).await?;
                let candidates: Vec<Candidate> = authors
                    .iter()
                    .map(|(author_id, handle, mention_id, evidence)| Candidate {
                        author_id: author_id.clone(),
                        handle,
                        evidence,
                        mention_id: mention_id.clone(),
                    })
                    .collect();
                linked += link_by_evidence(&mut tx, *network, &candidates, self.clock()).await? as u64;
            }
            tx.commit().await?;
        }
    }
}

async fn put_all(tx: &mut Tx, contacts: &[NewContact], now: Timestamp) -> Result<Vec<Put>, StoreError> {
    tx.alone("contacts").await?;
    let mut outcomes = Vec::with_capacity(contacts.len());
    for contact in contacts {
        outcomes.push(put_contact(tx, contact, now).await?);
    }
    Ok(outcomes)
}

async fn put_contact(tx: &mut Tx, new: &NewContact, now: Timestamp) -> Result<Put, StoreError> {
    let known = match find_contact(tx, new).await? {
        Found::Nobody => None,
        Found::One(known) => Some(known),
        Found::Several => {
            let email = new.email.as_deref().unwrap_or_default();
            return Ok(Put::Refused(format!("several contacts have the e-mail address {email}: merge them first")));
        }
    };
    let Some(known) = known else {
        insert_contact(tx, new, now).await?;
        return Ok(Put::New);
    };
    if known.merged {
        return Ok(Put::Known);
    }
    let or = |new: &Option<String>, known: &Option<String>| new.clone().or_else(|| known.clone());
    let name = new.name.clone().unwrap_or_else(|| known.name.clone());
    let (email, phone) = (or(&new.email, &known.email), or(&new.phone, &known.phone));
    let (external_id, company) = (or(&new.external_id, &known.external_id), or(&new.company, &known.company));
    let mut fields = known.fields.clone();
    fields.extend(new.fields.clone());
    let same = name == known.name
        && (&email, &phone, &external_id, &company) == (&known.email, &known.phone, &known.external_id, &known.company)
        && fields == known.fields;
    let new_handles = put_handles(tx, &known.id, &new.handles).await?;
    if same {
        return Ok(if new_handles { Put::Updated } else { Put::Known });
    }
    sqlx::query(
        "UPDATE contacts SET name = $1, sort_key = $2, email = $3, phone = $4, external_id = $5, company = $6, fields = $7,
                changed_at = $8 WHERE id = $9",
    )
    .bind(name.as_str())
    .bind(sort_key(&name))
    .bind(email.as_deref())
    .bind(phone.as_deref())
    .bind(external_id.as_deref())
    .bind(company.as_deref())
    .bind(serde_json::to_string(&fields).unwrap_or_default())
    .bind(micros(now))
    .bind(known.id.as_str())
    .execute(&mut **tx)
    .await?;
    let document = document(&name, email.as_deref(), company.as_deref(), external_id.as_deref());
    tx.unindex(Index::Contacts, &known.id, known.search_row).await?;
    tx.index(Index::Contacts, &[Entry { subject_id: &known.id, row: known.search_row, document: &document }]).await?;
    Ok(Put::Updated)
}

enum Found {
    Nobody,
    One(Box<StoredContact>),
    Several,
}

async fn find_contact(tx: &mut Tx, new: &NewContact) -> Result<Found, StoreError> {
    const COLUMNS: &str = "id, name, email, phone, external_id, company, fields, merged_into, search_row";
    if let Some(external_id) = &new.external_id {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM contacts WHERE external_id = $1")))
            .bind(external_id.as_str())
            .fetch_optional(&mut **tx)
            .await?;
        if let Some(row) = found {
            return Ok(Found::One(Box::new(stored_contact(&row)?)));
        }
    }
    let Some(email) = &new.email else { return Ok(Found::Nobody) };
    let select = format!("SELECT {COLUMNS} FROM contacts WHERE email = $1 ORDER BY id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(email.as_str()).fetch_all(&mut **tx).await?;
    let mut found = rows.iter().map(stored_contact).collect::<Result<Vec<_>, _>>()?;
    // Two numbers of the CRM are two people, though they share an address.
    found.retain(|known| known.external_id.is_none() || new.external_id.is_none());
    if found.iter().any(|known| !known.merged) {
        found.retain(|known| !known.merged);
    } else {
        found.truncate(1);
    }
    match found.len() {
        0 => Ok(Found::Nobody),
        1 => Ok(Found::One(Box::new(found.remove(0)))),
        _ => Ok(Found::Several),
    }
}

fn stored_contact(row: &sqlx::any::AnyRow) -> Result<StoredContact, StoreError> {
    Ok(StoredContact {
        id: row.text("id")?,
        name: row.text("name")?,
        email: row.maybe_text("email")?,
        phone: row.maybe_text("phone")?,
        external_id: row.maybe_text("external_id")?,
        company: row.maybe_text("company")?,
        fields: row.json("fields")?,
        merged: row.maybe_text("merged_into")?.is_some(),
        search_row: row.maybe_number("search_row")?,
    })
}

async fn insert_contact(tx: &mut Tx, new: &NewContact, now: Timestamp) -> Result<String, StoreError> {
    let id = ContactId::new(now).to_string();
    let either = [&new.name, &new.email, &new.phone, &new.external_id];
    let name = either.into_iter().flatten().next().cloned().unwrap_or_default();
    let search_row = tx.next_row(Index::Contacts).await?;
    sqlx::query(
        "INSERT INTO contacts (id, name, sort_key, email, phone, external_id, company, fields, search_row, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(id.as_str())
    .bind(name.as_str())
    .bind(sort_key(&name))
    .bind(new.email.as_deref())
    .bind(new.phone.as_deref())
    .bind(new.external_id.as_deref())
    .bind(new.company.as_deref())
    .bind(serde_json::to_string(&new.fields).unwrap_or_default())
    .bind(search_row)
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    put_handles(tx, &id, &new.handles).await?;
    let document = document(&name, new.email.as_deref(), new.company.as_deref(), new.external_id.as_deref());
    tx.index(Index::Contacts, &[Entry { subject_id: &id, row: search_row, document: &document }]).await?;
    Ok(id)
}

/// Returns whether any of them is new.
async fn put_handles(tx: &mut Tx, contact_id: &str, handles: &[(Network, String)]) -> Result<bool, StoreError> {
    let changed = tx
        .insert(
            "INSERT INTO contact_handles (contact_id, network, handle)",
            "(?, ?, ?)",
            "ON CONFLICT (network, handle, contact_id) DO NOTHING",
            handles,
            |query, (network, handle)| query.bind(contact_id).bind(network.as_str()).bind(handle.as_str()),
        )
        .await?;
    Ok(changed > 0)
}

/// What a contact is found by.
pub(in crate::store) fn document(
    name: &str,
    email: Option<&str>,
    company: Option<&str>,
    external_id: Option<&str>,
) -> String {
    let parts = [Some(name), email, company, external_id];
    words(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// A name's place in the Turkish alphabet (c ç d … h ı i j …), as hexadecimal digits, which both databases sort alike. Our
/// own, since a stored key must not change its meaning with a library's version.
pub(in crate::store) fn sort_key(name: &str) -> String {
    const ALPHABET: &str = "0123456789aâbcçdefgğhıiîjklmnoöpqrsştuûüvwxyz";
    let mut key = String::new();
    let mut place = |character: char| {
        let found = ALPHABET.chars().position(|letter| letter == character);
        match found {
            Some(found) => key.push_str(&format!("{:02x}", found + 0x10)),
            // Other scripts after the alphabet, in the order of Unicode.
            None if character.is_alphanumeric() => key.push_str(&format!("f{:06x}", u32::from(character))),
            None => key.push_str("00"),
        }
    };
    for character in fold_case(name.trim(), "tr").chars().take(LONGEST_SORT_KEY) {
        match ALPHABET.contains(character) {
            true => place(character),
            // é among the e, à among the a.
            false => search_fold(character.encode_utf8(&mut [0; 4])).chars().for_each(&mut place),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_the_turkish_alphabet() {
        let names = [
            "3M",
            "Ali",
            "Âlim",
            "Cem",
            "Çağla",
            "Deniz",
            "Gül",
            "Ğ",
            "Hande",
            "Işık",
            "İbrahim",
            "Jale",
            "Ozan",
            "Öykü",
            "Selin",
            "Şule",
            "Uğur",
            "Ümit",
            "Zeynep",
            "Ελένη",
            "Ольга",
            "山田",
        ];
        let mut sorted = names;
        sorted.sort_by_key(|name| sort_key(name));
        assert_eq!(sorted, names);
        assert_eq!(sort_key("IŞIK"), sort_key("ışık"));
        assert_eq!(sort_key("İBRAHİM"), sort_key("ibrahim"));
        assert_ne!(sort_key("ısı"), sort_key("isi"));
        assert!(sort_key("Ali Can") < sort_key("Alican"), "a shorter first name stands first");
        assert!(sort_key(&"山".repeat(10_000)).len() <= 512, "an index entry has a bound");
    }
}

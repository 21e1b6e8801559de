//! Contacts, the evidence that links authors to them, and merges.

use muhatap::contacts::{email, phone};
use muhatap::model::{ContactId, Network};
use muhatap::store::contacts::{NewContact, Put};
use muhatap::store::people::{ContactFilter, LinkView};
use muhatap::store::{Store, StoreError};
use muhatap_connectors::{Change, Incoming};
use rstest::rstest;

use crate::support::messages::{account, author, batch, lease, message};
use crate::support::{Backend, fresh_store};

fn contact(name: &str, email_address: &str) -> NewContact {
    NewContact { name: Some(name.to_owned()), email: email(email_address), ..NewContact::default() }
}

async fn put(store: &Store, contacts: &[NewContact]) -> Vec<Put> {
    store.put_contacts(contacts).await.expect("contacts can be put")
}

async fn names(store: &Store, search: Option<&str>) -> Vec<String> {
    let filter = ContactFilter { search: search.map(str::to_owned), ..ContactFilter::default() };
    store.contacts(&filter).await.expect("contacts can be read").into_iter().map(|contact| contact.name).collect()
}

async fn id_of(store: &Store, name: &str) -> ContactId {
    let all = store.contacts(&ContactFilter::default()).await.expect("contacts can be read");
    all.iter().find(|contact| contact.name == name).unwrap_or_else(|| panic!("{name} is there")).id
}

/// A message of an author of its own.
fn said(number: u32, handle: &str, text: &str) -> Change {
    let incoming = message(&format!("https://n/{number}"), text);
    Change::Seen(Incoming { author: author(&format!("https://n/users/{handle}"), handle), ..incoming })
}

async fn hear(store: &Store, changes: Vec<Change>) -> usize {
    let accounts = store.accounts().await.expect("accounts can be read");
    let destek = match accounts.first() {
        Some(account) => account.id,
        None => account(store, "destek", Network::Mastodon).await,
    };
    let lease = lease(store, destek).await;
    store.record(&lease, &batch(changes)).await.expect("it is held").linked
}

async fn link_of(store: &Store, handle: &str) -> Option<LinkView> {
    let filter = muhatap::store::inbox::MentionFilter::default();
    let mentions = store.mentions(&filter).await.expect("mentions can be read");
    let author = mentions.iter().find(|mention| mention.author.handle == handle).expect("the author spoke").author.id;
    store.link_of_author(author).await.expect("links can be read")
}

#[rstest]
#[tokio::test]
async fn the_same_external_id_or_address_is_the_same_contact(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let numbered = |name: &str, number: &str, address: &str| NewContact {
        external_id: Some(number.to_owned()),
        ..contact(name, address)
    };
    let first = [numbered("Ayşe Yılmaz", "1", "ayse@ornek.com"), contact("Işık Ltd", "info@isik.com")];
    assert_eq!(put(&store, &first).await, [Put::New, Put::New]);
    assert_eq!(put(&store, &first).await, [Put::Known, Put::Known]);
    let again = [
        numbered("Ayşe Demir", "1", "ayse@ornek.com"),
        NewContact { phone: Some("+902121234567".to_owned()), ..contact("Işık Ltd", "INFO@isik.com") },
        numbered("Kardeşi", "2", "ayse@ornek.com"),
    ];
    assert_eq!(put(&store, &again).await, [Put::Updated, Put::Updated, Put::New], "two numbers are two people");
    let ayse = store.contact(id_of(&store, "Ayşe Demir").await).await.expect("she is there");
    assert_eq!(ayse.email.as_deref(), Some("ayse@ornek.com"));
    assert!(names(&store, Some("yılmaz")).await.is_empty(), "the former name is no longer found");
    assert_eq!(names(&store, Some("ISIK")).await, ["Işık Ltd"]);
    assert_eq!(store.contact_count().await.expect("they can be counted"), 3);
}

#[rstest]
#[tokio::test]
async fn a_contact_is_found_by_the_beginning_of_its_phone_number(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let with = |name: &str, number: &str| NewContact { phone: phone(number), ..contact(name, "") };
    put(&store, &[with("Çağla", "0532 123 45 67"), with("Deniz", "0533 123 45 67"), with("Jonas", "+49 151 23456789")])
        .await;
    for typed in ["05321234567", "+90 532 123 45 67", "(0532)", "532 123", "00905321234567", "905321234567"] {
        assert_eq!(names(&store, Some(typed)).await, ["Çağla"], "{typed}");
    }
    assert_eq!(names(&store, Some("053")).await, ["Çağla", "Deniz"]);
    assert_eq!(names(&store, Some("49151")).await, ["Jonas"]);
    assert!(names(&store, Some("0534")).await.is_empty());
    assert!(names(&store, Some("1234567")).await.is_empty(), "the end of a number is not its beginning");
}

#[rstest]
#[tokio::test]
async fn contacts_stand_in_turkish_order_page_after_page(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let expected = ["Cem", "Çağla", "Ali Can", "Işıl", "İpek", "Jale", "Öykü", "Ozan", "Şule", "Selin", "Zeynep"];
    let contacts: Vec<_> =
        expected.iter().map(|name| NewContact { name: Some((*name).to_owned()), ..NewContact::default() }).collect();
    put(&store, &contacts).await;
    let mut read = Vec::new();
    let mut filter = ContactFilter { limit: 3, ..ContactFilter::default() };
    loop {
        let page = store.contacts(&filter).await.expect("contacts can be read");
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id);
        read.extend(page.into_iter().map(|contact| contact.name));
    }
    assert_eq!(read, ["Ali Can", "Cem", "Çağla", "Işıl", "İpek", "Jale", "Ozan", "Öykü", "Selin", "Şule", "Zeynep"]);
}

#[rstest]
#[tokio::test]
async fn evidence_in_a_message_links_its_author_and_a_name_never_does(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let phone = NewContact {
        name: Some("Ali Kaya".to_owned()),
        phone: Some("+905321234567".to_owned()),
        handles: vec![(Network::Mastodon, "kaya@ornek.example".to_owned())],
        ..NewContact::default()
    };
    put(&store, &[contact("Ayşe Yılmaz", "ayse@ornek.com"), phone]).await;
    let linked = hear(
        &store,
        vec![
            said(1, "a1", "bana Ayse@Ornek.com adresinden yazın"),
            said(2, "a2", "numaram 0532 123 45 67"),
            said(3, "Kaya@ornek.example", "merhaba"),
            said(4, "ayse.yilmaz", "Ben Ayşe Yılmaz"),
        ],
    )
    .await;
    assert_eq!(linked, 3);
    let ayse = link_of(&store, "a1").await.expect("she gave her address");
    assert_eq!(ayse.contact.name, "Ayşe Yılmaz");
    assert_eq!((ayse.evidence[0].kind.as_str(), ayse.evidence[0].value.as_str()), ("email", "ayse@ornek.com"));
    assert!(ayse.evidence[0].mention_id.is_some() && ayse.score > 0.9 && ayse.linked_by == "evidence");
    assert_eq!(link_of(&store, "a2").await.expect("he gave his number").contact.name, "Ali Kaya");
    assert_eq!(link_of(&store, "Kaya@ornek.example").await.expect("the CRM knows him").evidence[0].kind, "handle");
    assert_eq!(link_of(&store, "ayse.yilmaz").await, None, "a name is no evidence");
}

#[rstest]
#[tokio::test]
async fn evidence_that_fits_two_contacts_links_neither(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let phone = |name: &str, number: &str| NewContact {
        name: Some(name.to_owned()),
        phone: Some(number.to_owned()),
        ..NewContact::default()
    };
    let contacts = [
        phone("Ev", "+902121112233"),
        phone("İş", "+902121112233"),
        phone("Ali", "+905321234567"),
        contact("Veli", "veli@ornek.com"),
    ];
    put(&store, &contacts).await;
    let both = "0532 123 45 67 ya da veli@ornek.com";
    assert_eq!(hear(&store, vec![said(1, "a1", "0212 111 22 33"), said(2, "a2", both)]).await, 0);
}

#[rstest]
#[tokio::test]
async fn what_a_person_undid_evidence_does_not_do_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    put(&store, &[contact("Ayşe", "ayse@ornek.com"), contact("Fatma", "fatma@ornek.com")]).await;
    assert_eq!(hear(&store, vec![said(1, "a1", "ayse@ornek.com")]).await, 1);
    let link = link_of(&store, "a1").await.expect("it is linked");
    store.unlink(link.author.id, "test").await.expect("it can be undone");
    assert_eq!(hear(&store, vec![said(2, "a1", "yine ben: ayse@ornek.com")]).await, 0);
    assert_eq!(link_of(&store, "a1").await, None);
    let twice = store.unlink(link.author.id, "test").await;
    assert!(matches!(twice, Err(StoreError::NotFound(_))));

    let fatma = id_of(&store, "Fatma").await;
    store.link(link.author.id, fatma, "test").await.expect("a person may say so");
    store.link(link.author.id, fatma, "test").await.expect("and say it again");
    let link = link_of(&store, "a1").await.expect("it is linked");
    assert_eq!((link.contact.name.as_str(), link.evidence[0].kind.as_str()), ("Fatma", "person"));
    let ayse = store.contact(id_of(&store, "Ayşe").await).await.expect("she is there");
    assert!(ayse.links[0].undone_at.is_some(), "the undone link stays on record");
}

#[rstest]
#[tokio::test]
async fn contacts_that_come_later_find_the_authors_that_were_there(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    hear(&store, vec![said(1, "a1", "bana 0532 123 45 67'den ulaşın"), said(2, "a2", "merhaba")]).await;
    let ali =
        NewContact { name: Some("Ali".to_owned()), phone: Some("+905321234567".to_owned()), ..NewContact::default() };
    put(&store, &[ali]).await;
    assert_eq!(store.link_known_authors().await.expect("authors can be linked"), 1);
    assert_eq!(store.link_known_authors().await.expect("authors can be linked"), 0);
    assert_eq!(link_of(&store, "a1").await.expect("he gave his number").contact.name, "Ali");
}

#[rstest]
#[tokio::test]
async fn a_merge_can_be_undone_exactly(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let with = |mut contact: NewContact, key: &str, value: &str| {
        contact.fields.insert(key.to_owned(), value.to_owned());
        contact
    };
    let kept = with(contact("Ayşe Yılmaz", "ayse@ornek.com"), "şehir", "İzmir");
    let mut merged = with(contact("A. Yılmaz", "a.yilmaz@is.com"), "şehir", "Manisa");
    merged.fields.insert("segment".to_owned(), "gold".to_owned());
    merged.phone = Some("+905321234567".to_owned());
    put(&store, &[kept, merged]).await;
    let linked = hear(&store, vec![said(1, "a1", "ayse@ornek.com"), said(2, "a2", "a.yilmaz@is.com")]).await;
    assert_eq!(linked, 2);
    let (one, two) = (id_of(&store, "Ayşe Yılmaz").await, id_of(&store, "A. Yılmaz").await);
    let state = async || {
        let sides = [store.contact(one).await.expect("it is there"), store.contact(two).await.expect("it is there")];
        sides.map(|side| {
            let links: Vec<_> = side.links.iter().map(|link| (link.id, link.undone_at)).collect();
            (side.name, side.email, side.phone, side.company, side.fields, side.merged_into, links)
        })
    };
    let before = state().await;

    let merge = store.merge(one, two, "test").await.expect("they can be merged");
    let whole = store.contact(one).await.expect("it is there");
    assert_eq!(whole.links.len(), 2);
    assert_eq!(whole.phone.as_deref(), Some("+905321234567"));
    assert_eq!(whole.fields.get("şehir").map(String::as_str), Some("İzmir"));
    assert_eq!(whole.fields.get("segment").map(String::as_str), Some("gold"));
    assert_eq!(names(&store, None).await, ["Ayşe Yılmaz"]);
    assert!(names(&store, Some("is.com")).await.is_empty());
    assert!(matches!(store.merge(one, two, "test").await, Err(StoreError::Conflict(_))));
    assert_eq!(hear(&store, vec![said(3, "a3", "yeni hesabım, a.yilmaz@is.com")]).await, 1);
    assert_eq!(link_of(&store, "a3").await.expect("it follows the merge").contact.id, one);
    assert_eq!(put(&store, &[contact("A. Yılmaz", "a.yilmaz@is.com")]).await, [Put::Known], "and so does an import");

    let third = link_of(&store, "a3").await.expect("it is linked");
    store.unmerge(merge, "test").await.expect("it can be undone");
    store.unmerge(merge, "test").await.expect("and again, without effect");
    assert_eq!(link_of(&store, "a3").await.expect("it came after the merge").contact.id, one);
    store.unlink(third.author.id, "test").await.expect("it can be undone");
    let mut after = state().await;
    after[0].6.retain(|(id, _)| *id != third.id);
    assert_eq!(after, before);
    assert_eq!(names(&store, Some("is.com")).await, ["A. Yılmaz"]);
}

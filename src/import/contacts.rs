//! `muhatap import contacts`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muhatap_connectors::networks::file::Format;
use serde_json::{Map, Value};

use super::{CHUNK, Counted, ImportError, Imported, Told, about};
use crate::contacts::{email, handle, phone};
use crate::model::Network;
use crate::store::Store;
use crate::store::contacts::{NewContact, Put};

/// A longer line is reported instead of read.
const LONGEST_LINE: u64 = 1024 * 1024;
/// The longest value that is kept, in characters.
const LONGEST_VALUE: usize = 500;

/// How a file of contacts is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactsReading {
    pub format: Format,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Name,
    FirstName,
    LastName,
    Email,
    Phone,
    ExternalId,
    Company,
    Handle(Network),
    /// Kept beside, under its own name.
    Other(String),
}

/// Where imported contacts go.
#[derive(Clone, Copy)]
pub enum ContactsTo<'s> {
    Store(&'s Store),
    /// Compared with what is stored, a chunk at a time, and not written; where there is no database yet, all are new.
    DryRun(Option<&'s Store>),
}

/// Reads contacts and puts them into the store: the same external id, or else the same e-mail address, is the same contact. Afterwards the
/// authors known so far are linked where the new contacts give evidence.
pub async fn import_contacts<R: Read + Send + 'static>(
    input: R,
    size: Option<u64>,
    reading: ContactsReading,
    to: ContactsTo<'_>,
    mut tell: impl FnMut(Told<'_>),
) -> Result<Imported, ImportError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let input = Counted { input, read: bytes.clone() };
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Result<Vec<Row>, ImportError>>(2);
    let reader = tokio::task::spawn_blocking(move || {
        let read = match reading.format {
            Format::JsonLines => read_json(input, &mut |rows| sender.blocking_send(Ok(rows)).is_ok()),
            Format::Csv => read_csv(input, &mut |rows| sender.blocking_send(Ok(rows)).is_ok()),
        };
        if let Err(error) = read {
            let _ = sender.blocking_send(Err(error));
        }
    });
    let mut imported = Imported::default();
    while let Some(rows) = receiver.recv().await {
        let (mut lines, mut contacts) = (Vec::new(), Vec::new());
        for row in rows? {
            imported.read += 1;
            match row.contact {
                Ok(contact) => {
                    lines.push(row.line);
                    contacts.push(contact);
                }
                Err(reason) => {
                    imported.bad += 1;
                    tell(Told::Bad { line: row.line, reason: &reason });
                }
            }
        }
        let outcomes = match to {
            ContactsTo::Store(store) => store.put_contacts(&contacts).await?,
            ContactsTo::DryRun(Some(store)) => store.rehearse_contacts(&contacts).await?,
            ContactsTo::DryRun(None) => vec![Put::New; contacts.len()],
        };
        for (put, line) in outcomes.into_iter().zip(lines) {
            match put {
                Put::New => imported.new += 1,
                Put::Updated => imported.updated += 1,
                Put::Known => imported.known += 1,
                Put::Refused(reason) => {
                    imported.bad += 1;
                    tell(Told::Bad { line, reason: &reason });
                }
            }
        }
        tell(Told::Done { lines: imported.read, all: about(imported.read, bytes.load(Ordering::Relaxed), size) });
    }
    reader.await.expect("reading a file never panics");
    if let ContactsTo::Store(store) = to
        && imported.new + imported.updated > 0
    {
        imported.linked = store.link_known_authors().await?;
    }
    Ok(imported)
}

struct Row {
    line: u64,
    contact: Result<NewContact, String>,
}

fn read_json(input: impl Read, send: &mut dyn FnMut(Vec<Row>) -> bool) -> Result<(), ImportError> {
    let mut input = BufReader::new(input);
    let mut rows = Vec::new();
    let mut line = 0;
    loop {
        let mut bytes = Vec::new();
        let length = (&mut input)
            .take(LONGEST_LINE + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| ImportError::Unfit(format!("the file cannot be read further: {error}")))?;
        if length == 0 {
            break;
        }
        line += 1;
        if length as u64 > LONGEST_LINE && bytes.last() != Some(&b'\n') {
            skip_line(&mut input)?;
            rows.push(Row { line, contact: Err(format!("it is longer than {LONGEST_LINE} bytes")) });
            continue;
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").filter(|_| line == 1).unwrap_or(&bytes);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let contact = serde_json::from_slice::<Map<String, Value>>(bytes)
            .map_err(|error| format!("not a JSON object: {error}"))
            .and_then(|object| contact(object.into_iter().flat_map(|(key, value)| cells(key, value))));
        rows.push(Row { line, contact });
        if rows.len() == CHUNK && !send(std::mem::take(&mut rows)) {
            return Ok(());
        }
    }
    send(rows);
    Ok(())
}

fn skip_line(input: &mut impl BufRead) -> Result<(), ImportError> {
    input
        .skip_until(b'\n')
        .map(drop)
        .map_err(|error| ImportError::Unfit(format!("the file cannot be read further: {error}")))
}

/// One key of a JSON contact; handles may be an object of their own.
fn cells(key: String, value: Value) -> Vec<(Column, String)> {
    match value {
        Value::String(text) => vec![(column(&key), text)],
        Value::Number(number) => vec![(column(&key), number.to_string())],
        Value::Bool(flag) => vec![(column(&key), flag.to_string())],
        Value::Object(inner) if matches!(fold(&key).as_str(), "handles" | "social" | "fields") => {
            inner.into_iter().flat_map(|(key, value)| cells(key, value)).collect()
        }
        Value::Null => Vec::new(),
        other => vec![(Column::Other(key), other.to_string())],
    }
}

fn read_csv(input: impl Read, send: &mut dyn FnMut(Vec<Row>) -> bool) -> Result<(), ImportError> {
    let mut input = BufReader::new(input);
    let start = input.fill_buf().map_err(|error| ImportError::Unfit(format!("the file cannot be read: {error}")))?;
    if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
        return Err(ImportError::Unfit("the file is UTF-16; save it as UTF-8 (CSV UTF-8)".into()));
    }
    let first_line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = [b';', b'\t', b','].into_iter().max_by_key(|mark| {
        let count = first_line.iter().filter(|byte| *byte == mark).count();
        // A comma wins where nothing is found.
        (count, *mark == b',')
    });
    let bom = start.starts_with(b"\xEF\xBB\xBF");
    if bom {
        input.consume(3);
    }
    let mut records = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        // With \r\n as one end, the numbers of lines would be one too small; blanks at the ends of cells go anyway.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(input);
    let unfit = |error: csv::Error| ImportError::Unfit(format!("the header cannot be read: {error}"));
    let headers: Vec<Column> = records.headers().map_err(unfit)?.iter().map(column).collect();
    let says_who = |column: &Column| !matches!(column, Column::Company | Column::Handle(_) | Column::Other(_));
    if !headers.iter().any(says_who) {
        return Err(ImportError::Unfit(
            "no column of the header is a name, an e-mail, a phone or an external id (ad, e-posta, telefon, müşteri no)"
                .into(),
        ));
    }
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        let line = records.position().line();
        let contact = match records.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) if record.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) => continue,
            Ok(true) if record.len() > headers.len() => {
                Err(format!("it has {} fields, the header names {}", record.len(), headers.len()))
            }
            Ok(true) => headers
                .iter()
                .zip(record.iter())
                .map(|(column, cell)| match std::str::from_utf8(cell) {
                    Ok(text) => Ok((column.clone(), text.to_owned())),
                    Err(_) => Err("it is not UTF-8; save the file as UTF-8".to_owned()),
                })
                .collect::<Result<Vec<_>, _>>()
                .and_then(contact),
            Err(error) if error.is_io_error() => {
                return Err(ImportError::Unfit(format!("the file cannot be read further: {error}")));
            }
            Err(error) => Err(error.to_string()),
        };
        let line = record.position().map_or(line, csv::Position::line);
        rows.push(Row { line, contact });
        if rows.len() == CHUNK && !send(std::mem::take(&mut rows)) {
            return Ok(());
        }
    }
    send(rows);
    Ok(())
}

/// The column that a header in Turkish or English names.
fn column(header: &str) -> Column {
    let folded = fold(header);
    match folded.as_str() {
        "name" | "fullname" | "adsoyad" | "adisoyadi" | "adivesoyadi" | "isim" | "isimsoyisim" | "musteri"
        | "musteriadi" | "unvan" | "contact" | "contactname" | "customername" => Column::Name,
        "firstname" | "givenname" | "ad" | "adi" => Column::FirstName,
        "lastname" | "surname" | "familyname" | "soyad" | "soyadi" | "soyisim" => Column::LastName,
        "email" | "emailaddress" | "mail" | "eposta" | "epostaadresi" | "mailadresi" => Column::Email,
        "phone" | "phonenumber" | "mobile" | "mobilephone" | "gsm" | "tel" | "telefon" | "telefonno"
        | "telefonnumarasi" | "cep" | "ceptelefonu" | "ceptel" => Column::Phone,
        "externalid" | "id" | "crmid" | "customerid" | "customerno" | "customernumber" | "musterino" | "musteriid"
        | "musterinumarasi" | "carikod" | "carikodu" | "kayitno" => Column::ExternalId,
        "company" | "organization" | "organisation" | "account" | "firma" | "sirket" | "kurum" => Column::Company,
        other => match Network::from_str(other.strip_suffix("handle").unwrap_or(other)) {
            Ok(network) => Column::Handle(network),
            Err(_) => Column::Other(header.trim().to_owned()),
        },
    }
}

fn fold(header: &str) -> String {
    crate::analyze::tokens::search_fold(header).chars().filter(|character| character.is_alphanumeric()).collect()
}

/// A contact of one row's cells, each value checked.
fn contact(cells: impl IntoIterator<Item = (Column, String)>) -> Result<NewContact, String> {
    let mut new = NewContact::default();
    let (mut first, mut last) = (String::new(), String::new());
    let mut fields = BTreeMap::new();
    for (column, text) in cells {
        let text: String = text.trim().replace('\0', "\u{FFFD}").chars().take(LONGEST_VALUE).collect();
        if text.is_empty() {
            continue;
        }
        match column {
            Column::Name => new.name = Some(text),
            Column::FirstName => first = text,
            Column::LastName => last = text,
            Column::Email => match email(&text) {
                Some(email) => new.email = Some(email),
                None => return Err(format!("{text:?} is not an e-mail address")),
            },
            Column::Phone => match phone(&text) {
                Some(phone) => new.phone = Some(phone),
                None => return Err(format!("{text:?} is not a phone number; write it with its country, as +90…")),
            },
            Column::ExternalId if text.len() > 200 => return Err("its external id is longer than 200 bytes".into()),
            Column::ExternalId => new.external_id = Some(text),
            Column::Company => new.company = Some(text),
            Column::Handle(network) => new.handles.push((network, handle(&text))),
            Column::Other(name) => {
                fields.insert(name, text);
            }
        }
    }
    let whole = format!("{first} {last}").trim().to_owned();
    new.name = new.name.or((!whole.is_empty()).then_some(whole));
    new.fields = fields;
    let says_who = [&new.name, &new.email, &new.phone, &new.external_id].into_iter().any(Option::is_some);
    if !says_who {
        return Err("it has neither a name nor an e-mail, a phone or an external id".into());
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &str) -> Vec<(u64, Result<NewContact, String>)> {
        let mut all = Vec::new();
        let mut keep = |rows: Vec<Row>| {
            all.extend(rows.into_iter().map(|row| (row.line, row.contact)));
            true
        };
        match format {
            Format::Csv => read_csv(text.as_bytes(), &mut keep),
            Format::JsonLines => read_json(text.as_bytes(), &mut keep),
        }
        .expect("the file is fit");
        all
    }

    #[test]
    fn a_turkish_spreadsheet_is_read_as_it_is_saved() {
        let rows = read(
            Format::Csv,
            "\u{FEFF}Müşteri No;Ad;Soyad;E-Posta;Cep Telefonu;Firma;Mastodon;Şehir\r\n\
             1001;Ayşe;Yılmaz;Ayse@Ornek.com;0532 123 45 67;\"Örnek; A.Ş.\";@Ayse@ornek.example;İzmir\r\n\
             1002;Ali;;ali@;;;;\r\n",
        );
        let ayse = rows[0].1.as_ref().expect("it is sound");
        assert_eq!(ayse.name.as_deref(), Some("Ayşe Yılmaz"));
        assert_eq!(ayse.email.as_deref(), Some("ayse@ornek.com"));
        assert_eq!(ayse.phone.as_deref(), Some("+905321234567"));
        assert_eq!(ayse.company.as_deref(), Some("Örnek; A.Ş."));
        assert_eq!(ayse.handles, [(Network::Mastodon, "ayse@ornek.example".to_owned())]);
        assert_eq!(ayse.fields.get("Şehir").map(String::as_str), Some("İzmir"));
        assert_eq!(rows[1].0, 3);
        assert!(rows[1].1.as_ref().is_err_and(|reason| reason.contains("e-mail")));
    }

    #[test]
    fn json_lines_may_nest_handles_and_one_bad_line_costs_one_line() {
        let rows = read(
            Format::JsonLines,
            "{\"id\": 7, \"name\": \"Ali\", \"handles\": {\"bluesky\": \"ali.example\"}, \"vip\": true}\n\nnonsense\n{\"city\": \"Van\"}\n",
        );
        let ali = rows[0].1.as_ref().expect("it is sound");
        assert_eq!(ali.external_id.as_deref(), Some("7"));
        assert_eq!(ali.handles, [(Network::Bluesky, "ali.example".to_owned())]);
        assert_eq!(ali.fields.get("vip").map(String::as_str), Some("true"));
        assert_eq!((rows[1].0, rows[1].1.is_err()), (3, true));
        assert_eq!((rows[2].0, rows[2].1.is_err()), (4, true));
    }

    #[test]
    fn a_file_without_anyone_in_it_is_refused() {
        let refused = read_csv("şehir;ilçe\nVan;Edremit\n".as_bytes(), &mut |_| true);
        assert!(refused.is_err_and(|error| error.to_string().contains("no column")));
    }
}

//! Mentions from JSON lines and CSV files.
//!
//! Read as a stream, so a file may be larger than memory. A line that cannot be read is reported with its number and the
//! rest goes on.

mod rows;
mod times;

use std::collections::HashMap;
use std::io::{self, Read};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::incoming::{Author, Incoming, Kind, MAX_NAME, MAX_TEXT, Media, clean};
use crate::outgoing::Visibility;
use rows::Lines;

/// A message may be so much younger than now.
const FUTURE_AT_MOST: SignedDuration = SignedDuration::from_hours(24);

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    JsonLines,
    Csv,
}

impl Format {
    /// The format by a file's name: `.csv`, `.tsv` and `.txt` hold CSV, all else JSON lines.
    pub fn of(name: &str) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv" | "tsv" | "txt") => Self::Csv,
            _ => Self::JsonLines,
        }
    }
}

/// What a column or key can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Id,
    Text,
    Author,
    AuthorId,
    AuthorName,
    PublishedAt,
    Url,
    Network,
    Language,
    Rating,
    InReplyTo,
    Thread,
    Followers,
}

impl Field {
    /// Every field, the name a mapping gives it, and the headers it is known by, folded.
    const ALL: [(Field, &'static str, &'static [&'static str]); 13] = [
        (
            Self::Id,
            "id",
            &[
                "id",
                "remoteid",
                "messageid",
                "mentionid",
                "postid",
                "tweetid",
                "commentid",
                "kimlik",
                "mesajid",
                "gonderiid",
                "yorumid",
                "no",
            ],
        ),
        (
            Self::Text,
            "text",
            &[
                "text",
                "message",
                "content",
                "body",
                "comment",
                "review",
                "tweet",
                "post",
                "fulltext",
                "metin",
                "mesaj",
                "icerik",
                "yorum",
                "sikayet",
                "gonderi",
                "degerlendirme",
            ],
        ),
        (
            Self::Author,
            "author",
            &[
                "author",
                "handle",
                "username",
                "user",
                "screenname",
                "authorhandle",
                "authorusername",
                "from",
                "yazar",
                "kullanici",
                "kullaniciadi",
                "gonderen",
                "hesap",
            ],
        ),
        (
            Self::AuthorId,
            "author_id",
            &["authorid", "userid", "authorremoteid", "yazarid", "kullaniciid", "gonderenid"],
        ),
        (
            Self::AuthorName,
            "author_name",
            &[
                "authorname",
                "name",
                "displayname",
                "authordisplayname",
                "fullname",
                "ad",
                "isim",
                "adsoyad",
                "adisoyadi",
                "gorunenad",
                "yazaradi",
                "musteri",
            ],
        ),
        (
            Self::PublishedAt,
            "published_at",
            &[
                "publishedat",
                "date",
                "datetime",
                "time",
                "timestamp",
                "createdat",
                "created",
                "postedat",
                "tarih",
                "zaman",
                "tarihsaat",
                "saat",
                "yayintarihi",
                "olusturmatarihi",
                "olusturulmatarihi",
            ],
        ),
        (Self::Url, "url", &["url", "link", "permalink", "href", "adres", "baglanti"]),
        (Self::Network, "network", &["network", "source", "platform", "channel", "ag", "kaynak", "kanal", "mecra"]),
        (Self::Language, "language", &["language", "lang", "locale", "dil"]),
        (Self::Rating, "rating", &["rating", "stars", "score", "puan", "yildiz"]),
        (
            Self::InReplyTo,
            "in_reply_to",
            &["inreplyto", "inreplytoid", "replyto", "parentid", "parent", "yanit", "yanitlanan", "yanitlananid"],
        ),
        (Self::Thread, "thread", &["thread", "threadid", "conversation", "conversationid", "konusma", "konusmaid"]),
        (Self::Followers, "followers", &["followers", "followerscount", "takipci", "takipcisayisi"]),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own, _)| *own == name).map(|(field, ..)| *field)
    }

    fn known_as(header: &str) -> Option<Self> {
        let folded = fold(header);
        Self::ALL.iter().find(|(_, _, headers)| headers.contains(&folded.as_str())).map(|(field, ..)| *field)
    }
}

/// Lower case without Turkish marks, blanks and punctuation: `Kullanıcı Adı` and `kullanici_adi` are one header.
fn fold(header: &str) -> String {
    header
        .chars()
        .flat_map(char::to_lowercase)
        .filter_map(|character| match character {
            'ç' => Some('c'),
            'ğ' => Some('g'),
            'ı' => Some('i'),
            'ö' => Some('o'),
            'ş' => Some('s'),
            'ü' => Some('u'),
            _ if character.is_alphanumeric() => Some(character),
            _ => None,
        })
        .collect()
}

/// Which header holds which field, where the file's own names are not known ones.
#[derive(Debug, Clone, Default)]
pub struct Columns(Vec<(Field, String)>);

impl Columns {
    /// Reads `text=Müşteri mesajı,author=Hesap`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut columns = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let Some((name, header)) = pair.split_once('=') else {
                return Err(format!("column {:?} has no \"=\"; write it like text=Message", pair.trim()));
            };
            let Some(field) = Field::named(name.trim()) else {
                let known: Vec<_> = Field::ALL.iter().map(|(_, name, _)| *name).collect();
                return Err(format!("unknown field {:?}; known are {}", name.trim(), known.join(", ")));
            };
            columns.push((field, header.trim().to_owned()));
        }
        Ok(Self(columns))
    }

    /// The field of `header`; what was named outright goes before what is guessed.
    fn field_of(&self, header: &str) -> Option<Field> {
        let header = header.trim();
        let named = self.0.iter().find(|(_, own)| own == header).map(|(field, _)| *field);
        named.or_else(|| Field::known_as(header).filter(|field| self.0.iter().all(|(taken, _)| taken != field)))
    }
}

/// How a file is read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub format: Format,
    pub columns: Columns,
    /// Of times without an offset.
    pub zone: TimeZone,
    /// For messages without a time; and those with a later one are mistakes.
    pub now: Timestamp,
}

/// A message read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub line: u64,
    /// The network the file says it is from.
    pub network: Option<String>,
    pub incoming: Incoming,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    pub line: u64,
    pub raw: String,
    pub reason: String,
}

/// Why a file cannot be read at all, or not further.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{0}")]
    Unfit(String),
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Opens a file for reading; a CSV's header is read and checked here.
pub fn read<R: Read>(input: R, reading: Reading) -> Result<Records<R>, FileError> {
    let mut lines = Lines::new(input);
    let (delimiter, header) = match reading.format {
        Format::JsonLines => (b',', Vec::new()),
        Format::Csv => read_header(&mut lines, &reading.columns)?,
    };
    Ok(Records { lines, reading, delimiter, header, keys: HashMap::new(), alike: HashMap::new(), ended: false })
}

fn read_header<R: Read>(lines: &mut Lines<R>, columns: &Columns) -> Result<(u8, Vec<Option<Field>>), FileError> {
    let Some(line) = lines.next()? else {
        return Err(FileError::Unfit("the file is empty; its first line must name the columns".to_owned()));
    };
    if line.bytes.starts_with(&[0xFF, 0xFE]) || line.bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(FileError::Unfit("the file is UTF-16; save it as UTF-8 (CSV UTF-8)".to_owned()));
    }
    if std::str::from_utf8(&line.bytes).is_err() {
        let reason = "the names of the columns are not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)";
        return Err(FileError::Unfit(reason.to_owned()));
    }
    let delimiter = rows::delimiter_of(&line.bytes);
    let names: Vec<String> = rows::fields(&line.bytes, delimiter)
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    let mut taken = Vec::new();
    let header: Vec<Option<Field>> = names
        .iter()
        .map(|name| {
            // Of two columns with the same meaning the first counts.
            let field = columns.field_of(name).filter(|field| !taken.contains(field));
            taken.extend(field);
            field
        })
        .collect();
    if let Some((_, missing)) = columns.0.iter().find(|(_, own)| !names.contains(own)) {
        return Err(FileError::Unfit(format!("there is no column {missing:?}; the header names {}", quoted(&names))));
    }
    if !taken.contains(&Field::Text) {
        return Err(FileError::Unfit(format!(
            "no column holds the text; the header names {}; say which one with text=COLUMN",
            quoted(&names)
        )));
    }
    Ok((delimiter, header))
}

fn quoted(names: &[String]) -> String {
    names.iter().take(30).map(|name| format!("{:?}", clean(name, 60))).collect::<Vec<_>>().join(", ")
}

/// The messages of a file, in its order. Ends after an input error.
pub struct Records<R> {
    lines: Lines<R>,
    reading: Reading,
    delimiter: u8,
    header: Vec<Option<Field>>,
    keys: HashMap<String, Option<Field>>,
    /// How many rows without an id were alike so far, by what their ids are made from.
    alike: HashMap<u128, u64>,
    ended: bool,
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = match self.reading.format {
            Format::JsonLines => self.next_line(),
            Format::Csv => self.next_row(),
        };
        record.unwrap_or_else(|error| {
            self.ended = true;
            Some(Err(BadLine {
                line: 0,
                raw: String::new(),
                reason: format!("the file cannot be read further: {error}"),
            }))
        })
    }
}

impl<R: Read> Records<R> {
    fn next_line(&mut self) -> io::Result<Option<Result<Record, BadLine>>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let number = line.number;
            if line.too_long {
                return Ok(Some(Err(bad(number, &line.bytes, too_long()))));
            }
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let result = std::str::from_utf8(&line.bytes)
                .map_err(|_| not_utf8())
                .and_then(|text| {
                    serde_json::from_str::<Map<String, Value>>(text)
                        .map_err(|error| format!("not a JSON object: {error}"))
                })
                .and_then(|object| self.values_of_object(object))
                .and_then(|values| self.record(number, values));
            return Ok(Some(result.map_err(|reason| bad(number, &line.bytes, reason))));
        }
    }

    fn next_row(&mut self) -> io::Result<Option<Result<Record, BadLine>>> {
        loop {
            let Some(row) = self.lines.next_record(self.delimiter)? else { return Ok(None) };
            let number = row.number;
            if row.bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if row.first.too_long {
                return Ok(Some(Err(bad(number, &row.bytes, too_long()))));
            }
            let fields = rows::fields(&row.bytes, self.delimiter);
            let misshapen = fields.len() > self.header.len() || (row.spans_lines() && fields.len() < self.header.len());
            if row.open || misshapen {
                let reason = match row.open {
                    true => "a quote is opened and never closed".to_owned(),
                    false => format!("it has {} fields, the header names {}", fields.len(), self.header.len()),
                };
                let report = bad(number, &row.first.bytes, reason);
                self.lines.give_back(row);
                return Ok(Some(Err(report)));
            }
            let result = self.values_of_fields(&fields).and_then(|values| self.record(number, values));
            return Ok(Some(result.map_err(|reason| bad(number, &row.bytes, reason))));
        }
    }

    fn values_of_fields(&self, fields: &[Vec<u8>]) -> Result<Values, String> {
        let mut values = Values::default();
        for (bytes, field) in fields.iter().zip(&self.header) {
            let Some(field) = field else { continue };
            let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
            if !text.trim().is_empty() {
                values.0.insert(*field, text.to_owned());
            }
        }
        Ok(values)
    }

    fn values_of_object(&mut self, object: Map<String, Value>) -> Result<Values, String> {
        let mut values = Values::default();
        for (key, value) in object {
            let field = match self.keys.get(&key) {
                Some(field) => *field,
                // Hostile files have ever new keys: those past a bound are looked up each time.
                None if self.keys.len() >= 1000 => self.reading.columns.field_of(&key),
                None => *self.keys.entry(key.clone()).or_insert_with(|| self.reading.columns.field_of(&key)),
            };
            match (field, value) {
                (Some(Field::Author), Value::Object(author)) => values.take_author(author),
                (Some(field), Value::String(text)) if !text.trim().is_empty() => {
                    values.0.entry(field).or_insert(text);
                }
                (Some(field), value @ (Value::Number(_) | Value::Bool(_))) => {
                    values.0.entry(field).or_insert_with(|| value.to_string());
                }
                (Some(field), Value::Object(_) | Value::Array(_)) => {
                    let (_, name, _) = Field::ALL.iter().find(|(own, ..)| *own == field).unwrap_or(&Field::ALL[0]);
                    return Err(format!("{key:?} must be text to be the {name}"));
                }
                _ => {}
            }
        }
        Ok(values)
    }

    fn record(&mut self, line: u64, mut values: Values) -> Result<Record, String> {
        let text = values.take(Field::Text).map(|text| clean(&text, MAX_TEXT)).filter(|text| !text.is_empty());
        let text = text.ok_or("it has no text")?;
        let written = values.take(Field::PublishedAt);
        let published_at = match &written {
            Some(time) => match times::read(time, &self.reading.zone)? {
                // A clock or a zone may be a little off.
                time if time.duration_since(self.reading.now) > FUTURE_AT_MOST => {
                    return Err(format!("its time {time} is in the future; is the day before the month?"));
                }
                time => time,
            },
            None => self.reading.now,
        };
        let rating = match values.take(Field::Rating) {
            Some(rating) => Some(read_rating(&rating)?),
            None => None,
        };
        let author = author(&mut values);
        let network = values.take(Field::Network).map(|network| clean(&network, MAX_NAME).to_lowercase());
        let remote_id = match values.take(Field::Id) {
            Some(id) => clean(&id, MAX_NAME),
            // The same file read again must give the same ids, so the time of reading has no part in them. Rows that are
            // equal in everything are still several: two people may have rated alike, without their names.
            None => {
                let rating = rating.map(|rating| rating.to_string()).unwrap_or_default();
                let derived = derived_id(&[
                    network.as_deref().unwrap_or(""),
                    &author.remote_id,
                    written.as_deref().unwrap_or(""),
                    &rating,
                    &text,
                ]);
                let earlier = self.alike.entry(derived).or_default();
                *earlier += 1;
                match earlier {
                    1 => format!("row:{derived:032x}"),
                    number => format!("row:{derived:032x}:{number}"),
                }
            }
        };
        let incoming = Incoming {
            remote_id,
            local_id: None,
            kind: if rating.is_some() { Kind::Review } else { Kind::Post },
            author,
            text,
            url: values.take(Field::Url).map(|url| clean(&url, 2000)).filter(|url| is_web_address(url)),
            published_at,
            edited_at: None,
            in_reply_to: values.take(Field::InReplyTo).map(|id| clean(&id, MAX_NAME)),
            thread: values.take(Field::Thread).map(|thread| clean(&thread, MAX_NAME)),
            visibility: Visibility::Public,
            language: values.take(Field::Language).map(|language| clean(&language, 35)),
            rating,
            media: Vec::<Media>::new(),
            reply_data: Value::Null,
        };
        Ok(Record { line, network, incoming })
    }
}

#[derive(Default)]
struct Values(HashMap<Field, String>);

impl Values {
    fn take(&mut self, field: Field) -> Option<String> {
        self.0.remove(&field)
    }

    fn take_author(&mut self, author: Map<String, Value>) {
        for (key, value) in author {
            let field = match fold(&key).as_str() {
                "id" | "remoteid" => Field::AuthorId,
                "handle" | "username" | "acct" | "screenname" => Field::Author,
                "name" | "displayname" => Field::AuthorName,
                "followers" | "followerscount" => Field::Followers,
                _ => continue,
            };
            match value {
                Value::String(text) if !text.trim().is_empty() => self.0.insert(field, text),
                Value::Number(number) => self.0.insert(field, number.to_string()),
                _ => None,
            };
        }
    }
}

fn author(values: &mut Values) -> Author {
    let handle = values.take(Field::Author).map(|handle| clean(&handle, MAX_NAME));
    let name = values.take(Field::AuthorName).map(|name| clean(&name, MAX_NAME));
    let id = values.take(Field::AuthorId).map(|id| clean(&id, MAX_NAME));
    let followers = values.take(Field::Followers).and_then(|count| count.trim().parse().ok());
    let remote_id = id.or_else(|| handle.clone()).or_else(|| name.clone()).unwrap_or_else(|| "unknown".to_owned());
    let display_name = name.or_else(|| handle.clone()).unwrap_or_default();
    Author { remote_id, handle: handle.unwrap_or_default(), display_name, url: None, is_us: false, followers }
}

fn read_rating(text: &str) -> Result<f64, String> {
    let rating: f64 =
        text.trim().replace(',', ".").parse().map_err(|_| format!("{:?} is not a rating", clean(text, 40)))?;
    match (0.0..=5.0).contains(&rating) {
        true => Ok(rating),
        false => Err(format!("the rating {rating} is not between 0 and 5")),
    }
}

fn derived_id(parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))
}

fn is_web_address(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn bad(line: u64, raw: &[u8], reason: impl Into<String>) -> BadLine {
    let raw = String::from_utf8_lossy(&raw[..raw.len().min(64 * 1024)]).replace('\0', "\u{FFFD}");
    BadLine { line, raw, reason: reason.into() }
}

fn too_long() -> String {
    format!("it is longer than {} bytes", rows::MAX_ROW)
}

fn not_utf8() -> String {
    "it is not UTF-8; save the file as UTF-8".to_owned()
}

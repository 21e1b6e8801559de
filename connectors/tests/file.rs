//! Files of mentions: what is read, what is reported, and that the rest goes on.

use std::io::Read;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use muhatap_connectors::Kind;
use muhatap_connectors::networks::file::{BadLine, Columns, FileError, Format, Reading, Record, read};
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn reading(format: Format) -> Reading {
    let zone = TimeZone::get("Europe/Istanbul").unwrap();
    Reading { format, columns: Columns::default(), zone, now: now() }
}

fn read_all(text: impl AsRef<[u8]>, reading: Reading) -> Result<Vec<Result<Record, BadLine>>, FileError> {
    Ok(read(text.as_ref(), reading)?.collect())
}

fn csv(text: impl AsRef<[u8]>) -> Vec<Result<Record, BadLine>> {
    read_all(text, reading(Format::Csv)).unwrap()
}

fn json(text: impl AsRef<[u8]>) -> Vec<Result<Record, BadLine>> {
    read_all(text, reading(Format::JsonLines)).unwrap()
}

#[test]
fn json_lines_are_read_in_order() {
    let records = json(include_str!("fixtures/file/mentions.jsonl"));
    insta::assert_json_snapshot!(records.into_iter().map(|record| record.unwrap().incoming).collect::<Vec<_>>());
}

#[test]
fn a_turkish_spreadsheet_is_understood_without_a_mapping() {
    let records = csv(include_str!("fixtures/file/turkish.csv"));
    insta::assert_json_snapshot!(records.into_iter().map(|record| record.unwrap().incoming).collect::<Vec<_>>());
}

#[test]
fn a_mapping_names_the_columns_that_are_not_known() {
    let mut reading = reading(Format::Csv);
    reading.columns = Columns::parse("text=Ne dedi, author=Kim").unwrap();
    let records = read_all("Kim,Ne dedi,text\nayse,Kargo nerede?,iç not\n", reading).unwrap();
    let incoming = &records[0].as_ref().unwrap().incoming;
    assert_eq!((incoming.text.as_str(), incoming.author.handle.as_str()), ("Kargo nerede?", "ayse"));
}

#[test]
fn a_mapping_that_cannot_be_is_explained() {
    assert!(Columns::parse("text").unwrap_err().contains("text=Message"));
    assert!(Columns::parse("wort=x").unwrap_err().contains("known are id, text, author"));
    let mut missing = reading(Format::Csv);
    missing.columns = Columns::parse("text=Mesaj").unwrap();
    let error = read_all("a,b\n1,2\n", missing).unwrap_err().to_string();
    assert!(error.contains("no column \"Mesaj\"") && error.contains("\"a\", \"b\""), "{error}");
    let error = read_all("foo,bar\n1,2\n", reading(Format::Csv)).unwrap_err().to_string();
    assert!(error.contains("text=COLUMN") && error.contains("\"foo\""), "{error}");
    assert!(read_all("", reading(Format::Csv)).unwrap_err().to_string().contains("empty"));
    assert!(read_all(b"\xFF\xFEt\0e\0", reading(Format::Csv)).unwrap_err().to_string().contains("UTF-16"));
    // As a Turkish Excel saves it (Windows-1254): "Müşteri yorumu".
    let turkish = b"M\xFC\xFEteri yorumu;Tarih\nKargo gelmedi;bug\xFCn\n";
    assert!(read_all(turkish, reading(Format::Csv)).unwrap_err().to_string().contains("save the file as UTF-8"));
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_the_rest_goes_on() {
    let text = b"{\"text\":\"bir\"}\n{\"text\":\n\n[1]\n{\"text\":\"\xFF\"}\n{\"text\":\"  \"}\n{\"text\":\"iki\",\"date\":\"d\xC3\xBCn\"}\n{\"text\":[1]}\n{\"text\":\"son\"}";
    let records = json(text);
    let lines: Vec<_> =
        records.iter().map(|record| record.as_ref().map(|good| good.line).map_err(|bad| bad.line)).collect();
    assert_eq!(lines, [Ok(1), Err(2), Err(4), Err(5), Err(6), Err(7), Err(8), Ok(9)]);
    let reasons: Vec<_> = records.iter().filter_map(|record| record.as_ref().err()).map(ToString::to_string).collect();
    assert!(reasons[2].starts_with("line 5: it is not UTF-8"), "{reasons:?}");
    assert!(reasons[3].contains("no text") && reasons[4].contains("is not a time"), "{reasons:?}");
}

#[test]
fn a_quote_that_is_never_closed_costs_one_line() {
    let records = csv("id,text\n1,\"açık kaldı\n2,iki\n3,üç\n");
    let lines: Vec<_> =
        records.iter().map(|record| record.as_ref().map(|good| good.line).map_err(|bad| bad.line)).collect();
    assert_eq!(lines, [Err(2), Ok(3), Ok(4)]);
}

#[test]
fn impossible_dates_are_reported_and_missing_ones_are_now() {
    let records = csv("text,date\nbir,0001-01-01T00:00:00Z\niki,30000-01-01T00:00:00Z\nüç,\n");
    assert!(records[0].as_ref().unwrap_err().reason.contains("year 1 "));
    assert!(records[1].as_ref().unwrap_err().reason.contains("not a time"));
    assert_eq!(records[2].as_ref().unwrap().incoming.published_at, now());
    let records = csv("text,date\nbir,2026-11-21T11:00:00Z\niki,2026-11-22T11:00:00Z\n");
    assert!(records[0].is_ok());
    assert!(records[1].as_ref().unwrap_err().reason.contains("in the future"));
}

#[test]
fn a_byte_order_mark_nul_and_windows_line_ends_leave_no_trace() {
    let records = csv("\u{FEFF}text;author\r\nfiyat\0 nedir;ayse\r\n");
    let incoming = &records[0].as_ref().unwrap().incoming;
    assert_eq!((incoming.text.as_str(), incoming.author.handle.as_str()), ("fiyat\u{FFFD} nedir", "ayse"));
}

#[test]
fn a_row_without_an_id_gets_the_same_one_each_time() {
    let id = |text: &str, now: Timestamp| {
        let records = read_all(text, Reading { now, ..reading(Format::Csv) }).unwrap();
        records[0].as_ref().unwrap().incoming.remote_id.clone()
    };
    let row = "author,text\nayse,Kargo nerede?\n";
    assert_eq!(id(row, now()), id(row, "2027-01-01T00:00:00Z".parse().unwrap()));
    assert_ne!(id(row, now()), id("author,text\nfatma,Kargo nerede?\n", now()));
    assert_ne!(id("text,rating\nGüzel,5\n", now()), id("text,rating\nGüzel,4\n", now()));
}

#[test]
fn rows_without_an_id_that_are_alike_are_as_many_messages_and_the_same_ones_again() {
    let ids = |text: &str| csv(text).into_iter().map(|record| record.unwrap().incoming.remote_id).collect::<Vec<_>>();
    let one_week = ids("text,rating\nGüzel,5\nGüzel,5\n");
    let two_weeks = ids("text,rating\nGüzel,5\nKötü,1\nGüzel,5\nGüzel,5\n");
    assert_ne!(one_week[0], one_week[1]);
    assert_eq!((&two_weeks[0], &two_weeks[2]), (&one_week[0], &one_week[1]));
    assert!(!one_week.contains(&two_weeks[3]));
}

#[test]
fn a_rating_makes_a_review_and_markup_stays_text() {
    let records = csv("text,puan\n<script>alert(1)</script>,\"4,5\"\nkötü,9\n");
    let review = &records[0].as_ref().unwrap().incoming;
    assert_eq!(
        (review.kind, review.rating, review.text.as_str()),
        (Kind::Review, Some(4.5), "<script>alert(1)</script>")
    );
    assert!(records[1].as_ref().unwrap_err().reason.contains("between 0 and 5"));
}

#[test]
fn an_address_that_is_no_web_address_is_left_out() {
    let records = csv("text,url\nbir,javascript:alert(1)\niki,https://example.org/1\n");
    assert_eq!(records[0].as_ref().unwrap().incoming.url, None);
    assert_eq!(records[1].as_ref().unwrap().incoming.url.as_deref(), Some("https://example.org/1"));
}

#[test]
fn an_input_error_is_reported_once_and_ends_the_reading() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let input = "{\"text\":\"bir\"}\n".as_bytes().chain(Broken);
    let records: Vec<_> = read(input, reading(Format::JsonLines)).unwrap().collect();
    assert_eq!(records.len(), 2);
    assert!(records[1].as_ref().unwrap_err().reason.contains("the disk is gone"));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut with_header = b"id,text,date\n".to_vec();
        with_header.extend_from_slice(&bytes);
        csv(with_header);
        json(bytes);
    }

    #[test]
    fn what_is_quoted_properly_is_read_back(texts in proptest::collection::vec("[a-zçğıöşü\",;\n ]{0,20}x", 1..6)) {
        let rows: String = texts.iter().map(|text| format!("\"{}\",a\n", text.replace('"', "\"\""))).collect();
        let read: Vec<_> = csv(format!("text,author\n{rows}")).into_iter().map(|record| record.unwrap().incoming.text).collect();
        let expected: Vec<_> = texts.iter().map(|text| text.trim().to_owned()).collect();
        prop_assert_eq!(read, expected);
    }
}

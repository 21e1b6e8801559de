//! Splits a file into lines and CSV records, each bounded, and goes on after a broken one.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

/// A longer line or record is reported instead of read.
pub(super) const MAX_ROW: usize = 1024 * 1024;
/// A quote that is not closed within so many lines was not meant as one.
const MAX_LINES_IN_A_RECORD: usize = 500;

/// One line, numbered from one.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub number: u64,
    pub bytes: Vec<u8>,
    pub too_long: bool,
}

/// The lines of a file, with those a broken record gave back.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    given_back: VecDeque<Line>,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(64 * 1024, input), number: 0, given_back: VecDeque::new() }
    }

    /// The next line without its end, or `None` at the end of the file.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.given_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let limit = MAX_ROW as u64 + 1;
        if (&mut self.input).take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let too_long = bytes.len() as u64 == limit && bytes.last() != Some(&b'\n');
        if too_long {
            self.skip_to_the_next_line()?;
        }
        if self.number == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Ok(Some(Line { number: self.number, bytes, too_long }))
    }

    fn skip_to_the_next_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let used = end.unwrap_or(buffer.len());
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// The next CSV record: its first line's number, its bytes, and whether a quote stayed open to the end.
    pub fn next_record(&mut self, delimiter: u8) -> io::Result<Option<Record>> {
        let Some(first) = self.next()? else { return Ok(None) };
        let number = first.number;
        let mut bytes = first.bytes.clone();
        let mut taken = Vec::new();
        let mut open = quote_is_open(&bytes, delimiter, false);
        while open && !first.too_long && bytes.len() <= MAX_ROW && taken.len() < MAX_LINES_IN_A_RECORD {
            let Some(line) = self.next()? else { break };
            bytes.push(b'\n');
            bytes.extend_from_slice(&line.bytes);
            open = quote_is_open(&line.bytes, delimiter, open);
            taken.push(line);
        }
        Ok(Some(Record { number, bytes, first, taken, open }))
    }

    /// Takes the lines after a record's first back, to be read as records of their own.
    pub fn give_back(&mut self, record: Record) {
        for line in record.taken.into_iter().rev() {
            self.given_back.push_front(line);
        }
    }
}

/// The lines of one CSV record.
pub(super) struct Record {
    pub number: u64,
    pub bytes: Vec<u8>,
    pub first: Line,
    taken: Vec<Line>,
    pub open: bool,
}

impl Record {
    pub fn spans_lines(&self) -> bool {
        !self.taken.is_empty()
    }
}

/// Whether a quote is open at the end of `line`, given whether one was at its start.
fn quote_is_open(line: &[u8], delimiter: u8, open: bool) -> bool {
    let mut inside = open;
    let mut at_start = !open;
    let mut bytes = line.iter().peekable();
    while let Some(byte) = bytes.next() {
        match (inside, *byte) {
            (true, b'"') if bytes.peek() == Some(&&b'"') => {
                bytes.next();
            }
            (true, b'"') => inside = false,
            (false, b'"') if at_start => inside = true,
            _ => {}
        }
        at_start = !inside && *byte == delimiter;
    }
    inside
}

/// Splits a record into its fields (RFC 4180; a quote inside an unquoted field is a plain character).
pub(super) fn fields(record: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    let mut field = Vec::new();
    let mut inside = false;
    let mut at_start = true;
    let mut bytes = record.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (inside, byte) {
            (true, b'"') if bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            (true, b'"') => inside = false,
            (false, b'"') if at_start => inside = true,
            (false, byte) if byte == delimiter => {
                fields.push(std::mem::take(&mut field));
                at_start = true;
                continue;
            }
            (_, byte) => field.push(byte),
        }
        at_start = false;
    }
    fields.push(field);
    fields
}

/// The delimiter of a CSV file, from its header: Turkish spreadsheets write semicolons.
pub(super) fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: u8| fields(header, delimiter).len();
    [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_delimiters_and_line_ends_inside_a_field_belong_to_it() {
        let text = "id,text\r\n1,\"Merhaba, \"\"kargo\"\"\r\nnerede?\"\r\n2,5\" ekran\r\n";
        let mut lines = Lines::new(text.as_bytes());
        lines.next().unwrap();
        let record = lines.next_record(b',').unwrap().unwrap();
        assert_eq!(record.number, 2);
        assert_eq!(fields(&record.bytes, b','), [b"1".to_vec(), b"Merhaba, \"kargo\"\nnerede?".to_vec()]);
        let record = lines.next_record(b',').unwrap().unwrap();
        assert_eq!(record.number, 4);
        assert_eq!(fields(&record.bytes, b','), [b"2".to_vec(), b"5\" ekran".to_vec()]);
        assert!(lines.next_record(b',').unwrap().is_none());
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_read() {
        let mut text = vec![b'x'; 3 * MAX_ROW];
        text.extend_from_slice(b"\nsecond");
        let mut lines = Lines::new(text.as_slice());
        assert!(lines.next().unwrap().unwrap().too_long);
        let second = lines.next().unwrap().unwrap();
        assert_eq!((second.number, second.bytes.as_slice(), second.too_long), (2, b"second".as_slice(), false));
    }

    #[test]
    fn the_delimiter_is_taken_from_the_header() {
        assert_eq!(delimiter_of(b"id,text,author"), b',');
        assert_eq!(delimiter_of(b"id;text;author"), b';');
        assert_eq!(delimiter_of("kimlik\tmetin".as_bytes()), b'\t');
        assert_eq!(delimiter_of(b"text"), b',');
    }
}

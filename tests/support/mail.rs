//! A mail server of a few lines that keeps what it is given, and can end a conversation badly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How one message ends, instead of being kept with a 250.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// This answer to the login.
    Login(&'static str),
    /// This answer to the recipient.
    Recipient(&'static str),
    /// This answer to the end of the message.
    Message(&'static str),
    /// Kept, and the connection closed without an answer.
    KeptInSilence,
}

/// A message as a mail program reads it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Each on one line, as it came.
    headers: Vec<String>,
    pub subject: String,
    pub text: String,
}

#[derive(Clone)]
pub struct MailServer {
    pub port: u16,
    kept: Arc<Mutex<Vec<String>>>,
    ends: Arc<Mutex<VecDeque<End>>>,
}

impl MailServer {
    pub async fn start() -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let server = MailServer { port, kept: Arc::default(), ends: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        server
    }

    /// The next messages end like this, in this order; those after them are kept.
    pub fn end_next(&self, ends: &[End]) {
        self.ends.lock().expect("nobody panics with it").extend(ends);
    }

    /// Every message that was kept.
    pub fn kept(&self) -> Vec<Kept> {
        self.kept.lock().expect("nobody panics with it").iter().map(|message| Kept::read(message)).collect()
    }

    fn take_end(&self, is_this: fn(&End) -> bool) -> Option<End> {
        self.ends.lock().expect("nobody panics with it").pop_front_if(|end| is_this(end))
    }

    async fn serve(self, stream: TcpStream) {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let _ = write.write_all(b"220 test\r\n").await;
        let mut mail: Option<String> = None;
        while let Ok(Some(line)) = lines.next_line().await {
            let answer = match &mut mail {
                Some(text) if line == "." => {
                    let text = std::mem::take(text);
                    mail = None;
                    let keep = || self.kept.lock().expect("nobody panics with it").push(text);
                    match self.take_end(|end| matches!(end, End::Message(_) | End::KeptInSilence)) {
                        Some(End::Message(answer)) => answer,
                        Some(_) => {
                            keep();
                            return;
                        }
                        None => {
                            keep();
                            "250 kept"
                        }
                    }
                }
                Some(text) => {
                    // A dot at the beginning of a line is doubled on the way (RFC 5321, section 4.5.2).
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                    continue;
                }
                None if line.starts_with("EHLO") => "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME",
                None if line.starts_with("AUTH") => match self.take_end(|end| matches!(end, End::Login(_))) {
                    Some(End::Login(answer)) => answer,
                    _ => "235 welcome",
                },
                None if line.starts_with("RCPT") => match self.take_end(|end| matches!(end, End::Recipient(_))) {
                    Some(End::Recipient(answer)) => answer,
                    _ => "250 ok",
                },
                None if line == "DATA" => {
                    mail = Some(String::new());
                    "354 go on"
                }
                None if line == "QUIT" => "221 bye",
                None => "250 ok",
            };
            if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

impl Kept {
    fn read(message: &str) -> Kept {
        let (head, body) = message.split_once("\n\n").expect("headers end with an empty line");
        let mut headers: Vec<String> = Vec::new();
        for line in head.lines() {
            match headers.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
                Some(header) => header.push_str(line),
                None => headers.push(line.to_owned()),
            }
        }
        let mut kept = Kept { headers, subject: String::new(), text: String::new() };
        kept.subject = words(kept.header("Subject"));
        kept.text = match kept.header("Content-Transfer-Encoding") {
            "base64" => base64(&body.split_whitespace().collect::<String>()),
            "quoted-printable" => quoted_printable(body),
            _ => body.to_owned(),
        };
        kept
    }

    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(':'));
        header.map_or("", str::trim)
    }
}

/// A header's text from its encoded words (RFC 2047), as far as it has any.
fn words(text: &str) -> String {
    let mut read = String::new();
    let mut after_encoded = false;
    for word in text.split(' ') {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
        // The space between two encoded words only parts them.
        let only_parts = after_encoded && encoded.is_some();
        if !read.is_empty() && !only_parts {
            read.push(' ');
        }
        after_encoded = encoded.is_some();
        read.push_str(&encoded.map_or_else(|| word.to_owned(), base64));
    }
    read
}

fn base64(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).expect("it is base64")).expect("it is UTF-8")
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("it is UTF-8")
}

//! Mail to our own people, through a mail server of ours.
//!
//! SMTP has no key and nothing can be read back. What an end means, by RFC 5321 (sections 4.2.1, 4.5.3.2 and 6.1, read
//! November 2026):
//! - certainly not sent: the server could not be reached, spoken to or logged in to before the message; it answered 4xx
//!   (again later) or 5xx (refused) to any command, the end of the message among them;
//! - sent: it answered 250 to the end of the message, and is responsible for it from then on;
//! - unclear: anything else once the conversation that carries the message had begun, such as a connection lost before
//!   that answer. The RFC has the sender deliver again, and accepts a double.
//!
//! The `Message-ID` is made from the delivery, so that a mail program recognises what came twice.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::AccountSettings;
use crate::http::is_own_network;
use crate::outgoing::{Certainty, Length, Outgoing, Prepared, Receipt};
use crate::{Connector, ConnectorError, Profile, Publisher};

/// Of a mail, in bytes.
const LIMIT: usize = 256 * 1024;
/// Characters of a server's answer that are worth showing.
const REASON: usize = 300;
/// Answers to a login: it is wanted, too weak, wrong, or only taken encrypted (RFC 4954, section 6).
const LOGIN_REFUSED: [u16; 4] = [530, 534, 535, 538];

/// Tells programs that nobody wrote it, so that none answers that its reader is away (RFC 3834, section 5).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// What [`Outgoing::text`] holds for this network, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Mail {
    /// As the outbox keeps it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads it back.
    pub fn from_json(text: &str) -> Result<Mail, String> {
        serde_json::from_str(text).map_err(|error| format!("it is not a mail: {error}"))
    }
}

impl fmt::Display for Mail {
    /// For people who look at the outbox.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} → {}\n\n{}", self.subject, self.to, self.text)
    }
}

/// A mail server, and who its mails are from.
pub(super) struct MailServer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// How long a server may take to greet: a part of the whole call's time, so that one that says nothing is known to
    /// have taken nothing.
    greeting: Duration,
}

impl MailServer {
    pub fn new(account: &AccountSettings) -> Result<Self, ConnectorError> {
        let wrong = |what: String| ConnectorError::Settings(format!("mail account {:?}: {what}", account.name));
        let url = account.token.as_ref().ok_or_else(|| wrong("the URL of its server is missing".to_owned()))?;
        let from = account.user.as_deref().ok_or_else(|| wrong("it needs an address to send from".to_owned()))?;
        let from = mailbox(from).map_err(wrong)?;
        for to in &account.listen_for {
            mailbox(to).map_err(wrong)?;
        }
        if sends_password_readable(url.expose_secret()) {
            let how =
                "its URL would send the password readable to all on the way; write smtps://, or add ?tls=required";
            return Err(wrong(how.to_owned()));
        }
        // What lettre says of a wrong URL could quote its password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret()).map_err(|_| {
            wrong("its server is not an smtp:// or smtps:// URL; write smtps://user:password@host".to_owned())
        })?;
        let transport = transport.timeout(Some(account.call_timeout)).build();
        Ok(Self { from, transport, greeting: account.call_timeout / 3 })
    }

    fn message(&self, message: &Outgoing) -> Result<Message, String> {
        let mail = Mail::from_json(&message.text)?;
        let built = Message::builder()
            .from(self.from.clone())
            .to(mailbox(&mail.to)?)
            .message_id(Some(format!("<{}@{}>", message.key, self.from.email.domain())))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text);
        built.map_err(|error| format!("it cannot be made a mail: {error}"))
    }

    /// Connects, logs in and asks for nothing: whatever goes wrong here, no message was sent.
    async fn greet(&self) -> Result<(), ConnectorError> {
        let greeted = tokio::time::timeout(self.greeting, self.transport.test_connection()).await;
        let Ok(greeted) = greeted else {
            return Err(ConnectorError::Unavailable("the mail server does not greet in time".into()));
        };
        match greeted {
            Ok(true) => Ok(()),
            Ok(false) => Err(ConnectorError::Unavailable("the mail server hangs up".into())),
            Err(error) if error.status().is_some_and(|code| LOGIN_REFUSED.contains(&code.into())) => {
                Err(ConnectorError::Unauthorized(reason(&error)))
            }
            Err(error) => Err(ConnectorError::Unavailable(reason(&error).into())),
        }
    }
}

/// Whether the URL holds a password for a server elsewhere and does not ask for encryption.
fn sends_password_readable(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let encrypted =
            url.scheme() != "smtp" || url.query_pairs().any(|pair| pair == ("tls".into(), "required".into()));
        url.password().is_some() && !encrypted && !is_own_network(url.host_str().unwrap_or_default())
    })
}

/// What the end of a conversation that carried a message means.
fn end_of_message(error: &smtp::Error) -> ConnectorError {
    let reason = reason(error);
    match error {
        error if error.is_permanent() => ConnectorError::Rejected(reason),
        // Found out before the message: a server without SMTPUTF8 (RFC 6531), and letters beyond ASCII in an address.
        error if error.is_client() => ConnectorError::Rejected(format!("the server cannot take it: {reason}")),
        error if error.is_transient() => ConnectorError::Unavailable(reason.into()),
        _ => ConnectorError::Unconfirmed(reason.into()),
    }
}

/// Whether a mail can go to, or come from, such an address: `name@example.com` or `Name <name@example.com>`.
pub fn is_address(text: &str) -> bool {
    mailbox(text).is_ok()
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    address.parse().map_err(|error| format!("{address:?} is not an e-mail address: {error}"))
}

fn reason(error: &smtp::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REASON).collect()
}

#[async_trait]
impl Connector for MailServer {
    async fn who_am_i(&self) -> Result<Profile, ConnectorError> {
        self.greet().await?;
        let address = self.from.email.to_string();
        Ok(Profile { remote_id: address.clone(), handle: address.clone(), display_name: address, url: None })
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

#[async_trait]
impl Publisher for MailServer {
    /// A reader: a mailbox that refuses does not hold up the others.
    fn lane(&self, message: &Outgoing) -> String {
        Mail::from_json(&message.text).map_or_else(|_| "mail".to_owned(), |mail| mail.to)
    }

    fn measure(&self, message: &Outgoing) -> Length {
        Length { used: message.text.len(), limit: LIMIT }
    }

    fn certainty(&self) -> Certainty {
        Certainty::None
    }

    /// Greets the server in a conversation of its own first, so that a server that is away is a certain end. Mails are
    /// few.
    async fn publish(&self, message: &Outgoing, _: &Prepared) -> Result<Receipt, ConnectorError> {
        let mail = self.message(message).map_err(ConnectorError::Rejected)?;
        self.greet().await?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(Receipt { remote_id: message.key.clone(), local_id: None, url: None }),
            Err(error) => Err(end_of_message(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::outgoing::Visibility;
    use crate::{MemorySession, Network};

    fn server(url: &str, from: &str) -> Result<MailServer, ConnectorError> {
        server_within(url, from, Duration::from_secs(30))
    }

    fn server_within(url: &str, from: &str, call_timeout: Duration) -> Result<MailServer, ConnectorError> {
        MailServer::new(&AccountSettings {
            name: "posta".to_owned(),
            network: Network::Mail,
            base_url: None,
            user: Some(from.to_owned()),
            token: Some(url.to_owned().into()),
            listen_for: Vec::new(),
            session: Arc::new(MemorySession::default()),
            call_timeout,
        })
    }

    fn refusal(url: &str, from: &str) -> String {
        server(url, from).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_password_goes_out_encrypted_or_stays_in_the_own_network() {
        for url in [
            "smtps://muhatap:geheim@mail.example.com",
            "smtp://muhatap:geheim@mail.example.com?tls=required",
            "smtp://muhatap:geheim@127.0.0.1:2525",
            "smtp://muhatap:geheim@[::1]:2525",
            "smtp://muhatap:geheim@posta:25",
            "smtp://mail.example.com",
        ] {
            assert_eq!(refusal(url, "muhatap@example.com"), "", "{url}");
        }
        for url in [
            "smtp://muhatap:geheim@mail.example.com",
            "smtp://muhatap:geheim@203.0.114.9:25",
            "smtp://muhatap:geheim@mail.example.com?tls=opportunistic",
            "https://muhatap:geheim@mail.example.com",
            "geheim",
        ] {
            let refusal = refusal(url, "muhatap@example.com");
            assert!(refusal.contains("smtps://") && !refusal.contains("geheim"), "{url}: {refusal}");
        }
        assert!(refusal("smtps://mail.example.com", "muhatap").contains("is not an e-mail address"));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_has_certainly_taken_nothing() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("smtp://{}", silent.local_addr().expect("it is bound"));
        let server = server_within(&url, "muhatap@example.com", Duration::from_millis(30)).expect("it is sound");
        let end = server.greet().await.expect_err("it does not greet");
        assert!(matches!(end, ConnectorError::Unavailable(_)) && end.to_string().contains("in time"), "{end}");
    }

    #[test]
    fn a_mail_is_one_that_every_program_can_read_and_know_again() {
        let server = server("smtps://mail.example.com", "Şükrü Çağrı <muhatap@example.com>").expect("it is sound");
        let mail = Mail {
            to: "ekip@example.com".into(),
            subject: "Yanıtsız şikâyet\r\nBcc: x@y".into(),
            text: "İyi günler".into(),
        };
        let message = Outgoing {
            key: "01M8".into(),
            created_at: Timestamp::UNIX_EPOCH,
            due_at: Timestamp::UNIX_EPOCH,
            called_at: Timestamp::UNIX_EPOCH,
            text: mail.to_json(),
            reply_to: None,
            continues: None,
            visibility: Visibility::default(),
            language: None,
        };
        let formatted =
            || String::from_utf8(server.message(&message).expect("it is a mail").formatted()).expect("ASCII");
        let text = formatted();
        assert!(text.is_ascii(), "{text}");
        for header in [
            "Message-ID: <01M8@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Subject: =?utf-8?b?",
        ] {
            assert!(text.contains(header), "{header}: {text}");
        }
        assert!(!text.contains("\r\nBcc"), "{text}");
        let id = |text: &str| text.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned);
        assert_eq!(id(&text), id(&formatted()), "a repeated try is the same mail");
    }
}

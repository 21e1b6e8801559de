//! A digest in words: plain text in the readers' language and zone, with links to the console where its address is known.

use std::fmt::Write;

use jiff::Timestamp;

use crate::config::{ConsoleConfig, DigestConfig};
use crate::model::UrgencyLevel;
use crate::store::digest::{Complaint, Counts, Digest, Stopped, Unread};
use crate::telling::{self, console_address};
use crate::web::locale::Locale;
use crate::web::parts::{delivery_word, intent_word, network_name, sentiment_word, urgency_word};
use crate::web::texts::Text;

pub struct Words {
    locale: Locale,
    /// The console's address, where `console.public_url` says it.
    console: Option<String>,
}

impl Words {
    pub fn new(config: &DigestConfig, console: &ConsoleConfig, now: Timestamp) -> Words {
        let language = config.language.as_ref().unwrap_or(&console.language);
        let zone = config.timezone.as_ref().unwrap_or(&console.timezone);
        let locale = telling::locale(language, zone, now);
        Words { locale, console: console.public_url.as_ref().map(|_| console_address(console)) }
    }

    pub fn subject(&self, digest: &Digest) -> String {
        let t = &self.locale;
        let mentions = t.count(Text::DigestMentions, total(&digest.sentiments));
        let mut subject = format!("[Muhatap] {} · {mentions}", t.short_date(t.zoned(digest.until).date()));
        if digest.unanswered > 0 {
            let _ = write!(subject, ", {}", t.count(Text::DigestUnanswered, digest.unanswered));
        }
        let stopped = total(&digest.stopped);
        if stopped > 0 {
            let _ = write!(subject, ", {}", t.count(Text::DigestStopped, stopped));
        }
        subject
    }

    pub fn text(&self, digest: &Digest) -> String {
        let t = &self.locale;
        let span = t.fill(Text::GapFromTo, &[&t.short(digest.since), &t.short(digest.until)]);
        let mut text = format!("{span}\n\n{}\n", t.count(Text::DigestMentions, total(&digest.sentiments)));
        for line in [self.counts(&digest.sentiments, sentiment_word), self.counts(&digest.intents, intent_word)] {
            if !line.is_empty() {
                let _ = writeln!(text, "  {line}");
            }
        }
        let unanswered = t.count(Text::DigestUnanswered, digest.unanswered);
        let complaints = digest.complaints.iter().map(|complaint| self.complaint(complaint)).collect();
        self.section(&mut text, &unanswered, complaints, digest.unanswered, "/?intent=complaint");
        let stopped = total(&digest.stopped);
        let states = self.counts(&digest.stopped, delivery_word);
        let title = match stopped {
            0 => t.count(Text::DigestStopped, 0),
            _ => format!("{}: {states}", t.count(Text::DigestStopped, stopped)),
        };
        let deliveries = digest.deliveries.iter().map(|delivery| self.delivery(delivery)).collect();
        self.section(&mut text, &title, deliveries, stopped, "/deliveries");
        let unread = digest.unread.iter().map(|gap| self.unread(gap)).collect();
        self.section(&mut text, &t.count(Text::GapCount, digest.gaps), unread, digest.gaps, "/accounts");
        text
    }

    /// A title, its lines, and how many more there are.
    fn section(&self, text: &mut String, title: &str, lines: Vec<String>, all: i64, page: &str) {
        let _ = writeln!(text, "\n{title}");
        let named = lines.len() as i64;
        for line in lines {
            let _ = writeln!(text, "- {line}");
        }
        if all > named {
            let more = self.locale.count(Text::DigestMore, all - named);
            let _ = writeln!(text, "- {more}{}", self.link(page));
        }
    }

    fn complaint(&self, complaint: &Complaint) -> String {
        let t = &self.locale;
        let network = network_name(t, complaint.network);
        let urgency = match complaint.urgency {
            UrgencyLevel::None => String::new(),
            level => format!(" · {}", t.t(urgency_word(level))),
        };
        let at = t.short(complaint.published_at);
        let link = self.link(&format!("/mentions/{}", complaint.mention_id));
        format!("{} ({network}) · {at}{urgency}{link}", complaint.account)
    }

    fn delivery(&self, delivery: &Stopped) -> String {
        let t = &self.locale;
        let state = t.t(delivery_word(delivery.state));
        let link = self.link(&format!("/deliveries/{}", delivery.id));
        format!("{} · {} · {state}{link}", delivery.account, t.short(delivery.due_at))
    }

    fn unread(&self, gap: &Unread) -> String {
        let t = &self.locale;
        let at = |at: Option<Timestamp>| at.map_or_else(|| "…".to_owned(), |at| t.short(at));
        let span = t.fill(Text::GapFromTo, &[&at(gap.from), &at(gap.until)]);
        let state = t.t(if gap.lost { Text::GapLost } else { Text::GapFilling });
        let link = self.link(&format!("/accounts#a-{}", gap.account_id));
        format!("{} · {} · {span} · {state}{link}", gap.account, gap.stream)
    }

    /// A line of its own below, where the console's address is known.
    fn link(&self, path: &str) -> String {
        self.console.as_ref().map(|console| format!("\n  {console}{path}")).unwrap_or_default()
    }

    /// `Olumsuz: 12, Nötr: 3`.
    fn counts<L: Copy>(&self, counts: &Counts<L>, word: fn(L) -> Text) -> String {
        let t = &self.locale;
        let each = counts.iter().map(|(label, count)| format!("{}: {}", t.t(word(*label)), t.integer(*count)));
        each.collect::<Vec<_>>().join(", ")
    }
}

fn total<L>(counts: &Counts<L>) -> i64 {
    counts.iter().map(|(_, count)| count).sum()
}

//! `muhatap mentions`: what was said, as a table or JSON lines.

use std::io::Write;
use std::process::ExitCode;

use jiff::tz::TimeZone;

use super::{UsageError, moment};
use crate::analyze::Topic;
use crate::config::Config;
use crate::model::{ConversationState, IntentLabel, Network, SentimentLabel, UrgencyLevel};
use crate::store::Store;
use crate::store::inbox::{LARGEST_PAGE, MentionFilter, MentionRow};

/// Letters of a text in the table.
const TEXT_SHOWN: usize = 60;

/// Lists mentions, newest first.
///
/// Example: muhatap mentions --sentiment negative --state open --since 2026-11-20
/// Example: muhatap mentions --search "kargo" --json | jq .text
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Only those this account saw
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only from this network: mastodon, bluesky, matrix, telegram, rss, file
    #[arg(long)]
    network: Option<Network>,
    /// Only in this language (BCP 47; und = cannot tell)
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// negative, neutral or positive
    #[arg(long)]
    sentiment: Option<SentimentLabel>,
    /// complaint, question, request, praise, suggestion, purchase, spam or other
    #[arg(long)]
    intent: Option<IntentLabel>,
    /// One of what it is about, in Turkish or English, as kargo, iade, invoice
    #[arg(long)]
    topic: Option<Topic>,
    /// none, raised or high
    #[arg(long)]
    urgency: Option<UrgencyLevel>,
    /// true for what a person corrected, false for the rest
    #[arg(long, value_name = "BOOL")]
    corrected: Option<bool>,
    /// Of the conversation: open, snoozed or done
    #[arg(long)]
    state: Option<ConversationState>,
    /// Words of the text or of the author's name; Turkish letters and case do not matter
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Published at or after: RFC 3339, or local in the console's zone
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Published before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many; 0 lists all
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let zone = TimeZone::get(&config.console.timezone).map_err(|error| UsageError(error.to_string()))?;
    let moment =
        |text: &Option<String>| text.as_deref().map(|text| moment::parse(text, &config.console.timezone)).transpose();
    let (since, until) = (moment(&args.since)?, moment(&args.until)?);
    let store = Store::open(&config.database.url).await?;
    let account_id = match &args.account {
        Some(name) => Some(store.account_by_name(name).await?.id),
        None => None,
    };
    let mut filter = MentionFilter {
        account_id,
        network: args.network,
        language: args.language,
        sentiment: args.sentiment,
        intent: args.intent,
        topic: args.topic,
        urgency: args.urgency,
        corrected: args.corrected,
        state: args.state,
        search: args.search,
        since,
        until,
        ..MentionFilter::default()
    };
    let mut left = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(out, "{}", row("PUBLISHED", "ACCOUNT", "AUTHOR", "MOOD", "INTENT", "STATE", "ID  TEXT"))?;
    }
    while left > 0 {
        filter.limit = left.min(LARGEST_PAGE);
        let rows = store.mentions(&filter).await?;
        for mention in &rows {
            match args.json {
                true => writeln!(out, "{}", serde_json::to_string(mention)?)?,
                false => writeln!(out, "{}", line(mention, &zone))?,
            }
        }
        left -= rows.len();
        match rows.last() {
            Some(last) if rows.len() == filter.limit => filter.before = Some(last.mark()),
            _ => break,
        }
    }
    out.flush()?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn line(mention: &MentionRow, zone: &TimeZone) -> String {
    let intent = mention.intents.first().map_or("", |intent| intent.label.as_str());
    let text = mention.text.as_deref().unwrap_or("(deleted)");
    row(
        &mention.published_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        &mention.account.name,
        &mention.author.handle,
        mention.sentiment.label.as_str(),
        intent,
        mention.conversation.state.as_str(),
        &format!("{}  {}", mention.id, plain(text, TEXT_SHOWN)),
    )
}

fn row(published: &str, account: &str, author: &str, mood: &str, intent: &str, state: &str, rest: &str) -> String {
    let (account, author) = (plain(account, 14), plain(author, 20));
    format!("{published:16}  {account:14}  {author:20}  {mood:8}  {intent:10}  {state:7}  {rest}")
}

/// One line of a stranger's text, without anything that moves a terminal's cursor.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text
        .split(|character: char| character.is_whitespace() || hidden(character))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if let Some((end, _)) = shown.char_indices().nth(longest) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_strangers_text_cannot_move_the_cursor() {
        assert_eq!(plain("bir\u{1b}[2J iki\nüç \u{202e}dört", 60), "bir [2J iki üç dört");
        assert_eq!(plain("çok uzun bir yazı", 8), "çok uzun…");
    }
}

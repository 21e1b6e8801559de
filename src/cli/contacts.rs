//! `muhatap contacts`: people and companies of the CRM, as a table or JSON lines.

use std::io::Write;
use std::process::ExitCode;

use super::mentions::plain;
use crate::config::Config;
use crate::store::Store;
use crate::store::people::{ContactFilter, ContactRow};

/// Contacts read together.
const PAGE: usize = 200;

/// Lists contacts in Turkish alphabetical order.
///
/// Example: muhatap contacts --search "yılmaz"
/// Example: muhatap contacts --limit 0 --json > contacts.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Words of the name, e-mail address, company or external id; Turkish letters and case do not matter
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// At most so many; 0 lists all
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, config: Config) -> Result<ExitCode, anyhow::Error> {
    let store = Store::open(&config.database.url).await?;
    let mut filter = ContactFilter { search: args.search, ..ContactFilter::default() };
    let mut left = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(out, "{:26}  {:28}  {:28}  {:15}  {:20}  AUTHORS", "ID", "NAME", "E-MAIL", "PHONE", "COMPANY")?;
    }
    while left > 0 {
        filter.limit = left.min(PAGE);
        let rows = store.contacts(&filter).await?;
        for contact in &rows {
            match args.json {
                true => writeln!(out, "{}", json(contact))?,
                false => writeln!(out, "{}", line(contact))?,
            }
        }
        left -= rows.len();
        match rows.last() {
            Some(last) if rows.len() == filter.limit => filter.after = Some(last.id),
            _ => break,
        }
    }
    out.flush()?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn json(contact: &ContactRow) -> serde_json::Value {
    serde_json::json!({
        "id": contact.id,
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "company": contact.company,
        "external_id": contact.external_id,
        "authors": contact.authors,
    })
}

fn line(contact: &ContactRow) -> String {
    let or_none = |text: &Option<String>, longest| plain(text.as_deref().unwrap_or("-"), longest);
    format!(
        "{:26}  {:28}  {:28}  {:15}  {:20}  {}",
        contact.id.to_string(),
        plain(&contact.name, 27),
        or_none(&contact.email, 27),
        or_none(&contact.phone, 15),
        or_none(&contact.company, 19),
        contact.authors
    )
}

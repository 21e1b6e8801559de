//! The table of deliveries, with what each waits for.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Args, Kind};
use crate::app::App;
use crate::cli::moment;
use crate::cli::post::account;
use crate::model::Action;
use crate::store::deliveries::{DeliveryFilter, DeliveryKind, DeliveryOrder, DeliveryView};

/// Letters of a text in the table.
const TEXT_SHOWN: usize = 48;

/// The table, or one JSON object a line.
pub(super) async fn list(app: &Arc<App>, args: Args) -> Result<ExitCode, anyhow::Error> {
    let account = match &args.account {
        Some(name) => Some(account(app, name).await?),
        None => None,
    };
    let zone = account.as_ref().map_or(app.config.console.timezone.as_str(), |account| account.timezone.as_str());
    let mut filter = DeliveryFilter {
        account_id: account.as_ref().map(|account| account.id),
        states: args.state,
        kind: args.kind.map(|kind| match kind {
            Kind::Reply => DeliveryKind::Reply,
            Kind::Post => DeliveryKind::Post,
            Kind::Mail => DeliveryKind::Mail,
        }),
        since: args.since.as_deref().map(|time| moment::parse(time, zone)).transpose()?,
        until: args.until.as_deref().map(|time| moment::parse(time, zone)).transpose()?,
        order: if args.earliest_first { DeliveryOrder::EarliestFirst } else { DeliveryOrder::LatestFirst },
        ..DeliveryFilter::default()
    };
    let mut left = args.limit as usize;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(out, "{:26}  {:10}  {:16}  {:26}  {:6}  TEXT", "ID", "STATE", "ACCOUNT", "DUE", "KIND")?;
    }
    while left > 0 {
        filter.limit = left.min(500);
        let page = app.store.deliveries(&filter).await?;
        for delivery in &page {
            match args.json {
                true => writeln!(out, "{}", serde_json::to_string(delivery)?)?,
                false => row(&mut out, delivery, zone)?,
            }
        }
        if page.len() < filter.limit {
            break;
        }
        left -= page.len();
        filter.after = page.last().map(|delivery| (delivery.due_at, delivery.id));
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(out: &mut impl Write, delivery: &DeliveryView, zone: &str) -> std::io::Result<()> {
    let kind = match (delivery.action, delivery.kind) {
        (Action::Delete, _) => "delete",
        (_, DeliveryKind::Reply) => "reply",
        (_, DeliveryKind::Post) => "post",
        (_, DeliveryKind::Webhook) => "webhook",
        (_, DeliveryKind::Mail) => "mail",
    };
    // One line a delivery, and nothing that would move a terminal's cursor.
    let text: String =
        delivery.text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(TEXT_SHOWN).collect();
    let known = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let due = delivery.due_at.to_zoned(known).strftime("%Y-%m-%d %H:%M:%S %:z");
    writeln!(out, "{}  {:10}  {:16}  {due}  {kind:6}  {text}", delivery.id, delivery.state.as_str(), delivery.account)?;
    if delivery.state.is_end() && !delivery.needs_decision() {
        return Ok(());
    }
    // Why it is not out yet, what happens next and when; its own reason where that does not say it already.
    writeln!(out, "{:26}  {}", "", moment::in_zone(&delivery.next_step, zone))?;
    match &delivery.reason {
        Some(reason) if !delivery.next_step.contains(reason.as_str()) => writeln!(out, "{:26}  {reason}", ""),
        _ => Ok(()),
    }
}

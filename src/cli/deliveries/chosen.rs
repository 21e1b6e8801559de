//! `muhatap deliveries retry` and `cancel`: one delivery, several, or all of an account in some states.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::{WHO, refused, usage};
use crate::app::App;
use crate::cli::UsageError;
use crate::cli::post::{account, print};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::deliveries::{DeliveryFilter, DeliveryOrder};
use crate::store::many::Act;

/// Rows read at once.
const PAGE: usize = 500;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which; or --state for all that are in it
    #[arg(value_name = "DELIVERY", required_unless_present = "state", conflicts_with = "state")]
    deliveries: Vec<DeliveryId>,
    /// All in this state; may be given several times
    #[arg(long, value_name = "STATE")]
    state: Vec<DeliveryState>,
    /// With --state: only of this account
    #[arg(long, value_name = "NAME", requires = "state")]
    account: Option<String>,
    /// Only list them
    #[arg(long)]
    dry_run: bool,
}

/// Does it to each, earliest due first; prints what became of each. One that is named alone is printed whole.
pub(super) async fn act(app: &Arc<App>, args: Args, act: Act) -> Result<ExitCode, anyhow::Error> {
    let store = &app.store;
    let spacing = app.config.delivery.release_spacing;
    let named: BTreeSet<DeliveryId> = args.deliveries.iter().copied().collect();
    if let (Some(id), 1, false) = (named.first(), named.len(), args.dry_run) {
        let done = match act {
            Act::Retry => store.retry(*id, spacing, WHO, store.clock()).await,
            Act::Cancel => store.cancel(*id, WHO).await,
        };
        return print(&done.map_err(|error| refused(app, error))?);
    }
    let ids = match args.state.is_empty() {
        true => named.into_iter().collect(),
        false => in_states(app, &args).await?,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.dry_run {
        for id in &ids {
            let view = store.delivery(*id).await.map_err(usage)?;
            writeln!(
                out,
                "{}",
                json!({ "id": id, "state": view.state, "account": view.account, "due_at": view.due_at })
            )?;
        }
        out.flush()?;
        if act == Act::Retry {
            let plan = store.retry_plan(&ids, spacing, store.clock()).await?;
            eprintln!("would go out: {}", json!(plan));
        }
        eprintln!("{} chosen; nothing was done", ids.len());
        return Ok(ExitCode::SUCCESS);
    }
    let acted = store.act_on(&ids, act, spacing, WHO, store.clock()).await?;
    for id in &acted.done {
        let view = store.delivery(*id).await?;
        writeln!(
            out,
            "{}",
            json!({ "id": id, "state": view.state, "next_step": view.next_step, "next_at": view.next_at })
        )?;
    }
    for refused in &acted.refused {
        writeln!(out, "{}", json!({ "id": refused.id, "refused": refused.reason }))?;
    }
    out.flush()?;
    eprintln!("{} done, {} refused", acted.done.len(), acted.refused.len());
    Ok(if acted.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn in_states(app: &Arc<App>, args: &Args) -> Result<Vec<DeliveryId>, anyhow::Error> {
    if let Some(state) = args.state.iter().find(|state| state.is_end() && **state != DeliveryState::Failed) {
        return Err(UsageError(format!("--state {state}: nothing can be done to what is {state}")).into());
    }
    let mut filter = DeliveryFilter {
        account_id: match &args.account {
            Some(name) => Some(account(app, name).await?.id),
            None => None,
        },
        states: args.state.clone(),
        order: DeliveryOrder::EarliestFirst,
        limit: PAGE,
        ..DeliveryFilter::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = app.store.deliveries(&filter).await?;
        ids.extend(page.iter().map(|delivery| delivery.id));
        match page.last() {
            Some(last) if page.len() == PAGE => filter.after = Some((last.due_at, last.id)),
            _ => return Ok(ids),
        }
    }
}

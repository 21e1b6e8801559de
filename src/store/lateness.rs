//! Why a delivery is late: what stands in its way right now, in words for a person.

use jiff::Timestamp;

use super::rows::Cells;
use super::{StoreError, Tx, micros};

/// What stands between a late delivery and its network, the widest cause first.
pub(in crate::store) async fn why(tx: &mut Tx, delivery: &str, now: Timestamp) -> Result<String, StoreError> {
    let row = sqlx::query(
        "SELECT d.state, d.due_at, d.created_at, d.late_limit, d.after_id, b.state AS after_state, a.name, a.paused_at, a.health,
            a.probe_at, a.gated_until, a.gate_reason, l.delivery_id AS holder, l.gated_until AS lane_gated_until,
            (SELECT COUNT(*) FROM stops s WHERE (s.scope = 'all' AND d.payload_id IS NULL)
                OR s.scope IN ('account:' || a.id, 'app:' || a.network || ' ' || COALESCE(a.base_url, ''))
                OR (s.scope = 'posts' AND d.post_id IS NOT NULL AND d.action = 'publish')) AS stopped,
            (SELECT COUNT(*) FROM leases WHERE name = 'reaper' AND until_at >= $2) AS workers,
            (SELECT COUNT(*) FROM deliveries e WHERE e.account_id = d.account_id AND e.state IN ('queued', 'retry')
                AND e.due_at < d.due_at) AS before_it
         FROM deliveries d JOIN accounts a ON a.id = d.account_id
         LEFT JOIN lanes l ON l.lane = d.lane
         LEFT JOIN deliveries b ON b.id = d.after_id
         WHERE d.id = $1",
    )
    .bind(delivery)
    .bind(micros(now))
    .fetch_one(&mut **tx)
    .await?;
    let account = row.text("name")?;
    let gate = [row.maybe_time("gated_until")?, row.maybe_time("lane_gated_until")?].into_iter().flatten().max();
    let gate = gate.filter(|until| *until > now);
    let holder = row.maybe_text("holder")?.filter(|holder| holder != delivery);
    let before_it = row.number("before_it")?;
    Ok(match () {
        () if row.text("state")? == "waiting" => "nobody has approved it yet".to_owned(),
        () if row.number("created_at")? > row.number("due_at")?.saturating_add(row.number("late_limit")?) => {
            "it was planned after its time".to_owned()
        }
        () if row.number("workers")? == 0 => "no worker that sends is running: start one with muhatap run".to_owned(),
        () if row.number("stopped")? > 0 => "its sending is stopped: resume it".to_owned(),
        () if row.maybe_time("paused_at")?.is_some() => format!("account {account} is paused: resume it"),
        () if row.text("health")? == "unauthorized" => {
            format!("the network refuses the credentials of account {account}: reconnect it")
        }
        () if row.maybe_time("probe_at")?.is_some() => {
            "the network has not answered since a call that ended unclearly".to_owned()
        }
        () if gate.is_some() => {
            let asked = row.maybe_text("gate_reason")?.map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("the account waits until {}{asked}", gate.unwrap_or(now))
        }
        () if row.maybe_text("after_id")?.is_some() && row.maybe_text("after_state")?.as_deref() != Some("sent") => {
            "what it follows is not sent yet".to_owned()
        }
        () if holder.is_some() => {
            format!("delivery {} before it is being sent or verified", holder.unwrap_or_default())
        }
        () if before_it > 0 => {
            format!("{before_it} of the account's deliveries go before it, as fast as its network's limits allow")
        }
        () if row.time("created_at")? > row.time("due_at")? => "it was planned after its time".to_owned(),
        () => "its turn comes next".to_owned(),
    })
}

//! What came in and could not be read, kept raw: for whoever looks after an account.

use super::super::rows::Cells;
use super::super::{Store, StoreError};
use super::accounts::stream_name;
use super::mentions::Statement;
use super::{UnparsedFilter, UnparsedRow};

impl Store {
    /// A page of what could not be read, newest first.
    pub async fn unparsed(&self, filter: &UnparsedFilter) -> Result<Vec<UnparsedRow>, StoreError> {
        let mut statement = Statement::default();
        // Ids sort by time, and each begins with a digit: Z sorts after every one in every collation.
        let before = statement.text(filter.before.as_deref().unwrap_or("Z"));
        let of_account = match filter.account_id {
            Some(id) => format!("AND x.account_id = {}", statement.text(id)),
            None => String::new(),
        };
        let limit = statement.number(filter.limit as i64);
        statement.text = format!(
            "SELECT x.id, x.account_id, a.name AS account, a.network, s.kind, s.query, x.received_at, x.reason, x.raw \
             FROM unparsed x JOIN accounts a ON a.id = x.account_id LEFT JOIN streams s ON s.id = x.stream_id \
             WHERE x.id < {before} {of_account} ORDER BY x.id DESC LIMIT {limit}"
        );
        let rows = statement.query().fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| {
                let kind = row.maybe_text("kind")?;
                let query = row.maybe_text("query")?.unwrap_or_default();
                Ok(UnparsedRow {
                    id: row.text("id")?,
                    account_id: row.word("account_id")?,
                    account: row.text("account")?,
                    network: row.word("network")?,
                    stream: kind.map(|kind| stream_name(kind, &query)),
                    received_at: row.time("received_at")?,
                    reason: row.text("reason")?,
                    raw: row.text("raw")?,
                })
            })
            .collect()
    }
}

//! Accounts as people look after them: health, streams, how far each is complete, and its gaps.

use std::collections::HashMap;

use muhatap_connectors::StreamKind;

use super::super::rows::Cells;
use super::super::{Store, StoreError};
use super::mentions::Statement;
use super::{AccountView, GapView, StreamView};
use crate::model::{AccountId, Network};

/// The latest gaps of an account that are shown.
const MOST_GAPS: i64 = 200;

/// Of a search for words on Mastodon, which answers with an empty list and no error where the server has no full-text
/// search, and finds only what its authors let be found where it has.
const WORDS_MAY_FIND_NOTHING: &str = "Mastodon finds words only on servers with full-text search, and there only \
    statuses whose authors allow it; elsewhere this source stays empty: listen for a hashtag instead";

fn hint(network: Network, kind: &str, query: &str) -> Option<&'static str> {
    let is_words = network == Network::Mastodon && kind == StreamKind::Search.as_str() && !query.starts_with('#');
    is_words.then_some(WORDS_MAY_FIND_NOTHING)
}

/// `mentions`, `search:#marka`.
pub(super) fn stream_name(kind: String, query: &str) -> String {
    if query.is_empty() { kind } else { format!("{kind}:{query}") }
}

impl Store {
    /// Every account with its streams, by name.
    pub async fn account_views(&self) -> Result<Vec<AccountView>, StoreError> {
        self.views(None).await
    }

    pub async fn account_view(&self, id: AccountId) -> Result<AccountView, StoreError> {
        self.views(Some(id)).await?.pop().ok_or_else(|| StoreError::NotFound(format!("there is no account {id}")))
    }

    async fn views(&self, only: Option<AccountId>) -> Result<Vec<AccountView>, StoreError> {
        let one = |column: &str| {
            let mut statement = Statement::default();
            let condition = match only {
                Some(id) => format!("{column} = {}", statement.text(id)),
                None => "1 = 1".to_owned(),
            };
            (statement, condition)
        };
        let (mut gaps, condition) = one("s.account_id");
        let most = gaps.number(MOST_GAPS);
        gaps.text = format!(
            "SELECT g.stream_id, g.from_at, g.until_at, g.reason, g.state FROM gaps g JOIN streams s ON s.id = g.stream_id \
             WHERE {condition} AND g.state <> 'filled' ORDER BY g.created_at DESC, g.id LIMIT {most}"
        );
        let mut gaps_of: HashMap<String, Vec<GapView>> = HashMap::new();
        for row in gaps.query().fetch_all(self.pool()).await? {
            gaps_of.entry(row.text("stream_id")?).or_default().push(GapView {
                from_at: row.maybe_time("from_at")?,
                until_at: row.maybe_time("until_at")?,
                reason: row.text("reason")?,
                state: row.text("state")?,
            });
        }

        let (mut streams, condition) = one("s.account_id");
        streams.text = format!(
            "SELECT s.id, s.account_id, a.network, s.kind, s.query, s.complete_up_to, s.last_poll_at, s.next_poll_at, \
             s.failures, s.failure_reason FROM streams s JOIN accounts a ON a.id = s.account_id \
             WHERE {condition} AND s.retired_at IS NULL ORDER BY s.kind, s.query"
        );
        let mut streams_of: HashMap<String, Vec<StreamView>> = HashMap::new();
        for row in streams.query().fetch_all(self.pool()).await? {
            let (kind, query) = (row.text("kind")?, row.text("query")?);
            streams_of.entry(row.text("account_id")?).or_default().push(StreamView {
                id: row.word("id")?,
                hint: hint(row.word("network")?, &kind, &query),
                name: stream_name(kind, &query),
                complete_up_to: row.maybe_time("complete_up_to")?,
                last_poll_at: row.maybe_time("last_poll_at")?,
                next_poll_at: row.time("next_poll_at")?,
                failures: row.number("failures")?,
                failure_reason: row.maybe_text("failure_reason")?,
                gaps: gaps_of.remove(&row.text("id")?).unwrap_or_default(),
            });
        }

        let (mut unparsed, condition) = one("account_id");
        unparsed.text =
            format!("SELECT account_id, COUNT(*) AS items FROM unparsed WHERE {condition} GROUP BY account_id");
        let mut unparsed_of: HashMap<String, i64> = HashMap::new();
        for row in unparsed.query().fetch_all(self.pool()).await? {
            unparsed_of.insert(row.text("account_id")?, row.number("items")?);
        }

        let accounts = match only {
            Some(id) => match self.account(id).await? {
                // Its address may hold a secret of its receiver, and is shown only as its own page does.
                account if account.network.only_tells() => {
                    return Err(StoreError::NotFound(format!(
                        "there is no account {id}; it only tells of what happened"
                    )));
                }
                account => vec![account],
            },
            None => self.accounts().await?,
        };
        let views = accounts.into_iter().map(|account| {
            let id = account.id.to_string();
            let streams = streams_of.remove(&id).unwrap_or_default();
            // The account is as complete as its least complete stream.
            let complete = streams.iter().map(|stream| stream.complete_up_to).collect::<Option<Vec<_>>>();
            AccountView {
                account,
                complete_up_to: complete.and_then(|times| times.into_iter().min()),
                streams,
                unparsed: unparsed_of.remove(&id).unwrap_or_default(),
            }
        });
        Ok(views.collect())
    }
}

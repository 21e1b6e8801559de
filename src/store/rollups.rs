//! Hourly counts of mentions, written in the transaction of what they count, so that no page ever scans mentions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::rows::Cells;
use super::{Store, StoreError, Tx, micros};
use crate::model::AccountId;

const HOUR: i64 = 3_600_000_000;

/// What is counted together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Key<'k> {
    pub hour_at: i64,
    pub account_id: &'k str,
    pub language: &'k str,
    pub sentiment: &'k str,
    pub intent: &'k str,
}

/// What a transaction adds to the hourly counts.
#[derive(Default)]
pub(in crate::store) struct Rollups<'k>(BTreeMap<Key<'k>, (i64, f64)>);

impl<'k> Rollups<'k> {
    pub fn add(&mut self, key: Key<'k>, mentions: i64, score: f64) {
        let sum = self.0.entry(key).or_default();
        sum.0 += mentions;
        sum.1 += score;
    }

    pub async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        let rows: Vec<_> = self.0.into_iter().collect();
        tx.insert(
            "INSERT INTO rollups (hour_at, account_id, language, sentiment, intent, mentions, score_sum)",
            "(?, ?, ?, ?, ?, ?, ?)",
            "ON CONFLICT (hour_at, account_id, language, sentiment, intent) DO UPDATE SET
                mentions = rollups.mentions + excluded.mentions, score_sum = rollups.score_sum + excluded.score_sum",
            &rows,
            |query, (key, (mentions, score))| {
                query
                    .bind(key.hour_at)
                    .bind(key.account_id)
                    .bind(key.language)
                    .bind(key.sentiment)
                    .bind(key.intent)
                    .bind(*mentions)
                    .bind(*score)
            },
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// How many mentions of each account are in each language, of those published since then.
    pub async fn languages_since(&self, since: Timestamp) -> Result<Vec<(AccountId, String, u64)>, StoreError> {
        sqlx::query(
            "SELECT account_id, language, CAST(SUM(mentions) AS BIGINT) AS mentions FROM rollups
             WHERE hour_at >= $1 GROUP BY account_id, language HAVING SUM(mentions) > 0",
        )
        .bind(hour(since))
        .fetch_all(self.pool())
        .await?
        .iter()
        .map(|row| Ok((row.word("account_id")?, row.text("language")?, row.number("mentions")?.cast_unsigned())))
        .collect()
    }
}

/// The hour that `time` lies in, as the database keeps it.
pub(in crate::store) fn hour(time: Timestamp) -> i64 {
    micros(time).div_euclid(HOUR) * HOUR
}

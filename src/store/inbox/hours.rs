//! Sentiment by hour, from the rollups; mentions are never scanned for it.

use super::super::rows::Cells;
use super::super::{Store, StoreError, micros};
use super::mentions::Statement;
use super::{HourFilter, HourRow};
use crate::model::SentimentLabel;

impl Store {
    /// The hours from the one `since` lies in up to `until` in which something was said, in order.
    pub async fn sentiment_by_hour(&self, filter: &HourFilter) -> Result<Vec<HourRow>, StoreError> {
        const HOUR: i64 = 3_600_000_000;
        let mut statement = Statement::default();
        let since = micros(filter.since);
        let (since, until) = (since - since.rem_euclid(HOUR), micros(filter.until));
        let (since, until) = (statement.number(since), statement.number(until));
        let mut conditions = vec![format!("hour_at >= {since}"), format!("hour_at < {until}")];
        if let Some(account) = filter.account_id {
            let at = statement.text(account);
            conditions.push(format!("account_id = {at}"));
        }
        if let Some(brand) = filter.brand_id {
            let at = statement.text(brand);
            conditions.push(format!("account_id IN (SELECT id FROM accounts WHERE brand_id = {at})"));
        }
        statement.text = format!(
            "SELECT hour_at, sentiment, CAST(SUM(mentions) AS BIGINT) AS mentions, SUM(score_sum) AS score_sum \
             FROM rollups WHERE {} GROUP BY hour_at, sentiment ORDER BY hour_at",
            conditions.join(" AND ")
        );
        let mut hours: Vec<HourRow> = Vec::new();
        for row in statement.query().fetch_all(self.pool()).await? {
            let hour_at = row.time("hour_at")?;
            let mentions = row.number("mentions")?;
            if hours.last().is_none_or(|hour| hour.hour_at != hour_at) {
                hours.push(HourRow { hour_at, mentions: 0, negative: 0, neutral: 0, positive: 0, score: 0.0 });
            }
            let hour = hours.last_mut().expect("one was pushed if there was none");
            hour.mentions += mentions;
            hour.score += row.float("score_sum")?;
            match row.word("sentiment")? {
                SentimentLabel::Negative => hour.negative += mentions,
                SentimentLabel::Neutral => hour.neutral += mentions,
                SentimentLabel::Positive => hour.positive += mentions,
            }
        }
        // A rollup may be down to nothing after deletions; until here the score was a sum.
        hours.retain(|hour| hour.mentions > 0);
        for hour in &mut hours {
            hour.score = (hour.score / hour.mentions as f64).clamp(-1.0, 1.0);
        }
        Ok(hours)
    }
}

//! What a person says a mention is, over what the analysis said.
//!
//! The corrected values stand in the mention's own row, so that every filter, count and chart goes by them. What the
//! analysis had said lies with the correction, and comes back when that is taken back. A correction is about one text: once
//! the author changes it, the analysis of the new text counts, and the outdated correction is shown beside until a person
//! says again what the mention is or takes it back. An erased mention takes its correction with it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::inbox::{AccountRef, DEFAULT_PAGE, LARGEST_PAGE, Statement};
use super::rollups::{Key, Rollups, hour};
use super::rows::Cells;
use super::{Store, StoreError, Tx, audit, events, micros};
use crate::analyze::{Analysis, Intent, Reason, Sentiment, base_of, told_score};
use crate::model::{AccountId, BrandId, IntentLabel, MentionId, SentimentLabel};

/// What a person says; at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCorrection {
    sentiment: Option<SentimentLabel>,
    intents: Option<Vec<IntentLabel>>,
}

/// What no person can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACorrection {
    #[error("the correction says nothing: give a sentiment, intents, or both")]
    Nothing,
    #[error("there is no intent in the list: name at least one, other where none fits, or leave the list out")]
    NoIntent,
    #[error("the intent {0} stands in the list twice: name each once, the main one first")]
    Twice(IntentLabel),
    #[error("other stands beside another intent: it means that none fits, so name it alone or leave it out")]
    OtherBeside,
}

impl NewCorrection {
    /// What is missing is left to the analysis. The main intent comes first.
    pub fn new(
        sentiment: Option<SentimentLabel>,
        intents: Option<Vec<IntentLabel>>,
    ) -> Result<NewCorrection, NotACorrection> {
        if sentiment.is_none() && intents.is_none() {
            return Err(NotACorrection::Nothing);
        }
        if let Some(intents) = &intents {
            let twice = |(at, label): &(usize, &IntentLabel)| intents[..*at].contains(label);
            if intents.is_empty() {
                return Err(NotACorrection::NoIntent);
            }
            if let Some((_, label)) = intents.iter().enumerate().find(twice) {
                return Err(NotACorrection::Twice(*label));
            }
            if intents.len() > 1 && intents.contains(&IntentLabel::Other) {
                return Err(NotACorrection::OtherBeside);
            }
        }
        Ok(NewCorrection { sentiment, intents })
    }
}

/// A person's word on a mention, and what the analysis had said.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Correction {
    /// Missing where it is left to the analysis.
    pub sentiment: Option<SentimentLabel>,
    /// The main one first; missing where they are left to the analysis.
    pub intents: Option<Vec<IntentLabel>>,
    /// The user's name, or the word stored for the open console or a token.
    pub by: String,
    pub at: Timestamp,
    /// Since when the author's change of the text has made it count no more.
    pub outdated_at: Option<Timestamp>,
    pub said: Said,
}

impl Correction {
    /// Whether the mention goes by it.
    pub fn counts(&self) -> bool {
        self.outdated_at.is_none()
    }

    /// Gives the words behind the analysis to what it had said, where the person's `shown` mood is another one: nothing in
    /// the text stands behind that.
    pub(in crate::store) fn explain(&mut self, shown: &mut Sentiment) {
        if !self.counts() {
            return;
        }
        let said = &mut self.said.sentiment;
        said.because = shown.because.clone();
        said.base = base_of(said.score, &said.because);
        if said.label != shown.label {
            shown.because.clear();
            shown.base = base_of(shown.score, &[]);
        }
    }
}

/// What the analysis had said of a mention before a person corrected it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Said {
    /// Without its words once the text they stood in was changed.
    pub sentiment: Sentiment,
    pub intents: Vec<Intent>,
}

/// A correction with the mention it is about.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CorrectionRow {
    pub mention_id: MentionId,
    pub account: AccountRef,
    pub brand: BrandRef,
    /// Of the text that was corrected.
    pub language: String,
    pub text: Option<String>,
    #[serde(flatten)]
    pub correction: Correction,
}

impl CorrectionRow {
    /// Where the page after this row goes on.
    pub fn mark(&self) -> (Timestamp, MentionId) {
        (self.correction.at, self.mention_id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BrandRef {
    pub id: BrandId,
    pub name: String,
}

/// Which corrections, newest first; every part narrows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CorrectionFilter {
    pub brand_id: Option<BrandId>,
    pub account_id: Option<AccountId>,
    /// BCP 47, `und` included.
    pub language: Option<String>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// Made before.
    pub until: Option<Timestamp>,
    pub standing: Option<Standing>,
    /// The last row of the page before this one.
    pub before: Option<(Timestamp, MentionId)>,
    /// At most this many rows; 0 means [`DEFAULT_PAGE`], and [`LARGEST_PAGE`] is the most.
    pub limit: usize,
}

/// Whether a correction counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Counts,
    Outdated,
}

/// What a mention is filed under.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Judgement {
    pub sentiment: SentimentLabel,
    pub score: f64,
    pub confidence: f64,
    /// The main one first.
    pub intents: Vec<Intent>,
}

impl Judgement {
    pub fn of(analysis: &Analysis) -> Judgement {
        Judgement {
            sentiment: analysis.sentiment.label,
            score: analysis.sentiment.score,
            confidence: analysis.sentiment.confidence,
            intents: analysis.intents.clone(),
        }
    }

    /// The intent a mention is filed under.
    pub fn intent(&self) -> IntentLabel {
        self.intents.first().map_or(IntentLabel::Other, |intent| intent.label)
    }

    /// With a person's word in place of what it speaks of. A mood that the person finds as the analysis does keeps its
    /// score and with it its reasons.
    fn corrected(&self, told: &NewCorrection) -> Judgement {
        let mut judged = self.clone();
        if let Some(label) = told.sentiment.filter(|label| *label != self.sentiment) {
            (judged.sentiment, judged.score, judged.confidence) = (label, told_score(label), 1.0);
        }
        if let Some(intents) = &told.intents {
            judged.intents = intents.iter().map(|label| Intent { label: *label, confidence: 1.0 }).collect();
        }
        judged
    }
}

/// A mention that is about to be corrected.
struct Before {
    account_id: String,
    published_at: Timestamp,
    is_deleted: bool,
    language: String,
    /// What it is filed under.
    filed: Judgement,
    /// What the analysis says.
    said: Judgement,
    /// The correction that stands, and who made it.
    correction: Option<(NewCorrection, String, Standing)>,
}

impl Store {
    /// Files a mention under what a person says; an earlier correction gives way. The same word of the same person again
    /// changes nothing.
    pub async fn correct(&self, id: MentionId, told: &NewCorrection, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let before = before(&mut tx, id).await?;
        if before.is_deleted {
            return Err(StoreError::Conflict(format!(
                "mention {id} was deleted by its author: no text is left to be corrected"
            )));
        }
        if before
            .correction
            .as_ref()
            .is_some_and(|(known, by, standing)| (known, by.as_str(), *standing) == (told, who, Standing::Counts))
        {
            return Ok(());
        }
        let Before { said, language, .. } = &before;
        sqlx::query(
            "INSERT INTO corrections (mention_id, sentiment, intents, language, said_sentiment, said_score, said_confidence,
                                      said_intents, corrected_by, corrected_at, outdated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)
             ON CONFLICT (mention_id) DO UPDATE SET sentiment = excluded.sentiment, intents = excluded.intents,
                language = excluded.language, said_sentiment = excluded.said_sentiment, said_score = excluded.said_score,
                said_confidence = excluded.said_confidence, said_intents = excluded.said_intents,
                corrected_by = excluded.corrected_by, corrected_at = excluded.corrected_at, outdated_at = NULL",
        )
        .bind(id.to_string())
        .bind(told.sentiment.map(SentimentLabel::as_str))
        .bind(told.intents.as_ref().map(|intents| json!(intents).to_string()))
        .bind(language)
        .bind(said.sentiment.as_str())
        .bind(said.score)
        .bind(said.confidence)
        .bind(json!(said.intents).to_string())
        .bind(who)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        file_under(&mut tx, id, &before, &before.said.corrected(told)).await?;
        let detail = json!({
            "sentiment": told.sentiment, "intents": told.intents,
            "said": { "sentiment": said.sentiment, "intent": said.intent() },
        });
        audit::write(&mut tx, now, who, "mention.correct", &id.to_string(), detail).await?;
        events::write(&mut tx, now, "mention_corrected", &id.to_string()).await?;
        tx.commit().await
    }

    /// Files a mention under what the analysis says again. One that nobody corrected stays as it is.
    pub async fn take_back_correction(&self, id: MentionId, who: &str) -> Result<(), StoreError> {
        let now = self.clock();
        let mut tx = self.begin().await?;
        let before = before(&mut tx, id).await?;
        let Some((told, ..)) = &before.correction else { return Ok(()) };
        erase(&mut tx, &id.to_string()).await?;
        file_under(&mut tx, id, &before, &before.said).await?;
        let detail = json!({ "was": { "sentiment": told.sentiment, "intents": told.intents } });
        audit::write(&mut tx, now, who, "mention.take_back_correction", &id.to_string(), detail).await?;
        events::write(&mut tx, now, "mention_corrected", &id.to_string()).await?;
        tx.commit().await
    }

    /// A page of corrections, newest first.
    pub async fn corrections(&self, filter: &CorrectionFilter) -> Result<Vec<CorrectionRow>, StoreError> {
        let mut statement = Statement::default();
        let mut conditions = vec!["m.deleted_at IS NULL".to_owned()];
        let texts = [
            ("ac.brand_id", filter.brand_id.map(|id| id.to_string())),
            ("m.account_id", filter.account_id.map(|id| id.to_string())),
            ("co.language", filter.language.clone()),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                conditions.push(format!("{column} = {}", statement.text(value)));
            }
        }
        for (comparison, time) in [("co.corrected_at >=", filter.since), ("co.corrected_at <", filter.until)] {
            if let Some(time) = time {
                conditions.push(format!("{comparison} {}", statement.number(micros(time))));
            }
        }
        match filter.standing {
            Some(Standing::Counts) => conditions.push("co.outdated_at IS NULL".to_owned()),
            Some(Standing::Outdated) => conditions.push("co.outdated_at IS NOT NULL".to_owned()),
            None => {}
        }
        if let Some((at, id)) = filter.before {
            let (at, id) = (statement.number(micros(at)), statement.text(id));
            conditions.push(format!("(co.corrected_at, co.mention_id) < ({at}, {id})"));
        }
        let limit = match filter.limit {
            0 => DEFAULT_PAGE,
            limit => limit.min(LARGEST_PAGE),
        };
        let limit = statement.number(limit as i64);
        statement.text = format!(
            "SELECT co.mention_id, m.account_id, ac.name AS account_name, ac.brand_id, b.name AS brand, co.language, m.text, \
                    m.reasons, co.sentiment AS corrected_sentiment, co.intents AS corrected_intents, co.said_sentiment, \
                    co.said_score, co.said_confidence, co.said_intents, co.corrected_at, co.outdated_at, \
                    COALESCE(u.name, co.corrected_by) AS corrected_by \
             FROM corrections co JOIN mentions m ON m.id = co.mention_id JOIN accounts ac ON ac.id = m.account_id \
             JOIN brands b ON b.id = ac.brand_id LEFT JOIN users u ON u.id = co.corrected_by \
             WHERE {} ORDER BY co.corrected_at DESC, co.mention_id DESC LIMIT {limit}",
            conditions.join(" AND ")
        );
        statement.query().fetch_all(self.pool()).await?.iter().map(row_from).collect()
    }
}

/// Reads a mention that is about to be corrected, and keeps polls of its network from changing it until the end of the
/// transaction.
async fn before(tx: &mut Tx, id: MentionId) -> Result<Before, StoreError> {
    let missing = || StoreError::NotFound(format!("there is no mention {id}"));
    let network: Option<String> = sqlx::query_scalar("SELECT network FROM mentions WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    tx.alone(&format!("record:{}", network.ok_or_else(missing)?)).await?;
    let row: Option<AnyRow> = sqlx::query(
        "SELECT m.account_id, m.published_at, m.deleted_at, m.language, m.sentiment, m.sentiment_score,
                m.sentiment_confidence, m.intents, c.sentiment AS corrected_sentiment, c.intents AS corrected_intents,
                c.said_sentiment, c.said_score, c.said_confidence, c.said_intents, c.corrected_by, c.corrected_at,
                c.outdated_at
         FROM mentions m LEFT JOIN corrections c ON c.mention_id = m.id WHERE m.id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let row = row.ok_or_else(missing)?;
    let filed = Judgement {
        sentiment: row.word("sentiment")?,
        score: row.float("sentiment_score")?,
        confidence: row.float("sentiment_confidence")?,
        intents: row.json("intents")?,
    };
    let outdated = row.maybe_time("outdated_at")?.is_some();
    let standing = if outdated { Standing::Outdated } else { Standing::Counts };
    let correction = match told_from(&row)? {
        Some(told) => Some((told, row.text("corrected_by")?, standing)),
        None => None,
    };
    let said = match correction_from(&row)? {
        Some(Correction { said: Said { sentiment, intents }, outdated_at: None, .. }) => {
            Judgement { sentiment: sentiment.label, score: sentiment.score, confidence: sentiment.confidence, intents }
        }
        _ => filed.clone(),
    };
    Ok(Before {
        account_id: row.text("account_id")?,
        published_at: row.time("published_at")?,
        is_deleted: row.maybe_time("deleted_at")?.is_some(),
        language: row.text("language")?,
        filed,
        said,
        correction,
    })
}

/// Writes what a mention is filed under from now on, and moves it in the counts.
async fn file_under(tx: &mut Tx, id: MentionId, before: &Before, judged: &Judgement) -> Result<(), StoreError> {
    if before.filed == *judged {
        return Ok(());
    }
    sqlx::query(
        "UPDATE mentions SET sentiment = $1, sentiment_score = $2, sentiment_confidence = $3, intent = $4, intents = $5
         WHERE id = $6",
    )
    .bind(judged.sentiment.as_str())
    .bind(judged.score)
    .bind(judged.confidence)
    .bind(judged.intent().as_str())
    .bind(json!(judged.intents).to_string())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    let key = |judged: &Judgement| Key {
        hour_at: hour(before.published_at),
        account_id: &before.account_id,
        language: &before.language,
        sentiment: judged.sentiment.as_str(),
        intent: judged.intent().as_str(),
    };
    let mut rollups = Rollups::default();
    rollups.add(key(&before.filed), -1, -before.filed.score);
    rollups.add(key(judged), 1, judged.score);
    rollups.write(tx).await
}

/// After a change that left the text as it was: the person's word stands, over what the analysis says now.
pub(in crate::store) async fn judge_again(
    tx: &mut Tx,
    mention_id: &str,
    told: &NewCorrection,
    analysis: &Analysis,
) -> Result<Judgement, StoreError> {
    let said = Judgement::of(analysis);
    sqlx::query(
        "UPDATE corrections SET language = $1, said_sentiment = $2, said_score = $3, said_confidence = $4, said_intents = $5
         WHERE mention_id = $6",
    )
    .bind(analysis.language.code.as_str())
    .bind(said.sentiment.as_str())
    .bind(said.score)
    .bind(said.confidence)
    .bind(json!(said.intents).to_string())
    .bind(mention_id)
    .execute(&mut **tx)
    .await?;
    Ok(said.corrected(told))
}

/// After a change of the text: the correction was about another one.
pub(in crate::store) async fn outdate(
    tx: &mut Tx,
    mention_id: &str,
    analysis: &Analysis,
    now: Timestamp,
) -> Result<Judgement, StoreError> {
    sqlx::query("UPDATE corrections SET outdated_at = $1 WHERE mention_id = $2")
        .bind(micros(now))
        .bind(mention_id)
        .execute(&mut **tx)
        .await?;
    audit::write(tx, now, "network", "mention.outdate_correction", mention_id, json!({})).await?;
    Ok(Judgement::of(analysis))
}

/// Deletes the correction of a mention, where it has one.
pub(in crate::store) async fn erase(tx: &mut Tx, mention_id: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM corrections WHERE mention_id = $1").bind(mention_id).execute(&mut **tx).await?;
    Ok(())
}

/// What the person said, in a row that has `corrected_sentiment` and `corrected_intents`; nothing where nobody did.
pub(in crate::store) fn told_from(row: &AnyRow) -> Result<Option<NewCorrection>, StoreError> {
    let sentiment = row.maybe_word("corrected_sentiment")?;
    let intents = match row.maybe_text("corrected_intents")? {
        Some(_) => Some(row.json("corrected_intents")?),
        None => None,
    };
    Ok((sentiment.is_some() || intents.is_some()).then_some(NewCorrection { sentiment, intents }))
}

/// The whole correction of a row that has its columns; what the analysis had said is without its words.
pub(in crate::store) fn correction_from(row: &AnyRow) -> Result<Option<Correction>, StoreError> {
    let Some(NewCorrection { sentiment, intents }) = told_from(row)? else { return Ok(None) };
    let score = row.float("said_score")?;
    let said = Sentiment {
        label: row.word("said_sentiment")?,
        score,
        confidence: row.float("said_confidence")?,
        base: base_of(score, &[]),
        because: Vec::new(),
    };
    Ok(Some(Correction {
        sentiment,
        intents,
        by: row.text("corrected_by")?,
        at: row.time("corrected_at")?,
        outdated_at: row.maybe_time("outdated_at")?,
        said: Said { sentiment: said, intents: row.json("said_intents")? },
    }))
}

fn row_from(row: &AnyRow) -> Result<CorrectionRow, StoreError> {
    let missing = || StoreError::Database(sqlx::Error::RowNotFound);
    let mut correction = correction_from(row)?.ok_or_else(missing)?;
    if correction.counts() {
        let because: Vec<Reason> = row.json("reasons")?;
        let said = &mut correction.said.sentiment;
        said.base = base_of(said.score, &because);
        said.because = because;
    }
    Ok(CorrectionRow {
        mention_id: row.word("mention_id")?,
        account: AccountRef { id: row.word("account_id")?, name: row.text("account_name")? },
        brand: BrandRef { id: row.word("brand_id")?, name: row.text("brand")? },
        language: row.text("language")?,
        text: row.maybe_text("text")?,
        correction,
    })
}

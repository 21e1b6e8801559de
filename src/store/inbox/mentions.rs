//! Lists of mentions.
//!
//! A page is found in two steps: the ids by the narrowest way in, then everything about those few. Which way is the
//! narrowest the databases cannot know when a filter lies in another table, so it is measured: a filter that leaves few
//! rows leads the search, otherwise the newest mentions are walked until the page is full.

use std::fmt::Write;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe};

use super::super::rows::Cells;
use super::super::search::words;
use super::super::{Store, StoreError, corrections, micros};
use super::{
    AccountRef, Assignee, AuthorView, ContactRef, ConversationHead, DEFAULT_PAGE, InboxCounts, Intent, LARGEST_PAGE,
    Language, MOST_COUNTED, MentionFilter, MentionRow, Sentiment, Urgency, UserRef,
};
use crate::analyze::{Reason, base_of};
use crate::model::{ConversationState, MentionId, UrgencyLevel, UserId};

/// A filter that leaves at most this many rows leads the search.
const FEW: i64 = 3000;
/// Words of a search beyond these are not looked at.
const MOST_WORDS: usize = 12;

/// Everything a [`MentionRow`] holds, for the ids of `page`.
const COLUMNS: &str = "m.id, m.network, m.account_id, ac.name AS account_name, m.conversation_id, c.state, \
     c.snoozed_until, c.assignee_id, u.name AS assignee_name, c.claim, m.author_id, a.handle, a.display_name, \
     a.url AS author_url, a.followers, ct.id AS contact_id, ct.name AS contact_name, m.kind, m.text, m.url, \
     m.visibility, m.rating, m.media, m.published_at, m.edited_at, m.deleted_at, m.received_at, m.language, \
     m.language_confidence, m.sentiment, m.sentiment_score, m.sentiment_confidence, m.intents, m.reasons, m.tokens, m.topics, \
     m.urgency, m.alarms, co.sentiment AS corrected_sentiment, co.intents AS corrected_intents, co.said_sentiment, \
     co.said_score, co.said_confidence, co.said_intents, co.corrected_at, co.outdated_at, \
     COALESCE(cu.name, co.corrected_by) AS corrected_by";
const TABLES: &str = "JOIN mentions m ON m.id = page.id \
     JOIN conversations c ON c.id = m.conversation_id \
     JOIN accounts ac ON ac.id = m.account_id \
     JOIN authors a ON a.id = m.author_id \
     LEFT JOIN users u ON u.id = c.assignee_id \
     LEFT JOIN contact_authors ca ON ca.author_id = m.author_id AND ca.undone_at IS NULL \
     LEFT JOIN contacts ct ON ct.id = ca.contact_id \
     LEFT JOIN corrections co ON co.mention_id = m.id \
     LEFT JOIN users cu ON cu.id = co.corrected_by";

/// Corrections `s` that count, and those of the mention at hand.
const CORRECTED: &str = "FROM corrections s WHERE s.outdated_at IS NULL";
const OF_MENTION: &str = "s.mention_id = m.id";

/// A statement put together from constant fragments, with its values beside it.
#[derive(Default)]
pub(in crate::store) struct Statement {
    pub text: String,
    values: Vec<Value>,
}

#[derive(Clone)]
pub(in crate::store) enum Value {
    Text(String),
    Number(i64),
}

impl Statement {
    /// Keeps `value` and gives its `$n`.
    pub fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    pub fn text(&mut self, value: impl ToString) -> String {
        self.bind(Value::Text(value.to_string()))
    }

    pub fn number(&mut self, value: i64) -> String {
        self.bind(Value::Number(value))
    }

    /// The query to run. Its text holds constants and `$n` alone; what people typed is in the values.
    pub fn query(self) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query
    }
}

/// A filter that another table answers.
struct Set {
    /// Which column of `mentions` the ids are of.
    column: &'static str,
    /// The ids it leaves, when it leads the search.
    ids: String,
    /// Whether one mention passes, when the mentions are walked. Never a list: it would be made whole first.
    check: String,
    /// Whether it leaves few enough rows to lead.
    few: bool,
}

impl Store {
    /// A page of mentions, newest first.
    pub async fn mentions(&self, filter: &MentionFilter) -> Result<Vec<MentionRow>, StoreError> {
        let Some(mut statement) = self.page(filter).await? else { return Ok(Vec::new()) };
        statement.text = format!(
            "WITH page AS ({}) SELECT {COLUMNS} FROM page {TABLES} ORDER BY m.published_at DESC, m.id DESC",
            statement.text
        );
        let now = micros(self.clock());
        let rows = statement.query().fetch_all(self.pool()).await?;
        rows.iter().map(|row| mention_from(row, now)).collect()
    }

    /// One mention, deleted or not.
    pub async fn mention(&self, id: MentionId) -> Result<MentionRow, StoreError> {
        let mut statement = Statement::default();
        let id_at = statement.text(id);
        statement.text = format!("SELECT {COLUMNS} FROM (SELECT {id_at} AS id) page {TABLES}");
        let row = statement.query().fetch_optional(self.pool()).await?;
        let now = micros(self.clock());
        row.as_ref().map_or_else(
            || Err(StoreError::NotFound(format!("there is no mention {id}"))),
            |row| mention_from(row, now),
        )
    }

    /// How many conversations wait for whom.
    pub async fn inbox_counts(&self, me: Option<UserId>) -> Result<InboxCounts, StoreError> {
        let now = micros(self.clock());
        let me = me.map(|id| id.to_string()).unwrap_or_default();
        let row = sqlx::query(
            "SELECT
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations WHERE state = 'open' LIMIT $3) a) AS open,
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations
                  WHERE state = 'snoozed' AND snoozed_until <= $1 LIMIT $3) b) AS woken,
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations
                  WHERE state = 'open' AND assignee_id IS NULL LIMIT $3) c) AS unassigned,
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations
                  WHERE assignee_id = $2 AND state <> 'done' LIMIT $3) d) AS mine,
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations
                  WHERE state = 'snoozed' AND snoozed_until > $1 LIMIT $3) e) AS snoozed,
               (SELECT COUNT(*) FROM (SELECT 1 AS one FROM conversations WHERE state = 'done' LIMIT $3) f) AS done",
        )
        .bind(now)
        .bind(me)
        .bind(MOST_COUNTED)
        .fetch_one(self.pool())
        .await?;
        Ok(InboxCounts {
            open: (row.number("open")? + row.number("woken")?).min(MOST_COUNTED),
            unassigned: row.number("unassigned")?,
            mine: row.number("mine")?,
            snoozed: row.number("snoozed")?,
            done: row.number("done")?,
        })
    }

    /// The statement that finds the ids of a page; nothing where nothing can match.
    async fn page(&self, filter: &MentionFilter) -> Result<Option<Statement>, StoreError> {
        let mut statement = Statement::default();
        let mut sets = Vec::new();
        if let Some(account) = filter.account_id {
            let set = self.set(&mut statement, "m.id", vec![Value::Text(account.to_string())], |at| {
                let account = &at[0];
                (
                    format!("SELECT mention_id FROM mention_accounts WHERE account_id = {account}"),
                    format!(
                        "EXISTS (SELECT 1 FROM mention_accounts s WHERE s.mention_id = m.id AND s.account_id = {account})"
                    ),
                )
            });
            sets.push(set.await?);
        }
        if let Some(state) = filter.state {
            let now = Value::Number(micros(self.clock()));
            let set = self.set(&mut statement, "m.conversation_id", vec![now], |at| {
                let now = &at[0];
                of_conversations(&match state {
                    ConversationState::Open => {
                        format!("s.state = 'open' OR (s.state = 'snoozed' AND s.snoozed_until <= {now})")
                    }
                    ConversationState::Snoozed => format!("s.state = 'snoozed' AND s.snoozed_until > {now}"),
                    // The time is bound for every state, so that each statement has the same values.
                    ConversationState::Done => format!("s.state = 'done' AND {now} > 0"),
                })
            });
            sets.push(set.await?);
        }
        match filter.assignee {
            Some(Assignee::User(user)) => {
                let user = vec![Value::Text(user.to_string())];
                let set = self.set(&mut statement, "m.conversation_id", user, |at| {
                    of_conversations(&format!("s.assignee_id = {}", at[0]))
                });
                sets.push(set.await?);
            }
            Some(Assignee::Nobody) => {
                let set = self.set(&mut statement, "m.conversation_id", Vec::new(), |_| {
                    of_conversations("s.assignee_id IS NULL")
                });
                sets.push(set.await?);
            }
            None => {}
        }
        if let Some(contact) = filter.contact_id {
            let ids = format!(
                "SELECT author_id FROM contact_authors WHERE undone_at IS NULL AND contact_id = {}",
                statement.text(contact)
            );
            // A contact has a handful of authors: such a list costs nothing.
            let check = format!("m.author_id || '' IN ({ids})");
            sets.push(Set { column: "m.author_id", ids, check, few: true });
        }
        if let Some(search) = filter.search.as_deref().filter(|search| !search.trim().is_empty()) {
            let Some(found) = self.search_sets(&mut statement, search).await? else { return Ok(None) };
            sets.extend(found);
        }

        let mut conditions = Vec::new();
        let mut checks = Vec::new();
        match filter.corrected {
            Some(true) => {
                let set = self.set(&mut statement, "m.id", Vec::new(), |_| {
                    (
                        format!("SELECT s.mention_id {CORRECTED}"),
                        format!("EXISTS (SELECT 1 {CORRECTED} AND {OF_MENTION})"),
                    )
                });
                sets.push(set.await?);
            }
            Some(false) => checks.push(format!("NOT EXISTS (SELECT 1 {CORRECTED} AND {OF_MENTION})")),
            None => {}
        }
        // One set leads; the others are looked up row by row, so that the database does not choose among them.
        let mut led = filter.author_id.is_some() || filter.conversation_id.is_some();
        let mut order = "m.published_at";
        for set in sets {
            if set.few && !led {
                led = true;
                // PostgreSQL guesses how many rows a word leaves, and walks when it guesses wrong: it is told that they
                // are few (with room for what is stored meanwhile), and given an order that no index has.
                conditions.push(format!("{} IN (SELECT * FROM ({}) led LIMIT 4096)", set.column, set.ids));
                order = "m.published_at + 0";
            } else {
                checks.push(set.check);
            }
        }
        let mut equal = |column: &str, value: Option<String>| {
            if let Some(value) = value {
                let at = statement.text(value);
                conditions.push(format!("{column} = {at}"));
            }
        };
        equal("m.author_id", filter.author_id.map(|id| id.to_string()));
        equal("m.conversation_id", filter.conversation_id.map(|id| id.to_string()));
        equal("m.network", filter.network.map(|network| network.as_str().to_owned()));
        equal("m.language", filter.language.clone());
        equal("m.sentiment", filter.sentiment.map(|sentiment| sentiment.to_string()));
        equal("m.intent", filter.intent.map(|intent| intent.to_string()));
        if let Some(urgency) = filter.urgency {
            // In these words the databases see that the index of urgent mentions will do.
            let urgent = if urgency == UrgencyLevel::None { "" } else { "m.urgency <> 'none' AND " };
            conditions.push(format!("{urgent}m.urgency = '{urgency}'"));
        }
        if let Some(topic) = filter.topic {
            // As it stands in a list of JSON, in a text of either language.
            let [turkish, english] = [topic.turkish, topic.english].map(|name| statement.text(format!("%\"{name}\"%")));
            checks.push(format!("(m.topics LIKE {turkish} OR m.topics LIKE {english})"));
        }
        if let Some(brand) = filter.brand_id {
            let at = statement.text(brand);
            conditions.push(format!("m.account_id || '' IN (SELECT id FROM accounts WHERE brand_id = {at})"));
        }
        if let Some(since) = filter.since {
            let at = statement.number(micros(since));
            conditions.push(format!("m.published_at >= {at}"));
        }
        if let Some(until) = filter.until {
            let at = statement.number(micros(until));
            conditions.push(format!("m.published_at < {at}"));
        }
        if let Some(before) = filter.before {
            let (at, id) = (statement.number(micros(before.at)), statement.text(before.id));
            conditions.push(format!("(m.published_at, m.id) < ({at}, {id})"));
        }
        // The index of the walk holds the columns above; what needs the row or another table is looked at last.
        conditions.push("m.deleted_at IS NULL".to_owned());
        conditions.extend(checks);
        let limit = match filter.limit {
            0 => DEFAULT_PAGE,
            limit => limit.min(LARGEST_PAGE),
        };
        let limit = statement.number(limit as i64);
        statement.text = format!(
            "SELECT m.id FROM mentions m WHERE {} ORDER BY {order} DESC, m.id DESC LIMIT {limit}",
            conditions.join(" AND ")
        );
        Ok(Some(statement))
    }

    /// The sets of ids that a search leaves, one for all words or, where contacts' names play a part, one a word.
    async fn search_sets(&self, statement: &mut Statement, search: &str) -> Result<Option<Vec<Set>>, StoreError> {
        let folded = words(search);
        let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).take(MOST_WORDS).collect();
        let (before, after) = self.mentions_matching();
        let (contact_before, contact_after) = self.contacts_matching();
        let mut named = false;
        for word in &words {
            let Some(query) = self.search_query(word) else { continue };
            let mut probe = Statement::default();
            let at = probe.text(query);
            probe.text = format!("{contact_before}{at}{contact_after} LIMIT 1");
            named |= probe.query().fetch_optional(self.pool()).await?.is_some();
        }
        let together = words.join(" ");
        let parts: Vec<&str> = if named { words } else { vec![together.as_str()] };
        let mut sets = Vec::new();
        for part in parts {
            let Some(query) = self.search_query(part) else { continue };
            let set = self.set(statement, "m.id", vec![Value::Text(query)], |at| {
                let at = &at[0];
                let (mut ids, mut check) = (format!("{before}{at}{after}"), self.mention_matches(at));
                if named {
                    let authors = format!(
                        "SELECT author_id FROM contact_authors WHERE undone_at IS NULL \
                         AND contact_id IN ({contact_before}{at}{contact_after})"
                    );
                    write!(ids, " UNION SELECT id FROM mentions WHERE author_id IN ({authors})")
                        .expect("writing to a string cannot fail");
                    check = format!("({check} OR m.author_id || '' IN ({authors}))");
                }
                (ids, check)
            });
            sets.push(set.await?);
        }
        // A search of signs alone finds nothing rather than everything.
        Ok((!sets.is_empty()).then_some(sets))
    }

    /// Measures a set and puts its values into `statement`.
    async fn set(
        &self,
        statement: &mut Statement,
        column: &'static str,
        values: Vec<Value>,
        forms: impl Fn(&[String]) -> (String, String),
    ) -> Result<Set, StoreError> {
        let mut probe = Statement::default();
        let at: Vec<String> = values.iter().map(|value| probe.bind(value.clone())).collect();
        let most = probe.number(FEW + 1);
        probe.text =
            format!("SELECT COUNT(*) AS rows FROM (SELECT 1 AS one FROM ({}) ids LIMIT {most}) AS page", forms(&at).0);
        let rows = probe.query().fetch_one(self.pool()).await?.number("rows")?;
        let at: Vec<String> = values.into_iter().map(|value| statement.bind(value)).collect();
        let (ids, check) = forms(&at);
        Ok(Set { column, ids, check, few: rows <= FEW })
    }
}

/// Both forms of a filter by what a conversation `s` is.
fn of_conversations(condition: &str) -> (String, String) {
    (
        format!("SELECT s.id FROM conversations s WHERE {condition}"),
        format!("EXISTS (SELECT 1 FROM conversations s WHERE s.id = m.conversation_id AND ({condition}))"),
    )
}

/// Reads a row of [`COLUMNS`].
pub(super) fn mention_from(row: &AnyRow, now: i64) -> Result<MentionRow, StoreError> {
    let contact = match (row.maybe_word("contact_id")?, row.maybe_text("contact_name")?) {
        (Some(id), Some(name)) => Some(ContactRef { id, name }),
        _ => None,
    };
    let (score, because) = (row.float("sentiment_score")?, row.json::<Vec<Reason>>("reasons")?);
    let mut sentiment = Sentiment {
        label: row.word("sentiment")?,
        score,
        confidence: row.float("sentiment_confidence")?,
        base: base_of(score, &because),
        because,
    };
    let mut correction = corrections::correction_from(row)?;
    if let Some(correction) = &mut correction {
        correction.explain(&mut sentiment);
    }
    Ok(MentionRow {
        id: row.word("id")?,
        network: row.word("network")?,
        account: AccountRef { id: row.word("account_id")?, name: row.text("account_name")? },
        conversation: head_from(row, "conversation_id", now)?,
        author: AuthorView {
            id: row.word("author_id")?,
            handle: row.text("handle")?,
            display_name: row.text("display_name")?,
            url: row.maybe_text("author_url")?,
            followers: row.maybe_number("followers")?,
            contact,
        },
        kind: row.text("kind")?,
        text: row.maybe_text("text")?,
        url: row.maybe_text("url")?,
        visibility: row.text("visibility")?,
        rating: row.maybe_float("rating")?,
        media: row.json("media")?,
        published_at: row.time("published_at")?,
        edited_at: row.maybe_time("edited_at")?,
        deleted_at: row.maybe_time("deleted_at")?,
        received_at: row.time("received_at")?,
        language: Language { code: row.text("language")?, confidence: row.float("language_confidence")? },
        sentiment,
        correction,
        intents: row.json::<Vec<Intent>>("intents")?,
        tokens: row.json("tokens")?,
        topics: row.json("topics")?,
        urgency: Urgency { level: row.word("urgency")?, because: row.json("alarms")? },
    })
}

/// Reads a conversation's state as of `now`: a snoozed one whose time has come is open.
pub(super) fn head_from(row: &AnyRow, id: &str, now: i64) -> Result<ConversationHead, StoreError> {
    let stored: ConversationState = row.word("state")?;
    let snoozed_until = row.maybe_time("snoozed_until")?;
    let woken = stored == ConversationState::Snoozed && snoozed_until.is_none_or(|until| micros(until) <= now);
    let state = if woken { ConversationState::Open } else { stored };
    let assignee = match (row.maybe_word("assignee_id")?, row.maybe_text("assignee_name")?) {
        (Some(id), Some(name)) => Some(UserRef { id, name }),
        _ => None,
    };
    Ok(ConversationHead {
        id: row.word(id)?,
        state,
        snoozed_until: snoozed_until.filter(|_| state == ConversationState::Snoozed),
        assignee,
        claim: row.number("claim")?,
    })
}

/// The statement of [`Store::mentions`] for `ids` of one conversation, used by the conversation's page.
pub(super) fn of_conversation(conversation: &str, most: i64) -> Statement {
    let mut statement = Statement::default();
    let (conversation, most) = (statement.text(conversation), statement.number(most));
    statement.text = format!(
        "WITH page AS (SELECT id FROM mentions WHERE conversation_id = {conversation} \
         ORDER BY published_at DESC, id DESC LIMIT {most}) \
         SELECT {COLUMNS} FROM page {TABLES} ORDER BY m.published_at, m.id"
    );
    statement
}

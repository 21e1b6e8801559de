//! Writes a batch in few statements: what is new, what was edited, what is gone.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use muhatap_connectors::{Incoming, Kind};

use super::rows::{Stored, StoredMention, canonical_ids};
use super::threads::{Node, key_of, resolve};
use super::{NewChange, NewMention, Recorded, Source};
use crate::model::{AuthorId, EventKind, IntentLabel, MentionId, SentimentLabel, UrgencyLevel, new_ulid};
use crate::store::contacts::{Candidate, link_by_evidence};
use crate::store::corrections::{self, Judgement};
use crate::store::rollups::{Key, Rollups, hour};
use crate::store::search::{Entry, Index};
use crate::store::webhooks::{self, News};
use crate::store::{StoreError, Tx, events, maybe_micros, micros};

/// What a batch says of one message, all its changes taken together.
pub(super) enum Told<'c> {
    Message { mention: &'c NewMention, edited: bool },
    Gone,
}

pub(super) async fn apply(
    tx: &mut Tx,
    source: Source<'_>,
    changes: &[(usize, &NewChange)],
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let names = names_of_the_gone(tx, source, changes).await?;
    let told = take_together(changes, &names);
    let ids: Vec<&str> = told.iter().map(|(id, _)| *id).collect();
    let local_keys: Vec<String> = told.iter().filter_map(|(_, told)| local_key(source, told)).collect();
    let stored = Stored::read(tx, source.network, &ids, &local_keys).await?;

    // What a batch says twice was there already the second time.
    let mut recorded = Recorded { known: changes.len() - told.len(), ..Recorded::default() };
    let mut new: Vec<(&NewMention, bool)> = Vec::new();
    let mut edits: Vec<(&StoredMention, &NewMention, Timestamp)> = Vec::new();
    let mut seen_again: Vec<(&StoredMention, &Incoming)> = Vec::new();
    for (id, told) in &told {
        match told {
            Told::Gone => recorded.deleted += usize::from(erase(tx, source, &stored, id, now).await?),
            Told::Message { .. }
                if stored.tombstones.contains(*id)
                    || local_key(source, told).is_some_and(|key| stored.tombstones.contains(&key)) =>
            {
                recorded.known += 1;
            }
            Told::Message { mention, edited } => {
                let incoming = &mention.incoming;
                if let Some(known) = stored.mentions.get(*id) {
                    match edit_time(incoming, *edited, known.text.as_deref(), known.edited_at, now) {
                        Some(at) if known.deleted_at.is_none() => edits.push((known, mention, at)),
                        _ => recorded.known += 1,
                    }
                    seen_again.push((known, incoming));
                } else if let Some(known) = stored.outgoing.get(*id) {
                    let edit = edit_time(incoming, *edited, known.text.as_deref(), known.edited_at, now);
                    match edit.filter(|_| known.deleted_at.is_none()) {
                        Some(at) => {
                            edit_outgoing(tx, source, incoming, at).await?;
                            recorded.edited += 1;
                        }
                        None => recorded.known += 1,
                    }
                    if !known.has_local_id && incoming.local_id.is_some() {
                        complete_outgoing(tx, source, incoming).await?;
                    }
                } else {
                    let ours = incoming.author.is_us || stored.us.contains(&incoming.author.remote_id);
                    new.push((mention, ours));
                }
            }
        }
    }

    new.sort_by_key(|(mention, _)| mention.incoming.published_at);
    let nodes: Vec<Node> =
        new.iter().map(|(mention, ours)| Node { incoming: &mention.incoming, ours: *ours }).collect();
    let threads = resolve(tx, source, &nodes, now).await?;
    let reopened = threads.write(tx, source, now).await?;

    let writers = new.iter().filter(|(_, ours)| !ours).map(|(mention, _)| &mention.incoming);
    let authors =
        put_authors(tx, source, writers.chain(edits.iter().map(|(_, mention, _)| &mention.incoming)), now).await?;
    let author_of = |incoming: &Incoming| authors.get(&incoming.author.remote_id).cloned().unwrap_or_default();

    let first_row = tx.next_row(Index::Mentions).await?;
    let mut rows = Vec::new();
    for (index, (mention, _)) in new.iter().enumerate().filter(|(_, (_, ours))| !ours) {
        let home = threads.of_node[index].map(|home| threads.all[home].id.as_str()).unwrap_or_default();
        let search_row = first_row.map(|first| first + rows.len() as i64);
        let author_id = author_of(&mention.incoming);
        rows.push(Row { id: MentionId::new(now), conversation_id: home, author_id, search_row, mention });
    }
    insert_mentions(tx, source, &rows, now).await?;
    let seen = rows.iter().map(|row| (row.id.to_string(), &row.mention.incoming));
    insert_sightings(
        tx,
        source,
        seen.chain(seen_again.iter().map(|(known, incoming)| (known.id.clone(), *incoming))),
        now,
    )
    .await?;
    for (index, (mention, _)) in new.iter().enumerate().filter(|(_, (_, ours))| *ours) {
        let home = threads.of_node[index].map(|home| threads.all[home].id.as_str());
        insert_outgoing(tx, source, &mention.incoming, home).await?;
        recorded.outgoing += 1;
    }
    threads.join(tx).await?;
    for (known, incoming) in &seen_again {
        name_better(tx, known, incoming).await?;
    }
    let account = source.account_id.to_string();
    let mut rollups = Rollups::default();
    for row in &rows {
        let analysis = &row.mention.analysis;
        let key = Key {
            hour_at: hour(row.mention.incoming.published_at),
            account_id: &account,
            language: &analysis.language.code,
            sentiment: analysis.sentiment.label.as_str(),
            intent: analysis.main_intent().as_str(),
        };
        rollups.add(key, 1, analysis.sentiment.score);
    }
    for (known, mention, at) in &edits {
        edit(tx, known, mention, &author_of(&mention.incoming), (*at, now), &mut rollups).await?;
    }
    rollups.write(tx).await?;

    let candidates: Vec<Candidate> = rows
        .iter()
        .map(|row| (row.mention, row.author_id.as_str(), row.id.to_string()))
        .chain(edits.iter().map(|(known, mention, _)| (*mention, "", known.id.clone())))
        .map(|(mention, author_id, mention_id)| Candidate {
            author_id: if author_id.is_empty() { author_of(&mention.incoming) } else { author_id.to_owned() },
            handle: &mention.incoming.author.handle,
            evidence: &mention.evidence,
            mention_id,
        })
        .collect();
    recorded.linked = link_by_evidence(tx, source.network, &candidates, now).await?;

    tell(tx, source, &rows, &edits, &reopened, now).await?;
    recorded.edited += edits.len();
    recorded.new = rows.iter().map(|row| row.id).collect();
    Ok(recorded)
}

/// A message that is new here, with where it goes.
struct Row<'c> {
    id: MentionId,
    conversation_id: &'c str,
    author_id: String,
    search_row: Option<i64>,
    mention: &'c NewMention,
}

/// A deletion may name its message by the id of the account's own server: what that message is called everywhere.
async fn names_of_the_gone(
    tx: &mut Tx,
    source: Source<'_>,
    changes: &[(usize, &NewChange)],
) -> Result<HashMap<String, String>, StoreError> {
    let gone: Vec<&str> = changes
        .iter()
        .filter_map(|(_, change)| match change {
            NewChange::Deleted(id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    if gone.is_empty() {
        return Ok(HashMap::new());
    }
    let mut names = canonical_ids(tx, source, &gone).await?;
    for (_, change) in changes {
        if let NewChange::Seen(NewMention { incoming, .. }) | NewChange::Edited(NewMention { incoming, .. }) = change {
            for id in incoming.local_id.iter().chain([&incoming.remote_id]) {
                names.insert(id.clone(), incoming.remote_id.clone());
            }
        }
    }
    for id in gone {
        names.entry(id.to_owned()).or_insert_with(|| key_of(source, id));
    }
    Ok(names)
}

/// Where the tombstone of a message lies that went before its canonical id was known.
fn local_key(source: Source<'_>, told: &Told<'_>) -> Option<String> {
    match told {
        Told::Message { mention, .. } => {
            let id = mention.incoming.local_id.as_deref().unwrap_or(&mention.incoming.remote_id);
            source.stream.map(|_| key_of(source, id)).filter(|key| *key != mention.incoming.remote_id)
        }
        Told::Gone => None,
    }
}

/// One entry for each message: a deletion wins, then the newest version.
pub(super) fn take_together<'c>(
    changes: &[(usize, &'c NewChange)],
    names: &'c HashMap<String, String>,
) -> Vec<(&'c str, Told<'c>)> {
    let mut told: Vec<(&str, Told)> = Vec::with_capacity(changes.len());
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(changes.len());
    for (_, change) in changes {
        let (id, new) = match change {
            NewChange::Deleted(id) => (names.get(id).unwrap_or(id).as_str(), Told::Gone),
            NewChange::Seen(mention) => (mention.incoming.remote_id.as_str(), Told::Message { mention, edited: false }),
            NewChange::Edited(mention) => {
                (mention.incoming.remote_id.as_str(), Told::Message { mention, edited: true })
            }
        };
        let Some(place) = places.get(id) else {
            places.insert(id, told.len());
            told.push((id, new));
            continue;
        };
        let before = &mut told[*place].1;
        *before = match (&*before, new) {
            (Told::Gone, _) | (_, Told::Gone) => Told::Gone,
            (Told::Message { mention: old, edited: was }, Told::Message { mention, edited }) => {
                // Of two versions without a time, an edit is newer than what was merely seen; else the later one is.
                let newer = (mention.incoming.edited_at, edited) >= (old.incoming.edited_at, *was);
                Told::Message { mention: if newer { mention } else { old }, edited: edited || *was }
            }
        };
    }
    told
}

/// When this version was made, if it is newer than the stored one.
pub(super) fn edit_time(
    incoming: &Incoming,
    edited: bool,
    text: Option<&str>,
    stored: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    match incoming.edited_at {
        Some(at) => stored.is_none_or(|stored| at > stored).then_some(at),
        // A network that does not say when: only a differing text tells an edit from its repetition.
        None => (edited && text != Some(clean(&incoming.text).as_str())).then_some(now),
    }
}

async fn put_authors<'c>(
    tx: &mut Tx,
    source: Source<'_>,
    incoming: impl Iterator<Item = &'c Incoming>,
    now: Timestamp,
) -> Result<HashMap<String, String>, StoreError> {
    let mut newest: BTreeMap<&str, (&Incoming, Timestamp, Timestamp)> = BTreeMap::new();
    for incoming in incoming {
        let at = incoming.published_at;
        let entry = newest.entry(&incoming.author.remote_id).or_insert((incoming, at, at));
        if at > entry.2 {
            (entry.0, entry.2) = (incoming, at);
        }
        entry.1 = entry.1.min(at);
    }
    let names: Vec<&str> = newest.keys().copied().collect();
    // Whoever writes authors is alone on their network: who is not found now is new.
    let table = "authors WHERE network = ? AND remote_id";
    let mut ids = tx.find_values(("remote_id", "id"), table, &[source.network.as_str()], &names).await?;
    for name in names {
        if !ids.contains_key(name) {
            ids.insert(name.to_owned(), AuthorId::new(now).to_string());
        }
    }
    let authors: Vec<_> = newest.into_values().collect();
    tx.insert(
            "INSERT INTO authors (id, network, remote_id, handle, display_name, url, followers, first_seen_at, last_seen_at)",
            "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            "ON CONFLICT (network, remote_id) DO UPDATE SET
                handle = CASE WHEN excluded.last_seen_at >= authors.last_seen_at THEN excluded.handle ELSE authors.handle END,
                display_name = CASE WHEN excluded.last_seen_at >= authors.last_seen_at
                                    THEN excluded.display_name ELSE authors.display_name END,
                url = COALESCE(excluded.url, authors.url),
                followers = COALESCE(excluded.followers, authors.followers),
                first_seen_at = CASE WHEN excluded.first_seen_at < authors.first_seen_at
                                     THEN excluded.first_seen_at ELSE authors.first_seen_at END,
                last_seen_at = CASE WHEN excluded.last_seen_at > authors.last_seen_at
                                    THEN excluded.last_seen_at ELSE authors.last_seen_at END",
            &authors,
            |query, (incoming, first, last)| {
                let author = &incoming.author;
                query
                    .bind(ids[&author.remote_id].as_str())
                    .bind(source.network.as_str())
                    .bind(author.remote_id.as_str())
                    .bind(clean(&author.handle))
                    .bind(clean(&author.display_name))
                    .bind(author.url.as_deref().map(clean))
                    .bind(author.followers)
                    .bind(micros(*first))
                    .bind(micros(*last))
            },
        )
        .await?;
    Ok(ids)
}

async fn insert_mentions(tx: &mut Tx, source: Source<'_>, rows: &[Row<'_>], now: Timestamp) -> Result<(), StoreError> {
    let account = source.account_id.to_string();
    tx.insert(
        "INSERT INTO mentions (id, network, remote_id, account_id, conversation_id, author_id, kind, text, url, in_reply_to,
                               visibility, rating, media, published_at, edited_at, received_at, language, language_confidence,
                               sentiment, sentiment_score, sentiment_confidence, intent, intents, reasons, tokens, topics,
                               urgency, alarms, search_row)",
        // A missing DOUBLE PRECISION is announced to PostgreSQL as another type than a given one, so it goes as text.
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS DOUBLE PRECISION), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "",
        rows,
        |query, row| {
            let (incoming, analysis) = (&row.mention.incoming, &row.mention.analysis);
            query
                .bind(row.id.to_string())
                .bind(source.network.as_str())
                .bind(incoming.remote_id.as_str())
                .bind(account.as_str())
                .bind(row.conversation_id)
                .bind(row.author_id.as_str())
                .bind(incoming.kind.as_str())
                .bind(clean(&incoming.text))
                .bind(incoming.url.as_deref().map(clean))
                .bind(incoming.in_reply_to.as_deref())
                .bind(incoming.visibility.as_str())
                .bind(incoming.rating.map(|rating| rating.to_string()))
                .bind(json(&incoming.media))
                .bind(micros(incoming.published_at))
                .bind(maybe_micros(incoming.edited_at))
                .bind(micros(now))
                .bind(analysis.language.code.as_str())
                .bind(analysis.language.confidence)
                .bind(analysis.sentiment.label.as_str())
                .bind(analysis.sentiment.score)
                .bind(analysis.sentiment.confidence)
                .bind(analysis.main_intent().as_str())
                .bind(json(&analysis.intents))
                .bind(json(&analysis.sentiment.because))
                .bind(json(&analysis.tokens))
                .bind(json(&analysis.topics))
                .bind(analysis.urgency.level.as_str())
                .bind(json(&analysis.urgency.because))
                .bind(row.search_row)
        },
    )
    .await?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let entries: Vec<Entry> = rows
        .iter()
        .zip(&ids)
        .map(|(row, id)| Entry { subject_id: id, row: row.search_row, document: &row.mention.document })
        .collect();
    tx.index(Index::Mentions, &entries).await
}

/// Which of our accounts saw it, and what each needs to answer it.
async fn insert_sightings<'c>(
    tx: &mut Tx,
    source: Source<'_>,
    seen: impl Iterator<Item = (String, &'c Incoming)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let account = source.account_id.to_string();
    let seen: Vec<_> = seen.collect();
    tx.insert(
        "INSERT INTO mention_accounts (mention_id, account_id, local_id, reply_data, seen_at)",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (mention_id, account_id) DO NOTHING",
        &seen,
        |query, (id, incoming)| {
            query
                .bind(id.as_str())
                .bind(account.as_str())
                .bind(incoming.local_id.as_deref())
                .bind(json(&incoming.reply_data))
                .bind(micros(now))
        },
    )
    .await?;
    Ok(())
}

/// A search may find first what later turns out to name us.
async fn name_better(tx: &mut Tx, known: &StoredMention, incoming: &Incoming) -> Result<(), StoreError> {
    let says_more = known.kind == Kind::Post.as_str() && matches!(incoming.kind, Kind::Mention | Kind::Reply);
    if says_more {
        sqlx::query("UPDATE mentions SET kind = $1 WHERE id = $2")
            .bind(incoming.kind.as_str())
            .bind(known.id.as_str())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn edit<'k>(
    tx: &mut Tx,
    known: &'k StoredMention,
    mention: &'k NewMention,
    author_id: &str,
    (at, now): (Timestamp, Timestamp),
    rollups: &mut Rollups<'k>,
) -> Result<(), StoreError> {
    let (incoming, analysis) = (&mention.incoming, &mention.analysis);
    let judged = match &known.correction {
        Some(told) if known.text.as_deref() == Some(clean(&incoming.text).as_str()) => {
            corrections::judge_again(tx, &known.id, told, analysis).await?
        }
        Some(_) => corrections::outdate(tx, &known.id, analysis, now).await?,
        None => Judgement::of(analysis),
    };
    sqlx::query(
        "UPDATE mentions SET text = $1, url = COALESCE($2, url), rating = CAST($3 AS DOUBLE PRECISION), media = $4,
                edited_at = $5, language = $6, language_confidence = $7, sentiment = $8, sentiment_score = $9,
                sentiment_confidence = $10, intent = $11, intents = $12, reasons = $13, tokens = $14, topics = $15,
                urgency = $16, alarms = $17, author_id = $18
         WHERE id = $19",
    )
    .bind(clean(&incoming.text))
    .bind(incoming.url.as_deref().map(clean))
    .bind(incoming.rating.map(|rating| rating.to_string()))
    .bind(json(&incoming.media))
    .bind(micros(at))
    .bind(analysis.language.code.as_str())
    .bind(analysis.language.confidence)
    .bind(judged.sentiment.as_str())
    .bind(judged.score)
    .bind(judged.confidence)
    .bind(judged.intent().as_str())
    .bind(json(&judged.intents))
    .bind(json(&analysis.sentiment.because))
    .bind(json(&analysis.tokens))
    .bind(json(&analysis.topics))
    .bind(analysis.urgency.level.as_str())
    .bind(json(&analysis.urgency.because))
    .bind(author_id)
    .bind(known.id.as_str())
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE mention_accounts SET reply_data = $1 WHERE mention_id = $2 AND local_id = $3")
        .bind(json(&incoming.reply_data))
        .bind(known.id.as_str())
        .bind(incoming.local_id.as_deref())
        .execute(&mut **tx)
        .await?;
    tx.unindex(Index::Mentions, &known.id, known.search_row).await?;
    tx.index(Index::Mentions, &[Entry { subject_id: &known.id, row: known.search_row, document: &mention.document }])
        .await?;

    let hour_at = hour(known.published_at);
    let before = Key {
        hour_at,
        account_id: &known.account_id,
        language: &known.language,
        sentiment: &known.sentiment,
        intent: &known.intent,
    };
    let after = Key {
        hour_at,
        account_id: &known.account_id,
        language: &analysis.language.code,
        sentiment: judged.sentiment.as_str(),
        intent: judged.intent().as_str(),
    };
    rollups.add(before, -1, -known.sentiment_score);
    rollups.add(after, 1, judged.score);
    Ok(())
}

/// Takes away what a deleted message said and what was made of it; its place in the counts stays. The tombstone keeps a
/// late copy out. Returns whether anything was there to erase.
async fn erase(
    tx: &mut Tx,
    source: Source<'_>,
    stored: &Stored,
    remote_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let network = source.network.as_str();
    if stored.tombstones.contains(remote_id) {
        return Ok(false);
    }
    sqlx::query("INSERT INTO tombstones (network, remote_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(network)
        .bind(remote_id)
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    let mut erased = false;
    if let Some(known) = stored.mentions.get(remote_id).filter(|known| known.deleted_at.is_none()) {
        sqlx::query(
            "UPDATE mentions SET text = NULL, url = NULL, media = '[]', rating = NULL, deleted_at = $1, language = 'und',
                    language_confidence = 0, sentiment = 'neutral', sentiment_score = 0, sentiment_confidence = 0,
                    intent = 'other', intents = '[]', reasons = '[]', tokens = '[]', topics = '[]', urgency = 'none',
                    alarms = '[]', search_row = NULL
             WHERE id = $2",
        )
        .bind(micros(now))
        .bind(known.id.as_str())
        .execute(&mut **tx)
        .await?;
        sqlx::query("UPDATE mention_accounts SET reply_data = 'null' WHERE mention_id = $1")
            .bind(known.id.as_str())
            .execute(&mut **tx)
            .await?;
        corrections::erase(tx, &known.id).await?;
        tx.unindex(Index::Mentions, &known.id, known.search_row).await?;
        events::write(tx, now, "mention_deleted", &known.id).await?;
        let data = serde_json::json!({ "mention_id": known.id, "account_id": known.account_id });
        webhooks::raise(tx, &known.account_id, &[News { kind: EventKind::MentionDeleted, data }], now).await?;
        erased = true;
    }
    if stored.outgoing.get(remote_id).is_some_and(|known| known.deleted_at.is_none()) {
        sqlx::query("UPDATE outgoing SET text = NULL, deleted_at = $1 WHERE network = $2 AND remote_id = $3")
            .bind(micros(now))
            .bind(network)
            .bind(remote_id)
            .execute(&mut **tx)
            .await?;
        erased = true;
    }
    Ok(erased)
}

async fn insert_outgoing(
    tx: &mut Tx,
    source: Source<'_>,
    incoming: &Incoming,
    conversation_id: Option<&str>,
) -> Result<(), StoreError> {
    // A message that answers another one joins its parent's conversation only.
    let own_thread = incoming.in_reply_to.is_none().then_some(&incoming.remote_id);
    sqlx::query(
        "INSERT INTO outgoing (network, remote_id, local_id, account_id, conversation_id, thread, text, url, in_reply_to,
                               published_at, edited_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (network, remote_id) DO NOTHING",
    )
    .bind(source.network.as_str())
    .bind(incoming.remote_id.as_str())
    .bind(incoming.local_id.as_deref())
    .bind(source.account_id.to_string())
    .bind(conversation_id)
    .bind(incoming.thread.as_ref().or(own_thread).map(String::as_str))
    .bind(clean(&incoming.text))
    .bind(incoming.url.as_deref().map(clean))
    .bind(incoming.in_reply_to.as_deref())
    .bind(micros(incoming.published_at))
    .bind(maybe_micros(incoming.edited_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn edit_outgoing(tx: &mut Tx, source: Source<'_>, incoming: &Incoming, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE outgoing SET text = $1, edited_at = $2 WHERE network = $3 AND remote_id = $4")
        .bind(clean(&incoming.text))
        .bind(micros(at))
        .bind(source.network.as_str())
        .bind(incoming.remote_id.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What a receipt did not tell, and a poll does.
async fn complete_outgoing(tx: &mut Tx, source: Source<'_>, incoming: &Incoming) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outgoing SET local_id = $1, url = COALESCE(url, $2), thread = COALESCE(thread, $3)
         WHERE network = $4 AND remote_id = $5",
    )
    .bind(incoming.local_id.as_deref())
    .bind(incoming.url.as_deref().map(clean))
    .bind(incoming.thread.as_deref())
    .bind(source.network.as_str())
    .bind(incoming.remote_id.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn tell(
    tx: &mut Tx,
    source: Source<'_>,
    rows: &[Row<'_>],
    edits: &[(&StoredMention, &NewMention, Timestamp)],
    reopened: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    // A file of old messages is news once, not a hundred thousand times.
    let news = if source.stream.is_some() { rows } else { &rows[rows.len().saturating_sub(1)..] };
    let events: Vec<(&str, String)> = news
        .iter()
        .map(|row| ("mention", row.id.to_string()))
        .chain(edits.iter().map(|(known, ..)| ("mention_edited", known.id.clone())))
        .chain(reopened.iter().map(|id| ("conversation", id.clone())))
        .collect();
    tx.insert(
        "INSERT INTO events (id, at, kind, subject_id)",
        "(?, ?, ?, ?)",
        "",
        &events,
        |query, (kind, subject_id)| {
            query.bind(new_ulid(now).to_string()).bind(micros(now)).bind(*kind).bind(subject_id.as_str())
        },
    )
    .await?;
    tell_webhooks(tx, source, rows, edits, reopened, now).await
}

/// What came in from a network is told to whoever asked for it; what a file holds is history.
async fn tell_webhooks(
    tx: &mut Tx,
    source: Source<'_>,
    rows: &[Row<'_>],
    edits: &[(&StoredMention, &NewMention, Timestamp)],
    reopened: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    if source.stream.is_none() || (rows.is_empty() && edits.is_empty() && reopened.is_empty()) {
        return Ok(());
    }
    // Asked once for the whole batch, before anything is put together.
    let subscribers = webhooks::subscribers(tx, &source.account_id.to_string()).await?;
    if subscribers.is_empty() {
        return Ok(());
    }
    let mut news = Vec::new();
    for row in rows {
        let (analysis, data) = (&row.mention.analysis, mention_data(source, row));
        let complaint = analysis.intents.iter().any(|intent| intent.label == IntentLabel::Complaint);
        let also = [
            (true, EventKind::MentionReceived),
            (analysis.sentiment.label == SentimentLabel::Negative, EventKind::MentionNegative),
            (complaint, EventKind::MentionComplaint),
            (analysis.urgency.level != UrgencyLevel::None, EventKind::MentionUrgent),
        ];
        let holds = also.into_iter().filter(|(holds, _)| *holds);
        news.extend(holds.map(|(_, kind)| News { kind, data: data.clone() }));
    }
    news.extend(edits.iter().map(|(known, ..)| News {
        kind: EventKind::MentionEdited,
        data: serde_json::json!({ "mention_id": known.id, "account_id": known.account_id }),
    }));
    news.extend(reopened.iter().map(|id| News {
        kind: EventKind::ConversationOpened,
        data: serde_json::json!({ "conversation_id": id, "account_id": source.account_id, "state": "open" }),
    }));
    webhooks::raise_to(tx, &subscribers, &news, now).await
}

/// Ids and labels; what the mention says is asked for by its id.
fn mention_data(source: Source<'_>, row: &Row<'_>) -> serde_json::Value {
    let (incoming, analysis) = (&row.mention.incoming, &row.mention.analysis);
    serde_json::json!({
        "mention_id": row.id,
        "conversation_id": row.conversation_id,
        "account_id": source.account_id,
        "network": source.network,
        "kind": incoming.kind.as_str(),
        "published_at": incoming.published_at,
        "language": analysis.language.code,
        "sentiment": { "label": analysis.sentiment.label, "score": analysis.sentiment.score },
        "intents": analysis.intents.iter().map(|intent| intent.label).collect::<Vec<_>>(),
        "urgency": analysis.urgency.level,
    })
}

/// PostgreSQL refuses U+0000 in text.
fn clean(text: &str) -> String {
    match text.contains('\0') {
        true => text.replace('\0', "\u{FFFD}"),
        false => text.to_owned(),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

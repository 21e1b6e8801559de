//! Which conversation a message belongs to: its network's thread, else its parent's, else one of its own.
//!
//! Messages arrive in any order: one that answers a message we do not have opens the conversation under its parent's
//! name, and the parent finds it there when it comes.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use muhatap_connectors::Incoming;

use super::Source;
use crate::model::{ConversationId, ConversationState};
use crate::store::rows::Cells;
use crate::store::{StoreError, Tx, maybe_micros, micros};

/// A message that is not stored yet.
pub(super) struct Node<'n> {
    pub incoming: &'n Incoming,
    /// We wrote it: it joins a conversation, but does not begin one.
    pub ours: bool,
}

/// A conversation that this batch touches.
pub(super) struct Thread {
    pub id: String,
    pub key: String,
    pub is_new: bool,
    state: ConversationState,
    last_incoming_at: Option<Timestamp>,
    last_outgoing_at: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Threads {
    pub all: Vec<Thread>,
    /// For each node, where it is at home in `all`.
    pub of_node: Vec<Option<usize>>,
    by_key: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
    /// Stored conversations with a new key.
    renamed: Vec<usize>,
    /// Conversations that turned out to be part of another one: from, into.
    joined: Vec<(usize, usize)>,
    /// Stored messages of ours that are part of a new conversation: canonical id, where.
    adopted: Vec<(String, usize)>,
}

/// A stored message that a node answers.
struct Parent {
    conversation_id: Option<String>,
    /// What its conversation is called, once it has one.
    key: String,
}

/// Finds or begins the conversation of every node; writes nothing.
pub(super) async fn resolve(
    tx: &mut Tx,
    source: Source<'_>,
    nodes: &[Node<'_>],
    now: Timestamp,
) -> Result<Threads, StoreError> {
    let mut threads = Threads { of_node: vec![None; nodes.len()], ..Threads::default() };
    if nodes.is_empty() {
        return Ok(threads);
    }
    let batch: HashMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(index, node)| {
            let local = node.incoming.local_id.as_deref();
            std::iter::once(node.incoming.remote_id.as_str()).chain(local).map(move |id| (id, index))
        })
        .collect();
    let parents = threads.load(tx, source, nodes, &batch).await?;
    for index in 0..nodes.len() {
        // Parents in the batch first, whatever their order; a chain that bites its own tail ends where it began.
        let mut chain = vec![index];
        let mut seen = HashSet::from([index]);
        while let Some(parent) = chain.last().and_then(|last| parent_in(&batch, nodes[*last].incoming)) {
            if threads.of_node[parent].is_some() || !seen.insert(parent) {
                break;
            }
            chain.push(parent);
        }
        for index in chain.into_iter().rev() {
            if threads.of_node[index].is_none() {
                threads.of_node[index] = threads.home(source, nodes, index, &batch, &parents, now);
            }
        }
    }
    threads.adopt(tx, source, nodes).await?;
    for (node, home) in nodes.iter().zip(&threads.of_node) {
        let Some(home) = home else { continue };
        let thread = &mut threads.all[*home];
        let last = if node.ours { &mut thread.last_outgoing_at } else { &mut thread.last_incoming_at };
        *last = (*last).max(Some(node.incoming.published_at));
    }
    Ok(threads)
}

impl Threads {
    /// Reads every conversation and parent that the nodes may need.
    async fn load(
        &mut self,
        tx: &mut Tx,
        source: Source<'_>,
        nodes: &[Node<'_>],
        batch: &HashMap<&str, usize>,
    ) -> Result<HashMap<String, Parent>, StoreError> {
        let mut keys = HashSet::new();
        let mut wanted = HashSet::new();
        for node in nodes {
            let incoming = node.incoming;
            match &incoming.thread {
                Some(thread) => keys.extend([thread.clone()]),
                None => keys.extend(own_keys(source, incoming)),
            }
            if let (None, Some(parent)) = (&incoming.thread, &incoming.in_reply_to) {
                if !batch.contains_key(parent.as_str()) {
                    wanted.insert(parent.as_str());
                }
                keys.insert(key_of(source, parent));
            }
        }
        let network = source.network.as_str();
        let account = source.account_id.to_string();
        let wanted: Vec<&str> = wanted.into_iter().collect();
        let mut parents = HashMap::new();
        for (head, first) in [
            (
                "SELECT remote_id AS found, conversation_id, remote_id AS key FROM mentions WHERE network = ? AND remote_id",
                network,
            ),
            (
                "SELECT s.local_id AS found, m.conversation_id, m.remote_id AS key FROM mention_accounts s
                 JOIN mentions m ON m.id = s.mention_id WHERE s.account_id = ? AND s.local_id",
                account.as_str(),
            ),
            (
                "SELECT remote_id AS found, conversation_id, COALESCE(thread, remote_id) AS key FROM outgoing
                 WHERE network = ? AND remote_id",
                network,
            ),
            (
                "SELECT local_id AS found, conversation_id, COALESCE(thread, remote_id) AS key FROM outgoing
                 WHERE account_id = ? AND local_id",
                account.as_str(),
            ),
        ] {
            for row in tx.find(head, &[first], &wanted, "").await? {
                let parent = Parent { conversation_id: row.maybe_text("conversation_id")?, key: row.text("key")? };
                if parent.conversation_id.is_none() {
                    keys.insert(parent.key.clone());
                }
                parents.insert(row.text("found")?, parent);
            }
        }
        let keys: Vec<String> = keys.into_iter().collect();
        let head = "SELECT id, thread, state FROM conversations WHERE network = ? AND thread";
        let mut rows = tx.find(head, &[network], &keys, "").await?;
        let ids: Vec<&str> = parents.values().filter_map(|parent| parent.conversation_id.as_deref()).collect();
        rows.extend(tx.find("SELECT id, thread, state FROM conversations WHERE id", &[], &ids, "").await?);
        for row in rows {
            let id = row.text("id")?;
            if !self.by_id.contains_key(&id) {
                self.add(Thread {
                    id,
                    key: row.text("thread")?,
                    is_new: false,
                    state: row.word("state")?,
                    last_incoming_at: None,
                    last_outgoing_at: None,
                });
            }
        }
        Ok(parents)
    }

    fn add(&mut self, thread: Thread) -> usize {
        let index = self.all.len();
        self.by_key.insert(thread.key.clone(), index);
        self.by_id.insert(thread.id.clone(), index);
        self.all.push(thread);
        index
    }

    fn rename(&mut self, index: usize, key: String) {
        let thread = &mut self.all[index];
        if !thread.is_new {
            self.renamed.push(index);
        }
        thread.key.clone_from(&key);
        self.by_key.insert(key, index);
    }

    fn home(
        &mut self,
        source: Source<'_>,
        nodes: &[Node<'_>],
        index: usize,
        batch: &HashMap<&str, usize>,
        parents: &HashMap<String, Parent>,
        now: Timestamp,
    ) -> Option<usize> {
        let Node { incoming, ours } = &nodes[index];
        let own: Option<usize> = own_keys(source, incoming).find_map(|key| self.by_key.get(&key).copied());
        let mut key = incoming.remote_id.clone();
        let mut found = None;
        if let Some(thread) = &incoming.thread {
            found = self.by_key.get(thread).copied();
            key.clone_from(thread);
        } else if let Some(answered) = &incoming.in_reply_to {
            if let Some(parent) = batch.get(answered.as_str()) {
                found = self.of_node[*parent];
                key = nodes[*parent].incoming.thread.clone().unwrap_or(nodes[*parent].incoming.remote_id.clone());
            } else if let Some(parent) = parents.get(answered) {
                found = parent.conversation_id.as_ref().and_then(|id| self.by_id.get(id)).copied();
                key.clone_from(&parent.key);
            } else {
                key = key_of(source, answered);
            }
            found = found.or_else(|| self.by_key.get(&key).copied());
            if let (Some(from), Some(into)) = (own, found)
                && from != into
            {
                self.joined.push((from, into));
            }
        } else {
            found = own;
        }
        match (found, own) {
            (Some(found), _) => Some(found),
            // Answers that came before it wait under its name, and from now on under its parent's.
            (None, Some(own)) if incoming.thread.is_none() => {
                self.rename(own, key);
                Some(own)
            }
            (None, _) if *ours => None,
            (None, _) => Some(self.add(Thread {
                id: ConversationId::new(now).to_string(),
                key,
                is_new: true,
                state: ConversationState::Open,
                last_incoming_at: None,
                last_outgoing_at: None,
            })),
        }
    }

    /// Brings our own messages, stored or in this batch, into the conversations that strangers began under them.
    async fn adopt(&mut self, tx: &mut Tx, source: Source<'_>, nodes: &[Node<'_>]) -> Result<(), StoreError> {
        for (node, home) in nodes.iter().zip(self.of_node.iter_mut()).filter(|(_, home)| home.is_none()) {
            let key = node.incoming.thread.as_ref().unwrap_or(&node.incoming.remote_id);
            *home = self.by_key.get(key).copied();
        }
        if source.stream.is_none() {
            // A file holds nothing that we wrote.
            return Ok(());
        }
        let keys: Vec<String> =
            self.all.iter().filter(|thread| thread.is_new).map(|thread| thread.key.clone()).collect();
        for head in [
            "SELECT remote_id, COALESCE(thread, remote_id) AS key, published_at FROM outgoing
             WHERE conversation_id IS NULL AND network = ? AND thread",
            "SELECT remote_id, remote_id AS key, published_at FROM outgoing
             WHERE conversation_id IS NULL AND network = ? AND remote_id",
        ] {
            for row in tx.find(head, &[source.network.as_str()], &keys, "").await? {
                let Some(home) = self.by_key.get(&row.text("key")?).copied() else { continue };
                let last = &mut self.all[home].last_outgoing_at;
                *last = (*last).max(Some(row.time("published_at")?));
                self.adopted.push((row.text("remote_id")?, home));
            }
        }
        Ok(())
    }

    /// Writes new conversations and what changed in known ones; a new incoming message opens its conversation again.
    /// Returns the ids of those that were opened again.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        source: Source<'_>,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let touched: Vec<&Thread> = self
            .all
            .iter()
            .filter(|thread| thread.is_new || thread.last_incoming_at.or(thread.last_outgoing_at).is_some())
            .collect();
        for index in &self.renamed {
            let thread = &self.all[*index];
            sqlx::query("UPDATE conversations SET thread = $1 WHERE id = $2")
                .bind(thread.key.as_str())
                .bind(thread.id.as_str())
                .execute(&mut **tx)
                .await?;
        }
        let account = source.account_id.to_string();
        tx.insert(
            "INSERT INTO conversations (id, account_id, network, thread, last_message_at, last_incoming_at, last_outgoing_at,
                                        created_at, changed_at)",
            "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            "ON CONFLICT (network, thread) DO UPDATE SET
                last_message_at = CASE WHEN excluded.last_message_at > conversations.last_message_at
                                       THEN excluded.last_message_at ELSE conversations.last_message_at END,
                last_incoming_at = CASE WHEN excluded.last_incoming_at > COALESCE(conversations.last_incoming_at, excluded.last_incoming_at - 1)
                                        THEN excluded.last_incoming_at ELSE conversations.last_incoming_at END,
                last_outgoing_at = CASE WHEN excluded.last_outgoing_at > COALESCE(conversations.last_outgoing_at, excluded.last_outgoing_at - 1)
                                        THEN excluded.last_outgoing_at ELSE conversations.last_outgoing_at END,
                state = CASE WHEN excluded.last_incoming_at IS NULL THEN conversations.state ELSE 'open' END,
                snoozed_until = CASE WHEN excluded.last_incoming_at IS NULL THEN conversations.snoozed_until END,
                changed_at = excluded.changed_at",
            &touched,
            |query, thread| {
                query
                    .bind(thread.id.as_str())
                    .bind(account.as_str())
                    .bind(source.network.as_str())
                    .bind(thread.key.as_str())
                    .bind(maybe_micros(thread.last_incoming_at.max(thread.last_outgoing_at)).unwrap_or(micros(now)))
                    .bind(maybe_micros(thread.last_incoming_at))
                    .bind(maybe_micros(thread.last_outgoing_at))
                    .bind(micros(now))
                    .bind(micros(now))
            },
        )
        .await?;
        for (remote_id, home) in &self.adopted {
            sqlx::query("UPDATE outgoing SET conversation_id = $1 WHERE network = $2 AND remote_id = $3")
                .bind(self.all[*home].id.as_str())
                .bind(source.network.as_str())
                .bind(remote_id.as_str())
                .execute(&mut **tx)
                .await?;
        }
        let opened = |thread: &&&Thread| thread.last_incoming_at.is_some() && thread.state != ConversationState::Open;
        Ok(touched.iter().filter(opened).map(|thread| thread.id.clone()).collect())
    }

    /// Moves what waited under a parent's name into the parent's own conversation, unless a person worked on it there.
    /// After the messages themselves are written.
    pub(super) async fn join(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for (from, into) in &self.joined {
            let (from, into) = (self.all[*from].id.as_str(), self.all[*into].id.as_str());
            let worked_on: i64 = sqlx::query_scalar(
                "SELECT (SELECT COUNT(*) FROM notes WHERE conversation_id = $1)
                      + (SELECT COUNT(*) FROM replies WHERE conversation_id = $1)
                      + (SELECT COUNT(*) FROM conversations WHERE id = $1 AND assignee_id IS NOT NULL)",
            )
            .bind(from)
            .fetch_one(&mut **tx)
            .await?;
            if worked_on > 0 {
                continue;
            }
            for statement in [
                "UPDATE mentions SET conversation_id = $1 WHERE conversation_id = $2",
                "UPDATE outgoing SET conversation_id = $1 WHERE conversation_id = $2",
                "UPDATE conversations SET
                    last_message_at = (SELECT MAX(at) FROM (SELECT published_at AS at FROM mentions WHERE conversation_id = $1
                                       UNION ALL SELECT published_at AS at FROM outgoing WHERE conversation_id = $1) AS messages),
                    last_incoming_at = (SELECT MAX(published_at) FROM mentions WHERE conversation_id = $1),
                    last_outgoing_at = (SELECT MAX(published_at) FROM outgoing WHERE conversation_id = $1)
                 WHERE id = $1 AND id <> $2",
                "DELETE FROM conversations WHERE id = $2 AND id <> $1",
            ] {
                sqlx::query(statement).bind(into).bind(from).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

fn parent_in(batch: &HashMap<&str, usize>, incoming: &Incoming) -> Option<usize> {
    match incoming.thread {
        Some(_) => None,
        None => incoming.in_reply_to.as_deref().and_then(|parent| batch.get(parent).copied()),
    }
}

/// The name of the conversation under a message that only its id is known of. Ids that hold for one server alone carry
/// the account that saw them.
pub(super) fn key_of(source: Source<'_>, id: &str) -> String {
    match id.contains(['/', ':']) {
        true => id.to_owned(),
        false => format!("{}/{id}", source.account_id),
    }
}

fn own_keys<'i>(source: Source<'i>, incoming: &'i Incoming) -> impl Iterator<Item = String> + 'i {
    let local = incoming.local_id.as_deref().map(move |id| key_of(source, id));
    let remote = key_of(source, &incoming.remote_id);
    [Some(incoming.remote_id.clone()), local, (remote != incoming.remote_id).then_some(remote)].into_iter().flatten()
}

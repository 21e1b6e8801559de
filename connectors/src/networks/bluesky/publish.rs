//! Posting under a record key of our own, so that a repeat changes nothing and an unclear end can be looked up.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use icu_segmenter::GraphemeClusterSegmenter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::{Bluesky, POSTS, facets, is_not_found, posts, record, session, tid};
use crate::http::{Call, Response};
use crate::outgoing::PART_BEFORE_IS_GONE;
use crate::{Certainty, ConnectorError, Length, Outgoing, Prepared, Publisher, Receipt};

/// Both limits of the lexicon `app.bsky.feed.post` (November 2026) hold.
const MOST_GRAPHEMES: usize = 300;
const MOST_BYTES: usize = 3_000;
/// A record key names its record for as long as the repository lives; this is as good as for ever.
const KEY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Handles that are looked up for one message.
const MOST_MENTIONS: usize = 20;

/// Answers that say, once the record is not there, that the post was refused.
const REFUSALS: &[u16] = &[400, 403, 404, 413];

/// What is looked up before the call that counts.
#[derive(Serialize, Deserialize)]
struct Ready {
    did: String,
    rkey: String,
    /// Identifiers behind the handles in the text.
    mentions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Value>,
}

impl Ready {
    fn read(prepared: &Prepared) -> Result<Self, ConnectorError> {
        Self::deserialize(&prepared.0).map_err(|error| ConnectorError::Malformed(error.into()))
    }

    fn uri(&self) -> String {
        format!("at://{}/{POSTS}/{}", self.did, self.rkey)
    }

    fn record(&self, message: &Outgoing) -> Value {
        let mut record = json!({
            "$type": POSTS,
            "text": message.text,
            "createdAt": format!("{:.3}", message.due_at),
        });
        let facets = facets::record(&message.text, |handle| self.mentions.get(&handle.to_ascii_lowercase()).cloned());
        if !facets.is_empty() {
            record["facets"] = Value::from(facets);
        }
        if let Some(language) = &message.language {
            record["langs"] = json!([language]);
        }
        if let Some(reply) = &self.reply {
            record["reply"] = reply.clone();
        }
        record
    }
}

impl Bluesky {
    fn receipt(&self, uri: String) -> Receipt {
        let parts = posts::parts(&uri).filter(|_| self.public);
        let url = parts.map(|(did, rkey)| format!("https://bsky.app/profile/{did}/post/{rkey}"));
        Receipt { remote_id: uri, local_id: None, url }
    }

    /// The post under our record key, if there is one; `None` is the repository's own word that there is none.
    async fn published(&self, message: &Outgoing, ready: &Ready) -> Result<Option<Receipt>, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            uri: String,
            value: Value,
        }
        let response = self.fetch(record(&ready.did, &ready.rkey)).await?;
        if is_not_found(&response) {
            return Ok(None);
        }
        let answer: Answer = response.accepted()?.json()?;
        let parent = |reply: Option<&Value>| reply.map(|reply| reply["parent"]["uri"].clone());
        let same = answer.value["text"] == message.text.as_str()
            && parent(answer.value.get("reply")) == parent(ready.reply.as_ref());
        match same {
            true => Ok(Some(self.receipt(answer.uri))),
            false => Err(ConnectorError::Rejected(format!(
                "another post already has the record key {}; write the message again as a new one",
                ready.rkey
            ))),
        }
    }

    /// The two posts an answer names: the one answered and the first of its thread.
    async fn reply(&self, message: &Outgoing) -> Result<Option<Value>, ConnectorError> {
        if let Some(before) = &message.continues {
            return self.below(before).await.map(Some);
        }
        let Some(target) = &message.reply_to else { return Ok(None) };
        let known = &target.data;
        if known["uri"].is_string() && known["cid"].is_string() {
            let parent = json!({ "uri": known["uri"], "cid": known["cid"] });
            let root = if known["root"]["cid"].is_string() { known["root"].clone() } else { parent.clone() };
            return Ok(Some(json!({ "root": root, "parent": parent })));
        }
        // A mention that came from elsewhere, an import for one, has no more than its address.
        let found = self.posts(std::slice::from_ref(&target.remote_id)).await?;
        let post = found.first().ok_or_else(|| {
            ConnectorError::Rejected(format!("the post {} is not on the network any more", target.remote_id))
        })?;
        let parent = json!({ "uri": post.uri(), "cid": post.cid() });
        Ok(Some(json!({ "root": post.root().unwrap_or_else(|| parent.clone()), "parent": parent })))
    }

    /// The same for a post of our own: what our repository holds says its version (`cid`) and the first of its thread
    /// (lexicons `com.atproto.repo.getRecord` and `app.bsky.feed.post#replyRef`, November 2026).
    async fn below(&self, before: &Receipt) -> Result<Value, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            uri: String,
            cid: String,
            value: Value,
        }
        let (did, rkey) = posts::parts(&before.remote_id)
            .ok_or_else(|| ConnectorError::Rejected(format!("{} is not a post on Bluesky", before.remote_id)))?;
        let response = self.fetch(record(did, rkey)).await?;
        if is_not_found(&response) {
            return Err(ConnectorError::Rejected(PART_BEFORE_IS_GONE.to_owned()));
        }
        let answer: Answer = response.accepted()?.json()?;
        let parent = json!({ "uri": answer.uri, "cid": answer.cid });
        let root = &answer.value["reply"]["root"];
        let root = if root["cid"].is_string() { root } else { &parent };
        Ok(json!({ "root": root, "parent": parent }))
    }

    async fn identifier(&self, handle: &str) -> Result<Option<String>, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            did: String,
        }
        let call = Call::get("xrpc/com.atproto.identity.resolveHandle").query("handle", handle);
        match self.read(call).await {
            Ok(response) => Ok(Some(response.json::<Answer>()?.did)),
            // Nobody has this handle: it stays plain text.
            Err(ConnectorError::Rejected(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an answer other than success means for the post.
    async fn judge(&self, response: Response, message: &Outgoing, ready: &Ready) -> Result<Receipt, ConnectorError> {
        let said = response.said();
        if session::is_refused(&response) {
            let refused = self.sessions.current(&self.client).await?;
            self.sessions.renew(&self.client, &refused).await?;
            return Err(ConnectorError::Unavailable("the session had ended and was renewed; nothing was sent".into()));
        }
        // A record key that is taken is an error whose name differs from server to server: the record decides.
        match self.published(message, ready).await {
            Ok(Some(receipt)) => Ok(receipt),
            Err(ConnectorError::Rejected(reason)) => Err(ConnectorError::Rejected(reason)),
            Ok(None) if REFUSALS.contains(&response.status.as_u16()) => Err(ConnectorError::Rejected(said)),
            Ok(None) | Err(_) => Err(ConnectorError::Unconfirmed(said.into())),
        }
    }
}

#[async_trait]
impl Publisher for Bluesky {
    fn lane(&self, _: &Outgoing) -> String {
        "posts".to_owned()
    }

    fn measure(&self, message: &Outgoing) -> Length {
        let graphemes = GraphemeClusterSegmenter::new().segment_str(&message.text).count().saturating_sub(1);
        let bytes = message.text.len();
        // Emoji of many code points use the bytes up before the graphemes: what is fuller is shown.
        match bytes * MOST_GRAPHEMES > graphemes * MOST_BYTES && bytes > MOST_BYTES {
            true => Length { used: bytes, limit: MOST_BYTES },
            false => Length { used: graphemes, limit: MOST_GRAPHEMES },
        }
    }

    fn certainty(&self) -> Certainty {
        Certainty::Key { life: KEY_LIFE }
    }

    async fn prepare(&self, message: &Outgoing, saved: Option<Prepared>) -> Result<Prepared, ConnectorError> {
        // Renews the session if it has ended, so that the call that counts does not fail for that.
        self.read(Call::get("xrpc/com.atproto.server.getSession")).await?;
        if let Some(saved) = saved {
            return Ok(saved);
        }
        let length = self.measure(message);
        if !length.fits() {
            return Err(ConnectorError::Rejected(format!("{} is more than {} allowed", length.used, length.limit)));
        }
        let mut mentions = BTreeMap::new();
        for found in facets::find(&message.text) {
            let facets::What::Mention(handle) = found.what else { continue };
            let handle = handle.to_ascii_lowercase();
            if mentions.len() < MOST_MENTIONS && !mentions.contains_key(&handle) {
                mentions.extend(self.identifier(&handle).await?.map(|did| (handle, did)));
            }
        }
        let ready = Ready {
            did: self.sessions.current(&self.client).await?.did,
            rkey: tid::record_key(message.created_at, &message.key),
            mentions,
            reply: self.reply(message).await?,
        };
        serde_json::to_value(ready).map(Prepared).map_err(|error| ConnectorError::Malformed(error.into()))
    }

    async fn publish(&self, message: &Outgoing, prepared: &Prepared) -> Result<Receipt, ConnectorError> {
        #[derive(Deserialize)]
        struct Created {
            uri: String,
        }
        let started = Instant::now();
        let ready = Ready::read(prepared)?;
        let tokens = self.sessions.current(&self.client).await?;
        let body = json!({
            "repo": ready.did,
            "collection": POSTS,
            "rkey": ready.rkey,
            "record": ready.record(message),
        });
        let call =
            Call::post("xrpc/com.atproto.repo.createRecord").json(&body).bearer(&tokens.access()).bucket("write");
        let response = self.client.attempt(call).await?;
        if response.status.is_success() {
            let created: Created = response.proof()?;
            return match created.uri == ready.uri() {
                true => Ok(self.receipt(created.uri)),
                false => Err(ConnectorError::Unconfirmed(
                    "the network confirms another address than that of the post".into(),
                )),
            };
        }
        // Reading back is part of this call and of its time.
        let left = self.call_timeout.saturating_sub(started.elapsed());
        let said = response.said();
        match tokio::time::timeout(left, self.judge(response, message, &ready)).await {
            Ok(judged) => judged,
            Err(_) => Err(ConnectorError::Unconfirmed(said.into())),
        }
    }

    async fn find(
        &self,
        message: &Outgoing,
        prepared: &Prepared,
        _since: Timestamp,
        // Found by its own record key, so never another's.
        _taken: &[String],
    ) -> Result<Option<Receipt>, ConnectorError> {
        self.published(message, &Ready::read(prepared)?).await
    }

    async fn delete(&self, published: &Receipt) -> Result<(), ConnectorError> {
        let own = self.sessions.current(&self.client).await?.did;
        let (did, rkey) = posts::parts(&published.remote_id).filter(|(did, _)| *did == own).ok_or_else(|| {
            ConnectorError::Rejected(format!("{} is not a post of this account", published.remote_id))
        })?;
        let body = json!({ "repo": did, "collection": POSTS, "rkey": rkey });
        // The network answers the same for a record that is already gone.
        self.read(Call::post("xrpc/com.atproto.repo.deleteRecord").json(&body).bucket("write")).await?;
        Ok(())
    }

    fn linked(&self, link: &Url, own: Option<&str>) -> Option<Receipt> {
        posts::linked(link, own?)
    }
}

//! What recording would do with a batch, looked up and not written.

use std::collections::HashMap;

use jiff::Timestamp;

use super::apply::{Told, edit_time, take_together};
use super::rows::Stored;
use super::{NewChange, flaw};
use crate::model::Network;
use crate::store::{Store, StoreError};

/// What would become of the messages of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// The ids of those that would be new mentions.
    pub new: Vec<String>,
    /// Already there, and the same.
    pub known: usize,
    pub edited: usize,
    /// What could not be stored: position in the batch, and the reason.
    pub unparsed: Vec<(usize, String)>,
}

impl Store {
    /// What [`Store::record_import`] would do with messages of `network`. It reads alone, and keeps nobody from writing.
    pub async fn foresee_import(&self, network: Network, changes: &[NewChange]) -> Result<Foreseen, StoreError> {
        let mut tx = self.begin_reading().await?;
        let ids: Vec<&str> = changes.iter().map(id_of).collect();
        let stored = Stored::read(&mut tx, network, &ids, &[]).await?;
        Ok(foresee(&stored, changes, self.clock()))
    }
}

/// [`Store::foresee_import`] where there is no database yet.
pub fn foresee_first_import(changes: &[NewChange]) -> Foreseen {
    foresee(&Stored::default(), changes, Timestamp::UNIX_EPOCH)
}

fn foresee(stored: &Stored, changes: &[NewChange], now: Timestamp) -> Foreseen {
    let mut foreseen = Foreseen::default();
    let mut sound = Vec::with_capacity(changes.len());
    for (position, change) in changes.iter().enumerate() {
        match flaw(change) {
            None => sound.push((position, change)),
            Some(reason) => foreseen.unparsed.push((position, reason)),
        }
    }
    let no_names = HashMap::new();
    let told = take_together(&sound, &no_names);
    foreseen.known = sound.len() - told.len();
    for (id, told) in told {
        let Told::Message { mention, edited } = told else { continue };
        let incoming = &mention.incoming;
        let there = match (stored.mentions.get(id), stored.outgoing.get(id)) {
            (Some(known), _) => Some((known.text.as_deref(), known.edited_at, known.deleted_at)),
            (None, Some(known)) => Some((known.text.as_deref(), known.edited_at, known.deleted_at)),
            (None, None) => None,
        };
        match there {
            _ if stored.tombstones.contains(id) => foreseen.known += 1,
            Some((text, edited_at, deleted_at)) => {
                match edit_time(incoming, edited, text, edited_at, now).filter(|_| deleted_at.is_none()) {
                    Some(_) => foreseen.edited += 1,
                    None => foreseen.known += 1,
                }
            }
            // Our own messages are no mentions.
            None if incoming.author.is_us || stored.us.contains(&incoming.author.remote_id) => {}
            None => foreseen.new.push(id.to_owned()),
        }
    }
    foreseen
}

fn id_of(change: &NewChange) -> &str {
    match change {
        NewChange::Seen(mention) | NewChange::Edited(mention) => &mention.incoming.remote_id,
        NewChange::Deleted(id) => id,
    }
}

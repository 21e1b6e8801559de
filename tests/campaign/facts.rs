//! What there is to judge by: the rows of the outbox, and the posts and calls that the networks saw.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap::store::attempts::network_key;
use muhatap_simulator::{CallMade, World};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Row};

use crate::round::Round;

/// Nothing more happens by itself: ended, or a person is asked.
pub fn is_at_rest(state: DeliveryState) -> bool {
    state.is_end() || matches!(state, DeliveryState::Unknown | DeliveryState::Held)
}

/// One delivery, by what every side says of it. Times are the network's.
#[derive(Debug, Clone)]
pub struct Fact {
    pub id: DeliveryId,
    /// Its place in the plan.
    pub post: usize,
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub seq: i64,
    pub due_at: Timestamp,
    /// From here on every worker could know of it.
    pub known_at: Timestamp,
    pub network_ref: Option<String>,
    pub attempts: Vec<Attempt>,
    /// The state of the delivery that takes it back.
    pub takedown: Option<DeliveryState>,
    /// Every post of it that ever was on the network, in order.
    pub shown: Vec<Shown>,
}

#[derive(Debug, Clone)]
pub struct Attempt {
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub outcome: String,
    pub detail: String,
    pub worker: String,
}

#[derive(Debug, Clone)]
pub struct Shown {
    pub at: Timestamp,
    pub address: String,
    pub deleted: bool,
    text: String,
    key: Option<String>,
}

pub struct Facts {
    pub deliveries: Vec<Fact>,
    /// Rows that nobody asked for.
    pub strangers: usize,
    /// Of each account, in order.
    pub calls: Vec<Vec<CallMade>>,
    /// Subjects of open alerts.
    pub alerted: BTreeSet<String>,
}

pub async fn gather(round: &Round) -> Facts {
    let app = round.rig.app();
    // What every process does each ten seconds.
    app.store.raise_alerts(app.store.clock()).await.expect("alerts can be raised");
    let mut database = AnyConnection::connect(&round.rig.database_url()).await.expect("the database answers");
    let ahead = SignedDuration::from_secs(round.plan.machine_is_ahead());

    let mut attempts: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
    for row in rows(&mut database, "SELECT * FROM attempts ORDER BY delivery_id, epoch").await {
        attempts.entry(text(&row, "delivery_id")).or_default().push(Attempt {
            started_at: time(&row, "started_at").expect("it started") - ahead,
            finished_at: time(&row, "finished_at").map(|at| at - ahead),
            outcome: text(&row, "outcome"),
            detail: text(&row, "detail"),
            worker: text(&row, "worker"),
        });
    }
    let (mut publishing, mut takedowns) = (BTreeMap::new(), BTreeMap::new());
    for row in rows(&mut database, "SELECT * FROM deliveries").await {
        match row.get::<Option<String>, _>("target_id") {
            Some(target) => _ = takedowns.insert(target, state(&row)),
            None => _ = publishing.insert(text(&row, "id"), row),
        }
    }
    let alerts = rows(&mut database, "SELECT subject_id FROM alerts WHERE closed_at IS NULL").await;
    database.close().await.expect("the database closes");

    let (shown, calls) = round.rig.simulation().look(|world| seen(world, round.accounts.len()));
    let mut deliveries = Vec::new();
    for (post, known) in &round.known {
        let id = known.id.to_string();
        let Some(row) = publishing.remove(&id) else { continue };
        let network_ref: Option<String> = row.get("network_ref");
        let (key, asked) = (network_key(known.id), &round.plan.posts[*post].text);
        // A deleted post has lost its text, but not what its network knows it by.
        let is_its = |shown: &&Shown| {
            shown.text == *asked || shown.key.as_ref() == Some(&key) || Some(&shown.address) == network_ref.as_ref()
        };
        deliveries.push(Fact {
            id: known.id,
            post: *post,
            state: state(&row),
            reason: row.get("reason"),
            seq: row.get("seq"),
            due_at: time(&row, "due_at").expect("it has a time") - ahead,
            known_at: known.at,
            attempts: attempts.remove(&id).unwrap_or_default(),
            takedown: takedowns.remove(&id),
            shown: shown[round.plan.posts[*post].account].iter().filter(is_its).cloned().collect(),
            network_ref,
        });
    }
    let alerted = alerts.iter().map(|row| text(row, "subject_id")).collect();
    Facts { deliveries, strangers: publishing.len(), calls, alerted }
}

/// Of each account, what it published and what it called.
fn seen(world: &World, accounts: usize) -> (Vec<Vec<Shown>>, Vec<Vec<CallMade>>) {
    let (mut shown, mut calls) = (vec![Vec::new(); accounts], vec![Vec::new(); accounts]);
    for post in world.timeline().posts() {
        shown[post.author].push(Shown {
            at: post.created_at,
            address: world.address_of(post),
            deleted: post.deleted_at.is_some(),
            text: post.text.clone(),
            key: post.key.clone(),
        });
    }
    for call in world.calls_made() {
        calls[call.account].push(call.clone());
    }
    (shown, calls)
}

async fn rows(database: &mut AnyConnection, statement: &'static str) -> Vec<AnyRow> {
    sqlx::query(statement).fetch_all(database).await.expect("the database can be read")
}

fn text(row: &AnyRow, column: &str) -> String {
    row.get::<Option<String>, _>(column).unwrap_or_default()
}

fn time(row: &AnyRow, column: &str) -> Option<Timestamp> {
    let micros: Option<i64> = row.get(column);
    micros.map(|micros| Timestamp::from_microsecond(micros).expect("it is a time"))
}

fn state(row: &AnyRow) -> DeliveryState {
    text(row, "state").parse().expect("it is a state")
}

//! Killed again and again while it listens to a network that drops, doubles and reorders a fifth of its answers, the
//! worker has in the end stored exactly what the network had.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muhatap_simulator::{Draft, Network, Person, PersonId, World};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{AnyConnection, Connection};

use super::rig::Rig;

const FAULTS: &str = "
[rate_limit]
calls = 1000000
seconds = 60
[[rule]]
call = 'read'
what = 'drop'
chance = 0.07
[[rule]]
call = 'read'
what = 'duplicate'
chance = 0.07
[[rule]]
call = 'read'
what = 'reorder'
chance = 0.06
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_the_listener_is_killed_again_and_again() {
    let (kills, seed) = (super::kills(12), super::seed());
    let started = Instant::now();
    let rig = Rig::new(seed, FAULTS).await;
    let mut random = StdRng::seed_from_u64(seed);
    let people: Vec<PersonId> = (0..12).map(|number| somebody(&rig, number)).collect();
    for _ in 0..60 {
        write(&rig, &people, &mut random);
    }
    // The database is made before the first kill, so that there are rows whose leases can be ended.
    rig.app().await.store.close().await;

    for _ in 0..kills {
        // What came while nobody listened: sometimes more than fits a page.
        for _ in 0..random.random_range(0..60) {
            write(&rig, &people, &mut random);
        }
        let calls = rig.simulation().look(World::calls);
        let worker = rig.worker("listen");
        // One in five is killed at some moment of its start, the others at some moment after their first call.
        if random.random_ratio(1, 5) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        } else {
            rig.until("the worker polls", |world| world.calls() > calls).await;
            for _ in 0..random.random_range(0..12) {
                write(&rig, &people, &mut random);
                // The random moment of the kill is what this test is about.
                tokio::time::sleep(Duration::from_millis(random.random_range(0..25))).await;
            }
        }
        worker.kill().await;
        end_leases(&rig).await;
    }

    let _worker = rig.worker("listen");
    let expected: BTreeSet<String> = rig.simulation().look(addresses);
    let mut stored = BTreeSet::new();
    let complete = async {
        while stored != expected {
            // Failed polls are put off ever longer, which is not what this test is about.
            due_now(&rig).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            stored = remote_ids(&rig).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(180), complete).await.is_err() {
        let missing: Vec<_> = expected.difference(&stored).collect();
        let extra: Vec<_> = stored.difference(&expected).collect();
        panic!("seed {seed}: missing {missing:?}, too many {extra:?}\n{}", rig.log());
    }
    let counts = rig.simulation().look(|world| {
        let log = world.log();
        let faults = log.iter().filter(|line| line.contains(", rule ")).count();
        (world.calls(), faults)
    });
    println!(
        "{kills} kills, seed {seed}: {} mentions stored, {} calls of which {} went wrong, {:.0} s",
        expected.len(),
        counts.0,
        counts.1,
        started.elapsed().as_secs_f64()
    );
}

fn somebody(rig: &Rig, number: usize) -> PersonId {
    let person = Person {
        network: Network::Mastodon,
        handle: format!("musteri{number}@ornek.example"),
        display_name: format!("Müşteri {number}"),
        language: Some("tr".to_owned()),
        followers: 3,
        about: String::new(),
        kind: Default::default(),
        token: None,
    };
    rig.simulation().change(|world, _| world.add_person(person))
}

/// Somebody names the account, uses its hashtag, or both: two streams meet the same post.
fn write(rig: &Rig, people: &[PersonId], random: &mut StdRng) {
    let author = people[random.random_range(0..people.len())];
    let number: u32 = random.random();
    let text = match number % 3 {
        0 => format!("@yelpazar paketim {number} nerede kaldı?"),
        1 => format!("yine gelmedi {number} #kargo"),
        _ => format!("@yelpazar {number} numaralı gönderi #kargo rezalet"),
    };
    rig.simulation().change(|world, now| world.post(author, Draft { text, ..Draft::default() }, now));
}

fn addresses(world: &World) -> BTreeSet<String> {
    let posts = world.timeline().posts().iter().filter(|post| post.deleted_at.is_none());
    posts.map(|post| world.address_of(post)).collect()
}

/// A dead worker's leases end by themselves in time; here at once, and every stream is due.
async fn end_leases(rig: &Rig) {
    write_streams(rig, "UPDATE streams SET lease_until = 0, next_poll_at = 0").await;
}

async fn due_now(rig: &Rig) {
    write_streams(rig, "UPDATE streams SET next_poll_at = 0 WHERE lease_until = 0 AND failures > 0").await;
}

async fn write_streams(rig: &Rig, statement: &'static str) {
    let mut connection = AnyConnection::connect(&rig.database_url()).await.expect("the database opens");
    sqlx::query(statement).execute(&mut connection).await.expect("the database can be written");
    connection.close().await.expect("the database closes");
}

async fn remote_ids(rig: &Rig) -> BTreeSet<String> {
    let mut connection = AnyConnection::connect(&rig.database_url()).await.expect("the database opens");
    let ids: Vec<String> = sqlx::query_scalar("SELECT remote_id FROM mentions WHERE deleted_at IS NULL")
        .fetch_all(&mut connection)
        .await
        .unwrap_or_default();
    ids.into_iter().collect()
}

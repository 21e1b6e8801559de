//! Sending against networks that answer wrongly, late or never, with the worker killed at each step: every delivery is
//! on the network at most once, none is lost, and only a network that cannot be asked leaves one `unknown`.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use muhatap::app::App;
use muhatap::compose::{self, PostRequest};
use muhatap::model::{DeliveryId, DeliveryState};
use muhatap::store::deliveries::DeliveryView;
use muhatap_simulator::{BOT, Call, Calls, Keys, RetryAfter, Rule, SHOP, Script, Then, What, World};
use rstest::rstest;
use tokio::time::Instant;

use super::rig::Rig;

/// Where the worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// While it prepares: it asks who it is.
    Preparing,
    /// The network has the call, and does what it says only after the worker is dead.
    BeforeItIsDone,
    /// The network had the call and lost it.
    BeforeItIsLost,
    /// Done, but the answer never came.
    BeforeTheAnswer,
    /// At about the moment the answer is recorded.
    AtTheAnswer,
    /// While it reads back after an unclear end.
    ReadingBack,
}

/// What goes wrong without anybody dying.
fn faults() -> Vec<Rule> {
    let publish = Calls::One(Call::Publish);
    // Well within the time that is waited before the network is asked.
    let late = |then| Rule { after_ms: Some(300), then, ..Rule::new(What::ApplyLate, publish) };
    vec![
        Rule::new(What::AcceptThenReset, publish),
        Rule::new(What::AcceptThenError, publish),
        Rule::new(What::AcceptThenHang, publish),
        Rule::new(What::AcceptThenCut, publish),
        Rule::new(What::AcceptThenGarbage, publish),
        Rule::new(What::Hang, publish),
        Rule::new(What::Drop, publish),
        Rule::new(What::Error, publish),
        late(Then::Reset),
        late(Then::Error),
        Rule { retry_after_seconds: Some(1), ..Rule::new(What::RateLimit, publish) },
        Rule { retry_after_seconds: Some(1), form: RetryAfter::Date, ..Rule::new(What::RateLimit, publish) },
    ]
}

/// Whether a network that cannot be asked leaves a person to decide.
fn is_unclear(what: What) -> bool {
    what != What::RateLimit
}

fn once(rule: Rule) -> Rule {
    Rule { times: Some(1), ..rule }
}

fn set_script(rig: &Rig, keys: Keys, rules: Vec<Rule>) {
    let key_life_seconds = (keys == Keys::Forgotten).then_some(1);
    rig.simulation().change(|world, _| {
        let script = Script { keys, key_life_seconds, rule: rules, ..Script::default() };
        script.check().expect("the script is sound");
        world.set_script(script);
    });
}

async fn post(app: &App, account: &str, text: &str) -> DeliveryId {
    let account = app.store.account_by_name(account).await.expect("the account is there");
    compose::post(app, PostRequest::new(account.id, text, "cli")).await.expect("the post is in order").id
}

fn shown(world: &World, text: &str) -> usize {
    world.timeline().posts().iter().filter(|post| post.text == text && post.deleted_at.is_none()).count()
}

/// Texts of one day must not look alike, or composing warns.
const TEXTS: [&str; 14] = [
    "Depomuz pazar günü sayım için kapalıdır",
    "Yeni şubemiz Kıyıkent çarşısında açıldı",
    "Kış lastiklerinde taksit dönemi başladı",
    "Gece kargosu artık yirmi ilde",
    "Okul çantaları bu hafta yarı fiyatına",
    "Uygulamamız yenilendi, görüşlerinizi bekliyoruz",
    "Bayram teslimatları için son gün çarşamba",
    "Müşteri hattımız sabah altıda açılıyor",
    "Zeytinyağı üreticileriyle buluşuyoruz",
    "Kitap fuarında yerimizi aldık",
    "Elektrikli kuryeler yola çıktı",
    "Geri dönüşüm kutuları her şubede",
    "Seramik atölyesi kayıtları sürüyor",
    "Bahçe mobilyalarında sezon sonu",
];

/// Three faults share a worker; the groups run beside each other, since most of the time they wait.
const GROUP: usize = 3;

/// Every fault with a text of its own, in groups.
fn groups() -> Vec<Vec<(Rule, &'static str)>> {
    let faults: Vec<_> = faults().into_iter().zip(TEXTS).collect();
    faults.chunks(GROUP).map(<[_]>::to_vec).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mastodon_shows_every_post_exactly_once_whatever_goes_wrong(
    #[values(Keys::Honoured, Keys::Forgotten, Keys::Late, Keys::Off)] keys: Keys,
) {
    join_all(groups().into_iter().map(|group| async move {
        let rig = Rig::new(super::seed(), "").await;
        let app = rig.app().await;
        let _worker = rig.worker("deliver");
        for (rule, text) in group {
            let what = rule.what;
            set_script(&rig, keys, vec![once(rule)]);
            let id = post(&app, SHOP, text).await;
            let delivery = rig.delivery(&app, id, |delivery| delivery.state.is_end()).await;
            assert_eq!(delivery.state, DeliveryState::Sent, "{what:?}, keys {keys:?}: {delivery:?}\n{}", rig.log());
            assert_eq!(rig.simulation().look(|world| shown(world, text)), 1, "{what:?}, keys {keys:?}");
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram_shows_every_message_at_most_once_and_a_person_decides_what_is_unclear() {
    join_all(groups().into_iter().map(|group| async move {
        let rig = Rig::new(super::seed(), "").await;
        let app = rig.app().await;
        let _worker = rig.worker("deliver");
        for (rule, text) in group {
            let what = rule.what;
            set_script(&rig, Keys::Off, vec![once(rule)]);
            let id = post(&app, BOT, text).await;
            let wanted = if is_unclear(what) { DeliveryState::Unknown } else { DeliveryState::Sent };
            let delivery = rig.delivery(&app, id, is_settled).await;
            assert_eq!(delivery.state, wanted, "{what:?}: {delivery:?}\n{}", rig.log());
            let shown = rig.simulation().look(|world| shown(world, text));
            assert!(shown <= 1, "{what:?}: shown {shown} times");
            assert!(shown == 1 || wanted == DeliveryState::Unknown, "{what:?}: lost");
        }
    }))
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_while_sending_to_mastodon_leaves_exactly_one_post(
    #[values(Keys::Honoured, Keys::Forgotten, Keys::Late, Keys::Off)] keys: Keys,
) {
    let steps = [
        Step::Preparing,
        Step::BeforeItIsDone,
        Step::BeforeItIsLost,
        Step::BeforeTheAnswer,
        Step::AtTheAnswer,
        Step::ReadingBack,
    ];
    join_all(steps.into_iter().zip(TEXTS).map(|(step, text)| async move {
        let rig = Rig::new(super::seed(), "").await;
        let app = rig.app().await;
        let id = kill_at(&rig, &app, SHOP, keys, step, text).await;
        let _worker = rig.worker("deliver");
        let delivery = rig.delivery(&app, id, |delivery| delivery.state.is_end()).await;
        assert_eq!(delivery.state, DeliveryState::Sent, "{step:?}, keys {keys:?}: {delivery:?}\n{}", rig.log());
        assert_eq!(rig.simulation().look(|world| shown(world, text)), 1, "{step:?}, keys {keys:?}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_while_sending_to_telegram_leaves_at_most_one_message() {
    let steps = [Step::BeforeItIsDone, Step::BeforeItIsLost, Step::BeforeTheAnswer, Step::AtTheAnswer];
    join_all(steps.into_iter().zip(TEXTS).map(|(step, text)| async move {
        let rig = Rig::new(super::seed(), "").await;
        let app = rig.app().await;
        let id = kill_at(&rig, &app, BOT, Keys::Off, step, text).await;
        let _worker = rig.worker("deliver");
        let delivery = rig.delivery(&app, id, is_settled).await;
        // Killed after the answer was recorded it is sent; anywhere else nobody can tell.
        let recorded = step == Step::AtTheAnswer && delivery.state == DeliveryState::Sent;
        assert!(recorded || delivery.state == DeliveryState::Unknown, "{step:?}: {delivery:?}\n{}", rig.log());
        let shown = rig.simulation().look(|world| shown(world, text));
        assert_eq!(shown, usize::from(step != Step::BeforeItIsLost), "{step:?}");
    }))
    .await;
}

/// A network that cannot be reached has done nothing: what waits for it goes out when it is back, and nobody is asked.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_leaves_nothing_unknown_and_nothing_unsent(#[values(SHOP, BOT)] account: &'static str) {
    let rig = Rig::new(super::seed(), "").await;
    let app = rig.app().await;
    rig.simulation().set_dark(true);
    let _worker = rig.worker("deliver");
    let mut posts = Vec::new();
    for text in TEXTS.into_iter().take(3) {
        posts.push((post(&app, account, text).await, text));
    }
    let (first, _) = posts[0];
    rig.delivery(&app, first, |delivery| delivery.reason.is_some()).await;
    rig.simulation().set_dark(false);
    for (id, text) in posts {
        let delivery = rig.delivery(&app, id, is_settled).await;
        assert_eq!(delivery.state, DeliveryState::Sent, "{delivery:?}\n{}", rig.log());
        assert_eq!(rig.simulation().look(|world| shown(world, text)), 1);
    }
}

/// A post that is out by the network's clock must be found by ours, or it is sent again.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ten_minutes_off_doubles_nothing(#[values(-600, 600)] ahead: i64) {
    let rig = Rig::new(super::seed(), "").await;
    let app = rig.app().await;
    set_script(&rig, Keys::Off, vec![once(Rule::new(What::AcceptThenReset, Calls::One(Call::Publish)))]);
    let account = app.store.account_by_name(SHOP).await.expect("the account is there");
    let mut request = PostRequest::new(account.id, TEXTS[0], "cli");
    // Due by the worker's clock.
    request.due_at = Some(app.store.clock() + SignedDuration::from_secs(ahead));
    let id = compose::post(&app, request).await.expect("the post is in order").id;
    let _worker = rig.worker_ahead("deliver", ahead);
    let delivery = rig.delivery(&app, id, |delivery| delivery.state.is_end()).await;
    assert_eq!(delivery.state, DeliveryState::Sent, "{delivery:?}\n{}", rig.log());
    assert_eq!(rig.simulation().look(|world| shown(world, TEXTS[0])), 1, "{}", rig.log());
}

/// SIGTERM in the middle of a call that hangs: the worker ends in time, and the one beside it sends the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_hands_over_within_ten_seconds() {
    let rig = Rig::new(super::seed(), "").await;
    let app = rig.app().await;
    set_script(&rig, Keys::Honoured, vec![once(Rule::new(What::Hold, Calls::One(Call::Publish)))]);
    let mut posts = Vec::new();
    for text in TEXTS.into_iter().take(4) {
        posts.push((post(&app, SHOP, text).await, text));
    }
    let old = rig.worker("deliver");
    rig.until("a call is held", |world| !world.held().is_empty()).await;
    let _new = rig.worker("deliver");
    let asked = Instant::now();
    let ended = old.end().await;
    assert!(ended.success() && asked.elapsed() <= Duration::from_secs(10), "{ended} after {:?}", asked.elapsed());
    rig.simulation().discard();
    for (id, text) in posts {
        let delivery = rig.delivery(&app, id, |delivery| delivery.state.is_end()).await;
        assert_eq!(delivery.state, DeliveryState::Sent, "{delivery:?}\n{}", rig.log());
        assert_eq!(rig.simulation().look(|world| shown(world, text)), 1);
    }
}

/// Nothing more happens to it before a person decides.
fn is_settled(delivery: &DeliveryView) -> bool {
    delivery.state.is_end() || delivery.state == DeliveryState::Unknown
}

/// Lets a worker begin to send and kills it at this step.
async fn kill_at(rig: &Rig, app: &App, account: &str, keys: Keys, step: Step, text: &str) -> DeliveryId {
    let publish = Calls::One(Call::Publish);
    let rules = match step {
        Step::Preparing => vec![once(Rule::new(What::Hold, Calls::One(Call::Who)))],
        Step::BeforeItIsDone | Step::BeforeItIsLost => vec![once(Rule::new(What::Hold, publish))],
        Step::BeforeTheAnswer => vec![once(Rule::new(What::AcceptThenHold, publish))],
        Step::AtTheAnswer => Vec::new(),
        Step::ReadingBack => {
            vec![once(Rule::new(What::AcceptThenReset, publish)), once(Rule::new(What::Hold, Calls::One(Call::Own)))]
        }
    };
    set_script(rig, keys, rules);
    let id = post(app, account, text).await;
    let worker = rig.worker("deliver");
    if step == Step::AtTheAnswer {
        rig.until("the post is out", |world| shown(world, text) == 1).await;
    } else {
        rig.until("the call is held", |world| !world.held().is_empty()).await;
    }
    worker.kill().await;
    if step == Step::BeforeItIsLost {
        rig.simulation().discard();
    } else {
        rig.simulation().release();
    }
    id
}
